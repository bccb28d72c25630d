/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server for long flows: answers requests of stream.h as long as the client likes.
 *
 *     echo NAME PORT [ADDRESS UDP_PORT]...
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/loop.h"
#include "tests/lab/echo.h"

struct connection {
	int fd;
	struct stream_request request;
	size_t head_bytes, more_bytes; /* of the request, that have come */
	uint64_t sum;
	uint8_t *out;
	size_t out_bytes, out_sent;
};

static struct loop *loop;
static char name[STREAM_NAME_MAX];

static void end_connection(struct connection *c)
{
	loop_fd_remove(loop, c->fd);
	close(c->fd);
	free(c->out);
	free(c);
}

/* Send what is left. @return false when the connection has ended */
static bool flush_output(struct connection *c)
{
	while (c->out_sent < c->out_bytes) {
		ssize_t n =
		        send(c->fd, c->out + c->out_sent, c->out_bytes - c->out_sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0)
			return false;
		c->out_sent += (size_t)n;
	}
	loop_fd_set(loop, c->fd, c->out_sent < c->out_bytes ? EPOLLOUT : EPOLLIN);
	return true;
}

/* The request is whole. @return false when the connection has ended */
static bool answer_request(struct connection *c)
{
	const struct stream_request *r = &c->request;
	struct stream_answer head = { .magic = STREAM_MAGIC,
		                      .seq = r->seq,
		                      .n_bytes = r->n_bytes,
		                      .is_bad = c->sum != r->sum };

	free(c->out);
	c->out = malloc(sizeof(head) + r->n_bytes);
	if (!c->out)
		return false;
	memcpy(head.name, name, sizeof(name));
	stream_fill(c->out + sizeof(head), r->n_bytes, r->seq);
	head.sum = stream_sum(STREAM_SUM_0, c->out + sizeof(head), r->n_bytes);
	memcpy(c->out, &head, sizeof(head));
	c->out_bytes = sizeof(head) + r->n_bytes;
	c->out_sent = c->head_bytes = c->more_bytes = 0;
	return flush_output(c);
}

static bool request_is_sound(const struct stream_request *r)
{
	return r->magic == STREAM_MAGIC && r->n_bytes <= STREAM_BYTES_MAX &&
	       r->n_more <= STREAM_BYTES_MAX;
}

/* @return bytes taken, 0 when there are none now, -1 at the connection's end */
static ssize_t receive_bytes(struct connection *c)
{
	static uint8_t bytes[STREAM_BYTES_MAX];
	size_t head = sizeof(c->request);
	bool in_head = c->head_bytes < head;
	ssize_t n =
	        in_head ? recv(c->fd, (char *)&c->request + c->head_bytes, head - c->head_bytes, 0)
	                : recv(c->fd, bytes, c->request.n_more - c->more_bytes, 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	if (in_head) {
		c->head_bytes += (size_t)n;
		c->sum = STREAM_SUM_0;
		return c->head_bytes < head || request_is_sound(&c->request) ? n : -1;
	}
	c->sum = stream_sum(c->sum, bytes, (size_t)n);
	c->more_bytes += (size_t)n;
	return n;
}

static void on_connection(void *arg, int fd, uint32_t events)
{
	struct connection *c = arg;
	ssize_t n = 1;

	(void)fd;
	if (events & EPOLLOUT && !flush_output(c)) {
		end_connection(c);
		return;
	}
	while (n > 0 && c->out_sent == c->out_bytes) {
		if (c->head_bytes == sizeof(c->request) && c->more_bytes == c->request.n_more)
			n = answer_request(c) ? 1 : -1;
		else
			n = receive_bytes(c);
	}
	if (n < 0)
		end_connection(c);
}

static void on_listener(void *arg, int fd, uint32_t events)
{
	(void)arg;
	(void)events;
	for (;;) {
		int at = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct connection *c = at < 0 ? NULL : calloc(1, sizeof(*c));

		if (!c)
			return;
		c->fd = at;
		if (loop_fd_add(loop, at, EPOLLIN, on_connection, c)) {
			close(at);
			free(c);
		}
	}
}

int main(int argc, char **argv)
{
	const struct rlimit files = { 65536, 65536 };
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int one = 1, fd;

	if (argc < 3 || argc % 2 == 0)
		return 2;
	snprintf(name, sizeof(name), "%s", argv[1]);
	any.sin6_port = htons((uint16_t)atoi(argv[2]));
	setrlimit(RLIMIT_NOFILE, &files);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (loop_open(&loop) || bind(fd, (struct sockaddr *)&any, sizeof(any)) ||
	    listen(fd, 4096) || loop_fd_add(loop, fd, EPOLLIN, on_listener, NULL)) {
		perror("echo");
		return 1;
	}
	for (int i = 3; i + 1 < argc; i += 2)
		if (!echo_udp_open(loop, name, argv[i], (uint16_t)atoi(argv[i + 1])))
			return 1;
	return loop_run(loop);
}
