/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The audit log of a node on its disk: STATE/audit/ with files of lines (mgmt/audit/line.h), which are called by the number
 * of their first one, and the key. Files are of a size and so many; the oldest goes whole, and the file that is begun
 * then says, signed, which lines are no longer kept.
 *
 * A line is written by one write(2) by who asks, and synced within a second by the log's own thread: a power cut
 * loses what was written in its last second. What comes again and again is counted in memory, and written by that thread. A
 * head is signed, and told to the peers, only when all before it is on the disk: so no power cut looks like a line cut off.
 *
 * Where the file that is written was removed, replaced or cut, or where lines are missing at a start, the log goes on in a new file, by
 * the number and digest of the last line that was written: so the gap is to be seen. A line, and the state until the key is
 * changed, say so.
 *
 * Where the log cannot be written the process goes on: audit_log_ready() says so before a change is carried out, what is not to
 * be refused is counted, and the count is the next line that can be written.
 *
 * Implemented in mgmt/audit/log.c. Any thread, without the core's lock where a line is written; open and close: the main thread.
 */
#ifndef WEIR_MGMT_AUDIT_LOG_H
#define WEIR_MGMT_AUDIT_LOG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/checked.h"
#include "mgmt/audit/line.h"
#include "mgmt/audit/mark.h"

#define AUDIT_KEY_FILE  "key"
#define AUDIT_FILE_MAX  ((size_t)8 << 20) /**< bytes of a file */
#define AUDIT_FILES_MAX 16u               /**< that are kept */
#define AUDIT_SEAL_MS   60000u            /**< from signature to signature, where lines come */
#define AUDIT_SYNC_MS   1000u             /**< from write to sync */

struct audit_log;

struct audit_log_options {
	const char *dir, *node;
	size_t file_max, files_max; /**< 0: as above */
};

/**
 * Open the log, repair a torn end, and begin where it ended; or note why that cannot be: it is tried again with each line.
 */
struct audit_log *audit_log_open(const struct audit_log_options *options);
/** Write what was noted, a last signature, sync; free. NULL is fine. */
void audit_log_close(struct audit_log *log);
/** Wait until there is work, or a second has passed. @return false: the end has come */
bool audit_log_await(struct audit_log *log);
/** Let audit_log_await() return false from now on. NULL is fine. */
void audit_log_end(struct audit_log *log);

/** Write @p line now; number, time, node and digest are the log's. Without success it is counted. NULL is fine. */
void audit_log_write(struct audit_log *log, const struct audit_line *line);
/** Have @p line written by the thread, or counted (mgmt/audit/flood.h). It waits for no disk, but for a change when
 *  there is no room to count it: that is written now. NULL is fine. */
void audit_log_note(struct audit_log *log, const struct audit_line *line);
/** Write what was noted and is due, sync, sign: for a thread (mgmt/audit/keeper.h), each second; with @p all at the end. */
void audit_log_work(struct audit_log *log, bool all);
/** Whether a change would be recorded: there is room for its line. @return 0 or -errno. NULL is fine: 0 */
MUST_CHECK int audit_log_ready(struct audit_log *log);
/** Make a new key, signed by the old one. @return 0 or -errno: the old one stays */
MUST_CHECK int audit_log_rotate(struct audit_log *log, const struct audit_line *by);

/** What is known of the log. */
struct audit_log_state {
	int error;           /**< why it cannot be written; 0: it can */
	uint64_t unrecorded; /**< lines that could not be written since then */
	uint64_t last;       /**< number of the last line */
	char dir[PATH_MAX];
	char key[AUDIT_KEY_MAX];      /**< "": there is none */
	uint64_t gone;                /**< the line that says that lines are gone; 0: none are */
	char gone_how[AUDIT_HOW_MAX]; /**< "removed", "replaced", "cut"; "missing": at a start */
};
void audit_log_look(struct audit_log *log, struct audit_log_state *out);
/** The last head that is signed and on the disk. @return false: there is none, or @p log is NULL */
bool audit_log_head(struct audit_log *log, struct audit_head *out);

/** Numbers of the first lines of the files in @p dir, in order, given. @return how many, or -errno */
MUST_CHECK ssize_t audit_log_files(const char *dir, uint64_t **out);
/** The name of such a file. */
void audit_log_name(const char *dir, uint64_t first, char out[PATH_MAX]);

#endif
