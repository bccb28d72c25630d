/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nodes see of a target, when a page ends, is damaged, ages or is another one; and whose
 * view counts.
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

#include "base/arena.h"
#include "base/page.h"
#include "base/proc.h"
#include "dns/steering/decided.h"
#include "dns/generation.h"
#include "dns/steering/steering.h"
#include "dns/steering/peer_health.h"
#include "tests/unit/suite.h"
#include "weir/peer_page.h"

#define SITES 4
#define UP    health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 7)
#define DOWN  health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 8)

static const char *const names[SITES] = { "ams", "fra", "lon", "par" };

/* Four sites with a node each, of which fra's is this one; ams has the service. */
static struct {
	char dir[32];
	struct model_site sites[SITES];
	struct model_node nodes[SITES];
	struct model m;
	struct steering_site at;
	struct steering_service service;
	struct steering p;
	struct arena *arena;
	struct peer_health *v;
	struct page *own;
} w;

static void target_word(struct health_page *page, health_word word)
{
	uint64_t target = health_target_service("web", "ams", true);

	assert_int_equal(health_set_targets(page, &target, 1, 1), 0);
	health_write(page, health_find_index(page, target), word);
}

/* What weir-mgmt has of a node's view, in a page of @p more bytes than it needs. */
static struct page *write_page(const char *node, health_word word, uint64_t good_until_ms,
                               size_t more)
{
	char path[PATH_MAX];
	struct page *page;

	assert_int_equal(peer_page_path(w.dir, node, path), 0);
	assert_int_equal(page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT,
	                             sizeof(struct peer_page) + more, &page),
	                 0);
	struct peer_page *view = page_payload(page);

	target_word(&view->health, word);
	peer_page_set_good_until_ms(view, good_until_ms);
	page_publish(page);
	return page;
}

static struct peer_health_input seen_at(uint64_t now_ms)
{
	return (struct peer_health_input){ .own = page_payload(w.own),
		                           .own_page = w.own,
		                           .own_good_until_ms = 5000,
		                           .run_dir = w.dir,
		                           .now_ms = now_ms };
}

static struct majority read_majority(uint64_t now_ms)
{
	const struct peer_health_input seen = seen_at(now_ms);

	peer_health_read(w.v, &seen);
	return peer_health_of_target(w.v, 1);
}

static int set_up(void **state)
{
	char path[PATH_MAX];

	(void)state;
	memset(&w, 0, sizeof(w));
	strcpy(w.dir, "/tmp/weir-views.XXXXXX");
	if (!mkdtemp(w.dir))
		return -1;
	for (uint32_t i = 0; i < SITES; i++) {
		w.sites[i] = (struct model_site){ .name = names[i], .index = i };
		w.nodes[i] = (struct model_node){ .name = names[i], .site = &w.sites[i] };
	}
	w.m = (struct model){
		.sites = w.sites, .n_sites = SITES, .nodes = w.nodes, .n_nodes = SITES
	};
	w.m.self = &w.nodes[1];
	w.at = (struct steering_site){ .name = "ams" };
	w.service = (struct steering_service){ .name = "web", .n_sites = 1, .sites = &w.at };
	w.p = (struct steering){ .n_services = 1, .n_states = 1, .services = &w.service };
	w.arena = arena_new(1 << 20);
	w.v = peer_health_new(&w.m, &w.p, w.arena);
	snprintf(path, sizeof(path), "%s/health.page", w.dir);
	return !w.v || page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                           sizeof(struct health_page), &w.own);
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	peer_health_close(w.v);
	page_close(w.own);
	arena_free(w.arena);
	snprintf(command, sizeof(command), "rm -r %s", w.dir);
	return system(command);
}

static void a_page_that_was_made_again_is_read_from_its_beginning(void **state)
{
	struct page *page = write_page("ams", UP, 90000, 0);
	uint32_t epoch = page_epoch(page);

	(void)state;
	target_word(page_payload(w.own), UP);
	(void)read_majority(1000);
	assert_int_equal(w.v->items[0].words[1], UP);
	page_close(page);
	page = write_page("ams", DOWN, 90000,
	                  64); /* of another release; told as often as the one before */
	assert_int_equal(page_epoch(page), epoch);
	(void)read_majority(2000);
	assert_int_equal(w.v->items[0].words[1], DOWN);
	page_close(page);
}

static void a_page_that_is_too_small_is_none(void **state)
{
	char path[PATH_MAX];
	struct page *page;

	(void)state;
	assert_int_equal(peer_page_path(w.dir, "lon", path), 0);
	assert_int_equal(page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT,
	                             sizeof(struct peer_page) - 8, &page),
	                 0);
	(void)read_majority(1000);
	assert_null(w.v->items[2].page);
	page_close(page);
}

static void a_damaged_page_takes_no_word_back(void **state)
{
	struct health_page *page = page_payload(w.own);
	const char zeros[8] = "";
	char path[PATH_MAX];
	FILE *f;

	(void)state;
	target_word(page, DOWN);
	(void)read_majority(1000);
	assert_int_equal(w.v->items[1].words[1], DOWN);
	snprintf(path, sizeof(path), "%s/health.page", w.dir);
	/* somebody writes zeros: its head, and a word of it; its layout is as it was */
	f = fopen(path, "r+");
	assert_non_null(f);
	assert_int_equal(fwrite(zeros, 1, sizeof(zeros), f), sizeof(zeros));
	assert_int_equal(fclose(f), 0);
	target_word(page, 0);
	(void)read_majority(1100);
	assert_int_equal(w.v->items[1].words[1], DOWN);
}

static void the_own_view_ages_with_its_writer(void **state)
{
	(void)state;
	target_word(page_payload(w.own), DOWN);
	page_close(write_page("ams", UP, 90000, 0));
	(void)read_majority(4999);
	assert_true(w.v->items[1].fresh);
	assert_int_equal(peer_health_sites(w.v).n_heard, 2);
	(void)read_majority(5000);
	assert_false(w.v->items[1].fresh);
	assert_int_equal(peer_health_sites(w.v).n_heard, 1);
	assert_int_equal(peer_health_sites(w.v).lost, 1 << 1 | 1 << 2 | 1 << 3);
}

static void a_site_that_was_taken_out_has_no_vote(void **state)
{
	struct majority m;

	(void)state;
	target_word(page_payload(w.own), DOWN);
	page_close(write_page("ams", DOWN, 90000, 0));
	page_close(write_page("lon", UP, 90000, 0));
	page_close(write_page("par", UP, 90000, 0));
	m = read_majority(1000);
	assert_true(m.n_up == 2 && m.n_down == 2);
	peer_health_exclude(w.v, 1 << 0);
	m = peer_health_of_target(w.v, 1);
	assert_true(m.n_up == 2 && m.n_down == 1 && m.n_lost == 0);
	assert_int_equal(health_state(m.word), HEALTH_UP);
	m = peer_health_from_outside(w.v, 1, &w.sites[2]); /* what is seen is seen all the same */
	assert_true(m.n_up == 1 && m.n_down == 2);
	peer_health_exclude(w.v, 1 << 0 | 1 << 3);
	assert_false(w.v->votes);
	assert_int_equal(peer_health_of_target(w.v, 1).word, DOWN); /* the own view */
}

/* What is decided of the target by @p g, with views as they were set. */
static struct steering_site_state decide_site(struct decided *d, const struct model_override *o,
                                              size_t n)
{
	struct steering_state *state = calloc(1, sizeof(*state) + sizeof(state->sites[0]));
	struct generation g = {
		.model = &w.m, .steering = &w.p, .state = state, .peer_health = w.v
	};
	const struct peer_health_input seen = { .own = page_payload(w.own),
		                                .own_page = w.own,
		                                .own_good_until_ms = 5000,
		                                .now_ms = 1000 };
	const struct generation_time time = { .wall_clock_ms = 1000 };
	struct steering_site_state found;

	state->n_sites = 1;
	w.m.overrides = o;
	w.m.n_overrides = n;
	generation_observe(&g, &seen, NULL, d, &time);
	found = state->sites[0];
	free(state);
	return found;
}

static const struct model_override out[] = {
	{ .kind = MODEL_OVERRIDE_DISABLE, .name = "ams", .until_ms = MODEL_TIME_NEVER },
	{ .kind = MODEL_OVERRIDE_DISABLE, .name = "par", .until_ms = MODEL_TIME_NEVER },
};

static void what_is_decided_is_settled_when_most_sites_are_heard(void **state)
{
	struct decided d = { 0 };

	(void)state;
	target_word(page_payload(w.own), UP);
	w.v->items[0].fresh = true; /* the own one, too */
	(void)decide_site(&d, NULL, 0);
	assert_false(d.known);
	w.v->items[2].fresh = true;
	(void)decide_site(&d, NULL, 0);
	assert_true(d.known);
	decided_close(&d);
	w.v->items[0].fresh = w.v->items[2].fresh = false;
	(void)decide_site(
	        &d, out,
	        2); /* two sites are left, and nobody votes: the own view is all there is */
	assert_true(d.known);
	decided_close(&d);
}

/* A person's word counts in the tick in which it is there. */
static void a_site_that_is_taken_out_has_no_vote_at_once(void **state)
{
	struct decided d = { .known = true };

	(void)state;
	target_word(page_payload(w.own), DOWN);
	for (size_t i = 0; i < SITES; i++) {
		w.v->items[i].fresh = true;
		w.v->items[i].words[1] = i == 1 || i == 2 ? DOWN : UP;
	}
	assert_int_equal(health_state(decide_site(&d, NULL, 0).words[1]), HEALTH_UP);
	assert_false(decided_is_down(&d, w.v->targets[1]));
	assert_int_equal(health_state(decide_site(&d, out, 1).words[1]), HEALTH_DOWN);
	assert_true(decided_is_down(&d, w.v->targets[1]));
	decided_close(&d);
}

/*
 * Of the three sites that are not disabled, lon is drained and switched off, then ams dies: fra is
 * left and sees it. While lon counted, one of three could not decide.
 */
static void a_site_that_an_operation_has_drained_leaves_the_others_to_decide(void **state)
{
	struct model_override o[] = {
		out[1],
		{ .kind = MODEL_OVERRIDE_DRAIN,
		  .name = "lon",
		  .until_ms = MODEL_TIME_NEVER,
		  .from_ppm = 750000,
		  .is_step = true,
		  .to_ppm = 990000,
		  .operation = "d1" },
	};
	struct decided d = { .known = true };

	(void)state;
	target_word(page_payload(w.own), DOWN);
	for (size_t i = 0; i < SITES; i++)
		w.v->items[i].words[1] = UP; /* the last that was heard */
	assert_int_equal(health_state(decide_site(&d, o, 2).words[1]), HEALTH_UP);
	assert_int_equal(peer_health_sites(w.v).n, 3);
	assert_true(w.v->votes);
	o[1].service = "mail"; /* a service alone: the site serves the others */
	o[1].to_ppm = 1000000;
	assert_int_equal(health_state(decide_site(&d, o, 2).words[1]), HEALTH_UP);
	o[1].service = "";
	assert_int_equal(health_state(decide_site(&d, o, 2).words[1]), HEALTH_DOWN);
	assert_int_equal(peer_health_sites(w.v).n, 2);
	assert_false(w.v->votes);
	assert_false(peer_health_decides(w.v, &w.sites[2]));
	assert_true(peer_health_decides(w.v, &w.sites[1]));
	o[1].from_ppm = 1000000; /* its return begins: it counts again */
	o[1].to_ppm = 990000;
	assert_int_equal(health_state(decide_site(&d, o, 2).words[1]), HEALTH_DOWN);
	assert_int_equal(peer_health_sites(w.v).n, 3);
	decided_close(&d);
}

static void what_nobody_says_is_as_good_as_never_seen(void **state)
{
	const health_word never =
	        health_make(HEALTH_UNKNOWN, HEALTH_MARK_UNPROVEN, HEALTH_REASON_TIMEOUT, 0);

	(void)state;
	w.v->items[1].words[1] = never; /* the others say nothing at all */
	assert_true(peer_health_is_unproven(w.v, 1, &w.sites[0]));
	w.v->items[0].words[1] = UP; /* the site itself proves nothing */
	assert_true(peer_health_is_unproven(w.v, 1, &w.sites[0]));
	w.v->items[3].words[1] = DOWN;
	assert_false(peer_health_is_unproven(w.v, 1, &w.sites[0]));
}

static void each_mark_of_a_word_is_told(void **state)
{
	char text[PEER_PAGE_HEX_MAX];
	health_word read;

	(void)state;
	for (unsigned mark = 1; mark <= HEALTH_MARK_NEW; mark *= 2) {
		health_word word = health_make(HEALTH_UP, mark, HEALTH_REASON_OK, 5);

		peer_page_hex(word, text);
		assert_true(peer_page_read_word(text, &read));
		assert_int_equal(read, word);
	}
}

static void a_new_site_proves_nothing_by_its_own_view(void **state)
{
	const health_word new = health_make(HEALTH_UNKNOWN, HEALTH_MARK_NEW, HEALTH_REASON_NONE, 0);

	(void)state;
	target_word(page_payload(w.own), new);
	w.v->items[0].fresh = true;
	w.v->items[0].words[1] = UP;
	assert_true(decide_site(NULL, NULL, 0).unproven[1]);
	w.v->items[2].words[1] = UP; /* a node that is not heard: of a former address */
	assert_true(decide_site(NULL, NULL, 0).unproven[1]);
	w.v->items[2].fresh = true;
	assert_false(decide_site(NULL, NULL, 0).unproven[1]);
}

/* As many nodes as the schema allows; those of one site lie together, whatever their order. */
static void there_is_room_for_so_many_nodes_and_no_more(void **state)
{
	static struct model_node nodes[PEER_HEALTH_NODES_MAX + 2];
	struct model m = w.m;
	struct peer_health *v;

	(void)state;
	for (unsigned i = 0; i < PEER_HEALTH_NODES_MAX + 2; i++)
		nodes[i] = (struct model_node){ .name = "n", .site = &w.sites[i % 2 ? 1 : 3] };
	m.nodes = nodes;
	m.self = &nodes[2];
	for (unsigned more = 0; more < 3; more++) {
		m.n_nodes = PEER_HEALTH_NODES_MAX - 1 + more;
		v = peer_health_new(&m, &w.p, w.arena);
		assert_non_null(v);
		assert_int_equal(v->n, more ? PEER_HEALTH_NODES_MAX : PEER_HEALTH_NODES_MAX - 1);
		for (unsigned i = 0; i < v->n; i++) {
			assert_ptr_equal(v->items[i].site, &w.sites[i < m.n_nodes / 2 ? 1 : 3]);
			assert_int_equal(v->items[i].own, i == m.n_nodes / 2 + 1);
		}
	}
}

/* None is heard: what was decided stays; where nothing was settled yet, what was seen last. */
static void what_was_never_settled_says_nothing(void **state)
{
	struct decided d = { 0 };

	(void)state;
	for (size_t i = 0; i < SITES; i++) {
		w.v->items[i].fresh = false;
		w.v->items[i].words[1] = DOWN;
	}
	assert_int_equal(health_state(peer_health_of_target(w.v, 1).word), HEALTH_DOWN);
	w.v->decided = &d; /* after a start without a file */
	assert_int_equal(health_state(peer_health_of_target(w.v, 1).word), HEALTH_DOWN);
	d.known = true; /* it was up */
	assert_int_equal(health_state(peer_health_of_target(w.v, 1).word), HEALTH_UP);
	w.v->decided = NULL;
}

/* What is known of the target through lon: its state and whether it is fresh; - without a page. */
static const char *seen_by_lon(uint64_t now_ms)
{
	static const char *const texts[] = { "?", "u", "d" };
	static char text[8];
	const struct peer_health_input seen = seen_at(now_ms);
	const struct node_health *lon = &w.v->items[2];

	peer_health_read(w.v, &seen);
	snprintf(text, sizeof(text), "%s%s%s", lon->page ? "" : "-",
	         texts[health_state(lon->words[1])], lon->fresh ? "+" : "");
	return text;
}

static struct health_page *health_of(struct page *page)
{
	return &((struct peer_page *)page_payload(page))->health;
}

static void write_word(struct page *page, health_word word)
{
	struct health_page *h = health_of(page);

	health_write(h, health_find_index(h, w.v->targets[1]), word);
}

/* A page is looked for once a second until it is there, and not again. */
static void a_peer_that_comes_is_found_within_a_second(void **state)
{
	struct page *page;
	const struct page *mapped;

	(void)state;
	page_close(write_page("lon", UP, 90000, 0));
	assert_string_equal(seen_by_lon(10), "u+"); /* at the very beginning */
	mapped = w.v->items[2].page;
	assert_string_equal(seen_by_lon(5000), "u+");
	assert_ptr_equal(w.v->items[2].page, mapped);
	for (int i = 0; i < 2; i++) {
		uint64_t start_ms = 10000 * (uint64_t)(i + 1);
		char path[PATH_MAX];

		peer_health_close(w.v);
		assert_null(w.v->items[2].page);
		assert_int_equal(peer_page_path(w.dir, "lon", path), 0);
		assert_int_equal(unlink(path), 0);
		assert_string_equal(seen_by_lon(start_ms), i ? "-d+" : "-u+");
		page = write_page("lon", DOWN, 90000, 0);
		assert_string_equal(seen_by_lon(start_ms + 999), i ? "-d+" : "-u+");
		assert_string_equal(seen_by_lon(start_ms + 1000), "d+");
		page_close(page);
	}
	peer_health_close(w.v);
	peer_health_read(w.v, &(struct peer_health_input){ .now_ms = 60000 });
	assert_null(w.v->items[2].page); /* nobody said where */
	peer_health_close(NULL);
}

/* When a peer's word is taken over, and when the one before stays. */
static void a_peer_is_read_when_it_publishes_and_is_whole(void **state)
{
	struct page *page = write_page("lon", DOWN, 9000, 0);
	char path[PATH_MAX];
	uint64_t head, zeros = 0;
	FILE *f;

	(void)state;
	assert_int_equal(peer_page_path(w.dir, "lon", path), 0);
	assert_string_equal(seen_by_lon(1000), "d+");
	write_word(page, UP);
	assert_string_equal(seen_by_lon(1100), "d+"); /* not published */
	page_publish(page);
	assert_string_equal(seen_by_lon(1200), "u+");
	health_of(page)->generation++; /* it is laid out again */
	write_word(page, DOWN);
	page_publish(page);
	assert_string_equal(seen_by_lon(1300), "u+");
	health_of(page)->generation++;
	assert_string_equal(seen_by_lon(1400),
	                    "d+"); /* what was published before is still to be read */
	f = fopen(path, "r+");
	assert_true(f && fread(&head, sizeof(head), 1, f) == 1);
	rewind(f);
	assert_true(fwrite(&zeros, sizeof(zeros), 1, f) == 1 && !fflush(f)); /* damaged */
	write_word(page, UP);
	page_publish(page);
	assert_string_equal(seen_by_lon(1500), "d+");
	rewind(f);
	assert_true(fwrite(&head, sizeof(head), 1, f) == 1 && !fclose(f)); /* and mended */
	assert_string_equal(seen_by_lon(1600), "u+");
	assert_string_equal(seen_by_lon(8999), "u+");
	assert_string_equal(seen_by_lon(9000), "u"); /* it is old */
	peer_page_set_good_until_ms(page_payload(page), 9002);
	assert_string_equal(seen_by_lon(9001), "u+");
	page_close(page);
}

/* A target that moved in the page is found where it is now; one that is gone leaves its word. */
static void a_target_is_found_wherever_it_is_in_a_page(void **state)
{
	const uint64_t target = w.v->targets[1],
	               before = (target & (HEALTH_TARGETS_MAX - 1)) | HEALTH_TARGETS_MAX;
	const uint64_t two[] = { target, before };
	struct page *page = write_page("lon", DOWN, 90000, 0);
	struct health_page *h = health_of(page), *own = page_payload(w.own);
	int index = health_find_index(h, target);
	uint64_t head, zeros = 0;
	char path[PATH_MAX];
	uint32_t layout;
	FILE *f;

	(void)state;
	assert_string_equal(seen_by_lon(1000), "d+");
	memset(h->entries, 0, sizeof(h->entries)); /* another writer: the target lies behind */
	assert_int_equal(health_set_targets(h, two, 2, 1), 0);
	assert_int_equal(health_find_index(h, target), index + 1);
	health_write(h, index, UP);
	write_word(page, UP);
	page_publish(page);
	assert_string_equal(seen_by_lon(1100), "u+");
	assert_int_equal(health_set_targets(h, &two[1], 1, 2), 0); /* it is gone */
	page_publish(page);
	assert_string_equal(seen_by_lon(1200), "u+");
	page_close(page);
	/* the own page, by another writer with the same layout's number: whoever replaces it says so */
	target_word(own, DOWN);
	layout = own->generation;
	(void)read_majority(1300);
	assert_int_equal(w.v->items[1].words[1], DOWN);
	memset(own->entries, 0, sizeof(own->entries));
	assert_int_equal(health_set_targets(own, two, 2, 1), 0);
	own->generation = layout;
	health_write(own, health_find_index(own, before), DOWN);
	health_write(own, health_find_index(own, target), UP);
	peer_health_forget_own(w.v);
	assert_true(w.v->items[2].found && !w.v->items[1].found);
	(void)read_majority(1400);
	assert_int_equal(w.v->items[1].words[1], UP);
	/* and so it is if the page was damaged meanwhile */
	snprintf(path, sizeof(path), "%s/health.page", w.dir);
	f = fopen(path, "r+");
	assert_true(f && fread(&head, sizeof(head), 1, f) == 1);
	rewind(f);
	assert_true(fwrite(&zeros, sizeof(zeros), 1, f) == 1 && !fflush(f));
	(void)read_majority(1500);
	memset(own->entries, 0, sizeof(own->entries));
	target_word(own, DOWN);
	own->generation = layout;
	rewind(f);
	assert_true(fwrite(&head, sizeof(head), 1, f) == 1 && !fclose(f));
	(void)read_majority(1600);
	assert_int_equal(w.v->items[1].words[1], DOWN);
}

/* The first entry of a page is one like the others. */
static void a_target_may_be_the_first_of_a_page(void **state)
{
	char name[32];
	uint64_t target;
	unsigned n = 0;
	struct health_page *own = page_payload(w.own);

	(void)state;
	do {
		snprintf(name, sizeof(name), "s%u", n++);
		target = health_target_service(name, "ams", true);
	} while (target & (HEALTH_TARGETS_MAX - 1));
	w.service.name = name;
	w.v = peer_health_new(&w.m, &w.p, w.arena);
	assert_int_equal(health_set_targets(own, &target, 1, 1), 0);
	assert_int_equal(health_find_index(own, target), 0);
	health_write(own, 0, DOWN);
	(void)read_majority(1000);
	assert_int_equal(w.v->items[1].words[1], DOWN);
	assert_int_equal(w.v->items[1].words[0], 0);
}

/* Without the own page the node itself is not heard, whatever was promised. */
static void without_its_page_a_node_is_not_heard(void **state)
{
	struct peer_health_input seen = seen_at(1000);

	(void)state;
	target_word(page_payload(w.own), DOWN);
	peer_health_read(w.v, &seen);
	assert_true(w.v->items[1].fresh);
	seen.own = NULL;
	peer_health_read(w.v, &seen);
	assert_false(w.v->items[1].fresh);
	assert_int_equal(w.v->items[1].words[1], DOWN);
}

static void a_site_counts_with_a_node_and_unless_it_is_taken_out(void **state)
{
	static const struct {
		uint32_t index;
		uint64_t out;
		bool decides;
	} cases[] = {
		{ 0, 0, true },
		{ 0, 1, false },
		{ 0, ~UINT64_C(1), true },
		{ 63, 0, true },
		{ 63, 1, true },
		{ 63, UINT64_C(1) << 63, false },
		{ 64, 1, true },
		{ 64, ~UINT64_C(0), true },
	};
	const struct model_site other = { .name = "oslo", .index = 9 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		w.sites[2].index = cases[i].index;
		peer_health_exclude(w.v, cases[i].out);
		assert_int_equal(peer_health_decides(w.v, &w.sites[2]), cases[i].decides);
		assert_true(peer_health_has_nodes(w.v, &w.sites[2]));
		assert_false(peer_health_has_nodes(w.v, &other));
		assert_false(peer_health_decides(w.v, &other));
	}
	w.sites[2].index = 2;
}

/* Who votes on a target: all sites, or its own alone where no other site can say anything. */
static void a_target_is_its_own_sites_where_nobody_else_checks_it(void **state)
{
	const health_word never =
	        health_make(HEALTH_DOWN, HEALTH_MARK_UNPROVEN, HEALTH_REASON_TIMEOUT, 0);
	struct model_service services[2] = { { .name = "web" } };
	const struct {
		const char *why;
		size_t n_services;
		const struct model_check *check;
		enum model_vip_check from;
		unsigned n_proven;
		enum health_state state;
	} cases[] = {
		{ "no check", 1, NULL, MODEL_VIP_CHECK_GIVEN, 3, HEALTH_UP },
		{ "not proven", 1, &model_default_vip_check, MODEL_VIP_CHECK_DEFAULT, 0,
		  HEALTH_UP },
		{ "proven once", 1, &model_default_vip_check, MODEL_VIP_CHECK_DEFAULT, 1,
		  HEALTH_DOWN },
		{ "a given check", 1, &model_default_vip_check, MODEL_VIP_CHECK_GIVEN, 0,
		  HEALTH_DOWN },
		{ "an unknown service", 0, NULL, MODEL_VIP_CHECK_DEFAULT, 0, HEALTH_DOWN },
	};

	(void)state;
	w.m.services = services;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("  %s\n", cases[i].why);
		w.m.n_services = cases[i].n_services;
		services[0].vip_check = cases[i].check;
		services[0].vip_check_from = cases[i].from;
		w.v = peer_health_new(&w.m, &w.p, w.arena);
		for (unsigned k = 0; k < SITES; k++) {
			w.v->items[k].fresh = true;
			w.v->items[k].words[1] = k == 0                   ? UP
			                         : k <= cases[i].n_proven ? DOWN
			                                                  : never;
		}
		assert_int_equal(health_state(peer_health_of_target(w.v, 1).word), cases[i].state);
	}
}

/* What nodes outside say counts if it was said lately; the own one says it itself. */
static void a_new_target_is_so_by_who_says_it(void **state)
{
	const health_word new = health_make(HEALTH_UNKNOWN, HEALTH_MARK_NEW, HEALTH_REASON_NONE, 0);
	static const struct {
		unsigned node;
		bool fresh, is_new;
	} cases[] = { { 0, true, false },
		      { 1, false, true },
		      { 1, true, true },
		      { 2, false, false },
		      { 2, true, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned k = 0; k < SITES; k++) {
			w.v->items[k].fresh = cases[i].fresh && k == cases[i].node;
			w.v->items[k].words[1] = k == cases[i].node ? new : 0;
		}
		assert_int_equal(peer_health_is_new(w.v, 1, &w.sites[0]), cases[i].is_new);
	}
}

/*
 * Two sites are left, so the own word decides: while it says nothing, what was decided stays, also over a new document
 * and a boot.
 */
static void without_votes_what_was_decided_stays_until_the_own_node_says_something(void **state)
{
	const health_word unproven =
	        health_make(HEALTH_UNKNOWN, HEALTH_MARK_UNPROVEN, HEALTH_REASON_TIMEOUT, 0);
	enum page_is { MISSING, NOT_LAID_OUT, BEING_LAID_OUT, WITHOUT_IT, WHOLE };
	const struct {
		const char *why;
		enum page_is page;
		health_word word;
		enum health_state state;
		bool settled;
	} cases[] = {
		{ "no page", MISSING, UP, HEALTH_DOWN, false },
		{ "a page that was never laid out", NOT_LAID_OUT, 0, HEALTH_DOWN, false },
		{ "a page that is laid out now", BEING_LAID_OUT, UP, HEALTH_DOWN, false },
		{ "not checked yet", WHOLE, 0, HEALTH_DOWN, true },
		{ "up", WHOLE, UP, HEALTH_UP, true },
		{ "down", WHOLE, DOWN, HEALTH_DOWN, true },
		{ "a check that never succeeded has no word", WHOLE, unproven, HEALTH_UNKNOWN,
		  true },
		{ "not checked by this node any more", WITHOUT_IT, 0, HEALTH_UNKNOWN, true },
	};
	const struct peer_health_input missing = { .now_ms = 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (unsigned ip4 = 0; ip4 < 2; ip4++) {
			struct health_page *page = page_payload(w.own);
			uint64_t targets[2] = { w.v->targets[!ip4], w.v->targets[ip4] };
			const struct peer_health_input seen = seen_at(1000);
			struct decided d = { 0 };

			print_message("  %s, IPv%c\n", cases[i].why, ip4 ? '4' : '6');
			decided_add(&d, targets[1]);
			decided_end(&d, true);
			d.changed = false;
			memset(page, 0, sizeof(*page));
			if (cases[i].page != NOT_LAID_OUT)
				assert_int_equal(
				        health_set_targets(page, targets,
				                           cases[i].page == WITHOUT_IT ? 1 : 2, 1),
				        0);
			if (cases[i].page == WHOLE || cases[i].page == BEING_LAID_OUT)
				health_write(page, health_find_index(page, targets[1]),
				             cases[i].word);
			page->generation += cases[i].page == BEING_LAID_OUT;
			w.v = peer_health_new(&w.m, &w.p, w.arena); /* a new document */
			peer_health_exclude(w.v, 1 << 2 | 1 << 3);
			assert_false(w.v->votes);
			peer_health_read(w.v, cases[i].page == MISSING ? &missing : &seen);
			w.v->decided = &d;
			assert_int_equal(health_state(peer_health_of_target(w.v, ip4).word),
			                 cases[i].state);
			assert_int_equal(health_state(peer_health_of_target(w.v, !ip4).word),
			                 HEALTH_UNKNOWN); /* it was not down */
			assert_int_equal(peer_health_is_settled(w.v), cases[i].settled);
			decided_close(&d);
		}
}

static void what_is_seen_is_settled_by_more_than_half_of_the_sites_that_vote(void **state)
{
	static const struct {
		unsigned n, n_heard;
		bool settled;
	} cases[] = { { 3, 2, true }, { 4, 2, false }, { 3, 1, false },
		      { 4, 3, true }, { 3, 3, true },  { 3, 0, false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned k = 0; k < SITES; k++)
			w.v->items[k].fresh = k < cases[i].n_heard;
		peer_health_exclude(w.v, cases[i].n < SITES ? 1 << 3 : 0);
		assert_true(w.v->votes);
		assert_int_equal(peer_health_is_settled(w.v), cases[i].settled);
	}
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

SUITE(peer_health)
{
	const struct CMUnitTest tests[] = {
		WITH(a_page_that_was_made_again_is_read_from_its_beginning),
		WITH(a_page_that_is_too_small_is_none),
		WITH(a_damaged_page_takes_no_word_back),
		WITH(the_own_view_ages_with_its_writer),
		WITH(a_site_that_was_taken_out_has_no_vote),
		WITH(what_is_decided_is_settled_when_most_sites_are_heard),
		WITH(a_site_that_is_taken_out_has_no_vote_at_once),
		WITH(a_site_that_an_operation_has_drained_leaves_the_others_to_decide),
		WITH(what_nobody_says_is_as_good_as_never_seen),
		cmocka_unit_test(each_mark_of_a_word_is_told),
		WITH(a_new_site_proves_nothing_by_its_own_view),
		WITH(there_is_room_for_so_many_nodes_and_no_more),
		WITH(what_was_never_settled_says_nothing),
		WITH(a_peer_that_comes_is_found_within_a_second),
		WITH(a_peer_is_read_when_it_publishes_and_is_whole),
		WITH(a_target_is_found_wherever_it_is_in_a_page),
		WITH(a_target_may_be_the_first_of_a_page),
		WITH(without_its_page_a_node_is_not_heard),
		WITH(a_site_counts_with_a_node_and_unless_it_is_taken_out),
		WITH(a_target_is_its_own_sites_where_nobody_else_checks_it),
		WITH(a_new_target_is_so_by_who_says_it),
		WITH(what_is_seen_is_settled_by_more_than_half_of_the_sites_that_vote),
		WITH(without_votes_what_was_decided_stays_until_the_own_node_says_something),
	};

	return cmocka_run_group_tests_name("dns peer health", tests, NULL, NULL);
}
