/* SPDX-License-Identifier: BSD-2-Clause */
/* Which zones are not read or not compiled again: beside a broken one, and after a restart. */
#include "tests/unit/dns/generation_files.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broken_zone_is_not_read_for_each_document),
		cmocka_unit_test(a_restart_takes_zones_with_includes_from_the_kept_image),
	};

	return cmocka_run_group_tests_name("generation kept", tests, set_up, tear_down);
}
