/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A zone file's records as logical lines (RFC 1035, section 5.1), for comparing two versions of a
 * zone. Records are compared by hashes, not parsed: owners are made absolute and lower-case, blanks
 * are single, TTL and class are left out. Data stays as it is written, with the origin of its
 * relative names mixed in. So a record that is only written differently may count as changed, but
 * no change of data goes unseen.
 */
#include "weir/zones.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "dns/zone/text.h"
#include "dns/zone/words.h"
#include "dns/zone/zone.h"

#define NAME_MAX_TEXT 1024 /* bytes of a name with escapes, and its NUL */

struct listing {
	zones_found *found;
	void *arg;
	char apex[NAME_MAX_TEXT], owner[NAME_MAX_TEXT];
	char origins[ZONE_INCLUDE_DEPTH + 1][NAME_MAX_TEXT]; /* by depth of includes */
	unsigned depth;
	bool serial_only, serial_known; /* only the first SOA's serial is needed */
	uint32_t serial;
};

/* Append @p text in lower case, as far as there is room. @return the length then */
static size_t add_folded(char out[NAME_MAX_TEXT], size_t at, const char *text, size_t n)
{
	for (size_t i = 0; i < n && at + 1 < NAME_MAX_TEXT; i++, at++)
		out[at] = (char)tolower((unsigned char)text[i]);
	out[at] = '\0';
	return at;
}

/* The absolute name of @p word, in lower case, without the final dot. */
static void read_absolute_name(const char *word, const char *origin, char out[NAME_MAX_TEXT])
{
	size_t n = strlen(word), at = 0;

	if (strcmp(word, "@") != 0) {
		bool whole = n && word[n - 1] == '.';

		at = add_folded(out, 0, word, whole ? n - 1 : n < 1000 ? n : 1000);
		if (whole)
			return;
		at = add_folded(out, at, ".", 1);
	}
	add_folded(out, at, origin, strlen(origin));
}

/* A TTL ("300", "1h30m") or a class, which stand before the type in any order. */
static bool is_ttl_or_class(const char *word)
{
	return isdigit((unsigned char)word[0]) || !strcasecmp(word, "IN") ||
	       !strcasecmp(word, "CH") || !strcasecmp(word, "HS");
}

static void read_serial(struct listing *l, const char *type, char *at)
{
	const char *word;

	if (strcmp(type, "SOA") != 0 || !zone_word_next(&at) || !zone_word_next(&at) ||
	    !(word = zone_word_next(&at)))
		return;
	l->serial = (uint32_t)strtoul(word, NULL, 10);
	l->serial_known = true;
}

/*
 * Two hashes describe a record: of owner and type, which name its RRset, and of its data with the
 * origin.
 */
static void list_record(struct listing *l, struct zone_text_line *line)
{
	char *at = line->text, *type, *word;
	struct zones_record r = { 0 };

	if (!line->indented) {
		word = zone_word_next(&at);
		if (!word)
			return;
		read_absolute_name(word, l->origins[l->depth], l->owner);
	}
	do
		type = zone_word_next(&at);
	while (type && is_ttl_or_class(type));
	if (!type)
		return;
	for (char *c = type; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	if (l->serial_only) {
		read_serial(l, type, at);
		return;
	}
	r.rrset = hash_mix(hash_text(l->owner) * 31 + hash_text(type));
	r.is_soa = !strcmp(type, "SOA");
	r.is_apex_ns = !strcmp(type, "NS") && !strcmp(l->owner, l->apex);
	r.data = hash_text(l->origins[l->depth]);
	while ((word = zone_word_next(&at)))
		r.data = hash_mix(r.data * 31 + hash_text(word));
	l->found(l->arg, &r);
}

/*
 * Errors are ignored: the zone's check reports them, and a comparison shows as much as it can
 * read.
 */
static void follow_directive(struct listing *l, struct zone_text *t, char *text)
{
	char *what = zone_word_next(&text), *word = zone_word_next(&text),
	     *origin = zone_word_next(&text);
	char name[NAME_MAX_TEXT];
	const char *reason;

	if (word && !strcasecmp(what, "$ORIGIN")) {
		read_absolute_name(word, l->origins[l->depth], name);
		memcpy(l->origins[l->depth], name, sizeof(name));
	} else if (word && !strcasecmp(what, "$INCLUDE")) {
		read_absolute_name(origin ? origin : "@", l->origins[l->depth], name);
		/* the check reports a file that cannot be read; here its records are missing */
		if (!zone_text_include(t, zone_word_unquote(word), &reason))
			memcpy(l->origins[l->depth + 1], name, sizeof(name));
	}
}

/*
 * Reading stops at the first serial if only that is needed: it usually is the file's first
 * record.
 */
static int list_file(struct listing *l, const char *zone, const char *file)
{
	struct zone_text_line line;
	struct zone_text *t = NULL;
	const char *reason;
	int err = zone_text_open(file, &t, &reason);

	if (!err) {
		read_absolute_name(zone, "", l->apex);
		if (*l->apex && l->apex[strlen(l->apex) - 1] == '.')
			l->apex[strlen(l->apex) - 1] = '\0';
		memcpy(l->origins[0], l->apex, sizeof(l->apex));
	}
	while (!err && !l->serial_known && (err = zone_text_next(t, &line, &reason)) == 1) {
		err = 0;
		l->depth = line.depth;
		if (line.text[strspn(line.text, " \t")] == '$')
			follow_directive(l, t, line.text);
		else
			list_record(l, &line);
	}
	zone_text_close(t);
	return err;
}

int zones_list(const char *zone, const char *file, zones_found *found, void *arg)
{
	struct listing *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (l) {
		l->found = found;
		l->arg = arg;
		err = list_file(l, zone, file);
	}
	free(l);
	return err;
}

int zones_serial(const char *zone, const char *file, uint32_t *out)
{
	struct listing *l = calloc(1, sizeof(*l));
	int err = -ENOMEM;

	if (l) {
		l->serial_only = true;
		err = list_file(l, zone, file);
		if (!err && !l->serial_known)
			err = -ENOENT;
		if (!err)
			*out = l->serial;
	}
	free(l);
	return err;
}
