/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The codes by which the API refuses (RFC 9457), the only list of them: the description of the API names them by status,
 * docs/api.md prints them, the command line says what to do. tests/check/check_problems.py holds the sources against it.
 *
 * Implemented in mgmt/json/problem.c. Any thread.
 */
#ifndef WEIR_MGMT_JSON_PROBLEM_H
#define WEIR_MGMT_JSON_PROBLEM_H

#include <stddef.h>

/** Which requests a problem may answer. */
enum problem_scope {
	PROBLEM_ANY,     /**< any route */
	PROBLEM_NOWHERE, /**< what is no route, or no method of one */
	PROBLEM_BODY,    /**< those with a body */
	PROBLEM_CHANGE,  /**< those that change something */
	PROBLEM_PEER,    /**< those between nodes */
};

struct problem {
	const char *code;
	const char *statuses; /**< by ", " */
	enum problem_scope scope;
	const char *means; /**< for the document; "" where the code says it */
	const char *cure;  /**< what a person can do; NULL: the detail says it */
};
extern const struct problem problems[];
extern const size_t problems_n;

/** What a person can do about @p code. @return NULL: its detail says it, or there is no such code */
const char *problem_cure(const char *code);

#endif
