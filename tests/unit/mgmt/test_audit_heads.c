/* SPDX-License-Identifier: BSD-2-Clause */
/* Heads of other nodes' logs: which are kept, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mgmt/audit/heads.h"
#include "mgmt/audit/key.h"
#include "tests/unit/mgmt/audit_bed.h"
#include "tests/unit/suite.h"

static struct bed bed;

static json_t *sign_head(struct audit_key *key, const char *node, uint64_t seq)
{
	struct audit_line line = { .kind = AUDIT_SEAL,
		                   .seq = seq + 1,
		                   .time = "2027-01-15T08:16:40.000Z" };
	struct audit_head head;
	char text[AUDIT_SIGNED_MAX];

	strcpy(line.node, node);
	strcpy(line.key, audit_key_public(key));
	digest_bytes(&seq, sizeof(seq), line.prev);
	size_t n = audit_line_signed(&line, text);
	assert_int_equal(audit_key_sign(key, text, n, line.signature), 0);
	audit_head_of(&line, &head);
	return record_shown(&audit_head_record, &head);
}

static bool hear_head(struct audit_heads *h, struct audit_key *key, const char *node, uint64_t seq)
{
	json_t *said = sign_head(key, node, seq);
	bool ok = audit_heads_hear(h, node, said);

	json_decref(said);
	return ok;
}

/* The numbers of the heads of @p node, as decimals of one number: "5 7" is 57. */
static int numbers_of(struct audit_heads *h, const char *node)
{
	json_t *list = audit_heads_json(h, node), *one;
	size_t i;
	int all = 0;

	json_array_foreach(list, i, one) all =
	        all * 10 + (int)json_integer_value(json_object_get(one, "seq"));
	json_decref(list);
	return all;
}

static void the_last_head_of_each_key_is_kept(void **state)
{
	struct audit_key *keys[6];

	(void)state;
	bed_begin(&bed, 1);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(audit_key_new(&keys[i]), 0);
	struct audit_heads *h = audit_heads_open(bed.dir);
	assert_true(hear_head(h, keys[0], "fra-1", 5));
	assert_true(hear_head(h, keys[0], "fra-1", 7));
	assert_true(hear_head(h, keys[0], "fra-1", 6)); /* it went back: what was heard stays */
	assert_true(hear_head(h, keys[0], "ams-2", 3));
	assert_int_equal(numbers_of(h, "fra-1"), 7);
	assert_int_equal(numbers_of(h, "ams-2"), 3);
	for (int i = 1; i < 6; i++) /* the first key's stays */
		assert_true(hear_head(h, keys[i], "fra-1", (uint64_t)i));
	assert_int_equal(numbers_of(h, "fra-1"), 7345);
	assert_int_equal(numbers_of(h, "nobody"), 0);
	assert_int_equal(audit_heads_save(h), 0);
	audit_heads_free(h);
	h = audit_heads_open(bed.dir);
	assert_int_equal(numbers_of(h, "fra-1"), 7345);
	assert_int_equal(numbers_of(h, "ams-2"), 3);
	assert_int_equal(numbers_of(h, NULL), 73345);
	audit_heads_free(h);
	for (size_t i = 0; i < 6; i++)
		audit_key_free(keys[i]);
	bed_end(&bed);
}

static void what_is_no_signed_head_of_the_node_is_not_taken(void **state)
{
	struct audit_key *key;

	(void)state;
	bed_begin(&bed, 1);
	assert_int_equal(audit_key_new(&key), 0);
	struct audit_heads *h = audit_heads_open(bed.dir);
	json_t *head = sign_head(key, "fra-1", 5);
	assert_false(audit_heads_hear(h, "fra-2", head));
	json_object_set_new(head, "seq", json_integer(9));
	assert_false(audit_heads_hear(h, "fra-1", head));
	json_object_set_new(head, "seq", json_string("5"));
	assert_false(audit_heads_hear(h, "fra-1", head));
	assert_false(audit_heads_hear(h, "fra-1", NULL));
	json_decref(head);
	assert_false(hear_head(h, key, "fra-1", 0)); /* of no line */
	assert_int_equal(numbers_of(h, NULL), 0);
	assert_true(hear_head(NULL, key, "fra-1", 5)); /* who keeps none judges all the same */
	assert_int_equal(audit_heads_save(h), 0);
	audit_heads_free(h);
	audit_key_free(key);
	bed_end(&bed);
}

static void nodes_are_bounded(void **state)
{
	struct audit_key *key;
	char node[MODEL_NAME_MAX];

	(void)state;
	bed_begin(&bed, 1);
	assert_int_equal(audit_key_new(&key), 0);
	struct audit_heads *h = audit_heads_open(bed.dir);
	for (unsigned i = 0; i < AUDIT_HEADS_NODES * AUDIT_HEADS_PER_NODE + 3; i++) {
		snprintf(node, sizeof(node), "n%u", i);
		assert_true(hear_head(h, key, node, 1));
	}
	json_t *all = audit_heads_json(h, NULL);
	assert_int_equal(json_array_size(all), AUDIT_HEADS_NODES * AUDIT_HEADS_PER_NODE);
	json_decref(all);
	assert_int_equal(numbers_of(h, "n0"), 0);
	assert_int_equal(numbers_of(h, node), 1);
	audit_heads_free(h);
	audit_key_free(key);
	bed_end(&bed);
}

SUITE(audit_heads)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_head_of_each_key_is_kept),
		cmocka_unit_test(what_is_no_signed_head_of_the_node_is_not_taken),
		cmocka_unit_test(nodes_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
