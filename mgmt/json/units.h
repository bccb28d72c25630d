/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers as people read them. What is not known (negative, or no number) is said to be, never 0.
 * Implemented in mgmt/json/units.c. Pure functions.
 */
#ifndef WEIR_MGMT_JSON_UNITS_H
#define WEIR_MGMT_JSON_UNITS_H

#define UNITS_MAX 32 /* bytes of a text */

/* "2.1 Gbit/s". @return @p text */
const char *units_bits(double bits, char text[UNITS_MAX]);
/* The same with a digit less. @return @p text */
const char *units_traffic(double bits, char text[UNITS_MAX]);
/* "812/s", "0.4/s". @return @p text */
const char *units_rate(double per_s, char text[UNITS_MAX]);
/* "12", "0.5". @return @p text */
const char *units_number(double number, char text[UNITS_MAX]);
/* Parts per million: "25 %", "99.5 %". @return @p text */
const char *units_share(double ppm, char text[UNITS_MAX]);
/* "35 s", "4 min 10 s", "1 h 5 min". @return @p text */
const char *units_time(double seconds, char text[UNITS_MAX]);
/* Of milliseconds: "+1.5 s". @return @p text */
const char *units_offset(double ms, char text[UNITS_MAX]);

#endif
