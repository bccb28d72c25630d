/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/plain.h"

int random_hex(char *out, size_t n)
{
	unsigned char bytes[RANDOM_BYTES_MAX];

	if (n > sizeof(bytes))
		return -EINVAL;
	if (getrandom(bytes, n, 0) != (ssize_t)n)
		return -errno;
	plain_hex(bytes, n, out);
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
