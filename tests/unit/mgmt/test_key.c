/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <errno.h>

#include "mgmt/store/intent.h"
#include "mgmt/store/key.h"
#include "tests/unit/suite.h"

#define OTHER_KEY "ffeeddccbbaa99887766554433221100\n"

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

/*
 * Apply the fixture's configuration with one replacement. @return the fingerprint of its version,
 * static
 */
static const char *apply_replaced(struct intent *in, const char *from, const char *to,
                                  int64_t now_ms)
{
	struct files files = fixture_files(from, to);
	struct intent_change change = { .files = &files, .author = "jw", .reason = "CHG-1" };
	struct intent_changed changed = { 0 };
	static char fingerprint[MODEL_FINGERPRINT_MAX];

	assert_int_equal(intent_change(in, &change, now_ms, &changed), 0);
	assert_true(changed.changed);
	memcpy(fingerprint, changed.version.hash_key, sizeof(fingerprint));
	intent_changed_fini(&changed);
	files_fini(&files);
	return fingerprint;
}

static void a_fingerprint_tells_keys_apart_and_is_the_same_everywhere(void **state)
{
	const uint64_t key[2] = { 0x0011223344556677u, 0x8899aabbccddeeffu };
	char first[MODEL_FINGERPRINT_MAX], other[MODEL_FINGERPRINT_MAX];

	(void)state;
	model_key_fingerprint(key, first);
	/*
	 * { printf 'weir hash key\0'; printf 00112233445566778899aabbccddeeff | xxd -r -p; } |
	 * sha256sum
	 */
	assert_string_equal(first, "d5cc6d133208bd44");
	for (int i = 0; i < 128; i++) {
		uint64_t flipped[2] = { key[0], key[1] };

		flipped[i / 64] ^= (uint64_t)1 << i % 64;
		model_key_fingerprint(flipped, other);
		assert_string_not_equal(first, other);
	}
}

static void a_swapped_file_is_seen_and_makes_no_difference(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_it(f, NOW_MS);
	char first[MODEL_FINGERPRINT_MAX];

	memcpy(first, intent_head(in)->hash_key, sizeof(first));
	intent_tick(in, NOW_MS + 1000);
	assert_false(key_status(in)->wrong);
	assert_string_equal(key_status(in)->found, first);
	uint64_t quiet = intent_document(in);
	for (int i = 1; i < 10; i++) /* a good key that stays is no news */
		intent_tick(in, NOW_MS + 1000 + 100 * i);
	assert_true(intent_document(in) == quiet);
	fixture_write(f->conf, "hash.key", OTHER_KEY);
	intent_tick(in, NOW_MS + 2000);
	assert_true(key_status(in)->wrong);
	assert_non_null(strstr(key_status(in)->reason, first));
	/* a change that names no other key has the key of the version before */
	assert_string_equal(apply_replaced(in, "weight = 100; },\n                 {",
	                                   "weight = 90; },\n                 {", NOW_MS + 3000),
	                    first);
	intent_close(in);
	in = open_it(f, NOW_MS + 4000); /* the head is loaded all the same */
	assert_int_equal(intent_head(in)->number, 2);
	assert_string_equal(intent_head(in)->hash_key, first);
	assert_string_equal(intent_model(in)->meta.hash_key, first);
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/hash.key", f->conf);
	assert_int_equal(unlink(path), 0);
	uint64_t document = intent_document(in);
	intent_tick(in, NOW_MS + 5000);
	assert_true(key_status(in)->wrong);
	fixture_write(f->conf, "hash.key", "00112233445566778899aabbccddeeff\n");
	intent_tick(in, NOW_MS + 6000);
	assert_false(key_status(in)->wrong);
	assert_true(intent_document(in) > document); /* so that the processes read it again */
	intent_close(in);
}

static void another_key_comes_with_a_version_that_names_it(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_it(f, NOW_MS);
	char first[MODEL_FINGERPRINT_MAX];

	memcpy(first, intent_head(in)->hash_key, sizeof(first));
	fixture_write(f->conf, "hash.key", OTHER_KEY);
	assert_string_not_equal(
	        apply_replaced(in, "hash_key_id = \"k1\"", "hash_key_id = \"k2\"", NOW_MS + 10),
	        first);
	intent_tick(in, NOW_MS + 1000);
	assert_false(key_status(in)->wrong);
	/* back to the first version: it had the first key, which is in no file any more */
	struct intent_change back = { .rollback_to = 1, .author = "jw", .reason = "back" };
	struct intent_changed changed = { 0 };
	assert_int_equal(intent_change(in, &back, NOW_MS + 2000, &changed), 0);
	intent_changed_fini(&changed);
	assert_string_equal(intent_head(in)->hash_key, first);
	intent_tick(in, NOW_MS + 3000);
	assert_true(key_status(in)->wrong);
	intent_close(in);
}

static void a_document_without_its_key_takes_that_of_the_one_before(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_it(f, NOW_MS);
	struct model_errors errors;
	struct model *good = NULL, *wrong = NULL;
	char path[PATH_MAX];

	intent_close(in);
	snprintf(path, sizeof(path), "%s/effective.conf", f->state);
	assert_int_equal(model_read_effective(path, "ams-1", &good, &errors), 0);
	model_errors_free(&errors);
	assert_int_equal(good->key_state, MODEL_KEY_GOOD);
	fixture_write(f->conf, "hash.key", OTHER_KEY);
	assert_int_equal(model_read_effective(path, "ams-1", &wrong, &errors), 0);
	model_errors_free(&errors);
	assert_int_equal(wrong->key_state, MODEL_KEY_NONE);
	assert_true(wrong->hash_key[0] == 0 && wrong->hash_key[1] == 0);
	assert_non_null(strstr(wrong->key_fault, good->meta.hash_key));
	assert_null(strstr(wrong->key_fault, "ffeeddcc"));
	assert_false(model_key_keep(wrong, NULL));
	assert_false(model_key_keep(wrong, wrong)); /* nor has that one a key */
	assert_int_equal(wrong->key_state, MODEL_KEY_NONE);
	assert_true(model_key_keep(wrong, good));
	assert_int_equal(wrong->key_state, MODEL_KEY_KEPT);
	assert_memory_equal(wrong->hash_key, good->hash_key, sizeof(good->hash_key));
	model_free(wrong);
	model_free(good);
}

/* The key is new while the head was made with another than the version before it. */
static void a_key_is_new_from_one_version_to_the_next(void **state)
{
	const struct fixture *f = *state;
	struct intent *in = open_it(f, NOW_MS);

	assert_false(key_is_new(in)); /* the first version has none before it */
	apply_replaced(in, "# two sites", "# words", NOW_MS + 1000);
	assert_false(key_is_new(in));
	fixture_write(f->conf, "hash.key", OTHER_KEY);
	apply_replaced(in, "hash_key_id = \"k1\"", "hash_key_id = \"k2\"", NOW_MS + 2000);
	assert_true(key_is_new(in));
	intent_close(in);
	in = open_it(f, NOW_MS + 2500);
	assert_true(key_is_new(in));
	apply_replaced(in, "hash_key_id = \"k1\"; };", "hash_key_id = \"k2\"; }; # more",
	               NOW_MS + 3000);
	assert_false(key_is_new(in));
	intent_close(in);
}

static uint64_t n_events(struct intent *in, const char *text)
{
	const struct journal *j = intent_journal(in);
	uint64_t n = 0;

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++)
		n += strstr(journal_find(j, id)->message, text) != NULL;
	return n;
}

/* A wrong file, none, and the right one again: each is said once, with what to do. */
static void each_change_of_the_file_is_said_once(void **state)
{
	static const char again[] = "the hash key's file matches the version again";
	const struct fixture *f = *state;
	struct intent *in = open_it(f, NOW_MS);
	char path[PATH_MAX];

	intent_tick(in, NOW_MS + 1000);
	assert_false(key_status(in)->wrong);
	assert_int_equal(key_status(in)->number, 1);
	assert_string_equal(key_status(in)->found, intent_head(in)->hash_key);
	assert_int_equal(n_events(in, again), 0);
	fixture_write(f->conf, "hash.key", OTHER_KEY);
	for (int i = 0; i < 2; i++)
		intent_tick(in, NOW_MS + 2000 + i);
	assert_true(key_status(in)->wrong);
	assert_int_equal(n_events(in, "copy that from a peer, or apply a new hash_key_id"), 1);
	snprintf(path, sizeof(path), "%s/hash.key", f->conf);
	assert_int_equal(unlink(path), 0);
	for (int i = 0; i < 2; i++)
		intent_tick(in, NOW_MS + 3000 + i);
	assert_string_equal(key_status(in)->found, "");
	assert_int_equal(n_events(in, "cannot be read as a key; version 1 needs the one"), 1);
	fixture_write(f->conf, "hash.key", "00112233445566778899aabbccddeeff\n");
	uint64_t document = intent_document(in);
	for (int i = 0; i < 2; i++)
		intent_tick(in, NOW_MS + 4000 + i);
	assert_false(key_status(in)->wrong);
	assert_string_equal(key_status(in)->reason, "");
	assert_int_equal(n_events(in, again), 1);
	assert_int_equal(intent_document(in), document + 1); /* the processes must look, too */
	intent_close(in);
}

/* A document that was written without management says nothing of the key: that is no mismatch. */
static void a_head_without_a_fingerprint_is_no_mismatch(void **state)
{
	const struct fixture *f = *state;
	struct model_errors errors;
	struct model *m = NULL;
	char path[PATH_MAX];

	intent_close(open_it(f, NOW_MS));
	snprintf(path, sizeof(path), "%s/effective.conf", f->state);
	assert_int_equal(model_read_effective(path, "ams-1", &m, &errors), 0);
	model_errors_free(&errors);
	m->meta.hash_key = m->meta.digest = "";
	assert_int_equal(files_remove_dir(f->state), 0);
	assert_int_equal(mkdir(f->state, 0755), 0);
	assert_int_equal(model_write_effective(m, path), 0);
	model_free(m);
	struct intent *in = open_it(f, NOW_MS + 1000);
	assert_string_equal(intent_head(in)->hash_key, "");
	intent_tick(in, NOW_MS + 2000);
	assert_true(key_status(in)->looked);
	assert_false(key_status(in)->wrong);
	intent_close(in);
}

SUITE(key)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fingerprint_tells_keys_apart_and_is_the_same_everywhere),
		cmocka_unit_test_setup_teardown(a_swapped_file_is_seen_and_makes_no_difference,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(another_key_comes_with_a_version_that_names_it,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(each_change_of_the_file_is_said_once, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_key_is_new_from_one_version_to_the_next, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(
		        a_document_without_its_key_takes_that_of_the_one_before, setup, teardown),
		cmocka_unit_test_setup_teardown(a_head_without_a_fingerprint_is_no_mismatch, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
