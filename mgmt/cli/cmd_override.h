/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Override commands over the API (cmd_override.c) and without it (offline.c, offline_hung.c). One
 * thread: the command's.
 */
#ifndef WEIR_MGMT_CLI_CMD_OVERRIDE_H
#define WEIR_MGMT_CLI_CMD_OVERRIDE_H

#include "mgmt/cli/api.h"

/* Of an override command's answer, as the API gives it (override_text.c). */
extern const char override_text[];

/*
 * Carry out an override command without weir-mgmt, by the same store and writer. @p body is as for
 * POST /v1/overrides and is taken. @return the exit status; of CLI_REFUSED *@p guards is what each
 * guard says, given
 */
MUST_CHECK int offline_override(const struct cli *cli, json_t *body, bool dry_run, json_t **guards);

/*
 * The store is locked: kill weir-mgmt if it hangs (offline_hung.c). @return CLI_OK: it has ended;
 * else after a message
 */
MUST_CHECK int offline_end_hung(const struct cli *cli, bool dry_run);

#endif
