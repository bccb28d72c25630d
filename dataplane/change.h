/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * From one driver to another without losing flows: the content of the old tables goes into the new
 * ones. The same is done at the start of a process that finds the tables of another driver. The
 * steps:
 *
 *   change_open()          open the new driver, fill its tables; the old driver forwards
 *   compiler_apply_plan()  bring the document into force on the new tables
 *   change_free_ports()    detach the old driver where the new one cannot share the port
 *   change_follow()        copy the flows that began meanwhile
 *   attach_all()           attach the new driver's code
 *   change_follow()        copy the flows that began while it was attached
 *   change_end()           end the old driver, copy what packets changed meanwhile
 *
 * Implemented in change.c. The loop's thread calls all of this.
 */
#ifndef WEIR_DATAPLANE_CHANGE_H
#define WEIR_DATAPLANE_CHANGE_H

#include <limits.h>

#include "base/checked.h"
#include "base/proc.h"
#include "dataplane/tables/mapped.h"
#include "dataplane/tables/compiler.h"
#include "weir/model.h"

struct carry;

struct driver_change {
	const struct driver_ops *ops, *old_ops; /**< old_ops NULL: no other driver has left state */
	struct driver *driver, *old_driver;     /**< old_driver NULL: its process has ended */
	struct mapped old_mapped;               /**< then its tables */
	struct fwd_tables old, now;
	struct carry *carry;
	char dir[PATH_MAX], old_dir[PATH_MAX];
	bool kept; /**< the tables hold what an earlier process, or the other driver, put there */
};

/**
 * Open @p ops for @p m's node.
 * @param old_ops, old_driver  the driver in force; NULL: none in this process
 * @return 0 or -errno with @p reason, everything as it was
 */
int change_open(struct driver_change *c, const struct proc_dirs *dirs, const struct driver_ops *ops,
                const struct model *m, const struct driver_sizes *sizes,
                const struct driver_ops *old_ops, struct driver *old_driver,
                struct driver_reason *reason) MUST_CHECK;
/** The document was refused: close the new driver; remove its tables if they are copies. */
void change_undo(struct driver_change *c);
/**
 * Detach the old driver from ports that the two cannot share. @param m  names the
 * old ports
 */
void change_free_ports(struct driver_change *c, const struct model *m);
/** Flows that the old driver has begun to remember go on in the new one (weir/carry.h). */
void change_follow(struct driver_change *c);
/**
 * All ports of the new driver are attached: end the old one. @param reason  out: what failed, or ""
 */
void change_end(struct driver_change *c, struct driver_reason *reason);

#endif
