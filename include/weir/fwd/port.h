/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The port: what each target supplies to the shared code.
 *
 * Declared here, defined by the target before it uses the code that calls it; a missing
 * one is a compile error. user.h defines it for user space; bpf/port.bpf.h for XDP.
 * An element that does not exist is NULL: callers check, which is also what the verifier
 * asks for. `struct fwd_tables` is the target's own: pointers in user space, a CPU's number in BPF.
 */
#ifndef WEIR_FWD_PORT_H
#define WEIR_FWD_PORT_H

#include "weir/fwd/packet.h"
#include "weir/fwd/tables.h"

struct fwd_tables;
struct owner_cold; /* owner.h */

/** @p t as a number, which a FWD_SLOW function takes. */
FWD_INLINE uint64_t fwd_tables_number(const struct fwd_tables *t);
/** The tables of what fwd_tables_number() made a number of; its counters are not to be asked for. */
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
/** fwd_backend.told_mtu of @p backend, to be written to. */
FWD_INLINE uint16_t *fwd_port_told(const struct fwd_tables *t, uint32_t backend);
FWD_INLINE const struct fwd_destinations *fwd_port_destinations(const struct fwd_tables *t,
                                                                uint32_t set);
FWD_INLINE struct fwd_exceptions *fwd_port_exceptions(const struct fwd_tables *t, uint32_t set);
FWD_INLINE struct fwd_fragments *fwd_port_fragments(const struct fwd_tables *t, uint32_t set);
FWD_INLINE const struct fwd_own_macs *fwd_port_macs(const struct fwd_tables *t, uint32_t set);
/** Index of the interface that @p packet came in by. */
FWD_INLINE uint32_t fwd_port_ingress(const struct fwd_tables *t, const struct fwd_packet *packet);
/** Seconds of CLOCK_MONOTONIC; asked for only where a slot looks further. */
FWD_INLINE uint32_t fwd_port_now_s(const struct fwd_tables *t, const struct fwd_root *root);
/** Counters of the CPU (or worker) that runs this. */
FWD_INLINE struct fwd_cpu *fwd_port_cpu(const struct fwd_tables *t);
/** Counters of element @p i of @p n (root's) on the CPU that runs this. */
FWD_INLINE struct fwd_count *fwd_port_service_count(const struct fwd_tables *t, uint32_t n,
                                                    uint32_t i);
FWD_INLINE struct fwd_count *fwd_port_backend_count(const struct fwd_tables *t, uint32_t n,
                                                    uint32_t i);
/**
 * Make a frame @p n bytes longer at its front, which holds anything then, or shorter if @p n is
 * negative; all pointers into it are to be taken anew. @return whether there was room; if not, nothing changed
 */
FWD_INLINE bool fwd_port_grow(struct fwd_packet *packet, int32_t n);
/** Take all pointers into a frame anew, where keeping them would cost more. */
FWD_INLINE void fwd_port_again(struct fwd_packet *packet);
/** Cut a frame to @p len bytes, which it has; all pointers into it are to be taken anew. @return whether it could be done */
FWD_INLINE bool fwd_port_cut(struct fwd_packet *packet, uint32_t len);
/** fwd_tell_too_big() (too_big.h), off the common path: the frame is to be used no more but to be sent. @return enum fwd_reason */
FWD_INLINE uint32_t fwd_port_tell_too_big(struct fwd_packet *packet, uint32_t l3_off,
                                          uint32_t l3_len, bool is4, uint32_t inner_mtu);
/** fwd_has_source_route() (ingress.h), off the common path. */
FWD_INLINE bool fwd_port_has_source_route(const struct fwd_packet *packet, uint32_t off,
                                          uint32_t len);
/** fwd_is_zero() (packet.h), off the common path. */
FWD_INLINE bool fwd_port_is_zero(const struct fwd_packet *packet, uint32_t off, uint32_t len);
/** fwd_tunnel_error() (tunnel_error.h), off the common path. @return enum fwd_reason */
FWD_INLINE uint32_t fwd_port_tunnel_error(const struct fwd_tables *t,
                                          const struct fwd_packet *packet, uint32_t l3_off,
                                          uint32_t l4_off, uint32_t l3_len, bool is4);

#endif
