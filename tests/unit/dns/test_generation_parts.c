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
	}
	for (unsigned i = 0; i < 2; i++) {
		struct model_zone zone = zones[i];

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
		{ { 99, 0 }, false }, { { 0 }, false },       { { 60, -EIO, 40 }, false },
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

	*kept = (struct image){ .size_bytes = 128,
		                .source = source,
		                .program = file_digest("/proc/self/exe"),
		                .dynamic = dynamic };
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

#define READ "mmap-128 close "

/* What is served: K as it was kept, C compiled, S kept and stale, - nothing. */
static void the_image_is_the_kept_one_a_new_one_or_none(void **state)
{
	static const struct {
		const char *why;
		bool kept, trust, same_source, same_dynamic, earlier;
		int check, compile;
		char served;
		int result;
		const char *calls;
	} cases[] = {
		{ "nothing is kept", false, true, false, false, false, 0, 0, 'C', 0,
		  "compile replace " },
		{ "it fits", true, true, true, true, false, 0, 0, 'K', 0, READ },
		{ "it fits and is not trusted", true, false, true, true, false, 0, 0, 'C', 0,
		  READ "compile munmap-128 replace " },
		{ "it is of other files", true, true, false, true, false, 0, 0, 'C', 0,
		  READ "compile munmap-128 replace " },
		{ "it is damaged", true, true, true, true, false, -EPROTO, 0, 'C', 0,
		  READ "munmap-128 compile replace " },
		{ "its size is not known", true, true, true, true, false, -EIO, 0, 'C', 0,
		  "close compile replace " },
		{ "the compiler gives up", true, true, false, true, false, 0, -ENOMEM, 'S', 0,
		  READ "compile " },
		{ "so with one in use", true, true, false, true, true, 0, -ENOMEM, 'S', 0,
		  READ "compile " },
		{ "other names", true, true, false, false, false, 0, -EINVAL, '-', -EINVAL,
		  READ "compile munmap-128 " },
		{ "none at all", false, true, false, false, false, 0, -ENOMEM, '-', -ENOMEM,
		  "compile " },
		{ "damaged and none", true, true, true, true, false, -EPROTO, -EINVAL, '-', -EINVAL,
		  READ "munmap-128 compile " },
	};
	static const struct image in_use;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct generation g = { .model = &model,
			                .steering = &place,
			                .arena = arena_new(4096) };
		struct generation_how how = { .trust_cache = cases[i].trust,
			                      .keep = true,
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
		assert_int_equal(g.stale_error, g.stale ? cases[i].compile : 0);
		assert_int_equal(g.compiled, cases[i].served == 'C');
		assert_int_equal(g.mapped_bytes, strchr("KS", cases[i].served) ? 128 : 0);
		assert_true((g.image != NULL) == (cases[i].served != '-'));
		assert_string_equal(edge.calls, cases[i].calls);
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

/*
 * Who serves takes what another program made of the same files while nothing is served, and else only as the earlier
 * image; who explains takes it.
 */
static void an_image_of_another_program_is_for_who_explains(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		bool other = i & 1, serves = i & 2, same_files = i & 4, later = i & 8;
		bool taken = same_files && !(other && serves && later);
		struct generation g = { .model = &model,
			                .steering = &place,
			                .arena = arena_new(4096) };
		struct generation_how how = { .trust_cache = true,
			                      .keep = serves,
			                      .report = take_report };
		uint64_t program = file_digest("/proc/self/exe");
		struct image *kept;

		(void)set_up(NULL);
		edge.st[0].st_size = 128;
		kept = keep_in_file(source_digest(&model, &place) + !same_files, 0);
		kept->program += other;
		how.earlier = later ? kept : NULL;
		assert_int_equal(find_image(&g, &dirs, &how), 0);
		assert_int_equal(g.compiled, !taken);
		if (!taken) {
			assert_int_equal(edge.in.program,
			                 serves && later ? program : kept->program);
			assert_non_null(edge.in.earlier);
		}
		free_image(&g);
		arena_free(g.arena);
	}
}

/* What is no image by its length, or cannot be read, leaves neither memory nor a descriptor. */
static void a_kept_file_of_any_length_leaves_nothing(void **state)
{
	static const struct {
		int fd;
		off_t size;
		ssize_t piece;
		bool fits;
		const char *calls;
	} cases[] = {
		{ -ENOENT, 128, 128, false, "" },
		{ 0, 128, 128, true, "mmap-128 close " },
		{ 7, 1, 1, true, "mmap-1 close " },
		{ 7, 0, 0, false, "close " },
		{ 7, -1, 0, false, "close " },
		{ 7, 128, 127, false, "mmap-128 munmap-128 close " },
		{ 7, 4096, 4096, true, "mmap-4096 close " },
		{ 7, UINT32_MAX, 0, false, "mmap-4294967295 close " },
		{ 7, (off_t)UINT32_MAX + 1, 0, false, "close " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t bytes = 5;
		const struct image *image;

		(void)set_up(NULL);
		edge.kept_fd = cases[i].fd;
		edge.st[0].st_size = cases[i].size;
		edge.pieces[0] = cases[i].piece;
		image = read_image("/run/dns.image", &bytes);
		assert_int_equal(image != NULL, cases[i].fits);
		assert_int_equal(bytes, cases[i].fits ? (size_t)cases[i].size : 5);
		assert_string_equal(edge.calls, cases[i].calls);
		if (image)
			munmap((void *)(uintptr_t)image, bytes);
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
	assert_string_equal(edge.calls, "mistakes_free no_views no_model ");
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

/* All that a generation takes, and what it gives back in the end. */
static void what_is_shared_goes_with_its_last_user(void **state)
{
	struct generation_how how = { .trust_cache = true, .report = take_report };
	struct generation *g = NULL, *next = NULL;

	(void)state;
	edge.model = &model;
	struct image *kept = keep_in_file(0, image_dynamic_digest(NULL, 0));
	kept->source = source_digest(&model, &(struct steering){ 0 }); /* of what is kept now */
	assert_int_equal(generation_load(&dirs, &how, &g), 0);
	assert_string_equal(edge.calls, "mistakes_free mmap-128 close ");
	assert_int_equal(g->mapped_bytes, 128);
	for (unsigned i = 0; i < 2; i++) {
		how.now = g;
		edge.calls[0] = '\0';
		assert_int_equal(generation_load(&dirs, &how, &next), 0);
		assert_ptr_equal(next->image, g->image);
		assert_int_equal(next->mapped_bytes, 128);
		assert_int_equal(next->source, g->source);
		generation_free(g);
		assert_string_equal(edge.calls, "mistakes_free views_close model_free ");
		g = next;
	}
	edge.calls[0] = '\0';
	generation_free(g);
	assert_string_equal(edge.calls, "views_close munmap-128 model_free ");
	generation_free(NULL);
}

/* The first ones: who shares the image later reports them again, and warnings only once. */
static void errors_of_zones_are_reported_again_up_to_a_number(void **state)
{
	static const struct {
		unsigned n, again;
	} cases[] = { { 0, 0 }, { 1, 1 }, { 31, 31 }, { 32, 32 }, { 33, 32 }, { 40, 32 } };

	(void)state;
	edge.model = &model;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct generation_how how = { .report = take_report };
		struct generation *g = NULL, *next = NULL;

		edge.calls[0] = '\0';
		edge.n_errors = cases[i].n;
		edge.n_reports = 0;
		edge.kept_fd = -1;
		assert_int_equal(generation_load(&dirs, &how, &g), 0);
		assert_int_equal(edge.n_reports, 2 * cases[i].n);
		((struct image *)(uintptr_t)g->image)->dynamic = image_dynamic_digest(NULL, 0);
		how.now = g;
		edge.n_reports = 0;
		assert_int_equal(generation_load(&dirs, &how, &next), 0);
		generation_free(g);
		assert_ptr_equal(next->image, edge.compiled);
		assert_int_equal(edge.n_reports, cases[i].again);
		for (unsigned k = 0; k < edge.n_reports; k++) {
			char text[32];

			snprintf(text, sizeof(text), "z%u|f%u:%u: %u", k, k, k + 1, k);
			assert_string_equal(edge.texts[k], text);
			assert_int_equal(edge.reported[k].level, ZONES_ERROR);
		}
		generation_free(next);
	}
}

/* 40 errors, of which the last 3 may pass: these take the place of others, and their zones are known. */
static void errors_that_may_pass_are_kept_before_others(void **state)
{
	struct generation_how how = { .report = take_report };
	struct generation *g = NULL;
	unsigned n_pass = 0;

	(void)state;
	edge.model = &model;
	edge.n_errors = 40;
	edge.n_pass = 3;
	edge.kept_fd = -1;
	assert_int_equal(generation_load(&dirs, &how, &g), 0);
	assert_int_equal(g->stale_error, -EACCES);
	assert_int_equal(g->share->n_errors, GENERATION_ERRORS_MAX);
	for (unsigned i = 0; i < g->share->n_errors; i++)
		n_pass += g->share->errors[i].error == -EACCES;
	assert_int_equal(n_pass, 3);
	assert_string_equal(g->share->errors[0].zone, "z0");
	assert_string_equal(g->share->errors[28].zone, "z28");
	assert_string_equal(g->share->errors[29].zone, "z39");
	assert_string_equal(g->share->errors[31].zone, "z37");
	generation_free(g);
}

/* What is wrong with a path or a document is said, also while another document is in force. */
static void an_error_of_reading_ends_it(void **state)
{
	static struct proc_dirs far = { .run = "/run" };
	static struct generation in_force;
	const struct generation_how how = { .report = take_report, .now = &in_force };
	struct generation *g = NULL;

	(void)state;
	memset(far.state, 'x', sizeof(far.state) - 1);
	far.state[0] = '/';
	assert_int_equal(generation_load(&far, &how, &g), -ENAMETOOLONG);
	edge.key_result = -EINVAL;
	assert_int_equal(generation_load(&dirs, &how, &g), -EINVAL);
	assert_null(g);
	edge.key_result = 0;
	edge.errors.denied = true; /* of a file that was not needed */
	edge.model = &model;
	assert_int_equal(
	        generation_load(&dirs, &(struct generation_how){ .report = take_report }, &g), 0);
	generation_free(g);
}

static void zones_are_counted_by_their_state(void **state)
{
	static struct {
		struct image head;
		struct image_zone zones[5];
	} image;
	static const uint32_t states[] = {
		0, IMAGE_ZONE_EARLIER, IMAGE_ZONE_BROKEN, IMAGE_ZONE_EARLIER, IMAGE_ZONE_EARLIER,
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
	struct ramps ramps;
	struct decided decided;

	(void)state;
	for (unsigned settled = 0; settled < 2; settled++) {
		edge.calls[0] = '\0';
		edge.n_down = 0;
		edge.enough_seen = settled;
		generation_observe(&g, &now, &ramps, &decided, &time);
		assert_string_equal(edge.calls, "read take_out begin end step overrides ");
		assert_int_equal(edge.settled, settled);
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

/* Of the names whose services are at the drained site, and which the drain concerns. */
static void a_drain_lasts_as_long_as_the_longest_ttl_of_its_names(void **state)
{
	static struct model_site all[] = { { .name = "ams" },
		                           { .name = "fra" },
		                           { .name = "lon" } };
	static struct steering_site at[3];
	static const struct steering_service services[] = {
		{ .name = "web", .n_sites = 3, .sites = at },
		{ .name = "mail", .n_sites = 2, .sites = at },
		{ .name = "chat", .n_sites = 1, .sites = at + 1 },
	};
	static const struct steering_name names[] = {
		{ .service = &services[1], .ttl_min_s = 7, .ttl_max_s = 70 },
		{ .service = &services[0], .ttl_min_s = 9, .ttl_max_s = 50 },
		{ .service = &services[0], .ttl_min_s = 8, .ttl_max_s = 60 },
		{ .service = &services[2], .ttl_min_s = 20, .ttl_max_s = 200 },
	};
	static const struct {
		const char *site, *service;
		uint32_t longest_s, shortest_s;
	} cases[] = {
		{ "ams", NULL, 70, 9 },     { "ams", "web", 60, 9 },  { "ams", "mail", 70, 7 },
		{ "ams", "chat", 0, 0 },    { "fra", "", 200, 20 },   { "fra", "chat", 200, 20 },
		{ "fra", "web", 60, 9 },    { "lon", "", 60, 9 },     { "lon", "mail", 0, 0 },
		{ "nowhere", "web", 0, 0 }, { "fra", "other", 0, 0 },
	};
	struct peer_health views = { 0 };
	struct steering_state seen = { 0 };
	struct generation g = {
		.model = &model, .steering = &place, .state = &seen, .peer_health = &views
	};
	const struct peer_health_input now = { .now_ms = 99 };
	const struct generation_time time = { .wall_clock_ms = 777, .clock_held = true };
	struct ramps ramps;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		at[i].name = all[i].name;
	model.sites = all;
	model.n_sites = 3;
	place.names = names;
	place.n_names = 4;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct model_override drain = { .name = cases[i].site,
			                              .service = cases[i].service };

		print_message("  %s %s\n", cases[i].site,
		              cases[i].service ? cases[i].service : "-");
		edge.calls[0] = '\0';
		edge.drain = &drain;
		generation_observe(&g, &now, &ramps, NULL, &time);
		assert_string_equal(edge.calls, "read take_out step overrides ");
		assert_int_equal(edge.ttl_s[0], cases[i].longest_s);
		assert_int_equal(edge.ttl_s[1], cases[i].shortest_s);
	}
}

/* Whose zones lack nothing, and whose files and names are the same, has the same image. */
static void an_image_is_shared_by_documents_with_the_same_files(void **state)
{
	static const char *const others[] = { "www.test", "mail.test" };
	static struct image image;
	static const struct {
		const char *why;
		const char *name, *file, *digest, *was;
		bool stale, other_names, lacks, touched, same;
		size_t n_zones;
	} cases[] = {
		{ "all is the same", NULL, NULL, NULL, NULL, .n_zones = 2, .same = true },
		{ "a zone less", NULL, NULL, NULL, NULL, .n_zones = 1 },
		{ "an outdated image", NULL, NULL, NULL, NULL, .n_zones = 2, .stale = true },
		{ "other names", NULL, NULL, NULL, NULL, .n_zones = 2, .other_names = true },
		{ "another zone", "c.test", NULL, NULL, NULL, .n_zones = 2 },
		{ "another file", NULL, "zone2", NULL, NULL, .n_zones = 2 },
		{ "another digest", NULL, NULL, "d2", NULL, .n_zones = 2 },
		{ "no digest now", NULL, NULL, "", NULL, .n_zones = 2 },
		{ "no digest of either", NULL, NULL, "", "", .n_zones = 2 },
		{ "lacking, not touched", NULL, NULL, NULL, NULL, .n_zones = 2, .lacks = true,
		  .same = true },
		{ "lacking, touched", NULL, NULL, NULL, NULL, .n_zones = 2, .lacks = true,
		  .touched = true },
		{ "complete and touched", NULL, NULL, NULL, NULL, .n_zones = 2, .touched = true,
		  .same = true },
	};

	(void)state;
	image.dynamic = image_dynamic_digest(texts, 2);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model_zone then[2] = { zones[0], zones[1] }, now[2] = { zones[0], zones[1] };
		struct model before = { .zones = then, .n_zones = 2 };
		struct model after = { .zones = now, .n_zones = cases[i].n_zones };
		struct steering names = { .texts = cases[i].other_names ? others : texts,
			                  .n_names = 2 };
		struct generation in_force = { .model = &before,
			                       .image = &image,
			                       .stale = cases[i].stale,
			                       .n_broken = cases[i].lacks };
		struct generation next = { .model = &after, .steering = &names };

		print_message("  %s\n", cases[i].why);
		if (cases[i].name)
			now[1].name = cases[i].name;
		if (cases[i].file)
			now[1].file = cases[i].file;
		if (cases[i].digest)
			now[1].digest = cases[i].digest;
		if (cases[i].was)
			then[1].digest = cases[i].was;
		in_force.source = source_digest(&after, &names) + cases[i].touched;
		assert_int_equal(has_same_files(&next, &in_force), cases[i].same);
	}
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
		WITH(an_image_of_another_program_is_for_who_explains),
		WITH(a_kept_file_of_any_length_leaves_nothing),
		WITH(what_is_shared_goes_with_its_last_user),
		WITH(errors_of_zones_are_reported_again_up_to_a_number),
		WITH(errors_that_may_pass_are_kept_before_others),
		WITH(an_error_of_reading_ends_it),
		WITH(what_is_decided_follows_the_views),
		WITH(a_drain_lasts_as_long_as_the_longest_ttl_of_its_names),
		WITH(an_image_is_shared_by_documents_with_the_same_files),
	};

	return cmocka_run_group_tests_name("generation parts", tests, NULL, NULL);
}
