/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process that drives DPDK. With its end the driver is gone, which is the node's own cause to
 * withdraw. The end of an XDP dataplane says nothing, because packets go on: of it the
 * ports' programs are asked (round.c).
 *
 * The end is seen by a descriptor of the process (pidfd_open(2)), so within the loop's next turn.
 * It must not be missed:
 *
 * - The page may name the successor before that turn comes. Only one process writes the page, so
 *   the one that was watched has ended.
 * - Without a descriptor (none left, a filter) it is tried again in each round. That also shows
 *   the end, since the kernel looks for the process first.
 * - The page may be of a process that ended before this one began, and whose number another
 *   process has by now. When its page is silent, the dataplane's control socket says whether it is
 *   there: a process that is merely stopped still has its socket.
 */
#include "announce/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define DATAPLANE_SOCKET "dataplane.ctl"

static void log_end(const struct announcer *a)
{
	log_warn("dataplane-ended", "pid=%llu driver=dpdk effect=\"its routes are withdrawn\"",
	         (unsigned long long)a->dataplane_pid);
}

static void close_descriptor(struct announcer *a)
{
	if (a->dataplane_fd >= 0) {
		loop_fd_remove(a->loop, a->dataplane_fd);
		close(a->dataplane_fd);
	}
	a->dataplane_fd = -1;
}

static void on_dataplane_end(void *arg, int fd, uint32_t events)
{
	struct announcer *a = arg;

	(void)fd, (void)events;
	close_descriptor(a);
	a->dataplane_dead = true;
	log_end(a);
	a->act(a, clock_mono_ms());
}

static void stop_watching(struct announcer *a)
{
	close_descriptor(a);
	a->dataplane_pid = 0;
	a->dataplane_error = 0;
	a->dataplane_dead = a->dataplane_unsure = false;
}

/*
 * Whether the control socket of weir-dataplane is that of process @p pid; unknown where it cannot be asked. A process
 * that takes no connection now is there.
 */
static enum announce_truth serves_socket(const struct announcer *a, uint64_t pid)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	enum announce_truth serves = ANNOUNCE_UNKNOWN;
	struct ucred peer = { .pid = 0 };
	socklen_t size = sizeof(peer);
	int fd, n;

	n = snprintf(to.sun_path, sizeof(to.sun_path), "%s/" DATAPLANE_SOCKET, a->run_dir);
	if (n < 0 || (size_t)n >= sizeof(to.sun_path))
		return ANNOUNCE_UNKNOWN;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ANNOUNCE_UNKNOWN;
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		serves = errno == ECONNREFUSED || errno == ENOENT ? ANNOUNCE_NO
		         : errno == EAGAIN                        ? ANNOUNCE_YES
		                                                  : ANNOUNCE_UNKNOWN;
	else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0)
		serves = (uint64_t)peer.pid == pid ? ANNOUNCE_YES : ANNOUNCE_NO;
	close(fd);
	return serves;
}

/* A page that is silent may be of a process that has ended: its socket says so, now or once it can be asked. */
static void judge_silence(struct announcer *a, const struct proof_node *n, uint64_t now_ms)
{
	bool is_silent = announce_elapsed_ms(now_ms, n->alive_ms) > PROOF_OLD_MS;
	enum announce_truth serves = is_silent ? serves_socket(a, n->writer_pid) : ANNOUNCE_YES;

	a->dataplane_dead = serves == ANNOUNCE_NO;
	a->dataplane_unsure = serves == ANNOUNCE_UNKNOWN;
}

/* Watch a->dataplane_pid. */
static void open_descriptor(struct announcer *a)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)a->dataplane_pid, 0);
	int err = fd < 0 ? -errno : loop_fd_add(a->loop, fd, EPOLLIN, on_dataplane_end, a);

	if (err && fd >= 0)
		close(fd);
	if (!err)
		a->dataplane_fd = fd;
	if (err == -ESRCH) {
		a->dataplane_dead = true;
		log_end(a);
		err = 0;
	}
	if (err && err != a->dataplane_error)
		log_error("dataplane-unwatched", "pid=%llu error=\"%s\" effect=\"%s\"",
		          (unsigned long long)a->dataplane_pid, strerror(-err),
		          "weir-announce looks ten times a second whether it still runs");
	a->dataplane_error = err;
}

void watch_dataplane(struct announcer *a, const struct proof_node *n, uint64_t now_ms)
{
	bool is_dpdk = strcmp(n->driver, "dpdk") == 0;
	bool is_same = a->dataplane_pid && a->dataplane_pid == n->writer_pid;
	bool is_missed = a->dataplane_pid && !is_same && !a->dataplane_dead;

	if (is_same && is_dpdk &&
	    (a->dataplane_dead || (a->dataplane_fd >= 0 && !a->dataplane_unsure)))
		return;
	if (is_missed) { /* its end counts for this round; the next one follows the page */
		log_end(a);
		stop_watching(a);
		a->dataplane_dead = true;
		return;
	}
	if (!is_same || !is_dpdk)
		stop_watching(a);
	if (!is_dpdk || !n->writer_pid)
		return;
	if (!is_same || a->dataplane_unsure)
		judge_silence(a, n, now_ms);
	a->dataplane_pid = n->writer_pid;
	if (a->dataplane_dead) {
		close_descriptor(a);
		log_end(a);
	} else if (a->dataplane_fd < 0) {
		open_descriptor(a);
	}
}

void watch_close(struct announcer *a)
{
	stop_watching(a);
}
