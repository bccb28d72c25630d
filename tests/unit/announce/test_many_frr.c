/* SPDX-License-Identifier: BSD-2-Clause */
/* Thousands of prefixes, read back from a fake bgpd (announce/daemon_rows.c, announce/frr.c). */
#include "tests/unit/announce/many.h"

#define TEXT_MAX (4u << 20)

static struct {
	uint64_t n_others, n_others6; /* routes of the main table that are not Weir's */
	uint64_t version;             /* of the main table */
	const char *list;             /* instead of a list, once */
	size_t n_longest;             /* prefixes of the longest list */
	unsigned list_us;             /* so long it takes for a list */
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

static void put_heading(size_t i)
{
	put_text("\"advertisedTo\":{");
	if (world.exported[i] & 1)
		put_text("\"192.0.2.1\":{}");
	if (world.exported[i] & 2)
		put_text("%s\"192.0.2.2\":{}", world.exported[i] & 1 ? "," : "");
	put_text("}");
}

static void answer_one(const struct prefix *net)
{
	size_t i = index_of(&net->addr);

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
	for (int four = 1; four >= 0; four--)
		put_text("%s\"ipv%dUnicast\":{\"tableVersion\":%llu,\"ribCount\":%llu,\"peers\":{"
		         "\"192.0.2.1\":{\"state\":\"Established\",\"pfxSnt\":5},"
		         "\"192.0.2.2\":{\"state\":\"Established\",\"pfxSnt\":5}}}",
		         four ? "{" : ",", four ? 4 : 6, (unsigned long long)bgpd.version,
		         (unsigned long long)(2 * (world.n / 2 +
		                                   (four ? bgpd.n_others : bgpd.n_others6)) -
		                              1));
	put_text("}\n");
}

static void answer_frr(struct fake *f, const char *question)
{
	char word[ADDR_LONG_TEXT_MAX];
	struct prefix net;

	n_text = 0;
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

int main(void)
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
	};

	return cmocka_run_group_tests_name("many prefixes, FRR", tests, NULL, NULL);
}
