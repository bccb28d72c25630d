/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Heads that have diverged, for people: whose they are, and the command that keeps each.
 * Implemented in diverged.c; one thread.
 */
#ifndef WEIR_MGMT_CLI_DIVERGED_H
#define WEIR_MGMT_CLI_DIVERGED_H

#include <jansson.h>
#include <stdio.h>

/** Print what an answer has of `own`, `heads` and `cure`; nothing where there are no heads. */
void diverged_print(FILE *to, const json_t *body);
/**
 * Print the settings of others that a file would undo, as an answer lists them; nothing where there
 * are none.
 */
void old_file_print(FILE *to, const json_t *body);

#endif
