/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/core/confirm_if.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "mgmt/store/intent.h"
#include "weir/when.h"

static const char well_for[] = "well for ";

bool confirm_if_read(const char *text, int64_t *well_for_ms)
{
	return !strncmp(text, well_for, strlen(well_for)) &&
	       !when_duration(text + strlen(well_for), well_for_ms) && *well_for_ms > 0 &&
	       *well_for_ms <= INTENT_CONFIRM_MAX_MS;
}

const char *confirm_if_text(int64_t well_for_ms, char out[CONFIRM_IF_MAX])
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = { { 3600000, "h" }, { 60000, "m" }, { 1000, "s" }, { 1, "ms" } };
	size_t i = 0;

	while (well_for_ms % units[i].ms)
		i++;
	out[0] = '\0';
	if (well_for_ms)
		snprintf(out, CONFIRM_IF_MAX, "%s%" PRId64 "%s", well_for,
		         well_for_ms / units[i].ms, units[i].name);
	return out;
}
