/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys, transactions and events. Each is compared with its request, since an answer that another
 * request got, or that a foreign server made up, must not become a head or an override.
 */
#include "mgmt/etcd/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/etcd/fields_internal.h"
#include "weir/json.h"

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
	keys.header = header;
	return etcd_fields_give(&f, out, &keys, sizeof(keys));
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
	txn_result.results = results;
	txn_result.n_results = n_ops;
	return etcd_fields_give(&f, out, &txn_result, sizeof(txn_result));
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
	return etcd_fields_give(&f, out, &m, sizeof(m));
}

/* Leases, tokens, members and their state. */

int etcd_answer_header(const char *bytes, size_t n, struct etcd_header *out,
                       char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	struct etcd_header header = etcd_fields_some_header(&f, f.root);
	return etcd_fields_give(&f, out, &header, sizeof(header));
}

int etcd_answer_lease(const char *bytes, size_t n, int64_t id, struct etcd_lease *out,
                      char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	const json_t *object = id ? etcd_fields_object(&f, f.root, "result") : f.root;

	if (!object)
		etcd_fields_refuse(&f, "result", "is absent");
	struct etcd_lease lease = { .header = etcd_fields_header(&f, object),
		                    .id = etcd_fields_int64(&f, object, "ID", 1),
		                    .ttl_s = etcd_fields_int64(&f, object, "TTL", id ? 0 : 1) };

	if (id && lease.id != id)
		etcd_fields_refuse(&f, "ID", "is another lease's");
	return etcd_fields_give(&f, out, &lease, sizeof(lease));
}

int etcd_answer_authenticate(const char *bytes, size_t n, struct etcd_header *header,
                             char token[ETCD_TOKEN_MAX], char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;
	char text[ETCD_TOKEN_MAX];

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	struct etcd_header read = etcd_fields_header(&f, f.root);

	etcd_fields_text(&f, f.root, "token", text, sizeof(text));
	if (!*text)
		etcd_fields_refuse(&f, "token", "is absent");
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			etcd_fields_refuse(&f, "token", "has characters that a header cannot have");
	int err = etcd_fields_end(&f);

	if (err)
		return err;
	*header = read;
	memcpy(token, text, strlen(text) + 1);
	return 0;
}

bool etcd_member_is_for_nodes(const struct etcd_member *m)
{
	return !m->is_learner && !strncmp(m->client_url, "https://", 8);
}

/* Alarms of all members are among what a member says is wrong: "memberID:161 alarm:NOSPACE ". */
static bool has_alarm(const json_t *status, const char *name)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(status, "errors"), i,
	                   entry) if (json_is_string(entry) &&
	                              strstr(json_string_value(entry), name)) return true;
	return false;
}

int etcd_answer_status(const char *bytes, size_t n, struct etcd_status *out,
                       char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	struct etcd_status s = { .header = etcd_fields_header(&f, f.root),
		                 .db_bytes = etcd_fields_int64(&f, f.root, "dbSize", 0),
		                 .leader = etcd_fields_uint64(&f, f.root, "leader"),
		                 .is_learner = etcd_fields_bool(&f, f.root, "isLearner"),
		                 .is_full = has_alarm(f.root, "alarm:" ETCD_ALARM_FULL) };

	etcd_fields_text(&f, f.root, "version", s.version, sizeof(s.version));
	if (!s.version[0])
		etcd_fields_refuse(&f, "version", "is absent");
	return etcd_fields_give(&f, out, &s, sizeof(s));
}

int etcd_answer_alarms(const char *bytes, size_t n, struct etcd_alarms *out,
                       char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;
	struct etcd_alarms a = { 0 };
	const json_t *list = NULL;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	a.header = etcd_fields_some_header(&f, f.root);
	a.n = etcd_fields_list(&f, f.root, "alarms", ETCD_ALARMS_MAX, &list);
	for (size_t i = 0; i < a.n; i++) {
		const json_t *entry = etcd_fields_entry(&f, list, "alarms", i);

		a.alarms[i].member_id = etcd_fields_uint64(&f, entry, "memberID");
		etcd_fields_text(&f, entry, "alarm", a.alarms[i].name, sizeof(a.alarms[i].name));
		if (!a.alarms[i].name[0])
			etcd_fields_refuse(&f, "alarm", "is absent");
	}
	return etcd_fields_give(&f, out, &a, sizeof(a));
}

/* The first of a list of URLs; "": there is none. */
static void read_first_url(struct etcd_fields *f, const json_t *member, const char *name,
                           char out[ETCD_URL_MAX])
{
	const json_t *list = json_object_get(member, name), *first = json_array_get(list, 0);
	const char *text = json_string_value(first);

	out[0] = '\0';
	if (!list || json_is_null(list) || (json_is_array(list) && !json_array_size(list)))
		return;
	if (!text || strlen(text) >= ETCD_URL_MAX) {
		etcd_fields_refuse(f, name, "is no list of URLs");
		return;
	}
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			etcd_fields_refuse(f, name, "has characters that no URL has");
	snprintf(out, ETCD_URL_MAX, "%s", text);
}

static struct etcd_member read_member(struct etcd_fields *f, const json_t *entry)
{
	struct etcd_member m = { .id = etcd_fields_uint64(f, entry, "ID"),
		                 .is_learner = etcd_fields_bool(f, entry, "isLearner") };

	if (!m.id)
		etcd_fields_refuse(f, "ID", "is absent");
	etcd_fields_text(f, entry, "name", m.name, sizeof(m.name));
	read_first_url(f, entry, "peerURLs", m.peer_url);
	read_first_url(f, entry, "clientURLs", m.client_url);
	return m;
}

int etcd_answer_members(const char *bytes, size_t n, struct etcd_members *out,
                        char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;
	struct etcd_members m = { 0 };
	const json_t *list = NULL;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	m.header = etcd_fields_header(&f, f.root);
	const json_t *added = etcd_fields_object(&f, f.root, "member");

	if (added)
		m.added = read_member(&f, added).id;
	m.n = etcd_fields_list(&f, f.root, "members", ETCD_MEMBERS_MAX, &list);
	if (!m.n)
		etcd_fields_refuse(&f, "members", "is absent");
	for (size_t i = 0; i < m.n; i++)
		m.members[i] = read_member(&f, etcd_fields_entry(&f, list, "members", i));
	return etcd_fields_give(&f, out, &m, sizeof(m));
}

/*
 * Errors have had four forms:
 *   3.4, one answer:  {"error":"etcdserver: ...","message":"etcdserver: ...","code":3}
 *   3.6, one answer:  {"code":3,"message":"etcdserver: ...","details":[]}
 *   3.4, a stream:    {"error":{"grpc_code":11,"http_code":400,"message":"...","http_status":"..."}}
 *   3.6, a stream:    {"error":{"code":11,"message":"...","details":[]}}
 * What is no JSON is not etcd's: "404 page not found" of a member without the gateway, or a proxy.
 */

/* The first of these names that has a text. */
static const char *find_message(const json_t *object)
{
	const char *message = json_get_text(object, "message");

	return message ? message : json_get_text(object, "error");
}

static int find_code(const json_t *object)
{
	const json_t *code = json_object_get(object, "code");

	if (!json_is_integer(code))
		code = json_object_get(object, "grpc_code");
	if (!json_is_integer(code) || json_integer_value(code) < 0 ||
	    json_integer_value(code) > ETCD_CODE_UNAUTHENTICATED)
		return ETCD_CODE_NONE;
	return (int)json_integer_value(code);
}

/* Plain text: its first line. */
static void copy_first_line(const char *bytes, size_t n, char text[ETCD_REASON_MAX])
{
	size_t most = n < ETCD_REASON_MAX - 1 ? n : ETCD_REASON_MAX - 1, length = 0;
	char line[ETCD_REASON_MAX];

	while (length < most && bytes[length] && bytes[length] != '\n' && bytes[length] != '\r')
		length++;
	if (length)
		memcpy(line, bytes, length);
	line[length] = '\0';
	plain_copy(text, ETCD_REASON_MAX, line);
}

/* Whether the field is there and says something. */
static bool has_error(const json_t *inner)
{
	return inner && !json_is_null(inner) &&
	       !(json_is_string(inner) && !json_string_length(inner));
}

bool etcd_answer_error(long status, const char *bytes, size_t n, struct etcd_error *out)
{
	/* Keys and values are base64, so the word is there for the field alone. */
	if (status == 200 && !(n && memmem(bytes, n, "\"error\"", 7)))
		return false;
	json_t *root =
	        n <= ETCD_ANSWER_MAX ? json_read(bytes, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const json_t *inner = json_object_get(root, "error");

	if (status == 200 && !has_error(inner)) {
		json_decref(root);
		return false;
	}
	const json_t *object = json_is_object(inner) ? inner : root;
	const char *message = find_message(object);

	*out = (struct etcd_error){ .status = status, .code = find_code(object) };
	if (message)
		plain_copy(out->text, sizeof(out->text), message);
	else
		copy_first_line(bytes, n, out->text);
	json_decref(root);
	return true;
}
