/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The gate of tunnel probes: whether their egress program is in place. weir-dataplane reads it back
 * and publishes the answer on its stats page (weir/probe.h). The gate is read at each verdict, not
 * once a second, because a lost program fails all tunnel probes at once. Loop's thread only.
 */
#ifndef HEALTHCHECK_GATE_H
#define HEALTHCHECK_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct addr;
struct stats_reader;

struct gate {
	struct stats_reader *reader;
	const uint64_t *document; /* NULL: no dataplane says so */
	const uint64_t *since_ms;
	const uint64_t *families;
};

/* Look for the gauges again; once a second, as the page may be another process's. */
void gate_refresh(struct gate *g, const char *run_dir);
void gate_close(struct gate *g);
/* The document whose probes have their path; 0: none. */
uint64_t gate_document(const struct gate *g);
/* Whether a probe of @p document that was sent at @p sent_ms and ends now went by its program. */
bool gate_lets(const struct gate *g, uint64_t document, uint64_t sent_ms);
/* Whether probes to @p vip get out of one of the ports at all. */
bool gate_reaches(const struct gate *g, const struct addr *vip);

#endif
