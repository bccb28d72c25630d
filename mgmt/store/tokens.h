/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * CONF/tokens: the tokens that give access to the API over TCP. Each line is one token, "NAME ROLE
 * SHA-256"; "anonymous ROLE *" is for requests without a token; '#' begins a comment. weir-mgmt
 * reads the file for each login, `weir token new` adds to it.
 *
 * A line with an error gives no access. Messages about it never quote the line, because it may hold
 * a token itself.
 *
 * Implemented in mgmt/store/tokens.c. Any thread may call.
 */
#ifndef WEIR_MGMT_STORE_TOKENS_H
#define WEIR_MGMT_STORE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"
#include "mgmt/files/digest.h"

#define TOKENS_FILE      "tokens"
#define TOKENS_NAME_MAX  64u  /**< with the NUL */
#define TOKENS_ROLE_MAX  16u  /**< with the NUL */
#define TOKENS_LINE_MAX  256u /**< with the NUL */
#define TOKENS_ANONYMOUS "anonymous"

/** A well-formed line. */
struct tokens_entry {
	char name[TOKENS_NAME_MAX];
	char role[TOKENS_ROLE_MAX];
	char digest[DIGEST_TEXT_MAX]; /**< of the token; "*" where the name is "anonymous" */
};

/** What a line is. */
enum tokens_line {
	TOKENS_ENTRY,
	TOKENS_NOTHING, /**< a comment, or empty */
	TOKENS_BAD,
};

/**
 * Read one line of @p n bytes, without its newline. @p out is set for TOKENS_ENTRY alone. For TOKENS_BAD,
 * *@p err_text is a static sentence that says what is wrong and what to do.
 */
MUST_CHECK enum tokens_line tokens_read(const char *line, size_t n, struct tokens_entry *out,
                                        const char **err_text);

/** Called for each line with an error; @p line counts from 1. */
typedef void tokens_bad_cb(void *arg, size_t line, const char *err_text);
/** Call @p cb for each line with an error. @return how many there are */
size_t tokens_scan(const char *text, size_t n, tokens_bad_cb *cb, void *arg);

/**
 * Make a token of @p role for @p name and add its digest to CONF/tokens, which is replaced in one step and keeps owner and mode; a
 * new file gets mode 0400, and weir-mgmt as its owner where there is this user and we are root.
 * @param token gets the token: 64 hexadecimal digits
 * @return 0; -EINVAL for a name that is not of [A-Za-z0-9._-] or is "anonymous"; -ENOKEY for an unknown role; -EEXIST when
 * the name is there; -EBUSY when another makes one; or -errno, with nothing changed
 */
MUST_CHECK int tokens_new(const char *conf_dir, const char *name, const char *role,
                          char token[DIGEST_TEXT_MAX]);

#endif
