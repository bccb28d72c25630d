/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How often documents are read, and which one last (announce/document.c), with real threads and files. A call of the
 * system fails where a step says so.
 */
#include <dirent.h>
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

#include "announce/document.h"
#include "base/clock.h"
#include "base/loop.h"
#include "tests/unit/calls.h"
#include "tests/unit/suite.h"

static const char form[] =
        "effective = { version = \"1\"; digest = \"\"; document = \"%u\"; written = \"never\"; };\n"
        "schema = 1; cluster = { name = \"c\"; hash_key_file = \"/k\"; hash_key_id = \"k\"; };\n"
        "sites = ( { name = \"s\"; } );\n"
        "nodes = ( { name = \"n\"; site = \"s\"; ports = ( { interface = \"e\"; } ); "
        "tunnel_source = [ \"10.0.0.0/24\" ]; } );\n";

static char path[64];
static struct loop *loop;
static struct document_thread *thread;
static char told[256]; /* of each call: the document's number, or its error */
static unsigned n_told, n_wanted;
static int answers[4];      /* what the callee says to the first ones; then 0 */
static struct model *taken; /* by the callee, if it takes one */
static bool takes;

static int note_document(void *arg, struct document_read *d)
{
	const size_t n = strlen(told);

	assert_ptr_equal(arg, &loop);
	if (d->err)
		snprintf(told + n, sizeof(told) - n, "%s with %zu errors%s. ", strerror(-d->err),
		         d->errors.n_items, d->model ? " and a model" : "");
	else
		snprintf(told + n, sizeof(told) - n, "%llu for %s. ",
		         (unsigned long long)d->model->meta.document, d->model->self->name);
	if (takes && d->model) {
		model_free(taken);
		taken = d->model;
		d->model = NULL;
	}
	if (++n_told == n_wanted)
		loop_stop(loop);
	return n_told <= 4 && answers[n_told - 1] ? answers[n_told - 1] : d->err;
}

static void write_document(unsigned number)
{
	char new[96];
	FILE *f;

	snprintf(new, sizeof(new), "%s.new", path);
	f = fopen(new, "w");
	assert_non_null(f);
	if (number)
		fprintf(f, form, number);
	else
		fputs("no document", f);
	fclose(f);
	assert_int_equal(rename(new, path), 0);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

/* Until @p n more are told, and no further one comes. What it told is `told`. */
static void hear_documents(unsigned n)
{
	struct loop_timer end = { .cb = stop_loop, .arg = loop };

	*told = 0;
	n_told = 0;
	for (int rest = 0; rest < 2; rest++) {
		n_wanted = rest ? 0 : n;
		if (!rest && !n)
			continue;
		assert_int_equal(loop_timer_set(loop, &end, clock_mono_ms() + (rest ? 40 : 10000)),
		                 0);
		assert_int_equal(loop_run(loop), 0);
		loop_timer_cancel(loop, &end);
	}
	assert_int_equal(n_told, n);
}

static int open_document(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/weir-document.%d", getpid());
	memset(answers, 0, sizeof(answers));
	takes = false;
	taken = NULL;
	return loop_open(&loop) || document_open(loop, path, "n", note_document, &loop, &thread);
}

static int close_document(void **state)
{
	(void)state;
	document_close(thread);
	loop_close(loop);
	model_free(taken);
	unlink(path);
	return 0;
}

static void each_document_is_told_as_it_is(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		takes = round;
		write_document(7 + round);
		assert_int_equal(document_start(thread), 0);
		hear_documents(1);
		assert_string_equal(told, round ? "8 for n. " : "7 for n. ");
		write_document(0);
		assert_int_equal(document_start(thread), 0);
		hear_documents(1);
		assert_string_equal(told, "Invalid argument with 1 errors. ");
		unlink(path);
		assert_int_equal(document_start(thread), 0);
		hear_documents(1);
		assert_string_equal(told, "No such file or directory with 1 errors. ");
		document_tick(thread);
		hear_documents(0);
	}
	assert_int_equal(taken->meta.document, 8);
}

/* However often it is wanted meanwhile, it is read once more, and then it is the newest. */
static void what_is_wanted_meanwhile_is_read_once_more(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		write_document(3);
		assert_int_equal(document_start(thread), 0);
		write_document(4);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(document_start(thread), 0);
		document_tick(thread); /* one is read already */
		hear_documents(2);
		assert_string_equal(strchr(told, '.'), ". 4 for n. ");
		document_tick(thread);
		hear_documents(0);
	}
}

/* Of two, the last one decides whether there is another try. */
static void the_last_answer_decides_about_another_try(void **state)
{
	(void)state;
	write_document(3);
	for (unsigned last = 0; last < 2; last++) {
		answers[last] = -EAGAIN;
		answers[!last] = 0;
		assert_int_equal(document_start(thread), 0);
		assert_int_equal(document_start(thread), 0);
		hear_documents(2);
		memset(answers, 0, sizeof(answers));
		document_tick(thread);
		hear_documents(last);
		document_tick(thread);
		hear_documents(0);
	}
}

/* The second thread does not start: what was read is announced, and the tick reads again. */
static void a_second_reading_that_does_not_start_comes_with_the_tick(void **state)
{
	(void)state;
	write_document(5);
	assert_int_equal(document_start(thread), 0);
	assert_int_equal(document_start(thread), 0);
	calls_fail("pthread_create", 1, EAGAIN, false);
	hear_documents(1);
	assert_int_equal(calls_end(), 1);
	assert_string_equal(told, "5 for n. ");
	document_tick(thread);
	hear_documents(1);
	assert_string_equal(told, "5 for n. ");
	document_tick(thread);
	hear_documents(0);
}

/* Or the loop would never hear of the document. */
static void an_interrupted_word_to_the_loop_is_said_again(void **state)
{
	(void)state;
	write_document(5);
	calls_fail("write", 1, EINTR, false);
	assert_int_equal(document_start(thread), 0);
	hear_documents(1);
	assert_int_equal(calls_end(), 1);
	assert_string_equal(told, "5 for n. ");
}

static unsigned count_entries(const char *folder)
{
	DIR *d = opendir(folder);
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Also while a document is read; the same descriptors can be watched again. */
static void nothing_stays_open_after_the_end(void **state)
{
	const unsigned n = count_entries("/proc/self/fd");

	(void)state;
	write_document(5);
	for (unsigned i = 0; i < 8; i++) {
		struct document_thread *d;

		assert_int_equal(document_open(loop, path, "n", note_document, &loop, &d), 0);
		assert_int_equal(count_entries("/proc/self/fd"), n + 1);
		if (i % 2)
			assert_int_equal(document_start(d), 0);
		document_close(d);
		assert_int_equal(count_entries("/proc/self/fd"), n);
		assert_int_equal(count_entries("/proc/self/task"), 3);
	}
	document_close(NULL);
	hear_documents(0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, open_document, close_document)

SUITE(document)
{
	const struct CMUnitTest tests[] = {
		T(each_document_is_told_as_it_is),
		T(what_is_wanted_meanwhile_is_read_once_more),
		T(the_last_answer_decides_about_another_try),
		T(a_second_reading_that_does_not_start_comes_with_the_tick),
		T(an_interrupted_word_to_the_loop_is_said_again),
		T(nothing_stays_open_after_the_end),
	};

	return cmocka_run_group_tests_name("announce document", tests, NULL, NULL);
}
