/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The texts of enum effect_reason and enum effect_hop; in a file of their own, so that they link
 * without pages or tables.
 */
#include "weir/effect.h"

static const char *const texts[EFFECT_REASON_COUNT] = {
	[EFFECT_REASON_UNKNOWN] = "unknown",
	[EFFECT_REASON_UP] = "up",
	[EFFECT_REASON_UNCHECKED] = "unchecked",
	[EFFECT_REASON_NEW] = "no verdict yet",
	[EFFECT_REASON_WAITING] = "waiting for a verdict",
	[EFFECT_REASON_DOWN] = "down",
	[EFFECT_REASON_DISABLED] = "disabled",
	[EFFECT_REASON_FORCED_UP] = "forced up",
	[EFFECT_REASON_HELD_MIN] = "held by guard min_healthy",
	[EFFECT_REASON_HELD_RATE] = "held by guard max_remove",
	[EFFECT_REASON_HELD_LAST] = "held by guard on_all_down",
	[EFFECT_REASON_ROUTE] = "route says unreachable",
	[EFFECT_REASON_NEIGHBOUR] = "next hop does not answer",
	[EFFECT_REASON_GATEWAY] = "l2 behind a gateway",
};

static const char *const hop_texts[EFFECT_HOP_COUNT] = {
	[EFFECT_HOP_UNKNOWN] = "unknown",
	[EFFECT_HOP_KNOWN] = "known",
	[EFFECT_HOP_NO_ROUTE] = "no route",
	[EFFECT_HOP_NO_PORT] = "no carrier at its port",
	[EFFECT_HOP_UNRESOLVED] = "next hop not resolved",
	[EFFECT_HOP_REFUSED] = "route says unreachable",
	[EFFECT_HOP_SILENT] = "next hop does not answer",
	[EFFECT_HOP_GATEWAY] = "l2 behind a gateway",
};

static const char *const class_texts[EFFECT_CLASS_COUNT] = { "own", "backup", "limited" };

static const char *const cause_texts[EFFECT_BACKUP_CAUSES] = {
	[EFFECT_BACKUP_NOT_NEEDED] = "",
	[EFFECT_BACKUP_LATE] = "this site is drained, late clients are served by the backup",
	[EFFECT_BACKUP_FAILED] = "less than min_healthy of its own backends is up",
};

static const char *const unused_texts[EFFECT_BACKUP_OBSTACLES] = {
	[EFFECT_BACKUP_USABLE] = "",
	[EFFECT_BACKUP_SITE_DRAINED] = "the backup's site is drained",
	[EFFECT_BACKUP_SITE_DOWN] = "the VIPs of the backup's site do not answer this node",
	[EFFECT_BACKUP_POOL_DOWN] = "less than min_healthy of the backup is up",
	[EFFECT_BACKUP_UNPROVEN] =
	        "no probe of this node has shown that the backup serves this VIP",
};

const char *effect_reason_text(enum effect_reason reason)
{
	return reason < EFFECT_REASON_COUNT ? texts[reason] : "unknown";
}

bool effect_reason_is_path(enum effect_reason reason)
{
	return reason == EFFECT_REASON_ROUTE || reason == EFFECT_REASON_NEIGHBOUR ||
	       reason == EFFECT_REASON_GATEWAY;
}

const char *effect_hop_text(enum effect_hop hop)
{
	return hop < EFFECT_HOP_COUNT ? hop_texts[hop] : "unknown";
}

const char *effect_class_text(enum effect_class class)
{
	return class < EFFECT_CLASS_COUNT ? class_texts[class] : "unknown";
}

const char *effect_backup_cause_text(enum effect_backup_cause cause)
{
	return cause < EFFECT_BACKUP_CAUSES ? cause_texts[cause] : "unknown";
}

const char *effect_backup_unused_text(enum effect_backup_unused unused)
{
	return unused < EFFECT_BACKUP_OBSTACLES ? unused_texts[unused] : "unknown";
}

const char *effect_backend_text(const struct effect_backend *b)
{
	if (!b->alive || b->next_hop)
		return effect_reason_text((enum effect_reason)b->reason);
	switch (b->hop) {
	case EFFECT_HOP_NO_ROUTE:
		return "no next hop: no route";
	case EFFECT_HOP_NO_PORT:
		return "no next hop: no carrier at its port";
	case EFFECT_HOP_UNRESOLVED:
		return "no next hop: not resolved";
	case EFFECT_HOP_REFUSED:
		return "no next hop: route says unreachable";
	case EFFECT_HOP_SILENT:
		return "no next hop: it does not answer";
	case EFFECT_HOP_GATEWAY:
		return "no next hop: l2 behind a gateway";
	default:
		return "no next hop";
	}
}
