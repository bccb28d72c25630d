/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer is read from the page, not from the prover: so it shows what weir-announce reads.
 */
#include "dataplane/ctl_proof.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "dataplane/process.h"
#include "dataplane/prover.h"
#include "record/fields.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/proof.h"

static const char *fact_text(uint8_t fact)
{
	return proof_fact_text((enum proof_fact)fact);
}

struct port_proof_shown {
	const char *interface, *up, *attached;
	uint32_t ifindex, program;
};

static const struct field port_fields[] = {
	SHOW(struct port_proof_shown, interface), SHOW(struct port_proof_shown, ifindex),
	SHOW(struct port_proof_shown, program),   SHOW(struct port_proof_shown, up),
	SHOW(struct port_proof_shown, attached),
};
static const struct record_kind port_record =
        RECORD_OF(struct port_proof_shown, "port", port_fields, NULL);

static json_t *port_proof_json(const struct proof_port *p)
{
	return record_shown(&port_record,
	                    &(struct port_proof_shown){ .interface = p->interface,
	                                                .ifindex = p->ifindex,
	                                                .program = p->program,
	                                                .up = fact_text(p->up),
	                                                .attached = fact_text(p->attached) });
}

struct vip_shown {
	const char *vip, *state, *reason;
	char address[ADDR_TEXT_MAX];
	struct proof_vip proof;
};

static const struct field vip_fields[] = {
	SHOW(struct vip_shown, vip),
	SHOW(struct vip_shown, address),
	SHOW(struct vip_shown, state),
	SHOW(struct vip_shown, reason),
	SHOW_AS(struct vip_shown, "since_ms", proof.since_ms),
	SHOW_AS(struct vip_shown, "proved_ms", proof.proved_ms),
	SHOW_AS(struct vip_shown, "tried_ms", proof.tried_ms),
	SHOW_AS(struct vip_shown, "sent", proof.sent),
	SHOW_AS(struct vip_shown, "services", proof.n_services),
	SHOW_AS(struct vip_shown, "serving", proof.n_serving),
	SHOW_AS(struct vip_shown, "reachable", proof.n_reachable),
};
static const struct record_kind vip_record = RECORD_OF(struct vip_shown, "VIP", vip_fields, NULL);

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
			if (json_array_size(list) >= CTL_PROOF_ROWS)
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

static const struct field proof_fields[] = {
	SHOW(struct proof_shown, ok),
	SHOW_AS(struct proof_shown, "document", node.document),
	SHOW(struct proof_shown, now_ms),
	SHOW_AS(struct proof_shown, "alive_ms", node.alive_ms),
	SHOW_AS(struct proof_shown, "started_ms", node.started_ms),
	SHOW_AS(struct proof_shown, "sent", node.sent),
	SHOW_AS(struct proof_shown, "driver", node.driver),
	SHOW(struct proof_shown, state_arrived),
	SHOW(struct proof_shown, stopping),
	SHOW_AS(struct proof_shown, "next_hops_needed", node.hops_needed),
	SHOW_AS(struct proof_shown, "next_hops_known", node.hops_known),
	SHOW(struct proof_shown, ports),
	SHOW(struct proof_shown, vips),
	SHOW(struct proof_shown, omitted),
	SHOW(struct proof_shown, states),
};
static const struct record_kind proof_record =
        RECORD_OF(struct proof_shown, "proof", proof_fields, NULL);

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

json_t *ctl_proof_json(const struct process *p, const json_t *request)
{
	const json_t *vip = json_object_get(request, "vip");
	const char *refusal = vip && !json_is_string(vip) ? "vip is a name" : NULL;
	struct proof *proof;
	json_t *o;
	int err;

	if (!p->driver || !p->node.model)
		refusal = "no document is in force yet";
	if (refusal)
		return json_refusal(refusal);
	err = proof_open(p->dirs.run, &proof);
	if (err)
		return json_refusal(strerror(-err));
	o = page_proof_json(proof, p, json_string_value(vip));
	proof_close(proof);
	return o;
}
