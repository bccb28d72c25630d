/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A node (dataplane/tables/compiler.h) on the native side's tables, and what is done to it between packets: documents
 * with members added, drained, brought back, removed and of other weights, backends disabled by a person,
 * deaths and returns by checks, other next hops, ends of the process and its returns, and time.
 * Where there is a process (dpdk.h) it is told the same, and must have the same tables.
 */
#ifndef WEIR_TESTS_DIFF_STAGE_H
#define WEIR_TESTS_DIFF_STAGE_H

#include "dataplane/tables/compiler.h"
#include "diff/compare.h"

#define STAGE_POOLS    4u /**< GUE with agents and without, layer 2, IPIP */
#define STAGE_BACKENDS 6u /**< of a pool, members or not */
/** Places for exceptions: few, so that they run out. */
#define STAGE_EXCEPTIONS 32u

enum stage_change {
	STAGE_MEMBERS,
	STAGE_DEATH,
	STAGE_DISABLED,
	STAGE_HOP,
	STAGE_RESTART,
	STAGE_CHANGES,
};

struct stage;

/** A node with its first document in force, on tables that it opens. */
struct stage *stage_open(struct diff *d);
/** Do one thing to it, if it can be done now. Both sides have the same tables afterwards. */
void stage_change(struct stage *s, enum stage_change what);
/** Any backend's address. @return whether it is reached by GUE */
bool stage_backend(const struct stage *s, struct random *r, struct addr *out);
/** Let @p ms go by. The same. */
void stage_pass_time(struct stage *s, uint32_t ms);
/** Print what came to pass, and close the tables. */
void stage_close(struct stage *s);

#endif
