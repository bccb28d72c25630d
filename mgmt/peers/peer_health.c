/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns reads the pages of peers without asking weir-mgmt. A page says until when it is good, so
 * that a peer that falls silent becomes unknown by itself. The own words are compared by a sum, four
 * times a second; they are written as JSON only when it differs.
 */
#include "mgmt/peers/peer_health.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "mgmt/observe/observe.h"

static size_t count_service_targets(const struct model *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n_services; i++)
		n += 2 * m->services[i].n_at;
	return n;
}

/* The targets of all services in the families that their VIPs have, from malloc(). model/check.c bounds them. */
static uint64_t *list_service_targets(const struct model *m, size_t *n)
{
	uint64_t *list = calloc(count_service_targets(m) + 1, sizeof(*list));

	*n = 0;
	for (size_t i = 0; list && i < m->n_services; i++)
		for (size_t k = 0; k < 2 * m->services[i].n_at; k++) {
			const struct model_at *at = &m->services[i].at[k / 2];

			if (model_vip_has_family(at->vip, k % 2))
				list[(*n)++] = health_target_service(m->services[i].name,
				                                     at->site->name, k % 2);
		}
	return list;
}

bool peer_health_follow(struct health_section *h, struct core *core)
{
	const struct model *m = intent_model(core->intent);
	size_t n;

	if (!m || (h->targets && h->document == intent_document(core->intent)))
		return false;
	uint64_t *targets = list_service_targets(m, &n);
	if (!targets)
		return false; /* out of memory: the next look tries again */
	free(h->targets);
	h->targets = targets;
	h->n_targets = n;
	h->document = intent_document(core->intent);
	h->digest = 0;
	return true;
}

void peer_health_fini(struct health_section *h)
{
	free(h->targets);
	*h = (struct health_section){ 0 };
}

/* The own words in the order of the targets, by @p each; one that the page has not is passed over. */
static uint64_t sum_own_words(const struct health_section *h, const struct health_page *page)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < h->n_targets; i++) {
		int page_index = health_find_index(page, h->targets[i]);

		sum = hash_mix(sum * 31 + (page_index < 0 ? 1 : health_read(page, page_index)));
	}
	return sum;
}

/* Given; NULL: memory is short. */
static json_t *own_words_to_json(const struct health_section *h, const struct health_page *page)
{
	json_t *words = json_object();

	for (size_t i = 0; words && i < h->n_targets; i++) {
		int page_index = health_find_index(page, h->targets[i]);
		char target[PEER_PAGE_HEX_MAX], word[PEER_PAGE_HEX_MAX];

		if (page_index < 0)
			continue;
		peer_page_hex(h->targets[i], target);
		peer_page_hex(health_read(page, page_index), word);
		if (json_object_set_new(words, target, json_string(word))) {
			json_decref(words);
			words = NULL;
		}
	}
	return words;
}

/*
 * The sum stands for the words that peers hear: it is noted when there are such words, and the page did not change while
 * they were written. Else the next look would find nothing new and say that the former words are true now.
 */
bool peer_health_look(struct health_section *h, struct core *core, struct exchange_word *own)
{
	struct observe_pages pages;
	json_t *words = NULL;
	enum exchange_accepted became = EXCHANGE_SAME;

	observe_open_health(core->dirs.run, &pages);
	const struct health_page *page = h->targets ? pages.health : NULL;
	uint64_t now_ms = clock_mono_ms();
	uint64_t true_ms = now_ms > pages.health_age_ms ? now_ms - pages.health_age_ms : 0;
	uint64_t sum = page ? sum_own_words(h, page) : 0;
	bool is_said = sum == h->digest;
	if (page && !is_said) {
		words = own_words_to_json(h, page);
		sum = sum_own_words(h, page) == sum ? sum : 0;
	}
	core_lock(core);
	if (!page)
		exchange_word_fini(own);
	else if (is_said)
		own->true_ms = true_ms;
	else
		became = exchange_word_set(own, words, true_ms);
	core_unlock(core);
	h->digest = became == EXCHANGE_OLDER ? 0 : sum;
	observe_close(&pages);
	return became == EXCHANGE_OTHER;
}

int peer_health_open(const char *run_dir, const char *node, struct page **out)
{
	char path[PATH_MAX];
	int err = peer_page_path(run_dir, node, path);

	if (err)
		return err;
	return page_create(path, PEER_PAGE_KIND, PEER_PAGE_LAYOUT, sizeof(struct peer_page), out);
}

void peer_health_drop(const char *run_dir, const char *node, struct page *page)
{
	char path[PATH_MAX];

	if (!page)
		return;
	peer_page_set_good_until_ms(page_payload(page), 0);
	if (peer_page_path(run_dir, node, path))
		page_close(page);
	else
		page_remove(page, path);
}

/*
 * Read the words of the document's targets out of @p body; one that is missing is 0. @return whether
 * few enough are malformed
 */
static bool read_peer_words(const struct health_section *h, const json_t *body, health_word *out)
{
	size_t malformed = 0;
	char key[PEER_PAGE_HEX_MAX];

	for (size_t i = 0; i < h->n_targets; i++) {
		peer_page_hex(h->targets[i], key);
		const json_t *word = json_object_get(body, key);

		out[i] = 0;
		if (word && !peer_page_read_word(json_string_value(word), &out[i]))
			malformed++;
	}
	return malformed <= PEER_HEALTH_MALFORMED_MAX;
}

static int write_words(const struct health_section *h, struct health_page *page, const json_t *body)
{
	health_word *list = calloc(h->n_targets + 1, sizeof(*list));
	int err = -ENOMEM;

	if (list)
		err = read_peer_words(h, body, list)
		              ? health_set_targets(page, h->targets, h->n_targets, 0)
		              : -EINVAL;
	for (size_t i = 0; !err && i < h->n_targets; i++)
		health_write(page, health_find_index(page, h->targets[i]), list[i]);
	free(list);
	return err;
}

/* Readers are woken by other words, and by those that are fresh again; not by each sign of life. */
int peer_health_write(const struct health_section *h, struct page *page, const json_t *body,
                      uint64_t true_ms)
{
	struct peer_page *payload = page_payload(page);
	bool was_fresh = clock_mono_ms() < peer_page_good_until_ms(payload);

	page_repair(page);
	int err = body ? write_words(h, &payload->health, body) : 0;
	if (err)
		return err;
	peer_page_set_good_until_ms(payload, true_ms + PEER_PAGE_GOOD_MS);
	if (body || !was_fresh)
		page_publish(page);
	return 0;
}
