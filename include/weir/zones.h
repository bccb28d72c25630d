/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What is wrong with a configuration's zone files, as weir-dns would find it: they are
 * compiled by its own code and the result is thrown away.
 */
#ifndef WEIR_ZONES_H
#define WEIR_ZONES_H

struct model;

/** Told once for each mistake; @p line 0: the file as a whole; all borrowed for the call. */
typedef void zones_report(void *arg, const char *file, unsigned line, const char *message);

/**
 * Compile the zones of @p m together with its dynamic names. Takes as long as the zones are large.
 * @return 0, -EINVAL after one report or more, or -ENOMEM
 */
int zones_check(const struct model *m, zones_report *report, void *arg);

#endif
