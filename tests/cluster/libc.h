/* SPDX-License-Identifier: BSD-2-Clause */
/* What the stand-ins for the C library's functions (libc.c) know. */
#ifndef TESTS_CLUSTER_LIBC_H
#define TESTS_CLUSTER_LIBC_H

#include <stdbool.h>
#include <sys/socket.h>

/* The address of IP to which @p fd was bound. @return false: to none */
bool libc_bound_to(int fd, struct sockaddr_storage *out);

#endif
