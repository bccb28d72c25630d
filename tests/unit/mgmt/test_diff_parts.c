/* SPDX-License-Identifier: BSD-2-Clause */
/* What is compared with what: sides by number, by node, or both. */
#include "asked.h"

#include <dirent.h>
#include <unistd.h>

#include "mgmt/peers/peers.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/history.h"
#include "mgmt/store/join.h"
#include "mgmt/store/records.h"

static int version_rc;     /* of reading one, if not 0 */
static uint64_t peer_head; /* that fra-1 has said */

static size_t fake_reports(const struct core *core, const struct peers_report **out)
{
	static struct peers_report report = { .node = "fra-1" };

	(void)core;
	assert_true(asked_is_locked());
	report.number = peer_head;
	*out = &report;
	return 1;
}

#define intent_head(in) UNDER_LOCK(intent_head(in))
#define intent_version(in, n, v, f)                                                                \
	UNDER_LOCK(version_rc ? version_rc : intent_version(in, n, v, f))
#define join_model(in)          UNDER_LOCK(join_model(in))
#define peers_report(core, out) fake_reports(core, out)

/* The private parts too. */
#include "mgmt/api/handle_diff.c"
#undef intent_head

static void a_side_is_a_version_a_node_or_both(void **state)
{
	static const struct {
		const char *text, *node;
		uint64_t number;
		bool ok;
	} rows[] = {
		{ "12", "", 12, true },
		{ "head", "", 0, true },
		{ "fra-1", "fra-1", 0, true },
		{ "fra-1:12", "fra-1", 12, true },
		{ "12x", "12x", 0, true }, /* a node may be called so */
		{ "head:3", "head", 3, true },
		{ "0", "", 0, false },
		{ "fra-1:0", "", 0, false },
		{ "fra-1:", "", 0, false },
		{ "fra-1:head", "", 0, false },
		{ "fra-1:1x", "", 0, false },
		{ ":12", "", 0, false },
		{ "", "", 0, false },
		{ "1234567890123456", "1234567890123456", 0, true },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789", "", 0,
		  false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct side side;
		bool ok = read_side(rows[i].text, &side);

		if (ok != rows[i].ok || (ok && strcmp(side.node, rows[i].node) != 0) ||
		    (ok && side.number != rows[i].number))
			fail_msg("\"%s\": %d, \"%s\", %d", rows[i].text, ok, side.node,
			         (int)side.number);
	}
}

/*
 * This node by its own name is not asked over the network; a node without an address cannot be
 * asked.
 */
static void the_own_node_is_not_asked(void **state)
{
	static const struct {
		const char *text;
		unsigned status;
		uint64_t number;
	} rows[] = { { "head", 0, 1 },    { "1", 0, 1 },      { "ams-1", 0, 1 },
		     { "ams-1:1", 0, 1 }, { "2", 404, 0 },    { "ams-1:2", 404, 0 },
		     { "fra-1", 404, 0 }, { "lon-1", 404, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_reply reply = { 0 };
		struct side side = { 0 };

		n_asked = 0;
		bool ok = get_side(&this_node, rows[i].text, &side, &reply);
		if (ok != !rows[i].status || reply.status != rows[i].status)
			fail_msg("%s: %u", rows[i].text, reply.status);
		if (ok)
			assert_int_equal(side.number, rows[i].number);
		assert_int_equal(n_asked, 0);
		files_fini(&side.files);
		http_reply_fini(&reply);
	}
}

/* Version 2, as a store has decided it: fra-1 has an address. */
static void add_address(void)
{
	static const char from[] = "{ name = \"fra-1\"; site = \"fra\";";
	const struct intent_options options = { .conf_dir = asked_place.conf,
		                                .state_dir = asked_place.state,
		                                .node = "ams-1" };
	struct files files = fixture_files(
	        from, "{ name = \"fra-1\"; site = \"fra\"; api = \"https://fra-1:8443\";");
	struct version v = *(intent_head)(this_node.intent);
	struct shared_change c;
	struct shared_answer a;

	fixture_write(asked_place.conf, "peer.token", "0123456789abcdef\n");
	v.number = 2;
	v.time_ms = v.effective_ms = NOW_MS + 10;
	memcpy(v.parent, v.digest, sizeof(v.parent));
	files_digest(&files, v.digest);
	shared_change_begin(&c, "two");
	shared_change_put(&c, "version/2", &version_record, &v);
	shared_change_put(&c, "head", &history_head_record, &(struct history_head){ 2 });
	assert_int_equal(copy_decide(intent_store(this_node.intent), &c,
	                             &(struct copy_version){ &v, &files }, &a),
	                 0);
	shared_change_fini(&c);
	shared_answer_fini(&a);
	files_fini(&files);
	intent_close(this_node.intent);
	assert_int_equal(intent_open(&options, NOW_MS + 20, &this_node.intent), 0);
}

static struct http_reply answer;

static unsigned ask_diff(const char *from, const char *to)
{
	struct http_request r = { .method = "GET", .role = HTTP_OPERATOR };

	snprintf(r.parts[0], sizeof(r.parts[0]), "%s", from);
	snprintf(r.parts[1], sizeof(r.parts[1]), "%s", to);
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	n_asked = 0;
	handle_version_diff(&this_node, &r, &answer);
	assert_false(asked_is_locked());
	return answer.status;
}

static const char *text_of(const char *name)
{
	const char *text = json_string_value(json_object_get(answer.json, name));

	return text ? text : "";
}

static void check_sides(const char *from_node, int from, const char *to_node, int to)
{
	assert_string_equal(text_of("from_node"), from_node);
	assert_int_equal(json_integer_value(json_object_get(answer.json, "from")), from);
	assert_string_equal(text_of("to_node"), to_node);
	assert_int_equal(json_integer_value(json_object_get(answer.json, "to")), to);
}

static bool has_change(const char *path)
{
	const json_t *list = json_object_get(answer.json, "changes");
	bool found = false;

	for (size_t i = 0; i < json_array_size(list); i++)
		found |= !strcmp(
		        json_string_value(json_object_get(json_array_get(list, i), "path")), path);
	return found;
}

static void two_own_versions_are_compared(void **state)
{
	(void)state;
	add_address();
	assert_int_equal(ask_diff("1", "head"), 200);
	check_sides("ams-1", 1, "ams-1", 2);
	assert_non_null(
	        strstr(text_of("text"), "\n-          { name = \"fra-1\"; site = \"fra\"; driver"));
	assert_non_null(
	        strstr(text_of("text"), "\n+          { name = \"fra-1\"; site = \"fra\"; api"));
	assert_true(json_array_size(json_object_get(answer.json, "changes")) > 0);
	assert_int_equal(n_asked, 0);
	assert_int_equal(ask_diff("head", "1"), 200);
	check_sides("ams-1", 2, "ams-1", 1);
	assert_non_null(
	        strstr(text_of("text"), "\n+          { name = \"fra-1\"; site = \"fra\"; driver"));
	assert_int_equal(ask_diff("2", "ams-1:2"), 200);
	assert_string_equal(text_of("text"), "");
	assert_int_equal(json_array_size(json_object_get(answer.json, "changes")), 0);
	assert_int_equal(ask_diff("9", "1"), 404);
	assert_int_equal(ask_diff("1", "9"), 404);
	assert_int_equal(ask_diff("0", "1"), 404);
	version_rc = -EINVAL;
	assert_int_equal(ask_diff("1", "2"), 503);
	version_rc = 0;
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
}

/* What a peer answers about a version with the fixture's file, changed by one word. */
static char peer_version[16384];

static void fill_peer_version(const char *from, const char *to)
{
	struct files files = fixture_files(from, to);
	json_t *object = json_pack("{s:o}", "files", contents_to_json(&files));
	char *text = json_dumps(object, JSON_COMPACT);

	snprintf(peer_version, sizeof(peer_version), "%s", text);
	free(text);
	json_decref(object);
	files_fini(&files);
}

/* Directories of versions below STATE/config. One whose removal has begun has a longer name. */
static unsigned count_laid_out(void)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	assert_int_equal(proc_path(asked_place.state, PROC_CONFIG_DIR, path), 0);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		n += strlen(entry->d_name) == DIGEST_TEXT_MAX - 1;
	closedir(dir);
	return n;
}

static bool is_laid_out(const struct version *v)
{
	char path[PATH_MAX];

	assert_int_equal(gather_dir(asked_place.state, v->digest, path), 0);
	return !access(path, F_OK);
}

/* Of another release, too: files are laid out before they are read. Versions in force stay. */
static void what_was_compared_is_laid_out_no_longer_than_that(void **state)
{
	const struct asked_row rows[] = {
		{ "/v1/peer/versions/14", peer_version, 0 },
		{ NULL, NULL, 0 },
	};
	unsigned n;

	(void)state;
	add_address();
	peer_head = 14;
	asked_rows = rows;
	n = count_laid_out();
	fill_peer_version("max_backends = 10", "max_backends = 30");
	assert_int_equal(ask_diff("head", "fra-1"), 200);
	assert_true(has_change("pools/web-ams/max_backends"));
	assert_int_equal(count_laid_out(), n);
	fill_peer_version("schema = 1;", "schema = 99;");
	assert_int_equal(ask_diff("fra-1", "head"), 200);
	assert_int_equal(count_laid_out(), n);
	assert_true(is_laid_out((intent_head)(this_node.intent)));
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
}

static void a_peer_is_asked_for_its_version(void **state)
{
	const struct asked_row rows[] = {
		{ "/v1/peer/versions/14", peer_version, 0 },
		{ "/v1/peer/versions/13", peer_version, 0 },
		{ NULL, NULL, 0 },
	};

	(void)state;
	add_address();
	peer_head = 14;
	asked_rows = rows;
	fill_peer_version("max_backends = 10", "max_backends = 30");
	assert_int_equal(ask_diff("1", "fra-1"), 200);
	check_sides("ams-1", 1, "fra-1", 14);
	assert_int_equal(n_asked, 1);
	assert_string_equal(requested[0].url, "https://fra-1:8443/v1/peer/versions/14");
	assert_non_null(strstr(text_of("text"), "max_backends = 30"));
	assert_true(has_change("pools/web-ams/max_backends"));
	assert_int_equal(ask_diff("fra-1:13", "1"), 200);
	check_sides("fra-1", 13, "ams-1", 1);
	assert_int_equal(n_asked, 1);
	fill_peer_version("schema = 1;", "schema = 99;"); /* of a later release */
	assert_int_equal(ask_diff("1", "fra-1"), 200);
	assert_true(json_is_null(json_object_get(answer.json, "changes")));
	assert_non_null(strstr(text_of("text"), "+schema = 99;"));
	assert_int_equal(ask_diff("fra-1", "1"), 200);
	assert_true(json_is_null(json_object_get(answer.json, "changes")));
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
}

static void without_a_token_no_peer_is_asked(void **state)
{
	(void)state;
	add_address();
	peer_head = 14;
	asked_rows = NULL;
	fixture_write(asked_place.conf, "peer.token", "");
	assert_int_equal(ask_diff("1", "fra-1"), 503);
	assert_int_equal(n_asked, 0);
	assert_non_null(strstr(text_of("detail"), "there is no usable peer.token on this node"));
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
}

static void a_peer_that_gives_none_is_named(void **state)
{
	static const struct {
		uint64_t head;
		const char *version, *why;
		size_t n_asked;
	} rows[] = {
		{ 0, "{}", "no version of the node is known", 0 },
		{ 14, NULL, "silent", 1 },
		{ 14, "{\"files\":{}}", "there must be a file weir.conf", 1 },
		{ 14, "{\"files\":{\"weir.conf\":5}}", "\"weir.conf\" is not a name", 1 },
	};

	(void)state;
	add_address();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct asked_row table[] = {
			{ "/v1/peer/versions/14", rows[i].version, 0 },
			{ NULL, NULL, 0 },
		};

		asked_rows = table;
		peer_head = rows[i].head;
		if (ask_diff("1", "fra-1") != 503 || n_asked != rows[i].n_asked ||
		    !strstr(text_of("detail"), "node fra-1 did not send the version: ") ||
		    !strstr(text_of("detail"), rows[i].why))
			fail_msg("row %zu: %u %s", i, answer.status, text_of("detail"));
		assert_string_equal(text_of("code"), "peer-unreachable");
	}
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, asked_setup, asked_teardown)
	const struct CMUnitTest tests[] = {
		T(a_side_is_a_version_a_node_or_both),
		T(the_own_node_is_not_asked),
		T(two_own_versions_are_compared),
		T(a_peer_is_asked_for_its_version),
		T(what_was_compared_is_laid_out_no_longer_than_that),
		T(a_peer_that_gives_none_is_named),
		T(without_a_token_no_peer_is_asked),
	};

	return cmocka_run_group_tests_name("diff parts", tests, NULL, NULL);
}
