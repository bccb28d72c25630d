/* SPDX-License-Identifier: BSD-2-Clause */
/* libbpf opens a socket for each request to tc: these fail, too, where a test says so (tests/unit/calls.h). */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "tests/unit/calls.h"

int socket(int family, int type, int protocol)
{
	static __typeof__(socket) *real;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "socket");
	if (!real)
		abort();
	return calls_turn("socket") ? -1 : real(family, type, protocol);
}
