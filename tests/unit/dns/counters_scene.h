/* SPDX-License-Identifier: BSD-2-Clause */
/* A stats page of weir-dns in a directory of its own, and a generation with two services. */
#ifndef WEIR_TESTS_UNIT_DNS_COUNTERS_SCENE_H
#define WEIR_TESTS_UNIT_DNS_COUNTERS_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/counters.h"
#include "dns/generation.h"
#include "dns/zone/image.h"
#include "weir/stats.h"

static char dir[32];
static struct counters c;

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-counters.XXXXXX");
	return mkdtemp(dir) ? counters_open(&c, dir) : -1;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	counters_close(&c);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* -1: there is no such word. */
static int64_t read_value(const char *name, const char *labels)
{
	struct stats_reader *r;
	int64_t found = -1;

	assert_int_equal(stats_reader_open(dir, "dns", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++) {
		const struct stats_entry *e = stats_reader_entry(r, i);

		if (e->used && !strcmp(e->name, name) && !strcmp(e->labels, labels))
			found = (int64_t)e->value;
	}
	stats_reader_close(r);
	return found;
}

/* Two services, web at two sites and mail at one, each with a name. */
struct scene {
	struct image image;
	struct steering_site at[3];
	struct steering_service services[2];
	struct steering_name names[2];
	struct steering p;
	struct generation g;
};

static inline void make_scene(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->at[0].name = s->at[2].name = "ams";
	s->at[1].name = "fra";
	s->services[0] = (struct steering_service){ .name = "web", .n_sites = 2, .sites = s->at };
	s->services[1] = (struct steering_service){
		.name = "mail", .n_sites = 1, .sites = s->at + 2, .first_state = 2
	};
	s->names[0].service = &s->services[0];
	s->names[1].service = &s->services[1];
	s->p = (struct steering){ .n_services = 2,
		                  .services = s->services,
		                  .n_names = 2,
		                  .names = s->names,
		                  .n_states = 3 };
	s->g = (struct generation){ .steering = &s->p, .image = &s->image };
}

#endif
