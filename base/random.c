/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

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

uint32_t random_salt(void)
{
	uint32_t salt = 0;

	if (getrandom(&salt, sizeof(salt), GRND_NONBLOCK) != sizeof(salt))
		salt = (uint32_t)clock_mono_ns();
	return salt;
}
