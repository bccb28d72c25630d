/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection to a daemon's control socket. Answers come in the order of their questions. One question is under way
 * at a time, so the daemon serves others between two of ours; only those about single prefixes follow each other
 * without waiting (DAEMON_WINDOW), or a busy machine would add a turn of the scheduler to each. What to ask next is
 * chosen when an answer is whole:
 *
 *   1. what a new connection begins with    2. the sessions, when due    3. urgent prefixes
 *   4. the neighbours' exports (BIRD)       5. the round over all prefixes
 *
 * After a failure the connection is closed and all that was known is unknown.
 */
#include "announce/daemon_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define READ_TURN_BYTES (64u * 1024u) /* in one turn of the loop */

static void on_notice(void *arg)
{
	struct daemon *d = arg;

	d->notified_ms = clock_mono_ms();
	d->news(d->arg);
}

/* @return whether it is another state than before */
static bool set_state(struct daemon *d, enum daemon_state state)
{
	bool changed = d->facts.state != state;

	if (changed)
		d->facts.since_ms = clock_mono_ms();
	d->facts.state = state;
	if (state == DAEMON_ANSWERS)
		d->facts.problem[0] = 0;
	return changed;
}

/* Forget what the daemon said, and try again later. */
static void give_up(struct daemon *d, enum daemon_state state, const char *reason, int error)
{
	if (reason)
		snprintf(d->facts.problem, sizeof(d->facts.problem), "%s%s%s", reason,
		         error ? ": " : "", error ? strerror(error) : "");
	if (d->fd >= 0) {
		loop_fd_remove(d->loop, d->fd);
		close(d->fd);
		d->fd = -1;
	}
	d->proved = false;
	d->n_waiting = 0;
	d->facts.n_neighbours = d->facts.n_omitted = 0;
	d->facts.stamp = 0;
	daemon_rows_forget(d);
	loop_timer_set(d->loop, &d->wake, clock_mono_ms() + DAEMON_RETRY_MS);
	if (set_state(d, state))
		daemon_notify(d);
}

/* @return whether it was sent; else the connection is given up */
static bool send_question(struct daemon *d, const struct daemon_sent *question)
{
	struct daemon_sent *sent = &d->waiting[d->n_waiting++];
	char text[DAEMON_QUESTION_MAX];
	size_t n = 0;

	*sent = *question;
	sent->sent_ms = clock_mono_ms();
	sent->sent_ns = clock_mono_ns();
	sent->stamp = d->facts.stamp;
	if (sent->question.kind != DAEMON_QUERY_GREETING)
		n = d->ops->write(&d->facts, &sent->question, text);
	loop_timer_set(d->loop, &d->wake, sent->sent_ms + DAEMON_DEADLINE_MS);
	if (n == 0 || send(d->fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n)
		return true;
	give_up(d, DAEMON_ABSENT, "cannot ask", errno);
	return false;
}

/* @param at_ms  if nothing is to be asked now: when to look again. @return whether there is a question */
static bool choose_question(struct daemon *d, uint64_t now_ms, uint64_t *at_ms,
                            struct daemon_sent *out)
{
	bool more = d->n_waiting > 0;

	*at_ms = d->sessions_ms;
	*out = (struct daemon_sent){ .n = 0 };
	if (d->n_first < d->ops->n_first)
		out->question.kind = d->ops->first[d->n_first];
	else if (now_ms >= d->sessions_ms)
		out->question.kind = DAEMON_QUERY_SESSIONS;
	else
		return daemon_rows_choose_urgent(d, more, now_ms, at_ms, out) ||
		       (!more && daemon_exports_choose(d, now_ms, at_ms, out)) ||
		       (!more && daemon_rows_choose(d, now_ms, at_ms, out));
	return !more;
}

static void send_next_query(struct daemon *d)
{
	struct daemon_sent next;
	uint64_t at_ms;

	while (d->fd >= 0 && d->n_waiting < DAEMON_WINDOW) {
		if (d->n_waiting && !d->waiting[d->n_waiting - 1].more)
			return;
		if (!choose_question(d, clock_mono_ms(), &at_ms, &next)) {
			if (!d->n_waiting)
				loop_timer_set(d->loop, &d->wake, at_ms);
			return;
		}
		if (!send_question(d, &next))
			return;
	}
}

/* Read the first @p n bytes as the answer to the oldest question. @return 0, or -EPROTO */
static int receive_answer(struct daemon *d, size_t n, bool *news)
{
	const struct daemon_facts before = d->facts;
	const struct daemon_sent sent = d->waiting[0];
	const enum daemon_query_kind kind = sent.question.kind;
	int err = 0;

	d->n_waiting--;
	memmove(d->waiting, d->waiting + 1, d->n_waiting * sizeof(d->waiting[0]));
	if (kind == DAEMON_QUERY_ROUTES)
		err = daemon_rows_receive(d, &sent, n, news);
	else if (kind == DAEMON_QUERY_CHANNELS || kind == DAEMON_QUERY_EXPORTS)
		err = daemon_exports_receive(d, &sent, n, news);
	else
		err = d->ops->read(&d->facts, &sent.question, NULL, NULL, d->answer, n);
	if (err)
		return err;
	if (d->n_first < d->ops->n_first) {
		d->n_first++;
	} else if (kind == DAEMON_QUERY_SESSIONS) {
		d->sessions_at_ms = sent.sent_ms;
		d->sessions_ms = clock_mono_ms() + DAEMON_SESSIONS_MS;
		*news |= daemon_rows_follow(d, &before);
	}
	if (d->sessions_ms && (d->proved || !d->n_rows))
		*news |= set_state(d, DAEMON_ANSWERS);
	return 0;
}

/* @return whether there was a whole answer, and there may be another one */
static bool hear_answer(struct daemon *d, bool *news)
{
	ssize_t n = d->ops->whole(d->answer, d->n_answer, d->n_seen);

	d->n_seen = d->n_answer;
	if (n == 0 && d->n_answer < DAEMON_ANSWER_MAX)
		return false;
	if (n <= 0 || ((size_t)n != d->n_answer && d->n_waiting == 1)) {
		give_up(d, DAEMON_STRANGE,
		        n == 0 ? "an answer is too long" : "an answer has no known form", 0);
		return false;
	}
	if (receive_answer(d, (size_t)n, news)) {
		give_up(d, DAEMON_STRANGE, NULL, 0);
		return false;
	}
	d->n_answer -= (size_t)n;
	d->n_seen = 0;
	memmove(d->answer, d->answer + n, d->n_answer);
	send_next_query(d);
	return d->fd >= 0 && d->n_answer > 0;
}

/* Receive what is there, within bounds. @return whether an answer in it was news */
static bool hear_daemon(struct daemon *d, int fd)
{
	bool news = false;

	for (size_t got = 0; got < READ_TURN_BYTES && d->fd == fd;) {
		ssize_t n = recv(fd, d->answer + d->n_answer, DAEMON_ANSWER_MAX - d->n_answer,
		                 MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			give_up(d, DAEMON_ABSENT, "the daemon closed the connection",
			        n ? errno : 0);
			break;
		}
		if (!d->n_waiting) {
			give_up(d, DAEMON_STRANGE, "the daemon has sent an answer to no question",
			        0);
			break;
		}
		d->n_answer += (size_t)n;
		got += (size_t)n;
		while (hear_answer(d, &news))
			;
	}
	return news;
}

static void on_readable(void *arg, int fd, uint32_t events)
{
	struct daemon *d = arg;

	(void)events;
	if (hear_daemon(d, fd))
		daemon_notify(d);
}

/* A socket of this kind connects at once, or not at all. */
static int connect_socket(const char *path, int *out)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		int err = -errno;

		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

static void try_connect(struct daemon *d)
{
	int err = connect_socket(d->path, &d->fd);

	if (!err)
		err = loop_fd_add(d->loop, d->fd, EPOLLIN, on_readable, d);
	if (err) { /* a full backlog is that of a process that is stopped */
		give_up(d, err == -EAGAIN ? DAEMON_SILENT : DAEMON_ABSENT, d->path, -err);
		return;
	}
	d->n_first = d->n_answer = d->n_seen = 0;
	d->sessions_ms = 0;
	send_next_query(d);
}

static void on_wake(void *arg)
{
	struct daemon *d = arg;

	if (d->fd < 0)
		try_connect(d);
	else if (d->n_waiting)
		give_up(d, DAEMON_SILENT, "no whole answer in time", 0);
	else
		send_next_query(d);
}

int daemon_open(struct loop *loop, enum daemon_kind kind, const char *path, daemon_news *news,
                void *arg, struct daemon **out)
{
	const struct daemon_ops *ops = kind == DAEMON_FRR ? &daemon_frr : &daemon_bird;
	struct daemon *d;

	path = path ? path : ops->path;
	if (strlen(path) >= sizeof(d->path))
		return -ENAMETOOLONG;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	*d = (struct daemon){ .loop = loop, .ops = ops, .news = news, .arg = arg, .fd = -1 };
	d->wake = (struct loop_timer){ .cb = on_wake, .arg = d };
	d->notice = (struct loop_timer){ .cb = on_notice, .arg = d };
	snprintf(d->path, sizeof(d->path), "%s", path);
	snprintf(d->facts.problem, sizeof(d->facts.problem), "not asked yet");
	d->facts.since_ms = clock_mono_ms();
	d->answer = malloc(DAEMON_ANSWER_MAX);
	if (!d->answer || loop_timer_set(loop, &d->wake, 0)) {
		daemon_close(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

void daemon_close(struct daemon *d)
{
	if (!d)
		return;
	loop_timer_cancel(d->loop, &d->wake);
	loop_timer_cancel(d->loop, &d->notice);
	if (d->fd >= 0) {
		loop_fd_remove(d->loop, d->fd);
		close(d->fd);
	}
	free(d->rows);
	free(d->answer);
	free(d);
}

const struct daemon_facts *daemon_facts(const struct daemon *d)
{
	return &d->facts;
}

const char *daemon_state_name(enum daemon_state state)
{
	static const char *const names[] = { "absent", "silent", "strange", "answers" };

	return names[state];
}
