/* SPDX-License-Identifier: BSD-2-Clause */
/* A structure of the API as words for people, in one line. */
#include "mgmt/cli/members.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static void print_member(const char *prefix, const char *name, const json_t *value);

/* Of a list of names, the names; of another, how many there are. */
static void print_list(const char *name, const json_t *list)
{
	const json_t *one;
	size_t i;

	if (!json_is_string(json_array_get(list, 0))) {
		printf(" %s=%zu", name, json_array_size(list));
		return;
	}
	printf(" %s=", name);
	json_array_foreach(list, i, one) printf("%s%s", i ? "," : "", json_string_value(one));
}

static void print_inner(const char *prefix, const json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	        print_member(prefix, name, value);
}

/* What is so, as NAME=VALUE: what is not so is left out, a share in millionths is a percentage. */
static void print_member(const char *prefix, const char *name, const json_t *value)
{
	char full[64];
	size_t n = (size_t)snprintf(full, sizeof(full), "%s%s%s", prefix, *prefix ? "." : "", name);

	if (json_is_false(value) || json_is_null(value) || n >= sizeof(full))
		return;
	if (json_is_object(value))
		print_inner(full, value);
	else if (json_is_array(value))
		print_list(full, value);
	else if (json_is_string(value))
		printf(" %s=%s", full, json_string_value(value));
	else if (json_is_true(value))
		printf(" %s=yes", full);
	else if (n > 4 && !strcmp(full + n - 4, "_ppm"))
		printf(" %.*s=%g%%", (int)n - 4, full, json_number_value(value) / 1e4);
	else
		printf(" %s=%.15g", full, json_number_value(value));
}

void members_print(const char *what, const json_t *object)
{
	const char *name;
	json_t *value;

	printf("%-12s", what);
	json_object_foreach((json_t *)(uintptr_t)object, name,
	                    value) if (strcmp(name, "views") != 0) print_member("", name, value);
	putchar('\n');
}
