/* SPDX-License-Identifier: BSD-2-Clause */
/* Compiled documents (dataplane/tables/compiled.c), made by a thread while the loop goes on. */
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

#include "base/loop.h"
#include "dataplane/tables/compiled.h"

/* What came of one draft. */
struct seen {
	struct loop *loop;
	unsigned n;
	int err;
	size_t errors;
};

static void on_done(void *arg, struct compiled *d)
{
	struct seen *s = arg;

	s->n++;
	s->err = d->err;
	s->errors = d->errors.n_total;
	loop_stop(s->loop);
}

/*
 * A document that has changed meanwhile: the next draft is started as soon as one is done, and is
 * quick.
 */
struct chain {
	struct seen seen;
	struct compiled_thread *thread;
	const struct compiled_source *from;
	int errs[3];
};

static void on_done_again(void *arg, struct compiled *d)
{
	struct chain *c = arg;

	assert_in_range(c->seen.n, 0, 2);
	c->errs[c->seen.n++] = d->err;
	assert_true(d->err || d->model);
	if (c->seen.n == 3)
		loop_stop(c->seen.loop);
	else
		assert_int_equal(compiled_thread_start(c->thread, c->from), 0);
	usleep(100000); /* the thread ends before its predecessor's draft is freed */
	assert_int_equal(d->err, c->errs[0]);
}

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
		struct seen s = { 0 };
		struct compiled_thread *d;

		assert_int_equal(loop_open(&s.loop), 0);
		assert_int_equal(compiled_thread_open(s.loop, on_done, &s, &d), 0);
		assert_int_equal(compiled_thread_start(d, &from), 0);
		assert_int_equal(compiled_thread_start(d, &from), -EBUSY);
		assert_int_equal(loop_run(s.loop), 0);
		assert_int_equal(s.n, 1);
		assert_int_equal(s.err, cases[i].err);
		assert_true(s.errors > 0);
		assert_int_equal(compiled_thread_start(d, &from), 0); /* the next one may begin */
		compiled_thread_close(d); /* and need not be waited for */
		loop_close(s.loop);
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

static void a_draft_may_be_started_by_the_one_before(void **state)
{
	char dir[] = "/tmp/weir-draft-XXXXXX";
	struct compiled_source from = make_source("this is = not { a document", dir);
	struct chain c = { .from = &from };

	(void)state;
	assert_int_equal(loop_open(&c.seen.loop), 0);
	assert_int_equal(compiled_thread_open(c.seen.loop, on_done_again, &c, &c.thread), 0);
	assert_int_equal(compiled_thread_start(c.thread, &from), 0);
	assert_int_equal(loop_run(c.seen.loop), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(c.errs[i], -EINVAL);
	compiled_thread_close(c.thread);
	loop_close(c.seen.loop);
	remove_source(&from, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_draft_that_cannot_be_made_says_why),
		cmocka_unit_test(who_needs_the_document_has_it_before_it_is_compiled),
		cmocka_unit_test(a_draft_may_be_started_by_the_one_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
