/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers at the edges: a renamed name of 255 bytes, a broken zone, bits of EDNS that mean
 * nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "dns/answer/answer.h"
#include "dns/zone/image.h"
#include "dns/steering/steering.h"
#include "dns/zone/zone.h"
#include "tests/unit/dns/message_text.h"
#include "tests/unit/suite.h"

#define SOA_NS "$TTL 60\n@ SOA ns root 1 1 1 1 1\n@ NS ns\nns A 192.0.2.1\n"
#define L63    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct image *image;
static char text[65536];

static void ignore_message(void *arg, const struct zones_message *m)
{
	(void)arg;
	(void)m;
}

static void write_zone(const char *path, const char *what)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(what, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* Aliases to a name that the question lies below, through one DNAME twice, and round. */
static const char turns[] = SOA_NS "@ A 192.0.2.5\n* CNAME @\n*.www CNAME www\nwww A 192.0.2.6\n"
                                   "up DNAME @\nround DNAME round2\nround2 DNAME round\n"
                                   "*.self CNAME x.self\n"
                                   "none TYPE10 \\# 0\n";

/* good.test has a DNAME with a target of 192 + 1 + 59 + 1 bytes; bad.test cannot be used. */
static int set_up(void **state)
{
	char dir[] = "/tmp/weir-edges.XXXXXX", good[64], bad[64], turn[64];
	char target[64] = "";

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(good, sizeof(good), "%s/good", dir);
	snprintf(bad, sizeof(bad), "%s/bad", dir);
	snprintf(turn, sizeof(turn), "%s/turn", dir);
	memset(target, 'b', 59);
	char lines[1024];
	snprintf(lines, sizeof(lines), SOA_NS "d DNAME %s.%s.%s.%s.\n", L63, L63, L63, target);
	write_zone(good, lines);
	write_zone(bad, SOA_NS "h A 1.2.3\n");
	write_zone(turn, turns);

	const struct zone_source zones[] = { { "good.test", good },
		                             { "bad.test", bad },
		                             { "turn.test", turn } };
	const struct zone_input in = { .zones = zones, .n_zones = 3, .isolate = true };

	assert_int_equal(zone_compile(&in, ignore_message, NULL, &image), 0);
	unlink(good);
	unlink(bad);
	unlink(turn);
	rmdir(dir);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	free(image);
	return 0;
}

/* Ask for @p name; with @p edns_flags an OPT. */
static const char *ask_type(const char *name, uint8_t type, int edns_flags)
{
	static uint8_t out[ANSWER_MAX];
	const struct answer_env env = { .image = image };
	uint8_t query[320] = { 0, 9, 0, 0, 0, 1 };
	struct answer_info info;
	size_t n = 12;

	for (const char *at = name; *at;) {
		size_t length = strcspn(at, ".");

		query[n++] = (uint8_t)length;
		memcpy(query + n, at, length);
		n += length;
		at += length + (at[length] == '.');
	}
	n += 2; /* the root; the type's first byte */
	query[n++] = type;
	n++;
	query[n++] = 1;
	if (edns_flags >= 0) {
		const uint8_t opt[] = {
			0, 0, 41, 4, 0xd0, 0, 0, (uint8_t)(edns_flags >> 8), (uint8_t)edns_flags,
			0, 0
		};

		query[11] = 1;
		memcpy(query + n, opt, sizeof(opt));
		n += sizeof(opt);
	}
	const struct answer_query q = { .bytes = query, .length = n };
	size_t got = answer(&env, &q, out, ANSWER_UDP_MAX, &info, NULL);

	assert_true(got > 0);
	assert_int_equal(info.has_edns, edns_flags >= 0);
	assert_int_equal(info.type, type);
	assert_true(info.has_question && !info.has_subnet && info.dynamic == -1);
	if (!message_text(out, got, text, sizeof(text)))
		fail_msg("answer not well-formed: %s", text);
	return text;
}

static const char *send_query(const char *name, int edns_flags)
{
	return ask_type(name, DNS_A, edns_flags);
}

static void a_renamed_name_may_have_255_bytes(void **state)
{
	(void)state;
	assert_non_null(strstr(send_query("x.d.good.test", 0), "NOERROR")); /* 2 + 253 */
	assert_non_null(strstr(text, "an x.d.good.test. 60 CNAME x." L63));
	(void)send_query("xx.d.good.test", 0);
	assert_null(strstr(text, "NOERROR"));
	assert_null(strstr(text, "CNAME"));
}

/* What is not known is nobody's authority: a resolver asks another server. */
static void a_broken_zone_is_answered_without_authority(void **state)
{
	(void)state;
	assert_non_null(strstr(send_query("h.bad.test", -1), "SERVFAIL"));
	assert_null(strstr(text, " aa"));
	assert_non_null(strstr(send_query("bad.test", -1), "SERVFAIL"));
	assert_null(strstr(text, " aa"));
	assert_non_null(strstr(send_query("ns.good.test", -1), "NOERROR aa"));
}

/* RFC 1035, section 3.3.10, and RFC 3597: there is a record, and nothing in it. */
static void a_record_without_data_is_given(void **state)
{
	const char *said = ask_type("none.turn.test", 10, -1);

	(void)state;
	if (!strstr(said, "an none.turn.test. 60 TYPE10 #\n"))
		fail_msg("%s", said);
}

static void only_its_own_bit_asks_for_dnssec(void **state)
{
	(void)state;
	assert_non_null(strstr(send_query("ns.good.test", 0x8000), " do"));
	assert_null(strstr(send_query("ns.good.test", 0x7fff), " do"));
	assert_non_null(strstr(text, "opt "));
	assert_null(strstr(send_query("ns.good.test", 0), " do"));
	assert_null(strstr(send_query("ns.good.test", -1), "opt "));
}

/* What DNS says of a service does not depend on the site where all of them have one VIP. */
static void a_service_of_several_sites_may_have_one_vip(void **state)
{
	static const struct model_site sites[] = { { .name = "ams" }, { .name = "fra" } };
	static const struct addr addresses[2] = { { .bytes = { 1 } }, { .bytes = { 2 } } };
	const struct model_vip vips[] = {
		{ .name = "v", .addresses = addresses, .n_addresses = 1 },
		{ .name = "w", .addresses = addresses + 1, .n_addresses = 1 }
	};
	struct model_at at[2] = { { .site = &sites[0], .vip = &vips[0] },
		                  { .site = &sites[1], .vip = &vips[0] } };
	struct model_service service = { .name = "web", .at = at, .n_at = 2 };
	const struct model m = {
		.sites = sites, .n_sites = 2, .services = &service, .n_services = 1
	};
	struct arena *arena = arena_new(1 << 20);
	const struct steering *p = steering_new(&m, arena);

	(void)state;
	assert_true(p->services[0].one_vip);
	for (size_t k = 0; k < 2; k++)
		assert_true(addr_equal(&p->services[0].sites[k].addresses[0][0], &addresses[0]));
	at[1].vip = &vips[1];
	assert_false(steering_new(&m, arena)->services[0].one_vip);
	service.n_at = 1;
	assert_false(steering_new(&m, arena)->services[0].one_vip);
	arena_free(arena);
}

static void a_site_gives_as_many_addresses_as_a_vip_can_have(void **state)
{
	static struct addr addresses[2 * STEERING_ADDRESSES_MAX];
	static struct model_site site = { .name = "ams" };
	static struct model_vip vip = { .name = "v", .addresses = addresses };
	static struct model_at at = { .site = &site, .vip = &vip, .weight = 1 };
	static struct model_service service = { .name = "web", .at = &at, .n_at = 1 };
	const struct model m = {
		.sites = &site, .n_sites = 1, .services = &service, .n_services = 1
	};
	struct arena *arena = arena_new(1 << 20);

	(void)state;
	for (unsigned four_first = 0; four_first < 2; four_first++) {
		for (unsigned i = 0; i < STEERING_ADDRESSES_MAX; i++) {
			const uint8_t ip4[4] = { 192, 0, 2, (uint8_t)i };
			uint8_t ip6[16] = { 0x20, 1, 0xd, 0xb8, [15] = (uint8_t)i };

			addresses[(four_first ? 0 : STEERING_ADDRESSES_MAX) + i] = addr_from4(ip4);
			addresses[(four_first ? STEERING_ADDRESSES_MAX : 0) + i] = addr_from6(ip6);
		}
		vip.n_addresses = 2 * STEERING_ADDRESSES_MAX;
		const struct steering *p = steering_new(&m, arena);

		assert_non_null(p);
		assert_int_equal(p->services[0].sites[0].n_addresses[0], STEERING_ADDRESSES_MAX);
		assert_int_equal(p->services[0].sites[0].n_addresses[1], STEERING_ADDRESSES_MAX);
	}
	arena_free(arena);
}

#define UP    "an up.turn.test. 60 TYPE39 #047475726e047465737400\n"
#define STAR  "an x.turn.test. 60 CNAME turn.test.\n"
#define ROUND "an round.turn.test. 60 TYPE39 #06726f756e6432047475726e047465737400\n"
#define SOA   "au turn.test. 1 SOA"

/* An alias is followed to its end, and no record is given twice (RFC 2181, section 5). */
static void aliases_are_followed_to_their_end_and_given_once(void **state)
{
	static const struct {
		const char *name;
		uint8_t type;
		const char *answer;
	} cases[] = {
		{ "x.turn.test", DNS_A, STAR "an turn.test. 60 A 192.0.2.5\n" },
		{ "x.turn.test", DNS_AAAA, STAR SOA },
		{ "x.www.turn.test", DNS_A,
		  "an x.www.turn.test. 60 CNAME www.turn.test.\nan www.turn.test. 60 A 192.0.2.6\n" },
		{ "x.up.up.turn.test", DNS_A,
		  UP "an x.up.up.turn.test. 60 CNAME x.up.turn.test.\n"
		     "an x.up.turn.test. 60 CNAME x.turn.test.\n" STAR
		     "an turn.test. 60 A 192.0.2.5\n" },
		{ "up.up.turn.test", DNS_DNAME, UP "an up.up.turn.test. 60 CNAME up.turn.test.\n" },
		{ "up.up.turn.test", DNS_AAAA,
		  UP "an up.up.turn.test. 60 CNAME up.turn.test.\n" SOA },
		{ "X.round.turn.test", DNS_A,
		  ROUND "an X.round.turn.test. 60 CNAME X.round2.turn.test.\n"
		        "an round2.turn.test. 60 TYPE39 #05726f756e64047475726e047465737400\n"
		        "an X.round2.turn.test. 60 CNAME X.round.turn.test.\n" },
		{ "X.self.turn.test", DNS_A, "an X.self.turn.test. 60 CNAME x.self.turn.test.\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got = strstr(ask_type(cases[i].name, cases[i].type, -1), "\nan ");

		assert_non_null(got);
		if (strncmp(got + 1, cases[i].answer, strlen(cases[i].answer)) ||
		    strstr(got + 1 + strlen(cases[i].answer), "\nan ") ||
		    !strncmp(got + 1 + strlen(cases[i].answer), "an ", 3))
			fail_msg("%s: %s", cases[i].name, text);
	}
}

SUITE(answer_edges)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_renamed_name_may_have_255_bytes),
		cmocka_unit_test(a_broken_zone_is_answered_without_authority),
		cmocka_unit_test(aliases_are_followed_to_their_end_and_given_once),
		cmocka_unit_test(a_record_without_data_is_given),
		cmocka_unit_test(only_its_own_bit_asks_for_dnssec),
		cmocka_unit_test(a_service_of_several_sites_may_have_one_vip),
		cmocka_unit_test(a_site_gives_as_many_addresses_as_a_vip_can_have),
	};

	return cmocka_run_group_tests_name("answer edges", tests, set_up, tear_down);
}
