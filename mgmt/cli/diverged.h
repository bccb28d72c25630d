/* SPDX-License-Identifier: BSD-2-Clause */
/* Heads that have diverged, for people: whose they are, and the command that keeps each. */
#ifndef WEIR_MGMT_CLI_DIVERGED_H
#define WEIR_MGMT_CLI_DIVERGED_H

#include <jansson.h>
#include <stdio.h>

/** Print what an answer has of `own`, `heads` and `cure`; nothing where there are no heads. */
void diverged_print(FILE *to, const json_t *body);
/** Print what an answer says of settings that a file takes back; nothing where it takes none. */
void old_file_print(FILE *to, const json_t *body);

#endif
