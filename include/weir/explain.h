/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What Weir answers to a DNS question, and why: the same answer code runs over the effective
 * document, the zone files (or their kept image) and the health page. It needs no running process
 * and asks none. Implemented in dns/answer/explain.c; called by the command line.
 */
#ifndef WEIR_EXPLAIN_H
#define WEIR_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct proc_dirs;

struct explain_request {
	const char *name;   /**< in text */
	const char *type;   /**< "A", "aaaa", "TYPE65", ... */
	struct addr client; /**< who asks: the resolver's address */
	bool has_subnet;
	struct prefix subnet; /**< EDNS client subnet sent along (RFC 7871) */
	bool tcp;
	int64_t wall_clock_ms; /**< the time to answer for; drains are taken as they stand then */
};

/** One step, or one fact of it. */
struct explain_step {
	/** a fixed word: "zone", "node", "key", "site", "class", "chosen", "ttl", ... */
	const char *what;
	char *text;
};

struct explanation {
	const char *rcode; /**< "NOERROR", ...; "DROP" for no answer */
	bool authoritative, truncated;
	size_t n_steps;
	struct explain_step *steps;
	size_t n_records;
	char **records; /**< the answer's records, "section owner ttl class type data" */
	size_t n_errors;
	char **errors; /**< errors of the document or its zones; with any, the rest may be empty */
};

/**
 * Explain one question.
 * @param out given; free with explain_free(). Also on -EINVAL, with the errors in it
 * @return 0; -EINVAL (no such name or type: one error says so; or document or zones are refused);
 *         -ENOENT without a document; or -errno
 */
int explain_dns(const struct proc_dirs *dirs, const struct explain_request *request,
                struct explanation **out);
/** NULL is fine. */
void explain_free(struct explanation *e);

#endif
