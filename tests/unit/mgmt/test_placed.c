/* SPDX-License-Identifier: BSD-2-Clause */
/* The key for clients that weir-mgmt hands to weir-dns. */
#include "fixture.h"

#include <errno.h>
#include <sys/stat.h>

#include "mgmt/store/intent.h"
#include "mgmt/store/intent_internal.h"
#include "tests/unit/calls.h"
#include "tests/unit/suite.h"
#include "weir/placement.h"

#define KEY       "00112233445566778899aabbccddeeff"
#define OTHER_KEY "ffeeddccbbaa99887766554433221100"
#define ID        "hash_key_id = \"k1\";"
#define SAME_KEY  ID " max_sites_out = 2;"

struct scene {
	struct fixture fixture;
	struct intent *in;
	char path[PATH_MAX];
	int64_t now_ms;
};

static void open_it(struct scene *s)
{
	struct intent_options options = { .conf_dir = s->fixture.conf,
		                          .state_dir = s->fixture.state,
		                          .node = "ams-1" };

	assert_int_equal(intent_open(&options, s->now_ms, &s->in), 0);
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	fixture_make(&s->fixture);
	s->now_ms = NOW_MS;
	snprintf(s->path, sizeof(s->path), "%s/" PLACEMENT_FILE, s->fixture.state);
	open_it(s);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	intent_close(s->in);
	fixture_remove(&s->fixture);
	free(s);
	return 0;
}

static void apply_cluster(struct scene *s, const char *cluster)
{
	struct files files = fixture_files(ID, cluster);
	struct intent_change change = { .files = &files, .author = "jw", .reason = "CHG-1" };
	struct intent_changed changed = { 0 };

	assert_int_equal(intent_change(s->in, &change, s->now_ms += 1000, &changed), 0);
	assert_true(changed.changed);
	intent_changed_fini(&changed);
	files_fini(&files);
}

static void tick_node(struct scene *s)
{
	intent_tick(s->in, s->now_ms += 1000);
}

/* What the file says; it must be there. */
static struct placement found_placement(const struct scene *s)
{
	struct placement p;

	assert_int_equal(placement_read(s->path, &p), 0);
	assert_string_equal(p.derived_from, intent_head(s->in)->hash_key);
	return p;
}

static ino_t inode_of_file(const struct scene *s)
{
	struct stat st;

	assert_int_equal(stat(s->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	return st.st_ino;
}

static void assert_nowhere(const struct scene *s, const char *text)
{
	char command[512];

	snprintf(command, sizeof(command), "grep -rqi %s %s", text, s->fixture.state);
	assert_int_not_equal(system(command), 0);
}

static void each_version_gets_a_derived_key(void **state)
{
	struct scene *s = *state;

	tick_node(s);
	/*
	 * { printf 'weir placement key\0'; printf 00112233445566778899aabbccddeeff | xxd -r -p; }
	 * | sha256sum
	 */
	const struct placement p = found_placement(s);
	assert_true(p.key[0] == 0xd245eade36b8053cu && p.key[1] == 0xd10ee5c89495e459u);
	assert_nowhere(s, KEY);
	const ino_t was = inode_of_file(s);
	for (int i = 0; i < 3; i++)
		tick_node(s);
	assert_int_equal(inode_of_file(s), was); /* nothing has changed: nobody reads it again */
	apply_cluster(s, SAME_KEY);
	assert_int_equal(inode_of_file(s), was);
}

static void what_lies_in_its_place_is_replaced(void **state)
{
	struct scene *s = *state;

	apply_cluster(s, SAME_KEY);
	const struct placement p = found_placement(s);
	assert_int_equal(unlink(s->path), 0);
	tick_node(s);
	assert_int_equal(found_placement(s).key[0], p.key[0]);
	fixture_write(s->fixture.state, PLACEMENT_FILE, "weir-placement 1\n");
	tick_node(s);
	assert_int_equal(found_placement(s).key[0], p.key[0]);
	assert_int_equal(unlink(s->path), 0);
	intent_close(s->in);
	open_it(s); /* as after a move to another disk */
	tick_node(s);
	assert_int_equal(found_placement(s).key[0], p.key[0]);
}

static void a_rotated_key_comes_with_its_version(void **state)
{
	struct scene *s = *state;

	apply_cluster(s, SAME_KEY);
	const struct placement p = found_placement(s);
	fixture_write(s->fixture.conf, "hash2.key", OTHER_KEY "\n");
	char from[] = "hash_key_file = \"hash.key\"; " ID;
	struct files files =
	        fixture_files(from, "hash_key_file = \"hash2.key\"; hash_key_id = \"k2\";");
	struct intent_change change = { .files = &files, .author = "jw", .reason = "CHG-2" };
	struct intent_changed changed = { 0 };
	assert_int_equal(intent_change(s->in, &change, s->now_ms += 1000, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
	const struct placement next = found_placement(s);
	assert_string_not_equal(next.derived_from, p.derived_from);
	assert_true(next.key[0] != p.key[0] && next.key[1] != p.key[1]);
	assert_nowhere(s, OTHER_KEY);
}

static void a_wrong_hash_key_changes_nothing(void **state)
{
	struct scene *s = *state;

	apply_cluster(s, SAME_KEY);
	const ino_t was = inode_of_file(s);
	fixture_write(s->fixture.conf, "hash.key", OTHER_KEY "\n");
	tick_node(s);
	assert_int_equal(inode_of_file(s),
	                 was); /* weir-dns goes on with the right one, also after a start */
	assert_int_equal(unlink(s->path), 0);
	tick_node(s);
	assert_int_equal(access(s->path, F_OK), -1); /* rather none than a wrong one */
	fixture_write(s->fixture.conf, "hash.key", KEY "\n");
	tick_node(s);
	assert_int_equal(found_placement(s).key[0], 0xd245eade36b8053cu);
}

static uint64_t count_events(const struct scene *s, const char *text)
{
	const struct journal *j = intent_journal(s->in);
	uint64_t n = 0;

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++)
		n += strstr(journal_find(j, id)->message, text) != NULL;
	return n;
}

/* A file that cannot be written is said once, and so is that it is written again. */
static void what_cannot_be_written_is_said_once(void **state)
{
	struct scene *s = *state;
	char inside[PATH_MAX + 8];

	assert_int_equal(unlink(s->path), 0);
	assert_int_equal(mkdir(s->path, 0755), 0);
	snprintf(inside, sizeof(inside), "%s/x", s->path);
	assert_int_equal(mkdir(inside, 0755), 0); /* nothing can be renamed over it */
	for (int i = 0; i < 3; i++)
		tick_node(s);
	assert_int_equal(count_events(s, " cannot be written: "), 1);
	assert_int_equal(count_events(s, "weir-dns goes on with the key that it has"), 1);
	assert_int_equal(count_events(s, "is written again"), 0);
	assert_int_equal(rmdir(inside), 0);
	assert_int_equal(rmdir(s->path), 0);
	for (int i = 0; i < 3; i++)
		tick_node(s);
	found_placement(s);
	assert_int_equal(count_events(s, "is written again"), 1);
	assert_int_equal(unlink(s->path), 0);
	tick_node(s); /* written at once: nothing to be said */
	assert_int_equal(count_events(s, "is written again"), 1);
}

/* What a disk or the kernel refuses. */
static const struct {
	const char *call;
	unsigned nth;
	int err;
} refusals[] = {
	{ "open", 3, EROFS }, { "fchmod", 1, EPERM },  { "write", 1, ENOSPC }, { "fsync", 1, EIO },
	{ "close", 3, EIO },  { "rename", 1, ENOSPC }, { "write", 1, EDQUOT },
};

/*
 * Each error once, at a tick that has a key to hand down, and twice in turn: the file is the old one or the new one and
 * never a part, nothing is left beside it, what is wrong is said, and the next tick writes it.
 */
static void each_error_of_the_disk_leaves_the_file_whole(void **state)
{
	struct scene *s = *state;
	char beside[PATH_MAX + 8];
	size_t n_said = 0;

	snprintf(beside, sizeof(beside), "%s.new", s->path);
	tick_node(s);
	for (size_t i = 0; i < 2 * (sizeof(refusals) / sizeof(refusals[0])); i++) {
		const size_t k = i / 2;
		const uint64_t other[2] = { 1, i + 1 };
		struct placement old, found;

		placement_make(other, &old);
		assert_int_equal(placement_write(s->path, &old), 0); /* not the head's */
		calls_fail(refusals[k].call, refusals[k].nth, refusals[k].err, false);
		placement_follow(s->in, s->now_ms += 1000);
		if (calls_end() != 1)
			fail_msg("%s %u did not fail", refusals[k].call, refusals[k].nth);
		assert_int_equal(placement_read(s->path, &found), 0);
		if (memcmp(found.key, old.key, sizeof(old.key)) != 0)
			fail_msg("%s: another file", refusals[k].call);
		assert_int_equal(access(beside, F_OK), -1);
		assert_int_equal(count_events(s, " cannot be written: "), ++n_said);
		placement_follow(s->in, s->now_ms += 1000);
		found_placement(s);
		assert_int_equal(count_events(s, "is written again"), n_said);
	}
}

/* Without the hash key, and by a process for one command, nothing is written. */
static void without_the_key_or_offline_nothing_is_written(void **state)
{
	struct scene *s = *state;
	struct intent_options offline = { .conf_dir = s->fixture.conf,
		                          .state_dir = s->fixture.state,
		                          .node = "ams-1",
		                          .offline = true };
	char key[PATH_MAX];

	snprintf(key, sizeof(key), "%s/hash.key", s->fixture.conf);
	assert_int_equal(unlink(s->path), 0);
	assert_int_equal(unlink(key), 0);
	tick_node(s);
	assert_int_equal(access(s->path, F_OK), -1);
	fixture_write(s->fixture.conf, "hash.key", KEY);
	intent_close(s->in);
	assert_int_equal(intent_open(&offline, s->now_ms += 1000, &s->in), 0);
	tick_node(s);
	assert_int_equal(access(s->path, F_OK), -1);
	intent_close(s->in);
	open_it(s);
	found_placement(s);
}

SUITE(placed)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_version_gets_a_derived_key, setup, teardown),
		cmocka_unit_test_setup_teardown(what_lies_in_its_place_is_replaced, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_rotated_key_comes_with_its_version, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_written_is_said_once, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(without_the_key_or_offline_nothing_is_written,
		                                setup, teardown),
		cmocka_unit_test_setup_teardown(a_wrong_hash_key_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(each_error_of_the_disk_leaves_the_file_whole, setup,
		                                teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
