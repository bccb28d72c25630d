/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Forwarding tables for tests and benches: in own memory, or in the maps of an XDP program.
 */
#ifndef WEIR_TESTS_FWD_WORLD_H
#define WEIR_TESTS_FWD_WORLD_H

#include "weir/driver.h"
#include "weir/fwd/user.h"
#include "weir/fwd/decide.h"

/** Tables and who owns them. */
struct world {
	struct fwd_tables t;
	struct driver_sizes sizes;
	struct weir_weir_bpf *skel; /**< NULL: tables in own memory */
	int prog_fd;                /**< of the XDP program, or -1 */
	uint32_t n_services;        /**< entries put so far */
};

/**
 * Make empty tables in own memory for @p n_cpus counters; ends the program when it cannot. The port
 * WORLD_INGRESS has the MAC addresses 02:aa:00:00:00:01.
 */
void world_init(struct world *w, const struct driver_sizes *sizes, uint32_t n_cpus);
/** Make empty tables in the maps of a freshly loaded XDP program. @return 0 or -errno */
int world_init_xdp(struct world *w, const struct driver_sizes *sizes);
void world_fini(struct world *w);
/** The map of a table, of a world that has an XDP program; the world's. */
int world_map_fd(const struct world *w, enum fwd_table table);

/** Make the tables of @p to those of @p from; of equal sizes. */
void world_copy(struct world *to, const struct world *from);
/** The first table in which @p a and @p b differ, or NULL; times aside, all must be equal. */
const char *world_difference(const struct world *a, const struct world *b);

/** Read an address in text; ends the program if it is none. */
union fwd_addr world_addr(const char *text);

/** The port that all frames of tests come in by: the loopback interface, as BPF_PROG_TEST_RUN has it. */
#define WORLD_INGRESS 1u
/** Add an own MAC address of port @p ifindex. */
void world_add_mac(struct world *w, const uint8_t mac[6], uint32_t ifindex);

/** Add a VIP of its own. */
void world_add_vip(struct world *w, const char *vip);
/** Add a service at a VIP that was added before. */
void world_add_service(struct world *w, const char *vip, uint16_t port, uint8_t protocol,
                       uint32_t pool, uint8_t flags);
/** The first @p bits of @p address. */
struct fwd_prefix world_prefix(const char *address, unsigned int bits);
/** A tunnel source; of the family of @p address. */
void world_set_source(struct world *w, const char *address, unsigned int bits);
/** Backend @p i behind next hop 02:bb:00:00:00:i, reached through port @p ifindex. */
struct fwd_backend *world_add_backend(struct world *w, uint32_t i, const union fwd_addr *address,
                                      enum fwd_encap_mode encap, uint32_t ifindex);
/** Pool @p i: 2^log2 slots from @p first on, spread evenly over backends low..high. */
void world_add_pool(struct world *w, uint32_t i, uint32_t first, unsigned int log2, uint32_t low,
                    uint32_t high);

/** Let each service name the slots of its pool, after pools were written to. */
void world_point_services(struct world *w);

/** The hot word of a slot. */
uint16_t *world_slot(struct world *w, uint32_t slot);

/** Forward one frame natively. @return the final reason */
enum fwd_reason world_forward(struct world *w, struct fwd_packet *packet, uint32_t now_s,
                              struct fwd_verdict *v);
/** The same. @return whether the fast path took it */
bool world_forward_fast(struct world *w, struct fwd_packet *packet, uint32_t now_s,
                        struct fwd_verdict *v);
/** The same by the general stages alone, though there may be a shorter way. */
enum fwd_reason world_forward_long(struct world *w, struct fwd_packet *packet, uint32_t now_s,
                                   struct fwd_verdict *v);
/** The same by the worker's stages, as a burst of @p n, at most FWD_BURST_MAX; one thread at a time. */
void world_forward_burst(struct world *w, struct fwd_packet *packets, uint32_t n, uint32_t now_s,
                         struct fwd_verdict *v);

#endif
