/* SPDX-License-Identifier: BSD-2-Clause */
#include "diff/sequence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff/stage.h"
#include "diff/dpdk.h"
#include "weir/fwd/packet.h"
#include "weir/trace.h"

#define CLIENTS      (3 * STAGE_EXCEPTIONS)
#define ENDPOINT_MAX 64

enum phase { FREE, CONNECTING, OPEN, CLOSING };

/** A flow and how far it is. */
struct client {
	struct flow flow;
	enum phase phase;
	uint32_t seq;
	uint32_t earlier_seq; /**< of the flow before, maybe with the same ports */
};

static void draw_flow(struct flow *flow, struct random *r)
{
	static const uint16_t tcp[] = { 443, 443, 82, 85, 85, 81, 84, 80 },
	                      udp[] = { 4433, 53, 83, 86 };

	flow->is4 = random_below(r, 2);
	flow->protocol = random_below(r, 4) ? FWD_PROTO_TCP : FWD_PROTO_UDP;
	generate_flow(flow, r);
	flow->dport =
	        flow->protocol == FWD_PROTO_TCP ? tcp[random_below(r, 8)] : udp[random_below(r, 4)];
}

/** A new flow; often with the ports of the one before. */
static void begin_flow(struct client *c, struct random *r)
{
	if (!c->flow.client || random_below(r, 2))
		draw_flow(&c->flow, r);
	c->earlier_seq = c->seq;
	c->seq = (uint32_t)random_next(r);
	c->phase = CONNECTING;
}

/** The flags of the client's next segment; it is in its next phase afterwards. */
static uint8_t next_segment(struct client *c, struct random *r)
{
	uint32_t which = random_below(r, 16);

	if (c->phase == CONNECTING) {
		if (which < 8)
			return FWD_TCP_SYN; /* the first, or again */
		c->phase = OPEN;
		c->seq++;
		return FWD_TCP_ACK;
	}
	if (c->phase == CLOSING) {
		c->phase = which < 4 ? FREE : CLOSING;
		return FWD_TCP_ACK;
	}
	if (which == 0) {
		c->phase = CLOSING;
		return FWD_TCP_FIN | FWD_TCP_ACK;
	}
	if (which == 1) {
		c->phase = random_below(r, 2) ? FREE : OPEN; /* maybe another's forgery */
		return FWD_TCP_RST;
	}
	c->seq += random_below(r, 1400);
	return FWD_TCP_ACK;
}

static void send_one(struct diff *d, struct client *c)
{
	struct random *r = &d->random;
	struct frame f;

	if (c->phase == FREE)
		begin_flow(c, r);
	if (random_below(r, 16) == 0) {
		generate_quoting(&f, &c->flow, r);
	} else if (c->flow.protocol == FWD_PROTO_UDP) {
		c->phase = random_below(r, 32) ? OPEN : FREE;
		generate_segment(&f, &c->flow, 0, 0, r);
	} else if (random_below(r, 16) == 0) { /* late, of the flow before */
		generate_segment(&f, &c->flow, random_below(r, 4) ? FWD_TCP_ACK : FWD_TCP_RST,
		                 c->earlier_seq, r);
	} else {
		uint8_t flags = next_segment(c, r);

		generate_segment(&f, &c->flow, flags, c->seq, r);
	}
	diff_frame(d, &f);
}

/** Changes are far between or close upon one another; a restart or a long rest is rare. */
static void change_stage(struct diff *d, struct stage *s)
{
	static const enum stage_change often[] = { STAGE_MEMBERS, STAGE_MEMBERS, STAGE_MEMBERS,
		                                   STAGE_DEATH,   STAGE_DEATH,   STAGE_DISABLED,
		                                   STAGE_HOP,     STAGE_HOP };
	struct random *r = &d->random;

	do
		stage_change(s, random_below(r, 32) ? often[random_below(r, 8)] : STAGE_RESTART);
	while (random_below(r, 3) == 0);
}

/** More new flows at one instant than there is room to remember. */
static void flood_flows(struct diff *d)
{
	struct client c = { .phase = FREE };

	for (uint32_t i = 0; i < 2 * STAGE_EXCEPTIONS; i++) {
		begin_flow(&c, &d->random);
		send_one(d, &c);
	}
}

static const char *print_endpoint(const struct addr *a, uint16_t port, char out[ENDPOINT_MAX])
{
	char text[ADDR_TEXT_MAX];

	snprintf(out, ENDPOINT_MAX, addr_is4(a) ? "%s:%u" : "[%s]:%u", addr_text(a, text), port);
	return out;
}

/** The process, asked the same over its control socket, says the same, word for word. */
static void ask_dpdk(const struct diff *d, const struct trace_query *q,
                     const struct trace_result *r)
{
	char source[ENDPOINT_MAX], vip[ENDPOINT_MAX], line[4 * ENDPOINT_MAX], *expected, *said;

	snprintf(line, sizeof(line),
	         "{\"do\":\"trace\",\"source\":\"%s\",\"destination\":\"%s/%s%s\",\"length\":%u}",
	         print_endpoint(&q->source, q->source_port, source),
	         print_endpoint(&q->vip, q->vip_port, vip),
	         q->protocol == FWD_PROTO_TCP ? "tcp" : "udp", q->syn ? ":syn" : "", q->length);
	expected = trace_json(q, r);
	said = dpdk_ask(d->dpdk, line);
	if (!expected || !said || strcmp(said, expected) != 0) {
		printf("the process's trace is\n%s\nof what is\n%s\n", said ? said : "none",
		       expected);
		exit(1);
	}
	free(said);
	free(expected);
}

/** The flow's packet as `weir trace` makes one: of @p length bytes, all zeros behind its headers. */
static void ask_trace(const struct diff *d, const struct frame *f, const struct client *c, bool syn,
                      struct trace_result *out)
{
	const uint8_t *l3 = f->bytes + FWD_ETH_LEN;
	struct trace_query q = { .source = c->flow.is4 ? addr_from4(l3 + 12) : addr_from6(l3 + 8),
		                 .vip = c->flow.is4 ? addr_from4(l3 + 16) : addr_from6(l3 + 24),
		                 .source_port = c->flow.sport,
		                 .vip_port = c->flow.dport,
		                 .protocol = c->flow.protocol,
		                 .syn = syn };

	if (trace_set_length(&q, (long long)(f->len - FWD_ETH_LEN)) ||
	    trace_run(&d->native.t, &q, d->now_s, out)) {
		fprintf(stderr, "weir-diff: no trace\n");
		exit(2);
	}
	if (d->dpdk)
		ask_dpdk(d, &q, out);
}

/** Before a packet of a flow, what weir trace says of it: it must come so. */
static void trace_one(struct diff *d, const struct client *c)
{
	bool syn = c->phase == CONNECTING && c->flow.protocol == FWD_PROTO_TCP;
	struct trace_result traced = { 0 };
	struct frame f;
	uint64_t id;

	diff_flush(d);
	generate_segment(&f, &c->flow, syn ? FWD_TCP_SYN : FWD_TCP_ACK, 0, &d->random);
	ask_trace(d, &f, c, syn, &traced);
	diff_alone(d, &f);
	id = d->last.backend ? d->last.backend->id : 0;
	if (!strcmp(traced.reason, diff_reason_label(d->last.reason)) && traced.backend_id == id)
		return;
	printf("trace says %s, backend %016llx, of what is %s, backend %016llx\n", traced.reason,
	       (unsigned long long)traced.backend_id, diff_reason_label(d->last.reason),
	       (unsigned long long)id);
	d->failed++;
	d->before++; /* no frame's */
}

/** A router on the way to a backend has something to say. */
static void tunnel_error(struct diff *d, const struct stage *s)
{
	struct addr backend;
	bool is_gue = stage_backend(s, &d->random, &backend), is4 = addr_is4(&backend);
	struct frame f;

	generate_tunnel_error(&f, is4, backend.bytes + (is4 ? 12 : 0), is_gue, &d->random);
	diff_frame(d, &f);
}

void sequences(struct diff *d, unsigned long count)
{
	/* Mostly a moment; some end an entry but not another, one all of them. */
	static const uint32_t rests_ms[32] = {
		80000, 20000, 20000, 20000, 20000, [5 ... 31] = 2000
	};
	static struct client clients[CLIENTS];
	struct random *r = &d->random;
	struct stage *s = stage_open(d);
	struct frame f;

	while (d->offered < count) {
		uint32_t what = random_below(r, 256);
		struct client *c = &clients[random_below(r, CLIENTS)];

		if (what < 4)
			change_stage(d, s);
		else if (what < 16)
			stage_pass_time(s, 1 + random_below(r, rests_ms[random_below(r, 32)]));
		else if (what == 16)
			flood_flows(d);
		if (what == 17 && c->phase != FREE) {
			trace_one(d, c);
		} else if (what == 18) {
			tunnel_error(d, s);
		} else if (what % 16) {
			send_one(d, c);
		} else {
			generate_random(&f, r);
			diff_frame(d, &f);
		}
	}
	diff_flush(d);
	if (count >= DIFF_MANY)
		diff_check_events(d);
	stage_close(s);
}
