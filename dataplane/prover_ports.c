/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of the node's ports. A fact is `no` only on evidence: the interface is gone or has
 * no carrier, the kernel says that the port carries another program, or none, or the last try to
 * attach failed. Before the first try nothing is known, because the code of an earlier process may
 * forward.
 */
#include "dataplane/prover_internal.h"

#include <stdio.h>
#include <string.h>

#include "dataplane/nexthop/links.h"
#include "dataplane/process.h"
#include "weir/model.h"

_Static_assert(PROOF_PORTS_MAX == DRIVER_PORTS_MAX, "all ports are on the page");

static const struct driver_port *find_proved_port(const struct driver_port *ports, size_t n,
                                                  const char *interface)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(ports[i].name, interface))
			return &ports[i];
	return NULL;
}

static uint8_t attached_fact(const struct driver_port *port, const struct rtnl_link *link,
                             bool is_own_device, int err)
{
	if (!port)
		return err ? PROOF_NO : PROOF_UNKNOWN;
	if (port->lost || (!is_own_device && (!link || port->ifindex != link->ifindex)))
		return PROOF_NO;
	return PROOF_YES;
}

/* A device of DPDK's own has the carrier that the driver sees; its interface is only a TAP. */
static uint8_t up_fact(const struct driver_port *port, const struct rtnl_link *link,
                       bool is_own_device)
{
	if (is_own_device)
		return !port ? PROOF_UNKNOWN : port->up ? PROOF_YES : PROOF_NO;
	return link && link->up ? PROOF_YES : PROOF_NO;
}

/* A frame needs the port's own MAC address, or it is not ours. */
static void add_probe_port(struct prover *r, const struct proof_port *shown,
                           const struct rtnl_link *link)
{
	if (shown->attached != PROOF_YES || !link || !link->ethernet || !shown->ifindex)
		return;
	r->ports[r->n_ports].ifindex = shown->ifindex;
	memcpy(r->ports[r->n_ports].mac, link->mac, sizeof(link->mac));
	r->n_ports++;
}

static void read_port(struct prover *r, const struct driver_port *ports, size_t n, size_t i,
                      struct proof_port *out)
{
	const struct process *p = r->process;
	const struct model_port *model_port = &p->node.model->self->ports[i];
	const struct rtnl_link *link = links_named(p->links, model_port->interface);
	const struct driver_port *port = find_proved_port(ports, n, model_port->interface);
	bool is_own_device = !strcmp(p->ops->name, "dpdk") && !model_port_shares_kernel(model_port);

	*out = (struct proof_port){
		.ifindex = port   ? port->ifindex
		           : link ? link->ifindex
		                  : 0,
		.program = port ? port->program : 0,
		.up = up_fact(port, link, is_own_device),
		.attached = attached_fact(port, link, is_own_device, p->port_err[i]),
	};
	snprintf(out->interface, sizeof(out->interface), "%s", model_port->interface);
	add_probe_port(r, out, link);
}

void prover_read_ports(struct prover *r, uint64_t now_ms)
{
	const struct process *p = r->process;
	const struct model_node *self = p->node.model->self;
	struct driver_port ports[DRIVER_PORTS_MAX];
	struct proof_port shown[PROOF_PORTS_MAX] = { 0 };
	size_t n = p->ops->ports(p->driver, ports);
	uint32_t n_shown =
	        (uint32_t)(self->n_ports < PROOF_PORTS_MAX ? self->n_ports : PROOF_PORTS_MAX);

	r->ports_ms = now_ms;
	r->n_ports = 0;
	for (uint32_t i = 0; i < n_shown; i++)
		read_port(r, ports, n, i, &shown[i]);
	if (n_shown == r->node.n_ports && !memcmp(shown, r->node.ports, sizeof(shown)))
		return;
	memcpy(r->node.ports, shown, sizeof(shown));
	r->node.n_ports = n_shown;
	r->is_changed = true;
	for (size_t i = 0; i < r->rows.n; i++)
		r->rows.rows[i].is_urgent = true;
}
