/* SPDX-License-Identifier: BSD-2-Clause */
/* Drills of backups: what is refused, what one becomes, how it ends, and what its flows show. */
#include "fixture.h"
#include "tests/unit/suite.h"
#include "whole_json.h"

#include "mgmt/store/drill.h"
#include "mgmt/store/intent.h"
#include "mgmt/store/records.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
/* The documented values, not the code's own: a change of those is seen. */
#define MOST_MS  3600000
#define LEAST_MS 10000
#define MOST     4

struct scene {
	struct fixture f;
	struct intent *in;
	struct drill_result r;
};

#define AT_AMS                                                                                     \
	"{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; backup = \"web-fra\"; "         \
	"backup_max = { new_flows = \"100/s\"; bits = \"1Gbit\"; }; }"

/* The fixture's sites, where "web" of ams has a backup, and "voice" of UDP has one, too. */
static void write_backups(const struct fixture *f)
{
	static const char from[] = "services = ( ";
	static const char *const was =
	        "{ site = \"ams\"; vip = \"shop-ams\"; pool = \"web-ams\"; }";
	const char *services = strstr(fixture_config, from), *at = strstr(fixture_config, was);
	char text[8192];

	assert_true(services && at > services);
	services += strlen(from);
	snprintf(text, sizeof(text),
	         "%.*s{ name = \"voice\"; protocol = \"udp\"; port = 53; at = ( " AT_AMS
	         " ); },\n%.*s" AT_AMS "%s",
	         (int)(services - fixture_config), fixture_config, (int)(at - services), services,
	         at + strlen(was));
	fixture_write(f->conf, "weir.conf", text);
}

static int setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	struct intent_options options = { .node = "ams-1" };

	fixture_make(&s->f);
	write_backups(&s->f);
	options.conf_dir = s->f.conf;
	options.state_dir = s->f.state;
	assert_int_equal(intent_open(&options, NOW_MS, &s->in), 0);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct scene *s = *state;

	intent_close(s->in);
	fixture_remove(&s->f);
	free(s);
	return 0;
}

static struct drill_request make_request(const char *clients)
{
	struct drill_request r = {
		.site = "ams", .until_ms = NOW_MS + 600000, .author = "ann", .reason = "why"
	};

	assert_int_equal(prefix_parse(clients, &r.clients), 0);
	return r;
}

static enum drill_outcome begin_drill(struct scene *s, const char *clients)
{
	const struct drill_request r = make_request(clients);

	return drill_begin(s->in, &r, NOW_MS, &s->r);
}

static void assert_noted(const struct scene *s, const char *id, const char *begins)
{
	const struct journal *j = intent_journal(s->in);
	int n = 0;

	for (uint64_t i = journal_oldest(j); i <= journal_last(j); i++)
		n += !strcmp(journal_find(j, i)->subject, id) &&
		     !strncmp(journal_find(j, i)->message, begins, strlen(begins));
	if (n != 1)
		fail_msg("%d events begin with \"%s\"", n, begins);
}

static void a_drill_is_an_override_with_an_end(void **state)
{
	struct scene *s = *state;
	struct drill_request r = make_request("198.51.100.0/24");
	const struct override *o;

	r.service = "web";
	assert_int_equal(drill_begin(s->in, &r, NOW_MS, &s->r), DRILL_OK);
	o = overrides_find(intent_overrides(s->in), s->r.override.id);
	assert_non_null(o);
	assert_int_equal(o->kind, MODEL_OVERRIDE_DRILL);
	assert_string_equal(o->name, "ams");
	assert_string_equal(o->service, "web");
	assert_int_equal(o->from_ms, NOW_MS);
	assert_int_equal(o->until_ms, NOW_MS + 600000);
	assert_int_equal(overrides_level(intent_overrides(s->in), o, NOW_MS + 5), 0);
	assert_string_equal(overrides_state(intent_overrides(s->in), o, NOW_MS + 5), "drilling");
	assert_string_equal(overrides_state(intent_overrides(s->in), o, NOW_MS + 600000), "done");
}

static void prefixes_that_no_drill_may_have_are_refused(void **state)
{
	static const struct {
		const char *clients;
		enum drill_outcome outcome;
	} cases[] = {
		{ "0.0.0.0/0", DRILL_INVALID },      { "10.0.0.0/7", DRILL_INVALID },
		{ "10.0.0.0/8", DRILL_OK },          { "198.51.100.7/32", DRILL_OK },
		{ "127.0.0.0/8", DRILL_INVALID },    { "224.0.0.0/8", DRILL_INVALID },
		{ "240.0.0.0/24", DRILL_INVALID },   { "169.254.1.0/24", DRILL_INVALID },
		{ "0.0.0.0/8", DRILL_INVALID },      { "223.255.255.0/24", DRILL_OK },
		{ "::/0", DRILL_INVALID },           { "2001:c00::/23", DRILL_INVALID },
		{ "2001:db8:c::/48", DRILL_INVALID } /* ams has no VIP of this family */
	};
	struct scene *s = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix p;
		struct drill_request r = make_request("198.51.100.0/24");

		if (prefix_parse(cases[i].clients, &p))
			fail_msg("%s has host bits", cases[i].clients);
		r.clients = p;
		if (drill_check(s->in, &r, NOW_MS, &s->r) != cases[i].outcome)
			fail_msg("%s: %s", cases[i].clients, s->r.text);
	}
}

static void a_drill_lasts_from_ten_seconds_to_an_hour(void **state)
{
	struct scene *s = *state;
	struct drill_request r = make_request("198.51.100.0/24");
	const int64_t bad[] = { 0, -1, LEAST_MS - 1, MOST_MS + 1, MODEL_TIME_NEVER - NOW_MS };

	for (size_t i = 0; i < COUNT(bad); i++) {
		r.until_ms = NOW_MS + bad[i];
		assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), DRILL_INVALID);
		assert_string_equal(s->r.field, "until");
	}
	r.until_ms = NOW_MS + LEAST_MS;
	assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), DRILL_OK);
	r.until_ms = NOW_MS + MOST_MS;
	assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), DRILL_OK);
}

static void sites_and_services_that_have_no_backup_are_refused(void **state)
{
	struct scene *s = *state;
	struct drill_request r = make_request("198.51.100.0/24");

	r.site = "lon";
	assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), DRILL_UNKNOWN);
	r.site = "fra"; /* without a backup */
	assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), DRILL_REFUSED);
	r.site = "ams";
	r.service = "mail";
	assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), DRILL_UNKNOWN);
}

/* The override in words; its id, which is drawn, is left out. */
static void expect_override(const char *why, const struct override *o, const char *expected)
{
	struct override shown = *o;

	assert_true(strlen(o->id) > 6);
	snprintf(shown.id, sizeof(shown.id), "x");
	expect_whole(why, record_to_json(&override_record, &shown), expected);
}

#define BEGUN                                                                                      \
	"{'id':'x','kind':'drill','target':'site','name':'ams','clients':'198.51.100.0/24',"       \
	"'created_ms':1790000000000,'from_ms':1790000000000,'author':'ann','reason':'why',"        \
	"'node':'ams-1','own_vips':'announced','shared_vips':'announced'"

/* Stamps go by the cluster's time, instants by this node's. */
static void a_drill_is_signed_when_it_begins_and_when_it_ends(void **state)
{
	struct scene *s = *state;
	struct drill_request r = make_request("198.51.100.0/24");
	char id[MODEL_ID_MAX];

	intent_stamp_by(s->in, -5000);
	intent_for(s->in, "user:root", NULL);
	assert_int_equal(drill_begin(s->in, &r, NOW_MS, &s->r), DRILL_OK);
	memcpy(id, s->r.override.id, sizeof(id));
	expect_override(
	        "begun", overrides_find(intent_overrides(s->in), id),
	        BEGUN
	        ",'until_ms':1790000600000,'generation':3665919989760000,'principal':'user:root'}");
	intent_for(s->in, "token:ci", NULL);
	assert_int_equal(drill_end(s->in, id, "bob", "enough", NOW_MS + 7000, &s->r), DRILL_OK);
	expect_override(
	        "ended", overrides_find(intent_overrides(s->in), id),
	        BEGUN
	        ",'until_ms':1790000007000,'generation':3665920004096000,'prior':3665919989760000,'ended':true,'principal':'token:ci'}");
	expect_override(
	        "in the answer", &s->r.override,
	        BEGUN
	        ",'until_ms':1790000007000,'generation':3665920004096000,'prior':3665919989760000,'ended':true,'principal':'token:ci'}");
	r.service = "web";
	intent_for(s->in, NULL, NULL);
	assert_int_equal(drill_begin(s->in, &r, NOW_MS + 8000, &s->r), DRILL_OK);
	expect_override(
	        "of one service, by the node itself", &s->r.override,
	        "{'id':'x','kind':'drill','target':'site','name':'ams','service':'web','clients':'198.51.100.0/24',"
	        "'created_ms':1790000008000,'from_ms':1790000008000,'until_ms':1790000600000,'generation':3665920006144000,"
	        "'author':'ann','reason':'why','node':'ams-1','principal':'weir','own_vips':'announced','shared_vips':'announced'}");
}

static void each_refusal_names_its_field_and_says_why(void **state)
{
	static const struct {
		const char *site, *service, *clients;
		int64_t lasts_ms;
		enum drill_outcome outcome;
		const char *field, *text;
	} cases[] = {
		{ "lon", NULL, "198.51.100.0/24", 60000, DRILL_UNKNOWN, "site",
		  "there is no site lon" },
		{ "ams", NULL, "198.51.100.0/24", 0, DRILL_INVALID, "until", "is in the past" },
		{ "ams", NULL, "198.51.100.0/24", 1, DRILL_INVALID, "until",
		  "is less than 10 s from now: a drill takes 2 s to begin" },
		{ "ams", NULL, "198.51.100.0/24", MOST_MS + 1, DRILL_INVALID, "until",
		  "is more than 1 h from now: a drill ends by itself" },
		{ "ams", NULL, "198.0.0.0/7", 60000, DRILL_INVALID, "clients",
		  "is wider than /8: a drill concerns some clients" },
		{ "ams", NULL, "2001:c00::/23", 60000, DRILL_INVALID, "clients",
		  "is wider than /24: a drill concerns some clients" },
		{ "ams", NULL, "127.1.0.0/16", 60000, DRILL_INVALID, "clients",
		  "has addresses that no client has" },
		{ "ams", "mail", "198.51.100.0/24", 60000, DRILL_UNKNOWN, "service",
		  "there is no service mail" },
		{ "fra", "web", "198.51.100.0/24", 60000, DRILL_REFUSED, NULL,
		  "site fra has no backup pool for service web (TCP): set "
		  "services[].at[].backup" },
		{ "fra", NULL, "198.51.100.0/24", 60000, DRILL_REFUSED, NULL,
		  "site fra has no backup pool for any service (TCP): set "
		  "services[].at[].backup" },
		{ "ams", NULL, "2001:db8:c::/48", 60000, DRILL_INVALID, "clients",
		  "is IPv6, but no VIP there of a service with a backup has an IPv6 address" },
		{ "ams", NULL, "198.51.100.0/24", 60000, DRILL_OK, NULL, "" },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct drill_request r = { .site = cases[i].site,
			                   .service = cases[i].service,
			                   .until_ms = NOW_MS + cases[i].lasts_ms,
			                   .author = "ann",
			                   .reason = "" };

		if (prefix_parse(cases[i].clients, &r.clients))
			fail_msg("%s", cases[i].clients);
		assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), cases[i].outcome);
		assert_string_equal(s->r.text, cases[i].text);
		assert_string_equal(s->r.field ? s->r.field : "",
		                    cases[i].field ? cases[i].field : "");
		assert_int_equal(*s->r.override.id != '\0', cases[i].outcome == DRILL_OK);
	}
	assert_int_equal(intent_overrides(s->in)->n_items, 0);
}

/* The first and the last of each range that no client has, and what is beside it. */
static void addresses_of_no_client_are_refused(void **state)
{
	static const char *const of_none[] = {
		"0.0.0.0/24",     "0.255.255.0/24",   "127.0.0.0/24", "127.255.255.0/24",
		"169.254.0.0/24", "169.254.255.0/24", "224.0.0.0/24", "255.255.255.255/32",
		"::/24",          "0:ffff::/32",      "fe80::/24",    "febf:ff00::/24",
		"ff00::/24",      "ffff:ff00::/24",
	};
	static const char *const of_clients[] = { "1.0.0.0/24",     "126.255.255.0/24",
		                                  "128.0.0.0/24",   "169.253.255.0/24",
		                                  "169.255.0.0/24", "223.255.255.0/24" };
	static const char *const of_clients6[] = { "1::/24", "fe7f:ff00::/24", "fec0::/24",
		                                   "feff:ff00::/24" };
	struct scene *s = *state;

	for (size_t i = 0; i < COUNT(of_none); i++) {
		struct drill_request r = make_request(of_none[i]);

		print_message("  %s\n", of_none[i]);
		assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), DRILL_INVALID);
		assert_string_equal(s->r.text, "has addresses that no client has");
	}
	for (size_t i = 0; i < COUNT(of_clients); i++) {
		struct drill_request r = make_request(of_clients[i]);

		print_message("  %s\n", of_clients[i]);
		assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), DRILL_OK);
	}
	for (size_t i = 0; i < COUNT(of_clients6); i++) {
		struct drill_request r = make_request(of_clients6[i]);

		print_message("  %s\n", of_clients6[i]);
		assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), DRILL_INVALID);
		assert_non_null(strstr(s->r.text, "no VIP there"));
	}
}

static struct override make_other(const char *id, enum model_override_kind kind, const char *site,
                                  int64_t until_ms)
{
	struct override o = { .kind = kind,
		              .target = MODEL_TARGET_SITE,
		              .generation = 1,
		              .created_ms = NOW_MS,
		              .from_ms = NOW_MS,
		              .until_ms = until_ms };

	snprintf(o.id, sizeof(o.id), "%s", id);
	snprintf(o.name, sizeof(o.name), "%s", site);
	if (kind == MODEL_OVERRIDE_DRILL)
		assert_int_equal(prefix_parse("198.51.100.128/25", &o.clients), 0);
	return o;
}

/* Of those that are in force, only drills of this site. */
static void what_is_in_the_way_of_a_drill(void **state)
{
	static const struct {
		const char *why;
		enum model_override_kind kind;
		const char *site;
		int64_t until_ms;
		const char *text;
	} cases[] = {
		{ "a drain of the site", MODEL_OVERRIDE_DRAIN, "ams", MODEL_TIME_NEVER, "" },
		{ "a drill of another site", MODEL_OVERRIDE_DRILL, "fra", NOW_MS + 60000, "" },
		{ "one that was over", MODEL_OVERRIDE_DRILL, "ams", NOW_MS + 1000, "" },
		{ "one that runs", MODEL_OVERRIDE_DRILL, "ams", NOW_MS + 1001,
		  "drill n-3 of site ams has clients 198.51.100.128/25 already" },
	};
	struct scene *s = *state;

	for (int i = 0; i < MOST; i++) {
		char id[8];

		snprintf(id, sizeof(id), "d-%d", i);
		const struct override o =
		        make_other(id, MODEL_OVERRIDE_DISABLE, "ams", MODEL_TIME_NEVER);

		assert_int_equal(intent_merge(s->in, &o, 1, NOW_MS), 1);
	}
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct drill_request r = make_request("198.51.100.0/24");
		char id[8];

		snprintf(id, sizeof(id), "n-%zu", i);
		const struct override o =
		        make_other(id, cases[i].kind, cases[i].site, cases[i].until_ms);

		assert_int_equal(intent_merge(s->in, &o, 1, NOW_MS), 1);
		enum drill_outcome outcome = drill_check(s->in, &r, NOW_MS + 1000, &s->r);

		if (outcome != (*cases[i].text ? DRILL_REFUSED : DRILL_OK) ||
		    strcmp(s->r.text, cases[i].text) != 0)
			fail_msg("%s: %s", cases[i].why, s->r.text);
	}
}

static void a_node_begins_no_drill_beyond_its_limit(void **state)
{
	struct scene *s = *state;
	static struct override list[OVERRIDES_LIVE_MAX];
	char id[MODEL_ID_MAX];

	for (uint32_t i = 0; i < OVERRIDES_LIVE_MAX; i++) {
		snprintf(id, sizeof(id), "n-%u", i);
		list[i] = make_other(id, MODEL_OVERRIDE_DRAIN, "fra", MODEL_TIME_NEVER);
	}
	assert_int_equal(intent_merge(s->in, list, OVERRIDES_LIVE_MAX - 1, NOW_MS),
	                 OVERRIDES_LIVE_MAX - 1);
	assert_int_equal(begin_drill(s, "198.51.100.0/24"), DRILL_OK);
	assert_int_equal(begin_drill(s, "203.0.113.0/24"), DRILL_TOO_MANY);
	assert_string_equal(s->r.text,
	                    "1024 overrides are in force already: end some of them first");
	assert_null(s->r.field);
}

/* A drill follows connections, and UDP has none. */
static void a_service_of_udp_has_no_drill(void **state)
{
	static const struct {
		const char *service;
		enum drill_outcome outcome;
		const char *text;
	} cases[] = {
		{ "web", DRILL_OK, "" },
		{ NULL, DRILL_OK, "" }, /* of all, one is TCP */
		{ "voice", DRILL_REFUSED,
		  "site ams has no backup pool for service voice (TCP): set "
		  "services[].at[].backup" },
	};
	struct scene *s = *state;
	struct drill_request r = make_request("198.51.100.0/24");

	for (size_t i = 0; i < COUNT(cases); i++) {
		r.service = cases[i].service;
		assert_int_equal(drill_check(s->in, &r, NOW_MS, &s->r), cases[i].outcome);
		assert_string_equal(s->r.text, cases[i].text);
		assert_null(s->r.field);
	}
}

static void drills_do_not_overlap_and_are_four_at_most(void **state)
{
	struct scene *s = *state;
	char clients[32];

	assert_int_equal(begin_drill(s, "198.51.100.0/24"), DRILL_OK);
	assert_int_equal(begin_drill(s, "198.51.100.128/25"), DRILL_REFUSED);
	assert_int_equal(begin_drill(s, "198.51.0.0/16"), DRILL_REFUSED);
	for (int i = 1; i < MOST; i++) {
		snprintf(clients, sizeof(clients), "203.0.%d.0/24", i);
		assert_int_equal(begin_drill(s, clients), DRILL_OK);
	}
	assert_int_equal(begin_drill(s, "203.0.99.0/24"), DRILL_REFUSED);
	const struct drill_request r = { .site = "ams",
		                         .clients = make_request("203.0.99.0/24").clients,
		                         .until_ms = NOW_MS + 1200000,
		                         .author = "ann",
		                         .reason = "" };
	assert_int_equal(drill_begin(s->in, &r, NOW_MS + 600000, &s->r), DRILL_OK); /* all over */
}

static void a_drill_that_is_ended_twice_is_over(void **state)
{
	struct scene *s = *state;
	char id[MODEL_ID_MAX];

	assert_int_equal(drill_end(s->in, "nothing", "ann", "", NOW_MS, &s->r), DRILL_UNKNOWN);
	assert_int_equal(begin_drill(s, "198.51.100.0/24"), DRILL_OK);
	snprintf(id, sizeof(id), "%s", s->r.override.id);
	assert_int_equal(drill_end(s->in, id, "ann", "", NOW_MS + 5000, &s->r), DRILL_OK);
	const struct override *o = overrides_find(intent_overrides(s->in), id);
	assert_true(o->ended && o->until_ms == NOW_MS + 5000);
	assert_true(o->generation == (uint64_t)(NOW_MS + 5000) << 11 && o->prior);
	assert_noted(s, id,
	             "drill of the backups of ams with clients 198.51.100.0/24 begun by ann");
	assert_noted(s, id,
	             "drill of the backups of ams with clients 198.51.100.0/24 ended by ann");
	assert_int_equal(drill_end(s->in, id, "ann", "", NOW_MS + 6000, &s->r), DRILL_OVER);
	assert_int_equal(begin_drill(s, "198.51.100.0/24"), DRILL_OK);
	snprintf(id, sizeof(id), "%s", s->r.override.id);
	assert_int_equal(drill_end(s->in, id, "ann", "", NOW_MS + 600000, &s->r), DRILL_OVER);
	assert_false(overrides_find(intent_overrides(s->in), id)->ended); /* by itself */
}

static void what_flows_show(void **state)
{
	static const struct {
		const char *why;
		struct drill_flows flows;
		bool all, over;
		enum drill_verdict verdict;
	} cases[] = {
		{ "no flow came", { 0, 0, 0, 0 }, true, true, DRILL_NO_CLIENTS },
		{ "all stayed", { 0, 0, 0, 9 }, true, true, DRILL_NO_CLIENTS },
		{ "a node is silent", { 0, 0, 0, 0 }, false, true, DRILL_NOT_KNOWN },
		{ "just begun", { 3, 0, 0, 0 }, true, false, DRILL_NOT_KNOWN },
		{ "silent, and its SYN came again", { 3, 1, 0, 0 }, true, false, DRILL_NOT_PROVED },
		{ "silent to the end", { 3, 0, 0, 0 }, true, true, DRILL_NOT_PROVED },
		{ "all went on", { 3, 0, 3, 0 }, true, false, DRILL_PROVED },
		{ "proved by those that say so", { 3, 0, 3, 0 }, false, false, DRILL_PROVED },
		{ "two of three silent", { 3, 0, 1, 0 }, true, true, DRILL_PROVED },
		{ "three of four silent", { 4, 0, 1, 0 }, true, true, DRILL_NOT_PROVED },
		{ "a tenth silent", { 100, 5, 90, 0 }, true, true, DRILL_PROVED },
		{ "more than a tenth", { 100, 5, 89, 0 }, true, true, DRILL_NOT_PROVED },
		{ "counters that were read apart", { 5, 0, 6, 0 }, true, true, DRILL_PROVED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if (drill_judge(&cases[i].flows, cases[i].all, cases[i].over) != cases[i].verdict)
			fail_msg("%s", cases[i].why);
}

SUITE(drill)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_drill_is_an_override_with_an_end),
		TEST(prefixes_that_no_drill_may_have_are_refused),
		TEST(a_drill_lasts_from_ten_seconds_to_an_hour),
		TEST(sites_and_services_that_have_no_backup_are_refused),
		TEST(a_service_of_udp_has_no_drill),
		TEST(a_drill_is_signed_when_it_begins_and_when_it_ends),
		TEST(each_refusal_names_its_field_and_says_why),
		TEST(addresses_of_no_client_are_refused),
		TEST(what_is_in_the_way_of_a_drill),
		TEST(a_node_begins_no_drill_beyond_its_limit),
		TEST(drills_do_not_overlap_and_are_four_at_most),
		TEST(a_drill_that_is_ended_twice_is_over),
		cmocka_unit_test(what_flows_show),
	};

	return cmocka_run_group_tests_name("drill", tests, NULL, NULL);
}
