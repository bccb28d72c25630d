/* SPDX-License-Identifier: BSD-2-Clause */
/* Thousands of prefixes, read back from a fake BIRD (announce/daemon_rows.c, announce/daemon_exports.c). */
#include "tests/unit/announce/many.h"

#define GREETING  "0001 BIRD 2.0.12 ready.\n"
#define SESSIONS  64u
#define TEXT_MAX  (2u << 20)
#define NO_TABLES "9001 No valid tables\n"

static struct {
	unsigned n;                /* BGP sessions, r0 .. */
	bool down[SESSIONS];       /* by its number */
	bool six[SESSIONS];        /* it carries IPv6 as well; all carry IPv4 */
	unsigned counts[SESSIONS]; /* exports that it accepted, */
	unsigned ends[SESSIONS];   /* and withdrawals */
	const char *exports;       /* the answer to each question about exports; NULL: the truth */
	const char *tables;        /* likewise about tables, once */
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
		         i ? " " : "1002-", i, sessions.down[i] ? "start" : "up",
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
	         i, sessions.counts[i] + 7, sessions.counts[i], sessions.ends[i], sessions.ends[i],
	         sessions.six[i] ? "UP" : "DOWN");
}

static void answer_bird(struct fake *f, const char *question)
{
	unsigned i;

	n_text = 0;
	if (!strcmp(question, "restrict")) {
		put_text("0016 Access restricted\n");
	} else if (!strcmp(question, "show protocols")) {
		answer_protocols();
	} else if (sscanf(question, "show protocols all r%u", &i) == 1) {
		answer_channels(i);
	} else if (sscanf(question, "show route exported r%u", &i) == 1) {
		if (sessions.exports)
			put_text("%s", sessions.exports);
		else
			answer_exports(i);
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

int main(void)
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
	};

	return cmocka_run_group_tests_name("many prefixes, BIRD", tests, NULL, NULL);
}
