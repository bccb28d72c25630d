/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows are arrays, not objects: 4,096 keys take some 150 KB. Each row is read with the types and
 * ranges that it must have, by one table for each kind; one bad row refuses the answer, since what a
 * peer sends is either this or it is none of ours.
 */
#include "mgmt/peers/peer_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "weir/json.h"
#include "weir/peer_page.h"

static json_t *make_keys(const struct steer_keys *k)
{
	json_t *list = json_array();

	for (size_t i = 0; i < k->n_keys; i++) {
		char hex[PEER_PAGE_HEX_MAX];
		uint64_t key = 0;

		for (size_t b = 0; b < sizeof(k->keys[i].key); b++)
			key = key << 8 | k->keys[i].key[b];
		peer_page_hex(key, hex);
		json_array_append_new(list, json_pack("[s, I, I]", hex, (json_int_t)k->keys[i].name,
		                                      (json_int_t)k->keys[i].queries));
	}
	return list;
}

static json_t *make_names(const struct steer_keys *k, uint64_t now_ms)
{
	json_t *list = json_array();

	for (size_t i = 0; i < k->n_names; i++) {
		const struct steer_keys_name *n = &k->names[i];
		uint64_t cached_ms = n->cached_until_ms > now_ms ? n->cached_until_ms - now_ms : 0;

		json_array_append_new(list, json_pack("[I, I, I, I, I]", (json_int_t)n->name,
		                                      (json_int_t)n->queries, (json_int_t)n->others,
		                                      (json_int_t)n->longest_ttl_s,
		                                      (json_int_t)cached_ms));
	}
	return list;
}

static json_t *make_answers(const struct steer_keys *k)
{
	json_t *list = json_array();

	for (size_t i = 0; i < k->n_answers; i++) {
		char service[PEER_PAGE_HEX_MAX], site[PEER_PAGE_HEX_MAX];

		peer_page_hex(k->answers[i].service, service);
		peer_page_hex(k->answers[i].site, site);
		json_array_append_new(list,
		                      json_pack("[s, s, I]", service, site,
		                                (json_int_t)(k->answers[i].answers & INT64_MAX)));
	}
	return list;
}

json_t *peer_keys_make(const struct steer_keys *keys, uint64_t now_ms)
{
	if (!keys)
		return json_pack("{s:n}", "age_ms");
	return json_pack("{s:I, s:I, s:o, s:o, s:o}", "age_ms",
	                 (json_int_t)(now_ms > keys->read_ms ? now_ms - keys->read_ms : 0),
	                 "covered_s", (json_int_t)keys->covered_s, "keys", make_keys(keys), "names",
	                 make_names(keys, now_ms), "answers", make_answers(keys));
}

/* --- a peer's answer --- */

/* Number @p at of a row, at most @p most. @return false: it is none */
static bool read_number(const json_t *row, size_t at, uint64_t most, uint64_t *out)
{
	return json_read_count(json_array_get(row, at), most, out);
}

static bool read_hex(const json_t *row, size_t at, uint64_t *out)
{
	const char *text = json_string_value(json_array_get(row, at));

	if (!plain_is_hex(text, PEER_PAGE_HEX_MAX - 1))
		return false;
	*out = strtoull(text, NULL, 16);
	return true;
}

static bool read_key(const json_t *row, struct steer_key *out)
{
	uint64_t key, name, queries;

	if (json_array_size(row) != 3 || !read_hex(row, 0, &key) ||
	    !read_number(row, 1, UINT32_MAX, &name) || !read_number(row, 2, UINT32_MAX, &queries))
		return false;
	for (size_t b = 0; b < sizeof(out->key); b++)
		out->key[b] = (uint8_t)(key >> (56 - 8 * b));
	out->name = (uint32_t)name;
	out->queries = (uint32_t)queries;
	return queries && (out->key[0] == 4 || out->key[0] == 6);
}

static bool read_name(const json_t *row, uint64_t queried_ms, struct steer_keys_name *out)
{
	uint64_t name, queries, others, ttl_s, cached_ms;

	if (json_array_size(row) != 5 || !read_number(row, 0, UINT32_MAX, &name) ||
	    !read_number(row, 1, UINT32_MAX, &queries) || !read_number(row, 2, queries, &others) ||
	    !read_number(row, 3, PEER_KEYS_TTL_MAX_S, &ttl_s) ||
	    !read_number(row, 4, PEER_KEYS_TTL_MAX_S * UINT64_C(1000), &cached_ms))
		return false;
	*out = (struct steer_keys_name){
		.name = (uint32_t)name,
		.queries = (uint32_t)queries,
		.others = (uint32_t)others,
		.longest_ttl_s = (uint32_t)ttl_s,
		.cached_until_ms = cached_ms ? queried_ms + cached_ms : 0,
	};
	return true;
}

static bool read_answers(const json_t *row, struct steer_keys_answers *out)
{
	return json_array_size(row) == 3 && read_hex(row, 0, &out->service) &&
	       read_hex(row, 1, &out->site) && read_number(row, 2, INT64_MAX, &out->answers);
}

static bool read_rows(const json_t *answer, uint64_t queried_ms, struct steer_keys *k)
{
	const json_t *keys = json_object_get(answer, "keys");
	const json_t *names = json_object_get(answer, "names");
	const json_t *answers = json_object_get(answer, "answers");

	for (size_t i = 0; i < k->n_keys; i++)
		if (!read_key(json_array_get(keys, i), &k->keys[i]))
			return false;
	for (size_t i = 0; i < k->n_names; i++)
		if (!read_name(json_array_get(names, i), queried_ms, &k->names[i]))
			return false;
	for (size_t i = 0; i < k->n_answers; i++)
		if (!read_answers(json_array_get(answers, i), &k->answers[i]))
			return false;
	return true;
}

/* Each name once: a second row could hide the first. Rows are in order. */
static bool are_names_unique(const struct steer_keys *k)
{
	for (size_t i = 1; i < k->n_names; i++)
		if (k->names[i].name == k->names[i - 1].name)
			return false;
	return true;
}

/* @return NULL: out of memory, no lists, or more than there is room for */
static struct steer_keys *make_room(const json_t *answer)
{
	const json_t *keys = json_object_get(answer, "keys");
	const json_t *names = json_object_get(answer, "names");
	const json_t *answers = json_object_get(answer, "answers");

	if (!json_is_array(keys) || !json_is_array(names) || !json_is_array(answers))
		return NULL;
	return steer_keys_new(json_array_size(keys), json_array_size(names),
	                      json_array_size(answers));
}

int peer_keys_read(const json_t *answer, uint64_t queried_ms, struct steer_keys **out)
{
	uint64_t age_ms, covered_s;
	struct steer_keys *k = NULL;

	if (json_read_count(json_object_get(answer, "age_ms"), STEER_KEYS_OLD_MS, &age_ms) &&
	    json_read_count(json_object_get(answer, "covered_s"), STEER_KEYS_WINDOW_S, &covered_s))
		k = make_room(answer);
	if (k && read_rows(answer, queried_ms, k)) {
		steer_keys_settle(k);
		if (are_names_unique(k)) {
			k->covered_s = (uint32_t)covered_s;
			k->read_ms = queried_ms - (age_ms < queried_ms ? age_ms : queried_ms);
			*out = k;
			return 0;
		}
	}
	steer_keys_free(k);
	return -EINVAL;
}
