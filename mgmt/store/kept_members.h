/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * STATE/store/members: the addresses of the store's members, as they last said them to weir-mgmt of this node. store.conf
 * may be older than some members, so its endpoints alone may be a dead host's. Implemented in mgmt/store/kept_members.c.
 * Any thread may call.
 */
#ifndef WEIR_MGMT_STORE_KEPT_MEMBERS_H
#define WEIR_MGMT_STORE_KEPT_MEMBERS_H

#include "base/checked.h"
#include "mgmt/etcd/gateway.h"

/**
 * Read the file, and add to @p settings the members that it has in addition: those reached by TLS, and only where the
 * first endpoint is reached by TLS, too. A file that is not there, or cannot be read, adds none.
 * @param known  out: what the file says; may be NULL
 */
void kept_members_add(const char *state_dir, struct etcd_settings *settings,
                      struct etcd_endpoints *known);
/** Write the file. @return 0 or -errno */
MUST_CHECK int kept_members_write(const char *state_dir, const struct etcd_endpoints *known);

#endif
