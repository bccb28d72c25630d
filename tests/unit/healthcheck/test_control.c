/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Controls: who answers, since when, and who is silent; on loopback, in a network namespace of
 * the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/ip_icmp.h>
#include <sys/socket.h>

#include "base/loop.h"
#include "healthcheck/control.h"

#include "tests/unit/bpf/space.h"
#include "tests/unit/suite.h"

struct scene {
	struct loop *loop;
	struct loop_timer end;
	struct controls *controls;
	unsigned n_answers;
};

static void on_answer(void *arg)
{
	((struct scene *)arg)->n_answers++;
}

static void on_end(void *arg)
{
	loop_stop(((struct scene *)arg)->loop);
}

static void run_loop_for(struct scene *s, uint64_t ms)
{
	loop_timer_set(s->loop, &s->end, loop_now_ms(s->loop) + ms);
	assert_int_equal(loop_run(s->loop), 0);
}

static int open_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_int_equal(loop_open(&s->loop), 0);
	s->end = (struct loop_timer){ .cb = on_end, .arg = s };
	assert_int_equal(controls_open(s->loop, on_answer, s, &s->controls), 0);
	*state = s;
	return 0;
}

static int close_scene(void **state)
{
	struct scene *s = *state;

	controls_close(s->controls);
	loop_close(s->loop);
	free(s);
	return system("ip link set lo up; ip addr flush dev v0");
}

static struct addr addr_at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct control_view view_of(const struct scene *s, size_t i)
{
	struct control_view views[CONTROLS_MAX];

	assert_true(i < controls_view(s->controls, views));
	return views[i];
}

static void the_reflector_alone_is_witness_where_none_is_named(void **state)
{
	struct scene *s = *state;

	assert_false(controls_answered_since(s->controls, 0)); /* not asked yet */
	assert_false(controls_have_outside(s->controls));
	run_loop_for(s, 100);
	struct control_view v = view_of(s, 0);

	assert_true(v.is_reflector && !v.silent);
	assert_true(v.n_answered >= 1 && v.n_answered == v.n_queried);
	assert_int_equal(s->n_answers, v.n_answered);
	assert_true(controls_answered_since(s->controls, v.answered_ms));
	assert_false(controls_answered_since(s->controls, v.answered_ms + 5));
}

static void one_outside_must_have_answered_too(void **state)
{
	struct scene *s = *state;
	const struct addr here[] = { addr_at("127.0.0.2"), addr_at("::1") },
	                  away = addr_at("10.7.0.9");

	space_run("ip addr add 10.7.0.1/24 dev v0"); /* nobody is there */
	controls_set(s->controls, &away, 1);
	assert_true(controls_have_outside(s->controls));
	run_loop_for(s, 1500);
	assert_false(
	        controls_answered_since(s->controls, 0)); /* the reflector alone is not enough */
	assert_true(view_of(s, 1).silent);
	assert_int_equal(view_of(s, 1).n_answered, 0);
	controls_set(s->controls, here, 2);
	assert_false(view_of(s, 1).silent);
	controls_query(s->controls);
	run_loop_for(s, 100);
	assert_true(view_of(s, 1).n_answered >= 1); /* IPv4 */
	assert_true(view_of(s, 2).n_answered >= 1); /* and IPv6 */
	assert_true(controls_answered_since(s->controls, view_of(s, 1).answered_ms));
	controls_set(s->controls, NULL, 0);
	assert_false(controls_have_outside(s->controls));
}

static void who_stays_keeps_what_is_known(void **state)
{
	struct scene *s = *state;
	const struct addr two[] = { addr_at("127.0.0.2"), addr_at("127.0.0.3") },
	                  swapped[] = { two[1], two[0] };

	controls_set(s->controls, two, 2);
	controls_query(s->controls);
	run_loop_for(s, 100);
	struct control_view first = view_of(s, 1);

	assert_true(first.n_answered >= 1);
	controls_set(s->controls, swapped, 2);
	struct control_view second = view_of(s, 2);

	assert_int_equal(second.n_answered, first.n_answered);
	assert_true(addr_equal(&second.address, &two[0]));
	controls_set(s->controls, &two[1], 1);
	controls_set(s->controls, two, 2); /* it was away: nothing is known of it any more */
	assert_int_equal(view_of(s, 1).n_answered, 0);
}

static void nobody_is_asked_twice_within_a_few_milliseconds(void **state)
{
	struct scene *s = *state;

	run_loop_for(s, 50);
	for (int round = 0; round < 3; round++) {
		uint64_t before = view_of(s, 0).n_queried;

		usleep(20000);
		for (int i = 0; i < 100; i++)
			controls_query(s->controls); /* far less than that in all */
		assert_in_range(view_of(s, 0).n_queried - before, 1, 4);
	}
}

static void a_control_falls_silent_and_is_heard_again(void **state)
{
	struct scene *s = *state;

	run_loop_for(s, 50);
	assert_false(view_of(s, 0).silent);
	space_run("ip link set lo down");
	run_loop_for(s, 2600);
	assert_true(view_of(s, 0).silent);
	uint64_t lost_ms = view_of(s, 0).queried_ms;

	assert_false(controls_answered_since(s->controls, lost_ms));
	space_run("ip link set lo up");
	run_loop_for(s, 1500);
	assert_false(view_of(s, 0).silent);
	assert_false(controls_answered_since(s->controls, lost_ms)); /* what was lost stays so */
	assert_true(controls_answered_since(s->controls, view_of(s, 0).answered_ms));
}

static void no_more_than_there_is_room_for(void **state)
{
	struct addr many[CONTROLS_MAX + 2];
	struct control_view views[CONTROLS_MAX];
	struct scene *s = *state;

	for (size_t i = 0; i < CONTROLS_MAX + 2; i++) {
		char text[32];

		snprintf(text, sizeof(text), "127.0.1.%zu", i + 1);
		many[i] = addr_at(text);
	}
	controls_set(s->controls, many, CONTROLS_MAX + 2);
	assert_int_equal(controls_view(s->controls, views), CONTROLS_MAX);
	assert_true(addr_equal(&views[CONTROLS_MAX - 1].address, &many[CONTROLS_MAX - 2]));
	controls_set(s->controls, many, CONTROLS_MAX - 1);
	assert_int_equal(controls_view(s->controls, views), CONTROLS_MAX);
}

/* A raw socket that hears echo replies, as that of the controls does. */
static int open_ear(void)
{
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	struct timeval most = { .tv_sec = 5 };

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof(most));
	return fd;
}

/* Give the controls the reply in @p bytes, from @p from, with another id by @p more. */
static void reply_again(const char *from, const uint8_t *bytes, size_t n, uint16_t more)
{
	struct sockaddr_storage at, to;
	struct addr a = addr_at(from), here = addr_at("127.0.0.1");
	socklen_t n_at = addr_to_sockaddr(&a, 0, &at), n_to = addr_to_sockaddr(&here, 0, &to);
	uint8_t copy[512];
	struct icmphdr *h = (void *)copy;
	uint32_t sum = 0;
	int fd = open_ear();

	memcpy(copy, bytes, n);
	h->un.echo.id = (uint16_t)(h->un.echo.id + more);
	h->checksum = 0;
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)(copy[i] | copy[i + 1] << 8);
	sum = (sum & 0xffff) + (sum >> 16);
	h->checksum = (uint16_t) ~(sum + (sum >> 16));
	assert_int_equal(bind(fd, (struct sockaddr *)&at, n_at), 0);
	assert_int_equal(sendto(fd, copy, n, 0, (struct sockaddr *)&to, n_to), n);
	close(fd);
}

static void only_the_controls_own_answers_to_our_own_questions_count(void **state)
{
	struct scene *s = *state;
	const struct addr one = addr_at("127.0.0.2");
	uint8_t bytes[512];
	int ear = open_ear();
	ssize_t n;

	controls_set(s->controls, &one, 1);
	controls_query(s->controls);
	do
		n = recv(ear, bytes, sizeof(bytes), 0);
	while (n > 20 && bytes[20] != ICMP_ECHOREPLY);
	assert_true(n > 28);
	run_loop_for(s, 60);
	uint64_t before = view_of(s, 1).n_answered, asked = view_of(s, 1).n_queried;

	assert_true(before >= 1 && before <= asked);
	reply_again("127.0.0.3", bytes + 20, (size_t)n - 20, 0); /* another host's */
	reply_again("127.0.0.2", bytes + 20, (size_t)n - 20, 1); /* to another process */
	run_loop_for(s, 60);
	uint64_t more = view_of(s, 1).n_queried - asked;

	assert_true(view_of(s, 1).n_answered <= before + more);
	reply_again("127.0.0.2", bytes + 20, (size_t)n - 20, 0);
	before = view_of(s, 1).n_answered;
	run_loop_for(s, 60);
	assert_true(view_of(s, 1).n_answered > before); /* as it was */
	close(ear);
}

/* Controls of both families are asked and heard, each for itself. */
static void a_control_of_ipv6_is_heard_like_one_of_ipv4(void **state)
{
	struct scene *s = *state;
	const struct addr both[] = { addr_at("::1"), addr_at("127.0.0.2") };

	for (size_t n = 1; n <= 2; n++) {
		controls_set(s->controls, both, n);
		controls_query(s->controls);
		for (int i = 0; i < 100 && !view_of(s, n).n_answered; i++)
			run_loop_for(s, 20);
		for (size_t i = 1; i <= n; i++) {
			struct control_view v = view_of(s, i);

			assert_true(v.n_answered >= 1 && v.answered_ms >= 1);
			assert_true(addr_equal(&v.address, &both[i - 1]));
		}
	}
}

/*
 * One at the reflector's address is a control like others: what is known of the reflector says
 * nothing of it.
 */
static void a_control_at_the_reflectors_address_begins_with_nothing(void **state)
{
	struct scene *s = *state;
	const struct addr own = addr_at("127.0.0.1");

	run_loop_for(s, 100);
	assert_true(view_of(s, 0).n_answered >= 1);
	controls_set(s->controls, &own, 1);
	assert_int_equal(view_of(s, 1).n_queried + view_of(s, 1).n_answered, 0);
	assert_int_equal(view_of(s, 1).answered_ms, 0);
	assert_false(view_of(s, 1).is_reflector);
}

/* Each question is answered before the next: none is left to wait for. */
static void who_answers_each_time_never_falls_silent(void **state)
{
	struct scene *s = *state;
	const struct addr one = addr_at("127.0.0.2");

	controls_set(s->controls, &one, 1);
	for (int i = 0; i < 26; i++) {
		run_loop_for(s, 100);
		assert_false(view_of(s, 0).silent || view_of(s, 1).silent);
	}
}

SUITE(control)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_reflector_alone_is_witness_where_none_is_named,
		                                open_scene, close_scene),
		cmocka_unit_test_setup_teardown(one_outside_must_have_answered_too, open_scene,
		                                close_scene),
		cmocka_unit_test_setup_teardown(who_stays_keeps_what_is_known, open_scene,
		                                close_scene),
		cmocka_unit_test_setup_teardown(nobody_is_asked_twice_within_a_few_milliseconds,
		                                open_scene, close_scene),
		cmocka_unit_test_setup_teardown(a_control_falls_silent_and_is_heard_again,
		                                open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
		        only_the_controls_own_answers_to_our_own_questions_count, open_scene,
		        close_scene),
		cmocka_unit_test_setup_teardown(a_control_of_ipv6_is_heard_like_one_of_ipv4,
		                                open_scene, close_scene),
		cmocka_unit_test_setup_teardown(
		        a_control_at_the_reflectors_address_begins_with_nothing, open_scene,
		        close_scene),
		cmocka_unit_test_setup_teardown(who_answers_each_time_never_falls_silent,
		                                open_scene, close_scene),
		cmocka_unit_test_setup_teardown(no_more_than_there_is_room_for, open_scene,
		                                close_scene),
	};

	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	space_run(
	        "echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6; ip addr add ::1/128 dev lo 2>/dev/null; true");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
