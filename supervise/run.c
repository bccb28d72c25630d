/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir run: the supervisor where there is no systemd, or below it as one unit. It starts programs,
 * restarts those that die (ever later) or hang (hang.c), and holds the DNS sockets: queries wait
 * in the kernel while weir-dns restarts. Children outlive it; the next supervisor finds them.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/owner.h"
#include "base/reason.h"
#include "supervise/internal.h"
#include "weir/model.h"

#define BACKOFF_FIRST_MS 200u  /* before the second restart in a row; doubles from then on */
#define BACKOFF_MAX_MS   5000u /* between restarts of a process that dies at once again and again */
#define GOOD_RUN_MS      2000u /* a child that lived so long has not crashed at once */
#define SOCKETS_AGAIN_MS 5000u /* after a socket could not be opened, or the document not be read */
#define TRIM_MS          3000u /* weir-dns needs up to 1 s to empty a socket that it gives up */
#define WITHDRAW_MS      1000u /* from a withdrawal until the last router sends elsewhere */

/*
 * The order of stopping. After weir-announce the routes of DNS addresses go, and routers may send
 * queries for a while: weir-dns ends last.
 */
static const int stop_order[CHILD_COUNT] = { CHILD_MGMT, CHILD_ANNOUNCE, CHILD_HEALTH,
	                                     CHILD_DATAPLANE, CHILD_DNS };
#define STOP_ANNOUNCE 1 /* the index of CHILD_ANNOUNCE */

/* --- the directories, made before any process is started --- */

/* weir-mgmt's directories, made before another process can put something in their place. */
static void make_private(const char *state)
{
	char path[PATH_MAX];

	if (proc_path(state, PROC_STORE_DIR, path) == 0)
		owner_give_directory(path, 0700, "mgmt");
	if (proc_path(state, PROC_BLOBS_DIR, path) == 0)
		owner_give_directory(path, 0700, "mgmt");
	if (proc_path(state, PROC_AUDIT_DIR, path) == 0)
		owner_give_directory(path, 0700, "mgmt");
	if (proc_path(state, PROC_CONFIG_DIR, path) == 0)
		owner_give_directory(path, 0750, "mgmt");
}

/*
 * Make the run and state directories, and those of weir-mgmt. What is made in them is for its user and
 * the group, as under packaging's unit, whatever the umask of who runs this.
 */
static enum run_end make_directories(const struct proc_dirs *dirs, char *reason)
{
	int err;

	umask(0027);
	proc_join_group();
	err = run_make_directory(dirs->run);

	if (!err)
		err = run_make_directory(dirs->state);
	if (!err)
		make_private(dirs->state);
	if (err)
		return reason_write(
		        reason, RUN_REASON_MAX, err == -EACCES ? RUN_END_DENIED : RUN_END_WRONG,
		        "%s or %s cannot be created: %s", dirs->run, dirs->state, strerror(-err));
	return RUN_END_OK;
}

/* --- the children --- */

static void fork_child(struct child *c);
static int watch_child(struct child *c, pid_t pid, bool ours);
static void stop_next(struct run *r);

static void on_restart_timer(void *arg)
{
	fork_child(arg);
}

/* 0 the first time, then 200 ms doubling up to 5 s. */
static uint64_t backoff_ms(const struct child *c)
{
	uint64_t ms = BACKOFF_FIRST_MS;

	if (c->deaths <= 1)
		return 0;
	for (unsigned i = 2; i < c->deaths && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

/* @return the status as by waitpid(2); -1: not known, as of a process that another one has started */
static int log_end(const struct child *c, uint64_t lived_ms, uint64_t wait_ms)
{
	const char *how = "unknown";
	int status = -1, code = 0;

	if (c->ours && waitpid(c->pid, &status, 0) == c->pid) {
		how = WIFSIGNALED(status) ? "signal" : "exit";
		code = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
	}
	if (c->run->stopping || c->must_restart)
		log_info("process-ended", "process=%s pid=%d how=%s code=%d", c->name, (int)c->pid,
		         how, code);
	else
		log_warn("process-died",
		         "process=%s pid=%d how=%s code=%d lived_ms=%llu restart_in_ms=%llu",
		         c->name, (int)c->pid, how, code, (unsigned long long)lived_ms,
		         (unsigned long long)wait_ms);
	return status;
}

/*
 * @return whether the child that has ended had a successor, which is the child now. A child that was
 * found may have one that the supervisor before had started; it is found, too.
 */
static bool let_successor_follow(struct child *c)
{
	struct run *r = c->run;
	bool may_follow = c == &r->children[CHILD_DATAPLANE];
	pid_t ours = may_follow ? run_successor_release(r) : 0;
	pid_t pid = may_follow && !ours && !c->ours ? run_find(r, c->name) : ours;

	if (!pid)
		return false;
	if (watch_child(c, pid, ours) != 0) {
		if (ours) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		return false;
	}
	c->skips[0] = '\0';
	log_info(ours ? "successor-took-over" : "process-adopted", "process=%s pid=%d", c->name,
	         (int)pid);
	run_note_children(r);
	return true;
}

/* A child that ran for GOOD_RUN_MS starts again at once: only a crash loop is slowed down. */
static void on_child_end(void *arg, int fd, uint32_t events)
{
	struct child *c = arg;
	struct run *r = c->run;
	uint64_t now = loop_now_ms(r->loop), lived = now - c->started_ms;
	bool was_ended = c->must_restart || c->killed_ms;

	(void)events;
	c->deaths = c->must_restart ? 0 : lived >= GOOD_RUN_MS ? 1 : c->deaths + 1;
	loop_timer_cancel(r->loop, &c->limit);
	uint64_t wait = backoff_ms(c);
	int status = log_end(c, lived, wait);
	run_good_note_end(c, status, now);
	loop_fd_remove(r->loop, fd);
	close(fd);
	c->pid = 0;
	c->pidfd = -1;
	c->must_restart = false;
	run_hang_forget(c);
	run_note_children(r);
	bool follows = let_successor_follow(c);
	/* with status 0 it ended in order: somebody asked for it, as perhaps where it is not known */
	if (!r->stopping && !follows && !was_ended && status > 0)
		run_hang_note_death(c, status);
	if (r->stopping)
		stop_next(r);
	else if (!follows)
		loop_timer_set(r->loop, &c->timer, now + wait);
}

/* Watch @p pid as child @p c, so that its end is noticed. @return 0 or -errno */
static int watch_child(struct child *c, pid_t pid, bool ours)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), err = 0;

	if (fd < 0)
		return -errno;
	err = loop_fd_add(c->run->loop, fd, EPOLLIN, on_child_end, c);
	if (err) {
		close(fd);
		return err;
	}
	c->pid = pid;
	c->pidfd = fd;
	c->ours = ours;
	c->started_ms = loop_now_ms(c->run->loop);
	run_hang_forget(c);
	return 0;
}

/* weir-dns waits for a document, which has its addresses; weir-announce for one with a daemon. */
static void fork_child(struct child *c)
{
	struct run *r = c->run;

	if (c->pid || r->stopping || (c == &r->children[CHILD_DNS] && !r->has_document) ||
	    (c == &r->children[CHILD_ANNOUNCE] && !r->announces))
		return;
	fflush(NULL);
	run_good_choose(c);
	if (c == &r->children[CHILD_DNS]) {
		run_sockets_again(&r->sockets); /* ports that its predecessor may have held */
		run_sockets_prepare(&r->sockets);
	}
	pid_t pid = fork();
	if (pid == 0)
		run_exec_child(c, NULL, NULL);
	int err = pid < 0 ? -errno : watch_child(c, pid, true);
	if (err) {
		log_error("process-not-started", "process=%s error=\"%s\"", c->name,
		          strerror(-err));
		if (pid > 0) {
			kill(pid, SIGKILL);
			waitpid(pid, NULL, 0);
		}
		loop_timer_set(r->loop, &c->timer, loop_now_ms(r->loop) + BACKOFF_MAX_MS);
		return;
	}
	log_info("process-started", "process=%s pid=%d", c->name, (int)pid);
	run_note_children(r);
}

/* A process that ignores SIGTERM, or takes too long, is killed. */
static void on_limit(void *arg)
{
	struct child *c = arg;

	if (!c->pid)
		return;
	log_warn("process-killed", "process=%s pid=%d reason=\"did not end within %u ms\"", c->name,
	         (int)c->pid, STOP_MS);
	kill(c->pid, SIGKILL);
}

/* Close sockets no longer wanted, once weir-dns had the time to read each of them empty. */
static void trim_sockets(struct run *r)
{
	const struct child *dns = &r->children[CHILD_DNS];
	uint64_t now = loop_now_ms(r->loop);

	if (!run_sockets_extra(&r->sockets)) {
		r->sockets.extra_ms = 0;
		return;
	}
	if (!r->sockets.extra_ms)
		r->sockets.extra_ms = now;
	if (dns->pid && now - r->sockets.extra_ms >= TRIM_MS && now - dns->started_ms >= TRIM_MS)
		run_sockets_trim(&r->sockets);
	else
		loop_timer_set(r->loop, &r->sockets_timer, now + TRIM_MS);
}

static unsigned dns_threads(const struct model *m)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		CPU_ZERO(&allowed);
	return model_dns_threads(m, &allowed);
}

/* Restart weir-dns, so that it gets the sockets as they are now. */
static void renew_dns(struct run *r)
{
	struct child *dns = &r->children[CHILD_DNS];

	if (!dns->pid) {
		fork_child(dns);
		return;
	}
	if (dns->must_restart) /* its limit stays: documents may come faster than that */
		return;
	dns->must_restart = true;
	run_terminate_child(dns);
}

/*
 * Go on with an earlier supervisor's weir-dns, which needs the addresses of a document. @return false: there is none,
 * or without its sockets it is to be started again
 */
static bool adopt_dns(struct run *r, const struct model_node *self)
{
	const struct child *dns = &r->children[CHILD_DNS];

	return dns->pid &&
	       !run_sockets_adopt(&r->sockets, dns->pidfd, self->dns_listen, self->n_dns_listen);
}

/*
 * Read the newest document; where it is refused at the start, the last good one: weir-dns needs the addresses of one. @return
 * 0 or -errno
 */
static int read_for_sockets(struct run *r, struct model **m, struct model_errors *errors)
{
	char path[PATH_MAX], mark[PROC_MARK_MAX] = "";

	if (proc_path(r->dirs->state, PROC_EFFECTIVE_FILE, path) != 0)
		return -ENAMETOOLONG;
	/* the mark before the document: a newer one has another */
	bool marked = !proc_document_mark(path, mark);
	int err = model_read_without_key(path, r->dirs->node, m, errors);
	if (err && err != -ENOENT && errors->n_items &&
	    !(model_may_pass(err) && err == r->document_err))
		log_error("document-refused", "path=%s line=%u field=%s reason=\"%s\" n_errors=%zu",
		          path, errors->items[0].line, errors->items[0].field,
		          errors->items[0].message, errors->n_total);
	if (marked && !model_may_pass(err))
		run_good_document(r, mark, err ? 0 : (*m)->meta.document);
	if (err != -EINVAL || r->has_document || !run_good_path(r, path))
		return err;
	model_errors_free(errors);
	return model_read_without_key(path, r->dirs->node, m, errors);
}

/* Hold the sockets of the effective document, if there is one for this node. */
static void apply_document(void *arg)
{
	struct run *r = arg;
	struct model *m = NULL;
	struct model_errors errors = { 0 };

	if (r->stopping)
		return;
	int err = read_for_sockets(r, &m, &errors);
	r->document_err = err;
	if (model_may_pass(err))
		loop_timer_set(r->loop, &r->sockets_timer, loop_now_ms(r->loop) + SOCKETS_AGAIN_MS);
	if (!err) {
		bool unknown = !r->has_document && !adopt_dns(r, m->self);
		bool changed = run_sockets_set(&r->sockets, m->self->dns_listen,
		                               m->self->n_dns_listen, dns_threads(m));

		r->has_document = true;
		r->announces = m->self->announce.daemon != MODEL_DAEMON_NONE;
		run_routes_note(&r->routes, m->self);
		fork_child(&r->children[CHILD_ANNOUNCE]);
		if (unknown || (changed && run_sockets_pass(&r->sockets) < 0))
			renew_dns(r);
		trim_sockets(r);
		if (run_sockets_lack(&r->sockets))
			loop_timer_set(r->loop, &r->sockets_timer,
			               loop_now_ms(r->loop) + SOCKETS_AGAIN_MS);
	}
	model_free(m);
	model_errors_free(&errors);
}

/* It was killed and is still there, in an uninterruptible sleep: go on without it. */
static void on_stop_deadline(void *arg)
{
	struct run *r = arg;

	log_error("process-left", "process=%s pid=%d reason=\"it was killed and does not end\"",
	          r->children[stop_order[r->stop_index]].name,
	          (int)r->children[stop_order[r->stop_index]].pid);
	r->stop_index++;
	stop_next(r);
}

static void on_withdrawn(void *arg)
{
	stop_next(arg);
}

/*
 * weir-announce has ended: withdraw DNS addresses, which weir-dns answers until routers send
 * elsewhere. @return whether that is waited for
 */
static bool waits_for_routers(struct run *r)
{
	uint64_t now = loop_now_ms(r->loop);

	if (!r->withdrawn_ms)
		r->withdrawn_ms = now + (run_routes_withdraw(&r->routes) ? WITHDRAW_MS : 0);
	if (now >= r->withdrawn_ms)
		return false;
	return !loop_timer_set(r->loop, &r->withdraw_timer, r->withdrawn_ms);
}

/* Stop the next child in stop_order that still runs; with none left, end. */
static void stop_next(struct run *r)
{
	loop_timer_cancel(r->loop, &r->stop_timer);
	for (; r->stop_index < CHILD_COUNT; r->stop_index++) {
		struct child *c = &r->children[stop_order[r->stop_index]];

		if (r->stop_index > STOP_ANNOUNCE && waits_for_routers(r))
			return;
		if (!c->pid)
			continue;
		run_terminate_child(c);
		loop_timer_set(r->loop, &r->stop_timer, loop_now_ms(r->loop) + STOP_MS + LEFT_MS);
		return;
	}
	loop_stop(r->loop);
}

static void on_supervisor_stop(void *arg)
{
	struct run *r = arg;

	if (r->stopping)
		return;
	r->stopping = true;
	r->stop_index = 0;
	proc_notify("STOPPING=1");
	log_info("stopping", "%s", "");
	run_successor_stop(r);
	stop_next(r);
}

/* Pass SIGHUP on to the children that handle it; it would end the others. */
static void on_hup(void *arg)
{
	struct run *r = arg;

	for (int i = 0; i < CHILD_COUNT; i++)
		if (r->children[i].pid && run_handles_signal(r->children[i].pid, SIGHUP))
			kill(r->children[i].pid, SIGHUP);
	apply_document(r);
}

/* The effective document of this node, for model_free(). @return NULL: there is none */
static struct model *read_document(const struct run *r)
{
	struct model *m = NULL;
	struct model_errors errors;
	char path[PATH_MAX];

	if (proc_path(r->dirs->state, PROC_EFFECTIVE_FILE, path) != 0)
		return NULL;
	if (model_read_without_key(path, r->dirs->node, &m, &errors) != 0)
		m = NULL;
	model_errors_free(&errors);
	return m;
}

/* weir-dns among them: without a document that can be read it goes on by what it has (apply_document()). */
static void adopt_children(struct run *r)
{
	for (int i = 0; i < CHILD_COUNT; i++) {
		struct child *c = &r->children[i];
		pid_t pid = run_find(r, c->name);

		if (!pid || watch_child(c, pid, false) != 0)
			continue;
		run_good_adopt(c);
		log_info("process-adopted", "process=%s pid=%d", c->name, (int)pid);
	}
}

/* The directory of this executable, or WEIR_BIN_DIR. */
static int find_bin(char bin[PATH_MAX])
{
	const char *given = getenv("WEIR_BIN_DIR");
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (given && strlen(given) < PATH_MAX) {
		strcpy(bin, given);
		return 0;
	}
	if (n <= 0)
		return -ENOENT;
	path[n] = '\0';
	*strrchr(path, '/') = '\0';
	strcpy(bin, path);
	return 0;
}

/* What can fail is opened before any process is started. */
static int run_open(struct run *r)
{
	static const char *const names[] = { "mgmt", "dataplane", "health", "dns", "announce" };
	static const struct {
		int signo;
		loop_cb *cb;
	} signals[] = { { SIGTERM, on_supervisor_stop },
		        { SIGINT, on_supervisor_stop },
		        { SIGHUP, on_hup },
		        { SIGUSR1, run_successor_begin } };
	char path[PATH_MAX];
	int err = loop_open(&r->loop);

	for (int i = 0; i < CHILD_COUNT; i++) {
		struct child *c = &r->children[i];

		*c = (struct child){ .name = names[i], .run = r, .pidfd = -1 };
		c->timer = (struct loop_timer){ .cb = on_restart_timer, .arg = c };
		c->limit = (struct loop_timer){ .cb = on_limit, .arg = c };
	}
	r->stop_timer = (struct loop_timer){ .cb = on_stop_deadline, .arg = r };
	r->sockets_timer = (struct loop_timer){ .cb = apply_document, .arg = r };
	r->withdraw_timer = (struct loop_timer){ .cb = on_withdrawn, .arg = r };
	run_sockets_init(&r->sockets);
	r->successor = (struct run_successor){ .pidfd = -1, .ready_fd = -1 };
	for (int i = 0; !err && i < 4; i++)
		err = loop_signal(r->loop, signals[i].signo, signals[i].cb, r);
	if (!err)
		err = proc_path(r->dirs->state, PROC_EFFECTIVE_FILE, path);
	return err ? err : loop_watch_file(r->loop, path, apply_document, r);
}

/* Before any start: a missing program would be started again and again. */
static enum run_end check_programs(const struct run *r, char *reason)
{
	char path[PATH_MAX + 32];

	for (int i = 0; i < CHILD_ANNOUNCE; i++) { /* which most nodes do not start */
		snprintf(path, sizeof(path), "%s/weir-%s", r->bin, r->children[i].name);
		if (access(path, X_OK) != 0)
			return reason_write(reason, RUN_REASON_MAX, RUN_END_FAILED,
			                    "%s cannot be run: %s; install all programs of Weir in "
			                    "one directory, or name it in WEIR_BIN_DIR",
			                    path, strerror(errno));
	}
	return RUN_END_OK;
}

/* Wait for the lock's holder to end (--stop), or refuse. */
static enum run_end acquire_lock(struct run *r, bool stop, char *reason)
{
	char lock[PATH_MAX];
	int err = proc_path(r->dirs->run, RUN_LOCK_FILE, lock);

	if (!err)
		err = stop ? run_stop_other(r, lock, &r->lock_fd) : lock_acquire(lock, &r->lock_fd);
	if (err == -EBUSY)
		return reason_write(
		        reason, RUN_REASON_MAX, RUN_END_BUSY,
		        stop ? "the weir run that uses %s does not end; its log says why"
		             : "another weir run uses %s; stop it (weir run --stop) or give "
		               "another --run-dir",
		        r->dirs->run);
	if (err)
		return reason_write(reason, RUN_REASON_MAX,
		                    err == -EACCES ? RUN_END_DENIED : RUN_END_WRONG,
		                    "%s cannot be locked: %s%s", r->dirs->run, strerror(-err),
		                    err == -EACCES ? "; run the command as root" : "");
	return RUN_END_OK;
}

/* With the lock: take over what runs, start what does not, until the end. @return 0 or -errno */
static int supervise_children(struct run *r)
{
	int err = run_good_open(r);

	if (err)
		return err;
	run_hang_open(r); /* before processes that start take the room for it */
	adopt_children(r);
	apply_document(r);
	for (int i = 0; i < CHILD_COUNT; i++)
		fork_child(&r->children[i]);
	run_note_children(r);
	run_hang_begin(r);
	proc_ready();
	err = loop_run(r->loop);
	run_hang_end(r);
	run_good_close(r);
	return err;
}

/* With the lock of a supervisor that has ended: stop what it has left. @return 0 or -errno */
static int stop_left_children(struct run *r)
{
	struct loop_timer begin = { .cb = on_supervisor_stop, .arg = r };
	struct model *m = read_document(r);

	if (m)
		run_routes_note(&r->routes, m->self);
	model_free(m);
	for (int i = 0; i < CHILD_COUNT; i++) {
		pid_t pid = run_find(r, r->children[i].name);

		if (pid)
			watch_child(&r->children[i], pid, false);
	}
	loop_timer_set(r->loop, &begin, loop_now_ms(r->loop));
	return loop_run(r->loop);
}

/* What is done while no other supervisor can. */
static enum run_end run_alone(struct run *r, bool stop, char *reason)
{
	enum run_end end = acquire_lock(r, stop, reason);

	if (end != RUN_END_OK)
		return end;
	if (!stop)
		end = check_programs(r, reason);
	if (end == RUN_END_OK) {
		int err = stop ? stop_left_children(r) : supervise_children(r);

		run_sockets_close(&r->sockets);
		if (err)
			end = reason_write(reason, RUN_REASON_MAX, RUN_END_FAILED,
			                   "the supervisor failed: %s", strerror(-err));
	}
	close(r->lock_fd);
	return end;
}

enum run_end run_supervise(const struct run_options *o, char reason[RUN_REASON_MAX])
{
	struct run r = { .dirs = o->dirs, .hang_ms = o->hang_ms, .spares = o->spares };
	enum run_end end;
	int err;

	proc_ignore_signals();
	end = make_directories(o->dirs, reason);
	if (end != RUN_END_OK)
		return end;
	err = find_bin(r.bin);
	if (!err)
		err = run_open(&r);
	if (err)
		end = reason_write(reason, RUN_REASON_MAX, RUN_END_FAILED,
		                   "the supervisor cannot start: %s", strerror(-err));
	else
		end = run_alone(&r, o->stop, reason);
	loop_close(r.loop);
	return end;
}
