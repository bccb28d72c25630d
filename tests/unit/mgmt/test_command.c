/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of operations: what each makes of the overrides, and what it refuses, at the limits
 * exactly.
 */
#include "fixture.h"

#include <errno.h>
#include <sys/resource.h>

#include "mgmt/store/command.h"
#include "mgmt/overrides/compose.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/intent_internal.h"
#include "tests/unit/suite.h"
#include "weir/ramp.h"

/* The documented values, not the code's own: a change of those is seen. */
#define AHEAD_MS  2000
#define STAMP(ms) ((uint64_t)(ms) << 11) /* of a command at that time */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LEAD_MS  60000 /* the longest TTL of www.shop.example */

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

/* A command about a site, or a backend ("web-ams/b1"). */
static struct command make_command(enum command_do what, const char *target)
{
	static char pool[64];
	const char *slash = strchr(target, '/');
	struct command c = { .what = what,
		             .name = slash ? slash + 1 : target,
		             .over_ms = -1,
		             .from_ms = -1,
		             .until_ms = what <= COMMAND_FORCE_UP ? MODEL_TIME_NEVER : -1,
		             .author = "jw",
		             .reason = "test" };

	if (slash) {
		snprintf(pool, sizeof(pool), "%.*s", (int)(slash - target), target);
		c.pool = pool;
	}
	return c;
}

static enum command_outcome run_command(struct scene *s, const struct command *c, int64_t now_ms)
{
	const struct guard_observed seen = { 0 };

	return command_run(s->in, c, &seen, now_ms, &s->r);
}

static enum command_outcome run_plain(struct scene *s, enum command_do what, const char *target,
                                      int64_t now_ms)
{
	const struct command c = make_command(what, target);

	return run_command(s, &c, now_ms);
}

/* The override of the last command, as it is kept. */
static const struct override *kept_override(const struct scene *s)
{
	const struct override *o = overrides_find(intent_overrides(s->in), s->r.override.id);

	assert_non_null(o);
	return o;
}

static const struct event *last_event(const struct scene *s)
{
	const struct journal *j = intent_journal(s->in);

	return journal_find(j, journal_last(j));
}

static const char *state_of(const struct scene *s, int64_t now_ms)
{
	return overrides_state(intent_overrides(s->in), kept_override(s), now_ms);
}

static uint32_t level_of(const struct scene *s, int64_t now_ms)
{
	return overrides_level(intent_overrides(s->in), kept_override(s), now_ms);
}

static void a_sites_drain_starts_a_ttl_ahead_and_returns_by_its_ramp(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "ams");
	int64_t from_ms = NOW_MS + LEAD_MS, back_ms;

	c.over_ms = 100000;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	assert_true(s->r.created);
	assert_int_equal(s->r.override.from_ms, from_ms);
	assert_true(s->r.override.generation == STAMP(NOW_MS) && !s->r.override.prior);
	assert_string_equal(s->r.undo, "weir undrain site ams --scheduled");
	assert_string_equal(state_of(s, NOW_MS), "scheduled");
	assert_string_equal(state_of(s, from_ms), "ramping");
	assert_int_equal(level_of(s, from_ms + 50000), 500000);
	assert_string_equal(state_of(s, from_ms + 99999), "ramping");
	assert_string_equal(state_of(s, from_ms + 100000), "drained");
	/*
	 * in the middle of the ramp it is taken back: from the level that it has, over the same
	 * time
	 */
	assert_int_equal(run_plain(s, COMMAND_UNDRAIN, "ams", from_ms + 50000), COMMAND_OK);
	back_ms = from_ms + 50000 + LEAD_MS;
	assert_false(kept_override(s)->ended);
	assert_int_equal(kept_override(s)->until_ms, back_ms);
	assert_int_equal(kept_override(s)->over_ms, 100000);
	assert_int_equal(level_of(s, back_ms - 1), 500000);
	assert_true(level_of(s, back_ms + 50000) < 500000 && level_of(s, back_ms + 50000) > 0);
	assert_string_equal(state_of(s, back_ms + 1), "returning");
	assert_string_equal(state_of(s, back_ms + 100000), "done");
	assert_int_equal(level_of(s, back_ms + 100000), 0);
	assert_int_equal(run_plain(s, COMMAND_UNDRAIN, "ams", back_ms + 100000), COMMAND_OVER);
}

static void now_means_at_once(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "ams");

	c.now = true;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	assert_int_equal(s->r.override.from_ms, NOW_MS);
	assert_int_equal(level_of(s, NOW_MS), 1000000);
	c = make_command(COMMAND_UNDRAIN, "ams");
	c.now = true;
	assert_int_equal(run_command(s, &c, NOW_MS + 5), COMMAND_OK);
	assert_true(kept_override(s)->ended);
	assert_int_equal(level_of(s, NOW_MS + 5), 0);
	assert_string_equal(state_of(s, NOW_MS + 5), "done");
	assert_int_equal(run_command(s, &c, NOW_MS + 6), COMMAND_OVER);
	assert_string_equal(s->r.text, "nothing to end: the target has no drain");
}

static void a_drain_without_a_ramp_stays_whole_until_it_falls_at_once(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "ams");
	int64_t back_ms = NOW_MS + 10 + LEAD_MS;

	c.now = true;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	assert_int_equal(run_plain(s, COMMAND_UNDRAIN, "ams", NOW_MS + 10), COMMAND_OK);
	assert_int_equal(level_of(s, back_ms - 1), 1000000);
	assert_int_equal(level_of(s, back_ms + 1), 0);
}

/* No time is a time, too: the ramp of the drain is not that of the return. */
static void a_drain_with_a_ramp_may_fall_at_once(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "ams");
	int64_t back_ms = NOW_MS + 10 + LEAD_MS;

	c.now = true;
	c.over_ms = 100000;
	assert_int_equal(run_command(s, &c, NOW_MS - 100000), COMMAND_OK);
	c = make_command(COMMAND_UNDRAIN, "ams");
	c.over_ms = 0;
	assert_int_equal(run_command(s, &c, NOW_MS + 10), COMMAND_OK);
	assert_int_equal(level_of(s, back_ms - 1), 1000000);
	assert_int_equal(level_of(s, back_ms + 1), 0);
}

static void the_same_drain_again_changes_the_one_that_is(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "ams");
	char id[MODEL_ID_MAX];

	c.now = true;
	c.over_ms = 100000;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	snprintf(id, sizeof(id), "%s", s->r.override.id);
	c.now = false;
	c.over_ms = -1;
	c.until_ms = NOW_MS + 3600000;
	assert_int_equal(run_command(s, &c, NOW_MS + 30000), COMMAND_OK);
	assert_string_equal(s->r.override.id, id);
	assert_false(s->r.created);
	assert_true(s->r.override.generation == STAMP(NOW_MS + 30000));
	assert_true(s->r.override.prior == STAMP(NOW_MS));
	assert_int_equal(s->r.override.until_ms, NOW_MS + 3600000);
	assert_int_equal(s->r.override.from_ms, NOW_MS); /* its ramp goes on as it was */
	assert_int_equal(level_of(s, NOW_MS + 30000), 300000);
	assert_int_equal(level_of(s, NOW_MS + 99999), 999990);
	assert_int_equal(s->r.override.over_ms, 100000);
	assert_int_equal(s->r.override.created_ms, NOW_MS);
	assert_string_equal(
	        s->r.undo,
	        "weir drain site ams --over 100s --until never --scheduled --reason TEXT");
	c.over_ms = 50000;
	assert_int_equal(run_command(s, &c, NOW_MS + 40000), COMMAND_OK);
	assert_int_equal(s->r.override.from_ppm,
	                 400000); /* goes on from where it was, without a lead */
	assert_int_equal(s->r.override.from_ms, NOW_MS + 40000);
	assert_int_equal(s->r.override.over_ms, 50000);
	assert_int_equal(intent_overrides(s->in)->n_items, 1);
}

/* Automation repeats a command each few seconds: it begins and ends as if it had been given once. */
static void what_is_repeated_is_not_put_off(void **state)
{
	static const struct {
		const char *why, *target;
		int64_t over, lead; /* over -1: not given */
	} rows[] = {
		{ "a site, with the ramp that it has", "ams", -1, LEAD_MS },
		{ "a site, over a time", "ams", 90000, LEAD_MS },
		{ "a site, at once", "ams", 0, LEAD_MS },
		{ "a backend", "web-ams/b1", -1, AHEAD_MS },
		{ "a backend, whose flows have a time", "web-ams/b1", 90000, AHEAD_MS },
	};
	struct scene *s = *state;
	int64_t now_ms = NOW_MS;

	for (size_t i = 0; i < COUNT(rows); i++, now_ms += 1000000) {
		struct command out = make_command(COMMAND_DRAIN, rows[i].target),
		               back = make_command(COMMAND_UNDRAIN, rows[i].target);
		int64_t over = rows[i].over > 0 ? rows[i].over : 0, step = rows[i].lead / 4,
		        back_ms = now_ms + 400000;

		print_message("  %s\n", rows[i].why);
		out.over_ms = rows[i].over;
		for (int64_t at = 0; at < 9 * step; at += step) {
			out.until_ms = now_ms + at + 900000; /* it is extended all the time */
			assert_int_equal(run_command(s, &out, now_ms + at), COMMAND_OK);
			assert_int_equal(s->r.override.from_ms, now_ms + rows[i].lead);
			assert_int_equal(s->r.override.over_ms, over);
			assert_int_equal(s->r.override.until_ms, out.until_ms);
			assert_int_equal(*s->r.note != '\0', at && !out.pool);
		}
		if (!out.pool)
			back.over_ms = rows[i].over;
		assert_int_equal(run_command(s, &back, back_ms), COMMAND_OK);
		struct override first = s->r.override;
		assert_int_equal(first.until_ms, back_ms + rows[i].lead);
		for (int64_t at = step; at < rows[i].lead + (out.pool ? 0 : over); at += step) {
			assert_int_equal(run_command(s, &back, back_ms + at), COMMAND_OK);
			assert_int_equal(s->r.override.until_ms, first.until_ms);
			assert_int_equal(s->r.override.from_ms, first.from_ms);
			assert_int_equal(s->r.override.over_ms, first.over_ms);
			assert_int_equal(s->r.override.from_ppm, first.from_ppm);
			assert_int_equal(*s->r.note != '\0', !out.pool);
		}
		assert_int_equal(
		        run_command(s, &back, back_ms + rows[i].lead + (out.pool ? 0 : over) + 1),
		        COMMAND_OVER);
	}
}

/* A backend's flows get what the first command asked for, however often it is repeated; another time counts from now. */
static void a_repeated_time_for_flows_ends_as_the_first(void **state)
{
	static const struct {
		const char *why;
		int64_t was, over; /* -1: not given */
		int64_t end;       /* the deadline, from the first command of the new time on */
	} rows[] = {
		{ "none before", -1, 600000, 600000 },
		{ "shorter before", 90000, 600000, 600000 },
		{ "longer before", 3600000, 600000, 600000 },
		{ "it would end sooner by itself", 650000, 600000, 550000 },
		{ "the same before", 600000, 600000, 500000 },
	};
	struct scene *s = *state;
	int64_t now_ms = NOW_MS;

	for (size_t i = 0; i < COUNT(rows); i++, now_ms += 10000000) {
		struct command out = make_command(COMMAND_DRAIN, "web-ams/b1");
		int64_t begin_ms = now_ms + AHEAD_MS, changed_ms = begin_ms + 100000;

		print_message("  %s\n", rows[i].why);
		out.until_ms = now_ms + 5000000;
		out.over_ms = rows[i].was;
		assert_int_equal(run_command(s, &out, now_ms), COMMAND_OK);
		out.over_ms = rows[i].over;
		for (int64_t at = 0; at < 900000; at += 60000) {
			assert_int_equal(run_command(s, &out, changed_ms + at), COMMAND_OK);
			assert_int_equal(s->r.override.from_ms, begin_ms);
			assert_int_equal(s->r.override.over_ms, 100000 + rows[i].end);
		}
		out.over_ms = 100000 + rows[i].end + 1;
		assert_int_equal(run_command(s, &out, changed_ms + 60000), COMMAND_OK);
		assert_int_equal(s->r.override.over_ms, 160000 + out.over_ms);
		out.over_ms = 1000;
		assert_int_equal(run_command(s, &out, changed_ms + 70000), COMMAND_OK);
		assert_int_equal(s->r.override.over_ms, 171000);
		assert_int_equal(run_command(s, &out, changed_ms + 80000), COMMAND_OK);
		assert_int_equal(s->r.override.over_ms, 171000);
		out.what = COMMAND_UNDRAIN;
		out.until_ms = out.over_ms = -1;
		assert_int_equal(run_command(s, &out, changed_ms + 90000), COMMAND_OK);
	}
}

static void keep_ramp(const struct scene *s, const struct override *o, int64_t at_ms,
                      enum ramp_how how)
{
	struct ramp_record r = { .generation = o->generation, .at_ms = at_ms, .how = how };

	snprintf(r.id, sizeof(r.id), "%s", o->id);
	assert_int_equal(ramp_write(s->f.state, &r, 1), 0);
}

/* Half a drain is not what anybody asked for, but it may be: the answer says how far it comes. */
static void a_ramp_that_until_cuts_is_told(void **state)
{
	static const struct {
		int64_t over, until;
		const char *note;
	} rows[] = {
		{ 3600000, LEAD_MS + 120000,
		  "until comes before the end of the ramp: the drain reaches 3.3 %, and the site "
		  "returns from there" },
		{ 100000, LEAD_MS + 99999,
		  "until comes before the end of the ramp: the drain reaches 100.0 %, and the site "
		  "returns from there" },
		{ 100000, LEAD_MS + 100000, "" },
		{ 0, LEAD_MS + 1, "" },
		{ 3600000, -1, "" },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct command c = make_command(COMMAND_DRAIN, "ams");

		c.over_ms = rows[i].over;
		if (rows[i].until >= 0)
			c.until_ms = NOW_MS + rows[i].until;
		c.dry_run = true;
		assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
		assert_string_equal(s->r.note, rows[i].note);
	}
	struct command c = make_command(COMMAND_DRAIN, "ams");
	c.until_ms = NOW_MS + 30000;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_INVALID);
	assert_string_equal(s->r.text,
	                    "is not after the beginning of the drain, 2026-09-21T14:14:20.000Z");
}

/* What else is asked for is done, though a ramp is on its way. */
static void another_command_than_before_begins_its_own_ramp(void **state)
{
	struct scene *s = *state;
	struct command out = make_command(COMMAND_DRAIN, "ams"),
	               back = make_command(COMMAND_UNDRAIN, "ams");

	out.from_ms = NOW_MS + 500000; /* later than by itself */
	assert_int_equal(run_command(s, &out, NOW_MS), COMMAND_OK);
	out.from_ms = -1;
	assert_int_equal(run_command(s, &out, NOW_MS + 10), COMMAND_OK);
	assert_int_equal(s->r.override.from_ms, NOW_MS + 10 + LEAD_MS);
	out.now = true;
	assert_int_equal(run_command(s, &out, NOW_MS + 20), COMMAND_OK);
	assert_int_equal(s->r.override.from_ms, NOW_MS + 20);
	assert_int_equal(level_of(s, NOW_MS + 20), 1000000);
	back.over_ms = 100000;
	assert_int_equal(run_command(s, &back, NOW_MS + 1000), COMMAND_OK);
	/* another ramp back */
	back.over_ms = 200000;
	assert_int_equal(run_command(s, &back, NOW_MS + 2000), COMMAND_OK);
	assert_int_equal(s->r.override.until_ms, NOW_MS + 2000 + LEAD_MS);
	assert_int_equal(s->r.override.over_ms, 200000);
	/* in the middle of it the drain begins again, from the level that it has */
	int64_t half_ms = NOW_MS + 2000 + LEAD_MS + 100000;
	out.now = false;
	assert_int_equal(run_command(s, &out, half_ms), COMMAND_OK);
	assert_int_equal(s->r.override.from_ms, half_ms);
	assert_int_equal(s->r.override.from_ppm, 500000);
	assert_string_equal(s->r.note, "");
	/* a held one goes on from its level, when it is asked to */
	assert_int_equal(run_plain(s, COMMAND_HOLD, "ams", half_ms + 20000), COMMAND_OK);
	assert_int_equal(run_command(s, &out, half_ms + 90000), COMMAND_OK);
	assert_int_equal(s->r.override.from_ms, half_ms + 90000);
	assert_int_equal(s->r.override.from_ppm, 550000);
	/* and so does what the name server has held, or is late with */
	struct override o = s->r.override;
	keep_ramp(s, &o, half_ms + 100000, RAMP_LATE);
	intent_follow_ramps(s->in, half_ms + 120000);
	assert_int_equal(run_command(s, &out, half_ms + 120000), COMMAND_OK);
	assert_int_equal(s->r.override.from_ms, half_ms + 120000);
}

static void limits_of_time_are_exact(void **state)
{
	struct scene *s = *state;
	static const struct {
		const char *why;
		enum command_do what;
		const char *target;
		int64_t over, from, until; /* from and until after now */
		bool now;
		const char *field; /* NULL: it is fine */
	} cases[] = {
		{ "no until", COMMAND_DRAIN, "ams", -1, -1, -2, false, "until" },
		{ "until is now", COMMAND_DRAIN, "ams", -1, -1, 0, false, "until" },
		{ "until is in a millisecond", COMMAND_DRAIN, "ams", -1, -1, 1, true, NULL },
		{ "until is when it would begin", COMMAND_DRAIN, "ams", -1, -1, LEAD_MS, false,
		  "until" },
		{ "until is before it begins, with a ramp", COMMAND_DRAIN, "ams", 1000, -1, 30000,
		  false, "until" },
		{ "until is just after that", COMMAND_DRAIN, "ams", -1, -1, LEAD_MS + 1, false,
		  NULL },
		{ "until is when a backend's would begin", COMMAND_DRAIN, "web-ams/b1", -1, -1,
		  AHEAD_MS, false, "until" },
		{ "until is just after that", COMMAND_DRAIN, "web-ams/b1", -1, -1, AHEAD_MS + 1,
		  false, NULL },
		{ "a backend is disabled at once", COMMAND_DISABLE, "web-ams/b1", -1, -1, 1, false,
		  NULL },
		{ "from is now", COMMAND_DRAIN, "ams", -1, 0, 1000, false, NULL },
		{ "from was", COMMAND_DRAIN, "ams", -1, -5, 1000, false, "from" },
		{ "from is until", COMMAND_DRAIN, "ams", -1, 1000, 1000, false, "from" },
		{ "from just before until", COMMAND_DRAIN, "ams", -1, 999, 1000, false, NULL },
		{ "now with from", COMMAND_DRAIN, "ams", -1, 10, 1000, true, "now" },
		{ "from with disable", COMMAND_DISABLE, "web-ams/b1", -1, 10, 1000, false, "from" },
		{ "over with disable", COMMAND_DISABLE, "web-ams/b1", 0, -1, 1000, false, "over" },
		{ "over with enable", COMMAND_ENABLE, "web-ams/b1", 5, -1, -2, false, "over" },
		{ "until with undrain", COMMAND_UNDRAIN, "ams", -1, -1, 1000, false, "until" },
		{ "until with hold", COMMAND_HOLD, "ams", -1, -1, 1000, false, "until" },
		{ "force up a site", COMMAND_FORCE_UP, "ams", -1, -1, 1000, false, "target" },
		{ "hold a backend", COMMAND_HOLD, "web-ams/b1", -1, -1, -2, false, "target" },
		{ "no such site", COMMAND_DRAIN, "lon", -1, -1, 1000, false, "target.site" },
		{ "no such pool", COMMAND_DRAIN, "web-lon/b1", -1, -1, 1000, false, "target.pool" },
		{ "no such backend", COMMAND_DRAIN, "web-ams/b9", -1, -1, 1000, false,
		  "target.backend" },
		{ "undrain a site that nobody knows", COMMAND_UNDRAIN, "lon", -1, -1, -2, false,
		  "target.site" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct command c = make_command(cases[i].what, cases[i].target);
		enum command_outcome outcome;

		c.over_ms = cases[i].over;
		c.from_ms = cases[i].from == -1 ? -1 : NOW_MS + cases[i].from;
		c.until_ms = cases[i].until == -2 ? -1 : NOW_MS + cases[i].until;
		c.now = cases[i].now;
		c.dry_run = true;
		outcome = run_command(s, &c, NOW_MS);
		if ((outcome == COMMAND_OK) != !cases[i].field)
			fail_msg("%s: outcome %d, %s", cases[i].why, outcome, s->r.text);
		if (cases[i].field && strcmp(s->r.field, cases[i].field) != 0)
			fail_msg("%s: %s", cases[i].why, s->r.field);
	}
	assert_int_equal(intent_overrides(s->in)->n_items, 0); /* nothing was done */
}

static void a_hold_needs_a_ramp_and_ends_with_the_next_command(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "ams");
	char drain[MODEL_ID_MAX];

	assert_int_equal(run_plain(s, COMMAND_HOLD, "ams", NOW_MS), COMMAND_NOTHING);
	assert_string_equal(s->r.text, "no ramp is running");
	c.now = true;
	c.over_ms = 100000;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	snprintf(drain, sizeof(drain), "%s", s->r.override.id);
	assert_int_equal(run_plain(s, COMMAND_HOLD, "ams", NOW_MS + 20000), COMMAND_OK);
	assert_true(s->r.created);
	assert_string_equal(
	        s->r.undo,
	        "weir drain site ams --over 100s --until never --scheduled --reason TEXT");
	assert_int_equal(run_plain(s, COMMAND_HOLD, "ams", NOW_MS + 30000),
	                 COMMAND_NOTHING); /* it is held */
	const struct overrides *set = intent_overrides(s->in);
	assert_int_equal(overrides_level(set, overrides_find(set, drain), NOW_MS + 90000), 200000);
	assert_int_equal(run_command(s, &c, NOW_MS + 90000), COMMAND_OK);
	assert_int_equal(overrides_live(set, NOW_MS + 90000), 1); /* the hold has ended */
	assert_int_equal(level_of(s, NOW_MS + 90000), 200000);
	assert_int_equal(run_plain(s, COMMAND_HOLD, "ams", NOW_MS + 100000), COMMAND_OK);
	assert_int_equal(run_plain(s, COMMAND_UNDRAIN, "ams", NOW_MS + 110000), COMMAND_OK);
	assert_int_equal(s->r.n_others, 0);
	assert_string_equal(s->r.override.id, drain);
	assert_null(overrides_hold(set, kept_override(s), NOW_MS + 110000));
}

/* Ending one target's drain and hold leaves every other override as it is. */
static void what_ends_at_one_target_goes_on_at_others(void **state)
{
	struct scene *s = *state;
	static const char *const others[] = { "fra", "web-ams/b1", "web-fra/b1" };
	struct override before[16];
	struct command c;

	for (size_t i = 0; i < 4; i++) {
		c = make_command(COMMAND_DRAIN, i ? others[i - 1] : "ams");
		c.now = !c.pool; /* sites at once; what backends do is announced */
		c.over_ms = 100000;
		c.past[c.n_past++] = "last-site";
		c.past[c.n_past++] = "last-backend";
		c.past[c.n_past++] = "room";
		assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	}
	assert_int_equal(run_plain(s, COMMAND_HOLD, "fra", NOW_MS + 9000), COMMAND_OK);
	assert_int_equal(run_plain(s, COMMAND_HOLD, "ams", NOW_MS + 10000), COMMAND_OK);
	const struct overrides *set = intent_overrides(s->in);
	size_t n = set->n_items, touched = 0;
	assert_int_equal(n, 6);
	memcpy(before, set->items, n * sizeof(*before));
	c = make_command(COMMAND_UNDRAIN, "ams");
	c.now = true;
	assert_int_equal(run_command(s, &c, NOW_MS + 20000), COMMAND_OK);
	assert_int_equal(set->n_items, n);
	for (size_t i = 0; i < n; i++) {
		const struct override *o = &set->items[i];
		bool is_own = !strcmp(o->name, "ams");

		assert_true(o->generation ==
		            (is_own ? STAMP(NOW_MS + 20000) : before[i].generation));
		assert_int_equal(o->ended, is_own);
		assert_int_equal(o->until_ms, is_own ? NOW_MS + 20000 : MODEL_TIME_NEVER);
		assert_int_equal(o->from_ms, before[i].from_ms); /* of what is over, too */
		touched += is_own;
	}
	assert_int_equal(touched, 2);
}

static void a_backends_instants_are_announced_and_never_move_once_past(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "web-ams/b1");
	int64_t from_ms = NOW_MS + AHEAD_MS;

	c.over_ms = 60000;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	assert_int_equal(s->r.override.from_ms, from_ms);
	c.until_ms = NOW_MS + 900000;
	c.from_ms = NOW_MS + AHEAD_MS + 700;
	assert_int_equal(run_command(s, &c, from_ms - 1), COMMAND_OK); /* not begun: it may move */
	from_ms += 700;
	c.from_ms = -1;
	assert_int_equal(s->r.override.from_ms, from_ms);
	assert_int_equal(run_command(s, &c, from_ms),
	                 COMMAND_OK); /* begun in this very millisecond */
	assert_int_equal(s->r.override.from_ms, from_ms);
	assert_int_equal(s->r.override.over_ms, 60000);
	c.over_ms = 61000;
	assert_int_equal(run_command(s, &c, from_ms + 10000),
	                 COMMAND_OK); /* its deadline counts from now */
	assert_int_equal(s->r.override.over_ms, 71000);
	assert_int_equal(run_plain(s, COMMAND_UNDRAIN, "web-ams/b1", from_ms + 20000), COMMAND_OK);
	assert_int_equal(kept_override(s)->until_ms, from_ms + 20000 + AHEAD_MS);
	assert_string_equal(state_of(s, from_ms + 20000), "returning");
	assert_string_equal(state_of(s, from_ms + 20000 + AHEAD_MS), "done");
}

/* A node whose clock is ahead hears of it as long before as the others. */
static void what_begins_everywhere_is_announced_by_the_skew_sooner(void **state)
{
	static const struct {
		int64_t skew_ms, ahead_ms;
	} rows[] = { { 0, 2000 }, { 300, 2300 }, { 5000, 7000 }, { 60000, 7000 } };
	struct scene *s = *state;
	int64_t now_ms = NOW_MS;

	for (size_t i = 0; i < COUNT(rows); i++, now_ms += 60000) {
		intent_expect_skew(s->in, rows[i].skew_ms);
		assert_int_equal(run_plain(s, COMMAND_DRAIN, "web-ams/b1", now_ms), COMMAND_OK);
		assert_int_equal(s->r.override.from_ms, now_ms + rows[i].ahead_ms);
		now_ms += 30000;
		assert_int_equal(run_plain(s, COMMAND_UNDRAIN, "web-ams/b1", now_ms), COMMAND_OK);
		assert_int_equal(s->r.override.until_ms, now_ms + rows[i].ahead_ms);
	}
}

/* A ramp that has begun is counted from its beginning: with the longest one it would be longer than what is read again. */
static void what_no_node_would_read_is_refused(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "web-ams/b1");

	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	c.over_ms = (int64_t)366 * 24 * 3600 * 1000;
	assert_int_equal(run_command(s, &c, NOW_MS + AHEAD_MS + 1), COMMAND_INVALID);
	assert_string_equal(s->r.field, "over");
	assert_int_equal(intent_overrides(s->in)->items[0].over_ms, 0);
	assert_int_equal(run_command(s, &c, NOW_MS + AHEAD_MS), COMMAND_OK);
	assert_true(override_ok(&intent_overrides(s->in)->items[0]));
}

static void enabling_ends_what_was_disabled_and_what_was_forced_up(void **state)
{
	struct scene *s = *state;

	assert_int_equal(run_plain(s, COMMAND_DISABLE, "web-ams/b1", NOW_MS), COMMAND_OK);
	assert_string_equal(s->r.undo, "weir enable backend web-ams/b1");
	assert_int_equal(s->r.override.from_ms, NOW_MS); /* at once */
	assert_int_equal(run_plain(s, COMMAND_FORCE_UP, "web-ams/b1", NOW_MS), COMMAND_OK);
	assert_int_equal(run_plain(s, COMMAND_ENABLE, "web-ams/b2", NOW_MS + 10), COMMAND_OVER);
	assert_string_equal(s->r.text, "nothing to end: the target has no disable or force-up");
	assert_int_equal(run_plain(s, COMMAND_ENABLE, "web-ams/b1", NOW_MS + 10), COMMAND_OK);
	assert_int_equal(s->r.n_others, 1);
	const struct overrides *set = intent_overrides(s->in);
	assert_int_equal(set->n_items, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		        set->items[i].until_ms,
		        NOW_MS + 10 +
		                (set->items[i].kind == MODEL_OVERRIDE_DISABLE ? AHEAD_MS : 0));
	assert_int_equal(overrides_live(set, NOW_MS + 10 + AHEAD_MS), 0);
	assert_int_equal(run_plain(s, COMMAND_DISABLE, "fra", NOW_MS + 20), COMMAND_OK);
	assert_int_equal(run_plain(s, COMMAND_ENABLE, "fra", NOW_MS + 30), COMMAND_OK);
	assert_true(kept_override(s)->ended);
}

static void another_generation_is_stale_and_an_unknown_id_is_named(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "ams");
	char id[MODEL_ID_MAX];

	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	snprintf(id, sizeof(id), "%s", s->r.override.id);
	c.generation = STAMP(NOW_MS) + 1;
	assert_int_equal(run_command(s, &c, NOW_MS + 1), COMMAND_STALE);
	assert_true(s->r.override.generation == STAMP(NOW_MS)); /* as it is */
	c.generation = STAMP(NOW_MS);
	assert_int_equal(run_command(s, &c, NOW_MS + 1), COMMAND_OK);
	c = make_command(COMMAND_UNDRAIN, "ams");
	c.name = NULL;
	c.id = id;
	c.generation = STAMP(NOW_MS);
	assert_int_equal(run_command(s, &c, NOW_MS + 2), COMMAND_STALE);
	c.generation = STAMP(NOW_MS + 1);
	assert_int_equal(run_command(s, &c, NOW_MS + 2), COMMAND_OK);
	c.id = "nosuch";
	assert_int_equal(run_command(s, &c, NOW_MS + 3), COMMAND_UNKNOWN);
	assert_string_equal(s->r.text, "there is no override nosuch");
}

static void guards_refuse_what_leaves_nothing_unless_named(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "fra");

	c.now = true;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	c = make_command(COMMAND_DRAIN, "ams");
	c.now = true;
	assert_int_equal(run_command(s, &c, NOW_MS + 1), COMMAND_REFUSED);
	assert_non_null(strstr(s->r.text, "last-site: service web has no other site"));
	assert_string_equal(last_event(s)->kind, "guard");
	assert_string_equal(last_event(s)->subject, "ams");
	assert_int_equal(intent_overrides(s->in)->n_items, 1);
	c.past[0] = "room";
	c.n_past = 1;
	assert_int_equal(run_command(s, &c, NOW_MS + 1), COMMAND_REFUSED);
	c.past[0] = "last-site";
	c.dry_run = true;
	assert_int_equal(run_command(s, &c, NOW_MS + 1), COMMAND_OK);
	assert_int_equal(intent_overrides(s->in)->n_items, 1);
	c.dry_run = false;
	assert_int_equal(run_command(s, &c, NOW_MS + 1), COMMAND_OK);
	c = make_command(COMMAND_DISABLE, "web-fra/b1");
	assert_int_equal(run_command(s, &c, NOW_MS + 2), COMMAND_REFUSED);
	assert_non_null(strstr(s->r.text, "last-backend: pool web-fra"));
	assert_string_equal(last_event(s)->kind, "guard");
	assert_string_equal(last_event(s)->subject, "pools/web-fra/backends/b1");
	c.what = COMMAND_FORCE_UP; /* takes nothing away */
	assert_int_equal(run_command(s, &c, NOW_MS + 2), COMMAND_OK);
}

static void an_undo_line_has_the_instants_that_are_to_come(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "ams");

	c.over_ms = 1500;
	c.from_ms = NOW_MS + 600000;
	c.until_ms = NOW_MS + 1200000;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	assert_int_equal(run_plain(s, COMMAND_UNDRAIN, "ams", NOW_MS + 1), COMMAND_OK);
	assert_string_equal(s->r.undo,
	                    "weir drain site ams --over 1500ms --from 2026-09-21T14:23:20.000Z "
	                    "--until 2026-09-21T14:33:20.000Z --scheduled --reason TEXT");
	assert_true(kept_override(s)->ended); /* nothing had moved yet */
}

/* A person has two minutes; what a line would begin after its end is refused. */
static void an_undo_line_is_not_refused_for_two_minutes(void **state)
{
	static const struct {
		const char *why;
		int64_t from, until;
		enum command_do then;
		bool now, has_line;
	} rows[] = {
		{ "not begun, and it would begin at its end", 100000, 180000, COMMAND_UNDRAIN,
		  false, false },
		{ "not begun, in time", 100000, 180001, COMMAND_UNDRAIN, false, true },
		{ "it names its beginning", 150000, 180000, COMMAND_UNDRAIN, false, true },
		{ "ended at once", 0, 180000, COMMAND_UNDRAIN, true, false },
		{ "ended at once, in time", 0, 180001, COMMAND_UNDRAIN, true, true },
		{ "returning: it goes on from its level", 0, 180000, COMMAND_UNDRAIN, false, true },
		{ "changed: it goes on from its level", 0, 120001, COMMAND_DRAIN, false, true },
		{ "nearly over", 0, 120000, COMMAND_DRAIN, false, false },
	};
	struct scene *s = *state;
	int64_t now_ms = NOW_MS;

	for (size_t i = 0; i < COUNT(rows); i++, now_ms += 10000000) {
		struct command c = make_command(COMMAND_DRAIN, "ams");

		print_message("  %s\n", rows[i].why);
		c.until_ms = now_ms + rows[i].until;
		c.from_ms = rows[i].from ? now_ms + rows[i].from : -1;
		c.now = !rows[i].from;
		assert_int_equal(run_command(s, &c, now_ms - 1000 * !rows[i].from), COMMAND_OK);
		c = make_command(rows[i].then, "ams");
		c.now = rows[i].now;
		assert_int_equal(run_command(s, &c, now_ms), COMMAND_OK);
		assert_int_equal(*s->r.undo != '\0', rows[i].has_line);
		if (rows[i].has_line) {
			c = make_command(COMMAND_DRAIN, "ams");
			c.until_ms = now_ms + rows[i].until;
			c.from_ms = strstr(s->r.undo, "--from") ? now_ms + rows[i].from : -1;
			assert_int_equal(run_command(s, &c, now_ms + 119999), COMMAND_OK);
		}
		run_plain(s, COMMAND_UNDRAIN, "ams", now_ms + 900000); /* what may be left */
	}
}

static void the_ramps_of_the_name_server_are_followed_whenever_it_writes(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "ams");
	int64_t end_ms = NOW_MS + 1000000;

	c.now = true;
	c.over_ms = 100000;
	c.until_ms = end_ms;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_OK);
	intent_follow_ramps(s->in, NOW_MS);
	assert_int_equal(kept_override(s)->how, RAMP_FREE);
	uint64_t edition = intent_overrides(s->in)->edition;
	keep_ramp(s, kept_override(s), end_ms - 1, RAMP_HELD_SITE);
	struct rlimit old, low;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	intent_follow_ramps(s->in, end_ms + 500000); /* without a descriptor it cannot be read */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(kept_override(s)->how, RAMP_FREE);
	intent_follow_ramps(s->in, end_ms + 500000);
	assert_int_not_equal(intent_overrides(s->in)->edition,
	                     edition); /* it may not be over any more */
	edition = intent_overrides(s->in)->edition;
	intent_follow_ramps(s->in, end_ms + 500000);
	assert_int_equal(intent_overrides(s->in)->edition, edition);
	assert_string_equal(state_of(s, end_ms + 500000), "expired_held");
	assert_int_equal(level_of(s, end_ms + 500000), 1000000);
	for (int64_t i = 1; i <= 20; i++) { /* written again in the same second, of equal length */
		keep_ramp(s, kept_override(s), end_ms + i * 1000, RAMP_LATE);
		intent_follow_ramps(s->in, end_ms + 500000);
		assert_int_equal(kept_override(s)->at_ms, end_ms + i * 1000);
	}
	assert_string_equal(state_of(s, end_ms + 500000), "returning");
	assert_int_equal(level_of(s, end_ms + 500000), 800000);
	fixture_write(s->f.state, RAMP_FILE, "weir-ramps 1\nhalf a li");
	intent_follow_ramps(s->in, end_ms + 500000);
	assert_int_equal(kept_override(s)->how, RAMP_LATE); /* what could be read last stays */
	fixture_write(s->f.state, RAMP_FILE, "weir-ramps 1\nend\n");
	intent_follow_ramps(s->in, end_ms + 500000);
	assert_int_equal(kept_override(s)->how, RAMP_FREE);
	assert_string_equal(state_of(s, end_ms + 500000), "done");
	keep_ramp(s, kept_override(s), end_ms - 1, RAMP_HELD_SITE);
	intent_follow_ramps(s->in, end_ms + 500000);
	assert_int_equal(run_command(s, &c, NOW_MS + 50000),
	                 COMMAND_OK); /* another generation begins anew */
	intent_follow_ramps(s->in, NOW_MS + 50000);
	assert_int_equal(kept_override(s)->how, RAMP_FREE);
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/" RAMP_FILE, s->f.state);
	keep_ramp(s, kept_override(s), NOW_MS, RAMP_HELD_CLOCK);
	intent_follow_ramps(s->in, NOW_MS + 50000);
	assert_int_equal(kept_override(s)->how, RAMP_HELD_CLOCK);
	unlink(path);
	intent_follow_ramps(s->in, NOW_MS + 50000);
	assert_int_equal(kept_override(s)->how, RAMP_FREE);
}

/*
 * Whether something was made, what else ended with it, and what is said where nothing was to be
 * done.
 */
static void a_result_says_what_was_done(void **state)
{
	struct scene *s = *state;
	struct command c = make_command(COMMAND_DRAIN, "ams");
	struct override gone = { .id = "n-gone",
		                 .name = "lon",
		                 .generation = 1,
		                 .from_ms = 1,
		                 .until_ms = NOW_MS - 5,
		                 .ended = true };

	c.until_ms = -1;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_INVALID);
	assert_string_equal(s->r.text, "is required; \"never\" is allowed");
	c.until_ms = NOW_MS - 1;
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_INVALID);
	assert_string_equal(s->r.text, "is in the past");
	assert_int_equal(run_plain(s, COMMAND_DISABLE, "web-ams/b1", NOW_MS), COMMAND_OK);
	assert_true(s->r.created);
	assert_int_equal(s->r.n_others, 0);
	assert_int_equal(run_plain(s, COMMAND_DISABLE, "web-ams/b1", NOW_MS + 1), COMMAND_OK);
	assert_false(s->r.created);
	assert_int_equal(run_plain(s, COMMAND_FORCE_UP, "web-ams/b1", NOW_MS + 2), COMMAND_OK);
	assert_true(s->r.created);
	assert_int_equal(run_plain(s, COMMAND_ENABLE, "web-ams/b1", NOW_MS + 3000), COMMAND_OK);
	assert_false(s->r.created);
	assert_int_equal(s->r.n_others, 1); /* both have ended */
	assert_int_equal(run_plain(s, COMMAND_ENABLE, "web-ams/b1", NOW_MS + 9000), COMMAND_OVER);
	assert_string_equal(s->r.text, "nothing to end: the target has no disable or force-up");
	assert_int_equal(run_plain(s, COMMAND_UNDRAIN, "ams", NOW_MS + 9000), COMMAND_OVER);
	assert_string_equal(s->r.text, "nothing to end: the target has no drain");
	assert_int_equal(run_plain(s, COMMAND_HOLD, "ams", NOW_MS + 9000), COMMAND_NOTHING);
	assert_string_equal(s->r.text, "no ramp is running");
	/* A site that is configured no more was there once: it has an override. */
	assert_int_equal(run_plain(s, COMMAND_UNDRAIN, "lon", NOW_MS), COMMAND_UNKNOWN);
	assert_string_equal(s->r.text, "there is no site lon");
	assert_int_equal(intent_merge(s->in, &gone, 1, NOW_MS), 1);
	assert_int_equal(run_plain(s, COMMAND_UNDRAIN, "lon", NOW_MS), COMMAND_OVER);
}

/* Without the store this is the only way back of what an operation has drained, and it is never said to be back before. */
static void one_service_returns_by_the_clock(void **state)
{
	struct scene *s = *state;
	struct override step = { .id = "v1",
		                 .kind = MODEL_OVERRIDE_DRAIN,
		                 .target = MODEL_TARGET_SITE,
		                 .name = "ams",
		                 .service = "web",
		                 .operation = "o1",
		                 .generation = STAMP(NOW_MS),
		                 .epoch = 64,
		                 .step = 1,
		                 .is_step = true,
		                 .to_ppm = 1000000,
		                 .created_ms = NOW_MS,
		                 .from_ms = NOW_MS,
		                 .until_ms = MODEL_TIME_NEVER };
	struct command c = make_command(COMMAND_UNDRAIN, "ams");

	assert_int_equal(intent_merge(s->in, &step, 1, NOW_MS), 1);
	assert_int_equal(run_command(s, &c, NOW_MS + 1000), COMMAND_INVALID);
	assert_string_equal(s->r.field, "target.service");
	assert_string_equal(s->r.text, "at site ams one service alone is drained: weir undrain "
	                               "site ams --service web --scheduled returns that");
	c.what = COMMAND_HOLD; /* it is not said that no ramp is running */
	assert_int_equal(run_command(s, &c, NOW_MS + 1000), COMMAND_INVALID);
	assert_string_equal(s->r.text, "at site ams one service alone is drained: weir hold site "
	                               "ams --service web holds that");
	c.service = "web";
	assert_int_equal(run_command(s, &c, NOW_MS + 1000), COMMAND_OK);
	assert_string_equal(s->r.override.operation, "");
	c.what = COMMAND_UNDRAIN;
	assert_int_equal(run_command(s, &c, NOW_MS + 1000), COMMAND_OK);
	assert_string_equal(s->r.override.id, "v1");
	assert_string_equal(s->r.undo, "weir drain site ams --service web --reason TEXT");
	assert_int_equal(level_of(s, NOW_MS + 1000), 1000000);
	assert_int_equal(run_command(s, &c, NOW_MS + 1000 + LEAD_MS), COMMAND_OK);
	assert_true(*s->r.note); /* who repeats it does not put it off */
	assert_int_equal(level_of(s, NOW_MS + 1000 + LEAD_MS + 1), 0);
	assert_int_equal(run_plain(s, COMMAND_DRAIN, "ams", NOW_MS + 2 * LEAD_MS), COMMAND_OK);
	assert_int_equal(run_command(s, &c, NOW_MS + 2 * LEAD_MS), COMMAND_INVALID);
	assert_string_equal(s->r.text, "at site ams all services are drained: weir undrain site "
	                               "ams --scheduled returns that");
	c = make_command(COMMAND_DRAIN, "ams");
	c.service = "web";
	assert_int_equal(run_command(s, &c, NOW_MS), COMMAND_INVALID);
	assert_string_equal(s->r.text, "is for undrain and hold only: an operation drains it");
}

static void words_are_known_by_their_texts(void **state)
{
	(void)state;
	assert_int_equal(command_from_text("drain"), COMMAND_DRAIN);
	assert_int_equal(command_from_text("force_up"), COMMAND_FORCE_UP);
	assert_int_equal(command_from_text("enable"), COMMAND_ENABLE);
	assert_int_equal(command_from_text("explode"), COMMAND_COUNT);
}

SUITE(command)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		        a_sites_drain_starts_a_ttl_ahead_and_returns_by_its_ramp, setup, teardown),
		cmocka_unit_test_setup_teardown(now_means_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(
		        a_drain_without_a_ramp_stays_whole_until_it_falls_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_drain_with_a_ramp_may_fall_at_once, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(the_same_drain_again_changes_the_one_that_is, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_is_repeated_is_not_put_off, setup, teardown),
		cmocka_unit_test_setup_teardown(a_repeated_time_for_flows_ends_as_the_first, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_ramp_that_until_cuts_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(another_command_than_before_begins_its_own_ramp,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_result_says_what_was_done, setup, teardown),
		cmocka_unit_test_setup_teardown(limits_of_time_are_exact, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hold_needs_a_ramp_and_ends_with_the_next_command,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(what_ends_at_one_target_goes_on_at_others, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        a_backends_instants_are_announced_and_never_move_once_past, setup,
		        teardown),
		cmocka_unit_test_setup_teardown(what_no_node_would_read_is_refused, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        what_begins_everywhere_is_announced_by_the_skew_sooner, setup, teardown),
		cmocka_unit_test_setup_teardown(
		        enabling_ends_what_was_disabled_and_what_was_forced_up, setup, teardown),
		cmocka_unit_test_setup_teardown(
		        another_generation_is_stale_and_an_unknown_id_is_named, setup, teardown),
		cmocka_unit_test_setup_teardown(guards_refuse_what_leaves_nothing_unless_named,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(an_undo_line_is_not_refused_for_two_minutes, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(an_undo_line_has_the_instants_that_are_to_come,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(
		        the_ramps_of_the_name_server_are_followed_whenever_it_writes, setup,
		        teardown),
		cmocka_unit_test_setup_teardown(one_service_returns_by_the_clock, setup, teardown),
		cmocka_unit_test(words_are_known_by_their_texts),
	};

	return cmocka_run_group_tests_name("command", tests, NULL, NULL);
}
