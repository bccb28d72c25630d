/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Count twice: with the lost observations as up and as down. If both counts agree, the vote is
 * decided; if not, the observations do not suffice and the last state stays. This is done first
 * among a site's nodes, then among the sites, so a site with many nodes has no more weight than
 * another one.
 */
#include "dns/steering/majority.h"

static bool is_word_known(const struct majority_node *node)
{
	enum health_state state = health_state(node->word);

	return state == HEALTH_UP || state == HEALTH_DOWN; /* a damaged word may be neither */
}

static bool has_vote(const struct majority_node *node)
{
	return node->fresh && is_word_known(node) && !health_inconclusive(node->word) &&
	       !health_restored(node->word);
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

/* Observations of one site are neighbours, so one pass counts nodes within sites and sites. */
static struct majority count_votes(const struct majority_node *nodes, size_t n,
                                   bool (*counts)(const struct majority_node *))
{
	struct majority m = { 0 };
	uint32_t n_of_site = 0, down = 0, lost = 0;

	for (size_t i = 0; i < n; i++) {
		n_of_site++;
		if (!counts(&nodes[i]))
			lost++;
		else
			down += health_state(nodes[i].word) == HEALTH_DOWN;
		if (i + 1 < n && nodes[i + 1].site == nodes[i].site)
			continue;
		add_site(&m, n_of_site, down, lost);
		n_of_site = down = lost = 0;
	}
	return m;
}

/*
 * The word that gives reason and time: of those with this state the own one if it votes, else any
 * vote, else a lost one.
 */
static health_word representative_word(const struct majority_node *nodes, size_t n,
                                       enum health_state state)
{
	health_word vote = 0, last = 0;

	for (size_t i = 0; i < n; i++) {
		if (health_state(nodes[i].word) != state)
			continue;
		if (has_vote(&nodes[i]) && (!vote || nodes[i].own))
			vote = nodes[i].word;
		if (!last || nodes[i].own)
			last = nodes[i].word;
	}
	return vote ? vote : last;
}

static bool is_most_votes(uint32_t votes, const struct majority *m)
{
	return 2 * votes > m->n_up + m->n_down + m->n_lost;
}

/* What stays in force when the observations do not suffice. */
static enum health_state keep_last_state(const struct majority_node *nodes, size_t n,
                                         enum majority_was was)
{
	struct majority last;
	bool any = false;

	for (size_t i = 0; i < n; i++)
		any |= is_word_known(&nodes[i]);
	if (was == MAJORITY_WAS_UNKNOWN) {
		last = count_votes(nodes, n, is_word_known);
		was = is_most_votes(last.n_down, &last) ? MAJORITY_WAS_DOWN : MAJORITY_WAS_UP;
	}
	if (was == MAJORITY_WAS_DOWN)
		return HEALTH_DOWN;
	return any ? HEALTH_UP : HEALTH_UNKNOWN;
}

struct majority majority_of(const struct majority_node *nodes, size_t n, enum majority_was was)
{
	struct majority m = count_votes(nodes, n, has_vote);
	enum health_state state = HEALTH_UP;
	bool doubt = m.n_up && m.n_down;

	if (n == 0)
		return m;
	m.held = !is_most_votes(m.n_down, &m) && is_most_votes(m.n_down + m.n_lost, &m);
	if (m.held)
		state = keep_last_state(nodes, n, was);
	else if (is_most_votes(m.n_down, &m))
		state = HEALTH_DOWN;

	health_word by = representative_word(nodes, n, state);

	for (size_t i = 0; i < n; i++)
		doubt |= has_vote(&nodes[i]) && health_in_doubt(nodes[i].word);
	m.word = health_make(
	        state, (doubt ? HEALTH_MARK_DOUBT : 0) | (m.held ? HEALTH_MARK_INCONCLUSIVE : 0),
	        health_reason(by), health_since_s(by));
	return m;
}
