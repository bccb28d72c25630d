/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounds of weir-announce: what is added to and deleted from which table. */
#include "weir/condition.h"
#include "weir/stats.h"

#include <fcntl.h>

#include "round_scene.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

static void nothing_is_announced_without_a_proof(void **state)
{
	(void)state;
	proved.is_there = false;
	run_rounds(20);
	assert_int_equal(own_kernel.changes, 0);
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_WAITING);
	proved.is_there = true;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	assert_true(shown_route()->pending);
}

static void a_proof_that_is_lost_withdraws_nothing(void **state)
{
	(void)state;
	announce_and_wait();
	proved.is_there = false;
	run_rounds(100);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_KEPT_UNPROVED);
	assert_int_equal(own_kernel.changes, 1);
}

static unsigned n_opens; /* of the page of proof, by its reader */

static int count_opens(const char *path, int flags, mode_t mode)
{
	const char *name = strrchr(path, '/');

	n_opens += name && !strcmp(name + 1, PROOF_PAGE_FILE) && (flags & O_ACCMODE) == O_RDONLY;
	return __real_open64(path, flags, mode);
}

/* How often the page of proof is mapped: by the scene, and by its readers. */
static unsigned count_maps(void)
{
	char line[512];
	unsigned n = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, run_dir) && strstr(line, PROOF_PAGE_FILE);
	assert_int_equal(fclose(f), 0);
	return n;
}

static void expect_proof(enum announce_truth truth, unsigned opens)
{
	assert_int_equal(row.facts.truth[ANNOUNCE_FACT_PROBE], truth);
	assert_int_equal(n_opens, opens);
	n_opens = 0;
}

/* One reader for all rounds. A page that took the place of another is read within the round. */
static void the_proof_is_opened_again_only_when_it_was_replaced(void **state)
{
	struct proof_page *p;

	(void)state;
	n_opens = 0;
	run_rounds(20);
	expect_proof(ANNOUNCE_YES, 1);
	for (unsigned i = 1; i <= 3; i++) {
		open_proof(PROVED_MAX - i);
		run_rounds(1);
		expect_proof(ANNOUNCE_YES, 1);
		assert_int_equal(count_maps(), 2);
	}
	p = page_payload(proof_page);
	p->max_vips = PROVED_MAX; /* more than there is room for; a round tries twice */
	run_rounds(1);
	expect_proof(ANNOUNCE_UNKNOWN, 1);
	assert_int_equal(count_maps(), 1);
	p->max_vips = 1;
	run_rounds(1);
	expect_proof(ANNOUNCE_YES, 1);
	open_proof(PROVED_MAX);
	write_proof();
	p = page_payload(proof_page);
	p->seq++; /* its writer writes */
	for (unsigned i = 0; i < 2; i++) {
		round_publish(&a, now_ms);
		expect_proof(ANNOUNCE_UNKNOWN, !i);
	}
	run_rounds(1);
	expect_proof(ANNOUNCE_YES, 0);
}

static void a_dead_driver_withdraws_at_once(void **state)
{
	(void)state;
	announce_and_wait();
	a.dataplane_dead = true;
	proved.is_there = false;
	run_rounds(1);
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_PROGRAM_GONE);
}

/* The pins are gone, and the process that held the program has died. */
static void a_silent_dataplane_whose_ports_have_no_program_withdraws(void **state)
{
	static const struct {
		const char *driver;
		bool has_program; /* as the kernel says */
		int error;
		bool stays;
	} rows[] = { { "xdp", true, 0, true },
		     { "xdp", false, -EPERM, true },
		     { "dpdk", false, 0, true },
		     { "xdp", false, 0, false } };

	(void)state;
	announce_and_wait();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(proved.node.driver, sizeof(proved.node.driver), "%s", rows[i].driver);
		own_kernel.has_program = rows[i].has_program;
		own_kernel.program_error = rows[i].error;
		proved.is_silent = false;
		proved.node.ports[0].attached = PROOF_YES;
		run_rounds(19);
		assert_true(is_in(NORMAL_TABLE)); /* while the process lives, it says what is so */
		proved.is_silent = true;
		proved.node.ports[0].attached = PROOF_UNKNOWN;
		run_rounds(20);
		assert_true(is_in(NORMAL_TABLE));
		run_rounds(1);
		if (is_in(NORMAL_TABLE) != rows[i].stays)
			fail_msg("%s %d", rows[i].driver, rows[i].error);
	}
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_PROGRAM_GONE);
}

/* An interface that is not there has no program: one that was renamed is found by its index. */
static void a_silent_dataplane_whose_ports_are_gone_withdraws(void **state)
{
	(void)state;
	announce_and_wait();
	proved.node.ports[0].ifindex = 7;
	proved.is_silent = true;
	proved.node.ports[0].attached = PROOF_UNKNOWN;
	run_rounds(20);
	assert_true(is_in(NORMAL_TABLE));
	run_rounds(1);
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_PROGRAM_GONE);
}

/* A DPDK dataplane deletes the routes itself then, and forwards on: nothing may put them back. */
static void a_regular_stop_withdraws_without_a_hold_down(void **state)
{
	(void)state;
	announce_and_wait();
	proved.node.stopping = 1;
	run_rounds(1);
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_STOPPED);
	a.dataplane_dead = true; /* it has ended, and its page is old */
	proved.node.document = 0;
	proved.node.ports[0].attached = PROOF_UNKNOWN;
	run_rounds(30);
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_STOPPED);
	a.dataplane_dead = false; /* the next one has proved all */
	proved.node.stopping = 0;
	proved.node.document = 7;
	proved.node.ports[0].attached = PROOF_YES;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
}

/* Whether the daemon is to be asked soon, since somebody waits. */
static bool does_wait(void)
{
	bool waits = routing->rows[0].urgent;

	routing->rows[0].urgent = false;
	return waits;
}

static void a_move_waits_for_the_daemon(void **state)
{
	(void)state;
	put_route(SHUTDOWN_TABLE, &row.intended.address);
	announce_init(&row.state, ANNOUNCE_SHUTDOWN, INCARNATION, START_MS);
	now_ms += 100;
	follow_kernel();
	run_round();
	assert_true(is_in(NORMAL_TABLE));
	(void)does_wait();
	for (int i = 0; i < 20; i++) { /* the daemon does not show the new route */
		now_ms += 100;
		shown_route()->at_ms = now_ms;
		shown_route()->pending = false;
		run_round();
		assert_true(is_in(NORMAL_TABLE) && is_in(SHUTDOWN_TABLE));
		assert_true(does_wait());
	}
	shown_route()->pending = true; /* another question would make its answer void */
	now_ms += 100;
	run_round();
	assert_false(does_wait());
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	assert_false(is_in(SHUTDOWN_TABLE));
}

static void what_the_daemon_shows_differently_is_noted(void **state)
{
	(void)state;
	announce_and_wait();
	assert_int_equal(row.differs_ms, 0);
	assert_int_equal(row.exported, 1);
	assert_int_equal(row.read_ms, now_ms);
	routing->facts.neighbours[0].established = false;
	run_rounds(1);
	assert_int_equal(row.differs_ms, now_ms);
	run_rounds(5);
	assert_int_equal(row.differs_ms, now_ms - 500);
	routing->facts.neighbours[0].established = true;
	run_rounds(1);
	assert_int_equal(row.differs_ms, 0);
}

/* A daemon that does not answer is a condition of its own; a prefix that waits for its turn is none. */
static void what_the_daemon_does_not_show_is_no_difference(void **state)
{
	(void)state;
	announce_and_wait();
	routing->facts.state = DAEMON_ABSENT;
	run_rounds(20);
	assert_int_equal(row.differs_ms, 0);
	routing->facts.state = DAEMON_ANSWERS;
	for (int i = 0; i < 20; i++) {
		now_ms += 100;
		shown_route()->at_ms = 0;
		run_round();
		assert_int_equal(row.differs_ms, 0);
	}
	routing->facts.neighbours[0].established = false;
	run_rounds(1);
	assert_int_equal(row.differs_ms, now_ms);
	shown_route()->pending = true; /* what was shown before still holds */
	now_ms += 100;
	run_round();
	assert_int_equal(row.differs_ms, now_ms - 100);
}

/* A node that serves DNS alone has no ports, and nothing that weir-dataplane proves. */
static void an_address_of_dns_needs_no_forwarding(void **state)
{
	(void)state;
	row.intended.vip = NULL;
	row.intended.of = NULL;
	proved.is_there = false;
	run_rounds(5);
	assert_int_equal(row.decision.fact, ANNOUNCE_FACT_PROBE); /* weir-dns never ran */
	assert_int_equal(row.facts.truth[ANNOUNCE_FACT_PORT], ANNOUNCE_YES);
	a.dataplane_dead = true; /* it was DPDK's */
	run_rounds(1);
	assert_int_equal(row.facts.truth[ANNOUNCE_FACT_PROGRAM], ANNOUNCE_NO);
}

/* A drain that has no effect: the neighbours still get the normal route. */
/* What is there is not known, so only what ends an announcement at once is done: both routes go. */
static void before_the_routes_are_read_only_what_must_end_ends(void **state)
{
	static const struct {
		const char *why;
		enum announce_command command;
		bool stops, is_down, is_refused; /* the node, its port, the proof */
		enum announce_reason reason;     /* UNREAD: nothing is done */
	} rows[] = {
		{ "all is well", ANNOUNCE_COMMAND_NONE, false, false, false,
		  ANNOUNCE_REASON_UNREAD },
		{ "a drain", ANNOUNCE_COMMAND_DRAIN, false, false, false, ANNOUNCE_REASON_UNREAD },
		{ "a cause that nodes can share", ANNOUNCE_COMMAND_NONE, false, false, true,
		  ANNOUNCE_REASON_UNREAD },
		{ "a person's withdrawal", ANNOUNCE_COMMAND_WITHDRAW, false, false, false,
		  ANNOUNCE_REASON_WITHDRAWN },
		{ "a stop", ANNOUNCE_COMMAND_NONE, true, false, false, ANNOUNCE_REASON_STOPPED },
		{ "a stop in a drain", ANNOUNCE_COMMAND_DRAIN, true, false, false,
		  ANNOUNCE_REASON_STOPPED },
		{ "a port that is down", ANNOUNCE_COMMAND_NONE, false, true, false,
		  ANNOUNCE_REASON_PORT_DOWN },
		{ "a port that is down in a drain", ANNOUNCE_COMMAND_DRAIN, false, true, false,
		  ANNOUNCE_REASON_PORT_DOWN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		bool is_left = rows[i].reason == ANNOUNCE_REASON_UNREAD;

		end_scene(state);
		assert_int_equal(start_scene(state), 0);
		put_route(NORMAL_TABLE, &row.intended.address);
		put_route(SHUTDOWN_TABLE, &row.intended.address);
		own_kernel.list_error = -ENOBUFS;
		row.is_found = false;
		row.intended.command = rows[i].command;
		a.stopping = rows[i].stops;
		proved.node.ports[0].up = rows[i].is_down ? PROOF_NO : PROOF_YES;
		if (rows[i].is_refused)
			proved.vip.state = PROOF_STATE_REFUSED;
		run_rounds(1);
		if (row.decision.table != ANNOUNCE_NONE || row.decision.reason != rows[i].reason ||
		    row.is_found == is_left || is_in(NORMAL_TABLE) != is_left ||
		    is_in(SHUTDOWN_TABLE) != is_left)
			fail_msg("%s: %s, %d, %d", rows[i].why,
			         announce_reason_label(row.decision.reason), is_in(NORMAL_TABLE),
			         is_in(SHUTDOWN_TABLE));
	}
}

static void the_wrong_table_is_a_difference(void **state)
{
	(void)state;
	const struct daemon_route normal = { .imported = { true, false }, .exported = 1 };

	put_route(SHUTDOWN_TABLE, &row.intended.address);
	announce_init(&row.state, ANNOUNCE_SHUTDOWN, INCARNATION, START_MS);
	proved.vip.state = PROOF_STATE_UNKNOWN; /* it stays there */
	run_rounds(1);
	assert_int_equal(row.decision.table, ANNOUNCE_SHUTDOWN);
	assert_int_equal(row.differs_ms, 0);
	for (int i = 0; i < 3; i++) {
		now_ms += 100;
		proved.node.alive_ms = now_ms;
		*shown_route() = normal;
		shown_route()->at_ms = now_ms;
		run_round();
	}
	assert_int_equal(row.differs_ms, now_ms - 200);
	run_rounds(1);
	assert_int_equal(row.differs_ms, 0);
}

static struct announced_address read_page(void)
{
	struct announced_address out[1];
	struct announced_node node;

	assert_int_equal(announced_read(a.page, &node, out, 1, NULL), 0);
	assert_int_equal(node.n_addresses, 1);
	assert_int_equal(node.table, NORMAL_TABLE);
	return out[0];
}

static void a_change_is_published_at_once(void **state)
{
	(void)state;
	announce_and_wait();
	assert_int_equal(read_page().table, ANNOUNCE_NORMAL);
	assert_true(read_page().read_ms > START_MS);
	run_rounds(5); /* this may have been the round of a publication */
	proved.node.ports[0].up = PROOF_NO;
	run_rounds(1);
	assert_int_equal(read_page().table, ANNOUNCE_NONE);
	assert_int_equal(read_page().in_kernel, 0);
}

/* A round that changes nothing is none, and a reason is a change as a table is. */
static void a_change_of_table_or_reason_counts_once(void **state)
{
	uint64_t changes = 0, questions = 0, shown_ms;

	(void)state;
	a.counters.changes = &changes;
	a.counters.questions = &questions;
	announce_and_wait();
	changes = questions = 0;
	while (a.published_ms != now_ms)
		run_rounds(1);
	shown_ms = now_ms;
	run_rounds(4);
	assert_int_equal(changes, 0);
	assert_int_equal(a.published_ms, shown_ms);
	run_rounds(1); /* time for the next one */
	assert_int_equal(a.published_ms, shown_ms + 500);
	assert_true(row.since_ms < shown_ms);

	proved.vip.state = PROOF_STATE_UNKNOWN; /* the same table, for another reason */
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_KEPT_UNPROVED);
	assert_int_equal(changes, 1);
	assert_int_equal(row.since_ms, now_ms);
	assert_int_equal(a.published_ms, now_ms);
	run_rounds(4);
	assert_int_equal(changes, 1);
	assert_int_equal(row.since_ms, now_ms - 400);
	assert_int_equal(a.published_ms, now_ms - 400);

	proved.node.ports[0].up = PROOF_NO;
	run_rounds(1);
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(changes, 2);
	assert_int_equal(row.since_ms, now_ms);
	run_rounds(4);
	assert_int_equal(changes, 2);
	assert_int_equal(row.since_ms, now_ms - 400);
	assert_int_equal(questions, 0);
}

static void the_page_says_all_of_the_daemon(void **state)
{
	struct announced_neighbour neighbours[ANNOUNCED_NEIGHBOURS_MAX];
	struct announced_address out[1];
	struct announced_node node;

	(void)state;
	strcpy(routing->facts.version, "2.14");
	strcpy(routing->facts.problem, "none so far");
	strcpy(routing->facts.neighbours[0].name, "edge-1");
	strcpy(routing->facts.neighbours[1].name, "edge-2");
	a.daemon_kind = DAEMON_FRR;
	for (uint32_t n = 0; n <= ANNOUNCED_NEIGHBOURS_MAX; n++) {
		routing->facts.n_neighbours = n;
		published_show(&a, now_ms);
		assert_int_equal(announced_read(a.page, &node, out, 1, neighbours), 0);
		assert_int_equal(node.n_neighbours, n);
	}
	assert_string_equal(node.daemon, "frr");
	assert_string_equal(node.daemon_state, "answers");
	assert_string_equal(node.version, "2.14");
	assert_string_equal(node.problem, "none so far");
	assert_string_equal(neighbours[0].name, "edge-1");
	assert_int_equal(neighbours[0].established, 1);
	assert_string_equal(neighbours[1].name, "edge-2");
	assert_int_equal(neighbours[1].established, 0);
	a.daemon_kind = DAEMON_BIRD;
	published_show(&a, now_ms);
	assert_int_equal(announced_read(a.page, &node, out, 1, NULL), 0);
	assert_string_equal(node.daemon, "bird");
}

static void a_daemon_that_does_not_answer_is_a_condition(void **state)
{
	char dir[] = "/tmp/weir-round-XXXXXX", command[64];
	struct conditions found;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(stats_create(dir, "announce", 64, &a.stats), 0);
	strcpy(routing->facts.problem, "no such socket");
	for (int i = 0; i < 3; i++) {
		routing->facts.state = i ? DAEMON_ABSENT : DAEMON_ANSWERS;
		a.daemon_kind = i == 1 ? DAEMON_BIRD : DAEMON_FRR;
		conditions_begin(a.stats, 1);
		published_conditions(&a, now_ms);
		conditions_end(a.stats);
		assert_int_equal(conditions_read(dir, "announce", &found), 0);
		assert_int_equal(found.n, i > 0);
		if (!i)
			continue;
		assert_string_equal(found.items[0].code, "routing-daemon");
		assert_int_equal(found.items[0].level, CONDITION_DEGRADED);
		assert_string_equal(found.items[0].subject, i == 1 ? "bird" : "frr");
		assert_string_equal(found.items[0].text,
		                    "the routing daemon is absent, so what it announces is "
		                    "unknown: no such socket");
	}
	stats_close(a.stats);
	a.stats = NULL;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* Else a reader would take "not read yet" for "no neighbour gets it". */
static void to_whom_it_is_exported_is_published_once_it_is_known(void **state)
{
	(void)state;
	announce_and_wait();
	run_rounds(6);
	assert_int_equal(read_page().exported, 1);
	assert_int_equal(read_page().is_export_read, 1);
	routing->facts.neighbours[0].established = false;
	run_rounds(6);
	assert_int_equal(read_page().exported, 0);
	assert_int_equal(read_page().is_export_read, 1);
	routing->facts.state = DAEMON_ABSENT;
	run_rounds(6);
	assert_int_equal(read_page().exported, 0);
	assert_int_equal(read_page().is_export_read, 0);
}

/* When it last said something is forgotten with what it said. */
static void of_a_route_that_the_daemon_no_longer_has_nothing_is_published(void **state)
{
	(void)state;
	announce_and_wait();
	run_rounds(6);
	assert_true(read_page().read_ms > START_MS);
	assert_int_equal(daemon_watch(routing, NULL, 0), 0);
	run_rounds(6);
	assert_int_equal(read_page().read_ms, 0);
	assert_int_equal(read_page().is_read, 0);
	assert_int_equal(read_page().is_export_read, 0);
}

/* Of each table the daemon may have been read before the route was added there. */
static void what_is_imported_is_published_once_both_tables_are_read(void **state)
{
	(void)state;
	announce_and_wait();
	run_rounds(6);
	assert_int_equal(read_page().is_read, 1);
	assert_int_equal(read_page().imported, 1 << ANNOUNCE_NORMAL);
	for (int t = ANNOUNCE_NORMAL; t <= ANNOUNCE_SHUTDOWN; t++) {
		row.added_ms[t] = now_ms + 10000;
		run_rounds(6);
		assert_int_equal(read_page().is_read, 0);
		row.added_ms[t] = 0;
		run_rounds(6);
		assert_int_equal(read_page().is_read, 1);
	}
}

/* --- without a document --- */

static void leave_document(void)
{
	a.model = NULL;
	a.n_rows = 0;
}

static void without_a_document_nothing_is_touched(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	own_kernel.changes = 0;
	leave_document();
	run_rounds(20);
	proved.vip.state = PROOF_STATE_REFUSED;
	proved.is_there = false;
	run_rounds(20);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(own_kernel.changes, 0);
}

static void without_a_document_an_own_cause_withdraws_all(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	put_route(SHUTDOWN_TABLE, &row.intended.address);
	leave_document();
	own_kernel.change_error = -ENOBUFS;
	proved.node.ports[0].up = PROOF_NO;
	run_rounds(1);
	assert_true(is_in(NORMAL_TABLE));
	own_kernel.change_error = 0;
	proved.node.ports[0].up = PROOF_YES; /* it was down, so a proof is needed */
	run_rounds(1);
	assert_false(is_in(NORMAL_TABLE));
	assert_false(is_in(SHUTDOWN_TABLE));
}

/* Publish as an earlier process did, and read it as the next one does. */
static void leave_page(const struct announced_address *left)
{
	const struct announced_node node = { .table = NORMAL_TABLE,
		                             .shutdown_table = SHUTDOWN_TABLE };

	announced_publish(a.page, &node, left, 1, NULL, 0, now_ms);
	a.kernel[ANNOUNCE_NORMAL].number = a.kernel[ANNOUNCE_SHUTDOWN].number = 0;
	left_read(&a);
	assert_int_equal(a.kernel[ANNOUNCE_NORMAL].number, NORMAL_TABLE);
	assert_int_equal(a.kernel[ANNOUNCE_SHUTDOWN].number, SHUTDOWN_TABLE);
}

static void a_hold_down_outlives_a_start_without_a_document(void **state)
{
	(void)state;
	const struct announced_address left = { .address = row.intended.address,
		                                .vip = 99, /* it had another name */
		                                .failed_ms = now_ms - 1000,
		                                .hold_ms = 60000 };

	leave_page(&left);
	leave_document();
	run_rounds(20);
	assert_int_equal(read_page().hold_ms, 60000); /* nothing was published */
}

static void a_hold_down_that_was_left_counts(void **state)
{
	(void)state;
	const struct announced_address left = { .address = row.intended.address,
		                                .failed_ms = now_ms - 1000,
		                                .hold_ms = 60000 };

	leave_page(&left);
	row.is_found = false;
	run_rounds(20);
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_HELD);
	assert_int_equal(row.state.hold_ms, 60000);
	run_rounds(600);
	assert_true(is_in(NORMAL_TABLE));
}

/* An address that a later document names again has a state of this process alone. */
static void what_was_left_counts_once(void **state)
{
	(void)state;
	const struct announced_address left = { .address = row.intended.address,
		                                .failed_ms = now_ms - 1000,
		                                .hold_ms = 60000 };

	leave_page(&left);
	kernel_begin_row(&a, &row, now_ms);
	assert_int_equal(row.state.hold_ms, 60000);
	kernel_begin_row(&a, &row, now_ms + 100);
	assert_int_equal(row.state.hold_ms, 0);
}

/* What was not announced has not failed now. */
static void what_was_withdrawn_before_is_not_held_down(void **state)
{
	(void)state;
	const struct announced_address left = { .address = row.intended.address };

	leave_page(&left);
	leave_document();
	proved.node.ports[0].up = PROOF_NO;
	run_rounds(1);
	assert_true(a.left_failed);
	assert_int_equal(a.left[0].hold_ms, 0);
}

/* A page that cannot be right names no tables. */
static void tables_that_cannot_be_are_not_taken_from_a_page(void **state)
{
	static const uint32_t numbers[][2] = {
		{ 177, 177 }, { 0, 178 }, { 177, 253 }, { 254, 255 }
	};

	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		const struct announced_node node = { .table = numbers[i][0],
			                             .shutdown_table = numbers[i][1] };

		announced_publish(a.page, &node, NULL, 0, NULL, 0, now_ms);
		a.kernel[ANNOUNCE_NORMAL].number = a.kernel[ANNOUNCE_SHUTDOWN].number = 0;
		left_read(&a);
		assert_int_equal(a.kernel[ANNOUNCE_NORMAL].number, 0);
		assert_int_equal(a.kernel[ANNOUNCE_SHUTDOWN].number, 0);
	}
}

static void without_a_document_a_stop_withdraws_all(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	put_route(SHUTDOWN_TABLE, &row.intended.address);
	leave_document();
	run_rounds(5);
	assert_true(is_in(NORMAL_TABLE));
	expect_reply("{\"do\":\"stop\"}", "\"left\":0");
	assert_false(is_in(NORMAL_TABLE));
	assert_false(is_in(SHUTDOWN_TABLE));
}

static void a_failure_without_a_document_is_held_down(void **state)
{
	(void)state;
	const struct announced_address left = { .address = row.intended.address, .in_kernel = 2 };
	struct model *m = a.model;

	leave_page(&left);
	leave_document();
	proved.node.ports[0].up = PROOF_NO;
	run_rounds(1);
	proved.node.ports[0].up = PROOF_YES;
	a.model = m;
	a.n_rows = 1;
	row.is_found = false;
	run_rounds(20);
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_HELD);
}

SUITE(round)
{
	const struct CMUnitTest tests[] = {
		SCENE_TEST(nothing_is_announced_without_a_proof),
		SCENE_TEST(a_proof_that_is_lost_withdraws_nothing),
		SCENE_TEST(the_proof_is_opened_again_only_when_it_was_replaced),
		SCENE_TEST(a_dead_driver_withdraws_at_once),
		SCENE_TEST(a_silent_dataplane_whose_ports_have_no_program_withdraws),
		SCENE_TEST(a_silent_dataplane_whose_ports_are_gone_withdraws),
		SCENE_TEST(a_regular_stop_withdraws_without_a_hold_down),
		SCENE_TEST(a_move_waits_for_the_daemon),
		SCENE_TEST(what_the_daemon_shows_differently_is_noted),
		SCENE_TEST(what_the_daemon_does_not_show_is_no_difference),
		SCENE_TEST(an_address_of_dns_needs_no_forwarding),
		SCENE_TEST(before_the_routes_are_read_only_what_must_end_ends),
		SCENE_TEST(the_wrong_table_is_a_difference),
		SCENE_TEST(a_change_is_published_at_once),
		SCENE_TEST(a_change_of_table_or_reason_counts_once),
		SCENE_TEST(the_page_says_all_of_the_daemon),
		SCENE_TEST(a_daemon_that_does_not_answer_is_a_condition),
		SCENE_TEST(to_whom_it_is_exported_is_published_once_it_is_known),
		SCENE_TEST(of_a_route_that_the_daemon_no_longer_has_nothing_is_published),
		SCENE_TEST(what_is_imported_is_published_once_both_tables_are_read),
		SCENE_TEST(without_a_document_nothing_is_touched),
		SCENE_TEST(without_a_document_an_own_cause_withdraws_all),
		SCENE_TEST(a_hold_down_outlives_a_start_without_a_document),
		SCENE_TEST(a_hold_down_that_was_left_counts),
		SCENE_TEST(what_was_left_counts_once),
		SCENE_TEST(a_failure_without_a_document_is_held_down),
		SCENE_TEST(what_was_withdrawn_before_is_not_held_down),
		SCENE_TEST(tables_that_cannot_be_are_not_taken_from_a_page),
		SCENE_TEST(without_a_document_a_stop_withdraws_all),
	};

	answer_open64 = count_opens;
	if (!enter_namespace())
		return SKIPPED;
	return cmocka_run_group_tests_name("announce round", tests, NULL, NULL);
}
