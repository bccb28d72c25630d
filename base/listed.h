/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Names in a sentence, "fra, lon and 3 more": whole ones, as many as there is room for. Pure
 * functions: any thread may call them.
 */
#ifndef WEIR_BASE_LISTED_H
#define WEIR_BASE_LISTED_H

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/** Bytes that the number of those left out may take, with its NUL. */
#define LISTED_MORE_MAX 32u

struct listed_names {
	char *text; /**< borrowed, of @p room bytes, at least LISTED_MORE_MAX; begins as "" */
	size_t room, at;
	size_t n, n_more; /**< names; those that had no room */
};

static inline void listed_add(struct listed_names *l, const char *name)
{
	const char *before = l->at ? ", " : "";

	l->n++;
	if (l->at + strlen(before) + strlen(name) + LISTED_MORE_MAX > l->room)
		l->n_more++;
	else
		l->at += (size_t)snprintf(l->text + l->at, l->room - l->at, "%s%s", before, name);
}

/** Say how many had no room. @return the text */
static inline const char *listed_end(struct listed_names *l)
{
	if (l->n_more)
		snprintf(l->text + l->at, l->room - l->at, "%s%zu more", l->at ? " and " : "",
		         l->n_more);
	return l->text;
}

#endif
