/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs one suite of a folder; without a name it lists them. */
#include "suite.h"

#include <stdio.h>
#include <string.h>

static struct suite *first;

void suite_add(struct suite *s)
{
	s->next = first;
	first = s;
}

int main(int argc, char **argv)
{
	const char *file_name = strrchr(argv[0], '/');

	for (const struct suite *s = first; s; s = s->next) {
		if (file_name && !strcmp(s->name, file_name))
			return s->run(argv + 1);
		if (argc < 2 && *s->name != '/')
			puts(s->name);
		else if (argc > 1 && !strcmp(s->name, argv[1]))
			return s->run(argv + 2);
	}
	if (argc > 1)
		fprintf(stderr, "%s: no suite %s\n", argv[0], argv[1]);
	return argc > 1;
}
