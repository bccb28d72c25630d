/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The port in user space: tables as arrays in memory (mapped from the driver, or own).
 *
 * Include this before the headers of the decision. The caller of the decision gives each
 * thread its own copy of struct fwd_tables with its own `cpu`.
 */
#ifndef WEIR_FWD_USER_H
#define WEIR_FWD_USER_H

#include "weir/fwd/ingress.h"
#include "weir/fwd/owner.h"
#include "weir/fwd/port.h"
#include "weir/fwd/sample.h"
#include "weir/fwd/too_big.h"
#include "weir/fwd/tunnel_error.h"

#define FWD_TABLE_ARRAY_(name, element, count) element *name;
#define FWD_TABLE_N_(name, element, count)     uint32_t n_##name;

/**
 * Where the arrays are and how many elements each has; borrowed. Each NAME of FWD_TABLES (tables.h)
 * is a pointer here, with n_NAME elements (services: both halves; slots: blocks).
 */
struct fwd_tables {
	struct fwd_root *root; /**< never NULL */
	FWD_TABLES(FWD_TABLE_ARRAY_)
	FWD_TABLES(FWD_TABLE_N_)
	uint32_t cpu;     /**< whose counters this user of the tables adds to */
	uint32_t ingress; /**< the port that the frames come in by; a burst has its own */
	uint32_t now_s;   /**< the time, which this user keeps: seconds of CLOCK_MONOTONIC */
};
#undef FWD_TABLE_ARRAY_
#undef FWD_TABLE_N_

/**
 * Let packets of a copy of the tables count in @p cpu, and neither count nor be sampled for their service
 * and backend.
 */
FWD_INLINE void fwd_tables_count_apart(struct fwd_tables *copy, struct fwd_cpu *cpu)
{
	copy->cpus = cpu;
	copy->n_cpus = 1;
	copy->cpu = 0;
	copy->n_service_counts = copy->n_backend_counts = 0;
	copy->n_service_news = copy->n_backend_news = 0;
	copy->n_sample_counts = copy->n_samples = 0;
	copy->n_drill_counts = 0;
}

/** An element of an array that there is: spares the caller's test of what was just tested. */
FWD_INLINE void *fwd_there(void *element)
{
	if (!element)
		__builtin_unreachable();
	return element;
}

FWD_INLINE uint64_t fwd_tables_number(const struct fwd_tables *t)
{
	return (uintptr_t)t;
}

FWD_INLINE const struct fwd_tables *fwd_tables_of(uint64_t number)
{
	return (const struct fwd_tables *)(uintptr_t)number;
}

FWD_INLINE const struct fwd_root *fwd_port_root(const struct fwd_tables *t)
{
	return t->root;
}

FWD_INLINE const struct fwd_service *fwd_port_service(const struct fwd_tables *t, uint32_t i)
{
	return i < t->n_services ? fwd_there(&t->services[i]) : NULL;
}

FWD_INLINE const struct fwd_pool *fwd_port_pool(const struct fwd_tables *t, uint32_t i)
{
	return i < t->n_pools ? fwd_there(&t->pools[i]) : NULL;
}

FWD_INLINE struct fwd_slots *fwd_port_slots(const struct fwd_tables *t, uint32_t slot)
{
	uint32_t i = slot / FWD_SLOTS_PER_BLOCK;

	return i < t->n_slots ? fwd_there(&t->slots[i]) : NULL;
}

FWD_INLINE struct owner_cold *fwd_port_cold(const struct fwd_tables *t, uint32_t slot)
{
	return slot < t->n_colds ? fwd_there(&t->colds[slot]) : NULL;
}

FWD_INLINE const struct fwd_backend *fwd_port_backend(const struct fwd_tables *t, uint32_t i)
{
	return i < t->n_backends ? fwd_there(&t->backends[i]) : NULL;
}

FWD_INLINE uint16_t *fwd_port_learned_mtu(const struct fwd_tables *t, uint32_t backend)
{
	return backend < t->n_backends ? &t->backends[backend].learned_mtu : NULL;
}

FWD_INLINE const struct fwd_destinations *fwd_port_destinations(const struct fwd_tables *t,
                                                                uint32_t bucket)
{
	return bucket < t->n_destinations ? fwd_there(&t->destinations[bucket]) : NULL;
}

FWD_INLINE struct fwd_exceptions *fwd_port_exceptions(const struct fwd_tables *t, uint32_t bucket)
{
	return bucket < t->n_exceptions ? fwd_there(&t->exceptions[bucket]) : NULL;
}

FWD_INLINE struct fwd_fragments *fwd_port_fragments(const struct fwd_tables *t, uint32_t bucket)
{
	return bucket < t->n_fragments ? fwd_there(&t->fragments[bucket]) : NULL;
}

FWD_INLINE const struct fwd_own_macs *fwd_port_macs(const struct fwd_tables *t, uint32_t bucket)
{
	return bucket < t->n_macs ? fwd_there(&t->macs[bucket]) : NULL;
}

FWD_INLINE uint32_t fwd_port_ingress(const struct fwd_tables *t, const struct fwd_packet *packet)
{
	(void)packet;
	return t->ingress;
}

FWD_INLINE uint32_t fwd_port_now_s(const struct fwd_tables *t, const struct fwd_root *root)
{
	(void)root;
	return t->now_s;
}

FWD_INLINE struct fwd_cpu *fwd_port_cpu(const struct fwd_tables *t)
{
	return t->cpu < t->n_cpus ? &t->cpus[t->cpu] : NULL;
}

FWD_INLINE struct fwd_count *fwd_port_service_count(const struct fwd_tables *t, uint32_t n,
                                                    uint32_t i)
{
	uint32_t at = t->cpu * n + i;

	return at < t->n_service_counts ? fwd_there(&t->service_counts[at]) : NULL;
}

FWD_INLINE struct fwd_count *fwd_port_backend_count(const struct fwd_tables *t, uint32_t n,
                                                    uint32_t i)
{
	uint32_t at = t->cpu * n + i;

	return at < t->n_backend_counts ? fwd_there(&t->backend_counts[at]) : NULL;
}

FWD_INLINE struct fwd_count *fwd_port_service_news(const struct fwd_tables *t, uint32_t n,
                                                   uint32_t i)
{
	uint32_t at = t->cpu * n + i;

	return at < t->n_service_news ? fwd_there(&t->service_news[at]) : NULL;
}

FWD_INLINE struct fwd_count *fwd_port_backend_news(const struct fwd_tables *t, uint32_t n,
                                                   uint32_t i)
{
	uint32_t at = t->cpu * n + i;

	return at < t->n_backend_news ? fwd_there(&t->backend_news[at]) : NULL;
}

FWD_INLINE struct fwd_sample_count *fwd_port_sample_count(const struct fwd_tables *t, uint32_t n,
                                                          uint32_t i)
{
	uint32_t at = t->cpu * n + i;

	return at < t->n_sample_counts ? fwd_there(&t->sample_counts[at]) : NULL;
}

FWD_INLINE struct fwd_samples *fwd_port_samples(const struct fwd_tables *t, uint32_t bucket)
{
	return bucket < t->n_samples ? fwd_there(&t->samples[bucket]) : NULL;
}

FWD_INLINE const struct fwd_drill *fwd_port_drill(const struct fwd_tables *t, uint32_t i)
{
	return i < t->n_drills ? fwd_there(&t->drills[i]) : NULL;
}

FWD_INLINE struct fwd_drill_count *fwd_port_drill_count(const struct fwd_tables *t, uint32_t i)
{
	uint32_t at = t->cpu * FWD_DRILLS_MAX + i;

	return at < t->n_drill_counts ? fwd_there(&t->drill_counts[at]) : NULL;
}

FWD_INLINE bool fwd_port_grow(struct fwd_packet *packet, int32_t n)
{
	if (packet->data - (uint8_t *)packet->room < n ||
	    (n < 0 && packet->end - packet->data < -n))
		return false;
	packet->data -= n;
	return true;
}

FWD_INLINE void fwd_port_again(struct fwd_packet *packet)
{
	(void)packet;
}

FWD_INLINE bool fwd_port_cut(struct fwd_packet *packet, uint32_t len)
{
	if (packet->end - packet->data < (ptrdiff_t)len)
		return false;
	packet->end = packet->data + len;
	return true;
}

FWD_INLINE uint32_t fwd_port_answer_too_big(struct fwd_packet *packet, uint32_t l3_off,
                                            uint32_t l3_len, bool is4, uint32_t inner_mtu)
{
	return fwd_answer_too_big(packet, l3_off, l3_len, is4, inner_mtu);
}

FWD_INLINE bool fwd_port_has_source_route(const struct fwd_packet *packet, uint32_t off,
                                          uint32_t len)
{
	return fwd_has_source_route(packet, off, len);
}

FWD_INLINE bool fwd_port_is_zero(const struct fwd_packet *packet, uint32_t off, uint32_t len)
{
	return fwd_is_zero(packet, off, len);
}

/** A call of its own, so that the common path keeps its registers. */
__attribute__((noinline, cold, unused)) static void
fwd_sample_cold(const struct fwd_tables *t, const struct fwd_root *root,
                const struct fwd_packet *packet, uint64_t hash, uint64_t where, uint32_t service)
{
	fwd_sample_frame(t, root, packet, hash, where, service);
}

FWD_INLINE void fwd_port_sample(const struct fwd_tables *t, const struct fwd_root *root,
                                const struct fwd_packet *packet, uint64_t hash, uint64_t where,
                                uint32_t service)
{
	fwd_sample_cold(t, root, packet, hash, where, service);
}

FWD_INLINE uint32_t fwd_port_tunnel_error(const struct fwd_tables *t,
                                          const struct fwd_packet *packet, uint32_t l3_off,
                                          uint32_t l4_off, uint32_t l3_len, bool is4)
{
	return fwd_tunnel_error(t, t->root, packet, l3_off, l4_off, l3_len, is4);
}

#endif
