/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be a name in a configuration. */
#include <string.h>

#include "weir/model.h"

bool model_name_ok(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return text[n] == '\0' && n >= 1 && n < MODEL_NAME_MAX && !strchr("._-", text[0]);
}
