/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large files in parts: what an upload and a peer are answered, and what is asked of a peer until
 * all is there.
 */
#include "api_world.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "mgmt/files/blobs.h"
#include "mgmt/files/digest.h"
#include "mgmt/sync/shared_files.h"
#include "tests/unit/suite.h"
#include "tls_peer.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static json_t *many_parts(size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:i}", "digest", A, "bytes", 3));
	return json_pack("{s:o}", "parts", list);
}

static void so_many_parts_may_be_asked_for_at_once(void **state)
{
	(void)state;
	ask_with_json("POST /v1/files", many_parts(BLOBS_PARTS_MAX));
	assert_int_equal(answer.status, 200);
	assert_int_equal(json_array_size(json_object_get(answer.json, "files")), BLOBS_PARTS_MAX);
	ask_with_json("POST /v1/files", many_parts(BLOBS_PARTS_MAX + 1));
	assert_int_equal(answer.status, 422);
}

static void what_is_no_part_is_refused(void **state)
{
	static const char *const bad[] = {
		"{\"bytes\":3}",
		"{\"digest\":\"abc\",\"bytes\":3}",
		"{\"digest\":\"" A "a\",\"bytes\":3}",
		"{\"digest\":\"A" A "\",\"bytes\":3}",
		"{\"digest\":\"" A "\"}",
		"{\"digest\":\"" A "\",\"bytes\":-1}",
		"{\"digest\":\"" A "\",\"bytes\":\"3\"}",
		"{\"digest\":\"" A "\",\"bytes\":3,\"data\":\"YWJj\"}",
		"{\"digest\":\"" A "\",\"bytes\":3,\"offset\":-1,\"data\":\"YWJj\"}",
		"{\"digest\":\"" A "\",\"bytes\":3,\"offset\":0,\"data\":5}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ask_with_json("POST /v1/files",
		              json_pack("{s:[o]}", "parts", json_loads(bad[i], 0, NULL)));
		if (answer.status != 422)
			fail_msg("%s: %u", bad[i], answer.status);
	}
	ask_with_json("POST /v1/files",
	              json_pack("{s:[{s:s, s:i, s:i, s:s}]}", "parts", "digest", A, "bytes", 3,
	                        "offset", 0, "data", "not base64!"));
	assert_int_equal(answer.status, 422);
}

/* Put @p text among the uploads, as a whole file; @p digest is its digest. */
static void keep_file(const char *text, char digest[DIGEST_TEXT_MAX])
{
	char *encoded = files_base64_text(text, strlen(text));

	digest_bytes(text, strlen(text), digest);
	ask_with_json("POST /v1/files",
	              json_pack("{s:[{s:s, s:I, s:i, s:s}]}", "parts", "digest", digest, "bytes",
	                        (json_int_t)strlen(text), "offset", 0, "data", encoded));
	free(encoded);
	assert_int_equal(answer.status, 200);
}

static const json_t *part_at(size_t i)
{
	return json_array_get(json_object_get(answer.json, "parts"), i);
}

static unsigned upload_part(const char *digest, int bytes, int offset, const char *data)
{
	ask_with_json("POST /v1/files",
	              json_pack("{s:[{s:s, s:i, s:i, s:s}]}", "parts", "digest", digest, "bytes",
	                        bytes, "offset", offset, "data", data));
	return answer.status;
}

static void each_failure_of_an_upload_says_what_to_do(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(upload_part(A, 3, 0, "YWJj"), 422); /* other bytes than the digest's */
	assert_string_equal(text_at("code"), "digest");
	assert_non_null(strstr(text_at("detail"), "entry 0 of parts: "));
	assert_non_null(strstr(text_at("detail"), "send it again from its beginning"));
	assert_int_equal(upload_part(B, 3, 2, "YWJj"), 422); /* behind the end */
	assert_string_equal(text_at("code"), "invalid");
	assert_non_null(strstr(text_at("detail"), "entry 0 of parts: data is not base64"));
	assert_int_equal(proc_path(place.state, PROC_BLOBS_DIR "/" A, path), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)BLOBS_BYTES_MAX), 0);
	close(fd);
	ask_with_json("POST /v1/files", many_parts(1));
	assert_int_equal(answer.status, 503);
	assert_non_null(strstr(text_at("detail"), "No space left"));
	assert_int_equal(proc_path(place.state, PROC_BLOBS_DIR, path), 0);
	assert_int_equal(files_remove_dir(path), 0);
	assert_int_equal(symlink(place.root, path), 0);
	assert_int_equal(upload_part(B, 3, 0, "YWJj"), 503);
	assert_string_equal(text_at("code"), "store");
	assert_non_null(strstr(text_at("detail"), "belongs to another user"));
	assert_int_equal(unlink(path), 0);
	ask_with_json("POST /v1/files", json_object());
	assert_int_equal(answer.status, 422);
	ask_with_json("POST /v1/files", json_loads("{\"parts\":[7]}", 0, NULL));
	assert_non_null(strstr(text_at("detail"), "entry 0: expected"));
	json_t *two = many_parts(2);
	json_array_append_new(json_object_get(two, "parts"), json_integer(7));
	json_array_append_new(json_object_get(two, "parts"), json_integer(8));
	ask_with_json("POST /v1/files", two);
	assert_int_equal(json_array_size(json_object_get(answer.json, "errors")),
	                 1); /* the first */
	assert_non_null(strstr(text_at("detail"), "entry 2: expected"));
}

/* An upload in two parts; what is whole must have its digest. */
static void an_upload_is_told_what_is_here(void **state)
{
	char digest[DIGEST_TEXT_MAX];

	(void)state;
	digest_bytes("abcdef", 6, digest);
	assert_int_equal(upload_part(digest, 6, 0, "YWJj"), 200);
	const json_t *file = json_array_get(json_object_get(answer.json, "files"), 0);
	assert_string_equal(json_string_value(json_object_get(file, "digest")), digest);
	assert_int_equal(json_integer_value(json_object_get(file, "have")), 3);
	assert_true(json_is_false(json_object_get(file, "complete")));
	assert_int_equal(upload_part(digest, 6, 3, "ZGVm"), 200);
	file = json_array_get(json_object_get(answer.json, "files"), 0);
	assert_int_equal(json_integer_value(json_object_get(file, "have")), 6);
	assert_true(json_is_true(json_object_get(file, "complete")));
	ask_with_json("POST /v1/peer/files", json_pack("{s:[{s:s, s:i, s:i}]}", "parts", "digest",
	                                               digest, "bytes", 6, "offset", 0));
	file = json_array_get(json_object_get(answer.json, "parts"), 0);
	assert_string_equal(json_string_value(json_object_get(file, "data")), "YWJjZGVm");
	assert_int_equal(json_integer_value(json_object_get(file, "bytes")), 6);
	assert_string_equal(json_string_value(json_object_get(file, "digest")), digest);
}

/* Among uploads, and of a version. */
static void a_file_is_found_by_its_digest(void **state)
{
	const size_t n = strlen(fixture_zone);
	char digest[DIGEST_TEXT_MAX];
	struct files files = { 0 };

	(void)state;
	digest_bytes(fixture_zone, n, digest);
	assert_int_equal(core_find_file(&this_node, "a.zone", digest, n, &files), 0);
	assert_int_equal(files.n_items, 1);
	assert_non_null(files_find(&files, "a.zone"));
	assert_int_equal(core_find_file(&this_node, "c.zone", A, n, &files), -ENOENT);
	assert_int_equal(files.n_items, 1);
	files_fini(&files);
}

static int next_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

/* A peer asks from where it has it on; behind the end there is nothing. */
static void a_peer_gets_a_file_from_where_it_asks(void **state)
{
	static const struct {
		int offset;
		const char *data;
	} rows[] = { { 0, "aGVsbG8=" }, { 2, "bGxv" }, { 5, "" }, { 9, "" } };
	char digest[DIGEST_TEXT_MAX];

	(void)state;
	keep_file("hello", digest);
	int fd = next_fd();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask_with_json("POST /v1/peer/files",
		              json_pack("{s:[{s:s, s:i, s:i}]}", "parts", "digest", digest, "bytes",
		                        5, "offset", rows[i].offset));
		assert_string_equal(json_string_value(json_object_get(part_at(0), "data")),
		                    rows[i].data);
		assert_int_equal(json_integer_value(json_object_get(part_at(0), "offset")),
		                 rows[i].offset);
	}
	ask_with_json("POST /v1/peer/files", json_pack("{s:[{s:s, s:i, s:i}]}", "parts", "digest",
	                                               B, "bytes", 5, "offset", 0));
	assert_int_equal(answer.status, 200);
	assert_null(part_at(0));         /* it is not here */
	assert_int_equal(next_fd(), fd); /* none is left open */
}

/* The same of what only a version has. */
static void a_peer_gets_a_version_s_file(void **state)
{
	const size_t n = strlen(fixture_zone);
	const size_t offsets[] = { 0, n - 2, n, n + 5 };
	char digest[DIGEST_TEXT_MAX];

	(void)state;
	digest_bytes(fixture_zone, n, digest);
	for (size_t i = 0; i < 4; i++) {
		ask_with_json("POST /v1/peer/files",
		              json_pack("{s:[{s:s, s:I, s:I}]}", "parts", "digest", digest, "bytes",
		                        (json_int_t)n, "offset", (json_int_t)offsets[i]));
		size_t left = offsets[i] < n ? n - offsets[i] : 0;
		char *wanted = files_base64_text(fixture_zone + n - left, left);

		assert_string_equal(json_string_value(json_object_get(part_at(0), "data")), wanted);
		free(wanted);
	}
}

/* All parts of an answer together have their bound. */
static void an_answer_is_bounded(void **state)
{
	const size_t n = BLOBS_PARTS_BYTES_MAX - 10;
	char *text = malloc(n + 1), digest[DIGEST_TEXT_MAX], small[DIGEST_TEXT_MAX];

	(void)state;
	assert_non_null(text);
	memset(text, 'x', n);
	text[n] = '\0';
	keep_file("0123456789abcdef", small);
	keep_file(text, digest);
	free(text);
	ask_with_json("POST /v1/peer/files",
	              json_pack("{s:[{s:s, s:I, s:i}, {s:s, s:i, s:i}, {s:s, s:i, s:i}]}", "parts",
	                        "digest", digest, "bytes", (json_int_t)n, "offset", 0, "digest",
	                        small, "bytes", 16, "offset", 0, "digest", small, "bytes", 16,
	                        "offset", 0));
	assert_int_equal(json_array_size(json_object_get(answer.json, "parts")), 2);
	assert_string_equal(json_string_value(json_object_get(part_at(1), "data")),
	                    "MDEyMzQ1Njc4OQ=="); /* ten bytes are left */
}

/* --- what a peer sends --- */

static char abcdef[DIGEST_TEXT_MAX]; /* the digest of that text */

static int setup_peer(void **state)
{
	static const char from[] = "site = \"fra\"; driver";
	char to[256];

	world_setup(state);
	digest_bytes("abcdef", 6, abcdef);
	tls_peer_begin(place.conf);
	fixture_write(place.conf, "peer.token", "0123456789abcdef\n");
	snprintf(to, sizeof(to), "site = \"fra\"; api = \"%s\"; driver", tls_peer.url);
	world_close();
	assert_int_equal(files_remove_dir(place.state), 0);
	assert_int_equal(mkdir(place.state, 0755), 0);
	fixture_write(place.conf, "weir.conf", fixture_text(from, to));
	world_open();
	assert_non_null(intent_model(this_node.intent));
	return 0;
}

static int teardown_peer(void **state)
{
	tls_peer_end();
	return world_teardown(state);
}

/* "{\"parts\": [a part of abcdef]}" in a buffer of the callee's. */
static const char *part_of(int bytes, int offset, const char *data)
{
	static char text[2][300];
	static unsigned n;

	n = !n;
	snprintf(text[n], sizeof(text[n]),
	         "{\"parts\":[{\"digest\":\"%s\",\"bytes\":%d,\"offset\":%d,\"data\":\"%s\"}]}",
	         abcdef, bytes, offset, data);
	return text[n];
}

/* Stage a version with a file "a.zone" of @p digest, as the peer offers it. */
static int stage_version(const char *digest, json_int_t bytes, const char *content)
{
	json_t *files = json_pack("{s:{s:s, s:I}, s:s}", "a.zone", "digest", digest, "bytes", bytes,
	                          "weir.conf", "text");
	struct version v = { .number = 2 };
	struct files all = { 0 };

	assert_int_equal(files_add(&all, "a.zone", content, strlen(content)), 0);
	assert_int_equal(files_add(&all, "weir.conf", "text", 4), 0);
	files_digest(&all, v.digest);
	files_fini(&all);
	tls_peer.n = 0;
	int err = shared_files_stage(&this_node, "fra-1", &v, files);
	json_decref(files);
	return err;
}

static void a_fetch_goes_on_from_where_it_is(void **state)
{
	(void)state;
	assert_int_equal(upload_part(abcdef, 6, 0, "YWJj"), 200);
	tls_peer.says[0] = part_of(6, 3, "ZGVm");
	assert_int_equal(stage_version(abcdef, 6, "abcdef"), 0);
	assert_int_equal(tls_peer.n, 1);
	assert_memory_equal(tls_peer.request, "POST /v1/peer/files ", 20);
	assert_non_null(strstr(tls_peer.request, "\"offset\":3"));
	assert_int_equal(stage_version(abcdef, 6, "abcdef"), 0); /* all is here: nobody is asked */
	assert_int_equal(tls_peer.n, 0);
	assert_int_equal(stage_version(abcdef, 6, "others"),
	                 -EINVAL); /* they are of another version */
}

static void let_time_pass(void)
{
	told_ms += 60000;
}

/* Part by part, for a while. */
static void a_fetch_has_its_time(void **state)
{
	(void)state;
	tls_peer.says[0] = part_of(6, 0, "YWJj");
	tls_peer.says[1] = part_of(6, 3, "ZGVm");
	tls_peer.meanwhile = let_time_pass;
	assert_int_equal(stage_version(abcdef, 6, "abcdef"), -EAGAIN);
	assert_int_equal(tls_peer.n, 1);
	tls_peer.says[0] = tls_peer.says[1];
	assert_int_equal(stage_version(abcdef, 6, "abcdef"), 0); /* the rest */
	assert_non_null(strstr(tls_peer.request, "\"offset\":3"));
}

/* What is asked for at once is bounded: by the bytes of the files, the last one counted whole. */
static void a_request_is_bounded(void **state)
{
	static const struct {
		json_int_t bytes;
		size_t n, n_parts;
	} rows[] = {
		{ 1, 5, 5 },
		{ (json_int_t)BLOBS_PARTS_BYTES_MAX / 2, 5, 2 },
		{ (json_int_t)BLOBS_PARTS_BYTES_MAX / 2 - 1, 5, 3 },
		{ (json_int_t)BLOBS_PARTS_BYTES_MAX, 5, 1 },
		{ 0, 1030, 1024 },
	};
	const struct version v = { .number = 2, .digest = B };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *files = json_object();
		char name[32];
		size_t n = 0;

		json_object_set_new(files, "weir.conf", json_string("text"));
		json_object_set_new(files, "bad.zone",
		                    json_pack("{s:s, s:i}", "digest", A, "bytes", -1));
		for (size_t k = 0; k < rows[i].n; k++) {
			snprintf(name, sizeof(name), "%zu.zone", k);
			json_object_set_new(
			        files, name,
			        json_pack("{s:s, s:I}", "digest", A, "bytes", rows[i].bytes));
		}
		tls_peer.n = 0;
		tls_peer.says[0] = "{}";
		assert_int_equal(shared_files_stage(&this_node, "fra-1", &v, files), -ENOENT);
		for (const char *at = tls_peer.request; (at = strstr(at, "\"digest\"")); at++)
			n++;
		assert_int_equal(n, rows[i].n_parts);
		json_decref(files);
	}
}

static void a_fetch_that_brings_nothing_ends(void **state)
{
	const struct {
		const char *json;
		int err;
	} rows[] = {
		{ NULL, -EIO },
		{ "{\"parts\":[]}", -ENOENT },
		{ "{}", -ENOENT },
		{ part_of(6, 0, ""), -ENOENT },
		{ "{\"parts\":[{\"digest\":\"" A "\",\"bytes\":6,\"offset\":0,\"data\":\"?\"}]}",
		  -EINVAL },
		{ "{\"parts\":[{\"digest\":\"" A
		  "\",\"bytes\":6,\"offset\":-1,\"data\":\"YWJj\"}]}",
		  -EINVAL },
		{ "{\"parts\":[{\"digest\":\"" A "\",\"bytes\":6,\"offset\":0}]}", -EINVAL },
		{ "{\"parts\":[{\"bytes\":6,\"offset\":0,\"data\":\"YWJj\"}]}", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tls_peer.says[0] = rows[i].json;
		int err = stage_version(abcdef, 6, "abcdef");
		if (err != rows[i].err || tls_peer.n != 1)
			fail_msg("row %zu: %d, %u requests", i, err, tls_peer.n);
	}
}

/* Nothing of a file that has nothing is all of it. */
static void an_empty_file_is_fetched(void **state)
{
	char digest[DIGEST_TEXT_MAX], text[300];

	(void)state;
	digest_bytes("", 0, digest);
	tls_peer.says[0] = "{\"parts\":[]}";
	assert_int_equal(stage_version(digest, 0, ""), -ENOENT);
	snprintf(text, sizeof(text),
	         "{\"parts\":[{\"digest\":\"%s\",\"bytes\":0,\"offset\":0,\"data\":\"\"}]}",
	         digest);
	tls_peer.says[0] = text;
	assert_int_equal(stage_version(digest, 0, ""), 0);
	assert_int_equal(tls_peer.n, 1);
}

/* Of a node without an address nothing is fetched. */
static void what_is_here_is_staged_from_whomever(void **state)
{
	json_t *whole = json_pack("{s:s}", "weir.conf", "text"),
	       *named = json_pack("{s:{s:s, s:i}}", "a.zone", "digest", A, "bytes", 6);
	const struct version v = { .number = 2, .digest = B };

	(void)state;
	assert_int_equal(shared_files_stage(&this_node, "nobody", &v, whole), -EINVAL);
	assert_int_equal(shared_files_stage(&this_node, "nobody", &v, named), -ENOENT);
	assert_int_equal(tls_peer.n, 0);
	json_decref(whole);
	json_decref(named);
}

SUITE(files_parts)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
#define P(f) cmocka_unit_test_setup_teardown(f, setup_peer, teardown_peer)
	const struct CMUnitTest tests[] = {
		T(so_many_parts_may_be_asked_for_at_once),
		T(what_is_no_part_is_refused),
		T(each_failure_of_an_upload_says_what_to_do),
		T(an_upload_is_told_what_is_here),
		T(a_file_is_found_by_its_digest),
		T(a_peer_gets_a_file_from_where_it_asks),
		T(a_peer_gets_a_version_s_file),
		T(an_answer_is_bounded),
		P(a_fetch_goes_on_from_where_it_is),
		P(a_request_is_bounded),
		P(a_fetch_that_brings_nothing_ends),
		P(what_is_here_is_staged_from_whomever),
		P(a_fetch_has_its_time),
		P(an_empty_file_is_fetched),
	};

	world_begin();
	return cmocka_run_group_tests_name("files parts", tests, NULL, NULL);
}
