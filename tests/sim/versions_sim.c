/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Versions in seeded worlds (versions_world.h): persons apply, confirm and end versions at nodes that are cut
 * off, stopped and wiped meanwhile, and answers are lost.
 * Usage: versions_sim [--runs N] [--first SEED] [--verbose] [--brief: end at the first fault]
 *                     [--figures FILE: write the sums there, as JSON]
 *
 * A world is harmed for 3 to 8 minutes; then all is healed. It fails if
 *   - a change that was acknowledged is not in the store, or one that was refused is;
 *   - a version that was confirmed ends, or a mark becomes another;
 *   - a node that is reached and has followed all has another version in force than the store's marks say;
 *   - a node that is cut off keeps a version beyond its deadline and CHAIN_ANSWER_MS, or ends it before;
 *   - a node has what is tried at a place that it is not of, or lacks it at its own;
 *   - a version is not made from the one in force, keeps one that is open, or leaves too many;
 *   - at the end nodes differ, a version is open although a node has its deadline, or a change is not carried
 *     out.
 * What should be in force is computed here once more, from the store's records, in the plainest way.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/store/records.h"
#include "schedule.h"
#include "versions_world.h"

#define CHANGES_MAX  256u
#define VERSIONS_MAX 512u
#define WITHIN_MS    30000u /* longest time to confirm */
#define SETTLE_MS    (WITHIN_MS + 10000)
#define QUIET_MS     1500 /* by then a node has done what was due */

/* A change that a person asked for, and what the person was told. */
struct asked {
	char id[SHARED_ID_MAX];
	uint64_t number;
	enum chain_mark mark; /* CHAIN_UNMARKED: it made a version, from version from */
	uint64_t from;
	bool confirms; /* that one, too */
	enum world_answer answer;
};

struct book {
	struct asked asked[CHANGES_MAX];
	size_t n_asked;
	enum chain_mark told[VERSIONS_MAX]; /* the mark that was seen in the store */
	/* of each node: when it is to let a version end by itself, on the world's clock; 0: no deadline */
	int64_t due_ms[WORLD_NODES][VERSIONS_MAX];
	bool known[WORLD_NODES][VERSIONS_MAX];
	char boot[WORLD_NODES][PENDING_BOOT_MAX];
	uint32_t wipes[WORLD_NODES], starts[WORLD_NODES];
	int64_t ran_ms[WORLD_NODES]; /* when it last ran */
	/* what the store says, read again once it has changed */
	size_t read_events;
	struct version truth;
	uint64_t in_force, head;
};

struct versions_sums {
	uint64_t runs, faults, applied, confirmed, ended, unknown, refused, open;
};

static struct world world;
static struct book book;

/* Of the store, in the plainest way. What was removed counts as what it was. */

static enum chain_mark mark_in_store(const struct world *w, uint64_t number)
{
	char name[SHARED_NAME_MAX];
	const struct shared_record *r = world_ever(w, shared_numbered("mark", number, name));
	struct history_mark m;

	if (!r)
		return CHAIN_UNMARKED;
	return record_from_text(&history_mark_record, r->text, &m, NULL) ? CHAIN_UNMARKED : m.mark;
}

static bool version_in_store(const struct world *w, uint64_t number, struct version *out)
{
	char name[SHARED_NAME_MAX];
	const struct shared_record *r = world_ever(w, shared_numbered("version", number, name));

	return r && !record_from_text(&version_record, r->text, out, NULL);
}

static uint64_t head_in_store(const struct world *w)
{
	const struct shared_record *r = world_record(w, "head");
	struct history_head head;

	return r && !record_from_text(&history_head_record, r->text, &head, NULL) ? head.number : 0;
}

/* Whether node @p i is none of the place of @p v, which nothing has confirmed by @p mark. */
static bool is_elsewhere(uint32_t i, const struct version *v, enum chain_mark mark)
{
	char node[8], site[8];

	world_names(i, node, site);
	return v->base && v->confirm_within_ms && mark != CHAIN_CONFIRMED &&
	       !canary_covers(v->canary, node, site);
}

/* What is in force where nothing but marks ends a version. */
static uint64_t in_force_by_marks(const struct world *w, struct version *out)
{
	uint64_t number = head_in_store(w);

	while (number && version_in_store(w, number, out)) {
		if (!out->base || mark_in_store(w, number) != CHAIN_ENDED)
			return number;
		number = out->base;
	}
	return 0;
}

/* Whether version @p number had ended, by its mark, before event @p end. */
static bool had_ended(const struct world *w, uint64_t number, size_t end)
{
	for (size_t i = 0; i < end; i++)
		if (shared_number("mark", w->event[i].name) == number)
			return mark_in_store(w, number) == CHAIN_ENDED;
	return false;
}

/* Whether version @p number was decided before version @p later was made, or with it: both are one change. */
static bool was_decided(const struct world *w, uint64_t number, uint64_t later)
{
	size_t made = world_event_of(w, later);

	for (size_t i = 0; i < w->n_events && w->event[i].revision <= w->event[made].revision; i++)
		if (shared_number("mark", w->event[i].name) == number)
			return true;
	return false;
}

/* Each version is made from the newest that had not ended then, and what may yet end ends with it. */
static void judge_origin(struct world *w, uint64_t number)
{
	struct version v;
	uint64_t from = number - 1;

	if (!version_in_store(w, number, &v))
		return;
	while (from > 1 && had_ended(w, from, world_event_of(w, number)))
		from--;
	if (v.base != from)
		world_fault(w, "version %" PRIu64 " is made from %" PRIu64 ", not from %" PRIu64,
		            number, v.base, from);
	bool keeps = !v.confirm_within_ms || *v.canary;

	if (*w->fault_text || number == 1 || !version_in_store(w, from, &v) || !v.base ||
	    !v.confirm_within_ms || was_decided(w, from, number))
		return;
	if (keeps)
		world_fault(w,
		            "version %" PRIu64 " keeps version %" PRIu64
		            ", of which nobody has decided",
		            number, from);
	else if (*v.canary)
		world_fault(w, "version %" PRIu64 " is made on %" PRIu64 ", which is tried", number,
		            from);
}

/* Persons. */

static struct asked *note_asked(struct shared_change *c, uint64_t number, enum chain_mark mark)
{
	struct asked *a = &book.asked[book.n_asked++];

	*a = (struct asked){ .number = number, .mark = mark };
	memcpy(a->id, c->id, sizeof(a->id));
	return a;
}

static void begin_change(struct world *w, struct shared_change *c)
{
	char id[SHARED_ID_MAX];

	world_id(w, id);
	shared_change_begin(c, id);
}

static void apply_version(struct world *w, struct world_node *n, enum history_open open)
{
	const struct history_mark mark = { .mark = CHAIN_CONFIRMED, .time_ms = w->now_ms };
	struct version v = { .time_ms = w->now_ms, .effective_ms = w->now_ms };
	struct pending_clock clock;
	struct shared_change c;

	world_clock(w, n, &clock);
	for (size_t i = 0; i < DIGEST_TEXT_MAX - 1; i++)
		v.digest[i] = "0123456789abcdef"[world_below(w, 16)];
	if (world_chance(w, 700))
		v.confirm_within_ms = 1000 + world_below(w, WITHIN_MS - 1000);
	if (v.confirm_within_ms && world_chance(w, 400))
		snprintf(v.canary, sizeof(v.canary), "%s/%c%u",
		         world_chance(w, 500) ? "node" : "site", world_chance(w, 500) ? 'n' : 's',
		         world_below(w, w->n_nodes));
	begin_change(w, &c);
	if (history_apply(n->history, clock.now_ms, open, &mark, &v, &c)) {
		shared_change_fini(&c);
		return;
	}
	struct asked *a = note_asked(&c, v.number, CHAIN_UNMARKED);

	a->from = v.base;
	a->confirms = open == HISTORY_CONFIRM;
	a->answer = world_write(w, n, &c);
	if (w->verbose)
		printf("%" PRId64 " node %td applies %" PRIu64 " from %" PRIu64 ", %" PRId64
		       " ms: %d\n",
		       w->now_ms, n - w->node, v.number, v.base, v.confirm_within_ms,
		       (int)a->answer);
}

static void decide_version(struct world *w, struct world_node *n, enum chain_mark decision)
{
	const struct history_mark mark = { .mark = decision,
		                           .author = "ann",
		                           .time_ms = w->now_ms };
	struct pending_clock clock;
	struct shared_change c;

	world_clock(w, n, &clock);
	const struct version *v = history_standing(n->history, clock.now_ms);

	if (!v)
		return;
	begin_change(w, &c);
	if (history_decide(n->history, clock.now_ms, v->number, &mark, &c)) {
		shared_change_fini(&c);
		return;
	}
	struct asked *a = note_asked(&c, v->number, decision);

	a->answer = world_write(w, n, &c);
	if (w->verbose)
		printf("%" PRId64 " node %td marks %" PRIu64 " %d: %d\n", w->now_ms, n - w->node,
		       a->number, (int)decision, (int)a->answer);
}

static void act_as_person(struct world *w)
{
	struct world_node *n = &w->node[world_below(w, w->n_nodes)];
	uint32_t what = world_below(w, 100);

	if (!n->history || book.n_asked == CHANGES_MAX)
		return;
	if (what < 60)
		apply_version(w, n, (enum history_open)world_below(w, HISTORY_JOIN + 1));
	else
		decide_version(w, n, what < 90 ? CHAIN_CONFIRMED : CHAIN_ENDED);
}

/* The judge. */

static void judge_store(struct world *w)
{
	if (book.read_events == w->n_events)
		return;
	uint32_t n = 0;
	char name[SHARED_NAME_MAX];

	book.read_events = w->n_events;
	book.head = head_in_store(w);
	book.in_force = in_force_by_marks(w, &book.truth);
	for (uint64_t number = 1; number <= book.head && number < VERSIONS_MAX; number++) {
		enum chain_mark mark = mark_in_store(w, number);

		if (book.told[number] != CHAIN_UNMARKED && book.told[number] != mark)
			world_fault(w, "the mark of version %" PRIu64 " became another", number);
		book.told[number] = mark;
		judge_origin(w, number);
		bool is_there = world_record(w, shared_numbered("version", number, name));

		if (!is_there && world_record(w, shared_numbered("mark", number, name)))
			world_fault(w, "there is a mark of version %" PRIu64 ", and no version",
			            number);
		n += is_there;
	}
	if (n > w->keep)
		world_fault(w, "%u versions are kept, more than %u", n, w->keep);
}

/* A deadline begins when a node that looks on sees a version; it stands still while the machine does not run. */
static void follow_deadlines(struct world *w, uint32_t i)
{
	struct world_node *n = &w->node[i];
	int64_t off_ms = w->now_ms - book.ran_ms[i];
	bool rebooted = strcmp(book.boot[i], n->boot) != 0, started = book.starts[i] != n->starts,
	     wiped = book.wipes[i] != n->wipes;

	for (uint64_t number = 1; number <= book.head && number < VERSIONS_MAX; number++) {
		const struct version *v = history_version(n->history, number, NULL);

		if (wiped)
			book.due_ms[i][number] = 0;
		else if (started && book.due_ms[i][number] &&
		         book.due_ms[i][number] <= book.ran_ms[i])
			book.due_ms[i][number] = 1; /* it had passed: the version ends at once */
		else if (rebooted && book.due_ms[i][number])
			book.due_ms[i][number] += off_ms;
		if (wiped)
			book.known[i][number] = false;
		if (!v || book.known[i][number])
			continue;
		book.known[i][number] = true;
		if (v->confirm_within_ms && world_event_of(w, number) >= n->joined)
			book.due_ms[i][number] = w->now_ms + v->confirm_within_ms;
	}
	memcpy(book.boot[i], n->boot, sizeof(book.boot[i]));
	book.ran_ms[i] = w->now_ms;
	book.wipes[i] = n->wipes;
	book.starts[i] = n->starts;
}

/* What node @p i should have in force by what it knows: its marks, and its deadlines as the judge counts them. */
static void judge_alone(struct world *w, uint32_t i)
{
	struct world_node *n = &w->node[i];
	struct pending_clock clock;

	world_clock(w, n, &clock);
	const struct version *v = history_in_force(n->history, clock.now_ms);
	const struct version *head = history_head(n->history);
	struct version at = { .number = head ? head->number : 0 };
	bool joined = false; /* the one above it has ended: what is open ends with it */

	while (at.number && v && at.number != v->number && version_in_store(w, at.number, &at)) {
		enum chain_mark mark = mark_in_store(w, at.number);
		int64_t due_ms = book.due_ms[i][at.number];

		(void)history_version(n->history, at.number, &mark);
		if (is_elsewhere(i, &at, mark)) {
			at.number = at.base;
			continue;
		}
		if (mark == CHAIN_CONFIRMED || !at.confirm_within_ms ||
		    (mark == CHAIN_UNMARKED && !joined &&
		     (!due_ms || w->now_ms < due_ms + CHAIN_ANSWER_MS)))
			world_fault(w, "node %u let version %" PRIu64 " end without a reason", i,
			            at.number);
		at.number = at.base;
		joined = true;
	}
	if (!at.number != !v)
		world_fault(w, "node %u has a version in force that is not on its head's chain", i);
	if (!v)
		return;
	enum chain_mark mark;
	int64_t due_ms = book.due_ms[i][v->number];

	(void)history_version(n->history, v->number, &mark);
	if (is_elsewhere(i, v, mark))
		world_fault(w, "node %u has version %" PRIu64 ", which is tried elsewhere", i,
		            v->number);
	else if (v->base && v->confirm_within_ms &&
	         (mark == CHAIN_ENDED ||
	          (mark == CHAIN_UNMARKED &&
	           (joined || (due_ms && w->now_ms > due_ms + CHAIN_ANSWER_MS + WORLD_TICK_MS)))))
		world_fault(w, "node %u keeps version %" PRIu64 " too long", i, v->number);
}

static void judge_together(struct world *w, uint32_t i)
{
	struct world_node *n = &w->node[i];
	struct pending_clock clock;

	world_clock(w, n, &clock);
	const struct version *v = history_in_force(n->history, clock.now_ms);

	if (n->reached_since_ms < 0 || n->followed < w->n_events ||
	    w->now_ms - n->reached_since_ms < QUIET_MS || w->now_ms - w->changed_ms < QUIET_MS)
		return;
	bool is_tried = is_elsewhere(i, &book.truth, mark_in_store(w, book.in_force));
	uint64_t expected = is_tried ? book.truth.base : book.in_force;

	if ((v ? v->number : 0) != expected)
		world_fault(w, "node %u is reached and has %" PRIu64 " in force, not %" PRIu64, i,
		            v ? v->number : 0, expected);
	else if (v && !is_tried && strcmp(v->digest, book.truth.digest) != 0)
		world_fault(w, "node %u has another version %" PRIu64, i, book.in_force);
}

static void judge_now(struct world *w)
{
	judge_store(w);
	for (uint32_t i = 0; i < w->n_nodes; i++) {
		if (!w->node[i].history)
			continue;
		follow_deadlines(w, i);
		judge_alone(w, i);
		judge_together(w, i);
	}
}

/* Whether change @p a wrote that record. */
static bool has_written(const struct world *w, const struct asked *a, const char *what,
                        uint64_t number)
{
	char name[SHARED_NAME_MAX], id[SHARED_ID_MAX];
	const struct shared_record *r = world_ever(w, shared_numbered(what, number, name));

	return r && !shared_change_of(r->text, id) && !strcmp(id, a->id);
}

static void judge_asked(struct world *w)
{
	for (size_t i = 0; i < book.n_asked; i++) {
		const struct asked *a = &book.asked[i];
		bool done = has_written(w, a, a->mark == CHAIN_UNMARKED ? "version" : "mark",
		                        a->number);

		if (a->answer == WORLD_DONE && !done)
			world_fault(w, "change %s was acknowledged and is lost", a->id);
		if ((a->answer == WORLD_REFUSED || a->answer == WORLD_NOT_REACHED) && done)
			world_fault(w, "change %s was refused and is there", a->id);
		if (a->mark == CHAIN_UNMARKED && !a->confirms && has_written(w, a, "mark", a->from))
			world_fault(w, "change %s has confirmed a version that nobody confirmed",
			            a->id);
		if (a->answer == WORLD_DONE && a->mark != CHAIN_UNMARKED &&
		    mark_in_store(w, a->number) != a->mark)
			world_fault(w, "version %" PRIu64 " is not marked as acknowledged",
			            a->number);
	}
}

static void judge_end(struct world *w, struct versions_sums *sums)
{
	struct version v;
	uint64_t number = in_force_by_marks(w, &v);
	bool is_open = number && v.base && v.confirm_within_ms &&
	               mark_in_store(w, number) == CHAIN_UNMARKED;

	for (uint32_t i = 0; i < w->n_nodes; i++) {
		int64_t left_ms;
		struct pending_clock clock;

		world_clock(w, &w->node[i], &clock);
		if (w->node[i].reached_since_ms < 0)
			world_fault(w, "node %u is not there at the end", i);
		else if (is_open && history_is_open(w->node[i].history, clock.now_ms, &left_ms) &&
		         left_ms != CHAIN_NEVER)
			world_fault(w, "version %" PRIu64 " is open, and node %u has its deadline",
			            number, i);
	}
	sums->open += is_open;
	for (uint64_t k = 1; k <= head_in_store(w); k++) {
		sums->applied += version_in_store(w, k, &v);
		sums->confirmed += mark_in_store(w, k) == CHAIN_CONFIRMED;
		sums->ended += mark_in_store(w, k) == CHAIN_ENDED;
	}
}

static void run_for(struct world *w, int64_t ms, uint32_t acts_per_mille)
{
	int64_t end_ms = w->now_ms + ms;

	while (w->now_ms < end_ms && !*w->fault_text) {
		if (world_chance(w, acts_per_mille))
			act_as_person(w);
		world_run(w);
		judge_now(w);
	}
}

/* Once all is healed a person's change is carried out, and is in force everywhere. */
static void judge_progress(struct world *w)
{
	size_t before = book.n_asked;

	if (before == CHANGES_MAX)
		return;
	apply_version(w, &w->node[0], HISTORY_CONFIRM);
	if (book.n_asked == before || book.asked[before].answer != WORLD_DONE)
		world_fault(w, "all is healed, and a change is not carried out");
	run_for(w, WORLD_STEP_MS, 0);
	if (!*w->fault_text && book.in_force != book.asked[before].number)
		world_fault(w, "all is healed, and a change is not in force");
}

static void run_schedule(uint64_t seed, bool verbose, struct versions_sums *sums)
{
	struct world *w = &world;

	memset(&book, 0, sizeof(book));
	world_init(w, seed);
	w->verbose = verbose;
	run_for(w, 180000 + world_below(w, 300000), 20);
	world_heal(w);
	run_for(w, SETTLE_MS, 0);
	judge_asked(w);
	if (!*w->fault_text)
		judge_end(w, sums);
	if (!*w->fault_text)
		judge_progress(w);
	sums->runs++;
	sums->unknown += w->unknown;
	sums->refused += w->refused;
	if (*w->fault_text) {
		sums->faults++;
		printf("FAULT seed %" PRIu64 " at %lld ms: %s\n", seed, (long long)w->now_ms,
		       w->fault_text);
	}
	world_fini(w);
}

static int write_figures(const char *path, const struct versions_sums *s)
{
	FILE *f = schedule_open_figures(path);

	if (!f)
		return 1;
	(void)fprintf(f,
	              "{\"runs\": %" PRIu64 ", \"faults\": %" PRIu64 ", \"applied\": %" PRIu64
	              ", \"confirmed\": %" PRIu64 ", \"ended\": %" PRIu64 ", \"unknown\": %" PRIu64
	              ", \"refused\": %" PRIu64 "}\n",
	              s->runs, s->faults, s->applied, s->confirmed, s->ended, s->unknown,
	              s->refused);
	return fclose(f) ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct schedule_options o = { .runs = 1000 };
	struct versions_sums sums = { 0 };

	if (!schedule_read_options(argc, argv, &o))
		return 2;
	for (uint64_t i = 0; i < o.runs && !(o.brief && sums.faults); i++)
		run_schedule(o.first + i, o.verbose, &sums);
	printf("%" PRIu64 " schedules, %" PRIu64 " versions, %" PRIu64 " confirmed, %" PRIu64
	       " ended; %" PRIu64 " writes refused, %" PRIu64 " unknown; %" PRIu64
	       " open at the end; %" PRIu64 " faults\n",
	       sums.runs, sums.applied, sums.confirmed, sums.ended, sums.refused, sums.unknown,
	       sums.open, sums.faults);
	if (o.figures && write_figures(o.figures, &sums))
		return 1;
	return sums.faults ? 1 : 0;
}
