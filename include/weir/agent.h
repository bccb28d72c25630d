/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The backend agent: an XDP program that removes tunnels on a real server.
 *
 * It is attached to a backend's interface, removes IPIP (4in4, 6in4, 4in6, 6in6) and GUE (UDP port
 * 6080, variants 0 and 1, over IPv4 and IPv6), and passes the inner packet to the kernel, which
 * needs no tunnel device for that. It accepts tunnels only from given source prefixes. A frame
 * without a tunnel passes untouched. A packet whose GUE header names earlier owners, and whose
 * connection is not here, goes to the next of them (docs/second-chance.md). In SYN-ACKs that leave by
 * the interface the MSS is lowered to what the tunnel carries (weir/fwd/mss.h). The kernel side is
 * bpf/agent.bpf.c over include/weir/fwd/decap.h, decap_second.h and mss.h.
 *
 * These functions are the user-space half, for the command line. The link is pinned, so the agent
 * outlives the command. Everything else is found through that one pin, so one step replaces all of
 * it. Implemented in bpf/agent.c, agent_mss.c, agent_reasons.c and agent_second.c; any thread, one at
 * a time.
 */
#ifndef WEIR_AGENT_H
#define WEIR_AGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "weir/fwd/decap_reason.h"
#include "weir/fwd/mss.h"

#define AGENT_PREFIXES_MAX 1024u
#define AGENT_NETNS_MAX    7u
/** Enough for agent_error texts, with the NUL. */
#define AGENT_ERROR_MAX 1024
/** agent_options.mss besides a number of AGENT_MSS_MIN to AGENT_MSS_MAX. */
#define AGENT_MSS_AUTO 0u /**< what the tunnel carries */
#define AGENT_MSS_OFF  1u /**< left as it is */
#define AGENT_MSS_MIN  536u
#define AGENT_MSS_MAX  65495u

/** How to attach. */
enum agent_mode {
	AGENT_MODE_AUTO,    /**< in the driver, else generic */
	AGENT_MODE_NATIVE,  /**< in the driver only */
	AGENT_MODE_GENERIC, /**< behind the driver */
};

struct agent_options {
	const struct prefix *prefixes; /**< accepted outer sources, borrowed */
	size_t n_prefixes;             /**< 1..AGENT_PREFIXES_MAX */
	/**
	 * The backends' own prefixes: tunnels are accepted from there, too, and packets may
	 * be passed on to them. Together with @c prefixes at most AGENT_PREFIXES_MAX; none:
	 * no packet is passed on.
	 */
	const struct prefix *owners;
	size_t n_owners;
	/**
	 * Network namespaces searched for sockets beside the caller's: names in /run/netns, or
	 * paths.
	 */
	const char *const *netns;
	size_t n_netns;      /**< 0..AGENT_NETNS_MAX */
	const char *bpf_dir; /**< below a bpffs; made if it is missing */
	enum agent_mode mode;
	uint32_t mss; /**< bound of the MSS in SYN-ACKs of the VIPs: AGENT_MSS_*, or a number */
};

/** Whether SYN-ACKs are lowered. */
enum agent_mss_force {
	AGENT_MSS_UNKNOWN,  /**< the program in force is another release's */
	AGENT_MSS_NOT_USED, /**< AGENT_MSS_OFF */
	AGENT_MSS_MISSING,  /**< they are to be, and the program at the egress is not there */
	AGENT_MSS_IN_FORCE,
};

/** What the agent does with the MSS of SYN-ACKs. */
struct agent_mss {
	enum agent_mss_force force;
	uint32_t setting;    /**< as agent_options.mss */
	uint32_t mtu;        /**< the interface's, now; 0: not known */
	uint32_t n_services; /**< VIPs and ports whose SYNs came in tunnels */
	uint32_t overhead;   /**< what the largest of their tunnels takes, bytes; 0: none came */
	uint64_t ends[MSS_END_COUNT];
};

/** What an agent has done, by reason. */
struct agent_count {
	uint64_t packets, bytes; /**< bytes of whole frames as they came in */
};

/** A prefix that tunnels are accepted from. */
struct agent_prefix {
	struct prefix prefix;
	bool is_owner; /**< packets may be passed on to it */
};

struct agent_status {
	enum agent_mode mode; /**< AGENT_MODE_NATIVE or AGENT_MODE_GENERIC */
	uint32_t prog_id;
	uint64_t since_mono_ms; /**< when the program was loaded (ms since boot) */
	struct agent_count counts[DECAP_REASON_COUNT];
	size_t n_prefixes;
	struct agent_prefix prefixes[AGENT_PREFIXES_MAX]; /**< sorted */
	uint32_t n_netns; /**< namespaces searched for sockets, its own included */
	bool passes_on;   /**< packets for other owners are sent on */
	struct agent_mss mss;
};

/**
 * Attach the agent to @p ifname in the caller's network namespace, or replace the one that is
 * there: prefixes change at once, counters go on, no packet passes in between.
 *
 * If only the program for the MSS cannot be attached, the agent runs without it, and agent_status()
 * says so. An earlier agent's program at the ingress that cannot be detached stays, and does nothing.
 *
 * @param error  on failure a text for people, on success "" or a warning; may be NULL
 * @return 0, or with everything as it was:
 *         -EINVAL  no or too many prefixes or namespaces, an impossible MSS;
 *         -ENODEV  no such interface; -EBUSY  another XDP program is attached;
 *         -EEXIST  the pin belongs to an interface of that name in another network namespace;
 *         -EPERM; or -errno
 */
MUST_CHECK int agent_attach(const char *ifname, const struct agent_options *options,
                            char error[AGENT_ERROR_MAX]);

/**
 * Take the agent off @p ifname.
 * @return 0, -ENOENT when there is none, or -errno
 */
int agent_detach(const char *ifname, const char *bpf_dir, char error[AGENT_ERROR_MAX]);

/**
 * Read what the agent at @p ifname does, from the program that is attached.
 * @param out  untouched on failure; some 30 KiB
 * @return 0, -ENOENT when there is none, or -errno
 */
MUST_CHECK int agent_status(const char *ifname, const char *bpf_dir, struct agent_status *out,
                            char error[AGENT_ERROR_MAX]);

/**
 * Whether nodes name earlier owners to the agent of @p s (a pool with agent = true) and it was
 * given no prefix to pass packets on to: segments of connections that moved are dropped here.
 */
bool agent_lacks_owners(const struct agent_status *s);

/**
 * What is wrong with the MSS of SYN-ACKs, as a sentence with what to do; NULL: nothing, or no one
 * wants it lowered.
 */
const char *agent_mss_trouble(const struct agent_mss *m);
/** The word of what became of a SYN-ACK: "lowered". */
const char *agent_mss_end_name(enum mss_end end);
/** Its sentence. */
const char *agent_mss_end_help(enum mss_end end);

/** The word of a reason: "source-refused". */
const char *agent_reason_name(enum decap_reason reason);
/** The sentence of a reason, for status and documentation. */
const char *agent_reason_help(enum decap_reason reason);
/** Whether a frame that ended so was dropped. */
bool agent_reason_is_drop(enum decap_reason reason);

#endif
