/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change does to nodes: where packets and queries come in, how they leave, who finds the
 * node.
 */
#include <inttypes.h>
#include <string.h>

#include "mgmt/rules/risk_internal.h"

static const struct model_port *find_port_by_name(const struct model_node *n, const char *interface)
{
	for (size_t i = 0; i < n->n_ports; i++)
		if (!strcmp(n->ports[i].interface, interface))
			return &n->ports[i];
	return NULL;
}

/* How many MAC addresses of @p a are not among those of @p b. */
static size_t macs_gone(const struct model_port *a, const struct model_port *b)
{
	size_t gone = 0;

	for (size_t i = 0; i < a->n_macs; i++) {
		size_t k = 0;

		while (k < b->n_macs && memcmp(&a->macs[i], &b->macs[k], sizeof(a->macs[i])) != 0)
			k++;
		gone += k == b->n_macs;
	}
	return gone;
}

/* Ports that are gone are one risk with all their names; the others are compared one by one. */
static void measure_ports(struct risk_work *w, const char *subject, const struct model_node *a,
                          const struct model_node *b)
{
	const char *gone = "";
	size_t n_gone = 0;

	for (size_t i = 0; i < a->n_ports; i++) {
		const struct model_port *port = find_port_by_name(b, a->ports[i].interface);

		if (!port) {
			n_gone++;
			gone = risk_text(w, "%s%s%s", gone, *gone ? ", " : "",
			                 a->ports[i].interface);
		} else if (strcmp(port->device, a->ports[i].device) != 0) {
			risk_note(w, RISK_PORT_DEVICE, 1.0 / (double)a->n_ports, subject,
			          "the device of port %s is \"%s\", was \"%s\"", port->interface,
			          port->device, a->ports[i].device);
		} else if (macs_gone(&a->ports[i], port)) {
			risk_note(w, RISK_PORT_DEVICE, 1.0 / (double)a->n_ports, subject,
			          "port %s no longer accepts frames for %zu of its MAC addresses",
			          port->interface, macs_gone(&a->ports[i], port));
		}
	}
	risk_note(w, RISK_PORTS_GONE, (double)n_gone / (double)(a->n_ports ? a->n_ports : 1),
	          subject, "port %s is removed", gone);
}

static bool prefix_changed(const struct prefix *a, const struct prefix *b)
{
	return a->bits != 0 && (a->bits != b->bits || !addr_equal(&a->addr, &b->addr));
}

/*
 * Control targets count in both directions: one more changes the judgement of the network as one
 * less does.
 */
static void measure_addresses(struct risk_work *w, const char *subject, const struct model_node *a,
                              const struct model_node *b)
{
	size_t gone =
	        risk_addresses_gone(a->dns_listen, a->n_dns_listen, b->dns_listen, b->n_dns_listen);
	size_t controls =
	        risk_addresses_gone(a->controls, a->n_controls, b->controls, b->n_controls) +
	        risk_addresses_gone(b->controls, b->n_controls, a->controls, a->n_controls);

	risk_note(w, RISK_LISTENERS_GONE,
	          (double)gone / (double)(a->n_dns_listen ? a->n_dns_listen : 1), subject,
	          "%zu of %zu addresses of dns_listen are removed", gone, a->n_dns_listen);
	risk_note(w, RISK_CONTROLS_CHANGED, controls > 0, subject,
	          "its control targets change (%zu, were %zu)", b->n_controls, a->n_controls);
	risk_note(w, RISK_API_MOVED, *a->api && strcmp(a->api, b->api) != 0, subject,
	          "api is \"%s\", was \"%s\"", b->api, a->api);
	risk_note(w, RISK_TUNNEL_SOURCE,
	          prefix_changed(&a->tunnel_source4, &b->tunnel_source4) ||
	                  prefix_changed(&a->tunnel_source6, &b->tunnel_source6),
	          subject, "tunnel_source changes");
}

static bool dpdk_changed(const struct model_dpdk *a, const struct model_dpdk *b)
{
	return a->n_cores != b->n_cores || a->hugepages != b->hugepages ||
	       a->memory_mb != b->memory_mb ||
	       memcmp(a->cores, b->cores, a->n_cores * sizeof(a->cores[0])) != 0;
}

static void measure_node(struct risk_work *w, const struct model_node *a,
                         const struct model_node *b)
{
	const char *subject = risk_text(w, "node %s", a->name);

	risk_note(w, RISK_NODE_MOVED, strcmp(a->site->name, b->site->name) != 0, subject,
	          "site is %s, was %s", b->site->name, a->site->name);
	risk_note(w, RISK_DRIVER, a->driver != b->driver, subject, "driver changes");
	if (a->mtu != b->mtu)
		risk_note(w, RISK_MTU, risk_times(a->mtu, b->mtu), subject,
		          "mtu is %" PRIu16 ", was %" PRIu16, b->mtu, a->mtu);
	risk_note(w, RISK_CLOCK_GUARD, a->clock != b->clock && b->clock == MODEL_CLOCK_TRUSTED,
	          subject, "an unsynchronised clock is trusted");
	risk_note(w, RISK_NEXT_START, dpdk_changed(&a->dpdk, &b->dpdk), subject,
	          "its DPDK settings change");
	measure_ports(w, subject, a, b);
	measure_addresses(w, subject, a, b);
}

void risk_measure_nodes(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_nodes; i++) {
		const struct model_node *a = &w->from->nodes[i], *b = model_node(w->to, a->name);

		if (b)
			measure_node(w, a, b);
		else
			risk_note(w, RISK_NODE_GONE, 1.0 / (double)w->from->n_nodes,
			          risk_text(w, "node %s", a->name), "removed");
	}
}
