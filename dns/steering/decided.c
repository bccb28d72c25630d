/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two lists: a round collects its targets in `next`, which is sorted and exchanged with `items` at
 * the round's end. So a round without memory changes nothing, and two rounds are compared with one
 * memcmp(). A file without its last line is not used: it was cut.
 */
#include "dns/steering/decided.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/owner.h"
#include "base/proc.h"
#include "base/replace.h"
#include "base/sorted.h"

#define HEAD        "weir-sites 1\n"   /* the number is the format's */
#define TARGETS_MAX (2u * 64u * 4096u) /* families, sites and services that a document can have */

/* Room for @p n in both lists. @return whether there is */
static bool reserve_targets(struct decided *d, size_t n)
{
	size_t room = d->room ? d->room : 64;
	uint64_t *list;

	if (n <= d->room)
		return true;
	while (room < n)
		room *= 2;
	list = realloc(d->items, room * sizeof(*list));
	if (!list)
		return false;
	d->items = list;
	list = realloc(d->next, room * sizeof(*list));
	if (!list)
		return false;
	d->next = list;
	d->room = room;
	return true;
}

bool decided_is_down(const struct decided *d, uint64_t target)
{
	return d->n && bsearch(&target, d->items, d->n, sizeof(target), sorted_by_u64);
}

void decided_begin(struct decided *d)
{
	d->n_next = 0;
	d->failed = false;
}

void decided_add(struct decided *d, uint64_t target)
{
	d->failed |= d->n_next == TARGETS_MAX || !reserve_targets(d, d->n_next + 1);
	if (!d->failed)
		d->next[d->n_next++] = target;
}

void decided_end(struct decided *d, bool settled)
{
	uint64_t *items = d->items;

	if (d->failed)
		return;
	if (d->n_next)
		qsort(d->next, d->n_next, sizeof(*d->next), sorted_by_u64);
	if (d->known || settled)
		d->changed |= !d->known || d->n_next != d->n ||
		              (d->n && memcmp(d->items, d->next, d->n * sizeof(*d->next)) != 0);
	d->known |= settled;
	d->items = d->next;
	d->next = items;
	d->n = d->n_next;
}

/*
 * Strict: a line that this release would not write means a damaged file, and then nothing of it
 * is used.
 */
static int read_down_targets(FILE *f, struct decided *d)
{
	char line[64];
	size_t n;
	int end = 0;

	if (!fgets(line, sizeof(line), f) || strcmp(line, HEAD) != 0)
		return -EPROTO;
	while (fgets(line, sizeof(line), f)) {
		uint64_t target;

		if (sscanf(line, "end %zu%n", &n, &end) == 1 && line[end] == '\n')
			return n == d->n_next && fgetc(f) == EOF ? 0 : -EPROTO;
		if (sscanf(line, "%16" SCNx64 "%n", &target, &end) != 1 || end != 16 ||
		    line[end] != '\n')
			return -EPROTO;
		decided_add(d, target);
		if (d->failed)
			return -ENOMEM;
	}
	return -EPROTO;
}

int decided_open(struct decided *d, const char *state_dir)
{
	char path[PATH_MAX];
	int err = proc_path(state_dir, DECIDED_FILE, path);
	FILE *f = err ? NULL : owner_fopen(path, "dns");

	*d = (struct decided){ 0 };
	if (!f)
		return err ? err : errno == ENOENT ? 0 : -errno;
	err = read_down_targets(f, d);
	fclose(f);
	if (err)
		decided_begin(d);
	decided_end(d, err == 0);
	d->changed = false;
	return err;
}

void decided_close(struct decided *d)
{
	free(d->items);
	free(d->next);
	*d = (struct decided){ 0 };
}

int decided_write(const char *state_dir, const uint64_t *targets, size_t n)
{
	char path[PATH_MAX], temporary[REPLACE_NAME_MAX];
	int err = proc_path(state_dir, DECIDED_FILE, path);

	if (err)
		return err;
	FILE *f = replace_begin_stream(path, 0644, temporary);
	if (!f)
		return -errno;
	fputs(HEAD, f);
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%016" PRIx64 "\n", targets[i]);
	fprintf(f, "end %zu\n", n);
	return replace_end_stream(f, temporary, path, REPLACE_SYNC_FILE);
}
