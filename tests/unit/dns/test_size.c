/* SPDX-License-Identifier: BSD-2-Clause */
/* What fits, what does not, and what is said then; over UDP with and without EDNS, and over TCP. */
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

#include "dns/answer/answer.h"
#include "dns/answer/message.h"
#include "dns/zone/image.h"
#include "dns/zone/name.h"
#include "dns/zone/wire.h"
#include "dns/zone/zone.h"
#include "tests/unit/dns/message_text.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { A = 1, NS = 2, MX = 15, TXT = 16 };

#define MID  16  /* servers of "mid" inside it, and as many elsewhere */
#define MANY 200 /* names to which "many" leads */

static struct image *image;

static void fail_on_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	print_error("%s:%u: %s\n", m->file, m->line, m->text);
}

/* A memory file as a path. */
static void zone_file(const char *text, char path[32])
{
	int fd = memfd_create("zone", 0);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

/* "NAME TXT" with @p bytes of data in the record. */
static size_t put_text(char *to, const char *name, unsigned bytes)
{
	char *at = stpcpy(stpcpy(to, name), " TXT");

	for (unsigned left = bytes; left;) {
		unsigned part = left > 251 ? 250 : left - 1;

		at = stpcpy(at, " \"");
		memset(at, 'x', part);
		at = stpcpy(at + part, "\"");
		left -= part + 1;
	}
	return (size_t)(stpcpy(at, "\n") - to);
}

static int set_up(void **state)
{
	static char text[1 << 20], paths[2][32];
	size_t n = (size_t)sprintf(text,
	                           "$TTL 60\n@ SOA ns root 1 1 1 1 3600\n@ NS ns\nns A 192.0.2.1\n"
	                           "z CNAME a.child\ntozone CNAME y.child\n@ A 192.0.2.5\n"
	                           "child NS ns.child\n");

	(void)state;
	n += put_text(text + n, "t475", 475);
	n += put_text(text + n, "t1150", 1150);
	n += put_text(text + n, "t1200", 1200);
	n += (size_t)sprintf(text + n, "long CNAME t1200\ntwo A 192.0.2.2\ntwo 7 A 192.0.2.3\n");
	for (unsigned i = 0; i < 60; i++) { /* in the delegation: required */
		n += (size_t)sprintf(text + n, "in NS ns%u.in\nns%u.in A 192.0.2.%u\n", i, i, i);
		n += (size_t)sprintf(text + n, "sib NS ns%u.other\nns%u.other A 192.0.2.%u\n", i, i,
		                     i);
	}
	for (unsigned i = 0; i < MID; i++)
		n += (size_t)sprintf(text + n,
		                     "mid NS ns%u.mid\nns%u.mid A 192.0.2.%u\nmid NS ns%u.other\n",
		                     i, i, 10 + i, i);
	n += (size_t)sprintf(text + n, "sib NS own.sib\nown.sib A 192.0.2.200\n");
	for (unsigned i = 0; i < MANY; i++) /* over 16 KiB, with names to compress behind that */
		n += (size_t)sprintf(
		        text + n,
		        "many MX %u a%u.a-name-that-is-long-enough-to-fill-the-message-up-quickly"
		        ".and-one-more-label-%u.many\n",
		        i, i, i);
	zone_file(text, paths[0]);
	zone_file("$TTL 60\n@ SOA ns root 2 1 1 1 1\n@ NS ns\nns A 192.0.2.9\ny A 192.0.2.8\n",
	          paths[1]);

	const struct zone_source zones[] = { { "x", paths[0] }, { "child.x", paths[1] } };
	const struct zone_input in = { .zones = zones, .n_zones = 2, .source = 1 };

	return zone_compile(&in, fail_on_report, NULL, &image);
}

static int tear_down(void **state)
{
	(void)state;
	free(image);
	return 0;
}

struct size_case {
	const char *why, *name;
	uint16_t type;
	int udp_size; /* of OPT; -1: no EDNS; -2: TCP */
	size_t most;
	bool truncated;
	const char *has, *has_not;
};

static const struct size_case cases[] = {
	{ "fits into 512", "t475.x", TXT, -1, 512, false, "an t475.x. 60 TYPE16", NULL },
	{ "does not fit into 512", "t1150.x", TXT, -1, 512, true, NULL, "an " },
	{ "nor when EDNS says less", "t1150.x", TXT, 100, 512, true, NULL, "an " },
	{ "OPT needs room as well", "t475.x", TXT, 512, 512, true, "opt 1232", "an " },
	{ "fits into 1,232", "t1150.x", TXT, 1232, 1232, false, "an t1150.x.", NULL },
	{ "our limit holds, whatever the client takes", "t1200.x", TXT, 4096, 1232, true, NULL,
	  "an t1200" },
	{ "the alias fits, its target does not", "long.x", TXT, 4096, 1232, true,
	  "an long.x. 60 CNAME t1200.x.", "TYPE16" },
	{ "TCP gives all", "t1200.x", TXT, -2, 65535, false, "an t1200.x.", NULL },
	{ "required glue that does not fit", "q.in.x", A, 1232, 1232, true,
	  "au in.x. 60 NS ns0.in.x.", "ad " },
	{ "all of it over TCP", "q.in.x", A, -2, 65535, false, "ad ns59.in.x. 60 A 192.0.2.59",
	  NULL },
	{ "name servers that do not fit", "q.in.x", A, -1, 512, true, NULL, "au " },
	{ "optional glue: what fits, the required first", "q.sib.x", A, 1232, 1232, false,
	  "ad own.sib.x. 60 A 192.0.2.200", "ad ns59.other" },
	{ "and without any of the optional", "q.sib.x", A, -2, 65535, false, "ad ns59.other.x.",
	  NULL },
	{ "over 16 KiB", "many.x", MX, -2, 65535, false, "MX 199 a199.a-name-that-is-long-enough",
	  NULL },
	{ "one TTL in an RRset, the lowest", "two.x", A, -1, 512, false,
	  "an two.x. 7 A 192.0.2.2\nan two.x. 7 A 192.0.2.3", NULL },
	{ "an alias into another zone is the client's to follow", "tozone.x", A, -1, 512, false,
	  "CNAME y.child.x.", "192.0.2.8" },
	{ "a negative answer lives as long as the SOA at most", "none.x", A, -1, 512, false,
	  "au x. 60 SOA", NULL },
	{ "and as its minimum", "none.child.x", A, -1, 512, false, "au child.x. 1 SOA", NULL },
};

static void what_does_not_fit_is_said(void **state)
{
	static char text[1 << 20];
	static uint8_t out[ANSWER_MAX];
	(void)state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct size_case *c = &cases[i];
		const struct answer_env env = { .image = image };
		uint8_t query[512];
		struct answer_query q = { .bytes = query, .tcp = c->udp_size == -2 };
		struct answer_info info;
		size_t n;

		print_message("  %s\n", c->why);
		q.length = query_make(c->name, c->type, query);
		if (c->udp_size >= 0)
			q.length =
			        query_add_opt(query, q.length, (uint16_t)c->udp_size, 0, NULL, 0);
		n = answer(&env, &q, out, sizeof(out), &info, NULL);
		assert_true(message_text(out, n, text, sizeof(text)));
		assert_in_range(n, 12, c->most);
		assert_int_equal(info.truncated, c->truncated);
		assert_int_equal(out[2] >> 1 & 1, c->truncated);
		if (c->has && !strstr(text, c->has))
			fail_msg("\"%s\" is not in:\n%s", c->has, text);
		if (c->has_not && strstr(text, c->has_not))
			fail_msg("\"%s\" is in:\n%s", c->has_not, text);
	}
}

/*
 * At each size a referral may have: truncated if and only if an address is missing without which
 * nobody gets further.
 */
static void a_referral_is_truncated_for_required_glue_alone(void **state)
{
	static char text[1 << 20];
	unsigned n_truncated = 0, n_partly = 0, n_bare = 0;
	(void)state;

	for (uint16_t size = 512; size <= 1232; size++) {
		const struct answer_env env = { .image = image };
		uint8_t query[512], out[ANSWER_UDP_MAX];
		struct answer_query q = { .bytes = query };
		struct answer_info info;
		unsigned n_required = 0, n_optional = 0;
		size_t n;

		q.length = query_add_opt(query, query_make("q.mid.x", A, query), size, 0, NULL, 0);
		n = answer(&env, &q, out, sizeof(out), &info, NULL);
		assert_in_range(n, 12, size);
		assert_true(message_text(out, n, text, sizeof(text)));
		for (unsigned i = 0; i < MID; i++) {
			char name[32];

			snprintf(name, sizeof(name), "ad ns%u.mid.x.", i);
			n_required += strstr(text, name) != NULL;
			snprintf(name, sizeof(name), "ad ns%u.other.x.", i);
			n_optional += strstr(text, name) != NULL;
		}
		assert_int_equal(info.truncated, n_required < MID);
		assert_int_equal(out[2] >> 1 & 1, n_required < MID);
		assert_true(n_optional == 0 || n_required == MID);
		n_truncated += info.truncated;
		n_partly += n_required == MID && n_optional < MID;
		n_bare += n_required == MID && n_optional == 0;
	}
	/* all were seen: the first optional one that does not fit takes nothing along */
	assert_true(n_truncated > 0 && n_partly > n_bare && n_bare > 0);
}

static void names_are_compressed(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
		size_t most;
	} sizes[] = {
		{ "x", NS, 12 + 3 + 4 + 12 + 5 },      /* "ns" and a pointer */
		{ "none.x", A, 12 + 8 + 4 + 12 + 34 }, /* SOA: owner, "ns", "root" with pointers */
		{ "Q.IN.x", A, 1232 },
	};
	(void)state;

	for (size_t i = 0; i < COUNT(sizes); i++) {
		const struct answer_env env = { .image = image };
		uint8_t query[512], out[ANSWER_UDP_MAX];
		struct answer_query q = { .bytes = query };
		struct answer_info info;

		q.length = query_make(sizes[i].name, sizes[i].type, query);
		assert_in_range(answer(&env, &q, out, sizeof(out), &info, NULL), 12, sizes[i].most);
	}
}

static const struct image_node *find_node(const char *name)
{
	uint8_t query[512];
	struct wire_reader r = { .start = query,
		                 .length = query_make(name, A, query),
		                 .at = DNS_HEADER };
	struct name wanted;

	assert_true(name_read(&r, &wanted));
	return image_find(image, &wanted).node;
}

/*
 * A message of @p n_texts texts of 1,200 bytes, and behind them many different names. @return its
 * length
 */
static size_t write_far(uint8_t *out, unsigned n_texts)
{
	const struct image_node *text = find_node("t1200.x"), *many = find_node("many.x");
	static struct message m;

	memset(&m, 0, sizeof(m));
	memset(out, 0, DNS_HEADER);
	out[2] = 0x80; /* an answer */
	m.image = image;
	m.w = (struct wire_writer){ .start = out, .limit = ANSWER_MAX, .at = DNS_HEADER };
	for (unsigned i = 0; i < n_texts; i++)
		message_put_rrset(&m, SECTION_ANSWER, text->name_off, image_rrset(text, TXT));
	message_put_rrset(&m, SECTION_ANSWER, many->name_off, image_rrset(many, MX));
	assert_false(m.w.failed);
	assert_int_equal(m.counts[SECTION_ANSWER], n_texts + MANY);
	wire_store16(out + 6, m.counts[SECTION_ANSWER]);
	return m.w.at;
}

/*
 * A pointer has 14 bits: no name that stands at or behind 16 KiB is pointed at, and each is read
 * back as it is.
 */
static void names_that_no_pointer_reaches_are_written_out(void **state)
{
	/*
	 * the names begin before 16 KiB, shortly before, and behind; the table of those seen is
	 * not full there
	 */
	static const unsigned n_texts[] = { 0, 11, 12, 13, 14, 20 };
	static uint8_t out[ANSWER_MAX];
	static char text[1 << 20];
	(void)state;

	for (size_t k = 0; k < COUNT(n_texts); k++) {
		size_t n = write_far(out, n_texts[k]);

		print_message("  %u texts: %zu bytes\n", n_texts[k], n);
		assert_true(n > MESSAGE_POINTER_MAX);
		assert_true(message_text(out, n, text, sizeof(text)));
		for (unsigned i = 0; i < MANY; i++) {
			char line[160];

			snprintf(line, sizeof(line),
			         "an many.x. 60 MX %u a%u.a-name-that-is-long-enough-to-fill-the-"
			         "message-up-quickly.and-one-more-label-%u.many.x.\n",
			         i, i, i);
			if (!strstr(text, line))
				fail_msg("%u texts: not there: %s", n_texts[k], line);
		}
	}
}

SUITE(size)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_is_said),
		cmocka_unit_test(a_referral_is_truncated_for_required_glue_alone),
		cmocka_unit_test(names_are_compressed),
		cmocka_unit_test(names_that_no_pointer_reaches_are_written_out),
	};

	return cmocka_run_group_tests_name("size", tests, set_up, tear_down);
}
