/* SPDX-License-Identifier: BSD-2-Clause */
/* What follows from a zone's messages, serials and files. */
#include "fixture.h"

#include "base/arena.h"
#include "mgmt/files/zones.h"
#include "tests/unit/suite.h"
#include "weir/zones.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LAID     "/state/config/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef/"
#define HEAD     "$TTL 60\n@ SOA n h 5 1 1 1 1\n@ NS n\nn A 192.0.2.1\n" /* four lines */

static struct fixture place;
static struct model_errors errors;
static struct zones_findings said;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	return 0;
}

static void forget_findings(void)
{
	model_errors_free(&errors);
	errors = (struct model_errors){ 0 };
	zones_findings_fini(&said);
}

static int teardown(void **state)
{
	(void)state;
	forget_findings();
	fixture_remove(&place);
	return 0;
}

static struct model_zone write_zone(const char *name, const char *file, const char *digest,
                                    const char *text)
{
	static char paths[16][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % COUNT(paths)];

	fixture_write(place.conf, file, text);
	snprintf(path, PATH_MAX, "%s/%s", place.conf, file);
	return (struct model_zone){ .name = name, .file = path, .digest = digest };
}

static struct model_zone write_serial(const char *name, const char *file, const char *digest,
                                      unsigned serial)
{
	char text[256];

	snprintf(text, sizeof(text), "$TTL 60\n@ SOA n h %u 1 1 1 1\n@ NS n\nn A 192.0.2.1\n",
	         serial);
	return write_zone(name, file, digest, text);
}

static int judge_zones(const struct model_zone *zones, size_t n, const struct model *before)
{
	const struct model m = { .zones = zones, .n_zones = n };

	model_errors_free(&errors);
	errors = (struct model_errors){ 0 };
	return zones_judge(&m, before, &errors, &said);
}

/* Several mistakes of one zone are all said; the zone is bad once. A file as a whole has no line. */
static void a_zone_is_bad_once(void **state)
{
	const struct model_zone zones[] = { write_zone("a", "a", "x", HEAD "@ MX 5 m\n"),
		                            write_zone("b", "b", "x", HEAD "x A 1\n\ny A 2\n"),
		                            { .name = "c", .file = "/nowhere", .digest = "x" },
		                            write_zone("d", "d", "x", HEAD) };
	static const struct {
		const char *name;
		unsigned line;
	} seen[] = {
		{ "/b", 5 }, { "/b", 7 }, { "/nowhere", 0 }, { "/nowhere", 0 }, { "/nowhere", 0 }
	};
	char expected[PATH_MAX];

	(void)state;
	assert_int_equal(judge_zones(zones, 4, NULL), -EINVAL);
	assert_int_equal(errors.n_items, COUNT(seen));
	for (size_t i = 0; i < COUNT(seen); i++) {
		const struct model_error *error = &errors.items[i];

		assert_non_null(strstr(error->file, seen[i].name));
		assert_int_equal(error->line, seen[i].line);
		assert_string_equal(error->field, "dns.zones");
		assert_true(*error->message);
	}
	assert_int_equal(said.n_bad, 2);
	assert_true(!said.bad[0] && said.bad[1] && said.bad[2] && !said.bad[3]);
	assert_int_equal(judge_zones(zones, 1, NULL),
	                 0); /* judged again, nothing of before is left */
	assert_int_equal(said.n_bad, 0);
	assert_false(said.bad[0]);
	assert_int_equal(said.n_warnings, 1); /* which refuses nothing */
	snprintf(expected, sizeof(expected), "%s:5: MX m.a has no address here", zones[0].file);
	assert_string_equal(said.warnings[0], expected);
}

static void so_many_warnings_are_kept_and_more_are_counted(void **state)
{
	static const struct {
		size_t n, kept, more;
	} rows[] = { { 39, 39, 0 }, { 40, 40, 0 }, { 41, 40, 1 }, { 43, 40, 3 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[1024] = HEAD;

		for (unsigned k = 0; k < rows[i].n; k++)
			snprintf(text + strlen(text), 16, "@ MX %u m\n", k);

		const struct model_zone zone = write_zone("a", "a", "x", text);

		assert_int_equal(judge_zones(&zone, 1, NULL), 0);
		assert_int_equal(said.n_warnings, rows[i].kept);
		assert_int_equal(said.n_more, rows[i].more);
	}
	zones_findings_fini(&said);
	assert_int_equal(said.n_more, 0);
}

/* Of the zones that have changed, those whose both serials are known. */
static void serials_of_changed_zones_are_compared(void **state)
{
	const struct model_zone before[] = { write_serial("a", "a-5", "d1", 5),
		                             write_serial("b", "b-5", "d2", 5),
		                             { .name = "c", .file = "/nowhere", .digest = "" } };
	const struct model head = { .zones = before, .n_zones = 3 };
	const struct {
		struct model_zone zone;
		const char *said;
	} rows[] = {
		{ write_serial("a", "a-4", "x", 4),
		  "zone a: the serial goes back from 5 to 4: is this an old file?" },
		{ write_serial("a", "a-5", "x", 5), NULL },
		{ write_serial("a", "a-6", "x", 6), NULL },
		{ write_serial("a", "a-4", "d1", 4), NULL }, /* the same file */
		{ write_serial("c", "c-1", "x", 1), NULL },
		{ write_serial("new", "n-1", "x", 1), NULL },
		{ write_serial("b", "b-0", "d1", 0),
		  "zone b: the serial goes back from 5 to 0: is this an old file?" },
	};
	const struct model_zone last = write_serial("z", "z-1", "x", 1);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct model_zone zones[] = { rows[i].zone, last };

		assert_int_equal(judge_zones(zones, 2, &head), 0);
		assert_int_equal(said.n_warnings, rows[i].said != NULL);
		if (rows[i].said)
			assert_string_equal(said.warnings[0], rows[i].said);
	}
	/* of several each */
	struct model_zone both[] = { rows[0].zone,
		                     rows[6].zone,
		                     { .name = "z", .file = "/nowhere", .digest = "x" } };

	assert_int_equal(judge_zones(both, 2, &head), 0);
	assert_int_equal(said.n_warnings, 2);
	/* refused: nothing else is said */
	assert_int_equal(judge_zones(both, 3, &head), -EINVAL);
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
	forget_findings();
	said.arena = arena_new(1 << 20);
	said.bad = calloc(m->n_zones + 1, sizeof(*said.bad));
	said.skipped = ARENA_ARRAY(said.arena, const char *, m->n_zones + 1);
	assert_true(said.bad && said.skipped);
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

static const struct model_zone three[] = { { .name = "a", .file = LAID "a.zone", .digest = "x" },
	                                   { .name = "b", .file = LAID "b.zone", .digest = "x" },
	                                   { .name = "c", .file = LAID "c.zone", .digest = "x" } };
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
	static const struct model_zone moved[] = {
		{ .name = "a", .file = LAID "b.zone", .digest = "x" },
		{ .name = "b", .file = LAID "c.zone", .digest = "x" },
		{ .name = "c", .file = LAID "b.zone", .digest = "x" }
	};
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
	static const struct model_zone given[] = {
		{ .name = "a", .file = LAID "a.zone", .digest = "x" },
		{ .name = "b", .file = "/elsewhere/b", .digest = "x" },
		{ .name = "c", .file = LAID "c.zone", .digest = "x" },
		{ .name = "d", .file = LAID "c.zone", .digest = "x" }
	};
	static const struct model_zone before[] = {
		{ .name = "a", .file = "/elsewhere/a", .digest = "x" },
		{ .name = "b", .file = LAID "b.zone", .digest = "x" },
		{ .name = "c", .file = LAID "gone", .digest = "x" }
	};
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

SUITE(zones_parts)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_zone_is_bad_once),
		TEST(so_many_warnings_are_kept_and_more_are_counted),
		TEST(serials_of_changed_zones_are_compared),
		TEST(bad_zones_have_the_files_of_before),
		TEST(a_zone_s_file_may_have_another_name),
		TEST(what_has_nothing_to_go_back_to_is_named),
	};

	return cmocka_run_group_tests_name("zones, in parts", tests, NULL, NULL);
}
