/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the API listens: addresses as they are written, what the host has, and sockets that were left behind. */
#include "asked.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>

static int n_reads;
static const char *lacking;

static int fake_slurp(const char *path, char **out, size_t *n)
{
	n_reads++;
	if (lacking && strstr(path, lacking))
		return -ENOENT;
	*out = strdup(path);
	*n = strlen(path);
	return 0;
}

/* The private parts too. */
#define files_slurp fake_slurp
#include "mgmt/core/certificate.c"
#include "mgmt/api/listen.c"

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

/* A process that was killed leaves its socket; umask and mode are as they should be all the same. */
static void a_socket_that_was_left_is_replaced(void **state)
{
	char path[PATH_MAX];
	struct stat st;

	(void)state;
	assert_int_equal(proc_path(this_node.dirs.run, PROC_API_SOCKET, path), 0);
	mode_t was = umask(022);
	for (int i = 0; i < 2; i++) {
		int fd = bind_local(path);

		assert_true(fd >= 0);
		assert_true(is_served(path));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 0777, 0660);
		close(fd);
		assert_false(is_served(path));
	}
	assert_int_equal(umask(was), 022); /* what it was before */
	memset(path, 'x', 120);
	path[120] = '\0';
	assert_int_equal(bind_local(path), -ENAMETOOLONG);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage at;
	struct addr a;
	socklen_t n = sizeof(at);
	uint16_t port = 0;

	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
	assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&at, &a, &port), 0);
	return port;
}

/* A second server at this address is refused; the peers' socket of the same server is not. */
static void an_address_is_shared_with_the_peers_socket_alone(void **state)
{
	struct addr loopback, absent;

	(void)state;
	assert_int_equal(addr_parse("127.0.0.1", &loopback), 0);
	assert_int_equal(addr_parse("192.0.2.77", &absent), 0);
	int fd = open_tcp(&loopback, 0, false);
	assert_true(fd >= 0);
	uint16_t port = port_of(fd);
	assert_int_equal(open_tcp(&loopback, port, false), -EADDRINUSE);
	int peers = open_tcp(&loopback, port, true);
	assert_true(peers >= 0);
	close(peers);
	close(fd);
	fd = open_tcp(&loopback, port, false); /* at once after a restart */
	assert_true(fd >= 0);
	close(fd);
	fd = open_tcp(&absent, 0, false); /* it may come to the interface later */
	assert_true(fd >= 0);
	close(fd);
}

/* Both files, or none: and what lacks is named by its error. */
static void a_pair_is_read_whole(void **state)
{
	static const char *const files[] = { "tls.crt", "tls.key" };
	struct certificate_texts p = { NULL, NULL };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		lacking = files[i];
		assert_int_equal(certificate_read(&this_node, &p), -ENOENT);
		assert_null(p.cert);
		assert_null(p.key);
	}
	lacking = NULL;
	assert_int_equal(certificate_read(&this_node, &p), 0);
	assert_non_null(strstr(p.cert, "tls.crt"));
	assert_non_null(strstr(p.key, "tls.key"));
	certificate_free(&p);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, asked_setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		T(addresses_are_read_as_they_are_written),
		T(what_the_host_has_is_known),
		T(a_socket_that_was_left_is_replaced),
		T(an_address_is_shared_with_the_peers_socket_alone),
		T(a_pair_is_read_whole),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
