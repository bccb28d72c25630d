/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Progress: while a request is under way its client hears something each second, so that one that hears nothing for
 * five knows that nobody works on it.
 *
 * What it hears is an interim response, "HTTP/1.1 102 Processing" (RFC 2518, 10.1; RFC 9110, 15.2), and only where it
 * asked for that (Weir-Progress: 1) over the UNIX socket, as not all libraries skip interim responses.
 */
#ifndef WEIR_MGMT_API_PULSE_H
#define WEIR_MGMT_API_PULSE_H

#include "mgmt/api/core.h"

#define PULSE_EVERY_MS 1000u

/** Start the thread. @return 0 or -errno */
int pulse_start(struct core *core);
/** End it; core->stopping is set. */
void pulse_stop(struct core *core);
/** Send interim responses on connection @p fd until pulse_end(), which is called by the thread that will send the final one. */
void pulse_begin(struct core *core, int fd);
void pulse_end(struct core *core, int fd);

#endif
