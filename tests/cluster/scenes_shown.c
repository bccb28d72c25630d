/* SPDX-License-Identifier: BSD-2-Clause */
/* What persons are shown, to the letter (transcript.h). */
#include "tests/cluster/scenes.h"

#include <string.h>

#include "tests/cluster/siblings.h"
#include "tests/cluster/transcript.h"

#define ALL_STATES                                                                                                          \
	"/v1/status /v1/versions /v1/overrides?ended=true /v1/peers /v1/store /v1/clock /v1/node /v1/processes /v1/health " \
	"/v1/operations /v1/announcements /v1/events?limit=50"

static void ask_well(struct node *n, const struct node_person *who, const char *path,
                     const char *body)
{
	struct node_answer a = transcript_ask(n, who, "POST", path, body);

	node_answer_fini(&a);
}

static void apply_shown(struct scene *s, struct node *n, unsigned weight, const char *within,
                        const char *path)
{
	char *body = scene_apply_body(s, weight, within, "CHG-1");

	ask_well(n, &scene_ada, path, body);
	free(body);
}

static void plan_shown(struct scene *s, struct node *n, unsigned weight)
{
	char *text = scene_document(s, weight);
	json_t *json = json_pack("{s:{s:s}}", "files", "weir.conf", text);
	char *body = json_dumps(json, 0);

	ask_well(n, &scene_ada, "/v1/config/plan", body);
	free(body);
	json_decref(json);
	free(text);
}

/* Commands of all kinds, well or refused. */
static void command_all(struct node *n)
{
	static const char *const bodies[] = {
		"{\"do\": \"drain\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b1\"}, \"over\": \"60s\", \"until\": \"+1h\", \"reason\": \"INC-1\"}",
		"{\"do\": \"hold\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b1\"}, \"reason\": \"INC-1\"}",
		"{\"do\": \"drain\", \"target\": {\"site\": \"ams\"}, \"over\": \"5m\", \"until\": \"never\", \"reason\": \"INC-2\"}",
		"{\"do\": \"drain\", \"target\": {\"site\": \"fra\"}, \"until\": \"+2h\", \"now\": true, \"reason\": \"INC-3\", \"override_guards\": [\"room\"]}",
		"{\"do\": \"drain\", \"target\": {\"site\": \"lon\"}, \"until\": \"+2h\", \"reason\": \"INC-4\"}",
		"{\"do\": \"disable\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"b2\"}, \"until\": \"+30m\", \"reason\": \"INC-5\"}",
		"{\"do\": \"disable\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"b1\"}, \"until\": \"+30m\", \"reason\": \"INC-6\"}",
		"{\"do\": \"force_up\", \"target\": {\"pool\": \"web-lon\", \"backend\": \"b2\"}, \"until\": \"+30m\", \"reason\": \"INC-7\"}",
		"{\"do\": \"drain\", \"target\": {\"node\": \"ams-1\"}, \"until\": \"+30m\", \"reason\": \"INC-8\"}",
		"{\"do\": \"drain\", \"target\": {\"pool\": \"none\", \"backend\": \"b2\"}, \"until\": \"+30m\", \"reason\": \"INC-9\"}",
		"{\"do\": \"drain\", \"target\": {\"pool\": \"web-lon\", \"backend\": \"b1\"}, \"reason\": \"no until\"}",
		"{\"do\": \"undrain\", \"target\": {\"pool\": \"web-lon\", \"backend\": \"b1\"}, \"reason\": \"nothing to end\"}",
		"{\"do\": \"undrain\", \"target\": {\"site\": \"ams\"}, \"reason\": \"INC-2\"}",
		"{\"do\": \"enable\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"b2\"}, \"reason\": \"INC-5\"}",
		"{\"do\": \"dance\", \"target\": {\"site\": \"ams\"}, \"reason\": \"\"}",
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		ask_well(n, &scene_bob, "/v1/overrides?dry_run=true", bodies[i]);
		ask_well(n, &scene_bob, "/v1/overrides", bodies[i]);
		node_run_ms(3000);
	}
}

void scenes_shown_alone(struct scene *s)
{
	transcript_begin();
	scene_begin(s, 1, false);
	struct node *n = s->node[0];

	node_run_ms(2000);
	transcript_say("just started");
	transcript_show(n, ALL_STATES " /v1/config");
	transcript_say("versions");
	plan_shown(s, n, 90);
	plan_shown(s, n, 0);
	apply_shown(s, n, 90, NULL, "/v1/config/apply?dry_run=true");
	apply_shown(s, n, 90, "none", "/v1/config/apply");
	apply_shown(s, n, 90, "none", "/v1/config/apply");
	apply_shown(s, n, 0, "30s", "/v1/config/apply");
	apply_shown(s, n, 70, "30s", "/v1/config/apply");
	ask_well(n, &scene_ada, "/v1/config/check",
	         "{\"files\": {\"weir.conf\": \"schema = 1; nodes = 7; colour = \\\"red\\\";\"}}");
	transcript_show(
	        n, "/v1/versions /v1/versions/2/diff/3 /v1/versions/7 /v1/status?pool=web-ams");
	node_run_ms(35000);
	transcript_say("not confirmed");
	ask_well(n, &scene_bob, "/v1/versions/3/confirm", "{\"reason\": \"too late\"}");
	ask_well(n, &scene_bob, "/v1/versions/1/rollback",
	         "{\"reason\": \"as it was\", \"confirm_within\": \"none\"}");
	transcript_show(n, "/v1/versions /v1/events?limit=20");
	transcript_say("commands");
	command_all(n);
	transcript_show(n, ALL_STATES " /metrics");
	transcript_show_file(n, "effective.conf");
	node_stop(n);
	JUDGE(s, node_start(n), "it does not start again");
	node_run_ms(2000);
	transcript_say("started again, and later");
	node_run_ms(60000);
	transcript_show(n, "/v1/overrides");
	node_stop(n);
	node_run_ms(3480000);
	JUDGE(s, node_start(n), "it does not start once more");
	node_run_ms(60000);
	transcript_show(n, ALL_STATES);
	transcript_end(s);
	scene_end(s);
}

void scenes_shown_shared(struct scene *s)
{
	transcript_begin();
	scene_begin(s, 3, true);
	node_run_ms(10000);
	transcript_say("just started");
	for (size_t i = 0; i < 3; i++)
		transcript_show(s->node[i], "/v1/status /v1/peers /v1/store /v1/versions");
	apply_shown(s, s->node[0], 90, "none", "/v1/config/apply");
	apply_shown(s, s->node[1], 80, "20s", "/v1/config/apply");
	apply_shown(s, s->node[2], 70, "20s", "/v1/config/apply");
	node_run_ms(3000);
	transcript_show(s->node[2], "/v1/versions /v1/store");
	ask_well(s->node[2], &scene_bob, "/v1/versions/3/confirm", "{\"reason\": \"fine\"}");
	node_run_ms(3000);
	transcript_say("one is cut off from the store");
	for (unsigned m = 0; m < ETCD_NET_MEMBERS; m++)
		link_cut_both(0, ETCD_NET_FIRST + m, true);
	node_run_ms(15000);
	apply_shown(s, s->node[0], 60, "none", "/v1/config/apply");
	command_all(s->node[0]);
	transcript_show(s->node[0], "/v1/status /v1/store /v1/events?limit=20");
	transcript_show(s->node[1], "/v1/overrides /v1/peers");
	link_heal();
	node_run_ms(15000);
	transcript_say("it is back, and another one is gone");
	node_kill(s->node[2]);
	node_run_ms(15000);
	transcript_show(s->node[0], ALL_STATES);
	transcript_show(s->node[1], "/v1/status /v1/events?limit=20");
	JUDGE(s, node_start(s->node[2]), "it does not start again");
	node_run_ms(15000);
	transcript_show(s->node[2], ALL_STATES);
	transcript_end(s);
	scene_end(s);
}

/* What the other processes do, and fail to do, with a version. */
void scenes_shown_processes(struct scene *s)
{
	transcript_begin();
	scene_begin(s, 1, false);
	struct node *n = s->node[0];
	struct siblings *others = siblings_start(n);

	node_run_ms(4000);
	transcript_say("all is well");
	transcript_show(n, "/v1/status /v1/health /v1/processes /metrics");
	apply_shown(s, n, 90, "none", "/v1/config/apply");
	node_run_ms(3000);
	transcript_say("a process refuses");
	siblings_refuse(others, true);
	apply_shown(s, n, 80, "1m", "/v1/config/apply");
	transcript_show(n, "/v1/versions /v1/status?limit=5 /v1/events?limit=8");
	node_run_ms(3000);
	apply_shown(s, n, 70, "none", "/v1/config/apply?wait=all");
	node_run_ms(3000);
	transcript_show(n, "/v1/status?limit=5 /v1/events?limit=8");
	siblings_refuse(others, false);
	apply_shown(s, n, 60, "none", "/v1/config/apply");
	transcript_say("processes are late");
	siblings_be_late(others, true);
	apply_shown(s, n, 50, "1m", "/v1/config/apply?wait_ms=5000");
	apply_shown(s, n, 40, NULL, "/v1/config/apply");
	ask_well(n, &scene_bob, "/v1/versions/6/confirm", "{\"reason\": \"fine\"}");
	ask_well(
	        n, &scene_bob, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b1\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	transcript_show(n, "/v1/versions /v1/status?limit=5 /v1/events?limit=8");
	siblings_be_late(others, false);
	node_run_ms(3000);
	transcript_say("backends are down");
	siblings_fail_checks(others, true);
	node_run_ms(3000);
	ask_well(
	        n, &scene_bob, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b2\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	transcript_show(n, "/v1/status /v1/status?limit=1 /v1/health /v1/events?limit=8 /metrics");
	siblings_stop(others);
	node_run_ms(5000);
	transcript_say("processes have stopped");
	apply_shown(s, n, 30, "none", "/v1/config/apply?wait_ms=20000");
	transcript_show(n, "/v1/status?limit=5 /v1/processes /v1/events?limit=8");
	node_stop(n);
	JUDGE(s, node_start(n), "it does not start again");
	others = siblings_start(n);
	node_run_ms(20000);
	transcript_say("all have started again");
	transcript_show(n, "/v1/status /v1/versions /v1/events?limit=20");
	siblings_stop(others);
	transcript_end(s);
	scene_end(s);
}

/* Requests that are wrong, or rarely sent. */
struct shown_request {
	struct node_person who;
	const char *method, *path, *body;
};
#define VIEWER                                                                                     \
	{                                                                                          \
		.name = "eve", .role = HTTP_VIEWER                                                 \
	}
#define ONCALL                                                                                     \
	{                                                                                          \
		.name = "bob", .role = HTTP_ONCALL                                                 \
	}
#define OPERATOR                                                                                   \
	{                                                                                          \
		.name = "ada", .role = HTTP_OPERATOR                                               \
	}
#define KEYED(k)                                                                                   \
	{                                                                                          \
		.name = "ada", .role = HTTP_OPERATOR, .key = k                                     \
	}
#define MATCH(m)                                                                                   \
	{                                                                                          \
		.name = "bob", .role = HTTP_ONCALL, .if_match = m                                  \
	}
#define DISABLE                                                                                    \
	"{\"do\": \"disable\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"b2\"}, \"until\": \"+30m\", \"reason\": \"INC\"}"

static const struct shown_request shown_requests[] = {
	{ VIEWER, "GET", "/v1/nothing", NULL },
	{ VIEWER, "DELETE", "/v1/status", NULL },
	{ VIEWER, "GET", "/v1/config", NULL },
	{ VIEWER, "GET", "/v1/status?colour=red", NULL },
	{ VIEWER, "GET", "/v1/status?limit=0", NULL },
	{ VIEWER, "GET", "/v1/status?limit=2", NULL },
	{ VIEWER, "GET", "/v1/status?pool=none", NULL },
	{ VIEWER, "GET", "/v1/status?site=fra", NULL },
	{ VIEWER, "GET", "/v1/versions/0", NULL },
	{ VIEWER, "GET", "/v1/versions/x", NULL },
	{ VIEWER, "GET", "/v1/versions?limit=1", NULL },
	{ VIEWER, "GET", "/v1/versions/1?files=true", NULL },
	{ VIEWER, "GET", "/v1/versions/1/diff/head", NULL },
	{ VIEWER, "GET", "/v1/versions/1/diff/fra-1", NULL },
	{ VIEWER, "GET", "/v1/overrides?ended=perhaps", NULL },
	{ VIEWER, "GET", "/v1/overrides/none", NULL },
	{ VIEWER, "GET", "/v1/operations?state=live", NULL },
	{ VIEWER, "GET", "/v1/operations/none", NULL },
	{ VIEWER, "GET", "/v1/sites/ams/arrivals", NULL },
	{ VIEWER, "GET", "/v1/drills", NULL },
	{ VIEWER, "GET", "/v1/events?since=1&limit=1", NULL },
	{ VIEWER, "GET", "/v1/events?since=99&wait_ms=2000", NULL },
	{ VIEWER, "GET", "/v1/announcements?vip=none", NULL },
	{ VIEWER, "GET", "/healthz", NULL },
	{ OPERATOR, "GET", "/v1/dns/explain?name=www.shop.example", NULL },
	{ OPERATOR, "GET", "/v1/dataplane", NULL },
	{ OPERATOR, "GET", "/v1/health/targets", NULL },
	{ OPERATOR, "GET", "/v1/trace?source=198.51.100.7:40000&destination=203.0.113.10:80/tcp",
	  NULL },
	{ OPERATOR, "POST", "/v1/health/check", "{\"pool\": \"web-ams\", \"backend\": \"b1\"}" },
	{ OPERATOR, "POST", "/v1/zones/reload", "{\"reason\": \"zones\"}" },
	{ OPERATOR, "POST", "/v1/config/apply", "{\"files\": {}, \"reason\": \"none\"}" },
	{ OPERATOR, "POST", "/v1/config/apply",
	  "{\"files\": {\"weir.conf\": 7}, \"reason\": \"none\"}" },
	{ OPERATOR, "POST", "/v1/config/apply", "{\"reason\": \"none\"}" },
	{ OPERATOR, "POST", "/v1/files",
	  "{\"parts\": [{\"digest\": \"00\", \"bytes\": 1, \"offset\": 0, \"data\": \"AA==\"}]}" },
	{ OPERATOR, "POST", "/v1/store/accept", "{\"reason\": \"x\"}" },
	{ OPERATOR, "POST", "/v1/store/rebuild", "{\"reason\": \"x\"}" },
	{ ONCALL, "POST", "/v1/clock/accept", "{\"reason\": \"x\"}" },
	{ ONCALL, "POST", "/v1/versions/9/rollback", "{\"reason\": \"x\"}" },
	{ ONCALL, "POST", "/v1/versions/1/rollback",
	  "{\"reason\": \"x\", \"confirm_within\": \"soon\"}" },
	{ ONCALL, "POST", "/v1/overrides",
	  "{\"do\": \"drain\", \"id\": \"none\", \"reason\": \"x\", \"until\": \"+1h\"}" },
	{ ONCALL, "POST", "/v1/overrides",
	  "{\"do\": \"drain\", \"reason\": \"x\", \"until\": \"+1h\"}" },
	{ ONCALL, "POST", "/v1/overrides",
	  "{\"do\": \"drain\", \"target\": {\"site\": \"ams\", \"node\": \"x\"}, \"reason\": \"x\", \"until\": \"+1h\"}" },
	{ ONCALL, "POST", "/v1/overrides",
	  "{\"do\": \"drain\", \"target\": {\"site\": \"ams\"}, \"reason\": \"x\", \"until\": \"+1h\", \"from\": \"+2h\"}" },
	{ ONCALL, "POST", "/v1/overrides",
	  "{\"do\": \"drain\", \"target\": {\"site\": \"ams\"}, \"reason\": \"x\", \"until\": \"+1h\", \"override_guards\": [\"none\"]}" },
	{ ONCALL, "POST", "/v1/overrides?wait=perhaps", DISABLE },
	{ ONCALL, "POST", "/v1/operations",
	  "{\"do\": \"drain\", \"sites\": [\"ams\"], \"reason\": \"x\"}" },
	{ ONCALL, "POST", "/v1/operations/none/hold", "{\"reason\": \"x\"}" },
	{ ONCALL, "POST", "/v1/drills", "{\"reason\": \"x\"}" },
	{ KEYED("one"), "POST", "/v1/overrides", DISABLE },
	{ KEYED("one"), "POST", "/v1/overrides", DISABLE },
	{ KEYED("one"), "POST", "/v1/overrides?dry_run=true", DISABLE },
	{ MATCH("\"o1\""), "POST", "/v1/overrides", DISABLE },
	{ MATCH("nonsense"), "POST", "/v1/overrides", DISABLE },
	{ ONCALL, "POST", "/v1/overrides", DISABLE },
	{ OPERATOR, "POST", "/v1/overrides",
	  "{\"do\": \"disable\", \"target\": {\"node\": \"ams-1\"}, \"until\": \"+30m\", \"reason\": \"INC\"}" },
	{ MATCH("\"v7-00\""), "POST", "/v1/versions/1/rollback", "{\"reason\": \"x\"}" },
};

void scenes_shown_requests(struct scene *s)
{
	transcript_begin();
	scene_begin(s, 1, false);
	node_run_ms(2000);
	for (size_t i = 0; i < sizeof(shown_requests) / sizeof(shown_requests[0]); i++) {
		const struct shown_request *r = &shown_requests[i];
		struct node_answer a =
		        transcript_ask(s->node[0], &r->who, r->method, r->path, r->body);

		node_answer_fini(&a);
	}
	transcript_show(s->node[0], "/v1/overrides /v1/events");
	transcript_end(s);
	scene_end(s);
}

static char operation_path[64];

static const char *path_of(const char *id, const char *order)
{
	snprintf(operation_path, sizeof(operation_path), "/v1/operations/%.40s%s", id, order);
	return operation_path;
}

/*
 * A drain of a site by measurement, where nothing is measured: a person overrides what cannot be known. Its owner dies, another
 * one goes on, and it is taken back.
 */
void scenes_shown_operation(struct scene *s)
{
	static const char begin[] =
	        "{\"do\": \"drain\", \"sites\": [\"lon\"], \"reason\": \"INC\", \"override_guards\": [\"last-site\", "
	        "\"max-sites-out\", \"room\", \"receivers\", \"fresh\", \"unconfirmed\", \"backup\", "
	        "\"no-dns\", \"share\"]}";
	char id[48];

	transcript_begin();
	scene_begin(s, 3, true);
	node_run_ms(10000);
	apply_shown(s, s->node[0], 90, "none", "/v1/config/apply");
	node_run_ms(5000);
	ask_well(s->node[1], &scene_bob, "/v1/operations",
	         "{\"do\": \"drain\", \"sites\": [\"lon\"], \"reason\": \"INC\"}");
	ask_well(s->node[1], &scene_bob, "/v1/operations?dry_run=true", begin);
	struct node_answer a =
	        transcript_ask(s->node[1], &scene_bob, "POST", "/v1/operations", begin);

	snprintf(id, sizeof(id), "%s", scene_text(a.json, "id"));
	node_answer_fini(&a);
	node_run_ms(5000);
	transcript_show(s->node[0], path_of(id, ""));
	ask_well(s->node[2], &scene_bob, path_of(id, "/hold"), "{\"reason\": \"wait\"}");
	node_run_ms(3000);
	transcript_show(s->node[0], path_of(id, ""));
	ask_well(s->node[0], &scene_bob, path_of(id, "/resume"), "{\"reason\": \"go on\"}");
	node_run_ms(10000);
	transcript_show(s->node[0], path_of(id, ""));
	transcript_say("its owner dies");
	node_kill(s->node[1]);
	node_run_ms(30000);
	transcript_show(s->node[0], path_of(id, ""));
	transcript_show(s->node[2], "/v1/operations /v1/overrides /v1/events?limit=20");
	JUDGE(s, node_start(s->node[1]), "it does not start again");
	node_run_ms(15000);
	ask_well(s->node[1], &scene_bob, path_of(id, "/abort"), "{\"reason\": \"enough\"}");
	node_run_ms(30000);
	struct siblings *others = siblings_start(s->node[2]); /* it returns once its pools are up */

	ask_well(s->node[1], &scene_bob, "/v1/operations",
	         "{\"do\": \"undrain\", \"sites\": [\"lon\"], \"reason\": \"over\"}");
	node_run_ms(20000);
	transcript_show(s->node[2], path_of(id, ""));
	ask_well(s->node[0], &scene_bob, path_of(id, "/take"), "{\"reason\": \"mine\"}");
	ask_well(
	        s->node[2], &scene_bob, path_of(id, "/resume"),
	        "{\"reason\": \"over\", \"override_guards\": [\"room\", \"receivers\", \"fresh\", \"share\", \"last-site\", \"no-dns\"]}");
	node_run_ms(15000);
	transcript_show(s->node[1], path_of(id, ""));
	transcript_show(s->node[1],
	                "/v1/operations /v1/overrides /v1/status?limit=3 /v1/events?limit=20");
	siblings_stop(others);
	transcript_end(s);
	scene_end(s);
}
