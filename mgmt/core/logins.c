/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file is read again only when its stamp has changed, or it could not be read; the conditions are stated in each round from what was found. A line's
 * text is never quoted: it may be a secret.
 */
#include "mgmt/core/logins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mgmt/core/core.h"
#include "mgmt/files/files.h"
#include "weir/condition.h"

/* Keep those that end first, in their order. */
static void note_end(struct logins *l, const struct tokens_entry *entry)
{
	size_t i = l->n_ends < LOGINS_END_MAX ? l->n_ends++ : LOGINS_END_MAX;

	for (; i > 0 && l->ends[i - 1].until_ms > entry->until_ms; i--)
		if (i < LOGINS_END_MAX)
			l->ends[i] = l->ends[i - 1];
	if (i == LOGINS_END_MAX)
		return;
	l->ends[i].until_ms = entry->until_ms;
	memcpy(l->ends[i].name, entry->name, sizeof(entry->name));
}

static void note_line(void *arg, size_t line, const struct tokens_entry *entry, const char *reason)
{
	struct logins *l = arg;

	if (entry && entry->until_ms != INT64_MAX)
		note_end(l, entry);
	else if (!entry && l->n_kept < LOGINS_BAD_MAX)
		l->bad[l->n_kept++] = (struct logins_bad){ line, reason };
}

static void read_tokens(struct logins *l, const char *path)
{
	char *text = NULL;
	size_t n;
	int err = files_slurp(path, &text, &n);

	l->n_kept = l->n_bad = l->n_ends = 0;
	l->error = err == -ENOENT ? 0 : -err;
	if (!err)
		l->n_bad = tokens_scan(text, n, note_line, l);
	free(text);
}

static void state_tokens(struct core *core, struct logins *l)
{
	char subject[CONDITION_SUBJECT_MAX];

	if (l->error)
		conditions_add(core->stats, "tokens-unreadable", CONDITION_DEGRADED, TOKENS_FILE,
		               "%s/" TOKENS_FILE " cannot be read (%s), so no token is accepted: "
		               "it must belong to user weir-mgmt (run systemd-tmpfiles --create)",
		               core->dirs.conf, strerror(l->error));
	for (size_t i = 0; i < l->n_kept; i++) {
		snprintf(subject, sizeof(subject), TOKENS_FILE ":%zu", l->bad[i].line);
		conditions_add(core->stats, "tokens-line-bad", CONDITION_DEGRADED, subject,
		               "line %zu of %.80s/" TOKENS_FILE " gives no access: %s",
		               l->bad[i].line, core->dirs.conf, l->bad[i].reason);
	}
	if (l->n_bad > l->n_kept)
		conditions_add(core->stats, "tokens-line-bad", CONDITION_DEGRADED, TOKENS_FILE,
		               "%zu more lines of %.80s/" TOKENS_FILE " give no access",
		               l->n_bad - l->n_kept, core->dirs.conf);
}

/* A person has to act, and nothing is wrong yet with what Weir does: a note. */
static void state_ends(struct core *core, const struct logins *l, int64_t now_ms)
{
	char subject[CONDITION_SUBJECT_MAX], text[CLOCK_TEXT_MAX];

	for (size_t i = 0; i < l->n_ends && l->ends[i].until_ms - now_ms < TOKENS_SOON_MS; i++) {
		const struct logins_end *end = &l->ends[i];
		bool is_over = now_ms >= end->until_ms;

		snprintf(subject, sizeof(subject), "%s", end->name);
		conditions_add(core->stats, "token-ends", CONDITION_NOTE, subject,
		               "token %s %s %s: %s", end->name, is_over ? "has ended" : "ends",
		               clock_text(end->until_ms, text),
		               is_over ? "weir token remove takes its line out"
		                       : "weir token new makes another one");
	}
}

void logins_state(struct core *core, struct logins *l)
{
	char path[PATH_MAX];

	if (proc_path(core->dirs.conf, TOKENS_FILE, path))
		return;
	struct stamp now = stamp_of(core->dirs.conf, TOKENS_FILE);
	if (!l->looked || !stamp_same(&now, &l->read_stamp)) {
		l->read_stamp = now;
		read_tokens(l, path);
		l->looked = !l->error; /* an error may end without a change of the file */
	}
	state_tokens(core, l);
	state_ends(core, l, clock_believed_ms());
}
