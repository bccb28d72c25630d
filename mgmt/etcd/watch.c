/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream and the reads beside it are two transfers of the gateway's multi handle, so the stream
 * goes on while a read waits for its answer. One loop, no thread of its own.
 *
 * At each member: read first, which shows whether the member can be used and whether the store went
 * back; then begin the stream; then read every 2 s.
 */
#include "mgmt/etcd/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "mgmt/etcd/gateway_internal.h"

#define LEAST_MS  500u  /* between two reads */
#define ROUND_MS  1000u /* before members that have all failed are tried again */
#define ARENA_MAX ((size_t)1 << 20)

/* Why a member, or the watch, ends. */
enum leg_end { LEG_GOES_ON, LEG_FAILED, LEG_STOPPED, LEG_LIST, LEG_WENT_BACK, LEG_BACK };

/* The watch at one member. */
struct leg {
	struct etcd_gateway *g;
	struct etcd_watch *w;
	struct etcd_transfer transfer;
	struct etcd_stream stream;
	bool is_open;  /* the stream has begun */
	bool is_later; /* another one was left before */
	int64_t missing; /* a change that the last read showed and the watch had not brought; 0: none */
};

static bool feed_stream(void *arg, const char *bytes, size_t n)
{
	struct etcd_stream *s = arg;

	return !etcd_stream_feed(s, bytes, n);
}

/* Read @range at the current member; its token is renewed once. */
static int read_range(struct leg *l, struct etcd_range range, struct arena *arena,
                      struct etcd_keys *out)
{
	struct etcd_request request;
	char reason[ETCD_REASON_MAX];
	uint64_t end_ms = clock_mono_ms() + ETCD_REQUEST_MS;
	int err = etcd_request_range(&range, &request, reason);

	if (err)
		return etcd_gateway_fail(l->g, err, reason);
	enum etcd_try outcome = etcd_gateway_try_as_user(l->g, &request, end_ms, &err);

	if (outcome == ETCD_TRY_TOKEN)
		outcome = etcd_gateway_try_as_user(l->g, &request, end_ms, &err);
	etcd_request_fini(&request);
	if (outcome != ETCD_TRY_SUCCEEDED)
		return err;
	err = etcd_answer_range(l->g->transfer.bytes, l->g->transfer.n, &range, arena, out, reason);
	return etcd_gateway_judge(l->g, err, reason, &out->header);
}

/* Read @range; a revision below one that was seen shows a store that went back. */
static enum leg_end read_and_compare(struct leg *l, struct etcd_range range, struct arena *arena,
                                     struct etcd_keys *out)
{
	struct etcd_watch *w = l->w;
	char text[ETCD_REASON_MAX];
	uint64_t sent_ms = clock_mono_ms();

	if (read_range(l, range, arena, out))
		return LEG_FAILED;
	int64_t revision = out->header.revision;

	if (revision < w->revision || revision < w->next - 1) {
		snprintf(text, sizeof(text),
		         "the store is at revision %" PRId64 ", but was at %" PRId64 " before",
		         revision, w->revision > w->next - 1 ? w->revision : w->next - 1);
		etcd_gateway_fail(l->g, -ESTALE, text);
		return LEG_WENT_BACK;
	}
	w->revision = revision;
	return !w->heard || w->heard(w->arg, sent_ms, revision) ? LEG_GOES_ON : LEG_LIST;
}

/* Whether the stream lags behind, of whose keys the newest change is @changed; 0: not later than it. */
static enum leg_end judge_stream_by(struct leg *l, int64_t changed)
{
	/* What was on its way at the last read must be here by now. */
	if (l->is_open && (!l->stream.is_created || l->stream.next <= l->missing)) {
		etcd_gateway_fail(l->g, -EHOSTUNREACH,
		                  "the watch is silent, though the member answers");
		return LEG_FAILED;
	}
	l->missing = changed >= l->stream.next ? changed : 0;
	return LEG_GOES_ON;
}

/*
 * For the newest change a member reads and sorts all keys: with 1,000 versions that takes seven times as
 * long as one key. So it is asked only for a store that went on from what the stream brought.
 */
static enum leg_end read_beside(struct leg *l, struct arena *arena)
{
	struct etcd_range range = { .key = l->w->range.key, .limit = 1, .keys_only = true };
	struct etcd_keys keys;
	enum leg_end end = read_and_compare(l, range, arena, &keys);

	if (end == LEG_GOES_ON && keys.header.revision >= l->stream.next) {
		range.prefix = l->w->range.prefix;
		range.newest_first = true;
		end = read_and_compare(l, range, arena, &keys);
	}
	if (end != LEG_GOES_ON)
		return end;
	return judge_stream_by(l, keys.n ? keys.kvs[0].mod_revision : 0);
}

static enum leg_end read_and_judge(struct leg *l)
{
	struct arena *arena = memory_must(arena_new(ARENA_MAX));
	enum leg_end end = read_beside(l, arena);

	arena_free(arena);
	return etcd_gateway_is_stopped(l->g) ? LEG_STOPPED : end;
}

/* Why the stream has ended. */
static enum leg_end judge_stream(struct leg *l)
{
	struct etcd_error error;
	const struct etcd_transfer *t = &l->transfer;

	if (l->stream.err) {
		etcd_gateway_fail(l->g, l->stream.err, l->stream.reason);
		if (l->stream.err == -EACCES)
			l->g->token[0] = '\0';
		return l->stream.err == -ESTALE || l->stream.err == -EFBIG ? LEG_LIST : LEG_FAILED;
	}
	if (t->err)
		etcd_gateway_fail(l->g, -EHOSTUNREACH, t->failure);
	else if (etcd_answer_error(t->status, t->bytes ? t->bytes : "", t->n, &error))
		etcd_gateway_fail(l->g, -EHOSTUNREACH, error.text);
	else
		etcd_gateway_fail(l->g, -EHOSTUNREACH, "the watch ended");
	return LEG_FAILED;
}

/*
 * When the next read is due. All nodes read at the same time, as far as their clocks agree: a member
 * asks the others once for all reads that come together. With 37 nodes it has half of the work.
 */
static uint64_t next_read_ms(void)
{
	uint64_t left_ms = ETCD_WATCH_READ_MS - (uint64_t)clock_realtime_ms() % ETCD_WATCH_READ_MS;

	/* what is on its way to a stream that has just begun gets time */
	return clock_mono_ms() + left_ms + (left_ms < LEAST_MS ? ETCD_WATCH_READ_MS : 0);
}

/* Let the stream go on, and read beside it. */
static enum leg_end follow_stream(struct leg *l)
{
	uint64_t read_ms = next_read_ms();
	enum leg_end end = LEG_GOES_ON;

	while (end == LEG_GOES_ON) {
		if (etcd_gateway_is_stopped(l->g))
			return LEG_STOPPED;
		if (!l->transfer.is_running || l->stream.err)
			return judge_stream(l);
		if (clock_mono_ms() < read_ms) {
			etcd_gateway_run(l->g, read_ms);
			continue;
		}
		end = read_and_judge(l);
		read_ms = next_read_ms();
	}
	return end;
}

/* Watch at the current member until that ends. */
static enum leg_end run_leg(struct leg *l, size_t *n_failed)
{
	struct etcd_request request;
	char reason[ETCD_REASON_MAX];
	enum leg_end end = read_and_judge(l);

	if (end != LEG_GOES_ON)
		return end;
	if (l->is_later && l->w->ends_when_back)
		return LEG_BACK;
	if (etcd_request_watch(&l->w->range, l->w->next, &request, reason)) {
		etcd_gateway_fail(l->g, -EINVAL, reason);
		return LEG_FAILED;
	}
	l->is_open = true;
	end = LEG_FAILED;
	if (etcd_transfer_begin(&l->transfer, l->g->multi, etcd_gateway_member(l->g), &request,
	                        l->g->token, 0))
		etcd_gateway_fail(l->g, -EIO, "the watch cannot begin");
	else
		end = follow_stream(l);
	etcd_transfer_end(&l->transfer);
	etcd_request_fini(&request);
	if (l->stream.is_created && !l->stream.err)
		*n_failed = 0;
	if (*n_failed == 0)
		l->g->foreign = 0; /* another member is ours */
	return end;
}

/* Begin and end what a leg has of its own. */
static enum leg_end watch_at_member(struct etcd_gateway *g, struct etcd_watch *w, bool is_later,
                                    size_t *n_failed)
{
	struct leg l = { .g = g, .w = w, .is_later = is_later };
	enum leg_end end = LEG_FAILED;

	etcd_stream_init(&l.stream, &w->range, g->settings.cluster_id, w->next, w->changed, w->arg);
	if (etcd_transfer_open(&l.transfer, &g->settings.tls)) {
		etcd_gateway_fail(g, -ENOMEM, "out of memory");
	} else {
		l.transfer.sink = feed_stream;
		l.transfer.arg = &l.stream;
		end = run_leg(&l, n_failed);
	}
	w->next = l.stream.next;
	etcd_transfer_close(&l.transfer);
	etcd_stream_fini(&l.stream);
	return end;
}

/* A login costs a member 50 ms of its processor: those that refuse us are not pressed. */
static void wait_for_round(struct etcd_gateway *g)
{
	for (uint64_t end_ms = clock_mono_ms() + ROUND_MS;
	     clock_mono_ms() < end_ms && !etcd_gateway_is_stopped(g);)
		etcd_gateway_run(g, end_ms);
}

enum etcd_watch_end etcd_watch_run(struct etcd_gateway *g, struct etcd_watch *w)
{
	size_t n_failed = 0;

	g->foreign = 0;
	for (bool is_later = false;; is_later = true) {
		g->reason[0] = '\0';
		switch (watch_at_member(g, w, is_later, &n_failed)) {
		case LEG_STOPPED:
			return ETCD_WATCH_STOPPED;
		case LEG_LIST:
			return ETCD_WATCH_LIST;
		case LEG_WENT_BACK:
			return ETCD_WATCH_WENT_BACK;
		case LEG_BACK:
			return ETCD_WATCH_BACK;
		case LEG_FAILED:
		case LEG_GOES_ON:
			break;
		}
		if (w->left)
			w->left(w->arg, g->reason);
		etcd_gateway_leave(g);
		if (++n_failed % g->settings.n_endpoints)
			continue;
		if (g->foreign)
			return ETCD_WATCH_FOREIGN;
		wait_for_round(g);
	}
}
