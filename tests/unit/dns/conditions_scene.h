/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What weir-dns states in a world of three sites, as its stats page has it. The clock and whether the host has an
 * address are the test's.
 */
#ifndef WEIR_TESTS_UNIT_DNS_CONDITIONS_SCENE_H
#define WEIR_TESTS_UNIT_DNS_CONDITIONS_SCENE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "dns/server.h"
#include "dns/steering/peer_health.h"
#include "tests/unit/answers.h"
#include "tests/unit/simulated_time.h"
#include "weir/condition.h"
#include "weir/stats.h"

static struct conditions stated;
static char dir[] = "/tmp/weir-dns-conditions.XXXXXX";
static struct stats *page;
static struct majority outside[8]; /* by target: so many sites beside the three say up, and down */
static const char *lacking;        /* the address that the host lacks */

static int own_bind(int fd, const struct sockaddr *to, socklen_t length)
{
	char text[ADDR_TEXT_MAX];
	struct addr address;

	(void)fd;
	(void)length;
	assert_int_equal(addr_from_sockaddr(to, &address, NULL), 0);
	errno = EADDRNOTAVAIL;
	return lacking && !strcmp(addr_text(&address, text), lacking) ? -1 : 0;
}

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const health_word up = 1 | 1 << 8, down = 2 | 1 << 8;

/*
 * A server with sites ams (this node's), fra and lon, of which ams and fra have the services web
 * and mail.
 */
static struct {
	struct server s;
	struct generation g;
	struct model m;
	struct model_node self;
	struct model_site sites[3];
	struct model_site others[4]; /* without services */
	struct node_health nodes[64];
	health_word words[4][8]; /* of the others' nodes */
	struct peer_health views;
	struct steering p;
	struct steering_service services[2];
	struct steering_name names[12];
	/* as the model has them: a VIP at each site, which a node announces */
	struct model_service of_model[2];
	struct model_at of_sites[2][2];
	struct model_vip vips[2];
	const struct model_site *vip_sites[2][2];
	struct model_node announcers[2];
	struct model_override overrides[4];
	struct steering_site at[2][2];
	struct steering_state *state;
	struct addr listens[2];
} w;

static inline int set_up(void **state)
{
	static const char *const names[] = { "ams", "fra", "lon" };
	size_t bytes = sizeof(*w.state) + 4 * sizeof(w.state->sites[0]);

	(void)state;
	memset(&w, 0, sizeof(w));
	memset(outside, 0, sizeof(outside));
	lacking = NULL;
	simulated.now_ms = 100000;
	for (uint32_t i = 0; i < 3; i++)
		w.sites[i] = (struct model_site){ .name = names[i], .index = i };
	for (uint32_t i = 0; i < 4; i++) {
		w.others[i] = (struct model_site){ .name = "other", .index = 3 + i };
		w.nodes[i] = (struct node_health){ .site = &w.others[i],
			                           .words = w.words[i],
			                           .fresh = true };
	}
	w.views = (struct peer_health){ .n = 4, .n_targets = 8, .items = w.nodes };
	w.self = (struct model_node){
		.name = "ams-1", .site = &w.sites[0], .dns_listen = w.listens, .n_dns_listen = 2
	};
	w.m = (struct model){ .sites = w.sites, .n_sites = 3, .self = &w.self, .dns_threads = 1 };
	w.m.meta.document = 42;
	w.m.key_state = MODEL_KEY_GOOD;
	w.state = calloc(1, bytes);
	assert_non_null(w.state);
	w.state->n_sites = 4;
	for (uint32_t i = 0; i < 4; i++) {
		w.at[i / 2][i % 2] =
		        (struct steering_site){ .name = names[i % 2], .n_addresses = { 1, 1 } };
		w.state->sites[i].words[0] = w.state->sites[i].words[1] = up;
	}
	w.services[0] = (struct steering_service){ .name = "web", .n_sites = 2, .sites = w.at[0] };
	w.services[1] = (struct steering_service){
		.name = "mail", .n_sites = 2, .sites = w.at[1], .first_state = 2
	};
	w.p = (struct steering){ .n_services = 2, .services = w.services, .n_states = 4 };
	w.p.names = w.names;
	for (unsigned i = 0; i < 2; i++) {
		w.vip_sites[i][0] = w.vip_sites[!i][1] = &w.sites[i];
		w.vips[i] = (struct model_vip){ .name = names[i],
			                        .sites = w.vip_sites[i],
			                        .n_sites = 1 };
		w.announcers[i] = (struct model_node){ .name = i ? "fra-1" : "ams-1",
			                               .site = &w.sites[i],
			                               .announce.daemon = MODEL_DAEMON_BIRD };
		w.of_model[i] = (struct model_service){ .n_at = 2, .at = w.of_sites[i] };
		for (unsigned k = 0; k < 2; k++)
			w.of_sites[i][k] =
			        (struct model_at){ .site = &w.sites[k], .vip = &w.vips[k] };
	}
	w.m.services = w.of_model;
	w.m.n_services = 2;
	w.m.nodes = w.announcers;
	w.m.n_nodes = 2;
	w.m.overrides = w.overrides;
	w.g = (struct generation){
		.model = &w.m, .steering = &w.p, .state = w.state, .peer_health = &w.views
	};
	w.s = (struct server){
		.now = &w.g, .port = 53, .n_threads = 1, .few_ms = simulated.now_ms
	};
	w.s.counters.stats = page;
	w.s.n_listens = 2;
	for (unsigned i = 0; i < 2; i++) {
		char text[] = "192.0.2.1";

		text[8] = (char)('1' + i);
		assert_int_equal(addr_parse(text, &w.listens[i]), 0);
		w.s.listens[i] = (struct server_listen){ .address = w.listens[i],
			                                 .n = { 1, 1 },
			                                 .own = { .fd = -1, .answered = true } };
	}
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	free(w.state);
	return 0;
}

static inline void state_now(void)
{
	assert_int_equal(loop_open(&w.s.loop), 0); /* at this time */
	server_conditions(&w.s);
	loop_close(w.s.loop);
}

/* State all. @return how many conditions there are */
static inline unsigned state_conditions(void)
{
	for (unsigned target = 0; target < 8; target++)
		for (unsigned i = 0; i < 4; i++)
			w.words[i][target] = i < outside[target].n_up ? up
			                     : i < outside[target].n_up + outside[target].n_down
			                             ? down
			                             : 0;
	state_now();
	assert_int_equal(conditions_read(dir, "dns", &stated), 0);
	assert_int_equal(stated.at_ms, simulated.now_ms);
	return stated.n;
}

/* The level of what is stated; -1: it is not. */
static inline int level_of(const char *code, const char *subject, const char *text)
{
	for (uint32_t i = 0; i < stated.n; i++)
		if (!strcmp(stated.items[i].code, code) &&
		    !strcmp(stated.items[i].subject, subject) &&
		    (!text || strstr(stated.items[i].text, text)))
			return (int)stated.items[i].level;
	return -1;
}

static inline int make_page(void **state)
{
	(void)state;
	return mkdtemp(dir) ? stats_create(dir, "dns", 16, &page) : -1;
}

static inline int remove_page(void **state)
{
	char command[64];

	(void)state;
	stats_close(page);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

#define WITH(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
