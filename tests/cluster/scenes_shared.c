/* SPDX-License-Identifier: BSD-2-Clause */
/* Three nodes that share a store: a command to one comes into force at all. */
#include "tests/cluster/scenes.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/cluster/siblings.h"
#include "weir/object.h"

#define NODES   3u
#define SOON_MS 12000u /* by then all have what was decided, whatever messages took */

static bool has_weight(struct node *n, void *arg)
{
	const unsigned *weight = arg;

	return scene_weight(n) == *weight && scene_weight_on_disk(n) == *weight;
}

static void judge_weight(struct scene *s, unsigned weight, const char *when)
{
	JUDGE(s, scene_wait_all(s, has_weight, &weight, SOON_MS),
	      "%s: weights %u, %u, %u are in force, not %u", when, scene_weight(s->node[0]),
	      scene_weight(s->node[1]), scene_weight(s->node[2]), weight);
	JUDGE(s, scene_wait_equal(s, SOON_MS), "%s: the nodes differ", when);
}

static void begin_shared(struct scene *s)
{
	scene_begin(s, NODES, true);
	node_run_ms(8000);
}

/* An apply that is to be made: where the store is slow it is tried again. */
static int64_t apply_well(struct scene *s, struct node *n, unsigned weight, const char *within)
{
	struct node_answer a = scene_apply(s, n, weight, within);
	int64_t number = scene_number(a.json, "version.number");

	JUDGE(s, a.status == 201 || a.status == 202, "an apply at %s is answered by %u: %s",
	      node_name(n), a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	return number;
}

void scenes_shared_apply(struct scene *s)
{
	begin_shared(s);
	for (unsigned i = 0; i < 4; i++) {
		apply_well(s, scene_any(s), 90 - i, "none");
		judge_weight(s, 90 - i, "applied");
	}
	for (size_t i = 0; i < NODES; i++) {
		node_stop(s->node[i]);
		JUDGE(s, node_start(s->node[i]), "%s does not start again", node_name(s->node[i]));
	}
	judge_weight(s, 87, "after restarts");
	scene_end(s);
}

#define WRITERS 2u

/* The weights that the writers' backends are to have. */
struct edited_weights {
	int64_t of[WRITERS]; /* -1: none is known */
};

static void print_backend(char out[64], unsigned writer)
{
	snprintf(out, 64, "/v1/pools/web-ams/backends/b%u", writer + 1);
}

static bool has_edited(struct node *n, void *arg)
{
	const struct edited_weights *weights = arg;
	bool has = true;

	for (unsigned i = 0; i < WRITERS; i++) {
		char path[64];

		print_backend(path, i);
		json_t *backend = node_get(n, path);
		has &= weights->of[i] < 0 || scene_number(backend, "weight") == weights->of[i];
		json_decref(backend);
	}
	return has;
}

/* Send an edit of backend @p backend to @p n; its answer is awaited later. */
static struct node_request *send_edit(struct node *n, unsigned backend, unsigned weight,
                                      const char *if_match)
{
	const struct node_person who = { .name = scene_ada.name,
		                         .role = scene_ada.role,
		                         .if_match = if_match };
	char path[64], what[120], body[40];

	print_backend(path, backend);
	snprintf(what, sizeof(what), "%s?reason=edit&wait_ms=0", path);
	snprintf(body, sizeof(body), "{\"weight\": %u}", weight);
	return node_send(n, &who, "PATCH", what, body);
}

/* Two writers of different objects at two nodes never collide; of two of one object one is first. */
void scenes_shared_edits(struct scene *s)
{
	struct edited_weights weights = { { -1, -1 } };

	begin_shared(s);
	apply_well(s, scene_any(s), 90, "none");
	judge_weight(s, 90, "first");
	for (unsigned round = 1; round <= 6; round++) {
		struct node_request *sent[WRITERS];
		bool is_same = round % 3 == 0;
		unsigned n_made = 0;

		JUDGE(s, scene_wait_all(s, has_edited, &weights, SOON_MS), "an edit is lost");
		JUDGE(s, scene_wait_equal(s, SOON_MS), "the nodes differ");
		json_t *list = node_get(s->node[0], "/v1/pools/web-ams/backends/b1");
		char etag[OBJECT_ETAG_MAX];
		JUDGE(s, list && !object_etag(list, etag), "there is no backend b1");
		json_decref(list);
		for (unsigned i = 0; i < WRITERS; i++) {
			sent[i] = send_edit(s->node[(round + i) % NODES], is_same ? 0 : i,
			                    10 * round + i, is_same ? etag : "*");
			node_run_ms(sched_below(20));
		}
		for (unsigned i = 0; i < WRITERS; i++) {
			struct node_answer a = node_take(sent[i]);
			bool is_made = a.status == 201 || a.status == 202;

			JUDGE(s, is_made || (is_same && a.status == 412),
			      "round %u, writer %u: %u %s", round, i, a.status, a.text);
			n_made += is_made;
			if (is_made)
				weights.of[is_same ? 0 : i] = 10 * round + i;
			node_answer_fini(&a);
		}
		JUDGE(s, n_made == (is_same ? 1 : WRITERS), "round %u: %u edits are made", round,
		      n_made);
	}
	JUDGE(s, scene_wait_all(s, has_edited, &weights, SOON_MS), "an edit is lost at the end");
	JUDGE(s, scene_wait_equal(s, SOON_MS), "the nodes differ at the end");
	scene_end(s);
}

/* A version, then one more that waits for the same confirmation; nobody confirms. */
void scenes_shared_unconfirmed(struct scene *s)
{
	begin_shared(s);
	apply_well(s, scene_any(s), 90, "none");
	judge_weight(s, 90, "first");
	int64_t left = apply_well(s, scene_any(s), 80, "20s");

	judge_weight(s, 80, "unconfirmed");
	if (sched_chance(500)) {
		struct node *n = scene_any(s);
		char *body = scene_apply_body(s, 70, "20s", "one more");

		body[strlen(body) - 1] = '\0';
		struct node_answer a = scene_post(n, &scene_ada, "/v1/config/apply",
		                                  "%s, \"pending\": \"join\"}", body);

		JUDGE(s, a.status == 201 || a.status == 202, "one more at %s: %u %s", node_name(n),
		      a.status, a.text);
		node_answer_fini(&a);
		free(body);
	}
	if (sched_chance(300)) {
		struct node *n = scene_any(s);

		node_run_ms(sched_below(5000));
		node_kill(n);
		node_run_ms(sched_below(20000));
		JUDGE(s, node_start(n), "%s does not start again", node_name(n));
	}
	node_run_ms(25000);
	judge_weight(s, 90, "nobody confirmed");
	for (size_t i = 0; i < NODES; i++)
		JUDGE(s, !strcmp(scene_version_state(s->node[i], left), "ended"), "at %s it is %s",
		      node_name(s->node[i]), scene_version_state(s->node[i], left));
	scene_end(s);
}

struct override_wanted {
	const char *target, *what; /* "b1", "drain"; NULL: no override */
};

static bool has_override(struct node *n, void *arg)
{
	const struct override_wanted *w = arg;
	json_t *overrides = node_get(n, "/v1/overrides");
	const json_t *o, *items = scene_value(overrides, "items");
	bool has = false, is_any = false;
	size_t i;

	json_array_foreach(items, i, o)
	{
		is_any = true;
		has |= w->what && !strcmp(scene_text(o, "target.backend"), w->target) &&
		       !strcmp(scene_text(o, "do"), w->what);
	}
	bool holds = overrides && (w->what ? has : !is_any);

	json_decref(overrides);
	return holds;
}

static void judge_override(struct scene *s, const char *what, const char *target, const char *when)
{
	struct override_wanted w = { target, what };

	JUDGE(s, scene_wait_all(s, has_override, &w, SOON_MS), "%s: not all nodes have %s", when,
	      what ? what : "no override");
	JUDGE(s, scene_wait_equal(s, SOON_MS), "%s: the nodes differ", when);
}

static void command_well(struct scene *s, struct node *n, const char *what, const char *target,
                         unsigned status)
{
	bool begins = !strcmp(what, "drain") || !strcmp(what, "disable");
	struct node_answer a = scene_post(
	        n, &scene_bob, "/v1/overrides",
	        "{\"do\": \"%s\", \"target\": {\"pool\": \"web-fra\", \"backend\": \"%s\"}%s, \"reason\": \"INC\"}",
	        what, target, begins ? ", \"until\": \"+2h\"" : "");

	scene_note(s, "%s: %s %s: %u", node_name(n), what, target, a.status);
	JUDGE(s, a.status == status || (a.status == 202 && status / 100 == 2), "%s at %s: %u %s",
	      what, node_name(n), a.status, a.text ? a.text : "");
	node_answer_fini(&a);
}

void scenes_shared_overrides(struct scene *s)
{
	begin_shared(s);
	command_well(s, scene_any(s), "drain", "b1", 201);
	judge_override(s, "drain", "b1", "drained");
	command_well(s, scene_any(s), "undrain", "b1", 200);
	judge_override(s, NULL, "", "undrained");
	command_well(s, scene_any(s), "disable", "b2", 201);
	judge_override(s, "disable", "b2", "disabled");
	for (size_t i = 0; i < NODES; i++)
		node_kill(s->node[i]);
	for (size_t i = 0; i < NODES; i++)
		JUDGE(s, node_start(s->node[i]), "%s does not start again", node_name(s->node[i]));
	judge_override(s, "disable", "b2", "after all were killed");
	command_well(s, scene_any(s), "enable", "b2", 200);
	judge_override(s, NULL, "", "enabled");
	scene_end(s);
}

static void cut_from_store(struct scene *s, size_t i, bool is_cut)
{
	for (unsigned m = 0; m < ETCD_NET_MEMBERS; m++)
		link_cut_both(node_number(s->node[i]), ETCD_NET_FIRST + m, is_cut);
}

/* A node that does not reach the store: no change of configuration, but oncall's commands, which spread by the others. */
void scenes_shared_cut_off(struct scene *s)
{
	begin_shared(s);
	apply_well(s, s->node[0], 90, "none");
	judge_weight(s, 90, "first");
	size_t cut = sched_below(NODES);
	struct node *n = s->node[cut];

	cut_from_store(s, cut, true);
	node_run_ms(10000 + sched_below(10000));
	struct node_answer a = scene_apply(s, n, 55, "none");

	JUDGE(s, a.status == 503, "an apply without the store: %u %s", a.status,
	      a.text ? a.text : "");
	node_answer_fini(&a);
	json_t *store = node_get(n, "/v1/store");

	JUDGE(s, !strcmp(scene_text(store, "state"), "cut-off"), "the store is %s",
	      scene_text(store, "state"));
	json_decref(store);
	command_well(s, n, "drain", "b1", 201);
	judge_override(s, "drain", "b1", "drained without the store");
	apply_well(s, s->node[(cut + 1) % NODES], 85, "none");
	cut_from_store(s, cut, false);
	judge_weight(s, 85, "the store is back");
	judge_override(s, "drain", "b1", "the store is back");
	/* it is in the store now: who comes with an empty disk learns it there */
	node_run_ms(5000);
	for (size_t i = 0; i < NODES; i++) {
		node_stop(s->node[i]);
		node_wipe(s->node[i]);
	}
	for (size_t i = 0; i < NODES; i++)
		JUDGE(s, node_start(s->node[i]), "%s does not start again", node_name(s->node[i]));
	judge_override(s, "drain", "b1", "with empty disks");
	scene_end(s);
}

/* A deadline holds also while the main thread waits for a request at work, as the socket that it came by was removed. */
void scenes_shared_busy(struct scene *s)
{
	char path[PATH_MAX], confirm_at[64];

	begin_shared(s);
	apply_well(s, s->node[0], 90, "none");
	judge_weight(s, 90, "first");
	uint64_t from_ns = sched_now_ns();
	int64_t number = apply_well(s, s->node[0], 80, "20s");

	judge_weight(s, 80, "unconfirmed");
	node_run_ms(19900 - (sched_now_ns() - from_ns) / SCHED_MS);
	cut_from_store(s, 2, true);
	snprintf(confirm_at, sizeof(confirm_at), "/v1/versions/%d/confirm", (int)number);
	struct node_request *confirm = node_send(s->node[2], &scene_ada, "POST", confirm_at,
	                                         "{\"reason\": \"it is fine\"}");

	node_run_ms(50);
	JUDGE(s, !proc_path(node_dirs(s->node[2])->run, PROC_API_SOCKET, path) && !unlink(path),
	      "there is no socket");
	/* a node that does not hear what the store says waits for that a little longer */
	node_run_ms(24000 - (sched_now_ns() - from_ns) / SCHED_MS);
	JUDGE(s, !node_has_answer(confirm), "nobody waits for the store");
	JUDGE(s, scene_weight_on_disk(s->node[2]) == 90, "%s waits for a request first",
	      node_name(s->node[2]));
	struct node_answer a = node_take(confirm);

	node_answer_fini(&a);
	cut_from_store(s, 2, false);
	judge_weight(s, 90, "nobody confirmed");
	scene_end(s);
}

/*
 * Without the store a version that nobody confirmed ends at each node alone, and no record says so. A node that is killed then
 * begins with what it went back to.
 */
void scenes_shared_went_back_alone(struct scene *s)
{
	begin_shared(s);
	apply_well(s, scene_any(s), 90, "none");
	judge_weight(s, 90, "first");
	apply_well(s, scene_any(s), 80, "20s");
	judge_weight(s, 80, "unconfirmed");
	for (size_t i = 0; i < NODES; i++)
		cut_from_store(s, i, true);
	node_run_ms(25000);
	judge_weight(s, 90, "each went back alone");
	for (size_t i = 0; i < NODES; i++) {
		struct node *n = s->node[i];

		node_kill(n);
		JUDGE(s, node_start(n), "%s does not start again", node_name(n));
		unsigned weight = scene_weight(n), on_disk = scene_weight_on_disk(n);

		JUDGE(s, weight == 90 && on_disk == 90, "%s starts with weight %u, %u on its disk",
		      node_name(n), weight, on_disk);
	}
	for (size_t i = 0; i < NODES; i++)
		cut_from_store(s, i, false);
	judge_weight(s, 90, "the store is back");
	scene_end(s);
}

/* A process of one node refuses what another node was given: it goes back at all. */
void scenes_shared_refused(struct scene *s)
{
	struct siblings *others[NODES];

	begin_shared(s);
	for (size_t i = 0; i < NODES; i++)
		others[i] = siblings_start(s->node[i]);
	node_run_ms(3000);
	apply_well(s, scene_any(s), 90, "none");
	judge_weight(s, 90, "first");
	node_run_ms(16000);
	siblings_refuse(others[sched_below(NODES)], true);
	struct node_answer a = scene_apply(s, scene_any(s), 80, "2m");

	JUDGE(s, a.status / 100 == 2, "an apply: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	node_run_ms(20000);
	judge_weight(s, 90, "one refuses");
	for (size_t i = 0; i < NODES; i++)
		siblings_stop(others[i]);
	scene_end(s);
}

/*
 * A clock that is hours behind: what others command is too far ahead for it, and is taken once it is right. Without a record of
 * the time its node believes it.
 */
void scenes_shared_clock(struct scene *s)
{
	begin_shared(s);
	size_t wrong = sched_below(NODES);
	struct node *n = s->node[wrong], *other = s->node[(wrong + 1) % NODES];
	struct override_wanted drained = { "b1", "drain" };

	node_stop(n);
	node_wipe(n);
	node_host(n)->wall_off_ns = -(int64_t)5400 * 1000000000;
	JUDGE(s, node_start(n), "%s does not start again", node_name(n));
	node_run_ms(8000 + sched_below(8000));
	command_well(s, other, "drain", "b1", 201);
	node_run_ms(5000 + sched_below(5000));
	JUDGE(s, !has_override(n, &drained),
	      "a clock that is behind has taken a command of its future");
	node_host(n)->wall_off_ns = 0;
	node_run_ms(15000);
	judge_override(s, "drain", "b1", "the clock is right");
	command_well(s, n, "undrain", "b1", 200);
	judge_override(s, NULL, "", "by the node whose clock was wrong");
	scene_end(s);
}

static bool has_store_state(struct node *n, void *arg)
{
	json_t *store = node_get(n, "/v1/store");
	bool is = !strcmp(scene_text(store, "state"), arg);

	json_decref(store);
	return is;
}

static void judge_store(struct scene *s, char *state, const char *when)
{
	JUDGE(s, scene_wait_all(s, has_store_state, state, 2 * SOON_MS),
	      "%s: the store is not %s at all", when, state);
}

static struct node_answer ask_admin(struct node *n, const char *path)
{
	static const struct node_person root = { .name = "root", .role = HTTP_ADMIN };

	return scene_post(n, &root, path, "{\"reason\": \"a drill\"}");
}

/* A store that went back to a backup: nothing is taken from it until a person says that it is right. */
void scenes_shared_went_back(struct scene *s)
{
	begin_shared(s);
	apply_well(s, scene_any(s), 90, "none");
	command_well(s, scene_any(s), "drain", "b1", 201);
	judge_weight(s, 90, "first");
	judge_override(s, "drain", "b1", "first");
	int64_t revision = etcd_model_revision(etcd_net_model());

	apply_well(s, scene_any(s), 80, "none");
	judge_weight(s, 80, "second");
	bool is_new = sched_chance(500);

	etcd_net_restore(revision, is_new);
	judge_store(s, is_new ? "other" : "went-back", "restored");
	struct node_answer a = scene_apply(s, scene_any(s), 70, "none");

	JUDGE(s, a.status == 503, "an apply to a store that went back: %u %s", a.status,
	      a.text ? a.text : "");
	node_answer_fini(&a);
	struct node *n = scene_any(s);

	if (sched_chance(500)) {
		node_kill(n);
		JUDGE(s, node_start(n), "%s does not start again", node_name(n));
		judge_store(s, is_new ? "other" : "went-back", "started again");
	}
	judge_weight(s, 80, "the store went back");
	a = ask_admin(n, "/v1/store/accept");
	JUDGE(s, a.status == 200, "accept: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	judge_store(s, "ready", "accepted");
	judge_weight(s, 90, "accepted");
	judge_override(s, "drain", "b1", "accepted");
	apply_well(s, scene_any(s), 60, "none");
	judge_weight(s, 60, "after that");
	scene_end(s);
}

/* A store that is lost: it is made from a node's copy. */
void scenes_shared_rebuilt(struct scene *s)
{
	begin_shared(s);
	apply_well(s, scene_any(s), 90, "none");
	judge_weight(s, 90, "first");
	apply_well(s, scene_any(s), 80, "none");
	command_well(s, scene_any(s), "disable", "b2", 201);
	judge_weight(s, 80, "second");
	judge_override(s, "disable", "b2", "first");
	etcd_net_restore(1, true);
	node_run_ms(5000 + sched_below(10000));
	struct node *n = scene_any(s);
	struct node_answer a = ask_admin(n, "/v1/store/accept");

	JUDGE(s, a.status == 409, "an empty store is accepted: %u %s", a.status,
	      a.text ? a.text : "");
	node_answer_fini(&a);
	a = ask_admin(n, "/v1/store/rebuild");
	JUDGE(s, a.status == 200, "rebuild: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	judge_store(s, "ready", "rebuilt");
	judge_weight(s, 80, "rebuilt");
	judge_override(s, "disable", "b2", "rebuilt");
	apply_well(s, scene_any(s), 70, "none");
	judge_weight(s, 70, "after that");
	scene_end(s);
}

/* What a disk makes of the store of a node that runs. */
static void damage_disk(const struct node *n)
{
	char path[PATH_MAX];
	FILE *f = proc_path(node_dirs(n)->state, "store/store.db", path) ? NULL : fopen(path, "r+");

	if (!f)
		abort();
	for (int i = 0; i < 2048; i++)
		fputs("not a database..", f);
	fclose(f);
}

/* A node whose disk loses its copy while it runs: it goes on by the store, and has a copy again, with which it starts alone. */
void scenes_shared_damaged(struct scene *s)
{
	begin_shared(s);
	apply_well(s, scene_any(s), 90, "none");
	judge_weight(s, 90, "first");
	size_t i = sched_below(NODES);
	struct node *n = s->node[i], *other = s->node[(i + 1) % NODES];

	etcd_net_restore(1,
	                 true); /* then the store has a record of its own, on which changes rest */
	node_run_ms(15000);
	struct node_answer a = ask_admin(n, "/v1/store/rebuild");

	JUDGE(s, a.status == 200, "rebuild: %u %s", a.status, a.text ? a.text : "");
	node_answer_fini(&a);
	judge_store(s, "ready", "rebuilt");
	damage_disk(n);
	if (sched_chance(300)) {
		apply_well(s, other, 85, "none");
		judge_weight(s, 85, "a change finds the damage");
	} else { /* an event does, of a peer that is not heard */
		link_cut_both(node_number(n), node_number(other), true);
		node_run_ms(15000 + sched_below(10000));
		link_cut_both(node_number(n), node_number(other), false);
	}
	node_run_ms(5000);
	int64_t number = apply_well(s, n, 80, "none");

	judge_weight(s, 80, "applied at the node");
	JUDGE(s, has_store_state(n, "ready"), "the store is not ready");
	cut_from_store(s, i, true);
	node_kill(n);
	JUDGE(s, node_start(n), "it does not start again");
	node_run_ms(3000);
	json_t *store = node_get(n, "/v1/store");

	JUDGE(s, scene_number(store, "newest") == number, "its copy has version %d, not %d",
	      (int)scene_number(store, "newest"), (int)number);
	json_decref(store);
	cut_from_store(s, i, false);
	judge_weight(s, 80, "after that");
	scene_end(s);
}
