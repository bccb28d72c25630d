/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A look at the node: each part comes from its source, and what was seen of a target is told with
 * its age.
 */
#include "asked.h"

#include "base/clock.h"
#include "mgmt/status/look.h"
#include "mgmt/json/observed.h"
#include "weir/health.h"

static const char *fake_why = "";
static struct peers_report fake_views[2];
static bool fake_token;
static json_t *fake_dns;

static struct gather_process fake_look(struct core *core, enum observe_process p,
                                       struct conditions *conditions)
{
	(void)core;
	conditions->n = 10 + (uint32_t)p;
	return (struct gather_process){ .present = true, .document = 100 + (uint64_t)p };
}

static void fake_process(const char *run_dir, const char *process, struct gather_process *out,
                         struct conditions *conditions)
{
	assert_string_equal(run_dir, this_node.dirs.run);
	assert_string_equal(process, "run");
	*out = (struct gather_process){ .present = true, .age_ms = 77 };
	conditions->n = 5;
}

static size_t fake_peers(const struct core *core, const struct peers_report **out)
{
	(void)core;
	*out = fake_views;
	return 2;
}

static bool fake_has_token(const struct core *core)
{
	(void)core;
	return fake_token;
}

static size_t fake_loads(struct core *core, struct guard_rate *out, size_t max)
{
	(void)core;
	assert_true(max > 1);
	out[0] = (struct guard_rate){ .site = "fra", .per_s = 1000 };
	out[1] = (struct guard_rate){ .site = "lon", .per_s = 2000 };
	return 2;
}

static json_t *fake_observe_dns(struct core *core)
{
	(void)core;
	return fake_dns;
}

/* The private parts too. */
#define observe_look                fake_look
#define gather_process              fake_process
#define peers_report(c, out)        fake_peers(c, out)
#define peers_has_token             fake_has_token
#define peers_loads                 fake_loads
#define observe_dns                 fake_observe_dns
#define intent_store_reason(in)     ((void)(in), fake_why)
#define intent_unwritten_reason(in) ((void)(in), *fake_why ? "full" : "")
#include "mgmt/status/look.c"

static void a_look_has_each_part_from_its_source(void **state)
{
	static struct look l;

	(void)state;
	fake_dns = json_pack("{s:s}", "it", "answers");
	fake_views[1].state = PEERS_AGREED;
	snprintf(fake_views[1].node, sizeof(fake_views[1].node), "fra-1");
	fake_token = true;
	fake_why = "broken";
	assert_int_equal(look_init(&this_node, &l), 0);
	assert_ptr_equal(l.core, &this_node);
	assert_true(l.has_head);
	assert_int_equal(l.head.number, 1);
	assert_non_null(l.m);
	assert_string_equal(l.m->cluster, "shop");
	assert_int_equal(l.document, intent_document(this_node.intent));
	assert_string_equal(l.store_state, "ok");
	assert_string_equal(l.store_reason, "broken");
	assert_string_equal(l.unwritten_reason, "full");
	for (unsigned p = 0; p < OBSERVE_COUNT; p++) {
		assert_int_equal(l.processes[p].document, 100 + p);
		assert_int_equal(l.conditions[p].n, 10 + p);
	}
	assert_int_equal(l.supervisor.age_ms, 77);
	assert_int_equal(l.supervisor_conditions.n, 5);
	assert_int_equal(l.n_peer_reports, 2);
	assert_string_equal(l.peer_reports[1].node, "fra-1");
	assert_int_equal(l.peer_reports[1].state, PEERS_AGREED);
	assert_true(l.has_token);
	assert_int_equal(l.n_loads, 2);
	assert_string_equal(l.loads[1].site, "lon");
	assert_int_equal(l.loads[1].per_s, 2000);
	assert_ptr_equal(l.dns, fake_dns);
	assert_ptr_equal(look_peer(&l, "fra-1"), &l.peer_reports[1]);
	assert_null(look_peer(&l, "lon-1"));
	assert_true(llabs(l.now_ms - clock_believed_ms()) < 600000);
	look_fini(&l);
	assert_int_equal(fake_dns->refcount, 1); /* it was the look's for a while */
	json_decref(fake_dns);
	fake_dns = NULL;
	fake_why = "";
	core_lock(&this_node); /* it is free again */
	core_unlock(&this_node);
}

static struct health_page health;

/* A page with targets 10, 20 and 30, of which 20 has @p word. */
static void write_page(health_word word)
{
	const uint64_t targets[] = { 10, 20, 30 };

	memset(&health, 0, sizeof(health));
	assert_int_equal(health_set_targets(&health, targets, 3, 7), 0);
	health_write(&health, health_find_index(&health, 10), health_make(HEALTH_UP, 0, 0, 0));
	health_write(&health, health_find_index(&health, 20), word);
}

/* Compare @p told, taken, with @p json. */
static void is_told(json_t *told, const char *json)
{
	json_t *wanted = json_loads(json, 0, NULL);

	assert_non_null(wanted);
	if (!json_equal(told, wanted))
		fail_msg("%s, not %s", json_dumps(told, 0), json);
	json_decref(wanted);
	json_decref(told);
}

#define MARKS(doubt, inconclusive, restored, damped)                                               \
	"\"in_doubt\": " doubt ", \"inconclusive\": " inconclusive ", \"restored\": " restored     \
	", \"damped\": " damped

static void what_was_seen_has_all_its_fields(void **state)
{
	static const struct {
		unsigned marks;
		const char *told;
	} rows[] = {
		{ 0, MARKS("false", "false", "false", "false") },
		{ HEALTH_MARK_DOUBT, MARKS("true", "false", "false", "false") },
		{ HEALTH_MARK_INCONCLUSIVE, MARKS("false", "true", "false", "false") },
		{ HEALTH_MARK_RESTORED, MARKS("false", "false", "true", "false") },
		{ HEALTH_MARK_DAMPED, MARKS("false", "false", "false", "true") },
	};
	struct look l = { .pages = {
		                  .health = &health, .health_fresh = true, .health_age_ms = 250 } };
	char since[CLOCK_TEXT_MAX], json[400];

	(void)state;
	clock_text(NOW_MS / 1000 * 1000, since);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_page(health_make(HEALTH_DOWN, rows[i].marks, HEALTH_REASON_REFUSED,
		                       NOW_MS / 1000));
		snprintf(json, sizeof(json),
		         "{\"state\": \"down\", %s, \"reason\": \"refused\", \"since\": \"%s\","
		         " \"age_ms\": 250}",
		         rows[i].told, since);
		is_told(observed_target_json(&l.pages, 20, true), json);
		assert_string_equal(observed_state(&l.pages, 20), "down");
	}
	assert_string_equal(observed_state(&l.pages, 10), "up");
	assert_string_equal(observed_state(&l.pages, 30), "unknown"); /* no verdict yet */
}

static void what_is_old_or_not_there_is_unknown(void **state)
{
	struct look l = { .pages = { .health = &health, .health_age_ms = 9000 } };

	(void)state;
	write_page(health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 0));
	is_told(observed_target_json(&l.pages, 20, true),
	        "{\"state\": \"unknown\", " MARKS(
	                "false", "false", "false",
	                "false") ","
	                         " \"reason\": \"ok\", \"since\": null, \"age_ms\": 9000, \"last\": \"up\"}");
	assert_string_equal(observed_state(&l.pages, 20), "unknown");
	l.pages.health_fresh = true;
	is_told(observed_target_json(&l.pages, 40, true),
	        "{\"state\": \"unknown\", \"since\": null, \"age_ms\": null}");
	assert_string_equal(observed_state(&l.pages, 40), "unknown");
	l.pages.health = NULL;
	is_told(observed_target_json(&l.pages, 20, true),
	        "{\"state\": \"unknown\", \"since\": null, \"age_ms\": null}");
	assert_string_equal(observed_state(&l.pages, 20), "unknown");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, asked_setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		T(a_look_has_each_part_from_its_source),
		cmocka_unit_test(what_was_seen_has_all_its_fields),
		cmocka_unit_test(what_is_old_or_not_there_is_unknown),
	};

	return cmocka_run_group_tests_name("look", tests, NULL, NULL);
}
