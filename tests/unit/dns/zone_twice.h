/* SPDX-License-Identifier: BSD-2-Clause */
/** @file Zones compiled twice: with what the compiler reads itself, and by ldns alone. */
#ifndef WEIR_TESTS_ZONE_TWICE_H
#define WEIR_TESTS_ZONE_TWICE_H

#include "dns/zone/zone.h"

/** What is compiled, to be printed before an abort; may be NULL. */
extern const char *zone_twice_text;

/** As zone_compile(). Aborts unless ldns alone gives the same result, as many reports and the same image. */
int zone_compile_twice(const struct zone_input *in, zones_report *report, void *arg,
                       struct image **out);

#endif
