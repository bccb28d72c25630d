/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records go into the store in batches, each of which is written whole if none of its keys is there. The head comes last: a
 * node that follows meanwhile sees no version before all are there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "mgmt/setup/store_backup.h"
#include "mgmt/store/store_claim.h"

#define BATCH     32u
#define KEY_MAX   (SHARED_PREFIX_MAX + SHARED_NAME_MAX)
#define ARENA_MAX ((size_t)4 << 20)
#define HEAD      "head"

struct batch {
	char keys[BATCH][KEY_MAX];
	struct etcd_compare compares[BATCH];
	struct etcd_op puts[BATCH];
	size_t n;
};

static int compare_names(const void *a, const void *b)
{
	const struct shared_record *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static const struct shared_record *find_record(const struct shared_record *list, size_t n,
                                               const struct shared_record *like)
{
	return n ? bsearch(like, list, n, sizeof(*list), compare_names) : NULL;
}

/* Whether all that the store has is the backup's. */
static int check_there(const struct shared_records *there, const struct store_backup *b,
                       char reason[ETCD_REASON_MAX])
{
	struct store_claim claim;

	if (!store_claim_read(there, &claim, NULL) && claim.unfinished) {
		snprintf(reason, ETCD_REASON_MAX,
		         "the store was begun again for a node's copy: weir store rebuild");
		return -EEXIST;
	}
	for (size_t i = 0; i < there->n; i++) {
		const struct shared_record *r = &there->records[i];
		const struct shared_record *own = find_record(b->records, b->n, r);

		if (!strcmp(r->name, STORE_CLAIM_RECORD) || (own && !strcmp(own->text, r->text)))
			continue;
		snprintf(
		        reason, ETCD_REASON_MAX,
		        "the store has the record %.100s, and the backup has %s: a backup goes into "
		        "a store that has no versions yet",
		        r->name, own ? "another one" : "none");
		return -EEXIST;
	}
	return 0;
}

static int write_batch(struct etcd_gateway *g, struct batch *x, char reason[ETCD_REASON_MAX])
{
	const struct etcd_txn txn = { x->compares, x->n, x->puts, NULL, x->n, 0 };
	struct arena *arena = arena_new(ARENA_MAX);
	struct etcd_txn_result result;
	int err = -ENOMEM;
	enum etcd_result r =
	        arena ? etcd_gateway_txn(g, &txn, arena, &result, &err) : ETCD_NOT_WRITTEN;

	arena_free(arena);
	x->n = 0;
	if (r == ETCD_DONE)
		return 0;
	snprintf(reason, ETCD_REASON_MAX, "%s",
	         r == ETCD_NOT_WRITTEN || r == ETCD_UNKNOWN
	                 ? etcd_gateway_reason(g)
	                 : "somebody else writes into the store");
	return r == ETCD_NOT_WRITTEN ? err : r == ETCD_REFUSED ? -EEXIST : -EINPROGRESS;
}

static void add_put(struct batch *x, const char *prefix, const struct shared_record *r)
{
	size_t i = x->n++;

	snprintf(x->keys[i], KEY_MAX, "%s%s", prefix, r->name);
	x->compares[i] = (struct etcd_compare){ .key = etcd_text(x->keys[i]) };
	x->puts[i] = (struct etcd_op){ .kind = ETCD_PUT,
		                       .on.key = etcd_text(x->keys[i]),
		                       .value = etcd_text(r->text) };
}

/* Write what is not there yet. */
static int write_missing(struct etcd_gateway *g, const char *prefix,
                         const struct shared_records *there, const struct store_backup *b,
                         char reason[ETCD_REASON_MAX])
{
	struct batch *x = calloc(1, sizeof(*x));
	const struct shared_record *head = NULL;
	int err = x ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < b->n; i++) {
		const struct shared_record *r = &b->records[i];

		if (find_record(there->records, there->n, r))
			continue;
		if (!strcmp(r->name, HEAD)) {
			head = r;
			continue;
		}
		add_put(x, prefix, r);
		if (x->n == BATCH)
			err = write_batch(g, x, reason);
	}
	if (!err && x->n)
		err = write_batch(g, x, reason);
	if (!err && head) {
		add_put(x, prefix, head);
		err = write_batch(g, x, reason);
	}
	free(x);
	return err;
}

static int list_records(struct shared_etcd *e, struct shared_records *out,
                        char reason[ETCD_REASON_MAX])
{
	int err = shared_etcd_list(e, out);

	if (err)
		snprintf(reason, ETCD_REASON_MAX, "%s", shared_etcd_reason(e));
	else
		qsort(out->records, out->n, sizeof(*out->records), compare_names);
	return err;
}

/* All of the backup is there, and nothing else. */
static int compare_all(struct shared_etcd *e, const struct store_backup *b,
                       char reason[ETCD_REASON_MAX])
{
	struct shared_records l = { 0 };
	int err = list_records(e, &l, reason);

	if (!err)
		err = check_there(&l, b, reason);
	for (size_t i = 0; !err && i < b->n; i++)
		if (!find_record(l.records, l.n, &b->records[i])) {
			snprintf(reason, ETCD_REASON_MAX, "the record %.100s is not there",
			         b->records[i].name);
			err = -EIO;
		}
	shared_records_fini(&l);
	return err;
}

int store_backup_restore(const struct etcd_settings *settings, const char *prefix,
                         const struct store_backup *b, char reason[ETCD_REASON_MAX])
{
	struct shared_records there = { 0 };
	struct etcd_gateway *g = NULL;
	struct shared_etcd *e;
	int err = shared_etcd_open(settings, prefix, NULL, &e, reason);

	if (err)
		return err;
	err = list_records(e, &there, reason);
	if (!err)
		err = check_there(&there, b, reason);
	if (!err)
		err = etcd_gateway_open(settings, NULL, &g, reason);
	if (!err)
		err = write_missing(g, prefix, &there, b, reason);
	if (!err)
		err = compare_all(e, b, reason);
	if (g)
		etcd_gateway_close(g);
	shared_records_fini(&there);
	shared_etcd_close(e);
	return err;
}
