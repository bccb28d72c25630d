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
#include "weir/json.h"
#include "weir/model.h"
#include "weir/proof.h"

static json_t *port_proof_json(const struct proof_port *p)
{
	return json_pack("{s:s, s:I, s:I, s:s, s:s}", "interface", p->interface, "ifindex",
	                 (json_int_t)p->ifindex, "program", (json_int_t)p->program, "up",
	                 proof_fact_text((enum proof_fact)p->up), "attached",
	                 proof_fact_text((enum proof_fact)p->attached));
}

static json_t *vip_proof_json(const char *name, const struct proof_vip *v)
{
	char address[ADDR_TEXT_MAX];

	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "vip", name,
	                 "address", addr_text(&v->address, address), "state",
	                 proof_state_text((enum proof_state)v->state), "reason",
	                 proof_reason_text(v->reason), "since_ms", (json_int_t)v->since_ms,
	                 "proved_ms", (json_int_t)v->proved_ms, "tried_ms", (json_int_t)v->tried_ms,
	                 "sent", (json_int_t)v->sent, "services", (json_int_t)v->n_services,
	                 "serving", (json_int_t)v->n_serving, "reachable",
	                 (json_int_t)v->n_reachable);
}

/* @param only  the only one to be listed; NULL: all. @param omitted  out: addresses without room */
static json_t *vips_proof_json(const struct proof *proof, const struct model *m, const char *only,
                               uint64_t now_ms, size_t *omitted)
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

static json_t *page_proof_json(struct proof *proof, const struct process *p, const char *vip)
{
	uint64_t now_ms = clock_mono_ms();
	const struct model *m = p->node.model;
	size_t omitted;
	json_t *ports = json_array(), *vips;
	struct proof_node node;
	int err = proof_copy(proof);

	if (!err)
		err = proof_node(proof, now_ms, &node);
	for (uint32_t i = 0; !err && i < node.n_ports; i++)
		json_array_append_new(ports, port_proof_json(&node.ports[i]));
	if (err) {
		json_decref(ports);
		return json_refusal(strerror(-err));
	}
	vips = vips_proof_json(proof, m, vip, now_ms, &omitted);
	return json_pack(
	        "{s:b, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:b, s:I, s:I, s:o, s:o, s:I, s:o}", "ok",
	        1, "document", (json_int_t)node.document, "now_ms", (json_int_t)now_ms, "alive_ms",
	        (json_int_t)node.alive_ms, "started_ms", (json_int_t)node.started_ms, "sent",
	        (json_int_t)node.sent, "driver", node.driver, "state_arrived",
	        proof_fact_text((enum proof_fact)node.state_arrived), "stopping", node.stopping,
	        "next_hops_needed", (json_int_t)node.hops_needed, "next_hops_known",
	        (json_int_t)node.hops_known, "ports", ports, "vips", vips, "omitted",
	        (json_int_t)omitted, "states", states_json(p));
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
