/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The port for XDP: tables as memory-mapped array maps, whose look-ups the kernel inlines.
 *
 * The loader sets the sizes (max_entries); an index beyond them finds NULL. The maps are also
 * the interface to user space: bpf/xdp_set.c pins them and maps them into memory.
 *
 * Rare work is done in *global functions* (noinline, weak): FWD_SLOW in types.h says why, and
 * packet.h lists all that is done for the verifier. A global function here takes numbers and the
 * context, from which it derives its pointers again.
 */
#ifndef WEIR_BPF_PORT_H
#define WEIR_BPF_PORT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "weir/fwd/ingress.h"
#include "weir/fwd/owner.h"
#include "weir/fwd/port.h"
#include "weir/fwd/sample.h"
#include "weir/fwd/too_big.h"
#include "weir/fwd/tunnel_error.h"

/** The maps are the tables. The CPU, whose counters are added to, is asked for once a packet. */
struct fwd_tables {
	uint32_t cpu;
};

/** A map NAME; its number of elements is set before the program is loaded. */
#define TABLE_MAP(NAME, ELEMENT, COUNT)                                                            \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, ELEMENT);                                                            \
	} NAME SEC(".maps");

/** The root, as the one element of the map ".data.root": read without a look-up. */
struct fwd_root root SEC(".data.root");

FWD_TABLES(TABLE_MAP)

/** Our ports by interface index. 64 leaves room beyond DRIVER_PORTS_MAX, as indexes change. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

/** A global function can take no pointer to the stack, and needs none: maps are global, too. */
FWD_INLINE uint64_t fwd_tables_number(const struct fwd_tables *t)
{
	(void)t;
	return 0;
}

FWD_INLINE const struct fwd_tables *fwd_tables_of(uint64_t number)
{
	(void)number;
	return NULL;
}

FWD_INLINE const struct fwd_root *fwd_port_root(const struct fwd_tables *t)
{
	(void)t;
	return &root;
}

FWD_INLINE const struct fwd_service *fwd_port_service(const struct fwd_tables *t, uint32_t i)
{
	(void)t;
	return bpf_map_lookup_elem(&services, &i);
}

FWD_INLINE const struct fwd_pool *fwd_port_pool(const struct fwd_tables *t, uint32_t i)
{
	(void)t;
	return bpf_map_lookup_elem(&pools, &i);
}

FWD_INLINE struct fwd_slots *fwd_port_slots(const struct fwd_tables *t, uint32_t slot)
{
	__u32 i = slot / FWD_SLOTS_PER_BLOCK;

	(void)t;
	return bpf_map_lookup_elem(&slots, &i);
}

FWD_INLINE struct owner_cold *fwd_port_cold(const struct fwd_tables *t, uint32_t slot)
{
	(void)t;
	return bpf_map_lookup_elem(&colds, &slot);
}

FWD_INLINE const struct fwd_backend *fwd_port_backend(const struct fwd_tables *t, uint32_t i)
{
	(void)t;
	return bpf_map_lookup_elem(&backends, &i);
}

FWD_INLINE uint16_t *fwd_port_learned_mtu(const struct fwd_tables *t, uint32_t backend)
{
	struct fwd_backend *b = bpf_map_lookup_elem(&backends, &backend);

	(void)t;
	return b ? &b->learned_mtu : NULL;
}

FWD_INLINE const struct fwd_destinations *fwd_port_destinations(const struct fwd_tables *t,
                                                                uint32_t bucket)
{
	(void)t;
	return bpf_map_lookup_elem(&destinations, &bucket);
}

FWD_INLINE struct fwd_exceptions *fwd_port_exceptions(const struct fwd_tables *t, uint32_t bucket)
{
	(void)t;
	return bpf_map_lookup_elem(&exceptions, &bucket);
}

FWD_INLINE struct fwd_fragments *fwd_port_fragments(const struct fwd_tables *t, uint32_t bucket)
{
	(void)t;
	return bpf_map_lookup_elem(&fragments, &bucket);
}

FWD_INLINE const struct fwd_own_macs *fwd_port_macs(const struct fwd_tables *t, uint32_t bucket)
{
	(void)t;
	return bpf_map_lookup_elem(&macs, &bucket);
}

FWD_INLINE uint32_t fwd_port_ingress(const struct fwd_tables *t, const struct fwd_packet *packet)
{
	const struct xdp_md *ctx = packet->room;

	(void)t;
	return ctx->ingress_ifindex;
}

FWD_INLINE uint32_t fwd_port_now_s(const struct fwd_tables *t, const struct fwd_root *r)
{
	(void)t;
	return (uint32_t)((bpf_jiffies64() - r->tick_base) * r->tick_scale >> 32);
}

FWD_INLINE struct fwd_cpu *fwd_port_cpu(const struct fwd_tables *t)
{
	return bpf_map_lookup_elem(&cpus, &t->cpu);
}

FWD_INLINE struct fwd_count *fwd_port_service_count(const struct fwd_tables *t, uint32_t n,
                                                    uint32_t i)
{
	__u32 at = t->cpu * n + i;

	return bpf_map_lookup_elem(&service_counts, &at);
}

FWD_INLINE struct fwd_count *fwd_port_backend_count(const struct fwd_tables *t, uint32_t n,
                                                    uint32_t i)
{
	__u32 at = t->cpu * n + i;

	return bpf_map_lookup_elem(&backend_counts, &at);
}

FWD_INLINE struct fwd_count *fwd_port_service_news(const struct fwd_tables *t, uint32_t n,
                                                   uint32_t i)
{
	__u32 at = t->cpu * n + i;

	return bpf_map_lookup_elem(&service_news, &at);
}

FWD_INLINE struct fwd_count *fwd_port_backend_news(const struct fwd_tables *t, uint32_t n,
                                                   uint32_t i)
{
	__u32 at = t->cpu * n + i;

	return bpf_map_lookup_elem(&backend_news, &at);
}

FWD_INLINE struct fwd_sample_count *fwd_port_sample_count(const struct fwd_tables *t, uint32_t n,
                                                          uint32_t i)
{
	__u32 at = t->cpu * n + i;

	return bpf_map_lookup_elem(&sample_counts, &at);
}

FWD_INLINE struct fwd_samples *fwd_port_samples(const struct fwd_tables *t, uint32_t bucket)
{
	(void)t;
	return bpf_map_lookup_elem(&samples, &bucket);
}

FWD_INLINE const struct fwd_drill *fwd_port_drill(const struct fwd_tables *t, uint32_t i)
{
	(void)t;
	return bpf_map_lookup_elem(&drills, &i);
}

FWD_INLINE struct fwd_drill_count *fwd_port_drill_count(const struct fwd_tables *t, uint32_t i)
{
	/* asked in a function of numbers alone, which has no tables */
	__u32 at = bpf_get_smp_processor_id() * FWD_DRILLS_MAX + i;

	(void)t;
	return bpf_map_lookup_elem(&drill_counts, &at);
}

FWD_INLINE void fwd_port_again(struct fwd_packet *packet)
{
	struct xdp_md *ctx = packet->room;

	packet->data = (uint8_t *)(long)ctx->data;
	packet->end = (uint8_t *)(long)ctx->data_end;
}

FWD_INLINE bool fwd_port_grow(struct fwd_packet *packet, int32_t n)
{
	struct xdp_md *ctx = packet->room;

	if (bpf_xdp_adjust_head(ctx, -n))
		return false;
	fwd_port_again(packet);
	return true;
}

FWD_INLINE bool fwd_port_cut(struct fwd_packet *packet, uint32_t len)
{
	struct xdp_md *ctx = packet->room;
	uint32_t has = (uint32_t)(packet->end - packet->data);

	if (has < len || bpf_xdp_adjust_tail(ctx, (int)(len - has)))
		return false;
	fwd_port_again(packet);
	return true;
}

/** A global function: it reads the frame from its context. */
FWD_SLOW int weir_answer_too_big(struct xdp_md *ctx, uint32_t l3_off, uint32_t l3_len, uint32_t is4,
                                 uint32_t inner_mtu)
{
	struct fwd_packet packet = { (uint8_t *)(long)ctx->data, (uint8_t *)(long)ctx->data_end,
		                     ctx };

	return (int)fwd_answer_too_big(&packet, l3_off, l3_len, is4, inner_mtu);
}

FWD_INLINE uint32_t fwd_port_answer_too_big(struct fwd_packet *packet, uint32_t l3_off,
                                            uint32_t l3_len, bool is4, uint32_t inner_mtu)
{
	return (uint32_t)weir_answer_too_big(packet->room, l3_off, l3_len, is4, inner_mtu);
}

/** As weir_answer_too_big(): a function of its own. */
FWD_SLOW int weir_has_source_route(struct xdp_md *ctx, uint32_t off, uint32_t len)
{
	const struct fwd_packet packet = { (uint8_t *)(long)ctx->data,
		                           (uint8_t *)(long)ctx->data_end, ctx };

	return fwd_has_source_route(&packet, off, len);
}

FWD_INLINE bool fwd_port_has_source_route(const struct fwd_packet *packet, uint32_t off,
                                          uint32_t len)
{
	return weir_has_source_route(packet->room, off, len);
}

/** As weir_answer_too_big(): a function of its own. */
FWD_SLOW int weir_is_zero(struct xdp_md *ctx, uint32_t off, uint32_t len)
{
	const struct fwd_packet packet = { (uint8_t *)(long)ctx->data,
		                           (uint8_t *)(long)ctx->data_end, ctx };

	return fwd_is_zero(&packet, off, len);
}

FWD_INLINE bool fwd_port_is_zero(const struct fwd_packet *packet, uint32_t off, uint32_t len)
{
	return weir_is_zero(packet->room, off, len);
}

/** As weir_answer_too_big(): a function of its own, which asks for the CPU again. */
FWD_SLOW int weir_sample(struct xdp_md *ctx, uint64_t hash, uint64_t where, uint32_t service)
{
	const struct fwd_packet packet = { (uint8_t *)(long)ctx->data,
		                           (uint8_t *)(long)ctx->data_end, ctx };
	const struct fwd_tables t = { .cpu = bpf_get_smp_processor_id() };

	fwd_sample_frame(&t, &root, &packet, hash, where, service);
	return 0;
}

FWD_INLINE void fwd_port_sample(const struct fwd_tables *t, const struct fwd_root *r,
                                const struct fwd_packet *packet, uint64_t hash, uint64_t where,
                                uint32_t service)
{
	(void)t;
	(void)r;
	weir_sample(packet->room, hash, where, service);
}

/** As weir_answer_too_big(): a function of its own. */
FWD_SLOW int weir_tunnel_error(struct xdp_md *ctx, uint32_t l3_off, uint32_t l4_off,
                               uint32_t l3_len, uint32_t is4)
{
	const struct fwd_packet packet = { (uint8_t *)(long)ctx->data,
		                           (uint8_t *)(long)ctx->data_end, ctx };

	return (int)fwd_tunnel_error(NULL, &root, &packet, l3_off, l4_off, l3_len, is4);
}

FWD_INLINE uint32_t fwd_port_tunnel_error(const struct fwd_tables *t,
                                          const struct fwd_packet *packet, uint32_t l3_off,
                                          uint32_t l4_off, uint32_t l3_len, bool is4)
{
	(void)t;
	return (uint32_t)weir_tunnel_error(packet->room, l3_off, l4_off, l3_len, is4);
}

#endif
