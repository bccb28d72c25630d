/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Tables of an answer, for people: their columns once, for the page (mgmt/api/page.c) and for a terminal. A new row of
 * the status is shown by a column here. Implemented in mgmt/json/listing.c. Any thread.
 */
#ifndef WEIR_MGMT_JSON_LISTING_H
#define WEIR_MGMT_JSON_LISTING_H

#include <jansson.h>
#include <stddef.h>

/** How a cell looks. */
enum listing_look {
	LISTING_TEXT = 0,
	LISTING_STATE =
	        1, /**< with a shape and a colour on the page; "?" on a terminal where there is none */
	LISTING_KNOWN = 2, /**< a dash where nothing is known */
};

#define LISTING_LAST 1000 /**< the width of the last column on a terminal: as long as it is */

/** A column; the last one is followed by one without a heading. */
struct listing_column {
	const char *heading, *cell; /**< as mgmt/json/row.h */
	int look;
	int width; /**< on a terminal, as printf's, or LISTING_LAST; 0: on the page alone */
};

/** Services, and backends of a status, that the page shows: a browser loads it every two seconds. */
#define LISTING_PAGE_ROWS_MAX 200u

/** A table, by paths into an answer, of which "" is all. */
struct listing_table {
	const char *title; /**< NULL: it is all of the answer, and for a terminal alone */
	const char *list;
	const char *inner; /**< in each of the list, whose rows are shown; NULL: the list's own */
	const char *needs; /**< without it the table is left out; NULL: never */
	const struct listing_column *columns;

	/* on the page */
	size_t page_most;   /**< of the list; 0: all */
	const char *counts; /**< has {all} of a list that was cut; NULL: it is whole */
	const char *chosen; /**< which of them are shown, {shown}; NULL: the first */
	const char *first;  /**< has a row of its own before the others; NULL: nothing */

	/* on a terminal */
	size_t most;      /**< rows; 0: all */
	const char *only; /**< a row is shown if this template comes to something; NULL: always */
	const char *of;   /**< how many there would be; NULL: those that there are */
	const char *command; /**< the command that shows all rows; NULL: the same one with --json */
};

/** Print it on standard output, without a line where it has no rows; those of @p answer that it does not show are counted. */
void listing_print(const struct listing_table *t, const json_t *answer);

/** An override's target as commands take it, "backend web/b1", and until when it is there: its operation's end, if it has one. */
#define LISTING_TARGET                                                                             \
	"[node {target.node}|site {target.site}[, service {target.service}][, clients {clients}]"  \
	"|backend {target.pool|}/{target.backend|}]"
#define LISTING_UNTIL                                                                              \
	"[{?operation}[{operation_until}|{?operation_until=null}never|(not known)]|{until|never}]"

/** Of a status. */
extern const struct listing_table listing_sites, listing_overrides, listing_services,
        listing_backends, listing_pools, listing_processes, listing_announcements, listing_sessions,
        listing_peers;

#endif
