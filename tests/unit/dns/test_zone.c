/* SPDX-License-Identifier: BSD-2-Clause */
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
#include "dns/zone/wire.h"
#include "dns/zone/zone.h"
#include "tests/unit/dns/zone_twice.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GOOD     "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n" /* four lines */

static char dir[] = "/tmp/weir-zone.XXXXXX";

/* What was reported: "file:line: message" a line, the directory left out. */
struct reports {
	char text[65536];
	size_t n;
};

static void keep_message(void *arg, const struct zones_message *m)
{
	struct reports *r = arg;
	size_t at = strlen(r->text);
	const char *name = strrchr(m->file, '/');
	static const char *const levels[] = { "warning: ", "" };

	r->n++;
	snprintf(r->text + at, sizeof(r->text) - at, "%s:%u: %s%s\n", name ? name + 1 : m->file,
	         m->line, levels[m->level], m->text);
}

static void path_of(const char *name, char out[256])
{
	snprintf(out, 256, "%s/%s", dir, name);
}

static void write_bytes(const char *name, const char *bytes, size_t n)
{
	char path[256];
	FILE *f;

	path_of(name, path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void write_text(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static int compile_zones(const char *const *dynamic, size_t n_dynamic, struct reports *reports,
                         struct image **out)
{
	char path[256];
	struct zone_source zone = { "shop.test", path };
	struct zone_input in = {
		.zones = &zone, .n_zones = 1, .dynamic = dynamic, .n_dynamic = n_dynamic
	};

	path_of("zone", path);
	memset(reports, 0, sizeof(*reports));
	return zone_compile_twice(&in, keep_message, reports, out);
}

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static const struct {
	const char *why, *text, *expected;
} errors[] = {
	{ "empty file", "",
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "no SOA", "$TTL 60\n@ NS ns\n", "zone:0: zone shop.test has no SOA\n" },
	{ "no NS", "$TTL 60\n@ SOA ns root 1 1 1 1 1\n",
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "two SOAs", GOOD "@ SOA ns root 2 1 1 1 1\n", "zone:5: a second SOA\n" },
	{ "SOA below the apex", GOOD "a SOA ns root 2 1 1 1 1\n",
	  "zone:5: SOA below the zone's apex\n" },
	{ "outside the zone", GOOD "a.other. A 192.0.2.1\n",
	  "zone:5: a.other lies outside the zone shop.test\n" },
	{ "a sibling with the same ending", GOOD "xshop.test. A 192.0.2.1\n",
	  "zone:5: xshop.test lies outside the zone shop.test\n" },
	{ "CNAME and other data", GOOD "ns CNAME a\n",
	  "zone:4: ns.shop.test: type 1 at a name with a CNAME\n" },
	{ "two CNAMEs", GOOD "a CNAME b\na CNAME c\n",
	  "zone:6: a.shop.test: more than one CNAME\n" },
	{ "A beside a dynamic name", GOOD "www A 192.0.2.9\n",
	  "zone:5: www.shop.test is a dynamic name: it cannot have A, AAAA or CNAME records\n" },
	{ "AAAA beside a dynamic name", GOOD "www AAAA ::1\n",
	  "zone:5: www.shop.test is a dynamic name: it cannot have A, AAAA or CNAME records\n" },
	{ "CNAME at a dynamic name", GOOD "www CNAME a\n",
	  "zone:5: www.shop.test is a dynamic name: it cannot have A, AAAA or CNAME records\n" },
	{ "dynamic name in a delegation", GOOD "www NS ns\n",
	  "zone:0: dynamic name www.shop.test lies in a delegation\n" },
	{ "name below a DNAME", GOOD "a DNAME b\nx.a A 192.0.2.1\n",
	  "zone:6: x.a.shop.test lies below the DNAME in line 5, which renames all names below it\n" },
	{ "name far below a DNAME", GOOD "a DNAME b\nx.y.a A 192.0.2.1\n",
	  "zone:5: y.a.shop.test lies below the DNAME in line 5, which renames all names below it\n" },
	{ "dynamic name below a DNAME", GOOD "@ DNAME b\n",
	  "zone:4: ns.shop.test lies below the DNAME in line 5, which renames all names below it\n"
	  "zone:5: www.shop.test lies below the DNAME in line 5, which renames all names below it\n" },
	{ "two DNAMEs", GOOD "a DNAME b\na DNAME c\n",
	  "zone:6: a.shop.test: more than one DNAME\n" },
	{ "DNAME and CNAME", GOOD "a DNAME b\na CNAME c\n",
	  "zone:5: a.shop.test: type 39 at a name with a CNAME\n" },
	{ "DNAME and delegation", GOOD "a DNAME b\na NS ns\n",
	  "zone:5: a.shop.test: a DNAME and a delegation at one name\n" },
	{ "DNAME at a wildcard", GOOD "*.a DNAME b\n",
	  "zone:5: *.a.shop.test: a DNAME at a wildcard\n" },
	{ "wildcard delegation", GOOD "*.a NS ns\n",
	  "zone:5: *.a.shop.test: a wildcard cannot be a delegation: name each delegated zone (RFC 4592, section 4.2)\n" },
	{ "data that does not parse", GOOD "a A 192.0.2.256\n",
	  "zone:5: A record: Syntax error, could not parse the RR's rdata\n" },
	{ "type unknown", GOOD "a AA 192.0.2.25\n",
	  "zone:5: AA is not a type that a zone can hold\n" },
	{ "meta type", GOOD "a OPT 1\n", "zone:5: OPT is not a type that a zone can hold\n" },
	{ "no type", GOOD "a 300 IN\n",
	  "zone:5: no type: expected OWNER [TTL] [CLASS] TYPE DATA\n" },
	{ "another class", GOOD "a CH A 192.0.2.1\n", "zone:5: class CH: only IN is served\n" },
	{ "another class by number", GOOD "a CLASS3 A 192.0.2.1\n",
	  "zone:5: CLASS3: only IN is served\n" },
	{ "TTL too large", GOOD "a 99999999999 A 192.0.2.1\n",
	  "zone:5: TTL 99999999999 is over 2147483647\n" },
	{ "TTL too large with units", GOOD "a 9999999w A 192.0.2.1\n",
	  "zone:5: TTL 9999999w is over 2147483647\n" },
	{ "$TTL too large", "$TTL 99999999999\n",
	  "zone:1: $TTL 99999999999: expected a number of seconds up to 2147483647\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "$TTL missing", "$TTL\n",
	  "zone:1: $TTL : expected a number of seconds up to 2147483647\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "number that would wrap in MX", GOOD "a MX 70000 b\n",
	  "zone:5: 70000 is too large here: at most 65535\n" },
	{ "in SRV", GOOD "a SRV 1 1 99999 b\n",
	  "zone:5: 99999 is too large here: at most 65535\n" },
	{ "in SOA", "$TTL 1\n@ SOA ns root 99999999999 1 1 1 1\n",
	  "zone:2: 99999999999 is too large here: at most 4294967295\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "in CAA", GOOD "a CAA 300 issue \"x\"\n",
	  "zone:5: 300 is too large here: at most 255\n" },
	{ "in HTTPS", GOOD "a HTTPS 1 . port=99999\n",
	  "zone:5: 99999 is too large here: at most 65535\n" },
	{ "an alias that is signed",
	  GOOD
	  "a CNAME b.x.\na RRSIG CNAME 8 3 60 20300101000000 20200101000000 1 shop.test. YQ==\na NSEC b.shop.test. CNAME\n",
	  "zone:6: RRSIG: the zone is signed, and Weir would serve it without signatures, which validating resolvers refuse: remove the DS from the parent zone first, then apply the zone unsigned\n" },
	{ "a signed zone",
	  GOOD
	  "@ NSEC3PARAM 1 0 0 -\na RRSIG A 8 3 60 20300101000000 20200101000000 1 shop.test. YQ==\n",
	  "zone:6: RRSIG: the zone is signed, and Weir would serve it without signatures, which validating resolvers refuse: remove the DS from the parent zone first, then apply the zone unsigned\n" },
	{ "a zone signed with NSEC3",
	  GOOD
	  "b4um86eghhds6nea196smvmlo4ors995 NSEC3 1 0 0 - gjeqe526plbf1g8mklp59enfd789njgi A\n",
	  "zone:5: NSEC3: the zone is signed, and Weir would serve it without signatures, which validating resolvers refuse: remove the DS from the parent zone first, then apply the zone unsigned\n" },
	{ "negative", GOOD "a MX -1 b\n", "zone:5: -1 is too large here: at most 65535\n" },
	{ "no owner at first", " 60 A 192.0.2.1\n",
	  "zone:1: no owner: the first record must name one\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "$GENERATE", "$GENERATE 1-9 a$ A 192.0.2.$\n",
	  "zone:1: $GENERATE: expected $TTL, $ORIGIN or $INCLUDE\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "$ORIGIN without a name", "$ORIGIN\n",
	  "zone:1: nothing is not a domain name\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "$INCLUDE without a file", "$INCLUDE\n",
	  "zone:1: include : no file named\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "include that is not there", "$INCLUDE none\n",
	  "zone:1: include none: no such file\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "include above the directory", "$INCLUDE ../etc/passwd\n",
	  "zone:1: include ../etc/passwd: leads out of the zone file's directory\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "absolute", "$INCLUDE /etc/passwd\n",
	  "zone:1: include /etc/passwd: leads out of the zone file's directory\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "include through a link that leads out", "$INCLUDE link\n",
	  "zone:1: include link: leads out of the zone file's directory\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "include of a FIFO", "$INCLUDE fifo\n",
	  "zone:1: include fifo: is not a regular file\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "include of a directory", "$INCLUDE .\n",
	  "zone:1: include .: is not a regular file\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "include of itself", "$INCLUDE zone\n",
	  "zone:1: include zone: too many files include one another\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "mistake in an included file", "$INCLUDE part\n" GOOD,
	  "part:2: A record: Syntax error, could not parse the RR's rdata\n" },
	{ "parenthesis left open", GOOD "a A ( 192.0.2.1\n",
	  "zone:5: file ends inside a record\n" },
	{ "parenthesis too many", GOOD "a A 192.0.2.1 )\n", "zone:5: a ')' without '('\n" },
	{ "quote left open", GOOD "a TXT \"abc\nb A 192.0.2.1\n",
	  "zone:5: line ends inside a quoted text\n" },
	{ "backslash at the end", GOOD "a TXT abc\\\n", "zone:5: line ends behind a backslash\n" },
	{ "binary",
	  "\x7f"
	  "ELF\x01\x02 \xff\xfe\n",
	  "zone:1: \377\376 is not a type that a zone can hold\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "end inside a quoted text", GOOD "a TXT \"x", "zone:5: file ends inside a record\n" },
	{ "end behind a backslash", GOOD "a TXT x\\", "zone:5: file ends inside a record\n" },
	{ "include below a file", "$INCLUDE part/x\n",
	  "zone:1: include part/x: Not a directory\n"
	  "zone:0: zone shop.test has no SOA\n"
	  "zone:0: zone shop.test has no NS at its apex\n" },
	{ "nothing but a quoted text", "\"\"\n" GOOD,
	  "zone:1: no type: expected OWNER [TTL] [CLASS] TYPE DATA\n" },
	{ "three CNAMEs and an address", GOOD "a CNAME b\na CNAME c\na A 192.0.2.1\na CNAME d\n",
	  "zone:6: a.shop.test: more than one CNAME\n"
	  "zone:7: a.shop.test: type 1 at a name with a CNAME\n" },
	{ "three DNAMEs at a wildcard with a delegation",
	  GOOD "*.a DNAME b\n*.a NS ns\n*.a DNAME c\n*.a DNAME d\n",
	  "zone:6: *.a.shop.test: a wildcard cannot be a delegation: name each delegated zone (RFC 4592, section 4.2)\n"
	  "zone:7: *.a.shop.test: more than one DNAME\n"
	  "zone:5: *.a.shop.test: a DNAME and a delegation at one name\n"
	  "zone:5: *.a.shop.test: a DNAME at a wildcard\n" },
	{ "all that a dynamic name cannot have",
	  GOOD "www NS ns\nwww A 192.0.2.1\nwww AAAA ::1\nwww CNAME a\nx.www TXT y\n",
	  "zone:6: www.shop.test: type 1 at a name with a CNAME\n"
	  "zone:0: dynamic name www.shop.test lies in a delegation\n"
	  "zone:6: www.shop.test is a dynamic name: it cannot have A, AAAA or CNAME records\n"
	  "zone:7: www.shop.test is a dynamic name: it cannot have A, AAAA or CNAME records\n"
	  "zone:8: www.shop.test is a dynamic name: it cannot have A, AAAA or CNAME records\n" },
	{ "three SOAs", GOOD "@ SOA ns root 2 1 1 1 1\n@ SOA ns root 3 1 1 1 1\n",
	  "zone:5: a second SOA\n" },
	{ "label too long",
	  GOOD "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234 A 192.0.2.1\n",
	  "zone:5: A record: Syntax error, could not parse the RR\n" },
};

static void each_mistake_is_told_with_file_and_line(void **state)
{
	static const char *const dynamic[] = { "www.shop.test" };
	char path[256];
	struct reports reports;
	struct image *image = NULL;

	(void)state;
	path_of("link", path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	path_of("fifo", path);
	assert_int_equal(mkfifo(path, 0600), 0);
	write_text("part", "$TTL 5\nx A here\n");
	for (size_t i = 0; i < COUNT(errors); i++) {
		print_message("  %s\n", errors[i].why);
		write_text("zone", errors[i].text);
		assert_int_equal(compile_zones(dynamic, 1, &reports, &image), -EINVAL);
		assert_string_equal(reports.text, errors[i].expected);
		assert_null(image);
	}
}

static void all_mistakes_are_told_at_once(void **state)
{
	struct reports reports;
	struct image *image = NULL;
	const char *const dynamic[] = { "www.elsewhere.test", "a.shop.test", "A.shop.test",
		                        "x..y" };

	(void)state;
	write_text("zone", GOOD "a MX 70000 b\nb A x\n*.c NS ns\nns CNAME e\n");
	assert_int_equal(compile_zones(dynamic, COUNT(dynamic), &reports, &image), -EINVAL);
	assert_int_equal(reports.n, 7);
	assert_non_null(strstr(reports.text, "dynamic name www.elsewhere.test lies in no zone"));
	assert_non_null(strstr(reports.text, "dynamic name A.shop.test is configured twice"));
	assert_non_null(strstr(reports.text, "dynamic name x..y lies in no zone"));
}

static void a_file_that_is_no_file_is_refused(void **state)
{
	struct reports reports;
	struct image *image = NULL;
	char path[256];

	(void)state;
	path_of("zone", path);
	unlink(path);
	assert_int_equal(compile_zones(NULL, 0, &reports, &image), -EINVAL);
	assert_non_null(strstr(reports.text, "zone:0: zone shop.test: no such file"));
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(compile_zones(NULL, 0, &reports, &image), -EINVAL);
	assert_non_null(strstr(reports.text, "is not a regular file"));
	unlink(path);
	write_bytes("zone", GOOD "a TXT \"\0\"\n", sizeof(GOOD "a TXT \"\0\"\n") - 1);
	assert_int_equal(compile_zones(NULL, 0, &reports, &image), -EINVAL);
	assert_non_null(strstr(reports.text, "zone:5: a NUL byte"));
}

static void sizes_are_bounded(void **state)
{
	struct reports reports;
	struct image *image = NULL;
	size_t room = ZONE_RECORD_TEXT_MAX + 4096;
	char *text = malloc(room);
	size_t n = (size_t)sprintf(text, "%s", GOOD "a TXT ");

	(void)state;
	memset(text + n, 'x', room - n);
	write_bytes("zone", text, room);
	assert_int_equal(compile_zones(NULL, 0, &reports, &image), -EINVAL);
	assert_non_null(strstr(reports.text, "zone:5: record too long"));
	free(text);

	/* an RRset that no message can hold */
	text = malloc(400000);
	n = (size_t)sprintf(text, "%s", GOOD);
	for (unsigned i = 0; i < 5000; i++)
		n += (size_t)sprintf(text + n, "big A 10.0.%u.%u\n", i / 256, i % 256);
	write_bytes("zone", text, n);
	assert_int_equal(compile_zones(NULL, 0, &reports, &image), -EINVAL);
	assert_non_null(strstr(reports.text, "RRset of 5000 records over 60000 bytes"));
	free(text);
}

static void zones_need_names_of_their_own(void **state)
{
	struct reports reports;
	struct image *image = NULL;
	char path[256];
	const struct zone_source twice[] = { { "shop.test", path }, { "Shop.Test.", path } };
	const struct zone_source wrong[] = { { "a..b", path } };
	struct zone_input in;

	(void)state;
	path_of("zone", path);
	write_text("zone", GOOD);
	for (unsigned isolate = 0; isolate < 2; isolate++) { /* a bad name is all zones' */
		in = (struct zone_input){ .zones = twice, .n_zones = 2, .isolate = isolate };
		reports = (struct reports){ 0 };
		assert_int_equal(zone_compile(&in, keep_message, &reports, &image), -EINVAL);
		assert_non_null(strstr(reports.text, "zone Shop.Test. is configured twice"));
		in.zones = wrong;
		in.n_zones = 1;
		reports = (struct reports){ 0 };
		assert_int_equal(zone_compile(&in, keep_message, &reports, &image), -EINVAL);
		assert_non_null(strstr(reports.text, "a..b is not a domain name"));
	}
}

/* What is taken, and what is said of it. */
static const struct {
	const char *why, *text, *expected;
	unsigned n_records;
} warnings[] = {
	{ "nothing to say", GOOD, "", 3 },
	{ "the same record twice", GOOD "ns A 192.0.2.1\n",
	  "zone:5: warning: ns.shop.test: line 4 has the same record; it counts once\n", 3 },
	{ "twice but for case, with others beside",
	  GOOD "m MX 1 a.B\nm TXT b\nm MX 1 A.b\nm A 192.0.2.2\nm A 192.0.2.2\n",
	  "zone:9: warning: m.shop.test: line 8 has the same record; it counts once\n"
	  "zone:7: warning: m.shop.test: line 5 has the same record; it counts once\n"
	  "zone:5: warning: MX a.B.shop.test has no address here\n",
	  6 },
	{ "SOA again", GOOD "@ SOA ns root 1 1 1 1 1\n",
	  "zone:5: warning: shop.test: line 2 has the same record; it counts once\n", 3 },
	{ "NS that is an alias", GOOD "@ NS a\na CNAME b.x.\n",
	  "zone:5: warning: NS a.shop.test is an alias (CNAME): many resolvers do not follow it\n",
	  5 },
	{ "MX that is an alias", GOOD "@ MX 1 a\na CNAME b.x.\n",
	  "zone:5: warning: MX a.shop.test is an alias (CNAME): many resolvers do not follow it\n",
	  5 },
	{ "MX without an address", GOOD "@ MX 1 a\n",
	  "zone:5: warning: MX a.shop.test has no address here\n", 4 },
	{ "null MX", GOOD "@ MX 0 .\n", "", 4 },
	{ "MX elsewhere", GOOD "@ MX 1 a.b.\n", "", 4 },
	{ "MX below a wildcard", GOOD "@ MX 1 a\n* A 192.0.2.2\n", "", 5 },
	{ "MX below a DNAME", GOOD "@ MX 1 x.a\na DNAME b.x.\n", "", 5 },
	{ "MX in a delegation", GOOD "@ MX 1 x.a\na NS ns\n", "", 5 },
	{ "MX at a delegation", GOOD "@ MX 1 a\na NS ns\n", "", 5 },
	{ "MX whose name only has others below", GOOD "@ MX 1 a\nx.a A 192.0.2.2\n",
	  "zone:5: warning: MX a.shop.test has no address here\n", 5 },
	{ "MX with text alone", GOOD "@ MX 1 a\na TXT b\n",
	  "zone:5: warning: MX a.shop.test has no address here\n", 5 },
	{ "MX with IPv6 alone", GOOD "@ MX 1 a\na AAAA ::1\n", "", 5 },
	{ "MX beside a delegation is not of this zone", GOOD "a NS ns\na MX 1 b.a\n", "", 5 },
	{ "missing glue", GOOD "sub NS ns.sub\n",
	  "zone:5: warning: NS ns.sub.shop.test has no address here: the delegation needs it as glue\n",
	  4 },
	{ "glue of a sibling zone", GOOD "sub NS ns\n", "", 4 },
	{ "glue there", GOOD "sub NS ns.sub\nns.sub AAAA ::1\n", "", 5 },
	{ "server in another delegation", GOOD "sub NS ns.sub\nns.sub A 192.0.2.9\nz NS ns.sub\n",
	  "", 6 },
	{ "a star is a whole label", GOOD "*a NS ns\n*b DNAME a\nx.** NS ns\n", "", 6 },
	{ "DNAME and NS at the apex",
	  "$TTL 60\n@ SOA ns.x. r.x. 1 1 1 1 1\n@ NS ns.x.\n@ DNAME b.x.\n", "", 3 },
	{ "data that begins as other data", GOOD "a TXT x\na TXT x y\nb TXT x y\nb TXT x\n", "",
	  7 },
	{ "three times in any order", GOOD "a TXT x\na TXT y\na TXT x\na TXT z\na TXT y\na TXT x\n",
	  "zone:7: warning: a.shop.test: line 5 has the same record; it counts once\n"
	  "zone:10: warning: a.shop.test: line 5 has the same record; it counts once\n"
	  "zone:9: warning: a.shop.test: line 6 has the same record; it counts once\n",
	  6 },
	{ "names that differ at their ends",
	  GOOD
	  "a SRV 1 2 3 b.x.\na SRV 1 2 4 b.x.\na SRV 1 2 3 c.x.\na MX 1 b.x.\na MX 2 b.x.\na MX 1 c.x.\n",
	  "", 9 },
	{ "blank lines of every kind", "\r\n \r\n\t\r\n \t \r\n;\r\n" GOOD "  \n", "", 3 },
};

static void what_is_allowed_and_odd_is_told(void **state)
{
	struct reports reports;

	(void)state;
	for (size_t i = 0; i < COUNT(warnings); i++) {
		struct image *image = NULL;

		print_message("  %s\n", warnings[i].why);
		write_text("zone", warnings[i].text);
		if (compile_zones(NULL, 0, &reports, &image) != 0)
			fail_msg("%s", reports.text);
		assert_string_equal(reports.text, warnings[i].expected);
		assert_int_equal(image->n_records, warnings[i].n_records);
		free(image);
	}
}

/* The TTL of a name's one record. */
static unsigned ttl_of(const struct image *image, const char *text)
{
	struct name name;
	struct image_found found;

	assert_int_equal(name_parse(text, &name), 0);
	found = image_find(image, &name);
	assert_int_equal(found.skipped, 0);
	return wire_load32((const uint8_t *)image_at(image, found.node->rrsets[0].data_off) + 6);
}

static const struct {
	const char *why, *text;
	unsigned before, after;
} ttls[] = {
	{ "$TTL holds whatever a record states",
	  "$TTL 7\nb 9 TXT x\na TXT y\n@ SOA ns root 1 1 1 1 5\n@ NS ns\nns A 192.0.2.1\nz TXT y\n",
	  7, 7 },
	{ "the last that was stated",
	  "b 9 TXT x\na TXT y\n@ SOA ns root 1 1 1 1 5\n@ NS ns\nns 8 A 192.0.2.1\nz TXT y\n", 9,
	  8 },
	{ "the SOA's own counts as stated",
	  "@ 4 SOA ns root 1 1 1 1 5\n@ NS ns\nns A 192.0.2.1\na TXT y\nz TXT y\n", 4, 4 },
	{ "none: the SOA's minimum, before it and after it",
	  "a TXT y\n@ SOA ns root 1 1 1 1 5\n@ NS ns\nns A 192.0.2.1\nz TXT y\n", 5, 5 },
};

static void a_record_without_a_ttl_takes_the_nearest(void **state)
{
	struct reports reports;

	(void)state;
	for (size_t i = 0; i < COUNT(ttls); i++) {
		struct image *image = NULL;

		print_message("  %s\n", ttls[i].why);
		write_text("zone", ttls[i].text);
		if (compile_zones(NULL, 0, &reports, &image) != 0)
			fail_msg("%s", reports.text);
		assert_int_equal(ttl_of(image, "a.shop.test"), ttls[i].before);
		assert_int_equal(ttl_of(image, "z.shop.test"), ttls[i].after);
		free(image);
	}
}

static bool has_name(const struct image *image, const char *text)
{
	struct name name;

	assert_int_equal(name_parse(text, &name), 0);
	struct image_found found = image_find(image, &name);
	return found.node && found.skipped == 0;
}

static const struct image_zone *zone_called(const struct image *image, const char *text)
{
	struct name name;

	assert_int_equal(name_parse(text, &name), 0);
	return image_zone(image, image_find(image, &name).node->zone);
}

static void a_bad_zone_does_not_touch_the_others(void **state)
{
	char path[2][256];
	const struct zone_source zones[] = { { "shop.test", path[0] },
		                             { "sub.shop.test", path[1] } };
	struct zone_input in = { .zones = zones, .n_zones = 2, .source = 3, .isolate = true };
	struct reports reports = { 0 };
	struct image *good = NULL, *next = NULL, *cold = NULL;

	(void)state;
	path_of("zone", path[0]);
	path_of("sub", path[1]);
	write_text("zone", GOOD "old MX 7 MiXed.ns\nsub NS ns\nsub DS 1 8 2 00\n*.w TXT x\n");
	write_text("sub", GOOD "in A 192.0.2.2\n");
	assert_int_equal(zone_compile(&in, keep_message, &reports, &good), 0);
	assert_int_equal(good->source, 3);

	write_text("zone", GOOD "new A 192.0.2.9\nnew A here\n");
	write_text("sub", GOOD "in2 A 192.0.2.2\n");
	in.earlier = good;
	assert_int_equal(zone_compile(&in, keep_message, &reports, &next), 0);
	assert_non_null(strstr(reports.text, "zone:6: A record"));
	assert_int_equal(next->source, 0);
	assert_int_equal(zone_called(next, "shop.test")->state, IMAGE_ZONE_EARLIER);
	assert_int_equal(zone_called(next, "sub.shop.test")->state, 0);
	assert_int_equal(zone_called(next, "shop.test")->n_records,
	                 zone_called(good, "shop.test")->n_records);
	assert_true(has_name(next, "old.shop.test") && has_name(next, "*.w.shop.test"));
	assert_false(has_name(next, "new.shop.test"));
	assert_true(has_name(next, "in2.sub.shop.test"));
	assert_false(has_name(next, "in.sub.shop.test"));

	in.earlier = NULL;
	assert_int_equal(zone_compile(&in, keep_message, &reports, &cold), 0);
	assert_int_equal(zone_called(cold, "shop.test")->state, IMAGE_ZONE_BROKEN);
	assert_int_equal(zone_called(cold, "sub.shop.test")->state, 0);
	assert_true(has_name(cold, "in2.sub.shop.test"));
	assert_int_equal(image_check(cold, cold->size_bytes), 0);
	free(good);
	free(next);
	free(cold);
}

/* The lower zone takes nothing away from what the upper file says: as without it, and as NSD and Knot DNS have it. */
static void a_zone_below_a_dname_may_not_be_named_above(void **state)
{
	static const struct {
		const char *upper, *expected;
	} cases[] = {
		{ "n DNAME t.x.\n", "" },
		{ "n DNAME t.x.\nb.n NS ns.x.\nb.n TXT x\n",
		  "zone:6: b.n.shop.test lies below the DNAME in line 5, which renames all names below it\n" },
		{ "n DNAME t.x.\na.b.n TXT x\n",
		  "zone:5: b.n.shop.test lies below the DNAME in line 5, which renames all names below it\n" },
		{ "b.n NS ns.x.\nn TXT x\n", "" },
	};
	char path[2][256];
	const struct zone_source zones[] = { { "shop.test", path[0] },
		                             { "b.n.shop.test", path[1] } };
	const struct zone_input in = { .zones = zones, .n_zones = 2 };

	(void)state;
	path_of("zone", path[0]);
	path_of("sub", path[1]);
	write_text("sub", GOOD);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct reports reports = { 0 };
		struct image *image = NULL;
		char text[512];

		snprintf(text, sizeof(text), "%s%s", GOOD, cases[i].upper);
		write_text("zone", text);
		assert_int_equal(zone_compile(&in, keep_message, &reports, &image),
		                 *cases[i].expected ? -EINVAL : 0);
		assert_string_equal(reports.text, cases[i].expected);
		free(image);
	}
}

/* A lifted zone's image is the zone's own, byte for byte but for what names its state. */
static void a_lifted_zone_is_the_zone(void **state)
{
	char path[256];
	const struct zone_source zone = { "shop.test", path };
	struct zone_input in = { .zones = &zone, .n_zones = 1, .isolate = true };
	struct reports reports = { 0 };
	struct image *good = NULL, *next = NULL;

	(void)state;
	path_of("zone", path);
	write_text("zone", GOOD "a MX 7 B.c\na TXT x y\nc CNAME a\nd NS n.d\nn.d A 192.0.2.7\n");
	assert_int_equal(zone_compile(&in, keep_message, &reports, &good), 0);
	write_text("zone", "");
	in.earlier = good;
	assert_int_equal(zone_compile(&in, keep_message, &reports, &next), 0);
	assert_int_equal(next->n_records, good->n_records);
	assert_int_equal(next->n_nodes, good->n_nodes);
	assert_int_equal(next->size_bytes, good->size_bytes);
	assert_int_equal(image_zone(next, 0)->serial, 1);
	free(good);
	free(next);
}

static void reads_what_master_files_hold(void **state)
{
	struct reports reports;
	struct image *image = NULL;
	struct name name;

	(void)state;
	write_text("part", "inc A 192.0.2.50\n$ORIGIN deep\n$INCLUDE least\nmore A 192.0.2.51\n");
	write_text("least", "least A 192.0.2.52\n"); /* its origin is that of the line */
	write_text("zone", "; a comment\r\n$ORIGIN shop.test.\n$TTL 1h\n"
	                   "@ IN SOA ns root ( 1 ; serial\n 2 3\n\t4 5 )\n"
	                   "\tNS ns\nns 1h30m IN A 192.0.2.1\n   IN 5 AAAA ::1\n"
	                   "t TXT \"a;b\" c\\;d \"(\" ; end\n"
	                   "10 PTR ns\n\\010x A 192.0.2.2\nraw TYPE65280 \\# 3 010203\n"
	                   "$INCLUDE part sub\nafter A 192.0.2.3"); /* no line end */
	if (compile_zones(NULL, 0, &reports, &image) != 0)
		fail_msg("%s", reports.text);
	assert_int_equal(image_check(image, image->size_bytes), 0);
	assert_int_equal(image->source, 0); /* includes: not to be trusted from a file */
	assert_int_equal(image->n_records, 12);
	static const char *const names[] = { "ns.shop.test",
		                             "inc.sub.shop.test",
		                             "more.deep.sub.shop.test",
		                             "least.deep.sub.shop.test",
		                             "after.shop.test",
		                             "10.shop.test",
		                             "\\010x.shop.test" };
	for (size_t i = 0; i < COUNT(names); i++) {
		print_message("  %s\n", names[i]);
		assert_int_equal(name_parse(names[i], &name), 0);
		assert_int_equal(image_find(image, &name).skipped, 0);
	}
	free(image);
}

static void no_zones_and_the_root_zone_are_zones_too(void **state)
{
	struct reports reports = { 0 };
	struct image *image = NULL;
	char path[256];
	const struct zone_source root = { ".", path };
	const char *const dynamic[] = { "d.c.e" };
	struct zone_input in = { .zones = NULL };
	struct name name;

	(void)state;
	assert_int_equal(name_parse("a.b", &name), 0);
	assert_int_equal(zone_compile(&in, keep_message, &reports, &image), 0);
	assert_int_equal(image_check(image, image->size_bytes), 0);
	assert_null(image_find(image, &name).node);
	free(image);

	path_of("zone", path);
	write_text(
	        "zone",
	        "$TTL 1\n@ SOA ns.b. root.b. 1 1 1 1 1\n@ NS ns.b.\nns.b. A 192.0.2.1\nc. NS x.c.\n"
	        "x.c. A 192.0.2.2\n");
	in = (struct zone_input){
		.zones = &root, .n_zones = 1, .dynamic = dynamic, .n_dynamic = 1
	};
	if (zone_compile(&in, keep_message, &reports, &image) != 0)
		fail_msg("%s", reports.text);
	assert_int_equal(image_check(image, image->size_bytes), 0);
	assert_int_equal(image_find(image, &name).skipped, 1); /* b. exists, a.b. does not */
	assert_int_equal(name_parse(dynamic[0], &name), 0);
	assert_int_equal(image_find(image, &name).skipped, 0);
	assert_int_equal(name_parse("q.x.c", &name), 0);
	assert_int_not_equal(image_extra(image, image_find(image, &name).node)->cut_off, 0);
	free(image);
}

static void a_damaged_image_is_refused(void **state)
{
	struct reports reports;
	struct image *image = NULL;

	(void)state;
	write_text("zone", GOOD);
	assert_int_equal(compile_zones(NULL, 0, &reports, &image), 0);

	size_t n = image->size_bytes;
	uint8_t *copy = malloc(n);

	memcpy(copy, image, n);
	assert_int_equal(image_check(copy, n), 0);
	assert_int_equal(image_check(copy, n - 8), -EPROTO);
	assert_int_equal(image_check(copy, 10), -EPROTO);
	for (size_t i = 0; i < n; i++) {
		copy[i] ^= 0x40;
		assert_int_equal(image_check(copy, n), -EPROTO);
		copy[i] ^= 0x40;
	}
	free(copy);
	free(image);
}

SUITE(zone)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_is_told_with_file_and_line),
		cmocka_unit_test(all_mistakes_are_told_at_once),
		cmocka_unit_test(a_file_that_is_no_file_is_refused),
		cmocka_unit_test(sizes_are_bounded),
		cmocka_unit_test(zones_need_names_of_their_own),
		cmocka_unit_test(what_is_allowed_and_odd_is_told),
		cmocka_unit_test(a_record_without_a_ttl_takes_the_nearest),
		cmocka_unit_test(a_bad_zone_does_not_touch_the_others),
		cmocka_unit_test(a_zone_below_a_dname_may_not_be_named_above),
		cmocka_unit_test(a_lifted_zone_is_the_zone),
		cmocka_unit_test(reads_what_master_files_hold),
		cmocka_unit_test(no_zones_and_the_root_zone_are_zones_too),
		cmocka_unit_test(a_damaged_image_is_refused),
	};

	return cmocka_run_group_tests_name("zone", tests, set_up, tear_down);
}
