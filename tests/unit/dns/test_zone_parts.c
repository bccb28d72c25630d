/* SPDX-License-Identifier: BSD-2-Clause */
/* Zones that did not change are taken from an earlier image, byte for byte. */
#include "tests/unit/dns/zone_image_scene.h"
#include "tests/unit/suite.h"

/* The last byte of the name's address. */
static uint8_t *address_byte(const char *text)
{
	struct image_found found;
	struct name name;

	assert_int_equal(name_parse(text, &name), 0);
	found = image_find(image, &name);
	assert_true(found.node && found.skipped == 0);
	return (uint8_t *)image + image_rrset(found.node, DNS_A)->data_off + IMAGE_RECORD_FIXED + 3;
}

static void write_path(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* The two zones are as ever, beside another one; @p first is the number of the first of them. */
static void assert_two_zones(char first)
{
	static char lines[LINES_MAX_][LINE_MAX_];
	unsigned n = list_nodes(lines), kept = 0;

	for (unsigned i = 0; i < n; i++) {
		if (strstr(lines[i], "other.test z"))
			continue;
		for (char *z = strstr(lines[i], " z"); z; z = strstr(z + 2, " z"))
			if (z[2] >= '0' && z[2] <= '2')
				z[2] = (char)(z[2] - first);
		memmove(lines[kept++], lines[i], LINE_MAX_);
	}
	assert_expected(lines, kept);
}

#define B2    "b2 A 192.0.2.8\n"
#define OTHER "$TTL 5\n@ SOA ns.else. Root.else. 1 2 3 4 5\n@ NS ns.shop.test.\nb A 192.0.2.7\n"

/*
 * A zone with all below it is taken from the earlier image as long as its names and files are the
 * same: again and again, there and back, under other numbers. What it includes counts, too. What is
 * taken is told by an address that was written over in the earlier image.
 */
static void what_has_not_changed_is_taken_as_it_is(void **state)
{
	static const struct {
		const char *why, *part;
		size_t other_at; /* position of the other zone */
		size_t n_dynamic;
		bool taken, other_taken;
		uint64_t program;
	} steps[] = {
		{ "all is new", B2, 2, 3, false, false, 0 },
		{ "nothing changes", B2, 2, 3, true, true, 0 },
		{ "the other changes", B2 "b3 A 192.0.2.9\n", 2, 3, true, false, 0 },
		{ "and back", B2, 2, 3, true, false, 0 },
		{ "and again", B2 "b3 A 192.0.2.9\n", 2, 3, true, false, 0 },
		{ "other numbers", B2 "b3 A 192.0.2.9\n", 0, 3, true, true, 0 },
		{ "and back", B2 "b3 A 192.0.2.9\n", 2, 3, true, true, 0 },
		{ "a dynamic name less", B2 "b3 A 192.0.2.9\n", 2, 2, false, true, 0 },
		{ "and back", B2 "b3 A 192.0.2.9\n", 2, 3, false, true, 0 },
		{ "another program", B2 "b3 A 192.0.2.9\n", 2, 3, false, false, 1 },
		{ "the same", B2 "b3 A 192.0.2.9\n", 2, 3, true, true, 1 },
		{ "a program with a bad file", "nonsense\n", 2, 3, false, true, 0 },
		{ "the other is bad", "nonsense\n", 0, 3, true, true, 0 },
		{ "and still", "nonsense\n", 0, 3, true, true, 0 },
		{ "and mended", B2, 0, 3, true, false, 0 },
		{ "and bad again", "nonsense\n", 0, 3, true, true, 0 },
		{ "and mended again", B2, 2, 3, true, false, 0 },
	};
	static char paths[2][32];
	char dir[] = "/tmp/weir-parts.XXXXXX", zone[64], part[64];
	const struct zone_source two[] = { { "Shop.test", paths[0] },
		                           { "sub.shop.test.", paths[1] } };
	struct image *good = image, *earlier = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(zone, sizeof(zone), "%s/zone", dir);
	snprintf(part, sizeof(part), "%s/part", dir);
	write_path(zone, OTHER "$INCLUDE part\n");
	zone_file(shop, paths[0]);
	zone_file(sub, paths[1]);
	for (size_t i = 0; i < COUNT(steps); i++) {
		size_t at = steps[i].other_at, n = 0;
		struct zone_source zones[3];
		const struct zone_input in = { .zones = zones,
			                       .n_zones = 3,
			                       .isolate = true,
			                       .reuse = true,
			                       .source = 5,
			                       .dynamic = dynamic,
			                       .n_dynamic = steps[i].n_dynamic,
			                       .program = steps[i].program,
			                       .earlier = earlier };

		print_message("  %s\n", steps[i].why);
		for (size_t k = 0; k < 3; k++)
			zones[k] = k == at ? (struct zone_source){ "other.test", zone } : two[n++];
		write_path(part, steps[i].part);
		if (earlier)
			*address_byte("mail.shop.test") = *address_byte("b.other.test") = 99;
		assert_int_equal(zone_compile(&in, ignore_message, NULL, &image), 0);
		free(earlier);
		earlier = image;
		assert_int_equal(image_check(image, image->size_bytes), 0);
		assert_int_equal(image->n_parts, 2);
		/* below.ns.d.shop.test: deeper names are not looked for */
		assert_int_equal(image->max_labels, 5);
		assert_int_equal(image->source, 0); /* it includes a file */
		assert_int_equal(*address_byte("mail.shop.test"), steps[i].taken ? 99 : 5);
		assert_int_equal(*address_byte("b.other.test"), steps[i].other_taken ? 99 : 7);
		assert_int_equal(image_find_zone(image, "other.test")->state,
		                 *steps[i].part == 'n' ? IMAGE_ZONE_EARLIER : 0);
		*address_byte("mail.shop.test") = 5;
		if (steps[i].n_dynamic == 3)
			assert_two_zones(at == 0);
	}
	free(earlier);
	image = good;
	assert_true(unlink(zone) == 0 && unlink(part) == 0 && rmdir(dir) == 0);
}

/* What the rows of all zones and parts say of one image. */
static void assert_rows(void)
{
	uint32_t n_names = 0, n_records = 0, n_nodes = 0;

	assert_int_equal(image_check(image, image->size_bytes), 0);
	for (uint32_t i = 0; i < image->n_parts; i++) {
		n_names += image_part(image, i)->n_names;
		n_records += image_part(image, i)->n_records;
		n_nodes += image_part(image, i)->n_nodes;
	}
	assert_int_equal(image->n_names, n_names);
	assert_int_equal(image->n_records, n_records);
	assert_int_equal(image->n_nodes, n_nodes);
	for (uint32_t i = 0; i < image->n_zones; i++) {
		const struct image_zone *zone = image_zone(image, i);
		const struct image_node *apex = image_node(image, zone->node_off);
		const struct image_rrset *soa = image_at(image, zone->soa_off),
		                         *negative = image_at(image, zone->negative_off);
		char line[LINE_MAX_] = "", other[LINE_MAX_] = "";

		assert_int_equal(apex->zone, i);
		assert_int_equal(zone->name_off, apex->name_off);
		assert_memory_equal(soa, image_rrset(apex, DNS_SOA), sizeof(*soa));
		(void)put_record(image_at(image, soa->data_off), DNS_SOA, line);
		(void)put_record(image_at(image, negative->data_off), DNS_SOA, other);
		assert_string_equal(strstr(line, " ns."), strstr(other, " ns."));
	}
}

/* Zones of their own, each with some of the dynamic names, and made anew or taken as they are. */
static void each_zone_has_its_dynamic_names_and_its_rows(void **state)
{
	static const char *const names[] = { "x.c.test", "x.a.test", "y.b.test", "y.c.test",
		                             "y.a.test", "x.b.test", "z.b.test" };
	static char paths[3][32];
	struct zone_source zones[] = { { "a.test", paths[0] },
		                       { "b.test", paths[1] },
		                       { "c.test", paths[2] } };
	struct image *good = image, *earlier = NULL;

	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		struct zone_input in = { .zones = zones,
			                 .n_zones = 3,
			                 .isolate = true,
			                 .reuse = round < 3,
			                 .dynamic = names,
			                 .n_dynamic = COUNT(names),
			                 .earlier = earlier };

		for (unsigned i = 0; i < 3 && round < 2; i++) {
			char text[256];

			snprintf(
			        text, sizeof(text),
			        "$TTL 60\n@ SOA ns root 1 2 3 4 5\n@ NS ns\nns A 192.0.2.7\nb A 192.0.2.%u\n%s",
			        i + 1, round && i == 1 ? "more A 192.0.2.9\n*.more TXT x\n" : "");
			zone_file(text, paths[i]);
		}
		if (earlier) {
			*address_byte("ns.a.test") = *address_byte("ns.b.test") = 99;
			*address_byte("ns.c.test") = 99;
		}
		assert_int_equal(zone_compile(&in, ignore_message, NULL, &image), 0);
		free(earlier);
		earlier = image;
		assert_int_equal(image->n_parts, 3);
		assert_int_equal(image->n_dynamic, COUNT(names));
		assert_int_equal(image->dynamic, image_dynamic_digest(names, COUNT(names)));
		for (unsigned i = 0; i < COUNT(names); i++) {
			struct image_found found;
			struct name name;

			assert_int_equal(name_parse(names[i], &name), 0);
			found = image_find(image, &name);
			assert_true(found.node && found.skipped == 0);
			assert_int_equal(image_extra(image, found.node)->dynamic, i + 1);
		}
		assert_int_equal(*address_byte("b.a.test"), 1);
		assert_int_equal(*address_byte("b.b.test"), 2);
		assert_int_equal(*address_byte("b.c.test"), 3);
		/* in the second round one is another, in the third none is, in the last all are read */
		assert_int_equal(*address_byte("ns.a.test"), round == 1 || round == 2 ? 99 : 7);
		assert_int_equal(*address_byte("ns.b.test"), round == 2 ? 99 : 7);
		assert_int_equal(*address_byte("ns.c.test"), round == 1 || round == 2 ? 99 : 7);
		assert_rows();
	}
	free(earlier);
	image = good;
}

static char told[512];

static void note_message(void *arg, const struct zones_message *m)
{
	size_t n = strlen(told);

	(void)arg;
	snprintf(told + n, sizeof(told) - n, "%s:%u: %s\n", m->zone, m->line, m->text);
}

/*
 * The records of all zones count for the limit, also of those that are taken as they are: an earlier
 * image's rows say so many of them that one more zone of four records just fits, or does not.
 */
static void the_records_of_all_zones_count_together(void **state)
{
	static const struct {
		uint32_t a, b; /* records that the earlier image has of the two zones */
		uint32_t state;
		const char *told;
	} rows[] = {
		{ 8000000, 7999996, 0, "" },
		{ 8000000, 7999997, IMAGE_ZONE_BROKEN,
		  "c.test:5: more than 16000000 records in all zones\n" },
		{ 15999997, 0, IMAGE_ZONE_BROKEN,
		  "c.test:5: more than 16000000 records in all zones\n" },
		{ 0, 15999997, IMAGE_ZONE_BROKEN,
		  "c.test:5: more than 16000000 records in all zones\n" },
		{ 15999996, 0, 0, "" },
		{ 0, 15999996, 0, "" },
	};
	static char paths[3][32];
	struct zone_source zones[] = { { "a.test", paths[0] },
		                       { "b.test", paths[1] },
		                       { "c.test", paths[2] } };
	struct image *good = image;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		zone_file("$TTL 60\n@ SOA ns root 1 2 3 4 5\n@ NS ns\nns A 192.0.2.7\n"
		          "b A 192.0.2.8\n",
		          paths[i]);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct zone_input in = {
			.zones = zones, .n_zones = 2, .isolate = true, .reuse = true
		};
		struct image *earlier;

		assert_int_equal(zone_compile(&in, ignore_message, NULL, &earlier), 0);
		for (uint32_t k = 0; k < 2; k++) {
			uint32_t number = image_find_zone(earlier, zones[k].name)->part;
			const struct image_part *part = image_part(earlier, number);

			((struct image_part *)((uint8_t *)earlier +
			                       ((const uint8_t *)part - (const uint8_t *)earlier)))
			        ->n_records = k ? rows[i].b : rows[i].a;
		}
		in.n_zones = 3;
		in.earlier = earlier;
		told[0] = '\0';
		assert_int_equal(zone_compile(&in, note_message, NULL, &image), 0);
		assert_string_equal(told, rows[i].told);
		assert_int_equal(image_find_zone(image, "c.test")->state, rows[i].state);
		free(image);
		free(earlier);
	}
	image = good;
}

/* The image whose buckets lose the node "ns.b.test" as soon as b.test's file is refused. */
static struct image *walked;

static void lose_a_node(void *arg, const struct zones_message *m)
{
	struct image_bucket *buckets =
	        (struct image_bucket *)((uint8_t *)walked + walked->buckets_off);
	struct name name;
	struct image_found found;

	(void)arg;
	if (strcmp(m->zone, "b.test") != 0 || name_parse("ns.b.test", &name) < 0)
		return;
	found = image_find(walked, &name);
	for (uint32_t i = 0; found.skipped == 0 && i <= walked->bucket_mask; i++)
		if (buckets[i].node_off &&
		    (const void *)image_node(walked, buckets[i].node_off) == found.node)
			buckets[i].node_off = 0;
}

/* A thousand zones whose files cannot be used are not a thousand walks through the image. */
static void an_earlier_image_is_walked_once_for_all_zones(void **state)
{
	static char paths[2][32];
	struct zone_source zones[] = { { "a.test", paths[0] }, { "b.test", paths[1] } };
	struct zone_input in = { .zones = zones, .n_zones = 2, .isolate = true };
	struct image *good = image;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		zone_file("$TTL 60\n@ SOA ns root 1 2 3 4 5\n@ NS ns\nns A 192.0.2.7\n"
		          "ns AAAA 2001:db8::7\n",
		          paths[i]);
	assert_int_equal(zone_compile(&in, ignore_message, NULL, &walked), 0);
	for (unsigned i = 0; i < 2; i++)
		zone_file("nothing", paths[i]);
	in.earlier = walked;
	assert_int_equal(zone_compile(&in, lose_a_node, NULL, &image), 0);
	for (unsigned i = 0; i < 2; i++) {
		const struct image_zone *zone = image_find_zone(image, zones[i].name);

		assert_int_equal(zone->state, IMAGE_ZONE_EARLIER);
		assert_int_equal(zone->n_records, 4);
	}
	free(image);
	free(walked);
	image = good;
}

SUITE(zone_parts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_not_changed_is_taken_as_it_is),
		cmocka_unit_test(an_earlier_image_is_walked_once_for_all_zones),
		cmocka_unit_test(the_records_of_all_zones_count_together),
		cmocka_unit_test(each_zone_has_its_dynamic_names_and_its_rows),
	};

	return cmocka_run_group_tests_name("zone parts", tests, set_up, tear_down);
}
