/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching is repeated, not assumed: each second the driver's ports are read back and compared
 * with the document and with the kernel's interfaces. Own MAC addresses are written before a port's
 * code runs, since packets to any other address are passed to the kernel; and again after it, since
 * attaching a DPDK port creates its TAP.
 */
#include "dataplane/attach.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "dataplane/nexthop/links.h"
#include "dataplane/tables/macs.h"
#include "dataplane/process.h"
#include "weir/model.h"

static bool is_document_port(const struct model_node *self, const char *interface)
{
	for (size_t i = 0; i < self->n_ports; i++)
		if (!strcmp(self->ports[i].interface, interface))
			return true;
	return false;
}

/* @return the first port that is not there and does not come by being attached, as one of a device does; or NULL */
static const char *missing_port(const struct model_node *self)
{
	for (size_t i = 0; i < self->n_ports; i++)
		if (!*self->ports[i].device && !if_nametoindex(self->ports[i].interface))
			return self->ports[i].interface;
	return NULL;
}

bool attach_would_lose(const struct process *p, const struct model_node *next, char *reason,
                       size_t size)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	const char *missing = missing_port(next);
	size_t n = missing ? p->ops->ports(p->driver, ports) : 0;

	for (size_t i = 0; i < n; i++) {
		bool carries = !ports[i].lost && if_nametoindex(ports[i].name) == ports[i].ifindex;

		if (!carries || is_document_port(next, ports[i].name))
			continue;
		snprintf(
		        reason, size,
		        "there is no interface %s, and the document takes port %s away, which carries "
		        "packets: mend the name, or keep %s until %s is there",
		        missing, ports[i].name, ports[i].name, missing);
		return true;
	}
	return false;
}

/* Attach a port, or try again. The result is logged only if it differs from the last one. */
static void attach_port(struct process *p, size_t i)
{
	const struct model_port *configured = &p->node.model->self->ports[i];
	struct driver_port port;
	struct driver_reason reason;
	int err = p->ops->attach(p->driver, configured, &port, &reason);
	const char *text = *reason.text ? reason.text : "attached";

	p->port_err[i] = err;
	if (!strcmp(p->port_reason[i], text))
		return;
	snprintf(p->port_reason[i], DRIVER_REASON_MAX, "%s", text);
	if (err)
		log_error("port-failed", "interface=%s reason=\"%s\"", configured->interface,
		          reason.text);
	else
		log_note("port-attached", "interface=%s ifindex=%u mode=%s reason=\"%s\"",
		         port.name, port.ifindex, port.native ? "native" : "generic", reason.text);
}

static size_t n_document_ports(const struct process *p)
{
	size_t n = p->node.model->self->n_ports;

	return n < DRIVER_PORTS_MAX ? n : DRIVER_PORTS_MAX;
}

/*
 * Read the interfaces again if a port's has changed and its message has not come yet: a port whose
 * MAC addresses are not known forwards nothing.
 */
static void meet_ports(struct process *p)
{
	const struct model_node *self = p->node.model->self;

	for (size_t i = 0; i < n_document_ports(p); i++) {
		const char *name = self->ports[i].interface;
		const struct rtnl_link *link = links_named(p->links, name);

		if ((link ? link->ifindex : 0) != if_nametoindex(name)) {
			(void)links_read(p->links);
			return;
		}
	}
}

/* Bring our ports' own MAC addresses in the tables up to date. */
static void keep_macs(struct process *p)
{
	static const enum fwd_table tables[] = { FWD_TABLE_ROOT, FWD_TABLE_macs };
	struct shadow *shadow = &p->node.shadow;
	struct macs macs;

	meet_ports(p);
	macs_gather(p->links, p->node.model->self, &macs);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		scrub_table(&p->scrub, tables[i]);
	if (macs_write(&shadow->t, &macs))
		log_note("port-macs", "own=%zu left_out=%zu", macs.n, macs.n_left_out);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		shadow_store(shadow, &p->node.t, tables[i], 0, shadow_elements(shadow, tables[i]));
	p->macs_left_out = macs.n_left_out;
}

/* What was logged of a port is of its name: one that the document did not name meanwhile starts afresh. */
static void follow_names(struct process *p)
{
	for (size_t i = 0; i < DRIVER_PORTS_MAX; i++) {
		const char *name =
		        i < n_document_ports(p) ? p->node.model->self->ports[i].interface : "";

		if (!strcmp(p->port_name[i], name))
			continue;
		snprintf(p->port_name[i], sizeof(p->port_name[i]), "%s", name);
		p->port_reason[i][0] = 0;
		p->port_err[i] = 0;
	}
}

void attach_all(struct process *p)
{
	follow_names(p);
	keep_macs(p);
	for (size_t i = 0; i < n_document_ports(p); i++)
		attach_port(p, i);
	keep_macs(p); /* attaching a DPDK port has created its interface */
}

/*
 * Attach again where the driver has no port, has lost it, or serves an older interface of the
 * same name, and where the last try failed.
 */
void attach_missing(struct process *p)
{
	const struct model_node *self = p->node.model->self;
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n = p->ops->ports(p->driver, ports), attached = 0;

	keep_macs(p);
	for (size_t i = 0; i < n_document_ports(p); i++) {
		const struct driver_port *port =
		        driver_find_port(ports, n, self->ports[i].interface);
		uint32_t ifindex = if_nametoindex(self->ports[i].interface);
		bool is_attached = port && port->ifindex == ifindex && !port->lost;

		if (is_attached && !p->port_err[i])
			continue;
		if (port && ifindex && !is_attached) { /* lost, or another interface has its name */
			log_warn("port-lost", "interface=%s ifindex=%u now=%u", port->name,
			         port->ifindex, ifindex);
			p->port_reason[i][0] = 0;
		}
		attach_port(p, i);
		attached++;
	}
	if (attached)
		keep_macs(p);
}

void detach_unnamed(struct process *p)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n = p->ops->ports(p->driver, ports);
	struct driver_reason reason;

	for (size_t i = 0; i < n; i++) {
		if (is_document_port(p->node.model->self, ports[i].name))
			continue;
		if (p->ops->detach(p->driver, ports[i].name, &reason))
			log_error("port-failed", "interface=%s reason=\"%s\"", ports[i].name,
			          reason.text);
		else
			log_note("port-detached", "interface=%s", ports[i].name);
	}
}
