/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rule is weir-dns' (dns/steering/majority.h): more than half of the sites that have a node must see a
 * site down. A site was heard if the page of one of its nodes ever had entries; sites that a
 * person took out have no vote.
 */
#include "mgmt/api/change/voters.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/listed.h"
#include "base/page.h"
#include "weir/peer_page.h"

#define VOTERS_MIN 3u /* with fewer sites each node trusts its own view */

/* Whether @p node has ever reported what it sees. */
static bool was_heard(const struct core *core, const char *node)
{
	struct page *page;
	bool heard;

	if (!strcmp(node, core->dirs.node))
		return true;
	if (peer_page_open(core->dirs.run, node, &page))
		return false;
	heard = ((const struct peer_page *)page_payload(page))->health.n_entries > 0;
	page_close(page);
	return heard;
}

/* Whether a person has taken the site out: then it has no vote. */
static bool is_withdrawn(const struct model *m, const char *site, int64_t wall_clock_ms)
{
	for (size_t i = 0; m && i < m->n_overrides; i++) {
		const struct model_override *o = &m->overrides[i];

		if (o->target != MODEL_TARGET_SITE || o->ended || strcmp(o->name, site) != 0)
			continue;
		if (o->kind == MODEL_OVERRIDE_DRAIN && !(o->service && *o->service) &&
		    model_override_ppm(o, wall_clock_ms) >= MODEL_PPM_ALL)
			return true;
		if (o->kind == MODEL_OVERRIDE_DISABLE && o->from_ms <= wall_clock_ms &&
		    wall_clock_ms < o->until_ms)
			return true;
	}
	return false;
}

void voters_add_warning(struct core *core, const struct advice *advice, json_t *warnings)
{
	const struct model *m = intent_model(core->intent);
	int64_t wall_clock_ms = clock_believed_ms();
	unsigned n = 0, n_heard = 0;
	char silent[200] = "";
	struct listed_names list = { .text = silent, .room = sizeof(silent) };

	for (size_t i = 0; i < advice->n_nodes;) {
		const char *site = advice->nodes[i].site;
		bool heard = false, out = is_withdrawn(m, site, wall_clock_ms);

		for (; i < advice->n_nodes && !strcmp(advice->nodes[i].site, site); i++)
			heard |= !out && was_heard(core, advice->nodes[i].node);
		n += !out;
		n_heard += heard;
		if (!out && !heard)
			listed_add(&list, site);
	}
	if (n < VOTERS_MIN || n_heard == n || 2 * (n_heard - (n_heard > 0)) > n)
		return;
	json_array_append_new(
	        warnings,
	        json_sprintf(
	                "%u of %u sites were never heard by this node (%s): the others are too few "
	                "to take a dead site out of DNS answers. Check nodes[].api, peer.token "
	                "and the network path to them",
	                n - n_heard, n, listed_end(&list)));
}
