/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connection to a daemon's control socket. Answers come in the order of their questions. One question is under way
 * at a time, so the daemon serves others between two of ours; only urgent ones follow each other without waiting
 * (WINDOW), or a busy machine would add a turn of the scheduler to each. What to ask next is chosen when an answer is
 * whole:
 *
 *   1. what a new connection begins with    2. the rest of a prefix's neighbours (BIRD)
 *   3. the sessions, when due               4. urgent prefixes    5. the round over all prefixes, some in each tick
 *
 * A prefix's answer is put together in `fresh` and becomes `shown` when it is whole, so a reader never sees half of it.
 * After a failure the connection is closed and all that was known is unknown.
 */
#include "announce/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"

#define READ_TURN_BYTES (64u * 1024u) /* in one turn of the loop */
#define WINDOW          16u           /* urgent questions under way */

struct daemon_sent {
	struct daemon_query question;
	bool hurried; /* urgent: about the route alone, and its answer is news */
};

struct daemon_row {
	struct addr vip;
	struct daemon_route shown, fresh;
	bool urgent;
};

struct daemon {
	struct loop *loop;
	const struct daemon_ops *ops;
	daemon_news *news;
	void *arg;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct daemon_facts facts;

	struct daemon_row *rows; /* [n_rows], by address */
	size_t n_rows, next_row;
	size_t in_tick; /* how many of the round's prefixes this tick may still ask about */

	int fd;                             /* -1: not connected */
	struct daemon_sent waiting[WINDOW]; /* [n_waiting] for their answers, the oldest first */
	size_t n_waiting;
	struct daemon_query question; /* that is being sent, or answered */
	bool hurried;
	size_t n_first;               /* of the first questions, how many are answered */
	struct daemon_row *exporting; /* whose neighbours are being asked for */
	bool proved; /* a prefix was answered, so the configuration has Weir's tables */
	uint64_t sessions_ms, tick_ms, deadline_ms;
	struct loop_timer wake; /* the next of: deadline, retry, something to ask */
	char *answer;           /* [DAEMON_ANSWER_MAX] */
	size_t n_answer, n_seen;
};

static void send_next_query(struct daemon *d);

static int compare_rows(const void *a, const void *b)
{
	return addr_compare(&((const struct daemon_row *)a)->vip,
	                    &((const struct daemon_row *)b)->vip);
}

static struct daemon_row *find_row(const struct daemon *d, const struct addr *vip)
{
	const struct daemon_row key = { .vip = *vip };

	return d->n_rows ? bsearch(&key, d->rows, d->n_rows, sizeof(key), compare_rows) : NULL;
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
	d->exporting = NULL;
	d->facts.n_neighbours = d->facts.n_omitted = 0;
	for (size_t i = 0; i < d->n_rows; i++) {
		d->rows[i].shown = (struct daemon_route){ 0 };
		d->rows[i].urgent = false;
	}
	loop_timer_set(d->loop, &d->wake, clock_mono_ms() + DAEMON_RETRY_MS);
	if (set_state(d, state))
		d->news(d->arg);
}

/* @return whether it was sent; else the connection is given up */
static bool send_question(struct daemon *d)
{
	char text[DAEMON_QUESTION_MAX];
	size_t n = 0;

	if (d->question.kind != DAEMON_QUERY_GREETING)
		n = d->ops->write(&d->facts, &d->question, text);
	d->waiting[d->n_waiting++] = (struct daemon_sent){ d->question, d->hurried };
	d->deadline_ms = clock_mono_ms() + DAEMON_DEADLINE_MS;
	loop_timer_set(d->loop, &d->wake, d->deadline_ms);
	if (n == 0 || send(d->fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n)
		return true;
	give_up(d, DAEMON_ABSENT, "cannot ask", errno);
	return false;
}

/* The next neighbour to whom the prefix could be exported. @return false: all were asked for */
static bool choose_neighbour(struct daemon *d)
{
	bool four;
	uint32_t i = d->question.kind == DAEMON_QUERY_EXPORT ? d->question.neighbour + 1 : 0;

	if (!d->exporting)
		return false;
	four = addr_is4(&d->exporting->vip);
	for (; i < d->facts.n_neighbours; i++) {
		const struct daemon_neighbour *to = &d->facts.neighbours[i];

		if (!to->established || (four ? to->lacks4 : to->lacks6))
			continue;
		d->question = (struct daemon_query){ DAEMON_QUERY_EXPORT, d->exporting->vip, i };
		return true;
	}
	return false;
}

/* A call of daemon_hurry() during the question asks once more. */
static void choose_row(struct daemon *d, struct daemon_row *row, bool hurried)
{
	d->question = (struct daemon_query){ .kind = DAEMON_QUERY_ROUTE, .vip = row->vip };
	d->hurried = hurried;
	row->urgent &= !hurried;
}

/* @param at_ms  moved to when one is due, if that is sooner. @return one that is due now, or NULL */
static struct daemon_row *find_urgent(const struct daemon *d, uint64_t now_ms, uint64_t *at_ms)
{
	for (size_t i = 0; i < d->n_rows; i++) {
		struct daemon_row *row = &d->rows[(d->next_row + i) % d->n_rows];
		uint64_t due_ms = row->shown.at_ms ? row->shown.at_ms + DAEMON_HURRY_MS : now_ms;

		if (!row->urgent)
			continue;
		if (due_ms <= now_ms)
			return row;
		if (due_ms < *at_ms)
			*at_ms = due_ms;
	}
	return NULL;
}

/* How many prefixes of the round each tick asks about. */
static size_t tick_prefixes(const struct daemon *d)
{
	size_t n = (d->n_rows + DAEMON_ROUND_TICKS - 1) / DAEMON_ROUND_TICKS;

	return n < DAEMON_TICK_PREFIXES ? n : DAEMON_TICK_PREFIXES;
}

/* @param at_ms  if nothing is to be asked now: when to look again. @return whether d->question is set */
static bool choose_question(struct daemon *d, uint64_t now_ms, uint64_t *at_ms)
{
	struct daemon_row *urgent;

	d->hurried = false;
	if (d->n_first < d->ops->n_first) {
		d->question = (struct daemon_query){ .kind = d->ops->first[d->n_first] };
		return true;
	}
	if (now_ms >= d->sessions_ms) {
		d->question = (struct daemon_query){ .kind = DAEMON_QUERY_SESSIONS };
		return true;
	}
	if (now_ms >= d->tick_ms) {
		d->tick_ms = now_ms + DAEMON_TICK_MS;
		d->in_tick = tick_prefixes(d);
	}
	*at_ms = d->sessions_ms < d->tick_ms ? d->sessions_ms : d->tick_ms;
	urgent = find_urgent(d, now_ms, at_ms);
	if (urgent) {
		choose_row(d, urgent, true);
		return true;
	}
	if (!d->in_tick || !d->n_rows)
		return false;
	d->in_tick--;
	d->next_row = (d->next_row + 1) % d->n_rows;
	choose_row(d, &d->rows[d->next_row], false);
	return true;
}

/* Fill the window with urgent questions. */
static void send_urgent_query(struct daemon *d, uint64_t now_ms)
{
	struct daemon_row *urgent;
	uint64_t at_ms = now_ms;

	while (d->n_waiting < WINDOW && (urgent = find_urgent(d, now_ms, &at_ms))) {
		choose_row(d, urgent, true);
		if (!send_question(d))
			return;
	}
}

static void send_next_query(struct daemon *d)
{
	uint64_t now_ms = clock_mono_ms(), at_ms = now_ms;

	if (d->fd < 0 || (d->n_waiting && !d->waiting[d->n_waiting - 1].hurried))
		return;
	if (!d->n_waiting && !choose_question(d, now_ms, &at_ms)) {
		loop_timer_set(d->loop, &d->wake, at_ms);
		return;
	}
	if (!d->n_waiting && !send_question(d))
		return;
	if (d->hurried && now_ms < d->sessions_ms)
		send_urgent_query(d, now_ms);
}

static bool same_route(const struct daemon_route *a, const struct daemon_route *b)
{
	return a->at_ms && b->at_ms && a->exported == b->exported &&
	       !memcmp(a->imported, b->imported, sizeof(a->imported));
}

/* A prefix's answer is whole. @return whether it is news */
static bool show_row(struct daemon *d, struct daemon_row *row)
{
	bool news;

	row->fresh.at_ms = clock_mono_ms();
	row->fresh.pending = d->hurried ? row->urgent : row->shown.pending;
	news = d->hurried || !same_route(&row->fresh, &row->shown);
	row->shown = row->fresh;
	d->exporting = NULL;
	d->proved = true;
	return news;
}

/*
 * Bits of a route count neighbours, so a list that changed makes them unknown; and nothing is exported over a session
 * that is down. @return whether the sessions changed
 */
static bool follow_sessions(struct daemon *d, const struct daemon_facts *before)
{
	bool same = d->facts.n_neighbours == before->n_neighbours, changed = !same;
	uint32_t up = 0;

	for (uint32_t i = 0; same && i < before->n_neighbours; i++) {
		const struct daemon_neighbour *now = &d->facts.neighbours[i];

		same = !strcmp(now->name, before->neighbours[i].name);
		changed |= !same || now->established != before->neighbours[i].established;
		up |= now->established ? 1u << i : 0;
	}
	for (size_t i = 0; i < d->n_rows; i++) {
		d->rows[i].shown.exported &= up;
		if (!same)
			d->rows[i].shown = (struct daemon_route){ .pending = d->rows[i].urgent };
	}
	return changed;
}

/* @return whether the answer to ROUTE or EXPORT completes the prefix's; else d->question is the next one */
static bool is_row_whole(struct daemon *d, struct daemon_row *row)
{
	if (!d->ops->queries_exports || d->hurried)
		return true;
	d->exporting = row;
	return !choose_neighbour(d);
}

/* An urgent answer leaves the neighbours out, and what is known of them stays. */
static struct daemon_route *begin_row(const struct daemon *d, struct daemon_row *row)
{
	if (d->question.kind == DAEMON_QUERY_ROUTE) {
		row->fresh = row->shown;
		if (!d->hurried)
			row->fresh.exported = 0;
	}
	return &row->fresh;
}

/* Take a whole answer. @return 0, or -EPROTO */
static int receive_answer(struct daemon *d, size_t n, bool *news)
{
	const struct daemon_facts before = d->facts;
	const enum daemon_query_kind kind = d->question.kind;
	struct daemon_route unwatched = { 0 };
	struct daemon_row *row = NULL;
	int err;

	if (kind == DAEMON_QUERY_ROUTE || kind == DAEMON_QUERY_EXPORT)
		row = find_row(d, &d->question.vip);
	err = d->ops->read(&d->facts, row ? begin_row(d, row) : &unwatched, &d->question, d->answer,
	                   n);
	if (err)
		return err;
	if (d->n_first < d->ops->n_first) {
		d->n_first++;
	} else if (kind == DAEMON_QUERY_SESSIONS) {
		d->sessions_ms = clock_mono_ms() + DAEMON_SESSIONS_MS;
		*news |= follow_sessions(d, &before);
	} else if (row) {
		if (!is_row_whole(d, row)) {
			(void)send_question(d);
			return 0;
		}
		*news |= show_row(d, row);
	}
	if (d->sessions_ms && (d->proved || !d->n_rows))
		*news |= set_state(d, DAEMON_ANSWERS);
	return 0;
}

/* Take the oldest question off the window: its answer is the first @p n bytes. */
static void receive_question(struct daemon *d)
{
	d->question = d->waiting[0].question;
	d->hurried = d->waiting[0].hurried;
	d->n_waiting--;
	memmove(d->waiting, d->waiting + 1, d->n_waiting * sizeof(d->waiting[0]));
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
	receive_question(d);
	if (receive_answer(d, (size_t)n, news)) {
		give_up(d, DAEMON_STRANGE, NULL, 0);
		return false;
	}
	if (d->fd < 0)
		return false;
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
			give_up(d, DAEMON_STRANGE, "the daemon speaks unasked", 0);
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
	if (!hear_daemon(d, fd))
		return;
	d->news(d->arg);
	send_next_query(d);
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

	if (!err) {
		err = loop_fd_add(d->loop, d->fd, EPOLLIN, on_readable, d);
		if (err) {
			close(d->fd);
			d->fd = -1;
		}
	}
	if (err) { /* a full backlog is that of a process that is stopped */
		give_up(d, err == -EAGAIN ? DAEMON_SILENT : DAEMON_ABSENT, d->path, -err);
		return;
	}
	d->n_first = d->n_answer = d->n_seen = 0;
	d->sessions_ms = d->tick_ms = 0;
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
	if (d->fd >= 0) {
		loop_fd_remove(d->loop, d->fd);
		close(d->fd);
	}
	free(d->rows);
	free(d->answer);
	free(d);
}

int daemon_watch(struct daemon *d, const struct addr *vips, size_t n)
{
	struct daemon_row *rows;

	if (n > DAEMON_PREFIXES_MAX)
		return -E2BIG;
	rows = calloc(n ? n : 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct daemon_row *known = find_row(d, &vips[i]);

		rows[i].vip = vips[i];
		if (known)
			rows[i] = *known;
	}
	qsort(rows, n, sizeof(*rows), compare_rows);
	free(d->rows);
	d->rows = rows;
	d->n_rows = n;
	d->next_row = 0;
	d->exporting = NULL;
	return 0;
}

void daemon_hurry(struct daemon *d, const struct addr *vip)
{
	struct daemon_row *row = find_row(d, vip);

	if (!row)
		return;
	row->urgent = row->shown.pending = true;
	if (d->fd >= 0 && !d->n_waiting)
		loop_timer_set(d->loop, &d->wake, 0);
}

const struct daemon_facts *daemon_facts(const struct daemon *d)
{
	return &d->facts;
}

const struct daemon_route *daemon_route(const struct daemon *d, const struct addr *vip)
{
	const struct daemon_row *row = find_row(d, vip);

	return row ? &row->shown : NULL;
}

const char *daemon_state_name(enum daemon_state state)
{
	static const char *const names[] = { "absent", "silent", "strange", "answers" };

	return names[state];
}
