/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies are written as text into a memory stream. The stream remembers a failure, so one check at
 * the end is enough; a library that builds JSON from pieces could leave out a piece, such as a
 * compare. int64 is written as text, as the gateway does: a reader of plain numbers rounds those
 * beyond 2^53.
 */
#include "mgmt/etcd/request.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/reason.h"
#include "mgmt/etcd/base64.h"

/*
 * What etcd would refuse is refused here, with the entry's number. Two operations that write are
 * compared pairwise: at most 128 * 127 / 2 comparisons of keys. A range that only reads may repeat
 * what others write or read.
 */

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
	return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
	                    "%s has a key of %zu bytes: 1 to %u are possible", what, key.n,
	                    ETCD_KEY_MAX);
}

/* The same for a key of a transaction, which names the entry. */
static int check_entry_key(struct etcd_bytes key, const char *list, size_t i,
                           char reason[ETCD_REASON_MAX])
{
	char what[64];

	snprintf(what, sizeof(what), "entry %zu of %s", i, list);
	return check_key(key, what, reason);
}

static int check_range(const struct etcd_range *range, char reason[ETCD_REASON_MAX])
{
	int err = check_key(range->key, "the range", reason);

	if (err)
		return err;
	if (range->after.n && (!range->prefix || range->after.n > ETCD_KEY_MAX ||
	                       !begins_with(range->after, range->key)))
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "the range goes on behind a key that is not in it");
	if (range->after.n && range->newest_first)
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "the range has pages, which go by key");
	if (range->revision < 0 || range->limit < 0)
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "the range has a negative revision or limit");
	return 0;
}

static int check_compares(const struct etcd_txn *txn, size_t *bytes, char reason[ETCD_REASON_MAX])
{
	for (size_t i = 0; i < txn->n_compares; i++) {
		const struct etcd_compare *c = &txn->compares[i];
		int err = check_entry_key(c->key, "compares", i, reason);

		if (err)
			return err;
		if (c->mod_revision < 0)
			return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
			                    "entry %zu of compares has a negative revision", i);
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
		return check_range(&op->on, reason);
	if ((unsigned)op->kind >= ETCD_N_OP_KINDS || op->on.after.n || op->lease < 0 ||
	    (op->kind == ETCD_PUT && (op->on.prefix || op->value.n > ETCD_VALUE_MAX)))
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "entry %zu of %s has no possible kind, range, lease or value",
		                    i, list);
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
			return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
			                    "entries %zu and %zu of %s write the same key", k, i,
			                    list);
		}
		*bytes += ops[i].on.key.n + (ops[i].kind == ETCD_PUT ? ops[i].value.n : 0);
	}
	return 0;
}

static int check_txn(const struct etcd_txn *txn, char reason[ETCD_REASON_MAX])
{
	size_t bytes = 0;

	if (txn->n_compares > ETCD_OPS_MAX || txn->n_success > ETCD_OPS_MAX ||
	    txn->n_failure > ETCD_OPS_MAX)
		return reason_write(
		        reason, ETCD_REASON_MAX, -EINVAL,
		        "%zu compares, %zu and %zu operations: at most %u of each are possible",
		        txn->n_compares, txn->n_success, txn->n_failure, ETCD_OPS_MAX);
	int err = check_compares(txn, &bytes, reason);

	if (!err)
		err = check_ops(txn->success, txn->n_success, "success", &bytes, reason);
	if (!err)
		err = check_ops(txn->failure, txn->n_failure, "failure", &bytes, reason);
	if (err)
		return err;
	if (bytes > ETCD_TXN_MAX)
		return reason_write(
		        reason, ETCD_REASON_MAX, -EINVAL,
		        "the transaction has %zu bytes of keys and values: at most %zu are possible",
		        bytes, ETCD_TXN_MAX);
	return 0;
}

/* A body while it is written. */
struct body {
	FILE *f;
	char *text;
	size_t n;
	bool first; /* of the present object: no comma yet */
	bool failed;
};

static void write_name(struct body *b, const char *name)
{
	fprintf(b->f, "%s\"%s\":", b->first ? "" : ",", name);
	b->first = false;
}

static void open_object(struct body *b)
{
	putc('{', b->f);
	b->first = true;
}

static void close_object(struct body *b)
{
	putc('}', b->f);
	b->first = false;
}

static void write_bytes(struct body *b, const char *name, struct etcd_bytes bytes)
{
	write_name(b, name);
	putc('"', b->f);
	etcd_base64_write(b->f, bytes.at, bytes.n);
	putc('"', b->f);
}

static void write_number(struct body *b, const char *name, uint64_t number)
{
	write_name(b, name);
	fprintf(b->f, "\"%" PRIu64 "\"", number);
}

/* A number that stands for "none" when it is 0. */
static void write_some(struct body *b, const char *name, int64_t number)
{
	if (number)
		write_number(b, name, (uint64_t)number);
}

static void write_true(struct body *b, const char *name, bool is)
{
	if (!is)
		return;
	write_name(b, name);
	fputs("true", b->f);
}

static void write_word(struct body *b, const char *name, const char *word)
{
	write_name(b, name);
	fprintf(b->f, "\"%s\"", word);
}

/* A text of people's; jansson escapes it, and knows what is no UTF-8. */
static void write_text(struct body *b, const char *text)
{
	json_t *value = json_string(text);
	char *dumped = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

	if (dumped)
		fputs(dumped, b->f);
	else
		b->failed = true;
	free(dumped);
	json_decref(value);
}

static int begin_body(struct body *b, char reason[ETCD_REASON_MAX])
{
	*b = (struct body){ 0 };
	b->f = open_memstream(&b->text, &b->n);
	if (!b->f)
		return reason_write(reason, ETCD_REASON_MAX, -ENOMEM, "out of memory");
	open_object(b);
	return 0;
}

/* A body may have a password in it. */
static void wipe_text(char *text, size_t n)
{
	if (text)
		explicit_bzero(text, n);
	free(text);
}

static int finish_body(struct body *b, const char *path, struct etcd_request *out,
                       char reason[ETCD_REASON_MAX])
{
	close_object(b);
	bool failed = ferror(b->f) || b->failed;

	if (fclose(b->f) || failed) {
		wipe_text(b->text, b->n);
		snprintf(reason, ETCD_REASON_MAX,
		         b->failed ? "a text of the request is not UTF-8" : "out of memory");
		return b->failed ? -EINVAL : -ENOMEM;
	}
	*out = (struct etcd_request){ path, b->text, b->n };
	return 0;
}

void etcd_request_fini(struct etcd_request *r)
{
	wipe_text(r->body, r->n);
	*r = (struct etcd_request){ 0 };
}

/*
 * The first key behind all that begin with @p key. @return its bytes; 0: there is no such key, the
 * range has no end
 */
static size_t find_prefix_end(struct etcd_bytes key, char *end)
{
	size_t n = key.n;

	while (n && (unsigned char)key.at[n - 1] == 0xff)
		n--;
	if (n) {
		memcpy(end, key.at, n);
		end[n - 1] = (char)((unsigned char)end[n - 1] + 1);
	}
	return n;
}

/* Where a range begins and ends: "key" and "range_end". A range without an end ends with one NUL. */
static void write_keys(struct body *b, const struct etcd_range *range)
{
	char begin[ETCD_KEY_MAX + 1], end[ETCD_KEY_MAX];
	struct etcd_bytes first = range->key, last = { end, 0 };

	if (range->after.n) { /* the key right behind it has one NUL more */
		memcpy(begin, range->after.at, range->after.n);
		begin[range->after.n] = '\0';
		first = (struct etcd_bytes){ begin, range->after.n + 1 };
	}
	write_bytes(b, "key", first);
	if (!range->prefix)
		return;
	last.n = find_prefix_end(range->key, end);
	write_bytes(b, "range_end", last.n ? last : (struct etcd_bytes){ "", 1 });
}

static void write_range(struct body *b, const struct etcd_range *range)
{
	write_keys(b, range);
	write_some(b, "revision", range->revision);
	write_some(b, "limit", range->limit);
	write_true(b, "keys_only", range->keys_only);
	write_true(b, "count_only", range->count_only);
	if (range->newest_first) {
		write_word(b, "sort_order", "DESCEND");
		write_word(b, "sort_target", "MOD");
	}
}

int etcd_request_range(const struct etcd_range *range, struct etcd_request *out,
                       char reason[ETCD_REASON_MAX])
{
	struct body b;
	int err = check_range(range, reason);

	if (!err)
		err = begin_body(&b, reason);
	if (err)
		return err;
	write_range(&b, range);
	return finish_body(&b, "/v3/kv/range", out, reason);
}

/* Of a range etcd compares each key, and nothing where there is none. */
static void write_compare(struct body *b, const struct etcd_compare *c)
{
	open_object(b);
	write_keys(b, &(struct etcd_range){ .key = c->key, .prefix = c->prefix });
	write_word(b, "target", "MOD");
	write_word(b, "result", c->prefix ? "LESS" : "EQUAL");
	write_number(b, "mod_revision", (uint64_t)c->mod_revision + c->prefix);
	close_object(b);
}

static void write_op(struct body *b, const struct etcd_op *op)
{
	static const char *const kinds[ETCD_N_OP_KINDS] = { "request_put", "request_delete_range",
		                                            "request_range" };

	open_object(b);
	write_name(b, kinds[op->kind]);
	open_object(b);
	if (op->kind == ETCD_RANGE)
		write_range(b, &op->on);
	else
		write_keys(b, &op->on);
	if (op->kind == ETCD_PUT) {
		write_bytes(b, "value", op->value);
		write_some(b, "lease", op->lease);
	}
	close_object(b);
	close_object(b);
}

static void write_ops(struct body *b, const char *name, const struct etcd_op *ops, size_t n)
{
	write_name(b, name);
	putc('[', b->f);
	for (size_t i = 0; i < n; i++) {
		if (i)
			putc(',', b->f);
		write_op(b, &ops[i]);
	}
	putc(']', b->f);
}

int etcd_request_txn(const struct etcd_txn *txn, struct etcd_request *out,
                     char reason[ETCD_REASON_MAX])
{
	struct body b;
	int err = check_txn(txn, reason);

	if (!err)
		err = begin_body(&b, reason);
	if (err)
		return err;
	write_name(&b, "compare");
	putc('[', b.f);
	for (size_t i = 0; i < txn->n_compares; i++) {
		if (i)
			putc(',', b.f);
		write_compare(&b, &txn->compares[i]);
	}
	putc(']', b.f);
	write_ops(&b, "success", txn->success, txn->n_success);
	write_ops(&b, "failure", txn->failure, txn->n_failure);
	return finish_body(&b, "/v3/kv/txn", out, reason);
}

int etcd_request_watch(const struct etcd_range *range, int64_t from, struct etcd_request *out,
                       char reason[ETCD_REASON_MAX])
{
	struct etcd_range keys = { .key = range->key, .prefix = range->prefix };
	struct body b;
	int err = check_range(&keys, reason);

	if (!err && from < 1)
		err = reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                   "a watch begins at revision 1 or later");
	if (!err)
		err = begin_body(&b, reason);
	if (err)
		return err;
	write_name(&b, "create_request");
	open_object(&b);
	write_keys(&b, &keys);
	write_number(&b, "start_revision", (uint64_t)from);
	write_true(&b, "progress_notify", true);
	close_object(&b);
	return finish_body(&b, "/v3/watch", out, reason);
}

/* Most other bodies have one number, and one below 0 is above all that can be. A body without one is "{}". */
static int make_number(const char *path, const char *name, uint64_t number, uint64_t most,
                       struct etcd_request *out, char reason[ETCD_REASON_MAX])
{
	struct body b;

	if (number < 1 || number > most)
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL, "%s of %s cannot be %" PRIu64,
		                    name, path, number);
	int err = begin_body(&b, reason);

	if (err)
		return err;
	write_number(&b, name, number);
	return finish_body(&b, path, out, reason);
}

static int make_empty(const char *path, struct etcd_request *out, char reason[ETCD_REASON_MAX])
{
	struct body b;
	int err = begin_body(&b, reason);

	return err ? err : finish_body(&b, path, out, reason);
}

int etcd_request_grant(int64_t ttl_s, struct etcd_request *out, char reason[ETCD_REASON_MAX])
{
	return make_number("/v3/lease/grant", "TTL", (uint64_t)ttl_s, ETCD_TTL_MAX_S, out, reason);
}

int etcd_request_keepalive(int64_t lease, struct etcd_request *out, char reason[ETCD_REASON_MAX])
{
	return make_number("/v3/lease/keepalive", "ID", (uint64_t)lease, INT64_MAX, out, reason);
}

int etcd_request_authenticate(const char *user, const char *password, struct etcd_request *out,
                              char reason[ETCD_REASON_MAX])
{
	struct body b;
	int err = begin_body(&b, reason);

	if (err)
		return err;
	write_name(&b, "name");
	write_text(&b, user);
	write_name(&b, "password");
	write_text(&b, password);
	return finish_body(&b, "/v3/auth/authenticate", out, reason);
}

int etcd_request_status(struct etcd_request *out, char reason[ETCD_REASON_MAX])
{
	return make_empty("/v3/maintenance/status", out, reason);
}

int etcd_request_alarms(struct etcd_request *out, char reason[ETCD_REASON_MAX])
{
	struct body b;
	int err = begin_body(&b, reason);

	if (err)
		return err;
	write_word(&b, "action", "GET");
	return finish_body(&b, "/v3/maintenance/alarm", out, reason);
}

int etcd_request_members(struct etcd_request *out, char reason[ETCD_REASON_MAX])
{
	return make_empty("/v3/cluster/member/list", out, reason);
}

int etcd_request_member_add(const char *peer_url, struct etcd_request *out,
                            char reason[ETCD_REASON_MAX])
{
	struct body b;
	int err = begin_body(&b, reason);

	if (err)
		return err;
	write_name(&b, "peerURLs");
	putc('[', b.f);
	write_text(&b, peer_url);
	putc(']', b.f);
	write_true(&b, "isLearner", true);
	return finish_body(&b, "/v3/cluster/member/add", out, reason);
}

int etcd_request_member_promote(uint64_t member_id, struct etcd_request *out,
                                char reason[ETCD_REASON_MAX])
{
	return make_number("/v3/cluster/member/promote", "ID", member_id, UINT64_MAX, out, reason);
}

int etcd_request_member_remove(uint64_t member_id, struct etcd_request *out,
                               char reason[ETCD_REASON_MAX])
{
	return make_number("/v3/cluster/member/remove", "ID", member_id, UINT64_MAX, out, reason);
}
