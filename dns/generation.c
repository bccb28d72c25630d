/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a generation: read the document, lay out the steering of its names, then find an image. In
 * order of preference: the kept image if the zone files' inodes, sizes and times are those that it
 * was made from, by the same program unless it is only explained, or nothing is served yet; a newly
 * compiled one, with all zones of the earlier image whose files have the same bytes, by the same
 * program, too; the kept one if compiling fails and the dynamic names are the same. Answers always come from private memory, never
 * from the file, which somebody may cut short or overwrite.
 *
 * generation_observe() computes the state in a fixed order: peers' health, the sites that vote, the
 * health word of each target, the ramps (which ask whether a site is up), and last the overrides.
 */
#include "dns/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/owner.h"
#include "base/replace.h"
#include "dns/steering/decided.h"
#include "dns/zone/image.h"
#include "dns/steering/outside.h"
#include "dns/steering/ramps.h"
#include "weir/model.h"

/* A limit, not a size: against a document out of proportion. */
#define ARENA_BYTES     ((size_t)1 << 30)
#define IMAGE_BYTES_MAX ((uint64_t)UINT32_MAX) /* offsets have 32 bits */

/* A file need not be read to see that it is another one. A missing file has a digest, too. */
static uint64_t file_digest(const char *path)
{
	static const struct hash_key key = { 0 };
	struct stat st = { 0 };

	(void)stat(path, &st);

	const uint64_t facts[] = { (uint64_t)st.st_ino, (uint64_t)st.st_size,
		                   (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec };

	return hash_bytes(&key, facts, sizeof(facts));
}

static uint64_t own_program(void)
{
	return file_digest("/proc/self/exe");
}

/*
 * Who serves compiles again what another program has kept, before an upgrade. Who only explains takes it, as an image
 * of this program; so does who serves nothing yet, for queries wait.
 */
static uint64_t program_digest(const struct generation_how *how, const struct image *kept)
{
	return (how->keep && how->earlier) || !kept ? own_program() : kept->program;
}

/* A digest of the zones' names and of their files' inodes, sizes and times. */
static uint64_t source_digest(const struct model *m, const struct steering *p)
{
	uint64_t digest = image_dynamic_digest(p->texts, p->n_names);

	for (size_t i = 0; i < m->n_zones; i++) {
		const uint64_t facts[] = { hash_text(m->zones[i].name),
			                   file_digest(m->zones[i].file),
			                   hash_text(m->zones[i].digest) };
		const struct hash_key key = { digest, i };

		digest = hash_bytes(&key, facts, sizeof(facts));
	}
	return digest ? digest : 1;
}

/* Read the whole of @p fd. @return whether there were so many bytes */
static bool read_whole_image(int fd, void *bytes, size_t n)
{
	uint8_t *at = bytes;

	while (n > 0) {
		ssize_t got = read(fd, at, n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		at += got;
		n -= (size_t)got;
	}
	return true;
}

/*
 * Read the kept image into private memory: answers must not change with the file, which may be cut
 * short or overwritten at any time. @return the image, or NULL if there is none, or it is damaged
 * or not this user's
 */
static const struct image *read_image(const char *path, size_t *bytes)
{
	int fd = owner_open(path, "dns");
	struct stat st;
	void *at = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size <= IMAGE_BYTES_MAX)
		at = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE,
		          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (at != MAP_FAILED && !read_whole_image(fd, at, (size_t)st.st_size)) {
		munmap(at, (size_t)st.st_size);
		at = MAP_FAILED;
	}
	close(fd);
	if (at == MAP_FAILED)
		return NULL;
	(void)mprotect(at, (size_t)st.st_size, PROT_READ);
	if (image_check(at, (size_t)st.st_size) < 0) {
		munmap(at, (size_t)st.st_size);
		return NULL;
	}
	*bytes = (size_t)st.st_size;
	return at;
}

/* Whoever hears of the zones' errors while they are compiled. */
struct reporter {
	struct generation *of;
	const struct generation_how *how;
};

static void free_error(struct zones_message *m)
{
	free((void *)(uintptr_t)m->zone);
	free((void *)(uintptr_t)m->file);
	free((void *)(uintptr_t)m->text);
}

/*
 * Where to keep an error; NULL: nowhere. One that may pass takes the place of the last one that does not: what is said
 * of a zone to be tried again differs.
 */
static struct zones_message *find_error_room(struct generation_share *keep, int error)
{
	if (keep->n_errors < GENERATION_ERRORS_MAX)
		return &keep->errors[keep->n_errors++];
	for (unsigned i = GENERATION_ERRORS_MAX; model_may_pass(error) && i-- > 0;)
		if (!model_may_pass(keep->errors[i].error)) {
			free_error(&keep->errors[i]);
			return &keep->errors[i];
		}
	return NULL;
}

/* Texts are copied; without memory an error is reported this once. */
static void keep_error(struct generation_share *keep, const struct zones_message *m)
{
	struct zones_message copy = *m, *room;
	char *zone = strdup(m->zone), *file = strdup(m->file), *text = strdup(m->text);

	copy.zone = zone;
	copy.file = file;
	copy.text = text;
	room = zone && file && text ? find_error_room(keep, m->error) : NULL;
	if (room)
		*room = copy;
	else
		free_error(&copy);
}

static void report_and_keep(void *arg, const struct zones_message *m)
{
	const struct reporter *r = arg;
	struct generation_share *keep = r->of->share;

	if (m->level == ZONES_ERROR && keep)
		keep_error(keep, m);
	if (model_may_pass(m->error))
		r->of->stale_error = m->error;
	r->how->report(r->how->report_arg, m);
}

/* Errors are isolated: one bad zone file must not keep the others from being served. */
static int compile_image(struct generation *g, const struct generation_how *how, uint64_t source,
                         const struct image *earlier)
{
	const struct model *m = g->model;
	struct reporter reporter = { g, how };
	struct zone_source *zones = ARENA_ARRAY(g->arena, struct zone_source, m->n_zones + 1);
	struct zone_input in = {
		.zones = zones,
		.n_zones = m->n_zones,
		.source = source,
		.program = program_digest(how, earlier),
		.isolate = true,
		.earlier = earlier,
		.reuse = how->trust_cache,
		.n_compiled = &g->n_compiled,
	};
	struct image *image;
	int err;

	if (!zones)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_zones; i++)
		zones[i] = (struct zone_source){ m->zones[i].name, m->zones[i].file };
	in.dynamic = g->steering->texts;
	in.n_dynamic = g->steering->n_names;
	err = zone_compile(&in, report_and_keep, &reporter, &image);
	if (err == 0)
		g->image = image;
	g->compiled = err == 0;
	return err;
}

static void report_error_at(const struct generation_how *how, const char *file, unsigned line,
                            const char *text)
{
	how->report(how->report_arg, &(struct zones_message){ .zone = "",
	                                                      .file = file,
	                                                      .line = line,
	                                                      .level = ZONES_ERROR,
	                                                      .text = text });
}

/*
 * Find the image: the kept one if it still fits, else a new one, else the kept one although it is
 * outdated.
 */
static int find_image(struct generation *g, const struct proc_dirs *dirs,
                      const struct generation_how *how)
{
	uint64_t source = g->source = source_digest(g->model, g->steering);
	char path[PATH_MAX];
	size_t bytes = 0;
	const struct image *kept = NULL;
	int err = proc_path(dirs->run, GENERATION_IMAGE_FILE, path);

	if (err == 0)
		kept = read_image(path, &bytes);
	if (kept && how->trust_cache && kept->source == source &&
	    kept->program == program_digest(how, kept)) {
		g->image = kept;
		g->mapped_bytes = bytes;
		return 0;
	}
	err = compile_image(g, how, source, how->earlier ? how->earlier : kept);
	if (err < 0 && kept &&
	    kept->dynamic == image_dynamic_digest(g->steering->texts, g->steering->n_names)) {
		g->image = kept;
		g->mapped_bytes = bytes;
		g->stale = true;
		g->stale_error = err;
		return 0;
	}
	if (kept)
		munmap((void *)(uintptr_t)kept, bytes);
	/* by a rename: a process that has mapped the old file keeps that one */
	if (err == 0 && how->keep &&
	    replace_file(path, 0644, g->image, g->image->size_bytes, REPLACE_SYNC_NONE) < 0)
		report_error_at(how, path, 0, "cannot write the zones' image here");
	return err;
}

/*
 * Whether the image of @p now was made from the files that @p g names. A version's files lie in a
 * directory that is named by the digest of all of them, so includes are the same, too. A file that
 * could not be used is tried again when it is another one by inode, size or time; what may pass shows in none of these.
 */
static bool has_same_files(const struct generation *g, const struct generation *now)
{
	const struct model *m = g->model, *was = now->model;

	if (now->stale_error || now->is_former || m->n_zones != was->n_zones ||
	    now->image->dynamic != image_dynamic_digest(g->steering->texts, g->steering->n_names))
		return false;
	for (size_t i = 0; i < m->n_zones; i++)
		if (!*m->zones[i].digest || strcmp(m->zones[i].digest, was->zones[i].digest) != 0 ||
		    strcmp(m->zones[i].name, was->zones[i].name) != 0 ||
		    strcmp(m->zones[i].file, was->zones[i].file) != 0)
			return false;
	return !generation_lacks(now) || source_digest(m, g->steering) == now->source;
}

/* The loading thread takes a share while the main thread may free another generation's. */
static void share_image(struct generation *g, const struct generation *now,
                        const struct generation_how *how)
{
	__atomic_add_fetch(&now->share->n_users, 1, __ATOMIC_RELAXED);
	g->share = now->share;
	g->source = now->source;
	g->image = now->image;
	g->mapped_bytes = now->mapped_bytes;
	for (unsigned i = 0; i < g->share->n_errors; i++)
		how->report(how->report_arg, &g->share->errors[i]);
}

/* The count comes first: what has an image can always share it. */
static int own_image(struct generation *g, const struct proc_dirs *dirs,
                     const struct generation_how *how)
{
	g->share = calloc(1, sizeof(*g->share));
	if (!g->share)
		return -ENOMEM;
	g->share->n_users = 1;
	int err = find_image(g, dirs, how);

	g->is_former = !err && how->keep && !how->earlier && g->image->program != own_program();
	return err;
}

static void count_zones(struct generation *g)
{
	for (uint32_t i = 0; i < g->image->n_zones; i++) {
		uint32_t state = image_zone(g->image, i)->state;

		g->n_earlier += (state & IMAGE_ZONE_EARLIER) != 0;
		g->n_broken += (state & IMAGE_ZONE_BROKEN) != 0;
	}
}

static void report_model_errors(const struct model_errors *errors, const struct generation_how *how)
{
	char message[1024];

	for (size_t i = 0; i < errors->n_items; i++) {
		const struct model_error *error = &errors->items[i];

		snprintf(message, sizeof(message), "%s%s%s", error->field ? error->field : "",
		         error->field && *error->field ? ": " : "", error->message);
		report_error_at(how, error->file, error->line, message);
	}
}

/*
 * A missing document has its own code: it is normal on a new node, and no reason for an error
 * message.
 */
static int read_effective_model(struct generation *g, const struct proc_dirs *dirs,
                                const struct generation_how *how)
{
	struct model_errors errors = { 0 };
	char path[PATH_MAX];
	int err = proc_path(dirs->state, PROC_EFFECTIVE_FILE, path);

	if (err == 0 && access(path, F_OK) < 0)
		return -ENOENT;
	if (err == 0)
		err = steering_key_read(dirs, path, how, &g->model, &errors);
	report_model_errors(&errors, how);
	if (err && errors.denied)
		err = -EACCES;
	model_errors_free(&errors);
	return err;
}

/*
 * Steering, state and peer health live in one arena, so that freeing a generation cannot forget a
 * part.
 */
static int make_steering(struct generation *g)
{
	size_t n;

	g->arena = arena_new(ARENA_BYTES);
	g->steering = g->arena ? steering_new(g->model, g->arena) : NULL;
	if (!g->steering)
		return -ENOMEM;
	n = g->steering->n_states;
	g->state = arena_alloc(g->arena, 1, sizeof(*g->state) + n * sizeof(g->state->sites[0]));
	g->peer_health = peer_health_new(g->model, g->steering, g->arena);
	if (!g->state || !g->peer_health)
		return -ENOMEM;
	g->state->n_sites = n;
	return 0;
}

int generation_load(const struct proc_dirs *dirs, const struct generation_how *how,
                    struct generation **out)
{
	struct generation *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return -ENOMEM;
	err = read_effective_model(g, dirs, how);
	if (err == 0)
		err = make_steering(g);
	if (err == 0 && how->now && has_same_files(g, how->now))
		share_image(g, how->now, how);
	else if (err == 0)
		err = own_image(g, dirs, how);
	if (err == 0)
		count_zones(g);
	if (err < 0) {
		generation_free(g);
		return err;
	}
	*out = g;
	return 0;
}

static void drop_image(struct generation *g)
{
	void *image = (void *)(uintptr_t)g->image;

	if (g->share && __atomic_sub_fetch(&g->share->n_users, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (unsigned i = 0; g->share && i < g->share->n_errors; i++)
		free_error(&g->share->errors[i]);
	free(g->share);
	if (g->mapped_bytes)
		munmap(image, g->mapped_bytes);
	else
		free(image);
}

void generation_free(struct generation *g)
{
	if (!g)
		return;
	peer_health_close(g->peer_health);
	drop_image(g);
	arena_free(g->arena);
	model_free(g->model);
	free(g);
}

/* A generation at one instant, for is_site_up_outside(). */
struct generation_instant {
	struct outside outside;
	int64_t wall_clock_ms;
};

static bool is_site_up_outside(void *arg, const struct model_site *site)
{
	const struct generation_instant *l = arg;

	return outside_is_up(&l->outside, site, l->wall_clock_ms);
}

/* Names of sites are the model's own everywhere, so pointers are compared: in each tick, for each step. */
static bool has_site(const struct steering_service *service, const char *site)
{
	for (uint32_t k = 0; k < service->n_sites; k++)
		if (service->sites[k].name == site)
			return true;
	return false;
}

/* The longest TTL, of either kind, of the names whose answers a drain changes. */
static uint32_t longest_ttl_s(void *arg, const struct model_override *o, bool shifting)
{
	const struct generation_instant *l = arg;
	const struct steering *p = l->outside.steering;
	const struct model_site *site = model_site(l->outside.model, o->name);
	uint32_t longest_s = 0;

	for (size_t i = 0; i < p->n_names; i++) {
		const struct steering_name *n = &p->names[i];
		uint32_t ttl_s = shifting ? n->ttl_min_s : n->ttl_max_s;

		if (site && ttl_s > longest_s && steering_concerns(o, n->service->name) &&
		    has_site(n->service, site->name))
			longest_s = ttl_s;
	}
	return longest_s;
}

/*
 * Compute each target's health word from all nodes' observations; where these do not suffice, what
 * was in force stays.
 */
static void decide_targets(struct generation *g, struct decided *decided)
{
	struct peer_health *v = g->peer_health;

	v->decided = decided;
	if (decided)
		decided_begin(decided);
	for (size_t i = 0; i < v->n_targets; i++) {
		struct steering_site_state *s = &g->state->sites[i / 2];

		s->words[i % 2] = peer_health_of_target(v, i).word;
		s->unproven[i % 2] = peer_health_is_new(v, i, v->site_of_state[i / 2]);
		if (decided && health_state(s->words[i % 2]) == HEALTH_DOWN)
			decided_add(decided, v->targets[i]);
	}
	if (decided)
		decided_end(decided, peer_health_is_settled(v));
	v->decided = NULL; /* borrowed for the call */
}

void generation_observe(struct generation *g, const struct peer_health_input *seen,
                        struct ramps *ramps, struct decided *decided,
                        const struct generation_time *time)
{
	struct generation_instant instant = {
		.outside = { g->model, g->steering, g->peer_health },
		.wall_clock_ms = time->wall_clock_ms,
	};
	const struct ramps_step_input in = {
		.model = g->model,
		.wall_clock_ms = time->wall_clock_ms,
		.now_ms = seen->now_ms,
		.clock_held = time->clock_held,
		.is_up = is_site_up_outside,
		.ttl = longest_ttl_s,
		.arg = &instant,
	};

	peer_health_read(g->peer_health, seen);
	peer_health_exclude(g->peer_health,
	                    steering_sites_out(g->model, ramps, time->wall_clock_ms));
	decide_targets(g, decided);
	if (ramps)
		ramps_step_all(ramps, &in);
	steering_apply_overrides(g->steering, g->model, ramps, time->wall_clock_ms, g->state);
}
