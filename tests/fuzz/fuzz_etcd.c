/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as an answer of etcd, for each reader, and as the stream of a watch: what is accepted fits the request, and a stream
 * says the same in pieces of any size. The first byte is the size of the pieces.
 */
#include <assert.h>
#include <stdlib.h>

#include "mgmt/etcd/stream.h"
#include "tests/fuzz/fuzz_text.h"

static const struct etcd_range range = { .key = { "a", 1 }, .prefix = true };

static bool is_in_range(struct etcd_bytes key)
{
	return key.n >= 1 && key.n <= 512 && key.at[0] == 'a' && key.at[key.n] == '\0';
}

static void check_keys(const struct etcd_keys *keys, int64_t revision)
{
	assert((int64_t)keys->n <= keys->count);
	for (size_t i = 0; i < keys->n; i++) {
		const struct etcd_kv *kv = &keys->kvs[i];

		assert(is_in_range(kv->key) && kv->value.n <= 1048576);
		assert(kv->create_revision >= 1 && kv->create_revision <= kv->mod_revision &&
		       kv->mod_revision <= revision && kv->version >= 1 && kv->lease >= 0);
		assert(i == 0 || etcd_bytes_compare(keys->kvs[i - 1].key, kv->key) < 0);
	}
}

static void check_range(const char *text, size_t n, struct arena *arena)
{
	struct etcd_keys keys = { .count = -7 };
	char reason[ETCD_REASON_MAX] = "";

	if (etcd_answer_range(text, n, &range, arena, &keys, reason)) {
		assert(*reason && keys.count == -7 && !keys.kvs);
		return;
	}
	assert(keys.header.cluster_id && keys.header.revision >= 1);
	check_keys(&keys, keys.header.revision);
}

static void check_txn(const char *text, size_t n, struct arena *arena)
{
	static const struct etcd_op success[] = { { .kind = ETCD_PUT }, { .kind = ETCD_DELETE } },
	                            failure[] = { { .kind = ETCD_RANGE,
		                                    .on = { .key = { "a", 1 }, .prefix = true } } };
	static const struct etcd_txn txn = {
		.success = success, .n_success = 2, .failure = failure, .n_failure = 1
	};
	struct etcd_txn_result result = { .n_results = 77 };
	char reason[ETCD_REASON_MAX] = "";

	if (etcd_answer_txn(text, n, &txn, arena, &result, reason)) {
		assert(*reason && result.n_results == 77);
		return;
	}
	assert(result.header.cluster_id && result.n_results == (result.succeeded ? 2 : 1));
	for (size_t i = 0; i < result.n_results; i++) {
		assert(result.results[i].kind == (result.succeeded ? success : failure)[i].kind);
		check_keys(&result.results[i].keys, result.header.revision);
	}
}

static void check_leases(const char *text, size_t n)
{
	struct etcd_lease lease;
	char reason[ETCD_REASON_MAX];

	if (!etcd_answer_lease(text, n, 0, &lease, reason))
		assert(lease.id > 0 && lease.ttl_s > 0);
	if (!etcd_answer_lease(text, n, 5, &lease, reason))
		assert(lease.id == 5 && lease.ttl_s >= 0);
}

static void check_plain(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	assert(n < size);
	for (size_t i = 0; i < n; i++)
		assert((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
}

static void check_members(const char *text, size_t n)
{
	static struct etcd_members members;
	static struct etcd_alarms alarms;
	struct etcd_status status;
	struct etcd_header header;
	char reason[ETCD_REASON_MAX], token[ETCD_TOKEN_MAX];

	if (!etcd_answer_members(text, n, &members, reason)) {
		assert(members.n >= 1 && members.n <= 32);
		for (size_t i = 0; i < members.n; i++) {
			assert(members.members[i].id);
			check_plain(members.members[i].name, sizeof(members.members[i].name));
			check_plain(members.members[i].peer_url,
			            sizeof(members.members[i].peer_url));
			check_plain(members.members[i].client_url,
			            sizeof(members.members[i].client_url));
		}
	}
	if (!etcd_answer_alarms(text, n, &alarms, reason))
		for (size_t i = 0; i < alarms.n; i++)
			check_plain(alarms.alarms[i].name, sizeof(alarms.alarms[i].name));
	if (!etcd_answer_status(text, n, &status, reason)) {
		assert(status.db_bytes >= 0 && status.version[0]);
		check_plain(status.version, sizeof(status.version));
	}
	if (!etcd_answer_authenticate(text, n, &header, token, reason)) {
		assert(*token && !strchr(token, ' '));
		check_plain(token, sizeof(token));
	}
}

static void check_error(const char *text, size_t n)
{
	struct etcd_error error;

	assert(etcd_answer_error(500, text, n, &error) && error.status == 500);
	assert(error.code >= -1 && error.code <= 16);
	check_plain(error.text, sizeof(error.text));
	if (etcd_answer_error(200, text, n, &error))
		check_plain(error.text, sizeof(error.text));
}

/* What a stream has brought. */
struct outcome {
	uint64_t digest;
	int64_t next;
	int err;
};

static void mix_bytes(struct outcome *o, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		o->digest = (o->digest ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
}

static bool note_events(void *arg, int64_t revision, const struct etcd_event *events, size_t n)
{
	struct outcome *o = arg;

	assert(n && revision >= o->next);
	o->next = revision + 1;
	mix_bytes(o, &revision, sizeof(revision));
	mix_bytes(o, &n, sizeof(n));
	for (size_t i = 0; i < n; i++) {
		const struct etcd_event *e = &events[i];

		assert(e->kv.mod_revision == revision && is_in_range(e->kv.key));
		assert(e->is_deleted || (e->kv.version >= 1 && e->kv.create_revision >= 1));
		mix_bytes(o, e->kv.key.at, e->kv.key.n);
		mix_bytes(o, e->kv.value.at, e->kv.value.n);
	}
	return true;
}

static struct outcome read_stream(const uint8_t *bytes, size_t n, size_t piece)
{
	struct outcome o = { .digest = 14695981039346656037u, .next = 5 };
	struct etcd_stream s;

	etcd_stream_init(&s, &range, 0, 5, note_events, &o);
	for (size_t at = 0; at < n; at += piece) {
		size_t part = n - at < piece ? n - at : piece;
		char *copy = fuzz_text(bytes + at, part);

		o.err = etcd_stream_feed(&s, copy, part);
		assert(!o.err || s.reason[0]);
		free(copy);
	}
	assert(s.next == o.next);
	etcd_stream_fini(&s);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct arena *arena = arena_new((size_t)16 << 20);

	if (n && arena) {
		const char *text = (const char *)bytes + 1;

		check_range(text, n - 1, arena);
		check_txn(text, n - 1, arena);
		check_leases(text, n - 1);
		check_members(text, n - 1);
		check_error(text, n - 1);
		struct outcome whole = read_stream(bytes + 1, n - 1, n),
		               cut = read_stream(bytes + 1, n - 1, 1 + bytes[0] % 64);

		assert(whole.digest == cut.digest && whole.next == cut.next &&
		       whole.err == cut.err);
	}
	arena_free(arena);
	return 0;
}
