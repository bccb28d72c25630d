/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checker: sends probes when they are due, turns results into votes and votes into words on
 * the health page. Loop's thread only.
 *
 * A round is one probe of one target: an attempt, and a second one at half of the timeout if the
 * first is unanswered (so that one lost packet is no failure). The first answer decides. What
 * silence says depends:
 *
 *   the round began or ended late (a busy checker)        nothing: inconclusive; but a success is one
 *                                                         if nothing is known of the target yet
 *   no socket, no route, too many attempts                nothing: inconclusive
 *   through the tunnel, and the path was not in place     nothing: inconclusive
 *   it would not turn the verdict                         a failure
 *   controls answer what they were asked beside the last  a failure
 *   attempt that would turn it, and miss nothing since
 *   they do so within CONTROL_TIMEOUT_MS after the round  a failure
 *   they do not, or only what they were asked later       nothing: inconclusive
 *   no control outside is configured, and all else fails  nothing: inconclusive
 *
 * Refused, reset and wrong answers are answers: they count at once, whatever the controls say.
 * Failures of a default check that has never succeeded here count for nothing. Likewise those of one
 * of a tunnel's paths that has never worked at a backend, while another path of it is good.
 *
 * A round of a target of an external check is one look at what programs say of it: up is a success, down a failure. It is
 * an answer, which no control need witness, and none that says anything of the network. If nothing is said, or that is
 * over, the target is unknown at once; if what is said is not known here, its verdict stays, and is inconclusive.
 */
#ifndef HEALTHCHECK_CHECKER_H
#define HEALTHCHECK_CHECKER_H

#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

#include "healthcheck/attempt.h"
#include "healthcheck/control.h"
#include "healthcheck/external.h"
#include "healthcheck/gate.h"
#include "healthcheck/target.h"
#include "healthcheck/vips.h"

struct page;
struct stats;

/* Counters in the stats page. */
#define CHECKER_TIMES 13 /* buckets of the histogram of probe times, the last without a limit */

struct checker_counters {
	uint64_t *times[CHECKER_TIMES], *times_ms, *n_times;
	uint64_t *results[HEALTH_REASON_COUNT];
	uint64_t *probes, *attempts, *late, *unready, *uncontrolled, *turned_down, *turned_up;
	uint64_t *targets, *down, *n_unproven, *lateness_ms, *n_external, *n_unsaid;
};

/* Find or make each counter on the stats page. In counters.c, as the next one. */
void checker_find_counters(struct checker_counters *w, struct stats *s);
/* Count a probe that took @p took_ms. */
void checker_count_time(const struct checker_counters *w, uint64_t took_ms);

/* The targets of one site that have a vote. */
struct site_votes {
	uint32_t n, n_failing;
};

struct checker {
	struct loop *loop;
	struct page *page; /* kind HEALTH_PAGE_KIND */
	struct prober prober;
	struct controls *controls;
	struct targets *targets;   /* NULL before the first document */
	struct site_votes *groups; /* by model_site.index */
	struct vips vips; /* what is known of VIPs; read by the owner before the first document */
	struct loop_timer derive_timer;
	struct checker_counters counters;
	uint64_t random;
	struct gate gate; /* of probes through tunnels */
	struct external_source external;
	bool changed; /* a state turned since it was last saved */
	uint64_t n_asking;
};

/*
 * Prepare @p c on given memory; @p stats may be NULL (nothing is counted then).
 * @return 0 or -errno
 */
MUST_CHECK int checker_open(struct checker *c, struct loop *loop, struct page *page,
                            struct stats *stats);
void checker_close(struct checker *c);

/* Words to start from where the page has none, sorted by target. */
struct saved_word {
	uint64_t target; /* first: sorted by it */
	health_word word;
	double penalty;  /* of struct damp */
	uint64_t age_ms; /* of the penalty */
	/* target_path_digest() of those that have worked, and of those that lack (one bit each) */
	uint32_t paths[PROBE_PATHS_MAX];
	uint16_t n_paths, lacks;
};

/*
 * Take @p model (owned from now on) in place of the present one. A target that stays keeps its
 * verdict and its next probe, and the round that is under way if the check asks the same; a new one
 * starts from the page's word, else from @p saved, else as unknown.
 * @return 0, or -errno with the old one in force
 */
MUST_CHECK int checker_apply_model(struct checker *c, struct model *model,
                                   const struct saved_word *saved, size_t n_saved);
/*
 * The VIP of @p t has been seen up, here at @p port, or by another node (0): it is no news any
 * more.
 */
void checker_note_vip(struct checker *c, const struct target *t, uint16_t port);
/* Probe @p t as soon as possible. */
void checker_probe_now(struct checker *c, struct target *t);

/* --- command.c --- */

/*
 * The control line: what weir-health answers on its control socket.
 *
 *     {"do":"list"}                              every target: the verdict, the last result, and why
 *     {"do":"list","pool":P}                     those of one pool
 *     {"do":"check","pool":P,"backend":B}        probe it now; the answer is its present row
 *     {"do":"check","service":S,"site":T}        likewise, the VIPs of another site
 *
 * Answers are {"ok":true,...} or {"ok":false,"error":"..."}.
 * @return one line from malloc(), given; NULL when out of memory
 */
char *command_answer(struct checker *c, const char *line, size_t length);

/* --- conditions.c: what is wrong with the checks (weir/condition.h) --- */

/* State them within a round. @p t NULL: no document yet. */
void conditions_of_vips(const struct targets *t, struct stats *to);
/*
 * The same for targets that are silent while the controls are silent too, or that this node cannot
 * check at all. A pool of which all backends are so is left to weir-mgmt.
 */
void conditions_of_unheard(const struct targets *t, uint64_t now_ms, struct stats *to);

/* The same for VIPs and ports that backends which are up have never answered at. */
void conditions_of_paths(const struct targets *t, struct stats *to);

/* --- others.c: what other nodes observe (weir/peer_page.h) --- */

/* Search the other nodes' pages for new VIPs that a node outside their site has seen up. */
void others_search(struct checker *c, const char *run_dir);

#endif
