/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members among the records of shared intent: as they are known, and on their way into the copy.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sorted.h"
#include "mgmt/overrides/compose.h"
#include "mgmt/store/copy.h"
#include "mgmt/store/intent_internal.h"
#include "mgmt/store/shared_intent.h"

/* What begins later was written by a clock that is wrong. */
#define AHEAD_MOST_MS (COMPOSE_AHEAD_MS + INTENT_SKEW_MAX_MS + MEMBER_GRID_MS)

static bool is_members(const struct shared_record *r)
{
	return !strncmp(r->name, MEMBER_PREFIX, strlen(MEMBER_PREFIX));
}

/* The document is another one from @p at_ms on, and names what begins then so much before. */
static void compose_by(struct intent *in, int64_t at_ms)
{
	if (at_ms - COMPOSE_AHEAD_MS < in->next_ms)
		in->next_ms = at_ms - COMPOSE_AHEAD_MS;
}

/* The record is gone, and with it what nodes that start know of the member: the document is composed without it. */
static void remove_member(struct intent *in, const char *name)
{
	char pool[MODEL_NAME_MAX];
	const char *at = name + strlen(MEMBER_PREFIX), *id = strchr(at, '/');

	if (!id || (size_t)(id - at) >= sizeof(pool))
		return;
	memcpy(pool, at, (size_t)(id - at));
	pool[id - at] = '\0';
	members_remove(&in->members, pool, id + 1);
	compose_by(in, member_instant_ms(in->ticked_ms, COMPOSE_AHEAD_MS));
}

void member_records_accept(struct intent *in, const struct shared_record *r)
{
	struct member m;

	if (!is_members(r))
		return;
	if (!r->text) {
		remove_member(in, r->name);
		return;
	}
	if (!member_read(r->name, r->text, r->revision, &m)) {
		log_warn("member-refused", "name=%.120s effect=\"it is none\"", r->name);
		return;
	}
	/* its node's clock is ahead of this one's, or this node's is behind */
	int64_t now_ms = clock_believed_ms();
	member_begin_now(&m, now_ms + AHEAD_MOST_MS, INT64_MAX, now_ms);

	const struct member *was = members_find(&in->members, m.pool, m.id);

	m.renewed_ms = was ? was->renewed_ms : 0;
	m.heard_ms = clock_mono_ms(); /* who writes it has heard of it */
	int err = members_put(&in->members, &m);
	if (err)
		log_error("member-not-kept", "name=%.120s error=\"%s\"", r->name, strerror(-err));
	compose_by(in, m.from_ms[m.n_from - 1]);
	if (m.left_ms)
		compose_by(in, m.left_ms);
}

void member_records_clear(struct intent *in)
{
	members_fini(&in->members);
}

bool member_records_are(const struct shared_record *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_members(&list[i]))
			return false;
	return n > 0;
}

static int reserve_unkept(struct intent *in, size_t n)
{
	size_t room = 2 * (in->n_unkept + n);

	if (in->n_unkept + n <= in->unkept_room)
		return 0;
	struct shared_record *list = realloc(in->unkept, room * sizeof(*list));

	if (!list)
		return -ENOMEM;
	in->unkept = list;
	in->unkept_room = room;
	return 0;
}

static int note_unkept(struct intent *in, const struct shared_record *r, int64_t revision)
{
	struct shared_record *own = &in->unkept[in->n_unkept];

	*own = *r;
	own->revision = revision;
	own->text = r->text ? strdup(r->text) : NULL;
	if (r->text && !own->text)
		return -ENOMEM;
	in->n_unkept++;
	return 0;
}

/* If one cannot be kept, none is in force: the copy would lack it for ever, as its revision goes on. */
int member_records_defer(struct intent *in, int64_t revision, const struct shared_record *list,
                         size_t n)
{
	size_t had = in->n_unkept;
	int64_t here;
	int err = copy_revision(in->store, &here);

	if (!err && (revision <= here || revision <= in->unkept_revision))
		return -ESTALE;
	if (!err)
		err = reserve_unkept(in, n);
	for (size_t i = 0; !err && i < n; i++)
		err = note_unkept(in, &list[i], revision);
	if (err) {
		shared_free_texts(in->unkept + had, in->n_unkept - had);
		in->n_unkept = had;
		return err;
	}
	in->unkept_revision = revision;
	for (size_t i = 0; i < n; i++)
		member_records_accept(in, &in->unkept[had + i]);
	return 0;
}

void member_records_drop(struct intent *in)
{
	shared_free_texts(in->unkept, in->n_unkept);
	free(in->unkept);
	in->unkept = NULL;
	in->n_unkept = in->unkept_room = 0;
	in->unkept_revision = 0;
}

int member_records_flush(struct intent *in)
{
	if (!in->unkept_revision)
		return 0;
	if (!in->store || in->failing)
		return -EROFS;
	int err = copy_follow_each(in->store, in->unkept_revision, in->unkept, in->n_unkept);

	if (err && err != -ESTALE)
		return err;
	member_records_drop(in);
	return 0;
}

void intent_renew_member(struct intent *in, const char *pool, const char *id, uint64_t now_ms)
{
	struct member *m = (struct member *)(uintptr_t)members_find(&in->members, pool, id);

	if (m)
		m->heard_ms = m->renewed_ms = now_ms;
}

/* Words come by several ways and in any order: the latest renewal counts. */
void intent_hear_members(struct intent *in, const struct member_heard *list, size_t n)
{
	for (size_t i = 0; n && i < in->members.n; i++) {
		struct member *m = in->members.items[i];
		const struct member_heard *found =
		        bsearch(&m->key, list, n, sizeof(*list), sorted_by_u64);

		if (found && found->heard_ms > m->heard_ms)
			m->heard_ms = found->heard_ms;
	}
}

void member_records_clock_moved(struct intent *in, int64_t was_ms, int64_t now_ms)
{
	for (size_t i = 0; now_ms < was_ms && i < in->members.n; i++)
		member_begin_now(in->members.items[i], now_ms, was_ms, now_ms);
}

/* A document has no ttl and no past: the member has been there for ever, and stays until a program puts it again. */
static void recall_backend(struct intent *in, const struct model_backend *b)
{
	struct member m = { .address = { .addr = b->address,
		                         .bits = addr_is4(&b->address) ? 32 : 128 },
		            .heard_ms = clock_mono_ms() };

	memcpy(m.pool, b->pool->name, strlen(b->pool->name) + 1);
	memcpy(m.id, b->name, strlen(b->name) + 1);
	member_set_weight(&m, b->weight, 0);
	if (members_put(&in->members, &m))
		log_error("member-not-kept", "pool=%s id=%s", m.pool, m.id);
}

void member_records_recall(struct intent *in)
{
	const struct model *m = in->before ? in->before : in->seed;
	int64_t revision = 0;

	if (in->members.n || !m || (in->store && !copy_revision(in->store, &revision) && revision))
		return;
	for (size_t i = 0; i < m->n_pools; i++)
		for (size_t k = 0; k < m->pools[i].n_backends; k++)
			if (m->pools[i].backends[k].registered)
				recall_backend(in, &m->pools[i].backends[k]);
	if (in->members.n)
		log_note("members-recalled", "n=%zu from=%s", in->members.n, PROC_EFFECTIVE_FILE);
}
