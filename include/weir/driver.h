/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Drivers: what moves packets by the forwarding tables.
 *
 * The dataplane process sees a driver through this interface only. A driver owns the memory of the
 * tables (weir/fwd/tables.h) and the ports; the process compiles into that memory. Forwarding
 * outlives the process: driver_ops.close() frees nothing that packets need, and the next open()
 * finds tables and ports as they are.
 *
 * Implemented in bpf/xdp_driver.c and dataplane/dpdk/driver.c. One thread calls all functions of an
 * open driver, except grace(), which any thread may call; packets flow meanwhile.
 */
#ifndef WEIR_DRIVER_H
#define WEIR_DRIVER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/** Never defined: each driver casts it to its own struct, which this interface hides. */
struct driver;
struct fwd_tables; /* weir/fwd/user.h */
struct model_dpdk; /* weir/model.h */
struct model_node;
struct model_port;

#define DRIVER_PORTS_MAX  16u
#define DRIVER_REASON_MAX 1024u
/** Bytes of driver_port.not_sent_cause: the sentence of its condition has room for no more. */
#define DRIVER_CAUSE_MAX 136u

/** Elements of each table; all at least 1. */
struct driver_sizes {
	uint32_t services;       /**< in one half: a power of two */
	uint32_t service_counts; /**< services that can be counted */
	uint32_t pools;
	uint32_t backends; /**< index 0, which is no backend, included; at most FWD_BACKENDS_MAX */
	uint32_t slots;    /**< of all pools: a multiple of FWD_SLOTS_PER_BLOCK */
	uint32_t exception_buckets; /**< a power of two */
};

/** The larger one of each: tables never shrink while they are in force. */
static inline struct driver_sizes driver_sizes_larger(const struct driver_sizes *a,
                                                      const struct driver_sizes *b)
{
	return (struct driver_sizes){
		.services = a->services > b->services ? a->services : b->services,
		.service_counts = a->service_counts > b->service_counts ? a->service_counts
		                                                        : b->service_counts,
		.pools = a->pools > b->pools ? a->pools : b->pools,
		.backends = a->backends > b->backends ? a->backends : b->backends,
		.slots = a->slots > b->slots ? a->slots : b->slots,
		.exception_buckets = a->exception_buckets > b->exception_buckets
		                             ? a->exception_buckets
		                             : b->exception_buckets,
	};
}

struct driver_config {
	/** effect_pin_dir(): where the kernel keeps what outlives the process */
	const char *pin_dir;
	struct driver_sizes sizes; /**< for new tables; existing ones of equal layout keep theirs */
	const struct model_dpdk *dpdk; /**< borrowed; XDP does not look at it */
	uint16_t mtu;                  /**< the node's, bytes of IP */
	int numa_node;                 /**< of its NICs; -1: not known, or of no account */
};

/** What went wrong, in a sentence that also says what to do; one line of text. */
struct driver_reason {
	char text[DRIVER_REASON_MAX];
};

/** Write a sentence into @p reason, cut if it is too long. @return @p err */
static inline int __attribute__((format(printf, 3, 4)))
driver_set_reason(struct driver_reason *reason, int err, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(reason->text, sizeof(reason->text), format, list);
	va_end(list);
	return err;
}

/** A port, as it is in force. */
struct driver_port {
	char name[16]; /**< kernel name */
	uint32_t ifindex;
	bool native; /**< false: the generic mode, slower, as last resort */
	bool lost;   /**< read back: not this process's code; attach() puts it there again */
	/**
	 * With `lost`: another program is there, or it cannot be read. It may be forwarding
	 * packets.
	 */
	bool may_forward;
	/** DPDK: the longest IP packet that it was opened for, in bytes; 0: what its interface has. */
	uint16_t mtu;
	uint32_t program; /**< XDP: the program's id, as last read back from the port; else 0 */
	bool up;          /**< it has a link */
	/** Of a driver in user space; else 0 and 0. */
	uint64_t missed; /**< frames that the device dropped because they were not read in time */
	uint64_t no_memory; /**< frames that it dropped because there were no buffers */
	/**
	 * Frames that were to leave by this port and did not: the driver refused them. Never less
	 * while the port is one. Not known: 0, and nobody can tell what the driver took.
	 */
	uint64_t not_sent;
	bool not_sent_known;
	bool left_nothing; /**< what keep_left_nothing() said last, over restarts, too */
	/** Of the frames of try_port(): those that left, and those that did not. */
	uint64_t tries_left, tries_lost;
	/**
	 * The likely cause of the last of them (DRIVER_CAUSE_MAX); not known: why it is not.
	 * NULL: there is no more to say.
	 */
	const char *not_sent_cause;
};

/** The one of @p n ports with the kernel name @p interface. @return borrowed from @p ports, or NULL */
static inline const struct driver_port *driver_find_port(const struct driver_port *ports, size_t n,
                                                         const char *interface)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(ports[i].name, interface))
			return &ports[i];
	return NULL;
}

#define DRIVER_BURST_SIZES 8u /**< bursts of 0, 1, 2.., 4.., 8.., 16.., 32.., 64 frames */
#define DRIVER_CLASSES_MAX 8u /**< of the frames for the kernel */
#define DRIVER_WORKERS_MAX 32u

/** What a worker of a driver in user space did, besides what the tables count. */
struct driver_worker {
	uint64_t bursts[DRIVER_BURST_SIZES]; /**< by the power of two that their size reaches */
	uint64_t frames, cycles;             /**< received; cycles in rounds that had frames */
	uint64_t sleeps,
	        interrupts;   /**< times that it slept; of them ended by a receive interrupt */
	uint64_t handed_over; /**< frames given to another worker, because it has no queue */
	uint64_t to_kernel[DRIVER_CLASSES_MAX]; /**< frames by class */
	uint64_t policed[DRIVER_CLASSES_MAX];
	uint64_t from_kernel, from_kernel_lost;
	uint32_t cpu;
};

#define DRIVER_PROBES_MAX 20u /**< probe packets that are run together */
/** The longest frame of one, as it comes out: two IPv6 headers, GUE with a list, two VLAN tags. */
#define DRIVER_PROBE_LEN  256u
#define DRIVER_PROBE_ROOM 128u /**< bytes that the code may put in front of such a frame */

/** What the code did with a probe packet. */
enum driver_probe_result {
	DRIVER_PROBE_NOT_RUN, /**< it was not run, or nothing is known of it */
	DRIVER_PROBE_SENT,    /**< the frame was to be sent; it is in `frame`, and was not sent */
	DRIVER_PROBE_KEPT,    /**< the frame was passed to the kernel, or dropped */
};

/** A frame that goes through the forwarding code, and comes out here in place of a port. */
struct driver_probe {
	uint16_t length; /**< in and out: of the frame, without FCS */
	uint8_t result;  /**< out: enum driver_probe_result */
	/** out: enum fwd_reason; XDP: by the tables, for the program does not say it */
	uint8_t reason;
	uint8_t frame[DRIVER_PROBE_LEN];
};

struct driver_probes {
	uint64_t number;  /**< each batch has its own, not 0 */
	uint32_t ifindex; /**< of the port by which the frames come in */
	uint32_t n;       /**< at most DRIVER_PROBES_MAX */
	struct driver_probe probes[DRIVER_PROBES_MAX];
};

/** Of driver_ops.prepare: open() needs memory that is free when the process before has ended. */
#define DRIVER_ALONE 1

struct driver_ops {
	const char *name; /**< "xdp" */

	/**
	 * Do for a later open() what can be done while another process of this node forwards:
	 * nothing that it has is touched, no table, no port. NULL: there is nothing to do.
	 * @return 0; DRIVER_ALONE with @p reason: what was not prepared and is left to open(); or
	 *         -errno with @p reason: open() or attach() would fail
	 */
	int (*prepare)(const struct model_node *self, struct driver_reason *reason);

	/**
	 * Make tables or take over those of an earlier process; load the code that reads them, but
	 * do not put it into the ports yet. Tables of another layout are not taken over: new ones
	 * are made beside them, and forwarding goes on by the old ones until attach().
	 * -ENOTRECOVERABLE: this process cannot open it any more, the next one may.
	 * @param kept  out: the tables were taken over
	 * @return 0 or -errno with @p reason
	 */
	int (*open)(const struct driver_config *config, struct driver **out, bool *kept,
	            struct driver_reason *reason);

	/** Where the tables are; pointers stay valid until close() or resize_commit(). */
	void (*tables)(const struct driver *d, struct fwd_tables *out);
	void (*sizes)(const struct driver *d, struct driver_sizes *out);

	/**
	 * Put this process's code into port @p port, atomically in place of an earlier process's.
	 * To be called when the tables are complete. Calling it again is fine.
	 * @return 0 or -errno with @p reason (with 0 it says what there is to know, such as the
	 *         generic mode and its cause; else reason->text is "")
	 */
	int (*attach)(struct driver *d, const struct model_port *port, struct driver_port *out,
	              struct driver_reason *reason);
	/**
	 * Take the code out of @p interface; traffic for our VIPs goes to the kernel from now on.
	 * @return 0 or -errno
	 */
	int (*detach)(struct driver *d, const char *interface, struct driver_reason *reason);
	/**
	 * Ports that this process's code was put into, with what is read back of them.
	 * @return how many, written to @p out
	 */
	size_t (*ports)(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX]);
	/**
	 * Whether @p interface, which attach() could not put this process's code into, may forward
	 * packets all the same: by an earlier process's code, for example. False only if the kernel
	 * says that nothing is there. NULL: a driver whose code ends with its process.
	 */
	bool (*may_forward)(const struct driver *d, const char *interface);

	/**
	 * Make tables of other sizes beside those in force, with pools, slots, backends, exceptions
	 * and counters copied (no array gets smaller); services are left empty for
	 * the caller. Tables of an earlier call that were not switched to are gone.
	 * @param next  out: the new tables, for the caller to complete; root has the new sizes
	 * @return 0, or -errno with @p reason, everything as it was
	 */
	int (*resize_begin)(struct driver *d, const struct driver_sizes *sizes,
	                    struct fwd_tables *next, struct driver_reason *reason);
	/**
	 * Switch all ports to the new tables, then copy what packets changed in the old ones
	 * meanwhile. No packet is lost or left uncounted. Old pointers are dead afterwards.
	 * @return 0, or -errno with @p reason: the old tables stay in force and the new are gone
	 */
	int (*resize_commit)(struct driver *d, struct driver_reason *reason);

	/**
	 * Bytes of a memory page that the tables lie in. A packet waits less for memory when they
	 * are large. NULL: the kernel lays them out.
	 */
	uint64_t (*page_bytes)(const struct driver *d);
	/**
	 * Whether packets or tables lie elsewhere than the document wishes, and why. NULL: they
	 * cannot.
	 */
	bool (*memory_fault)(const struct driver *d, struct driver_reason *reason);

	/** What workers did; NULL: a driver without workers. @return how many, written to @p out */
	size_t (*workers)(const struct driver *d, struct driver_worker out[DRIVER_WORKERS_MAX]);
	/**
	 * From now on worker @p worker counts its rounds, forwarding or idle, in @p rounds, which
	 * outlives close(): the sign of life that is seen while the control thread hangs. NULL: a
	 * driver without workers.
	 */
	void (*beat)(struct driver *d, uint32_t worker, uint64_t *rounds);
	/** Labels of the classes in struct driver_worker, NULL at the end. */
	const char *const *classes;

	/**
	 * Run the frames of @p batch through the code that forwards the packets of a port, read
	 * back as in force there, and report what it does with them instead of doing it. No counter
	 * has them: they are no packets that came. NULL: a driver that cannot.
	 * @return 0: all are run; -EAGAIN: a worker has them, or still has an earlier batch: call
	 *         again with the same batch; -ENOLINK: the port does not carry this process's code;
	 *         -EOPNOTSUPP: the kernel is too old; -errno. On failure some may be run.
	 */
	int (*prove)(struct driver *d, struct driver_probes *batch);

	/**
	 * Frames that the tables count as sent, and that did not leave: a driver says so after the
	 * verdict is counted. Those that the caller has counted (not_sent_counted()) are left out,
	 * over restarts, too. NULL, with the other: the tables count them at once.
	 */
	uint64_t (*not_sent)(const struct driver *d);
	/** The tables now count @p frames of them as `not_sent`. */
	void (*not_sent_counted)(struct driver *d, uint64_t frames);

	/**
	 * Send a frame of our own by port @p ifindex, as packets are sent; it means nothing to whoever
	 * gets it. What became of it is in driver_port.tries_left and tries_lost a moment later.
	 * NULL: a driver that cannot. @return 0 or -errno (the kernel cannot)
	 */
	int (*try_port)(struct driver *d, uint32_t ifindex);
	/** Keep for the next process whether nothing leaves by port @p ifindex. NULL: it is lost. */
	void (*keep_left_nothing)(struct driver *d, uint32_t ifindex, bool left_nothing);

	/**
	 * Wait until no packet is under way that read a table before this call. Any thread may call
	 * it.
	 */
	void (*grace)(struct driver *d);

	/**
	 * Each tick_s seconds: keep the packets' clock in step with CLOCK_MONOTONIC, see to links.
	 * @return 0 or -errno
	 */
	int (*tick)(struct driver *d);
	unsigned tick_s;

	/**
	 * Look whether all that is to outlive the process is pinned, and pin again what is not.
	 * NULL: a driver that pins nothing.
	 * @param n_renewed  out: pins that were missing or another object's, and are there again;
	 *                untouched where nothing was looked at
	 * @return 0, or -errno with @p reason: some are missing and cannot be made
	 */
	int (*keep_pins)(struct driver *d, uint32_t *n_renewed, struct driver_reason *reason);

	/** Release what the process holds. Forwarding continues. NULL is fine. */
	void (*close)(struct driver *d);

	/**
	 * Stop forwarding and remove all that is pinned below @p pin_dir.
	 * @return 0, -ENOENT (nothing there) or -errno with @p reason
	 */
	int (*remove)(const char *pin_dir, struct driver_reason *reason);

	/**
	 * Map the tables below @p pin_dir without any right to change them; for reading by another
	 * process, or when the dataplane is dead. @p out is given: free with unmap(). @return 0,
	 * -ENOENT, -EPERM, -EPROTO or -errno with @p reason
	 */
	int (*map)(const char *pin_dir, struct fwd_tables *out, struct driver_reason *reason);
	void (*unmap)(struct fwd_tables *t);
};

/** XDP: native where the port can, generic as last resort. In bpf/. */
extern const struct driver_ops driver_xdp;

#endif
