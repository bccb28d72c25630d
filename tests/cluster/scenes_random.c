/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Schedules by the seed: persons apply, confirm and command at any node, while links and members of the store fail, answers are
 * lost, nodes are stopped and killed. Then all is healed, and judged:
 *   - all nodes show the same, and no version waits to be confirmed;
 *   - what a person was told is made is there: a version; its confirmation, so that it has not ended; a command, or a later one
 *     at its target;
 *   - what was refused is not there.
 */
#include "tests/cluster/scenes.h"

#include <string.h>

#include "tests/cluster/siblings.h"

#define NODES          3u
#define CHANGES_MAX    20u /* fewer than the versions that are kept */
#define ORDERS_MAX     60u
#define OPERATIONS_MAX 12u
#define TARGETS        4u
#define FAULTS_MS      90000u
#define HEALED_MS      60000u /* longer than any time to confirm, and than requests wait */

/* What a person asked for. */
struct person_request {
	struct node_request *request; /* NULL: it is over */
	unsigned status;              /* 0: no answer */
	char code[32];                /* of a problem */
};

struct change {
	struct person_request asking;
	char reason[24];
	bool is_final; /* it needs no confirmation */
	int64_t number;
};

struct confirmation {
	struct person_request asking;
	int64_t number;
};

struct order {
	struct person_request asking;
	unsigned target;
	bool begins;
	int64_t generation;
};

struct schedule {
	struct scene *s;
	bool has_others; /* other processes run beside weir-mgmt */
	struct siblings *others[NODES];
	struct change changes[CHANGES_MAX];
	struct confirmation confirmations[CHANGES_MAX];
	struct order orders[ORDERS_MAX];
	size_t n_changes, n_confirmations, n_orders;
	struct person_request operations[OPERATIONS_MAX];
	char operation[48]; /* the id of the last one that began; "": none */
	size_t n_operations;
};

static const struct {
	const char *pool, *backend;
} targets[TARGETS] = {
	{ "web-ams", "b1" }, { "web-ams", "b2" }, { "web-fra", "b1" }, { "web-lon", "b2" }
};

/* --- persons --- */

static void apply_something(struct schedule *c)
{
	static const char *const times[] = { "none", "10s", "20s", "30s" };
	struct node *n = scene_any(c->s);

	if (!n || c->n_changes == CHANGES_MAX)
		return;
	struct change *change = &c->changes[c->n_changes++];
	size_t within = sched_below(4);

	snprintf(change->reason, sizeof(change->reason), "change-%zu", c->n_changes);
	change->is_final = within == 0;
	char *body =
	        scene_apply_body(c->s, 10 + (unsigned)c->n_changes, times[within], change->reason);

	body[strlen(body) - 1] = '\0';
	char *whole;

	if (asprintf(&whole, "%s, \"pending\": \"%s\"}", body,
	             sched_chance(500) ? "confirm" : "join") < 0)
		abort();
	scene_note(c->s, "%s: %s within %s", node_name(n), change->reason, times[within]);
	change->asking.request = node_send(n, &scene_ada, "POST", "/v1/config/apply", whole);
	free(body);
	free(whole);
}

static void confirm_something(struct schedule *c)
{
	struct node *n = scene_any(c->s);
	char path[64];

	if (!n || !c->n_changes || c->n_confirmations == CHANGES_MAX)
		return;
	int64_t number = c->changes[sched_below((uint32_t)c->n_changes)].number;

	if (number <= 0)
		return;
	struct confirmation *confirmation = &c->confirmations[c->n_confirmations++];

	confirmation->number = number;
	snprintf(path, sizeof(path), "/v1/versions/%d/confirm", (int)number);
	scene_note(c->s, "%s: confirm %d", node_name(n), (int)number);
	confirmation->asking.request =
	        node_send(n, &scene_bob, "POST", path, "{\"reason\": \"fine\"}");
}

static void command_something(struct schedule *c)
{
	static const char *const words[] = { "drain", "undrain", "disable", "enable" };
	struct node *n = scene_any(c->s);
	unsigned word = sched_below(4);
	char body[256];

	if (!n || c->n_orders == ORDERS_MAX)
		return;
	struct order *order = &c->orders[c->n_orders++];

	order->target = sched_below(TARGETS);
	order->begins = word % 2 == 0;
	snprintf(
	        body, sizeof(body),
	        "{\"do\": \"%s\", \"target\": {\"pool\": \"%s\", \"backend\": \"%s\"}%s, \"reason\": \"INC\", "
	        "\"override_guards\": [\"last-backend\"]}",
	        words[word], targets[order->target].pool, targets[order->target].backend,
	        order->begins ? ", \"until\": \"+4h\"" : "");
	scene_note(c->s, "%s: %s %u", node_name(n), words[word], order->target);
	order->asking.request = node_send(n, &scene_bob, "POST", "/v1/overrides", body);
}

/* Begin an operation, or give one an order. */
static void operate_something(struct schedule *c)
{
	static const char *const orders[] = { "hold", "resume", "abort", "take" };
	struct node *n = scene_any(c->s);
	char path[96];

	if (!n || c->n_operations == OPERATIONS_MAX)
		return;
	struct person_request *r = &c->operations[c->n_operations++];

	if (*c->operation && sched_chance(600)) {
		snprintf(path, sizeof(path), "/v1/operations/%s/%s", c->operation,
		         orders[sched_below(4)]);
		scene_note(c->s, "%s: %s", node_name(n), path);
		r->request = node_send(n, &scene_bob, "POST", path, "{\"reason\": \"x\"}");
		return;
	}
	scene_note(c->s, "%s: begin an operation", node_name(n));
	r->request = node_send(
	        n, &scene_bob, "POST", "/v1/operations",
	        "{\"do\": \"drain\", \"sites\": [\"lon\"], \"reason\": \"INC\", \"over\": \"20s\", "
	        "\"override_guards\": [\"last-site\", \"max-sites-out\", \"room\", \"receivers\", "
	        "\"fresh\", \"unconfirmed\", \"backup\", \"no-dns\", \"share\"]}");
}

/* Take an answer that is there. @return given; status 0: there is none yet */
static struct node_answer collect_answer(struct schedule *c, struct person_request *asking,
                                         bool is_last)
{
	struct node_answer a = { 0 };

	if (!asking->request || (!is_last && !node_has_answer(asking->request)))
		return a;
	a = node_take(asking->request);
	asking->request = NULL;
	asking->status = a.status;
	snprintf(asking->code, sizeof(asking->code), "%s", scene_text(a.json, "code"));
	scene_note(c->s, "     answer: %u %.300s", a.status,
	           a.status / 100 == 2 ? "" : scene_text(a.json, "detail"));
	return a;
}

/* Stamped by a clock that is ahead: it is stamped again, as an earlier one, once that clock is right. */
static bool is_ahead(int64_t generation)
{
	return generation / 2048 > sched_wall_ns(NULL) / 1000000 + 1000;
}

static void collect_answers(struct schedule *c, bool is_last)
{
	for (size_t i = 0; i < c->n_changes; i++) {
		struct node_answer a = collect_answer(c, &c->changes[i].asking, is_last);

		if (a.status / 100 == 2)
			c->changes[i].number = scene_number(a.json, "version.number");
		node_answer_fini(&a);
	}
	for (size_t i = 0; i < c->n_confirmations; i++) {
		struct node_answer a = collect_answer(c, &c->confirmations[i].asking, is_last);

		node_answer_fini(&a);
	}
	for (size_t i = 0; i < c->n_operations; i++) {
		struct node_answer a = collect_answer(c, &c->operations[i], is_last);

		if (a.status == 201)
			snprintf(c->operation, sizeof(c->operation), "%s",
			         scene_text(a.json, "id"));
		node_answer_fini(&a);
	}
	for (size_t i = 0; i < c->n_orders; i++) {
		struct node_answer a = collect_answer(c, &c->orders[i].asking, is_last);

		if (a.status / 100 == 2 && !is_ahead(scene_number(a.json, "override.generation")))
			c->orders[i].generation = scene_number(a.json, "override.generation");
		node_answer_fini(&a);
	}
}

/* --- faults --- */

static void fail_link(struct schedule *c)
{
	unsigned a = sched_below(NODES), b = sched_below(NODES + ETCD_NET_MEMBERS);
	bool is_cut = sched_chance(600);

	b = b < NODES ? b : ETCD_NET_FIRST + b - NODES;
	scene_note(c->s, "link %u %u: %s", a, b, is_cut ? "cut" : "there");
	if (sched_chance(300))
		link_cut(a, b, is_cut);
	else
		link_cut_both(a, b, is_cut);
}

/* A node and all members. */
static void fail_store_of_one(struct schedule *c)
{
	unsigned a = sched_below(NODES);
	bool is_cut = sched_chance(600);

	scene_note(c->s, "node %u and the store: %s", a, is_cut ? "cut" : "there");
	for (unsigned m = 0; m < ETCD_NET_MEMBERS; m++)
		link_cut_both(a, ETCD_NET_FIRST + m, is_cut);
}

static void fail_member(struct schedule *c)
{
	unsigned m = sched_below(ETCD_NET_MEMBERS);
	enum etcd_net_state state = sched_chance(500)   ? ETCD_NET_RUNS
	                            : sched_chance(500) ? ETCD_NET_STOPPED
	                                                : ETCD_NET_APART;

	scene_note(c->s, "member %u: %d", m, (int)state);
	etcd_net_set(m, state);
}

static void start_node(struct schedule *c, size_t i)
{
	struct node *n = c->s->node[i];

	scene_note(c->s, "%s: start", node_name(n));
	JUDGE(c->s, node_start(n), "%s does not start again", node_name(n));
	c->others[i] = c->has_others ? siblings_start(n) : NULL;
}

static void fail_node(struct schedule *c)
{
	size_t i = sched_below(NODES);
	struct node *n = c->s->node[i];

	if (!node_runs(n)) {
		start_node(c, i);
		return;
	}
	if (sched_chance(500)) {
		scene_note(c->s, "%s: killed", node_name(n));
		node_kill(n); /* the other processes, too */
		c->others[i] = NULL;
		return;
	}
	scene_note(c->s, "%s: stopped", node_name(n));
	if (c->others[i])
		siblings_stop(c->others[i]);
	c->others[i] = NULL;
	node_stop(n);
}

/* The other processes of a node refuse, are late, or see their backends down; or not any more. */
static void fail_others(struct schedule *c)
{
	size_t i = sched_below(NODES);
	unsigned what = sched_below(3);
	bool fails = sched_chance(400);

	if (!c->others[i])
		return;
	scene_note(c->s, "%s: others %u %d", node_name(c->s->node[i]), what, (int)fails);
	if (what == 0)
		siblings_refuse(c->others[i], fails);
	else if (what == 1)
		siblings_be_late(c->others[i], fails);
	else
		siblings_fail_checks(c->others[i], fails);
}

/* The last command at a target that a node has. */
static int64_t last_generation(const json_t *items, unsigned target)
{
	const json_t *o;
	int64_t last = -1;
	size_t i;

	json_array_foreach(items, i, o)
	{
		int64_t generation = scene_number(o, "generation");

		if (!strcmp(scene_text(o, "target.pool"), targets[target].pool) &&
		    !strcmp(scene_text(o, "target.backend"), targets[target].backend) &&
		    generation > last)
			last = generation;
	}
	return last;
}

/* Whether other nodes have each command that was taken: one that came to a node without the store may be there alone. */
static bool are_orders_elsewhere(struct schedule *c, const struct node *n)
{
	int64_t known[ORDERS_MAX] = { 0 };
	bool all = true;

	for (size_t k = 0; k < NODES; k++) {
		struct node *other = c->s->node[k];
		json_t *overrides = other != n && node_runs(other)
		                            ? node_get(other, "/v1/overrides?ended=true")
		                            : NULL;

		for (size_t i = 0; overrides && i < c->n_orders; i++) {
			int64_t last = last_generation(scene_value(overrides, "items"),
			                               c->orders[i].target);

			known[i] = last > known[i] ? last : known[i];
		}
		json_decref(overrides);
	}
	for (size_t i = 0; i < c->n_orders; i++)
		all &= c->orders[i].asking.status / 100 != 2 || known[i] >= c->orders[i].generation;
	return all;
}

/* Whether another node has what is in force: who had it alone must not lose it. */
static bool is_elsewhere(struct schedule *c, const struct node *n)
{
	bool is = false;

	for (size_t i = 0; i < NODES && !is; i++) {
		struct node *other = c->s->node[i];
		json_t *store =
		        other != n && node_runs(other) ? node_get(other, "/v1/store") : NULL;

		is = !strcmp(scene_text(store, "state"), "ready") &&
		     json_is_false(scene_value(store, "files_missing")) &&
		     scene_number(store, "here") == scene_number(store, "newest") &&
		     scene_number(store, "goes_back_to") < 0;
		json_decref(store);
	}
	return is;
}

/* A disk that is empty, or a host that was off. */
static void lose_node(struct schedule *c)
{
	struct node *n = c->s->node[sched_below(NODES)];

	if (node_runs(n))
		return;
	if (sched_chance(300) && is_elsewhere(c, n) && are_orders_elsewhere(c, n)) {
		scene_note(c->s, "%s: wiped", node_name(n));
		node_wipe(n);
		return;
	}
	scene_note(c->s, "%s: booted", node_name(n));
	node_reboot(n);
}

/* A wall clock that steps, and mostly comes back. */
static void step_clock(struct schedule *c)
{
	struct sched_host *h = node_host(c->s->node[sched_below(NODES)]);
	int64_t step_ns = (int64_t)(sched_below(7200) * (uint64_t)1000 * SCHED_MS);

	h->wall_off_ns = sched_chance(600) ? 0 : sched_chance(500) ? step_ns : -step_ns;
	scene_note(c->s, "a clock is off by %d s", (int)(h->wall_off_ns / 1000000000));
}

static void compact_store(struct schedule *c)
{
	scene_note(c->s, "compacted");
	etcd_model_compact(etcd_net_model(), etcd_model_revision(etcd_net_model()));
}

static void fail_answers(struct schedule *c)
{
	unsigned per_mille = sched_chance(500) ? 0 : sched_below(500);

	scene_note(c->s, "answers of the store lost: %u per mille", per_mille);
	etcd_net_lose_answers(per_mille);
}

static void heal_all(struct schedule *c)
{
	scene_note(c->s, "healed");
	link_heal();
	etcd_net_lose_answers(0);
	for (unsigned m = 0; m < ETCD_NET_MEMBERS; m++)
		etcd_net_set(m, ETCD_NET_RUNS);
	for (size_t i = 0; i < NODES; i++)
		node_host(c->s->node[i])->wall_off_ns = 0;
	for (size_t i = 0; i < NODES; i++)
		if (!node_runs(c->s->node[i]))
			start_node(c, i);
	for (size_t i = 0; i < NODES; i++)
		if (c->others[i]) {
			siblings_refuse(c->others[i], false);
			siblings_be_late(c->others[i], false);
			siblings_fail_checks(c->others[i], false);
		}
}

static void run_schedule(struct schedule *c)
{
	static void (*const actions[])(struct schedule * c) = {
		apply_something,   apply_something,   apply_something,   confirm_something,
		confirm_something, command_something, command_something, command_something,
		command_something, fail_link,         fail_link,         fail_store_of_one,
		fail_member,       fail_node,         fail_node,         fail_answers,
		lose_node,         step_clock,        compact_store,     operate_something,
		operate_something, fail_others,       fail_others,
	};
	uint64_t end_ns = sched_now_ns() + FAULTS_MS * SCHED_MS;

	while (sched_now_ns() < end_ns) {
		actions[sched_below(sizeof(actions) / sizeof(actions[0]))](c);
		node_run_ms(sched_below(sched_chance(400) ? 60 : 4000));
		collect_answers(c, false);
	}
	heal_all(c);
	node_run_ms(HEALED_MS);
	collect_answers(c, true);
}

/* --- judgements --- */

static bool is_refused(const struct person_request *a)
{
	return a->status / 100 == 4 ||
	       (a->status == 503 && strcmp(a->code, "outcome-unknown") != 0);
}

static void judge_changes(struct schedule *c, struct node *n)
{
	json_t *versions = node_get(n, "/v1/versions?limit=100");
	const json_t *v, *items = scene_value(versions, "items");
	size_t j;

	JUDGE(c->s, items, "%s lists no versions", node_name(n));
	for (size_t i = 0; i < c->n_changes; i++) {
		const struct change *change = &c->changes[i];
		const json_t *found = NULL;

		json_array_foreach(items, j, v) if (!strcmp(scene_text(v, "reason"),
		                                            change->reason)) found = v;
		const char *state = scene_text(found, "state");

		JUDGE(c->s, !is_refused(&change->asking) || !found,
		      "%s has %s, which was refused: %u %s", node_name(n), change->reason,
		      change->asking.status, change->asking.code);
		if (change->asking.status / 100 != 2)
			continue;
		JUDGE(c->s, found && scene_number(found, "number") == change->number,
		      "%s lacks %s, which was made as version %d", node_name(n), change->reason,
		      (int)change->number);
		JUDGE(c->s, strcmp(state, "unconfirmed") != 0,
		      "at %s %s waits to be confirmed still", node_name(n), change->reason);
		JUDGE(c->s, !change->is_final || strcmp(state, "ended") != 0,
		      "at %s %s has ended, which needed no confirmation", node_name(n),
		      change->reason);
	}
	json_decref(versions);
}

/* One version is in force, what came after it has ended, and the processes have it. */
static void judge_in_force(struct schedule *c, struct node *n)
{
	json_t *versions = node_get(n, "/v1/versions?limit=100");
	const json_t *v, *items = scene_value(versions, "items");
	unsigned k = 0, shown = scene_weight(n), written = scene_weight_on_disk(n);
	bool is_found = false;
	size_t i;

	json_array_foreach(items, i, v) /* the newest first */
	{
		const char *state = scene_text(v, "state");

		if (!strcmp(state, "in_force") && !is_found) {
			is_found = true;
			(void)sscanf(scene_text(v, "reason"), "change-%u", &k);
			continue;
		}
		JUDGE(c->s, !strcmp(state, "ended") || (is_found && !strcmp(state, "superseded")),
		      "at %s version %d is %s", node_name(n), (int)scene_number(v, "number"),
		      state);
	}
	JUDGE(c->s, is_found, "at %s no version is in force", node_name(n));
	unsigned weight = k ? 10 + k : 100;

	JUDGE(c->s, shown == weight && written == weight,
	      "at %s change %u is in force, weight %u is shown and %u written", node_name(n), k,
	      shown, written);
	json_decref(versions);
}

static void judge_confirmations(struct schedule *c, struct node *n)
{
	for (size_t i = 0; i < c->n_confirmations; i++)
		if (c->confirmations[i].asking.status == 200)
			JUDGE(c->s,
			      strcmp(scene_version_state(n, c->confirmations[i].number), "ended") !=
			              0,
			      "at %s version %d has ended, which was confirmed", node_name(n),
			      (int)c->confirmations[i].number);
}

static void judge_orders(struct schedule *c, struct node *n)
{
	json_t *overrides = node_get(n, "/v1/overrides?ended=true");
	const json_t *items = scene_value(overrides, "items");

	JUDGE(c->s, items, "%s lists no overrides", node_name(n));
	for (size_t i = 0; i < c->n_orders; i++)
		if (c->orders[i].asking.status / 100 == 2)
			JUDGE(c->s,
			      last_generation(items, c->orders[i].target) >=
			              c->orders[i].generation,
			      "%s lacks command %zu at target %u, which was taken", node_name(n), i,
			      c->orders[i].target);
	json_decref(overrides);
}

static void note_state(const struct scene *s, struct node *n)
{
	static const char *const paths[] = { "/v1/store", "/v1/versions?limit=3", "/v1/clock",
		                             "/v1/events?limit=12" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		json_t *json = node_get(n, paths[i]);
		char *text = json_dumps(json, 0);

		scene_note(s, "%s %s: %s", node_name(n), paths[i], text ? text : "");
		free(text);
		json_decref(json);
	}
}

/* The operations of a node: which there are, and who owns them, as one text; given. */
static char *list_operations(struct node *n)
{
	json_t *list = node_get(n, "/v1/operations");
	const json_t *o;
	char *text;
	size_t i, size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		abort();
	json_array_foreach(scene_value(list, "items"), i, o)
	        fprintf(f, "%s:%s:%d ", scene_text(o, "id"), scene_text(o, "owner"),
	                (int)scene_number(o, "epoch"));
	fclose(f);
	json_decref(list);
	return text;
}

/* What began is there, and all nodes know the same owners. */
static void judge_operations(struct schedule *c)
{
	char *first = list_operations(c->s->node[0]);

	JUDGE(c->s, !*c->operation || strstr(first, c->operation), "operation %s is not there: %s",
	      c->operation, first);
	for (size_t i = 1; i < NODES; i++) {
		char *text = list_operations(c->s->node[i]);

		JUDGE(c->s, !strcmp(first, text), "operations differ: %s; at %s %s", first,
		      node_name(c->s->node[i]), text);
		free(text);
	}
	free(first);
}

void scenes_random(struct scene *s)
{
	struct schedule *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->s = s;
	scene_begin(s, NODES, true);
	c->has_others = sched_chance(500);
	for (size_t i = 0; i < NODES && c->has_others; i++)
		c->others[i] = siblings_start(s->node[i]);
	node_run_ms(sched_below(8000));
	run_schedule(c);
	bool is_equal = scene_wait_equal(s, 20000);

	for (size_t i = 0; i < NODES && !is_equal; i++)
		note_state(s, s->node[i]);
	JUDGE(s, is_equal, "the nodes differ: %s; %s; %s", scene_shown(s->node[0]),
	      scene_shown(s->node[1]), scene_shown(s->node[2]));
	judge_operations(c);
	for (size_t i = 0; i < NODES; i++) {
		judge_changes(c, s->node[i]);
		judge_in_force(c, s->node[i]);
		judge_confirmations(c, s->node[i]);
		judge_orders(c, s->node[i]);
	}
	for (size_t i = 0; i < NODES; i++)
		if (c->others[i])
			siblings_stop(c->others[i]);
	free(c);
	scene_end(s);
}
