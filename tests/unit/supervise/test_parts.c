/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parts of `weir run`: what it notes of processes, the signs that it reads, and the sockets that
 * it holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "supervise/run.h"
#include "supervise/watch.h"
#include "tests/unit/descriptors.h"
#include "tests/unit/suite.h"

static char dir[32];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/weir-run-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void write_state(const char *text)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/run.state", dir);
	(void)unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_process_is_found_by_its_number_and_its_start(void **state)
{
	struct run_noted noted[] = { { "dns", getpid() }, { "health", 0 }, { "mgmt", 1 } };
	char text[128];

	(void)state;
	assert_int_equal(run_state_find(dir, "dns"), 0); /* no file */
	assert_int_equal(run_state_write(dir, noted, 3), 0);
	assert_int_equal(run_state_find(dir, "dns"), getpid());
	assert_int_equal(run_state_find(dir, "health"), 0);
	assert_int_equal(run_state_find(dir, "mgmt"), 0); /* not the first process of all */
	assert_int_equal(run_state_find(dir, "dn"), 0);
	snprintf(text, sizeof(text), "dns %d %llu\n", (int)getpid(),
	         (unsigned long long)run_start_time(getpid()) + 1);
	write_state(text); /* another process of that number */
	assert_int_equal(run_state_find(dir, "dns"), 0);
	write_state("dns 999999999 0\n"); /* there is none */
	assert_int_equal(run_state_find(dir, "dns"), 0);
	write_state("nonsense\n");
	assert_int_equal(run_state_find(dir, "dns"), 0);
	assert_int_equal(run_start_time(999999999), 0);
	if (geteuid() == 0) {
		assert_int_equal(run_state_write(dir, noted, 3), 0);
		snprintf(text, sizeof(text), "%s/run.state", dir);
		assert_int_equal(chown(text, 54321, (gid_t)-1), 0);
		assert_int_equal(run_state_find(dir, "dns"), 0); /* another user's */
	}
}

/*
 * A process names itself as it likes; a file of another user or a link in the place of the note
 * is not followed.
 */
static void names_and_links_mislead_nobody(void **state)
{
	struct run_noted noted = { "dns", getpid() };
	uint64_t start = run_start_time(getpid());
	char name[16] = "", path[64], other[64], text[64] = "";

	(void)state;
	assert_true(start > 0);
	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	assert_int_equal(prctl(PR_SET_NAME, "x) R 1 2) 3"), 0);
	assert_int_equal(run_start_time(getpid()), start);
	assert_int_equal(prctl(PR_SET_NAME, name), 0);
	snprintf(path, sizeof(path), "%s/run.state", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(run_state_write(dir, &noted, 1), 0);
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_int_equal(run_state_find(dir, "dns"), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); /* nobody waits at it */
	assert_int_equal(run_state_find(dir, "dns"), 0);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/run.state.new", dir);
	assert_int_equal(symlink(other, path), 0);
	noted.pid = 0;
	assert_int_equal(run_state_write(dir, &noted, 1), 0);
	FILE *f = fopen(other, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f)); /* as it was */
	fclose(f);
	assert_int_equal(strncmp(text, "dns ", 4), 0);
}

static void a_full_disk_keeps_what_was_noted(void **state)
{
	struct run_noted noted = { "dns", getpid() }, none = { "dns", 0 };
	struct rlimit limit, old;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(run_state_write(dir, &noted, 1), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	limit = old;
	limit.rlim_cur = 3;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	int err = run_state_write(dir, &noted, 1);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_true(err < 0);
	assert_int_equal(run_state_find(dir, "dns"), getpid());
	assert_int_equal(run_state_write(dir, &none, 1), 0);
	assert_int_equal(run_state_find(dir, "dns"), 0);
}

static void on_signal(int signo)
{
	(void)signo;
}

static void a_signal_that_is_caught_or_blocked_is_taken(void **state)
{
	sigset_t set;

	(void)state;
	assert_false(run_handles_signal(getpid(), SIGUSR2));
	signal(SIGUSR2, on_signal);
	assert_true(run_handles_signal(getpid(), SIGUSR2));
	signal(SIGUSR2, SIG_IGN);
	assert_false(run_handles_signal(getpid(), SIGUSR2));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	assert_true(run_handles_signal(getpid(), SIGUSR2)); /* from a descriptor */
	assert_false(run_handles_signal(getpid(), SIGUSR1));
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
	assert_false(run_handles_signal(999999999, SIGUSR2));
}

static void signs_are_read_as_they_come_and_go(void **state)
{
	struct run_page page = { 0 };
	struct run_signs s;
	struct stats *stats;
	uint64_t *turns;

	(void)state;
	run_signs_read(&page, dir, "dns", getpid(), 1000, &s);
	assert_int_equal(s.n_threads, 0); /* no page */
	assert_int_equal(stats_create(dir, "dns", 16, &stats), 0);
	turns = stats_turns(stats, "main");
	stats_add(turns, 7);
	run_signs_read(&page, dir, "dns", getpid() + 1, 1000, &s);
	assert_int_equal(s.n_threads, 0); /* another process's */
	run_signs_read(&page, dir, "dns", getpid(), 1000, &s);
	assert_int_equal(s.n_threads, 1);
	assert_string_equal(s.threads[0].name, "main");
	assert_int_equal(s.threads[0].turns, 7);
	assert_false(s.has_workers);
	assert_int_equal(s.job_until_s, 0);
	stats_add(turns, 1);
	stats_add(stats_turns(stats, "dns-1"), 3); /* a new thread is seen with the next list */
	stats_job_begin(stats, "document", 100);
	stats_job_begin(stats, "zones", 10); /* the later end of several counts */
	stats_add(stats_get_counter(stats, STATS_COUNTER, STATS_WORKER, "worker=\"0\"", ""), 20);
	stats_add(stats_get_counter(stats, STATS_COUNTER, STATS_WORKER, "worker=\"1\"", ""), 5);
	run_signs_read(&page, dir, "dns", getpid(), 1500, &s);
	assert_int_equal(s.threads[0].turns, 8);
	run_signs_read(&page, dir, "dns", getpid(), 3000, &s);
	assert_int_equal(s.n_threads, 2);
	assert_string_equal(s.threads[1].name, "dns-1");
	assert_true(s.has_workers);
	assert_int_equal(s.rounds, 25); /* of all workers */
	assert_string_equal(s.job, "document");
	assert_true(s.job_until_s > 0);
	stats_job_end(stats, "document");
	run_signs_read(&page, dir, "dns", getpid(), 3050, &s);
	assert_string_equal(s.job, "zones");
	stats_job_end(stats, "zones");
	stats_turns_end(stats, "dns-1");
	run_signs_read(&page, dir, "dns", getpid(), 3100, &s);
	assert_int_equal(s.n_threads, 1);
	assert_int_equal(s.job_until_s, 0);
	/* somebody removes the page: signs are read from the one that is put in its place */
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/stats.dns.page", dir);
	assert_int_equal(unlink(path), 0);
	stats_alive(stats, clock_mono_ms());
	stats_add(turns, 2);
	run_signs_read(&page, dir, "dns", getpid(), 3200, &s);
	assert_int_equal(s.n_threads, 1);
	assert_int_equal(s.threads[0].turns, 10);
	run_signs_read(&page, dir, "dns", getpid() + 1, 3300, &s);
	assert_int_equal(s.n_threads, 0); /* its successor has written none yet */
	run_page_close(&page);
	stats_close(stats);
}

static struct addr addr_at(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

/* The type and address of a socket fit. */
static bool is_at(int fd, const struct addr *address, int type)
{
	struct sockaddr_storage at;
	socklen_t n = sizeof(at), n_type = sizeof(int);
	struct addr bound;
	uint16_t port;
	int is = 0;

	return getsockname(fd, (struct sockaddr *)&at, &n) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &is, &n_type) == 0 && is == type &&
	       addr_from_sockaddr((struct sockaddr *)&at, &bound, &port) == 0 && port == 53 &&
	       addr_equal(&bound, address);
}

static void sockets_follow_addresses_and_threads(void **state)
{
	const struct addr two[] = { addr_at("127.0.0.5"), addr_at("::1") },
	                  swapped[] = { two[1], two[0] };
	unsigned before = count_descriptors();
	struct run_sockets s;
	int kept;

	(void)state;
	run_sockets_init(&s);
	assert_true(run_sockets_set(&s, two, 2, 1));
	assert_false(run_sockets_lack(&s));
	for (size_t i = 0; i < 4; i++)
		assert_true(is_at(s.fds[0][i], &two[i / 2], i % 2 ? SOCK_STREAM : SOCK_DGRAM));
	assert_int_equal(s.fds[1][0], -1);
	run_sockets_prepare(&s); /* weir-dns is started with them */
	assert_false(run_sockets_set(&s, two, 2, 1));
	kept = s.fds[0][2];
	assert_true(run_sockets_set(&s, two, 2, 3));
	assert_int_equal(s.fds[0][2], kept);
	assert_true(s.fds[2][3] >= 0);
	assert_false(run_sockets_extra(&s));
	assert_int_equal(run_sockets_pass(&s), 0); /* what is new goes through the channel, once */
	for (int i = 0; i < 8; i++) {
		union {
			struct cmsghdr head;
			char bytes[CMSG_SPACE(sizeof(int))];
		} control = { 0 };
		char name[32] = "";
		struct iovec part = { name, sizeof(name) - 1 };
		struct msghdr m = { .msg_iov = &part,
			            .msg_iovlen = 1,
			            .msg_control = control.bytes,
			            .msg_controllen = sizeof(control.bytes) };
		unsigned address, thread;
		char kind[8];
		int fd;

		assert_true(recvmsg(s.channel[1], &m, MSG_DONTWAIT) > 0);
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
		assert_int_equal(sscanf(name, "dns-%3[a-z]-%u-%u", kind, &address, &thread), 3);
		assert_true(thread >= 1 && thread <= 2 && address < 2);
		assert_true(
		        is_at(fd, &two[address], strcmp(kind, "tcp") ? SOCK_DGRAM : SOCK_STREAM));
		close(fd);
	}
	assert_int_equal(run_sockets_pass(&s), 0);
	assert_true(recv(s.channel[1], &kept, 1, MSG_DONTWAIT) < 0); /* nothing is new */
	(void)run_sockets_set(&s, two, 2, 1);
	assert_true(run_sockets_extra(&s));
	unsigned many = count_descriptors();

	s.extra_ms = 7; /* since when */
	assert_false(run_sockets_set(&s, two, 2, 1));
	assert_int_equal(s.extra_ms, 7);
	run_sockets_trim(&s);
	assert_int_equal(s.extra_ms, 0);
	assert_false(run_sockets_extra(&s));
	assert_int_equal(count_descriptors(), many - 8);
	assert_int_equal(s.fds[1][0], -1);
	assert_false(s.moved);
	assert_true(run_sockets_set(&s, swapped, 2, 1)); /* another order: started again */
	assert_int_equal(run_sockets_pass(&s), -ENOTCONN);
	assert_true(is_at(s.fds[0][0], &two[1], SOCK_DGRAM));
	run_sockets_close(&s);
	assert_int_equal(count_descriptors(), before);
	run_sockets_close(&s); /* nothing is left to close */
	assert_int_equal(s.n_addresses, 0);
	assert_int_equal(s.n_threads, 1);
	assert_int_equal(s.channel[0], -1);
	assert_int_equal(s.channel[1], -1);
	for (size_t i = 0; i < RUN_OF_THREAD; i++)
		assert_int_equal(s.fds[0][i], -1);
}

static void what_another_server_has_is_lacking_until_it_is_free(void **state)
{
	const struct addr one = addr_at("127.0.0.6");
	struct sockaddr_storage at;
	socklen_t n = addr_to_sockaddr(&one, 53, &at);
	struct run_sockets s;
	int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int log_fd = memfd_create("log", MFD_CLOEXEC), stderr_fd = dup(STDERR_FILENO);
	char text[512] = "";

	(void)state;
	assert_int_equal(bind(other, (struct sockaddr *)&at, n), 0);
	run_sockets_init(&s);
	assert_true(dup2(log_fd, STDERR_FILENO) >= 0);
	assert_true(run_sockets_set(&s, &one, 1, 1));
	assert_true(dup2(stderr_fd, STDERR_FILENO) >= 0);
	assert_true(pread(log_fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "<3>dns-socket-failed address=127.0.0.6 protocol=udp thread=1 "
	                          "error=\"Address already in use\" hint=\"another server uses the "
	                          "address: ss -lnutp shows which\"\n");
	close(log_fd);
	close(stderr_fd);
	assert_true(run_sockets_lack(&s));
	assert_int_equal(s.fds[0][0], -1);
	assert_true(s.fds[0][1] >= 0);
	close(other);
	run_sockets_again(&s);
	assert_false(run_sockets_lack(&s));
	run_sockets_close(&s);
}

/*
 * The kernel's order of a group is that of binding: the second thread's comes behind the first's
 * or not at all.
 */
static void no_thread_gets_a_socket_before_the_one_before_it(void **state)
{
	const struct addr one = addr_at("127.0.0.8");
	struct sockaddr_storage at;
	socklen_t n = addr_to_sockaddr(&one, 53, &at);
	struct run_sockets s;
	int other = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	(void)state;
	/*
	 * another of our own user's servers shares the port: only the first of a group is refused
	 * by it
	 */
	assert_int_equal(bind(other, (struct sockaddr *)&at, n), 0);
	assert_int_equal(setsockopt(other, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	run_sockets_init(&s);
	assert_true(run_sockets_set(&s, &one, 1, 3));
	assert_true(s.fds[0][0] < 0 && s.fds[1][0] < 0 && s.fds[2][0] < 0);
	assert_true(s.fds[0][1] >= 0 && s.fds[1][1] >= 0 && s.fds[2][1] >= 0);
	close(other);
	run_sockets_again(&s);
	assert_false(run_sockets_lack(&s));
	run_sockets_close(&s);
}

/*
 * Each step asks for what weir-dns has not been started with: what was asked for before is not
 * forgotten.
 */
static void another_order_stays_so_until_a_start(void **state)
{
	const struct addr two[] = { addr_at("127.0.0.5"), addr_at("::1") },
	                  swapped[] = { two[1], two[0] };
	struct run_sockets s;

	(void)state;
	run_sockets_init(&s);
	assert_true(run_sockets_set(&s, two, 2, 1));
	run_sockets_prepare(&s);
	assert_true(run_sockets_set(&s, swapped, 2, 1));
	assert_true(run_sockets_set(&s, swapped, 2, 1));
	assert_int_equal(run_sockets_pass(&s), -ENOTCONN);
	run_sockets_prepare(&s);
	assert_false(run_sockets_set(&s, swapped, 2, 1));
	assert_int_equal(run_sockets_pass(&s), 0);
	assert_true(run_sockets_set(&s, swapped, 1, 1)); /* one less */
	assert_int_equal(run_sockets_pass(&s), -ENOTCONN);
	run_sockets_close(&s);
}

static int option_of(int fd, int level, int option)
{
	int value = -1;
	socklen_t n = sizeof(value);

	assert_int_equal(getsockopt(fd, level, option, &value, &n), 0);
	return value;
}

static void expect_as_wanted(const struct addr *all)
{
	struct run_sockets s;

	run_sockets_init(&s);
	assert_true(run_sockets_set(&s, all, 2, 2));
	assert_false(run_sockets_lack(&s));
	for (size_t t = 0; t < 2; t++)
		for (size_t i = 0; i < 4; i++) {
			int fd = s.fds[t][i];

			assert_true(is_at(fd, &all[i / 2], i % 2 ? SOCK_STREAM : SOCK_DGRAM));
			assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
			assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
			assert_int_equal(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), i % 2);
			if (!addr_is4(&all[i / 2]))
				assert_int_equal(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
			if (i % 2 == 0) /* the kernel doubles what is asked for */
				assert_int_equal(option_of(fd, SOL_SOCKET, SO_RCVBUF), 8 << 20);
		}
	run_sockets_close(&s);
}

/*
 * As weir-dns would open them itself: one family each, addresses that come later, room for
 * queries, closed on exec.
 */
static void sockets_are_as_a_server_wants_them(void **state)
{
	const struct addr any[] = { addr_at("::"), addr_at("0.0.0.0") },
	                  later[] = { addr_at("203.0.113.77"), addr_at("2001:db8::77") };

	(void)state;
	expect_as_wanted(any);
	expect_as_wanted(later);
}

/* What a child has beside the sockets that it was given. */
enum lies { LIES_NOTHING, LIES_TWICE, LIES_NULL };

/*
 * A child that has been given the sockets, as weir-dns has; it waits. @param lies  the first thread's are at the places
 * of the second, too; or nothing but placeholders is at its own
 */
static pid_t start_child(const struct run_sockets *s, uint16_t port, enum lies lies)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	pid_t pid = fork();

	if (!pid) {
		struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
		int end = fcntl(ready[1], F_DUPFD, 900), fd;

		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves none */

		if (run_sockets_hand_down(s))
			_exit(1);
		if (lies == LIES_TWICE && (dup2(3, 5) != 5 || dup2(4, 6) != 6))
			_exit(4);
		fd = lies == LIES_NULL ? open("/dev/null", O_RDWR) : -1;
		if (lies == LIES_NULL && (dup2(fd, 3) != 3 || dup2(fd, 4) != 4))
			_exit(5);
		if (port) { /* something else lies in the first place */
			at.sin_addr.s_addr = htonl(0x7f000005);
			fd = socket(AF_INET, SOCK_DGRAM, 0);
			if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || dup2(fd, 3) != 3)
				_exit(2);
		}
		(void)!write(end, "x", 1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void another_supervisor_takes_the_sockets_over(void **state)
{
	const struct addr one = addr_at("127.0.0.5"), wrong = addr_at("127.0.0.7");
	struct run_sockets s, taken;

	(void)state;
	run_sockets_init(&s);
	run_sockets_init(&taken);
	assert_true(run_sockets_set(&s, &one, 1, 2));
	run_sockets_prepare(&s);
	for (int i = 0; i < 2; i++) {
		pid_t pid = start_child(&s, i ? 5353 : 0, LIES_NOTHING);
		int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		unsigned before = count_descriptors();

		assert_true(pidfd >= 0);
		assert_true(run_sockets_adopt(&taken, pidfd, &wrong, 1) < 0);
		assert_int_equal(count_descriptors(), before);
		if (i) { /* at another port it is none of ours */
			assert_true(run_sockets_adopt(&taken, pidfd, &one, 1) < 0);
			assert_int_equal(count_descriptors(), before);
		} else {
			assert_int_equal(run_sockets_adopt(&taken, pidfd, &one, 1), 0);
			assert_int_equal(taken.n_threads, 2);
			assert_true(is_at(taken.fds[0][0], &one, SOCK_DGRAM));
			assert_true(is_at(taken.fds[1][1], &one, SOCK_STREAM));
			assert_false(run_sockets_lack(&taken));
			run_sockets_close(&taken);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(pidfd);
	}
	run_sockets_close(&s);
}

/* Two threads would read one socket then. */
static void a_socket_is_taken_over_once(void **state)
{
	const struct addr one = addr_at("127.0.0.5");
	struct run_sockets s, taken;

	(void)state;
	run_sockets_init(&s);
	run_sockets_init(&taken);
	assert_true(run_sockets_set(&s, &one, 1, 2));
	run_sockets_prepare(&s);
	pid_t pid = start_child(&s, 0, LIES_TWICE);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	unsigned before = count_descriptors();

	assert_int_equal(run_sockets_adopt(&taken, pidfd, &one, 1), 0);
	assert_int_equal(count_descriptors(), before + 2);
	assert_int_equal(taken.n_threads, 1);
	assert_true(is_at(taken.fds[0][0], &one, SOCK_DGRAM));
	assert_true(is_at(taken.fds[0][1], &one, SOCK_STREAM));
	assert_int_equal(taken.fds[1][0], -1);
	assert_int_equal(taken.fds[1][1], -1);
	run_sockets_close(&taken);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pidfd);
	run_sockets_close(&s);
}

/* Of those, a socket that stayed open would get a share of the queries, and nobody would read it. */
static void sockets_that_are_not_taken_over_are_closed(void **state)
{
	const struct addr one = addr_at("127.0.0.5");
	struct run_sockets s, taken;

	(void)state;
	run_sockets_init(&s);
	run_sockets_init(&taken);
	assert_true(run_sockets_set(&s, &one, 1, 2));
	run_sockets_prepare(&s);
	pid_t pid = start_child(&s, 0, LIES_NULL);
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	unsigned before = count_descriptors();

	assert_int_equal(run_sockets_adopt(&taken, pidfd, &one, 1), -ENOENT);
	assert_int_equal(count_descriptors(), before);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(pidfd);
	run_sockets_close(&s);
}

/* What a socket's place is called; the channel comes last. */
static void append_name(char *names, size_t size, size_t place, unsigned n_addresses)
{
	unsigned thread = (unsigned)place / (2 * n_addresses);
	size_t i = place % (2 * n_addresses), n = strlen(names);

	n += (size_t)snprintf(names + n, size - n, "dns-%s-%zu", i % 2 ? "tcp" : "udp", i / 2);
	if (thread)
		n += (size_t)snprintf(names + n, size - n, "-%u", thread);
	snprintf(names + n, size - n, ":");
}

/* All that weir-dns gets: how many, their names in order, and whose they are. */
static void each_place_has_its_name_and_its_socket(void **state)
{
	const struct addr two[] = { addr_at("127.0.0.5"), addr_at("::1") };
	const size_t n = 4 * MODEL_DNS_THREADS_MAX + 1;
	char expected[24 * (4 * MODEL_DNS_THREADS_MAX + 1)] = "", number[16];
	struct run_sockets s;
	struct stat st, null;
	int status;

	(void)state;
	for (size_t i = 0; i < n - 1; i++)
		append_name(expected, sizeof(expected), i, 2);
	strcat(expected, "weir-more");
	assert_int_equal(stat("/dev/null", &null), 0);
	run_sockets_init(&s);
	assert_true(run_sockets_set(&s, two, 2, 2));
	run_sockets_prepare(&s);
	fflush(NULL);
	pid_t pid = fork();

	if (!pid) {
		bool ok = !run_sockets_hand_down(&s);

		snprintf(number, sizeof(number), "%d", (int)getpid());
		ok = ok && !strcmp(getenv("LISTEN_PID"), number);
		snprintf(number, sizeof(number), "%zu", n);
		ok = ok && !strcmp(getenv("LISTEN_FDS"), number) &&
		     !strcmp(getenv("LISTEN_FDNAMES"), expected);
		for (int i = 0; ok && i < (int)n; i++) {
			ok = fstat(3 + i, &st) == 0 && !(fcntl(3 + i, F_GETFD) & FD_CLOEXEC);
			if (i < 8) /* of two threads */
				ok = ok && is_at(3 + i, &two[i % 4 / 2],
				                 i % 2 ? SOCK_STREAM : SOCK_DGRAM);
			else if (i < (int)n - 1)
				ok = ok && st.st_rdev == null.st_rdev;
			else
				ok = ok && S_ISSOCK(st.st_mode);
		}
		_exit(ok ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	run_sockets_close(&s);
}

SUITE(parts)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_process_is_found_by_its_number_and_its_start),
		TEST(names_and_links_mislead_nobody),
		TEST(a_full_disk_keeps_what_was_noted),
		TEST(a_signal_that_is_caught_or_blocked_is_taken),
		TEST(signs_are_read_as_they_come_and_go),
		TEST(sockets_follow_addresses_and_threads),
		TEST(what_another_server_has_is_lacking_until_it_is_free),
		TEST(no_thread_gets_a_socket_before_the_one_before_it),
		TEST(another_order_stays_so_until_a_start),
		TEST(sockets_are_as_a_server_wants_them),
		TEST(another_supervisor_takes_the_sockets_over),
		TEST(a_socket_is_taken_over_once),
		TEST(sockets_that_are_not_taken_over_are_closed),
		TEST(each_place_has_its_name_and_its_socket),
	};

	if (unshare(CLONE_NEWNET) || system("ip link set lo up"))
		return 77;
	return cmocka_run_group_tests_name("supervise, parts", tests, NULL, NULL);
}
