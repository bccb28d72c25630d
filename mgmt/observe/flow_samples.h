/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * From which prefixes new flows came to which services, of the last quarter of an hour: what weir-dataplane sampled (weir/measure.h),
 * a look each minute. Less than 200 KiB, in memory alone.
 *
 * A minute in which nothing was measured is missing, and is not one without flows.
 *
 * Implemented in mgmt/observe/flow_samples.c. One thread at a time.
 */
#ifndef WEIR_MGMT_OBSERVE_FLOW_SAMPLES_H
#define WEIR_MGMT_OBSERVE_FLOW_SAMPLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/measure.h"

#define FLOW_SAMPLES_KEPT     15u    /**< minutes */
#define FLOW_SAMPLES_EVERY_MS 60000u /**< between two looks: what one covers */
#define FLOW_SAMPLES_MOST     ((size_t)FLOW_SAMPLES_KEPT * MEASURE_SOURCES_MAX)

struct flow_samples_minute {
	uint64_t at_ms; /**< monotonic: its end */
	size_t n;
	struct measure_source list[MEASURE_SOURCES_MAX];
};

struct flow_samples {
	size_t n; /**< oldest first */
	struct flow_samples_minute minutes[FLOW_SAMPLES_KEPT];
};

/** Whether a minute has passed since the last look. */
bool flow_samples_are_due(const struct flow_samples *s, uint64_t now_ms);
/** Keep a look; @p list may have any length, of which the first rows have most flows. */
void flow_samples_keep(struct flow_samples *s, const struct measure_source *list, size_t n,
                       uint64_t now_ms);
/** Nothing is known any more. */
void flow_samples_forget(struct flow_samples *s);
/**
 * All rows of the minutes that ended at @p since_ms or later.
 * @param out      [FLOW_SAMPLES_MOST]; a prefix may come several times
 * @param minutes  out: how many there are; 0: nothing is known
 * @return how many rows
 */
size_t flow_samples_since(const struct flow_samples *s, uint64_t since_ms,
                          struct measure_source *out, size_t *minutes);

#endif
