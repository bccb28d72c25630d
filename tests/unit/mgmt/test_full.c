/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Full disks: the state directory is a small tmpfs in a mount namespace of the test's own, and so
 * is, apart from it, the store's. What is written is whole or is not there; what is in force goes
 * on; room that comes back is used.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>

#include "mgmt/files/blobs.h"
#include "mgmt/store/command.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/journal.h"
#include "mgmt/store/tokens.h"
#include "tests/unit/suite.h"

static char *path_in(const char *dir, const char *name)
{
	static char paths[8][PATH_MAX + 128];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fixture_make(f);
	*state = f;
	if (mount("tmpfs", f->state, "tmpfs", 0, "size=2m,mode=0755") ||
	    mount("tmpfs", f->conf, "tmpfs", 0, "size=1m,mode=0755"))
		return -1;
	fixture_write(f->conf, "weir.conf", fixture_config);
	fixture_write(f->conf, "shop.example.zone", fixture_zone);
	fixture_write(f->conf, "hash.key", "00112233445566778899aabbccddeeff\n");
	if (mkdir(path_in(f->state, "store"), 0700))
		return -1;
	return mount("tmpfs", path_in(f->state, "store"), "tmpfs", 0, "size=16m,mode=0700");
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	umount2(path_in(f->state, "store"), MNT_DETACH);
	umount2(f->state, MNT_DETACH);
	umount2(f->conf, MNT_DETACH);
	fixture_remove(f);
	free(f);
	return 0;
}

/* Take all the room in @p dir but @p spare bytes. */
static void fill_directory(const char *dir, size_t spare)
{
	static const char zeros[4096];
	int fd = open(path_in(dir, "filler"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	assert_true(fd >= 0);
	while ((n = write(fd, zeros, sizeof(zeros))) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(ftruncate(fd, lseek(fd, 0, SEEK_CUR) - (off_t)spare), 0);
	close(fd);
}

static void make_room(const char *dir)
{
	assert_int_equal(unlink(path_in(dir, "filler")), 0);
}

static off_t size_of(const char *dir, const char *name)
{
	struct stat st;

	return stat(path_in(dir, name), &st) ? -1 : st.st_size;
}

static struct intent *open_intent(const struct fixture *f)
{
	struct intent_options options = { .conf_dir = f->conf,
		                          .state_dir = f->state,
		                          .node = "ams-1" };
	struct intent *in = NULL;

	assert_int_equal(intent_open(&options, NOW_MS, &in), 0);
	return in;
}

static enum command_outcome drain_site(struct intent *in, const char *site, int64_t now_ms)
{
	struct command c = { .what = COMMAND_DRAIN,
		             .name = site,
		             .over_ms = 300000,
		             .from_ms = -1,
		             .until_ms = MODEL_TIME_NEVER,
		             .now = true,
		             .author = "jw",
		             .reason = "x",
		             .past = { "last-site", "room" }, /* both sites go */
		             .n_past = 2 };
	static struct command_result result;
	struct guard_observed seen = { 0 };

	return command_run(in, &c, &seen, now_ms, &result);
}

/* How many overrides the written document has, or -errno. */
static int read_back(const struct fixture *f)
{
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	int err = model_read_effective(path_in(f->state, "effective.conf"), "ams-1", &m, &errors);

	model_errors_free(&errors);
	err = err ? err : (int)m->n_overrides;
	model_free(m);
	return err;
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

static void a_drain_on_a_full_disk_is_written_from_the_reserve(void **state)
{
	struct fixture *f = *state;
	struct intent *in = open_intent(f);
	uint64_t document = intent_document(in);

	assert_true(size_of(f->state, "reserve") >=
	            (256 << 10) + 2 * size_of(f->state, "effective.conf"));
	fill_directory(f->state, 0);
	assert_int_equal(drain_site(in, "ams", NOW_MS + 10), COMMAND_OK);
	assert_string_equal(intent_unwritten_reason(in), "");
	assert_int_equal(intent_document(in), document + 1);
	assert_int_equal(read_back(f), 1);
	assert_int_equal(drain_site(in, "fra", NOW_MS + 20),
	                 COMMAND_OK); /* there is room for more */
	assert_int_equal(read_back(f), 2);
	make_room(f->state);
	assert_int_equal(drain_site(in, "ams", NOW_MS + 30), COMMAND_OK);
	assert_true(size_of(f->state, "reserve") >= 0); /* it is held again */
	assert_int_equal(count_events(in, "cannot be written"), 0);
	intent_close(in);
}

static void a_document_that_finds_no_room_is_written_when_there_is_some(void **state)
{
	struct fixture *f = *state;
	struct intent *in = open_intent(f);
	uint64_t document = intent_document(in);

	assert_int_equal(unlink(path_in(f->state, "reserve")), 0);
	fill_directory(f->state, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(drain_site(in, i ? "fra" : "ams", NOW_MS + 10 + i), COMMAND_OK);
		assert_string_equal(intent_unwritten_reason(in), strerror(ENOSPC));
		assert_int_equal(intent_document(in), document);
		assert_int_equal(read_back(f), 0); /* as it was, and whole */
	}
	assert_int_equal(count_events(in, "cannot be written"), 1);
	assert_int_equal(count_events(in, "is written again"), 0);
	make_room(f->state);
	for (int i = 1; i < 20 && *intent_unwritten_reason(in); i++)
		intent_tick(in, NOW_MS + 1000 * i);
	assert_string_equal(intent_unwritten_reason(in), "");
	assert_true(intent_document(in) > document);
	assert_int_equal(read_back(f), 2);
	assert_int_equal(count_events(in, "is written again"), 1);
	assert_true(size_of(f->state, "reserve") >= 256 << 10);
	intent_close(in);
}

static void files_that_find_no_room_are_not_there_by_half(void **state)
{
	struct fixture *f = *state;
	struct files files = { 0 };
	char *text = malloc(20000), dir[PATH_MAX], digest[DIGEST_TEXT_MAX];
	uint64_t n;
	bool whole;

	memset(text, 'x', 20000);
	digest_bytes(text, 20000, digest);
	assert_int_equal(files_add(&files, "large", text, 20000), 0);
	snprintf(dir, sizeof(dir), "%s/laid-out", f->state);
	assert_int_equal(mkdir(dir, 0750), 0);
	assert_int_equal(mkdir(path_in(f->state, "blobs"), 0700), 0);
	fill_directory(f->state, 8192);
	assert_int_equal(files_lay_out(&files, dir, NULL), -ENOSPC);
	assert_int_equal(size_of(dir, "large"), -1);
	assert_int_equal(size_of(dir, "large.new"), -1); /* nor a draft */
	assert_int_equal(blobs_add(f->state, digest, 20000, 0, text, 20000), -ENOSPC);
	assert_int_equal(blobs_have(f->state, digest, &n, &whole), 0);
	assert_false(whole);
	make_room(f->state);
	assert_int_equal(files_lay_out(&files, dir, NULL), 0);
	assert_int_equal(size_of(dir, "large"), 20000);
	assert_int_equal(blobs_have(f->state, digest, &n, &whole), 0);
	assert_int_equal(blobs_add(f->state, digest, 20000, n, text + n, 20000 - n), 0);
	assert_int_equal(blobs_have(f->state, digest, &n, &whole), 0);
	assert_true(whole);
	files_fini(&files);
	free(text);
}

/* A change that was refused is known to be until there is room, also while nothing else is written. */
static void a_refused_change_leaves_word_of_the_full_disk(void **state)
{
	struct fixture *f = *state;
	struct files files = fixture_files("weight = 100", "weight = 90");
	struct intent_change change = {
		.files = &files, .author = "jw", .reason = "x", .pending = INTENT_PENDING_IGNORE
	};
	struct intent_changed changed = { 0 };
	struct intent *in = open_intent(f);
	uint64_t left, needed, before;

	assert_false(intent_lacks_room(in, &left, &before));
	assert_true(left > before);
	fill_directory(f->state, 0);
	assert_int_equal(intent_change(in, &change, NOW_MS, &changed), -ENOSPC);
	intent_changed_fini(&changed);
	assert_true(intent_lacks_room(in, &left, &needed));
	assert_true(left < needed && needed > before);
	make_room(f->state);
	assert_false(intent_lacks_room(in, &left, &needed));
	assert_int_equal(intent_change(in, &change, NOW_MS, &changed), 0);
	intent_changed_fini(&changed);
	assert_false(intent_lacks_room(in, &left, &needed));
	assert_int_equal(needed, before);
	files_fini(&files);
	intent_close(in);
}

static void tokens_that_find_no_room_stay_as_they_were(void **state)
{
	struct fixture *f = *state;
	const struct tokens_request ci = { "ci", "viewer", NULL, "" };
	char token[DIGEST_TEXT_MAX], *text, before[8000];
	const char *err_text;
	size_t n;

	for (n = 0; n + 100 < sizeof(before);)
		n += (size_t)snprintf(before + n, sizeof(before) - n, "# %080zu\n", n);
	fixture_write(f->conf, "tokens", before);
	fill_directory(f->conf, 4096);
	assert_int_equal(tokens_new(f->conf, &ci, token, &err_text), -ENOSPC);
	assert_int_equal(files_slurp(path_in(f->conf, "tokens"), &text, &n), 0);
	assert_string_equal(text, before);
	free(text);
	make_room(f->conf);
	assert_int_equal(tokens_new(f->conf, &ci, token, &err_text), 0); /* the lock is free, too */
	assert_true(size_of(f->conf, "tokens") > (off_t)strlen(before) + 64);
}

SUITE(full)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_drain_on_a_full_disk_is_written_from_the_reserve,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(
		        a_document_that_finds_no_room_is_written_when_there_is_some, setup,
		        teardown),
		cmocka_unit_test_setup_teardown(files_that_find_no_room_are_not_there_by_half,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_refused_change_leaves_word_of_the_full_disk,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(tokens_that_find_no_room_stay_as_they_were, setup,
		                                teardown),
	};

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return 77;
	return cmocka_run_group_tests_name("full", tests, NULL, NULL);
}
