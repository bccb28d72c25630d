/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Override commands over the API (cmd_override.c) and without it (offline.c, offline_hung.c). One
 * thread: the command's.
 */
#ifndef WEIR_MGMT_CLI_CMD_OVERRIDE_H
#define WEIR_MGMT_CLI_CMD_OVERRIDE_H

#include "mgmt/cli/api.h"

#define OVERRIDE_TARGET_MAX 192 /* bytes: kinds and two names */

/*
 * The target of override @p o, as commands take it: "backend web/b1". In lists, @p briefly: sites
 * and backends without that word. Implemented in override_text.c. @return @p out
 */
const char *override_target_of(const json_t *o, bool briefly, char out[OVERRIDE_TARGET_MAX]);
/* Until when override @p o is there: its operation's end, if it has one (override_text.c). */
const char *override_until(const json_t *o);
/* Print an override command's answer, as the API gives it (override_text.c). */
void override_print(const json_t *body);

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
