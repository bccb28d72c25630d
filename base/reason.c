/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/reason.h"

#include <stdarg.h>
#include <stdio.h>

int reason_write(char *reason, size_t size, int err, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(reason, size, format, list);
	va_end(list);
	return err;
}
