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
#ifndef WEIR_TESTS_DIFF_TWIN_H
#define WEIR_TESTS_DIFF_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TWIN_CLOCK "WEIR_DIFF_CLOCK" /**< in the environment: path of struct twin_clock */
#define TWIN_INTERFACE                                                                             \
	"in"           /**< the port's TAP, there before the process, with its MAC and addresses */
#define TWIN_NIC "nic" /**< what it drives as a NIC: the frames' way in and out */
#define TWIN_MAC "02:aa:00:00:00:01"
#define TWIN_FRAME_MIN                                                                             \
	20u /**< the kernel's wires carry none without a tag's header, or what would be one */

/** What the process takes for the time; it stands still otherwise. */
struct twin_clock {
	uint64_t mono_ms, wall_clock_ms; /**< atomic */
	uint64_t packets_ms; /**< atomic: what a worker was told last; it asks now and then */
};

struct addr;
struct fwd_packet;
struct fwd_verdict;
struct health_page;
struct model;
struct compiler_time;
struct twin;
struct world;

/** One frame, as it came in and as it is to go out. */
struct twin_frame {
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
struct twin *twin_open(const char *dir, const char *program, const char *preload);
/** Ask it to end and see that it does so in good order. @return whether it did */
bool twin_close(struct twin *t);

/** Start it, by the document there is, and wait until it drives its port. */
void twin_start(struct twin *t);
/** End it as a crash does. */
void twin_kill(struct twin *t);

/** The interface's index. */
uint32_t twin_ifindex(const struct twin *t);
/** The health page; its entries are the caller's to write. */
struct health_page *twin_health(const struct twin *t);
/** The health page has news; it has taken them afterwards. */
void twin_verdicts(struct twin *t);
/** Absolute path of the cluster's key. */
const char *twin_key_file(const struct twin *t);
/** Give it a document; if it runs, that is in force afterwards. */
void twin_document(struct twin *t, const struct model *m);
/** The kernel's neighbour @p address has this MAC from now on. */
void twin_neighbour(const struct addr *address, const uint8_t mac[6]);
/** Set its clocks; once it runs, return when it has seen them. */
void twin_set_time(struct twin *t, const struct compiler_time *time);

/** Ask its control socket. @return its answer, from malloc() */
char *twin_ask(const struct twin *t, const char *line);
/**
 * Give it frames, at most 64, and say what is wrong with what it sends. @return NULL if nothing
 * is
 */
const char *twin_forward(struct twin *t, const struct twin_frame *frames, uint32_t n);
/** The same of what it gives to the kernel; its tables agree, so all is counted. */
const char *twin_passed(struct twin *t, const struct twin_frame *frames, uint32_t n);
/**
 * The first table in which it differs from @p w, but for which CPU counted, or NULL. Waits until
 * it agrees.
 */
const char *twin_difference(struct twin *t, const struct world *w);

#endif
