/* SPDX-License-Identifier: BSD-2-Clause */
/* Which zones are not read or not compiled again: beside a broken one, and after a restart. */
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/unit/dns/generation_files.h"
#include "tests/unit/suite.h"

static void unlink_image(void)
{
	char path[PATH_MAX];

	path_of(GENERATION_IMAGE_FILE, path);
	assert_true(unlink(path) == 0 || errno == ENOENT);
}

/* The last byte of a name's address. */
static const uint8_t *address_in(const struct image *image, const char *text)
{
	struct image_found found;
	struct name name;

	assert_int_equal(name_parse(text, &name), 0);
	found = image_find(image, &name);
	assert_true(found.node && found.skipped == 0);
	return (const uint8_t *)image_at(image, image_rrset(found.node, DNS_A)->data_off) + 15;
}

/* Keep @p image with another address. */
static void keep_changed(const struct image *image, const char *text, uint8_t to, bool fits)
{
	size_t n = image->size_bytes;
	struct image *copy = malloc(n);
	char path[PATH_MAX];
	FILE *f;

	memcpy(copy, image, n);
	*((uint8_t *)copy + (address_in(image, text) - (const uint8_t *)image)) = to;
	if (fits)
		copy->checksum = image_checksum(copy);
	path_of(GENERATION_IMAGE_FILE, path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(copy, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	free(copy);
}

/*
 * A zone that is broken stays so without being read, and its error is told again each time. What
 * is told of it is kept by whoever shares the image last. Broken and mended twice.
 */
static void a_broken_zone_is_not_read_for_each_document(void **state)
{
	struct generation *g = NULL, *next = NULL;
	struct generation_how how = { .trust_cache = true, .report = count_message };
	(void)state;

	digest = "sha256:1";
	write_document("www.shop.test");
	for (unsigned round = 0; round < 2; round++) {
		write_text("zone", "nonsense\n");
		how.now = g;
		how.earlier = NULL;
		unlink_image();
		if (round)
			digest = "sha256:3";
		write_document("www.shop.test");
		assert_int_equal(generation_load(&dirs, &how, &next), 0);
		generation_free(g);
		g = next;
		assert_true(g->compiled && g->n_broken == 1);
		for (unsigned i = 0; i < 2; i++) {
			n_reports = 0;
			how.now = g;
			assert_int_equal(generation_load(&dirs, &how, &next), 0);
			assert_ptr_equal(next->image, g->image);
			assert_true(!next->compiled && next->n_broken == 1);
			assert_int_equal(n_reports, 3); /* the line, no SOA, no NS */
			generation_free(g);
			g = next;
		}
		write_text("zone", GOOD);
		how.now = g;
		n_reports = 0;
		assert_int_equal(generation_load(&dirs, &how, &next), 0);
		assert_true(next->compiled && !generation_lacks(next));
		assert_int_equal(n_reports, 0);
		generation_free(g);
		g = next;
	}
	generation_free(g);
	digest = "";
	write_document("www.shop.test");
}

/* By an address that was written over in the kept image. What is not an image is no help. */
/* What may keep a good file from being read for a while, and the end of that. */
static void allow_descriptors(unsigned n)
{
	struct rlimit limit;
	int next = n ? dup(0) : -1;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = n ? (rlim_t)next + n - 1 : limit.rlim_max;
	if (n)
		assert_int_equal(close(next), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Root may read it all the same, so what lets it is laid down. */
static void forbid_file(const char *name, unsigned forbid)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];
	char path[PATH_MAX];

	path_of(name, path);
	assert_int_equal(chmod(path, forbid ? 0 : 0644), 0);
	assert_int_equal(syscall(SYS_capget, &head, caps), 0);
	caps[0].effective = caps[0].permitted;
	if (forbid)
		caps[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
	assert_int_equal(syscall(SYS_capset, &head, caps), 0);
}

static void forbid_zone(unsigned forbid)
{
	forbid_file("zone", forbid);
}

static void forbid_part(unsigned forbid)
{
	forbid_file("part", forbid);
}

/* A file with a bad block: this one opens, and reading its first byte fails (EIO). */
static void damage_disk(unsigned damage)
{
	char path[PATH_MAX], aside[PATH_MAX];

	path_of("zone", path);
	path_of("aside", aside);
	if (damage)
		assert_int_equal(rename(path, aside), 0);
	assert_int_equal(damage ? symlink("/proc/self/mem", path) : rename(aside, path), 0);
}

/*
 * Nobody touches the files, and nothing shows at them that they can be read again: so a document that shares the image,
 * or a start with the kept one, would serve the old zone for ever.
 */
static void what_kept_a_file_from_being_read_may_pass(void **state)
{
	static const struct {
		const char *why;
		void (*bring)(unsigned); /* 0: its end */
		unsigned from, to;
		int error;
	} rows[] = {
		{ "no permission for the zone's file", forbid_zone, 1, 1, -EACCES },
		{ "no permission for an included file", forbid_part, 1, 1, -EACCES },
		{ "no descriptor", allow_descriptors, 1, 12, -EMFILE },
		{ "a read that fails", damage_disk, 1, 1, -EIO },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned n_lacks = 0, n_whole = 0;

		print_message("  %s\n", rows[i].why);
		for (unsigned k = rows[i].from; k <= rows[i].to; k++) {
			struct generation *first = NULL, *g = NULL, *next = NULL;
			struct generation_how how = { .trust_cache = true,
				                      .report = count_message };

			digest = "sha256:1";
			write_text("zone", GOOD "$INCLUDE part\n");
			write_text("part", "more A 192.0.2.2\n");
			write_document("www.shop.test");
			assert_int_equal(generation_load(&dirs, &how, &first), 0);
			assert_int_equal(first->stale_error, 0);
			digest = "sha256:2";
			write_document("www.shop.test");
			write_text("part", "more A 192.0.2.3\n");
			how.now = first;
			how.earlier = first->image;
			rows[i].bring(k);
			int err = generation_load(&dirs, &how, &g);
			rows[i].bring(0);
			if (err) { /* the load is repeated */
				assert_true(model_may_pass(err));
				generation_free(first);
				continue;
			}
			n_lacks += generation_lacks(g);
			n_whole += !generation_lacks(g);
			assert_int_equal(g->stale_error, generation_lacks(g) ? rows[i].error : 0);
			how.now = g;
			how.earlier = g->image;
			assert_int_equal(generation_load(&dirs, &how, &next), 0);
			assert_false(generation_lacks(next));
			assert_int_equal(next->stale_error, 0);
			assert_int_equal(*address_in(next->image, "more.shop.test"), 3);
			generation_free(first);
			generation_free(g);
			generation_free(next);
		}
		assert_true(n_lacks > 0 && (n_whole > 0 || rows[i].to == 1));
	}
}

/* What the file says stays as it is until it is another file. */
static void what_a_file_says_does_not_pass(void **state)
{
	static const char *const texts[] = { "nonsense\n", GOOD "$INCLUDE nowhere\n",
		                             GOOD "$INCLUDE ../hash.key\n" };
	(void)state;

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct generation *g;

		write_text("zone", texts[i]);
		write_document("www.shop.test");
		assert_int_equal(load_generation(true, &g), 0);
		assert_true(generation_lacks(g) && n_reports > 0);
		assert_int_equal(g->stale_error, 0);
		generation_free(g);
	}
}

static void a_restart_takes_zones_with_includes_from_the_kept_image(void **state)
{
	struct generation *g = NULL;
	(void)state;

	write_document("www.shop.test");
	write_text("part", "more A 192.0.2.9\n");
	write_text("zone", GOOD "$INCLUDE part\n");
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(load_generation(true, &g), 0);
		assert_int_equal(*address_in(g->image, "more.shop.test"), i == 1 ? 99 : 9);
		if (i == 0)
			keep_changed(g->image, "more.shop.test", 99, true);
		else if (i == 1) /* its checksum does not fit */
			keep_changed(g->image, "more.shop.test", 98, false);
		else
			write_text("part", "more A 192.0.2.9\n;\n"); /* other bytes */
		if (i == 2)
			keep_changed(g->image, "more.shop.test", 97, true);
		generation_free(g);
	}
	write_text("zone", GOOD);
}

/*
 * What an image that another program has kept says, which an address tells: it is explained, and served only until this
 * program has compiled.
 */
static void what_another_program_kept_is_explained_as_it_is(void **state)
{
	static const char *const zone_texts[] = { GOOD "more A 192.0.2.9\n",
		                                  GOOD "$INCLUDE part\n" };
	const struct explain_request request = { .name = "more.shop.test", .type = "A" };
	(void)state;

	write_text("part", "more A 192.0.2.9\n");
	write_document("www.shop.test");
	for (size_t i = 0; i < COUNT(zone_texts); i++) {
		struct generation *g = NULL;
		struct explanation *e = NULL;
		struct image *other = NULL;

		write_text("zone", zone_texts[i]);
		assert_int_equal(load_generation(false, &g), 0);
		const struct zone_source zone = { g->model->zones[0].name,
			                          g->model->zones[0].file };
		const struct zone_input in = { .zones = &zone,
			                       .n_zones = 1,
			                       .dynamic = g->steering->texts,
			                       .n_dynamic = g->steering->n_names,
			                       .source = g->source,
			                       .program = 5,
			                       .isolate = true };

		assert_int_equal(zone_compile(&in, count_message, NULL, &other), 0);
		generation_free(g);
		keep_changed(other, "more.shop.test", 99, true);
		free(other);
		assert_int_equal(explain_dns(&dirs, &request, &e), 0);
		assert_true(e->n_records > 0);
		assert_non_null(strstr(e->records[0], "192.0.2.99"));
		explain_free(e);
		assert_int_equal(load_generation(true, &g), 0);
		assert_true(g->is_former);
		assert_int_equal(*address_in(g->image, "more.shop.test"), 99);

		const struct generation_how next = { .trust_cache = true,
			                             .earlier = g->image,
			                             .now = g,
			                             .keep = true,
			                             .report = count_message };
		struct generation *own = NULL;

		assert_int_equal(generation_load(&dirs, &next, &own), 0);
		assert_false(own->is_former);
		assert_int_equal(*address_in(own->image, "more.shop.test"), 9);
		generation_free(own);
		generation_free(g);
	}
	write_text("zone", GOOD);
}

SUITE(generation_kept)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broken_zone_is_not_read_for_each_document),
		cmocka_unit_test(what_kept_a_file_from_being_read_may_pass),
		cmocka_unit_test(what_a_file_says_does_not_pass),
		cmocka_unit_test(a_restart_takes_zones_with_includes_from_the_kept_image),
		cmocka_unit_test(what_another_program_kept_is_explained_as_it_is),
	};

	return cmocka_run_group_tests_name("generation kept", tests, set_up, tear_down);
}
