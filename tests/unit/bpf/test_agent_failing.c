/* SPDX-License-Identifier: BSD-2-Clause */
/* An agent that is replaced while the kernel refuses one request, whichever it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/calls.h"
#include "tests/unit/bpf/space.h"
#include "tests/unit/suite.h"
#include "weir/agent.h"

#define PINS BPF_DIR "/agents/here"

static void attach_agent(const struct agent_options *o)
{
	char error[AGENT_ERROR_MAX];

	if (agent_attach("v0", o, error))
		fail_msg("%s", error);
	assert_string_equal(error, "");
}

/*
 * A socket is opened for each request to tc. An agent without owners takes the place of one with them: it is there with
 * its program at the egress, or the text says that this is missing; or else everything is as it was.
 */
static void a_replacement_is_whole_or_none_or_says_what_it_lacks(void **state)
{
	struct prefix sources = { .bits = 24 };
	const struct agent_options alone = { .prefixes = &sources,
		                             .n_prefixes = 1,
		                             .bpf_dir = PINS };
	struct agent_options with = alone;
	unsigned n_failed = 1, n_left = 0;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.0", &sources.addr), 0);
	with.owners = &sources;
	with.n_owners = 1;
	for (unsigned nth = 1; n_failed; nth++) {
		static struct agent_status s;
		char error[AGENT_ERROR_MAX], status_error[AGENT_ERROR_MAX];

		attach_agent(&with);
		calls_fail("socket", nth, ENOBUFS, false);
		int err = agent_attach("v0", &alone, error);
		n_failed = calls_end();
		print_message("  %u: %d %s\n", nth, err, error);
		if (agent_status("v0", PINS, &s, status_error))
			fail_msg("%s", status_error);
		assert_int_equal(s.prefixes[0].is_owner, err != 0);
		assert_true(s.passes_on || !err);
		assert_true(s.mss.force == AGENT_MSS_IN_FORCE || strstr(error, "at its egress"));
		if (strstr(error, "detaching from its ingress")) {
			assert_int_equal(err, 0);
			assert_true(s.passes_on);
			n_left++;
		}
	}
	assert_int_equal(n_left, 1);
	attach_agent(&alone);
}

SUITE(agent_failing)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_replacement_is_whole_or_none_or_says_what_it_lacks),
	};

	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("agent failing", tests, NULL, NULL);
}
