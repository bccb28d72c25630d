/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/majority.h"

static bool is_known(const struct majority_view *view)
{
	enum health_state state = health_state(view->word);

	return state == HEALTH_UP || state == HEALTH_DOWN; /* a damaged word may be neither */
}

bool majority_has_vote(const struct majority_view *view)
{
	return view->fresh && is_known(view) && !health_inconclusive(view->word) &&
	       !health_restored(view->word);
}

static struct majority count(const struct majority_view *views, size_t n,
                             bool (*counts)(const struct majority_view *))
{
	struct majority m = { 0 };
	uint32_t up = 0, down = 0;

	for (size_t i = 0; i < n; i++) {
		if (counts(&views[i])) {
			up += health_state(views[i].word) == HEALTH_UP;
			down += health_state(views[i].word) == HEALTH_DOWN;
		}
		if (i + 1 < n && views[i + 1].site == views[i].site)
			continue;
		m.n_down += down > up;
		m.n_up += up > 0 && up >= down;
		up = down = 0;
	}
	return m;
}

/* The word to tell reason and time by: the own one if it agrees, else the first that does. */
static health_word spokesman(const struct majority_view *views, size_t n, enum health_state state,
                             bool (*counts)(const struct majority_view *))
{
	health_word found = 0;

	for (size_t i = 0; i < n; i++)
		if (counts(&views[i]) && health_state(views[i].word) == state &&
		    (!found || views[i].own))
			found = views[i].word;
	return found;
}

struct majority majority_of(const struct majority_view *views, size_t n)
{
	bool (*counts)(const struct majority_view *) = majority_has_vote;
	struct majority m = count(views, n, counts);
	bool doubt;

	if (m.n_up + m.n_down == 0) {
		counts = is_known;
		m = count(views, n, counts);
		m.last_known = true;
	}
	if (m.n_up + m.n_down == 0)
		return m;

	enum health_state state = m.n_down > m.n_up ? HEALTH_DOWN : HEALTH_UP;
	health_word by = spokesman(views, n, state, counts);

	doubt = m.n_up && m.n_down;
	for (size_t i = 0; i < n; i++)
		doubt |= counts(&views[i]) && health_in_doubt(views[i].word);
	m.word = health_make(state,
	                     (doubt ? HEALTH_MARK_DOUBT : 0) |
	                             (m.last_known ? HEALTH_MARK_INCONCLUSIVE : 0),
	                     health_reason(by), health_since_s(by));
	return m;
}
