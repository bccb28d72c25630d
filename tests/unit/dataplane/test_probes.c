/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probes through tunnels, with their program in namespaces of the test's own: what its table holds and follows
 * (dataplane/probes.c), and whether probes go by it (dataplane/probes_path.c). Interfaces, tc, routes and neighbours are
 * a kernel's; the time is passed in. Calls of libbpf fail where a test says so.
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
#include "base/loop.h"
#include "bpf/probe_table.h"
#include "dataplane/nexthop/hops.h"
#include "dataplane/nexthop/links.h"
#include "dataplane/probes_internal.h"
#include "tests/unit/bpf_answers.h"
#include "tests/unit/logged.h"
#include "tests/unit/suite.h"
#include "weir/model.h"
#include "weir/stats.h"

#include "tests/unit/bpf/space.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define RETRY_MS 900u /* before a port is tried again */
#define VIPS     300u

/* --- libbpf --- */

static unsigned n_updates, update_fails; /* the one that does, from 1 on; 0: none */
static int update_errno;
static unsigned n_attached;
static int attach_says;
static enum { COUNTS_REAL, COUNTS_FAIL, COUNTS_MADE } counts;

static int own_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	n_updates++;
	errno = update_errno;
	return n_updates == update_fails ? -1 : __real_bpf_map_update_elem(fd, key, value, flags);
}

static int own_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	if (counts == COUNTS_REAL)
		return __real_bpf_map_lookup_elem(fd, key, value);
	*(uint64_t *)value = 11 + *(const uint32_t *)key;
	for (int c = 1; c < libbpf_num_possible_cpus(); c++)
		((uint64_t *)value)[c] = 0;
	errno = EIO;
	return counts == COUNTS_FAIL ? -1 : 0;
}

static int own_bpf_tc_attach(const struct bpf_tc_hook *hook, struct bpf_tc_opts *opts)
{
	n_attached++;
	return attach_says ? attach_says : __real_bpf_tc_attach(hook, opts);
}

/* --- the node: ports v0 and w0; u0 is none of them, and m0 stands on v0 --- */

static char run_dir[64];
static struct stats *stats;
static struct loop *loop;
static struct hops *hops;
static struct links *links;
static struct probes_filler *f;
static uint64_t now_ms;

static struct addr addresses[VIPS], backend_addresses[3];
static struct model_site site = { .name = "ams" };
static struct model_check check = { .via = MODEL_VIA_TUNNEL };
static struct model_port ports[] = { { .interface = "v0" }, { .interface = "w0" } };
static struct model_node self;
static struct model_vip vips[VIPS];
static struct model_backend backends[3];
static struct model_pool pools[2 * VIPS];
static struct model_at at[2 * VIPS];
static struct model_service services[2 * VIPS];
static struct model model;

static struct addr addr_at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* A document of @p n_pools pools, each with a service, which share @p n_vips VIPs. */
static void make_model(unsigned n_pools, unsigned n_vips)
{
	static const char *const names[] = { "b0", "b1", "b2" };

	self = (struct model_node){ .name = "ams-1", .site = &site, .ports = ports, .n_ports = 2 };
	for (unsigned i = 0; i < 3; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.1.0.%u", 50 + i);
		backend_addresses[i] = addr_at(text);
		backends[i] = (struct model_backend){ .name = names[i],
			                              .id = 5 + i,
			                              .address = backend_addresses[i],
			                              .pool = &pools[0] };
	}
	for (unsigned i = 0; i < n_vips; i++)
		vips[i] = (struct model_vip){ .addresses = &addresses[i], .n_addresses = 1 };
	for (unsigned i = 0; i < n_pools; i++) {
		pools[i] = (struct model_pool){ .name = "web", .site = &site, .check = &check };
		at[i] = (struct model_at){ .site = &site,
			                   .vip = &vips[i % n_vips],
			                   .pool = &pools[i] };
		services[i] = (struct model_service){ .at = &at[i], .n_at = 1, .port = 443 };
	}
	pools[0].backends = backends;
	pools[0].n_backends = 3;
	model = (struct model){ .nodes = &self,
		                .n_nodes = 1,
		                .self = &self,
		                .sites = &site,
		                .n_sites = 1,
		                .pools = pools,
		                .n_pools = n_pools,
		                .services = services,
		                .n_services = n_pools,
		                .meta = { .document = 71 } };
	check.via = MODEL_VIA_TUNNEL;
}

static void ignore_hop(void *arg, const struct addr *address, const struct hop *hop)
{
	(void)arg, (void)address, (void)hop;
}

static void ignore_links(void *arg)
{
	(void)arg;
}

static void stop_loop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

/* Hear what the kernel says, for @p ms. */
static void listen_for(unsigned ms)
{
	struct loop_timer timer = { .cb = stop_loop };

	assert_int_equal(loop_timer_set(loop, &timer, loop_now_ms(loop) + ms), 0);
	assert_int_equal(loop_run(loop), 0);
}

/* The kernel's way to @p vip is known as it is meant. */
static void await_way(const struct addr *vip, enum hop_state state, bool bad, const char *by)
{
	struct hop hop = { .state = HOP_KNOWN };

	for (int i = 0; i < 400; i++) {
		if (hops_get(hops, vip, &hop) && hop.state == state && !hop.bad == !bad &&
		    (state == HOP_NO_ROUTE || hop.route_ifindex == if_nametoindex(by)))
			return;
		listen_for(10);
	}
	fail_msg("never: it is %s, bad %d, by %u", hop_state_text(hop.state), hop.bad,
	         hop.route_ifindex);
}

/* Both VIPs are routed by v0. */
static void route_vips(void)
{
	space_run("ip route replace 203.0.113.0/24 via 10.1.0.1; "
	          "ip -6 route replace 2001:db8::/64 via 2001:db8:1::1; "
	          "ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:01 dev v0 nud permanent; "
	          "ip neigh replace 2001:db8:1::1 lladdr 02:00:00:00:00:01 dev v0 nud permanent");
}

static void await_vips(void)
{
	for (size_t i = 0; i < 2; i++)
		await_way(&addresses[i], HOP_KNOWN, false, "v0");
}

static void make_port(void)
{
	space_run(
	        "ip link add w0 type veth peer name w1 && ip link set w0 up && ip link set w1 up");
}

static int setup(void **state)
{
	(void)state;
	logged[0] = '\0';
	update_fails = n_updates = n_attached = 0;
	attach_says = 0;
	counts = COUNTS_REAL;
	now_ms = 5000;
	addresses[0] = addr_at("203.0.113.1");
	addresses[1] = addr_at("2001:db8::2");
	make_port();
	route_vips();
	make_model(2, 2);
	strcpy(run_dir, "/tmp/weir-probes-XXXXXX");
	if (!mkdtemp(run_dir) || stats_create(run_dir, "dataplane", 16, &stats) ||
	    loop_open(&loop) || links_open(loop, ignore_links, NULL, &links) ||
	    hops_open(loop, 2 * VIPS, ignore_hop, NULL, &hops))
		return -1;
	return probes_open(stats, hops, &f);
}

static int teardown(void **state)
{
	char command[160];

	(void)state;
	probes_close(f);
	hops_close(hops);
	links_close(links);
	loop_close(loop);
	stats_close(stats);
	snprintf(
	        command, sizeof(command),
	        "rm -r %s; ip link del w0 2>/dev/null; tc qdisc del dev v0 clsact 2>/dev/null; true",
	        run_dir);
	return system(command);
}

/* What the stats page says; 99: nothing. */
static uint64_t value_of(const char *name, const char *labels)
{
	struct stats_reader *r;
	uint64_t value = 99;

	assert_int_equal(stats_reader_open(run_dir, "dataplane", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (e->used && !strcmp(e->name, name) && !strcmp(e->labels, labels))
			value = e->value;
	}
	stats_reader_close(r);
	return value;
}

static void expect_page(uint64_t document, uint64_t since, uint64_t families)
{
	assert_int_equal(value_of(PROBE_GAUGE, ""), document);
	assert_true(value_of(PROBE_SINCE_GAUGE, "") == since);
	assert_int_equal(value_of(PROBE_FAMILIES_GAUGE, ""), families);
}

static unsigned count_logged(const char *event)
{
	unsigned n = 0;

	for (const char *line = strstr(logged, event); line; line = strstr(line + 1, event))
		n++;
	return n;
}

static void expect_why(const char *subject, const char *start)
{
	const struct probes_path *trouble = probes_trouble(f, now_ms + 1000);

	if (!start) {
		assert_null(trouble);
		return;
	}
	assert_non_null(trouble);
	assert_string_equal(trouble->subject, subject);
	if (strncmp(trouble->reason, start, strlen(start)) != 0)
		fail_msg("%s", trouble->reason);
}

static void read_back(void)
{
	probes_read_back(f, links, now_ms);
}

/* The document is in force, and read back: ports carry the program. */
static void begin_document(void)
{
	probes_apply_model(f, &model);
	await_vips();
	read_back();
}

/* --- the table --- */

/* The entry of @p mark; NULL: none. */
static const struct probe_value *entry_of(uint32_t mark)
{
	static struct probe_value v;
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("v0"),
	            .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = 0x57, .priority = 0x57);
	int fd, err;

	assert_int_equal(bpf_tc_query(&hook, &filter), 0);
	fd = space_map_of(filter.prog_id, "probe_tunnels");
	assert_true(fd >= 0);
	err = __real_bpf_map_lookup_elem(fd, &mark, &v);
	close(fd);
	return err ? NULL : &v;
}

static const struct {
	const char *backends[6];
	const char *moves;
	uint32_t marks; /* of those that do */
} move_cases[] = {
	{ { "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" },
	  "10.0.0.1",
	  1u << 1 | 1u << 2 | 1u << 3 },
	{ { "10.0.0.1", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.2", "10.0.0.4" },
	  "10.0.0.2",
	  1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 },
	{ { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.4", "10.0.0.4" },
	  "10.0.0.4",
	  1u << 4 | 1u << 5 | 1u << 6 },
	{ { "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1" },
	  "10.0.0.1",
	  0x7e },
	{ { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6" },
	  "10.0.0.7",
	  0 },
};

/* Marks are 1 on. Pools may share a backend: it has an entry for each, and all move. */
static void all_entries_of_a_backend_move(void **state)
{
	const struct hop hop = { .state = HOP_KNOWN, .route_ifindex = 9, .ifindex = 8 };

	(void)state;
	begin_document();
	for (size_t i = 0; i < COUNT(move_cases); i++) {
		struct probe_tunnel *tunnels = calloc(6, sizeof(*tunnels));
		struct addr moves = addr_at(move_cases[i].moves);

		assert_non_null(tunnels);
		for (uint32_t k = 0; k < 6; k++) {
			tunnels[k].mark = k + 1;
			tunnels[k].backend = addr_at(move_cases[i].backends[k]);
			tunnels[k].ifindex = 5;
		}
		free(f->tunnels);
		f->tunnels = tunnels;
		f->n_tunnels = 6;
		assert_int_equal(probe_set_tunnels(f->probes, tunnels, 6), 0);
		assert_false(probes_hop(f, &moves, &hop)); /* it is no VIP */
		for (uint32_t k = 0; k < 6; k++)
			assert_int_equal(entry_of(k + 1)->ifindex,
			                 move_cases[i].marks & 1u << (k + 1) ? 9 : 5);
		n_updates = 0;
		assert_false(probes_hop(f, &moves, &hop)); /* they are there already */
		assert_int_equal(n_updates, 0);
	}
}

static void the_way_follows_what_is_known_of_the_hop(void **state)
{
	static const struct {
		enum hop_state state;
		uint32_t ifindex;
	} cases[] = { { HOP_KNOWN, 9 },
		      { HOP_NO_ROUTE, PROBE_NO_WAY },
		      { HOP_NO_NEIGHBOUR, 5 },
		      { HOP_NO_PORT, 5 } };

	(void)state;
	begin_document();
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct hop before = { .state = HOP_KNOWN, .route_ifindex = 5 },
		                 hop = { .state = cases[i].state, .route_ifindex = 9 };

		assert_false(probes_hop(f, &backend_addresses[1], &before));
		assert_false(probes_hop(f, &backend_addresses[1], &hop));
		for (size_t k = 0; k < f->n_tunnels; k++)
			if (addr_equal(&f->tunnels[k].backend, &backend_addresses[1]))
				assert_int_equal(entry_of(f->tunnels[k].mark)->ifindex,
				                 cases[i].ifindex);
	}
}

/*
 * What was there stays, and what is wanted is known. A failure may pass: the document is followed as soon as there is
 * room, and once.
 */
static void a_table_without_room_is_filled_when_there_is_some(void **state)
{
	const struct hop hop = { .state = HOP_KNOWN, .route_ifindex = 9 };
	struct probe_tunnel *before;

	(void)state;
	probes_retry(NULL, &model);
	pools[0].n_backends = 1;
	begin_document();
	before = f->tunnels;
	probes_retry(f, &model); /* nothing has failed */
	assert_ptr_equal(f->tunnels, before);
	assert_int_equal(f->n_tunnels, 1);
	pools[0].n_backends = 3;
	model.meta.document = 72;
	self.n_ports = 1;
	update_errno = ENOMEM;
	for (update_fails = 3; update_fails; update_fails--) { /* the first is that of sources */
		n_updates = 0;
		if (update_fails == 3)
			probes_apply_model(f, &model);
		else
			probes_retry(f, &model);
		assert_int_equal(f->n_tunnels, 1);
		assert_int_equal(f->n_marks, 3);
		assert_int_equal(f->applied, 71);
		assert_int_equal(f->n_ports, 2);
		n_updates = 0;
		assert_false(
		        probes_hop(f, &backend_addresses[0], &hop)); /* or it would move there */
	}
	assert_int_equal(count_logged("probes-not-in-force document=72"), 1);
	probes_retry(f, &model);
	assert_int_equal(f->applied, 72);
	assert_int_equal(f->n_tunnels, 3);
	assert_int_equal(f->n_ports, 1);
	assert_int_equal(count_logged("probes-in-force document=72"), 1);
	before = f->tunnels;
	probes_retry(f, &model);
	assert_ptr_equal(f->tunnels, before);
}

/* Ports that were named are let go; without any, a document without probes names none. */
static void ports_are_let_go_when_no_probe_needs_them(void **state)
{
	(void)state;
	begin_document();
	assert_int_equal(probe_attached(f->probes, "v0"), 0);
	check.via = MODEL_VIA_DIRECT;
	self.n_ports = 0;
	probes_apply_model(f, &model);
	assert_int_not_equal(probe_attached(f->probes, "v0"), 0);
	assert_int_not_equal(probe_attached(f->probes, "w0"), 0);
	assert_int_equal(f->n_ports, 0);
	self.n_ports = 2;
	probes_apply_model(f, &model);
	assert_int_equal(f->n_ports, 0);
	assert_int_equal(f->applied, 71);
}

static void a_vip_s_way_is_to_be_looked_at(void **state)
{
	const struct addr other = addr_at("203.0.113.11");
	const struct hop hop = { .state = HOP_KNOWN, .route_ifindex = 9 };

	(void)state;
	begin_document();
	assert_true(probes_hop(f, &addresses[0], &hop));
	assert_true(probes_hop(f, &addresses[1], &hop));
	assert_false(probes_hop(f, &other, &hop));
	assert_false(probes_hop(NULL, &addresses[0], &hop));
	probes_leave_vips(f);
	assert_false(probes_hop(f, &addresses[0], &hop));
}

/* Each end has its own word; what is not known yet stays as it was counted. */
static void ends_are_counted_by_their_own_words(void **state)
{
	static const char *const ends[] = { "sent", "unknown-mark", "no-source", "too-big",
		                            "no-route" };
	char labels[32];

	(void)state;
	assert_int_equal(value_of(PROBE_GAUGE, ""),
	                 0); /* of an earlier process: not read back yet */
	assert_true(value_of(PROBE_SINCE_GAUGE, "") == PROBE_SINCE_NEVER);
	probes_count(NULL);
	counts = COUNTS_FAIL;
	probes_count(f);
	assert_int_equal(value_of("weir_dataplane_probe_packets_total", "end=\"sent\""), 0);
	counts = COUNTS_MADE;
	probes_count(f);
	for (size_t i = 0; i < COUNT(ends); i++) {
		snprintf(labels, sizeof(labels), "end=\"%s\"", ends[i]);
		assert_int_equal(value_of("weir_dataplane_probe_packets_total", labels), 11 + i);
	}
}

/* --- the path --- */

static void probes_count_since_their_program_is_in_place(void **state)
{
	(void)state;
	begin_document();
	assert_int_equal(probe_attached(f->probes, "v0") | probe_attached(f->probes, "w0"), 0);
	expect_page(71, 5000, 0);
	expect_why(NULL, NULL);
	now_ms = 6000;
	read_back();
	expect_page(71, 5000, 0); /* it was there all the while */
	assert_int_equal(count_logged("probe-path-in-place"), 1);
	assert_int_equal(count_logged("probe-path-missing"), 0);
}

static void what_was_attached_again_counts_from_then(void **state)
{
	(void)state;
	begin_document();
	now_ms = 7000;
	n_attached = 0;
	space_run("tc qdisc del dev w0 clsact");
	read_back();
	assert_int_equal(n_attached, 1);
	assert_int_equal(probe_attached(f->probes, "w0"), 0);
	expect_page(71, 7000, 0);
	expect_why(NULL, NULL);
}

static void a_missing_port_stops_all_judging(void **state)
{
	(void)state;
	begin_document();
	space_run("ip link del w0");
	now_ms = 6000;
	n_attached = 0;
	read_back();
	assert_int_equal(n_attached, 0); /* there is nothing to attach to */
	expect_page(0, PROBE_SINCE_NEVER, 0);
	assert_int_equal(count_logged("probe-path-missing"), 1);
	expect_why("w0",
	           "interface w0 is missing, so probes may leave by another one: bring it back");
	assert_null(probes_trouble(f, 6999)); /* a shorter gap is not stated */
	assert_non_null(probes_trouble(f, 7000));
	now_ms = 8000;
	read_back();
	assert_non_null(probes_trouble(f, 7000)); /* it lasts since 6000 */
	assert_int_equal(count_logged("probe-path-missing"), 1);
	make_port();
	now_ms = 9000;
	read_back();
	expect_page(71, 9000, 0);
	assert_int_equal(count_logged("probe-path-in-place"), 2);
	expect_why(NULL, NULL);
}

static void expect_tries(const char *why)
{
	for (now_ms = 5000; now_ms < 5000 + RETRY_MS; now_ms += RETRY_MS - 1) {
		read_back();
		assert_int_equal(n_attached, 1);
		assert_true(value_of(PROBE_SINCE_GAUGE, "") == PROBE_SINCE_NEVER);
		expect_why("v0", why);
	}
	now_ms = 5000 + RETRY_MS;
	read_back();
	assert_int_equal(n_attached, 2);
}

static void expect_attached_then(void)
{
	now_ms += RETRY_MS;
	read_back();
	expect_page(71, now_ms, 0);
	expect_why(NULL, NULL);
}

static void what_cannot_be_attached_is_tried_again_after_a_while(void **state)
{
	(void)state;
	self.n_ports = 1;
	probes_apply_model(f, &model);
	await_vips();
	attach_says = -EPERM;
	expect_tries("the probes' program cannot be attached to the egress of v0: Operation not");
	attach_says = 0;
	expect_attached_then();
	space_run("tc qdisc del dev v0 clsact && tc qdisc add dev v0 ingress");
	probes_apply_model(f, &model); /* names it again */
	n_attached = 0;
	expect_tries(
	        "the probes' program cannot be attached to the egress of v0: an ingress qdisc has "
	        "the place of clsact: note its filters (tc filter show), then tc qdisc del dev v0 "
	        "ingress");
	space_run("tc qdisc del dev v0 ingress");
	expect_attached_then();
}

static void without_tunnels_no_port_is_needed(void **state)
{
	(void)state;
	space_run("ip link del w0");
	read_back(); /* of no document yet */
	expect_page(0, PROBE_SINCE_NEVER, 0);
	check.via = MODEL_VIA_DIRECT;
	probes_apply_model(f, &model);
	read_back();
	expect_page(71, 5000, 0);
	expect_why(NULL, NULL);
	probes_read_back(NULL, NULL, now_ms);
	assert_null(probes_trouble(NULL, now_ms));
}

static const struct {
	const char *why, *way, *way6;
	enum hop_state state;
	bool bad;
	const char *by;   /* the interface of its route */
	const char *says; /* how it begins, with @ for the VIP; NULL: it is not cut */
} ways[] = {
	{ "by what stands on a port", "ip route replace 203.0.113.0/24 via 10.7.0.1 dev m0",
	  "ip -6 route replace 2001:db8::/64 via 2001:db8:7::1 dev m0", HOP_KNOWN, false, "m0",
	  NULL },
	{ "by none of the ports", "ip route replace 203.0.113.0/24 via 10.8.0.1",
	  "ip -6 route replace 2001:db8::/64 via 2001:db8:8::1", HOP_KNOWN, false, "u0",
	  "the route to VIP @ leaves by u0, which is none of the node's ports" },
	{ "nobody answers", "ip route replace 203.0.113.0/24 via 10.1.0.99",
	  "ip -6 route replace 2001:db8::/64 via 2001:db8:1::99", HOP_NO_NEIGHBOUR, false, "v0",
	  "probes to VIP @ do not leave: no neighbour of its route (ip route get @)" },
	{ "who answered is silent",
	  "ip neigh replace 10.1.0.1 lladdr 02:00:00:00:00:01 dev v0 nud failed",
	  "ip neigh replace 2001:db8:1::1 lladdr 02:00:00:00:00:01 dev v0 nud failed", HOP_KNOWN,
	  true, "v0", "probes to VIP @ do not leave: no answer from the next hop of its route" },
	{ "no route: nothing is sent", "ip route replace unreachable 203.0.113.0/24",
	  "ip -6 route del 2001:db8::/64", HOP_NO_ROUTE, false, "v0", NULL },
};

static void put_vip(char *out, const char *text, const char *vip)
{
	for (; *text; text++)
		out += *text == '@' ? sprintf(out, "%s", vip) : sprintf(out, "%c", *text);
}

/* Each family for itself: probes to VIPs of the other one are judged. */
static void a_family_whose_vip_is_not_reached_by_a_port_is_cut(void **state)
{
	(void)state;
	begin_document();
	for (size_t i = 0; i < COUNT(ways); i++) {
		for (int v = 0; v < 2; v++) {
			const char *vip = v ? "2001:db8::2" : "203.0.113.1";
			unsigned n_in_place = count_logged("probe-path-in-place");
			char says[200];

			print_message("  %s, %s\n", ways[i].why, vip);
			space_run("%s", v ? ways[i].way6 : ways[i].way);
			await_way(&addresses[v], ways[i].state,
			          ways[i].bad || (!v && ways[i].state == HOP_NO_ROUTE), ways[i].by);
			read_back();
			expect_page(71, 5000,
			            !ways[i].says ? 0
			            : v           ? PROBE_FAMILY_IP6
			                          : PROBE_FAMILY_IP4);
			if (ways[i].says)
				put_vip(says, ways[i].says, vip);
			expect_why(vip, ways[i].says ? says : NULL);
			route_vips();
			await_vips();
			read_back();
			expect_why(NULL, NULL);
			assert_int_equal(count_logged("probe-path-in-place"),
			                 n_in_place + (ways[i].says != NULL));
		}
	}
}

static void a_vip_whose_port_is_down_is_cut(void **state)
{
	(void)state;
	begin_document();
	space_run("ip link set v1 down");
	await_way(&addresses[0], HOP_NO_PORT, false, "v0");
	read_back();
	expect_why("203.0.113.1", "probes to VIP 203.0.113.1 do not leave: no port of its route");
	space_run("ip link set v1 up");
}

static void no_route_to_any_vip_is_stated(void **state)
{
	(void)state;
	begin_document();
	space_run("ip route replace unreachable 203.0.113.0/24");
	await_way(&addresses[0], HOP_NO_ROUTE, true, "");
	read_back();
	expect_why(NULL, NULL);
	space_run("ip -6 route del 2001:db8::/64");
	await_way(&addresses[1], HOP_NO_ROUTE, false, "");
	read_back();
	expect_why("203.0.113.1",
	           "probes to VIP 203.0.113.1 are not sent: this node has no route to it");
	expect_page(71, 5000, 0);
	hops_unwatch(hops, &addresses[1]); /* what is not known may have one */
	read_back();
	expect_why(NULL, NULL);
	assert_int_equal(hops_watch(hops, &addresses[1]), 0);
	route_vips();
	await_vips();
	read_back();
	expect_why(NULL, NULL);
}

/* The first trouble counts: a port's comes before a VIP's. */
static void both_families_may_be_cut_and_the_first_is_named(void **state)
{
	(void)state;
	begin_document();
	space_run("%s; %s", ways[1].way, ways[1].way6);
	for (size_t i = 0; i < 2; i++)
		await_way(&addresses[i], HOP_KNOWN, false, "u0");
	read_back();
	expect_page(71, 5000, PROBE_FAMILY_IP4 | PROBE_FAMILY_IP6);
	expect_why("203.0.113.1", "the route to VIP 203.0.113.1");
	space_run("ip link del w0");
	read_back();
	expect_why("w0", "interface w0 is missing");
	assert_int_equal(value_of(PROBE_FAMILIES_GAUGE, ""), 0); /* nothing is judged anyway */
}

/* What was there before is judged as before; of a first document nothing is, and both are stated. */
static void a_table_that_could_not_be_filled_is_stated(void **state)
{
	static const char why[] =
	        "the table of the probes' program has not taken the document (Cannot allocate memory)";

	(void)state;
	update_errno = ENOMEM;
	update_fails = n_updates + 1;
	probes_apply_model(f, &model); /* the first one */
	read_back();
	expect_page(0, PROBE_SINCE_NEVER, 0);
	expect_why("", why);
	update_fails = 0;
	probes_retry(f, &model);
	await_vips();
	read_back();
	expect_page(71, 5000, 0);
	expect_why(NULL, NULL);
	update_fails = n_updates + 1;
	model.meta.document = 72;
	probes_apply_model(f, &model);
	read_back();
	expect_page(71, 5000, 0);
	expect_why("", why);
	space_run("ip link del w0");
	read_back();
	expect_why("w0", "interface w0 is missing"); /* more is lost by that */
}

static void ports_that_are_the_nodes_no_more_are_left(void **state)
{
	struct model_port others[] = { { .interface = "w0" }, { .interface = "u0" } };

	(void)state;
	begin_document();
	attach_says = -EPERM;
	space_run("tc qdisc del dev w0 clsact");
	read_back(); /* it is not tried again so soon */
	attach_says = 0;
	self.ports = others;
	probes_apply_model(f, &model);
	assert_int_not_equal(probe_attached(f->probes, "v0"), 0);
	read_back(); /* but of a new document at once */
	assert_int_equal(probe_attached(f->probes, "w0") | probe_attached(f->probes, "u0"), 0);
	self.n_ports = 0;
	probes_apply_model(f, &model);
	assert_int_not_equal(probe_attached(f->probes, "w0"), 0);
	assert_int_not_equal(probe_attached(f->probes, "u0"), 0);
}

static size_t count_followed(void)
{
	struct hop hop;
	size_t n = 0;

	for (unsigned i = 0; i < VIPS; i++)
		n += hops_get(hops, &addresses[i], &hop);
	return n;
}

/* Two pools have each VIP, which is followed once; and let go once. */
static void all_vips_are_followed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VIPS; i++) {
		const uint8_t bytes[] = { 203, 0, (uint8_t)(i / 256), (uint8_t)i };

		addresses[i] = addr_from4(bytes);
	}
	make_model(2 * VIPS, VIPS);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(probes_follow_vips(f, &model), 0);
		assert_int_equal(f->n_vips, VIPS);
		assert_int_equal(count_followed(), VIPS);
	}
	for (int i = 0; i < 2; i++) {
		probes_leave_vips(f);
		assert_int_equal(f->n_vips, 0);
		assert_int_equal(count_followed(), 0);
	}
}

static int make_space(void **state)
{
	(void)state;
	space_run(
	        "ip link add u0 type veth peer name u1 && ip link add link v0 name m0 type macvlan; "
	        "for i in v0 m0 u0; do echo 0 > /proc/sys/net/ipv6/conf/$i/disable_ipv6; ip link set $i up; done; "
	        "ip link set u1 up; ip addr add 10.1.0.2/24 dev v0; ip addr add 10.7.0.2/24 dev m0; "
	        "ip addr add 10.8.0.2/24 dev u0; ip addr add 2001:db8:1::2/64 dev v0 nodad; "
	        "ip addr add 2001:db8:7::2/64 dev m0 nodad; ip addr add 2001:db8:8::2/64 dev u0 nodad; "
	        "for a in 10.7.0.1 2001:db8:7::1; do ip neigh add $a lladdr 02:00:00:00:00:07 dev m0 nud permanent; done; "
	        "for a in 10.8.0.1 2001:db8:8::1; do ip neigh add $a lladdr 02:00:00:00:00:08 dev u0 nud permanent; done");
	return 0;
}

#define PROBES_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(probes)
{
	const struct CMUnitTest tests[] = {
		PROBES_TEST(all_entries_of_a_backend_move),
		PROBES_TEST(the_way_follows_what_is_known_of_the_hop),
		PROBES_TEST(a_table_without_room_is_filled_when_there_is_some),
		PROBES_TEST(ports_are_let_go_when_no_probe_needs_them),
		PROBES_TEST(a_vip_s_way_is_to_be_looked_at),
		PROBES_TEST(ends_are_counted_by_their_own_words),
		PROBES_TEST(probes_count_since_their_program_is_in_place),
		PROBES_TEST(what_was_attached_again_counts_from_then),
		PROBES_TEST(a_missing_port_stops_all_judging),
		PROBES_TEST(what_cannot_be_attached_is_tried_again_after_a_while),
		PROBES_TEST(without_tunnels_no_port_is_needed),
		PROBES_TEST(a_family_whose_vip_is_not_reached_by_a_port_is_cut),
		PROBES_TEST(a_vip_whose_port_is_down_is_cut),
		PROBES_TEST(no_route_to_any_vip_is_stated),
		PROBES_TEST(both_families_may_be_cut_and_the_first_is_named),
		PROBES_TEST(a_table_that_could_not_be_filled_is_stated),
		PROBES_TEST(ports_that_are_the_nodes_no_more_are_left),
		PROBES_TEST(all_vips_are_followed),
	};

	answer_bpf_map_lookup_elem = own_bpf_map_lookup_elem;
	answer_bpf_map_update_elem = own_bpf_map_update_elem;
	answer_bpf_tc_attach = own_bpf_tc_attach;
	logged_begin();
	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("probes", tests, make_space, NULL);
}
