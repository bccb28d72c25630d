/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an answer costs without a socket: reading the query, the look-up, writing the answer. For
 * dynamic names also with counting the client's key (one client, and 65,536 of them in turn), and
 * with a step of a drain in force, whose gate each key is put to.
 *
 *     dns-answer        prints rows as JSON: nanoseconds of CPU time for each answer
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "dns/answer/answer.h"
#include "dns/key_table.h"
#include "dns/zone/image.h"
#include "dns/zone/zone.h"

#define ROUNDS  15
#define ANSWERS 200000 /* of a round */
#define CLIENTS 65536u
#define STEP    500000 /* ppm of the keys that the step turns away */

static const char zone_text[] =
        "$TTL 300\n@ SOA ns root 1 3600 900 604800 60\n@ NS ns\nns A 192.0.2.1\n"
        "a A 192.0.2.10\nsub NS ns.sub\nns.sub A 192.0.2.30\n";

#define SITE(name_, last)                                                                          \
	{                                                                                          \
		.name = name_, .id = last, .weight = 100, .n_addresses = { 0, 1 }, .addresses = {  \
			{ { { 0 } } },                                                             \
			{ { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, last } } }    \
		}                                                                                  \
	}
static const struct steering_site sites[] = { SITE("ams", 1), SITE("fra", 2) };
static const struct steering_service service = { .name = "web", .n_sites = 2, .sites = sites };
static const struct steering_name names[] = { { .name = "www.shop.test",
	                                        .id = 7,
	                                        .service = &service,
	                                        .policy = MODEL_POLICY_WEIGHTED,
	                                        .ttl_min_s = 5,
	                                        .ttl_max_s = 60 } };
static const struct steering steering = { .key = { 1, 2 },
	                                  .n_names = 1,
	                                  .n_services = 1,
	                                  .n_states = 2,
	                                  .names = names,
	                                  .services = &service };

static const struct kind {
	const char *name, *asks;
	bool counts_keys, in_step;
	uint32_t n_clients;
} kinds[] = {
	{ "a", "a.shop.test", .n_clients = 1 },
	{ "nxdomain", "n12345.shop.test", .n_clients = 1 },
	{ "referral", "n12345.sub.shop.test", .n_clients = 1 },
	{ "weighted", "www.shop.test", .n_clients = 1 },
	{ "weighted.keys", "www.shop.test", .counts_keys = true, .n_clients = 1 },
	{ "weighted.clients", "www.shop.test", .n_clients = CLIENTS },
	{ "weighted.clients.keys", "www.shop.test", .counts_keys = true, .n_clients = CLIENTS },
	{ "weighted.clients.keys.step", "www.shop.test", true, true, CLIENTS },
};

struct scene {
	struct answer_env env;
	struct image *image;
	struct steering_state *state;
	struct key_table *keys;
	uint8_t query[64];
	size_t length;
};

static void print_report(void *arg, const struct zones_message *m)
{
	(void)arg;
	fprintf(stderr, "%s:%u: %s\n", m->file, m->line, m->text);
}

static struct image *compile_zone(void)
{
	char path[] = "/tmp/weir-dns-answer.XXXXXX";
	const struct zone_source zone = { "shop.test", path };
	const char *dynamic[] = { names[0].name };
	const struct zone_input in = {
		.zones = &zone, .n_zones = 1, .dynamic = dynamic, .n_dynamic = 1
	};
	struct image *image = NULL;
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, zone_text, strlen(zone_text)) < 0 ||
	    zone_compile(&in, print_report, NULL, &image) < 0)
		image = NULL;
	if (fd >= 0)
		close(fd);
	unlink(path);
	return image;
}

/* @return false: without memory, or without a file */
static bool open_scene(struct scene *s)
{
	s->state = calloc(1, sizeof(*s->state) + 2 * sizeof(s->state->sites[0]));
	s->keys = aligned_alloc(64, sizeof(*s->keys));
	s->image = compile_zone();
	s->env = (struct answer_env){ .image = s->image,
		                      .steering = &steering,
		                      .state = s->state,
		                      .nsid = (const uint8_t *)"ams-1",
		                      .nsid_length = 5 };
	if (!s->state || !s->keys || !s->image)
		return false;
	memset(s->keys, 0, sizeof(*s->keys));
	s->state->n_sites = 2;
	for (unsigned i = 0; i < 2; i++)
		s->state->sites[i].next_ms = MODEL_TIME_NEVER;
	return true;
}

static void write_query(struct scene *s, const struct kind *k)
{
	const char *from = k->asks;
	size_t at = 12;

	memset(s->query, 0, sizeof(s->query));
	s->query[5] = 1; /* one question */
	while (*from) {
		size_t n = strcspn(from, ".");

		s->query[at] = (uint8_t)n;
		memcpy(s->query + at + 1, from, n);
		at += n + 1;
		from += n + (from[n] == '.');
	}
	s->query[at + 2] = s->query[at + 4] = 1; /* A, IN */
	s->length = at + 5;
	s->state->sites[0].drained_ppm = k->in_step ? STEP : 0;
}

static uint64_t read_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static double measure_round(struct scene *s, const struct kind *k)
{
	uint64_t start_ns = read_cpu_ns();
	size_t bytes = 0;

	for (uint32_t i = 0; i < ANSWERS; i++) {
		uint32_t client_be = htonl(0x0a000000 + i % k->n_clients * 256);
		const struct answer_query q = { .bytes = s->query,
			                        .length = s->length,
			                        .client = addr_from4(&client_be) };
		uint8_t out[ANSWER_UDP_MAX];
		struct answer_info info;

		bytes += answer(&s->env, &q, out, sizeof(out), &info, NULL);
		if (k->counts_keys)
			key_table_add(s->keys, &info.key, names[0].id, info.choice.ttl_s);
	}
	if (bytes < ANSWERS * 12u)
		exit(1);
	return (double)(read_cpu_ns() - start_ns) / ANSWERS;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	static double seen[sizeof(kinds) / sizeof(kinds[0])][ROUNDS];
	struct scene s = { 0 };
	size_t n = sizeof(kinds) / sizeof(kinds[0]);

	if (!open_scene(&s)) {
		fputs("dns-answer: the zone cannot be compiled\n", stderr);
		return 1;
	}
	for (unsigned round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < n; i++) {
			write_query(&s, &kinds[i]);
			seen[i][round] = measure_round(&s, &kinds[i]);
		}
	for (size_t i = 0; i < n; i++) {
		qsort(seen[i], ROUNDS, sizeof(seen[i][0]), compare_doubles);
		printf("%s{\"name\": \"dns.answer.%s\", \"unit\": \"ns\", \"min\": %.1f, \"median\": %.1f, "
		       "\"reference\": null, \"reference_median\": null, \"target\": null, \"met\": null}",
		       i ? ",\n" : "[", kinds[i].name, seen[i][0], seen[i][ROUNDS / 2]);
	}
	puts("]");
	free(s.state);
	free(s.keys);
	free(s.image);
	return 0;
}
