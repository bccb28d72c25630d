/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checker's process: what it keeps, when it looks again, and what it says. Its edges are in
 * the test's hands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "healthcheck/checker.h"
#include "healthcheck/keep.h"
#include "weir/condition.h"
#include "weir/probe.h"
#include "weir/stats.h"

static int read_says, take_says;
static size_t n_saved_taken;
static char said[512], written[256];
static bool is_sound = true;
static unsigned n_stops;
static uint64_t timers[2];

int weir_main(int argc, char **argv);

static int fake_read(const char *path, const char *node, struct model **out,
                     struct model_errors *errors);
static int fake_take(struct checker *c, struct model *m, const struct saved_word *saved, size_t n);
static void fake_add(struct stats *s, const char *code, enum condition_level level,
                     const char *subject, const char *format, ...)
        __attribute__((format(printf, 5, 6)));
static int fake_write(const char *path, const char *text, size_t n);

#include "base/page.h"
#include "base/loop.h"
static bool fake_sound(const struct page *p)
{
	(void)p;
	return is_sound;
}

static void fake_stop(struct loop *l)
{
	(void)l;
	n_stops++;
}

static int fake_timer(struct loop *l, struct loop_timer *t, uint64_t at_ms);

#define main                           weir_main
#define model_read_without_key         fake_read
#define checker_apply_model            fake_take
#define conditions_begin(s, d)         ((void)(s), (void)(d))
#define conditions_add                 fake_add
#define conditions_end(s)              ((void)(s))
#define conditions_of_vips(t, s)       ((void)(s))
#define conditions_of_unheard(t, n, s) ((void)(s))
#define keep_write_text                fake_write
#define page_is_sound                  fake_sound
#define page_alive(p, n)               ((void)(p), (void)(n))
#define loop_stop                      fake_stop
#define loop_timer_set                 fake_timer
#define stats_alive(s, n)              ((void)(s), (void)(n))
#define stats_job_begin(...)           ((void)0)
#define stats_job_end(...)             ((void)0)
#include "healthcheck/main.c"
#undef main

static struct health_process process;

static int fake_timer(struct loop *l, struct loop_timer *t, uint64_t at_ms)
{
	(void)l;
	timers[t == &process.save] = at_ms;
	return 0;
}

static int fake_read(const char *path, const char *node, struct model **out,
                     struct model_errors *errors)
{
	static struct model m = { .meta = { .document = 12 } };
	static struct model_error item = { .file = "f", .field = "x", .message = "no such pool" };

	(void)path;
	(void)node;
	*out = read_says ? NULL : &m;
	if (read_says == -EINVAL) {
		errors->items = &item;
		errors->n_items = errors->n_total = 1;
	}
	return read_says;
}

static int fake_take(struct checker *c, struct model *m, const struct saved_word *saved, size_t n)
{
	static struct targets none;

	(void)m;
	assert_int_equal(saved != NULL, n != 0);
	n_saved_taken = n;
	if (!take_says)
		c->targets = &none;
	return take_says;
}

static void fake_add(struct stats *s, const char *code, enum condition_level level,
                     const char *subject, const char *format, ...)
{
	size_t n = strlen(said);
	va_list list;

	(void)s;
	(void)level;
	(void)subject;
	n += (size_t)snprintf(said + n, sizeof(said) - n, "%s: ", code);
	va_start(list, format);
	vsnprintf(said + n, sizeof(said) - n, format, list);
	va_end(list);
}

static int fake_write(const char *path, const char *text, size_t n)
{
	(void)path;
	snprintf(written, sizeof(written), "%.*s", (int)n, text);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&process, 0, sizeof(process));
	process.saved = calloc(2, sizeof(*process.saved));
	process.n_saved = 2;
	read_says = take_says = 0;
	n_saved_taken = 0;
	said[0] = written[0] = '\0';
	is_sound = true;
	n_stops = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(process.saved);
	vips_fini(&process.checker.vips);
	return 0;
}

static const char *adopt_and_log(void)
{
	said[0] = '\0';
	adopt_document(&process);
	return said;
}

static void a_refused_document_is_said_until_a_good_one_comes(void **state)
{
	(void)state;
	read_says = -ENOENT;
	assert_string_equal(adopt_and_log(), ""); /* none is there yet */
	read_says = -EINVAL;
	assert_non_null(strstr(adopt_and_log(), "no such pool"));
	assert_int_equal(process.in_force, 0);
	read_says = 0;
	assert_string_equal(adopt_and_log(), "");
	assert_int_equal(process.in_force, 12);
	read_says = -EIO;
	assert_non_null(strstr(adopt_and_log(), "document-refused"));
	assert_int_equal(process.in_force, 12); /* the one before stays */
	read_says = 0;
	take_says = -E2BIG;
	assert_non_null(strstr(adopt_and_log(), strerror(E2BIG)));
	read_says = -ENOENT;
	assert_string_equal(adopt_and_log(), "");
}

/* What may pass is tried again when it is due, and what another document must mend is not. Each twice. */
static void a_document_that_is_refused_for_want_is_tried_again(void **state)
{
	static const struct {
		int read, take;
		bool again;
	} cases[] = { { -EMFILE, 0, true },
		      { 0, -ENOMEM, true },
		      { -EINVAL, 0, false },
		      { 0, -E2BIG, false },
		      { -ENOENT, 0, false } };

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t k = i / 2;
		uint64_t now_ms = clock_mono_ms();

		process.in_force = 0;
		read_says = cases[k].read;
		take_says = cases[k].take;
		adopt_and_log();
		assert_int_equal(process.again_ms != 0, cases[k].again);
		assert_true(!process.again_ms || process.again_ms >= now_ms + AGAIN_MS);
		read_says = take_says = 0;
		retry_document(&process, now_ms + AGAIN_MS - 1);
		assert_int_equal(process.in_force, 0); /* it is not due yet */
		retry_document(&process, clock_mono_ms() + AGAIN_MS);
		assert_int_equal(process.in_force, cases[k].again ? 12 : 0);
		assert_int_equal(process.again_ms, 0);
	}
}

/*
 * A backend that comes back later begins with nothing: what was saved before it went says nothing
 * of it.
 */
static void what_was_saved_counts_for_the_first_document_alone(void **state)
{
	(void)state;
	take_says = -ENOMEM;
	adopt_and_log();
	assert_int_equal(n_saved_taken, 2);
	take_says = 0;
	adopt_and_log(); /* it was refused before: this is the first */
	assert_int_equal(n_saved_taken, 2);
	adopt_and_log();
	assert_int_equal(n_saved_taken, 0);
}

/* An empty record would make each VIP a new one, which gets no traffic until it was seen up. */
static void vips_that_nobody_knows_are_not_kept(void **state)
{
	static const struct addr address = { { 0x20, 1, 0xd, 0xb8, [15] = 1 } };

	(void)state;
	save_vips_now(&process);
	assert_string_equal(written, "");
	process.checker.vips.known = true;
	vips_note(&process.checker.vips, &address, 80);
	save_vips_now(&process);
	assert_non_null(strstr(written, "2001:db8::1 80\n"));
}

static void a_write_that_is_due_stays_due(void **state)
{
	struct keep_writer idle = { 0 };
	bool changed = true;

	(void)state;
	assert_int_equal(keep_poll(&idle, &changed), 0);
	assert_true(changed);
	changed = false;
	assert_int_equal(keep_poll(&idle, &changed), 0);
	assert_false(changed);
}

static void a_damaged_page_ends_the_process_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(n_stops, 0);
	is_sound = false;
	on_tick(&process);
	assert_int_equal(n_stops, 1);
	assert_true(process.failed);
}

static void tunnels_that_are_waited_for_are_looked_for_soon(void **state)
{
	struct target_path path = { .spec = { .mark = 5 } };
	struct target item = { .paths = &path, .since_document = 3 };
	struct targets targets = { .items = &item, .n = 1 };
	uint64_t document = 2;

	(void)state;
	process.checker.targets = &targets;
	process.checker.gate.document = &document;
	assert_true(tunnels_missing(&process.checker));
	document = 3;
	assert_false(tunnels_missing(&process.checker));
	document = 2;
	path.spec.mark = 0; /* probed at its own address */
	assert_false(tunnels_missing(&process.checker));
	process.checker.targets = NULL;
	assert_false(tunnels_missing(&process.checker));
}

static void targets_that_are_down_or_have_no_vote_are_counted(void **state)
{
	uint64_t n_down = 9, n_unproven = 9, n = 9;
	struct target items[6] = { { .verdict = verdict_of(HEALTH_DOWN) },
		                   { .verdict = verdict_of(HEALTH_UP) },
		                   { .verdict = verdict_of(HEALTH_DOWN), .unproven = true },
		                   { .verdict = verdict_of(HEALTH_DOWN) },
		                   { .verdict = verdict_of(HEALTH_UP) },
		                   { .verdict = verdict_of(HEALTH_UNKNOWN) } };
	struct targets targets = { .items = items, .n = 6 };
	struct checker c = { .targets = &targets,
		             .counters = {
		                     .n_unproven = &n_unproven, .targets = &n, .down = &n_down } };

	(void)state;
	publish_target_counts(&c);
	assert_int_equal(n, 6);
	assert_int_equal(n_down, 2);
	assert_int_equal(n_unproven, 1);
	c.targets = NULL;
	publish_target_counts(&c);
	assert_int_equal(n + n_down + n_unproven, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_refused_document_is_said_until_a_good_one_comes),
		T(a_document_that_is_refused_for_want_is_tried_again),
		T(what_was_saved_counts_for_the_first_document_alone),
		T(vips_that_nobody_knows_are_not_kept),
		T(a_write_that_is_due_stays_due),
		T(a_damaged_page_ends_the_process_and_nothing_else),
		T(tunnels_that_are_waited_for_are_looked_for_soon),
		T(targets_that_are_down_or_have_no_vote_are_counted),
	};

	return cmocka_run_group_tests_name("health main", tests, NULL, NULL);
}
