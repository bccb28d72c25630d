/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two zones, one inside the other, with all that an image tells apart; the image written out as
 * text by a reader of its own, which believes no offset.
 */
#include "tests/unit/dns/zone_image_scene.h"

#include "dns/zone/build.h"
#include "tests/unit/suite.h"

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

/*
 * The upper file has but records below the lower zone's name, which are the lower zone's: no record is left of what made
 * the names between. They stay, also when lifted again, and the dynamic name's go with it.
 */
static void names_between_two_zones_are_lifted_without_a_record(void **state)
{
	static const char soa[] = "$TTL 60\n@ SOA ns.x. r.x. 1 2 3 4 5\n@ NS ns.x.\n";
	static const char *const names[] = { "d.e.p.test" };
	static const char *const lines_of[] = {
		"a.p.test z0:",
		"b.a.p.test z0:",
		"c.b.a.p.test z0:",
		"c.b.a.p.test z1 above z0: 2 60 ns.x 6 60 ns.x r.x 0000000100000002000000030000000400000005",
		"p.test z0: 2 60 ns.x 6 60 ns.x r.x 0000000100000002000000030000000400000005",
		"d.e.p.test z0 dynamic 1:",
		"e.p.test z0:",
	};
	static char paths[3][32], lines[LINES_MAX_][LINE_MAX_];
	struct zone_source zones[] = { { "p.test", paths[0] }, { "c.b.a.p.test", paths[1] } };
	struct zone_input in = {
		.zones = zones, .n_zones = 2, .isolate = true, .dynamic = names, .n_dynamic = 1
	};
	struct image *good = image, *earlier = NULL;
	char upper[256];

	(void)state;
	snprintf(upper, sizeof(upper), "%sx.y.c.b.a PTR h.x.\n", soa);
	zone_file(upper, paths[0]);
	zone_file(soa, paths[1]);
	zone_file("nonsense", paths[2]);
	for (unsigned pass = 0; pass < 4; pass++) {
		in.n_dynamic = pass < 3;
		in.earlier = earlier;
		assert_int_equal(zone_compile(&in, ignore_message, NULL, &image), 0);
		free(earlier);
		assert_int_equal(image_zone(image, 0)->state, pass ? IMAGE_ZONE_EARLIER : 0);
		unsigned n = list_nodes(lines), want = pass < 3 ? COUNT(lines_of) : 5;

		assert_int_equal(n, want);
		for (unsigned i = 0, found; i < want; i++) {
			for (found = 0; found < n && strcmp(lines[found] + 1, lines_of[i]) != 0;)
				found++;
			assert_true(found < n);
		}
		earlier = image;
		zones[0].file = paths[2];
	}
	free(earlier);
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
	assert_int_equal(image->n_names, 54);
	assert_int_equal(image_part(image, 0)->n_names, image->n_names);
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
	const uint32_t part = image->parts_off;
	const uint32_t *offs = image_at(image, part + (uint32_t)offsetof(struct image_part, start));
	const struct {
		size_t field; /* of the part */
		uint32_t value;
		int err;
	} of_part[] = {
		{ offsetof(struct image_part, start), sizeof(*image), 0 },
		{ offsetof(struct image_part, start), sizeof(*image) - 8, -EPROTO },
		{ offsetof(struct image_part, start), *offs - 4, -EPROTO },
		{ offsetof(struct image_part, extras_off), *offs - 8, -EPROTO },
		{ offsetof(struct image_part, names_off), *offs - 8, -EPROTO },
		{ offsetof(struct image_part, glue_off), *offs - 8, -EPROTO },
		{ offsetof(struct image_part, soas_off), *offs - 8, -EPROTO },
		{ offsetof(struct image_part, files_off), *offs - 8, -EPROTO },
		{ offsetof(struct image_part, end), *offs, -EPROTO },
		{ offsetof(struct image_part, end), size, 0 },
		{ offsetof(struct image_part, end), size + 1, -EPROTO },
	};
	struct image *copy = malloc(n + 8);

	(void)state;
	for (size_t i = 0; i < COUNT(of_part); i++) {
		memcpy(copy, image, n);
		memcpy((char *)copy + part + of_part[i].field, &of_part[i].value, 4);
		copy->checksum = image_checksum(copy);
		assert_int_equal(image_check(copy, n), of_part[i].err);
	}
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

static void a_zone_is_found_by_its_own_name(void **state)
{
	static const char *const others[] = {
		"x.shop.test",     "mail.shop.test",   "p.shop.test", "test",
		"x.sub.shop.test", "ns.sub.shop.test", ".",           "a..b"
	};

	(void)state;
	assert_ptr_equal(image_find_zone(image, "Shop.test"), image_zone(image, 0));
	assert_ptr_equal(image_find_zone(image, "sub.shop.test."), image_zone(image, 1));
	for (size_t i = 0; i < COUNT(others); i++)
		assert_null(image_find_zone(image, others[i]));
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

/* Zones in zones: a wildcard's name, one below another name, one below that one; each with what is not its own. */
static const char *const nested[][2] = {
	{ "p.test", "$TTL 60\n@ SOA ns.x. r.x. 1 2 3 4 5\n@ NS ns.x.\n"
	            "a TXT t\n"
	            "c.a NS ns.c.a\nc.a DS 1 8 2 0a\nx.c.a TXT \"not mine\"\n"
	            "b.c.a TXT \"nor that\"\n"
	            "*.w DS 1 8 2 0b\n*.w TXT \"at its apex\"\nv.w TXT \"mine\"\n"
	            "*.v.w A 192.0.2.1\n"
	            "d NS ns.d\nns.d A 192.0.2.2\ne.d NS ns.e.d\nns.e.d A 192.0.2.3\nx.e.d TXT x\n"
	            "d.d.d A 192.0.2.4\n*.d A 192.0.2.5\n" },
	{ "*.w.p.test", "$TTL 60\n@ SOA ns.x. r.x. 1 2 3 4 5\n@ NS ns.x.\n* A 192.0.2.6\n"
	                "*.* A 192.0.2.7\n*a A 192.0.2.8\n" },
	{ "c.a.p.test",
	  "$TTL 60\n@ SOA ns.x. r.x. 1 2 3 4 5\n@ NS ns.x.\nns A 192.0.2.9\n"
	  "b NS ns\nb TXT x\ny DNAME t.x.\n"
	  "m TXT s\nm A 192.0.2.8\nm MX 2 t.x.\nm MX 1 t.x.\nm A 192.0.2.7\nm A 192.0.2.8\n"
	  "m TXT q\nm TXT r\nm MX 1 t.x.\nm TXT r\n" },
	{ "b.c.a.p.test", "$TTL 60\n@ SOA ns.x. r.x. 1 2 3 4 5\n@ NS ns.x.\n" },
};

static const char *const nested_lines[] = {
	"*.d.p.test z0 cut d.p.test: 1 60 c0000205",
	"*.v.w.p.test z0: 1 60 c0000201",
	"*.w.p.test z0: 16 60 0b6174206974732061706578 43 60 000108020b",
	"*.w.p.test z1 above z0:",
	"a.p.test z0: 16 60 0174",
	"b.c.a.p.test z2 cut b.c.a.p.test glue 0/1 ns.c.a.p.test: 2 60 ns.c.a.p.test= 16 60 0178",
	"b.c.a.p.test z3 above z2: 2 60 ns.x 6 60 ns.x r.x 0000000100000002000000030000000400000005",
	"c.a.p.test z0 cut c.a.p.test glue 0/0: 2 60 ns.c.a.p.test= 43 60 000108020a",
	"c.a.p.test z2 above z0: 2 60 ns.x 6 60 ns.x r.x 0000000100000002000000030000000400000005",
	"d.d.d.p.test z0 cut d.p.test: 1 60 c0000204",
	"d.d.p.test z0 cut d.p.test:",
	"d.p.test z0 cut d.p.test wild *.d.p.test glue 1/1 ns.d.p.test: 2 60 ns.d.p.test=",
	"dyn.c.a.p.test z2 dynamic 1:",
	"e.d.p.test z0 cut d.p.test: 2 60 ns.e.d.p.test=",
	"m.c.a.p.test z2: 1 60 c0000207 1 60 c0000208 15 60 0001 t.x 15 60 0002 t.x 16 60 0171 16 60 0172 16 60 0173",
	"ns.c.a.p.test z2: 1 60 c0000209",
	"ns.d.p.test z0 cut d.p.test: 1 60 c0000202",
	"ns.e.d.p.test z0 cut d.p.test: 1 60 c0000203",
	"p.test z0: 2 60 ns.x 6 60 ns.x r.x 0000000100000002000000030000000400000005",
	"q.w.p.test z0 dynamic 2:",
	"v.w.p.test z0 wild *.v.w.p.test: 16 60 046d696e65",
	"w.p.test z0:",
	"x.e.d.p.test z0 cut d.p.test: 16 60 0178",
	"y.c.a.p.test z2: 39 60 0174017800",
};

static void zones_below_one_another_keep_to_themselves(void **state)
{
	static const char *const names[] = { "dyn.c.a.p.test", "q.w.p.test" };
	static char paths[4][32], lines[LINES_MAX_][LINE_MAX_];
	struct zone_source zones[4];
	const struct zone_input in = {
		.zones = zones, .n_zones = 4, .isolate = true, .dynamic = names, .n_dynamic = 2
	};
	struct image *good = image;
	unsigned n;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		zone_file(nested[i][1], paths[i]);
		zones[i] = (struct zone_source){ nested[i][0], paths[i] };
	}
	assert_int_equal(zone_compile(&in, ignore_message, NULL, &image), 0);
	assert_int_equal(image_zone(image, 1)->state, IMAGE_ZONE_BROKEN); /* no NS at a wildcard */
	assert_int_equal(image_check(image, image->size_bytes), 0);
	n = list_nodes(lines);
	for (unsigned i = 0; i < n && i < COUNT(nested_lines); i++)
		assert_string_equal(lines[i] + 1, nested_lines[i]);
	assert_int_equal(n, COUNT(nested_lines));
	free(image);
	image = good;
}

SUITE(zone_image)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_lifted_is_what_was_there),
		cmocka_unit_test(names_between_two_zones_are_lifted_without_a_record),
		cmocka_unit_test(a_zone_is_lifted_from_its_own_apex_alone),
		cmocka_unit_test(tables_lie_inside_the_image),
		cmocka_unit_test(a_zone_is_found_by_its_own_name),
		cmocka_unit_test(a_name_is_found_or_the_deepest_above_it),
		cmocka_unit_test(each_zone_has_its_row_and_its_negative_ttl),
		cmocka_unit_test(the_header_counts_what_is_there),
		cmocka_unit_test(zones_below_one_another_keep_to_themselves),
		cmocka_unit_test(other_dynamic_names_have_another_digest),
		cmocka_unit_test(an_image_has_each_name_with_all_that_is_known_of_it),
	};

	return cmocka_run_group_tests_name("zone image", tests, set_up, tear_down);
}
