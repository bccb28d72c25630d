/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of the node's ports. A fact is `no` only on evidence: the interface is gone or has
 * no carrier, or the kernel says that it carries no program. All else is unknown, because the code
 * of an earlier process may forward: before the first try to attach, after one that failed, with
 * another program than this process's, and when the program cannot be read. A driver whose code
 * ends with its process has no such code: there a failed try is evidence.
 */
#include "dataplane/prover_internal.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "dataplane/nexthop/links.h"
#include "dataplane/process.h"
#include "weir/model.h"

_Static_assert(PROOF_PORTS_MAX == DRIVER_PORTS_MAX, "all ports are on the page");

/* The code could not be put into @p interface. */
static uint8_t failed_fact(const struct process *p, const char *interface)
{
	bool may_forward = p->ops->may_forward && p->ops->may_forward(p->driver, interface);

	return may_forward ? PROOF_UNKNOWN : PROOF_NO;
}

/* @param ifindex  of the interface that has the port's name now; 0: there is none */
static uint8_t attached_fact(const struct driver_port *port, uint32_t ifindex, bool is_own_device)
{
	if (!is_own_device && port->ifindex != ifindex)
		return PROOF_NO;
	if (port->lost)
		return port->may_forward ? PROOF_UNKNOWN : PROOF_NO;
	return PROOF_YES;
}

/*
 * A device of DPDK's own has the carrier that the driver sees; its interface is only a TAP. Of an
 * interface that is there, but not in the table of links (LINKS_MAX), nothing is known.
 */
static uint8_t up_fact(const struct driver_port *port, const struct rtnl_link *link,
                       uint32_t ifindex, bool is_own_device)
{
	if (is_own_device)
		return !port ? PROOF_UNKNOWN : port->up ? PROOF_YES : PROOF_NO;
	if (!link)
		return ifindex ? PROOF_UNKNOWN : PROOF_NO;
	return link->up ? PROOF_YES : PROOF_NO;
}

/* The ports that probe packets came in by until now. */
struct probe_ports {
	struct prover_port ports[PROOF_PORTS_MAX];
	size_t n;
};

/* A frame needs the port's own MAC address, or it is not ours. What its last batch led to stays. */
static void add_probe_port(struct prover *r, const struct probe_ports *before,
                           const struct proof_port *shown, const struct rtnl_link *link)
{
	struct prover_port *port = &r->ports[r->n_ports];

	if (shown->attached != PROOF_YES || !link || !link->ethernet || !shown->ifindex)
		return;
	*port = (struct prover_port){ .ifindex = shown->ifindex };
	for (size_t i = 0; i < before->n; i++)
		if (before->ports[i].ifindex == shown->ifindex)
			*port = before->ports[i];
	memcpy(port->mac, link->mac, sizeof(port->mac));
	r->n_ports++;
}

static void read_port(struct prover *r, const struct probe_ports *before,
                      const struct driver_port *ports, size_t n, size_t i, struct proof_port *out)
{
	const struct process *p = r->process;
	const struct model_port *model_port = &p->node.model->self->ports[i];
	const struct rtnl_link *link = links_named(p->links, model_port->interface);
	const struct driver_port *port = driver_find_port(ports, n, model_port->interface);
	bool is_own_device = !strcmp(p->ops->name, "dpdk") && !model_port_shares_kernel(model_port);
	uint32_t ifindex = link ? link->ifindex : if_nametoindex(model_port->interface);

	*out = (struct proof_port){
		.ifindex = port ? port->ifindex : ifindex,
		.program = port ? port->program : 0,
		.up = up_fact(port, link, ifindex, is_own_device),
		.attached = port             ? attached_fact(port, ifindex, is_own_device)
		            : p->port_err[i] ? failed_fact(p, model_port->interface)
		                             : PROOF_UNKNOWN,
	};
	snprintf(out->interface, sizeof(out->interface), "%s", model_port->interface);
	add_probe_port(r, before, out, link);
}

void prover_read_ports(struct prover *r, uint64_t now_ms)
{
	const struct process *p = r->process;
	const struct model_node *self = p->node.model->self;
	struct driver_port ports[DRIVER_PORTS_MAX];
	struct proof_port shown[PROOF_PORTS_MAX] = { 0 };
	struct probe_ports before;
	size_t n = p->ops->ports(p->driver, ports);
	uint32_t n_shown =
	        (uint32_t)(self->n_ports < PROOF_PORTS_MAX ? self->n_ports : PROOF_PORTS_MAX);

	before.n = r->n_ports;
	memcpy(before.ports, r->ports, sizeof(before.ports));
	r->ports_ms = now_ms;
	r->n_ports = 0;
	for (uint32_t i = 0; i < n_shown; i++)
		read_port(r, &before, ports, n, i, &shown[i]);
	if (n_shown == r->node.n_ports && !memcmp(shown, r->node.ports, sizeof(shown)))
		return;
	memcpy(r->node.ports, shown, sizeof(shown));
	r->node.n_ports = n_shown;
	r->is_changed = true;
	for (size_t i = 0; i < r->rows.n; i++)
		r->rows.rows[i].is_urgent = true;
}
