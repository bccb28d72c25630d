/* SPDX-License-Identifier: BSD-2-Clause */
/* Which answers of controls count: ours alone, and each for what was sent before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Where the packet that on_icmp() reads comes from. */
static struct sockaddr_in sender = { .sin_family = AF_INET };

static ssize_t fake_recvfrom(int fd, void *bytes, size_t n, int flags, struct sockaddr *from,
                             socklen_t *size)
{
	ssize_t got = recv(fd, bytes, n, flags);

	memcpy(from, &sender, sizeof(sender));
	*size = sizeof(sender);
	return got;
}

/* What send_icmp() sends last. */
static struct {
	unsigned n;
	int fd;
	uint8_t bytes[64];
	size_t size;
	struct sockaddr_storage to;
} sent;

static ssize_t fake_sendto(int fd, const void *bytes, size_t n, int flags,
                           const struct sockaddr *to, socklen_t size)
{
	assert_int_equal(flags, MSG_DONTWAIT);
	sent.n++;
	sent.fd = fd;
	sent.size = n;
	memcpy(sent.bytes, bytes, n);
	memcpy(&sent.to, to, size);
	return (ssize_t)n;
}

static uint64_t clock_ms, timer_ms;

#include "base/clock.h"
#include "base/loop.h"

static int fake_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	(void)l;
	(void)t;
	timer_ms = at_ms;
	return 0;
}

/* The private parts too. */
#define recvfrom        fake_recvfrom
#define sendto          fake_sendto
#define clock_mono_ms() (clock_ms)
#define loop_timer_set  fake_timer_set
#include "healthcheck/control.c"
#undef recvfrom
#undef sendto

static unsigned n_answers;

static void count_answer(void *arg)
{
	(void)arg;
	n_answers++;
}

/* The reflector, and 127.0.0.2. */
static struct controls make_controls(void)
{
	struct controls c = { .on_answer = count_answer, .id = 0x1234, .n = 2 };

	assert_int_equal(addr_parse("127.0.0.2", &c.controls[1].address), 0);
	c.controls[1].queried_ms = 2000;
	n_answers = 0;
	return c;
}

/* An answer to what was sent in the very millisecond for which an answer is awaited is one. */
static void an_answer_ends_the_wait_for_what_was_sent_before_it(void **state)
{
	static const struct {
		uint64_t waiting_ms, sent_ms, left_ms;
	} cases[] = { { 100, 99, 100 }, { 100, 100, 0 }, { 100, 101, 0 }, { 0, 100, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct controls c = make_controls();
		struct echo_payload p = { .magic = PAYLOAD_MAGIC,
			                  .sent_ms = cases[i].sent_ms,
			                  .index = 1 };

		c.controls[1].waiting_ms = cases[i].waiting_ms;
		c.controls[1].silent = true;
		record_answer(&c, &p);
		assert_int_equal(c.controls[1].waiting_ms, cases[i].left_ms);
		assert_int_equal(c.controls[1].answered_ms, cases[i].sent_ms);
		assert_int_equal(c.controls[1].n_answered, 1);
		assert_false(c.controls[1].silent);
		p.sent_ms = 50; /* an older one that was late changes nothing */
		record_answer(&c, &p);
		assert_int_equal(c.controls[1].answered_ms, cases[i].sent_ms);
		p.index = 2; /* there is none */
		record_answer(&c, &p);
		p = (struct echo_payload){ .magic = PAYLOAD_MAGIC - 1,
			                   .index = 1,
			                   .sent_ms = 1000 };
		record_answer(&c, &p);
		assert_int_equal(c.controls[1].answered_ms, cases[i].sent_ms);
		assert_int_equal(n_answers, 2);
	}
}

/* Who forges one could make a control answer for ever: nothing was sent at that time yet. */
static void an_answer_to_what_was_never_sent_is_none(void **state)
{
	struct controls c = make_controls();
	struct echo_payload p = { .magic = PAYLOAD_MAGIC, .index = 1 };

	(void)state;
	c.controls[1].waiting_ms = 1900;
	for (int i = 0; i < 2; i++) {
		p.sent_ms = i ? UINT64_MAX : 2001;
		record_answer(&c, &p);
		assert_int_equal(c.controls[1].answered_ms, 0);
		assert_int_equal(c.controls[1].n_answered, 0);
		assert_int_equal(c.controls[1].waiting_ms, 1900);
		assert_int_equal(n_answers, 0);
	}
	p.sent_ms = 2000;
	record_answer(&c, &p);
	assert_int_equal(c.controls[1].answered_ms, 2000);
	assert_int_equal(n_answers, 1);
}

/* A raw socket shows each process the answers to all others. */
static void only_our_own_echoes_count(void **state)
{
	static const struct {
		const char *why, *from;
		uint8_t type;
		uint16_t id;
		uint32_t index;
		size_t cut;
		unsigned n;
	} cases[] = {
		{ "ours", "127.0.0.2", ICMP_ECHOREPLY, 0x1234, 1, 0, 1 },
		{ "another process's", "127.0.0.2", ICMP_ECHOREPLY, 0x1235, 1, 0, 0 },
		{ "a request", "127.0.0.2", ICMP_ECHO, 0x1234, 1, 0, 0 },
		{ "another host's", "127.0.0.3", ICMP_ECHOREPLY, 0x1234, 1, 0, 0 },
		{ "of no control", "127.0.0.2", ICMP_ECHOREPLY, 0x1234, 2, 0, 0 },
		{ "cut", "127.0.0.2", ICMP_ECHOREPLY, 0x1234, 1, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct controls c = make_controls();
		struct __attribute__((packed)) {
			uint8_t ip[20];
			struct icmphdr h;
			struct echo_payload p;
		} packet = {
			.ip = { 0x45 },
			.h = { .type = cases[i].type },
			.p = { .magic = PAYLOAD_MAGIC, .sent_ms = 7, .index = cases[i].index }
		};
		int ends[2];

		packet.h.un.echo.id = cases[i].id;
		assert_int_equal(inet_pton(AF_INET, cases[i].from, &sender.sin_addr), 1);
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		c.icmp4 = ends[1];
		c.icmp6 = -1;
		assert_int_equal(send(ends[0], &packet, sizeof(packet) - cases[i].cut, 0),
		                 sizeof(packet) - cases[i].cut);
		on_icmp(&c, ends[1], 0);
		if (n_answers != cases[i].n)
			fail_msg("%s", cases[i].why);
		close(ends[0]);
		close(ends[1]);
	}
}

/* Of ICMPv6 the IP header is not there, and the type is another one. */
static void only_our_own_echoes_count_of_ipv6(void **state)
{
	static const struct {
		uint8_t type;
		uint16_t id;
		size_t cut;
		unsigned n;
	} cases[] = {
		{ ICMPV6_ECHO_REPLY, 0x1234, 0, 1 }, { ICMPV6_ECHO_REQUEST, 0x1234, 0, 0 },
		{ ICMP_ECHOREPLY, 0x1234, 0, 0 },    { ICMPV6_ECHO_REPLY, 0x1235, 0, 0 },
		{ ICMPV6_ECHO_REPLY, 0x1234, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct controls c = make_controls();
		struct {
			struct icmphdr h;
			struct echo_payload p;
		} packet = { .h = { .type = cases[i].type },
			     .p = { .magic = PAYLOAD_MAGIC, .sent_ms = 7, .index = 1 } };
		int ends[2];

		packet.h.un.echo.id = cases[i].id;
		assert_int_equal(inet_pton(AF_INET, "127.0.0.2", &sender.sin_addr), 1);
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		c.icmp4 = -1;
		c.icmp6 = ends[1];
		for (int k = 0; k < 2; k++) /* all that are there are read */
			assert_int_equal(send(ends[0], &packet, sizeof(packet) - cases[i].cut, 0),
			                 sizeof(packet) - cases[i].cut);
		on_icmp(&c, ends[1], 0);
		assert_int_equal(n_answers, 2 * cases[i].n);
		close(ends[0]);
		close(ends[1]);
	}
}

/* RFC 1071, by another way of counting than the sender's. */
static uint16_t sum_of(const uint8_t *bytes, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i += 2) {
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)sum;
}

/* Sums that carry once, and once more when the carry is added. */
static void a_checksum_adds_its_carries(void **state)
{
	static const uint8_t words[][6] = {
		{ 0, 0, 0, 0, 0, 0 },
		{ 0x12, 0x34, 0x00, 0x01, 0, 0 },
		{ 0xff, 0xff, 0x00, 0x01, 0, 0 },
		{ 0xff, 0xff, 0xff, 0xff, 0x00, 0x01 },
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		{ 0x80, 0x00, 0x80, 0x00, 0xff, 0xff },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		assert_int_equal(ntohs(compute_checksum(words[i], 6)),
		                 (uint16_t)~sum_of(words[i], 6));
}

static void an_echo_request_says_who_asks_and_when(void **state)
{
	static const struct {
		const char *address;
		int fd;
		uint8_t type;
	} cases[] = { { "192.0.2.9", 41, ICMP_ECHO }, { "2001:db8::9", 61, ICMPV6_ECHO_REQUEST } };

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (unsigned n = 1; n < 70000; n += 6553) {
			struct controls c = make_controls();
			struct echo_payload p;
			struct addr to;

			c.icmp4 = 41;
			c.icmp6 = 61;
			c.id = (uint16_t)(0xfffe - n);
			assert_int_equal(addr_parse(cases[i].address, &c.controls[1].address), 0);
			c.controls[1].n_queried = n - 1;
			query_control(&c, 1, 0xfedcba9800u + n);
			assert_int_equal(sent.fd, cases[i].fd);
			assert_int_equal(sent.size, 8 + sizeof(p));
			assert_int_equal(sent.bytes[0], cases[i].type);
			assert_int_equal(sent.bytes[1], 0);
			assert_memory_equal(sent.bytes + 4, &c.id, 2);
			assert_int_equal(sent.bytes[6] << 8 | sent.bytes[7], n & 0xffff);
			if (!i)
				assert_int_equal(sum_of(sent.bytes, sent.size), 0xffff);
			memcpy(&p, sent.bytes + 8, sizeof(p));
			assert_int_equal(p.magic, PAYLOAD_MAGIC);
			assert_int_equal(p.sent_ms, 0xfedcba9800u + n);
			assert_int_equal(p.index, 1);
			assert_int_equal(addr_from_sockaddr((struct sockaddr *)&sent.to, &to, NULL),
			                 0);
			assert_true(addr_equal(&to, &c.controls[1].address));
		}
}

static void a_control_is_asked_again_after_some_milliseconds(void **state)
{
	static const struct {
		uint64_t after_ms;
		bool asked;
	} cases[] = { { 0, false }, { 4, false }, { 5, true }, { 1000, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct controls c = make_controls();

		query_control(&c, 1, 2);
		assert_int_equal(c.controls[1].n_queried, 1);
		assert_int_equal(c.controls[1].queried_ms, 2);
		query_control(&c, 1, 2 + cases[i].after_ms);
		assert_int_equal(c.controls[1].n_queried, 1 + cases[i].asked);
		assert_int_equal(c.controls[1].queried_ms,
		                 cases[i].asked ? 2 + cases[i].after_ms : 2);
		assert_int_equal(c.controls[1].waiting_ms, 2); /* the first without an answer */
	}
}

static void a_control_is_silent_from_its_time_on(void **state)
{
	static const struct {
		uint64_t waiting_ms, at_ms;
		bool silent;
	} cases[] = {
		{ 0, 100000, false },
		{ 1000, 1199, false },
		{ 1000, 1200, true },
		{ 1000, 5000, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct controls c = make_controls();

		c.controls[1].waiting_ms = cases[i].waiting_ms;
		c.controls[1].queried_ms = 0;
		c.controls[1].n_queried = 1;
		c.udp = -1;
		c.n = 2;
		c.controls[0].n_queried = 1; /* the reflector was asked just now */
		c.controls[0].queried_ms = clock_ms = cases[i].at_ms;
		on_control_timer(&c);
		assert_int_equal(c.controls[1].silent, cases[i].silent);
		assert_false(c.controls[0].silent);
		assert_int_equal(c.controls[1].n_queried, 2); /* and asked again, silent or not */
		assert_int_equal(timer_ms, cases[i].at_ms + 1000);
	}
}

/*
 * The reflector and, where others are named, one of them: each for what was
 * sent since. Nobody is asked again within 5 ms, so a request of so long before is one of then.
 */
static void controls_answered_when_reflector_and_one_other_did(void **state)
{
	static const struct {
		size_t n;
		uint64_t answered_ms[3]; /* 0: nothing yet */
		uint64_t since_ms;
		bool answered;
	} cases[] = {
		{ 1, { 0, 0, 0 }, 0, false },      { 1, { 100, 0, 0 }, 104, true },
		{ 1, { 100, 0, 0 }, 105, false },  { 1, { 100, 200, 200 }, 105, false },
		{ 2, { 100, 0, 0 }, 50, false },   { 2, { 100, 100, 0 }, 104, true },
		{ 2, { 100, 99, 0 }, 104, false }, { 2, { 99, 100, 0 }, 104, false },
		{ 3, { 100, 0, 100 }, 104, true }, { 3, { 100, 100, 0 }, 104, true },
		{ 3, { 0, 100, 100 }, 0, false },  { 2, { 100, 0, 100 }, 104, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct controls c = make_controls();

		c.n = cases[i].n;
		for (int k = 0; k < 3; k++) {
			c.controls[k].answered_ms = cases[i].answered_ms[k];
			c.controls[k].n_answered = cases[i].answered_ms[k] != 0;
		}
		assert_int_equal(controls_answered_since(&c, cases[i].since_ms), cases[i].answered);
		assert_int_equal(controls_have_outside(&c), cases[i].n > 1);
	}
}

/* A network that works again says nothing about what it lost: silence of then is no evidence. */
static void an_answer_after_one_that_is_missing_counts_from_its_own_time_on(void **state)
{
	static const struct {
		uint64_t waiting_ms, since_ms;
		bool answered;
	} cases[] = {
		{ 0, 1000, true },     { 2000, 1000, true },  { 1999, 1000, false },
		{ 1999, 1999, false }, { 1999, 2000, true },  { 1000, 1000, false },
		{ 1000, 2004, true },  { 1000, 2005, false }, { 2000, 899, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct controls c = make_controls();
		struct echo_payload p = { .magic = PAYLOAD_MAGIC, .sent_ms = 2000, .index = 1 };

		c.controls[0] = c.controls[1];
		c.controls[0].n_answered = 1;
		c.controls[0].answered_ms = 2000;
		c.controls[1].n_answered = 5;
		c.controls[1].answered_ms = 990;
		c.controls[1].heard_ms = 900;
		c.controls[1].waiting_ms = cases[i].waiting_ms;
		record_answer(&c, &p);
		assert_int_equal(controls_answered_since(&c, cases[i].since_ms), cases[i].answered);
	}
}

/* Many targets in doubt ask more often than a gateway answers that limits its echoes. */
static void an_answer_counts_whatever_is_lost_after_it(void **state)
{
	struct controls c = make_controls();

	(void)state;
	c.n = 1;
	for (uint64_t ms = 10000; ms < 20000; ms += 5) {
		struct echo_payload p = { .magic = PAYLOAD_MAGIC, .sent_ms = ms, .index = 0 };

		c.controls[0].queried_ms = ms;
		if (!c.controls[0].waiting_ms)
			c.controls[0].waiting_ms = ms;
		if (ms % 15 == 0)
			record_answer(&c, &p);
	}
	for (uint64_t ms = 15000; ms < 19995; ms++)
		assert_int_equal(controls_answered_since(&c, ms), ms % 15 < 5);
}

/* The first one ever says nothing about the time before it. */
static void nothing_is_known_of_the_time_before_the_first_answer(void **state)
{
	struct controls c = make_controls();
	struct echo_payload p = { .magic = PAYLOAD_MAGIC, .sent_ms = 2000, .index = 0 };

	(void)state;
	c.n = 1;
	c.controls[0].queried_ms = 2000;
	record_answer(&c, &p);
	assert_false(controls_answered_since(&c, 1999));
	assert_true(controls_answered_since(&c, 2000));
}

static void all_that_is_known_of_each_control_is_shown(void **state)
{
	struct control_view view[CONTROLS_MAX];
	struct controls c = make_controls();

	(void)state;
	for (uint64_t i = 0; i < 2; i++) {
		c.controls[i].queried_ms = 10 + i;
		c.controls[i].answered_ms = 20 + i;
		c.controls[i].n_queried = 30 + i;
		c.controls[i].n_answered = 40 + i;
		c.controls[i].silent = i == 1;
	}
	assert_int_equal(controls_view(&c, view), 2);
	for (uint64_t i = 0; i < 2; i++) {
		assert_true(addr_equal(&view[i].address, &c.controls[i].address));
		assert_int_equal(view[i].is_reflector, i == 0);
		assert_int_equal(view[i].silent, i == 1);
		assert_int_equal(view[i].queried_ms, 10 + i);
		assert_int_equal(view[i].answered_ms, 20 + i);
		assert_int_equal(view[i].n_queried, 30 + i);
		assert_int_equal(view[i].n_answered, 40 + i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_ends_the_wait_for_what_was_sent_before_it),
		cmocka_unit_test(an_answer_to_what_was_never_sent_is_none),
		cmocka_unit_test(only_our_own_echoes_count),
		cmocka_unit_test(only_our_own_echoes_count_of_ipv6),
		cmocka_unit_test(a_checksum_adds_its_carries),
		cmocka_unit_test(an_echo_request_says_who_asks_and_when),
		cmocka_unit_test(a_control_is_asked_again_after_some_milliseconds),
		cmocka_unit_test(a_control_is_silent_from_its_time_on),
		cmocka_unit_test(controls_answered_when_reflector_and_one_other_did),
		cmocka_unit_test(an_answer_after_one_that_is_missing_counts_from_its_own_time_on),
		cmocka_unit_test(an_answer_counts_whatever_is_lost_after_it),
		cmocka_unit_test(nothing_is_known_of_the_time_before_the_first_answer),
		cmocka_unit_test(all_that_is_known_of_each_control_is_shown),
	};

	return cmocka_run_group_tests_name("control parts", tests, NULL, NULL);
}
