/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client's side of a control socket; any thread may call it. The socket is non-blocking and
 * each wait is a poll(2) with the rest of one deadline, so a server that hangs costs the caller its
 * timeout and no more. The server's user is checked (SO_PEERCRED) before anything is sent to it.
 */
#include "base/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/owner.h"

#define AGAIN_US   10000 /* microseconds between attempts while the server's backlog is full */
#define ANSWER_MAX ((size_t)4 * 1024 * 1024 + 1) /* with its newline */

/* Wait for @p events until @p deadline_ms. @return 0, -ETIMEDOUT or -errno */
static int wait_for(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now_ms = clock_mono_ms();
	int n = poll(&p, 1, deadline_ms > now_ms ? (int)(deadline_ms - now_ms) : 0);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	return n ? 0 : -ETIMEDOUT;
}

static int send_fully(int fd, const char *bytes, size_t n, uint64_t deadline_ms)
{
	while (n) {
		ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);

		if (sent >= 0) {
			bytes += sent;
			n -= (size_t)sent;
			continue;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		int err = wait_for(fd, POLLOUT, deadline_ms);

		if (err)
			return err;
	}
	return 0;
}

/* Read up to a newline into @p buffer of @p room bytes. @return 0, with the length in @p n */
static int read_more(int fd, char *buffer, size_t room, size_t *n, uint64_t deadline_ms)
{
	while (*n < room) {
		ssize_t got = recv(fd, buffer + *n, room - *n, 0);

		if (got == 0)
			return -ECONNRESET;
		if (got > 0) {
			char *end = memchr(buffer + *n, '\n', (size_t)got);

			*n += (size_t)got;
			if (end) {
				*end = '\0';
				return 0;
			}
			continue;
		}
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		int err = wait_for(fd, POLLIN, deadline_ms);

		if (err)
			return err;
	}
	return -ENOBUFS;
}

/*
 * The buffer doubles: most answers are short, and the largest one must not be allocated for each.
 */
static int read_answer_line(int fd, char **out, uint64_t deadline_ms)
{
	size_t room = 16384, n = 0;
	char *line = NULL;
	int err = -ENOBUFS;

	while (err == -ENOBUFS) {
		char *more = realloc(line, room);

		if (!more) {
			err = -ENOMEM;
			break;
		}
		line = more;
		err = read_more(fd, line, room, &n, deadline_ms);
		if (err == -ENOBUFS && room == ANSWER_MAX)
			err = -EMSGSIZE;
		room = room * 2 > ANSWER_MAX ? ANSWER_MAX : room * 2;
	}
	if (err) {
		free(line);
		return err;
	}
	*out = line;
	return 0;
}

/*
 * The server at RUN/PROCESS.ctl must be weir-PROCESS: any process may put a socket where there is
 * none.
 */
static int check_server(int fd, const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	struct ucred server;
	socklen_t n = sizeof(server);
	char process[32];

	snprintf(process, sizeof(process), "%.*s", (int)strcspn(name, "."), name);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &n) < 0)
		return -errno;
	bool believed = owner_is(server.uid, process);

	owner_note(path, process, server.uid, believed);
	return believed ? 0 : -EPERM;
}

/* EAGAIN means that the server's backlog is full: try again in a moment. */
static int connect_by(int fd, const struct sockaddr_un *at, uint64_t deadline_ms)
{
	while (connect(fd, (const struct sockaddr *)at, sizeof(*at)) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (clock_mono_ms() >= deadline_ms)
			return -ETIMEDOUT;
		usleep(AGAIN_US);
	}
	return 0;
}

static int exchange_lines(int fd, const struct sockaddr_un *at, const char *line,
                          uint64_t deadline_ms, char **answer)
{
	int err = connect_by(fd, at, deadline_ms);

	if (!err)
		err = check_server(fd, at->sun_path);

	if (err)
		return err;
	err = send_fully(fd, line, strlen(line), deadline_ms);

	if (!err)
		err = send_fully(fd, "\n", 1, deadline_ms);
	return err ? err : read_answer_line(fd, answer, deadline_ms);
}

int ctl_request(const char *path, const char *line, int timeout_ms, char **answer)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	if (strchr(line, '\n'))
		return -EINVAL;
	strcpy(at.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	int err = exchange_lines(fd, &at, line,
	                         clock_mono_ms() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0),
	                         answer);

	close(fd);
	return err;
}
