/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dns/answer/explain.c over a scene in memory: zones with each kind of answer, and two services at two
 * sites, ams and fra. What it calls is in the test's hands (`edge`), but for the compiler, the
 * answer and the choice of a site.
 */
#ifndef WEIR_TESTS_UNIT_DNS_EXPLAIN_SCENE_H
#define WEIR_TESTS_UNIT_DNS_EXPLAIN_SCENE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/believed.h"
#include "base/clock.h"
#include "base/page.h"
#include "dns/steering/decided.h"
#include "dns/generation.h"
#include "dns/zone/image.h"
#include "dns/steering/majority.h"
#include "dns/steering/ramps.h"
#include "weir/health.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define T        1000000000000

static struct {
	struct generation g;
	int load_result, ramps_result, sites_result;
	const struct zones_message *message; /* that the loader has */
	unsigned n_messages, n_observed, n_freed, n_ramps_closed, n_sites_closed, n_pages;
	bool synchronised, booted, clock_held, has_page;
	int64_t not_before_ms;
	struct page_header header;
	struct peer_health_input seen;
	int64_t wall_clock_ms;
	struct ramp_record ramps[300];
	size_t n_ramps;
	struct majority majority;
	size_t asked; /* the target of which views were asked last */
} edge;

static int fake_load(const struct proc_dirs *dirs, const struct generation_how *how,
                     struct generation **out)
{
	(void)dirs;
	assert_true(how->trust_cache);
	assert_false(how->keep); /* a command writes nothing */
	for (unsigned i = 0; i < edge.n_messages; i++)
		how->report(how->report_arg, edge.message);
	if (!edge.load_result)
		*out = &edge.g;
	return edge.load_result;
}

static void fake_free(struct generation *g)
{
	assert_ptr_equal(g, &edge.g);
	edge.n_freed++;
}

static void fake_observe(struct generation *g, const struct peer_health_input *seen,
                         struct ramps *ramps, struct decided *decided,
                         const struct generation_time *time)
{
	assert_ptr_equal(g, &edge.g);
	assert_non_null(ramps);
	assert_non_null(decided);
	edge.seen = *seen;
	edge.wall_clock_ms = time->wall_clock_ms;
	edge.clock_held = time->clock_held;
	edge.n_observed++;
}

static int fake_ramps_open(struct ramps *r, const char *dir)
{
	assert_string_equal(dir, "/state");
	*r = (struct ramps){ .items = edge.ramps, .n = edge.n_ramps };
	return edge.ramps_result;
}

static int fake_decided_open(struct decided *d, const char *dir)
{
	assert_string_equal(dir, "/state");
	*d = (struct decided){ 0 };
	return edge.sites_result;
}

static int fake_health_page_open(const char *run_dir, struct page **page)
{
	assert_string_equal(run_dir, "/run");
	if (!edge.has_page)
		return -ENOENT;
	edge.n_pages++;
	*page = (void *)&edge.has_page;
	return 0;
}

static struct majority fake_views_of(const struct peer_health *v, size_t target)
{
	(void)v;
	edge.asked = target;
	return edge.majority;
}

/* What weir-mgmt has published, which may be another word than the kernel's of now. */
static int64_t fake_believed(struct believed *b, const char *run_dir,
                             const struct wall_clock_now *now)
{
	assert_string_equal(run_dir, "/run");
	assert_int_equal(now->mono_ms, 7777);
	assert_int_equal(now->synchronised, !edge.synchronised);
	b->wall_clock.confirmed = edge.synchronised;
	b->wall_clock.booted = edge.booted;
	edge.n_pages++;
	return 0;
}

static void fake_not_before(struct believed *b, int64_t at_ms)
{
	(void)b;
	edge.not_before_ms = at_ms;
}

#define believed_step           fake_believed
#define believed_not_before     fake_not_before
#define believed_close(b)       (edge.n_pages--)
#define generation_load         fake_load
#define generation_free         fake_free
#define generation_observe      fake_observe
#define ramps_open              fake_ramps_open
#define ramps_only_held(r)      assert_non_null(r)
#define ramps_close(r)          (edge.n_ramps_closed++)
#define decided_open            fake_decided_open
#define decided_close(d)        (edge.n_sites_closed++)
#define clock_is_synchronised() (!edge.synchronised)
#define clock_mono_ms()         7777u
#define health_page_open        fake_health_page_open
#define page_payload(p)         ((void *)(p))
#define page_header(p)          (&edge.header)
#define page_close(p)           (edge.n_pages -= (p) != NULL)
#define peer_health_of_target   fake_views_of
#include "dns/answer/explain.c"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char zone[] =
        "$TTL 60\n@ SOA ns root 7 1 1 1 30\n@ NS ns\nns A 192.0.2.1\n"
        "*.w TXT x\nalias CNAME www\nout CNAME a.other.\nd NS ns.d\n"
        "l1 CNAME l2\nl2 CNAME l1\nfar DNAME x.other.\ndeep DNAME " L63 "." L63 "." L63 ".\n"
        "ns.d A 192.0.2.6\ndn DNAME alias\nsub NS ns.sub\nsub DS 1 8 2 0a\nbig TXT ";
static const char child[] = "$TTL 60\n@ SOA ns root 8 1 1 1 1\n@ NS ns\nns A 192.0.2.9\n";
static const char *const dynamic[] = { "www.shop.test", "first.shop.test" };

static struct steering_site at[2] = {
	{ .name = "ams", .id = 11, .weight = 100, .n_addresses = { 1, 2 } },
	{ .name = "fra", .id = 22, .weight = 50, .n_addresses = { 1, 1 } },
};
static struct steering_service services[2];
static struct steering_name names[2];
static struct steering place;
static struct steering_state *seen;
static struct model model;
static struct model_node self;
static struct model_site sites[2] = { { .name = "ams" }, { .name = "fra" } };
static health_word words[2][8];
static struct node_health view[2];
static struct peer_health views;
static struct image *image;
static const struct proc_dirs dirs = { .run = "/run", .state = "/state" };

static void fail_on_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	print_error("%s:%u: %s\n", m->file, m->line, m->text);
}

static void zone_file(const char *text, char path[32])
{
	int fd = memfd_create("zone", 0);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

static int make_image(void **state)
{
	static char text[4096], paths[3][32];
	const struct zone_source sources[] = { { "shop.test", paths[0] },
		                               { "sub.shop.test", paths[1] },
		                               { "bad.shop.test", paths[2] } };
	const struct zone_input in = {
		.zones = sources, .n_zones = 3, .isolate = true, .dynamic = dynamic, .n_dynamic = 2
	};

	(void)state;
	snprintf(text, sizeof(text), "%s", zone);
	for (unsigned i = 0; i < 6; i++)
		sprintf(text + strlen(text), " \"%0250u\"", i);
	strcat(text, "\n");
	zone_file(text, paths[0]);
	zone_file(child, paths[1]);
	zone_file("@ SOA nothing\n", paths[2]);
	return zone_compile(&in, fail_on_report, NULL, &image);
}

static int drop_image(void **state)
{
	(void)state;
	free(image);
	return 0;
}

static int set_up(void **state)
{
	health_word up = health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1);

	(void)state;
	memset(&edge, 0, sizeof(edge));
	memset(&place, 0, sizeof(place));
	seen = calloc(1, sizeof(*seen) + 4 * sizeof(seen->sites[0]));
	assert_non_null(seen);
	seen->n_sites = 4;
	for (unsigned i = 0; i < 4; i++) {
		seen->sites[i].words[0] = seen->sites[i].words[1] = up;
		seen->sites[i].next_ms = MODEL_TIME_NEVER;
	}
	(void)addr_parse("203.0.113.10", &at[0].addresses[1][0]);
	(void)addr_parse("203.0.113.11", &at[0].addresses[1][1]);
	(void)addr_parse("198.51.100.10", &at[1].addresses[1][0]);
	(void)addr_parse("2001:db8:1::10", &at[0].addresses[0][0]);
	(void)addr_parse("2001:db8:2::10", &at[1].addresses[0][0]);
	services[0] = (struct steering_service){ .name = "web", .n_sites = 2, .sites = at };
	services[1] = (struct steering_service){
		.name = "mail", .n_sites = 2, .sites = at, .first_state = 2, .fail_closed = true
	};
	names[0] = (struct steering_name){ .name = dynamic[0],
		                           .service = &services[0],
		                           .policy = MODEL_POLICY_WEIGHTED,
		                           .ttl_min_s = 5,
		                           .ttl_max_s = 60 };
	names[1] = (struct steering_name){ .name = dynamic[1],
		                           .service = &services[1],
		                           .policy = MODEL_POLICY_FAILOVER,
		                           .ttl_min_s = 6,
		                           .ttl_max_s = 30 };
	place = (struct steering){ .n_names = 2,
		                   .n_services = 2,
		                   .n_states = 4,
		                   .names = names,
		                   .services = services,
		                   .texts = dynamic };
	self = (struct model_node){ .clock = MODEL_CLOCK_SYNCHRONISED };
	model = (struct model){ .self = &self, .key_state = MODEL_KEY_GOOD };
	memset(words, 0, sizeof(words));
	view[0] = (struct node_health){ .node = "ams-1", .site = &sites[0], .words = words[0] };
	view[1] = (struct node_health){ .node = "fra-1", .site = &sites[1], .words = words[1] };
	views = (struct peer_health){ .n = 2, .items = view, .n_targets = 8 };
	edge.g = (struct generation){ .model = &model,
		                      .steering = &place,
		                      .state = seen,
		                      .peer_health = &views,
		                      .image = image };
	edge.has_page = edge.synchronised = true;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(seen);
	return edge.n_pages != 0;
}

/* What is said, a line each: steps, what the answer is, its records, mistakes. */
static const char *explain_text(const struct explain_request *request, int result)
{
	static char text[16384];
	struct explanation *e = NULL;
	size_t n = 0;

	assert_int_equal(explain_dns(&dirs, request, &e), result);
	text[0] = '\0';
	for (size_t i = 0; e && i < e->n_steps; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s: %s\n", e->steps[i].what,
		                      e->steps[i].text);
	if (e)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s\n", e->rcode,
		                      e->authoritative ? " aa" : "", e->truncated ? " tc" : "");
	for (size_t i = 0; e && i < e->n_records; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n", e->records[i]);
	for (size_t i = 0; e && i < e->n_errors; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "! %s\n", e->errors[i]);
	explain_free(e);
	assert_true(n < sizeof(text));
	for (char *c = text; *c; c++)
		if (*c == '\t')
			*c = ' ';
	return text;
}

static struct explain_request make_request(const char *name, const char *type)
{
	struct explain_request r = { .name = name, .type = type, .wall_clock_ms = T };

	assert_int_equal(addr_parse("192.0.2.77", &r.client), 0);
	return r;
}

#endif
