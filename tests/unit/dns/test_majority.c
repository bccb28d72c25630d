/* SPDX-License-Identifier: BSD-2-Clause */
/* What several nodes see of a target, as one word; and the pages from which that comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/page.h"
#include "base/proc.h"
#include "dns/place.h"
#include "dns/views.h"
#include "weir/view.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UP       health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 7)
#define DOWN     health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 8)
#define UNKNOWN  health_make(HEALTH_UNKNOWN, 0, HEALTH_REASON_NONE, 0)
#define VAGUE    health_make(HEALTH_DOWN, HEALTH_MARK_INCONCLUSIVE, HEALTH_REASON_TIMEOUT, 8)
#define RESTORED health_make(HEALTH_DOWN, HEALTH_MARK_RESTORED, HEALTH_REASON_REFUSED, 8)

/* Views as site, mark, state: "0+u" is site 0, fresh, up; "-" not fresh; "*" fresh and the own one. */
struct case_of {
	const char *why, *views;
	enum health_state state;
	uint32_t n_up, n_down;
	bool last_known, doubt;
};

static size_t read_views(const char *text, struct majority_view *out)
{
	size_t n = 0;

	for (; *text; text += 3 + (text[3] == ' '), n++) {
		char c = text[2];

		out[n] = (struct majority_view){ .site = (uint32_t)(text[0] - '0'),
			                         .own = text[1] == '*',
			                         .fresh = text[1] != '-' };
		out[n].word = c == 'u'   ? UP
		              : c == 'd' ? DOWN
		              : c == 'v' ? VAGUE
		              : c == 'r' ? RESTORED
		                         : UNKNOWN;
	}
	return n;
}

static const struct case_of cases[] = {
	{ "nobody at all", "", HEALTH_UNKNOWN, 0, 0, true, false },
	{ "nobody knows", "0*? 1+? 2+?", HEALTH_UNKNOWN, 0, 0, true, false },
	{ "all say up", "0*u 1+u 2+u", HEALTH_UP, 3, 0, false, false },
	{ "all say down", "0*d 1+d 2+d", HEALTH_DOWN, 0, 3, false, false },
	{ "one of three, itself, is not enough", "0*d 1+u 2+u", HEALTH_UP, 2, 1, false, true },
	{ "one of three, another, is not enough", "0*u 1+d 2+u", HEALTH_UP, 2, 1, false, true },
	{ "two of three", "0*u 1+d 2+d", HEALTH_DOWN, 1, 2, false, true },
	{ "two of four are no majority", "0*u 1+d 2+d 3+u", HEALTH_UP, 2, 2, false, true },
	{ "three of four", "0*u 1+d 2+d 3+d", HEALTH_DOWN, 1, 3, false, true },
	{ "one of two fresh ones is no majority", "0*d 1+u 2-u", HEALTH_UP, 1, 1, false, true },
	{ "both fresh ones", "0*d 1+d 2-u", HEALTH_DOWN, 0, 2, false, false },
	{ "the own one alone is the majority", "0*d 1-u 2-u", HEALTH_DOWN, 0, 1, false, false },
	{ "the own one alone, up", "0*u 1-d 2-d", HEALTH_UP, 1, 0, false, false },
	{ "an unknown one has no vote", "0*d 1+? 2+d", HEALTH_DOWN, 0, 2, false, false },
	{ "an inconclusive one has no vote", "0*v 1+v 2+u", HEALTH_UP, 1, 0, false, false },
	{ "a restored one has no vote", "0*r 1+r 2+u", HEALTH_UP, 1, 0, false, false },
	{ "nothing fresh: the last words", "0-d 1-d 2-u", HEALTH_DOWN, 1, 2, true, true },
	{ "nothing fresh: a tie of last words", "0-d 1-u", HEALTH_UP, 1, 1, true, true },
	{ "inconclusive here, the others gone", "0*v 1-u 2-u", HEALTH_UP, 2, 1, true, true },
	{ "inconclusive everywhere: the last words", "0*v 1+v 2+v", HEALTH_DOWN, 0, 3, true,
	  false },
	{ "three nodes of one site are one vote", "0*d 0+d 0+d 1+u 2+u", HEALTH_UP, 2, 1, false,
	  true },
	{ "a site's nodes that disagree evenly say up", "0*d 0+u 1+d 2+u", HEALTH_UP, 2, 1, false,
	  true },
	{ "most of a site's nodes", "0*d 0+d 0+u 1+d 2+u", HEALTH_DOWN, 1, 2, false, true },
	{ "a site's silent nodes have no vote", "0*d 0-u 0-u 1+d 2+u", HEALTH_DOWN, 1, 2, false,
	  true },
};

static void a_strict_majority_of_fresh_views_removes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct case_of *c = &cases[i];
		struct majority_view views[8];
		struct majority m = majority_of(views, read_views(c->views, views));

		if (health_state(m.word) != c->state || m.n_up != c->n_up ||
		    m.n_down != c->n_down || m.last_known != c->last_known ||
		    health_in_doubt(m.word) != c->doubt)
			fail_msg("%s: %s, %u up, %u down, last known %d, doubt %d", c->why,
			         health_state_text(health_state(m.word)), m.n_up, m.n_down,
			         m.last_known, health_in_doubt(m.word));
	}
}

static void the_reason_is_the_own_one_where_it_agrees(void **state)
{
	struct majority_view views[3] = {
		{ .site = 0, .fresh = true, .word = DOWN },
		{ .site = 1,
		  .fresh = true,
		  .own = true,
		  .word = health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 9) },
		{ .site = 2, .fresh = true, .word = UP },
	};
	struct majority m = majority_of(views, 3);
	(void)state;

	assert_int_equal(health_reason(m.word), HEALTH_REASON_REFUSED);
	assert_int_equal(health_since_s(m.word), 9);
	views[1].word = UP;
	m = majority_of(views, 3);
	assert_int_equal(health_state(m.word), HEALTH_UP);
	assert_int_equal(health_reason(m.word), HEALTH_REASON_OK);
}

static void doubt_of_a_voter_is_doubt_and_that_of_others_is_not(void **state)
{
	struct majority_view views[2] = {
		{ .site = 0, .fresh = true, .word = UP },
		{ .site = 1,
		  .fresh = false,
		  .word = health_make(HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_OK, 1) },
	};
	(void)state;

	assert_false(health_in_doubt(majority_of(views, 2).word));
	views[1].fresh = true;
	assert_true(health_in_doubt(majority_of(views, 2).word));
}

/* Over all words and marks of three sites: never down without more fresh votes for it than against. */
static void nothing_is_removed_without_a_majority(void **state)
{
	const health_word words[] = { UP, DOWN, UNKNOWN, VAGUE, RESTORED, UINT64_MAX, 3 };
	size_t n = COUNT(words) * 2;
	(void)state;

	for (size_t i = 0; i < n * n * n; i++) {
		struct majority_view v[3];
		int balance = 0, votes = 0;

		for (uint32_t k = 0, at = (uint32_t)i; k < 3; k++, at /= (uint32_t)n) {
			v[k] = (struct majority_view){ .site = k,
				                       .fresh = at % 2,
				                       .word = words[at % n / 2] };
			if (majority_has_vote(&v[k])) {
				votes++;
				balance += health_state(v[k].word) == HEALTH_DOWN ? 1
				           : health_state(v[k].word) == HEALTH_UP ? -1
				                                                  : 0;
			}
		}
		struct majority m = majority_of(v, 3);

		if (votes)
			assert_int_equal(health_state(m.word) == HEALTH_DOWN, balance > 0);
	}
}

/* Three sites, a node each, one service; pages in a directory of their own. */
struct pages {
	char dir[32];
	struct model_site sites[3];
	struct model_node nodes[3];
	struct model m;
	struct place_site at[3];
	struct place_service service;
	struct place p;
	struct arena *arena;
	struct health_page *own;
	struct views *v;
};

static const char *const names[] = { "ams", "fra", "lon" };

static int set_up(void **state)
{
	struct pages *p = calloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/weir-views.XXXXXX");
	p->own = calloc(1, sizeof(*p->own));
	if (!p->own || !mkdtemp(p->dir))
		return -1;
	for (uint32_t i = 0; i < 3; i++) {
		p->sites[i] = (struct model_site){ .name = names[i], .index = i };
		p->nodes[i] = (struct model_node){ .name = names[i],
			                           .site = &p->sites[i],
			                           .api = "https://x" };
		p->at[i] = (struct place_site){ .name = names[i] };
	}
	p->m = (struct model){ .sites = p->sites, .n_sites = 3, .nodes = p->nodes, .n_nodes = 3 };
	p->m.self = &p->nodes[1];
	p->service = (struct place_service){ .name = "web", .n_sites = 3, .sites = p->at };
	p->p = (struct place){ .n_services = 1, .n_states = 3, .services = &p->service };
	p->arena = arena_new(1 << 20);
	p->v = views_new(&p->m, &p->p, p->arena);
	*state = p;
	return p->v ? 0 : -1;
}

static int tear_down(void **state)
{
	struct pages *p = *state;
	char command[64];

	views_close(p->v);
	arena_free(p->arena);
	snprintf(command, sizeof(command), "rm -r %s", p->dir);
	free(p->own);
	free(p);
	return system(command);
}

/* What weir-mgmt does with an answer: @p node sees the VIP of lon in IPv4 as @p word. */
static struct page *tell(const struct pages *p, const char *node, health_word word,
                         uint64_t good_until_ms)
{
	uint64_t target = health_target_service("web", "lon", true);
	char path[PATH_MAX];
	struct page *page;

	assert_int_equal(view_path(p->dir, node, path), 0);
	assert_int_equal(page_create(path, VIEW_PAGE_KIND, VIEW_PAGE_LAYOUT,
	                             sizeof(struct view_page), &page),
	                 0);
	struct view_page *view = page_payload(page);

	assert_int_equal(health_set_targets(&view->health, &target, 1, 0), 0);
	health_write(&view->health, health_find(&view->health, target), word);
	view_set_good_until_ms(view, good_until_ms);
	page_publish(page);
	return page;
}

#define LON4 5 /* the third site's IPv4 */

static struct majority look(struct pages *p, uint64_t now_ms)
{
	const struct views_seen seen = {
		.own = p->own, .own_good_until_ms = 100000, .run_dir = p->dir, .now_ms = now_ms
	};

	views_read(p->v, &seen);
	return views_of(p->v, LON4);
}

static void see(struct pages *p, health_word word)
{
	uint64_t target = health_target_service("web", "lon", true);

	assert_int_equal(health_set_targets(p->own, &target, 1, 1), 0);
	health_write(p->own, health_find(p->own, target), word);
}

static void views_of_others_count_while_they_are_fresh(void **state)
{
	struct pages *p = *state;

	see(p, DOWN);
	assert_int_equal(health_state(look(p, 1000).word), HEALTH_DOWN); /* nobody else is known */
	page_close(tell(p, "ams", UP, 9000));
	page_close(tell(p, "lon", UP, 7000));
	assert_int_equal(health_state(look(p, 2000).word), HEALTH_UP);
	assert_int_equal(look(p, 2000).n_up, 2);
	assert_int_equal(look(p, 7000).n_up, 1); /* what is good until then is not good then */
	assert_int_equal(health_state(look(p, 8000).word), HEALTH_UP);
	assert_int_equal(health_state(look(p, 9000).word), HEALTH_DOWN);
	page_close(tell(p, "lon", DOWN, 20000)); /* itself: one vote like any other */
	page_close(tell(p, "ams", UP, 20000));
	assert_int_equal(look(p, 10000).n_down, 2);
	assert_int_equal(views_from_outside(p->v, LON4, &p->sites[2]).n_down, 1);
	assert_int_equal(views_from_outside(p->v, LON4, &p->sites[2]).n_up, 1);
}

static void with_two_sites_each_trusts_its_own_view(void **state)
{
	struct pages *p = *state;

	p->v->n_sites = 2;
	see(p, DOWN);
	page_close(tell(p, "ams", UP, 9000));
	page_close(tell(p, "lon", UP, 9000));
	assert_int_equal(look(p, 2000).word, DOWN);
}

static void a_page_that_is_none_is_not_believed(void **state)
{
	struct pages *p = *state;
	char path[PATH_MAX];
	FILE *f;

	see(p, DOWN);
	assert_int_equal(view_path(p->dir, "ams", path), 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("weirpage and nothing behind it", f);
	fclose(f);
	assert_int_equal(health_state(look(p, 1000).word), HEALTH_DOWN);
	page_close(tell(p, "ams", UP, 90000)); /* takes the file's place */
	page_close(tell(p, "lon", UP, 90000));
	assert_int_equal(health_state(look(p, 3000).word), HEALTH_UP);
	assert_int_equal(unlink(path), 0); /* mapped is mapped: the words stay */
	assert_int_equal(health_state(look(p, 5000).word), HEALTH_UP);
}

static void a_page_laid_out_anew_keeps_what_was_read(void **state)
{
	struct pages *p = *state;
	struct page *page = tell(p, "ams", UP, 90000);
	struct view_page *view = page_payload(page);

	see(p, DOWN);
	page_close(tell(p, "lon", UP, 90000));
	assert_int_equal(look(p, 1000).n_up, 2);
	view->health.generation |= 1;
	memset(view->health.entries, 0, sizeof(view->health.entries));
	page_publish(page);
	assert_int_equal(look(p, 1100).n_up, 2);
	page_close(page);
}

static void words_are_read_as_they_were_told_and_nothing_else_is(void **state)
{
	static const char *const bad[] = { "",
		                           "1",
		                           "000000000000000",
		                           "00000000000000001",
		                           "000000000000000g",
		                           "000000000000000A",
		                           " 00000000000001",
		                           "0x00000000000001",
		                           "-000000000000001",
		                           "0000000000000003" };
	const health_word good[] = { UP, DOWN, UNKNOWN, VAGUE, RESTORED };
	health_word word = 42;
	char text[VIEW_HEX_MAX];
	(void)state;

	assert_false(view_read_word(NULL, &word));
	for (size_t i = 0; i < COUNT(bad); i++)
		if (view_read_word(bad[i], &word))
			fail_msg("%s is no word", bad[i]);
	assert_int_equal(word, 42);
	for (size_t i = 0; i < COUNT(good); i++) {
		view_hex(good[i], text);
		assert_true(view_read_word(text, &word));
		assert_int_equal(word, good[i]);
	}
	assert_true(view_read_word("ffffffffffffffc1", &word)); /* a reason not known here */
	assert_int_equal(health_state(word), HEALTH_UP);
	assert_int_equal(health_reason(word), HEALTH_REASON_NONE);
	assert_int_equal(health_since_s(word), 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_strict_majority_of_fresh_views_removes),
		cmocka_unit_test(the_reason_is_the_own_one_where_it_agrees),
		cmocka_unit_test(doubt_of_a_voter_is_doubt_and_that_of_others_is_not),
		cmocka_unit_test(nothing_is_removed_without_a_majority),
		cmocka_unit_test_setup_teardown(views_of_others_count_while_they_are_fresh, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(with_two_sites_each_trusts_its_own_view, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_page_that_is_none_is_not_believed, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_page_laid_out_anew_keeps_what_was_read, set_up,
		                                tear_down),
		cmocka_unit_test(words_are_read_as_they_were_told_and_nothing_else_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
