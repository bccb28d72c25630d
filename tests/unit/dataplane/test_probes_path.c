/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether probes go by their program (dataplane/probes_path.c): what the kernel says of ports and
 * routes is the test's, and what is stated and published is looked at turn by turn.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "base/log.h"
#include "dataplane/nexthop/hops.h"
#include "dataplane/nexthop/links.h"
#include "dataplane/probes_internal.h"
#include "weir/model.h"
#include "weir/stats.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/*
 * --- the kernel: ports p0 to p2 have the indexes 10 to 12; 20 is a VLAN on p1, 30 none of ours
 * ---
 */

static int carried[3], attach_says[3]; /* of each port: probe_attached(), probe_attach() */
static unsigned attached_now[3], detached[3];
static struct hop hops_of[2]; /* of 203.0.113.1 and 2001:db8::2 */
static bool is_watched[2];
static int watches[2];

static int port_of(const char *name)
{
	assert_true(name[0] == 'p' && name[1] >= '0' && name[1] <= '2');
	return name[1] - '0';
}

static int fake_attached(const struct probes *p, const char *name)
{
	(void)p;
	return carried[port_of(name)];
}

static int fake_attach(struct probes *p, const char *name)
{
	int i = port_of(name);

	(void)p;
	attached_now[i]++;
	if (!attach_says[i])
		carried[i] = 0;
	return attach_says[i];
}

static int fake_detach(struct probes *p, const char *name)
{
	(void)p;
	detached[port_of(name)]++;
	return 0;
}

static int vip_of(const struct addr *a)
{
	return addr_is4(a) ? 0 : 1;
}

static bool fake_get(const struct hops *h, const struct addr *a, struct hop *out)
{
	(void)h;
	*out = hops_of[vip_of(a)];
	return is_watched[vip_of(a)];
}

static int fake_watch(struct hops *h, const struct addr *a)
{
	(void)h;
	watches[vip_of(a)]++;
	return 0;
}

static void fake_unwatch(struct hops *h, const struct addr *a)
{
	(void)h;
	watches[vip_of(a)]--;
}

static const struct rtnl_link *fake_named(const struct links *l, const char *name)
{
	static struct rtnl_link links[3];
	int i = port_of(name);

	(void)l;
	links[i].ifindex = 10 + (uint32_t)i;
	return carried[i] == -ENODEV ? NULL : &links[i];
}

static const struct rtnl_link *fake_find(const struct links *l, uint32_t ifindex)
{
	static struct rtnl_link link = { .name = "other" };

	(void)l;
	return ifindex < 40 ? &link : NULL;
}

static size_t fake_above(const struct links *l, uint32_t ifindex, uint32_t *out, size_t max)
{
	(void)l;
	assert_true(max >= 2);
	out[0] = ifindex;
	out[1] = 20;
	return ifindex == 11 ? 2 : 1;
}

static unsigned n_in_place, n_missing;

static void __attribute__((format(printf, 2, 3)))
fake_log(const char *event, const char *pairs, ...)
{
	(void)pairs;
	n_in_place += !strcmp(event, "probe-path-in-place");
	n_missing += !strcmp(event, "probe-path-missing");
}

/* The private parts too. */
#define probe_attached fake_attached
#define probe_attach   fake_attach
#define probe_detach   fake_detach
#define hops_get       fake_get
#define hops_watch     fake_watch
#define hops_unwatch   fake_unwatch
#define links_named    fake_named
#define links_find     fake_find
#define links_above    fake_above
#undef log_note
#undef log_warn
#define log_note(...) fake_log(__VA_ARGS__)
#define log_warn(...) fake_log(__VA_ARGS__)
#include "dataplane/probes_path.c"

static struct probes_filler f;
static uint64_t document, since, families;
static uint64_t now_ms;

/* Two ports that carry the program; both VIPs are routed by p0. */
static int setup(void **state)
{
	(void)state;
	memset(carried, 0, sizeof(carried));
	memset(attach_says, 0, sizeof(attach_says));
	memset(attached_now, 0, sizeof(attached_now));
	memset(detached, 0, sizeof(detached));
	memset(watches, 0, sizeof(watches));
	n_in_place = n_missing = 0;
	document = families = 99;
	since = PROBE_SINCE_NEVER;
	now_ms = 5000;
	free(f.vips);
	f = (struct probes_filler){ .probes = (void *)&f,
		                    .ports = { "p0", "p1" },
		                    .n_ports = 2,
		                    .vips = calloc(2, sizeof(struct addr)),
		                    .n_vips = 2,
		                    .n_marks = 3,
		                    .applied = 71,
		                    .has_filled = true,
		                    .document = &document,
		                    .since = &since,
		                    .families = &families };
	assert_non_null(f.vips);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(addr_parse(i ? "2001:db8::2" : "203.0.113.1", &f.vips[i]), 0);
		hops_of[i] = (struct hop){ .state = HOP_KNOWN, .route_ifindex = 10 };
		is_watched[i] = true;
	}
	return 0;
}

static void read_back(void)
{
	probes_read_back(&f, NULL, now_ms);
}

static void expect_why(const char *subject, const char *start)
{
	const struct probes_path *trouble = probes_trouble(&f, now_ms + 1000);

	if (!start) {
		assert_null(trouble);
		return;
	}
	assert_non_null(trouble);
	assert_string_equal(trouble->subject, subject);
	if (strncmp(trouble->reason, start, strlen(start)) != 0)
		fail_msg("%s", trouble->reason);
}

static void probes_count_since_their_program_is_in_place(void **state)
{
	(void)state;
	read_back();
	assert_int_equal(document, 71);
	assert_int_equal(since, 5000);
	assert_int_equal(families, 0);
	expect_why(NULL, NULL);
	now_ms = 6000;
	read_back();
	assert_int_equal(since, 5000); /* it was there all the while */
	assert_int_equal(n_in_place, 1);
	assert_int_equal(n_missing, 0);
}

static void what_was_attached_again_counts_from_then(void **state)
{
	(void)state;
	read_back();
	now_ms = 7000;
	carried[1] = -ENOENT;
	read_back();
	assert_int_equal(attached_now[1], 1);
	assert_int_equal(attached_now[0], 0);
	assert_int_equal(since, 7000);
	assert_int_equal(document, 71);
	expect_why(NULL, NULL);
}

static void a_missing_port_stops_all_judging(void **state)
{
	(void)state;
	read_back();
	carried[1] = -ENODEV;
	now_ms = 6000;
	read_back();
	assert_int_equal(attached_now[1], 0); /* there is nothing to attach to */
	assert_true(since == PROBE_SINCE_NEVER);
	assert_int_equal(document, 0);
	assert_int_equal(families, 0);
	assert_int_equal(n_missing, 1);
	expect_why("p1",
	           "interface p1 is missing, so probes may leave by another one: bring it back");
	assert_null(probes_trouble(&f, 6999)); /* a shorter gap is not stated */
	assert_non_null(probes_trouble(&f, 7000));
	now_ms = 8000;
	read_back();
	assert_int_equal(f.lost_ms, 6000);
	assert_int_equal(n_missing, 1);
	carried[1] = 0;
	now_ms = 9000;
	read_back();
	assert_int_equal(since, 9000);
	assert_int_equal(document, 71);
	assert_int_equal(n_in_place, 2);
	expect_why(NULL, NULL);
}

static void what_cannot_be_attached_is_tried_again_after_a_while(void **state)
{
	static const struct {
		int err;
		const char *why;
	} cases[] = {
		{ -EBUSY,
		  "the probes' program cannot be attached to the egress of p0: an ingress qdisc has "
		  "the place of clsact: note its filters (tc filter show), then tc qdisc del dev p0 "
		  "ingress" },
		{ -EPERM,
		  "the probes' program cannot be attached to the egress of p0: Operation not" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		setup(state);
		carried[0] = -ENOENT;
		attach_says[0] = cases[i].err;
		for (now_ms = 5000; now_ms < 5000 + RETRY_MS; now_ms += RETRY_MS - 1) {
			read_back();
			assert_int_equal(attached_now[0], 1);
			assert_true(since == PROBE_SINCE_NEVER);
			expect_why("p0", cases[i].why);
		}
		now_ms = 5000 + RETRY_MS;
		read_back();
		assert_int_equal(attached_now[0], 2);
		attach_says[0] = 0;
		now_ms += RETRY_MS;
		read_back();
		assert_int_equal(since, now_ms);
		expect_why(NULL, NULL);
	}
}

static void without_tunnels_no_port_is_needed(void **state)
{
	(void)state;
	carried[0] = carried[1] = -ENODEV;
	f.n_marks = 0;
	f.n_vips = 0;
	read_back();
	assert_int_equal(document, 71);
	assert_int_equal(since, 5000);
	expect_why(NULL, NULL);
	document = 99;
	f.has_filled = false;
	read_back();
	f.has_filled = true;
	f.probes = NULL;
	read_back();
	assert_int_equal(document, 99);
	probes_read_back(NULL, NULL, now_ms);
	assert_null(probes_trouble(NULL, now_ms));
}

static const struct {
	const char *why;
	bool watched;
	enum hop_state state;
	enum hop_bad bad;
	uint32_t by; /* the interface of its route */
	bool cut;
	const char *says; /* how it begins, with @ for the VIP */
} ways[] = {
	{ "by a port", true, HOP_KNOWN, HOP_BAD_NOT, 10, false, NULL },
	{ "by a VLAN on a port", true, HOP_KNOWN, HOP_BAD_NOT, 20, false, NULL },
	{ "by none of the ports", true, HOP_KNOWN, HOP_BAD_NOT, 30, true,
	  "the route to VIP @ leaves by other, which is none of the node's ports" },
	{ "by the first port that is not the node's", true, HOP_KNOWN, HOP_BAD_NOT, 12, true,
	  "the route to VIP @ leaves by other" },
	{ "by an interface that is gone", true, HOP_KNOWN, HOP_BAD_NOT, 40, false, NULL },
	{ "nobody answers", true, HOP_NO_NEIGHBOUR, HOP_BAD_NOT, 10, true,
	  "probes to VIP @ do not leave: no neighbour of its route (ip route get @)" },
	{ "who answered is silent", true, HOP_KNOWN, HOP_BAD_NEIGHBOUR, 10, true,
	  "probes to VIP @ do not leave: no answer from the next hop of its route" },
	{ "no carrier", true, HOP_NO_PORT, HOP_BAD_NOT, 10, true,
	  "probes to VIP @ do not leave: no port of its route" },
	{ "no route: nothing is sent", true, HOP_NO_ROUTE, HOP_BAD_NOT, 30, false, NULL },
	{ "not followed", false, HOP_NO_NEIGHBOUR, HOP_BAD_NOT, 10, false, NULL },
};

static void put_vip(char *out, const char *text, const char *vip)
{
	for (; *text; text++)
		out += *text == '@' ? sprintf(out, "%s", vip) : sprintf(out, "%c", *text);
}

/* Each family for itself: probes to VIPs of the other one are judged. */
static void a_family_whose_vip_is_not_reached_by_a_port_is_cut(void **state)
{
	for (size_t i = 0; i < COUNT(ways); i++) {
		for (int v = 0; v < 2; v++) {
			const char *vip = v ? "2001:db8::2" : "203.0.113.1";
			char says[200];

			setup(state);
			is_watched[v] = ways[i].watched;
			hops_of[v] = (struct hop){ .state = ways[i].state,
				                   .bad = ways[i].bad,
				                   .route_ifindex = ways[i].by };
			read_back();
			if (families != (ways[i].cut ? v ? PROBE_FAMILY_IP6 : PROBE_FAMILY_IP4 : 0))
				fail_msg("%s: %d", ways[i].why, (int)families);
			assert_int_equal(document, 71);
			assert_int_equal(since, 5000);
			assert_int_equal(n_in_place, ways[i].cut ? 0 : 1);
			if (ways[i].says)
				put_vip(says, ways[i].says, vip);
			expect_why(vip, ways[i].says ? says : NULL);
		}
	}
}

static void no_route_to_any_vip_is_stated(void **state)
{
	(void)state;
	hops_of[0].state = HOP_NO_ROUTE;
	read_back();
	expect_why(NULL, NULL);
	hops_of[1].state = HOP_NO_ROUTE;
	read_back();
	expect_why("203.0.113.1",
	           "probes to VIP 203.0.113.1 are not sent: this node has no route to it");
	assert_int_equal(families, 0);
	is_watched[1] = false; /* what is not watched may have one */
	read_back();
	expect_why(NULL, NULL);
	is_watched[1] = true;
	hops_of[0].state = HOP_KNOWN;
	read_back();
	expect_why(NULL, NULL);
}

/* The first trouble counts: a port's comes before a VIP's. */
static void both_families_may_be_cut_and_the_first_is_named(void **state)
{
	(void)state;
	hops_of[0].route_ifindex = hops_of[1].route_ifindex = 30;
	read_back();
	assert_int_equal(families, PROBE_FAMILY_IP4 | PROBE_FAMILY_IP6);
	expect_why("203.0.113.1", "the route to VIP 203.0.113.1");
	carried[0] = -ENODEV;
	read_back();
	expect_why("p0", "interface p0 is missing");
	assert_int_equal(families, 0); /* nothing is judged anyway */
}

/* What was there before is judged as before; of a first document nothing is, and both are stated. */
static void a_table_that_could_not_be_filled_is_stated(void **state)
{
	static const char why[] =
	        "the table of the probes' program has not taken the document (Cannot allocate memory)";

	(void)state;
	f.fill_err = -ENOMEM;
	read_back();
	assert_int_equal(document, 71);
	assert_int_equal(since, 5000);
	expect_why("", why);
	carried[0] = -ENODEV;
	read_back();
	expect_why("p0", "interface p0 is missing"); /* more is lost by that */
	setup(state);
	f.fill_err = -ENOMEM;
	f.has_filled = false;
	f.n_marks = 0; /* not even these are known */
	read_back();
	assert_int_equal(document, 99);
	expect_why("", why);
	f.fill_err = 0;
	read_back();
	expect_why(NULL, NULL);
}

static void ports_that_are_the_nodes_no_more_are_left(void **state)
{
	struct model_port ports[] = { { .interface = "p1" }, { .interface = "p2" } };
	struct model_node self = { .ports = ports, .n_ports = 2 };
	const struct model m = { .self = &self };

	(void)state;
	f.retry_ms[0] = f.retry_ms[1] = 77;
	probes_name_ports(&f, &m);
	assert_true(detached[0] == 1 && detached[1] == 0 && detached[2] == 0);
	assert_int_equal(f.n_ports, 2);
	assert_string_equal(f.ports[0], "p1");
	assert_string_equal(f.ports[1], "p2");
	assert_int_equal(f.retry_ms[0] + f.retry_ms[1], 0);
	self.n_ports = 0;
	probes_name_ports(&f, &m);
	assert_true(detached[1] == 1 && detached[2] == 1);
	assert_int_equal(f.n_ports, 0);
}

static void vips_that_are_no_longer_probed_are_let_go(void **state)
{
	(void)state;
	watches[0] = watches[1] = 1;
	probes_leave_vips(&f);
	assert_true(watches[0] == 0 && watches[1] == 0);
	assert_int_equal(f.n_vips, 0);
	probes_leave_vips(&f);
	assert_true(watches[0] == 0 && watches[1] == 0);
}

/* Two pools have each VIP, which is followed once. */
static void all_vips_are_followed(void **state)
{
	enum { VIPS = 300 };
	static struct addr addresses[VIPS];
	static struct model_vip vips[VIPS];
	static struct model_pool pools[2 * VIPS];
	static struct model_at at[2 * VIPS];
	static struct model_service services[2 * VIPS];
	const struct model_site site = { .name = "ams" };
	const struct model_check check = { .via = MODEL_VIA_TUNNEL };
	struct model_node self = { .site = &site };
	const struct model m = { .self = &self,
		                 .pools = pools,
		                 .n_pools = 2 * VIPS,
		                 .services = services,
		                 .n_services = 2 * VIPS };

	(void)state;
	for (unsigned i = 0; i < 2 * VIPS; i++) {
		const uint8_t bytes[] = { 203, 0, (uint8_t)(i % VIPS / 256), (uint8_t)(i % VIPS) };

		if (i < VIPS)
			addresses[i] = addr_from4(bytes);
		if (i < VIPS)
			vips[i] =
			        (struct model_vip){ .addresses = &addresses[i], .n_addresses = 1 };
		pools[i] = (struct model_pool){ .site = &site, .check = &check };
		at[i] = (struct model_at){ .site = &site,
			                   .vip = &vips[i % VIPS],
			                   .pool = &pools[i] };
		services[i] = (struct model_service){ .at = &at[i], .n_at = 1, .port = 443 };
	}
	watches[0] = watches[1] = 1;
	assert_int_equal(probes_follow_vips(&f, &m), 0);
	assert_int_equal(f.n_vips, VIPS);
	assert_true(watches[0] == VIPS && watches[1] == 0);
	assert_int_equal(probes_follow_vips(&f, &m), 0);
	assert_true(f.n_vips == VIPS && watches[0] == VIPS);
	probes_leave_vips(&f);
	assert_int_equal(watches[0], 0);
}

static int teardown(void **state)
{
	(void)state;
	free(f.vips);
	f.vips = NULL;
	return 0;
}

#define PATH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PATH_TEST(probes_count_since_their_program_is_in_place),
		PATH_TEST(what_was_attached_again_counts_from_then),
		PATH_TEST(a_missing_port_stops_all_judging),
		PATH_TEST(what_cannot_be_attached_is_tried_again_after_a_while),
		PATH_TEST(without_tunnels_no_port_is_needed),
		PATH_TEST(a_family_whose_vip_is_not_reached_by_a_port_is_cut),
		PATH_TEST(no_route_to_any_vip_is_stated),
		PATH_TEST(both_families_may_be_cut_and_the_first_is_named),
		PATH_TEST(a_table_that_could_not_be_filled_is_stated),
		PATH_TEST(ports_that_are_the_nodes_no_more_are_left),
		PATH_TEST(vips_that_are_no_longer_probed_are_let_go),
		PATH_TEST(all_vips_are_followed),
	};

	return cmocka_run_group_tests_name("probes path", tests, NULL, NULL);
}
