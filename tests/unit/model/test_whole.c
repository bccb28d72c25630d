/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole documents: each setting has a value of its own, so that none is lost, changed or taken for
 * another on its way from the text through the model and back. The documents lie beside this file;
 * '@' in them is the test's directory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fixture.h"
#include "model/load.h"
#include "tests/unit/calls.h"
#include "tests/unit/suite.h"

#define KEY "00112233445566778899aabbccddeeff"

static const char *documents;

static char *load_text(const char *path)
{
	char *text = NULL;
	size_t n;

	assert_int_equal(load_file(path, 1 << 20, &text, &n), 0);
	return text;
}

/* A document's text, with the test's directory put in. */
static char *take_document(const char *name)
{
	char path[PATH_MAX], here[PATH_MAX], *text, *out = NULL;
	size_t size;
	FILE *f = open_memstream(&out, &size);

	assert_non_null(f);
	assert_non_null(realpath(fixture_path("."), here));
	snprintf(path, sizeof(path), "%s/%s", documents, name);
	text = load_text(path);
	for (const char *p = text; *p; p++)
		*p == '@' ? fputs(here, f) : fputc(*p, f);
	assert_int_equal(fclose(f), 0);
	free(text);
	return out;
}

static struct model *read_it(int (*reader)(const char *, const char *, struct model **,
                                           struct model_errors *),
                             const char *document, const char *node)
{
	char *text = take_document(document);
	struct model_errors errors;
	struct model *m = NULL;

	fixture_write_text("read.conf", text);
	free(text);
	int err = reader(fixture_path("read.conf"), node, &m, &errors);
	for (size_t i = 0; i < errors.n_items; i++)
		print_message("  %u: %s: %s\n", errors.items[i].line, errors.items[i].field,
		              errors.items[i].message);
	assert_int_equal(err, 0);
	model_errors_free(&errors);
	return m;
}

static void each_setting_of_a_configuration_comes_back_as_it_was_given(void **state)
{
	(void)state;
	struct model *m = read_it(model_read_config, "whole.conf", "fra-1");
	char *expected = take_document("whole.written"), *written = model_text(m);

	assert_string_equal(written, expected);
	free(written);
	free(expected);
	model_free(m);
}

static void each_setting_of_an_effective_document_comes_back_as_it_was_given(void **state)
{
	(void)state;
	struct model *m = read_it(model_read_effective, "effective.written", "n");
	char *expected = take_document("effective.written");

	assert_int_equal(m->key_state, MODEL_KEY_GOOD);
	assert_int_equal(model_write_effective(m, fixture_path("out.conf")), 0);
	char *written = load_text(fixture_path("out.conf"));
	assert_string_equal(written, expected);
	free(written);
	free(expected);
	model_free(m);
}

static void a_model_s_parts_point_to_each_other(void **state)
{
	(void)state;
	struct model *m = read_it(model_read_config, "whole.conf", "fra-1");
	static const char *const sites[] = { "ams", "fra", "nyc", "sin" };

	assert_ptr_equal(m->self, &m->nodes[1]);
	assert_true(m->hash_key[0] == 0x0011223344556677u && m->hash_key[1] == 0x8899aabbccddeeffu);
	assert_int_equal(m->n_sites, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_string_equal(m->sites[i].name, sites[i]);
		assert_int_equal(m->sites[i].index, i);
		assert_ptr_equal(model_site(m, sites[i]), &m->sites[i]);
	}
	assert_null(model_site(m, "zrh"));
	assert_int_equal(m->n_pools, 3);
	for (uint32_t i = 0; i < 3; i++) {
		const struct model_pool *p = &m->pools[i];

		assert_int_equal(p->index, i);
		assert_ptr_equal(p->site, &m->sites[i]);
		assert_int_equal(p->n_member_sets, 1);
		assert_int_equal(p->member_sets[0].n_members, p->n_backends);
		assert_true(p->member_sets[0].from_ms == 0 &&
		            p->member_sets[0].until_ms == MODEL_TIME_NEVER);
		for (size_t j = 0; j < p->n_backends; j++)
			assert_ptr_equal(p->backends[j].pool, p);
		assert_int_equal(m->services[i].index, i);
	}
	assert_string_equal(m->vips[0].name, "any");
	assert_int_equal(m->vips[0].n_sites, 2);
	for (size_t i = 0; i < 2; i++)
		assert_ptr_equal(m->vips[0].sites[i], &m->sites[1 + i]);
	assert_int_equal(m->vips[1].n_sites, 1);
	assert_ptr_equal(m->vips[1].sites[0], &m->sites[0]);
	model_free(m);
}

static void a_node_announces_what_it_lists_or_all_of_its_site(void **state)
{
	(void)state;
	struct model *m = read_it(model_read_config, "whole.conf", NULL);
	const struct model_announce *ams = &m->nodes[0].announce, *fra = &m->nodes[1].announce,
	                            *nyc = &m->nodes[2].announce;

	assert_int_equal(ams->daemon, MODEL_DAEMON_FRR);
	assert_true(ams->table == 252 && ams->gshut_table == 1);
	assert_true(ams->lists_vips && ams->n_vips == 1 && ams->n_dns == 1);
	assert_string_equal(ams->vips[0]->name, "v-ams");
	assert_true(addr_equal(&ams->dns[0], &m->nodes[0].dns_listen[1]));
	assert_string_equal(ams->socket, "/run/\"b\\.vty");
	assert_int_equal(fra->daemon, MODEL_DAEMON_BIRD);
	assert_int_equal(fra->table, MODEL_ANNOUNCE_TABLE);
	assert_int_equal(fra->gshut_table, MODEL_ANNOUNCE_GSHUT_TABLE);
	assert_true(!fra->lists_vips && fra->n_vips == 2 && !fra->n_dns);
	assert_string_equal(fra->vips[0]->name, "any"); /* at this site, too */
	assert_string_equal(fra->vips[1]->name, "v-fra");
	assert_string_equal(fra->socket, "");
	assert_int_equal(nyc->daemon, MODEL_DAEMON_NONE);
	assert_true(nyc->lists_vips && !nyc->n_vips);
	for (size_t i = 0; i < m->n_vips; i++)
		assert_int_equal(m->vips[i].announce_when, strcmp(m->vips[i].name, "v-fra")
		                                                   ? MODEL_ANNOUNCE_ANY
		                                                   : MODEL_ANNOUNCE_ALL);
	model_free(m);
}

static void what_follows_from_settings_is_worked_out(void **state)
{
	(void)state;
	struct model *m = read_it(model_read_config, "whole.conf", NULL);
	static const uint32_t detect_ms[] = { 2500, 11000, 400 }, slots[] = { 16384, 4096, 16384 };
	static const enum model_vip_check from[] = { MODEL_VIP_CHECK_ABSENT, MODEL_VIP_CHECK_GIVEN,
		                                     MODEL_VIP_CHECK_OFF, MODEL_VIP_CHECK_DEFAULT,
		                                     MODEL_VIP_CHECK_ABSENT };
	const struct model_check *const checks[] = { NULL, &m->checks[2], NULL,
		                                     &model_default_vip_check, NULL };

	assert_null(m->self);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(m->checks[i].detect_worst_ms, detect_ms[i]);
		assert_int_equal(m->pools[i].n_slots, slots[i]);
	}
	assert_int_equal(m->n_services, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(m->services[i].vip_check_from, from[i]);
		assert_ptr_equal(m->services[i].vip_check, checks[i]);
	}
	assert_true(m->pools[0].agent && !m->pools[1].agent);
	/* the member of the same identity, with what it had */
	for (size_t i = 0; i < m->pools[0].n_backends; i++)
		for (size_t j = 0; j < 2; j++) {
			const struct model_member *a = &m->pools[0].member_sets[0].members[i];
			const struct model_backend *b = &m->pools[0].backends[j];

			assert_int_equal(a->id == b->id, a->port == b->port);
			assert_int_equal(a->id == b->id, a->weight == b->weight);
			assert_int_equal(a->id == b->id, addr_equal(&a->address, &b->address));
		}
	model_free(m);
}

/* Read the effective document with its key's file as @p key; NULL: without one. */
static struct model *read_with_key(const char *key)
{
	struct model *m;

	if (key)
		fixture_write_text("keys/hash.key", key);
	else
		unlink(fixture_path("keys/hash.key"));
	m = read_it(model_read_effective, "effective.written", "n");
	fixture_write_text("keys/hash.key", KEY "\n");
	return m;
}

/* The version's own key, or what is in force goes on with the one that it had. */
static void another_key_than_the_version_s_is_not_used(void **state)
{
	static const struct {
		const char *key, *why;
	} cases[] = {
		{ NULL, "/keys/hash.key does not exist; make it once for all nodes: openssl rand" },
		{ "0011", "/keys/hash.key does not hold 32 hexadecimal digits" },
		{ KEY "0", "/keys/hash.key does not hold 32 hexadecimal digits" },
		{ KEY " x", "/keys/hash.key does not hold 32 hexadecimal digits" },
		{ "10112233445566778899aabbccddeeff",
		  "/keys/hash.key holds a key with fingerprint 9c7380ec9fdbb4b4, but the version was made "
		  "with d5cc6d133208bd44 (k)" },
	};
	struct model *good = read_with_key(KEY " \t\r\n");

	(void)state;
	assert_int_equal(good->key_state, MODEL_KEY_GOOD);
	assert_string_equal(good->key_fault, "");
	assert_true(model_key_keep(good, NULL));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct model *m = read_with_key(cases[i].key), *next = read_with_key(cases[i].key);

		assert_int_equal(m->key_state, MODEL_KEY_NONE);
		assert_true(!m->hash_key[0] && !m->hash_key[1]);
		if (!strstr(m->key_fault, cases[i].why))
			print_message("  %s\n", m->key_fault);
		assert_non_null(strstr(m->key_fault, cases[i].why));
		assert_false(model_key_keep(m, NULL));
		assert_false(model_key_keep(m, next));
		assert_int_equal(m->key_state, MODEL_KEY_NONE);
		assert_true(model_key_keep(m, good));
		assert_int_equal(m->key_state, MODEL_KEY_KEPT);
		assert_true(m->hash_key[0] == good->hash_key[0] &&
		            m->hash_key[1] == good->hash_key[1]);
		assert_true(model_key_keep(next, m)); /* which itself was kept */
		assert_true(next->hash_key[1] == good->hash_key[1]);
		model_free(next);
		model_free(m);
	}
	/* who may not read the key is told how to get the right; its file is the third that is opened: for writing, then the document */
	calls_fail("open", 3, EACCES, false);
	struct model *m = read_with_key(KEY);

	assert_int_equal(calls_end(), 1);
	assert_int_equal(m->key_state, MODEL_KEY_NONE);
	assert_non_null(
	        strstr(m->key_fault, "/keys/hash.key is the cluster's secret and may not be read"));
	model_free(m);
	model_free(good);
}

static void slots_are_a_hundred_a_backend_as_a_power_of_two(void **state)
{
	static const struct {
		uint32_t n_backends, n_slots;
	} cases[] = { { 1, 4096 },   { 40, 4096 },     { 41, 8192 },      { 81, 8192 },
		      { 82, 16384 }, { 5242, 524288 }, { 5243, 1048576 }, { 10000, 1048576 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(model_pool_slots(cases[i].n_backends), cases[i].n_slots);
}

static int set_up(void **state)
{
	if (fixture_setup(state))
		return -1;
	mkdir(fixture_path("keys"), 0700);
	mkdir(fixture_path("zones"), 0700);
	fixture_write_text("keys/hash.key", KEY "\n");
	fixture_write_text("zones/a", "");
	fixture_write_text("zones/b", "");
	return 0;
}

SUITE(whole)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_setting_of_a_configuration_comes_back_as_it_was_given),
		cmocka_unit_test(each_setting_of_an_effective_document_comes_back_as_it_was_given),
		cmocka_unit_test(a_model_s_parts_point_to_each_other),
		cmocka_unit_test(a_node_announces_what_it_lists_or_all_of_its_site),
		cmocka_unit_test(what_follows_from_settings_is_worked_out),
		cmocka_unit_test(another_key_than_the_version_s_is_not_used),
		cmocka_unit_test(slots_are_a_hundred_a_backend_as_a_power_of_two),
	};

	documents = arguments[0] ? arguments[0] : "tests/unit/model/documents";
	return cmocka_run_group_tests_name("whole", tests, set_up, fixture_teardown);
}
