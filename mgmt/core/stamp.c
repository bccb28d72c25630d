/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time of the last inode change (ctime) is compared, not that of the last modification: nobody
 * can set it back, so a file that is restored with its old date counts as changed.
 */
#include "mgmt/core/stamp.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/proc.h"

struct stamp stamp_of(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (proc_path(dir, name, path))
		return (struct stamp){ .error = ENAMETOOLONG };
	if (stat(path, &st))
		return (struct stamp){ .error = errno == ENOENT ? 0 : errno };
	return (struct stamp){
		.inode = (uint64_t)st.st_ino,
		.bytes = (uint64_t)st.st_size,
		.changed_ns = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec,
	};
}

bool stamp_same(const struct stamp *a, const struct stamp *b)
{
	return a->inode == b->inode && a->bytes == b->bytes && a->changed_ns == b->changed_ns &&
	       a->error == b->error;
}
