/* SPDX-License-Identifier: BSD-2-Clause */
/* The directories of `weir run`, made before any process is started. */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/owner.h"
#include "mgmt/cli/cli.h"
#include "mgmt/cli/run_internal.h"

/* weir-mgmt's directories, made before another process can put something in their place. */
static void make_private(const char *state)
{
	char path[PATH_MAX];

	if (proc_path(state, PROC_STORE_DIR, path) == 0)
		owner_give_directory(path, 0700, "mgmt");
	if (proc_path(state, PROC_BLOBS_DIR, path) == 0)
		owner_give_directory(path, 0700, "mgmt");
	if (proc_path(state, PROC_CONFIG_DIR, path) == 0)
		owner_give_directory(path, 0750, "mgmt");
}

/* Make a directory as packaging does: group weir may write, each user its own files. */
static int make_directory(const char *path)
{
	const struct group *group = getgrnam("weir");

	if (mkdir(path, 0755) != 0)
		return errno == EEXIST ? 0 : -errno;
	if (geteuid() == 0 && group &&
	    (chown(path, (uid_t)-1, group->gr_gid) != 0 || chmod(path, 01775) != 0))
		return -errno;
	return 0;
}

int run_make_directories(const struct cli *cli)
{
	int err;

	proc_join_group();
	err = make_directory(cli->dirs.run);

	if (!err)
		err = make_directory(cli->dirs.state);
	if (!err)
		make_private(cli->dirs.state);
	return err ? cli_fail(err == -EACCES ? CLI_DENIED : CLI_USAGE,
	                      "%s or %s cannot be created: %s", cli->dirs.run, cli->dirs.state,
	                      strerror(-err))
	           : CLI_OK;
}
