/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys are compared with what was listed, and the store's own record with what this call has written: whoever writes
 * meanwhile ends it. A batch has at most half of the operations that etcd takes, for each has a compare.
 */
#include "mgmt/store/refill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/reason.h"
#include "mgmt/etcd/gateway.h"

#define BATCH     32u
#define KEY_MAX   (SHARED_PREFIX_MAX + SHARED_NAME_MAX)
#define ARENA_MAX ((size_t)4 << 20)
#define HEAD      "head"

/* A transaction on its way. */
struct refill_batch {
	struct etcd_gateway *g;
	const struct refill *f;
	int64_t claim_revision; /* that it rests on */
	char keys[BATCH + 1][KEY_MAX];
	struct etcd_compare compares[BATCH + 1]; /* the first is the store's own record */
	struct etcd_op ops[BATCH + 1];
	size_t n_compares, n_ops;
	const char *busy; /* what is said where a compare fails */
};

bool refill_accepts(const char *name)
{
	return strcmp(name, STORE_CLAIM_RECORD) != 0 &&
	       strncmp(name, SHARED_LEASED_AT, strlen(SHARED_LEASED_AT)) != 0;
}

static struct etcd_bytes compare_key(struct refill_batch *b, const char *name, int64_t revision)
{
	size_t i = b->n_compares++;

	snprintf(b->keys[i], KEY_MAX, "%s%s", b->f->prefix, name);
	b->compares[i] =
	        (struct etcd_compare){ .key = etcd_text(b->keys[i]), .mod_revision = revision };
	return etcd_text(b->keys[i]);
}

static void begin_batch(struct refill_batch *b)
{
	b->n_compares = b->n_ops = 0;
	(void)compare_key(b, STORE_CLAIM_RECORD, b->claim_revision);
}

/* Let the batch write @p text under @p name, NULL: let it remove that. */
static void add_op(struct refill_batch *b, const char *name, const char *text)
{
	const struct shared_record *now = shared_records_find(b->f->there, name);
	struct etcd_bytes key = !strcmp(name, STORE_CLAIM_RECORD)
	                                ? b->compares[0].key
	                                : compare_key(b, name, now ? now->revision : 0);

	b->ops[b->n_ops++] = (struct etcd_op){ .kind = text ? ETCD_PUT : ETCD_DELETE,
		                               .on.key = key,
		                               .value = etcd_text(text ? text : "") };
}

/*
 * Carry the batch out. That a compare fails after a try without an answer may be this very batch's doing: that is not
 * known, and the next try begins again.
 */
static int write_batch(struct refill_batch *b, int64_t *revision, char reason[ETCD_REASON_MAX])
{
	const struct etcd_txn txn = { b->compares, b->n_compares, b->ops, NULL, b->n_ops, 0 };
	struct arena *arena = memory_must(arena_new(ARENA_MAX));
	struct etcd_txn_result result;
	int err = 0;
	enum etcd_result r = etcd_gateway_txn(b->g, &txn, arena, &result, &err);

	if (r == ETCD_DONE && revision)
		*revision = result.header.revision;
	arena_free(arena);
	if (r == ETCD_DONE)
		return 0;
	snprintf(reason, ETCD_REASON_MAX, "%s",
	         r == ETCD_REFUSED || r == ETCD_REFUSED_UNSURE ? b->busy
	                                                       : etcd_gateway_reason(b->g));
	return r == ETCD_NOT_WRITTEN ? err : r == ETCD_REFUSED ? -EEXIST : -EINPROGRESS;
}

/* Add the store's own record to the batch, and write it. */
static int write_claim(struct refill_batch *b, bool unfinished, int64_t *revision,
                       char reason[ETCD_REASON_MAX])
{
	struct store_claim claim = b->f->claim;

	claim.unfinished = unfinished;
	char *text = record_to_text(&store_claim_record, &claim);

	if (!text)
		return reason_write(reason, ETCD_REASON_MAX, -ENOMEM, "out of memory");
	add_op(b, STORE_CLAIM_RECORD, text);
	int err = write_batch(b, revision, reason);

	free(text);
	return err;
}

static int write_if_full(struct refill_batch *b, size_t full, char reason[ETCD_REASON_MAX])
{
	if (b->n_ops < full)
		return 0;
	int err = write_batch(b, NULL, reason);

	begin_batch(b);
	return err;
}

/* All but the head: what is to be there, and what is not. */
static int write_records(struct refill_batch *b, char reason[ETCD_REASON_MAX])
{
	const struct shared_records *to = b->f->records, *there = b->f->there;
	int err = 0;

	begin_batch(b);
	for (size_t i = 0; !err && i < to->n; i++) {
		const char *name = to->records[i].name;
		const struct shared_record *same = shared_records_find(there, name);

		if (!refill_accepts(name) || !strcmp(name, HEAD) ||
		    (same && !strcmp(same->text, to->records[i].text)))
			continue;
		add_op(b, name, to->records[i].text);
		err = write_if_full(b, BATCH, reason);
	}
	for (size_t i = 0; !err && i < there->n; i++) {
		const char *name = there->records[i].name;

		if (!strcmp(name, STORE_CLAIM_RECORD) || !strcmp(name, HEAD) ||
		    (refill_accepts(name) && shared_records_find(to, name)))
			continue;
		add_op(b, name, NULL);
		err = write_if_full(b, BATCH, reason);
	}
	return err ? err : write_if_full(b, 1, reason);
}

/* Begin to write what @p f says. @return for close_batch(); NULL: @p err is 0 no more, with a reason */
static struct refill_batch *open_batch(const struct refill *f, const char *busy, int *err,
                                       char reason[ETCD_REASON_MAX])
{
	struct refill_batch *b = MEMORY_NEW(struct refill_batch);

	b->f = f;
	b->busy = busy;
	b->claim_revision = f->claim_revision;
	*err = etcd_gateway_open(f->settings, NULL, &b->g, reason);
	if (!*err)
		return b;
	free(b);
	return NULL;
}

static void close_batch(struct refill_batch *b)
{
	if (b)
		etcd_gateway_close(b->g);
	free(b);
}

int refill_store(const struct refill *f, char reason[ETCD_REASON_MAX])
{
	const struct shared_record *head = shared_records_find(f->records, HEAD);
	int err;

	if (!head)
		return reason_write(reason, ETCD_REASON_MAX, -ENOENT,
		                    "the copy has no newest version");
	struct refill_batch *b = open_batch(f, "another node writes into the store", &err, reason);

	if (!err) {
		begin_batch(b);
		err = write_claim(b, true, &b->claim_revision, reason);
	}
	if (!err)
		err = write_records(b, reason);
	if (!err) {
		begin_batch(b);
		add_op(b, HEAD, head->text);
		err = write_claim(b, false, NULL, reason);
	}
	close_batch(b);
	return err;
}

int refill_missing(const struct refill *f, char reason[ETCD_REASON_MAX])
{
	const struct shared_record *head = shared_records_find(f->records, HEAD);
	int err;
	struct refill_batch *b = open_batch(f, "somebody else writes into the store", &err, reason);

	if (!err)
		err = write_records(b, reason);
	if (!err && head && !shared_records_find(f->there, HEAD)) {
		begin_batch(b);
		add_op(b, HEAD, head->text);
		err = write_batch(b, NULL, reason);
	}
	close_batch(b);
	return err;
}
