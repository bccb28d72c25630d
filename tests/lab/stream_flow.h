/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lab-stream inside: stream.c keeps flows at a number, and asks each again and again; how a question is put and its
 * answer read is the transport's, stream_tcp.c's or stream_udp.c's.
 */
#ifndef WEIR_TESTS_LAB_STREAM_FLOW_H
#define WEIR_TESTS_LAB_STREAM_FLOW_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "tests/lab/stream.h"

#define FLOW_STALL_MS 3000u /* without an answer for so long, a flow is broken */

enum flow_kind { FLOW_ACTIVE, FLOW_IDLE, FLOW_SHORT };

/* An answer that is coming in. */
struct flow_tcp {
	struct stream_answer answer;
	size_t head_bytes, more_bytes;
	uint64_t sum;
};

/* A question that waits for its answer. */
struct flow_udp {
	uint64_t id;
	struct loop_timer repeat;
	uint32_t repeat_ms;
	struct {
		struct stream_datagram head;
		uint8_t bytes[STREAM_DATAGRAM_MAX - sizeof(struct stream_datagram)];
	} question;
};

struct flow {
	struct flow *next, *before;
	int fd;
	enum flow_kind kind;
	struct addr source, target;
	uint16_t port, to_port;
	int64_t start_ms, end_ms;
	struct loop_timer timer; /* a stall while an answer is awaited, else the next question */
	bool is_connected, awaits;
	uint32_t seq, n_answers;
	char backend[STREAM_NAME_MAX + 1];
	char other[STREAM_NAME_MAX + 1]; /* another one that answered in the end */
	union {
		struct flow_tcp tcp;
		struct flow_udp udp;
	};
};

struct flow_transport {
	int socket_type;
	uint8_t protocol;
	loop_fd_cb *on_socket;       /* arg: the flow; writable once, when it is connected */
	void (*ask)(struct flow *f); /* put question seq; flow_answered() or flow_end() follows */
	void (*forget)(struct flow *f); /* the flow ends */
};

extern const struct flow_transport flow_over_tcp, flow_over_udp;

/* For transports. */
struct loop *flow_loop(void);
uint32_t flow_below(uint32_t n);
/* What answer @p seq of a flow is known by on both sides. */
uint32_t flow_number(const struct flow *f);
/* The flow is there: ask. */
void flow_connected(struct flow *f);
/* The question was answered, by @p name, with what was asked for or not. */
void flow_answered(struct flow *f, const char *name, bool is_right);
/* It is over, and the log says how. @p f is gone then. */
void flow_end(struct flow *f, const char *result);

#endif
