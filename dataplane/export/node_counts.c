/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A packet is counted by its verdict; whether the driver took the frame is known a moment later. So
 * a reading is shown only when all its frames have ended. Of those that were refused, no more is
 * taken from a reason than it has grown by since it was last shown: the others belong to packets that
 * are not shown yet, and wait. What is taken goes into the tables, into the row that no CPU counts
 * in: that row's part of the reason becomes less than nothing, and the sum is right for each reader,
 * also of the next process.
 *
 * DPDK's workers count a refused frame themselves, a moment after its verdict: the reason falls by it
 * again. Here, too, a reading is shown when its frames have ended. As many frames of each reason are
 * left out as were refused meanwhile, for these may be of the reading; not more than can be under way.
 */
#include "dataplane/export/node_counts.h"

#include "weir/fwd/reason.h"

#define UNDER_WAY_MAX                                                                              \
	4096u /* frames that workers have counted and not sent yet: an outbox of DPDK is the most */

static void sum_cpus(const struct fwd_tables *t, struct fwd_cpu *sum)
{
	*sum = (struct fwd_cpu){ 0 };
	for (uint32_t c = 0; c < t->n_cpus; c++) {
		sum->received += OWNER_LOAD(uint64_t, &t->cpus[c].received);
		sum->received_bytes += OWNER_LOAD(uint64_t, &t->cpus[c].received_bytes);
		sum->fragments_lost += OWNER_LOAD(uint64_t, &t->cpus[c].fragments_lost);
		for (uint32_t i = 0; i < FWD_REASONS_MAX; i++)
			sum->reason[i] += OWNER_LOAD(uint64_t, &t->cpus[c].reason[i]);
		for (uint32_t i = 0; i < FWD_EVENTS_MAX; i++)
			sum->event[i] += OWNER_LOAD(uint64_t, &t->cpus[c].event[i]);
	}
}

/* Count @p frames of reason @p i as not sent, in the tables and in the reading. */
static void move_frames(struct node_counts *c, const struct compiler *n, uint32_t i,
                        uint64_t frames)
{
	struct fwd_cpu *own = &n->t.cpus[n->t.n_cpus - 1];

	own->reason[FWD_REASON_NOT_SENT] += frames;
	own->reason[i] -= frames;
	c->read.reason[FWD_REASON_NOT_SENT] += frames;
	c->read.reason[i] -= frames;
	n->ops->not_sent_counted(n->driver, frames);
}

/* Of the frames that were read, @p uncounted were not sent, as far as that is known. */
static void settle_reading(struct node_counts *c, const struct compiler *n, uint64_t uncounted)
{
	for (uint32_t i = 0; i < FWD_REASON_COUNT && uncounted; i++) {
		uint64_t grown = c->read.reason[i] - c->shown.reason[i];

		if (fwd_reason_kind((enum fwd_reason)i) != FWD_KIND_TX)
			continue;
		grown = grown < uncounted ? grown : uncounted;
		move_frames(c, n, i, grown);
		uncounted -= grown;
	}
	c->shown = c->read;
}

static uint64_t least_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Show what was read, less what may have been refused since; @p later is read now, when all of it has ended. */
static void show_ended(struct node_counts *c, const struct fwd_cpu *later)
{
	const uint64_t *before = c->read.reason, *after = later->reason;
	uint64_t refused[] = {
		[FWD_KIND_TX] = after[FWD_REASON_NOT_SENT] - before[FWD_REASON_NOT_SENT],
		[FWD_KIND_PASS] =
		        after[FWD_REASON_KERNEL_POLICED] - before[FWD_REASON_KERNEL_POLICED] +
		        after[FWD_REASON_KERNEL_REFUSED] - before[FWD_REASON_KERNEL_REFUSED],
		[FWD_KIND_DROP] = 0,
	};
	struct fwd_cpu shown = c->read;

	for (uint32_t i = 0; i < FWD_REASON_COUNT; i++) {
		uint64_t was = c->shown.reason[i], grown = before[i] > was ? before[i] - was : 0;
		uint64_t out =
		        least_of(refused[fwd_reason_kind((enum fwd_reason)i)], UNDER_WAY_MAX);

		shown.reason[i] = was + grown - least_of(grown, out);
		shown.received += shown.reason[i] - before[i]; /* modulo 2^64: less, mostly */
	}
	c->shown = shown;
}

static uint64_t count_to_send(const struct fwd_cpu *sum)
{
	uint64_t frames = 0;

	for (uint32_t i = 0; i < FWD_REASON_COUNT; i++)
		if (fwd_reason_kind((enum fwd_reason)i) == FWD_KIND_TX)
			frames += sum->reason[i];
	return frames;
}

/*
 * Nothing is shown yet, or the counters have begun again: all frames that were read are to end. Those
 * that came meanwhile may have been refused, too. They are left out, else there would be less than the
 * process before has shown; the next reading has them.
 */
static void begin_counts(struct node_counts *c, const struct compiler *n)
{
	struct fwd_cpu later;
	uint64_t uncounted, came;

	sum_cpus(&n->t, &c->read);
	c->shown = (struct fwd_cpu){ 0 };
	n->ops->grace(n->driver);
	uncounted = n->ops->not_sent(n->driver);
	sum_cpus(&n->t, &later);
	came = count_to_send(&later) - count_to_send(&c->read);
	settle_reading(c, n, uncounted > came ? uncounted - came : 0);
}

void node_counts_read(struct node_counts *c, const struct compiler *n, uint64_t now_ms)
{
	struct fwd_cpu now;

	if (c->read_ms && now_ms - c->read_ms < NODE_COUNTS_MS)
		return;
	sum_cpus(&n->t, &now);
	bool begins = !c->read_ms || now.received < c->read.received;
	if (begins && !n->ops->not_sent)
		c->shown = now;
	else if (begins)
		begin_counts(c, n);
	else if (!n->ops->not_sent)
		show_ended(c, &now);
	else
		settle_reading(c, n, n->ops->not_sent(n->driver));
	sum_cpus(&n->t, &c->read);
	c->read_ms = now_ms;
}
