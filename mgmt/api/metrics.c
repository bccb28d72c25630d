/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /metrics: the stats pages of all processes that run, in Prometheus' text format, and what
 * weir-mgmt knows of processes and backends. The values of a dead process are absent: they would
 * stand still and look alive.
 *
 * Pages count in whole numbers; the names in the table below are given in seconds here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/api/handle.h"
#include "mgmt/api/look.h"
#include "mgmt/api/metrics_internal.h"
#include "weir/stats.h"

#define BACKENDS_MAX 1024u /* with metrics of their own, as weir-dataplane has it */
#define FAMILY_MAX   64u

/* Metrics that pages count in parts of a second, with the names that they get here. */
static const struct scaled {
	const char *page, *name;
	double per_second;
} scaled[] = {
	{ "weir_dataplane_process_cpu_microseconds_total",
	  "weir_dataplane_process_cpu_seconds_total", 1e6 },
	{ "weir_dataplane_probe_since_ms", "weir_dataplane_probe_since_seconds", 1e3 },
	{ "weir_dns_load_milliseconds", "weir_dns_load_seconds", 1e3 },
	{ "weir_mgmt_change_microseconds", "weir_mgmt_change_seconds", 1e6 },
	{ "weir_dataplane_document_read_microseconds", "weir_dataplane_document_read_seconds",
	  1e6 },
	{ "weir_dataplane_document_compile_microseconds", "weir_dataplane_document_compile_seconds",
	  1e6 },
	{ "weir_dataplane_document_switch_microseconds", "weir_dataplane_document_switch_seconds",
	  1e6 },
	{ "weir_mgmt_lock_longest_us", "weir_mgmt_lock_longest_seconds", 1e6 },
	{ "weir_health_lateness_ms_total", "weir_health_lateness_seconds_total", 1e3 },
	{ "weir_health_probe_duration_seconds_sum", "weir_health_probe_duration_seconds_sum", 1e3 },
};

/* A row of the metrics, to be sorted: rows of one family stand together, in the page's order. */
struct metric_row {
	const struct stats_entry *entry;
	const char *process;
	const char *name;  /* as it is shown */
	double per_second; /* 0: a plain number */
	bool histogram;    /* a part of one */
	char family[FAMILY_MAX];
};

/* Find the family: the name of a part of a histogram without its ending. */
static void find_family(struct metric_row *r)
{
	static const char *const parts[] = { "_seconds_bucket", "_seconds_sum", "_seconds_count" };
	size_t n = strlen(r->name), keep = strlen("_seconds");

	snprintf(r->family, sizeof(r->family), "%s", r->name);
	for (size_t i = 0; i < 3; i++) {
		size_t end = strlen(parts[i]);

		if (n <= end || strcmp(r->name + n - end, parts[i]))
			continue;
		r->histogram = true;
		r->family[n - end + keep] = '\0';
	}
}

static void fill_row(struct metric_row *r, const struct stats_entry *e, const char *process)
{
	*r = (struct metric_row){ .entry = e, .process = process, .name = e->name };
	for (size_t i = 0; i < sizeof(scaled) / sizeof(scaled[0]); i++)
		if (!strcmp(scaled[i].page, e->name)) {
			r->name = scaled[i].name;
			r->per_second = scaled[i].per_second;
		}
	find_family(r);
}

static int compare_rows(const void *a, const void *b)
{
	const struct metric_row *x = a, *y = b;
	int c = strcmp(x->family, y->family);

	if (!c)
		c = strcmp(x->process, y->process);
	return c ? c : (x->entry > y->entry) - (x->entry < y->entry);
}

static size_t collect_rows(const struct stats_reader *reader, const char *process,
                           struct metric_row *rows, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < stats_reader_n(reader); i++) {
		const struct stats_entry *e = stats_reader_entry(reader, i);

		if (!__atomic_load_n(&e->used, __ATOMIC_ACQUIRE) || n == max)
			continue;
		fill_row(&rows[n++], e, process);
	}
	return n;
}

static void put_row(FILE *out, const struct metric_row *r)
{
	uint64_t value = __atomic_load_n(&r->entry->value, __ATOMIC_RELAXED);

	fprintf(out, "%s{process=\"%s\"%s%s} ", r->name, r->process, *r->entry->labels ? "," : "",
	        r->entry->labels);
	if (r->per_second > 0)
		fprintf(out, "%.6f\n", (double)value / r->per_second);
	else
		fprintf(out, "%" PRIu64 "\n", value);
}

static void put_rows(FILE *out, const struct metric_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct metric_row *r = &rows[i];

		if (i == 0 || strcmp(rows[i - 1].family, r->family))
			metrics_put_head(out, r->family,
			                 r->histogram                      ? "histogram"
			                 : r->entry->kind == STATS_COUNTER ? "counter"
			                                                   : "gauge",
			                 r->entry->help);
		put_row(out, r);
	}
}

static void put_processes(FILE *out, const struct look *l)
{
	metrics_put_head(out, "weir_process_up", "gauge",
	                 "1: the process exists and has shown a sign of life lately.");
	for (int p = 0; p < OBSERVE_COUNT; p++)
		if (observe_is_shown((enum observe_process)p, &l->processes[p]))
			fprintf(out, "weir_process_up{process=\"%s\"} %d\n",
			        observe_name((enum observe_process)p), l->processes[p].running);
	metrics_put_head(out, "weir_process_age_seconds", "gauge",
	                 "Time since the process's last sign of life.");
	for (int p = 0; p < OBSERVE_COUNT; p++)
		if (l->processes[p].present)
			fprintf(out, "weir_process_age_seconds{process=\"%s\"} %.3f\n",
			        observe_name((enum observe_process)p),
			        (double)l->processes[p].age_ms / 1e3);
}

/* A line for each state that a backend may have; the one that it has is 1. */
static void put_states(FILE *out, const char *name, const struct model_pool *pool,
                       const struct model_backend *b, const char *const *states, size_t n,
                       const char *now)
{
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%s{pool=\"%s\",backend=\"%s\",state=\"%s\"} %d\n", name, pool->name,
		        b->name, states[i], !strcmp(states[i], now));
}

static const char *effect_state(const struct effect_backend *e, bool fresh)
{
	if (!fresh)
		return "unknown";
	if (!e || !e->alive || !e->next_hop)
		return "out";
	return e->slots ? "serving" : e->base_slots || e->exceptions ? "draining" : "out";
}

static void put_effects(FILE *out, const struct look *l, const struct model_pool *pool, size_t max)
{
	static const char *const states[] = { "serving", "draining", "out", "unknown" };
	struct effect_backend *rows;
	int n = gather_rows(l->pages.effect, pool->name, &rows);

	for (size_t i = 0; i < pool->n_backends && i < max; i++)
		put_states(out, "weir_backend_state", pool, &pool->backends[i], states, 4,
		           effect_state(gather_row(rows, n, pool->backends[i].id),
		                        l->pages.effect_fresh));
	free(rows);
}

static void put_check_metrics(FILE *out, const struct look *l, const struct model_pool *pool,
                              size_t max)
{
	static const char *const states[] = { "up", "down", "unknown" };

	for (size_t i = 0; i < pool->n_backends && i < max; i++)
		put_states(out, "weir_backend_check_state", pool, &pool->backends[i], states, 3,
		           look_state(l, health_target_backend(pool->name, pool->backends[i].id)));
}

/* The backends of the own site, as far as there is room; what is left out is counted. */
static void put_backend_metrics(FILE *out, const struct look *l)
{
	const struct model *m = l->m;

	for (int effect = 1; effect >= 0; effect--) {
		size_t left = BACKENDS_MAX, left_out = 0;

		metrics_put_head(
		        out, effect ? "weir_backend_state" : "weir_backend_check_state", "gauge",
		        effect ? "What is in force for the backend: 1 for the state that it has."
		               : "The verdict of the backend's check: 1 for the state that it has.");
		for (size_t i = 0; i < m->n_pools; i++) {
			const struct model_pool *pool = &m->pools[i];
			size_t n = pool->n_backends < left ? pool->n_backends : left;

			if (!m->self || pool->site != m->self->site)
				continue;
			(effect ? put_effects : put_check_metrics)(out, l, pool, n);
			left -= n;
			left_out += pool->n_backends - n;
		}
		if (effect)
			continue;
		metrics_put_head(
		        out, "weir_backends_left_out", "gauge",
		        "Backends without metrics of their own: there are more than the limit.");
		fprintf(out, "weir_backends_left_out %zu\n", left_out);
	}
}

/* The processes, and behind them the supervisor. */
static const char *page_name(int p)
{
	return p < OBSERVE_COUNT ? observe_name((enum observe_process)p) : OBSERVE_SUPERVISOR;
}

/* The pages of all processes that run. */
static void put_pages(FILE *out, const struct look *l)
{
	struct stats_reader *readers[OBSERVE_COUNT + 1] = { NULL };
	size_t max = 1, n = 0;

	for (int p = 0; p <= OBSERVE_COUNT; p++) {
		if ((p < OBSERVE_COUNT ? l->processes[p].running : l->supervisor.running) &&
		    !stats_reader_open(l->core->dirs.run, page_name(p), &readers[p]))
			max += stats_reader_n(readers[p]);
	}
	struct metric_row *rows = calloc(max, sizeof(*rows));
	for (int p = 0; rows && p <= OBSERVE_COUNT; p++)
		if (readers[p])
			n += collect_rows(readers[p], page_name(p), rows + n, max - n);
	if (rows) {
		qsort(rows, n, sizeof(*rows), compare_rows);
		put_rows(out, rows, n);
	}
	free(rows);
	for (int p = 0; p <= OBSERVE_COUNT; p++)
		stats_reader_close(readers[p]);
}

void handle_metrics(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct look *l = calloc(1, sizeof(*l));
	size_t n_text = 0;

	(void)r;
	FILE *out = open_memstream(&reply->text, &n_text);

	if (out && l && !look_init(core, l)) {
		put_pages(out, l);
		put_processes(out, l);
		if (l->m)
			put_backend_metrics(out, l);
		metrics_put_announced(out, l);
		metrics_put_operations(out, core);
	}
	if (out)
		fclose(out);
	if (l)
		look_fini(l);
	free(l);
	reply->type = "text/plain; version=0.0.4; charset=utf-8";
	reply->status = 200;
	if (!reply->text || !*reply->text)
		http_problem(reply, 503, "busy", "out of memory");
}
