/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of the table in origin.h, from the top; the first that fits decides. A store whose own record cannot be read is
 * none of ours: nothing is said of it but that.
 */
#include "mgmt/store/origin.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/store/history.h"
#include "mgmt/store/records.h"
#include "mgmt/store/store_claim.h"

void origin_of(const struct shared_records *found, struct store_origin *out)
{
	struct store_claim claim = { 0 };

	if (store_claim_read(found, &claim, NULL))
		claim = (struct store_claim){ 0 };
	*out = (struct store_origin){ .cluster_id = found->cluster_id, .epoch = claim.epoch };
	memcpy(out->nonce, claim.nonce, sizeof(out->nonce));
}

/* Whether a list has less than the node, as a reason; a record that is not ours is named when it is taken. */
static bool has_less(const struct origin_here *here, const struct shared_records *found,
                     char reason[ETCD_REASON_MAX])
{
	const struct shared_record *r = shared_records_find(found, "head");
	struct history_head head = { 0 };
	struct version same;
	char name[SHARED_NAME_MAX];

	if (found->revision < here->revision) {
		snprintf(reason, ETCD_REASON_MAX,
		         "it is at revision %" PRId64 ", and this node has read %" PRId64,
		         found->revision, here->revision);
		return true;
	}
	if (!here->newest || (r && record_from_text(&history_head_record, r->text, &head, NULL)))
		return false;
	if (head.number < here->newest->number) {
		snprintf(reason, ETCD_REASON_MAX,
		         "its newest version is %" PRIu64 ", and this node has version %" PRIu64,
		         head.number, here->newest->number);
		return true;
	}
	r = shared_records_find(found, shared_numbered("version", here->newest->number, name));
	if (!r || record_from_text(&version_record, r->text, &same, NULL) ||
	    (!strcmp(same.digest, here->newest->digest) && same.time_ms == here->newest->time_ms))
		return false;
	snprintf(reason, ETCD_REASON_MAX,
	         "its version %" PRIu64
	         " is by %.40s, and this node has one by %.40s of that number",
	         same.number, same.author, here->newest->author);
	return true;
}

/* Whether a list has other changes than those that the copy is made of, as a reason. */
static bool has_others(const struct shared_records *copy, const struct shared_records *found,
                       char reason[ETCD_REASON_MAX])
{
	for (size_t i = 0; i < found->n; i++) {
		const struct shared_record *r = &found->records[i];
		const struct shared_record *same = shared_records_find(copy, r->name);
		char name[64];

		if (r->revision > copy->revision ||
		    (same && same->revision == r->revision && !strcmp(same->text, r->text)))
			continue;
		plain_copy(name, sizeof(name), r->name);
		snprintf(reason, ETCD_REASON_MAX,
		         "its record %s of revision %" PRId64
		         " is not what this node has up to revision %" PRId64,
		         name, r->revision, copy->revision);
		return true;
	}
	return false;
}

/* By the store's own record. @return ORIGIN_FOLLOWS: it decides nothing */
static enum origin_verdict judge_claim(const struct origin_here *here, const struct store_claim *c,
                                       char reason[ETCD_REASON_MAX])
{
	if (*c->id && strcmp(c->id, here->id) != 0) {
		snprintf(reason, ETCD_REASON_MAX,
		         "the members have the store %s, and " STORE_CONF_FILE " names %s", c->id,
		         here->id);
		return ORIGIN_OTHER;
	}
	if (c->unfinished && c->how == STORE_CLAIM_BEGUN)
		snprintf(reason, ETCD_REASON_MAX,
		         "the store was begun again, and is empty: run weir store rebuild at the "
		         "node that has the newest versions");
	else if (c->unfinished)
		snprintf(reason, ETCD_REASON_MAX,
		         "weir store rebuild at node %.64s has not ended: it is to be run again "
		         "there",
		         c->node);
	return c->unfinished ? ORIGIN_OTHER : ORIGIN_FOLLOWS;
}

/*
 * By epoch and cluster. A store that was only begun takes no copy's place: nobody has said that what
 * it lacks may be lost. @return ORIGIN_FOLLOWS: they are equal */
static enum origin_verdict judge_epoch(const struct store_origin *had,
                                       const struct store_origin *now, enum store_claim_how how,
                                       char reason[ETCD_REASON_MAX])
{
	if (now->epoch > had->epoch && how != STORE_CLAIM_BEGUN)
		return ORIGIN_NEWER;
	if (!had->cluster_id)
		return ORIGIN_FOLLOWS; /* the node was alone */
	if (now->cluster_id != had->cluster_id) {
		snprintf(reason, ETCD_REASON_MAX,
		         "the members are of cluster %" PRIx64 " (epoch %" PRIu64
		         "), and this node has a copy of cluster %" PRIx64 " (epoch %" PRIu64 ")",
		         now->cluster_id, now->epoch, had->cluster_id, had->epoch);
		return ORIGIN_OTHER;
	}
	if (now->epoch < had->epoch) {
		snprintf(reason, ETCD_REASON_MAX,
		         "it has epoch %" PRIu64 ", and this node has seen epoch %" PRIu64,
		         now->epoch, had->epoch);
		return ORIGIN_WENT_BACK;
	}
	if (now->epoch > had->epoch || !strcmp(now->nonce, had->nonce))
		return ORIGIN_FOLLOWS;
	snprintf(reason, ETCD_REASON_MAX,
	         "it has the epoch %" PRIu64
	         " of %s, and this node has that of %s: two have raised "
	         "it, apart from each other",
	         now->epoch, now->nonce, had->nonce);
	return ORIGIN_OTHER;
}

enum origin_verdict origin_judge(const struct origin_here *here, const struct shared_records *found,
                                 char reason[ETCD_REASON_MAX])
{
	struct store_claim claim = { 0 };
	enum origin_verdict verdict;
	struct store_origin now;

	reason[0] = '\0';
	if (store_claim_read(found, &claim, NULL)) {
		snprintf(reason, ETCD_REASON_MAX,
		         "the record " STORE_CLAIM_RECORD " of the members is not Weir's");
		return ORIGIN_OTHER;
	}
	verdict = judge_claim(here, &claim, reason);
	origin_of(found, &now);
	if (verdict == ORIGIN_FOLLOWS && here->copy->revision)
		verdict = judge_epoch(&here->origin, &now, claim.how, reason);
	if (verdict != ORIGIN_FOLLOWS)
		return verdict;
	return has_less(here, found, reason) || has_others(here->copy, found, reason)
	               ? ORIGIN_WENT_BACK
	               : ORIGIN_FOLLOWS;
}
