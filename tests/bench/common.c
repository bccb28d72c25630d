/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/common.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void exit_with_error(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void bench_fill(struct world *w, enum fwd_encap_mode encap, bool outer6, unsigned int log2)
{
	world_set_source(w, "10.255.1.0", 24);
	world_set_source(w, "2001:db8:ff:1::", 64);
	world_add_vip(w, BENCH_VIP4);
	world_add_vip(w, BENCH_VIP6);
	for (uint32_t i = 1; i <= BENCH_BACKENDS; i++) {
		union fwd_addr a = world_addr(outer6 ? "2001:db8:b::" : "10.1.0.0");

		a.bytes[14] = (uint8_t)(i >> 8);
		a.bytes[15] = (uint8_t)i;
		world_add_backend(w, i, &a, encap, 1);
	}
	world_add_pool(w, 0, 0, log2, 1, BENCH_BACKENDS);
}

void bench_unsettle(struct world *w, uint32_t nth)
{
	for (uint32_t slot = 0; slot < w->t.n_colds; slot += nth) {
		uint16_t *hot = world_slot(w, slot);

		w->t.colds[slot].claim[OWNER_CLASS_TCP] =
		        (struct owner_claim){ .base = (uint16_t)(*hot % BENCH_BACKENDS + 1),
			                      .settle_at = 0x7fffffff };
		*hot |= FWD_SLOT_UNSETTLED;
	}
	for (uint32_t i = 0; i < w->t.n_exceptions * 4; i++)
		w->t.exceptions[i / 4].word[i % 4] =
		        owner_word((uint16_t)(i % BENCH_BACKENDS + 1), OWNER_OPEN,
		                   owner_end(0, OWNER_IDLE_MAX_S), i * 0x9e3779b97f4a7c15u >> 29);
}

void bench_remember(struct world *w, const struct fwd_tuple *flow)
{
	uint64_t hash = fwd_hash_flow(w->t.root->hash_key, flow, true);
	struct fwd_exceptions *bucket = &w->t.exceptions[owner_bucket(hash, w->t.n_exceptions)];

	for (uint32_t i = 0; i < OWNER_WAYS; i++)
		if (!bucket->word[i]) {
			bucket->word[i] =
			        owner_word((uint16_t)(hash % BENCH_BACKENDS + 1), OWNER_OPEN,
			                   owner_end(0, w->t.pools[0].idle_s), owner_tag(hash));
			return;
		}
}

void bench_pin(int cpu)
{
	struct sched_param first = { .sched_priority = 1 };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		exit_with_error("sched_setaffinity");
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		fprintf(stderr, "bench: no SCHED_FIFO: expect noise\n");
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct bench_result bench_summarise(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare_doubles);
	return (struct bench_result){ values[0], values[n / 2] };
}

void bench_head(const char *beside)
{
	printf("%-34s %8s %8s %-6s %8s %8s\n", "", "min", "median", "", beside, "target");
}

void bench_row(json_t *all, const char *name, const char *unit, const struct bench_result *r,
               const char *reference, double reference_median, double target)
{
	bool is_met = r->median <= target, measured = r->median > 0; /* nothing takes no time */
	json_t *met = target > 0 && measured ? json_boolean(is_met) : json_null();
	json_t *row = json_pack("{s:s, s:s, s:f, s:f, s:s, s:f, s:o, s:o}", "name", name, "unit",
	                        unit, "min", r->min, "median", r->median, "reference", reference,
	                        "reference_median", reference_median, "target",
	                        target > 0 ? json_real(target) : json_null(), "met", met);

	json_array_append_new(all, row);
	printf("%-34s %8.2f %8.2f %-6s %8.2f", name, r->min, r->median, unit, reference_median);
	if (target > 0)
		printf(" %8.1f  %s", target,
		       !measured ? "not measured"
		       : is_met  ? "met"
		                 : "missed");
	printf("\n");
	fflush(stdout);
}

void bench_write(json_t *all, const char *path)
{
	if (json_dump_file(all, path, JSON_INDENT(2)))
		exit_with_error(path);
	json_decref(all);
}
