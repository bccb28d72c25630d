/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Inside the XDP driver: a set of tables with the program that reads them.
 *
 * A set is a directory of pins, BPF/CLUSTER/NODE/tables-N/: one pin for each map, and "prog". The
 * symbolic link "current" beside it names the set in force; one rename moves it. For bpf/xdp_*.c
 * alone, by the thread that drives the driver.
 */
#ifndef WEIR_BPF_XDP_INTERNAL_H
#define WEIR_BPF_XDP_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "bpf/not_sent.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"
#include "weir/layout.h"

/** What was found of pins, and made again. */
struct xdp_pins {
	uint32_t n_renewed;
	int err;                      /**< the first pin that could not be made; 0: none */
	struct driver_reason *reason; /**< with err: which, and why */
};

struct xdp_set {
	unsigned number; /**< tables-N */
	int map_fds[FWD_TABLE_COUNT];
	int prog_fd;
	int ports_fd; /* a map of the program: the ports that frames may leave by */
	struct layout_table maps[FWD_TABLE_COUNT];
	struct driver_sizes sizes;
	struct fwd_tables tables; /**< the maps as the shared code sees them */
};

/** Where it can be seen that a port's driver did not take a frame. */
enum xdp_losses {
	XDP_LOSSES_UNKNOWN, /**< not known: perhaps nowhere */
	XDP_LOSSES_TRACED,  /**< at the kernel's tracepoints */
	XDP_LOSSES_COUNTED, /**< there, and for a full ring in its statistics alone */
};

struct xdp_port {
	struct driver_port shown;
	int link_fd;
	enum xdp_losses losses;
	uint64_t queried_ms; /* when shown.program was read back; 0: never */
};

#define XDP_NOT_SENT_LINKS 4u
/** What drivers did not take, as the kernel counts it (bpf/not_sent.h). */
struct xdp_not_sent {
	struct not_sent_state *state; /* mapped; NULL: the kernel does not let us know */
	int map_fd;                   /* of `state` */
	int try_fd;                   /* the program that tries a port */
	int link_fds[XDP_NOT_SENT_LINKS];
	char problem[160]; /* without state: why */
};

/** The XDP driver: struct driver (weir/driver.h) to its callers. */
struct xdp_driver {
	char dir[PATH_MAX];
	int dir_fd; /* locked */
	struct xdp_set now, next;
	struct carry *carry; /* copies now into next; NULL while there is no next */
	struct xdp_not_sent not_sent;
	unsigned last_number;
	uint32_t n_renewed; /* pins, since keep_pins() said so last */
	struct xdp_port ports[DRIVER_PORTS_MAX];
	size_t n_ports;
};

/** What is read back of a port. */
enum xdp_carries {
	XDP_CARRIES_PROGRAM, /**< this process's program */
	XDP_CARRIES_OTHER,   /**< another one, or it cannot be read: packets may be forwarded */
	XDP_CARRIES_NONE,
};
/** What the link of @p p holds, compared with the program of @p d. */
enum xdp_carries xdp_carries(const struct xdp_driver *d, const struct xdp_port *p);
/** The id of the program of @p prog_fd; 0: it cannot be read. */
uint32_t xdp_program_id(int prog_fd);
/** As driver_ops.may_forward(). */
bool xdp_may_forward(const struct driver *driver, const char *interface);
/** As driver_ops.prove(). */
MUST_CHECK int xdp_prove(struct driver *driver, struct driver_probes *batch);

/**
 * Count from now on what drivers do not take, in the map below @p dir: the kernel goes on with it
 * when the process has ended. Where the kernel refuses, nothing is counted, and nothing else is
 * harmed.
 */
void xdp_not_sent_open(struct xdp_not_sent *n, const char *dir);
/** Pin again what is missing of that. */
void xdp_not_sent_keep_pins(const struct xdp_not_sent *n, const char *dir, struct xdp_pins *k);
/** Counting goes on. All that follow do nothing where it was not opened. */
void xdp_not_sent_close(struct xdp_not_sent *n);
/** The forwarding program with id @p id comes into the ports; those before it still count. */
void xdp_not_sent_program(const struct xdp_not_sent *n, uint32_t id);
/** The port @p interface is the interface @p ifindex; 0: it is no port any more. */
void xdp_not_sent_port(const struct xdp_not_sent *n, const char *interface, uint32_t ifindex);
/**
 * Count what the statistics of @p port say, of a driver that tells a full ring nowhere else.
 * @param ours  the port carries our program; else that is passed over
 */
void xdp_not_sent_statistics(const struct xdp_not_sent *n, const struct driver_port *port,
                             bool ours);
/** Fill in what is known of @p port: not_sent and what follows. */
void xdp_not_sent_show(const struct xdp_not_sent *n, enum xdp_losses losses,
                       struct driver_port *port);
/** As driver_ops.keep_left_nothing(). */
void xdp_not_sent_keep(const struct xdp_not_sent *n, uint32_t ifindex, bool left_nothing);
/** As driver_ops.try_port(). */
int xdp_not_sent_try(const struct xdp_not_sent *n, uint32_t ifindex);
/** As driver_ops.not_sent(). */
uint64_t xdp_not_sent_uncounted(const struct xdp_not_sent *n);
/** As driver_ops.not_sent_counted(). */
void xdp_not_sent_counted(const struct xdp_not_sent *n, uint64_t frames);
/** Whether @p interface has a link; @p up is untouched if the kernel does not say. */
void xdp_statistics_link(const char *interface, bool *up);
/** Where the driver of @p interface says what it did not take. Implemented in xdp_statistics.c. */
enum xdp_losses xdp_statistics_losses(const char *interface, bool native);
/**
 * Frames to be sent by XDP that the driver of @p interface dropped by its own statistics, since it
 * began to count. @return 0 or -errno: it has no such statistics, and @p lost is untouched
 */
int xdp_statistics_lost(const char *interface, uint64_t *lost);
/** Count in @p row what is new in such statistics, which are now @p lost. @p ours as above. */
void xdp_statistics_add(struct not_sent_port *row, uint64_t lost, bool ours);
/** Remove map and links below @p dir: counting ends. */
void xdp_not_sent_remove(const char *dir);

/** Pin @p fd at @p path, in place of an earlier pin. @return 0 or -errno */
MUST_CHECK int xdp_pin_over(int fd, const char *path);
/** Pin it there if nothing or another object is pinned there. */
void xdp_pin_keep(struct xdp_pins *k, int fd, const char *path);
/** Note that @p path was made again, or with @p err that it could not be. */
void xdp_pins_note(struct xdp_pins *k, int err, const char *path);

/** Make @p s empty: nothing is open. */
void xdp_set_init(struct xdp_set *s);
/**
 * Open and map the pinned set tables-@p number below @p dir.
 * @return 0, -ENOENT, -EPROTO (another layout) or -errno with @p reason
 */
MUST_CHECK int xdp_set_open(struct xdp_set *s, const char *dir, unsigned number, bool writable,
                            struct driver_reason *reason);
/**
 * Make a set of @p sizes with the program of this release, mapped and with root filled in; not
 * pinned.
 */
MUST_CHECK int xdp_set_make(struct xdp_set *s, const struct driver_sizes *sizes,
                            struct driver_reason *reason);
/** Load the program of this release onto the maps of @p s, in place of the one in s->prog_fd. */
MUST_CHECK int xdp_set_load(struct xdp_set *s, struct driver_reason *reason);
/** Pin @p s as tables-@p number below @p dir; only its program if the maps are pinned already. */
MUST_CHECK int xdp_set_pin(struct xdp_set *s, const char *dir, unsigned number,
                           struct driver_reason *reason);
/** Pin again what is missing of @p s; @p in_force: its program and "current", too. */
void xdp_set_keep(const struct xdp_set *s, const char *dir, bool in_force, struct xdp_pins *k);
/** Let frames leave by port @p ifindex, or no longer. @return 0 or -errno */
int xdp_set_port(const struct xdp_set *s, uint32_t ifindex, bool ours);
/** Unmap and close; what is pinned stays. */
void xdp_set_close(struct xdp_set *s);
/** Close descriptors and leave the memory mapped, for a caller that keeps s->tables. */
void xdp_set_close_fds(struct xdp_set *s);
/** Unmap tables that xdp_set_close_fds() left mapped. */
void xdp_unmap(struct fwd_tables *t);
/** Remove the pins of tables-@p number below @p dir. */
void xdp_set_unpin(const char *dir, unsigned number);

/** The number that "current" below @p dir names. @return 0 or -ENOENT, -errno */
MUST_CHECK int xdp_current(const char *dir, unsigned *number);
/** Make "current" name @p number. @return 0 or -errno */
MUST_CHECK int xdp_current_set(const char *dir, unsigned number);
/**
 * Remove the pins of all sets below @p dir but @p keep (0: of all).
 * @return the highest number found
 */
unsigned xdp_sets_tidy(const char *dir, unsigned keep);

/** Set root's clock so that it agrees with CLOCK_MONOTONIC now. @return 0 or -errno */
MUST_CHECK int xdp_clock_sync(struct fwd_root *root);

/** Make @p dir on a bpffs, its parents included. @return 0 or -errno with @p reason */
MUST_CHECK int xdp_make_dir(const char *dir, struct driver_reason *reason);
/** Explain why loading failed; @p log is the verifier's, "" without. @return @p err */
int xdp_explain_load(struct driver_reason *reason, int err, const char *log);
/** Explain why attaching to @p interface failed. @return @p err */
int xdp_explain_attach(struct driver_reason *reason, int err, const char *interface);

#define XDP_NAME_MAX 256
/*
 * Why @p interface is busy, and what to do: Weir's own program is there, found by its pins beside
 * @p pin_dir, or another one. @return @p err
 */
int xdp_explain_busy(struct driver_reason *reason, int err, const char *pin_dir,
                     const char *interface, uint32_t ifindex);

#endif
