/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A look at the node: each part comes from its source, and what was seen of a target is told with
 * its age.
 */
#include "lone_node.h"

#include "mgmt/json/observed.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/peers_internal.h"
#include "mgmt/status/look.h"
#include "tests/unit/suite.h"
#include "weir/health.h"
#include "weir/stats.h"

static void a_look_has_each_part_from_its_source(void **state)
{
	static struct look l;
	static struct peers heard = { .n_reports = 2, .token_known = true, .has_token = true };
	struct stats *stats;
	char path[PATH_MAX];

	(void)state;
	observe_begin(&this_node);
	this_node.peers = &heard;
	heard.reports[1] = (struct peers_report){ .node = "fra-1",
		                                  .site = "fra",
		                                  .state = PEERS_AGREED,
		                                  .load_known = true,
		                                  .bits = 2000,
		                                  .answered_ms = clock_mono_ms() };
	assert_int_equal(stats_create(this_node.dirs.run, "run", 16, &stats), 0);
	stats_alive(stats, clock_mono_ms());
	/* what was last written cannot be written again */
	assert_int_equal(proc_path(place.state, PROC_EFFECTIVE_FILE, path), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	intent_close(this_node.intent);
	lone_node_start(false);
	assert_int_equal(look_init(&this_node, &l), 0);
	assert_ptr_equal(l.core, &this_node);
	assert_true(l.has_head);
	assert_int_equal(l.head.number, 1);
	assert_non_null(l.m);
	assert_string_equal(l.m->cluster, "shop");
	assert_int_equal(l.document, intent_document(this_node.intent));
	assert_string_equal(l.store_state, "ok");
	assert_string_equal(l.store_reason, "");
	assert_string_equal(l.unwritten_reason, intent_unwritten_reason(this_node.intent));
	assert_true(*l.unwritten_reason != '\0');
	assert_true(l.supervisor.present);
	for (int p = 0; p < OBSERVE_COUNT; p++)
		assert_false(l.processes[p].present);
	assert_int_equal(l.n_peer_reports, 2);
	assert_int_equal(look_peer(&l, "fra-1")->state, PEERS_AGREED);
	assert_null(look_peer(&l, "lon-1"));
	assert_true(l.has_token);
	assert_int_equal(l.n_loads, 3); /* of the own site, and of each peer's */
	assert_string_equal(l.loads[2].site, "fra");
	assert_int_equal(l.loads[2].per_s, 2000);
	assert_null(l.dns);
	assert_true(llabs(l.now_ms - clock_believed_ms()) < 600000);
	look_fini(&l);
	assert_int_equal(pthread_mutex_trylock(&this_node.lock), 0); /* it is free again */
	pthread_mutex_unlock(&this_node.lock);
	stats_close(stats);
	observe_end(&this_node);
	this_node.peers = NULL;
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

SUITE(look)
{
#define T(f) cmocka_unit_test_setup_teardown(f, lone_node_setup, lone_node_close)
	const struct CMUnitTest tests[] = {
		T(a_look_has_each_part_from_its_source),
		cmocka_unit_test(what_was_seen_has_all_its_fields),
		cmocka_unit_test(what_is_old_or_not_there_is_unknown),
	};

	return cmocka_run_group_tests_name("look", tests, NULL, NULL);
}
