/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All calls are under the core's lock but open and close. A peer's clock is noted by the thread
 * that asks the peers, as an offset to this machine's boot clock, so that its age does not matter.
 * What to believe is decided by a pure function (base/wall_clock.h); this file gathers its input,
 * publishes the result in a page, and keeps a record of it for the next boot.
 */
#include "mgmt/peers/timekeep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/owner.h"
#include "base/page.h"
#include "base/replace.h"
#include "mgmt/peers/peers.h"
#include "mgmt/json/command.h"
#include "mgmt/overrides/hlc.h"
#include "base/believed.h"
#include "weir/stats.h"

#define HEAD      "weir-clock 1\n" /* of STATE/clock: name and layout */
#define TEXT_MAX  160              /* bytes of the whole record, with room */
#define REPAIR_MS 1000u /* between two looks whether the page's file is there and whole */

struct timekeep {
	struct page *page;
	struct wall_clock wall_clock;
	uint64_t boot;
	bool synchronised; /* the kernel's word at the last tick */
	enum wall_clock_peers peers;
	enum wall_clock_hold logged; /* the state that was logged last */
	int64_t purge_ms;
	uint64_t kept_ms;     /* when STATE/clock was written */
	uint64_t repaired_ms; /* when the page's file was looked at last */
	bool keep_failed;     /* said once */
	bool was_right;       /* since the start, or the last time that it was not */
};

/* What STATE/clock holds. */
struct record {
	uint64_t boot, mono_ms;
	int64_t believed_ms, purge_ms;
	int confirmed;
};

/*
 * Every field is checked, and so is the word at the end: the file is written without fsync and may
 * be cut off.
 */
static bool read_clock_record(const struct core *core, struct record *out)
{
	char path[PATH_MAX], text[TEXT_MAX + 1];
	struct record r = { 0 };
	int end = -1;
	FILE *f =
	        proc_path(core->dirs.state, TIMEKEEP_FILE, path) ? NULL : owner_fopen(path, "mgmt");

	if (!f)
		return false;
	size_t n = fread(text, 1, TEXT_MAX, f);
	fclose(f);
	text[n] = '\0';
	if (strncmp(text, HEAD, strlen(HEAD)) ||
	    sscanf(text + strlen(HEAD), "%" SCNx64 " %" SCNu64 " %" SCNd64 " %d %" SCNd64 " end%n",
	           &r.boot, &r.mono_ms, &r.believed_ms, &r.confirmed, &r.purge_ms, &end) != 5 ||
	    end < 0 || r.believed_ms <= 0 || r.believed_ms >= CLOCK_END_MS || r.purge_ms <= 0 ||
	    r.purge_ms >= CLOCK_END_MS) {
		log_warn("clock-not-read", "path=%s effect=\"the wall clock is believed\"", path);
		return false;
	}
	*out = r;
	return true;
}

static int write_clock_record(const struct core *core, const struct timekeep *t)
{
	char path[PATH_MAX], temporary[REPLACE_NAME_MAX];
	int err = proc_path(core->dirs.state, TIMEKEEP_FILE, path);

	if (err)
		return err;
	FILE *f = replace_begin_stream(path, 0644, temporary);
	if (!f)
		return -errno;
	/*
	 * no fsync: a record that is a minute older does as well, and half of one is seen to be
	 * that
	 */
	fprintf(f, HEAD "%" PRIx64 " %" PRIu64 " %" PRId64 " %d %" PRId64 " end\n", t->boot,
	        t->wall_clock.mono_ms, t->wall_clock.at_ms, t->wall_clock.confirmed, t->purge_ms);
	return replace_end_stream(f, temporary, path, REPLACE_SYNC_NONE);
}

static void keep_record(struct core *core, bool now)
{
	struct timekeep *t = core->clock;

	if (!now && t->wall_clock.mono_ms - t->kept_ms < TIMEKEEP_KEEP_MS)
		return;
	t->kept_ms = t->wall_clock.mono_ms;
	int err = write_clock_record(core, t);
	if (err && !t->keep_failed)
		log_warn("clock-not-kept", "file=%s error=\"%s\"", TIMEKEEP_FILE, strerror(-err));
	t->keep_failed = err != 0;
}

static bool is_trusted(const struct core *core)
{
	const struct model *m = core->intent ? intent_model(core->intent) : NULL;

	return m && m->self && m->self->clock == MODEL_CLOCK_TRUSTED;
}

/*
 * What the peers say about @p clock_ms. One whose words come by another node tells no clock: where
 * all do so, the kernel's word is enough.
 */
static enum wall_clock_peers hear_peers(const struct core *core, uint64_t now_ms, int64_t clock_ms)
{
	const struct peers_report *reports;
	size_t n = core->peers ? peers_report(core, &reports) : 0, n_silent = 0, n_heard = 0;

	for (size_t i = 0; i < n; i++) {
		const struct peers_report *v = &reports[i];
		bool heard = v->answered_ms && now_ms - v->answered_ms <= PEERS_STALE_MS;
		int64_t off_ms = clock_ms - ((int64_t)now_ms + v->clock_offset_ms);

		n_silent += !heard && !v->unasked; /* who is never asked says nothing, ever */
		if (!heard || !v->clock_known)
			continue;
		n_heard++;
		if (llabs(off_ms) <= WALL_CLOCK_STEP_MS + v->clock_slack_ms)
			return WALL_CLOCK_PEERS_AGREE;
	}
	return n_heard    ? WALL_CLOCK_PEERS_DIFFER
	       : n_silent ? WALL_CLOCK_PEERS_UNHEARD
	                  : WALL_CLOCK_PEERS_NONE;
}

/* How far clocks of nodes that were heard lately differ from the believed time at most. */
static int64_t find_skew(const struct core *core, uint64_t now_ms, int64_t believed_ms)
{
	const struct peers_report *reports;
	size_t n = core->peers ? peers_report(core, &reports) : 0;
	int64_t skew_ms = 0;

	for (size_t i = 0; i < n; i++) {
		int64_t off_ms = believed_ms - ((int64_t)now_ms + reports[i].clock_offset_ms);
		int64_t beyond_ms = llabs(off_ms) - reports[i].clock_slack_ms;

		if (peers_hears_clock(&reports[i], now_ms) && beyond_ms > skew_ms)
			skew_ms = beyond_ms;
	}
	return skew_ms;
}

static int compare_offsets(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* How far the middle of the clocks that were heard lately is off this node's, where that is too far ahead of it; else 0. */
static int64_t find_stamp_off(const struct core *core, uint64_t now_ms, int64_t believed_ms)
{
	const struct peers_report *reports;
	size_t n = core->peers ? peers_report(core, &reports) : 0, n_heard = 0;
	int64_t offs[PEERS_MAX];

	for (size_t i = 0; i < n && n_heard < PEERS_MAX; i++)
		if (peers_hears_clock(&reports[i], now_ms))
			offs[n_heard++] =
			        (int64_t)now_ms + reports[i].clock_offset_ms - believed_ms;
	if (!n_heard)
		return 0;
	qsort(offs, n_heard, sizeof(offs[0]), compare_offsets);
	int64_t middle_ms = offs[n_heard / 2];

	return middle_ms < -HLC_AHEAD_MS ? middle_ms : 0;
}

/* The purge time goes on by @p passed_ms, never beyond the believed time. */
static void move_purge(struct timekeep *t, int64_t passed_ms)
{
	t->purge_ms += passed_ms;
	if (t->purge_ms > t->wall_clock.at_ms)
		t->purge_ms = t->wall_clock.at_ms;
}

static const char *effect_of(enum wall_clock_hold hold)
{
	static const char *const texts[WALL_CLOCK_HOLD_COUNT] = {
		"the wall clock is followed",
		"the believed time continues as if the clock had not stepped; weir clock shows both, weir clock accept takes the new time",
		"ramps of drains are held until the clock is synchronised",
		"the believed time continues from before the boot, and ramps of drains are held until the clock is confirmed",
	};

	return texts[hold];
}

static void log_clock_state(struct core *core)
{
	struct timekeep *t = core->clock;
	enum wall_clock_hold hold = timekeep_hold(core);

	if (hold == t->logged)
		return;
	log_at(hold == WALL_CLOCK_RUNS ? LOG_NOTICE : LOG_WARNING, "clock",
	       "state=%s was=%s off_by_ms=%" PRId64 " effect=\"%s\"", wall_clock_hold_text(hold),
	       wall_clock_hold_text(t->logged), t->wall_clock.off_by_ms, effect_of(hold));
	if (core->intent)
		journal_add(intent_journal(core->intent), t->wall_clock.at_ms, "clock", "clock",
		            "the wall clock is %s, was %s: %s", wall_clock_hold_text(hold),
		            wall_clock_hold_text(t->logged), effect_of(hold));
	t->logged = hold;
}

static void set_clock_gauges(struct core *core)
{
	const struct timekeep *t = core->clock;
	enum wall_clock_hold hold = timekeep_hold(core);

	stats_set(stats_get_counter(core->stats, STATS_GAUGE, "weir_mgmt_clock_stepped", "",
	                            "1 while a step of the wall clock is not believed."),
	          hold == WALL_CLOCK_STEPPED || hold == WALL_CLOCK_BOOTED);
	stats_set(stats_get_counter(core->stats, STATS_GAUGE, "weir_mgmt_clock_off_by_seconds", "",
	                            "How far the wall clock is off the believed time, either way."),
	          (uint64_t)llabs(t->wall_clock.off_by_ms) / 1000);
}

static void publish_time(struct timekeep *t)
{
	if (t->wall_clock.mono_ms - t->repaired_ms >= REPAIR_MS) {
		t->repaired_ms = t->wall_clock.mono_ms;
		page_repair(t->page);
	}
	believed_publish(page_payload(t->page), &t->wall_clock, t->boot);
	page_alive(t->page, t->wall_clock.mono_ms);
	clock_believe(t->wall_clock.at_ms - (int64_t)t->wall_clock.mono_ms);
}

/* An accepted time: what was drained stays drained, and what is due runs at its stated pace. */
static void note_move(struct core *core, int64_t was_ms)
{
	struct timekeep *t = core->clock;
	int64_t moved_ms = t->wall_clock.at_ms - was_ms;

	log_note("clock-accepted", "moved_ms=%" PRId64, moved_ms);
	if (core->intent) {
		journal_add(intent_journal(core->intent), t->wall_clock.at_ms, "clock", "clock",
		            "the wall clock is believed again: the believed time moved by %" PRId64
		            " s",
		            moved_ms / 1000);
		intent_clock_moved(core->intent, was_ms, t->wall_clock.at_ms);
	}
	keep_record(core, true);
}

/* What was stamped by a wrong clock before the start is found once the clock is right: no step tells of that. */
static void follow_right(struct core *core)
{
	struct timekeep *t = core->clock;
	bool is_right = t->synchronised && timekeep_hold(core) == WALL_CLOCK_RUNS;

	if (is_right && !t->was_right && core->intent)
		intent_clock_moved(core->intent, t->wall_clock.at_ms, t->wall_clock.at_ms);
	t->was_right = is_right;
}

/* What other nodes' clocks mean for changes and commands of this one. */
static void follow_others(struct core *core, uint64_t now_ms)
{
	int64_t at_ms = core->clock->wall_clock.at_ms;

	intent_expect_skew(core->intent, find_skew(core, now_ms, at_ms));
	intent_stamp_by(core->intent, find_stamp_off(core, now_ms, at_ms));
}

void timekeep_tick(struct core *core)
{
	struct timekeep *t = core->clock;
	struct wall_clock_now now = { .mono_ms = clock_mono_ms(), .clock_ms = clock_realtime_ms() };
	int64_t passed_ms = (int64_t)(now.mono_ms - t->wall_clock.mono_ms);
	int64_t went_on_ms = t->wall_clock.at_ms + passed_ms;

	now.peers = t->peers = hear_peers(core, now.mono_ms, now.clock_ms);
	t->synchronised = clock_is_synchronised();
	now.synchronised = t->synchronised;
	now.trusted = is_trusted(core);
	wall_clock_tick(&t->wall_clock, &now);
	move_purge(t, passed_ms);
	publish_time(t);
	if (llabs(t->wall_clock.at_ms - went_on_ms) > WALL_CLOCK_STEP_MS)
		note_move(core, went_on_ms);
	if (core->intent)
		follow_others(core, now.mono_ms);
	follow_right(core);
	log_clock_state(core);
	set_clock_gauges(core);
	keep_record(core, false);
}

int64_t timekeep_accept(struct core *core, const char *author, const char *reason)
{
	struct timekeep *t = core->clock;
	uint64_t mono_ms = clock_mono_ms();
	int64_t was_ms = t->wall_clock.at_ms + (int64_t)(mono_ms - t->wall_clock.mono_ms);

	journal_add(intent_journal(core->intent), was_ms, "clock", "clock",
	            "the wall clock was accepted by %s (%s): %s", author,
	            intent_principal(core->intent), reason);
	wall_clock_accept(&t->wall_clock, mono_ms, clock_realtime_ms());
	move_purge(t, 0);
	publish_time(t);
	note_move(core, was_ms);
	log_clock_state(core);
	return t->wall_clock.at_ms - was_ms;
}

/* Where to begin: the page of this boot, else the record, else the kernel's clock. */
static void begin_time(struct core *core, const struct wall_clock_now *now)
{
	struct timekeep *t = core->clock;
	struct record r;
	bool recorded = read_clock_record(core, &r);
	bool same_boot = recorded && t->boot && r.boot == t->boot && r.mono_ms <= now->mono_ms;

	if (believed_begin(page_payload(t->page), t->boot, now->mono_ms, &t->wall_clock))
		;
	else if (same_boot)
		wall_clock_begin(&t->wall_clock, now->mono_ms,
		                 r.believed_ms + (int64_t)(now->mono_ms - r.mono_ms), false,
		                 r.confirmed);
	else if (recorded)
		wall_clock_begin(&t->wall_clock, now->mono_ms, r.believed_ms, true, false);
	wall_clock_tick(&t->wall_clock, now);
	t->purge_ms = recorded ? r.purge_ms : t->wall_clock.at_ms;
	move_purge(t, same_boot ? (int64_t)(now->mono_ms - r.mono_ms) : 0);
}

int timekeep_open(struct core *core)
{
	struct wall_clock_now now = { .mono_ms = clock_mono_ms(),
		                      .clock_ms = clock_realtime_ms(),
		                      .synchronised = clock_is_synchronised(),
		                      .peers = WALL_CLOCK_PEERS_UNHEARD };
	char path[PATH_MAX];
	struct timekeep *t = core->clock = MEMORY_NEW(struct timekeep);
	int err = proc_path(core->dirs.run, BELIEVED_PAGE, path);

	if (!err)
		err = page_create(path, BELIEVED_PAGE_KIND, BELIEVED_PAGE_LAYOUT,
		                  sizeof(struct believed_page), &t->page);
	if (err) {
		free(t);
		core->clock = NULL;
		return err;
	}
	t->boot = clock_boot();
	t->synchronised = now.synchronised;
	begin_time(core, &now);
	publish_time(t);
	return 0;
}

void timekeep_close(struct core *core)
{
	if (!core->clock)
		return;
	keep_record(core, true);
	page_close(core->clock->page);
	free(core->clock);
	core->clock = NULL;
}

int64_t timekeep_purge_ms(const struct core *core)
{
	return core->clock->purge_ms;
}

enum wall_clock_hold timekeep_hold(const struct core *core)
{
	return wall_clock_hold(&core->clock->wall_clock, is_trusted(core));
}

int64_t timekeep_off_by_ms(const struct core *core)
{
	return core->clock->wall_clock.off_by_ms;
}

int64_t timekeep_shown_ms(const struct core *core)
{
	return core->clock->synchronised ? clock_realtime_ms() : clock_believed_ms();
}

#define PEER_CLOCK_ROWS(X, t) X(t, const char *, node) X(t, struct shown_number, off_by_ms)
RECORD_SHOWN(peer_clock, "peer", PEER_CLOCK_ROWS);
#define CLOCK_ROWS(X, t)                                                                           \
	X(t, const char *, state)                                                                  \
	X(t, struct shown_time, believed)                                                          \
	X(t, struct shown_time, wall_clock)                                                        \
	X(t, int64_t, off_by_ms)                                                                   \
	X(t, bool, synchronised)                                                                   \
	X(t, const char *, peers_say)                                                              \
	X(t, const char *, effect)                                                                 \
	X(t, json_t *, peers, .each = &peer_clock_kind)                                            \
	X(t, int64_t, moved_ms, .later = true)
RECORD_ANSWER(clock_answer, "clock", CLOCK_ROWS);

static json_t *peers_json(const struct core *core)
{
	const struct peers_report *reports;
	size_t n = peers_report(core, &reports);
	int64_t own_ms = clock_realtime_ms() - (int64_t)clock_mono_ms();
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct peer_clock row = {
			.node = reports[i].node,
			.off_by_ms = { reports[i].clock_known,
			               (uint64_t)(reports[i].clock_offset_ms - own_ms) },
		};

		json_array_append_new(list, record_shown(&peer_clock_kind, &row));
	}
	return list;
}

json_t *timekeep_json(const struct core *core)
{
	static const char *const words[] = { "none", "unheard", "agree", "differ" };
	const struct timekeep *t = core->clock;
	enum wall_clock_hold hold = timekeep_hold(core);

	const struct clock_answer a = {
		.state = wall_clock_hold_text(hold),
		.believed = { clock_believed_ms() },
		.wall_clock = { clock_realtime_ms() },
		.off_by_ms = t->wall_clock.off_by_ms,
		.synchronised = t->synchronised,
		.peers_say = words[t->peers],
		.effect = effect_of(hold),
		.peers = peers_json(core),
	};
	return record_shown(&clock_answer_kind, &a);
}
