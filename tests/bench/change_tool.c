/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What bench_change.py has done in C: documents, verdicts, and looking at the tables.
 *
 *     change-tool PIN_DIR RUN_DIR
 *
 * It writes the health page of RUN_DIR ("-": weir-health does), maps the tables below PIN_DIR
 * read-only, and obeys lines:
 *   document CONFIG OUT NUMBER POOLS   the effective document of CONFIG; the first POOLS pools also have
 *                                      a new set, which doubles the weight of their first backend
 *   health DOCUMENT                    all its backends are up
 *   apply FROM TO NUMBER               rename; answers the ms until the tables say NUMBER
 *   down POOL BACKEND                  answers the ms until no slot is the backend's; only those moved
 *   during FROM TO NUMBER DELAY POOL BACKEND   `apply`, and DELAY ms later `down`; both times
 *   up POOL BACKEND                    a verdict; does not wait
 *   verify DOCUMENT                    slots equal rings built anew for members and verdicts
 *   await DOCUMENT                     answers the wall clock's ms when all slots are as in its last sets
 * Each answers one line: "ok ..." or what went wrong.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/page.h"
#include "base/proc.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"
#include "weir/health.h"
#include "weir/model.h"
#include "weir/ring.h"

#define NODE    "n1"
#define WORDS   8
#define WAIT_MS 20000u
#define SETTLE  60000

struct tool {
	const char *pin_dir, *run_dir;
	struct page *page;
	struct fwd_tables t;
	bool mapped;
	bool dead[FWD_BACKENDS_MAX];
};

static int require_success(int err, const char *what)
{
	if (err)
		printf("failed: %s: %s\n", what, strerror(-err));
	return err;
}

static struct model *read_model(const char *path, bool effective)
{
	struct model_errors errors;
	struct model *m = NULL;
	int err = effective ? model_read_effective(path, NODE, &m, &errors)
	                    : model_read_config(path, NODE, &m, &errors);

	for (size_t i = 0; i < errors.n_items && i < 5; i++)
		fprintf(stderr, "%s:%u: %s\n", errors.items[i].file, errors.items[i].line,
		        errors.items[i].message);
	model_errors_free(&errors);
	return require_success(err, path) ? NULL : m;
}

/* The pool with a second set from now on. All of it stays until the tool ends. */
static void add_set(struct model_pool *p)
{
	struct model_set *sets = calloc(2, sizeof(*sets));
	struct model_member *members = calloc(p->member_sets[0].n_members, sizeof(*members));
	int64_t now_ms = clock_realtime_ms();

	if (!sets || !members)
		abort();
	memcpy(members, p->member_sets[0].members, p->member_sets[0].n_members * sizeof(*members));
	members[0].weight *= 2;
	sets[0] = p->member_sets[0];
	sets[0].until_ms = now_ms + SETTLE;
	sets[1] = (struct model_set){ now_ms, MODEL_TIME_NEVER, members,
		                      p->member_sets[0].n_members };
	p->member_sets = sets;
	p->n_member_sets = 2;
}

static int do_document(char **words)
{
	struct model *m = read_model(words[0], false);
	size_t n = strtoul(words[3], NULL, 10);
	struct model_pool *pools;

	if (!m)
		return -EINVAL;
	pools = calloc(m->n_pools, sizeof(*pools));
	if (!pools)
		return require_success(-ENOMEM, "document");
	memcpy(pools, m->pools, m->n_pools * sizeof(*pools));
	for (size_t i = 0; i < n && i < m->n_pools; i++)
		add_set(&pools[i]);
	m->pools = pools;
	m->meta.document = strtoul(words[2], NULL, 10);
	return require_success(model_write_effective(m, words[1]), words[1]);
}

static int do_health(struct tool *t, char **words)
{
	struct model *m = read_model(words[0], true);
	struct health_page *h = page_payload(t->page);
	static uint64_t targets[HEALTH_TARGETS_MAX];
	size_t n = 0;

	if (!m)
		return -EINVAL;
	for (size_t p = 0; p < m->n_pools; p++)
		for (size_t i = 0; i < m->pools[p].n_backends; i++)
			targets[n++] =
			        health_target_backend(m->pools[p].name, m->pools[p].backends[i].id);
	if (require_success(health_set_targets(h, targets, n, m->meta.document), "targets"))
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		health_write(h, health_find_index(h, targets[i]), health_make(HEALTH_UP, 0, 0, 0));
	memset(t->dead, 0, sizeof(t->dead));
	page_publish(t->page);
	model_free(m);
	return 0;
}

static int map_pages(struct tool *t)
{
	struct driver_reason why;
	int err;

	if (t->mapped)
		driver_xdp.unmap(&t->t);
	err = driver_xdp.map(t->pin_dir, &t->t, &why);
	t->mapped = !err;
	return err ? require_success(err, why.text) : 0;
}

static double ms_since(uint64_t began_ns)
{
	return (double)(clock_mono_ns() - began_ns) / 1e6;
}

/* What to wait for, one look after the other. */
struct wait {
	struct tool *t;
	uint64_t number;              /* of a document; 0: none */
	uint32_t slot, end, backend;  /* slots before the first are no longer the backend's */
	double number_ms, backend_ms; /* out; negative: not yet */
	uint64_t number_ns, backend_ns;
};

static uint32_t owner_of(const struct fwd_tables *t, uint32_t s)
{
	return OWNER_LOAD(uint16_t,
	                  &t->slots[s / FWD_SLOTS_PER_BLOCK].slot[s % FWD_SLOTS_PER_BLOCK]) &
	       FWD_SLOT_BACKEND;
}

static void look_for_change(struct wait *w)
{
	const struct fwd_tables *t = &w->t->t;

	if (w->number && w->number_ms < 0 &&
	    __atomic_load_n(&t->root->generation, __ATOMIC_ACQUIRE) == w->number)
		w->number_ms = ms_since(w->number_ns);
	if (!w->backend_ns || w->backend_ms >= 0)
		return;
	while (w->slot < w->end && owner_of(t, w->slot) != w->backend)
		w->slot++;
	if (w->slot == w->end)
		w->backend_ms = ms_since(w->backend_ns);
}

static int wait_for(struct wait *w)
{
	uint64_t end_ms = clock_mono_ms() + WAIT_MS;

	while ((w->number && w->number_ms < 0) || (w->backend_ns && w->backend_ms < 0)) {
		look_for_change(w);
		if (clock_mono_ms() > end_ms)
			return require_success(-ETIMEDOUT, w->backend_ns ? "down" : "apply");
		usleep(50);
	}
	return 0;
}

static const struct fwd_pool *find_pool(const struct fwd_tables *t, const char *name)
{
	for (uint32_t i = 0; i < t->n_pools; i++)
		if (t->pools[i].id == hash_text(name))
			return &t->pools[i];
	return NULL;
}

static uint32_t find_backend(const struct fwd_tables *t, uint64_t pool, uint64_t id)
{
	for (uint32_t i = 1; i < t->n_backends; i++)
		if (t->backends[i].pool_id == pool && t->backends[i].id == id)
			return i;
	return 0;
}

/* BACKEND is "ADDRESS". @return its place on the health page, or -1 */
static int find_page_index(struct tool *t, const char *pool, const char *address, struct wait *w)
{
	const struct fwd_pool *p = find_pool(&t->t, pool);
	struct addr a;
	uint64_t id;

	if (!p || addr_parse(address, &a))
		return -1;
	id = model_backend_id(&a, 0);
	w->backend = find_backend(&t->t, p->id, id);
	w->slot = (uint32_t)(p->slot_range >> 8);
	w->end = w->slot + (1u << (p->slot_range & 31));
	return w->backend
	               ? health_find_index(page_payload(t->page), health_target_backend(pool, id))
	               : -1;
}

static void say_dead(struct tool *t, struct wait *w, int place, bool dead)
{
	w->backend_ns = clock_mono_ns();
	t->dead[w->backend] = dead;
	health_write(page_payload(t->page), place,
	             health_make(dead ? HEALTH_DOWN : HEALTH_UP, 0, 0, 0));
	page_publish(t->page);
}

/* Slots of all pools as they are. */
static uint16_t *copy_slots(const struct fwd_tables *t)
{
	uint16_t *copy = malloc((size_t)t->n_colds * sizeof(*copy));

	for (uint32_t s = 0; copy && s < t->n_colds; s++)
		copy[s] = (uint16_t)owner_of(t, s);
	return copy;
}

static int do_down(struct tool *t, char **words)
{
	struct wait w = { .t = t, .backend_ms = -1 };
	int place = find_page_index(t, words[0], words[1], &w);
	uint16_t *before = copy_slots(&t->t);
	size_t repaired = 0, others = 0;
	int err = place < 0 || !before ? require_success(-ENOENT, words[1]) : 0;

	if (!err) {
		say_dead(t, &w, place, true);
		err = wait_for(&w);
	}
	for (uint32_t s = 0; !err && s < t->t.n_colds; s++) {
		bool changed = before[s] != owner_of(&t->t, s);

		repaired += changed && before[s] == w.backend;
		others += changed && before[s] != w.backend;
	}
	free(before);
	if (!err)
		printf("ok %.3f %zu %zu\n", w.backend_ms, repaired, others);
	return err ? err : 1;
}

static int do_apply(struct tool *t, char **words, bool with_death)
{
	struct wait w = { .t = t, .number = strtoul(words[2], NULL, 10), .number_ms = -1 };
	double delay_ms = with_death ? strtod(words[3], NULL) : 0;
	int place = with_death ? find_page_index(t, words[4], words[5], &w) : 0;

	w.backend_ms = with_death ? -1 : 0;
	if (place < 0)
		return require_success(-ENOENT, words[5]);
	w.number_ns = clock_mono_ns();
	if (rename(words[0], words[1]))
		return require_success(-errno, words[1]);
	while (with_death && ms_since(w.number_ns) < delay_ms) {
		look_for_change(&w);
		usleep(20);
	}
	if (with_death)
		say_dead(t, &w, place, true);
	if (wait_for(&w))
		return -1;
	printf("ok %.3f %.3f\n", w.number_ms, w.backend_ms);
	return 1;
}

static int do_up(struct tool *t, char **words)
{
	struct wait w = { .t = t };
	int place = find_page_index(t, words[0], words[1], &w);

	if (place < 0)
		return require_success(-ENOENT, words[1]);
	say_dead(t, &w, place, false);
	return 0;
}

/* The owners by the pool's last set, which is in force when no slot is under way any more. */
static uint16_t *expected_owners(const struct tool *t, const struct model *m,
                                 const struct model_pool *p, const struct fwd_pool *at)
{
	const struct model_set *set = &p->member_sets[p->n_member_sets - 1];
	struct ring_backend *b = calloc(set->n_members, sizeof(*b));
	uint16_t *filled = calloc(p->n_slots, sizeof(*filled)), *repaired = calloc(p->n_slots, 2);

	if (!b || !filled || !repaired || !at)
		abort();
	for (size_t i = 0; i < set->n_members; i++)
		b[i] = (struct ring_backend){ set->members[i].id, set->members[i].weight,
			                      (uint16_t)find_backend(&t->t, at->id,
			                                             set->members[i].id) };
	if (ring_fill(filled, p->n_slots, b, set->n_members, m->hash_key))
		abort();
	ring_repair(repaired, filled, p->n_slots, t->dead, m->hash_key);
	free(b);
	free(filled);
	return repaired;
}

static size_t count_differing(const struct tool *t, const struct model *m,
                              const struct model_pool *p)
{
	const struct fwd_pool *at = find_pool(&t->t, p->name);
	uint16_t *owners = expected_owners(t, m, p, at);
	size_t differ = 0;

	for (uint32_t s = 0; s < p->n_slots; s++)
		differ += owner_of(&t->t, (uint32_t)(at->slot_range >> 8) + s) != owners[s];
	free(owners);
	return differ;
}

static int do_verify(struct tool *t, char **words)
{
	struct model *m = read_model(words[0], true);
	size_t differ = 0;

	if (!m)
		return -EINVAL;
	for (size_t i = 0; i < m->n_pools; i++)
		differ += count_differing(t, m, &m->pools[i]);
	model_free(m);
	printf("ok %zu\n", differ);
	return 1;
}

/* Slots that are to have these owners. */
struct expected {
	uint32_t first, n;
	uint16_t *owners;
};

/* Look until all slots are as expected. @return 0 or -ETIMEDOUT */
static int wait_for_owners(const struct fwd_tables *t, const struct expected *e, size_t n)
{
	uint64_t end_ms = clock_mono_ms() + WAIT_MS;
	uint32_t s = 0;

	for (size_t i = 0; i < n;) {
		while (s < e[i].n && owner_of(t, e[i].first + s) == e[i].owners[s])
			s++;
		if (s == e[i].n) {
			s = 0;
			i++;
			continue;
		}
		if (clock_mono_ms() > end_ms)
			return require_success(-ETIMEDOUT, "await");
		usleep(200);
	}
	return 0;
}

/* Answers the believed time, in ms, at which all slots were as the last sets of DOCUMENT have them. */
static int do_await(struct tool *t, char **words)
{
	struct model *m = read_model(words[0], true);
	struct expected *e;

	if (!m)
		return -EINVAL;
	e = calloc(m->n_pools + 1, sizeof(*e));
	if (!e)
		abort();
	for (size_t i = 0; i < m->n_pools; i++) {
		const struct fwd_pool *at = find_pool(&t->t, m->pools[i].name);

		e[i] = (struct expected){ .n = m->pools[i].n_slots,
			                  .owners = expected_owners(t, m, &m->pools[i], at) };
		e[i].first = (uint32_t)(at->slot_range >> 8);
	}
	int err = wait_for_owners(&t->t, e, m->n_pools);

	if (!err)
		printf("ok %lld\n", (long long)clock_realtime_ms());
	for (size_t i = 0; i < m->n_pools; i++)
		free(e[i].owners);
	free(e);
	model_free(m);
	return err ? err : 1;
}

/* @return 0: "ok" is to be said; else something was */
static int obey_command(struct tool *t, char **words, int n)
{
	if (n == 5 && !strcmp(words[0], "document"))
		return do_document(words + 1);
	if (n == 2 && !strcmp(words[0], "health"))
		return do_health(t, words + 1);
	if (n == 1 && !strcmp(words[0], "map"))
		return map_pages(t);
	if (n == 4 && !strcmp(words[0], "apply"))
		return do_apply(t, words + 1, false);
	if (n == 7 && !strcmp(words[0], "during"))
		return do_apply(t, words + 1, true);
	if (n == 3 && !strcmp(words[0], "down"))
		return do_down(t, words + 1);
	if (n == 3 && !strcmp(words[0], "up"))
		return do_up(t, words + 1);
	if (n == 2 && !strcmp(words[0], "verify"))
		return do_verify(t, words + 1);
	if (n == 2 && !strcmp(words[0], "await"))
		return do_await(t, words + 1);
	return require_success(-EINVAL, words[0]);
}

int main(int argc, char **argv)
{
	struct tool *t = calloc(1, sizeof(*t));
	char path[PATH_MAX], line[8192];

	if (!t || argc != 3 || proc_path(argv[2], PROC_HEALTH_PAGE, path))
		return 2;
	t->pin_dir = argv[1];
	t->run_dir = argv[2];
	if (strcmp(argv[2], "-") != 0 &&
	    require_success(page_create(path, HEALTH_PAGE_KIND, HEALTH_PAGE_LAYOUT,
	                                sizeof(struct health_page), &t->page),
	                    path))
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		char *words[WORDS], *save = NULL;
		int n = 0;

		for (char *w = strtok_r(line, " \n", &save); w && n < WORDS;
		     w = strtok_r(NULL, " \n", &save))
			words[n++] = w;
		if (n && !obey_command(t, words, n))
			printf("ok\n");
		fflush(stdout);
	}
	page_close(t->page);
	free(t);
	return 0;
}
