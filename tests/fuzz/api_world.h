/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A management core in a folder of its own, for the fuzzer and for the test of failing allocations, and
 * requests as they are written in the corpus: "METHOD PATH?QUERY", a newline, and the body.
 */
#ifndef WEIR_TESTS_API_WORLD_H
#define WEIR_TESTS_API_WORLD_H

#include <stdbool.h>

#include "mgmt/core/core.h"
#include "mgmt/api/route.h"

/** Make the core, whose threads have ended: nothing waits, nothing asks peers. Or abort. */
struct core *api_world_open(void);
void api_world_close(void);
/** Before a fork: the folder of a core that a child makes is known here, too. */
void api_world_share(void);
/** Take away the folder of a child that ended without api_world_close(). */
void api_world_sweep(void);
/** Read the head of a request and move @p at to the body. @return whether it is one */
bool api_world_read(const char **at, const char *end, struct http_request *r);

#endif
