/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A structure of the API as words for people. Implemented in members.c; any thread.
 */
#ifndef WEIR_MGMT_CLI_MEMBERS_H
#define WEIR_MGMT_CLI_MEMBERS_H

#include <jansson.h>

/*
 * Print a line: @p what, and the members of @p object (NULL: none) as NAME=VALUE. One inside another is
 * NAME.PART=VALUE, a list of names has commas, of another list its length is shown, and millionths (_ppm)
 * are a percentage. What is false or null is left out, and so are `views`, which have lines of their own.
 */
void members_print(const char *what, const json_t *object);

#endif
