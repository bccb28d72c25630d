/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Proof: what weir-dataplane has shown to work, for weir-announce, which tells routers of a VIP
 * only while the node forwards it.
 *
 * For each address that the node announces, a *probe packet* goes through the code that forwards:
 * with XDP through the program whose id was read back from the port, with DPDK through a running
 * worker. The address is `forwarded` only if the packet came out as a tunnel packet (or, in mode
 * l2, a frame) to a backend. Nothing is sent or counted, and no flow is remembered for it.
 *
 * The page RUN/proof.page outlives its writer. A fact that is too old counts as unknown: the
 * readers below see to that. Unknown never means no. The writer publishes the page (page_epoch())
 * when a fact changes, and notes a sign of life ten times a second.
 *
 * Implemented in pages/proof.c; written by dataplane/prover.c. A struct proof belongs to one
 * thread.
 */
#ifndef WEIR_PROOF_H
#define WEIR_PROOF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"

/** The page's name in the run directory. */
#define PROOF_PAGE_FILE   "proof.page"
#define PROOF_PAGE_KIND   "proof"
#define PROOF_PAGE_LAYOUT 1u

/** Without a sign of life of the writer for so long, all facts are unknown. */
#define PROOF_OLD_MS 2000u
/** Without a probe packet that came out for so long, an address's state is unknown. */
#define PROOF_VIP_OLD_MS 30000u
#define PROOF_PORTS_MAX  16u
#define PROOF_DRIVER_MAX 8u
#define PROOF_INTERFACE  16u /**< bytes of an interface's name, with its NUL */

enum proof_fact { PROOF_UNKNOWN, PROOF_NO, PROOF_YES };

enum proof_state { PROOF_STATE_UNKNOWN, PROOF_STATE_FORWARDED, PROOF_STATE_REFUSED };

/** Why a probe packet was refused: below these an enum fwd_reason (weir/fwd/reason.h). */
enum proof_reason {
	PROOF_REASON_NONE = 192,
	PROOF_REASON_PROGRAM, /**< by the tables it is to be forwarded; the code did otherwise */
	PROOF_REASON_OUTPUT,  /**< it was sent, but not as a packet to a backend of its pool */
	PROOF_REASON_STALLED, /**< the worker did not run, though the process did (DPDK) */
};

/** A port of the document. */
struct proof_port {
	char interface[PROOF_INTERFACE];
	uint32_t ifindex; /**< 0: there is no interface */
	uint32_t program; /**< XDP: the program's id, read back from the port; else 0 */
	uint8_t up;       /**< enum proof_fact: up, with a carrier */
	/**
	 * enum proof_fact, read back: it carries this process's code; unknown before the first try
	 */
	uint8_t attached;
	uint8_t reserved[6];
};
_Static_assert(sizeof(struct proof_port) == 32, "proof page layout");

/** What holds for the node as a whole. */
struct proof_node {
	uint64_t document;   /**< model_meta.document that is in force; 0: none */
	uint64_t alive_ms;   /**< the writer's last sign of life */
	uint64_t started_ms; /**< when the writer started */
	uint64_t writer_pid;
	uint64_t sent; /**< probe packets since then */
	/** Backends that are to be given packets, and those whose next hop is known. */
	uint32_t hops_needed, hops_known;
	uint32_t n_vips; /**< rows */
	uint32_t n_ports;
	uint8_t state_arrived; /**< enum proof_fact: peers have handed their state over, or none will */
	/** 1: forwarding ends soon, by a regular stop or another driver: announce nothing. Never old. */
	uint8_t stopping;
	uint8_t reserved[6];
	char driver[PROOF_DRIVER_MAX]; /**< "xdp", "dpdk"; "": none yet */
	struct proof_port ports[PROOF_PORTS_MAX];
};
_Static_assert(sizeof(struct proof_node) == 72 + 32 * PROOF_PORTS_MAX, "proof page layout");

/** An address of a VIP of the own site. Times are monotonic (base/clock.h); 0: never. */
struct proof_vip {
	uint64_t vip; /**< hash_text() of the VIP's name */
	struct addr address;
	uint64_t since_ms;    /**< since when `state` is so */
	uint64_t proved_ms;   /**< when a probe packet last came out forwarded */
	uint64_t tried_ms;    /**< when the last one was looked at */
	uint64_t sent;        /**< probe packets since the writer started */
	uint32_t n_services;  /**< at this address */
	uint32_t n_serving;   /**< of them: whose pool has a backend that is to be given packets */
	uint32_t n_reachable; /**< of these: whose pool has such a backend with a known next hop */
	uint8_t state;        /**< enum proof_state */
	uint8_t reason;       /**< of a refusal: enum fwd_reason or enum proof_reason */
	uint8_t reserved[2];
};
_Static_assert(sizeof(struct proof_vip) == 72, "proof page layout");

/** The page's payload; max_vips rows follow, sorted. */
struct proof_page {
	uint32_t seq; /**< odd while it is written; readers copy and compare */
	uint32_t max_vips;
	struct proof_node node;
};

static inline size_t proof_page_bytes(uint32_t max_vips)
{
	return sizeof(struct proof_page) + max_vips * sizeof(struct proof_vip);
}

static inline struct proof_vip *proof_page_vips(struct proof_page *p)
{
	return (struct proof_vip *)(void *)(p + 1);
}

struct proof;

/**
 * Open RUN/proof.page of weir-dataplane.
 * @return 0, -ENOENT (no dataplane was here), -EPERM (another user's), -EPROTO or -errno
 */
MUST_CHECK int proof_open(const char *run_dir, struct proof **out);
/** NULL is fine. */
void proof_close(struct proof *p);

/**
 * Copy the page whole, for proof_node() and proof_vip(): so all that they say is of one moment. It
 * costs two system calls, and never waits: while the writer writes, the copy before stays and grows
 * old.
 * @return 0; -EAGAIN: there is no copy yet, and the writer writes; -ESTALE when the page was replaced:
 * open it again; -EPROTO, -ENOMEM. Without 0 there is no copy
 */
MUST_CHECK int proof_copy(struct proof *p) NONNULL(1);
/**
 * The node's facts, as they count at @p now_ms: those of a writer that is silent are unknown.
 * @return 0, or -ENOENT without a copy; @p out untouched then
 */
int proof_node(const struct proof *p, uint64_t now_ms, struct proof_node *out) NONNULL(1, 3);
/**
 * The row of @p address of a VIP, as it counts at @p now_ms: its state is unknown if the writer is
 * silent or no probe packet came out lately.
 * @param vip  hash_text() of its name
 * @return 0, or -ENOENT without a copy or without such a row; @p out untouched then
 */
int proof_vip(const struct proof *p, uint64_t vip, const struct addr *address, uint64_t now_ms,
              struct proof_vip *out) NONNULL(1, 3, 5);

/** Order of the rows of VIPs: by name's hash, then address. */
int proof_vip_compare(const struct proof_vip *a, const struct proof_vip *b);
/** "unknown", "forwarded", "refused" */
const char *proof_state_text(enum proof_state state);
/** "unknown", "no", "yes" */
const char *proof_fact_text(enum proof_fact fact);
/**
 * The word for a refusal: an enum fwd_reason's label, or "program", "output", "stalled"; else "".
 */
const char *proof_reason_text(uint8_t reason);

#endif
