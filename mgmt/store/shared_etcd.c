/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/shared_etcd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/plain.h"
#include "base/reason.h"
#include "base/sorted.h"
#include "mgmt/overrides/member.h"

#define PAGE_KEYS     240 /* of a list, at most */
#define PAGE_FIRST    30
#define PAGE_QUICK_MS 250
#define PAGE_SLOW_MS  1000
#define ANSWER_ROOM   ((size_t)64 << 20) /* an arena's limit: far more than an answer can need */
#define KEY_MAX       (SHARED_PREFIX_MAX + SHARED_NAME_MAX)
#define KV_MAX                                                                                     \
	512u /* what an answer says of a key in addition to both texts: numbers, names of fields */

/* An answer has room for a whole page of the longest records, each text in base64. */
_Static_assert(PAGE_KEYS *((SHARED_TEXT_MAX + KEY_MAX + 4) / 3 * 4 + KV_MAX) < ETCD_ANSWER_MAX,
               "a page of a list does not fit into an answer");

struct shared_etcd {
	struct etcd_gateway *gateway;
	char prefix[SHARED_PREFIX_MAX];
	char reason[ETCD_REASON_MAX];
	const struct shared_follower *follower; /* while following */
};

bool shared_etcd_prefix_ok(const char *prefix)
{
	/* the same in a key, in a command line and in etcd's permissions */
	static const char letters[] =
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
	size_t n = strlen(prefix);

	return n > 1 && n < SHARED_PREFIX_MAX && prefix[0] == '/' && prefix[n - 1] == '/' &&
	       !strstr(prefix, "//") && strspn(prefix, letters) == n;
}

int shared_etcd_open(const struct etcd_settings *settings, const char *prefix,
                     const atomic_bool *stop, struct shared_etcd **out,
                     char reason[ETCD_REASON_MAX])
{
	if (!shared_etcd_prefix_ok(prefix))
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "the prefix must begin and end with a slash");
	struct shared_etcd *e = MEMORY_NEW(struct shared_etcd);

	snprintf(e->prefix, sizeof(e->prefix), "%s", prefix);
	int err = etcd_gateway_open(settings, stop, &e->gateway, reason);
	if (err)
		free(e); /* there is no gateway to close */
	else
		*out = e;
	return err;
}

void shared_etcd_close(struct shared_etcd *e)
{
	if (!e)
		return;
	etcd_gateway_close(e->gateway);
	free(e);
}

int shared_etcd_endpoints(struct shared_etcd *e, struct etcd_endpoints *out)
{
	return etcd_gateway_endpoints(e->gateway, out);
}

int shared_etcd_look_at(struct shared_etcd *e, const char *url, char reason[ETCD_REASON_MAX])
{
	return etcd_gateway_look_at(e->gateway, url, reason);
}

int shared_etcd_is_full(struct shared_etcd *e, bool *out)
{
	struct etcd_status status;
	int err = etcd_gateway_status_here(e->gateway, &status);

	if (!err)
		*out = status.is_full;
	return err;
}

void shared_etcd_use(struct shared_etcd *e, const struct etcd_endpoints *more)
{
	etcd_gateway_use(e->gateway, more);
}

void shared_etcd_expect(struct shared_etcd *e, uint64_t cluster_id)
{
	etcd_gateway_expect(e->gateway, cluster_id);
}

uint64_t shared_etcd_foreign(const struct shared_etcd *e)
{
	return etcd_gateway_foreign(e->gateway);
}

const char *shared_etcd_reason(const struct shared_etcd *e)
{
	return e->reason;
}

/* Note why the gateway failed; gives @p err back. */
static int note_failure(struct shared_etcd *e, int err)
{
	return reason_write(e->reason, sizeof(e->reason), err, "%s",
	                    err ? etcd_gateway_reason(e->gateway) : "");
}

/* What is no answer of etcd's, or another cluster's, counts as none: -EBADMSG is of keys. */
static int read_keys(struct shared_etcd *e, const struct etcd_range *range, struct arena *arena,
                     struct etcd_keys *out)
{
	int err = note_failure(e, etcd_gateway_range(e->gateway, range, arena, out));

	return err == -EBADMSG ? -EHOSTUNREACH : err;
}

/** Keys of a change, as etcd has them. */
struct change_keys {
	char seen[SHARED_CHANGE_MAX][KEY_MAX], puts[SHARED_CHANGE_MAX][KEY_MAX];
};

static struct etcd_bytes make_key(const struct shared_etcd *e, const char *name, char out[KEY_MAX])
{
	snprintf(out, KEY_MAX, "%s%s", e->prefix, name);
	return etcd_text(out);
}

static bool is_text(const struct etcd_bytes *value)
{
	return value->n <= SHARED_TEXT_MAX && !memchr(value->at, '\0', value->n);
}

/*
 * Copy a key's record. A member's that is too long or no text is empty instead, so it is refused as any other that is no
 * member, and does not keep this node from all that is behind it. @return 0; -ENOMEM; or -EBADMSG: it cannot be ours, as a
 * name without end, or another value that is too long or no text
 */
static int copy_record(struct shared_etcd *e, const struct etcd_kv *kv, struct shared_record *out)
{
	size_t before = strlen(e->prefix);
	size_t n = kv->key.n > before ? kv->key.n - before : 0;

	*out = (struct shared_record){ .revision = kv->mod_revision };
	bool is_member = n > strlen(MEMBER_PREFIX) &&
	                 !memcmp(kv->key.at + before, MEMBER_PREFIX, strlen(MEMBER_PREFIX));

	if (n == 0 || n >= SHARED_NAME_MAX || memchr(kv->key.at, '\0', kv->key.n) ||
	    (!is_member && !is_text(&kv->value))) {
		char name[100];

		plain_copy(name, sizeof(name), kv->key.at);
		return reason_write(e->reason, sizeof(e->reason), -EBADMSG,
		                    "the key %s is not Weir's", name);
	}
	memcpy(out->name, kv->key.at + before, n);
	out->text = is_text(&kv->value) ? strndup(kv->value.at, kv->value.n) : strdup("");
	return out->text ? 0 : -ENOMEM;
}

/* The record that a read of the key of @p name gave, or that there is none. */
static int copy_found(struct shared_etcd *e, const struct etcd_keys *keys, const char *name,
                      struct shared_record *out)
{
	if (keys->n)
		return copy_record(e, &keys->kvs[0], out);
	*out = (struct shared_record){ 0 };
	snprintf(out->name, sizeof(out->name), "%s", name);
	return 0;
}

/* What is there now of all that @p c rests on, as the transaction's failure has read it. */
static int copy_refusal(struct shared_etcd *e, const struct shared_change *c,
                        const struct etcd_txn_result *r, struct shared_answer *out)
{
	struct shared_answer a = { .result = SHARED_REFUSED };
	int err = 0;

	for (size_t i = 0; !err && i < c->n_seen; i++) {
		err = copy_found(e, &r->results[i].keys, c->seen[i].name, &a.now[i]);
		a.n_now += !err;
	}
	if (err)
		shared_answer_fini(&a);
	else
		*out = a;
	return err;
}

/* The revision at which @p name was seen; -1: the change does not rest on it. */
static int64_t seen_revision(const struct shared_change *c, const char *name)
{
	for (size_t i = 0; i < c->n_seen; i++)
		if (!strcmp(c->seen[i].name, name))
			return c->seen[i].revision;
	return -1;
}

/** What a record says of whether a change was carried out. */
enum trace { TRACE_YES, TRACE_NO, TRACE_NONE };

/*
 * A record that the change would have written, and its key's version as etcd counts it. With the change's id, it was
 * carried out. As it was seen, or where there was none the first that another made, it was not. Anything else may be
 * written over ours. (What has been removed is not made again under its name: a version, its mark.)
 * @return 0 or -ENOMEM
 */
static int read_trace(const struct shared_change *c, const struct shared_record *r, int64_t version,
                      enum trace *out)
{
	int64_t seen = seen_revision(c, r->name);
	char id[SHARED_ID_MAX] = "";
	int err = r->text ? shared_change_of(r->text, id) : 0;

	if (err)
		return err;
	if (!strcmp(id, c->id))
		*out = TRACE_YES;
	else if (seen >= 0 && (r->revision == seen || (seen == 0 && version == 1)))
		*out = TRACE_NO;
	else
		*out = TRACE_NONE;
	return 0;
}

/*
 * Look for the change's id in what it would have written. @return 0 and @p found, or as the reads of mgmt/etcd/gateway.h
 */
static int look_for_change(struct shared_etcd *e, const struct shared_change *c, enum trace *found,
                           int64_t *revision)
{
	int err = 0;

	*found = TRACE_NONE;
	for (size_t i = 0; !err && i < c->n_puts && *found == TRACE_NONE; i++) {
		char key[KEY_MAX];
		const struct etcd_range range = { .key = make_key(e, c->puts[i].name, key) };
		struct arena *arena = memory_must(arena_new(ANSWER_ROOM));
		struct shared_record r = { 0 };
		struct etcd_keys keys;

		err = read_keys(e, &range, arena, &keys);
		if (!err)
			err = copy_found(e, &keys, c->puts[i].name, &r);
		if (!err)
			err = read_trace(c, &r, keys.n ? keys.kvs[0].version : 0, found);
		*revision = r.revision;
		free(r.text);
		arena_free(arena);
	}
	return err;
}

/* A compare failed after a try without an answer: it may be this very change that was there first. */
static int settle_unsure(struct shared_etcd *e, const struct shared_change *c,
                         const struct etcd_txn_result *r, struct shared_answer *out)
{
	enum trace found = TRACE_NONE;
	int64_t revision = 0;

	if (look_for_change(e, c, &found, &revision) || found == TRACE_NONE) {
		*out = (struct shared_answer){ .result = SHARED_UNKNOWN };
		return 0;
	}
	if (found == TRACE_NO)
		return copy_refusal(e, c, r, out);
	*out = (struct shared_answer){ .result = SHARED_DONE, .revision = revision };
	return 0;
}

/* The transaction of @p c; its failure reads what the change rests on. */
static void make_txn(struct shared_etcd *e, const struct shared_change *c, struct change_keys *keys,
                     struct etcd_compare compares[SHARED_CHANGE_MAX],
                     struct etcd_op success[SHARED_CHANGE_MAX],
                     struct etcd_op failure[SHARED_CHANGE_MAX])
{
	for (size_t i = 0; i < c->n_seen; i++) {
		struct etcd_bytes key = make_key(e, c->seen[i].name, keys->seen[i]);

		bool all = c->seen[i].is_prefix;

		compares[i] = (struct etcd_compare){ key, c->seen[i].revision, all };
		failure[i] = (struct etcd_op){
			.kind = ETCD_RANGE,
			.on = { .key = key, .prefix = all, .limit = all, .newest_first = all }
		};
	}
	for (size_t i = 0; i < c->n_puts; i++) {
		const char *text = c->puts[i].text;

		success[i] = (struct etcd_op){ .kind = text ? ETCD_PUT : ETCD_DELETE,
			                       .on = { .key = make_key(e, c->puts[i].name,
			                                               keys->puts[i]),
			                               .prefix = c->puts[i].is_prefix },
			                       .value = etcd_text(text ? text : ""),
			                       .lease = text ? c->puts[i].lease : 0 };
	}
}

/* What is not above all that was known when the change was made is in another store, such as a backup of this one. */
static void doubt_answer(struct shared_etcd *e, const struct shared_change *c,
                         struct shared_answer *a)
{
	if (a->result != SHARED_DONE || a->revision > c->above)
		return;
	a->result = SHARED_UNKNOWN;
	snprintf(e->reason, sizeof(e->reason),
	         "the store gave it revision %" PRId64 ", but was at %" PRId64 " before",
	         a->revision, c->above);
}

int shared_etcd_write(struct shared_etcd *e, const struct shared_change *c,
                      struct shared_answer *out)
{
	struct change_keys keys;
	struct etcd_compare compares[SHARED_CHANGE_MAX];
	struct etcd_op success[SHARED_CHANGE_MAX], failure[SHARED_CHANGE_MAX];
	const struct etcd_txn txn = { compares, c->n_seen, success, failure, c->n_puts, c->n_seen };
	struct etcd_txn_result r;
	int err = c->err;

	e->reason[0] = '\0';
	if (err)
		return err;
	struct arena *arena = memory_must(arena_new(ANSWER_ROOM));

	make_txn(e, c, &keys, compares, success, failure);
	switch (etcd_gateway_txn(e->gateway, &txn, arena, &r, &err)) {
	case ETCD_DONE:
		*out = (struct shared_answer){ .result = SHARED_DONE,
			                       .revision = r.header.revision };
		err = 0;
		break;
	case ETCD_REFUSED:
		err = copy_refusal(e, c, &r, out);
		break;
	case ETCD_REFUSED_UNSURE:
		err = settle_unsure(e, c, &r, out);
		break;
	case ETCD_UNKNOWN:
		(void)note_failure(e, err);
		*out = (struct shared_answer){ .result = SHARED_UNKNOWN };
		err = 0;
		break;
	case ETCD_NOT_WRITTEN:
		(void)note_failure(e, err);
		break;
	}
	arena_free(arena);
	if (!err)
		doubt_answer(e, c, out);
	return err;
}

int shared_etcd_grant(struct shared_etcd *e, int64_t ttl_s, int64_t *out)
{
	struct etcd_lease lease;
	int err = note_failure(e, etcd_gateway_grant(e->gateway, ttl_s, &lease));

	if (!err)
		*out = lease.id;
	return err;
}

int shared_etcd_renew(struct shared_etcd *e, int64_t lease)
{
	struct etcd_lease renewed;

	return note_failure(e, etcd_gateway_keepalive(e->gateway, lease, &renewed));
}

/* Add a page of @p limit keys to the list. @p more  out: whether there are others behind it */
static int list_page(struct shared_etcd *e, struct shared_records *l, uint32_t limit, bool *more)
{
	char after[KEY_MAX];
	struct etcd_range range = {
		.key = etcd_text(e->prefix), .prefix = true, .revision = l->revision, .limit = limit
	};
	struct arena *arena = memory_must(arena_new(ANSWER_ROOM));
	struct etcd_keys keys;

	if (l->n)
		range.after = make_key(e, l->records[l->n - 1].name, after);
	int err = read_keys(e, &range, arena, &keys);

	for (size_t i = 0; !err && i < keys.n; i++) {
		if (l->n == SHARED_RECORDS_MAX) {
			err = reason_write(e->reason, sizeof(e->reason), -EBADMSG,
			                   "more than %u keys below %s", SHARED_RECORDS_MAX,
			                   e->prefix);
		} else {
			err = copy_record(e, &keys.kvs[i], &l->records[l->n]);
			l->n += !err;
		}
	}
	if (!err && !l->revision) {
		l->revision = keys.header.revision;
		l->cluster_id = keys.header.cluster_id;
	} else if (!err && keys.header.cluster_id != l->cluster_id) {
		err = reason_write(e->reason, sizeof(e->reason), -EHOSTUNREACH,
		                   "the members are of several clusters");
	}
	*more = !err && keys.more;
	arena_free(arena);
	return err;
}

/* A page has as many keys as the link brings well within ETCD_REQUEST_MS. */
static uint32_t next_limit(uint32_t limit, uint64_t took_ms)
{
	if (took_ms > PAGE_SLOW_MS)
		return limit > 1 ? limit / 2 : 1;
	return took_ms < PAGE_QUICK_MS && limit * 2 <= PAGE_KEYS ? limit * 2 : limit;
}

int shared_etcd_list(struct shared_etcd *e, struct shared_records *out)
{
	struct shared_records l = { .records = calloc(SHARED_RECORDS_MAX, sizeof(*l.records)) };
	uint32_t limit = PAGE_FIRST;
	bool more = true;
	int err = l.records ? 0 : -ENOMEM;

	e->reason[0] = '\0';
	while (!err && more) {
		uint64_t began_ms = clock_mono_ms();

		err = list_page(e, &l, limit, &more);
		limit = next_limit(limit, clock_mono_ms() - began_ms);
	}
	if (err)
		shared_records_fini(&l);
	else
		*out = l;
	return err;
}

int shared_etcd_find(struct shared_etcd *e, const char *name, struct shared_records *out)
{
	char key[KEY_MAX];
	const struct etcd_range range = { .key = make_key(e, name, key) };
	struct arena *arena = memory_must(arena_new(ANSWER_ROOM));
	struct shared_records l = { .records = MEMORY_NEW(struct shared_record) };
	struct etcd_keys keys;

	e->reason[0] = '\0';
	int err = read_keys(e, &range, arena, &keys);

	if (!err && keys.n)
		err = copy_record(e, &keys.kvs[0], &l.records[0]);
	if (err) {
		shared_records_fini(&l);
	} else {
		l.n = keys.n != 0;
		l.revision = keys.header.revision;
		l.cluster_id = keys.header.cluster_id;
		*out = l;
	}
	arena_free(arena);
	return err;
}

void shared_records_fini(struct shared_records *l)
{
	shared_free_texts(l->records, l->n);
	free(l->records);
	*l = (struct shared_records){ 0 };
}

const struct shared_record *shared_records_find(const struct shared_records *l, const char *name)
{
	return l->n ? bsearch(name, l->records, l->n, sizeof(*l->records), sorted_by_chars) : NULL;
}

/* What changed at one revision. @return false, with a reason: not all of it can be ours, or it could not be kept */
static bool pass_events(void *arg, int64_t revision, const struct etcd_event *events, size_t n)
{
	struct shared_etcd *e = arg;
	struct shared_record *list = calloc(n ? n : 1, sizeof(*list));
	size_t used = 0;
	int err = list ? 0 : -ENOMEM;

	for (; !err && used < n; used += !err) {
		err = copy_record(e, &events[used].kv, &list[used]);
		if (!err && events[used].is_deleted) {
			free(list[used].text);
			list[used].text = NULL;
		}
	}
	if (!err && !e->follower->changed(e->follower->arg, revision, list, n))
		err = -EIO;
	if (err && err != -EBADMSG)
		snprintf(e->reason, sizeof(e->reason),
		         "the change of revision %" PRId64 " could not be kept", revision);
	shared_free_texts(list, used);
	free(list);
	return !err;
}

static bool pass_heard(void *arg, uint64_t sent_ms, int64_t revision)
{
	const struct shared_etcd *e = arg;

	return !e->follower->heard || e->follower->heard(e->follower->arg, sent_ms, revision);
}

static void pass_left(void *arg, const char *reason)
{
	const struct shared_etcd *e = arg;

	if (e->follower->left)
		e->follower->left(e->follower->arg, reason);
}

enum etcd_watch_end shared_etcd_follow(struct shared_etcd *e, int64_t next, int64_t revision,
                                       const struct shared_follower *follower)
{
	struct etcd_watch w = { .range = { .key = etcd_text(e->prefix), .prefix = true },
		                .next = next,
		                .revision = revision,
		                .ends_when_back = true,
		                .changed = pass_events,
		                .heard = pass_heard,
		                .left = pass_left,
		                .arg = e };

	e->follower = follower;
	e->reason[0] = '\0';
	enum etcd_watch_end end = etcd_watch_run(e->gateway, &w);

	if (!e->reason[0])
		(void)note_failure(e, -EIO);
	return end;
}
