/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Frames that drivers did not take: what the tracepoints' programs (bpf/not_sent.bpf.c) and the
 * process share, one map that is mapped into memory.
 *
 * The kernel counts in it while the process is gone, since map and links are pinned below the
 * driver's directory. Frames are counted by the port that they were to leave by.
 */
#ifndef WEIR_BPF_NOT_SENT_H
#define WEIR_BPF_NOT_SENT_H

#include <linux/types.h>

#define NOT_SENT_PORTS_MAX    16u
#define NOT_SENT_PROGRAMS_MAX 4u
#define NOT_SENT_NAME_MAX     16u
#define NOT_SENT_LAYOUT       1u

/** The step at which a frame was lost. */
enum not_sent_step {
	NOT_SENT_REFUSED = 1, /**< the driver refused a frame of XDP_TX, and says no error */
	NOT_SENT_BULK,        /**< of some that were sent together, the driver took less */
	NOT_SENT_REDIRECT,    /**< the kernel cannot send by this interface */
};

/** Of one port, by its name: an interface that is made again goes on where it was. */
struct not_sent_port {
	__u32 ifindex; /**< 0: it is no port now */
	__s32 err;     /**< -errno of the last loss; 0: the driver says none, as for a full ring */
	__u32 step;    /**< enum not_sent_step of the last loss; 0: there was none */
	__u32 left_nothing; /**< 1: nothing left by it when the process last looked; kept for the next */
	__u64 frames;       /**< never less, while the row is the port's */
	__u64 tries_left, tries_lost; /**< frames of our own that try the port; not in `frames` */
	/** Redirected frames of anybody that the driver did not take: its statistics have them, too. */
	__u64 redirected;
	/* The process's alone: the driver's statistics (bpf/xdp_statistics.c). */
	__u64 stat_seen, redirected_seen; /**< when they were last read */
	__s64 stat_due; /**< what is still to be added to `frames`; below 0: it came too early */
	char name[NOT_SENT_NAME_MAX]; /**< "": a free row */
};

struct not_sent_state {
	__u32 layout;     /**< NOT_SENT_LAYOUT */
	__u32 generation; /**< of the programs that count */
	/** Ids of the forwarding programs, the newest first. */
	__u32 programs[NOT_SENT_PROGRAMS_MAX];
	__u32 tried; /**< ifindex of the port that the next frame of our own leaves by */
	__u32 reserved;
	__u64 in_tables; /**< frames that the tables count as `not_sent` already */
	struct not_sent_port ports[NOT_SENT_PORTS_MAX];
	struct not_sent_port other; /**< of ports that have left, and of interfaces that are none */
};

#endif
