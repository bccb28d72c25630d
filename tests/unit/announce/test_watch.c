/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that drives DPDK: its end withdraws, whatever hides it. Processes are real. */
#include "round_scene.h"
#include "tests/unit/suite.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

static pid_t child;

static int start_watch(void **state)
{
	int err = start_scene(state);

	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	strcpy(proved.node.driver, "dpdk");
	proved.node.writer_pid = (uint64_t)child;
	return err || child < 0;
}

static void end_child(void)
{
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	child = -1;
}

static int end_watch(void **state)
{
	end_child();
	return end_scene(state);
}

static void stop_loop(void *arg)
{
	loop_stop(arg);
}

/* Let the loop see what has happened. */
static void turn_loop(void)
{
	struct loop_timer end = { .cb = stop_loop, .arg = a.loop };

	loop_timer_set(a.loop, &end, loop_now_ms(a.loop) + 100);
	assert_int_equal(loop_run(a.loop), 0);
	loop_timer_cancel(a.loop, &end);
}

/* What is logged from begin_log() on. */
static FILE *logged;
static int own_stderr;

static void begin_log(void)
{
	own_stderr = dup(STDERR_FILENO);
	logged = tmpfile();
	assert_true(own_stderr >= 0 && logged);
	assert_true(dup2(fileno(logged), STDERR_FILENO) >= 0);
}

/* What was logged since begin_log(), until the next end_log(). */
static const char *end_log(void)
{
	static char text[4096];

	assert_true(dup2(own_stderr, STDERR_FILENO) >= 0);
	close(own_stderr);
	rewind(logged);
	text[fread(text, 1, sizeof(text) - 1, logged)] = '\0';
	fclose(logged);
	print_message("%s", text);
	return text;
}

/* The log until now has @p line once, and its event in no other line. */
static void expect_logged_once(const char *line)
{
	const char *text = end_log(), *at = strstr(text, line);
	char event[32];

	snprintf(event, sizeof(event), "%.*s", (int)strcspn(line, " "), line);
	assert_non_null(at);
	assert_ptr_equal(strstr(text, event), at);
	assert_null(strstr(at + 1, event));
}

/* The end of process @p pid is logged once. */
static void expect_end_logged(pid_t pid)
{
	char line[160];

	snprintf(line, sizeof(line),
	         "dataplane-ended pid=%d driver=dpdk effect=\"its routes are withdrawn\"",
	         (int)pid);
	expect_logged_once(line);
}

/* That process @p pid cannot be watched, for want of descriptors, is logged once. */
static void expect_want_logged(pid_t pid)
{
	char line[160];

	snprintf(line, sizeof(line),
	         "dataplane-unwatched pid=%d error=\"Too many open files\" "
	         "effect=\"weir-announce looks ten times a second whether it still runs\"",
	         (int)pid);
	expect_logged_once(line);
}

/* Read the page while no process is named that is to be watched: later there are no descriptors for that. */
static void read_page_of_nobody(void)
{
	*proved.node.driver = '\0';
	run_rounds(1);
	strcpy(proved.node.driver, "dpdk");
}

static void its_end_withdraws(void **state)
{
	pid_t pid = child;

	(void)state;
	announce_and_wait();
	assert_true(a.dataplane_fd >= 0);
	end_child();
	begin_log();
	turn_loop();
	expect_end_logged(pid);
	assert_true(a.dataplane_dead);
	assert_int_equal(a.dataplane_fd, -1); /* or the loop would never rest again */
	assert_false(is_in(NORMAL_TABLE));
	assert_int_equal(row.decision.reason, ANNOUNCE_REASON_PROGRAM_GONE);
}

/* Its number is not free yet, because its parent has not waited for it. */
static void its_end_withdraws_before_anybody_waited_for_it(void **state)
{
	(void)state;
	announce_and_wait();
	kill(child, SIGKILL);
	begin_log();
	turn_loop();
	expect_end_logged(child);
	assert_true(a.dataplane_dead);
	assert_int_equal(a.dataplane_fd, -1);
	assert_false(is_in(NORMAL_TABLE));
}

/* The successor writes its page before the loop comes to the descriptor. */
static void an_end_that_a_successor_hides_is_not_missed(void **state)
{
	(void)state;
	static const char *const drivers[] = { "", "dpdk", "xdp" };
	pid_t pid;

	for (size_t i = 0; i < COUNT(drivers); i++) {
		if (i) {
			end_watch(state);
			start_watch(state);
		}
		announce_and_wait();
		pid = child;
		end_child();
		strcpy(proved.node.driver, drivers[i]);
		proved.node.writer_pid = (uint64_t)getpid();
		begin_log();
		run_rounds(1);
		expect_end_logged(pid);
		assert_false(is_in(NORMAL_TABLE));
		assert_int_equal(row.state.hold_ms, ANNOUNCE_HOLD_MS);
		run_rounds(5);
		assert_false(a.dataplane_dead);
		assert_int_equal(row.state.hold_ms, ANNOUNCE_HOLD_MS); /* one end, one failure */
	}
}

/* What is known to have ended does not end again when the next process writes its page. */
static void a_successor_of_one_that_is_known_to_have_ended_hides_nothing(void **state)
{
	(void)state;
	announce_and_wait();
	end_child();
	turn_loop();
	assert_true(a.dataplane_dead);
	proved.node.writer_pid = (uint64_t)getpid();
	begin_log();
	run_rounds(1);
	assert_null(strstr(end_log(), "dataplane-ended"));
	assert_false(a.dataplane_dead);
	assert_true(a.dataplane_fd >= 0);
}

static void another_driver_in_the_same_process_is_no_end(void **state)
{
	(void)state;
	announce_and_wait();
	strcpy(proved.node.driver, "xdp");
	run_rounds(5);
	assert_true(is_in(NORMAL_TABLE));
	assert_int_equal(a.dataplane_fd, -1);
	end_child();
	turn_loop();
	run_rounds(5);
	assert_true(is_in(NORMAL_TABLE));
}

static void a_watch_that_fails_is_tried_again(void **state)
{
	(void)state;
	struct rlimit before, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	read_page_of_nobody();
	begin_log();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	run_rounds(3);
	assert_int_equal(a.dataplane_fd, -1);
	assert_int_equal(a.dataplane_error, -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	expect_want_logged(child);
	run_rounds(1);
	assert_true(a.dataplane_fd >= 0);
	assert_int_equal(a.dataplane_error, 0);
}

static void an_end_before_the_watch_is_seen(void **state)
{
	(void)state;
	pid_t pid = child;

	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	end_child();
	begin_log();
	run_rounds(3);
	expect_end_logged(pid);
	assert_true(a.dataplane_dead);
	assert_int_equal(a.dataplane_error, 0); /* which is no want of the watch's */
	assert_false(is_in(NORMAL_TABLE));
}

/* The page is silent, its process's number is another one's, and nobody serves its socket. */
static void a_number_that_was_given_again_does_not_hide_an_end(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	proved.is_silent = true;
	begin_log();
	run_rounds(3);
	expect_end_logged(child);
	assert_true(a.dataplane_dead);
	assert_false(is_in(NORMAL_TABLE));
}

/* A page that is as old as pages of the living become says nothing; its process is asked when it is older. */
static void only_a_page_that_is_too_old_is_silent(void **state)
{
	(void)state;
	for (unsigned more_ms = 0; more_ms < 2; more_ms++) {
		if (more_ms) {
			end_watch(state);
			start_watch(state);
		}
		put_route(NORMAL_TABLE, &row.intended.address);
		row.is_found = false;
		proved.is_silent = true;
		proved.node.alive_ms =
		        now_ms + 100 - PROOF_OLD_MS - more_ms; /* in the next round */
		run_rounds(1);
		assert_int_equal(a.dataplane_dead, more_ms);
		assert_int_equal(a.dataplane_fd >= 0, !more_ms);
	}
}

/* Serve weir-dataplane's socket, by this process. @return its descriptor */
static int serve_socket(struct sockaddr_un *to, int backlog)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(to->sun_path, sizeof(to->sun_path), "%s/dataplane.ctl", run_dir);
	assert_int_equal(bind(fd, (const struct sockaddr *)to, sizeof(*to)), 0);
	assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

/* The socket that a process leaves behind takes no connections. */
static void a_socket_that_was_left_behind_does_not_hide_an_end(void **state)
{
	(void)state;
	struct sockaddr_un to;

	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	proved.is_silent = true;
	int fd = serve_socket(&to, 4);
	close(fd);
	run_rounds(1);
	unlink(to.sun_path);
	assert_true(a.dataplane_dead);
	assert_false(is_in(NORMAL_TABLE));
}

/* Another process serves at its place. */
static void a_socket_of_another_process_does_not_hide_an_end(void **state)
{
	(void)state;
	struct sockaddr_un to;

	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	proved.is_silent = true; /* the page is the child's, the socket this process's */
	int fd = serve_socket(&to, 4);
	run_rounds(1);
	close(fd);
	unlink(to.sun_path);
	assert_true(a.dataplane_dead);
	assert_false(is_in(NORMAL_TABLE));
}

/* Without a descriptor nobody can be asked: that is done later. Twice. */
static void a_number_that_was_given_again_is_found_out_later(void **state)
{
	(void)state;
	struct rlimit before, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 3;
	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	proved.is_silent = true;
	read_page_of_nobody();
	for (int life = 0; life < 2; life++) {
		begin_log();
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		run_rounds(3);
		assert_false(a.dataplane_dead);
		assert_int_equal(a.dataplane_error, -EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		expect_want_logged(child);
		run_rounds(1);
		assert_true(a.dataplane_dead);
		assert_int_equal(a.dataplane_fd, -1);
		assert_false(is_in(NORMAL_TABLE));
		strcpy(proved.node.driver,
		       "xdp"); /* another process begins, and then this number again */
		run_rounds(1);
		assert_false(a.dataplane_dead);
		strcpy(proved.node.driver, "dpdk");
	}
}

static void a_process_that_is_silent_and_serves_is_alive(void **state)
{
	(void)state;
	struct sockaddr_un to;

	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	proved.is_silent = true;
	proved.node.writer_pid = (uint64_t)getpid();
	int fd = serve_socket(&to, 4);
	run_rounds(5);
	assert_false(a.dataplane_dead);
	assert_true(a.dataplane_fd >= 0);
	assert_true(is_in(NORMAL_TABLE));
	close(fd);
	unlink(to.sun_path);
}

/* A process that is stopped takes no connections: its backlog is full, and it is there. */
static void a_process_that_takes_no_connections_is_alive(void **state)
{
	(void)state;
	struct sockaddr_un to;
	int clients[8];

	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	proved.is_silent = true;
	proved.node.writer_pid = (uint64_t)getpid();
	int fd = serve_socket(&to, 0);
	for (size_t i = 0; i < COUNT(clients); i++) {
		clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)!connect(clients[i], (const struct sockaddr *)&to, sizeof(to));
	}
	run_rounds(5);
	assert_false(a.dataplane_dead);
	assert_true(is_in(NORMAL_TABLE));
	for (size_t i = 0; i < COUNT(clients); i++)
		close(clients[i]);
	close(fd);
	unlink(to.sun_path);
}

#define WATCH_TEST(test) cmocka_unit_test_setup_teardown(test, start_watch, end_watch)

SUITE(watch)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(its_end_withdraws),
		WATCH_TEST(its_end_withdraws_before_anybody_waited_for_it),
		WATCH_TEST(an_end_that_a_successor_hides_is_not_missed),
		WATCH_TEST(a_successor_of_one_that_is_known_to_have_ended_hides_nothing),
		WATCH_TEST(another_driver_in_the_same_process_is_no_end),
		WATCH_TEST(a_watch_that_fails_is_tried_again),
		WATCH_TEST(an_end_before_the_watch_is_seen),
		WATCH_TEST(a_number_that_was_given_again_does_not_hide_an_end),
		WATCH_TEST(only_a_page_that_is_too_old_is_silent),
		WATCH_TEST(a_socket_that_was_left_behind_does_not_hide_an_end),
		WATCH_TEST(a_socket_of_another_process_does_not_hide_an_end),
		WATCH_TEST(a_number_that_was_given_again_is_found_out_later),
		WATCH_TEST(a_process_that_is_silent_and_serves_is_alive),
		WATCH_TEST(a_process_that_takes_no_connections_is_alive),
	};

	if (!enter_namespace())
		return SKIPPED;
	return cmocka_run_group_tests_name("announce watch", tests, NULL, NULL);
}
