/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Earlier versions are laid out in one directory, by one request at a time. The core's lock is held for a version's files alone:
 * to lay them out and to read their model takes long.
 */
#include "mgmt/api/earlier.h"

#include <errno.h>
#include <time.h>

#include "base/owner.h"
#include "base/proc.h"
#include "mgmt/files/gather.h"
#include "mgmt/files/sweep.h"

#define EARLIER_DIR PROC_CONFIG_DIR "/diff" /* below the state directory */
#define NO_KEY      "-"                     /* stands for the key's fingerprint */

/* The directory around it may not be there before the first version. */
static int make_dir(const struct core *core, char dir[PATH_MAX])
{
	int err = proc_path(core->dirs.state, PROC_CONFIG_DIR, dir);

	if (!err)
		err = owner_directory(dir, 0750, "mgmt");
	if (!err)
		err = proc_path(core->dirs.state, EARLIER_DIR, dir);
	return err ? err : owner_directory(dir, 0700, "mgmt");
}

int earlier_begin(struct core *core, unsigned wait_s, char dir[PATH_MAX])
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += wait_s;
	if (pthread_mutex_clocklock(&core->compare_lock, CLOCK_MONOTONIC, &until))
		return -EBUSY;
	int err = make_dir(core, dir);

	if (err)
		pthread_mutex_unlock(&core->compare_lock);
	return err;
}

void earlier_end(struct core *core, const char *dir)
{
	sweep_dir(dir); /* thousands of files take seconds */
	pthread_mutex_unlock(&core->compare_lock);
}

int earlier_files(struct core *core, uint64_t number, struct version *v, struct files *files)
{
	core_lock(core);
	int err = intent_version(core->intent, number, v, files);
	core_unlock(core);
	return err;
}

int earlier_model(const struct core *core, const char *dir, const struct files *files,
                  struct model **out, struct model_errors *errors)
{
	return gather_keyed(files, dir, core->dirs.conf, NO_KEY, NULL, out, errors);
}
