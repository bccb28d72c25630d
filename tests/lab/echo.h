/* SPDX-License-Identifier: BSD-2-Clause */
/* lab-echo inside: its part for datagrams. */
#ifndef WEIR_TESTS_LAB_ECHO_H
#define WEIR_TESTS_LAB_ECHO_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/lab/stream.h"

struct loop;

/* Answer datagrams to @p address and @p port as @p name, which stays. @return whether that is so from now on */
bool echo_udp_open(struct loop *l, const char *name, const char *address, uint16_t port);

#endif
