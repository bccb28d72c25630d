/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of a version in a person's directory: written there without taking anything away, and sent back from there. The
 * line "# weir base VERSION" of weir.conf says which version they were made from (mgmt/store/base.h); nothing else is kept.
 * Implemented in pull.c and cmd_pull.c; one thread, the command's.
 */
#ifndef WEIR_MGMT_CLI_EDIT_PULL_H
#define WEIR_MGMT_CLI_EDIT_PULL_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/cli/cli.h"
#include "mgmt/files/files.h"
#include "mgmt/store/base.h"

/* What is to be written, and what came of it. */
struct pull {
	const char *dir;           /* which is there */
	const struct files *files; /* of the version */
	const char *etag;          /* the version */
	/* [{name, digest}] of the version that the directory's files were made from; NULL: not known */
	const json_t *base;
	bool force;                /* overwrite what was changed there */
	json_t *written, *changed; /* names; given by the caller as empty arrays */
	char failed[PATH_MAX];     /* after an error: what it is about */
};

/* The directory that a command names, or CONF. @return CLI_OK, or an exit status after a message */
MUST_CHECK int pull_directory(const struct cli *cli, const struct cli_args *args,
                              char dir[PATH_MAX]);
/* Write the version in force into @p dir, which is made. @return the exit status */
MUST_CHECK int pull_into_new(struct cli *cli, const struct cli_args *args, const char *dir);
/* The files of the version with @p digest, as they are laid out on this node. @return 0 or -errno */
MUST_CHECK int pull_gather(const struct cli *cli, const char *digest, struct files *out);
/* The version that DIR/weir.conf says it was made from; "" for none, or where there is no such file. @return 0 or -errno */
MUST_CHECK int pull_read_base(const char *dir, char base[BASE_TEXT_MAX]);
/*
 * Write the files of a version into a directory: all, or on failure none, but for one that occurs while they get their names.
 * A file there that is neither as in the version nor as in the base was changed by a person: without force nothing is written
 * then. Nothing is written through a link, or where another user may have put one.
 * @return 0; -ESTALE: see changed; or -errno: see failed
 */
MUST_CHECK int pull_write(struct pull *p);
/* What an error of pull_write() means. */
const char *pull_error_text(int err);
/* Let DIR/weir.conf, if it names a base, name @p etag. @return 0 or -errno */
MUST_CHECK int pull_note_base(const char *dir, const char *etag);

#endif
