/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The ramps of sites' drains as this node follows them: which instant of its schedule is in force
 * for each. Pure, but for the reading of what was kept.
 *
 * - By its schedule, as long as nothing holds it; so all nodes agree.
 * - While the wall clock cannot be trusted no level moves, and none begins to.
 * - A return neither begins nor goes on while the site is not up as seen from outside:
 *   *expired, held*. What takes no time (a drain without a ramp) is not held by the clock.
 * - A ramp that was held goes on from where it stood, not faster than it was asked for.
 */
#ifndef WEIR_DNS_RAMPS_H
#define WEIR_DNS_RAMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/model.h"
#include "weir/ramp.h"

/** What one step sees. */
struct ramps_now {
	int64_t wall_ms;
	int64_t passed_ms; /**< how far a ramp may go */
	bool clock_held;
	bool site_up; /**< as seen from outside */
};

/** The next instant of @p o's schedule after @p was, which may be that again. */
struct ramp_record ramps_step(const struct model_override *o, const struct ramp_record *was,
                              const struct ramps_now *now);

struct ramps {
	size_t n;
	struct ramp_record *items, *next; /**< RAMP_RECORDS_MAX each, sorted by id */
	bool restored;                    /**< these are from the file: nothing was stepped yet */
	bool changed;                     /**< what is kept is to be written again */
	int64_t wall_ms;                  /**< of the last step */
	uint64_t stepped_ms;              /**< monotonic: when that changed */
	uint64_t kept_ms;                 /**< monotonic: when `changed` was set */
};

/** Whether a site is up as seen from outside. */
typedef bool ramps_is_up(void *arg, const struct model_site *site);

/** Where all ramps go to. */
struct ramps_step_input {
	const struct model *model;
	int64_t wall_ms;
	uint64_t now_ms;
	bool clock_held;
	ramps_is_up *is_up;
	void *arg;
};

/** Take over what was kept below @p state_dir, if there is any. @return 0, -ENOMEM, or why what was kept is not taken */
int ramps_open(struct ramps *r, const char *state_dir);
void ramps_close(struct ramps *r);
/** Forget those that go by their schedule, so that any time may be asked about. */
void ramps_only_held(struct ramps *r);
/** Step all drains of sites that the model has. */
void ramps_step_all(struct ramps *r, const struct ramps_step_input *in);
/** The instant in force for @p o; the wall time where nothing else is known. @p r may be NULL. */
int64_t ramps_time(const struct ramps *r, const struct model_override *o, int64_t wall_ms);
/** How the ramp of @p o goes; RAMP_FREE where nothing else is known. @p r may be NULL. */
enum ramp_how ramps_how(const struct ramps *r, const struct model_override *o);
/** How many are held for a reason. */
size_t ramps_held(const struct ramps *r, enum ramp_how how);

#endif
