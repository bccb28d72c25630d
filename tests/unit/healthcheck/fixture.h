/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory of its own for a test, and models from texts. */
#ifndef HEALTH_FIXTURE_H
#define HEALTH_FIXTURE_H

#include "weir/model.h"

/* For cmocka's group setup and teardown. */
int fixture_setup(void **state);
int fixture_teardown(void **state);
/* "DIR/NAME"; the text holds until the next but three calls. */
const char *fixture_path(const char *name);
/* From now on: what stands in the service about its check, and the VIP at fra. Both are borrowed. */
void fixture_vip(const char *check, const char *address);
/*
 * The model of a node ams-1 at site ams with a second site fra. Backends b1 to b3 (127.0.0.11 to .13)
 * in pool web; service web at VIP 203.0.113.10 and 2001:db8::10, fra's at 127.0.0.14.
 * @param check     what stands in the check "c" behind its name
 * @param port      of all
 * @param controls  the node's, as text: "" or "\"203.0.113.1\""
 */
struct model *fixture_model(const char *check, unsigned port, const char *controls);

#endif
