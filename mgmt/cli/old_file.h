/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that would undo what others have changed since it was made, for people.
 * Implemented in old_file.c; one thread.
 */
#ifndef WEIR_MGMT_CLI_OLD_FILE_H
#define WEIR_MGMT_CLI_OLD_FILE_H

#include <jansson.h>
#include <stdio.h>

/**
 * Print the settings of others that a file would undo, as an answer lists them; nothing where there
 * are none.
 */
void old_file_print(FILE *to, const json_t *body);

#endif
