/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture_model.h"

#include "mgmt/overrides/guard.h"
#include "tests/unit/suite.h"
#include "weir/health.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct fixture place;
static struct model *m;
static struct health_page *page;

static int setup(void **state)
{
	struct files files;

	(void)state;
	fixture_make(&place);
	/* par is in no service */
	files = fixture_files("new_flows = \"1k/s\"; }; },\n",
	                      "bits = \"1Mbit\"; }; }, { name = \"par\"; weight = 100; },\n");
	const char *second = "new_flows = \"1k/s\"";
	char *at = strstr(files.items[1].bytes, second);
	assert_non_null(at);
	memcpy(at, "bits = \"1Mbit\"    ", strlen(second));
	m = fixture_model(&place, &files, "ams-1");
	page = calloc(1, sizeof(*page));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(page);
	model_free(m);
	fixture_remove(&place);
	return 0;
}

static struct override of_site(const char *site, enum model_override_kind kind)
{
	struct override o = { .kind = kind,
		              .target = MODEL_TARGET_SITE,
		              .generation = 1,
		              .from_ms = NOW_MS - 1000,
		              .until_ms = MODEL_TIME_NEVER };

	snprintf(o.id, sizeof(o.id), "n-%s", site);
	snprintf(o.name, sizeof(o.name), "%s", site);
	return o;
}

static struct override of_backend(const char *pool, const char *name)
{
	struct override o = of_site(name, MODEL_OVERRIDE_DRAIN);

	o.target = MODEL_TARGET_BACKEND;
	snprintf(o.pool, sizeof(o.pool), "%s", pool);
	return o;
}

/* Whether @p guard lets the target go. */
static bool guard_allows(const char *guard, const struct overrides *set,
                         const struct override *target, const struct guard_observed *seen,
                         struct guard_receiver *receivers, size_t *n)
{
	struct guard_result r = { .receivers = receivers, .max_receivers = 8 };

	assert_int_equal(guard_check(m, set, target, seen, NOW_MS, &r), 0);
	*n = r.n_receivers;
	for (size_t i = 0; i < r.n_verdicts; i++)
		if (!strcmp(r.verdicts[i].guard, guard)) {
			print_message("  %s\n", r.verdicts[i].detail);
			return r.verdicts[i].ok;
		}
	fail_msg("no verdict of %s", guard);
	return false;
}

static void the_last_site_that_takes_traffic_stays(void **state)
{
	(void)state;
	struct override fra = of_site("fra", MODEL_OVERRIDE_DRAIN),
	                ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 }, set = { .items = &fra, .n_items = 1 };
	struct guard_receiver receivers[8];
	struct guard_observed nothing = { 0 };
	size_t n;

	assert_true(guard_allows("last-site", &none, &ams, &nothing, receivers, &n));
	assert_int_equal(n, 1);
	assert_string_equal(receivers[0].name, "fra");
	assert_int_equal(receivers[0].before_ppm, 500000);
	assert_int_equal(receivers[0].after_ppm, 1000000);
	assert_false(guard_allows("last-site", &set, &ams, &nothing, receivers, &n));
	fra.from_ms = NOW_MS + 50000; /* scheduled counts as well */
	assert_false(guard_allows("last-site", &set, &ams, &nothing, receivers, &n));
	fra.from_ms = NOW_MS - 50000;
	fra.until_ms = NOW_MS - 1; /* returning does not */
	fra.over_ms = 100000;
	assert_true(guard_allows("last-site", &set, &ams, &nothing, receivers, &n));
}

/* Its answers are the same with and without the site: routers choose. */
static void a_vip_of_several_sites_is_told_not_to_move(void **state)
{
	(void)state;
	const struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	const struct overrides none = { 0 };
	const struct guard_observed nothing = { 0 };
	struct guard_receiver receivers[8];
	struct guard_result r = { .receivers = receivers, .max_receivers = 8 };
	const struct model_service *s = model_service(m, "web");
	const struct model_site *const both[] = { &m->sites[0], &m->sites[1] };

	for (size_t i = 0; i < s->n_at; i++) {
		struct model_vip *vip = (struct model_vip *)(uintptr_t)s->at[i].vip, was = *vip;

		vip->sites = both;
		vip->n_sites = 2;
		assert_int_equal(guard_check(m, &none, &ams, &nothing, NOW_MS, &r), 0);
		*vip = was;
		assert_string_equal(r.verdicts[0].guard, "last-site");
		assert_true(r.verdicts[0].ok);
		assert_int_equal(strstr(r.verdicts[0].detail, "DNS cannot move 1 of these") != NULL,
		                 !strcmp(s->at[i].site->name, "ams"));
	}
}

static void a_site_seen_down_is_no_receiver_and_one_not_seen_is(void **state)
{
	(void)state;
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct guard_observed seen = { .health = page };
	const uint64_t target = health_target_service("web", "fra", true);
	size_t n;

	assert_int_equal(health_set_targets(page, &target, 1, 1), 0);
	assert_true(guard_allows("last-site", &none, &ams, &seen, receivers, &n));
	health_write(page, health_find_index(page, target),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1));
	assert_false(guard_allows("last-site", &none, &ams, &seen, receivers, &n));
	assert_int_equal(n, 0);
	health_write(page, health_find_index(page, target),
	             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
	assert_true(guard_allows("last-site", &none, &ams, &seen, receivers, &n));
	assert_int_equal(n, 1);
}

/* What a dead backend does not take, the others do; one that nobody has seen counts as it is meant. */
static void a_backend_seen_down_takes_no_part_of_the_flows(void **state)
{
	(void)state;
	const struct override b1 = of_backend("web-ams", "b1");
	const struct overrides none = { 0 };
	struct model_pool *pool = (struct model_pool *)(uintptr_t)model_pool(m, "web-ams");
	struct model_backend three[3];
	const struct model_pool was = *pool;
	uint64_t target;
	struct guard_receiver receivers[8];
	struct guard_observed seen = { .health = page };
	size_t n;

	assert_int_equal(pool->n_backends, 2);
	memcpy(three, pool->backends, 2 * sizeof(three[0]));
	three[2] = three[1];
	three[2].name = "b3";
	three[2].id = three[1].id + 1;
	pool->backends = three;
	pool->n_backends = 3;
	target = health_target_backend("web-ams", three[2].id);
	assert_int_equal(health_set_targets(page, &target, 1, 1), 0);
	for (int turn = 0; turn < 2; turn++) { /* it dies again after its return */
		health_write(page, health_find_index(page, target),
		             health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1));
		assert_true(guard_allows("last-backend", &none, &b1, &seen, receivers, &n));
		assert_int_equal(n, 2);
		assert_int_equal(receivers[0].before_ppm, 333333);
		assert_int_equal(receivers[0].after_ppm, 500000);
		health_write(page, health_find_index(page, target),
		             health_make(HEALTH_DOWN, 0, HEALTH_REASON_TIMEOUT, 1));
		assert_true(guard_allows("last-backend", &none, &b1, &seen, receivers, &n));
		assert_int_equal(n, 1);
		assert_string_equal(receivers[0].name, "b2");
		assert_int_equal(receivers[0].before_ppm, 500000);
		assert_int_equal(receivers[0].after_ppm, 1000000);
	}
	*pool = was;
}

/* One that is down in one address family still takes the other's traffic. */
static void a_site_is_down_in_all_families_or_takes_traffic(void **state)
{
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct guard_observed seen = { .health = page };
	const uint64_t targets[2] = { health_target_service("web", "fra", true),
		                      health_target_service("web", "fra", false) };
	struct model_vip *vip = NULL, was;
	struct addr both[2];
	size_t n;

	(void)state;
	assert_int_equal(addr_parse("198.51.100.10", &both[0]), 0);
	assert_int_equal(addr_parse("2001:db8::10", &both[1]), 0);
	for (size_t i = 0; i < m->services[0].n_at; i++)
		if (!strcmp(m->services[0].at[i].site->name, "fra"))
			vip = (struct model_vip *)(uintptr_t)m->services[0].at[i].vip;
	assert_non_null(vip);
	was = *vip;
	vip->addresses = both;
	vip->n_addresses = 2;
	assert_int_equal(health_set_targets(page, targets, 2, 1), 0);
	for (unsigned down = 0; down < 4; down++) {
		for (unsigned k = 0; k < 2; k++)
			health_write(page, health_find_index(page, targets[k]),
			             health_make(down >> k & 1 ? HEALTH_DOWN : HEALTH_UP, 0,
			                         HEALTH_REASON_OK, 1));
		assert_int_equal(guard_allows("last-site", &none, &ams, &seen, receivers, &n),
		                 down != 3);
	}
	*vip = was;
}

static void receivers_must_have_room_where_their_load_is_known(void **state)
{
	(void)state;
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct guard_rate loads[] = { { .site = "ams", .per_s = 400000 },
		                      { .site = "fra", .per_s = 400000 } };
	struct guard_observed seen = { .loads = loads, .n_loads = 2 },
	                      half = { .loads = loads, .n_loads = 1 };
	size_t n;

	assert_true(guard_allows("room", &none, &ams, &seen, receivers, &n));
	assert_int_equal(receivers[0].after_bits, 800000);
	loads[1].per_s = 300000;
	assert_true(guard_allows("room", &none, &ams, &seen, receivers, &n));
	assert_int_equal(receivers[0].before_bits, 300000);
	assert_int_equal(receivers[0].after_bits, 700000);
	assert_true(receivers[0].known);
	loads[1].per_s = 400000;
	loads[0].per_s = 500000; /* 900,000 of 1,000,000 */
	assert_false(guard_allows("room", &none, &ams, &seen, receivers, &n));
	assert_true(guard_allows("room", &none, &ams, &half, receivers, &n));
	assert_false(receivers[0].known);
}

/* What some of a site's nodes carry is no room; but more than fits is too much, whatever the others carry. */
static void a_part_of_a_load_says_that_it_is_unknown_or_too_much(void **state)
{
	static const struct {
		uint64_t ams, fra;
		bool ams_part, fra_part;
		const char *too_much; /* NULL: unknown */
	} rows[] = {
		{ 1, 1, true, false, NULL },
		{ 1, 1, false, true, NULL },
		{ 850, 0, true, true, NULL },
		{ 851, 0, false, true, "at least 851" },
		{ 851, 0, true, false, "at least 851" },
		{ 851, 0, false, false, "851" },
	};
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct model_site *fra = (struct model_site *)(uintptr_t)model_site(m, "fra");
	const uint64_t flows = fra->capacity_flows, bits = fra->capacity_bits;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		const size_t k = i / 2;
		const struct guard_rate rates[] = {
			{ .site = "ams", .per_s = rows[k].ams, .is_part = rows[k].ams_part },
			{ .site = "fra", .per_s = rows[k].fra, .is_part = rows[k].fra_part }
		};
		struct guard_observed seen = { .loads = rates, .n_loads = 2 };
		struct guard_result r = { .receivers = receivers, .max_receivers = 8 };
		char detail[128] = "load of 1 of 1 receiving sites is unknown";

		fra->capacity_bits = i % 2 ? 1000 : 0;
		fra->capacity_flows = i % 2 ? 0 : 1000;
		if (i % 2 == 0)
			seen = (struct guard_observed){ .flows = rates, .n_flows = 2 };
		assert_int_equal(guard_check(m, &none, &ams, &seen, NOW_MS, &r), 0);
		if (rows[k].too_much)
			snprintf(detail, sizeof(detail),
			         "site fra would have %s %s, more than 85 %% of its capacity of "
			         "1000",
			         rows[k].too_much, i % 2 ? "bits/s" : "new flows/s");
		assert_string_equal(r.verdicts[1].guard, "room");
		assert_string_equal(r.verdicts[1].detail, detail);
		assert_int_equal(r.verdicts[1].ok, !rows[k].too_much);
		assert_int_equal(r.verdicts[1].unknown, !rows[k].too_much);
	}
	fra->capacity_flows = flows;
	fra->capacity_bits = bits;
}

static void a_pool_keeps_a_backend_that_takes_flows(void **state)
{
	(void)state;
	struct override b1 = of_backend("web-ams", "b1"), b2 = of_backend("web-ams", "b2");
	struct override last = of_backend("web-fra", "b1");
	struct overrides none = { 0 }, set = { .items = &b1, .n_items = 1 };
	struct guard_receiver receivers[8];
	struct guard_observed seen = { .health = page };
	const uint64_t target = health_target_backend("web-ams", m->pools[0].backends[1].id);
	size_t n;

	assert_true(guard_allows("last-backend", &none, &b1, &seen, receivers, &n));
	assert_int_equal(n, 1);
	assert_string_equal(receivers[0].name, "b2");
	assert_false(guard_allows("last-backend", &set, &b2, &seen, receivers, &n));
	assert_true(guard_allows("last-backend", &set, &b1, &seen, receivers, &n)); /* once more */
	assert_int_equal(receivers[0].before_ppm, 500000); /* of it as it was */
	assert_false(guard_allows("last-backend", &none, &last, &seen, receivers, &n));
	assert_int_equal(health_set_targets(page, &target, 1, 1), 0);
	health_write(page, health_find_index(page, target),
	             health_make(HEALTH_DOWN, 0, HEALTH_REASON_REFUSED, 1));
	assert_false(guard_allows("last-backend", &none, &b1, &seen, receivers, &n));
}

/* Exactly 85 % is room, and a bit more is none. */
static void the_room_ends_at_its_limit(void **state)
{
	(void)state;
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct guard_rate loads[] = { { .site = "ams", .per_s = 425000 },
		                      { .site = "fra", .per_s = 425000 } };
	struct guard_observed seen = { .loads = loads, .n_loads = 2 };
	size_t n;

	assert_true(guard_allows("room", &none, &ams, &seen, receivers, &n));
	loads[0].per_s++;
	assert_false(guard_allows("room", &none, &ams, &seen, receivers, &n));
}

/* Where 1,000 new flows a second are stated, 850 are room. */
static void new_flows_have_their_room_too(void **state)
{
	static const struct {
		uint64_t ams, fra;
		bool known, ok;
		const char *why;
	} rows[] = {
		{ 425, 425, true, true, "850 of 1,000" },
		{ 425, 426, true, false, "851 of 1,000" },
		{ UINT64_MAX / 2, 1, true, false, "more than fits" },
		{ 425, 426, false, true, "not known: it says so, and does not refuse" },
	};
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct guard_rate loads[] = { { .site = "ams", .per_s = 4 },
		                      { .site = "fra", .per_s = 4 } };
	struct model_site *fra = (struct model_site *)(uintptr_t)model_site(m, "fra");
	const uint64_t was = fra->capacity_flows;

	(void)state;
	fra->capacity_flows = 1000;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct guard_rate flows[] = { { .site = "ams", .per_s = rows[i].ams },
			                            { .site = "fra", .per_s = rows[i].fra } };
		struct guard_observed seen = { .loads = loads,
			                       .n_loads = 2,
			                       .flows = flows,
			                       .n_flows = rows[i].known ? 2 : 1 };
		struct guard_result r = { .receivers = receivers, .max_receivers = 8 };
		const struct guard_verdict *room = NULL;

		assert_int_equal(guard_check(m, &none, &ams, &seen, NOW_MS, &r), 0);
		for (size_t k = 0; k < r.n_verdicts; k++)
			if (!strcmp(r.verdicts[k].guard, "room"))
				room = &r.verdicts[k];
		assert_non_null(room);
		if (room->ok != rows[i].ok || room->unknown == rows[i].known)
			fail_msg("%s: %s", rows[i].why, room->detail);
	}
	fra->capacity_flows = was;
}

static void without_a_stated_capacity_nothing_is_checked(void **state)
{
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct model_site *sites = (struct model_site *)(uintptr_t)m->sites;
	const uint64_t flows = sites[1].capacity_flows, bits = sites[1].capacity_bits;
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct guard_result r = { .receivers = receivers, .max_receivers = 8 };
	struct guard_observed seen = { .n_loads = 0 };
	bool found = false;

	(void)state;
	sites[1].capacity_flows = sites[1].capacity_bits = 0;
	assert_int_equal(guard_check(m, &none, &ams, &seen, NOW_MS, &r), 0);
	sites[1].capacity_flows = flows;
	sites[1].capacity_bits = bits;
	for (size_t k = 0; k < r.n_verdicts; k++)
		found |= r.verdicts[k].ok && r.verdicts[k].unknown &&
		         strstr(r.verdicts[k].detail, "not checked: no receiving site");
	assert_true(found);
}

static void what_takes_out_is_a_drain_or_a_disable_until_its_end(void **state)
{
	static const struct {
		enum model_override_kind kind;
		int64_t until_ms;
		bool out;
		const char *why;
	} rows[] = {
		{ MODEL_OVERRIDE_DRAIN, NOW_MS + 1, true, "a drain" },
		{ MODEL_OVERRIDE_DRAIN, NOW_MS, false, "a drain whose return begins" },
		{ MODEL_OVERRIDE_DISABLE, MODEL_TIME_NEVER, true, "a disable" },
		{ MODEL_OVERRIDE_FORCE_UP, MODEL_TIME_NEVER, false, "one that is forced up" },
		{ MODEL_OVERRIDE_HOLD, MODEL_TIME_NEVER, false, "a hold" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct override fra = of_site("fra", rows[i].kind);

		fra.until_ms = rows[i].until_ms;
		fra.over_ms = 100000;
		if (guard_removes_target(&fra, NOW_MS) != rows[i].out)
			fail_msg("%s", rows[i].why);
	}
}

/* Half a drain leaves half of the site's clients; what is no drain takes nothing. */
static void receivers_have_what_their_drains_leave(void **state)
{
	(void)state;
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN),
	                fra = of_site("fra", MODEL_OVERRIDE_DRAIN);
	struct overrides set = { .items = &fra, .n_items = 1 };
	struct guard_receiver receivers[8];
	struct guard_observed nothing = { 0 };
	size_t n;

	fra.from_ms = NOW_MS - 50000;
	fra.over_ms = 100000;
	assert_false(guard_allows("last-site", &set, &ams, &nothing, receivers, &n));
	assert_int_equal(n, 1); /* par serves nothing that ams does */
	assert_int_equal(receivers[0].before_ppm, 250000);
	assert_int_equal(receivers[0].after_ppm, 1000000);
	fra.kind = MODEL_OVERRIDE_FORCE_UP;
	assert_true(guard_allows("last-site", &set, &ams, &nothing, receivers, &n));
	assert_int_equal(receivers[0].before_ppm, 500000);
}

/*
 * The clients of a site go where DNS sends them: to those without weight if there are no others, to the next in order, by
 * the service's own weights; and back to what is drained, if nothing else is up.
 */
static void receivers_are_whom_dns_chooses(void **state)
{
	static const struct {
		const char *why;
		enum model_policy policy;
		uint32_t ams, fra, par;            /* weights at the service */
		int64_t fra_drained, par_disabled; /* ppm; 1: it is */
		bool fra_down;
		uint32_t after[2]; /* of fra and par */
	} rows[] = {
		{ "a standby", 0, 100, 0, 0, 1000000, 1, false, { 1000000, 0 } },
		{ "two standbys", 0, 100, 0, 0, 0, 0, false, { 500000, 500000 } },
		{ "a standby beside weight", 0, 100, 0, 50, 0, 0, false, { 0, 1000000 } },
		{ "by the service's weights", 0, 100, 300, 100, 0, 0, false, { 750000, 250000 } },
		{ "in order", MODEL_POLICY_FAILOVER, 0, 0, 100, 0, 0, false, { 1000000, 0 } },
		{ "in order, the next one down", 1, 100, 1, 1, 0, 0, true, { 0, 1000000 } },
		{ "drained by half", 0, 0, 100, 100, 500000, 0, false, { 250000, 750000 } },
		{ "drained, and the others out", 0, 100, 1, 1, 1000000, 1, false, { 1000000, 0 } },
		{ "drained, and the other down", 0, 1, 9, 9, 0, 1, true, { 0, 0 } },
	};
	struct model_service *web = (struct model_service *)(uintptr_t)model_service(m, "web");
	struct model_dns_name *name = (struct model_dns_name *)(uintptr_t)&m->dns_names[0];
	const struct model_service was = *web;
	const uint64_t target = health_target_service("web", "fra", true);
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);

	(void)state;
	assert_ptr_equal(name->service, web);
	assert_int_equal(health_set_targets(page, &target, 1, 1), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct override gone[2] = { of_site("fra", MODEL_OVERRIDE_DRAIN),
			                    of_site("par", MODEL_OVERRIDE_DISABLE) };
		struct overrides set = { .items = gone, .n_items = 2 };
		struct guard_receiver receivers[8];
		struct guard_result r = { .receivers = receivers, .max_receivers = 8 };
		struct guard_rate loads[] = { { .site = "ams", .per_s = 1000000 },
			                      { .site = "fra" },
			                      { .site = "par" } };
		struct guard_observed seen = { .health = page, .loads = loads, .n_loads = 3 };
		struct model_at at[3] = { was.at[0], was.at[1], was.at[1] };
		uint32_t after[2] = { 0, 0 };

		print_message("  %s\n", rows[i].why);
		name->policy = rows[i].policy;
		at[0].weight = rows[i].ams;
		at[1].weight = rows[i].fra;
		at[2].weight = rows[i].par;
		at[2].site = model_site(m, "par");
		web->at = at;
		web->n_at = 3;
		gone[0].is_step = true;
		gone[0].from_ppm = gone[0].to_ppm = (uint32_t)rows[i].fra_drained;
		if (!rows[i].par_disabled)
			gone[1].until_ms = NOW_MS - 1;
		health_write(page, health_find_index(page, target),
		             health_make(rows[i].fra_down ? HEALTH_DOWN : HEALTH_UP, 0,
		                         HEALTH_REASON_OK, 1));
		assert_int_equal(guard_check(m, &set, &ams, &seen, NOW_MS, &r), 0);
		for (size_t k = 0; k < r.n_receivers; k++) {
			assert_string_not_equal(receivers[k].name, "ams");
			after[!strcmp(receivers[k].name, "par")] = receivers[k].after_ppm;
		}
		assert_int_equal(after[0], rows[i].after[0]);
		assert_int_equal(after[1], rows[i].after[1]);
		/* all of it is more than the 85 % of fra, which has room for as much as leaves */
		assert_string_equal(r.verdicts[1].guard, "room");
		assert_int_equal(r.verdicts[1].ok, after[0] <= 850000);
		assert_int_equal(r.verdicts[1].unknown, !after[0]);
	}
	*web = was;
	name->policy = MODEL_POLICY_WEIGHTED;
}

/* No name counts more than another, and a service without names does not count beside one with. */
static void each_name_of_the_site_counts_alike(void **state)
{
	struct model *all = (struct model *)(uintptr_t)m;
	const struct model_dns_name *was = m->dns_names;
	const size_t n_was = m->n_dns_names;
	struct model_dns_name names[3] = { was[0], was[0], was[0] };
	struct model_service *web = (struct model_service *)(uintptr_t)model_service(m, "web");
	const struct model_service *services = all->services;
	const size_t n_services = all->n_services;
	struct model_service both[2] = { *web, *web };
	struct model_at at[3] = { web->at[0], web->at[1], web->at[1] }, own[3];
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 };
	struct guard_observed nothing = { 0 };
	struct guard_receiver receivers[8];
	struct guard_result r = { .receivers = receivers, .max_receivers = 8 };

	(void)state;
	at[2].site = model_site(m, "par");
	memcpy(own, at, sizeof(own));
	at[2].weight = 0; /* web is not at par, the other service is only there */
	own[1].weight = 0;
	both[0].at = at;
	both[1].at = own;
	both[0].n_at = both[1].n_at = 3;
	names[0].service = names[1].service = &both[0];
	names[2].service = &both[1];
	all->services = both;
	all->n_services = 2;
	all->dns_names = names;
	all->n_dns_names = 3;
	assert_int_equal(guard_check(m, &none, &ams, &nothing, NOW_MS, &r), 0);
	assert_int_equal(r.n_receivers, 2);
	assert_string_equal(receivers[0].name, "fra");
	assert_int_equal(receivers[0].after_ppm, 666667);
	assert_int_equal(receivers[0].before_ppm, 333333);
	assert_int_equal(receivers[1].after_ppm, 333333);
	all->n_dns_names = 0; /* somebody else's DNS, of which nothing is known */
	all->n_services = 1;
	assert_int_equal(guard_check(m, &none, &ams, &nothing, NOW_MS, &r), 0);
	assert_int_equal(r.n_receivers, 1);
	assert_int_equal(receivers[0].after_ppm, 1000000);
	all->dns_names = was;
	all->n_dns_names = n_was;
	all->services = services;
	all->n_services = n_services;
}

static void no_more_receivers_are_named_than_there_is_room_for(void **state)
{
	(void)state;
	struct override b1 = of_backend("web-ams", "b1");
	struct overrides none = { 0 };
	struct guard_receiver receivers[2];
	struct guard_observed nothing = { 0 };
	struct guard_result r = { .receivers = receivers, .max_receivers = 0 };

	assert_int_equal(guard_check(m, &none, &b1, &nothing, NOW_MS, &r), 0);
	assert_int_equal(r.n_receivers, 0);
	r.max_receivers = 2;
	assert_int_equal(guard_check(m, &none, &b1, &nothing, NOW_MS, &r), 0);
	assert_int_equal(r.n_receivers, 1);
	assert_int_equal(receivers[0].before_ppm, 500000);
	assert_int_equal(receivers[0].after_ppm, 1000000);
}

/* A backend without weight takes no flows: it is no receiver, and keeps no pool alive. */
static void a_backend_without_weight_does_not_count(void **state)
{
	(void)state;
	struct override b1 = of_backend("web-ams", "b1");
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct guard_observed nothing = { 0 };
	struct model_backend *b2 =
	        (struct model_backend *)(uintptr_t)&model_pool(m, "web-ams")->backends[1];
	size_t n;

	assert_string_equal(b2->name, "b2");
	b2->weight = 0;
	assert_false(guard_allows("last-backend", &none, &b1, &nothing, receivers, &n));
	assert_int_equal(n, 0);
	b2->weight = 300;
	assert_true(guard_allows("last-backend", &none, &b1, &nothing, receivers, &n));
	assert_int_equal(receivers[0].before_ppm, 750000);
	b2->weight = 100;
}

/* A site of more weight gets more of what is left. */
static void receivers_share_by_their_weight(void **state)
{
	(void)state;
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct overrides none = { 0 };
	struct guard_receiver receivers[8];
	struct guard_observed nothing = { 0 };
	struct model_at *fra =
	        (struct model_at *)(uintptr_t)model_service_at(model_service(m, "web"), "fra");
	size_t n;

	fra->weight = 300;
	assert_true(guard_allows("last-site", &none, &ams, &nothing, receivers, &n));
	assert_int_equal(receivers[0].before_ppm, 750000);
	fra->weight = 100;
}

/*
 * What is out already gives nothing and takes nothing; another pool's backend of that name is
 * another.
 */
static void only_what_is_out_of_this_very_pool_is_left_out(void **state)
{
	(void)state;
	struct override b1 = of_backend("web-ams", "b1"), b2 = of_backend("web-fra", "b2"),
	                site = of_site("b2", MODEL_OVERRIDE_DRAIN);
	struct override list[] = { b2, site };
	struct overrides set = { .items = list, .n_items = 2 };
	struct guard_receiver receivers[8];
	struct guard_observed nothing = { 0 };
	struct guard_result r = { .receivers = receivers, .max_receivers = 8 };
	size_t n;

	assert_true(guard_allows("last-backend", &set, &b1, &nothing, receivers, &n));
	assert_int_equal(n, 1);
	snprintf(b1.pool, sizeof(b1.pool),
	         "none"); /* of a pool that is not there, nothing is said */
	assert_int_equal(guard_check(m, &set, &b1, &nothing, NOW_MS, &r), 0);
	assert_int_equal(r.n_verdicts, 0);
}

/* The highest of a site's drains counts; a hold and a backend's drain are none of the site's. */
static void the_highest_drain_of_a_site_counts(void **state)
{
	(void)state;
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct override list[] = { of_site("fra", MODEL_OVERRIDE_DRAIN),
		                   of_site("fra", MODEL_OVERRIDE_DRAIN), of_backend("p", "fra"),
		                   of_site("ams", MODEL_OVERRIDE_DRAIN) };
	struct overrides set = { .items = list, .n_items = 3 };
	struct guard_receiver receivers[8];
	struct guard_observed nothing = { 0 };
	size_t n;

	list[0].from_ms = NOW_MS - 75000;
	list[1].from_ms = NOW_MS - 25000;
	list[0].over_ms = list[1].over_ms = 100000;
	guard_allows("last-site", &set, &ams, &nothing, receivers, &n);
	assert_int_equal(receivers[0].before_ppm, 125000); /* a quarter of its half is left */
	list[0].kind = MODEL_OVERRIDE_DISABLE; /* all of it: it is no receiver any more */
	guard_allows("last-site", &set, &ams, &nothing, receivers, &n);
	assert_int_equal(n, 0);
}

/* A hold keeps what a drain that is over has taken; one of another service takes nothing here. */
static void a_hold_and_a_drain_of_the_service_count(void **state)
{
	(void)state;
	struct override ams = of_site("ams", MODEL_OVERRIDE_DRAIN);
	struct override list[] = { of_site("fra", MODEL_OVERRIDE_DRAIN),
		                   of_site("fra", MODEL_OVERRIDE_HOLD) };
	struct overrides set = { .items = list, .n_items = 2 };
	struct guard_receiver receivers[8];
	struct guard_observed nothing = { 0 };
	size_t n;

	list[0].from_ms = NOW_MS - 100000;
	list[0].over_ms = 50000;
	list[0].until_ms = NOW_MS - 10000;
	list[1].from_ms = NOW_MS - 75000; /* at half */
	guard_allows("last-site", &set, &ams, &nothing, receivers, &n);
	assert_int_equal(receivers[0].before_ppm, 250000);
	list[1].from_ms = NOW_MS - 40000; /* complete */
	assert_false(guard_allows("last-site", &set, &ams, &nothing, receivers, &n));
	list[0].ended = true;
	assert_true(guard_allows("last-site", &set, &ams, &nothing, receivers, &n));
	list[0].ended = false;
	set.n_items = 1;
	list[0].over_ms = 1000; /* over, and nothing holds it */
	guard_allows("last-site", &set, &ams, &nothing, receivers, &n);
	assert_int_equal(receivers[0].before_ppm, 500000);
	list[0].until_ms = MODEL_TIME_NEVER;
	list[0].is_step = true;
	list[0].to_ppm = MODEL_PPM_ALL;
	snprintf(list[0].service, sizeof(list[0].service), "web");
	assert_false(guard_allows("last-site", &set, &ams, &nothing, receivers, &n));
	snprintf(list[0].service, sizeof(list[0].service), "other");
	assert_true(guard_allows("last-site", &set, &ams, &nothing, receivers, &n));
	assert_int_equal(receivers[0].before_ppm, 500000);
}

/* What no health page says, as of a pool at another site, is not said to be well. */
static void backends_that_are_not_seen_are_unknown(void **state)
{
	const struct override b1 = of_backend("web-ams", "b1");
	struct model_pool *pool = (struct model_pool *)(uintptr_t)model_pool(m, "web-ams");
	const struct model_check *check = pool->check;
	uint64_t other = 7, target = health_target_backend("web-ams", pool->backends[1].id);
	const struct {
		uint64_t *on_page; /* NULL: there is no page */
		health_word word;
		bool is_checked, is_unknown, is_stale;
	} rows[] = {
		{ NULL, 0, true, true, false },
		{ &other, health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1), true, true, false },
		{ &target, 0, true, true, false },
		{ &target, health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1), true, false, false },
		{ NULL, 0, false, false, false }, /* without a check it counts as up */
		/* nobody writes the page any more */
		{ &target, health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1), true, true, true },
		{ &target, health_make(HEALTH_UP, 0, HEALTH_REASON_OK, 1), false, false, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct guard_observed seen = { .health = rows[i].on_page ? page : NULL,
			                             .health_stale = rows[i].is_stale };
		struct guard_result r = { .n_verdicts = 0 };

		if (rows[i].on_page) {
			assert_int_equal(health_set_targets(page, rows[i].on_page, 1, 1), 0);
			health_write(page, health_find_index(page, *rows[i].on_page), rows[i].word);
		}
		pool->check = rows[i].is_checked ? check : NULL;
		assert_int_equal(guard_check(m, &(struct overrides){ 0 }, &b1, &seen, NOW_MS, &r),
		                 0);
		if (!r.verdicts[0].ok || r.verdicts[0].unknown != rows[i].is_unknown)
			fail_msg("%zu: %s", i, r.verdicts[0].detail);
		assert_string_equal(
		        r.verdicts[0].detail,
		        rows[i].is_unknown
		                ? "pool web-ams keeps 1 backends: whether one is up is unknown here"
		                : "pool web-ams keeps 1 backends");
	}
	pool->check = check;
}

SUITE(guard)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_last_site_that_takes_traffic_stays),
		cmocka_unit_test(a_vip_of_several_sites_is_told_not_to_move),
		cmocka_unit_test(a_site_seen_down_is_no_receiver_and_one_not_seen_is),
		cmocka_unit_test(a_backend_seen_down_takes_no_part_of_the_flows),
		cmocka_unit_test(a_site_is_down_in_all_families_or_takes_traffic),
		cmocka_unit_test(receivers_must_have_room_where_their_load_is_known),
		cmocka_unit_test(a_part_of_a_load_says_that_it_is_unknown_or_too_much),
		cmocka_unit_test(a_pool_keeps_a_backend_that_takes_flows),
		cmocka_unit_test(the_room_ends_at_its_limit),
		cmocka_unit_test(new_flows_have_their_room_too),
		cmocka_unit_test(without_a_stated_capacity_nothing_is_checked),
		cmocka_unit_test(what_takes_out_is_a_drain_or_a_disable_until_its_end),
		cmocka_unit_test(receivers_have_what_their_drains_leave),
		cmocka_unit_test(receivers_are_whom_dns_chooses),
		cmocka_unit_test(each_name_of_the_site_counts_alike),
		cmocka_unit_test(no_more_receivers_are_named_than_there_is_room_for),
		cmocka_unit_test(a_backend_without_weight_does_not_count),
		cmocka_unit_test(receivers_share_by_their_weight),
		cmocka_unit_test(only_what_is_out_of_this_very_pool_is_left_out),
		cmocka_unit_test(the_highest_drain_of_a_site_counts),
		cmocka_unit_test(backends_that_are_not_seen_are_unknown),
		cmocka_unit_test(a_hold_and_a_drain_of_the_service_count),
	};

	return cmocka_run_group_tests_name("guard", tests, setup, teardown);
}
