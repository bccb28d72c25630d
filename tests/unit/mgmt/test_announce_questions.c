/* SPDX-License-Identifier: BSD-2-Clause */
/* The asking side of questions, with hostile peers, and who else announces: announce_questions.c and announce_own.c. */
#include "announce_scene.h"
#include "tests/unit/suite.h"

/* The documented values, not the code's own: a change of those is seen. */
#define GOOD_MS       2000
#define GOOD_WORDS_MS 5000
#define EVERY_MS      500
#define RETRY_MS      1000

/* A look at the own page @p later_ms later; two are 50 ms apart at least. @return how many peers it asked */
static size_t look_again(uint64_t later_ms)
{
	told_ms += later_ms;
	show_own_page();
	n_asked = n_lines = 0;
	play_turn();
	return n_asked;
}

/* The requests to weir-announce that contain @p text. */
static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < n_lines && i < LINES_MAX; i++)
		n += strstr(lines[i], text) != NULL;
	return n;
}

#define ANSWER(node, more) "{\"node\":\"" node "\",\"cluster\":\"shop\"," more "}"

static const struct told_row silent_rows[] = { { NULL, NULL, 0 } };
static const struct told_row confirming_rows[] = {
	{ AT_2, ANSWER("ams-2", "\"answers\":[\"confirmed\"]"), 200 },
	{ AT_3, ANSWER("fra-1", "\"answers\":[\"confirmed\"]"), 200 },
	{ NULL, NULL, 0 }
};
static const struct told_row busy_rows[] = { { AT_2, NULL, 503 },
	                                     { AT_3, NULL, 503 },
	                                     { NULL, NULL, 0 } };

/* @return who weir-announce was told announces @p address: "[...]"; "": it was not told */
static const char *told_of(const char *address)
{
	static char names[256];
	char begin[64], *at = NULL;

	snprintf(begin, sizeof(begin), "\"%s\":[", address);
	for (size_t i = 0; i < n_lines && !at; i++)
		if (strstr(lines[i], "\"do\":\"others\""))
			at = strstr(lines[i], begin);
	if (!at)
		return "";
	at += strlen(begin) - 1;
	snprintf(names, sizeof(names), "%.*s", (int)strcspn(at, "]") + 1, at);
	return names;
}

static void nodes_that_announce_the_same_are_peers(void **state)
{
	(void)state;
	assert_int_equal(n_lines, 1); /* at the first look */
	assert_string_equal(told_of(WEB4), "[]");
	assert_string_equal(told_of(WEB6), "[]");
	assert_string_equal(told_of(NS), "[]");
	assert_string_equal(told_of(SOLO), ""); /* nobody shares it */
	look_again(EVERY_MS);
	assert_int_equal(n_lines, 1); /* the document is the same */
	take_document(DOCUMENT(OF_1, VIPS));
	look_again(EVERY_MS);
	assert_int_equal(n_lines, 0);
	take_document(DOCUMENT(OF_ALL, VIPS));
	look_again(EVERY_MS); /* without peers, each second */
	look_again(EVERY_MS);
	assert_int_equal(n_lines, 1);
}

static void a_question_goes_at_once_to_all_that_share_the_address(void **state)
{
	(void)state;
	told_rows = busy_rows;
	assert_int_equal(look_again(50), 0);
	rows[0].query_ms = rows[1].query_ms = told_ms; /* DNS and the VIP, at one time */
	rows[2].query_ms = told_ms;                    /* nobody shares it */
	assert_int_equal(look_again(50), 2);
	assert_string_equal(asked[0].url, "https://10.9.0.2:8443/v1/peer/exchange withdrawals");
	assert_non_null(strstr(asked[0].body, "\"node\":\"ams-1\",\"cluster\":\"shop\""));
	assert_non_null(strstr(asked[0].body, "\"incarnation\":\"000000000000abcd\""));
	assert_non_null(strstr(asked[0].body,
	                       "\"questions\":[[\"" NS "\",1000050],[\"" WEB4 "\",1000050]]"));
	assert_non_null(strstr(asked[1].body, "\"questions\":[[\"" WEB4 "\",1000050]]"));
	assert_int_equal(look_again(50), 0); /* carried once */
	rows[0].query_ms = told_ms;
	assert_int_equal(look_again(50), 1);
	assert_string_equal(asked[0].url, "https://10.9.0.2:8443/v1/peer/exchange withdrawals");
}

static void a_confirmation_comes_back_with_name_and_time(void **state)
{
	static const struct told_row some[] = {
		{ AT_2, ANSWER("ams-2", "\"answers\":[\"confirmed\",\"not-announced\"]"), 200 },
		{ AT_3, ANSWER("fra-1", "\"answers\":[\"confirmed\"]"), 200 },
		{ NULL, NULL, 0 }
	};

	(void)state;
	rows[0].query_ms = rows[1].query_ms = told_ms;
	told_rows = some;
	assert_int_equal(look_again(50), 2);
	assert_int_equal(n_lines, 2);
	assert_string_equal(lines[0], "{\"do\":\"confirmed\",\"address\":\"" NS
	                              "\",\"by\":\"ams-2\",\"incarnation\":"
	                              "\"000000000000abcd\",\"sent_ms\":1000000}");
	assert_string_equal(lines[1], "{\"do\":\"confirmed\",\"address\":\"" WEB4
	                              "\",\"by\":\"fra-1\",\"incarnation\":"
	                              "\"000000000000abcd\",\"sent_ms\":1000000}");
}

/* As while the two have different documents: the next peer's may count. */
static void a_confirmation_that_is_refused_makes_room_for_another(void **state)
{
	(void)state;
	told_rows = confirming_rows;
	rows[1].query_ms = told_ms;
	refused_text = "\"by\":\"ams-2\"";
	assert_int_equal(look_again(50), 2);
	assert_int_equal(count_lines("\"by\":\"fra-1\""), 1);
	own_answer = NULL; /* it hangs: the peers share the time for which it is waited for */
	own_takes_ms = 400;
	rows[1].query_ms = told_ms;
	assert_int_equal(look_again(50), 2);
	assert_int_equal(count_lines("confirmed"), 1);
}

static void what_is_too_old_is_neither_asked_nor_brought(void **state)
{
	(void)state;
	rows[1].query_ms = START_MS + 50 - GOOD_MS - 1;
	assert_int_equal(look_again(50), 0);
	rows[1].query_ms = told_ms + 60; /* no clock is so */
	assert_int_equal(look_again(50), 0);
	rows[1].query_ms = told_ms + 50;
	told_rows = confirming_rows;
	told_takes_ms =
	        GOOD_MS + 1; /* more than a timeout allows, but the process may be stopped */
	assert_int_equal(look_again(50), 2);
	assert_int_equal(count_lines("confirmed"), 0);
	rows[1].query_ms = told_ms + 50;
	told_takes_ms = GOOD_MS;
	assert_int_equal(look_again(50), 2);
	assert_int_equal(count_lines("confirmed"), 1); /* the first one is enough */
}

/* A peer's answer must be whole, its own, and have one word for each question. */
static void hostile_answers_confirm_nothing(void **state)
{
	static const char *const bad[] = {
		"[]",
		"{}",
		ANSWER("fra-1", "\"answers\":[\"confirmed\"]"),
		ANSWER("ams-1", "\"answers\":[\"confirmed\"]"),
		ANSWER("ams-2", "\"answers\":[]"),
		ANSWER("ams-2", "\"answers\":[\"confirmed\",\"confirmed\"]"),
		ANSWER("ams-2", "\"answers\":{\"0\":\"confirmed\"}"),
		ANSWER("ams-2", "\"answers\":\"confirmed\""),
		ANSWER("ams-2", "\"answers\":[[\"confirmed\"]]"),
		ANSWER("ams-2", "\"answers\":[true]"),
		ANSWER("ams-2", "\"answers\":[\"Confirmed\"]"),
		ANSWER("ams-2", "\"answers\":[\"confirmed \"]"),
		"{\"node\":\"ams-2\",\"cluster\":\"mail\",\"answers\":[\"confirmed\"]}",
		"{\"node\":\"ams-2\",\"answers\":[\"confirmed\"]}",
		"{\"cluster\":\"shop\",\"answers\":[\"confirmed\"]}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct told_row some[] = { { AT_2, bad[i], 200 }, { NULL, NULL, 0 } };

		rows[0].query_ms = told_ms;
		told_rows = some;
		assert_int_equal(look_again(50), 1);
		if (count_lines("confirmed"))
			fail_msg("answer %zu confirms", i);
	}
	told_rows = confirming_rows; /* one word for two questions */
	rows[0].query_ms = rows[1].query_ms = told_ms;
	assert_int_equal(look_again(50), 2);
	assert_int_equal(count_lines("\"by\":\"ams-2\""), 0);
	assert_int_equal(count_lines("\"by\":\"fra-1\""), 1);
}

static void who_else_announces_is_told_twice_a_second(void **state)
{
	static const char a2_web[] = "{\"" WEB4 "\":\"announced\"}";
	static const struct {
		const char *why, *a2, *f1;
		uint64_t a2_age_ms;
		bool a2_silent, f1_silent;
		const char *heard, *silent, *web, *ns;
	} cases[] = {
		{ "one says so", a2_web, "{}", 0, false, false, "[\"ams-2\",\"fra-1\"]", "[]",
		  "[\"ams-2\"]", "[]" },
		{ "one says so, the other says nothing", a2_web, NULL, 0, false, false,
		  "[\"ams-2\"]", "[]", "[\"ams-2\"]", "[]" },
		{ "one says so, the other is silent", a2_web, NULL, 0, false, true, "[\"ams-2\"]",
		  "[\"fra-1\"]", "[\"ams-2\"]", "[]" },
		{ "both do", a2_web, a2_web, 0, false, false, "[\"ams-2\",\"fra-1\"]", "[]",
		  "[\"ams-2\",\"fra-1\"]", "[]" },
		{ "nobody says anything", NULL, NULL, 0, false, false, "[]", "[]", "[]", "[]" },
		{ "all are silent", NULL, NULL, 0, true, true, "[]", "[\"ams-2\",\"fra-1\"]", "[]",
		  "[]" },
		{ "one is unsure", "{\"" WEB4 "\":\"unsure\"}", "{}", 0, false, false,
		  "[\"ams-2\",\"fra-1\"]", "[]", "", "[]" },
		{ "one is unsure, the other is not", "{\"" WEB4 "\":\"unsure\"}", a2_web, 0, false,
		  false, "[\"ams-2\",\"fra-1\"]", "[]", "[\"fra-1\"]", "[]" },
		{ "it becomes sure", "{}", "{}", 0, false, false, "[\"ams-2\",\"fra-1\"]", "[]",
		  "[]", "[]" },
		{ "a word of a later release", "{\"" WEB4 "\":\"perhaps\"}", "{}", 0, false, false,
		  "[\"ams-2\",\"fra-1\"]", "[]", "", "[]" },
		{ "an address that it does not share does not count", "{}",
		  "{\"" NS "\":\"announced\",\"x\":\"announced\"}", 0, false, false,
		  "[\"ams-2\",\"fra-1\"]", "[]", "[]", "[]" },
		{ "words that just count", a2_web, "{}", GOOD_WORDS_MS, false, false,
		  "[\"ams-2\",\"fra-1\"]", "[]", "[\"ams-2\"]", "[]" },
		{ "words that are too old", a2_web, "{}", GOOD_WORDS_MS + 1, false, false,
		  "[\"fra-1\"]", "[]", "[]", "[]" },
		{ "words that are too old, of one that is silent", a2_web, "{}", GOOD_WORDS_MS + 1,
		  true, false, "[\"fra-1\"]", "[\"ams-2\"]", "[]", "[]" },
		{ "words that count, of one that is silent", a2_web, "{}", 0, true, false,
		  "[\"ams-2\",\"fra-1\"]", "[]", "[\"ams-2\"]", "[]" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char said[128];

		if (i % 2) /* the same words are noted again for another document */
			take_document(i % 4 == 1 ? DOCUMENT(OF_ALL, VIPS) "# again\n"
			                         : DOCUMENT(OF_ALL, VIPS));
		told_ms += EVERY_MS;
		hear_words(0, cases[i].a2, cases[i].a2_age_ms);
		hear_words(1, cases[i].f1, 0);
		hear_silence(0, cases[i].a2_silent);
		hear_silence(1, cases[i].f1_silent);
		assert_int_equal(look_again(0), 0);
		assert_int_equal(n_lines, 1);
		snprintf(said, sizeof(said), "\"heard\":%s,\"silent\":%s", cases[i].heard,
		         cases[i].silent);
		if (!strstr(lines[0], said) || strcmp(told_of(WEB4), cases[i].web) != 0 ||
		    strcmp(told_of(NS), cases[i].ns) != 0)
			fail_msg("%s: %s", cases[i].why, lines[0]);
		assert_string_equal(told_of(SOLO), ""); /* nobody shares it */
		look_again(EVERY_MS - 50);
		assert_int_equal(n_lines, 0);
	}
}

/* They announce all VIPs of their site. */
#define OF_TWO                                                                                     \
	NODE("ams-1", "1", "daemon = \"bird\";") ", " NODE("ams-2", "2", "daemon = \"bird\";")

/* A line of the control socket has at most 64 KiB. */
static void many_addresses_are_told_in_several_lines(void **state)
{
	static char text[1 << 18];
	json_t *words = json_object(), *line;
	size_t n_told = 0, n;

	(void)state;
	n = (size_t)snprintf(text, sizeof(text), "%s", DOCUMENT(OF_TWO, ""));
	n -= strlen(" );\n"); /* the list goes on */
	for (unsigned i = 0; i < 4096; i++) {
		char address[ADDR_TEXT_MAX];

		snprintf(address, sizeof(address), "2001:db8:ffff:ffff:ffff:ffff:ffff:%x",
		         i + 0xf000);
		json_object_set_new(words, address, json_string("announced"));
		if (i % 16 == 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			                      "%s{ name = \"v%u\"; site = \"ams\"; addresses = [ ",
			                      i ? " ]; }, " : "", i);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"%s\"", i % 16 ? ", " : "",
		                      address);
	}
	snprintf(text + n, sizeof(text) - n, " ]; } );\n");
	take_document(text);
	(void)exchange_word_set(&heard[0].words[EXCHANGE_ANNOUNCED], words, told_ms);
	assert_int_equal(look_again(50), 0);
	assert_true(n_lines > 2 && n_lines < LINES_MAX);
	for (size_t i = 0; i < n_lines; i++) {
		line = json_loads(lines[i], 0, NULL);
		assert_non_null(line);
		n_told += json_object_size(json_object_get(line, "addresses"));
		json_decref(line);
	}
	assert_int_equal(n_told, 4096);
	own_answer = NULL; /* it hangs: it is not waited for with each line */
	look_again(EVERY_MS);
	assert_int_equal(n_lines, 1);
}

static void a_peer_without_an_answer_is_left_alone_for_a_while(void **state)
{
	(void)state;
	told_rows = silent_rows;
	rows[1].query_ms = told_ms + 50;
	assert_int_equal(look_again(50), 2);
	rows[1].query_ms = told_ms + EVERY_MS; /* weir-announce asks again in half a second */
	assert_int_equal(look_again(EVERY_MS), 0);
	rows[1].query_ms = told_ms + RETRY_MS - EVERY_MS;
	assert_int_equal(look_again(RETRY_MS - EVERY_MS), 2);
	told_rows = busy_rows;
	rows[1].query_ms = told_ms + RETRY_MS;
	assert_int_equal(look_again(RETRY_MS), 2);
	rows[1].query_ms = told_ms + EVERY_MS;
	assert_int_equal(look_again(EVERY_MS), 2); /* it answers, if not as it should */
}

static void without_the_own_weir_announce_nobody_is_asked(void **state)
{
	(void)state;
	told_rows = silent_rows;
	rows[1].query_ms = told_ms + 2001;
	show_own_page();
	told_ms += 2001; /* its last sign of life is old */
	n_asked = 0;
	play_turn();
	assert_int_equal(n_asked, 0);
	own_answer = NULL; /* it hangs */
	assert_int_equal(look_again(50), 2);
	fixture_write(place.conf, "peer.token", "\n");
	rows[1].query_ms = told_ms + RETRY_MS;
	assert_int_equal(look_again(RETRY_MS), 0);
}

/* The page may be removed with its process: what it said last must not be looked at for ever. */
static void a_page_that_was_removed_is_found_again(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(proc_path(place.root, ANNOUNCED_PAGE_FILE, path), 0);
	assert_int_equal(unlink(path), 0);
	announced_close(page);
	assert_int_equal(announced_create(place.root, &page), 0);
	told_ms += 2001;
	show_own_page();
	n_lines = 0;
	play_turn(); /* the old page: it has no sign of life */
	assert_int_equal(n_lines, 0);
	look_again(50);
	assert_int_equal(n_lines, 1);
}

SUITE(announce_questions)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(nodes_that_announce_the_same_are_peers),
		T(a_question_goes_at_once_to_all_that_share_the_address),
		T(a_confirmation_comes_back_with_name_and_time),
		T(a_confirmation_that_is_refused_makes_room_for_another),
		T(what_is_too_old_is_neither_asked_nor_brought),
		T(hostile_answers_confirm_nothing),
		T(who_else_announces_is_told_twice_a_second),
		T(many_addresses_are_told_in_several_lines),
		T(a_peer_without_an_answer_is_left_alone_for_a_while),
		T(without_the_own_weir_announce_nobody_is_asked),
		T(a_page_that_was_removed_is_found_again),
	};

	told_peers_begin();
	answer_pthread_cond_timedwait = own_pthread_cond_timedwait;
	return cmocka_run_group_tests_name("announce questions", tests, NULL, NULL);
}
