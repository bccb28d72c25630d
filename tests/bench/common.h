/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What benches in C share: their tables, one CPU, and rows.
 */
#ifndef WEIR_TESTS_BENCH_COMMON_H
#define WEIR_TESTS_BENCH_COMMON_H

#include <jansson.h>

#include "fwd/world.h"

#define BENCH_BACKENDS 1000u
#define BENCH_VIP4     "192.0.2.80"
#define BENCH_VIP6     "2001:db8:80::80"

/** Sources, the VIPs, and pool 0 of 2^log2 slots over BENCH_BACKENDS backends. */
void bench_fill(struct world *w, enum fwd_encap_mode encap, bool outer6, unsigned int log2);
/** Every @p nth slot in the middle of a change, and the exceptions half full of other flows. */
void bench_unsettle(struct world *w, uint32_t nth);
/** Remember an IPv4 flow, where its bucket has room. */
void bench_remember(struct world *w, const struct fwd_tuple *flow);

/** Stay on @p cpu, before all others; says so where that is not allowed. Ends the program if it cannot stay. */
void bench_pin(int cpu);

/** Nanoseconds, or a ratio, over rounds. */
struct bench_result {
	double min, median;
};

/** Minimum and median; sorts. */
struct bench_result bench_summarise(double *values, size_t n);
/** Print the table's head: @p beside names the reference. */
void bench_head(const char *beside);
/** Print a row and add it to @p all. @param target  0: none */
void bench_row(json_t *all, const char *name, const char *unit, const struct bench_result *r,
               const char *reference, double reference_median, double target);
/** Write @p all, which is freed, to @p path; ends the program when it cannot. */
void bench_write(json_t *all, const char *path);

#endif
