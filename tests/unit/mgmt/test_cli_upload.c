/* SPDX-License-Identifier: BSD-2-Clause */
/* Which files of a configuration are sent how (mgmt/cli/upload.c). */
#include "fixture.h"
#include "cli_management.h"

#include <jansson.h>

#include "mgmt/cli/api.h"
#include "mgmt/cli/upload.h"
#include "tests/unit/suite.h"
#include "weir/json.h"

#define MIB          ((size_t)1 << 20)
#define PART_MAX     (4 * MIB)
#define REQUESTS_MAX 16
#define MANY         300 /* more files than go in a request */

/*
 * What was posted, and what is answered to the question which files are there (the first
 * requests).
 */
static struct {
	json_t *bodies[REQUESTS_MAX];
	int n;
	const char *have[4]; /* one answer each; NULL: parts are taken */
	int fail_at;         /* the request that is refused; -1: none */
	unsigned took_ms;    /* each */
} posted;

static struct said management_says(void)
{
	const char *answer = posted.n < 4 ? posted.have[posted.n] : NULL;

	assert_string_equal(asked_now()->method, "POST");
	assert_string_equal(path_asked(), "/v1/files");
	assert_true(posted.n < REQUESTS_MAX);
	posted.bodies[posted.n] = json_loads(asked_now()->body, 0, NULL);
	assert_non_null(posted.bodies[posted.n++]);
	return (struct said){ CURLE_OK, posted.n - 1 == posted.fail_at ? 503 : 200,
		              answer ? answer : "{}", posted.took_ms, 0 };
}

static struct fixture place;
static struct files files;
static const struct cli cli;

static int set_up(void **state)
{
	(void)state;
	memset(&posted, 0, sizeof(posted));
	memset(&files, 0, sizeof(files));
	posted.fail_at = -1;
	fixture_make(&place);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int i = 0; i < posted.n; i++)
		json_decref(posted.bodies[i]);
	files_fini(&files);
	fixture_remove(&place);
	return 0;
}

/* A file of @p n bytes, each of which tells its place. */
static void add_bytes(const char *name, size_t n)
{
	char *bytes = malloc(n + 1);

	assert_non_null(bytes);
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)('a' + i / 4093 % 26);
	assert_int_equal(files_add(&files, name, bytes, n), 0);
	free(bytes);
}

/* The same, left on the disk. */
static void add_on_disk(const char *name, size_t n)
{
	char path[PATH_MAX], digest[DIGEST_TEXT_MAX];
	size_t found;

	snprintf(path, sizeof(path), "%s/%s", place.root, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	for (size_t i = 0; i < n; i++)
		fputc((int)('a' + i / 4093 % 26), f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(files_digest_of(path, digest, &found), 0);
	assert_int_equal(found, n);
	assert_int_equal(files_add_path(&files, name, path, digest, n), 0);
}

/* So many files that they go up by digest. */
static void add_many(size_t n)
{
	char name[32];

	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "z%05zu", i);
		assert_int_equal(files_add(&files, name, "", 0), 0);
	}
}

static const json_t *find_part(int request, size_t i)
{
	return json_array_get(json_object_get(posted.bodies[request], "parts"), i);
}

static size_t count_parts(int request)
{
	return json_array_size(json_object_get(posted.bodies[request], "parts"));
}

static json_t *send_files(int *status)
{
	*status = CLI_OK;
	shown_begin();
	json_t *out = upload_files(&cli, &files, status);

	shown_end();
	return out;
}

static void few_small_files_go_with_the_request(void **state)
{
	int status;

	(void)state;
	add_bytes("weir.conf", 10);
	assert_int_equal(files_add(&files, "z/utf8", "üx", 3), 0);
	assert_int_equal(files_add(&files, "z/latin", "\xfc", 1), 0);
	assert_int_equal(files_add(&files, "z/nul", "a\0b", 3), 0);
	add_bytes("empty", 0);
	json_t *out = send_files(&status);

	assert_non_null(out);
	assert_int_equal(status, CLI_OK);
	assert_int_equal(posted.n, 0);
	assert_int_equal(json_object_size(out), 5);
	assert_int_equal(json_string_length(json_object_get(out, "z/utf8")), 3);
	assert_true(json_has_text(out, "z/latin.base64", "/A=="));
	assert_true(json_has_text(out, "z/nul.base64", "YQBi"));
	assert_int_equal(json_string_length(json_object_get(out, "weir.conf")), 10);
	assert_int_equal(json_string_length(json_object_get(out, "empty")), 0);
	json_decref(out);
}

static void a_file_that_went_away_is_named(void **state)
{
	char path[PATH_MAX];
	int status;

	(void)state;
	add_bytes("weir.conf", 10);
	add_on_disk("zone", 100);
	snprintf(path, sizeof(path), "%s/zone", place.root);
	assert_int_equal(unlink(path), 0);
	assert_null(send_files(&status));
	assert_int_equal(status, CLI_USAGE);
	assert_told("zone No such file or directory\n");
	add_many(MANY);
	assert_null(send_files(&status));
	assert_told("zone: No such file or directory\n");
}

static void assert_part(const json_t *p, const struct files_item *item, size_t offset, size_t n)
{
	assert_string_equal(api_text(p, "digest", ""), item->digest);
	assert_int_equal(json_integer_value(json_object_get(p, "bytes")), item->n_bytes);
	assert_int_equal(json_integer_value(json_object_get(p, "offset")), offset);
	assert_int_equal(strlen(api_text(p, "data", "")), (n + 2) / 3 * 4);
}

/*
 * One by one: exactly a part, one byte more, what the node has a half of, what it has, what
 * it says nonsense of, and what it has all bytes of that it did not look at before it ended.
 */
static void large_files_go_up_from_where_the_node_has_them(void **state)
{
	int status;

	(void)state;
	add_on_disk("a", PART_MAX);
	add_on_disk("b", PART_MAX + 1);
	add_bytes("c", 1000);
	add_bytes("d", 1000);
	add_bytes("e", 1000);
	add_bytes("f", 1000);
	add_bytes("weir.conf", 10);
	add_many(MANY);
	posted.have[0] =
	        "{\"files\":[{\"have\":0},{\"have\":4194303},{\"have\":1000,\"complete\":true},{\"have\":999},"
	        "{\"have\":1001},{\"have\":1000},{\"have\":-1}]}";
	json_t *out = send_files(&status);

	assert_non_null(out);
	assert_int_equal(posted.n, 3);
	assert_int_equal(count_parts(0), 7 + MANY);
	assert_string_equal(api_text(find_part(0, 1), "digest", ""), files.items[1].digest);
	assert_int_equal(json_integer_value(json_object_get(find_part(0, 1), "bytes")),
	                 PART_MAX + 1);
	assert_int_equal(count_parts(1), 1);
	assert_part(find_part(1, 0), &files.items[0], 0, PART_MAX);
	assert_int_equal(count_parts(2), 5 + MANY);
	assert_part(find_part(2, 0), &files.items[1], PART_MAX - 1, 2);
	assert_part(find_part(2, 1), &files.items[3], 999, 1);
	assert_part(find_part(2, 2), &files.items[4], 0, 1000);
	assert_part(find_part(2, 3), &files.items[5], 1000, 0);
	assert_part(find_part(2, 4), &files.items[6], 0, 10);
	assert_string_equal(api_text(find_part(2, 1), "data", ""), "YQ==");
	assert_int_equal(json_object_size(out), files.n_items);
	assert_string_equal(api_text(json_object_get(out, "weir.conf"), "digest", ""),
	                    files.items[6].digest);
	assert_string_equal(api_text(json_object_get(out, "c"), "digest", ""),
	                    files.items[2].digest);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(out, "b"), "bytes")),
	                 PART_MAX + 1);
	json_decref(out);
}

/* A file of more than one part goes on where the last one ended. */
static void a_file_of_several_parts_is_sent_whole(void **state)
{
	int status;

	(void)state;
	add_on_disk("a", 2 * PART_MAX + 5);
	add_bytes("weir.conf", 10);
	add_many(MANY);
	json_t *out = send_files(&status);

	assert_non_null(out);
	assert_int_equal(posted.n, 4);
	assert_part(find_part(1, 0), &files.items[0], 0, PART_MAX);
	assert_part(find_part(2, 0), &files.items[0], PART_MAX, PART_MAX);
	assert_part(find_part(3, 0), &files.items[0], 2 * PART_MAX, 5);
	assert_part(find_part(3, 1), &files.items[1], 0, 10);
	json_decref(out);
}

static void each_question_is_answered_for_its_own_files(void **state)
{
	int status;

	(void)state;
	add_bytes("a", 5); /* unlike all others */
	add_many(4096);
	posted.have[1] = "{\"files\":[{\"complete\":true}]}";
	json_t *out = send_files(&status);

	assert_non_null(out);
	assert_int_equal(posted.n, 2 + 4);
	assert_string_equal(api_text(find_part(2, 0), "digest", ""), files.items[0].digest);
	assert_string_equal(api_text(find_part(5, 1023), "digest", ""), files.items[4095].digest);
	json_decref(out);
}

/* Empty files are sent, too: 1,024 parts a request, and 4,096 files a question. */
static void parts_and_questions_are_bounded(void **state)
{
	int status;

	(void)state;
	add_many(4097);
	json_t *out = send_files(&status);

	assert_non_null(out);
	assert_int_equal(posted.n, 2 + 5);
	assert_int_equal(count_parts(0), 4096);
	assert_int_equal(count_parts(1), 1);
	assert_string_equal(api_text(find_part(1, 0), "digest", ""), files.items[4096].digest);
	for (int i = 2; i < 6; i++)
		assert_int_equal(count_parts(i), 1024);
	assert_int_equal(count_parts(6), 1);
	json_decref(out);
}

static void what_management_refuses_ends_it(void **state)
{
	int status;

	(void)state;
	add_on_disk("a", 2 * PART_MAX + 5);
	add_bytes("weir.conf", 10);
	add_many(MANY);
	for (posted.fail_at = 0; posted.fail_at < 4; posted.fail_at++) {
		for (int i = 0; i < posted.n; i++)
			json_decref(posted.bodies[i]);
		posted.n = 0;
		assert_null(send_files(&status));
		assert_int_equal(status, CLI_UNREACHABLE);
		assert_int_equal(posted.n, posted.fail_at + 1);
	}
}

static void a_file_that_shrinks_while_it_is_sent_is_named(void **state)
{
	char path[PATH_MAX];
	int status;

	(void)state;
	add_on_disk("a", 2 * PART_MAX + 5);
	add_bytes("weir.conf", 10);
	add_many(MANY);
	snprintf(path, sizeof(path), "%s/a", place.root);
	assert_int_equal(truncate(path, (off_t)PART_MAX), 0);
	assert_null(send_files(&status));
	assert_int_equal(status, CLI_USAGE);
	assert_told("a: it changed while weir read it; try again\n");
	assert_int_equal(posted.n, 2);
}

/* How much is sent, of how much; every four seconds. */
static void a_long_upload_says_how_far_it_is(void **state)
{
	int status;

	(void)state;
	add_on_disk("a", 5 * PART_MAX);
	add_bytes("weir.conf", 2048);
	add_many(MANY);
	posted.took_ms = 2000;
	json_t *out = send_files(&status);

	assert_non_null(out);
	assert_string_equal(told, "weir: 8192 of 20482 KiB of files sent\n"
	                          "weir: 16384 of 20482 KiB of files sent\n"
	                          "weir: 20482 of 20482 KiB of files sent\n");
	json_decref(out);
}

SUITE(cli_upload)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_long_upload_says_how_far_it_is, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(few_small_files_go_with_the_request, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_went_away_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(large_files_go_up_from_where_the_node_has_them,
		                                set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_of_several_parts_is_sent_whole, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(each_question_is_answered_for_its_own_files, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(parts_and_questions_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_management_refuses_ends_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_shrinks_while_it_is_sent_is_named,
		                                set_up, tear_down),
	};

	management_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
