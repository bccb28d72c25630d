/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of people at nodes that cannot ask each other: in whatever order these hear of them, all end with the later one in
 * force, and whose command was overruled can read that.
 */
#include "fixture.h"
#include "set_digest.h"

#include "mgmt/store/command.h"
#include "mgmt/store/intent.h"
#include "tests/unit/suite.h"

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define NODES     3
#define STAMP(ms) ((uint64_t)(ms) << 11)
#define DAY_MS    ((int64_t)24 * 3600 * 1000)

struct world {
	struct fixture f[NODES];
	struct intent *in[NODES];
	struct command_result r;
	unsigned random;
	int64_t now_ms;
};

static const char *const names[NODES] = { "ams-1", "fra-1", "lon-1" };

static unsigned draw_number(struct world *w, unsigned below)
{
	w->random = w->random * 1103515245u + 12345u;
	return (w->random >> 16) % below;
}

/* With a third node. */
static const char *config_of_three(void)
{
	return fixture_text("{ name = \"fra-1\"",
	                    "{ name = \"lon-1\"; site = \"fra\"; driver = \"xdp\"; "
	                    "ports = ( { interface = \"eth1\"; } ); "
	                    "tunnel_source = [ \"10.3.255.0/24\" ]; },\n"
	                    "{ name = \"fra-1\"");
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	for (int i = 0; i < NODES; i++) {
		fixture_make(&w->f[i]);
		fixture_write(w->f[i].conf, "weir.conf", config_of_three());
		const struct intent_options options = { .conf_dir = w->f[i].conf,
			                                .state_dir = w->f[i].state,
			                                .node = names[i] };
		assert_int_equal(intent_open(&options, NOW_MS, &w->in[i]), 0);
	}
	w->now_ms = NOW_MS;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < NODES; i++) {
		intent_close(w->in[i]);
		fixture_remove(&w->f[i]);
	}
	free(w);
	return 0;
}

static enum command_outcome give_command(struct world *w, int node, enum command_do what,
                                         const char *pool, const char *name)
{
	const struct command c = { .what = what,
		                   .pool = pool,
		                   .name = name,
		                   .over_ms = -1,
		                   .from_ms = -1,
		                   .until_ms = what <= COMMAND_FORCE_UP ? MODEL_TIME_NEVER : -1,
		                   .now = true,
		                   .author = node == 0   ? "ada"
		                             : node == 1 ? "bob"
		                                         : "cyn",
		                   .reason = "test",
		                   .past = { "site-less", "receivers", "too-many-out" },
		                   .n_past = 3 };
	const struct guard_observed seen = { 0 };

	intent_for(w->in[node], c.author, NULL);
	return command_run(w->in[node], &c, &seen, w->now_ms, &w->r);
}

/* What node @p from has comes to node @p to. */
static int exchange_overrides(struct world *w, int from, int to)
{
	struct overrides copy;

	assert_int_equal(overrides_copy(&copy, intent_overrides(w->in[from])), 0);
	int n = intent_receive(w->in[to], copy.items, copy.n_items, w->now_ms);

	overrides_fini(&copy);
	assert_true(n >= 0);
	return n;
}

static void exchange_all(struct world *w)
{
	for (int round = 0; round < 3; round++)
		for (int i = 0; i < NODES; i++)
			for (int k = 0; k < NODES; k++)
				if (i != k)
					exchange_overrides(w, i, k);
}

static void assert_equal_sets(struct world *w)
{
	char first[DIGEST_TEXT_MAX], other[DIGEST_TEXT_MAX];

	set_digest(intent_overrides(w->in[0]), first);
	for (int i = 1; i < NODES; i++)
		assert_string_equal(set_digest(intent_overrides(w->in[i]), other), first);
}

/* The one override of a kind at a target that is in force at a node; NULL: none is. */
static const struct override *find_live(struct world *w, int node, enum model_override_kind kind,
                                        const char *name)
{
	const struct overrides *set = intent_overrides(w->in[node]);
	const struct override *live = NULL;

	for (size_t i = 0; i < set->n_items; i++) {
		const struct override *o = &set->items[i];

		if (o->kind != kind || strcmp(o->name, name) != 0 || override_is_done(o, w->now_ms))
			continue;
		assert_null(live);
		live = o;
	}
	return live;
}

static bool is_told(struct world *w, int node, const char *text)
{
	const struct journal *j = intent_journal(w->in[node]);

	for (uint64_t i = 1; i <= journal_last(j); i++) {
		const struct event *e = journal_find(j, i);

		if (e && strstr(e->message, text))
			return true;
	}
	return false;
}

/* Random commands, and random news of them. */
static void the_later_command_is_in_force_everywhere(void **state)
{
	static const struct {
		enum command_do does, ends;
		enum model_override_kind kind;
		const char *pool, *name;
	} targets[] = {
		{ COMMAND_DRAIN, COMMAND_UNDRAIN, MODEL_OVERRIDE_DRAIN, NULL, "ams" },
		{ COMMAND_DISABLE, COMMAND_ENABLE, MODEL_OVERRIDE_DISABLE, NULL, "ams" },
		{ COMMAND_DRAIN, COMMAND_UNDRAIN, MODEL_OVERRIDE_DRAIN, "web-ams", "b1" },
	};
	struct world *w = *state;

	for (unsigned seed = 1; seed <= 30; seed++) {
		uint64_t last[COUNT(targets)] = { 0 };
		bool ends[COUNT(targets)] = { false };

		w->random = seed;
		for (int i = 0; i < 12; i++) {
			unsigned t = draw_number(w, COUNT(targets));
			int node = (int)draw_number(w, NODES);
			bool end = draw_number(w, 3) == 0;

			w->now_ms += 10000 + draw_number(w, 5);
			if (give_command(w, node, end ? targets[t].ends : targets[t].does,
			                 targets[t].pool, targets[t].name) == COMMAND_OK) {
				last[t] = STAMP(w->now_ms);
				ends[t] = end;
			}
			if (draw_number(w, 3) == 0)
				exchange_overrides(w, (int)draw_number(w, NODES),
				                   (int)draw_number(w, NODES));
		}
		w->now_ms += 10000;
		exchange_all(w);
		assert_equal_sets(w);
		for (size_t t = 0; t < COUNT(targets); t++) {
			const struct override *o =
			        find_live(w, 0, targets[t].kind, targets[t].name);

			if (last[t] && (ends[t] ? o != NULL : !o || o->generation != last[t]))
				fail_msg("seed %u: target %zu is not as commanded last", seed, t);
		}
		for (size_t t = 0; t < COUNT(targets); t++) /* for the next seed */
			give_command(w, 0, targets[t].ends, targets[t].pool, targets[t].name);
		w->now_ms += 10000;
		exchange_all(w);
	}
}

/* At the node where it was in force: by whom, until when, and by whom it was overruled. */
static void who_was_overruled_can_read_it(void **state)
{
	struct world *w = *state;

	assert_int_equal(give_command(w, 0, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 1, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms += 1000;
	assert_int_equal(exchange_overrides(w, 1, 0), 1);
	assert_true(is_told(w, 0,
	                    "drain of site ams by ada at node ams-1, until never, is "
	                    "overruled by bob at node fra-1, who did not know of it: test"));
	assert_string_equal(find_live(w, 0, MODEL_OVERRIDE_DRAIN, "ams")->author, "bob");
	exchange_all(w);
	assert_equal_sets(w);
	/* one that was changed here and there */
	assert_int_equal(give_command(w, 1, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 2, COMMAND_UNDRAIN, NULL, "ams"), COMMAND_OK);
	exchange_overrides(w, 2, 1);
	assert_null(find_live(w, 1, MODEL_OVERRIDE_DRAIN, "ams"));
	assert_true(is_told(w, 1, "is overruled by cyn at node lon-1"));
	/* who knows of a command overrules nothing */
	exchange_all(w);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 1, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	exchange_all(w);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 0, COMMAND_UNDRAIN, NULL, "ams"), COMMAND_OK);
	exchange_all(w);
	assert_false(is_told(w, 1, "is overruled by ada at node ams-1"));
}

/** While node 0 asks whether a command may be made, it hears of one that another node was given. */
struct meanwhile {
	struct world *w;
};

static enum command_may hear_meanwhile(void *arg, const struct override *list, size_t n,
                                       struct command_result *result)
{
	struct meanwhile *m = arg;
	struct command_result own = *result;

	(void)list;
	(void)n;
	m->w->now_ms += 1000;
	assert_int_equal(give_command(m->w, 1, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	exchange_overrides(m->w, 1, 0);
	m->w->now_ms -= 1000;
	m->w->r = own;
	return COMMAND_MAY;
}

/* Who was overruled before the answer is not told that all is well. */
static void a_command_that_was_overtaken_does_not_succeed(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 2; i++) { /* by another drain, and by another change of the same */
		struct meanwhile m = { .w = w };
		const struct command c = { .what = i ? COMMAND_UNDRAIN : COMMAND_DRAIN,
			                   .name = "ams",
			                   .over_ms = -1,
			                   .from_ms = -1,
			                   .until_ms = i ? -1 : MODEL_TIME_NEVER,
			                   .now = true,
			                   .author = "ada",
			                   .reason = "test",
			                   .past = { "site-less", "receivers", "too-many-out" },
			                   .n_past = 3,
			                   .decide = hear_meanwhile,
			                   .decide_arg = &m };
		const struct guard_observed seen = { 0 };

		intent_for(w->in[0], "ada", NULL);
		assert_int_equal(command_run(w->in[0], &c, &seen, w->now_ms, &w->r),
		                 COMMAND_OVERTAKEN);
		assert_string_equal(find_live(w, 0, MODEL_OVERRIDE_DRAIN, "ams")->author, "bob");
		w->now_ms += 2000;
		exchange_all(w);
		assert_equal_sets(w);
	}
}

/* Clocks have milliseconds: then names decide, and at each node alike. */
static void of_two_in_one_millisecond_one_is_in_force(void **state)
{
	struct world *w = *state;

	for (int last = 1; last < NODES; last++) {
		for (int i = 0; i <= last; i++)
			assert_int_equal(give_command(w, i, COMMAND_DRAIN, NULL, "ams"),
			                 COMMAND_OK);
		w->now_ms += 1000;
		exchange_all(w);
		assert_equal_sets(w);
		for (int i = 0; i < NODES; i++) {
			const struct override *o = find_live(w, i, MODEL_OVERRIDE_DRAIN, "ams");

			assert_non_null(o);
			assert_string_equal(o->node, names[last]);
			assert_true(override_ok(o));
		}
		for (size_t i = 0; i < intent_overrides(w->in[0])->n_items; i++)
			assert_true(override_ok(&intent_overrides(w->in[0])->items[i]));
		w->now_ms += 1000;
		assert_int_equal(give_command(w, 0, COMMAND_UNDRAIN, NULL, "ams"), COMMAND_OK);
		exchange_all(w);
		assert_null(find_live(w, last, MODEL_OVERRIDE_DRAIN, "ams"));
		w->now_ms += 1000;
	}
}

/* The number of changes is of no matter: a busy node is not right for that. */
static void more_changes_do_not_count(void **state)
{
	struct world *w = *state;

	assert_int_equal(give_command(w, 0, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	exchange_all(w);
	for (int i = 0; i < 5; i++) {
		w->now_ms += 1000;
		assert_int_equal(give_command(w, 0, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	}
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 1, COMMAND_UNDRAIN, NULL, "ams"), COMMAND_OK);
	exchange_all(w);
	assert_equal_sets(w);
	assert_null(find_live(w, 0, MODEL_OVERRIDE_DRAIN, "ams"));
}

/* A hold is of the drain that it stopped. */
static void a_later_drain_ends_a_hold_that_it_did_not_know(void **state)
{
	struct world *w = *state;

	assert_int_equal(give_command(w, 0, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	exchange_all(w);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 0, COMMAND_HOLD, NULL, "ams"), COMMAND_OK);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 1, COMMAND_UNDRAIN, NULL, "ams"), COMMAND_OK);
	exchange_all(w);
	assert_equal_sets(w);
	assert_null(find_live(w, 0, MODEL_OVERRIDE_HOLD, "ams"));
	assert_null(find_live(w, 0, MODEL_OVERRIDE_DRAIN, "ams"));
	/* but a later hold holds */
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 1, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	exchange_all(w);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 1, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 0, COMMAND_HOLD, NULL, "ams"), COMMAND_OK);
	exchange_all(w);
	assert_equal_sets(w);
	assert_non_null(find_live(w, 2, MODEL_OVERRIDE_HOLD, "ams"));
}

/* A node whose clock is an hour ahead: nobody takes what it stamps, and once its clock is right it is of that time. */
static void a_command_of_a_wrong_clock_is_of_when_it_was_made_right(void **state)
{
	struct world *w = *state;

	w->now_ms += 3600000;
	assert_int_equal(give_command(w, 0, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 0, COMMAND_DRAIN, "web-ams", "b1"), COMMAND_OK);
	const int64_t wrong_ms = w->now_ms;
	w->now_ms = NOW_MS + 1000;
	assert_int_equal(exchange_overrides(w, 0, 1), 0);
	assert_null(find_live(w, 1, MODEL_OVERRIDE_DRAIN, "ams"));
	intent_clock_moved(w->in[0], wrong_ms, w->now_ms);
	const struct override *site = find_live(w, 0, MODEL_OVERRIDE_DRAIN, "ams");
	const struct override *backend = find_live(w, 0, MODEL_OVERRIDE_DRAIN, "b1");
	assert_true(site->generation == STAMP(NOW_MS)); /* when it was given */
	assert_true(backend->generation == STAMP(NOW_MS + 1000));
	assert_true(override_ok(site) && override_ok(backend));
	assert_int_equal(exchange_overrides(w, 0, 1), 2);
	w->now_ms += 1000; /* a later command is later */
	assert_int_equal(give_command(w, 1, COMMAND_UNDRAIN, NULL, "ams"), COMMAND_OK);
	exchange_all(w);
	assert_equal_sets(w);
	assert_null(find_live(w, 0, MODEL_OVERRIDE_DRAIN, "ams"));
	intent_close(w->in[0]); /* and after a start */
	const struct intent_options options = { .conf_dir = w->f[0].conf,
		                                .state_dir = w->f[0].state,
		                                .node = names[0] };
	assert_int_equal(intent_open(&options, w->now_ms, &w->in[0]), 0);
	assert_equal_sets(w);
}

/* An operation has the stamp of a wrong clock, and every node has its step: other commands go from node to node all the same. */
static void a_step_of_a_wrong_clock_stops_no_commands(void **state)
{
	struct world *w = *state;
	const struct override step = { .id = "op-1",
		                       .kind = MODEL_OVERRIDE_DRAIN,
		                       .target = MODEL_TARGET_SITE,
		                       .name = "fra",
		                       .generation = STAMP(NOW_MS + 3600000),
		                       .epoch = 64,
		                       .step = 1,
		                       .created_ms = NOW_MS,
		                       .from_ms = NOW_MS,
		                       .until_ms = MODEL_TIME_NEVER,
		                       .is_step = true,
		                       .to_ppm = 10000,
		                       .operation = "op-1",
		                       .author = "ada",
		                       .node = "lon-1" };

	for (int i = 0; i < NODES; i++)
		assert_int_equal(intent_merge(w->in[i], &step, 1, w->now_ms), 1);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 0, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	assert_int_equal(exchange_overrides(w, 0, 1), 1);
	assert_non_null(find_live(w, 1, MODEL_OVERRIDE_DRAIN, "ams"));
	assert_int_equal(give_command(w, 0, COMMAND_HOLD, NULL, "fra"), COMMAND_OK);
	assert_true(w->r.override.generation >
	            step.generation); /* and the step does not come back */
}

/* What people have commanded since is later than that, whatever the wrong clock said, and whenever its time comes. */
static void a_wrong_clock_wins_over_nothing(void **state)
{
	struct world *w = *state;

	w->now_ms = NOW_MS + 3600000;
	assert_int_equal(give_command(w, 0, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms = NOW_MS + 1800000;
	assert_int_equal(exchange_overrides(w, 0, 1), 0);
	assert_int_equal(give_command(w, 1, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms += 60000;
	assert_int_equal(give_command(w, 1, COMMAND_UNDRAIN, NULL, "ams"), COMMAND_OK);
	exchange_overrides(w, 1, 0);
	w->now_ms = NOW_MS + 3600000; /* its time has come */
	assert_int_equal(exchange_overrides(w, 0, 1), 0);
	assert_null(find_live(w, 1, MODEL_OVERRIDE_DRAIN, "ams"));
	w->now_ms = NOW_MS + 1900000; /* or that clock is set right before */
	intent_clock_moved(w->in[0], w->now_ms + 3600000, w->now_ms);
	exchange_all(w);
	assert_equal_sets(w);
	for (int i = 0; i < NODES; i++)
		assert_null(find_live(w, i, MODEL_OVERRIDE_DRAIN, "ams"));
}

/* Most nodes say that this one's clock is far ahead: by theirs it stamps, and they take it. */
static void who_hears_that_its_clock_is_ahead_stamps_by_the_others(void **state)
{
	struct world *w = *state;

	intent_stamp_by(w->in[0], -3600000);
	w->now_ms = NOW_MS + 3600000;
	assert_int_equal(give_command(w, 0, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	assert_true(w->r.override.generation == STAMP(NOW_MS));
	w->now_ms = NOW_MS + 1000;
	assert_int_equal(exchange_overrides(w, 0, 1), 1);
}

/* Within five minutes clocks may differ: who knows of a command is later, whatever the clock says. */
static void knowledge_counts_more_than_the_clock(void **state)
{
	struct world *w = *state;

	w->now_ms = NOW_MS + 240000;
	assert_int_equal(give_command(w, 0, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms = NOW_MS;
	exchange_overrides(w, 0, 1);
	w->now_ms = NOW_MS + 1000;
	assert_int_equal(give_command(w, 1, COMMAND_UNDRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms = NOW_MS + 241000;
	exchange_all(w);
	assert_equal_sets(w);
	assert_null(find_live(w, 0, MODEL_OVERRIDE_DRAIN, "ams"));
}

/* Neither of them comes back when the others have forgotten what ended it. */
static void what_was_overruled_is_forgotten_for_good(void **state)
{
	struct world *w = *state;

	assert_int_equal(give_command(w, 0, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 1, COMMAND_DRAIN, NULL, "ams"), COMMAND_OK);
	w->now_ms += 1000;
	assert_int_equal(give_command(w, 1, COMMAND_UNDRAIN, NULL, "ams"), COMMAND_OK);
	exchange_all(w);
	w->now_ms += 8 * DAY_MS;
	for (int i = 0; i < 2; i++)
		intent_tick(w->in[i], w->now_ms);
	assert_int_equal(intent_overrides(w->in[0])->n_items, 0);
	assert_int_equal(intent_overrides(w->in[2])->n_items, 2); /* it was down meanwhile */
	exchange_all(w);
	for (int i = 0; i < NODES; i++)
		assert_null(find_live(w, i, MODEL_OVERRIDE_DRAIN, "ams"));
	assert_int_equal(intent_overrides(w->in[0])->n_items, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(rivals)
{
	const struct CMUnitTest tests[] = {
		TEST(the_later_command_is_in_force_everywhere),
		TEST(who_was_overruled_can_read_it),
		TEST(a_command_that_was_overtaken_does_not_succeed),
		TEST(of_two_in_one_millisecond_one_is_in_force),
		TEST(more_changes_do_not_count),
		TEST(a_later_drain_ends_a_hold_that_it_did_not_know),
		TEST(a_command_of_a_wrong_clock_is_of_when_it_was_made_right),
		TEST(a_step_of_a_wrong_clock_stops_no_commands),
		TEST(a_wrong_clock_wins_over_nothing),
		TEST(who_hears_that_its_clock_is_ahead_stamps_by_the_others),
		TEST(knowledge_counts_more_than_the_clock),
		TEST(what_was_overruled_is_forgotten_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
