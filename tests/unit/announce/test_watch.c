/* SPDX-License-Identifier: BSD-2-Clause */
/* The process that drives DPDK: its end withdraws, whatever hides it. Processes are real. */
#include "round_scene.h"

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
	strcpy(fake.node.driver, "dpdk");
	fake.node.writer_pid = (uint64_t)child;
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

/* What one turn of the loop logs. */
static void log_turn(char *text, size_t size)
{
	int before = dup(STDERR_FILENO);
	FILE *kept = tmpfile();

	assert_true(before >= 0 && kept);
	assert_true(dup2(fileno(kept), STDERR_FILENO) >= 0);
	turn_loop();
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	close(before);
	rewind(kept);
	text[fread(text, 1, size - 1, kept)] = '\0';
	fclose(kept);
}

/* The turn in which the child is seen to end says so once, with its number. */
static void expect_one_end(pid_t pid)
{
	char text[2048], said[160];
	const char *at;

	log_turn(text, sizeof(text));
	at = strstr(text, "dataplane-ended");
	snprintf(said, sizeof(said),
	         "dataplane-ended pid=%d driver=dpdk effect=\"its routes are withdrawn\"",
	         (int)pid);
	print_message("%s", text);
	assert_non_null(at);
	assert_int_equal(strncmp(at, said, strlen(said)), 0);
	assert_null(strstr(at + 1, "dataplane-ended"));
}

static void its_end_withdraws(void **state)
{
	pid_t pid = child;

	(void)state;
	announce_and_wait();
	assert_true(a.dataplane_fd >= 0);
	end_child();
	expect_one_end(pid);
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
	expect_one_end(child);
	assert_true(a.dataplane_dead);
	assert_int_equal(a.dataplane_fd, -1);
	assert_false(is_in(NORMAL_TABLE));
}

/* The successor writes its page before the loop comes to the descriptor. */
static void an_end_that_a_successor_hides_is_not_missed(void **state)
{
	(void)state;
	static const char *const drivers[] = { "", "dpdk", "xdp" };

	for (size_t i = 0; i < COUNT(drivers); i++) {
		if (i) {
			end_watch(state);
			start_watch(state);
		}
		announce_and_wait();
		end_child();
		strcpy(fake.node.driver, drivers[i]);
		fake.node.writer_pid = (uint64_t)getpid();
		run_rounds(1);
		assert_false(is_in(NORMAL_TABLE));
		assert_int_equal(row.state.hold_ms, ANNOUNCE_HOLD_MS);
		run_rounds(5);
		assert_false(a.dataplane_dead);
		assert_int_equal(row.state.hold_ms, ANNOUNCE_HOLD_MS); /* one end, one failure */
	}
}

static void another_driver_in_the_same_process_is_no_end(void **state)
{
	(void)state;
	announce_and_wait();
	strcpy(fake.node.driver, "xdp");
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
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	run_rounds(1);
	assert_int_equal(a.dataplane_fd, -1);
	assert_int_equal(a.dataplane_error, -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	run_rounds(1);
	assert_true(a.dataplane_fd >= 0);
	assert_int_equal(a.dataplane_error, 0);
}

static void an_end_before_the_watch_is_seen(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	end_child();
	run_rounds(1);
	assert_true(a.dataplane_dead);
	assert_false(is_in(NORMAL_TABLE));
}

/* The page is silent, its process's number is another one's, and nobody serves its socket. */
static void a_number_that_was_given_again_does_not_hide_an_end(void **state)
{
	(void)state;
	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	fake.is_silent = true;
	run_rounds(1);
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
	fake.is_silent = true;
	for (int life = 0; life < 2; life++) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		run_rounds(3);
		assert_false(a.dataplane_dead);
		assert_int_equal(a.dataplane_error, -EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		run_rounds(1);
		assert_true(a.dataplane_dead);
		assert_int_equal(a.dataplane_fd, -1);
		assert_false(is_in(NORMAL_TABLE));
		strcpy(fake.node.driver,
		       "xdp"); /* another process begins, and then this number again */
		run_rounds(1);
		assert_false(a.dataplane_dead);
		strcpy(fake.node.driver, "dpdk");
	}
}

static void a_process_that_is_silent_and_serves_is_alive(void **state)
{
	(void)state;
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	fake.is_silent = true;
	fake.node.writer_pid = (uint64_t)getpid();
	snprintf(to.sun_path, sizeof(to.sun_path), "%s/dataplane.ctl", run_dir);
	assert_int_equal(bind(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fd, 4), 0);
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
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), clients[8];

	put_route(NORMAL_TABLE, &row.intended.address);
	row.is_found = false;
	fake.is_silent = true;
	fake.node.writer_pid = (uint64_t)getpid();
	snprintf(to.sun_path, sizeof(to.sun_path), "%s/dataplane.ctl", run_dir);
	assert_int_equal(bind(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fd, 0), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WATCH_TEST(its_end_withdraws),
		WATCH_TEST(its_end_withdraws_before_anybody_waited_for_it),
		WATCH_TEST(an_end_that_a_successor_hides_is_not_missed),
		WATCH_TEST(another_driver_in_the_same_process_is_no_end),
		WATCH_TEST(a_watch_that_fails_is_tried_again),
		WATCH_TEST(an_end_before_the_watch_is_seen),
		WATCH_TEST(a_number_that_was_given_again_does_not_hide_an_end),
		WATCH_TEST(a_number_that_was_given_again_is_found_out_later),
		WATCH_TEST(a_process_that_is_silent_and_serves_is_alive),
		WATCH_TEST(a_process_that_takes_no_connections_is_alive),
	};

	return cmocka_run_group_tests_name("announce watch", tests, NULL, NULL);
}
