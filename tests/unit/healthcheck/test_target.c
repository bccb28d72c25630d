/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "healthcheck/keep.h"
#include "healthcheck/target.h"
#include "tests/unit/suite.h"
#include "weir/probe.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char direct[] = "type = \"tcp\"; port = 81; interval = \"1s\"; fall = 3; rise = 2;";
static const char tunnel[] =
        "type = \"http\"; via = \"tunnel\"; path = \"/h\"; host = \"x\"; fall = 3;";

static struct targets *make_targets(const char *check)
{
	struct targets *t = NULL;

	assert_int_equal(targets_new(fixture_model(check, 80, ""), &t), 0);
	return t;
}

static struct target *find_backend(const struct targets *t, const char *name)
{
	const struct model_pool *pool = model_pool(t->model, "web");

	return targets_find(t, health_target_backend("web", model_backend(pool, name)->id));
}

static void own_backends_and_other_sites_vips_are_targets(void **state)
{
	(void)state;
	struct targets *t = make_targets(direct);
	const struct target *b1 = find_backend(t, "b1");
	const struct target *vip = targets_find(t, health_target_service("web", "fra", true));

	assert_int_equal(t->n, 4); /* three backends, one VIP in one family */
	assert_non_null(b1);
	assert_int_equal(b1->paths[0].spec.port, 81);
	assert_int_equal(b1->paths[0].spec.mark, 0);
	assert_non_null(vip);
	assert_string_equal(vip->site->name, "fra");
	assert_null(targets_find(t, health_target_service("web", "ams", true)));
	assert_int_equal(t->n_derived, 2); /* the own site's, in both families */
	targets_free(t);
}

static void a_tunnel_check_goes_to_the_vip_with_its_backends_mark(void **state)
{
	(void)state;
	struct targets *t = make_targets(tunnel);
	struct probe_mark *marks = NULL;
	char text[ADDR_TEXT_MAX];
	size_t n = 0;

	assert_int_equal(probe_marks(t->model, &marks, &n), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++) {
		const struct target *x = find_backend(t, marks[i].backend->name);

		assert_int_equal(x->n_paths, 2); /* a VIP of each family */
		for (int k = 0; k < 2; k++) {
			const struct attempt_spec *spec = &x->paths[k].spec;

			assert_int_equal(spec->mark, marks[i].mark);
			assert_int_equal(spec->mark & PROBE_MARK_MASK, PROBE_MARK_BASE);
			assert_string_equal(addr_text(&spec->address, text),
			                    k ? "2001:db8::10" : "203.0.113.10");
			assert_int_equal(spec->port, 80);
			assert_ptr_equal(x->paths[k].target, x);
		}
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(marks[i].mark, marks[j].mark);
	}
	free(marks);
	targets_free(t);
}

/* "ADDRESS port N, ..." */
static const char *paths_text(const struct model *m, char *out, size_t size)
{
	struct probe_path paths[PROBE_PATHS_MAX];
	size_t n = probe_paths(m, model_pool(m, "web"), paths), at = 0;
	char text[ADDR_TEXT_MAX];

	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s port %u", i ? ", " : "",
		                       addr_text(&paths[i].vip, text), paths[i].port);
	return out;
}

static void paths_are_each_family_and_each_services_port_once(void **state)
{
	(void)state;
	struct model *m = fixture_model(tunnel, 80, "");
	struct model_at at[2] = { m->services[0].at[0], m->services[0].at[0] };
	const struct model_service first = m->services[0];
	struct model_service services[PROBE_PATHS_MAX];
	struct model twice = *m;
	char text[1024];

	assert_string_equal(paths_text(m, text, sizeof(text)),
	                    "203.0.113.10 port 80, 2001:db8::10 port 80");
	for (size_t i = 0; i < PROBE_PATHS_MAX; i++) {
		services[i] = first;
		services[i].port = (uint16_t)(i < 2 ? 80 : 442 + i / 2);
		services[i].at = at;
		services[i].n_at = 2; /* at the same VIP twice */
	}
	twice.services = services;
	twice.n_services = 3;
	assert_string_equal(paths_text(&twice, text, sizeof(text)),
	                    "203.0.113.10 port 80, 2001:db8::10 port 80, "
	                    "203.0.113.10 port 443, 2001:db8::10 port 443");
	twice.n_services = PROBE_PATHS_MAX;
	for (size_t i = 0; i < PROBE_PATHS_MAX; i++)
		services[i].port = (uint16_t)(1000 + i); /* twice as many paths as may be */
	struct probe_path all[PROBE_PATHS_MAX];
	assert_int_equal(probe_paths(&twice, model_pool(m, "web"), all), PROBE_PATHS_MAX);
	model_free(m);
}

static void a_verdict_passes_to_the_next_table_but_not_to_another_tunnel(void **state)
{
	(void)state;
	struct targets *old = make_targets(tunnel), *same = make_targets(tunnel),
	               *other = make_targets(direct);

	find_backend(old, "b1")->verdict = verdict_of(HEALTH_DOWN);
	find_backend(old, "b1")->since_s = 77;
	find_backend(old, "b1")->since_document = 5;
	find_backend(same, "b1")->since_document = 9;
	target_inherit(find_backend(same, "b1"), find_backend(old, "b1"));
	assert_int_equal(verdict_state(find_backend(same, "b1")->verdict), HEALTH_DOWN);
	assert_int_equal(find_backend(same, "b1")->since_s, 77);
	assert_int_equal(find_backend(same, "b1")->since_document, 5);
	find_backend(other, "b1")->since_document = 9;
	target_inherit(find_backend(other, "b1"), find_backend(old, "b1"));
	assert_int_equal(find_backend(other, "b1")->since_document, 9);
	targets_free(old);
	targets_free(same);
	targets_free(other);
}

static void all_that_is_known_of_a_target_passes_on_and_nothing_under_way(void **state)
{
	(void)state;
	struct targets *before = make_targets(direct), *after = make_targets(direct);
	struct target *old = find_backend(before, "b1"), *x = find_backend(after, "b1"),
	              *other = find_backend(after, "b2");
	const struct target fresh = *x;

	old->verdict = verdict_of(HEALTH_UP);
	old->restored = old->inconclusive = old->failing = old->spared = old->last_late =
	        old->last_unready = true;
	old->vague_ms = 1;
	old->damp = (struct damp){ .penalty = 2.5, .at_ms = 3, .held = true };
	old->last = HEALTH_REASON_REFUSED;
	old->last_detail = 4;
	old->since_s = 5;
	old->counts = (struct target_counts){
		.probes = 6, .attempts = 7, .ok = 8, .failed = 9, .inconclusive = 10
	};
	old->due_ms = 11;
	old->sent_ms = 12;
	old->done_ms = 13;
	old->phase = TARGET_SECOND;
	old->n_over = old->n_good = 1;
	target_inherit(x, old);
	assert_int_equal(x->verdict, old->verdict);
	assert_true(x->restored && x->inconclusive && x->failing && x->spared && x->last_late &&
	            x->last_unready);
	assert_int_equal(x->vague_ms, 1);
	assert_true(x->damp.penalty == 2.5 && x->damp.at_ms == 3 && x->damp.held);
	assert_int_equal(x->last, HEALTH_REASON_REFUSED);
	assert_int_equal(x->last_detail, 4);
	assert_int_equal(x->since_s, 5);
	assert_memory_equal(&x->counts, &old->counts, sizeof(x->counts));
	assert_int_equal(x->due_ms, 11);
	assert_int_equal(x->sent_ms, 12);
	assert_int_equal(x->done_ms, 13);
	assert_int_equal(x->phase, TARGET_IDLE);
	assert_int_equal(x->n_over + x->n_good, 0);
	assert_ptr_equal(x->paths, fresh.paths);
	assert_ptr_equal(x->check, fresh.check);
	assert_int_equal(other->since_s, 0); /* nobody else's */
	targets_free(before);
	targets_free(after);
}

static void a_word_says_each_mark_of_its_target(void **state)
{
	(void)state;
	struct targets *t = make_targets(direct);
	struct target *x = find_backend(t, "b1");

	x->verdict = verdict_of(HEALTH_UP);
	assert_int_equal(health_state(target_word(x)), HEALTH_UP);
	assert_false(health_damped(target_word(x)) || health_inconclusive(target_word(x)) ||
	             health_new(target_word(x)) || health_unproven(target_word(x)) ||
	             health_restored(target_word(x)));
	x->damp.held = true;
	assert_int_equal(health_state(target_word(x)), HEALTH_DOWN); /* held, though it answers */
	assert_true(health_damped(target_word(x)));
	x->spared = true;
	assert_int_equal(health_state(target_word(x)), HEALTH_UP); /* the last of its pool */
	assert_true(health_damped(target_word(x)));
	health_word spared = target_word(x);
	x->is_new = true;
	assert_false(health_new(target_word(x))); /* it was seen up */
	x->verdict = verdict_of(HEALTH_DOWN);
	assert_true(health_new(target_word(x)));
	x->unproven = true;
	assert_int_equal(health_state(target_word(x)), HEALTH_UNKNOWN);
	assert_true(health_unproven(target_word(x)));
	x->inconclusive = true;
	assert_true(health_inconclusive(target_word(x)));
	x = find_backend(t, "b2");
	target_restore(x, spared);
	assert_true(x->spared && x->restored); /* it goes on being the last one after a restart */
	target_restore(x, health_make(HEALTH_DOWN, HEALTH_MARK_DAMPED, HEALTH_REASON_OK, 3));
	assert_false(x->spared);
	targets_free(t);
}

static void a_restored_target_keeps_state_and_time_and_says_so(void **state)
{
	(void)state;
	struct targets *t = make_targets(direct);
	struct target *x = find_backend(t, "b1");
	health_word word = health_make(HEALTH_DOWN, HEALTH_MARK_DOUBT, HEALTH_REASON_REFUSED, 1234);

	target_restore(x, word);
	assert_int_equal(health_state(target_word(x)), HEALTH_DOWN);
	assert_true(health_restored(target_word(x)));
	assert_false(health_in_doubt(target_word(x)));
	assert_int_equal(health_since_s(target_word(x)), 1234);
	assert_int_equal(health_reason(target_word(x)), HEALTH_REASON_REFUSED);
	target_restore(find_backend(t, "b2"), 3); /* no such state */
	assert_int_equal(target_word(find_backend(t, "b2")), 0);
	targets_free(t);
}

static void a_services_word_follows_its_pools_backends(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		struct pool_tally y;
		bool has_check;
		enum health_state want;
		bool doubt;
	} cases[] = {
		{ "no check", { 0 }, false, HEALTH_UP, false },
		{ "no backend", { 0 }, true, HEALTH_DOWN, false },
		{ "its path works at one of two",
		  { .n = 3, .n_up = 2, .n_sure = 2, .n_lacking = { 2, 1 } },
		  true,
		  HEALTH_UP,
		  false },
		{ "its path works at none",
		  { .n = 3, .n_up = 2, .n_sure = 2, .n_lacking = { 0, 2 } },
		  true,
		  HEALTH_DOWN,
		  false },
		{ "one up", { .n = 3, .n_up = 1, .n_sure = 1 }, true, HEALTH_UP, false },
		{ "one up beside doubt",
		  { .n = 3, .n_up = 2, .n_sure = 1, .n_doubt = 1 },
		  true,
		  HEALTH_UP,
		  false },
		{ "all up in doubt", { .n = 2, .n_up = 2, .n_doubt = 2 }, true, HEALTH_UP, true },
		{ "nothing known", { .n = 3, .n_unknown = 3 }, true, HEALTH_UNKNOWN, false },
		{ "one unknown", { .n = 3, .n_unknown = 1 }, true, HEALTH_UNKNOWN, false },
		{ "all down", { .n = 3 }, true, HEALTH_DOWN, false },
		{ "all down, one recovering", { .n = 3, .n_doubt = 1 }, true, HEALTH_DOWN, true },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		health_word w = derive_word(&cases[i].y, 1, cases[i].has_check, 5);

		print_message("  %s\n", cases[i].why);
		assert_int_equal(health_state(w), cases[i].want);
		assert_int_equal(health_in_doubt(w), cases[i].doubt);
		assert_int_equal(health_reason(w), HEALTH_REASON_POOL);
		assert_int_equal(health_since_s(w), 5);
	}
}

/* Marks that a service has when all of its backends have them. */
static void a_services_marks_are_those_of_all(void **state)
{
	static const struct {
		struct pool_tally y;
		bool vague, restored;
	} cases[] = {
		{ { 0 }, false, false },
		{ { .n = 3, .n_vague = 2, .n_restored = 3 }, false, true },
		{ { .n = 3, .n_vague = 3, .n_restored = 2 }, true, false },
		{ { .n = 3 }, false, false },
		{ { .n = 1, .n_vague = 1, .n_restored = 1 }, true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		health_word w = derive_word(&cases[i].y, -1, true, 5);

		assert_int_equal(health_inconclusive(w), cases[i].vague);
		assert_int_equal(health_restored(w), cases[i].restored);
	}
}

/* Counted from nothing each time, in all pools. */
static void tallies_do_not_add_up(void **state)
{
	struct targets *t = make_targets(direct);

	(void)state;
	assert_true(t->model->n_pools > 1);
	for (size_t i = 0; i < t->model->n_pools; i++)
		memset(&t->tallies[i], 0x55, sizeof(t->tallies[i]));
	find_backend(t, "b1")->restored = true;
	find_backend(t, "b2")->inconclusive = true;
	targets_tally(t);
	targets_tally(t);
	for (size_t i = 0; i < t->model->n_pools; i++) {
		bool own = !strcmp(t->model->pools[i].name, "web");
		const struct pool_tally want = { .n = 3,
			                         .n_unknown = 3,
			                         .n_restored = 1,
			                         .n_vague = 1,
			                         .any = t->tallies[i].any };

		assert_true(!own || !strcmp(want.any->pool->name, "web"));
		assert_memory_equal(&t->tallies[i], own ? &want : &(struct pool_tally){ 0 },
		                    sizeof(want));
	}
	targets_free(t);
}

/* Whatever becomes of one target, its pool's tally is as counted from nothing, and says that it changed. */
static void one_target_counted_again_gives_what_all_would(void **state)
{
	struct targets *t = make_targets(direct);
	const struct model_pool *pool = model_pool(t->model, "web");
	const struct verdict_rule rule = { 2, 3 };
	const verdict_word verdicts[] = {
		verdict_of(HEALTH_UNKNOWN),
		verdict_of(HEALTH_UP),
		verdict_of(HEALTH_DOWN),
		verdict_feed(verdict_of(HEALTH_UP), VERDICT_FAIL, &rule),
		verdict_feed(verdict_of(HEALTH_DOWN), VERDICT_OK, &rule),
	};
	struct target *x = find_backend(t, "b1");

	(void)state;
	targets_tally(t);
	for (unsigned i = 0; i < 5 * 16; i++) {
		const struct pool_tally before = t->tallies[pool->index];
		struct pool_tally again;
		bool changed;

		x->verdict = verdicts[i * 7 % 5];
		x->restored = i & 1;
		x->inconclusive = i & 2;
		x->damp.held = i & 4;
		x->spared = i & 8;
		t->changed[pool->index] = false;
		changed = targets_retally(t, x);
		again = t->tallies[pool->index];
		assert_int_equal(changed, memcmp(&before, &again, sizeof(again)) != 0);
		assert_int_equal(t->changed[pool->index], changed);
		targets_tally(t);
		assert_memory_equal(&t->tallies[pool->index], &again, sizeof(again));
		assert_true(t->changed[pool->index]);
	}
	targets_free(t);
}

static void tallies_count_a_pools_targets_alone(void **state)
{
	(void)state;
	struct targets *t = make_targets(direct);
	const struct model_pool *pool = model_pool(t->model, "web");
	const struct verdict_rule rule = { 2, 3 };

	find_backend(t, "b1")->verdict = verdict_of(HEALTH_UP);
	find_backend(t, "b2")->verdict = verdict_feed(verdict_of(HEALTH_UP), VERDICT_FAIL, &rule);
	targets_find(t, health_target_service("web", "fra", true))->verdict = verdict_of(HEALTH_UP);
	targets_tally(t);
	assert_int_equal(t->tallies[pool->index].n, 3);
	assert_int_equal(t->tallies[pool->index].n_up, 2);
	assert_int_equal(t->tallies[pool->index].n_sure, 1);
	assert_int_equal(t->tallies[pool->index].n_unknown, 1);
	targets_free(t);
}

static void saved_verdicts_are_read_back(void **state)
{
	(void)state;
	struct targets *t = make_targets(direct);
	struct saved_word *words = NULL;
	size_t n = 0;

	find_backend(t, "b1")->verdict = verdict_of(HEALTH_DOWN);
	find_backend(t, "b1")->since_s = 99;
	find_backend(t, "b2")->verdict = verdict_of(HEALTH_UP);
	struct keep_writer writer = { 0 };

	assert_int_equal(keep_write("/nonexistent/verdicts", t), -ENOENT);
	assert_int_equal(keep_start(&writer, fixture_path("verdicts"), t), 0);
	assert_int_equal(keep_finish(&writer), 0);
	assert_int_equal(keep_read(fixture_path("verdicts"), &words, &n), 0);
	assert_int_equal(n, 2); /* an unknown one is not saved */
	assert_true(words[0].target < words[1].target);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(words[i].word, target_word(targets_find(t, words[i].target)));
	free(words);
	targets_free(t);
}

static void a_spoilt_file_of_verdicts_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *why, *text;
	} cases[] = {
		{ "empty", "" },
		{ "another head", "weir-verdicts 3 1\nend 0\n" },
		{ "no time", "weir-verdicts 2\nend 0\n" },
		{ "no penalty", "weir-verdicts 2 1\n5 1\nend 1\n" },
		{ "a penalty that is none", "weir-verdicts 2 1\n5 1 x\nend 1\n" },
		{ "a penalty below nothing", "weir-verdicts 2 1\n5 1 -1\nend 1\n" },
		{ "a penalty that does not end", "weir-verdicts 2 1\n5 1 1234567890\nend 1\n" },
		{ "no end", "weir-verdicts 2 1\n5 1 0\n" },
		{ "fewer than it says", "weir-verdicts 2 1\n5 1 0\nend 2\n" },
		{ "more than it says", "weir-verdicts 2 1\n5 1 0\n6 1 0\nend 1\n" },
		{ "a word missing", "weir-verdicts 2 1\n5\nend 1\n" },
		{ "a path without its sign", "weir-verdicts 2 1\n5 1 1 0000000a\nend 1\n" },
		{ "a path that is none", "weir-verdicts 2 1\n5 1 1 +g\nend 1\n" },
		{ "a path that is too long", "weir-verdicts 2 1\n5 1 1 +000000001\nend 1\n" },
		{ "more paths than a pool has",
		  "weir-verdicts 2 1\n5 1 1 +1 +2 +3 +4 +5 +6 +7 +8 +9 +a +b +c +d +e +f +10 "
		  "+11\nend 1\n" },
		{ "something behind", "weir-verdicts 2 1\n5 1 1 1\nend 1\n" },
		{ "not hex", "weir-verdicts 2 1\nzz 1 0\nend 1\n" },
		{ "torn in the end", "weir-verdicts 2 1\n5 1 0\nend" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		FILE *f = fopen(fixture_path("verdicts"), "w");
		struct saved_word *words = NULL;
		size_t n = 0;

		assert_non_null(f);
		fputs(cases[i].text, f);
		fclose(f);
		print_message("  %s\n", cases[i].why);
		assert_int_equal(keep_read(fixture_path("verdicts"), &words, &n), -EPROTO);
		assert_null(words);
	}
	remove(fixture_path("verdicts"));
	assert_int_equal(
	        keep_read(fixture_path("verdicts"), &(struct saved_word *){ NULL }, &(size_t){ 0 }),
	        -ENOENT);
}

/* No file may have more than @p bytes: as a full disk, for us alone. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Until the write is over. @return what keep_poll() says of it */
static int poll_writer(struct keep_writer *w, bool *changed)
{
	while (w->started && !atomic_load(&w->done))
		usleep(1000);
	return keep_poll(w, changed);
}

static void a_full_disk_leaves_the_file_and_asks_to_try_again(void **state)
{
	(void)state;
	struct targets *t = make_targets(direct);
	struct keep_writer writer = { 0 };
	struct saved_word *words = NULL;
	bool changed = false;
	size_t n = 0;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(keep_write(fixture_path("verdicts"), t), 0);
	limit_files(20);
	assert_int_not_equal(keep_write(fixture_path("verdicts"), t), 0);
	assert_int_equal(keep_poll(&writer, &changed), 0); /* none was begun */
	assert_false(changed);
	assert_int_equal(keep_start(&writer, fixture_path("verdicts"), t), 0);
	assert_int_not_equal(poll_writer(&writer, &changed), 0);
	assert_true(changed);
	limit_files(RLIM_INFINITY);
	assert_int_equal(keep_read(fixture_path("verdicts"), &words, &n), 0); /* whole */
	free(words);
	changed = false;
	assert_int_equal(keep_start(&writer, fixture_path("verdicts"), t), 0);
	assert_int_equal(poll_writer(&writer, &changed), 0);
	assert_false(changed);
	assert_int_equal(keep_poll(&writer, &changed), 0);
	assert_int_equal(writer.last, 0);
	targets_free(t);
	unlink(fixture_path("verdicts"));
}

SUITE(target)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spoilt_file_of_verdicts_is_refused),
		cmocka_unit_test(saved_verdicts_are_read_back),
		cmocka_unit_test(own_backends_and_other_sites_vips_are_targets),
		cmocka_unit_test(a_tunnel_check_goes_to_the_vip_with_its_backends_mark),
		cmocka_unit_test(paths_are_each_family_and_each_services_port_once),
		cmocka_unit_test(a_verdict_passes_to_the_next_table_but_not_to_another_tunnel),
		cmocka_unit_test(all_that_is_known_of_a_target_passes_on_and_nothing_under_way),
		cmocka_unit_test(a_word_says_each_mark_of_its_target),
		cmocka_unit_test(a_restored_target_keeps_state_and_time_and_says_so),
		cmocka_unit_test(a_services_word_follows_its_pools_backends),
		cmocka_unit_test(tallies_count_a_pools_targets_alone),
		cmocka_unit_test(a_services_marks_are_those_of_all),
		cmocka_unit_test(tallies_do_not_add_up),
		cmocka_unit_test(one_target_counted_again_gives_what_all_would),
		cmocka_unit_test(a_full_disk_leaves_the_file_and_asks_to_try_again),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
