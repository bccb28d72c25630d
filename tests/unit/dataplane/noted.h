/* SPDX-License-Identifier: BSD-2-Clause */
/* What fakes were asked, in words, one after the other: struct scene has a log. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_NOTED_H
#define WEIR_TESTS_UNIT_DATAPLANE_NOTED_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void note_in(char *log, size_t size, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void note_in(char *log, size_t size, const char *format, ...)
{
	size_t n = strlen(log);
	va_list list;

	va_start(list, format);
	vsnprintf(log + n, size - n, format, list);
	va_end(list);
}

#define note(...) note_in(scene.log, sizeof(scene.log), __VA_ARGS__)

#endif
