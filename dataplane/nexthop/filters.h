/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Changes of tc: queueing disciplines and filters that anybody added, removed or replaced. This
 * module says only that something changed; the caller reads what is there now. Implemented in
 * nexthop/filters.c; the loop's thread calls it.
 */
#ifndef WEIR_DATAPLANE_NEXTHOP_FILTERS_H
#define WEIR_DATAPLANE_NEXTHOP_FILTERS_H

#include "base/checked.h"

struct filters;
struct loop;

/** tc may have changed; several changes of one moment are one call. */
typedef void filters_changed(void *arg);

/** Hear of tc. @return 0 and @p out, to be given to filters_close(); or -errno */
int filters_open(struct loop *l, filters_changed *changed, void *arg,
                 struct filters **out) MUST_CHECK;
/** NULL is fine. */
void filters_close(struct filters *f);

#endif
