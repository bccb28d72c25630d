/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * TLS of the API's connections (OpenSSL): versions 1.2 and 1.3, on sockets that never block.
 *
 * Only a server's own thread calls these, those about a context apart.
 *
 * Implemented in mgmt/http/tls.c.
 */
#ifndef WEIR_MGMT_HTTP_TLS_H
#define WEIR_MGMT_HTTP_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/checked.h"

struct ssl_ctx_st;
struct ssl_st;

#define HTTP_TLS_REASON_MAX 160u /**< bytes */
#define HTTP_TLS_NAMES_MAX  8u   /**< of a client's certificate that are looked at */
#define HTTP_TLS_NAME_MAX   256u /**< with the NUL; a longer one is none */

/** What a server's TLS rests on: PEM texts. */
struct http_tls_files {
	const char *cert, *key; /**< of the server, with its chain; NULL: no TLS */
	/** Who signs certificates of clients, that show one if they have one; NULL: clients are asked for none. */
	const char *clients;
};

/** The names of a client's certificate that a trusted authority has signed. */
struct http_tls_client {
	size_t n; /**< 0: it has shown none */
	/** "URI:" and a subject alternative name (RFC 5280, 4.2.1.6), as SPIFFE's; "CN:" and the one common name. Printable ASCII. */
	char names[HTTP_TLS_NAMES_MAX][HTTP_TLS_NAME_MAX];
	int64_t end_ms; /**< of the certificate, since 1970: connections outlive it */
};

/** What a step needs before it can go on. */
enum http_tls_want { HTTP_TLS_READ, HTTP_TLS_WRITE };

/**
 * A context of a certificate (with its chain) and its key.
 * @return 0, -EINVAL (no certificate), -ENOKEY (no private key without a passphrase), -EKEYREJECTED (they are not a pair),
 *         -EBADMSG (no certificate for clients, or text behind them that is none) or -ENOMEM
 */
int http_tls_context(const struct http_tls_files *files, struct ssl_ctx_st **out) MUST_CHECK;
void http_tls_context_free(struct ssl_ctx_st *context);
/** When its certificate ends, in ms since 1970; 0: not known. */
int64_t http_tls_context_end_ms(const struct ssl_ctx_st *context);

/**
 * Whether peers that trust the certificates @p ca (PEM) accept the context's certificate for @p host, an address or a
 * name. That it has ended is no matter here. @return "": they do; else why not, in @p out
 */
const char *http_tls_context_verify(struct ssl_ctx_st *context, const char *ca, const char *host,
                                    char out[HTTP_TLS_REASON_MAX]);

/** The server's end on @p fd, which is borrowed. @return 0 or -ENOMEM */
int http_tls_open(struct ssl_ctx_st *context, int fd, struct ssl_st **out) MUST_CHECK;
/** Say goodbye, without waiting for an answer. */
void http_tls_shutdown(struct ssl_st *tls);
void http_tls_close(struct ssl_st *tls);
/** A step of the handshake. @return 0: it is done, -EAGAIN with @p want, -ENOMEM or -EPROTO */
int http_tls_accept(struct ssl_st *tls, enum http_tls_want *want);
/**
 * Who is at the other end, once the handshake is done. A certificate that the authorities of @p now have not signed, the
 * context of new connections, names no one.
 */
void http_tls_read_client(struct ssl_st *tls, struct ssl_ctx_st *now, struct http_tls_client *out);
/** As recv(): @return bytes, 0 at the end, -EAGAIN with @p want, -ENOMEM or -EPROTO */
ssize_t http_tls_read(struct ssl_st *tls, void *out, size_t n, enum http_tls_want *want);
/** As send(). @return bytes, -EAGAIN with @p want (call again with the same bytes), -ENOMEM or -EPROTO */
ssize_t http_tls_write(struct ssl_st *tls, const void *bytes, size_t n, enum http_tls_want *want);

#endif
