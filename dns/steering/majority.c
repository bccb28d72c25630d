/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Count twice: with the lost views as up and as down. If both counts agree, the vote is decided; if
 * not, the views do not suffice and the last state stays. This is done first among a site's nodes,
 * then among the sites, so a site with many nodes has no more weight than another one.
 */
#include "dns/steering/majority.h"

static bool is_word_known(const struct majority_node *view)
{
	enum health_state state = health_state(view->word);

	return state == HEALTH_UP || state == HEALTH_DOWN; /* a damaged word may be neither */
}

static bool has_vote(const struct majority_node *view)
{
	return view->fresh && is_word_known(view) && !health_inconclusive(view->word) &&
	       !health_restored(view->word);
}

/* Add a site's vote: what most of its @p n nodes say, if the lost ones could not change that. */
static void add_site(struct majority *m, uint32_t n, uint32_t n_down, uint32_t n_lost)
{
	if (2 * n_down > n)
		m->n_down++;
	else if (2 * (n_down + n_lost) > n)
		m->n_lost++;
	else
		m->n_up++;
}

/* Views of one site are neighbours, so one pass counts nodes within sites and sites. */
static struct majority count_votes(const struct majority_node *views, size_t n,
                                   bool (*counts)(const struct majority_node *))
{
	struct majority m = { 0 };
	uint32_t nodes = 0, down = 0, lost = 0;

	for (size_t i = 0; i < n; i++) {
		nodes++;
		if (!counts(&views[i]))
			lost++;
		else
			down += health_state(views[i].word) == HEALTH_DOWN;
		if (i + 1 < n && views[i + 1].site == views[i].site)
			continue;
		add_site(&m, nodes, down, lost);
		nodes = down = lost = 0;
	}
	return m;
}

/*
 * The word that gives reason and time: of those with this state the own one if it votes, else any
 * vote, else a lost one.
 */
static health_word representative_word(const struct majority_node *views, size_t n,
                                       enum health_state state)
{
	health_word vote = 0, last = 0;

	for (size_t i = 0; i < n; i++) {
		if (health_state(views[i].word) != state)
			continue;
		if (has_vote(&views[i]) && (!vote || views[i].own))
			vote = views[i].word;
		if (!last || views[i].own)
			last = views[i].word;
	}
	return vote ? vote : last;
}

static bool is_most_votes(uint32_t votes, const struct majority *m)
{
	return 2 * votes > m->n_up + m->n_down + m->n_lost;
}

/* What stays in force when the views do not suffice. */
static enum health_state keep_last_state(const struct majority_node *views, size_t n,
                                         enum majority_was was)
{
	struct majority last;
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= is_word_known(&views[i]);
	if (was == MAJORITY_WAS_UNKNOWN) {
		last = count_votes(views, n, is_word_known);
		was = is_most_votes(last.n_down, &last) ? MAJORITY_WAS_DOWN : MAJORITY_WAS_UP;
	}
	if (was == MAJORITY_WAS_DOWN)
		return HEALTH_DOWN;
	return any ? HEALTH_UP : HEALTH_UNKNOWN;
}

struct majority majority_of(const struct majority_node *views, size_t n, enum majority_was was)
{
	struct majority m = count_votes(views, n, has_vote);
	enum health_state state = HEALTH_UP;
	bool doubt = m.n_up && m.n_down;

	if (n == 0)
		return m;
	m.held = !is_most_votes(m.n_down, &m) && is_most_votes(m.n_down + m.n_lost, &m);
	if (m.held)
		state = keep_last_state(views, n, was);
	else if (is_most_votes(m.n_down, &m))
		state = HEALTH_DOWN;

	health_word by = representative_word(views, n, state);

	for (size_t i = 0; i < n; i++)
		doubt |= has_vote(&views[i]) && health_in_doubt(views[i].word);
	m.word = health_make(
	        state, (doubt ? HEALTH_MARK_DOUBT : 0) | (m.held ? HEALTH_MARK_INCONCLUSIVE : 0),
	        health_reason(by), health_since_s(by));
	return m;
}
