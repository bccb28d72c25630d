/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Targets with several paths, those that flap, VIPs without a vote, and what a new document
 * changes, each at its millisecond.
 */
#include "tests/unit/suite.h"
#include "healthcheck/keep.h"
#include "turns_scene.h"
#include "weir/probe.h"

static const char tunnel[] =
        "type = \"tcp\"; via = \"tunnel\"; interval = \"1s\"; fast_interval = \"500ms\"; "
        "timeout = \"200ms\"; rise = 2; fall = 2;";
static const char flapping[] =
        "type = \"tcp\"; interval = \"1s\"; fast_interval = \"500ms\"; timeout = \"200ms\"; "
        "rise = 1; fall = 1; damp_turns = 2; damp_half_life = \"60s\"; damp_max = \"300s\";";

static const char direct[] = "type = \"tcp\"; interval = \"1s\"; fast_interval = \"500ms\"; "
                             "timeout = \"200ms\"; rise = 2; fall = 2;";
static void a_tunnel_that_is_not_there_yet_has_no_vote(void **state)
{
	struct target *t;

	(void)state;
	open_checker(tunnel, NULL, 0);
	t = find_target("b1");
	sim.gate_since_ms = UINT64_MAX;
	set_script(10, 1, HEALTH_REASON_REFUSED, -1, 0);
	set_script(16, 1, HEALTH_REASON_REFUSED, -1, 0);
	for (int i = 0; i < 3; i++)
		make_round(t, 50);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_UNKNOWN);
	assert_true(t->last_unready);
	assert_int_equal(sim.count[UNREADY], 3);
	sim.gate_since_ms = 0;
	make_round(t, 50);
	make_round(t, 50);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_DOWN);
	assert_false(t->last_unready);
	assert_int_equal(sim.count[UNREADY], 3);
}

static void take_document(const char *check, const char *controls)
{
	assert_int_equal(
	        checker_apply_model(&checker, fixture_model(check, 7080, controls), NULL, 0), 0);
}

/* Two paths: 203.0.113.10 and 2001:db8::10. */
static const struct {
	int first_ms[2];
	enum health_reason why[2];
	uint8_t cut;
	bool lacked;
	enum health_reason result;
	unsigned int detail; /* 4 or 6: the errno of that path's result; 0: none */
	uint32_t path;
	unsigned int took_ms;
} rounds[] = {
	{ { 5, 7 }, { HEALTH_REASON_OK, HEALTH_REASON_OK }, 0, false, HEALTH_REASON_OK, 0, 0, 7 },
	{ { 7, 5 }, { HEALTH_REASON_OK, HEALTH_REASON_OK }, 0, false, HEALTH_REASON_OK, 0, 0, 7 },
	{ { 5, 7 },
	  { HEALTH_REASON_REFUSED, HEALTH_REASON_OK },
	  0,
	  false,
	  HEALTH_REASON_REFUSED,
	  4,
	  0,
	  5 },
	{ { 5, 7 },
	  { HEALTH_REASON_OK, HEALTH_REASON_REFUSED },
	  0,
	  false,
	  HEALTH_REASON_REFUSED,
	  6,
	  1,
	  7 },
	{ { 5, -1 }, { HEALTH_REASON_OK, 0 }, 0, false, HEALTH_REASON_TIMEOUT, 0, 1, 200 },
	{ { 0, 0 },
	  { HEALTH_REASON_REFUSED, HEALTH_REASON_OK },
	  0,
	  false,
	  HEALTH_REASON_REFUSED,
	  4,
	  0,
	  0 },
	/* probes do not get out to one VIP: it is left out */
	{ { -1, 7 }, { 0, HEALTH_REASON_OK }, 10, false, HEALTH_REASON_OK, 0, 0, 200 },
	{ { 5, 7 },
	  { HEALTH_REASON_REFUSED, HEALTH_REASON_OK },
	  10,
	  false,
	  HEALTH_REASON_OK,
	  0,
	  0,
	  7 },
	{ { 5, 7 },
	  { HEALTH_REASON_OK, HEALTH_REASON_REFUSED },
	  10,
	  false,
	  HEALTH_REASON_REFUSED,
	  6,
	  1,
	  7 },
	{ { 5, 7 },
	  { HEALTH_REASON_OK, HEALTH_REASON_TIMEOUT },
	  16,
	  true,
	  HEALTH_REASON_OK,
	  0,
	  0,
	  7 },
	/* no way to one of them; to none */
	{ { 0, 7 },
	  { HEALTH_REASON_LOCAL, HEALTH_REASON_OK },
	  0,
	  false,
	  HEALTH_REASON_OK,
	  0,
	  0,
	  7 },
	{ { 5, 0 },
	  { HEALTH_REASON_OK, HEALTH_REASON_LOCAL },
	  0,
	  false,
	  HEALTH_REASON_OK,
	  0,
	  0,
	  5 },
	{ { 0, 0 },
	  { HEALTH_REASON_LOCAL, HEALTH_REASON_LOCAL },
	  0,
	  false,
	  HEALTH_REASON_LOCAL,
	  6,
	  0,
	  0 },
	/* no means to try one: what was not checked is not up */
	{ { 0, 7 },
	  { HEALTH_REASON_LOCAL, HEALTH_REASON_OK },
	  0,
	  true,
	  HEALTH_REASON_LOCAL,
	  4,
	  0,
	  7 },
	{ { 5, 0 },
	  { HEALTH_REASON_OK, HEALTH_REASON_LOCAL },
	  0,
	  true,
	  HEALTH_REASON_LOCAL,
	  6,
	  1,
	  5 },
	{ { 0, 7 },
	  { HEALTH_REASON_LOCAL, HEALTH_REASON_RESET },
	  0,
	  true,
	  HEALTH_REASON_RESET,
	  6,
	  1,
	  7 },
};

static void a_round_is_good_when_all_paths_that_lead_anywhere_are(void **state)
{
	struct target *t;

	(void)state;
	open_checker(tunnel, NULL, 0);
	t = find_target("b1");
	assert_int_equal(t->n_paths, 2);
	assert_int_equal(t->paths[0].spec.address.bytes[15], 10);
	for (size_t i = 0; i < COUNT(rounds); i++) {
		bool local = rounds[i].result == HEALTH_REASON_LOCAL;
		unsigned int detail;

		for (int p = 0; p < 2; p++) {
			set_script(p ? 16 : 10, rounds[i].first_ms[p], rounds[i].why[p], -1, 0);
		}
		sim.gate_cut = rounds[i].cut == 10   ? PROBE_FAMILY_IP4
		               : rounds[i].cut == 16 ? PROBE_FAMILY_IP6
		                                     : 0;
		sim.lacked = rounds[i].lacked;
		t->verdict = verdict_of(HEALTH_UP);
		t->worked = 3; /* both have a vote */
		make_round(t, 300);
		detail = !rounds[i].detail
		                 ? 0
		                 : (unsigned int)errno_of(rounds[i].result,
		                                          rounds[i].detail == 6 ? 16 : 10);
		if (t->last != rounds[i].result || t->last_detail != detail ||
		    t->last_path != rounds[i].path)
			print_error("case %zu: %s, detail %u, path %u\n", i,
			            health_reason_text(t->last), t->last_detail, t->last_path);
		assert_int_equal(t->last, rounds[i].result);
		assert_int_equal(t->last_detail, detail);
		sim.n_starts = 0;
		assert_int_equal(t->last_path, rounds[i].path);
		assert_int_equal(t->inconclusive, local);
		assert_int_equal(t->done_ms - t->sent_ms, rounds[i].took_ms);
		for (int p = 0; p < 2; p++)
			assert_false(t->paths[p].attempts[0].active ||
			             t->paths[p].attempts[1].active);
	}
}

/* A path that is done is not tried a second time; one that is open is. */
static void second_attempts_are_made_where_an_answer_is_missing(void **state)
{
	struct target *t;

	(void)state;
	open_checker(tunnel, NULL, 0);
	t = find_target("b1");
	set_script(10, 5, HEALTH_REASON_OK, -1, 0);
	set_script(16, -1, 0, 20, HEALTH_REASON_OK);
	make_round(t, 300);
	assert_int_equal(sim.n_starts, 3);
	assert_int_equal(sim.starts[0].to, 10);
	assert_int_equal(sim.starts[1].to, 16);
	assert_int_equal(sim.starts[2].to, 16);
	assert_int_equal(sim.starts[2].i, 1);
	assert_int_equal(t->last, HEALTH_REASON_OK);
	/* with the other one open, in a new round */
	set_script(10, -1, 0, 20, HEALTH_REASON_OK);
	set_script(16, 5, HEALTH_REASON_OK, -1, 0);
	make_round(t, 300);
	assert_int_equal(sim.n_starts, 6);
	assert_int_equal(sim.starts[5].to, 10);
	assert_int_equal(t->last, HEALTH_REASON_OK);
}

static void a_backend_that_flaps_is_held_and_spared_while_it_is_the_last(void **state)
{
	struct target *t, *other;

	(void)state;
	open_checker(flapping, NULL, 0);
	t = find_target("b1");
	other = find_target("b2");
	make_round(other, 10);
	for (int i = 0; i < 3; i++) { /* the first one is a little less than one by then */
		set_script(11, 1, HEALTH_REASON_OK, -1, 0);
		make_round(t, 10);
		set_script(11, 1, HEALTH_REASON_REFUSED, -1, 0);
		make_round(t, 10);
	}
	set_script(11, 1, HEALTH_REASON_OK, -1, 0);
	make_round(t, 10);
	assert_true(health_damped(read_health_word(t)));
	assert_int_equal(health_state(read_health_word(t)),
	                 HEALTH_DOWN); /* though it answers: b2 is up */
	assert_false(t->spared);
	set_script(12, 1, HEALTH_REASON_REFUSED, -1, 0);
	make_round(other, 10);
	assert_int_equal(health_state(read_health_word(other)), HEALTH_DOWN);
	assert_true(t->spared); /* the last one that answers */
	assert_int_equal(health_state(read_health_word(t)), HEALTH_UP);
	assert_true(health_damped(read_health_word(t)));
	make_round(t, 10);
	assert_true(t->spared);
	set_script(12, 1, HEALTH_REASON_OK, -1, 0);
	make_round(other, 10);
	make_round(t, 10);
	assert_false(t->spared);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_DOWN);
}

/* A silent target that waits for the controls, and one in the middle of its round. */
static void open_two_rounds(void)
{
	struct target *t, *other;

	open_checker(direct, NULL, 0);
	t = find_target("b1");
	make_round(t, 10);
	make_round(find_target("b2"), 10);
	set_script(11, -1, 0, -1, 0);
	make_round(t, 300);
	make_round(t, 250);
	assert_int_equal(t->phase, TARGET_ASKING);
	other = find_target("b2");
	set_script(12, 50, HEALTH_REASON_REFUSED, -1, 0);
	probe_at(other, simulated.now_ms);
	run_to(since_start() + 20);
	assert_int_equal(other->phase, TARGET_FIRST);
	checker.changed = false;
}

static void a_new_document_lets_rounds_of_the_same_check_go_on(void **state)
{
	struct control_view controls[CONTROLS_MAX];
	uint64_t witness_ms;

	(void)state;
	open_two_rounds();
	witness_ms = find_target("b1")->witness_ms;
	take_document(direct, "\"203.0.113.1\", \"2001:db8::5\"");
	assert_int_equal(controls_view(checker.controls, controls), 3);
	assert_int_equal(checker.n_asking, 1);
	assert_true(checker.changed); /* to be written at once */
	assert_int_equal(find_target("b1")->phase, TARGET_ASKING);
	assert_int_equal(find_target("b2")->phase, TARGET_FIRST);
	assert_int_equal(health_state(read_health_word(find_target("b1"))), HEALTH_UP);
	run_to(since_start() + 29);
	assert_int_equal(find_target("b2")->counts.failed, 0);
	run_to(since_start() + 1);
	assert_int_equal(find_target("b2")->counts.failed, 1);
	answer_asked(witness_ms - 5);
	assert_int_equal(find_target("b1")->phase, TARGET_ASKING);
	answer_asked(witness_ms);
	assert_int_equal(health_state(read_health_word(find_target("b1"))), HEALTH_DOWN);
	assert_int_equal(checker.n_asking, 0);
}

/* The controls' time is what it was, too. */
static void a_new_document_gives_the_controls_no_more_time(void **state)
{
	(void)state;
	open_two_rounds();
	take_document(direct, OUTSIDE);
	run_to(since_start() + CONTROL_TIMEOUT_MS - 80);
	assert_int_equal(find_target("b1")->phase, TARGET_ASKING);
	run_to(since_start() + 20);
	assert_int_not_equal(find_target("b1")->phase, TARGET_ASKING);
	assert_int_equal(find_target("b1")->counts.inconclusive, 1);
}

static void a_new_document_ends_rounds_of_another_check_and_keeps_what_is_known(void **state)
{
	uint64_t witness_ms;
	struct target *t;

	(void)state;
	open_two_rounds();
	witness_ms = find_target("b1")->witness_ms;
	take_document("type = \"tcp\"; port = 81; interval = \"1s\"; fast_interval = \"500ms\"; "
	              "timeout = \"200ms\"; rise = 2; fall = 2;",
	              OUTSIDE);
	assert_int_equal(checker.n_asking, 0);
	assert_int_equal(checker.prober.n_active, 0);
	t = find_target("b1");
	assert_int_equal(t->phase, TARGET_IDLE);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_UP);
	assert_true(health_in_doubt(read_health_word(t)));
	assert_int_equal(t->counts.probes, 3);
	assert_int_equal(t->counts.failed, 1);
	assert_int_equal(health_state(read_health_word(find_target("b2"))), HEALTH_UP);
	assert_int_equal(checker.groups[t->site->index].n, 3);
	assert_int_equal(checker.groups[t->site->index].n_failing, 1);
	for (size_t i = 0; i < checker.targets->n; i++)
		assert_int_not_equal(checker.targets->items[i].timer.heap_index, 0);
	answer_asked(witness_ms); /* an answer to a question of before changes nothing */
	assert_int_equal(health_state(read_health_word(t)), HEALTH_UP);
}

/* The state of service web at the own site. */
static enum health_state service_state(bool ip4)
{
	const struct health_page *page = page_payload(sim.page);
	int index = health_find_index(page, health_target_service("web", "ams", ip4));

	return health_state(health_read(page, index));
}

static enum health_state state_after_round(const char *backend)
{
	sim.n_starts = 0;
	make_round(find_target(backend), 300);
	return health_state(read_health_word(find_target(backend)));
}

static void set_ip6(enum health_reason why)
{
	set_script(16, 7, why, 7, why);
}

/* b1 to b3 serve the IPv4 VIP, then the IPv6 VIP comes, which none of them has. */
static void open_with_a_new_path(void)
{
	static const char *const names[] = { "b1", "b2", "b3" };

	open_checker(tunnel, NULL, 0);
	sim.gate_cut = PROBE_FAMILY_IP6;
	set_ip6(HEALTH_REASON_REFUSED);
	for (size_t i = 0; i < COUNT(names); i++)
		assert_int_equal(state_after_round(names[i]), HEALTH_UP);
	assert_int_equal(service_state(false), HEALTH_UP); /* nothing is known of it */
	sim.gate_cut = 0;
}

static void a_path_that_never_worked_takes_no_backend_that_serves_away(void **state)
{
	struct target *t;

	(void)state;
	open_with_a_new_path();
	t = find_target("b1");
	for (int i = 0; i < 5; i++)
		assert_int_equal(state_after_round("b1"), HEALTH_UP);
	assert_int_equal(t->last, HEALTH_REASON_OK);
	assert_int_equal(t->lacks, 2);
	assert_int_equal(service_state(false), HEALTH_UP);
	state_after_round("b2");
	state_after_round("b3"); /* now it is known that it works nowhere */
	assert_int_equal(service_state(false), HEALTH_DOWN);
	assert_int_equal(service_state(true), HEALTH_UP);
	set_script(16, -1, 0, -1, 0); /* silence is as much */
	for (int i = 0; i < 5; i++)
		assert_int_equal(state_after_round("b1"), HEALTH_UP);
	set_ip6(HEALTH_REASON_OK); /* one has the VIP now: the others serve what they served */
	state_after_round("b1");
	assert_int_equal(t->lacks, 0);
	assert_int_equal(service_state(false), HEALTH_UP);
	set_ip6(HEALTH_REASON_REFUSED);
	for (int i = 0; i < 5; i++)
		assert_int_equal(state_after_round("b2"), HEALTH_UP);
	state_after_round("b1"); /* it has a vote where it has worked */
	assert_int_equal(state_after_round("b1"), HEALTH_DOWN);
	assert_int_equal(service_state(false), HEALTH_DOWN);
}

static void a_path_that_worked_has_a_vote_beside_one_that_never_did(void **state)
{
	(void)state;
	open_with_a_new_path();
	state_after_round("b1");
	set_script(10, 5, HEALTH_REASON_REFUSED, 5, HEALTH_REASON_REFUSED);
	state_after_round("b1");
	assert_int_equal(state_after_round("b1"), HEALTH_DOWN);
	assert_int_equal(find_target("b1")->last_path, 0);
	set_ip6(HEALTH_REASON_OK); /* the new one alone brings nothing back */
	assert_int_equal(state_after_round("b1"), HEALTH_DOWN);
}

/* What served is not judged by what never worked when it cannot be asked itself. */
static void a_path_that_never_worked_does_not_speak_for_one_that_cannot_be_tried(void **state)
{
	(void)state;
	open_with_a_new_path();
	sim.gate_cut = PROBE_FAMILY_IP4;
	set_script(10, 5, HEALTH_REASON_REFUSED, 5, HEALTH_REASON_REFUSED);
	for (int i = 0; i < 5; i++)
		assert_int_equal(state_after_round("b1"), HEALTH_UP);
	assert_int_equal(find_target("b1")->last, HEALTH_REASON_LOCAL);
	assert_true(find_target("b1")->inconclusive);
}

static void a_pool_whose_paths_never_worked_is_down(void **state)
{
	(void)state;
	open_checker(tunnel, NULL, 0);
	set_ip6(HEALTH_REASON_REFUSED);
	set_script(10, 5, HEALTH_REASON_REFUSED, 5, HEALTH_REASON_REFUSED);
	state_after_round("b1");
	assert_int_equal(state_after_round("b1"), HEALTH_DOWN);
	assert_int_equal(find_target("b1")->last, HEALTH_REASON_REFUSED);
}

static void a_new_backend_must_have_the_paths_that_work_at_others(void **state)
{
	(void)state;
	open_checker(tunnel, NULL, 0);
	set_ip6(HEALTH_REASON_REFUSED);
	assert_int_equal(state_after_round("b3"), HEALTH_UNKNOWN); /* the others may have it */
	assert_true(find_target("b3")->inconclusive);
	set_ip6(HEALTH_REASON_OK);
	assert_int_equal(state_after_round("b1"), HEALTH_UP);
	assert_int_equal(state_after_round("b2"), HEALTH_UP);
	set_ip6(HEALTH_REASON_REFUSED);
	state_after_round("b3");
	assert_int_equal(state_after_round("b3"), HEALTH_DOWN);
	set_ip6(HEALTH_REASON_OK);
	state_after_round("b3");
	assert_int_equal(state_after_round("b3"), HEALTH_UP);
}

static void a_new_pool_serves_by_the_paths_that_work(void **state)
{
	(void)state;
	open_checker(tunnel, NULL, 0);
	set_ip6(HEALTH_REASON_REFUSED);
	assert_int_equal(state_after_round("b1"), HEALTH_UNKNOWN);
	assert_int_equal(state_after_round("b2"), HEALTH_UNKNOWN);
	assert_int_equal(state_after_round("b3"), HEALTH_UP); /* all have been asked */
	assert_int_equal(state_after_round("b1"), HEALTH_UP);
	assert_int_equal(service_state(false), HEALTH_DOWN);
	assert_int_equal(service_state(true), HEALTH_UP);
}

/* By the file, which has more than the page; and by the next document. */
static void a_restart_and_a_document_keep_which_paths_have_worked(void **state)
{
	struct saved_word *saved = NULL;
	size_t n_saved = 0;

	(void)state;
	open_with_a_new_path();
	for (int i = 0; i < 2; i++) {
		take_document(tunnel, OUTSIDE);
		assert_int_equal(state_after_round("b1"), HEALTH_UP);
	}
	assert_int_equal(find_target("b1")->worked, 1);
	assert_int_equal(find_target("b1")->lacks, 2);
	assert_int_equal(keep_write(fixture_path("verdicts"), checker.targets), 0);
	assert_int_equal(keep_read(fixture_path("verdicts"), &saved, &n_saved), 0);
	checker_close(&checker);
	open_checker(tunnel, saved, n_saved);
	free(saved);
	assert_int_equal(find_target("b1")->worked, 1);
	assert_int_equal(find_target("b1")->lacks, 2);
	assert_int_equal(find_target("b2")->lacks, 0);
	set_ip6(HEALTH_REASON_REFUSED);
	for (int i = 0; i < 5; i++)
		assert_int_equal(state_after_round("b1"), HEALTH_UP);
	set_script(10, 5, HEALTH_REASON_REFUSED, 5, HEALTH_REASON_REFUSED);
	state_after_round("b1");
	assert_int_equal(state_after_round("b1"), HEALTH_DOWN);
}

/* How long b1, whose VIPs and itself fall silent, stays up under a document every @p every_ms. */
static unsigned int time_to_down(const char *check, unsigned int every_ms)
{
	unsigned int begin;

	open_checker(check, NULL, 0);
	sim.answers = true;
	for (unsigned int ms = 100; ms <= 5000; ms += 100) {
		sim.n_starts = 0;
		run_to(ms);
	}
	assert_int_equal(health_state(read_health_word(find_target("b1"))), HEALTH_UP);
	set_script(11, -1, 0, -1, 0);
	set_script(0x10, -1, 0, -1, 0); /* the IPv6 VIP's paths */
	begin = since_start();
	while (health_state(read_health_word(find_target("b1"))) == HEALTH_UP &&
	       since_start() < begin + 60000) {
		sim.n_starts = 0;
		run_to(since_start() + every_ms);
		take_document(check, OUTSIDE);
	}
	return since_start() - begin;
}

static void documents_one_after_the_other_cost_no_vote(void **state)
{
	static const char *const checks[] = { direct, tunnel };
	static const unsigned int every_ms[] = { 10, 90, 150, 210, 1000 };

	for (size_t c = 0; c < COUNT(checks); c++)
		for (size_t i = 0; i < COUNT(every_ms); i++) {
			unsigned int took_ms = time_to_down(checks[c], every_ms[i]);
			uint32_t worst_ms = find_target("b1")->check->detect_worst_ms;

			print_message("  a document every %u ms: down after %u ms of %u\n",
			              every_ms[i], took_ms, worst_ms);
			assert_true(took_ms <= worst_ms + every_ms[i]);
			turns_teardown(state);
			assert_int_equal(turns_setup(state), 0);
		}
}

/*
 * A target that stays keeps its time, unless that has passed or is further off than its interval.
 */
static void probes_stay_due_when_they_were(void **state)
{
	static const struct {
		int due_ms;               /* from now */
		unsigned int least, most; /* from now */
	} cases[] = {
		{ 0, 0, 0 },          { 1, 1, 1 },          { 999, 999, 999 }, { 1000, 1000, 1000 },
		{ 1001, 1000, 1000 }, { 5000, 1000, 1000 }, { -1, 0, 499 },    { -900, 0, 499 },
	};

	(void)state;
	open_checker(direct, NULL, 0);
	run_to(5000);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct target *t = find_target("b1");

		probe_only(t);
		t->due_ms = simulated.now_ms + (uint64_t)(int64_t)cases[i].due_ms;
		assert_int_equal(
		        checker_apply_model(&checker, fixture_model(direct, 7080, ""), NULL, 0), 0);
		t = find_target("b1");
		assert_in_range(t->due_ms, simulated.now_ms + cases[i].least,
		                simulated.now_ms + cases[i].most);
		assert_int_equal(t->timer.at_ms, t->due_ms);
	}
}

static void what_was_saved_comes_back_with_its_penalty(void **state)
{
	struct saved_word saved[2] = { 0 };
	uint64_t ids[2];
	struct target *t;

	(void)state;
	open_checker(flapping, NULL, 0);
	ids[0] = find_target("b1")->id;
	ids[1] = find_target("b2")->id;
	turns_teardown(state);
	assert_int_equal(turns_setup(state), 0);
	for (int i = 0; i < 2; i++) {
		saved[i].target = ids[i];
		saved[i].word = health_make(i ? HEALTH_DOWN : HEALTH_UP, i ? 0 : HEALTH_MARK_DAMPED,
		                            HEALTH_REASON_OK, 1234 + i);
		saved[i].penalty = i ? 0.5 : 4;
		saved[i].age_ms = 60000; /* a half-life */
	}
	if (ids[0] > ids[1]) {
		struct saved_word first = saved[0];

		saved[0] = saved[1];
		saved[1] = first;
	}
	open_checker(flapping, saved, 2);
	t = find_target("b1");
	assert_true(health_restored(read_health_word(t)));
	assert_true(health_damped(read_health_word(t)));
	assert_int_equal(health_since_s(read_health_word(t)), 1234);
	assert_true(t->damp.held);
	assert_true(t->damp.penalty > 1.99 && t->damp.penalty < 2.01);
	t = find_target("b2");
	assert_int_equal(health_state(read_health_word(t)), HEALTH_DOWN);
	assert_false(t->damp.held);
	assert_true(t->damp.penalty > 0.24 && t->damp.penalty < 0.26);
	assert_int_equal(health_state(read_health_word(find_target("b3"))), HEALTH_UNKNOWN);
	assert_false(health_restored(read_health_word(find_target("b3"))));
	make_round(t, 10); /* a vote of its own */
	assert_false(health_restored(read_health_word(t)));
}

static health_word service_word(bool ip4)
{
	struct health_page *page = page_payload(sim.page);

	return health_read(page, health_find_index(page, health_target_service("web", "ams", ip4)));
}

/*
 * A service is up since one of its backends is; marks that come and go meanwhile do not change
 * that.
 */
static void a_services_word_keeps_its_time_while_its_state_stays(void **state)
{
	int64_t since_s;

	(void)state;
	open_checker(direct, NULL, 0);
	assert_int_equal(health_state(service_word(true)), HEALTH_UNKNOWN);
	run_to(7000);
	make_round(find_target("b1"), 10);
	assert_int_equal(health_state(service_word(true)), HEALTH_UP);
	since_s = health_since_s(service_word(true));
	assert_in_range(since_s, WALL_S, WALL_S + 1);
	assert_int_equal(service_word(true), service_word(false));
	for (int b = 11; b <= 13; b++)
		set_script((uint8_t)b, 1, HEALTH_REASON_REFUSED, -1, 0);
	make_round(find_target("b1"), 10);
	make_round(find_target("b2"), 10);
	make_round(find_target("b3"), 10);
	assert_int_equal(health_state(service_word(true)), HEALTH_UP);
	assert_true(health_in_doubt(service_word(true)));
	assert_int_equal(health_since_s(service_word(true)), since_s);
	make_round(find_target("b1"), 10);
	make_round(find_target("b2"), 10);
	assert_int_equal(health_state(service_word(true)), HEALTH_UP);
	make_round(find_target("b3"), 10);
	assert_int_equal(health_state(service_word(true)), HEALTH_DOWN);
	assert_int_equal(health_state(service_word(false)), HEALTH_DOWN);
	assert_int_equal(health_since_s(service_word(true)), WALL_S + 7);
	/* a new document finds it as it was */
	assert_int_equal(checker_apply_model(&checker, fixture_model(direct, 7080, ""), NULL, 0),
	                 0);
	assert_int_equal(health_state(service_word(true)), HEALTH_DOWN);
	assert_int_equal(health_since_s(service_word(true)), WALL_S + 7);
}

/* Its silence is no question to the controls either. */
static void a_silent_target_without_a_vote_asks_nobody(void **state)
{
	struct target *t;

	(void)state;
	fixture_vip("", "127.0.0.14");
	open_checker("type = \"tcp\"; interval = \"1s\"; timeout = \"200ms\"; fall = 1; rise = 1;",
	             NULL, 0);
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	t = vip_target();
	t->rule.fall = 1;
	set_script(14, -1, 0, -1, 0);
	make_round(t, 5000);
	assert_int_equal(sim.n_asks, 6); /* once a second, as always */
	assert_int_equal(sim.count[UNCONTROLLED], 0);
	assert_true(t->counts.failed > 0);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_UNKNOWN);
}

static void a_default_check_votes_from_its_first_success_on(void **state)
{
	struct target *t;
	uint32_t site;

	(void)state;
	fixture_vip("", "127.0.0.14"); /* no vip_check */
	open_checker(direct, NULL, 0);
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	t = vip_target();
	site = t->site->index;
	assert_true(health_unproven(read_health_word(t)));
	assert_int_equal(checker.groups[site].n, 0);
	set_script(14, 1, HEALTH_REASON_REFUSED, -1, 0);
	for (int i = 0; i < 5; i++)
		make_round(t, 10);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_UNKNOWN);
	assert_false(health_in_doubt(read_health_word(t)));
	assert_int_equal(t->counts.failed, 5);
	assert_int_equal(sim.count[DOWN], 0);
	assert_int_equal(checker.groups[site].n_failing, 0);
	set_script(14, 1, HEALTH_REASON_OK, -1, 0);
	make_round(t, 10);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_UP);
	assert_false(health_unproven(read_health_word(t)));
	assert_int_equal(checker.groups[site].n, 1);
	assert_true(vips_is_proven(&checker.vips, &t->paths[0].spec.address, 7080));
	set_script(14, 1, HEALTH_REASON_REFUSED, -1, 0);
	for (int i = 0; i < 5; i++)
		make_round(t, 10);
	assert_int_equal(health_state(read_health_word(t)), HEALTH_DOWN);
	assert_int_equal(checker.groups[site].n_failing, 1);
	assert_int_equal(sim.count[DOWN], 1);
}

SUITE(turns_more)
{
#define T(f) cmocka_unit_test_setup_teardown(f, turns_setup, turns_teardown)
	const struct CMUnitTest tests[] = {
		T(a_tunnel_that_is_not_there_yet_has_no_vote),
		T(a_round_is_good_when_all_paths_that_lead_anywhere_are),
		T(a_path_that_never_worked_takes_no_backend_that_serves_away),
		T(a_path_that_worked_has_a_vote_beside_one_that_never_did),
		T(a_path_that_never_worked_does_not_speak_for_one_that_cannot_be_tried),
		T(a_pool_whose_paths_never_worked_is_down),
		T(a_new_backend_must_have_the_paths_that_work_at_others),
		T(a_new_pool_serves_by_the_paths_that_work),
		T(a_restart_and_a_document_keep_which_paths_have_worked),
		T(second_attempts_are_made_where_an_answer_is_missing),
		T(a_backend_that_flaps_is_held_and_spared_while_it_is_the_last),
		T(a_new_document_lets_rounds_of_the_same_check_go_on),
		T(a_new_document_gives_the_controls_no_more_time),
		T(a_new_document_ends_rounds_of_another_check_and_keeps_what_is_known),
		T(documents_one_after_the_other_cost_no_vote),
		T(probes_stay_due_when_they_were),
		T(what_was_saved_comes_back_with_its_penalty),
		T(a_services_word_keeps_its_time_while_its_state_stays),
		T(a_silent_target_without_a_vote_asks_nobody),
		T(a_default_check_votes_from_its_first_success_on),
	};

	simulated_time();
	answer_close = own_close;
	answer_connect = own_connect;
	answer_getsockopt = own_getsockopt;
	answer_poll = own_poll;
	answer_recvfrom = own_recvfrom;
	answer_send = own_send;
	answer_sendto = own_sendto;
	answer_setsockopt = own_setsockopt;
	answer_socket = own_socket;
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
