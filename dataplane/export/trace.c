/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `weir trace`: what happens to a packet, without sending one. A frame of the flow in question goes
 * through the packet path's own code (fwd_forward()) on the tables in force, so the answer cannot
 * differ from what packets meet. The code writes counters, exceptions and times in cold slots:
 * these tables are copied first, so a trace changes nothing. The steps then say what the verdict
 * was made of. Any thread.
 */
#include "weir/trace.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/tables/mapped.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"
#include "weir/path.h"

#include "weir/fwd/rewrite.h"

#define TRACE_INGRESS 1u /* any interface: add_own_mac() makes the frame's address our own there */
#define ROOM          128u /* bytes before the frame, for outer headers */

static const struct {
	const char *label, *text;
} reasons[FWD_REASON_COUNT] = {
#define REASON(name, kind, label_, text_) [FWD_REASON_##name] = { label_, text_ },
	FWD_REASONS(REASON)
#undef REASON
};

static const struct {
	const char *label, *text;
} events[OWNER_EVENT_COUNT] = {
#define EVENT(name, label_, text_) [OWNER_EVENT_##name] = { label_, text_ },
	OWNER_EVENTS(EVENT)
#undef EVENT
};

static void add_trace_step(struct trace_result *r, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void add_trace_step(struct trace_result *r, const char *name, const char *format, ...)
{
	struct trace_step *s = &r->steps[r->n_steps];
	va_list args;

	if (r->n_steps == TRACE_STEPS_MAX)
		return;
	s->step = name;
	va_start(args, format);
	vsnprintf(s->text, sizeof(s->text), format, args);
	va_end(args);
	r->n_steps++;
}

/* --- reading the question --- */

static int parse_port(const char *text, uint16_t *out)
{
	unsigned n = 0;
	char end;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 5 ||
	    sscanf(text, "%u%c", &n, &end) != 1 || n > UINT16_MAX)
		return -EINVAL;
	*out = (uint16_t)n;
	return 0;
}

/* Parse "ADDRESS:PORT", or "[ADDRESS]:PORT" for IPv6. */
static int parse_endpoint(const char *text, struct addr *addr, uint16_t *port)
{
	char copy[ADDR_LONG_TEXT_MAX + 8];
	size_t n = strlen(text);
	char *colon, *start = copy;

	if (n >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, n + 1);
	colon = strrchr(copy, ':');
	if (!colon || colon == copy)
		return -EINVAL;
	*colon = 0;
	if (copy[0] == '[') {
		if (colon[-1] != ']')
			return -EINVAL;
		colon[-1] = 0;
		start++;
	} else if (strchr(copy, ':')) {
		return -EINVAL; /* IPv6 without brackets: no telling which colon is the port's */
	}
	return addr_parse(start, addr) || parse_port(colon + 1, port) ? -EINVAL : 0;
}

static size_t l3_len(const struct trace_query *q)
{
	return addr_is4(&q->vip) ? FWD_IP4_LEN : FWD_IP6_LEN;
}

static uint16_t headers_len(const struct trace_query *q)
{
	return (uint16_t)(l3_len(q) + (q->protocol == FWD_PROTO_UDP ? FWD_UDP_LEN : FWD_TCP_LEN));
}

int trace_parse(const char *source, const char *destination, struct trace_query *out)
{
	const char *slash = strrchr(destination, '/');
	struct trace_query q = { 0 };
	char vip[ADDR_LONG_TEXT_MAX + 8];

	if (!slash || (size_t)(slash - destination) >= sizeof(vip))
		return -EINVAL;
	memcpy(vip, destination, (size_t)(slash - destination));
	vip[slash - destination] = 0;
	if (!strcmp(slash, "/tcp") || !strcmp(slash, "/tcp:syn"))
		q.protocol = FWD_PROTO_TCP;
	else if (!strcmp(slash, "/udp"))
		q.protocol = FWD_PROTO_UDP;
	else
		return -EINVAL;
	q.syn = !strcmp(slash, "/tcp:syn");
	if (parse_endpoint(source, &q.source, &q.source_port) ||
	    parse_endpoint(vip, &q.vip, &q.vip_port) || addr_is4(&q.source) != addr_is4(&q.vip))
		return -EINVAL;
	q.length = headers_len(&q);
	*out = q;
	return 0;
}

int trace_set_length(struct trace_query *q, long long length)
{
	if (length < headers_len(q) || length > UINT16_MAX)
		return -EINVAL;
	q->length = (uint16_t)length;
	return 0;
}

/* --- making the frame --- */

static void put_transport(uint8_t *at, const struct trace_query *q, uint16_t len)
{
	struct fwd_tcp *tcp = (struct fwd_tcp *)(void *)at;
	struct fwd_udp *udp = (struct fwd_udp *)(void *)at;

	if (q->protocol == FWD_PROTO_UDP) {
		*udp = (struct fwd_udp){ .sport_be = fwd_be16(q->source_port),
			                 .dport_be = fwd_be16(q->vip_port),
			                 .len_be = fwd_be16(len) };
		return;
	}
	*tcp = (struct fwd_tcp){ .sport_be = fwd_be16(q->source_port),
		                 .dport_be = fwd_be16(q->vip_port),
		                 .offset = 5 << 4,
		                 .flags = q->syn ? FWD_TCP_SYN : FWD_TCP_ACK };
}

/* @param frame  zeros, FWD_ETH_LEN + q->length of them */
static void make_frame(uint8_t *frame, const struct trace_query *q)
{
	bool is4 = addr_is4(&q->vip);
	struct fwd_eth *eth = (struct fwd_eth *)(void *)frame;
	struct fwd_ip4 *ip4 = (struct fwd_ip4 *)(void *)(frame + FWD_ETH_LEN);
	struct fwd_ip6 *ip6 = (struct fwd_ip6 *)(void *)(frame + FWD_ETH_LEN);
	uint16_t payload_len = (uint16_t)(q->length - l3_len(q));

	put_transport(frame + FWD_ETH_LEN + l3_len(q), q, payload_len);
	eth->type_be = fwd_be16(is4 ? FWD_ETHERTYPE_IP4 : FWD_ETHERTYPE_IP6);
	if (is4) {
		*ip4 = (struct fwd_ip4){ .version_ihl = 0x45, .ttl = 64, .protocol = q->protocol };
		ip4->len_be = fwd_be16(q->length);
		memcpy(&ip4->src_be, addr_bytes4(&q->source), 4);
		memcpy(&ip4->dst_be, addr_bytes4(&q->vip), 4);
		ip4->sum = fwd_sum_ip4(ip4);
	} else {
		*ip6 = (struct fwd_ip6){ .version_class_flow_be = fwd_be32(6u << 28),
			                 .len_be = fwd_be16(payload_len),
			                 .next = q->protocol,
			                 .hop_limit = 64 };
		memcpy(ip6->src_be, q->source.bytes, 16);
		memcpy(ip6->dst_be, q->vip.bytes, 16);
	}
}

/* --- the tables, with copies of those that the code writes --- */

struct copies {
	struct fwd_tables t;
	struct fwd_cpu cpu;
	struct fwd_root root;
};

/*
 * The question is about a packet, not about its frame: the frame's MAC address, zeros, counts as
 * our own.
 */
static void add_own_mac(struct copies *c)
{
	c->root = *c->t.root;
	c->root.macs[0] = fwd_mac_word(0, TRACE_INGRESS);
	c->t.root = &c->root;
	c->t.ingress = TRACE_INGRESS;
}

static int make_copies(const struct fwd_tables *tables, struct copies *c)
{
	c->t = *tables;
	fwd_tables_count_apart(&c->t, &c->cpu);
	add_own_mac(c);
	c->t.colds = malloc((tables->n_colds ? tables->n_colds : 1) * sizeof(*c->t.colds));
	c->t.exceptions = malloc((tables->n_exceptions ? tables->n_exceptions : 1) *
	                         sizeof(*c->t.exceptions));
	if (!c->t.colds || !c->t.exceptions)
		return -ENOMEM;
	memcpy(c->t.colds, tables->colds, tables->n_colds * sizeof(*c->t.colds));
	memcpy(c->t.exceptions, tables->exceptions,
	       tables->n_exceptions * sizeof(*c->t.exceptions));
	return 0;
}

/* --- saying what happened --- */

static struct addr addr_of(const union fwd_addr *a)
{
	struct addr out;

	memcpy(out.bytes, a->bytes, sizeof(out.bytes));
	return out;
}

/*
 * Stops where the code itself stopped: a packet that is dropped before the look-up has no slot.
 */
static void add_slot_steps(const struct fwd_tables *t, const struct fwd_verdict *v,
                           struct trace_result *r)
{
	const struct fwd_pool *pool = fwd_port_pool(t, v->service->pool);
	const struct fwd_slots *block = fwd_port_slots(t, v->slot);
	uint16_t hot;

	if (v->service->pool == FWD_POOL_NONE || !pool) {
		add_trace_step(r, "pool", "the service has no pool here");
		return;
	}
	r->pool = v->service->pool;
	r->hash = v->hash;
	if (!block || v->reason == FWD_REASON_LOOP || v->reason == FWD_REASON_TTL)
		return;
	r->slot = v->slot - (v->service->range & FWD_RANGE_FIRST);
	hot = block->slot[v->slot % FWD_SLOTS_PER_BLOCK];
	r->settled = !(hot & FWD_SLOT_UNSETTLED);
	add_trace_step(r, "pool", "pool %u, %u slots from %llu on, hash by %s", r->pool,
	               1u << (v->service->range & FWD_RANGE_LOG2),
	               (unsigned long long)(v->service->range & FWD_RANGE_FIRST),
	               v->service->flags & FWD_SERVICE_HASH_SOURCE ? "source address" : "flow");
	add_trace_step(r, "slot", "hash %016llx: slot %u, current owner backend %u%s",
	               (unsigned long long)v->hash, r->slot, hot & FWD_SLOT_BACKEND,
	               r->settled ? "" : ", unsettled");
	if (r->settled)
		return;
	r->remembered = v->event == OWNER_EVENT_FOLLOWED || v->event == OWNER_EVENT_CONFIRMED;
	add_trace_step(r, "owner", "%s: %s; backend %u", events[v->event].label,
	               events[v->event].text, v->backend_index);
}

static const char *const encaps[] = {
	[FWD_ENCAP_IPIP] = "IPIP", [FWD_ENCAP_GUE] = "GUE", [FWD_ENCAP_L2] = "layer 2"
};

static void add_backend_step(const struct fwd_verdict *v, struct trace_result *r)
{
	const struct fwd_backend *b = v->backend;
	char text[ADDR_TEXT_MAX];

	if (!b)
		return;
	r->backend = addr_of(&b->address);
	r->backend_id = b->id;
	add_trace_step(r, "backend", "backend %u at %s by %s, packets up to %u bytes%s%s",
	               v->backend_index, addr_text(&r->backend, text), encaps[b->encap % 3],
	               b->inner_mtu, b->flags & FWD_BACKEND_DEAD ? ", out of force" : "",
	               b->flags & FWD_BACKEND_NO_NEXT_HOP ? ", no next hop" : "");
}

/* The addresses are read from the frame that the code has made, not worked out again. */
static void add_rewrite_step(const struct fwd_packet *packet, const struct fwd_verdict *v,
                             struct trace_result *r)
{
	const struct fwd_backend *b = v->backend;
	const uint8_t *l3 = packet->data + fwd_eth_len(b);
	bool is4 = fwd_addr_is4(&b->address);
	char source[ADDR_TEXT_MAX], to[ADDR_TEXT_MAX];

	r->ifindex = b->ifindex;
	if (b->encap == FWD_ENCAP_L2) {
		add_trace_step(
		        r, "rewrite",
		        "unchanged, %td bytes by interface %u%s to %02x:%02x:%02x:%02x:%02x:%02x",
		        packet->end - packet->data, b->ifindex, b->vlan ? " tagged" : "",
		        b->mac_to[0], b->mac_to[1], b->mac_to[2], b->mac_to[3], b->mac_to[4],
		        b->mac_to[5]);
		return;
	}
	r->outer_source = is4 ? addr_from4(l3 + 12) : addr_from6(l3 + 8);
	add_trace_step(
	        r, "rewrite",
	        "outer %s to %s, %td bytes by interface %u%s to %02x:%02x:%02x:%02x:%02x:%02x",
	        addr_text(&r->outer_source, source), addr_text(&r->backend, to),
	        packet->end - packet->data, b->ifindex, b->vlan ? " tagged" : "", b->mac_to[0],
	        b->mac_to[1], b->mac_to[2], b->mac_to[3], b->mac_to[4], b->mac_to[5]);
}

static const char *action_of(enum fwd_reason reason)
{
	if (reason == FWD_REASON_ECHO_REPLIED || reason == FWD_REASON_TOO_BIG_ANSWERED)
		return "answer";
	switch (fwd_reason_kind(reason)) {
	case FWD_KIND_TX:
		return "forward";
	case FWD_KIND_PASS:
		return "pass";
	default:
		return "drop";
	}
}

/* The steps in the order of the packet path: parse, service, slot, backend, rewrite. */
static void add_trace_steps(const struct fwd_tables *t, const struct fwd_packet *packet,
                            const struct trace_query *q, const struct fwd_verdict *v,
                            struct trace_result *r)
{
	char source[ADDR_TEXT_MAX], vip[ADDR_TEXT_MAX];

	add_trace_step(r, "parse", "%s%s of %u bytes from %s port %u to %s port %u",
	               q->protocol == FWD_PROTO_TCP ? "TCP" : "UDP", q->syn ? " SYN" : "",
	               q->length, addr_text(&q->source, source), q->source_port,
	               addr_text(&q->vip, vip), q->vip_port);
	if (v->service) {
		add_trace_step(r, "service", "port %u/%s of %s is a service (counter %u)",
		               q->vip_port, q->protocol == FWD_PROTO_TCP ? "tcp" : "udp", vip,
		               v->service->count);
		add_slot_steps(t, v, r);
		add_backend_step(v, r);
	} else {
		add_trace_step(r, "service",
		               v->reason == FWD_REASON_NOT_OURS
		                       ? "%s is no VIP of this node"
		                       : "%s is a VIP, but has no such service",
		               vip);
	}
	r->action = action_of(v->reason);
	r->reason = reasons[v->reason].label;
	if (v->reason == FWD_REASON_FORWARDED)
		add_rewrite_step(packet, v, r);
	add_trace_step(r, "verdict", "%s: %s", r->action, reasons[v->reason].text);
}

uint32_t trace_now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint32_t)now.tv_sec;
}

int trace_run(const struct fwd_tables *tables, const struct trace_query *q, uint32_t now_s,
              struct trace_result *out)
{
	struct trace_result r = { .slot = ~0u, .pool = ~0u };
	struct copies c = { 0 };
	struct fwd_verdict v = { 0 };
	uint8_t *buffer = calloc(1, ROOM + 2 + FWD_ETH_LEN + q->length);
	int err = buffer ? make_copies(tables, &c) : -ENOMEM;

	if (!err) {
		uint8_t *frame = buffer + ROOM + 2; /* IP headers aligned */
		struct fwd_packet packet = { frame, frame + FWD_ETH_LEN + q->length, buffer };

		make_frame(frame, q);
		c.t.now_s = now_s;
		path_forward(&c.t, &packet, &v);
		add_trace_steps(tables, &packet, q, &v, &r);
		*out = r;
	}
	free(buffer);
	free(c.t.colds);
	free(c.t.exceptions);
	return err;
}

int trace_pinned(const char *dir, const struct trace_query *q, struct trace_result *out,
                 char *err_text, size_t err_text_size)
{
	struct driver_reason reason;
	struct mapped m;
	int err = mapped_open(dir, &m, &reason);

	if (err) {
		snprintf(err_text, err_text_size, "%s", reason.text);
		return err;
	}
	err = trace_run(&m.tables, q, trace_now_s(), out);
	if (err)
		snprintf(err_text, err_text_size, "%s", strerror(-err));
	mapped_close(&m);
	return err;
}
