/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verdicts that programs give: all nodes know within a second what one is told; it stands while nodes are away, and is
 * over at its time. Nothing of it is written.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/page.h"
#include "tests/cluster/scenes.h"
#include "tests/cluster/sched.h"
#include "tests/cluster/siblings.h"
#include "weir/external_page.h"
#include "weir/json.h"
#include "weir/model.h"

#define NODES    3u
#define VERDICTS "/v1/verdicts"
#define SOON_MS  1000u  /* from an answer until all know */
#define LEARN_MS 13000u /* from a start until a node has heard all, and connected to them */

/* The cluster's document with an external check. */
static void apply_external(struct scene *s)
{
	static const char before[] = "type = \"tcp\";";
	char *text = scene_document(s, 90), *at = strstr(text, before), *whole;

	JUDGE(s, at, "the document has no check of type tcp");
	if (asprintf(&whole, "%.*stype = \"external\";%s", (int)(at - text), text,
	             at + strlen(before)) < 0)
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

/* @param verdict  NULL: it is taken back */
static void say_verdict(struct scene *s, struct node *n, const char *target, const char *verdict,
                        const char *ttl)
{
	char path[128], body[128] = "";

	snprintf(path, sizeof(path), VERDICTS "/%s", target);
	if (verdict)
		snprintf(body, sizeof(body), "{\"verdict\": \"%s\", \"ttl\": \"%s\"}", verdict,
		         ttl);
	struct node_answer a =
	        node_ask(n, &scene_bob, verdict ? "PUT" : "DELETE", path, verdict ? body : NULL);

	JUDGE(s, a.status == 200, "%s of %s at %s: %u %s", verdict ? verdict : "nothing", target,
	      node_name(n), a.status, a.text ? a.text : "");
	node_answer_fini(&a);
}

struct verdict_wanted {
	const char *target, *verdict;
};

static bool has_verdict(struct node *n, void *arg)
{
	const struct verdict_wanted *w = arg;
	char path[128];

	snprintf(path, sizeof(path), VERDICTS "/%s", w->target);
	json_t *one = node_get(n, path);
	bool holds = !strcmp(scene_text(one, "verdict"), w->verdict);

	json_decref(one);
	return holds;
}

static void judge_all(struct scene *s, const char *target, const char *verdict, uint64_t ms,
                      const char *when)
{
	struct verdict_wanted w = { target, verdict };

	JUDGE(s, scene_wait_all(s, has_verdict, &w, ms), "%s: not all nodes have %s %s", when,
	      target, verdict);
}

/* What weir-health of a node reads. */
static const char *read_published(struct node *n, const char *pool, const char *backend)
{
	enum health_state state = HEALTH_UNKNOWN;
	char path[64];
	struct page *page;
	struct addr address;

	if (external_page_open(node_dirs(n)->run, &page))
		return "no page";
	/* scene_document(): of web-SITE, b1 is 10.K.1.11 */
	snprintf(path, sizeof(path), "10.%d.1.1%s",
	         !strcmp(pool, "web-ams")   ? 1
	         : !strcmp(pool, "web-fra") ? 2
	                                    : 3,
	         backend + 1);
	if (addr_parse(path, &address))
		abort();
	bool known = external_page_read(page_payload(page),
	                                health_target_backend(pool, model_backend_id(&address, 0)),
	                                (uint64_t)sched_boot_ns(node_host(n)) / SCHED_MS, &state);

	page_close(page);
	return known ? health_state_text(state) : "not known";
}

static void judge_published(struct scene *s, const char *verdict, const char *when)
{
	for (size_t i = 0; i < NODES; i++)
		if (node_runs(s->node[i]))
			JUDGE(s, !strcmp(read_published(s->node[i], "web-fra", "b1"), verdict),
			      "%s: %s publishes %s, not %s", when, node_name(s->node[i]),
			      read_published(s->node[i], "web-fra", "b1"), verdict);
}

static int64_t store_revision(struct node *n)
{
	json_t *store = node_get(n, "/v1/store");
	int64_t revision = scene_number(store, "revision");

	json_decref(store);
	return revision;
}

void scenes_shared_verdicts(struct scene *s)
{
	scene_begin(s, NODES, true);
	node_run_ms(8000);
	apply_external(s);
	node_run_ms(15000);
	judge_published(s, "unknown", "before anybody said anything");
	int64_t revision = store_revision(s->node[0]);
	size_t k = sched_below(NODES);
	struct node *teller = s->node[k], *other = s->node[(k + 1) % NODES];

	say_verdict(s, teller, "web-fra/b1", "down", "60s");
	judge_all(s, "web-fra/b1", "down", SOON_MS, "told at one");
	judge_published(s, "down", "told at one");
	judge_all(s, "web-fra/b2", "unknown", 0, "beside it");

	node_kill(teller);
	node_run_ms(5000 + sched_below(5000));
	judge_all(s, "web-fra/b1", "down", 0, "the teller is dead");
	say_verdict(s, other, "web-fra/b2", "up", "600s");
	judge_all(s, "web-fra/b2", "up", SOON_MS, "told while one is dead");
	JUDGE(s, node_start(teller), "%s does not start again", node_name(teller));
	judge_all(s, "web-fra/b1", "down", LEARN_MS, "the teller is back");
	judge_all(s, "web-fra/b2", "up", LEARN_MS, "the teller is back");

	node_run_ms(60000);
	judge_all(s, "web-fra/b1", "unknown", 0, "its time is over");
	judge_published(s, "unknown", "its time is over");
	judge_all(s, "web-fra/b2", "up", 0, "the other one stands");

	say_verdict(s, teller, "web-fra/b2", NULL, NULL);
	judge_all(s, "web-fra/b2", "unknown", SOON_MS, "taken back");
	JUDGE(s, store_revision(s->node[0]) == revision, "verdicts were written: %lld, was %lld",
	      (long long)store_revision(s->node[0]), (long long)revision);
	scene_end(s);
}

/* Nodes that cannot hear each other are told different things: in the end all have the newest of each target. */
void scenes_shared_verdicts_cut(struct scene *s)
{
	scene_begin(s, NODES, true);
	node_run_ms(8000);
	apply_external(s);
	node_run_ms(15000);
	size_t k = sched_below(NODES);
	struct node *away = s->node[k], *one = s->node[(k + 1) % NODES],
	            *two = s->node[(k + 2) % NODES];

	say_verdict(s, one, "web-ams/b1", "up", "1h");
	judge_all(s, "web-ams/b1", "up", SOON_MS, "before the cut");
	link_cut_both(node_number(away), node_number(one), true);
	link_cut_both(node_number(away), node_number(two), true);
	node_run_ms(1000);
	say_verdict(s, away, "web-ams/b1", "down", "1h");
	say_verdict(s, away, "web-fra/b1", "up", "1h");
	say_verdict(s, away, "web-lon/b1", "up", "5s");
	node_run_ms(2000 + sched_below(5000));
	say_verdict(s, two, "web-fra/b1", "down", "5s");
	node_run_ms(2000);
	say_verdict(s, away, "web-ams/b2", "up", "1h");
	say_verdict(s, away, "web-ams/b2", NULL, NULL);
	node_run_ms(30000);
	link_heal();
	judge_all(s, "web-ams/b1", "down", 20000, "the newest of those that stand");
	/* the newest is over, and does not let an older one stand again */
	judge_all(s, "web-fra/b1", "unknown", 20000, "the newest is over");
	judge_all(s, "web-lon/b1", "unknown", 0, "over everywhere");
	judge_all(s, "web-ams/b2", "unknown", 0, "taken back");
	node_run_ms(10000);
	judge_all(s, "web-fra/b1", "unknown", 0, "still over");
	judge_all(s, "web-ams/b1", "down", 0, "still there");
	scene_end(s);
}

/* A lone node has nobody to learn from; while it does not run, what it said stands for its time. */
void scenes_alone_verdicts(struct scene *s)
{
	scene_begin(s, 1, false);
	struct node *n = s->node[0];

	node_run_ms(1000);
	apply_external(s);
	node_run_ms(2000);
	say_verdict(s, n, "web-ams/b1", "down", "1h");
	node_run_ms(100);
	JUDGE(s, !strcmp(read_published(n, "web-ams", "b1"), "down"), "it publishes %s",
	      read_published(n, "web-ams", "b1"));
	node_kill(n);
	node_run_ms(20000);
	JUDGE(s, !strcmp(read_published(n, "web-ams", "b1"), "down"), "killed, it publishes %s",
	      read_published(n, "web-ams", "b1"));
	JUDGE(s, node_start(n), "it does not start again");
	judge_all(s, "web-ams/b1", "unknown", 0, "after a start");
	node_run_ms(12000);
	JUDGE(s, !strcmp(read_published(n, "web-ams", "b1"), "unknown"), "started, it publishes %s",
	      read_published(n, "web-ams", "b1"));
	scene_end(s);
}
