/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words are compared by a hash of their JSON text, made where they are made: a node that passes
 * them on passes on the stamp, too. An answer is checked whole before anything of it is taken.
 */
#include "mgmt/peers/exchange_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/plain.h"
#include "weir/json.h"
#include "weir/peer_page.h"

#define AGE_MAX_MS   ((json_int_t)1 << 48) /* no answer has an older word */
#define STAMP_LENGTH (EXCHANGE_STAMP_MAX - 1)

_Static_assert(EXCHANGE_STAMP_MAX == PEER_PAGE_HEX_MAX, "a stamp is 64 bits in hex");

#define SECTION_NAME(id, name, wakes)  name,
#define SECTION_WAKES(id, name, wakes) wakes,
static const char *const names[] = { EXCHANGE_SECTIONS(SECTION_NAME) };
static const bool wakes[] = { EXCHANGE_SECTIONS(SECTION_WAKES) };

bool exchange_section_wakes(enum exchange_section section)
{
	return wakes[section];
}

enum exchange_accepted exchange_word_set(struct exchange_word *word, json_t *body, uint64_t true_ms)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
	char stamp[EXCHANGE_STAMP_MAX];

	if (!text) { /* the former words stay */
		json_decref(body);
		return EXCHANGE_OLDER;
	}
	peer_page_hex(hash_text(text), stamp);
	free(text);
	word->true_ms = true_ms;
	if (!strcmp(stamp, word->stamp)) {
		json_decref(body);
		return EXCHANGE_SAME;
	}
	json_decref(word->body);
	word->body = body;
	memcpy(word->stamp, stamp, sizeof(stamp));
	return EXCHANGE_OTHER;
}

void exchange_word_fini(struct exchange_word *word)
{
	json_decref(word->body);
	*word = (struct exchange_word){ 0 };
}

static uint64_t age_of(const struct exchange_word *w, uint64_t now_ms)
{
	return now_ms > w->true_ms ? now_ms - w->true_ms : 0;
}

static bool is_said(const struct exchange_word *w, uint64_t now_ms)
{
	return w->stamp[0] && age_of(w, now_ms) <= EXCHANGE_PASS_MS;
}

/* Whether who has @p have lacks the words @p w of section @p i. */
static bool is_other(const struct exchange_word *w, size_t i, const char *have, uint64_t now_ms)
{
	return is_said(w, now_ms) && (!have || strlen(have) < (i + 1) * STAMP_LENGTH ||
	                              memcmp(have + i * STAMP_LENGTH, w->stamp, STAMP_LENGTH) != 0);
}

/* To a node of an earlier release, which does not know a section, its words are never news: no answer would be held. */
bool exchange_is_news(const struct exchange_word words[EXCHANGE_N_SECTIONS], const char *have,
                      uint64_t now_ms)
{
	for (size_t i = 0; i < EXCHANGE_N_SECTIONS; i++)
		if (wakes[i] && (!have || strlen(have) >= (i + 1) * STAMP_LENGTH) &&
		    is_other(&words[i], i, have, now_ms))
			return true;
	return false;
}

json_t *exchange_encode(const struct exchange_word words[EXCHANGE_N_SECTIONS], const char *have,
                        uint64_t now_ms)
{
	json_t *encoded = json_array(), *others = NULL;

	for (size_t i = 0; i < EXCHANGE_N_SECTIONS; i++) {
		const struct exchange_word *w = &words[i];

		json_array_append_new(encoded,
		                      json_number_or_null(is_said(w, now_ms), age_of(w, now_ms)));
		if (!is_other(w, i, have, now_ms))
			continue;
		if (!others)
			others = json_object();
		json_object_set_new(others, names[i], json_pack("[s, O]", w->stamp, w->body));
	}
	if (others)
		json_array_append_new(encoded, others);
	return encoded;
}

struct exchange_have exchange_have(const struct exchange_word words[EXCHANGE_N_SECTIONS],
                                   enum exchange_section whole)
{
	struct exchange_have have = { .stamps = "" };

	memset(have.stamps, '-', sizeof(have.stamps) - 1);
	for (size_t i = 0; i < EXCHANGE_N_SECTIONS; i++)
		if (words[i].stamp[0] && i != whole)
			memcpy(have.stamps + i * STAMP_LENGTH, words[i].stamp, STAMP_LENGTH);
	return have;
}

static bool is_age(const json_t *value)
{
	uint64_t age_ms;

	return json_read_count(value, AGE_MAX_MS - 1, &age_ms);
}

/* Read the age of a word, and @p other: stamp and body, NULL where it is as it was. */
static bool read_word(const json_t *age, const json_t *other, struct exchange_said *out)
{
	out->stamp = json_string_value(json_array_get(other, 0));
	out->body = json_array_get(other, 1);
	if (!is_age(age) ||
	    (other && (json_array_size(other) != 2 || !plain_is_hex(out->stamp, STAMP_LENGTH) ||
	               !json_is_object(out->body))))
		return false;
	out->age_ms = (uint64_t)json_integer_value(age);
	return true;
}

/* Read the words of one node. Sections of a later release are passed over. */
static bool read_sections(const json_t *words, int node, struct exchange_read *out)
{
	size_t n = json_array_size(words);
	const json_t *others =
	        json_array_get(words, n - 1); /* none is at the end of an empty list */

	if (!json_is_array(words))
		return false;
	if (json_is_object(others))
		n--;
	else
		others = NULL;
	for (size_t i = 0; i < EXCHANGE_N_SECTIONS; i++) {
		const json_t *age = i < n ? json_array_get(words, i) : NULL;
		const json_t *other = json_object_get(others, names[i]);
		struct exchange_said said = { .section = (enum exchange_section)i };

		if ((!age || json_is_null(age)) && !other)
			continue;
		if (!read_word(age, other, &said))
			return false;
		said.node = (size_t)node;
		if (node != EXCHANGE_UNKNOWN)
			out->said[out->n_said++] = said;
	}
	return true;
}

static const char *read_nodes(json_t *nodes, const struct exchange_expected *expected,
                              struct exchange_read *out)
{
	const char *name;
	json_t *words;

	json_object_foreach(nodes, name, words)
	{
		int node = expected->find(expected->arg, name);

		if (node == EXCHANGE_NOT_HIS)
			return "the answer speaks for a node of another site";
		if (!read_sections(words, node, out))
			return "the answer is malformed";
	}
	return NULL;
}

int exchange_read(const json_t *answer, const struct exchange_expected *expected,
                  struct exchange_read *out, const char **reason)
{
	const json_t *waited = json_object_get(answer, "waited_ms");
	json_t *nodes = json_object_get(answer, "nodes");
	struct exchange_read read = { .clock_ms = json_object_get(answer, "clock_ms") };

	*reason = "the answer is malformed";
	if (!json_has_text(answer, "node", expected->node) ||
	    !json_has_text(answer, "cluster", expected->cluster)) {
		*reason = "the answer is from another node or cluster";
		return -EINVAL;
	}
	if (!is_age(waited) || !json_is_object(nodes) ||
	    json_object_size(nodes) > expected->nodes_max)
		return -EINVAL;
	read.waited_ms = (uint64_t)json_integer_value(waited);
	read.said = calloc(json_object_size(nodes) * EXCHANGE_N_SECTIONS + 1, sizeof(*read.said));
	if (!read.said)
		return -ENOMEM;
	const char *malformed = read_nodes(nodes, expected, &read);
	if (malformed) {
		free(read.said);
		*reason = malformed;
		return -EINVAL;
	}
	*out = read;
	return 0;
}

uint64_t exchange_true_ms(uint64_t sent_ms, uint64_t received_ms, uint64_t waited_ms,
                          uint64_t age_ms)
{
	uint64_t took_ms = received_ms > sent_ms ? received_ms - sent_ms : 0;
	uint64_t from_ms = sent_ms + (waited_ms < took_ms ? waited_ms : took_ms);

	return from_ms > age_ms ? from_ms - age_ms : 0;
}

enum exchange_accepted exchange_accept(struct exchange_word *word, const struct exchange_said *said,
                                       uint64_t true_ms, uint64_t sent_ms, uint64_t now_ms)
{
	bool is_known = word->stamp[0] && word->heard_ms < sent_ms;

	if (true_ms <= word->true_ms || (!said->body && !is_known))
		return EXCHANGE_OLDER;
	word->true_ms = true_ms;
	if (!said->body || !strcmp(word->stamp, said->stamp))
		return EXCHANGE_SAME;
	word->heard_ms = now_ms;
	json_decref(word->body);
	word->body = json_incref(said->body);
	memcpy(word->stamp, said->stamp, sizeof(word->stamp));
	return EXCHANGE_OTHER;
}

uint64_t exchange_rank(const char *asker, const char *node)
{
	return hash_mix(hash_text(asker) * 31 + hash_text(node));
}

/* How many nodes of the candidate's site come before it and answer. */
static size_t count_before(const struct exchange_candidate *candidates, size_t n, size_t of)
{
	const struct exchange_candidate *c = &candidates[of];
	size_t before = 0;

	for (size_t i = 0; i < n; i++)
		before +=
		        candidates[i].site == c->site && !candidates[i].is_failed &&
		        (candidates[i].rank < c->rank || (candidates[i].rank == c->rank && i < of));
	return before;
}

void exchange_choose(const struct exchange_candidate *candidates, size_t n, bool *chosen)
{
	for (size_t i = 0; i < n; i++)
		chosen[i] =
		        candidates[i].is_own || count_before(candidates, n, i) < EXCHANGE_PER_SITE;
}
