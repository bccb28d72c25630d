/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gathering: each port's own address comes first, then the document's, then those of stacked
 * interfaces, so that the table's limit leaves out the least important ones.
 *
 * Writing: a word is stored once and stays where it is until it is cleared; it is never moved. So a
 * frame that is ours before and after a change is ours at each moment. The first few words are in
 * root, where the fast path looks first, and a port's own interface gets there because it was
 * gathered first.
 */
#include "dataplane/tables/macs.h"

#include <string.h>

#include "dataplane/nexthop/links.h"
#include "weir/fwd/user.h"
#include "weir/model.h"

#define STACKED_MAX 256u /* interfaces on one port: as many as there is room for addresses */

static void add_mac_word(struct macs *m, const uint8_t mac[6], uint32_t ifindex)
{
	uint64_t bytes = 0, word;

	memcpy(&bytes, mac, 6);
	if (!bytes || bytes & FWD_MAC_GROUP)
		return;
	word = fwd_mac_word(bytes, ifindex);
	for (size_t i = 0; i < m->n; i++)
		if (m->word[i] == word)
			return;
	if (m->n < MACS_MAX)
		m->word[m->n++] = word;
	else
		m->n_left_out++;
}

/* A port's interface with the document's addresses, or all that is stacked on it. */
static void add_port(const struct links *links, const struct model_port *port,
                     const struct rtnl_link *link, uint32_t ingress, bool stacked, struct macs *m)
{
	uint32_t above[STACKED_MAX];
	size_t n = stacked ? links_above(links, link->ifindex, above, STACKED_MAX) : 0;

	if (link->ethernet)
		add_mac_word(m, link->mac, ingress);
	for (size_t i = 0; i < port->n_macs; i++)
		add_mac_word(m, port->macs[i].bytes, ingress);
	for (size_t i = 0; i < n; i++) {
		const struct rtnl_link *upper = links_find(links, above[i]);

		if (upper->ethernet)
			add_mac_word(m, upper->mac, ingress);
	}
}

/* The same by each interface that the port's frames come in by. */
static void add_ingresses(const struct links *links, const struct model_port *port, bool stacked,
                          struct macs *m)
{
	const struct rtnl_link *link = links_named(links, port->interface);
	uint32_t parts[STACKED_MAX];
	size_t n = link ? links_parts(links, link->ifindex, parts, STACKED_MAX) : 0;

	if (link)
		add_port(links, port, link, link->ifindex, stacked, m);
	for (size_t i = 0; i < n; i++) {
		const struct rtnl_link *part = links_find(links, parts[i]);

		add_port(links, port, link, part->ifindex, stacked, m);
		if (part->ethernet)
			add_mac_word(m, part->mac, part->ifindex);
	}
}

/*
 * Twice: what is stacked on one port may fill the room, but not keep another port's own address
 * out.
 */
void macs_gather(const struct links *links, const struct model_node *self, struct macs *out)
{
	out->n = out->n_left_out = 0;
	for (size_t i = 0; i < self->n_ports; i++)
		add_ingresses(links, &self->ports[i], false, out);
	for (size_t i = 0; i < self->n_ports; i++)
		add_ingresses(links, &self->ports[i], true, out);
}

static void store_word(uint64_t *at, uint64_t word)
{
	__atomic_store_n(at, word, __ATOMIC_RELEASE);
}

static bool is_gathered(const struct macs *m, uint64_t word)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->word[i] == word)
			return true;
	return false;
}

/* Find @p word among the @p n of @p entries. @return NULL: it is not there */
static uint64_t *find_mac_word(uint64_t *entries, size_t n, uint64_t word)
{
	for (size_t i = 0; i < n; i++)
		if (entries[i] == word)
			return &entries[i];
	return NULL;
}

static uint64_t *bucket_of(const struct fwd_tables *t, uint64_t word)
{
	return t->macs[fwd_mac_bucket(word)].word;
}

/*
 * Put @p word into a free place: of root first, then of its bucket. @return whether there was one
 */
static bool put_word(const struct fwd_tables *t, uint64_t word)
{
	uint64_t *at = find_mac_word(t->root->macs, FWD_MACS_FIRST, 0);

	if (!at)
		at = find_mac_word(bucket_of(t, word), FWD_MAC_WAYS, 0);
	if (at)
		store_word(at, word);
	return at;
}

static bool is_in_tables(const struct fwd_tables *t, uint64_t word)
{
	return find_mac_word(t->root->macs, FWD_MACS_FIRST, word) ||
	       find_mac_word(bucket_of(t, word), FWD_MAC_WAYS, word);
}

static bool clear_others(uint64_t *entries, size_t n, const struct macs *m)
{
	bool changed = false;

	for (size_t i = 0; i < n; i++)
		if (entries[i] && !is_gathered(m, entries[i])) {
			store_word(&entries[i], 0);
			changed = true;
		}
	return changed;
}

bool macs_write(const struct fwd_tables *t, struct macs *m)
{
	bool changed = false;

	changed |= clear_others(t->root->macs, FWD_MACS_FIRST, m);
	for (uint32_t i = 0; i < t->n_macs; i++)
		changed |= clear_others(t->macs[i].word, FWD_MAC_WAYS, m);
	for (size_t i = 0; i < m->n; i++) {
		if (is_in_tables(t, m->word[i]))
			continue;
		if (put_word(t, m->word[i]))
			changed = true;
		else
			m->n_left_out++;
	}
	return changed;
}
