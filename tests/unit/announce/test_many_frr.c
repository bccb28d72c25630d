/* SPDX-License-Identifier: BSD-2-Clause */
/* Thousands of prefixes, read back from a fake bgpd (announce/daemon_rows.c, announce/frr.c). */
#include "tests/unit/simulated_time.h"
#include "tests/unit/announce/many.h"
#include "tests/unit/suite.h"

#define TEXT_MAX (4u << 20)

static struct {
	uint64_t n_others, n_others6; /* routes of the main table that are not Weir's */
	uint64_t version;             /* of the main table */
	const char *list;             /* instead of a list, once */
	size_t n_longest;             /* prefixes of the longest list */
	unsigned list_us, alone_us;   /* so long it takes for a list, and for one prefix */
	const char *second;           /* how the second neighbour is called; NULL: 192.0.2.2 */
	unsigned n_more;              /* neighbours that are down */
	bool down, untold;            /* it is down; the version is not told */
} bgpd;

static char text[TEXT_MAX];
static size_t n_text;

static void put_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void put_text(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	n_text += (size_t)vsnprintf(text + n_text, TEXT_MAX - n_text, format, list);
	va_end(list);
	assert_true(n_text < TEXT_MAX);
}

static void put_path(bool *first, bool gshut, bool best)
{
	put_text("%s{\"valid\":true,\"sourced\":true,\"bestpath\":{\"overall\":%s}%s}",
	         *first ? "" : ",", best ? "true" : "false",
	         gshut ? ",\"community\":{\"list\":[\"gracefulShutdown\"]}" : "");
	*first = false;
}

static void put_paths(size_t i)
{
	bool first = true;

	if (world.normal[i])
		put_path(&first, false, true);
	if (world.gshut[i])
		put_path(&first, true, !world.normal[i]);
}

static const char *second_name(void)
{
	return bgpd.second ? bgpd.second : "192.0.2.2";
}

static void put_heading(size_t i)
{
	put_text("\"advertisedTo\":{");
	if (world.exported[i] & 1)
		put_text("\"192.0.2.1\":{}");
	if (world.exported[i] & 2 && !bgpd.down)
		put_text("%s\"%s\":{}", world.exported[i] & 1 ? "," : "", second_name());
	put_text("}");
}

static void answer_one(const struct prefix *net)
{
	size_t i = index_of(&net->addr);

	usleep(bgpd.alone_us); /* of the own clock: bgpd's work */
	put_text("{");
	if (i < world.n && (world.normal[i] || world.gshut[i])) {
		put_heading(i);
		put_text(",\"paths\":[");
		put_paths(i);
		put_text("]");
	}
	put_text("}\n");
}

static void answer_list(const struct prefix *net)
{
	size_t n = 0;

	usleep(bgpd.list_us); /* bgpd does nothing else for so long, which is what is tested */
	put_text("{\"routes\":{");
	for (size_t i = 0; i < world.n; i++) {
		struct addr vip = vip_of(i);
		char name[ADDR_TEXT_MAX];

		if (!prefix_has(net, &vip) || (!world.normal[i] && !world.gshut[i]))
			continue;
		put_text("%s\"%s/%d\":[{", n++ ? "," : "", addr_text(&vip, name),
		         addr_is4(&vip) ? 32 : 128);
		put_heading(i);
		put_text("},");
		put_paths(i);
		put_text("]");
	}
	put_text("}}\n");
	bgpd.n_longest = n > bgpd.n_longest ? n : bgpd.n_longest;
}

/* ribCount is of the tree's nodes: with those that branch, up to twice the routes less one. */
static void answer_summary(void)
{
	for (int four = 1; four >= 0; four--) {
		put_text("%s\"ipv%dUnicast\":{", four ? "{" : ",", four ? 4 : 6);
		if (!bgpd.untold)
			put_text("\"tableVersion\":%llu,", (unsigned long long)bgpd.version);
		put_text("\"ribCount\":%llu,\"peers\":{"
		         "\"192.0.2.1\":{\"state\":\"Established\",\"pfxSnt\":5},"
		         "\"%s\":{\"state\":\"%s\",\"pfxSnt\":5}",
		         (unsigned long long)(2 * ((world.n + (four ? 1 : 0)) / 2 +
		                                   (four ? bgpd.n_others : bgpd.n_others6)) -
		                              1),
		         second_name(), bgpd.down ? "Active" : "Established");
		for (unsigned i = 0; i < bgpd.n_more; i++)
			put_text(",\"192.0.3.%u\":{\"state\":\"Active\"}", i);
		put_text("}}");
	}
	put_text("}\n");
}

static void answer_frr(struct fake *f, const char *question)
{
	char word[ADDR_LONG_TEXT_MAX];
	struct prefix net;

	n_text = 0;
	trace_question(question);
	if (!strcmp(question, "show version")) {
		put_text("FRRouting 8.4.4 (lb1) on Linux(6.1.0).\n");
	} else if (!strcmp(question, "show bgp summary json")) {
		answer_summary();
	} else {
		assert_int_equal(sscanf(question, "show bgp ipv%*c unicast %55s", word), 1);
		assert_int_equal(prefix_parse(word, &net), 0);
		if (bgpd.list)
			put_text("%s", bgpd.list);
		else if (strstr(question, "longer-prefixes json detail"))
			answer_list(&net);
		else
			answer_one(&net);
		bgpd.list = NULL;
	}
	put_text("%c%c%c%c", 1, 1, 1, 1); /* room for the end */
	memset(text + n_text - 4, 0, 4);
	fake_say_bytes(f, text, n_text);
}

static struct fake *open_many(size_t n, uint64_t n_others)
{
	struct fake *f = fake_open(DAEMON_FRR, answer_frr, NULL);

	memset(&bgpd, 0, sizeof(bgpd));
	bgpd.version = 7;
	bgpd.n_others = bgpd.n_others6 = n_others;
	watch_many(f, n);
	fake_listen(f);
	return f;
}

static void all_prefixes_are_read_whole_in_time(void **state)
{
	(void)state;
	struct fake *f = open_many(MANY, 3);
	unsigned asked;

	for (size_t i = 0; i < MANY; i += 3)
		world.exported[i] = 3;
	world.normal[8] = false;
	world.gshut[8] = true;
	assert_true(fake_run(f, 10000, all_known));
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(route_of(f, i)->imported[DAEMON_NORMAL], i != 8);
		assert_int_equal(route_of(f, i)->imported[DAEMON_GSHUT], i == 8);
		assert_int_equal(route_of(f, i)->exported, i % 3 == 0 ? 3 : 1);
	}
	assert_in_range(bgpd.n_longest, 2, DAEMON_SPAN_MAX);
	asked = f->questions;
	for (int i = 0; i < 40; i++) { /* nothing proves that what was read is so still */
		bgpd.version++;
		fake_run(f, 100, NULL);
	}
	assert_in_range(oldest_ms(f), 0, 12500);       /* 15 s are too old */
	assert_in_range(f->questions - asked, 8, 150); /* a round a second at most */
	fake_close(f);
}

/* Among many other routes a list would keep bgpd from its other work. */
static void among_many_routes_each_prefix_is_asked_about_alone(void **state)
{
	(void)state;
	struct fake *f = open_many(300, 200000);
	unsigned asked;

	assert_true(fake_run(f, 8000, all_known));
	asked = f->questions;
	for (int i = 0; i < 30; i++) { /* nothing proves that what was read is so still */
		bgpd.version++;
		fake_run(f, 100, NULL);
	}
	assert_int_equal(bgpd.n_longest, 0);
	assert_in_range(f->questions - asked, 30, 180); /* 30 a second: 1 % of a core */
	fake_close(f);
}

/* One family alone has many routes: the lists of the other one keep their pace. */
static void lists_are_not_hurried_by_prefixes_asked_about_alone(void **state)
{
	(void)state;
	struct fake *f = open_many(1000, 200000);
	unsigned asked;

	bgpd.n_others6 = 0;
	assert_true(fake_run(f, 15000, all_known));
	fake_run(f, 1000, NULL);
	assert_in_range(bgpd.n_longest, 2, DAEMON_SPAN_MAX);
	asked = f->questions;
	fake_run(f, 3000, NULL);
	assert_in_range(count_asked(f, asked, "show bgp ipv6"), 1, 20);
	fake_close(f);
}

static bool all_proved(struct fake *f)
{
	return oldest_ms(f) < 1800;
}

static void a_table_that_does_not_change_proves_what_was_read(void **state)
{
	(void)state;
	struct fake *f = open_many(300, 200000);
	unsigned asked;

	assert_true(fake_run(f, 8000, all_known));
	asked = f->questions;
	fake_run(f, 2500, NULL);
	assert_in_range(oldest_ms(f), 0, 1800); /* although a round takes 10 s */
	assert_int_equal(count_asked(f, asked, "show bgp ipv"), 0); /* and nobody asks */
	bgpd.version++;
	world.exported[7] = 0;
	fake_run(f, 2500, NULL);
	assert_true(oldest_ms(f) > 1800); /* until the round has come by */
	assert_true(fake_run(f, 12000, all_proved));
	assert_int_equal(route_of(f, 7)->exported, 0);
	fake_close(f);
}

static bool all_shut(struct fake *f)
{
	for (size_t i = 0; i < world.n; i++)
		if (!route_of(f, i)->imported[DAEMON_GSHUT])
			return false;
	return true;
}

static void wait_for_all(struct fake *f)
{
	for (size_t i = 0; i < world.n; i++) {
		struct addr vip = vip_of(i);

		if (!route_of(f, i)->pending && !route_of(f, i)->imported[DAEMON_GSHUT])
			daemon_wait(f->daemon, &vip);
	}
}

static void a_move_of_a_thousand_takes_few_questions(void **state)
{
	(void)state;
	struct fake *f = open_many(1000, 3);
	uint64_t began_ms;
	unsigned asked;

	assert_true(fake_run(f, 5000, all_known));
	f->on_news = wait_for_all;
	asked = f->questions;
	began_ms = clock_mono_ms();
	hurry_all(f);
	for (size_t i = 0; i < 1000; i++) { /* bgpd takes its time */
		world.gshut[i] = true;
		if (i % 50 == 49)
			fake_run(f, 5, NULL);
	}
	assert_true(fake_run(f, 5000, all_shut));
	print_message("  %u questions in %llu ms\n", f->questions - asked,
	              (unsigned long long)(clock_mono_ms() - began_ms));
	assert_in_range(f->questions - asked, 4, 200);
	fake_close(f);
}

/* Of the time in which nothing is imported yet, bgpd has the larger part for itself. */
static void lists_in_vain_leave_bgpd_its_time(void **state)
{
	(void)state;
	struct fake *f = open_many(1000, 3);
	unsigned asked;

	assert_true(fake_run(f, 5000, all_known));
	f->on_news = wait_for_all;
	bgpd.list_us = 10000;
	hurry_all(f);
	asked = f->questions;
	fake_run(f, 600, NULL); /* of questions without a pause there would be 60 */
	assert_in_range(count_asked(f, asked, "show bgp ipv"), 6, 24);
	for (size_t i = 0; i < 1000; i++)
		world.gshut[i] = true;
	asked = f->questions;
	assert_true(fake_run(f, 1000,
	                     all_shut)); /* and when they show something, they follow each other */
	assert_in_range(count_asked(f, asked, "show bgp ipv"), 8, 16);
	fake_close(f);
}

static void a_stuck_move_is_asked_about_less_and_less(void **state)
{
	(void)state;
	static const uint64_t others[] = { 3, 200000 };

	for (size_t i = 0; i < 2; i++) {
		struct fake *f = open_many(300, others[i]);
		unsigned asked;

		assert_true(fake_run(f, 8000, all_known));
		f->on_news = wait_for_all;
		hurry_all(f);
		fake_run(f, 12000, NULL); /* a build with sanitizers is slow to come to rest */
		asked = f->questions;
		fake_run(f, 3000, NULL);
		print_message("  %u questions in 3 s\n", f->questions - asked);
		assert_in_range(f->questions - asked, 1, i ? 130 : 60); /* alone: the round's */
		fake_close(f);
	}
}

static void a_list_that_is_none_is_strange(void **state)
{
	(void)state;
	static const char *const lists[] = { "{}", "[]", "{\"routes\":[]}",
		                             "% BGP instance not found",
		                             "{\"routes\":{\"10.100.0.0/32\":[" };

	for (size_t i = 0; i < 5; i++) {
		struct fake *f = open_many(20, 3);

		print_message("  %s\n", lists[i]);
		bgpd.list = lists[i];
		assert_true(fake_run(f, 3000, fake_is_strange));
		assert_int_equal(route_of(f, 0)->at_ms, 0);
		fake_close(f);
	}
}

static struct fake *open_slow(size_t n, uint64_t n_others)
{
	struct fake *f = open_many(n, n_others);

	bgpd.list_us = 4000;
	bgpd.alone_us = 1000;
	return f;
}

/* What is asked and known in each step of a life; see below. */
static const char *const life[] = {
	"0 show version\n"
	"0 show bgp summary json\n"
	"0 = absent 0, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	"0 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"5 = answers 1, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 5 to 1 5;  never to 0 never; N 5 to 1 5;  never to 0 never; N 5 to 1 5\n"
	"44 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"48 = answers 44, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 48 to 1 48; N 4 to 1 4; N 48 to 1 48; N 4 to 1 4; N 48 to 1 48\n"
	"88 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"592 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"1000 show bgp summary json\n"
	"1096 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"1600 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"2000 show bgp summary json\n"
	"2104 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"2400 = answers 2396, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 296 to 1 296; N 400 to 1 400; N 296 to 1 296; N 400 to 1 400; N 296 to 1 296\n",
	"0 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"2 show bgp ipv4 unicast 10.100.0.2/32 json\n"
	"3 show bgp ipv6 unicast fd10::/128 json\n"
	"4 show bgp ipv6 unicast fd10::1/128 json\n"
	"5 = answers 2401, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; G 5 to 2 5; N 5 to 1 5; N 5 to 1 5; N 5 to 1 5; N 5 to 1 5\n"
	"208 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"600 show bgp summary json\n"
	"712 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"1216 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"1500 = answers 3896, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; G 788 to 2 788; N 284 to 1 284; N 788 to 1 788; N 284 to 1 284; N 788 to 1 788\n",
	"100 show bgp summary json\n"
	"100 = answers 3996, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 down; G 888 to 0 888; N 384 to 1 384; N 888 to 1 888; N 384 to 1 384; N 888 to 1 888\n"
	"220 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"724 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"1100 show bgp summary json\n"
	"1228 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"1500 = answers 5396, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 down; G 272 to 0 272; N 400 to 1 400; N 272 to 1 272; N 400 to 1 400; N 272 to 1 272\n",
	"232 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"600 show bgp summary json\n"
	"600 = answers 5996, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.7 up; G 872 to 0 never; N 368 to 0 never; N 872 to 0 never; N 368 to 0 never; N 872 to 0 never\n"
	"736 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"740 = answers 6136, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.7 up; G 4 to 2 4; N 508 to 0 never; N 4 to 1 4; N 508 to 0 never; N 4 to 1 4\n"
	"1240 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"1244 = answers 6640, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.7 up; G 508 to 2 508; N 4 to 1 4; N 508 to 1 508; N 4 to 1 4; N 508 to 1 508\n"
	"1500 = answers 6896, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.7 up; G 764 to 2 764; N 260 to 1 260; N 764 to 1 764; N 260 to 1 260; N 764 to 1 764\n",
	"100 show bgp summary json\n"
	"244 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"748 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"1100 show bgp summary json\n"
	"1252 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"1756 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"2100 show bgp summary json\n"
	"2260 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"2500 = answers 9396, round 1008, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.7 up; G 240 to 2 240; N 744 to 1 744; N 240 to 1 240; N 744 to 1 744; N 240 to 1 240\n",
	"0 = absent 0, round 0, stamp none, omitted 0;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	"500 show version\n"
	"500 show bgp summary json\n"
	"500 = absent 500, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.7 up;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	"500 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"505 = answers 1, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.7 up; G 5 to 2 5;  never to 0 never; N 5 to 1 5;  never to 0 never; N 5 to 1 5\n"
	"544 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"548 = answers 44, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.7 up; G 48 to 2 48; N 4 to 1 4; N 48 to 1 48; N 4 to 1 4; N 48 to 1 48\n"
	"588 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"1092 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"1500 show bgp summary json\n"
	"1596 show bgp ipv4 unicast 10.100.0.0/30 longer-prefixes json detail\n"
	"2100 show bgp ipv6 unicast fd10::/127 longer-prefixes json detail\n"
	"2400 = answers 1896, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.7 up; G 804 to 2 804; N 300 to 1 300; N 804 to 1 804; N 300 to 1 300; N 804 to 1 804\n",
};

/* Of each step: what changes, and for how long it is looked at. */
static void what_changes_is_asked_about_and_known(void **state)
{
	(void)state;
	struct fake *f = open_slow(5, 3);

	/* the start: a list for each family */
	trace_is(f, 2400, life[0]);
	/* one moves to the other table, and is exported to another one */
	world.normal[0] = false;
	world.gshut[0] = true;
	world.exported[0] = 2;
	bgpd.version++;
	hurry_all(f);
	trace_is(f, 1500, life[1]);
	/* a session ends */
	bgpd.down = true;
	trace_is(f, 1500, life[2]);
	/* another one is in its place */
	bgpd.down = false;
	bgpd.second = "192.0.2.7";
	trace_is(f, 1500, life[3]);
	/* the version is not told: nothing is proved */
	bgpd.untold = true;
	trace_is(f, 2500, life[4]);
	bgpd.untold = false;
	/* bgpd starts again */
	fake_hang_up(f);
	trace_is(f, 2400, life[5]);
	fake_close(f);
}

static void hurry_some(struct fake *f, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct addr vip = vip_of(2 * i);

		daemon_hurry(f->daemon, &vip);
	}
}

/* With urgent ones. */
static const char *const urgent[] = {
	"0 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"2 show bgp ipv4 unicast 10.100.0.2/32 json\n"
	"3 show bgp ipv4 unicast 10.100.0.3/32 json\n"
	"4 = answers 2400, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 4 to 1 4; N 404 to 1 404; N 4 to 1 4; N 404 to 1 404; N 4 to 1 4; N 404 to 1 404; N 4 to 1 4; N 404 to 1 404; N 300 to 1 300; N 404 to 1 404; N 300 to 1 300; N 404 to 1 404\n"
	"100 = answers 2496, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 100 to 1 100; N 500 to 1 500; N 100 to 1 100; N 500 to 1 500; N 100 to 1 100; N 500 to 1 500; N 100 to 1 100; N 500 to 1 500; N 396 to 1 396; N 500 to 1 500; N 396 to 1 396; N 500 to 1 500\n",
	"0 show bgp ipv4 unicast 10.100.0.0/29 longer-prefixes json detail\n"
	"4 = answers 2500, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 4 to 1 4; N 504 to 1 504; N 4 to 1 4; N 504 to 1 504; N 4 to 1 4; N 504 to 1 504; N 4 to 1 4; N 504 to 1 504; N 4 to 1 4; N 504 to 1 504; N 4 to 1 4; N 504 to 1 504\n"
	"100 = answers 2596, round 1008, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 100 to 1 100; N 600 to 1 600; N 100 to 1 100; N 600 to 1 600; N 100 to 1 100; N 600 to 1 600; N 100 to 1 100; N 600 to 1 600; N 100 to 1 100; N 600 to 1 600; N 100 to 1 100; N 600 to 1 600\n",
	"0 show bgp ipv4 unicast 10.100.0.0/29 longer-prefixes json detail\n"
	"40 = answers 2636, round 1040, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 40 to 1 40; N 640 to 1 640; N 40 to 1 40; N 640 to 1 640; N 40 to 1 40; N 640 to 1 640; N 40 to 1 40; N 640 to 1 640; N 40 to 1 40; N 640 to 1 640; N 40 to 1 40; N 640 to 1 640\n"
	"40 show bgp ipv6 unicast fd10::/125 longer-prefixes json detail\n"
	"80 = answers 2676, round 1040, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 80 to 1 80; N 40 to 1 40; N 80 to 1 80; N 40 to 1 40; N 80 to 1 80; N 40 to 1 40; N 80 to 1 80; N 40 to 1 40; N 80 to 1 80; N 40 to 1 40; N 80 to 1 80; N 40 to 1 40\n",
	"40 show bgp ipv4 unicast 10.100.0.0/29 longer-prefixes json detail\n"
	"80 = answers 2756, round 1040, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; G 40 to 1 40; N 120 to 1 120; N 40 to 1 40; N 120 to 1 120; G 40 to 1 40; N 120 to 1 120; N 40 to 1 40; N 120 to 1 120; G 40 to 1 40; N 120 to 1 120; N 40 to 1 40; N 120 to 1 120\n"
	"200 = answers 2876, round 1040, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; G 160 to 1 160; N 240 to 1 240; N 160 to 1 160; N 240 to 1 240; G 160 to 1 160; N 240 to 1 240; N 160 to 1 160; N 240 to 1 240; G 160 to 1 160; N 240 to 1 240; N 160 to 1 160; N 240 to 1 240\n",
	"800 show bgp ipv4 unicast 10.100.0.0/29 longer-prefixes json detail\n"
	"1500 = answers 5276, round 1040, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; G 700 to 1 700; N 700 to 1 700; N 700 to 1 700; N 700 to 1 700; G 700 to 1 700; N 700 to 1 700; N 700 to 1 700; N 700 to 1 700; G 700 to 1 700; N 700 to 1 700; N 700 to 1 700; N 700 to 1 700\n"
	"2900 show bgp ipv4 unicast 10.100.0.0/29 longer-prefixes json detail\n"
	"3600 = answers 7376, round 1040, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; G 700 to 1 700; N 800 to 1 800; N 700 to 1 700; N 800 to 1 800; G 700 to 1 700; N 800 to 1 800; N 700 to 1 700; N 800 to 1 800; G 700 to 1 700; N 800 to 1 800; N 700 to 1 700; N 800 to 1 800\n",
};

/* Four urgent ones are asked about one by one, five by a list, and by the next one later if that was in vain. */
static void many_urgent_ones_are_listed(void **state)
{
	(void)state;
	struct fake *f = open_slow(12, 3);

	fake_run(f, 2400, NULL);
	trace.only = "show bgp ipv";
	hurry_some(f, 4);
	trace_is(f, 100, urgent[0]);
	hurry_some(f, 5);
	trace_is(f, 100, urgent[1]);
	bgpd.list_us = 40000;
	hurry_some(f, 6);
	trace_is(f, 41, urgent[2]);
	for (size_t i = 0; i < 6; i += 2) { /* half of them move */
		world.normal[2 * i] = false;
		world.gshut[2 * i] = true;
	}
	hurry_some(f, 6);
	trace_is(f, 200, urgent[3]);
	bgpd.list_us = 700000;
	hurry_some(f, 6);
	fake_run(f, 900, NULL);
	hurry_some(f, 6); /* a second later at most */
	trace_is(f, 3000, urgent[4]);
	trace.only = NULL;
	fake_close(f);
}

/* Blocks of at most DAEMON_SPAN_MAX prefixes, as long as those allow; and no longer than a family. */
static void a_round_is_of_blocks(void **state)
{
	(void)state;
	static const size_t sizes[] = { 256, 257, 600 };
	static const char *const rounds[] = {
		"0 = absent 0, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"0 show bgp ipv4 unicast 10.100.0.0/25 longer-prefixes json detail\n"
		"5 = answers 1, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"44 show bgp ipv6 unicast fd10::/121 longer-prefixes json detail\n"
		"48 = answers 44, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"88 show bgp ipv4 unicast 10.100.0.0/25 longer-prefixes json detail\n"
		"592 show bgp ipv6 unicast fd10::/121 longer-prefixes json detail\n"
		"1096 show bgp ipv4 unicast 10.100.0.0/25 longer-prefixes json detail\n"
		"1500 = answers 1496, round 548, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n",
		"0 = absent 0, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"0 show bgp ipv4 unicast 10.100.0.0/25 longer-prefixes json detail\n"
		"5 = answers 1, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"44 show bgp ipv4 unicast 10.100.0.128/32 json\n"
		"45 = answers 41, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"55 show bgp ipv6 unicast fd10::/121 longer-prefixes json detail\n"
		"59 = answers 55, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"99 show bgp ipv4 unicast 10.100.0.0/25 longer-prefixes json detail\n"
		"503 show bgp ipv4 unicast 10.100.0.128/32 json\n"
		"837 show bgp ipv6 unicast fd10::/121 longer-prefixes json detail\n"
		"1241 show bgp ipv4 unicast 10.100.0.0/25 longer-prefixes json detail\n"
		"1500 = answers 1496, round 782, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n",
		"0 = absent 0, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"0 show bgp ipv4 unicast 10.100.0.0/25 longer-prefixes json detail\n"
		"5 = answers 1, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"44 show bgp ipv4 unicast 10.100.0.128/25 longer-prefixes json detail\n"
		"48 = answers 44, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"88 show bgp ipv4 unicast 10.100.1.0/26 longer-prefixes json detail\n"
		"92 = answers 88, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"132 show bgp ipv6 unicast fd10::/121 longer-prefixes json detail\n"
		"136 = answers 132, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"176 show bgp ipv6 unicast fd10::80/121 longer-prefixes json detail\n"
		"180 = answers 176, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"220 show bgp ipv6 unicast fd10::100/122 longer-prefixes json detail\n"
		"224 = answers 220, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
		"264 show bgp ipv4 unicast 10.100.0.0/25 longer-prefixes json detail\n"
		"668 show bgp ipv4 unicast 10.100.0.128/25 longer-prefixes json detail\n"
		"1072 show bgp ipv4 unicast 10.100.1.0/26 longer-prefixes json detail\n"
		"1476 show bgp ipv6 unicast fd10::/121 longer-prefixes json detail\n"
		"1500 = answers 1496, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	};

	trace.only = "show bgp ipv";
	for (size_t i = 0; i < 3; i++) {
		struct fake *f = open_slow(sizes[i], 3);

		trace_is(f, 1500, rounds[i]);
		fake_close(f);
	}
	trace.only = NULL;
}

/* With 256 others there are lists, with 257 none; bgpd's count is of up to twice as many nodes. */
static void other_routes_end_the_lists(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct fake *f = open_slow(7, 256);

		bgpd.n_others += i % 2;
		bgpd.n_others6 += i / 2;
		fake_run(f, 2000, NULL);
		assert_int_equal(count_asked(f, 0, "show bgp ipv4 unicast 10.100.0.0/30 longer") >
		                         0,
		                 i % 2 == 0);
		assert_int_equal(count_asked(f, 0, "show bgp ipv4 unicast 10.100.0.3/32 json") > 0,
		                 i % 2);
		assert_int_equal(count_asked(f, 0, "show bgp ipv6 unicast fd10::/126 longer") > 0,
		                 i / 2 == 0);
		assert_int_equal(count_asked(f, 0, "show bgp ipv6 unicast fd10::2/128 json") > 0,
		                 i / 2);
		fake_close(f);
	}
}

/* Among many other routes. */
static const char *const alone[] = {
	"0 show version\n"
	"0 show bgp summary json\n"
	"0 = absent 0, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  never to 0 never;  never to 0 never;  never to 0 never\n"
	"0 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"4 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"5 = answers 4, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 5 to 1 5;  never to 0 never; N 1 to 1 1\n"
	"8 show bgp ipv6 unicast fd10::/128 json\n"
	"10 = answers 9, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 10 to 1 10; N 2 to 1 2; N 6 to 1 6\n"
	"108 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"145 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"182 show bgp ipv6 unicast fd10::/128 json\n"
	"219 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"256 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"293 show bgp ipv6 unicast fd10::/128 json\n"
	"297 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"334 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"371 show bgp ipv6 unicast fd10::/128 json\n"
	"400 = answers 399, round 4, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 103 to 1 103; N 29 to 1 29; N 66 to 1 66\n",
	"8 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"45 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"82 show bgp ipv6 unicast fd10::/128 json\n"
	"119 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"156 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"193 show bgp ipv6 unicast fd10::/128 json\n"
	"197 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"234 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"271 show bgp ipv6 unicast fd10::/128 json\n"
	"308 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"345 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"382 show bgp ipv6 unicast fd10::/128 json\n"
	"419 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"456 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"460 show bgp ipv6 unicast fd10::/128 json\n"
	"497 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"534 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"571 show bgp ipv6 unicast fd10::/128 json\n"
	"600 show bgp summary json\n"
	"608 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"612 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"616 show bgp ipv6 unicast fd10::/128 json\n"
	"716 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"753 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"757 show bgp ipv6 unicast fd10::/128 json\n"
	"794 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"831 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"868 show bgp ipv6 unicast fd10::/128 json\n"
	"905 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"942 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"979 show bgp ipv6 unicast fd10::/128 json\n"
	"1016 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1020 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1057 show bgp ipv6 unicast fd10::/128 json\n"
	"1094 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1131 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1168 show bgp ipv6 unicast fd10::/128 json\n"
	"1205 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1242 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1279 show bgp ipv6 unicast fd10::/128 json\n"
	"1283 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1300 = answers 1699, round 8, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 17 to 1 17; N 21 to 1 21; N 58 to 1 58\n",
	"0 show bgp ipv6 unicast fd10::/128 json\n"
	"34 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"68 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"102 show bgp ipv6 unicast fd10::/128 json\n"
	"136 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"170 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"204 show bgp ipv6 unicast fd10::/128 json\n"
	"238 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"250 = answers 2549, round 102, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 12 to 1 12; N 46 to 1 46; N 80 to 1 80\n",
	"0 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"3 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"6 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"7 show bgp ipv6 unicast fd10::/128 json\n"
	"11 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"12 show bgp ipv6 unicast fd10::/128 json\n"
	"13 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"21 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"22 show bgp ipv6 unicast fd10::/128 json\n"
	"32 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"41 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"45 show bgp ipv6 unicast fd10::/128 json\n"
	"66 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"79 show bgp ipv6 unicast fd10::/128 json\n"
	"83 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"117 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"154 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"159 show bgp ipv6 unicast fd10::/128 json\n"
	"191 show bgp ipv6 unicast fd10::/128 json\n"
	"195 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"232 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"269 show bgp ipv6 unicast fd10::/128 json\n"
	"306 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"343 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"380 show bgp ipv6 unicast fd10::/128 json\n"
	"417 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"454 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"458 show bgp ipv6 unicast fd10::/128 json\n"
	"495 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"532 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"569 show bgp ipv6 unicast fd10::/128 json\n"
	"606 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"643 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"680 show bgp ipv6 unicast fd10::/128 json\n"
	"717 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"721 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"758 show bgp ipv6 unicast fd10::/128 json\n"
	"795 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"832 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"869 show bgp ipv6 unicast fd10::/128 json\n"
	"906 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"943 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"980 show bgp ipv6 unicast fd10::/128 json\n"
	"984 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1021 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1058 show bgp ipv6 unicast fd10::/128 json\n"
	"1095 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1132 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1169 show bgp ipv6 unicast fd10::/128 json\n"
	"1206 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1243 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1280 show bgp ipv6 unicast fd10::/128 json\n"
	"1284 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1321 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1358 show bgp ipv6 unicast fd10::/128 json\n"
	"1395 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1432 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1469 show bgp ipv6 unicast fd10::/128 json\n"
	"1506 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1543 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1547 show bgp ipv6 unicast fd10::/128 json\n"
	"1584 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1621 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1658 show bgp ipv6 unicast fd10::/128 json\n"
	"1695 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1732 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1769 show bgp ipv6 unicast fd10::/128 json\n"
	"1806 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1810 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1847 show bgp ipv6 unicast fd10::/128 json\n"
	"1884 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"1921 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"1958 show bgp ipv6 unicast fd10::/128 json\n"
	"1995 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"2032 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"2036 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"2073 show bgp ipv6 unicast fd10::/128 json\n"
	"2077 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"2081 show bgp ipv6 unicast fd10::/128 json\n"
	"2181 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"2185 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	"2189 show bgp ipv6 unicast fd10::/128 json\n"
	"2223 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	"2300 = answers 7849, round 33, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 77 to 1 77; N 111 to 1 111; N 115 to 1 115\n",
};

/* Among many: soon after a change, then each 33 ms; and while nothing changes nobody is asked about. */
static void those_asked_about_alone_have_their_pace(void **state)
{
	(void)state;
	struct fake *f = open_slow(3, 200000);

	trace_is(f, 400, alone[0]);
	bgpd.version++;
	trace_is(f, 1300, alone[1]);
	bgpd.untold = true;
	trace.only = "show bgp ipv";
	fake_run(f, 600, NULL);
	trace_is(f, 250, alone[2]);
	bgpd.untold = false;
	fake_run(f, 3000, NULL);
	f->on_news = wait_for_all;
	hurry_some(f, 1);
	trace_is(f, 2300, alone[3]);
	trace.only = NULL;
	fake_close(f);
}

/* Lists of which nothing has changed have a quarter of a round between them, however many there are. */
static void calm_lists_are_slow(void **state)
{
	(void)state;
	struct fake *f = open_slow(1200, 3);

	bgpd.list_us = 40000;
	fake_run(f, 30000, NULL);
	trace.only = "show bgp ipv";
	trace_is(
	        f, 12000,
	        "2340 show bgp ipv4 unicast 10.100.0.128/25 longer-prefixes json detail\n"
	        "4880 show bgp ipv4 unicast 10.100.1.0/25 longer-prefixes json detail\n"
	        "7420 show bgp ipv4 unicast 10.100.1.128/25 longer-prefixes json detail\n"
	        "9960 show bgp ipv4 unicast 10.100.2.0/25 longer-prefixes json detail\n"
	        "12000 = answers 41960, round 23300, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n");
	bgpd.untold = true; /* and none is calm */
	fake_run(f, 3000, NULL);
	trace_is(
	        f, 6000,
	        "620 show bgp ipv6 unicast fd10::180/121 longer-prefixes json detail\n"
	        "1660 show bgp ipv6 unicast fd10::200/121 longer-prefixes json detail\n"
	        "2700 show bgp ipv4 unicast 10.100.0.0/25 longer-prefixes json detail\n"
	        "3740 show bgp ipv4 unicast 10.100.0.128/25 longer-prefixes json detail\n"
	        "4780 show bgp ipv4 unicast 10.100.1.0/25 longer-prefixes json detail\n"
	        "5820 show bgp ipv4 unicast 10.100.1.128/25 longer-prefixes json detail\n"
	        "6000 = answers 50960, round 19400, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n");
	trace.only = NULL;
	fake_close(f);
}

static void note_and_wait(struct fake *f)
{
	trace_news(f);
	wait_for_all(f);
}

/* Its credit, and what had waited long, are forgotten. */
static void a_life_leaves_nothing_to_the_next(void **state)
{
	(void)state;
	struct fake *f = open_slow(4, 200000);

	fake_run(f, 3000, NULL);
	f->on_news = note_and_wait;
	world.normal[0] = world.normal[2] = false;
	hurry_some(f, 2);
	fake_run(f, 1100, NULL);
	hurry_some(f, 1);
	bgpd.version++;
	fake_hang_up(f);
	trace_is(
	        f, 720,
	        "0 = absent 0, round 0, stamp none, omitted 0;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "500 show version\n"
	        "500 show bgp summary json\n"
	        "500 = absent 500, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "500 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "501 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "502 show bgp ipv6 unicast fd10::/128 json\n"
	        "503 show bgp ipv6 unicast fd10::1/128 json\n"
	        "504 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "505 = answers 1, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  1 to 0 1; N 5 to 1 5;  5 to 0 5; N 5 to 1 5\n"
	        "541 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "542 = answers 38, round 0, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  38 to 0 38; N 42 to 1 42;  1 to 0 1; N 42 to 1 42\n"
	        "578 show bgp ipv6 unicast fd10::/128 json\n"
	        "579 = answers 75, round 37, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  75 to 0 75; N 1 to 1 1;  38 to 0 38; N 79 to 1 79\n"
	        "615 show bgp ipv6 unicast fd10::1/128 json\n"
	        "616 = answers 112, round 33, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  112 to 0 112; N 38 to 1 38;  75 to 0 75; N 1 to 1 1\n"
	        "652 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "653 = answers 149, round 4, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  1 to 0 1; N 75 to 1 75;  112 to 0 112; N 38 to 1 38\n"
	        "689 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "690 = answers 186, round 37, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  38 to 0 38; N 112 to 1 112;  1 to 0 1; N 75 to 1 75\n"
	        "693 show bgp ipv6 unicast fd10::/128 json\n"
	        "695 = answers 191, round 37, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  43 to 0 43; N 2 to 1 2;  6 to 0 6; N 80 to 1 80\n"
	        "720 = answers 216, round 41, stamp is, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  68 to 0 68; N 27 to 1 27;  31 to 0 31; N 105 to 1 105\n");
	f->on_news = trace_news;
	bgpd.untold = true; /* nothing is saved up */
	fake_run(f, 2000, NULL);
	fake_hang_up(f);
	trace_is(
	        f, 560,
	        "0 = absent 0, round 0, stamp none, omitted 0;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "500 show version\n"
	        "500 show bgp summary json\n"
	        "500 = absent 500, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "500 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "504 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "505 = answers 4, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  5 to 0 5;  never to 0 never;  1 to 0 1;  never to 0 never\n"
	        "508 show bgp ipv6 unicast fd10::/128 json\n"
	        "510 = answers 9, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  10 to 0 10; N 2 to 1 2;  6 to 0 6;  never to 0 never\n"
	        "512 show bgp ipv6 unicast fd10::1/128 json\n"
	        "515 = answers 14, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  15 to 0 15; N 7 to 1 7;  11 to 0 11; N 3 to 1 3\n"
	        "546 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "560 = answers 59, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up;  14 to 0 14; N 52 to 1 52;  56 to 0 56; N 48 to 1 48\n");
	fake_close(f);
}

/* What was saved up, and spent, in a life is not that of the next. */
static void each_life_has_its_credit(void **state)
{
	(void)state;
	struct fake *f = open_slow(20, 200000);

	bgpd.untold = true;
	fake_run(f, 3000, NULL);
	fake_hang_up(f);
	trace_is(f, 650,
	         "0 = absent 0, round 0, stamp none, omitted 0\n"
	         "500 show version\n"
	         "500 show bgp summary json\n"
	         "500 = absent 500, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "500 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	         "504 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	         "505 = answers 4, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "508 show bgp ipv4 unicast 10.100.0.2/32 json\n"
	         "510 = answers 9, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "512 show bgp ipv4 unicast 10.100.0.3/32 json\n"
	         "515 = answers 14, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "516 show bgp ipv4 unicast 10.100.0.4/32 json\n"
	         "520 = answers 19, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "520 show bgp ipv4 unicast 10.100.0.5/32 json\n"
	         "524 show bgp ipv4 unicast 10.100.0.6/32 json\n"
	         "525 = answers 24, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "528 show bgp ipv4 unicast 10.100.0.7/32 json\n"
	         "530 = answers 29, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "532 show bgp ipv4 unicast 10.100.0.8/32 json\n"
	         "535 = answers 34, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "536 show bgp ipv4 unicast 10.100.0.9/32 json\n"
	         "540 = answers 39, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "540 show bgp ipv6 unicast fd10::/128 json\n"
	         "544 show bgp ipv6 unicast fd10::1/128 json\n"
	         "545 = answers 44, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "548 show bgp ipv6 unicast fd10::2/128 json\n"
	         "550 = answers 49, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "552 show bgp ipv6 unicast fd10::3/128 json\n"
	         "555 = answers 54, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "556 show bgp ipv6 unicast fd10::4/128 json\n"
	         "560 = answers 59, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "560 show bgp ipv6 unicast fd10::5/128 json\n"
	         "564 show bgp ipv6 unicast fd10::6/128 json\n"
	         "565 = answers 64, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "568 show bgp ipv6 unicast fd10::7/128 json\n"
	         "570 = answers 69, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "572 show bgp ipv6 unicast fd10::8/128 json\n"
	         "575 = answers 74, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "576 show bgp ipv6 unicast fd10::9/128 json\n"
	         "580 = answers 79, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n"
	         "580 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	         "584 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	         "618 show bgp ipv4 unicast 10.100.0.2/32 json\n"
	         "650 = answers 149, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up\n");
	fake_close(f);
}

/* With more neighbours than there is room for, who gets nothing may be exported to the others. */
static void what_is_omitted_leaves_no_unknown(void **state)
{
	(void)state;
	struct fake *f = open_slow(3, 3);

	bgpd.n_more = DAEMON_NEIGHBOURS_MAX - 1;
	world.exported[1] = 0;
	fake_run(f, 3300, NULL);
	assert_true(daemon_facts(f->daemon)->n_omitted > 0);
	assert_true(route_of(f, 0)->exported_at_ms && route_of(f, 2)->exported_at_ms);
	assert_true(route_of(f, 1)->at_ms && !route_of(f, 1)->exported_at_ms);
	bgpd.n_more--;
	fake_run(f, 4000, NULL);
	assert_int_equal(daemon_facts(f->daemon)->n_omitted, 0);
	assert_true(route_of(f, 1)->exported_at_ms);
	fake_close(f);
}

/* Whether they are asked about alone depends on how many there are; the round begins again. */
static void others_are_watched_in_a_round(void **state)
{
	(void)state;
	struct fake *f = open_slow(6, 257);

	fake_run(f, 2400, NULL);
	trace.only = "show bgp ipv";
	bgpd.untold = true;
	bgpd.n_others = bgpd.n_others6 = 260;
	fake_run(f, 1050, NULL);
	trace_is(
	        f, 200,
	        "13 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "47 show bgp ipv4 unicast 10.100.0.2/32 json\n"
	        "81 show bgp ipv6 unicast fd10::/128 json\n"
	        "85 show bgp ipv6 unicast fd10::1/128 json\n"
	        "119 show bgp ipv6 unicast fd10::2/128 json\n"
	        "153 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "187 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "200 = answers 3649, round 174, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 47 to 1 47; N 119 to 1 119; N 13 to 1 13; N 115 to 1 115; N 153 to 1 153; N 81 to 1 81\n");
	watch_many(f, 12); /* a list in its first round */
	trace_is(
	        f, 90,
	        "21 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "25 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "29 show bgp ipv4 unicast 10.100.0.2/32 json\n"
	        "33 show bgp ipv4 unicast 10.100.0.3/32 json\n"
	        "34 = answers 3683, round 174, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 13 to 1 13; N 153 to 1 153; N 9 to 1 9; N 149 to 1 149; N 5 to 1 5; N 115 to 1 115; N 1 to 1 1;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "37 show bgp ipv4 unicast 10.100.0.4/32 json\n"
	        "39 = answers 3688, round 174, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 18 to 1 18; N 158 to 1 158; N 14 to 1 14; N 154 to 1 154; N 10 to 1 10; N 120 to 1 120; N 6 to 1 6;  never to 0 never; N 2 to 1 2;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "41 show bgp ipv4 unicast 10.100.0.5/32 json\n"
	        "44 = answers 3693, round 174, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 23 to 1 23; N 163 to 1 163; N 19 to 1 19; N 159 to 1 159; N 15 to 1 15; N 125 to 1 125; N 11 to 1 11;  never to 0 never; N 7 to 1 7;  never to 0 never; N 3 to 1 3;  never to 0 never\n"
	        "45 show bgp ipv6 unicast fd10::/128 json\n"
	        "49 show bgp ipv6 unicast fd10::1/128 json\n"
	        "53 show bgp ipv6 unicast fd10::2/128 json\n"
	        "57 show bgp ipv6 unicast fd10::3/128 json\n"
	        "58 = answers 3707, round 174, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 37 to 1 37; N 13 to 1 13; N 33 to 1 33; N 9 to 1 9; N 29 to 1 29; N 5 to 1 5; N 25 to 1 25; N 1 to 1 1; N 21 to 1 21;  never to 0 never; N 17 to 1 17;  never to 0 never\n"
	        "61 show bgp ipv6 unicast fd10::4/128 json\n"
	        "63 = answers 3712, round 174, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 42 to 1 42; N 18 to 1 18; N 38 to 1 38; N 14 to 1 14; N 34 to 1 34; N 10 to 1 10; N 30 to 1 30; N 6 to 1 6; N 26 to 1 26; N 2 to 1 2; N 22 to 1 22;  never to 0 never\n"
	        "65 show bgp ipv6 unicast fd10::5/128 json\n"
	        "68 = answers 3717, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 47 to 1 47; N 23 to 1 23; N 43 to 1 43; N 19 to 1 19; N 39 to 1 39; N 15 to 1 15; N 35 to 1 35; N 11 to 1 11; N 31 to 1 31; N 7 to 1 7; N 27 to 1 27; N 3 to 1 3\n"
	        "69 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "73 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "90 = answers 3739, round 0, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 21 to 1 21; N 45 to 1 45; N 17 to 1 17; N 41 to 1 41; N 61 to 1 61; N 37 to 1 37; N 57 to 1 57; N 33 to 1 33; N 53 to 1 53; N 29 to 1 29; N 49 to 1 49; N 25 to 1 25\n");
	watch_many(f, 3);
	trace_is(
	        f, 200,
	        "17 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "21 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "25 show bgp ipv6 unicast fd10::/128 json\n"
	        "59 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "93 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "127 show bgp ipv6 unicast fd10::/128 json\n"
	        "161 show bgp ipv4 unicast 10.100.0.0/32 json\n"
	        "195 show bgp ipv4 unicast 10.100.0.1/32 json\n"
	        "200 = answers 3939, round 102, stamp none, omitted 0; 192.0.2.1 up, 192.0.2.2 up; N 39 to 1 39; N 73 to 1 73; N 5 to 1 5\n");
	trace.only = NULL;
	fake_close(f);
}

SUITE(many_frr)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_prefixes_are_read_whole_in_time),
		cmocka_unit_test(among_many_routes_each_prefix_is_asked_about_alone),
		cmocka_unit_test(lists_are_not_hurried_by_prefixes_asked_about_alone),
		cmocka_unit_test(a_table_that_does_not_change_proves_what_was_read),
		cmocka_unit_test(a_move_of_a_thousand_takes_few_questions),
		cmocka_unit_test(lists_in_vain_leave_bgpd_its_time),
		cmocka_unit_test(a_stuck_move_is_asked_about_less_and_less),
		cmocka_unit_test(a_list_that_is_none_is_strange),
		cmocka_unit_test(what_changes_is_asked_about_and_known),
		cmocka_unit_test(many_urgent_ones_are_listed),
		cmocka_unit_test(a_round_is_of_blocks),
		cmocka_unit_test(other_routes_end_the_lists),
		cmocka_unit_test(those_asked_about_alone_have_their_pace),
		cmocka_unit_test(calm_lists_are_slow),
		cmocka_unit_test(a_life_leaves_nothing_to_the_next),
		cmocka_unit_test(each_life_has_its_credit),
		cmocka_unit_test(what_is_omitted_leaves_no_unknown),
		cmocka_unit_test(others_are_watched_in_a_round),
	};

	simulated_time();
	return cmocka_run_group_tests_name("many prefixes, FRR", tests, NULL, NULL);
}
