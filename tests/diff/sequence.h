/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Flows of clients, segment by segment, on tables that the node of weir-dataplane makes and changes.
 */
#ifndef WEIR_TESTS_DIFF_SEQUENCE_H
#define WEIR_TESTS_DIFF_SEQUENCE_H

#include "diff/compare.h"

/** Open new tables, and compare frames on them until @p count are offered. */
void sequences(struct diff *d, unsigned long count);

#endif
