/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys, transactions and events. Each is compared with its request, since an answer that another
 * request got, or that a foreign server made up, must not become a head or an override.
 */
#include "mgmt/etcd/answer.h"

#include <stdio.h>

#include "mgmt/etcd/fields_internal.h"

#define KEYS_MAX   100000u /* entries of a list that an answer of ETCD_ANSWER_MAX may have */
#define EVENTS_MAX 100000u

/* Keys come in the order that was asked for. @p revision: the newest that can be; 0: not known. */
static void check_kv(struct etcd_fields *f, const struct etcd_range *range,
                     const struct etcd_kv *kv, const struct etcd_kv *previous, int64_t revision)
{
	if (!etcd_range_has(range, kv->key))
		etcd_fields_refuse(f, "key", "is not in the range");
	if (previous && (range->newest_first ? previous->mod_revision < kv->mod_revision
	                                     : etcd_bytes_compare(previous->key, kv->key) >= 0))
		etcd_fields_refuse(f, "key", "is not behind the one before it");
	if (!kv->create_revision || !kv->version)
		etcd_fields_refuse(f, "version", "or create_revision is absent");
	if (revision && kv->mod_revision > revision)
		etcd_fields_refuse(f, "mod_revision", "is behind the store's revision");
}

static struct etcd_keys read_keys(struct etcd_fields *f, const json_t *object,
                                  const struct etcd_range *range, int64_t revision)
{
	const json_t *list = NULL;
	struct etcd_keys out = { .count = etcd_fields_int64(f, object, "count", 0),
		                 .more = etcd_fields_bool(f, object, "more") };
	size_t n = etcd_fields_list(f, object, "kvs", KEYS_MAX, &list);
	struct etcd_kv *kvs = etcd_fields_alloc(f, n, sizeof(*kvs));

	if ((range->limit && (uint64_t)n > (uint64_t)range->limit) || (range->count_only && n) ||
	    (!range->prefix && n > 1) || (int64_t)n > out.count)
		etcd_fields_refuse(f, "kvs", "has more entries than asked for or counted");
	for (size_t i = 0; kvs && i < n && !f->err; i++) {
		kvs[i] = etcd_fields_kv(f, etcd_fields_entry(f, list, "kvs", i));
		check_kv(f, range, &kvs[i], i ? &kvs[i - 1] : NULL, revision);
	}
	f->list = NULL;
	if (!f->err && !range->count_only && !out.more && (int64_t)n != out.count)
		etcd_fields_refuse(f, "kvs", "has fewer entries than counted");
	/* Who asks for the next page until there is none would ask for ever. */
	if (!f->err && !range->count_only && out.more && !n)
		etcd_fields_refuse(f, "more", "is set without a key");
	out.kvs = kvs;
	out.n = kvs ? n : 0;
	return out;
}

/* The header of what belongs to a revision. */
static struct etcd_header read_store_header(struct etcd_fields *f, const json_t *object)
{
	struct etcd_header out = etcd_fields_header(f, object);

	if (!out.revision)
		etcd_fields_refuse(f, "header", "has no revision");
	return out;
}

int etcd_answer_range(const char *bytes, size_t n, const struct etcd_range *range,
                      struct arena *arena, struct etcd_keys *out, char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;

	etcd_fields_begin(&f, bytes, n, arena, reason);
	struct etcd_header header = read_store_header(&f, f.root);
	struct etcd_keys keys = read_keys(&f, f.root, range, header.revision);
	int err = etcd_fields_end(&f);

	if (err)
		return err;
	keys.header = header;
	*out = keys;
	return 0;
}

/* The result of one operation: the one member that fits the operation's kind, and no other. */
static struct etcd_op_result read_result(struct etcd_fields *f, const json_t *entry,
                                         const struct etcd_op *op, int64_t revision)
{
	static const char *const names[ETCD_N_OP_KINDS] = { "response_put", "response_delete_range",
		                                            "response_range" };
	struct etcd_op_result out = { .kind = op->kind };
	const json_t *result = NULL;

	for (size_t i = 0; i < ETCD_N_OP_KINDS; i++) {
		const json_t *here = etcd_fields_object(f, entry, names[i]);

		if ((here != NULL) != (i == (size_t)op->kind))
			etcd_fields_refuse(f, names[i], "does not fit the operation");
		if (i == (size_t)op->kind)
			result = here;
	}
	if (op->kind == ETCD_RANGE)
		out.keys = read_keys(f, result, &op->on, revision);
	return out;
}

int etcd_answer_txn(const char *bytes, size_t n, const struct etcd_txn *txn, struct arena *arena,
                    struct etcd_txn_result *out, char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;
	const json_t *list = NULL;

	etcd_fields_begin(&f, bytes, n, arena, reason);
	struct etcd_txn_result txn_result = { .header = read_store_header(&f, f.root),
		                              .succeeded =
		                                      etcd_fields_bool(&f, f.root, "succeeded") };
	const struct etcd_op *ops = txn_result.succeeded ? txn->success : txn->failure;
	size_t n_ops = txn_result.succeeded ? txn->n_success : txn->n_failure;
	size_t n_results = etcd_fields_list(&f, f.root, "responses", ETCD_OPS_MAX, &list);
	struct etcd_op_result *results = etcd_fields_alloc(&f, n_ops, sizeof(*results));

	if (n_results != n_ops)
		etcd_fields_refuse(&f, "responses", "are not as many as the operations");
	for (size_t i = 0; results && i < n_ops && !f.err; i++)
		results[i] = read_result(&f, etcd_fields_entry(&f, list, "responses", i), &ops[i],
		                         txn_result.header.revision);
	int err = etcd_fields_end(&f);

	if (err)
		return err;
	txn_result.results = results;
	txn_result.n_results = n_ops;
	*out = txn_result;
	return 0;
}

static struct etcd_event read_event(struct etcd_fields *f, const json_t *entry,
                                    const struct etcd_range *range)
{
	char type[16] = "";

	etcd_fields_text(f, entry, "type", type, sizeof(type));
	struct etcd_event out = { .is_deleted = !strcmp(type, "DELETE"),
		                  .kv = etcd_fields_kv(f, etcd_fields_object(f, entry, "kv")) };

	if (*type && !out.is_deleted && strcmp(type, "PUT"))
		etcd_fields_refuse(f, "type", "is not known");
	if (!etcd_range_has(range, out.kv.key))
		etcd_fields_refuse(f, "key", "is not in the range");
	if (!out.is_deleted && (!out.kv.create_revision || !out.kv.version))
		etcd_fields_refuse(f, "version", "or create_revision is absent");
	return out;
}

static struct etcd_event *read_events(struct etcd_fields *f, const json_t *object,
                                      const struct etcd_range *range, int64_t from, size_t *n)
{
	const json_t *list = NULL;

	*n = etcd_fields_list(f, object, "events", EVENTS_MAX, &list);
	struct etcd_event *events = etcd_fields_alloc(f, *n, sizeof(*events));

	for (size_t i = 0; events && i < *n && !f->err; i++) {
		events[i] = read_event(f, etcd_fields_entry(f, list, "events", i), range);
		if (events[i].kv.mod_revision < from)
			etcd_fields_refuse(f, "mod_revision", "is before the first of the request");
		from = events[i].kv.mod_revision;
	}
	f->list = NULL;
	return events;
}

int etcd_answer_watch(const char *bytes, size_t n, const struct etcd_range *range, int64_t from,
                      struct arena *arena, struct etcd_watch_message *out,
                      char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;

	etcd_fields_begin(&f, bytes, n, arena, reason);
	const json_t *result = etcd_fields_object(&f, f.root, "result");

	if (!result)
		etcd_fields_refuse(&f, "result", "is absent");
	struct etcd_watch_message m = {
		.header = etcd_fields_header(&f, result),
		.is_created = etcd_fields_bool(&f, result, "created"),
		.is_canceled = etcd_fields_bool(&f, result, "canceled"),
		.compact_revision = etcd_fields_int64(&f, result, "compact_revision", 0),
	};
	etcd_fields_text(&f, result, "cancel_reason", m.cause, sizeof(m.cause));
	/* Events cut up are not asked for. Read as whole, half a revision would be taken for one. */
	if (etcd_fields_bool(&f, result, "fragment"))
		etcd_fields_refuse(&f, "fragment", "is set, which was not asked for");
	m.events = read_events(&f, result, range, from, &m.n_events);
	if (m.n_events && m.is_canceled)
		etcd_fields_refuse(&f, "canceled", "is set with events");
	int err = etcd_fields_end(&f);

	if (err)
		return err;
	*out = m;
	return 0;
}
