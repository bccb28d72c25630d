/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * size_arrays() sizes all arrays for the worst case, one pass over the model fills them, and
 * sorting by id makes look-up and inheritance a binary search. Paths lie in one array in the order
 * in which targets were added. The state to publish (target_state()) is computed from verdict,
 * damping and the right to vote; it is not stored.
 *
 * A round passes to the next table with its attempts, which the loop and libcurl know by their
 * addresses: so each path's lie in memory of their own.
 *
 * Each target remembers what it adds to its pool's tally, so a change costs nothing for the other
 * targets: there may be ten thousand, and each probe's result may be a change.
 */
#include "healthcheck/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/sorted.h"
#include "healthcheck/vips.h"
#include "weir/fwd/encap.h"
#include "weir/probe.h"

static void set_check(struct target *t, const struct model_check *check)
{
	t->check = check;
	t->pace = (struct pace){ .interval_ms = check->interval_ms,
		                 .fast_interval_ms = check->fast_interval_ms,
		                 .timeout_ms = check->timeout_ms };
	t->rule = (struct verdict_rule){ .rise = check->rise, .fall = check->fall };
	if (t->pool)
		t->damp_rule = (struct damp_rule){ .turns = check->damp_turns,
			                           .half_life_ms = check->damp_half_life_ms,
			                           .max_ms = check->damp_max_ms };
}

/* One more path of @p x, which is the last target that has any so far. */
static void add_target_path(struct targets *t, struct target *x, const struct addr *address,
                            uint16_t port, uint32_t mark)
{
	struct target_path *path = &t->paths[t->n_paths++];

	if (!x->n_paths++)
		x->paths = path;
	path->spec = (struct attempt_spec){ .address = *address,
		                            .port = port,
		                            .mark = mark,
		                            .is_http = x->check->type == MODEL_CHECK_HTTP,
		                            .path = x->check->path,
		                            .host = x->check->host,
		                            .expect = x->check->expect };
}

static uint16_t first_port(uint16_t a, uint16_t b, uint16_t c)
{
	return a ? a : b ? b : c;
}

/* The port of the first service at @p m's own site that uses @p pool; 0: there is none. */
static uint16_t service_port(const struct model *m, const struct model_pool *pool)
{
	for (size_t i = 0; i < m->n_services; i++)
		for (size_t j = 0; j < m->services[i].n_at; j++)
			if (m->services[i].at[j].pool == pool)
				return m->services[i].port;
	return 0;
}

static int by_marked_backend(const void *key, const void *item)
{
	const struct model_backend *want = key;
	const struct probe_mark *mark = item;

	if (want->pool->index != mark->pool->index)
		return want->pool->index < mark->pool->index ? -1 : 1;
	return strcmp(want->name, mark->backend->name);
}

static struct target *add_backend_target(struct targets *t, const struct model_backend *b)
{
	struct target *x = &t->items[t->n++];

	x->id = health_target_backend(b->pool->name, b->id);
	x->pool = b->pool;
	x->backend = b;
	x->site = b->pool->site;
	set_check(x, b->pool->check);
	return x;
}

/* Those of a pool that is probed at their own addresses. */
static void add_direct(struct targets *t, const struct model_pool *pool)
{
	uint16_t port = service_port(t->model, pool);

	for (size_t i = 0; i < pool->n_backends; i++) {
		const struct model_backend *b = &pool->backends[i];

		add_target_path(t, add_backend_target(t, b), &b->address,
		                first_port(pool->check->port, b->port, port), 0);
	}
}

/* The longest packet that must fit in the tunnel to a backup's backend; 0: nothing is asked. */
static uint16_t full_size(const struct model *m, const struct model_backend *b)
{
	uint16_t mtu = probe_backup_mtu(m, b->pool);

	return mtu ? (uint16_t)(mtu - fwd_outer_len(addr_is4(&b->address),
	                                            b->pool->mode == MODEL_MODE_GUE))
	           : 0;
}

/* Backends that are probed through their tunnels. A pool that serves no VIP has none to probe. */
static void add_tunnelled(struct targets *t, const struct model_pool *pool,
                          const struct probe_mark *marks, size_t n_marks)
{
	struct probe_path paths[PROBE_PATHS_MAX];
	size_t n_paths = probe_paths(t->model, pool, paths);

	for (size_t i = 0; i < pool->n_backends && n_paths; i++) {
		const struct model_backend *b = &pool->backends[i];
		const struct probe_mark *mark =
		        bsearch(b, marks, n_marks, sizeof(*marks), by_marked_backend);

		if (!mark)
			continue;
		struct target *x = add_backend_target(t, b);
		for (size_t k = 0; k < n_paths; k++)
			add_target_path(t, x, &paths[k].vip, paths[k].port, mark->mark);
		for (size_t k = 0; k < x->n_paths; k++) {
			x->paths[k].spec.full_size = full_size(t->model, b);
			x->paths[k].of_udp = paths[k].of_udp;
		}
	}
}

/* Backends of the own site, and those of other sites that are a backup here. */
static void add_probed_backends(struct targets *t, const struct probe_mark *marks, size_t n_marks)
{
	const struct model *m = t->model;

	for (size_t i = 0; i < m->n_pools; i++) {
		const struct model_pool *pool = &m->pools[i];

		if (probe_is_tunnelled(m, pool))
			add_tunnelled(t, pool, marks, n_marks);
		else if (probe_is_checked(m, pool))
			add_direct(t,
			           pool); /* of an external check nothing is sent to the address */
	}
}

static const struct addr *find_address(const struct model_vip *vip, bool ip4)
{
	for (size_t i = 0; i < vip->n_addresses; i++)
		if (addr_is4(&vip->addresses[i]) == ip4)
			return &vip->addresses[i];
	return NULL;
}

/* Other sites' VIPs are probed; the own site's word is derived from its pool. */
static void add_vip_target(struct targets *t, const struct model_service *s,
                           const struct model_at *at, bool ip4)
{
	const struct addr *address = find_address(at->vip, ip4);
	uint64_t id = health_target_service(s->name, at->site->name, ip4);

	if (!address)
		return;
	if (at->site == t->model->self->site) {
		t->derived[t->n_derived++] = (struct derived){
			.id = id, .service = s, .vip = at->vip, .pool = at->pool, .ip4 = ip4
		};
		return;
	}
	if (!s->vip_check)
		return;
	struct target *x = &t->items[t->n++];
	x->id = id;
	x->service = s;
	x->site = at->site;
	set_check(x, s->vip_check);
	add_target_path(t, x, address, first_port(s->vip_check->port, s->port, 0), 0);
}

static void add_vip_targets(struct targets *t)
{
	const struct model *m = t->model;

	for (size_t i = 0; i < m->n_services; i++)
		for (size_t j = 0; j < m->services[i].n_at; j++) {
			add_vip_target(t, &m->services[i], &m->services[i].at[j], true);
			add_vip_target(t, &m->services[i], &m->services[i].at[j], false);
		}
}

/* Room for the most that add_probed_backends() and add_vip_targets() can add. */
static int size_arrays(struct targets *t)
{
	const struct model *m = t->model;
	size_t n_items = 0, n_paths = 0, n_at = 0;

	for (size_t i = 0; i < m->n_pools; i++) {
		bool tunnelled = m->self && probe_is_tunnelled(m, &m->pools[i]);

		n_items += m->pools[i].n_backends;
		n_paths += m->pools[i].n_backends * (tunnelled ? PROBE_PATHS_MAX : 1);
	}
	for (size_t i = 0; i < m->n_services; i++)
		n_at += 2 * m->services[i].n_at;
	t->items = calloc(n_items + n_at + 1, sizeof(*t->items));
	t->paths = calloc(n_paths + n_at + 1, sizeof(*t->paths));
	t->derived = calloc(n_at + 1, sizeof(*t->derived));
	t->tallies = calloc(m->n_pools + 1, sizeof(*t->tallies));
	t->changed = calloc(m->n_pools + 1, sizeof(*t->changed));
	return t->items && t->paths && t->derived && t->tallies && t->changed ? 0 : -ENOMEM;
}

static int make_attempts(struct targets *t)
{
	for (size_t i = 0; i < t->n_paths; i++) {
		t->paths[i].attempts = calloc(2, sizeof(struct attempt));
		if (!t->paths[i].attempts)
			return -ENOMEM;
	}
	return 0;
}

/* Of targets that are the same (a document that lists one twice) the first stays. */
static void drop_twins(struct targets *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++)
		if (!n || t->items[n - 1].id != t->items[i].id)
			t->items[n++] = t->items[i];
	t->n = n;
}

int targets_new(struct model *model, struct targets **out)
{
	struct targets *t = calloc(1, sizeof(*t));
	struct probe_mark *marks = NULL;
	size_t n_marks = 0;
	int err;

	if (!t) {
		model_free(model);
		return -ENOMEM;
	}
	t->model = model;
	err = probe_marks(model, &marks, &n_marks);
	if (!err)
		err = size_arrays(t);
	if (!err) {
		add_probed_backends(t, marks, n_marks);
		add_vip_targets(t);
		qsort(t->items, t->n, sizeof(*t->items), sorted_by_u64);
		drop_twins(t);
		if (t->n + t->n_derived > HEALTH_TARGETS_MAX)
			err = -E2BIG;
	}
	if (!err)
		err = make_attempts(t);
	free(marks);
	if (err) {
		targets_free(t);
		return err;
	}
	for (size_t i = 0; i < t->n; i++) {
		t->items[i].since_document = model->meta.document;
		for (uint32_t k = 0; k < t->items[i].n_paths; k++)
			t->items[i].paths[k].target = &t->items[i];
	}
	*out = t;
	return 0;
}

void targets_free(struct targets *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_paths; i++)
		free(t->paths[i].attempts);
	model_free(t->model);
	free(t->items);
	free(t->paths);
	free(t->derived);
	free(t->tallies);
	free(t->changed);
	free(t);
}

struct target *targets_find(const struct targets *t, uint64_t id)
{
	const struct target key = { .id = id };

	return bsearch(&key, t->items, t->n, sizeof(*t->items), sorted_by_u64);
}

/* The mark alone says which tunnel; the VIPs in it are the packets' own. */
static bool same_tunnel(const struct target *a, const struct target *b)
{
	return a->paths[0].spec.mark == b->paths[0].spec.mark;
}

/* What was seen of a VIP at another address says nothing of this one. */
static bool is_same_vip(const struct target *a, const struct target *b)
{
	return !a->service || addr_equal(&a->paths[0].spec.address, &b->paths[0].spec.address);
}

static bool is_same_path(const struct target_path *a, const struct target_path *b)
{
	return a->spec.port == b->spec.port && addr_equal(&a->spec.address, &b->spec.address);
}

/* What is known of each path that stays, wherever it stood among the others. */
static void inherit_paths(struct target *t, const struct target *old)
{
	for (uint32_t k = 0; t->pool && k < t->n_paths; k++)
		for (uint32_t i = 0; i < old->n_paths; i++) {
			if (!is_same_path(&t->paths[k], &old->paths[i]))
				continue;
			t->worked |= (uint16_t)((old->worked >> i & 1) << k);
			t->lacks |= (uint16_t)((old->lacks >> i & 1) << k);
		}
}

void target_inherit(struct target *t, const struct target *old)
{
	t->counts = old->counts;
	t->due_ms = old->due_ms;
	if (!is_same_vip(t, old)) {
		t->moved_s = clock_believed_ms() / 1000;
		return;
	}
	t->moved_s = old->moved_s;
	inherit_paths(t, old);
	t->verdict = old->verdict;
	t->restored = old->restored;
	t->inconclusive = old->inconclusive;
	t->vague_ms = old->vague_ms;
	t->failing = old->failing;
	t->damp = old->damp;
	t->spared = old->spared;
	t->last = old->last;
	t->last_detail = old->last_detail;
	t->last_late = old->last_late;
	t->last_unready = old->last_unready;
	t->since_s = old->since_s;
	t->sent_ms = old->sent_ms;
	t->done_ms = old->done_ms;
	if (same_tunnel(t, old))
		t->since_document = old->since_document;
}

/* Whether both ask the same, so that the answer to one is the answer to the other. */
static bool same_probe(const struct target *a, const struct target *b)
{
	if (a->n_paths != b->n_paths || a->pace.timeout_ms != b->pace.timeout_ms ||
	    target_is_external(a) || target_is_external(b))
		return false;
	for (uint32_t i = 0; i < a->n_paths; i++)
		if (!attempt_spec_equal(&a->paths[i].spec, &b->paths[i].spec))
			return false;
	return true;
}

static void inherit_path(struct target_path *p, struct target_path *old)
{
	struct attempt *own = p->attempts;

	p->attempts = old->attempts;
	old->attempts = own;
	p->over = old->over;
	attempt_pass(&p->attempts[0], &p->spec, p);
	attempt_pass(&p->attempts[1], &p->spec, p);
}

void target_inherit_round(struct target *t, struct target *old)
{
	if (old->phase == TARGET_IDLE || !same_probe(t, old))
		return;
	for (uint32_t i = 0; i < t->n_paths; i++)
		inherit_path(&t->paths[i], &old->paths[i]);
	t->phase = old->phase;
	t->deadline_ms = old->deadline_ms;
	t->witness_ms = old->witness_ms;
	t->late = old->late;
	t->n_over = old->n_over;
	t->n_good = old->n_good;
	t->good_paths = old->good_paths;
	t->voteless_paths = old->voteless_paths;
	t->voteless = old->voteless ? t->paths + (old->voteless - old->paths) : NULL;
	t->voteless_reason = old->voteless_reason;
	t->voteless_detail = old->voteless_detail;
	t->good_detail = old->good_detail;
	t->lacking = old->lacking ? t->paths + (old->lacking - old->paths) : NULL;
	t->lacking_detail = old->lacking_detail;
	t->last_path = old->last_path;
	old->phase = TARGET_IDLE;
}

bool target_is_external(const struct target *t)
{
	return t->check->type == MODEL_CHECK_EXTERNAL;
}

void target_forget(struct target *t)
{
	t->verdict = verdict_of(HEALTH_UNKNOWN);
	t->restored = t->inconclusive = t->spared = false;
	t->last = HEALTH_REASON_NONE;
	t->last_detail = 0;
}

bool target_has_joined(const struct target *t)
{
	return t->worked || verdict_state(t->verdict) == HEALTH_UP;
}

bool target_path_votes(const struct target *t, const struct pool_tally *pool, uint32_t k)
{
	if (t->n_paths == 1 || t->worked >> k & 1)
		return true;
	return !target_has_joined(t) && pool->worked >> k & 1;
}

uint32_t target_path_digest(const struct target *t, uint32_t k)
{
	const struct attempt_spec *spec = &t->paths[k].spec;
	uint64_t halves[2];

	memcpy(halves, spec->address.bytes, sizeof(halves));
	return (uint32_t)hash_mix(hash_mix(hash_mix(halves[0]) + halves[1]) + spec->port);
}

void target_restore(struct target *t, health_word word)
{
	if (health_state(word) != HEALTH_UP && health_state(word) != HEALTH_DOWN)
		return;
	t->verdict = verdict_of(health_state(word));
	t->restored = true;
	t->spared = health_damped(word) && health_state(word) == HEALTH_UP;
	t->since_s = health_since_s(word);
	t->last = health_reason(word) < HEALTH_REASON_COUNT ? health_reason(word)
	                                                    : HEALTH_REASON_NONE;
}

enum health_state target_state(const struct target *t)
{
	enum health_state state = verdict_state(t->verdict);

	if (t->unproven)
		return HEALTH_UNKNOWN;
	return state == HEALTH_UP && t->damp.held && !t->spared ? HEALTH_DOWN : state;
}

health_word target_word(const struct target *t)
{
	unsigned marks = 0;

	if (verdict_in_doubt(t->verdict) && !t->unproven)
		marks |= HEALTH_MARK_DOUBT;
	if (t->inconclusive)
		marks |= HEALTH_MARK_INCONCLUSIVE;
	if (t->restored)
		marks |= HEALTH_MARK_RESTORED;
	if (t->unproven)
		marks |= HEALTH_MARK_UNPROVEN;
	if (t->is_new && target_state(t) != HEALTH_UP)
		marks |= HEALTH_MARK_NEW;
	if (t->damp.held)
		marks |= HEALTH_MARK_DAMPED;
	return health_make(target_state(t), marks, t->last, t->since_s);
}

int targets_lay_out(const struct targets *t, struct health_page *page)
{
	size_t n = t->n + t->n_derived;
	uint64_t *ids = calloc(n + 1, sizeof(*ids));
	int err;

	if (!ids)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ids[i] = i < t->n ? t->items[i].id : t->derived[i - t->n].id;
	err = health_set_targets(page, ids, n, t->model->meta.document);
	free(ids);
	return err;
}

bool targets_mark_vips(struct targets *t, const struct vips *v)
{
	bool changed = false;

	for (size_t i = 0; i < t->n; i++) {
		struct target *x = &t->items[i];
		const struct attempt_spec *spec = &x->paths[0].spec;

		if (!x->service)
			continue;
		x->proven = vips_is_proven(v, &spec->address, spec->port);
		bool unproven = x->service->vip_check_from == MODEL_VIP_CHECK_DEFAULT && !x->proven;
		bool is_new = vips_is_new(v, &spec->address);

		changed |= x->unproven != unproven || x->is_new != is_new;
		x->unproven = unproven;
		x->is_new = is_new;
	}
	return changed;
}

/* What a target adds to its pool's tally besides itself: one to each of these numbers. */
enum {
	TALLY_UP = 1,
	TALLY_SURE = 2,
	TALLY_UNKNOWN = 4,
	TALLY_DOUBT = 8,
	TALLY_RESTORED = 16,
	TALLY_VAGUE = 32,
	TALLY_HELD = 64,
	TALLY_TRIED = 128,
};

static uint8_t tally_of(const struct target *x)
{
	bool is_up = target_state(x) == HEALTH_UP;
	unsigned bits = is_up ? TALLY_UP : 0;

	bits |= is_up && !verdict_in_doubt(x->verdict) ? TALLY_SURE : 0;
	bits |= verdict_state(x->verdict) == HEALTH_UNKNOWN ? TALLY_UNKNOWN : 0;
	bits |= verdict_in_doubt(x->verdict) ? TALLY_DOUBT : 0;
	bits |= x->restored ? TALLY_RESTORED : 0;
	bits |= x->inconclusive ? TALLY_VAGUE : 0;
	bits |= verdict_state(x->verdict) == HEALTH_UP && !is_up ? TALLY_HELD : 0;
	bits |= x->done_ms ? TALLY_TRIED : 0;
	return (uint8_t)bits;
}

static uint16_t lacks_of(const struct target *x)
{
	return target_state(x) == HEALTH_UP ? x->lacks : 0;
}

/* Add @p by, 1 or -1, to the numbers that @p bits name, and to those of the paths @p lacks. */
static void add_tally(struct pool_tally *y, unsigned bits, unsigned lacks, int by)
{
	uint32_t one = (uint32_t)by;

	y->n_up += bits & TALLY_UP ? one : 0;
	y->n_sure += bits & TALLY_SURE ? one : 0;
	y->n_unknown += bits & TALLY_UNKNOWN ? one : 0;
	y->n_doubt += bits & TALLY_DOUBT ? one : 0;
	y->n_restored += bits & TALLY_RESTORED ? one : 0;
	y->n_vague += bits & TALLY_VAGUE ? one : 0;
	y->n_held += bits & TALLY_HELD ? one : 0;
	y->n_tried += bits & TALLY_TRIED ? one : 0;
	for (unsigned k = 0; lacks >> k; k++)
		y->n_lacking[k] += lacks >> k & 1 ? one : 0;
}

void targets_tally(struct targets *t)
{
	memset(t->tallies, 0, t->model->n_pools * sizeof(*t->tallies));
	memset(t->changed, true, t->model->n_pools * sizeof(*t->changed));
	for (size_t i = 0; i < t->n; i++) {
		struct target *x = &t->items[i];
		struct pool_tally *y = x->pool ? &t->tallies[x->pool->index] : NULL;

		if (!y)
			continue;
		x->tallied = tally_of(x);
		x->tallied_lacks = lacks_of(x);
		add_tally(y, x->tallied, x->tallied_lacks, 1);
		y->worked |= x->worked;
		y->any = x;
		y->n++;
	}
}

bool targets_retally(struct targets *t, struct target *x)
{
	struct pool_tally *y = &t->tallies[x->pool->index];
	uint8_t now = tally_of(x);
	uint16_t lacks = lacks_of(x);

	y->worked |= x->worked;
	if (now == x->tallied && lacks == x->tallied_lacks)
		return false;
	add_tally(y, x->tallied, x->tallied_lacks, -1);
	add_tally(y, now, lacks, 1);
	x->tallied = now;
	x->tallied_lacks = lacks;
	t->changed[x->pool->index] = true;
	return true;
}

int derived_path(const struct derived *d, const struct pool_tally *y)
{
	const struct model_check *check = d->pool->check;

	for (uint32_t k = 0; y->any && k < y->any->n_paths; k++) {
		const struct attempt_spec *spec = &y->any->paths[k].spec;
		const struct addr *vip = spec->mark ? find_address(d->vip, d->ip4) : NULL;

		if (vip && spec->port == first_port(check->port, d->service->port, 0) &&
		    addr_equal(&spec->address, vip))
			return (int)k;
	}
	return -1;
}

health_word derive_word(const struct pool_tally *y, int path, bool has_check, int64_t since_s)
{
	enum health_state state = HEALTH_UP;
	unsigned marks = 0;

	if (has_check && !y->n_up)
		state = y->n_unknown ? HEALTH_UNKNOWN : HEALTH_DOWN;
	else if (has_check && path >= 0 && y->n_lacking[path] == y->n_up)
		state = HEALTH_DOWN;
	if (!y->n_sure && y->n_doubt)
		marks |= HEALTH_MARK_DOUBT;
	if (y->n && y->n_vague == y->n)
		marks |= HEALTH_MARK_INCONCLUSIVE;
	if (y->n && y->n_restored == y->n)
		marks |= HEALTH_MARK_RESTORED;
	return health_make(state, marks, HEALTH_REASON_POOL, since_s);
}
