/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Members of request bodies, from options: of overrides (cmd_override.c), operations
 * (cmd_operation.c), and commands that only say why. Implemented in body.c. One thread: the command's.
 */
#ifndef WEIR_MGMT_CLI_BODY_H
#define WEIR_MGMT_CLI_BODY_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/cli/cli.h"

/*
 * Add the text of @p option as member @p name; nothing where the option is not given. A text that
 * JSON cannot hold is refused: without --over a drain would be instant. @return false after a message
 */
MUST_CHECK bool body_add_text(json_t *body, const char *name, const struct cli_args *args,
                              const char *option);
/* Add reason and author; without a reason, a text that says so of command @p what. @return as above */
MUST_CHECK bool body_add_reason(json_t *body, const char *what, const struct cli_args *args);
/* @return a body of these two, owned; NULL after a message */
MUST_CHECK json_t *body_make_reason(const char *what, const struct cli_args *args);
/* Add "room,last-site" of @p option as a list; nothing where it is not given. @return as above */
MUST_CHECK bool body_add_list(json_t *body, const char *name, const struct cli_args *args,
                              const char *option);

#endif
