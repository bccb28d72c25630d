/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a node says to the proposals of another: who may ask, what leads on from its head, and
 * when its own gives way.
 */
#include "asked.h"

#include "mgmt/api/handle.h"
#include "mgmt/api/handle_files.h"
#include "mgmt/api/peers.h"
#include "mgmt/api/propose.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/yield.h"
#include "mgmt/store/records.h"

static struct version our_head, taken, yielded_to[2];
static bool is_untold, yields, has_it;
static enum intent_relation relation;
static int files_rc, take_rc;
static unsigned n_taken, n_pokes, n_yields, n_judged;

static const struct version *fake_head(const struct intent *in)
{
	(void)in;
	return our_head.number ? &our_head : NULL;
}

static int fake_version(struct intent *in, uint64_t number, struct version *v, struct files *files)
{
	(void)in;
	(void)files;
	*v = our_head;
	if (has_it)
		return number == our_head.number ? 0 : -2;
	return -2;
}

static bool fake_is_untold(const struct intent *in)
{
	(void)in;
	return is_untold;
}

static enum intent_relation fake_relate(struct intent *in, const struct version *list, size_t n)
{
	(void)in;
	(void)list;
	(void)n;
	return relation;
}

/* A head that gives way leaves its parent. */
static bool fake_yield(struct intent *in, const struct version *list, size_t n, const char *peer,
                       int64_t now_ms)
{
	(void)in;
	(void)peer;
	(void)now_ms;
	assert_int_equal(n, 2);
	memcpy(yielded_to, list, sizeof(yielded_to));
	n_yields++;
	if (!yields)
		return false;
	our_head.number--;
	memcpy(our_head.digest, our_head.parent, sizeof(our_head.digest));
	is_untold = false;
	return true;
}

static int fake_take(struct intent *in, const struct intent_offer *offers, size_t n, int64_t now_ms)
{
	(void)in;
	(void)now_ms;
	assert_int_equal(n, 1);
	n_taken++;
	taken = offers->version;
	if (!take_rc)
		our_head = offers->version;
	return take_rc;
}

static int fake_read_files(const json_t *object, const struct file_source *source,
                           struct files *out, char why[HTTP_TEXT_MAX])
{
	(void)object;
	(void)source;
	(void)out;
	snprintf(why, HTTP_TEXT_MAX, "%s", files_rc ? "no content" : "");
	return files_rc;
}

static bool has_no_model;

static const struct model *fake_model(const struct intent *in)
{
	return has_no_model ? NULL : intent_model(in);
}

static void fake_poke(struct core *core, bool others)
{
	(void)core;
	(void)others;
	n_pokes++;
}

static void fake_judge(struct core *core)
{
	(void)core;
	assert_true(n_taken > n_judged); /* what was taken just now */
	n_judged++;
}

/* The private parts too. */
#define intent_head     fake_head
#define intent_model    fake_model
#define intent_version  fake_version
#define intent_relate   fake_relate
#define intent_accept   fake_take
#define yield_is_untold fake_is_untold
#define yield_to        fake_yield
#define files_from_json fake_read_files
#define peers_poke      fake_poke
#define inforce_judge   fake_judge
#include "mgmt/api/handle_propose.c"
#undef intent_head

static struct http_reply answer;

static void fill_digest(char digest[DIGEST_TEXT_MAX], char digit)
{
	memset(digest, digit, DIGEST_TEXT_MAX - 1);
	digest[DIGEST_TEXT_MAX - 1] = '\0';
}

static struct version version_of(uint64_t number, char digest, char parent)
{
	struct version v = { .number = number, .time_ms = NOW_MS, .effective_ms = NOW_MS };

	fill_digest(v.digest, digest);
	fill_digest(v.parent, parent);
	snprintf(v.author, sizeof(v.author), "jw");
	snprintf(v.reason, sizeof(v.reason), "x");
	snprintf(v.node, sizeof(v.node), "fra-1");
	return v;
}

/* Version 5 is here, and a peer has made 6. */
static int setup(void **state)
{
	(void)asked_setup(state);
	our_head = version_of(5, 'b', 'a');
	is_untold = yields = has_it = false;
	relation = INTENT_AHEAD;
	files_rc = take_rc = 0;
	n_taken = n_pokes = n_yields = n_judged = 0;
	memset(&answer, 0, sizeof(answer));
	return 0;
}

static int teardown(void **state)
{
	http_reply_fini(&answer);
	return asked_teardown(state);
}

static json_t *body_of(const struct version *v)
{
	return json_pack("{s:s, s:s, s:o, s:{}}", "node", "fra-1", "cluster", "shop", "version",
	                 record_to_json(&version_record, v), "files");
}

/* Give @p body to @p handler. @return the state that is answered; "" for a problem */
static const char *give_body(http_handler *handler, json_t *body)
{
	struct http_request r = { .method = "POST", .json = body };

	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	handler(&this_node, &r, &answer);
	json_decref(body);
	const char *said = json_string_value(json_object_get(answer.json, "state"));
	return answer.status == 200 && said ? said : "";
}

static const char *push_version(struct version v)
{
	return give_body(handle_peer_push, body_of(&v));
}

static void a_successor_is_taken(void **state)
{
	(void)state;
	snprintf(this_node.reserved.node, sizeof(this_node.reserved.node), "fra-1");
	this_node.reserved.number = 6;
	this_node.reserved.since_ms = clock_mono_ms();
	assert_string_equal(push_version(version_of(6, 'c', 'b')), "taken");
	assert_int_equal(n_taken, 1);
	assert_int_equal(taken.number, 6);
	assert_int_equal(n_judged,
	                 1); /* who asks next hears of this version, not of the one before */
	assert_string_equal(this_node.reserved.node, ""); /* used up: the next may be asked for */
	const json_t *head = json_object_get(answer.json, "head");
	assert_int_equal(json_integer_value(json_object_get(head, "number")), 6);
	has_it = true;
	assert_string_equal(push_version(version_of(6, 'c', 'b')), "taken"); /* told again */
	assert_int_equal(n_taken, 1);
	assert_int_equal(n_pokes, 0);
}

static void what_does_not_lead_on_is_not_taken(void **state)
{
	static const struct {
		uint64_t number;
		char digest, parent;
		enum intent_relation relation;
		bool untold;
		int files, take;
		const char *word;
		unsigned pokes;
	} rows[] = {
		{ 6, 'c', 'b', INTENT_DIVERGED, false, 0, 0, "stale", 0 },
		{ 5, 'c', 'a', INTENT_DIVERGED, false, 0, 0, "stale", 0 },
		{ 4, 'a', '9', INTENT_BEHIND, false, 0, 0, "stale", 0 },
		{ 6, 'c', 'b', INTENT_AHEAD, true, 0, 0, "untold", 0 },
		{ 8, 'e', 'd', INTENT_AHEAD, false, 0, 0, "behind", 1 },
		{ 6, 'c', 'b', INTENT_AHEAD, false, -ENOENT, 0, "behind", 1 },
		{ 6, 'c', 'b', INTENT_AHEAD, false, -EBADMSG, 0, "behind", 1 },
		{ 6, 'c', 'b', INTENT_AHEAD, false, -EINVAL, 0, "refused", 0 },
		{ 6, 'c', 'b', INTENT_AHEAD, false, 0, -EROFS, "refused", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		relation = rows[i].relation;
		is_untold = rows[i].untold;
		files_rc = rows[i].files;
		take_rc = rows[i].take;
		n_taken = n_pokes = 0;
		const char *word =
		        push_version(version_of(rows[i].number, rows[i].digest, rows[i].parent));
		if (strcmp(word, rows[i].word) != 0 || n_pokes != rows[i].pokes)
			fail_msg("row %zu: %s, %u pokes", i, word, n_pokes);
		assert_int_equal(n_taken, rows[i].take != 0);
		const json_t *why = json_object_get(answer.json, "why");
		assert_string_equal(why ? json_string_value(why) : "",
		                    rows[i].take          ? "Read-only file system"
		                    : files_rc == -EINVAL ? "no content"
		                                          : "");
		assert_int_equal(our_head.number, 5);
	}
	our_head.number = 0; /* a node without a version fetches all of them */
	relation = INTENT_AHEAD;
	is_untold = false;
	n_pokes = 0;
	assert_string_equal(push_version(version_of(6, 'c', 'b')), "behind");
	assert_int_equal(n_pokes, 1);
}

/* Only a brother of the head, and never an automatic rollback, makes it give way. */
static void the_head_gives_way_to_its_brothers(void **state)
{
	struct version brother = version_of(5, 'c', 'a');

	(void)state;
	yields = true;
	assert_string_equal(push_version(version_of(6, 'c', 'b')), "taken");
	assert_int_equal(n_yields, 0); /* a successor */
	our_head = version_of(5, 'b', 'a');
	brother.undoes = 3;
	(void)push_version(brother);
	assert_int_equal(n_yields, 0);
	our_head = version_of(5, 'b', 'a');
	brother.undoes = 0;
	this_node.proposing = true; /* who hands it over decides (mgmt/api/propose.h) */
	(void)push_version(brother);
	assert_int_equal(n_yields, 0);
	this_node.proposing = false;
	our_head = version_of(5, 'b', 'a');
	assert_string_equal(push_version(brother), "taken");
	assert_int_equal(n_yields, 1);
	assert_int_equal(yielded_to[0].number, 5);
	assert_int_equal(yielded_to[1].number, 4); /* whose parent the pusher has */
	assert_string_equal(yielded_to[1].digest, brother.parent);
	assert_true(yielded_to[1].confirm_by_ms != 0);
	our_head = version_of(5, 'b', 'a');
	our_head.undoes = 2; /* ours is a rollback: what it undid is named, not what is before it */
	(void)push_version(brother);
	assert_int_equal(n_yields, 2);
	assert_int_equal(yielded_to[1].number, 2);
	has_it = true;
	our_head = version_of(5, 'b', 'a');
	assert_string_equal(push_version(our_head),
	                    "taken"); /* its own: nothing gives way to itself */
	assert_int_equal(n_yields, 2);
}

static void who_is_no_node_of_the_cluster_is_refused(void **state)
{
	static const struct {
		const char *name;
		const char *value; /* NULL: it is missing */
		unsigned status;
	} rows[] = {
		{ "cluster", "mail", 409 },
		{ "cluster", NULL, 400 },
		{ "node", NULL, 400 },
		{ "node", "", 400 },
		{ "node", "0123456789012345678901234567890123456789012345678901234567890123456789",
		  400 },
		{ "version", NULL, 400 },
		{ "version", "6", 400 },
	};
	struct version v = version_of(6, 'c', 'b');

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		json_t *body = body_of(&v);

		if (rows[i / 2].value)
			json_object_set_new(body, rows[i / 2].name, json_string(rows[i / 2].value));
		else
			json_object_del(body, rows[i / 2].name);
		assert_string_equal(give_body(i % 2 ? handle_peer_push : handle_peer_reserve, body),
		                    "");
		assert_int_equal(answer.status, rows[i / 2].status);
		assert_int_equal(n_taken, 0);
		assert_string_equal(this_node.reserved.node, "");
	}
	has_no_model = true; /* a node that joins is of no cluster yet */
	assert_string_equal(push_version(v), "");
	assert_int_equal(answer.status, 409);
	has_no_model = false;
}

static json_t *reserve_body(const char *node, json_t *parent, bool release)
{
	struct version v = version_of(6, 'c', 'b');
	json_t *body = body_of(&v);

	json_object_set_new(body, "node", json_string(node));
	json_object_set_new(body, "parent", parent);
	json_object_set_new(body, "release", json_boolean(release));
	return body;
}

static const char *name_of_holder(void)
{
	return json_string_value(json_object_get(answer.json, "holder"));
}

/* One has it at a time; only who has it gives it back. */
static void a_reservation_is_of_one_node(void **state)
{
	const struct version real = *intent_head(this_node.intent); /* as propose_grant() sees it */

	(void)state;
	assert_string_equal(
	        give_body(handle_peer_reserve,
	                  reserve_body("fra-1", record_to_json(&version_record, &real), false)),
	        "granted");
	assert_string_equal(name_of_holder(), "fra-1");
	assert_string_equal(
	        give_body(handle_peer_reserve,
	                  reserve_body("lon-1", record_to_json(&version_record, &real), false)),
	        "reserved");
	assert_string_equal(name_of_holder(), "fra-1");
	assert_string_equal(
	        give_body(handle_peer_reserve,
	                  reserve_body("lon-1", record_to_json(&version_record, &real), true)),
	        "released");
	assert_string_equal(name_of_holder(), "fra-1");
	assert_string_equal(
	        give_body(handle_peer_reserve,
	                  reserve_body("fra-1", record_to_json(&version_record, &real), true)),
	        "released");
	assert_string_equal(name_of_holder(), "");
	assert_string_equal(
	        give_body(handle_peer_reserve, reserve_body("lon-1", json_string("?"), false)),
	        "stale");
	assert_string_equal(
	        give_body(handle_peer_reserve, reserve_body("lon-1", json_null(), false)), "stale");
	assert_string_equal(name_of_holder(), "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_successor_is_taken),
		T(what_does_not_lead_on_is_not_taken),
		T(the_head_gives_way_to_its_brothers),
		T(who_is_no_node_of_the_cluster_is_refused),
		T(a_reservation_is_of_one_node),
	};

	return cmocka_run_group_tests_name("push parts", tests, NULL, NULL);
}
