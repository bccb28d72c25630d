/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Where a cluster's shared intent is: CONF/store.conf, a file of each node. It stands beside the configuration and not in
 * it, because the configuration itself is in that store.
 *
 * `weir store init` and `join` write it, and a person may edit it: one JSON object, all but the first two may be missing.
 *
 *   {
 *     "id": "0123456789abcdef0123456789abcdef",     of the store that the members have
 *     "endpoints": ["https://10.0.0.1:2379"],       members of etcd, tried in this order
 *     "prefix": "/weir/",                           of all keys: of an etcd that others use, too
 *     "ca": "ca.crt",                               verifies members; paths are relative to CONF
 *     "certificate": "node.crt", "key": "node.key", what this node shows to members
 *     "user": "weir", "password_file": "password"
 *   }
 *
 * Implemented in mgmt/store/store_conf.c. Any thread may call.
 */
#ifndef WEIR_MGMT_STORE_STORE_CONF_H
#define WEIR_MGMT_STORE_STORE_CONF_H

#include <stdbool.h>

#include "base/checked.h"
#include "mgmt/etcd/gateway.h"
#include "mgmt/store/shared_etcd.h"

#define STORE_CONF_FILE   "store.conf"
#define STORE_CONF_MAX    ((size_t)64 * 1024) /**< bytes of the file */
#define STORE_CONF_PREFIX "/weir/"
#define STORE_ID_MAX      33u /**< 32 hexadecimal digits and the NUL */

struct store_conf {
	char id[STORE_ID_MAX];
	char endpoints[ETCD_ENDPOINTS_MAX][ETCD_URL_MAX];
	uint32_t n_endpoints;
	char prefix[SHARED_PREFIX_MAX]; /**< never "": STORE_CONF_PREFIX where the file has none */
	char user[ETCD_USER_MAX];
	char password_file[PATH_MAX], ca[PATH_MAX], certificate[PATH_MAX], key[PATH_MAX];
};

/** Whether @p id can be a store's: 32 digits 0-9 and a-f. */
bool store_conf_is_id(const char *id);
/**
 * Read CONF/store.conf.
 * @return 0; -ENOENT: there is none; -EINVAL: it is wrong, and @p reason says what and where; or -errno with a reason, too.
 *   @p out is untouched on failure
 */
MUST_CHECK int store_conf_read(const char *conf_dir, struct store_conf *out,
                               char reason[ETCD_REASON_MAX]);
/** Whether there is a CONF/store.conf, also one that is wrong: then this node's versions are not its own. */
bool store_conf_is_there(const char *conf_dir);
/**
 * Write it whole, or leave what was there. Its group may read it (0640), as the password is in a file of its own.
 * @return 0, -EINVAL (as for reading) or -errno, with a reason
 */
MUST_CHECK int store_conf_write(const char *conf_dir, const struct store_conf *c,
                                char reason[ETCD_REASON_MAX]);
/** What the client of etcd needs of it: paths from @p conf_dir on. @return 0, or -ENAMETOOLONG */
MUST_CHECK int store_conf_settings(const struct store_conf *c, const char *conf_dir,
                                   struct etcd_settings *out);

#endif
