/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members that programs register: what one node is given is in force at all, while nodes are away, the store is gone, and
 * after all were killed.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cluster/scenes.h"
#include "tests/cluster/sched.h"
#include "weir/json.h"

#define NODES    3u
#define MEMBERS  "/v1/pools/web-fra/members"
#define FORCE_MS 3000u /* from an answer until all have it in force, announced two seconds ahead */
#define SOON_MS  30000u

/* The cluster's document with registration for pool web-fra. */
static void apply_registration(struct scene *s)
{
	static const char room[] = "max_backends = 9;";
	char *text = scene_document(s, 90), *whole;
	const char *pool = strstr(text, "{ name = \"web-fra\";"),
	           *at = pool ? strstr(pool, room) : NULL;

	JUDGE(s, at, "the document has no pool web-fra");
	if (asprintf(
	            &whole,
	            "%.*smax_backends = 1000; settle_time = \"5s\"; registration = { prefixes = [ \"10.77.0.0/16\" ]; };%s",
	            (int)(at - text), text, at + strlen(room)) < 0)
		abort();
	json_t *body = json_pack("{s:{s:s}, s:s, s:s}", "files", "weir.conf", whole, "reason",
	                         "a test", "confirm_within", "none");
	char *asked = json_dumps(body, 0);
	struct node_answer a = node_ask(s->node[0], &scene_ada, "POST", "/v1/config/apply", asked);

	JUDGE(s, a.status == 201 || a.status == 202, "the apply: %u %s", a.status, a.text);
	node_answer_fini(&a);
	json_decref(body);
	free(asked);
	free(whole);
	free(text);
}

static void begin_registration(struct scene *s)
{
	scene_begin(s, NODES, true);
	node_run_ms(8000);
	apply_registration(s);
	node_run_ms(5000);
}

struct member_wanted {
	const char *address;
	bool there;
};

static bool has_member(struct node *n, void *arg)
{
	const struct member_wanted *w = arg;
	char *document = node_state_file(n, "effective.conf"), quoted[64];

	/* a registered backend, not a member of a set that is over */
	snprintf(quoted, sizeof(quoted), "address = \"%s\"; port = 0; weight = ", w->address);
	const char *at = document ? strstr(document, quoted) : NULL;
	bool registered = at && strstr(at, "registered = true") &&
	                  strstr(at, "registered = true") < strchr(at, '}');

	free(document);
	return registered == w->there;
}

static void judge_member(struct scene *s, const char *address, bool there, uint64_t ms,
                         const char *when)
{
	struct member_wanted w = { address, there };

	JUDGE(s, scene_wait_all(s, has_member, &w, ms), "%s: not all nodes have %s%s", when,
	      there ? "" : "lost ", address);
}

static struct node_answer ask_member(struct node *n, const char *method, const char *id,
                                     const char *address)
{
	char path[128], body[128] = "";

	snprintf(path, sizeof(path), MEMBERS "/%s", id);
	if (address)
		snprintf(body, sizeof(body), "{\"address\": \"%s\", \"ttl\": \"60s\"}", address);
	return node_ask(n, &scene_bob, method, path, address ? body : NULL);
}

static void put_well(struct scene *s, struct node *n, const char *id, const char *address)
{
	struct node_answer a = ask_member(n, "PUT", id, address);

	JUDGE(s, a.status == 201, "PUT of %s at %s: %u %s", id, node_name(n), a.status,
	      a.text ? a.text : "");
	node_answer_fini(&a);
}

static void cut_all_from_store(struct scene *s, bool is_cut)
{
	for (size_t i = 0; i < NODES; i++)
		for (unsigned m = 0; m < ETCD_NET_MEMBERS; m++)
			link_cut_both(node_number(s->node[i]), ETCD_NET_FIRST + m, is_cut);
}

static void kill_and_start(struct scene *s)
{
	for (size_t i = 0; i < NODES; i++)
		node_kill(s->node[i]);
	for (size_t i = 0; i < NODES; i++)
		JUDGE(s, node_start(s->node[i]), "%s does not start again", node_name(s->node[i]));
}

void scenes_shared_members(struct scene *s)
{
	begin_registration(s);
	put_well(s, scene_any(s), "p1", "10.77.0.1");
	judge_member(s, "10.77.0.1", true, FORCE_MS, "put");

	struct node *away = s->node[sched_below(NODES)];

	node_kill(away);
	put_well(s, scene_any(s), "p2", "10.77.0.2");
	node_run_ms(sched_below(10000));
	JUDGE(s, node_start(away), "%s does not start again", node_name(away));
	judge_member(s, "10.77.0.2", true, SOON_MS, "put while one was away");

	struct node_answer a = ask_member(scene_any(s), "PUT", "p3", "10.77.0.2");

	JUDGE(s, a.status == 409, "an address twice: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);

	kill_and_start(s);
	judge_member(s, "10.77.0.1", true, SOON_MS, "after all were killed");
	judge_member(s, "10.77.0.2", true, SOON_MS, "after all were killed");
	node_run_ms(8000);

	a = ask_member(scene_any(s), "DELETE", "p1", NULL);
	JUDGE(s, a.status == 200, "DELETE: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	judge_member(s, "10.77.0.1", false, SOON_MS, "taken away");
	judge_member(s, "10.77.0.2", true, 1000, "beside it");
	scene_end(s);
}

static size_t count_drains(struct node *n)
{
	json_t *overrides = node_get(n, "/v1/overrides");
	size_t drains = json_array_size(json_object_get(overrides, "items"));

	json_decref(overrides);
	return drains;
}

/* It is registered again, which ends the drain two seconds later, and is taken away in between. */
static void judge_second_delete(struct scene *s, struct node *n)
{
	struct node_answer a = ask_member(n, "PUT", "p1", "10.77.0.1");

	JUDGE(s, a.status == 200, "a renewal that ends a drain: %u %s", a.status, a.text);
	node_answer_fini(&a);
	a = ask_member(n, "DELETE", "p1", NULL);
	JUDGE(s, a.status == 200, "a second DELETE: %u %s", a.status, a.text);
	node_answer_fini(&a);
	node_run_ms(5000);
	JUDGE(s, count_drains(n) == 1, "%zu drains after a second DELETE", count_drains(n));
}

/* It is to be drained in an hour, which is no drain now. */
static void judge_scheduled(struct scene *s, struct node *n)
{
	struct node_answer a = ask_member(n, "PUT", "p1", "10.77.0.1");

	node_answer_fini(&a);
	node_run_ms(5000);
	JUDGE(s, count_drains(n) == 0, "%zu drains of one that is registered again",
	      count_drains(n));
	a = node_ask(
	        n, &scene_bob, "POST", "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"p1\"}, "
	        "\"from\": \"+1h\", \"until\": \"+2h\", \"reason\": \"a test\"}");
	JUDGE(s, a.status == 201, "a drain in an hour: %u %s", a.status, a.text);
	node_answer_fini(&a);
	a = ask_member(n, "DELETE", "p1", NULL);
	JUDGE(s, a.status == 200, "a DELETE before a drain: %u %s", a.status, a.text);
	node_answer_fini(&a);
	node_run_ms(5000);
	json_t *overrides = node_get(n, "/v1/overrides");
	const char *state =
	        scene_text(json_array_get(json_object_get(overrides, "items"), 0), "state");

	JUDGE(s, strcmp(state, "scheduled") != 0, "p1 is %s after a DELETE", state);
	json_decref(overrides);
}

/* @param times  of a drain */
static void command_backends(struct scene *s, struct node *n, const char *what, const char *times)
{
	for (unsigned i = 1; i <= 2; i++) {
		char body[256];

		snprintf(
		        body, sizeof(body),
		        "{\"do\": \"%s\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"b%u\"}, %s"
		        "\"reason\": \"a test\"}",
		        what, i, times);
		struct node_answer a = node_ask(n, &scene_bob, "POST", "/v1/overrides", body);

		JUDGE(s, a.status / 100 == 2, "%s of b%u: %u %s", what, i, a.status, a.text);
		node_answer_fini(&a);
	}
}

/* Nothing takes the last one away, but on purpose. */
static void judge_last_one(struct scene *s, struct node *n)
{
	command_backends(s, n, "drain", "\"until\": \"+1h\", ");
	struct node_answer a = ask_member(n, "DELETE", "p2", NULL);

	JUDGE(s, a.status == 409, "the last one taken away: %u %s", a.status, a.text);
	node_answer_fini(&a);
	a = ask_member(n, "DELETE", "p2?override=last-backend", NULL);
	JUDGE(s, a.status == 200, "the last one taken away on purpose: %u %s", a.status, a.text);
	node_answer_fini(&a);
	a = ask_member(n, "PUT", "p2", "10.77.0.2");
	JUDGE(s, a.status == 200, "and registered again: %u %s", a.status, a.text);
	node_answer_fini(&a);
	command_backends(s, n, "undrain", "");
	node_run_ms(5000);
}

void scenes_shared_members_cut(struct scene *s)
{
	begin_registration(s);
	put_well(s, scene_any(s), "p1", "10.77.0.1");
	put_well(s, scene_any(s), "p2", "10.77.0.2");
	judge_member(s, "10.77.0.2", true, FORCE_MS, "put");
	cut_all_from_store(s, true);
	node_run_ms(15000);

	struct node *n = scene_any(s);
	struct node_answer a = ask_member(n, "PUT", "p3", "10.77.0.3");

	JUDGE(s, a.status == 503 && !strcmp(scene_text(a.json, "code"), "store-unavailable"),
	      "a PUT without the store: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	a = ask_member(n, "PUT", "p1", "10.77.0.1");
	JUDGE(s, a.status == 200, "a renewal without the store: %u %s", a.status,
	      a.text ? a.text : "");
	node_answer_fini(&a);
	a = ask_member(n, "DELETE", "p1", NULL);
	JUDGE(s, a.status == 200 && !strcmp(scene_text(a.json, "outcome"), "drained"),
	      "a DELETE without the store: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	judge_member(s, "10.77.0.1", true, 1000, "drained without the store");
	judge_second_delete(s, n);
	judge_scheduled(s, n);
	judge_last_one(s, n);
	kill_and_start(s);
	judge_member(s, "10.77.0.2", true, SOON_MS, "after all were killed without the store");
	cut_all_from_store(s, false);
	node_run_ms(20000);
	put_well(s, scene_any(s), "p3", "10.77.0.3");
	judge_member(s, "10.77.0.3", true, SOON_MS, "with the store again");
	n = scene_any(s);
	JUDGE(s, count_drains(n) == 1, "%zu drains of a DELETE without the store", count_drains(n));
	a = ask_member(n, "PUT", "p1", "10.77.0.1");
	JUDGE(s, a.status == 200, "put again: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	node_run_ms(FORCE_MS); /* a return is announced, too */
	JUDGE(s, count_drains(n) == 0, "registered again, and still drained");
	scene_end(s);
}

static bool has_state(struct node *n, void *arg)
{
	json_t *member = node_get(n, MEMBERS "/p1");
	bool holds = !strcmp(scene_text(member, "state"), arg);

	json_decref(member);
	return holds;
}

static int64_t store_revision(struct node *n)
{
	json_t *store = node_get(n, "/v1/store");
	int64_t revision = scene_number(store, "revision");

	json_decref(store);
	return revision;
}

#define BATCH      600u /* takes two seconds, by the pace of all nodes */
#define ONE_MAX_MS 500u

/* BATCH members: number @p from, and each @p step after it. */
static struct node_request *send_batch(struct node *n, unsigned from, unsigned step)
{
	json_t *put = json_array();

	for (unsigned i = 0; i < BATCH; i++) {
		unsigned k = from + i * step;

		json_array_append_new(
		        put, json_pack("{s:o, s:o}", "id", json_sprintf("r%u", k), "address",
		                       json_sprintf("10.77.%u.%u", 1 + k / 250, 1 + k % 250)));
	}
	json_t *body = json_pack("{s:o}", "put", put);
	char *asked = json_dumps(body, 0);
	struct node_request *r = node_send(n, &scene_bob, "POST", MEMBERS, asked);

	json_decref(body);
	free(asked);
	return r;
}

/* One that comes behind a large batch does not wait until all of that is written. */
void scenes_shared_members_batch(struct scene *s)
{
	begin_registration(s);
	struct node *n = scene_any(s);
	struct node_request *batch = send_batch(n, 0, 2);

	node_run_ms(300);
	uint64_t began_ns = sched_now_ns();

	put_well(s, n, "p1", "10.77.0.1");
	uint64_t one_ms = (sched_now_ns() - began_ns) / 1000000;
	struct node_answer a = node_take(batch);
	uint64_t all_ms = (sched_now_ns() - began_ns) / 1000000;

	JUDGE(s, a.status == 200, "the batch: %u %.300s", a.status, a.text);
	JUDGE(s, all_ms > 1000,
	      "the batch was written at once, in %" PRIu64 " ms: this shows nothing", all_ms);
	JUDGE(s, one_ms < ONE_MAX_MS,
	      "one waited for %" PRIu64 " ms behind a batch, which took %" PRIu64 " ms", one_ms,
	      all_ms);
	node_answer_fini(&a);
	judge_member(s, "10.77.0.1", true, FORCE_MS, "put");
	judge_member(s, "10.77.5.199", true, FORCE_MS, "of the batch");

	/* each other one is there already */
	batch = send_batch(n, 0, 1);
	put_well(s, n, "p2", "10.77.0.2");
	a = node_take(batch);
	JUDGE(s, a.status == 200, "half of them again: %u %.300s", a.status, a.text);
	node_answer_fini(&a);
	judge_member(s, "10.77.3.100", true, FORCE_MS, "of the second batch");
	scene_end(s);
}

/* One node hears of it, and all know; nothing is written. Who has started gives it a whole ttl. */
void scenes_shared_members_ttl(struct scene *s)
{
	begin_registration(s);

	struct node *hears = scene_any(s);

	put_well(s, hears, "p1", "10.77.0.1");
	judge_member(s, "10.77.0.1", true, FORCE_MS, "put");
	int64_t revision = store_revision(s->node[0]);

	for (unsigned i = 0; i < 12; i++) {
		node_run_ms(20000);
		struct node_answer a = ask_member(hears, "PUT", "p1", "10.77.0.1");

		JUDGE(s, a.status == 200 && !strcmp(scene_text(a.json, "outcome"), "renewed"),
		      "a renewal: %u %s", a.status, a.text ? a.text : "");
		node_answer_fini(&a);
		node_run_ms(6000);
		for (size_t k = 0; k < NODES; k++)
			JUDGE(s, has_state(s->node[k], "member"), "%s does not know of the renewal",
			      node_name(s->node[k]));
	}
	JUDGE(s, store_revision(s->node[0]) == revision, "renewals were written: %lld, was %lld",
	      (long long)store_revision(s->node[0]), (long long)revision);
	node_run_ms(75000);
	for (size_t k = 0; k < NODES; k++)
		JUDGE(s, has_state(s->node[k], "expired"), "%s does not say that it is expired",
		      node_name(s->node[k]));
	judge_member(s, "10.77.0.1", true, 1000, "expired, and nothing says that it is down");

	struct node *n = s->node[sched_below(NODES)];

	node_kill(n);
	JUDGE(s, node_start(n), "%s does not start again", node_name(n));
	node_run_ms(50000);
	JUDGE(s, has_state(n, "member"), "%s has ended a ttl that it did not hear", node_name(n));
	scene_end(s);
}
