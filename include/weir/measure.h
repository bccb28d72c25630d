/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Measure: what weir-dataplane counts of new flows, for operations that wait for packets.
 *
 * For each service and each pool of the own site: new TCP flows (SYNs that were forwarded; a
 * repeated SYN counts again), packets, and what a sample of the flows did next. The sample holds the
 * same flows in each driver, chosen by the flow's hash: one of 256 or, in quiet times, more. What is
 * said of it is a ratio, so its size does not matter: measure_silent_ppm(), measure_repeated_ppm().
 * A list of at most MEASURE_SOURCES_MAX prefixes says where sampled new flows came from in the last
 * minute.
 *
 * The page RUN/measure.page is written five times a second and outlives its writer. What is old is
 * unknown, never 0: measure_read() then gives no copy at all. Each part has totals, which begin
 * again at 0 when the tables do (`began` changes then), and the increase over two windows that end
 * now: `last`, about 1 s, for guards, and `recent`, about 10 s, for shares. A window that reaches
 * back before the writer's start is shorter, and its length 0 says that nothing is known yet.
 *
 * Implemented in pages/measure.c; written by dataplane/export/measurer.c. A struct measure belongs to
 * one thread.
 */
#ifndef WEIR_MEASURE_H
#define WEIR_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "weir/fwd/reason.h"

/** The page's name in the run directory. */
#define MEASURE_PAGE_FILE   "measure.page"
#define MEASURE_PAGE_KIND   "measure"
#define MEASURE_PAGE_LAYOUT 1u

/** Without a sign of life of the writer for so long, nothing is known. */
#define MEASURE_OLD_MS      2000u
#define MEASURE_SOURCES_MAX 256u
/** Fewer flows of the sample than this in a window say nothing about a ratio. */
#define MEASURE_SAMPLE_MIN 8u

/** Of a service; each is a total, or an increase over a window. */
struct measure_flows {
	uint64_t new_flows; /**< SYNs that were forwarded, to whichever backend */
	uint64_t packets;   /**< forwarded, SYNs among them */
	uint64_t bytes;     /**< frames as received, without FCS */
	uint64_t sampled;   /**< new flows in the sample; a repeated SYN is none */
	uint64_t repeated;  /**< SYNs that came again with the same sequence number */
	uint64_t followed; /**< sampled flows that a further segment followed: a client was there */
	uint64_t lost;     /**< sampled flows forgotten for others before that could be known */
};

/** Of a pool, also where several services share it. */
struct measure_use {
	uint64_t own_flows;    /**< SYNs given to its own backends */
	uint64_t own_packets;  /**< packets given to them, SYNs among them */
	uint64_t backup_flows; /**< SYNs given to backends of its backup pool */
};

struct measure_service {
	uint64_t service; /**< hash_text() of its name */
	struct measure_flows total, last, recent;
};

struct measure_pool {
	uint64_t pool; /**< hash_text() of its name */
	struct measure_use total, last, recent;
};

/** New flows of the sample from one prefix to one service, in the last minute. */
struct measure_source {
	uint64_t service;     /**< hash_text() of its name */
	struct prefix prefix; /**< /24, or /56 with IPv6 */
	uint8_t reserved[3];
	uint32_t sampled; /**< new flows in the sample */
	uint64_t flows;   /**< the estimate for all flows: each one counts for those not sampled */
	uint64_t last_ms; /**< monotonic: when the newest one was seen */
};
_Static_assert(sizeof(struct measure_source) == 48, "measure page layout");

/** Of a drill (weir/fwd/drill.h): totals since it began here. */
struct measure_drill {
	uint64_t drill;    /**< hash_text() of its override's id; 0: none */
	uint64_t begun;    /**< new flows that went to the backup */
	uint64_t repeated; /**< SYNs of theirs that came again */
	uint64_t followed; /**< those of which a further segment came */
	uint64_t kept;     /**< SYNs that stayed with own backends */
	uint64_t state;    /**< enum fwd_drill_state */
};

/** Of the node as a whole. */
struct measure_node {
	uint64_t document;   /**< model_meta.document that is in force */
	uint64_t alive_ms;   /**< the writer's last sign of life */
	uint64_t writer_pid; /**< with `began`: totals of one pair can be compared */
	uint64_t began;      /**< changes when totals begin again */
	uint64_t at_ms;      /**< monotonic: when the tables were read */
	uint32_t last_ms;    /**< length of `last`; 0: not known yet */
	uint32_t recent_ms;  /**< length of `recent`; 0: not known yet */
	uint32_t n_services, n_pools, n_sources;
	uint32_t one_of; /**< the sample has one flow of so many */
	uint64_t received, received_last;
	/** By enum fwd_reason: packets; total, and over `last`. */
	uint64_t reason[FWD_REASONS_MAX], reason_last[FWD_REASONS_MAX];
	/** Drills that run, and those that ended while no later one needed their room. */
	struct measure_drill drills[FWD_DRILLS_MAX];
};

/** The page's payload; max_services, max_pools and MEASURE_SOURCES_MAX rows follow. */
struct measure_page {
	uint32_t seq; /**< odd while it is written; readers copy and compare */
	uint32_t max_services, max_pools;
	uint32_t reserved;
	struct measure_node node;
};

static inline size_t measure_page_bytes(uint32_t max_services, uint32_t max_pools)
{
	return sizeof(struct measure_page) + max_services * sizeof(struct measure_service) +
	       max_pools * sizeof(struct measure_pool) +
	       MEASURE_SOURCES_MAX * sizeof(struct measure_source);
}

static inline struct measure_service *measure_page_services(struct measure_page *p)
{
	return (struct measure_service *)(void *)(p + 1);
}

static inline struct measure_pool *measure_page_pools(struct measure_page *p)
{
	return (struct measure_pool *)(void *)(measure_page_services(p) + p->max_services);
}

static inline struct measure_source *measure_page_sources(struct measure_page *p)
{
	return (struct measure_source *)(void *)(measure_page_pools(p) + p->max_pools);
}

struct measure;

/**
 * Open RUN/measure.page of weir-dataplane.
 * @return 0, -ENOENT (no dataplane was here), -EPERM (another user's), -EPROTO or -errno
 */
MUST_CHECK int measure_open(const char *run_dir, struct measure **out) NONNULL();
/** NULL is fine. */
void measure_close(struct measure *m);
/**
 * Copy the page whole, so that all that the functions below say is of one moment.
 *
 * @param now_ms  the monotonic clock's
 * @return 0; -ETIMEDOUT: the writer is silent, so nothing is known; -EAGAIN: it keeps writing;
 * -ESTALE: the page was replaced, open it again; -EPROTO, -ENOMEM. Without 0 there is no copy
 */
MUST_CHECK int measure_read(struct measure *m, uint64_t now_ms) NONNULL();
/** The node's part of the copy; NULL without a copy. */
const struct measure_node *measure_node(const struct measure *m) NONNULL();
/** All services. @return how many; 0 without a copy */
size_t measure_services(const struct measure *m, const struct measure_service **out) NONNULL();
/** The service called @p service; NULL: no copy, or it is not served here. */
const struct measure_service *measure_service(const struct measure *m, const char *service)
        NONNULL();
/** The pool called @p pool; NULL: no copy, or it is not in the tables here. */
const struct measure_pool *measure_pool(const struct measure *m, const char *pool) NONNULL();
/** The drill whose override is @p id; NULL: no copy, or it is not in the tables here. */
const struct measure_drill *measure_drill(const struct measure *m, const char *id) NONNULL();
/** All prefixes, the one with the most flows first. @return how many; 0 without a copy */
size_t measure_sources(const struct measure *m, const struct measure_source **out) NONNULL();

/** A window's increase @p n per second, in thousandths. @return false: the window is empty */
bool measure_per_s_milli(uint64_t n, uint32_t window_ms, uint64_t *out) NONNULL();
/**
 * The share of new flows that no further segment followed: scans and floods, not clients.
 * @return false: too few in the sample; @p out untouched
 */
bool measure_silent_ppm(const struct measure_flows *f, uint32_t *out) NONNULL();
/**
 * Repeated SYNs for each million of sampled new flows; above 1,000,000 when each came several times.
 * @return false: too few in the sample; @p out untouched
 */
bool measure_repeated_ppm(const struct measure_flows *f, uint32_t *out) NONNULL();

#endif
