/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of the control socket: a line of JSON for each line of JSON. All commands read; none
 * changes what is forwarded. The loop answers them, so an answer is a consistent view.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "dataplane/process.h"
#include "dataplane/prover.h"
#include "record/answers.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/proof.h"
#include "weir/trace.h"

static char *make_refusal(const char *error)
{
	return json_line(json_refusal(error));
}

static char *answer_json(json_t *o)
{
	char *text = json_line(o);

	return text ? text : make_refusal("out of memory");
}

static json_t *ports_json(const struct process *p)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n = p->driver ? p->ops->ports(p->driver, ports) : 0;
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		if (!ports[i].lost)
			json_array_append_new(
			        list, SHOWN(port_shown, .interface = ports[i].name,
			                    .ifindex = ports[i].ifindex,
			                    .mode = ports[i].native ? "native" : "generic"));
	return list;
}

/* The ports of the document that do not carry the program, and why, where a try has failed. */
static json_t *missing_ports_json(const struct process *p)
{
	const struct model *m = p->driver ? p->node.model : NULL;
	const struct model_node *self = m ? m->self : NULL;
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n = self ? p->ops->ports(p->driver, ports) : 0;
	json_t *list = json_array();

	for (size_t i = 0; self && i < self->n_ports && i < DRIVER_PORTS_MAX; i++) {
		const char *interface = self->ports[i].interface;
		const struct driver_port *port = driver_find_port(ports, n, interface);

		if (!port || port->lost)
			json_array_append_new(list, SHOWN(missing_port, .interface = interface,
			                                  .reason = p->port_reason[i]));
	}
	return list;
}

static char *do_status(struct process *p, const json_t *request)
{
	const struct compiler *n = &p->node;
	bool has = p->driver && n->model;

	(void)request;
	return answer_json(SHOWN(
	        dataplane_shown, .ok = true, .node = p->dirs.node, .driver = p->ops->name,
	        .document = has ? n->model->meta.document : 0,
	        .version = has ? n->model->meta.version : 0, .refused = *p->refusal != 0,
	        .refusal = p->refusal, .ports = ports_json(p),
	        .ports_missing = missing_ports_json(p), .services = has ? n->plan->n_services : 0,
	        .pools = n->n_pools, .backends = has ? n->plan->n_backends : 0,
	        .driver_reason = p->driver_reason, .health_epoch = p->health_epoch,
	        .learning = has && n->learning, .wants_connections = has && n->wants_peer_state));
}

#define HANDOVER_SHOWN_ROWS(X, t)                                                                  \
	X(t, bool, ok)                                                                             \
	X(t, bool, learning)                                                                       \
	X(t, const char *, connections)
RECORD_SHOWN(handover_shown, "handover", HANDOVER_SHOWN_ROWS);

/*
 * The state for a peer that starts (weir/conn_state.h), and whether this node is still learning
 * itself.
 */
static char *do_handover(struct process *p, const json_t *request)
{
	struct compiler_time time = compiler_now();
	char *text, *line;

	(void)request;
	if (!p->driver || !p->node.model)
		return make_refusal("no document is in force yet");
	text = compiler_handover_write(&p->node, &time);
	line = answer_json(SHOWN(handover_shown, .ok = true, .learning = p->node.learning,
	                         .connections = text));
	free(text);
	return line;
}

static json_t *backend_json(const struct process *p, const struct compiler_pool *pool,
                            const struct compiler_backend *b)
{
	struct hop hop;
	bool watched = hops_get(p->hops, &b->plan->address, &hop);

	return SHOWN(backend_shown, .pool = plan_pool_of(pool->plan, b->plan)->name,
	             .backend = b->plan->name, .index = b->index, .weight = b->plan->weight,
	             .in_force = b->alive,
	             .reason = effect_reason_text((enum effect_reason)b->reason),
	             .next_hop = watched ? hop_state_text(hop.state) : "not followed",
	             .inner_mtu = p->node.t.backends[b->index].inner_mtu,
	             .path_mtu = p->node.paths[b->index].reported.mtu, .address = b->plan->address);
}

static char *do_backends(struct process *p, const json_t *request)
{
	const char *only = json_get_text(request, "pool");
	json_t *list = json_array();

	for (size_t i = 0; i < p->node.n_pools; i++) {
		const struct compiler_pool *pool = &p->node.pools[i];

		if (only && strcmp(only, pool->plan->model->name) != 0)
			continue;
		for (size_t k = 0; k < pool->plan->n_backends; k++)
			if (pool->plan->backends[k].class != PLAN_FULL)
				json_array_append_new(list,
				                      backend_json(p, pool, &pool->backends[k]));
	}
	return answer_json(SHOWN(backends_shown, .ok = true, .backends = list));
}

/* --- what is proved: read from the page, not from the prover, so it shows what weir-announce reads --- */

/* Addresses that an answer lists at most: the loop must not be held up. */
#define PROOF_ROWS_MAX 256u

static const char *fact_text(uint8_t fact)
{
	return proof_fact_text((enum proof_fact)fact);
}

#define PORT_PROOF_SHOWN_ROWS(X, t)                                                                \
	X(t, const char *, interface)                                                              \
	X(t, uint32_t, ifindex)                                                                    \
	X(t, uint32_t, program)                                                                    \
	X(t, const char *, up)                                                                     \
	X(t, const char *, attached)
RECORD_SHOWN(port_proof_shown, "port", PORT_PROOF_SHOWN_ROWS);

static json_t *port_proof_json(const struct proof_port *p)
{
	return SHOWN(port_proof_shown, .interface = p->interface, .ifindex = p->ifindex,
	             .program = p->program, .up = fact_text(p->up),
	             .attached = fact_text(p->attached));
}

struct vip_shown {
	const char *vip, *state, *reason;
	char address[ADDR_TEXT_MAX];
	struct proof_vip proof;
};

static const struct record_kind vip_record = RECORD_OF(
        struct vip_shown, "VIP", NULL, SHOW(struct vip_shown, vip), SHOW(struct vip_shown, address),
        SHOW(struct vip_shown, state), SHOW(struct vip_shown, reason),
        SHOW_AS(struct vip_shown, "since_ms", proof.since_ms),
        SHOW_AS(struct vip_shown, "proved_ms", proof.proved_ms),
        SHOW_AS(struct vip_shown, "tried_ms", proof.tried_ms),
        SHOW_AS(struct vip_shown, "sent", proof.sent),
        SHOW_AS(struct vip_shown, "services", proof.n_services),
        SHOW_AS(struct vip_shown, "serving", proof.n_serving),
        SHOW_AS(struct vip_shown, "reachable", proof.n_reachable));

static json_t *vip_proof_json(const char *name, const struct proof_vip *v)
{
	struct vip_shown row = { .vip = name,
		                 .state = proof_state_text((enum proof_state)v->state),
		                 .reason = proof_reason_text(v->reason),
		                 .proof = *v };

	addr_text(&v->address, row.address);
	return record_shown(&vip_record, &row);
}

/* @param only  the only one to be listed; NULL: all. @param omitted  out: addresses without room */
static json_t *vips_proof_json(const struct proof *proof, const struct model *m, const char *only,
                               uint64_t now_ms, uint64_t *omitted)
{
	json_t *list = json_array();
	struct proof_vip v;

	*omitted = 0;
	for (size_t i = 0; i < m->n_vips; i++) {
		const struct model_vip *vip = &m->vips[i];

		if ((only && strcmp(only, vip->name) != 0) || !model_vip_is_at(vip, m->self->site))
			continue;
		for (size_t k = 0; k < vip->n_addresses; k++)
			if (json_array_size(list) >= PROOF_ROWS_MAX)
				(*omitted)++;
			else if (!proof_vip(proof, hash_text(vip->name), &vip->addresses[k], now_ms,
			                    &v))
				json_array_append_new(list, vip_proof_json(vip->name, &v));
	}
	return list;
}

/* How many addresses are in each state. */
static json_t *states_json(const struct process *p)
{
	size_t n[PROOF_STATE_REFUSED + 1];
	json_t *o = json_object();

	prover_count_states(p->prover, n);
	for (int i = 0; i <= PROOF_STATE_REFUSED; i++)
		json_object_set_new(o, proof_state_text((enum proof_state)i),
		                    json_integer((json_int_t)n[i]));
	return o;
}

struct proof_shown {
	bool ok, stopping;
	struct proof_node node;
	uint64_t now_ms, omitted;
	const char *state_arrived;
	json_t *ports, *vips, *states;
};

static const struct record_kind proof_record = RECORD_OF(
        struct proof_shown, "proof", NULL, SHOW(struct proof_shown, ok),
        SHOW_AS(struct proof_shown, "document", node.document), SHOW(struct proof_shown, now_ms),
        SHOW_AS(struct proof_shown, "alive_ms", node.alive_ms),
        SHOW_AS(struct proof_shown, "started_ms", node.started_ms),
        SHOW_AS(struct proof_shown, "sent", node.sent),
        SHOW_AS(struct proof_shown, "driver", node.driver), SHOW(struct proof_shown, state_arrived),
        SHOW(struct proof_shown, stopping),
        SHOW_AS(struct proof_shown, "next_hops_needed", node.hops_needed),
        SHOW_AS(struct proof_shown, "next_hops_known", node.hops_known),
        SHOW(struct proof_shown, ports), SHOW(struct proof_shown, vips),
        SHOW(struct proof_shown, omitted), SHOW(struct proof_shown, states));

static json_t *page_proof_json(struct proof *proof, const struct process *p, const char *vip)
{
	struct proof_shown shown = { .ok = true, .now_ms = clock_mono_ms() };
	const struct proof_node *node = &shown.node;
	int err = proof_copy(proof);

	if (!err)
		err = proof_node(proof, shown.now_ms, &shown.node);
	if (err)
		return json_refusal(strerror(-err));
	shown.stopping = node->stopping;
	shown.state_arrived = fact_text(node->state_arrived);
	shown.ports = json_array();
	for (uint32_t i = 0; i < node->n_ports; i++)
		json_array_append_new(shown.ports, port_proof_json(&node->ports[i]));
	shown.vips = vips_proof_json(proof, p->node.model, vip, shown.now_ms, &shown.omitted);
	shown.states = states_json(p);
	return record_shown(&proof_record, &shown);
}

/* The page as its readers see it now. With "vip" only this one is listed. */
static char *do_proof(struct process *p, const json_t *request)
{
	const json_t *vip = json_object_get(request, "vip");
	const char *refusal = vip && !json_is_string(vip) ? "vip is a name" : NULL;
	struct proof *proof;
	json_t *o;
	int err;

	if (!p->driver || !p->node.model)
		refusal = "no document is in force yet";
	if (refusal)
		return make_refusal(refusal);
	err = proof_open(p->dirs.run, &proof);
	if (err)
		return make_refusal(strerror(-err));
	o = page_proof_json(proof, p, json_string_value(vip));
	proof_close(proof);
	return answer_json(o);
}

/* --- what a packet would meet --- */

/*
 * The input is checked here and not only in the client: anyone in group weir can write to the
 * socket.
 */
static char *do_trace(struct process *p, const json_t *request)
{
	const char *source = json_get_text(request, "source");
	const char *destination = json_get_text(request, "destination");
	const json_t *length = json_object_get(request, "length");
	struct trace_result result;
	struct trace_query query;

	if (!source || !destination || trace_parse(source, destination, &query))
		return make_refusal(
		        "trace needs source \"ADDRESS:PORT\" and destination \"VIP:PORT/tcp\", "
		        "\"/tcp:syn\" or \"/udp\", IPv6 in brackets, both of one family");
	if (length &&
	    (!json_is_integer(length) || trace_set_length(&query, json_integer_value(length))))
		return make_refusal("length must be the bytes of the IP packet, with its headers");
	if (!p->driver || !p->node.model)
		return make_refusal("no document is in force yet");
	if (trace_run(&p->node.t, &query, trace_now_s(), &result))
		return make_refusal("out of memory");
	return trace_json(&query, &result);
}

/* A line that is no JSON or names no command gets the list of commands. */
char *process_answer(void *process, const char *line, size_t length)
{
	static const struct {
		const char *name;
		char *(*answer)(struct process *p, const json_t *request);
	} commands[] = {
		{ "status", do_status },        { "backends", do_backends }, { "trace", do_trace },
		{ "connections", do_handover }, { "proof", do_proof },
	};
	json_t *request = json_read(line, length, JSON_REJECT_DUPLICATES, NULL);
	const char *what = json_get_text(request, "do");
	char *text = NULL;

	for (size_t i = 0; what && i < sizeof(commands) / sizeof(commands[0]) && !text; i++)
		if (!strcmp(what, commands[i].name))
			text = commands[i].answer(process, request);
	json_decref(request);
	return text ? text
	            : make_refusal("a request is {\"do\": NAME}: \"status\", \"backends\", "
	                           "\"connections\", \"proof\" or \"trace\"");
}
