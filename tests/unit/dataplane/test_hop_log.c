/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/nexthop/hop_log.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define REPORT_MS 10000
#define LINE_MS   1000
#define BURST     10u

#define NOW 5000000u

/* Standard error, read back. */
struct paper {
	FILE *file;
	int before;
};

static struct paper take_stderr(void)
{
	struct paper p = { .file = tmpfile(), .before = dup(STDERR_FILENO) };

	assert_non_null(p.file);
	assert_true(dup2(fileno(p.file), STDERR_FILENO) >= 0);
	return p;
}

/* Lines of @p event, and the sum of what stands behind "more_changes=" in them. */
static unsigned count_lines(const struct paper *p, const char *event, unsigned *more)
{
	char line[512];
	unsigned n = 0;

	*more = 0;
	rewind(p->file);
	while (fgets(line, sizeof(line), p->file)) {
		const char *at = strstr(line, "more_changes=");

		n += strstr(line, event) != NULL;
		*more += at ? (unsigned)atoi(at + strlen("more_changes=")) : 0;
	}
	return n;
}

static void give_stderr_back(struct paper *p)
{
	assert_true(dup2(p->before, STDERR_FILENO) >= 0);
	close(p->before);
	fclose(p->file);
}

static void change_hop(struct hop_log *l, enum hop_state state, uint64_t now_ms)
{
	struct addr address;
	const struct hop hop = { .state = state, .ifindex = 3, .mtu = 1500 };

	assert_int_equal(addr_parse("10.0.0.7", &address), 0);
	hop_log_change(l, &address, &hop, now_ms);
}

/* A thousand next hops that become known within ten seconds make a screen of lines, which tell of all. */
static void a_start_with_a_thousand(void **state)
{
	struct paper p = take_stderr();
	struct hop_log l = { 0 };
	unsigned more, single, reports;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		change_hop(&l, i % 10 ? HOP_KNOWN : HOP_NO_ROUTE, NOW + i * 10);
		if (i % 100 == 99)
			hop_log_report(&l, NOW + i * 10);
	}
	hop_log_report(&l, NOW + 30000);
	single = count_lines(&p, "next-hop ", &more);
	reports = count_lines(&p, "next-hops ", &more);
	give_stderr_back(&p);
	assert_in_range(single, BURST, BURST + 10);
	assert_in_range(reports, 1, 3);
	assert_int_equal(single + more, 1000);
}

static void a_single_change_has_its_line(void **state)
{
	struct paper p = take_stderr();
	struct hop_log l = { 0 };
	unsigned more, single;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		change_hop(&l, HOP_NO_NEIGHBOUR, NOW + i * LINE_MS);
	single = count_lines(&p, "state=\"no neighbour\"", &more);
	assert_int_equal(hop_log_report(&l, NOW + 1000000), 0);
	give_stderr_back(&p);
	assert_int_equal(single, 100);
}

/* Whatever comes between them, each second gives a line back. */
static void changes_at_half_the_time_have_every_second_line(void **state)
{
	struct paper p = take_stderr();
	struct hop_log l = { .since_ms = NOW };
	unsigned more, single;

	(void)state;
	for (unsigned i = 0; i < BURST; i++)
		change_hop(&l, HOP_KNOWN, NOW);
	for (unsigned i = 1; i <= 20; i++)
		change_hop(&l, HOP_NO_ROUTE, NOW + i * LINE_MS / 2);
	single = count_lines(&p, "state=\"no route\"", &more);
	give_stderr_back(&p);
	assert_int_equal(single, 10);
}

/* The report names how many are in which state, once. */
static void the_rest_is_told_by_state(void **state)
{
	struct paper p = take_stderr();
	struct hop_log l = { .reported_ms = NOW };
	unsigned more, n;

	(void)state;
	for (unsigned i = 0; i < BURST; i++)
		change_hop(&l, HOP_KNOWN, NOW);
	change_hop(&l, HOP_KNOWN, NOW);
	change_hop(&l, HOP_NO_PORT, NOW);
	change_hop(&l, HOP_NO_PORT, NOW);
	assert_int_equal(hop_log_report(&l, NOW + REPORT_MS - 1), 0);
	assert_int_equal(hop_log_report(&l, NOW + REPORT_MS), 3);
	assert_int_equal(hop_log_report(&l, NOW + 3 * REPORT_MS), 0);
	n = count_lines(&p, "more_changes=3 known=1 no_route=0 no_port=2 no_neighbour=0", &more);
	give_stderr_back(&p);
	assert_int_equal(n, 1);
}

SUITE(hop_log)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_start_with_a_thousand),
		cmocka_unit_test(a_single_change_has_its_line),
		cmocka_unit_test(changes_at_half_the_time_have_every_second_line),
		cmocka_unit_test(the_rest_is_told_by_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
