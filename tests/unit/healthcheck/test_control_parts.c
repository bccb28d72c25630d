/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which answers of controls count: ours alone, and each for what was sent before it. In a time of
 * the test's own, and with what comes and goes by the sockets in its hands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "healthcheck/control.h"

#include "tests/unit/answers.h"
#include "tests/unit/simulated_time.h"
#include "tests/unit/suite.h"

/* What travels in an echo. */
struct travelled_echo {
	uint64_t magic, sent_ms;
	uint32_t index, pad;
};

enum { IP4, IP6 };

static struct {
	struct loop *loop;
	struct controls *controls;
	unsigned n_answers;
	int ears[2], mouths[2];         /* the raw sockets' ends: theirs, ours */
	int udp;                        /* the reflector */
	bool reflects, echoes;          /* requests are answered at once */
	struct sockaddr_storage sender; /* of what comes by a raw socket */
	struct travelled_echo asked;    /* the last one, of any control */
	struct {
		int fd;
		uint8_t bytes[64];
		size_t size;
		struct sockaddr_storage to;
	} sent; /* the last one to a control outside */
} scene;

static bool is_ear(int fd)
{
	return fd == scene.ears[IP4] || fd == scene.ears[IP6];
}

static int own_socket(int family, int type, int protocol)
{
	int ends[2], which = family == AF_INET6;

	if ((type & 15) != SOCK_RAW)
		return __real_socket(family, type, protocol);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	scene.mouths[which] = ends[0];
	return scene.ears[which] = ends[1];
}

static int own_setsockopt(int fd, int level, int option, const void *value, socklen_t n)
{
	return is_ear(fd) ? 0 : __real_setsockopt(fd, level, option, value, n);
}

static ssize_t own_send(int fd, const void *bytes, size_t n, int flags)
{
	scene.udp = fd;
	assert_int_equal(n, sizeof(scene.asked));
	memcpy(&scene.asked, bytes, n);
	return scene.reflects ? __real_send(fd, bytes, n, flags) : (ssize_t)n;
}

/* What a control outside would answer; @p type is the ICMP header's. */
static void send_reply(int which, uint8_t type, uint16_t id, const struct travelled_echo *p,
                       size_t cut)
{
	struct __attribute__((packed)) {
		uint8_t ip[20];
		struct icmphdr h;
		struct travelled_echo p;
	} packet = { .ip = { 0x45 }, .h = { .type = type, .un.echo.id = id }, .p = *p };
	size_t skip = which == IP6 ? sizeof(packet.ip) : 0, n = sizeof(packet) - skip - cut;

	assert_int_equal(__real_send(scene.mouths[which], (uint8_t *)&packet + skip, n, 0), n);
}

static ssize_t own_sendto(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to,
                          socklen_t size)
{
	const uint8_t *at = bytes;

	assert_int_equal(flags, MSG_DONTWAIT);
	scene.sent.fd = fd;
	scene.sent.size = n;
	memcpy(scene.sent.bytes, bytes, n);
	memcpy(&scene.sent.to, to, size);
	memcpy(&scene.asked, at + 8, sizeof(scene.asked));
	if (scene.echoes) {
		memcpy(&scene.sender, to, size);
		send_reply(IP4, ICMP_ECHOREPLY, (uint16_t)getpid(), &scene.asked, 0);
	}
	return (ssize_t)n;
}

static ssize_t own_recvfrom(int fd, void *bytes, size_t n, int flags, struct sockaddr *from,
                            socklen_t *size)
{
	ssize_t got = recv(fd, bytes, n, flags);

	memcpy(from, &scene.sender, sizeof(scene.sender));
	*size = sizeof(scene.sender);
	return got;
}

static void count_answer(void *arg)
{
	assert_ptr_equal(arg, &scene);
	scene.n_answers++;
}

/* Let all happen until @p ms after the start; the loop asks at 500, 1500, 2500... */
static void run_to(uint64_t ms)
{
	simulate_to(scene.loop, START_MS + ms);
}

static void ask_at(uint64_t ms)
{
	run_to(ms);
	controls_query(scene.controls);
	run_to(ms);
}

static struct addr addr_at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void set_sender(const char *text)
{
	struct addr a = addr_at(text);

	addr_to_sockaddr(&a, 0, &scene.sender);
}

/* An answer to what was sent @p ms after the start, by control @p i: the reflector, or 127.0.0.I+1. */
static void send_answer_as(uint32_t i, uint64_t sent_ms, uint64_t magic)
{
	struct travelled_echo p = { .magic = magic, .sent_ms = sent_ms, .index = i };
	char text[16];

	snprintf(text, sizeof(text), "127.0.0.%u", i + 1);
	set_sender(text);
	if (i)
		send_reply(IP4, ICMP_ECHOREPLY, (uint16_t)getpid(), &p, 0);
	else
		assert_int_equal(__real_send(scene.udp, &p, sizeof(p), 0), sizeof(p));
	run_to(simulated.now_ms - START_MS);
}

static void send_answer(uint32_t i, uint64_t sent_ms)
{
	send_answer_as(i, START_MS + sent_ms, scene.asked.magic);
}

static struct control_view view_of(size_t i)
{
	struct control_view views[CONTROLS_MAX];

	assert_true(i < controls_view(scene.controls, views));
	return views[i];
}

static bool answered_since(uint64_t ms)
{
	return controls_answered_since(scene.controls, START_MS + ms);
}

/* The reflector, and @p n - 1 controls outside; they were asked at 500, and nobody has answered. */
static void open_controls(size_t n)
{
	const struct addr outside[] = { addr_at("127.0.0.2"), addr_at("127.0.0.3") };

	memset(&scene, 0, sizeof(scene));
	simulated.now_ms = START_MS + 500;
	assert_int_equal(loop_open(&scene.loop), 0);
	assert_int_equal(controls_open(scene.loop, count_answer, &scene, &scene.controls), 0);
	controls_set(scene.controls, outside, n - 1);
	run_to(500);
}

static void close_controls(void)
{
	controls_close(scene.controls);
	loop_close(scene.loop);
	close(scene.mouths[IP4]);
	close(scene.mouths[IP6]);
}

/*
 * An answer to what was sent in the very millisecond for which an answer is awaited is one. Who
 * does not answer is silent at the next second.
 */
static void an_answer_ends_the_wait_for_what_was_sent_before_it(void **state)
{
	static const struct {
		uint64_t sent_ms;
		bool silent;
	} cases[] = { { 1199, true }, { 1200, false }, { 1201, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_controls(2);
		send_answer(1, 500);
		ask_at(1200);
		ask_at(1205);
		send_answer(1, cases[i].sent_ms);
		assert_int_equal(view_of(1).answered_ms, START_MS + cases[i].sent_ms);
		assert_int_equal(view_of(1).n_answered, 2);
		run_to(1500);
		assert_int_equal(view_of(1).silent, cases[i].silent);
		scene.n_answers = 0;
		send_answer(1, 1100); /* an older one that was late changes nothing but this */
		assert_false(view_of(1).silent);
		assert_int_equal(view_of(1).answered_ms, START_MS + cases[i].sent_ms);
		send_answer_as(2, START_MS + 1300, scene.asked.magic); /* there is none */
		send_answer_as(1, START_MS + 1300, scene.asked.magic - 1);
		assert_int_equal(view_of(1).answered_ms, START_MS + cases[i].sent_ms);
		assert_int_equal(scene.n_answers, 1);
		close_controls();
	}
}

/* Who forges one could make a control answer for ever: nothing was sent at that time yet. */
static void an_answer_to_what_was_never_sent_is_none(void **state)
{
	(void)state;
	open_controls(2);
	ask_at(1300);
	for (int i = 0; i < 2; i++) {
		send_answer_as(1, i ? UINT64_MAX : START_MS + 1301, scene.asked.magic);
		assert_int_equal(view_of(1).answered_ms, 0);
		assert_int_equal(view_of(1).n_answered, 0);
		assert_int_equal(scene.n_answers, 0);
	}
	run_to(1500);
	assert_true(view_of(1).silent);
	send_answer(1, 1300);
	assert_int_equal(view_of(1).answered_ms, START_MS + 1300);
	assert_int_equal(scene.n_answers, 1);
	close_controls();
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
		{ "ours", "127.0.0.2", ICMP_ECHOREPLY, 0, 1, 0, 1 },
		{ "another process's", "127.0.0.2", ICMP_ECHOREPLY, 1, 1, 0, 0 },
		{ "a request", "127.0.0.2", ICMP_ECHO, 0, 1, 0, 0 },
		{ "another host's", "127.0.0.3", ICMP_ECHOREPLY, 0, 1, 0, 0 },
		{ "of no control", "127.0.0.2", ICMP_ECHOREPLY, 0, 2, 0, 0 },
		{ "cut", "127.0.0.2", ICMP_ECHOREPLY, 0, 1, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_controls(2);
		scene.asked.index = cases[i].index;
		set_sender(cases[i].from);
		send_reply(IP4, cases[i].type, (uint16_t)(getpid() + cases[i].id), &scene.asked,
		           cases[i].cut);
		run_to(500);
		if (scene.n_answers != cases[i].n)
			fail_msg("%s", cases[i].why);
		close_controls();
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
		{ ICMPV6_ECHO_REPLY, 0, 0, 1 }, { ICMPV6_ECHO_REQUEST, 0, 0, 0 },
		{ ICMP_ECHOREPLY, 0, 0, 0 },    { ICMPV6_ECHO_REPLY, 1, 0, 0 },
		{ ICMPV6_ECHO_REPLY, 0, 1, 0 },
	};
	const struct addr six = addr_at("2001:db8::9");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_controls(1);
		controls_set(scene.controls, &six, 1);
		ask_at(600);
		set_sender("2001:db8::9");
		for (int k = 0; k < 2; k++) /* all that are there are read */
			send_reply(IP6, cases[i].type, (uint16_t)(getpid() + cases[i].id),
			           &scene.asked, cases[i].cut);
		run_to(600);
		assert_int_equal(scene.n_answers, 2 * cases[i].n);
		close_controls();
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

/* So many that sums carry once, and once more when the carry is added. */
static void an_echo_request_says_who_asks_and_when(void **state)
{
	static const struct {
		const char *address;
		uint8_t type;
	} cases[] = { { "192.0.2.9", ICMP_ECHO }, { "2001:db8::9", ICMPV6_ECHO_REQUEST } };
	const uint16_t id = (uint16_t)getpid();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct addr there = addr_at(cases[i].address);
		struct travelled_echo p;
		struct addr to;

		open_controls(1);
		controls_set(scene.controls, &there, 1);
		for (unsigned n = 1; n < 140000; n++) {
			simulated.now_ms += 5;
			controls_query(scene.controls);
			assert_int_equal(scene.sent.fd, scene.ears[i]);
			assert_int_equal(scene.sent.size, 8 + sizeof(p));
			assert_int_equal(scene.sent.bytes[0], cases[i].type);
			assert_int_equal(scene.sent.bytes[1], 0);
			assert_memory_equal(scene.sent.bytes + 4, &id, 2);
			assert_int_equal(scene.sent.bytes[6] << 8 | scene.sent.bytes[7],
			                 n & 0xffff);
			if (!i)
				assert_int_equal(sum_of(scene.sent.bytes, scene.sent.size), 0xffff);
			memcpy(&p, scene.sent.bytes + 8, sizeof(p));
			assert_int_equal(p.magic, 0x7765697270726f62); /* "weirprob" */
			assert_int_equal(p.sent_ms, simulated.now_ms);
			assert_int_equal(p.index, 1);
			assert_int_equal(
			        addr_from_sockaddr((struct sockaddr *)&scene.sent.to, &to, NULL),
			        0);
			assert_true(addr_equal(&to, &there));
		}
		close_controls();
	}
}

static void a_control_is_asked_again_after_some_milliseconds(void **state)
{
	static const struct {
		uint64_t after_ms;
		bool asked;
	} cases[] = { { 0, false }, { 4, false }, { 5, true }, { 900, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_controls(2);
		assert_int_equal(view_of(1).n_queried, 1);
		assert_int_equal(view_of(1).queried_ms, START_MS + 500);
		ask_at(500 + cases[i].after_ms);
		assert_int_equal(view_of(1).n_queried, 1 + cases[i].asked);
		assert_int_equal(view_of(1).queried_ms,
		                 START_MS + 500 + (cases[i].asked ? cases[i].after_ms : 0));
		close_controls();
	}
}

static void a_control_is_silent_from_its_time_on(void **state)
{
	static const struct {
		uint64_t waiting_ms, more_ms; /* asked then, and then once more; 0: not */
		bool silent;
	} cases[] = {
		{ 0, 0, false },   { 1301, 0, false },   { 1301, 1400, false },
		{ 1300, 0, true }, { 1300, 1400, true }, /* the first without an answer counts */
		{ 700, 0, true }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_controls(2);
		send_answer(1, 500);
		send_answer(0, 500);
		scene.reflects = true;
		if (cases[i].waiting_ms)
			ask_at(cases[i].waiting_ms);
		if (cases[i].more_ms)
			ask_at(cases[i].more_ms);
		run_to(1499);
		assert_false(view_of(1).silent);
		run_to(1500);
		assert_int_equal(view_of(1).silent, cases[i].silent);
		assert_false(view_of(0).silent);
		/* and asked again, silent or not, each second */
		assert_int_equal(view_of(1).queried_ms, START_MS + 1500);
		run_to(2499);
		assert_int_equal(view_of(1).queried_ms, START_MS + 1500);
		run_to(2500);
		assert_int_equal(view_of(1).queried_ms, START_MS + 2500);
		assert_true(view_of(1).silent);
		close_controls();
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
		{ 1, { 0, 0, 0 }, 0, false },       { 1, { 600, 0, 0 }, 604, true },
		{ 1, { 600, 0, 0 }, 605, false },   { 2, { 600, 0, 0 }, 550, false },
		{ 2, { 600, 600, 0 }, 604, true },  { 2, { 600, 599, 0 }, 604, false },
		{ 2, { 599, 600, 0 }, 604, false }, { 3, { 600, 0, 600 }, 604, true },
		{ 3, { 600, 600, 0 }, 604, true },  { 3, { 0, 600, 600 }, 0, false },
		{ 3, { 600, 0, 0 }, 604, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_controls(cases[i].n);
		ask_at(600);
		for (uint32_t k = 0; k < 3; k++)
			if (cases[i].answered_ms[k])
				send_answer(k, cases[i].answered_ms[k]);
		assert_int_equal(answered_since(cases[i].since_ms), cases[i].answered);
		assert_int_equal(controls_have_outside(scene.controls), cases[i].n > 1);
		close_controls();
	}
}

/* A network that works again says nothing about what it lost: silence of then is no evidence. */
static void an_answer_after_one_that_is_missing_counts_from_its_own_time_on(void **state)
{
	static const struct {
		uint64_t waiting_ms, since_ms;
		bool answered;
	} cases[] = {
		{ 2000, 1000, true },  { 1999, 1000, false }, { 1999, 1999, false },
		{ 1999, 2000, true },  { 1000, 1000, false }, { 1000, 2004, true },
		{ 1000, 2005, false }, { 2000, 499, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		open_controls(2);
		scene.reflects = scene.echoes = true;
		send_answer(0, 500);
		send_answer(1, 500);
		ask_at(990);
		scene.echoes = cases[i].waiting_ms > 1500;
		if (!scene.echoes)
			ask_at(cases[i].waiting_ms);
		run_to(1600);
		scene.echoes = false;
		if (cases[i].waiting_ms > 1500)
			ask_at(cases[i].waiting_ms);
		ask_at(2004);
		send_answer(1, 2000);
		assert_int_equal(answered_since(cases[i].since_ms), cases[i].answered);
		close_controls();
	}
}

/* Many targets in doubt ask more often than a gateway answers that limits its echoes. */
static void an_answer_counts_whatever_is_lost_after_it(void **state)
{
	(void)state;
	open_controls(1);
	for (uint64_t ms = 10000; ms < 20000; ms += 5) {
		scene.reflects = ms % 15 == 0;
		ask_at(ms);
	}
	for (uint64_t ms = 15000; ms < 19995; ms++)
		assert_int_equal(answered_since(ms), ms % 15 < 5);
	close_controls();
}

/* The first one ever says nothing about the time before it. */
static void nothing_is_known_of_the_time_before_the_first_answer(void **state)
{
	(void)state;
	open_controls(1);
	scene.reflects = true;
	ask_at(1200);
	assert_false(answered_since(1199));
	assert_true(answered_since(1200));
	close_controls();
}

static void all_that_is_known_of_each_control_is_shown(void **state)
{
	const struct addr addresses[] = { addr_at("127.0.0.1"), addr_at("127.0.0.2") };

	(void)state;
	open_controls(2);
	send_answer(0, 500);
	send_answer(1, 500);
	ask_at(600);
	send_answer(0, 600);
	ask_at(700);
	run_to(1500);
	for (size_t i = 0; i < 2; i++) {
		struct control_view v = view_of(i);

		assert_true(addr_equal(&v.address, &addresses[i]));
		assert_int_equal(v.is_reflector, i == 0);
		assert_true(v.silent);
		assert_int_equal(v.queried_ms, START_MS + 1500);
		assert_int_equal(v.answered_ms, START_MS + (i ? 500 : 600));
		assert_int_equal(v.n_queried, 4);
		assert_int_equal(v.n_answered, i ? 1 : 2);
	}
	send_answer(0, 1500);
	assert_false(view_of(0).silent);
	assert_true(view_of(1).silent);
	close_controls();
}

SUITE(control_parts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_ends_the_wait_for_what_was_sent_before_it),
		cmocka_unit_test(an_answer_to_what_was_never_sent_is_none),
		cmocka_unit_test(only_our_own_echoes_count),
		cmocka_unit_test(only_our_own_echoes_count_of_ipv6),
		cmocka_unit_test(an_echo_request_says_who_asks_and_when),
		cmocka_unit_test(a_control_is_asked_again_after_some_milliseconds),
		cmocka_unit_test(a_control_is_silent_from_its_time_on),
		cmocka_unit_test(controls_answered_when_reflector_and_one_other_did),
		cmocka_unit_test(an_answer_after_one_that_is_missing_counts_from_its_own_time_on),
		cmocka_unit_test(an_answer_counts_whatever_is_lost_after_it),
		cmocka_unit_test(nothing_is_known_of_the_time_before_the_first_answer),
		cmocka_unit_test(all_that_is_known_of_each_control_is_shown),
	};

	simulated_time();
	answer_recvfrom = own_recvfrom;
	answer_send = own_send;
	answer_sendto = own_sendto;
	answer_setsockopt = own_setsockopt;
	answer_socket = own_socket;
	return cmocka_run_group_tests_name("control parts", tests, NULL, NULL);
}
