/* SPDX-License-Identifier: BSD-2-Clause */
#include "answers.h"

LIBC_ANSWERS(ANSWER_DEFINE)

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
