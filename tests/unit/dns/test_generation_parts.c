/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a generation is made, at its edges: files that are read in pieces or cut short, want of memory, errors that are
 * kept, images that are shared; and what is decided of what nodes see.
 */
#include "tests/unit/answers.h"
#include "tests/unit/dns/generation_files.h"

#include <stdarg.h>

#include "dns/steering/decided.h"
#include "dns/steering/ramps.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"

static ssize_t piece; /* so many bytes of the kept image are read at once; -errno: that; 0: all */
static bool is_interrupted;           /* each reading of it at first */
static unsigned n_allocated, fail_at; /* this allocation fails; 0: none */
static const char *unreadable;        /* files whose names begin so cannot be opened */

static void *own_calloc(size_t n, size_t size)
{
	return ++n_allocated == fail_at ? NULL : __real_calloc(n, size);
}

static void *own_malloc(size_t size)
{
	return ++n_allocated == fail_at ? NULL : __real_malloc(size);
}

static int own_open64(const char *path, int flags, mode_t mode)
{
	const char *name = strrchr(path, '/');

	errno = EACCES;
	return unreadable && name && !strncmp(name + 1, unreadable, strlen(unreadable))
	               ? -1
	               : __real_open64(path, flags, mode);
}

static bool is_image(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	return strstr(path, GENERATION_IMAGE_FILE) != NULL;
}

static ssize_t own_read(int fd, void *bytes, size_t n)
{
	static bool again;

	if (!piece || !is_image(fd))
		return __real_read(fd, bytes, n);
	again = !again;
	errno = piece < 0 ? (int)-piece : EINTR;
	if (piece < 0 || (is_interrupted && again))
		return -1;
	return __real_read(fd, bytes, n < (size_t)piece ? n : (size_t)piece);
}

static struct zones_message reported[128];
static char texts[128][256];
static unsigned n_taken;

static void take_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	assert_true(n_taken < COUNT(reported));
	reported[n_taken] = *m;
	snprintf(texts[n_taken++], sizeof(texts[0]), "%s|%s:%u: %s", m->zone, m->file, m->line,
	         m->text);
}

static struct generation *load_with(struct generation_how how)
{
	struct generation *g = NULL;

	n_taken = 0;
	how.report = take_report;
	assert_int_equal(generation_load(&dirs, &how, &g), 0);
	return g;
}

static int begin_scene(void **state)
{
	piece = 0;
	is_interrupted = false;
	fail_at = 0;
	unreadable = NULL;
	digest = "d1";
	strcpy(dir, "/tmp/weir-generation.XXXXXX");
	if (set_up(state))
		return -1;
	write_document("www.shop.test");
	return 0;
}

static void a_kept_image_is_read_to_its_end_or_not_at_all(void **state)
{
	static const struct {
		ssize_t piece;
		bool interrupted, taken;
	} cases[] = {
		{ 0, false, true },     { 1, true, true },         { 1000, true, true },
		{ -EIO, false, false }, { -EISDIR, false, false },
	};

	(void)state;
	generation_free(load_with((struct generation_how){ .keep = true }));
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned n_open = count_descriptors();
		struct generation *g;

		piece = cases[i].piece;
		is_interrupted = cases[i].interrupted;
		g = load_with((struct generation_how){ .trust_cache = true });
		assert_int_equal(g->compiled, !cases[i].taken);
		assert_int_equal(g->mapped_bytes > 0, cases[i].taken);
		assert_int_equal(count_descriptors(), n_open);
		generation_free(g);
	}
}

/* What is no image by its length leaves neither memory nor a descriptor. */
static void a_kept_file_of_any_length_leaves_nothing(void **state)
{
	char path[PATH_MAX];
	struct stat st;

	(void)state;
	generation_free(load_with((struct generation_how){ .keep = true }));
	path_of(GENERATION_IMAGE_FILE, path);
	assert_int_equal(stat(path, &st), 0);
	const off_t sizes[] = {
		st.st_size, st.st_size + 1, st.st_size - 1, sizeof(struct image), 1,
		0,          (off_t)1 << 32,
	};

	for (size_t i = 0; i < COUNT(sizes); i++) {
		unsigned n_open = count_descriptors();
		struct generation *g;

		assert_int_equal(truncate(path, sizes[i]), 0);
		g = load_with((struct generation_how){ .trust_cache = true });
		assert_int_equal(g->compiled, i > 0);
		assert_int_equal(count_descriptors(), n_open);
		generation_free(g);
	}
}

/*
 * Whichever allocation fails: nothing is made, or the zone lacks, or the kept image is served instead; that one is
 * compiled again with the next document, though that has the same files.
 */
static void without_memory_the_kept_image_is_served(void **state)
{
	const struct generation_how fresh = { .report = take_report };
	unsigned n_stale = 0, n_nothing = 0, first;
	bool all = false;

	(void)state;
	generation_free(load_with((struct generation_how){ .keep = true }));
	n_allocated = 0;
	generation_free(load_with(fresh));
	first = n_allocated > 400 ? n_allocated - 400 : 1;
	for (unsigned at = first; !all; at++) {
		struct generation *g = NULL;
		int err;

		n_taken = n_allocated = 0;
		fail_at = at;
		err = generation_load(&dirs, &fresh, &g);
		all = n_allocated < at;
		fail_at = 0;
		n_nothing += err != 0;
		assert_true(err == 0 || !g);
		if (err == 0 && g->stale) {
			struct generation *next = load_with((struct generation_how){
			        .trust_cache = true, .earlier = g->image, .now = g });

			n_stale++;
			assert_int_equal(g->stale_error, -ENOMEM);
			assert_ptr_not_equal(next->image, g->image);
			generation_free(next);
		}
		generation_free(g);
	}
	assert_true(n_stale > 0 && n_nothing > 0);
}

static void an_image_that_cannot_be_kept_is_told_and_served(void **state)
{
	struct generation *g;
	char path[PATH_MAX];

	(void)state;
	path_of(GENERATION_IMAGE_FILE, path);
	g = load_with((struct generation_how){ .keep = false });
	assert_int_equal(access(path, F_OK), -1); /* a command writes nothing */
	generation_free(g);
	snprintf(dirs.run, sizeof(dirs.run), "%.60s/none", dir);
	g = load_with((struct generation_how){ .keep = true });
	assert_true(g->compiled);
	assert_int_equal(n_taken, 1);
	assert_int_equal(reported[0].level, ZONES_ERROR);
	assert_non_null(strstr(texts[0], "/none/" GENERATION_IMAGE_FILE
	                                 ":0: cannot write the zones' image here"));
	generation_free(g);
}

static void the_mistakes_of_a_document_are_told_with_their_fields(void **state)
{
	const struct generation_how how = { .report = take_report };
	struct generation *g = NULL;

	(void)state;
	n_taken = 0;
	write_text(PROC_EFFECTIVE_FILE, "schema = 1;\nnonsense = 2;\n");
	assert_int_equal(generation_load(&dirs, &how, &g), -EINVAL);
	assert_true(n_taken > 0 && !g);
	assert_int_equal(reported[0].level, ZONES_ERROR);
	assert_ptr_equal(strstr(texts[0], "|"), texts[0]);
	assert_non_null(strstr(texts[0], "/effective.conf:1: cluster: is missing"));
	memset(dirs.state, 'x', sizeof(dirs.state) - 1);
	dirs.state[0] = '/';
	assert_int_equal(generation_load(&dirs, &how, &g), -ENAMETOOLONG);
}

static void write_errors(unsigned n)
{
	char text[4096] = "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n"
	                  "h2 CNAME ns\nmx MX 1 h2\n"; /* a warning */

	for (unsigned i = 0; i < n; i++)
		sprintf(text + strlen(text), "h%u A 1.2.3\n", i);
	write_text("zone", text);
}

/* The document has zones zz1.test to zz3.test, too; for the first time with the files of the other one. */
static void add_zones(void)
{
	char path[PATH_MAX], command[2 * PATH_MAX];

	path_of(PROC_EFFECTIVE_FILE, path);
	snprintf(command, sizeof(command),
	         "for i in 1 2 3; do cp %s/zone %s/more$i; done; "
	         "sed -i 's#{\\( *name = \"shop.test\"[^}]*\\)}#{\\1}, "
	         "{ name = \"zz1.test\"; file = \"%s/more1\"; digest = \"1\"; }, "
	         "{ name = \"zz2.test\"; file = \"%s/more2\"; digest = \"2\"; }, "
	         "{ name = \"zz3.test\"; file = \"%s/more3\"; digest = \"3\"; }#' %s",
	         dir, dir, dir, dir, dir, path);
	assert_int_equal(system(command), 0);
}

/* The first ones: who shares the image later reports them again, and warnings only once. Twice. */
static void errors_of_zones_are_reported_again_up_to_a_number(void **state)
{
	static const unsigned cases[] = { 1, 31, 32, 33, 40 };

	(void)state;
	write_errors(0);
	add_zones();
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned again = cases[i] < 32 ? cases[i] : 32;
		struct generation *g, *next;

		write_errors(cases[i]);
		g = load_with((struct generation_how){ .report = take_report });
		assert_int_equal(n_taken, cases[i] + 3); /* and a warning of each of the others */
		for (unsigned life = 0; life < 2; life++) {
			next = load_with((struct generation_how){ .trust_cache = true, .now = g });
			assert_ptr_equal(next->image, g->image);
			generation_free(g);
			assert_int_equal(n_taken, again);
			for (unsigned k = 0; k < again; k++) {
				char line[32];

				snprintf(line, sizeof(line), "/zone:%u: ", 7 + k);
				assert_non_null(strstr(texts[k], line));
				assert_int_equal(reported[k].level, ZONES_ERROR);
			}
			g = next;
		}
		generation_free(g);
	}
}

/* Of four zones one has 40 errors, and the three behind it cannot be read now: these are known. */
static void errors_that_may_pass_are_kept_before_others(void **state)
{
	struct generation *g;
	unsigned n_pass = 0;

	(void)state;
	add_zones();
	write_errors(40);
	unreadable = "more";
	g = load_with((struct generation_how){ .report = take_report });
	assert_int_equal(g->model->n_zones, 4);
	assert_int_equal(g->stale_error, -EACCES);
	assert_int_equal(g->n_broken, 4);
	assert_int_equal(g->share->n_errors, GENERATION_ERRORS_MAX);
	for (unsigned i = 0; i < g->share->n_errors; i++)
		n_pass += g->share->errors[i].error == -EACCES;
	assert_int_equal(n_pass, 3);
	assert_string_equal(g->share->errors[28].zone, "shop.test");
	assert_string_equal(g->share->errors[29].zone, "zz3.test");
	assert_string_equal(g->share->errors[31].zone, "zz1.test");
	generation_free(g);
}

/* A node of this site that is seen alone. */
static void observe_own(struct generation *g, health_word word, struct decided *decided)
{
	static struct health_page page;
	const uint64_t target = health_target_service("web", "ams", true);
	const struct peer_health_input seen = { .own = &page, .own_good_until_ms = 2, .now_ms = 1 };
	const struct generation_time time = { .wall_clock_ms = 1000 };

	assert_int_equal(health_set_targets(&page, &target, 1, 1), 0);
	(void)health_write(&page, health_find_index(&page, target), word);
	generation_observe(g, &seen, NULL, decided, &time);
}

/*
 * Three sites decide together, so one that is alone decides nothing. Where a person has taken one of them out, two are
 * left, and each decides for itself: at once.
 */
static void who_is_taken_out_is_not_waited_for(void **state)
{
	static const char *const edits[] = {
		"sed -i 's#^nodes = ( \\(.*\\)#nodes = ( "
		"{ name = \"fra-1\"; site = \"fra\"; driver = \"xdp\"; ports = ( { interface = \"e\"; } ); "
		"tunnel_source = [ \"10.2.255.0/24\" ]; }, "
		"{ name = \"lon-1\"; site = \"lon\"; driver = \"xdp\"; ports = ( { interface = \"e\"; } ); "
		"tunnel_source = [ \"10.3.255.0/24\" ]; }, \\1#' %s/weir.conf",
		"sed -i 's#^sites = ( #sites = ( { name = \"lon\"; weight = 1; }, #' %s/weir.conf",
	};
	struct model_override out = { .id = "o",
		                      .kind = MODEL_OVERRIDE_DISABLE,
		                      .target = MODEL_TARGET_SITE,
		                      .name = "fra",
		                      .until_ms = MODEL_TIME_NEVER };
	char command[PATH_MAX + 1024];
	struct model *m = NULL;
	struct model_errors errors;
	char from[PATH_MAX], to[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(edits); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(command, sizeof(command), edits[i], dir);
#pragma GCC diagnostic pop
		assert_int_equal(system(command), 0);
	}
	path_of("weir.conf", from);
	path_of(PROC_EFFECTIVE_FILE, to);
	if (model_read_config(from, "ams-1", &m, &errors) != 0)
		fail_msg("%s", errors.n_items ? errors.items[0].message : "?");
	assert_int_equal(model_write_effective(m, to), 0);
	model_errors_free(&errors);
	model_free(m);
	for (unsigned taken = 0; taken < 2; taken++) {
		struct generation *g = load_with((struct generation_how){ .report = take_report });
		struct decided decided;
		unsigned k = 0;

		g->model->overrides = taken ? &out : NULL;
		g->model->n_overrides = taken;
		while (strcmp(g->steering->services[0].sites[k].name, "ams") != 0)
			k++;
		assert_int_equal(decided_open(&decided, dir), 0);
		observe_own(g, health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1), &decided);
		assert_int_equal(health_state(g->state->sites[k].words[1]) == HEALTH_DOWN, taken);
		assert_int_equal(decided.n, taken);
		assert_int_equal(
		        decided_is_down(&decided, health_target_service("web", "ams", true)),
		        taken);
		decided_close(&decided);
		g->model->n_overrides = 0;
		generation_free(g);
	}
}

#define T 1790000000000

/* Of the names whose services are at the drained site, and which the drain concerns. */
static void a_drain_lasts_as_long_as_the_longest_ttl_of_its_names(void **state)
{
	static struct model_site all[] = { { .name = "ams", .index = 0 },
		                           { .name = "fra", .index = 1 },
		                           { .name = "lon", .index = 2 } };
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
		uint32_t longest_s, shifting_s;
	} cases[] = {
		{ "ams", NULL, 70, 9 },   { "ams", "web", 60, 9 }, { "ams", "mail", 70, 7 },
		{ "ams", "chat", 0, 0 },  { "fra", "", 200, 20 },  { "fra", "chat", 200, 20 },
		{ "fra", "web", 60, 9 },  { "lon", "", 60, 9 },    { "lon", "mail", 0, 0 },
		{ "fra", "other", 0, 0 },
	};
	static struct steering place = { .names = names, .n_names = 4 };
	struct peer_health views = { 0 };
	struct steering_state seen = { 0 };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		at[i].name = all[i].name;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct model_override o = { .id = "op-1",
			                    .kind = MODEL_OVERRIDE_DRAIN,
			                    .target = MODEL_TARGET_SITE,
			                    .name = cases[i].site,
			                    .service = cases[i].service,
			                    .generation = 1u << 20,
			                    .epoch = 64,
			                    .step = 1,
			                    .is_step = true,
			                    .to_ppm = MODEL_PPM_ALL,
			                    .created_ms = T,
			                    .from_ms = T,
			                    .over_ms = 1000,
			                    .until_ms = MODEL_TIME_NEVER };
		struct model m = { .sites = all, .n_sites = 3, .overrides = &o, .n_overrides = 1 };
		struct generation g = {
			.model = &m, .steering = &place, .state = &seen, .peer_health = &views
		};
		struct ramps ramps;

		print_message("  %s %s\n", cases[i].site,
		              cases[i].service ? cases[i].service : "-");
		assert_int_equal(ramps_open(&ramps, dir), 0);
		/* of answers from before at the beginning, of those that move half the way */
		for (unsigned i_step = 0; i_step < 3; i_step++) {
			const struct peer_health_input now = { .now_ms =
				                                       1000000 + 300000 * i_step };
			const struct generation_time time = { .wall_clock_ms =
				                                      T + (i_step ? 500 : 0) };
			const struct ramp_record *r;

			generation_observe(&g, &now, &ramps, NULL, &time);
			r = ramp_find_any(ramps.items, ramps.n, "op-1");
			assert_non_null(r);
			assert_int_equal(r->longest_ttl_s,
			                 i_step < 2 ? cases[i].longest_s : cases[i].shifting_s);
		}
		ramps_close(&ramps);
	}
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, begin_scene, tear_down)

SUITE(generation_parts)
{
	const struct CMUnitTest tests[] = {
		WITH(a_kept_image_is_read_to_its_end_or_not_at_all),
		WITH(a_kept_file_of_any_length_leaves_nothing),
		WITH(without_memory_the_kept_image_is_served),
		WITH(an_image_that_cannot_be_kept_is_told_and_served),
		WITH(the_mistakes_of_a_document_are_told_with_their_fields),
		WITH(errors_of_zones_are_reported_again_up_to_a_number),
		WITH(errors_that_may_pass_are_kept_before_others),
		WITH(who_is_taken_out_is_not_waited_for),
		WITH(a_drain_lasts_as_long_as_the_longest_ttl_of_its_names),
	};

	answer_calloc = own_calloc;
	answer_malloc = own_malloc;
	answer_open64 = own_open64;
	answer_read = own_read;
	return cmocka_run_group_tests_name("dns generation parts", tests, NULL, NULL);
}
