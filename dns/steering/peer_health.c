/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages are written by other processes while they are read. A page's words are first copied aside,
 * under a check that its layout did not change meanwhile and that it is not damaged, and taken over
 * only as a whole. Until then the words of the last good reading stay.
 *
 * A peer's page is read only if its epoch has changed: with 256 nodes, most ticks read one page, the
 * own one.
 */
#include "dns/steering/peer_health.h"

#include <string.h>

#include "base/arena.h"
#include "base/page.h"
#include "dns/steering/decided.h"
#include "dns/steering/steering.h"
#include "weir/peer_page.h"

#define RETRY_MS 1000 /* between two attempts to open a peer's page */

static bool add_node_health(struct peer_health *v, const struct model *m,
                            const struct model_node *node, struct arena *a)
{
	struct node_health *health = &v->items[v->n];
	size_t n = v->n_targets + 1;

	*health = (struct node_health){ .node = node->name,
		                        .site = node->site,
		                        .own = node == m->self };
	health->indices = ARENA_ARRAY(a, int, n);
	health->words = ARENA_ARRAY(a, health_word, n);
	v->n++;
	return health->indices && health->words;
}

/* All nodes, also those without an `api`, which cannot be reached: they count as lost. */
static bool add_all_nodes(struct peer_health *v, const struct model *m, struct arena *a)
{
	for (size_t s = 0; s < m->n_sites; s++)
		for (size_t i = 0; i < m->n_nodes && v->n < PEER_HEALTH_NODES_MAX; i++)
			if (m->nodes[i].site == &m->sites[s] &&
			    !add_node_health(v, m, &m->nodes[i], a))
				return false;
	return true;
}

static void set_targets(struct peer_health *v, const struct model *m, const struct steering *p)
{
	for (size_t i = 0; i < p->n_services; i++) {
		const struct steering_service *s = &p->services[i];

		for (uint32_t k = 0; k < s->n_sites; k++) {
			v->site_of_state[s->first_state + k] = model_site(m, s->sites[k].name);
			v->service_of_state[s->first_state + k] =
			        i < m->n_services ? &m->services[i] : NULL;
			for (unsigned ip4 = 0; ip4 < 2; ip4++)
				v->targets[2 * (s->first_state + k) + ip4] =
				        health_target_service(s->name, s->sites[k].name, ip4);
		}
	}
}

struct peer_health *peer_health_new(const struct model *m, const struct steering *p,
                                    struct arena *a)
{
	struct peer_health *v = ARENA_ARRAY(a, struct peer_health, 1);

	if (!v)
		return NULL;
	*v = (struct peer_health){ .n_targets = 2 * p->n_states };
	v->items = ARENA_ARRAY(a, struct node_health, PEER_HEALTH_NODES_MAX);
	v->targets = ARENA_ARRAY(a, uint64_t, v->n_targets + 1);
	v->read = ARENA_ARRAY(a, health_word, v->n_targets + 1);
	v->site_of_state = ARENA_ARRAY(a, const struct model_site *, p->n_states + 1);
	v->service_of_state = ARENA_ARRAY(a, const struct model_service *, p->n_states + 1);
	if (!v->items || !v->targets || !v->read || !v->site_of_state || !v->service_of_state ||
	    !add_all_nodes(v, m, a))
		return NULL;
	set_targets(v, m, p);
	peer_health_exclude(v, 0);
	return v;
}

void peer_health_close(struct peer_health *v)
{
	for (size_t i = 0; v && i < v->n; i++) {
		page_close(v->items[i].page);
		v->items[i].page = NULL;
	}
}

void peer_health_forget_own(struct peer_health *v)
{
	for (size_t i = 0; i < v->n; i++)
		v->items[i].found &= !v->items[i].own;
}

static void find_targets(const struct peer_health *v, struct node_health *health,
                         const struct health_page *page)
{
	for (size_t i = 0; i < v->n_targets; i++)
		health->indices[i] = health_find_index(page, v->targets[i]);
}

/*
 * Take over a page's words. While its layout changes, or if it is damaged, the words read before
 * stay.
 * @return whether all were read
 */
static bool read_health_words(const struct peer_health *v, struct node_health *health,
                              const struct health_page *page, const struct page *of)
{
	uint32_t layout = __atomic_load_n(&page->generation, __ATOMIC_ACQUIRE);

	if (!layout) /* its writer has no document yet */
		return false;
	if (layout & 1)
		return false;
	if (!health->found || layout != health->layout)
		find_targets(v, health, page);
	for (size_t i = 0; i < v->n_targets; i++) {
		int index = health->indices[i];
		health_word word = index < 0 ? 0 : health_read(page, index);

		if (__atomic_load_n(&page->generation, __ATOMIC_ACQUIRE) != layout)
			return false;
		v->read[i] = word;
	}
	if (of && !page_is_sound(of)) {
		health->found = false;
		return false;
	}
	for (size_t i = 0; i < v->n_targets; i++)
		if (health->indices[i] >= 0)
			health->words[i] = v->read[i];
	health->layout = layout;
	health->found = true;
	return true;
}

/* Map a peer's page when it appears, and again when its writer has replaced it. */
static void map_peer_page(struct node_health *health, const struct peer_health_input *input)
{
	struct page *page;

	if (health->page && !page_is_replaced(health->page))
		return;
	if (!input->run_dir || (health->tried_ms && input->now_ms - health->tried_ms < RETRY_MS))
		return;
	health->tried_ms = input->now_ms;
	if (peer_page_open(input->run_dir, health->node, &page) < 0)
		return;
	page_close(health->page);
	health->page = page;
	health->found = false;
}

/* Freshness is read each time, words only if the page's epoch has changed. */
static void read_peer(const struct peer_health *v, struct node_health *health,
                      const struct peer_health_input *input)
{
	map_peer_page(health, input);
	if (!health->page)
		return;

	const struct peer_page *payload = page_payload(health->page);
	uint32_t epoch = page_epoch(health->page);

	health->fresh = input->now_ms < peer_page_good_until_ms(payload);
	if (health->found && epoch == health->epoch)
		return;
	if (read_health_words(v, health, &payload->health, health->page))
		health->epoch = epoch;
}

void peer_health_read(struct peer_health *v, const struct peer_health_input *input)
{
	for (size_t i = 0; i < v->n; i++) {
		struct node_health *health = &v->items[i];

		if (!health->own) {
			read_peer(v, health, input);
			continue;
		}
		health->fresh = input->own && input->now_ms < input->own_good_until_ms;
		if (input->own)
			(void)read_health_words(v, health, input->own, input->own_page);
	}
}

static bool is_site_excluded(const struct peer_health *v, const struct model_site *site)
{
	return site->index < 64 && v->sites_out >> site->index & 1;
}

bool peer_health_has_nodes(const struct peer_health *v, const struct model_site *site)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].site == site)
			return true;
	return false;
}

bool peer_health_decides(const struct peer_health *v, const struct model_site *site)
{
	return peer_health_has_nodes(v, site) && !is_site_excluded(v, site);
}

struct peer_health_sites peer_health_sites(const struct peer_health *v)
{
	struct peer_health_sites s = { 0 };
	bool heard = false;

	for (size_t i = 0; i < v->n; i++) {
		const struct node_health *health = &v->items[i];

		if (is_site_excluded(v, health->site))
			continue;
		heard |= health->fresh;
		if (i + 1 < v->n && v->items[i + 1].site == health->site)
			continue;
		s.n++;
		s.n_heard += heard;
		if (!heard)
			s.lost |= (uint64_t)1 << (health->site->index & 63);
		heard = false;
	}
	return s;
}

static const struct node_health *own_health(const struct peer_health *v)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].own)
			return &v->items[i];
	return NULL;
}

bool peer_health_is_settled(const struct peer_health *v)
{
	struct peer_health_sites sites = peer_health_sites(v);
	const struct node_health *own = own_health(v);

	return v->votes ? 2 * sites.n_heard > sites.n : own && own->found;
}

void peer_health_exclude(struct peer_health *v, uint64_t sites)
{
	v->sites_out = sites;
	v->votes = peer_health_sites(v).n >= PEER_HEALTH_MAJORITY_MIN;
}

static struct majority_node vote_of_node(const struct node_health *health, size_t target)
{
	return (struct majority_node){ .site = health->site->index,
		                       .own = health->own,
		                       .fresh = health->fresh,
		                       .word = health->words[target] };
}

static enum majority_was state_before(const struct peer_health *v, size_t target)
{
	if (!v->decided || !v->decided->known)
		return MAJORITY_WAS_UNKNOWN;
	return decided_is_down(v->decided, v->targets[target]) ? MAJORITY_WAS_DOWN
	                                                       : MAJORITY_WAS_UP;
}

/*
 * Whether every node outside says that its check never succeeded. A node that was not heard does
 * not say so.
 */
static bool are_all_unproven(const struct peer_health *v, size_t target)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].site != v->site_of_state[target / 2] &&
		    !health_unproven(v->items[i].words[target]))
			return false;
	return true;
}

/* Whether only the site itself can say anything about a target. */
static bool is_unwatched(const struct peer_health *v, size_t target)
{
	const struct model_service *s = v->service_of_state[target / 2];

	if (!s)
		return false;
	return !s->vip_check ||
	       (s->vip_check_from == MODEL_VIP_CHECK_DEFAULT && are_all_unproven(v, target));
}

/*
 * Without votes the own word is the decision. While there is none yet (the page was not read since the document came,
 * or the target was not checked yet), what is down stays down, as where votes are lost. A target that is not on the
 * page is not checked here, and one whose check never succeeded has no word: neither can bring the site back, so
 * neither keeps it out.
 */
static struct majority decide_alone(const struct peer_health *v, size_t target)
{
	const struct node_health *own = own_health(v);
	struct majority m = { .word = own ? own->words[target] : 0 };

	if (!own || health_state(m.word) == HEALTH_UP || health_state(m.word) == HEALTH_DOWN ||
	    (own->found && own->indices[target] < 0) || health_unproven(m.word) ||
	    state_before(v, target) != MAJORITY_WAS_DOWN)
		return m;
	m.held = true;
	m.word = health_make(HEALTH_DOWN, HEALTH_MARK_INCONCLUSIVE, health_reason(m.word),
	                     health_since_s(m.word));
	return m;
}

struct majority peer_health_of_target(const struct peer_health *v, size_t target)
{
	struct majority_node nodes[PEER_HEALTH_NODES_MAX];
	size_t n = 0;

	if (!v->votes)
		return decide_alone(v, target);

	bool alone = is_unwatched(v, target);

	for (size_t i = 0; i < v->n; i++)
		if (!is_site_excluded(v, v->items[i].site) &&
		    (!alone || v->items[i].site == v->site_of_state[target / 2]))
			nodes[n++] = vote_of_node(&v->items[i], target);
	return majority_of(nodes, n, state_before(v, target));
}

/* What the nodes see that are at @p site, or the others. */
static struct majority count_seen(const struct peer_health *v, size_t target,
                                  const struct model_site *site, bool inside)
{
	struct majority_node nodes[PEER_HEALTH_NODES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		if ((v->items[i].site == site) == inside)
			nodes[n++] = vote_of_node(&v->items[i], target);
	return majority_of(nodes, n, MAJORITY_WAS_UNKNOWN);
}

struct majority peer_health_from_outside(const struct peer_health *v, size_t target,
                                         const struct model_site *site)
{
	return count_seen(v, target, site, false);
}

struct majority peer_health_from_inside(const struct peer_health *v, size_t target,
                                        const struct model_site *site)
{
	return count_seen(v, target, site, true);
}

bool peer_health_is_unproven(const struct peer_health *v, size_t target,
                             const struct model_site *site)
{
	for (size_t i = 0; i < v->n; i++) {
		health_word word = v->items[i].words[target];

		if (v->items[i].site != site && !health_unproven(word) &&
		    health_state(word) != HEALTH_UNKNOWN)
			return false;
	}
	return true;
}

/*
 * The own weir-health takes the word of each node that it hears (healthcheck/others.c). So while it says that the target is
 * new, what a node said that is not heard any more was said of a former address.
 */
bool peer_health_is_new(const struct peer_health *v, size_t target, const struct model_site *site)
{
	const struct node_health *own = own_health(v);
	bool judged = own && own->fresh && own->site != site && health_new(own->words[target]);
	bool says = false;

	for (size_t i = 0; i < v->n; i++) {
		const struct node_health *health = &v->items[i];
		health_word word = health->words[target];

		if (health->site == site)
			continue;
		if (health_state(word) == HEALTH_UP && (health->fresh || !judged))
			return false;
		says |= health_new(word) && (health->own || health->fresh);
	}
	return says;
}
