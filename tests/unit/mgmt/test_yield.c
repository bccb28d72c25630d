/* SPDX-License-Identifier: BSD-2-Clause */
/* Heads that give way to a peer's, and all those that do not (mgmt/store/yield.h). */
#include "fixture.h"

#include <errno.h>
#include <sqlite3.h>

#include "mgmt/store/intent.h"
#include "mgmt/store/store.h"
#include "mgmt/store/yield.h"

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fixture_make(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

static struct intent *open_it(const struct fixture *f, int64_t now_ms)
{
	struct intent_options options = { .conf_dir = f->conf,
		                          .state_dir = f->state,
		                          .node = "ams-1" };
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, now_ms, &in), 0);
	return in;
}

static void apply_words(struct intent *in, const char *words, bool untold, int64_t within_ms,
                        int64_t now_ms)
{
	struct files files = fixture_files("# two sites", words);
	struct intent_change change = { .files = &files,
		                        .author = "jw",
		                        .reason = "x",
		                        .pending = INTENT_PENDING_IGNORE,
		                        .confirm_within_ms = within_ms,
		                        .untold = untold };
	struct intent_changed changed = { 0 };

	assert_int_equal(intent_change(in, &change, now_ms, &changed), 0);
	assert_true(changed.changed);
	intent_changed_fini(&changed);
	files_fini(&files);
}

static struct version own_version(struct intent *in, uint64_t number)
{
	struct version v;

	assert_int_equal(intent_version(in, number, &v, NULL), 0);
	return v;
}

/* A version that a peer made after @p parent. */
static struct version peers_after(const struct version *parent, char digest)
{
	struct version v = { .number = parent->number + 1, .author = "ada", .node = "fra-1" };

	memset(v.digest, digest, sizeof(v.digest) - 1);
	memcpy(v.parent, parent->digest, sizeof(v.parent));
	return v;
}

static void an_untold_head_gives_way_to_another_successor_of_its_parent(void **state)
{
	struct intent *in = open_it(*state, NOW_MS);
	struct version first = own_version(in, 1), shown, theirs = peers_after(&first, 'e');
	struct version_lost lost;

	apply_words(in, "# ours", true, 0, NOW_MS + 10);
	assert_true(yield_is_untold(in));
	assert_int_equal(yield_shown(in, &shown), 0);
	assert_int_equal(shown.number, 1); /* what peers are shown */
	intent_close(in);
	in = open_it(*state, NOW_MS + 20);
	assert_true(yield_is_untold(in)); /* nobody was told meanwhile */
	assert_true(yield_may(in, &theirs));
	assert_false(yield_may(in, &first)); /* who is behind has nothing to be read */
	const struct version list[] = { theirs, first };
	uint64_t document = intent_document(in);
	assert_true(yield_to(in, list, 2, "fra-1", NOW_MS + 30));
	assert_int_equal(intent_model(in)->meta.version, 1); /* and that is in force at once */
	assert_int_equal(intent_document(in), document + 1);
	assert_string_equal(intent_head(in)->digest, first.digest);
	assert_int_equal(store_lost(intent_store(in), &lost, 1), 1);
	assert_int_equal(lost.version.number, 2);
	assert_false(yield_is_untold(in));
	/* the same once more, and this time a client is told */
	apply_words(in, "# ours", false, 0, NOW_MS + 40);
	intent_close(in);
	in = open_it(*state, NOW_MS + 50);
	assert_int_equal(intent_head(in)->number, 2);
	assert_false(yield_is_untold(in));
	intent_close(in);
}

/* The version that would be in force then is damaged: the head is not given up for it. */
static void a_head_stays_if_the_version_before_it_cannot_be_read(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_it(f, NOW_MS);
	struct version first = own_version(in, 1);
	const struct version list[] = { peers_after(&first, 'e'), first };
	char path[PATH_MAX];
	sqlite3 *db;

	apply_words(in, "# ours", true, 0, NOW_MS + 10);
	snprintf(path, sizeof(path), "%s/store/store.db", f->state);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	        sqlite3_exec(db, "DELETE FROM version_files WHERE number = 1", NULL, NULL, NULL),
	        SQLITE_OK);
	sqlite3_close(db);
	assert_false(yield_to(in, list, 2, "fra-1", NOW_MS + 20));
	for (int i = 0; i < 2; i++) { /* also after it was started again */
		assert_int_equal(intent_head(in)->number, 2);
		assert_int_equal(intent_model(in)->meta.version, 2);
		assert_string_equal(own_version(in, 2).digest, intent_head(in)->digest);
		intent_close(in);
		in = open_it(f, NOW_MS + 30);
	}
	intent_close(in);
}

static void an_untold_head_stays_where_nothing_speaks_against_it(void **state)
{
	struct intent *in = open_it(*state, NOW_MS);
	struct version first = own_version(in, 1);

	apply_words(in, "# ours", true, 0, NOW_MS + 10);
	struct version ours = own_version(in, 2), after_ours = peers_after(&ours, 'e'),
	               stranger = peers_after(&first, 'd');
	memset(stranger.parent, 'c', sizeof(stranger.parent) - 1);
	const struct version followed[] = { after_ours, ours, first }, same[] = { ours, first },
	                     behind[] = { first }, unrelated[] = { stranger };

	assert_false(yield_to(in, followed, 3, "fra-1", NOW_MS + 20));
	assert_false(yield_to(in, same, 2, "fra-1", NOW_MS + 20));
	assert_false(yield_to(in, behind, 1, "fra-1", NOW_MS + 20));
	assert_false(yield_to(in, unrelated, 1, "fra-1", NOW_MS + 20));
	assert_false(yield_to(in, NULL, 0, "fra-1", NOW_MS + 20));
	assert_int_equal(intent_head(in)->number, 2);
	intent_close(in);
}

static void a_head_that_was_told_never_gives_way(void **state)
{
	struct intent *in = open_it(*state, NOW_MS);
	struct version first = own_version(in, 1), shown;
	const struct version list[] = { peers_after(&first, 'e'), first };

	apply_words(in, "# ours", true, 0, NOW_MS + 10);
	assert_int_equal(yield_settle(in, NOW_MS + 20), 0);
	for (int i = 0; i < 2; i++) { /* also after it was started again */
		assert_false(yield_is_untold(in));
		assert_false(yield_may(in, &list[0]));
		assert_false(yield_to(in, list, 2, "fra-1", NOW_MS + 30));
		assert_int_equal(yield_shown(in, &shown), 0);
		assert_int_equal(shown.number, 2);
		intent_close(in);
		in = open_it(*state, NOW_MS + 40);
	}
	intent_close(in);
}

/* Version 2, unconfirmed, and its automatic rollback, version 3. */
static struct intent *open_rolled_back(const struct fixture *f)
{
	struct intent *in = open_it(f, NOW_MS);

	apply_words(in, "# ours", false, 60000, NOW_MS + 10);
	assert_int_equal(intent_roll_back_unconfirmed(in, "late", NOW_MS + 60010), 0);
	assert_int_equal(intent_head(in)->undoes, 2);
	return in;
}

static void an_automatic_rollback_gives_way_to_persons_alone(void **state)
{
	struct intent *in = open_rolled_back(*state);
	struct version first = own_version(in, 1), second = own_version(in, 2),
	               head = *intent_head(in);
	struct version robot = peers_after(&second, 'e'), person = robot, confirmed = second;

	second.confirm_by_ms = NOW_MS + 60010;
	confirmed.confirm_by_ms = 0;
	robot.undoes = 2;
	const struct version waits[] = { second, first }, same[] = { head, second, first },
	                     by_robot[] = { robot, second, first },
	                     other[] = { peers_after(&first, 'd'), first };

	assert_false(yield_may(in, &second));
	assert_false(yield_may(in, &first));
	assert_true(yield_may(in, &confirmed));
	assert_true(yield_may(in, &person));
	assert_false(yield_to(in, waits, 2, "fra-1", NOW_MS + 70000));
	assert_false(yield_to(in, same, 3, "fra-1", NOW_MS + 70000));
	assert_false(yield_to(in, by_robot, 3, "fra-1", NOW_MS + 70000));
	assert_false(yield_to(in, other, 2, "fra-1", NOW_MS + 70000)); /* that is another second */
	/* A successor that is our very rollback, though its record says nothing of undoing. */
	struct version plain = head;
	plain.undoes = 0;
	const struct version unmarked[] = { plain, second, first };
	assert_false(yield_to(in, unmarked, 3, "fra-1", NOW_MS + 70000));
	assert_int_equal(intent_head(in)->number, 3);
	intent_close(in);
}

static void it_gives_way_to_a_confirmation_and_to_a_successor(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct intent *in = open_rolled_back(*state);
		struct version first = own_version(in, 1), second = own_version(in, 2);
		struct version person = peers_after(&second, 'e');
		struct version list[] = { person, second, first };

		list[1].confirm_by_ms = i ? NOW_MS + 60010 : 0;
		assert_true(i ? yield_to(in, list, 3, "fra-1", NOW_MS + 70000)
		              : yield_to(in, list + 1, 2, "fra-1", NOW_MS + 70000));
		assert_string_equal(intent_head(in)->digest, second.digest);
		intent_close(in);
		teardown(state);
		setup(state);
	}
}

static void a_peer_s_rollback_is_due_to_give_way_only_to_what_is_here(void **state)
{
	struct intent *in = open_it(*state, NOW_MS);

	apply_words(in, "# ours", false, 60000, NOW_MS + 10);
	struct version second = own_version(in, 2), robot = peers_after(&second, 'e'), stranger;

	assert_false(yield_is_due(in, &robot)); /* ours waits as well: the rollback is taken */
	robot.undoes = 2;
	assert_false(yield_is_due(in, &robot));
	apply_words(in, "# after", false, 0, NOW_MS + 20); /* a person went on */
	assert_true(yield_is_due(in, &robot));
	stranger = robot;
	stranger.parent[0] ^= 1; /* it undoes another second */
	assert_false(yield_is_due(in, &stranger));
	struct version third = own_version(in, 3);
	third.undoes = 2; /* as if it were the very same */
	assert_false(yield_is_due(in, &third));
	intent_close(in);
}

static void a_confirmed_version_outlasts_a_peer_s_rollback(void **state)
{
	struct intent *in = open_it(*state, NOW_MS);

	apply_words(in, "# ours", false, 60000, NOW_MS + 10);
	struct version second = own_version(in, 2), robot = peers_after(&second, 'e');

	robot.undoes = 2;
	assert_int_equal(intent_confirm(in, 2, "jw", NOW_MS + 20), 0);
	assert_true(yield_is_due(in, &robot));
	robot.undoes = 0;
	assert_false(yield_is_due(in, &robot)); /* a person's version is none */
	intent_close(in);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_untold_head_gives_way_to_another_successor_of_its_parent),
		T(a_head_stays_if_the_version_before_it_cannot_be_read),
		T(an_untold_head_stays_where_nothing_speaks_against_it),
		T(a_head_that_was_told_never_gives_way),
		T(an_automatic_rollback_gives_way_to_persons_alone),
		T(it_gives_way_to_a_confirmation_and_to_a_successor),
		T(a_peer_s_rollback_is_due_to_give_way_only_to_what_is_here),
		T(a_confirmed_version_outlasts_a_peer_s_rollback),
	};

	return cmocka_run_group_tests_name("yield", tests, NULL, NULL);
}
