/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The answer is read from the page, not from the prover: so it shows what weir-announce reads.
 */
#include "dataplane/ctl_proof.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "dataplane/process.h"
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

static json_t *vips_proof_json(const struct proof *proof, const struct model *m, uint64_t now_ms)
{
	json_t *list = json_array();
	struct proof_vip v;

	for (size_t i = 0; i < m->n_vips; i++)
		for (size_t k = 0; k < m->vips[i].n_addresses; k++)
			if (!proof_vip(proof, m->vips[i].name, &m->vips[i].addresses[k], now_ms,
			               &v))
				json_array_append_new(list, vip_proof_json(m->vips[i].name, &v));
	return list;
}

static json_t *services_proof_json(const struct proof *proof, const struct model *m)
{
	json_t *list = json_array();
	struct proof_service s;

	for (size_t i = 0; i < m->n_services; i++)
		if (!proof_service(proof, m->services[i].name, &s))
			json_array_append_new(list, json_pack("{s:s, s:I, s:I}", "service",
			                                      m->services[i].name, "sent",
			                                      (json_int_t)s.sent, "forwarded",
			                                      (json_int_t)s.forwarded));
	return list;
}

static json_t *page_proof_json(const struct proof *proof, const struct model *m)
{
	uint64_t now_ms = clock_mono_ms();
	json_t *ports = json_array();
	struct proof_node node;
	int err = proof_node(proof, now_ms, &node);

	for (uint32_t i = 0; !err && i < node.n_ports; i++)
		json_array_append_new(ports, port_proof_json(&node.ports[i]));
	if (err) {
		json_decref(ports);
		return json_pack("{s:b, s:s}", "ok", 0, "error", strerror(-err));
	}
	return json_pack(
	        "{s:b, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:I, s:I, s:o, s:o, s:o}", "ok", 1,
	        "document", (json_int_t)node.document, "now_ms", (json_int_t)now_ms, "alive_ms",
	        (json_int_t)node.alive_ms, "started_ms", (json_int_t)node.started_ms, "sent",
	        (json_int_t)node.sent, "driver", node.driver, "state_arrived",
	        proof_fact_text((enum proof_fact)node.state_arrived), "next_hops_needed",
	        (json_int_t)node.hops_needed, "next_hops_known", (json_int_t)node.hops_known,
	        "ports", ports, "vips", vips_proof_json(proof, m, now_ms), "services",
	        services_proof_json(proof, m));
}

json_t *ctl_proof_json(const struct process *p)
{
	struct proof *proof;
	json_t *o;
	int err;

	if (!p->driver || !p->node.model)
		return json_pack("{s:b, s:s}", "ok", 0, "error", "no document is in force yet");
	err = proof_open(p->dirs.run, &proof);
	if (err)
		return json_pack("{s:b, s:s}", "ok", 0, "error", strerror(-err));
	o = page_proof_json(proof, p->node.model);
	proof_close(proof);
	return o;
}
