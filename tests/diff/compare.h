/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The shared code on equal tables three times: as the XDP program, natively frame by frame, and
 * natively by a worker's stages; and, where there is one, a whole process with the DPDK driver (dpdk.h).
 *
 * Frames are gathered to bursts of one to FWD_BURST_MAX, between which tables and time may change. The
 * XDP program has a burst's frames one by one; natively they go in turn one by one or as a burst.
 * Each frame's action and bytes, and all tables after the burst, must be equal. Of the process, those
 * tables that its own node made.
 */
#ifndef WEIR_TESTS_DIFF_COMPARE_H
#define WEIR_TESTS_DIFF_COMPARE_H

#include "diff/generate.h"
#include "fwd/world.h"

struct dpdk;

#define DIFF_BURST_MAX  64u
#define DIFF_MANY       500000u /**< frames from which on all that can be met must be */
#define DIFF_LOOPBACK   1u      /**< where BPF_PROG_TEST_RUN's frames come in */
#define DIFF_OTHER_PORT 7u

/** world_forward(), world_forward_long(), world_forward_burst(): of this program or of another object. */
typedef enum fwd_reason diff_forward_fn(struct world *, struct fwd_packet *, uint32_t,
                                        struct fwd_verdict *);
typedef void diff_burst_fn(struct world *, struct fwd_packet *, uint32_t, uint32_t,
                           struct fwd_verdict *);

/** How a burst goes natively. */
enum diff_delivery { DIFF_ONE_BY_ONE, DIFF_LONG, DIFF_BURST };

/** Both sides and the score. */
struct diff {
	struct world native, xdp;
	struct dpdk *dpdk; /**< or NULL */
	diff_forward_fn *forward, *forward_long;
	diff_burst_fn *burst;
	struct random random;
	uint32_t now_s;
	uint32_t tick_carry; /**< what the ticks since boot add to the time that is asked for */
	unsigned long passed, failed;
	unsigned long n_too_long; /**< frames that the process was to send and its device cannot */
	unsigned long offered;    /**< frames; those of the burst that is being gathered, too */
	unsigned long before;     /**< frames compared on earlier tables */
	bool stop_at_first;

	struct frame pending[DIFF_BURST_MAX];
	uint32_t n_pending, enough; /**< frames gathered, and how many make a burst */
	enum diff_delivery way;     /**< of the next burst */
	struct fwd_verdict last;    /**< the native one of the last frame compared */
};

/** Make both sides empty tables, and stay on one CPU; ends the program when it cannot. */
void diff_open(struct diff *d, const struct driver_sizes *sizes);
/** Compare what is left, and that received packets are those sent, passed and dropped. Then free the tables. */
void diff_close(struct diff *d);
/** Take the native side from the shared object at @p path, and end at the first difference. */
void diff_load(struct diff *d, const char *path);

/** The next frame. */
void diff_frame(struct diff *d, const struct frame *f);
/** A frame by itself, compared at once. */
void diff_alone(struct diff *d, const struct frame *f);
/** Compare what was gathered. To be called before tables are changed. */
void diff_flush(struct diff *d);
/** The native side's tables were changed: the other has the same from now on. */
void diff_share(struct diff *d);
/** See that the process has the native side's tables; ends the program if it has not. */
void diff_check_dpdk(struct diff *d);
/** Set the time of both sides. */
void diff_set_time(struct diff *d, uint32_t now_s);
/** Put a frame through the XDP program alone. */
void diff_run_xdp(struct diff *d, const struct frame *f);

/** The verifier's and the program's size: to be watched, not to fail. */
void diff_print_size(const struct diff *d);
/** A reason's name. */
const char *diff_reason_label(enum fwd_reason reason);
/** Frames that never meet a reason prove nothing about it: each is a failure. */
void diff_check_reasons(struct diff *d);
/** The same of what owners meet. */
void diff_check_events(struct diff *d);

#endif
