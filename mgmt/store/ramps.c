/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns of this node runs the ramps of drains and writes where they are to a file. The file is
 * read again when its inode or time changes, or it could not be read, so that states, levels and
 * guards are those in force, and a drain that is still held is not forgotten.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/proc.h"
#include "mgmt/store/intent_internal.h"

/* Whether the file has changed since it was read, or could not be read then. */
static bool is_new(struct intent *in, const char *path)
{
	struct stat st = { 0 };

	(void)stat(path, &st); /* none: as if it were empty */
	if ((!in->ramps_error || in->ramps_error == -EINVAL) && st.st_ino == in->ramps_ino &&
	    st.st_mtim.tv_sec == in->ramps_at.tv_sec && st.st_mtim.tv_nsec == in->ramps_at.tv_nsec)
		return false;
	in->ramps_ino = st.st_ino;
	in->ramps_at = st.st_mtim;
	return true;
}

static void read_ramps(struct intent *in)
{
	struct ramp_record *list;
	char path[PATH_MAX];
	int n;

	if (proc_path(in->state_dir, RAMP_FILE, path) || !is_new(in, path))
		return;
	list = calloc(RAMP_RECORDS_MAX, sizeof(*list));
	n = list ? ramp_read(in->state_dir, list) : -ENOMEM;
	/* once: of another file, or of another error */
	if (n < 0 && (n == -EINVAL || n != in->ramps_error))
		log_warn("ramps-not-read", "path=%s error=\"%s\"", path, strerror(-n));
	in->ramps_error = n < 0 ? n : 0;
	if (n < 0) {
		free(list);
		return; /* keep the ramps that were read last */
	}
	free(in->ramps);
	in->ramps = list;
	in->n_ramps = (size_t)n;
}

static void note_ramp_event(struct intent *in, const struct override *o, enum ramp_how was,
                            int64_t now_ms)
{
	static const char *const texts[RAMP_HOW_COUNT] = {
		[RAMP_FREE] = "follows its schedule again",
		[RAMP_LATE] = "goes on, later than scheduled",
		[RAMP_HELD_CLOCK] = "is held: the clock of this node is not trusted",
		[RAMP_HELD_SITE] =
		        "has expired and is held: the site is not up as seen from outside",
	};

	if (o->how != was)
		journal_add(in->journal, now_ms, "override", o->id, "the drain of site %s %s",
		            o->name, texts[o->how]);
}

void intent_follow_ramps(struct intent *in, int64_t now_ms)
{
	read_ramps(in);
	for (size_t i = 0; i < in->overrides.n_items; i++) {
		struct override *o = &in->overrides.items[i];
		struct model_override as_model;
		override_to_model(o, &as_model);
		const struct ramp_record *r = ramp_find(in->ramps, in->n_ramps, &as_model);
		const struct ramp_record *any =
		        r ? r : ramp_find_any(in->ramps, in->n_ramps, o->id);
		enum ramp_how was = o->how;
		int64_t was_at_ms = o->at_ms;

		o->how = r ? r->how : RAMP_FREE;
		o->at_ms = r ? r->at_ms : 0;
		if (o->how != was || o->at_ms != was_at_ms)
			overrides_note_edit(&in->overrides);
		o->level_known = any && any->level_known;
		o->level_is_earlier = any && !r;
		o->level_ppm = any ? any->level_ppm : 0;
		note_ramp_event(in, o, was, now_ms);
	}
}

void intent_note_nodes(struct intent *in,
                       enum override_left (*left_of)(void *arg, const char *node), void *arg)
{
	for (size_t i = 0; i < in->overrides.n_items; i++)
		if (in->overrides.items[i].target == MODEL_TARGET_NODE)
			in->overrides.items[i].left = left_of(arg, in->overrides.items[i].name);
}
