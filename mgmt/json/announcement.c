/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration says which addresses there are, so an address of which the page says nothing is
 * shown as unknown, and is not missing. Routes outlive weir-announce: with a page that is too old
 * nothing is known, whatever the routers see.
 */
#include "mgmt/json/announcement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "mgmt/json/command.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/proof.h"

#define STALE_MS 3000u /* ms without a sign of life, as of the other pages */

bool announcements_apply(const struct model *m)
{
	return m && m->self && m->self->announce.daemon != MODEL_DAEMON_NONE;
}

static int compare_shown(const void *a, const void *b)
{
	const struct announced_address *x = a, *y = b;

	return addr_compare(&x->address, &y->address);
}

/* A page that cannot be read leaves everything unknown. */
static void read_page(const char *run_dir, struct announcements *a)
{
	struct announced_page *page;
	int err = announced_open(run_dir, &page);

	if (!err) {
		err = announced_read(page, &a->node, a->addresses, ANNOUNCED_MAX, a->neighbours);
		announced_close(page);
	}
	/* the writer may have signed it since now_ms was read */
	a->is_known = !err && a->now_ms <= a->node.alive_ms + STALE_MS;
	if (!a->is_known)
		a->node = (struct announced_node){ .document = 0 };
	if (a->node.n_addresses)
		qsort(a->addresses, a->node.n_addresses, sizeof(*a->addresses), compare_shown);
}

static const struct announced_address *find_shown(const struct announcements *a, const char *vip,
                                                  const struct addr *address)
{
	const struct announced_address key = { .address = *address }, *found;

	if (!a->node.n_addresses)
		return NULL;
	found = bsearch(&key, a->addresses, a->node.n_addresses, sizeof(key), compare_shown);
	return found && found->vip == (vip ? hash_text(vip) : 0) ? found : NULL;
}

static void add_item(struct announcements *a, const char *vip, const struct addr *address)
{
	a->items[a->n++] = (struct announcement){ .vip = vip,
		                                  .address = *address,
		                                  .shown = find_shown(a, vip, address) };
}

static size_t count_addresses(const struct model_announce *c)
{
	size_t n = c->n_dns;

	for (size_t i = 0; i < c->n_vips; i++)
		n += c->vips[i]->n_addresses;
	return n;
}

int announcements_read(const char *run_dir, const struct model *m, uint64_t now_ms,
                       struct announcements *out)
{
	const struct model_announce *c = &m->self->announce;

	*out = (struct announcements){ .m = m, .now_ms = now_ms };
	out->addresses = calloc(ANNOUNCED_MAX, sizeof(*out->addresses));
	out->items = calloc(count_addresses(c) + 1, sizeof(*out->items));
	if (!out->addresses || !out->items)
		return -ENOMEM;
	read_page(run_dir, out);
	for (size_t i = 0; i < c->n_vips; i++)
		for (size_t k = 0; k < c->vips[i]->n_addresses; k++)
			add_item(out, c->vips[i]->name, &c->vips[i]->addresses[k]);
	for (size_t i = 0; i < c->n_dns; i++)
		add_item(out, NULL, &c->dns[i]);
	return 0;
}

void announcements_fini(struct announcements *a)
{
	free(a->addresses);
	free(a->items);
	*a = (struct announcements){ .n = 0 };
}

/* --- one address --- */

static bool does_daemon_answer(const struct announcements *a)
{
	return !strcmp(a->node.daemon_state, "answers");
}

static uint32_t established_mask(const struct announcements *a)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < a->node.n_neighbours; i++)
		mask |= a->neighbours[i].established ? 1u << i : 0;
	return mask;
}

uint8_t announcement_exported(const struct announcements *a, const struct announcement *it)
{
	if (!it->shown || !it->shown->is_read || !does_daemon_answer(a))
		return PROOF_UNKNOWN;
	if (it->shown->exported & established_mask(a))
		return PROOF_YES;
	return it->shown->is_export_read ? PROOF_NO : PROOF_UNKNOWN;
}

/* A fact as it was read: whatever is no word for one is unknown. */
static enum proof_fact read_fact(const struct announcement *it, int fact)
{
	uint8_t truth = it->shown ? it->shown->truth[fact] : PROOF_UNKNOWN;

	return truth <= PROOF_YES ? (enum proof_fact)truth : PROOF_UNKNOWN;
}

/* weir-announce says that all that is needed is proved. */
static bool is_announced(const struct announcement *it)
{
	return it->shown && it->shown->reason == ANNOUNCE_REASON_ANNOUNCED &&
	       it->shown->table == ANNOUNCE_NORMAL;
}

/* Not every fact is needed: while no other node announces the VIP, its peers' state is not. */
uint8_t announcement_proved(const struct announcement *it)
{
	uint8_t all = PROOF_YES;

	if (is_announced(it))
		return PROOF_YES;
	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++) {
		enum proof_fact fact = read_fact(it, i);

		if (fact == PROOF_NO)
			return PROOF_NO;
		if (fact == PROOF_UNKNOWN)
			all = PROOF_UNKNOWN;
	}
	return all;
}

static const char *or_unknown(const char *label)
{
	return *label ? label : "unknown";
}

/* The table that is intended, or -1: before the kernel's routes are read it is not known. */
static int find_table(const struct announcement *it)
{
	if (!it->shown || it->shown->table > ANNOUNCE_SHUTDOWN ||
	    it->shown->reason == ANNOUNCE_REASON_UNREAD)
		return -1;
	return it->shown->table;
}

const char *announcement_intended(const struct announcement *it)
{
	int table = find_table(it);

	return table < 0 ? "unknown" : announce_table_label((enum announce_table)table);
}

const char *announcement_reason(const struct announcement *it)
{
	return it->shown
	               ? or_unknown(announce_reason_label((enum announce_reason)it->shown->reason))
	               : "unknown";
}

/* Whether a person should look at it. */
static bool is_odd_item(const struct announcements *a, const struct announcement *it)
{
	return !is_announced(it) || announcement_exported(a, it) != PROOF_YES;
}

/* --- JSON --- */

static json_t *facts_to_json(const struct announcement *it)
{
	json_t *facts = json_object();

	for (int i = 0; i < ANNOUNCE_FACT_COUNT; i++)
		json_object_set_new(facts, announce_fact_label((enum announce_fact)i),
		                    json_string(proof_fact_text(read_fact(it, i))));
	return facts;
}

#define NEED_ROWS(X, t)                                                                            \
	X(t, const char *, fact)                                                                   \
	X(t, const char *, state)                                                                  \
	X(t, const char *, text)                                                                   \
	X(t, const char *, action)
RECORD_SHOWN(announce_need, "need", NEED_ROWS);

/* What an announcement lacks: each fact that is not proved, with what to do. */
static json_t *needs_to_json(const struct announcement *it)
{
	json_t *needs = json_array();

	for (int i = 0; it->shown && !is_announced(it) && i < ANNOUNCE_FACT_COUNT; i++) {
		enum announce_fact fact = (enum announce_fact)i;
		const struct announce_need need = { announce_fact_label(fact),
			                            proof_fact_text(read_fact(it, i)),
			                            announce_fact_text(fact),
			                            announce_fact_action(fact) };

		if (read_fact(it, i) != PROOF_YES)
			json_array_append_new(needs, record_shown(&announce_need_kind, &need));
	}
	return needs;
}

/* The neighbours that get the address; NULL where that is not known. */
static json_t *receivers_to_json(const struct announcements *a, const struct announcement *it)
{
	json_t *list;

	if (announcement_exported(a, it) == PROOF_UNKNOWN)
		return NULL;
	list = json_array();
	for (uint32_t i = 0; i < a->node.n_neighbours; i++)
		if (it->shown->exported & established_mask(a) & (1u << i))
			json_array_append_new(list, json_text(a->neighbours[i].name));
	return list;
}

/* The wall clock's time of a monotonic one; none for a time that has not come yet. */
static struct shown_time instant_of(const struct announcements *a,
                                    const struct announcement_filter *f, uint64_t at_ms)
{
	bool is_past = at_ms && at_ms <= a->now_ms + STALE_MS;

	return (struct shown_time){ is_past ? f->wall_clock_ms - (int64_t)a->now_ms + (int64_t)at_ms
		                            : 0 };
}

#define TRAFFIC_ROWS(X, t)                                                                         \
	X(t, uint64_t, packets) X(t, struct shown_time, since) X(t, struct shown_time, arrived)
RECORD_SHOWN(traffic_row, "traffic", TRAFFIC_ROWS);

/* The packets of the VIP; NULL where they are not known. */
static json_t *traffic_to_json(const struct announcements *a, const struct announcement *it,
                               const struct announcement_filter *f)
{
	struct announcement_traffic t;

	if (!it->vip || !f->traffic_of || !f->traffic_of(f->arg, it->vip, &t))
		return NULL;
	const struct traffic_row row = { t.packets, instant_of(a, f, t.since_ms),
		                         instant_of(a, f, t.arrived_ms) };
	return record_shown(&traffic_row_kind, &row);
}

#define ITEM_ROWS(X, t)                                                                            \
	X(t, const char *, vip, .or_null = true)                                                   \
	X(t, struct addr, address)                                                                 \
	X(t, const char *, intended)                                                               \
	X(t, const char *, proved)                                                                 \
	X(t, const char *, exported)                                                               \
	X(t, const char *, reason)                                                                 \
	X(t, const char *, text)                                                                   \
	X(t, struct shown_time, since)                                                             \
	X(t, uint64_t, held_ms)                                                                    \
	X(t, struct shown_time, differs_since)                                                     \
	X(t, json_t *, exported_to, .or_null = true, .element = &record_string)                    \
	X(t, json_t *, facts)                                                                      \
	X(t, json_t *, needs, .each = &announce_need_kind)                                         \
	X(t, json_t *, vip_traffic, .or_null = true, .of = &traffic_row_kind)
RECORD_SHOWN(announcement_row, "announcement", ITEM_ROWS);

static json_t *item_to_json(const struct announcements *a, const struct announcement *it,
                            const struct announcement_filter *f)
{
	const struct announced_address *x = it->shown;
	const struct announcement_row row = {
		.vip = it->vip,
		.address = it->address,
		.intended = announcement_intended(it),
		.proved = proof_fact_text((enum proof_fact)announcement_proved(it)),
		.exported = proof_fact_text((enum proof_fact)announcement_exported(a, it)),
		.reason = announcement_reason(it),
		.text = x ? announce_reason_text((enum announce_reason)x->reason)
		          : "unknown: weir-announce does not say",
		.since = instant_of(a, f, x ? x->since_ms : 0),
		.held_ms = x ? x->held_ms : 0,
		.differs_since = instant_of(a, f, x ? x->differs_ms : 0),
		.exported_to = receivers_to_json(a, it),
		.facts = facts_to_json(it),
		.needs = needs_to_json(it),
		.vip_traffic = traffic_to_json(a, it, f),
	};

	return record_shown(&announcement_row_kind, &row);
}

#define NEIGHBOUR_ROWS(X, t) X(t, const char *, name) X(t, const char *, session)
RECORD_SHOWN(neighbour_row, "neighbour", NEIGHBOUR_ROWS);

static json_t *neighbours_to_json(const struct announcements *a)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < a->node.n_neighbours; i++) {
		const struct neighbour_row row = { a->neighbours[i].name,
			                           !does_daemon_answer(a)         ? "unknown"
			                           : a->neighbours[i].established ? "established"
			                                                          : "down" };

		json_array_append_new(list, record_shown(&neighbour_row_kind, &row));
	}
	return list;
}

#define DAEMON_ROWS(X, t)                                                                          \
	X(t, const char *, name)                                                                   \
	X(t, const char *, state)                                                                  \
	X(t, const char *, version)                                                                \
	X(t, const char *, detail)                                                                 \
	X(t, uint32_t, table)                                                                      \
	X(t, uint32_t, shutdown_table)                                                             \
	X(t, json_t *, neighbours, .each = &neighbour_row_kind)
RECORD_SHOWN(daemon_row, "daemon", DAEMON_ROWS);

static json_t *daemon_to_json(const struct announcements *a)
{
	static const char *const names[] = { "none", "bird", "frr" };
	const struct model_announce *c = &a->m->self->announce;
	const struct daemon_row row = { .name = names[c->daemon],
		                        .state = or_unknown(a->node.daemon_state),
		                        .version = a->node.version,
		                        .detail = a->node.problem,
		                        .table = c->table,
		                        .shutdown_table = c->gshut_table,
		                        .neighbours = neighbours_to_json(a) };

	return record_shown(&daemon_row_kind, &row);
}

static bool passes_vip(const struct announcement *it, const struct announcement_filter *f)
{
	return !f->vip || (it->vip && !strcmp(it->vip, f->vip));
}

#define COUNTS_ROWS(X, t)                                                                          \
	X(t, size_t, all)                                                                          \
	X(t, size_t, standing_out)                                                                 \
	X(t, size_t, normal)                                                                       \
	X(t, size_t, shutdown)                                                                     \
	X(t, size_t, none)                                                                         \
	X(t, size_t, unknown)
RECORD_SHOWN(announcement_counts, "counts", COUNTS_ROWS);

/* How many the filter lets through, and in which table they are. */
static json_t *counts_to_json(const struct announcements *a, const struct announcement_filter *f,
                              size_t *n_all)
{
	size_t n_odd = 0, n_in[ANNOUNCE_SHUTDOWN + 1] = { 0 };
	size_t n_unknown = 0;

	*n_all = 0;
	for (size_t i = 0; i < a->n; i++) {
		const struct announcement *it = &a->items[i];

		if (!passes_vip(it, f))
			continue;
		++*n_all;
		n_odd += is_odd_item(a, it);
		if (find_table(it) < 0)
			n_unknown++;
		else
			n_in[find_table(it)]++;
	}
	const struct announcement_counts counts = { .all = *n_all,
		                                    .standing_out = n_odd,
		                                    .normal = n_in[ANNOUNCE_NORMAL],
		                                    .shutdown = n_in[ANNOUNCE_SHUTDOWN],
		                                    .none = n_in[ANNOUNCE_NONE],
		                                    .unknown = n_unknown };
	return record_shown(&announcement_counts_kind, &counts);
}

static json_t *items_to_json(const struct announcements *a, const struct announcement_filter *f,
                             size_t n_all)
{
	bool is_cut = f->limit && n_all > f->limit;
	json_t *list = json_array();

	/* in the configuration's order, unless some have to be left out */
	for (int odd = 1; odd >= (is_cut ? 0 : 1); odd--)
		for (size_t i = 0; i < a->n; i++) {
			const struct announcement *it = &a->items[i];

			if (passes_vip(it, f) && (!is_cut || (is_odd_item(a, it) == (odd == 1) &&
			                                      json_array_size(list) < f->limit)))
				json_array_append_new(list, item_to_json(a, it, f));
		}
	return list;
}

#define ANNOUNCEMENTS_ROWS(X, t)                                                                   \
	X(t, const char *, node)                                                                   \
	X(t, struct shown_number, document)                                                        \
	X(t, json_t *, daemon, .or_null = true, .of = &daemon_row_kind)                            \
	X(t, json_t *, counts, .or_null = true, .of = &announcement_counts_kind)                   \
	X(t, json_t *, items, .each = &announcement_row_kind)
RECORD_ANSWER(announcements_shown, "announcements", ANNOUNCEMENTS_ROWS);

json_t *announcements_to_json(const struct announcements *a,
                              const struct announcement_filter *filter)
{
	size_t n_all;
	struct announcements_shown row = {
		.node = a->m->self->name,
		.document = { a->node.document, a->node.document },
		.daemon = daemon_to_json(a),
		.counts = counts_to_json(a, filter, &n_all),
	};

	row.items = items_to_json(a, filter, n_all);
	return record_shown(&announcements_shown_kind, &row);
}

json_t *announcements_none_to_json(const char *node)
{
	return SHOWN(announcements_shown, .node = node, .items = json_array());
}
