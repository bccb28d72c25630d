/* SPDX-License-Identifier: BSD-2-Clause */
/* What a person's command makes of the steps of operations, and which of them it counts as gone. */
#include "fixture.h"

#include "mgmt/store/command.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/overrides/override.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NEVER    MODEL_TIME_NEVER
#define END      ((uint64_t)1 << 53) /* the documented value */

/* The operation was commanded at NOW_MS. */
#define STAMP ((uint64_t)NOW_MS << 11)

static struct override make_step(uint32_t epoch, uint32_t step, uint32_t from_ppm, uint32_t to_ppm)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .generation = STAMP,
		              .epoch = epoch,
		              .step = step,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = NEVER,
		              .from_ppm = from_ppm,
		              .is_step = true,
		              .to_ppm = to_ppm };

	snprintf(o.id, sizeof(o.id), "d1-1");
	snprintf(o.name, sizeof(o.name), "ams");
	snprintf(o.operation, sizeof(o.operation), "d1");
	snprintf(o.author, sizeof(o.author), "jw");
	snprintf(o.reason, sizeof(o.reason), "CHG-7");
	snprintf(o.node, sizeof(o.node), "fra-1");
	return o;
}

struct scene {
	struct fixture f;
	struct intent *in;
	struct command_result r;
};

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct intent_options options = { .node = "ams-1" };

	fixture_make(&s->f);
	options.conf_dir = s->f.conf;
	options.state_dir = s->f.state;
	assert_int_equal(intent_open(&options, NOW_MS, &s->in), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	intent_close(s->in);
	fixture_remove(&s->f);
	free(s);
	return 0;
}

static enum command_outcome run_on_ams(struct scene *s, enum command_do what, const char *id)
{
	static const struct guard_observed seen = { 0 };
	const struct command c = { .what = what,
		                   .name = id ? NULL : "ams",
		                   .id = id,
		                   .over_ms = -1,
		                   .from_ms = -1,
		                   .until_ms = what <= COMMAND_FORCE_UP ? NEVER : -1,
		                   .author = "ann",
		                   .reason = "test" };

	return command_run(s->in, &c, &seen, NOW_MS + 1000, &s->r);
}

static const struct override *kept_override(const struct scene *s, const char *id)
{
	const struct override *o = overrides_find(intent_overrides(s->in), id);

	assert_non_null(o);
	return o;
}

static void merge_step(struct scene *s, const struct override *o)
{
	assert_int_equal(intent_merge(s->in, o, 1, NOW_MS), 1);
}

/* Whatever a person commands is later than the operation, and no level jumps. */
static void each_command_of_a_person_ends_the_automation(void **state)
{
	static const struct {
		enum command_do what;
		const char *state;
		uint32_t level;
		bool step;
	} rows[] = {
		{ COMMAND_HOLD, "held", 250000, true },
		{ COMMAND_DISABLE, "held", 250000, true },
		{ COMMAND_DRAIN, "drained", 1000000, false },
		{ COMMAND_UNDRAIN, "returning", 250000, false },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override o = make_step(7, 3, 250000, 250000);
		enum command_outcome outcome;

		print_message("  command %d\n", (int)rows[i].what);
		snprintf(o.id, sizeof(o.id), "d%zu", i);
		o.late_from_ms = NOW_MS;
		o.over_ms = rows[i].what == COMMAND_UNDRAIN ? 60000 : 0;
		merge_step(s, &o);
		outcome = run_on_ams(s, rows[i].what, NULL);
		assert_int_equal(outcome, COMMAND_OK);
		const struct override *n = kept_override(s, o.id);
		assert_true(n->generation > STAMP && !n->epoch && !n->step);
		assert_true(n->prior == STAMP);
		assert_string_equal(n->operation, "");
		if (rows[i].what == COMMAND_UNDRAIN)
			assert_string_equal(s->r.undo,
			                    "weir shift site ams 25% --until never --reason TEXT");
		assert_int_equal(n->late_from_ms, 0);
		assert_int_equal(n->is_step, rows[i].step);
		assert_true(override_ok(n));
		assert_string_equal(overrides_state(intent_overrides(s->in), n, NOW_MS + 1000),
		                    rows[i].state);
		assert_int_equal(overrides_level(intent_overrides(s->in), n, NOW_MS + 1000),
		                 rows[i].level);
		struct override end = *n;
		end.generation++; /* of the next command */
		end.ended = true;
		end.until_ms = NOW_MS;
		merge_step(s, &end);
	}
}

/* Its first step, which would come later, is of an earlier command than the person's. */
static void a_command_ends_an_operation_that_has_written_nothing_yet(void **state)
{
	static const enum command_do rows[] = { COMMAND_DRAIN, COMMAND_DISABLE, COMMAND_UNDRAIN };
	static const struct guard_observed seen = { 0 };
	struct scene *s = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override first = make_step(7, 0, 0, 1000000),
		                step = make_step(7, 1, 0, 100000);
		struct command c = { .what = rows[i],
			             .name = "ams",
			             .over_ms = -1,
			             .from_ms = -1,
			             .until_ms = rows[i] == COMMAND_UNDRAIN ? -1 : NEVER,
			             .author = "ann",
			             .reason = "test",
			             .unwritten = &first,
			             .n_unwritten = 1 };

		print_message("  command %d\n", (int)rows[i]);
		snprintf(first.id, sizeof(first.id), "u%zu", i);
		snprintf(step.id, sizeof(step.id), "u%zu", i);
		assert_int_equal(command_run(s->in, &c, &seen, NOW_MS + 1000, &s->r), COMMAND_OK);
		const struct override *n = kept_override(s, first.id);
		assert_true(n->generation > STAMP && n->ended);
		assert_true(override_ok(n) && !*n->operation);
		assert_string_equal(n->author, "ann");
		assert_int_equal(overrides_level(intent_overrides(s->in), n, NOW_MS + 2000), 0);
		assert_int_equal(intent_merge(s->in, &step, 1, NOW_MS + 2000), 0); /* its owner's */
		snprintf(first.name, sizeof(first.name), "fra"); /* a site that nobody commands */
		snprintf(first.id, sizeof(first.id), "v%zu", i);
		(void)command_run(s->in, &c, &seen, NOW_MS + 3000, &s->r);
		assert_null(overrides_find(intent_overrides(s->in), first.id));
	}
}

/* The undo of an undrain that stops such an operation begins it again. */
static void what_stops_an_unwritten_operation_is_undone_by_another(void **state)
{
	static const struct {
		const char *why, *service, *undo;
		uint32_t goal;
	} rows[] = {
		{ "a drain", "", "weir drain site ams --reason TEXT", 1000000 },
		{ "a part", "", "weir shift site ams 25% --until never --reason TEXT", 250000 },
		{ "a service", "web", "weir drain site ams --service web --reason TEXT", 1000000 },
	};
	static const struct guard_observed seen = { 0 };
	struct scene *s = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override first = make_step(7, 0, 0, rows[i].goal);
		const struct command c = { .what = COMMAND_UNDRAIN,
			                   .name = "ams",
			                   .over_ms = -1,
			                   .from_ms = -1,
			                   .until_ms = -1,
			                   .author = "ann",
			                   .reason = "test",
			                   .unwritten = &first,
			                   .n_unwritten = 1 };

		print_message("  %s\n", rows[i].why);
		snprintf(first.id, sizeof(first.id), "w%zu", i);
		snprintf(first.service, sizeof(first.service), "%s", rows[i].service);
		assert_int_equal(command_run(s->in, &c, &seen, NOW_MS + 1000, &s->r), COMMAND_OK);
		assert_string_equal(s->r.undo, rows[i].undo);
	}
}

/* What weir-dns said last may be from before the step: no level goes back by a hold. */
static void a_hold_keeps_what_the_step_has_in_force(void **state)
{
	static const struct {
		const char *why;
		uint32_t from, to, known, kept;
	} rows[] = {
		{ "out, said before the step", 100000, 250000, 100000, 250000 },
		{ "out, further than the schedule", 0, 100000, 250000, 250000 },
		{ "back, said before the step", 750000, 500000, 750000, 500000 },
		{ "back, further than the schedule", 1000000, 750000, 500000, 500000 },
		{ "where it is", 500000, 500000, 500000, 500000 },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override o = make_step((uint32_t)(10 * i + 1), 3, rows[i].from, rows[i].to);

		print_message("  %s\n", rows[i].why);
		o.generation += i << 30; /* an operation after the person's hold */
		merge_step(s, &o);
		for (size_t k = 0; k < s->in->overrides.n_items; k++) {
			s->in->overrides.items[k].level_known = true;
			s->in->overrides.items[k].level_ppm = rows[i].known;
		}
		assert_int_equal(run_on_ams(s, COMMAND_HOLD, NULL), COMMAND_OK);
		assert_int_equal(kept_override(s, o.id)->to_ppm, rows[i].kept);
		assert_int_equal(kept_override(s, o.id)->from_ppm, rows[i].kept);
	}
}

/* One that drains a service is another target: a hold of the site's drain leaves its level. */
static void a_persons_drain_of_the_site_holds_what_drains_its_services(void **state)
{
	struct scene *s = *state;
	struct override o = make_step(1, 2, 0, 100000);

	snprintf(o.service, sizeof(o.service), "web");
	merge_step(s, &o);
	assert_int_equal(run_on_ams(s, COMMAND_DRAIN, NULL), COMMAND_OK);
	assert_true(s->r.created);
	const struct override *n = kept_override(s, o.id);
	const uint64_t stamp = n->generation;
	assert_true(stamp > STAMP && !n->epoch);
	assert_true(n->is_step);
	assert_string_equal(n->service, "web");
	assert_int_equal(overrides_level(intent_overrides(s->in), n, NOW_MS + 1000), 100000);
	assert_int_equal(run_on_ams(s, COMMAND_UNDRAIN, o.id), COMMAND_OK); /* by its id */
	n = kept_override(s, o.id);
	assert_true(n->generation > stamp && n->prior == stamp);
	assert_string_equal(s->r.undo,
	                    "weir shift site ams 10% --until never --service web --reason TEXT");
	assert_string_equal(overrides_state(intent_overrides(s->in), n, n->until_ms + 1), "done");
	assert_true(override_ok(n));
}

/* After a person no owner of the operation has a say, in whichever epoch. */
static void after_a_person_each_owner_of_the_operation_is_refused(void **state)
{
	struct scene *s = *state;
	struct override o = make_step(7, 3, 250000, 250000), late = o;

	merge_step(s, &o);
	assert_int_equal(run_on_ams(s, COMMAND_UNDRAIN, NULL), COMMAND_OK);
	late.step = UINT32_MAX;
	assert_int_equal(intent_merge(s->in, &late, 1, NOW_MS), 0);
	late.epoch = UINT32_MAX; /* of one that did not hear of the person */
	assert_int_equal(intent_merge(s->in, &late, 1, NOW_MS), 0);
	const uint64_t stamp = kept_override(s, o.id)->generation;
	assert_int_equal(run_on_ams(s, COMMAND_DRAIN, NULL), COMMAND_OK);
	assert_true(kept_override(s, o.id)->generation > stamp);
}

static void a_dry_run_ends_nothing(void **state)
{
	static const struct guard_observed seen = { 0 };
	struct scene *s = *state;
	struct override o = make_step(7, 3, 0, 250000);
	const struct command c = { .what = COMMAND_DISABLE,
		                   .name = "ams",
		                   .over_ms = -1,
		                   .from_ms = -1,
		                   .until_ms = NEVER,
		                   .author = "ann",
		                   .reason = "test",
		                   .dry_run = true };

	merge_step(s, &o);
	assert_int_equal(command_run(s->in, &c, &seen, NOW_MS + 1, &s->r), COMMAND_OK);
	assert_true(kept_override(s, o.id)->generation == o.generation);
}

/* A number beyond which there is none: a peer's, as no node comes so far. */
static void the_last_generation_stays_valid(void **state)
{
	struct scene *s = *state;
	struct override o = make_step(1, 1, 0, 250000);

	o.generation = END - 1;
	merge_step(s, &o);
	(void)run_on_ams(s, COMMAND_HOLD, NULL);
	assert_true(override_ok(kept_override(s, o.id)));
}

static void a_clock_that_is_corrected_changes_no_step(void **state)
{
	struct scene *s = *state;
	struct override o = make_step(7, 3, 0, 250000);

	merge_step(s, &o);
	intent_clock_moved(s->in, NOW_MS + 5000, NOW_MS - 3600000);
	assert_true(kept_override(s, o.id)->generation == o.generation);
}

/* fra is left with what a step leaves it, so ams may go; drained completely, it is gone. */
static void a_part_of_a_site_is_no_site_less(void **state)
{
	static const struct {
		const char *why, *service;
		uint32_t to;
		enum command_outcome outcome;
	} rows[] = {
		{ "a shift", "", 300000, COMMAND_OK },
		{ "all but a little", "", 999999, COMMAND_OK },
		{ "all", "", 1000000, COMMAND_REFUSED },
		{ "its only service", "web", 1000000, COMMAND_REFUSED },
		{ "a part of its only service", "web", 500000, COMMAND_OK },
		{ "another service", "mail", 1000000, COMMAND_OK },
	};
	static const struct guard_observed seen = { 0 };
	struct scene *s = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override o = make_step((uint32_t)i + 1, 3, 0, rows[i].to);
		const struct command c = { .what = COMMAND_DRAIN,
			                   .name = "ams",
			                   .over_ms = -1,
			                   .from_ms = -1,
			                   .until_ms = NEVER,
			                   .author = "ann",
			                   .reason = "test",
			                   .dry_run = true };

		print_message("  %s\n", rows[i].why);
		snprintf(o.name, sizeof(o.name), "fra");
		snprintf(o.service, sizeof(o.service), "%s", rows[i].service);
		merge_step(s, &o);
		assert_int_equal(command_run(s->in, &c, &seen, NOW_MS + 1, &s->r), rows[i].outcome);
	}
}

/* What is told of the step's level, and what its schedule or weir-dns says. */
static void assert_levels(const struct scene *s, uint32_t told, uint32_t level)
{
	const struct override *o = kept_override(s, "d1-1");

	assert_int_equal(overrides_level_shown(intent_overrides(s->in), o, NOW_MS + 1000), told);
	assert_int_equal(overrides_level(intent_overrides(s->in), o, NOW_MS + 1000), level);
}

static void keep_level(const struct scene *s, const struct override *o, uint32_t level_ppm)
{
	struct ramp_record r = { .generation = o->generation,
		                 .epoch = o->epoch,
		                 .step = o->step,
		                 .level_known = true,
		                 .level_ppm = level_ppm };

	snprintf(r.id, sizeof(r.id), "%s", o->id);
	assert_int_equal(ramp_write(s->f.state, &r, 1), 0);
}

static void a_step_that_weir_dns_has_not_taken_is_told_as_it_was(void **state)
{
	const struct intent_options options = { .node = "ams-1",
		                                .conf_dir = ((struct scene *)*state)->f.conf,
		                                .state_dir = ((struct scene *)*state)->f.state };
	struct scene *s = *state;
	struct override first = make_step(1, 3, 0, 100000);
	struct override next = make_step(1, 4, 0, 250000);

	next.over_ms = 10000;
	merge_step(s, &first);
	assert_levels(s, 100000, 100000); /* weir-dns has said nothing: the schedule */
	keep_level(s, &first, 90000);
	intent_follow_ramps(s->in, NOW_MS);
	assert_levels(s, 90000, 90000);
	merge_step(s, &next);
	assert_levels(s, 90000, 25000);
	intent_close(s->in);
	assert_int_equal(intent_open(&options, NOW_MS, &s->in), 0);
	assert_levels(s, 90000, 25000);
	keep_level(s, &next, 95000);
	intent_follow_ramps(s->in, NOW_MS);
	assert_levels(s, 95000, 95000);
	next.generation++;
	next.ended = true;
	merge_step(s, &next);
	assert_levels(s, 0, 0);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(step_commands)
{
	const struct CMUnitTest tests[] = {
		WITH(each_command_of_a_person_ends_the_automation),
		WITH(a_command_ends_an_operation_that_has_written_nothing_yet),
		WITH(what_stops_an_unwritten_operation_is_undone_by_another),
		WITH(a_hold_keeps_what_the_step_has_in_force),
		WITH(a_persons_drain_of_the_site_holds_what_drains_its_services),
		WITH(after_a_person_each_owner_of_the_operation_is_refused),
		WITH(a_dry_run_ends_nothing),
		WITH(the_last_generation_stays_valid),
		WITH(a_clock_that_is_corrected_changes_no_step),
		WITH(a_part_of_a_site_is_no_site_less),
		WITH(a_step_that_weir_dns_has_not_taken_is_told_as_it_was),
	};

	return cmocka_run_group_tests_name("mgmt step commands", tests, NULL, NULL);
}
