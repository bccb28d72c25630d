/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What follows from a zone's messages, serials and files, with the compiler of zones in the
 * test's hands.
 */
#include "fixture.h"

#define zones_check  fake_check
#define zones_serial fake_serial
#include "mgmt/files/zones.c"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LAID     "/state/config/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/"

/* What the compiler says, in order, and what it gives back. */
static struct {
	struct zones_message list[64];
	size_t n;
	int err;
} compiler;

int fake_check(const struct model *m, zones_report *report, void *arg)
{
	(void)m;
	for (size_t i = 0; i < compiler.n; i++)
		report(arg, &compiler.list[i]);
	return compiler.err;
}

/* The file's name ends in its serial; "none" has none. */
int fake_serial(const char *zone, const char *file, uint32_t *out)
{
	const char *at = strrchr(file, '-');

	(void)zone;
	if (!at)
		return -ENOENT;
	*out = (uint32_t)strtoul(at + 1, NULL, 10);
	return 0;
}

static const struct model_zone head_zones[] = { { "a", "a-5", "d1" },
	                                        { "b", "b-5", "d2" },
	                                        { "c", "c-5", "" } };
static const struct model head = { .zones = head_zones, .n_zones = 3 };

static struct model_errors errors;
static struct zones_findings said;

static int judge_zones(const struct model *m, const struct model *before)
{
	model_errors_free(&errors);
	errors = (struct model_errors){ 0 };
	return zones_judge(m, before, &errors, &said);
}

static int teardown(void **state)
{
	(void)state;
	model_errors_free(&errors);
	errors = (struct model_errors){ 0 };
	zones_findings_fini(&said);
	return 0;
}

/*
 *   a warning            refuses never
 *   a mistake            refuses, unless the version goes back by itself
 */
static void each_level_refuses_what_it_should(void **state)
{
	static const struct {
		enum zones_level level;
		const char *zone, *digest;
		bool has_head, refused;
	} rows[] = {
		{ ZONES_WARNING, "a", "x", false, false },
		{ ZONES_ERROR, "a", "x", false, true },
		{ ZONES_ERROR, "a", "d1", true, true },
		{ ZONES_ERROR, "", "d1", true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct model_zone zones[] = { { "0", "0-1", "x" },
			                      { *rows[i].zone ? rows[i].zone : "a", "z-9",
			                        rows[i].digest } };
		const struct model m = { .zones = zones, .n_zones = 2 };
		const struct model *before = rows[i].has_head ? &head : NULL;

		compiler.list[0] =
		        (struct zones_message){ rows[i].zone, "z", 7, rows[i].level, "why", 0 };
		compiler.n = 1;
		compiler.err = rows[i].level == ZONES_ERROR ? -EINVAL : 0;
		if (judge_zones(&m, before) != (rows[i].refused ? -EINVAL : 0))
			fail_msg("%zu", i);
		assert_int_equal(errors.n_items, rows[i].refused);
		assert_int_equal(said.n_warnings, !rows[i].refused);
		assert_int_equal(said.n_bad, rows[i].refused && *rows[i].zone);
		assert_false(said.bad[0]);
		assert_int_equal(said.bad[1], said.n_bad);
		if (!rows[i].refused) {
			assert_string_equal(said.warnings[0], "z:7: why");
			continue;
		}
		assert_string_equal(errors.items[0].file, "z");
		assert_int_equal(errors.items[0].line, 7);
		assert_string_equal(errors.items[0].field, "dns.zones");
		assert_string_equal(errors.items[0].message, "why");
	}
}

/*
 * Several mistakes of one zone are all said; the zone is bad once. A file as a whole has no line.
 */
static void a_zone_is_bad_once(void **state)
{
	static const struct model_zone zones[] = { { "a", "a-1", "x" }, { "b", "b-1", "x" } };
	const struct model m = { .zones = zones, .n_zones = 2 };

	(void)state;
	compiler.list[0] = (struct zones_message){ "b", "b", 1, ZONES_ERROR, "one", 0 };
	compiler.list[1] = (struct zones_message){ "b", "b", 2, ZONES_ERROR, "two", 0 };
	compiler.list[2] = (struct zones_message){ "a", "a", 0, ZONES_WARNING, "three", 0 };
	compiler.list[3] = (struct zones_message){ "a", "a", 0, ZONES_ERROR, "four", 0 };
	compiler.n = 4;
	compiler.err = -EINVAL;
	assert_int_equal(judge_zones(&m, NULL), -EINVAL);
	assert_int_equal(errors.n_items, 3);
	assert_int_equal(said.n_bad, 2);
	assert_int_equal(said.n_warnings, 1);
	assert_string_equal(said.warnings[0], "a: three");
	compiler.n = 0;
	compiler.err = 0;
	assert_int_equal(judge_zones(&m, NULL), 0); /* judged again, nothing of before is left */
	assert_int_equal(said.n_bad, 0);
	assert_false(said.bad[0] || said.bad[1]);
	assert_int_equal(said.n_warnings, 0);
	compiler.err = -ENOMEM;
	assert_int_equal(judge_zones(&m, NULL), -ENOMEM);
}

static void so_many_warnings_are_kept_and_more_are_counted(void **state)
{
	static const struct {
		size_t n, kept, more;
	} rows[] = { { 39, 39, 0 }, { 40, 40, 0 }, { 41, 40, 1 }, { 43, 40, 3 } };
	static const struct model m = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		compiler.n = rows[i].n;
		compiler.err = 0;
		for (unsigned k = 0; k < compiler.n; k++)
			compiler.list[k] =
			        (struct zones_message){ "a", "f", k + 1, ZONES_WARNING, "w", 0 };
		assert_int_equal(judge_zones(&m, NULL), 0);
		assert_int_equal(said.n_warnings, rows[i].kept);
		assert_int_equal(said.n_more, rows[i].more);
		assert_string_equal(said.warnings[38], "f:39: w");
	}
	teardown(state);
	assert_int_equal(said.n_more, 0);
}

/* Of the zones that have changed, those whose both serials are known. */
static void serials_of_changed_zones_are_compared(void **state)
{
	static const struct {
		struct model_zone zone;
		const char *said;
	} rows[] = {
		{ { "a", "a-4", "x" },
		  "zone a: the serial goes back from 5 to 4: is this an old file?" },
		{ { "a", "a-5", "x" }, NULL },
		{ { "a", "a-6", "x" }, NULL },
		{ { "a", "a-4", "d1" }, NULL }, /* the same file */
		{ { "a", "none", "x" }, NULL },
		{ { "new", "n-1", "x" }, NULL },
		{ { "b", "b-0", "d1" },
		  "zone b: the serial goes back from 5 to 0: is this an old file?" },
	};

	(void)state;
	compiler.n = 0;
	compiler.err = 0;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct model_zone zones[] = { rows[i].zone, { "z", "z-1", "x" } };
		const struct model m = { .zones = zones, .n_zones = 2 };

		assert_int_equal(judge_zones(&m, &head), 0);
		assert_int_equal(said.n_warnings, rows[i].said != NULL);
		if (rows[i].said)
			assert_string_equal(said.warnings[0], rows[i].said);
	}
	/* of several each */
	const struct model_zone both[] = { rows[0].zone, rows[6].zone };
	const struct model m = { .zones = both, .n_zones = 2 };

	assert_int_equal(judge_zones(&m, &head), 0);
	assert_int_equal(said.n_warnings, 2);
	compiler.err = -EINVAL; /* refused: nothing else is said */
	compiler.list[0] = (struct zones_message){ "a", "a", 1, ZONES_ERROR, "no", 0 };
	compiler.n = 1;
	assert_int_equal(judge_zones(&m, &head), -EINVAL);
	assert_int_equal(said.n_warnings, 0);
}

static void add_file(struct files *files, const char *name, const char *text)
{
	assert_int_equal(files_add(files, name, text, strlen(text)), 0);
}

/* Skip the zones of @p m that @p bad says; the result is in @p files. */
static int skip_bad(struct files *files, const struct model *m, const struct files *head_files,
                    const struct model *from, const char *bad)
{
	teardown(NULL);
	assert_int_equal(start_report(&said, m->n_zones), 0);
	for (size_t i = 0; i < m->n_zones; i++)
		said.bad[i] = bad[i] == '1';
	return zones_skip(files, m, head_files, from, &errors, &said);
}

static const char *text_of(const struct files *f, const char *name)
{
	const struct files_item *item = files_find(f, name);

	return item ? item->bytes : "(none)";
}

static int by_file_name(const void *a, const void *b)
{
	return strcmp(((const struct files_item *)a)->name, ((const struct files_item *)b)->name);
}

static struct files files_of(const char *version)
{
	static const char *const names[] = { "a.zone", "b.zone", "c.zone", "own", "common" };
	struct files files = { 0 };
	char text[64];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(text, sizeof(text), "%s%s %s\n",
		         i == 0   ? "$INCLUDE own\n$INCLUDE common\n"
		         : i == 1 ? "$INCLUDE common\n"
		                  : "",
		         names[i], version);
		add_file(&files, names[i], text);
	}
	return files;
}

static const struct model_zone three[] = { { "a", LAID "a.zone", "x" },
	                                   { "b", LAID "b.zone", "x" },
	                                   { "c", LAID "c.zone", "x" } };
static const struct model three_zones = { .zones = three, .n_zones = 3 };

/* Each bad zone has its own file and its includes of before; the others' files stay as given. */
static void bad_zones_have_the_files_of_before(void **state)
{
	struct files old = files_of("old"), new;

	(void)state;
	/* both that use the common file are bad: it goes back as well */
	new = files_of("new");
	assert_int_equal(skip_bad(&new, &three_zones, &old, &three_zones, "110"), 0);
	assert_int_equal(said.n_skipped, 2);
	assert_string_equal(said.skipped[0], "a");
	assert_string_equal(said.skipped[1], "b");
	assert_string_equal(text_of(&new, "a.zone"), text_of(&old, "a.zone"));
	assert_string_equal(text_of(&new, "b.zone"), text_of(&old, "b.zone"));
	assert_string_equal(text_of(&new, "c.zone"), "c.zone new\n");
	assert_string_equal(text_of(&new, "own"), "own old\n");
	assert_string_equal(text_of(&new, "common"), "common old\n");
	files_fini(&new);
	/* one of them alone cannot have it; what needs it is named */
	new = files_of("new");
	assert_int_equal(skip_bad(&new, &three_zones, &old, &three_zones, "101"), -EINVAL);
	assert_int_equal(said.n_skipped, 1);
	assert_string_equal(said.skipped[0], "c");
	assert_int_equal(errors.n_items, 1);
	assert_string_equal(errors.items[0].file, "a.zone");
	assert_int_equal(errors.items[0].line, 0);
	assert_string_equal(errors.items[0].field, "dns.zones");
	assert_string_equal(
	        errors.items[0].message,
	        "zone a cannot be skipped: zone b, which is not skipped, uses one of its files");
	assert_string_equal(text_of(&new, "common"), "common new\n");
	files_fini(&new);
	/* a file that the new version has no more comes back with its zone */
	new = files_of("new");
	for (size_t i = 0; i < new.n_items; i++)
		if (!strcmp(new.items[i].name, "own"))
			snprintf(new.items[i].name, strlen("own") + 1, "xxx");
	qsort(new.items, new.n_items, sizeof(*new.items), by_file_name);
	assert_int_equal(files_put(&new, "common", files_find(&old, "common")), 0);
	assert_int_equal(skip_bad(&new, &three_zones, &old, &three_zones, "100"), 0);
	assert_string_equal(text_of(&new, "own"), "own old\n");
	files_fini(&new);
	/* a common file that is the same costs no other zone anything */
	new = files_of("new");
	assert_int_equal(files_put(&new, "common", files_find(&old, "common")), 0);
	assert_int_equal(skip_bad(&new, &three_zones, &old, &three_zones, "100"), 0);
	assert_string_equal(text_of(&new, "own"), "own old\n");
	assert_string_equal(text_of(&new, "b.zone"), "$INCLUDE common\nb.zone new\n");
	files_fini(&new);
	files_fini(&old);
}

/* A zone whose file has another name now gets the old contents under the new name. */
static void a_zone_s_file_may_have_another_name(void **state)
{
	static const struct model_zone moved[] = { { "a", LAID "b.zone", "x" },
		                                   { "b", LAID "c.zone", "x" },
		                                   { "c", LAID "b.zone", "x" } };
	const struct model m = { .zones = moved, .n_zones = 2 };
	const struct model shared = { .zones = moved, .n_zones = 3 };
	struct files old = files_of("old"), new = files_of("new");

	(void)state;
	assert_int_equal(files_put(&new, "common", files_find(&old, "common")), 0);
	assert_int_equal(skip_bad(&new, &m, &old, &three_zones, "01"), 0);
	assert_string_equal(text_of(&new, "c.zone"), text_of(&old, "b.zone"));
	assert_string_equal(text_of(&new, "b.zone"), "$INCLUDE common\nb.zone new\n");
	assert_string_equal(text_of(&new, "common"), "common old\n");
	files_fini(&new);
	/* a good zone has the same file */
	new = files_of("new");
	assert_int_equal(skip_bad(&new, &shared, &old, &three_zones, "001"), -EINVAL);
	assert_non_null(strstr(errors.items[0].message, "zone a, which is not skipped, uses"));
	assert_string_equal(text_of(&new, "b.zone"), "$INCLUDE common\nb.zone new\n");
	files_fini(&new);
	files_fini(&old);
}

/* All that cannot be skipped is named, each with its file as the operator calls it. */
static void what_has_nothing_to_go_back_to_is_named(void **state)
{
	static const struct model_zone given[] = { { "a", LAID "a.zone", "x" },
		                                   { "b", "/elsewhere/b", "x" },
		                                   { "c", LAID "c.zone", "x" },
		                                   { "d", LAID "c.zone", "x" } };
	static const struct model_zone before[] = { { "a", "/elsewhere/a", "x" },
		                                    { "b", LAID "b.zone", "x" },
		                                    { "c", LAID "gone", "x" } };
	static const char *const files[] = { "a.zone", "/elsewhere/b", "c.zone", "c.zone" };
	const struct model m = { .zones = given, .n_zones = 4 };
	const struct model from = { .zones = before, .n_zones = 3 };
	struct files old = files_of("old"), new = files_of("new");
	char text[128];

	(void)state;
	assert_int_equal(skip_bad(&new, &m, &old, &from, "1111"), -EINVAL);
	assert_int_equal(said.n_skipped, 0);
	assert_int_equal(errors.n_items, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(errors.items[i].file, files[i]);
		snprintf(text, sizeof(text),
		         "zone %s cannot be skipped: the version in force has no file of it",
		         given[i].name);
		assert_string_equal(errors.items[i].message, text);
	}
	assert_string_equal(text_of(&new, "b.zone"), "$INCLUDE common\nb.zone new\n");
	assert_int_equal(skip_bad(&new, &m, &old, NULL, "0000"), 0);
	assert_int_equal(errors.n_items, 0);
	files_fini(&new);
	files_fini(&old);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(each_level_refuses_what_it_should),
		TEST(a_zone_is_bad_once),
		TEST(so_many_warnings_are_kept_and_more_are_counted),
		TEST(serials_of_changed_zones_are_compared),
		TEST(bad_zones_have_the_files_of_before),
		TEST(a_zone_s_file_may_have_another_name),
		TEST(what_has_nothing_to_go_back_to_is_named),
	};

	return cmocka_run_group_tests_name("zones, in parts", tests, NULL, NULL);
}
