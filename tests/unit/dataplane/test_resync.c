/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What links and next hops keep, and forget, when the kernel's messages were lost or a port goes: with a real kernel,
 * in a network namespace of the test's own. Messages are lost when the test says so.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "base/loop.h"
#include "dataplane/nexthop/hops.h"
#include "dataplane/nexthop/links.h"

#include "tests/unit/answers.h"
#include "tests/unit/bpf/space.h"
#include "tests/unit/mnl_answers.h"
#include "tests/unit/suite.h"

#define WAIT_MS 10000u
#define MANY    5000u /* more than there are chains */

static bool loses; /* the messages that wait now */

static ssize_t own_recv(int fd, void *out, size_t n, int flags)
{
	ssize_t got = __real_recv(fd, out, n, flags);

	if (!loses || got < 0)
		return got;
	while (__real_recv(fd, out, n, flags) > 0)
		;
	loses = false;
	errno = ENOBUFS;
	return -1;
}

static bool
        asks_nobody; /* the kernel is not made to ask next hops: all of the machine share its table of these */

static ssize_t own_mnl_socket_sendto(const struct mnl_socket *to, const void *bytes, size_t n)
{
	const struct nlmsghdr *head = bytes;

	if (asks_nobody && head->nlmsg_type == RTM_NEWNEIGH)
		return (ssize_t)n;
	return __real_mnl_socket_sendto(to, bytes, n);
}

static struct {
	struct loop *loop;
	struct hops *hops;
	struct loop_timer poll;
	uint64_t end_ms;
	enum hop_state wanted;
	unsigned n_changes;
} scene;

static const struct addr *parse_address(const char *text)
{
	static struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return &a;
}

static struct hop hop_of(const char *text)
{
	struct hop hop;

	assert_true(hops_get(scene.hops, parse_address(text), &hop));
	return hop;
}

/* Until 10.1.0.5 is as wanted, and all that the test made the kernel say was read. */
static void on_poll(void *arg)
{
	uint64_t now_ms = loop_now_ms(scene.loop);

	(void)arg;
	if ((!loses && hop_of("10.1.0.5").state == scene.wanted) || now_ms >= scene.end_ms)
		loop_stop(scene.loop);
	else
		loop_timer_set(scene.loop, &scene.poll, now_ms + 100);
}

static void turn_until(enum hop_state wanted)
{
	scene.wanted = wanted;
	scene.end_ms = loop_now_ms(scene.loop) + WAIT_MS;
	loop_timer_set(scene.loop, &scene.poll, loop_now_ms(scene.loop) + 300);
	assert_int_equal(loop_run(scene.loop), 0);
	assert_int_equal(hop_of("10.1.0.5").state, wanted);
	assert_false(loses);
}

static void note_hop(void *arg, const struct addr *of, const struct hop *hop)
{
	(void)arg;
	(void)of;
	(void)hop;
}

static void note_change(void *arg)
{
	(void)arg;
	scene.n_changes++;
}

static int begin_scene(void **state)
{
	(void)state;
	memset(&scene, 0, sizeof(scene));
	scene.poll.cb = on_poll;
	space_run("ip addr add 10.1.0.2/16 dev v0 && "
	          "ip neigh replace 10.1.0.5 lladdr 02:00:00:00:00:05 dev v0 nud reachable && "
	          "ip neigh replace 10.6.0.5 lladdr 02:00:00:00:00:06 dev w0 nud reachable");
	if (loop_open(&scene.loop) || hops_open(scene.loop, MANY, note_hop, NULL, &scene.hops))
		return -1;
	return hops_watch(scene.hops, parse_address("10.1.0.5"));
}

static int end_scene(void **state)
{
	(void)state;
	hops_close(scene.hops);
	loop_close(scene.loop);
	return system("ip addr flush dev v0; ip neigh flush dev v0 nud all; ip link set v1 up");
}

static void let_neighbour_fail(void)
{
	space_run("ip neigh replace 10.1.0.5 dev v0 nud failed");
	turn_until(HOP_KNOWN);
}

static void after_lost_messages_links_are_said_to_have_changed(void **state)
{
	struct links *l = links_new(note_change, NULL);

	(void)state;
	assert_non_null(l);
	assert_int_equal(links_read(l), -ENOTCONN);
	links_close(l);
	assert_int_equal(links_open(scene.loop, note_change, NULL, &l), 0);
	turn_until(HOP_KNOWN);
	scene.n_changes = 0;
	hops_close(scene.hops); /* which would hear of it first */
	scene.hops = NULL;
	loses = true;
	space_run("ip link add new0 type veth peer name new1");
	loop_timer_set(scene.loop,
	               &(struct loop_timer){ .cb = (void (*)(void *))loop_stop, .arg = scene.loop },
	               loop_now_ms(scene.loop) + 300);
	assert_int_equal(loop_run(scene.loop), 0);
	assert_false(loses);
	assert_true(scene.n_changes > 0);
	assert_non_null(links_named(l, "new0"));
	links_close(l);
	space_run("ip link del new0");
}

/* All that is read again would be up since now. */
static void a_port_that_was_up_counts_as_up_since_then(void **state)
{
	(void)state;
	turn_until(HOP_KNOWN);
	loses = true;
	space_run("ip link set v0 mtu 1400");
	turn_until(HOP_KNOWN);
	assert_int_equal(hop_of("10.1.0.5").mtu, 1400);
	let_neighbour_fail();
	assert_int_equal(hop_of("10.1.0.5").bad, HOP_BAD_NEIGHBOUR);
	space_run("ip link set v0 mtu 1500");
}

/* That nobody has answered yet is no evidence then. */
static void a_port_that_came_up_while_messages_were_lost_is_up_since_now(void **state)
{
	(void)state;
	space_run("ip link set v1 down");
	turn_until(HOP_NO_PORT);
	loses = true;
	space_run("ip link set v1 up");
	turn_until(HOP_KNOWN);
	let_neighbour_fail();
	assert_int_equal(hop_of("10.1.0.5").bad, HOP_BAD_NOT);
}

static void what_was_not_answered_on_a_port_that_goes_is_forgiven(void **state)
{
	(void)state;
	turn_until(HOP_KNOWN);
	assert_int_equal(hops_watch(scene.hops, parse_address("10.6.0.5")), 0);
	space_run("ip neigh replace 10.6.0.5 dev w0 nud failed");
	let_neighbour_fail();
	assert_int_equal(hop_of("10.1.0.5").bad, HOP_BAD_NEIGHBOUR);
	space_run("ip link set v1 down");
	turn_until(HOP_NO_PORT);
	space_run("ip link set v1 up");
	turn_until(HOP_KNOWN);
	assert_int_equal(hop_of("10.1.0.5").bad, HOP_BAD_NOT);
	assert_int_equal(hop_of("10.6.0.5").bad, HOP_BAD_NEIGHBOUR); /* another port's */
}

/* Each next hop is found again, by its address and its port. */
static void each_next_hop_is_found_behind_others(void **state)
{
	char text[ADDR_TEXT_MAX];

	(void)state;
	asks_nobody = true;
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i + 1 < MANY; i++) {
			snprintf(text, sizeof(text), "10.1.%u.%u", 1 + i / 250, 1 + i % 250);
			assert_int_equal(hops_watch(scene.hops, parse_address(text)), 0);
			assert_true(hop_of(text).on_link);
		}
	assert_int_equal(hops_watch(scene.hops, parse_address("10.1.0.6")), -ENOSPC);
	asks_nobody = false;
}

SUITE(resync)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin_scene, end_scene)
	const struct CMUnitTest tests[] = {
		T(a_port_that_was_up_counts_as_up_since_then),
		T(a_port_that_came_up_while_messages_were_lost_is_up_since_now),
		T(what_was_not_answered_on_a_port_that_goes_is_forgiven),
		T(each_next_hop_is_found_behind_others),
		T(after_lost_messages_links_are_said_to_have_changed), /* when no port comes up any more */
	};

	answer_mnl_socket_sendto = own_mnl_socket_sendto;
	answer_recv = own_recv;
	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	space_run("ip link add w0 type veth peer name w1 && ip link set w0 up && "
	          "ip link set w1 up && ip addr add 10.6.0.2/24 dev w0");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
