/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/observe/signs_look.h"

#include <string.h>

#include "weir/fwd/reason.h"
#include "weir/life.h"
#include "weir/measure.h"
#include "weir/stats.h"

/* Drops of what a client sent to a service: those that a version can cause. */
static const enum fwd_reason suffered[] = {
	FWD_REASON_NO_BACKEND, FWD_REASON_BACKEND_DEAD, FWD_REASON_NO_NEXT_HOP,
	FWD_REASON_NO_SOURCE,  FWD_REASON_TOO_BIG,      FWD_REASON_NO_ROOM,
	FWD_REASON_NO_TABLES,  FWD_REASON_NOT_SENT,     FWD_REASON_BACKUP_FULL,
};

static void count_drops(const struct measure_node *node, struct sign_count *out)
{
	for (size_t i = 0; i < sizeof(suffered) / sizeof(suffered[0]); i++)
		out->part += node->reason[suffered[i]];
	out->whole = out->part + node->reason[FWD_REASON_FORWARDED];
}

static void count_flows(const struct measure *m, struct signs *out)
{
	const struct measure_node *node = measure_node(m);
	const struct measure_service *services;
	size_t n = measure_services(m, &services);
	struct sign_count *c = out->counts;
	uint64_t ended = 0;

	for (int i = SIGN_REPEATED; i <= SIGN_DROPS; i++) {
		c[i].known = true;
		c[i].began = node->writer_pid ^ node->began;
	}
	for (size_t i = 0; i < n; i++) {
		const struct measure_flows *f = &services[i].total;

		c[SIGN_REPEATED].part += f->repeated;
		c[SIGN_REPEATED].whole += f->sampled;
		ended += f->followed + f->lost;
	}
	c[SIGN_NOTHING].whole = c[SIGN_REPEATED].whole;
	c[SIGN_NOTHING].part = c[SIGN_NOTHING].whole > ended ? c[SIGN_NOTHING].whole - ended : 0;
	count_drops(node, &c[SIGN_DROPS]);
}

/* Counters of a name by their label: all of them, and those that are not @p good. */
static void count_labels(const char *run_dir, const char *process, const char *name,
                         const char *const good[], uint64_t now_ms, struct sign_count *out)
{
	struct stats_reader *page;

	if (stats_reader_open(run_dir, process, &page))
		return;
	for (size_t i = 0; i < stats_reader_n(page); i++) {
		const struct stats_entry *e = stats_reader_entry(page, i);
		bool is_good = false;

		if (!__atomic_load_n(&e->used, __ATOMIC_ACQUIRE) ||
		    strncmp(e->name, name, sizeof(e->name)) != 0)
			continue;
		uint64_t value = __atomic_load_n(&e->value, __ATOMIC_RELAXED);

		for (size_t k = 0; good[k]; k++)
			is_good |= strncmp(e->labels, good[k], sizeof(e->labels)) == 0;
		out->whole += value;
		out->part += is_good ? 0 : value;
	}
	out->known = life_is_fresh(stats_reader_alive_ms(page), LIFE_FOR_COUNTS, now_ms);
	out->began = stats_reader_pid(page);
	stats_reader_close(page);
}

void signs_look(const char *run_dir, uint64_t now_ms, struct signs *out)
{
	static const char *const passed[] = { "reason=\"ok\"", NULL };
	/* what is wrong with the others is the client's: all but servfail and refused */
	static const char *const answered[] = { "rcode=\"noerror\"",
		                                "rcode=\"nxdomain\"",
		                                "rcode=\"formerr\"",
		                                "rcode=\"notimp\"",
		                                "rcode=\"yxdomain\"",
		                                "rcode=\"badvers\"",
		                                NULL };
	struct measure *m;

	*out = (struct signs){ .at_ms = now_ms };
	if (!measure_open(run_dir, &m)) {
		if (!measure_read(m, now_ms))
			count_flows(m, out);
		measure_close(m);
	}
	count_labels(run_dir, "health", "weir_health_results_total", passed, now_ms,
	             &out->counts[SIGN_PROBES]);
	count_labels(run_dir, "dns", "weir_dns_answers_total", answered, now_ms,
	             &out->counts[SIGN_ANSWERS]);
}
