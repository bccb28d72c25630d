/* SPDX-License-Identifier: BSD-2-Clause */
/* How a peer's versions stand to ours, and what becomes of ours when they are taken. */
#include "fixture.h"

#include <errno.h>

#include "mgmt/store/intent.h"
#include "mgmt/store/yield.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fixture place;
static struct intent *in;

static struct intent *open_node(const struct fixture *f, const char *node, int64_t now_ms)
{
	struct intent_options options = {
		.conf_dir = f->conf, .state_dir = f->state, .node = node, .start = INTENT_BOOTSTRAP
	};
	struct intent *opened = NULL;

	assert_int_equal(intent_open(&options, now_ms, &opened), 0);
	return opened;
}

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	in = open_node(&place, "ams-1", NOW_MS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	intent_close(in);
	fixture_remove(&place);
	return 0;
}

static int apply_to(struct intent *to, const char *words, struct intent_change change,
                    int64_t now_ms)
{
	struct files files = fixture_files("# two sites", words);
	struct intent_changed changed = { 0 };

	change.files = &files;
	change.author = "jw";
	change.reason = "";
	int err = intent_change(to, &change, now_ms, &changed);
	intent_changed_fini(&changed);
	files_fini(&files);
	return err;
}

static int apply_words(const char *words, int64_t now_ms)
{
	return apply_to(in, words, (struct intent_change){ .confirm_within_ms = 0 }, now_ms);
}

/* Versions 2 to @p last, a second apart. */
static void apply_until(uint64_t last)
{
	char words[32];

	for (uint64_t i = 2; i <= last; i++) {
		snprintf(words, sizeof(words), "# %d", (int)i);
		assert_int_equal(apply_words(words, NOW_MS + 1000 * (int64_t)i), 0);
	}
}

static struct version other_version(uint64_t number, char digit)
{
	struct version v = { .number = number, .author = "ab", .time_ms = NOW_MS };

	memset(v.digest, digit, DIGEST_TEXT_MAX - 1);
	return v;
}

static void name_superseded(struct version *v, const char *digest)
{
	snprintf(v->supersedes[v->n_supersedes++], DIGEST_TEXT_MAX, "%s", digest);
}

static void a_peer_without_versions_is_behind(void **state)
{
	(void)state;
	assert_int_equal(intent_relate(in, NULL, 0), INTENT_BEHIND);
}

static void an_older_head_is_behind_if_history_has_it(void **state)
{
	struct version v;

	(void)state;
	apply_until(10); /* more than memory keeps */
	assert_int_equal(intent_version(in, 1, &v, NULL), 0);
	assert_int_equal(intent_relate(in, &v, 1), INTENT_BEHIND);
	assert_int_equal(intent_version(in, 9, &v, NULL), 0);
	assert_int_equal(intent_relate(in, &v, 1), INTENT_BEHIND);
	v = other_version(1, 'f');
	assert_int_equal(intent_relate(in, &v, 1), INTENT_DIVERGED);
	v = other_version(9, 'f');
	assert_int_equal(intent_relate(in, &v, 1), INTENT_DIVERGED);
	v = other_version(10, 'f');
	assert_int_equal(intent_relate(in, &v, 1), INTENT_DIVERGED);
}

/* A head that one of our versions overrode by name is behind, however long ago that was. */
static void an_overridden_head_is_behind(void **state)
{
	struct intent_foreign head = { .number = 1 };
	struct version theirs = other_version(1, 'f'), later = other_version(3, 'f');
	const char *force[] = { theirs.digest };
	struct intent_change change = { .confirm_within_ms = 0, .force = force, .n_force = 1 };

	(void)state;
	memcpy(head.digest, theirs.digest, sizeof(head.digest));
	intent_note_diverged(in, &head, 1);
	assert_int_equal(intent_relate(in, &theirs, 1), INTENT_DIVERGED);
	assert_int_equal(apply_to(in, "# over", change, NOW_MS + 10), 0);
	assert_int_equal(intent_relate(in, &theirs, 1), INTENT_BEHIND);
	for (int i = 0; i < 17; i++) { /* more than are read at once */
		char words[32];

		snprintf(words, sizeof(words), "# then %d", i);
		assert_int_equal(apply_words(words, NOW_MS + 1000 + i), 0);
	}
	assert_int_equal(intent_relate(in, &theirs, 1), INTENT_BEHIND);
	/* Another of that digest made after it was overridden is not. */
	assert_int_equal(intent_relate(in, &later, 1), INTENT_DIVERGED);
}

static void a_later_head_is_ahead_if_it_leads_on_from_ours(void **state)
{
	struct version list[3];

	(void)state;
	apply_until(3);
	const struct version *head = intent_head(in);
	list[0] = other_version(5, 'f');
	assert_int_equal(intent_relate(in, list, 1), INTENT_AHEAD); /* the list is needed */
	list[1] = other_version(4, 'y');
	list[2] = *head;
	assert_int_equal(intent_relate(in, list, 3), INTENT_AHEAD);
	assert_int_equal(intent_relate(in, list, 2), INTENT_DIVERGED);
	list[2] = other_version(3, 'z');
	assert_int_equal(intent_relate(in, list, 3), INTENT_DIVERGED);
	list[2].number = 2; /* of our digest, and another number */
	memcpy(list[2].digest, head->digest, DIGEST_TEXT_MAX);
	assert_int_equal(intent_relate(in, list, 3), INTENT_DIVERGED);
	list[2] = other_version(3, 'z');
	name_superseded(&list[2], head->digest); /* in place of ours, by name */
	assert_int_equal(intent_relate(in, list, 3), INTENT_AHEAD);
	list[2].n_supersedes = 0;
	name_superseded(&list[0], list[1].digest);
	name_superseded(&list[0], head->digest); /* the second that it names */
	assert_int_equal(intent_relate(in, list, 3), INTENT_AHEAD);
}

static void of_two_with_one_number_the_one_that_names_the_other_wins(void **state)
{
	struct version theirs = other_version(2, 'f'), ours;
	struct intent_foreign head = { .number = 1 };
	const char *force[] = { theirs.digest };
	struct intent_change change = { .confirm_within_ms = 0, .force = force, .n_force = 1 };

	(void)state;
	memcpy(head.digest, theirs.digest, sizeof(head.digest));
	intent_note_diverged(in, &head, 1);
	assert_int_equal(apply_to(in, "# over", change, NOW_MS + 10), 0);
	ours = *intent_head(in);
	assert_int_equal(ours.number, 2);
	assert_int_equal(intent_relate(in, &theirs, 1), INTENT_BEHIND);
	name_superseded(&theirs, ours.digest); /* both name each other */
	assert_int_equal(intent_relate(in, &theirs, 1), INTENT_DIVERGED);
	memset(theirs.digest, 'y', DIGEST_TEXT_MAX - 1); /* only theirs names ours */
	assert_int_equal(intent_relate(in, &theirs, 1), INTENT_AHEAD);
	theirs.n_supersedes = 0;
	assert_int_equal(intent_relate(in, &theirs, 1), INTENT_DIVERGED);
}

/* A second node, at @p f, whose history is ours and one version more. */
static void make_offer(struct fixture *f, const char *words, struct intent_change change,
                       struct intent_offer *out)
{
	struct intent *peer;

	fixture_make(f);
	peer = open_node(f, "fra-1", NOW_MS);
	int err = apply_to(peer, words, change, NOW_MS + 5000);
	assert_int_equal(err, 0);
	assert_int_equal(intent_version(peer, 2, &out->version, &out->files), 0);
	intent_close(peer);
}

static void what_is_not_as_it_says_is_not_taken(void **state)
{
	struct intent_offer offer = { 0 };
	struct fixture second;

	(void)state;
	make_offer(&second, "# two", (struct intent_change){ .confirm_within_ms = 0 }, &offer);
	assert_int_equal(intent_accept(in, NULL, 0, NOW_MS + 6000), -EINVAL);
	offer.version.digest[0] ^= 1;
	assert_int_equal(intent_accept(in, &offer, 1, NOW_MS + 6000), -EINVAL);
	assert_int_equal(intent_head(in)->number, 1);
	assert_int_equal(intent_version(in, 2, &(struct version){ 0 }, NULL), -ENOENT);
	offer.version.digest[0] ^= 1;
	assert_int_equal(intent_accept(in, &offer, 1, NOW_MS + 6000), 0);
	assert_string_equal(intent_head(in)->digest, offer.version.digest);
	files_fini(&offer.files);
	fixture_remove(&second);
}

/*
 * A version that this node cannot read is named with its first mistake until a newer head is in
 * force.
 */
static void a_version_with_mistakes_is_refused_and_named(void **state)
{
	struct intent_offer offer = { .version = other_version(5, 'f') };
	const char *why;

	(void)state;
	assert_int_equal(intent_refused_version(in, &why), 0);
	assert_string_equal(why, "");
	offer.files = fixture_files("port = 80; hash", "port = 90000; hash");
	files_digest(&offer.files, offer.version.digest);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(intent_accept(in, &offer, 1, NOW_MS + 10), -EINVAL);
		assert_int_equal(intent_refused_version(in, &why), 5);
		assert_non_null(strstr(why, "services[0].port"));
		assert_non_null(strstr(why, "90000"));
	}
	assert_int_equal(intent_head(in)->number, 1);
	files_fini(&offer.files);
	apply_until(4);
	assert_int_equal(intent_refused_version(in, &why), 5);
	assert_int_equal(apply_words("# five", NOW_MS + 9000), 0);
	assert_int_equal(intent_refused_version(in, &why), 0);
}

/* With a version that waits to be confirmed comes what is left of its time at the peer. */
static void what_is_left_of_a_deadline_is_taken_over(void **state)
{
	struct intent_offer offer = { 0 };
	struct pending_clock clock = { .boot = "b", .now_ms = 100000 };
	struct fixture second;

	(void)state;
	make_offer(&second, "# two", (struct intent_change){ .confirm_within_ms = 60000 }, &offer);
	offer.version.confirm_left_ms = 7000;
	assert_int_equal(intent_accept(in, &offer, 1, NOW_MS + 50000), 0);
	assert_int_equal(intent_head(in)->confirm_left_ms, 7000);
	intent_run_deadline(in, &clock, NOW_MS + 50000);
	assert_true(intent_head(in)->confirm_by_ms == NOW_MS + 57000);
	clock.now_ms += 6999;
	intent_run_deadline(in, &clock, NOW_MS + 56999);
	assert_int_equal(intent_head(in)->number, 2);
	clock.now_ms++;
	intent_run_deadline(in, &clock, NOW_MS + 57000);
	assert_int_equal(intent_head(in)->number, 3);
	assert_int_equal(intent_head(in)->undoes, 2);
	assert_string_equal(intent_head(in)->reason, "version 2 was not confirmed in time");
	assert_string_equal(intent_head(in)->author, "weir");
	files_fini(&offer.files);
	fixture_remove(&second);
}

/* A peer of the former release does not say what is left: the version has its whole time. */
static void a_deadline_of_which_nothing_is_said_is_whole(void **state)
{
	static const int64_t said_ms[] = { 0, -5 };

	for (size_t i = 0; i < COUNT(said_ms); i++) {
		struct intent_offer offer = { 0 };
		struct pending_clock clock = { .boot = "b", .now_ms = 100000 };
		struct fixture second;

		make_offer(&second, "# two", (struct intent_change){ .confirm_within_ms = 60000 },
		           &offer);
		offer.version.confirm_left_ms = said_ms[i];
		assert_int_equal(intent_accept(in, &offer, 1, NOW_MS + 50000), 0);
		intent_run_deadline(in, &clock, NOW_MS + 50000);
		assert_int_equal(intent_head(in)->number, 2);
		assert_int_equal(intent_head(in)->confirm_left_ms, 60000);
		files_fini(&offer.files);
		fixture_remove(&second);
		teardown(state);
		setup(state);
	}
}

/* After a version of a peer was taken, ours of before is told: it does not give way any more. */
static void a_taken_version_is_told(void **state)
{
	struct intent_offer offer = { 0 };
	struct fixture second;

	(void)state;
	make_offer(&second, "# two", (struct intent_change){ .confirm_within_ms = 0 }, &offer);
	offer.version.number = 3;
	assert_int_equal(
	        apply_to(in, "# own", (struct intent_change){ .untold = true }, NOW_MS + 10), 0);
	assert_true(yield_is_untold(in));
	name_superseded(&offer.version, intent_head(in)->digest);
	assert_int_equal(intent_accept(in, &offer, 1, NOW_MS + 20), 0);
	assert_int_equal(intent_head(in)->number, 3);
	assert_false(yield_is_untold(in));
	/* ours was applied: it is history now, and nothing gave way */
	struct version_lost lost;
	struct version own;
	assert_int_equal(store_lost(intent_store(in), &lost, 1), 0);
	assert_int_equal(intent_version(in, 2, &own, NULL), 0);
	assert_int_equal(intent_model(in)->meta.version, 3);
	files_fini(&offer.files);
	fixture_remove(&second);
}

static const struct intent_change waits = { .confirm_within_ms = 60000,
	                                    .pending = INTENT_PENDING_JOIN };

static void a_peer_s_confirmations_are_taken_over(void **state)
{
	struct version list[3], v;

	(void)state;
	assert_int_equal(apply_to(in, "# 2", waits, NOW_MS + 10), 0);
	assert_int_equal(apply_to(in, "# 3", waits, NOW_MS + 20), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(intent_version(in, 3 - i, &list[i], NULL), 0);
	intent_import_confirmed(in, list, 3, "fra-1", NOW_MS + 30); /* still unconfirmed there */
	assert_true(intent_head(in)->confirm_by_ms > 0);
	list[1].confirm_by_ms = 0;
	list[1].digest[0] ^= 1; /* of another version 2 */
	intent_import_confirmed(in, list, 3, "fra-1", NOW_MS + 30);
	assert_int_equal(intent_version(in, 2, &v, NULL), 0);
	assert_true(v.confirm_by_ms > 0);
	list[1].digest[0] ^= 1;
	intent_import_confirmed(in, list, 3, "fra-1", NOW_MS + 30);
	assert_int_equal(intent_version(in, 2, &v, NULL), 0);
	assert_int_equal(v.confirm_by_ms, 0);
	assert_true(intent_head(in)->confirm_by_ms > 0); /* the head waits */
	assert_int_equal(intent_last_confirmed(in, &v), 0);
	assert_int_equal(v.number, 2);
	list[0].confirm_by_ms = 0;
	intent_import_confirmed(in, list, 1, "fra-1", NOW_MS + 40);
	assert_int_equal(intent_head(in)->confirm_by_ms, 0);
	const struct journal *j = intent_journal(in);
	assert_string_equal(journal_find(j, journal_last(j))->message,
	                    "version 3 confirmed by fra-1 (weir)");
}

static void only_the_waiting_head_is_confirmed(void **state)
{
	struct version v;

	(void)state;
	assert_int_equal(intent_confirm(in, 0, "jw", NOW_MS + 5), -ENOENT);
	assert_int_equal(intent_confirm(in, 1, "jw", NOW_MS + 5), -EALREADY);
	assert_int_equal(intent_confirm(in, 2, "jw", NOW_MS + 5), -ENOENT);
	assert_int_equal(intent_roll_back_unconfirmed(in, "x", NOW_MS + 5), -EALREADY);
	assert_int_equal(apply_to(in, "# 2", waits, NOW_MS + 10), 0);
	assert_int_equal(apply_to(in, "# 3", waits, NOW_MS + 20), 0);
	assert_int_equal(intent_confirm(in, 2, "jw", NOW_MS + 30), -EALREADY);
	assert_int_equal(intent_last_confirmed(in, &v), 0);
	assert_int_equal(v.number, 1);
	assert_int_equal(intent_confirm(in, 3, "jw", NOW_MS + 30), 0);
	for (uint64_t i = 1; i <= 3; i++) { /* what it joined is confirmed with it */
		assert_int_equal(intent_version(in, i, &v, NULL), 0);
		assert_int_equal(v.confirm_by_ms, 0);
	}
	assert_int_equal(intent_last_confirmed(in, &v), 0);
	assert_int_equal(v.number, 3);
}

/* A version that joins an unconfirmed one has the longer of both times, unless it asks for one. */
static void a_joined_deadline_is_the_longer_one(void **state)
{
	static const struct {
		int64_t first_ms, asked_ms, has_ms;
	} rows[] = { { 60000, 0, 60000 },
		     { 60000, -1, 60000 },
		     { 60000, 5000, 5000 },
		     { 60000, 90000, 90000 } };

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct intent_change first = { .confirm_within_ms = rows[i].first_ms },
		                     then = { .confirm_within_ms = rows[i].asked_ms,
			                      .pending = INTENT_PENDING_JOIN };

		assert_int_equal(apply_to(in, "# 2", first, NOW_MS + 10), 0);
		assert_int_equal(apply_to(in, "# 3", then, NOW_MS + 20), 0);
		if (intent_head(in)->confirm_left_ms != rows[i].has_ms)
			fail_msg("row %zu: %lld", i, (long long)intent_head(in)->confirm_left_ms);
		teardown(state);
		setup(state);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_peer_without_versions_is_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(an_older_head_is_behind_if_history_has_it, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(an_overridden_head_is_behind, setup, teardown),
		cmocka_unit_test_setup_teardown(a_later_head_is_ahead_if_it_leads_on_from_ours,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(
		        of_two_with_one_number_the_one_that_names_the_other_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_as_it_says_is_not_taken, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_version_with_mistakes_is_refused_and_named, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_is_left_of_a_deadline_is_taken_over, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_deadline_of_which_nothing_is_said_is_whole, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_taken_version_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_peer_s_confirmations_are_taken_over, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(only_the_waiting_head_is_confirmed, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_joined_deadline_is_the_longer_one, setup,
		                                teardown),
	};

	return cmocka_run_group_tests_name("relate", tests, NULL, NULL);
}
