/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a document and its zone files to what is served, with health and overrides; and what
 * explain says of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/dns/generation_files.h"
#include "dns/generation.h"
#include "dns/zone/image.h"
#include "tests/unit/suite.h"
#include "weir/explain.h"
#include "weir/health.h"
#include "weir/model.h"

static void without_a_document_there_is_nothing(void **state)
{
	struct generation *g = NULL;
	(void)state;

	assert_int_equal(load_generation(true, &g), -ENOENT);
	assert_null(g);
	assert_int_equal(n_reports, 0);
}

static void a_bad_zone_is_broken_when_nothing_is_kept(void **state)
{
	struct generation *g = NULL;
	(void)state;

	write_document("www.shop.test");
	write_text("zone", GOOD "www A 192.0.2.2\n");
	assert_int_equal(load_generation(true, &g), 0);
	assert_int_equal(n_reports, 1);
	assert_int_equal(g->n_broken, 1);
	generation_free(g);
}

static void half_a_document_is_refused(void **state)
{
	struct generation *g = NULL;
	(void)state;

	write_text(PROC_EFFECTIVE_FILE, "schema = 1;\ncluster = {");
	assert_int_equal(load_generation(true, &g), -EINVAL);
	assert_true(n_reports > 0);
}

static void the_kept_image_serves_what_it_fits(void **state)
{
	struct generation *g = NULL;
	(void)state;

	write_document("www.shop.test");
	write_text("zone", GOOD);
	assert_int_equal(load_generation(true, &g), 0);
	assert_true(g->compiled); /* compiled */
	generation_free(g);

	assert_int_equal(load_generation(true, &g), 0);
	assert_true(g->mapped_bytes > 0 && !g->stale); /* mapped */
	generation_free(g);

	assert_int_equal(load_generation(false, &g), 0);
	assert_true(g->compiled); /* compiled when told so */
	generation_free(g);

	write_text("zone", GOOD "more A 192.0.2.9\n");
	assert_int_equal(load_generation(true, &g), 0);
	assert_true(g->compiled); /* the file has changed */
	assert_int_equal(g->image->n_records, 5);
	generation_free(g);
}

/* As a restore or a copy does it: nothing of the file but its time's last digits is another. */
static void a_file_that_changed_in_the_same_second_is_read(void **state)
{
	struct generation *g = NULL;
	char path[PATH_MAX];
	(void)state;

	write_document("www.shop.test");
	path_of("zone", path);
	for (long i = 0; i < 3; i++) {
		const struct timespec times[2] = { { 1000, i }, { 1000, i } };

		write_text("zone", i ? GOOD "b A 192.0.2.8\n" : GOOD "b A 192.0.2.9\n");
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
		assert_int_equal(load_generation(true, &g), 0);
		assert_true(g->compiled);
		generation_free(g);
	}
	digest = "sha256:1"; /* and a document that means another file of that name */
	write_document("www.shop.test");
	assert_int_equal(load_generation(true, &g), 0);
	assert_true(g->compiled);
	generation_free(g);
	assert_int_equal(load_generation(true, &g), 0);
	assert_false(g->compiled);
	generation_free(g);
	digest = "";
	write_text("zone", GOOD);
}

/* What is in use is better than a file that anybody may have damaged. */
static void a_bad_zone_is_taken_from_the_image_in_use(void **state)
{
	struct generation *g = NULL, *next = NULL;
	struct generation_how how = { .keep = true, .report = count_message };
	(void)state;

	write_document("www.shop.test");
	write_text("zone", GOOD);
	assert_int_equal(load_generation(false, &g), 0);
	write_text(GENERATION_IMAGE_FILE, "weirzone and nothing behind it");
	write_text("zone", GOOD "h A 1.2.3\n");
	how.earlier = g->image;
	assert_int_equal(generation_load(&dirs, &how, &next), 0);
	assert_int_equal(next->n_earlier, 1);
	assert_int_equal(next->n_broken, 0);
	generation_free(next);
	generation_free(g);
	write_text("zone", GOOD);
}

/* The file is spoilt and the kept image, too: whoever opened one would notice. Twice, as a share is shared again. */
static void a_document_with_the_same_files_opens_none(void **state)
{
	struct generation *g = NULL, *next = NULL;
	struct generation_how how = { .trust_cache = true, .report = count_message };
	(void)state;

	digest = "sha256:1";
	write_document("www.shop.test");
	write_text("part", "more A 192.0.2.9\n");
	write_text("zone", GOOD "$INCLUDE part\n");
	assert_int_equal(load_generation(false, &g), 0);
	write_text("zone", "nonsense\n");
	write_text(GENERATION_IMAGE_FILE, "");
	for (int i = 0; i < 2; i++) {
		how.now = g;
		assert_int_equal(generation_load(&dirs, &how, &next), 0);
		assert_ptr_equal(next->image, g->image);
		assert_false(next->compiled || generation_lacks(next));
		generation_free(g);
		g = next;
		assert_int_equal(g->image->n_records, 5);
	}
	how.now = g;
	write_document("ftp.shop.test"); /* other dynamic names */
	assert_int_equal(generation_load(&dirs, &how, &next), 0);
	assert_true(next->compiled && next->n_broken == 1);
	generation_free(next);
	digest = "sha256:2"; /* another file */
	write_document("www.shop.test");
	assert_int_equal(generation_load(&dirs, &how, &next), 0);
	assert_true(next->compiled && next->n_broken == 1);
	how.now = next; /* what lacks a zone looks for its file again, if it is another one */
	write_text("zone", GOOD);
	generation_free(g);
	assert_int_equal(generation_load(&dirs, &how, &g), 0);
	assert_false(generation_lacks(g));
	generation_free(next);
	generation_free(g);
	digest = "";
	write_document("www.shop.test");
}

static void the_key_in_use_stays_when_the_file_has_another(void **state)
{
	struct generation *g = NULL, *next = NULL;
	struct generation_how how = { .keep = true, .report = count_message };
	(void)state;

	write_document("www.shop.test");
	assert_int_equal(load_generation(false, &g), 0);
	assert_int_equal(g->model->key_state, MODEL_KEY_GOOD);
	write_text("hash.key", "ffeeddccbbaa99887766554433221100\n");
	how.before = g->model;
	assert_int_equal(generation_load(&dirs, &how, &next), 0);
	assert_int_equal(next->model->key_state, MODEL_KEY_KEPT);
	assert_memory_equal(next->model->hash_key, g->model->hash_key, sizeof(g->model->hash_key));
	generation_free(next);
	generation_free(g);
	assert_int_equal(load_generation(false, &g), 0); /* a first one has none to keep */
	assert_int_equal(g->model->key_state, MODEL_KEY_NONE);
	generation_free(g);
	write_text("hash.key", "00112233445566778899aabbccddeeff\n");
}

static const struct image_zone *only_zone(const struct generation *g)
{
	assert_int_equal(g->image->n_zones, 1);
	return image_zone(g->image, 0);
}

static void a_kept_image_stands_in_for_bad_zones(void **state)
{
	struct generation *g = NULL;
	(void)state;

	write_document("www.shop.test");
	write_text("zone", GOOD);
	assert_int_equal(load_generation(true, &g), 0);
	generation_free(g);
	write_text("zone", GOOD "www A 192.0.2.2\n");
	for (int i = 0; i < 2;
	     i++) { /* the image that is kept then serves, too, and is not trusted */
		assert_int_equal(load_generation(true, &g), 0);
		assert_int_equal(g->n_earlier, 1);
		assert_int_equal(only_zone(g)->state, IMAGE_ZONE_EARLIER);
		assert_int_equal(only_zone(g)->n_records, 4);
		assert_true(g->compiled);
		assert_int_equal(n_reports, 1);
		generation_free(g);
	}
	write_text("zone", GOOD);
	assert_int_equal(load_generation(true, &g), 0);
	assert_int_equal(only_zone(g)->state, 0);
	generation_free(g);
}

static void a_bad_zone_without_an_image_is_broken_and_nothing_else(void **state)
{
	struct generation *g = NULL;
	(void)state;

	write_document("www.shop.test");
	write_text("zone", GOOD);
	assert_int_equal(load_generation(true, &g), 0);
	generation_free(g);
	/* the earlier image has records where the document has a dynamic name now */
	write_document("ns.shop.test");
	write_text("zone", "");
	assert_int_equal(load_generation(true, &g), 0);
	assert_int_equal(n_reports, 3); /* once, however often it is tried */
	assert_int_equal(g->n_broken, 1);
	assert_int_equal(only_zone(g)->state, IMAGE_ZONE_BROKEN);
	generation_free(g);
	write_text(GENERATION_IMAGE_FILE, "");
	write_document("www.shop.test");
	assert_int_equal(load_generation(true, &g), 0);
	assert_int_equal(only_zone(g)->state, IMAGE_ZONE_BROKEN);
	generation_free(g);
}

static void a_damaged_image_is_made_anew(void **state)
{
	struct generation *g = NULL;
	(void)state;

	write_text("zone", GOOD);
	write_text(GENERATION_IMAGE_FILE, "weirzone and nothing behind it");
	assert_int_equal(load_generation(true, &g), 0);
	assert_true(g->compiled);
	generation_free(g);
	assert_int_equal(load_generation(true, &g), 0);
	assert_false(g->compiled);
	size_t bytes = g->image->size_bytes;
	generation_free(g);
	for (size_t i = 1; i < 8; i++) { /* one byte of it is another */
		char path[PATH_MAX];
		FILE *f;
		int was;

		path_of(GENERATION_IMAGE_FILE, path);
		f = fopen(path, "r+");
		assert_non_null(f);
		assert_int_equal(fseek(f, (long)(bytes * i / 8), SEEK_SET), 0);
		was = fgetc(f);
		assert_int_equal(fseek(f, (long)(bytes * i / 8), SEEK_SET), 0);
		assert_int_equal(fputc(was ^ 4, f), was ^ 4);
		assert_int_equal(fclose(f), 0);
		assert_int_equal(load_generation(true, &g), 0);
		assert_true(g->compiled);
		generation_free(g);
	}
}

static void zones_with_includes_are_always_read(void **state)
{
	struct generation *g = NULL;
	(void)state;

	write_text("part", "inc A 192.0.2.7\n");
	write_text("zone", GOOD "$INCLUDE part\n");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(load_generation(true, &g), 0);
		assert_true(g->compiled);
		generation_free(g);
	}
}

static void observe_page(struct generation *g, const struct health_page *page)
{
	const struct peer_health_input seen = { .own = page, .own_good_until_ms = 2, .now_ms = 1 };

	const struct generation_time time = { .wall_clock_ms = 0 };

	generation_observe(g, &seen, NULL, NULL, &time);
}

static void verdicts_are_taken_from_the_page(void **state)
{
	struct generation *g = NULL;
	struct health_page *page = calloc(1, sizeof(*page));
	const uint64_t targets[] = { health_target_service("web", "fra", true),
		                     health_target_service("web", "fra", false) };
	health_word down = health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1);
	(void)state;

	write_text("zone", GOOD);
	assert_non_null(page);
	assert_int_equal(load_generation(true, &g), 0);
	observe_page(g, page);
	assert_int_equal(health_state(g->state->sites[1].words[1]), HEALTH_UNKNOWN);

	assert_int_equal(health_set_targets(page, targets, COUNT(targets), 1), 0);
	health_write(page, health_find_index(page, targets[0]), down);
	observe_page(g, page);
	assert_int_equal(g->state->sites[1].words[1], down);
	assert_int_equal(g->state->sites[1].words[0], 0);
	assert_int_equal(g->state->sites[0].words[1], 0);

	page->generation++; /* being laid out: what was seen stays */
	health_write(page, health_find_index(page, targets[0]), 0);
	observe_page(g, page);
	assert_int_equal(g->state->sites[1].words[1], down);
	page->generation++;
	observe_page(g, NULL); /* no page any more */
	assert_int_equal(g->state->sites[1].words[1], down);
	assert_int_equal(health_set_targets(page, targets, 0, 2),
	                 0); /* the target is gone: its last word stays */
	observe_page(g, page);
	assert_int_equal(g->state->sites[1].words[1], down);
	generation_free(g);
	free(page);
}

#define T 1000000000000

/* Whether a step of that kind says that. */
static bool says_text(const struct explanation *e, const char *what, const char *text)
{
	for (size_t i = 0; i < e->n_steps; i++)
		if (strcmp(e->steps[i].what, what) == 0 && strstr(e->steps[i].text, text))
			return true;
	return false;
}

static void explain_tells_each_step(void **state)
{
	static const struct {
		const char *name, *type, *rcode, *what, *text;
	} cases[] = {
		{ "www.shop.test", "A", "NOERROR", "key",
		  "192.0.2.0/24, from the resolver's address" },
		{ "www.shop.test", "AAAA", "NOERROR", "candidates", "ams, fra" },
		{ "www.shop.test", "A", "NOERROR", "ttl", "60 s: no change is expected" },
		{ "alias.shop.test", "A", "NOERROR", "alias", "alias.shop.test is an alias" },
		{ "alias.shop.test", "A", "NOERROR", "chosen", "" },
		{ "www.shop.test", "MX", "NOERROR", "nodata", "www.shop.test has no records" },
		{ "none.shop.test", "A", "NXDOMAIN", "nxdomain", "below shop.test" },
		{ "elsewhere.test", "A", "REFUSED", "outside", "none of the zones" },
	};
	struct explain_request request = { .wall_clock_ms = T };
	struct explanation *e = NULL;
	(void)state;

	write_document("www.shop.test");
	write_text("zone", GOOD);
	assert_int_equal(addr_parse("192.0.2.77", &request.client), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s %s: %s\n", cases[i].name, cases[i].type, cases[i].what);
		request.name = cases[i].name;
		request.type = cases[i].type;
		assert_int_equal(explain_dns(&dirs, &request, &e), 0);
		assert_string_equal(e->rcode, cases[i].rcode);
		assert_true(says_text(e, cases[i].what, cases[i].text));
		explain_free(e);
	}
	request.name = "a..b";
	assert_int_equal(explain_dns(&dirs, &request, &e), -EINVAL);
	assert_int_equal(e->n_errors, 1);
	explain_free(e);
	request.name = "www.shop.test";
	request.type = "NOTYPE";
	assert_int_equal(explain_dns(&dirs, &request, &e), -EINVAL);
	explain_free(e);
}

SUITE(generation)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_document_there_is_nothing),
		cmocka_unit_test(a_bad_zone_is_broken_when_nothing_is_kept),
		cmocka_unit_test(half_a_document_is_refused),
		cmocka_unit_test(the_kept_image_serves_what_it_fits),
		cmocka_unit_test(a_file_that_changed_in_the_same_second_is_read),
		cmocka_unit_test(a_bad_zone_is_taken_from_the_image_in_use),
		cmocka_unit_test(a_document_with_the_same_files_opens_none),
		cmocka_unit_test(the_key_in_use_stays_when_the_file_has_another),
		cmocka_unit_test(a_kept_image_stands_in_for_bad_zones),
		cmocka_unit_test(a_bad_zone_without_an_image_is_broken_and_nothing_else),
		cmocka_unit_test(a_damaged_image_is_made_anew),
		cmocka_unit_test(zones_with_includes_are_always_read),
		cmocka_unit_test(verdicts_are_taken_from_the_page),
		cmocka_unit_test(explain_tells_each_step),
	};

	return cmocka_run_group_tests_name("generation", tests, set_up, tear_down);
}
