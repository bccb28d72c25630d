/* SPDX-License-Identifier: BSD-2-Clause */
/* Three nodes that share a store, and are given commands at the same moment: what guards promise holds of all that is written. */
#include "tests/cluster/scenes.h"

#include <stdio.h>
#include <string.h>

#define NODES   3u
#define SOON_MS 12000u /* by then all have what was decided, whatever messages took */

/* --- guards, which look at more than a command's target --- */

/** Two commands, of which the guards let pass either, but not both. */
struct rivals {
	const char *first, *second; /* the bodies of the requests */
	const char *before;         /* a command that is made first; NULL: none */
};

#define DISABLE_SITE(site)                                                                         \
	"{\"do\": \"disable\", \"target\": {\"site\": \"" site                                     \
	"\"}, \"until\": \"+2h\", \"reason\": \"INC\"}"
#define DRAIN_SITE(site)                                                                           \
	"{\"do\": \"drain\", \"target\": {\"site\": \"" site                                       \
	"\"}, \"until\": \"+2h\", \"now\": true, \"reason\": \"INC\"}"
#define DISABLE_BACKEND(backend)                                                                   \
	"{\"do\": \"disable\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"" backend        \
	"\"}, \"until\": \"+2h\", \"reason\": \"INC\"}"

static const struct rivals rivals[] = {
	{ DISABLE_SITE("ams"), DISABLE_SITE("fra"), DISABLE_SITE("lon") },
	{ DRAIN_SITE("ams"), DRAIN_SITE("fra"), DRAIN_SITE("lon") },
	{ DISABLE_SITE("ams"), DRAIN_SITE("fra"), DISABLE_SITE("lon") },
	{ DISABLE_BACKEND("b1"), DISABLE_BACKEND("b2"), NULL },
};

static struct node_request *send_command(struct node *n, const char *body)
{
	return node_send(n, &scene_bob, "POST", "/v1/overrides", body);
}

/* Whether a command was made, by its answer; one that was not has left nothing. */
static bool is_made(struct scene *s, struct node_request *r, const char *body)
{
	struct node_answer a = node_take(r);
	bool is = a.status / 100 == 2;

	scene_note(s, "%s: %u %s", body, a.status, a.text ? a.text : "");
	JUDGE(s, is || a.status == 409 || a.status == 503, "%s: %u %s", body, a.status,
	      a.text ? a.text : "");
	JUDGE(s, is || a.status == 503 || scene_value(a.json, "guards"), "%s: %s", body, a.text);
	node_answer_fini(&a);
	return is;
}

static bool has_count(struct node *n, void *arg)
{
	const size_t *count = arg;
	json_t *overrides = node_get(n, "/v1/overrides");
	bool has = json_array_size(scene_value(overrides, "items")) == *count;

	json_decref(overrides);
	return has;
}

/* Two nodes are given commands at once that together would leave nothing: one is refused. */
void scenes_shared_guards(struct scene *s)
{
	const struct rivals *pair =
	        &rivals[sched_below((unsigned)(sizeof(rivals) / sizeof(rivals[0])))];
	size_t at = sched_below(NODES), n_made = pair->before ? 1 : 0;

	scene_begin(s, NODES, true);
	node_run_ms(8000);
	if (pair->before)
		JUDGE(s, is_made(s, send_command(scene_any(s), pair->before), pair->before),
		      "the first of three is refused");
	JUDGE(s, scene_wait_all(s, has_count, &n_made, SOON_MS), "not all nodes have the first");
	struct node_request *a = send_command(s->node[at], pair->first);

	if (sched_chance(500))
		node_run_ms(sched_below(40));
	struct node_request *b = send_command(s->node[(at + 1) % NODES], pair->second);
	bool first = is_made(s, a, pair->first), second = is_made(s, b, pair->second);

	JUDGE(s, first || second, "neither is made");
	JUDGE(s, !first || !second, "both are made");
	n_made++;
	JUDGE(s, scene_wait_all(s, has_count, &n_made, SOON_MS),
	      "not all nodes have what was made");
	JUDGE(s, scene_wait_equal(s, SOON_MS), "the nodes differ");
	scene_end(s);
}

#define MANY 14u

/* A member of the store that the node uses is silent for a while: each command takes longer. */
static void make_slow(const struct node *n)
{
	unsigned member = ETCD_NET_FIRST + sched_below(ETCD_NET_MEMBERS);

	link_cut_both(node_number(n), member, true);
	node_run_ms(sched_below(6000));
	link_heal();
}

/* Many commands at one target, at one node: each follows those that came before, and is made. */
void scenes_shared_many(struct scene *s)
{
	static const char *const bodies[] = { DISABLE_SITE("ams"), DRAIN_SITE("ams") };
	struct node_request *requests[MANY];
	const char *body[MANY];
	size_t at = sched_below(NODES);

	scene_begin(s, NODES, true);
	node_run_ms(8000);
	for (size_t i = 0; i < MANY; i++) {
		body[i] = bodies[sched_below(2)];
		requests[i] = send_command(s->node[at], body[i]);
	}
	if (sched_chance(500))
		make_slow(s->node[at]);
	for (size_t i = 0; i < MANY; i++)
		JUDGE(s, is_made(s, requests[i], body[i]), "command %zu of %u is not made", i,
		      MANY);
	JUDGE(s, scene_wait_equal(s, SOON_MS), "the nodes differ");
	scene_end(s);
}

/* --- a node that is not in the version in force --- */

/* Apply the cluster's document of the first @p n nodes at the first. */
static void apply_nodes(struct scene *s, size_t n, unsigned weight)
{
	s->n_nodes = n;
	struct node_answer a = scene_apply(s, s->node[0], weight, "none");

	s->n_nodes = NODES;
	JUDGE(s, a.status / 100 == 2, "an apply is answered by %u: %s", a.status,
	      a.text ? a.text : "");
	node_answer_fini(&a);
}

static unsigned ask_last(struct scene *s, const char *path, const char *body, const char *code)
{
	struct node_answer a = node_ask(s->node[NODES - 1], &scene_bob, "POST", path, body);
	unsigned status = a.status;

	JUDGE(s, !*code || !strcmp(scene_text(a.json, "code"), code), "%s: %u %s", path, a.status,
	      a.text ? a.text : "");
	node_answer_fini(&a);
	return status;
}

/* It takes no command by which it would change what others do; once it is in the version again it does. */
void scenes_shared_removed(struct scene *s)
{
	static const struct {
		const char *path, *body;
	} rows[] = {
		{ "/v1/overrides", DRAIN_SITE("ams") },
		{ "/v1/overrides", DISABLE_BACKEND("b1") },
		{ "/v1/overrides",
		  "{\"do\": \"undrain\", \"target\": {\"site\": \"lon\"}, \"reason\": \"INC\"}" },
		{ "/v1/operations",
		  "{\"do\": \"drain\", \"sites\": [\"ams\"], \"reason\": \"INC\"}" },
		{ "/v1/operations/ams-1-1/hold", "{\"reason\": \"INC\"}" },
		{ "/v1/drills",
		  "{\"site\": \"ams\", \"clients\": \"198.51.100.0/24\", \"for\": \"1m\", \"reason\": \"INC\"}" },
		{ "/v1/drills/ams-1-1/end", "{\"reason\": \"INC\"}" },
	};
	size_t none = 0;

	scene_begin(s, NODES, true);
	node_run_ms(8000);
	if (sched_chance(500)) { /* it commands still where it cannot know */
		for (unsigned m = 0; m < ETCD_NET_MEMBERS; m++)
			link_cut_both(node_number(s->node[2]), ETCD_NET_FIRST + m, true);
		apply_nodes(s, NODES - 1, 90);
		node_run_ms(5000);
		JUDGE(s, ask_last(s, "/v1/overrides", DISABLE_BACKEND("b1"), "") == 201,
		      "without the store it takes no command");
		link_heal();
		none = 1;
	} else {
		apply_nodes(s, NODES - 1, 90);
	}
	node_run_ms(SOON_MS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		JUDGE(s, ask_last(s, rows[i].path, rows[i].body, "not-a-node") == 409,
		      "%s %s at a node that was removed", rows[i].path, rows[i].body);
	node_run_ms(5000);
	JUDGE(s, scene_wait_all(s, has_count, &none, SOON_MS), "it has commanded");
	apply_nodes(s, NODES, 80);
	node_run_ms(SOON_MS);
	JUDGE(s, ask_last(s, rows[0].path, rows[0].body, "") == 201,
	      "it does not command as one of them");
	scene_end(s);
}
