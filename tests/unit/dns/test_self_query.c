/* SPDX-License-Identifier: BSD-2-Clause */
/* dns/self_query.c with real sockets on loopback. The server is the test's, and so is the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "dns/self_query.h"
#include "tests/unit/suite.h"

static struct self_query q;
static int server;
static uint64_t now_ms;

static int open_server(const char *address)
{
	struct sockaddr_storage at;
	struct addr a;
	socklen_t length;
	int fd;

	assert_int_equal(addr_parse(address, &a), 0);
	length = addr_to_sockaddr(&a, 0, &at);
	fd = socket(at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, length), 0);
	return fd;
}

static int set_up(void **state)
{
	(void)state;
	q = (struct self_query){ .fd = -1 };
	server = open_server("127.0.0.1");
	now_ms = 70000;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	self_query_end(&q);
	close(server);
	return 0;
}

/* The query that the server has got, and where from. @return its length, or -1: none */
static ssize_t receive_query(uint8_t query[64], struct sockaddr_storage *from)
{
	socklen_t length = sizeof(*from);

	return recvfrom(server, query, 64, 0, (struct sockaddr *)from, &length);
}

static void send_answer(const uint8_t *bytes, size_t n, const struct sockaddr_storage *to)
{
	socklen_t length =
	        to->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

	assert_int_equal(sendto(server, bytes, n, 0, (const struct sockaddr *)to, length), n);
}

static void serve_query(uint8_t query[64], struct sockaddr_storage *from)
{
	self_query_step(&q, server, now_ms);
	assert_int_equal(receive_query(query, from), 17);
}

static void step_after(uint64_t ms)
{
	now_ms += ms;
	self_query_step(&q, server, now_ms);
}

static void answer_well(uint8_t query[64], const struct sockaddr_storage *to)
{
	query[2] |= 0x80;
	query[3] |= 5; /* REFUSED is an answer */
	send_answer(query, 17, to);
}

/* RFC 1035, section 4.1: the root's SOA, one question, no recursion; from the address itself. */
static void the_query_is_whole_and_comes_from_the_address_itself(void **state)
{
	static const char *const addresses[] = { "127.0.0.1", "127.0.0.9", "::1" };
	static const uint8_t rest[15] = { 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1 };

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct sockaddr_storage from;
		struct addr source, wanted;
		uint8_t query[64];

		close(server);
		server = open_server(addresses[i]);
		q = (struct self_query){ .fd = -1 };
		serve_query(query, &from);
		assert_memory_equal(query + 2, rest, sizeof(rest));
		assert_int_equal(addr_from_sockaddr((struct sockaddr *)&from, &source, NULL), 0);
		assert_int_equal(addr_parse(addresses[i], &wanted), 0);
		assert_true(addr_equal(&source, &wanted));
		answer_well(query, &from);
		step_after(100);
		assert_true(q.answered);
		assert_int_equal(q.fd, -1);
	}
}

static void it_asks_each_second_until_an_answer_comes_and_then_no_more(void **state)
{
	struct sockaddr_storage from;
	uint8_t query[64];

	(void)state;
	for (int i = 0; i < 3; i++) {
		serve_query(query, &from);
		step_after(999);
		assert_int_equal(receive_query(query, &from), -1);
		now_ms++;
	}
	assert_false(q.answered);
	assert_int_equal(q.began_ms, 70000);
	serve_query(query, &from);
	answer_well(query, &from);
	step_after(100);
	assert_true(q.answered);
	step_after(5000);
	assert_int_equal(receive_query(query, &from), -1);
}

static void what_is_no_answer_to_it_does_not_count(void **state)
{
	struct sockaddr_storage from;
	uint8_t query[64], wrong[64];
	int stranger = open_server("127.0.0.1");

	(void)state;
	serve_query(query, &from);
	send_answer(query, 17, &from); /* its own query */
	memcpy(wrong, query, 17);
	wrong[2] |= 0x80;
	send_answer(wrong, 11, &from); /* no header */
	send_answer(wrong, 0, &from);
	for (unsigned i = 0; i < 2; i++) {
		wrong[i] ^= 1;
		send_answer(wrong, 17, &from); /* of another query */
		wrong[i] ^= 1;
	}
	assert_int_equal(sendto(stranger, wrong, 17, 0, (struct sockaddr *)&from,
	                        sizeof(struct sockaddr_in)),
	                 17); /* another server's: dropped by the kernel, or refused to it */
	step_after(100);
	assert_false(q.answered);
	answer_well(query, &from);
	step_after(100);
	assert_true(q.answered);
	close(stranger);
}

/* A header is enough, also if it comes late; a query has a number of its own, and the first waits for nothing. */
static void any_header_is_an_answer_even_a_late_one(void **state)
{
	struct sockaddr_storage from;
	uint8_t query[64], before[2];

	(void)state;
	now_ms = 300; /* soon after the boot */
	serve_query(query, &from);
	memcpy(before, query, 2);
	now_ms += 1000;
	serve_query(query, &from);
	assert_memory_not_equal(before, query, 2);
	query[2] |= 0x80;
	send_answer(query, 12, &from);
	step_after(1000);
	assert_true(q.answered);
	assert_int_equal(q.fd, -1);
	assert_int_equal(receive_query(query, &from), -1);
	assert_int_equal(q.began_ms, 300);
}

static void an_address_that_the_host_lacks_is_not_asked_elsewhere(void **state)
{
	int any = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage at;
	struct addr a;
	socklen_t length;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.7", &a), 0); /* bound before it exists */
	length = addr_to_sockaddr(&a, 0, &at);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &any, sizeof(any)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, length), 0);
	for (int i = 0; i < 2; i++) {
		self_query_step(&q, fd, now_ms += 1000);
		assert_int_equal(q.fd, -1);
		assert_false(q.answered);
	}
	close(fd);
}

static void a_port_that_refuses_is_asked_again(void **state)
{
	struct sockaddr_storage at, from;
	socklen_t length = sizeof(at);
	uint8_t query[64];

	(void)state;
	assert_int_equal(getsockname(server, (struct sockaddr *)&at, &length), 0);
	serve_query(query, &from);
	close(server); /* its next query is answered by an ICMP error */
	server = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_int_equal(send(q.fd, "", 1, 0), 1);
	assert_int_equal(bind(server, (struct sockaddr *)&at, length), 0);
	step_after(100);
	assert_false(q.answered);
	now_ms += 900;
	serve_query(query, &from);
	answer_well(query, &from);
	step_after(100);
	assert_true(q.answered);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

SUITE(self_query)
{
	const struct CMUnitTest tests[] = {
		ONE(the_query_is_whole_and_comes_from_the_address_itself),
		ONE(it_asks_each_second_until_an_answer_comes_and_then_no_more),
		ONE(what_is_no_answer_to_it_does_not_count),
		ONE(any_header_is_an_answer_even_a_late_one),
		ONE(an_address_that_the_host_lacks_is_not_asked_elsewhere),
		ONE(a_port_that_refuses_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
