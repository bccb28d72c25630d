/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The member of etcd on this host: Debian's unit etcd.service with settings of ours. To be called as root.
 *
 *   ETCD_UNIT_SETTINGS   its settings; what was there before is kept as ETCD_UNIT_BEFORE
 *   ETCD_UNIT_DROP_IN    restarts it whenever it ends, and lets it wait for the other members without a limit of time
 *   ETCD_UNIT_TLS        certificates of the member, which user etcd may read
 *   ETCD_UNIT_DATA       its data: a directory of its own, as Debian starts a member of nothing when it installs etcd
 *
 * Implemented in mgmt/setup/etcd_unit.c and etcd_settings.c. One thread.
 */
#ifndef WEIR_MGMT_SETUP_ETCD_UNIT_H
#define WEIR_MGMT_SETUP_ETCD_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/setup/certificates.h"

#define ETCD_UNIT_SETTINGS "/etc/default/etcd"
#define ETCD_UNIT_BEFORE   "/etc/default/etcd.before-weir"
#define ETCD_UNIT_FOLDER   "/etc/systemd/system/etcd.service.d"
#define ETCD_UNIT_DROP_IN  ETCD_UNIT_FOLDER "/weir.conf"
#define ETCD_UNIT_TLS      "/etc/etcd-weir"
#define ETCD_UNIT_DATA     "/var/lib/etcd/weir"
#define ETCD_UNIT_DEFAULT  "/var/lib/etcd/default" /**< where Debian's settings have the data */

#define ETCD_UNIT_CLIENT_PORT 2379u
#define ETCD_UNIT_PEER_PORT   2380u
#define ETCD_UNIT_QUOTA       268435456u /**< bytes of the database: 256 MiB */
#define ETCD_UNIT_RELEASE     "3.4.23"   /**< release of etcd that Weir's tests run with */
#define ETCD_UNIT_REASON_MAX  1024u      /**< bytes of sentences with their NUL */
#define ETCD_UNIT_CLUSTER_MAX 4096u      /**< bytes of a list of members with its NUL */
#define ETCD_UNIT_NAME_MAX    64u        /**< bytes of a member's name with its NUL */

/** What a member is started with. */
struct etcd_unit {
	const char *id;      /**< of the store */
	const char *name;    /**< of the member: etcd_unit_name_ok() */
	const char *address; /**< of this host, in text */
	const char *cluster; /**< "ams-1=https://10.1.0.1:2380,...", itself included */
	bool joins;          /**< a cluster that is there */
	bool has_own_ca;     /**< certificates_sign() has made the members' certificates */
	const char *ca;      /**< PEM */
	const struct certificate_pair *member;
};

/** Whether @p name may be a member's: [a-z0-9][a-z0-9._-]*, less than ETCD_UNIT_NAME_MAX bytes. */
bool etcd_unit_name_ok(const char *name);
/** Write "https://ADDRESS:PORT", IPv6 in brackets. @return @p out */
const char *etcd_unit_url(const char *address, unsigned port, char *out, size_t size);
/** The text of ETCD_UNIT_SETTINGS. @return given; NULL: out of memory */
MUST_CHECK char *etcd_unit_settings(const struct etcd_unit *u);
/**
 * The quota by the text of ETCD_UNIT_SETTINGS, which a person may have raised. @return bytes; 0: they are not ours, or
 * leave it to etcd
 */
uint64_t etcd_unit_quota(const char *settings);

/** Whether the unit runs now. */
bool etcd_unit_is_active(void);
/**
 * Whether this host can get a member at @p address: etcd is installed, and nothing else uses it or its ports.
 * @return 0; or -errno, and @p reason says what to do
 */
MUST_CHECK int etcd_unit_check(const char *address, char reason[ETCD_UNIT_REASON_MAX]);
/** Write all its files. @return 0 or -errno, with a reason; some may be there then */
MUST_CHECK int etcd_unit_write(const struct etcd_unit *u, char reason[ETCD_UNIT_REASON_MAX]);
/** Start it with its settings, and at each boot; does not wait for it. @return 0 or -EIO, with a reason */
MUST_CHECK int etcd_unit_start(char reason[ETCD_UNIT_REASON_MAX]);
/**
 * Whether nobody counts on this host's member: where it has a vote beside others, or has a store, its data is not to be
 * removed. The other members are asked, then itself.
 * @param own_id  of a store that nobody but the caller knows; "": none
 * @return 0: nobody, or no one answers; -EBUSY or -errno, with a reason
 */
MUST_CHECK int etcd_unit_check_unused(const char *own_id, char reason[ETCD_UNIT_REASON_MAX]);
/** After etcd_unit_undo() with was_active: wait until that one answers; not for ever. */
void etcd_unit_wait_before(void);
/**
 * Stop it, and remove all that etcd_unit_write() writes and its data: of a member that no one uses yet. What was there
 * before is there again, and runs if @p was_active.
 * @return 0 or -errno, with a reason
 */
MUST_CHECK int etcd_unit_undo(bool was_active, char reason[ETCD_UNIT_REASON_MAX]);

#endif
