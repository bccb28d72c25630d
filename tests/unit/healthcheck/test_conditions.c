/* SPDX-License-Identifier: BSD-2-Clause */
/* What weir-health states of VIPs and backends. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "healthcheck/checker.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define NOW_MS 100000u

static char dir[] = "/tmp/weir-health-conditions.XXXXXX";
static struct stats *stats;
static struct conditions all;

static int set_up(void **state)
{
	(void)state;
	return fixture_setup(state) || !mkdtemp(dir) || stats_create(dir, "health", 64, &stats);
}

static int tear_down(void **state)
{
	char command[64];

	stats_close(stats);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) || fixture_teardown(state);
}

static struct targets *make_targets(const char *vip_check)
{
	struct targets *t = NULL;

	fixture_vip(vip_check, "127.0.0.14");
	assert_int_equal(targets_new(fixture_model("type = \"tcp\";", 80, ""), &t), 0);
	fixture_vip(" vip_check = \"c\";", "127.0.0.14");
	return t;
}

static void state_all(const struct targets *t)
{
	conditions_begin(stats, 1);
	conditions_of_vips(t, stats);
	conditions_of_paths(t, stats);
	conditions_of_unheard(t, NOW_MS, stats);
	conditions_end(stats);
	assert_int_equal(conditions_read(dir, "health", &all), 0);
}

/* The one about @p subject; NULL: there is none. */
static const struct condition *find_condition(const char *code, const char *subject)
{
	for (uint32_t i = 0; i < all.n; i++)
		if (!strcmp(all.items[i].code, code) && !strcmp(all.items[i].subject, subject))
			return &all.items[i];
	return NULL;
}

static struct target *find_backend(const struct targets *t, const char *name)
{
	const struct model_pool *pool = model_pool(t->model, "web");

	return targets_find(t, health_target_backend("web", model_backend(pool, name)->id));
}

static struct pool_tally *find_tally(const struct targets *t)
{
	return &t->tallies[model_pool(t->model, "web")->index];
}

/* As a probe leaves it that nobody answered, while no control answers. */
static void leave_unheard(struct target *x, uint64_t since_ms)
{
	x->inconclusive = true;
	x->last = HEALTH_REASON_TIMEOUT;
	x->last_late = x->last_unready = false;
	x->vague_ms = since_ms;
}

static void a_backend_that_nobody_hears_is_named_after_a_second(void **state)
{
	struct targets *t = make_targets(" vip_check = \"c\";");
	struct target *b1 = find_backend(t, "b1");

	(void)state;
	*find_tally(t) = (struct pool_tally){ .n = 3, .n_vague = 1 };
	leave_unheard(b1, NOW_MS - 7000);
	leave_unheard(find_backend(t, "b2"), NOW_MS - 999); /* an accident so far */
	leave_unheard(find_backend(t, "b3"), NOW_MS - 1000);
	state_all(t);
	assert_non_null(find_condition("check-inconclusive", "web/b1"));
	assert_non_null(strstr(find_condition("check-inconclusive", "web/b1")->text, " 7 s"));
	assert_non_null(strstr(find_condition("check-inconclusive", "web/b1")->text, "127.0.0.11"));
	assert_int_equal(find_condition("check-inconclusive", "web/b1")->level, CONDITION_DEGRADED);
	assert_null(find_condition("check-inconclusive", "web/b2"));
	assert_non_null(find_condition("check-inconclusive", "web/b3"));
	assert_int_equal(all.n, 2);
	find_tally(t)->n_vague = 3; /* the whole pool: that is judged elsewhere */
	state_all(t);
	assert_int_equal(all.n, 0);
	find_tally(t)->n_vague = 2;
	state_all(t);
	assert_int_equal(all.n, 2);
	targets_free(t);
}

static void what_has_another_reason_is_not_blamed_on_controls(void **state)
{
	struct targets *t = make_targets(" vip_check = \"c\";");
	struct target *b1 = find_backend(t, "b1");

	(void)state;
	*find_tally(t) = (struct pool_tally){ .n = 3, .n_vague = 1 };
	for (int i = 0; i < 5; i++) {
		const char *text;

		leave_unheard(b1, NOW_MS - 7000);
		b1->inconclusive = i != 0;
		b1->last = i == 1 ? HEALTH_REASON_LOCAL : HEALTH_REASON_TIMEOUT;
		b1->last_detail = i == 1 ? ENETUNREACH : 0;
		b1->last_late = i == 2;
		b1->last_unready = i == 3;
		state_all(t);
		assert_int_equal(all.n, i == 1 || i == 4);
		if (!all.n)
			continue;
		text = find_condition("check-inconclusive", "web/b1")->text;
		assert_int_equal(strstr(text, "no control answers") != NULL, i == 4);
		assert_int_equal(strstr(text, "Network is unreachable") != NULL, i == 1);
	}
	targets_free(t);
}

static void a_vip_without_a_vote_and_one_never_up_are_told_apart(void **state)
{
	struct targets *t = make_targets("");
	struct target *vip = targets_find(t, health_target_service("web", "fra", true));
	const struct condition *c;

	(void)state;
	vip->unproven = true;
	vip->last = HEALTH_REASON_REFUSED;
	state_all(t);
	c = find_condition("vip-check-unproven", "web/fra/ipv4");
	assert_non_null(c);
	assert_int_equal(c->level, CONDITION_DEGRADED);
	assert_non_null(strstr(c->text, "from ams-1 to 127.0.0.14 port 80"));
	assert_non_null(strstr(c->text, "refused"));
	assert_null(strstr(c->text, "new VIP"));
	vip->is_new = true;
	state_all(t);
	assert_non_null(
	        strstr(find_condition("vip-check-unproven", "web/fra/ipv4")->text, "new VIP"));
	vip->unproven = false;
	state_all(t);
	assert_null(find_condition("vip-check-unproven", "web/fra/ipv4"));
	assert_non_null(find_condition("vip-never-up", "web/fra/ipv4"));
	vip->is_new = false;
	state_all(t);
	assert_int_equal(all.n, 0);
	targets_free(t);
	t = make_targets(" vip_check = \"none\";");
	state_all(t);
	assert_non_null(find_condition("vip-check-off", "web"));
	assert_int_equal(find_condition("vip-check-off", "web")->level, CONDITION_NOTE);
	targets_free(t);
	state_all(NULL); /* no document yet */
	assert_int_equal(all.n, 0);
}

/* Of UDP there is no check by default. @p unwatched as the parser leaves such a service */
static void a_service_that_nobody_looks_at_is_named(void **state)
{
	struct targets *t = make_targets(" vip_check = \"c\";");
	struct model_service *s = (struct model_service *)(uintptr_t)&t->model->services[0];
	const struct condition *c;

	(void)state;
	state_all(t);
	assert_int_equal(all.n, 0);
	s->vip_check = NULL;
	s->protocol = MODEL_UDP;
	assert_true(model_service_is_unwatched(s));
	state_all(t);
	c = find_condition("vip-check-missing", "web");
	assert_non_null(c);
	assert_int_equal(c->level, CONDITION_NOTE);
	assert_non_null(strstr(c->text, "UDP port 80 has no check by default"));
	assert_int_equal(all.n, 1);
	targets_free(t);
}

/* Nobody can look at such a VIP from outside; with no other VIP it need not be. */
static void a_vip_of_several_sites_is_named_beside_another(void **state)
{
	struct targets *t = make_targets(" vip_check = \"c\";");
	struct model_service *s = (struct model_service *)(uintptr_t)&t->model->services[0];
	struct model_vip *vip = (struct model_vip *)(uintptr_t)s->at[0].vip;
	const struct model_site *const both[] = { &t->model->sites[0], &t->model->sites[1] };

	(void)state;
	s->vip_check = NULL;
	s->vip_check_from = MODEL_VIP_CHECK_ABSENT;
	vip->sites = both;
	vip->n_sites = 2;
	state_all(t);
	assert_int_equal(all.n, 1);
	assert_non_null(strstr(find_condition("vip-check-missing", "web")->text,
	                       "a VIP of several sites is not checked from outside"));
	((struct model_at *)(uintptr_t)s->at)[1].vip = vip;
	state_all(t);
	assert_int_equal(all.n, 0);
	targets_free(t);
}

/* Its site stays in the answers, dead or not. */
static void a_vip_that_nobody_hears_is_named(void **state)
{
	struct targets *t = make_targets(" vip_check = \"c\";");
	struct target *vip = targets_find(t, health_target_service("web", "fra", true));

	(void)state;
	leave_unheard(vip, NOW_MS - 7000);
	state_all(t);
	assert_int_equal(all.n, 1);
	assert_non_null(strstr(find_condition("check-inconclusive", "web/fra/ipv4")->text,
	                       "127.0.0.14 has not answered its check for 7 s"));
	vip->unproven = true; /* it says so itself */
	state_all(t);
	assert_int_equal(all.n, 1);
	assert_non_null(find_condition("vip-check-unproven", "web/fra/ipv4"));
	targets_free(t);
}

/* Backends go on with what works; that something does not is said. */
static void a_path_that_backends_lack_is_named(void **state)
{
	struct targets *t = make_targets(" vip_check = \"c\";");
	struct pool_tally *y = find_tally(t);
	const struct condition *c;

	(void)state;
	y->any = find_backend(t, "b1");
	y->n_up = 3;
	state_all(t);
	assert_int_equal(all.n, 0);
	y->n_lacking[0] = 2;
	state_all(t);
	assert_int_equal(all.n, 1);
	c = find_condition("path-never-up", "web/127.0.0.11/80");
	assert_non_null(c);
	assert_int_equal(c->level, CONDITION_DEGRADED);
	assert_non_null(strstr(c->text, "2 of the 3 backends that are up have never answered at "
	                                "127.0.0.11 port 80"));
	y->n_lacking[0] = 0;
	y->n_lacking[y->any->n_paths] = 1; /* of a former document */
	state_all(t);
	assert_int_equal(all.n, 0);
	targets_free(t);
}

static void many_are_named_so_far_and_then_counted(void **state)
{
	static const unsigned counts[] = { 1, 15, 16, 17, 20 };
	static const struct model_pool pool = { .name = "many" };
	static struct target items[20];
	static struct target_path paths[20];
	static struct model_backend backends[20];
	static char names[20][8];
	struct pool_tally y = { .n = 21 };

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "b%u", i);
		backends[i].name = names[i];
		items[i] = (struct target){ .pool = &pool,
			                    .backend = &backends[i],
			                    .paths = &paths[i] };
		leave_unheard(&items[i], 1000);
	}
	for (size_t k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		const struct targets t = { .items = items, .n = counts[k], .tallies = &y };
		unsigned named = counts[k] < 16 ? counts[k] : 16;
		char text[32];

		conditions_begin(stats, 1);
		conditions_of_unheard(&t, NOW_MS, stats);
		conditions_end(stats);
		assert_int_equal(conditions_read(dir, "health", &all), 0);
		assert_int_equal(all.n, named + (counts[k] > 16));
		for (unsigned i = 0; i < named; i++) {
			snprintf(text, sizeof(text), "many/b%u", i);
			assert_non_null(find_condition("check-inconclusive", text));
		}
		snprintf(text, sizeof(text), "%u more backends", counts[k] - named);
		if (counts[k] > 16)
			assert_non_null(
			        strstr(find_condition("check-inconclusive", "")->text, text));
	}
}

/* Conditions that are stated after those of VIPs find room. */
static void many_vips_leave_room_for_other_conditions(void **state)
{
	static const unsigned counts[] = { 1, 16, 17, 200 };
	static const struct model_node self = { .name = "ams-1" };
	static const struct model_site fra = { .name = "fra" };
	static struct model_service services[200];
	static struct target items[200];
	static struct target_path paths[200];
	static char names[200][8];
	char text[64];

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(names[i], sizeof(names[i]), "s%u", i);
		services[i].name = names[i];
		assert_int_equal(
		        addr_parse(i % 2 ? "2001:db8::9" : "192.0.2.9", &paths[i].spec.address), 0);
	}
	for (size_t k = 0; k < 2 * sizeof(counts) / sizeof(counts[0]); k++) {
		unsigned n = counts[k / 2], named = n < 16 ? n : 16;
		struct model m = { .self = &self };
		const struct targets t = { .model = &m, .items = items, .n = n };

		for (unsigned i = 0; i < n; i++)
			items[i] = (struct target){ .service = &services[i],
				                    .site = &fra,
				                    .paths = &paths[i],
				                    .unproven = k % 2,
				                    .is_new = !(k % 2) };
		conditions_begin(stats, 1);
		conditions_of_vips(&t, stats);
		conditions_end(stats);
		assert_int_equal(conditions_read(dir, "health", &all), 0);
		assert_int_equal(all.n, named + (n > 16));
		assert_int_equal(all.n_left_out, 0);
		snprintf(text, sizeof(text), "%u more VIPs", n - named);
		const struct condition *more =
		        find_condition(k % 2 ? "vip-check-unproven" : "vip-never-up", "");
		assert_int_equal(more != NULL, n > 16);
		assert_true(!more || strstr(more->text, text));
	}
}

SUITE(conditions)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_backend_that_nobody_hears_is_named_after_a_second),
		cmocka_unit_test(what_has_another_reason_is_not_blamed_on_controls),
		cmocka_unit_test(a_vip_without_a_vote_and_one_never_up_are_told_apart),
		cmocka_unit_test(a_service_that_nobody_looks_at_is_named),
		cmocka_unit_test(a_vip_of_several_sites_is_named_beside_another),
		cmocka_unit_test(a_vip_that_nobody_hears_is_named),
		cmocka_unit_test(many_vips_leave_room_for_other_conditions),
		cmocka_unit_test(a_path_that_backends_lack_is_named),
		cmocka_unit_test(many_are_named_so_far_and_then_counted),
	};

	return cmocka_run_group_tests_name("health conditions", tests, set_up, tear_down);
}
