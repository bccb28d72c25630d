/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zone files at their limits and just over them, and all that is said of a file: nothing is said
 * twice, and nothing that is not so.
 */
#include <errno.h>
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

#include "dns/zone/image.h"
#include "dns/zone/zone.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GOOD     "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n" /* four lines */
#define TEXT_MAX ((size_t)1 << 20)

static char dir[] = "/tmp/weir-zone-limits.XXXXXX";
static char *text; /* TEXT_MAX bytes */

/* What was reported, "zone|file:line: message" a line. */
static struct {
	char text[8192];
	unsigned n, by_zone[32], last_line[32]; /* of the zone's, the last one's */
} said;

static void keep_message(void *arg, const struct zones_message *m)
{
	size_t used = strlen(said.text);
	const char *file = strrchr(m->file, '/');
	static const char *const levels[] = { "warning: ", "" };

	(void)arg;
	said.n++;
	if (m->zone[0] == 'z') {
		said.by_zone[atoi(m->zone + 1)]++;
		said.last_line[atoi(m->zone + 1)] = m->line;
	}
	snprintf(said.text + used, sizeof(said.text) - used, "%s|%s:%u: %s%s\n", m->zone,
	         file ? file + 1 : m->file, m->line, levels[m->level], m->text);
}

static void write_bytes(const char *name, const char *bytes, size_t n)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

/* Compile zones z0 and on, all of file "zone", or as `in` says. */
static int compile_zones(unsigned n_zones, struct zone_input in, struct image **out)
{
	static struct zone_source zones[ZONE_MAX + 1];
	static char names[32][16];
	char path[256];
	struct image *image = NULL;
	int err;

	snprintf(path, sizeof(path), "%s/zone", dir);
	for (unsigned i = 0; i < n_zones; i++) {
		if (i < 32)
			snprintf(names[i], sizeof(names[i]), "z%u.test", i);
		zones[i] = (struct zone_source){ names[i % 32], path };
	}
	in.zones = zones;
	in.n_zones = n_zones;
	memset(&said, 0, sizeof(said));
	err = zone_compile(&in, keep_message, NULL, &image);
	if (out)
		*out = image;
	else
		free(image);
	return err;
}

static int set_up(void **state)
{
	(void)state;
	text = malloc(TEXT_MAX);
	return !text || !mkdtemp(dir);
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	free(text);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* GOOD and @p n lines, as @p line makes them of their number. */
static void write_lines(unsigned n, size_t (*line)(char *to, unsigned i))
{
	char *at = stpcpy(text, GOOD);

	for (unsigned i = 0; i < n; i++)
		at += line(at, i);
	assert_true((size_t)(at - text) < TEXT_MAX);
	write_bytes("zone", text, (size_t)(at - text));
}

static size_t bad_line(char *to, unsigned i)
{
	return (size_t)sprintf(to, "a%u A x\n", i);
}

static void of_a_zone_a_hundred_mistakes_are_told(void **state)
{
	static const struct {
		unsigned n, told;
	} cases[] = { { 1, 1 }, { 99, 99 }, { 100, 100 }, { 101, 100 }, { 500, 100 } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_lines(cases[i].n, bad_line);
		assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, NULL), -EINVAL);
		assert_int_equal(said.n, cases[i].told);
	}
}

/* So that no zone is refused without a word, whatever the others have. */
static void of_all_zones_a_thousand_are_told_and_one_of_each_at_least(void **state)
{
	(void)state;
	write_lines(100, bad_line);
	assert_int_equal(compile_zones(12, (struct zone_input){ 0 }, NULL), -EINVAL);
	for (unsigned z = 0; z < 12; z++) {
		assert_int_equal(said.by_zone[z], z < 10 ? 100 : 1);
		assert_int_equal(said.last_line[z], z < 10 ? 104 : 5); /* its first */
	}
	assert_int_equal(said.n, 1002);
}

/* Also where the thousandth is in the midst of a zone. */
static void the_thousandth_is_the_last_but_for_first_ones(void **state)
{
	(void)state;
	write_lines(99, bad_line);
	assert_int_equal(compile_zones(13, (struct zone_input){ 0 }, NULL), -EINVAL);
	for (unsigned z = 0; z < 13; z++) {
		assert_int_equal(said.by_zone[z], z < 10 ? 99 : z == 10 ? 10 : 1);
		assert_int_equal(said.last_line[z], z < 10 ? 103 : z == 10 ? 14 : 5);
	}
}

/* A fault that only shows when all files are read is reported with its file and line. */
static void a_record_is_told_with_its_own_file(void **state)
{
	static const char zone[] = GOOD "$INCLUDE part\nx A 192.0.2.5\nx A 192.0.2.5\n"
	                                "$INCLUDE part2\nw A 192.0.2.8\nw A 192.0.2.8\n";
	static const char part[] = "y A 192.0.2.6\ny A 192.0.2.6\n";
	static const char part2[] = "\nz A 192.0.2.7\n\nz A 192.0.2.7\n";

	(void)state;
	write_bytes("zone", zone, strlen(zone));
	write_bytes("part", part, strlen(part));
	write_bytes("part2", part2, strlen(part2));
	assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, NULL), 0);
	assert_string_equal(
	        said.text,
	        "z0.test|part:2: warning: y.z0.test: line 1 has the same record; it counts once\n"
	        "z0.test|zone:7: warning: x.z0.test: line 6 has the same record; it counts once\n"
	        "z0.test|part2:4: warning: z.z0.test: line 2 has the same record; it counts once\n"
	        "z0.test|zone:10: warning: w.z0.test: line 9 has the same record; it counts once\n");
}

/* Errors of the document belong to no zone: each is reported, also beyond the thousand. */
static void beyond_a_thousand_the_document_s_mistakes_are_told(void **state)
{
	static const char *const names[] = { "a.nowhere", "z0.test", "b.nowhere", "Z0.test" };
	struct zone_input in = { .dynamic = names, .n_dynamic = COUNT(names) };

	(void)state;
	write_lines(100, bad_line);
	for (unsigned n_zones = 9; n_zones <= 11; n_zones++) {
		unsigned of_zones = n_zones < 10 ? 100 * n_zones : 1000 + n_zones - 10;

		assert_int_equal(compile_zones(n_zones, in, NULL), -EINVAL);
		assert_int_equal(said.n, of_zones + 3);
	}
}

static void a_zone_that_is_set_aside_leaves_the_mistakes_of_the_others(void **state)
{
	struct image *image;

	(void)state;
	write_lines(3, bad_line);
	assert_int_equal(compile_zones(3, (struct zone_input){ .isolate = true }, &image), 0);
	assert_int_equal(said.n, 9); /* once, whatever number of tries it takes */
	for (uint32_t z = 0; z < 3; z++)
		assert_int_equal(image_zone(image, z)->state, IMAGE_ZONE_BROKEN);
	assert_int_equal(image->n_records, 0);
	assert_int_equal(image->n_nodes, 3);
	free(image);
	assert_int_equal(compile_zones(3,
	                               (struct zone_input){ .isolate = true, .check_only = true },
	                               &image),
	                 0);
	assert_null(image);
}

static void more_zones_than_there_may_be_are_refused_at_once(void **state)
{
	(void)state;
	assert_int_equal(compile_zones(ZONE_MAX + 1, (struct zone_input){ 0 }, NULL), -EINVAL);
	assert_string_equal(said.text, "|:0: 10001 zones, at most 10000\n");
	assert_int_equal(compile_zones(ZONE_MAX, (struct zone_input){ 0 }, NULL), -EINVAL);
	assert_null(strstr(said.text, "at most")); /* their names are not their own */
	assert_non_null(strstr(said.text, "|zone:0: zone z0.test is configured twice\n"));
}

static size_t set_line(char *to, unsigned i)
{
	(void)i;
	/* with its fixed part 12 + 1 + 187 = 200 bytes */
	return (size_t)sprintf(to, "big TXT \"%05u%0182u\"\n", i, 0);
}

static size_t mx_line(char *to, unsigned i)
{
	return (size_t)sprintf(to, "mx MX %u m.other.\n", i);
}

static void an_rrset_is_as_large_as_a_message_can_carry(void **state)
{
	static const struct {
		size_t (*line)(char *to, unsigned i);
		unsigned n;
		const char *said;
	} cases[] = {
		{ set_line, 300, "" }, /* 60,000 bytes */
		{ set_line, 301,
		  "z0.test|zone:5: big.z0.test: RRset of 301 records over 60000 bytes\n" },
		/* a name counts at its longest: 12 + 6 + 255 bytes */
		{ mx_line, 219, "" },
		{ mx_line, 220,
		  "z0.test|zone:5: mx.z0.test: RRset of 220 records over 60000 bytes\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		write_lines(cases[i].n, cases[i].line);
		assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, NULL),
		                 *cases[i].said ? -EINVAL : 0);
		assert_string_equal(said.text, cases[i].said);
	}
}

/*
 * The text of a record counts without its comments, with one blank for each line inside
 * parentheses.
 */
static void a_record_has_as_much_text_as_is_read_at_once(void **state)
{
	static const char *const said_of[] = { "", "z0.test|zone:5: record too long\n" };
	size_t head = strlen("t TXT (");

	(void)state;
	for (unsigned way = 0; way < 3; way++)
		for (unsigned over = 0; over < 2; over++) {
			size_t left = ZONE_RECORD_TEXT_MAX + over - head - 5;
			char *at = stpcpy(stpcpy(text, GOOD), "t TXT (");

			/* blanks in a run, line ends, or blanks behind a comment of that length */
			for (; left; left--)
				*at++ = way == 1 ? '\n' : ' ';
			if (way == 2)
				at += sprintf(at, "%c%0200000u", ';', 0);
			at = stpcpy(at, way == 2 ? "\n\"x\")\n" : " \"x\")\n");
			write_bytes("zone", text, (size_t)(at - text));
			assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, NULL),
			                 over ? -EINVAL : 0);
			if (over)
				assert_non_null(strstr(said.text, "record too long\n"));
			else
				assert_string_equal(said.text, said_of[0]);
		}
}

/* Files f1, f2 ... of which each includes the next; the last has a record. */
static void write_chain(unsigned depth)
{
	char name[16], line[64];

	write_bytes("zone", GOOD "$INCLUDE f1\nlast A 192.0.2.9\n",
	            strlen(GOOD "$INCLUDE f1\nlast A 192.0.2.9\n"));
	for (unsigned i = 1; i <= depth; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		snprintf(line, sizeof(line),
		         i < depth ? "r%u A 192.0.2.1\n$INCLUDE f%u\n" : "r%u A 192.0.2.1\n", i,
		         i + 1);
		write_bytes(name, line, strlen(line));
	}
}

static size_t include_line(char *to, unsigned i)
{
	(void)i;
	return (size_t)sprintf(to, "$INCLUDE one\n");
}

static void includes_are_as_deep_and_as_many_as_is_allowed(void **state)
{
	struct image *image;

	(void)state;
	write_chain(ZONE_INCLUDE_DEPTH);
	assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, &image), 0);
	assert_string_equal(said.text, "");
	assert_int_equal(image->n_records, 3 + ZONE_INCLUDE_DEPTH + 1);
	free(image);
	write_chain(ZONE_INCLUDE_DEPTH + 1);
	assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, NULL), -EINVAL);
	assert_string_equal(said.text,
	                    "z0.test|f8:2: include f9: too many files include one another\n");
	write_bytes("one", "", 0);
	write_lines(ZONE_INCLUDES_MAX, include_line);
	assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, NULL), 0);
	write_lines(ZONE_INCLUDES_MAX + 1, include_line);
	assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, NULL), -EINVAL);
	assert_string_equal(said.text,
	                    "z0.test|zone:261: include one: too many files include one another\n");
}

/* All that is said of a file, and in which line. */
static void what_is_said_is_all_that_is_said(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "", "z0.test|zone:0: zone z0.test has no SOA\n"
		      "z0.test|zone:0: zone z0.test has no NS at its apex\n" },
		{ GOOD "\n; x\n\t ; y\na ( ; z\n A\n\n 1.2 )\nb A 1.3\n",
		  "z0.test|zone:8: A record: Syntax error, could not parse the RR's rdata\n"
		  "z0.test|zone:12: A record: Syntax error, could not parse the RR's rdata\n" },
		{ GOOD "$INCLUDE part\nb A 1.3\n",
		  "z0.test|part:2: A record: Syntax error, could not parse the RR's rdata\n"
		  "z0.test|zone:6: A record: Syntax error, could not parse the RR's rdata\n" },
		{ GOOD "$INCLUDE \"part\" \n", "z0.test|part:2: A record: Syntax error, could not "
		                               "parse the RR's rdata\n" },
		{ GOOD "$INCLUDE part b..c\n", "z0.test|zone:5: b..c is not a domain name\n" },
		{ GOOD "$INCLUDE .part\n",
		  "z0.test|zone:5: include .part: use A-Z a-z 0-9 . _ - and / in its name, and no part "
		  "that begins with a dot: a version of the configuration cannot keep other names\n" },
		{ GOOD "$INCLUDE p+q\n",
		  "z0.test|zone:5: include p+q: use A-Z a-z 0-9 . _ - and / in its name, and no part "
		  "that begins with a dot: a version of the configuration cannot keep other names\n" },
		{ GOOD "x.d A 192.0.2.1\nd DNAME e.\nd TXT \"a\"\ny.d CNAME z\n",
		  "z0.test|zone:5: x.d.z0.test lies below the DNAME in line 6, which renames all "
		  "names below it\n"
		  "z0.test|zone:8: y.d.z0.test lies below the DNAME in line 6, which renames all "
		  "names below it\n" },
		{ GOOD "d NS ns\nc CNAME a\nc TXT \"b\"\nc A 192.0.2.1\n",
		  "z0.test|zone:8: c.z0.test: type 1 at a name with a CNAME\n" },
	};

	(void)state;
	write_bytes("part", "good A 192.0.2.1\nx A 1.2.3\n",
	            strlen("good A 192.0.2.1\nx A 1.2.3\n"));
	write_bytes(".part", "", 0);
	write_bytes("p+q", "", 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("%s", cases[i].text);
		write_bytes("zone", cases[i].text, strlen(cases[i].text));
		assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, NULL), -EINVAL);
		assert_string_equal(said.text, cases[i].said);
	}
}

/* Servers that cannot be reached by what the zone says, and those that only seem so. */
static void servers_without_addresses_are_told_where_nobody_else_has_them(void **state)
{
#define MX(line) "z0.test|zone:" line ": warning: MX "
#define NS(line) "z0.test|zone:" line ": warning: NS "
#define NONE_    ".z0.test has no address here\n"
#define GLUE     ".z0.test has no address here: the delegation needs it as glue\n"
	static const struct {
		const char *text, *said;
	} cases[] = {
		{ "@ MX 1 m\n@ MX 2 n\nn A 192.0.2.9\n", MX("5") "m" NONE_ },
		{ "@ MX 1 m\nm AAAA ::1\n", "" },
		{ "@ MX 1 m\nm TXT \"x\"\n", MX("5") "m" NONE_ },
		{ "@ MX 1 e\nx.e A 192.0.2.9\n", MX("5") "e" NONE_ },
		{ "@ MX 1 a.b.c\n", MX("5") "a.b.c" NONE_ },
		{ "@ MX 1 a.b.c\nc TXT \"x\"\n", MX("5") "a.b.c" NONE_ },
		{ "a MX 1 b\n", MX("5") "b" NONE_ },
		{ "@ MX 1 WWW\n", "" }, /* a dynamic name */
		{ "@ MX 1 .\n@ MX 1 m.other.\n@ MX 1 m.test.\n", "" },
		{ "@ MX 1 m.dn\ndn DNAME other.\n", "" },
		{ "@ MX 1 dn\ndn DNAME other.\n", MX("5") "dn" NONE_ },
		{ "@ MX 1 m.w\n*.w A 192.0.2.9\n", "" },
		{ "@ MX 1 m.sub\nsub NS ns.other.\n", "" },
		{ "@ MX 1 m.sub\nsub NS ns.other.\nm.sub TXT \"x\"\n", "" },
		{ "@ NS t.sub\nsub NS ns.other.\nt.sub TXT \"x\"\n", "" },
		{ "@ NS t\n", NS("5") "t" NONE_ },
		{ "sub NS t\n", "" }, /* the resolver asks this zone */
		{ "sub NS sub\n", NS("5") "sub" GLUE },
		{ "sub NS t.sub\n", NS("5") "t.sub" GLUE },
		{ "sub NS t.sub\nt.sub TXT \"x\"\n", NS("5") "t.sub" GLUE },
		{ "sub NS t.sub\nx.t.sub TXT \"x\"\n", NS("5") "t.sub" GLUE },
		{ "sub NS t.sub\nt.sub AAAA ::1\n", "" },
		{ "sub NS ns\nm.sub MX 1 a.sub\nd.sub NS t.d.sub\n", "" }, /* not served here */
		{ "@ MX 1 A\na CNAME b.other.\n",
		  MX("5") "A.z0.test is an alias (CNAME): many resolvers do not follow it\n" },
		{ "sub NS a\na CNAME b.other.\n",
		  NS("5") "a.z0.test is an alias (CNAME): many resolvers do not follow it\n" },
	};
	static const char *const dynamic[] = { "www.z0.test" };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = (size_t)sprintf(text, GOOD "%s", cases[i].text);

		print_message("%s", cases[i].text);
		write_bytes("zone", text, n);
		assert_int_equal(
		        compile_zones(1, (struct zone_input){ .dynamic = dynamic, .n_dynamic = 1 },
		                      NULL),
		        0);
		assert_string_equal(said.text, cases[i].said);
	}
}

/* Names that an include may have: those that a version of the configuration can keep. */
static void an_include_has_a_name_that_can_be_kept(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} cases[] = {
		{ "a", true },     { "z", true },     { "A", true },    { "Z", true },
		{ "0", true },     { "9", true },     { "_", true },    { "-", true },
		{ "a.b", true },   { "a..b", true },  { "a.", true },   { "d/a", true },
		{ "d/.a", false }, { "d//a", false }, { "./a", false }, { "a+b", false },
		{ "a:", false },   { "a@b", false },  { "[", false },   { "`", false },
		{ "{", false },    { "a~", false },   { ".a", false },
	};
	char path[256];

	(void)state;
	snprintf(path, sizeof(path), "%s/d", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = (size_t)sprintf(text, GOOD "$INCLUDE %s\n", cases[i].name);
		bool good;

		write_bytes("zone", text, n);
		write_bytes(cases[i].name, "i A 192.0.2.9\n", strlen("i A 192.0.2.9\n"));
		good = compile_zones(1, (struct zone_input){ 0 }, NULL) == 0;
		if (good != cases[i].good ||
		    !good != !!strstr(said.text, "cannot keep other names"))
			fail_msg("%s: %s", cases[i].name, said.text);
	}
}

/* What stands in a record, to the byte: blanks, quotes, escapes, comments and parentheses. */
static void a_records_text_is_what_is_written(void **state)
{
	static const struct {
		const char *text, *data; /* of TXT at t, as bytes with lengths */
	} cases[] = {
		{ "t TXT a b", "\1a\1b" },
		{ "t TXT \"a b\"", "\3a b" },
		{ "t TXT \"a;b\" ; c", "\3a;b" },
		{ "t TXT a\\;b", "\3a;b" },
		{ "t TXT ( a ; one\n b\n ) ; two", "\1a\1b" },
		{ "t TXT \"(\" \")\"", "\1(\1)" },
		{ "t TXT \"\\\"\" x", "\1\"\1x" },
		{ "t TXT \"a\tb\"", "\3a\tb" },
		{ "t\tTXT\ta\t\tb\r", "\1a\1b" },
		{ "t TXT \"\" \"x\"", "\0\1x" },
		{ "t TXT \\065", "\1A" },
		{ "t TXT \"\\065\\\\\"", "\2A\\" },
		{ "t (\nTXT\n) x", "\1x" },
		{ "t TXT (a)(b)", "\1a\1b" },
		{ "   \nt TXT x\n \t \n", "\1x" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = (size_t)sprintf(text, GOOD "%s\n", cases[i].text), length;
		struct image *image = NULL;
		struct image_found found;
		const struct image_rrset *set;
		struct name name;

		print_message("%s\n", cases[i].text);
		write_bytes("zone", text, n);
		assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, &image), 0);
		assert_int_equal(name_parse("t.z0.test", &name), 0);
		found = image_find(image, &name);
		assert_int_equal(found.skipped, 0);
		set = image_rrset(found.node, DNS_TXT);
		assert_non_null(set);
		length = set->data_length - IMAGE_RECORD_FIXED;
		assert_int_equal(image->n_records, 4);
		assert_true(length >= strlen(cases[i].data));
		assert_memory_equal((const uint8_t *)image_at(image, set->data_off) +
		                            IMAGE_RECORD_FIXED,
		                    cases[i].data, length);
		free(image);
	}
}

#define LINE5  "z0.test|zone:5: "
#define SHORT  " record: the data is too short for its type\n"
#define LONG   " record: the data is longer than its type allows\n"
#define QUOTED ": names and numbers must not be quoted\n"

/* What ldns, or a careless reader, would take for something else, and serve. */
static void what_is_almost_a_record_is_refused(void **state)
{
	static const struct {
		const char *line, *said;
	} cases[] = {
		{ "a 1h 30m A 192.0.2.1", LINE5 "30m: a second TTL; write 1h30m as one word\n" },
		{ "a 1 IN 2 A 192.0.2.1", LINE5 "2: a second TTL; write 1h30m as one word\n" },
		{ "$TTL 60 70", LINE5 "$TTL: unexpected 70 at the end\n" },
		{ "$ORIGIN a b", LINE5 "$ORIGIN: unexpected b at the end\n" },
		{ "$INCLUDE empty a b", LINE5 "$INCLUDE: unexpected b at the end\n" },
		{ "$ORIGIN \"a\"", LINE5 "\"a\" is not a domain name\n" },
		{ "\"a\" A 192.0.2.1", LINE5 "\"a\"" QUOTED },
		{ "a CNAME \"b\"", LINE5 "\"b\"" QUOTED },
		{ "a MX 1 \"b\"", LINE5 "\"b\"" QUOTED },
		{ "a A \\# 0", LINE5 "A" SHORT },
		{ "a A \\# 5 c000020101", LINE5 "A" LONG },
		{ "a MX \\# 0", LINE5 "MX" SHORT },
		{ "a MX \\# 2 000a", LINE5 "MX" SHORT },
		{ "a CNAME \\# 5 017900ffff", LINE5 "CNAME" LONG },
		{ "a DNAME \\# 0", LINE5 "DNAME" SHORT },
		{ "a TLSA \\# 0", LINE5 "TLSA" SHORT },
		{ "@ SOA \\# 2 0000", LINE5 "SOA" SHORT },
		{ "a HTTPS 1 b alpn=h2 port=1 alpn=h3",
		  LINE5 "HTTPS record: a key occurs twice\n" },
	};

	(void)state;
	write_bytes("empty", "", 0);
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t n = (size_t)sprintf(text, GOOD "%s\n", cases[i].line);

		print_message("%s\n", cases[i].line);
		write_bytes("zone", text, n);
		assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, NULL), -EINVAL);
		assert_string_equal(said.text, cases[i].said);
	}
}

/* The like of the above that means what it says. */
static void what_looks_almost_so_is_taken(void **state)
{
	static const char *const lines[] = {
		"a A \\# 4 c0000202",
		"a MX \\# 5 000a017900",
		"a TYPE65280 \\# 0",
		"a TYPE10 \\# 0",
		"a HTTPS 1 b.c. port=1 alpn=h2",
		"a SVCB 0 b.c.",
		"\\\"a\\\" A 192.0.2.2",
		"a CNAME \\\"b\\\"",
		"a TXT b \"c\"",
		"a HINFO \"b\" \"c\"",
		"a CAA 0 issue \"ca.test\"",
		"a CAA 0 issue ca.test ", /* RFC 8659, section 4.1.1: quotes are not needed */
		"a CAA 128 iodef mailto:x@y.test\\;z",
		"a CAA \\# 7 00 05 6973737565",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		size_t n = (size_t)sprintf(text, GOOD "%s\n", lines[i]);

		print_message("%s\n", lines[i]);
		write_bytes("zone", text, n);
		assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, NULL), 0);
		assert_string_equal(said.text, "");
	}
}

static void a_caa_value_is_the_same_without_quotes(void **state)
{
	static const char *const lines[] = { "t CAA 0 issue \"ca.test\"", "t CAA 0 issue ca.test",
		                             "t CAA 0  issue   ca.test  " };
	static const uint8_t data[] = "\0\5issueca.test";

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		size_t n = (size_t)sprintf(text, GOOD "%s\n", lines[i]);
		struct image *image = NULL;
		const struct image_rrset *set;
		struct name name;

		write_bytes("zone", text, n);
		assert_int_equal(compile_zones(1, (struct zone_input){ 0 }, &image), 0);
		assert_int_equal(name_parse("t.z0.test", &name), 0);
		set = image_rrset(image_find(image, &name).node, DNS_CAA);
		assert_non_null(set);
		assert_int_equal(set->data_length, IMAGE_RECORD_FIXED + sizeof(data) - 1);
		assert_memory_equal((const uint8_t *)image_at(image, set->data_off) +
		                            IMAGE_RECORD_FIXED,
		                    data, sizeof(data) - 1);
		free(image);
	}
}

SUITE(zone_limits)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_a_zone_a_hundred_mistakes_are_told),
		cmocka_unit_test(of_all_zones_a_thousand_are_told_and_one_of_each_at_least),
		cmocka_unit_test(the_thousandth_is_the_last_but_for_first_ones),
		cmocka_unit_test(a_record_is_told_with_its_own_file),
		cmocka_unit_test(beyond_a_thousand_the_document_s_mistakes_are_told),
		cmocka_unit_test(a_zone_that_is_set_aside_leaves_the_mistakes_of_the_others),
		cmocka_unit_test(more_zones_than_there_may_be_are_refused_at_once),
		cmocka_unit_test(an_rrset_is_as_large_as_a_message_can_carry),
		cmocka_unit_test(a_record_has_as_much_text_as_is_read_at_once),
		cmocka_unit_test(includes_are_as_deep_and_as_many_as_is_allowed),
		cmocka_unit_test(what_is_said_is_all_that_is_said),
		cmocka_unit_test(servers_without_addresses_are_told_where_nobody_else_has_them),
		cmocka_unit_test(an_include_has_a_name_that_can_be_kept),
		cmocka_unit_test(a_records_text_is_what_is_written),
		cmocka_unit_test(what_is_almost_a_record_is_refused),
		cmocka_unit_test(what_looks_almost_so_is_taken),
		cmocka_unit_test(a_caa_value_is_the_same_without_quotes),
	};

	return cmocka_run_group_tests_name("zone limits", tests, set_up, tear_down);
}
