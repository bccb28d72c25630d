/* SPDX-License-Identifier: BSD-2-Clause */
/* The checker's counters, by name. */
#include "healthcheck/checker.h"

#include <stdio.h>

#include "weir/stats.h"

void checker_make_words(struct checker_words *w, struct stats *s)
{
	static const char results[] = "weir_health_results_total";
	char labels[64];

	for (int i = 1; i < HEALTH_REASON_COUNT; i++) {
		snprintf(labels, sizeof(labels), "reason=\"%s\"",
		         health_reason_text((enum health_reason)i));
		w->results[i] =
		        stats_word(s, STATS_COUNTER, results, labels, "Probes by their result.");
	}
#define WORD(field, kind, name, help) w->field = stats_word(s, kind, "weir_health_" name, "", help)
	WORD(probes, STATS_COUNTER, "probes_total", "Probes begun.");
	WORD(attempts, STATS_COUNTER, "attempts_total", "Connections made for probes.");
	WORD(late, STATS_COUNTER, "late_total", "Probes without a vote: sent or judged late.");
	WORD(unready, STATS_COUNTER, "unready_total",
	     "Probes without a vote: no tunnel for them yet.");
	WORD(uncontrolled, STATS_COUNTER, "uncontrolled_total",
	     "Probes without a vote: control targets were silent too.");
	WORD(turned_down, STATS_COUNTER, "turned_down_total", "Verdicts that turned to down.");
	WORD(turned_up, STATS_COUNTER, "turned_up_total", "Verdicts that turned to up.");
	WORD(lateness_ms, STATS_COUNTER, "lateness_ms_total", "Time by which probes began late.");
	WORD(targets, STATS_GAUGE, "targets", "Targets that are probed.");
	WORD(down, STATS_GAUGE, "targets_down", "Targets whose verdict is down.");
	WORD(n_unproven, STATS_GAUGE, "targets_unproven",
	     "VIPs whose default check has never succeeded on this node, so that it has no vote.");
#undef WORD
}
