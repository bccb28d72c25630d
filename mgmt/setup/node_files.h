/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What `weir store init` and `join` write on a host, and how it is taken back.
 *
 * A node is in a store from the moment when CONF/store.conf is there, which is written last. Before anything else is
 * written, CONF/store.unfinished is; so whoever comes after a command that did not end can take back what it had
 * written, and nothing else.
 *
 * Implemented in mgmt/setup/node_files.c. One thread, as root.
 */
#ifndef WEIR_MGMT_SETUP_NODE_FILES_H
#define WEIR_MGMT_SETUP_NODE_FILES_H

#include "base/checked.h"
#include "mgmt/setup/etcd_unit.h"
#include "mgmt/setup/join_file.h"

/* In the configuration directory. The key and the password are weir-mgmt's alone. */
#define NODE_FILES_CA          "store-ca.crt"
#define NODE_FILES_CERTIFICATE "store.crt"
#define NODE_FILES_KEY         "store.key"
#define NODE_FILES_PASSWORD    "store.password"
#define NODE_FILES_UNFINISHED  "store.unfinished"

/** What a command writes in addition to the files above. */
struct unfinished {
	bool has_etcd;         /**< etcd's (mgmt/setup/etcd_unit.h) */
	bool was_active;       /**< etcd's unit, before */
	bool has_join;         /**< CONF/store.join: it is `init` */
	char id[STORE_ID_MAX]; /**< of the store that `init` begins; "": it is not `init` */
	bool keeps; /**< others may count on what is there: it is finished, not taken back */
};

/** Whether a command has begun here and not ended, with which files. */
bool node_files_unfinished(const char *conf_dir, struct unfinished *out);
/**
 * The name of a file that node_files_write() would replace, or of store.join where @p has_join.
 * @return NULL: there is none; static
 */
const char *node_files_in_the_way(const char *conf_dir, bool has_join);
/** Note what is about to be written. @return 0 or -errno, with a reason */
MUST_CHECK int node_files_begin(const char *conf_dir, const struct unfinished *u,
                                char reason[ETCD_UNIT_REASON_MAX]);
/**
 * Write what a node shows to members, and what it verifies them by: those that are not "".
 * @return 0 or -errno, with a reason
 */
MUST_CHECK int node_files_write(const char *conf_dir, const char *ca,
                                const struct certificate_pair *c, const char *password,
                                char reason[ETCD_UNIT_REASON_MAX]);
/** The settings of a store whose files are these: for store.conf. */
void node_files_settings(const struct join_file *j, bool has_certificate, struct store_conf *out);
/** Write store.conf, which group weir may read. @return 0 or -errno, with a reason */
MUST_CHECK int node_files_write_conf(const char *conf_dir, const struct store_conf *c,
                                     char reason[ETCD_UNIT_REASON_MAX]);
/** Write it last; the command has ended. @return 0 or -errno, with a reason, and there is no store.conf */
MUST_CHECK int node_files_end(const char *conf_dir, const struct store_conf *c,
                              char reason[ETCD_UNIT_REASON_MAX]);
/**
 * Remove the note where store.conf is there and sound: the command that wrote it has ended.
 * @return whether a note was removed
 */
bool node_files_drop_note(const char *conf_dir);
/**
 * Take back all that was written, unless it is to be kept. May be called again.
 * @return 0; -EBUSY: this host's member of etcd counts, and nothing was removed; or -errno; each with a reason
 */
MUST_CHECK int node_files_undo(const char *conf_dir, char reason[ETCD_UNIT_REASON_MAX]);

#endif
