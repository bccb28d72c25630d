/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/inotify.h>
#include <unistd.h>

#include "fixture.h"
#include "tests/unit/suite.h"

static struct model *read_ok(const char *text, const char *node)
{
	struct model *m = NULL;
	struct model_errors errors;

	fixture_write_text("weir.conf", text);
	int err = model_read_config(fixture_path("weir.conf"), node, &m, &errors);
	for (size_t i = 0; i < errors.n_items; i++)
		print_message("  %s:%u: %s: %s\n", errors.items[i].file, errors.items[i].line,
		              errors.items[i].field, errors.items[i].message);
	assert_int_equal(err, 0);
	assert_int_equal(errors.n_total, 0);
	model_errors_free(&errors);
	return m;
}

static void a_configuration_becomes_a_model(void **state)
{
	(void)state;
	struct model *m = read_ok(fixture_config, "ams-1");
	const struct model_pool *pool = model_pool(m, "web-ams");
	const struct model_service *web = model_service(m, "web");

	assert_string_equal(m->cluster, "shop");
	assert_true(m->hash_key[0] == 0x0011223344556677u);
	assert_true(m->hash_key[1] == 0x8899aabbccddeeffu);
	assert_int_equal(m->n_sites, 2);
	assert_string_equal(m->sites[0].name, "ams");
	assert_string_equal(m->sites[0].region, "eu");
	assert_int_equal(m->sites[0].capacity_flows, 50000);
	assert_int_equal(m->sites[0].capacity_bits, 40000000000);
	assert_ptr_equal(m->self, model_node(m, "ams-1"));
	assert_ptr_equal(m->self->site, model_site(m, "ams"));
	assert_int_equal(m->self->tunnel_source6.bits, 64);
	assert_non_null(pool);
	assert_int_equal(pool->mode, MODEL_MODE_GUE);
	assert_int_equal(pool->n_slots, 16384);
	assert_int_equal(pool->n_member_sets, 1);
	assert_int_equal(pool->member_sets[0].n_members, 2);
	assert_true(pool->member_sets[0].members[0].id < pool->member_sets[0].members[1].id);
	assert_int_equal(model_backend(pool, "b2")->weight, 50);
	assert_null(model_backend(pool, "b3"));
	assert_non_null(web);
	assert_string_equal(web->at[0].site->name, "fra"); /* the order of failover */
	assert_int_equal(web->at[0].weight, 7);
	assert_int_equal(web->at[1].weight, 100);
	assert_string_equal(m->zones[0].name, "shop.example");
	assert_string_equal(m->zones[0].file, fixture_path("shop.example.zone"));
	assert_int_equal(m->dns_names[0].ttl_max_s, 60);
	assert_int_equal(m->checks[0].detect_worst_ms, 1000 + 2 * 500 + 500);
	model_free(m);
}

/* How often the key's file was opened since. */
static unsigned count_opens(int watch)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(watch, events, sizeof(events));

	return n < 0 ? 0 : (unsigned)((size_t)n / sizeof(struct inotify_event));
}

/* Who may read the document need not be able to read the key. */
static void who_places_nothing_leaves_the_key_alone(void **state)
{
	struct model *m = read_ok(fixture_config, "ams-1"), *with, *without;
	struct model_errors errors;
	int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	(void)state;
	assert_int_equal(model_write_effective(m, fixture_path("effective.conf")), 0);
	model_free(m);
	assert_true(inotify_add_watch(watch, fixture_path("hash.key"), IN_OPEN) >= 0);
	assert_int_equal(
	        model_read_without_key(fixture_path("effective.conf"), "ams-1", &without, &errors),
	        0);
	model_errors_free(&errors);
	assert_int_equal(count_opens(watch), 0);
	assert_int_equal(without->key_state, MODEL_KEY_NONE);
	assert_true(!without->hash_key[0] && !without->hash_key[1]);
	assert_string_equal(without->key_fault, "");
	assert_string_equal(without->self->name, "ams-1");
	assert_int_equal(
	        model_read_effective(fixture_path("effective.conf"), "ams-1", &with, &errors), 0);
	model_errors_free(&errors);
	assert_int_equal(count_opens(watch), 1);
	assert_true(with->key_state == MODEL_KEY_GOOD && with->hash_key[0]);
	model_free(with);
	model_free(without);
	close(watch);
}

static void a_directory_that_is_not_there_is_named(void **state)
{
	struct model_errors errors;
	struct model *m = NULL;

	(void)state;
	assert_int_equal(model_read_config("/nonexistent/weir.conf", NULL, &m, &errors), -ENOENT);
	assert_int_equal(errors.n_items, 1);
	assert_string_equal(errors.items[0].file, "/nonexistent/weir.conf");
	assert_string_equal(errors.items[0].message,
	                    "its directory cannot be opened: No such file or directory");
	model_errors_free(&errors);
	/* the root is one that is there */
	assert_int_equal(model_read_config("/nonexistent.conf", NULL, &m, &errors), -ENOENT);
	assert_int_equal(errors.n_items, 1);
	assert_string_equal(errors.items[0].file, "/nonexistent.conf");
	assert_string_equal(errors.items[0].message, "does not exist");
	model_errors_free(&errors);
	assert_int_equal(model_read_text("", 0, "x", "/nonexistent", NULL, &m, &errors), -ENOENT);
	assert_int_equal(errors.n_items, 1);
	assert_string_equal(errors.items[0].file, "/nonexistent");
	assert_string_equal(errors.items[0].message, "No such file or directory");
	model_errors_free(&errors);
	model_errors_free(&errors); /* nothing is left of it */
	assert_int_equal(model_read_laid_out(fixture_path("weir.conf"), "/nonexistent", NULL, NULL,
	                                     &m, &errors),
	                 -ENOENT);
	assert_string_equal(errors.items[0].file, fixture_path("weir.conf"));
	model_errors_free(&errors);
	assert_null(m);
}

SUITE(read)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_becomes_a_model),
		cmocka_unit_test(a_directory_that_is_not_there_is_named),
		cmocka_unit_test(who_places_nothing_leaves_the_key_alone),
	};

	return cmocka_run_group_tests_name("model", tests, fixture_setup, fixture_teardown);
}
