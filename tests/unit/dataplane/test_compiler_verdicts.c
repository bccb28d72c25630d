/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verdicts brought into force (dataplane/tables/compiler_verdicts.c): what is counted, and what a page that
 * is gone or damaged changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/page.h"
#include "dataplane/tables/compiler_internal.h"

#include "tests/unit/dataplane/stage.h"
#include "tests/unit/suite.h"

static const struct model_check check = { .name = "web" };
static struct stage s;

/* Backends 5, 7 (of the first set alone, without weight now) and 9; all may be removed at once. */
static int setup(void **state)
{
	(void)state;
	stage_init(&s);
	s.first.pools[0].check = s.second.pools[0].check = &check;
	s.first.pools[0].max_remove_percent = s.second.pools[0].max_remove_percent = 100;
	apply_world(&s, &s.first);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_fini(&s);
	return 0;
}

static void store_verdict(uint64_t id, enum health_state state)
{
	int at = health_find_index(s.health, health_target_backend("web-ams", id));

	health_write(s.health, at, health_make(state, 0, HEALTH_REASON_OK, 1));
}

static const struct compiler_backend *backend_of(uint64_t id)
{
	return compiler_find_backend(&s.node.pools[0], id);
}

static uint8_t flags_of(uint64_t id)
{
	return s.node.t.backends[backend_of(id)->index].flags;
}

static void expect_counters(uint64_t deaths, uint64_t returns, uint64_t held)
{
	const struct compiler_counters *is = &s.node.counters;

	if (is->deaths != deaths || is->returns != returns || is->held != held)
		fail_msg("%d deaths, %d returns, %d held", (int)is->deaths, (int)is->returns,
		         (int)is->held);
}

static void deaths_returns_and_holds_are_counted_when_they_come(void **state)
{
	(void)state;
	expect_counters(0, 0, 0);
	store_verdict(5, HEALTH_UP);
	store_verdict(9, HEALTH_UP);
	compiler_read_verdicts(&s.node, &s.time);
	expect_counters(0, 0, 0); /* they were in force: nothing returned */
	assert_int_equal(backend_of(5)->reason, EFFECT_REASON_UP);
	store_verdict(5, HEALTH_DOWN);
	compiler_read_verdicts(&s.node, &s.time);
	expect_counters(1, 0, 0);
	assert_int_equal(backend_of(5)->reason, EFFECT_REASON_DOWN);
	compiler_read_verdicts(&s.node, &s.time); /* the same again is none */
	expect_counters(1, 0, 0);
	store_verdict(7, HEALTH_DOWN);
	store_verdict(9, HEALTH_DOWN);
	compiler_read_verdicts(&s.node, &s.time); /* the last one stays, held; 7 goes */
	assert_int_equal(backend_of(9)->reason, EFFECT_REASON_HELD_LAST);
	assert_int_equal(s.node.counters.held > 0, 1);
	uint64_t held = s.node.counters.held, deaths = s.node.counters.deaths;
	compiler_read_verdicts(&s.node, &s.time);
	assert_int_equal(s.node.counters.held, held);
	store_verdict(5, HEALTH_UP);
	store_verdict(9, HEALTH_UP);
	compiler_read_verdicts(&s.node, &s.time);
	assert_int_equal(s.node.counters.deaths, deaths);
	assert_true(s.node.counters.returns > 0);
	assert_int_equal(flags_of(5), FWD_BACKEND_USED | FWD_BACKEND_NO_NEXT_HOP);
}

/*
 * on_all_down = last_good: who was good until shortly before the fall comes back, however long ago it was decided last.
 */
static void who_fell_shortly_before_the_last_one_is_brought_back(void **state)
{
	static const struct {
		uint64_t apart_ms;
		enum effect_reason reason;
	} falls[] = { { 10000, EFFECT_REASON_HELD_LAST }, { 70000, EFFECT_REASON_DOWN } };

	for (size_t i = 0; i < 2; i++) {
		if (i) {
			teardown(state);
			setup(state);
		}
		store_verdict(5, HEALTH_UP);
		store_verdict(9, HEALTH_UP);
		compiler_read_verdicts(&s.node, &s.time);
		s.time.now_ms += 200000;
		store_verdict(5, HEALTH_DOWN);
		compiler_read_verdicts(&s.node, &s.time);
		assert_int_equal(backend_of(5)->reason, EFFECT_REASON_DOWN);
		s.time.now_ms += falls[i].apart_ms;
		store_verdict(9, HEALTH_DOWN);
		compiler_read_verdicts(&s.node, &s.time);
		assert_int_equal(backend_of(9)->reason, EFFECT_REASON_HELD_LAST);
		assert_int_equal(backend_of(5)->reason, falls[i].reason);
	}
}

/* How often @p text is in the file @p log, which is empty then. */
static unsigned count_in(int log, const char *text)
{
	char said[4096] = "";
	unsigned n = 0;

	assert_in_range(pread(log, said, sizeof(said) - 1, 0), 0, sizeof(said) - 2);
	for (const char *at = said; (at = strstr(at, text)); at++)
		n++;
	assert_int_equal(ftruncate(log, 0), 0);
	assert_int_equal(lseek(log, 0, SEEK_SET), 0);
	return n;
}

static void disable_backend(struct world *w)
{
	w->overrides[0] = (struct model_override){ .id = "1",
		                                   .kind = MODEL_OVERRIDE_DISABLE,
		                                   .target = MODEL_TARGET_BACKEND,
		                                   .pool = "web-ams",
		                                   .name = "a",
		                                   .from_ms = 0,
		                                   .until_ms = MODEL_TIME_NEVER };
	w->model.n_overrides = 1;
}

/* What was known at the start is no news, and neither is another reason for the same. */
static void a_line_tells_of_each_death_return_and_hold(void **state)
{
	FILE *file = tmpfile();
	int before = dup(STDERR_FILENO), log = file ? fileno(file) : -1;
	unsigned start, out, held, back, again; /* looked at once standard error is back */

	(void)state;
	assert_true(dup2(log, STDERR_FILENO) >= 0);
	teardown(state);
	setup(state);
	store_verdict(5, HEALTH_UP);
	store_verdict(9, HEALTH_UP);
	compiler_read_verdicts(&s.node, &s.time);
	start = count_in(log, ">backend-");
	store_verdict(5, HEALTH_DOWN);
	compiler_read_verdicts(&s.node, &s.time);
	out = count_in(log, "backend-out pool=web-ams backend=a ");
	s.time.now_ms += 70000; /* so that the next fall does not bring it back */
	store_verdict(9, HEALTH_DOWN);
	compiler_read_verdicts(&s.node, &s.time);
	held = count_in(log, "backend-in-force pool=web-ams backend=b ");
	assert_int_equal(backend_of(9)->reason, EFFECT_REASON_HELD_LAST);
	store_verdict(5, HEALTH_UP);
	compiler_read_verdicts(&s.node, &s.time);
	back = count_in(log, "backend-in-force pool=web-ams backend=a ");
	store_verdict(5, HEALTH_DOWN);
	store_verdict(9, HEALTH_UP);
	compiler_read_verdicts(&s.node, &s.time);
	(void)count_in(log, "backend-");
	disable_backend(&s.second); /* it is out all the same */
	apply_world(&s, &s.second);
	again = count_in(log, "backend=a ");
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	close(before);
	fclose(file);
	assert_int_equal(start, 0);
	assert_int_equal(out, 1);
	assert_int_equal(held, 1);
	assert_int_equal(back, 1);
	assert_int_equal(again, 0);
}

static void another_reason_to_be_out_is_no_return(void **state)
{
	(void)state;
	store_verdict(5, HEALTH_DOWN);
	store_verdict(9, HEALTH_UP);
	compiler_read_verdicts(&s.node, &s.time);
	expect_counters(1, 0, 0);
	disable_backend(&s.second);
	apply_world(&s, &s.second);
	assert_int_equal(backend_of(5)->reason, EFFECT_REASON_DISABLED);
	expect_counters(1, 0, 0);
}

/* That a person had it out says nothing of its health. */
static void who_is_enabled_again_without_a_verdict_waits_for_one(void **state)
{
	(void)state;
	store_verdict(5, HEALTH_UP);
	store_verdict(9, HEALTH_UP);
	compiler_read_verdicts(&s.node, &s.time);
	disable_backend(&s.second);
	apply_world(&s, &s.second);
	assert_int_equal(backend_of(5)->reason, EFFECT_REASON_DISABLED);
	store_verdict(5, HEALTH_UNKNOWN);
	compiler_read_verdicts(&s.node, &s.time);
	apply_world(&s, &s.first);
	assert_int_equal(backend_of(5)->reason, EFFECT_REASON_WAITING);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, 0);
}

/* Only who is known to be out loses its flows: who waits for a verdict owns no slot and keeps them. */
static void who_has_no_verdict_is_not_dead(void **state)
{
	static const struct {
		const char *why;
		enum health_state five, nine;
		enum effect_reason reason; /* of 5 */
		bool alive, is_dead;
		enum owners_state state;
	} rows[] = {
		{ "nobody has one", HEALTH_UNKNOWN, HEALTH_UNKNOWN, EFFECT_REASON_NEW, true, false,
		  OWNERS_SERVES },
		{ "the other one serves", HEALTH_UNKNOWN, HEALTH_UP, EFFECT_REASON_WAITING, false,
		  false, OWNERS_WAITS },
		{ "the other one is down", HEALTH_UNKNOWN, HEALTH_DOWN, EFFECT_REASON_NEW, true,
		  false, OWNERS_SERVES },
		{ "up", HEALTH_UP, HEALTH_UNKNOWN, EFFECT_REASON_UP, true, false, OWNERS_SERVES },
		{ "down", HEALTH_DOWN, HEALTH_UP, EFFECT_REASON_DOWN, false, true, OWNERS_DEAD },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		teardown(state);
		stage_init(&s);
		s.first.pools[0].check = &check;
		s.first.pools[0].max_remove_percent = 100;
		for (int turn = 0; turn < 2;
		     turn++) { /* before the document and while it is in force */
			store_verdict(5, rows[i].five);
			store_verdict(9, rows[i].nine);
			if (turn)
				compiler_read_verdicts(&s.node, &s.time);
			else
				apply_world(&s, &s.first);
			const struct compiler_backend *b = backend_of(5);
			if (b->reason != rows[i].reason || b->alive != rows[i].alive ||
			    !(flags_of(5) & FWD_BACKEND_DEAD) == rows[i].is_dead ||
			    s.node.states[b->index] != rows[i].state)
				fail_msg("%s, turn %d: \"%s\", alive %d, flags %x, state %d",
				         rows[i].why, turn, effect_reason_text(b->reason), b->alive,
				         flags_of(5), s.node.states[b->index]);
		}
	}
}

static void pass_ms(uint64_t ms)
{
	for (uint64_t end_ms = s.time.now_ms + ms; s.time.now_ms < end_ms;) {
		s.time.now_ms += 100;
		s.time.ticks_ms += 100;
		s.time.wall_clock_ms += 100;
		compiler_tick(&s.node, &s.time);
	}
}

static uint32_t slots_of(uint64_t id)
{
	const struct compiler_pool *p = &s.node.pools[0];
	uint32_t n = 0;

	for (uint32_t i = p->first_slot; i < p->first_slot + p->n_slots; i++)
		n += (s.node.t.slots[i / FWD_SLOTS_PER_BLOCK].slot[i % FWD_SLOTS_PER_BLOCK] &
		      FWD_SLOT_BACKEND) == backend_of(id)->index;
	return n;
}

/* One set from the beginning: 9, and 5 if @p has_5. */
static void make_one_set(struct world *w, bool has_5)
{
	make_world(w);
	w->pools[0].check = &check;
	w->pools[0].max_remove_percent = 100;
	w->sets[0] = (struct model_set){ 0, INT64_MAX, has_5 ? w->now : &w->now[1], has_5 ? 2 : 1 };
	w->pools[0].n_member_sets = 1;
	w->pools[0].backends = has_5 ? w->backends : &w->backends[1];
	w->pools[0].n_backends = has_5 ? 2 : 1;
}

/* 5 has no verdict after the restart. The tables say who was in force: the owners of slots. */
static void who_waits_for_a_verdict_waits_after_a_restart_too(void **state)
{
	static const struct {
		const char *why;
		enum health_state five; /* before the restart */
		bool left;              /* 5 left the document before it, and is back after it */
		enum effect_reason reason;
		bool alive;
	} rows[] = {
		{ "it waited", HEALTH_UNKNOWN, false, EFFECT_REASON_WAITING, false },
		{ "it was in force", HEALTH_UP, false, EFFECT_REASON_NEW, true },
		{ "it was dead", HEALTH_DOWN, false, EFFECT_REASON_DOWN, false },
		{ "it had left", HEALTH_UP, true, EFFECT_REASON_WAITING, false },
	};
	static struct world after;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		teardown(state);
		stage_init(&s);
		make_one_set(&s.first, true);
		make_one_set(&s.second, false);
		make_one_set(&after, true);
		store_verdict(5, rows[i].five);
		store_verdict(9, HEALTH_UP);
		apply_world(&s, &s.first);
		assert_int_equal(slots_of(5) > 0, rows[i].five == HEALTH_UP);
		if (rows[i].left)
			apply_world(&s, &s.second);
		pass_ms(5000);
		compiler_fini(&s.node);
		start_node(&s, true);
		store_verdict(5, HEALTH_UNKNOWN);
		apply_world(&s, &after);
		pass_ms(5000);
		if (backend_of(5)->reason != rows[i].reason ||
		    backend_of(5)->alive != rows[i].alive || !slots_of(5) == rows[i].alive)
			fail_msg("%s: \"%s\", alive %d, %u slots", rows[i].why,
			         effect_reason_text((enum effect_reason)backend_of(5)->reason),
			         backend_of(5)->alive, slots_of(5));
		store_verdict(5, HEALTH_UP);
		compiler_read_verdicts(&s.node, &s.time);
		assert_true(backend_of(5)->alive);
	}
}

/* Another thread may have made the plan some time ago. */
static void a_plan_that_waited_is_in_force_as_of_now(void **state)
{
	char why[PLAN_REASON_MAX] = "";
	struct plan *plan;

	(void)state;
	assert_int_equal(plan_make(&s.second.model, NOW, &plan, why), 0);
	s.time.wall_clock_ms = NOW + 2000; /* 5 has left by a set of the document */
	assert_int_equal(compiler_apply_plan(&s.node, &s.second.model, plan, &s.time, why), 0);
	assert_int_equal(backend_of(5)->plan->weight, 0);
	assert_int_equal(backend_of(9)->plan->weight, 30);
}

/* The mark stays where nothing is decided: each decision sets a new time. */
static void a_published_page_decides_the_pools_with_news_alone(void **state)
{
	struct compiler_pool *p = &s.node.pools[0];

	(void)state;
	for (uint64_t id = 5; id <= 9; id += 2)
		store_verdict(id, HEALTH_UP);
	compiler_follow_verdicts(&s.node, &s.time);
	assert_int_equal(backend_of(5)->reason, EFFECT_REASON_UP);
	p->guard_at_ms = 1;
	compiler_follow_verdicts(&s.node, &s.time);
	assert_int_equal(p->guard_at_ms, 1);
	store_verdict(5, HEALTH_DOWN);
	compiler_follow_verdicts(&s.node, &s.time);
	assert_int_not_equal(p->guard_at_ms, 1);
	expect_counters(1, 0, 0);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, FWD_BACKEND_DEAD);
	p->guard_at_ms = 1;
	compiler_follow_verdicts(&s.node, &s.time); /* the same again is none */
	assert_int_equal(p->guard_at_ms, 1);
	compiler_set_health(&s.node, NULL); /* no word any more: that is news, too */
	compiler_follow_verdicts(&s.node, &s.time);
	assert_int_not_equal(p->guard_at_ms, 1);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, FWD_BACKEND_DEAD);
}

/* Owners hear of a return as they do of a death. */
static void a_published_page_brings_a_return_into_force(void **state)
{
	struct compiler_pool *p = &s.node.pools[0];

	(void)state;
	for (uint64_t id = 5; id <= 9; id += 2)
		store_verdict(id, HEALTH_UP);
	compiler_follow_verdicts(&s.node, &s.time);
	store_verdict(5, HEALTH_DOWN);
	compiler_follow_verdicts(&s.node, &s.time);
	assert_false(p->changed);
	store_verdict(5, HEALTH_UP);
	compiler_follow_verdicts(&s.node, &s.time);
	expect_counters(1, 1, 0);
	assert_false(p->changed);
}

/* weir-health may take a document, and so its targets, after this process. */
static void a_target_is_found_when_it_is_on_the_page(void **state)
{
	uint64_t targets[3];

	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		targets[i] = health_target_backend("web-ams", 5 + 2 * i);
	assert_int_equal(health_set_targets(s.health, targets, 2, 2), 0);
	compiler_follow_verdicts(&s.node, &s.time);
	assert_int_equal(backend_of(9)->page_index, -1);
	assert_int_equal(health_set_targets(s.health, targets, 3, 3), 0);
	for (uint64_t id = 5; id <= 9; id += 2)
		store_verdict(id, id == 9 ? HEALTH_DOWN : HEALTH_UP);
	compiler_follow_verdicts(&s.node, &s.time);
	assert_int_equal(flags_of(9) & FWD_BACKEND_DEAD, FWD_BACKEND_DEAD);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, 0);
}

/* What comes with a document is no death and no return, whatever is seen of it. */
static void a_new_backend_is_neither_dead_nor_back(void **state)
{
	(void)state;
	teardown(state);
	stage_init(&s);
	s.first.pools[0].check = &check;
	s.first.pools[0].max_remove_percent = 100;
	for (uint64_t id = 5; id <= 9; id += 2)
		store_verdict(id, id == 5 ? HEALTH_DOWN : HEALTH_UP);
	apply_world(&s, &s.first);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, FWD_BACKEND_DEAD);
	expect_counters(0, 0, 0);
	store_verdict(5, HEALTH_UP);
	compiler_read_verdicts(&s.node, &s.time);
	expect_counters(0, 1, 0);
}

static void without_a_check_no_word_counts(void **state)
{
	(void)state;
	s.second.pools[0].check = NULL;
	store_verdict(5, HEALTH_DOWN);
	apply_world(&s, &s.second);
	assert_int_equal(backend_of(5)->reason, EFFECT_REASON_UNCHECKED);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, 0);
}

/* Without a page, or with one that has no such target, nothing is known: who was in force stays. */
static void without_a_page_all_stays(void **state)
{
	static const uint64_t others[1] = { 1 };

	(void)state;
	for (uint64_t id = 5; id <= 9; id += 2)
		store_verdict(id, id == 5 ? HEALTH_DOWN : HEALTH_UP);
	compiler_read_verdicts(&s.node, &s.time);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, FWD_BACKEND_DEAD);
	compiler_set_health(&s.node, NULL);
	compiler_read_verdicts(&s.node, &s.time);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, FWD_BACKEND_DEAD);
	assert_int_equal(flags_of(9) & FWD_BACKEND_DEAD, 0);
	assert_int_equal(health_set_targets(s.health, others, 1, 2), 0);
	compiler_set_health(&s.node, s.health);
	compiler_read_verdicts(&s.node, &s.time);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, FWD_BACKEND_DEAD);
	assert_int_equal(flags_of(9) & FWD_BACKEND_DEAD, 0);
	expect_counters(s.node.counters.deaths, 0, 0);
}

/* A page that was cut short reads as zeros, or as anything: its words change nothing. */
static void words_of_a_damaged_page_do_not_count(void **state)
{
	char path[] = "/tmp/weir-verdicts-XXXXXX", lock[64];
	struct page *page, *reader;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(
	        page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, sizeof(*s.health), &page),
	        0);
	for (uint64_t id = 5; id <= 9; id += 2)
		store_verdict(id, HEALTH_UP);
	memcpy(page_payload(page), s.health, sizeof(*s.health));
	assert_int_equal(page_open(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT, NULL, &reader), 0);
	compiler_set_health_page(&s.node, reader);
	compiler_read_verdicts(&s.node, &s.time);
	assert_int_equal(backend_of(5)->reason, EFFECT_REASON_UP);
	struct health_page *words = page_payload(page);
	health_write(words, health_find_index(words, health_target_backend("web-ams", 5)),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_OK, 1));
	struct page_header *head = (struct page_header *)(uintptr_t)page_header(page);
	memcpy(head->magic, "nonsense", sizeof(head->magic));
	compiler_read_verdicts(&s.node, &s.time);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, 0);
	expect_counters(0, 0, 0);
	assert_true(page_repair(page)); /* its writer writes all of it again */
	memcpy(page_payload(page), s.health, sizeof(*s.health));
	health_write(words, health_find_index(words, health_target_backend("web-ams", 5)),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_OK, 1));
	compiler_read_verdicts(&s.node, &s.time);
	assert_int_equal(flags_of(5) & FWD_BACKEND_DEAD, FWD_BACKEND_DEAD);
	compiler_set_health(&s.node, s.health);
	page_close(reader);
	page_close(page);
	unlink(path);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
}

#define VERDICTS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(compiler_verdicts)
{
	const struct CMUnitTest tests[] = {
		VERDICTS_TEST(deaths_returns_and_holds_are_counted_when_they_come),
		VERDICTS_TEST(who_fell_shortly_before_the_last_one_is_brought_back),
		VERDICTS_TEST(a_line_tells_of_each_death_return_and_hold),
		VERDICTS_TEST(another_reason_to_be_out_is_no_return),
		VERDICTS_TEST(who_is_enabled_again_without_a_verdict_waits_for_one),
		VERDICTS_TEST(who_has_no_verdict_is_not_dead),
		VERDICTS_TEST(who_waits_for_a_verdict_waits_after_a_restart_too),
		VERDICTS_TEST(a_plan_that_waited_is_in_force_as_of_now),
		VERDICTS_TEST(a_published_page_decides_the_pools_with_news_alone),
		VERDICTS_TEST(a_published_page_brings_a_return_into_force),
		VERDICTS_TEST(a_target_is_found_when_it_is_on_the_page),
		VERDICTS_TEST(a_new_backend_is_neither_dead_nor_back),
		VERDICTS_TEST(without_a_check_no_word_counts),
		VERDICTS_TEST(without_a_page_all_stays),
		VERDICTS_TEST(words_of_a_damaged_page_do_not_count),
	};

	return cmocka_run_group_tests_name("verdicts", tests, NULL, NULL);
}
