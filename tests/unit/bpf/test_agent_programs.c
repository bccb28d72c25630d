/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The agent's second program, at the ingress: which frames it sends on by a route of the kernel's. Each is shown to it
 * by BPF_PROG_TEST_RUN, at a loopback interface, whose MAC address is all zeros. Needs root. (agent-diff shows frames
 * to the first program.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/pkt_cls.h>

#include "tests/unit/healthcheck/tunnel_frames.h"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#pragma GCC diagnostic ignored "-Wshadow"
#include "bpf/agent.skel.h"
#include "tests/unit/suite.h"
#pragma GCC diagnostic pop

static struct weir_agent_bpf *skel;

/* The frame of @p plan, to the interface's own address. */
static struct tunnel_frame own_frame(struct tunnel_plan plan)
{
	struct tunnel_frame f = make_frame(&plan);

	memset(f.bytes, 0, 6);
	return f;
}

static int action_of(const struct tunnel_frame *f, size_t n)
{
	uint8_t out[FRAME_MAX + 64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = (uint32_t)n,
	            .data_out = out, .data_size_out = sizeof(out));

	assert_int_equal(
	        bpf_prog_test_run_opts(bpf_program__fd(skel->progs.weir_agent_next), &opts), 0);
	assert_int_equal(opts.data_size_out, n); /* what goes on is what came */
	assert_memory_equal(out, f->bytes, n);
	return (int)opts.retval;
}

/* A list of owners between GUE and the inner packet, in either family, behind options too. */
static void what_names_owners_is_sent_on_and_other_tunnels_are_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_PLANS; i++)
		for (unsigned owners = 0; owners <= 3; owners++) {
			struct tunnel_plan plan = nth_plan(i);

			plan.owners = owners;
			if (owners && plan.kind != TUNNEL_GUE0)
				continue;
			struct tunnel_frame f = own_frame(plan);

			if (action_of(&f, f.n) != (owners ? TC_ACT_REDIRECT : TC_ACT_OK))
				fail_msg("plan %u, %u owners", i, owners);
		}
	struct tunnel_frame bare =
	        own_frame((struct tunnel_plan){ .inner4 = true, .payload_len = 24 });
	assert_int_equal(action_of(&bare, bare.n), TC_ACT_OK);
}

/* One byte of it changed: what the XDP program would not have made. Offsets are from a part of the frame. */
static void what_only_looks_like_it_is_the_kernels(void **state)
{
	enum part { ETH, OUTER, UDP, GUE };
	static const struct {
		const char *why;
		enum part from;
		unsigned at;
		uint8_t is;
		bool goes_on;
	} rows[] = {
		{ "for another host", ETH, 5, 1, false },
		{ "for a group", ETH, 0, 1, false },
		{ "no IP by its type", ETH, 13, 0x06, false },
		{ "another protocol", OUTER, 9, 6, false },
		{ "a tunnel without UDP", OUTER, 9, 4, false },
		{ "a header too short", OUTER, 0, 0x44, false },
		{ "of another version", OUTER, 0, 0x65, false },
		{ "a later fragment", OUTER, 7, 1, false },
		{ "a first fragment: its port is there", OUTER, 6, 0x20, true },
		{ "another port", UDP, 3, 0xc1, false },
		{ "another port's upper half", UDP, 2, 0x16, false },
		{ "from another port", UDP, 0, 0x11, true },
		{ "a list of another length", GUE, 0, 1, true }, /* the first program has looked */
		{ "without a list", GUE, 0, 0, false },
		{ "variant 1", GUE, 0, 0x45, false },
		{ "variant 1, IPv6", GUE, 0, 0x62, false },
		{ "a control message", GUE, 0, 0x22, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tunnel_frame f = own_frame((struct tunnel_plan){ .kind = TUNNEL_GUE0,
		                                                        .outer4 = true,
		                                                        .inner4 = true,
		                                                        .payload_len = 24,
		                                                        .owners = 2 });
		const size_t from[] = { 0, f.outer, f.udp, f.gue };

		assert_int_equal(action_of(&f, f.n), TC_ACT_REDIRECT);
		f.bytes[from[rows[i].from] + rows[i].at] = rows[i].is;
		if (action_of(&f, f.n) != (rows[i].goes_on ? TC_ACT_REDIRECT : TC_ACT_OK))
			fail_msg("%s", rows[i].why);
	}
}

static void a_frame_that_is_cut_is_the_kernels_up_to_the_lists_head(void **state)
{
	(void)state;
	for (unsigned is4 = 0; is4 < 2; is4++) {
		struct tunnel_frame f = own_frame((struct tunnel_plan){ .kind = TUNNEL_GUE0,
		                                                        .outer4 = is4,
		                                                        .inner4 = true,
		                                                        .payload_len = 24,
		                                                        .owners = 1 });

		for (size_t n = f.outer + (is4 ? 20 : 40); n <= f.n; n++)
			assert_int_equal(action_of(&f, n),
			                 n < f.list + 4 ? TC_ACT_OK : TC_ACT_REDIRECT);
	}
}

SUITE(agent_programs)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_names_owners_is_sent_on_and_other_tunnels_are_not),
		cmocka_unit_test(what_only_looks_like_it_is_the_kernels),
		cmocka_unit_test(a_frame_that_is_cut_is_the_kernels_up_to_the_lists_head),
	};
	int failed;

	if (geteuid()) {
		printf("needs root: skipped\n");
		return 77;
	}
	skel = weir_agent_bpf__open_and_load();
	if (!skel) {
		fprintf(stderr, "the agent's programs cannot be loaded\n");
		return 1;
	}
	failed = cmocka_run_group_tests_name("agent programs", tests, NULL, NULL);
	weir_agent_bpf__destroy(skel);
	return failed;
}
