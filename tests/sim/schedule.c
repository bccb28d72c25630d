/* SPDX-License-Identifier: BSD-2-Clause */
#include "schedule.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool schedule_read_options(int argc, char **argv, struct schedule_options *o)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--verbose") == 0)
			o->verbose = true;
		else if (strcmp(argv[i], "--brief") == 0)
			o->brief = true;
		else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc)
			o->runs = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--first") == 0 && i + 1 < argc)
			o->first = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--figures") == 0 && i + 1 < argc)
			o->figures = argv[++i];
		else
			return false;
	}
	return o->runs > 0;
}

FILE *schedule_open_figures(const char *path)
{
	char copy[4096];

	(void)snprintf(copy, sizeof(copy), "%s", path);
	(void)mkdir(dirname(copy), 0755);
	FILE *f = fopen(path, "w");

	if (!f)
		perror(path);
	return f;
}

uint32_t schedule_below(uint64_t *rng, uint32_t n)
{
	*rng ^= *rng << 13;
	*rng ^= *rng >> 7;
	*rng ^= *rng << 17;
	return n ? (uint32_t)((*rng >> 16) % n) : 0;
}
