/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

int random_hex(char *out, size_t n)
{
	unsigned char bytes[RANDOM_BYTES_MAX];

	if (n > sizeof(bytes))
		return -EINVAL;
	if (getrandom(bytes, n, 0) != (ssize_t)n)
		return -errno;
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	explicit_bzero(bytes, sizeof(bytes));
	return 0;
}
