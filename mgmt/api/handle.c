/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What handlers share: preconditions, query parameters, and waiting for a change's effect.
 */
#include "mgmt/api/handle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/observe.h"
#include "mgmt/api/peers.h"
#include "mgmt/tell/command.h"

#define WAIT_LOCAL_MS 3000u
#define WAIT_ALL_MS   12000u
#define WAIT_MAX_MS   60000u
#define LOOK_EVERY_MS 20u

bool handle_if_match(const struct http_request *r, const char *etag, bool required,
                     struct http_reply *reply)
{
	if (!*r->if_match && required) {
		http_problem(reply, 428, "if-match-required",
		             "send If-Match with the ETag of what you saw, or \"*\"");
		return false;
	}
	if (!*r->if_match || !strcmp(r->if_match, "*") || !strcmp(r->if_match, etag))
		return true;
	http_problem(reply, 412, "stale", "If-Match does not match: it is %s now",
	             *etag ? etag : "not there");
	json_object_set_new(reply->json, "head", json_string(etag));
	return false;
}

int handle_dry_run(const struct http_request *r, struct http_reply *reply)
{
	const char *value = http_query(r, "dry_run");

	if (!value || !strcmp(value, "false"))
		return 0;
	if (!strcmp(value, "true"))
		return 1;
	http_problem(reply, 400, "bad-request", "dry_run is true or false");
	return -1;
}

static bool read_number(const char *text, uint64_t *out)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 15 || text[n])
		return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

bool handle_number(const struct http_request *r, const char *name, uint64_t least, uint64_t most,
                   uint64_t fallback, uint64_t *out, struct http_reply *reply)
{
	const char *value = http_query(r, name);

	*out = fallback;
	if (!value || (read_number(value, out) && *out >= least && *out <= most))
		return true;
	http_problem(reply, 400, "bad-request", "%s is a number from %" PRIu64 " to %" PRIu64, name,
	             least, most);
	return false;
}

bool handle_part_number(const struct http_request *r, size_t part, uint64_t *out,
                        struct http_reply *reply)
{
	if (read_number(r->parts[part], out) && *out > 0)
		return true;
	http_problem(reply, 404, "not-found", "%.60s is not a version's number", r->parts[part]);
	return false;
}

static bool wants_all(const struct http_request *r)
{
	const char *wait = http_query(r, "wait");

	return wait && !strcmp(wait, "all");
}

bool handle_wait_ok(const struct http_request *r, struct http_reply *reply)
{
	const char *wait = http_query(r, "wait");
	uint64_t ms;

	if (wait && strcmp(wait, "all") && strcmp(wait, "local")) {
		http_problem(reply, 400, "bad-request", "wait is local or all");
		return false;
	}
	return handle_number(r, "wait_ms", 0, WAIT_MAX_MS, 0, &ms, reply);
}

/*
 * This node's state, and whether all its processes have taken the document. One that is silent takes
 * nothing; one that was never there lacks nothing.
 */
static json_t *own_state(struct core *core, bool *complete)
{
	const char *why = intent_write_why(core->intent);
	uint64_t document = intent_document(core->intent);
	json_t *behind = json_array();

	for (int p = 0; p < OBSERVE_COUNT; p++) {
		struct observe_state s = observe_look(core, (enum observe_process)p, NULL);

		if (s.present && (!s.running || s.document < document))
			json_array_append_new(behind,
			                      json_string(observe_name((enum observe_process)p)));
	}
	*complete = !*why && json_array_size(behind) == 0;
	return tell_node(core->dirs.node, why, *complete, behind);
}

/* The peers' states; those that have not answered since @p rounds were noted count as behind. */
static bool add_peers(struct core *core, const uint64_t rounds[PEERS_MAX], json_t *nodes)
{
	const struct peers_view *view;
	size_t n = peers_view(core, &view);
	bool complete = true;

	for (size_t i = 0; i < n; i++) {
		bool fresh = view[i].round > rounds[i] + 1;
		enum peers_state state = view[i].state;

		if (state == PEERS_AGREED && !fresh)
			state = PEERS_BEHIND;
		complete &= state == PEERS_AGREED;
		json_array_append_new(nodes, json_pack("{s:s, s:s}", "node", view[i].node, "state",
		                                       peers_state_text(state)));
	}
	return complete;
}

static void note_rounds(const struct core *core, uint64_t rounds[PEERS_MAX])
{
	const struct peers_view *view;
	size_t n = peers_view(core, &view);

	for (size_t i = 0; i < PEERS_MAX; i++)
		rounds[i] = i < n ? view[i].round : 0;
}

/* Look once; @p nodes is made anew. @return whether the change is complete */
static bool look(struct core *core, bool all, const uint64_t rounds[PEERS_MAX], json_t **nodes)
{
	bool complete;

	json_decref(*nodes);
	*nodes = json_array();
	json_array_append_new(*nodes, own_state(core, &complete));
	if (all)
		complete &= add_peers(core, rounds, *nodes);
	return complete;
}

void handle_wait(struct core *core, const struct http_request *r, struct http_reply *reply)
{
	uint64_t rounds[PEERS_MAX], wait_ms, asked_ms = clock_mono_ms();
	bool all = wants_all(r), complete;
	json_t *nodes = NULL;

	handle_number(r, "wait_ms", 0, WAIT_MAX_MS, all ? WAIT_ALL_MS : WAIT_LOCAL_MS, &wait_ms,
	              reply);
	uint64_t until_ms = asked_ms + wait_ms;
	core_lock(core);
	note_rounds(core, rounds);
	peers_poke(core, true);
	while (!(complete = look(core, all, rounds, &nodes)) && !core->stopping &&
	       clock_mono_ms() < until_ms) {
		core_wait(core, clock_mono_ms() + LOOK_EVERY_MS);
		if (clock_mono_ms() < asked_ms + 100)
			continue;
		asked_ms = clock_mono_ms();
		core_unlock(core);
		observe_ask_dns(core); /* it has no page that would say which document it has */
		core_lock(core);
		if (all)
			peers_poke(core, false);
	}
	tell_nodes(reply->json, intent_document(core->intent), complete, nodes);
	core_unlock(core);
	if (!complete)
		reply->status = 202;
}
