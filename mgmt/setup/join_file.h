/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * CONF/store.join: what another host needs to join a store, in one JSON object. It is a secret: with it anybody makes
 * a certificate that the store accepts.
 *
 * It comes from another host, so nothing in it is believed before join_file_read() has looked at it. It has no paths.
 *
 * Implemented in mgmt/setup/join_file.c. Any thread.
 */
#ifndef WEIR_MGMT_SETUP_JOIN_FILE_H
#define WEIR_MGMT_SETUP_JOIN_FILE_H

#include "base/checked.h"
#include "mgmt/setup/certificates.h"
#include "mgmt/setup/store_members.h"
#include "mgmt/store/store_conf.h"

#define JOIN_FILE     "store.join"
#define JOIN_FILE_MAX ((size_t)96 * 1024) /**< bytes of the file */

struct join_file {
	char warning[128]; /**< for who opens it */
	char id[STORE_ID_MAX];
	char endpoints[ETCD_ENDPOINTS_MAX][ETCD_URL_MAX];
	uint32_t n_endpoints;
	char prefix[SHARED_PREFIX_MAX];
	char user[ETCD_USER_MAX], password[ETCD_PASSWORD_MAX]; /**< "": none */
	char ca[CERTIFICATES_PEM_MAX]; /**< verifies members; "": what the host trusts */
	/** "": certificates are given at each host. Else certificates_sign() makes them with it */
	char ca_key[CERTIFICATES_PEM_MAX];
	/** of an etcd that is not Weir's own: what all nodes show; "": nothing */
	char certificate[CERTIFICATES_PEM_MAX], key[CERTIFICATES_PEM_MAX];
	bool is_own; /**< members are those that `weir store` sets up */
};

/**
 * Read the file @p path. @return 0; -ENOENT; -EINVAL: it is wrong, and @p reason says what; or -errno with a reason. @p out
 * is untouched on failure
 */
MUST_CHECK int join_file_read(const char *path, struct join_file *out,
                              char reason[ETCD_REASON_MAX]);
/** Write it to CONF/store.join, for root alone. @return 0 or -errno */
MUST_CHECK int join_file_write(const char *conf_dir, const struct join_file *j);

/**
 * Let the file @p path, of store @p id, name the members of @p l, so that it is of use when those that it named are lost. Its
 * mode and all else in it stays. One that is not root's own, that is of another store or of an etcd that is not Weir's own is
 * left alone. @return 0 or -errno
 */
MUST_CHECK int join_file_renew(const char *path, const char *id, const struct etcd_members *l);

#endif
