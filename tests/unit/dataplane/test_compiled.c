/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled documents (dataplane/tables/compiled.c). */
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

#include "base/clock.h"
#include "dataplane/tables/compiled.h"
#include "dataplane/tables/guard.h"
#include "tests/unit/suite.h"

static struct compiled_source make_source(const char *text, char dir[])
{
	struct compiled_source from = { .node = "n1" };

	assert_non_null(mkdtemp(dir));
	snprintf(from.path, sizeof(from.path), "%s/effective.conf", dir);
	if (text) {
		FILE *f = fopen(from.path, "w");

		assert_non_null(f);
		fputs(text, f);
		fclose(f);
	}
	return from;
}

static void remove_source(const struct compiled_source *from, const char *dir)
{
	unlink(from->path);
	rmdir(dir);
}

static void a_draft_that_cannot_be_made_says_why(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int err;
	} cases[] = { { NULL, -ENOENT },
		      { "this is = not { a document", -EINVAL },
		      { "", -EINVAL } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char dir[] = "/tmp/weir-draft-XXXXXX";
		struct compiled_source from = make_source(cases[i].text, dir);
		struct compiled d;

		compiled_make(&from, &d);
		assert_int_equal(d.err, cases[i].err);
		assert_true(d.errors.n_total > 0 && !d.model && !d.plan);
		compiled_free(&d);
		remove_source(&from, dir);
	}
}

#define DOCUMENT                                                                                          \
	"schema = 1;\n"                                                                                   \
	"effective = { version = \"1\"; digest = \"\"; document = \"7\"; written = \"never\";\n"          \
	"              hash_key = \"0011223344556677\"; };\n"                                             \
	"cluster = { name = \"t\"; hash_key_file = \"/nonexistent/hash.key\"; hash_key_id = \"k1\"; };\n" \
	"sites = ( { name = \"ams\"; weight = 100; } );\n"                                                \
	"nodes = ( { name = \"n1\"; site = \"ams\"; driver = \"xdp\";\n"                                  \
	"            tunnel_source = [ \"10.1.255.0/24\" ]; ports = ( { interface = \"eth1\"; } ); } );\n"

/* What on_model saw. */
struct called {
	unsigned n;
	uint64_t document;
	char node[16];
};

static void note_model(void *arg, const struct model *m)
{
	struct called *c = arg;

	c->n++;
	c->document = m->meta.document;
	snprintf(c->node, sizeof(c->node), "%s", m->self ? m->self->name : "");
}

/* Here compiling ends before it begins, for want of the key: what is called was called before that. */
static void who_needs_the_document_has_it_before_it_is_compiled(void **state)
{
	static const struct {
		const char *text;
		int err;
		unsigned n;
	} cases[] = { { DOCUMENT, -EKEYREJECTED, 1 },
		      { "this is = not { a document", -EINVAL, 0 },
		      { NULL, -ENOENT, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char dir[] = "/tmp/weir-draft-XXXXXX";
		struct compiled_source from = make_source(cases[i].text, dir);
		struct called called = { 0 };
		struct compiled d;

		from.on_model = note_model;
		from.arg = &called;
		compiled_make(&from, &d);
		assert_int_equal(d.err, cases[i].err);
		assert_int_equal(called.n, cases[i].n);
		assert_null(d.plan);
		if (cases[i].n) {
			assert_int_equal(called.document, 7);
			assert_string_equal(called.node, "n1");
		}
		compiled_free(&d);
		remove_source(&from, dir);
	}
}

/* --- a document that is well --- */

static const char config[] =
        "schema = 1; cluster = { name = \"t\"; hash_key_file = \"hash.key\"; hash_key_id = \"k\"; };\n"
        "sites = ( { name = \"ams\"; } );\n"
        "nodes = ( { name = \"n1\"; site = \"ams\"; driver = \"xdp\"; ports = ( { interface = \"eth1\"; } ); "
        "tunnel_source = [ \"10.1.255.0/24\" ]; } );\n"
        "pools = ( { name = \"web\"; site = \"ams\"; "
        "backends = ( { name = \"a\"; address = \"10.1.0.5\"; } ); } );\n"
        "vips = ( { name = \"shop\"; site = \"ams\"; addresses = [ \"203.0.113.10\" ]; } );\n"
        "services = ( { name = \"web\"; protocol = \"tcp\"; port = 80; vip_check = \"none\"; "
        "at = ( { site = \"ams\"; vip = \"shop\"; pool = \"web\"; } ); },\n"
        "{ name = \"more\"; protocol = \"tcp\"; port = 81; vip_check = \"none\"; "
        "at = ( { site = \"ams\"; vip = \"shop\"; pool = \"web\"; } ); } );\n";

static void write_text(const char *dir, const char *name, const char *text)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, 0600), 0);
}

static void remove_text(const char *dir, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(unlink(path), 0);
}

/* Make the effective document of the text above, with what @p given says; its key is gone afterwards. */
static void write_effective(const struct compiled_source *from, const char *dir,
                            const struct model *given)
{
	struct model_errors errors;
	struct model *m = NULL;
	char path[64];

	write_text(dir, "hash.key", "00112233445566778899aabbccddeeff\n");
	write_text(dir, "weir.conf", config);
	snprintf(path, sizeof(path), "%s/weir.conf", dir);
	if (model_read_config(path, "n1", &m, &errors))
		fail_msg("%s: %s", errors.items[0].field, errors.items[0].message);
	model_errors_free(&errors);
	m->meta.document = 7;
	m->meta.written_ms = given->meta.written_ms;
	m->overrides = given->overrides;
	m->n_overrides = given->n_overrides;
	m->meta.hash_key = "0011223344556677"; /* of another key: so its absence is no error */
	assert_int_equal(model_write_effective(m, from->path), 0);
	model_free(m);
	remove_text(dir, "weir.conf");
	remove_text(dir, "hash.key");
}

static char calls[64];

static void call_model(void *arg, const struct model *m)
{
	assert_ptr_equal(arg, calls);
	snprintf(calls + strlen(calls), sizeof(calls) - strlen(calls), "model %llu ",
	         (unsigned long long)m->meta.document);
}

static void call_grace(struct driver *driver)
{
	assert_ptr_equal(driver, calls);
	strcat(calls, "grace ");
}

/* What is called, what is made, and why not. */
static void each_part_of_a_compiled_document(void **state)
{
	static const struct {
		bool has_before, has_driver;
		const char *said;
	} rows[] = {
		{ false, true,
		  "-129 \"no hash key to compile tables with: /hash.key does not exist; make it once for all nodes: openssl rand -hex 16\" -, called: model 7 " },
		{ true, true, "0 \"\" key plan rings spare, called: model 7 grace " },
		{ true, false, "0 \"\" key plan rings -, called: model 7 " },
	};
	const struct driver_ops ops = { .grace = call_grace };
	const struct model before = { .key_state = MODEL_KEY_GOOD, .hash_key = { 11, 12 } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char dir[] = "/tmp/weir-draft-XXXXXX", text[512];
		struct compiled_source from = make_source(NULL, dir);
		const uint64_t from_us = clock_mono_ns() / 1000;
		struct compiled d;
		uint64_t took_us;
		const char *at;

		write_effective(&from, dir, &(struct model){ 0 });
		from.before = rows[i].has_before ? &before : NULL;
		from.ops = &ops;
		from.driver = rows[i].has_driver ? (struct driver *)(void *)calls : NULL;
		from.on_model = call_model;
		from.arg = calls;
		calls[0] = '\0';
		compiled_make(&from, &d);
		took_us = clock_mono_ns() / 1000 - from_us + 1;
		assert_in_range(d.took.read_us, 1, took_us);
		assert_in_range(d.took.compile_us, d.plan ? 1 : 0, took_us);
		at = strstr(d.refusal, dir);
		snprintf(text, sizeof(text), "%d \"%.*s%s\" %s%s%s%s, called: %s", d.err,
		         at ? (int)(at - d.refusal) : 0, d.refusal,
		         at ? at + strlen(dir) : d.refusal,
		         d.model && d.model->hash_key[1] == 12 ? "key " : "", d.plan ? "plan " : "",
		         d.plan && d.plan->pools[0].rings[0] ? "rings " : "",
		         d.spare_is_free ? "spare" : "-", calls);
		if (strcmp(text, rows[i].said) != 0)
			fail_msg("row %zu: %s", i, text);
		compiled_free(&d);
		assert_null(d.model);
		assert_null(d.plan);
		assert_int_equal(d.refusal[0], '\0');
		remove_source(&from, dir);
	}
}

/*
 * A boot with a clock that lost an hour, before weir-mgmt says which time it is: what was commanded meanwhile holds, or
 * a backend that is disabled gets traffic. Once the time is known, the document's own counts no more.
 */
static void no_document_is_planned_for_a_time_before_it_was_written(void **state)
{
	static const int64_t half_hour_ms = 1800000;
	const int64_t now_ms = clock_believed_ms(), written_ms = now_ms + 2 * half_hour_ms;
	const struct model_override disabled = { .id = "o1",
		                                 .kind = MODEL_OVERRIDE_DISABLE,
		                                 .target = MODEL_TARGET_BACKEND,
		                                 .pool = "web",
		                                 .name = "a",
		                                 .created_ms = now_ms,
		                                 .from_ms = now_ms + half_hour_ms,
		                                 .until_ms = MODEL_TIME_NEVER,
		                                 .author = "ops",
		                                 .reason = "-",
		                                 .node = "n1" };
	const struct model given = { .meta.written_ms = written_ms,
		                     .overrides = &disabled,
		                     .n_overrides = 1 };
	const struct model before = { .key_state = MODEL_KEY_GOOD, .hash_key = { 11, 12 } };
	const struct {
		const char *why;
		int64_t least_ms;
		bool heard;
		uint8_t intent;
	} rows[] = {
		{ "the first document", 0, false, GUARD_DISABLED },
		{ "the document after another", written_ms - 1, false, GUARD_DISABLED },
		{ "weir-mgmt says another time", 0, true, GUARD_NOTHING },
		{ "the kernel's clock was confirmed since", written_ms, false, GUARD_NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char dir[] = "/tmp/weir-draft-XXXXXX";
		struct compiled_source from = make_source(NULL, dir);
		struct compiled d;

		print_message("  %s\n", rows[i].why);
		write_effective(&from, dir, &given);
		from.before = &before;
		from.believed = (struct believed){ .wall_clock.at_ms = now_ms,
			                           .least_ms = rows[i].least_ms,
			                           .heard = rows[i].heard };
		compiled_make(&from, &d);
		assert_int_equal(d.err, 0);
		assert_int_equal(d.plan->pools[0].backends[0].intent, rows[i].intent);
		compiled_free(&d);
		remove_source(&from, dir);
	}
}

SUITE(compiled)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_draft_that_cannot_be_made_says_why),
		cmocka_unit_test(who_needs_the_document_has_it_before_it_is_compiled),
		cmocka_unit_test(each_part_of_a_compiled_document),
		cmocka_unit_test(no_document_is_planned_for_a_time_before_it_was_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
