/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One system call for each frame: TAPs have no batches. The buckets of police.h bound how many
 * frames a flood can make a worker write; a frame that the kernel does not accept is counted and
 * dropped, never waited for.
 */
#include "dataplane/dpdk/kernel_path.h"

#include <unistd.h>

#include <rte_mbuf.h>

enum fwd_reason kernel_path_give(struct worker *w, const struct worker_port *port,
                                 struct rte_mbuf *m, enum fwd_reason verdict, uint64_t now_ns)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	/* what a device that takes all frames has of other hosts costs the host's own sessions nothing */
	enum police_class class =
	        verdict == FWD_REASON_OTHER_MAC ? POLICE_OTHER : police_class(frame, m->data_len);
	enum fwd_reason reason = FWD_REASON_COUNT;

	if (!police_spend(&w->police, class, now_ns)) {
		worker_count(&w->counts.policed[class], 1);
		reason = FWD_REASON_KERNEL_POLICED;
	} else if (write(port->tap, frame, m->data_len) != (ssize_t)m->data_len) {
		reason = FWD_REASON_KERNEL_REFUSED;
	} else {
		worker_count(&w->counts.to_kernel[class], 1);
	}
	rte_pktmbuf_free(m);
	return reason;
}

uint32_t kernel_path_read(struct worker *w, const struct worker_port *port, struct rte_mbuf **out,
                          uint32_t max)
{
	uint32_t n = 0;

	while (n < max) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
		ssize_t got =
		        m ? read(port->tap, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m))
		          : -1;

		if (got <= 0) {
			rte_pktmbuf_free(m);
			break;
		}
		m->data_len = (uint16_t)got;
		m->pkt_len = (uint32_t)got;
		out[n++] = m;
	}
	worker_count(&w->counts.from_kernel, n);
	return n;
}
