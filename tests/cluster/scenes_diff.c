/* SPDX-License-Identifier: BSD-2-Clause */
/* Versions of other nodes are fetched, compared, and not kept. */
#include "tests/cluster/scenes.h"

#include <string.h>

#define TOKEN "0123456789abcdef0123456789abcdef\n" /* scene.c's */

static struct node_answer ask_diff(struct node *n, const char *sides, const char *token)
{
	char path[100];

	snprintf(path, sizeof(path), "/v1/versions/%s", sides);
	node_write(n, "peer.token", token);
	return node_ask(n, &scene_ada, "GET", path, NULL);
}

static void judge_sides(struct scene *s, struct node *n, const char *sides, const char *from_node,
                        int from, const char *to_node, int to, const char *weight)
{
	struct node_answer a = ask_diff(n, sides, TOKEN);
	const char *text = scene_text(a.json, "text");

	JUDGE(s, a.status == 200, "%s: %u %s", sides, a.status, a.text);
	JUDGE(s,
	      !strcmp(scene_text(a.json, "from_node"), from_node) &&
	              scene_number(a.json, "from") == from &&
	              !strcmp(scene_text(a.json, "to_node"), to_node) &&
	              scene_number(a.json, "to") == to,
	      "%s: %s", sides, a.text);
	JUDGE(s, *weight ? strstr(text, weight) != NULL : !*text, "%s: %s", sides, text);
	JUDGE(s, (json_array_size(scene_value(a.json, "changes")) > 0) == (*weight != '\0'),
	      "%s: %s", sides, a.text);
	node_answer_fini(&a);
}

static void judge_refusal(struct scene *s, struct node *n, const char *sides, const char *token,
                          unsigned status, const char *why)
{
	struct node_answer a = ask_diff(n, sides, token);

	JUDGE(s, a.status == status && strstr(scene_text(a.json, "detail"), why), "%s: %u %s",
	      sides, a.status, a.text);
	node_answer_fini(&a);
}

void scenes_shared_diff(struct scene *s)
{
	scene_begin(s, 3, true);
	struct node *n = s->node[0];
	unsigned asked = node_number(n), other = node_number(s->node[1]);

	node_run_ms(8000);
	int head = 0;
	for (unsigned weight = 90; weight > 60; weight -= 20) {
		struct node_answer a = scene_apply(s, n, weight, "none");

		head = (int)scene_number(a.json, "version.number");
		JUDGE(s, a.status / 100 == 2, "weight %u: %u %s", weight, a.status, a.text);
		node_answer_fini(&a);
		JUDGE(s, scene_wait_equal(s, 12000), "the nodes differ");
		node_run_ms(6000);
	}
	char sides[40];

	snprintf(sides, sizeof(sides), "%d/diff/fra-1", head - 1);
	judge_sides(s, n, sides, "ams-1", head - 1, "fra-1", head, "+");
	snprintf(sides, sizeof(sides), "fra-1:%d/diff/head", head - 1);
	judge_sides(s, n, sides, "fra-1", head - 1, "ams-1", head, "+");
	judge_sides(s, n, "head/diff/fra-1", "ams-1", head, "fra-1", head, "");
	judge_refusal(s, n, "head/diff/fra-1:99", TOKEN, 503,
	              "node fra-1 did not send the version: ");
	judge_refusal(s, n, "head/diff/fra-1", "", 503,
	              "there is no usable peer.token on this node");
	link_cut_both(asked, other, true);
	judge_refusal(s, n, "head/diff/fra-1", TOKEN, 503, "node fra-1 did not send the version: ");
	link_cut_both(asked, other, false);
	scene_end(s);
}
