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

#include "mgmt/core/core.h"
#include "mgmt/files/files.h"
#include "weir/condition.h"

static void note_bad(void *arg, size_t line, const char *reason)
{
	struct logins *l = arg;

	if (l->n_kept < LOGINS_BAD_MAX)
		l->bad[l->n_kept++] = (struct logins_bad){ line, reason };
}

static void read_tokens(struct logins *l, const char *path)
{
	char *text = NULL;
	size_t n;
	int err = files_slurp(path, &text, &n);

	l->n_kept = l->n_bad = 0;
	l->error = err == -ENOENT ? 0 : -err;
	if (!err)
		l->n_bad = tokens_scan(text, n, note_bad, l);
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
}
