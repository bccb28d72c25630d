/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checker's counters: each is found once by name on the stats page, then counting is one atomic
 * add. Without a stats page all of them stay NULL and nothing is counted.
 */
#include "healthcheck/checker.h"

#include <stdio.h>

#include "weir/stats.h"

/* Limits of the buckets, ms: a probe in a rack takes one, a timeout is at most some seconds. */
static const uint32_t limits_ms[CHECKER_TIMES - 1] = { 1,   2,   5,   10,   25,   50,
	                                               100, 250, 500, 1000, 2500, 5000 };

/* A histogram as Prometheus has it: each bucket counts all that took no longer than its limit. */
static void make_times(struct checker_counters *w, struct stats *s)
{
	static const char help[] = "Time from a probe's sending to its result.";
	char labels[32];

	for (int i = 0; i < CHECKER_TIMES; i++) {
		if (i + 1 < CHECKER_TIMES)
			snprintf(labels, sizeof(labels), "le=\"%g\"", limits_ms[i] / 1e3);
		else
			snprintf(labels, sizeof(labels), "le=\"+Inf\"");
		w->times[i] = stats_get_counter(s, STATS_COUNTER,
		                                "weir_health_probe_duration_seconds_bucket", labels,
		                                help);
	}
	/* in milliseconds on the page, in seconds where it is shown (mgmt/api/metrics.c) */
	w->times_ms = stats_get_counter(s, STATS_COUNTER, "weir_health_probe_duration_seconds_sum",
	                                "", help);
	w->n_times = stats_get_counter(s, STATS_COUNTER, "weir_health_probe_duration_seconds_count",
	                               "", help);
}

void checker_count_time(const struct checker_counters *w, uint64_t took_ms)
{
	if (!w->n_times)
		return;
	for (int i = 0; i < CHECKER_TIMES; i++)
		if (i + 1 == CHECKER_TIMES || took_ms <= limits_ms[i])
			stats_add(w->times[i], 1);
	stats_add(w->times_ms, took_ms);
	stats_add(w->n_times, 1);
}

void checker_find_counters(struct checker_counters *w, struct stats *s)
{
	static const char results[] = "weir_health_results_total";
	char labels[64];

	make_times(w, s);
	for (int i = 1; i < HEALTH_REASON_COUNT; i++) {
		snprintf(labels, sizeof(labels), "reason=\"%s\"",
		         health_reason_text((enum health_reason)i));
		w->results[i] = stats_get_counter(s, STATS_COUNTER, results, labels,
		                                  "Probes by their result.");
	}
#define COUNTER(field, kind, name, help)                                                           \
	w->field = stats_get_counter(s, kind, "weir_health_" name, "", help)
	COUNTER(probes, STATS_COUNTER, "probes_total", "Probes started.");
	COUNTER(attempts, STATS_COUNTER, "attempts_total", "Connections made for probes.");
	COUNTER(late, STATS_COUNTER, "late_total",
	        "Probes without a vote: started or judged too late.");
	COUNTER(unready, STATS_COUNTER, "unready_total",
	        "Probes without a vote: no tunnel for them yet.");
	COUNTER(uncontrolled, STATS_COUNTER, "uncontrolled_total",
	        "Probes without a vote: control targets were silent too.");
	COUNTER(turned_down, STATS_COUNTER, "turned_down_total", "Verdicts that turned to down.");
	COUNTER(turned_up, STATS_COUNTER, "turned_up_total", "Verdicts that turned to up.");
	COUNTER(lateness_ms, STATS_COUNTER, "lateness_ms_total",
	        "Total delay of probes' starts, ms.");
	COUNTER(targets, STATS_GAUGE, "targets", "Probed targets.");
	COUNTER(down, STATS_GAUGE, "targets_down", "Targets whose verdict is down.");
	COUNTER(n_unproven, STATS_GAUGE, "targets_unproven",
	        "VIPs whose default check has never succeeded on this node: they have no vote.");
	COUNTER(n_external, STATS_GAUGE, "targets_external",
	        "Targets whose verdicts are given by programs.");
	COUNTER(n_unsaid, STATS_GAUGE, "targets_external_unknown",
	        "Those of them of which no verdict stands, or none is known here.");
#undef COUNTER
}
