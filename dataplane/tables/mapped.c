/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory with a regular file "tables" is DPDK's; any other is taken for one of BPF pins. */
#include "dataplane/tables/mapped.h"

#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "dataplane/dpdk/tablefile.h"

#define FILE_NAME "tables" /* as dpdk/tables_dir.c names it */

int mapped_open(const char *dir, struct mapped *out, struct driver_reason *reason)
{
	char path[PATH_MAX];
	struct tablefile f;
	struct stat st;
	int err;

	snprintf(path, sizeof(path), "%.*s/" FILE_NAME, PATH_MAX - 16, dir);
	out->is_file = !stat(path, &st) && S_ISREG(st.st_mode);
	if (!out->is_file)
		return driver_xdp.map(dir, &out->tables, reason);
	err = tablefile_open(&f, path, false, reason);
	if (!err)
		out->tables = f.tables; /* the memory stays mapped */
	return err;
}

void mapped_close(struct mapped *m)
{
	if (m->is_file)
		tablefile_unmap(&m->tables);
	else
		driver_xdp.unmap(&m->tables);
}
