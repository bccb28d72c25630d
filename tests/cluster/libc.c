/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the C library answers in this process: time is virtual, who waits gives the turn to another thread (sched.h), random
 * numbers come from the seed, sockets of IP listen nowhere, and disks need no time. A thread that is not the scheduler's
 * waits by trying again.
 */
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "tests/cluster/libc.h"
#include "tests/cluster/sched.h"

#define FDS_MAX 4096

/* --- time --- */

static void write_time(int64_t ns, struct timespec *out)
{
	*out = (struct timespec){ .tv_sec = (time_t)(ns / 1000000000),
		                  .tv_nsec = (long)(ns % 1000000000) };
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		write_time(sched_wall_ns(sched_host()), out);
	else if (clock == CLOCK_THREAD_CPUTIME_ID || clock == CLOCK_PROCESS_CPUTIME_ID)
		write_time(0, out);
	else
		write_time(sched_boot_ns(sched_host()), out);
	return 0;
}

time_t time(time_t *out)
{
	time_t now_s = (time_t)(sched_wall_ns(sched_host()) / 1000000000);

	if (out)
		*out = now_s;
	return now_s;
}

/* The kernel says that the clock is right. */
int adjtimex(struct timex *t)
{
	memset(t, 0, sizeof(*t));
	return TIME_OK;
}

/* A time of the boot clock of who asks, as virtual time. */
static uint64_t until_ns(const struct timespec *at)
{
	const struct sched_host *h = sched_host();

	return (uint64_t)((int64_t)at->tv_sec * 1000000000 + at->tv_nsec + (h ? h->boot_ns : 0));
}

static void sleep_ns(uint64_t ns)
{
	uint64_t end_ns = sched_now_ns() + ns;

	while (sched_is_on() && sched_now_ns() < end_ns)
		(void)sched_wait(NULL, NULL, end_ns);
}

int nanosleep(const struct timespec *wish, struct timespec *left) /* virtual time */
{
	(void)left;
	sleep_ns((uint64_t)wish->tv_sec * 1000000000 + (uint64_t)wish->tv_nsec);
	return 0;
}

int usleep(useconds_t us) /* virtual time */
{
	sleep_ns((uint64_t)us * 1000);
	return 0;
}

/* The kernel's id of a boot is the host's. */
FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*next)(const char *path, const char *mode);
	static char id[64];

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "fopen");
	if (strcmp(path, "/proc/sys/kernel/random/boot_id") != 0)
		return next(path, mode);
	snprintf(id, sizeof(id), "%08x-0000-4000-8000-000000000000\n",
	         sched_host() ? sched_host()->n_boots + 1 : 1);
	return fmemopen(id, strlen(id), "r");
}

/* --- mutexes and conditions --- */

static bool is_free(void *arg)
{
	pthread_mutex_t *m = arg;

	if (pthread_mutex_trylock(m) == EBUSY)
		return false;
	pthread_mutex_unlock(m);
	return true;
}

static int lock_until(pthread_mutex_t *m, uint64_t end_ns)
{
	int err;

	while ((err = pthread_mutex_trylock(m)) == EBUSY) {
		if (sched_is_on() && sched_now_ns() >= end_ns)
			return ETIMEDOUT;
		if (sched_is_on())
			(void)sched_wait(is_free, m, end_ns);
		else
			sched_yield();
	}
	return err;
}

int pthread_mutex_lock(pthread_mutex_t *m)
{
	return lock_until(m, SCHED_NEVER);
}

int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock, const struct timespec *at)
{
	(void)clock;
	return lock_until(m, until_ns(at));
}

static int wait_until(pthread_cond_t *c, pthread_mutex_t *m, uint64_t end_ns)
{
	pthread_mutex_unlock(m);
	bool is_signalled = sched_wait_signal(c, end_ns);

	pthread_mutex_lock(m);
	return is_signalled ? 0 : ETIMEDOUT;
}

int pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
	return wait_until(c, m, SCHED_NEVER);
}

/* All conditions of the product go by the boot clock, or by what is the same here. */
int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *at)
{
	return wait_until(c, m, until_ns(at));
}

int pthread_cond_broadcast(pthread_cond_t *c)
{
	sched_signal(c, true);
	return 0;
}

int pthread_cond_signal(pthread_cond_t *c)
{
	sched_signal(c, false);
	return 0;
}

/* --- descriptors --- */

static int look_at_epoll(int fd, struct epoll_event *events, int most)
{
	return (int)syscall(SYS_epoll_pwait, fd, events, most, 0, NULL, 8);
}

static bool has_event(void *arg)
{
	const int *fd = arg;
	struct epoll_event event;

	return look_at_epoll(*fd, &event, 1) != 0;
}

int epoll_wait(int fd, struct epoll_event *events, int most, int timeout_ms)
{
	uint64_t end_ns =
	        timeout_ms < 0 ? SCHED_NEVER : sched_now_ns() + (uint64_t)timeout_ms * SCHED_MS;
	int n;

	while (!(n = look_at_epoll(fd, events, most)) && timeout_ms && sched_now_ns() < end_ns)
		(void)sched_wait(has_event, &fd, end_ns);
	return n;
}

static struct sockaddr_storage bound[FDS_MAX];

bool libc_bound_to(int fd, struct sockaddr_storage *out)
{
	if (fd < 0 || fd >= FDS_MAX || !bound[fd].ss_family)
		return false;
	*out = bound[fd];
	return true;
}

int bind(int fd, const struct sockaddr *at, socklen_t n)
{
	if (fd < FDS_MAX)
		bound[fd].ss_family = 0; /* of a descriptor of before */
	if (at->sa_family != AF_INET && at->sa_family != AF_INET6)
		return (int)syscall(SYS_bind, fd, at, n);
	if (fd < FDS_MAX && n <= sizeof(bound[fd]))
		memcpy(&bound[fd], at, n);
	return 0;
}

int listen(int fd, int backlog)
{
	struct sockaddr_storage at;

	return libc_bound_to(fd, &at) ? 0 : (int)syscall(SYS_listen, fd, backlog);
}

int fsync(int fd)
{
	(void)fd;
	return 0;
}

int fdatasync(int fd)
{
	(void)fd;
	return 0;
}

/*
 * No user or group is known. Who looks them up for libc (nsswitch.conf) differs by machine, and may itself take of what
 * getrandom() gives here.
 */
struct passwd *getpwnam(const char *name)
{
	(void)name;
	return NULL;
}

struct passwd *getpwuid(uid_t uid)
{
	(void)uid;
	return NULL;
}

int getpwnam_r(const char *name, struct passwd *entry, char *text, size_t n, struct passwd **found)
{
	(void)name;
	(void)entry;
	(void)text;
	(void)n;
	*found = NULL;
	return 0;
}

int getpwuid_r(uid_t uid, struct passwd *entry, char *text, size_t n, struct passwd **found)
{
	(void)uid;
	(void)entry;
	(void)text;
	(void)n;
	*found = NULL;
	return 0;
}

struct group *getgrnam(const char *name)
{
	(void)name;
	return NULL;
}

ssize_t getrandom(void *out, size_t n, unsigned flags)
{
	unsigned char *bytes = out;

	(void)flags;
	for (size_t i = 0; i < n; i++)
		bytes[i] = sched_byte();
	return (ssize_t)n;
}
