/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A verdict that has tripped for something known stays so; a missing value trips what would have
 * passed. So the detail names a fault before a gap.
 */
#include <stdarg.h>
#include <stdio.h>

#include "mgmt/operations/guard_internal.h"

__attribute__((format(printf, 2, 0))) static void
write_detail(struct operation_verdict *v, const char *format, va_list arguments)
{
	(void)vsnprintf(v->detail, sizeof(v->detail), format, arguments);
	v->checked = true;
}

void guard_trip(struct operation_verdict *v, const char *format, ...)
{
	va_list arguments;

	if (!v->ok && !v->unknown)
		return;
	va_start(arguments, format);
	write_detail(v, format, arguments);
	va_end(arguments);
	v->ok = false;
	v->unknown = false;
}

void guard_miss(struct operation_verdict *v, const char *format, ...)
{
	va_list arguments;

	if (!v->ok)
		return;
	va_start(arguments, format);
	write_detail(v, format, arguments);
	va_end(arguments);
	v->ok = false;
	v->unknown = true;
}

void guard_pass(struct operation_verdict *v, const char *format, ...)
{
	va_list arguments;

	if (!v->ok)
		return;
	va_start(arguments, format);
	write_detail(v, format, arguments);
	va_end(arguments);
}
