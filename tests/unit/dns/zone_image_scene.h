/* SPDX-License-Identifier: BSD-2-Clause */
/* Two zones, one below the other, with an instance of everything; and an image's nodes as lines. */
#ifndef ZONE_IMAGE_SCENE_H
#define ZONE_IMAGE_SCENE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/zone/image.h"
#include "dns/zone/wire.h"
#include "dns/zone/zone.h"

#define COUNT(a)   (sizeof(a) / sizeof((a)[0]))
#define LINE_MAX_  1024u
#define LINES_MAX_ 64u

static const char shop[] = "$TTL 60\n"
                           "@ SOA Ns.Shop.test. root 7 3600 900 604800 30\n"
                           "@ NS Ns\n"
                           "@ NS ns.other.\n"
                           "@ MX 10 mAil\n"
                           "Ns A 192.0.2.2\n"
                           "ns 20 A 192.0.2.1\n"
                           "ns 40 A 192.0.2.3\n"
                           "ns AAAA 2001:db8::1\n"
                           "mail A 192.0.2.5\n"
                           "mail A 192.0.2.5\n"
                           "*.w 2147483647 TXT \"x\"\n"
                           "e.m.p TXT \"\" \"y\"\n"
                           "d NS ns.d\n"
                           "d NS ns\n"
                           "d NS ns.d2\n"
                           "d NS none\n"
                           "d DS 1 8 2 0a\n"
                           "ns.d A 192.0.2.6\n"
                           "below.ns.d TXT \"z\"\n"
                           "d2 NS ns.d2\n"
                           "ns.d2 AAAA 2001:db8::2\n"
                           "dn DNAME x.other.\n"
                           "c CNAME NS\n"
                           "s SRV 1 2 3 MAIL\n"
                           "sub NS ns.sub\n"
                           "sub DS 2 8 2 0b\n";
static const char sub[] = "$TTL 10\n"
                          "@ SOA ns root 9 1 1 1 100\n"
                          "@ NS ns\n"
                          "ns A 192.0.2.9\n"
                          "d NS ns.d\n"
                          "*.d AAAA 2001:db8::3\n";
static const char *const dynamic[] = { "www.shop.test", "dyn.w.Shop.test", "in.sub.shop.test" };

/* By name. A name with = has a node; cut, wild, above: as in image_extra. */
static const char *const expected[] = {
	"*.d.sub.shop.test z1 cut d.sub.shop.test: 28 10 20010db8000000000000000000000003",
	"*.w.shop.test z0: 16 2147483647 0178",
	"below.ns.d.shop.test z0 cut d.shop.test glue 1/3 ns.d.shop.test ns.shop.test "
	"ns.d2.shop.test: 16 60 017a",
	"c.shop.test z0: 5 60 NS.Shop.test=",
	"d.shop.test z0 cut d.shop.test glue 1/3 ns.d.shop.test ns.shop.test "
	"ns.d2.shop.test: 2 60 ns.Shop.test= 2 60 ns.d.Shop.test= 2 60 ns.d2.Shop.test= 2 60 "
	"none.Shop.test 43 60 000108020a",
	"d.sub.shop.test z1 cut d.sub.shop.test wild *.d.sub.shop.test glue 0/0: 2 10 "
	"ns.d.sub.shop.test",
	"d2.shop.test z0 cut d2.shop.test glue 1/1 ns.d2.shop.test: 2 60 ns.d2.Shop.test=",
	"dn.shop.test z0: 39 60 0178056f7468657200",
	"dyn.w.shop.test z0 dynamic 2:",
	"e.m.p.shop.test z0: 16 60 000179",
	"in.sub.shop.test z1 dynamic 3:",
	"m.p.shop.test z0:",
	"mail.shop.test z0: 1 60 c0000205",
	"ns.d.shop.test z0 cut d.shop.test glue 1/3 ns.d.shop.test ns.shop.test "
	"ns.d2.shop.test: 1 60 c0000206",
	"ns.d2.shop.test z0 cut d2.shop.test glue 1/1 ns.d2.shop.test: 28 60 "
	"20010db8000000000000000000000002",
	"ns.shop.test z0: 1 20 c0000201 1 20 c0000202 1 20 c0000203 28 60 "
	"20010db8000000000000000000000001",
	"ns.sub.shop.test z1: 1 10 c0000209",
	"p.shop.test z0:",
	"s.shop.test z0: 33 60 000100020003044d41494c0453686f70047465737400",
	"shop.test z0: 2 60 Ns.Shop.test= 2 60 ns.other 6 60 Ns.Shop.test= root.Shop.test "
	"0000000700000e100000038400093a800000001e 15 60 000a mAil.Shop.test=",
	"sub.shop.test z0 cut sub.shop.test glue 0/0: 2 60 ns.sub.Shop.test= 43 60 000208020b",
	"sub.shop.test z1 above z0: 2 10 ns.sub.shop.test= 6 10 ns.sub.shop.test= "
	"root.sub.shop.test 0000000900000001000000010000000100000064",
	"w.shop.test z0 wild *.w.shop.test:",
	"www.shop.test z0 dynamic 1:",
};

static struct image *image;

static void fail_on_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	if (m->level == ZONES_ERROR)
		print_error("%s:%u: %s\n", m->file, m->line, m->text);
}

static void ignore_message(void *arg, const struct zones_message *m)
{
	(void)arg;
	(void)m;
}

static void zone_file(const char *text, char path[32])
{
	int fd = memfd_create("zone", 0);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

static int set_up(void **state)
{
	static char paths[2][32];
	const struct zone_source zones[] = { { "Shop.test", paths[0] },
		                             { "sub.shop.test.", paths[1] } };
	const struct zone_input in = {
		.zones = zones, .n_zones = 2, .source = 5, .dynamic = dynamic, .n_dynamic = 3
	};

	(void)state;
	zone_file(shop, paths[0]);
	zone_file(sub, paths[1]);
	return zone_compile(&in, fail_on_report, NULL, &image);
}

static int tear_down(void **state)
{
	(void)state;
	free(image);
	return 0;
}

/* @p off, if @p n bytes lie there and it is a multiple of four. */
static const void *bytes_at(uint32_t off, size_t n)
{
	assert_true(off >= sizeof(*image) && off % 4 == 0 && off + n <= image->size_bytes);
	return image_at(image, off);
}

/* A name as text, with = if it has a node. What its record says of itself must be so. */
static void put_name(uint32_t off, bool mark, char line[LINE_MAX_])
{
	const struct image_name *name = bytes_at(off, sizeof(*name)), *fold;
	uint8_t wire[NAME_WIRE_MAX], lower[NAME_WIRE_MAX];
	char text[NAME_TEXT_MAX], folded[NAME_TEXT_MAX];
	size_t n = image_name_wire(image, off, wire), used = strlen(line);
	unsigned labels = 0;

	for (const struct image_name *up = name; up->parent_off; up = bytes_at(up->parent_off, 12))
		labels++;
	assert_int_equal(name->wire_length, n);
	assert_int_equal(name->n_labels, labels);
	fold = bytes_at(name->fold_off, sizeof(*fold));
	assert_int_equal(image_name_wire(image, name->fold_off, lower), n);
	name_text(wire, text);
	name_text(lower, folded);
	assert_int_equal(strcasecmp(text, folded), 0);
	for (const char *c = folded; *c; c++)
		assert_false(*c >= 'A' && *c <= 'Z');
	assert_true((strcmp(text, folded) == 0) == (fold == name));
	snprintf(line + used, LINE_MAX_ - used, " %s%s", text, mark && fold->node_off ? "=" : "");
}

static void put_line(char line[LINE_MAX_], const char *what, unsigned number)
{
	size_t used = strlen(line);

	snprintf(line + used, LINE_MAX_ - used, " %s%u", what, number);
}

/* One record. @return behind it */
static const uint8_t *put_record(const uint8_t *r, uint16_t type, char line[LINE_MAX_])
{
	struct image_fixed_names how = image_fixed_names(type);
	uint16_t length = wire_load16(r + 10);
	const uint8_t *data = r + 12, *end = data + length;
	size_t used;
	uint32_t name;

	assert_int_equal(wire_load16(r), 0xc00c);
	assert_int_equal(wire_load16(r + 2), type);
	assert_int_equal(wire_load16(r + 4), 1);
	put_line(line, "", type);
	put_line(line, "", wire_load32(r + 6));
	strcat(line, data < end && (how.before || !how.n) ? " " : "");
	for (unsigned i = 0; data < end; i++) {
		if (i == how.before)
			for (unsigned k = 0; k < how.n; k++, data += 4) {
				memcpy(&name, data, 4);
				put_name(name, true, line);
			}
		used = strlen(line);
		if (data < end)
			snprintf(line + used, LINE_MAX_ - used, "%s%02x",
			         i == how.before && how.n ? " " : "", *data++);
	}
	return end;
}

static void put_extra(const struct image_extra *extra, char line[LINE_MAX_])
{
	const struct image_glue *glue;

	if (extra->cut_off) {
		strcat(line, " cut");
		put_name(image_node(image, extra->cut_off)->name_off, false, line);
	}
	if (extra->wildcard_off) {
		strcat(line, " wild");
		put_name(image_node(image, extra->wildcard_off)->name_off, false, line);
	}
	if (extra->above_off)
		put_line(line, "above z", image_node(image, extra->above_off)->zone);
	if (extra->dynamic)
		put_line(line, "dynamic ", extra->dynamic);
	if (!extra->glue_off)
		return;
	glue = bytes_at(extra->glue_off, sizeof(*glue));
	put_line(line, "glue ", glue->n_required);
	sprintf(line + strlen(line), "/%u", glue->n);
	for (uint32_t i = 0; i < glue->n; i++)
		put_name(image_node(image, glue->nodes_off[i])->name_off, false, line);
}

static void put_node(uint32_t off, char line[LINE_MAX_])
{
	const struct image_node *node = bytes_at(off, sizeof(*node));

	line[0] = '\0';
	put_name(node->name_off, false, line);
	put_line(line, "z", node->zone);
	put_extra(bytes_at(node->extra_off, sizeof(struct image_extra)), line);
	strcat(line, ":");
	for (unsigned s = 0; s < node->n_rrsets; s++) {
		const struct image_rrset *set = &node->rrsets[s];
		const uint8_t *r = (const uint8_t *)image + set->data_off, *from = r;

		assert_true(s == 0 || set->type > node->rrsets[s - 1].type);
		for (unsigned i = 0; i < set->n_records; i++)
			r = put_record(r, set->type, line);
		assert_int_equal(r - from, set->data_length);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* All nodes that can be found, and those beside an apex, as lines in order. */
static unsigned list_nodes(char lines[LINES_MAX_][LINE_MAX_])
{
	const struct image_bucket *buckets = image_at(image, image->buckets_off);
	unsigned n = 0;

	for (uint32_t i = 0; i <= image->bucket_mask; i++) {
		const struct image_node *node;
		uint32_t above;

		if (!buckets[i].node_off)
			continue;
		node = bytes_at(buckets[i].node_off, sizeof(*node));
		assert_int_equal(image_name(image, node->name_off)->node_off, buckets[i].node_off);
		put_node(buckets[i].node_off, lines[n++]);
		above = image_extra(image, node)->above_off;
		if (above)
			put_node(above, lines[n++]);
	}
	qsort(lines, n, LINE_MAX_, by_text);
	return n;
}

static void assert_expected(char lines[LINES_MAX_][LINE_MAX_], unsigned n)
{
	for (unsigned i = 0; i < n && i < COUNT(expected); i++)
		assert_string_equal(lines[i] + 1, expected[i]);
	assert_int_equal(n, COUNT(expected));
}

#endif
