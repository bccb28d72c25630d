/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store is the list of all changes of keys, in their order: what a key was at a revision is the last change of it up to
 * there. A few thousand changes are looked through in no time.
 */
#include "tests/cluster/etcd_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/etcd/base64.h"

#define LEASES_MAX 256u
#define BEGIN      1 /* the revision of an empty store */

/* Bytes of a key or a value, with a NUL behind. */
struct model_bytes {
	char *at;
	size_t n;
};

struct model_change {
	struct model_bytes key, value;
	int64_t revision, created, version; /* version 0: it was deleted */
	int64_t lease;
};

struct model_lease {
	int64_t id, ttl_s, left_ms; /* id 0: free */
};

struct etcd_model {
	uint64_t cluster_id;
	struct model_change *changes;
	size_t n, room;
	int64_t revision, compacted;
	struct model_lease leases[LEASES_MAX];
	int64_t last_lease;
};

struct etcd_model *etcd_model_new(uint64_t cluster_id)
{
	struct etcd_model *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	m->cluster_id = cluster_id;
	m->revision = BEGIN;
	return m;
}

void etcd_model_free(struct etcd_model *m)
{
	for (size_t i = 0; i < m->n; i++) {
		free(m->changes[i].key.at);
		free(m->changes[i].value.at);
	}
	free(m->changes);
	free(m);
}

int64_t etcd_model_revision(const struct etcd_model *m)
{
	return m->revision;
}

void etcd_model_compact(struct etcd_model *m, int64_t revision)
{
	if (revision > m->compacted && revision <= m->revision)
		m->compacted = revision;
}

void etcd_model_restore(struct etcd_model *m, int64_t revision, uint64_t cluster_id)
{
	while (m->n && m->changes[m->n - 1].revision > revision) {
		m->n--;
		free(m->changes[m->n].key.at);
		free(m->changes[m->n].value.at);
	}
	m->revision = revision;
	m->compacted = 0;
	m->cluster_id = cluster_id;
	memset(m->leases, 0, sizeof(m->leases));
}

/* --- pieces of JSON --- */

static struct model_bytes copy_bytes(const char *at, size_t n)
{
	struct model_bytes b = { malloc(n + 1), n };

	if (!b.at)
		abort();
	if (n)
		memcpy(b.at, at, n);
	b.at[n] = '\0';
	return b;
}

static struct model_bytes read_bytes(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	const char *text = json_is_string(value) ? json_string_value(value) : "";
	size_t n = strlen(text);
	struct model_bytes b = copy_bytes("", 0);

	free(b.at);
	b.at = calloc(1, etcd_base64_room(n) + 1);
	int64_t got = b.at ? etcd_base64_read(text, n, (unsigned char *)b.at) : -1;

	if (got < 0)
		abort(); /* our own requests are base64 */
	b.n = (size_t)got;
	return b;
}

static json_t *bytes_to_json(const struct model_bytes *b)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		abort();
	etcd_base64_write(f, b->at, b->n);
	fclose(f);
	json_t *out = json_string(text);

	free(text);
	return out;
}

/* Numbers of 64 bits are texts. */
static int64_t read_number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_string(value))
		return strtoll(json_string_value(value), NULL, 10);
	return json_integer_value(value);
}

static json_t *number_to_json(int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, n);
	return json_string(text);
}

/* proto3 leaves out what is 0. */
static void set_number(json_t *object, const char *name, int64_t n)
{
	if (n)
		json_object_set_new(object, name, number_to_json(n));
}

static json_t *header_to_json(const struct etcd_model *m, uint64_t member)
{
	json_t *h = json_object();

	set_number(h, "cluster_id", (int64_t)m->cluster_id);
	set_number(h, "member_id", (int64_t)member);
	set_number(h, "revision", m->revision);
	set_number(h, "raft_term", 2);
	return h;
}

static json_t *make_error(long *status, long http, int code, const char *text)
{
	*status = http;
	return json_pack("{s:s, s:s, s:i}", "error", text, "message", text, "code", code);
}

/* --- keys --- */

static int compare_bytes(const struct model_bytes *a, const struct model_bytes *b)
{
	int order = memcmp(a->at, b->at, a->n < b->n ? a->n : b->n);

	return order ? order : (a->n > b->n) - (a->n < b->n);
}

/* Keys from one on: the one alone, up to an end, or all where the end is one NUL. */
struct model_range {
	struct model_bytes key, end;
	bool is_one;
};

static struct model_range read_range(const json_t *object)
{
	struct model_range r = { read_bytes(object, "key"), read_bytes(object, "range_end"),
		                 !json_object_get(object, "range_end") };

	return r;
}

static void free_range(struct model_range *r)
{
	free(r->key.at);
	free(r->end.at);
}

static bool is_in_range(const struct model_range *r, const struct model_bytes *key)
{
	if (r->is_one)
		return compare_bytes(&r->key, key) == 0;
	if (compare_bytes(key, &r->key) < 0)
		return false;
	return (r->end.n == 1 && !r->end.at[0]) || compare_bytes(key, &r->end) < 0;
}

/* The last change of a key up to @p revision, which may be a deletion; NULL: none. */
static const struct model_change *find_change(const struct etcd_model *m,
                                              const struct model_bytes *key, int64_t revision)
{
	for (size_t i = m->n; i > 0; i--)
		if (m->changes[i - 1].revision <= revision &&
		    !compare_bytes(&m->changes[i - 1].key, key))
			return &m->changes[i - 1];
	return NULL;
}

static const struct model_change *find_key(const struct etcd_model *m,
                                           const struct model_bytes *key, int64_t revision)
{
	const struct model_change *c = find_change(m, key, revision);

	return c && c->version ? c : NULL;
}

static void add_change(struct etcd_model *m, const struct model_bytes *key,
                       const struct model_bytes *value, int64_t revision, int64_t lease)
{
	const struct model_change *before = find_key(m, key, revision);
	struct model_change c = { .key = copy_bytes(key->at, key->n),
		                  .revision = revision,
		                  .lease = lease };

	c.value = value ? copy_bytes(value->at, value->n) : copy_bytes("", 0);
	if (value) {
		c.created = before ? before->created : revision;
		c.version = before ? before->version + 1 : 1;
	}
	if (m->n == m->room) {
		m->room = m->room ? 2 * m->room : 256;
		m->changes = reallocarray(m->changes, m->room, sizeof(c));
		if (!m->changes)
			abort();
	}
	m->changes[m->n++] = c;
}

static json_t *change_to_json(const struct model_change *c, bool has_value)
{
	json_t *kv = json_pack("{s:o}", "key", bytes_to_json(&c->key));

	set_number(kv, "create_revision", c->created);
	set_number(kv, "mod_revision", c->revision);
	set_number(kv, "version", c->version);
	if (has_value && c->value.n)
		json_object_set_new(kv, "value", bytes_to_json(&c->value));
	set_number(kv, "lease", c->version ? c->lease : 0);
	return kv;
}

/* --- reads --- */

static int by_key(const void *a, const void *b)
{
	return compare_bytes(&(*(const struct model_change *const *)a)->key,
	                     &(*(const struct model_change *const *)b)->key);
}

static int by_newest(const void *a, const void *b)
{
	int64_t x = (*(const struct model_change *const *)a)->revision;
	int64_t y = (*(const struct model_change *const *)b)->revision;

	return x == y ? by_key(a, b) : (x < y) - (x > y);
}

/* All keys of a range, in their order; given. */
static const struct model_change **
list_keys(const struct etcd_model *m, const struct model_range *r, int64_t revision, size_t *n)
{
	const struct model_change **list = calloc(m->n + 1, sizeof(*list));

	if (!list)
		abort();
	*n = 0;
	for (size_t i = 0; i < m->n; i++)
		if (is_in_range(r, &m->changes[i].key) &&
		    find_key(m, &m->changes[i].key, revision) == &m->changes[i])
			list[(*n)++] = &m->changes[i];
	qsort(list, *n, sizeof(*list), by_key);
	return list;
}

/* What a read says, without a header. */
static json_t *read_keys(const struct etcd_model *m, const json_t *body, int64_t revision)
{
	struct model_range r = read_range(body);
	size_t n, limit = (size_t)read_number(body, "limit"), shown = 0;
	const char *target = json_string_value(json_object_get(body, "sort_target"));
	const struct model_change **list = list_keys(m, &r, revision, &n);
	json_t *out = json_object(), *kvs = json_array();

	if (target && !strcmp(target, "MOD"))
		qsort(list, n, sizeof(*list), by_newest);
	bool is_count = json_is_true(json_object_get(body, "count_only"));

	for (; !is_count && shown < n && (!limit || shown < limit); shown++)
		json_array_append_new(
		        kvs, change_to_json(list[shown],
		                            !json_is_true(json_object_get(body, "keys_only"))));
	if (json_array_size(kvs))
		json_object_set(out, "kvs", kvs);
	json_decref(kvs);
	if (!is_count && shown < n)
		json_object_set_new(out, "more", json_true());
	set_number(out, "count", (int64_t)n);
	free(list);
	free_range(&r);
	return out;
}

static json_t *answer_range(struct etcd_model *m, const json_t *body, uint64_t member, long *status)
{
	int64_t revision = read_number(body, "revision");

	if (revision && revision < m->compacted)
		return make_error(status, 400, 11,
		                  "etcdserver: mvcc: required revision has been compacted");
	if (revision > m->revision)
		return make_error(status, 400, 11,
		                  "etcdserver: mvcc: required revision is a future revision");
	json_t *out = read_keys(m, body, revision ? revision : m->revision);

	json_object_set_new(out, "header", header_to_json(m, member));
	return out;
}

/* --- transactions --- */

/*
 * All compares of ours are of the revision of the last change: whether it is that of one key, or before that for each of a range.
 */
static bool compare_holds(const struct etcd_model *m, const json_t *compare)
{
	struct model_range r = read_range(compare);
	const char *result = json_string_value(json_object_get(compare, "result"));
	bool is_less = result && !strcmp(result, "LESS"), holds = true;
	int64_t revision = read_number(compare, "mod_revision");
	size_t n;
	const struct model_change **list = list_keys(m, &r, m->revision, &n);

	if (n == 0)
		holds = is_less ? 0 < revision : 0 == revision;
	for (size_t i = 0; i < n; i++)
		holds &= is_less ? list[i]->revision < revision : list[i]->revision == revision;
	free(list);
	free_range(&r);
	return holds;
}

static struct model_lease *find_lease(struct etcd_model *m, int64_t id)
{
	for (size_t i = 0; id && i < LEASES_MAX; i++)
		if (m->leases[i].id == id)
			return &m->leases[i];
	return NULL;
}

static bool knows_leases(struct etcd_model *m, const json_t *ops)
{
	const json_t *op;
	size_t i;

	json_array_foreach(ops, i, op)
	{
		int64_t lease = read_number(json_object_get(op, "request_put"), "lease");

		if (lease && !find_lease(m, lease))
			return false;
	}
	return true;
}

static int64_t delete_keys(struct etcd_model *m, const struct model_range *r, int64_t revision)
{
	size_t n;
	const struct model_change **list = list_keys(m, r, revision, &n);
	struct model_bytes *keys = calloc(n + 1, sizeof(*keys));

	for (size_t i = 0; keys && i < n; i++)
		keys[i] = copy_bytes(list[i]->key.at, list[i]->key.n);
	for (size_t i = 0; keys && i < n; i++) {
		add_change(m, &keys[i], NULL, revision, 0);
		free(keys[i].at);
	}
	free(keys);
	free(list);
	return (int64_t)n;
}

/* Carry out an operation at @p revision, which is set once something is written. */
static json_t *run_op(struct etcd_model *m, const json_t *op, int64_t revision, bool *writes)
{
	const json_t *body;

	if ((body = json_object_get(op, "request_put"))) {
		struct model_bytes key = read_bytes(body, "key"), value = read_bytes(body, "value");

		add_change(m, &key, &value, revision, read_number(body, "lease"));
		free(key.at);
		free(value.at);
		*writes = true;
		return json_pack("{s:{s:{s:o}}}", "response_put", "header", "revision",
		                 number_to_json(revision));
	}
	if ((body = json_object_get(op, "request_delete_range"))) {
		struct model_range r = read_range(body);
		int64_t n = delete_keys(m, &r, revision);

		free_range(&r);
		*writes |= n > 0;
		json_t *out = json_object();

		json_object_set_new(out, "header",
		                    json_pack("{s:o}", "revision",
		                              number_to_json(*writes ? revision : m->revision)));
		set_number(out, "deleted", n);
		return json_pack("{s:o}", "response_delete_range", out);
	}
	json_t *out = read_keys(m, json_object_get(op, "request_range"), INT64_MAX);

	json_object_set_new(
	        out, "header",
	        json_pack("{s:o}", "revision", number_to_json(*writes ? revision : m->revision)));
	return json_pack("{s:o}", "response_range", out);
}

static json_t *answer_txn(struct etcd_model *m, const json_t *body, uint64_t member, long *status)
{
	const json_t *compare, *op;
	bool is_fine = true, writes = false;
	size_t i;

	json_array_foreach(json_object_get(body, "compare"), i, compare) is_fine &=
	        compare_holds(m, compare);
	const json_t *ops = json_object_get(body, is_fine ? "success" : "failure");

	if (!knows_leases(m, ops))
		return make_error(status, 404, 5, "etcdserver: requested lease not found");
	json_t *out = json_object(), *responses = json_array();

	json_array_foreach(ops, i, op)
	        json_array_append_new(responses, run_op(m, op, m->revision + 1, &writes));
	m->revision += writes;
	json_object_set_new(out, "header", header_to_json(m, member));
	if (is_fine)
		json_object_set_new(out, "succeeded", json_true());
	if (json_array_size(responses))
		json_object_set(out, "responses", responses);
	json_decref(responses);
	return out;
}

/* --- leases --- */

static json_t *answer_grant(struct etcd_model *m, const json_t *body, uint64_t member)
{
	for (size_t i = 0; i < LEASES_MAX; i++) {
		struct model_lease *l = &m->leases[i];

		if (l->id)
			continue;
		l->id = m->last_lease += 7;
		l->ttl_s = read_number(body, "TTL");
		l->left_ms = l->ttl_s * 1000;
		return json_pack("{s:o, s:o, s:o}", "header", header_to_json(m, member), "ID",
		                 number_to_json(l->id), "TTL", number_to_json(l->ttl_s));
	}
	abort();
}

static json_t *answer_keepalive(struct etcd_model *m, const json_t *body, uint64_t member)
{
	int64_t id = read_number(body, "ID");
	struct model_lease *l = find_lease(m, id);
	json_t *out = json_pack("{s:o, s:o}", "header", header_to_json(m, member), "ID",
	                        number_to_json(id));

	if (l) {
		l->left_ms = l->ttl_s * 1000;
		set_number(out, "TTL", l->ttl_s);
	}
	return json_pack("{s:o}", "result", out);
}

/* The keys of a lease, one after the other: what is deleted moves the list. */
static bool delete_one_of_lease(struct etcd_model *m, int64_t id, int64_t revision)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct model_change *c = &m->changes[i];

		if (c->lease != id || !c->version || find_key(m, &c->key, INT64_MAX) != c)
			continue;
		struct model_bytes key = copy_bytes(c->key.at, c->key.n);

		add_change(m, &key, NULL, revision, 0);
		free(key.at);
		return true;
	}
	return false;
}

static void end_lease(struct etcd_model *m, struct model_lease *l)
{
	bool writes = false;

	while (delete_one_of_lease(m, l->id, m->revision + 1))
		writes = true;
	m->revision += writes;
	*l = (struct model_lease){ 0 };
}

static json_t *answer_revoke(struct etcd_model *m, const json_t *body, uint64_t member,
                             long *status)
{
	struct model_lease *l = find_lease(m, read_number(body, "ID"));

	if (!l)
		return make_error(status, 404, 5, "etcdserver: requested lease not found");
	end_lease(m, l);
	return json_pack("{s:o}", "header", header_to_json(m, member));
}

void etcd_model_pass_time(struct etcd_model *m, int64_t passed_ms)
{
	for (size_t i = 0; i < LEASES_MAX; i++) {
		struct model_lease *l = &m->leases[i];

		if (l->id && (l->left_ms -= passed_ms) <= 0)
			end_lease(m, l);
	}
}

/* --- members --- */

static json_t *answer_status(const struct etcd_model *m, uint64_t member)
{
	return json_pack("{s:o, s:s, s:o, s:o}", "header", header_to_json(m, member), "version",
	                 "3.4.23", "dbSize", number_to_json(4096), "leader", number_to_json(1));
}

static json_t *answer_members(const struct etcd_model *m, uint64_t member)
{
	json_t *list = json_array(), *header = header_to_json(m, member);
	char name[16], url[64];

	json_object_del(header, "revision");
	for (int64_t id = 1; id <= 3; id++) {
		snprintf(name, sizeof(name), "etcd-%d", (int)id);
		snprintf(url, sizeof(url), "https://10.8.0.%d:2379", (int)id);
		json_array_append_new(list, json_pack("{s:o, s:s, s:[s]}", "ID", number_to_json(id),
		                                      "name", name, "clientURLs", url));
	}
	return json_pack("{s:o, s:o}", "header", header, "members", list);
}

json_t *etcd_model_answer(struct etcd_model *m, const char *path, const json_t *body,
                          uint64_t member, long *status)
{
	*status = 200;
	if (!strcmp(path, "/v3/kv/range"))
		return answer_range(m, body, member, status);
	if (!strcmp(path, "/v3/kv/txn"))
		return answer_txn(m, body, member, status);
	if (!strcmp(path, "/v3/lease/grant"))
		return answer_grant(m, body, member);
	if (!strcmp(path, "/v3/lease/keepalive"))
		return answer_keepalive(m, body, member);
	if (!strcmp(path, "/v3/lease/revoke"))
		return answer_revoke(m, body, member, status);
	if (!strcmp(path, "/v3/maintenance/status"))
		return answer_status(m, member);
	if (!strcmp(path, "/v3/cluster/member/list"))
		return answer_members(m, member);
	return make_error(status, 404, 5, "Not Found");
}

/* --- watches --- */

void etcd_model_watch_init(struct etcd_model_watch *w, const json_t *body)
{
	const json_t *create = json_object_get(body, "create_request");
	struct model_range r = read_range(create);

	*w = (struct etcd_model_watch){ .key = r.key.at,
		                        .n_key = r.key.n,
		                        .next = read_number(create, "start_revision") };
	if (r.is_one) {
		free(r.end.at);
		return;
	}
	w->end = r.end.at;
	w->n_end = r.end.n;
}

void etcd_model_watch_fini(struct etcd_model_watch *w)
{
	free(w->key);
	free(w->end);
}

static json_t *event_to_json(const struct model_change *c)
{
	if (c->version)
		return json_pack("{s:o}", "kv", change_to_json(c, true));
	return json_pack("{s:s, s:o}", "type", "DELETE", "kv", change_to_json(c, false));
}

/* A compaction drops removals up to its revision, also that of the revision, from which a watch may begin still. */
static bool is_kept(const struct etcd_model *m, const struct model_change *c)
{
	return c->version || c->revision > m->compacted;
}

json_t *etcd_model_watch_line(struct etcd_model *m, struct etcd_model_watch *w, uint64_t member)
{
	const struct model_range r = { { w->key, w->n_key }, { w->end, w->n_end }, !w->end };
	json_t *result = json_pack("{s:o}", "header", header_to_json(m, member));
	json_t *events = json_array();

	if (w->is_created && w->next < m->compacted && !w->is_canceled) {
		json_object_set_new(result, "canceled", json_true());
		set_number(result, "compact_revision", m->compacted);
		w->is_canceled = true;
	}
	for (size_t i = 0; w->is_created && !w->is_canceled && i < m->n; i++)
		if (m->changes[i].revision >= w->next && is_kept(m, &m->changes[i]) &&
		    is_in_range(&r, &m->changes[i].key))
			json_array_append_new(events, event_to_json(&m->changes[i]));
	bool is_news =
	        !w->is_created || json_array_size(events) || json_object_get(result, "canceled");

	if (!w->is_created)
		json_object_set_new(result, "created", json_true());
	else if (w->next <= m->revision)
		w->next = m->revision + 1;
	w->is_created = true;
	if (json_array_size(events))
		json_object_set(result, "events", events);
	json_decref(events);
	if (is_news)
		return json_pack("{s:o}", "result", result);
	json_decref(result);
	return NULL;
}
