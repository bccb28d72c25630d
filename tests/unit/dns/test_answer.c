/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/answer/answer.h"
#include "dns/zone/image.h"
#include "dns/zone/zone.h"
#include "tests/unit/dns/message_text.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { A = 1, NS = 2, CNAME = 5, SOA = 6, MX = 15, TXT = 16, AAAA = 28, DS = 43, ANY = 255 };

static const char zone_text[] =
        "$TTL 300\n"
        "@ IN SOA ns1 root 7 3600 900 604800 60\n"
        "@ NS ns1\n"
        "@ NS ns.elsewhere.test.\n"
        "ns1 A 192.0.2.1\n"
        "ns1 AAAA 2001:db8::1\n"
        "a A 192.0.2.10\n"
        "a A 192.0.2.11\n"
        "c1 CNAME c2\n"
        "c2 CNAME a\n"
        "lost CNAME nowhere\n"
        "out CNAME www.elsewhere.test.\n"
        "round1 CNAME round2\n"
        "round2 CNAME round1\n"
        "down CNAME x.sub\n"
        "todyn CNAME www\n"
        "*.w TXT wild\n"
        "*.wc CNAME a\n"
        "there.w A 192.0.2.12\n"
        "*x.lit A 192.0.2.13\n"
        "x.y.ent A 192.0.2.20\n"
        "*.deep.w2 TXT x\n"
        "sub NS ns.sub\n"
        "sub NS ns.other\n"
        "sub DS 1 13 2 "
        "0000000000000000000000000000000000000000000000000000000000000000\n"
        "ns.sub A 192.0.2.30\n"
        "other NS ns.other\n"
        "ns.other A 192.0.2.31\n"
        "mx MX 10 a\n"
        "www TXT hello\n"
        "*.n A 192.0.2.14\n"
        "c.b.n NS ns.c.b.n\n"
        "ns.c.b.n A 192.0.2.98\n"
        "ns.z.y.g A 192.0.2.97\n"
        "cut NS ns.elsewhere.test.\n"
        "far.cut NS ns.elsewhere.test.\n"
        "far.cut DS 1 13 2 "
        "0000000000000000000000000000000000000000000000000000000000000000\n"
        "$ORIGIN child.shop.test.\n"
        "@ DS 2 13 2 0000000000000000000000000000000000000000000000000000000000000000\n"
        "@ NS ns.child\n"
        "glue A 192.0.2.99\n";

static const char child_text[] = "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.40\n";

#define ADDR4(last)                                                                                \
	{                                                                                          \
		{                                                                                  \
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, last                \
		}                                                                                  \
	}
#define ADDR6(last)                                                                                \
	{                                                                                          \
		{                                                                                  \
			0x20, 1, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, last                 \
		}                                                                                  \
	}

static const struct steering_site sites[] = {
	{ .name = "ams",
	  .id = 1,
	  .weight = 100,
	  .n_addresses = { 1, 2 },
	  .addresses = { { ADDR6(1) }, { ADDR4(1), ADDR4(2) } } },
};
static struct steering_service service = { .name = "web", .n_sites = 1, .sites = sites };
static const struct steering_name names[] = {
	{ .name = "www.shop.test", .service = &service, .ttl_min_s = 5, .ttl_max_s = 60 },
	{ .name = "*.dyn.shop.test", .service = &service, .ttl_min_s = 5, .ttl_max_s = 60 },
};
static const struct steering place = { .key = { 1, 2 },
	                               .n_names = 2,
	                               .n_services = 1,
	                               .n_states = 1,
	                               .names = names,
	                               .services = &service };

struct fixture {
	struct image *image;
	struct steering_state *state;
	struct answer_env env;
};

static void fail_on_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	print_error("%s:%u: %s\n", m->file, m->line, m->text);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fputs(text, f) >= 0, 1);
	assert_int_equal(fclose(f), 0);
}

static int set_up(void **out)
{
	static struct fixture f;
	static char dir[] = "/tmp/weir-answer.XXXXXX";
	char parent[64], child[64];
	const char *dynamic[] = { names[0].name, names[1].name };

	assert_non_null(mkdtemp(dir));
	snprintf(parent, sizeof(parent), "%s/a", dir);
	snprintf(child, sizeof(child), "%s/b", dir);
	write_file(parent, zone_text);
	write_file(child, child_text);

	const struct zone_source zones[] = {
		{ "shop.test", parent },        { "child.shop.test", child },
		{ "c.b.n.shop.test", child },   { "z.y.g.shop.test", child },
		{ "far.cut.shop.test", child },
	};
	const struct zone_input in = {
		.zones = zones, .n_zones = COUNT(zones), .dynamic = dynamic, .n_dynamic = 2
	};

	assert_int_equal(zone_compile(&in, fail_on_report, NULL, &f.image), 0);
	assert_int_equal(image_check(f.image, f.image->size_bytes), 0);
	unlink(parent);
	unlink(child);
	rmdir(dir);
	f.state = calloc(1, sizeof(*f.state) + sizeof(f.state->sites[0]));
	f.state->n_sites = 1;
	f.state->sites[0].next_ms = MODEL_TIME_NEVER;
	f.env = (struct answer_env){ .image = f.image, .steering = &place, .state = f.state };
	*out = &f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->image);
	free(f->state);
	return 0;
}

static size_t send_query(struct fixture *f, const uint8_t *query, size_t length, bool tcp,
                         char *text, struct answer_info *info)
{
	static uint8_t out[ANSWER_MAX];
	struct answer_query q = { .bytes = query, .length = length, .tcp = tcp };
	const uint8_t client[4] = { 198, 51, 100, 7 };
	uint8_t *exact = malloc(length ? length : 1);
	size_t n;

	memcpy(exact, query, length);
	q.bytes = exact;
	q.client = addr_from4(client);
	n = answer(&f->env, &q, out, tcp ? sizeof(out) : ANSWER_UDP_MAX, info, NULL);
	free(exact);
	if (n && !message_text(out, n, text, 65536))
		fail_msg("answer not well-formed: %s", text);
	return n;
}

static const char soa[] = "au shop.test. 60 SOA ns1.shop.test. root.shop.test. 7\n";

static const struct {
	const char *why, *name;
	unsigned type;
	const char *expected; /* behind the question; "SOA" stands for the negative SOA */
} lookups[] = {
	{ "data", "a.shop.test", A,
	  "NOERROR aa|an a.shop.test. 300 A 192.0.2.10|an a.shop.test. 300 A 192.0.2.11|" },
	{ "case is kept", "A.sHop.TEST", A,
	  "NOERROR aa|an A.sHop.TEST. 300 A 192.0.2.10|an A.sHop.TEST. 300 A 192.0.2.11|" },
	{ "no data", "a.shop.test", AAAA, "NOERROR aa|SOA" },
	{ "no name", "nope.shop.test", A, "NXDOMAIN aa|SOA" },
	{ "no name below one with data", "x.a.shop.test", A, "NXDOMAIN aa|SOA" },
	{ "empty non-terminal", "y.ent.shop.test", A, "NOERROR aa|SOA" },
	{ "no name below an empty non-terminal", "z.ent.shop.test", A, "NXDOMAIN aa|SOA" },
	{ "apex", "shop.test", SOA,
	  "NOERROR aa|an shop.test. 300 SOA ns1.shop.test. root.shop.test. 7|" },
	{ "alias chain", "c1.shop.test", A,
	  "NOERROR aa|an c1.shop.test. 300 CNAME c2.shop.test.|an c2.shop.test. 300 CNAME "
	  "a.shop.test.|an a.shop.test. 300 A 192.0.2.10|an a.shop.test. 300 A 192.0.2.11|" },
	{ "the alias itself", "c1.shop.test", CNAME,
	  "NOERROR aa|an c1.shop.test. 300 CNAME c2.shop.test.|" },
	{ "alias without that type at its end", "c2.shop.test", AAAA,
	  "NOERROR aa|an c2.shop.test. 300 CNAME a.shop.test.|SOA" },
	{ "alias to nowhere", "lost.shop.test", A,
	  "NXDOMAIN aa|an lost.shop.test. 300 CNAME nowhere.shop.test.|SOA" },
	{ "alias out of the zone", "out.shop.test", A,
	  "NOERROR aa|an out.shop.test. 300 CNAME www.elsewhere.test.|" },
	{ "alias round", "round1.shop.test", A,
	  "NOERROR aa|an round1.shop.test. 300 CNAME round2.shop.test.|an round2.shop.test. "
	  "300 CNAME round1.shop.test.|" },
	{ "alias into a delegation", "down.shop.test", A,
	  "NOERROR aa|an down.shop.test. 300 CNAME x.sub.shop.test.|au sub.shop.test. 300 NS ns.sub.shop.test.|au sub.shop.test. 300 NS ns.other.shop.test.|ad "
	  "ns.sub.shop.test. 300 A 192.0.2.30|ad ns.other.shop.test. 300 A 192.0.2.31|" },
	{ "wildcard", "any.w.shop.test", TXT,
	  "NOERROR aa|an any.w.shop.test. 300 TYPE16 #0477696c64|" },
	{ "wildcard, deeper", "b.any.w.shop.test", TXT,
	  "NOERROR aa|an b.any.w.shop.test. 300 TYPE16 #0477696c64|" },
	{ "wildcard, asked for itself", "*.w.shop.test", TXT,
	  "NOERROR aa|an *.w.shop.test. 300 TYPE16 #0477696c64|" },
	{ "wildcard without the type", "any.w.shop.test", A, "NOERROR aa|SOA" },
	{ "existing name stops the wildcard", "there.w.shop.test", TXT, "NOERROR aa|SOA" },
	{ "name below the existing one too", "x.there.w.shop.test", TXT, "NXDOMAIN aa|SOA" },
	{ "a label that only begins so is none", "y.lit.shop.test", A, "NXDOMAIN aa|SOA" },
	{ "wildcard's parent", "w.shop.test", TXT, "NOERROR aa|SOA" },
	{ "wildcard alias", "q.wc.shop.test", A,
	  "NOERROR aa|an q.wc.shop.test. 300 CNAME a.shop.test.|an a.shop.test. 300 A "
	  "192.0.2.10|an a.shop.test. 300 A 192.0.2.11|" },
	{ "delegation", "x.sub.shop.test", A,
	  "NOERROR|au sub.shop.test. 300 NS ns.sub.shop.test.|au sub.shop.test. 300 NS ns.other.shop.test.|ad ns.sub.shop.test. 300 A 192.0.2.30|ad ns.other.shop.test. 300 "
	  "A 192.0.2.31|" },
	{ "glue asked for", "ns.sub.shop.test", A,
	  "NOERROR|au sub.shop.test. 300 NS ns.sub.shop.test.|au sub.shop.test. 300 NS ns.other.shop.test.|ad ns.sub.shop.test. 300 A 192.0.2.30|ad ns.other.shop.test. 300 "
	  "A 192.0.2.31|" },
	{ "DS at a delegation", "sub.shop.test", DS,
	  "NOERROR aa|an sub.shop.test. 300 TYPE43 "
	  "#00010d020000000000000000000000000000000000000000000000000000000000000000|" },
	{ "no DS at a delegation", "other.shop.test", DS, "NOERROR aa|SOA" },
	{ "DS of a zone served here comes from its parent", "child.shop.test", DS,
	  "NOERROR aa|an child.shop.test. 300 TYPE43 "
	  "#00020d020000000000000000000000000000000000000000000000000000000000000000|" },
	{ "a zone below is answered by itself", "ns.child.shop.test", A,
	  "NOERROR aa|an ns.child.shop.test. 60 A 192.0.2.40|" },
	{ "what the parent says about names in it does not count", "glue.child.shop.test", A,
	  "NXDOMAIN aa|au child.shop.test. 1 SOA ns.child.shop.test. root.child.shop.test. "
	  "1|" },
	{ "a name between a zone and one below it exists", "b.n.shop.test", A, "NOERROR aa|SOA" },
	{ "a name below that", "x.b.n.shop.test", A, "NXDOMAIN aa|SOA" },
	{ "a name beside it", "x.n.shop.test", A,
	  "NOERROR aa|an x.n.shop.test. 300 A 192.0.2.14|" },
	{ "a name between, by an address alone", "y.g.shop.test", A, "NOERROR aa|SOA" },
	{ "and DS of that zone", "z.y.g.shop.test", DS, "NOERROR aa|SOA" },
	{ "DS of a zone served here, below a delegation", "far.cut.shop.test", DS,
	  "NOERROR|au cut.shop.test. 300 NS ns.elsewhere.test.|" },
	{ "names in the data are compressed", "mx.shop.test", MX,
	  "NOERROR aa|an mx.shop.test. 300 MX 10 a.shop.test.|" },
	{ "dynamic", "www.shop.test", A,
	  "NOERROR aa|an www.shop.test. 60 A 203.0.113.1|an www.shop.test. 60 A "
	  "203.0.113.2|" },
	{ "dynamic, IPv6", "www.shop.test", AAAA,
	  "NOERROR aa|an www.shop.test. 60 AAAA 2001:db8:1::1|" },
	{ "a file's records beside a dynamic name", "www.shop.test", TXT,
	  "NOERROR aa|an www.shop.test. 300 TYPE16 #0568656c6c6f|" },
	{ "dynamic without that type", "www.shop.test", MX, "NOERROR aa|SOA" },
	{ "alias to a dynamic name", "todyn.shop.test", AAAA,
	  "NOERROR aa|an todyn.shop.test. 300 CNAME www.shop.test.|an www.shop.test. 60 AAAA "
	  "2001:db8:1::1|" },
	{ "dynamic wildcard", "x.dyn.shop.test", AAAA,
	  "NOERROR aa|an x.dyn.shop.test. 60 AAAA 2001:db8:1::1|" },
	{ "ANY gives one RRset", "ns1.shop.test", ANY,
	  "NOERROR aa|an ns1.shop.test. 300 A 192.0.2.1|" },
	{ "ANY at an alias", "c2.shop.test", ANY,
	  "NOERROR aa|an c2.shop.test. 300 CNAME a.shop.test.|" },
	{ "ANY at a dynamic name", "www.shop.test", ANY,
	  "NOERROR aa|an www.shop.test. 60 A 203.0.113.1|an www.shop.test. 60 A "
	  "203.0.113.2|" },
	{ "outside", "www.elsewhere.test", A, "REFUSED|" },
	{ "above the zone", "test", A, "REFUSED|" },
	{ "the root", ".", NS, "REFUSED|" },
	{ "zone transfer", "shop.test", 252, "REFUSED|" },
	{ "unknown type", "a.shop.test", 666, "NOERROR aa|SOA" },
};

static void answers_what_the_zones_say(void **state)
{
	struct fixture *f = *state;
	static char text[65536], expected[4096];

	for (size_t i = 0; i < COUNT(lookups); i++) {
		uint8_t query[512];
		struct answer_info info;
		const char *from = strchr(lookups[i].expected, '|');
		char *to = expected;

		to += sprintf(to, "%.*s\n? %s%s %u\n", (int)(from - lookups[i].expected),
		              lookups[i].expected, lookups[i].name,
		              strcmp(lookups[i].name, ".") == 0 ? "" : ".", lookups[i].type);
		for (from++; *from; from++)
			*to++ = *from == '|' ? '\n' : *from;
		*to = '\0';
		if (to - expected > 3 && strcmp(to - 3, "SOA") == 0)
			strcpy(to - 3, soa);
		print_message("  %s\n", lookups[i].why);
		send_query(f, query, query_make(lookups[i].name, (uint16_t)lookups[i].type, query),
		           false, text, &info);
		assert_string_equal(text, expected);
	}
}

static void echoes_the_subnet_with_its_scope(void **state)
{
	static const struct {
		const char *why, *name, *address;
		uint8_t bits;
		const char *expected;
	} cases[] = {
		{ "hashed: the key's length", "www.shop.test", "203.0.113.0", 24,
		  "subnet 1/24/24 #cb0071" },
		{ "also when less was sent", "www.shop.test", "203.0.0.0", 16,
		  "subnet 1/16/24 #cb00" },
		{ "also when more was sent", "www.shop.test", "203.0.113.7", 32,
		  "subnet 1/32/24 #cb007107" },
		{ "IPv6", "www.shop.test", "2001:db8:1:200::", 56,
		  "subnet 2/56/56 #20010db8000102" },
		{ "nothing sent: the resolver's address, scope 0", "www.shop.test", "0.0.0.0", 0,
		  "subnet 1/0/0 #" },
		{ "not hashed: for everybody", "a.shop.test", "203.0.113.0", 24,
		  "subnet 1/24/0 #cb0071" },
		{ "refused: for everybody", "x.elsewhere.test", "203.0.113.0", 24,
		  "subnet 1/24/0 #cb0071" },
		{ "alias to a hashed name", "todyn.shop.test", "203.0.113.0", 24,
		  "subnet 1/24/24 #cb0071" },
		{ "no such type there", "www.shop.test", "::", 0, "subnet 2/0/0 #" },
	};
	struct fixture *f = *state;
	static char text[65536];

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t query[512], option[32];
		struct answer_info info;
		size_t n = option_subnet(cases[i].address, cases[i].bits, option);
		size_t length = query_make(cases[i].name, A, query);

		print_message("  %s\n", cases[i].why);
		length = query_add_opt(query, length, 4096, 0, option, n);
		send_query(f, query, length, false, text, &info);
		assert_non_null(strstr(text, cases[i].expected));
		assert_non_null(strstr(text, "opt 1232 0 0 -"));
	}
}

/* A query as bytes, with "\1" and so on; its length counts the final NUL out. */
struct raw {
	const char *why;
	const char *bytes;
	size_t length;
	const char *expected; /* NULL: no answer */
};
#define RAW(why, bytes, expected)                                                                  \
	{                                                                                          \
		why, bytes, sizeof(bytes) - 1, expected                                            \
	}
#define HEAD(flags, counts) "\x12\x34" flags counts
#define ONE                 "\0\1\0\0\0\0\0\0"
#define ONE_AND_OPT         "\0\1\0\0\0\0\0\1"
#define NAME                "\1a\4shop\4test\0"
#define IN_A                "\0\1\0\1"
#define OPT(data)           "\0\0\x29\x04\xd0\0\0\0\0" data

static const struct raw raws[] = {
	RAW("nothing", "", NULL),
	RAW("half a header", "\x12\x34\1\0\0\1", NULL),
	RAW("an answer", HEAD("\x81\0", ONE) NAME IN_A, NULL),
	RAW("an answer with an error to say", HEAD("\x80\1", "\0\0\0\0\0\0\0\0"), NULL),
	RAW("another opcode", HEAD("\x29\0", ONE) NAME IN_A, "NOTIMP\n"),
	RAW("the last opcode, all flags", HEAD("\x7f\xff", ONE) NAME IN_A, "NOTIMP\n"),
	RAW("no question", HEAD("\1\0", "\0\0\0\0\0\0\0\0"), "FORMERR\n"),
	RAW("two questions", HEAD("\1\0", "\0\2\0\0\0\0\0\0") NAME IN_A NAME IN_A, "FORMERR\n"),
	RAW("question missing", HEAD("\1\0", ONE), "FORMERR\n"),
	RAW("question cut in the name", HEAD("\1\0", ONE) "\1a\4sh", "FORMERR\n"),
	RAW("question cut before the class", HEAD("\1\0", ONE) NAME "\0\1", "FORMERR\n"),
	RAW("compressed question", HEAD("\1\0", ONE) "\1a\xc0\x0c" IN_A, "FORMERR\n"),
	RAW("label of a kind unknown", HEAD("\1\0", ONE) "\x41\1a" IN_A, "FORMERR\n"),
	RAW("bytes behind the message", HEAD("\1\0", ONE) NAME IN_A "\0",
	    "FORMERR\n? a.shop.test. 1\n"),
	RAW("record announced, not there", HEAD("\1\0", "\0\1\0\1\0\0\0\0") NAME IN_A,
	    "FORMERR\n? a.shop.test. 1\n"),
	RAW("65535 records announced", HEAD("\1\0", "\0\1\xff\xff\xff\xff\xff\xff") NAME IN_A,
	    "FORMERR\n? a.shop.test. 1\n"),
	RAW("OPT among the answers", HEAD("\1\0", "\0\1\0\1\0\0\0\0") NAME IN_A OPT("\0\0"),
	    "FORMERR\n? a.shop.test. 1\n"),
	RAW("OPT below a name", HEAD("\1\0", ONE_AND_OPT) NAME IN_A "\1x" OPT("\0\0"),
	    "FORMERR\n? a.shop.test. 1\n"),
	RAW("two OPTs", HEAD("\1\0", "\0\1\0\0\0\0\0\2") NAME IN_A OPT("\0\0") OPT("\0\0"),
	    "FORMERR\n? a.shop.test. 1\nopt 1232 0 0 -\n"),
	RAW("OPT cut", HEAD("\1\0", ONE_AND_OPT) NAME IN_A OPT("\0\4\0\3"),
	    "FORMERR\n? a.shop.test. 1\n"),
	RAW("option longer than OPT", HEAD("\1\0", ONE_AND_OPT) NAME IN_A OPT("\0\4\0\x64\0\1"),
	    "FORMERR\n? a.shop.test. 1\nopt 1232 0 0 -\n"),
	RAW("option's header over the end of OPT",
	    HEAD("\1\0", "\0\1\0\0\0\0\0\2")
	            NAME IN_A OPT("\0\2\0\x64") "\0\xff\0\0\0\0\0\0\0\0\0\0",
	    "FORMERR\n? a.shop.test. 1\nopt 1232 0 0 -\n"),
	RAW("subnet with host bits",
	    HEAD("\1\0", ONE_AND_OPT) NAME IN_A OPT("\0\x0b\0\x08\0\7\0\1\x14\0\1\2\x31"),
	    "FORMERR\n? a.shop.test. 1\nopt 1232 0 0 -\n"),
	RAW("subnet with a scope",
	    HEAD("\1\0", ONE_AND_OPT) NAME IN_A OPT("\0\x0b\0\x08\0\7\0\1\x18\x18\1\2\3"),
	    "FORMERR\n? a.shop.test. 1\nopt 1232 0 0 -\n"),
	RAW("subnet too long",
	    HEAD("\1\0", ONE_AND_OPT) NAME IN_A OPT("\0\x0c\0\x08\0\x08\0\1\x18\0\1\2\3\4"),
	    "FORMERR\n? a.shop.test. 1\nopt 1232 0 0 -\n"),
	RAW("subnet too short",
	    HEAD("\1\0", ONE_AND_OPT) NAME IN_A OPT("\0\x0a\0\x08\0\6\0\1\x18\0\1\2"),
	    "FORMERR\n? a.shop.test. 1\nopt 1232 0 0 -\n"),
	RAW("subnet of 33 bits",
	    HEAD("\1\0", ONE_AND_OPT) NAME IN_A OPT("\0\x0d\0\x08\0\x09\0\1\x21\0\1\2\3\4\0"),
	    "FORMERR\n? a.shop.test. 1\nopt 1232 0 0 -\n"),
	RAW("subnet of a family unknown",
	    HEAD("\1\0", ONE_AND_OPT) NAME IN_A OPT("\0\x08\0\x08\0\4\0\3\0\0"),
	    "FORMERR\n? a.shop.test. 1\nopt 1232 0 0 -\n"),
	RAW("two subnets",
	    HEAD("\1\0", ONE_AND_OPT) NAME IN_A OPT("\0\x10\0\x08\0\4\0\1\0\0\0\x08\0\4\0\1\0\0"),
	    "FORMERR\n? a.shop.test. 1\nopt 1232 0 0 - subnet 1/0/0 #\n"),
	RAW("version 1, whatever its options",
	    HEAD("\1\0", ONE_AND_OPT) NAME IN_A "\0\0\x29\x04\xd0\0\1\0\0\0\2\xff\xff",
	    "NOERROR\n? a.shop.test. 1\nopt 1232 1 0 -\n"),
	RAW("DO and Z bits: DO alone comes back",
	    HEAD("\1\0", ONE_AND_OPT) NAME "\0\x1c\0\1\0\0\x29\x04\xd0\0\0\xff\xff\0\0",
	    "NOERROR aa\n? a.shop.test. 28\nau shop.test. 60 SOA ns1.shop.test. root.shop.test. 7\nopt 1232 0 0 do\n"),
	RAW("an option unknown",
	    HEAD("\1\0", ONE_AND_OPT) NAME "\0\x1c\0\1" OPT("\0\5\xff\xfe\0\1x"),
	    "NOERROR aa\n? a.shop.test. 28\nau shop.test. 60 SOA ns1.shop.test. root.shop.test. 7\nopt 1232 0 0 -\n"),
	RAW("type OPT asked for", HEAD("\1\0", ONE) NAME "\0\x29\0\1",
	    "NOERROR aa\n? a.shop.test. 41\nau shop.test. 60 SOA ns1.shop.test. root.shop.test. 7\n"),
	RAW("type 0 asked for", HEAD("\1\0", ONE) NAME "\0\0\0\1",
	    "NOERROR aa\n? a.shop.test. 0\nau shop.test. 60 SOA ns1.shop.test. root.shop.test. 7\n"),
	RAW("another class", HEAD("\1\0", ONE) NAME "\0\1\0\3", "REFUSED\n? a.shop.test. 1\n"),
	RAW("class ANY", HEAD("\1\0", ONE) NAME "\0\1\0\xff", "REFUSED\n? a.shop.test. 1\n"),
	RAW("a record of another kind behind the question",
	    HEAD("\1\0", "\0\1\0\0\0\0\0\1") NAME "\0\x1c\0\1"
	                                          "\1x\xc0\x0c\0\x10\0\1\0\0\0\0\0\1\0",
	    "NOERROR aa\n? a.shop.test. 28\nau shop.test. 60 SOA ns1.shop.test. root.shop.test. 7\n"),
};

static void each_malformed_query_has_its_answer(void **state)
{
	struct fixture *f = *state;
	static char text[65536];

	for (size_t i = 0; i < COUNT(raws); i++) {
		struct answer_info info;
		size_t n = send_query(f, (const uint8_t *)raws[i].bytes, raws[i].length, false,
		                      text, &info);

		print_message("  %s\n", raws[i].why);
		if (raws[i].expected)
			assert_string_equal(text, raws[i].expected);
		else
			assert_int_equal(n, 0);
	}
}

static void each_cut_of_a_query_is_refused_or_dropped(void **state)
{
	struct fixture *f = *state;
	uint8_t query[512], option[32];
	static char text[65536];
	size_t length = query_make("a.shop.test", A, query);

	length = query_add_opt(query, length, 1232, 0, option,
	                       option_subnet("192.0.2.0", 24, option));
	for (size_t n = 0; n < length; n++) {
		struct answer_info info;
		size_t got = send_query(f, query, n, false, text, &info);

		assert_true(n < 12 ? got == 0 : strncmp(text, "FORMERR\n", 8) == 0);
	}
}

static void tells_the_node_to_those_who_ask(void **state)
{
	struct fixture *f = *state;
	struct answer_env before = f->env;
	uint8_t query[512];
	static char text[65536];
	struct answer_info info;
	size_t length = query_make("nope.shop.test", A, query);

	f->env.nsid = (const uint8_t *)"ams-1";
	f->env.nsid_length = 5;
	length = query_add_opt(query, length, 512, 0, "\0\3\0\0", 4);
	send_query(f, query, length, false, text, &info);
	assert_non_null(strstr(text, "option 3 #616d732d31"));
	f->env = before;
	send_query(f, query, length, false, text, &info);
	assert_null(strstr(text, "option"));
}

static void an_emptied_dynamic_name_is_asked_again_soon(void **state)
{
	struct fixture *f = *state;
	uint8_t query[512];
	static char text[65536];
	struct answer_info info;
	size_t length = query_make("www.shop.test", A, query);

	f->state->sites[0].disabled = true;
	send_query(f, query, length, false, text, &info);
	f->state->sites[0].disabled = false;
	assert_string_equal(text, "NOERROR aa\n? www.shop.test. 1\n"
	                          "au shop.test. 5 SOA ns1.shop.test. root.shop.test. 7\n");
	assert_int_equal(info.choice.class, STEERING_NONE);
}

/* All clients ask for both families: nothing is wrong with the sites where the service has one, so it can be kept. */
static void a_family_that_no_site_has_is_no_data(void **state)
{
	static const struct steering_site only[2] = {
		{ .name = "ams", .id = 1, .n_addresses = { 1, 0 }, .addresses = { { ADDR6(1) } } },
		{ .name = "ams",
		  .id = 1,
		  .n_addresses = { 0, 1 },
		  .addresses = { {}, { ADDR4(1) } } },
	};
	struct fixture *f = *state;
	uint8_t query[512];
	static char text[65536];
	struct answer_info info;

	for (unsigned ip4 = 0; ip4 < 2; ip4++) {
		service.sites = &only[ip4];
		send_query(f, query, query_make("www.shop.test", ip4 ? AAAA : A, query), false,
		           text, &info);
		assert_non_null(strstr(text, "NOERROR aa\n"));
		assert_null(strstr(text, "an "));
		assert_non_null(strstr(text, "au shop.test. 60 SOA "));
		assert_int_equal(info.dynamic, -1); /* no choice is counted */
		send_query(f, query, query_make("www.shop.test", ANY, query), false, text, &info);
		assert_non_null(strstr(text, ip4 ? "A 203.0.113.1" : "AAAA 2001:db8:1::1"));
		send_query(f, query, query_make("www.shop.test", ip4 ? A : AAAA, query), false,
		           text, &info);
		assert_int_equal(info.choice.class, STEERING_SERVING);
	}
	/* for as long as an address would be, where the zone would keep it longer */
	struct steering_name short_lived = names[0];
	struct steering shorter = place;
	const struct answer_env before = f->env;

	short_lived.ttl_max_s = 20;
	shorter.names = &short_lived;
	shorter.n_names = 1;
	f->env.steering = &shorter;
	send_query(f, query, query_make("www.shop.test", A, query), false, text, &info);
	assert_non_null(strstr(text, "an www.shop.test. 20 A "));
	send_query(f, query, query_make("www.shop.test", AAAA, query), false, text, &info);
	assert_non_null(strstr(text, "au shop.test. 20 SOA "));
	f->env = before;
	service.sites = sites;
}

/* Counters and explain go by it. */
static void what_was_answered_is_told_beside_the_answer(void **state)
{
	struct fixture *f = *state;
	uint8_t query[512];
	static char text[65536];
	struct answer_info info;

	for (int32_t name = 0; name < 2; name++)
		for (unsigned ip4 = 0; ip4 < 2; ip4++) {
			size_t n = query_make(names[name].name, ip4 ? A : 28, query);

			memset(&info, 0x55, sizeof(info));
			send_query(f, query, n, false, text, &info);
			assert_int_equal(info.rcode, DNS_NOERROR);
			assert_true(info.has_question);
			assert_int_equal(info.type, ip4 ? A : 28);
			assert_int_equal(info.dynamic, name);
			assert_int_equal(info.ip4, ip4);
			assert_int_equal(info.choice.class, STEERING_SERVING);
			assert_int_equal(info.choice.site, 0);
			assert_false(info.has_edns || info.has_subnet || info.truncated);
		}
	memset(&info, 0x55, sizeof(info));
	send_query(f, query, query_make("nope.shop.test", A, query), false, text, &info);
	assert_int_equal(info.rcode, DNS_NXDOMAIN);
	assert_int_equal(info.dynamic, -1);
}

static void flags_of_the_question_come_back_or_not(void **state)
{
	static const struct {
		const char *why;
		uint16_t sent, expected;
	} cases[] = {
		{ "RD", 0x0100, 0x8500 },       { "none", 0, 0x8400 },
		{ "CD", 0x0010, 0x8400 },       { "AD", 0x0020, 0x8400 },
		{ "Z", 0x0040, 0x8400 },        { "RA", 0x0080, 0x8400 },
		{ "TC", 0x0200, 0x8400 },       { "AA", 0x0400, 0x8400 },
		{ "an rcode", 0x000f, 0x8400 }, { "NOTIMP", 0x29f0, 0xa804 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t query[512], out[ANSWER_UDP_MAX];
		struct answer_query q = { .bytes = query,
			                  .length = query_make("a.shop.test", A, query) };
		struct answer_info info;

		query[2] = (uint8_t)(cases[i].sent >> 8);
		query[3] = (uint8_t)cases[i].sent;
		print_message("  %s\n", cases[i].why);
		assert_true(answer(&f->env, &q, out, sizeof(out), &info, NULL) >= 12);
		assert_int_equal(out[2] << 8 | out[3], cases[i].expected);
	}
}

SUITE(answer)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_what_the_zones_say),
		cmocka_unit_test(echoes_the_subnet_with_its_scope),
		cmocka_unit_test(each_malformed_query_has_its_answer),
		cmocka_unit_test(each_cut_of_a_query_is_refused_or_dropped),
		cmocka_unit_test(tells_the_node_to_those_who_ask),
		cmocka_unit_test(an_emptied_dynamic_name_is_asked_again_soon),
		cmocka_unit_test(a_family_that_no_site_has_is_no_data),
		cmocka_unit_test(what_was_answered_is_told_beside_the_answer),
		cmocka_unit_test(flags_of_the_question_come_back_or_not),
	};

	return cmocka_run_group_tests_name("answer", tests, set_up, tear_down);
}
