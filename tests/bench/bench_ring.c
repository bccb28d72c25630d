/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `./run bench ring`: shares, cost of changes and times of the ring (weir/ring.h), beside an own
 * Maglev (Eisenbud et al., NSDI 2016, section 3.4) and plain rendezvous (Thaler and
 * Ravishankar, 1998) in the same run, for 100 equal backends on 65,536 slots and 10,000 on 2^20; and
 * for 100 on as many slots as a configuration gives a pool that is made for 100.
 *
 * Costs are slots moved per slot that had to move: a departure's own slots; for a reweight
 * or an arrival, the change of its due.
 */
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "weir/model.h"
#include "weir/ring.h"

#define WEIGHT     100u
#define TRIALS_MAX 32u
#define OUTPUT     "build/bench/ring.json"

/* What is measured, in the order of the table. */
#define MEASURES(X)                                                                                \
	X(LARGEST, "share.largest", "of its due")                                                  \
	X(SMALLEST, "share.smallest", "of its due")                                                \
	X(DEPARTURE, "departure", "slots moved per slot owned")                                    \
	X(DEATH, "death", "slots moved per slot owned")                                            \
	X(ARRIVAL, "arrival", "slots moved per slot due")                                          \
	X(REWEIGHT, "reweight", "slots moved per slot of change")                                  \
	X(CROSSING, "crossing", "slots moved per slot owned")                                      \
	X(BUILD, "build", "ms")                                                                    \
	X(REPAIR, "repair", "ms")

#define MEASURE_ENUM(name, text, unit) name,
enum measure { MEASURES(MEASURE_ENUM) N_MEASURES };

static const struct {
	const char *name, *unit;
} measures[] = {
#define MEASURE_ROW(name, text, unit) { text, unit },
	MEASURES(MEASURE_ROW)
};

typedef int fill_fn(uint16_t *slots, size_t n_slots, const struct ring_backend *backends,
                    size_t n_backends, const uint64_t key[2]);

/* A way to fill slots; death: -1 for one that can only fill anew. */
struct method {
	const char *name;
	fill_fn *fill;
	bool repairs;
};

struct size {
	const char *name;
	size_t n_backends;
	size_t n_slots; /* 0: as many as a configuration gives them */
	unsigned trials;
	bool rendezvous;           /* is measured, too */
	double target[N_MEASURES]; /* 0: none */
};

static const struct size sizes[] = {
	{ "ring.100",
	  100,
	  65536,
	  20,
	  true,
	  { [LARGEST] = 1.02, [DEPARTURE] = 1.10, [DEATH] = 1.00, [BUILD] = 9 } },
	{ .name = "ring.pool100", .n_backends = 100, .trials = 20 },
	{ "ring.10000",
	  10000,
	  1u << 20,
	  5,
	  false,
	  { [LARGEST] = 1.06, [DEPARTURE] = 1.38, [DEATH] = 1.00, [BUILD] = 386 } },
};

static uint16_t one[RING_SLOTS_MAX], two[RING_SLOTS_MAX];
static bool dead[RING_ID_MAX + 1];

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static uint64_t mix_bits(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* --- the references --- */

struct walk {
	uint32_t at, skip;
	double credit;
};

/* Maglev over a power of two of slots with odd skips; a turn costs the largest weight. */
static int maglev_fill(uint16_t *slots, size_t n_slots, const struct ring_backend *b, size_t n,
                       const uint64_t key[2])
{
	struct walk *walks = calloc(n, sizeof(*walks));
	size_t left = n_slots;
	uint32_t top = 0;

	if (!walks)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint64_t h = mix_bits(key[0] ^ mix_bits(b[i].key));

		walks[i] = (struct walk){ (uint32_t)h, (uint32_t)(h >> 32) | 1, 0 };
		top = b[i].weight > top ? b[i].weight : top;
	}
	memset(slots, 0, n_slots * sizeof(*slots));
	for (size_t i = 0; left > 0; i = (i + 1) % n) {
		walks[i].credit += b[i].weight;
		if (b[i].weight == 0 || walks[i].credit < top)
			continue;
		walks[i].credit -= top;
		while (slots[walks[i].at & (n_slots - 1)] != RING_NONE)
			walks[i].at += walks[i].skip;
		slots[walks[i].at & (n_slots - 1)] = b[i].id;
		left--;
	}
	free(walks);
	return 0;
}

/* Each slot to the highest draw; equal weights or 0. */
static int rendezvous_fill(uint16_t *slots, size_t n_slots, const struct ring_backend *b, size_t n,
                           const uint64_t key[2])
{
	for (size_t s = 0; s < n_slots; s++) {
		uint64_t best = 0;

		slots[s] = RING_NONE;
		for (size_t i = 0; i < n; i++) {
			uint64_t draw = mix_bits(mix_bits(s ^ key[0]) ^ b[i].key);

			/* Half the weight: half of the draws count. */
			if (b[i].weight < WEIGHT && (draw & 1 || b[i].weight == 0))
				continue;
			if (slots[s] == RING_NONE || draw > best) {
				best = draw;
				slots[s] = b[i].id;
			}
		}
	}
	return 0;
}

static const struct method methods[] = {
	{ "weir", ring_fill, true },
	{ "maglev", maglev_fill, false },
	{ "rendezvous", rendezvous_fill, false },
};
#define N_METHODS (sizeof(methods) / sizeof(methods[0]))

/* --- measuring --- */

static void require_success(int result, const char *what)
{
	if (result == 0)
		return;
	fprintf(stderr, "bench ring: %s: %s\n", what, strerror(-result));
	exit(1);
}

static size_t count_moved(const uint16_t *a, const uint16_t *b, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += a[i] != b[i];
	return count;
}

static size_t count_owned(const uint16_t *slots, size_t n, uint16_t id)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += slots[i] == id;
	return count;
}

static void make_backends(struct ring_backend *b, size_t n, unsigned trial)
{
	for (size_t i = 0; i < n; i++)
		b[i] = (struct ring_backend){ .key = mix_bits(i + 1 + ((uint64_t)trial << 32)),
			                      .weight = WEIGHT,
			                      .id = (uint16_t)(i + 1) };
}

static void measure_shares(const struct size *size, size_t n, double out[N_MEASURES])
{
	uint32_t *counts = calloc(RING_ID_MAX + 1, sizeof(*counts));
	double due = (double)size->n_slots / (double)n;

	require_success(counts ? 0 : -ENOMEM, "shares");
	for (size_t s = 0; s < size->n_slots; s++)
		counts[one[s]]++;
	out[LARGEST] = 0;
	out[SMALLEST] = 1e9;
	for (size_t i = 1; i <= n; i++) {
		double share = counts[i] / due;

		out[LARGEST] = share > out[LARGEST] ? share : out[LARGEST];
		out[SMALLEST] = share < out[SMALLEST] ? share : out[SMALLEST];
	}
	free(counts);
}

/* Slots that move per slot owned when backend @p i goes from the ring of @p n, left in one. */
static double measure_departure(const struct method *m, const struct size *size,
                                struct ring_backend *b, size_t n, size_t i, const uint64_t key[2])
{
	double own = (double)count_owned(one, size->n_slots, b[i].id);

	b[i].weight = 0;
	require_success(m->fill(two, size->n_slots, b, n, key), "departure");
	b[i].weight = WEIGHT;
	return (double)count_moved(one, two, size->n_slots) / own;
}

static void measure_death(const struct method *m, const struct size *size, struct ring_backend *b,
                          size_t i, const uint64_t key[2], double out[N_MEASURES])
{
	double began = now_ms(), own = (double)count_owned(one, size->n_slots, b[i].id);

	if (!m->repairs) { /* it can only be built anew */
		out[DEATH] = out[DEPARTURE];
		out[REPAIR] = out[BUILD];
		return;
	}
	memset(dead, 0, sizeof(dead));
	dead[b[i].id] = true;
	began = now_ms();
	ring_repair(two, one, size->n_slots, dead, key);
	out[REPAIR] = now_ms() - began;
	out[DEATH] = (double)count_moved(one, two, size->n_slots) / own;
}

/* A member comes to n - 1 others; a weight is halved; total weight falls below a power of two. */
static void measure_changes(const struct method *m, const struct size *size, struct ring_backend *b,
                            size_t i, const uint64_t key[2], double out[N_MEASURES])
{
	size_t n = size->n_backends, power = 1;
	double due = (double)size->n_slots / (double)n;

	b[i].weight = WEIGHT / 2;
	require_success(m->fill(two, size->n_slots, b, n, key), "reweight");
	out[REWEIGHT] = (double)count_moved(one, two, size->n_slots) / (due / 2);
	b[i].weight = 0;
	require_success(m->fill(two, size->n_slots, b, n, key), "arrival");
	out[ARRIVAL] = (double)count_moved(two, one, size->n_slots) / due;
	b[i].weight = WEIGHT;
	while (power * 2 <= n)
		power *= 2;
	require_success(m->fill(one, size->n_slots, b, power, key), "crossing");
	out[CROSSING] = measure_departure(m, size, b, power, i % power, key);
}

static void measure_size(const struct method *m, const struct size *size, unsigned trial,
                         double out[N_MEASURES])
{
	struct ring_backend *b = calloc(size->n_backends, sizeof(*b));
	const uint64_t key[2] = { mix_bits(trial), mix_bits(trial + 1000) };
	size_t n = size->n_backends, i = trial * 37 % n;
	double began;

	require_success(b ? 0 : -ENOMEM, "backends");
	make_backends(b, n, trial);
	began = now_ms();
	require_success(m->fill(one, size->n_slots, b, n, key), "build");
	out[BUILD] = now_ms() - began;
	measure_shares(size, n, out);
	out[DEPARTURE] = measure_departure(m, size, b, n, i, key);
	measure_death(m, size, b, i, key, out);
	measure_changes(m, size, b, i, key, out);
	free(b);
}

/* --- telling --- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One measure of one method over the trials, sorted. */
struct column {
	double value[TRIALS_MAX];
	unsigned n;
};

static double find_median(const struct column *c)
{
	return c->n % 2 ? c->value[c->n / 2] : (c->value[c->n / 2 - 1] + c->value[c->n / 2]) / 2;
}

static void add_row(json_t *rows, const struct size *size, enum measure what,
                    const struct column *ours, const struct column *reference,
                    const char *reference_name)
{
	char name[64], against[64];
	double target = size->target[what], at = find_median(ours);
	bool met = target == 0 || at <= target + 1e-9;
	json_t *row;

	snprintf(name, sizeof(name), "%s.%s", size->name, measures[what].name);
	snprintf(against, sizeof(against), "%s, same backends, same run", reference_name);
	printf("%-26s %9.3f %9.3f %9.3f  %-10s %9.3f  %-8.6g %-4s %s\n", name, ours->value[0], at,
	       ours->value[ours->n - 1], reference_name, find_median(reference), target,
	       target == 0 ? "" : (met ? "met" : "NOT"), measures[what].unit);
	row = json_pack("{s:s s:s s:f s:f s:s s:f s:o s:o}", "name", name, "unit",
	                measures[what].unit, "min", ours->value[0], "median", at, "reference",
	                against, "reference_median", find_median(reference), "target",
	                target == 0 ? json_null() : json_real(target), "met",
	                target == 0 ? json_null() : json_boolean(met));
	require_success(row && json_array_append_new(rows, row) == 0 ? 0 : -ENOMEM, "row");
}

static void bench_size(json_t *rows, const struct size *size)
{
	static struct column columns[N_METHODS][N_MEASURES];
	size_t n_methods = size->rendezvous ? N_METHODS : N_METHODS - 1;

	memset(columns, 0, sizeof(columns));
	for (unsigned trial = 0; trial < size->trials; trial++) {
		for (size_t m = 0; m < n_methods; m++) {
			double values[N_MEASURES];

			measure_size(&methods[m], size, trial, values);
			for (int v = 0; v < N_MEASURES; v++)
				columns[m][v].value[columns[m][v].n++] = values[v];
		}
	}
	for (size_t m = 0; m < n_methods; m++)
		for (int v = 0; v < N_MEASURES; v++)
			qsort(columns[m][v].value, columns[m][v].n, sizeof(double), by_value);
	for (int v = 0; v < N_MEASURES; v++)
		add_row(rows, size, (enum measure)v, &columns[0][v], &columns[1][v], "maglev");
	for (int v = 0; v < N_MEASURES; v++)
		if (size->rendezvous)
			printf("  %-24s %9.3f %9.3f %9.3f\n", measures[v].name,
			       columns[2][v].value[0], find_median(&columns[2][v]),
			       columns[2][v].value[columns[2][v].n - 1]);
	if (size->rendezvous)
		printf("  (plain rendezvous: min, median, max)\n");
}

int main(void)
{
	json_t *rows = json_array();

	require_success(rows ? 0 : -ENOMEM, "rows");
	printf("%-26s %9s %9s %9s  %-10s %9s  %-8s\n", "", "min", "median", "max", "reference",
	       "median", "target");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct size size = sizes[i];

		if (!size.n_slots)
			size.n_slots = model_pool_slots((uint32_t)size.n_backends);
		bench_size(rows, &size);
	}
	mkdir("build", 0755);
	mkdir("build/bench", 0755);
	require_success(json_dump_file(rows, OUTPUT, JSON_INDENT(1)), "writing " OUTPUT);
	json_decref(rows);
	printf("written: %s\n", OUTPUT);
	return 0;
}
