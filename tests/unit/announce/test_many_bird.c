/* SPDX-License-Identifier: BSD-2-Clause */
/* Thousands of prefixes, read back from a fake BIRD (announce/daemon_rows.c, announce/daemon_exports.c). */
#include "tests/unit/simulated_time.h"
#include "tests/unit/announce/many.h"
#include "tests/unit/suite.h"

#define GREETING  "0001 BIRD 2.0.12 ready.\n"
#define SESSIONS  64u
#define TEXT_MAX  (2u << 20)
#define NO_TABLES "9001 No valid tables\n"

static struct {
	unsigned n;                /* BGP sessions, r0 .. */
	unsigned first;            /* or from this number on */
	bool down[SESSIONS];       /* by its number */
	bool six[SESSIONS];        /* it carries IPv6 as well; all carry IPv4 */
	unsigned counts[SESSIONS]; /* exports that it accepted, */
	unsigned ends[SESSIONS];   /* and withdrawals */
	const char *exports;       /* the answer to each question about exports; NULL: the truth */
	const char *tables;        /* likewise about tables, once */
	unsigned tables_us, exports_us;    /* so long an answer takes */
	void (*meanwhile)(struct fake *f); /* once, while an answer about tables is made */
} sessions;

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

static void put_route(size_t i)
{
	struct addr vip = vip_of(i);
	char name[ADDR_TEXT_MAX];

	put_text(" %s/%d        blackhole [weir_kernel 07:23:37.930] * (10)\n",
	         addr_text(&vip, name), addr_is4(&vip) ? 32 : 128);
}

/* Of one family (4, 6), or of one prefix. */
static void answer_tables(const char *question)
{
	char name[ADDR_TEXT_MAX];
	struct addr vip;
	int family = strstr(question, "table weir4") ? 4 : 6;
	size_t only = MANY;

	if (sscanf(question, "show route %45[^/ ]/", name) == 1 && !addr_parse(name, &vip))
		only = index_of(&vip);
	for (int gshut = 0; gshut < 2; gshut++) {
		put_text(gshut ? " Table weir_gshut%d:\n" : "1007-Table weir%d:\n", family);
		for (size_t i = family == 6; i < world.n; i += 2)
			if ((only == MANY || only == i) &&
			    (gshut ? world.gshut[i] : world.normal[i]))
				put_route(i);
	}
	put_text("0000 \n");
}

static void answer_exports(unsigned neighbour)
{
	put_text("1007-Table master4:\n 203.0.113.7/32       unicast [static1 07:23] * (200)\n"
	         " \tvia 192.0.2.9 on eth0\n");
	for (size_t i = 0; i < world.n; i++)
		if (neighbour < 32 && world.exported[i] & 1u << neighbour &&
		    (i % 2 == 0 || sessions.six[neighbour]))
			put_route(i);
	put_text("0000 \n");
}

static void answer_protocols(void)
{
	put_text("2002-Name       Proto      Table      State  Since         Info\n");
	for (unsigned i = 0; i < sessions.n; i++)
		put_text("%sr%u  BGP        ---        %s     07:23:33.788  %s\n",
		         i ? " " : "1002-", sessions.first + i, sessions.down[i] ? "start" : "up",
		         sessions.down[i] ? "Active" : "Established");
	put_text("0000 \n");
}

static void answer_channels(unsigned i)
{
	put_text("2002-Name       Proto      Table      State  Since         Info\n"
	         "1002-r%u  BGP        ---        up     07:23:33.788  Established\n"
	         "1006-  Channel ipv4\n     State:          UP\n"
	         "       Export updates:      %u          7          0        ---         %u\n"
	         "       Export withdraws:    %u        ---        ---        ---         %u\n"
	         "   Channel ipv6\n     State:          %s\n \n0000 \n",
	         sessions.first + i, sessions.counts[i] + 7, sessions.counts[i], sessions.ends[i],
	         sessions.ends[i], sessions.six[i] ? "UP" : "DOWN");
}

static void answer_bird(struct fake *f, const char *question)
{
	const bool is_route = strncmp(question, "show route", 10) == 0;
	void (*meanwhile)(struct fake *) = is_route ? sessions.meanwhile : NULL;
	unsigned i, work_us = 0;

	n_text = 0;
	trace_question(question);
	if (is_route)
		work_us = strstr(question, "exported") ? sessions.exports_us : sessions.tables_us;
	usleep(work_us); /* of the own clock: the daemon's work */
	if (meanwhile) {
		sessions.meanwhile = NULL;
		meanwhile(f);
	}
	if (!strcmp(question, "restrict")) {
		put_text("0016 Access restricted\n");
	} else if (!strcmp(question, "show protocols")) {
		answer_protocols();
	} else if (sscanf(question, "show protocols all r%u", &i) == 1) {
		answer_channels(i - sessions.first);
	} else if (sscanf(question, "show route exported r%u", &i) == 1) {
		if (sessions.exports)
			put_text("%s", sessions.exports);
		else
			answer_exports(i - sessions.first);
	} else if (sessions.tables) {
		put_text("%s", sessions.tables);
		sessions.tables = NULL;
	} else {
		answer_tables(question);
	}
	fake_say_bytes(f, text, n_text);
}

static struct fake *open_many(size_t n)
{
	struct fake *f = fake_open(DAEMON_BIRD, answer_bird, GREETING);

	memset(&sessions, 0, sizeof(sessions));
	sessions.n = 2;
	sessions.six[0] = true;
	watch_many(f, n);
	fake_listen(f);
	return f;
}

static void all_prefixes_are_read_whole_in_time(void **state)
{
	(void)state;
	struct fake *f = open_many(MANY);
	unsigned asked;

	for (size_t i = 0; i < MANY; i += 3)
		world.exported[i] = 3;
	assert_true(fake_run(f, 10000, all_known));
	for (size_t i = 0; i < MANY; i++) {
		assert_true(route_of(f, i)->imported[DAEMON_NORMAL]);
		assert_false(route_of(f, i)->imported[DAEMON_GSHUT]);
		assert_int_equal(route_of(f, i)->exported, i % 3 == 0 && i % 2 == 0 ? 3 : 1);
	}
	asked = f->questions;
	fake_run(f, 4000, NULL);
	assert_in_range(oldest_ms(f), 0, 12000); /* 15 s are too old */
	assert_in_range(f->questions - asked, 6, 40);
	fake_close(f);
}

static void exports_do_not_outlive_the_route(void **state)
{
	(void)state;
	struct fake *f = open_many(200);

	assert_true(fake_run(f, 5000, all_known));
	assert_int_equal(route_of(f, 5)->exported, 1);
	for (size_t i = 0; i < 200; i++) {
		world.normal[i] = false;
		world.exported[i] = 0;
	}
	hurry_all(f);
	assert_true(fake_run(f, 5000, nothing_pending));
	for (size_t i = 0; i < 200; i++) {
		assert_false(route_of(f, i)->imported[DAEMON_NORMAL]);
		assert_int_equal(route_of(f, i)->exported, 0);
	}
	assert_true(fake_run(f, 5000, all_known)); /* read back as exported to nobody */
	assert_int_equal(route_of(f, 5)->exported, 0);
	fake_close(f);
}

static bool is_back(struct fake *f)
{
	return route_of(f, 0)->imported[DAEMON_NORMAL];
}

/* Gone and added again between two looks: who gets it now was not asked for. */
static void exports_of_a_new_route_are_unknown_until_they_are_read(void **state)
{
	(void)state;
	struct fake *f = open_many(1);

	assert_true(fake_run(f, 5000, all_known));
	world.normal[0] = false;
	hurry_all(f);
	assert_true(fake_run(f, 5000, nothing_pending));
	world.normal[0] = true;
	world.exported[0] = 0; /* a filter, say */
	hurry_all(f);
	assert_true(fake_run(f, 5000, is_back));
	assert_int_equal(route_of(f, 0)->exported_at_ms, 0);
	assert_int_equal(route_of(f, 0)->exported, 0);
	assert_true(fake_run(f, 5000, all_known));
	assert_int_equal(route_of(f, 0)->exported, 0);
	fake_close(f);
}

static void wait_for_all(struct fake *f)
{
	for (size_t i = 0; i < world.n; i++) {
		struct addr vip = vip_of(i);

		if (!route_of(f, i)->pending && !route_of(f, i)->imported[DAEMON_GSHUT])
			daemon_wait(f->daemon, &vip);
	}
}

/* A daemon without the table of graceful shutdown; in each news all rows are asked about again. */
static void a_stuck_move_is_asked_about_less_and_less(void **state)
{
	(void)state;
	static const size_t sizes[] = { 3, 1000 };

	for (size_t i = 0; i < 2; i++) {
		struct fake *f = open_many(sizes[i]);
		unsigned asked, news;

		assert_true(fake_run(f, 5000, all_known));
		f->on_news = wait_for_all;
		hurry_all(f);
		fake_run(f, 2000, NULL);
		asked = f->questions;
		news = f->news;
		fake_run(f, 3000, NULL);
		print_message("  %u questions in 3 s, %u news\n", f->questions - asked,
		              f->news - news);
		assert_in_range(count_asked(f, asked, "show route"), 1, 60);
		assert_in_range(f->news - news, 1, 60);
		assert_in_range(oldest_ms(f), 0, 4000); /* the round goes on */
		fake_close(f);
	}
}

static void an_error_about_exports_is_no_answer(void **state)
{
	(void)state;
	static const char *const errors[] = { NO_TABLES, "8003 No valid thing\n",
		                              "8004 Stopped due to reconfiguration\n" };

	for (size_t i = 0; i < 3; i++) {
		struct fake *f = open_many(2);

		print_message("  %s", errors[i]);
		sessions.exports = errors[i];
		assert_true(fake_run(f, 5000, fake_answers));
		fake_run(f, 2500, NULL);
		assert_true(fake_answers(f));
		assert_int_equal(f->clients, 1);
		assert_true(route_of(f, 0)->at_ms > 0);
		assert_int_equal(route_of(f, 0)->exported_at_ms, 0);
		assert_false(daemon_facts(f->daemon)->neighbours[0].lacks4);
		sessions.exports = NULL;
		assert_true(fake_run(f, 5000, all_known)); /* it was asked again */
		fake_close(f);
	}
}

static void a_reconfiguration_in_the_middle_is_no_answer(void **state)
{
	(void)state;
	struct fake *f = open_many(2);

	sessions.tables = "1007-Table weir4:\n8004 Stopped due to reconfiguration\n";
	assert_true(fake_run(f, 5000, all_known));
	assert_int_equal(f->clients, 1);
	assert_true(route_of(f, 0)->imported[DAEMON_NORMAL]);
	sessions.tables = "8004 Stopped due to reconfiguration\n";
	hurry_all(f); /* and who waits is answered by the next one */
	assert_true(fake_run(f, 5000, nothing_pending));
	assert_int_equal(f->clients, 1);
	assert_true(route_of(f, 0)->imported[DAEMON_NORMAL]);
	fake_close(f);
}

static void families_are_those_of_the_channels(void **state)
{
	(void)state;
	struct fake *f = open_many(2);
	const struct daemon_neighbour *n = daemon_facts(f->daemon)->neighbours;

	assert_true(fake_run(f, 5000, all_known));
	assert_false(n[0].lacks4 || n[0].lacks6);
	assert_false(n[1].lacks4);
	assert_true(n[1].lacks6);
	fake_close(f);
}

/* Of 40 neighbours, the last one is up and gets the routes. */
static void neighbours_that_are_up_come_first(void **state)
{
	(void)state;
	struct fake *f = open_many(2);

	sessions.n = 40;
	for (unsigned i = 0; i < 39; i++)
		sessions.down[i] = true;
	sessions.down[31] = false; /* and this one, which gets nothing */
	world.exported[0] = 1u << 31;
	assert_true(fake_run(f, 5000, fake_answers));
	fake_run(f, 1500, NULL);
	assert_int_equal(daemon_facts(f->daemon)->n_neighbours, DAEMON_NEIGHBOURS_MAX);
	assert_int_equal(daemon_facts(f->daemon)->n_omitted, 8);
	assert_string_equal(daemon_facts(f->daemon)->neighbours[0].name, "r31");
	assert_string_equal(daemon_facts(f->daemon)->neighbours[1].name, "r39");
	assert_int_equal(route_of(f, 0)->exported, 1);
	assert_true(route_of(f, 0)->exported_at_ms > 0);
	assert_int_equal(route_of(f, 1)->exported_at_ms, 0); /* another one may get it */
	fake_close(f);
}

static void counters_that_stay_prove_what_was_read(void **state)
{
	(void)state;
	struct fake *f = open_many(10);
	unsigned asked;
	uint64_t at_ms;

	assert_true(fake_run(f, 5000, all_known));
	fake_run(f, 1500, NULL); /* the pass that the first imports demand is over */
	asked = f->questions;
	at_ms = route_of(f, 0)->exported_at_ms;
	fake_run(f, 3000, NULL);
	assert_int_equal(count_asked(f, asked, "show route exported"), 0);
	assert_true(route_of(f, 0)->exported_at_ms > at_ms + 1000);
	world.exported[0] = 2;
	sessions.counts[1]++;
	fake_run(f, 3000, NULL);
	assert_int_equal(count_asked(f, asked, "show route exported"), 2);
	assert_int_equal(route_of(f, 0)->exported, 2);
	for (unsigned round = 0; round < 2;
	     round++) { /* a router withdraws: no update is counted */
		asked = f->questions;
		world.exported[0] = 2 - 2 * (round % 2);
		sessions.ends[1]++;
		fake_run(f, 3000, NULL);
		assert_int_equal(count_asked(f, asked, "show route exported"), 2);
		assert_int_equal(route_of(f, 0)->exported, world.exported[0]);
	}
	fake_close(f);
}

/* The document may change while a long answer is under way. */
static void other_prefixes_may_be_watched_at_any_time(void **state)
{
	(void)state;
	struct fake *f = open_many(1000);

	for (size_t n = 1000; n > 1; n = n * 2 / 3) {
		fake_run(f, n % 7, NULL);
		watch_many(f, n);
		hurry_all(f);
	}
	assert_true(fake_run(f, 5000, all_known));
	assert_true(fake_run(f, 5000, nothing_pending));
	assert_int_equal(f->clients, 1);
	assert_true(route_of(f, 0)->imported[DAEMON_NORMAL]);
	fake_close(f);
}

static struct fake *open_slow(size_t n)
{
	struct fake *f = open_many(n);

	sessions.tables_us = 3000;
	sessions.exports_us = 7000;
	return f;
}

/* What is asked and known in each step of a life; see below. */
static const char *const life[] = {
	"0 restrict\n"
	"0 show protocols\n"
	"0 = absent 0, round 0, stamp none, omitted 0; r0 up, r1 up;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	"0 show protocols all r0\n"
	"0 show protocols all r1\n"
	"0 show route table weir4 table weir_gshut4\n"
	"5 = answers 2, round 0, stamp is, omitted 0; r0 up, r1 up; N 5 to 0 never;  never to 0 never; N 5 to 0 never;  never to 0 never; N 5 to 0 never\n"
	"33 show route table weir6 table weir_gshut6\n"
	"36 = answers 33, round 0, stamp is, omitted 0; r0 up, r1 up; N 36 to 0 never; N 3 to 0 never; N 36 to 0 never; N 3 to 0 never; N 36 to 0 never\n"
	"36 show route exported r0\n"
	"43 show route exported r1\n"
	"50 = answers 47, round 0, stamp is, omitted 0; r0 up, r1 up; N 50 to 1 14; N 17 to 0 never; N 50 to 1 14; N 17 to 0 never; N 50 to 1 14\n"
	"66 show route table weir4 table weir_gshut4\n"
	"569 show route table weir6 table weir_gshut6\n"
	"1000 show protocols\n"
	"1000 show protocols all r0\n"
	"1000 show protocols all r1\n"
	"1072 show route table weir4 table weir_gshut4\n"
	"1450 show route exported r0\n"
	"1457 show route exported r1\n"
	"1464 = answers 1461, round 536, stamp is, omitted 0; r0 up, r1 up; N 392 to 1 14; N 895 to 1 14; N 392 to 1 14; N 895 to 1 14; N 392 to 1 14\n"
	"1575 show route table weir6 table weir_gshut6\n"
	"2000 show protocols\n"
	"2000 show protocols all r0\n"
	"2000 show protocols all r1\n"
	"2078 show route table weir4 table weir_gshut4\n"
	"2400 = answers 2397, round 1006, stamp is, omitted 0; r0 up, r1 up; N 322 to 1 400; N 825 to 1 400; N 322 to 1 400; N 825 to 1 400; N 322 to 1 400\n",
	"0 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	"3 show route 10.100.0.1/32 table weir4 table weir_gshut4\n"
	"6 show route 10.100.0.2/32 table weir4 table weir_gshut4\n"
	"9 show route fd10::/128 table weir6 table weir_gshut6\n"
	"12 show route fd10::1/128 table weir6 table weir_gshut6\n"
	"15 = answers 2412, round 1006, stamp is, omitted 0; r0 up, r1 up; G 15 to 0 never; N 15 to 1 415; N 15 to 1 415; N 15 to 1 415; N 15 to 1 415\n"
	"181 show route table weir6 table weir_gshut6\n"
	"464 show route exported r0\n"
	"471 show route exported r1\n"
	"478 = answers 2875, round 1006, stamp is, omitted 0; r0 up, r1 up; G 478 to 1 14; N 297 to 1 14; N 478 to 1 14; N 297 to 1 14; N 478 to 1 14\n"
	"600 show protocols\n"
	"600 show protocols all r0\n"
	"600 show protocols all r1\n"
	"684 show route table weir4 table weir_gshut4\n"
	"1187 show route table weir6 table weir_gshut6\n"
	"1500 = answers 3897, round 1006, stamp is, omitted 0; r0 up, r1 up; G 816 to 1 900; N 313 to 1 900; N 816 to 1 900; N 313 to 1 900; N 816 to 1 900\n",
	"100 show protocols\n"
	"100 = answers 3997, round 1006, stamp is, omitted 0; r0 up, r1 down; G 916 to 1 1000; N 413 to 1 1000; N 916 to 1 1000; N 413 to 1 1000; N 916 to 1 1000\n"
	"100 show protocols all r0\n"
	"190 show route table weir4 table weir_gshut4\n"
	"378 show route exported r0\n"
	"693 show route table weir6 table weir_gshut6\n"
	"1100 show protocols\n"
	"1100 show protocols all r0\n"
	"1196 show route table weir4 table weir_gshut4\n"
	"1500 = answers 5397, round 1006, stamp is, omitted 0; r0 up, r1 down; G 304 to 1 400; N 807 to 1 400; N 304 to 1 400; N 807 to 1 400; N 304 to 1 400\n",
	"199 show route table weir6 table weir_gshut6\n"
	"600 show protocols\n"
	"600 = answers 5997, round 1006, stamp is, omitted 0; r0 up, r1 up; G 904 to 1 1000; N 401 to 1 1000; N 904 to 1 1000; N 401 to 1 1000; N 904 to 1 1000\n"
	"600 show protocols all r0\n"
	"600 show protocols all r1\n"
	"600 show route exported r0\n"
	"607 show route exported r1\n"
	"614 = answers 6011, round 1006, stamp is, omitted 0; r0 up, r1 up; G 918 to 0 14; N 415 to 1 14; N 918 to 3 14; N 415 to 1 14; N 918 to 1 14\n"
	"702 show route table weir4 table weir_gshut4\n"
	"1205 show route table weir6 table weir_gshut6\n"
	"1600 show protocols\n"
	"1600 show protocols all r0\n"
	"1600 show protocols all r1\n"
	"1708 show route table weir4 table weir_gshut4\n"
	"2000 = answers 7397, round 1006, stamp is, omitted 0; r0 up, r1 up; G 292 to 0 400; N 795 to 1 400; N 292 to 3 400; N 795 to 1 400; N 292 to 1 400\n",
	"211 show route table weir6 table weir_gshut6\n"
	"600 show protocols\n"
	"600 = answers 7997, round 1006, stamp is, omitted 0; r7 up, r8 up; G 892 to 0 never; N 389 to 0 never; N 892 to 0 never; N 389 to 0 never; N 892 to 0 never\n"
	"600 show protocols all r7\n"
	"600 show protocols all r8\n"
	"600 show route exported r7\n"
	"607 show route exported r8\n"
	"614 = answers 8011, round 1006, stamp is, omitted 0; r7 up, r8 up; G 906 to 0 14; N 403 to 1 14; N 906 to 3 14; N 403 to 1 14; N 906 to 1 14\n"
	"714 show route table weir4 table weir_gshut4\n"
	"1217 show route table weir6 table weir_gshut6\n"
	"1600 show protocols\n"
	"1600 show protocols all r7\n"
	"1600 show protocols all r8\n"
	"1720 show route table weir4 table weir_gshut4\n"
	"2000 = answers 9397, round 1006, stamp is, omitted 0; r7 up, r8 up; G 280 to 0 400; N 783 to 1 400; N 280 to 3 400; N 783 to 1 400; N 280 to 1 400\n",
	"223 show route table weir6 table weir_gshut6\n"
	"600 show protocols\n"
	"600 = answers 9997, round 1006, stamp is, omitted 0; r7 up, r8 up, r9 up; G 880 to 0 never; N 377 to 0 never; N 880 to 0 never; N 377 to 0 never; N 880 to 0 never\n"
	"600 show protocols all r7\n"
	"600 show protocols all r8\n"
	"600 show protocols all r9\n"
	"600 show route exported r7\n"
	"607 show route exported r8\n"
	"614 show route exported r9\n"
	"621 = answers 10018, round 1006, stamp is, omitted 0; r7 up, r8 up, r9 up; G 901 to 0 21; N 398 to 1 21; N 901 to 3 21; N 398 to 1 21; N 901 to 1 21\n"
	"726 show route table weir4 table weir_gshut4\n"
	"1229 show route table weir6 table weir_gshut6\n"
	"1500 = answers 10897, round 1006, stamp is, omitted 0; r7 up, r8 up, r9 up; G 774 to 0 900; N 271 to 1 900; N 774 to 3 900; N 271 to 1 900; N 774 to 1 900\n",
	"0 = absent 0, round 0, stamp none, omitted 0;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	"500 restrict\n"
	"500 show protocols\n"
	"500 = absent 500, round 0, stamp none, omitted 0; r7 up, r8 up, r9 up;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	"500 show protocols all r7\n"
	"500 show protocols all r8\n"
	"500 show protocols all r9\n"
	"500 show route table weir4 table weir_gshut4\n"
	"505 = answers 2, round 0, stamp is, omitted 0; r7 up, r8 up, r9 up; G 5 to 0 never;  never to 0 never; N 5 to 0 never;  never to 0 never; N 5 to 0 never\n"
	"533 show route table weir6 table weir_gshut6\n"
	"536 = answers 33, round 0, stamp is, omitted 0; r7 up, r8 up, r9 up; G 36 to 0 never; N 3 to 0 never; N 36 to 0 never; N 3 to 0 never; N 36 to 0 never\n"
	"536 show route exported r7\n"
	"543 show route exported r8\n"
	"550 show route exported r9\n"
	"557 = answers 54, round 0, stamp is, omitted 0; r7 up, r8 up, r9 up; G 57 to 0 21; N 24 to 0 never; N 57 to 3 21; N 24 to 0 never; N 57 to 1 21\n"
	"566 show route table weir4 table weir_gshut4\n"
	"1069 show route table weir6 table weir_gshut6\n"
	"1500 show protocols\n"
	"1500 show protocols all r7\n"
	"1500 show protocols all r8\n"
	"1500 show protocols all r9\n"
	"1572 show route table weir4 table weir_gshut4\n"
	"2075 show route table weir6 table weir_gshut6\n"
	"2400 = answers 1897, round 1006, stamp is, omitted 0; r7 up, r8 up, r9 up; G 828 to 0 900; N 325 to 0 never; N 828 to 3 900; N 325 to 0 never; N 828 to 1 900\n",
};

/* Steps of one life, with all that is asked and known in each. */
static void what_changes_is_asked_about_and_known(void **state)
{
	(void)state;
	struct fake *f = open_slow(5);

	/* the first round is fast; exports come after all imports are known */
	trace_is(f, 2400, life[0]);
	/* one moves to the other table: few are asked about one by one */
	world.normal[0] = false;
	world.gshut[0] = true;
	hurry_all(f);
	trace_is(f, 1500, life[1]);
	/* a session ends: nothing is exported over it */
	sessions.down[1] = true;
	trace_is(f, 1500, life[2]);
	/* and comes back with other exports, which a counter shows */
	sessions.down[1] = false;
	sessions.counts[1]++;
	world.exported[0] = 0;
	world.exported[1] = world.exported[2] = 3;
	trace_is(f, 2000, life[3]);
	/* other names: bits count other sessions now */
	sessions.first = 7;
	trace_is(f, 2000, life[4]);
	/* one session more */
	sessions.n = 3;
	trace_is(f, 1500, life[5]);
	/* the daemon starts again: nothing is known any more */
	fake_hang_up(f);
	trace_is(f, 2400, life[6]);
	fake_close(f);
}

static void watch_others(struct fake *f)
{
	struct addr vips[] = { vip_of(9), vip_of(3), vip_of(2), vip_of(0) };

	daemon_hurry(f->daemon, &vips[2]);
	assert_int_equal(daemon_watch(f->daemon, vips, 4), 0);
}

static void others_are_watched_while_an_answer_is_made(void **state)
{
	(void)state;
	struct fake *f = open_slow(10);

	fake_run(f, 2400, NULL);
	sessions.meanwhile = watch_others;
	trace_is(
	        f, 2500,
	        "181 show route table weir6 table weir_gshut6\n"
	        "184 show route 10.100.0.1/32 table weir4 table weir_gshut4\n"
	        "187 = answers 2584, round 1006, stamp is, omitted 0; r0 up, r1 up; N 509 to 1 587; N 3 to 1 587; N 1012 to 1 587; N 1012 to 1 587\n"
	        "464 show route exported r0\n"
	        "471 show route exported r1\n"
	        "600 show protocols\n"
	        "600 show protocols all r0\n"
	        "600 show protocols all r1\n"
	        "684 show route table weir4 table weir_gshut4\n"
	        "1187 show route table weir6 table weir_gshut6\n"
	        "1600 show protocols\n"
	        "1600 show protocols all r0\n"
	        "1600 show protocols all r1\n"
	        "1690 show route table weir4 table weir_gshut4\n"
	        "2193 show route table weir6 table weir_gshut6\n"
	        "2500 = answers 4897, round 1006, stamp is, omitted 0; r0 up, r1 up; N 810 to 1 900; N 810 to 1 900; N 307 to 1 900; N 307 to 1 900\n");
	fake_close(f);
}

static void hurry_first(struct fake *f)
{
	struct addr vip = vip_of(0);

	world.normal[0] = !world.normal[0];
	daemon_hurry(f->daemon, &vip);
}

/* An answer that was asked for before says nothing about it. */
static void who_hurries_meanwhile_waits_for_the_next_answer(void **state)
{
	(void)state;
	struct fake *f = open_slow(2);

	fake_run(f, 2400, NULL);
	hurry_all(f);
	sessions.meanwhile = hurry_first;
	trace.only = "show route";
	trace_is(
	        f, 200,
	        "0 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "3 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "6 = answers 2403, round 1006, stamp is, omitted 0; r0 up, r1 up; ? 6 to 0 never; N 6 to 1 406\n"
	        "6 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "11 = answers 2408, round 1006, stamp is, omitted 0; r0 up, r1 up;  5 to 0 never; N 11 to 1 411\n"
	        "181 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "200 = answers 2597, round 1006, stamp is, omitted 0; r0 up, r1 up;  194 to 0 never; N 19 to 1 600\n");
	trace.only = NULL;
	fake_close(f);
}

/* While nothing changes, the exports are read all the same, in half a minute. */
static void a_quiet_daemon_is_asked_for_exports_now_and_then(void **state)
{
	(void)state;
	struct fake *f = open_slow(2);

	trace.only = "show route exported";
	trace_is(
	        f, 65000,
	        "0 = absent 0, round 0, stamp none, omitted 0; r0 up, r1 up;  never to 0 never;  never to 0 never\n"
	        "5 = answers 2, round 0, stamp is, omitted 0; r0 up, r1 up; N 5 to 0 never;  never to 0 never\n"
	        "36 = answers 33, round 0, stamp is, omitted 0; r0 up, r1 up; N 36 to 0 never; N 3 to 0 never\n"
	        "36 show route exported r0\n"
	        "43 show route exported r1\n"
	        "50 = answers 47, round 0, stamp is, omitted 0; r0 up, r1 up; N 50 to 1 14; N 17 to 0 never\n"
	        "1450 show route exported r0\n"
	        "1457 show route exported r1\n"
	        "1464 = answers 1461, round 536, stamp is, omitted 0; r0 up, r1 up; N 392 to 1 14; N 895 to 1 14\n"
	        "31755 show route exported r0\n"
	        "31762 show route exported r1\n"
	        "61949 show route exported r0\n"
	        "61956 show route exported r1\n"
	        "65000 = answers 64997, round 1006, stamp is, omitted 0; r0 up, r1 up; N 522 to 1 1000; N 19 to 1 1000\n");
	trace.only = NULL;
	fake_close(f);
}

/* Who waits is asked about after 5 ms, then after a quarter of the time, and each second at last. */
static void waiting_is_asked_about_in_steps(void **state)
{
	(void)state;
	struct fake *f = open_slow(1);

	fake_run(f, 2400, NULL);
	f->on_news = wait_for_all;
	hurry_all(f);
	trace.only = "show route 10";
	trace_is(
	        f, 8000,
	        "0 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "8 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "16 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "24 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "33 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "45 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "60 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "78 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "101 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "130 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "166 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "211 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "267 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "337 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "425 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "535 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "642 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "806 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "1011 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "1267 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "1587 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "1645 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "2060 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "2578 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "2648 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "3313 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "3651 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "4567 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "4654 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "5657 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "5660 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "6660 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "6663 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "7663 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "7666 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "8000 = answers 10397, round 1003, stamp is, omitted 0; r0 up, r1 up; N 334 to 1 400\n");
	trace.only = NULL;
	fake_close(f);
}

/* Lists of a second make a round of 10 s: for each family half of it, and no more. */
static void slow_lists_have_their_pauses(void **state)
{
	(void)state;
	struct fake *f = open_slow(4);

	sessions.tables_us = 400000;
	sessions.exports_us = 150000;
	trace.only = "show route";
	trace_is(
	        f, 40000,
	        "0 = absent 0, round 0, stamp none, omitted 0; r0 up, r1 up;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "0 show route table weir4 table weir_gshut4\n"
	        "400 = answers 0, round 0, stamp is, omitted 0; r0 up, r1 up; N 400 to 0 never;  never to 0 never; N 400 to 0 never;  never to 0 never\n"
	        "4400 show route table weir6 table weir_gshut6\n"
	        "4800 = answers 4400, round 0, stamp is, omitted 0; r0 up, r1 up; N 4800 to 0 never; N 400 to 0 never; N 4800 to 0 never; N 400 to 0 never\n"
	        "4800 show route exported r0\n"
	        "4950 show route exported r1\n"
	        "5100 = answers 4700, round 0, stamp is, omitted 0; r0 up, r1 up; N 5100 to 1 300; N 700 to 0 never; N 5100 to 1 300; N 700 to 0 never\n"
	        "8800 show route table weir4 table weir_gshut4\n"
	        "14200 show route table weir6 table weir_gshut6\n"
	        "15100 show route exported r0\n"
	        "15250 show route exported r1\n"
	        "15400 = answers 15000, round 9800, stamp is, omitted 0; r0 up, r1 up; N 6600 to 1 300; N 1200 to 1 300; N 6600 to 1 300; N 1200 to 1 300\n"
	        "19600 show route table weir4 table weir_gshut4\n"
	        "25000 show route table weir6 table weir_gshut6\n"
	        "30400 show route table weir4 table weir_gshut4\n"
	        "35800 show route table weir6 table weir_gshut6\n"
	        "40000 = answers 39600, round 10800, stamp is, omitted 0; r0 up, r1 up; N 9600 to 1 600; N 4200 to 1 600; N 9600 to 1 600; N 4200 to 1 600\n");
	sessions.tables_us = 20000;
	sessions.exports_us = 20000;
	trace_is(
	        f, 20000,
	        "1200 show route table weir4 table weir_gshut4\n"
	        "3220 show route table weir6 table weir_gshut6\n"
	        "5240 show route exported r0\n"
	        "5260 show route exported r1\n"
	        "5280 show route table weir4 table weir_gshut4\n"
	        "7300 show route table weir6 table weir_gshut6\n"
	        "9320 show route table weir4 table weir_gshut4\n"
	        "11340 show route table weir6 table weir_gshut6\n"
	        "13360 show route table weir4 table weir_gshut4\n"
	        "15380 show route table weir6 table weir_gshut6\n"
	        "17400 show route table weir4 table weir_gshut4\n"
	        "19420 show route table weir6 table weir_gshut6\n"
	        "20000 = answers 59600, round 4040, stamp is, omitted 0; r0 up, r1 up; N 2600 to 1 600; N 580 to 1 600; N 2600 to 1 600; N 580 to 1 600\n");
	trace.only = NULL;
	fake_close(f);
}

/* Nobody is up, or nobody carries a family: nobody is asked, and it is known that nobody gets them. */
static void without_sessions_exports_are_known(void **state)
{
	(void)state;
	struct fake *f = open_slow(2);

	sessions.down[0] = sessions.down[1] = true;
	trace_is(
	        f, 2400,
	        "0 restrict\n"
	        "0 show protocols\n"
	        "0 = absent 0, round 0, stamp is, omitted 0; r0 down, r1 down;  never to 0 never;  never to 0 never\n"
	        "0 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "5 = answers 2, round 0, stamp is, omitted 0; r0 down, r1 down; N 5 to 0 never;  never to 0 never\n"
	        "33 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "36 = answers 33, round 0, stamp is, omitted 0; r0 down, r1 down; N 36 to 0 0; N 3 to 0 never\n"
	        "66 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "569 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "1000 show protocols\n"
	        "1036 = answers 1033, round 536, stamp is, omitted 0; r0 down, r1 down; N 970 to 0 0; N 467 to 0 0\n"
	        "1072 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "1575 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "2000 show protocols\n"
	        "2078 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "2400 = answers 2397, round 1006, stamp is, omitted 0; r0 down, r1 down; N 322 to 0 400; N 825 to 0 400\n");
	sessions.down[0] = false;
	trace_is(
	        f, 1500,
	        "181 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "600 show protocols\n"
	        "600 = answers 2997, round 1006, stamp is, omitted 0; r0 up, r1 down; N 922 to 0 1000; N 419 to 0 1000\n"
	        "600 show protocols all r0\n"
	        "600 show route exported r0\n"
	        "607 = answers 3004, round 1006, stamp is, omitted 0; r0 up, r1 down; N 929 to 1 7; N 426 to 1 7\n"
	        "684 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "1187 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "1500 = answers 3897, round 1006, stamp is, omitted 0; r0 up, r1 down; N 816 to 1 900; N 313 to 1 900\n");
	sessions.n = 0;
	trace_is(
	        f, 1500,
	        "100 show protocols\n"
	        "100 = answers 3997, round 1006, stamp is, omitted 0; N 916 to 0 never; N 413 to 0 never\n"
	        "107 = answers 4004, round 1006, stamp is, omitted 0; N 923 to 0 0; N 420 to 0 0\n"
	        "190 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "693 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "1100 show protocols\n"
	        "1196 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "1500 = answers 5397, round 1006, stamp is, omitted 0; N 304 to 0 400; N 807 to 0 400\n");
	fake_close(f);
}

static void what_is_omitted_leaves_no_unknown(void **state)
{
	(void)state;
	struct fake *f = open_slow(2);

	sessions.n = DAEMON_NEIGHBOURS_MAX + 1;
	for (unsigned i = 3; i < sessions.n; i++)
		sessions.down[i] = true;
	world.exported[1] = 0;
	fake_run(f, 2400, NULL);
	assert_int_equal(daemon_facts(f->daemon)->n_omitted, 1);
	assert_true(route_of(f, 0)->exported_at_ms && !route_of(f, 1)->exported_at_ms);
	sessions.n--;
	fake_run(f, 32000, NULL); /* until the next pass */
	assert_int_equal(daemon_facts(f->daemon)->n_omitted, 0);
	assert_true(route_of(f, 0)->exported_at_ms && route_of(f, 1)->exported_at_ms);
	fake_close(f);
}

static void note_and_wait(struct fake *f)
{
	trace_news(f);
	wait_for_all(f);
}

/* It ends while some hurry, one of them was answered and another has changed: its next life is as the first. */
static void a_life_leaves_nothing_to_the_next(void **state)
{
	(void)state;
	struct fake *f = open_slow(5);

	fake_run(f, 2400, NULL);
	f->on_news = note_and_wait;
	hurry_all(f);
	fake_run(f, 4, NULL);
	fake_hang_up(f);
	trace_is(
	        f, 1200,
	        "5 = absent 5, round 0, stamp none, omitted 0;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "500 restrict\n"
	        "500 show protocols\n"
	        "500 = absent 500, round 0, stamp none, omitted 0; r0 up, r1 up;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "500 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "503 show route 10.100.0.1/32 table weir4 table weir_gshut4\n"
	        "506 show route 10.100.0.2/32 table weir4 table weir_gshut4\n"
	        "509 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "512 show route fd10::1/128 table weir6 table weir_gshut6\n"
	        "515 = answers 0, round 0, stamp none, omitted 0; r0 up, r1 up; N 15 to 0 never; N 15 to 0 never; N 15 to 0 never; N 15 to 0 never; N 15 to 0 never\n"
	        "515 show protocols all r0\n"
	        "515 show protocols all r1\n"
	        "515 show route table weir4 table weir_gshut4\n"
	        "520 = answers 5, round 0, stamp is, omitted 0; r0 up, r1 up; N 5 to 0 never; N 20 to 0 never; N 5 to 0 never; N 20 to 0 never; N 5 to 0 never\n"
	        "623 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "626 show route fd10::1/128 table weir6 table weir_gshut6\n"
	        "629 = answers 114, round 0, stamp is, omitted 0; r0 up, r1 up; N 114 to 0 never; N 6 to 0 never; N 114 to 0 never; N 6 to 0 never; N 114 to 0 never\n"
	        "648 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "651 show route 10.100.0.1/32 table weir4 table weir_gshut4\n"
	        "654 show route 10.100.0.2/32 table weir4 table weir_gshut4\n"
	        "657 = answers 142, round 0, stamp is, omitted 0; r0 up, r1 up; N 9 to 0 never; N 34 to 0 never; N 9 to 0 never; N 34 to 0 never; N 9 to 0 never\n"
	        "785 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "788 show route fd10::1/128 table weir6 table weir_gshut6\n"
	        "791 = answers 276, round 0, stamp is, omitted 0; r0 up, r1 up; N 143 to 0 never; N 6 to 0 never; N 143 to 0 never; N 6 to 0 never; N 143 to 0 never\n"
	        "820 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "823 show route 10.100.0.1/32 table weir4 table weir_gshut4\n"
	        "826 show route 10.100.0.2/32 table weir4 table weir_gshut4\n"
	        "829 = answers 314, round 0, stamp is, omitted 0; r0 up, r1 up; N 9 to 0 never; N 44 to 0 never; N 9 to 0 never; N 44 to 0 never; N 9 to 0 never\n"
	        "987 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "990 show route fd10::1/128 table weir6 table weir_gshut6\n"
	        "993 = answers 478, round 0, stamp is, omitted 0; r0 up, r1 up; N 173 to 0 never; N 6 to 0 never; N 173 to 0 never; N 6 to 0 never; N 173 to 0 never\n"
	        "1035 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "1038 show route 10.100.0.1/32 table weir4 table weir_gshut4\n"
	        "1041 show route 10.100.0.2/32 table weir4 table weir_gshut4\n"
	        "1044 = answers 529, round 0, stamp is, omitted 0; r0 up, r1 up; N 9 to 0 never; N 57 to 0 never; N 9 to 0 never; N 57 to 0 never; N 9 to 0 never\n"
	        "1200 = answers 685, round 0, stamp is, omitted 0; r0 up, r1 up; N 165 to 0 never; N 213 to 0 never; N 165 to 0 never; N 213 to 0 never; N 165 to 0 never\n");
	fake_close(f);
}

static void a_pass_ends_with_its_life(void **state)
{
	(void)state;
	struct fake *f = open_slow(5);

	fake_run(f, 5700, NULL);
	sessions.meanwhile = fake_hang_up;
	sessions.counts[0]++;
	trace_is(
	        f, 3000,
	        "300 show protocols\n"
	        "300 show protocols all r0\n"
	        "300 show protocols all r1\n"
	        "300 show route exported r0\n"
	        "307 = absent 0, round 0, stamp none, omitted 0;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "807 restrict\n"
	        "807 show protocols\n"
	        "807 = absent 500, round 0, stamp none, omitted 0; r0 up, r1 up;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never;  never to 0 never\n"
	        "807 show protocols all r0\n"
	        "807 show protocols all r1\n"
	        "807 show route table weir4 table weir_gshut4\n"
	        "812 = answers 2, round 0, stamp is, omitted 0; r0 up, r1 up; N 5 to 0 never;  never to 0 never; N 5 to 0 never;  never to 0 never; N 5 to 0 never\n"
	        "840 show route table weir6 table weir_gshut6\n"
	        "843 = answers 33, round 0, stamp is, omitted 0; r0 up, r1 up; N 36 to 0 never; N 3 to 0 never; N 36 to 0 never; N 3 to 0 never; N 36 to 0 never\n"
	        "843 show route exported r0\n"
	        "850 show route exported r1\n"
	        "857 = answers 47, round 0, stamp is, omitted 0; r0 up, r1 up; N 50 to 1 14; N 17 to 0 never; N 50 to 1 14; N 17 to 0 never; N 50 to 1 14\n"
	        "873 show route table weir4 table weir_gshut4\n"
	        "1376 show route table weir6 table weir_gshut6\n"
	        "1807 show protocols\n"
	        "1807 show protocols all r0\n"
	        "1807 show protocols all r1\n"
	        "1879 show route table weir4 table weir_gshut4\n"
	        "2257 show route exported r0\n"
	        "2264 show route exported r1\n"
	        "2271 = answers 1461, round 536, stamp is, omitted 0; r0 up, r1 up; N 392 to 1 14; N 895 to 1 14; N 392 to 1 14; N 895 to 1 14; N 392 to 1 14\n"
	        "2382 show route table weir6 table weir_gshut6\n"
	        "2807 show protocols\n"
	        "2807 show protocols all r0\n"
	        "2807 show protocols all r1\n"
	        "2885 show route table weir4 table weir_gshut4\n"
	        "3000 = answers 2190, round 1006, stamp is, omitted 0; r0 up, r1 up; N 115 to 1 193; N 618 to 1 193; N 115 to 1 193; N 618 to 1 193; N 115 to 1 193\n");
	fake_close(f);
}

static void watch_first_three(struct fake *f)
{
	struct addr vips[] = { vip_of(2), vip_of(1), vip_of(0) };

	assert_int_equal(daemon_watch(f->daemon, vips, 3), 0);
}

/* In the middle of a pass and of a round: the pass is made again, and the round begins again. */
static void others_are_watched_in_the_middle_of_a_pass(void **state)
{
	(void)state;
	struct fake *f = open_slow(5);

	fake_run(f, 2400, NULL);
	world.normal[0] = false;
	world.gshut[0] = true;
	world.exported[2] = 2;
	hurry_all(f);
	trace_is(
	        f, 300,
	        "0 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "3 show route 10.100.0.1/32 table weir4 table weir_gshut4\n"
	        "6 show route 10.100.0.2/32 table weir4 table weir_gshut4\n"
	        "9 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "12 show route fd10::1/128 table weir6 table weir_gshut6\n"
	        "15 = answers 2412, round 1006, stamp is, omitted 0; r0 up, r1 up; G 15 to 0 never; N 15 to 1 415; N 15 to 1 415; N 15 to 1 415; N 15 to 1 415\n"
	        "181 show route table weir6 table weir_gshut6\n"
	        "300 = answers 2697, round 1006, stamp is, omitted 0; r0 up, r1 up; G 300 to 0 never; N 119 to 1 700; N 300 to 1 700; N 119 to 1 700; N 300 to 1 700\n");
	sessions.meanwhile = watch_first_three;
	trace_is(
	        f, 2500,
	        "164 show route exported r0\n"
	        "171 show route exported r1\n"
	        "300 show protocols\n"
	        "300 show protocols all r0\n"
	        "300 show protocols all r1\n"
	        "384 show route table weir4 table weir_gshut4\n"
	        "887 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "1300 show protocols\n"
	        "1300 show protocols all r0\n"
	        "1300 show protocols all r1\n"
	        "1390 show route table weir4 table weir_gshut4\n"
	        "1578 show route exported r0\n"
	        "1585 show route exported r1\n"
	        "1592 = answers 4289, round 0, stamp is, omitted 0; r0 up, r1 up; G 202 to 1 14; N 705 to 1 14; N 202 to 2 14\n"
	        "1893 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "2300 show protocols\n"
	        "2300 show protocols all r0\n"
	        "2300 show protocols all r1\n"
	        "2396 show route table weir4 table weir_gshut4\n"
	        "2500 = answers 5197, round 1006, stamp is, omitted 0; r0 up, r1 up; G 104 to 1 200; N 607 to 1 200; N 104 to 2 200\n");
	/* more of them, and none */
	watch_many(f, 7);
	trace_is(
	        f, 1500,
	        "399 show route table weir4 table weir_gshut4\n"
	        "402 = answers 5599, round 1006, stamp is, omitted 0; r0 up, r1 up; N 3 to 0 never; N 1009 to 1 602; N 3 to 2 602;  never to 0 never; N 3 to 0 never;  never to 0 never; N 3 to 0 never\n"
	        "432 show route table weir6 table weir_gshut6\n"
	        "435 = answers 5632, round 0, stamp is, omitted 0; r0 up, r1 up; N 36 to 0 never; N 3 to 1 635; N 36 to 2 635; N 3 to 0 never; N 36 to 0 never; N 3 to 0 never; N 36 to 0 never\n"
	        "465 show route table weir4 table weir_gshut4\n"
	        "492 show route exported r0\n"
	        "499 show route exported r1\n"
	        "506 = answers 5703, round 0, stamp is, omitted 0; r0 up, r1 up; N 41 to 1 14; N 74 to 1 14; N 41 to 1 14; N 74 to 1 14; N 41 to 1 14; N 74 to 1 14; N 41 to 1 14\n"
	        "800 show protocols\n"
	        "800 show protocols all r0\n"
	        "800 show protocols all r1\n"
	        "968 show route table weir6 table weir_gshut6\n"
	        "1471 show route table weir4 table weir_gshut4\n"
	        "1500 = answers 6697, round 536, stamp is, omitted 0; r0 up, r1 up; N 29 to 1 700; N 532 to 1 700; N 29 to 1 700; N 532 to 1 700; N 29 to 1 700; N 532 to 1 700; N 29 to 1 700\n");
	assert_int_equal(daemon_watch(f->daemon, NULL, 0), 0);
	trace_is(f, 1500,
	         "300 show protocols\n"
	         "300 show protocols all r0\n"
	         "300 show protocols all r1\n"
	         "1300 show protocols\n"
	         "1300 show protocols all r0\n"
	         "1300 show protocols all r1\n"
	         "1500 = answers 8197, round 536, stamp is, omitted 0; r0 up, r1 up\n");
	assert_int_equal(f->clients, 1);
	fake_close(f);
}

/* The bits that it has counted are of others. */
static void names_that_change_end_a_pass(void **state)
{
	(void)state;
	struct fake *f = open_slow(1);

	fake_run(f, 2400, NULL);
	sessions.exports_us = 1100000;
	sessions.counts[0]++;
	world.exported[0] = 1;
	fake_run(f, 700, NULL); /* the first neighbour's answer */
	sessions.first = 7;
	world.exported[0] = 2;
	trace_is(
	        f, 3000,
	        "0 show protocols\n"
	        "0 = answers 4097, round 1003, stamp is, omitted 0; r7 up, r8 up; N 2061 to 0 never\n"
	        "0 show protocols all r7\n"
	        "0 show protocols all r8\n"
	        "0 show route exported r7\n"
	        "1100 show protocols\n"
	        "1100 show protocols all r7\n"
	        "1100 show protocols all r8\n"
	        "1100 show route exported r8\n"
	        "2200 = answers 6297, round 1003, stamp is, omitted 0; r7 up, r8 up; N 4261 to 2 2200\n"
	        "2200 show protocols\n"
	        "2200 show protocols all r7\n"
	        "2200 show protocols all r8\n"
	        "2200 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "3000 = answers 7097, round 4261, stamp is, omitted 0; r7 up, r8 up; N 800 to 2 800\n");
	/* also those of sessions that are down, which have no counters */
	sessions.exports_us = 1000;
	sessions.down[0] = sessions.down[1] = true;
	fake_run(f, 15000, NULL);
	sessions.first = 3;
	fake_run(f, 2500, NULL);
	assert_true(route_of(f, 0)->exported_at_ms > 0);
	fake_close(f);
}

/* The answer that is under way counts other rows. */
static void a_question_in_vain_is_asked_again(void **state)
{
	(void)state;
	struct fake *f = open_slow(5);

	fake_run(f, 2400, NULL);
	world.normal[2] = false;
	hurry_all(f);
	sessions.meanwhile = watch_first_three;
	trace_is(
	        f, 200,
	        "0 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "3 show route 10.100.0.1/32 table weir4 table weir_gshut4\n"
	        "6 show route 10.100.0.2/32 table weir4 table weir_gshut4\n"
	        "9 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "12 show route fd10::1/128 table weir6 table weir_gshut6\n"
	        "15 = answers 2412, round 1006, stamp is, omitted 0; r0 up, r1 up; N? 337 to 1 415; N? 840 to 1 415; N? 337 to 1 415\n"
	        "15 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "18 show route 10.100.0.1/32 table weir4 table weir_gshut4\n"
	        "21 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "24 = answers 2421, round 1006, stamp is, omitted 0; r0 up, r1 up; N 9 to 1 424; N 9 to 1 424;  9 to 0 never\n"
	        "181 show route table weir4 table weir_gshut4\n"
	        "200 = answers 2597, round 1006, stamp is, omitted 0; r0 up, r1 up; N 19 to 1 600; N 185 to 1 600;  19 to 0 never\n");
	fake_close(f);
}

static void wait_first(struct fake *f)
{
	struct addr vip = vip_of(0);

	daemon_wait(f->daemon, &vip);
}

/* Nor is it asked about twice. */
static void who_only_waits_is_not_pending(void **state)
{
	(void)state;
	struct fake *f = open_slow(2);

	fake_run(f, 2400, NULL);
	sessions.meanwhile = wait_first;
	trace_is(
	        f, 1000,
	        "181 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "189 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "192 = answers 2589, round 1006, stamp is, omitted 0; r0 up, r1 up; N 3 to 1 592; N 11 to 1 592\n"
	        "600 show protocols\n"
	        "600 show protocols all r0\n"
	        "600 show protocols all r1\n"
	        "684 show route 10.100.0.0/32 table weir4 table weir_gshut4\n"
	        "1000 = answers 3397, round 1006, stamp is, omitted 0; r0 up, r1 up; N 316 to 1 400; N 819 to 1 400\n");
	/* one that BIRD has not: that is news */
	watch_many(f, 3);
	world.normal[2] = false;
	world.exported[2] = 0;
	trace_is(
	        f, 1000,
	        "187 show route exported r0\n"
	        "194 show route exported r1\n"
	        "201 = answers 3598, round 1006, stamp is, omitted 0; r0 up, r1 up; N 517 to 1 14; N 1020 to 1 14;  never to 0 14\n"
	        "201 show route table weir4 table weir_gshut4\n"
	        "206 = answers 3603, round 1006, stamp is, omitted 0; r0 up, r1 up; N 5 to 1 19; N 1025 to 1 19;  5 to 0 never\n"
	        "234 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "600 show protocols\n"
	        "600 show protocols all r0\n"
	        "600 show protocols all r1\n"
	        "737 show route table weir4 table weir_gshut4\n"
	        "1000 = answers 4397, round 0, stamp is, omitted 0; r0 up, r1 up; N 263 to 1 400; N 766 to 1 400;  263 to 0 never\n");
	fake_close(f);
}

static void too_many_leave_those_that_are_watched(void **state)
{
	(void)state;
	static struct addr vips[MANY + 1];
	struct fake *f = open_slow(3);

	for (size_t i = 0; i <= MANY; i++)
		vips[i] = fake_addr("10.200.0.1");
	fake_run(f, 2400, NULL);
	assert_int_equal(daemon_watch(f->daemon, vips, MANY + 1), -E2BIG);
	daemon_hurry(f->daemon, &vips[0]); /* which is not watched */
	daemon_wait(f->daemon, &vips[0]);
	assert_null(daemon_route(f->daemon, &vips[0]));
	trace_is(
	        f, 500,
	        "181 show route fd10::/128 table weir6 table weir_gshut6\n"
	        "500 = answers 2897, round 1006, stamp is, omitted 0; r0 up, r1 up; N 822 to 1 900; N 319 to 1 900; N 822 to 1 900\n");
	fake_close(f);
}

SUITE(many_bird)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_prefixes_are_read_whole_in_time),
		cmocka_unit_test(exports_do_not_outlive_the_route),
		cmocka_unit_test(exports_of_a_new_route_are_unknown_until_they_are_read),
		cmocka_unit_test(a_stuck_move_is_asked_about_less_and_less),
		cmocka_unit_test(an_error_about_exports_is_no_answer),
		cmocka_unit_test(a_reconfiguration_in_the_middle_is_no_answer),
		cmocka_unit_test(families_are_those_of_the_channels),
		cmocka_unit_test(neighbours_that_are_up_come_first),
		cmocka_unit_test(counters_that_stay_prove_what_was_read),
		cmocka_unit_test(other_prefixes_may_be_watched_at_any_time),
		cmocka_unit_test(what_changes_is_asked_about_and_known),
		cmocka_unit_test(others_are_watched_while_an_answer_is_made),
		cmocka_unit_test(who_hurries_meanwhile_waits_for_the_next_answer),
		cmocka_unit_test(a_quiet_daemon_is_asked_for_exports_now_and_then),
		cmocka_unit_test(waiting_is_asked_about_in_steps),
		cmocka_unit_test(slow_lists_have_their_pauses),
		cmocka_unit_test(without_sessions_exports_are_known),
		cmocka_unit_test(what_is_omitted_leaves_no_unknown),
		cmocka_unit_test(a_life_leaves_nothing_to_the_next),
		cmocka_unit_test(a_pass_ends_with_its_life),
		cmocka_unit_test(others_are_watched_in_the_middle_of_a_pass),
		cmocka_unit_test(names_that_change_end_a_pass),
		cmocka_unit_test(a_question_in_vain_is_asked_again),
		cmocka_unit_test(who_only_waits_is_not_pending),
		cmocka_unit_test(too_many_leave_those_that_are_watched),
	};

	simulated_time();
	return cmocka_run_group_tests_name("many prefixes, BIRD", tests, NULL, NULL);
}
