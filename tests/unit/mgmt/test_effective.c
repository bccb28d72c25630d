/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The effective document as a file: who else writes to it or removes it finds it written again, its
 * number never goes back behind what a process has, and the reserve for a full disk is held at its
 * size.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "mgmt/store/command.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/journal.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define STRANGER     54321 /* a user's number that nobody has */
#define RESERVE_ROOM (256 << 10)

struct scene {
	struct fixture f;
	char run[96], document[128], reserve[128];
};

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	fixture_make(&s->f);
	snprintf(s->run, sizeof(s->run), "%s/run", s->f.root);
	snprintf(s->document, sizeof(s->document), "%s/effective.conf", s->f.state);
	snprintf(s->reserve, sizeof(s->reserve), "%s/reserve", s->f.state);
	*state = s;
	return mkdir(s->run, 0755);
}

static int teardown(void **state)
{
	struct scene *s = *state;

	fixture_remove(&s->f);
	free(s);
	return 0;
}

static struct intent *open_it(const struct scene *s, bool offline)
{
	const struct intent_options options = { .conf_dir = s->f.conf,
		                                .state_dir = s->f.state,
		                                .run_dir = s->run,
		                                .node = "ams-1",
		                                .offline = offline };
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, NOW_MS, &in), 0);
	return in;
}

static void drain_site(struct intent *in, const char *site, int64_t now_ms)
{
	const struct command c = { .what = COMMAND_DRAIN,
		                   .name = site,
		                   .over_ms = 300000,
		                   .from_ms = -1,
		                   .until_ms = MODEL_TIME_NEVER,
		                   .now = true,
		                   .author = "jw",
		                   .reason = "x",
		                   .past = { "last-site", "room" },
		                   .n_past = 2 };
	static struct command_result result;
	const struct guard_observed seen = { 0 };

	assert_int_equal(command_run(in, &c, &seen, now_ms, &result), COMMAND_OK);
}

static unsigned count_events(struct intent *in, const char *text)
{
	struct journal *j = intent_journal(in);
	unsigned n = 0;

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++) {
		const struct event *e = journal_find(j, id);

		n += e && strstr(e->message, text) != NULL;
	}
	return n;
}

/* The number of the document that is there and whole, or 0. */
static uint64_t read_number(const struct scene *s)
{
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	uint64_t number = 0;

	if (!model_read_effective(s->document, "ams-1", &m, &errors))
		number = m->meta.document;
	model_errors_free(&errors);
	model_free(m);
	return number;
}

enum harm { REMOVED, CUT, OVERWRITTEN, REPLACED, HARMS };

/* What something else does to the file; none of it changes more than it must. */
static void do_harm(const struct scene *s, enum harm harm)
{
	char other[160];
	struct stat st;
	int fd;

	assert_int_equal(stat(s->document, &st), 0);
	snprintf(other, sizeof(other), "%s.other", s->document);
	switch (harm) {
	case REMOVED:
		assert_int_equal(unlink(s->document), 0);
		return;
	case CUT:
		assert_int_equal(truncate(s->document, st.st_size - 10), 0);
		assert_int_equal(utimensat(AT_FDCWD, s->document,
		                           (struct timespec[]){ st.st_atim, st.st_mtim }, 0),
		                 0);
		return;
	case OVERWRITTEN: /* of equal length */
		fd = open(s->document, O_WRONLY | O_CLOEXEC);
		assert_int_equal(pwrite(fd, "#", 1, 0), 1);
		close(fd);
		st.st_mtim.tv_nsec = (st.st_mtim.tv_nsec + 1) % 1000000000;
		assert_int_equal(utimensat(AT_FDCWD, s->document,
		                           (struct timespec[]){ st.st_atim, st.st_mtim }, 0),
		                 0);
		return;
	default:
		fixture_write(s->f.state, "effective.conf.other", "schema = 1;\n");
		assert_int_equal(truncate(other, st.st_size), 0);
		assert_int_equal(utimensat(AT_FDCWD, other,
		                           (struct timespec[]){ st.st_atim, st.st_mtim }, 0),
		                 0);
		assert_int_equal(rename(other, s->document), 0);
	}
}

static void a_document_that_another_changes_is_written_again(void **state)
{
	const struct scene *s = *state;

	for (enum harm harm = 0; harm < HARMS; harm++) {
		struct intent *in = open_it(s, false);
		uint64_t number = intent_document(in);

		print_message("harm %d\n", harm);
		for (int i = 1; i < 5; i++)
			intent_tick(in, NOW_MS + 100 * i);
		assert_true(intent_document(in) == number); /* ours is none */
		assert_true(read_number(s) == number);
		unsigned before = count_events(in, "it is written again");

		do_harm(s, harm);
		intent_tick(in, NOW_MS + 1000);
		assert_true(intent_document(in) == number + 1);
		assert_true(read_number(s) == number + 1);
		intent_tick(in, NOW_MS + 1100);
		assert_true(intent_document(in) == number + 1);
		assert_int_equal(count_events(in, "it is written again"), before + 1);
		intent_close(in);
	}
}

/* Where it cannot be written again the trouble is said once, and it is tried again. */
static void what_cannot_be_written_again_is_said_once(void **state)
{
	const struct scene *s = *state;
	struct intent *in = open_it(s, false);
	uint64_t number = intent_document(in);

	assert_int_equal(unlink(s->document), 0);
	assert_int_equal(mkdir(s->document, 0755), 0); /* no rename leads there */
	for (int i = 1; i < 5; i++)
		intent_tick(in, NOW_MS + 1000 * i);
	assert_true(*intent_unwritten_reason(in));
	assert_true(intent_document(in) == number);
	assert_int_equal(count_events(in, "it is written again"), 1);
	assert_int_equal(count_events(in, "cannot be written"), 1);
	assert_int_equal(rmdir(s->document), 0);
	intent_tick(in, NOW_MS + 10000);
	assert_string_equal(intent_unwritten_reason(in), "");
	assert_true(read_number(s) == number + 1);
	intent_close(in);
}

/* A process compares the number with the one that it has: one that is lower it would not take. */
static void the_number_goes_on_behind_what_processes_have(void **state)
{
	static const struct {
		const char *name;
		uint64_t document;
		bool counts;
	} rows[] = {
		{ "dataplane", 100, true },
		{ "health", 200, true },
		{ "dns", 300, true },
		{ "mgmt", 4000, false },
		{ "dns", (uint64_t)1 << 48, false }, /* damaged */
		{ "dns", 150, false },
	};
	const struct scene *s = *state;
	uint64_t newest = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stats *page;

		assert_int_equal(stats_create(s->run, rows[i].name, 8, &page), 0);
		conditions_begin(page, rows[i].document);
		conditions_end(page);
		stats_close(page);
		if (i == 5) /* the newest that is left is of weir-health */
			newest = 200;
		else
			newest = rows[i].counts ? rows[i].document : i == 4 ? 200 : newest;
		(void)unlink(s->document);
		struct intent *in = open_it(s, false);

		print_message("%s has %llu\n", rows[i].name, (unsigned long long)rows[i].document);
		assert_true(intent_document(in) == newest + 1);
		assert_true(read_number(s) == newest + 1);
		intent_close(in);
		/* the document is there: it counts, where it is newer */
		in = open_it(s, false);
		assert_true(intent_document(in) == newest + 2);
		intent_close(in);
	}
}

static void the_reserve_is_held_at_its_size(void **state)
{
	const struct scene *s = *state;
	struct intent *in = open_it(s, false);
	struct stat document, st;

	assert_int_equal(stat(s->reserve, &st) | stat(s->document, &document), 0);
	assert_true(st.st_size >= RESERVE_ROOM + 2 * document.st_size);
	assert_true((off_t)st.st_blocks * 512 >= st.st_size); /* room, and not a hole */
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(truncate(s->reserve, st.st_size - 4096),
	                 0); /* as for a smaller document */
	drain_site(in, "ams", NOW_MS + 10);
	assert_int_equal(stat(s->reserve, &st) | stat(s->document, &document), 0);
	assert_true(st.st_size >= RESERVE_ROOM + 2 * document.st_size);
	assert_true((off_t)st.st_blocks * 512 >= st.st_size);
	/* another's file in its place, or a link of another, is not written to */
	if (geteuid() == 0) {
		assert_int_equal(truncate(s->reserve, 10) | chown(s->reserve, STRANGER, STRANGER),
		                 0);
		drain_site(in, "fra", NOW_MS + 20);
		assert_int_equal(stat(s->reserve, &st), 0);
		assert_int_equal(st.st_size, 10);
		fixture_write(s->f.state, "elsewhere", "x");
		assert_int_equal(unlink(s->reserve) | symlink("elsewhere", s->reserve), 0);
		drain_site(in, "ams", NOW_MS + 30);
		assert_int_equal(lstat(s->reserve, &st), 0);
		assert_true(S_ISLNK(st.st_mode));
		assert_int_equal(stat(s->reserve, &st), 0);
		assert_int_equal(st.st_size, 1);
	}
	intent_close(in);
}

/* Who has a share of it keeps it, whatever is composed after it. */
static void a_shared_model_outlives_the_one_that_follows(void **state)
{
	const struct scene *s = *state;
	struct intent *in = open_it(s, false);
	struct intent_shared *first = intent_share(in), *again = intent_share(in);
	uint64_t number = intent_shared_model(first)->meta.document;

	drain_site(in, "ams", NOW_MS + 10);
	assert_int_equal(intent_model(in)->n_overrides, 1);
	assert_int_equal(intent_shared_model(first)->n_overrides, 0);
	intent_unshare(first);
	assert_true(intent_shared_model(again)->meta.document == number);
	intent_close(in);
	assert_string_equal(intent_shared_model(again)->cluster, "shop");
	assert_int_equal(intent_shared_model(again)->n_pools, 2);
	intent_unshare(again);
	intent_unshare(NULL);
	assert_null(intent_shared_model(NULL));
}

static void apply_words(struct intent *in, const char *words, int64_t now_ms)
{
	struct files files = fixture_files("# two sites", words);
	struct intent_change change = { .files = &files, .author = "jw", .reason = "x" };
	struct intent_changed changed = { 0 };

	assert_int_equal(intent_change(in, &change, now_ms, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
}

/*
 * A store that could not be opened at the start is there again, with a head that no document has:
 * it is written then.
 */
static void a_head_that_was_never_written_out_is_when_the_store_is_there(void **state)
{
	const struct scene *s = *state;
	struct intent *in = open_it(s, false);
	char db[160], *text;
	size_t n;

	if (geteuid() != 0)
		skip();
	snprintf(db, sizeof(db), "%s/store/store.db", s->f.state);
	assert_int_equal(files_slurp(s->document, &text, &n), 0);
	apply_words(in, "# three sites", NOW_MS + 10);
	intent_close(in);
	fixture_write(s->f.state, "effective.conf", text); /* that of version 1 */
	free(text);
	assert_int_equal(chown(db, STRANGER, STRANGER), 0);
	in = open_it(s, false);
	assert_string_equal(intent_store_state(in), "failing");
	assert_int_equal(intent_model(in)->meta.version, 1);
	assert_int_equal(chown(db, 0, 0), 0);
	for (int i = 1; i < 30 && strcmp(intent_store_state(in), "ok"); i++)
		intent_tick(in, NOW_MS + 1000 * i);
	assert_string_equal(intent_store_state(in), "ok");
	assert_int_equal(intent_head(in)->number, 2);
	assert_int_equal(intent_model(in)->meta.version, 2);
	assert_true(read_number(s) == intent_document(in));
	intent_close(in);
}

SUITE(effective)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_document_that_another_changes_is_written_again),
		TEST(what_cannot_be_written_again_is_said_once),
		TEST(the_number_goes_on_behind_what_processes_have),
		TEST(the_reserve_is_held_at_its_size),
		TEST(a_shared_model_outlives_the_one_that_follows),
		TEST(a_head_that_was_never_written_out_is_when_the_store_is_there),
	};

	return cmocka_run_group_tests_name("effective", tests, NULL, NULL);
}
