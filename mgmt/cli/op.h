/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations on sites: drains, shifts and returns that measure what they do (docs/api.md). Commands
 * in cmd_operation.c, waiting in op_wait.c, words for people in op_text.c, what still reaches a site in arrivals.c. One thread: the command's.
 */
#ifndef WEIR_MGMT_CLI_OP_H
#define WEIR_MGMT_CLI_OP_H

#include <stdio.h>

#include "mgmt/cli/api.h"

#define OP_LINE_MAX 640 /* bytes: where an operation is, in a line */
#define OP_LINES    20  /* of a list that is shown */

/* What a command waits for. */
enum op_goal {
	OP_STILL = 1, /* nothing moves any more */
	OP_THERE = 2, /* drained, or, of a shift, at its level */
	OP_EMPTY = 4, /* drained, and established flows are silent */
	OP_BACK = 8,  /* all clients are back */
};

/* The operation in an answer, which is it or has it. */
const json_t *op_of(const json_t *body);
/* By mgmt/json/row.h: "drain of site ams", "shift of sites ams, fra, service shop". */
#define OP_TITLE "{kind|operation} of site{sites:plural} {sites:names|?}[, service {service}]"
/* The state in words: "moving clients, step 3 of 5, 50 %". @return @p out */
const char *op_line(const json_t *o, char out[OP_LINE_MAX]);
/* What it waits for now: "the longest TTL of any answer, 23 s more"; or NULL. */
const char *op_waits_for(const json_t *o);
bool op_is_held(const json_t *o);
/* Whether the goal is reached. Not confirmed by packets counts as OP_THERE. */
bool op_has_reached(const json_t *o, enum op_goal goal);
/* Whether nothing is left to wait for: the goal is reached, or cannot be without a person. */
bool op_is_over(const json_t *o, enum op_goal goal);

/* The answer to a command on an operation, or one operation, for people. */
void op_print(const json_t *body);
/* Backup pools of an answer that are not ready, by mgmt/json/row.h. */
extern const char op_backups_text[];

/*
 * Follow operation @p id until @p goal, or until it is held or at rest. Lines go to standard error,
 * or, @p watches, to standard output, where the whole operation is printed at the end otherwise.
 * @p o: the operation as it is known so far. @return the exit status: CLI_DEGRADED: held
 */
MUST_CHECK int op_follow(const struct cli *cli, const json_t *o, enum op_goal goal, bool watches);

/* Why nothing began, where the clock may do it. */
enum op_lack {
	OP_LACKS_NOTHING, /* it began, or was refused */
	OP_LACKS_STORE,   /* nothing decides; there was a message */
	OP_LACKS_SITE,    /* it was removed, and its drain is there; there was no message */
};

/* Begin an operation by the arguments of `drain`, `undrain` or `shift`. @return the exit status */
MUST_CHECK int op_begin(struct cli *cli, const struct cli_args *args, const char *what,
                        enum op_lack *lack);

/* What still reaches a site, and what keeps it from being switched off. @return it, owned; or NULL */
json_t *arrivals_query(const struct cli *cli, const char *site);
void arrivals_print(const json_t *arrivals);

#endif
