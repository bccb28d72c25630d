/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a generation is made, step by step: files that are cut short, a full disk, too little
 * memory, and what is decided of the views.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/dns/generation_scene.h"

static const struct proc_dirs dirs = { .run = "/run", .state = "/state" };
static struct model_zone zones[2];
static struct model model;
static const char *texts[] = { "www.test", "ftp.test" };
static struct steering place;

static int set_up(void **state)
{
	(void)state;
	memset(&edge, 0, sizeof(edge));
	zones[0] = (struct model_zone){ .name = "a.test", .file = "zone0", .digest = "d0" };
	zones[1] = (struct model_zone){ .name = "b.test", .file = "zone1", .digest = "d1" };
	model = (struct model){ .zones = zones, .n_zones = 2 };
	place = (struct steering){ .texts = texts, .n_names = 2 };
	edge.kept_fd = -1;
	for (unsigned i = 0; i < 2; i++)
		edge.st[i] = (struct stat){ .st_ino = 10 + i,
			                    .st_size = 100 + i,
			                    .st_mtim = { 1000 + i, 50 + i } };
	return 0;
}

/* All of a file that tells that it is another, for each file. */
static void another_file_has_another_digest(void **state)
{
	uint64_t was = source_digest(&model, &place);

	(void)state;
	assert_int_equal(source_digest(&model, &place), was);
	for (unsigned i = 0; i < 2; i++) {
		struct stat *st = &edge.st[i], kept = *st;
		struct model_zone zone = zones[i];

		st->st_ino++;
		assert_true(source_digest(&model, &place) != was);
		*st = kept;
		st->st_size++;
		assert_true(source_digest(&model, &place) != was);
		*st = kept;
		st->st_mtim.tv_sec++;
		assert_true(source_digest(&model, &place) != was);
		*st = kept;
		st->st_mtim.tv_nsec++;
		assert_true(source_digest(&model, &place) != was);
		*st = kept;
		zones[i].name = "c.test";
		assert_true(source_digest(&model, &place) != was);
		zones[i] = zone;
		zones[i].digest = "d2";
		assert_true(source_digest(&model, &place) != was);
		zones[i] = zone;
	}
	place.n_names = 1;
	assert_true(source_digest(&model, &place) != was);
	place.n_names = 2;
	model.n_zones = 1;
	assert_true(source_digest(&model, &place) != was);
	model.n_zones = 2;
	assert_int_equal(source_digest(&model, &place), was);
}

static void a_file_is_read_to_its_end_or_not_at_all(void **state)
{
	static const struct {
		ssize_t pieces[8];
		bool whole;
	} cases[] = {
		{ { 100 }, true },    { { 1, 98, 1 }, true }, { { -EINTR, 60, -EINTR, 40 }, true },
		{ { 99, 0 }, false }, { { 0 }, false },       { { 60, -EIO }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(edge.bytes); i++)
		edge.bytes[i] = (uint8_t)(i * 7 + 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t to[101] = { 0 };

		memcpy(edge.pieces, cases[i].pieces, sizeof(edge.pieces));
		edge.n_pieces = 0;
		edge.at = 0;
		assert_int_equal(read_whole_image(3, to, 100), cases[i].whole);
		if (cases[i].whole)
			assert_memory_equal(to, edge.bytes, 100);
		assert_int_equal(to[100], 0);
	}
}

static void take_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	assert_true(edge.n_reports < COUNT(edge.reported));
	edge.reported[edge.n_reports] = *m;
	snprintf(edge.texts[edge.n_reports++], sizeof(edge.texts[0]), "%s|%s:%u: %s", m->zone,
	         m->file, m->line, m->text);
}

/* An image is kept in the file that is read: 128 bytes of which the header is believed. */
static struct image *keep_in_file(uint64_t source, uint64_t dynamic)
{
	struct image *kept = (struct image *)edge.bytes;

	*kept = (struct image){ .size_bytes = 128, .source = source, .dynamic = dynamic };
	edge.kept_fd = 7;
	edge.st[0].st_size = 128;
	edge.pieces[0] = 128;
	return kept;
}

static void free_image(struct generation *g)
{
	if (g->mapped_bytes)
		munmap((void *)(uintptr_t)g->image, g->mapped_bytes);
	else
		free((void *)(uintptr_t)g->image);
}

/* What is served: K as it was kept, C compiled, S kept and stale, - nothing. */
static void the_image_is_the_kept_one_a_new_one_or_none(void **state)
{
	static const struct {
		const char *why;
		bool kept, trust, same_source, same_dynamic, earlier;
		int check, compile;
		char served;
		int result;
	} cases[] = {
		{ "nothing is kept", false, true, false, false, false, 0, 0, 'C', 0 },
		{ "it fits", true, true, true, true, false, 0, 0, 'K', 0 },
		{ "it fits and is not trusted", true, false, true, true, false, 0, 0, 'C', 0 },
		{ "it is of other files", true, true, false, true, false, 0, 0, 'C', 0 },
		{ "it is damaged", true, true, true, true, false, -EPROTO, 0, 'C', 0 },
		{ "its size is not known", true, true, true, true, false, -EIO, 0, 'C', 0 },
		{ "the compiler gives up", true, true, false, true, false, 0, -ENOMEM, 'S', 0 },
		{ "so with one in use", true, true, false, true, true, 0, -ENOMEM, 'S', 0 },
		{ "other names", true, true, false, false, false, 0, -EINVAL, '-', -EINVAL },
		{ "none at all", false, true, false, false, false, 0, -ENOMEM, '-', -ENOMEM },
		{ "damaged and none", true, true, true, true, false, -EPROTO, -EINVAL, '-',
		  -EINVAL },
	};
	static const struct image in_use;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct generation g = { .model = &model,
			                .steering = &place,
			                .arena = arena_new(4096) };
		struct generation_how how = { .trust_cache = cases[i].trust,
			                      .report = take_report };
		uint64_t source, dynamic = image_dynamic_digest(texts, 2);

		print_message("  %s\n", cases[i].why);
		(void)set_up(NULL);
		edge.st[0].st_size = 128;
		source = source_digest(&model, &place);
		if (cases[i].kept)
			(void)keep_in_file(source + !cases[i].same_source,
			                   dynamic + !cases[i].same_dynamic);
		edge.check_result = cases[i].check;
		edge.compile_result = cases[i].compile;
		how.earlier = cases[i].earlier ? &in_use : NULL;
		assert_int_equal(find_image(&g, &dirs, &how), cases[i].result);
		assert_int_equal(g.stale, cases[i].served == 'S');
		assert_int_equal(g.compiled, cases[i].served == 'C');
		assert_int_equal(g.mapped_bytes, strchr("KS", cases[i].served) ? 128 : 0);
		assert_true((g.image != NULL) == (cases[i].served != '-'));
		assert_true(!!strstr(edge.calls, "compile") == (cases[i].served != 'K'));
		if (cases[i].served == 'K')
			assert_memory_equal(g.image, edge.bytes, 128);
		if (cases[i].earlier)
			assert_ptr_equal(edge.in.earlier, &in_use);
		else if (cases[i].served != 'K')
			assert_true((edge.in.earlier != NULL) ==
			            (cases[i].kept && !cases[i].check));
		free_image(&g);
		arena_free(g.arena);
	}
}

static void the_compiler_gets_all_zones_and_names(void **state)
{
	struct generation g = { .model = &model, .steering = &place, .arena = arena_new(4096) };
	struct generation_how how = { .keep = true, .report = take_report };

	(void)state;
	edge.replace_result = -ENOSPC;
	assert_int_equal(find_image(&g, &dirs, &how), 0); /* a full disk takes nothing out */
	assert_int_equal(edge.in.n_zones, 2);
	assert_string_equal(edge.in.zones[0].name, "a.test");
	assert_string_equal(edge.in.zones[0].file, "zone0");
	assert_string_equal(edge.in.zones[1].name, "b.test");
	assert_string_equal(edge.in.zones[1].file, "zone1");
	assert_true(edge.in.isolate);
	assert_false(edge.in.check_only || edge.in.by_ldns);
	assert_int_equal(edge.in.n_dynamic, 2);
	assert_ptr_equal(edge.in.dynamic, texts);
	assert_int_equal(edge.in.source, source_digest(&model, &place));
	assert_non_null(strstr(edge.calls, "replace"));
	assert_int_equal(edge.n_reports, 1);
	assert_string_equal(edge.texts[0], "|/run/dns.image:0: cannot write the zones' image here");
	free_image(&g);
	g.image = NULL;
	edge.replace_result = 0;
	assert_int_equal(find_image(&g, &dirs, &how), 0);
	assert_int_equal(edge.n_reports, 1);
	free_image(&g);
	g.image = NULL;
	how.keep = false;
	edge.calls[0] = '\0';
	assert_int_equal(find_image(&g, &dirs, &how), 0);
	assert_null(strstr(edge.calls, "replace"));
	assert_int_equal(edge.n_reports, 1);
	free_image(&g);
	arena_free(g.arena);
}

static void the_mistakes_of_a_document_are_told_with_their_fields(void **state)
{
	static struct model_error items[] = { { "f", 3, "sites[0]", "twice" },
		                              { "f", 0, NULL, "no end" },
		                              { "g", 9, "", "what" } };
	const struct generation_how how = { .report = take_report };
	struct generation *g = NULL;

	(void)state;
	edge.errors = (struct model_errors){ .items = items, .n_items = 3 };
	edge.key_result = -EINVAL;
	assert_int_equal(generation_load(&dirs, &how, &g), -EINVAL);
	assert_null(g);
	assert_int_equal(edge.n_reports, 3);
	assert_string_equal(edge.texts[0], "|f:3: sites[0]: twice");
	assert_string_equal(edge.texts[1], "|f:0: no end");
	assert_string_equal(edge.texts[2], "|g:9: what");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(edge.reported[i].level, ZONES_ERROR);
	assert_string_equal(edge.calls, "mistakes_free no_views ");
	edge.n_reports = 0;
	edge.errors.denied = true; /* another user would find none */
	assert_int_equal(generation_load(&dirs, &how, &g), -EACCES);
}

static void what_finds_no_memory_leaves_nothing(void **state)
{
	struct proc_dirs nowhere = { .run = "/run", .state = "/elsewhere" };
	const struct generation_how how = { .report = take_report };
	bool *lacks[] = { &edge.no_arena, &edge.no_place, &edge.no_state, &edge.no_views };
	struct generation *g = NULL;

	(void)state;
	assert_int_equal(generation_load(&nowhere, &how, &g), -ENOENT);
	for (size_t i = 0; i < COUNT(lacks); i++) {
		*lacks[i] = true;
		assert_int_equal(generation_load(&dirs, &how, &g), -ENOMEM);
		assert_null(g);
		assert_non_null(strstr(edge.calls, "no_views"));
		*lacks[i] = false;
	}
}

static void zones_are_counted_by_their_state(void **state)
{
	static struct {
		struct image head;
		struct image_zone zones[6];
	} image;
	static const uint32_t states[] = {
		0,
		IMAGE_ZONE_EARLIER,
		IMAGE_ZONE_BROKEN,
		IMAGE_ZONE_SIGNED,
		IMAGE_ZONE_EARLIER | IMAGE_ZONE_SIGNED,
		IMAGE_ZONE_EARLIER,
	};
	struct generation g = { .image = &image.head };

	(void)state;
	image.head.zones_off = sizeof(image.head);
	image.head.n_zones = COUNT(states);
	for (size_t i = 0; i < COUNT(states); i++)
		image.zones[i].state = states[i];
	count_zones(&g);
	assert_int_equal(g.n_earlier, 3);
	assert_int_equal(g.n_broken, 1);
	assert_int_equal(g.n_signed, 2);
}

/* Three states at two sites, each with two families. */
static void what_is_decided_follows_the_views(void **state)
{
	static struct model_site sites[2];
	const struct model_site *at[] = { &sites[0], &sites[1], &sites[0] };
	uint64_t targets[] = { 100, 101, 102, 103, 104, 105 };
	struct peer_health views = { .n_targets = 6, .targets = targets, .site_of_state = at };
	struct steering_state *seen = calloc(1, sizeof(*seen) + 3 * sizeof(seen->sites[0]));
	struct generation g = {
		.model = &model, .steering = &place, .state = seen, .peer_health = &views
	};
	const struct peer_health_input now = { .now_ms = 99 };
	const struct generation_time time = { .wall_clock_ms = 777, .clock_held = true };
	static const struct {
		bool votes;
		uint32_t n, n_heard;
		bool settled;
	} cases[] = { { true, 3, 2, true },
		      { true, 4, 2, false },
		      { true, 3, 1, false },
		      { false, 3, 0, true },
		      { true, 1, 1, true } };
	struct ramps ramps;
	struct decided decided;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		edge.calls[0] = '\0';
		edge.n_down = 0;
		views.votes = cases[i].votes;
		edge.sites = (struct peer_health_sites){ cases[i].n, cases[i].n_heard, 0 };
		generation_observe(&g, &now, &ramps, &decided, &time);
		assert_string_equal(edge.calls, "read take_out begin end step overrides ");
		assert_int_equal(edge.settled, cases[i].settled);
		assert_int_equal(edge.n_down, 2);
		assert_true(edge.down[0] == 101 && edge.down[1] == 104);
		assert_null(views.decided); /* borrowed for the call */
		for (size_t t = 0; t < 6; t++) {
			const struct steering_site_state *s = &seen->sites[t / 2];
			bool down = t == 1 || t == 4;

			assert_int_equal(health_state(s->words[t % 2]),
			                 down ? HEALTH_DOWN : HEALTH_UP);
			assert_int_equal(s->words[t % 2] >> 8, down ? 1 : t + 1);
			assert_int_equal(s->unproven[t % 2], t == 2 || t == 5);
		}
	}
	free(seen);
}

#define WITH(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(another_file_has_another_digest),
		WITH(a_file_is_read_to_its_end_or_not_at_all),
		WITH(the_image_is_the_kept_one_a_new_one_or_none),
		WITH(the_compiler_gets_all_zones_and_names),
		WITH(the_mistakes_of_a_document_are_told_with_their_fields),
		WITH(what_finds_no_memory_leaves_nothing),
		WITH(zones_are_counted_by_their_state),
		WITH(what_is_decided_follows_the_views),
	};

	return cmocka_run_group_tests_name("generation parts", tests, NULL, NULL);
}
