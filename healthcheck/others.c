/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Peers' pages are opened, searched and closed in each call, and only while some VIP is new: that
 * is rare. A page's layout number is read before and after a look-up, so one that meets a rewrite
 * is discarded. Words do not say of which address they are: until a peer takes the document that changes one, it says what
 * it saw of the former. A peer that is not heard may never take it.
 */
#include "healthcheck/checker.h"

#include "base/clock.h"
#include "base/page.h"
#include "weir/peer_page.h"

#define APART_S   5  /* by which nodes may differ in clocks, and in when they take a document */
#define SETTLED_S 60 /* then a node that is heard has taken it: this one may have been late */

static bool has_new_vip(const struct checker *c)
{
	for (size_t i = 0; c->targets && i < c->targets->n; i++)
		if (c->targets->items[i].is_new)
			return true;
	return false;
}

/* Whether @p page has @p t up, at the address that it has now; not while the page's layout changes. */
static bool is_up_on_page(const struct health_page *page, const struct target *t)
{
	bool settled = clock_believed_ms() / 1000 >= t->moved_s + SETTLED_S;
	uint32_t layout = __atomic_load_n(&page->generation, __ATOMIC_ACQUIRE);
	int index = layout & 1 ? -1 : health_find_index(page, t->id);
	health_word word = index < 0 ? 0 : health_read(page, index);

	return health_state(word) == HEALTH_UP &&
	       (settled || health_since_s(word) + APART_S >= t->moved_s) &&
	       __atomic_load_n(&page->generation, __ATOMIC_ACQUIRE) == layout;
}

static void search_peer_page(struct checker *c, const struct model_node *node, const char *run_dir)
{
	const struct peer_page *peer_page;
	struct page *page;

	if (peer_page_open(run_dir, node->name, &page))
		return;
	peer_page = page_payload(page);
	bool heard = clock_mono_ms() < peer_page_good_until_ms(peer_page);

	for (size_t i = 0; heard && i < c->targets->n; i++) {
		struct target *t = &c->targets->items[i];

		if (t->is_new && t->site != node->site && is_up_on_page(&peer_page->health, t))
			checker_note_vip(c, t, 0);
	}
	page_close(page);
}

void others_search(struct checker *c, const char *run_dir)
{
	if (!has_new_vip(c))
		return;

	const struct model *m = c->targets->model;

	for (size_t i = 0; i < m->n_nodes; i++)
		if (&m->nodes[i] != m->self)
			search_peer_page(c, &m->nodes[i], run_dir);
}
