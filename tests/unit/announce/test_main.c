/* SPDX-License-Identifier: BSD-2-Clause */
/* How weir-announce starts, and what it says of a document that is refused; files are real. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "announce/daemon.h"
#include "announce/document.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/proc.h"
#include "weir/stats.h"

#include "tests/unit/descriptors.h"

#define PATIENCE_MS 10000u /* on a busy machine */

static char dir[64], done[128];
static struct document_thread *reader; /* NULL: none is open */

static void note_call(const char *what)
{
	size_t n = strlen(done);

	snprintf(done + n, sizeof(done) - n, "%s%s", n ? ", " : "", what);
}

static int edge_start(struct document_thread *t)
{
	assert_ptr_equal(t, reader);
	note_call("read");
	return 0;
}

static void edge_tick(struct document_thread *t)
{
	assert_ptr_equal(t, reader);
}

static void edge_beat(struct loop *l, uint64_t *word)
{
	assert_true(l && word);
	note_call("beat");
}

static void edge_end(struct stats *s, const char *job)
{
	assert_non_null(s);
	note_call(job);
}

static void edge_ready(void)
{
	note_call("ready");
}

static int edge_run(struct loop *l)
{
	assert_non_null(l);
	note_call("run");
	return 0;
}

static int watch_error;
static char watched[128]; /* the addresses that are to be watched */

/* As the real one, or without memory. */
static int edge_watch(struct daemon *d, const struct addr *vips, size_t n)
{
	assert_non_null(d);
	*watched = 0;
	for (size_t i = 0; i < n; i++) {
		char text[ADDR_TEXT_MAX];
		size_t at = strlen(watched);

		snprintf(watched + at, sizeof(watched) - at, "%s%s", at ? " " : "",
		         addr_text(&vips[i], text));
	}
	return watch_error ? watch_error : daemon_watch(d, vips, n);
}

int weir_main(int argc, char **argv);

#define document_start edge_start
#define document_tick  edge_tick
#define loop_beat      edge_beat
#define stats_job_end  edge_end
#define proc_ready     edge_ready
#define loop_run       edge_run
#define daemon_watch   edge_watch
#define main           weir_main
#include "announce/main.c"
#undef main
#undef loop_run
#undef daemon_watch

static struct announce_process process;

static int make_directory(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-announce-XXXXXX");
	*done = 0;
	reader = NULL;
	process = (struct announce_process){ .announcer.dataplane_fd = -1 };
	if (!mkdtemp(dir))
		return -1;
	snprintf(process.dirs.run, sizeof(process.dirs.run), "%s", dir);
	snprintf(process.dirs.state, sizeof(process.dirs.state), "%s", dir);
	snprintf(process.announcer.run_dir, sizeof(process.announcer.run_dir), "%s", dir);
	return 0;
}

static int remove_directory(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void without_its_pages_it_does_not_start(void **state)
{
	(void)state;
	snprintf(process.dirs.run, sizeof(process.dirs.run), "%.60s/none", dir);
	assert_int_equal(open_pages(&process), -ENOENT);
	assert_null(process.announcer.stats);
}

/* Who sees no job expects turns of the loop. */
static void the_start_ends_when_turns_are_counted(void **state)
{
	struct announcer *a = &process.announcer;

	(void)state;
	assert_int_equal(open_pages(&process), 0);
	assert_int_equal(loop_open(&a->loop), 0);
	assert_int_equal(run_announcements(&process), 0);
	assert_string_equal(done, "read, beat, start, ready, run");
	close_announcements(&process);
}

static void a_refused_document_says_what_is_in_force(void **state)
{
	static const struct model_node node = { .name = "mid" };
	struct model model = { .self = &node, .meta.document = 7 };
	struct conditions *seen = malloc(sizeof(*seen));

	(void)state;
	assert_non_null(seen);
	assert_int_equal(open_pages(&process), 0);
	strcpy(process.refused, "line 1: what");
	for (unsigned i = 0; i < 2; i++) {
		process.announcer.model = i ? &model : NULL;
		state_conditions(&process);
		assert_int_equal(conditions_read(dir, "announce", seen), 0);
		assert_int_equal(seen->document, i ? 7 : 0);
		assert_string_equal(seen->items[0].code, "document-refused");
		assert_string_equal(
		        seen->items[0].text,
		        i ? "the newest document is refused, the one before stays in force: "
		            "line 1: what"
		          : "the newest document is refused, none is in force, and announcements "
		            "stay as they are: line 1: what");
	}
	*process.refused = 0;
	state_conditions(&process);
	assert_int_equal(conditions_read(dir, "announce", seen), 0);
	for (uint32_t i = 0; i < seen->n; i++)
		assert_string_not_equal(seen->items[i].code, "document-refused");
	stats_close(process.announcer.stats);
	announced_close(process.announcer.page);
	free(process.announcer.left);
	free(seen);
}

/* What a document says of the daemon holds until the next one; the trouble of one is not the next's. */
static void each_document_says_which_daemon_is_followed(void **state)
{
	char longest[200];
	const struct {
		const char *why;
		enum model_daemon daemon;
		const char *path;
		int error;
		const char *subject, *text; /* of the condition "routing-daemon"; NULL: none */
	} rows[] = {
		{ "none", MODEL_DAEMON_NONE, "", 0, NULL, NULL },
		{ "BIRD", MODEL_DAEMON_BIRD, "/none/bird", 0, "bird",
		  "the routing daemon is absent, so what it announces is unknown: not asked yet" },
		{ "a path that is too long", MODEL_DAEMON_BIRD, longest, -ENAMETOOLONG, "bird",
		  "the routing daemon cannot be asked, so what it announces is unknown: "
		  "File name too long" },
		{ "none again", MODEL_DAEMON_NONE, "", 0, NULL, NULL },
		{ "FRR, too long", MODEL_DAEMON_FRR, longest, -ENAMETOOLONG, "frr",
		  "the routing daemon cannot be asked, so what it announces is unknown: "
		  "File name too long" },
		{ "FRR", MODEL_DAEMON_FRR, "/none/frr", 0, "frr",
		  "the routing daemon is absent, so what it announces is unknown: not asked yet" },
		{ "BIRD at the same path", MODEL_DAEMON_BIRD, "/none/frr", 0, "bird",
		  "the routing daemon is absent, so what it announces is unknown: not asked yet" },
	};
	struct model_node node = { .name = "mid" };
	struct model model = { .self = &node, .meta.document = 7 };
	struct announcer *a = &process.announcer;
	struct conditions *seen = malloc(sizeof(*seen));

	(void)state;
	assert_non_null(seen);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(open_pages(&process), 0);
	assert_int_equal(loop_open(&a->loop), 0);
	a->model = &model;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct condition *c = NULL;

		node.announce.daemon = rows[i].daemon;
		node.announce.socket = rows[i].path;
		open_daemon(&process);
		state_conditions(&process);
		assert_int_equal(conditions_read(dir, "announce", seen), 0);
		for (uint32_t k = 0; k < seen->n; k++)
			if (!strcmp(seen->items[k].code, "routing-daemon"))
				c = &seen->items[k];
		if (a->daemon_error != rows[i].error || !c != !rows[i].text ||
		    (c && (strcmp(c->subject, rows[i].subject) != 0 ||
		           strcmp(c->text, rows[i].text) != 0)))
			fail_msg("%s: error %d, %s, %s", rows[i].why, a->daemon_error,
			         c ? c->subject : "none", c ? c->text : "");
		assert_int_equal(a->daemon != NULL, rows[i].daemon && !rows[i].error);
	}
	a->model = NULL;
	close_announcements(&process);
	free(seen);
}

/* Pages of this process that are mapped. */
static unsigned count_maps(void)
{
	char line[512];
	unsigned n = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, dir) != NULL;
	assert_int_equal(fclose(f), 0);
	return n;
}

/* All that its start opens, its end closes: what stays open hides what is left open by mistake. */
static void its_end_leaves_nothing_open(void **state)
{
	unsigned before = count_descriptors();

	(void)state;
	assert_int_equal(count_maps(), 0);
	assert_int_equal(open_pages(&process), 0);
	assert_int_equal(open_loop(&process), 0);
	assert_true(count_descriptors() > before);
	assert_true(count_maps() >= 2); /* its own page, and that of counters */
	close_announcements(&process);
	assert_int_equal(count_descriptors(), before);
	assert_int_equal(count_maps(), 0);
}

/* Addresses that cannot be watched make the daemon one that cannot be asked, until the next document. */
static void addresses_that_are_not_watched_are_said(void **state)
{
	static const int errors[] = { 0, -ENOMEM, -EIO, 0 };
	struct model_node node = {
		.name = "mid", .announce = { .daemon = MODEL_DAEMON_BIRD, .socket = "/none/bird" }
	};
	struct model model = { .self = &node, .meta.document = 7 };
	struct announcer *a = &process.announcer;
	struct conditions *seen = malloc(sizeof(*seen));
	struct announce_row rows[2] = { 0 };

	(void)state;
	assert_non_null(seen);
	assert_int_equal(addr_parse("192.0.2.7", &rows[0].intended.address), 0);
	assert_int_equal(addr_parse("2001:db8::7", &rows[1].intended.address), 0);
	assert_int_equal(open_pages(&process), 0);
	assert_int_equal(loop_open(&a->loop), 0);
	a->model = &model;
	open_daemon(&process);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		char text[128];
		const char *said = NULL;

		watch_error = errors[i];
		a->rows = rows;
		a->n_rows = i % 3;
		watch_addresses(a);
		a->rows = NULL;
		a->n_rows = 0;
		assert_string_equal(watched, i % 3 == 0   ? ""
		                             : i % 3 == 1 ? "192.0.2.7"
		                                          : "192.0.2.7 2001:db8::7");
		assert_int_equal(a->daemon_error, errors[i]);
		state_conditions(&process);
		assert_int_equal(conditions_read(dir, "announce", seen), 0);
		for (uint32_t k = 0; k < seen->n; k++)
			if (!strcmp(seen->items[k].code, "routing-daemon"))
				said = seen->items[k].text;
		snprintf(text, sizeof(text),
		         "the routing daemon %s, so what it announces is unknown: %s",
		         errors[i] ? "cannot be asked" : "is absent",
		         errors[i] ? strerror(-errors[i]) : "not asked yet");
		assert_non_null(said);
		assert_string_equal(said, text);
	}
	a->model = NULL;
	close_announcements(&process);
	free(seen);
}

/* --- all that the loop calls, with a real loop --- */

static struct loop_timer look;
static uint64_t until_ms;

/* Run the loop until something was noted. */
static void look_whether_noted(void *arg)
{
	struct loop *l = arg;

	if (*done || clock_mono_ms() > until_ms)
		loop_stop(l);
	else
		loop_timer_set(l, &look, clock_mono_ms() + 1);
}

static void open_all(void)
{
	struct loop *l;

	assert_int_equal(open_pages(&process), 0);
	assert_int_equal(open_loop(&process), 0);
	reader = process.reader;
	assert_non_null(reader);
	l = process.announcer.loop;
	look = (struct loop_timer){ .cb = look_whether_noted, .arg = l };
	until_ms = clock_mono_ms() + PATIENCE_MS;
	assert_int_equal(loop_timer_set(l, &look, 0), 0);
}

static void write_document(const char *name)
{
	char path[128], into[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/new", dir);
	snprintf(into, sizeof(into), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(path, into), 0);
}

static void a_document_that_is_written_is_read(void **state)
{
	(void)state;
	open_all();
	for (int i = 0; i < 2; i++) { /* and the one after it */
		*done = 0;
		write_document("effective.conf");
		loop_timer_set(process.announcer.loop, &look, 0);
		assert_int_equal(loop_run(process.announcer.loop), 0);
		assert_string_equal(done, "read");
	}
	close_announcements(&process);
}

static void a_signal_ends_the_loop(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT };

	(void)state;
	open_all();
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		assert_int_equal(loop_timer_set(process.announcer.loop, &look, 0), 0);
		assert_int_equal(raise(signals[i]), 0);
		assert_int_equal(loop_run(process.announcer.loop), 0);
		assert_true(clock_mono_ms() < until_ms);
	}
	close_announcements(&process);
}

static void a_client_finds_its_socket(void **state)
{
	char path[128];
	struct stat st;

	(void)state;
	open_all();
	snprintf(path, sizeof(path), "%s/announce.ctl", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	close_announcements(&process);
}

#define T(name) cmocka_unit_test_setup_teardown(name, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(without_its_pages_it_does_not_start),
		T(the_start_ends_when_turns_are_counted),
		T(a_refused_document_says_what_is_in_force),
		T(each_document_says_which_daemon_is_followed),
		T(addresses_that_are_not_watched_are_said),
		T(its_end_leaves_nothing_open),
		T(a_document_that_is_written_is_read),
		T(a_signal_ends_the_loop),
		T(a_client_finds_its_socket),
	};

	return cmocka_run_group_tests_name("announce main", tests, NULL, NULL);
}
