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

/* The numbers of the heads of @p node; a minus behind one from which the log went back. */
static const char *numbers_of(struct audit_heads *h, const char *node)
{
	static char text[2048];
	json_t *list = audit_heads_json(h, node), *one;
	size_t i, n = 0;

	text[0] = '\0';
	json_array_foreach(list, i, one) n +=
	        (size_t)snprintf(text + n, sizeof(text) - n, "%s%d%s", n ? " " : "",
	                         (int)json_integer_value(json_object_get(one, "seq")),
	                         json_is_true(json_object_get(one, "went_back")) ? "-" : "");
	json_decref(list);
	return text;
}

static void heads_are_kept_and_saved(void **state)
{
	struct audit_key *key, *other;

	(void)state;
	bed_begin(&bed, 1);
	assert_int_equal(audit_key_new(&key), 0);
	assert_int_equal(audit_key_new(&other), 0);
	struct audit_heads *h = audit_heads_open(bed.dir);
	assert_true(hear_head(h, key, "fra-1", 5));
	assert_true(hear_head(h, key, "fra-1", 7));
	assert_true(hear_head(h, key, "fra-1", 7));
	assert_true(hear_head(h, key, "ams-2", 3));
	assert_true(hear_head(h, other, "fra-1", 9)); /* another key */
	assert_string_equal(numbers_of(h, "fra-1"), "5 7 9");
	assert_string_equal(numbers_of(h, "nobody"), "");
	assert_true(hear_head(h, key, "fra-1", 6)); /* it went back: what was heard stays */
	assert_true(hear_head(h, key, "fra-1", 10));
	assert_string_equal(numbers_of(h, "fra-1"), "5 7 9- 6 10");
	assert_int_equal(audit_heads_save(h), 0);
	audit_heads_free(h);
	h = audit_heads_open(bed.dir);
	assert_string_equal(numbers_of(h, "fra-1"), "5 7 9- 6 10");
	assert_string_equal(numbers_of(h, NULL), "5 7 3 9- 6 10");
	audit_heads_free(h);
	audit_key_free(key);
	audit_key_free(other);
	bed_end(&bed);
}

static void the_older_heads_are_the_fewer_there_are(void **state)
{
	struct audit_key *key;
	uint64_t seqs[AUDIT_HEADS_PER_NODE];

	(void)state;
	bed_begin(&bed, 1);
	assert_int_equal(audit_key_new(&key), 0);
	struct audit_heads *h = audit_heads_open(bed.dir);
	for (uint64_t seq = 1; seq <= 2000; seq++) {
		assert_true(hear_head(h, key, "fra-1", seq));
		if (seq == 1500)
			assert_true(hear_head(h, key, "fra-1", 1400)); /* it went back */
	}
	json_t *list = audit_heads_json(h, "fra-1");
	assert_int_equal(json_array_size(list), AUDIT_HEADS_PER_NODE);
	bool has_back = false;
	for (size_t i = 0; i < AUDIT_HEADS_PER_NODE; i++) {
		const json_t *one = json_array_get(list, i);

		seqs[i] = (uint64_t)json_integer_value(json_object_get(one, "seq"));
		has_back |= seqs[i] == 1500 && json_is_true(json_object_get(one, "went_back"));
	}
	assert_true(has_back);
	assert_int_equal(seqs[0], 1);
	assert_int_equal(seqs[AUDIT_HEADS_PER_NODE - 1], 2000);
	assert_true(seqs[AUDIT_HEADS_PER_NODE - 3] > 1900);
	assert_true(seqs[1] < 1400);
	json_decref(list);
	audit_heads_free(h);
	audit_key_free(key);
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
	assert_string_equal(numbers_of(h, NULL), "");
	head = sign_head(key, "fra-1", 5);
	json_object_set_new(head, "went_back", json_true());
	assert_true(audit_heads_hear(h, "fra-1", head));
	assert_string_equal(numbers_of(h, NULL), "5"); /* which nobody else can say */
	json_decref(head);
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
	assert_string_equal(numbers_of(h, "n0"), "");
	assert_string_equal(numbers_of(h, node), "1");
	audit_heads_free(h);
	audit_key_free(key);
	bed_end(&bed);
}

SUITE(audit_heads)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_kept_and_saved),
		cmocka_unit_test(the_older_heads_are_the_fewer_there_are),
		cmocka_unit_test(what_is_no_signed_head_of_the_node_is_not_taken),
		cmocka_unit_test(nodes_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
