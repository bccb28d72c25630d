/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an owner knows of other nodes and does, in parts: for how long an answer counts, which level is in force, and how it
 * writes what its engine says.
 */
#include "asked.h"
#include "made_operation.h"
#include "mgmt/controller/operations_run.h"
#include "whole_json.h"

#include "mgmt/api/handle.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/overrides/override.h"
#include "mgmt/store/records.h"
#include "mgmt/sync/operations_list.h"

/* An order's look at a cluster of which nobody says anything. */
static struct operation_snapshot *make_look(struct core *core)
{
	struct operation_snapshot *v = calloc(1, sizeof(*v));

	assert_non_null(v);
	v->core = core;
	v->m = intent_model(core->intent);
	snprintf(v->self, sizeof(v->self), "ams-1");
	v->now_ms = clock_believed_ms();
	v->mono_ms = clock_mono_ms();
	return v;
}

/* By which flows it is projected. */
static struct {
	bool known;
	uint32_t level_ppm;
	uint64_t per_s; /* of the first row */
} projected_from;

static void note_project(const struct operation_snapshot *v, const struct operation *op,
                         const struct operation_begin_flows *begin, struct operation_observed *out)
{
	projected_from.known = begin && begin->known;
	projected_from.level_ppm = begin ? begin->level_ppm : 0;
	projected_from.per_s = begin && begin->n ? begin->rows[0].per_s : 0;
	operation_project(v, op, begin, out);
}

/* The private parts too. */
#define operation_project      note_project
#define operation_snapshot_now make_look
#include "mgmt/controller/operation_order.c"
#undef operation_project
#undef operation_snapshot_now
#include "mgmt/controller/operation_snapshot.c"
#include "mgmt/sync/operations.c"
#include "mgmt/controller/operations_query.c"
#include "mgmt/controller/operations_run.c"

static struct operation op;

static int setup(void **state)
{
	(void)asked_setup(state);
	this_node.operations = calloc(1, sizeof(*this_node.operations));
	assert_non_null(this_node.operations);
	core_lock(&this_node);
	make_operation(&op, "o1", "ams-1", NOW_MS);
	return 0;
}

static int teardown(void **state)
{
	struct operations *o = this_node.operations;

	for (size_t i = 0; i < o->n; i++)
		operations_free_item(o->items[i]);
	for (size_t i = 0; i < o->n_said; i++) {
		json_decref(o->said[i].levels);
		json_decref(o->said[i].measure);
	}
	free(o);
	this_node.operations = NULL;
	core_unlock(&this_node);
	return asked_teardown(state);
}

/* For a further row: a node that knows nothing of the last one, looked at now. */
static void begin_anew(void **state, struct operation_snapshot *snapshot)
{
	assert_int_equal(teardown(state) + setup(state), 0);
	*snapshot = (struct operation_snapshot){ .core = &this_node,
		                                 .m = intent_model(this_node.intent),
		                                 .self = "ams-1",
		                                 .now_ms = clock_believed_ms(),
		                                 .mono_ms = clock_mono_ms() };
}

static struct operations_item *put_record(const char *id, const char *owner,
                                          enum operation_state state)
{
	snprintf(op.id, sizeof(op.id), "%s", id);
	snprintf(op.owner, sizeof(op.owner), "%s", owner);
	op.state = state;
	op.created_ms++;
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	return operations_find(&this_node, id);
}

/* --- answers of peers --- */

static void measurements_are_as_old_as_the_question(void **state)
{
	struct client_request r = { .status = 200 };
	uint64_t sent_ms = clock_mono_ms() - 800;
	const struct operations_said *said;

	(void)state;
	r.answer = json_pack("{s:s, s:s, s:[], s:b, s:{s:i}}", "node", "fra-1", "cluster", "shop",
	                     "levels", "dns", 1, "measure", "bits_per_s", 5);
	accept_answer(&this_node, "fra-1", &r, sent_ms);
	json_decref(r.answer);
	said = operations_said_of(&this_node, "fra-1");
	assert_non_null(said);
	assert_int_equal(said->measured_ms, sent_ms);
	assert_true(said->heard_ms >= sent_ms + 800);
	assert_true(said->dns && !said->refuses);
}

static void no_answer_says_nothing_but_that_it_refuses(void **state)
{
	(void)state;
	for (int refuses = 0; refuses < 2; refuses++) {
		struct client_request r = { .status = refuses ? 410 : 503 };

		accept_answer(&this_node, "fra-1", &r, clock_mono_ms());
		const struct operations_said *said = operations_said_of(&this_node, "fra-1");
		assert_true(said && !said->heard_ms && !said->levels);
		assert_int_equal(said->refuses, refuses);
	}
}

/* --- for how long an answer counts --- */

static struct operation_report hear_peer(uint64_t heard_ago_ms, uint64_t measured_ago_ms)
{
	static struct operation_snapshot view;
	static struct model_node node = { .name = "fra-1" };
	struct operations_said *said = &this_node.operations->said[0];
	struct operation_report report = { .node = &node };

	view = (struct operation_snapshot){ .core = &this_node, .mono_ms = 1000000 };
	said->heard_ms = view.mono_ms - heard_ago_ms;
	said->measured_ms = measured_ago_ms ? view.mono_ms - measured_ago_ms : 0;
	fill_peer_report(&view, &report);
	json_decref(report.levels);
	json_decref(report.measure);
	return report;
}

static void an_answer_counts_for_its_time(void **state)
{
	struct operations_said *said = &this_node.operations->said[0];
	struct operation_report report;

	(void)state;
	this_node.operations->n_said = 1;
	snprintf(said->node, sizeof(said->node), "fra-1");
	said->levels = json_array();
	said->measure = json_object();
	report = hear_peer(2000, 3000);
	assert_true(report.reached && report.levels && report.measure);
	report = hear_peer(2001, 3001);
	assert_true(!report.reached && !report.levels && !report.measure);
	report = hear_peer(0, 0); /* it was never asked for what it measures */
	assert_true(report.reached && report.levels && !report.measure);
}

static void a_drain_that_is_held_holds_its_whole_site(void **state)
{
	static const struct {
		enum operation_state at;
		uint32_t goal_ppm;
		const char *service;
		size_t n;
	} cases[] = {
		{ OPERATION_HELD, MODEL_PPM_ALL, "", 1 },
		{ OPERATION_EXPIRED_HELD, MODEL_PPM_ALL, "", 1 },
		{ OPERATION_MOVING, MODEL_PPM_ALL, "", 0 },
		{ OPERATION_HELD, 300000, "", 0 },           /* a shift empties no site */
		{ OPERATION_HELD, MODEL_PPM_ALL, "web", 0 }, /* others go on */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct operation_snapshot view;

		memset(&view, 0, sizeof(view));
		op.state = cases[i].at;
		op.goal_ppm = cases[i].goal_ppm;
		snprintf(op.service, sizeof(op.service), "%s", cases[i].service);
		list_held(&view, &op);
		assert_int_equal(view.n_held, cases[i].n);
		if (view.n_held)
			assert_string_equal(view.held[0].site, "ams");
	}
}

/* --- levels in force --- */

/* The override that the operation writes, in the node's document. */
static void write_override(void)
{
	struct override o;

	make_override(&op, &op.write, &op.targets[0], &o);
	assert_true(intent_merge(this_node.intent, &o, 1, clock_believed_ms()) > 0);
}

static void make_write(uint32_t step, uint32_t to_ppm)
{
	op.writes = step;
	op.write = (struct operation_write){ .epoch = op.epoch,
		                             .step = step,
		                             .from_ms = clock_believed_ms() - 1000,
		                             .from_ppm = to_ppm,
		                             .to_ppm = to_ppm };
}

static json_int_t read_told(const struct ramp_levels *levels, const char *field)
{
	json_t *list = operations_levels_json(&this_node, levels);
	const json_t *row = json_array_get(list, 0), *in_force = json_object_get(row, "in_force");
	const json_t *value = json_object_get(in_force ? in_force : row, field);

	value = value ? value : json_object_get(row, field);
	json_int_t number = value ? json_integer_value(value) : -1;

	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	return number;
}

static void only_what_weir_dns_has_is_in_force(void **state)
{
	make_write(2, 250000);
	static struct ramp_levels levels;

	(void)state;
	write_override();
	memset(&levels, 0, sizeof(levels));
	assert_int_equal(read_told(&levels, "generation"), -1); /* it has not taken it yet */
	assert_int_equal(read_told(&levels, "level_ppm"), -1);
	levels.n = 1;
	levels.items[0] = (struct ramp_record){
		.generation = 77, .epoch = 1, .step = 9, .level_ppm = 100000, .longest_ttl_s = 30
	};
	strcpy(levels.items[0].id, "v1");
	assert_int_equal(read_told(&levels, "generation"), 77);
	assert_int_equal(read_told(&levels, "epoch"), 1);
	assert_int_equal(read_told(&levels, "step"), 9);
	assert_int_equal(read_told(&levels, "level_ppm"), 100000);
	assert_int_equal(read_told(&levels, "longest_ttl_s"), -1); /* on its way */
	levels.items[0].arrived = true;
	assert_int_equal(read_told(&levels, "longest_ttl_s"), 30);
	/* without weir-dns: the document's */
	assert_int_equal(read_told(NULL, "generation"), op.stamp);
	assert_int_equal(read_told(NULL, "epoch"), op.epoch);
	assert_int_equal(read_told(NULL, "step"), 2);
	assert_int_equal(read_told(NULL, "level_ppm"), 250000);
}

/* What a person commands is no step: weir-dns tells nothing of it, and the operation ends all the same. */
static void a_persons_command_is_told_whatever_it_is(void **state)
{
	static const enum model_override_kind kinds[] = { MODEL_OVERRIDE_DRAIN,
		                                          MODEL_OVERRIDE_DISABLE,
		                                          MODEL_OVERRIDE_HOLD };
	static struct ramp_levels levels; /* weir-dns runs */

	(void)state;
	make_write(2, 250000);
	write_override();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct override o;

		make_override(&op, &op.write, &op.targets[0], &o);
		override_leave_operation(&o, op.stamp + 1 + i);
		o.kind = kinds[i];
		assert_int_equal(intent_merge(this_node.intent, &o, 1, clock_believed_ms()), 1);
		assert_int_equal(read_told(&levels, "generation"), op.stamp + 1 + i);
		assert_int_equal(read_told(&levels, "epoch"), 0);
	}
}

/* --- the owner --- */

static void a_record_that_was_replaced_is_another(void **state)
{
	static struct operation other;

	(void)state;
	for (int i = 0; i < 4; i++) {
		other = op;
		other.epoch += i == 1;
		other.seq += i == 2;
		if (i == 3)
			strcpy(other.owner, "fra-1");
		assert_int_equal(operation_is_same(&op, &other), i == 0);
	}
}

static void rounds_are_as_frequent_as_they_must_be(void **state)
{
	struct operations_item *item;

	(void)state;
	assert_int_equal(pause_ms(&this_node), 0);
	put_record("o1", "ams-1", OPERATION_DONE);
	assert_int_equal(pause_ms(&this_node), OPERATIONS_IDLE_MS);
	put_record("o2", "fra-1", OPERATION_MOVING);
	assert_int_equal(pause_ms(&this_node), OPERATIONS_SLOW_MS);
	item = put_record("o3", "ams-1", OPERATION_MOVING);
	assert_int_equal(pause_ms(&this_node), OPERATIONS_EVERY_MS);
	item->op.write.from_ms = clock_believed_ms() + 1500; /* a step is announced */
	assert_int_equal(pause_ms(&this_node), OPERATIONS_FAST_MS);
}

/* Nothing is done for one that is over, and none is in the way of another. */
static void what_is_over_is_neither_run_nor_in_the_way(void **state)
{
	struct operation_snapshot *v = calloc(1, sizeof(*v));
	char ids[OPERATIONS_MAX][MODEL_ID_MAX];

	(void)state;
	assert_non_null(v);
	v->core = &this_node;
	put_record("o1", "ams-1", OPERATION_DONE);
	put_record("o2", "ams-1", OPERATION_MOVING);
	put_record("o3", "fra-1", OPERATION_MOVING);
	put_record("o4", "fra-1", OPERATION_ABORTED);
	for (int own = 0; own < 2; own++) {
		assert_int_equal(list_live(&this_node, own, ids), 1);
		assert_string_equal(ids[0], own ? "o2" : "o3");
	}
	list_others(v);
	assert_int_equal(v->n_others, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(!strcmp(v->others[i].id, "o2") || !strcmp(v->others[i].id, "o3"));
	free(v);
}

/* Who takes an operation does so at its own node: no peer passes that on. */
static void a_peer_passes_on_each_order_but_one(void **state)
{
	static const struct {
		const char *word;
		unsigned status;
	} rows[] = { { "hold", 200 },   { "resume", 200 },  { "abort", 200 }, { "take", 400 },
		     { "return", 200 }, { "further", 200 }, { "own", 400 },   { "", 400 } };

	(void)state;
	core_unlock(&this_node);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request r = { .method = "POST" };
		struct http_reply reply = { 0 };

		snprintf(r.parts[0], sizeof(r.parts[0]), "o9");
		snprintf(r.parts[1], sizeof(r.parts[1]), "%s", rows[i].word);
		r.json = json_pack("{s:s, s:i, s:s, s:s}", "principal", "token:amy", "by_ms", 1,
		                   "author", "amy", "reason", "a test");
		handle_peer_operation_order(&this_node, &r, &reply);
		if (reply.status != rows[i].status)
			fail_msg("%s: %u", rows[i].word, reply.status);
		json_decref(r.json);
		http_reply_fini(&reply);
	}
	core_lock(&this_node);
}

/* All that a person says of where it is to go arrives there. */
static void a_redirect_goes_where_it_was_ordered(void **state)
{
	static const struct operation_facts facts = { .self = "ams-1" };
	const struct operation_order order = { .what = OPERATION_ORDER_REDIRECT,
		                               .person = { .author = "amy",
		                                           .reason = "a test",
		                                           .goal_ppm = 700000,
		                                           .over_ms = 5000,
		                                           .until_ms = MODEL_TIME_NEVER - 1,
		                                           .withdraw = true } };
	char error[OPERATION_DETAIL_MAX] = "";

	(void)state;
	op.state = OPERATION_RESTING;
	op.level_ppm = 300000;
	assert_int_equal(
	        orders[order.what].run(&op, &facts, &order.person, clock_believed_ms(), error), 0);
	assert_int_equal(op.goal_ppm, 700000);
	assert_int_equal(op.over_ms, 5000);
	assert_int_equal(op.until_ms, MODEL_TIME_NEVER - 1);
	assert_true(op.withdraw);
	assert_false(op.now);
}

/* The configuration gives fra-1 no address. */
static void who_has_no_address_is_not_asked(void **state)
{
	struct peer_client client = { .multi = NULL };

	(void)state;
	fixture_write(asked_place.conf, "peer.token", "0123456789abcdef\n");
	core_unlock(&this_node);
	operations_query(&this_node, &client, false, NULL);
	core_lock(&this_node);
	assert_int_equal(n_asked, 0);
	assert_int_equal(this_node.operations->n_said, 0);
}

/* The newest revision of this node's own store. */
static int64_t newest_revision(void)
{
	int64_t revision = -1;

	assert_int_equal(copy_revision(intent_store(this_node.intent), &revision), 0);
	return revision;
}

/* A round notes what the engine was given in any case; the store gets a change only where there is one. */
static void a_round_without_a_change_writes_nothing(void **state)
{
	static const struct {
		const char *why;
		enum operation_state at;
		bool is_own, writes, ticks;
	} rows[] = {
		{ "it is held", OPERATION_HELD, true, false, true },
		{ "it begins to move", OPERATION_STARTING, true, true, true },
		{ "it is over", OPERATION_DONE, true, false, false },
		{ "it is another's", OPERATION_STARTING, false, false, false },
	};
	static struct operation_snapshot snapshot;
	char reason[ETCD_REASON_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_anew(state, &snapshot);
		snprintf(op.owner, sizeof(op.owner), "%s", rows[i].is_own ? "ams-1" : "fra-1");
		op.state = rows[i].at;
		snprintf(op.hold.code, sizeof(op.hold.code), "%s",
		         rows[i].at == OPERATION_HELD ? "person" : "");
		assert_int_equal(operation_decide(&this_node, NULL, &op, false, reason),
		                 OPERATION_DECIDED);
		int64_t before = newest_revision();

		core_unlock(&this_node);
		tick_operation(&this_node, &snapshot, op.id);
		core_lock(&this_node);
		const struct operations_item *item = operations_find(&this_node, op.id);

		assert_non_null(item);
		if (newest_revision() != before + rows[i].writes ||
		    item->op.seq != op.seq + rows[i].writes ||
		    (item->ticked_ms != 0) != rows[i].ticks || item->judged != rows[i].ticks)
			fail_msg("%s: revision %lld after %lld, seq %llu, ticked %llu", rows[i].why,
			         (long long)newest_revision(), (long long)before,
			         (unsigned long long)item->op.seq,
			         (unsigned long long)item->ticked_ms);
		assert_int_equal(item->undecided_ms, 0);
	}
}

/* A node of the document, as it said what it has in force of override v1. @return the levels, with the report */
static json_t *add_report(struct operation_snapshot *snapshot, const char *name, bool reached,
                          json_int_t generation, int level_ppm)
{
	struct operation_report *r = &snapshot->reports[snapshot->n_reports++];

	*r = (struct operation_report){ .node = model_node(intent_model(this_node.intent), name),
		                        .reached = reached };
	if (reached)
		r->levels = json_pack("[{s:s, s:s, s:{s:I, s:i, s:i}, s:i}]", "override", "v1",
		                      "site", "ams", "in_force", "generation", generation, "epoch",
		                      3, "step", 2, "level_ppm", level_ppm);
	return r->levels;
}

static void expect_node(const struct operations_node *is, struct operations_node expected)
{
	assert_string_equal(is->node, expected.node);
	assert_int_equal(is->reached, expected.reached);
	assert_int_equal(is->absent, expected.absent);
	assert_int_equal(is->level_known, expected.level_known);
	assert_int_equal(is->epoch, expected.epoch);
	assert_int_equal(is->step, expected.step);
	assert_int_equal(is->level_ppm, expected.level_ppm);
}

/* Of another node's operation, too, this node shows which level each has. */
static void what_nodes_have_of_an_operation_is_noted(void **state)
{
	static struct operation_snapshot snapshot;
	struct operations_item *item;

	(void)state;
	snapshot = (struct operation_snapshot){ .core = &this_node, .self = "ams-1" };
	op.n_without = 1;
	snprintf(op.without[0], sizeof(op.without[0]), "fra-1");
	item = put_record("o1", "fra-1", OPERATION_MOVING);
	json_t *levels = add_report(&snapshot, "ams-1", true, (json_int_t)op.stamp, 250000);
	(void)add_report(&snapshot, "fra-1", false, 0, 0);
	core_unlock(&this_node);
	watch_operation(&this_node, &snapshot, "o2"); /* there is none */
	core_lock(&this_node);
	assert_int_equal(item->n_nodes, 0);
	for (int i = 0; i < 2; i++) { /* again: the same once more */
		core_unlock(&this_node);
		watch_operation(&this_node, &snapshot, "o1");
		core_lock(&this_node);
		assert_int_equal(item->n_nodes, 2);
		expect_node(&item->nodes[0],
		            (struct operations_node){ "ams-1", true, false, true, 3, 2, 250000 });
		expect_node(&item->nodes[1], (struct operations_node){ "fra-1", .absent = true });
	}
	assert_false(item->judged); /* the owner alone judges */
	json_decref(levels);
	/* what is in force is of another operation, which has no step of this one */
	levels = snapshot.reports[0].levels = json_pack(
	        "[{s:s, s:s, s:{s:I, s:i, s:i}, s:i}]", "override", "v1", "site", "ams", "in_force",
	        "generation", (json_int_t)op.stamp - 1, "epoch", 3, "step", 2, "level_ppm", 100000);
	core_unlock(&this_node);
	watch_operation(&this_node, &snapshot, "o1");
	core_lock(&this_node);
	expect_node(&item->nodes[0],
	            (struct operations_node){ "ams-1", true, false, true, 0, 0, 100000 });
	json_decref(levels);
}

/* What is shown of a round is by what was projected in it: here that it could not be, and why. */
static void a_round_shows_who_is_missed_for_its_projection(void **state)
{
	static const struct {
		const char *why;
		bool has_keys[2], is_absent; /* who is asked by clients */
		const char *expected;
	} rows[] = {
		{ "nobody has said who asks it",
		  { false, false },
		  false,
		  "{'expected_s':335,'receivers':[],'backups':[],'unheard':'ams-1'}" },
		{ "the second has not",
		  { true, false },
		  false,
		  "{'expected_s':335,'receivers':[],'backups':[],'unheard':'fra-1'}" },
		{ "it is named absent",
		  { true, false },
		  true,
		  "{'expected_s':335,'receivers':[],'backups':[]}" },
		{ "both have",
		  { true, true },
		  false,
		  "{'expected_s':335,'receivers':[],'backups':[]}" },
	};
	static struct operation_snapshot snapshot;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_anew(state, &snapshot);
		(void)add_report(&snapshot, "ams-1", false, 0, 0);
		(void)add_report(&snapshot, "fra-1", false, 0, 0);
		for (size_t k = 0; k < 2; k++)
			snapshot.reports[k].keys = rows[i].has_keys[k];
		op.n_without = rows[i].is_absent;
		snprintf(op.without[0], sizeof(op.without[0]), "fra-1");
		struct operations_item *item = put_record("o1", "ams-1", OPERATION_HELD);

		core_unlock(&this_node);
		tick_operation(&this_node, &snapshot, "o1");
		core_lock(&this_node);
		item = operations_find(&this_node, "o1");
		assert_non_null(item);
		expect_whole(rows[i].why, json_incref(item->outlook), rows[i].expected);
	}
}

/* --- an order that is passed on --- */

static void give_peer_an_address(void)
{
	const char *at = strstr(fixture_config, "driver = \"xdp\"");
	char text[8192];

	intent_close(this_node.intent);
	assert_int_equal(files_remove_dir(asked_place.state), 0);
	assert_int_equal(mkdir(asked_place.state, 0755), 0);
	snprintf(text, sizeof(text), "%.*sapi = \"https://fra-1:1\"; %s",
	         (int)(at - fixture_config), fixture_config, at);
	fixture_write(asked_place.conf, FILES_MAIN, text);
	fixture_write(asked_place.conf, "peer.token", "0123456789012345678901234567890123456789\n");
	asked_open();
}

static const struct operation_order held = {
	.what = OPERATION_ORDER_HOLD,
	.person = { .author = "amy", .reason = "a test", .principal = "token:amy" },
};

static void expect_outcome(const struct operation_outcome *is, unsigned status, const char *code,
                           const char *text)
{
	assert_int_equal(is->status, status);
	assert_string_equal(is->code, code);
	assert_string_equal(is->text, text);
}

/* The owner may carry it out for 4.5 s, by its own clock since its boot, however far that is from this node's. */
static void an_order_has_its_time_by_the_owners_clock(void **state)
{
	static const struct asked_row rows[] = {
		{ "/v1/peer/operations/o1/hold", "{\"status\": 200, \"json\": {\"id\": \"o1\"}}",
		  0 },
		{ "/v1/peer/operations",
		  "{\"node\": \"fra-1\", \"cluster\": \"shop\", \"levels\": [], \"boot_ms\": 7000000000}",
		  0 },
		{ NULL, NULL, 0 }
	};
	struct operation_outcome out;
	uint64_t began_ms;

	(void)state;
	give_peer_an_address();
	put_record("o1", "fra-1", OPERATION_MOVING);
	asked_rows = rows;
	core_unlock(&this_node);
	began_ms = clock_mono_ms();
	operation_order_run(&this_node, "o1", &held, &out);
	uint64_t took_ms = clock_mono_ms() - began_ms;

	core_lock(&this_node);
	assert_int_equal(out.status, 200);
	expect_whole("the owner's answer", out.json, "{'id':'o1'}");
	assert_int_equal(n_asked, 2);
	assert_string_equal(requested[1].url, "https://fra-1:1/v1/peer/operations/o1/hold");
	json_t *body = json_loads(requested[1].body, 0, NULL);
	json_int_t by_ms = json_integer_value(json_object_get(body, "by_ms"));

	assert_in_range(by_ms, 7000004500, 7000004500 + took_ms);
	json_object_del(body, "by_ms");
	expect_whole("the order", body,
	             "{'principal':'token:amy','now':false,'over_ms':0,'goal_ppm':0,'until_ms':0,"
	             "'withdraw':false,'reason':'a test','author':'amy','override_guards':[],"
	             "'without':[]}");
}

/* As the engine's ticks are: so it is not refused by what they would not hold it by. */
static void an_order_is_projected_from_where_its_plan_began(void **state)
{
	static const struct {
		const char *why;
		uint32_t begin_ppm;
		uint64_t per_s;
		uint32_t level_ppm; /* at which the flows were measured */
	} rows[] = {
		{ "its plan's", 100000, 77, 100000 },
		{ "they are of another plan", 0, 0, 500000 },
	};
	struct operation_outcome out;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		op.plan_from_ppm = 100000;
		op.level_ppm = 500000;
		struct operations_item *item = put_record("o1", "ams-1", OPERATION_MOVING);

		print_message("  %s\n", rows[i].why);
		free(item->begin);
		item->begin = calloc(1, sizeof(*item->begin) + sizeof(struct operation_begin_row));
		assert_non_null(item->begin);
		item->begin->known = true;
		item->begin->level_ppm = 100000;
		item->begin->n = 1;
		item->begin->rows[0].per_s = 77;
		item->begin_way = OPERATION_OUT;
		item->begin_ppm = rows[i].begin_ppm;
		core_unlock(&this_node);
		operation_order_run_here(&this_node, "o1", &held, &out);
		core_lock(&this_node);
		json_decref(out.json);
		assert_true(projected_from.known);
		assert_int_equal(projected_from.level_ppm, rows[i].level_ppm);
		if (rows[i].per_s)
			assert_int_equal(projected_from.per_s, rows[i].per_s);
	}
}

/* Without its clock there is no time until which it may. */
static void an_owner_that_does_not_answer_gets_no_order(void **state)
{
	static const struct {
		const char *why, *answer;
	} rows[] = {
		{ "it is silent", NULL },
		{ "it does not say its clock",
		  "{\"node\": \"fra-1\", \"cluster\": \"shop\", \"levels\": []}" },
		{ "that is none",
		  "{\"node\": \"fra-1\", \"cluster\": \"shop\", \"levels\": [], \"boot_ms\": 0}" },
		{ "another answers",
		  "{\"node\": \"fra-2\", \"cluster\": \"shop\", \"levels\": [], \"boot_ms\": 5}" },
	};
	struct operation_outcome out;

	(void)state;
	give_peer_an_address();
	put_record("o1", "fra-1", OPERATION_MOVING);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct asked_row answers[] = { { "/v1/peer/operations", rows[i].answer, 503 },
			                             { NULL, NULL, 0 } };

		print_message("  %s\n", rows[i].why);
		asked_rows = answers;
		n_asked = 0;
		core_unlock(&this_node);
		operation_order_run(&this_node, "o1", &held, &out);
		core_lock(&this_node);
		asked_rows = NULL;
		assert_int_equal(n_asked, 1);
		expect_outcome(&out, 409, "owner-unreachable",
		               "node fra-1 owns operation o1 and does not answer: nothing was "
		               "changed; to go on from here: weir operation o1 take --reason TEXT");
	}
}

/* What an owner refuses by arrives as it said it; anything else is no more than its status, or that it is busy. */
static void what_the_owner_says_of_an_order_arrives(void **state)
{
	static const struct {
		const char *said;
		unsigned status;
		const char *code, *text, *json; /* json NULL: none */
	} rows[] = {
		{ "{'status':404,'code':'not-found','text':'t','json':{'a':1}}", 404, "not-found",
		  "t", NULL },
		{ "{'status':409,'code':'operation','text':'t','json':{'a':1}}", 409, "operation",
		  "t", "{'a':1}" },
		{ "{'status':409,'code':'guard','text':'u','json':{'b':2}}", 409, "guard", "u",
		  "{'b':2}" },
		{ "{'status':409,'code':'guard','text':'u','json':null}", 409, "guard", "u", NULL },
		{ "{'status':409,'code':'guard','text':'u','json':[1]}", 409, "guard", "u", NULL },
		{ "{'status':503,'code':'store-unavailable','text':'t','json':{'a':1}}", 503,
		  "store-unavailable", "t", NULL },
		{ "{'status':503,'code':'outcome-unknown','text':'t'}", 503, "outcome-unknown", "t",
		  NULL },
		{ "{'status':503,'code':'store','text':'t'}", 503, "store", "t", NULL },
		{ "{'status':503,'code':'busy','text':'t'}", 503, "busy", "t", NULL },
		{ "{'status':404,'code':'operation','text':'t'}", 404, "not-found", "t", NULL },
		{ "{'status':409,'code':'of a later release','text':'t'}", 409, "operation", "t",
		  NULL },
		{ "{'status':409,'text':'t'}", 409, "operation", "t", NULL },
		{ "{'status':503,'code':'of a later release','text':'t'}", 503, "busy", "t", NULL },
		{ "{'status':503,'code':'not-found','text':'t'}", 503, "busy", "t", NULL },
		{ "{'status':500,'code':'internal','text':'t'}", 503, "busy", "t", NULL },
		{ "{'status':409,'code':'guard','text':7}", 409, "guard",
		  "the owner's answer is malformed", NULL },
		{ "{}", 503, "busy", "the owner's answer is malformed", NULL },
		{ NULL, 409, "owner-unreachable",
		  "node fra-1 owns operation o1 and has not answered (silent): it carries the order out "
		  "within 5 s or not at all, see weir operation o1; to go on from here: weir operation o1 "
		  "take --reason TEXT",
		  NULL },
	};
	struct operation_outcome out;

	(void)state;
	give_peer_an_address();
	put_record("o1", "fra-1", OPERATION_MOVING);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *said = rows[i].said ? whole_quotes(rows[i].said, '\'', '"') : NULL;
		const struct asked_row answers[] = {
			{ "/v1/peer/operations/o1/hold", said, 0 },
			{ "/v1/peer/operations",
			  "{\"node\": \"fra-1\", \"cluster\": \"shop\", \"levels\": [], \"boot_ms\": 5}",
			  0 },
			{ NULL, NULL, 0 }
		};

		print_message("  %s\n", rows[i].said ? rows[i].said : "no answer");
		asked_rows = answers;
		n_asked = 0;
		core_unlock(&this_node);
		operation_order_run(&this_node, "o1", &held, &out);
		core_lock(&this_node);
		asked_rows = NULL;
		expect_outcome(&out, rows[i].status, rows[i].code, rows[i].text);
		if (rows[i].json)
			expect_whole("what is added", out.json, rows[i].json);
		else
			assert_null(out.json);
		free(said);
	}
}

/* --- a round of the engine --- */

static void what_sites_had_is_noted_once_for_each_plan(void **state)
{
	static const struct {
		const char *why;
		enum operation_way way;
		uint32_t from_ppm;
		uint64_t noted; /* rate that is kept */
	} rows[] = {
		{ "the first", OPERATION_OUT, 0, 100 },
		{ "the same plan", OPERATION_OUT, 0, 100 },
		{ "from another level", OPERATION_OUT, 250000, 102 },
		{ "the same again", OPERATION_OUT, 250000, 102 },
		{ "the other way", OPERATION_BACK, 250000, 104 },
		{ "the same again", OPERATION_BACK, 250000, 104 },
	};
	struct operation_begin_flows *begin =
	        calloc(1, sizeof(*begin) + sizeof(struct operation_begin_row));
	struct operations_item *item = put_record("o1", "ams-1", OPERATION_MOVING);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin->known = true;
		begin->n = 1;
		begin->rows[0].per_s = 100 + i;
		item->op.way = rows[i].way;
		item->op.plan_from_ppm = rows[i].from_ppm;
		note_begin(item, begin);
		assert_true(has_begin(item, &item->op));
		if (item->begin->rows[0].per_s != rows[i].noted)
			fail_msg("%s: %u", rows[i].why, (unsigned)item->begin->rows[0].per_s);
	}
	free(begin);
}

static void who_is_unseen_is_as_the_first_projection_says(void **state)
{
	static const struct projection first = { .unseen_ppm = { true, 3000 } },
	                               second = { .unseen_ppm = { true, 7000 } };
	static struct operation_begin_flows begin;
	struct operations_item *item = put_record("o1", "ams-1", OPERATION_MOVING);

	(void)state;
	note_unseen(item, &first); /* nothing has begun */
	assert_null(item->begin);
	note_begin(item, &begin);
	note_unseen(item, &first); /* it is not known what sites had */
	assert_false(item->begin->unseen_fixed);
	item->begin->known = true;
	note_unseen(item, NULL);
	assert_false(item->begin->unseen_fixed);
	for (int i = 0; i < 2; i++) {
		note_unseen(item, i ? &second : &first);
		assert_true(item->begin->unseen_fixed && item->begin->unseen_ppm.known);
		assert_int_equal(item->begin->unseen_ppm.value, 3000);
	}
}

/* What the list says of how long nothing was decided counts from the first refusal on. */
static void since_when_nothing_is_decided_is_noted(void **state)
{
	static struct operation was, next;
	char reason[ETCD_REASON_MAX];

	(void)state;
	assert_int_equal(operation_decide(&this_node, NULL, &op, false, reason), OPERATION_DECIDED);
	struct operations_item *item = operations_find(&this_node, op.id);

	was = next = item->op;
	next.seq++;
	was.seq += 5; /* another change came first */
	assert_false(is_decided(&this_node, &was, &next));
	assert_true(item->undecided_ms && item->undecided_ms <= clock_mono_ms());
	item->undecided_ms -= 1000;
	uint64_t since_ms = item->undecided_ms;

	assert_false(is_decided(&this_node, &was, &next));
	assert_int_equal(item->undecided_ms, since_ms);
	was.seq -= 5;
	assert_true(is_decided(&this_node, &was, &next));
	assert_int_equal(operations_find(&this_node, op.id)->undecided_ms, 0);
}

/* The engine gets the time since its last round here; what it says is in the journal, and the guards' verdicts are shown. */
static void a_round_is_of_the_time_since_the_last_one(void **state)
{
	static const struct {
		enum operation_state at;
		uint64_t ago_ms; /* 0: the first round */
		const char *event;
	} rows[] = {
		{ OPERATION_HELD, 0, NULL },
		{ OPERATION_HELD, 300, NULL },
		{ OPERATION_STARTING, 0,
		  "held by majority: 0 of 0 nodes are reached, which is no majority" },
	};
	static struct operation_snapshot snapshot;
	char reason[ETCD_REASON_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_anew(state, &snapshot);
		op.state = rows[i].at;
		snprintf(op.hold.code, sizeof(op.hold.code), "%s",
		         rows[i].at == OPERATION_HELD ? "person" : "");
		assert_int_equal(operation_decide(&this_node, NULL, &op, false, reason),
		                 OPERATION_DECIDED);
		struct operations_item *item = operations_find(&this_node, op.id);
		uint64_t began_ms = clock_mono_ms();
		uint64_t events = journal_last(intent_journal(this_node.intent));

		item->ticked_ms = rows[i].ago_ms ? began_ms - rows[i].ago_ms : 0;
		item->undecided_ms = 5;
		core_unlock(&this_node);
		tick_operation(&this_node, &snapshot, op.id);
		core_lock(&this_node);
		item = operations_find(&this_node, op.id);
		uint64_t took_ms = clock_mono_ms() - began_ms;

		if (rows[i].at == OPERATION_HELD)
			assert_in_range(item->op.state_ms, rows[i].ago_ms,
			                rows[i].ago_ms ? rows[i].ago_ms + took_ms : 0);
		assert_in_range(item->ticked_ms, began_ms, began_ms + took_ms);
		assert_int_equal(item->undecided_ms, 0);
		assert_true(item->judged);
		assert_int_equal(operation_tripped(item->verdicts)->guard,
		                 OPERATION_GUARD_MAJORITY);
		assert_string_equal(operation_tripped(item->verdicts)->detail,
		                    "0 of 0 nodes are reached, which is no majority");
		assert_int_equal(item->deciding, 1); /* the site that stays */
		uint64_t last = journal_last(intent_journal(this_node.intent));

		if (rows[i].event) {
			const struct event *e =
			        journal_find(intent_journal(this_node.intent), last);

			assert_string_equal(e->kind, "operation");
			assert_string_equal(e->subject, "o1");
			assert_string_equal(e->message, rows[i].event);
		} else {
			assert_int_equal(last, events);
		}
	}
}

/* --- what is written --- */

static void a_write_that_is_over_ends_its_override(void **state)
{
	struct override o;

	(void)state;
	make_write(4, 0);
	make_override(&op, &op.write, &op.targets[0], &o);
	assert_true(override_ok(&o) && !o.ended && o.until_ms == MODEL_TIME_NEVER);
	op.write.ended = true;
	make_override(&op, &op.write, &op.targets[0], &o);
	assert_true(override_ok(&o) && o.ended && o.until_ms == op.write.from_ms);
}

static const struct override *find_step(void)
{
	return overrides_find(intent_overrides(this_node.intent), "v1");
}

/* Each node makes the step of the record that it follows, whoever owns it. */
static void what_is_put_is_made(void **state)
{
	(void)state;
	snprintf(op.owner, sizeof(op.owner), "fra-1");
	snprintf(op.service, sizeof(op.service), "web");
	snprintf(op.principal, sizeof(op.principal), "token:amy");
	make_write(4, 250000);
	op.write.own = OPERATION_ANNOUNCE_WITHDRAWN;
	op.write.shared = OPERATION_ANNOUNCE_SHUTDOWN;
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	assert_non_null(find_step());
	assert_int_equal(find_step()->to_ppm, 250000);
	assert_int_equal(find_step()->step, 4);
	assert_int_equal(find_step()->own_vips, MODEL_VIPS_WITHDRAWN);
	assert_int_equal(find_step()->shared_vips, MODEL_VIPS_SHUTDOWN);
	json_t *json = record_to_json(&override_record, find_step());
	char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT), expected[1024];

	snprintf(
	        expected, sizeof(expected),
	        "{\"author\":\"jw\",\"created_ms\":%lld,\"epoch\":%u,"
	        "\"from_ms\":%lld,\"from_ppm\":250000,\"generation\":%llu,\"id\":\"v1\","
	        "\"is_step\":true,\"kind\":\"drain\",\"name\":\"ams\","
	        "\"node\":\"fra-1\",\"operation\":\"o1\",\"own_vips\":\"withdrawn\","
	        "\"principal\":\"token:amy\",\"reason\":\"a test\",\"service\":\"web\","
	        "\"shared_vips\":\"shutdown\",\"step\":4,\"target\":\"site\",\"to_ppm\":250000,\"until_ms\":%lld}",
	        (long long)op.created_ms, op.epoch, (long long)op.write.from_ms,
	        (unsigned long long)op.stamp, (long long)MODEL_TIME_NEVER);
	assert_string_equal(text, expected);
	free(text);
	json_decref(json);
	make_write(3, 100000); /* an earlier one: it changes nothing */
	assert_int_equal(operations_put(&this_node, &op, 2), 0);
	assert_int_equal(find_step()->to_ppm, 250000);
}

/* A person has ended it since; a record that is read again must not bring it back. */
static void what_is_over_makes_no_override_again(void **state)
{
	(void)state;
	op.state = OPERATION_ABORTED;
	make_write(4, 250000);
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	assert_null(find_step());
	op.state = OPERATION_MOVING;
	assert_int_equal(operations_put(&this_node, &op, 2), 0);
	op.state = OPERATION_ABORTED; /* but one that is there follows to the end */
	make_write(5, 0);
	op.write.ended = true;
	assert_int_equal(operations_put(&this_node, &op, 3), 0);
	assert_true(find_step()->ended);
}

static void what_a_persons_command_ended_writes_nothing(void **state)
{
	(void)state;
	make_write(4, 250000);
	snprintf(op.hold.code, sizeof(op.hold.code), "command");
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	assert_null(find_step());
}

/* At a node that its owner did not reach: the record comes by the store, and says nothing of the command. */
static void what_a_person_has_ordered_since_is_not_written_over(void **state)
{
	struct override o;

	(void)state;
	make_write(4, 250000);
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	o = *find_step();
	override_leave_operation(&o, op.stamp + 1);
	override_keep_level(&o, 0, clock_believed_ms());
	assert_int_equal(intent_merge(this_node.intent, &o, 1, clock_believed_ms()), 1);
	for (int i = 0; i < 2; i++) { /* also after a start, when the list has nothing of before */
		op.epoch = op.write.epoch = 1000;
		op.write.step++;
		assert_int_equal(operations_put(&this_node, &op, 2 + i), 0);
		assert_int_equal(find_step()->to_ppm, 0);
		assert_true(find_step()->generation == op.stamp + 1);
		while (this_node.operations->n)
			drop_item(this_node.operations, 0);
	}
	op.stamp = o.generation + 1; /* one that began after it */
	assert_int_equal(operations_put(&this_node, &op, 9), 0);
	assert_int_equal(find_step()->to_ppm, 250000);
}

/* Whatever the store says: it must make an override. */
static void a_record_that_makes_no_override_writes_nothing(void **state)
{
	(void)state;
	make_write(4, 250000);
	op.write.to_ppm = MODEL_PPM_ALL + 1;
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	assert_null(find_step());
	op.write.to_ppm = 250000;
	assert_int_equal(operations_put(&this_node, &op, 2), 0);
	assert_non_null(find_step());
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(measurements_are_as_old_as_the_question),
		TEST(no_answer_says_nothing_but_that_it_refuses),
		TEST(an_answer_counts_for_its_time),
		TEST(a_drain_that_is_held_holds_its_whole_site),
		TEST(only_what_weir_dns_has_is_in_force),
		TEST(a_persons_command_is_told_whatever_it_is),
		TEST(a_record_that_was_replaced_is_another),
		TEST(rounds_are_as_frequent_as_they_must_be),
		TEST(what_is_over_is_neither_run_nor_in_the_way),
		TEST(a_peer_passes_on_each_order_but_one),
		TEST(a_redirect_goes_where_it_was_ordered),
		TEST(who_has_no_address_is_not_asked),
		TEST(a_round_without_a_change_writes_nothing),
		TEST(what_nodes_have_of_an_operation_is_noted),
		TEST(a_round_shows_who_is_missed_for_its_projection),
		TEST(an_order_has_its_time_by_the_owners_clock),
		TEST(an_order_is_projected_from_where_its_plan_began),
		TEST(an_owner_that_does_not_answer_gets_no_order),
		TEST(what_the_owner_says_of_an_order_arrives),
		TEST(what_sites_had_is_noted_once_for_each_plan),
		TEST(who_is_unseen_is_as_the_first_projection_says),
		TEST(since_when_nothing_is_decided_is_noted),
		TEST(a_round_is_of_the_time_since_the_last_one),
		TEST(a_write_that_is_over_ends_its_override),
		TEST(what_is_put_is_made),
		TEST(what_is_over_makes_no_override_again),
		TEST(what_a_persons_command_ended_writes_nothing),
		TEST(what_a_person_has_ordered_since_is_not_written_over),
		TEST(a_record_that_makes_no_override_writes_nothing),
	};

	return cmocka_run_group_tests_name("operations parts", tests, NULL, NULL);
}
