/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How an operation begins: where it goes on from, and that of two that are started at once only one
 * is, although both were judged before.
 */
#include "node_operations.h"

#include "mgmt/controller/operation_order.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"
#include "whole_json.h"

static struct operation_body body;
static struct operation_outcome outcome;
static void (*meanwhile)(void); /* what others do while this one waits; NULL: nothing */

static int own_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                      const struct timespec *at)
{
	if (!meanwhile)
		return __real_pthread_cond_timedwait(c, m, at);
	meanwhile();
	return 0;
}

static int setup(void **state)
{
	(void)state;
	node_make();
	node_configure("driver = \"auto\";", "driver = \"auto\"; clock = \"trusted\";");
	node_open(NOW_MS);
	open_operations();
	memset(&body, 0, sizeof(body));
	meanwhile = NULL;
	body.sites[0] = "ams";
	body.sites[1] = "fra";
	body.n_sites = 2;
	body.person = (struct operation_person){ .author = "jw",
		                                 .principal = "",
		                                 .reason = "a test",
		                                 .goal_ppm = MODEL_PPM_ALL,
		                                 .until_ms = MODEL_TIME_NEVER };
	for (int g = 0; g < OPERATION_GUARD_COUNT; g++) /* nothing is known of anybody */
		body.person.overridden[g] = true;
	body.person.without.items[body.person.without.n++] = "fra-1"; /* nor is it there */
	return 0;
}

static int teardown(void **state)
{
	close_operations();
	json_decref(outcome.json);
	memset(&outcome, 0, sizeof(outcome));
	return node_teardown(state);
}

/* A drain that was stepped to a level. */
static void merge_service_drain(const char *id, const char *site, const char *service,
                                uint64_t generation, uint32_t to_ppm)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .target = MODEL_TARGET_SITE,
		              .generation = generation,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = MODEL_TIME_NEVER,
		              .from_ppm = to_ppm,
		              .to_ppm = to_ppm,
		              .is_step = true,
		              .author = "jw",
		              .reason = "a test",
		              .node = "fra-1" };

	snprintf(o.id, sizeof(o.id), "%s", id);
	snprintf(o.name, sizeof(o.name), "%s", site);
	snprintf(o.service, sizeof(o.service), "%s", service);
	assert_true(override_ok(&o));
	core_lock(&this_node);
	assert_int_equal(intent_merge(this_node.intent, &o, 1, clock_believed_ms()), 1);
	core_unlock(&this_node);
}

static void merge_drain(const char *id, const char *site, uint64_t generation, uint32_t to_ppm)
{
	merge_service_drain(id, site, "", generation, to_ppm);
}

static unsigned begin_or_try(bool dry_run)
{
	json_decref(outcome.json);
	operation_begin(&this_node, &body, NULL, dry_run, &outcome);
	return outcome.status;
}

static unsigned begin_body(void)
{
	return begin_or_try(false);
}

/* Begin what is not refused. @return its record */
static const struct operation *begin_well(void)
{
	if (begin_body() != 201)
		fail_msg("%u: %s", outcome.status, outcome.text);
	return &operations_at(&this_node, 0)->op;
}

static void without_a_drain_it_begins_at_the_start(void **state)
{
	const struct operation *op = begin_well();

	(void)state;
	assert_int_equal(op->level_ppm, 0);
	assert_true(op->stamp >= (uint64_t)NOW_MS << 11);
	assert_string_not_equal(op->targets[0].override_id, op->targets[1].override_id);
}

/* Also than what a node made whose clock is ahead. */
static void it_is_later_than_what_it_goes_on_with(void **state)
{
	const uint64_t ahead = (uint64_t)(clock_believed_ms() + 60000) << 11;

	(void)state;
	for (int which = 0; which < 2; which++) {
		teardown(state);
		setup(state);
		merge_drain("v1", "ams", which ? ahead : 128, 250000);
		merge_drain("v2", "fra", which ? 128 : ahead, 250000);
		const struct operation *op = begin_well();

		assert_int_equal(op->stamp, ahead + 1);
		assert_int_equal(op->level_ppm, 250000);
		assert_string_equal(op->targets[0].override_id, "v1");
		assert_string_equal(op->targets[1].override_id, "v2");
	}
}

static void sites_at_different_levels_are_not_one_operation(void **state)
{
	(void)state;
	merge_drain("v1", "ams", 128, 250000);
	assert_int_equal(begin_body(), 422);
	assert_non_null(strstr(outcome.text, "different levels"));
}

/* Also the first of those that are named absent. */
static void what_is_named_must_be_there(void **state)
{
	(void)state;
	body.person.without.items[0] = "ams-9";
	assert_int_equal(begin_body(), 404);
	assert_string_equal(outcome.text, "without: there is no node ams-9");
}

/* An operation of ams and fra, or of one of them. */
static void put_other(const char *id, size_t n_sites, const char *service, enum operation_state at,
                      enum operation_state held_from)
{
	static struct operation op;
	static const struct operation_target targets[] = { { .site = "ams", .override_id = "v1" },
		                                           { .site = "fra", .override_id = "v2" } };
	const struct operation_request r = { .id = id,
		                             .stamp = 7,
		                             .node = "fra-1",
		                             .targets = targets,
		                             .n_targets = n_sites,
		                             .service = service,
		                             .person.author = "jw",
		                             .person.principal = "",
		                             .person.reason = "a test",
		                             .person.until_ms = MODEL_TIME_NEVER };
	char error[OPERATION_DETAIL_MAX];

	assert_int_equal(operation_init(&op, &r, NOW_MS, error), 0);
	op.state = at;
	op.hold.from = held_from;
	core_lock(&this_node);
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	core_unlock(&this_node);
}

#define REFUSED(is_so, state, service)                                                             \
	"site ams " is_so " by operation o9 (" state ", owner fra-1); weir operation o9 shows "    \
	"it, weir undrain site ams" service " returns it"

static void what_rests_or_returns_goes_on_with_just_its_own_sites_and_service(void **state)
{
	static const struct {
		const char *why, *refused; /* NULL: it goes on */
		size_t n_there, n_asked;
		const char *there, *asked;
		enum operation_state at, held_from;
	} rows[] = {
		{ "it rests", NULL, 2, 2, "", NULL, OPERATION_RESTING, 0 },
		{ "it returns", NULL, 2, 2, "", NULL, OPERATION_RETURNING, 0 },
		{ "its return is held", NULL, 2, 2, "", NULL, OPERATION_HELD, OPERATION_RETURNING },
		{ "of one site", NULL, 1, 1, "", NULL, OPERATION_RESTING, 0 },
		{ "of a service", NULL, 2, 2, "web", "web", OPERATION_RESTING, 0 },
		{ "it moves", REFUSED("is being moved", "moving", ""), 2, 2, "", NULL,
		  OPERATION_MOVING, 0 },
		{ "its way out is held", REFUSED("is kept as it is", "held", ""), 2, 2, "", NULL,
		  OPERATION_HELD, OPERATION_MOVING },
		{ "it is drained", REFUSED("is drained already", "drained", ""), 2, 2, "", NULL,
		  OPERATION_DRAINED, 0 },
		{ "not confirmed", REFUSED("is drained already", "drained_unconfirmed", ""), 2, 2,
		  "", NULL, OPERATION_DRAINED_UNCONFIRMED, 0 },
		{ "it is empty", REFUSED("is drained already", "empty", " --service web"), 1, 1,
		  "web", "web", OPERATION_EMPTY, 0 },
		{ "one of its sites", REFUSED("is kept as it is", "resting", ""), 2, 1, "", NULL,
		  OPERATION_RESTING, 0 },
		{ "a site more", REFUSED("is kept as it is", "resting", ""), 1, 2, "", NULL,
		  OPERATION_RESTING, 0 },
		{ "of all services", REFUSED("is kept as it is", "resting", ""), 2, 2, "", "web",
		  OPERATION_RESTING, 0 },
		{ "of one service", REFUSED("is kept as it is", "resting", " --service web"), 2, 2,
		  "web", NULL, OPERATION_RESTING, 0 },
		{ "of another service", REFUSED("is kept as it is", "resting", " --service mail"),
		  2, 2, "mail", "web", OPERATION_RESTING, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		forget_operations();
		put_other("o9", rows[i].n_there, rows[i].there, rows[i].at, rows[i].held_from);
		body.n_sites = rows[i].n_asked;
		body.service = rows[i].asked;
		print_message("  %s\n", rows[i].why);
		if (!rows[i].refused) { /* its owner is ordered to, and nobody answers */
			assert_int_equal(begin_body(), 409);
			assert_string_equal(outcome.code, "owner-unreachable");
			assert_non_null(strstr(outcome.text, "node fra-1 owns operation o9"));
			continue;
		}
		for (int dry_run = 0; dry_run < 2; dry_run++) {
			assert_int_equal(begin_or_try(dry_run), 409);
			assert_string_equal(outcome.code, "operation");
			assert_string_equal(outcome.text, rows[i].refused);
			expect_whole("which it is", json_incref(outcome.json),
			             "{'operation':'o9'}");
		}
	}
}

/* By the clock of its times, not by that of this host's start. */
static void an_operation_that_is_to_end_before_now_does_not_go_on(void **state)
{
	(void)state;
	for (int past = 0; past < 2; past++) {
		forget_operations();
		put_other("o9", 2, "", OPERATION_RESTING, 0);
		body.person.until_ms = clock_believed_ms() + (past ? -1000 : 60000);
		assert_int_equal(begin_body(), 409);
		assert_string_equal(outcome.code, past ? "operation" : "owner-unreachable");
		if (past)
			assert_string_equal(outcome.text,
			                    "operation o9 is resting: until has passed");
	}
}

/* Only a drain of the site, which is not over, and moves the same. */
static void it_goes_on_with_the_drain_of_what_it_moves(void **state)
{
	static const struct {
		const char *why;
		struct override o;
		bool goes_on;
	} rows[] = {
		{ "a drain", { .until_ms = MODEL_TIME_NEVER }, true },
		{ "of another site", { .name = "lon", .until_ms = MODEL_TIME_NEVER }, false },
		{ "which is over", { .until_ms = 2 }, false },
		{ "of a node",
		  { .target = MODEL_TARGET_NODE, .until_ms = MODEL_TIME_NEVER },
		  false },
		{ "no drain",
		  { .kind = MODEL_OVERRIDE_DISABLE, .until_ms = MODEL_TIME_NEVER },
		  false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct override o = rows[i].o;

		teardown(state);
		setup(state);
		body.n_sites = 1;
		snprintf(o.id, sizeof(o.id), "v1");
		if (!*o.name)
			snprintf(o.name, sizeof(o.name), "ams");
		o.generation = 128;
		o.created_ms = o.from_ms = 1;
		assert_true(override_ok(&o));
		core_lock(&this_node);
		assert_int_equal(intent_merge(this_node.intent, &o, 1, 1), 1); /* when it began */
		core_unlock(&this_node);
		print_message("  %s\n", rows[i].why);
		const struct operation *op = begin_well();

		assert_int_equal(!strcmp(op->targets[0].override_id, "v1"), rows[i].goes_on);
		assert_int_equal(op->level_ppm, rows[i].goes_on ? 1000000 : 0);
	}
}

/* Each service of a site is drained by an override of its own. */
static void it_goes_on_with_the_drain_of_its_service(void **state)
{
	static const struct {
		const char *asked, *id;
		uint32_t level_ppm;
	} rows[] = { { "web", "v2", 200000 }, { NULL, "v1", 100000 } };

	for (size_t i = 0; i < 2; i++) {
		teardown(state);
		setup(state);
		body.n_sites = 1;
		merge_drain("v1", "ams", 128, 100000);
		merge_service_drain("v2", "ams", "web", 129, 200000);
		body.service = rows[i].asked;
		const struct operation *op = begin_well();

		assert_string_equal(op->targets[0].override_id, rows[i].id);
		assert_int_equal(op->level_ppm, rows[i].level_ppm);
	}
}

/*
 * A drain by the clock ends by its own time, whoever goes on from it: so it is the operation's from its begin on. Its backup
 * keeps the late clients that it has.
 */
static void a_drain_by_the_clock_is_the_operations_from_its_begin_on(void **state)
{
	static const struct {
		const char *why;
		int64_t from_s, over_s, until_s; /* of now */
		uint32_t at_least_ppm, at_most_ppm;
		bool is_late;
	} rows[] = {
		{ "all are elsewhere", -7200, 0, 3600, 1000000, 1000000, true },
		{ "it rises", -3600, 7200, 86400, 499000, 510000, false },
		{ "it returns", -7200, 3600, -1800, 490000, 501000, false },
		{ "it begins later", 3600, 0, 7200, 0, 0, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t now_ms = clock_believed_ms();
		struct override o = { .id = "v1",
			              .kind = MODEL_OVERRIDE_DRAIN,
			              .target = MODEL_TARGET_SITE,
			              .name = "ams",
			              .generation = 128,
			              .created_ms = 1,
			              .over_ms = rows[i].over_s * 1000 };

		teardown(state);
		setup(state);
		print_message("  %s\n", rows[i].why);
		body.n_sites = 1;
		o.from_ms = now_ms + rows[i].from_s * 1000;
		o.until_ms = now_ms + rows[i].until_s * 1000;
		core_lock(&this_node);
		assert_int_equal(intent_merge(this_node.intent, &o, 1, now_ms), 1);
		core_unlock(&this_node);
		const struct operation *op = begin_well();

		core_lock(&this_node);
		const struct override *is =
		        overrides_find(intent_overrides(this_node.intent), "v1");

		assert_non_null(is);
		assert_string_equal(is->operation, op->id);
		assert_true(is->is_step && is->until_ms == MODEL_TIME_NEVER && !is->ended);
		assert_in_range(is->to_ppm, rows[i].at_least_ppm, rows[i].at_most_ppm);
		assert_int_equal(is->late_from_ms > 0 && is->late_from_ms < now_ms,
		                 rows[i].is_late);
		core_unlock(&this_node);
	}
}

/* What a person asks for is in the record, each in its own place. */
static void the_record_has_what_was_asked_for(void **state)
{
	const struct operation *op;

	(void)state;
	merge_service_drain("v1", "ams", "web", 128, 200000);
	merge_service_drain("v2", "fra", "web", 129, 200000);
	body.service = "web";
	body.person.principal = "token:otto";
	body.person.over_ms = 90000;
	body.person.until_ms = clock_believed_ms() + 3600000;
	body.person.now = body.person.withdraw = true;
	body.person.overridden[OPERATION_GUARD_CLOCK] = false;
	body.person.goal_ppm = 300000; /* a drain has no level of its own */
	int64_t before_ms = clock_believed_ms();
	op = begin_well();
	assert_int_equal(op->kind, OPERATION_DRAIN);
	assert_int_equal(op->goal_ppm, MODEL_PPM_ALL);
	assert_int_equal(op->level_ppm, 200000);
	assert_string_equal(op->service, "web");
	assert_string_equal(op->author, "jw");
	assert_string_equal(op->principal, "token:otto");
	assert_string_equal(op->reason, "a test");
	assert_string_equal(op->command_node, "ams-1");
	assert_string_equal(op->owner, "ams-1");
	assert_true(op->over_ms == 90000 && op->until_ms == body.person.until_ms);
	assert_true(op->now && op->withdraw);
	assert_in_range(op->created_ms, before_ms, clock_believed_ms());
	assert_int_equal(op->n_without, 1);
	assert_string_equal(op->without[0], "fra-1");
	for (int g = 0; g < OPERATION_GUARD_COUNT; g++)
		assert_int_equal(op->overridden[g], g != OPERATION_GUARD_CLOCK);
	for (size_t i = 0; i < 2; i++) {
		assert_string_equal(op->targets[i].site, body.sites[i]);
		assert_string_equal(op->targets[i].override_id, i ? "v2" : "v1");
	}
	teardown(state);
	setup(state);
	body.what = OPERATION_BODY_SHIFT;
	body.person.author = "otto";
	body.person.goal_ppm = 300000;
	op = begin_well();
	assert_int_equal(op->kind, OPERATION_SHIFT);
	assert_int_equal(op->goal_ppm, 300000);
	assert_string_equal(op->author, "otto");
	assert_true(op->until_ms == MODEL_TIME_NEVER && op->over_ms == 0);
}

static struct other {
	const char *why;
	size_t n_sites; /* ams and fra, or ams alone; 0: nothing came of it */
	enum operation_state at;
	unsigned status;
	const char *text;
} others[] = {
	{ "nothing came of it", 0, 0, 201, "" },
	{ "it is of the same sites", 2, OPERATION_MOVING, 409,
	  "site ams is being moved by operation o9 (moving, owner fra-1); weir operation "
	  "o9 shows it, weir undrain site ams returns it" },
	{ "it is of one of them", 1, OPERATION_DRAINED, 409,
	  "site ams is drained already by operation o9 (drained, owner fra-1); weir "
	  "operation o9 shows it, weir undrain site ams returns it" },
	{ "it is over", 2, OPERATION_DONE, 201, "" },
};
static const struct other *other;

/* The one that is being begun is there, or not. */
static void end_other_beginning(void)
{
	assert_true(this_node.operations->begins);
	core_unlock(&this_node);
	if (other->n_sites)
		put_other("o9", other->n_sites, "", other->at, 0);
	core_lock(&this_node);
	this_node.operations->begins = false;
}

/* One begins at a time, and whoever waits looks again at what is there then. */
static void who_waits_for_another_beginning_sees_what_came_of_it(void **state)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		teardown(state);
		setup(state);
		other = &others[i];
		print_message("  %s\n", other->why);
		if (other->n_sites == 1) { /* whichever of both it is */
			body.sites[0] = "fra";
			body.sites[1] = "ams";
		}
		this_node.operations->begins = true;
		meanwhile = end_other_beginning;
		assert_int_equal(begin_body(), other->status);
		if (*other->text)
			assert_string_equal(outcome.text, other->text);
		core_lock(&this_node);
		assert_int_equal(this_node.operations->n,
		                 (other->n_sites > 0) + (other->status == 201));
		assert_int_equal(operations_find(&this_node, "o9") != NULL, other->n_sites > 0);
		assert_false(this_node.operations->begins);
		core_unlock(&this_node);
	}
}

/* The node stops meanwhile: it waits no longer, and nothing begins. */
static void who_waits_when_the_node_stops_begins_nothing(void **state)
{
	(void)state;
	this_node.operations->begins = this_node.stopping = true;
	assert_int_equal(begin_body(), 503);
	assert_string_equal(outcome.code, "store");
	assert_string_equal(outcome.text,
	                    "the store of this node cannot keep the operation (another operation "
	                    "is being begun): nothing was changed; act by the clock (--scheduled)");
	assert_int_equal(this_node.operations->n, 0);
	assert_true(this_node.operations->begins);
}

SUITE(operation_begin)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_a_drain_it_begins_at_the_start),
		TEST(it_is_later_than_what_it_goes_on_with),
		TEST(what_is_named_must_be_there),
		TEST(sites_at_different_levels_are_not_one_operation),
		TEST(what_rests_or_returns_goes_on_with_just_its_own_sites_and_service),
		TEST(an_operation_that_is_to_end_before_now_does_not_go_on),
		TEST(it_goes_on_with_the_drain_of_what_it_moves),
		TEST(it_goes_on_with_the_drain_of_its_service),
		TEST(a_drain_by_the_clock_is_the_operations_from_its_begin_on),
		TEST(the_record_has_what_was_asked_for),
		TEST(who_waits_for_another_beginning_sees_what_came_of_it),
		TEST(who_waits_when_the_node_stops_begins_nothing),
	};

	answer_pthread_cond_timedwait = own_pthread_cond_timedwait;
	return cmocka_run_group_tests_name("operation begin", tests, NULL, NULL);
}
