/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An undo line is for a person who copies it into a shell: it has all options but --reason, and
 * absolute times. Commands refuse instants that have passed, so none is named that may have passed
 * when the line is used. A note says what a command leads to where that takes its time.
 */
#include "mgmt/store/command_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/*
 * An instant that is nearer may have passed before a person has the line in a shell: a command waits
 * for other nodes up to 75 s before it prints.
 */
#define UNDO_AHEAD_MS 120000

static const char *const words[COMMAND_COUNT] = { "drain", "disable", "force_up",
	                                          "hold",  "undrain", "enable" };

const char *command_word(enum command_do what)
{
	return words[what];
}

enum command_do command_from_text(const char *text)
{
	int i = 0;

	while (i < COMMAND_COUNT && strcmp(words[i], text))
		i++;
	return (enum command_do)i;
}

/* Whether override @p o ends so soon by itself, or has ended so, that nobody can make it again. */
static bool is_nearly_over(const struct override *o, int64_t now_ms)
{
	return o->until_ms != MODEL_TIME_NEVER && o->until_ms <= now_ms + UNDO_AHEAD_MS;
}

/* The options of a command line that creates @p o again: its instants that are still to come. */
static void write_times(const struct override *o, int64_t now_ms, char *out, size_t size)
{
	char until[CLOCK_TEXT_MAX] = "never", from[CLOCK_TEXT_MAX], over[32] = "", start[48] = "";
	bool drain = o->kind == MODEL_OVERRIDE_DRAIN;

	if (o->until_ms != MODEL_TIME_NEVER)
		clock_text(o->until_ms, until);
	if (drain && o->over_ms > 0)
		snprintf(over, sizeof(over), " --over %" PRId64 "%s",
		         o->over_ms % 1000 ? o->over_ms : o->over_ms / 1000,
		         o->over_ms % 1000 ? "ms" : "s");
	if (drain && o->from_ms > now_ms + UNDO_AHEAD_MS)
		snprintf(start, sizeof(start), " --from %s", clock_text(o->from_ms, from));
	snprintf(out, size, "%s%s --until %s", over, start, until);
}

/* Neither a part of a site nor one service can be drained by the clock: an operation does it again. */
static void write_operation(struct command_result *r, const struct override *was)
{
	uint32_t level_ppm = was->to_ppm ? was->to_ppm : was->from_ppm;
	char level[48] = "";

	if (level_ppm < MODEL_PPM_ALL)
		snprintf(level, sizeof(level), " %g%% --until never", level_ppm / 1e4);
	snprintf(r->undo, sizeof(r->undo), "weir %s site %s%s%s%s", *level ? "shift" : "drain",
	         was->name, level, *was->service ? " --service " : "", was->service);
}

void command_write_undo(struct command_result *r, const struct override *was, int64_t now_ms)
{
	static const char *const ends[] = { "undrain", "enable", "enable" }, *const makes[] = {
		"drain", "disable", "force-up"
	};
	const struct override *o = &r->override;
	char times[128] = "";
	bool scheduled = o->target == MODEL_TARGET_SITE && !*o->operation &&
	                 (was ? was->kind : o->kind) == MODEL_OVERRIDE_DRAIN;

	if (was && was->is_step && (was->to_ppm < MODEL_PPM_ALL || *was->service)) {
		write_operation(r, was);
		return;
	}
	if (was && is_nearly_over(was, now_ms))
		return;
	if (was)
		write_times(was, now_ms, times, sizeof(times));
	snprintf(r->undo, sizeof(r->undo), "weir %s %s %s%s%s%s%s",
	         was ? makes[was->kind] : ends[o->kind], override_target_text(o->target), o->pool,
	         *o->pool ? "/" : "", o->name, times, scheduled ? " --scheduled" : "");
}

void command_write_node_note(struct command_result *r, enum command_do what)
{
	static const char *const notes[COMMAND_COUNT] = {
		[COMMAND_DRAIN] =
		        "routers get graceful shutdown routes first. An address is withdrawn once "
		        "its packets have left, after 15 s at the latest, and only if another node "
		        "confirms that it announces the same address",
		[COMMAND_DISABLE] = "all addresses of the node are withdrawn at once. Clients of "
		                    "an address that no other node announces are cut off",
		[COMMAND_UNDRAIN] = "each address is announced again once a probe packet proves "
		                    "that it is forwarded; there is no hold-down",
	};
	const char *note = notes[what == COMMAND_ENABLE ? COMMAND_UNDRAIN : what];

	snprintf(r->note, sizeof(r->note), "%s", note ? note : "");
}
