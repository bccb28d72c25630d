/* SPDX-License-Identifier: BSD-2-Clause */
/* One answer of BIRD, or one question to it, and all that is made of it (announce/bird.c). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "announce/daemon.h"
#include "tests/unit/suite.h"

#define HEAD    "2002-Name       Proto      Table      State  Since         Info\n"
#define UP      " BGP --- up 07:23:33.788 Established\n"
#define DIGITS  "0123456789"
#define NAME_63 DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS "-12"
#define TEXT_60 "abcdefghij" DIGITS DIGITS DIGITS DIGITS DIGITS
#define HOSTS   4u

/* All that a reading leaves, and each prefix that was looked for. */
struct outcome {
	char text[1024];
	size_t n;
	struct daemon_route routes[HOSTS]; /* of 10.100.0.1 and so on */
};

static void put_text(struct outcome *o, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void put_text(struct outcome *o, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	o->n += (size_t)vsnprintf(o->text + o->n, sizeof(o->text) - o->n, format, list);
	va_end(list);
	assert_true(o->n < sizeof(o->text));
}

/* A prefix of others is no question's. */
static struct daemon_route *find_host(void *arg, const struct addr *vip)
{
	struct outcome *o = arg;
	char name[ADDR_TEXT_MAX];
	unsigned i = vip->bytes[15];

	put_text(o, "%s? ", addr_text(vip, name));
	return addr_is4(vip) && vip->bytes[12] == 10 && i < HOSTS ? &o->routes[i] : NULL;
}

static void put_facts(struct outcome *o, const struct daemon_facts *f)
{
	put_text(o, "%s|%s|%u", f->version, f->problem, f->n_omitted);
	for (uint32_t i = 0; i < f->n_neighbours; i++) {
		const struct daemon_neighbour *n = &f->neighbours[i];

		put_text(o, " %s%s%s%s%s", n->name, n->established ? "+" : "-",
		         n->lacks4 ? " no4" : "", n->lacks6 ? " no6" : "",
		         n->stamp ? " stamp" : "");
	}
	for (unsigned i = 0; i < HOSTS; i++) {
		const struct daemon_route *r = &o->routes[i];

		if (r->exported || r->imported[DAEMON_NORMAL] || r->imported[DAEMON_GSHUT])
			put_text(o, " .%u=%s%s%x", i, r->imported[DAEMON_NORMAL] ? "N" : "",
			         r->imported[DAEMON_GSHUT] ? "G" : "", r->exported);
	}
}

/* Read @p answer after a life with two neighbours. */
static void read_one(enum daemon_query_kind kind, const char *answer, struct outcome *o,
                     struct daemon_facts *f)
{
	const struct daemon_query q = { .kind = kind, .neighbour = 1 };
	const size_t n = strlen(answer);
	char *bytes = malloc(n ? n : 1); /* no byte more */
	int err;

	*o = (struct outcome){ .n = 0 };
	*f = (struct daemon_facts){
		.version = "v",
		.problem = "p",
		.neighbours = { { .name = "r1", .established = true, .lacks4 = true, .stamp = 7 },
		                { .name = "r2", .lacks6 = true, .stamp = 8 } },
		.n_neighbours = 2,
		.n_omitted = 3,
	};
	assert_non_null(bytes);
	memcpy(bytes, answer, n);
	err = daemon_bird.read(f, &q, find_host, o, bytes, n);
	free(bytes);
	put_text(o, "%s ", err == 0 ? "0" : strerror(-err));
	put_facts(o, f);
}

static void read_is(enum daemon_query_kind kind, const char *answer, const char *expected)
{
	struct outcome o;
	struct daemon_facts f;

	read_one(kind, answer, &o, &f);
	if (strcmp(o.text, expected) != 0)
		fail_msg("%s\nis      %s\nand not %s", answer, o.text, expected);
}

#define WRONG "Protocol error v|"
#define REST  "|3 r1+ no4 stamp r2- no6 stamp"
#define SAME  "0 v|p" REST

static void an_answer_ends_with_a_space_after_its_code(void **state)
{
	static const struct {
		const char *bytes;
		size_t from;
		ssize_t end;
	} rows[] = {
		{ "", 0, 0 },
		{ "0000 ", 0, 0 },
		{ "0000 \n", 0, 6 },
		{ "9999 \n", 0, 6 },
		{ "0000 x\n1", 0, 7 },
		{ "0000 \n0000 \n", 0, 6 },
		{ "0001-a\n0000 \n", 0, 13 },
		{ "0001-a\n b\n+c\n0000 \n", 0, 19 },
		{ "+c\n", 0, 0 },
		{ " b\n", 0, 0 },
		{ "\n0000 \n", 0, -EPROTO },
		{ "0001-a\n\n", 0, -EPROTO },
		{ "0000\n", 0, -EPROTO },
		{ "000\n0 \n", 0, -EPROTO },
		{ "0000+\n", 0, -EPROTO },
		{ "00000 \n", 0, -EPROTO },
		{ "000: \n", 0, -EPROTO },
		{ "000/ \n", 0, -EPROTO },
		{ ":000 \n", 0, -EPROTO },
		{ "/000 \n", 0, -EPROTO },
		{ "00a0-\n", 0, -EPROTO },
		{ "x\n", 0, -EPROTO },
		/* what was looked at before is not looked at again, but for the line that was not whole */
		{ "x\n0000 \n", 2, 8 },
		{ "x\n0000 \n", 5, 8 },
		{ "x\n0000 \n", 1, -EPROTO },
		{ "0001-a\n0000 \n", 6, 13 },
		{ "0001-a\n0000 \n", 12, 13 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ssize_t end = daemon_bird.whole(rows[i].bytes, strlen(rows[i].bytes), rows[i].from);

		if (end != rows[i].end)
			fail_msg("%s from %zu: %zd", rows[i].bytes, rows[i].from, end);
	}
}

static void each_question_has_its_text(void **state)
{
	static const struct {
		enum daemon_query_kind kind;
		const char *net, *name, *text;
	} rows[] = {
		{ DAEMON_QUERY_GREETING, NULL, "r", "" },
		{ DAEMON_QUERY_VERSION, NULL, "r", "" },
		{ DAEMON_QUERY_RESTRICT, NULL, "r", "restrict\n" },
		{ DAEMON_QUERY_SESSIONS, NULL, "r", "show protocols\n" },
		{ DAEMON_QUERY_CHANNELS, NULL, "_r9Z", "show protocols all _r9Z\n" },
		{ DAEMON_QUERY_CHANNELS, NULL, "A0", "show protocols all A0\n" },
		{ DAEMON_QUERY_CHANNELS, NULL, "a.b", "show protocols all 'a.b'\n" },
		{ DAEMON_QUERY_CHANNELS, NULL, ":", "show protocols all ':'\n" },
		{ DAEMON_QUERY_CHANNELS, NULL, "-a", "show protocols all '-a'\n" },
		{ DAEMON_QUERY_CHANNELS, NULL, NAME_63, "show protocols all '" NAME_63 "'\n" },
		{ DAEMON_QUERY_ROUTES, "10.100.0.1/32", "r",
		  "show route 10.100.0.1/32 table weir4 table weir_gshut4\n" },
		{ DAEMON_QUERY_ROUTES, "fd10::1/128", "r",
		  "show route fd10::1/128 table weir6 table weir_gshut6\n" },
		{ DAEMON_QUERY_ROUTES, "0.0.0.0/0", "r",
		  "show route table weir4 table weir_gshut4\n" },
		{ DAEMON_QUERY_ROUTES, "::/0", "r", "show route table weir6 table weir_gshut6\n" },
		{ DAEMON_QUERY_EXPORTS, NULL, "r-1",
		  "show route exported 'r-1' where (net.type = NET_IP4 && net.len = 32) || "
		  "(net.type = NET_IP6 && net.len = 128)\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct daemon_facts f = { .n_neighbours = 2 };
		struct daemon_query q = { .kind = rows[i].kind, .neighbour = 1 };
		char out[DAEMON_QUESTION_MAX + 1] = "";

		snprintf(f.neighbours[1].name, sizeof(f.neighbours[1].name), "%s", rows[i].name);
		if (rows[i].net)
			assert_int_equal(prefix_parse(rows[i].net, &q.net), 0);
		out[daemon_bird.write(&f, &q, out)] = 0;
		assert_string_equal(out, rows[i].text);
	}
}

static void greetings_and_restrictions(void **state)
{
	(void)state;
	read_is(DAEMON_QUERY_GREETING, "0001 BIRD 2.0.12 ready.\n", "0 BIRD 2.0.12|p" REST);
	read_is(DAEMON_QUERY_GREETING, "0001 BIRD 2.13\n", "0 BIRD 2.13|p" REST);
	read_is(DAEMON_QUERY_GREETING, "0002 BIRD 2.0.12 ready.\n",
	        WRONG "no greeting of BIRD: BIRD says 0002 BIRD 2.0.12 ready." REST);
	read_is(DAEMON_QUERY_GREETING, "0001 BERD 2.0.12 ready.\n",
	        WRONG "no greeting of BIRD: BIRD says 0001 BERD 2.0.12 ready." REST);
	read_is(DAEMON_QUERY_GREETING, " BIRD 2.0.12 ready.\n",
	        WRONG "no greeting of BIRD: BIRD says 0000 BIRD 2.0.12 ready." REST);
	read_is(DAEMON_QUERY_GREETING, "0001 BIRD 3.0.1 ready.\n",
	        "Protocol error BIRD 3.0.1|BIRD 3.0.1 is a version that this release of Weir does "
	        "not know; it knows BIRD 2" REST);
	read_is(DAEMON_QUERY_GREETING, "0001 BIRD  2.0.12\n",
	        "Protocol error BIRD |BIRD  is a version that this release of Weir does not know; "
	        "it knows BIRD 2" REST);
	read_is(DAEMON_QUERY_GREETING, "", WRONG "no greeting of BIRD: BIRD says 0000 " REST);
	read_is(DAEMON_QUERY_RESTRICT, "0016 Access restricted\n", SAME);
	read_is(DAEMON_QUERY_RESTRICT, "+x\n0016 Access restricted\n", SAME);
	read_is(DAEMON_QUERY_RESTRICT, "1234 no\n", WRONG "not restricted: BIRD says 1234 no" REST);
	read_is(DAEMON_QUERY_RESTRICT, "9876 no\n", WRONG "not restricted: BIRD says 9876 no" REST);
	read_is(DAEMON_QUERY_RESTRICT, "0000 " TEXT_60 "\n",
	        WRONG "not restricted: BIRD says 0000 " TEXT_60 REST);
	read_is(DAEMON_QUERY_RESTRICT, "0000 " TEXT_60 "x\n",
	        WRONG "not restricted: BIRD says 0000 " TEXT_60 REST);
	read_is(DAEMON_QUERY_VERSION, "0000 \n", WRONG "p" REST);
}

#define NO_LIST "no list of protocols: BIRD says "

static void sessions_are_those_of_the_list(void **state)
{
	(void)state;
	/* of a session that is as it was, what is known stays */
	read_is(DAEMON_QUERY_SESSIONS, HEAD "1002-r1" UP " r2 BGP --- start x Active\n0000 \n",
	        "0 v|p|0 r1+ no4 stamp r2- no6 stamp");
	read_is(DAEMON_QUERY_SESSIONS, HEAD "1002-r2" UP " r1 BGP --- start x Active\n0000 \n",
	        "0 v|p|0 r2+ r1-");
	read_is(DAEMON_QUERY_SESSIONS, HEAD " r9" UP "+r8" UP "+ r8" UP " r7" UP "0000 \n",
	        "0 v|p|0 r9+ r7+");
	read_is(DAEMON_QUERY_SESSIONS, HEAD "1002-r3 BGP --- start x Established\n0000 \n",
	        "0 v|p|0 r3-");
	read_is(DAEMON_QUERY_SESSIONS, HEAD "1002-r3 BGP --- up x Idle\n0000 \n", "0 v|p|0 r3-");
	read_is(DAEMON_QUERY_SESSIONS,
	        HEAD "1002-r3 BGP\n r4 BGP ---\n r5\n \n r6 BGP --- up\n0000 \n", "0 v|p|0 r6-");
	read_is(DAEMON_QUERY_SESSIONS, HEAD "1002-r3 OSPF --- up x Established\n0000 \n",
	        "0 v|p|0");
	read_is(DAEMON_QUERY_SESSIONS, HEAD "0000 \n", "0 v|p|0");
	/* those that are up come first only where there is no room for all */
	read_is(DAEMON_QUERY_SESSIONS, HEAD "1002-r3 BGP --- up x Idle\n r4" UP "0000 \n",
	        "0 v|p|0 r3- r4+");
	read_is(DAEMON_QUERY_SESSIONS,
	        HEAD "1002-r3 BGP --- up x Idle\n r4" UP " a'b" UP " a/b" UP "0000 \n",
	        "0 v|p|2 r4+ r3-");
	read_is(DAEMON_QUERY_SESSIONS, HEAD "1002-" NAME_63 UP "0000 \n", "0 v|p|0 " NAME_63 "+");
	read_is(DAEMON_QUERY_SESSIONS, HEAD "1002-" NAME_63 "4" UP "0000 \n", "0 v|p|1");
	read_is(DAEMON_QUERY_SESSIONS, "0000 \n", WRONG NO_LIST "0000 |0");
	read_is(DAEMON_QUERY_SESSIONS, "1002-r1" UP "0000 ok\n",
	        WRONG NO_LIST "0000 ok|0 r1+ no4 stamp");
	read_is(DAEMON_QUERY_SESSIONS, HEAD "1003-x\n0000 \n", WRONG NO_LIST "1003 x|0");
	read_is(DAEMON_QUERY_SESSIONS, "8003 No protocols match\n",
	        WRONG NO_LIST "8003 No protocols match|0");
}

/* As many as there is room for, and one more: then the last one that is down is left out. */
static void as_many_sessions_as_there_is_room_for(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		char answer[4096] = HEAD;
		size_t n = strlen(answer);
		struct daemon_facts f;
		struct outcome o;

		for (unsigned i = 0; i < DAEMON_NEIGHBOURS_MAX + more; i++)
			n += (size_t)snprintf(answer + n, sizeof(answer) - n, " n%u%s", i,
			                      i < 9 ? " BGP --- start x Active\n" : UP);
		snprintf(answer + n, sizeof(answer) - n, "0000 \n");
		read_one(DAEMON_QUERY_SESSIONS, answer, &o, &f);
		assert_int_equal(f.n_neighbours, DAEMON_NEIGHBOURS_MAX);
		assert_int_equal(f.n_omitted, more);
		for (unsigned i = 0; i < DAEMON_NEIGHBOURS_MAX; i++) {
			const unsigned n_up = DAEMON_NEIGHBOURS_MAX + more - 9;
			char name[8];

			snprintf(name, sizeof(name), "n%u",
			         !more      ? i
			         : i < n_up ? i + 9
			                    : i - n_up);
			assert_string_equal(f.neighbours[i].name, name);
		}
	}
}

#define HEALTHY  "1002-r2" UP
#define CHANNEL4 "1006-  Channel ipv4\n"
#define CHANNEL6 "   Channel ipv6\n"
#define STATE_UP "     State:          UP\n"
#define BOTH     CHANNEL4 STATE_UP CHANNEL6 STATE_UP
#define R1       "|3 r1+ no4 stamp r2-"

static void families_are_those_whose_channel_is_up(void **state)
{
	(void)state;
	read_is(DAEMON_QUERY_CHANNELS, HEAD HEALTHY BOTH "0000 \n", "0 v|p" R1 " stamp");
	read_is(DAEMON_QUERY_CHANNELS, HEAD HEALTHY CHANNEL4 STATE_UP "0000 \n",
	        "0 v|p" R1 " no6 stamp");
	read_is(DAEMON_QUERY_CHANNELS, HEAD HEALTHY CHANNEL6 STATE_UP "0000 \n",
	        "0 v|p" R1 " no4 stamp");
	read_is(DAEMON_QUERY_CHANNELS, HEAD HEALTHY STATE_UP CHANNEL4 CHANNEL6 "0000 \n",
	        "0 v|p" R1 " no4 no6 stamp");
	read_is(DAEMON_QUERY_CHANNELS,
	        HEAD HEALTHY CHANNEL4 STATE_UP " Channel vpn6\n" STATE_UP "0000 \n",
	        "0 v|p" R1 " no6 stamp");
	read_is(DAEMON_QUERY_CHANNELS,
	        HEAD HEALTHY CHANNEL4 " State: DOWN\n" CHANNEL6 " State: XX\n0000 \n",
	        "0 v|p" R1 " no4 no6 stamp");
	read_is(DAEMON_QUERY_CHANNELS,
	        HEAD HEALTHY CHANNEL4 " State: UPS\n" CHANNEL6 " Other: UP\n0000 \n",
	        "0 v|p" R1 " no4 no6 stamp");
	read_is(DAEMON_QUERY_CHANNELS,
	        HEAD HEALTHY CHANNEL4 " State: UP \n" CHANNEL6 " State:UP\n0000 \n",
	        "0 v|p" R1 " no6 stamp");
	/* it has gone between the two questions */
	read_is(DAEMON_QUERY_CHANNELS, "8003 No protocols match\n",
	        "Resource temporarily unavailable v|p" R1 " no6");
	read_is(DAEMON_QUERY_CHANNELS, "8000 x\n",
	        "Resource temporarily unavailable v|p" R1 " no6");
	read_is(DAEMON_QUERY_CHANNELS, "7999 x\n", "0 v|p" R1 " no4 no6 stamp");
}

static uint64_t read_stamp(const char *middle)
{
	char answer[1024];
	struct daemon_facts f;
	struct outcome o;

	snprintf(answer, sizeof(answer), HEAD "%s0000 \n", middle);
	read_one(DAEMON_QUERY_CHANNELS, answer, &o, &f);
	assert_true(f.neighbours[1].stamp);
	assert_int_equal(f.neighbours[0].stamp, 7);
	return f.neighbours[1].stamp;
}

#define COUNTS(updates, withdraws)                                                                 \
	"       Export updates:   5  " updates "\n       Export withdraws:  6  " withdraws "\n"

/* The time of its state, and the accepted updates and withdrawals. */
static void a_stamp_is_of_what_may_change_exports(void **state)
{
	static const char *const other[] = {
		"1002-r2 BGP --- up 07:23:33.789 Established\n" BOTH COUNTS("1", "2"),
		HEALTHY BOTH COUNTS("2", "2"),
		HEALTHY BOTH COUNTS("1", "3"),
		HEALTHY BOTH COUNTS("2", "1"),
		HEALTHY BOTH,
		BOTH COUNTS("1", "2"),
	};
	static const char *const same[] = {
		HEALTHY COUNTS("1", "2"),
		HEALTHY BOTH COUNTS("1", "2") " Import updates: 9\n",
		HEALTHY BOTH "1003-x\n" COUNTS("1", "2"),
		HEALTHY " Hold timer: 7.2/9\n" BOTH COUNTS("1  ", "2"),
	};
	const uint64_t stamp = read_stamp(HEALTHY BOTH COUNTS("1", "2"));

	(void)state;
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		assert_true(read_stamp(other[i]) != stamp);
		for (size_t k = 0; k < i; k++)
			assert_true(read_stamp(other[i]) != read_stamp(other[k]));
	}
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_int_equal(read_stamp(same[i]), stamp);
}

#define TABLE4  "1007-Table weir4:\n"
#define GSHUT4  " Table weir_gshut4:\n"
#define HOST(n) " 10.100.0." n "/32        blackhole [weir_kernel4 07:23:37.930] * (10)\n"
#define AGAIN   "                     unicast [static1 07:23:37.930] (200)\n"
#define OK      "0 v|p" REST

static void routes_are_those_of_the_four_tables(void **state)
{
	(void)state;
	read_is(DAEMON_QUERY_ROUTES, TABLE4 HOST("1") " \n" GSHUT4 HOST("1") HOST("2") "0000 \n",
	        "10.100.0.1? 10.100.0.1? 10.100.0.2? " OK " .1=NG0 .2=G0");
	read_is(DAEMON_QUERY_ROUTES,
	        " Table weir6:\n" HOST("1") " Table weir_gshut6:\n" HOST("2") "0000 \n",
	        "10.100.0.1? 10.100.0.2? " OK " .1=N0 .2=G0");
	read_is(DAEMON_QUERY_ROUTES,
	        TABLE4 " fd10::1/128 blackhole [k]\n 10.100.0.7/32 [k]\n" HOST("1") "0000 \n",
	        "fd10::1? 10.100.0.7? 10.100.0.1? " OK " .1=N0");
	read_is(DAEMON_QUERY_ROUTES, HOST("1") "0000 \n", "10.100.0.1? " OK);
	/* no table of Weir's */
	read_is(DAEMON_QUERY_ROUTES, TABLE4 " Table master4:\n" HOST("1") "0000 \n",
	        "10.100.0.1? " OK);
	read_is(DAEMON_QUERY_ROUTES, TABLE4 " Table weir5:\n" HOST("1") "0000 \n",
	        "10.100.0.1? " OK);
	read_is(DAEMON_QUERY_ROUTES, TABLE4 " Table weir\n" HOST("1") "0000 \n", "10.100.0.1? " OK);
	read_is(DAEMON_QUERY_ROUTES, TABLE4 " Table weir4:x\n" HOST("1") "0000 \n",
	        "10.100.0.1? " OK);
	read_is(DAEMON_QUERY_ROUTES, TABLE4 " Table \n" HOST("1") "0000 \n", "10.100.0.1? " OK);
	read_is(DAEMON_QUERY_ROUTES, TABLE4 " Table\n" HOST("1") "0000 \n",
	        "10.100.0.1? " OK " .1=N0");
	read_is(DAEMON_QUERY_ROUTES, TABLE4 "+ Table master4:\n" HOST("1") "0000 \n",
	        "10.100.0.1? " OK " .1=N0");
}

static void a_blank_is_the_network_before(void **state)
{
	static const char long_word[] =
	        " 10.100.0.1/32" DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS
	                DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS DIGITS
	        " [k]\n";
	char answer[1024];

	(void)state;
	read_is(DAEMON_QUERY_ROUTES, TABLE4 HOST("1") AGAIN HOST("2") "0000 \n",
	        "10.100.0.1? 10.100.0.1? 10.100.0.2? " OK " .1=N0 .2=N0");
	read_is(DAEMON_QUERY_ROUTES, TABLE4 AGAIN HOST("2") "0000 \n", "10.100.0.2? " OK " .2=N0");
	/* what is no host, or no prefix, is not looked for, nor are its other routes */
	read_is(DAEMON_QUERY_ROUTES,
	        TABLE4 HOST("1") " 10.100.0.2/31 [k]\n" AGAIN " fd10::/32 [k]\n" AGAIN "0000 \n",
	        "10.100.0.1? " OK " .1=N0");
	read_is(DAEMON_QUERY_ROUTES, TABLE4 HOST("1") " nonsense [k]\n" AGAIN "0000 \n",
	        "10.100.0.1? " OK " .1=N0");
	read_is(DAEMON_QUERY_ROUTES, TABLE4 HOST("1") " nonsense[k]\n" AGAIN "0000 \n",
	        "10.100.0.1? " OK " .1=N0");
	snprintf(answer, sizeof(answer), TABLE4 HOST("1") "%s" AGAIN "0000 \n", long_word);
	read_is(DAEMON_QUERY_ROUTES, answer, "10.100.0.1? " OK " .1=N0");
	/* without a source it is no route: a next hop, say */
	read_is(DAEMON_QUERY_ROUTES, TABLE4 HOST("1") " 10.100.0.2/32 via x\n \tvia y\n0000 \n",
	        "10.100.0.1? " OK " .1=N0");
}

#define BROKEN_OFF "Resource temporarily unavailable v|p" REST
#define NO_TABLE   "Protocol error v|no table weir4 or the like: BIRD says "
#define NO_ROUTES  "Protocol error v|no list of routes: BIRD says "

static void lists_of_routes_end_as_their_code_says(void **state)
{
	(void)state;
	read_is(DAEMON_QUERY_ROUTES, "8001 Network not found\n", OK);
	read_is(DAEMON_QUERY_ROUTES, TABLE4 HOST("1") "8001 x\n", "10.100.0.1? " OK " .1=N0");
	read_is(DAEMON_QUERY_ROUTES, TABLE4 HOST("1") "8004 x\n",
	        "10.100.0.1? " BROKEN_OFF " .1=N0");
	read_is(DAEMON_QUERY_ROUTES, "8000 x\n", NO_TABLE "8000 x" REST);
	read_is(DAEMON_QUERY_ROUTES, "9001 y\n", NO_TABLE "9001 y" REST);
	read_is(DAEMON_QUERY_ROUTES, "7999 x\n", NO_ROUTES "7999 x" REST);
	read_is(DAEMON_QUERY_ROUTES, "1008-x\n0000 \n", NO_ROUTES "1008 x" REST);
	read_is(DAEMON_QUERY_ROUTES, "0001 x\n", NO_ROUTES "0001 x" REST);
	read_is(DAEMON_QUERY_EXPORTS,
	        "1007-Table master4:\n" HOST("1") HOST("9") HOST("2") "0000 \n",
	        "10.100.0.1? 10.100.0.9? 10.100.0.2? " OK " .1=2 .2=2");
	read_is(DAEMON_QUERY_EXPORTS, "8001 Network not found\n", OK);
	read_is(DAEMON_QUERY_EXPORTS, "8004 x\n", BROKEN_OFF);
	read_is(DAEMON_QUERY_EXPORTS, "8000 x\n", BROKEN_OFF);
	read_is(DAEMON_QUERY_EXPORTS, "9001 x\n", BROKEN_OFF);
	read_is(DAEMON_QUERY_EXPORTS, "1008-x\n0000 \n", NO_ROUTES "1008 x" REST);
}

SUITE(bird_answers)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_ends_with_a_space_after_its_code),
		cmocka_unit_test(each_question_has_its_text),
		cmocka_unit_test(greetings_and_restrictions),
		cmocka_unit_test(sessions_are_those_of_the_list),
		cmocka_unit_test(as_many_sessions_as_there_is_room_for),
		cmocka_unit_test(families_are_those_whose_channel_is_up),
		cmocka_unit_test(a_stamp_is_of_what_may_change_exports),
		cmocka_unit_test(routes_are_those_of_the_four_tables),
		cmocka_unit_test(a_blank_is_the_network_before),
		cmocka_unit_test(lists_of_routes_end_as_their_code_says),
	};

	return cmocka_run_group_tests_name("answers of BIRD", tests, NULL, NULL);
}
