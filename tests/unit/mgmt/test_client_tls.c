/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking a peer whose certificate is right, and whose server is hostile all the same. */
#include "fixture.h"
#include "tls_peer.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "mgmt/etcd/transfer.h"
#include "mgmt/http/client.h"
#include "tests/unit/suite.h"

#define N_KEYS 100000

/* Read a request: its head, and "{}" where it is a POST. @return whether it came */
static bool read_request(SSL *tls)
{
	char text[4096] = "";
	int n = 0, more;

	do {
		more = SSL_read(tls, text + n, (int)sizeof(text) - 1 - n);
		n += more > 0 ? more : 0;
	} while (more > 0 && !strstr(text, *text == 'P' ? "\r\n\r\n{}" : "\r\n\r\n"));
	return more > 0;
}

/*
 * Answer a first request; then make new keys, say so, and answer the second one with them alone.
 * They come faster than they can be read: that takes most of a second.
 */
static void send_keys(SSL_CTX *context, int listen_fd, int made_fd)
{
	static const char first[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
	SSL *tls = SSL_new(context);
	BIO *out = BIO_new(BIO_s_mem());
	int fd = accept(listen_fd, NULL, NULL);
	char *keys;

	SSL_set_fd(tls, fd);
	if (SSL_accept(tls) != 1 || !read_request(tls) ||
	    SSL_write(tls, first, sizeof(first) - 1) <= 0)
		return;
	SSL_set0_wbio(tls, out);
	for (int i = 0; i < N_KEYS; i++) {
		SSL_key_update(tls, SSL_KEY_UPDATE_NOT_REQUESTED);
		SSL_do_handshake(tls);
	}
	long n = BIO_get_mem_data(out, &keys);
	if (write(made_fd, "x", 1) != 1 || !read_request(tls))
		return;
	for (ssize_t at = 0, sent = 1; sent > 0 && at < n; at += sent)
		sent = send(fd, keys + at, (size_t)(n - at), MSG_NOSIGNAL);
}

static uint64_t read_cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* A server of send_keys() in a process of its own. */
struct hostile {
	struct fixture f;
	SSL_CTX *context;
	int fd, made_fd;
	pid_t pid;
	char url[64];
};

static void start_hostile(struct hostile *h)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	int made[2];

	fixture_make(&h->f);
	h->context = tls_peer_context(h->f.conf);
	h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(h->fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(h->fd, 1), 0);
	assert_int_equal(getsockname(h->fd, (struct sockaddr *)&at, &n), 0);
	assert_int_equal(pipe(made), 0);
	h->pid = fork();
	if (h->pid == 0) {
		send_keys(h->context, h->fd, made[1]);
		_exit(0);
	}
	close(made[1]);
	h->made_fd = made[0];
	snprintf(h->url, sizeof(h->url), "https://127.0.0.1:%u", ntohs(at.sin_port));
}

static void wait_for_keys(const struct hostile *h)
{
	char byte;

	assert_int_equal(read(h->made_fd, &byte, 1), 1);
}

static void stop_hostile(struct hostile *h)
{
	assert_int_equal(waitpid(h->pid, NULL, 0), h->pid);
	SSL_CTX_free(h->context);
	close(h->made_fd);
	close(h->fd);
	fixture_remove(&h->f);
}

/* Its time is over when it is over, whatever comes. */
static void new_keys_do_not_hold_a_request_up(void **state)
{
	struct client_request r = { .timeout_ms = 60000 };
	struct peer_client client;
	struct hostile h;

	(void)state;
	start_hostile(&h);
	client_open(&client, h.f.conf);
	snprintf(r.url, sizeof(r.url), "%s/v1/peer/store", h.url);
	client_send(&client, &r, 1);
	assert_string_equal(r.failure, "");
	json_decref(r.answer);
	wait_for_keys(&h);
	r.timeout_ms = 100;
	uint64_t cpu_ms = read_cpu_ms();
	client_send(&client, &r, 1);
	cpu_ms = read_cpu_ms() - cpu_ms;
	assert_string_equal(r.failure, "Timeout was reached");
	assert_in_range(cpu_ms, 0, 2 * (uint64_t)r.timeout_ms); /* to read all keys takes 800 */
	client_close(&client);
	stop_hostile(&h);
}

/* Nor do those of a member of the store. */
static void new_keys_do_not_hold_a_transfer_up(void **state)
{
	struct etcd_request request = { .path = "/v3/kv/range", .body = (char[]){ "{}" }, .n = 2 };
	struct etcd_tls tls = { .ca = "" };
	CURLM *multi = curl_multi_init();
	struct etcd_transfer t;
	struct hostile h;

	(void)state;
	start_hostile(&h);
	snprintf(tls.ca, sizeof(tls.ca), "%s/tls.ca", h.f.conf);
	assert_int_equal(etcd_transfer_open(&t, &tls), 0);
	assert_int_equal(etcd_transfer_begin(&t, multi, h.url, &request, "", 60000), 0);
	while (t.is_running)
		etcd_transfer_run(multi, 100);
	assert_int_equal(t.status, 200);
	wait_for_keys(&h);
	assert_int_equal(etcd_transfer_begin(&t, multi, h.url, &request, "", 100), 0);
	uint64_t cpu_ms = read_cpu_ms();
	while (t.is_running)
		etcd_transfer_run(multi, 100);
	cpu_ms = read_cpu_ms() - cpu_ms;
	assert_int_equal(t.err, CURLE_OPERATION_TIMEDOUT);
	assert_in_range(cpu_ms, 0, 200); /* to read all keys takes 800 */
	etcd_transfer_close(&t);
	curl_multi_cleanup(multi);
	stop_hostile(&h);
}

SUITE(client_tls)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_keys_do_not_hold_a_request_up),
		cmocka_unit_test(new_keys_do_not_hold_a_transfer_up),
	};

	return cmocka_run_group_tests_name("client with TLS", tests, NULL, NULL);
}
