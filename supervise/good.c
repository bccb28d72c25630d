/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A document with which a process cannot start. The supervisor keeps a copy of the last effective document
 * that all processes had in force for KEPT_MS. A process that has failed TRIES times with the newest one is
 * started with the copy (proc_document()), until there is another document or somebody ends it. It has failed
 * if it, while the run directory has room for its pages,
 *
 *   died, or was killed since it hung, before it had the newest in force for HELD_MS
 *   has none in force and refuses the newest for REFUSED_MS: that needs no second try
 *
 * If it fails with the copy as often, the document is not the reason: then both are tried in turns. If it refuses
 * both, it waits with the newest. weir-mgmt is no reader of this kind: it writes the document.
 *
 * A thread writes the copy: a disk may take seconds for it, and a process that dies meanwhile is to be started again.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop_job.h"
#include "base/owner.h"
#include "base/replace.h"
#include "supervise/internal.h"
#include "weir/condition.h"

#define HELD_MS         2000u /* who has it in force for so long has not failed with it at the start */
#define KEPT_MS         5000u  /* from then on it is a good one */
#define REFUSED_MS      10000u /* what is short for a moment is there again */
#define TRIES           2u
#define ROOM_BYTES      (1u << 20) /* in the run directory: more than the pages of a small host */
#define PART_BYTES      65536u
#define ENVIRONMENT_MAX 65536u /* bytes of a process's that are looked at; ours are far fewer */

/* The mark of the file @p name. @return false: there is none */
static bool read_mark(const struct run *r, const char *name, char mark[PROC_MARK_MAX])
{
	char path[PATH_MAX];

	return !proc_path(r->dirs->state, name, path) && !proc_document_mark(path, mark);
}

/* Whether there is a good document, and it is not the one of @p mark. */
static bool has_other_good(const struct run *r, const char *mark)
{
	char good[PROC_MARK_MAX];

	return read_mark(r, PROC_GOOD_FILE, good) && strcmp(good, mark) != 0;
}

static int copy_bytes(int from, int to)
{
	static char part[PART_BYTES];

	for (;;) {
		ssize_t n = read(from, part, sizeof(part));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		int err = replace_write(to, part, (size_t)n);
		if (err)
			return err;
	}
}

/* Copy the newest document, which is @p from, with its time: so the copy has its mark. */
static int copy_document(const struct run *r, int from)
{
	char path[PATH_MAX], temporary[REPLACE_NAME_MAX];
	struct stat st;
	int err = fstat(from, &st) ? -errno : proc_path(r->dirs->state, PROC_GOOD_FILE, path);
	int to = err ? err : replace_begin(path, 0640, temporary);

	if (to < 0)
		return to;
	const struct timespec times[2] = { st.st_mtim, st.st_mtim };
	err = copy_bytes(from, to);
	if (!err && (fchown(to, (uid_t)-1, st.st_gid) || futimens(to, times)))
		err = -errno;
	return replace_end(to, err, temporary, path, REPLACE_SYNC_FILE);
}

/* The newest document, if it is still the one that all have in force, and was not kept before. */
static void open_newest(void *arg)
{
	struct run *r = arg;
	char path[PATH_MAX], mark[PROC_MARK_MAX];

	r->copied_fd = -1;
	r->copy_err = 0;
	if (proc_path(r->dirs->state, PROC_EFFECTIVE_FILE, path) ||
	    proc_document_mark(path, mark) || strcmp(mark, r->mark) != 0 ||
	    (read_mark(r, PROC_GOOD_FILE, mark) && !strcmp(mark, r->mark)))
		return;
	r->copied_fd = owner_open(path, "mgmt");
	if (r->copied_fd < 0)
		r->copy_err = r->copied_fd;
}

static void copy_newest(void *arg)
{
	struct run *r = arg;

	if (r->copied_fd >= 0)
		r->copy_err = copy_document(r, r->copied_fd);
}

static uint64_t accept_copy(void *arg, int err)
{
	struct run *r = arg;

	err = err ? err : r->copy_err;
	if (r->copied_fd >= 0)
		close(r->copied_fd);
	r->copied_fd = -1;
	if (err)
		log_warn("good-document-not-kept", "error=\"%s\" effect=\"an earlier one stays\"",
		         strerror(-err));
	return 0;
}

int run_good_open(struct run *r)
{
	const struct loop_work copying = {
		.begin = open_newest, .work = copy_newest, .accept = accept_copy, .arg = r
	};

	r->copied_fd = -1;
	return loop_job_open(r->loop, &copying, &r->copying);
}

void run_good_close(struct run *r)
{
	loop_job_close(r->copying);
	if (r->copied_fd >= 0)
		close(r->copied_fd);
}

void run_good_document(struct run *r, const char *mark, uint64_t number)
{
	if (!strcmp(r->mark, mark))
		return;
	snprintf(r->mark, sizeof(r->mark), "%s", mark);
	r->document = number;
	r->kept = false;
	for (int i = 0; i < CHILD_COUNT; i++)
		r->children[i].held_since_ms = 0;
}

bool run_good_path(const struct run *r, char path[PATH_MAX])
{
	return has_other_good(r, r->mark) && !proc_path(r->dirs->state, PROC_GOOD_FILE, path);
}

/* Whether the child has the newest document in force, for @p ms. */
static bool has_held(const struct child *c, uint64_t ms, uint64_t now_ms)
{
	return c->held_since_ms && now_ms >= c->held_since_ms + ms;
}

/*
 * Whether it has none in force since it refuses the newest. What weir-dataplane refuses may be its driver's, as a NIC or
 * memory that the host lacks; so of that one the supervisor must refuse the document, too.
 */
static bool is_refused(const struct child *c, const struct conditions *s)
{
	bool is_drivers = c == &c->run->children[CHILD_DATAPLANE] && c->run->document;

	for (uint32_t i = 0; i < s->n; i++)
		if (!strcmp(s->items[i].code, "document-refused"))
			return s->document == 0 && !is_drivers;
	return false;
}

/*
 * A process that goes on without any document does not fail by itself: end it, and start it with the good one; or with
 * the newest again, which it is to take once it can, if that one helps as little.
 */
static void replace_refused(struct child *c)
{
	bool has_good = *c->skips;

	if (c->refuses_both || !has_other_good(c->run, c->run->mark) ||
	    (has_good && strcmp(c->skips, c->run->mark) != 0))
		return;
	snprintf(c->failed_mark, sizeof(c->failed_mark), "%s", c->run->mark);
	c->failures = has_good ? 0 : TRIES;
	c->refuses_both = has_good;
	c->must_restart = true;
	run_terminate_child(c);
}

/* Its page may still have the words of the process before. */
static void look_at_document(struct child *c, uint64_t now_ms)
{
	static struct conditions said;

	if (!c->pid || c->must_restart || has_held(c, KEPT_MS, now_ms) ||
	    conditions_read(c->run->dirs->run, c->name, &said) || said.at_ms < c->started_ms)
		return;
	if (!said.document || said.document != c->run->document)
		c->held_since_ms = 0;
	else if (!c->held_since_ms)
		c->held_since_ms = now_ms;
	if (has_held(c, HELD_MS, now_ms)) {
		c->failures = 0;
		c->refuses_both = false;
	}
	if (is_refused(c, &said) && now_ms >= c->started_ms + REFUSED_MS)
		replace_refused(c);
}

void run_good_look(struct run *r, uint64_t now_ms)
{
	bool all = *r->mark;

	if (r->stopping || !all || r->kept)
		return;
	for (int i = 0; i < CHILD_COUNT; i++) {
		struct child *c = &r->children[i];

		if (i == CHILD_MGMT || (i == CHILD_ANNOUNCE && !r->announces))
			continue;
		look_at_document(c, now_ms);
		all &= c->pid && has_held(c, KEPT_MS, now_ms);
	}
	r->kept = all;
	if (all)
		loop_job_start(r->copying);
}

/* Whether pages have room: a process without them fails with any document. */
static bool has_room(const struct run *r)
{
	struct statvfs fs;

	return statvfs(r->dirs->run, &fs) || (uint64_t)fs.f_bavail * fs.f_frsize >= ROOM_BYTES;
}

void run_good_note_end(struct child *c, int status, uint64_t now_ms)
{
	char mark[PROC_MARK_MAX];
	bool failed = status > 0 && !c->must_restart && has_room(c->run);

	if (failed && !has_held(c, HELD_MS, now_ms) &&
	    read_mark(c->run, PROC_EFFECTIVE_FILE, mark)) {
		c->failures = strcmp(mark, c->failed_mark) ? 1 : c->failures + 1;
		snprintf(c->failed_mark, sizeof(c->failed_mark), "%s", mark);
	} else if (!c->must_restart) {
		c->failures = 0;
	}
	c->held_since_ms = 0;
	c->run->kept = false;
}

void run_good_choose(struct child *c)
{
	char mark[PROC_MARK_MAX];
	bool skips = c != &c->run->children[CHILD_MGMT] && c->failures / TRIES % 2 == 1 &&
	             read_mark(c->run, PROC_EFFECTIVE_FILE, mark) &&
	             !strcmp(mark, c->failed_mark) && has_other_good(c->run, mark);

	snprintf(c->skips, sizeof(c->skips), "%s", skips ? mark : "");
	if (skips)
		log_error("last-good-document",
		          "process=%s reason=\"it failed with the newest document\"", c->name);
}

void run_good_adopt(struct child *c)
{
	static char environment[ENVIRONMENT_MAX];
	size_t n = run_read_proc(c->pid, "environ", environment, sizeof(environment));
	size_t n_name = strlen(PROC_SKIP_VARIABLE "=");

	for (const char *at = environment; at < environment + n; at += strlen(at) + 1)
		if (!strncmp(at, PROC_SKIP_VARIABLE "=", n_name))
			snprintf(c->skips, sizeof(c->skips), "%s", at + n_name);
}

void run_good_state(const struct child *c, struct stats *s)
{
	char subject[32], mark[PROC_MARK_MAX];

	if (!c->pid || !*c->skips || !read_mark(c->run, PROC_EFFECTIVE_FILE, mark) ||
	    strcmp(mark, c->skips) != 0)
		return;
	snprintf(subject, sizeof(subject), "weir-%s", c->name);
	conditions_add(
	        s, "last-good-document", CONDITION_DEGRADED, subject,
	        "cannot start with the newest document, so it runs with the last good one: its log says "
	        "why; apply a corrected configuration or roll back; kill %d makes it try again",
	        (int)c->pid);
}
