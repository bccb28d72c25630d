/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The forwarding tables: flat arrays without pointers, the same bytes for each driver.
 *
 * weir-dataplane alone writes them, except what the packet path writes: counters, exceptions,
 * times in cold slots, learned MTUs. A table is an array; in the XDP driver, a memory-mapped map.
 * FWD_TABLES lists all of them but root, which is one struct fwd_root: sizes, keys, and which half
 * of services is in force.
 *
 * Tables of zeros are valid: nothing is ours. A services half, a slot range or a backend index is
 * used again only after a grace period since the word that led there was changed.
 */
#ifndef WEIR_FWD_TABLES_H
#define WEIR_FWD_TABLES_H

#include "weir/fwd/types.h"

/** Changes with FWD_TABLES, with any struct here or in owner.h, and with what finds a place in them. */
#define FWD_TABLES_LAYOUT 1u

#define FWD_SLOTS_PER_BLOCK  32u    /**< hot words in a cache line */
#define FWD_BACKENDS_MAX     32768u /**< an index has 15 bits; index 0 is no backend */
#define FWD_SLOT_BACKEND     0x7fffu
#define FWD_SLOT_UNSETTLED   0x8000u /**< unsettled: an earlier owner may still serve the flow */
#define FWD_SERVICE_PROBES   16u     /**< an entry is at most this far from its hash's position */
#define FWD_POOLS_MAX        0xffffu /**< an index has 16 bits, of which all ones are no pool */
#define FWD_POOL_NONE        0xffffu
#define FWD_REASONS_MAX      62u /**< with FWD_EVENTS_MAX fills struct fwd_cpu to 1 KiB */
#define FWD_EVENTS_MAX       62u
#define FWD_FILTER_WORDS     16u   /**< 1,024 bits for a half's VIPs */
#define FWD_FRAGMENT_BUCKETS 4096u /**< 16,384 datagrams under way, 256 KiB */
#define FWD_FRAGMENT_WAYS    4u    /**< entries in a cache line */
#define FWD_DESTINATION_WAYS 8u
#define FWD_MAC_BUCKETS      64u   /**< 512 addresses of ports, 4 KiB */
#define FWD_MAC_WAYS         8u    /**< words in a cache line */
#define FWD_MACS_FIRST       4u    /**< room in root, for the first ports' addresses */
#define FWD_SAMPLE_BUCKETS   8192u /**< 16,384 flows, 512 KiB */
#define FWD_SAMPLE_WAYS      2u    /**< entries in a cache line */
#define FWD_DRILLS_MAX       4u    /**< bits of fwd_service.drills */

/**
 * The tables: X(name, element, number of elements). The number is an expression of `sizes` (a
 * struct driver_sizes) and of `cpus` (uint64_t, rows of counters); weir/layout.h evaluates it.
 *
 * All code that treats tables alike is generated from this list: the maps of the XDP program, the
 * arrays of user space, pins, the table file. Where each table needs a decision of its own
 * (pages/carry.c), one without a decision does not compile. The order is that of the table file
 * (dataplane/dpdk/tablefile.c).
 */
#define FWD_TABLES(X)                                                                              \
	/* open-addressed hash; the half that root.active names is read */                         \
	X(services, struct fwd_service, 2ull * sizes->services)                                    \
	/* where a pool's slots lie */                                                             \
	X(pools, struct fwd_pool, sizes->pools)                                                    \
	/* hot: the current backend of a slot, and whether it is unsettled */                      \
	X(slots, struct fwd_slots, sizes->slots / FWD_SLOTS_PER_BLOCK)                             \
	/* earlier owners of a slot (owner.h) */                                                   \
	X(colds, struct owner_cold, sizes->slots)                                                  \
	/* where a backend is and how packets get there; element 0 is unused */                    \
	X(backends, struct fwd_backend, sizes->backends)                                           \
	/* remembered flows, one cache line a bucket (owner.h) */                                  \
	X(exceptions, struct fwd_exceptions, sizes->exception_buckets)                             \
	/* counters of a CPU by reason and event */                                                \
	X(cpus, struct fwd_cpu, cpus)                                                              \
	/* [cpu * root.n_service_counts + service.count] */                                        \
	X(service_counts, struct fwd_count, cpus * sizes->service_counts)                          \
	/* [cpu * root.n_backends + backend] */                                                    \
	X(backend_counts, struct fwd_count, cpus * sizes->backends)                                \
	/* datagrams whose first fragment came, one cache line a bucket (fragments.h) */           \
	X(fragments, struct fwd_fragments, FWD_FRAGMENT_BUCKETS)                                   \
	/* backends by their outer address (destinations.h) */                                     \
	X(destinations, struct fwd_destinations, fwd_destination_buckets(sizes->backends))         \
	/* our ports' own MAC addresses, one cache line a bucket (ingress.h) */                    \
	X(macs, struct fwd_own_macs, FWD_MAC_BUCKETS)                                              \
	/* TCP flows that are watched, one cache line a bucket (sample.h) */                       \
	X(samples, struct fwd_samples, FWD_SAMPLE_BUCKETS)                                         \
	/* what became of them, as service_counts */                                               \
	X(sample_counts, struct fwd_sample_count, cpus * sizes->service_counts)                    \
	/* SYNs, which are not in service_counts; likewise */                                      \
	X(service_news, struct fwd_count, cpus * sizes->service_counts)                            \
	/* SYNs, which are not in backend_counts; likewise */                                      \
	X(backend_news, struct fwd_count, cpus * sizes->backends)                                  \
	/* clients whose new flows go to the backup for a while (drill.h) */                       \
	X(drills, struct fwd_drill, FWD_DRILLS_MAX)                                                \
	/* what became of these flows: [cpu * FWD_DRILLS_MAX + drill] */                           \
	X(drill_counts, struct fwd_drill_count, cpus *FWD_DRILLS_MAX)

#define FWD_TABLE_ENUM_(name, element, count) FWD_TABLE_##name,
/** A table's position in lists of all tables. */
enum fwd_table { FWD_TABLE_ROOT, FWD_TABLES(FWD_TABLE_ENUM_) FWD_TABLE_COUNT };
#undef FWD_TABLE_ENUM_

/** A prefix as an address and a mask to compare under; all-zero mask: no prefix is set. */
struct fwd_prefix {
	union fwd_addr addr; /**< host bits zero */
	union fwd_addr mask; /**< IPv4: with all ones in the first twelve bytes */
};

/**
 * What holds for the whole node. The common packet reads the first two lines (IPv6: three) and one
 * word of the filter.
 */
struct fwd_root {
	uint32_t layout;     /**< FWD_TABLES_LAYOUT; first in every layout */
	uint32_t active;     /**< half of services in force: 0 or 1; one atomic store switches */
	uint32_t n_services; /**< N: entries in a half, a power of two; 0: no service */
	uint32_t n_service_counts;    /**< N' */
	uint32_t n_backends;          /**< B */
	uint32_t n_exception_buckets; /**< X: a power of two, or 0: nothing is ever remembered */
	uint32_t n_slots;             /**< S: of all pools */
	uint32_t n_cpus;              /**< C */
	uint64_t hash_key[2];         /**< the cluster's secret */
	uint32_t service_seed[2];     /**< of each half's hash (services.h) */
	uint32_t sample_wide;      /**< the sample: flows whose hash's top byte is at most this */
	uint32_t answers_per_s;    /**< answers that a CPU may make in a second (too_big.h) */
	struct fwd_prefix source4; /**< outer source addresses, here and below */
	uint64_t macs[FWD_MACS_FIRST]; /**< the first words of macs, looked at before these; or 0 */
	struct fwd_prefix source6;
	/**
	 * Time: seconds of CLOCK_MONOTONIC are (ticks - tick_base) * tick_scale >> 32, where
	 * ticks are the target's cheapest clock (XDP: bpf_jiffies64()).
	 */
	uint64_t tick_base;
	uint64_t tick_scale;
	uint64_t generation;         /**< of the document that was last compiled; for operators */
	uint32_t n_fragment_buckets; /**< F: a power of two, or 0: no fragment follows another */
	uint32_t n_destination_buckets;           /**< D: a power of two */
	uint64_t vip_filter[2][FWD_FILTER_WORDS]; /**< of each half's VIPs (services.h) */
};
_Static_assert(sizeof(struct fwd_root) == 448, "layout of root");
_Static_assert(__builtin_offsetof(struct fwd_root, source4) == 64 &&
                       __builtin_offsetof(struct fwd_root, source6) == 128 &&
                       __builtin_offsetof(struct fwd_root, vip_filter) == 192,
               "what is read together lies in a cache line");

#define FWD_SERVICE_USED        1u /**< the entry is taken */
#define FWD_SERVICE_HASH_SOURCE 2u /**< hash the source address alone, not the flow */

/**
 * A range of slots as a service names it: the first slot, a multiple of 32, and in place of its low
 * five bits the log2 of how many there are. One word, so a packet that sees a range sees its form.
 */
#define FWD_RANGE_FIRST  0x7fffffe0u
#define FWD_RANGE_LOG2   0x1fu
#define FWD_RANGE_LISTED 0x80000000u /**< the pool has agents: slots list earlier owners */
#define FWD_RANGE_NONE   0x40000000u /**< beyond all slots: no pool serves */

/** How a UDP flow on a drained backend ends. */
enum fwd_udp_policy { FWD_UDP_KEEP, FWD_UDP_MIGRATE, FWD_UDP_RESET };

/**
 * A service at one of its addresses; with protocol 0 and port 0, the VIP itself.
 * Each VIP with a service has such an entry: it decides what is ours.
 */
struct fwd_service {
	union fwd_addr vip;
	union {
		struct {
			uint16_t port_be;
			uint8_t protocol; /**< 6, 17, or 0 for the VIP itself */
			uint8_t flags;    /**< FWD_SERVICE_* */
		};
		uint32_t what; /**< these three, to be compared at once: fwd_service_what() */
	};
	uint32_t range; /**< FWD_RANGE_*: the pool's slots; one atomic store moves the service */
	uint16_t pool;  /**< index into pools; FWD_POOL_NONE: no pool serves */
	uint16_t count; /**< index of its counters; of a VIP's own entry: unused */
	uint16_t udp_idle_s;
	uint8_t udp_policy; /**< enum fwd_udp_policy */
	uint8_t drills;     /**< a bit for each element of drills that may have its clients */
};
_Static_assert(sizeof(struct fwd_service) == 32, "two services in a cache line");

/** All its backends run the agent: TCP packets name their slot's earlier owners (second.h). */
#define FWD_POOL_AGENTS 1u

/** A pool, with the times of its owner rules (owner.h). Its slots begin at a multiple of 32. */
struct fwd_pool {
	/** First slot << 8 | log2 of the number of slots. Packets go by their service's range. */
	uint64_t slot_range;
	uint16_t idle_s;   /**< TCP: an exception ends after this time without a packet */
	uint16_t settle_s; /**< a slot settles at the latest after this time */
	/** Length of the settling time's last part, in which the base's flows are remembered. */
	uint16_t remember_s;
	uint16_t flags; /**< FWD_POOL_* */
	uint64_t id;    /**< a digest of the pool's name, 0: none; for who takes the tables over */
	uint64_t reserved;
};
_Static_assert(sizeof(struct fwd_pool) == 32, "layout of pools");

/** A slot's hot word is: backend in force (0: none) | FWD_SLOT_UNSETTLED. */
struct fwd_slots {
	uint16_t slot[FWD_SLOTS_PER_BLOCK];
};
_Static_assert(sizeof(struct fwd_slots) == 64, "a cache line of slots");

enum fwd_encap_mode { FWD_ENCAP_IPIP, FWD_ENCAP_GUE, FWD_ENCAP_L2 };

#define FWD_BACKEND_USED        1u
#define FWD_BACKEND_DEAD        2u /**< gets nothing, whatever a slot or an exception says */
#define FWD_BACKEND_NO_NEXT_HOP 4u /**< the next hop's MAC address is not known (yet) */
#define FWD_BACKEND_FULL        8u /**< no backend: its slots' flows are dropped, the backup is full */

/** Where a backend is, and the way there. */
struct fwd_backend {
	union fwd_addr address; /**< outer destination */
	uint32_t ifindex;       /**< port of the next hop */
	uint16_t inner_mtu;     /**< longest packet that fits in the tunnel; 0: none does */
	uint16_t vlan;          /**< VLAN id of the next hop, 0: untagged */
	uint8_t mac_to[6];      /**< the next hop's */
	uint8_t mac_from[6];    /**< the port's */
	union {
		struct {
			uint8_t encap; /**< enum fwd_encap_mode */
			uint8_t flags; /**< FWD_BACKEND_*; one byte, stored atomically */
		};
		uint16_t way; /**< both, to be tested at once: fwd_fast_tunnel() */
	};
	uint16_t gue_port_be;   /**< GUE: outer UDP destination port */
	uint64_t id;            /**< model_backend_id(): for operators and for checks of reuse */
	uint64_t pool_id;       /**< of the pool that it is in: an index is one pool's */
	uint16_t outer_vlan;    /**< VLAN id of the outer of two tags; 0: at most one tag */
	uint16_t outer_type_be; /**< that tag's EtherType: 802.1ad, or 802.1Q */
	uint16_t list_room;     /**< what inner_mtu leaves for a list of owners; 0: none is sent */
	/** the smallest MTU that a router reported on the way; 0: none did */
	uint16_t learned_mtu;
};
_Static_assert(sizeof(struct fwd_backend) == 64, "a cache line a backend");
_Static_assert(__builtin_offsetof(struct fwd_backend, mac_to) == 24 &&
                       __builtin_offsetof(struct fwd_backend, mac_from) == 30,
               "both are copied at once");

/** Remembered flows whose hashes fall together (owner.h gives a word its meaning). */
struct fwd_exceptions {
	uint64_t word[8];
};
_Static_assert(sizeof(struct fwd_exceptions) == 64, "a cache line of exceptions");

/** Where the fragments of a datagram go (fragments.h gives the words their meaning). */
struct fwd_fragment {
	uint64_t when, where;
};

/** Datagrams whose hashes fall together. */
struct fwd_fragments {
	struct fwd_fragment way[FWD_FRAGMENT_WAYS];
};
_Static_assert(sizeof(struct fwd_fragments) == 64, "a cache line of fragments");

/** Indexes of backends whose outer addresses' hashes fall together; 0: none more. */
struct fwd_destinations {
	uint16_t backend[FWD_DESTINATION_WAYS];
};
_Static_assert(sizeof(struct fwd_destinations) == 16, "layout of destinations");

/** MAC addresses with their ports whose hashes fall together; 0: a free entry (ingress.h). */
struct fwd_own_macs {
	uint64_t word[FWD_MAC_WAYS];
};
_Static_assert(sizeof(struct fwd_own_macs) == 64, "a cache line of MAC addresses");

/** A TCP flow that is watched (sample.h). */
struct fwd_sample {
	uint64_t source;  /**< where its SYN came from, without the host's bits */
	uint32_t tag;     /**< bits of the flow's hash */
	uint32_t seq;     /**< the SYN's sequence number */
	uint32_t service; /**< index of its counters */
	uint32_t began_s; /**< when its SYN came */
	uint32_t state;   /**< FWD_SAMPLE_*; 0: a free entry */
	uint32_t reserved;
};

/** Flows that are watched whose hashes fall together. */
struct fwd_samples {
	struct fwd_sample way[FWD_SAMPLE_WAYS];
};
_Static_assert(sizeof(struct fwd_samples) == 64, "a cache line of watched flows");

/** Counters of one CPU (or worker); only that one adds, anyone reads. */
struct fwd_cpu {
	uint64_t received;       /**< packets seen: equal to the sum of reason[] between packets */
	uint64_t received_bytes; /**< their frames, without FCS */
	uint64_t reason[FWD_REASONS_MAX]; /**< by enum fwd_reason */
	uint64_t event[FWD_EVENTS_MAX];   /**< by enum owner_event (owner.h) */
	uint64_t fragments_lost;          /**< datagrams that were evicted before their time */
	uint32_t answers_s;    /**< the second in which answers were last made (too_big.h) */
	uint32_t answers_left; /**< how many more may be made in it */
};
_Static_assert(sizeof(struct fwd_cpu) == 1024, "layout of cpus");

/** Traffic of a service or of a backend on one CPU. */
struct fwd_count {
	uint64_t packets;
	uint64_t bytes; /**< frames as received, without FCS */
};
_Static_assert(sizeof(struct fwd_count) == 16, "layout of counts");

/** How far a drill is. */
enum fwd_drill_state {
	FWD_DRILL_OVER,     /**< or a free element */
	FWD_DRILL_PREPARES, /**< new flows are remembered where they are, for SYNs that come again */
	FWD_DRILL_SENDS,    /**< new flows go to the backup */
};

/** Clients whose new TCP flows go to the backup of their service's pool. */
struct fwd_drill {
	struct fwd_prefix clients;
	uint64_t id;    /**< a digest of the override's id; 0: a free element */
	uint32_t state; /**< enum fwd_drill_state; one store */
	uint32_t reserved;
};
_Static_assert(sizeof(struct fwd_drill) == 48, "layout of drills");

/** What became of a drill's flows, as one CPU saw it. */
struct fwd_drill_count {
	uint64_t begun;    /**< new flows that went to the backup */
	uint64_t repeated; /**< SYNs of theirs that came again */
	uint64_t followed; /**< those of which a further segment came */
	uint64_t kept;     /**< SYNs that stayed with own backends, which the drill was to move */
};
_Static_assert(sizeof(struct fwd_drill_count) == 32, "layout of drill_counts");

/** What became of the watched flows of a service, as one CPU saw it. */
struct fwd_sample_count {
	uint64_t sampled;  /**< new flows */
	uint64_t repeated; /**< SYNs that came again */
	uint64_t followed; /**< flows of which a further segment came */
	uint64_t lost;     /**< flows forgotten before that could be known */
};
_Static_assert(sizeof(struct fwd_sample_count) == 32, "layout of sample_counts");

#endif
