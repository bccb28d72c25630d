/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a node tells of the operations that it knows: which overrides they would write first, the levels of all site drains,
 * until when an override is kept, and who lost one. Several at once, so that one cannot stand for another.
 */
#include "node_operations.h"
#include "whole_json.h"

#include "mgmt/observe/levels.h"
#include "tests/unit/suite.h"

static struct operation made;

static int setup(void **state)
{
	(void)node_setup(state);
	open_operations();
	core_lock(&this_node);
	return 0;
}

static int teardown(void **state)
{
	close_operations();
	core_unlock(&this_node);
	return node_teardown(state);
}

/* An operation of @p n sites, named by numbers from @p from on, that was begun @p from minutes after the first. */
static struct operation *make_record(const char *id, unsigned from, unsigned n)
{
	struct operation_target targets[OPERATION_TARGETS_MAX] = { 0 };
	char error[OPERATION_DETAIL_MAX];

	for (unsigned i = 0; i < n; i++) {
		snprintf(targets[i].site, sizeof(targets[i].site), "s%u", from + i);
		snprintf(targets[i].override_id, sizeof(targets[i].override_id), "v%u", from + i);
	}
	const struct operation_request r = { .id = id,
		                             .stamp = 1000 + from,
		                             .node = "ams-1",
		                             .kind = OPERATION_SHIFT,
		                             .targets = targets,
		                             .n_targets = n,
		                             .service = from % 2 ? "web" : "",
		                             .person.author = "jw",
		                             .person.principal = "token:otto",
		                             .person.reason = "a test",
		                             .person.goal_ppm = 100000 + from,
		                             .person.until_ms = MODEL_TIME_NEVER };
	assert_int_equal(operation_init(&made, &r, NOW_MS + (int64_t)from * 60000, error), 0);
	return &made;
}

static void put_record(const struct operation *op)
{
	assert_int_equal(operations_put(&this_node, op, 1), 0);
}

static void merge_override(const char *id, const char *site, enum model_override_kind kind,
                           bool is_step, uint64_t generation)
{
	struct override o = { .kind = kind,
		              .target = MODEL_TARGET_SITE,
		              .generation = generation,
		              .created_ms = NOW_MS,
		              .from_ms = clock_believed_ms() - 1000,
		              .until_ms = MODEL_TIME_NEVER,
		              .author = "jw",
		              .reason = "a test",
		              .node = "fra-1" };

	snprintf(o.id, sizeof(o.id), "%s", id);
	snprintf(o.name, sizeof(o.name), "%s", site);
	if (is_step) {
		snprintf(o.operation, sizeof(o.operation), "o7");
		o.is_step = true;
		o.epoch = 64;
		o.step = 3;
		o.from_ppm = o.to_ppm = 250000;
	}
	assert_true(override_ok(&o));
	assert_int_equal(intent_merge(this_node.intent, &o, 1, clock_believed_ms()), 1);
}

/* --- what is not written yet --- */

static void each_target_without_an_override_is_listed_as_it_would_be_written(void **state)
{
	struct override list[OPERATIONS_UNWRITTEN_MAX];
	static const struct {
		const char *id, *name, *service, *operation;
		uint64_t generation;
		uint32_t to_ppm;
	} rows[] = {
		{ "v7", "s7", "web", "o7", 1007, 100007 },
		{ "v9", "s9", "web", "o7", 1007, 100007 },
		{ "v4", "s4", "", "o4", 1004, 100004 },
	};

	(void)state;
	put_record(make_record("o7", 7, 3));
	merge_override("v8", "s8", MODEL_OVERRIDE_DRAIN, true, 500);
	put_record(make_record("o4", 4, 1));
	make_record("o2", 2, 2)->state = OPERATION_DONE;
	put_record(&made);
	assert_int_equal(operations_list_unwritten(&this_node, list), 3);
	for (size_t i = 0; i < 3; i++) {
		const struct override *o = &list[i];
		int64_t created_ms = NOW_MS + (int64_t)(rows[i].generation - 1000) * 60000;
		struct override whole = { .kind = MODEL_OVERRIDE_DRAIN,
			                  .target = MODEL_TARGET_SITE,
			                  .generation = rows[i].generation,
			                  .epoch = made.epoch,
			                  .created_ms = created_ms,
			                  .from_ms = created_ms,
			                  .until_ms = MODEL_TIME_NEVER,
			                  .is_step = true,
			                  .to_ppm = rows[i].to_ppm };

		assert_string_equal(o->id, rows[i].id);
		assert_string_equal(o->name, rows[i].name);
		assert_string_equal(o->service, rows[i].service);
		assert_string_equal(o->operation, rows[i].operation);
		assert_string_equal(o->author, "jw");
		assert_true(o->kind == whole.kind && o->target == whole.target &&
		            o->generation == whole.generation && o->prior == 0 &&
		            o->epoch == whole.epoch && o->step == 0 && o->epoch > 0);
		assert_true(o->created_ms == whole.created_ms && o->from_ms == whole.from_ms &&
		            o->over_ms == 0 && o->until_ms == whole.until_ms);
		assert_true(o->is_step && !o->ended && o->from_ppm == 0 &&
		            o->to_ppm == whole.to_ppm);
	}
}

static void no_more_are_listed_than_there_is_room_for(void **state)
{
	struct override list[OPERATIONS_UNWRITTEN_MAX + 1];

	(void)state;
	memset(list, 0, sizeof(list));
	put_record(make_record("o10", 10, 8));
	put_record(make_record("o20", 20, 7));
	assert_int_equal(operations_list_unwritten(&this_node, list), 15);
	put_record(make_record("o30", 30, 8));
	assert_int_equal(operations_list_unwritten(&this_node, list), OPERATIONS_UNWRITTEN_MAX);
	assert_string_equal(list[OPERATIONS_UNWRITTEN_MAX].id, "");
	assert_string_equal(list[OPERATIONS_UNWRITTEN_MAX - 1].id, "v10");
}

/* --- levels --- */

/* A drain of a node and a drill: neither has a level that name servers follow. */
static void merge_others(void)
{
	struct override others[] = {
		{ .id = "e1",
		  .target = MODEL_TARGET_NODE,
		  .name = "ams-1",
		  .until_ms = MODEL_TIME_NEVER },
		{ .id = "f1",
		  .kind = MODEL_OVERRIDE_DRILL,
		  .target = MODEL_TARGET_SITE,
		  .name = "ams",
		  .until_ms = clock_believed_ms() + 3600000 },
	};

	assert_int_equal(prefix_parse("192.0.2.0/24", &others[1].clients), 0);
	for (size_t i = 0; i < 2; i++) {
		others[i].generation = 505 + i;
		others[i].created_ms = NOW_MS;
		others[i].from_ms = clock_believed_ms() - 1000;
		assert_true(override_ok(&others[i]));
		assert_int_equal(intent_merge(this_node.intent, &others[i], 1, clock_believed_ms()),
		                 1);
	}
}

static void a_level_is_that_of_the_name_server_or_not_known(void **state)
{
	struct ramp_levels levels = { .n = 2 };

	(void)state;
	merge_override("a1", "ams", MODEL_OVERRIDE_DRAIN, true, 501);
	merge_override("b1", "fra", MODEL_OVERRIDE_DRAIN, false, 502);
	merge_override("c1", "fra", MODEL_OVERRIDE_DRAIN, true, 503);
	merge_override("d1", "lon", MODEL_OVERRIDE_DISABLE, false, 504);
	merge_others();
#define CHANGE(generation, epoch, step)                                                            \
	"'in_force':{'generation':" generation ",'epoch':" epoch ",'step':" step "}"
	expect_whole("where it does not run, the document's",
	             operations_levels_json(&this_node, NULL),
	             "[{'override':'a1','site':'ams'," CHANGE(
	                     "501", "64",
	                     "3") ",'level_ppm':250000},"
	                          "{'override':'b1','site':'fra'," CHANGE(
	                                  "502", "0",
	                                  "0") ",'level_ppm':1000000},"
	                                       "{'override':'c1','site':'fra'," CHANGE(
	                                               "503", "64",
	                                               "3") ",'level_ppm':250000},"
	                                                    "{'override':'d1','site':'lon'," CHANGE(
	                                                            "504", "0",
	                                                            "0") ",'level_ppm':1000000}]");
	levels.items[0] = (struct ramp_record){ .id = "c1",
		                                .generation = 499,
		                                .epoch = 65,
		                                .step = 4,
		                                .level_ppm = 123,
		                                .longest_ttl_s = 17,
		                                .arrived = false };
	levels.items[1] = (struct ramp_record){ .id = "d1",
		                                .generation = 498,
		                                .epoch = 66,
		                                .step = 5,
		                                .level_ppm = 124,
		                                .longest_ttl_s = 18,
		                                .arrived = true };
	expect_whole("what it tells", operations_levels_json(&this_node, &levels),
	             "[{'override':'a1','site':'ams'},"
	             "{'override':'b1','site':'fra'," CHANGE(
	                     "502", "0", "0") ",'level_ppm':1000000},"
	                                      "{'override':'c1','site':'fra'," CHANGE(
	                                              "499", "65",
	                                              "4") ",'level_ppm':123},"
	                                                   "{'override':'d1','site':'lon'," CHANGE(
	                                                           "498", "66",
	                                                           "5") ",'level_ppm':124,"
	                                                                "'longest_ttl_s':18}]");
}

/* --- until when --- */

static void an_override_says_until_when_its_own_operation_keeps_it(void **state)
{
	(void)state;
	make_record("o1", 1, 1)->until_ms = NOW_MS + 3600000;
	put_record(&made);
	put_record(make_record("o2", 2, 1));
	make_record("o3", 3, 1)->until_ms = NOW_MS + 7200000;
	made.state = OPERATION_ABORTED;
	put_record(&made);
	json_t *list =
	        json_pack("[{s:s}, {s:s}, {s:s}, {s:s}, {s:n}, {}]", "operation", "o3", "operation",
	                  "o1", "operation", "o2", "operation", "o4", "operation");
	operations_add_until(&this_node, list);
	expect_whole("each in a list", list,
	             "[{'operation':'o3','operation_until':null},"
	             "{'operation':'o1','operation_until':'2026-09-21T15:13:20.000Z'},"
	             "{'operation':'o2','operation_until':null},{'operation':'o4'},"
	             "{'operation':null},{}]");
	json_t *one = json_pack("{s:s}", "operation", "o1");
	operations_add_until(&this_node, one);
	expect_whole("one alone", one,
	             "{'operation':'o1','operation_until':'2026-09-21T15:13:20.000Z'}");
}

/* --- the list --- */

static void a_site_has_the_operation_that_is_not_over(void **state)
{
	(void)state;
	make_record("o5", 5, 2)->state = OPERATION_DONE;
	put_record(&made);
	put_record(make_record("o4", 4, 2)); /* s4, s5 */
	put_record(make_record("o7", 7, 1));
	assert_string_equal(operations_of_site(&this_node, "s5")->op.id, "o4");
	assert_string_equal(operations_of_site(&this_node, "s7")->op.id, "o7");
	assert_null(operations_of_site(&this_node, "s6"));
	assert_null(operations_of_site(&this_node, "s"));
	assert_string_equal(operations_at(&this_node, 0)->op.id, "o7");
	assert_string_equal(operations_at(&this_node, 2)->op.id, "o4");
	assert_null(operations_at(&this_node, 3));
}

static void a_stamp_is_later_than_all_that_is_known_of_its_sites(void **state)
{
	const uint64_t ahead = (uint64_t)(clock_believed_ms() + 60000) << 11;
	static const struct {
		const char *why;
		struct operation_target targets[2];
		size_t n;
		int later; /* than `ahead`; -1: earlier */
	} rows[] = {
		{ "neither", { { .site = "s1" }, { .site = "s6" } }, 2, -1 },
		{ "the first", { { .site = "s3" }, { .site = "s6" } }, 2, 1 },
		{ "the second", { { .site = "s6" }, { .site = "s3" } }, 2, 1 },
		{ "the second is left out", { { .site = "s6" }, { .site = "s3" } }, 1, -1 },
		{ "the later of both", { { .site = "s3" }, { .site = "s5" } }, 2, 6 },
		{ "in any order", { { .site = "s5" }, { .site = "s3" } }, 2, 6 },
		{ "also one that is over", { { .site = "s5" }, { .site = "s6" } }, 2, 6 },
	};

	(void)state;
	put_record(make_record("o1", 1, 1));
	make_record("o3", 3, 1)->stamp = ahead;
	put_record(&made);
	make_record("o5", 5, 1)->stamp = ahead + 5;
	made.state = OPERATION_DONE;
	put_record(&made);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t stamp = operations_next_stamp(&this_node, rows[i].targets, rows[i].n,
		                                       clock_believed_ms());

		if (rows[i].later < 0 ? stamp >= ahead : stamp != ahead + (uint64_t)rows[i].later)
			fail_msg("%s: %lld", rows[i].why, (long long)(stamp - ahead));
	}
}

/* The last event of an operation; "": there is none. */
static const char *last_message(void)
{
	struct journal *j = intent_journal(this_node.intent);

	for (uint64_t id = journal_last(j); id && id >= journal_oldest(j); id--) {
		const struct event *e = journal_find(j, id);

		if (e && !strcmp(e->kind, "operation"))
			return e->message;
	}
	return "";
}

static void who_loses_an_operation_tells_who_has_it(void **state)
{
	static const struct {
		const char *why, *was, *now;
		bool over, is_told;
	} rows[] = {
		{ "another had it", "fra-1", "lon-1", false, false },
		{ "nobody had it", "", "fra-1", false, false },
		{ "this node goes on", "ams-1", "ams-1", false, false },
		{ "it comes here", "fra-1", "ams-1", false, false },
		{ "it was over", "ams-1", "fra-1", true, false },
		{ "this node lost it", "ams-1", "fra-1", false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char id[8];

		snprintf(id, sizeof(id), "o%zu", i);
		make_record(id, 1, 1);
		snprintf(made.owner, sizeof(made.owner), "%s", rows[i].was);
		made.state = rows[i].over ? OPERATION_DONE : OPERATION_MOVING;
		made.level_ppm = 250000;
		put_record(&made);
		operations_find(&this_node, id)->ticked_ms = 9;
		snprintf(made.owner, sizeof(made.owner), "%s", rows[i].now);
		made.epoch += 64;
		made.level_ppm = 500000;
		put_record(&made);
		assert_int_equal(operations_find(&this_node, id)->ticked_ms, 0);
		if (*last_message() && !rows[i].is_told)
			fail_msg("%s: %s", rows[i].why, last_message());
	}
	assert_string_equal(last_message(), "node fra-1 owns it now, epoch 128; this node had it "
	                                    "in epoch 64: moving at 25%");
	operations_find(&this_node, "o5")->ticked_ms = 9;
	made.level_ppm++;
	put_record(&made); /* of the same owner and epoch: its engine goes on */
	assert_int_equal(operations_find(&this_node, "o5")->ticked_ms, 9);
}

SUITE(operations_known)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_target_without_an_override_is_listed_as_it_would_be_written),
		TEST(no_more_are_listed_than_there_is_room_for),
		TEST(a_level_is_that_of_the_name_server_or_not_known),
		TEST(an_override_says_until_when_its_own_operation_keeps_it),
		TEST(a_site_has_the_operation_that_is_not_over),
		TEST(a_stamp_is_later_than_all_that_is_known_of_its_sites),
		TEST(who_loses_an_operation_tells_who_has_it),
	};

	return cmocka_run_group_tests_name("operations known", tests, NULL, NULL);
}
