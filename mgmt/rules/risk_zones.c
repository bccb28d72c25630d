/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a change takes from zones: the record sets before and after, as weir-dns' reader finds them
 * in the files that are laid out for both versions. The records of a set are added up to one
 * number, so that their order has no meaning.
 */
#include <stdlib.h>
#include <string.h>

#include "base/sorted.h"
#include "mgmt/rules/risk_internal.h"
#include "weir/zones.h"

/* The sets of a zone; a set that has several records has one entry, whose data is their sum. */
struct record_sets {
	struct zones_record *items;
	size_t n, room;
	bool no_memory;
};

static void add_zone_record(void *arg, const struct zones_record *r)
{
	struct record_sets *s = arg;

	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 256;
		struct zones_record *items = realloc(s->items, room * sizeof(*items));

		if (!items) {
			s->no_memory = true;
			return;
		}
		s->items = items;
		s->room = room;
	}
	s->items[s->n++] = *r;
}

static bool read_record_sets(const struct model_zone *z, struct record_sets *out)
{
	size_t kept = 0;

	*out = (struct record_sets){ 0 };
	if (zones_list(z->name, z->file, add_zone_record, out) || out->no_memory)
		return false;
	if (out->n)
		qsort(out->items, out->n, sizeof(*out->items), sorted_by_u64);
	for (size_t i = 0; i < out->n; i++) {
		struct zones_record *last = kept ? &out->items[kept - 1] : NULL;

		if (last && last->rrset == out->items[i].rrset)
			last->data += out->items[i].data; /* in any order */
		else
			out->items[kept++] = out->items[i];
	}
	out->n = kept;
	return true;
}

/*
 * The SOA record changes with each serial and counts only if it is gone; NS records of the zone
 * itself are a risk of their own.
 */
static void compare_record_sets(struct risk_work *w, const char *subject,
                                const struct record_sets *a, const struct record_sets *b)
{
	size_t gone = 0, changed = 0, servers = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct zones_record *r = &a->items[i];
		const struct zones_record *now =
		        b->n ? bsearch(r, b->items, b->n, sizeof(*r), sorted_by_u64) : NULL;
		bool other = now && now->data != r->data;

		gone += !now;
		changed += other && !r->is_soa;
		servers += r->is_apex_ns && (!now || other);
	}
	double n = a->n ? (double)a->n : 1;
	risk_note(w, RISK_RECORDS_GONE, (double)gone / n, subject,
	          "%zu of its %zu record sets are removed", gone, a->n);
	risk_note(w, RISK_RECORDS_CHANGE, (double)changed / n, subject,
	          "%zu of its %zu record sets change", changed, a->n);
	risk_note(w, RISK_ZONE_SERVERS, servers > 0, subject,
	          "the NS records of the zone itself change");
}

static void measure_zone(struct risk_work *w, const struct model_zone *a,
                         const struct model_zone *b)
{
	const char *subject = risk_text(w, "zone %s", a->name);
	struct record_sets before = { 0 }, after = { 0 };

	if (!strcmp(a->digest, b->digest) && *a->digest)
		return;
	if (read_record_sets(a, &before) && read_record_sets(b, &after))
		compare_record_sets(w, subject, &before, &after);
	else
		risk_note(w, RISK_ZONE_UNREAD, 1, subject,
		          "its old and new file cannot be compared");
	free(before.items);
	free(after.items);
}

void risk_measure_zones(struct risk_work *w)
{
	for (size_t i = 0; i < w->from->n_zones; i++) {
		const struct model_zone *a = &w->from->zones[i];
		const struct model_zone *b =
		        risk_named(w->to->zones, w->to->n_zones, sizeof(*b), a->name);

		if (b)
			measure_zone(w, a, b);
	}
}
