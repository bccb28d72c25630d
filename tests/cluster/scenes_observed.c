/* SPDX-License-Identifier: BSD-2-Clause */
/* What persons are shown of what the other processes see and do, to the letter (transcript.h). */
#include "tests/cluster/scenes.h"

#include <string.h>

#include "tests/cluster/siblings.h"
#include "tests/cluster/transcript.h"

#define ONE_NODE "/v1/status /v1/health /v1/dns /v1/dataplane /v1/announcements"

static const char observed_zone[] = "$TTL 300\n"
                                    "@ IN SOA ns1 hostmaster 2026112001 3600 600 604800 60\n"
                                    "@ IN NS ns1\n"
                                    "ns1 IN A 192.0.2.53\n";

/* The nodes of the site ams announce the same: an address of DNS, and the site's VIP; one of them also another of DNS. */
static void write_observed_nodes(const struct scene *s, FILE *f)
{
	for (size_t i = 0; i < s->n_nodes; i++) {
		const char *name = node_name(s->node[i]);
		bool announces = !strncmp(name, "ams", 3);
		unsigned dns = announces ? 53 : (unsigned)i;
		const char *more = !strcmp(name, "ams-2") ? ", \"192.0.2.54\"" : "";

		fprintf(f,
		        "%s{ name = \"%s\"; site = \"%.3s\"; ports = ( { interface = \"lo\"; } ); "
		        "tunnel_source = [ \"10.%zu.255.0/24\" ]; api = \"https://10.9.0.%zu:8443\"; "
		        "dns_listen = [ \"192.0.2.%u\"%s ]; ",
		        i ? ", " : "", name, name, i + 1, i + 1, dns, more);
		if (announces)
			fprintf(f,
			        "capacity = { bits = \"2Mbit\"; }; announce = { daemon = \"bird\"; dns = [ \"192.0.2.53\"%s ]; }; ",
			        more);
		fprintf(f, "}");
	}
}

static const char *const observed_sites[] = { "ams", "fra", "lon" };

static void write_observed_sites(FILE *f)
{
	fprintf(f, "sites = (");
	for (size_t i = 0; i < SCENE_SITES; i++)
		fprintf(f,
		        "%s { name = \"%s\"; capacity = { new_flows = \"100/s\"; bits = \"1Gbit\"; }; }",
		        i ? "," : "", observed_sites[i]);
	fprintf(f, " );\nchecks = ( { name = \"web\"; type = \"tcp\"; port = 80; } );\npools = (");
	for (size_t i = 0; i < SCENE_SITES; i++)
		fprintf(f,
		        "%s { name = \"web-%s\"; site = \"%s\"; check = \"web\"; mode = \"gue\"; max_backends = 9; min_healthy = \"50%%\"; "
		        "backends = (\n  { name = \"b1\"; address = \"10.%zu.1.11\"; weight = 100; }, { name = \"b2\"; address = "
		        "\"10.%zu.1.12\"; weight = 100; } ); }",
		        i ? "," : "", observed_sites[i], observed_sites[i], i + 1, i + 1);
	fprintf(f,
	        ", { name = \"game-ams\"; site = \"ams\"; mode = \"ipip\"; max_backends = 9; backends = ( { name = \"g1\"; address = "
	        "\"10.1.2.11\"; weight = 100; }, { name = \"g2\"; address = \"10.1.2.12\"; weight = 0; } ); } );\nvips = (");
	for (size_t i = 0; i < SCENE_SITES; i++)
		fprintf(f,
		        "%s { name = \"v-%s\"; site = \"%s\"; addresses = [ \"203.0.113.%zu\"%s ]; }",
		        i ? "," : "", observed_sites[i], observed_sites[i], i + 10,
		        i == 1 ? ", \"2001:db8:1::11\"" : "");
	fprintf(f, " );\n");
}

static char *observed_document(const struct scene *s)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		abort();
	fprintf(f,
	        "schema = 1;\ncluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\nnodes = ( ");
	write_observed_nodes(s, f);
	fprintf(f, " );\n");
	write_observed_sites(f);
	fprintf(f,
	        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80; vip_check = \"web\"; at = (");
	for (size_t i = 0; i < SCENE_SITES; i++)
		fprintf(f,
		        "%s { site = \"%s\"; vip = \"v-%s\"; pool = \"web-%s\"; backup = \"web-%s\"; "
		        "backup_max = { new_flows = \"100/s\"; bits = \"1Gbit\"; }; }",
		        i ? "," : "", observed_sites[i], observed_sites[i], observed_sites[i],
		        observed_sites[(i + 1) % SCENE_SITES]);
	fprintf(f,
	        " ); }, { name = \"game\"; protocol = \"udp\"; port = 7000; at = ( { site = \"ams\"; vip = \"v-ams\"; pool = \"game-ams\"; } ); } );\ndns = { zones = ( { name = \"shop.example\"; file = \"shop.example.zone\"; } );\n"
	        "  names = ( { name = \"www.shop.example\"; service = \"web\"; policy = \"weighted\"; ttl = { min = \"2s\"; max = \"5s\"; }; } ); };\n");
	fclose(f);
	return text;
}

/* --- a cluster with all processes --- */

struct observed_cluster {
	struct siblings *of[NODE_MAX]; /* by node */
	struct siblings_clients clients;
};

static void apply_observed(const struct scene *s)
{
	char *text = observed_document(s);
	json_t *body = json_pack("{s:{s:s, s:s}, s:s, s:s}", "files", "weir.conf", text,
	                         "shop.example.zone", observed_zone, "reason", "first",
	                         "confirm_within", "none");
	char *line = json_dumps(body, 0);
	struct node_answer a =
	        transcript_ask(s->node[0], &scene_ada, "POST", "/v1/config/apply", line);

	JUDGE(s, a.status / 100 == 2, "the document is refused: %s", a.text);
	node_answer_fini(&a);
	free(line);
	json_decref(body);
	free(text);
}

static void begin_observed(struct scene *s, size_t n, bool has_store, struct observed_cluster *o)
{
	*o = (struct observed_cluster){ .clients = { .flows_per_s = 90, .silent_ppm = 20000 } };
	transcript_begin();
	scene_begin(s, n, has_store);
	node_run_ms(5000);
	apply_observed(s);
	for (size_t i = 0; i < n; i++) {
		o->of[i] = siblings_start_all(s->node[i], &o->clients);
		siblings_end(o->of[i], SIBLING_ANNOUNCE, strncmp(node_name(s->node[i]), "ams", 3));
	}
	node_run_ms(11000);
}

static void end_observed(struct scene *s, struct observed_cluster *o)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		if (o->of[i])
			siblings_stop(o->of[i]);
	transcript_end(s);
	scene_end(s);
}

/* All nodes of the site see it so. */
static void see_all(const struct scene *s, const struct observed_cluster *o, const char *site,
                    const char *what, enum health_state state, unsigned marks,
                    enum health_reason reason)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		if (!site || !strncmp(node_name(s->node[i]), site, strlen(site)))
			siblings_see(o->of[i], what, state, marks, reason);
}

static void send_command(struct node *n, const char *path, const char *body)
{
	struct node_answer a = transcript_ask(n, &scene_bob, "POST", path, body);

	node_answer_fini(&a);
}

/* --- scenes --- */

void scenes_shown_backend(struct scene *s)
{
	struct observed_cluster o;

	begin_observed(s, 2, true, &o);
	struct node *n = s->node[0];

	transcript_say("all is well");
	transcript_show(n, ONE_NODE " /v1/dataplane/backends /v1/health/targets /metrics /");
	transcript_say("a backend does not answer once");
	siblings_see(o.of[0], "web-ams/b1", HEALTH_UP, HEALTH_MARK_DOUBT, HEALTH_REASON_TIMEOUT);
	node_run_ms(2000);
	transcript_show(n, "/v1/status?pool=web-ams /v1/health");
	transcript_say("it is down");
	siblings_see(o.of[0], "web-ams/b1", HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT);
	node_run_ms(3000);
	transcript_show(n,
	                "/v1/status?pool=web-ams /v1/health /v1/dns /v1/events?limit=5 /metrics /");
	transcript_say("the other one is drained, too");
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b2\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b2\"}, \"until\": \"+1h\", \"reason\": \"INC\", \"override_guards\": [\"last-backend\"]}");
	node_run_ms(3000);
	transcript_show(n, "/v1/status?pool=web-ams /v1/overrides /v1/events?limit=5");
	transcript_say("both are, so that the one that is up goes on");
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b1\"}, \"until\": \"+5s\", \"reason\": \"INC\", \"override_guards\": [\"last-backend\"]}");
	node_run_ms(3500);
	transcript_show(n, "/v1/status?pool=web-ams");
	node_run_ms(4000);
	transcript_say("and is down: the backup serves");
	siblings_see(o.of[0], "web-ams/b2", HEALTH_DOWN, 0, HEALTH_REASON_REFUSED);
	node_run_ms(3000);
	transcript_show(n, "/v1/status /v1/status?pool=web-ams&limit=1 /v1/health /metrics /");
	transcript_show(s->node[1], "/v1/status /v1/peers");
	transcript_say("the backup is down, too");
	siblings_see(o.of[0], "web-fra/b1", HEALTH_DOWN, 0, HEALTH_REASON_FULL_SIZE);
	siblings_see(o.of[0], "web-fra/b2", HEALTH_DOWN, 0, HEALTH_REASON_UNREACHABLE);
	node_run_ms(3000);
	transcript_show(n, "/v1/status?pool=web-ams /v1/events?limit=5");
	transcript_say("checks are inconclusive");
	siblings_see(o.of[0], "web-ams/b1", HEALTH_UP, HEALTH_MARK_INCONCLUSIVE,
	             HEALTH_REASON_LOCAL);
	siblings_see(o.of[0], "web-ams/b2", HEALTH_UP, HEALTH_MARK_INCONCLUSIVE,
	             HEALTH_REASON_LOCAL);
	node_run_ms(3000);
	transcript_show(n, "/v1/status?pool=web-ams /v1/health /");
	transcript_say("one is unknown, the other damped, and has no way");
	siblings_see(o.of[0], "web-ams/b1", HEALTH_UNKNOWN, HEALTH_MARK_RESTORED,
	             HEALTH_REASON_NONE);
	siblings_see(o.of[0], "web-ams/b2", HEALTH_UP, HEALTH_MARK_DAMPED, HEALTH_REASON_OK);
	siblings_lose_hop(o.of[0], "b2");
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"undrain\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b2\"}, \"reason\": \"INC\"}");
	node_run_ms(4000);
	transcript_show(n, "/v1/status /v1/health /metrics");
	transcript_say("a pool without checks is drained whole");
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"pool\": \"game-ams\", \"backend\": \"g1\"}, \"until\": \"+1h\", \"reason\": \"INC\", \"override_guards\": [\"last-backend\"]}");
	node_run_ms(4000);
	transcript_show(n, "/v1/status?pool=game-ams");
	transcript_say("all are back");
	siblings_lose_hop(o.of[0], NULL);
	see_all(s, &o, "ams", "web-ams/b1", HEALTH_UP, 0, HEALTH_REASON_OK);
	see_all(s, &o, "ams", "web-ams/b2", HEALTH_UP, 0, HEALTH_REASON_OK);
	see_all(s, &o, "ams", "web-fra/b1", HEALTH_UP, 0, HEALTH_REASON_OK);
	see_all(s, &o, "ams", "web-fra/b2", HEALTH_UP, 0, HEALTH_REASON_OK);
	node_run_ms(4000);
	transcript_show(n, "/v1/status /v1/health /v1/events?limit=12");
	end_observed(s, &o);
}

static char shown_path[96];

static const char *operation_path(const char *id, const char *order)
{
	snprintf(shown_path, sizeof(shown_path), "/v1/operations/%.40s%s", id, order);
	return shown_path;
}

/* Begin an operation; its id is kept in @p id. */
static void begin_operation(const struct scene *s, struct node *n, const char *body, char id[48])
{
	struct node_answer a = transcript_ask(n, &scene_bob, "POST", "/v1/operations", body);

	JUDGE(s, a.status / 100 == 2, "the operation is refused: %s", a.text);
	snprintf(id, 48, "%s", scene_text(a.json, "id"));
	node_answer_fini(&a);
}

static const char *operation_state(struct node *n, const char *id)
{
	static char state[32];
	json_t *json = node_get(n, operation_path(id, ""));

	snprintf(state, sizeof(state), "%s", scene_text(json, "state"));
	json_decref(json);
	return state;
}

/* Let it go on until it is there, for at most five minutes. */
static void await_operation(const struct scene *s, struct node *n, const char *id,
                            const char *state)
{
	for (unsigned i = 0; i < 60 && strcmp(operation_state(n, id), state) != 0; i++)
		node_run_ms(5000);
	struct node_answer a = node_ask(n, &scene_viewer, "GET", operation_path(id, ""), NULL);

	JUDGE(s, !strcmp(scene_text(a.json, "state"), state), "the operation is not %s: %s", state,
	      a.text);
	node_answer_fini(&a);
}

#define DRAIN_LON "{\"do\": \"drain\", \"sites\": [\"lon\"], \"reason\": \"INC\"}"

/* A site is drained by measurement to its end, and comes back. */
void scenes_shown_drain(struct scene *s)
{
	char id[48];
	struct observed_cluster o;

	begin_observed(s, 3, true, &o);
	struct node *owner = s->node[1], *target = s->node[2];

	transcript_say("all is well");
	transcript_show(owner, "/v1/status /v1/peers /v1/sites/lon/arrivals");
	send_command(owner, "/v1/operations?dry_run=true", DRAIN_LON);
	begin_operation(s, owner, DRAIN_LON, id);
	node_run_ms(6000);
	transcript_show(owner, operation_path(id, ""));
	await_operation(s, owner, id, "moving");
	node_run_ms(25000);
	transcript_say("half-way");
	transcript_show(owner, operation_path(id, ""));
	transcript_show(target, "/v1/status /v1/dns /v1/sites/lon/arrivals /metrics");
	await_operation(s, owner, id, "drained");
	transcript_say("DNS names it no more");
	transcript_show(owner, operation_path(id, ""));
	node_run_ms(60000);
	transcript_say("it is silent");
	transcript_show(target, operation_path(id, ""));
	transcript_show(
	        target,
	        "/v1/status /v1/overrides /v1/sites/lon/arrivals /v1/events?limit=20 /metrics /");
	begin_operation(s, target,
	                "{\"do\": \"undrain\", \"sites\": [\"lon\"], \"reason\": \"over\"}", id);
	node_run_ms(15000);
	transcript_say("it comes back");
	transcript_show(owner, operation_path(id, ""));
	transcript_show(owner, "/v1/operations /v1/overrides?ended=true /v1/events?limit=20");
	end_observed(s, &o);
}

/* A weight at ams, which fra changes and ams tries. @return the version's number */
static int64_t begin_trial(const struct scene *s, unsigned weight, const char *if_quiet)
{
	char body[400];

	snprintf(
	        body, sizeof(body),
	        "{\"edits\": [{\"method\": \"PATCH\", \"path\": \"pools/web-ams/backends/b1\", \"if_match\": \"*\", \"value\": {\"weight\": %u}}], "
	        "\"reason\": \"a trial\", \"canary\": \"ams\", \"confirm_if\": \"well for 20s\", \"confirm_within\": \"2m\"%s%s}",
	        weight, *if_quiet ? ", \"if_quiet\": " : "", if_quiet);
	struct node_answer a =
	        transcript_ask(s->node[1], &scene_ada, "POST", "/v1/changes?wait=all", body);
	int64_t number = scene_number(a.json, "version.number");

	JUDGE(s, a.status == 201, "the trial: %u %s", a.status, a.text);
	node_answer_fini(&a);
	return number;
}

/* Until the trial is decided; @return the seconds, or 100 */
static unsigned await_trial(const struct scene *s, int64_t number)
{
	for (unsigned i = 0; i < 100; i++) {
		if (strcmp(scene_version_state(s->node[1], number), "unconfirmed") != 0)
			return i;
		node_run_ms(1000);
	}
	return 100;
}

/* It is over in time, @p goes on or back, and the events say why. */
static void judge_trial(struct scene *s, int64_t number, bool goes, unsigned least_s,
                        unsigned most_s, const char *why, const char *words)
{
	unsigned after_s = await_trial(s, number);
	const char *state = scene_version_state(s->node[1], number);

	JUDGE(s, !strcmp(state, goes ? "in_force" : "ended"), "version %d is %s after %u s",
	      (int)number, state, after_s);
	JUDGE(s, after_s >= least_s && after_s <= most_s, "version %d is %s after %u s",
	      (int)number, state, after_s);
	node_run_ms(1500);
	JUDGE(s, scene_has_event(s->node[1], why, words), "no event says: %s, %s", why, words);
	transcript_show(s->node[0], "/v1/events?limit=4");
	node_run_ms(60000); /* a before, for the next one */
}

/* Versions are tried at ams, where clients are well off, badly off, as badly off as everywhere, or do not come. */
void scenes_shown_canary(struct scene *s)
{
	struct observed_cluster o;

	begin_observed(s, 3, true, &o);
	o.clients.flows_per_s = 900;
	node_run_ms(60000);
	transcript_say("clients are as well off as before: it goes on");
	int64_t number = begin_trial(s, 50, "");

	node_run_ms(10000);
	transcript_show(s->node[0], "/v1/status?limit=1");
	judge_trial(s, number, true, 8, 20, "all nodes were well for 20s", NULL);
	transcript_say("their SYNs are repeated: it goes back");
	number = begin_trial(s, 60, "");
	node_run_ms(6000);
	siblings_harm_clients(o.of[0], 200000);
	judge_trial(s, number, false, 1, 10, "refused on ams-1: ", "repeated SYNs: ");
	transcript_say("they are so before, too");
	number = begin_trial(s, 61, "");
	judge_trial(s, number, true, 18, 30, "all nodes were well for 20s", NULL);
	siblings_harm_clients(o.of[0], 0);
	node_run_ms(120000);
	transcript_say("and everywhere");
	number = begin_trial(s, 62, "");
	node_run_ms(6000);
	for (size_t i = 0; i < s->n_nodes; i++)
		siblings_harm_clients(o.of[i], 400000);
	judge_trial(s, number, true, 10, 30, "all nodes were well for 20s", NULL);
	for (size_t i = 0; i < s->n_nodes; i++)
		siblings_harm_clients(o.of[i], 0);
	node_run_ms(120000);
	transcript_say("for a moment");
	number = begin_trial(s, 65, "");
	node_run_ms(6000);
	for (size_t i = 0; i < s->n_nodes; i++)
		siblings_harm_clients(o.of[i], 400000);
	node_run_ms(4000);
	for (size_t i = 0; i < s->n_nodes; i++)
		siblings_harm_clients(o.of[i], 0);
	judge_trial(s, number, true, 5, 20, "all nodes were well for 20s", NULL);
	transcript_say("late, and at the place alone");
	node_run_ms(120000);
	number = begin_trial(s, 66, "");
	node_run_ms(15000);
	siblings_harm_clients(o.of[0], 60000);
	judge_trial(s, number, false, 1, 10, "refused on ams-1: ", "repeated SYNs: ");
	siblings_harm_clients(o.of[0], 0);
	o.clients.flows_per_s = 0;
	node_run_ms(400000);
	transcript_say("none come: it goes back");
	number = begin_trial(s, 63, "");
	node_run_ms(10000);
	transcript_show(s->node[0], "/v1/status?limit=1");
	judge_trial(s, number, false, 8, 20, "not comparable: too few clients at site/ams", NULL);
	transcript_say("or on");
	number = begin_trial(s, 64, "\"go\"");
	judge_trial(s, number, true, 18, 30, "all nodes were well for 20s", NULL);
	end_observed(s, &o);
}

/* A person resumes it, which is refused, or not. */
static void resume_operation(struct node *n, const char *id, const char *guards)
{
	char body[128];

	snprintf(body, sizeof(body), "{\"reason\": \"go on\"%s%s%s}",
	         *guards ? ", \"override_guards\": [\"" : "", guards, *guards ? "\"]" : "");
	send_command(n, operation_path(id, "/resume"), body);
}

/* Guards hold an operation; its owner dies. */
void scenes_shown_held(struct scene *s)
{
	char id[48];
	struct observed_cluster o;

	begin_observed(s, 3, true, &o);
	struct node *owner = s->node[1];

	begin_operation(s, owner, DRAIN_LON, id);
	node_run_ms(8000);
	transcript_say("the receivers' backends fail");
	see_all(s, &o, "fra", "web-fra/b1", HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT);
	see_all(s, &o, "fra", "web-fra/b2", HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT);
	node_run_ms(6000);
	transcript_show(s->node[0], operation_path(id, ""));
	resume_operation(owner, id, "");
	see_all(s, &o, "fra", "web-fra/b1", HEALTH_UP, 0, HEALTH_REASON_OK);
	see_all(s, &o, "fra", "web-fra/b2", HEALTH_UP, 0, HEALTH_REASON_OK);
	node_run_ms(4000);
	resume_operation(owner, id, "");
	node_run_ms(4000);
	transcript_say("more clients come than there is room for");
	o.clients.flows_per_s = 260;
	node_run_ms(13000);
	transcript_show(owner, operation_path(id, ""));
	o.clients.flows_per_s = 90;
	node_run_ms(12000);
	resume_operation(owner, id, "");
	transcript_say("a name server hangs");
	siblings_hang(o.of[0], SIBLING_DNS, true);
	node_run_ms(8000);
	transcript_show(owner, operation_path(id, ""));
	resume_operation(owner, id, "");
	siblings_hang(o.of[0], SIBLING_DNS, false);
	node_run_ms(3000);
	transcript_say("nothing is measured at the site");
	siblings_hang(o.of[2], SIBLING_DATAPLANE, true);
	node_run_ms(12000);
	transcript_show(owner, operation_path(id, ""));
	siblings_hang(o.of[2], SIBLING_DATAPLANE, false);
	node_run_ms(9000);
	resume_operation(owner, id, "fresh");
	node_run_ms(3000);
	transcript_say("the owner dies");
	node_kill(owner);
	node_run_ms(15000);
	transcript_show(s->node[0], operation_path(id, ""));
	transcript_show(s->node[2], "/v1/status /v1/operations /v1/events?limit=12 /metrics");
	send_command(s->node[0], operation_path(id, "/take"), "{\"reason\": \"mine\"}");
	send_command(s->node[0], operation_path(id, "/take"),
	             "{\"reason\": \"mine\", \"without\": [\"fra-1\"]}");
	node_run_ms(10000);
	transcript_show(s->node[0], operation_path(id, ""));
	JUDGE(s, node_start(owner), "it does not start again");
	o.of[1] = siblings_start_all(owner, &o.clients);
	siblings_end(o.of[1], SIBLING_ANNOUNCE, true);
	node_run_ms(10000);
	transcript_show(owner, operation_path(id, ""));
	send_command(owner, operation_path(id, "/abort"), "{\"reason\": \"enough\"}");
	node_run_ms(30000);
	transcript_show(owner, operation_path(id, ""));
	transcript_show(owner, "/v1/overrides /v1/status /v1/events?limit=20");
	end_observed(s, &o);
}

/* A site is dead as others see it; a drill. */
void scenes_shown_sites(struct scene *s)
{
	struct observed_cluster o;

	begin_observed(s, 3, true, &o);
	struct node *n = s->node[0];

	transcript_show(n, "/v1/status /v1/dns");
	transcript_show(
	        n,
	        "/v1/dns/explain?name=www.shop.example&client=198.51.3.7 /v1/dns/explain?name=www.shop.example&client=198.51.9.7");
	transcript_say("one of two sees a site down");
	siblings_see(o.of[0], "site lon", HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT);
	node_run_ms(8000);
	transcript_show(n, "/v1/status /v1/dns");
	transcript_say("both do");
	siblings_see(o.of[1], "site lon", HEALTH_DOWN, 0, HEALTH_REASON_REFUSED);
	node_run_ms(8000);
	transcript_show(n, "/v1/status /v1/dns /v1/peers /v1/events?limit=4 /metrics /");
	send_command(n, "/v1/operations?dry_run=true", DRAIN_LON);
	send_command(n, "/v1/operations?dry_run=true",
	             "{\"do\": \"drain\", \"sites\": [\"fra\"], \"reason\": \"INC\"}");
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"site\": \"fra\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	transcript_say("a person takes it as up");
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"force_up\", \"target\": {\"site\": \"lon\"}, \"until\": \"+20s\", \"reason\": \"INC\"}");
	node_run_ms(4000);
	transcript_show(n, "/v1/status /v1/dns");
	node_run_ms(20000);
	transcript_say("one side does not know");
	siblings_see(o.of[0], "site lon", HEALTH_UP, HEALTH_MARK_UNPROVEN, HEALTH_REASON_OK);
	siblings_see(o.of[1], "site lon", HEALTH_UP, HEALTH_MARK_INCONCLUSIVE, HEALTH_REASON_LOCAL);
	node_run_ms(8000);
	transcript_show(n, "/v1/status /v1/dns");
	see_all(s, &o, NULL, "site lon", HEALTH_UP, 0, HEALTH_REASON_OK);
	node_run_ms(8000);
	transcript_say("a drill");
	send_command(n, "/v1/drills",
	             "{\"site\": \"par\", \"clients\": \"198.51.3.0/24\", \"reason\": \"INC\"}");
	send_command(
	        n, "/v1/drills",
	        "{\"site\": \"ams\", \"clients\": \"198.51.3.0/24\", \"for\": \"30s\", \"reason\": \"INC\"}");
	send_command(
	        n, "/v1/drills",
	        "{\"site\": \"ams\", \"clients\": \"198.51.3.0/24\", \"for\": \"30s\", \"reason\": \"INC\"}");
	node_run_ms(12000);
	transcript_show(n, "/v1/drills /v1/status /v1/overrides");
	transcript_show(s->node[1], "/v1/drills");
	node_run_ms(30000);
	transcript_show(n, "/v1/drills /v1/drills?ended=true /v1/events?limit=12");
	see_all(s, &o, "ams", "web-fra/b1", HEALTH_DOWN, 0, HEALTH_REASON_UNREACHABLE);
	see_all(s, &o, "ams", "web-fra/b2", HEALTH_DOWN, 0, HEALTH_REASON_REFUSED);
	node_run_ms(4000);
	transcript_say("the backup would not serve");
	send_command(
	        n, "/v1/drills",
	        "{\"site\": \"ams\", \"clients\": \"198.51.3.0/24\", \"for\": \"30s\", \"reason\": \"INC\"}");
	send_command(n, "/v1/operations?dry_run=true",
	             "{\"do\": \"drain\", \"sites\": [\"ams\"], \"reason\": \"INC\"}");
	end_observed(s, &o);
}

#define PROCESSES "/v1/status?limit=1 /v1/processes /v1/events?limit=4"

/* Processes hang, end, and state what is wrong. */
void scenes_shown_hung(struct scene *s)
{
	static const char *const names[SIBLINGS] = { "dataplane", "health", "dns", "announce",
		                                     "run" };
	struct observed_cluster o;

	begin_observed(s, 2, true, &o);
	struct node *n = s->node[0];

	for (int i = 0; i < SIBLINGS; i++) {
		transcript_say("%s hangs", names[i]);
		siblings_hang(o.of[0], (enum sibling)i, true);
		node_run_ms(4000);
		transcript_show(n, PROCESSES);
		if (i == SIBLING_DATAPLANE)
			transcript_show(n, "/v1/status /v1/dataplane /metrics /");
		if (i == SIBLING_DNS)
			transcript_show(n,
			                "/v1/status /v1/dns /v1/dns/explain?name=www.shop.example");
		if (i == SIBLING_HEALTH)
			transcript_show(n, "/v1/health /v1/health/targets");
		if (i == SIBLING_ANNOUNCE)
			transcript_show(n, "/v1/announcements /metrics");
		siblings_hang(o.of[0], (enum sibling)i, false);
		node_run_ms(4000);
	}
	transcript_show(n, PROCESSES);
	for (int i = 0; i < SIBLINGS; i++) {
		transcript_say("%s ends, and starts again", names[i]);
		siblings_end(o.of[0], (enum sibling)i, true);
		node_run_ms(4000);
		transcript_show(n, PROCESSES);
		siblings_end(o.of[0], (enum sibling)i, false);
		node_run_ms(4000);
	}
	transcript_say("what they state");
	siblings_condition(o.of[0], SIBLING_DATAPLANE, "port-no-carrier", CONDITION_DEGRADED,
	                   "eth1", "port eth1 has no carrier: check the cable");
	siblings_condition(o.of[0], SIBLING_DNS, "listen-failed", CONDITION_DOWN, "192.0.2.53",
	                   "port 53 is in use: see ss -lnutp");
	siblings_condition(o.of[0], SIBLING_HEALTH, "checks-late", CONDITION_NOTE, "",
	                   "checks are late");
	siblings_condition(o.of[0], SIBLING_RUN, "restarted-often", CONDITION_DEGRADED, "weir-dns",
	                   "weir-dns was restarted 3 times");
	node_run_ms(3000);
	transcript_show(n, "/v1/status /v1/processes /v1/events?limit=5 /metrics /");
	transcript_show(s->node[1], "/v1/status?limit=1 /v1/peers");
	node_run_ms(11000);
	siblings_condition(o.of[0], SIBLING_DNS, "listen-failed", CONDITION_DEGRADED, "192.0.2.53",
	                   "port 53 is in use: see ss -lnutp");
	siblings_condition(o.of[0], SIBLING_DATAPLANE, NULL, CONDITION_NOTE, "", "");
	node_run_ms(3000);
	transcript_show(n, PROCESSES);
	siblings_be_late(o.of[0], true);
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"disable\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b2\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	node_run_ms(5000);
	transcript_show(n, PROCESSES);
	end_observed(s, &o);
}

#define DRAIN_AMS_2                                                                                \
	"{\"do\": \"drain\", \"target\": {\"node\": \"ams-2\"}, \"until\": \"+1h\", \"reason\": \"INC\"}"
#define ANNOUNCED "/v1/announcements /v1/status?limit=2 /v1/events?limit=6"

/* Whether the second node may be drained: while all is well, while what the first one announces is not known, with many clients. */
static void try_drain(struct node *n, struct observed_cluster *o)
{
	send_command(n, "/v1/overrides?dry_run=true", DRAIN_AMS_2);
	siblings_hang(o->of[0], SIBLING_ANNOUNCE, true);
	node_run_ms(7000);
	transcript_say("what one of two announces is not known");
	send_command(n, "/v1/overrides?dry_run=true", DRAIN_AMS_2);
	siblings_hang(o->of[0], SIBLING_ANNOUNCE, false);
	o->clients.flows_per_s = 250;
	node_run_ms(15000);
	transcript_say("there are too many clients for one");
	send_command(n, "/v1/overrides?dry_run=true", DRAIN_AMS_2);
	o->clients.flows_per_s = 90;
	node_run_ms(12000);
}

/* A node is drained while another one announces the same; and not where none does. */
void scenes_shown_node(struct scene *s)
{
	struct observed_cluster o;

	begin_observed(s, 4, true, &o);
	struct node *n = s->node[0], *other = s->node[3];

	transcript_show(n, "/v1/announcements /v1/announcements?vip=v-ams&limit=1 /v1/status");
	try_drain(other, &o);
	send_command(
	        n, "/v1/overrides?dry_run=true",
	        "{\"do\": \"drain\", \"target\": {\"node\": \"ams-1\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"node\": \"ams-1\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	node_run_ms(2500);
	transcript_say("it is in graceful shutdown");
	transcript_show(n, ANNOUNCED);
	node_run_ms(12000);
	transcript_say("it is withdrawn");
	transcript_show(n, ANNOUNCED " /metrics /");
	transcript_show(other, ANNOUNCED " /v1/peers");
	send_command(
	        other, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"node\": \"ams-2\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	send_command(
	        other, "/v1/overrides",
	        "{\"do\": \"drain\", \"target\": {\"node\": \"ams-2\"}, \"until\": \"+1h\", \"reason\": \"INC\", \"override_guards\": [\"last-announcer\"]}");
	node_run_ms(12000);
	transcript_say("nobody confirms the last one");
	transcript_show(other, ANNOUNCED);
	send_command(
	        other, "/v1/overrides",
	        "{\"do\": \"undrain\", \"target\": {\"node\": \"ams-2\"}, \"reason\": \"INC\"}");
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"undrain\", \"target\": {\"node\": \"ams-1\"}, \"reason\": \"INC\"}");
	node_run_ms(6000);
	transcript_say(
	        "both are back; routers send no packets to one, and the other sites are gone");
	transcript_show(n, ANNOUNCED);
	siblings_cut_clients(o.of[0], true);
	for (size_t i = 1; i < 3; i++) {
		siblings_stop(o.of[i]);
		o.of[i] = NULL;
		node_stop(s->node[i]);
	}
	node_run_ms(75000);
	transcript_show(n, ANNOUNCED);
	siblings_cut_clients(o.of[0], false);
	transcript_say("its tables are empty");
	siblings_hang(o.of[3], SIBLING_DATAPLANE, true);
	siblings_forget_connections(o.of[0]);
	node_run_ms(4000);
	transcript_show(n, "/v1/status?limit=1 /v1/dataplane");
	siblings_hang(o.of[3], SIBLING_DATAPLANE, false);
	node_run_ms(6000);
	transcript_show(n, "/v1/status?limit=1 /v1/dataplane");
	transcript_say("its routing daemon is silent");
	siblings_lose_daemon(o.of[0], true);
	node_run_ms(5000);
	transcript_show(n, ANNOUNCED " /metrics");
	transcript_show(other, "/v1/peers");
	send_command(
	        other, "/v1/overrides?dry_run=true",
	        "{\"do\": \"drain\", \"target\": {\"node\": \"ams-2\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	send_command(
	        n, "/v1/overrides",
	        "{\"do\": \"disable\", \"target\": {\"node\": \"ams-1\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	siblings_lose_daemon(o.of[0], false);
	node_run_ms(5000);
	transcript_show(n, ANNOUNCED);
	end_observed(s, &o);
}

static struct node_request *send_drain(struct node *n, const char *target, const char *times)
{
	char body[256];

	snprintf(body, sizeof(body), "{\"do\": \"drain\", \"target\": %s, %s, \"reason\": \"INC\"}",
	         target, times);
	return node_send(n, &scene_bob, "POST", "/v1/overrides", body);
}

/* A drain waits while another command is written, and meanwhile the node ends that announces the same. */
void scenes_shown_waited(struct scene *s)
{
	struct observed_cluster o;

	begin_observed(s, 4, true, &o);
	struct node *n = s->node[0];

	send_command(
	        n, "/v1/overrides?dry_run=true",
	        "{\"do\": \"drain\", \"target\": {\"node\": \"ams-1\"}, \"until\": \"+1h\", \"reason\": \"INC\"}");
	for (unsigned m = 0; m < ETCD_NET_MEMBERS; m++)
		link_cut_both(node_number(n), ETCD_NET_FIRST + m, true);
	struct node_request *first = node_send(
	        n, &scene_bob, "POST", "/v1/overrides",
	        "{\"do\": \"disable\", \"target\": {\"site\": \"lon\"}, \"until\": \"+2h\", \"reason\": \"INC\"}");
	node_run_ms(300);
	struct node_request *drain = send_drain(n, "{\"node\": \"ams-1\"}", "\"until\": \"+1h\"");
	struct node_request *short_one =
	        send_drain(n, "{\"node\": \"ams-2\"}", "\"until\": \"+1s\"");
	struct node_request *later = send_drain(n, "{\"pool\": \"web-ams\", \"backend\": \"b1\"}",
	                                        "\"from\": \"+1s\", \"until\": \"+1h\"");

	node_run_ms(700);
	siblings_stop(o.of[3]);
	o.of[3] = NULL;
	node_kill(s->node[3]);
	struct node_answer a = node_take(first), b = node_take(drain);
	struct node_answer c = node_take(short_one), d = node_take(later);

	link_heal();
	JUDGE(s, a.status == 201, "the first one: %u %s", a.status, a.text);
	JUDGE(s, strstr(b.text, "whether another node announces"), "the drain: %u %s", b.status,
	      b.text);
	JUDGE(s, c.status == 503 && strstr(c.text, "have been over before"), "the short one: %u %s",
	      c.status, c.text);
	JUDGE(s, d.status == 201, "the later one: %u %s", d.status, d.text);
	node_answer_fini(&a);
	node_answer_fini(&b);
	node_answer_fini(&c);
	node_answer_fini(&d);
	node_run_ms(8000);
	transcript_show(n, ANNOUNCED " /v1/overrides");
	end_observed(s, &o);
}
