/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is prepared is what can fail: a document that is refused, a device that is with another
 * driver, memory that is missing. The process before forwards meanwhile, and after a failure as if
 * nothing had been. Routes stay: only a process that ends withdraws them (withdraw.h).
 *
 * Memory for two processes may be missing where there is enough for one. Then DPDK is started after
 * the other process has ended, as without a successor, and the log says so. That process lets go of
 * its pages some milliseconds before the kernel frees its memory, so its end is waited for, too.
 */
#include "dataplane/succession.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "dataplane/choose.h"
#include "dataplane/export/publish.h"
#include "dataplane/process.h"
#include "weir/nic.h"
#include "weir/stats.h"

#define BUSY_MS      5000u  /* a killed process of ours may still hold its pages */
#define SUCCESSOR_MS 20000u /* one that is asked to end has 5 s, of which 1 s is for routers */
#define ALONE_MS     2000u  /* from its last page to its end */
#define SPENT_MS     5000u  /* in which status shows why */
#define BUSY_WAIT_US 1000u

/* Compile the effective document ahead. @p reason  out: what is wrong with it */
static int compile_document(const struct process *p, struct prepared *out, char reason[],
                            size_t size)
{
	struct compiled_source from = { .node = p->dirs.node, .believed = p->believed };
	int err = proc_path(p->dirs.state, PROC_EFFECTIVE_FILE, from.path);

	if (err)
		return err;
	if (stat(from.path, &out->file))
		return -errno;
	compiled_make(&from, &out->compiled);
	if (out->compiled.err == -EINVAL)
		model_errors_summarise(&out->compiled.errors, reason, size);
	else
		snprintf(reason, size, "%s", out->compiled.refusal);
	return out->compiled.err;
}

/*
 * Compile the document and prepare its driver. Without a document there is nothing to prepare: the process
 * before forwards nothing that could be lost.
 */
static int prepare_document_and_driver(struct process *p, struct driver_reason *reason)
{
	const struct driver_ops *ops;
	struct model *m;
	int err;

	p->prepared = calloc(1, sizeof(*p->prepared));
	if (!p->prepared)
		return -ENOMEM;
	err = compile_document(p, p->prepared, reason->text, sizeof(reason->text));
	if (err) {
		succession_close(p);
		return err == -ENOENT ? 0 : err;
	}
	m = p->prepared->compiled.model;
	ops = choose_driver(m->self, NIC_SYSFS, reason);
	if (!ops)
		return -ENOTSUP;
	reason->text[0] = 0;
	return ops->prepare ? ops->prepare(m->self, reason) : 0;
}

/* The process that forwards, by its page. @return 0: not known */
static pid_t find_process_before(const char *run_dir)
{
	struct stats_reader *r;
	pid_t pid;

	if (stats_reader_open(run_dir, "dataplane", &r))
		return 0;
	pid = (pid_t)stats_reader_pid(r);
	stats_reader_close(r);
	return pid > 0 ? pid : 0;
}

/* The reader of the pipe is the only one who ends the process before. */
static int say_ready(int fd)
{
	ssize_t n = write(fd, "1", 1);
	int err = n == 1 ? 0 : n < 0 ? -errno : -EIO;

	close(fd);
	return err;
}

int succession_prepare(struct process *p)
{
	struct driver_reason reason = { "" };
	uint64_t from_ms = clock_mono_ms();
	int err;

	if (!p->ready_fd)
		return 0;
	believed_tick(&p->believed, p->dirs.run);
	err = prepare_document_and_driver(p, &reason);
	if (err == DRIVER_ALONE)
		p->awaited = find_process_before(p->dirs.run);
	if (err >= 0) {
		log_note("successor-ready", "ms=%llu not_prepared=\"%s\"",
		         (unsigned long long)(clock_mono_ms() - from_ms),
		         err == DRIVER_ALONE ? reason.text : "");
		err = say_ready(p->ready_fd);
	}
	if (err)
		log_error("successor-gave-up", "reason=\"%s\" effect=\"%s\"",
		          *reason.text ? reason.text : strerror(-err),
		          "the process before it forwards on");
	return err;
}

/* Wait until the kernel has freed the memory of a process that has let go of its pages. */
static void wait_for_end(pid_t pid)
{
	uint64_t until_ms = clock_mono_ms() + ALONE_MS;

	while (pid && (!kill(pid, 0) || errno == EPERM) && clock_mono_ms() < until_ms)
		usleep(BUSY_WAIT_US);
}

int succession_open_pages(struct process *p)
{
	uint64_t from_ms = clock_mono_ms();
	uint64_t until_ms = from_ms + (p->ready_fd ? SUCCESSOR_MS : BUSY_MS);
	int err;

	while ((err = publisher_open(p->dirs.run, &p->publisher)) == -EBUSY &&
	       clock_mono_ms() < until_ms)
		usleep(BUSY_WAIT_US);
	if (!err)
		wait_for_end(p->awaited);
	if (err == -EBUSY)
		log_error("dataplane-runs-already", "run_dir=%s", p->dirs.run);
	else if (p->ready_fd)
		log_note("successor-begins", "waited_ms=%llu",
		         (unsigned long long)(clock_mono_ms() - from_ms));
	return err;
}

/* weir-mgmt replaces the file, so another document is another inode. */
static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool succession_accept(struct process *p, const char *path, struct compiled *out)
{
	struct stat now;
	bool same;

	if (!p->prepared)
		return false;
	same = !stat(path, &now) && is_same_file(&now, &p->prepared->file);
	if (same) {
		*out = p->prepared->compiled;
		p->prepared->compiled = (struct compiled){ 0 };
	}
	succession_close(p);
	return same;
}

void succession_make_way(struct process *p)
{
	uint64_t now_ms = clock_mono_ms();

	if (p->driver)
		return;
	if (!p->spent_ms)
		p->spent_ms = now_ms;
	if (now_ms - p->spent_ms < SPENT_MS)
		return;
	log_error("dataplane-makes-way", "reason=\"%s\" effect=\"%s\"", p->refusal,
	          "the next process tries again");
	loop_stop(p->loop);
}

void succession_close(struct process *p)
{
	if (!p->prepared)
		return;
	compiled_free(&p->prepared->compiled);
	free(p->prepared);
	p->prepared = NULL;
}
