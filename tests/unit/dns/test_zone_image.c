/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two zones, one inside the other, with all that an image tells apart; the image written out as
 * text by a reader of its own, which believes no offset.
 */
#include "tests/unit/dns/zone_image_scene.h"

#include "dns/zone/build.h"

/* Both files are bad now: all that was served is served again, names that hold one another, too. */
static void what_is_lifted_is_what_was_there(void **state)
{
	static char paths[2][32];
	const struct zone_source zones[] = { { "sub.shop.test", paths[0] },
		                             { "Shop.test", paths[1] } };
	struct image *good = image;
	struct zone_input in = { .zones = zones,
		                 .n_zones = 2,
		                 .isolate = true,
		                 .source = 5,
		                 .dynamic = dynamic,
		                 .n_dynamic = 3,
		                 .earlier = good };
	static char lines[LINES_MAX_][LINE_MAX_];
	unsigned n;

	(void)state;
	zone_file("", paths[0]);
	zone_file("nothing", paths[1]);
	assert_int_equal(zone_compile(&in, ignore_message, NULL, &image), 0);
	n = list_nodes(lines);
	for (unsigned i = 0; i < n; i++) { /* the zones come in another order */
		char *zone = strstr(lines[i], " z");

		for (; zone; zone = strstr(zone + 2, " z"))
			if (zone[2] == '0' || zone[2] == '1')
				zone[2] = (char)('0' + '1' - zone[2]);
	}
	qsort(lines, n, LINE_MAX_, by_text);
	assert_expected(lines, n);
	for (uint32_t i = 0; i < 2; i++)
		assert_int_equal(image_zone(image, i)->state, IMAGE_ZONE_EARLIER);
	assert_int_equal(image->source, 0); /* the files are tried again */
	assert_int_equal(image->n_records, good->n_records);
	free(image);
	image = good;
}

/* What cannot be lifted: a name that is no apex there, and a zone that was broken. */
static void a_zone_is_lifted_from_its_own_apex_alone(void **state)
{
	static char path[32];
	const struct zone_source zones[] = { { "mail.shop.test", path },
		                             { "no.shop.test", path },
		                             { "elsewhere", path } };
	struct image *good = image;
	struct zone_input in = { .zones = zones, .n_zones = 3, .isolate = true, .earlier = good };
	struct build_zone states[4] = { { 0 } };
	struct image *broken;
	struct build b;

	(void)state;
	zone_file("", path);
	assert_int_equal(zone_compile(&in, ignore_message, NULL, &broken), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(image_zone(broken, i)->state, IMAGE_ZONE_BROKEN);
	/* zone_compile() would find a lifted zone without records broken, too: asked by itself */
	in.earlier = broken;
	assert_int_equal(build_init(&b, &in, states, ignore_message, NULL), 0);
	for (uint16_t i = 0; i < 3; i++)
		assert_false(zone_lift(&b, i));
	build_fini(&b);
	free(broken);
}

static void an_image_has_each_name_with_all_that_is_known_of_it(void **state)
{
	static char lines[LINES_MAX_][LINE_MAX_];

	(void)state;
	assert_expected(lines, list_nodes(lines));
}

static const struct image_node *node_of(const char *text)
{
	struct image_found found;
	struct name name;

	assert_int_equal(name_parse(text, &name), 0);
	found = image_find(image, &name);
	assert_int_equal(found.skipped, 0);
	return found.node;
}

/*
 * A zone's row; its negative answers live as long as the SOA and its minimum allow both (RFC
 * 2308, section 5).
 */
static void each_zone_has_its_row_and_its_negative_ttl(void **state)
{
	static const struct {
		const char *name;
		uint32_t serial, n_records, ttl_s, negative_s;
	} zones[] = {
		{ "shop.test", 7, 25, 60, 30 },    /* the minimum is less */
		{ "sub.shop.test", 9, 5, 10, 10 }, /* the TTL is less */
	};

	(void)state;
	for (uint32_t i = 0; i < COUNT(zones); i++) {
		const struct image_zone *zone = image_zone(image, i);
		const struct image_node *apex = node_of(zones[i].name);
		const struct image_rrset *soa = bytes_at(zone->soa_off, sizeof(*soa)),
		                         *negative = bytes_at(zone->negative_off, sizeof(*soa));
		char line[LINE_MAX_] = "", other[LINE_MAX_] = "";

		assert_ptr_equal(image_at(image, zone->node_off), apex);
		assert_int_equal(zone->name_off, apex->name_off);
		assert_int_equal(zone->serial, zones[i].serial);
		assert_int_equal(zone->n_records, zones[i].n_records);
		assert_int_equal(zone->state, 0);
		assert_memory_equal(soa, image_rrset(apex, DNS_SOA), sizeof(*soa));
		assert_int_equal(negative->type, DNS_SOA);
		assert_int_equal(negative->n_records, 1);
		assert_int_equal(negative->data_length, soa->data_length);
		(void)put_record(image_at(image, soa->data_off), DNS_SOA, line);
		(void)put_record(image_at(image, negative->data_off), DNS_SOA, other);
		assert_int_equal(atoi(line + 3), zones[i].ttl_s);
		assert_int_equal(atoi(other + 3), zones[i].negative_s);
		assert_string_equal(line + 5, other + 5); /* all but the TTL */
	}
}

static void the_header_counts_what_is_there(void **state)
{
	static char lines[LINES_MAX_][LINE_MAX_];

	(void)state;
	assert_int_equal(image->n_zones, 2);
	assert_int_equal(image->n_dynamic, 3);
	assert_int_equal(image->n_nodes, list_nodes(lines));
	assert_int_equal(image->n_records, 30);
	assert_int_equal(image->max_labels, 5); /* below.ns.d.shop.test */
	assert_int_equal(image->source, 5);
	assert_int_equal(image->dynamic, image_dynamic_digest(dynamic, 3));
	assert_true(image->bucket_mask + 1 >= 2 * image->n_nodes);
	assert_int_equal(image_check(image, image->size_bytes), 0);
}

/* Names are told apart by their order and number, too: they are known by their numbers. */
static void other_dynamic_names_have_another_digest(void **state)
{
	static const char *const swapped[] = { "dyn.w.Shop.test", "www.shop.test",
		                               "in.sub.shop.test" };
	uint64_t digest = image_dynamic_digest(dynamic, 3);

	(void)state;
	assert_true(digest != image_dynamic_digest(swapped, 3));
	assert_true(digest != image_dynamic_digest(dynamic, 2));
	assert_true(image_dynamic_digest(dynamic, 0) != image_dynamic_digest(dynamic, 1));
}

/*
 * Tables of an image whose checksum is right: they must lie inside it, as they are read without a
 * further look.
 */
static void tables_lie_inside_the_image(void **state)
{
	size_t n = image->size_bytes;
	uint32_t n_buckets = image->bucket_mask + 1, size = (uint32_t)n;
	const struct {
		size_t field; /* of the header, four bytes */
		uint32_t value;
		int err;
	} cases[] = {
		{ offsetof(struct image, zones_off), image->zones_off, 0 },
		{ offsetof(struct image, zones_off), sizeof(*image), 0 },
		{ offsetof(struct image, zones_off), sizeof(*image) - 4, -EPROTO },
		{ offsetof(struct image, zones_off), 0, -EPROTO },
		{ offsetof(struct image, zones_off), image->zones_off + 2, -EPROTO },
		{ offsetof(struct image, zones_off), size - 2 * 32, 0 },
		{ offsetof(struct image, zones_off), size - 2 * 32 + 4, -EPROTO },
		{ offsetof(struct image, zones_off), UINT32_MAX - 3, -EPROTO },
		{ offsetof(struct image, n_zones), UINT32_MAX, -EPROTO },
		{ offsetof(struct image, buckets_off), size - 8 * n_buckets, 0 },
		{ offsetof(struct image, buckets_off), size - 8 * n_buckets + 4, -EPROTO },
		{ offsetof(struct image, buckets_off), sizeof(*image) - 4, -EPROTO },
		{ offsetof(struct image, bucket_mask), n_buckets - 2, -EPROTO },
		{ offsetof(struct image, bucket_mask), 2 * n_buckets - 1, -EPROTO },
		{ offsetof(struct image, n_nodes), n_buckets / 2, 0 },
		{ offsetof(struct image, n_nodes), n_buckets / 2 + 1, -EPROTO },
		{ offsetof(struct image, parts_off), size - 56, -EPROTO }, /* no part's offsets */
		{ offsetof(struct image, parts_off), size - 56 + 4, -EPROTO },
		{ offsetof(struct image, n_parts), 2, -EPROTO }, /* zones are no part */
		{ offsetof(struct image, n_parts), UINT32_MAX, -EPROTO },
		{ offsetof(struct image, layout), IMAGE_LAYOUT + 1, -EPROTO },
		{ offsetof(struct image, layout), IMAGE_LAYOUT - 1, -EPROTO },
	};
	struct image *copy = malloc(n + 8);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		memcpy(copy, image, n);
		memcpy((char *)copy + cases[i].field, &cases[i].value, 4);
		copy->checksum = image_checksum(copy);
		assert_int_equal(image_check(copy, n), cases[i].err);
	}
	memcpy(copy, image, n);
	assert_int_equal(image_check(copy, n), 0);
	assert_int_equal(image_check(copy, n + 8), -EPROTO);
	for (size_t more = 1; more < 8; more++) { /* it ends between two words */
		memset((char *)copy + n, 0, 8);
		copy->size_bytes = n + more;
		copy->checksum = image_checksum(copy);
		assert_int_equal(image_check(copy, n + more), -EPROTO);
	}
	memcpy(copy, image, n);
	copy->magic[7]++;
	copy->checksum = image_checksum(copy);
	assert_int_equal(image_check(copy, n), -EPROTO);
	free(copy);
}

/* Names that share a hash's place with others, and names that are not there at all levels. */
static void a_name_is_found_or_the_deepest_above_it(void **state)
{
	static const struct {
		const char *name, *found; /* NULL: in none of the zones */
	} cases[] = {
		{ "shop.test", "shop.test" },
		{ "SHOP.Test", "shop.test" },
		{ "x.shop.test", "shop.test" },
		{ "x.y.z.a.b.c.d.e.f.shop.test", "shop.test" },
		{ "p.shop.test", "p.shop.test" },
		{ "x.p.shop.test", "p.shop.test" },
		{ "e.m.p.shop.test", "e.m.p.shop.test" },
		{ "f.e.m.p.shop.test", "e.m.p.shop.test" },
		{ "below.ns.d.shop.test", "below.ns.d.shop.test" },
		{ "below.nt.d.shop.test", "d.shop.test" },
		{ "x.below.ns.d.shop.test", "below.ns.d.shop.test" },
		{ "*.w.shop.test", "*.w.shop.test" },
		{ "d.sub.shop.test", "d.sub.shop.test" },
		{ "test", NULL },
		{ "xshop.test", NULL },
		{ "shop.test.x", NULL },
		{ ".", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct image_found found;
		struct name name, deepest;
		char line[LINE_MAX_] = "";

		assert_int_equal(name_parse(cases[i].name, &name), 0);
		found = image_find(image, &name);
		assert_int_equal(found.node != NULL, cases[i].found != NULL);
		if (!found.node) {
			assert_int_equal(found.skipped, name.n_labels);
			continue;
		}
		put_name(found.node->name_off, false, line);
		assert_string_equal(line + 1, cases[i].found);
		assert_int_equal(name_parse(cases[i].found, &deepest), 0);
		assert_int_equal(found.skipped, name.n_labels - deepest.n_labels);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_lifted_is_what_was_there),
		cmocka_unit_test(a_zone_is_lifted_from_its_own_apex_alone),
		cmocka_unit_test(tables_lie_inside_the_image),
		cmocka_unit_test(a_name_is_found_or_the_deepest_above_it),
		cmocka_unit_test(each_zone_has_its_row_and_its_negative_ttl),
		cmocka_unit_test(the_header_counts_what_is_there),
		cmocka_unit_test(other_dynamic_names_have_another_digest),
		cmocka_unit_test(an_image_has_each_name_with_all_that_is_known_of_it),
	};

	return cmocka_run_group_tests_name("zone image", tests, set_up, tear_down);
}
