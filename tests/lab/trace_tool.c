/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace on the pinned tables, for labs without the command line:
 *
 *     trace-tool [directories and --node] SRC:PORT VIP:PORT/proto
 */
#include <stdio.h>
#include <string.h>

#include "base/proc.h"
#include "weir/effect.h"
#include "weir/model.h"
#include "weir/trace.h"

static int trace(const char *pin_dir, const struct trace_query *q)
{
	struct trace_result r;
	char why[512];

	if (trace_pinned(pin_dir, q, &r, why, sizeof(why))) {
		fprintf(stderr, "trace-tool: %s\n", why);
		return 1;
	}
	for (size_t i = 0; i < r.n_steps; i++)
		printf("%-8s %s\n", r.steps[i].step, r.steps[i].text);
	return 0;
}

int main(int argc, char **argv)
{
	struct proc_dirs dirs;
	struct model_mistakes mistakes = { 0 };
	struct model *m = NULL;
	struct trace_query q;
	char path[PATH_MAX], pin_dir[PATH_MAX];
	int rc = 1;

	if (proc_dirs_from_args(&dirs, &argc, argv) || argc != 3 ||
	    trace_parse(argv[1], argv[2], &q)) {
		fprintf(stderr, "usage: trace-tool [OPTIONS] SRC:PORT VIP:PORT/proto\n");
		return 1;
	}
	if (!proc_path(dirs.state, PROC_EFFECTIVE_FILE, path) &&
	    !model_read_effective(path, dirs.node, &m, &mistakes) &&
	    !effect_pin_dir(dirs.bpf, m->cluster, dirs.node, pin_dir))
		rc = trace(pin_dir, &q);
	model_mistakes_free(&mistakes);
	model_free(m);
	return rc;
}
