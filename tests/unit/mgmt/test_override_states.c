/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said of an override at each instant of its life, which of its fields count, and what is
 * kept of it.
 */
#include "fixture.h"
#include "set_digest.h"

#include <errno.h>

#include "mgmt/overrides/override.h"
#include "mgmt/store/records.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FROM_MS  (NOW_MS + 100000)
#define UNTIL_MS (NOW_MS + 900000)

static struct override of_site(enum model_override_kind kind, int64_t over_ms)
{
	struct override o = { .id = "ams-1-x",
		              .kind = kind,
		              .name = "ams",
		              .generation = 3,
		              .created_ms = NOW_MS,
		              .from_ms = FROM_MS,
		              .over_ms = over_ms,
		              .until_ms = UNTIL_MS,
		              .author = "jw",
		              .reason = "CHG-1",
		              .node = "ams-1" };

	return o;
}

static struct override of_backend(enum model_override_kind kind, int64_t over_ms)
{
	struct override o = of_site(kind, over_ms);

	o.target = MODEL_TARGET_BACKEND;
	snprintf(o.pool, sizeof(o.pool), "web");
	snprintf(o.name, sizeof(o.name), "b1");
	return o;
}

/* One instant of an override: @c state and level are what it has from there on. */
struct instant {
	int64_t ms;
	const char *state;
	uint32_t level;
};

static void check_life(const char *why, const struct override *o, const struct instant *list,
                       size_t n)
{
	struct overrides set = { 0 };

	assert_int_equal(overrides_merge(&set, o, NOW_MS), 1);
	for (size_t i = 0; i < n; i++) {
		const char *state = overrides_state(&set, o, list[i].ms);
		uint32_t level = overrides_level(&set, o, list[i].ms);

		if (strcmp(state, list[i].state) != 0 || level != list[i].level)
			fail_msg("%s at %+lld: %s, %u", why, (long long)(list[i].ms - NOW_MS),
			         state, level);
	}
	overrides_fini(&set);
}

static void a_site_s_drain_ramps_drains_and_returns(void **state)
{
	static const struct instant with_ramp[] = {
		{ NOW_MS, "scheduled", 0 },
		{ FROM_MS - 1, "scheduled", 0 },
		{ FROM_MS, "ramping", 0 },
		{ FROM_MS + 50000, "ramping", 500000 },
		{ FROM_MS + 99999, "ramping", 999990 },
		{ FROM_MS + 100000, "drained", 1000000 },
		{ UNTIL_MS - 1, "drained", 1000000 },
		{ UNTIL_MS, "returning", 1000000 },
		{ UNTIL_MS + 99999, "returning", 10 },
		{ UNTIL_MS + 100000, "done", 0 },
	};
	static const struct instant at_once[] = {
		{ FROM_MS - 1, "scheduled", 0 },
		{ FROM_MS, "drained", 1000000 },
		{ UNTIL_MS - 1, "drained", 1000000 },
		{ UNTIL_MS, "done", 0 },
	};
	struct override ramps = of_site(MODEL_OVERRIDE_DRAIN, 100000),
	                sudden = of_site(MODEL_OVERRIDE_DRAIN, 0);

	(void)state;
	check_life("with a ramp", &ramps, with_ramp, COUNT(with_ramp));
	check_life("at once", &sudden, at_once, COUNT(at_once));
}

/* What is asked of a node is not what it does: until it is seen to have left, it has not. */
static void a_node_is_drained_once_it_is_seen_to_have_left(void **state)
{
	static const struct {
		enum model_override_kind kind;
		enum override_left left;
		const char *state;
	} rows[] = {
		{ MODEL_OVERRIDE_DRAIN, OVERRIDE_LEFT_UNKNOWN, "unknown" },
		{ MODEL_OVERRIDE_DRAIN, OVERRIDE_LEAVING, "draining" },
		{ MODEL_OVERRIDE_DRAIN, OVERRIDE_LEFT, "drained" },
		{ MODEL_OVERRIDE_DISABLE, OVERRIDE_LEFT_UNKNOWN, "unknown" },
		{ MODEL_OVERRIDE_DISABLE, OVERRIDE_LEAVING, "draining" },
		{ MODEL_OVERRIDE_DISABLE, OVERRIDE_LEFT, "disabled" },
	};
	struct overrides set = { .items = NULL };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override o = of_site(rows[i].kind, 0);

		o.target = MODEL_TARGET_NODE;
		o.left = rows[i].left;
		assert_string_equal(overrides_state(&set, &o, FROM_MS), rows[i].state);
		assert_string_equal(overrides_state(&set, &o, FROM_MS - 1), "scheduled");
		assert_string_equal(overrides_state(&set, &o, UNTIL_MS), "done");
	}
}

/* A drain that replaces another begins with the level that the other had reached. */
static void a_level_that_was_reached_waits_for_its_ramp(void **state)
{
	static const struct instant goes_on[] = {
		{ FROM_MS - 1, "ramping", 250000 },
		{ FROM_MS, "ramping", 250000 },
		{ FROM_MS + 50000, "ramping", 625000 },
	};
	static const struct instant returns[] = {
		{ FROM_MS - 1, "returning", 250000 },
		{ FROM_MS, "returning", 250000 },
		{ FROM_MS + 50000, "returning", 125000 },
		{ FROM_MS + 100000, "done", 0 },
	};
	struct override o = of_site(MODEL_OVERRIDE_DRAIN, 100000);

	(void)state;
	o.from_ppm = 250000;
	check_life("it goes on", &o, goes_on, COUNT(goes_on));
	o.until_ms = FROM_MS;
	check_life("it returns", &o, returns, COUNT(returns));
}

static void other_kinds_of_a_site_have_their_own_words(void **state)
{
	static const struct instant disabled[] = {
		{ FROM_MS - 1, "scheduled", 0 },
		{ FROM_MS, "disabled", 1000000 },
		{ UNTIL_MS - 1, "disabled", 1000000 },
		{ UNTIL_MS, "done", 0 }, /* no ramp */
	};
	static const struct instant forced[] = {
		{ FROM_MS - 1, "scheduled", 0 },
		{ FROM_MS, "forced_up", 1000000 },
		{ UNTIL_MS - 1, "forced_up", 1000000 },
		{ UNTIL_MS, "done", 0 },
	};
	static const struct instant hold[] = {
		{ FROM_MS - 1, "scheduled", 0 },
		{ FROM_MS, "held", 0 }, /* of nothing */
		{ UNTIL_MS - 1, "held", 0 },
		{ UNTIL_MS, "done", 0 },
	};
	struct override disable = of_site(MODEL_OVERRIDE_DISABLE, 5000),
	                force = of_site(MODEL_OVERRIDE_FORCE_UP, 0),
	                holds = of_site(MODEL_OVERRIDE_HOLD, 0);

	(void)state;
	check_life("disable", &disable, disabled, COUNT(disabled));
	check_life("force_up", &force, forced, COUNT(forced));
	check_life("hold", &holds, hold, COUNT(hold));
}

static void a_backend_s_drain_has_a_deadline_and_its_return_is_announced(void **state)
{
	static const struct instant drain[] = {
		{ FROM_MS - 1, "scheduled", 0 },         { FROM_MS, "ramping", 1000000 },
		{ FROM_MS + 99999, "ramping", 1000000 }, { FROM_MS + 100000, "drained", 1000000 },
		{ UNTIL_MS - 2001, "drained", 1000000 }, { UNTIL_MS - 2000, "returning", 1000000 },
		{ UNTIL_MS - 1, "returning", 1000000 },  { UNTIL_MS, "done", 0 },
	};
	static const struct instant disabled[] = {
		{ FROM_MS, "disabled", 1000000 },
		{ UNTIL_MS - 2001, "disabled", 1000000 },
		{ UNTIL_MS - 2000, "returning", 1000000 },
		{ UNTIL_MS, "done", 0 },
	};
	struct override o = of_backend(MODEL_OVERRIDE_DRAIN, 100000),
	                d = of_backend(MODEL_OVERRIDE_DISABLE, 0);

	(void)state;
	check_life("drain", &o, drain, COUNT(drain));
	check_life("disable", &d, disabled, COUNT(disabled));
	o.ended = true; /* by a person, before its time */
	static const struct instant ended[] = { { FROM_MS - 1, "done", 0 },
		                                { FROM_MS + 1, "done", 0 } };
	check_life("ended", &o, ended, COUNT(ended));
}

/* A hold of a backend, of another site or of no time holds nothing; only a drain is held. */
static void a_hold_holds_drains_of_its_own_site_alone(void **state)
{
	struct overrides set = { 0 };
	struct override drain = of_site(MODEL_OVERRIDE_DRAIN, 100000),
	                disable = of_site(MODEL_OVERRIDE_DISABLE, 0),
	                backend = of_backend(MODEL_OVERRIDE_DRAIN, 100000), hold;
	int64_t during_ms = FROM_MS + 60000;

	(void)state;
	hold = of_site(MODEL_OVERRIDE_HOLD, 0);
	snprintf(hold.id, sizeof(hold.id), "h");
	hold.from_ms = FROM_MS + 10000;
	assert_int_equal(overrides_merge(&set, &hold, NOW_MS), 1);
	assert_string_equal(overrides_state(&set, &drain, hold.from_ms - 1), "ramping");
	assert_string_equal(overrides_state(&set, &drain, hold.from_ms), "held");
	assert_int_equal(overrides_level(&set, &drain, during_ms), 100000);
	assert_string_equal(overrides_state(&set, &disable, during_ms), "disabled");
	assert_string_equal(overrides_state(&set, &backend, during_ms), "ramping");
	assert_null(overrides_hold(&set, &backend, during_ms));
	/* The hold's end: the ramp goes on by its schedule. */
	assert_non_null(overrides_hold(&set, &drain, UNTIL_MS - 1));
	assert_null(overrides_hold(&set, &drain, UNTIL_MS));
	assert_int_equal(overrides_level(&set, &drain, UNTIL_MS + 50000), 500000);
	drain.ended = true;
	assert_string_equal(overrides_state(&set, &drain, during_ms), "done");
	overrides_fini(&set);
	assert_null(overrides_hold(&set, &drain, during_ms));

	/* Of one that is still to come, the drain shows that it waits. */
	drain.ended = false;
	hold.from_ms = NOW_MS;
	assert_int_equal(overrides_merge(&set, &hold, NOW_MS), 1);
	assert_string_equal(overrides_state(&set, &drain, FROM_MS - 1), "scheduled");
	assert_string_equal(overrides_state(&set, &drain, FROM_MS), "held");
	overrides_fini(&set);
}

/* What a hold shows as its level is the highest of the drains that it holds. */
static void a_hold_has_the_level_of_the_highest_drain(void **state)
{
	struct overrides set = { 0 };
	struct override low = of_site(MODEL_OVERRIDE_DRAIN, 100000), high = low, other = low,
	                forced = of_site(MODEL_OVERRIDE_FORCE_UP, 0),
	                hold = of_site(MODEL_OVERRIDE_HOLD, 0);

	(void)state;
	snprintf(low.id, sizeof(low.id), "a");
	snprintf(high.id, sizeof(high.id), "b");
	snprintf(other.id, sizeof(other.id), "c");
	snprintf(forced.id, sizeof(forced.id), "d");
	snprintf(hold.id, sizeof(hold.id), "h");
	low.from_ms = FROM_MS + 10000;
	snprintf(other.name, sizeof(other.name), "fra");
	other.over_ms = 0;
	hold.from_ms = FROM_MS + 40000;
	const struct override *const all[] = { &low, &high, &other, &forced, &hold };
	for (size_t i = 0; i < COUNT(all); i++)
		assert_int_equal(overrides_merge(&set, all[i], NOW_MS), 1);
	assert_int_equal(overrides_level(&set, &hold, FROM_MS + 70000), 400000);
	assert_int_equal(overrides_level(&set, &low, FROM_MS + 70000), 300000);
	overrides_fini(&set);
}

static void an_instant_is_the_present_unless_the_ramp_is_late(void **state)
{
	struct override o = of_site(MODEL_OVERRIDE_DRAIN, 100000);

	(void)state;
	o.at_ms = NOW_MS - 5;
	assert_true(override_time(&o, NOW_MS) == NOW_MS);
	for (o.how = RAMP_LATE; o.how < RAMP_HOW_COUNT; o.how++) {
		o.at_ms = NOW_MS - 5;
		assert_true(override_time(&o, NOW_MS) == NOW_MS - 5);
		o.at_ms = NOW_MS + 5; /* never ahead of the clock */
		assert_true(override_time(&o, NOW_MS) == NOW_MS);
	}
}

static void kinds_are_called_as_the_document_calls_them(void **state)
{
	(void)state;
	assert_string_equal(override_kind_text(MODEL_OVERRIDE_DRAIN), "drain");
	assert_string_equal(override_kind_text(MODEL_OVERRIDE_DISABLE), "disable");
	assert_string_equal(override_kind_text(MODEL_OVERRIDE_FORCE_UP), "force_up");
	assert_string_equal(override_kind_text(MODEL_OVERRIDE_HOLD), "hold");
}

/* All fields of the model's form, each with a value of its own. */
static struct override all_fields(void)
{
	struct override o = of_backend(MODEL_OVERRIDE_FORCE_UP, 44000);

	o.generation = 77;
	o.created_ms = 11;
	o.from_ms = 22;
	o.until_ms = 33;
	o.from_ppm = 555;
	o.ended = true;
	return o;
}

static void the_model_s_form_has_all_fields(void **state)
{
	struct override o = all_fields(), back;
	struct model_override view;

	(void)state;
	override_to_model(&o, &view);
	assert_string_equal(view.id, "ams-1-x");
	assert_int_equal(view.kind, MODEL_OVERRIDE_FORCE_UP);
	assert_int_equal(view.target, MODEL_TARGET_BACKEND);
	assert_string_equal(view.pool, "web");
	assert_string_equal(view.name, "b1");
	assert_int_equal(view.generation, 77);
	assert_int_equal(view.created_ms, 11);
	assert_int_equal(view.from_ms, 22);
	assert_int_equal(view.until_ms, 33);
	assert_int_equal(view.over_ms, 44000);
	assert_int_equal(view.from_ppm, 555);
	assert_true(view.ended);
	assert_string_equal(view.author, "jw");
	assert_string_equal(view.reason, "CHG-1");
	assert_string_equal(view.node, "ams-1");
	memset(&back, 0x55, sizeof(back));
	assert_int_equal(override_from(&view, &back), 0);
	o.principal[0] = '\0'; /* what the document has not; bytes between fields may be anything */
	o.prior = 0;
	char *text = record_to_text(&override_record, &back);
	char *expected = record_to_text(&override_record, &o);
	assert_string_equal(text, expected);
	free(expected);
	free(text);
}

/* Each field's longest text is taken, a longer one refused; what was there is untouched. */
static void texts_are_taken_up_to_their_room(void **state)
{
	static const struct {
		size_t off, room;
	} fields[] = {
		{ offsetof(struct model_override, id), 31 },
		{ offsetof(struct model_override, pool), 63 },
		{ offsetof(struct model_override, name), 63 },
		{ offsetof(struct model_override, author), 63 },
		{ offsetof(struct model_override, reason), 255 },
		{ offsetof(struct model_override, node), 63 },
	};
	struct override o = all_fields(), out, before;
	char text[257];

	(void)state;
	memset(&before, 0x55, sizeof(before));
	for (size_t i = 0; i < COUNT(fields); i++) {
		struct model_override view;

		override_to_model(&o, &view);
		memset(text, 'a', sizeof(text));
		text[fields[i].room] = '\0';
		const char *given = text;
		memcpy((char *)&view + fields[i].off, &given, sizeof(given));
		assert_int_equal(override_from(&view, &out), 0);
		text[fields[i].room] = 'a';
		text[fields[i].room + 1] = '\0';
		out = before;
		assert_int_equal(override_from(&view, &out), -EINVAL);
		assert_memory_equal(&out, &before, sizeof(out));
	}
	struct model_override view;
	override_to_model(&o, &view);
	view.author = view.reason = view.node = NULL; /* not stated */
	assert_int_equal(override_from(&view, &out), 0);
	assert_string_equal(out.author, "");
	view.id = NULL;
	assert_int_equal(override_from(&view, &out), -EINVAL);
	override_to_model(&o, &view);
	view.from_ppm = 1000001; /* what does not fit is refused here too */
	assert_int_equal(override_from(&view, &out), -EINVAL);
}

static void names_and_times_are_checked_at_their_limits(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} names[] = {
		{ "a", true },   { "z9._-", true }, { "0", true },    { "9a", true },
		{ "", false },   { "-a", false },   { ".a", false },  { "_a", false },
		{ "aB", false }, { "a b", false },  { "a/b", false }, { "\xc3\xa4", false },
	};
	struct override o = of_backend(MODEL_OVERRIDE_DRAIN, 0);

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		struct override id = o, name = o, pool = o;

		snprintf(id.id, sizeof(id.id), "%s", names[i].name);
		snprintf(name.name, sizeof(name.name), "%s", names[i].name);
		snprintf(pool.pool, sizeof(pool.pool), "%s", names[i].name);
		if (override_ok(&id) != names[i].ok || override_ok(&name) != names[i].ok ||
		    override_ok(&pool) != names[i].ok)
			fail_msg("\"%s\"", names[i].name);
	}
	o.target = MODEL_TARGET_NODE + 1;
	assert_false(override_ok(&o));
	static const size_t times[] = { offsetof(struct override, created_ms),
		                        offsetof(struct override, from_ms),
		                        offsetof(struct override, until_ms) };
	for (size_t i = 0; i < COUNT(times); i++) {
		static const int64_t before = -1, first = 0;

		o = of_site(MODEL_OVERRIDE_DRAIN, 0);
		memcpy((char *)&o + times[i], &first, sizeof(first));
		assert_true(override_ok(&o));
		memcpy((char *)&o + times[i], &before, sizeof(before));
		assert_false(override_ok(&o));
	}
}

/* A byte that terminals or logs would act upon is refused in each text; others are taken. */
static void texts_are_printable(void **state)
{
	static const size_t texts[] = { offsetof(struct override, author),
		                        offsetof(struct override, reason),
		                        offsetof(struct override, node) };

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		for (int byte = 1; byte < 256; byte++) {
			struct override o = of_site(MODEL_OVERRIDE_DRAIN, 0);

			((char *)&o)[texts[i] + 1] = (char)byte;
			if (override_ok(&o) != (byte >= 0x20 && byte != 0x7f))
				fail_msg("byte %d of text %zu", byte, i);
		}
}

/*
 * What two nodes must agree upon is in the digest; who had logged in, and where the ramp is here,
 * is not.
 */
static void each_merged_field_counts_in_the_digest(void **state)
{
	static const struct {
		const char *why;
		size_t off;
	} fields[] = {
		{ "id", offsetof(struct override, id) },
		{ "kind", offsetof(struct override, kind) },
		{ "target", offsetof(struct override, target) },
		{ "pool", offsetof(struct override, pool) },
		{ "name", offsetof(struct override, name) },
		{ "generation", offsetof(struct override, generation) },
		{ "created", offsetof(struct override, created_ms) },
		{ "from", offsetof(struct override, from_ms) },
		{ "over", offsetof(struct override, over_ms) },
		{ "until", offsetof(struct override, until_ms) },
		{ "from_ppm", offsetof(struct override, from_ppm) },
		{ "ended", offsetof(struct override, ended) },
		{ "author", offsetof(struct override, author) },
		{ "reason", offsetof(struct override, reason) },
		{ "node", offsetof(struct override, node) },
	};
	struct override o = of_backend(MODEL_OVERRIDE_DRAIN, 4);
	struct overrides one = { .items = &o, .n_items = 1 };
	char was[DIGEST_TEXT_MAX], is[DIGEST_TEXT_MAX];

	(void)state;
	set_digest(&one, was);
	for (size_t i = 0; i < COUNT(fields); i++) {
		struct override other = o;
		struct overrides set = { .items = &other, .n_items = 1 };

		((char *)&other)[fields[i].off] ^= 1;
		if (!strcmp(set_digest(&set, is), was))
			fail_msg("%s does not count", fields[i].why);
	}
	snprintf(o.principal, sizeof(o.principal), "token:ci");
	o.how = RAMP_LATE;
	o.at_ms = 5;
	assert_string_equal(set_digest(&one, is), was);
	assert_string_not_equal(set_digest(&(struct overrides){ 0 }, is), was);
	struct override two[] = { o, o };
	assert_string_not_equal(set_digest(&(struct overrides){ .items = two, .n_items = 2 }, is),
	                        was);
}

/* Of one generation the greater text wins, on every node. */
static void equal_generations_are_decided_alike_everywhere(void **state)
{
	struct override a = of_site(MODEL_OVERRIDE_DRAIN, 0), b = a, newer = a;
	struct overrides x = { 0 }, y = { 0 };

	(void)state;
	snprintf(a.reason, sizeof(a.reason), "one");
	snprintf(b.reason, sizeof(b.reason), "two");
	newer.generation = a.generation + 1;
	assert_int_equal(overrides_merge(&x, &a, NOW_MS), 1);
	assert_int_equal(overrides_merge(&x, &b, NOW_MS), 1);
	assert_int_equal(overrides_merge(&y, &b, NOW_MS), 1);
	assert_int_equal(overrides_merge(&y, &a, NOW_MS), 0);
	assert_string_equal(x.items[0].reason, "two");
	assert_string_equal(y.items[0].reason, "two");
	assert_int_equal(overrides_merge(&x, &newer, NOW_MS), 1);
	assert_int_equal(overrides_merge(&x, &b, NOW_MS), 0);
	assert_string_equal(x.items[0].reason, "CHG-1");
	overrides_fini(&x);
	overrides_fini(&y);
}

#define DRAIN MODEL_OVERRIDE_DRAIN
#define HOLD  MODEL_OVERRIDE_HOLD

/* The later of two commands of people at one target, of kinds that say something of the same. */
static void a_later_command_at_its_target_overrules(void **state)
{
	static const struct {
		const char *why;
		enum model_override_kind later_kind, kind;
		uint64_t later_generation, prior;       /* the other has generation 3 */
		const char *id, *name, *service, *node; /* of the later one */
		bool ended;
		uint32_t later_epoch, epoch;
		bool overrules;
	} rows[] = {
		{ "later", DRAIN, DRAIN, 4, 0, "b", "ams", "", "a", false, 0, 0, true },
		{ "earlier", DRAIN, DRAIN, 2, 0, "b", "ams", "", "z", false, 0, 0, false },
		{ "it knew of it", DRAIN, DRAIN, 4, 3, "b", "ams", "", "a", false, 0, 0, false },
		{ "of another", DRAIN, DRAIN, 4, 2, "b", "ams", "", "a", false, 0, 0, true },
		{ "at once", DRAIN, DRAIN, 3, 0, "b", "ams", "", "b", false, 0, 0, true },
		{ "at one node", DRAIN, DRAIN, 3, 0, "b", "ams", "", "ams-1", false, 0, 0, false },
		{ "lesser", DRAIN, DRAIN, 3, 0, "b", "ams", "", "a", false, 0, 0, false },
		{ "over", DRAIN, DRAIN, 3, 0, "b", "ams", "", "b", true, 0, 0, false },
		{ "ended later", DRAIN, DRAIN, 4, 0, "b", "ams", "", "a", true, 0, 0, true },
		{ "itself", DRAIN, DRAIN, 4, 0, "ams-1-x", "ams", "", "a", false, 0, 0, false },
		{ "another site", DRAIN, DRAIN, 4, 0, "b", "fra", "", "a", false, 0, 0, false },
		{ "a service", DRAIN, DRAIN, 4, 0, "b", "ams", "web", "a", false, 0, 0, false },
		{ "a step", DRAIN, DRAIN, 4, 0, "b", "ams", "", "a", false, 1, 0, false },
		{ "over a step", DRAIN, DRAIN, 4, 0, "b", "ams", "", "a", false, 0, 1, false },
		{ "a drain of a hold", DRAIN, HOLD, 4, 0, "b", "ams", "", "a", false, 0, 0, true },
		{ "a step of a hold", DRAIN, HOLD, 4, 0, "b", "ams", "", "a", false, 1, 0, true },
		{ "a step before it", DRAIN, HOLD, 2, 0, "b", "ams", "", "a", false, 1, 0, false },
		{ "of a service", DRAIN, HOLD, 4, 0, "b", "ams", "web", "a", false, 1, 0, false },
		{ "a hold", HOLD, DRAIN, 4, 0, "b", "ams", "", "a", false, 0, 0, false },
		{ "two holds", HOLD, HOLD, 4, 0, "b", "ams", "", "a", false, 0, 0, false },
		{ "two that disable", MODEL_OVERRIDE_DISABLE, MODEL_OVERRIDE_DISABLE, 4, 0, "b",
		  "ams", "", "a", false, 0, 0, true },
		{ "of two kinds", MODEL_OVERRIDE_DISABLE, DRAIN, 4, 0, "b", "ams", "", "a", false,
		  0, 0, false },
		{ "two drills", MODEL_OVERRIDE_DRILL, MODEL_OVERRIDE_DRILL, 4, 0, "b", "ams", "",
		  "a", false, 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct override o = of_site(rows[i].kind, 0),
		                later = of_site(rows[i].later_kind, 0);

		o.epoch = rows[i].epoch;
		later.epoch = rows[i].later_epoch;
		later.generation = rows[i].later_generation;
		later.prior = rows[i].prior;
		later.ended = rows[i].ended;
		snprintf(later.id, sizeof(later.id), "%s", rows[i].id);
		snprintf(later.name, sizeof(later.name), "%s", rows[i].name);
		snprintf(later.service, sizeof(later.service), "%s", rows[i].service);
		snprintf(later.node, sizeof(later.node), "%s", rows[i].node);
		print_message("  %s\n", rows[i].why);
		assert_int_equal(override_overrules(&later, &o), rows[i].overrules);
	}
}

/* Made, and not kept. */
static const char *digest_at(const struct overrides *all, int64_t now_ms)
{
	static struct overrides_digest made;

	made = (struct overrides_digest){ .edition = 0 };
	return overrides_digest_at(all, now_ms, &made);
}

static void what_is_forgotten_does_not_count_in_the_digest_at_an_instant(void **state)
{
	static const char *const ids[] = { "a-1", "z-1" }; /* before the other, and behind it */
	const int64_t week_ms = 604800000;

	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct override live = of_site(MODEL_OVERRIDE_DRAIN, 0), dead = live;
		struct overrides both = { 0 }, one = { 0 };
		char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];

		live.until_ms = MODEL_TIME_NEVER;
		snprintf(live.id, sizeof(live.id), "m-1");
		snprintf(dead.id, sizeof(dead.id), "%s", ids[i]);
		assert_int_equal(overrides_merge(&one, &live, NOW_MS), 1);
		assert_int_equal(overrides_merge(&both, &live, NOW_MS), 1);
		assert_int_equal(overrides_merge(&both, &dead, NOW_MS), 1);
		assert_string_not_equal(set_digest(&both, a), set_digest(&one, b));
		assert_string_not_equal(digest_at(&both, UNTIL_MS + week_ms - 1), b);
		assert_string_equal(digest_at(&both, UNTIL_MS + week_ms), b);
		assert_string_equal(digest_at(&one, UNTIL_MS + week_ms), b);
		overrides_fini(&both);
		overrides_fini(&one);
	}
}

/* Whatever happens to a set, and however time goes: what is kept is what would be made. */
static void a_digest_that_is_kept_is_the_one_of_now(void **state)
{
	struct overrides_digest kept = { .edition = 0 };
	struct overrides all = { 0 }, copy;
	int64_t now_ms = NOW_MS, day_ms = 86400000;
	size_t n_made = 0;

	(void)state;
	srand(7);
	for (unsigned i = 0; i < 3000; i++) {
		struct override o = of_site(MODEL_OVERRIDE_DRAIN, rand() % 3 ? 0 : 10 * day_ms);
		int64_t from_ms = kept.from_ms;

		snprintf(o.id, sizeof(o.id), "o%d", rand() % 20);
		o.generation = i + 1;
		o.until_ms = rand() % 5 ? now_ms + rand() % 20 * day_ms : MODEL_TIME_NEVER;
		switch (rand() % 8) {
		case 0:
			(void)overrides_merge(&all, &o, now_ms);
			break;
		case 1:
			(void)overrides_prune(&all, now_ms);
			break;
		case 2:
			assert_int_equal(overrides_copy(&copy, &all), 0);
			overrides_fini(&all);
			all = copy;
			break;
		case 3:
			now_ms += rand() % (int)(day_ms / 2);
			break;
		case 4:
			now_ms -= rand() % (int)(day_ms / 4);
			break;
		case 5:
			if (all.n_items) {
				all.items[rand() % (int)all.n_items].generation += 5000;
				overrides_note_edit(&all);
			}
			break;
		default:
			break;
		}
		assert_string_equal(overrides_digest_at(&all, now_ms, &kept),
		                    digest_at(&all, now_ms));
		n_made += from_ms != kept.from_ms;
	}
	assert_true(n_made > 50 && n_made < 2000);
	overrides_fini(&all);
}

/* A site stays out as long as a person holds it, however long ago its drain should have ended. */
static void what_a_hold_keeps_in_effect_is_not_forgotten(void **state)
{
	const int64_t late_ms = UNTIL_MS + OVERRIDE_KEPT_MS;
	struct override drain = of_site(MODEL_OVERRIDE_DRAIN, 0), other = drain,
	                hold = of_site(MODEL_OVERRIDE_HOLD, 0);
	struct overrides set = { 0 }, none = { 0 };
	char with[DIGEST_TEXT_MAX], of_none[DIGEST_TEXT_MAX];

	(void)state;
	snprintf(hold.id, sizeof(hold.id), "a-hold");
	snprintf(other.id, sizeof(other.id), "b-other");
	snprintf(other.name, sizeof(other.name), "fra"); /* nobody holds it */
	hold.from_ms = FROM_MS + 1;
	hold.until_ms = late_ms + 1000;
	assert_int_equal(overrides_merge(&set, &hold, NOW_MS), 1);
	assert_int_equal(overrides_merge(&set, &drain, NOW_MS), 1);
	assert_int_equal(overrides_merge(&set, &other, NOW_MS), 1);
	assert_int_equal(overrides_prune(&set, late_ms), 1);
	const struct override *o = overrides_find(&set, drain.id);
	assert_non_null(o);
	assert_string_equal(overrides_state(&set, o, late_ms), "held");
	assert_int_equal(overrides_level(&set, o, late_ms), MODEL_PPM_ALL);
	/* nodes that have it do not agree with one that lacks it; and that one takes it */
	struct overrides_digest kept = { .edition = 0 };
	snprintf(with, sizeof(with), "%s", overrides_digest_at(&set, late_ms, &kept));
	assert_int_equal(overrides_merge(&none, &hold, late_ms), 1);
	struct overrides_digest kept_none = { .edition = 0 };
	snprintf(of_none, sizeof(of_none), "%s", overrides_digest_at(&none, late_ms, &kept_none));
	assert_string_not_equal(with, of_none);
	assert_int_equal(overrides_merge(&none, &drain, late_ms), 1);
	assert_int_equal(overrides_merge(&none, &other, late_ms), 0);
	overrides_fini(&none);
	/* nor does it make room for others */
	for (unsigned i = 0; set.n_items < OVERRIDES_MAX; i++) {
		other.until_ms = MODEL_TIME_NEVER;
		snprintf(other.id, sizeof(other.id), "c-%u", i);
		assert_int_equal(overrides_merge(&set, &other, late_ms), 1);
	}
	snprintf(other.id, sizeof(other.id), "d");
	assert_int_equal(overrides_merge(&set, &other, late_ms), -ENOSPC);
	/* the hold is over: so is the drain */
	assert_int_equal(overrides_prune(&set, late_ms + 1000), 1);
	assert_null(overrides_find(&set, drain.id));
	overrides_fini(&set);
}

/*
 * Ids stay sorted in whatever order they come, and are found; what goes is the one that is meant.
 */
static void a_set_is_sorted_and_a_copy_is_its_own(void **state)
{
	static const char *const ids[] = { "m", "c", "x", "a", "p" };
	struct overrides set = { 0 }, copy;

	(void)state;
	assert_null(overrides_find(&set, "m"));
	assert_int_equal(overrides_copy(&copy, &set), 0);
	assert_int_equal(copy.n_items, 0);
	overrides_fini(&copy);
	for (size_t i = 0; i < COUNT(ids); i++) {
		struct override o = of_site(MODEL_OVERRIDE_DRAIN, (int64_t)i);

		snprintf(o.id, sizeof(o.id), "%s", ids[i]);
		o.until_ms = i % 2 ? UNTIL_MS : MODEL_TIME_NEVER;
		assert_int_equal(overrides_merge(&set, &o, NOW_MS), 1);
	}
	for (size_t i = 1; i < set.n_items; i++)
		assert_true(strcmp(set.items[i - 1].id, set.items[i].id) < 0);
	for (size_t i = 0; i < COUNT(ids); i++)
		assert_int_equal(overrides_find(&set, ids[i])->over_ms, i);
	assert_null(overrides_find(&set, "b"));
	assert_int_equal(overrides_live(&set, NOW_MS), 5);
	assert_int_equal(overrides_live(&set, UNTIL_MS + 100), 3);
	assert_int_equal(overrides_copy(&copy, &set), 0);
	assert_int_equal(overrides_prune(&set, UNTIL_MS + 604800000), 2);
	assert_int_equal(set.n_items, 3);
	assert_string_equal(set.items[0].id, "m");
	assert_string_equal(set.items[1].id, "p");
	assert_string_equal(set.items[2].id, "x");
	assert_int_equal(copy.n_items, 5);
	assert_string_equal(copy.items[4].id, "x");
	overrides_fini(&set);
	overrides_fini(&copy);
	assert_null(copy.items);
}

/* 36 digits, the instant above twelve bits of salt: ids of one node sort by time. */
static void an_id_is_made_from_node_instant_and_salt(void **state)
{
	char id[MODEL_ID_MAX];

	(void)state;
	override_make_id("n", 0, 0, id);
	assert_string_equal(id, "n-0");
	override_make_id("n", 0, 35, id);
	assert_string_equal(id, "n-z");
	override_make_id("n", 0, 36, id);
	assert_string_equal(id, "n-10");
	override_make_id("n", 1, 1, id); /* 4097 */
	assert_string_equal(id, "n-35t");
	override_make_id("0123456789abcdef-more", NOW_MS, 0xfffff, id);
	assert_string_equal(id, "0123456789abcdef-206x4spi4fz");
}

static void targets_are_the_same_in_all_three_parts(void **state)
{
	struct override a = of_backend(MODEL_OVERRIDE_DRAIN, 0), b = a;

	(void)state;
	b.kind = MODEL_OVERRIDE_DISABLE;
	assert_true(override_same_target(&a, &b));
	b.target = MODEL_TARGET_SITE;
	assert_false(override_same_target(&a, &b));
	b = a;
	b.pool[0] = 'x';
	assert_false(override_same_target(&a, &b));
	b = a;
	b.name[0] = 'x';
	assert_false(override_same_target(&a, &b));
}

SUITE(override_states)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_site_s_drain_ramps_drains_and_returns),
		cmocka_unit_test(a_node_is_drained_once_it_is_seen_to_have_left),
		cmocka_unit_test(a_level_that_was_reached_waits_for_its_ramp),
		cmocka_unit_test(other_kinds_of_a_site_have_their_own_words),
		cmocka_unit_test(a_backend_s_drain_has_a_deadline_and_its_return_is_announced),
		cmocka_unit_test(a_hold_holds_drains_of_its_own_site_alone),
		cmocka_unit_test(a_hold_has_the_level_of_the_highest_drain),
		cmocka_unit_test(an_instant_is_the_present_unless_the_ramp_is_late),
		cmocka_unit_test(kinds_are_called_as_the_document_calls_them),
		cmocka_unit_test(the_model_s_form_has_all_fields),
		cmocka_unit_test(texts_are_taken_up_to_their_room),
		cmocka_unit_test(names_and_times_are_checked_at_their_limits),
		cmocka_unit_test(texts_are_printable),
		cmocka_unit_test(each_merged_field_counts_in_the_digest),
		cmocka_unit_test(equal_generations_are_decided_alike_everywhere),
		cmocka_unit_test(a_later_command_at_its_target_overrules),
		cmocka_unit_test(what_is_forgotten_does_not_count_in_the_digest_at_an_instant),
		cmocka_unit_test(a_digest_that_is_kept_is_the_one_of_now),
		cmocka_unit_test(what_a_hold_keeps_in_effect_is_not_forgotten),
		cmocka_unit_test(a_set_is_sorted_and_a_copy_is_its_own),
		cmocka_unit_test(an_id_is_made_from_node_instant_and_salt),
		cmocka_unit_test(targets_are_the_same_in_all_three_parts),
	};

	return cmocka_run_group_tests_name("override states", tests, NULL, NULL);
}
