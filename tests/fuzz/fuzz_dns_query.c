/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a query, over UDP and TCP: no answer, or a well-formed one that fits, with the
 * query's id and question. The zones are fixed and hold one of each kind of name.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dns/answer/answer.h"
#include "dns/zone/image.h"
#include "dns/zone/zone.h"
#include "tests/unit/dns/message_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char zone_text[] =
        "$TTL 300\n@ SOA ns1 root 7 3600 900 604800 60\n@ NS ns1\n@ NS ns.other.\nns1 A 192.0.2.1\n"
        "ns1 AAAA 2001:db8::1\na A 192.0.2.10\nc1 CNAME c2\nc2 CNAME a\nround CNAME round\n"
        "*.w TXT wild\n*.wc CNAME x.wc2\n*.wc2 CNAME y.wc\nx.y.ent A 192.0.2.20\nsub NS ns.sub\n"
        "sub DS 1 13 2 00\nns.sub A 192.0.2.30\nns.sub AAAA ::1\nmx MX 10 a\nmx MX 10 mail.sub\n"
        "mx MX 1 .\n* A 192.0.2.9\nsrv SRV 1 2 3 a\ntodyn CNAME www\nwww TXT x\n"
        "big NS a.b.c.d.e.f.big\nbig NS a.b.c.d.e.g.big\na.b.c.d.e.f.big A 192.0.2.1\n"
        "soa CNAME z\nptr PTR a\nminfo TYPE14 \\# 2 0000\n";

static struct steering_site sites[2] = {
	{ .name = "ams", .id = 1, .weight = 100, .n_addresses = { 16, 16 } },
	{ .name = "fra", .id = 2, .weight = 100, .n_addresses = { 1, 0 } },
};
static struct steering_service service = { .name = "web", .n_sites = 2, .sites = sites };
static const struct steering_name names[] = {
	{ .name = "www.x", .service = &service, .ttl_min_s = 5, .ttl_max_s = 60 },
	{ .name = "*.dyn.x", .service = &service, .ttl_min_s = 5, .ttl_max_s = 60 },
};
static const struct steering place = {
	.n_names = 2, .n_services = 1, .n_states = 2, .names = names
};

static void ignore_message(void *arg, const struct zones_message *m)
{
	(void)arg;
	fprintf(stderr, "%s:%u: %s\n", m->file, m->line, m->text);
}

static struct answer_env make_env(void)
{
	static const char *const dynamic[] = { "www.x", "*.dyn.x" };
	struct answer_env env = { .steering = &place,
		                  .nsid = (const uint8_t *)"node",
		                  .nsid_length = 4 };
	struct image *image = NULL;
	struct steering_state *state = calloc(1, sizeof(*state) + 2 * sizeof(state->sites[0]));
	char path[32];
	int fd = memfd_create("zone", MFD_CLOEXEC);

	if (fd < 0 || !state || write(fd, zone_text, sizeof(zone_text) - 1) < 0)
		abort();
	for (unsigned i = 0; i < STEERING_ADDRESSES_MAX; i++) {
		const uint8_t four[4] = { 203, 0, 113, (uint8_t)i };

		sites[0].addresses[1][i] = addr_from4(four);
		sites[0].addresses[0][i].bytes[0] = 0x20;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

	const struct zone_source zone = { "x", path };
	const struct zone_input in = {
		.zones = &zone, .n_zones = 1, .dynamic = dynamic, .n_dynamic = 2, .source = 1
	};

	if (zone_compile(&in, ignore_message, NULL, &image) != 0)
		abort();
	close(fd);
	state->n_sites = 2;
	env.image = image;
	env.state = state;
	return env;
}

/* Ask once and look at the answer. */
static void send_query(const struct answer_env *env, const uint8_t *bytes, size_t n, bool tcp)
{
	static char text[1 << 20];
	const struct answer_query query = { .bytes = bytes, .length = n, .tcp = tcp };
	size_t room = tcp ? ANSWER_MAX : ANSWER_UDP_MAX;
	uint8_t *out = malloc(room);
	struct answer_info info;
	struct answer_trace trace;
	size_t got = out ? answer(env, &query, out, room, &info, &trace) : 0;

	if (got && (got < 12 || got > room || memcmp(out, bytes, 2) != 0))
		abort();
	if (got && !message_text(out, got, text, sizeof(text)))
		abort();
	if (got && out[5] == 1) {
		size_t question = 12;

		while (bytes[question])
			question += bytes[question] + 1u;
		if (memcmp(out + 12, bytes + 12, question - 12 + 5) != 0)
			abort();
	}
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static struct answer_env env;

	if (!env.image)
		env = make_env();
	send_query(&env, bytes, n, false);
	send_query(&env, bytes, n, true);
	return 0;
}
