/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server's side. One loop thread serves all clients with non-blocking sockets. A client is
 * either being read or being answered: while an answer waits for room in its socket, no further
 * request of that client is handled, so a slow reader costs one answer of memory at most. When all
 * descriptors or clients are used up, the client that is silent longest is closed for the new one.
 */
#include "base/ctl.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/memory.h"
#include "base/owner.h"
#include "base/spare.h"

#define CLIENTS_MAX   16                        /* bounds descriptors and memory */
#define REQUEST_MAX   ((size_t)64 * 1024)       /* bytes of a line; allocated for each client */
#define ANSWER_MAX    ((size_t)4 * 1024 * 1024) /* bytes of a line; clients refuse more as well */
#define SILENCE_MS    30000 /* without a byte from a client: a forgotten one is closed */
#define TURN_REQUESTS 16    /* reads from one client before others have their turn */
#define LOOK_MS       1000  /* between looks whether the socket's file is still there */
#define PAUSE_MS      50    /* without descriptors: the listener would stay readable and spin */

struct ctl_client {
	struct ctl *ctl;
	int fd;          /* -1: free */
	char *in;        /* [REQUEST_MAX + 1] */
	size_t in_bytes; /* not handled yet */
	char *out;       /* the answer that is being sent; NULL: none */
	size_t out_bytes, out_at;
	struct loop_timer silence;
};

struct ctl {
	struct loop *loop;
	int fd;
	ctl_handler *handler;
	void *arg;
	struct sockaddr_un at;
	struct spare spare;
	struct loop_timer pause; /* while it does not listen */
	struct loop_timer look;
	const char *group; /* NULL or as given, which is a constant */
	bool lost;         /* the file is gone and could not be created: logged once */
	bool too_long;     /* an answer was: logged once */
	const struct ctl_client *handled; /* whose line the handler has; NULL: none */
	struct ctl_client clients[CLIENTS_MAX];
};

static void drop_client(struct ctl_client *c)
{
	if (c->fd < 0)
		return;
	loop_timer_cancel(c->ctl->loop, &c->silence);
	loop_fd_remove(c->ctl->loop, c->fd);
	close(c->fd);
	free(c->in);
	free(c->out);
	c->in = c->out = NULL;
	c->in_bytes = c->out_bytes = c->out_at = 0;
	c->fd = -1;
	spare_fill(&c->ctl->spare);
}

static void on_silence(void *arg)
{
	struct ctl_client *c = arg;

	drop_client(c);
}

static int note_life(struct ctl_client *c)
{
	return loop_timer_set(c->ctl->loop, &c->silence, loop_now_ms(c->ctl->loop) + SILENCE_MS);
}

/* Send what waits. @return 0 when all is sent, -EAGAIN, or another -errno */
static int send_answer(struct ctl_client *c)
{
	while (c->out_at < c->out_bytes) {
		ssize_t n = send(c->fd, c->out + c->out_at, c->out_bytes - c->out_at,
		                 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		c->out_at += (size_t)n;
	}
	free(c->out);
	c->out = NULL;
	return 0;
}

/* Take @p answer, which no client would read whole. @return what is said in its place, or NULL */
static char *refuse_long(struct ctl *ctl, char *answer)
{
	if (!ctl->too_long)
		log_error("control-answer-too-long", "path=%s bytes=%zu limit=%zu",
		          ctl->at.sun_path, strlen(answer), ANSWER_MAX);
	ctl->too_long = true;
	free(answer);
	return strdup("{\"ok\":false,\"error\":\"the answer is too long\"}");
}

/* Take @p answer and queue it, with a newline behind. @return 0 or -ENOMEM */
static int queue_answer(struct ctl_client *c, char *answer)
{
	size_t n = answer ? strlen(answer) : 0;
	char *line = answer ? realloc(answer, n + 1) : NULL;

	if (!line) {
		free(answer);
		return -ENOMEM;
	}
	line[n] = '\n';
	c->out = line;
	c->out_bytes = n + 1;
	c->out_at = 0;
	return 0;
}

/*
 * Answer the line of @p n bytes at the start of the buffer. @return as send_answer(), or another
 * -errno to close
 */
static int handle_line(struct ctl_client *c, size_t n)
{
	c->in[n] = '\0';
	memory_forget();
	c->ctl->handled = c;
	char *answer = c->ctl->handler(c->ctl->arg, c->in, n);

	c->ctl->handled = NULL;
	if (memory_failed()) { /* parts of it may be missing */
		free(answer);
		answer = strdup("{\"ok\":false,\"error\":\"out of memory\"}");
	}
	c->in_bytes -= n + 1;
	memmove(c->in, c->in + n + 1, c->in_bytes);
	if (!answer)
		return -ECONNABORTED;
	if (strlen(answer) > ANSWER_MAX)
		answer = refuse_long(c->ctl, answer);
	int err = queue_answer(c, answer);

	return err ? err : send_answer(c);
}

/* Handle the whole lines that are there. @return as handle_line() */
static int handle_lines(struct ctl_client *c)
{
	char *end;

	while (!c->out && (end = memchr(c->in, '\n', c->in_bytes))) {
		int err = handle_line(c, (size_t)(end - c->in));

		if (err)
			return err;
	}
	return !c->out && c->in_bytes == REQUEST_MAX ? -EMSGSIZE : 0;
}

/*
 * @return 0, -EAGAIN when there is nothing more, or another -errno; a client that is gone is
 * -EPIPE
 */
static int read_client(struct ctl_client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_bytes, REQUEST_MAX - c->in_bytes, MSG_DONTWAIT);

	if (n == 0)
		return -EPIPE;
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	c->in_bytes += (size_t)n;
	return note_life(c);
}

static int serve_ctl_client(struct ctl_client *c)
{
	int err = c->out ? send_answer(c) : 0;

	if (!err)
		err = handle_lines(c);
	for (int i = 0; i < TURN_REQUESTS && !err; i++) {
		err = read_client(c);
		if (!err)
			err = handle_lines(c);
	}
	return err;
}

static void on_client(void *arg, int fd, uint32_t events)
{
	struct ctl_client *c = arg;
	int err = serve_ctl_client(c);

	(void)events;
	if (!err || err == -EAGAIN)
		err = loop_fd_set(c->ctl->loop, fd, c->out ? EPOLLOUT : EPOLLIN);
	if (err)
		drop_client(c);
}

/* The client that is silent longest. @return NULL: there are no clients */
static struct ctl_client *find_oldest(struct ctl *ctl)
{
	struct ctl_client *oldest = NULL;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct ctl_client *c = &ctl->clients[i];

		if (c->fd >= 0 && (!oldest || c->silence.at_ms < oldest->silence.at_ms))
			oldest = c;
	}
	return oldest;
}

/*
 * A slot for a new client: a free one, else that of the client that is silent longest. A client
 * that asks is answered within a turn, so connections that send nothing shut nobody out.
 */
static struct ctl_client *allocate_client(struct ctl *ctl)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (ctl->clients[i].fd < 0)
			return &ctl->clients[i];
	struct ctl_client *oldest = find_oldest(ctl);

	drop_client(oldest);
	return oldest;
}

/*
 * No descriptor is left and the reserve is in use: close the client that is silent longest, if it
 * has had at least PAUSE_MS to send something.
 */
static int accept_instead(struct ctl *ctl, int listen_fd)
{
	struct ctl_client *c = find_oldest(ctl);

	if (!c || loop_now_ms(ctl->loop) + SILENCE_MS < c->silence.at_ms + PAUSE_MS)
		return -EMFILE;
	drop_client(c);
	return spare_accept(&ctl->spare, listen_fd);
}

static void on_pause_end(void *arg)
{
	struct ctl *ctl = arg;

	spare_fill(&ctl->spare);
	loop_fd_set(ctl->loop, ctl->fd, EPOLLIN);
}

static void pause_listening(struct ctl *ctl)
{
	if (!loop_timer_set(ctl->loop, &ctl->pause, loop_now_ms(ctl->loop) + PAUSE_MS))
		loop_fd_set(ctl->loop, ctl->fd, 0);
}

/*
 * Without descriptors the connection waits in the backlog until the pause ends. Without memory it
 * is closed at once, so that its client does not wait for an answer.
 */
static void on_connect(void *arg, int listen_fd, uint32_t events)
{
	struct ctl *ctl = arg;
	int fd = spare_accept(&ctl->spare, listen_fd);

	(void)events;
	if (fd == -EMFILE)
		fd = accept_instead(ctl, listen_fd);
	if (fd == -EMFILE)
		pause_listening(ctl);
	if (fd < 0)
		return;
	struct ctl_client *c = allocate_client(ctl);
	char *in = malloc(REQUEST_MAX + 1);

	if (!in || loop_fd_add(ctl->loop, fd, EPOLLIN, on_client, c)) {
		free(in);
		close(fd);
		spare_fill(&ctl->spare);
		return;
	}
	c->fd = fd;
	c->in = in;
	if (note_life(c))
		drop_client(c);
}

/*
 * Nobody listens on the socket file that a killed process left: connect() says so. @return 0,
 * -EADDRINUSE or -errno
 */
static int remove_stale(const struct sockaddr_un *at)
{
	struct stat st;

	if (lstat(at->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	int err = connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0 ? -errno : 0;

	close(fd);
	if (err != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(at->sun_path) < 0 ? -errno : 0;
}

static int set_rights(const char *path, const char *group)
{
	struct group *g = group ? getgrnam(group) : NULL;

	/* Without the right to give it away, the file keeps its owner's group. */
	if (g && chown(path, (uid_t)-1, g->gr_gid) < 0 && errno != EPERM)
		return -errno;
	return chmod(path, 0660) < 0 ? -errno : 0;
}

/*
 * The file appears with mode 0600 and gets its group and mode before listen(): nobody can connect
 * with rights that the file will not have.
 */
static int open_listener(const struct sockaddr_un *at, const char *group, int *out)
{
	int err = remove_stale(at);

	if (err)
		return err;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* The mode of the descriptor becomes that of the file, so it is never open to all. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)at, sizeof(*at)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	err = set_rights(at->sun_path, group);
	if (!err && listen(fd, CLIENTS_MAX) < 0)
		err = -errno;
	if (err) {
		unlink(at->sun_path);
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}

/*
 * Somebody removed the socket's file, so nobody could connect any more: listen at the path again.
 * @return 0 or -errno
 */
static int listen_again(struct ctl *ctl)
{
	int fd, err = open_listener(&ctl->at, ctl->group, &fd);

	if (err)
		return err;
	err = loop_fd_add(ctl->loop, fd, EPOLLIN, on_connect, ctl);
	if (err) {
		unlink(ctl->at.sun_path);
		close(fd);
		return err;
	}
	loop_timer_cancel(ctl->loop, &ctl->pause);
	loop_fd_remove(ctl->loop, ctl->fd);
	close(ctl->fd);
	ctl->fd = fd;
	return 0;
}

/*
 * A removed socket file is an error of somebody else, so it is logged even when it could be created
 * again.
 */
static void on_socket_look(void *arg)
{
	struct ctl *ctl = arg;
	struct stat st;

	if (lstat(ctl->at.sun_path, &st) < 0 && errno == ENOENT) {
		int err = listen_again(ctl);

		if (!err || !ctl->lost)
			log_error("control-socket-removed", "path=%s effect=\"%s\" error=\"%s\"",
			          ctl->at.sun_path,
			          err ? "commands cannot connect" : "created again",
			          err ? strerror(-err) : "");
		ctl->lost = err != 0;
	}
	loop_timer_set(ctl->loop, &ctl->look, loop_now_ms(ctl->loop) + LOOK_MS);
}

int ctl_serve(struct loop *l, const char *path, const char *group, ctl_handler *handler, void *arg,
              struct ctl **out)
{
	struct ctl *ctl;

	if (strlen(path) >= sizeof(ctl->at.sun_path))
		return -ENAMETOOLONG;
	ctl = calloc(1, sizeof(*ctl));
	if (!ctl)
		return -ENOMEM;
	ctl->loop = l;
	ctl->handler = handler;
	ctl->arg = arg;
	ctl->at.sun_family = AF_UNIX;
	strcpy(ctl->at.sun_path, path);
	ctl->group = group;
	ctl->pause = (struct loop_timer){ .cb = on_pause_end, .arg = ctl };
	ctl->look = (struct loop_timer){ .cb = on_socket_look, .arg = ctl };
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		ctl->clients[i] = (struct ctl_client){ .ctl = ctl,
			                               .fd = -1,
			                               .silence = { .cb = on_silence,
			                                            .arg = &ctl->clients[i] } };
	int err = open_listener(&ctl->at, group, &ctl->fd);

	if (err) {
		free(ctl);
		return err;
	}
	spare_open(&ctl->spare);
	err = loop_fd_add(l, ctl->fd, EPOLLIN, on_connect, ctl);
	if (!err)
		err = loop_timer_set(l, &ctl->look, loop_now_ms(l) + LOOK_MS);
	if (err) {
		ctl_close(ctl);
		return err;
	}
	*out = ctl;
	return 0;
}

void ctl_close(struct ctl *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		drop_client(&c->clients[i]);
	loop_timer_cancel(c->loop, &c->pause);
	loop_timer_cancel(c->loop, &c->look);
	spare_close(&c->spare);
	loop_fd_remove(c->loop, c->fd);
	unlink(c->at.sun_path);
	close(c->fd);
	free(c);
}

bool ctl_client_is(const struct ctl *c, const char *process)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (!c || !c->handled || getsockopt(c->handled->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return false;
	return owner_is(peer.uid, process);
}
