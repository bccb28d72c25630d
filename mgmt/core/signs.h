/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Signs that clients suffer at this node, as counters, and whether they have risen: SYNs that come again, flows of which nothing
 * follows the SYN, packets that are dropped, probes and answers that fail, each as a part of a whole; and processes that start again.
 *
 * Replies do not pass a node of Weir, so it sees no reset of a backend: that is a flow of which nothing follows.
 *
 * What was not measured, or was counted by a process that has ended meanwhile, is not known: missing is never 0.
 *
 * They are read from pages in mgmt/observe/signs_look.h. Pure; implemented in mgmt/core/signs.c. Any thread.
 */
#ifndef WEIR_MGMT_CORE_SIGNS_H
#define WEIR_MGMT_CORE_SIGNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * X(id, part, whole, process that counts both, least of the whole that says something, margin in ppm: what chance makes of it,
 * whether clients make the whole)
 */
#define SIGN_ROWS(X)                                                                               \
	X(REPEATED, "repeated SYNs", "new flows", "weir-dataplane", 100, 20000, true)              \
	X(NOTHING, "flows without a second packet", "new flows", "weir-dataplane", 100, 50000,     \
	  true)                                                                                    \
	X(DROPS, "packets dropped", "packets", "weir-dataplane", 1000, 2000, true)                 \
	X(PROBES, "failed probes", "probes", "weir-health", 20, 100000, false)                     \
	X(ANSWERS, "failed answers", "answers", "weir-dns", 100, 50000, false)

#define SIGN_ID(id, ...) SIGN_##id,
enum sign { SIGN_ROWS(SIGN_ID) SIGNS };
#undef SIGN_ID

/** A counter of a part, and of what it is a part of, since their process began. */
struct sign_count {
	bool known;
	uint64_t began; /**< changes when both begin again at 0 */
	uint64_t part;  /**< may go back: a flow has a second packet after a while */
	uint64_t whole;
};

/** All of them at one time. */
struct signs {
	uint64_t at_ms; /**< monotonic; 0: none was looked at */
	struct sign_count counts[SIGNS];
};

/** Of a time between two looks. */
struct sign_rate {
	bool known;     /**< enough of the whole was seen */
	uint32_t ppm;   /**< the part of the whole */
	uint64_t whole; /**< also where it is too little */
};
struct sign_rates {
	struct sign_rate rates[SIGNS];
};

/** What is compared: this node before a change and after it, and others, which do not have it, at the same times. */
struct signs_compared {
	struct sign_rates before, after, like_before, like_after;
};

#define SIGNS_TEXT_MAX   160u
#define SIGNS_MARGIN_MAX 512u
#define SIGNS_KEPT       61u   /**< looks: five minutes */
#define SIGNS_SELDOM_MS  5000u /**< between two looks that are kept */
#define SIGNS_OFTEN_MS   1000u /**< between two looks where somebody watches */

/** The looks of the last minutes, so that there is a before. */
struct signs_kept {
	struct signs list[SIGNS_KEPT]; /**< oldest first, SIGNS_SELDOM_MS apart */
	size_t n;
	struct signs last;
	bool is_watched; /**< somebody wants them often */
};

/** What was between two looks. */
void signs_between(const struct signs *from, const struct signs *to, struct sign_rates *out);
/** Of each the higher rate. */
void signs_add_highest(struct sign_rates *most, const struct sign_rates *more);
/** The process that has started again between two looks; NULL: none is known to. */
const char *signs_restarted(const struct signs *from, const struct signs *to);
/**
 * Whether a sign has risen after the change, and not so at others: to more than twice as much and its margin.
 * @param text  out: "repeated SYNs: 3.1 % of 812 new flows, 0.2 % before, 0.1 % elsewhere"; "": none has
 */
bool signs_are_worse(const struct signs_compared *c, char text[SIGNS_TEXT_MAX]);
/** Whether clients came, before and after it, in numbers that can be compared. */
bool signs_are_comparable(const struct signs_compared *c);
/** "repeated SYNs 2 % of new flows, …": all margins. @return @p text */
const char *signs_margins(char text[SIGNS_MARGIN_MAX]);

/** Whether it is time to look. */
bool signs_are_due(const struct signs_kept *k, uint64_t now_ms);
/** Take a look. */
void signs_keep(struct signs_kept *k, const struct signs *now);
/** From the first look that is kept and was taken at @p since_ms or later until the last one. */
void signs_since(const struct signs_kept *k, uint64_t since_ms, struct sign_rates *out);
/** Of each the last ten seconds, or as much of the last minute as there is enough in. */
void signs_recent(const struct signs_kept *k, struct sign_rates *out);

#endif
