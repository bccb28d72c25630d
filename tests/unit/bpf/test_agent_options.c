/* SPDX-License-Identifier: BSD-2-Clause */
/* Which MSS the agent accepts, and which MTU it reads (bpf/agent_mss.c). No BPF program runs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/agent_maps.h"
#include "bpf/agent_mss.h"
#include "tests/unit/bpf_answers.h"
#include "tests/unit/suite.h"
#include "weir/agent.h"

static struct agent_mss_setting filled;

static int own_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	assert_int_equal(fd, 7);
	assert_int_equal(*(const uint32_t *)key, 0);
	assert_int_equal(flags, 0);
	memcpy(&filled, value, sizeof(filled));
	return 0;
}

/* The documented numbers, not the code's own. */
static void an_mss_from_536_to_65495_is_taken(void **state)
{
	static const struct {
		uint32_t mss;
		bool is_taken;
	} cases[] = {
		{ AGENT_MSS_AUTO, true }, { AGENT_MSS_OFF, true }, { 535, false },   { 536, true },
		{ 1460, true },           { 65495, true },         { 65496, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct prefix source = { .bits = 0 };
		const struct agent_options o = { .prefixes = &source,
			                         .n_prefixes = 1,
			                         .mss = cases[i].mss };
		char error[AGENT_ERROR_MAX] = "";
		int err = agent_attach("nosuch", &o, error); /* what is looked at next */

		if (err != (cases[i].is_taken ? -ENODEV : -EINVAL))
			fail_msg("%u: %d, %s", cases[i].mss, err, error);
	}
}

/* An MTU that is not known is none, and no guess. */
static void the_program_reads_the_interface_s_mtu_or_none(void **state)
{
	const struct agent_options o = { .mss = 1400, .n_owners = 2 };

	(void)state;
	assert_int_equal(agent_mss_fill(7, "nosuch", &o), 0);
	assert_int_equal(filled.mss, 1400);
	assert_int_equal(filled.mtu, 0);
	assert_true(filled.has_owners);
	assert_int_equal(agent_mss_fill(7, "lo", &(struct agent_options){ .mss = 536 }), 0);
	assert_int_equal(filled.mss, 536);
	assert_true(filled.mtu > 0);
	assert_false(filled.has_owners);
}

SUITE(agent_options)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_mss_from_536_to_65495_is_taken),
		cmocka_unit_test(the_program_reads_the_interface_s_mtu_or_none),
	};

	answer_bpf_map_update_elem = own_bpf_map_update_elem;
	return cmocka_run_group_tests_name("agent options", tests, NULL, NULL);
}
