/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One round of conditions: each part of the process states its troubles, in a fixed order. Whether
 * a port forwards is read back from the kernel's interfaces and from the driver; that an attempt to
 * attach it succeeded proves nothing a minute later.
 */
#include "dataplane/conditions.h"

#include <inttypes.h>
#include <string.h>

#include "dataplane/export/publish.h"
#include "dataplane/nexthop/links.h"
#include "dataplane/process.h"
#include "dataplane/prover.h"
#include "weir/condition.h"
#include "weir/measure.h"
#include "weir/model.h"

/*
 * Conditions of the scrub. What it found is mended already; it is shown for a minute, since packets
 * went astray until then and whoever did that may do it again.
 */

static void state_finding(const struct scrub_finding *finding, struct stats *s)
{
	conditions_add(s, "table-damaged", CONDITION_DEGRADED, finding->name,
	               "%" PRIu64
	               " elements (%u to %u of table %s) held what weir-dataplane had not "
	               "written; they are written again. Packets went astray until then: find out "
	               "what else writes to the tables (bpftool, or who has them open)",
	               finding->n, finding->first, finding->last, scrub_table_name(finding->table));
}

static void state_pins(const struct process *p, struct stats *s)
{
	const struct scrub_pins *pins = &p->scrub.pins;

	if (*pins->reason.text)
		conditions_add(
		        s, "pins-missing", CONDITION_DEGRADED, p->dirs.bpf,
		        "pins below it are missing and cannot be made again (next try in 1 "
		        "s): %.300s. What is not pinned ends with weir-dataplane: forwarding "
		        "by its ports, and the table of connections",
		        pins->reason.text);
	else if (pins->n)
		conditions_add(
		        s, "pins-missing", CONDITION_DEGRADED, p->dirs.bpf,
		        "%" PRIu64
		        " pins below it were missing or not weir-dataplane's; they are made "
		        "again. Had weir-dataplane ended before, forwarding and the table of "
		        "connections could have ended with it: find out what else removes or "
		        "replaces files there",
		        pins->n);
}

static void state_scrub(const struct process *p, struct stats *s)
{
	state_pins(p, s);
	for (uint32_t i = 0; i < p->scrub.n_findings; i++)
		state_finding(&p->scrub.findings[i], s);
	if (p->scrub.n_more)
		conditions_add(s, "table-damaged", CONDITION_DEGRADED, "more",
		               "%" PRIu64 " more elements of the forwarding tables held what "
		               "weir-dataplane had not written; they are written again",
		               p->scrub.n_more);
}

/* Why a port of the document does not forward, or not as configured. */
enum port_fault {
	PORT_FORWARDS,
	PORT_NOT_CHANGED,
	PORT_MISSING,
	PORT_NOT_ATTACHED,
	PORT_NO_CARRIER,
	PORT_FAULTS
};

static const struct {
	const char *code, *text;
} port_faults[PORT_FAULTS] = {
	[PORT_NOT_CHANGED] = { "port-not-changed",
	                       "the port still forwards by its former device; the device in the document "
	                       "cannot be used (tried again each second): correct "
	                       "nodes[].ports[].device, or make the device ready (weir nic)" },
	[PORT_MISSING] = { "port-missing", "there is no interface of this name on the node: check "
	                                   "the name (ip link) and the driver of the NIC" },
	[PORT_NOT_ATTACHED] = { "port-not-attached",
	                        "the forwarding program is not attached to this interface (tried again "
	                        "each second); if this lasts, find out what holds the interface "
	                        "(ip -d link show, bpftool net)" },
	[PORT_NO_CARRIER] = { "port-no-carrier",
	                      "the interface has no carrier: check cable, switch port and `ip link "
	                      "show` (an interface that is set down has none)" },
};

/*
 * A DPDK device has no interface before its TAP is made, so the driver says whether it is there
 * and up.
 */
static enum port_fault port_fault(const struct process *p, size_t i,
                                  const struct driver_port *attached)
{
	const struct model_port *port = &p->node.model->self->ports[i];
	const struct rtnl_link *link = links_named(p->links, port->interface);
	bool own_device = !strcmp(p->ops->name, "dpdk") && !model_port_shares_kernel(port);

	if (!link && !own_device)
		return PORT_MISSING;
	if (!attached || attached->lost ||
	    (link && !own_device && attached->ifindex != link->ifindex))
		return PORT_NOT_ATTACHED;
	if (!attached->up || (link && !own_device && !link->up))
		return PORT_NO_CARRIER;
	return p->port_err[i] ? PORT_NOT_CHANGED : PORT_FORWARDS;
}

/* A port that does not forward is degraded; if no port forwards, each is down. */
static void state_ports(const struct process *p, struct stats *s)
{
	const struct model_node *self = p->node.model->self;
	enum port_fault faults[DRIVER_PORTS_MAX] = { PORT_FORWARDS };
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n = p->ops->ports(p->driver, ports), n_forward = 0;
	size_t n_meant = self->n_ports < DRIVER_PORTS_MAX ? self->n_ports : DRIVER_PORTS_MAX;

	for (size_t i = 0; i < n_meant; i++) {
		const char *name = self->ports[i].interface;

		faults[i] = port_fault(p, i, driver_find_port(ports, n, name));
		n_forward += faults[i] == PORT_FORWARDS || faults[i] == PORT_NOT_CHANGED;
	}
	for (size_t i = 0; i < n_meant; i++) {
		bool tried = faults[i] == PORT_NOT_ATTACHED || faults[i] == PORT_NOT_CHANGED;
		const char *reason = tried ? p->port_reason[i] : "";

		if (faults[i] != PORT_FORWARDS)
			conditions_add(s, port_faults[faults[i]].code,
			               n_forward ? CONDITION_DEGRADED : CONDITION_DOWN,
			               self->ports[i].interface, "%s%s%s",
			               port_faults[faults[i]].text,
			               *reason ? "; the last try: " : "", reason);
	}
}

/* Nothing is lost until the node is busy, and nobody would look for it. */
static void state_generic(const struct process *p, struct stats *s)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n = strcmp(p->ops->name, "xdp") ? 0 : p->ops->ports(p->driver, ports);

	for (size_t i = 0; i < n; i++)
		if (!ports[i].lost && !ports[i].native)
			conditions_add(
			        s, "generic-mode", CONDITION_NOTE, ports[i].name,
			        "the kernel's generic XDP mode forwards here, several times slower "
			        "than a driver: native mode needs a driver that has it, and an MTU of "
			        "about 3,500 at most (the cause: port-attached in the log)");
}

static void state_lost_frames(const struct process *p, const struct leaving_port *port,
                              struct stats *s)
{
	bool is_none = port->state == LEAVING_NONE;

	conditions_add(
	        s, "frames-not-sent",
	        is_none && prover_is_blocked(p->prover) ? CONDITION_DOWN : CONDITION_DEGRADED,
	        port->shown.name,
	        "%s: the port's driver does not take what is to leave; likely: %s. "
	        "Counted: weir_dataplane_port_not_sent_total",
	        is_none ? "nothing leaves" : "more than 1 % is lost", port->shown.not_sent_cause);
}

/* Nobody can tell whether what such a port sends leaves: that is said, and nothing else is done. */
static void state_leaving(const struct process *p, struct stats *s)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n = p->ops->not_sent ? p->ops->ports(p->driver, ports) : 0;

	for (size_t i = 0; i < p->leaving.n; i++)
		if (p->leaving.ports[i].state != LEAVING_ALL)
			state_lost_frames(p, &p->leaving.ports[i], s);
	for (size_t i = 0; i < n; i++)
		if (!ports[i].not_sent_known)
			conditions_add(
			        s, "frames-sent-unknown", CONDITION_NOTE, ports[i].name,
			        "whether the driver takes what is to leave by this port is unknown: "
			        "%s",
			        ports[i].not_sent_cause);
}

static void state_macs(const struct process *p, struct stats *s)
{
	if (p->macs_left_out)
		conditions_add(
		        s, "port-macs-full", CONDITION_DEGRADED, "",
		        "there is no room for %zu MAC addresses of interfaces stacked on the "
		        "ports, so frames to them are not forwarded: use fewer macvlans on the "
		        "ports",
		        p->macs_left_out);
}

/* Nothing fails, and nobody would look for it. */
static void state_memory(const struct process *p, struct stats *s)
{
	struct driver_reason reason;

	if (p->ops->memory_fault && p->ops->memory_fault(p->driver, &reason))
		conditions_add(s, "small-pages", CONDITION_NOTE, "",
		               "each packet costs more: %s; correct that, then weir restart "
		               "dataplane",
		               reason.text);
}

/* Less is in force at once, as outer packets are limited by the document as well. */
static void state_mtu(const struct process *p, struct stats *s)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	unsigned mtu = p->node.model->self->mtu;
	size_t n = p->ops->ports(p->driver, ports);

	for (size_t i = 0; i < n; i++)
		if (ports[i].mtu && ports[i].mtu < mtu)
			conditions_add(
			        s, "mtu-not-raised", CONDITION_NOTE, ports[i].name,
			        "the document's mtu is %u, but this port was opened for %u, "
			        "which stays in force: weir restart dataplane; if that does not "
			        "help, its device takes no longer packets",
			        mtu, ports[i].mtu);
}

/* Without a document, XDP's program may forward for an earlier process, and workers do not. */
static void state_refused(const struct process *p, struct stats *s)
{
	const char *effect = p->driver && p->node.model ? "the one before stays in force"
	                     : p->forwards_nothing      ? "nothing is forwarded"
	                                                : "this process has none in force";

	if (*p->refusal)
		conditions_add(s, "document-refused",
		               p->forwards_nothing ? CONDITION_DOWN : CONDITION_DEGRADED, "",
		               "the newest document is refused, %s: %s", effect, p->refusal);
}

static void state_hash_key(const struct model *m, struct stats *s)
{
	if (m->key_state != MODEL_KEY_GOOD)
		conditions_add(s, "hash-key-mismatch", CONDITION_DEGRADED, "weir-dataplane",
		               "the key in use stays, the file is not used: %.200s", m->key_fault);
}

/*
 * VIPs that are announced stay so, and no router learns of others: without this, nothing says why.
 */
static void state_probe_packets(const struct process *p, struct stats *s)
{
	const char *interface = "", *problem = prover_problem(p->prover, &interface);

	if (problem)
		conditions_add(s, "probe-packets-fail", CONDITION_DEGRADED, interface,
		               "cannot run probe packets through this port (next try in 1 s): %s. "
		               "Without probe packets this node announces no further VIP",
		               problem);
}

/* An operation on a site waits for what this node measures. */
static void state_measure_page(const struct process *p, struct stats *s)
{
	int fault = publisher_measure_fault(p->publisher);

	if (fault)
		conditions_add(
		        s, "measure-page-missing", CONDITION_DEGRADED, MEASURE_PAGE_FILE,
		        "cannot be written (next try in 5 s): %s. Without it this node's new "
		        "flows are not known, and operations on sites are held: make room in "
		        "the run directory",
		        strerror(-fault));
}

/* What a document in force names. The lists of many come last: the page may be full. */
static void state_document(const struct process *p, struct stats *s)
{
	state_hash_key(p->node.model, s);
	if (p->node.model->self) {
		state_ports(p, s);
		state_mtu(p, s);
	}
	state_memory(p, s);
	state_generic(p, s);
	state_leaving(p, s);
	conditions_state_paths(p, s);
	conditions_state_backups(p, s);
	state_scrub(p, s);
}

void conditions_state(struct process *p)
{
	struct stats *s = publisher_stats(p->publisher);
	bool has_document = p->driver && p->node.model;

	conditions_begin(s, has_document ? p->node.model->meta.document : 0);
	state_refused(p, s);
	state_probe_packets(p, s);
	state_measure_page(p, s);
	if (has_document)
		state_document(p, s);
	state_macs(p, s);
	conditions_end(s);
}
