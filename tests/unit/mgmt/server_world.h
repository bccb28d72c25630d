/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole server of the API on loopback, over TCP with TLS or on a UNIX socket, and its clients.
 * A test includes this once.
 */
#ifndef WEIR_TESTS_MGMT_SERVER_WORLD_H
#define WEIR_TESTS_MGMT_SERVER_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "certificates.h"
#include "told_time.h"
#include "mgmt/core/core.h"
#include "mgmt/http/internal.h"
#include "tests/unit/answers.h"
#include "weir/stats.h"

#define WAIT_S 60 /* for what comes at once on an idle machine */

/* Accepting, which may lack descriptors, or be from an address that this machine does not have. */
static atomic_int accept_error;
static atomic_uint n_accepts, n_by_peers;
static atomic_int peers_fd;
static _Atomic(const char *) accepts_from; /* NULL: as the kernel says */

static int own_accept4(int fd, struct sockaddr *from, socklen_t *n, int flags)
{
	const char *text = accepts_from;
	struct addr a;

	n_accepts++;
	if (accept_error) {
		errno = accept_error;
		return -1;
	}
	int got = __real_accept4(fd, from, n, flags);
	n_by_peers += got >= 0 && fd == peers_fd;
	if (text && !addr_parse(text, &a))
		*n = addr_to_sockaddr(&a, 4711, (struct sockaddr_storage *)from);
	return got;
}

/* What the log says of refusals, line by line. */
static char refusals[1024];

static ssize_t own_write(int fd, const void *bytes, size_t n)
{
	size_t had = strlen(refusals);

	if (fd == STDERR_FILENO && memmem(bytes, n, "api-connections-refused", 23))
		snprintf(refusals + had, sizeof(refusals) - had, "%.*s", (int)n,
		         (const char *)bytes);
	return __real_write(fd, bytes, n);
}

static struct pem pairs[2];

/* The server, and what its handlers see */

static struct core node;
static struct http_server *server;
static struct sockaddr_storage bound;
static socklen_t n_bound;
static char dir[32];
static bool with_tls;
static atomic_bool may_answer;
static atomic_uint n_running;
static char *long_text;

static uint64_t read_counter(const char *name, const char *labels)
{
	return __atomic_load_n(stats_get_counter(node.stats, STATS_COUNTER, name, labels, ""),
	                       __ATOMIC_RELAXED);
}

static uint64_t count_refused(void)
{
	return read_counter("weir_mgmt_connections_refused_total", "");
}

static void answer_request(struct core *core, struct http_request *r, struct http_reply *reply)
{
	reply->status = core == &node ? 200 : 500;
	if (!strcmp(r->path, "/wait") || !strcmp(r->path, "/hold")) {
		n_running++;
		while (!may_answer && !http_gone(r))
			usleep(1000);
	}
	if (!strcmp(r->path, "/hold")) {
		*reply = (struct http_reply){ .hold.until_ms = clock_mono_ms() + WAIT_S * 1000 };
		return;
	}
	if (!strcmp(r->path, "/long")) {
		reply->text = strdup(long_text);
		reply->type = "text/plain";
	} else {
		reply->json = json_pack("{s:s, s:i}", "path", r->path, "body", (int)r->n_body);
	}
}

static void find_out(struct core *core, int fd, const char *login, struct http_request *r)
{
	(void)core;
	(void)fd;
	r->role = !login ? HTTP_VIEWER : !strcmp(login, "Bearer peer") ? HTTP_PEER : HTTP_NO_ROLE;
}

static bool pass_request(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	(void)core;
	(void)r;
	(void)reply;
	return true;
}

static int listen_at(struct sockaddr_storage *a, socklen_t n)
{
	int one = 1, fd = socket(a->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)a, n), 0);
	assert_int_equal(listen(fd, 1024), 0);
	return fd;
}

/*
 * Two listeners of a free port of loopback, as mgmt/api/listen.c opens them; @p family AF_UNIX:
 * one of a path.
 */
static struct http_options open_listeners(sa_family_t family)
{
	struct http_options o = { .local = family == AF_UNIX,
		                  .peers_fd = -1,
		                  .core = &node,
		                  .handler = answer_request,
		                  .authenticator = find_out,
		                  .gate = pass_request,
		                  .is_moving = core_is_moving,
		                  .bells = &node.bells,
		                  .counters = &node.counters };

	http_counters_open(node.stats, &node.counters);

	bound = (struct sockaddr_storage){ .ss_family = family };
	n_bound = o.local ? sizeof(struct sockaddr_un) : sizeof(struct sockaddr_in);
	if (o.local)
		snprintf(((struct sockaddr_un *)&bound)->sun_path, 64, "%s/api.sock", dir);
	else
		((struct sockaddr_in *)&bound)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	o.listen_fd = listen_at(&bound, n_bound);
	assert_int_equal(getsockname(o.listen_fd, (struct sockaddr *)&bound, &n_bound), 0);
	if (!o.local)
		o.peers_fd = listen_at(&bound, n_bound);
	peers_fd = o.peers_fd;
	return o;
}

static void begin_server(sa_family_t family)
{
	struct http_options o = open_listeners(family);

	if (with_tls) {
		o.tls.cert = pairs[0].cert;
		o.tls.key = pairs[0].key;
	}
	assert_int_equal(http_serve(&o, &server), 0);
}

/* Clients */

struct client {
	int fd, error; /* of connecting */
	SSL *tls;
	char text[4096]; /* the last answer's beginning */
};
static struct client clients[600];
static SSL_CTX *client_context;

/* Connect from 127.0.0.@p host, or as that user to the UNIX socket. */
static void connect_client(struct client *c, unsigned host)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct timeval most = { .tv_sec = WAIT_S };
	int narrow = 16384;

	c->fd = socket(bound.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(c->fd >= 0);
	setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	if (bound.ss_family == AF_INET) {
		setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &narrow, sizeof(narrow));
		from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
		assert_int_equal(bind(c->fd, (struct sockaddr *)&from, sizeof(from)), 0);
	} else {
		/* of this thread alone */
		assert_int_equal(syscall(SYS_setresuid, -1, (uid_t)host, -1), 0);
	}
	c->error = connect(c->fd, (struct sockaddr *)&bound, n_bound) ? errno : 0;
	if (bound.ss_family == AF_UNIX)
		assert_int_equal(syscall(SYS_setresuid, -1, 0, -1), 0);
	if (!with_tls || c->error)
		return;
	c->tls = SSL_new(client_context);
	SSL_set_fd(c->tls, c->fd);
	if (SSL_connect(c->tls) != 1)
		c->error = EPROTO;
}

static void close_client(struct client *c)
{
	SSL_free(c->tls);
	c->tls = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static ssize_t take_bytes(struct client *c, char *out, size_t n)
{
	return c->tls ? SSL_read(c->tls, out, (int)n) : recv(c->fd, out, n, 0);
}

static void send_text(struct client *c, const char *text, size_t n)
{
	if (c->tls)
		SSL_write(c->tls, text, (int)n);
	else
		(void)!send(c->fd, text, n, MSG_NOSIGNAL);
}

static void send_request(struct client *c, const char *path, const char *headers)
{
	char text[512];

	snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: weir\r\n%s\r\n", path, headers);
	send_text(c, text, strlen(text));
}

/* Read an answer of at most sizeof(text) bytes. @return its status; 0: there is none */
static unsigned read_answer(struct client *c)
{
	size_t n = 0, whole = SIZE_MAX;

	c->text[0] = '\0';
	while (n < whole && n + 1 < sizeof(c->text)) {
		ssize_t got = take_bytes(c, c->text + n, sizeof(c->text) - 1 - n);

		if (got <= 0)
			return 0;
		n += (size_t)got;
		c->text[n] = '\0';
		const char *end = strstr(c->text, "\r\n\r\n"),
		           *length = strstr(c->text, "Length: ");
		if (end && length)
			whole = (size_t)(end + 4 - c->text) + strtoul(length + 8, NULL, 10);
	}
	return (unsigned)atoi(c->text + 9);
}

static unsigned get_path(struct client *c, const char *path, const char *headers)
{
	send_request(c, path, headers);
	return read_answer(c);
}

/* Connect the clients from @p first on, @p n of them, and count those that are served. */
static unsigned join_many(size_t first, size_t n, unsigned host)
{
	unsigned n_served = 0;

	for (size_t i = first; i < first + n; i++) {
		connect_client(&clients[i], host);
		n_served += !clients[i].error && get_path(&clients[i], "/a", "") == 200;
	}
	return n_served;
}

/* Wait until @p n handlers run. */
static void await_running(unsigned n)
{
	for (unsigned i = 0; i < WAIT_S * 1000 && n_running < n; i++)
		usleep(1000);
	assert_int_equal(n_running, n);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-http-XXXXXX");
	assert_non_null(mkdtemp(dir));
	chmod(dir, 0755);
	memset(&node, 0, sizeof(node));
	pthread_mutex_init(&node.lock, NULL);
	assert_int_equal(stats_create(dir, "mgmt", 64, &node.stats), 0);
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
		clients[i] = (struct client){ .fd = -1 };
	with_tls = false;
	may_answer = false;
	accept_error = 0;
	accepts_from = NULL;
	told_ms = 0;
	refusals[0] = '\0';
	n_accepts = n_by_peers = n_running = 0;
	server = NULL;
	return 0;
}

static int teardown(void **state)
{
	char command[64];

	(void)state;
	may_answer = true;
	http_stop(server);
	for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
		close_client(&clients[i]);
	stats_close(node.stats);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

#endif
