/* SPDX-License-Identifier: BSD-2-Clause */
/* The words for enum effect_why; apart, so that it links without pages or tables. */
#include "weir/effect.h"

static const char *const texts[EFFECT_WHY_COUNT] = {
	[EFFECT_WHY_UNKNOWN] = "unknown",
	[EFFECT_WHY_UP] = "up",
	[EFFECT_WHY_UNCHECKED] = "unchecked",
	[EFFECT_WHY_NEW] = "no verdict yet",
	[EFFECT_WHY_WAITING] = "waiting for a verdict",
	[EFFECT_WHY_DOWN] = "down",
	[EFFECT_WHY_DISABLED] = "disabled",
	[EFFECT_WHY_FORCED_UP] = "forced up",
	[EFFECT_WHY_HELD_MIN] = "held by guard min_healthy",
	[EFFECT_WHY_HELD_RATE] = "held by guard max_remove",
	[EFFECT_WHY_HELD_LAST] = "held by guard on_all_down",
};

const char *effect_why_text(enum effect_why why)
{
	return why < EFFECT_WHY_COUNT ? texts[why] : "unknown";
}
