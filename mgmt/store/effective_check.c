/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The effective document after it was written. Processes compare its number with the one that they
 * have, so the number must not go back while one of them lives, even if the document that held it
 * is lost: it follows on from the processes' pages. A document that something else cut short or
 * overwrote is written again, as a process that starts needs it whole.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/proc.h"
#include "mgmt/store/intent_internal.h"
#include "weir/condition.h"

/* A page with a larger number is damaged: at one document a millisecond that takes 8,000 years. */
#define DOCUMENT_MAX ((uint64_t)1 << 48)

uint64_t written_newest_document(const char *run_dir)
{
	static const char *const takers[] = { "dataplane", "health", "dns", "announce" };
	struct conditions *c = run_dir ? malloc(sizeof(*c)) : NULL;
	uint64_t newest = 0;

	for (size_t i = 0; c && i < sizeof(takers) / sizeof(takers[0]); i++)
		if (!conditions_read(run_dir, takers[i], c) && c->document > newest &&
		    c->document < DOCUMENT_MAX)
			newest = c->document;
	free(c);
	return newest;
}

static bool stat_document(const struct intent *in, char path[PATH_MAX], struct stat *st)
{
	return !proc_path(in->state_dir, PROC_EFFECTIVE_FILE, path) && !stat(path, st);
}

void written_note(struct intent *in)
{
	char path[PATH_MAX];
	struct stat st;

	in->written.known = stat_document(in, path, &st);
	if (!in->written.known)
		return;
	in->written.ino = st.st_ino;
	in->written.bytes = st.st_size;
	in->written.at = st.st_mtim;
}

/* Whether the file is another one or was written to: this module replaces it by rename only. */
static bool is_other(const struct intent *in, const struct stat *st)
{
	return st->st_ino != in->written.ino || st->st_size != in->written.bytes ||
	       st->st_mtim.tv_sec != in->written.at.tv_sec ||
	       st->st_mtim.tv_nsec != in->written.at.tv_nsec;
}

bool written_is_damaged(struct intent *in, int64_t now_ms)
{
	char path[PATH_MAX];
	struct stat st;

	if (!in->written.known || in->offline)
		return false;
	bool there = stat_document(in, path, &st);

	if (there && !is_other(in, &st))
		return false;
	log_error("effective-damaged",
	          "path=%s document=%" PRIu64 " what=\"%s\" effect=\"written again\"", path,
	          in->document, there ? "changed by another program" : "removed");
	journal_add(in->journal, now_ms, "store", "effective",
	            "the effective document was %s; it is written again",
	            there ? "changed by another program than weir-mgmt" : "removed");
	in->written.known = false; /* until it is written again, so that it is logged once */
	return true;
}
