/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of libmnl that a suite answers itself (answers.h): what the kernel hears and says of routes and links. */
#ifndef WEIR_TESTS_UNIT_MNL_ANSWERS_H
#define WEIR_TESTS_UNIT_MNL_ANSWERS_H

#include <libmnl/libmnl.h>

#include "tests/unit/answers.h"

#define MNL_ANSWERS(X)                                                                             \
	X(int, mnl_socket_bind, (struct mnl_socket * s, unsigned groups, pid_t pid),               \
	  (s, groups, pid))                                                                        \
	X(struct mnl_socket *, mnl_socket_open2, (int bus, int flags), (bus, flags))

MNL_ANSWERS(ANSWER_DECLARE)
ANSWER_DECLARE(ssize_t, mnl_socket_recvfrom, (const struct mnl_socket *s, void *to, size_t n),
               (s, to, n))
ANSWER_DECLARE(ssize_t, mnl_socket_sendto, (const struct mnl_socket *s, const void *from, size_t n),
               (s, from, n))

#endif
