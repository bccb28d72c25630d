/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of an audit log: how they are begun, bounded, gone on with after a power cut, and what becomes of a full disk. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "mgmt/audit/flood.h"
#include "mgmt/audit/heads.h"
#include "mgmt/audit/keeper.h"
#include "mgmt/audit/key.h"
#include "tests/unit/mgmt/audit_bed.h"
#include "tests/unit/suite.h"

static struct bed bed;
static struct audit_verdict verdict;

static void judge_good(const struct audit_head *head)
{
	bed_read(&bed);
	bed_judge(&bed, head, false, &verdict);
	if (!verdict.good)
		bed_print(&verdict);
	assert_true(verdict.good);
}

static size_t count_kind(enum audit_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < bed.n; i++)
		n += bed_line(&bed, i).kind == kind;
	return n;
}

static size_t find_line(uint64_t seq)
{
	for (size_t i = 0; i < bed.n; i++)
		if (bed_line(&bed, i).seq == seq)
			return i;
	fail();
	return 0;
}

static void a_line_has_all_that_was_said_and_no_control_character(void **state)
{
	struct audit_line said = { .kind = AUDIT_CHANGE,
		                   .who = "token:ada",
		                   .author = "Ada",
		                   .source = "192.0.2.1",
		                   .method = "PUT",
		                   .path = "/v1/pools/a\nb\xe2\x80\xae",
		                   .status = 200,
		                   .code = "",
		                   .result = "version 7",
		                   .reason = "new\x1b[31m \"rack\" \xc3\xa9" };

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	audit_log_write(log, &said);
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(bed.n, 6); /* begin, start, seal, this, stop, seal */
	struct audit_line line = bed_line(&bed, 3);
	assert_int_equal(line.seq, 4);
	assert_string_equal(line.node, "ams-1");
	assert_string_equal(line.who, "token:ada");
	assert_string_equal(line.author, "Ada");
	assert_string_equal(line.source, "192.0.2.1");
	assert_string_equal(line.path, "/v1/pools/a?b???");
	assert_string_equal(line.result, "version 7");
	assert_string_equal(line.reason, "new?[31m \"rack\" \xc3\xa9");
	assert_string_equal(line.time, "2027-01-15T08:16:40.000Z");
	assert_null(strstr(bed.lines[3].text, "\"code\""));
	bed_end(&bed);
}

static void the_longest_line_fits(void **state)
{
	struct audit_line line = { .kind = AUDIT_CHANGE, .status = 999, .count = INT64_MAX };
	struct {
		char *text;
		size_t size;
	} texts[] = { { line.who, sizeof(line.who) },       { line.author, sizeof(line.author) },
		      { line.source, sizeof(line.source) }, { line.method, sizeof(line.method) },
		      { line.path, sizeof(line.path) },     { line.object, sizeof(line.object) },
		      { line.code, sizeof(line.code) },     { line.result, sizeof(line.result) },
		      { line.reason, sizeof(line.reason) } };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		memset(texts[i].text, '"', texts[i].size - 1);
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	audit_log_write(log, &line);
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(bed.n, 6);
	assert_true(strlen(bed.lines[3].text) + 1 < AUDIT_LINE_MAX);
	bed_end(&bed);
}

static void the_key_is_for_its_user_alone(void **state)
{
	char path[PATH_MAX];
	struct stat st;

	(void)state;
	bed_begin(&bed, 1);
	mode_t old = umask(0);
	audit_log_close(bed_open(&bed, 0, 0));
	umask(old);
	snprintf(path, sizeof(path), "%s/" AUDIT_KEY_FILE, bed.dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	audit_log_name(bed.dir, 1, path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	bed_end(&bed);
}

static void a_log_goes_on_where_it_ended(void **state)
{
	struct audit_head first, second;

	(void)state;
	bed_begin(&bed, 1);
	for (int i = 0; i < 3; i++) {
		struct audit_log *log = bed_open(&bed, 0, 0);
		bed_write(log, "x");
		audit_log_work(log, false);
		assert_true(audit_log_head(log, i ? &second : &first));
		audit_log_close(log);
	}
	judge_good(&first);
	judge_good(&second);
	assert_true(second.seq > first.seq);
	assert_string_equal(second.key, first.key);
	assert_int_equal(count_kind(AUDIT_BEGIN), 1);
	assert_int_equal(count_kind(AUDIT_START), 3);
	assert_int_equal(count_kind(AUDIT_REPAIR), 0);
	bed_end(&bed);
}

static void it_is_signed_each_minute_in_which_something_was_written(void **state)
{
	struct audit_log_state known;
	struct audit_head head;

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	audit_log_look(log, &known);
	assert_int_equal(known.last, 3); /* begin, start, seal */
	assert_true(audit_log_head(log, &head));
	assert_int_equal(head.seq, 2);
	for (int i = 0; i < 5; i++) { /* nothing to sign */
		told_ms += 60000;
		audit_log_work(log, false);
	}
	audit_log_look(log, &known);
	assert_int_equal(known.last, 3);
	bed_write(log, "a");
	audit_log_work(log, false);
	bed_write(log, "b");
	told_ms += AUDIT_SEAL_MS - 1;
	audit_log_work(log, false);
	audit_log_look(log, &known);
	assert_int_equal(known.last, 6);
	told_ms += 1;
	audit_log_work(log, false);
	audit_log_look(log, &known);
	assert_int_equal(known.last, 7);
	assert_true(audit_log_head(log, &head));
	assert_int_equal(head.seq, 6);
	audit_log_close(log);
	judge_good(&head);
	bed_end(&bed);
}

static void a_head_is_named_only_when_all_before_it_is_on_the_disk(void **state)
{
	struct audit_head head, later;

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 12000, 3);
	bed_write(log, "a");
	audit_log_work(log, false);
	assert_true(audit_log_head(log, &head));
	for (int i = 0; i < 100; i++) /* begins a file, whose first line is signed */
		bed_write(log, "0123456789 0123456789 0123456789 0123456789 0123456789");
	assert_true(audit_log_head(log, &later));
	assert_int_equal(later.seq, head.seq);
	audit_log_work(log, false);
	assert_true(audit_log_head(log, &later));
	assert_true(later.seq > head.seq);
	audit_log_close(log);
	judge_good(&later);
	bed_end(&bed);
}

/* --- bounds --- */

static void files_are_so_many_and_the_oldest_goes_whole(void **state)
{
	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 20000, 4);
	for (int i = 0; i < 1000; i++) {
		bed_write(log, "0123456789 0123456789 0123456789 0123456789 0123456789");
		if (i % 20 == 0)
			audit_log_work(log, false);
		assert_int_equal(audit_log_ready(log), 0); /* so room is allocated */
		if (i == 600) {
			audit_log_close(log);
			log = bed_open(&bed, 20000, 4);
		}
	}
	audit_log_close(log);
	uint64_t *files;
	assert_int_equal(audit_log_files(bed.dir, &files), 4);
	for (size_t i = 0; i < 4; i++) {
		char path[PATH_MAX];
		struct stat st;

		audit_log_name(bed.dir, files[i], path);
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_size <= 20000);
		assert_true(i == 3 || st.st_size > 20000 - (off_t)AUDIT_LINE_MAX - 1000);
		assert_true(st.st_blocks * 512 < st.st_size + 8192 || i == 3);
	}
	judge_good(NULL);
	assert_int_equal(verdict.first, files[0]);
	struct audit_line begin = bed_line(&bed, 0);
	assert_int_equal(begin.kind, AUDIT_BEGIN);
	assert_true(begin.dropped > 0 && begin.dropped < begin.seq - 1);
	begin = bed_line(&bed, find_line(files[3]));
	assert_int_equal(begin.kind, AUDIT_BEGIN);
	assert_int_equal(begin.dropped, files[0] - 1);
	free(files);
	bed_end(&bed);
}

static void a_file_that_could_not_be_removed_is_no_fault(void **state)
{
	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 12000, 2);
	for (int i = 0; i < 300; i++) /* nobody works, so nothing is removed */
		bed_write(log, "0123456789 0123456789 0123456789 0123456789 0123456789");
	judge_good(NULL);
	assert_int_equal(verdict.first, 1);
	assert_true(count_kind(AUDIT_BEGIN) > 4);
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(count_kind(AUDIT_BEGIN), 2);
	bed_end(&bed);
}

/* --- power cuts --- */

static off_t size_of(const char *dir, uint64_t first, char path[PATH_MAX])
{
	struct stat st;

	audit_log_name(dir, first, path);
	return stat(path, &st) ? -1 : st.st_size;
}

/* What a power cut leaves of the log in @p to: all that was synced, and some of what came behind. */
static void cut_power(const char *to, off_t synced)
{
	char command[3 * PATH_MAX], path[PATH_MAX];
	uint64_t *files;

	snprintf(command, sizeof(command), "rm -rf %s && cp -r %s %s", to, bed.dir, to);
	assert_int_equal(system(command), 0);
	ssize_t n = audit_log_files(to, &files);
	assert_true(n > 0);
	off_t size = size_of(to, files[n - 1], path);
	off_t left = synced + (off_t)bed_random(&bed, (uint64_t)(size - synced) + 1);
	assert_int_equal(truncate(path, left), 0);
	if (left > synced + 2 && bed_random(&bed, 3) == 0) { /* a block that was not written */
		int fd = open(path, O_WRONLY);
		char zeros[4096] = { 0 };
		off_t at = synced + (off_t)bed_random(&bed, (uint64_t)(left - synced));
		size_t length =
		        (size_t)(left - at) < sizeof(zeros) ? (size_t)(left - at) : sizeof(zeros);

		assert_int_equal(pwrite(fd, zeros, bed_random(&bed, length) + 1, at) > 0, 1);
		close(fd);
	}
	free(files);
}

static void a_torn_end_is_repaired_by_a_line_that_says_so(void **state)
{
	char to[PATH_MAX + 8], path[PATH_MAX];
	size_t repaired = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct audit_head head;

		bed_begin(&bed, seed);
		snprintf(to, sizeof(to), "%s.cut", bed.dir);
		struct audit_log *log = bed_open(&bed, 0, 0);
		for (size_t i = bed_random(&bed, 5); i > 0; i--)
			bed_write(log, "before");
		audit_log_work(log, false);
		assert_true(audit_log_head(log, &head));
		off_t synced = size_of(bed.dir, 1, path);
		for (size_t i = bed_random(&bed, 20); i > 0; i--)
			bed_write(log, "behind what was synced");
		cut_power(to, synced);
		audit_log_close(log);
		bed_end(&bed);

		strcpy(bed.dir, to);
		log = bed_open(&bed, 0, 0);
		judge_good(&head); /* nothing of it is left behind the new lines */
		bed_write(log, "after");
		audit_log_close(log);
		judge_good(&head);
		assert_true(count_kind(AUDIT_REPAIR) <= 1);
		repaired += count_kind(AUDIT_REPAIR);
		assert_int_equal(count_kind(AUDIT_START), 1 + (head.seq > 0));
		bed_end(&bed);
	}
	assert_true(repaired > 30);
}

static void remove_mark(void)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof(path), "%s/" AUDIT_MARK_FILE, bed.dir);
	assert_int_equal(unlink(path), 0);
}

/* Blocks of a file reach the disk in any order: a hole may be as long as a line. */
static void a_line_that_is_missing_behind_what_was_synced_ends_the_log_there(void **state)
{
	char path[PATH_MAX];
	struct audit_head head;

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	assert_true(audit_log_head(log, &head));
	for (int i = 0; i < 5; i++)
		bed_write(log, "behind what was synced");
	bed_read(&bed);
	audit_log_close(log);
	remove_mark(); /* which came later */
	bed_remove(&bed, bed.n - 3);
	audit_log_name(bed.dir, 1, path);
	FILE *f = fopen(path, "w");
	for (size_t i = 0; i < bed.n; i++)
		fprintf(f, "%s\n", bed.lines[i].text);
	fclose(f);
	size_t n = bed.n;
	log = bed_open(&bed, 0, 0);
	judge_good(&head);
	assert_int_equal(count_kind(AUDIT_REPAIR), 1);
	assert_int_equal(bed.n, n - 2 + 3); /* the repair, the start, a signature */
	audit_log_close(log);
	bed_end(&bed);
}

static void what_is_broken_before_a_signature_is_left_to_be_found(void **state)
{
	char path[PATH_MAX];

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	bed_write(log, "the truth");
	audit_log_close(log);
	off_t size = size_of(bed.dir, 1, path);
	assert_int_equal(system("true"), 0);
	char *text;
	size_t n;
	assert_int_equal(files_slurp(path, &text, &n), 0);
	memcpy(strstr(text, "the truth"), "the lies ", 9);
	int fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, text, n, 0), size);
	close(fd);
	free(text);
	log = bed_open(&bed, 0, 0);
	audit_log_close(log);
	bed_read(&bed);
	bed_judge(&bed, NULL, false, &verdict);
	assert_int_equal(verdict.n_found, 1);
	assert_string_equal(verdict.found[0].what, "changed");
	assert_int_equal(verdict.found[0].seq, 4);
	assert_int_equal(count_kind(AUDIT_REPAIR), 0);
	bed_end(&bed);
}

static void a_file_of_no_line_is_put_aside(void **state)
{
	char path[PATH_MAX], command[2 * PATH_MAX];

	(void)state;
	for (int empty = 0; empty < 2; empty++) {
		bed_begin(&bed, 1);
		struct audit_log *log = bed_open(&bed, 0, 0);
		audit_log_close(log);
		bed_read(&bed);
		audit_log_name(bed.dir, bed.n + 1, path);
		snprintf(command, sizeof(command), "printf '%s' > %s",
		         empty ? "" : "{\"seq\":", path);
		assert_int_equal(system(command), 0);
		log = bed_open(&bed, 0, 0);
		audit_log_close(log);
		judge_good(NULL);
		assert_int_equal(count_kind(AUDIT_REPAIR), !empty);
		snprintf(path, sizeof(path), "%s/cut", bed.dir);
		assert_int_equal(access(path, F_OK), empty ? -1 : 0);
		bed_end(&bed);
	}
}

/* --- a file that others take --- */

static void take_file(uint64_t first, const char *how)
{
	char path[PATH_MAX], command[5 * PATH_MAX];

	audit_log_name(bed.dir, first, path);
	if (!strcmp(how, "cut"))
		snprintf(command, sizeof(command), "truncate -s 900 %s", path);
	else if (!strcmp(how, "replaced"))
		snprintf(command, sizeof(command), "cp %s %s.x && mv %s.x %s", path, path, path,
		         path);
	else if (!strcmp(how, "renamed"))
		snprintf(command, sizeof(command), "mv %s %s/old.log", path, bed.dir);
	else
		snprintf(command, sizeof(command), "rm %s", path);
	assert_int_equal(system(command), 0);
}

static struct audit_line line_of_kind(enum audit_kind kind)
{
	for (size_t i = 0; i < bed.n; i++)
		if (bed_line(&bed, i).kind == kind)
			return bed_line(&bed, i);
	fail();
	return (struct audit_line){ 0 };
}

static void judge_gap(const char *expected)
{
	bed_read(&bed);
	bed_judge(&bed, NULL, false, &verdict);
	bed_print(&verdict);
	assert_int_equal(verdict.n_found, *expected != '\0');
	if (*expected)
		assert_string_equal(verdict.found[0].what, expected);
}

static void a_file_that_goes_under_the_log_is_noticed_and_the_chain_goes_on(void **state)
{
	static const struct {
		const char *how, *word, *found;
		bool idle; /* nothing is written: the thread looks */
	} cases[] = { { "removed", "removed", "removed", false },
		      { "removed", "removed", "removed", true },
		      { "renamed", "removed", "removed", false },
		      { "cut", "cut", "removed", false },
		      { "replaced", "replaced", "", false } };
	const struct audit_line by = { .who = "user:root", .reason = "seen" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct audit_log_state known;

		bed_begin(&bed, 1);
		struct audit_log *log = bed_open(&bed, 0, 0);
		bed_write(log, "before");
		assert_int_equal(audit_log_ready(log), 0); /* room is allocated */
		audit_log_look(log, &known);
		uint64_t last = known.last;
		assert_int_equal(known.gone, 0);
		take_file(1, cases[i].how);
		if (cases[i].idle)
			audit_log_work(log, false);
		else
			bed_write(log, "after");
		audit_log_look(log, &known);
		assert_int_equal(known.error, 0);
		assert_int_equal(known.gone, last + 2); /* behind the begin */
		assert_string_equal(known.gone_how, cases[i].word);
		judge_gap(cases[i].found);
		struct audit_line gone = line_of_kind(AUDIT_GONE);
		assert_int_equal(gone.seq, known.gone);
		assert_string_equal(gone.result, cases[i].word);
		assert_string_equal(gone.who, "weir");
		audit_log_work(log, false);
		audit_log_close(log);
		log = bed_open(&bed, 0, 0); /* it lasts */
		audit_log_look(log, &known);
		assert_int_equal(known.gone, gone.seq);
		assert_string_equal(known.gone_how, cases[i].word);
		assert_int_equal(audit_log_rotate(log, &by), 0);
		audit_log_look(log, &known);
		assert_int_equal(known.gone, 0);
		audit_log_close(log);
		log = bed_open(&bed, 0, 0);
		audit_log_look(log, &known);
		assert_int_equal(known.gone, 0);
		audit_log_close(log);
		judge_gap(cases[i].found);
		assert_int_equal(count_kind(AUDIT_GONE), 1);
		bed_end(&bed);
	}
}

static void a_directory_that_goes_under_the_log_is_made_again_with_its_key(void **state)
{
	struct audit_log_state before, known;
	char command[2 * PATH_MAX];

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	audit_log_look(log, &before);
	snprintf(command, sizeof(command), "rm -r %s", bed.dir);
	assert_int_equal(system(command), 0);
	bed_write(log, "after");
	audit_log_close(log);
	log = bed_open(&bed, 0, 0);
	audit_log_look(log, &known);
	assert_string_equal(known.key, before.key);
	assert_int_equal(known.gone, before.last + 2);
	audit_log_close(log);
	judge_gap("removed");
	bed_end(&bed);
}

static void lines_that_are_missing_at_a_start_leave_a_gap(void **state)
{
	(void)state;
	for (int what = 0; what < 4; what++) {
		struct audit_log_state known;
		char path[PATH_MAX];

		bed_begin(&bed, 1);
		struct audit_log *log = bed_open(&bed, 0, 0);
		bed_write(log, "before");
		audit_log_close(log);
		bed_read(&bed);
		uint64_t last = bed_line(&bed, bed.n - 1).seq;
		audit_log_name(bed.dir, 1, path);
		if (what == 1)
			assert_int_equal(truncate(path, 900), 0);
		else if (what == 2)
			assert_int_equal(truncate(path, 0), 0);
		else
			assert_int_equal(unlink(path), 0);
		if (what == 3)
			remove_mark();
		log = bed_open(&bed, 0, 0);
		audit_log_look(log, &known);
		/* the last signature vouches for the line before it; without the mark nobody knows how many there were */
		assert_int_equal(known.gone, what == 3 ? 2 : last - 1 + 2);
		assert_string_equal(known.gone_how, "missing");
		audit_log_close(log);
		judge_gap(what == 3 ? "" : "removed");
		assert_int_equal(count_kind(AUDIT_REPAIR), 0);
		bed_end(&bed);
	}
}

/* Else the next file that is begun would say of what others took that the log has dropped it. */
static void what_others_took_is_not_said_to_be_dropped(void **state)
{
	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 12000, 8);
	for (int i = 0; i < 40; i++)
		bed_write(log, "0123456789 0123456789 0123456789 0123456789 0123456789");
	audit_log_close(log);
	take_file(1, "removed");
	log = bed_open(&bed, 12000, 8);
	for (int i = 0; i < 20; i++)
		bed_write(log, "0123456789 0123456789 0123456789 0123456789 0123456789");
	audit_log_close(log);
	judge_gap("removed");
	bed_end(&bed);
}

/* --- a disk that is full --- */

static void limit_files(rlim_t most)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = most;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void what_could_not_be_written_is_counted_and_said_later(void **state)
{
	struct audit_log_state known;
	char path[PATH_MAX];

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	bed_write(log, "before");
	assert_int_equal(audit_log_ready(log), 0);
	off_t size = size_of(bed.dir, 1, path);
	limit_files((rlim_t)size + 40); /* so a part of a line is written */
	for (int i = 0; i < 5; i++, told_ms += 1000)
		bed_write(log, "lost");
	audit_log_look(log, &known);
	assert_int_equal(known.unrecorded, 5);
	assert_int_equal(-known.error, ENOSPC);
	assert_int_equal(size_of(bed.dir, 1, path), size); /* the part is gone */
	assert_true(audit_log_ready(log) < 0);
	audit_log_work(log, false);
	audit_log_look(log, &known);
	assert_int_equal(known.unrecorded, 5);
	limit_files(RLIM_INFINITY);
	told_ms += 5000;
	assert_int_equal(audit_log_ready(log), 0);
	audit_log_look(log, &known);
	assert_int_equal(known.unrecorded, 0);
	assert_int_equal(known.error, 0);
	bed_write(log, "after");
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(count_kind(AUDIT_LOST), 1);
	for (size_t i = 0; i < bed.n; i++)
		if (bed_line(&bed, i).kind == AUDIT_LOST) {
			assert_int_equal(bed_line(&bed, i).count, 5);
			assert_string_equal(bed_line(&bed, i).since, "2027-01-15T08:16:40.000Z");
		}
	bed_end(&bed);
}

static void a_file_that_cannot_be_begun_leaves_the_one_before(void **state)
{
	char path[PATH_MAX];

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 12000, 3);
	while (size_of(bed.dir, 1, path) + (off_t)AUDIT_LINE_MAX <= 12000)
		bed_write(log, "0123456789 0123456789 0123456789 0123456789 0123456789");
	limit_files(1);
	bed_write(log, "lost");
	bed_write(log, "lost");
	assert_true(audit_log_ready(log) < 0);
	uint64_t *files;
	assert_int_equal(audit_log_files(bed.dir, &files), 1);
	free(files);
	limit_files(RLIM_INFINITY);
	bed_write(log, "after");
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(count_kind(AUDIT_LOST), 1);
	assert_int_equal(count_kind(AUDIT_BEGIN), 2);
	bed_end(&bed);
}

static void a_log_that_cannot_be_opened_is_tried_again(void **state)
{
	struct audit_log_state known;
	char was[PATH_MAX];

	(void)state;
	bed_begin(&bed, 1);
	strcpy(was, bed.dir);
	strcat(bed.dir, "/missing/audit");
	struct audit_log *log = bed_open(&bed, 0, 0);
	bed_write(log, "lost");
	assert_int_equal(audit_log_ready(log), -ENOENT);
	audit_log_look(log, &known);
	assert_int_equal(known.error, -ENOENT);
	assert_int_equal(known.unrecorded, 2); /* that it started, too */
	char parent[PATH_MAX + 16];
	snprintf(parent, sizeof(parent), "%s/missing", was);
	assert_int_equal(mkdir(parent, 0700), 0);
	assert_int_equal(audit_log_ready(log), 0);
	bed_write(log, "after");
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(count_kind(AUDIT_LOST), 1);
	strcpy(bed.dir, was);
	bed_end(&bed);
}

static void a_directory_that_others_may_write_gets_no_key(void **state)
{
	char path[PATH_MAX];

	(void)state;
	bed_begin(&bed, 1);
	assert_int_equal(chmod(bed.dir, 0770), 0);
	struct audit_log *log = bed_open(&bed, 0, 0);
	assert_int_equal(audit_log_ready(log), -EPERM);
	snprintf(path, sizeof(path), "%s/" AUDIT_KEY_FILE, bed.dir);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(chmod(bed.dir, 0700), 0);
	assert_int_equal(audit_log_ready(log), 0);
	audit_log_close(log);
	judge_good(NULL);
	bed_end(&bed);
}

/* --- keys --- */

static void a_new_key_is_signed_by_the_old_one(void **state)
{
	const struct audit_line by = { .who = "user:root", .reason = "a test", .status = 200 };
	struct audit_log_state before, after;
	struct audit_head head;

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	audit_log_look(log, &before);
	assert_int_equal(audit_log_rotate(log, &by), 0);
	audit_log_look(log, &after);
	assert_string_not_equal(before.key, after.key);
	audit_log_work(log, false);
	assert_true(audit_log_head(log, &head));
	assert_string_equal(head.key, after.key);
	assert_true(audit_head_follows(&head, before.key));
	audit_log_close(log);
	judge_good(&head);
	assert_string_equal(verdict.key, after.key);
	assert_int_equal(count_kind(AUDIT_KEY), 1);
	log = bed_open(&bed, 0, 0);
	audit_log_look(log, &before);
	assert_string_equal(before.key, after.key); /* it is that of the file */
	struct audit_head again;
	assert_true(audit_log_head(log, &again));
	assert_string_equal(again.former, head.former);
	assert_true(audit_head_follows(&again, head.former));
	audit_log_close(log);
	judge_good(&head);
	bed_end(&bed);
}

/* The process ended between a step of the change and the next. */
static void a_change_of_the_key_that_was_cut_short_is_finished_or_forgotten(void **state)
{
	const struct audit_line by = { .who = "user:root", .reason = "a test" };
	char key[PATH_MAX], next[PATH_MAX], old[PATH_MAX], command[3 * PATH_MAX];
	struct audit_key *other;

	(void)state;
	bed_begin(&bed, 1);
	snprintf(key, sizeof(key), "%s/" AUDIT_KEY_FILE, bed.dir);
	snprintf(next, sizeof(next), "%s/" AUDIT_KEY_FILE ".next", bed.dir);
	snprintf(old, sizeof(old), "%s/old", bed.dir);
	struct audit_log *log = bed_open(&bed, 0, 0);
	snprintf(command, sizeof(command), "cp %s %s", key, old);
	assert_int_equal(system(command), 0);
	assert_int_equal(audit_log_rotate(log, &by), 0);
	audit_log_close(log);
	/* the log names the new key, which has not its place yet */
	assert_int_equal(rename(key, next), 0);
	assert_int_equal(rename(old, key), 0);
	audit_log_close(bed_open(&bed, 0, 0));
	judge_good(NULL);
	assert_int_equal(access(next, F_OK), -1);
	/* it does not */
	assert_int_equal(audit_key_new(&other), 0);
	assert_int_equal(audit_key_write(other, next), 0);
	audit_key_free(other);
	audit_log_close(bed_open(&bed, 0, 0));
	judge_good(NULL);
	assert_int_equal(access(next, F_OK), -1);
	bed_end(&bed);
}

static void a_key_that_is_lost_is_found_by_verify(void **state)
{
	char path[PATH_MAX];

	(void)state;
	bed_begin(&bed, 1);
	audit_log_close(bed_open(&bed, 0, 0));
	snprintf(path, sizeof(path), "%s/" AUDIT_KEY_FILE, bed.dir);
	assert_int_equal(truncate(path, 10), 0);
	struct audit_log *log = bed_open(&bed, 0, 0);
	bed_write(log, "x");
	audit_log_close(log);
	bed_read(&bed);
	bed_judge(&bed, NULL, false, &verdict);
	assert_int_equal(verdict.n_found, 1);
	assert_string_equal(verdict.found[0].what, "replaced");
	bed_end(&bed);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

/* docs/api.md says so, for who verifies by other means. */
static void what_is_signed_is_a_text_of_seven_parts(void **state)
{
	struct audit_line line = { .kind = AUDIT_KEY,
		                   .seq = 8,
		                   .node = "ams-1",
		                   .time = "2027-01-15T08:16:40.000Z",
		                   .prev = ZEROS,
		                   .key = "aa",
		                   .next = "bb" };
	char text[AUDIT_SIGNED_MAX];

	(void)state;
	size_t n = audit_line_signed(&line, text);
	assert_string_equal(text, "weir-audit-1\nams-1\n7\n" ZEROS
	                          "\n2027-01-15T08:16:40.000Z\naa\nbb\n");
	assert_int_equal(n, strlen(text));
}

static void what_is_no_line_is_not_read(void **state)
{
	static const char good[] = "{\"seq\":1,\"time\":\"\",\"node\":\"a\",\"kind\":\"change\","
	                           "\"prev\":\"" ZEROS "\"}";
	static const char *const bad[] = {
		"",
		"{}",
		"{\"seq\":0,\"time\":\"\",\"node\":\"a\",\"kind\":\"change\",\"prev\":\"" ZEROS
		"\"}",
		"{\"seq\":1,\"time\":\"\",\"node\":\"a\",\"kind\":\"other\",\"prev\":\"" ZEROS
		"\"}",
		"{\"seq\":1,\"time\":\"\",\"node\":\"a\",\"kind\":\"change\",\"prev\":\"0" ZEROS
		"\"}",
		"{\"seq\":1,\"time\":\"\",\"node\":\"a\",\"kind\":\"change\",\"prev\":\"x\"}",
		"{\"seq\":1,\"time\":\"\",\"node\":\"a\",\"kind\":\"seal\",\"prev\":\"" ZEROS "\"}",
	};
	struct audit_line line;
	char *text = calloc(1, AUDIT_LINE_MAX + 1);

	(void)state;
	assert_int_equal(audit_line_read(good, strlen(good), &line), 0);
	assert_int_equal(audit_line_read(good, strlen(good) + 1, &line), -EINVAL); /* a NUL */
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(audit_line_read(bad[i], strlen(bad[i]), &line), -EINVAL);
	memset(text, ' ', AUDIT_LINE_MAX);
	memcpy(text, good, strlen(good));
	assert_int_equal(audit_line_read(text, AUDIT_LINE_MAX - 1, &line), 0);
	assert_int_equal(audit_line_read(text, AUDIT_LINE_MAX, &line), -EINVAL);
	free(text);
}

static void a_file_that_is_no_key_is_not_taken(void **state)
{
	static const char *const bad[] = { "", "00", "zz" ZEROS, ZEROS "00" };
	char path[PATH_MAX];
	struct audit_key *key, *again;

	(void)state;
	bed_begin(&bed, 1);
	snprintf(path, sizeof(path), "%s/" AUDIT_KEY_FILE, bed.dir);
	assert_int_equal(audit_key_read(path, &key), -ENOENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		FILE *f = fopen(path, "w");

		fputs(bad[i], f);
		fclose(f);
		assert_int_equal(audit_key_read(path, &key), -EINVAL);
	}
	FILE *f = fopen(path, "w");
	fprintf(f, "zz%.62s\n", ZEROS);
	fclose(f);
	assert_int_equal(audit_key_read(path, &key), -EINVAL);
	assert_int_equal(audit_key_new(&key), 0);
	assert_int_equal(audit_key_write(key, path), 0);
	assert_int_equal(audit_key_read(path, &again), 0);
	assert_string_equal(audit_key_public(again), audit_key_public(key));
	audit_key_free(key);
	audit_key_free(again);
	bed_end(&bed);
}

static void a_signature_is_of_its_key_and_text_alone(void **state)
{
	struct audit_key *key, *other;
	char sign[AUDIT_SIGN_MAX];

	(void)state;
	assert_int_equal(audit_key_new(&key), 0);
	assert_int_equal(audit_key_new(&other), 0);
	assert_int_equal(audit_key_sign(key, "text", 4, sign), 0);
	assert_true(audit_key_verify(audit_key_public(key), "text", 4, sign));
	assert_false(audit_key_verify(audit_key_public(key), "Text", 4, sign));
	assert_false(audit_key_verify(audit_key_public(other), "text", 4, sign));
	assert_false(audit_key_verify("", "text", 4, sign));
	assert_false(audit_key_verify(audit_key_public(key), "text", 4, ""));
	sign[127] = sign[127] == '0' ? '1' : '0';
	assert_false(audit_key_verify(audit_key_public(key), "text", 4, sign));
	audit_key_free(key);
	audit_key_free(other);
}

/* --- what comes again and again --- */

static void what_comes_again_is_a_line_a_minute(void **state)
{
	struct audit_line bad = { .kind = AUDIT_BAD_LOGIN,
		                  .source = "192.0.2.7",
		                  .method = "GET",
		                  .path = "/v1/status",
		                  .status = 401,
		                  .code = "unauthorized" };

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	for (int second = 0; second < 180; second++) {
		for (int i = 0; i < 50; i++)
			audit_log_note(log, &bad);
		audit_log_work(log, false);
		told_ms += 1000;
	}
	struct audit_line other = bad;
	strcpy(other.source, "192.0.2.8");
	audit_log_note(log, &other);
	audit_log_close(log);
	judge_good(NULL);
	size_t n = 0, counted = 0;
	for (size_t i = 0; i < bed.n; i++) {
		struct audit_line line = bed_line(&bed, i);

		if (line.kind != AUDIT_BAD_LOGIN || strcmp(line.source, bad.source) != 0)
			continue;
		n++;
		counted += line.count ? line.count : 1;
	}
	assert_int_equal(n, 4); /* the first, and each minute */
	assert_int_equal(counted, 180 * 50);
	assert_int_equal(count_kind(AUDIT_BAD_LOGIN), 5);
	bed_end(&bed);
}

static void more_sources_than_there_is_room_for_are_counted_together(void **state)
{
	struct audit_line bad = { .kind = AUDIT_BAD_LOGIN, .status = 401 };
	uint64_t counted = 0;

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(bad.source, sizeof(bad.source), "10.0.%u.%u", i / 256, i % 256);
		audit_log_note(log, &bad);
	}
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(count_kind(AUDIT_BAD_LOGIN), AUDIT_FLOOD_SHARE + 1);
	for (size_t i = 0; i < bed.n; i++)
		if (bed_line(&bed, i).kind == AUDIT_BAD_LOGIN)
			counted += bed_line(&bed, i).count ? bed_line(&bed, i).count : 1;
	assert_int_equal(counted, 10000);
	bed_end(&bed);
}

/* How many lines there are of @p kind by @p who, and what they count. */
static size_t count_by(enum audit_kind kind, const char *who, uint64_t *counted)
{
	size_t n = 0;

	*counted = 0;
	for (size_t i = 0; i < bed.n; i++) {
		struct audit_line line = bed_line(&bed, i);

		if (line.kind != kind || strcmp(line.who, who) != 0)
			continue;
		n++;
		*counted += line.count ? line.count : 1;
	}
	return n;
}

/* A member that goes is not counted with those that come. */
static void what_is_counted_has_one_method_and_status(void **state)
{
	struct audit_line change = { .kind = AUDIT_CHANGE,
		                     .who = "token:reg",
		                     .path = "/v1/pools/p/members" };
	static const struct {
		const char *method;
		uint32_t status;
		unsigned times;
	} rows[] = { { "PUT", 201, 5 }, { "PUT", 200, 4 }, { "DELETE", 200, 3 } };

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	for (unsigned i = 0; i < 5; i++)
		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
			snprintf(change.method, sizeof(change.method), "%s", rows[k].method);
			change.status = rows[k].status;
			if (i < rows[k].times)
				audit_log_note(log, &change);
		}
	audit_log_close(log);
	judge_good(NULL);
	for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
		uint64_t counted = 0;

		for (size_t i = 0; i < bed.n; i++) {
			struct audit_line line = bed_line(&bed, i);

			if (line.kind == AUDIT_CHANGE && line.status == rows[k].status &&
			    !strcmp(line.method, rows[k].method))
				counted += line.count ? line.count : 1;
		}
		assert_int_equal(counted, rows[k].times);
	}
	bed_end(&bed);
}

static void who_floods_hides_nobody_else(void **state)
{
	struct audit_line flood = { .kind = AUDIT_REFUSAL, .who = "token:vera", .status = 403 },
	                  login = { .kind = AUDIT_LOGIN, .who = "token:vera" },
	                  change = { .kind = AUDIT_CHANGE, .who = "token:otto", .status = 201 },
	                  refusal = { .kind = AUDIT_REFUSAL, .who = "token:olga", .status = 422 };
	uint64_t counted;

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(flood.path, sizeof(flood.path), "/v1/pools/p%u", i);
		snprintf(login.source, sizeof(login.source), "10.0.%u.%u", i / 256, i % 256);
		audit_log_note(log, &flood);
		audit_log_note(log, &login);
	}
	audit_log_note(log, &change);
	audit_log_note(log, &refusal);
	strcpy(login.who, "token:otto");
	audit_log_note(log, &login);
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(count_by(AUDIT_CHANGE, "token:otto", &counted), 1);
	assert_int_equal(count_by(AUDIT_REFUSAL, "token:olga", &counted), 1);
	assert_int_equal(count_by(AUDIT_LOGIN, "token:otto", &counted), 1);
	assert_int_equal(count_by(AUDIT_REFUSAL, "token:vera", &counted), AUDIT_FLOOD_SHARE + 1);
	assert_int_equal(counted, 1000);
	assert_int_equal(count_by(AUDIT_LOGIN, "token:vera", &counted), AUDIT_FLOOD_SHARE + 1);
	assert_int_equal(counted, 1000);
	assert_int_equal(count_by(AUDIT_REFUSAL, AUDIT_FLOOD_OTHERS, &counted), 0);
	for (size_t i = 0; i < bed.n; i++)
		if (bed_line(&bed, i).count)
			assert_string_equal(bed_line(&bed, i).path, AUDIT_FLOOD_OTHERS);
	bed_end(&bed);
}

static void a_change_always_has_a_name(void **state)
{
	struct audit_line change = { .kind = AUDIT_CHANGE, .status = 201 };
	uint64_t counted, all = 0;

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	for (unsigned who = 0; who < 20; who++)
		for (unsigned i = 0; i < 100; i++) {
			snprintf(change.who, sizeof(change.who), "token:t%u", who);
			snprintf(change.path, sizeof(change.path), "/v1/pools/p%u/members", i);
			audit_log_note(log, &change);
		}
	strcpy(change.who, "token:otto");
	audit_log_note(log, &change);
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(count_by(AUDIT_CHANGE, "token:otto", &counted), 1);
	assert_int_equal(count_by(AUDIT_CHANGE, "token:t0", &counted), AUDIT_FLOOD_CHANGES + 1);
	for (unsigned who = 0; who < 20; who++) {
		snprintf(change.who, sizeof(change.who), "token:t%u", who);
		(void)count_by(AUDIT_CHANGE, change.who, &counted);
		all += counted;
	}
	assert_int_equal(all, 2000);
	assert_int_equal(count_by(AUDIT_CHANGE, AUDIT_FLOOD_OTHERS, &counted), 0);
	bed_end(&bed);
}

static void what_was_done_is_not_counted_with_what_a_key_repeats(void **state)
{
	struct audit_line change = { .kind = AUDIT_CHANGE,
		                     .who = "token:otto",
		                     .path = "/v1/pools/web/members",
		                     .status = 201 };

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	audit_log_note(log, &change);
	change.replayed = true;
	audit_log_note(log, &change);
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(count_kind(AUDIT_CHANGE), 2);
	bed_end(&bed);
}

static void the_first_of_many_lines_says_what_was_asked_for_and_why(void **state)
{
	const struct audit_line refusal = { .kind = AUDIT_REFUSAL,
		                            .who = "token:sam",
		                            .author = "eve",
		                            .path = "/v1/overrides",
		                            .object = "sites/fra",
		                            .status = 403,
		                            .reason = "kill it" };
	size_t n = 0;

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	for (int i = 0; i < 3; i++)
		audit_log_note(log, &refusal);
	audit_log_close(log);
	judge_good(NULL);
	for (size_t i = 0; i < bed.n; i++) {
		struct audit_line line = bed_line(&bed, i);

		if (line.kind != AUDIT_REFUSAL)
			continue;
		assert_string_equal(line.object, n ? "" : "sites/fra");
		assert_string_equal(line.author, n ? "" : "eve");
		assert_string_equal(line.reason, n ? "" : "kill it");
		assert_int_equal(line.count, n ? 2 : 0);
		n++;
	}
	assert_int_equal(n, 2);
	bed_end(&bed);
}

static void a_login_that_goes_on_is_a_line_an_hour(void **state)
{
	const struct audit_line login = { .kind = AUDIT_LOGIN,
		                          .who = "token:prom",
		                          .source = "192.0.2.9" };

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	for (int i = 0; i < 3 * 240; i++, told_ms += 15000) { /* three hours */
		audit_log_note(log, &login);
		audit_log_work(log, false);
	}
	for (int i = 0; i < 3; i++, told_ms += AUDIT_FLOOD_LOGIN_MS)
		audit_log_work(log, false);
	audit_log_work(log, false);
	audit_log_note(log, &login); /* it comes back */
	audit_log_close(log);
	judge_good(NULL);
	assert_int_equal(count_kind(AUDIT_LOGIN), 1 + 3 + 1);
	struct audit_line last = { .seq = 0 };
	for (size_t i = 0; i < bed.n; i++)
		if (bed_line(&bed, i).kind == AUDIT_LOGIN)
			last = bed_line(&bed, i);
	assert_int_equal(last.count, 0); /* the first of another time */
	bed_end(&bed);
}

static void a_thread_writes_what_was_noted(void **state)
{
	const struct audit_line login = { .kind = AUDIT_LOGIN, .who = "token:prom" };
	struct audit_keeper keeper = { .log = NULL };
	struct audit_head head;

	(void)state;
	bed_begin(&bed, 1);
	struct audit_log *log = bed_open(&bed, 0, 0);
	struct audit_heads *heads = audit_heads_open(bed.dir);
	assert_int_equal(audit_keeper_start(&keeper, log, heads), 0);
	audit_log_note(log, &login);
	bool has_head = false;
	for (int i = 0; i < 3000 && !has_head; i++) {
		usleep(10000);
		has_head = audit_log_head(log, &head);
	}
	assert_true(has_head);
	audit_keeper_stop(&keeper, log);
	audit_heads_free(heads);
	judge_good(&head);
	assert_int_equal(count_kind(AUDIT_LOGIN), 1);
	bed_end(&bed);
}

SUITE(audit_log)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_all_that_was_said_and_no_control_character),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test(the_key_is_for_its_user_alone),
		cmocka_unit_test(a_log_goes_on_where_it_ended),
		cmocka_unit_test(it_is_signed_each_minute_in_which_something_was_written),
		cmocka_unit_test(a_head_is_named_only_when_all_before_it_is_on_the_disk),
		cmocka_unit_test(files_are_so_many_and_the_oldest_goes_whole),
		cmocka_unit_test(a_file_that_could_not_be_removed_is_no_fault),
		cmocka_unit_test(a_torn_end_is_repaired_by_a_line_that_says_so),
		cmocka_unit_test(a_line_that_is_missing_behind_what_was_synced_ends_the_log_there),
		cmocka_unit_test(what_is_broken_before_a_signature_is_left_to_be_found),
		cmocka_unit_test(a_file_of_no_line_is_put_aside),
		cmocka_unit_test(a_file_that_goes_under_the_log_is_noticed_and_the_chain_goes_on),
		cmocka_unit_test(a_directory_that_goes_under_the_log_is_made_again_with_its_key),
		cmocka_unit_test(lines_that_are_missing_at_a_start_leave_a_gap),
		cmocka_unit_test(what_others_took_is_not_said_to_be_dropped),
		cmocka_unit_test(what_could_not_be_written_is_counted_and_said_later),
		cmocka_unit_test(a_file_that_cannot_be_begun_leaves_the_one_before),
		cmocka_unit_test(a_log_that_cannot_be_opened_is_tried_again),
		cmocka_unit_test(a_directory_that_others_may_write_gets_no_key),
		cmocka_unit_test(a_new_key_is_signed_by_the_old_one),
		cmocka_unit_test(a_change_of_the_key_that_was_cut_short_is_finished_or_forgotten),
		cmocka_unit_test(a_key_that_is_lost_is_found_by_verify),
		cmocka_unit_test(a_file_that_is_no_key_is_not_taken),
		cmocka_unit_test(what_is_signed_is_a_text_of_seven_parts),
		cmocka_unit_test(what_is_no_line_is_not_read),
		cmocka_unit_test(a_signature_is_of_its_key_and_text_alone),
		cmocka_unit_test(what_comes_again_is_a_line_a_minute),
		cmocka_unit_test(more_sources_than_there_is_room_for_are_counted_together),
		cmocka_unit_test(what_is_counted_has_one_method_and_status),
		cmocka_unit_test(who_floods_hides_nobody_else),
		cmocka_unit_test(a_change_always_has_a_name),
		cmocka_unit_test(what_was_done_is_not_counted_with_what_a_key_repeats),
		cmocka_unit_test(the_first_of_many_lines_says_what_was_asked_for_and_why),
		cmocka_unit_test(a_login_that_goes_on_is_a_line_an_hour),
		cmocka_unit_test(a_thread_writes_what_was_noted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
