/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * From one driver to another: what the tables of the old one hold goes to the new one, so that
 * flows go on where they are. At the first start of a process too, when another driver's
 * tables are what is left of the one before.
 *
 *   change_open()    new driver, tables filled with the old ones' content; the old forwards
 *   node_document()  the document, on the new tables
 *   change_ports()   new driver's code into the ports, the old one's out
 *   change_end()     what packets changed meanwhile; the old driver's state goes
 */
#ifndef WEIR_DATAPLANE_CHANGE_H
#define WEIR_DATAPLANE_CHANGE_H

#include <limits.h>

#include "base/proc.h"
#include "dataplane/mapped.h"
#include "dataplane/node.h"
#include "weir/model.h"

struct carry;

struct change {
	const struct driver_ops *ops, *old_ops; /**< old_ops NULL: there is no other's state */
	struct driver *driver, *old_driver;     /**< old_driver NULL: its process is no more */
	struct mapped old_mapped;               /**< of that case */
	struct fwd_tables old, now;
	struct carry *carry;
	char dir[PATH_MAX], old_dir[PATH_MAX];
	bool kept; /**< the tables hold what an earlier process, or the other driver, put there */
};

/**
 * Open @p ops for @p m's node.
 * @param old_ops, old_driver  the driver in force; NULL: none in this process
 * @return 0 or -errno with @p why, everything as it was
 */
int change_open(struct change *c, const struct proc_dirs *dirs, const struct driver_ops *ops,
                const struct model *m, const struct driver_sizes *sizes,
                const struct driver_ops *old_ops, struct driver *old_driver,
                struct driver_why *why);
/** The document was refused: the new driver goes, unless its tables were there before. */
void change_undo(struct change *c);
/** Ports of the old driver that the new one cannot take while it has them: @p m names the old ports. */
void change_free_ports(struct change *c, const struct model *m);
/** All ports of the new one are attached: end the old one. @return what to say of it went wrong, in @p why, or "" */
void change_end(struct change *c, struct driver_why *why);

#endif
