/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node may have thousands of addresses, and is looked at four times a second: a digest tells whether the JSON
 * has to be made.
 */
#include "mgmt/peers/announce_words.h"

#include <string.h>

#include "base/hash.h"
#include "weir/announce.h"

static uint64_t digest_address(uint64_t digest, const struct announced_address *a, const char *word)
{
	uint64_t halves[2];

	memcpy(halves, a->address.bytes, sizeof(halves));
	digest = hash_mix(digest + halves[0] + 1);
	return hash_mix(digest ^ (halves[1] + (uint64_t)*word));
}

static uint64_t digest_words(const struct announce_own *own)
{
	uint64_t digest = 1;

	for (uint32_t i = 0; i < own->node.n_addresses; i++) {
		const char *word = announce_own_word(&own->addresses[i]);

		if (word)
			digest = digest_address(digest, &own->addresses[i], word);
	}
	return digest;
}

/* NULL when out of memory: what lacks an address would not be so. */
static json_t *make_words(const struct announce_own *own)
{
	json_t *words = json_object();
	char text[ADDR_TEXT_MAX];

	for (uint32_t i = 0; words && i < own->node.n_addresses; i++) {
		const char *word = announce_own_word(&own->addresses[i]);

		if (word && json_object_set_new(words, addr_text(&own->addresses[i].address, text),
		                                json_string(word))) {
			json_decref(words);
			words = NULL;
		}
	}
	return words;
}

bool announce_words_look(struct announced_section *s, struct core *core, struct exchange_word *word)
{
	enum exchange_accepted became = EXCHANGE_SAME;

	if (!announce_own_look(&s->own, core->dirs.run))
		return false;
	uint64_t digest = digest_words(&s->own);

	core_lock(core);
	if (word->body && digest == s->digest)
		word->true_ms = s->own.node.alive_ms;
	else
		became = exchange_word_set(word, make_words(&s->own), s->own.node.alive_ms);
	core_unlock(core);
	if (became != EXCHANGE_OLDER)
		s->digest = digest;
	return became == EXCHANGE_OTHER;
}

void announce_words_fini(struct announced_section *s)
{
	announce_own_close(&s->own);
}

bool announce_words_are_good(const json_t *words)
{
	return json_is_object(words) && json_object_size(words) <= ANNOUNCED_MAX;
}

enum guard_announced announce_words_of(const json_t *words, const struct addr *address)
{
	char text[ADDR_TEXT_MAX];
	const json_t *word = json_object_get(words, addr_text(address, text));

	if (!word)
		return GUARD_NOT_ANNOUNCED;
	return json_is_string(word) && !strcmp(json_string_value(word), ANNOUNCE_OWN_YES)
	               ? GUARD_ANNOUNCED
	               : GUARD_ANNOUNCED_UNKNOWN;
}
