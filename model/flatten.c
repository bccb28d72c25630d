/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The settings of a model by the schema's rows: a setting's path is that of its group and its name,
 * with the unit if it is a duration; a group of a list has a path with its own name, and an entry
 * with an empty value, so that it can come or go as a whole. A setting with other rules has a
 * function in own_lists. flat_compare() puts '/' before all other characters, so that the fields of
 * an object follow it directly.
 *
 * A large configuration has a hundred thousand fields, so paths are joined rather than printed, and
 * rows are walked in the order of their names, so that hardly anything is left to sort.
 */
#include "weir/flatten.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/arena.h"
#include "model/setting.h"

#define ENTRIES_MAX 1200 /* bytes: 32 MAC addresses or 16 others, with blanks */

/* The list being made. */
struct flatten_walk {
	struct flat *out;
	struct arena *arena;
};

int flat_compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	int x = *a == '/' ? 1 : (unsigned char)*a, y = *b == '/' ? 1 : (unsigned char)*b;

	return x - y;
}

static void append_flat(struct flatten_walk *w, const char *path, const char *value)
{
	struct flat *f = w->out;

	if (f->n == f->max) {
		size_t max = f->max ? f->max * 2 : 1024;
		struct flat_item *items = ARENA_ARRAY(w->arena, struct flat_item, max);

		if (!items)
			return;
		if (f->n > 0)
			memcpy(items, f->items, f->n * sizeof(*items));
		f->items = items;
		f->max = max;
	}
	f->items[f->n++] = (struct flat_item){ path, value };
}

/* The path of @p name below @p path, "" at the top. @return "" when out of memory */
static const char *join_path(struct flatten_walk *w, const char *path, const char *name)
{
	size_t n_path = strlen(path), n_name = strlen(name);
	char *out = arena_alloc(w->arena, n_path + n_name + 2, 1), *at = out;

	if (!out)
		return "";
	memcpy(at, path, n_path);
	at += n_path;
	if (n_path)
		*at++ = '/';
	memcpy(at, name, n_name);
	return out;
}

/* Add the field @p name of @p path. */
static void add_text(struct flatten_walk *w, const char *path, const char *name, const char *value)
{
	const char *copy = arena_strdup(w->arena, value);

	append_flat(w, join_path(w, path, name), copy ? copy : "");
}

static const char *number_text(uint64_t n, char text[SETTING_TEXT_MAX])
{
	char *at = text + SETTING_TEXT_MAX - 1;

	*at = '\0';
	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	return at;
}

static int by_path(const void *a, const void *b)
{
	return flat_compare(((const struct flat_item *)a)->path,
	                    ((const struct flat_item *)b)->path);
}

/* Most are sorted already. */
static void sort_items(struct flat_item *items, size_t n)
{
	size_t i = 1;

	while (i < n && by_path(&items[i - 1], &items[i]) <= 0)
		i++;
	if (i < n)
		qsort(items, n, sizeof(*items), by_path);
}

static void list_settings(struct flatten_walk *w, enum schema_id group, const void *of,
                          const char *path);

/* An object of its own, with all that is below it. */
static void list_object(struct flatten_walk *w, enum schema_id group, const void *of,
                        const char *path)
{
	size_t first = w->out->n;

	append_flat(w, path, "");
	list_settings(w, group, of, path);
	sort_items(w->out->items + first, w->out->n - first);
}

/* The first setting of a list's group is its name. */
static void list_objects(struct flatten_walk *w, enum schema_id id, const void *of,
                         const char *path)
{
	enum schema_id first = schema()->rows[id].first_child;
	char text[SETTING_TEXT_MAX];

	for (size_t i = 0; i < setting_count(id, of); i++) {
		const void *element = setting_element(id, of, i);

		list_object(w, id, element, join_path(w, path, setting_text(first, element, text)));
	}
}

static const char *join_entries(enum schema_id id, const void *of, char out[ENTRIES_MAX])
{
	char text[SETTING_TEXT_MAX];
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < setting_count(id, of) && used < ENTRIES_MAX - SETTING_TEXT_MAX; i++)
		used += (size_t)snprintf(out + used, ENTRIES_MAX - used, "%s%s", i ? " " : "",
		                         setting_entry(id, of, i, text));
	return out;
}

static void list_setting(struct flatten_walk *w, enum schema_id id, const void *of,
                         const char *path)
{
	const struct schema_row *row = &schema()->rows[id];
	char text[SETTING_TEXT_MAX], name[SETTING_TEXT_MAX], entries[ENTRIES_MAX];

	switch (row->kind) {
	case KIND_GROUP:
		list_settings(w, id, of, join_path(w, path, row->name));
		break;
	case KIND_GROUPS:
		list_objects(w, id, of, join_path(w, path, row->name));
		break;
	case KIND_ADDRESSES:
	case KIND_PREFIXES:
	case KIND_MACS:
	case KIND_REFERENCES:
		add_text(w, path, row->name, join_entries(id, of, entries));
		break;
	case KIND_DURATION:
		snprintf(name, sizeof(name), "%s_%s", row->name, model_schema[id].unit);
		add_text(w, path, name, number_text(setting_number(id, of), text));
		break;
	case KIND_RATE:
	case KIND_BITS:
	case KIND_INTEGER:
		add_text(w, path, row->name, number_text(setting_number(id, of), text));
		break;
	case KIND_REFERENCE:
		add_text(w, path, row->name,
		         setting_is_empty(id, of) ? "none" : setting_text(id, of, text));
		break;
	default:
		add_text(w, path, row->name, setting_text(id, of, text));
	}
}

/* Where a file lies makes no difference: what is in it does. */
static void list_nothing(struct flatten_walk *w, enum schema_id id, const void *of,
                         const char *path)
{
	(void)w;
	(void)id;
	(void)of;
	(void)path;
}

static void list_if_given(struct flatten_walk *w, enum schema_id id, const void *of,
                          const char *path)
{
	if (!setting_is_empty(id, of))
		list_setting(w, id, of, path);
}

static void list_labels(struct flatten_walk *w, enum schema_id id, const void *of, const char *path)
{
	(void)id;
	list_setting(w, SCHEMA_SITES_LABELS_REGION, of, path);
}

/* Ports are fields under their interface's name, so that their order in the file has no meaning. */
static void list_ports(struct flatten_walk *w, enum schema_id id, const void *of, const char *path)
{
	const struct model_node *n = of;
	const char *ports = join_path(w, path, schema()->rows[id].name);
	char macs[ENTRIES_MAX];

	for (size_t i = 0; i < n->n_ports; i++) {
		const struct model_port *p = &n->ports[i];

		add_text(w, ports, p->interface, *p->device ? p->device : p->interface);
		if (p->n_macs)
			add_text(w, join_path(w, ports, p->interface), "macs",
			         join_entries(SCHEMA_NODES_PORTS_MACS, p, macs));
	}
}

static void list_tunnel_sources(struct flatten_walk *w, enum schema_id id, const void *of,
                                const char *path)
{
	const struct model_node *n = of;
	char text[ADDR_LONG_TEXT_MAX];

	(void)id;
	add_text(w, path, "tunnel_source4", prefix_text(&n->tunnel_source4, text));
	add_text(w, path, "tunnel_source6", prefix_text(&n->tunnel_source6, text));
}

/* Each is a field, so that one more is a single difference. */
static void list_names(struct flatten_walk *w, enum schema_id id, const void *of, const char *path)
{
	const char *below = join_path(w, path, schema()->rows[id].name);
	char text[SETTING_TEXT_MAX];

	for (size_t i = 0; i < setting_count(id, of); i++) {
		const char *name = setting_entry(id, of, i, text);

		add_text(w, below, name, name);
	}
}

static void list_announced_vips(struct flatten_walk *w, enum schema_id id, const void *of,
                                const char *path)
{
	bool listed = ((const struct model_node *)of)->announce.lists_vips;

	add_text(w, path, schema()->rows[id].name, listed ? "listed" : "all of the site");
	if (listed)
		list_names(w, id, of, path);
}

static void list_vip_sites(struct flatten_walk *w, enum schema_id id, const void *of,
                           const char *path)
{
	if (setting_is_given(id, of))
		list_names(w, id, of, path);
}

/* A check may be called "default": what stands for the one that nobody named is no name. */
static void list_vip_check(struct flatten_walk *w, enum schema_id id, const void *of,
                           const char *path)
{
	if (setting_is_empty(id, of))
		add_text(w, path, schema()->rows[id].name, "not given");
	else
		list_setting(w, id, of, path);
}

/* The order of sites is a field of each site, as failover goes by it. */
static void list_at(struct flatten_walk *w, enum schema_id id, const void *of, const char *path)
{
	const struct model_service *s = of;
	const char *below = join_path(w, path, schema()->rows[id].name);
	char text[SETTING_TEXT_MAX];

	for (size_t i = 0; i < s->n_at; i++) {
		const char *at = join_path(w, below, s->at[i].site->name);

		list_object(w, id, &s->at[i], at);
		add_text(w, at, "order", number_text(i, text));
	}
}

/* A zone's records are not listed: 16 digits of a digest of its files say whether it changed. */
static void list_contents(struct flatten_walk *w, enum schema_id id, const void *of,
                          const char *path)
{
	char digits[16 + 1];

	(void)id;
	snprintf(digits, sizeof(digits), "%s", ((const struct model_zone *)of)->digest);
	add_text(w, path, "contents", digits);
}

static void (*const own_lists[SCHEMA_COUNT])(struct flatten_walk *w, enum schema_id id,
                                             const void *of, const char *path) = {
	[SCHEMA_CLUSTER_HASH_KEY_FILE] = list_nothing,
	[SCHEMA_SITES_LABELS] = list_labels,
	[SCHEMA_NODES_PORTS] = list_ports,
	[SCHEMA_NODES_TUNNEL_SOURCE] = list_tunnel_sources,
	[SCHEMA_POOLS_REGISTRATION] = list_if_given,
	[SCHEMA_NODES_CAPACITY_BITS] = list_if_given,
	[SCHEMA_NODES_ANNOUNCE_VIPS] = list_announced_vips,
	[SCHEMA_VIPS_SITE] = list_if_given,
	[SCHEMA_VIPS_SITES] = list_vip_sites,
	[SCHEMA_SERVICES_VIP_CHECK] = list_vip_check,
	[SCHEMA_SERVICES_AT] = list_at,
	[SCHEMA_SERVICES_AT_BACKUP] = list_if_given,
	[SCHEMA_SERVICES_AT_BACKUP_MAX] = list_if_given,
	[SCHEMA_SERVICES_AT_BACKUP_MTU] = list_if_given,
	[SCHEMA_DNS_ZONES_FILE] = list_nothing,
	[SCHEMA_DNS_ZONES_DIGEST] = list_contents,
	[SCHEMA_DNS_THREADS] = list_if_given,
};

static void list_settings(struct flatten_walk *w, enum schema_id group, const void *of,
                          const char *path)
{
	const struct schema_row *rows = schema()->rows;
	enum schema_id name =
	        rows[group].kind == KIND_GROUPS ? rows[group].first_child : SCHEMA_COUNT;

	for (enum schema_id id = rows[group].first_named; id != SCHEMA_COUNT;
	     id = rows[id].next_named) {
		if (own_lists[id])
			own_lists[id](w, id, of, path);
		else if (id != name && !rows[id].effective && setting_is_held(id))
			list_setting(w, id, of, path);
	}
}

/* A name with a slash may put an object elsewhere. */
int flatten_model(const struct model *m, struct arena *arena, struct flat *out)
{
	struct flatten_walk w = { .out = out, .arena = arena };

	list_settings(&w, SCHEMA_TOP, m, "");
	if (arena_failed(arena))
		return -ENOMEM;
	sort_items(out->items, out->n);
	return 0;
}
