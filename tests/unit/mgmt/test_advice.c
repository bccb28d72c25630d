/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a plan tells beside changes and risks: who probes, who votes, which backends are needed, and
 * what nobody looks at.
 */
#include "fixture_model.h"

#include "base/arena.h"
#include "mgmt/rules/advice.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Nodes by name are not together by site; "alone" has one site; "checked" is UDP with a check. */
static const char config[] =
        "schema = 1;\n"
        "cluster = { name = \"shop\"; hash_key_file = \"hash.key\"; hash_key_id = \"k1\"; };\n"
        "sites = ( { name = \"fra\"; }, { name = \"ams\"; } );\n"
        "nodes = ( { name = \"n1\"; site = \"fra\"; ports = ( { interface = \"eth1\"; } ); tunnel_source = [ \"10.2.255.0/24\", \"2001:db8:2::/64\" ]; },\n"
        "          { name = \"n2\"; site = \"ams\"; ports = ( { interface = \"eth1\"; } ); tunnel_source = [ \"10.1.255.0/24\", \"2001:db8:1:ff::/64\" ]; },\n"
        "          { name = \"n3\"; site = \"fra\"; ports = ( { interface = \"eth1\"; } ); tunnel_source = [ \"10.3.255.0/24\", \"2001:db8:3::/64\" ]; } );\n"
        "checks = ( { name = \"web\"; type = \"tcp\"; interval = \"2s\"; } );\n"
        "pools = ( { name = \"p-ams\"; site = \"ams\"; mode = \"l2\"; backends = ( { name = \"b1\"; address = \"10.1.1.11\"; }, { name = \"b2\"; address = \"10.1.1.12\"; } ); },\n"
        "          { name = \"p-fra\"; site = \"fra\"; mode = \"gue\"; backends = ( { name = \"b1\"; address = \"2001:db8:2::b\"; } ); } );\n"
        "vips = ( { name = \"v-ams\"; site = \"ams\"; addresses = [ \"203.0.113.10\" ]; },\n"
        "         { name = \"v-fra\"; site = \"fra\"; addresses = [ \"198.51.100.10\" ]; },\n"
        "         { name = \"w-ams\"; site = \"ams\"; addresses = [ \"203.0.113.11\" ]; },\n"
        "         { name = \"w-fra\"; site = \"fra\"; addresses = [ \"198.51.100.11\" ]; } );\n"
        "services = ( { name = \"alone\"; protocol = \"udp\"; port = 53; at = ( { site = \"ams\"; vip = \"v-ams\"; pool = \"p-ams\"; } ); },\n"
        "  { name = \"checked\"; protocol = \"udp\"; port = 443; vip_check = \"web\"; at = ( { site = \"ams\"; vip = \"v-ams\"; pool = \"p-ams\"; }, { site = \"fra\"; vip = \"v-fra\"; pool = \"p-fra\"; } ); },\n"
        "  { name = \"off\"; protocol = \"tcp\"; port = 80; vip_check = \"none\"; at = ( { site = \"ams\"; vip = \"w-ams\"; pool = \"p-ams\"; }, { site = \"fra\"; vip = \"w-fra\"; pool = \"p-fra\"; } ); },\n"
        "  { name = \"voice\"; protocol = \"udp\"; port = 5060; at = ( { site = \"ams\"; vip = \"w-ams\"; pool = \"p-ams\"; }, { site = \"fra\"; vip = \"w-fra\"; pool = \"p-fra\"; } ); } );\n";

static struct fixture place;

static int setup(void **state)
{
	(void)state;
	fixture_make(&place);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_remove(&place);
	return 0;
}

static struct model *model_with(const char *from, const char *to)
{
	char text[sizeof(config) + 512];
	const char *at = strstr(config, from);
	struct files files = { 0 };

	assert_non_null(at);
	int n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - config), config, to,
	                 at + strlen(from));
	assert_int_equal(files_add(&files, FILES_MAIN, text, (size_t)n), 0);
	return fixture_model(&place, &files, "n1");
}

static void services_that_nobody_looks_at_are_named_with_the_reason(void **state)
{
	static const char *const warnings[] = {
		"service off: vip_check is \"none\": no other site probes the VIPs, so a dead "
		"site stays in the answers until an operator drains it",
		"service voice: UDP has no default check of the VIPs, so a dead site stays in the "
		"answers until an operator drains it; name a check in services[].vip_check",
	};
	struct model *m = model_with("", "");
	struct arena *arena = arena_new(1 << 20);
	struct advice advice = advice_of(NULL, m, arena);

	(void)state;
	assert_int_equal(advice.n_warnings, COUNT(warnings));
	for (size_t i = 0; i < COUNT(warnings); i++)
		assert_string_equal(advice.warnings[i], warnings[i]);
	assert_null(advice_unwatched(&m->services[0])); /* of one site */
	arena_free(arena);
	model_free(m);
}

/* The VIP of "off" and "voice" in ams lives in fra, too; then "voice" has one more VIP. */
static void a_vip_of_several_sites_is_no_trouble_unless_there_are_others(void **state)
{
	struct model *m = model_with("", "");
	struct model_at *at = (struct model_at *)(uintptr_t)m->services[3].at;
	struct model_vip *vip = (struct model_vip *)(uintptr_t)at[0].vip;
	const struct model_site *const both[] = { &m->sites[0], &m->sites[1] };

	(void)state;
	vip->sites = both;
	vip->n_sites = 2;
	assert_string_equal(
	        advice_unwatched(&m->services[3]),
	        "a VIP of several sites has no check, so when all of its sites are dead, "
	        "its addresses stay in the answers until an operator drains these sites");
	assert_non_null(strstr(advice_unwatched(&m->services[2]), "vip_check is \"none\""));
	at[1].vip = vip;
	assert_null(advice_unwatched(&m->services[3])); /* routers take a dead site out */
	model_free(m);
}

/* A group without a daemon looks complete; a group that is off on purpose, with defaults, is none. */
static void a_node_that_is_to_announce_and_names_no_daemon_is_named(void **state)
{
	static const struct {
		const char *group;
		bool is_named;
	} rows[] = {
		{ "announce = { dns = [ \"10.0.0.1\" ]; };", true },
		{ "announce = { vips = [ \"v-fra\" ]; };", true },
		{ "announce = { daemon = \"frr\"; vips = [ \"v-fra\" ]; };", false },
		{ "announce = { daemon = \"none\"; };", false },
		{ "", false },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(text, sizeof(text), "site = \"fra\"; dns_listen = [ \"10.0.0.1\" ]; %s",
		         rows[i].group);

		struct model *m = model_with("site = \"fra\";", text);
		struct arena *arena = arena_new(1 << 20);
		struct advice advice = advice_of(NULL, m, arena);

		assert_int_equal(advice.n_warnings, rows[i].is_named ? 3 : 2);
		if (rows[i].is_named)
			assert_string_equal(advice.warnings[2],
			                    "node n1: announce.daemon is \"none\", so the node "
			                    "announces nothing; name bird or frr, or leave the "
			                    "group announce out");
		arena_free(arena);
		model_free(m);
	}
}

static void each_vip_is_told_with_its_probes_before_and_after(void **state)
{
	static const struct {
		const char *vip;
		size_t n_nodes;
		uint64_t now, before;
	} rows[] = {
		{ "v-ams", 2, 1000, 0 }, /* not there before; two nodes of fra, every 2 s */
		{ "v-fra", 1, 500, 250 },
		{ "w-ams", 2, 0, 0 },
		{ "w-fra", 1, 0, 0 },
	};
	struct model *m = model_with("", ""),
	             *slower = model_with("interval = \"2s\"", "interval = \"4s\"");
	struct arena *arena = arena_new(1 << 20);
	struct model_vip *renamed = (struct model_vip *)(uintptr_t)&slower->vips[0];

	(void)state;
	renamed->name = "other";
	struct advice advice = advice_of(slower, m, arena), first = advice_of(NULL, m, arena);
	assert_int_equal(advice.n_probes, COUNT(rows));
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct advice_probes *p = &advice.probes[i];

		assert_string_equal(p->vip, rows[i].vip);
		if (p->n_nodes != rows[i].n_nodes || p->milli_per_s != rows[i].now ||
		    p->milli_per_s_before != rows[i].before)
			fail_msg("%s: %zu nodes, %llu, before %llu", p->vip, p->n_nodes,
			         (unsigned long long)p->milli_per_s,
			         (unsigned long long)p->milli_per_s_before);
		assert_int_equal(first.probes[i].milli_per_s_before, 0);
	}
	arena_free(arena);
	model_free(m);
	model_free(slower);
}

static void nodes_and_ways_are_listed_by_site_and_pool(void **state)
{
	static const struct advice_node nodes[] = { { "ams", "n2" },
		                                    { "fra", "n1" },
		                                    { "fra", "n3" } };
	static const struct {
		const char *site, *pool, *backend, *address;
		bool l2;
	} backends[] = {
		{ "ams", "p-ams", "b1", "10.1.1.11", true },
		{ "ams", "p-ams", "b2", "10.1.1.12", true },
		{ "fra", "p-fra", "b1", "2001:db8:2::b", false },
	};
	struct model *m = model_with("", "");
	struct arena *arena = arena_new(1 << 20);
	struct advice advice = advice_of(NULL, m, arena);
	char text[ADDR_TEXT_MAX];

	(void)state;
	model_free(m); /* texts are the arena's */
	assert_int_equal(advice.n_nodes, COUNT(nodes));
	for (size_t i = 0; i < COUNT(nodes); i++) {
		assert_string_equal(advice.nodes[i].site, nodes[i].site);
		assert_string_equal(advice.nodes[i].node, nodes[i].node);
	}
	assert_int_equal(advice.n_backends, COUNT(backends));
	for (size_t i = 0; i < COUNT(backends); i++) {
		assert_string_equal(advice.backends[i].site, backends[i].site);
		assert_string_equal(advice.backends[i].pool, backends[i].pool);
		assert_string_equal(advice.backends[i].backend, backends[i].backend);
		assert_string_equal(addr_text(&advice.backends[i].address, text),
		                    backends[i].address);
		assert_int_equal(advice.backends[i].l2, backends[i].l2);
	}
	arena_free(arena);
}

static void without_memory_that_is_said_and_nothing_is_listed(void **state)
{
	static struct model_site site = { .name = "ams" };
	static struct model_pool pool = { .name = "p", .site = &site };
	struct model *m = model_with("", "");
	struct model_pool *many = calloc(20000, sizeof(*many)); /* backends of them do not fit */
	struct model_backend *backends = calloc(2000, sizeof(*backends));
	const struct model_pool *before = m->pools;
	size_t n_before = m->n_pools;
	struct arena *arena = arena_new(1 << 14);

	(void)state;
	pool.backends = backends;
	pool.n_backends = 2000;
	for (size_t i = 0; i < 20000; i++)
		many[i] = pool;
	m->pools = many;
	m->n_pools = 20000;
	struct advice advice = advice_of(NULL, m, arena);
	assert_true(arena_failed(arena));
	assert_int_equal(advice.n_backends, 0);
	m->pools = before;
	m->n_pools = n_before;
	arena_free(arena);
	free(backends);
	free(many);
	model_free(m);
}

#define BACKED                                                                                     \
	"{ site = \"ams\"; vip = \"w-ams\"; pool = \"p-ams\"; backup = \"p-fra\"; backup_max = { " \
	"new_flows = \"2k/s\"; bits = \"1Gbit\"; }; }"
#define OFF "vip_check = \"none\"; at = ( { site = \"ams\"; vip = \"w-ams\"; pool = \"p-ams\"; }"

static bool has_advice(const struct advice *a, const char *text)
{
	for (size_t i = 0; i < a->n_warnings; i++)
		if (strstr(a->warnings[i], text))
			return true;
	return false;
}

static void a_new_backup_comes_with_what_the_other_site_must_be_ready_for(void **state)
{
	struct arena *arena = arena_new(1 << 20);
	struct model *m = model_with(OFF, "vip_check = \"none\"; at = ( " BACKED), *again, *plain;
	struct advice advice = advice_of(NULL, m, arena);

	(void)state;
	assert_true(has_advice(&advice,
	                       "service off at site ams: backup pool p-fra: its backends need "
	                       "the addresses of VIP w-ams on their loopback, their agents "
	                       "must accept tunnels (GUE) from 10.1.255.0/24, "));
	assert_true(has_advice(&advice, "; packets of 1500 bytes must get through"));
	assert_true(has_advice(&advice, "replies from these addresses, which no probe can prove"));
	assert_true(has_advice(&advice, "it has no check"));
	assert_false(has_advice(&advice, "second chance"));
	again = model_with(OFF, "vip_check = \"none\"; at = ( " BACKED);
	advice = advice_of(again, m, arena);
	assert_false(has_advice(&advice, "loopback")); /* told before */
	assert_true(has_advice(&advice, "it has no check"));
	((struct model_at *)(uintptr_t)again->services[2].at)->backup_mtu = 1400;
	advice = advice_of(again, m, arena);
	assert_true(has_advice(&advice, "packets of 1500 bytes")); /* larger ones than before */
	plain = model_with("", "");
	advice = advice_of(plain, m, arena);
	assert_true(has_advice(&advice, "loopback"));
	advice = advice_of(m, plain, arena);
	assert_false(has_advice(&advice, "backup"));
	model_free(m);
	model_free(again);
	model_free(plain);
	arena_free(arena);
}

static size_t count_advice(const struct advice *a, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_warnings; i++)
		n += !strcmp(a->warnings[i], text);
	return n;
}

#define OF_BACKUP "service off at site ams: backup pool p-fra: "

#define NEWS(tunnel, sources, size)                                                                \
	OF_BACKUP "its backends need the addresses of VIP w-ams on their loopback, their agents "  \
	          "must accept tunnels (" tunnel ") from " sources "; packets of " size            \
	          " bytes must get through, and filters at site fra must permit replies from "     \
	          "these addresses, which no probe can prove; weir status shows whether probes "   \
	          "through the tunnel are answered, and what they lack"
#define N2 "10.1.255.0/24, 2001:db8:1:ff::/64"
#define N3 "10.3.255.0/24, 2001:db8:3::/64"

static size_t count_news(const struct advice *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_warnings; i++)
		n += strstr(a->warnings[i], "loopback") != NULL;
	return n;
}

/* To the letter: of the nodes at the backed up site alone, in the form in which packets come. */
static void the_other_site_hears_what_comes_and_from_where(void **state)
{
	static const struct {
		const char *why;
		uint16_t backup_mtu, n3_mtu;
		bool n3_is_here;
		enum model_mode mode;
		const char *news;
	} rows[] = {
		{ "another site's node", 0, 9000, false, MODEL_MODE_GUE, NEWS("GUE", N2, "1500") },
		{ "nodes alike", 0, 1500, true, MODEL_MODE_GUE, NEWS("GUE", N2 ", " N3, "1500") },
		{ "a larger MTU", 0, 9000, true, MODEL_MODE_GUE,
		  NEWS("GUE", N2 ", " N3, "1500 to 9000") },
		{ "a smaller one", 0, 1280, true, MODEL_MODE_IPIP,
		  NEWS("IP in IP", N2 ", " N3, "1280 to 1500") },
		{ "one that is given", 1400, 9000, true, MODEL_MODE_IPIP,
		  NEWS("IP in IP", N2 ", " N3, "1400") },
	};
	struct model *m = model_with(OFF, "vip_check = \"none\"; at = ( " BACKED);
	struct model_at *at = (struct model_at *)(uintptr_t)&m->services[2].at[0];
	struct model_node *n3 = (struct model_node *)(uintptr_t)&m->nodes[2];
	const struct model_site *fra = n3->site;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena = arena_new(1 << 20);

		at->backup_mtu = rows[i].backup_mtu;
		((struct model_pool *)(uintptr_t)at->backup)->mode = rows[i].mode;
		n3->mtu = rows[i].n3_mtu;
		n3->site = rows[i].n3_is_here ? at->site : fra;
		struct advice advice = advice_of(NULL, m, arena);
		print_message("  %s\n", rows[i].why);
		assert_int_equal(count_news(&advice), 1);
		assert_int_equal(count_advice(&advice, rows[i].news), 1);
		arena_free(arena);
	}
	model_free(m);
}

/* An old fact is reported once: by name, as a new version has structures of its own. */
static void a_backup_is_told_again_when_what_comes_changes(void **state)
{
	struct model *m = model_with(OFF, "vip_check = \"none\"; at = ( " BACKED),
	             *again = model_with(OFF, "vip_check = \"none\"; at = ( " BACKED);
	const struct model_at as_it_was = again->services[2].at[0];
	const struct model_pool backup_as_it_was = *as_it_was.backup;
	struct model_at *was = (struct model_at *)(uintptr_t)&again->services[2].at[0];
	static struct model_pool other;
	const struct {
		const char *why;
		const struct model_vip *vip;
		const char *backup; /* NULL: there was none */
		uint16_t mtu;
		enum model_mode mode;
		uint64_t max_bits;
		bool is_news;
	} rows[] = {
		{ "nothing", as_it_was.vip, "p-fra", 0, MODEL_MODE_GUE, 1, false },
		{ "the VIP", &again->vips[0], "p-fra", 0, MODEL_MODE_GUE, 1, true },
		{ "none before", as_it_was.vip, NULL, 0, MODEL_MODE_GUE, 1, true },
		{ "another pool", as_it_was.vip, "p-old", 0, MODEL_MODE_GUE, 1, true },
		{ "the MTU", as_it_was.vip, "p-fra", 1500, MODEL_MODE_GUE, 1, true },
		{ "the tunnel", as_it_was.vip, "p-fra", 0, MODEL_MODE_IPIP, 1, true },
		{ "how much", as_it_was.vip, "p-fra", 0, MODEL_MODE_GUE, 2, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena = arena_new(1 << 20);

		other = backup_as_it_was;
		other.name = rows[i].backup;
		other.mode = rows[i].mode;
		was->vip = rows[i].vip;
		was->backup = rows[i].backup ? &other : NULL;
		was->backup_mtu = rows[i].mtu;
		was->backup_max_bits = rows[i].max_bits;
		struct advice advice = advice_of(again, m, arena);
		print_message("  %s\n", rows[i].why);
		assert_int_equal(count_news(&advice), rows[i].is_news);
		arena_free(arena);
	}
	*was = as_it_was;
	model_free(m);
	model_free(again);
}

/* Each sentence for its own pool or site, on both sides of each limit. */
static void what_limits_a_backup_is_said_each_time(void **state)
{
	static const char *const sentences[] = {
		OF_BACKUP
		"it has no check, so it counts as up and serves this site even when it is dead",
		OF_BACKUP
		"with a backup the nodes remember flows themselves and agents pass none on (no "
		"second chance) for services that lead to pool p-ams",
		OF_BACKUP "backup_max is more than the stated capacity of site fra",
	};
	static const struct model_check check;
	static const struct {
		const char *why;
		bool has_check, has_agent, backup_has_agent;
		uint64_t capacity_flows, capacity_bits;
		bool said[COUNT(sentences)];
	} rows[] = {
		{ "nothing limits it", true, false, false, 0, 0, { false } },
		{ "no check", false, false, false, 0, 0, { true, false, false } },
		{ "an agent", true, true, false, 0, 0, { false, true, false } },
		{ "an agent of the backup alone", true, false, true, 0, 0, { false } },
		{ "agents of both", true, true, true, 0, 0, { false, true, false } },
		{ "as much as there is", true, false, false, 2000, 1000000000, { false } },
		{ "too many flows", true, false, false, 1999, 0, { false, false, true } },
		{ "too many bits", true, false, false, 0, 999999999, { false, false, true } },
		{ "all of it", false, true, false, 1, 1, { true, true, true } },
	};
	struct model *m = model_with(OFF, "vip_check = \"none\"; at = ( " BACKED),
	             *again = model_with(OFF, "vip_check = \"none\"; at = ( " BACKED);
	const struct model_at *at = &m->services[2].at[0];
	struct model_pool *pool = (struct model_pool *)(uintptr_t)at->pool,
	                  *backup = (struct model_pool *)(uintptr_t)at->backup;
	struct model_site *site = (struct model_site *)(uintptr_t)backup->site;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct arena *arena = arena_new(1 << 20);

		backup->check = rows[i].has_check ? &check : NULL;
		pool->agent = rows[i].has_agent;
		backup->agent = rows[i].backup_has_agent;
		site->capacity_flows = rows[i].capacity_flows;
		site->capacity_bits = rows[i].capacity_bits;
		struct advice advice = advice_of(again, m, arena);
		print_message("  %s\n", rows[i].why);
		for (size_t k = 0; k < COUNT(sentences); k++)
			assert_int_equal(count_advice(&advice, sentences[k]), rows[i].said[k]);
		arena_free(arena);
	}
	model_free(m);
	model_free(again);
}

/* Nodes refuse what has no room for both: the plan says so before. */
static void slots_that_change_need_room_beside_the_old_ones(void **state)
{
	static const struct {
		const char *why;
		uint32_t limit; /* of the new document */
		uint32_t ams;   /* slots of the new p-ams */
		bool agent;
		const char *warning;
	} rows[] = {
		{ "nothing changes", 4096, 4096, false, NULL },
		{ "more slots, and room for both", 12288, 8192, false, NULL },
		{ "more slots, and room for the new ones alone", 12287, 8192, false,
		  "site ams: its nodes will refuse the change: pools that change have old and new "
		  "slots at once, 12288 together; raise limits.slots (12287)" },
		{ "other lists of owners, and room for both", 8192, 4096, true, NULL },
		{ "other lists of owners", 8191, 4096, true, "8192 together" },
	};
	struct arena *arena = arena_new(1 << 20);
	struct model *from = model_with("", ""), *to = model_with("", "");
	struct model_pool *before = (struct model_pool *)(uintptr_t)model_pool(from, "p-ams"),
	                  *after = (struct model_pool *)(uintptr_t)model_pool(to, "p-ams");

	(void)state;
	before->n_slots = 4096;
	((struct model_pool *)(uintptr_t)model_pool(from, "p-fra"))->n_slots = 4096;
	((struct model_pool *)(uintptr_t)model_pool(to, "p-fra"))->n_slots = 4096;
	for (size_t i = 0; i < COUNT(rows); i++) {
		after->n_slots = rows[i].ams;
		after->agent = rows[i].agent;
		to->limits.slots = rows[i].limit;
		struct advice advice = advice_of(from, to, arena);

		print_message("  %s\n", rows[i].why);
		assert_int_equal(has_advice(&advice, "its nodes will refuse"),
		                 rows[i].warning != NULL);
		assert_true(!rows[i].warning || has_advice(&advice, rows[i].warning));
		advice = advice_of(NULL, to, arena); /* the first one has no old slots */
		assert_false(has_advice(&advice, "its nodes will refuse"));
	}
	arena_free(arena);
	model_free(from);
	model_free(to);
}

SUITE(advice)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_that_nobody_looks_at_are_named_with_the_reason),
		cmocka_unit_test(a_vip_of_several_sites_is_no_trouble_unless_there_are_others),
		cmocka_unit_test(a_node_that_is_to_announce_and_names_no_daemon_is_named),
		cmocka_unit_test(each_vip_is_told_with_its_probes_before_and_after),
		cmocka_unit_test(nodes_and_ways_are_listed_by_site_and_pool),
		cmocka_unit_test(without_memory_that_is_said_and_nothing_is_listed),
		cmocka_unit_test(a_new_backup_comes_with_what_the_other_site_must_be_ready_for),
		cmocka_unit_test(the_other_site_hears_what_comes_and_from_where),
		cmocka_unit_test(a_backup_is_told_again_when_what_comes_changes),
		cmocka_unit_test(what_limits_a_backup_is_said_each_time),
		cmocka_unit_test(slots_that_change_need_room_beside_the_old_ones),
	};

	return cmocka_run_group_tests_name("advice", tests, setup, teardown);
}
