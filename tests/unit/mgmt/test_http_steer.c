/* SPDX-License-Identifier: BSD-2-Clause */
/* Whom the kernel takes for a peer: the program over packets of both families, and once by real connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>

#include "mgmt/http/steer.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static struct sock_filter kept[BPF_MAXINSNS];
static size_t n_kept;
static int kept_fd, fails_with;
static bool keeps_only; /* the kernel is not asked: its memory for options is bounded */

static int own_setsockopt(int fd, int level, int name, const void *value, socklen_t n)
{
	const struct sock_fprog *p = value;

	if (name != SO_ATTACH_REUSEPORT_CBPF)
		return __real_setsockopt(fd, level, name, value, n);
	assert_int_equal(level, SOL_SOCKET);
	assert_true(p->len <= 4096); /* a 4,097th step is refused */
	memcpy(kept, p->filter, p->len * sizeof(kept[0]));
	n_kept = p->len;
	kept_fd = fd;
	if (keeps_only)
		return 0;
	errno = fails_with;
	return fails_with ? -1 : __real_setsockopt(fd, level, name, value, n);
}

/* What the program returns for a packet from @p source: only loads of the network header, equal or not, and answers. */
static uint32_t run_program(const struct addr *source)
{
	uint8_t header[40] = { 0 };
	uint32_t a = 0;

	if (addr_is4(source))
		memcpy(header + 12, addr_bytes4(source), 4); /* RFC 791 */
	else
		memcpy(header + 8, source->bytes, 16); /* RFC 8200 */
	for (size_t pc = 0; pc < n_kept; pc++) {
		const struct sock_filter *s = &kept[pc];

		if (s->code == (BPF_LD | BPF_W | BPF_ABS)) {
			size_t off = (size_t)(s->k - (uint32_t)SKF_NET_OFF);

			assert_true(off + 4 <= sizeof(header));
			memcpy(&a, header + off, 4);
			a = ntohl(a);
		} else if (s->code == (BPF_JMP | BPF_JEQ | BPF_K)) {
			pc += a == s->k ? s->jt : s->jf;
		} else {
			assert_int_equal(s->code, BPF_RET | BPF_K);
			return s->k;
		}
	}
	fail_msg("the program has no end");
	return 0;
}

static struct addr make_address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static int socket_of(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)), 0);
	return fd;
}

/* Peers 192.0.2.1, 2001:db8::1:2:3, 192.0.2.9, 2001:db8::9; an address may differ in one word, or one bit. */
static void only_whole_addresses_of_peers_are_peers(void **state)
{
	static const struct {
		const char *source;
		uint32_t socket;
	} rows[] = {
		{ "192.0.2.1", 1 },
		{ "192.0.2.9", 1 },
		{ "192.0.2.0", 0 },
		{ "192.0.2.3", 0 },
		{ "193.0.2.1", 0 },
		{ "2.0.192.1", 0 },
		{ "0.2.0.3", 0 }, /* the last word of an IPv6 peer */
		{ "2001:db8::1:2:3", 1 },
		{ "2001:db8::9", 1 },
		{ "2001:db9::1:2:3", 0 },
		{ "2001:db8:0:1::1:2:3", 0 },
		{ "2001:db8::2:2:3", 0 },
		{ "2001:db8::1:2:2", 0 },
		{ "2001:db8::1:0:9", 0 }, /* words of two peers */
		{ "::", 0 },
	};
	const struct addr peers[] = { make_address("192.0.2.1"), make_address("2001:db8::1:2:3"),
		                      make_address("192.0.2.9"), make_address("2001:db8::9") };

	(void)state;
	for (int is4 = 0; is4 < 2; is4++) {
		int fd = socket_of(is4 ? AF_INET : AF_INET6);

		assert_int_equal(http_steer(fd, is4, peers, 4), 0);
		assert_int_equal(kept_fd, fd);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			struct addr source = make_address(rows[i].source);

			if (addr_is4(&source) == is4 && run_program(&source) != rows[i].socket)
				fail_msg("%s", rows[i].source);
		}
		assert_int_equal(http_steer(fd, is4, peers, 0), 0);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(run_program(&peers[i]), 0);
		close(fd);
	}
}

/* The kernel takes 4,096 steps: the rest of very many peers counts as strangers, and nothing is written past the end. */
static void too_many_peers_are_cut(void **state)
{
	static struct addr peers[BPF_MAXINSNS];
	int fd = socket_of(AF_INET6);

	(void)state;
	for (size_t i = 0; i < BPF_MAXINSNS; i++) {
		peers[i] = make_address("2001:db8::");
		peers[i].bytes[14] = (uint8_t)(i >> 8);
		peers[i].bytes[15] = (uint8_t)i;
	}
	keeps_only = true;
	assert_int_equal(http_steer(fd, false, peers, BPF_MAXINSNS), 0);
	keeps_only = false;
	assert_int_equal(run_program(&peers[0]), 1);
	assert_int_equal(run_program(&peers[400]), 1);
	assert_int_equal(run_program(&peers[500]), 0);
	close(fd);
}

static void what_the_kernel_refuses_is_said(void **state)
{
	struct addr peer = make_address("192.0.2.1");

	(void)state;
	fails_with = ENOPROTOOPT;
	assert_int_equal(http_steer(-1, true, &peer, 1), -ENOPROTOOPT);
	fails_with = 0;
	assert_int_equal(http_steer(-1, true, &peer, 1), -EBADF);
}

/* Listen beside @p at, or anywhere if its port is 0, which it then has. */
static int listen_beside(struct sockaddr_in *at)
{
	socklen_t n = sizeof(*at);
	int fd = socket_of(AF_INET);

	assert_int_equal(bind(fd, (const struct sockaddr *)at, n), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)at, &n), 0);
	return fd;
}

/* Whether a connection from @p source comes to @p listener. */
static bool comes_to(const char *source, const struct sockaddr_in *to, int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct addr a = make_address(source);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(&from.sin_addr, addr_bytes4(&a), 4);
	assert_int_equal(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)to, sizeof(*to)), 0);
	bool comes = poll(&p, 1, 0) == 1;

	if (comes)
		close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	close(fd);
	return comes;
}

static void connections_come_to_the_socket_of_their_kind(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct addr peers[] = { make_address("127.0.0.2"), make_address("127.0.0.4") };
	int strangers = listen_beside(&at), friends = listen_beside(&at);

	(void)state;
	assert_int_equal(http_steer(strangers, true, peers, 2), 0);
	assert_true(comes_to("127.0.0.2", &at, friends));
	assert_true(comes_to("127.0.0.4", &at, friends));
	assert_true(comes_to("127.0.0.3", &at, strangers));
	assert_int_equal(http_steer(strangers, true, peers, 1), 0);
	assert_true(comes_to("127.0.0.2", &at, friends));
	assert_true(comes_to("127.0.0.4", &at, strangers));
	close(strangers);
	close(friends);
}

SUITE(http_steer)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_whole_addresses_of_peers_are_peers),
		cmocka_unit_test(too_many_peers_are_cut),
		cmocka_unit_test(what_the_kernel_refuses_is_said),
		cmocka_unit_test(connections_come_to_the_socket_of_their_kind),
	};

	answer_setsockopt = own_setsockopt;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
