/* SPDX-License-Identifier: BSD-2-Clause */
/* What a person must know of operations, word for word: held, expired, without an owner, not decided, lost. */
#include "node_operations.h"
#include "made_operation.h"
#include "whole_json.h"

#include "mgmt/controller/operations_run.h"
#include "mgmt/peers/peers_internal.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

static struct operation op;
static char stated[8192];

static int setup(void **state)
{
	(void)node_setup(state);
	assert_int_equal(stats_create(this_node.dirs.run, "mgmt", 64, &this_node.stats), 0);
	open_operations();
	this_node.peers = calloc(1, sizeof(*this_node.peers));
	assert_non_null(this_node.peers);
	core_lock(&this_node);
	make_operation(&op, "o1", "ams-1", NOW_MS);
	op.state = OPERATION_MOVING;
	return 0;
}

static int teardown(void **state)
{
	close_operations();
	free(this_node.peers);
	stats_close(this_node.stats);
	this_node.peers = NULL;
	this_node.stats = NULL;
	core_unlock(&this_node);
	return node_teardown(state);
}

/* A round: "code subject: text" of each, in lines. */
static const char *state_conditions(void)
{
	static struct conditions c;

	conditions_begin(this_node.stats, 1);
	operations_add_conditions(&this_node);
	conditions_end(this_node.stats);
	assert_int_equal(conditions_read(this_node.dirs.run, "mgmt", &c), 0);
	stated[0] = '\0';
	for (uint32_t i = 0; i < c.n; i++) {
		size_t n = strlen(stated);

		assert_int_equal(c.items[i].level, CONDITION_DEGRADED);
		snprintf(stated + n, sizeof(stated) - n, "%s%s %s: %s", i ? "\n" : "",
		         c.items[i].code, c.items[i].subject, c.items[i].text);
	}
	return stated;
}

static struct operations_item *put_record(void)
{
	assert_int_equal(operations_put(&this_node, &op, 1), 0);
	return operations_find(&this_node, op.id);
}

static void hold_record(enum operation_state state, const char *code, const char *detail)
{
	op.state = state;
	op.hold.from = OPERATION_MOVING;
	snprintf(op.hold.code, sizeof(op.hold.code), "%s", code);
	snprintf(op.hold.detail, sizeof(op.hold.detail), "%s", detail);
}

static void one_that_goes_on_states_nothing(void **state)
{
	static const enum operation_state states[] = { OPERATION_MOVING, OPERATION_RESTING,
		                                       OPERATION_RETURNING, OPERATION_DONE };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		op.state = states[i];
		put_record();
		assert_string_equal(state_conditions(), "");
	}
}

static void a_hold_states_why_and_what_ends_it(void **state)
{
	static const struct {
		enum operation_state state;
		const char *code, *waits, *stated;
		enum operation_state from;
	} rows[] = {
		{ OPERATION_HELD, "person", "x",
		  "operation-held o1: the operation on site ams is held (person): fra is full; weir "
		  "operation o1 resume --reason TEXT, or undrain the site",
		  OPERATION_LATE },
		{ OPERATION_HELD, "room", "x",
		  "operation-held o1: the operation on site ams is held (room): fra is full; weir "
		  "operation o1 resume --reason TEXT, or abort",
		  OPERATION_MOVING },
		{ OPERATION_EXPIRED_HELD, "taken", "x",
		  "operation-expired-held o1: the time of the operation on site ams is over while "
		  "it is held (taken): fra is full; return: weir operation o1 resume --reason TEXT",
		  OPERATION_MOVING },
		{ OPERATION_HELD, "owner-removed", "x",
		  "operation-held o1: the operation on site ams is held (owner-removed): fra is "
		  "full; weir operation o1 take --reason TEXT, or abort",
		  OPERATION_MOVING },
		{ OPERATION_HELD, "site-gone", "x", /* nothing else is accepted */
		  "operation-held o1: the operation on site ams is held (site-gone): fra is full; "
		  "weir operation o1 abort --reason TEXT",
		  OPERATION_DRAINED },
		{ OPERATION_HELD, "service-gone", "x",
		  "operation-held o1: the operation on site ams is held (service-gone): fra is "
		  "full; weir operation o1 abort --reason TEXT",
		  OPERATION_MOVING },
		{ OPERATION_EXPIRED_HELD, "site-gone", "x",
		  "operation-expired-held o1: the time of the operation on site ams is over while "
		  "it is held (site-gone): fra is full; weir operation o1 abort --reason TEXT",
		  OPERATION_DRAINED },
		{ OPERATION_HELD, "taken", "",
		  "operation-held o1: the operation on site ams is held (taken): fra is full, then "
		  "it goes on by itself; weir operation o1 resume --without NODE --reason TEXT, or "
		  "abort",
		  OPERATION_MOVING },
		{ OPERATION_HELD, "taken", "node fra-1 is silent",
		  "operation-held o1: the operation on site ams is held (taken): fra is full, then "
		  "it goes on by itself; now: node fra-1 is silent; weir operation o1 resume "
		  "--without NODE --reason TEXT, or abort",
		  OPERATION_MOVING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hold_record(rows[i].state, rows[i].code, "fra is full");
		snprintf(op.waits, sizeof(op.waits), "%s", rows[i].waits);
		op.hold.from = rows[i].from;
		put_record();
		assert_string_equal(state_conditions(), rows[i].stated);
	}
}

#define SILENT(owner, why)                                                                         \
	"operation-owner-silent o1: owner " owner " of the operation on site ams " why             \
	": levels stay as they are until another node owns it; at once: weir operation o1 take "   \
	"--reason TEXT"

/* The silent peer is the second of two, and each row has the other one, too. */
static void an_owner_that_cannot_go_on_is_named(void **state)
{
	static const struct {
		const char *why, *owner;
		enum peers_state peer;
		enum operation_state at;
		const char *stated;
	} rows[] = {
		{ "it answers", "fra-1", PEERS_AGREED, OPERATION_MOVING, "" },
		{ "it is behind", "fra-1", PEERS_BEHIND, OPERATION_MOVING, "" },
		{ "it does not answer", "fra-1", PEERS_UNREACHABLE, OPERATION_MOVING,
		  SILENT("fra-1", "does not answer") },
		{ "it is over", "fra-1", PEERS_UNREACHABLE, OPERATION_DONE, "" },
		{ "another is silent", "ams-1", PEERS_UNREACHABLE, OPERATION_MOVING, "" },
		{ "it has left", "lon-1", PEERS_AGREED, OPERATION_MOVING,
		  SILENT("lon-1", "is not in the configuration any more") },
	};
	struct peers *p = this_node.peers;

	(void)state;
	p->n_reports = 2;
	snprintf(p->reports[0].node, sizeof(p->reports[0].node), "par-1");
	snprintf(p->reports[1].node, sizeof(p->reports[1].node), "fra-1");
	p->reports[0].state = PEERS_AGREED;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p->reports[1].state = rows[i].peer;
		snprintf(op.owner, sizeof(op.owner), "%s", rows[i].owner);
		op.state = rows[i].at;
		put_record();
		print_message("  %s\n", rows[i].why);
		assert_string_equal(state_conditions(), rows[i].stated);
	}
}

#define WAITS(why)                                                                                 \
	"operation-waits o1: the operation on site ams begins no step, because " why               \
	"; what was decided comes into force, and it goes on by itself here or at another node. "  \
	"Without the store: weir undrain site ams --scheduled --reason TEXT"

static void one_that_the_store_keeps_back_says_so(void **state)
{
	struct operations_item *item = put_record();

	(void)state;
	item->undecided_ms = clock_mono_ms() - 1; /* it may just have come second */
	assert_string_equal(state_conditions(), "");
	item->undecided_ms = clock_mono_ms() - 3000;
	assert_string_equal(state_conditions(), WAITS("the store decides no change of it"));
	snprintf(item->op.owner, sizeof(item->op.owner), "fra-1"); /* then it is its matter */
	assert_string_equal(state_conditions(), "");
	item->unread = true;
	assert_string_equal(state_conditions(),
	                    WAITS("its record in the store cannot be read here"));
	item->op.state = OPERATION_ABORTED;
	assert_string_equal(state_conditions(), "");
}

static void what_is_told_to_do_without_the_store_works(void **state)
{
	struct operations_item *item = put_record();

	(void)state;
	item->unread = true;
	snprintf(item->op.service, sizeof(item->op.service), "web");
	assert_non_null(strstr(state_conditions(), ". Without the store: weir undrain site ams "
	                                           "--service web --scheduled --reason TEXT"));
	item->op.targets[item->op.n_targets++] = (struct operation_target){ .site = "fra" };
	assert_non_null(strstr(state_conditions(), " or at another node"));
	assert_null(strstr(stated, "scheduled")); /* no one command does the same */
}

/* Long names cut the sentence, never the command that ends it. */
static void a_command_is_whole_however_long_names_are(void **state)
{
	static const struct {
		enum operation_state state;
		const char *code, *end;
	} rows[] = {
		{ OPERATION_HELD, "levels", "o1 resume --reason TEXT, or abort" },
		{ OPERATION_HELD, "taken", "o1 resume --without NODE --reason TEXT, or abort" },
		{ OPERATION_EXPIRED_HELD, "levels",
		  "; return: weir operation o1 resume --reason TEXT" },
	};
	char long_name[MODEL_NAME_MAX], detail[OPERATION_DETAIL_MAX];

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	memset(detail, 'd', sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	memcpy(op.targets[0].site, long_name, sizeof(long_name));
	memcpy(op.waits, detail, sizeof(detail));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		hold_record(rows[i].state, rows[i].code, detail);
		put_record();
		state_conditions();
		assert_true(strlen(stated) > strlen(rows[i].end));
		assert_string_equal(stated + strlen(stated) - strlen(rows[i].end), rows[i].end);
	}
	op.state = OPERATION_MOVING;
	put_record()->unread = true;
	state_conditions();
	char *command = strstr(stated, "weir undrain site aaa");

	assert_non_null(command);
	assert_string_equal(command + strlen(command) - strlen(" --scheduled --reason TEXT"),
	                    " --scheduled --reason TEXT");
}

static void merge_step(const char *id, const char *site, const char *service, const char *operation,
                       bool ended)
{
	struct override o = { .target = MODEL_TARGET_SITE,
		              .generation = 500,
		              .epoch = 64,
		              .step = 1,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = MODEL_TIME_NEVER,
		              .is_step = true,
		              .ended = ended,
		              .from_ppm = 250000,
		              .to_ppm = 250000 };

	snprintf(o.id, sizeof(o.id), "%s", id);
	snprintf(o.name, sizeof(o.name), "%s", site);
	snprintf(o.service, sizeof(o.service), "%s", service);
	snprintf(o.operation, sizeof(o.operation), "%s", operation);
	assert_true(override_ok(&o));
	assert_int_equal(intent_merge(this_node.intent, &o, 1, clock_believed_ms()), 1);
}

#define LOST(site, more, operation)                                                                \
	"operation-lost " site                                                                     \
	": 25 % of the site's clients are elsewhere by operation " operation                       \
	", which is not known here (lost, or this node does not follow the store): "               \
	"nothing moves or returns by itself; weir undrain site " site more " --reason TEXT"

static void a_level_whose_operation_is_not_known_is_lost_after_a_while(void **state)
{
	uint64_t *since_ms = &this_node.operations->lost_ms;

	(void)state;
	put_record();
	assert_string_equal(state_conditions(), "");
	assert_int_equal(*since_ms, 0);
	merge_step("v7", "fra", "", "o7", false);
	merge_step("v8", "lon", "web", "o8", false);
	merge_step("v1", "ams", "", "o9", false); /* which o1 has taken over */
	merge_step("v6", "par", "", "o6", true);
	assert_string_equal(state_conditions(), "");
	assert_true(*since_ms > 0); /* records may still come */
	*since_ms = clock_mono_ms() - OPERATIONS_LOST_MS;
	assert_string_equal(state_conditions(),
	                    LOST("fra", "", "o7") "\n" LOST("lon", " --service web", "o8"));
	op.state = OPERATION_DONE;
	put_record();
	assert_non_null(strstr(state_conditions(), LOST("ams", "", "o9")));
	for (int i = 7; i <= 9; i++) { /* now they come */
		snprintf(op.id, sizeof(op.id), "o%d", i);
		put_record();
	}
	assert_string_equal(state_conditions(), "");
	assert_int_equal(*since_ms, 0);
}

static void a_configuration_without_the_owner_is_warned_of(void **state)
{
	static const struct advice_node nodes[] = { { "fra", "fra-1" }, { "lon", "lon-1" } };
	struct advice advice = { .nodes = nodes, .n_nodes = 2 };
	json_t *warnings = json_array();

	(void)state;
	put_record();
	make_operation(&op, "o2", "lon-1", NOW_MS + 1);
	put_record();
	make_operation(&op, "o3", "par-1", NOW_MS + 2);
	op.state = OPERATION_FAILED;
	put_record();
	make_operation(&op, "o4", "par-1", NOW_MS + 3);
	snprintf(op.targets[0].site, sizeof(op.targets[0].site), "par");
	put_record();
	operations_add_warnings(&this_node, &advice, warnings);
#define WARNING(node, site, id)                                                                    \
	"'node " node " owns the operation on site " site " and is not in this configuration: "    \
	"nothing of it would go on by itself, nor return; first, at another node: weir "           \
	"operation " id " take --reason TEXT'"
	expect_whole("two of four", json_incref(warnings),
	             "[" WARNING("par-1", "par", "o4") "," WARNING("ams-1", "ams", "o1") "]");
	json_array_clear(warnings);
	advice.n_nodes = 0; /* a configuration that is not to be judged */
	operations_add_warnings(&this_node, &advice, warnings);
	expect_whole("without nodes", warnings, "[]");
}

SUITE(operation_conditions)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(one_that_goes_on_states_nothing),
		TEST(a_hold_states_why_and_what_ends_it),
		TEST(an_owner_that_cannot_go_on_is_named),
		TEST(one_that_the_store_keeps_back_says_so),
		TEST(what_is_told_to_do_without_the_store_works),
		TEST(a_command_is_whole_however_long_names_are),
		TEST(a_level_whose_operation_is_not_known_is_lost_after_a_while),
		TEST(a_configuration_without_the_owner_is_warned_of),
	};

	return cmocka_run_group_tests_name("operation conditions", tests, NULL, NULL);
}
