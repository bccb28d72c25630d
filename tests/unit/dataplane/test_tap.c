/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TAP of a port that DPDK drives, in a network namespace of the test's own: what is made,
 * what outlives it, what is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/dpdk/tap.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

#define SKIPPED    77
#define TUN_DEVICE "/dev/net/tun"

static int open_errno, make_errno; /* what /dev/net/tun says; 0: as the kernel does */

static int own_open64(const char *path, int flags, mode_t mode)
{
	errno = open_errno;
	return open_errno ? -1 : __real_open64(path, flags, mode);
}

static int own_ioctl(int fd, unsigned long request, void *arg)
{
	errno = request == TUNSETIFF ? make_errno : 0;
	return errno ? -1 : __real_ioctl(fd, request, arg);
}

/* The lowest descriptor that is free. */
static int next_fd(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static const struct tap_config config = {
	.name = "wtap0", .mac = { 2, 0, 0, 0, 0, 7 }, .mtu = 1700, .n_queues = 3
};

/* A question to the kernel about @p name. */
static struct ifreq query_tap(unsigned long what, const char *name)
{
	struct ifreq r = { 0 };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	assert_int_equal(ioctl(s, what, &r), 0);
	close(s);
	return r;
}

static void close_all(const int *fds, uint32_t n)
{
	while (n)
		close(fds[--n]);
}

static void open_one(const struct tap_config *c, int *fds, uint32_t *ifindex)
{
	struct driver_reason why = { "" };
	int err = tap_open(c, fds, ifindex, &why);

	if (err)
		print_error("%s\n", why.text);
	assert_int_equal(err, 0);
	assert_int_equal(*ifindex, if_nametoindex(c->name));
	assert_int_not_equal(*ifindex, 0);
}

static int teardown(void **state)
{
	(void)state;
	tap_remove("wtap0");
	return if_nametoindex("wtap0") != 0;
}

static void a_tap_has_the_devices_mac_and_mtu_and_is_up(void **state)
{
	uint32_t ifindex;
	int fds[3];

	(void)state;
	open_one(&config, fds, &ifindex);
	assert_memory_equal(query_tap(SIOCGIFHWADDR, "wtap0").ifr_hwaddr.sa_data, config.mac, 6);
	assert_int_equal(query_tap(SIOCGIFMTU, "wtap0").ifr_mtu, 1700);
	assert_true(query_tap(SIOCGIFFLAGS, "wtap0").ifr_flags & IFF_UP);
	for (int i = 0; i < 3; i++) {
		char frame[2048];

		assert_true(fcntl(fds[i], F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fds[i], F_GETFD) & FD_CLOEXEC);
		while (read(fds[i], frame, sizeof(frame)) > 0)
			; /* what the kernel says of its own */
		assert_int_equal(errno, EAGAIN);
		memset(frame, 0xff, 60); /* a frame as it is, with no header of TUN's */
		assert_int_equal(write(fds[i], frame, 60), 60);
	}
	assert_true(fds[0] != fds[1] && fds[1] != fds[2] && fds[0] != fds[2]);
	close_all(fds, 3);
}

static void it_outlives_its_process_and_the_next_one_takes_it_over(void **state)
{
	struct tap_config next = config;
	uint32_t first, second;
	int fds[3], flags;

	(void)state;
	open_one(&config, fds, &first);
	close_all(fds, 3);
	flags = query_tap(SIOCGIFFLAGS, "wtap0").ifr_flags;
	assert_true(flags & IFF_UP);
	next.mac[5] = 9;
	next.mtu = 1500;
	next.n_queues = 2;
	open_one(&next, fds, &second);
	assert_int_equal(second, first);
	assert_int_equal(query_tap(SIOCGIFHWADDR, "wtap0").ifr_hwaddr.sa_data[5], 9);
	assert_int_equal(query_tap(SIOCGIFMTU, "wtap0").ifr_mtu, 1500);
	close_all(fds, 2);
}

static void the_kernel_takes_the_link_for_what_it_is(void **state)
{
	uint32_t ifindex;
	int fds[3];

	(void)state;
	open_one(&config, fds, &ifindex);
	assert_true(query_tap(SIOCGIFFLAGS, "wtap0").ifr_flags & IFF_RUNNING);
	for (int turn = 0; turn < 2; turn++) {
		bool up = turn == 1, runs = !up;

		tap_carrier(fds[1], up);
		for (int i = 0; i < 3000 && runs != up;
		     i++) { /* the kernel says so a little later */
			runs = query_tap(SIOCGIFFLAGS, "wtap0").ifr_flags & IFF_RUNNING;
			if (runs != up)
				usleep(10000);
		}
		assert_int_equal(runs, up);
	}
	close_all(fds, 3);
}

static bool tap_runs(void)
{
	return query_tap(SIOCGIFFLAGS, "wtap0").ifr_flags & IFF_RUNNING;
}

static void a_tap_that_is_held_keeps_its_carrier_from_process_to_process(void **state)
{
	struct ifreq again = { .ifr_flags = IFF_DETACH_QUEUE };
	uint32_t first, second;
	int fds[3], held;

	(void)state;
	tap_hold("wtap0");
	assert_int_equal(if_nametoindex("wtap0"), 0); /* none is made */
	tap_hold("lo");
	tap_release("lo");
	open_one(&config, fds, &first);
	held = next_fd();
	tap_hold("wtap0");
	tap_hold("wtap0");
	assert_int_equal(next_fd(), held + 1);
	assert_int_equal(ioctl(held, TUNSETQUEUE, &again), -1);
	assert_int_equal(errno, EINVAL); /* it is detached already */
	close_all(fds, 3);
	for (int i = 0; i < 30; i++) { /* the kernel says so a little later */
		assert_true(tap_runs());
		usleep(10000);
	}
	open_one(&config, fds, &second);
	assert_int_equal(second, first);
	tap_release("another");
	assert_true(fcntl(held, F_GETFD) >= 0);
	tap_release("wtap0");
	assert_int_equal(fcntl(held, F_GETFD), -1);
	assert_true(tap_runs());
	close_all(fds, 3);
	for (int i = 0; i < 3000 && tap_runs(); i++)
		usleep(10000); /* until the kernel says so */
	assert_false(tap_runs());
}

static void an_ended_tap_goes_with_its_last_queue(void **state)
{
	uint32_t ifindex;
	int fds[3];

	(void)state;
	open_one(&config, fds, &ifindex);
	tap_end(fds[0]);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(if_nametoindex("wtap0"), ifindex);
	close(fds[2]);
	assert_int_equal(if_nametoindex("wtap0"), 0);
	tap_remove("wtap0"); /* it is gone already: none is made */
	assert_int_equal(if_nametoindex("wtap0"), 0);
	open_one(&config, fds, &ifindex);
	close_all(fds, 3);
	tap_remove("wtap0");
	assert_int_equal(if_nametoindex("wtap0"), 0);
	tap_remove("lo"); /* no TAP */
	assert_int_not_equal(if_nametoindex("lo"), 0);
}

/* @return the error of a TAP that another program made with @p flags, or of the interface lo */
static int try_beside(short flags, char text[DRIVER_REASON_MAX])
{
	struct tap_config c = config;
	struct ifreq r = { .ifr_name = "wtap0", .ifr_flags = flags };
	struct driver_reason why = { "" };
	uint32_t ifindex = 0;
	int fds[3], err, fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC);

	if (flags)
		assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	else
		c.name = "lo";
	err = tap_open(&c, fds, &ifindex, &why);
	strcpy(text, why.text);
	close(fd);
	assert_int_equal(ifindex, 0);
	return err;
}

static void what_has_the_name_and_is_none_is_left_alone(void **state)
{
	char text[DRIVER_REASON_MAX];

	(void)state;
	assert_int_equal(try_beside(IFF_TAP | IFF_NO_PI, text), -EINVAL);
	assert_non_null(strstr(text, "wtap0 exists already and is no multi-queue TAP"));
	assert_int_equal(try_beside(IFF_TUN | IFF_NO_PI, text), -EINVAL);
	assert_int_equal(try_beside(0, text), -EINVAL);
	assert_non_null(strstr(text, "lo exists already"));
}

static void without_the_right_it_says_so_and_holds_nothing(void **state)
{
	int end;

	(void)state;
	fflush(NULL);
	pid_t pid = fork();

	if (!pid) {
		struct driver_reason why = { "" };
		uint32_t ifindex;
		int fds[3], before = next_fd();

		if (setresuid(65534, 65534, 65534))
			_exit(2);
		int err = tap_open(&config, fds, &ifindex, &why);

		if ((err != -EPERM || !strstr(why.text, "(CAP_NET_ADMIN is needed)")) &&
		    (err != -EACCES || !strstr(why.text, "this user may not open")))
			_exit(3);
		_exit(next_fd() == before ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &end, 0), pid);
	assert_int_equal(WEXITSTATUS(end), 0);
}

/* An MTU that no TAP has: it is there already, and its queues are not held. */
static void a_tap_that_cannot_be_set_up_is_not_held(void **state)
{
	struct tap_config c = config;
	struct driver_reason why = { "" };
	uint32_t ifindex = 0;
	int fds[3], before = next_fd();

	(void)state;
	c.mtu = 30;
	assert_int_equal(tap_open(&c, fds, &ifindex, &why), -EINVAL);
	assert_int_equal(next_fd(), before);
	assert_int_equal(ifindex, 0);
}

/* One queue of three can be had: that is no TAP for three workers. */
static void without_descriptors_for_all_queues_none_is_held(void **state)
{
	struct driver_reason why = { "" };
	struct rlimit before, now;
	uint32_t ifindex = 0;
	int fds[3], next = next_fd();

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (unsigned int left = 0; left < 3; left++) {
		now = (struct rlimit){ (rlim_t)next + left, before.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
		assert_int_equal(tap_open(&config, fds, &ifindex, &why), -EMFILE);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_non_null(strstr(why.text, "Too many open files"));
		assert_int_equal(next_fd(), next);
	}
	now.rlim_cur = (rlim_t)next + 4; /* and one to ask with, which is not kept */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tap_open(&config, fds, &ifindex, &why), 0);
		close_all(fds, 3);
	}
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(next_fd(), next);
}

static void each_error_says_what_to_do(void **state)
{
	static const struct {
		int *says, err;
		const char *text; /* a part */
	} cases[] = {
		{ &open_errno, ENOENT,
		  "/dev/net/tun is missing: the kernel's module tun is needed for the TAP of eth7" },
		{ &open_errno, ENODEV,
		  "/dev/net/tun is missing: the kernel's module tun is needed" },
		{ &make_errno, EINVAL, "eth7 exists already and is no multi-queue TAP" },
		{ &open_errno, EACCES,
		  "the TAP eth7 cannot be made: this user may not open /dev/net/tun" },
		{ &make_errno, EBUSY, "another process holds the TAP eth7" },
		{ &make_errno, ENOMEM, "the TAP eth7 cannot be made: Cannot allocate memory" },
	};
	const struct tap_config c = { .name = "eth7", .n_queues = 3 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct driver_reason why;
		uint32_t ifindex;
		int fds[3], before = next_fd();

		*cases[i].says = cases[i].err;
		assert_int_equal(tap_open(&c, fds, &ifindex, &why), -cases[i].err);
		*cases[i].says = 0;
		assert_non_null(strstr(why.text, cases[i].text));
		assert_int_equal(next_fd(), before);
	}
}

SUITE(tap)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(a_tap_has_the_devices_mac_and_mtu_and_is_up),
		T(it_outlives_its_process_and_the_next_one_takes_it_over),
		T(the_kernel_takes_the_link_for_what_it_is),
		T(a_tap_that_is_held_keeps_its_carrier_from_process_to_process),
		T(an_ended_tap_goes_with_its_last_queue),
		T(what_has_the_name_and_is_none_is_left_alone),
		T(without_the_right_it_says_so_and_holds_nothing),
		T(a_tap_that_cannot_be_set_up_is_not_held),
		T(without_descriptors_for_all_queues_none_is_held),
		T(each_error_says_what_to_do),
	};

	answer_ioctl = own_ioctl;
	answer_open64 = own_open64;
	if (geteuid() || unshare(CLONE_NEWNET) || access(TUN_DEVICE, R_OK | W_OK)) {
		printf("needs root and %s: skipped\n", TUN_DEVICE);
		return SKIPPED;
	}
	return cmocka_run_group_tests_name("tap", tests, NULL, NULL);
}
