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
	struct audit_key *key;

	(void)state;
	bed_begin(&bed, 1);
	assert_int_equal(audit_key_new(&key), 0);
	struct audit_heads *h = audit_heads_open(bed.dir);
	assert_true(hear_head(h, key, "fra-1", 5));
	assert_true(hear_head(h, key, "fra-1", 7));
	assert_true(hear_head(h, key, "fra-1", 7));
	assert_true(hear_head(h, key, "ams-2", 3));
	assert_true(hear_head(h, key, "fra-1", 9));
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
	assert_true(hear_head(h, key, "fra-1", 6)); /* told late, by another node */
	assert_string_equal(numbers_of(h, "fra-1"), "5 7 9- 6 10");
	audit_heads_free(h);
	audit_key_free(key);
	bed_end(&bed);
}

/* Say that @p former handed over to @p key, by the signature of @p by. */
static void hand_over(json_t *said, struct audit_key *former, struct audit_key *key,
                      struct audit_key *by)
{
	struct audit_head head = { .node = "fra-1" };
	char text[AUDIT_SIGNED_MAX];

	strcpy(head.former, audit_key_public(former));
	strcpy(head.key, audit_key_public(key));
	size_t n = audit_head_handover(&head, text);
	assert_int_equal(audit_key_sign(by, text, n, head.handover), 0);
	json_object_set_new(said, "former", json_string(head.former));
	json_object_set_new(said, "handover", json_string(head.handover));
}

static void another_key_is_followed_where_the_known_one_has_signed_it(void **state)
{
	struct audit_key *key, *next, *strange;

	(void)state;
	bed_begin(&bed, 1);
	assert_int_equal(audit_key_new(&key), 0);
	assert_int_equal(audit_key_new(&next), 0);
	assert_int_equal(audit_key_new(&strange), 0);
	struct audit_heads *h = audit_heads_open(bed.dir);
	assert_true(hear_head(h, key, "fra-1", 5));
	assert_true(hear_head(h, strange, "fra-1", 1000)); /* a head, and not of this log */
	json_t *said = sign_head(strange, "fra-1", 1000);
	hand_over(said, strange, strange, strange);
	assert_true(audit_heads_hear(h, "fra-1", said));
	hand_over(said, key, strange, strange);
	assert_true(audit_heads_hear(h, "fra-1", said));
	hand_over(said, key, next, key); /* to another one */
	assert_true(audit_heads_hear(h, "fra-1", said));
	json_decref(said);
	assert_string_equal(numbers_of(h, "fra-1"), "5");
	said = sign_head(next, "fra-1", 7);
	hand_over(said, key, next, key);
	assert_true(audit_heads_hear(h, "fra-1", said));
	json_decref(said);
	assert_true(hear_head(h, next, "fra-1", 8));
	assert_true(hear_head(h, key, "fra-1", 9)); /* no longer in force */
	assert_string_equal(numbers_of(h, "fra-1"), "5 7 8");
	audit_heads_free(h);
	audit_key_free(key);
	audit_key_free(next);
	audit_key_free(strange);
	bed_end(&bed);
}

/* Whether the head of line @p seq is kept, and the log went back from it. */
static bool is_marked(struct audit_heads *h, uint64_t seq)
{
	char number[32];

	snprintf(number, sizeof(number), " %d-", (int)seq);
	return strstr(numbers_of(h, "fra-1"), number) != NULL;
}

static void heads_told_back_and_forth_push_out_none_from_before(void **state)
{
	struct audit_key *key;
	char before[2048];

	(void)state;
	bed_begin(&bed, 1);
	assert_int_equal(audit_key_new(&key), 0);
	struct audit_heads *h = audit_heads_open(bed.dir);
	for (uint64_t seq = 10; seq <= 980; seq += 10)
		assert_true(hear_head(h, key, "fra-1", seq));
	for (uint64_t i = 1; i < 50; i++) {
		assert_true(hear_head(h, key, "fra-1", 500 + 11 * i));
		assert_true(hear_head(h, key, "fra-1", 400 + 7 * i));
		assert_true(is_marked(h, 980));
		if (i == 20)
			snprintf(before, sizeof(before), "%s", numbers_of(h, "fra-1"));
	}
	for (uint64_t seq = 2001; seq < 4000; seq++)
		assert_true(hear_head(h, key, "fra-1", seq));
	assert_true(is_marked(h, 980));
	*strchr(before, '-') = '\0'; /* those to 980 */
	assert_int_equal(strncmp(numbers_of(h, "fra-1"), before, strlen(before)), 0);
	assert_true(strstr(before, " ") != NULL);
	json_t *list = audit_heads_json(h, "fra-1");
	assert_int_equal(json_array_size(list), AUDIT_HEADS_PER_NODE);
	json_decref(list);
	audit_heads_free(h);
	audit_key_free(key);
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
		cmocka_unit_test(another_key_is_followed_where_the_known_one_has_signed_it),
		cmocka_unit_test(heads_told_back_and_forth_push_out_none_from_before),
		cmocka_unit_test(the_older_heads_are_the_fewer_there_are),
		cmocka_unit_test(what_is_no_signed_head_of_the_node_is_not_taken),
		cmocka_unit_test(nodes_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
