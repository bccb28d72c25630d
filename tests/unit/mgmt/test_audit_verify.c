/* SPDX-License-Identifier: BSD-2-Clause */
/* Logs of all shapes, as they were written and tampered with: what can be found is found, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mgmt/audit/key.h"
#include "tests/unit/mgmt/audit_bed.h"
#include "tests/unit/suite.h"

#define LOGS 100u /* each tampered with in ten ways */

static struct bed bed;
static struct audit_verdict verdict;

static void let_pass(struct audit_log *log)
{
	told_ms += bed_random(&bed, 40000);
	audit_log_work(log, false);
}

static void change_the_key(struct audit_log *log)
{
	const struct audit_line by = { .who = "user:root", .reason = "a test" };

	assert_int_equal(audit_log_rotate(log, &by), 0);
}

/*
 * A log of a random shape: files, keys, starts, seals. @p head is what a peer heard last; its number 0: nothing.
 * @param ends  whether it ended as it should, so that its last line is signed
 */
static void make_log(uint64_t seed, bool ends, struct audit_head *head)
{
	bed_begin(&bed, seed);
	size_t file_max = bed_random(&bed, 3) ? 0 : 12000 + bed_random(&bed, 12000),
	       files_max = 2 + bed_random(&bed, 3), n = 3 + bed_random(&bed, 60);
	struct audit_log *log = bed_open(&bed, file_max, files_max);

	for (size_t i = 0; i < n; i++) {
		char reason[64];

		snprintf(reason, sizeof(reason), "the reason number %zu, \"quoted\" \xc3\xa9", i);
		bed_write(log, reason);
		if (!bed_random(&bed, 6))
			let_pass(log);
		if (!bed_random(&bed, 25))
			change_the_key(log);
		if (!bed_random(&bed, 25)) {
			audit_log_close(log);
			log = bed_open(&bed, file_max, files_max);
		}
	}
	told_ms += 70000;
	audit_log_work(log, false);
	(void)audit_log_head(log, head);
	for (size_t i = bed_random(&bed, 4); i > 0 && !ends; i--)
		bed_write(log, "behind the last signature");
	if (!ends)
		bed_read(&bed);
	audit_log_close(log);
	if (ends)
		bed_read(&bed);
}

static void untampered_logs_of_all_shapes_are_good(void **state)
{
	struct audit_head head;

	(void)state;
	for (uint64_t seed = 0; seed < 2 * LOGS; seed++) {
		make_log(seed, seed % 2, &head);
		assert_true(head.seq > 0);
		bed_judge(&bed, &head, false, &verdict);
		if (!verdict.good)
			bed_print(&verdict);
		assert_true(verdict.good);
		assert_int_equal(verdict.n_found, 0);
		assert_int_equal(verdict.lines, bed.n);
		assert_int_equal(verdict.heads, 1);
		assert_true(verdict.vouched >= head.seq);
		bed_judge(&bed, NULL, false, &verdict);
		assert_true(verdict.good);
		/* from any line on, as a copy */
		for (size_t i = bed_random(&bed, bed.n - 1); i > 0; i--)
			bed_remove(&bed, 0);
		bed_judge(&bed, &head, true, &verdict);
		assert_true(verdict.good);
		bed_end(&bed);
	}
}

/* --- tampering --- */

static size_t find_seq(uint64_t seq)
{
	for (size_t i = 0; i < bed.n; i++)
		if (bed_line(&bed, i).seq == seq)
			return i;
	return bed.n;
}

static void put_line(size_t at, const struct audit_line *line)
{
	free(bed.lines[at].text);
	bed.lines[at].text = audit_line_text(line);
}

/* Make the digests again from line @p at on; @p key signs again, NULL: nobody does. */
static void chain_again(size_t at, struct audit_key *key)
{
	for (size_t i = at; i < bed.n; i++) {
		struct audit_line line = bed_line(&bed, i);
		char text[AUDIT_SIGNED_MAX];

		if (i > 0)
			digest_bytes(bed.lines[i - 1].text, strlen(bed.lines[i - 1].text),
			             line.prev);
		if (key && audit_kind_is_signed(line.kind)) {
			strcpy(line.key, audit_key_public(key));
			size_t n = audit_line_signed(&line, text);
			assert_int_equal(audit_key_sign(key, text, n, line.signature), 0);
		}
		put_line(i, &line);
	}
}

/* What was done to a log: the line, and the finding that names it, "": any will do. */
struct done {
	uint64_t seq;
	const char *what;
};

static struct done change_reason(const struct audit_head *head)
{
	size_t at;
	struct audit_line line;

	(void)head;
	do {
		at = bed_random(&bed, bed.n - 1);
		line = bed_line(&bed, at);
	} while (!*line.reason);
	line.reason[0] = 'T';
	put_line(at, &line);
	/* before the last line, which nothing vouches for, it may be that one as well */
	bool is_known = at + 2 < bed.n || audit_kind_is_signed(bed_line(&bed, at + 1).kind);
	return (struct done){ is_known ? line.seq : 0, is_known ? "changed" : "" };
}

static struct done change_any_byte(const struct audit_head *head)
{
	size_t at = bed_random(&bed, bed.n - 1);
	char *c = &bed.lines[at].text[bed_random(&bed, strlen(bed.lines[at].text))];

	(void)head;
	*c = *c == 'e' ? '3' : 'e';
	return (struct done){ 0, "" };
}

static struct done remove_one(const struct audit_head *head)
{
	size_t at = bed_random(&bed, bed.n - 1);

	(void)head;
	bed_remove(&bed, at);
	return (struct done){ bed_line(&bed, at).seq, at ? "removed" : "" };
}

static struct done remove_some(const struct audit_head *head)
{
	size_t at = bed_random(&bed, bed.n - 2), n = 1 + bed_random(&bed, bed.n - at - 2);

	(void)head;
	while (n--)
		bed_remove(&bed, at);
	return (struct done){ bed_line(&bed, at).seq, at ? "removed" : "" };
}

static struct done exchange_two(const struct audit_head *head)
{
	size_t at = bed_random(&bed, bed.n - 1);
	char *text = bed.lines[at].text;
	uint64_t seq = bed_line(&bed, at).seq;

	(void)head;
	bed.lines[at].text = bed.lines[at + 1].text;
	bed.lines[at + 1].text = text;
	return (struct done){ seq, "moved" };
}

static struct done insert_forged(const struct audit_head *head)
{
	size_t at = bed_random(&bed, bed.n - 1);
	struct audit_line line = bed_line(&bed, at);

	(void)head;
	line.kind = AUDIT_CHANGE;
	line.seq++;
	digest_bytes(bed.lines[at].text, strlen(bed.lines[at].text), line.prev);
	bed_insert(&bed, at + 1, bed.lines[at].file, audit_line_text(&line));
	return (struct done){ line.seq, "inserted" };
}

static struct done repeat_one(const struct audit_head *head)
{
	size_t at = bed_random(&bed, bed.n), to = bed_random(&bed, bed.n);

	(void)head;
	bed_insert(&bed, to, bed.lines[to].file, strdup(bed.lines[at].text));
	return (struct done){ 0, "" };
}

static struct done cut_the_end(const struct audit_head *head)
{
	size_t first = find_seq(head->seq), keep = bed_random(&bed, first + 1);

	while (bed.n > keep)
		bed_remove(&bed, bed.n - 1);
	return (struct done){ keep ? bed_line(&bed, keep - 1).seq : 0, keep ? "cut-off" : "" };
}

static struct done write_again_unsigned(const struct audit_head *head)
{
	size_t at = 1 + bed_random(&bed, find_seq(head->seq));
	struct audit_line line = bed_line(&bed, at);

	strcpy(line.reason, "tampered");
	put_line(at, &line);
	chain_again(at + 1, NULL);
	return (struct done){ 0, "" };
}

static struct done write_again_signed(const struct audit_head *head)
{
	struct audit_key *key;
	size_t at = bed_random(&bed, find_seq(head->seq));
	struct audit_line line = bed_line(&bed, at);

	assert_int_equal(audit_key_new(&key), 0);
	strcpy(line.reason, "tampered");
	put_line(at, &line);
	chain_again(0, key);
	audit_key_free(key);
	return (struct done){ 0, "" };
}

static bool is_found(const struct done *done)
{
	for (uint32_t i = 0; i < verdict.n_found_shown; i++)
		if (!strcmp(verdict.found[i].what, done->what) &&
		    (!done->seq || verdict.found[i].seq == done->seq))
			return true;
	return verdict.n_found_shown > 0 && !*done->what;
}

static void a_thousand_tampered_logs_are_found(void **state)
{
	static struct done (*const ways[])(const struct audit_head *head) = {
		change_reason,        change_any_byte,    remove_one, remove_some,
		exchange_two,         insert_forged,      repeat_one, cut_the_end,
		write_again_unsigned, write_again_signed,
	};
	size_t n = 0, exactly = 0, named = 0;

	(void)state;
	for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++)
		for (uint64_t seed = 0; seed < LOGS; seed++) {
			struct audit_head head;

			make_log(1000 * way + seed, seed % 2, &head);
			struct done done = ways[way](&head);
			bed_judge(&bed, &head, false, &verdict);
			bool found = !verdict.good && verdict.n_found > 0;
			if (!found || !is_found(&done)) {
				print_message("way %zu, seed %d, line %d: expected %s\n", way,
				              (int)seed, (int)done.seq, done.what);
				bed_print(&verdict);
			}
			assert_true(found);
			n++;
			exactly += *done.what && is_found(&done);
			named += *done.what != '\0';
			bed_end(&bed);
		}
	print_message("%zu tampered logs found; of %zu whose line can be named, it was in %zu\n", n,
	              named, exactly);
	assert_int_equal(exactly, named);
}

/* --- what cannot be known is said --- */

static bool has_note(const char *what, const char *part)
{
	for (uint32_t i = 0; i < verdict.n_notes; i++)
		if (!strcmp(verdict.notes[i].what, what) && strstr(verdict.notes[i].detail, part))
			return true;
	return false;
}

/* Who cannot read the key is found without anybody's help. */
static void digests_made_again_without_the_key_are_found_without_heads(void **state)
{
	struct audit_head head;

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		make_log(seed, seed % 2, &head);
		(void)write_again_unsigned(&head);
		bed_judge(&bed, NULL, false, &verdict);
		assert_false(verdict.good);
		bool is_unsigned = false;
		for (uint32_t i = 0; i < verdict.n_found_shown; i++)
			is_unsigned |= !strcmp(verdict.found[i].what, "unsigned");
		assert_true(is_unsigned);
		bed_end(&bed);
	}
}

static void what_is_no_line_any_more_is_found_once(void **state)
{
	struct audit_head head;

	(void)state;
	make_log(8, true, &head);
	size_t at = find_seq(head.seq) / 2;
	uint64_t seq = bed_line(&bed, at).seq;
	size_t in_file = 1;
	while (in_file <= at && bed.lines[at - in_file].file == bed.lines[at].file)
		in_file++;
	free(bed.lines[at].text);
	bed.lines[at].text = strdup("rubbish");
	bed_judge(&bed, &head, false, &verdict);
	assert_int_equal(verdict.n_found, 1);
	assert_string_equal(verdict.found[0].what, "changed");
	assert_int_equal(verdict.found[0].line, in_file);
	assert_int_equal(verdict.found[0].seq, 0);
	assert_true(seq > 1);
	bed_end(&bed);
}

/* A log that never had another key. */
static void make_log_of_one_key(struct audit_head *head)
{
	bool has_other = true;

	for (uint64_t seed = 0; has_other; seed++) {
		if (seed)
			bed_end(&bed);
		make_log(seed, true, head);
		has_other = false;
		for (size_t i = 0; i < bed.n; i++)
			has_other |= bed_line(&bed, i).kind == AUDIT_KEY;
	}
}

static void what_cannot_be_known_is_said(void **state)
{
	struct audit_head head;

	(void)state;
	make_log_of_one_key(&head);
	bed_judge(&bed, NULL, false, &verdict);
	assert_true(has_note("unknown", "without a head"));
	/* cut off behind the head: nobody can know */
	bed_remove(&bed, bed.n - 1);
	bed_judge(&bed, &head, false, &verdict);
	assert_true(verdict.good);
	assert_false(has_note("unknown", "without a head"));
	assert_true(has_note("unknown", "behind the last signature"));
	/* without the head a log of another key is as good as the first */
	struct audit_key *key;
	assert_int_equal(audit_key_new(&key), 0);
	chain_again(0, key);
	bed_judge(&bed, NULL, false, &verdict);
	assert_true(verdict.good);
	assert_string_equal(verdict.key, audit_key_public(key));
	bed_judge(&bed, &head, false, &verdict);
	assert_false(verdict.good);
	assert_string_equal(verdict.found[0].what, "replaced");
	audit_key_free(key);
	bed_end(&bed);
}

static void heads_that_are_none_are_not_used(void **state)
{
	struct audit_head head;

	(void)state;
	make_log(4, true, &head);
	head.seq += 1000; /* which the signature does not cover */
	bed_judge(&bed, &head, false, &verdict);
	assert_true(verdict.good);
	assert_int_equal(verdict.heads, 0);
	assert_true(has_note("head", "fra-1"));
	head.seq -= 1000;
	strcpy(head.node, "ams-2");
	bed_judge(&bed, &head, false, &verdict);
	assert_int_equal(verdict.heads, 0);
	bed_end(&bed);
}

static void a_head_from_which_the_log_went_back_is_found(void **state)
{
	struct audit_head head;

	(void)state;
	make_log(4, true, &head);
	head.went_back = true;
	bed_judge(&bed, &head, false, &verdict);
	assert_int_equal(verdict.n_found, 1);
	assert_string_equal(verdict.found[0].what, "went-back");
	assert_int_equal(verdict.found[0].seq, head.seq);
	bed_end(&bed);
}

static void a_log_that_is_gone_is_cut_off(void **state)
{
	struct audit_head head;

	(void)state;
	make_log(6, true, &head);
	bed_clear(&bed);
	bed_judge(&bed, &head, false, &verdict);
	assert_false(verdict.good);
	assert_string_equal(verdict.found[0].what, "cut-off");
	assert_int_equal(verdict.n_found, 1);
	strcpy(head.node, "ams-2"); /* another node's head says nothing of this log */
	bed_judge(&bed, &head, false, &verdict);
	assert_int_equal(verdict.heads, 0);
	assert_int_equal(verdict.n_found, 1);
	assert_string_equal(verdict.found[0].what, "missing");
	bed_judge(&bed, NULL, false, &verdict);
	assert_false(verdict.good);
	assert_string_equal(verdict.found[0].what, "missing");
	assert_int_equal(verdict.lines, 0);
	bed_end(&bed);
}

static void a_file_that_the_log_did_not_drop_is_missed(void **state)
{
	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 12000, 3);

	for (size_t i = 0; i < 200; i++) {
		bed_write(log, "0123456789 0123456789 0123456789 0123456789 0123456789");
		if (i % 10 == 0)
			let_pass(log);
	}
	audit_log_close(log);
	bed_read(&bed);
	bed_judge(&bed, NULL, false, &verdict);
	assert_true(verdict.good);
	assert_true(verdict.first > 1);
	assert_true(has_note("dropped", "no longer kept"));
	for (uint64_t first = bed.lines[0].file; bed.lines[0].file == first;)
		bed_remove(&bed, 0);
	bed_judge(&bed, NULL, false, &verdict);
	assert_int_equal(verdict.n_found, 1);
	assert_string_equal(verdict.found[0].what, "removed");
	bed_end(&bed);
}

/* Who can read the key lets the log drop what is to be forgotten: by few files, or by small ones. */
static void a_log_that_was_made_to_drop_lines_is_found(void **state)
{
	(void)state;
	for (size_t files_max = 2; files_max <= 4; files_max += 2) {
		bed_begin(&bed, 1);
		struct audit_log *log = bed_open(&bed, 40000, 4);
		for (size_t i = 0; i < 200; i++)
			bed_write(log, "0123456789 0123456789 0123456789 0123456789 0123456789");
		audit_log_close(log);
		log = bed_open(&bed, files_max == 2 ? 40000 : 8400, files_max);
		for (size_t i = 0; i < 200; i++)
			bed_write(log, "x");
		audit_log_close(log);
		bed_read(&bed);
		bed.file_max = 40000;
		bed.files_max = 4;
		bed_judge(&bed, NULL, false, &verdict);
		assert_int_equal(verdict.n_found, 1);
		assert_string_equal(verdict.found[0].what, "erased");
		assert_true(verdict.first > 1);
		bed_end(&bed);
	}
}

/* Of a last file that is its first line alone, no digest covers it. */
static void what_a_line_says_was_dropped_is_signed(void **state)
{
	struct audit_line line = { .seq = 0 };
	size_t at;

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 12000, 2);
	for (size_t i = 0; i < 100; i++) {
		bed_write(log, "0123456789 0123456789 0123456789 0123456789 0123456789");
		let_pass(log);
	}
	audit_log_close(log);
	bed_read(&bed);
	for (at = bed.n - 1; line.kind != AUDIT_BEGIN; at--)
		line = bed_line(&bed, at);
	assert_true(line.dropped > 0);
	while (bed.n > at + 2)
		bed_remove(&bed, bed.n - 1);
	while (bed.n > 1)
		bed_remove(&bed, 0);
	line.dropped = line.seq - 1;
	put_line(0, &line);
	bed.file_max = AUDIT_LINE_MAX; /* as if files were that small */
	bed_judge(&bed, NULL, false, &verdict);
	assert_false(verdict.good);
	line.dropped = 0; /* nor is it a head of the line before it */
	assert_false(audit_line_is_signed(&line));
	bed_end(&bed);
}

static void keys_beyond_so_many_cannot_be_known_which_is_found(void **state)
{
	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	for (size_t i = 0; i < 250; i++)
		change_the_key(log);
	bed_read(&bed);
	bed_judge(&bed, NULL, false, &verdict);
	assert_true(verdict.good);
	for (size_t i = 0; i < 10; i++)
		change_the_key(log);
	audit_log_close(log);
	bed_read(&bed);
	bed_judge(&bed, NULL, false, &verdict);
	assert_int_equal(verdict.n_found, 1);
	assert_string_equal(verdict.found[0].what, "unknown");
	bed_end(&bed);
}

SUITE(audit_verify)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(untampered_logs_of_all_shapes_are_good),
		cmocka_unit_test(a_thousand_tampered_logs_are_found),
		cmocka_unit_test(digests_made_again_without_the_key_are_found_without_heads),
		cmocka_unit_test(what_is_no_line_any_more_is_found_once),
		cmocka_unit_test(what_cannot_be_known_is_said),
		cmocka_unit_test(heads_that_are_none_are_not_used),
		cmocka_unit_test(a_head_from_which_the_log_went_back_is_found),
		cmocka_unit_test(a_log_that_is_gone_is_cut_off),
		cmocka_unit_test(a_file_that_the_log_did_not_drop_is_missed),
		cmocka_unit_test(a_log_that_was_made_to_drop_lines_is_found),
		cmocka_unit_test(what_a_line_says_was_dropped_is_signed),
		cmocka_unit_test(keys_beyond_so_many_cannot_be_known_which_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
