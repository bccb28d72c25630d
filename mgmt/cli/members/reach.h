/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * How a program that registers members asks the API: at one of several addresses, in turn, while nodes die, hang, or refuse
 * for a while. And how it waits: by the monotonic clock, until a signal.
 *
 * Implemented in mgmt/cli/members/reach.c; for the program's one thread.
 */
#ifndef WEIR_MGMT_CLI_MEMBERS_REACH_H
#define WEIR_MGMT_CLI_MEMBERS_REACH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/checked.h"
#include "mgmt/cli/api.h"
#include "mgmt/cli/cli.h"
#include "mgmt/cli/members/answer.h"

#define REACH_ADDRESSES_MAX 8u

/* clang-format off */
/** Rows of a program's table. */
#define REACH_OPTIONS \
	{ "--api", "URL,...", "addresses of the API, https://HOST:PORT, tried in turn (default: the socket of a node that runs here)" }, \
	{ "--token-file", "FILE", "the program's token, of role oncall (weir token new); read again for each request" }, \
	{ "--ca", "FILE", "authority that verifies the API, PEM (default: those of the system)" }
/* clang-format on */

struct reach {
	struct cli cli; /**< as api_call_quietly() wants it */
	char urls[REACH_ADDRESSES_MAX][256];
	size_t n, at; /**< @p at answered last; n is 1 for the socket */
	bool is_remote;
	const char *token_file;
	char token[TOKEN_MAX];
	struct api_server server;
	int signals;                     /**< descriptor of SIGTERM and SIGINT */
	bool is_ended;                   /**< one of these came */
	unsigned tries;                  /**< without success, in a row */
	char trouble[ANSWER_REASON_MAX]; /**< that was said last; "": none */
};

/** Read the options, and take SIGTERM and SIGINT from now on. @return CLI_OK, or an exit status after a message */
MUST_CHECK int reach_open(struct reach *a, const struct cli *cli, const struct cli_args *args);
void reach_close(struct reach *a);
/**
 * Send it to each address until one carries it out, or refuses it for good, or says that all would refuse it now.
 * @param body  taken; NULL: none
 * @param reply  given: the answer that says most
 */
enum answer_meaning reach_send(struct reach *a, const char *method, const char *path, json_t *body,
                               struct api_reply *reply);
/** Say on standard error what goes wrong, once. */
void reach_say_trouble(struct reach *a, const char *what, const char *reason);
/** It goes well; a line says so if the last one said otherwise. */
void reach_say_well(struct reach *a);

enum reach_woken { REACH_TIME, REACH_SIGNAL, REACH_INPUT };
/** Wait for @p ms, for a signal, or for something to read from @p fd (-1: none). A signal counts once. */
enum reach_woken reach_wait(struct reach *a, int fd, uint64_t ms);

#endif
