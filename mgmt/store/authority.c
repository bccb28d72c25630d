/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who says which version is in force here, and which that is.
 *
 *   records of versions   shares   they are in the copy   the version here   who says it
 *   there                 yes      yes                    any, or none       the store
 *   there                 no       yes                    any, or none       this node, by its copy
 *   there                 no       no                     any                this node, by what it recalled of the last document
 *   none                  any                             its own file       that file
 *   none                  any                             another one        the last document; without one, what was stored last
 *   none                  any                             none               nobody
 */
#include "mgmt/store/history.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/bootstrap.h"

const struct version *intent_head(const struct intent *in)
{
	return in->n_recent ? &in->recent[in->n_recent - 1].version : NULL;
}

int64_t intent_head_since_ms(const struct intent *in)
{
	const struct recent *r = &in->recent[in->n_recent - 1];

	return r->since_ms ? r->since_ms : r->version.effective_ms;
}

enum authority authority_of(const struct intent *in)
{
	const struct version *head = intent_head(in);

	if (history_head(in->history))
		return in->shares          ? AUTHORITY_STORE
		       : in->lacks_records ? AUTHORITY_RECALLED
		                           : AUTHORITY_ALONE;
	return !head                       ? AUTHORITY_NONE
	       : join_is_provisional(head) ? AUTHORITY_FILE
	                                   : AUTHORITY_DOCUMENT;
}

bool authority_has_records(const struct intent *in)
{
	return authority_of(in) >= AUTHORITY_RECALLED;
}

bool authority_is_here(const struct intent *in)
{
	return !in->shares && in->n_recent && !join_has_peers(in->recent[in->n_recent - 1].model);
}

void authority_set_here(const struct intent *in, const struct model *m)
{
	if (m && m->self)
		history_set_here(in->history, in->node, m->self->site->name);
}

const struct version *authority_chosen(const struct intent *in)
{
	struct pending_clock clock;

	pending_clock_read(&clock);
	return history_in_force(in->history, clock.now_ms);
}
