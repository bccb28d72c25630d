/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A whole process of weir-dataplane with the DPDK driver that is told what the node of stage.h is
 * told: documents by a file, verdicts by a health page, next hops by the kernel, the time by its
 * clocks (clock.c), frames by a TAP that it drives as its NIC. What it sends, what it passes to the
 * kernel and its tables, which are mapped, are read.
 *
 * dpdk_diff.py makes the namespace around both.
 */
#ifndef WEIR_TESTS_DIFF_DPDK_H
#define WEIR_TESTS_DIFF_DPDK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DPDK_CLOCK "WEIR_DIFF_CLOCK" /**< in the environment: path of struct dpdk_clock */
#define DPDK_INTERFACE                                                                             \
	"in"           /**< the port's TAP, there before the process, with its MAC and addresses */
#define DPDK_NIC "nic" /**< what it drives as a NIC: the frames' way in and out */
#define DPDK_MAC "02:aa:00:00:00:01"
#define DPDK_FRAME_MIN                                                                             \
	20u /**< the kernel's wires carry none without a tag's header, or what would be one */

/** What the process takes for the time; it stands still otherwise. */
struct dpdk_clock {
	uint64_t mono_ms, wall_clock_ms; /**< atomic */
	uint64_t packets_ms; /**< atomic: what a worker was told last; it asks now and then */
};

struct addr;
struct fwd_packet;
struct fwd_verdict;
struct health_page;
struct model;
struct compiler_time;
struct dpdk;
struct world;

/** One frame, as it came in and as it is to go out. */
struct dpdk_frame {
	const uint8_t *in, *out;
	size_t in_len, out_len;
	int reason; /**< enum fwd_reason */
};

/**
 * Make what a process needs in @p dir, where conf/, state/, run/ and bpf/ are; none runs yet.
 *
 * @param program  weir-dataplane
 * @param preload  clock.c
 */
struct dpdk *dpdk_open(const char *dir, const char *program, const char *preload);
/** Ask it to end and see that it does so in good order. @return whether it did */
bool dpdk_close(struct dpdk *t);

/** Start it, by the document there is, and wait until it drives its port. */
void dpdk_start(struct dpdk *t);
/** End it as a crash does. */
void dpdk_kill(struct dpdk *t);

/** The interface's index. */
uint32_t dpdk_ifindex(const struct dpdk *t);
/** The health page; its entries are the caller's to write. */
struct health_page *dpdk_health(const struct dpdk *t);
/** The health page has news; it has taken them afterwards. */
void dpdk_verdicts(struct dpdk *t);
/** Absolute path of the cluster's key. */
const char *dpdk_key_file(const struct dpdk *t);
/** Give it a document; if it runs, that is in force afterwards. */
void dpdk_document(struct dpdk *t, const struct model *m);
/** The kernel's neighbour @p address has this MAC from now on. */
void dpdk_neighbour(const struct addr *address, const uint8_t mac[6]);
/** Set its clocks; once it runs, return when it has seen them. */
void dpdk_set_time(struct dpdk *t, const struct compiler_time *time);

/** Ask its control socket. @return its answer, from malloc() */
char *dpdk_ask(const struct dpdk *t, const char *line);
/** Whether the frame is to be sent and the device cannot: it is too long. */
bool dpdk_is_too_long(const struct dpdk_frame *f);
/**
 * Give it frames, at most 64, and say what is wrong with what it sends. @return NULL if nothing
 * is
 */
const char *dpdk_forward(struct dpdk *t, const struct dpdk_frame *frames, uint32_t n);
/** The same of what it gives to the kernel; its tables agree, so all is counted. */
const char *dpdk_passed(struct dpdk *t, const struct dpdk_frame *frames, uint32_t n);
/**
 * The first table in which it differs from @p w, but for which CPU counted, or NULL. Waits until
 * it agrees.
 */
const char *dpdk_difference(struct dpdk *t, const struct world *w);

#endif
