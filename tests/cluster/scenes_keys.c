/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client that got no answer sends its request again with the same Idempotency-Key: what it asked for is made once, whether
 * the node died, or the store's answer got lost.
 */
#include "tests/cluster/scenes.h"

#include <string.h>

#define TRIES_MAX 12u

static size_t count_in(struct node *n, const char *path, const char *reason)
{
	json_t *list = node_get(n, path);
	const json_t *item;
	size_t i, count = 0;

	json_array_foreach(scene_value(list, "items"), i, item) count +=
	        !strcmp(scene_text(item, "reason"), reason);
	json_decref(list);
	return count;
}

/*
 * Send it until it is answered well; the node dies now and then while it is under way, or the store loses answers.
 */
static void send_until_answered(struct scene *s, struct node *n, const struct node_person *who,
                                const char *path, const char *body)
{
	for (unsigned i = 0; i < TRIES_MAX; i++) {
		struct node_request *r = node_send(n, who, "POST", path, body);

		if (sched_chance(400)) {
			node_run_ms(sched_below(30));
			node_kill(n); /* the request is lost with it, unless it was answered */
			JUDGE(s, node_start(n), "%s does not start again", node_name(n));
			node_run_ms(s->has_store ? 6000 : 500);
			continue;
		}
		struct node_answer a = node_take(r);
		unsigned status = a.status;

		scene_note(s, "%s: %u %s", path, a.status, a.status / 100 == 2 ? "" : a.text);
		node_answer_fini(&a);
		if (status / 100 == 2)
			return;
		JUDGE(s, status == 503 || status == 412, "%s is answered by %u", path, status);
		node_run_ms(3000);
	}
	scene_fail(s, __FILE__, __LINE__, "%s is not answered", path);
}

static void play_keys(struct scene *s, size_t n_nodes)
{
	static const struct node_person ada = { .name = "ada",
		                                .role = HTTP_OPERATOR,
		                                .key = "apply-1" };
	static const struct node_person bob = { .name = "bob",
		                                .role = HTTP_ONCALL,
		                                .key = "drain-1" };

	scene_begin(s, n_nodes, n_nodes > 1);
	struct node *n = s->node[0];
	char *body = scene_apply_body(s, 90, "none", "keyed");

	node_run_ms(8000);
	if (s->has_store)
		etcd_net_lose_answers(400);
	send_until_answered(s, n, &ada, "/v1/config/apply", body);
	send_until_answered(s, n, &ada, "/v1/config/apply", body);
	send_until_answered(
	        s, n, &bob, "/v1/overrides",
	        "{\"do\": \"disable\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"b2\"}, \"until\": \"+2h\", "
	        "\"reason\": \"keyed\"}");
	etcd_net_lose_answers(0);
	node_run_ms(20000);
	JUDGE(s, count_in(n, "/v1/versions?limit=100", "keyed") == 1, "it was applied %zu times",
	      count_in(n, "/v1/versions?limit=100", "keyed"));
	JUDGE(s, count_in(n, "/v1/overrides?ended=true", "keyed") == 1,
	      "it was commanded %zu times", count_in(n, "/v1/overrides?ended=true", "keyed"));
	JUDGE(s, scene_weight_on_disk(n) == 90, "weight %u is in force", scene_weight_on_disk(n));
	free(body);
	scene_end(s);
}

void scenes_alone_keys(struct scene *s)
{
	play_keys(s, 1);
}

void scenes_shared_keys(struct scene *s)
{
	play_keys(s, 3);
}
