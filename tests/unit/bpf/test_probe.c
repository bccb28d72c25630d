/* SPDX-License-Identifier: BSD-2-Clause */
/* The probes' egress program from user space: its table, its filter, its counters. On a real kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <linux/pkt_cls.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "bpf/probe_table.h"
#include "tests/unit/suite.h"
#include "weir/probe.h"

#include "tests/unit/bpf/space.h"

#define MARK 0x57000001u

static struct probes *open_probes(void)
{
	struct probes *p = NULL;

	assert_int_equal(probe_open(&p), 0);
	return p;
}

static struct probe_tunnel make_tunnel(uint32_t mark, const char *backend)
{
	struct probe_tunnel t = { .mark = mark };

	assert_int_equal(addr_parse(backend, &t.backend), 0);
	return t;
}

/* The program at v0's egress. */
static uint32_t find_egress_program(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("v0"),
	            .attach_point = BPF_TC_EGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = 0x57, .priority = 0x57);

	return bpf_tc_query(&hook, &filter) ? 0 : filter.prog_id;
}

/* What the table of the attached program says of a mark. */
static bool look_up(uint32_t mark, struct probe_value *out)
{
	int fd = space_map_of(find_egress_program(), "probe_tunnels");
	bool found;

	assert_true(fd >= 0);
	found = !bpf_map_lookup_elem(fd, &mark, out);
	close(fd);
	return found;
}

static int remove_qdiscs(void **state)
{
	(void)state;
	return system(
	        "tc qdisc del dev v0 clsact 2>/dev/null; tc qdisc del dev v0 ingress 2>/dev/null; true");
}

static void the_table_holds_exactly_what_was_set_last(void **state)
{
	struct probes *p = open_probes();
	struct probe_tunnel list[3] = { make_tunnel(MARK, "10.1.0.1"),
		                        make_tunnel(MARK + 9, "2001:db8::9"),
		                        make_tunnel(MARK + 4, "10.1.0.4") };
	struct probe_value v;

	(void)state;
	assert_int_equal(probe_attach(p, "v0"), 0);
	list[1].gue = true;
	list[1].ifindex = 7;
	assert_int_equal(probe_set_tunnels(p, list, 3), 0);
	assert_true(look_up(MARK + 9, &v));
	assert_int_equal(v.ifindex, 7);
	assert_int_equal(v.gue, 1);
	assert_memory_equal(v.dst.bytes, list[1].backend.bytes, 16);
	assert_true(look_up(MARK, &v) && look_up(MARK + 4, &v));
	assert_int_equal(v.gue, 0);
	list[0] = make_tunnel(MARK + 1, "10.1.0.2"); /* one goes, one comes, two stay */
	assert_int_equal(probe_set_tunnels(p, list, 3), 0);
	assert_false(look_up(MARK, &v));
	assert_true(look_up(MARK + 1, &v) && look_up(MARK + 4, &v) && look_up(MARK + 9, &v));
	list[2].ifindex = PROBE_NO_WAY;
	assert_int_equal(probe_change_tunnel(p, &list[2]), 0);
	assert_true(look_up(MARK + 4, &v));
	assert_int_equal(v.ifindex, PROBE_IFINDEX_NONE);
	list[2].mark = MARK; /* it was taken out: a change does not bring it back */
	assert_int_equal(probe_change_tunnel(p, &list[2]), -ENOENT);
	assert_int_equal(probe_set_tunnels(p, list, PROBES_MAX + 1), -E2BIG);
	assert_int_equal(probe_set_tunnels(p, NULL, 0), 0);
	assert_false(look_up(MARK + 1, &v) || look_up(MARK + 4, &v) || look_up(MARK + 9, &v));
	probe_close(p);
}

static void a_new_process_takes_the_filters_place(void **state)
{
	struct probes *first = open_probes(), *second = open_probes();
	uint32_t before;

	(void)state;
	assert_int_equal(probe_attached(first, "v0"), -ENOENT);
	assert_int_equal(probe_attach(first, "v0"), 0);
	assert_int_equal(probe_attached(first, "v0"), 0);
	assert_int_equal(probe_attached(second, "v0"), -ENOENT); /* its own is not there */
	before = find_egress_program();
	probe_close(first); /* what is attached stays */
	assert_int_equal(find_egress_program(), before);
	assert_int_equal(probe_attach(second, "v0"), 0);
	assert_int_not_equal(find_egress_program(), before);
	assert_int_equal(probe_attached(second, "v0"), 0);
	assert_int_equal(system("test $(tc filter show dev v0 egress | grep -c weir_probe) = 1"),
	                 0);
	assert_int_equal(probe_detach(second, "v0"), 0);
	assert_int_equal(find_egress_program(), 0);
	assert_int_equal(probe_attached(second, "v0"), -ENOENT);
	probe_close(second);
}

static void an_interface_that_is_missing_or_taken_is_said_to_be(void **state)
{
	struct probes *p = open_probes();

	(void)state;
	assert_int_equal(probe_attach(p, "nosuch"), -ENODEV);
	assert_int_equal(probe_attached(p, "nosuch"), -ENODEV);
	assert_int_equal(probe_detach(p, "nosuch"), -ENODEV);
	space_run(
	        "tc qdisc add dev v0 ingress"); /* in the place of clsact: one list for both ways */
	assert_int_equal(probe_attach(p, "v0"), -EBUSY);
	assert_int_not_equal(probe_attached(p, "v0"), 0);
	assert_int_equal(system("tc filter show dev v0 ingress | grep -q weir_probe"), 256);
	probe_close(p);
}

static void send_marked(uint32_t mark, unsigned cpu)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
	inet_pton(AF_INET, "10.7.0.2", &to.sin_addr);
	assert_int_equal(setsockopt(s, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	(void)sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
	close(s);
}

static void counters_add_up_all_cpus_and_ends(void **state)
{
	unsigned n_cpus = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	struct probe_tunnel t = make_tunnel(MARK, "10.7.0.2");
	struct prefix source = { .bits = 24 };
	struct probes *p = open_probes();
	struct probe_counts c;
	cpu_set_t before;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	space_run(
	        "ip addr replace 10.7.0.1/24 dev v0; ip neigh replace 10.7.0.2 lladdr 02:00:00:00:00:02 dev v0 nud permanent");
	assert_int_equal(probe_attach(p, "v0"), 0);
	assert_int_equal(probe_set_tunnels(p, &t, 1), 0);
	for (unsigned i = 0; i < 6; i++)
		send_marked(0x57fffff0u, i % n_cpus);
	assert_int_equal(probe_counts(p, &c), 0);
	assert_int_equal(c.unknown, 6);
	assert_int_equal(c.sent + c.no_source + c.too_big + c.no_route, 0);
	send_marked(MARK, 0); /* no outer source is known yet */
	assert_int_equal(probe_counts(p, &c), 0);
	assert_int_equal(c.no_source, 1);
	assert_int_equal(addr_parse("192.0.2.0", &source.addr), 0);
	assert_int_equal(probe_set_sources(p, &source, NULL), 0);
	for (unsigned i = 0; i < 4; i++)
		send_marked(MARK, i % n_cpus);
	send_marked(0, 0); /* nobody's probe */
	assert_int_equal(probe_counts(p, &c), 0);
	assert_int_equal(c.sent, 4);
	t.ifindex = PROBE_NO_WAY;
	assert_int_equal(probe_change_tunnel(p, &t), 0);
	send_marked(MARK, 0);
	assert_int_equal(probe_counts(p, &c), 0);
	assert_int_equal(c.no_route, 1);
	assert_int_equal(c.unknown, 6);
	assert_int_equal(probe_set_sources(p, NULL, NULL), 0); /* taken back */
	t.ifindex = 0;
	assert_int_equal(probe_change_tunnel(p, &t), 0);
	send_marked(MARK, 0);
	assert_int_equal(probe_counts(p, &c), 0);
	assert_int_equal(c.no_source, 2);
	assert_int_equal(c.sent, 4);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	probe_close(p);
}

/* One frame given to the attached program, and what comes out of it. */
struct passage {
	uint8_t in[128], out[256];
	uint32_t n_in, n_out, mark_in, mark_out;
	int action;
};

/* @p n_tags VLAN tags, then an IP header with TOS or traffic class 0xb8 and 40 bytes in all. */
static void make_frame(struct passage *p, bool is4, unsigned n_tags)
{
	uint8_t *at = p->in + 12;

	memset(p->in, 0, sizeof(p->in));
	p->in[5] = 2;
	p->in[11] = 1;
	for (unsigned i = 0; i < n_tags; i++, at += 4) {
		at[0] = i + 1 < n_tags ? 0x88 : 0x81;
		at[1] = i + 1 < n_tags ? 0xa8 : 0x00;
		at[3] = 100;
	}
	at[0] = is4 ? 0x08 : 0x86;
	at[1] = is4 ? 0x00 : 0xdd;
	at += 2;
	at[0] = is4 ? 0x45 : 0x6b; /* of IPv6 the class crosses the first two bytes */
	at[1] = is4 ? 0xb8 : 0x80;
	at[is4 ? 3 : 5] = is4 ? 40 : 0;
	at[is4 ? 8 : 7] = 64;
	at[is4 ? 9 : 6] = is4 ? 6 : 59;
	p->n_in = 14 + 4 * n_tags + 40;
	p->mark_in = MARK;
}

static void run_egress_program(struct passage *p)
{
	struct __sk_buff in = { .mark = p->mark_in }, out = { 0 };
	int fd = bpf_prog_get_fd_by_id(find_egress_program());
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->in, .data_size_in = p->n_in,
	            .data_out = p->out, .data_size_out = sizeof(p->out), .ctx_in = &in,
	            .ctx_size_in = sizeof(in), .ctx_out = &out, .ctx_size_out = sizeof(out));

	assert_true(fd >= 0);
	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	close(fd);
	p->action = (int)opts.retval;
	p->n_out = opts.data_size_out;
	p->mark_out = out.mark;
}

/* The lengths, checksum and ports of an outer header before 40 bytes of @p inner_protocol. */
static void check_outer(const uint8_t *ip, bool is4, bool gue, uint8_t inner_protocol)
{
	const uint8_t *udp = ip + (is4 ? 20 : 40);
	unsigned behind = 40 + (gue ? 12 : 0), sum = 0;

	if (is4) {
		for (int i = 0; i < 20; i += 2)
			sum += (unsigned)(ip[i] << 8 | ip[i + 1]);
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
		assert_int_equal(ip[2] << 8 | ip[3], 20 + behind);
		assert_int_equal(ip[8], 64);
	} else {
		assert_int_equal(ip[4] << 8 | ip[5], behind);
		assert_int_equal(ip[7], 64);
	}
	if (!gue)
		return;
	assert_true(udp[0] >= 0xc0);
	assert_int_equal(udp[2] << 8 | udp[3], 6080);
	assert_int_equal(udp[4] << 8 | udp[5], behind);
	assert_int_equal(udp[6] | udp[7] | udp[8] | udp[10] | udp[11], 0);
	assert_int_equal(udp[9], inner_protocol);
}

static void a_probe_leaves_in_the_tunnel_that_users_packets_have(void **state)
{
	static const struct {
		bool inner4, outer4, gue;
		uint32_t outer_len;
		uint8_t protocol;
	} rows[] = {
		{ true, true, false, 20, 4 },   { false, true, false, 20, 41 },
		{ true, false, false, 40, 4 },  { false, false, false, 40, 41 },
		{ true, true, true, 32, 17 },   { false, true, true, 32, 17 },
		{ false, false, true, 52, 17 }, { true, false, true, 52, 17 },
	};
	struct probes *p = open_probes();
	struct prefix four = { .bits = 24 }, six = { .bits = 64 };

	(void)state;
	assert_int_equal(addr_parse("192.0.2.0", &four.addr), 0);
	assert_int_equal(addr_parse("2001:db8:5::", &six.addr), 0);
	assert_int_equal(probe_attach(p, "v0"), 0);
	assert_int_equal(probe_set_sources(p, &four, &six), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned n_tags = 0; n_tags < 3; n_tags++) {
			struct probe_tunnel t =
			        make_tunnel(MARK, rows[i].outer4 ? "10.7.0.2" : "2001:db8:7::2");
			struct passage x;
			const uint8_t *ip = x.out + 14;

			t.gue = rows[i].gue;
			assert_int_equal(probe_set_tunnels(p, &t, 1), 0);
			make_frame(&x, rows[i].inner4, n_tags);
			run_egress_program(&x);
			assert_int_equal(x.action, TC_ACT_REDIRECT);
			assert_int_equal(x.mark_out, 0);
			assert_int_equal(x.n_out, 14 + rows[i].outer_len + 40); /* no tag is left */
			assert_int_equal(x.out[12] << 8 | x.out[13],
			                 rows[i].outer4 ? 0x0800 : 0x86dd);
			assert_int_equal(rows[i].outer4 ? ip[1] : (ip[0] << 4 | ip[1] >> 4) & 0xff,
			                 0xb8);
			assert_int_equal(ip[rows[i].outer4 ? 9 : 6], rows[i].protocol);
			if (rows[i].outer4) {
				assert_memory_equal(ip + 12, four.addr.bytes + 12, 3);
				assert_memory_equal(ip + 16, t.backend.bytes + 12, 4);
			} else {
				assert_memory_equal(ip + 8, six.addr.bytes, 8);
				assert_memory_equal(ip + 24, t.backend.bytes, 16);
			}
			check_outer(ip, rows[i].outer4, rows[i].gue, rows[i].inner4 ? 4 : 41);
			assert_memory_equal(ip + rows[i].outer_len, x.in + 14 + 4 * n_tags, 40);
		}
	probe_close(p);
}

/* Connections have outer sources of their own, by which routers spread them; each has one. */
static void the_outer_source_is_a_connections_own(void **state)
{
	struct probe_tunnel t = make_tunnel(MARK, "10.7.0.2");
	struct prefix four = { .bits = 24 };
	struct probes *p = open_probes();
	unsigned n_hosts = 0, n_ports = 0;
	struct passage first, x;

	(void)state;
	t.gue = true;
	assert_int_equal(addr_parse("192.0.2.0", &four.addr), 0);
	assert_int_equal(probe_attach(p, "v0"), 0);
	assert_int_equal(probe_set_sources(p, &four, NULL), 0);
	assert_int_equal(probe_set_tunnels(p, &t, 1), 0);
	for (uint8_t i = 0; i < 16; i++) {
		make_frame(&x, true, 0);
		x.in[14 + 21] = i; /* the port that it comes from */
		run_egress_program(&x);
		if (i == 0)
			first = x;
		n_hosts += x.out[14 + 15] != first.out[14 + 15];
		n_ports += memcmp(x.out + 34, first.out + 34, 2) != 0;
	}
	assert_true(n_hosts && n_ports);
	make_frame(&x, true, 0);
	run_egress_program(&x);
	assert_memory_equal(x.out + 14, first.out + 14, 20 + 2);
	probe_close(p);
}

/* It would reach the VIP by another way, and its answer speak for a backend that was not asked. */
static void a_marked_packet_never_leaves_without_its_tunnel(void **state)
{
	static const struct {
		const char *why, *backend; /* NULL: the mark has no tunnel */
		uint32_t ifindex;
		bool has_source, is4;
		uint16_t etype;
		struct probe_counts ends; /* how many of each more */
	} rows[] = {
		{ "no such mark", NULL, 0, true, true, 0x0800, { .unknown = 1 } },
		{ "no source", "10.7.0.2", 0, false, true, 0x0800, { .no_source = 1 } },
		{ "no way", "10.7.0.2", PROBE_NO_WAY, true, true, 0x0800, { .no_route = 1 } },
		{ "no source of that family",
		  "2001:db8:7::2",
		  0,
		  true,
		  true,
		  0x0800,
		  { .no_source = 1 } },
		{ "no IP", "10.7.0.2", 0, true, true, 0x0806, { .unknown = 1 } },
		{ "well", "10.7.0.2", 0, true, true, 0x0800, { .sent = 1 } },
		{ "well", "10.7.0.2", 0, true, false, 0x86dd, { .sent = 1 } },
	};
	struct probes *p = open_probes();
	struct prefix four = { .bits = 24 };

	(void)state;
	assert_int_equal(addr_parse("192.0.2.0", &four.addr), 0);
	assert_int_equal(probe_attach(p, "v0"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const bool has_tunnel = rows[i].backend != NULL;
		struct probe_tunnel t = make_tunnel(MARK, has_tunnel ? rows[i].backend : "::");
		struct probe_counts before, after;
		struct passage x;

		t.ifindex = rows[i].ifindex;
		assert_int_equal(probe_set_sources(p, rows[i].has_source ? &four : NULL, NULL), 0);
		assert_int_equal(probe_set_tunnels(p, &t, has_tunnel), 0);
		make_frame(&x, rows[i].is4, 0);
		x.in[12] = (uint8_t)(rows[i].etype >> 8);
		x.in[13] = (uint8_t)rows[i].etype;
		assert_int_equal(probe_counts(p, &before), 0);
		run_egress_program(&x);
		assert_int_equal(probe_counts(p, &after), 0);
		if (x.action != (rows[i].ends.sent ? TC_ACT_REDIRECT : TC_ACT_SHOT) ||
		    after.sent - before.sent != rows[i].ends.sent ||
		    after.unknown - before.unknown != rows[i].ends.unknown ||
		    after.no_source - before.no_source != rows[i].ends.no_source ||
		    after.no_route - before.no_route != rows[i].ends.no_route ||
		    after.too_big != before.too_big)
			fail_msg("%s: action %d", rows[i].why, x.action);
	}
	probe_close(p);
}

static void what_has_another_mark_is_not_touched(void **state)
{
	static const uint32_t marks[] = {
		0, 1, 0x56ffffffu, 0x58000000u, 0x58000001u, 0xd7000001u
	};
	struct probes *p = open_probes();
	struct probe_tunnel t = make_tunnel(MARK, "10.7.0.2");

	(void)state;
	assert_int_equal(probe_attach(p, "v0"), 0);
	assert_int_equal(probe_set_tunnels(p, &t, 1), 0);
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		struct passage x;

		make_frame(&x, true, 0);
		x.mark_in = marks[i];
		run_egress_program(&x);
		assert_int_equal(x.action, TC_ACT_UNSPEC);
		assert_int_equal(x.mark_out, marks[i]);
		assert_int_equal(x.n_out, x.n_in);
		assert_memory_equal(x.out, x.in, x.n_in);
	}
	probe_close(p);
}

SUITE(probe)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(the_table_holds_exactly_what_was_set_last, remove_qdiscs),
		cmocka_unit_test_teardown(a_new_process_takes_the_filters_place, remove_qdiscs),
		cmocka_unit_test_teardown(an_interface_that_is_missing_or_taken_is_said_to_be,
		                          remove_qdiscs),
		cmocka_unit_test_teardown(counters_add_up_all_cpus_and_ends, remove_qdiscs),
		cmocka_unit_test_teardown(a_probe_leaves_in_the_tunnel_that_users_packets_have,
		                          remove_qdiscs),
		cmocka_unit_test_teardown(the_outer_source_is_a_connections_own, remove_qdiscs),
		cmocka_unit_test_teardown(a_marked_packet_never_leaves_without_its_tunnel,
		                          remove_qdiscs),
		cmocka_unit_test_teardown(what_has_another_mark_is_not_touched, remove_qdiscs),
	};

	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
