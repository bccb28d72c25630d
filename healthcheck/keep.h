/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Verdicts in a file of the state directory, for the starts after which the run directory (and with
 * it the health page) is empty; and the penalties of damping, for all starts. Text: a line
 * "weir-verdicts 2 TIME" (of writing, in ms since 1970), a line "TARGET WORD PENALTY" for each
 * target (hex, hex, thousandths), and "end N". A file without its end is no file.
 */
#ifndef HEALTHCHECK_KEEP_H
#define HEALTHCHECK_KEEP_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"

#include "healthcheck/checker.h"

#define KEEP_FILE "health.verdicts" /* in the state directory */

/*
 * Write the verdicts of @p t: temporary file, fsync, rename.
 * @return 0 or -errno (the old file stays)
 */
int keep_write(const char *path, const struct targets *t);

/*
 * The same beside the loop, which must not wait for a disk: keep_start() takes a copy of the
 * verdicts and a thread writes it. Zeroed at the start.
 */
struct keep_writer {
	pthread_t thread;
	bool started;
	atomic_bool done;
	char *text;
	size_t n_text;
	char path[PATH_MAX];
	int err;  /* the thread's */
	int last; /* how the last write that was waited for ended */
};
/*
 * The same for any @p text of @p n bytes, from malloc(), taken also on failure.
 * @return 0, -EBUSY, -ENAMETOOLONG or -EAGAIN
 */
MUST_CHECK int keep_start_text(struct keep_writer *w, const char *path, char *text, size_t n);
/*
 * Write @p text of @p n bytes to @p path: temporary file, fsync, rename.
 * @return 0 or -errno (the old file stays)
 */
int keep_write_text(const char *path, const char *text, size_t n);
/* @return 0, -EBUSY (the last write is still under way), -ENOMEM or -EAGAIN */
MUST_CHECK int keep_start(struct keep_writer *w, const char *path, const struct targets *t);
/*
 * Look at a write that is under way. One that has failed sets @p changed, so that it is tried again
 * though nothing changes any more. @return the result of a write that is over since the last look,
 * else 0
 */
MUST_CHECK int keep_poll(struct keep_writer *w, bool *changed);
/* Wait for a write that is under way. @return its result, or 0 */
int keep_finish(struct keep_writer *w);
/*
 * Read the file. @p out is given: free(); sorted by target.
 * @return 0, -ENOENT, -EPROTO (not such a file, or torn) or -errno
 */
MUST_CHECK int keep_read(const char *path, struct saved_word **out, size_t *n);
/* Give @p t what the file said of it: the verdict, unless it has one, and the penalty. */
void keep_restore(struct target *t, const struct saved_word *saved, size_t n, uint64_t now_ms);

#endif
