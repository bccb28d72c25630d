/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Health probes through the tunnel to the VIP, on the way of users' packets.
 *
 * weir-health connects to a VIP with a socket mark that names a backend. A tc program on the egress
 * of the node's ports (bpf/probe.bpf.c) puts such packets into that backend's tunnel, with the
 * outer header of the forwarding code. weir-dataplane has the privileges, so it loads the program
 * and fills its table; both processes compute the marks from the model by probe_marks(). The answer
 * comes directly from the VIP; that the connection is established proves it.
 *
 * A probe is sent with TTL 1. If the program is missing, the probe dies at the first router instead
 * of being balanced to some other backend; inside a tunnel nothing looks at that TTL. The
 * dataplane's stats page says for which document the path is in place (PROBE_GAUGE): the table is
 * filled, the program has been read back from each port, and a port has the route to the VIPs.
 * weir-health judges no tunnel probe that was sent before that (PROBE_SINCE_GAUGE) or ended after
 * it.
 *
 * probe_paths() and probe_marks() are implemented in model/probe_marks.c, for any thread; the
 * others in bpf/probe.c, for weir-dataplane's main thread.
 */
#ifndef WEIR_PROBE_H
#define WEIR_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"

struct model;
struct model_backend;
struct model_pool;
struct model_service;
struct model_vip;

/** Marks are PROBE_MARK_BASE | 24 bits. */
#define PROBE_MARK_BASE 0x57000000u
#define PROBE_MARK_MASK 0xff000000u
#define PROBES_MAX      32768u
/**
 * In weir-dataplane's stats page: model_meta.document whose probes have their path; 0: none has.
 */
#define PROBE_GAUGE "weir_dataplane_probe_document"
/** The same: since when that path has been in place without a gap; monotonic, milliseconds. */
#define PROBE_SINCE_GAUGE "weir_dataplane_probe_since_ms"
#define PROBE_SINCE_NEVER UINT64_MAX /**< it is not in place */
/** The same: families whose VIPs are not reached by one of the ports, PROBE_FAMILY_* added up. */
#define PROBE_FAMILIES_GAUGE "weir_dataplane_probe_families_cut"
#define PROBE_FAMILY_IP4     1u
#define PROBE_FAMILY_IP6     2u

/** A backend that is probed through its tunnel. */
struct probe_mark {
	uint32_t mark;
	const struct model_pool *pool;
	const struct model_backend *backend;
};

/** What a probe connects to. */
struct probe_path {
	struct addr vip;
	uint16_t port; /**< the check's, else the service's */
	/** only UDP services are at that port: TCP need not answer there (a name server does) */
	bool of_udp;
};
/** Of a pool with more, the first ones are probed. */
#define PROBE_PATHS_MAX 16u

/** Whether this node judges the backends of @p pool by a check: its own site's, and those that are a backup here. */
bool probe_is_checked(const struct model *m, const struct model_pool *pool);
/**
 * Whether this node probes the backends of @p pool through their tunnels: its check says so; or it
 * is another site's, has a check, and is the backup of a service here. Whether a backup serves this
 * site's VIP shows in no other way.
 */
bool probe_is_tunnelled(const struct model *m, const struct model_pool *pool);
/**
 * The largest outer packet that must get through to @p pool if it is another site's: the smallest
 * backup_mtu of the services here whose backup it is, else the node's mtu. 0: it is the own site's,
 * where packets of full size are not asked for.
 */
uint16_t probe_backup_mtu(const struct model *m, const struct model_pool *pool);
/**
 * The paths of the probes of @p pool, which has a check: of each service at the own site that uses
 * the pool, or has it as its backup, the first address of each family; each address and port once. @return how many; 0: it
 * serves no VIP here
 */
size_t probe_paths(const struct model *m, const struct model_pool *pool,
                   struct probe_path out[PROBE_PATHS_MAX]);

/**
 * The marks of all backends whose pool is probed through tunnels (probe_is_tunnelled()) and serves a
 * VIP at @p m's own site. A mark is made from pool and backend alone, unless two fall
 * together; so it stays with them while others come and go.
 *
 * @param out  given: free(); sorted by pool and backend
 * @return 0, -ENOENT (the model has no own node), -E2BIG over PROBES_MAX, or -ENOMEM
 */
MUST_CHECK int probe_marks(const struct model *m, struct probe_mark **out, size_t *n);

/** A tunnel, as the table has it. */
struct probe_tunnel {
	uint32_t mark;
	struct addr backend;
	bool gue;
	/** of the route to the backend, a VLAN's own; 0: as the route to the VIP */
	uint32_t ifindex;
};
/**
 * probe_tunnel.ifindex of a backend to which there is no route: its probes are dropped, as users'
 * packets are. Asked to send by an interface, the kernel would take an IPv4 address without a route
 * to be on that link.
 */
#define PROBE_NO_WAY UINT32_MAX

/** What has become of marked packets. */
struct probe_counts {
	uint64_t sent;      /**< into their tunnels */
	uint64_t unknown;   /**< dropped: no such mark */
	uint64_t no_source; /**< dropped: no tunnel source of the backend's family */
	uint64_t too_big;   /**< dropped: no room for the outer header */
	uint64_t no_route;  /**< dropped: no way to the backend */
};

struct probes;

/** Load the program, attached nowhere, with an empty table. @return 0, -EPERM or -errno */
MUST_CHECK int probe_open(struct probes **out);
/** Let go. Programs that are attached stay, with their table. NULL is fine. */
void probe_close(struct probes *p);
/** Outer source prefixes; NULL: none of that family. @return 0 or -errno */
MUST_CHECK int probe_set_sources(struct probes *p, const struct prefix *source4,
                                 const struct prefix *source6);
/**
 * Make the table hold exactly @p tunnels: new ones first, then the others go.
 * @return 0 or -errno
 */
MUST_CHECK int probe_set_tunnels(struct probes *p, const struct probe_tunnel *tunnels, size_t n);
/**
 * Put the program on the egress of @p ifname, in place of an earlier process's, at once.
 * @return 0, -ENODEV, -EBUSY (another qdisc is in the place of clsact) or -errno
 */
MUST_CHECK int probe_attach(struct probes *p, const char *ifname);
/**
 * Whether @p ifname carries this process's program now.
 * @return 0, -ENOENT (it does not), -ENODEV (there is no such interface) or -errno
 */
int probe_attached(const struct probes *p, const char *ifname);
/** Change a tunnel that is in the table. @return 0, -ENOENT or -errno */
MUST_CHECK int probe_change_tunnel(struct probes *p, const struct probe_tunnel *tunnel);
/** Take the program off @p ifname. @return 0, -ENOENT or -errno */
int probe_detach(struct probes *p, const char *ifname);
MUST_CHECK int probe_counts(const struct probes *p, struct probe_counts *out);

#endif
