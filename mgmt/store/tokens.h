/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * CONF/tokens: the tokens that give access to the API over TCP. Each line is one token, "NAME ROLE
 * SHA-256", or one client, "NAME ROLE URI:..." or "CN:...", by a name of its certificate;
 * "anonymous ROLE *" is for requests without either; '#' begins a comment. Behind these
 * three words there may be more, each at most once: until=, person=, scope=, from=. weir-mgmt
 * reads the file for each login, `weir token` changes it.
 *
 * A line with an error gives no access, nor does one with the name of a line before it. Messages about it never quote the line, because it may hold
 * a token itself.
 *
 * Implemented in mgmt/store/tokens.c. Any thread may call.
 */
#ifndef WEIR_MGMT_STORE_TOKENS_H
#define WEIR_MGMT_STORE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "mgmt/files/digest.h"
#include "weir/scope.h"

#define TOKENS_FILE "tokens"
/** Beside it: PEM certificates of those who sign for clients. Without it clients are asked for no certificate. */
#define TOKENS_CLIENTS_FILE "tls.clients"
#define TOKENS_NAME_MAX     64u   /**< with the NUL */
#define TOKENS_ROLE_MAX     16u   /**< with the NUL */
#define TOKENS_KEY_MAX      256u  /**< with the NUL */
#define TOKENS_LINE_MAX     1024u /**< with the NUL */
#define TOKENS_BOTH_MAX     62u /**< bytes of name and person together: they are kept as one text */
#define TOKENS_FROM_MAX     16u /**< prefixes */
#define TOKENS_ANONYMOUS    "anonymous"
#define TOKENS_SOON_MS      ((int64_t)14 * 86400 * 1000) /**< before one ends: time to make another */

/** A well-formed line. */
struct tokens_entry {
	char name[TOKENS_NAME_MAX];
	char role[TOKENS_ROLE_MAX];
	/** of the token, its SHA-256; a name of http_tls_client; "*" where the name is "anonymous" */
	char key[TOKENS_KEY_MAX];
	int64_t until_ms;             /**< it ends then; INT64_MAX: never */
	char person[TOKENS_NAME_MAX]; /**< who it belongs to; "": not said */
	bool is_scoped;               /**< else it may change all that its role permits */
	char scope[SCOPE_MAX];
	struct prefix from[TOKENS_FROM_MAX]; /**< it is taken from these addresses alone; */
	size_t n_from;                       /**< 0: from all */
};

/** Whether @p key is a name of a client's certificate, "URI:spiffe://example.net/ci" or "CN:ci", and no digest. */
bool tokens_is_certificate(const char *key);
/** Whether the entry has ended at @p now_ms. */
bool tokens_has_ended(const struct tokens_entry *entry, int64_t now_ms);
/** Whether it is taken from @p from; NULL: an address that is not known. */
bool tokens_is_from(const struct tokens_entry *entry, const struct addr *from);

/**
 * Called for each line but comments and empty ones; @p line counts from 1. @p entry is NULL for a line with an error, and
 * then @p err_text is a static sentence that says what is wrong and what to do.
 */
typedef void tokens_line_cb(void *arg, size_t line, const struct tokens_entry *entry,
                            const char *err_text);
/** Call @p cb for each such line. @return how many have an error */
size_t tokens_scan(const char *text, size_t n, tokens_line_cb *cb, void *arg);

/** A new token, or a line for a certificate. */
struct tokens_request {
	const char *name, *role;
	const char *certificate; /**< a name of it, as above; NULL: a token is made */
	/** Optional words of the line, "until=2027-01-31 scope=pools:web", or "". */
	const char *words;
};

/**
 * Make a token and add its line to CONF/tokens, which is replaced in one step and keeps owner and mode; a
 * new file gets mode 0400, and weir-mgmt as its owner where there is this user and we are root.
 * @param token gets the token, 64 hexadecimal digits; "" for a certificate, which has no secret here
 * @param err_text  of -EBADMSG: what is wrong with the words; it stays
 * @return 0; -EINVAL for a name that is not of [A-Za-z0-9._-] or is "anonymous"; -ENOKEY for an unknown role; -EBADMSG;
 * -EEXIST when the name is there; -EBUSY when another changes the file; or -errno, with nothing changed
 */
MUST_CHECK int tokens_new(const char *conf_dir, const struct tokens_request *request,
                          char token[DIGEST_TEXT_MAX], const char **err_text);
/**
 * Take the lines of the token @p name out of CONF/tokens; all other bytes stay.
 * @return 0; -ENOENT: there is none; -EBUSY or -errno as above
 */
MUST_CHECK int tokens_remove(const char *conf_dir, const char *name);

#endif
