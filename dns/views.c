/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/views.h"

#include "base/arena.h"
#include "base/page.h"
#include "base/proc.h"
#include "dns/place.h"
#include "weir/view.h"

#define RETRY_MS 1000

static bool add_view(struct views *v, const struct model *m, const struct model_node *node,
                     struct arena *a)
{
	struct view *view = &v->items[v->n];
	size_t n = v->n_targets + 1;

	*view = (struct view){ .node = node->name, .site = node->site, .own = node == m->self };
	view->places = ARENA_ARRAY(a, int, n);
	view->words = ARENA_ARRAY(a, health_word, n);
	v->n++;
	return view->places && view->words;
}

/* Nodes that can be asked; the own one has its place whatever comes before it. */
static bool add_views(struct views *v, const struct model *m, struct arena *a)
{
	size_t others = 0;

	for (size_t s = 0; s < m->n_sites; s++)
		for (size_t i = 0; i < m->n_nodes; i++) {
			const struct model_node *node = &m->nodes[i];
			bool own = node == m->self;

			if (node->site != &m->sites[s] || (!own && !*node->api))
				continue;
			if (!own && others++ >= VIEWS_MAX - 1)
				continue;
			if (!add_view(v, m, node, a))
				return false;
		}
	return true;
}

static void set_targets(struct views *v, const struct place *p)
{
	for (size_t i = 0; i < p->n_services; i++) {
		const struct place_service *s = &p->services[i];

		for (uint32_t k = 0; k < s->n_sites; k++)
			for (unsigned ip4 = 0; ip4 < 2; ip4++)
				v->targets[2 * (s->first_state + k) + ip4] =
				        health_target_service(s->name, s->sites[k].name, ip4);
	}
}

struct views *views_new(const struct model *m, const struct place *p, struct arena *a)
{
	struct views *v = ARENA_ARRAY(a, struct views, 1);

	if (!v)
		return NULL;
	*v = (struct views){ .n_targets = 2 * p->n_states, .n_sites = m->n_sites };
	v->items = ARENA_ARRAY(a, struct view, VIEWS_MAX);
	v->targets = ARENA_ARRAY(a, uint64_t, v->n_targets + 1);
	if (!v->items || !v->targets || !add_views(v, m, a))
		return NULL;
	set_targets(v, p);
	return v;
}

void views_close(struct views *v)
{
	for (size_t i = 0; v && i < v->n; i++) {
		page_close(v->items[i].page);
		v->items[i].page = NULL;
	}
}

void views_forget_own(struct views *v)
{
	for (size_t i = 0; i < v->n; i++)
		v->items[i].found &= !v->items[i].own;
}

static void find_targets(const struct views *v, struct view *view, const struct health_page *page)
{
	for (size_t i = 0; i < v->n_targets; i++)
		view->places[i] = health_find(page, v->targets[i]);
}

/* Take a page's words over; while its layout changes, those seen before stay. @return whether all were read */
static bool read_words(const struct views *v, struct view *view, const struct health_page *page)
{
	uint32_t layout = __atomic_load_n(&page->generation, __ATOMIC_ACQUIRE);

	if (layout & 1)
		return false;
	if (!view->found || layout != view->layout)
		find_targets(v, view, page);
	for (size_t i = 0; i < v->n_targets; i++) {
		int place = view->places[i];
		health_word word = place < 0 ? 0 : health_read(page, place);

		if (__atomic_load_n(&page->generation, __ATOMIC_ACQUIRE) != layout)
			return false;
		if (place >= 0)
			view->words[i] = word;
	}
	view->layout = layout;
	view->found = true;
	return true;
}

/* Map another node's page when it appears, and again when its writer has made a new one. */
static void find_page(struct view *view, const struct views_seen *seen)
{
	char path[PATH_MAX];
	struct page *page;

	if (view->page && !page_is_replaced(view->page))
		return;
	if (!seen->run_dir || (view->tried_ms && seen->now_ms - view->tried_ms < RETRY_MS))
		return;
	view->tried_ms = seen->now_ms;
	if (view_path(seen->run_dir, view->node, path) < 0 ||
	    page_open(path, VIEW_PAGE_KIND, VIEW_PAGE_LAYOUT, &page) < 0)
		return;
	if (page_size(page) < sizeof(struct view_page)) {
		page_close(page);
		return;
	}
	page_close(view->page);
	view->page = page;
	view->found = false;
}

static void read_other(const struct views *v, struct view *view, const struct views_seen *seen)
{
	find_page(view, seen);
	if (!view->page)
		return;

	const struct view_page *payload = page_payload(view->page);
	uint32_t epoch = page_epoch(view->page);

	view->fresh = seen->now_ms < view_good_until_ms(payload);
	if (view->found && epoch == view->epoch)
		return;
	if (read_words(v, view, &payload->health))
		view->epoch = epoch;
}

void views_read(struct views *v, const struct views_seen *seen)
{
	for (size_t i = 0; i < v->n; i++) {
		struct view *view = &v->items[i];

		if (!view->own) {
			read_other(v, view, seen);
			continue;
		}
		view->fresh = seen->own && seen->now_ms < seen->own_good_until_ms;
		if (seen->own)
			(void)read_words(v, view, seen->own);
	}
}

static size_t views_on(const struct views *v, size_t target, const struct model_site *except,
                       struct majority_view *out)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++) {
		const struct view *view = &v->items[i];

		if (view->site != except)
			out[n++] = (struct majority_view){ .site = view->site->index,
				                           .own = view->own,
				                           .fresh = view->fresh,
				                           .word = view->words[target] };
	}
	return n;
}

struct majority views_of(const struct views *v, size_t target)
{
	struct majority_view views[VIEWS_MAX];
	struct majority m = { 0 };

	if (v->n_sites >= VIEWS_MAJORITY_MIN)
		return majority_of(views, views_on(v, target, NULL, views));
	for (size_t i = 0; i < v->n; i++)
		if (v->items[i].own)
			m.word = v->items[i].words[target];
	return m;
}

struct majority views_from_outside(const struct views *v, size_t target,
                                   const struct model_site *site)
{
	struct majority_view views[VIEWS_MAX];

	return majority_of(views, views_on(v, target, site, views));
}
