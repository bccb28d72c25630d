/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node with two pools on tables in memory with two CPUs, a driver with ports and workers of the
 * test's own, a publisher, and a reader of what it publishes.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_PUBLISH_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_PUBLISH_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "dataplane/export/publish.h"
#include "weir/stats.h"

#include "tests/unit/dataplane/stage.h"

#define COUNT(a)     (sizeof(a) / sizeof((a)[0]))
#define METRIC(name) "weir_dataplane_" name

/* --- the driver's part --- */

static struct driver_port ports[3];
static size_t n_ports;
static struct driver_worker workers[3];
static size_t n_workers;
static const char *const classes[] = { "arp", "bgp", NULL };

static inline size_t show_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	memcpy(out, ports, sizeof(ports));
	return n_ports;
}

static inline size_t show_workers(const struct driver *d,
                                  struct driver_worker out[DRIVER_WORKERS_MAX])
{
	(void)d;
	memcpy(out, workers, sizeof(workers));
	return n_workers;
}

static inline uint64_t show_page_bytes(const struct driver *d)
{
	(void)d;
	return 2u << 20;
}

static const struct driver_ops without_workers = { .name = "xdp", .ports = show_ports };
static const struct driver_ops with_workers = {
	.name = "dpdk",
	.ports = show_ports,
	.workers = show_workers,
	.classes = classes,
	.page_bytes = show_page_bytes,
};

/* --- the scene: a node with two pools, its publisher, and a reader's eyes --- */

static struct stage s;
static struct publisher *p;
static char dir[64];

static inline int setup(void **state)
{
	(void)state;
	stage_init(&s);
	use_both_pools(&s.first);
	use_both_pools(&s.second);
	apply_world(&s, &s.first);
	s.node.ops = &without_workers;
	n_ports = n_workers = 0;
	strcpy(dir, "/tmp/weir-publish-XXXXXX");
	return !mkdtemp(dir) || publisher_open(dir, &p);
}

static inline int teardown(void **state)
{
	char command[96];

	(void)state;
	publisher_close(p);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	s.node.hops = NULL;
	s.node.ops = &memory;
	stage_fini(&s);
	return system(command);
}

/* The entry of the stats page; NULL: there is none. More than one fails. */
static inline const struct stats_entry *find_entry(struct stats_reader *r, const char *name,
                                                   const char *labels)
{
	const struct stats_entry *found = NULL;

	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (!e->used || strcmp(e->name, name) != 0 || strcmp(e->labels, labels) != 0)
			continue;
		assert_null(found);
		found = e;
	}
	return found;
}

/* A value of the stats page, -1: there is none. */
static inline int64_t value_of(const char *name, const char *labels)
{
	const struct stats_entry *e;
	struct stats_reader *r;
	int64_t out;

	assert_int_equal(stats_reader_open(dir, "dataplane", &r), 0);
	e = find_entry(r, name, labels);
	out = e ? (int64_t)e->value : -1;
	stats_reader_close(r);
	return out;
}

static inline void expect_metric(const char *name, const char *labels, int64_t wanted)
{
	int64_t is = value_of(name, labels);

	if (is != wanted)
		fail_msg("%s{%s} is %lld, not %lld", name, labels, (long long)is,
		         (long long)wanted);
}

/* How many entries have this name. */
static inline size_t n_rows(const char *name)
{
	struct stats_reader *r;
	size_t n = 0;

	assert_int_equal(stats_reader_open(dir, "dataplane", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++)
		n += stats_reader_entry(r, i)->used &&
		     !strcmp(stats_reader_entry(r, i)->name, name);
	stats_reader_close(r);
	return n;
}

static inline void publish_all(void)
{
	publisher_document(p, &s.node);
	publisher_write(p, &s.node, &s.time);
}

/* Make the rows of @p n. @return the last line that was logged, or "" */
static inline const char *log_of_document(const struct compiler *n)
{
	static char line[512];
	FILE *f = tmpfile();
	int before = dup(STDERR_FILENO);

	assert_non_null(f);
	assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
	publisher_document(p, n);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	close(before);
	rewind(f);
	line[0] = '\0';
	while (fgets(line, sizeof(line), f))
		;
	fclose(f);
	return line;
}

static inline uint32_t index_of(const char *pool, uint64_t id)
{
	return indexes_find(s.node.backend_indexes, compiler_backend_key(hash_text(pool), id));
}

#define PUBLISH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
