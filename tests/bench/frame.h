/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The frame that the programs of forward.bpf.c write anew each time, but for its source.
 */
#ifndef WEIR_TESTS_BENCH_FRAME_H
#define WEIR_TESTS_BENCH_FRAME_H

#include <stdbool.h>

#include "bench/forward.h"

/** What the frame is to be. */
struct bench_frame {
	const char *to; /**< IPv4 or IPv6 address */
	uint16_t port;
	bool udp, syn;
};

/** Make @p f the frame of @p load: 64 bytes, or 82 of IPv6. @return 0, or -EINVAL: no address */
int bench_frame_make(const struct bench_frame *f, struct bench_load *load);

#endif
