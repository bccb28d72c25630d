/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-health from its start to its end, with its own loop, files and sockets: a process of this
 * test is asked and given documents as weir-mgmt would do it. It stays root,
 * and system calls are not filtered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "base/proc.h"
#include "fixture.h"
#include "healthcheck/process.h"
#include "tests/unit/suite.h"
#include "weir/condition.h"
#include "weir/stats.h"

#define WAIT_MS 20000u
#define OFTEN                                                                                      \
	"type = \"tcp\"; interval = \"40ms\"; fast_interval = \"20ms\"; timeout = \"40ms\"; rise = 1; fall = 1;"
#define RARELY                                                                                     \
	"type = \"tcp\"; interval = \"60s\"; fast_interval = \"60s\"; timeout = \"40ms\"; rise = 1; fall = 1;"

static char state_dir[128], run_dir[128];
static pid_t child;
static int server = -1; /* b1 */

static const char *in_state(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", state_dir, name);
	return path;
}

static const char *in_run(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", run_dir, name);
	return path;
}

static int setup(void **state)
{
	setenv("WEIR_USERS", "none", 1);
	setenv("WEIR_SANDBOX", "none", 1);
	if (fixture_setup(state))
		return -1;
	snprintf(state_dir, sizeof(state_dir), "%s", fixture_path("state"));
	snprintf(run_dir, sizeof(run_dir), "%s", fixture_path("run"));
	return mkdir(state_dir, 0755) || mkdir(run_dir, 0755) ? -1 : 0;
}

static int teardown(void **state)
{
	char command[300];

	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		child = 0;
	}
	snprintf(command, sizeof(command), "rm -r %s %s", state_dir, run_dir);
	return system(command) || fixture_teardown(state);
}

static void start_process(void)
{
	child = fork();
	if (child == 0) {
		char name[] = "weir-health", run[] = "--run-dir", conf[] = "--state-dir",
		     node[] = "--node", own[] = "ams-1";
		char *argv[] = { name, run, run_dir, conf, state_dir, node, own, NULL };

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(server);
		_exit(health_main(7, argv));
	}
	assert_true(child > 0);
}

/* @return the exit code of the process, which has ended by itself; -1: it has not in time */
static int end_code(void)
{
	uint64_t until_ms = clock_mono_ms() + WAIT_MS;
	int status;

	while (clock_mono_ms() < until_ms) {
		if (waitpid(child, &status, WNOHANG) == child) {
			child = 0;
			return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
		}
		usleep(5000);
	}
	return -1;
}

/* What the process answers to "list"; NULL: nothing. */
static json_t *request_list(void)
{
	char *line = NULL;
	json_t *said = NULL;

	if (!ctl_request(in_run("health.ctl"), "{\"do\":\"list\"}", 2000, &line))
		said = json_loads(line, 0, NULL);
	free(line);
	return said;
}

/* The state of backend @p name in a list, "" where there is none; @p restored may be NULL. */
static const char *state_of(const json_t *said, const char *name, bool *restored)
{
	const json_t *rows = json_object_get(said, "targets"), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *is = json_string_value(json_object_get(row, "backend"));

		if (!is || strcmp(is, name) != 0)
			continue;
		if (restored)
			*restored = json_is_true(json_object_get(row, "restored"));
		return json_string_value(json_object_get(row, "state"));
	}
	return "";
}

/*
 * Wait until what is in force is @p document, and in it b1 is @p b1 and b2 @p b2 (NULL: whatever
 * they are).
 */
static void await_document(json_int_t document, const char *b1, const char *b2)
{
	uint64_t until_ms = clock_mono_ms() + WAIT_MS;
	bool is = false;

	while (!is && clock_mono_ms() < until_ms) {
		json_t *said = request_list();

		is = said && json_integer_value(json_object_get(said, "document")) == document &&
		     (!b1 || !strcmp(state_of(said, "b1", NULL), b1)) &&
		     (!b2 || !strcmp(state_of(said, "b2", NULL), b2));
		json_decref(said);
		if (!is)
			usleep(5000);
	}
	assert_true(is);
}

/* Give it the document of number @p number, as weir-mgmt writes it. */
static void write_document(const char *check, unsigned port, uint64_t number)
{
	struct model *m = fixture_model(check, port, "");

	m->meta.document = number;
	assert_int_equal(model_write_effective(m, in_state("effective.conf")), 0);
	model_free(m);
}

/* Serve at b1's address. @return the port */
static unsigned open_server(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);
	server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(inet_pton(AF_INET, "127.0.0.11", &at.sin_addr), 1);
	assert_int_equal(bind(server, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(server, 512), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&at, &n), 0);
	return ntohs(at.sin_port);
}

static bool file_has(const char *path, const char *text)
{
	char bytes[2000];
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(bytes, 1, sizeof(bytes) - 1, f) : 0;

	bytes[n] = '\0';
	if (f)
		fclose(f);
	return strstr(bytes, text) != NULL;
}

static void await_file(const char *path, const char *text)
{
	uint64_t until_ms = clock_mono_ms() + WAIT_MS;

	while (!file_has(path, text) && clock_mono_ms() < until_ms)
		usleep(5000);
	assert_true(file_has(path, text));
}

/* Whether it states that a document is refused, and of which document it speaks. */
static bool states_refusal(uint64_t *document)
{
	static struct conditions all;
	bool found = false;

	if (conditions_read(run_dir, "health", &all))
		return false;
	*document = all.document;
	for (uint32_t i = 0; i < all.n; i++)
		found |= !strcmp(all.items[i].code, "document-refused");
	return found;
}

static void await_refusal(bool wanted, uint64_t of)
{
	uint64_t until_ms = clock_mono_ms() + WAIT_MS, document = 0;

	while ((states_refusal(&document) != wanted || document != of) &&
	       clock_mono_ms() < until_ms)
		usleep(5000);
	assert_int_equal(states_refusal(&document), wanted);
	assert_int_equal(document, of);
}

static uint64_t read_gauge(const char *name)
{
	struct stats_reader *r;
	uint64_t value = UINT64_MAX;

	assert_int_equal(stats_reader_open(run_dir, "health", &r), 0);
	for (size_t i = 0; i < stats_reader_n(r); i++)
		if (!strcmp(stats_reader_entry(r, i)->name, name))
			value = stats_reader_entry(r, i)->value;
	stats_reader_close(r);
	return value;
}

static void await_gauge(const char *name, uint64_t wanted)
{
	uint64_t until_ms = clock_mono_ms() + WAIT_MS;

	while (read_gauge(name) != wanted && clock_mono_ms() < until_ms)
		usleep(5000);
	assert_int_equal(read_gauge(name), wanted);
}

/*
 * It waits for a first document, takes each that is written, and what is refused changes nothing.
 */
static void documents_are_taken_when_they_come(void **state)
{
	unsigned port = open_server();

	(void)state;
	start_process();
	uint64_t until_ms = clock_mono_ms() + WAIT_MS;
	json_t *said = NULL;

	while (!(said = request_list()) && clock_mono_ms() < until_ms)
		usleep(5000);
	assert_string_equal(json_string_value(json_object_get(said, "error")), "no document yet");
	json_decref(said);
	write_document(OFTEN, port, 7);
	await_document(7, "up", "down");
	await_file(in_state("health.verdicts"), "end 4");
	await_file(in_state("health.vips"), "127.0.0.14 0\n");
	await_gauge("weir_health_targets", 4);
	await_gauge("weir_health_targets_down", 3);
	assert_int_equal(read_gauge(STATS_JOB), 0); /* its start is over */
	await_refusal(false, 7);

	FILE *f = fopen(in_state("draft"), "we");
	assert_non_null(f);
	fputs("nonsense", f);
	assert_int_equal(fclose(f), 0);
	char draft[256];
	snprintf(draft, sizeof(draft), "%s", in_state("draft"));
	assert_int_equal(rename(draft, in_state("effective.conf")), 0);
	await_refusal(true, 7);
	await_document(7, "up", "down");
	write_document(OFTEN, port, 8);
	await_document(8, "up", "down");
	await_refusal(false, 8);
	close(server);
	await_document(8, "down", "down");
	await_gauge("weir_health_targets_down", 4);
	kill(child, SIGTERM);
	assert_int_equal(end_code(), 0);
	assert_int_equal(access(in_run("health.ctl"), F_OK), -1);
	assert_int_equal(access(in_run("health.page"), F_OK), 0); /* others go on with its words */
}

/*
 * What was known is kept over the end, even when the pages are gone, and no probe has to say it
 * again.
 */
static void verdicts_outlive_the_process(void **state)
{
	unsigned port = open_server();
	bool restored = false;
	json_t *said;

	(void)state;
	write_document(OFTEN, port, 3);
	start_process();
	await_file(in_state("health.verdicts"), "end 4");
	await_file(in_state("health.vips"), "end ");
	assert_int_equal(unlink(in_state("health.verdicts")), 0); /* the end writes it once more */
	assert_int_equal(unlink(in_state("health.vips")), 0);
	kill(child, SIGINT);
	assert_int_equal(end_code(), 0);
	assert_true(file_has(in_state("health.verdicts"), "end 4"));
	assert_true(file_has(in_state("health.vips"), "127.0.0.14 0\n"));
	close(server);
	assert_int_equal(unlink(in_run("health.page")), 0);
	write_document(RARELY, port, 4);
	start_process();
	await_document(4, "up", "down");
	said = request_list();
	assert_string_equal(state_of(said, "b1", &restored), "up");
	assert_true(restored);
	json_decref(said);
	kill(child, SIGTERM);
	assert_int_equal(end_code(), 0);
	assert_true(file_has(in_state("health.verdicts"), "end 4"));
}

/*
 * What stands on a page that somebody damaged is believed by nobody: the next process makes a new
 * one.
 */
static void a_damaged_page_ends_the_process_with_a_failure(void **state)
{
	unsigned port = open_server();

	(void)state;
	write_document(OFTEN, port, 5);
	start_process();
	await_document(5, "up", "down");
	await_file(in_state("health.verdicts"), "end 4");
	assert_int_equal(truncate(in_run("health.page"), 100), 0);
	assert_int_equal(end_code(), 1);
	assert_true(file_has(in_state("health.verdicts"), "end 4"));
	start_process();
	await_document(5, "up", "down");
	close(server);
}

SUITE(main_life)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(documents_are_taken_when_they_come),
		T(verdicts_outlive_the_process),
		T(a_damaged_page_ends_the_process_with_a_failure),
	};

	return cmocka_run_group_tests_name("health main life", tests, NULL, NULL);
}
