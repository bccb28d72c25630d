/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zones of a version: their includes up to the limits, serials that go back, bad ones that are
 * skipped, and reading again.
 */
#include "fixture.h"

#include <errno.h>

#include "mgmt/files/gather.h"
#include "mgmt/files/includes.h"
#include "mgmt/files/reload.h"
#include "tests/unit/suite.h"

#define COUNT(a)      (sizeof(a) / sizeof((a)[0]))
#define INCLUDES_DEEP 8 /* below the zone's own file: as the reader has it (dns/zone/zone.h) */
#define HEAD          "$TTL 60\n@ SOA ns1 host 1 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.53\n"

/* Three zones; "sub" holds a zone with what it includes. */
static const char zones_line[] =
        "zones = ( { name = \"shop.example\"; file = \"shop.example.zone\"; },"
        " { name = \"a.example\"; file = \"sub/a\"; }, { name = \"b.example\"; file = \"sub/b\"; } );";

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char config[8192], dir[128];
	const char *at = strstr(fixture_config, "zones = "), *end = strstr(at, ");");

	fixture_make(f);
	snprintf(config, sizeof(config), "%.*s%s%s", (int)(at - fixture_config), fixture_config,
	         zones_line, end + 2);
	fixture_write(f->conf, "weir.conf", config);
	snprintf(dir, sizeof(dir), "%s/sub", f->conf);
	if (mkdir(dir, 0755))
		return -1;
	fixture_write(f->conf, "sub/a", HEAD "$INCLUDE shared\n$INCLUDE own\n");
	fixture_write(f->conf, "sub/b", HEAD "$INCLUDE shared\n");
	fixture_write(f->conf, "sub/shared", "s A 192.0.2.1\n");
	fixture_write(f->conf, "sub/own", "o A 192.0.2.1\n");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_remove(*state);
	free(*state);
	return 0;
}

/* What a version of the directory is, as it is now. */
struct drafted {
	struct files files;
	struct model *model;
	struct model_errors errors;
	struct zones_findings said;
	int err;
};

static struct drafted check_zones(const struct fixture *f, struct files *files,
                                  const struct model *head)
{
	struct drafted d = { 0 };

	if (files)
		d.files = *files;
	else
		assert_int_equal(gather_files(f->conf, "weir.conf", &d.files), 0);
	assert_int_equal(gather_model(&d.files, f->state, f->conf, "ams-1", &d.model, &d.errors),
	                 0);
	d.err = gather_check_zones(d.model, &d.files, f->state, head, &d.errors, &d.said);
	return d;
}

static void drop_checked(struct drafted *d)
{
	files_fini(&d->files);
	model_free(d->model);
	model_errors_free(&d->errors);
	zones_findings_fini(&d->said);
}

static const char *text_of(const struct files *f, const char *name)
{
	const struct files_item *item = files_find(f, name);

	return item ? item->bytes : "(none)";
}

/* Files that lie nowhere are not judged: they are not taken for sound ones. */
static void what_is_not_laid_out_is_not_judged(void **state)
{
	const struct fixture *f = *state;
	struct drafted d = check_zones(f, NULL, NULL);
	char aside[PATH_MAX], at[PATH_MAX];

	assert_int_equal(d.err, 0);
	snprintf(at, sizeof(at), "%s/config", f->state);
	snprintf(aside, sizeof(aside), "%s/aside", f->state);
	assert_int_equal(rename(at, aside), 0);
	struct model_errors errors = { 0 };
	struct zones_findings said = { 0 };

	assert_int_equal(gather_check_zones(d.model, &d.files, f->state, NULL, &errors, &said),
	                 -ENOENT);
	assert_int_equal(errors.n_items, 0);
	assert_int_equal(said.n_warnings, 0);
	assert_int_equal(rename(aside, at), 0);
	assert_int_equal(gather_check_zones(d.model, &d.files, f->state, NULL, &errors, &said), 0);
	zones_findings_fini(&said);
	drop_checked(&d);
}

/* What the reader can take is gathered whole: so deep, and not deeper. */
static void includes_are_gathered_as_deep_as_they_are_read(void **state)
{
	const struct fixture *f = *state;
	char name[32], text[64];

	for (int deep = INCLUDES_DEEP; deep <= INCLUDES_DEEP + 1; deep++) {
		fixture_write(f->conf, "sub/own", "$INCLUDE d2\n");
		for (int i = 2; i <= deep; i++) {
			snprintf(name, sizeof(name), "sub/d%d", i);
			snprintf(text, sizeof(text),
			         i < deep ? "$INCLUDE d%d\n" : "deep A 192.0.2.%d\n", i + 1);
			fixture_write(f->conf, name, text);
		}
		struct drafted d = check_zones(f, NULL, NULL);

		for (size_t i = 0; i < d.errors.n_items; i++)
			print_message("%s:%u %s\n", d.errors.items[i].file, d.errors.items[i].line,
			              d.errors.items[i].message);
		assert_int_equal(d.err, deep == INCLUDES_DEEP ? 0 : -EINVAL);
		drop_checked(&d);
	}
}

/* RFC 1982: serials go round. */
static void a_serial_that_goes_back_is_named(void **state)
{
	static const struct {
		const char *was, *is;
		bool back;
	} rows[] = {
		{ "1", "2", false },         { "2", "1", true },
		{ "5", "5", false },         { "4294967290", "3", false },
		{ "3", "4294967290", true }, { "0", "2147483647", false },
		{ "2147483647", "0", true },
	};
	const struct fixture *f = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct drafted before, after;
		char text[512];

		snprintf(text, sizeof(text),
		         "$TTL 60\n@ SOA ns1 host %s 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.53\n",
		         rows[i].was);
		fixture_write(f->conf, "sub/b", text);
		before = check_zones(f, NULL, NULL);
		assert_int_equal(before.err, 0);
		snprintf(text, sizeof(text),
		         "$TTL 60\n@ SOA ns1 host %s 60 60 60 60\n@ NS ns1\nns1 A 192.0.2.54\n",
		         rows[i].is);
		fixture_write(f->conf, "sub/b", text);
		after = check_zones(f, NULL, before.model);
		assert_int_equal(after.err, 0);
		print_message("%s, then %s: %zu warnings\n", rows[i].was, rows[i].is,
		              after.said.n_warnings);
		assert_int_equal(after.said.n_warnings, rows[i].back);
		if (rows[i].back) {
			assert_non_null(strstr(after.said.warnings[0],
			                       "zone b.example: the serial goes back from"));
			assert_non_null(strstr(after.said.warnings[0], rows[i].was));
		}
		drop_checked(&before);
		drop_checked(&after);
	}
}

static void a_bad_zone_refuses_a_version(void **state)
{
	const struct fixture *f = *state;

	fixture_write(f->conf, "sub/b", HEAD "x A 1.2.3\n");
	struct drafted d = check_zones(f, NULL, NULL);
	assert_int_equal(d.err, -EINVAL);
	assert_int_equal(d.said.n_bad, 1);
	assert_int_equal(d.said.n_warnings, 0);
	drop_checked(&d);
}

static void a_bad_zone_keeps_its_files_unless_a_good_one_needs_them(void **state)
{
	const struct fixture *f = *state;
	struct drafted head = check_zones(f, NULL, NULL), next;

	assert_int_equal(head.err, 0);
	/* its own include is bad; the zone itself has changed, too, and so has another */
	fixture_write(f->conf, "sub/own", "o A 1.2.3\n");
	fixture_write(f->conf, "sub/a", HEAD "; changed\n$INCLUDE shared\n$INCLUDE own\n");
	fixture_write(f->conf, "shop.example.zone", HEAD "; changed\n");
	next = check_zones(f, NULL, NULL);
	assert_int_equal(next.err, -EINVAL);
	assert_int_equal(next.said.n_bad, 1);
	assert_int_equal(zones_skip(&next.files, next.model, &head.files, head.model, &next.errors,
	                            &next.said),
	                 0);
	assert_int_equal(next.said.n_skipped, 1);
	assert_string_equal(next.said.skipped[0], "a.example");
	assert_string_equal(text_of(&next.files, "sub/own"), "o A 192.0.2.1\n");
	assert_string_equal(text_of(&next.files, "sub/a"), text_of(&head.files, "sub/a"));
	assert_string_equal(text_of(&next.files, "shop.example.zone"), HEAD "; changed\n");
	drop_checked(&next);
	/*
	 * a good zone is given with another shared file: the bad one cannot have the old one back
	 */
	fixture_write(f->conf, "sub/shared", "s A 192.0.2.2\n");
	next = check_zones(f, NULL, NULL);
	assert_int_equal(next.err, -EINVAL);
	size_t n = next.errors.n_items;

	assert_int_equal(zones_skip(&next.files, next.model, &head.files, head.model, &next.errors,
	                            &next.said),
	                 -EINVAL);
	assert_int_equal(next.errors.n_items, n + 1);
	assert_non_null(
	        strstr(next.errors.items[n].message, "zone b.example, which is not skipped, uses"));
	assert_string_equal(next.errors.items[n].file, "sub/a");
	assert_string_equal(text_of(&next.files, "sub/shared"), "s A 192.0.2.2\n");
	drop_checked(&next);
	drop_checked(&head);
}

static void a_bad_zone_that_is_new_has_nothing_to_keep(void **state)
{
	const struct fixture *f = *state;
	struct drafted next;
	struct files head_files = fixture_files(NULL, NULL);
	struct drafted head = check_zones(f, &head_files, NULL);

	fixture_write(f->conf, "sub/b", HEAD "x A 1.2.3\n");
	next = check_zones(f, NULL, NULL);
	assert_int_equal(next.err, -EINVAL);
	assert_int_equal(zones_skip(&next.files, next.model, &head.files, head.model, &next.errors,
	                            &next.said),
	                 -EINVAL);
	assert_non_null(strstr(next.errors.items[next.errors.n_items - 1].message,
	                       "zone b.example cannot be skipped"));
	drop_checked(&next);
	drop_checked(&head);
}

static void zones_are_read_again_and_nothing_else(void **state)
{
	const struct fixture *f = *state;
	struct drafted head = check_zones(f, NULL, NULL);
	struct model_errors errors;
	struct files out = { 0 };
	char path[256];

	assert_int_equal(head.err, 0);
	fixture_write(f->conf, "weir.conf", "changed as well, but nobody asked\n");
	fixture_write(f->conf, "sub/shared", "s A 192.0.2.7\n");
	fixture_write(f->conf, "sub/a", HEAD "$INCLUDE shared\n$INCLUDE new\n");
	fixture_write(f->conf, "sub/new", "n A 192.0.2.8\n");
	assert_int_equal(reload_files(&head.files, head.model, f->conf, false, &out, &errors), 0);
	assert_int_equal(errors.n_items, 0);
	assert_string_equal(text_of(&out, FILES_MAIN), text_of(&head.files, FILES_MAIN));
	assert_string_equal(text_of(&out, "sub/shared"), "s A 192.0.2.7\n");
	assert_string_equal(text_of(&out, "sub/new"), "n A 192.0.2.8\n");
	assert_null(files_find(&out, "sub/own")); /* no zone includes it any more */
	assert_int_equal(out.n_items, head.files.n_items);
	files_fini(&out);
	/* one that is gone refuses all, or keeps what is in force, with what it includes */
	snprintf(path, sizeof(path), "%s/sub/a", f->conf);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(reload_files(&head.files, head.model, f->conf, false, &out, &errors),
	                 -EINVAL);
	assert_int_equal(errors.n_items, 1);
	assert_string_equal(errors.items[0].file, "sub/a");
	snprintf(path, sizeof(path),
	         "zone a.example: %s/sub/a cannot be read: No such file or directory", f->conf);
	assert_string_equal(errors.items[0].message, path);
	assert_string_equal(errors.items[0].field, "dns.zones");
	assert_null(out.items);
	model_errors_free(&errors);
	assert_int_equal(reload_files(&head.files, head.model, f->conf, true, &out, &errors), 0);
	assert_int_equal(errors.n_items, 1);
	assert_string_equal(text_of(&out, "sub/a"), text_of(&head.files, "sub/a"));
	assert_string_equal(text_of(&out, "sub/own"), "o A 192.0.2.1\n");
	files_fini(&out);
	model_errors_free(&errors);
	/* of several that are gone each is named */
	snprintf(path, sizeof(path), "%s/sub/b", f->conf);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(reload_files(&head.files, head.model, f->conf, false, &out, &errors),
	                 -EINVAL);
	assert_int_equal(errors.n_items, 2);
	assert_string_equal(errors.items[1].file, "sub/b");
	model_errors_free(&errors);
	drop_checked(&head);
}

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER  "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"

/* Wherever the state directory lies: what is behind the version's own directory. */
static void a_zones_file_is_called_as_it_was_given(void **state)
{
	static const struct {
		const char *path, *name;
	} rows[] = {
		{ "/var/lib/weir/config/" DIGEST "/a.zone", "a.zone" },
		{ "/srv/config/weir/config/" DIGEST "/sub/a", "sub/a" },
		{ "/srv/config/" DIGEST "0/config/" DIGEST "/config/a", "config/a" },
		{ "/config/" OTHER "/config/" DIGEST "/a", "a" },
		{ "/config/" OTHER "/a", NULL },
		{ "/etc/weir/config/a.zone", NULL },
		{ "/etc/weir/a.zone", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *name = model_laid_out_name(rows[i].path);

		if (strcmp(name ? name : "", rows[i].name ? rows[i].name : "") != 0)
			fail_msg("%s: %s", rows[i].path, name ? name : "none");
	}
}

static void read_digest(const struct fixture *f, char out[DIGEST_TEXT_MAX])
{
	struct drafted d = check_zones(f, NULL, NULL);

	assert_int_equal(d.err, 0);
	assert_string_equal(d.model->zones[0].name, "a.example");
	snprintf(out, DIGEST_TEXT_MAX, "%s", d.model->zones[0].digest);
	if (!strcmp(out, files_find(&d.files, "sub/a")->digest))
		out[0] = '\0';
	drop_checked(&d);
}

/* By each way in which the reader takes an include, at any depth. */
static void a_zones_digest_is_of_all_that_it_includes(void **state)
{
	static const char *const ways[] = {
		"$INCLUDE own\n",
		"$include \"own\"\n",
		"$INCLUDE\town ; why\n",
		"$INCLUDE(own)\n",
		"$INCLUDE ( ; why )\n\n own )\n",
		"$INCLUDE own( )\n",
		"$INCLUDE own;why\r\n",
		"$INCLUDE own shop.a.example.\r\n",
		"; $INCLUDE none\n$INCLUDE shared\n",
		"x TXT ( a\n$INCLUDE b )\n$INCLUDE own\n",
	};
	const struct fixture *f = *state;
	char before[DIGEST_TEXT_MAX], after[DIGEST_TEXT_MAX], text[256];

	fixture_write(f->conf, "sub/shared", "s A 192.0.2.1\n$INCLUDE own\n");
	for (size_t i = 0; i < COUNT(ways); i++) {
		snprintf(text, sizeof(text), HEAD "%s", ways[i]);
		fixture_write(f->conf, "sub/a", text);
		fixture_write(f->conf, "sub/own", "o A 192.0.2.1\n");
		read_digest(f, before);
		read_digest(f, after);
		if (!*before || strcmp(before, after) != 0)
			fail_msg("not of its includes, or not the same twice: %s", ways[i]);
		fixture_write(f->conf, "sub/own", "o A 192.0.2.2\n");
		read_digest(f, after);
		if (!strcmp(before, after))
			fail_msg("another include, the same digest: %s", ways[i]);
	}
	fixture_write(f->conf, "sub/a", HEAD);
	read_digest(f, after);
	assert_string_equal(after, ""); /* without an include: the file's own */
}

/* The order counts, and a file that includes itself ends. */
static void a_zones_digest_ends_at_the_limits(void **state)
{
	const struct fixture *f = *state;
	char digest[DIGEST_TEXT_MAX], own[DIGEST_TEXT_MAX], text[512 * 16] = "";
	struct files files = { 0 };

	assert_int_equal(includes_digest(&files, "sub/a", digest), -ENOENT);
	for (size_t i = 0; i < 512; i++)
		strcat(text, "$INCLUDE own\n");
	fixture_write(f->conf, "sub/own", text);
	fixture_write(f->conf, "sub/a", text);
	assert_int_equal(gather_files(f->conf, "weir.conf", &files), 0);
	assert_int_equal(includes_digest(&files, "sub/a", digest), 0);
	files_fini(&files);
	fixture_write(f->conf, "sub/own", "o A 192.0.2.1\n");
	fixture_write(f->conf, "sub/a", HEAD "$INCLUDE own\n$INCLUDE shared\n");
	read_digest(f, digest);
	fixture_write(f->conf, "sub/own", "s A 192.0.2.1\n");
	fixture_write(f->conf, "sub/shared", "o A 192.0.2.1\n");
	read_digest(f, own);
	assert_string_not_equal(own, digest);
}

SUITE(zones)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_not_laid_out_is_not_judged),
		TEST(includes_are_gathered_as_deep_as_they_are_read),
		TEST(a_serial_that_goes_back_is_named),
		TEST(a_bad_zone_refuses_a_version),
		TEST(a_bad_zone_keeps_its_files_unless_a_good_one_needs_them),
		TEST(a_bad_zone_that_is_new_has_nothing_to_keep),
		TEST(zones_are_read_again_and_nothing_else),
		TEST(a_zones_digest_is_of_all_that_it_includes),
		TEST(a_zones_digest_ends_at_the_limits),
		cmocka_unit_test(a_zones_file_is_called_as_it_was_given),
	};

	return cmocka_run_group_tests_name("zones", tests, NULL, NULL);
}
