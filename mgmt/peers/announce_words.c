/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node may have thousands of addresses, and is looked at four times a second: a digest tells whether the JSON
 * has to be made.
 */
#include "mgmt/peers/announce_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "weir/announce.h"

#define NOW_MS 2000u /* so long a page's last sign of life counts for what is so now */

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

/* A VIP is announced with all its addresses: the least that is said of one of them. */
static enum guard_announced read_vip(const json_t *words, const struct model_vip *vip)
{
	enum guard_announced least = vip->n_addresses ? GUARD_ANNOUNCED : GUARD_NOT_ANNOUNCED;

	for (size_t i = 0; i < vip->n_addresses; i++) {
		enum guard_announced one = announce_words_of(words, &vip->addresses[i]);

		least = one < least ? one : least;
	}
	return least;
}

/* Note what @p node announces by its @p words. @return 0 or -ENOMEM; @p out is given then */
static int note_said(const struct model *m, const struct model_node *node, const json_t *words,
                     struct guard_said *out)
{
	const struct model_announce *it = &node->announce;

	if (guard_said_init(out, m->n_vips + it->n_dns))
		return -ENOMEM;
	for (size_t i = 0; i < m->n_vips; i++)
		if (model_node_announces(node, &m->vips[i]))
			guard_said_add(out, hash_text(m->vips[i].name),
			               read_vip(words, &m->vips[i]));
	for (size_t i = 0; i < it->n_dns; i++)
		guard_said_add(out, guard_dns_key(&it->dns[i]),
		               announce_words_of(words, &it->dns[i]));
	guard_said_sort(out);
	snprintf(out->node, sizeof(out->node), "%s", node->name);
	return 0;
}

/* For exchange_read(): a node that is queried speaks for itself alone. */
static int find_queried(void *node, const char *name)
{
	return strcmp(name, ((const struct model_node *)node)->name) ? EXCHANGE_NOT_HIS : 0;
}

bool announce_words_read(const json_t *json, const struct model *m, const struct model_node *node,
                         struct guard_said *out)
{
	const struct exchange_expected expected = { .node = node->name,
		                                    .cluster = m->cluster,
		                                    .nodes_max = 1,
		                                    .find = find_queried,
		                                    .arg = (void *)(uintptr_t)node };
	struct exchange_read read;
	const char *reason;
	bool is_said = false;

	if (exchange_read(json, &expected, &read, &reason))
		return false;
	for (size_t i = 0; i < read.n_said; i++) {
		const struct exchange_said *said = &read.said[i];

		if (said->section == EXCHANGE_ANNOUNCED && said->age_ms <= NOW_MS && said->body &&
		    announce_words_are_good(said->body))
			is_said = !note_said(m, node, said->body, out);
	}
	free(read.said);
	return is_said;
}
