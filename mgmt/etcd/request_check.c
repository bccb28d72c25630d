/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What etcd would refuse is refused here, with the entry's number. Two operations that write are
 * compared pairwise: at most 128 * 127 / 2 comparisons of keys. A range that only reads may repeat
 * what others write or read.
 */
#include <errno.h>
#include <stdio.h>

#include "mgmt/etcd/request.h"

int etcd_bytes_compare(struct etcd_bytes a, struct etcd_bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = n ? memcmp(a.at, b.at, n) : 0;

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static bool begins_with(struct etcd_bytes key, struct etcd_bytes beginning)
{
	return key.n >= beginning.n && !memcmp(key.at, beginning.at, beginning.n);
}

bool etcd_range_has(const struct etcd_range *range, struct etcd_bytes key)
{
	if (!range->prefix)
		return !etcd_bytes_compare(range->key, key);
	return begins_with(key, range->key) &&
	       (!range->after.n || etcd_bytes_compare(key, range->after) > 0);
}

static int check_key(struct etcd_bytes key, const char *what, char reason[ETCD_REASON_MAX])
{
	if (key.n > 0 && key.n <= ETCD_KEY_MAX)
		return 0;
	snprintf(reason, ETCD_REASON_MAX, "%s has a key of %zu bytes: 1 to %u are possible", what,
	         key.n, ETCD_KEY_MAX);
	return -EINVAL;
}

/* The same for a key of a transaction, which names the entry. */
static int check_entry_key(struct etcd_bytes key, const char *list, size_t i,
                           char reason[ETCD_REASON_MAX])
{
	char what[64];

	snprintf(what, sizeof(what), "entry %zu of %s", i, list);
	return check_key(key, what, reason);
}

int etcd_range_check(const struct etcd_range *range, char reason[ETCD_REASON_MAX])
{
	int err = check_key(range->key, "the range", reason);

	if (err)
		return err;
	if (range->after.n && (!range->prefix || range->after.n > ETCD_KEY_MAX ||
	                       !begins_with(range->after, range->key))) {
		snprintf(reason, ETCD_REASON_MAX,
		         "the range goes on behind a key that is not in it");
		return -EINVAL;
	}
	if (range->after.n && range->newest_first) {
		snprintf(reason, ETCD_REASON_MAX, "the range has pages, which go by key");
		return -EINVAL;
	}
	if (range->revision < 0 || range->limit < 0) {
		snprintf(reason, ETCD_REASON_MAX, "the range has a negative revision or limit");
		return -EINVAL;
	}
	return 0;
}

static int check_compares(const struct etcd_txn *txn, size_t *bytes, char reason[ETCD_REASON_MAX])
{
	for (size_t i = 0; i < txn->n_compares; i++) {
		const struct etcd_compare *c = &txn->compares[i];
		int err = check_entry_key(c->key, "compares", i, reason);

		if (err)
			return err;
		if (c->mod_revision < 0) {
			snprintf(reason, ETCD_REASON_MAX,
			         "entry %zu of compares has a negative revision", i);
			return -EINVAL;
		}
		*bytes += c->key.n;
	}
	return 0;
}

/* Whether two operations cannot be in one list. */
static bool do_collide(const struct etcd_op *a, const struct etcd_op *b)
{
	if (a->kind == ETCD_RANGE || b->kind == ETCD_RANGE ||
	    (a->kind == ETCD_DELETE && b->kind == ETCD_DELETE &&
	     etcd_bytes_compare(a->on.key, b->on.key)))
		return false;
	return etcd_range_has(&a->on, b->on.key) || etcd_range_has(&b->on, a->on.key);
}

static int check_op(const struct etcd_op *op, const char *list, size_t i,
                    char reason[ETCD_REASON_MAX])
{
	int err = check_entry_key(op->on.key, list, i, reason);

	if (err)
		return err;
	if (op->kind == ETCD_RANGE)
		return etcd_range_check(&op->on, reason);
	if ((unsigned)op->kind >= ETCD_N_OP_KINDS || op->on.after.n || op->lease < 0 ||
	    (op->kind == ETCD_PUT && (op->on.prefix || op->value.n > ETCD_VALUE_MAX))) {
		snprintf(reason, ETCD_REASON_MAX,
		         "entry %zu of %s has no possible kind, range, lease or value", i, list);
		return -EINVAL;
	}
	return 0;
}

static int check_ops(const struct etcd_op *ops, size_t n, const char *list, size_t *bytes,
                     char reason[ETCD_REASON_MAX])
{
	for (size_t i = 0; i < n; i++) {
		int err = check_op(&ops[i], list, i, reason);

		if (err)
			return err;
		for (size_t k = 0; k < i; k++) {
			if (!do_collide(&ops[k], &ops[i]))
				continue;
			snprintf(reason, ETCD_REASON_MAX,
			         "entries %zu and %zu of %s write the same key", k, i, list);
			return -EINVAL;
		}
		*bytes += ops[i].on.key.n + (ops[i].kind == ETCD_PUT ? ops[i].value.n : 0);
	}
	return 0;
}

int etcd_txn_check(const struct etcd_txn *txn, char reason[ETCD_REASON_MAX])
{
	size_t bytes = 0;

	if (txn->n_compares > ETCD_OPS_MAX || txn->n_success > ETCD_OPS_MAX ||
	    txn->n_failure > ETCD_OPS_MAX) {
		snprintf(reason, ETCD_REASON_MAX,
		         "%zu compares, %zu and %zu operations: at most %u of each are possible",
		         txn->n_compares, txn->n_success, txn->n_failure, ETCD_OPS_MAX);
		return -EINVAL;
	}
	int err = check_compares(txn, &bytes, reason);

	if (!err)
		err = check_ops(txn->success, txn->n_success, "success", &bytes, reason);
	if (!err)
		err = check_ops(txn->failure, txn->n_failure, "failure", &bytes, reason);
	if (err)
		return err;
	if (bytes > ETCD_TXN_MAX) {
		snprintf(
		        reason, ETCD_REASON_MAX,
		        "the transaction has %zu bytes of keys and values: at most %zu are possible",
		        bytes, ETCD_TXN_MAX);
		return -EINVAL;
	}
	return 0;
}
