/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What a list of system calls consists of. A list is a chain of groups; the first rule for a number counts.
 *
 * Implemented in base/sandbox_lists.c; included by base/sandbox.c as well. Constant data: any
 * thread may read it.
 */
#ifndef WEIR_BASE_SANDBOX_INTERNAL_H
#define WEIR_BASE_SANDBOX_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#define SANDBOX_VALUES_MAX 8u /**< values that an argument is compared with */

/** What a rule requires of a call. */
enum sandbox_rule_kind {
	SANDBOX_ALLOW,   /**< nothing: it is allowed */
	SANDBOX_ONE_OF,  /**< its argument, masked, is one of the values */
	SANDBOX_NONE_OF, /**< its argument, masked, is none of the values */
	SANDBOX_OWN_PID, /**< its argument is this process */
	SANDBOX_THESE_BITS, /**< its argument, masked, is the value; if not, it fails with @p error, uncounted */
	SANDBOX_NOT_HERE, /**< it fails with @p error, uncounted */
};

/** One call. */
struct sandbox_rule {
	int call; /**< its number (SCMP_SYS()); negative: this machine does not have it */
	enum sandbox_rule_kind kind;
	unsigned argument; /**< 0 is the first; its lower 32 bits count */
	unsigned zero;     /**< another argument, which must be 0 as well; 0: none */
	uint32_t mask;     /**< 0: all bits */
	size_t n_values;
	uint32_t values[SANDBOX_VALUES_MAX];
	int error; /**< of the two kinds that name it; else EPERM, and it is counted */
};

/** Some calls that belong together. */
struct sandbox_group {
	const struct sandbox_rule *rules;
	size_t n;
};

#define SANDBOX_GROUPS_MAX 8u /**< groups of a list; EVERY_PROCESS has six */

/** What a process may do. */
struct sandbox_list {
	const char *process;
	const struct sandbox_group *groups[SANDBOX_GROUPS_MAX]; /**< up to NULL */
};

/** @return the list of weir-@p process, or NULL */
const struct sandbox_list *sandbox_list_of(const char *process);

#endif
