/* SPDX-License-Identifier: BSD-2-Clause */
#include "answers.h"

#include <errno.h>

LIBC_ANSWERS(ANSWER_DEFINE)
ANSWER_DEFINE_VOID(free, (void *at), (at))

int (*answer_close)(int fd);

/* Where it fails, the descriptor is closed all the same, as Linux does. */
int __wrap_close(int fd)
{
	bool fails = calls_turn("close");
	int err = errno, result = (answer_close ? answer_close : __real_close)(fd);

	if (!fails)
		return result;
	errno = err;
	return -1;
}

int (*answer_pthread_create)(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *),
                             void *with);

int __wrap_pthread_create(pthread_t *id, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *with)
{
	if (calls_turn("pthread_create"))
		return errno;
	return (answer_pthread_create ? answer_pthread_create
	                              : __real_pthread_create)(id, attributes, run, with);
}

int (*answer_ioctl)(int fd, unsigned long request, void *argument);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;

	va_start(arguments, request);
	void *argument = va_arg(arguments, void *);
	va_end(arguments);
	return answer_ioctl ? answer_ioctl(fd, request, argument)
	                    : __real_ioctl(fd, request, argument);
}

int (*answer_open64)(const char *path, int flags, mode_t mode);

int __wrap_open64(const char *path, int flags, ...)
{
	va_list arguments;

	va_start(arguments, flags);
	mode_t mode = va_arg(arguments, mode_t); /* a caller that gives none is given none */
	va_end(arguments);
	if (calls_turn("open"))
		return -1;
	return answer_open64 ? answer_open64(path, flags, mode) : __real_open64(path, flags, mode);
}

int (*answer_prctl)(int what);

int __wrap_prctl(int what, ...)
{
	va_list list;
	unsigned long a[4];

	va_start(list, what);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(list, unsigned long);
	va_end(list);
	return answer_prctl ? answer_prctl(what) : __real_prctl(what, a[0], a[1], a[2], a[3]);
}

long (*answer_syscall)(long number, const long arguments[6]);

/* A caller gives fewer than six: what is read then is of the stack, and libc reads it, too. */
__attribute__((no_sanitize_address)) long __wrap_syscall(long number, ...)
{
	va_list list;
	long a[6];

	va_start(list, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(list, long);
	va_end(list);
	return answer_syscall ? answer_syscall(number, a)
	                      : __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int (*answer_snprintf)(char *out, size_t size, const char *format, va_list arguments);

int __wrap_snprintf(char *out, size_t size, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int n = (answer_snprintf ? answer_snprintf : vsnprintf)(out, size, format, arguments);
	va_end(arguments);
	return n;
}
