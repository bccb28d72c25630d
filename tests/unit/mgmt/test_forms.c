/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One state of a node in all forms that it has: the JSON of the status, what weir status prints of it, the page and the
 * metrics say the same of each backend, process, site and override, and of the node.
 */
#include "api_world.h"
#include "cli_said.h"
#include "tables_page.h"

#include "base/hash.h"
#include "mgmt/cli/cmd_status.h"
#include "tests/unit/suite.h"
#include "weir/stats.h"

static json_t *status;
static char *page, *metrics;

/* A node that forwards to one of two backends, and of which a person has disabled the other. */
static void take_forms(void)
{
	const struct model *m = intent_model(this_node.intent);
	const struct model_pool *pool = model_pool(m, "web-ams");
	struct effect_backend row = { .alive = 1, .next_hop = 1, .slots = 3, .packets = 4711 };
	const struct effect_pool tables = { .pool = hash_text("web-ams"),
		                            .n_slots = 4,
		                            .n_backends = 1 };

	row.id = model_backend(pool, "b1")->id;
	tables_page_write_pool(place.root, told_ms, &tables, &row);
	assert_int_equal(
	        ask_route(
	                "POST /v1/overrides",
	                "{\"do\": \"disable\", \"target\": {\"pool\": \"web-ams\", \"backend\": \"b2\"},"
	                " \"until\": \"never\", \"reason\": \"CHG-1\", \"override_guards\": [\"room\"]}"),
	        201);
	assert_int_equal(ask_route("GET /v1/status", NULL), 200);
	status = json_incref(answer.json);
	assert_int_equal(ask_route("GET /", NULL), 200);
	page = strdup(answer.text);
	assert_int_equal(ask_route("GET /metrics", NULL), 200);
	metrics = strdup(answer.text);
	shown_begin();
	status_print(status);
	shown_end();
}

static int drop_forms(void **state)
{
	json_decref(status);
	free(page);
	free(metrics);
	return world_teardown(state);
}

/* Whether the line or the page's row that begins with @p begin has @p word as a cell, or the first words of the last one. */
static void expect_cell(const char *text, const char *begin, const char *ends, const char *word)
{
	const char *row = strstr(text, begin);
	char line[1024];

	if (!row)
		fail_msg("no row \"%s\" in:\n%s", begin, text);
	row += *row == '\n';
	snprintf(line, sizeof(line), "%.*s", (int)(strstr(row, ends) - row), row);
	if (!strstr(line, word))
		fail_msg("no \"%s\" in \"%s\"", word, line);
}

/* The page and the terminal have a row that begins with @p name, with each of the words. */
static void expect_row(const char *name, const char *const words[], size_t n)
{
	char cell[160], begin[160], word[160];

	snprintf(cell, sizeof(cell), "<tr><td>%s</td>", name);
	snprintf(begin, sizeof(begin), "\n%s ", name);
	for (size_t i = 0; i < n; i++) {
		snprintf(word, sizeof(word), "%s</td>", words[i]);
		expect_cell(page, cell, "</tr>", word);
		snprintf(word, sizeof(word), " %s", words[i]);
		expect_cell(shown, begin, "\n", word);
	}
}

__attribute__((format(printf, 1, 2))) static void expect_metric(const char *format, ...)
{
	char line[256] = "\n";
	va_list args;

	va_start(args, format);
	vsnprintf(line + 1, sizeof(line) - 1, format, args);
	va_end(args);
	if (!strstr(metrics, line))
		fail_msg("no \"%s\" in:\n%s", line + 1, metrics);
}

static const char *said_at(const json_t *from, const char *path)
{
	const char *text = json_string_value(json_at(from, path));

	if (!text)
		fail_msg("no text at %s", path);
	return text;
}

static void expect_backend(const json_t *pool, const json_t *b)
{
	const char *words[] = { said_at(b, "intent.state"), said_at(b, "observation.state"),
		                said_at(b, "effect.state"), "-" };
	const json_t *share = json_at(b, "effect.share_ppm");
	char name[128], percent[32];

	snprintf(percent, sizeof(percent), "%.1f %%", json_number_value(share) / 1e4);
	if (share)
		words[3] = percent;
	snprintf(name, sizeof(name), "%s/%s", said_at(pool, "name"), said_at(b, "name"));
	expect_row(name, words, 4);
	if (strcmp(said_at(pool, "site"), "ams") != 0)
		return; /* metrics are of this site */
	expect_metric("weir_backend_state{pool=\"%s\",backend=\"%s\",state=\"%s\"} 1\n",
	              said_at(pool, "name"), said_at(b, "name"), words[2]);
	expect_metric("weir_backend_check_state{pool=\"%s\",backend=\"%s\",state=\"%s\"} 1\n",
	              said_at(pool, "name"), said_at(b, "name"), words[1]);
}

static void backends_are_the_same_in_all_forms(void **state)
{
	const json_t *pool, *b;
	size_t i, k, n = 0;

	(void)state;
	take_forms();
	json_array_foreach(json_at(status, "pools"), i, pool)
	{
		json_array_foreach(json_at(pool, "backends"), k, b)
		{
			expect_backend(pool, b);
			n++;
		}
	}
	assert_true(n >= 3);
	expect_metric("weir_backend_state{pool=\"web-ams\",backend=\"b1\",state=\"serving\"} 1\n");
}

static void processes_are_the_same_in_all_forms(void **state)
{
	const json_t *p;
	size_t i;

	(void)state;
	take_forms();
	assert_true(json_array_size(json_at(status, "processes")) >= 4);
	json_array_foreach(json_at(status, "processes"), i, p)
	{
		const char *name = said_at(p, "process"), *word = said_at(p, "state");
		char cell[64], words[64];

		snprintf(cell, sizeof(cell), "<tr><td>weir-%s</td>", name);
		expect_cell(page, cell, "</tr>", word);
		snprintf(words, sizeof(words), " %s %s", name, word);
		expect_cell(shown, "\nprocesses ", "\ndatabase", words);
		expect_metric("weir_process_up{process=\"%s\"} %d\n", name,
		              !strcmp(word, "running"));
	}
}

static void sites_and_overrides_are_the_same_in_all_forms(void **state)
{
	const json_t *one;
	size_t i;

	(void)state;
	take_forms();
	json_array_foreach(json_at(status, "sites"), i, one)
	{
		const char *words[] = { said_at(one, "intent.state"),
			                said_at(one, "observation.state"),
			                said_at(one, "effect.state") };

		expect_row(said_at(one, "name"), words, 3);
	}
	assert_int_equal(json_array_size(json_at(status, "overrides")), 1);
	one = json_array_get(json_at(status, "overrides"), 0);
	const char *words[] = { "backend web-ams/b2",
		                said_at(one, "state"),
		                "100.0 %",
		                "never",
		                said_at(one, "author"),
		                "CHG-1" };
	assert_int_equal(json_integer_value(json_at(one, "level_ppm")), 1000000);
	expect_row("disable", words, 6);
}

static void the_node_is_the_same_in_all_forms(void **state)
{
	char title[160], line[256];

	(void)state;
	take_forms();
	snprintf(title, sizeof(title), "<title>%s: %s - Weir</title>", said_at(status, "state"),
	         said_at(status, "node"));
	assert_non_null(strstr(page, title));
	snprintf(line, sizeof(line), "%s (site ", said_at(status, "node"));
	assert_int_equal(strncmp(shown, line, strlen(line)), 0);
	snprintf(line, sizeof(line), " %s   document ", said_at(status, "state"));
	expect_cell(shown, said_at(status, "node"), "\n", line);
	snprintf(line, sizeof(line), "version %lld ",
	         (long long)json_integer_value(json_at(status, "version.number")));
	expect_cell(shown, said_at(status, "node"), "\n", line);
	expect_cell(page, "<h1>", "<time>", line);
	expect_cell(page, "<ul", "</ul>",
	            said_at(json_array_get(json_at(status, "reasons"), 0), "text"));
	expect_cell(shown, "\n ! ", "\nprocesses",
	            said_at(json_array_get(json_at(status, "reasons"), 0), "text"));
}

SUITE(forms)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(backends_are_the_same_in_all_forms, world_setup,
		                                drop_forms),
		cmocka_unit_test_setup_teardown(processes_are_the_same_in_all_forms, world_setup,
		                                drop_forms),
		cmocka_unit_test_setup_teardown(sites_and_overrides_are_the_same_in_all_forms,
		                                world_setup, drop_forms),
		cmocka_unit_test_setup_teardown(the_node_is_the_same_in_all_forms, world_setup,
		                                drop_forms),
	};

	world_begin();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
