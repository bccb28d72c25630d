/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large files in parts: what an upload and a peer are answered, and what is asked of a peer until
 * all is there.
 */
#include "asked.h"

#include <errno.h>
#include <sys/stat.h>

#include "mgmt/api/handle_files.h"
#include "mgmt/files/digest.h"

static uint64_t fake_ms;

static uint64_t fake_mono_ms(void)
{
	return fake_ms;
}

static uint64_t have_bytes;
static bool have_whole;

static bool fake_has(struct intent *in, const char *digest, uint64_t *have)
{
	(void)in;
	(void)digest;
	assert_true(asked_is_locked());
	*have = have_bytes;
	return have_whole;
}

static int n_added;
static uint64_t added_offset, added_total;
static char added[64];

static int fake_add(const char *dir, const char *digest, uint64_t total, uint64_t offset,
                    const void *part, size_t n)
{
	(void)dir;
	(void)digest;
	n_added++;
	added_total = total;
	added_offset = offset;
	snprintf(added, sizeof(added), "%.*s", (int)n, (const char *)part);
	have_bytes = offset + n;
	have_whole = have_bytes == total;
	return 0;
}

static bool is_full;

static bool fake_full(const char *dir)
{
	assert_string_equal(dir, asked_place.state);
	return is_full;
}

/* The private parts too. */
#define blobs_full      fake_full
#define clock_mono_ms   fake_mono_ms
#define intent_has_file fake_has
#include "mgmt/api/handle_files.c"
#define blobs_add fake_add
#include "mgmt/sync/shared_files.c"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static struct http_reply answer;

static int setup(void **state)
{
	(void)asked_setup(state);
	fixture_write(asked_place.conf, "peer.token", "0123456789abcdef\n");
	fake_ms = 1000000;
	have_bytes = 0;
	have_whole = is_full = false;
	n_added = 0;
	memset(&answer, 0, sizeof(answer));
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&answer);
	return asked_teardown(state);
}

static void give_body(http_handler *handler, json_t *body)
{
	struct http_request r = { .method = "POST", .json = body };

	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	assert_non_null(body);
	handler(&this_node, &r, &answer);
	json_decref(body);
}

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
	give_body(handle_files, many_parts(BLOBS_PARTS_MAX));
	assert_int_equal(answer.status, 200);
	assert_int_equal(json_array_size(json_object_get(answer.json, "files")), BLOBS_PARTS_MAX);
	give_body(handle_files, many_parts(BLOBS_PARTS_MAX + 1));
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
		give_body(handle_files, json_pack("{s:[o]}", "parts", json_loads(bad[i], 0, NULL)));
		if (answer.status != 422)
			fail_msg("%s: %u", bad[i], answer.status);
	}
	give_body(handle_files, json_pack("{s:[{s:s, s:i, s:i, s:s}]}", "parts", "digest", A,
	                                  "bytes", 3, "offset", 0, "data", "not base64!"));
	assert_int_equal(answer.status, 422);
}

/* Put @p text among the uploads, as a whole file; @p digest is its digest. */
static void keep_file(const char *text, char digest[DIGEST_TEXT_MAX])
{
	char *encoded = files_base64_text(text, strlen(text));

	digest_bytes(text, strlen(text), digest);
	give_body(handle_files,
	          json_pack("{s:[{s:s, s:I, s:i, s:s}]}", "parts", "digest", digest, "bytes",
	                    (json_int_t)strlen(text), "offset", 0, "data", encoded));
	free(encoded);
	assert_int_equal(answer.status, 200);
}

static const json_t *part_at(size_t i)
{
	return json_array_get(json_object_get(answer.json, "parts"), i);
}

static const char *text_of(const char *name)
{
	const char *text = json_string_value(json_object_get(answer.json, name));

	return text ? text : "";
}

static void each_failure_of_an_upload_says_what_to_do(void **state)
{
	static const struct {
		int err;
		unsigned status;
		const char *code, *words;
	} rows[] = {
		{ -EBADMSG, 422, "digest", "entry 3 of parts" },
		{ -EBADMSG, 422, "digest", "send it again from its beginning" },
		{ -EINVAL, 422, "invalid", "entry 3 of parts" },
		{ -EINVAL, 422, "invalid", "not base64" },
		{ -EPERM, 503, "store", "belongs to another user" },
		{ -ENOSPC, 503, "store", "No space left on device" },
		{ -EIO, 503, "store", "cannot be kept: Input/output error" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		http_reply_fini(&answer);
		memset(&answer, 0, sizeof(answer));
		set_part_problem(rows[i].err, 3, &answer);
		if (answer.status != rows[i].status || strcmp(text_of("code"), rows[i].code) != 0 ||
		    !strstr(text_of("detail"), rows[i].words))
			fail_msg("row %zu: %u %s", i, answer.status, text_of("detail"));
	}
	is_full = true;
	give_body(handle_files, many_parts(1));
	assert_int_equal(answer.status, 503);
	assert_non_null(strstr(text_of("detail"), "No space left"));
	is_full = false;
	give_body(handle_files, json_object());
	assert_int_equal(answer.status, 422);
	give_body(handle_files, json_loads("{\"parts\":[7]}", 0, NULL));
	assert_non_null(strstr(text_of("detail"), "entry 0: expected"));
	json_t *two = many_parts(2);
	json_array_append_new(json_object_get(two, "parts"), json_integer(7));
	json_array_append_new(json_object_get(two, "parts"), json_integer(8));
	give_body(handle_files, two);
	assert_int_equal(json_array_size(json_object_get(answer.json, "errors")),
	                 1); /* the first */
	assert_non_null(strstr(text_of("detail"), "entry 2: expected"));
}

static unsigned upload_part(const char *digest, int bytes, int offset, const char *data)
{
	give_body(handle_files, json_pack("{s:[{s:s, s:i, s:i, s:s}]}", "parts", "digest", digest,
	                                  "bytes", bytes, "offset", offset, "data", data));
	return answer.status;
}

/* An upload in two parts; what is whole must have its digest. */
static void an_upload_is_told_what_is_here(void **state)
{
	char digest[DIGEST_TEXT_MAX];

	(void)state;
	digest_bytes("abcdef", 6, digest);
	have_bytes = 3;
	assert_int_equal(upload_part(digest, 6, 0, "YWJj"), 200);
	const json_t *file = json_array_get(json_object_get(answer.json, "files"), 0);
	assert_string_equal(json_string_value(json_object_get(file, "digest")), digest);
	assert_int_equal(json_integer_value(json_object_get(file, "have")), 3);
	assert_true(json_is_false(json_object_get(file, "complete")));
	have_bytes = 6;
	have_whole = true;
	assert_int_equal(upload_part(digest, 6, 3, "ZGVm"), 200);
	file = json_array_get(json_object_get(answer.json, "files"), 0);
	assert_int_equal(json_integer_value(json_object_get(file, "have")), 6);
	assert_true(json_is_true(json_object_get(file, "complete")));
	give_body(handle_peer_files, json_pack("{s:[{s:s, s:i, s:i}]}", "parts", "digest", digest,
	                                       "bytes", 6, "offset", 0));
	file = json_array_get(json_object_get(answer.json, "parts"), 0);
	assert_string_equal(json_string_value(json_object_get(file, "data")), "YWJjZGVm");
	assert_int_equal(json_integer_value(json_object_get(file, "bytes")), 6);
	assert_string_equal(json_string_value(json_object_get(file, "digest")), digest);
	assert_int_equal(upload_part(A, 3, 0, "YWJj"), 422); /* other bytes than the digest's */
	assert_string_equal(text_of("code"), "digest");
	assert_int_equal(upload_part(B, 3, 2, "YWJj"), 422); /* behind the end */
	assert_string_equal(text_of("code"), "invalid");
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
	assert_false(asked_is_locked());
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
		give_body(handle_peer_files,
		          json_pack("{s:[{s:s, s:i, s:i}]}", "parts", "digest", digest, "bytes", 5,
		                    "offset", rows[i].offset));
		assert_string_equal(json_string_value(json_object_get(part_at(0), "data")),
		                    rows[i].data);
		assert_int_equal(json_integer_value(json_object_get(part_at(0), "offset")),
		                 rows[i].offset);
	}
	give_body(handle_peer_files, json_pack("{s:[{s:s, s:i, s:i}]}", "parts", "digest", B,
	                                       "bytes", 5, "offset", 0));
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
		give_body(handle_peer_files,
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
	give_body(handle_peer_files,
	          json_pack("{s:[{s:s, s:I, s:i}, {s:s, s:i, s:i}, {s:s, s:i, s:i}]}", "parts",
	                    "digest", digest, "bytes", (json_int_t)n, "offset", 0, "digest", small,
	                    "bytes", 16, "offset", 0, "digest", small, "bytes", 16, "offset", 0));
	assert_int_equal(json_array_size(json_object_get(answer.json, "parts")), 2);
	assert_string_equal(json_string_value(json_object_get(part_at(1), "data")),
	                    "MDEyMzQ1Njc4OQ=="); /* ten bytes are left */
}

#define PART(offset, data)                                                                         \
	"{\"parts\":[{\"digest\":\"" A "\",\"bytes\":6,\"offset\":" offset ",\"data\":\"" data     \
	"\"}]}"

static int fetch_all(const struct asked_row *rows)
{
	struct peer_client client = { .multi = NULL };
	json_t *files = json_pack("{s:{s:s, s:i}, s:s}", "a.zone", "digest", A, "bytes", 6,
	                          "weir.conf", "text");

	asked_rows = rows;
	n_asked = 0;
	int err = fetch_files(&this_node, &client, "https://fra-1", files, 5000);
	json_decref(files);
	return err;
}

static void a_fetch_goes_on_from_where_it_is(void **state)
{
	static const struct asked_row first[] = { { "/v1/peer/files", PART("0", "YWJj"), 200 },
		                                  { NULL, NULL, 0 } };
	static const struct asked_row rest[] = { { "/v1/peer/files", PART("3", "ZGVm"), 200 },
		                                 { NULL, NULL, 0 } };
	struct peer_client client = { .multi = NULL };
	json_t *files = json_pack("{s:{s:s, s:i}}", "a.zone", "digest", A, "bytes", 6);

	(void)state;
	have_bytes = 3;
	assert_int_equal(fetch_all(rest), 0);
	assert_int_equal(n_asked, 1);
	assert_string_equal(requested[0].url, "https://fra-1/v1/peer/files");
	assert_non_null(strstr(requested[0].body, "\"offset\":3"));
	assert_int_equal(added_offset, 3);
	assert_int_equal(added_total, 6);
	assert_string_equal(added, "def");
	assert_int_equal(fetch_all(first), 0); /* all is here: nobody is asked */
	assert_int_equal(n_asked, 0);
	have_bytes = 0;
	have_whole = false;
	fake_ms = 1000000;
	asked_rows = first;
	assert_int_equal(fetch_files(&this_node, &client, "https://fra-1", files, 0), -EAGAIN);
	assert_int_equal(n_asked, 0); /* its time is over before it begins */
	json_decref(files);
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

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *files = json_object();
		char name[32];

		json_object_set_new(files, "weir.conf", json_string("text"));
		json_object_set_new(files, "bad.zone",
		                    json_pack("{s:s, s:i}", "digest", A, "bytes", -1));
		for (size_t k = 0; k < rows[i].n; k++) {
			snprintf(name, sizeof(name), "%zu.zone", k);
			json_object_set_new(
			        files, name,
			        json_pack("{s:s, s:I}", "digest", A, "bytes", rows[i].bytes));
		}
		json_t *request = next_request(&this_node, files);
		assert_int_equal(json_array_size(json_object_get(request, "parts")),
		                 rows[i].n_parts);
		json_decref(request);
		json_decref(files);
	}
}

static void a_fetch_that_brings_nothing_ends(void **state)
{
	static const struct {
		const char *json;
		int err;
	} rows[] = {
		{ NULL, -EIO },
		{ "{\"parts\":[]}", -ENOENT },
		{ "{}", -ENOENT },
		{ PART("0", ""), -ENOENT },
		{ PART("0", "?"), -EINVAL },
		{ PART("-1", "YWJj"), -EINVAL },
		{ "{\"parts\":[{\"digest\":\"" A "\",\"bytes\":6,\"offset\":0}]}", -EINVAL },
		{ "{\"parts\":[{\"bytes\":6,\"offset\":0,\"data\":\"YWJj\"}]}", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct asked_row table[] = { { "/v1/peer/files", rows[i].json, 500 },
			                           { NULL, NULL, 0 } };

		have_bytes = 0;
		have_whole = false;
		int err = fetch_all(table);
		if (err != rows[i].err || n_asked != 1)
			fail_msg("row %zu: %d", i, err);
	}
}

/* The sender of a version hears that its files are other ones only if all of them came. */
static void what_cannot_be_staged_says_why(void **state)
{
	static const struct {
		const char *node, *parts;
		bool is_here;
		int err;
	} rows[] = {
		{ "nobody", NULL, false, -ENOENT }, { "fra-1", NULL, false, -EIO },
		{ "fra-1", "{}", false, -ENOENT },  { "fra-1", PART("0", "?"), false, -EINVAL },
		{ "nobody", NULL, true, -EINVAL },
	};
	const struct version v = { .number = 2, .digest = B };
	const struct model_node *fra = model_node(intent_model(this_node.intent), "fra-1");

	(void)state;
	((struct model_node *)(uintptr_t)fra)->api = "https://fra-1";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct asked_row table[] = { { "/v1/peer/files", rows[i].parts, 500 },
			                           { NULL, NULL, 0 } };
		json_t *files = rows[i].is_here ? json_pack("{s:s}", "weir.conf", "text")
		                                : json_pack("{s:{s:s, s:i}}", "a.zone", "digest", A,
		                                            "bytes", 6);

		asked_rows = table;
		n_asked = 0;
		have_bytes = 0;
		have_whole = false;
		int err = shared_files_stage(&this_node, rows[i].node, &v, files);

		json_decref(files);
		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
	}
}

/* Fetch a file of @p bytes, which is answered with @p json. */
static void fetch_empty(const char *json, json_int_t bytes, int expected)
{
	const struct asked_row table[] = { { "/v1/peer/files", json, 500 }, { NULL, NULL, 0 } };
	json_t *files = json_pack("{s:{s:s, s:I}}", "a.zone", "digest", A, "bytes", bytes);
	struct peer_client client = { .multi = NULL };

	have_bytes = 0;
	have_whole = false;
	n_asked = 0;
	n_added = 0;
	asked_rows = table;
	assert_int_equal(fetch_files(&this_node, &client, "https://fra-1", files, 5000), expected);
	assert_int_equal(n_asked, 1);
	json_decref(files);
}

/* Nothing of a file that has nothing is all of it. */
static void an_empty_file_is_fetched(void **state)
{
	static const char empty[] =
	        "{\"parts\":[{\"digest\":\"" A "\",\"bytes\":0,\"offset\":0,\"data\":\"\"}]}";

	(void)state;
	fetch_empty(empty, 0, 0);
	assert_int_equal(n_added, 1);
	assert_int_equal(added_total, 0);
	assert_string_equal(added, "");
	fetch_empty("{\"parts\":[]}", 0, -ENOENT);
	assert_int_equal(n_added, 0);
	fetch_empty(PART("0", ""), 6, -ENOENT); /* but not of one that has six bytes */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(so_many_parts_may_be_asked_for_at_once),
		T(what_is_no_part_is_refused),
		T(each_failure_of_an_upload_says_what_to_do),
		T(an_upload_is_told_what_is_here),
		T(a_file_is_found_by_its_digest),
		T(a_peer_gets_a_file_from_where_it_asks),
		T(a_peer_gets_a_version_s_file),
		T(an_answer_is_bounded),
		T(a_fetch_goes_on_from_where_it_is),
		T(a_request_is_bounded),
		T(a_fetch_that_brings_nothing_ends),
		T(what_cannot_be_staged_says_why),
		T(an_empty_file_is_fetched),
	};

	return cmocka_run_group_tests_name("files parts", tests, NULL, NULL);
}
