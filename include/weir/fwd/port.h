/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The port: what each target supplies to the shared code.
 *
 * The functions are declared here. The target defines them before it includes the code that calls
 * them, so a missing one is a compile error: user.h for user space, bpf/port.bpf.h for XDP. An
 * element that does not exist is NULL; callers check, as the verifier demands. `struct fwd_tables`
 * is the target's own: pointers in user space, a CPU's number in BPF.
 */
#ifndef WEIR_FWD_PORT_H
#define WEIR_FWD_PORT_H

#include "weir/fwd/packet.h"
#include "weir/fwd/tables.h"

struct fwd_tables;
struct owner_cold; /* owner.h */

/** @p t as a number, which a FWD_SLOW function takes. */
FWD_INLINE uint64_t fwd_tables_number(const struct fwd_tables *t);
/** The tables behind a number of fwd_tables_number(). In BPF they have no CPU's counters. */
FWD_INLINE const struct fwd_tables *fwd_tables_of(uint64_t number);

/** The one root of all tables. */
FWD_INLINE const struct fwd_root *fwd_port_root(const struct fwd_tables *t);
/** @p i counts through both halves. */
FWD_INLINE const struct fwd_service *fwd_port_service(const struct fwd_tables *t, uint32_t i);
FWD_INLINE const struct fwd_pool *fwd_port_pool(const struct fwd_tables *t, uint32_t i);
/** The block that holds slot @p slot: its word is slot[slot % FWD_SLOTS_PER_BLOCK]. */
FWD_INLINE struct fwd_slots *fwd_port_slots(const struct fwd_tables *t, uint32_t slot);
FWD_INLINE struct owner_cold *fwd_port_cold(const struct fwd_tables *t, uint32_t slot);
FWD_INLINE const struct fwd_backend *fwd_port_backend(const struct fwd_tables *t, uint32_t i);
/** fwd_backend.learned_mtu of @p backend, to be written to. */
FWD_INLINE uint16_t *fwd_port_learned_mtu(const struct fwd_tables *t, uint32_t backend);
FWD_INLINE const struct fwd_destinations *fwd_port_destinations(const struct fwd_tables *t,
                                                                uint32_t bucket);
FWD_INLINE struct fwd_exceptions *fwd_port_exceptions(const struct fwd_tables *t, uint32_t bucket);
FWD_INLINE struct fwd_fragments *fwd_port_fragments(const struct fwd_tables *t, uint32_t bucket);
FWD_INLINE const struct fwd_own_macs *fwd_port_macs(const struct fwd_tables *t, uint32_t bucket);
/** Index of the interface by which @p packet came in. */
FWD_INLINE uint32_t fwd_port_ingress(const struct fwd_tables *t, const struct fwd_packet *packet);
/**
 * Seconds of CLOCK_MONOTONIC; needed only where a slot is unsettled, and for fragments and answers.
 */
FWD_INLINE uint32_t fwd_port_now_s(const struct fwd_tables *t, const struct fwd_root *root);
/** Counters of the CPU (or worker) that runs this. */
FWD_INLINE struct fwd_cpu *fwd_port_cpu(const struct fwd_tables *t);
/** Counters of element @p i of @p n (root's) on the CPU that runs this. */
FWD_INLINE struct fwd_count *fwd_port_service_count(const struct fwd_tables *t, uint32_t n,
                                                    uint32_t i);
FWD_INLINE struct fwd_count *fwd_port_backend_count(const struct fwd_tables *t, uint32_t n,
                                                    uint32_t i);
FWD_INLINE struct fwd_count *fwd_port_service_news(const struct fwd_tables *t, uint32_t n,
                                                   uint32_t i);
FWD_INLINE struct fwd_count *fwd_port_backend_news(const struct fwd_tables *t, uint32_t n,
                                                   uint32_t i);
FWD_INLINE struct fwd_sample_count *fwd_port_sample_count(const struct fwd_tables *t, uint32_t n,
                                                          uint32_t i);
FWD_INLINE const struct fwd_drill *fwd_port_drill(const struct fwd_tables *t, uint32_t i);
/** Counters of drill @p i on the CPU that runs this. */
FWD_INLINE struct fwd_drill_count *fwd_port_drill_count(const struct fwd_tables *t, uint32_t i);
FWD_INLINE struct fwd_samples *fwd_port_samples(const struct fwd_tables *t, uint32_t bucket);
/**
 * Make a frame @p n bytes longer at its front, with undefined content, or shorter if @p n is
 * negative. Pointers into the frame are invalid afterwards.
 * @return whether there was room; if not, nothing has changed
 */
FWD_INLINE bool fwd_port_grow(struct fwd_packet *packet, int32_t n);
/** Derive the frame's pointers again, where keeping them would cost more. */
FWD_INLINE void fwd_port_again(struct fwd_packet *packet);
/**
 * Cut a frame to @p len bytes. Pointers into it are invalid afterwards.
 * @return false: it is shorter than that, or the driver refuses
 */
FWD_INLINE bool fwd_port_cut(struct fwd_packet *packet, uint32_t len);
/**
 * fwd_answer_too_big() (too_big.h), off the common path. Afterwards the frame can only be sent.
 * @return enum fwd_reason
 */
FWD_INLINE uint32_t fwd_port_answer_too_big(struct fwd_packet *packet, uint32_t l3_off,
                                            uint32_t l3_len, bool is4, uint32_t inner_mtu);
/** fwd_has_source_route() (ingress.h), off the common path. */
FWD_INLINE bool fwd_port_has_source_route(const struct fwd_packet *packet, uint32_t off,
                                          uint32_t len);
/** fwd_is_zero() (packet.h), off the common path. */
FWD_INLINE bool fwd_port_is_zero(const struct fwd_packet *packet, uint32_t off, uint32_t len);
/** fwd_sample_frame() (sample.h), off the common path. */
FWD_INLINE void fwd_port_sample(const struct fwd_tables *t, const struct fwd_root *root,
                                const struct fwd_packet *packet, uint64_t hash, uint64_t where,
                                uint32_t service);
/** fwd_tunnel_error() (tunnel_error.h), off the common path. @return enum fwd_reason */
FWD_INLINE uint32_t fwd_port_tunnel_error(const struct fwd_tables *t,
                                          const struct fwd_packet *packet, uint32_t l3_off,
                                          uint32_t l4_off, uint32_t l3_len, bool is4);

#endif
