/* SPDX-License-Identifier: BSD-2-Clause */
/* The journal's ring: what is kept, what is lost, and what the store has of it. */
#include "fixture.h"

#include "mgmt/store/journal.h"
#include "tests/unit/suite.h"

static struct fixture place;
static struct store *store;

static int setup(void **state)
{
	char why[EVENT_TEXT_MAX];

	(void)state;
	fixture_make(&place);
	return store_open(place.state, &store, why);
}

static int teardown(void **state)
{
	(void)state;
	store_close(store);
	fixture_remove(&place);
	return 0;
}

static void add_event(struct journal *j, uint64_t n)
{
	while (n--)
		journal_add(j, NOW_MS, "store", "s", "event %d", (int)journal_last(j) + 1);
}

static void an_empty_journal_has_no_event(void **state)
{
	struct journal *j = journal_new("n", 4);

	(void)state;
	assert_int_equal(journal_last(j), 0);
	assert_int_equal(journal_oldest(j), 1); /* where reading begins */
	assert_null(journal_find(j, 0));
	assert_null(journal_find(j, 1));
	assert_int_equal(journal_load(j, store), 0);
	assert_int_equal(journal_last(j), 0);
	assert_int_equal(journal_flush(j, store), 0);
	journal_free(j);
	journal_free(NULL);
}

static void an_event_has_what_was_said_cut_to_its_room(void **state)
{
	char longest[300];
	struct journal *j = journal_new("ams-1", 4);

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(journal_add(j, NOW_MS + 7, "peer", "peers/fra-1", "%s is %d", "it", 5), 1);
	const struct event *e = journal_find(j, 1);
	assert_int_equal(e->id, 1);
	assert_true(e->time_ms == NOW_MS + 7);
	assert_string_equal(e->kind, "peer");
	assert_string_equal(e->subject, "peers/fra-1");
	assert_string_equal(e->message, "it is 5");
	assert_string_equal(e->node, "ams-1");
	journal_add(j, NOW_MS, longest, longest, "%s", longest);
	e = journal_find(j, 2);
	assert_int_equal(strlen(e->kind), 15);
	assert_int_equal(strlen(e->subject), 95);
	assert_int_equal(strlen(e->message), 255);
	journal_free(j);
}

/* Two that are cut to the same are told apart by their messages. */
static void a_subject_without_room_stands_whole_in_the_message(void **state)
{
	struct journal *j = journal_new("ams-1", 4);
	char subject[98], want[128];

	(void)state;
	memset(subject, 's', sizeof(subject));
	for (size_t n = 94; n <= 97; n++) {
		subject[n] = '\0';
		const struct event *e =
		        journal_find(j, journal_add(j, NOW_MS, "health", subject, "is %s", "up"));

		snprintf(want, sizeof(want), n > 95 ? "is up; %s" : "is up", subject);
		assert_string_equal(e->message, want);
		assert_int_equal(strlen(e->subject), n > 95 ? 95 : n);
		subject[n] = 's';
	}
	journal_free(j);
}

/* The ring is full with the fourth event; the fifth takes the first one's place. */
static void the_oldest_goes_when_the_ring_is_full(void **state)
{
	struct journal *j = journal_new("n", 4);

	(void)state;
	add_event(j, 4);
	assert_int_equal(journal_oldest(j), 1);
	assert_string_equal(journal_find(j, 1)->message, "event 1");
	add_event(j, 1);
	assert_int_equal(journal_oldest(j), 2);
	assert_null(journal_find(j, 1));
	for (uint64_t id = 2; id <= 5; id++)
		assert_int_equal(journal_find(j, id)->id, id);
	journal_free(j);
}

/* Only what the store does not have goes to it, and what was overwritten meanwhile is a gap. */
static void what_was_overwritten_before_it_was_stored_is_a_gap(void **state)
{
	struct journal *j = journal_new("n", 4), *back;
	struct event list[16];

	(void)state;
	add_event(j, 3);
	assert_int_equal(journal_flush(j, store), 0);
	add_event(j, 7); /* events 4 to 6 are gone */
	assert_int_equal(journal_flush(j, store), 0);
	assert_int_equal(journal_flush(j, store), 0);
	assert_int_equal(store_events(store, list, 16), 7);
	assert_int_equal(list[2].id, 3);
	assert_int_equal(list[3].id, 7);
	/* Loaded again, it begins behind the gap: numbers have none. */
	back = journal_new("n", 16);
	assert_int_equal(journal_load(back, store), 0);
	assert_int_equal(journal_oldest(back), 7);
	assert_int_equal(journal_last(back), 10);
	assert_null(journal_find(back, 3));
	add_event(back, 1);
	assert_int_equal(journal_last(back), 11);
	assert_int_equal(journal_flush(back, store), 0);
	assert_int_equal(store_events(store, list, 16), 8);
	journal_free(back);
	journal_free(j);
}

/* More than one batch: none is stored twice, none is left out. */
static void many_events_are_stored_in_order(void **state)
{
	static struct event list[1024];
	struct journal *j = journal_new("n", 1000);

	(void)state;
	add_event(j, 513);
	assert_int_equal(journal_flush(j, store), 0);
	assert_int_equal(store_events(store, list, 1024), 513);
	for (uint64_t i = 0; i < 513; i++) {
		char text[32];

		snprintf(text, sizeof(text), "event %d", (int)i + 1);
		assert_int_equal(list[i].id, i + 1);
		assert_string_equal(list[i].message, text);
	}
	journal_free(j);
}

/* So many are noted before the store is there: their ids rise where they must, and are never lowered. */
static void what_was_noted_before_follows_what_is_stored(void **state)
{
	static const struct {
		uint64_t stored, noted, oldest, last;
		const char *at_last,
		        *before; /* the newest, and the one before the first that was noted */
	} rows[] = {
		{ 3, 2, 1, 5, "late 2", "early 3" },
		{ 3, 0, 1, 3, "early 3", NULL },
		{ 0, 2, 1, 2, "late 2", NULL },
		{ 9, 3, 5, 12, "late 3", "early 9" }, /* the ring has eight */
		{ 3, 20, 13, 20, "late 20", NULL },   /* what was before them is not kept */
		{ 0, 20, 13, 20, "late 20", NULL },
		{ 12, 20, 13, 20, "late 20", NULL },
		{ 13, 20, 14, 21, "late 20", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct journal *j = journal_new("n", 8), *back;

		setup(NULL);
		for (uint64_t k = 1; k <= rows[i].stored; k++)
			journal_add(j, NOW_MS, "store", "s", "early %d", (int)k);
		assert_int_equal(journal_flush(j, store), 0);
		journal_free(j);
		j = journal_new("n", 8);
		for (uint64_t k = 1; k <= rows[i].noted; k++)
			journal_add(j, NOW_MS, "store", "s", "late %d", (int)k);
		assert_int_equal(journal_flush(j, store), 0);
		back = journal_new("n", 8);
		assert_int_equal(journal_load(back, store), 0);
		for (const struct journal *each = j; each; each = each == j ? back : NULL) {
			print_message("  %zu %s\n", i, each == j ? "at once" : "loaded");
			assert_int_equal(journal_oldest(each), rows[i].oldest);
			assert_int_equal(journal_last(each), rows[i].last);
			assert_string_equal(journal_find(each, rows[i].last)->message,
			                    rows[i].at_last);
			for (uint64_t id = rows[i].oldest; id <= rows[i].last; id++)
				assert_int_equal(journal_find(each, id)->id, id);
			if (rows[i].before)
				assert_string_equal(
				        journal_find(each, rows[i].last - rows[i].noted)->message,
				        rows[i].before);
		}
		journal_free(back);
		journal_free(j);
		teardown(NULL);
	}
}

/* A new store gets all that is kept, and each once. */
static void a_new_store_gets_all_that_is_kept(void **state)
{
	struct journal *j = journal_new("n", 8);
	struct event list[16];

	(void)state;
	add_event(j, 10);
	assert_int_equal(journal_flush(j, store), 0);
	teardown(NULL);
	setup(NULL);
	journal_renew(j);
	add_event(j, 1);
	assert_int_equal(journal_flush(j, store), 0);
	assert_int_equal(store_events(store, list, 16), 8);
	assert_int_equal(list[0].id, 4);
	assert_string_equal(list[7].message, "event 11");
	assert_int_equal(journal_oldest(j), 4);
	journal_free(j);
}

/* Five at once and then one a minute; of another kind, subject or beginning as many. */
static void what_comes_again_and_again_has_no_room(void **state)
{
	static const struct {
		unsigned every_ms, n; /* for an hour */
	} rows[] = { { 1000, 64 }, { 5000, 64 }, { 59999, 33 }, { 60000, 60 }, { 600000, 6 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct journal *j = journal_new("n", 4096);
		unsigned n = 0;

		for (int64_t at_ms = 0; at_ms < 3600000; at_ms += rows[i].every_ms) {
			if (journal_has_room(j, NOW_MS + at_ms, "process", "dns",
			                     "it: ", JOURNAL_OFTEN)) {
				journal_add(j, NOW_MS + at_ms, "process", "dns", "it: died");
				n++;
			}
			journal_add(j, NOW_MS + at_ms, "store", "dns", "it: else");
			journal_add(j, NOW_MS + at_ms, "process", "mgmt", "it: else");
			journal_add(j, NOW_MS + at_ms, "process", "dns", "it else");
		}
		print_message("  every %u ms\n", rows[i].every_ms);
		assert_int_equal(n, rows[i].n);
		/* by a clock that was set back, these are still to come */
		assert_true(
		        journal_has_room(j, NOW_MS - 1, "process", "dns", "it: ", JOURNAL_OFTEN));
		journal_free(j);
	}
}

SUITE(journal)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_empty_journal_has_no_event, setup, teardown),
		cmocka_unit_test(an_event_has_what_was_said_cut_to_its_room),
		cmocka_unit_test(a_subject_without_room_stands_whole_in_the_message),
		cmocka_unit_test(what_comes_again_and_again_has_no_room),
		cmocka_unit_test(the_oldest_goes_when_the_ring_is_full),
		cmocka_unit_test_setup_teardown(what_was_overwritten_before_it_was_stored_is_a_gap,
		                                setup, teardown),
		cmocka_unit_test(what_was_noted_before_follows_what_is_stored),
		cmocka_unit_test_setup_teardown(a_new_store_gets_all_that_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(many_events_are_stored_in_order, setup, teardown),
	};

	return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
