/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Observed keys (dns/key_table.c, dns/keys.c): nothing is lost of what threads count, heavy keys stay
 * however many others there are, and what is older than the window goes.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/page.h"
#include "dns/key_table.h"
#include "dns/keys.h"
#include "dns/server.h"

/* Of counters.c, which the threads share. */
bool counters_steered(const struct counters_services *c, const struct steering *p, size_t number,
                      uint32_t site, uint64_t *out)
{
	(void)c;
	(void)p;
	(void)number;
	(void)site;
	*out = 0;
	return false;
}

#include "dns/keys_tick.c"

#define NOW_MS UINT64_C(5000000)

static char dir[64];
static struct keys window;
static struct key_table table;
static struct steering_name names[2];
static struct steering_site sites[2] = { { .name = "ams", .id = 11 }, { .name = "fra", .id = 12 } };
static struct steering_service service = { .name = "web", .n_sites = 2, .sites = sites };
static struct steering place = {
	.n_names = 2, .names = names, .n_services = 1, .services = &service
};
static struct steer_keys *seen;

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-asked-XXXXXX");
	memset(&table, 0, sizeof(table));
	names[0] = (struct steering_name){ .name = "a.test", .id = steer_keys_name_id("a.test") };
	names[1] = (struct steering_name){ .name = "b.test", .id = steer_keys_name_id("b.test") };
	if (!mkdtemp(dir) || keys_open(&window, dir, NOW_MS))
		return -1;
	keys_set_names(&window, &place);
	return 0;
}

static int teardown(void **state)
{
	char command[96];

	(void)state;
	steer_keys_free(seen);
	seen = NULL;
	keys_close(&window);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static struct steering_key make_key(uint32_t number)
{
	struct steering_key key = { .bytes = { 4 }, .bits = 24 };

	memcpy(key.bytes + 1, &number, 3);
	return key;
}

static void ask_name(uint32_t number, uint32_t name, uint32_t ttl_s)
{
	struct steering_key key = make_key(number);

	key_table_add(&table, &key, names[name].id, ttl_s);
}

/* What the thread has counted goes into the window. */
static void fold_table(uint64_t now_ms)
{
	keys_turn(&window, now_ms);
	keys_add(&window, &table, now_ms);
	memset(&table, 0, sizeof(table));
}

static bool has_answers(void *arg, size_t number, uint32_t site, uint64_t *answers)
{
	(void)arg;
	*answers = 100 * (number + 1) + site;
	return site != 1;
}

static void read_page(uint64_t now_ms)
{
	steer_keys_free(seen);
	seen = NULL;
	const struct steer_keys_page *page = page_payload(window.page);
	uint32_t seq = page->seq;

	keys_turn(&window, now_ms);
	keys_write(&window, &place, has_answers, NULL, now_ms);
	assert_int_equal(page->seq,
	                 seq + 2); /* even again, and another: readers see that it was written */
	assert_int_equal(steer_keys_read(dir, now_ms, &seen), 0);
}

static uint32_t queries_of(uint32_t number, uint32_t name)
{
	struct steering_key key = make_key(number);

	for (size_t i = 0; i < seen->n_keys; i++)
		if (!memcmp(seen->keys[i].key, key.bytes, 8) &&
		    seen->keys[i].name == names[name].id)
			return seen->keys[i].queries;
	return 0;
}

/* The row of a name; NULL: nobody asked for it. */
static const struct steer_keys_name *find_name_row(const struct steer_keys *k, uint32_t name)
{
	for (size_t i = 0; i < k->n_names; i++)
		if (k->names[i].name == name)
			return &k->names[i];
	return NULL;
}

/* Each query is one of a key on the page, or among the others of its name. */
static uint64_t sum_of_name(uint32_t name)
{
	const struct steer_keys_name *row = find_name_row(seen, names[name].id);
	uint64_t sum = row ? row->others : 0;

	for (size_t i = 0; i < seen->n_keys; i++)
		if (seen->keys[i].name == names[name].id)
			sum += seen->keys[i].queries;
	assert_true(!row || row->queries == sum);
	return sum;
}

static void a_key_is_counted_for_each_name_it_asks_for(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		ask_name(1, 0, 30);
	ask_name(1, 1, 20);
	ask_name(2, 1, 60);
	fold_table(NOW_MS);
	read_page(NOW_MS + 2000);
	assert_int_equal(queries_of(1, 0), 5);
	assert_int_equal(queries_of(1, 1), 1);
	assert_int_equal(queries_of(2, 1), 1);
	assert_int_equal(queries_of(2, 0), 0);
	assert_int_equal(sum_of_name(0), 5);
	assert_int_equal(sum_of_name(1), 2);
	assert_int_equal(seen->covered_s, 2);
	assert_int_equal(seen->started_ms, NOW_MS);
}

/* Where two names of one key meet in a bucket, they are still two. */
static void names_of_one_key_are_not_mixed_up(void **state)
{
	struct steering_key key = make_key(1);
	uint64_t n = 0;

	(void)state;
	for (uint32_t name = 1; name <= 4000; name++) /* of 512 buckets */
		key_table_add(&table, &key, name % 2 ? 1 : name, 30);
	for (size_t i = 0; i < KEY_TABLE_BUCKETS * KEY_TABLE_WAYS; i++)
		if (table.keys[i / KEY_TABLE_WAYS][i % KEY_TABLE_WAYS].name == 1)
			n += table.keys[i / KEY_TABLE_WAYS][i % KEY_TABLE_WAYS].n;
	assert_true(n > 1900 && n <= 2000);
}

static void the_longest_ttl_given_is_known_and_when_it_ends(void **state)
{
	const struct steer_keys_name *row;

	(void)state;
	ask_name(1, 0, 30);
	ask_name(2, 0, 60);
	ask_name(3, 0, 5);
	fold_table(NOW_MS);
	ask_name(3, 0, 5);
	fold_table(NOW_MS + 1000);
	read_page(NOW_MS + 1000);
	row = find_name_row(seen, names[0].id);
	assert_int_equal(row->longest_ttl_s, 60);
	assert_int_equal(row->cached_until_ms, NOW_MS + 60000);
	read_page(NOW_MS + STEER_KEYS_WINDOW_S * 1000);
	row = find_name_row(seen, names[0].id);
	assert_int_equal(row->longest_ttl_s, 0); /* the window has passed; its end stays known */
	assert_int_equal(row->cached_until_ms, NOW_MS + 60000);
	assert_null(find_name_row(seen, names[1].id)); /* nobody asked */
}

static void what_is_older_than_the_window_goes(void **state)
{
	(void)state;
	ask_name(1, 0, 30);
	fold_table(NOW_MS);
	ask_name(2, 0, 30);
	fold_table(NOW_MS + 9 * KEYS_SLOT_MS);
	read_page(NOW_MS + 10 * KEYS_SLOT_MS - 1);
	assert_int_equal(queries_of(1, 0), 1);
	assert_int_equal(seen->covered_s, STEER_KEYS_WINDOW_S - 1);
	read_page(NOW_MS + 10 * KEYS_SLOT_MS);
	assert_int_equal(queries_of(1, 0), 0);
	assert_int_equal(queries_of(2, 0), 1);
	assert_int_equal(sum_of_name(0), 1);
	assert_int_equal(seen->covered_s, STEER_KEYS_WINDOW_S - 60);
	read_page(NOW_MS + 100 * KEYS_SLOT_MS);
	assert_int_equal(seen->n_keys, 0);
	assert_true(seen->covered_s <= STEER_KEYS_WINDOW_S);
}

static void a_heavy_key_stays_among_very_many_others(void **state)
{
	uint64_t n = 0;

	(void)state;
	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 30000; i++, n++)
			ask_name(1000 + (uint32_t)(hash_mix(n + 1) % 200000), 0, 30);
		for (uint32_t i = 0; i < 10000; i++, n++)
			ask_name(7, 0, 30); /* a quarter of all */
		fold_table(NOW_MS + round * 1000);
	}
	read_page(NOW_MS + 20000);
	assert_int_equal(seen->n_keys, STEER_KEYS_MAX);
	assert_int_equal(sum_of_name(0), n);
	assert_true(queries_of(7, 0) > n * 24 / 100 && queries_of(7, 0) <= n / 4);
	assert_memory_equal(seen->keys[0].key, make_key(7).bytes, 8);
}

static void a_key_that_becomes_heavy_finds_a_place(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 100000; i++) { /* all rows are in use, with several queries each */
		for (uint32_t n = 0; n < 3; n++)
			ask_name(1000 + i, 0, 30);
		if (i % 500 == 499)
			fold_table(NOW_MS);
	}
	for (uint32_t i = 0; i < 60; i++) {
		for (uint32_t n = 0; n < 20; n++)
			ask_name(7, 0, 30);
		fold_table(NOW_MS + 1000 + i * 1000);
	}
	read_page(NOW_MS + 61000);
	assert_true(queries_of(7, 0) > 1000);
	assert_int_equal(sum_of_name(0), 300000 + 1200);
}

static void more_names_than_there_is_room_for_are_no_harm(void **state)
{
	struct steering_key key = make_key(1);

	(void)state;
	for (uint32_t i = 0; i < 50000; i++)
		key_table_add(&table, &key, (uint32_t)hash_mix(i + 1), 40);
	assert_true(table.n == 50000 && table.n_lost > 0);
	ask_name(1, 0, 30);
	fold_table(NOW_MS);
	read_page(NOW_MS);
	assert_true(queries_of(1, 0) <= 1);
	/* an answer of a name without a place may have been this name's */
	assert_int_equal(find_name_row(seen, names[1].id)->cached_until_ms, NOW_MS + 40000);
}

static void names_of_a_new_document_keep_what_was_counted(void **state)
{
	const uint32_t old = names[0].id;

	(void)state;
	ask_name(1, 0, 30);
	ask_name(1, 1, 30);
	fold_table(NOW_MS);
	names[0] = (struct steering_name){ .name = "c.test", .id = steer_keys_name_id("c.test") };
	keys_set_names(&window, &place);
	read_page(NOW_MS);
	assert_int_equal(queries_of(1, 1), 1);
	assert_int_equal(sum_of_name(1), 1);
	assert_int_equal(find_name_row(seen, names[1].id)->queries, 1);
	assert_null(find_name_row(seen, old)); /* the document has no such name */
	assert_int_equal(seen->n_keys, 1);
}

static void answers_are_told_by_service_and_site(void **state)
{
	uint64_t web = hash_text("web");

	(void)state;
	read_page(NOW_MS);
	assert_int_equal(steer_keys_answers(seen, web, 11)->answers, 100);
	assert_null(steer_keys_answers(seen, web, 12)); /* not counted: not known, and not 0 */
	assert_int_equal(steer_keys_answers(seen, web, 0)->answers, 102);
}

static void each_answer_is_in_use_for_its_own_time(void **state)
{
	(void)state;
	ask_name(1, 0, 60);
	fold_table(NOW_MS);
	ask_name(1, 0, 60);
	fold_table(NOW_MS + 20000);
	ask_name(1, 0, 5); /* over before the one that was given earlier */
	fold_table(NOW_MS + 21000);
	read_page(NOW_MS + 21000);
	assert_int_equal(find_name_row(seen, names[0].id)->cached_until_ms, NOW_MS + 80000);
}

/* Keys that share a bucket of the window, KEYS_WAYS and one more. */
static void find_neighbours(uint32_t out[KEYS_WAYS + 1])
{
	uint64_t bucket = 0;
	uint32_t n = 0;

	for (uint32_t number = 1; n <= KEYS_WAYS; number++) {
		struct steering_key key = make_key(number);
		uint64_t word, at;

		memcpy(&word, key.bytes, sizeof(word));
		at = hash_mix(word ^ (uint64_t)names[0].id << 20) % KEYS_BUCKETS;
		if (n && at != bucket)
			continue;
		bucket = at;
		out[n++] = number;
	}
}

/* What a key loses to another is what it asked first, so that the window forgets it first. */
static void the_oldest_queries_of_a_key_go_first(void **state)
{
	uint32_t close_by[KEYS_WAYS + 1];

	(void)state;
	find_neighbours(close_by);
	for (uint32_t k = 0; k < KEYS_WAYS; k++) /* the first has least, but not all at once */
		for (int i = 0; i < (k ? 50 : 6); i++)
			ask_name(close_by[k], 0, 30);
	fold_table(NOW_MS);
	for (int i = 0; i < 6; i++)
		ask_name(close_by[0], 0, 30);
	fold_table(NOW_MS + 2 * KEYS_SLOT_MS);
	for (int i = 0; i < 4; i++)
		ask_name(close_by[KEYS_WAYS], 0, 30);
	fold_table(NOW_MS + 3 * KEYS_SLOT_MS);
	read_page(NOW_MS + 3 * KEYS_SLOT_MS);
	assert_int_equal(queries_of(close_by[0], 0), 8);
	read_page(NOW_MS + KEYS_SLOTS * KEYS_SLOT_MS); /* the first minute is over */
	assert_int_equal(queries_of(close_by[0], 0), 6);
}

static void who_meets_in_a_bucket_changes_with_each_table(void **state)
{
	struct key_tables one = { .own = NULL };
	static struct key_table a;
	uint64_t salts[4];

	(void)state;
	memset(&a, 0, sizeof(a));
	for (int i = 0; i < 4; i++) {
		salts[i] = a.salt;
		a.n = 5;
		key_table_give_back(&one, &a);
		assert_ptr_equal(one.spare, &a);
		assert_int_equal(a.n, 0);
		for (int k = 0; k <= i; k++)
			assert_true(a.salt != salts[k]);
	}
}

/* --- the hand-over, with a thread that answers and one that collects --- */

static struct key_tables tables;
static uint64_t collected;
static int over;
static unsigned hands; /* that tables went into */

static void hand_over(struct loop *loop)
{
	if (!tables.timer.heap_index)
		return;
	loop_timer_cancel(loop, &tables.timer);
	tables.timer.cb(tables.timer.arg);
}

/* On a busy machine who collects may sleep for long: each million waits for it. */
static void *answer_queries(void *arg)
{
	struct loop *loop = arg;
	struct steering_key key = make_key(1);

	for (uint32_t i = 0; i < 3000000; i++) {
		key_table_count(&tables, &key, names[i & 1].id, 30);
		if (i % 1000 == 0)
			hand_over(loop);
		while (__atomic_load_n(&hands, __ATOMIC_ACQUIRE) < i / 1000000) {
			hand_over(loop);
			sched_yield();
		}
	}
	__atomic_store_n(&over, 1, __ATOMIC_RELEASE);
	return NULL;
}

static uint64_t count_table(const struct key_table *t)
{
	uint64_t n = 0;

	for (size_t i = 0; i < KEY_TABLE_BUCKETS * KEY_TABLE_WAYS; i++)
		n += t->keys[i / KEY_TABLE_WAYS][i % KEY_TABLE_WAYS].n;
	for (size_t i = 0; i < KEY_TABLE_NAMES; i++)
		n += t->names[i].others;
	assert_int_equal(n, t->n);
	return n;
}

static void tables_change_hands_without_a_loss(void **state)
{
	struct loop *loop;
	pthread_t thread;

	(void)state;
	collected = 0;
	over = 0;
	hands = 0;
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(key_table_open(&tables, loop), 0);
	assert_int_equal(pthread_create(&thread, NULL, answer_queries, loop), 0);
	while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
		struct key_table *t = key_table_receive(&tables);

		if (!t)
			continue;
		__atomic_fetch_add(&hands, 1, __ATOMIC_RELEASE);
		collected += count_table(t);
		key_table_give_back(&tables, t);
	}
	pthread_join(thread, NULL);
	if (tables.full)
		collected += count_table(tables.full);
	collected += count_table(tables.own);
	assert_int_equal(collected, 3000000);
	assert_true(hands > 1);
	key_table_close(&tables);
	loop_close(loop);
}

static void hand_table_over(struct key_tables *t)
{
	loop_timer_cancel(t->loop, &t->timer);
	t->timer.cb(t->timer.arg);
}

/* Counted before it is emptied, and empty before its thread counts in it again. */
static void what_a_thread_hands_over_is_counted_once(void **state)
{
	static struct generation generation = { .steering = &place };
	static struct serving serving = { .generation = &generation };
	static struct server server = { .serving = &serving };
	const struct steering_key key = make_key(7);
	struct key_tables *t = &server.workers[WORKERS_ALL - 1].key_tables;
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(key_table_open(t, loop), 0);
	server.keys = window;
	for (unsigned i = 1; i <= 4; i++) { /* each of the two tables twice */
		key_table_count(t, &key, names[0].id, 30);
		hand_table_over(t);
		keys_tick(&server, NOW_MS + i * SERVER_KEYS_MS);
		steer_keys_free(seen);
		assert_int_equal(steer_keys_read(dir, NOW_MS + i * SERVER_KEYS_MS, &seen), 0);
		assert_int_equal(queries_of(7, 0), i);
	}
	window = server.keys;
	key_table_close(t);
	loop_close(loop);
}

/* What a thread had counted and not handed over yet counts, too. */
static void what_a_thread_has_when_it_ends_is_not_lost(void **state)
{
	static struct server server;
	static struct dns_worker worker;
	const struct steering_key key = make_key(7);
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(key_table_open(&worker.key_tables, loop), 0);
	key_table_count(&worker.key_tables, &key, names[0].id, 30);
	hand_table_over(&worker.key_tables);
	for (int i = 0; i < 2; i++)
		key_table_count(&worker.key_tables, &key, names[0].id, 30);
	server.keys = window;
	keys_join(&server, &worker);
	window = server.keys;
	assert_null(worker.key_tables.own);
	read_page(NOW_MS);
	assert_int_equal(queries_of(7, 0), 3);
	loop_close(loop);
}

/* A directory that comes later: it is tried again after 5 s, and counting goes on meanwhile. */
static void a_page_that_cannot_be_made_is_tried_again(void **state)
{
	static const struct {
		uint64_t at_ms;
		bool made;
	} tries[] = { { 0, false }, { 4999, false }, { 5000, true }, { 5001, true } };
	char path[96];
	struct keys late;

	(void)state;
	snprintf(path, sizeof(path), "%s/late", dir);
	assert_int_equal(keys_open(&late, path, NOW_MS), 0);
	assert_null(late.page);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		keys_write(&late, &place, has_answers, NULL, NOW_MS + tries[i].at_ms);
		assert_int_equal(late.page != NULL, tries[i].made);
	}
	assert_int_equal(steer_keys_read(path, NOW_MS + 5001, &seen), 0);
	assert_int_equal(seen->started_ms, NOW_MS);
	keys_close(&late);
	assert_true(!late.rows && !late.page);
	keys_close(&late);
	keys_write(&late, &place, has_answers, NULL, NOW_MS); /* closed: nothing happens */
	assert_null(late.page);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_key_is_counted_for_each_name_it_asks_for),
		TEST(names_of_one_key_are_not_mixed_up),
		TEST(the_longest_ttl_given_is_known_and_when_it_ends),
		TEST(what_is_older_than_the_window_goes),
		TEST(a_heavy_key_stays_among_very_many_others),
		TEST(a_key_that_becomes_heavy_finds_a_place),
		TEST(more_names_than_there_is_room_for_are_no_harm),
		TEST(names_of_a_new_document_keep_what_was_counted),
		TEST(answers_are_told_by_service_and_site),
		TEST(each_answer_is_in_use_for_its_own_time),
		TEST(the_oldest_queries_of_a_key_go_first),
		TEST(who_meets_in_a_bucket_changes_with_each_table),
		TEST(tables_change_hands_without_a_loss),
		TEST(what_a_thread_hands_over_is_counted_once),
		TEST(what_a_thread_has_when_it_ends_is_not_lost),
		TEST(a_page_that_cannot_be_made_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
