/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns/generation.c with all that it calls in the test's hands: each call is noted, and gives what
 * `edge` says.
 */
#ifndef WEIR_TESTS_UNIT_DNS_GENERATION_SCENE_H
#define WEIR_TESTS_UNIT_DNS_GENERATION_SCENE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/owner.h"
#include "base/replace.h"
#include "dns/steering/decided.h"
#include "dns/generation.h"
#include "dns/zone/image.h"
#include "dns/steering/outside.h"
#include "dns/steering/ramps.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES    4096u

static struct {
	char calls[1024];
	struct stat st[3]; /* by the last letter of a file's name; the last is the program's */
	/* a file that is read in pieces: lengths, or -errno */
	ssize_t pieces[8];
	unsigned n_pieces;
	size_t at;
	uint8_t bytes[BYTES];
	int kept_fd, replace_result, compile_result, key_result, check_result;
	struct model *model; /* that is read */
	unsigned n_errors;   /* that the compiler reports, each with a warning before it */
	unsigned n_pass;     /* the last ones of them, which may pass */
	bool no_arena, no_place, no_state, no_views, denied;
	struct zone_input in;
	const struct image *compiled;
	unsigned n_reports;
	struct zones_message reported[80];
	char texts[80][256];
	struct model_errors errors;
	/* what is observed */
	bool enough_seen;
	uint64_t down[8];
	unsigned n_down;
	bool settled;
	/* a drain whose longest TTLs are asked for: of it from the start, and while it shifts */
	const struct model_override *drain;
	uint32_t ttl_s[2];
} edge;

static void note_call(const char *what)
{
	assert_true(strlen(edge.calls) + strlen(what) + 2 < sizeof(edge.calls));
	strcat(strcat(edge.calls, what), " ");
}

static ssize_t next_piece(size_t most)
{
	ssize_t n = edge.pieces[edge.n_pieces];

	assert_true(edge.n_pieces++ < COUNT(edge.pieces));
	if (n < 0)
		errno = (int)-n;
	return n < 0 ? -1 : (size_t)n < most ? n : (ssize_t)most;
}

static ssize_t fake_read(int fd, void *to, size_t most)
{
	ssize_t n = next_piece(most);

	(void)fd;
	if (n > 0)
		memcpy(to, edge.bytes + edge.at, (size_t)n);
	edge.at += n > 0 ? (size_t)n : 0;
	return n;
}

static int fake_close(int fd)
{
	(void)fd;
	note_call("close");
	return 0;
}

static int fake_stat(const char *path, struct stat *st)
{
	*st = edge.st[strcmp(path, "/proc/self/exe") == 0 ? 2 : path[strlen(path) - 1] - '0'];
	return 0;
}

static void note_size(const char *what, size_t n)
{
	char text[64];

	snprintf(text, sizeof(text), "%s-%zu", what, n);
	note_call(text);
}

/* Little is there. */
static void *fake_mmap(void *at, size_t n, int may, int how, int fd, off_t off)
{
	note_size("mmap", n);
	return n > sizeof(edge.bytes) ? MAP_FAILED : mmap(at, n, may, how, fd, off);
}

static int fake_munmap(void *at, size_t n)
{
	note_size("munmap", n);
	return munmap(at, n);
}

static int fake_replace(const char *path, mode_t mode, const void *bytes, size_t n,
                        enum replace_sync sync)
{
	assert_string_equal(path, "/run/dns.image");
	assert_int_equal(mode, 0644);
	assert_ptr_equal(bytes, edge.compiled);
	assert_int_equal(n, edge.compiled->size_bytes);
	assert_int_equal(sync, REPLACE_SYNC_NONE);
	note_call("replace");
	return edge.replace_result;
}

static int fake_owner_open(const char *path, const char *process)
{
	assert_string_equal(path, "/run/dns.image");
	assert_string_equal(process, "dns");
	return edge.kept_fd;
}

static int fake_fstat(int fd, struct stat *st)
{
	assert_int_equal(fd, edge.kept_fd);
	*st = edge.st[0];
	return edge.check_result == -EIO ? -1 : 0;
}

static int fake_check(const void *bytes, size_t n)
{
	assert_memory_equal(bytes, edge.bytes, n);
	assert_int_equal(n, edge.st[0].st_size);
	return edge.check_result;
}

static int fake_compile(const struct zone_input *in, zones_report *report_error_at, void *arg,
                        struct image **out)
{
	note_call("compile");
	for (unsigned i = 0; i < 2 * edge.n_errors; i++) {
		char zone[16], file[16], text[16]; /* gone when it returns */

		snprintf(zone, sizeof(zone), "z%u", i / 2);
		snprintf(file, sizeof(file), "f%u", i / 2);
		snprintf(text, sizeof(text), "%u", i / 2);
		report_error_at(arg,
		                &(struct zones_message){
		                        .zone = zone,
		                        .file = file,
		                        .line = i / 2 + 1,
		                        .error = i / 2 + edge.n_pass >= edge.n_errors ? -EACCES : 0,
		                        .level = i % 2 ? ZONES_ERROR : ZONES_WARNING,
		                        .text = text });
	}
	edge.in = *in;
	*out = edge.compile_result ? NULL : calloc(1, BYTES);
	if (*out)
		(*out)->size_bytes = 64;
	edge.compiled = *out;
	return edge.compile_result;
}

static int fake_key(const struct proc_dirs *dirs, const char *path,
                    const struct generation_how *how, struct model **out,
                    struct model_errors *errors)
{
	(void)dirs;
	(void)path;
	(void)how;
	*out = edge.model;
	*errors = edge.errors;
	return edge.key_result;
}

static struct arena *fake_arena(size_t most)
{
	return edge.no_arena ? NULL : arena_new(most);
}

static struct steering *fake_place(const struct model *m, struct arena *a)
{
	struct steering *p = arena_alloc(a, 1, sizeof(*p));

	(void)m;
	p->n_states = 3;
	return edge.no_place ? NULL : p;
}

static void *fake_alloc(struct arena *a, size_t n, size_t size)
{
	return edge.no_state ? NULL : arena_alloc(a, n, size);
}

static struct peer_health *fake_views(const struct model *m, const struct steering *p,
                                      struct arena *a)
{
	(void)m;
	(void)p;
	return edge.no_views ? NULL : arena_alloc(a, 1, sizeof(struct peer_health));
}

static void fake_views_close(struct peer_health *v)
{
	note_call(v ? "views_close" : "no_views");
}

static struct majority fake_views_of(const struct peer_health *v, size_t target)
{
	assert_non_null(v->decided);
	return (struct majority){ .word = target == 1 || target == 4 ? 2 | 1 << 8 /* down */
		                                                     : 1 | (target + 1) << 8 };
}

static bool fake_is_new(const struct peer_health *v, size_t target, const struct model_site *site)
{
	assert_ptr_equal(site, v->site_of_state[target / 2]);
	return target == 2 || target == 5;
}

static void fake_add(struct decided *d, uint64_t target)
{
	(void)d;
	edge.down[edge.n_down++] = target;
}

static void fake_end(struct decided *d, bool settled)
{
	(void)d;
	note_call("end");
	edge.settled = settled;
}

static uint64_t fake_out(const struct model *m, const struct ramps *ramps, int64_t wall_clock_ms)
{
	(void)m;
	assert_non_null(ramps);
	assert_int_equal(wall_clock_ms, 777);
	return 5;
}

static void fake_take_out(struct peer_health *v, uint64_t sites)
{
	(void)v;
	assert_int_equal(sites, 5);
	note_call("take_out");
}

static bool fake_is_up(const struct outside *o, const struct model_site *site,
                       int64_t wall_clock_ms)
{
	assert_non_null(o->model);
	assert_non_null(o->steering);
	assert_non_null(o->peer_health);
	assert_int_equal(wall_clock_ms, 777);
	return site != NULL;
}

static void fake_step(struct ramps *r, const struct ramps_step_input *in)
{
	struct model_site site;

	(void)r;
	assert_int_equal(in->wall_clock_ms, 777);
	assert_int_equal(in->now_ms, 99);
	assert_true(in->clock_held);
	assert_true(in->is_up(in->arg, &site));
	assert_false(in->is_up(in->arg, NULL));
	for (int shifting = 0; edge.drain && shifting < 2; shifting++)
		edge.ttl_s[shifting] = in->ttl(in->arg, edge.drain, shifting);
	note_call("step");
}

#define read                      fake_read
#define close                     fake_close
#define mmap                      fake_mmap
#define munmap                    fake_munmap
#define model_free(m)             note_call((m) ? "model_free" : "no_model")
#define stat(path, st)            fake_stat(path, st)
#define fstat                     fake_fstat
#define replace_file              fake_replace
#define owner_open                fake_owner_open
#define image_check               fake_check
#define zone_compile              fake_compile
#define steering_key_read         fake_key
#define access(path, how)         (strcmp(path, "/state/effective.conf") ? -1 : 0)
#define model_errors_free(m)      note_call("mistakes_free")
#define arena_new                 fake_arena
#define steering_new              fake_place
#define arena_alloc               fake_alloc
#define peer_health_new           fake_views
#define peer_health_close         fake_views_close
#define peer_health_read(v, seen) note_call("read")
#define peer_health_is_settled(v) (edge.enough_seen)
#define peer_health_of_target     fake_views_of
#define peer_health_is_new        fake_is_new
#define peer_health_exclude       fake_take_out
#define steering_sites_out        fake_out
#define decided_begin(d)          note_call("begin")
#define decided_add               fake_add
#define decided_end               fake_end
#define ramps_step_all            fake_step
#define steering_apply_overrides(p, m, r, wall_clock_ms, s)                                        \
	note_call((wall_clock_ms) == 777 ? "overrides" : "?")
#define outside_is_up fake_is_up
#include "dns/generation.c"
#undef arena_new
#undef munmap
#undef arena_alloc

#endif
