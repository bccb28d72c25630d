/* SPDX-License-Identifier: BSD-2-Clause */
/* What several nodes see of a target, as one word; and the pages from which that comes. */
#include <errno.h>
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
#include "dns/steering/decided.h"
#include "dns/steering/steering.h"
#include "dns/steering/peer_health.h"
#include "tests/unit/suite.h"
#include "weir/peer_page.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UP       health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 7)
#define DOWN     health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 8)
#define UNKNOWN  health_make(HEALTH_UNKNOWN, 0, HEALTH_REASON_NONE, 0)
#define VAGUE    health_make(HEALTH_DOWN, HEALTH_MARK_INCONCLUSIVE, HEALTH_REASON_TIMEOUT, 8)
#define RESTORED health_make(HEALTH_DOWN, HEALTH_MARK_RESTORED, HEALTH_REASON_REFUSED, 8)

/*
 * Views as site, mark, state: "0+u" is site 0, fresh, up; "-" not fresh; "*" fresh and the own one.
 * What was in force: 'u' up, 'd' down, '?' nothing is known.
 */
struct case_of {
	const char *why, *views;
	char was;
	enum health_state state;
	uint32_t n_up, n_down, n_lost;
	bool held, doubt;
};

static health_word word_of(char c)
{
	switch (c) {
	case 'u':
		return UP;
	case 'd':
		return DOWN;
	case 'v':
		return VAGUE;
	case 'r':
		return RESTORED;
	default:
		return UNKNOWN;
	}
}

static enum majority_was was_of(char c)
{
	return c == 'u' ? MAJORITY_WAS_UP : c == 'd' ? MAJORITY_WAS_DOWN : MAJORITY_WAS_UNKNOWN;
}

static size_t read_views(const char *text, struct majority_node *out)
{
	size_t n = 0;

	for (; *text; text += 3 + (text[3] == ' '), n++)
		out[n] = (struct majority_node){ .site = (uint32_t)(text[0] - '0'),
			                         .own = text[1] == '*',
			                         .fresh = text[1] != '-',
			                         .word = word_of(text[2]) };
	return n;
}

static const struct case_of cases[] = {
	{ "nobody at all", "", 'u', HEALTH_UNKNOWN, 0, 0, 0, false, false },
	{ "nobody knows", "0*? 1+? 2+?", '?', HEALTH_UNKNOWN, 0, 0, 3, true, false },
	{ "all say up", "0*u 1+u 2+u", 'u', HEALTH_UP, 3, 0, 0, false, false },
	{ "all say down", "0*d 1+d 2+d", 'u', HEALTH_DOWN, 0, 3, 0, false, false },
	{ "one of three, itself", "0*d 1+u 2+u", 'u', HEALTH_UP, 2, 1, 0, false, true },
	{ "one of three, another", "0*u 1+d 2+u", 'u', HEALTH_UP, 2, 1, 0, false, true },
	{ "one of three brings back", "0*u 1+d 2+u", 'd', HEALTH_UP, 2, 1, 0, false, true },
	{ "two of three", "0*u 1+d 2+d", 'u', HEALTH_DOWN, 1, 2, 0, false, true },
	{ "two of three, one is lost", "0*d 1+d 2-u", 'u', HEALTH_DOWN, 0, 2, 1, false, false },
	{ "two of four are no majority", "0*u 1+d 2+d 3+u", 'u', HEALTH_UP, 2, 2, 0, false, true },
	{ "two of four, two are lost", "0*d 1+d 2-u 3-u", 'u', HEALTH_UP, 0, 2, 2, true, false },
	{ "three of four", "0*u 1+d 2+d 3+d", 'u', HEALTH_DOWN, 1, 3, 0, false, true },
	{ "three of five, two are lost", "0*d 1+d 2+d 3-u 4-u", 'u', HEALTH_DOWN, 0, 3, 2, false,
	  false },
	{ "two of five, three are lost", "0*d 1+d 2-d 3-d 4-d", 'u', HEALTH_UP, 0, 2, 3, true,
	  false },
	{ "a lost one keeps", "0*d 1+u 2-d", 'u', HEALTH_UP, 1, 1, 1, true, true },
	{ "a lost one brings nothing back", "0*d 1+u 2-d", 'd', HEALTH_DOWN, 1, 1, 1, true, true },
	{ "the own view alone removes nothing", "0*d 1-u 2-u", 'u', HEALTH_UP, 0, 1, 2, true,
	  false },
	{ "nor does it bring back", "0*u 1-d 2-d", 'd', HEALTH_DOWN, 1, 0, 2, true, false },
	{ "nor after all said down once", "0*d 1-d 2-d", 'u', HEALTH_UP, 0, 1, 2, true, false },
	{ "an unknown one is lost", "0*d 1+? 2+d", 'u', HEALTH_DOWN, 0, 2, 1, false, false },
	{ "an inconclusive one is lost", "0*v 1+v 2+u", 'u', HEALTH_UP, 1, 0, 2, true, false },
	{ "a restored one is lost", "0*r 1+r 2+d", 'u', HEALTH_UP, 0, 1, 2, true, false },
	{ "one lost cannot stop a return", "0*u 1+u 2-d", 'd', HEALTH_UP, 2, 0, 1, false, false },
	{ "nothing was kept: the last words", "0-d 1-d 2-u", '?', HEALTH_DOWN, 0, 0, 3, true,
	  false },
	{ "nothing was kept: one last word", "0-d 1-? 2-?", '?', HEALTH_UP, 0, 0, 3, true, false },
	{ "nothing was kept: the own one", "0*d 1-? 2-?", '?', HEALTH_UP, 0, 1, 2, true, false },
	{ "three nodes of one site are one vote", "0*d 0+d 0+d 1+u 2+u", 'u', HEALTH_UP, 2, 1, 0,
	  false, true },
	{ "a site's nodes that disagree evenly", "0*d 0+u 1+d 2+u", 'u', HEALTH_UP, 2, 1, 0, false,
	  true },
	{ "most of a site's nodes", "0*d 0+d 0+u 1+d 2+u", 'u', HEALTH_DOWN, 1, 2, 0, false, true },
	{ "most of them, one is lost", "0*d 0+d 0-u 1+d 2+u", 'u', HEALTH_DOWN, 1, 2, 0, false,
	  true },
	{ "one of each kind keeps", "0*u 0+d 0-u 1+d 2+d 3+u", 'u', HEALTH_UP, 1, 2, 1, true,
	  true },
	{ "a site's lost nodes keep", "0*d 0-u 0-u 1+d 2+u", 'u', HEALTH_UP, 1, 1, 1, true, true },
	{ "an up node and a lost one", "0*u 0-d 1+d 2+u", 'd', HEALTH_UP, 2, 1, 0, false, true },
};

static void a_majority_of_the_sites_removes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct case_of *c = &cases[i];
		struct majority_node views[8];
		struct majority m = majority_of(views, read_views(c->views, views), was_of(c->was));

		if (health_state(m.word) != c->state || m.n_up != c->n_up ||
		    m.n_down != c->n_down || m.n_lost != c->n_lost || m.held != c->held ||
		    health_in_doubt(m.word) != c->doubt)
			fail_msg("%s: %s, %u up, %u down, %u lost, held %d, doubt %d", c->why,
			         health_state_text(health_state(m.word)), m.n_up, m.n_down,
			         m.n_lost, m.held, health_in_doubt(m.word));
	}
}

static void the_reason_is_the_own_one_where_it_agrees(void **state)
{
	struct majority_node views[3] = {
		{ .site = 0, .fresh = true, .word = DOWN },
		{ .site = 1,
		  .fresh = true,
		  .own = true,
		  .word = health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 9) },
		{ .site = 2, .fresh = true, .word = UP },
	};
	struct majority m = majority_of(views, 3, MAJORITY_WAS_UP);
	(void)state;

	assert_int_equal(health_reason(m.word), HEALTH_REASON_REFUSED);
	assert_int_equal(health_since_s(m.word), 9);
	views[1].word = UP;
	m = majority_of(views, 3, MAJORITY_WAS_UP);
	assert_int_equal(health_state(m.word), HEALTH_UP);
	assert_int_equal(health_reason(m.word), HEALTH_REASON_OK);
}

static void doubt_of_a_voter_is_doubt_and_that_of_others_is_not(void **state)
{
	struct majority_node views[2] = {
		{ .site = 0, .fresh = true, .word = UP },
		{ .site = 1,
		  .fresh = false,
		  .word = health_make(HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_OK, 1) },
	};
	(void)state;

	assert_false(health_in_doubt(majority_of(views, 2, MAJORITY_WAS_UP).word));
	views[1].fresh = true;
	assert_true(health_in_doubt(majority_of(views, 2, MAJORITY_WAS_UP).word));
}

/* What a view can be: fresh and up or down; then all the ways to be lost, late or damaged. */
static const struct {
	bool fresh;
	char state;
} kinds[] = {
	{ true, 'u' }, { true, 'd' },  { true, '?' },  { true, 'v' },
	{ true, 'r' }, { false, 'u' }, { false, 'd' }, { false, '?' },
};

/* View number @p k of pattern @p i. */
static struct majority_node view_in(uint32_t i, uint32_t k)
{
	uint32_t at = i >> 3 * k & 7;

	return (struct majority_node){
		.site = k, .own = k == 0, .fresh = kinds[at].fresh, .word = word_of(kinds[at].state)
	};
}

/*
 * All patterns of up to five sites: a rule of its own, written from what a majority is, says what
 * may be removed.
 */
static void losing_information_removes_nothing_and_brings_nothing_back(void **state)
{
	size_t n_patterns = 0;
	(void)state;

	for (uint32_t n = 2; n <= 5; n++)
		for (uint32_t i = 0; i < 1u << 3 * n; i++) {
			struct majority_node v[5];
			uint32_t n_down = 0, n_up = 0;

			for (uint32_t k = 0; k < n; k++) {
				v[k] = view_in(i, k);
				n_down += (i >> 3 * k & 7) == 1;
				n_up += (i >> 3 * k & 7) == 0;
			}
			enum health_state up =
			        health_state(majority_of(v, n, MAJORITY_WAS_UP).word);
			enum health_state down =
			        health_state(majority_of(v, n, MAJORITY_WAS_DOWN).word);

			assert_int_equal(up == HEALTH_DOWN, 2 * n_down > n);
			assert_int_equal(down != HEALTH_DOWN, 2 * n_up >= n);
			for (uint32_t k = 0; k < n; k++) { /* the same with one view less */
				struct majority_node was = v[k];

				v[k].fresh = false;
				if (up != HEALTH_DOWN)
					assert_int_not_equal(
					        health_state(
					                majority_of(v, n, MAJORITY_WAS_UP).word),
					        HEALTH_DOWN);
				if (down == HEALTH_DOWN)
					assert_int_equal(
					        health_state(
					                majority_of(v, n, MAJORITY_WAS_DOWN).word),
					        HEALTH_DOWN);
				v[k] = was;
			}
			n_patterns++;
		}
	assert_int_equal(n_patterns, 64 + 512 + 4096 + 32768);
}

static void a_damaged_word_has_no_vote(void **state)
{
	const health_word words[] = { UINT64_MAX, 3, HEALTH_UNKNOWN };
	(void)state;

	for (size_t i = 0; i < COUNT(words); i++) {
		struct majority_node v = { .fresh = true, .word = words[i] };
		struct majority m = majority_of(&v, 1, MAJORITY_WAS_UP);

		assert_true(m.n_lost == 1 && m.n_up == 0 && m.n_down == 0);
	}
}

/* Three sites, a node each, one service; pages in a directory of their own. */
struct node_pages {
	char dir[32];
	struct model_site sites[3];
	struct model_node nodes[3];
	struct model m;
	struct steering_site at[3];
	struct steering_service service;
	struct steering p;
	struct arena *arena;
	struct health_page *own;
	struct peer_health *v;
};

static const char *const names[] = { "ams", "fra", "lon" };

static int set_up(void **state)
{
	struct node_pages *p = calloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/weir-views.XXXXXX");
	p->own = calloc(1, sizeof(*p->own));
	if (!p->own || !mkdtemp(p->dir))
		return -1;
	for (uint32_t i = 0; i < 3; i++) {
		p->sites[i] = (struct model_site){ .name = names[i], .index = i };
		p->nodes[i] = (struct model_node){ .name = names[i],
			                           .site = &p->sites[i],
			                           .api = "https://x" };
		p->at[i] = (struct steering_site){ .name = names[i] };
	}
	p->m = (struct model){ .sites = p->sites, .n_sites = 3, .nodes = p->nodes, .n_nodes = 3 };
	p->m.self = &p->nodes[1];
	p->service = (struct steering_service){ .name = "web", .n_sites = 3, .sites = p->at };
	p->p = (struct steering){ .n_services = 1, .n_states = 3, .services = &p->service };
	p->arena = arena_new(1 << 20);
	p->v = peer_health_new(&p->m, &p->p, p->arena);
	*state = p;
	return p->v ? 0 : -1;
}

static int tear_down(void **state)
{
	struct node_pages *p = *state;
	char command[64];

	peer_health_close(p->v);
	arena_free(p->arena);
	snprintf(command, sizeof(command), "rm -r %s", p->dir);
	free(p->own);
	free(p);
	return system(command);
}

/* What weir-mgmt does with an answer: @p node sees the VIP of lon in IPv4 as @p word. */
static struct page *write_page(const struct node_pages *p, const char *node, health_word word,
                               uint64_t good_until_ms)
{
	uint64_t target = health_target_service("web", "lon", true);
	char path[PATH_MAX];
	struct page *page;

	assert_int_equal(peer_page_path(p->dir, node, path), 0);
	assert_int_equal(page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT,
	                             sizeof(struct peer_page), &page),
	                 0);
	struct peer_page *view = page_payload(page);

	assert_int_equal(health_set_targets(&view->health, &target, 1, 0), 0);
	health_write(&view->health, health_find_index(&view->health, target), word);
	peer_page_set_good_until_ms(view, good_until_ms);
	page_publish(page);
	return page;
}

#define LON4 5 /* the third site's IPv4 */

static struct majority read_majority(struct node_pages *p, uint64_t now_ms)
{
	const struct peer_health_input seen = {
		.own = p->own, .own_good_until_ms = 100000, .run_dir = p->dir, .now_ms = now_ms
	};

	peer_health_read(p->v, &seen);
	return peer_health_of_target(p->v, LON4);
}

static void set_words(struct node_pages *p, health_word word)
{
	uint64_t target = health_target_service("web", "lon", true);

	assert_int_equal(health_set_targets(p->own, &target, 1, 1), 0);
	health_write(p->own, health_find_index(p->own, target), word);
}

static void views_of_others_count_while_they_are_fresh(void **state)
{
	struct node_pages *p = *state;

	set_words(p, DOWN);
	assert_int_equal(health_state(read_majority(p, 1000).word),
	                 HEALTH_UP); /* nobody else is known */
	page_close(write_page(p, "ams", DOWN, 9000));
	page_close(write_page(p, "lon", UP, 7000));
	assert_int_equal(health_state(read_majority(p, 2000).word), HEALTH_DOWN);
	assert_int_equal(read_majority(p, 2000).n_down, 2);
	assert_int_equal(read_majority(p, 7000).n_lost,
	                 1); /* what is good until then is not good then */
	assert_int_equal(health_state(read_majority(p, 8000).word), HEALTH_DOWN);
	assert_true(read_majority(p, 9000).held);
	page_close(write_page(p, "lon", DOWN, 20000)); /* itself: one vote like any other */
	page_close(write_page(p, "ams", UP, 20000));
	assert_int_equal(read_majority(p, 10000).n_down, 2);
	assert_int_equal(peer_health_from_outside(p->v, LON4, &p->sites[2]).n_down, 1);
	assert_int_equal(peer_health_from_outside(p->v, LON4, &p->sites[2]).n_up, 1);
}

static void what_is_in_force_is_held_when_the_majority_is_lost(void **state)
{
	struct node_pages *p = *state;
	struct decided d = { .known = true };

	p->v->decided = &d;
	set_words(p, DOWN);
	page_close(write_page(p, "ams", DOWN, 9000));
	assert_int_equal(health_state(read_majority(p, 1000).word), HEALTH_DOWN);
	assert_int_equal(health_state(read_majority(p, 9000).word),
	                 HEALTH_UP); /* it was up, for all that is kept */
	decided_begin(&d);
	decided_add(&d, health_target_service("web", "lon", true));
	decided_end(&d, true);
	assert_int_equal(health_state(read_majority(p, 9000).word), HEALTH_DOWN);
	set_words(p, UP);
	assert_int_equal(health_state(read_majority(p, 9000).word), HEALTH_DOWN);
	page_close(write_page(p, "lon", UP, 20000));
	assert_int_equal(health_state(read_majority(p, 10500).word), HEALTH_UP);
	p->v->decided = NULL;
	decided_close(&d);
}

static void with_two_sites_each_trusts_its_own_view(void **state)
{
	struct node_pages *p = *state;

	peer_health_exclude(p->v, 1); /* ams, by a person */
	set_words(p, DOWN);
	page_close(write_page(p, "ams", UP, 9000));
	page_close(write_page(p, "lon", UP, 9000));
	assert_int_equal(read_majority(p, 2000).word, DOWN);
	peer_health_exclude(p->v, 0);
	assert_int_equal(health_state(read_majority(p, 2000).word), HEALTH_UP);
}

static void sites_that_cannot_be_asked_are_counted(void **state)
{
	struct node_pages *p = *state;
	struct peer_health_sites s = peer_health_sites(p->v);

	assert_int_equal(s.n, 3);
	assert_int_equal(s.n_heard, 0);
	set_words(p, UP);
	page_close(write_page(p, "ams", UP, 9000));
	read_majority(p, 1000);
	s = peer_health_sites(p->v);
	assert_int_equal(s.n_heard, 2);
	assert_int_equal(s.lost, 1 << 2);
}

/* Two nodes at one site: it is heard by either of them. */
static void a_site_is_heard_by_any_of_its_nodes(void **state)
{
	static const char *const heard[] = { "ams", "lon" };
	struct node_pages *p = *state;

	for (size_t i = 0; i < 2; i++) {
		struct page *page;

		peer_health_close(p->v);
		p->nodes[2].site = &p->sites[0];
		p->v = peer_health_new(&p->m, &p->p, p->arena);
		assert_non_null(p->v);
		set_words(p, UP);
		page = write_page(p, heard[i], UP, 9000);
		read_majority(p, 1000);
		struct peer_health_sites s = peer_health_sites(p->v);

		assert_int_equal(s.n, 2);
		assert_int_equal(s.n_heard, 2);
		assert_int_equal(s.lost, 0);
		page_close(page);
		page_close(write_page(p, heard[i], UP, 0)); /* no longer good */
	}
}

#define UNPROVEN health_make(HEALTH_UNKNOWN, HEALTH_MARK_UNPROVEN, HEALTH_REASON_TIMEOUT, 0)

static void where_nobody_looks_the_site_speaks_for_itself(void **state)
{
	struct node_pages *p = *state;
	struct model_service s = { .name = "web", .n_at = 3 };

	p->v->service_of_state[2] = &s;
	set_words(p, UNKNOWN);
	page_close(write_page(p, "ams", UNKNOWN, 9000));
	page_close(write_page(p, "lon", DOWN, 7000));
	assert_int_equal(health_state(read_majority(p, 1000).word),
	                 HEALTH_DOWN); /* no check: its own pools */
	assert_true(read_majority(p, 8000).held);
	s.vip_check = &model_default_vip_check;
	s.vip_check_from = MODEL_VIP_CHECK_GIVEN;
	assert_int_equal(health_state(read_majority(p, 1000).word), HEALTH_UP); /* one of three */
	s.vip_check_from = MODEL_VIP_CHECK_DEFAULT;
	set_words(p, UNPROVEN);
	assert_int_equal(health_state(read_majority(p, 1000).word),
	                 HEALTH_UP); /* ams does not say so */
	page_close(write_page(p, "ams", UNPROVEN, 9000));
	assert_int_equal(health_state(read_majority(p, 2100).word), HEALTH_DOWN);
	set_words(p, UP);
	assert_int_equal(health_state(read_majority(p, 2100).word),
	                 HEALTH_UP); /* one of three again */
	p->v->service_of_state[2] = NULL;
}

#define NEW                                                                                        \
	health_make(HEALTH_UNKNOWN, HEALTH_MARK_NEW | HEALTH_MARK_UNPROVEN, HEALTH_REASON_NONE, 0)

static void a_new_vip_is_new_until_anybody_outside_has_seen_it_up(void **state)
{
	struct node_pages *p = *state;
	const struct model_site *lon = &p->sites[2], *fra = &p->sites[1];

	set_words(p, NEW);
	read_majority(p, 1000);
	assert_true(peer_health_is_new(p->v, LON4, lon));
	assert_false(peer_health_is_new(p->v, LON4, fra)); /* of the own site others must say so */
	page_close(write_page(p, "lon", UP, 9000));        /* by its own pools: not from outside */
	read_majority(p, 2000);
	assert_true(peer_health_is_new(p->v, LON4, lon));
	page_close(write_page(p, "ams", NEW, 9000));
	read_majority(p, 3000);
	assert_true(peer_health_is_unproven(p->v, LON4, lon));
	set_words(p, UNKNOWN);
	read_majority(p, 4000);
	assert_true(peer_health_is_new(p->v, LON4, lon));
	read_majority(p,
	              9500); /* who said so is not heard any more, and the own node says nothing */
	assert_false(peer_health_is_new(p->v, LON4, lon));
	set_words(p, NEW);
	page_close(write_page(p, "ams", UP, 12000));
	read_majority(p, 11000);
	assert_false(peer_health_is_new(p->v, LON4, lon));
	assert_false(peer_health_is_unproven(p->v, LON4, lon));
	read_majority(
	        p,
	        90000); /* who has seen it is lost, and the own node took no note: of a former address */
	assert_true(peer_health_is_new(p->v, LON4, lon));
	read_majority(p, 100000); /* the own node is not heard either */
	assert_false(peer_health_is_new(p->v, LON4, lon));
	set_words(p, UNPROVEN);
	read_majority(p, 90000); /* it was seen: a lost view takes that not back */
	assert_false(peer_health_is_new(p->v, LON4, lon));
}

static void a_page_that_is_none_is_not_believed(void **state)
{
	struct node_pages *p = *state;
	char path[PATH_MAX];
	FILE *f;

	set_words(p, DOWN);
	assert_int_equal(peer_page_path(p->dir, "ams", path), 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("weirpage and nothing behind it", f);
	fclose(f);
	assert_int_equal(read_majority(p, 1000).n_lost, 2);
	page_close(write_page(p, "ams", UP, 90000)); /* takes the file's place */
	page_close(write_page(p, "lon", UP, 90000));
	assert_int_equal(read_majority(p, 3000).n_up, 2);
	assert_int_equal(unlink(path), 0); /* mapped is mapped: the words stay */
	assert_int_equal(read_majority(p, 5000).n_up, 2);
}

static void a_page_laid_out_anew_keeps_what_was_read(void **state)
{
	struct node_pages *p = *state;
	struct page *page = write_page(p, "ams", UP, 90000);
	struct peer_page *view = page_payload(page);

	set_words(p, DOWN);
	page_close(write_page(p, "lon", UP, 90000));
	assert_int_equal(read_majority(p, 1000).n_up, 2);
	view->health.generation |= 1;
	memset(view->health.entries, 0, sizeof(view->health.entries));
	page_publish(page);
	assert_int_equal(read_majority(p, 1100).n_up, 2);
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
	char text[PEER_PAGE_HEX_MAX];
	(void)state;

	assert_false(peer_page_read_word(NULL, &word));
	for (size_t i = 0; i < COUNT(bad); i++)
		if (peer_page_read_word(bad[i], &word))
			fail_msg("%s is no word", bad[i]);
	assert_int_equal(word, 42);
	for (size_t i = 0; i < COUNT(good); i++) {
		peer_page_hex(good[i], text);
		assert_true(peer_page_read_word(text, &word));
		assert_int_equal(word, good[i]);
	}
	assert_true(peer_page_read_word("ffffffffffffffc1", &word)); /* a reason not known here */
	assert_int_equal(health_state(word), HEALTH_UP);
	assert_int_equal(health_reason(word), HEALTH_REASON_NONE);
	assert_int_equal(health_since_s(word), 0xffffffff);
}

#define WITH_PAGES(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

SUITE(majority)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_majority_of_the_sites_removes),
		cmocka_unit_test(the_reason_is_the_own_one_where_it_agrees),
		cmocka_unit_test(doubt_of_a_voter_is_doubt_and_that_of_others_is_not),
		cmocka_unit_test(losing_information_removes_nothing_and_brings_nothing_back),
		cmocka_unit_test(a_damaged_word_has_no_vote),
		WITH_PAGES(views_of_others_count_while_they_are_fresh),
		WITH_PAGES(what_is_in_force_is_held_when_the_majority_is_lost),
		WITH_PAGES(with_two_sites_each_trusts_its_own_view),
		WITH_PAGES(sites_that_cannot_be_asked_are_counted),
		WITH_PAGES(a_site_is_heard_by_any_of_its_nodes),
		WITH_PAGES(where_nobody_looks_the_site_speaks_for_itself),
		WITH_PAGES(a_new_vip_is_new_until_anybody_outside_has_seen_it_up),
		WITH_PAGES(a_page_that_is_none_is_not_believed),
		WITH_PAGES(a_page_laid_out_anew_keeps_what_was_read),
		cmocka_unit_test(words_are_read_as_they_were_told_and_nothing_else_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
