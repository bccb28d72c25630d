/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Marks on the head's files say which ones belong to zones, by following their includes. The files
 * without a mark are copied from the head; zones and their includes are read from the disk.
 */
#include "mgmt/files/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/files/includes.h"
#include "mgmt/files/zones.h"

/* The argument of mark_file() and copy_file(). */
struct mark {
	const struct files *from;
	bool *marked;
	struct files *to;
};

static int mark_file(void *arg, const char *name)
{
	struct mark *m = arg;
	const struct files_item *item = files_find(m->from, name);

	if (item)
		m->marked[item - m->from->items] = true;
	return 0;
}

static int copy_file(void *arg, const char *name)
{
	struct mark *m = arg;
	const struct files_item *item = files_find(m->from, name);

	return item && !files_find(m->to, name) ? files_put(m->to, name, item) : 0;
}

/* Copy the files of the head that belong to no zone. */
static int copy_others(const struct files *head, const struct model *m, struct files *out)
{
	struct mark mark = { head, calloc(head->n_items + 1, sizeof(bool)), out };
	int err = mark.marked ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < m->n_zones; i++) {
		const char *name = model_laid_out_name(m->zones[i].file);

		if (name)
			mark_file(&mark, name);
		if (name)
			err = includes_of(head, name, mark_file, &mark);
	}
	for (size_t i = 0; !err && i < head->n_items; i++)
		if (!mark.marked[i])
			err = files_put(out, head->items[i].name, &head->items[i]);
	free(mark.marked);
	return err;
}

static void add_read_error(struct model_errors *errors, const char *conf_dir, const char *zone,
                           const char *name, int err)
{
	char text[512];

	snprintf(text, sizeof(text), "zone %.200s: %s/%s cannot be read: %s", zone, conf_dir, name,
	         strerror(-err));
	model_errors_add(errors, name, 0, "dns.zones", text);
}

static int reload_zone(const struct files *head, const struct model_zone *zone,
                       const char *conf_dir, bool skip, struct files *out,
                       struct model_errors *errors)
{
	struct mark mark = { head, NULL, out };
	const char *name = model_laid_out_name(zone->file);

	if (!name)
		return 0;
	int err = includes_gather(out, conf_dir, name);
	if (!err || err == -ENOMEM)
		return err;
	add_read_error(errors, conf_dir, zone->name, name, err);
	if (!skip)
		return -EINVAL;
	err = copy_file(&mark, name);
	return err ? err : includes_of(head, name, copy_file, &mark);
}

int reload_files(const struct files *head, const struct model *m, const char *conf_dir, bool skip,
                 struct files *out, struct model_errors *errors)
{
	struct files files = { 0 };
	int err = copy_others(head, m, &files), worst = 0;

	*errors = (struct model_errors){ 0 };
	for (size_t i = 0; !err && i < m->n_zones; i++) {
		err = reload_zone(head, &m->zones[i], conf_dir, skip, &files, errors);
		if (err == -EINVAL) { /* go on: all errors are reported */
			worst = err;
			err = 0;
		}
	}
	err = err ? err : worst;
	if (err)
		files_fini(&files);
	else
		*out = files;
	return err;
}
