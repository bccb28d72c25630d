/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether what the members have follows on what a node has, row by row of the table in mgmt/store/origin.h; and what a copy
 * has that another one lacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "mgmt/store/lost.h"
#include "mgmt/store/origin.h"
#include "mgmt/store/store_claim.h"
#include "tests/unit/suite.h"

#define ID      "0123456789abcdef0123456789abcdef"
#define OTHER   "fedcba9876543210fedcba9876543210"
#define DIGEST  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST2 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

#define RAISED(id, epoch, nonce)                                                                   \
	"{\"how\":\"accepted\",\"id\":\"" id "\",\"epoch\":" #epoch ",\"nonce\":\"" nonce "\"}"
#define CLAIM(id, epoch, nonce, more)                                                              \
	"{\"how\":\"begun\",\"id\":\"" id "\",\"epoch\":" #epoch ",\"nonce\":\"" nonce "\"" more "}"
#define HEAD(number) "{\"number\":" #number "}"
#define VERSION(n, digest, author)                                                                 \
	"{\"number\":" #n ",\"digest\":\"" digest "\",\"author\":\"" author                        \
	"\",\"reason\":\"why\",\"time_ms\":5000,\"effective_ms\":5000,\"node\":\"ams-1\"}"
#define MARK(word, author)                                                                         \
	"{\"mark\":\"" word "\",\"author\":\"" author "\",\"reason\":\"m\",\"time_ms\":9}"

static const struct store_origin first = { .cluster_id = 0xabc, .epoch = 2, .nonce = "aa" },
                                 without = { .cluster_id = 0xabc }, unknown = { 0 };

static const struct {
	const char *why;
	const struct store_origin *had;
	int64_t revision; /* that the node has read */
	uint64_t newest;  /* of the node; 0: it has none */
	/* what is found */
	uint64_t cluster_id;
	int64_t at;
	const char *claim, *head, *version;
	enum origin_verdict verdict;
	const char *said[2]; /* what the reason names */
} rows[] = {
	{ "it goes on",
	  &first,
	  100,
	  7,
	  0xabc,
	  101,
	  CLAIM(ID, 2, "aa", ""),
	  HEAD(8),
	  NULL,
	  ORIGIN_FOLLOWS,
	  { "" } },
	{ "nothing is new",
	  &first,
	  100,
	  7,
	  0xabc,
	  100,
	  CLAIM(ID, 2, "aa", ""),
	  HEAD(7),
	  VERSION(7, DIGEST, "ann"),
	  ORIGIN_FOLLOWS,
	  { "" } },
	{ "another id",
	  &first,
	  100,
	  7,
	  0xabc,
	  101,
	  CLAIM(OTHER, 3, "bb", ""),
	  HEAD(8),
	  NULL,
	  ORIGIN_OTHER,
	  { OTHER, ID } },
	{ "another id, at a node without a copy",
	  &unknown,
	  0,
	  0,
	  0xabc,
	  101,
	  CLAIM(OTHER, 1, "bb", ""),
	  NULL,
	  NULL,
	  ORIGIN_OTHER,
	  { OTHER, ID } },
	{ "its record is not ours",
	  &first,
	  100,
	  7,
	  0xabc,
	  101,
	  "garbage",
	  HEAD(8),
	  NULL,
	  ORIGIN_OTHER,
	  { "not Weir's" } },
	{ "an epoch without a nonce is not ours",
	  &first,
	  100,
	  7,
	  0xabc,
	  101,
	  CLAIM(ID, 2, "", ""),
	  HEAD(8),
	  NULL,
	  ORIGIN_OTHER,
	  { "not Weir's" } },
	{ "begun again",
	  &first,
	  100,
	  7,
	  0xdef,
	  3,
	  CLAIM(ID, 1, "cc", ",\"unfinished\":true"),
	  NULL,
	  NULL,
	  ORIGIN_OTHER,
	  { "weir store rebuild" } },
	{ "begun again, at a node without a copy",
	  &unknown,
	  0,
	  0,
	  0xdef,
	  3,
	  CLAIM(ID, 1, "cc", ",\"unfinished\":true"),
	  NULL,
	  NULL,
	  ORIGIN_OTHER,
	  { "weir store rebuild" } },
	{ "being rebuilt",
	  &first,
	  100,
	  7,
	  0xdef,
	  3,
	  "{\"how\":\"rebuilt\",\"id\":\"" ID
	  "\",\"epoch\":3,\"nonce\":\"cc\",\"unfinished\":true,\"node\":\"fra-1\"}",
	  NULL,
	  NULL,
	  ORIGIN_OTHER,
	  { "fra-1" } },
	{ "a higher epoch, with less",
	  &first,
	  100,
	  7,
	  0xabc,
	  50,
	  RAISED(ID, 3, "bb"),
	  HEAD(5),
	  NULL,
	  ORIGIN_NEWER,
	  { "" } },
	{ "a higher epoch, of another etcd",
	  &first,
	  100,
	  7,
	  0xdef,
	  5,
	  RAISED(ID, 3, "bb"),
	  HEAD(5),
	  NULL,
	  ORIGIN_NEWER,
	  { "" } },
	{ "a record where there was none",
	  &without,
	  100,
	  7,
	  0xabc,
	  101,
	  CLAIM(ID, 1, "bb", ""),
	  HEAD(7),
	  NULL,
	  ORIGIN_FOLLOWS,
	  { "" } },
	{ "a record where there was none, and less",
	  &without,
	  100,
	  7,
	  0xabc,
	  101,
	  CLAIM(ID, 1, "bb", ""),
	  HEAD(6),
	  NULL,
	  ORIGIN_WENT_BACK,
	  { "version 7" } },
	{ "another etcd in which the store was only begun",
	  &without,
	  100,
	  7,
	  0xdef,
	  500,
	  CLAIM(ID, 1, "bb", ""),
	  NULL,
	  NULL,
	  ORIGIN_OTHER,
	  { "cluster def", "cluster abc" } },
	{ "a lower epoch, with more",
	  &first,
	  100,
	  7,
	  0xabc,
	  500,
	  CLAIM(ID, 1, "bb", ""),
	  HEAD(9),
	  NULL,
	  ORIGIN_WENT_BACK,
	  { "epoch 1", "epoch 2" } },
	{ "a lower epoch, of another etcd",
	  &first,
	  100,
	  7,
	  0xdef,
	  500,
	  CLAIM(ID, 1, "bb", ""),
	  HEAD(9),
	  NULL,
	  ORIGIN_OTHER,
	  { "def", "abc" } },
	{ "an equal epoch that another began",
	  &first,
	  100,
	  7,
	  0xabc,
	  500,
	  CLAIM(ID, 2, "bb", ""),
	  HEAD(9),
	  NULL,
	  ORIGIN_OTHER,
	  { "bb", "aa" } },
	{ "another etcd with a higher revision",
	  &first,
	  100,
	  7,
	  0xdef,
	  500,
	  CLAIM(ID, 2, "aa", ""),
	  HEAD(9),
	  NULL,
	  ORIGIN_OTHER,
	  { "cluster def", "cluster abc" } },
	{ "another etcd without any store",
	  &first,
	  100,
	  7,
	  0xdef,
	  500,
	  NULL,
	  NULL,
	  NULL,
	  ORIGIN_OTHER,
	  { "cluster def", "cluster abc" } },
	{ "its record is gone",
	  &first,
	  100,
	  7,
	  0xabc,
	  500,
	  NULL,
	  HEAD(9),
	  NULL,
	  ORIGIN_WENT_BACK,
	  { "epoch 0" } },
	{ "a lower revision",
	  &first,
	  100,
	  7,
	  0xabc,
	  99,
	  CLAIM(ID, 2, "aa", ""),
	  HEAD(7),
	  NULL,
	  ORIGIN_WENT_BACK,
	  { "99", "100" } },
	{ "a lower newest version",
	  &first,
	  100,
	  7,
	  0xabc,
	  200,
	  CLAIM(ID, 2, "aa", ""),
	  HEAD(6),
	  NULL,
	  ORIGIN_WENT_BACK,
	  { "version is 6", "version 7" } },
	{ "no version any more",
	  &first,
	  100,
	  7,
	  0xabc,
	  200,
	  CLAIM(ID, 2, "aa", ""),
	  NULL,
	  NULL,
	  ORIGIN_WENT_BACK,
	  { "version is 0", "version 7" } },
	{ "another version of its number",
	  &first,
	  100,
	  7,
	  0xabc,
	  200,
	  CLAIM(ID, 2, "aa", ""),
	  HEAD(8),
	  VERSION(7, DIGEST2, "bob"),
	  ORIGIN_WENT_BACK,
	  { "bob", "ann" } },
	{ "a copy that was made alone",
	  &unknown,
	  100,
	  7,
	  0xdef,
	  101,
	  CLAIM(ID, 2, "aa", ""),
	  HEAD(7),
	  NULL,
	  ORIGIN_FOLLOWS,
	  { "" } },
	{ "a copy that was made alone, and less",
	  &unknown,
	  100,
	  7,
	  0xdef,
	  101,
	  CLAIM(ID, 2, "aa", ""),
	  HEAD(6),
	  NULL,
	  ORIGIN_WENT_BACK,
	  { "version 7" } },
	{ "a copy that was made alone, and a store that was accepted since",
	  &unknown,
	  100,
	  7,
	  0xdef,
	  50,
	  RAISED(ID, 1, "bb"),
	  HEAD(5),
	  NULL,
	  ORIGIN_NEWER,
	  { "" } },
	{ "a node without a copy, and a store that was accepted",
	  &unknown,
	  0,
	  0,
	  0xabc,
	  50,
	  RAISED(ID, 3, "bb"),
	  HEAD(5),
	  NULL,
	  ORIGIN_FOLLOWS,
	  { "" } },
	{ "the first list",
	  &unknown,
	  0,
	  0,
	  0xabc,
	  5,
	  CLAIM(ID, 2, "aa", ""),
	  HEAD(6),
	  NULL,
	  ORIGIN_FOLLOWS,
	  { "" } },
	{ "a store without a record",
	  &unknown,
	  0,
	  0,
	  0xabc,
	  5,
	  NULL,
	  NULL,
	  NULL,
	  ORIGIN_FOLLOWS,
	  { "" } },
	{ "a head that is not ours is said when it is taken",
	  &first,
	  100,
	  7,
	  0xabc,
	  101,
	  CLAIM(ID, 2, "aa", ""),
	  "garbage",
	  NULL,
	  ORIGIN_FOLLOWS,
	  { "" } },
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct shared_record *)a)->name,
	              ((const struct shared_record *)b)->name);
}

static size_t add_record(struct shared_record *list, size_t n, const char *name, const char *text)
{
	if (!text)
		return n;
	list[n] = (struct shared_record){ .text = (char *)(uintptr_t)text, .revision = 3 };
	snprintf(list[n].name, sizeof(list[n].name), "%s", name);
	return n + 1;
}

static void a_list_is_judged_before_it_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct version newest = {
			.number = rows[i].newest, .digest = DIGEST, .author = "ann", .time_ms = 5000
		};
		struct shared_record list[3];
		struct shared_records copy = { .revision = rows[i].revision,
			                       .records = list }; /* as found */
		const struct origin_here here = { .id = ID,
			                          .origin = *rows[i].had,
			                          .revision = rows[i].revision,
			                          .newest = rows[i].newest ? &newest : NULL,
			                          .copy = &copy };
		struct shared_records found = { .revision = rows[i].at,
			                        .cluster_id = rows[i].cluster_id,
			                        .records = list };
		char reason[ETCD_REASON_MAX];

		print_message("  %s\n", rows[i].why);
		found.n = add_record(list, 0, "head", rows[i].head);
		found.n = add_record(list, found.n, "store", rows[i].claim);
		found.n = add_record(list, found.n, "version/7", rows[i].version);
		copy.n = found.n;
		assert_int_equal(origin_judge(&here, &found, reason), rows[i].verdict);
		for (size_t k = 0; k < 2 && rows[i].said[k]; k++)
			if (*rows[i].said[k])
				assert_non_null(strstr(reason, rows[i].said[k]));
			else
				assert_string_equal(reason, "");
	}
}

static void what_changed_up_to_the_copy_is_in_it(void **state)
{
	static const struct {
		const char *why, *name, *text;
		int64_t revision;
		enum origin_verdict verdict;
	} changes[] = {
		{ "nothing", "head", HEAD(7), 99, ORIGIN_FOLLOWS },
		{ "a change that is to come", "mark/7", MARK("ended", "bob"), 101, ORIGIN_FOLLOWS },
		{ "a new one that is to come", "mark/8", MARK("ended", "bob"), 101,
		  ORIGIN_FOLLOWS },
		{ "another in its place", "mark/7", MARK("ended", "bob"), 100, ORIGIN_WENT_BACK },
		{ "the same, but before", "mark/7", MARK("confirmed", "ann"), 98,
		  ORIGIN_WENT_BACK },
		{ "one that is not here", "mark/5", MARK("ended", "bob"), 100, ORIGIN_WENT_BACK },
	};
	struct shared_record here[4], there[5];
	struct shared_records copy = { .records = here, .revision = 100 };
	struct shared_records found = { .records = there, .cluster_id = 0xabc, .revision = 101 };
	const struct version newest = { .number = 7, .digest = DIGEST, .time_ms = 5000 };
	const struct origin_here node = {
		.id = ID, .origin = first, .revision = 100, .newest = &newest, .copy = &copy
	};
	char reason[ETCD_REASON_MAX];

	(void)state;
	copy.n = add_record(here, 0, "head", HEAD(7));
	copy.n = add_record(here, copy.n, "mark/7", MARK("confirmed", "ann"));
	copy.n = add_record(here, copy.n, "store", CLAIM(ID, 2, "aa", ""));
	copy.n = add_record(here, copy.n, "version/7", VERSION(7, DIGEST, "ann"));
	here[0].revision = 99;
	here[1].revision = 100;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		print_message("  %s\n", changes[i].why);
		memcpy(there, here, sizeof(here));
		found.n = add_record(there, copy.n, changes[i].name, changes[i].text);
		there[4].revision = changes[i].revision;
		for (size_t k = 0; k < copy.n; k++)
			if (!strcmp(here[k].name, changes[i].name))
				there[k] = there[--found.n];
		qsort(there, found.n, sizeof(*there), compare_names);
		assert_int_equal(origin_judge(&node, &found, reason), changes[i].verdict);
		assert_int_equal(changes[i].verdict == ORIGIN_WENT_BACK,
		                 strstr(reason, changes[i].name) != NULL);
	}
	const struct shared_record other = there[1]; /* mark/5 */

	there[1] = here[2];
	found.n = 2; /* what was removed since says nothing */
	assert_int_equal(origin_judge(&node, &found, reason), ORIGIN_FOLLOWS);
	there[1] = other; /* in a store that was accepted */
	found.n = add_record(there, 2, "store", RAISED(ID, 3, "bb"));
	assert_int_equal(origin_judge(&node, &found, reason), ORIGIN_NEWER);
}

static void of_what_a_list_is(void **state)
{
	struct shared_record list[1];
	struct shared_records found = { .cluster_id = 0xabc, .records = list };
	struct store_origin o;

	(void)state;
	origin_of(&found, &o);
	assert_true(o.cluster_id == 0xabc && o.epoch == 0 && !*o.nonce);
	found.n = add_record(list, 0, "store", CLAIM(ID, 5, "bb", ""));
	origin_of(&found, &o);
	assert_true(o.cluster_id == 0xabc && o.epoch == 5 && !strcmp(o.nonce, "bb"));
	found.n = add_record(list, 0, "store", "{\"id\":\"" ID "\",\"change\":\"" ID "\"}");
	origin_of(&found, &o); /* not sound: it has no epoch */
	assert_true(o.epoch == 0 && !*o.nonce);
}

static void what_a_copy_has_and_the_store_has_not(void **state)
{
	struct shared_record here[8], there[8];
	struct shared_records a = { .records = here }, b = { .records = there };
	struct lost lost[8];

	(void)state;
	a.n = add_record(here, 0, "head", HEAD(10));
	a.n = add_record(here, a.n, "mark/9", MARK("confirmed", "cas"));
	a.n = add_record(here, a.n, "store", CLAIM(ID, 5, "bb", ""));
	a.n = add_record(here, a.n, "version/1", VERSION(1, DIGEST, "ann"));
	a.n = add_record(here, a.n, "version/10", VERSION(10, DIGEST2, "bob"));
	a.n = add_record(here, a.n, "version/8", VERSION(8, DIGEST, "ann"));
	a.n = add_record(here, a.n, "version/9", VERSION(9, DIGEST, "dee"));
	b.n = add_record(there, 0, "version/8", VERSION(8, DIGEST2, "ann")); /* another one */
	b.n = add_record(there, b.n, "version/9", VERSION(9, DIGEST, "dee"));
	memset(lost, 0, sizeof(lost));
	assert_int_equal(lost_find(&a, &b, lost, 8), 3);
	assert_true(lost[0].number == 10 && lost[0].mark == CHAIN_UNMARKED &&
	            !strcmp(lost[0].author, "bob") && lost[0].time_ms == 5000);
	assert_true(lost[1].number == 9 && lost[1].mark == CHAIN_CONFIRMED &&
	            !strcmp(lost[1].author, "cas") && !strcmp(lost[1].reason, "m"));
	assert_true(lost[2].number == 8);
	assert_int_equal(lost[3].number, 0);
	assert_int_equal(lost_find(&a, &b, lost, 1), 3); /* more than there is room for */
	assert_int_equal(lost_find(&a, &a, lost, 8), 0);
	assert_int_equal(lost_find(&b, &(struct shared_records){ 0 }, NULL, 0), 2);
	assert_int_equal(lost_find(&(struct shared_records){ 0 }, &a, NULL, 0), 0);
}

SUITE(origin)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_is_judged_before_it_is_taken),
		cmocka_unit_test(what_changed_up_to_the_copy_is_in_it),
		cmocka_unit_test(of_what_a_list_is),
		cmocka_unit_test(what_a_copy_has_and_the_store_has_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
