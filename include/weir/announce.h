/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The announce page: what weir-announce intends for each address, what the kernel and the routing
 * daemon show of it, and why.
 *
 * weir-announce alone writes RUN/announce.page; weir-mgmt and the command line read it, without any
 * privilege. The page outlives the process, and the routes do so too: with an old page
 * (announced_node.alive_ms) the reader must show what is announced as *unknown*. Of an earlier
 * process of the same boot, weir-announce itself reads the hold-downs.
 *
 * Implemented in pages/announce.c. Writing is for one thread; a struct announced_page belongs to
 * one thread.
 */
#ifndef WEIR_ANNOUNCE_H
#define WEIR_ANNOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"

/** The page's name in the run directory. */
#define ANNOUNCED_PAGE_FILE      "announce.page"
#define ANNOUNCED_PAGE_KIND      "announce"
#define ANNOUNCED_PAGE_LAYOUT    1u
#define ANNOUNCED_MAX            4096u /**< addresses of a node */
#define ANNOUNCED_NEIGHBOURS_MAX 32u   /**< of the routing daemon */
#define ANNOUNCED_TEXT_MAX       64u   /**< of names and versions, NUL included */
#define ANNOUNCED_PROBLEM_MAX    128u
#define ANNOUNCE_NODE_MAX        64u /**< room for a node's name, NUL included */

/** In which kernel table the route is, or shall be. */
enum announce_table { ANNOUNCE_NONE, ANNOUNCE_NORMAL, ANNOUNCE_SHUTDOWN };

/**
 * The facts, in the order in which they are missed: name, label, what is so when it is not proved,
 * and what to do.
 */
#define ANNOUNCE_FACTS(X)                                                                          \
	X(DOCUMENT, "document", "the newest document is not in force in weir-dataplane",           \
	  "look for document-refused in weir status")                                              \
	X(PEERS, "peers-state", "the connection state of the peers has not arrived",               \
	  "it ends by itself; look for connections-pending in weir status")                        \
	X(PORT, "port", "no port is up", "check cable, carrier and switch")                        \
	X(PROGRAM, "program", "the forwarding program is not attached, or no worker runs",         \
	  "look at weir-dataplane in weir status and in the log")                                  \
	X(COVERED, "each-port", "a port without the forwarding program loses packets",             \
	  "see weir-dataplane in weir status; remove unused ports")                                \
	X(HOPS, "next-hops", "the next hops are not known",                                        \
	  "check routes and neighbours of the node")                                               \
	X(POOLS, "pools", "no pool of the VIP has a backend that packets would be given",          \
	  "look at the backends with weir status")                                                 \
	X(PROBE, "probe-packet", "no probe packet for the VIP came out forwarded",                 \
	  "look at weir-dataplane in the log; try weir trace")                                     \
	X(SOCKETS, "sockets",                                                                      \
	  "weir-dns has not said that it serves the address and answers there",                    \
	  "look for listen-failed in weir status: another server may have port 53 (ss -lnutp)")    \
	X(LEAVES, "leaves", "nothing leaves by any port to the VIP's backends",                    \
	  "look for frames-not-sent in weir status, which names the port and the likely cause")

#define ANNOUNCE_FACT_ENUM(name, label, text, action) ANNOUNCE_FACT_##name,
enum announce_fact { ANNOUNCE_FACTS(ANNOUNCE_FACT_ENUM) ANNOUNCE_FACT_COUNT };
#undef ANNOUNCE_FACT_ENUM

/**
 * Why an address is in its table: name, the label of metrics, and the text: what is so, and what to
 * do. The reasons up to KEPT_STARTED are of announced ones.
 */
#define ANNOUNCE_REASONS(X)                                                                         \
	X(ANNOUNCED, "announced", "announced: all that is needed is proved")                        \
	X(KEPT_UNPROVED, "kept-unproved",                                                           \
	  "announced, although not all is proved any more: missing information never withdraws a "  \
	  "VIP")                                                                                    \
	X(KEPT_UNCONFIRMED, "kept-unconfirmed",                                                     \
	  "announced against the evidence: no other node has confirmed that it announces and "      \
	  "forwards this VIP. Remove the cause, or withdraw the VIP by hand")                       \
	X(KEPT_PROMISED, "kept-promised",                                                           \
	  "announced against the evidence for at most 10 s: another node has withdrawn it and "     \
	  "relies on this node. Remove the cause")                                                  \
	X(KEPT_STARTED, "kept-started",                                                             \
	  "announced against the evidence: weir-announce started less than 10 s ago. Before this, " \
	  "it may have promised another node to stay. Wait 10 s")                                   \
	X(DRAINING, "draining",                                                                     \
	  "graceful shutdown by a person's command: routers prefer the other nodes")                \
	X(DRAIN_UNCONFIRMED, "drain-unconfirmed",                                                   \
	  "graceful shutdown by a person's command, and not withdrawn: no other node has "          \
	  "confirmed that it announces and forwards this VIP. Withdraw it by hand if it must go")   \
	X(RETURNING, "returning",                                                                   \
	  "graceful shutdown: the drain has ended, and not all is proved yet")                      \
	X(PORT_DOWN, "port-down", "withdrawn: no port is up. Check cable, carrier and switch")      \
	X(PROGRAM_GONE, "program-gone",                                                             \
	  "withdrawn: the forwarding program is not attached, or no worker runs. Look at "          \
	  "weir-dataplane in weir status and in the log")                                           \
	X(SOCKETS_MISSING, "sockets-missing",                                                       \
	  "withdrawn: weir-dns does not serve the address by UDP and TCP. Look for listen-failed "  \
	  "in weir status: another server may have port 53")                                        \
	X(NOTHING_LEAVES, "nothing-leaves",                                                         \
	  "withdrawn: the drivers do not take what is to leave for the VIP's backends. Look for "   \
	  "frames-not-sent in weir status, which names the port and the likely cause")              \
	X(PORT_UNCOVERED, "port-uncovered",                                                         \
	  "withdrawn: a port is up without the forwarding program, so packets that come in by it "  \
	  "are lost. Look at weir-dataplane in weir status and in the log")                         \
	X(POOLS_DOWN, "pools-down",                                                                 \
	  "withdrawn: no pool of the VIP has a backend that packets would be given. Look at the "   \
	  "backends with weir status")                                                              \
	X(PROBE_REFUSED, "probe-refused",                                                           \
	  "withdrawn: the program does not forward a probe packet for the VIP. Look at "            \
	  "weir-dataplane in the log, and at weir trace")                                           \
	X(WAITING, "waiting", "not announced yet: not all is proved")                               \
	X(HELD, "held-down",                                                                        \
	  "not announced yet: held down after a failure while other nodes announce it. The "        \
	  "hold-down ends by itself")                                                               \
	X(DRAINED, "drained", "withdrawn: the node is drained by a person's command. Undrain it")   \
	X(WITHDRAWN, "withdrawn", "withdrawn by a person's command")                                \
	X(STOPPED, "stopped", "withdrawn: Weir is being stopped on this node")                      \
	X(NOT_CONFIGURED, "not-configured", "not announced: the configuration does not name it")    \
	X(UNREAD, "unread",                                                                         \
	  "unknown: the kernel's routes could not be read yet. Look for routes-failed in weir "     \
	  "status")                                                                                 \
	X(FAILED, "failed", "withdrawn after a failure, and not all is proved since")

#define ANNOUNCE_REASON_ENUM(name, label, text) ANNOUNCE_REASON_##name,
enum announce_reason { ANNOUNCE_REASONS(ANNOUNCE_REASON_ENUM) ANNOUNCE_REASON_COUNT };
#undef ANNOUNCE_REASON_ENUM

/** Answers: name and label. All but CONFIRMED are refusals. */
#define ANNOUNCE_ANSWERS(X)                                                                        \
	X(CONFIRMED, "confirmed")                                                                  \
	X(NOT_ANNOUNCED, "not-announced") /* or not proved to be exported to a neighbour */        \
	X(COMMANDED, "commanded")         /* a person drains or withdraws it here, too */          \
	X(NOT_FORWARDED, "not-forwarded") /* not proved: port, program, probe packet */            \
	X(SAME_EVIDENCE, "same-evidence") /* its pools fail as well; it may be a tie later */      \
	X(LOWER_NAME_STAYS, "lower-name-stays") /* a tie, and this node has not the lowest name */ \
	X(OWN_QUESTION, "own-question") /* two nodes have one name, or a message came back */      \
	X(STALE, "stale")               /* what it knows is too old, as after a pause: ask again */

#define ANNOUNCE_ANSWER_ENUM(name, label) ANNOUNCE_ANSWER_##name,
enum announce_answer { ANNOUNCE_ANSWERS(ANNOUNCE_ANSWER_ENUM) ANNOUNCE_ANSWER_COUNT };
#undef ANNOUNCE_ANSWER_ENUM

/** What holds for the node as a whole. Times are ms since boot (base/clock.h). */
struct announced_node {
	uint64_t document;    /**< model_meta.document by which it announces; 0: none */
	uint64_t alive_ms;    /**< the writer's last sign of life */
	uint64_t incarnation; /**< of the writer, in its questions */
	uint32_t n_addresses, n_neighbours;
	uint32_t table,
	        shutdown_table; /**< numbers of the kernel's tables; 0: no daemon is configured */
	char daemon[ANNOUNCED_TEXT_MAX];       /**< "bird", "frr", "none" */
	char daemon_state[ANNOUNCED_TEXT_MAX]; /**< "answers", "absent", "silent", "strange" */
	char version[ANNOUNCED_TEXT_MAX];      /**< of the daemon; "": unknown */
	char problem[ANNOUNCED_PROBLEM_MAX];   /**< why the daemon is not believed; "": it is */
};

/** A BGP neighbour of the daemon; its index is the bit in announced_address.exported. */
struct announced_neighbour {
	char name[ANNOUNCED_TEXT_MAX];
	uint8_t established;
	uint8_t reserved[7];
};

/** One address of a VIP, or of DNS. Times are ms since boot; 0: never. */
struct announced_address {
	uint64_t vip; /**< hash_text() of the VIP's name; 0: it is an address of DNS */
	struct addr address;
	uint64_t since_ms; /**< since when table and reason are so */
	/** since when the daemon shows something else than is intended; 0: it does not */
	uint64_t differs_ms;
	uint64_t read_ms; /**< when the daemon last said something about it */
	/** when the question that is open was sent to the other nodes; 0: none */
	uint64_t query_ms;
	uint64_t promised_until_ms; /**< until then it is not withdrawn for a shared cause */
	uint64_t failed_ms;         /**< the failure of the hold-down */
	uint32_t hold_ms;           /**< the whole hold-down after it; 0: none */
	uint32_t held_ms;           /**< what is left of it */
	uint32_t exported;          /**< neighbours that get it */
	uint8_t table;              /**< intended: enum announce_table */
	uint8_t reason;             /**< enum announce_reason */
	uint8_t fact; /**< enum announce_fact that was missed first; ANNOUNCE_FACT_COUNT: none */
	uint8_t in_kernel; /**< bit 1 << enum announce_table: it has a route there */
	uint8_t imported;  /**< likewise: the daemon shows it from there */
	/** by enum announce_fact, an enum proof_fact (weir/proof.h): what is proved of it */
	uint8_t truth[ANNOUNCE_FACT_COUNT];
	/** which tables the daemon has imported it from is known; without, imported says nothing */
	uint8_t is_read;
	/** 1: the neighbours that get the route are known; 0: an empty `exported` says nothing */
	uint8_t is_export_read;
	uint8_t reserved[3];
	/** since when nothing that withdraws is so: the hold-down counts; 0: it is */
	uint64_t good_ms;
};
_Static_assert(sizeof(struct announced_address) == 112, "announce page layout");

struct announced_page;

/** Writer: make or take over the page below @p run_dir. @return 0 or -errno */
MUST_CHECK int announced_create(const char *run_dir, struct announced_page **out);
/**
 * Writer: publish all. The counts and the sign of life of @p node are set here.
 * @param addresses   [n], at most ANNOUNCED_MAX are published
 * @param neighbours  [n_neighbours], at most ANNOUNCED_NEIGHBOURS_MAX
 */
void announced_publish(struct announced_page *p, const struct announced_node *node,
                       const struct announced_address *addresses, size_t n,
                       const struct announced_neighbour *neighbours, size_t n_neighbours,
                       uint64_t now_ms);
/** Writer, once a second: put the page back at its path if somebody removed or damaged it. */
void announced_keep(struct announced_page *p);

/**
 * Open RUN/announce.page of weir-announce.
 * @return 0, -ENOENT (weir-announce never ran), -EPERM (another user's), -EPROTO or -errno
 */
MUST_CHECK int announced_open(const char *run_dir, struct announced_page **out);
/** Reader or writer; the file stays. NULL is fine. */
void announced_close(struct announced_page *p);
/**
 * Copy all, consistently.
 * @param addresses   [n_max]; node.n_addresses says how many there are
 * @param neighbours  [ANNOUNCED_NEIGHBOURS_MAX], or NULL
 * @return 0; -EAGAIN when the writer keeps changing it, -ESTALE when the page was replaced: open it
 *         again; -EPROTO; then the outputs are undefined
 */
int announced_read(const struct announced_page *p, struct announced_node *node,
                   struct announced_address *addresses, size_t n_max,
                   struct announced_neighbour *neighbours);

/**
 * Writer, before it publishes: what the writer before has left, also one that ended within a
 * publication. Then an address may be half of each publication: check what you believe.
 * @param addresses  [n_max]; node.n_addresses says how many of them are set
 * @return 0, or -ENOENT: there was no writer
 */
MUST_CHECK int announced_read_left(const struct announced_page *p, struct announced_node *node,
                                   struct announced_address *addresses, size_t n_max)
        NONNULL(1, 2, 3);

/** The label of metrics and JSON: "kept-unproved". */
const char *announce_reason_label(enum announce_reason reason);
/** What is so, and what to do. */
const char *announce_reason_text(enum announce_reason reason);
/** "probe-packet"; "" for ANNOUNCE_FACT_COUNT. */
const char *announce_fact_label(enum announce_fact fact);
/** What is so when it is not proved. */
const char *announce_fact_text(enum announce_fact fact);
/** What to do about it. */
const char *announce_fact_action(enum announce_fact fact);
/** "confirmed" */
const char *announce_answer_label(enum announce_answer answer);
/** "none", "normal", "shutdown" */
const char *announce_table_label(enum announce_table table);

#endif
