/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the API listens: addresses as they are written, what the host has, and sockets that were left behind. */
#include "fixture.h"
#include "certificates.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "mgmt/api/listen.h"
#include "mgmt/core/core.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

static struct fixture place;
static struct core node;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	memset(&node, 0, sizeof(node));
	pthread_mutex_init(&node.lock, NULL);
	snprintf(node.dirs.conf, sizeof(node.dirs.conf), "%s", place.conf);
	snprintf(node.dirs.run, sizeof(node.dirs.run), "%s", place.root);
	return stats_create(place.root, "mgmt", 64, &node.stats);
}

static int teardown(void **state)
{
	(void)state;
	stats_close(node.stats);
	fixture_remove(&place);
	return 0;
}

static void addresses_are_read_as_they_are_written(void **state)
{
	static const struct {
		const char *api, *address;
		unsigned port;
	} rows[] = {
		{ "https://192.0.2.1:8443", "192.0.2.1", 8443 },
		{ "https://192.0.2.1:1", "192.0.2.1", 1 },
		{ "https://192.0.2.1:65535", "192.0.2.1", 65535 },
		{ "https://[2001:db8::1]:443", "2001:db8::1", 443 },
		{ "https://192.0.2.1:65536", NULL, 0 },
		{ "https://192.0.2.1:0", NULL, 0 },
		{ "https://192.0.2.1:", NULL, 0 },
		{ "https://192.0.2.1:+1", NULL, 0 },
		{ "https://192.0.2.1: 1", NULL, 0 },
		{ "https://192.0.2.1:1/", NULL, 0 },
		{ "https://192.0.2.1:4294967297", NULL, 0 },
		{ "https://192.0.2.1", NULL, 0 },
		{ "http://192.0.2.1:8443", NULL, 0 },
		{ "192.0.2.1:8443", NULL, 0 },
		{ "https://:8443", NULL, 0 },
		{ "https://[]:8443", NULL, 0 },
		{ "https://[2001:db8::1:443", NULL, 0 },
		{ "https://[2001:db8::1x:443", NULL, 0 },
		{ "https://ams:8443", NULL, 0 },
		{ "", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[ADDR_TEXT_MAX];
		struct addr a;
		uint16_t port = 0;
		int err = listen_parse(rows[i].api, &a, &port);

		if (!err != !!rows[i].address)
			fail_msg("%s: %d", rows[i].api, err);
		if (err)
			continue;
		assert_string_equal(addr_text(&a, text), rows[i].address);
		assert_int_equal(port, rows[i].port);
	}
}

static void what_the_host_has_is_known(void **state)
{
	(void)state;
	assert_true(listen_host_has("https://127.0.0.1:8443"));
	assert_false(listen_host_has("https://192.0.2.77:8443"));
	assert_false(listen_host_has("https://[2001:db8::77]:8443"));
	assert_false(listen_host_has("127.0.0.1:8443"));
}

/* Whether a client can connect to @p path. */
static bool is_served(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	bool ok = connect(s, (const struct sockaddr *)&at, sizeof(at)) == 0;
	close(s);
	return ok;
}

static void say_path(char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/" PROC_API_SOCKET, place.root);
}

/* A process that was killed leaves its socket; umask and mode are as they should be all the same. */
static void a_socket_that_was_left_is_replaced(void **state)
{
	char path[PATH_MAX];
	struct stat st;

	(void)state;
	say_path(path);
	mode_t was = umask(022);
	for (int i = 0; i < 2; i++) {
		struct http_server *server = NULL;

		assert_int_equal(listen_local(&node, &server), 0);
		assert_true(is_served(path));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0660);
		http_stop(server);
		assert_false(is_served(path));
	}
	assert_int_equal(umask(was), 022); /* what it was before */
}

static void a_path_that_is_too_long_is_refused(void **state)
{
	struct http_server *server = NULL;

	(void)state;
	snprintf(node.dirs.run, sizeof(node.dirs.run), "%s/%0*d", place.root, 100, 0);
	assert_int_equal(listen_local(&node, &server), -ENAMETOOLONG);
	assert_null(server);
}

static void write_certificate(void)
{
	struct pem pair;

	make_pair(&pair, NULL, 0);
	fixture_write(place.conf, CERTIFICATE_CRT, pair.cert);
	fixture_write(place.conf, CERTIFICATE_KEY, pair.key);
}

/* Make the text of @p address with a port that nobody has. */
static const char *free_api(const char *address)
{
	static char api[64];
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&at, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	close(fd);
	snprintf(api, sizeof(api), "https://%s:%u", address, ntohs(at.sin_port));
	return api;
}

/* How many sockets listen at the port of @p api. */
static unsigned count_listeners(const char *api)
{
	char line[256], sought[16];
	unsigned n = 0;
	FILE *f = fopen("/proc/net/tcp", "r");

	assert_non_null(f);
	snprintf(sought, sizeof(sought), ":%04X ", (unsigned)atoi(strrchr(api, ':') + 1));
	while (fgets(line, sizeof(line), f)) {
		const char *at = strstr(line, sought);

		n += at && !strncmp(at + 6, "00000000:0000 0A", 16);
	}
	fclose(f);
	return n;
}

/* A second server at this address is refused; the peers' socket of the same server is not. */
static void an_address_is_shared_with_the_peers_socket_alone(void **state)
{
	const char *api = free_api("127.0.0.1");
	struct http_server *server = NULL, *second = NULL;

	(void)state;
	write_certificate();
	for (int i = 0; i < 2; i++) { /* at once after a restart, too */
		assert_int_equal(listen_tcp(&node, api, &server), 0);
		assert_int_equal(count_listeners(api), 2);
		assert_int_equal(listen_tcp(&node, api, &second), -EADDRINUSE);
		assert_null(second);
		http_stop(server);
		assert_int_equal(count_listeners(api), 0);
	}
}

static void an_address_may_come_later(void **state)
{
	struct http_server *server = NULL;

	(void)state;
	write_certificate();
	assert_int_equal(listen_tcp(&node, free_api("192.0.2.77"), &server), 0);
	http_stop(server);
}

/* Both files, or none: and what lacks is named by its error. */
static void a_pair_is_read_whole(void **state)
{
	static const char *const files[] = { CERTIFICATE_CRT, CERTIFICATE_KEY };
	struct certificate_texts p = { NULL, NULL, NULL };
	char path[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		fixture_write(place.conf, CERTIFICATE_CRT, "a certificate");
		fixture_write(place.conf, CERTIFICATE_KEY, "a key");
		snprintf(path, sizeof(path), "%s/%s", place.conf, files[i]);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(certificate_read(&node, &p), -ENOENT);
		assert_null(p.cert);
		assert_null(p.key);
	}
	fixture_write(place.conf, CERTIFICATE_KEY, "a key");
	assert_int_equal(certificate_read(&node, &p), 0);
	assert_string_equal(p.cert, "a certificate");
	assert_string_equal(p.key, "a key");
	certificate_free(&p);
}

SUITE(listen)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(addresses_are_read_as_they_are_written),
		T(what_the_host_has_is_known),
		T(a_socket_that_was_left_is_replaced),
		T(a_path_that_is_too_long_is_refused),
		T(an_address_is_shared_with_the_peers_socket_alone),
		T(an_address_may_come_later),
		T(a_pair_is_read_whole),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
