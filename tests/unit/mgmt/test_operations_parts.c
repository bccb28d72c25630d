/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an owner knows of other nodes and does: for how long an answer counts, which level is in force, and how it writes what
 * its engine says. Time and peers are the test's, and the thread that runs operations is the product's own.
 */
#include "node_operations.h"
#include "made_operation.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "told_curl.h"
#include "whole_json.h"

#include "measured_page.h"
#include "mgmt/api/handle.h"
#include "mgmt/controller/operation_decide.h"
#include "mgmt/controller/operation_order.h"
#include "mgmt/controller/operation_snapshot.h"
#include "mgmt/controller/operations_run.h"
#include "mgmt/overrides/override.h"
#include "mgmt/peers/keys_gather.h"
#include "mgmt/store/records.h"
#include "weir/steer_keys.h"

#define LOOK_MS 250 /* between two looks of the thread */
#define FRA     "https://198.51.100.1:8443"

static struct operation op;

static void pass_ms(uint64_t ms)
{
	told_ms += ms;
	told_wall_ms += (int64_t)ms;
}

/* --- the thread --- */

static struct {
	unsigned left;       /* looks until it ends */
	uint64_t ran_ms[64]; /* when its rounds were */
	size_t n_ran;
	void (*between)(unsigned left); /* two looks; under the lock */
} looks;

/* The thread waits for its next look. */
static int own_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                      const struct timespec *at)
{
	uint64_t ran_ms = this_node.operations->ran_ms;

	(void)c;
	(void)m;
	(void)at;
	if (ran_ms && (!looks.n_ran || looks.ran_ms[looks.n_ran - 1] != ran_ms))
		looks.ran_ms[looks.n_ran++] = ran_ms;
	n_asked = 0;
	looks.left--;
	if (looks.between)
		looks.between(looks.left);
	if (!looks.left)
		this_node.stopping = true;
	else
		pass_ms(LOOK_MS);
	return ETIMEDOUT;
}

/* Let the thread look @p n times at what the store has; then its list is there until end_looks(). */
static void begin_looks(unsigned n, void (*between)(unsigned left))
{
	memset(&looks, 0, sizeof(looks));
	looks.left = n;
	looks.between = between;
	close_operations();
	assert_int_equal(operations_start(&this_node), 0);
	for (bool is_over = false; !is_over; usleep(100)) {
		core_lock(&this_node);
		is_over = this_node.stopping;
		core_unlock(&this_node);
	}
}

static void end_looks(void)
{
	operations_stop(&this_node);
	this_node.stopping = false;
	open_operations();
}

/* --- */

static int setup(void **state)
{
	(void)state;
	told_ms = 1000000;
	told_wall_ms = NOW_MS;
	told_takes_ms = 0;
	told_rows = NULL;
	n_asked = 0;
	node_make();
	node_configure("driver = \"auto\";", "driver = \"auto\"; clock = \"trusted\";");
	fixture_write(node_place.conf, "peer.token", "0123456789012345678901234567890123456789\n");
	node_open(NOW_MS);
	open_operations();
	make_operation(&op, "o1", "ams-1", NOW_MS);
	return 0;
}

static int teardown(void **state)
{
	close_operations();
	return node_teardown(state);
}

/* Open the node again, with an address of fra-1: it is not alone then, and decides nothing by itself. */
static void give_peer_an_address(void)
{
	close_operations();
	node_close();
	assert_int_equal(files_remove_dir(node_place.state), 0);
	assert_int_equal(mkdir(node_place.state, 0755), 0);
	node_configure("driver = \"xdp\";", "driver = \"xdp\"; api = \"" FRA "\";");
	node_open(NOW_MS);
	open_operations();
}

/* For a further row: a node that knows nothing of the last one. */
static void begin_anew(void **state)
{
	assert_int_equal(teardown(state) + setup(state), 0);
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

/* The same in the store, for the thread; each with a site of its own. */
static void store_record(const char *id, const char *owner, enum operation_state state)
{
	char reason[ETCD_REASON_MAX];

	snprintf(op.id, sizeof(op.id), "%s", id);
	snprintf(op.owner, sizeof(op.owner), "%s", owner);
	snprintf(op.hold.code, sizeof(op.hold.code), "%s", state == OPERATION_HELD ? "person" : "");
	op.state = state;
	op.created_ms++;
	if (operation_decide(&this_node, NULL, &op, false, reason) != OPERATION_DECIDED)
		fail_msg("%s is not decided: %s", id, reason);
}

/* --- answers of peers --- */

#define SAYS(more) "{\"node\": \"fra-1\", \"cluster\": \"shop\", \"levels\": []" more "}"

static void ask_peers(const char *answer, long status, bool measure)
{
	struct peer_client client = { .multi = NULL };
	const struct told_row rows[] = { { "/v1/peer/exchange operations", answer, status },
		                         { NULL, NULL, 0 } };

	told_rows = rows;
	n_asked = 0;
	operations_query(&this_node, &client, measure, NULL);
	client_close(&client);
	told_rows = NULL;
}

static void measurements_are_as_old_as_the_question(void **state)
{
	uint64_t sent_ms = told_ms;
	const struct operations_said *said;

	(void)state;
	give_peer_an_address();
	told_takes_ms = 800;
	ask_peers(SAYS(", \"dns\": true, \"measure\": {\"bits_per_s\": 5}"), 0, true);
	said = operations_said_of(&this_node, "fra-1");
	assert_non_null(said);
	assert_int_equal(said->measured_ms, sent_ms);
	assert_int_equal(said->heard_ms, sent_ms + 800);
	assert_true(said->dns && !said->refuses);
}

static void no_answer_says_nothing_but_that_it_refuses(void **state)
{
	(void)state;
	give_peer_an_address();
	for (int refuses = 0; refuses < 2; refuses++) {
		ask_peers(NULL, refuses ? 410 : 503, false);
		const struct operations_said *said = operations_said_of(&this_node, "fra-1");
		assert_true(said && !said->heard_ms && !said->levels);
		assert_int_equal(said->refuses, refuses);
	}
}

/* --- what is seen at one time --- */

static struct operation_snapshot *take_look(void)
{
	struct keys_gather *keys = keys_gather_new();

	assert_non_null(keys);
	struct operation_snapshot *v = operation_snapshot_make(&this_node, keys, NULL, NULL);

	assert_non_null(v);
	v->own_keys = keys;
	return v;
}

static void expect_counts(bool levels, bool measure)
{
	struct operation_snapshot *v = take_look();
	const struct operation_report *r = &v->reports[1];

	assert_string_equal(r->node->name, "fra-1");
	assert_int_equal(r->reached, levels);
	assert_int_equal(r->levels != NULL, levels);
	assert_int_equal(r->measure != NULL, measure);
	operation_snapshot_free(v);
}

static void an_answer_counts_for_its_time(void **state)
{
	(void)state;
	give_peer_an_address();
	ask_peers(SAYS(""), 0, false); /* it was never asked for what it measures */
	expect_counts(true, false);
	told_takes_ms = 1000;
	ask_peers(SAYS(", \"measure\": {}"), 0, true);
	pass_ms(2000);
	expect_counts(true, true);
	pass_ms(1);
	expect_counts(false, false);
	told_takes_ms = 0;
	ask_peers(SAYS(""), 0, false); /* what it measures is as old as before */
	expect_counts(true, false);
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
		forget_operations();
		op.goal_ppm = cases[i].goal_ppm;
		snprintf(op.service, sizeof(op.service), "%s", cases[i].service);
		put_record("o1", "fra-1", cases[i].at);
		struct operation_snapshot *v = take_look();

		assert_int_equal(v->n_held, cases[i].n);
		if (v->n_held)
			assert_string_equal(v->held[0].site, "ams");
		operation_snapshot_free(v);
	}
}

/* None that is over is in the way of another. */
static void what_is_over_is_no_other(void **state)
{
	(void)state;
	put_record("o1", "ams-1", OPERATION_DONE);
	put_record("o2", "ams-1", OPERATION_MOVING);
	put_record("o3", "fra-1", OPERATION_MOVING);
	put_record("o4", "fra-1", OPERATION_ABORTED);
	struct operation_snapshot *v = take_look();

	assert_int_equal(v->n_others, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(!strcmp(v->others[i].id, "o2") || !strcmp(v->others[i].id, "o3"));
	operation_snapshot_free(v);
}

/* --- levels in force --- */

/* The record writes this level. */
static void make_write(uint32_t step, uint32_t to_ppm)
{
	op.writes = step;
	op.write = (struct operation_write){ .epoch = op.epoch,
		                             .step = step,
		                             .from_ms = clock_believed_ms() - 1000,
		                             .from_ppm = to_ppm,
		                             .to_ppm = to_ppm };
}

static const struct override *find_step(void)
{
	return overrides_find(intent_overrides(this_node.intent), "v1");
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
	put_record("o1", "fra-1", OPERATION_MOVING);
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
	/* what has ended is in force nowhere, whatever weir-dns said of it last */
	make_write(3, 0);
	op.write.ended = true;
	put_record("o1", "fra-1", OPERATION_DONE);
	assert_int_equal(read_told(&levels, "generation"), op.stamp);
	assert_int_equal(read_told(&levels, "step"), 3);
	assert_int_equal(read_told(&levels, "level_ppm"), 0);
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
	put_record("o1", "fra-1", OPERATION_MOVING);
	const struct override step = *find_step();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct override o = step;

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

static void poke_thread(unsigned left)
{
	if (left == 2)
		operations_poke(&this_node);
}

static void rounds_are_as_frequent_as_they_must_be(void **state)
{
	static const struct {
		const char *why, *owner;
		enum operation_state at;
		int announced_ms; /* its next step */
		uint64_t pause_ms;
	} rows[] = {
		{ "it is over", "ams-1", OPERATION_DONE, 0, OPERATIONS_IDLE_MS },
		{ "it is another's", "fra-1", OPERATION_MOVING, 0, OPERATIONS_SLOW_MS },
		{ "it is held", "ams-1", OPERATION_HELD, 0, OPERATIONS_EVERY_MS },
		{ "a step is announced", "ams-1", OPERATION_HELD, 60000, OPERATIONS_FAST_MS },
	};

	begin_looks(50, NULL);
	assert_int_equal(looks.n_ran, 0); /* there is none */
	end_looks();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_anew(state);
		if (rows[i].announced_ms)
			make_write(1, 0);
		op.write.from_ms = clock_believed_ms() + rows[i].announced_ms;
		store_record("o1", rows[i].owner, rows[i].at);
		begin_looks(50, NULL);
		end_looks();
		for (size_t k = 1; k < looks.n_ran; k++)
			if (looks.ran_ms[k] - looks.ran_ms[k - 1] != rows[i].pause_ms)
				fail_msg("%s: %u ms", rows[i].why,
				         (unsigned)(looks.ran_ms[k] - looks.ran_ms[k - 1]));
		assert_int_equal(looks.n_ran, 49 * LOOK_MS / rows[i].pause_ms + 1);
	}
	begin_anew(state);
	store_record("o1", "ams-1", OPERATION_DONE);
	begin_looks(4, poke_thread); /* a person has given an order */
	end_looks();
	assert_int_equal(looks.n_ran, 2);
	assert_int_equal(looks.ran_ms[1] - looks.ran_ms[0], 2 * LOOK_MS);
}

/* Nothing is done for one that is over, and another's is only looked at. */
static void what_is_over_is_not_run(void **state)
{
	static const struct {
		const char *id, *owner;
		enum operation_state at;
		bool runs, is_seen;
	} rows[] = {
		{ "o1", "ams-1", OPERATION_DONE, false, false },
		{ "o2", "ams-1", OPERATION_HELD, true, true },
		{ "o3", "fra-1", OPERATION_HELD, false, true },
		{ "o4", "fra-1", OPERATION_ABORTED, false, false },
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		snprintf(op.targets[0].site, sizeof(op.targets[0].site), "s%zu", i);
		store_record(rows[i].id, rows[i].owner, rows[i].at);
	}
	begin_looks(1, NULL);
	for (size_t i = 0; i < 4; i++) {
		const struct operations_item *item = operations_find(&this_node, rows[i].id);

		print_message("  %s\n", rows[i].id);
		assert_non_null(item);
		assert_int_equal(item->judged, rows[i].runs);
		assert_int_equal(item->ticked_ms != 0, rows[i].runs);
		assert_int_equal(item->n_nodes, rows[i].is_seen ? 2 : 0);
	}
	end_looks();
}

/* Who takes an operation does so at its own node: no peer passes that on. */
static void a_peer_passes_on_each_order_but_one(void **state)
{
	static const struct {
		const char *word;
		unsigned status;
	} rows[] = { { "hold", 200 },   { "resume", 200 },  { "abort", 200 }, { "take", 400 },
		     { "return", 200 }, { "further", 200 }, { "own", 400 },   { "", 400 } };
	static const char long_id[] =
	        "o90123456789012345678901234567890123456789012345678901234567890123456789";

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_request r = { .method = "POST" };
		struct http_reply reply = { 0 };

		r.json = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s}", "id", "o9", "order",
		                   rows[i].word, "principal", "token:amy", "by_ms", 1, "author",
		                   "amy", "reason", "a test");
		handle_peer_operation_order(&this_node, &r, &reply);
		if (reply.status != rows[i].status)
			fail_msg("%s: %u", rows[i].word, reply.status);
		http_reply_fini(&reply);
		reply = (struct http_reply){ 0 };
		json_object_set_new(r.json, "id", i % 2 ? json_string(long_id) : json_integer(9));
		handle_peer_operation_order(&this_node, &r, &reply);
		assert_int_equal(reply.status, 400);
		json_decref(r.json);
		http_reply_fini(&reply);
	}
}

/* A person who goes past all guards, and names the silent node absent. */
static struct operation_person make_person(void)
{
	struct operation_person p = { .author = "amy",
		                      .principal = "token:amy",
		                      .reason = "a test",
		                      .goal_ppm = MODEL_PPM_ALL,
		                      .until_ms = MODEL_TIME_NEVER };

	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		p.overridden[g] = true;
	p.without.items[p.without.n++] = "fra-1";
	return p;
}

/* All that a person says of where it is to go arrives there. */
static void a_redirect_goes_where_it_was_ordered(void **state)
{
	struct operation_order order = { .what = OPERATION_ORDER_REDIRECT,
		                         .person = make_person() };
	struct operation_outcome out;

	(void)state;
	order.person.goal_ppm = 700000;
	order.person.over_ms = 5000;
	order.person.until_ms = MODEL_TIME_NEVER - 1;
	order.person.withdraw = true;
	op.level_ppm = 300000;
	store_record("o1", "ams-1", OPERATION_RESTING);
	operation_order_run_here(&this_node, "o1", &order, &out);
	json_decref(out.json);
	if (out.status != 200)
		fail_msg("%s", out.text);
	const struct operation *is = &operations_find(&this_node, "o1")->op;

	assert_int_equal(is->goal_ppm, 700000);
	assert_int_equal(is->over_ms, 5000);
	assert_int_equal(is->until_ms, MODEL_TIME_NEVER - 1);
	assert_true(is->withdraw);
	assert_false(is->now);
}

static void who_has_no_address_is_not_asked(void **state)
{
	(void)state;
	ask_peers(SAYS(""), 0, false);
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

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_anew(state);
		store_record("o1", rows[i].is_own ? "ams-1" : "fra-1", rows[i].at);
		int64_t before = newest_revision();

		begin_looks(1, NULL);
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
		end_looks();
	}
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
	struct operations_item *item;

	(void)state;
	op.n_without = 1;
	op.epoch = 3;
	snprintf(op.without[0], sizeof(op.without[0]), "fra-1");
	make_write(2, 250000);
	item = put_record("o1", "fra-1", OPERATION_MOVING);
	operations_watch(&this_node, "o2"); /* there is none */
	assert_int_equal(item->n_nodes, 0);
	for (int i = 0; i < 2; i++) { /* again: the same once more */
		operations_watch(&this_node, "o1");
		assert_int_equal(item->n_nodes, 2);
		expect_node(&item->nodes[0],
		            (struct operations_node){ "ams-1", true, false, true, 3, 2, 250000 });
		expect_node(&item->nodes[1], (struct operations_node){ "fra-1", .absent = true });
	}
	assert_false(item->judged); /* the owner alone judges */
	/* what is in force is of an earlier operation, which has no step of this one */
	item->op.state = OPERATION_DONE;
	op.stamp++;
	op.write = (struct operation_write){ .epoch = 0 };
	item = put_record("o3", "fra-1", OPERATION_MOVING);
	operations_watch(&this_node, "o3");
	expect_node(&item->nodes[0],
	            (struct operations_node){ "ams-1", true, false, true, 0, 0, 250000 });
}

/* Clients ask ams-1 which site they get: they are seen by its page. */
static void write_keys(void)
{
	char path[PATH_MAX];
	struct page *page;

	assert_int_equal(proc_path(node_place.root, STEER_KEYS_PAGE_FILE, path), 0);
	assert_int_equal(page_create(path, STEER_KEYS_PAGE_KIND, STEER_KEYS_PAGE_LAYOUT,
	                             sizeof(struct steer_keys_page), &page),
	                 0);
	struct steer_keys_page *p = page_payload(page);
	uint32_t odd = page_rows_begin(&p->seq);

	p->covered_s = 60;
	p->n_keys = p->n_names = 1; /* clients of the first prefix */
	p->keys[0] = (struct steer_key){ .key = { 4, 198, 51, 100 },
		                         .name = steer_keys_name_id("www.shop.example"),
		                         .queries = 1000 };
	p->names[0] = (struct steer_keys_name){ .name = p->keys[0].name, .queries = 1000 };
	page_rows_end(&p->seq, odd);
	page_alive(page, told_ms);
	page_close(page);
}

/* What is shown of a round is by what was projected in it: here that it could not be, and why. */
static void a_round_shows_who_is_missed_for_its_projection(void **state)
{
	static const struct {
		const char *why;
		bool has_keys, is_absent;
		const char *unheard;
	} rows[] = {
		{ "nobody has said who asks it", false, false, "ams-1" },
		{ "the second has not", true, false, "fra-1" },
		{ "it is named absent", true, true, "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_anew(state);
		if (rows[i].has_keys)
			write_keys();
		op.n_without = rows[i].is_absent;
		snprintf(op.without[0], sizeof(op.without[0]), "fra-1");
		store_record("o1", "ams-1", OPERATION_HELD);
		begin_looks(1, NULL);
		const json_t *outlook = operations_find(&this_node, "o1")->outlook;
		const char *unheard = json_string_value(json_object_get(outlook, "unheard"));

		print_message("  %s\n", rows[i].why);
		assert_non_null(outlook);
		assert_string_equal(unheard ? unheard : "", rows[i].unheard);
		end_looks();
	}
}

/* --- an order that is passed on --- */

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
	static const struct told_row rows[] = {
		{ "/v1/peer/exchange order", "{\"status\": 200, \"json\": {\"id\": \"o1\"}}", 0 },
		{ "/v1/peer/exchange operations",
		  "{\"node\": \"fra-1\", \"cluster\": \"shop\", \"levels\": [], \"boot_ms\": 7000000000}",
		  0 },
		{ NULL, NULL, 0 }
	};
	struct operation_outcome out;

	(void)state;
	give_peer_an_address();
	put_record("o1", "fra-1", OPERATION_MOVING);
	told_takes_ms = 40; /* which are not the owner's */
	told_rows = rows;
	told_takes_ms = 40; /* which are not the owner's */
	operation_order_run(&this_node, "o1", &held, &out);
	assert_int_equal(out.status, 200);
	expect_whole("the owner's answer", out.json, "{'id':'o1'}");
	assert_int_equal(n_asked, 2);
	assert_string_equal(asked[1].url, FRA "/v1/peer/exchange order");
	json_t *body = json_loads(asked[1].body, 0, NULL);
	json_int_t by_ms = json_integer_value(json_object_get(body, "by_ms"));

	assert_int_equal(by_ms, 7000004500);
	json_object_del(body, "by_ms");
	expect_whole("the order", body,
	             "{'principal':'token:amy','now':false,'over_ms':0,'goal_ppm':0,'until_ms':0,"
	             "'withdraw':false,'reason':'a test','author':'amy','override_guards':[],"
	             "'without':[],'id':'o1','order':'hold','node':'ams-1','cluster':'shop',"
	             "'query':'order'}");
}

/* Without its clock there is no time until which it may. */
static void an_owner_that_does_not_answer_gets_no_order(void **state)
{
	static const struct {
		const char *why, *answer;
	} rows[] = {
		{ "it is silent, and was not", NULL },
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
		const struct told_row answers[] = {
			{ "/v1/peer/exchange operations", rows[i].answer, 503 }, { NULL, NULL, 0 }
		};

		ask_peers(SAYS(", \"boot_ms\": 5"), 0, false);
		pass_ms(1);
		print_message("  %s\n", rows[i].why);
		told_rows = answers;
		n_asked = 0;
		operation_order_run(&this_node, "o1", &held, &out);
		told_rows = NULL;
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
		  "node fra-1 owns operation o1 and has not answered (HTTP status 503): it carries the order out "
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
		const struct told_row answers[] = {
			{ "/v1/peer/exchange order", said, 503 },
			{ "/v1/peer/exchange operations",
			  "{\"node\": \"fra-1\", \"cluster\": \"shop\", \"levels\": [], \"boot_ms\": 5}",
			  0 },
			{ NULL, NULL, 0 }
		};

		print_message("  %s\n", rows[i].said ? rows[i].said : "no answer");
		told_rows = answers;
		n_asked = 0;
		operation_order_run(&this_node, "o1", &held, &out);
		told_rows = NULL;
		expect_outcome(&out, rows[i].status, rows[i].code, rows[i].text);
		if (rows[i].json)
			expect_whole("what is added", out.json, rows[i].json);
		else
			assert_null(out.json);
		free(said);
	}
}

/* Who gave it has been told that it failed. */
static void an_order_that_is_late_changes_nothing(void **state)
{
	struct operation_order order = held;
	struct operation_outcome out;

	(void)state;
	store_record("o1", "ams-1", OPERATION_MOVING);
	order.by_ms = told_ms - 1;
	operation_order_run_here(&this_node, "o1", &order, &out);
	expect_outcome(&out, 503, "busy", "the owner took too long to decide: nothing was changed");
	assert_int_equal(operations_find(&this_node, "o1")->op.state, OPERATION_MOVING);
	order.by_ms++;
	operation_order_run_here(&this_node, "o1", &order, &out);
	assert_int_equal(out.status, 200);
	assert_int_equal(operations_find(&this_node, "o1")->op.state, OPERATION_HELD);
	json_decref(out.json);
}

/* --- a round of the engine --- */

static const char *const prefixes[] = { "198.51.100.0/24", "192.0.2.0/24" };

/* New flows of web at ams, this node's own site; of a thousand, @p unseen are from the second prefix. */
static void measure_flows_from(uint64_t per_s, uint64_t unseen)
{
	struct page *page;
	struct measure_page *p = measured_page_web(node_place.root, per_s, &page);

	for (size_t i = 0; i < 2; i++) {
		uint64_t n = i ? unseen : 1000 - unseen;
		struct measure_source *s = &measure_page_sources(p)[i];

		*s = (struct measure_source){ .service = hash_text("web"),
			                      .flows = n,
			                      .sampled = (uint32_t)n,
			                      .last_ms = told_ms };
		assert_int_equal(prefix_parse(prefixes[i], &s->prefix), 0);
	}
	p->node.n_sources = 2;
	page_alive(page, told_ms + 60000);
	page_close(page);
}

static void measure_flows(uint64_t per_s)
{
	measure_flows_from(per_s, 500);
}

static const struct {
	const char *why;
	enum operation_way way;
	uint32_t from_ppm;
	uint64_t noted; /* rate that is kept */
} plans[] = {
	{ "the first", OPERATION_OUT, 0, 100 },
	{ "the same plan", OPERATION_OUT, 0, 100 },
	{ "from another level", OPERATION_OUT, 250000, 102 },
	{ "the same again", OPERATION_OUT, 250000, 102 },
	{ "the other way", OPERATION_BACK, 250000, 104 },
	{ "the same again", OPERATION_BACK, 250000, 104 },
};
static uint64_t noted[6];

/* Of each plan, the flows that are kept; then the next one, with other flows. Looks are four to a round. */
static void next_plan(unsigned left)
{
	struct operations_item *item = operations_find(&this_node, "o1");
	size_t i = 5 - left / 4;

	if (left % 4)
		return;
	noted[i] = item->begin && item->begin->n ? item->begin->rows[0].per_s : 0;
	if (i == 5)
		return;
	measure_flows(101 + i);
	item->op.way = plans[i + 1].way;
	item->op.plan_from_ppm = plans[i + 1].from_ppm;
}

static void what_sites_had_is_noted_once_for_each_plan(void **state)
{
	(void)state;
	measure_flows(100);
	store_record("o1", "ams-1", OPERATION_HELD);
	begin_looks(21, next_plan);
	end_looks();
	for (size_t i = 0; i < 6; i++)
		if (noted[i] != plans[i].noted)
			fail_msg("%s: %u", plans[i].why, (unsigned)noted[i]);
}

static struct operation_value unseen_ppm[3];
static bool is_fixed[3];
static unsigned first_unseen; /* of a thousand clients, in the second round */

/* In the first of three rounds nobody has said who asks for names; in the third the clients are others. */
static void note_unseen(unsigned left)
{
	const struct operations_item *item = operations_find(&this_node, "o1");
	unsigned round = 2 - left / 4;

	if (left % 4)
		return;
	assert_non_null(item->begin);
	unseen_ppm[round] = item->begin->unseen_ppm;
	is_fixed[round] = item->begin->unseen_fixed;
	write_keys();
	measure_flows_from(100, round ? 900 : first_unseen);
}

static void who_is_unseen_is_as_the_first_projection_says(void **state)
{
	for (first_unseen = 300; first_unseen <= 700; first_unseen += 400) {
		begin_anew(state);
		measure_flows_from(100, 100);
		op.n_without = 1;
		snprintf(op.without[0], sizeof(op.without[0]), "fra-1");
		op.hold.from = OPERATION_MOVING;
		store_record("o1", "ams-1", OPERATION_HELD);
		begin_looks(9, note_unseen);
		end_looks();
		assert_false(is_fixed[0]); /* nothing was projected */
		for (size_t i = 1; i < 3; i++) {
			assert_true(is_fixed[i] && unseen_ppm[i].known);
			assert_int_equal(unseen_ppm[i].value, 1000 * first_unseen);
		}
	}
}

static uint64_t undecided_ms[4]; /* after each of four rounds */

/* It wants to move in each round, and its record cannot be read before the last. */
static void note_undecided(unsigned left)
{
	struct operations_item *item = operations_find(&this_node, "o1");

	if (left % 4)
		return;
	undecided_ms[3 - left / 4] = item->undecided_ms;
	if (left == 12)
		item->op.state = OPERATION_STARTING;
	item->unread = left > 4;
}

/* What the list says of how long nothing was decided counts from the first refusal on. */
static void since_when_nothing_is_decided_is_noted(void **state)
{
	(void)state;
	store_record("o1", "ams-1", OPERATION_HELD);
	begin_looks(13, note_undecided);
	end_looks();
	assert_int_equal(undecided_ms[0], 0);
	assert_int_equal(undecided_ms[1], looks.ran_ms[1]);
	assert_int_equal(undecided_ms[2], looks.ran_ms[1]);
	assert_int_equal(undecided_ms[3], 0);
}

/* The engine gets the time since its last round here; what it says is in the journal, and the guards' verdicts are shown. */
static void a_round_is_of_the_time_since_the_last_one(void **state)
{
	static const struct {
		enum operation_state at;
		unsigned rounds;
		const char *event;
	} rows[] = {
		{ OPERATION_HELD, 1, NULL },
		{ OPERATION_HELD, 2, NULL },
		{ OPERATION_STARTING, 1,
		  "held by majority: 1 of 2 nodes are reached, which is no majority" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin_anew(state);
		store_record("o1", "ams-1", rows[i].at);
		const struct journal *j = intent_journal(this_node.intent);
		uint64_t events = journal_last(j);

		begin_looks(4 * rows[i].rounds - 3, NULL);
		const struct operations_item *item = operations_find(&this_node, "o1");
		const struct event *e = journal_find(j, journal_last(j));

		assert_int_equal(looks.n_ran, rows[i].rounds);
		if (rows[i].at == OPERATION_HELD)
			assert_int_equal(item->op.state_ms, (rows[i].rounds - 1) * 1000);
		assert_int_equal(item->ticked_ms, told_ms);
		assert_int_equal(item->undecided_ms, 0);
		assert_true(item->judged);
		assert_int_equal(operation_tripped(item->verdicts)->guard,
		                 OPERATION_GUARD_MAJORITY);
		assert_string_equal(operation_tripped(item->verdicts)->detail,
		                    "1 of 2 nodes are reached, which is no majority");
		assert_int_equal(item->deciding, 1); /* the site that stays */
		assert_int_equal(journal_last(j) > events, rows[i].event != NULL);
		if (rows[i].event) {
			assert_string_equal(e->kind, "operation");
			assert_string_equal(e->subject, "o1");
			assert_string_equal(e->message, rows[i].event);
		}
		end_looks();
	}
}

/* --- what is written --- */

static void a_write_that_is_over_ends_its_override(void **state)
{
	(void)state;
	make_write(4, 0);
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	assert_true(!find_step()->ended && find_step()->until_ms == MODEL_TIME_NEVER);
	op.write.step++;
	op.write.ended = true;
	assert_int_equal(operations_put(&this_node, &op, 2), 0);
	assert_true(find_step()->ended && find_step()->until_ms == op.write.from_ms);
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
		forget_operations();
	}
	op.stamp = o.generation + 1; /* one that began after it */
	assert_int_equal(operations_put(&this_node, &op, 9), 0);
	assert_int_equal(find_step()->to_ppm, 250000);
}

/* The command is an override of its own beside the step, which stays as it is. */
static void a_person_who_drains_the_target_since_stops_its_steps(void **state)
{
	struct override o;

	(void)state;
	make_write(4, 250000);
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	o = *find_step();
	override_leave_operation(&o, op.stamp + 1);
	snprintf(o.id, sizeof(o.id), "p1");
	assert_int_equal(intent_merge(this_node.intent, &o, 1, clock_believed_ms()), 1);
	make_write(5, 500000);
	assert_int_equal(operations_put(&this_node, &op, 2), 0);
	assert_int_equal(find_step()->to_ppm, 250000);
	op.stamp = o.generation + 1; /* one that began after it */
	assert_int_equal(operations_put(&this_node, &op, 3), 0);
	assert_int_equal(find_step()->to_ppm, 500000);
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

SUITE(operations_parts)
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
		TEST(what_is_over_is_no_other),
		TEST(what_is_over_is_not_run),
		TEST(a_peer_passes_on_each_order_but_one),
		TEST(a_redirect_goes_where_it_was_ordered),
		TEST(who_has_no_address_is_not_asked),
		TEST(a_round_without_a_change_writes_nothing),
		TEST(what_nodes_have_of_an_operation_is_noted),
		TEST(a_round_shows_who_is_missed_for_its_projection),
		TEST(an_order_has_its_time_by_the_owners_clock),
		TEST(an_owner_that_does_not_answer_gets_no_order),
		TEST(what_the_owner_says_of_an_order_arrives),
		TEST(an_order_that_is_late_changes_nothing),
		TEST(what_sites_had_is_noted_once_for_each_plan),
		TEST(who_is_unseen_is_as_the_first_projection_says),
		TEST(since_when_nothing_is_decided_is_noted),
		TEST(a_round_is_of_the_time_since_the_last_one),
		TEST(a_write_that_is_over_ends_its_override),
		TEST(what_is_put_is_made),
		TEST(what_is_over_makes_no_override_again),
		TEST(what_a_persons_command_ended_writes_nothing),
		TEST(what_a_person_has_ordered_since_is_not_written_over),
		TEST(a_person_who_drains_the_target_since_stops_its_steps),
		TEST(a_record_that_makes_no_override_writes_nothing),
	};

	told_peers_begin();
	answer_pthread_cond_timedwait = own_pthread_cond_timedwait;
	return cmocka_run_group_tests_name("operations parts", tests, NULL, NULL);
}
