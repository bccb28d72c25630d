/* SPDX-License-Identifier: BSD-2-Clause */
/* Three nodes that share a store: what documents say of the other nodes, and what one asks the others for. */
#include "tests/cluster/scenes.h"

#include <string.h>

#include "tests/cluster/web.h"

#define NODES   3u
#define SOON_MS 30000u /* two questions that fail, and the word of another node */

/* The cluster's document with @p from replaced by @p to, given. */
static char *edit_document(const struct scene *s, unsigned weight, const char *from, const char *to)
{
	char *text = scene_document(s, weight), *at = strstr(text, from), *out;

	JUDGE(s, at, "the document has no %s", from);
	if (asprintf(&out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) < 0)
		abort();
	free(text);
	return out;
}

/* Apply it at the first node; @p text is taken. */
static void apply_document(struct scene *s, char *text)
{
	json_t *body = json_pack("{s:{s:s}, s:s, s:s}", "files", "weir.conf", text, "reason",
	                         "a test", "confirm_within", "none");
	char *line = json_dumps(body, 0);
	struct node_answer a = node_ask(s->node[0], &scene_ada, "POST", "/v1/config/apply", line);

	JUDGE(s, a.status / 100 == 2, "an apply is answered by %u: %s", a.status,
	      a.text ? a.text : "");
	node_answer_fini(&a);
	json_decref(body);
	free(line);
	free(text);
}

struct peers_wanted {
	const char *site, *state; /* of lon-1; NULL: it is no peer */
};

/* fra-1 is a peer that agrees, and lon-1 is as wanted. */
static bool has_peers(struct node *n, void *arg)
{
	const struct peers_wanted *w = arg;
	json_t *peers = node_get(n, "/v1/peers");
	const json_t *items = scene_value(peers, "items");
	bool holds = json_array_size(items) == (w->site ? 2u : 1u) &&
	             !strcmp(scene_text(items, "0.node"), "fra-1") &&
	             !strcmp(scene_text(items, "0.state"), "agreed") &&
	             (!w->site || (!strcmp(scene_text(items, "1.node"), "lon-1") &&
	                           !strcmp(scene_text(items, "1.site"), w->site) &&
	                           !strcmp(scene_text(items, "1.state"), w->state)));

	json_decref(peers);
	return holds;
}

static void judge_peers(struct scene *s, const char *site, const char *state, const char *when)
{
	struct peers_wanted w = { site, state };
	uint64_t end_ns = sched_now_ns() + SOON_MS * SCHED_MS;

	while (!has_peers(s->node[0], &w) && sched_now_ns() < end_ns)
		node_run_ms(250);
	json_t *peers = node_get(s->node[0], "/v1/peers");
	char *text = json_dumps(peers, 0);

	JUDGE(s, has_peers(s->node[0], &w), "%s: %.900s", when, text ? text : "no answer");
	free(text);
	json_decref(peers);
}

/* Anything of a peer may be another one in a document, and it may have none while it is asked. */
void scenes_shared_peers(struct scene *s)
{
	static const char lon[] = "name = \"lon-1\"; site = \"lon\"", api[] = "10.9.0.3:8443";

	scene_begin(s, NODES, true);
	node_run_ms(8000);
	judge_peers(s, "lon", "agreed", "first");
	apply_document(s, edit_document(s, 90, lon, "name = \"lon-1\"; site = \"fra\""));
	judge_peers(s, "fra", "agreed", "at another site");
	apply_document(s, edit_document(s, 80, lon, "name = \"lon-1\"; site = \"ams\""));
	judge_peers(s, "ams", "agreed", "at the own site");
	apply_document(s, edit_document(s, 70, api, "10.9.0.3:9443"));
	node_run_ms(15000);
	judge_peers(s, "lon", "agreed", "at another address, where it listens now");
	apply_document(s, scene_document(s, 60));
	node_run_ms(15000);
	judge_peers(s, "lon", "agreed", "where it listened before");
	link_cut_both(0, 2, true);
	link_cut_both(1, 2, true);
	node_run_ms(sched_below(3000)); /* it is asked, and does not answer */
	s->n_nodes = 2;
	apply_document(s, scene_document(s, 50));
	judge_peers(s, NULL, NULL, "without it");
	node_run_ms(15000); /* its question has ended */
	s->n_nodes = NODES;
	apply_document(s, scene_document(s, 40));
	link_heal();
	judge_peers(s, "lon", "agreed", "with it again");
	scene_end(s);
}

static bool has_weight_90(struct node *n, void *arg)
{
	(void)arg;
	return scene_weight_on_disk(n) == 90;
}

/*
 * A version's files that no other node gives are asked for each second, not at each look. Once they are here the version comes
 * into force, and nobody asks for them again meanwhile.
 */
void scenes_shared_fetch(struct scene *s)
{
	scene_begin(s, NODES, true);
	node_run_ms(8000);
	link_cut_both(0, 2, true);
	link_cut_both(1, 2, true);
	struct node_answer a = scene_apply(s, s->node[0], 90, "none");

	JUDGE(s, a.status / 100 == 2, "an apply: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	node_run_ms(60000); /* what was sent to it is given up */
	node_stop(s->node[0]);
	node_stop(s->node[1]);
	link_heal();
	node_run_ms(12000); /* what was under way has ended */
	JUDGE(s, !has_weight_90(s->node[2], NULL), "it has the files already");
	web_count("\"query\":\"version\"");
	node_run_ms(10000);
	JUDGE(s, web_counted() >= 5 && web_counted() <= 2 * 11, "asked for files %u times",
	      web_counted());
	for (size_t i = 0; i < 2; i++)
		JUDGE(s, node_start(s->node[i]), "%s does not start again", node_name(s->node[i]));
	uint64_t from_ns = sched_now_ns();

	web_count("\"query\":\"version\"");
	JUDGE(s, scene_wait_all(s, has_weight_90, NULL, SOON_MS), "not all have the version");
	JUDGE(s, web_counted() <= 2 * (2 + (sched_now_ns() - from_ns) / (1000 * SCHED_MS)),
	      "asked for files %u times, though they were here", web_counted());
	scene_end(s);
}
