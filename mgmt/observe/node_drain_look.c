/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the drain of this node is judged by: the announce page, and the packets on weir-dataplane's
 * page. A process that does not answer makes no state: what it shows is unknown then.
 */
#include "mgmt/observe/node_drain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/log.h"
#include "mgmt/observe/announce_own.h"
#include "mgmt/core/core.h"
#include "mgmt/observe/observe_internal.h"
#include "weir/life.h"
#include "weir/stats.h"

#define PORTS_MS   10000u /* between two looks at the speed of ports: a driver may take long */
#define MESSAGE_MS 300    /* for weir-announce: a hanging one must not stop the looks */

/* Sooner than other counters: a node whose packets stand still is taken for empty. */
static bool is_late(uint64_t alive_ms)
{
	return !life_is_fresh(alive_ms, LIFE_FOR_STATUS, clock_mono_ms());
}

static void add_neighbour(const struct announced_neighbour *n, bool has_shutdown,
                          struct node_drain_routes *out)
{
	struct node_drain_neighbour *to = &out->neighbours[out->n_neighbours];

	if (!n->established)
		return;
	memcpy(to->name, n->name, sizeof(to->name));
	to->name[sizeof(to->name) - 1] = '\0';
	to->has_shutdown = has_shutdown;
	out->n_neighbours++;
}

/* Count what weir-announce shows, unless its page is old. */
static void read_routes(const char *run_dir, struct node_drain_routes *out)
{
	struct announce_own own = { .page = NULL };
	uint32_t neighbour_bits = 0; /* those that get such an address */

	*out = (struct node_drain_routes){ 0 };
	if (announce_own_look(&own, run_dir) && !is_late(own.node.alive_ms)) {
		out->known = true;
		out->n = own.node.n_addresses;
		for (uint32_t i = 0; i < out->n; i++) {
			node_drain_count(out, &own.addresses[i]);
			if (own.addresses[i].table == ANNOUNCE_SHUTDOWN && own.addresses[i].is_read)
				neighbour_bits |= own.addresses[i].exported;
		}
		for (uint32_t i = 0; i < own.node.n_neighbours; i++)
			add_neighbour(&own.neighbours[i], neighbour_bits >> i & 1, out);
	}
	announce_own_close(&own);
}

/* The packets that weir-dataplane has forwarded for services. @return whether that is known */
static bool count_packets(const char *run_dir, uint64_t *out)
{
	struct stats_reader *page;
	bool known;

	if (stats_reader_open(run_dir, "dataplane", &page))
		return false;
	(void)stats_reader_sum(page, "weir_dataplane_service_packets_total", out);
	known = !is_late(stats_reader_alive_ms(page));
	stats_reader_close(page);
	return known;
}

/* The speed of an interface as the kernel knows it, bits a second; 0: it does not. */
static uint64_t read_speed(const char *interface)
{
	char path[sizeof("/sys/class/net//speed") + 16];
	long mbits = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%.15s/speed", interface);
	f = fopen(path, "re");
	if (f && fscanf(f, "%ld", &mbits) != 1)
		mbits = 0;
	if (f)
		fclose(f);
	return mbits > 0 ? (uint64_t)mbits * 1000000 : 0;
}

/* All ports together; an unknown one makes the sum unknown. */
static uint64_t read_port_bits(const struct model_node *self)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < self->n_ports; i++) {
		uint64_t bits = read_speed(self->ports[i].interface);

		if (!bits)
			return 0;
		sum += bits;
	}
	return sum;
}

/* Tell weir-announce that a drain need not wait longer; said again while it is so. */
static void notify_empty(const struct core *core)
{
	char path[PATH_MAX], *answer = NULL;

	if (!proc_path(core->dirs.run, "announce.ctl", path) &&
	    ctl_request(path, "{\"do\":\"emptied\"}", MESSAGE_MS, &answer))
		answer = NULL; /* it withdraws after its own time */
	free(answer);
}

/* The state in the last event, of this weir-mgmt or the one before; it stays "" if there is none. Under the lock. */
static void read_logged_drain(struct core *core, char state[OBSERVE_DRAIN_MAX])
{
	const struct journal *j = intent_journal(core->intent);

	for (uint64_t id = journal_oldest(j); id <= journal_last(j); id++) {
		const struct event *e = journal_find(j, id);

		if (!strcmp(e->kind, "drain"))
			snprintf(state, OBSERVE_DRAIN_MAX, "%.*s", (int)strcspn(e->message, ","),
			         e->message);
	}
}

/*
 * Compared with the last event, not with the last look: in between, nothing may have been known. Of a node that was
 * never drained, the first state is no news. Under the lock.
 */
static void log_node_drain(struct core *core, const struct node_drain *d)
{
	char *logged = core->observe->logged_drain;
	const char *state = node_drain_state(d);
	const struct node_drain_routes *r = &d->routes;
	char was[OBSERVE_DRAIN_MAX];

	if (!r->known)
		return;
	snprintf(was, sizeof(was), "%s", logged);
	snprintf(logged, OBSERVE_DRAIN_MAX, "%s", state);
	if (!strcmp(was, state) || (!*was && d->target == MODEL_NODE_SERVES))
		return;
	const char *before = *was ? was : "unknown";
	journal_add(intent_journal(core->intent), clock_believed_ms(), "drain", core->dirs.node,
	            "%s, was %s: of %u addresses %u are announced, %u are in graceful shutdown and "
	            "%u are withdrawn by a command",
	            state, before, r->n, r->n_normal, r->n_shutdown, r->n_commanded);
	log_note("node-drain", "state=%s was=%s normal=%u shutdown=%u withdrawn=%u", state, before,
	         r->n_normal, r->n_shutdown, r->n_commanded);
	core_changed(core);
}

/* Take over what is seen, and at first what the weir-mgmt before this one logged. Under the lock. */
static void follow_drain(struct core *core, enum model_node_drain target,
                         const struct node_drain_routes *routes, const uint64_t *packets,
                         uint64_t now_ms)
{
	struct node_drain *d = &core->observe->drain;
	char *logged = core->observe->logged_drain;

	if (routes->known && !*logged) {
		read_logged_drain(core, logged);
		d->returns |= *logged && !rule_is(NODE_IS_SERVING, logged) &&
		              !rule_is(NODE_IS_OUT, logged); /* unless it is drained still */
	}
	node_drain_note(d, target, routes, packets, now_ms);
	log_node_drain(core, d);
}

void node_drain_look(struct core *core, const struct model *m)
{
	struct node_drain *d = &core->observe->drain;
	struct node_drain_routes routes = { 0 };
	uint64_t packets = 0, now_ms = clock_mono_ms(), port_bits = d->port_bits;
	bool counted = false, announces = m->self && m->self->announce.daemon != MODEL_DAEMON_NONE;
	bool reads_ports = announces && now_ms >= d->port_read_ms + PORTS_MS;

	if (announces) {
		read_routes(core->dirs.run, &routes);
		counted = count_packets(core->dirs.run, &packets);
	}
	if (reads_ports)
		port_bits = read_port_bits(m->self);
	core_lock(core);
	d->port_bits = port_bits;
	d->port_read_ms = reads_ports ? now_ms : d->port_read_ms;
	follow_drain(core, model_node_drain(m, m->self), &routes, counted ? &packets : NULL,
	             now_ms);
	bool is_empty = d->empty && d->target == MODEL_NODE_DRAINED && d->routes.n_shutdown;
	core_unlock(core);
	if (is_empty)
		notify_empty(core);
}

struct node_drain node_drain_copy(const struct core *core)
{
	return core->observe ? core->observe->drain : (struct node_drain){ .n_samples = 0 };
}
