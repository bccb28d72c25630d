/* SPDX-License-Identifier: BSD-2-Clause */
/* Places as text. Nothing else of the model is needed for it: which version is in force rests on this alone. */
#include "weir/canary.h"

#include <string.h>

#define AS_NODE "node/"
#define AS_SITE "site/"

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

const char *canary_name(const char *canary)
{
	return has_prefix(canary, AS_NODE) || has_prefix(canary, AS_SITE) ? strchr(canary, '/') + 1
	                                                                  : NULL;
}

bool canary_is(const char *text)
{
	const char *name = canary_name(text);

	return !*text || (name && model_name_ok(name));
}

enum model_extent canary_extent(const char *canary)
{
	return !*canary                      ? EXTENT_EVERYWHERE
	       : has_prefix(canary, AS_SITE) ? EXTENT_SITE
	                                     : EXTENT_NODE;
}

bool canary_covers(const char *canary, const char *node, const char *site)
{
	const char *name = canary_name(canary);

	return !name || !strcmp(name, canary_extent(canary) == EXTENT_SITE ? site : node);
}

const char *extent_text(int size)
{
	static const char *const words[] = { "everywhere", "a site", "a node" };

	return words[size];
}
