/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of ports, workers and frame classes. Which there are is known only when a driver runs, so
 * rows are made when the labels differ from those of the last second.
 */
#include "dataplane/export/publish_workers.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"

struct writer {
	struct stats *stats;
	struct rows *rows;
	struct driver_worker workers[DRIVER_WORKERS_MAX];
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n_workers, n_ports, n_classes;
	const char *const *classes;
};

/* Writes the labels of row @p i into @p out; the row's key is their hash. */
typedef void label_row(const struct writer *w, size_t i, char out[ROWS_LABELS_MAX]);

static void label_worker(const struct writer *w, size_t i, char out[ROWS_LABELS_MAX])
{
	snprintf(out, ROWS_LABELS_MAX, "worker=\"%zu\",cpu=\"%u\"", i, w->workers[i].cpu);
}

/* The label is the smallest number of frames in a burst of that size: 0, 1, 2, 4, ... */
static void label_burst(const struct writer *w, size_t i, char out[ROWS_LABELS_MAX])
{
	(void)w;
	snprintf(out, ROWS_LABELS_MAX, "worker=\"%zu\",frames=\"%u\"", i / DRIVER_BURST_SIZES,
	         1u << i % DRIVER_BURST_SIZES >> 1);
}

static void label_class(const struct writer *w, size_t i, char out[ROWS_LABELS_MAX])
{
	snprintf(out, ROWS_LABELS_MAX, "class=\"%s\"", w->classes[i]);
}

static void label_port(const struct writer *w, size_t i, char out[ROWS_LABELS_MAX])
{
	snprintf(out, ROWS_LABELS_MAX, "port=\"%s\"", w->ports[i].name);
}

/*
 * Have @p n rows of a kind, made again only if their labels have changed. @return the rows, or
 * NULL
 */
static struct publish_row *make_rows(const struct writer *w, enum metrics_kind kind, size_t n,
                                     label_row *label)
{
	struct rows *rows = &w->rows[kind];
	char labels[ROWS_LABELS_MAX];
	bool same = rows->n == n;
	struct publish_row *fresh;

	for (size_t i = 0; same && i < n; i++) {
		label(w, i, labels);
		same = strcmp(rows->items[i].labels, labels) == 0;
	}
	if (same)
		return rows->items;
	fresh = calloc(n ? n : 1, sizeof(*fresh));
	if (!fresh)
		return NULL;
	for (size_t i = 0; i < n; i++)
		label(w, i, fresh[i].labels);
	rows_replace(w->stats, rows, fresh, n);
	return rows->items;
}

/* The order of counters is that of worker_metrics[] (export/metrics.c). */
static void write_workers(const struct writer *w)
{
	struct publish_row *r = make_rows(w, METRICS_WORKER, w->n_workers, label_worker);

	for (size_t i = 0; r && i < w->n_workers; i++) {
		const struct driver_worker *c = &w->workers[i];

		stats_set(r[i].counters[0], c->frames);
		stats_set(r[i].counters[1], c->cycles);
		stats_set(r[i].counters[2], c->sleeps);
		stats_set(r[i].counters[3], c->interrupts);
		stats_set(r[i].counters[4], c->handed_over);
		stats_set(r[i].counters[5], c->from_kernel);
		stats_set(r[i].counters[6], c->from_kernel_lost);
	}
	r = make_rows(w, METRICS_BURST, w->n_workers * DRIVER_BURST_SIZES, label_burst);
	for (size_t i = 0; r && i < w->n_workers * DRIVER_BURST_SIZES; i++)
		stats_set(r[i].counters[0],
		          w->workers[i / DRIVER_BURST_SIZES].bursts[i % DRIVER_BURST_SIZES]);
}

static void write_classes(const struct writer *w)
{
	struct publish_row *r = make_rows(w, METRICS_CLASS, w->n_classes, label_class);

	for (size_t c = 0; r && c < w->n_classes; c++) {
		uint64_t given = 0, policed = 0;

		for (size_t i = 0; i < w->n_workers; i++) {
			given += w->workers[i].to_kernel[c];
			policed += w->workers[i].policed[c];
		}
		stats_set(r[c].counters[0], given);
		stats_set(r[c].counters[1], policed);
	}
}

static void write_ports(const struct writer *w)
{
	struct publish_row *r = make_rows(w, METRICS_PORT, w->n_ports, label_port);

	for (size_t i = 0; r && i < w->n_ports; i++) {
		stats_set(r[i].counters[0], w->ports[i].up && !w->ports[i].lost);
		stats_set(r[i].counters[1], w->ports[i].missed);
		stats_set(r[i].counters[2], w->ports[i].no_memory);
		stats_set(r[i].counters[3], w->ports[i].not_sent);
		stats_set(r[i].counters[4], w->ports[i].not_sent_known);
	}
}

void publish_workers(struct stats *stats, struct rows rows[METRICS_KINDS], const struct compiler *n)
{
	struct writer w = { .stats = stats, .rows = rows, .classes = n->ops->classes };

	w.n_ports = n->ops->ports(n->driver, w.ports);
	if (n->ops->workers)
		w.n_workers = n->ops->workers(n->driver, w.workers);
	while (w.classes && w.n_classes < DRIVER_CLASSES_MAX && w.classes[w.n_classes])
		w.n_classes++;
	write_workers(&w);
	write_classes(&w);
	write_ports(&w);
}
