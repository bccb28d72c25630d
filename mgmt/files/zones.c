/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Zones are compiled by the name server's own code (weir/zones.h), so a zone that is accepted here
 * can be served. Skipping a bad zone replaces its files in the set of files by those in force; the
 * result is a version like any other and is checked again.
 */
#include "mgmt/files/zones.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/sorted.h"
#include "mgmt/files/includes.h"
#include "weir/zones.h"

#define ARENA_MAX ((size_t)64 << 20) /* bytes; bounds what is said of zones */

/* By binary search, as there may be ten thousand zones, each of which is looked for. */
static const struct model_zone *find_model_zone(const struct model *m, const char *name)
{
	return m && m->n_zones
	               ? bsearch(name, m->zones, m->n_zones, sizeof(*m->zones), sorted_by_text)
	               : NULL;
}

static void add_warning(struct zones_findings *said, const char *text)
{
	if (said->n_warnings == ZONES_FINDINGS_MAX)
		said->n_more++;
	else if (text)
		said->warnings[said->n_warnings++] = text;
}

/* Where messages go while zones are compiled. */
struct judging {
	const struct model *m;
	struct model_errors *errors;
	struct zones_findings *said;
};

static void judge_message(void *arg, const struct zones_message *m)
{
	struct judging *j = arg;
	struct zones_findings *said = j->said;
	const struct model_zone *zone =
	        m->level != ZONES_WARNING ? find_model_zone(j->m, m->zone) : NULL;

	if (m->level == ZONES_WARNING) {
		add_warning(said,
		            arena_printf(said->arena, "%s:%u: %s", m->file, m->line, m->text));
		return;
	}
	model_errors_add(j->errors, m->file, m->line, "dns.zones", m->text);
	if (zone && !said->bad[zone - j->m->zones]) {
		said->bad[zone - j->m->zones] = true;
		said->n_bad++;
	}
}

/* Secondaries go by the serial: one that goes back is a sign of an old file. */
static void compare_serials(const struct model *m, const struct model *head,
                            struct zones_findings *said)
{
	for (size_t i = 0; i < m->n_zones; i++) {
		const struct model_zone *zone = &m->zones[i];
		const struct model_zone *old = find_model_zone(head, zone->name);
		uint32_t was, is;

		if (!old || !strcmp(old->digest, zone->digest) ||
		    zones_serial(old->name, old->file, &was) ||
		    zones_serial(zone->name, zone->file, &is))
			continue;
		if ((int32_t)(is - was) < 0) /* RFC 1982 */
			add_warning(said,
			            arena_printf(said->arena,
			                         "zone %s: the serial goes back from %u to %u: is "
			                         "this an old file?",
			                         zone->name, was, is));
	}
}

static int start_report(struct zones_findings *said, size_t n_zones)
{
	zones_findings_fini(said);
	said->arena = arena_new(ARENA_MAX);
	said->bad = calloc(n_zones + 1, sizeof(*said->bad));
	said->skipped = said->arena ? ARENA_ARRAY(said->arena, const char *, n_zones + 1) : NULL;
	return said->bad && said->skipped ? 0 : -ENOMEM;
}

int zones_judge(const struct model *m, const struct model *head, struct model_errors *errors,
                struct zones_findings *said)
{
	struct judging j = { m, errors, said };
	int err = start_report(said, m->n_zones);

	if (!err)
		err = zones_check(m, judge_message, &j);
	if (!err)
		compare_serials(m, head, said);
	return !err && arena_failed(said->arena) ? -ENOMEM : err;
}

/* Replacing the files of bad zones by the head's. */
struct skip {
	struct files *files;
	const struct files *head_files;
	const struct model *m;
	const bool *bad;
	const char *needed_by; /* a good zone that uses the new file */
};

static int note_same(void *arg, const char *name)
{
	const char **sought = arg;

	return strcmp(*sought, name) ? 0 : 1;
}

/* Whether a zone that is taken as given includes @p name. */
static const char *good_user(const struct skip *s, const char *name)
{
	for (size_t i = 0; i < s->m->n_zones; i++) {
		const char *file = model_laid_out_name(s->m->zones[i].file);

		if (!s->bad[i] && file &&
		    (!strcmp(file, name) || includes_of(s->files, file, note_same, &name) == 1))
			return s->m->zones[i].name;
	}
	return NULL;
}

static int put_back(struct skip *s, const char *from, const char *to)
{
	const struct files_item *old = files_find(s->head_files, from),
	                        *is = files_find(s->files, to);

	if (!old || (is && !strcmp(is->digest, old->digest)))
		return 0;
	s->needed_by = good_user(s, to);
	return s->needed_by ? -EBUSY : files_put(s->files, to, old);
}

static int put_back_include(void *arg, const char *name)
{
	return put_back(arg, name, name);
}

/* @return 0, or -EINVAL when the zone has nothing to go back to */
static int skip_zone(struct skip *s, const struct model_zone *zone, const struct model_zone *old)
{
	const char *name = model_laid_out_name(zone->file),
	           *from = old ? model_laid_out_name(old->file) : NULL;

	if (!name || !from || !files_find(s->head_files, from))
		return -EINVAL;
	int err = put_back(s, from, name);
	return err ? err : includes_of(s->head_files, from, put_back_include, s);
}

static const char *explain_unskipped(const struct skip *s, int err, struct arena *arena,
                                     const struct model_zone *zone)
{
	return err == -EBUSY
	               ? arena_printf(
	                         arena,
	                         "zone %s cannot be skipped: zone %s, which is not skipped, uses "
	                         "one of its files",
	                         zone->name, s->needed_by)
	               : arena_printf(arena,
	                              "zone %s cannot be skipped: the version in force has no file "
	                              "of it",
	                              zone->name);
}

int zones_skip(struct files *files, const struct model *m, const struct files *head_files,
               const struct model *head, struct model_errors *errors, struct zones_findings *said)
{
	struct skip s = { files, head_files, m, said->bad, NULL };
	size_t n_failed = 0;

	for (size_t i = 0; i < m->n_zones; i++) {
		const struct model_zone *zone = &m->zones[i];
		int err = said->bad[i] ? skip_zone(&s, zone, find_model_zone(head, zone->name)) : 0;

		if (err == -ENOMEM)
			return err;
		if (said->bad[i] && !err)
			said->skipped[said->n_skipped++] = arena_strdup(said->arena, zone->name);
		if (!err)
			continue;
		n_failed++;
		const char *reason = explain_unskipped(&s, err, said->arena, zone);
		const char *file = model_laid_out_name(zone->file); /* as the operator calls it */

		model_errors_add(errors, file ? file : zone->file, 0, "dns.zones",
		                 reason ? reason : "out of memory");
	}
	return n_failed ? -EINVAL : 0;
}

void zones_findings_fini(struct zones_findings *said)
{
	arena_free(said->arena);
	free(said->bad);
	*said = (struct zones_findings){ 0 };
}
