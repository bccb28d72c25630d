/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /metrics: the stats pages of all processes that run, in Prometheus' text format, and what
 * weir-mgmt knows of processes and backends. The values of a dead process are absent: they would
 * stand still and look alive.
 *
 * Pages count in whole numbers; the names in the table below are given in seconds here.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/api/handle.h"
#include "mgmt/status/status.h"
#include "mgmt/sync/operations.h"
#include "mgmt/json/announcement.h"
#include "mgmt/json/observed.h"
#include "weir/proof.h"
#include "weir/stats.h"

/* Write the lines before a family's first value; @p type is "gauge", "counter" or "histogram". */
static void put_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* --- operations --- */

/* A value of each that is not over, by @p put; nothing where all are. Bounded by OPERATIONS_MAX. */
static void put_family(FILE *out, struct core *core, const char *name, const char *help,
                       void (*put)(FILE *out, const struct operation *op))
{
	const struct operations_item *item;
	bool has_head = false;

	for (size_t i = 0; (item = operations_at(core, i)); i++) {
		const struct operation *op = &item->op;

		if (operation_is_over(op))
			continue;
		if (!has_head)
			put_head(out, name, "gauge", help);
		has_head = true;
		fprintf(out, "%s{operation=\"%s\",site=\"%s\"", name, op->id, op->targets[0].site);
		put(out, op);
	}
}

static void put_state(FILE *out, const struct operation *op)
{
	fprintf(out, ",state=\"%s\"} 1\n", operation_state_text(op->state));
}

static void put_level(FILE *out, const struct operation *op)
{
	fprintf(out, "} %.6f\n", op->level_ppm / 1e6);
}

static void put_operations(FILE *out, struct core *core)
{
	core_lock(core);
	put_family(out, core, "weir_operation_state",
	           "1: the state of an operation that is not over.", put_state);
	put_family(out, core, "weir_operation_level_ratio",
	           "The part of the site's clients that an operation means to send elsewhere.",
	           put_level);
	core_unlock(core);
}

/* --- what this node announces --- */

/*
 * Metrics of announcements: of the routing daemon's sessions, and of the first ADDRESSES_MAX
 * addresses. The others are counted, and so are all by what is intended (weir_announce_addresses,
 * on the page of weir-announce). A value that is not known is absent: 0 would be a statement.
 */

#define ADDRESSES_MAX 256u /* with metrics of their own */

/* A label's value: names of neighbours come from the routing daemon. */
static void put_label(FILE *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fputc('\\', out);
		fputc(c < ' ' || c >= 0x7f ? '?' : c, out);
	}
}

static void put_labels(FILE *out, const char *name, const struct announcement *it)
{
	char text[ADDR_TEXT_MAX];

	fprintf(out, "%s{vip=\"%s\",address=\"%s\"", name, it->vip ? it->vip : "",
	        addr_text(&it->address, text));
}

static size_t count_shown(const struct announcements *a)
{
	return a->n < ADDRESSES_MAX ? a->n : ADDRESSES_MAX;
}

/* A line for each state that an address may have; the one that it has is 1. */
static void put_intended(FILE *out, const struct announcements *a)
{
	static const char *const states[] = { "normal", "shutdown", "none", "unknown" };

	put_head(out, "weir_announcement_state", "gauge",
	         "Where weir-announce puts the address: 1 for the state that it has.");
	for (size_t i = 0; i < count_shown(a); i++)
		for (size_t k = 0; k < sizeof(states) / sizeof(states[0]); k++) {
			put_labels(out, "weir_announcement_state", &a->items[i]);
			fprintf(out, ",state=\"%s\"} %d\n", states[k],
			        !strcmp(states[k], announcement_intended(&a->items[i])));
		}
	put_head(out, "weir_announcement_reason", "gauge",
	         "1: why the address is announced, or is not.");
	for (size_t i = 0; i < count_shown(a); i++) {
		put_labels(out, "weir_announcement_reason", &a->items[i]);
		fprintf(out, ",reason=\"%s\"} 1\n", announcement_reason(&a->items[i]));
	}
}

/* What is proved or exported, where that is known. */
static void put_fact(FILE *out, const struct announcement *it, const char *name, uint8_t fact)
{
	if (fact == PROOF_UNKNOWN)
		return;
	put_labels(out, name, it);
	fprintf(out, "} %d\n", fact == PROOF_YES);
}

static void put_facts(FILE *out, const struct announcements *a)
{
	put_head(out, "weir_announcement_proved", "gauge",
	         "1: all that an announcement needs is proved; absent: not known.");
	for (size_t i = 0; i < count_shown(a); i++)
		put_fact(out, &a->items[i], "weir_announcement_proved",
		         announcement_proved(&a->items[i]));
	put_head(out, "weir_announcement_exported", "gauge",
	         "1: a neighbour of the routing daemon gets the address; absent: not known.");
	for (size_t i = 0; i < count_shown(a); i++)
		put_fact(out, &a->items[i], "weir_announcement_exported",
		         announcement_exported(a, &a->items[i]));
	put_head(out, "weir_announcement_held_seconds", "gauge",
	         "What is left of the hold-down after a failure.");
	for (size_t i = 0; i < count_shown(a); i++) {
		if (!a->items[i].shown)
			continue;
		put_labels(out, "weir_announcement_held_seconds", &a->items[i]);
		fprintf(out, "} %.3f\n", (double)a->items[i].shown->held_ms / 1e3);
	}
	put_head(
	        out, "weir_announcements_left_out", "gauge",
	        "Announced addresses without metrics of their own: there are more than the limit.");
	fprintf(out, "weir_announcements_left_out %zu\n", a->n - count_shown(a));
}

static void put_sessions(FILE *out, const struct announcements *a)
{
	bool answers = !strcmp(a->node.daemon_state, "answers");

	if (a->is_known) { /* else 0 would be a statement */
		put_head(out, "weir_announce_daemon_answers", "gauge",
		         "1: the routing daemon answers weir-announce, and is understood.");
		fprintf(out, "weir_announce_daemon_answers %d\n", answers);
	}
	put_head(out, "weir_announce_session_up", "gauge",
	         "1: the routing daemon's BGP session with the neighbour is established.");
	for (uint32_t i = 0; answers && i < a->node.n_neighbours; i++) {
		fputs("weir_announce_session_up{neighbour=\"", out);
		put_label(out, a->neighbours[i].name);
		fprintf(out, "\"} %d\n", a->neighbours[i].established != 0);
	}
}

static void put_announced(FILE *out, const struct look *l)
{
	struct announcements a;

	if (!announcements_apply(l->m))
		return;
	if (!announcements_read(l->core->dirs.run, l->m, clock_mono_ms(), &a)) {
		put_intended(out, &a);
		put_facts(out, &a);
		put_sessions(out, &a);
	}
	announcements_fini(&a);
}

/* --- the processes and their pages, backends --- */

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
			put_head(out, r->family,
			         r->histogram                      ? "histogram"
			         : r->entry->kind == STATS_COUNTER ? "counter"
			                                           : "gauge",
			         r->entry->help);
		put_row(out, r);
	}
}

static void put_processes(FILE *out, const struct look *l)
{
	put_head(out, "weir_process_up", "gauge",
	         "1: the process exists and has shown a sign of life lately.");
	for (int p = 0; p < OBSERVE_COUNT; p++)
		if (observe_is_shown((enum observe_process)p, &l->processes[p]))
			fprintf(out, "weir_process_up{process=\"%s\"} %d\n",
			        observe_name((enum observe_process)p), l->processes[p].running);
	put_head(out, "weir_process_age_seconds", "gauge",
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

static void put_effects(FILE *out, const struct look *l, const struct model_pool *pool, size_t max)
{
	static const char *const states[] = { "serving", "draining", "out", "unknown" };
	struct effect_backend *rows;
	int n = gather_rows(l->pages.effect, pool->name, &rows);

	for (size_t i = 0; i < pool->n_backends && i < max; i++)
		put_states(out, "weir_backend_state", pool, &pool->backends[i], states, 4,
		           status_effect_state(l, pool, gather_row(rows, n, pool->backends[i].id)));
	free(rows);
}

static void put_check_metrics(FILE *out, const struct look *l, const struct model_pool *pool,
                              size_t max)
{
	static const char *const states[] = { "up", "down", "unknown" };

	for (size_t i = 0; i < pool->n_backends && i < max; i++)
		put_states(out, "weir_backend_check_state", pool, &pool->backends[i], states, 3,
		           observed_state(&l->pages,
		                          health_target_backend(pool->name, pool->backends[i].id)));
}

/* The backends of the own site, as far as there is room; what is left out is counted. */
static void put_backend_metrics(FILE *out, const struct look *l)
{
	const struct model *m = l->m;

	for (int effect = 1; effect >= 0; effect--) {
		size_t left = BACKENDS_MAX, left_out = 0;

		put_head(
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
		put_head(out, "weir_backends_left_out", "gauge",
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
		put_announced(out, l);
		put_operations(out, core);
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
