/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The believed time of a node, shared by its processes.
 *
 * weir-mgmt decides which time is believed, because it alone hears the peers (mgmt/peers/timekeep.h),
 * and publishes it on the page RUN/clock. So all processes of a node have one time. While weir-mgmt
 * is silent, the others carry their time on by elapsed time; a process that starts then begins from
 * the page. Without a page of this boot a process decides alone, by whether the kernel says that
 * its clock is synchronised, and by a time that it knows to have passed (believed_not_before()).
 *
 * Implemented in base/believed.c. Each process's main loop thread follows; weir-mgmt's main loop
 * thread publishes (mgmt/peers/timekeep.c).
 */
#ifndef WEIR_BASE_BELIEVED_H
#define WEIR_BASE_BELIEVED_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/wall_clock.h"

#define BELIEVED_PAGE_KIND   "clock"
#define BELIEVED_PAGE_LAYOUT 1u /**< rises when struct believed_page changes */
#define BELIEVED_PAGE        "clock"
/** A page whose writer showed no sign of life for this time is not followed. */
#define BELIEVED_STALE_MS 3000u

struct page;

/** The page's payload: words that are read and written whole. */
struct believed_page {
	int64_t offset_ms; /**< believed time less boot clock */
	uint64_t boot;     /**< clock_boot() of the writer; 0: nothing was written yet */
	uint64_t confirmed;
	uint64_t booted;
	int64_t off_by_ms; /**< the kernel's clock less the believed time, while it is not followed */
};

/** Zeroed at the start; one a process, used by one thread. */
struct believed {
	struct wall_clock wall_clock;
	struct page *page;
	uint64_t boot;
	bool heard;       /**< a page of this boot was followed once */
	int64_t least_ms; /**< of believed_not_before() */
};

/**
 * Follow the node's clock: to be called at least every second by a process's main loop. Sets
 * clock_believed_ms().
 *
 * @return the believed time
 */
int64_t believed_tick(struct believed *b, const char *run_dir);
/** The same with the clocks passed in; does not set clock_believed_ms(). */
int64_t believed_step(struct believed *b, const char *run_dir, const struct wall_clock_now *now);
/**
 * The node believed @p at_ms once, so it is not before that now. Counts until a page of this boot was followed: if an
 * earlier time is believed, it goes on from @p at_ms, as after a boot, until the kernel's clock is confirmed. After the
 * first tick; the same @p at_ms counts once, and none after CLOCK_END_MS, such as "never".
 */
void believed_not_before(struct believed *b, int64_t at_ms);
void believed_close(struct believed *b);
/** For a command: clock_believed_ms() as it is on the node of @p run_dir now. */
void believed_once(const char *run_dir);

/** Writer: publish @p w on the payload of its page. */
void believed_publish(struct believed_page *p, const struct wall_clock *w, uint64_t boot);
/** Begin @p w by what a page says. @return whether it is of this boot */
bool believed_begin(const struct believed_page *p, uint64_t boot, uint64_t mono_ms,
                    struct wall_clock *w);

#endif
