/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Sums over all CPUs of what the tables count for a service or a backend. Rows are read without a
 * lock, so a sum may lack packets under way. Pure; any thread.
 */
#ifndef WEIR_DATAPLANE_EXPORT_TRAFFIC_H
#define WEIR_DATAPLANE_EXPORT_TRAFFIC_H

#include "weir/fwd/user.h"

struct traffic {
	uint64_t packets, bytes; /**< SYNs among them */
	uint64_t new_flows;      /**< SYNs */
};

/** Add up column @p i of @p counts, rows of @p n elements: SYNs, or everything else. */
static inline void traffic_add(struct traffic *sum, const struct fwd_count *counts, uint32_t cpus,
                               uint32_t n, uint32_t i, bool is_new)
{
	for (uint32_t c = 0; c < cpus; c++) {
		uint64_t packets = OWNER_LOAD(uint64_t, &counts[c * n + i].packets);

		sum->packets += packets;
		sum->new_flows += is_new ? packets : 0;
		sum->bytes += OWNER_LOAD(uint64_t, &counts[c * n + i].bytes);
	}
}

/** Of the service with counter @p i. */
static inline struct traffic traffic_of_service(const struct fwd_tables *t, uint32_t i)
{
	struct traffic sum = { 0 };

	traffic_add(&sum, t->service_counts, t->n_cpus, t->root->n_service_counts, i, false);
	traffic_add(&sum, t->service_news, t->n_cpus, t->root->n_service_counts, i, true);
	return sum;
}

/** Of the backend with index @p i. */
static inline struct traffic traffic_of_backend(const struct fwd_tables *t, uint32_t i)
{
	struct traffic sum = { 0 };

	traffic_add(&sum, t->backend_counts, t->n_cpus, t->root->n_backends, i, false);
	traffic_add(&sum, t->backend_news, t->n_cpus, t->root->n_backends, i, true);
	return sum;
}

/** What became of the watched flows of the service with counter @p i. */
static inline struct fwd_sample_count traffic_sample(const struct fwd_tables *t, uint32_t i)
{
	struct fwd_sample_count sum = { 0 };

	for (uint32_t c = 0; c < t->n_cpus; c++) {
		const struct fwd_sample_count *from =
		        &t->sample_counts[c * t->root->n_service_counts + i];

		sum.sampled += OWNER_LOAD(uint64_t, &from->sampled);
		sum.repeated += OWNER_LOAD(uint64_t, &from->repeated);
		sum.followed += OWNER_LOAD(uint64_t, &from->followed);
		sum.lost += OWNER_LOAD(uint64_t, &from->lost);
	}
	return sum;
}

/** What became of the flows of the drill in row @p i. */
static inline struct fwd_drill_count traffic_drill(const struct fwd_tables *t, uint32_t i)
{
	struct fwd_drill_count sum = { 0 };

	for (uint32_t c = 0; c < t->n_cpus; c++) {
		const struct fwd_drill_count *from = &t->drill_counts[c * FWD_DRILLS_MAX + i];

		sum.begun += OWNER_LOAD(uint64_t, &from->begun);
		sum.repeated += OWNER_LOAD(uint64_t, &from->repeated);
		sum.followed += OWNER_LOAD(uint64_t, &from->followed);
		sum.kept += OWNER_LOAD(uint64_t, &from->kept);
	}
	return sum;
}

#endif
