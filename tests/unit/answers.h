/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls of libc that a suite answers itself. The linker gives each of them to answers.c (--wrap), which asks the suite
 * if it has set an answer, and else libc:
 *
 *     answer_read = own_read;     in the suite, before it starts a thread
 *     __real_read(fd, to, n)      what libc says
 *
 * Only functions of the system and of libraries are here, never Weir's own: what is tested is the product as it is.
 */
#ifndef WEIR_TESTS_UNIT_ANSWERS_H
#define WEIR_TESTS_UNIT_ANSWERS_H

#include <dirent.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/calls.h"

/* X(type, name, parameters, arguments). Those that fail in their own way, or whose arguments vary, follow below. meson.build has their names, too. */
#define LIBC_ANSWERS(X)                                                                            \
	X(int, access, (const char *path, int how), (path, how))                                   \
	X(int, accept4, (int fd, struct sockaddr *at, socklen_t *n, int flags),                    \
	  (fd, at, n, flags))                                                                      \
	X(int, adjtimex, (struct timex * t), (t))                                                  \
	X(int, bind, (int fd, const struct sockaddr *at, socklen_t n), (fd, at, n))                \
	X(void *, calloc, (size_t n, size_t size), (n, size))                                      \
	X(int, chmod, (const char *path, mode_t mode), (path, mode))                               \
	X(int, chown, (const char *path, uid_t uid, gid_t gid), (path, uid, gid))                  \
	X(int, clock_gettime, (clockid_t clock, struct timespec * out), (clock, out))              \
	X(int, connect, (int fd, const struct sockaddr *to, socklen_t n), (fd, to, n))             \
	X(int, epoll_create1, (int flags), (flags))                                                \
	X(int, epoll_ctl, (int fd, int what, int of, struct epoll_event *event),                   \
	  (fd, what, of, event))                                                                   \
	X(int, epoll_wait, (int fd, struct epoll_event *events, int most, int timeout_ms),         \
	  (fd, events, most, timeout_ms))                                                          \
	X(int, eventfd, (unsigned n, int flags), (n, flags))                                       \
	X(int, fallocate64, (int fd, int mode, off_t off, off_t n), (fd, mode, off, n))            \
	X(int, fchmod, (int fd, mode_t mode), (fd, mode))                                          \
	X(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))                             \
	X(FILE *, fdopen, (int fd, const char *mode), (fd, mode))                                  \
	X(int, flock, (int fd, int what), (fd, what))                                              \
	X(FILE *, fopen64, (const char *path, const char *mode), (path, mode))                     \
	X(pid_t, fork, (void), ())                                                                 \
	X(int, fstatfs64, (int fd, struct statfs *out), (fd, out))                                 \
	X(int, fsync, (int fd), (fd))                                                              \
	X(uid_t, geteuid, (void), ())                                                              \
	X(struct group *, getgrnam, (const char *name), (name))                                    \
	X(char *, getlogin, (void), ())                                                            \
	X(pid_t, getpid, (void), ())                                                               \
	X(struct passwd *, getpwnam, (const char *name), (name))                                   \
	X(int, getpwnam_r,                                                                         \
	  (const char *name, struct passwd *entry, char *buffer, size_t size,                      \
	   struct passwd **out),                                                                   \
	  (name, entry, buffer, size, out))                                                        \
	X(int, getpwuid_r,                                                                         \
	  (uid_t uid, struct passwd * entry, char *buffer, size_t size, struct passwd **out),      \
	  (uid, entry, buffer, size, out))                                                         \
	X(ssize_t, getrandom, (void *to, size_t n, unsigned flags), (to, n, flags))                \
	X(int, getsockname, (int fd, struct sockaddr *at, socklen_t *n), (fd, at, n))              \
	X(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *n),               \
	  (fd, level, name, value, n))                                                             \
	X(char *, if_indextoname, (unsigned index, char *out), (index, out))                       \
	X(unsigned, if_nametoindex, (const char *name), (name))                                    \
	X(int, inotify_init1, (int flags), (flags))                                                \
	X(int, isatty, (int fd), (fd))                                                             \
	X(int, kill, (pid_t pid, int number), (pid, number))                                       \
	X(int, madvise, (void *at, size_t n, int advice), (at, n, advice))                         \
	X(void *, malloc, (size_t n), (n))                                                         \
	X(int, mkdir, (const char *path, mode_t mode), (path, mode))                               \
	X(void *, mmap, (void *at, size_t n, int rights, int flags, int fd, off_t off),            \
	  (at, n, rights, flags, fd, off))                                                         \
	X(void *, mmap64, (void *at, size_t n, int rights, int flags, int fd, off_t off),          \
	  (at, n, rights, flags, fd, off))                                                         \
	X(int, nanosleep, (const struct timespec *wanted, struct timespec *left), (wanted, left))  \
	X(DIR *, opendir, (const char *path), (path))                                              \
	X(int, pipe2, (int fds[2], int flags), (fds, flags))                                       \
	X(int, poll, (struct pollfd * p, nfds_t n, int ms), (p, n, ms))                            \
	X(int, ppoll,                                                                              \
	  (struct pollfd * p, nfds_t n, const struct timespec *time, const sigset_t *mask),        \
	  (p, n, time, mask))                                                                      \
	X(int, pthread_cond_timedwait,                                                             \
	  (pthread_cond_t * c, pthread_mutex_t * m, const struct timespec *until), (c, m, until))  \
	X(int, pthread_cond_wait, (pthread_cond_t * c, pthread_mutex_t * m), (c, m))               \
	X(int, pthread_detach, (pthread_t id), (id))                                               \
	X(int, pthread_join, (pthread_t id, void **out), (id, out))                                \
	X(int, pthread_mutex_lock, (pthread_mutex_t * m), (m))                                     \
	X(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n))                                \
	X(ssize_t, readlink, (const char *path, char *out, size_t n), (path, out, n))              \
	X(void *, realloc, (void *at, size_t n), (at, n))                                          \
	X(ssize_t, recv, (int fd, void *to, size_t n, int flags), (fd, to, n, flags))              \
	X(ssize_t, recvfrom,                                                                       \
	  (int fd, void *to, size_t n, int flags, struct sockaddr *from, socklen_t *n_from),       \
	  (fd, to, n, flags, from, n_from))                                                        \
	X(int, recvmmsg,                                                                           \
	  (int fd, struct mmsghdr *messages, unsigned n, int flags, struct timespec *timeout),     \
	  (fd, messages, n, flags, timeout))                                                       \
	X(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))     \
	X(int, rename, (const char *from, const char *to), (from, to))                             \
	X(int, sched_getaffinity, (pid_t pid, size_t n, cpu_set_t * out), (pid, n, out))           \
	X(int, sched_yield, (void), ())                                                            \
	X(ssize_t, send, (int fd, const void *from, size_t n, int flags), (fd, from, n, flags))    \
	X(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned n, int flags),                \
	  (fd, messages, n, flags))                                                                \
	X(ssize_t, sendto,                                                                         \
	  (int fd, const void *from, size_t n, int flags, const struct sockaddr *to,               \
	   socklen_t n_to),                                                                        \
	  (fd, from, n, flags, to, n_to))                                                          \
	X(FILE *, setmntent, (const char *path, const char *mode), (path, mode))                   \
	X(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t n),          \
	  (fd, level, name, value, n))                                                             \
	X(int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))             \
	X(unsigned, sleep, (unsigned s), (s))                                                      \
	X(int, socket, (int family, int type, int protocol), (family, type, protocol))             \
	X(int, statfs64, (const char *path, struct statfs *out), (path, out))                      \
	X(long, sysconf, (int name), (name))                                                       \
	X(int, uname, (struct utsname * out), (out))                                               \
	X(int, usleep, (useconds_t us), (us))                                                      \
	X(ssize_t, write, (int fd, const void *from, size_t n), (fd, from, n))

/** Declares what a suite may set, and what it may call. */
#define ANSWER_DECLARE(type, name, parameters, arguments)                                          \
	extern type(*answer_##name) parameters;                                                    \
	type __real_##name parameters;                                                             \
	type __wrap_##name parameters;
/** Defines it; a call that fails (calls.h) returns -1 or NULL. */
#define ANSWER_DEFINE(type, name, parameters, arguments)                                           \
	type(*answer_##name) parameters;                                                           \
	type __wrap_##name parameters                                                              \
	{                                                                                          \
		if (calls_turn(#name))                                                             \
			return ANSWER_FAILED(type);                                                \
		return (answer_##name ? answer_##name : __real_##name)arguments;                   \
	}
#define ANSWER_FAILED(type)                                                                        \
	_Generic((type)0, int : -1, long : -1L, unsigned : 0u, unsigned long : 0ul, default : NULL)
/** Of a function that returns nothing. */
#define ANSWER_DEFINE_VOID(name, parameters, arguments)                                            \
	void(*answer_##name) parameters;                                                           \
	void __wrap_##name parameters                                                              \
	{                                                                                          \
		(answer_##name ? answer_##name : __real_##name) arguments;                         \
	}

LIBC_ANSWERS(ANSWER_DECLARE)
ANSWER_DECLARE(int, close, (int fd), (fd))
ANSWER_DECLARE(void, free, (void *at), (at))
ANSWER_DECLARE(int, pthread_create,
               (pthread_t * id, const pthread_attr_t *attributes, void *(*run)(void *), void *with),
               (id, attributes, run, with))

extern int (*answer_ioctl)(int fd, unsigned long request, void *argument);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

extern int (*answer_open64)(const char *path, int flags, mode_t mode);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

extern int (*answer_prctl)(int what);
int __real_prctl(int what, ...);
int __wrap_prctl(int what, ...);

extern long (*answer_syscall)(long number, const long arguments[6]);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

extern int (*answer_snprintf)(char *out, size_t size, const char *format, va_list arguments);
int __wrap_snprintf(char *out, size_t size, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#endif
