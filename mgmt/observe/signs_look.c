/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/observe/signs_look.h"

#include <string.h>

#include "weir/fwd/reason.h"
#include "weir/life.h"
#include "weir/measure.h"
#include "weir/stats.h"

/* What a version can cause: drops of what clients sent to a service, and what routers say of packets in our tunnels. */
static const enum fwd_reason suffered[] = {
	FWD_REASON_NO_BACKEND,     FWD_REASON_BACKEND_DEAD, FWD_REASON_NO_NEXT_HOP,
	FWD_REASON_NO_SOURCE,      FWD_REASON_TOO_BIG,      FWD_REASON_TOO_BIG_UNANSWERED,
	FWD_REASON_NO_ROOM,        FWD_REASON_NO_TABLES,    FWD_REASON_NOT_SENT,
	FWD_REASON_SEGMENTED,      FWD_REASON_BACKUP_FULL,  FWD_REASON_TUNNEL_UNREACHABLE,
	FWD_REASON_TUNNEL_EXPIRED, FWD_REASON_TUNNEL_ERROR, FWD_REASON_TUNNEL_TOO_BIG_REFUSED,
};
/* Scanners make some, too: a sign of its own, with a larger margin. */
static const enum fwd_reason unserved[] = { FWD_REASON_NO_SERVICE, FWD_REASON_PROTOCOL };

static void count_drops(const struct measure_node *node, const enum fwd_reason reasons[], size_t n,
                        struct sign_count *out)
{
	for (size_t i = 0; i < n; i++)
		out->part += node->reason[reasons[i]];
	out->whole = out->part + node->reason[FWD_REASON_FORWARDED];
}

static void count_flows(const struct measure *m, struct signs *out)
{
	const struct measure_node *node = measure_node(m);
	const struct measure_service *services;
	size_t n = measure_services(m, &services);
	struct sign_count *c = out->counts;
	uint64_t ended = 0;

	for (int i = SIGN_REPEATED; i <= SIGN_UNSERVED; i++) {
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
	count_drops(node, suffered, sizeof(suffered) / sizeof(*suffered), &c[SIGN_DROPS]);
	count_drops(node, unserved, sizeof(unserved) / sizeof(*unserved), &c[SIGN_UNSERVED]);
}

/* What the labels of a counter say of what it counts. */
struct labels_of {
	const char *name; /* of the counters that make the whole */
	/* their labels that are no failures, NULL behind the last */
	const char *const *good;
	/* counters of failures that count for nothing, likewise */
	const char *const *spare;
};

static bool is_among(const char *const list[], const char *text, size_t room)
{
	for (; *list; list++)
		if (strncmp(*list, text, room) == 0)
			return true;
	return false;
}

static void count_entry(const struct stats_entry *e, const struct labels_of *of,
                        struct sign_count *out, uint64_t *spared)
{
	uint64_t value = __atomic_load_n(&e->value, __ATOMIC_RELAXED);

	if (is_among(of->spare, e->name, sizeof(e->name)))
		*spared += value;
	if (strncmp(e->name, of->name, sizeof(e->name)) != 0)
		return;
	out->whole += value;
	out->part += is_among(of->good, e->labels, sizeof(e->labels)) ? 0 : value;
}

static void count_labels(const char *run_dir, const char *process, const struct labels_of *of,
                         uint64_t now_ms, struct sign_count *out)
{
	struct stats_reader *page;
	uint64_t spared = 0;

	if (stats_reader_open(run_dir, process, &page))
		return;
	for (size_t i = 0; i < stats_reader_n(page); i++) {
		const struct stats_entry *e = stats_reader_entry(page, i);

		if (__atomic_load_n(&e->used, __ATOMIC_ACQUIRE))
			count_entry(e, of, out, &spared);
	}
	out->part -= out->part < spared ? out->part : spared;
	out->known = life_is_fresh(stats_reader_alive_ms(page), LIFE_FOR_COUNTS, now_ms);
	out->began = stats_reader_pid(page);
	stats_reader_close(page);
}

void signs_look(const char *run_dir, uint64_t now_ms, struct signs *out)
{
	static const char *const none[] = { NULL };
	/* a probe that could not be sent, or whose result has no vote, says nothing of a backend */
	static const char *const passed[] = { "reason=\"ok\"", "reason=\"local\"", NULL };
	static const char *const voteless[] = { "weir_health_late_total",
		                                "weir_health_unready_total",
		                                "weir_health_uncontrolled_total", NULL };
	/* what is wrong with the others is the client's: all but servfail and refused */
	static const char *const answered[] = { "rcode=\"noerror\"",
		                                "rcode=\"nxdomain\"",
		                                "rcode=\"formerr\"",
		                                "rcode=\"notimp\"",
		                                "rcode=\"yxdomain\"",
		                                "rcode=\"badvers\"",
		                                NULL };
	static const struct labels_of probes = { "weir_health_results_total", passed, voteless };
	static const struct labels_of answers = { "weir_dns_answers_total", answered, none };
	struct measure *m;

	*out = (struct signs){ .at_ms = now_ms };
	if (!measure_open(run_dir, &m)) {
		if (!measure_read(m, now_ms))
			count_flows(m, out);
		measure_close(m);
	}
	count_labels(run_dir, "health", &probes, now_ms, &out->counts[SIGN_PROBES]);
	count_labels(run_dir, "dns", &answers, now_ms, &out->counts[SIGN_ANSWERS]);
}
