/* SPDX-License-Identifier: BSD-2-Clause */
/* What is logged, line by line, each with its priority ("<4>"). */
#ifndef WEIR_TESTS_UNIT_LOGGED_H
#define WEIR_TESTS_UNIT_LOGGED_H

extern char logged[8192]; /* a suite empties it; what has no room is left out */

/** From now on the suite keeps what is written to standard error, and nothing comes out there. */
void logged_begin(void);

#endif
