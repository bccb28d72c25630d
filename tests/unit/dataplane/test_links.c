/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "dataplane/nexthop/links.h"
#include "tests/unit/calls.h"
#include "tests/unit/dataplane/link_message.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct world {
	struct links *links;
	unsigned changes;
};

static void on_change(void *arg)
{
	((struct world *)arg)->changes++;
}

static void hear_link(struct world *w, const struct link_message *m)
{
	char bytes[MESSAGE_BYTES];

	links_hear(w->links, bytes, write_message(bytes, m));
}

static void hear_all(struct world *w, const struct link_message *m, size_t n)
{
	w->changes = 0;
	w->links = links_new(on_change, w);
	assert_non_null(w->links);
	for (size_t i = 0; i < n; i++)
		hear_link(w, &m[i]);
}

static void assert_above(const struct world *w, uint32_t ifindex, const uint32_t *expected,
                         size_t n)
{
	uint32_t found[16];

	assert_int_equal(links_above(w->links, ifindex, found, COUNT(found)), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(found[i], expected[i]);
}

static void an_interface_is_found_by_index_and_by_name(void **state)
{
	(void)state;
	static const struct link_message m[] = {
		{ .ifindex = 9, .name = "eth1" },
		{ .ifindex = 2, .name = "eth0", .no_carrier = true },
		{ .ifindex = 5, .name = "eth2", .down = true }
	};
	struct world w;

	hear_all(&w, m, COUNT(m));
	assert_int_equal(links_named(w.links, "eth1")->ifindex, 9);
	assert_string_equal(links_find(w.links, 2)->name, "eth0");
	assert_null(links_find(w.links, 3));
	assert_null(links_named(w.links, "eth"));
	assert_true(links_find(w.links, 9)->up);
	assert_false(links_find(w.links, 2)->carrier);
	assert_true(links_find(w.links, 2)->admin_up);
	assert_false(links_find(w.links, 2)->up);
	assert_int_equal(links_find(w.links, 2)->operstate, 2);
	assert_false(links_find(w.links, 5)->up);
	links_close(w.links);
}

static void a_change_is_reported_once_and_a_repetition_never(void **state)
{
	(void)state;
	static const struct link_message first = { .ifindex = 2, .name = "eth0" };
	static const struct link_message changes[] = {
		{ .ifindex = 2, .name = "eth0", .no_carrier = true },
		{ .ifindex = 2, .name = "eth0", .mac = 99 },
		{ .ifindex = 2, .name = "wan" },
		{ .ifindex = 2, .name = "wan", .master = 7 },
		{ .ifindex = 2, .name = "wan", .master = 7, .down = true },
		{ .ifindex = 2, .name = "wan", .kind = "macvlan", .link = 5, .down = true },
		{ .ifindex = 2, .name = "wan", .kind = "macvlan", .link = 6, .down = true },
		{ .ifindex = 2, .name = "wan", .gone = true },
	};
	struct world w;

	hear_all(&w, &first, 1);
	assert_int_equal(w.changes, 1);
	for (size_t i = 0; i < COUNT(changes); i++) {
		hear_link(&w, &changes[i]);
		assert_int_equal(w.changes, 2 + i);
		hear_link(&w, &changes[i]);
		assert_int_equal(w.changes, 2 + i);
	}
	assert_null(links_find(w.links, 2));
	links_close(w.links);
}

/* Of three, each goes once: the others stay, with their own names and in order. */
static void an_interface_that_goes_takes_no_other_with_it(void **state)
{
	(void)state;
	static const struct link_message m[] = { { .ifindex = 2, .name = "eth0" },
		                                 { .ifindex = 5, .name = "eth1" },
		                                 { .ifindex = 9, .name = "eth2" } };

	for (size_t i = 0; i < COUNT(m); i++) {
		struct link_message gone = m[i];
		struct world w;

		gone.gone = true;
		hear_all(&w, m, COUNT(m));
		hear_link(&w, &gone);
		assert_null(links_named(w.links, gone.name));
		for (size_t k = 0; k < COUNT(m); k++) {
			const struct rtnl_link *link = links_find(w.links, m[k].ifindex);

			if (k == i)
				assert_null(link);
			else
				assert_string_equal(link->name, m[k].name);
		}
		links_close(w.links);
	}
}

static void a_port_that_leaves_its_bridge_is_still_there(void **state)
{
	(void)state;
	static const struct link_message m[] = {
		{ .ifindex = 2, .name = "eth0", .master = 3 },
		{ .ifindex = 2, .name = "eth0", .bridge_port = true, .gone = true },
	};
	struct world w;

	hear_all(&w, m, COUNT(m));
	assert_non_null(links_find(w.links, 2));
	assert_int_equal(w.changes, 1);
	links_close(w.links);
}

static const struct link_message stacked[] = {
	{ .ifindex = 2, .name = "eth0", .master = 4 },
	{ .ifindex = 3, .name = "eth1", .master = 4 },
	{ .ifindex = 4, .name = "bond0", .kind = "bond", .master = 5 },
	{ .ifindex = 5, .name = "br0", .kind = "bridge", .master = 12 },
	{ .ifindex = 6, .name = "br0.5", .kind = "vlan", .link = 5 },
	{ .ifindex = 7, .name = "vrrp.1", .kind = "macvlan", .link = 6 },
	{ .ifindex = 8, .name = "veth0", .kind = "veth", .link = 2 },
	{ .ifindex = 9, .name = "far", .kind = "macvlan", .link = 2, .elsewhere = true },
	{ .ifindex = 10, .name = "vxlan0", .kind = "vxlan", .link = 2 },
	{ .ifindex = 11, .name = "eth2" },
	{ .ifindex = 12, .name = "vrf0", .kind = "vrf" },
};

static void what_stands_on_an_interface_is_found_at_any_depth(void **state)
{
	(void)state;
	static const uint32_t above_eth0[] = { 2, 4, 5, 6, 7 }, above_vlan[] = { 6, 7 },
	                      above_eth2[] = { 11 };
	uint32_t two[2];
	struct world w;

	hear_all(&w, stacked, COUNT(stacked));
	assert_above(&w, 2, above_eth0, COUNT(above_eth0));
	assert_above(&w, 6, above_vlan, COUNT(above_vlan));
	assert_above(&w, 11, above_eth2, COUNT(above_eth2));
	assert_above(&w, 77, NULL, 0);
	assert_int_equal(links_above(w.links, 2, two, COUNT(two)), COUNT(two));
	links_close(w.links);
}

static void interfaces_that_stand_on_each_other_end_the_search(void **state)
{
	(void)state;
	static const struct link_message m[] = {
		{ .ifindex = 2, .name = "a", .kind = "macvlan", .link = 3 },
		{ .ifindex = 3, .name = "b", .kind = "macvlan", .link = 2, .master = 2 },
	};
	static const uint32_t both[] = { 2, 3 };
	struct world w;

	hear_all(&w, m, COUNT(m));
	assert_above(&w, 2, both, COUNT(both));
	links_close(w.links);
}

static void a_bond_has_parts_and_a_bridge_has_none(void **state)
{
	(void)state;
	uint32_t parts[4];
	struct world w;

	hear_all(&w, stacked, COUNT(stacked));
	assert_int_equal(links_parts(w.links, 4, parts, COUNT(parts)), 2);
	assert_true(parts[0] == 2 && parts[1] == 3);
	assert_int_equal(links_parts(w.links, 4, parts, 1), 1);
	assert_int_equal(links_parts(w.links, 5, parts, COUNT(parts)), 0);
	assert_int_equal(links_parts(w.links, 77, parts, COUNT(parts)), 0);
	links_close(w.links);
}

static void interfaces_beyond_the_limit_are_not_known(void **state)
{
	(void)state;
	struct link_message m = { .name = "eth" };
	struct world w;

	hear_all(&w, NULL, 0);
	for (m.ifindex = LINKS_MAX + 3; m.ifindex > 0; m.ifindex--)
		hear_link(&w, &m);
	assert_non_null(links_find(w.links, 4));
	assert_null(links_find(w.links, 3));
	assert_int_equal(w.changes, LINKS_MAX);
	m = (struct link_message){ .ifindex = LINKS_MAX + 3, .name = "renamed" };
	hear_link(&w, &m);
	assert_non_null(links_named(w.links, "renamed"));
	links_close(w.links);
}

static void what_is_no_message_changes_nothing(void **state)
{
	(void)state;
	static const struct link_message m = { .ifindex = 2, .name = "eth0" };
	char bytes[MESSAGE_BYTES];
	struct world w;
	size_t n = write_message(bytes, &m);

	hear_all(&w, NULL, 0);
	links_hear(w.links, bytes, n - 1);
	assert_null(links_find(w.links, 2));
	assert_int_equal(w.changes, 0);
	links_close(w.links);
}

#define FLOOD 20000 /* messages: more than the socket's buffer takes */

struct flood {
	struct loop *loop;
	struct links *links;
	struct loop_timer end;
};

static void ignore_change(void *arg)
{
	(void)arg;
}

static void end_flood(void *arg)
{
	loop_stop(((struct flood *)arg)->loop);
}

static void change_mtu(unsigned n)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (unsigned i = 1; i <= n; i++) {
		r.ifr_mtu = (int)(1300 + i);
		assert_int_equal(ioctl(fd, SIOCSIFMTU, &r), 0);
	}
	close(fd);
}

static void count_change(void *arg)
{
	(*(unsigned *)arg)++;
}

/* All else waits while a change is acted on: with thousands of backends for milliseconds. */
static void changes_of_one_moment_are_one_call(void **state)
{
	(void)state;
	struct flood f = { .end = { .cb = end_flood, .arg = &f } };
	unsigned n = 0;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		skip();
	assert_int_equal(loop_open(&f.loop), 0);
	assert_int_equal(links_open(f.loop, count_change, &n, &f.links), 0);
	change_mtu(100);
	loop_timer_set(f.loop, &f.end, clock_mono_ms() + 100);
	assert_int_equal(loop_run(f.loop), 0);
	assert_int_equal(links_named(f.links, "lo")->mtu, 1400);
	assert_int_equal(n, 1);
	links_close(f.links);
	loop_close(f.loop);
}

/* The kernel drops the newest messages of a full socket: the older ones, which are still there, are not the last word. */
static void after_lost_messages_the_newest_state_stays(void **state)
{
	(void)state;
	struct flood f = { .end = { .cb = end_flood, .arg = &f } };

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		skip();
	assert_int_equal(loop_open(&f.loop), 0);
	assert_int_equal(links_open(f.loop, ignore_change, &f, &f.links), 0);
	change_mtu(FLOOD);
	loop_timer_set(f.loop, &f.end, clock_mono_ms() + 1000);
	assert_int_equal(loop_run(f.loop), 0);
	assert_int_equal(links_named(f.links, "lo")->mtu, 1300 + FLOOD);
	links_close(f.links);
	loop_close(f.loop);
}

/* Reading all again may fail, too: it is tried until it succeeds. */
static void after_lost_messages_a_reading_that_fails_is_repeated(void **state)
{
	(void)state;
	struct flood f = { .end = { .cb = end_flood, .arg = &f } };
	unsigned n_failed;

	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		skip();
	assert_int_equal(loop_open(&f.loop), 0);
	assert_int_equal(links_open(f.loop, ignore_change, &f, &f.links), 0);
	change_mtu(FLOOD);
	calls_fail("mnl_socket_sendto", 1, ENOBUFS, false);
	loop_timer_set(f.loop, &f.end, clock_mono_ms() + 100);
	assert_int_equal(loop_run(f.loop), 0);
	n_failed = calls_end();
	assert_int_equal(n_failed, 1);
	assert_int_not_equal(links_named(f.links, "lo")->mtu, 1300 + FLOOD);
	loop_timer_set(f.loop, &f.end, clock_mono_ms() + 1500);
	assert_int_equal(loop_run(f.loop), 0);
	assert_int_equal(links_named(f.links, "lo")->mtu, 1300 + FLOOD);
	links_close(f.links);
	loop_close(f.loop);
}

/* What the table no longer has goes with each reading, and does not return with the next one. */
static void what_is_gone_stays_gone_after_each_reading(void **state)
{
	(void)state;
	static const struct link_message gone = { .ifindex = 0x7ffffff0, .name = "gone0" };
	struct flood f = { 0 };
	char bytes[MESSAGE_BYTES];

	assert_int_equal(loop_open(&f.loop), 0);
	assert_int_equal(links_open(f.loop, ignore_change, &f, &f.links), 0);
	links_hear(f.links, bytes, write_message(bytes, &gone));
	assert_non_null(links_find(f.links, gone.ifindex));
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(links_read(f.links), 0);
		assert_null(links_find(f.links, gone.ifindex));
		assert_non_null(links_named(f.links, "lo"));
	}
	links_close(f.links);
	loop_close(f.loop);
}

/* The kernel says when the table changed while it was listed: an interface may be missing from such a list. */
static void a_list_that_changed_meanwhile_is_read_again(void **state)
{
	struct flood f = { 0 };
	unsigned n_failed;

	(void)state;
	assert_int_equal(loop_open(&f.loop), 0);
	calls_fail("mnl_socket_recvfrom", 1, CALLS_INTERRUPTED, false);
	assert_int_equal(links_open(f.loop, ignore_change, &f, &f.links), 0);
	n_failed = calls_end();
	assert_int_equal(n_failed, 1);
	assert_non_null(links_named(f.links, "lo"));

	calls_fail("mnl_socket_recvfrom", 1, CALLS_INTERRUPTED, true);
	assert_int_equal(links_read(f.links), -EINTR);
	n_failed = calls_end();
	assert_true(n_failed >= 4);
	assert_non_null(links_named(f.links, "lo"));
	links_close(f.links);
	loop_close(f.loop);
}

SUITE(links)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interface_is_found_by_index_and_by_name),
		cmocka_unit_test(a_list_that_changed_meanwhile_is_read_again),
		cmocka_unit_test(a_change_is_reported_once_and_a_repetition_never),
		cmocka_unit_test(an_interface_that_goes_takes_no_other_with_it),
		cmocka_unit_test(a_port_that_leaves_its_bridge_is_still_there),
		cmocka_unit_test(what_stands_on_an_interface_is_found_at_any_depth),
		cmocka_unit_test(interfaces_that_stand_on_each_other_end_the_search),
		cmocka_unit_test(a_bond_has_parts_and_a_bridge_has_none),
		cmocka_unit_test(interfaces_beyond_the_limit_are_not_known),
		cmocka_unit_test(what_is_no_message_changes_nothing),
		cmocka_unit_test(changes_of_one_moment_are_one_call),
		cmocka_unit_test(after_lost_messages_the_newest_state_stays),
		cmocka_unit_test(after_lost_messages_a_reading_that_fails_is_repeated),
		cmocka_unit_test(what_is_gone_stays_gone_after_each_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
