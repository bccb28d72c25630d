/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Token buckets, the table of sources, budgets, and the program that steers peers, as the kernel
 * runs it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mgmt/http/limit.h"
#include "mgmt/http/steer.h"
#include "tests/unit/suite.h"

static struct addr make_address(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void a_burst_then_so_many_a_second(void **state)
{
	const struct http_rate rate = { 3, 2 };
	struct http_tokens t = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(http_tokens_spend(&t, rate, 1000));
	assert_false(http_tokens_spend(&t, rate, 1000));
	assert_false(http_tokens_spend(&t, rate, 1499));
	assert_true(http_tokens_left(&t, rate, 1500));
	assert_true(http_tokens_spend(&t, rate, 1500));
	assert_false(http_tokens_spend(&t, rate, 1500));
	assert_false(http_tokens_spend(&t, rate, 1400)); /* the clock went back: nothing is given */
	for (int i = 0; i < 3; i++)
		assert_true(http_tokens_spend(&t, rate, 1000000)); /* no more than the burst */
	assert_false(http_tokens_spend(&t, rate, 1000000));
}

static void a_source_is_an_address_or_a_64(void **state)
{
	struct addr a = make_address("192.0.2.1"), b = make_address("192.0.2.2");
	struct addr c = make_address("2001:db8:0:1::1"), d = make_address("2001:db8:0:1:ffff::2"),
	            e = make_address("2001:db8:0:2::1");

	(void)state;
	a = http_source_of(&a);
	b = http_source_of(&b);
	c = http_source_of(&c);
	d = http_source_of(&d);
	e = http_source_of(&e);
	assert_false(addr_equal(&a, &b));
	assert_true(addr_equal(&c, &d));
	assert_false(addr_equal(&c, &e));
}

static void sources_with_connections_are_never_pushed_out(void **state)
{
	static struct http_sources s;
	struct http_source *kept[64];
	uint64_t now_ms = 1;

	(void)state;
	memset(&s, 0, sizeof(s));
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t be = htonl(0x0a000000 + i);
		struct addr a = addr_from4(&be);

		kept[i] = http_sources_find(&s, &a, now_ms++);
		assert_non_null(kept[i]);
		kept[i]->n_conns = i + 1;
	}
	for (uint32_t i = 0; i < 20000; i++) { /* a flood of others */
		uint32_t be = htonl(0x0b000000 + i);
		struct addr a = addr_from4(&be);
		struct http_source *other = http_sources_find(&s, &a, now_ms++);

		if (other)
			assert_int_equal(other->n_conns, 0);
	}
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t be = htonl(0x0a000000 + i);
		struct addr a = addr_from4(&be);

		assert_ptr_equal(http_sources_find(&s, &a, now_ms), kept[i]);
		assert_int_equal(kept[i]->n_conns, i + 1);
	}
}

static void what_was_seen_longest_ago_gives_way_and_a_full_bucket_refuses(void **state)
{
	static struct http_sources s;
	struct http_source *seen[HTTP_SOURCES_WAYS];
	struct addr keys[HTTP_SOURCES_WAYS + 2];
	size_t n = 0;
	uint64_t now_ms = 1;

	(void)state;
	memset(&s, 0, sizeof(s));
	/* addresses that share a bucket: the key is zero here */
	for (uint32_t i = 0; n < HTTP_SOURCES_WAYS + 2; i++) {
		uint32_t be = htonl(0x0a000000 + i);
		struct addr a = addr_from4(&be);

		if (hash_bytes(&s.key, a.bytes, sizeof(a.bytes)) % HTTP_SOURCES_BUCKETS == 7)
			keys[n++] = a;
	}
	for (size_t i = 0; i < HTTP_SOURCES_WAYS; i++)
		seen[i] = http_sources_find(&s, &keys[i], now_ms++);
	assert_ptr_equal(http_sources_find(&s, &keys[0], now_ms++), seen[0]); /* seen again */
	assert_ptr_equal(http_sources_find(&s, &keys[HTTP_SOURCES_WAYS], now_ms++), seen[1]);
	for (size_t i = 0; i < HTTP_SOURCES_WAYS; i++)
		seen[i]->n_conns = 1;
	assert_null(http_sources_find(&s, &keys[HTTP_SOURCES_WAYS + 1], now_ms++));
}

static void strangers_have_a_part_of_the_budget_and_all_its_whole(void **state)
{
	struct http_budget b = { .all = 100, .strangers = 60 };

	(void)state;
	assert_true(http_budget_reserve(&b, true, 60));
	assert_false(http_budget_reserve(&b, true, 1));
	assert_true(http_budget_reserve(&b, false, 40));
	assert_false(http_budget_reserve(&b, false, 1));
	http_budget_give(&b, true, 10);
	assert_false(http_budget_reserve(&b, true, 11));
	assert_true(http_budget_reserve(&b, true, 10));
	http_budget_give(&b, false, 40);
	http_budget_give(&b, true, 60);
	assert_false(http_budget_reserve(&b, false, SIZE_MAX));
	assert_true(http_budget_reserve(&b, false, 100));
	assert_int_equal(b.used, 100);
	assert_int_equal(b.used_by_strangers, 0);
}

/* Two sockets that listen at one address of @p family; they are closed by the caller. */
static uint16_t open_pair(int family, int fds[2])
{
	struct sockaddr_storage at = { .ss_family = (sa_family_t)family };
	socklen_t n = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
	int one = 1;

	if (family == AF_INET)
		((struct sockaddr_in *)&at)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&at)->sin6_addr = in6addr_loopback;
	for (int i = 0; i < 2; i++) {
		fds[i] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)),
		                 0);
		assert_int_equal(bind(fds[i], (const struct sockaddr *)&at, n), 0);
		assert_int_equal(listen(fds[i], 8), 0);
		assert_int_equal(getsockname(fds[i], (struct sockaddr *)&at, &n), 0);
	}
	return ntohs(family == AF_INET ? ((struct sockaddr_in *)&at)->sin_port
	                               : ((struct sockaddr_in6 *)&at)->sin6_port);
}

/* Connect from @p from; @return which of the two sockets got it. */
static int connect_from(const char *from, const char *to, uint16_t port, const int fds[2])
{
	struct addr source = make_address(from), target = make_address(to);
	struct sockaddr_storage at;
	socklen_t n = addr_to_sockaddr(&source, 0, &at);
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&at, n), 0);
	n = addr_to_sockaddr(&target, port, &at);
	assert_int_equal(connect(fd, (const struct sockaddr *)&at, n), 0);
	struct pollfd p[2] = { { .fd = fds[0], .events = POLLIN },
		               { .fd = fds[1], .events = POLLIN } };
	assert_int_equal(poll(p, 2, 10000), 1);
	int at_socket = p[1].revents != 0;
	close(accept(fds[at_socket], NULL, NULL));
	close(fd);
	return at_socket;
}

static void the_kernel_gives_peers_their_own_socket(void **state)
{
	struct addr peers[] = { make_address("2001:db8::1"), make_address("127.0.9.1"),
		                make_address("127.0.9.2"), make_address("192.0.2.1"),
		                make_address("127.0.9.255") };
	int fds[2];
	uint16_t port = open_pair(AF_INET, fds);

	(void)state;
	assert_int_equal(http_steer(fds[0], true, peers, 5), 0);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(connect_from("127.0.9.1", "127.0.0.1", port, fds), 1);
		assert_int_equal(connect_from("127.0.9.2", "127.0.0.1", port, fds), 1);
		assert_int_equal(connect_from("127.0.9.255", "127.0.0.1", port, fds), 1);
		assert_int_equal(connect_from("127.0.9.3", "127.0.0.1", port, fds), 0);
		assert_int_equal(connect_from("127.0.0.1", "127.0.0.1", port, fds), 0);
	}
	assert_int_equal(http_steer(fds[0], true, peers + 2, 1), 0); /* another list */
	assert_int_equal(connect_from("127.0.9.1", "127.0.0.1", port, fds), 0);
	assert_int_equal(connect_from("127.0.9.2", "127.0.0.1", port, fds), 1);
	assert_int_equal(http_steer(fds[0], true, peers, 0), 0);
	for (int round = 0; round < 8; round++)
		assert_int_equal(connect_from("127.0.9.2", "127.0.0.1", port, fds), 0);
	close(fds[0]);
	close(fds[1]);
}

static void peers_by_ipv6_are_compared_in_all_words(void **state)
{
	struct addr suggest[] = { make_address("::2"), make_address("::1:0:1"),
		                  make_address("1::1"), make_address("0:0:1::1"),
		                  make_address("127.0.0.1") };
	struct addr own = make_address("::1"), many[256];
	int fds[2];
	uint16_t port = open_pair(AF_INET6, fds);

	(void)state;
	assert_int_equal(http_steer(fds[0], false, suggest, 5), 0);
	for (int round = 0; round < 4; round++)
		assert_int_equal(connect_from("::1", "::1", port, fds), 0);
	for (size_t i = 0; i < 256; i++)
		many[i] = suggest[i % 4];
	many[255] = own;
	assert_int_equal(http_steer(fds[0], false, many, 256), 0);
	for (int round = 0; round < 4; round++)
		assert_int_equal(connect_from("::1", "::1", port, fds), 1);
	close(fds[0]);
	close(fds[1]);
}

SUITE(http_limit)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_then_so_many_a_second),
		cmocka_unit_test(a_source_is_an_address_or_a_64),
		cmocka_unit_test(sources_with_connections_are_never_pushed_out),
		cmocka_unit_test(what_was_seen_longest_ago_gives_way_and_a_full_bucket_refuses),
		cmocka_unit_test(strangers_have_a_part_of_the_budget_and_all_its_whole),
		cmocka_unit_test(the_kernel_gives_peers_their_own_socket),
		cmocka_unit_test(peers_by_ipv6_are_compared_in_all_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
