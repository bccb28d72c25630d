/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows like QUIC's: an ID for a flow, datagrams that are repeated until they are answered, a server that says so when it
 * does not know the flow (RFC 9000, 10.3), which ends it.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "tests/lab/stream_flow.h"

#define REPEAT_MS 300u /* before a datagram's first repetition, then twice that, and so on */

static size_t question_bytes(const struct flow *f)
{
	return sizeof(f->udp.question.head) + f->udp.question.head.n_bytes;
}

/* What cannot be sent now is as good as lost. */
static void send_question(void *arg)
{
	struct flow *f = arg;
	struct flow_udp *u = &f->udp;

	if (send(f->fd, &u->question, question_bytes(f), 0) < 0 && errno == ECONNREFUSED) {
		flow_end(f, "refused");
		return;
	}
	u->repeat.cb = send_question;
	u->repeat.arg = f;
	loop_timer_set(flow_loop(), &u->repeat, loop_now_ms(flow_loop()) + u->repeat_ms);
	u->repeat_ms *= 2;
}

static void ask_udp(struct flow *f)
{
	struct flow_udp *u = &f->udp;
	struct stream_datagram *head = &u->question.head;

	if (f->n_answers == 0)
		u->id = (uint64_t)flow_below(UINT32_MAX) << 32 | flow_below(UINT32_MAX);
	*head = (struct stream_datagram){ .magic = STREAM_MAGIC,
		                          .kind = f->n_answers ? STREAM_MORE : STREAM_FIRST,
		                          .id = u->id,
		                          .seq = flow_number(f),
		                          .n_bytes = flow_below(sizeof(u->question.bytes)) };
	stream_fill(u->question.bytes, head->n_bytes, head->seq);
	head->sum = stream_sum(STREAM_SUM_0, u->question.bytes, head->n_bytes);
	u->repeat_ms = REPEAT_MS;
	send_question(f);
}

/* Whether what came is the question itself, from a server. */
static bool is_echo(const struct flow *f, const struct stream_datagram *answer,
                    const uint8_t *bytes)
{
	const struct stream_datagram *asked = &f->udp.question.head;

	return answer->n_bytes == asked->n_bytes && answer->sum == asked->sum &&
	       stream_sum(STREAM_SUM_0, bytes, answer->n_bytes) == asked->sum;
}

static void receive_udp(struct flow *f, const struct stream_datagram *answer, const uint8_t *bytes)
{
	if (answer->magic != STREAM_MAGIC || answer->id != f->udp.id)
		return;
	if (answer->kind == STREAM_UNKNOWN || (f->n_answers && strcmp(f->backend, answer->name))) {
		memcpy(f->other, answer->name, STREAM_NAME_MAX);
		flow_end(f, answer->kind == STREAM_UNKNOWN ? "reset" : "mixed");
		return;
	}
	if (!f->awaits || answer->seq != flow_number(f))
		return; /* an answer to a repetition */
	loop_timer_cancel(flow_loop(), &f->udp.repeat);
	flow_answered(f, answer->name, is_echo(f, answer, bytes));
}

static void read_answer(struct flow *f)
{
	struct {
		struct stream_datagram head;
		uint8_t bytes[STREAM_DATAGRAM_MAX];
	} in;
	ssize_t n = recv(f->fd, &in, sizeof(in), 0);

	if (n < 0 && errno == ECONNREFUSED)
		flow_end(f, "refused");
	else if (n >= (ssize_t)sizeof(in.head) && (size_t)n == sizeof(in.head) + in.head.n_bytes &&
	         in.head.name[STREAM_NAME_MAX - 1] == 0)
		receive_udp(f, &in.head, in.bytes);
}

static void on_socket(void *arg, int fd, uint32_t events)
{
	struct flow *f = arg;

	(void)fd;
	(void)events;
	if (f->is_connected)
		read_answer(f);
	else
		flow_connected(f);
}

static void forget_udp(struct flow *f)
{
	loop_timer_cancel(flow_loop(), &f->udp.repeat);
}

const struct flow_transport flow_over_udp = { .socket_type = SOCK_DGRAM,
	                                      .protocol = IPPROTO_UDP,
	                                      .on_socket = on_socket,
	                                      .ask = ask_udp,
	                                      .forget = forget_udp };
