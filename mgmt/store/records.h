/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Overrides and versions as records: what the store keeps and what nodes exchange (record/fields.h).
 *
 * Implemented in mgmt/store/records.c. Pure: any thread.
 */
#ifndef WEIR_MGMT_STORE_RECORDS_H
#define WEIR_MGMT_STORE_RECORDS_H

#include "record/fields.h"

/** Of struct override. Read: override_ok(). Left out: where weir-dns of this node has its ramp. */
extern const struct record_kind override_record;
/**
 * Of struct version. Read: its number is below 2^53, its digests and times are such, and its texts
 * do nothing to a terminal.
 */
extern const struct record_kind version_record;

#endif
