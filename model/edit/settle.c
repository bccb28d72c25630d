/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What edits ask for and is in force already is not written. So where the goal has the value of the text in another
 * form ("1000ms" for "1s"), a default that the text does not give, or lacks a default that it gives, the goal takes the
 * text's form back. Afterwards the goal is, value by value, what the new text must be read as.
 */
#include "model/edit/internal.h"

#include <stdlib.h>
#include <string.h>

#include "model/quantity.h"

/* A single value. */
struct scalar {
	const char *text; /* NULL: a number or boolean */
	uint64_t n;
	bool known;
};

static enum schema_kind kind_of(enum schema_id id)
{
	return schema()->rows[id].kind;
}

static struct scalar scalar_of_text(const char *text)
{
	return (struct scalar){ .text = text ? text : "", .known = true };
}

static struct scalar scalar_of_tree(const struct tree *t)
{
	return t->kind == TREE_TEXT ? scalar_of_text(t->text)
	                            : (struct scalar){ .n = (uint64_t)t->integer, .known = true };
}

static struct scalar scalar_of_goal(const struct goal *d)
{
	return d->kind == TREE_TEXT ? scalar_of_text(d->text)
	                            : (struct scalar){ .n = (uint64_t)d->integer, .known = true };
}

/* The value of row @p id in an object that may be unopened; unknown: it is not given. */
static struct scalar scalar_in(struct edit_work *w, struct goal *group, enum schema_id id)
{
	const struct goal *d = goal_child(w, group, id);

	return d ? scalar_of_goal(d) : (struct scalar){ .known = false };
}

static bool is_quantity(enum schema_kind kind)
{
	return kind == KIND_DURATION || kind == KIND_RATE || kind == KIND_BITS ||
	       kind == KIND_PERCENT || kind == KIND_NUMBER;
}

static bool same_scalar(enum schema_id id, struct scalar a, struct scalar b)
{
	uint64_t x, y;
	char one[EDIT_KEY_MAX], other[EDIT_KEY_MAX];

	if (!a.known || !b.known)
		return false;
	if (!a.text || !b.text)
		return !a.text && !b.text && a.n == b.n;
	if (is_quantity(kind_of(id)) && !quantity_parse(kind_of(id), a.text, &x) &&
	    !quantity_parse(kind_of(id), b.text, &y))
		return x == y;
	return !strcmp(edit_entry_key(id, a.text, one), edit_entry_key(id, b.text, other));
}

/* The default that the schema's row has. */
static struct scalar default_of_row(enum schema_id id)
{
	const char *text = model_schema[id].default_text;

	if (kind_of(id) == KIND_INTEGER)
		return (struct scalar){ .n = strtoull(text, NULL, 10), .known = *text };
	if (kind_of(id) == KIND_BOOLEAN)
		return (struct scalar){ .n = !strcmp(text, "true"), .known = *text };
	return scalar_of_text(text);
}

/* No longer than the interval, where that is given (build.c). */
static struct scalar default_of_time(struct edit_work *w, enum schema_id id, struct goal *check)
{
	struct scalar own = default_of_row(id),
	              interval = scalar_in(w, check, SCHEMA_CHECKS_INTERVAL);
	uint64_t own_ms, interval_ms;

	if (!interval.known || quantity_parse(KIND_DURATION, own.text, &own_ms) ||
	    quantity_parse(KIND_DURATION, interval.text, &interval_ms))
		return own;
	return own_ms > interval_ms ? interval : own;
}

/* That of the site. */
static struct scalar default_of_weight(struct edit_work *w, struct goal *at)
{
	struct scalar site = scalar_in(w, at, SCHEMA_SERVICES_AT_SITE), weight;
	struct object_path path = { .kind = OBJECT_SITE, .n_names = 1 };

	if (!site.known || !site.text || strlen(site.text) >= OBJECT_NAME_MAX)
		return (struct scalar){ .known = false };
	strcpy(path.names[0], site.text);
	struct goal *d = goal_object(w, &path, OBJECT_SITE);
	if (!d)
		return (struct scalar){ .known = false };
	weight = scalar_in(w, d, SCHEMA_SITES_WEIGHT);
	return weight.known ? weight : default_of_row(SCHEMA_SITES_WEIGHT);
}

/* What is in force where @p group does not give row @p id. */
static struct scalar default_in(struct edit_work *w, enum schema_id id, struct goal *group)
{
	switch (id) {
	case SCHEMA_CHECKS_FAST_INTERVAL:
	case SCHEMA_CHECKS_TIMEOUT:
		return default_of_time(w, id, group);
	case SCHEMA_SERVICES_AT_WEIGHT:
		return default_of_weight(w, group);
	default:
		return default_of_row(id);
	}
}

static bool is_single(enum tree_kind kind)
{
	return kind == TREE_TEXT || kind == TREE_INTEGER || kind == TREE_BOOLEAN;
}

/* A list of VIPs to announce that is empty is not the one that is not given. */
static bool empty_is_default(enum schema_id id)
{
	return id != SCHEMA_NODES_ANNOUNCE_VIPS;
}

/* Whether the text gives the row's own default, so that it may stay where it is not asked for. */
static bool gives_default(enum schema_id id, const struct tree *t)
{
	if (id >= SCHEMA_COUNT)
		return false;
	if (is_single(t->kind))
		return id != SCHEMA_CHECKS_FAST_INTERVAL && id != SCHEMA_CHECKS_TIMEOUT &&
		       same_scalar(id, scalar_of_tree(t), default_of_row(id));
	if (t->kind == TREE_LIST)
		return t->n_children == 0 && empty_is_default(id);
	for (const struct tree *c = t->children; c; c = c->next)
		if (!gives_default(schema_find(id, c->name), c))
			return false;
	return true;
}

static void restore_value(struct goal *d)
{
	d->removed = d->changed = false;
	d->text = d->origin->text;
	d->integer = d->origin->integer;
}

/* Take back a list of entries that means the same, whatever was removed and added. */
static bool restore_entries(struct goal *list)
{
	size_t n = 0;

	for (const struct goal *d = list->children; d; d = d->next) {
		if (d->removed && !d->origin)
			continue;
		if (!d->origin || d->removed || d->changed)
			return false;
		if (!goal_is_unordered(list->row) && d->origin->position != n)
			return false;
		n++;
	}
	return true;
}

static void settle_group(struct edit_work *w, struct goal *group);

/* Whether a new value says no more than is in force without it. */
static bool adds_nothing(struct edit_work *w, struct goal *d)
{
	bool nothing = true;

	if (is_single(d->kind))
		return same_scalar(d->row, scalar_of_goal(d), default_in(w, d->row, d->parent));
	if (d->kind == TREE_LIST && !empty_is_default(d->row))
		return false;
	for (struct goal *c = d->children; c; c = c->next) {
		bool none = d->kind == TREE_GROUP && !c->removed && adds_nothing(w, c);

		c->removed |= none;
		nothing &= c->removed;
	}
	return nothing;
}

/* Settle one setting of a group that the text has. */
static void settle_setting(struct edit_work *w, struct goal *d)
{
	if (d->removed) {
		if (d->origin && gives_default(d->row, d->origin))
			restore_value(d);
	} else if (!d->origin) {
		d->removed = adds_nothing(w, d);
	} else if (d->changed) {
		if (same_scalar(d->row, scalar_of_tree(d->origin), scalar_of_goal(d)))
			restore_value(d);
	} else if (d->kind == TREE_GROUP || d->kind == TREE_LIST) {
		goal_settle(w, d);
	}
}

static bool lists_sites(const struct goal *d, const char *name)
{
	for (const struct goal *c = d->children; c; c = c->next)
		if (!c->removed && c->text && !strcmp(c->text, name))
			return true;
	return false;
}

/* The site of a VIP may be given in two ways: `site`, or `sites` that has it alone. */
static bool same_sites(struct edit_work *w, struct goal *site, struct goal *sites)
{
	size_t n = 0;

	goal_open(w, sites);
	for (const struct goal *c = sites->children; c; c = c->next)
		n += !c->removed;
	return n == 1 && site->text && lists_sites(sites, site->text);
}

static struct goal *any_child(struct goal *group, enum schema_id id, bool of_text)
{
	struct goal *d = group->children;

	while (d && (d->row != id || (d->origin != NULL) != of_text))
		d = d->next;
	return d;
}

/*
 * GET shows the sites of a VIP as `sites`, and the text may have `site`: the one that is given takes the place
 * of the other, unless both mean the same.
 */
static void settle_sites(struct edit_work *w, struct goal *vip)
{
	struct goal *old_site = any_child(vip, SCHEMA_VIPS_SITE, true),
	            *old_sites = any_child(vip, SCHEMA_VIPS_SITES, true),
	            *site = any_child(vip, SCHEMA_VIPS_SITE, false),
	            *sites = any_child(vip, SCHEMA_VIPS_SITES, false);

	if (old_site && !old_sites && sites && !sites->removed && !old_site->changed) {
		bool same = same_sites(w, old_site, sites);

		sites->removed = same;
		old_site->removed = !same;
	} else if (old_sites && !old_site && site && !site->removed) {
		bool same = same_sites(w, site, old_sites);

		site->removed = same;
		old_sites->removed = !same;
	}
}

static void settle_group(struct edit_work *w, struct goal *group)
{
	if (group->row == SCHEMA_VIPS && group->parent->kind == TREE_LIST)
		settle_sites(w, group);
	for (struct goal *d = group->children; d; d = d->next)
		if (d->touched &&
		    !(group->row == SCHEMA_VIPS && d->row == SCHEMA_VIPS_SITE && d->removed))
			settle_setting(w, d);
}

void goal_settle(struct edit_work *w, struct goal *d)
{
	if (!d->touched || !d->origin || !d->opened)
		return;
	if (d->kind == TREE_GROUP) {
		settle_group(w, d);
		return;
	}
	for (struct goal *c = d->children; c; c = c->next) {
		if (!c->origin || c->removed)
			continue;
		if (c->changed && same_scalar(c->row, scalar_of_tree(c->origin), scalar_of_goal(c)))
			restore_value(c);
		goal_settle(w, c);
	}
	if (schema()->rows[d->row].kind != KIND_GROUPS && restore_entries(d))
		d->touched = false;
}
