/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The deadline of an unconfirmed version, by the boot clock alone (CLOCK_BOOTTIME).
 *
 * A pure module: time is passed in. A record holds the boot's id, the deadline on that boot's
 * clock, and the time that was left. After a restart within the boot the deadline stays; after a
 * reboot the time that was left runs from the start. A step of the wall clock changes nothing here.
 *
 * Implemented in mgmt/store/pending.c. Pure but for pending_clock_read(); any thread may call.
 */
#ifndef WEIR_MGMT_STORE_PENDING_H
#define WEIR_MGMT_STORE_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "mgmt/files/digest.h"

#define PENDING_BOOT_MAX       40u  /**< a boot's id with its NUL */
#define PENDING_STORE_EVERY_MS 5000 /**< a reboot repeats so much of the deadline at most */
#define PENDING_LEFT_MAX_MS    ((int64_t)24 * 3600 * 1000) /**< no deadline is longer */

/** An instant on the boot clock. */
struct pending_clock {
	char boot[PENDING_BOOT_MAX]; /**< of which boot */
	int64_t now_ms;              /**< since its start */
};

/** A running deadline; number 0: there is none. */
struct pending {
	uint64_t number;
	char digest[DIGEST_TEXT_MAX]; /**< of that version */
	char boot[PENDING_BOOT_MAX];
	int64_t due_ms;   /**< on the clock of that boot */
	int64_t left_ms;  /**< as it was at @p noted_ms; what runs on after a reboot */
	int64_t noted_ms; /**< when it was stored last, on the clock of that boot; -1: not yet */
};

/** Read the boot's id and clock. */
void pending_clock_read(struct pending_clock *out);
/** Start the deadline of version (@p number, @p digest), @p left_ms from now. */
void pending_start(struct pending *p, uint64_t number, const char *digest, int64_t left_ms,
                   const struct pending_clock *clock);
/**
 * Continue with a stored deadline, maybe under another boot. A record with impossible values is not
 * believed.
 */
void pending_resume(struct pending *p, const struct pending_clock *clock);
/** Whether it is the deadline of this version. */
bool pending_is_of(const struct pending *p, uint64_t number, const char *digest);
/** The time that is left; 0 when the deadline has passed. */
int64_t pending_left_ms(const struct pending *p, const struct pending_clock *clock);

#endif
