/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Observed keys (dns/key_table.c, dns/keys.c): nothing is lost of what threads count, heavy keys stay
 * however many others there are, and what is older than the window goes.
 */
#include <errno.h>
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
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "dns/key_table.h"
#include "dns/keys.h"
#include "dns/server.h"
#include "tests/unit/suite.h"

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
/* What the threads have counted of it: of its second site, and of none. */
static uint64_t of_fra = 11, of_none = 12, *by_site[] = { NULL, &of_fra, &of_none };
static struct counters_services counted = { .by_site = by_site };
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
	/* a reader leaves out what cannot be, and puts the rest into order: there is nothing to do */
	assert_int_equal(page->n_keys, seen->n_keys);
	assert_int_equal(page->n_names, seen->n_names);
	assert_int_equal(page->n_answers, seen->n_answers);
	for (uint32_t i = 1; i < page->n_keys; i++)
		assert_true(page->keys[i].queries <= page->keys[i - 1].queries);
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

static uint64_t bucket_of_pair(uint32_t number, uint32_t name)
{
	struct steering_key key = make_key(number);
	uint64_t word;

	memcpy(&word, key.bytes, sizeof(word));
	return hash_mix(word ^ (uint64_t)name << 20) % KEYS_BUCKETS;
}

/* The next key after @p number that falls into @p bucket with @p name. */
static uint32_t find_neighbour(uint32_t number, uint32_t name, uint64_t bucket)
{
	do
		number++;
	while (bucket_of_pair(number, name) != bucket);
	return number;
}

/* Keys that share a bucket of the window, KEYS_WAYS and one more. */
static void find_neighbours(uint32_t out[KEYS_WAYS + 1])
{
	out[0] = 1;
	for (uint32_t n = 1; n <= KEYS_WAYS; n++)
		out[n] = find_neighbour(out[n - 1], names[0].id, bucket_of_pair(1, names[0].id));
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

static void hand_table_over(struct key_tables *t)
{
	loop_timer_cancel(t->loop, &t->timer);
	t->timer.cb(t->timer.arg);
}

static void ask_often(uint32_t number, uint32_t name, unsigned times)
{
	const struct steering_key key = make_key(number);

	for (unsigned i = 0; i < times; i++)
		key_table_add(&table, &key, name, 30);
}

/* One key is two in a bucket if it asks for two names; and names that nobody knows take no room. */
static void what_shares_a_bucket_is_told_apart(void **state)
{
	const uint32_t a = names[0].id, b = names[1].id, other = a ^ 1;
	uint32_t number = 1, last = 0, unknown;
	uint64_t bucket;

	(void)state;
	while (bucket_of_pair(number, a) != bucket_of_pair(number, b))
		number++;
	bucket = bucket_of_pair(number, a);
	ask_often(number, a, 3);
	for (uint32_t k = 1; k < KEYS_WAYS; k++) {
		last = find_neighbour(last + (last + 1 == number), a, bucket);
		if (last == number)
			last = find_neighbour(last, a, bucket);
		ask_often(last, a, 20 + k);
	}
	fold_table(NOW_MS);
	ask_often(number, b, 2); /* takes two of the three */
	fold_table(NOW_MS);
	read_page(NOW_MS);
	assert_int_equal(queries_of(number, 0), 1);
	assert_int_equal(queries_of(number, 1), 0);
	assert_int_equal(sum_of_name(0), 3 + 7 * 20 + 28);
	assert_int_equal(sum_of_name(1), 2);
	ask_often(number, b, 4); /* takes the last one, and stays with the others */
	fold_table(NOW_MS);
	read_page(NOW_MS);
	assert_int_equal(queries_of(number, 0), 0);
	assert_int_equal(queries_of(number, 1), 3);
	assert_int_equal(sum_of_name(0), 3 + 7 * 20 + 28);
	assert_int_equal(sum_of_name(1), 6);
	unknown = find_neighbour(0, other, bucket);
	ask_often(unknown, other, 50);
	fold_table(NOW_MS);
	read_page(NOW_MS);
	assert_int_equal(queries_of(number, 1), 3);
	assert_int_equal(seen->n_names, 2);
}

/* More keys than the page has room for, of five names, some with nothing but them. */
static void what_has_no_room_on_the_page_is_counted_by_its_name(void **state)
{
	static const char *const texts[] = { "a", "b", "c", "d", "e" };
	static struct steering_name many[5];
	const struct steering some = { .n_names = 4, .names = many };
	uint64_t n[5] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		many[i] = (struct steering_name){ .name = texts[i], .id = 100 * (i + 1) };
	place.names = many;
	place.n_names = 5;
	keys_set_names(&window, &place);
	for (uint32_t i = 0; i < 7000; i++) {
		uint32_t name = i % 5;

		ask_often(i, many[name].id, name == 2 ? 3 : 1 + i % 3 / 2);
		n[name] += name == 2 ? 3 : 1 + i % 3 / 2;
		if (i % 100 == 99)
			fold_table(NOW_MS);
	}
	read_page(NOW_MS);
	assert_int_equal(seen->n_keys, STEER_KEYS_MAX);
	assert_int_equal(seen->n_names, 5);
	for (unsigned i = 0; i < 5; i++) {
		uint64_t sum = seen->names[i].others;

		for (size_t k = 0; k < seen->n_keys; k++)
			if (seen->keys[k].name == many[i].id)
				sum += seen->keys[k].queries;
		assert_int_equal(seen->names[i].name, many[i].id);
		assert_int_equal(seen->names[i].queries, n[i]);
		assert_int_equal(sum, n[i]);
	}
	assert_true(seen->names[1].others > 0 && seen->names[4].others > 0);
	/* a name that goes and comes back begins anew; its keys are not the next name's */
	keys_set_names(&window, &some);
	keys_set_names(&window, &place);
	read_page(NOW_MS);
	assert_int_equal(seen->n_names, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_true(seen->names[i].others <= seen->names[i].queries);
	place.names = names;
	place.n_names = 2;
}

static bool has_any_answers(void *arg, size_t number, uint32_t site, uint64_t *answers)
{
	(void)arg;
	*answers = number + site;
	return true;
}

/* As many services and sites as the page has room for, and no more. */
static void answers_end_where_the_page_does(void **state)
{
	static struct steering_site at[127];
	static struct steering_service services[130];
	const struct steering large = { .n_services = 130, .services = services };
	const struct steer_keys_page *page = page_payload(window.page);

	(void)state;
	for (unsigned i = 0; i < 127; i++)
		at[i] = (struct steering_site){ .name = "x", .id = i + 1 };
	for (unsigned i = 0; i < 130; i++)
		services[i] = (struct steering_service){ .name = "s", .n_sites = 127, .sites = at };
	keys_write(&window, &large, has_any_answers, NULL, NOW_MS);
	assert_int_equal(page->n_answers, STEER_KEYS_ANSWERS_MAX);
	for (unsigned i = 0; i < STEER_KEYS_ANSWERS_MAX; i++) {
		assert_int_equal(page->answers[i].site, (i + 1) % 128);
		assert_int_equal(page->answers[i].answers, i / 128 + i % 128);
		assert_int_equal(page->answers[i].service, hash_text("s"));
	}
	services[127].n_sites = 126; /* of 128 services, one has a site less */
	keys_write(&window, &(struct steering){ .n_services = 128, .services = services },
	           has_any_answers, NULL, NOW_MS);
	assert_int_equal(page->n_answers, STEER_KEYS_ANSWERS_MAX - 1);
}

/* A page that somebody removes or spoils is there again a second later. */
static void a_page_that_is_removed_or_spoilt_is_written_again(void **state)
{
	char path[96];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/%s", dir, STEER_KEYS_PAGE_FILE);
	ask_name(1, 0, 30);
	fold_table(NOW_MS);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(unlink(path), 0);
		read_page(NOW_MS + 1000);
		assert_int_equal(queries_of(1, 0), 1);
		f = fopen(path, "r+");
		assert_true(f && fputs("nonsense", f) >= 0 && !fclose(f));
		assert_int_equal(steer_keys_read(dir, NOW_MS, &seen), -EPROTO);
		keys_write(&window, &place, has_answers, NULL, NOW_MS + 2000);
		steer_keys_free(seen);
		seen = NULL;
		assert_int_equal(steer_keys_read(dir, NOW_MS + 2000, &seen), 0);
		assert_int_equal(queries_of(1, 0), 1);
	}
}

/* A minute that has begun stays, whatever time is told next. */
static void minutes_do_not_go_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		ask_name(1, 0, 30);
		fold_table(NOW_MS + (i % 2 ? 2 : 3) * KEYS_SLOT_MS);
	}
	read_page(NOW_MS + 12 * KEYS_SLOT_MS);
	assert_int_equal(queries_of(1, 0), 4); /* all of the fourth minute */
	read_page(NOW_MS + 13 * KEYS_SLOT_MS);
	assert_int_equal(queries_of(1, 0), 0);
}

/* Without memory or a path there is no page, and nothing happens. */
static void what_is_not_open_counts_nothing(void **state)
{
	static char far[5000];
	struct keys none = { 0 }, lost;

	(void)state;
	ask_name(1, 0, 30);
	keys_set_names(&none, &place);
	keys_turn(&none, NOW_MS);
	keys_add(&none, &table, NOW_MS);
	keys_write(&none, &place, has_answers, NULL, NOW_MS);
	assert_true(!none.page && !none.rows && !none.names && none.n_names == 0);
	memset(far, 'x', sizeof(far) - 1);
	assert_int_equal(keys_open(&lost, far, NOW_MS), 0);
	assert_string_equal(lost.path, "");
	keys_write(&lost, &place, has_answers, NULL, NOW_MS + 60000);
	assert_true(lost.rows && !lost.page && lost.tried_ms == 0);
	keys_close(&lost);
	keys_close(&window);
	assert_int_equal(keys_open(&window, dir, 0), 0); /* at the very first moment */
	assert_true(window.page && window.tried_ms == 1);
}

/* A bucket in which a key finds no place: the whole of it, and the names' others. */
static void the_smallest_of_a_bucket_gives_way(void **state)
{
	static const struct {
		unsigned n[KEY_TABLE_WAYS];
		const char *text;
	} cases[] = {
		{ { 5, 3, 3, 4 }, "10*5 11*2 12*3 13*4; 0 1 0 0 1" },
		{ { 2, 3, 3, 4 }, "10*1 11*3 12*3 13*4; 1 0 0 0 1" },
		{ { 9, 8, 7, 6 }, "10*9 11*8 12*7 13*5; 0 0 0 1 1" },
		{ { 1, 8, 1, 6 }, "14*1 11*8 12*1 13*6; 1 0 0 0 0" },
		{ { 2, 0, 1, 1 }, "10*2 14*1 12*1 13*1; 0 0 0 0 0" },
		{ { 0, 0, 0, 0 }, "14*1 11*0 12*0 13*0; 0 0 0 0 0" },
		{ { 4, 4, 1, 0 }, "10*4 11*4 12*1 14*1; 0 0 0 0 0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct key_table t;
		struct key_table_key *bucket = t.keys[3];
		char text[128];
		size_t at = 0;

		memset(&t, 0, sizeof(t));
		for (uint32_t k = 0; k < KEY_TABLE_WAYS; k++)
			bucket[k] = (struct key_table_key){ 10 + k, 100 + k, cases[i].n[k] };
		key_table_add_other(&t, bucket, 14, 104);
		for (uint32_t k = 0; k < KEY_TABLE_WAYS; k++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u*%u",
			                       k ? " " : "", (unsigned)bucket[k].key, bucket[k].n);
		for (uint32_t k = 0; k <= KEY_TABLE_WAYS; k++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%u", k ? " " : "; ",
			                       t.names[100 + k].others);
		assert_string_equal(text, cases[i].text);
	}
}

/* A thread that finds no empty table keeps its own, and tries again a second later. */
static void a_late_collector_is_waited_for(void **state)
{
	const struct steering_key key = make_key(1);
	struct loop_timer other = { .heap_index = 0 };
	struct key_tables t;
	struct key_table *own;
	struct loop *loop;

	(void)state;
	assert_int_equal(loop_open(&loop), 0);
	assert_int_equal(key_table_open(&t, loop), 0);
	for (int i = 0; i < 3; i++) {
		key_table_count(&t, &key, names[0].id, 30);
		assert_true(t.timer.heap_index);
		assert_int_equal(t.timer.at_ms, loop_now_ms(loop) + KEY_TABLE_EVERY_MS);
		own = t.own;
		hand_table_over(&t);
		assert_int_equal(own == t.own, i > 0);
		assert_int_equal(t.timer.heap_index != 0, i > 0);
	}
	assert_int_equal(t.own->n, 2);
	assert_int_equal(t.full->n, 1);
	key_table_close(&t);
	assert_int_equal(loop_timer_set(loop, &other, loop_now_ms(loop)), 0);
	assert_int_equal(other.heap_index, 1); /* there is no other timer */
	loop_timer_cancel(loop, &other);
	loop_close(loop);
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

/* Counted before it is emptied, and empty before its thread counts in it again. */
static void what_a_thread_hands_over_is_counted_once(void **state)
{
	static struct generation generation = { .steering = &place };
	static struct serving serving = { .generation = &generation, .counters = &counted };
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

/* All that the page says, with names as a, b, c and keys by their numbers. */
static const char *page_text(uint64_t now_ms)
{
	static char text[1024];
	size_t at;

	steer_keys_free(seen);
	seen = NULL;
	assert_int_equal(steer_keys_read(dir, now_ms, &seen), 0);
	at = (size_t)snprintf(text, sizeof(text), "%us", seen->covered_s);
	for (size_t i = 0; i < seen->n_names; i++) {
		const struct steer_keys_name *n = &seen->names[i];
		char letter = n->name == steer_keys_name_id("a.test")   ? 'a'
		              : n->name == steer_keys_name_id("b.test") ? 'b'
		                                                        : 'c';

		at += (size_t)snprintf(text + at, sizeof(text) - at, " %c:%u/%u,%us+%llu", letter,
		                       n->queries, n->others, n->longest_ttl_s,
		                       (unsigned long long)(n->cached_until_ms - seen->started_ms));
	}
	for (size_t i = 0; i < seen->n_keys; i++) {
		uint32_t number = 0;

		memcpy(&number, seen->keys[i].key + 1, 3);
		at += (size_t)snprintf(text + at, sizeof(text) - at, " k%u%c*%u", number,
		                       seen->keys[i].name == steer_keys_name_id("a.test")   ? 'a'
		                       : seen->keys[i].name == steer_keys_name_id("b.test") ? 'b'
		                                                                            : 'c',
		                       seen->keys[i].queries);
	}
	for (size_t i = 0; i < seen->n_answers; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %llu=%llu",
		                       (unsigned long long)seen->answers[i].site,
		                       (unsigned long long)seen->answers[i].answers);
	assert_true(at < sizeof(text));
	return text;
}

static const struct keys_step {
	uint64_t at_ms;
	bool serving;
	uint64_t finished;
	const char *name; /* of the document, instead of a.test */
	unsigned n[3];    /* queries that the first, second and last thread hand over */
	const char *text; /* NULL: the page is not written */
} ticks[] = { { 900, false, 1, NULL, { 1, 0, 0 }, NULL },
	      { 1000,
	        true,
	        1,
	        NULL,
	        { 0, 2, 3 },
	        "1s b:3/0,30s+31000 a:3/0,30s+31000 k2a*3 k2b*2 k1b*1 0=12 12=11" },
	      { 1999, true, 1, NULL, { 1, 1, 1 }, NULL },
	      { 2000,
	        true,
	        1,
	        "c.test",
	        { 0, 0, 2 },
	        "2s b:5/0,30s+32000 a:4/0,30s+32000 k2a*4 k2b*3 k1b*2 0=12 12=11" },
	      { 3001,
	        true,
	        1,
	        "c.test",
	        { 3, 0, 1 },
	        "3s b:8/0,30s+33001 a:4/0,30s+32000 k1b*5 k2a*4 k2b*3 0=12 12=11" },
	      { 4000, true, 2, "c.test", { 2, 0, 0 }, NULL },
	      { 4001,
	        true,
	        2,
	        "c.test",
	        { 0, 0, 5 },
	        "4s b:10/0,30s+34001 c:5/0,30s+34001 k1b*7 k2c*5 k2b*3 0=12 12=11" },
	      { 605000,
	        true,
	        2,
	        "c.test",
	        { 1, 0, 0 },
	        "545s b:1/0,30s+635000 c:0/0,0s+34001 k1b*1 0=12 12=11" },
	      { 606000,
	        true,
	        2,
	        "c.test",
	        { 0, 0, 0 },
	        "546s b:1/0,30s+635000 c:0/0,0s+34001 k1b*1 0=12 12=11" } };

static const unsigned who[] = { 0, 1, WORKERS_ALL - 1 };

/* What the first, the second and the last thread count, and hand over if they can. */
static void ask_threads(struct dns_worker *workers, const struct keys_step *step)
{
	for (unsigned k = 0; k < 3; k++) {
		const struct steering_key key = make_key(k ? 2 : 1);
		struct key_tables *t = &workers[who[k]].key_tables;

		for (unsigned n = 0; n < step->n[k]; n++)
			key_table_count(t, &key, names[k < 2].id, 30);
		if (step->n[k] && t->spare)
			hand_table_over(t);
	}
}

/* A server that counts from the beginning to the end, with the whole page after each tick. */
static void a_tick_comes_once_a_second_with_what_all_threads_have(void **state)
{
	static struct generation generation = { .steering = &place };
	static struct serving serving = { .generation = &generation, .counters = &counted };
	static struct server server;
	static struct proc_dirs dirs;
	const struct steer_keys_page *page;
	struct loop *loop;
	uint64_t began_ms, before_ms = clock_mono_ms();

	(void)state;
	keys_close(&window);
	strcpy(dirs.run, dir);
	memset(&server, 0, sizeof(server));
	server.dirs = &dirs;
	assert_int_equal(loop_open(&loop), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(key_table_open(&server.workers[who[i]].key_tables, loop), 0);
	keys_begin(&server);
	began_ms = server.keys.started_ms;
	assert_true(began_ms >= before_ms && began_ms <= clock_mono_ms());
	page = page_payload(server.keys.page);
	server.keys_ms = began_ms;
	for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		uint32_t seq = page->seq;
		uint64_t now_ms = began_ms + ticks[i].at_ms;

		server.serving = ticks[i].serving ? &serving : NULL;
		server.load.finished = ticks[i].finished;
		if (ticks[i].name) {
			names[0].name = ticks[i].name;
			names[0].id = steer_keys_name_id(ticks[i].name);
		}
		ask_threads(server.workers, &ticks[i]);
		keys_tick(&server, now_ms);
		assert_int_equal(page->seq, seq + (ticks[i].text ? 2 : 0));
		if (ticks[i].text)
			assert_string_equal(page_text(now_ms + STEER_KEYS_OLD_MS - 1),
			                    ticks[i].text);
	}
	for (unsigned i = 0; i < 3; i++)
		key_table_close(&server.workers[who[i]].key_tables);
	loop_close(loop);
	keys_end(&server);
	assert_true(!server.keys.rows && !server.keys.page && !server.keys.names);
	assert_int_equal(keys_open(&window, dir, NOW_MS), 0); /* for the end */
}

/* Of the two tables of a thread that ends, each may be there or not. */
static void a_thread_ends_with_either_table(void **state)
{
	static struct server server;
	static struct dns_worker worker;
	const struct steering_key key = make_key(7);
	uint32_t n = 0;

	(void)state;
	server.keys = window;
	for (unsigned i = 0; i < 4; i++) {
		struct key_table *given[2] = { NULL, NULL };

		for (unsigned k = 0; k < 2; k++) {
			if (!(i >> k & 1))
				continue;
			given[k] = aligned_alloc(64, sizeof(*given[k]));
			memset(given[k], 0, sizeof(*given[k]));
			key_table_add(given[k], &key, names[0].id, 30);
			if (k)
				key_table_add(given[k], &key, names[0].id, 30);
			n += 1 + k;
		}
		worker.key_tables = (struct key_tables){ .own = given[0], .full = given[1] };
		keys_join(&server, &worker);
		assert_true(!worker.key_tables.own && !worker.key_tables.full);
		window = server.keys;
		read_page(NOW_MS);
		assert_int_equal(queries_of(7, 0), n);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(keys)
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
		TEST(what_shares_a_bucket_is_told_apart),
		TEST(what_has_no_room_on_the_page_is_counted_by_its_name),
		TEST(answers_end_where_the_page_does),
		TEST(a_page_that_is_removed_or_spoilt_is_written_again),
		TEST(minutes_do_not_go_back),
		TEST(what_is_not_open_counts_nothing),
		TEST(the_smallest_of_a_bucket_gives_way),
		TEST(a_late_collector_is_waited_for),
		TEST(who_meets_in_a_bucket_changes_with_each_table),
		TEST(tables_change_hands_without_a_loss),
		TEST(what_a_thread_hands_over_is_counted_once),
		TEST(what_a_thread_has_when_it_ends_is_not_lost),
		TEST(a_page_that_cannot_be_made_is_tried_again),
		TEST(a_tick_comes_once_a_second_with_what_all_threads_have),
		TEST(a_thread_ends_with_either_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
