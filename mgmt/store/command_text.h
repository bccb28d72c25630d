/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sentences in the result of a command. Pure; any thread. Implemented in command_text.c.
 */
#ifndef WEIR_MGMT_STORE_COMMAND_TEXT_H
#define WEIR_MGMT_STORE_COMMAND_TEXT_H

#include "mgmt/store/command.h"

/*
 * Write r->undo: the command that ends the new override r->override, or that makes again the one
 * that was changed, ended or held (@p was; NULL: there was none). Nothing is written where @p was
 * would have ended by itself before a person could make it again.
 */
void command_write_undo(struct command_result *r, const struct override *was, int64_t now_ms);
/* Write r->note for a command on a node: what happens from now on. */
void command_write_node_note(struct command_result *r, enum command_do what);

#endif
