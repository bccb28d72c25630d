/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One request and its answer, which is read as strictly as any other input: an answer that is
 * malformed anywhere says nothing.
 */
#include "mgmt/observe/levels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctl.h"
#include "base/proc.h"
#include "record/fields.h"
#include "weir/json.h"

#define TIMEOUT_MS 300 /* weir-dns answers at once, or is not there */

bool levels_request(const char *run_dir, struct ramp_levels *out)
{
	char path[PATH_MAX], *line = NULL;
	int err = proc_path(run_dir, "dns.ctl", path);
	json_t *answer = NULL;

	if (!err)
		err = ctl_request(path, "{\"do\":\"levels\"}", TIMEOUT_MS, &line);
	if (!err) {
		answer = json_read(line, strlen(line), 0, NULL);
		err = record_from_json(&ramp_levels_record, answer, out, NULL) ? -EPROTO : 0;
	}
	json_decref(answer);
	free(line);
	return err != -ENOENT && err != -ECONNREFUSED;
}
