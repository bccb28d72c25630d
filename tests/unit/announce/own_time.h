/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A boot clock that stands still while there is something to do, and goes on to the next timer where the loop would
 * wait. So seconds take no time, and each time is known. All that the loop hears must be of this process and thread.
 */
#ifndef WEIR_TESTS_UNIT_ANNOUNCE_OWN_TIME_H
#define WEIR_TESTS_UNIT_ANNOUNCE_OWN_TIME_H

/** From now on the suite has this time. */
void own_time_begin(void);

#endif
