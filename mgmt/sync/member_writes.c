/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first request in the queue that finds nobody writing takes of them what one transaction holds, and writes it
 * without the lock. All others wait until it says so.
 */
#include "mgmt/sync/member_writes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/overrides/member_pace.h"
#include "mgmt/store/shared_intent.h"
#include "mgmt/sync/shared_run.h"
#include "mgmt/sync/shared_run_internal.h"

#define RECORDS_MAX 100u   /* of a transaction */
#define SMALL_MAX   10u    /* entries of a request that does not wait for large ones */
#define ARRIVED_MS  5000u  /* for what was written to come back */
#define PATIENCE_MS 15000u /* beyond the time that the pace gives */
#define ID_BEGIN    'm'    /* of a change of members: then the writing node's hash */
#define ID_HASH     16

/* A request in the queue, in its thread's memory. */
struct member_request {
	const struct member_entry *list;
	size_t n;
	size_t next;     /* the first entry that is neither written nor on its way */
	size_t n_flying; /* on their way */
	size_t n_written;
	enum member_written result; /* of what is over */
	bool is_over;
	bool is_guarded; /* the guard let it pass, */
	int64_t judged;  /* by the members of this revision */
	struct member_request *behind;
};

/* What one transaction has of a request: entries from..to. */
struct member_part {
	struct member_request *request;
	size_t from, to;
};

struct member_writes {
	struct member_request *first;
	size_t n_queued; /* records */
	bool is_writing;
	uint64_t began_ms; /* of the last write, monotonic */
	int64_t foreign;   /* revision of the last change of members that another node wrote */
	struct member_pace pace;
};

int member_writes_open(struct core *core)
{
	core->member_writes = calloc(1, sizeof(*core->member_writes));
	return core->member_writes ? 0 : -ENOMEM;
}

void member_writes_close(struct core *core)
{
	free(core->member_writes);
	core->member_writes = NULL;
}

/* One that takes over an address removes the record of who had it: that is a second record. */
static size_t count_records(const struct member_entry *list, size_t n)
{
	size_t records = 0;

	for (size_t i = 0; i < n; i++)
		records += list[i].writes ? 1u + (*list[i].replaced != '\0') : 0;
	return records;
}

/* How long a request of @p n entries will wait: small ones have half of each transaction to themselves. */
static uint64_t compute_wait_ms(struct member_writes *w, size_t n, size_t records, uint64_t now_ms)
{
	size_t before = 0;

	if (n > SMALL_MAX)
		return member_pace_wait_ms(&w->pace, w->n_queued, records, now_ms);
	for (const struct member_request *q = w->first; q; q = q->behind)
		before += q->n <= SMALL_MAX ? count_records(q->list + q->next, q->n - q->next) : 0;
	return member_pace_wait_ms(&w->pace, 2 * before, 2 * records, now_ms);
}

/* Renewals stand in the list among the others, and have nothing to write. */
static void skip_unwritten(struct member_request *q)
{
	while (q->next < q->n && !q->list[q->next].writes)
		q->next++;
}

static void enqueue_request(struct member_writes *w, struct member_request *q)
{
	struct member_request **at = &w->first;

	while (*at)
		at = &(*at)->behind;
	*at = q;
	w->n_queued += count_records(q->list, q->n);
}

/* It is over with @p result: what of it is not on its way will not be written. */
static void end_request(struct member_writes *w, struct member_request *q,
                        enum member_written result)
{
	struct member_request **at = &w->first;

	while (*at && *at != q)
		at = &(*at)->behind;
	if (*at)
		*at = q->behind;
	w->n_queued -= count_records(q->list + q->next, q->n - q->next);
	q->next = q->n;
	q->result = result;
	q->is_over = true;
}

bool *member_writes_drained(const struct core *core, const struct model_pool *pool)
{
	const struct member_list *all = intent_members(core->intent);
	bool *drained = memory_must(calloc(pool->n_backends + 1, sizeof(*drained)));

	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct model_backend *b = &pool->backends[i];
		const struct member *m =
		        b->registered ? members_find(all, pool->name, b->name) : NULL;

		drained[i] = m && !member_weight(m);
	}
	for (const struct member_request *q = core->member_writes->first; q; q = q->behind)
		for (size_t i = 0; i < q->n; i++) {
			const struct member_entry *w = &q->list[i];
			const struct model_backend *b =
			        w->writes && member_entry_drains(w) &&
			                        !strcmp(w->member.pool, pool->name)
			                ? model_backend(pool, w->id)
			                : NULL;

			if (b && b->registered)
				drained[b - pool->backends] = true;
		}
	return drained;
}

/* --- one transaction --- */

static const char *name_prefix(const struct member_request *q, char out[SHARED_NAME_MAX])
{
	const struct member_entry *w = q->list;

	while (!w->writes)
		w++;
	return member_record_name(w->member.pool, "", out, SHARED_NAME_MAX);
}

/*
 * Let the change rest on what the guard of @p q rested on. @return whether it does; else the request is judged again, or waits
 * for the next change.
 */
static bool add_guarded(const struct core *core, struct shared_change *c, struct member_request *q)
{
	char prefix[SHARED_NAME_MAX];
	int64_t revision;

	if (!q->is_guarded || !core->shared)
		return true;
	if (core->member_writes->foreign > q->judged) {
		end_request(core->member_writes, q, MEMBER_WRITTEN_AGAIN);
		return false;
	}
	name_prefix(q, prefix);
	if (shared_change_rests_on(c, prefix))
		return true;
	if (!shared_change_has_room(c, 3) || shared_intent_revision(core->intent, &revision))
		return false;
	shared_change_see_all(c, prefix, revision);
	return true;
}

/* @return whether it has room, and touches nothing that is in the change already */
static bool add_entry(struct shared_change *c, const struct member_entry *w)
{
	char name[SHARED_NAME_MAX], replaced[SHARED_NAME_MAX];

	member_record_name(w->member.pool, w->member.id, name, sizeof(name));
	member_record_name(w->member.pool, w->replaced, replaced, sizeof(replaced));
	if (!shared_change_has_room(c, 2) || shared_change_rests_on(c, name) ||
	    (*w->replaced && shared_change_rests_on(c, replaced)))
		return false;
	shared_change_see(c, name, w->member.revision);
	shared_change_put(c, name, &member_record, &w->member);
	if (*w->replaced) {
		shared_change_see(c, replaced, w->replaced_revision);
		shared_change_remove(c, replaced);
	}
	return true;
}

/* What of the change is of @p q: a part that was begun, or a new one. */
static struct member_part *find_part(struct member_part *parts, size_t *n, struct member_request *q)
{
	for (size_t i = 0; i < *n; i++)
		if (parts[i].request == q)
			return &parts[i];
	parts[*n] = (struct member_part){ q, q->next, q->next };
	return &parts[(*n)++];
}

/* Add entries of the part's request, until the change has @p most records. */
static void add_entries(struct member_writes *w, struct shared_change *c, size_t most,
                        struct member_part *part)
{
	struct member_request *q = part->request;
	size_t from = part->to; /* with what was skipped behind it */

	while (q->next < q->n && c->n_puts < most) {
		if (q->list[q->next].writes && !add_entry(c, &q->list[q->next]))
			break;
		q->next++;
	}
	w->n_queued -= count_records(q->list + from, q->next - from);
	q->n_flying += q->next - from;
	part->to = q->next;
	skip_unwritten(q);
}

/* Add entries of the requests from the front, or of the small ones alone, until the change has @p most records. */
static void add_requests(const struct core *core, struct shared_change *c, bool is_small,
                         size_t most, struct member_part parts[RECORDS_MAX], size_t *n)
{
	struct member_writes *w = core->member_writes;

	for (struct member_request *q = w->first, *behind;
	     q && c->n_puts < most && *n < RECORDS_MAX; q = behind) {
		behind = q->behind;
		if ((is_small && q->n > SMALL_MAX) || !add_guarded(core, c, q))
			continue;
		struct member_part *part = find_part(parts, n, q);

		add_entries(w, c, most, part);
		if (part->to == part->from)
			--*n;
	}
}

/*
 * Take what goes into one transaction: up to a half of small requests, which do not wait for the large ones that came before; then
 * from the front. Large ones do not mix: where two write the same members each would overtake the other again and again.
 * @return how many parts
 */
static size_t fill_change(const struct core *core, struct shared_change *c, size_t most,
                          struct member_part parts[RECORDS_MAX])
{
	size_t n = 0, before = c->n_puts;

	add_requests(core, c, true, before + (most + 1) / 2, parts, &n);
	add_requests(core, c, false, before + most, parts, &n);
	return n;
}

/* Changes of members say which node wrote them. */
static void name_writer(const struct core *core, struct shared_change *c)
{
	char random[SHARED_ID_MAX];

	memcpy(random, c->id, sizeof(random));
	snprintf(c->id, sizeof(c->id), "%c%016" PRIx64 "%.16s", ID_BEGIN,
	         hash_text(core->dirs.node), random);
}

/* Whether somebody else wrote what this entry rests on: its own record, that of who had the address, or what its guard saw. */
static bool is_overtaken(const struct shared_answer *a, const struct shared_change *c,
                         const struct member_request *q, const struct member_entry *w)
{
	char name[SHARED_NAME_MAX];

	if (!w->writes)
		return false;
	if (q->is_guarded && shared_answer_newer(a, c, name_prefix(q, name)))
		return true;
	member_record_name(w->member.pool, w->member.id, name, sizeof(name));
	if (shared_answer_newer(a, c, name))
		return true;
	member_record_name(w->member.pool, w->replaced, name, sizeof(name));
	return *w->replaced && shared_answer_newer(a, c, name);
}

/* What became of a part: it is written, goes back into the queue, or its request is over. */
static void end_part(struct member_writes *w, const struct member_part *part,
                     const struct shared_change *c, const struct shared_answer *a,
                     enum member_written result)
{
	struct member_request *q = part->request;
	bool again = false;

	q->n_flying -= part->to - part->from;
	if (result == MEMBER_WRITTEN) {
		for (size_t i = part->from; i < part->to; i++)
			q->n_written += q->list[i].writes;
		if (!q->is_over && q->next == q->n && !q->n_flying)
			end_request(w, q, MEMBER_WRITTEN);
		return;
	}
	for (size_t i = part->from; a && result == MEMBER_WRITTEN_AGAIN && i < part->to; i++)
		again = again || is_overtaken(a, c, q, &q->list[i]);
	if (q->is_over)
		return;
	if (result != MEMBER_WRITTEN_AGAIN || again || !a) {
		end_request(w, q, result);
		return;
	}
	/* another one's record was another: this part is as good as it was */
	w->n_queued += count_records(q->list + part->from, part->to - part->from);
	q->next = part->from;
}

/* What this node has to know before it judges again: of a refusal the newest record that was in the way. */
static int64_t newest_of(const struct shared_answer *a)
{
	int64_t revision = a->result == SHARED_DONE ? a->revision : 0;

	for (size_t i = 0; i < a->n_now; i++)
		if (a->now[i].revision > revision)
			revision = a->now[i].revision;
	return revision;
}

/* @param a  out: given if there is an answer */
static enum member_written decide_change(struct core *core, const struct shared_change *c,
                                         struct shared_answer *a, bool *has_answer)
{
	char reason[ETCD_REASON_MAX];

	*has_answer = false;
	if (!core->shared) {
		int err = intent_decide_alone(core->intent, c, clock_believed_ms());

		return !err             ? MEMBER_WRITTEN
		       : err == -EAGAIN ? MEMBER_WRITTEN_AGAIN
		                        : MEMBER_NO_STORE;
	}
	int err = shared_run_write_change(core->shared, c, a, reason);

	if (err)
		return err == -ENOSPC ? MEMBER_STORE_FULL : MEMBER_NO_STORE;
	*has_answer = true;
	/* who judges next is to judge by this write; not for ever: the watch may be cut off */
	(void)shared_run_await_revision(core, newest_of(a), ARRIVED_MS);
	return a->result == SHARED_DONE      ? MEMBER_WRITTEN
	       : a->result == SHARED_REFUSED ? MEMBER_WRITTEN_AGAIN
	                                     : MEMBER_UNKNOWN;
}

/* Write @p most records at most from the queue's front. The lock is given up meanwhile. */
static void write_some(struct core *core, size_t most)
{
	struct member_writes *w = core->member_writes;
	struct shared_change *c = MEMORY_NEW(struct shared_change);
	struct shared_answer *a = MEMORY_NEW(struct shared_answer);
	struct member_part parts[RECORDS_MAX];
	bool has_answer;

	w->is_writing = true;
	w->began_ms = clock_mono_ms();
	shared_intent_begin(core->intent, c);
	name_writer(core, c);
	size_t n = fill_change(core, c, most < RECORDS_MAX ? most : RECORDS_MAX, parts);
	member_pace_spend(&w->pace, c->n_puts, w->began_ms);
	enum member_written result =
	        c->err ? MEMBER_NO_STORE : decide_change(core, c, a, &has_answer);
	if (c->err)
		has_answer = false;
	for (size_t i = 0; i < n; i++)
		end_part(w, &parts[i], c, has_answer ? a : NULL, result);
	if (has_answer)
		shared_answer_fini(a);
	shared_change_fini(c);
	free(c);
	free(a);
	w->is_writing = false;
	core_changed(core);
}

/* --- who waits --- */

/*
 * One step of a request that waits: write, or sleep until that may be. An entry has two records at most: with room for one nothing
 * can be taken.
 */
static void wait_or_write(struct core *core, uint64_t until_ms)
{
	struct member_writes *w = core->member_writes;
	uint64_t now_ms = clock_mono_ms(), next_ms = w->began_ms + MEMBER_WRITES_GAP_MS;
	size_t most = member_pace_allows(&w->pace, now_ms);

	if (w->is_writing) {
		core_wait(core, until_ms);
		return;
	}
	if (most >= 2 && now_ms >= next_ms) {
		write_some(core, most);
		return;
	}
	if (most < 2)
		next_ms = now_ms + MEMBER_WRITES_GAP_MS;
	core_wait(core, next_ms < until_ms ? next_ms : until_ms);
}

/* A node that is alone decides by itself. */
static bool can_be_written(const struct core *core)
{
	return intent_store(core->intent) &&
	       (shared_state_is_alone(core) || shared_state_is_ready(core));
}

/*
 * The request lies in this thread's memory while other threads write parts of it. So also one that is over stays until all that
 * is on its way has come back.
 */
enum member_written member_writes_write(struct core *core, const struct member_entry *list,
                                        size_t n, bool is_guarded, uint32_t *wait_s,
                                        size_t *n_written)
{
	struct member_writes *w = core->member_writes;
	struct member_request q = { .list = list, .n = n, .is_guarded = is_guarded };
	uint64_t now_ms = clock_mono_ms();
	size_t records = count_records(list, n);
	uint64_t wait_ms = compute_wait_ms(w, n, records, now_ms);

	*n_written = 0;
	*wait_s = (uint32_t)(wait_ms / 1000) + 1;
	if (!records)
		return MEMBER_WRITTEN;
	if (!can_be_written(core))
		return MEMBER_NO_STORE;
	if (wait_ms > MEMBER_PACE_WAIT_MS)
		return MEMBER_NOT_NOW;
	if (is_guarded && shared_intent_revision(core->intent, &q.judged))
		return MEMBER_NO_STORE;
	skip_unwritten(&q);
	enqueue_request(w, &q);
	uint64_t until_ms = now_ms + wait_ms + PATIENCE_MS;

	while (!q.is_over || q.n_flying) {
		if (!q.is_over && (core->stopping || clock_mono_ms() >= until_ms))
			end_request(w, &q,
			            q.n_written || q.n_flying ? MEMBER_UNKNOWN : MEMBER_NO_STORE);
		if (!q.is_over || q.n_flying)
			wait_or_write(core, q.is_over ? clock_mono_ms() + 1000 : until_ms);
	}
	*n_written = q.n_written;
	return q.result;
}

/* A change that only removes may be missed (mgmt/store/shared_etcd.h): it says when it was made, too. */
struct member_removal {
	int64_t time_ms;
};
static const struct record_kind removal_record =
        RECORD_OF(struct member_removal, "removal of members", NULL,
                  RECORD_VALUE(struct member_removal, time_ms, FIELD_I64));

bool member_writes_remove(struct core *core, const struct member *list, size_t n)
{
	struct shared_change *c = MEMORY_NEW(struct shared_change);
	struct shared_answer *a = MEMORY_NEW(struct shared_answer);
	const struct member_removal removal = { clock_believed_ms() };
	enum member_written result = MEMBER_NO_STORE;
	char name[SHARED_NAME_MAX];
	bool has_answer = false;

	if (can_be_written(core)) {
		shared_intent_begin(core->intent, c);
		for (size_t i = 0; i < n && i < MEMBER_REMOVED_MAX; i++) {
			member_record_name(list[i].pool, list[i].id, name, sizeof(name));
			shared_change_see(c, name, list[i].revision);
			shared_change_remove(c, name);
		}
		shared_change_put(c, "members", &removal_record, &removal);
		if (!c->err)
			result = decide_change(core, c, a, &has_answer);
	}
	if (has_answer)
		shared_answer_fini(a);
	shared_change_fini(c);
	free(c);
	free(a);
	return result == MEMBER_WRITTEN;
}

static size_t count_members(const struct shared_record *list, size_t n)
{
	size_t members = 0;

	for (size_t i = 0; i < n; i++)
		members += !strncmp(list[i].name, MEMBER_PREFIX, strlen(MEMBER_PREFIX));
	return members;
}

void member_writes_hear(struct core *core, const struct shared_record *list, size_t n)
{
	char id[SHARED_ID_MAX];
	char *end;

	for (size_t i = 0; core->member_writes && i < n; i++) {
		if (strncmp(list[i].name, MEMBER_PREFIX, strlen(MEMBER_PREFIX)) != 0 ||
		    !list[i].text || shared_change_of(list[i].text, id) || id[0] != ID_BEGIN ||
		    strlen(id) <= 1 + ID_HASH)
			continue;
		id[1 + ID_HASH] = '\0';
		uint64_t node = strtoull(id + 1, &end, 16);

		if (*end || !node || node == hash_text(core->dirs.node))
			return;
		if (list[i].revision > core->member_writes->foreign)
			core->member_writes->foreign = list[i].revision;
		member_pace_hear(&core->member_writes->pace, node, count_members(list, n),
		                 clock_mono_ms());
		return; /* all of one change are of one node */
	}
}
