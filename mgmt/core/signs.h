/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Signs that clients suffer at this node, as counters, and whether they have risen: SYNs that come again, flows of which nothing
 * follows the SYN, packets that are dropped or find no service, probes and answers that fail, each as a part of a whole; and processes
 * that start again.
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
 * X(id, part, whole, process that counts both, least of the whole and of the part that say something: one client alone makes fewer,
 * margin in ppm: what chance makes of it, whether new clients make the whole)
 */
#define SIGN_ROWS(X)                                                                               \
	X(REPEATED, "repeated SYNs", "new flows", "weir-dataplane", 100, 10, 20000, true)          \
	X(NOTHING, "flows without a second packet", "new flows", "weir-dataplane", 100, 10, 50000, \
	  true)                                                                                    \
	X(DROPS, "packets dropped", "packets", "weir-dataplane", 1000, 10, 2000, false)            \
	X(UNSERVED, "packets to no service", "packets", "weir-dataplane", 1000, 10, 20000, false)  \
	X(PROBES, "failed probes", "probes", "weir-health", 20, 4, 100000, false)                  \
	X(ANSWERS, "failed answers", "answers", "weir-dns", 100, 10, 50000, false)

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
	bool measured; /**< one process counted in both looks */
	bool known;    /**< and enough of the whole */
	uint32_t ppm;  /**< the part of the whole; of @p known ones */
	uint64_t part, whole;
};
struct sign_rates {
	struct sign_rate rates[SIGNS];
};

/** What is compared: this node before a change and lately, and most others, which do not have it, at the same times. */
struct signs_compared {
	struct sign_rates before, after, like_before, like_after;
};

/** What can be said of a change by its clients. */
enum signs_clients {
	SIGNS_BLIND,      /**< nothing: before it or since nothing was measured */
	SIGNS_EARLY,      /**< nothing yet: its first seconds do not count */
	SIGNS_QUIET,      /**< too few came, before it or since */
	SIGNS_COMPARABLE, /**< they came before it and since in numbers that can be compared */
};

#define SIGNS_NODES_MAX  256u
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

/**
 * What most of @p n nodes have at least, of those at which a sign is known: one that lies, or has a trouble of its own, decides nothing
 * beside two others.
 * @param of  [n], at most SIGNS_NODES_MAX
 */
void signs_of_most(const struct sign_rates *const of[], size_t n, struct sign_rates *out);
/** What a look lacks as it failed is taken from a later one. */
void signs_fill(struct signs *look, const struct signs *later);
/** The process that has started again between two looks; NULL: none is known to. */
const char *signs_restarted(const struct signs *from, const struct signs *to);
/**
 * Whether a sign has risen after the change, and not so at most others: to more than twice as much, or what is good to less than
 * half, and by more than its margin.
 * @param text  out: "repeated SYNs: 3.1 % of 812 new flows, 0.2 % before, 0.1 % elsewhere"; "": none has
 */
bool signs_are_worse(const struct signs_compared *c, char text[SIGNS_TEXT_MAX]);
/** What the two say; never SIGNS_EARLY. */
enum signs_clients signs_clients(const struct signs_compared *c);
/** "blind", "early", "quiet", "comparable". */
const char *signs_clients_text(enum signs_clients clients);
/** @return SIGNS_BLIND for any other text, and for NULL */
enum signs_clients signs_clients_parse(const char *text);
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
/** The same of the time since @p from; all of it where a minute has too little. */
void signs_after(const struct signs_kept *k, const struct signs *from, struct sign_rates *out);

#endif
