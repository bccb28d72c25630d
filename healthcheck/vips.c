/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sorted array with binary search: there are few insertions in the life of a node, so they may
 * move the rest. Port 0 sorts first, so the first record from (address, 0) on tells whether the
 * address is known at all.
 */
#include "healthcheck/vips.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/owner.h"
#include "base/sorted.h"

#define HEAD "weir-vips 1\n" /* the first line: a file of another format is refused */

static int compare_vips(const void *a, const void *b)
{
	const struct vip_record *x = a, *y = b;
	int order = addr_compare(&x->address, &y->address);

	return order ? order : (x->port > y->port) - (x->port < y->port);
}

/* The position of @p key, or where it belongs. */
static size_t find_position(const struct vips *v, const struct vip_record *key, bool *found)
{
	return sorted_index(key, v->items, v->n, sizeof(*v->items), compare_vips, found);
}

bool vips_is_proven(const struct vips *v, const struct addr *address, uint16_t port)
{
	const struct vip_record key = { *address, port };
	bool found;

	(void)find_position(v, &key, &found);
	return found;
}

bool vips_is_new(const struct vips *v, const struct addr *address)
{
	const struct vip_record key = { *address, 0 };
	size_t at = find_position(v, &key, NULL);

	return !(at < v->n && addr_equal(&v->items[at].address, address));
}

/* @return whether there is room for one more record */
static bool grow_records(struct vips *v)
{
	size_t room = v->room ? 2 * v->room : 64;
	struct vip_record *items;

	if (v->n < v->room)
		return true;
	items = v->n < VIPS_RECORDS_MAX ? realloc(v->items, room * sizeof(*items)) : NULL;
	if (!items)
		return false;
	v->items = items;
	v->room = room;
	return true;
}

void vips_note(struct vips *v, const struct addr *address, uint16_t port)
{
	const struct vip_record record = { *address, port };
	bool found;
	size_t at = find_position(v, &record, &found);

	if (found)
		return;
	if (!grow_records(v)) {
		log_warn("vip-not-noted", "records=%zu", v->n);
		return;
	}
	memmove(&v->items[at + 1], &v->items[at], (v->n - at) * sizeof(*v->items));
	v->items[at] = record;
	v->n++;
	v->changed = true;
}

void vips_note_model(struct vips *v, const struct model *m)
{
	for (size_t i = 0; !v->known && i < m->n_vips; i++)
		for (size_t k = 0; k < m->vips[i].n_addresses; k++)
			vips_note(v, &m->vips[i].addresses[k], 0);
	v->changed |= !v->known;
	v->known = true;
}

void vips_fini(struct vips *v)
{
	free(v->items);
	*v = (struct vips){ 0 };
}

char *vips_text(const struct vips *v, size_t *n)
{
	char address[ADDR_TEXT_MAX], *text = NULL;
	FILE *f = open_memstream(&text, n);

	if (!f)
		return NULL;
	fputs(HEAD, f);
	for (size_t i = 0; i < v->n; i++)
		fprintf(f, "%s %u\n", addr_text(&v->items[i].address, address), v->items[i].port);
	fprintf(f, "end %zu\n", v->n);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static bool read_vip_record(const char *line, struct vips *v)
{
	char text[64];
	struct addr address;
	unsigned port;
	int end = -1;

	if (sscanf(line, "%63s %5u%n", text, &port, &end) != 2 || end < 0 || line[end] != '\n' ||
	    port > UINT16_MAX || addr_parse(text, &address))
		return false;
	vips_note(v, &address, (uint16_t)port);
	return true;
}

static int read_vip_records(FILE *f, struct vips *v)
{
	char line[128];
	size_t n = 0, n_said;
	int end;

	if (!fgets(line, sizeof(line), f) || strcmp(line, HEAD) != 0)
		return -EPROTO;
	while (fgets(line, sizeof(line), f)) {
		end = -1;
		if (sscanf(line, "end %zu%n", &n_said, &end) == 1 && end > 0 && line[end] == '\n')
			return n_said == n ? 0 : -EPROTO;
		if (n++ == VIPS_RECORDS_MAX || !read_vip_record(line, v))
			return -EPROTO;
	}
	return -EPROTO;
}

int vips_read(const char *path, struct vips *out)
{
	struct vips v = { 0 };
	FILE *f = owner_fopen(path, "health");
	int err;

	if (!f)
		return -errno;
	err = read_vip_records(f, &v);
	fclose(f);
	if (err) {
		vips_fini(&v);
		return err;
	}
	v.known = true;
	v.changed = false;
	*out = v;
	return 0;
}
