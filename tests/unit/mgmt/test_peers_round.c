/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole round with a peer that is a real intent beside this node's: what is asked, taken and shown.
 */
#include "asked.h"

#include "mgmt/api/peers.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/join.h"
#include "mgmt/store/records.h"

static const struct model *fake_model; /* NULL: this node's own */

static const struct model *fake_join_model(const struct intent *in)
{
	return fake_model ? fake_model : intent_model(in);
}

/* The private parts too. */
#define join_model fake_join_model
#include "mgmt/api/peers.c"
#include "mgmt/api/peers_round.c"

static struct peers own;
static struct fixture peer_place;
static struct intent *peer; /* on node fra-1 */

static int setup(void **state)
{
	struct intent_options options = { .conf_dir = peer_place.conf,
		                          .state_dir = peer_place.state,
		                          .node = "fra-1" };

	memset(&own, 0, sizeof(own));
	fake_model = NULL;
	(void)asked_setup(state);
	this_node.peers = &own;
	fixture_make(&peer_place);
	return intent_open(&options, NOW_MS, &peer);
}

static int teardown(void **state)
{
	intent_close(peer);
	fixture_remove(&peer_place);
	return asked_teardown(state);
}

/* A change of @p in: the fixture's file with other first words. */
static void change_words(struct intent *in, const char *words, int64_t now_ms)
{
	struct files files = fixture_files("# two sites", words);
	struct intent_change c = {
		.files = &files, .author = "ada", .reason = "x", .pending = INTENT_PENDING_IGNORE
	};
	struct intent_changed changed = { 0 };

	assert_int_equal(intent_change(in, &c, now_ms, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
}

/* What the peer answers, laid out in the table that is asked. */
static char *answers[2];
static struct asked_row rows[4];

static char *text_of(json_t *taken)
{
	char *text = json_dumps(taken, JSON_COMPACT);

	json_decref(taken);
	assert_non_null(text);
	return text;
}

static void answer_as_peer(void)
{
	const struct version *head = intent_head(peer);
	char digest[DIGEST_TEXT_MAX];
	json_t *list = json_array();

	overrides_digest_at(intent_overrides(peer), clock_believed_ms(), digest);
	answers[0] = text_of(
	        json_pack("{s:s, s:s, s:o, s:I, s:{s:I}}", "cluster", "shop", "overrides", digest,
	                  "version", record_to_json(&version_record, head), "bits_per_s",
	                  (json_int_t)4000, "clock", "ms", (json_int_t)clock_mono_ms()));
	for (size_t i = 0; i < intent_overrides(peer)->n_items; i++)
		json_array_append_new(
		        list, record_to_json(&override_record, &intent_overrides(peer)->items[i]));
	json_array_append_new(list, json_string("no override"));
	answers[1] = text_of(json_pack("{s:o}", "items", list));
	rows[0] = (struct asked_row){ "/v1/peer/head", answers[0], 200 };
	rows[1] = (struct asked_row){ "/v1/peer/overrides", answers[1], 200 };
	rows[2] = (struct asked_row){ "/v1/peer/poke", "{}", 200 };
	rows[3] = (struct asked_row){ NULL, NULL, 0 };
	asked_rows = rows;
}

static void free_answers(void)
{
	for (size_t i = 0; i < 2; i++) {
		free(answers[i]);
		answers[i] = NULL;
	}
}

/* One round with the peer as it is now. @return its view */
static const struct peers_report *round_with_peer(void)
{
	static const struct model_site fra = { .name = "fra" };
	static struct model_node nodes[2] = {
		{ .name = "ams-1", .api = "https://a", .site = &fra },
		{ .name = "fra-1", .api = "https://f", .site = &fra }
	};
	static struct model m = { .cluster = "shop", .nodes = nodes, .n_nodes = 2 };

	fake_model = &m;
	answer_as_peer();
	n_asked = 0;
	one_round(&this_node, false);
	free_answers();
	assert_int_equal(own.n_reports, 1);
	return &own.reports[0];
}

static bool was_asked(const char *path)
{
	for (size_t i = 0; i < n_asked; i++)
		if (!strcmp(requested[i].url + strlen("https://f"), path))
			return true;
	return false;
}

/* It comes from the store: nothing is taken from a peer. */
static void a_newer_version_of_a_peer_is_seen(void **state)
{
	(void)state;
	const struct peers_report *v = round_with_peer();
	assert_int_equal(v->state, PEERS_AGREED);
	change_words(peer, "# of fra", NOW_MS + 10);
	v = round_with_peer();
	assert_int_equal(v->state, PEERS_AHEAD);
	assert_int_equal(n_asked, 1); /* its head alone */
	assert_int_equal(v->number, 2);
	assert_int_equal(v->head.number, 2);
	assert_string_equal(v->digest, intent_head(peer)->digest);
	assert_string_equal(v->node, "fra-1");
	assert_string_equal(v->site, "fra");
	assert_true(v->load_known && v->clock_known && v->answered_ms);
	assert_int_equal(v->bits, 4000);
	assert_int_equal(v->round, 2);
	assert_int_equal(intent_head(this_node.intent)->number, 1);
	change_words(this_node.intent, "# of ams", NOW_MS + 20);
	assert_int_equal(round_with_peer()->state, PEERS_DIFFERS);
}

static void who_is_behind_is_so_since_it_moved_last(void **state)
{
	(void)state;
	change_words(this_node.intent, "# of ams", NOW_MS + 10);
	const struct peers_report *v = round_with_peer();
	assert_int_equal(v->state, PEERS_BEHIND);
	assert_int_equal(v->number, 1);
	assert_int_equal(intent_head(this_node.intent)->number, 2);
	assert_true(v->behind_ms > 0);
	own.reports[0].behind_ms = 7; /* long ago: that is kept until it moves */
	assert_int_equal(round_with_peer()->behind_ms, 7);
	own.reports[0].digest[3] ^= 1;
	assert_true(round_with_peer()->behind_ms > 7);
}

static struct override make_drain(const char *id, const char *node)
{
	struct override o = { .kind = MODEL_OVERRIDE_DRAIN,
		              .target = MODEL_TARGET_SITE,
		              .generation = 1,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = MODEL_TIME_NEVER };

	snprintf(o.id, sizeof(o.id), "%s", id);
	snprintf(o.name, sizeof(o.name), "ams");
	snprintf(o.author, sizeof(o.author), "ada");
	snprintf(o.reason, sizeof(o.reason), "r");
	snprintf(o.node, sizeof(o.node), "%s", node);
	return o;
}

static void overrides_of_a_peer_are_merged(void **state)
{
	char id[2][MODEL_ID_MAX];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		override_make_id("fra-1", NOW_MS + (int64_t)i, i, id[i]);
		struct override o = make_drain(id[i], "fra-1");
		assert_int_equal(intent_merge(peer, &o, 1, NOW_MS + 10), 1);
	}
	const struct peers_report *v = round_with_peer();
	assert_true(was_asked("/v1/peer/overrides"));
	assert_int_equal(intent_overrides(this_node.intent)->n_items, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_non_null(overrides_find(intent_overrides(this_node.intent), id[i]));
	assert_int_equal(v->state, PEERS_AGREED);
	v = round_with_peer();
	assert_false(was_asked("/v1/peer/overrides")); /* nothing is new */
	override_make_id("ams-1", NOW_MS, 9, id[0]);
	struct override mine = make_drain(id[0], "ams-1");
	snprintf(mine.name, sizeof(mine.name),
	         "fra"); /* of another site: neither overrules the other */
	assert_int_equal(intent_merge(this_node.intent, &mine, 1, NOW_MS + 20), 1);
	v = round_with_peer();
	assert_int_equal(v->state, PEERS_BEHIND); /* it lacks ours */
	assert_int_equal(intent_overrides(this_node.intent)->n_items, 3);
}

/* All are poked before any is asked; who is poked asks us then. */
static void who_is_to_be_told_is_told_first(void **state)
{
	static const struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
	static char long_api[300];
	static struct model_node nodes[] = {
		{ .name = "ams-1", .api = "https://self", .site = &sites[0] },
		{ .name = "ams-2", .api = "https://a", .site = &sites[0] },
		{ .name = "fra-1", .api = "https://f", .site = &sites[1] },
		{ .name = "fra-2", .api = long_api, .site = &sites[1] },
		{ .name = "fra-3", .api = "", .site = &sites[1] },
	};
	static struct model m = { .cluster = "shop", .nodes = nodes, .n_nodes = 5 };
	static const char *const urls[] = { "https://a/v1/peer/poke", "https://f/v1/peer/poke",
		                            "/v1/peer/poke",          "https://a/v1/peer/head",
		                            "https://f/v1/peer/head", "/v1/peer/head" };

	(void)state;
	memset(long_api, 'x', sizeof(long_api) - 1);
	fake_model = &m;
	own.n_reports = 1;
	own.reports[0] = (struct peers_report){ .node = "fra-1", .round = 5, .hash_key = "k" };
	one_round(&this_node, true);
	assert_int_equal(n_asked, 6);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(requested[i].url, urls[i]);
	assert_int_equal(own.n_reports, 3);
	assert_string_equal(own.reports[0].node, "ams-2");
	assert_string_equal(own.reports[0].site, "ams");
	assert_int_equal(own.reports[0].round, 1);
	assert_string_equal(own.reports[1].node, "fra-1");
	assert_string_equal(own.reports[1].site, "fra");
	assert_int_equal(own.reports[1].round, 6); /* what was known of it is kept */
	assert_string_equal(own.reports[1].hash_key, "k");
	assert_false(own.reports[1].unasked);
	assert_true(own.reports[2].unasked);
	n_asked = 0;
	one_round(&this_node, false);
	assert_int_equal(n_asked, 3);
}

/* Its own round comes at once, and others are told if that was asked for once. */
static void a_poke_is_kept_until_the_next_round(void **state)
{
	(void)state;
	peers_poke(&this_node, false);
	assert_true(own.poked && !own.notify_others);
	peers_poke(&this_node, true);
	peers_poke(&this_node, false);
	assert_true(own.poked && own.notify_others);
	assert_true(peers_has_token(&this_node)); /* not known yet */
	own.token_known = true;
	assert_false(peers_has_token(&this_node));
	own.has_token = true;
	assert_true(peers_has_token(&this_node));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_newer_version_of_a_peer_is_seen),   T(who_is_behind_is_so_since_it_moved_last),
		T(overrides_of_a_peer_are_merged),      T(who_is_to_be_told_is_told_first),
		T(a_poke_is_kept_until_the_next_round),
	};

	return cmocka_run_group_tests_name("peers round", tests, NULL, NULL);
}
