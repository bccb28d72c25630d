/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects over the API: one, lists in pages, filters, ETags, and what there is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "api_world.h"
#include "change.h"
#include "tests/unit/suite.h"
#include "weir/object.h"

/* Each kind that the configuration has is answered as it is described, one and as a list. */
static void each_kind_is_read_alone_and_as_a_list(void **state)
{
	(void)state;
	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++) {
		const struct object_row *row = object_row(kind);
		const char *around = kind == OBJECT_BACKEND ? "web-ams" : "web";
		char list[200] = "GET /v1/", one[500];
		const char *braces = strstr(row->path, "{}");
		int n = braces ? (int)(braces - row->path) : (int)strlen(row->path);

		snprintf(list, sizeof(list), "GET /v1/%.*s%s%s", n, row->path, braces ? around : "",
		         braces ? braces + 2 : "");
		assert_int_equal(ask_route(list, NULL), 200);
		assert_true(count_at("items") > 0);
		json_t *first = json_deep_copy(value_at("items.0"));
		snprintf(one, sizeof(one), "%s/%s", list, json_text_of(first, row->key));
		assert_int_equal(ask_route(one, NULL), 200);
		assert_true(json_equal(first, answer.json));
		assert_int_equal(answer.version, 1);
		json_decref(first);
	}
}

static void what_is_not_there_is_not_found(void **state)
{
	static const char *const paths[] = {
		"GET /v1/pools/none",
		"GET /v1/pools/none/backends",
		"GET /v1/pools/none/backends/b1",
		"GET /v1/pools/web-ams/backends/b9",
		"GET /v1/services/web/at/zrh",
		"GET /v1/sites/AMS",
		"GET /v1/pools/web-ams%2Fbackends",
		"GET /v1/dns/names/www",
		"GET /v1/pools/web-ams/check",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		print_message("  %s\n", paths[i]);
		assert_int_equal(ask_route(paths[i], NULL), 404);
		assert_string_equal(text_at("code"), "not-found");
	}
	assert_int_equal(ask_route("GET /v1/pools/web-ams?limit=1", NULL), 400);
}

static void before_the_first_version_there_are_no_objects(void **state)
{
	char path[PATH_MAX];

	world_teardown(state);
	bare_core_make(&this_node, &place);
	snprintf(path, sizeof(path), "%s/weir.conf", place.conf);
	assert_int_equal(unlink(path), 0);
	world_open();
	assert_int_equal(ask_route("GET /v1/pools", NULL), 404);
	assert_string_equal(text_at("detail"), "there is no configuration yet");
	assert_int_equal(ask_route("GET /v1/pools/web-ams", NULL), 404);
}

static void an_object_that_the_client_has_is_not_sent_again(void **state)
{
	char etag[HTTP_TEXT_MAX];

	(void)state;
	assert_int_equal(ask_route("GET /v1/pools/web-ams/backends/b1", NULL), 200);
	snprintf(etag, sizeof(etag), "%s", answer.etag);
	assert_int_equal(strlen(etag), OBJECT_ETAG_MAX - 1);
	memcpy(asker.if_none_match, etag, sizeof(etag));
	assert_int_equal(ask_route("GET /v1/pools/web-ams/backends/b1", NULL), 304);
	assert_int_equal(ask_route("GET /v1/pools/web-ams/backends/b2", NULL), 200);
	/* another object changes, then this one */
	assert_int_equal(apply_line("# another", "none"), 201);
	assert_int_equal(ask_route("GET /v1/pools/web-ams/backends/b1", NULL), 304);
	assert_int_equal(answer.version, 2);
	assert_string_equal(answer.etag, etag);
}

/* The pages of a list, joined, are the list. */
static void a_list_is_read_in_pages_of_one_version(void **state)
{
	char what[200] = "GET /v1/pools/web-ams/backends?limit=1", cursor[64];
	json_t *all, *joined = json_array();
	unsigned n_pages = 0;

	(void)state;
	assert_int_equal(ask_route("GET /v1/pools/web-ams/backends", NULL), 200);
	assert_true(json_is_null(value_at("next")));
	all = json_deep_copy(value_at("items"));
	for (; what[0] && n_pages < 10; n_pages++) {
		assert_int_equal(ask_route(what, NULL), 200);
		assert_int_equal(count_at("items"), 1);
		json_array_extend(joined, (json_t *)(uintptr_t)value_at("items"));
		assert_int_equal(number_at("version"), 1);
		snprintf(cursor, sizeof(cursor), "%s", text_at("next"));
		snprintf(what, sizeof(what), *cursor ? "%s%s" : "%.0s%s",
		         "GET /v1/pools/web-ams/backends?limit=1&cursor=", cursor);
	}
	assert_int_equal(n_pages, json_array_size(all));
	assert_true(json_equal(all, joined));
	json_decref(all);
	json_decref(joined);
}

static void a_cursor_ends_with_its_version(void **state)
{
	char what[200], cursor[64];

	(void)state;
	assert_int_equal(ask_route("GET /v1/pools/web-ams/backends?limit=1", NULL), 200);
	snprintf(cursor, sizeof(cursor), "%s", text_at("next"));
	snprintf(what, sizeof(what), "GET /v1/pools/web-ams/backends?cursor=%s", cursor);
	assert_int_equal(ask_route(what, NULL), 200);
	assert_int_equal(apply_line("# another", "none"), 201);
	assert_int_equal(ask_route(what, NULL), 410);
	assert_string_equal(text_at("code"), "cursor-expired");
}

static void a_cursor_that_no_answer_gave_is_refused(void **state)
{
	static const char *const cursors[] = { "",
		                               "0",
		                               "0123456789abcdef",
		                               "0123456789abcdef-",
		                               "0123456789abcdef-x",
		                               "0123456789abcdef--1",
		                               "0123456789abcdef-1234567",
		                               "0123456789abcde-1",
		                               "0123456789abcdef0-1" };
	char what[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
		snprintf(what, sizeof(what), "GET /v1/sites?cursor=%s", cursors[i]);
		print_message("  %s\n", cursors[i]);
		assert_int_equal(ask_route(what, NULL), 400);
	}
	/* beyond the end there is nothing */
	assert_int_equal(ask_route("GET /v1/sites?limit=1", NULL), 200);
	snprintf(what, sizeof(what), "GET /v1/sites?cursor=%.17s999999", text_at("next"));
	assert_int_equal(ask_route(what, NULL), 200);
	assert_int_equal(count_at("items"), 0);
	assert_true(json_is_null(value_at("next")));
}

static void a_list_shows_what_fits_its_filter(void **state)
{
	static const struct {
		const char *query;
		size_t n;
	} rows[] = {
		{ "pools?filter=site=ams", 1 },
		{ "pools?filter=site=ams,mode=ipip", 1 },
		{ "pools?filter=site=ams,mode=l2", 0 },
		{ "pools?filter=site=zrh", 0 },
		{ "pools?filter=max_backends=100", 0 },
		{ "pools?filter=max_backends=10", 2 },
		{ "pools?filter=agent=", 2 },
		{ "sites?filter=labels.region=", 2 },
		{ "vips?filter=addresses=203.0.113.10", 1 },
		{ "dns/names?filter=ttl.min=5s", 1 },
		{ "pools/web-ams/backends?filter=name=b1", 1 },
		{ "pools/web-ams/backends?filter=port=0,name=b1", 1 },
	};
	char what[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(what, sizeof(what), "GET /v1/%s", rows[i].query);
		print_message("  %s\n", what);
		assert_int_equal(ask_route(what, NULL), 200);
		assert_int_equal(count_at("items"), rows[i].n);
	}
}

static void a_filter_that_means_nothing_is_refused(void **state)
{
	static const struct {
		const char *query, *detail;
	} rows[] = {
		{ "pools?filter=",
		  "filter must be SETTING=VALUE, or up to 8 of these with commas between them" },
		{ "pools?filter=site",
		  "filter must be SETTING=VALUE, or up to 8 of these with commas between them" },
		{ "pools?filter=sit=ams",
		  "filter: there is no setting sit (did you mean \"site\"?)" },
		{ "pools?filter==ams", "filter: there is no setting " },
		{ "sites?filter=labels=eu", "filter: labels is a group" },
		{ "sites?filter=labels.regio=eu",
		  "filter: there is no setting labels.regio (did you mean \"region\"?)" },
		{ "sites?filter=name.x=eu", "filter: there is no setting name.x" },
		{ "pools?filter=backends=b1", "filter: backends is a group" },
		{ "pools?filter=n=,n=", "filter: there is no setting n" },
		{ "pools?filter=name=,name=,name=,name=,name=,name=,name=,name=,name=",
		  "filter must be SETTING=VALUE, or up to 8 of these with commas between them" },
	};
	char what[200];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(what, sizeof(what), "GET /v1/%s", rows[i].query);
		print_message("  %s\n", what);
		assert_int_equal(ask_route(what, NULL), 400);
		assert_string_equal(text_at("detail"), rows[i].detail);
	}
	assert_int_equal(ask_route("GET /v1/pools?limit=0", NULL), 400);
	assert_int_equal(ask_route("GET /v1/pools?limit=1001", NULL), 400);
	assert_int_equal(ask_route("GET /v1/pools?site=ams", NULL), 400);
}

/* The differences between versions show the same to the same. */
static void a_viewer_reads_objects_and_nobody_does_not(void **state)
{
	(void)state;
	asker.role = HTTP_VIEWER;
	assert_int_equal(ask_route("GET /v1/pools/web-ams", NULL), 200);
	assert_int_equal(ask_route("GET /v1/pools", NULL), 200);
	asker.role = HTTP_METRICS;
	assert_int_equal(ask_route("GET /v1/pools", NULL), 403);
	asker.role = HTTP_NO_ROLE;
	assert_int_equal(ask_route("GET /v1/pools/web-ams", NULL), 401);
}

SUITE(objects)
{
#define T(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		T(each_kind_is_read_alone_and_as_a_list),
		T(what_is_not_there_is_not_found),
		T(before_the_first_version_there_are_no_objects),
		T(an_object_that_the_client_has_is_not_sent_again),
		T(a_list_is_read_in_pages_of_one_version),
		T(a_cursor_ends_with_its_version),
		T(a_cursor_that_no_answer_gave_is_refused),
		T(a_list_shows_what_fits_its_filter),
		T(a_filter_that_means_nothing_is_refused),
		T(a_viewer_reads_objects_and_nobody_does_not),
	};

	world_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
