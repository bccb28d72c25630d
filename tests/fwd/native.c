/* SPDX-License-Identifier: BSD-2-Clause */
/* The shared code, compiled for user space: the one file that a seeded bug rebuilds. */
#include <string.h>

#include "fwd/world.h"
#include "weir/fwd/burst.h"

bool world_forward_fast(struct world *w, struct fwd_packet *packet, uint32_t now_s,
                        struct fwd_verdict *v)
{
	memset(v, 0, sizeof(*v));
	w->t.now_s = now_s;
	return fwd_forward(&w->t, w->t.root, packet, v);
}

enum fwd_reason world_forward(struct world *w, struct fwd_packet *packet, uint32_t now_s,
                              struct fwd_verdict *v)
{
	world_forward_fast(w, packet, now_s, v);
	return v->reason;
}

enum fwd_reason world_forward_long(struct world *w, struct fwd_packet *packet, uint32_t now_s,
                                   struct fwd_verdict *v)
{
	struct fwd_cpu *cpu = fwd_port_cpu(&w->t);
	const struct fwd_found nothing = { 0 };

	memset(v, 0, sizeof(*v));
	w->t.now_s = now_s;
	fwd_count_received(cpu, packet);
	fwd_forward_long(&w->t, w->t.root, cpu, packet, &nothing, v);
	return v->reason;
}

void world_forward_burst(struct world *w, struct fwd_packet *packets, uint32_t n, uint32_t now_s,
                         struct fwd_verdict *v)
{
	static struct fwd_burst b;

	b.n = n;
	for (uint32_t i = 0; i < n; i++)
		b.ingress[i] = w->t.ingress;
	memcpy(b.packets, packets, n * sizeof(*packets));
	w->t.now_s = now_s;
	fwd_forward_burst(&w->t, w->t.root, &b);
	memcpy(packets, b.packets, n * sizeof(*packets));
	memcpy(v, b.verdicts, n * sizeof(*v));
}
