/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections: a question with some bytes, an answer with as many as were asked for (stream.h). */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/lab/stream_flow.h"

static void ask_tcp(struct flow *f)
{
	uint8_t bytes[sizeof(struct stream_request) + 2048];
	struct stream_request r = { .magic = STREAM_MAGIC,
		                    .seq = flow_number(f),
		                    .n_bytes = flow_below(8) ? flow_below(4000) : flow_below(60000),
		                    .n_more = flow_below(2000) };
	size_t n = sizeof(r) + r.n_more;

	stream_fill(bytes + sizeof(r), r.n_more, r.seq);
	r.sum = stream_sum(STREAM_SUM_0, bytes + sizeof(r), r.n_more);
	memcpy(bytes, &r, sizeof(r));
	f->tcp.head_bytes = f->tcp.more_bytes = 0;
	if (send(f->fd, bytes, n, MSG_NOSIGNAL) != (ssize_t)n)
		flow_end(f, errno == ECONNRESET || errno == EPIPE ? "reset" : "send");
}

/* @return bytes taken, 0 when there are none now, -1 at the connection's end */
static ssize_t receive_tcp(struct flow *f)
{
	static uint8_t bytes[STREAM_BYTES_MAX];
	struct flow_tcp *t = &f->tcp;
	size_t head = sizeof(t->answer);
	bool in_head = t->head_bytes < head;
	size_t room = in_head ? head - t->head_bytes : t->answer.n_bytes - t->more_bytes;
	ssize_t n = recv(f->fd, in_head ? (uint8_t *)&t->answer + t->head_bytes : bytes,
	                 room < sizeof(bytes) ? room : sizeof(bytes), 0);

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	if (in_head) {
		t->head_bytes += (size_t)n;
		t->sum = STREAM_SUM_0;
		return n;
	}
	t->sum = stream_sum(t->sum, bytes, (size_t)n);
	t->more_bytes += (size_t)n;
	return n;
}

static bool is_right(const struct flow *f)
{
	const struct stream_answer *a = &f->tcp.answer;

	return f->tcp.sum == a->sum && !a->is_bad && a->seq == flow_number(f);
}

static void read_answer(struct flow *f)
{
	const struct flow_tcp *t = &f->tcp;
	ssize_t n = 1;
	char byte;

	while (n > 0 && f->awaits) {
		n = receive_tcp(f);
		if (n > 0 && t->head_bytes == sizeof(t->answer) &&
		    t->more_bytes == t->answer.n_bytes) {
			flow_answered(f, t->answer.name, is_right(f));
			return;
		}
	}
	if (n > 0) /* nothing was asked: the end, or something that should not come */
		n = recv(f->fd, &byte, 1, 0) < 0 && errno == EAGAIN ? 0 : -1;
	if (n < 0)
		flow_end(f, errno == ECONNRESET ? "reset" : "closed");
}

static void on_socket(void *arg, int fd, uint32_t events)
{
	struct flow *f = arg;
	int error = 0;
	socklen_t length = sizeof(error);

	(void)events;
	errno = 0;
	if (f->is_connected) {
		read_answer(f);
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
	if (error)
		flow_end(f, error == ECONNREFUSED ? "refused" : "connect");
	else
		flow_connected(f);
}

static void forget_tcp(struct flow *f)
{
	(void)f;
}

const struct flow_transport flow_over_tcp = { .socket_type = SOCK_STREAM,
	                                      .protocol = IPPROTO_TCP,
	                                      .on_socket = on_socket,
	                                      .ask = ask_tcp,
	                                      .forget = forget_tcp };
