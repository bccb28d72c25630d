/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probe packets in a worker. The control thread writes w->probes while w->prove is false, and sets
 * it; the worker reads and writes them while it is true, and clears it. So neither waits for the
 * other, and a worker that stands still shows as probes that do not come back.
 *
 * The frames have no mbufs: the stages need only a frame with room in front of it. They are no
 * packets that came, so they are counted apart, where nobody reads.
 */
#include "dataplane/dpdk/worker_probes.h"

#include <string.h>

#include "weir/fwd/forward.h"
#include "weir/fwd/burst.h"

_Static_assert(DRIVER_PROBES_MAX <= FWD_BURST_MAX, "one burst");
_Static_assert(DRIVER_PROBE_ROOM >= FWD_CACHE_LINE, "what is fetched in front of a frame is there");

/* The frames of the worker's burst, behind the room that outer headers are written to. */
static _Thread_local uint8_t probe_frames[DRIVER_PROBES_MAX][DRIVER_PROBE_ROOM + DRIVER_PROBE_LEN];

/* Where the stages count probe packets. */
static _Thread_local struct fwd_cpu probe_cpu;

void worker_probes_load(const struct worker *w, struct fwd_burst *b, struct fwd_tables *tables)
{
	*tables = w->tables;
	fwd_tables_count_apart(tables, &probe_cpu);
	b->n = w->probes.n;
	for (uint32_t i = 0; i < b->n; i++) {
		const struct driver_probe *p = &w->probes.probes[i];
		uint8_t *frame = probe_frames[i] + DRIVER_PROBE_ROOM;

		memcpy(frame, p->frame, p->length);
		b->ingress[i] = w->probes.ifindex;
		b->packets[i] = (struct fwd_packet){ frame, frame + p->length, probe_frames[i] };
	}
}

/* As a received frame: one to be sent needs a port to leave by. */
static void report_probe(struct worker *w, const struct fwd_packet *packet,
                         const struct fwd_verdict *v, struct driver_probe *out)
{
	size_t length = (size_t)(packet->end - packet->data);
	uint32_t to = fwd_egress(v);

	out->reason = (uint8_t)v->reason;
	out->result = DRIVER_PROBE_KEPT;
	if (fwd_reason_kind(v->reason) != FWD_KIND_TX)
		return;
	if (!worker_port_of(w, to ? to : w->probes.ifindex)) {
		out->reason = FWD_REASON_NOT_SENT;
	} else if (length <= DRIVER_PROBE_LEN) {
		memcpy(out->frame, packet->data, length);
		out->length = (uint16_t)length;
		out->result = DRIVER_PROBE_SENT;
	}
}

void worker_probes_report(struct worker *w, const struct fwd_burst *b)
{
	for (uint32_t i = 0; i < b->n; i++)
		report_probe(w, &b->packets[i], &b->verdicts[i], &w->probes.probes[i]);
	__atomic_store_n(&w->prove, false, __ATOMIC_RELEASE);
}
