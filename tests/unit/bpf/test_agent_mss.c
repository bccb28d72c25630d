/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The agent and the MSS: which SYNs make a service known, and what becomes of the SYN-ACKs that leave.
 * Frames are shown to both programs by BPF_PROG_TEST_RUN, in a namespace of the test's own, whose
 * loopback interface has the MTU of a link. Checksums are summed anew by the standard's way, apart
 * from the code under test. Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <linux/pkt_cls.h>

#include "bpf/agent_maps.h"
#include "tests/unit/bpf/space.h"
#include "tests/unit/healthcheck/tunnel_frames.h"
#include "tests/unit/suite.h"
#include "weir/fwd/mss.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#include "bpf/agent.skel.h"
#pragma GCC diagnostic pop

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define VIP_PORT 443u
#define IPIP4    20u

static struct weir_agent_bpf *skel;

static const uint8_t vip4[4] = { 203, 0, 113, 10 };
static const uint8_t vip6[16] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10 };

static void set_mss(uint32_t mss, bool has_owners)
{
	struct agent_mss_setting s = { .mss = mss, .mtu = 1500, .has_owners = has_owners };
	uint32_t zero = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.agent_mss), &zero, &s, BPF_ANY),
	                 0);
}

static struct agent_service key_of(bool is4, unsigned port)
{
	struct agent_service key = { .port = { (uint8_t)(port >> 8), (uint8_t)port } };

	if (is4) {
		key.vip[10] = key.vip[11] = 0xff;
		memcpy(key.vip + 12, vip4, 4);
	} else {
		memcpy(key.vip, vip6, 16);
	}
	return key;
}

static void note_service(bool is4, uint32_t overhead)
{
	struct agent_service key = key_of(is4, VIP_PORT);

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skel->maps.agent_services), &key,
	                                     &overhead, BPF_ANY),
	                 0);
}

/* What is noted of the service, and no longer is afterwards; 0: nothing. */
static uint32_t take_noted(bool is4)
{
	struct agent_service key = key_of(is4, VIP_PORT);
	uint32_t overhead = 0;
	int fd = bpf_map__fd(skel->maps.agent_services);

	if (!bpf_map_lookup_elem(fd, &key, &overhead))
		bpf_map_delete_elem(fd, &key);
	return overhead;
}

static uint64_t count_of(enum mss_end end)
{
	uint64_t per_cpu[512] = { 0 }, sum = 0;
	uint32_t key = end;

	assert_true(libbpf_num_possible_cpus() <= 512);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.agent_mss_ends), &key, per_cpu),
	                 0);
	for (int c = 0; c < libbpf_num_possible_cpus(); c++)
		sum += per_cpu[c];
	return sum;
}

static int set_up(void **state)
{
	(void)state;
	set_mss(AGENT_MAP_MSS_AUTO, false);
	space_run("ip link set lo mtu 1500");
	(void)take_noted(true);
	(void)take_noted(false);
	return 0;
}

/* --- SYNs in tunnels --- */

static void accept_sources(void)
{
	struct agent_key key = { .bits = 0 };
	uint32_t uses = AGENT_USE_SOURCE;

	assert_int_equal(
	        bpf_map_update_elem(bpf_map__fd(skel->maps.agent_prefixes), &key, &uses, BPF_ANY),
	        0);
}

/* A tunnel with a segment of these flags inside. */
static struct tunnel_frame segment_in(struct tunnel_plan plan, uint8_t flags)
{
	plan.payload_len = 20;
	struct tunnel_frame f = make_frame(&plan);
	uint8_t *tcp = f.bytes + f.inner + (plan.inner4 ? 20 : 40);

	memset(tcp, 0, 20);
	put_be16(tcp, 40000);
	put_be16(tcp + 2, VIP_PORT);
	tcp[12] = 5 << 4;
	tcp[13] = flags;
	return f;
}

static void show_to_xdp(const struct tunnel_frame *f)
{
	uint8_t out[FRAME_MAX + 64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = (uint32_t)f->n,
	            .data_out = out, .data_size_out = sizeof(out));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.weir_agent), &opts), 0);
}

/* What fwd_overhead() leaves room for, by the picture in docs/second-chance.md. */
static uint32_t expected_overhead(const struct tunnel_plan *p, bool has_owners)
{
	uint32_t outer = p->outer4 ? 20 : 40;

	if (p->kind == TUNNEL_IPIP)
		return outer;
	return outer + 8 + 4 + (has_owners || p->owners ? (p->outer4 ? 16 : 52) : 0);
}

static void a_syn_notes_its_service_and_what_the_tunnel_takes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_PLANS; i++)
		for (unsigned with = 0; with < 4; with++) {
			struct tunnel_plan plan = nth_plan(i);
			bool has_owners = with & 1;

			/* Asked last: no socket is looked up. */
			plan.owners = plan.next = with >> 1 && plan.kind == TUNNEL_GUE0;
			set_mss(AGENT_MAP_MSS_AUTO, has_owners);
			struct tunnel_frame f = segment_in(plan, 0x02);
			uint64_t n = count_of(MSS_SYN);

			show_to_xdp(&f);
			if (take_noted(plan.inner4) != expected_overhead(&plan, has_owners))
				fail_msg("plan %u, with %u", i, with);
			assert_int_equal(count_of(MSS_SYN), n + 1);
			show_to_xdp(&f); /* another tunnel replaces it */
			note_service(plan.inner4, 7);
			show_to_xdp(&f);
			assert_int_equal(take_noted(plan.inner4),
			                 expected_overhead(&plan, has_owners));
		}
}

static void nothing_else_notes_a_service(void **state)
{
	static const uint8_t flags[] = { 0x00, 0x10, 0x12, 0x03, 0x06, 0x18 };
	struct tunnel_plan plan = { .kind = TUNNEL_IPIP, .outer4 = true, .inner4 = true };
	struct tunnel_frame f;

	(void)state;
	for (size_t i = 0; i < COUNT(flags); i++) {
		f = segment_in(plan, flags[i]);
		show_to_xdp(&f);
		if (take_noted(true))
			fail_msg("flags %02x", flags[i]);
	}
	f = segment_in(plan, 0xc2); /* ECN asked for */
	show_to_xdp(&f);
	assert_int_equal(take_noted(true), IPIP4);
	f = segment_in(plan, 0x02);
	f.bytes[f.inner + 9] = 17; /* UDP */
	fix_sum4(f.bytes + f.inner);
	show_to_xdp(&f);
	assert_int_equal(take_noted(true), 0);
	f = segment_in(plan, 0x02);
	f.bytes[f.inner + 7] = 1; /* a later fragment */
	fix_sum4(f.bytes + f.inner);
	show_to_xdp(&f);
	assert_int_equal(take_noted(true), 0);
	plan.kind = TUNNEL_NONE; /* nobody's tunnel */
	f = segment_in(plan, 0x02);
	show_to_xdp(&f);
	assert_int_equal(take_noted(true), 0);
	plan.kind = TUNNEL_IPIP;
	set_mss(AGENT_MAP_MSS_OFF, false);
	f = segment_in(plan, 0x02);
	show_to_xdp(&f);
	assert_int_equal(take_noted(true), 0);
}

/* --- SYN-ACKs that leave --- */

struct reply {
	bool is4;
	unsigned tags, ip_options; /* VLAN tags in the frame; words of IPv4 options */
	uint8_t options[40];
	unsigned n_options;
	uint8_t flags; /* 0: SYN and ACK */
};

struct reply_frame {
	uint8_t bytes[200];
	unsigned n, ip, tcp;
};

static uint32_t sum_bytes(const uint8_t *p, unsigned n, uint32_t sum)
{
	for (unsigned i = 0; i < n; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	return sum;
}

/* The sum of the TCP segment with its pseudo header: 0xffff if its checksum is right. */
static unsigned tcp_sum(const struct reply_frame *f, bool is4)
{
	unsigned len = f->n - f->tcp;
	uint32_t sum = 6 + len;

	sum = sum_bytes(f->bytes + f->ip + (is4 ? 12 : 8), is4 ? 8 : 32, sum);
	sum = sum_bytes(f->bytes + f->tcp, len, sum);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static struct reply_frame make_reply(const struct reply *r)
{
	struct reply_frame f = { .n = 12 };
	unsigned header_len = 20 + r->n_options;
	uint8_t *tcp;

	memcpy(f.bytes, "\x02\xaa\xbb\xcc\xdd\x02\x02\xaa\xbb\xcc\xdd\x01", 12);
	for (unsigned i = 0; i < r->tags; i++) {
		put_be16(f.bytes + f.n, i + 1 < r->tags ? 0x88a8 : 0x8100);
		put_be16(f.bytes + f.n + 2, 100 + i);
		f.n += 4;
	}
	put_be16(f.bytes + f.n, r->is4 ? 0x0800 : 0x86dd);
	f.ip = f.n + 2;
	put_ip(f.bytes + f.ip, r->is4, r->ip_options, 6, header_len, 0, 9);
	memcpy(f.bytes + f.ip + (r->is4 ? 12 : 8), r->is4 ? vip4 : vip6, r->is4 ? 4 : 16);
	if (r->is4)
		fix_sum4(f.bytes + f.ip);
	f.tcp = f.ip + ip_len(r->is4, r->ip_options);
	f.n = f.tcp + header_len;
	tcp = f.bytes + f.tcp;
	put_be16(tcp, VIP_PORT);
	put_be16(tcp + 2, 40000);
	tcp[12] = (uint8_t)(header_len / 4 << 4);
	tcp[13] = r->flags ? r->flags : 0x12;
	memcpy(tcp + 20, r->options, r->n_options);
	put_be16(tcp + 16, ~tcp_sum(&f, r->is4) & 0xffff);
	assert_int_equal(tcp_sum(&f, r->is4), 0xffff);
	return f;
}

/* Show @p f to the program at the egress. @return what leaves */
static struct reply_frame send_out(const struct reply_frame *f)
{
	struct reply_frame out = *f;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = f->n,
	            .data_out = out.bytes, .data_size_out = sizeof(out.bytes));

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.weir_agent_mss), &opts),
	                 0);
	assert_int_equal((int)opts.retval, TC_ACT_UNSPEC); /* the next program's turn */
	assert_int_equal(opts.data_size_out, f->n);
	return out;
}

#define LINUX_OPTIONS                                                                              \
	{                                                                                          \
		2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 3, 3, 7                     \
	}

static void expect_mss(const struct reply *r, unsigned at, unsigned mss, const char *why)
{
	struct reply_frame in = make_reply(r), out = send_out(&in), want = in;

	put_be16(want.bytes + want.tcp + at, mss);
	memcpy(want.bytes + want.tcp + 16, out.bytes + out.tcp + 16, 2); /* looked at below */
	if (memcmp(out.bytes, want.bytes, in.n))
		fail_msg("%s: MSS %u", why,
		         out.bytes[out.tcp + at] << 8 | out.bytes[out.tcp + at + 1]);
	if (tcp_sum(&out, r->is4) != 0xffff)
		fail_msg("%s: checksum", why);
}

static void a_synack_is_lowered_to_what_the_tunnel_carries(void **state)
{
	static const struct {
		const char *why;
		uint32_t overhead;
		unsigned mss4, mss6;
	} rows[] = {
		{ "IPIP, IPv4 outside", 20, 1440, 1420 },
		{ "IPIP, IPv6 outside", 40, 1420, 1400 },
		{ "GUE, IPv4 outside", 32, 1428, 1408 },
		{ "GUE, IPv6 outside, a list", 104, 1356, 1336 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned is4 = 0; is4 < 2; is4++)
			for (unsigned tags = 0; tags < 3; tags++)
				for (unsigned words = 0; words < (is4 ? 11u : 1u); words += 5) {
					struct reply r = { .is4 = is4,
						           .tags = tags,
						           .ip_options = words,
						           .options = LINUX_OPTIONS,
						           .n_options = 20 };
					uint64_t n = count_of(MSS_LOWERED);

					note_service(is4, rows[i].overhead);
					expect_mss(&r, 22, is4 ? rows[i].mss4 : rows[i].mss6,
					           rows[i].why);
					assert_int_equal(count_of(MSS_LOWERED), n + 1);
				}
}

static void the_checksum_stays_right_wherever_the_option_is(void **state)
{
	(void)state;
	note_service(true, IPIP4);
	for (unsigned at = 0; at <= 36; at++)
		for (unsigned mss = 1441; mss < 65536; mss += 997) {
			struct reply r = { .is4 = true, .n_options = 40 };

			memset(r.options, 1, sizeof(r.options));
			memcpy(r.options + at, (const uint8_t[]){ 2, 4 }, 2);
			put_be16(r.options + at + 2, mss);
			expect_mss(&r, 20 + at + 2, 1440, "somewhere");
		}
}

static void an_mss_is_never_raised_and_a_number_is_taken_as_it_is(void **state)
{
	static const struct {
		const char *why;
		uint32_t setting;
		unsigned before, after;
		enum mss_end end;
	} rows[] = {
		{ "smaller", AGENT_MAP_MSS_AUTO, 1439, 1439, MSS_KEPT },
		{ "as large", AGENT_MAP_MSS_AUTO, 1440, 1440, MSS_KEPT },
		{ "one larger", AGENT_MAP_MSS_AUTO, 1441, 1440, MSS_LOWERED },
		{ "the largest", AGENT_MAP_MSS_AUTO, 65535, 1440, MSS_LOWERED },
		{ "none at all", AGENT_MAP_MSS_AUTO, 0, 0, MSS_KEPT },
		{ "a number", 1200, 1460, 1200, MSS_LOWERED },
		{ "a number that is larger", 9000, 1460, 1460, MSS_KEPT },
		{ "a number larger than auto", 1450, 1460, 1450, MSS_LOWERED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reply r = { .is4 = true, .options = { 2, 4 }, .n_options = 4 };
		uint64_t n = count_of(rows[i].end);

		note_service(true, IPIP4);
		set_mss(rows[i].setting, false);
		put_be16(r.options + 2, rows[i].before);
		expect_mss(&r, 22, rows[i].after, rows[i].why);
		assert_int_equal(count_of(rows[i].end), n + 1);
	}
}

/* The kernel says the MTU of the moment. */
static void the_interfaces_mtu_counts_as_it_is_now(void **state)
{
	static const struct {
		unsigned mtu, mss;
	} rows[] = { { 1400, 1340 }, { 1500, 1440 }, { 9000, 8940 } };

	(void)state;
	note_service(true, IPIP4);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reply r = { .is4 = true, .options = { 2, 4, 0xff, 0xff }, .n_options = 4 };

		space_run("ip link set lo mtu %u", rows[i].mtu);
		expect_mss(&r, 22, rows[i].mss, "by the MTU");
	}
}

static void expect_untouched(const struct reply_frame *f, const char *why)
{
	struct reply_frame out = send_out(f);

	if (memcmp(out.bytes, f->bytes, f->n))
		fail_msg("%s: changed", why);
}

static void what_is_no_synack_of_a_noted_service_leaves_as_it_is(void **state)
{
	static const uint8_t flags[] = { 0x02, 0x10, 0x13, 0x16, 0x14, 0x18 };
	struct reply r = { .options = LINUX_OPTIONS, .n_options = 20 };
	struct reply_frame f;
	uint64_t n = 0;

	(void)state;
	for (int e = MSS_LOWERED; e < MSS_END_COUNT; e++)
		n -= count_of((enum mss_end)e);
	for (unsigned is4 = 0; is4 < 2; is4++) {
		r.is4 = is4;
		r.flags = 0;
		f = make_reply(&r);
		expect_untouched(&f, "another service's");
		note_service(is4, IPIP4);
		f.bytes[f.tcp + 1]++;
		expect_untouched(&f, "another port");
		f = make_reply(&r);
		f.bytes[f.ip + (is4 ? 15 : 23)]++;
		expect_untouched(&f, "another address");
		for (size_t i = 0; i < COUNT(flags); i++) {
			r.flags = flags[i];
			f = make_reply(&r);
			expect_untouched(&f, "other flags");
		}
		r.flags = 0;
		f = make_reply(&r);
		f.bytes[f.ip + (is4 ? 9 : 6)] = is4 ? 17 : 0; /* IPv6: behind hop-by-hop options */
		expect_untouched(&f, "another header");
		f = make_reply(&r);
		f.bytes[f.ip] ^= 0x10;
		expect_untouched(&f, "another version");
		f = make_reply(&r);
		f.bytes[13] = 6;
		expect_untouched(&f, "no IP by its type");
	}
	r.is4 = true;
	f = make_reply(&r);
	f.bytes[f.ip + 6] = 0x20;
	expect_untouched(&f, "a fragment");
	f = make_reply(&r);
	f.bytes[f.ip] = 0x44;
	expect_untouched(&f, "a header too short");
	r.tags = 3;
	f = make_reply(&r);
	expect_untouched(&f, "behind three tags");
	r.tags = 0;
	set_mss(AGENT_MAP_MSS_OFF, false);
	f = make_reply(&r);
	expect_untouched(&f, "off");
	for (int e = MSS_LOWERED; e < MSS_END_COUNT; e++)
		n += count_of((enum mss_end)e);
	assert_int_equal(n, 0); /* nor was one of them counted */
}

static void options_that_make_no_sense_are_left_alone_and_counted(void **state)
{
	static const struct {
		const char *why;
		uint8_t options[8];
		unsigned n;
		enum mss_end end;
	} rows[] = {
		{ "no option at all", { 0 }, 0, MSS_ABSENT },
		{ "none of ours", { 4, 2, 1, 1 }, 4, MSS_ABSENT },
		{ "a length of zero", { 8, 0, 2, 4, 5, 0xb4, 1, 1 }, 8, MSS_MALFORMED },
		{ "cut", { 1, 1, 1, 1, 1, 2, 4, 5 }, 8, MSS_MALFORMED },
		{ "of three bytes", { 2, 3, 5, 1, 0, 0, 0, 0 }, 8, MSS_MALFORMED },
	};

	(void)state;
	note_service(true, IPIP4);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct reply r = { .is4 = true, .n_options = rows[i].n };
		uint64_t n = count_of(rows[i].end);

		memcpy(r.options, rows[i].options, sizeof(rows[i].options));
		struct reply_frame f = make_reply(&r);

		expect_untouched(&f, rows[i].why);
		assert_int_equal(count_of(rows[i].end), n + 1);
	}
}

/* Lengths of the three headers that contradict one another: nothing beyond the packet is written. */
static void headers_that_contradict_each_other_are_left_alone(void **state)
{
	struct reply r = { .is4 = true, .options = LINUX_OPTIONS, .n_options = 20 };
	struct reply_frame f;
	uint64_t n = count_of(MSS_MALFORMED);

	(void)state;
	note_service(true, IPIP4);
	f = make_reply(&r);
	f.bytes[f.tcp + 12] = 4 << 4;
	expect_untouched(&f, "a TCP header too short");
	f.bytes[f.tcp + 12] = 15 << 4;
	expect_untouched(&f, "one longer than the packet");
	f = make_reply(&r);
	put_be16(f.bytes + f.ip + 2, 20 + 24);
	expect_untouched(&f, "an IP packet shorter than its TCP header");
	assert_int_equal(count_of(MSS_MALFORMED), n + 3);
	f = make_reply(&r);
	put_be16(f.bytes + f.ip + 2, 60 + 40); /* the frame ends before */
	f.bytes[f.tcp + 12] = 15 << 4;
	expect_untouched(&f, "a frame that ends within its options");
	space_run("ip link set lo mtu 100");
	n = count_of(MSS_FAILED);
	f = make_reply(&r);
	expect_untouched(&f, "a link too narrow for any MSS");
	assert_int_equal(count_of(MSS_FAILED), n + 1);
}

SUITE(agent_mss)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_syn_notes_its_service_and_what_the_tunnel_takes, set_up),
		cmocka_unit_test_setup(nothing_else_notes_a_service, set_up),
		cmocka_unit_test_setup(a_synack_is_lowered_to_what_the_tunnel_carries, set_up),
		cmocka_unit_test_setup(the_checksum_stays_right_wherever_the_option_is, set_up),
		cmocka_unit_test_setup(an_mss_is_never_raised_and_a_number_is_taken_as_it_is,
		                       set_up),
		cmocka_unit_test_setup(the_interfaces_mtu_counts_as_it_is_now, set_up),
		cmocka_unit_test_setup(what_is_no_synack_of_a_noted_service_leaves_as_it_is,
		                       set_up),
		cmocka_unit_test_setup(options_that_make_no_sense_are_left_alone_and_counted,
		                       set_up),
		cmocka_unit_test_setup(headers_that_contradict_each_other_are_left_alone, set_up),
	};
	int failed;

	if (space_enter(false)) {
		printf("needs root: skipped\n");
		return 77;
	}
	skel = weir_agent_bpf__open_and_load();
	if (!skel) {
		fprintf(stderr, "the agent's programs cannot be loaded\n");
		return 1;
	}
	accept_sources();
	failed = cmocka_run_group_tests_name("agent mss", tests, NULL, NULL);
	weir_agent_bpf__destroy(skel);
	return failed;
}
