/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table in mgmt/store/yield.h is the decision. A head that loses is moved to the lost versions
 * in one transaction, then the recent versions are loaded again. If the versions before it cannot
 * be read, the head is put back and stays.
 */
#include "mgmt/store/yield.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "mgmt/store/intent_internal.h"

static bool equals_version(const struct version *a, const struct version *b)
{
	return a->number == b->number && !strcmp(a->digest, b->digest);
}

bool yield_is_untold(const struct intent *in)
{
	const struct version *head = intent_head(in);

	return head && in->untold != 0 && in->untold == head->number;
}

bool yield_may(const struct intent *in, const struct version *theirs)
{
	const struct version *head = intent_head(in);

	if (!head || equals_version(head, theirs))
		return false;
	if (yield_is_untold(in) && theirs->number >= head->number)
		return true;
	return head->undoes && (theirs->number > head->undoes ||
	                        (theirs->number == head->undoes && !theirs->confirm_by_ms));
}

/*
 * Whether our automatic rollback meets a confirmation, or a person's successor, of what it
 * undoes.
 */
static bool is_overruled(const struct version *head, const struct version *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].number != head->undoes || strcmp(list[i].digest, head->parent) != 0)
			continue;
		if (!list[i].confirm_by_ms)
			return true;
		return i > 0 && list[i - 1].undoes != head->undoes &&
		       strcmp(list[i - 1].digest, head->digest) != 0;
	}
	return false;
}

/* Whether the parent of our head, which is not among @p list, has another successor there. */
static bool is_outrun(const struct version *head, const struct version *list, size_t n)
{
	bool has_parent = false;

	for (size_t i = 0; i < n; i++) {
		if (equals_version(&list[i], head))
			return false;
		has_parent |=
		        list[i].number < head->number && !strcmp(list[i].digest, head->parent);
	}
	return n > 0 && has_parent && list[0].number >= head->number &&
	       strcmp(list[0].digest, head->digest) != 0;
}

int yield_head(struct intent *in, const char *reason, int64_t now_ms)
{
	struct recent *head = in->n_recent ? &in->recent[in->n_recent - 1] : NULL;
	struct version v, parent;
	char value[LOG_VALUE_MAX];

	if (!head || !in->store || in->failing)
		return -EROFS;
	v = head->version;
	if (store_versions(in->store, v.number, &parent, 1) != 1)
		return -ENOENT;
	int err = intent_stored(in, store_lose_version(in->store, &v, reason, now_ms), now_ms);
	if (err)
		return err;
	err = intent_load_recent(in, now_ms);
	if (err) { /* the versions before cannot be read: put the head back */
		intent_stored(in, store_put_version(in->store, &v, &head->files), now_ms);
		return err;
	}
	if (in->untold)
		intent_stored(in, store_put_untold(in->store, 0, ""), now_ms);
	in->untold = 0;
	log_note("version-lost", "number=%" PRIu64 " digest=%.16s reason=%s", v.number, v.digest,
	         log_value(reason, value));
	journal_add(in->journal, now_ms, "version", "versions",
	            "version %" PRIu64 " (%.16s) by %s lost: %s", v.number, v.digest, v.author,
	            reason);
	effective_write(in, now_ms);
	return 0;
}

bool yield_to(struct intent *in, const struct version *list, size_t n, const char *peer,
              int64_t now_ms)
{
	const struct version *head = intent_head(in);
	char reason[EVENT_TEXT_MAX];

	if (!head)
		return false;
	if (head->undoes && is_overruled(head, list, n))
		snprintf(reason, sizeof(reason),
		         "%s has version %" PRIu64
		         " confirmed, or a person's successor of it: that overrules an automatic "
		         "rollback",
		         peer, head->undoes);
	else if (yield_is_untold(in) && is_outrun(head, list, n))
		snprintf(reason, sizeof(reason),
		         "%s has another successor of its parent, and no client knows of this "
		         "version",
		         peer);
	else
		return false;
	return !yield_head(in, reason, now_ms);
}

bool yield_is_due(struct intent *in, const struct version *v)
{
	const struct version *head = intent_head(in);
	struct version undone, own;

	if (!v->undoes || !head || head->number < v->undoes || !in->store || in->failing ||
	    store_version(in->store, v->undoes, &undone) || strcmp(undone.digest, v->parent) != 0)
		return false;
	if (!store_version(in->store, v->number, &own) && equals_version(&own, v))
		return false; /* our history has it, too */
	return !undone.confirm_by_ms || head->number > v->undoes;
}

int yield_settle(struct intent *in, int64_t now_ms)
{
	if (!in->untold)
		return 0;
	in->untold = 0;
	return in->store && !in->failing
	               ? intent_stored(in, store_put_untold(in->store, 0, ""), now_ms)
	               : -EROFS;
}

int yield_shown(struct intent *in, struct version *out)
{
	const struct version *head = intent_head(in);
	struct version before;

	if (!head)
		return -ENOENT;
	if (yield_is_untold(in) && in->store && !in->failing &&
	    store_versions(in->store, head->number, &before, 1) == 1) {
		*out = before;
		return 0;
	}
	*out = *head;
	return 0;
}
