/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What `weir store init` and `join` share: what this host is, what must not be there yet, the certificates that a person
 * gives, waiting for a member of etcd. Implemented in mgmt/cli/store/store_setup.c; for the command's one thread, as root.
 */
#ifndef WEIR_MGMT_CLI_STORE_SETUP_H
#define WEIR_MGMT_CLI_STORE_SETUP_H

#include "base/addr.h"
#include "base/checked.h"
#include "mgmt/cli/cli.h"
#include "mgmt/setup/node_files.h"

#define STORE_START_S 60u /* for a member to answer after its start */

/* This host, as a member of etcd. */
struct store_host {
	char name[ETCD_UNIT_NAME_MAX];
	char address[ADDR_TEXT_MAX];
};

/* A command on its way. */
struct store_setup {
	const struct cli *cli;
	int lock_fd;   /* -1: not held */
	bool resumes;  /* an earlier command has come so far that it is finished, not taken back */
	bool is_alone; /* the other nodes: none has a store */
	bool is_again; /* of the store that nodes have copies of, whose members are all lost */
	struct unfinished note; /* what this command, or that one, has written */
	struct store_host host;
	struct join_file join;
	struct certificate_pair node,
	        member; /* what this node shows; what its member of etcd shows */
	struct store_conf conf;
	struct etcd_settings settings; /* for conf */
	char reason[ETCD_UNIT_REASON_MAX];
};

/* For printf, unless the output is JSON. */
void store_say(const struct cli *cli, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/*
 * Take the lock, take back what a command has left that did not end. @return the setup, for store_setup_free(); NULL: after
 * a message, and @p status is the exit status
 */
MUST_CHECK struct store_setup *store_setup_new(const struct cli *cli, int *status);
void store_setup_free(struct store_setup *s);
/* Refuse if a file that the command writes is there. @return CLI_OK, or an exit status after a message */
MUST_CHECK int store_setup_check_files(const struct store_setup *s, bool has_join);
/* Find this host's name and address, by --name and --listen, else by weir.conf. @return as above */
MUST_CHECK int store_setup_find_host(struct store_setup *s, const struct cli_args *args);
/* Read a file that option @p name names into @p text of @p size bytes. @return as above; without it: CLI_OK, and "" */
MUST_CHECK int store_setup_read(const struct cli_args *args, const char *name, char *text,
                                size_t size);
/* Set conf and settings from join, with what the node shows. @return 0 or -errno, with a reason */
MUST_CHECK int store_setup_settings(struct store_setup *s);
/* Wait until a member of the settings answers. @return 0 or -errno, with a reason */
MUST_CHECK int store_setup_wait(struct store_setup *s, const struct etcd_settings *settings);
/* Warn where a member is of a release that was not tested. */
void store_setup_check_release(const struct store_setup *s);
/* Note what is about to be written: note. @return 0 or -errno, with a reason */
MUST_CHECK int store_setup_note(struct store_setup *s);
/*
 * Write what a node shows to members, after the note unless an earlier command has made it, and set conf and settings.
 * @return 0 or -errno, with a reason
 */
MUST_CHECK int store_setup_begin(struct store_setup *s);
/* Nobody counts on what is here: it may be taken back. The reason stays that of the failure. */
void store_setup_forget(struct store_setup *s);
/*
 * Take back all that was written; what is to be kept stays, for the same command again. @return an exit status, after a
 * message with the reason
 */
int store_setup_fail(struct store_setup *s, int err);

#endif
