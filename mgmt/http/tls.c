/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection that waits gives its record buffers back (SSL_MODE_RELEASE_BUFFERS): a few kilobytes
 * remain. Sessions are resumed by tickets alone, so that clients fill no cache here; nobody can ask
 * for a second handshake.
 */
#include "mgmt/http/tls.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* Of TLS 1.2; all of 1.3 are as good. */
#define CIPHERS                                                                                    \
	"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK" /* forward secrecy and authenticated encryption only */

/* Whether a failure was a lack of memory. Empties the error queue of OpenSSL. */
static bool lacks_memory(void)
{
	bool lacks = false;
	unsigned long error;

	while ((error = ERR_get_error()))
		lacks |= ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
	return lacks;
}

/* The certificate and those that follow it. @return whether there is one */
static int use_chain(SSL_CTX *context, BIO *pem)
{
	X509 *cert = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL), *next;
	int ok = cert && SSL_CTX_use_certificate(context, cert) == 1;

	X509_free(cert);
	while (ok && (next = PEM_read_bio_X509(pem, NULL, NULL, NULL)))
		if (SSL_CTX_add0_chain_cert(context, next) != 1) {
			X509_free(next);
			ok = 0;
		}
	return ok;
}

/* As http_tls_context() */
static int use_pair(SSL_CTX *context, const char *cert, const char *key)
{
	BIO *cert_pem = BIO_new_mem_buf(cert, -1), *key_pem = BIO_new_mem_buf(key, -1);
	EVP_PKEY *private_key = key_pem ? PEM_read_bio_PrivateKey(key_pem, NULL, NULL, "") : NULL;
	int err = cert_pem && use_chain(context, cert_pem) ? 0 : -EINVAL;

	if (!err && !private_key)
		err = -ENOKEY;
	if (!err && (SSL_CTX_use_PrivateKey(context, private_key) != 1 ||
	             SSL_CTX_check_private_key(context) != 1))
		err = -EKEYREJECTED;

	bool lacks = lacks_memory(); /* reading ends with an error: no further certificate */

	EVP_PKEY_free(private_key);
	BIO_free(key_pem);
	BIO_free(cert_pem);
	return lacks || !cert_pem || !key_pem ? -ENOMEM : err;
}

int http_tls_context(const char *cert, const char *key, struct ssl_ctx_st **out)
{
	ERR_clear_error();
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	if (!context)
		return lacks_memory(), -ENOMEM;
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
	                                     SSL_OP_CIPHER_SERVER_PREFERENCE |
	                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
	                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* else one read goes on as long as KeyUpdates (1.3) or ClientHellos (1.2) come */
	SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	int err = 0;

	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_cipher_list(context, CIPHERS) != 1)
		err = lacks_memory() ? -ENOMEM : -EINVAL;
	if (!err)
		err = use_pair(context, cert, key);
	if (err) {
		SSL_CTX_free(context);
		return err;
	}
	*out = context;
	return 0;
}

void http_tls_context_free(struct ssl_ctx_st *context)
{
	SSL_CTX_free(context);
}

int64_t http_tls_context_end_ms(const struct ssl_ctx_st *context)
{
	const X509 *cert = SSL_CTX_get0_certificate(context);
	struct tm end;

	return cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end)
	               ? (int64_t)timegm(&end) * 1000
	               : 0;
}

/* The certificates that peers trust; NULL: there are none, or no memory. */
static X509_STORE *read_trusted(const char *ca)
{
	X509_STORE *store = X509_STORE_new();
	BIO *pem = BIO_new_mem_buf(ca, -1);
	X509 *cert;
	int n = 0;

	while (store && pem && (cert = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL))) {
		n += X509_STORE_add_cert(store, cert) == 1;
		X509_free(cert);
	}
	BIO_free(pem);
	if (n)
		return store;
	X509_STORE_free(store);
	return NULL;
}

/* As curl looks at it: a certificate without other names may have the address as its common name. */
static bool names_host(X509 *cert, const char *host)
{
	return X509_check_ip_asc(cert, host, 0) == 1 ||
	       X509_check_host(cert, host, 0, 0, NULL) == 1;
}

/* certificate-ends states the end of the certificate itself (mgmt/core/certificate.c). */
static int pass_end(int ok, X509_STORE_CTX *c)
{
	return ok || (X509_STORE_CTX_get_error(c) == X509_V_ERR_CERT_HAS_EXPIRED &&
	              X509_STORE_CTX_get_error_depth(c) == 0);
}

/* @return an X509_V_ code; X509_V_OK: a peer accepts the chain, or nothing is known for want of memory */
static int verify_chain(SSL_CTX *context, X509_STORE *store, X509 *cert)
{
	STACK_OF(X509) *chain = NULL;
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	int error = X509_V_OK;

	(void)SSL_CTX_get0_chain_certs(context, &chain);
	if (c && X509_STORE_CTX_init(c, store, cert, chain) == 1) {
		X509_STORE_CTX_set_flags(c, X509_V_FLAG_PARTIAL_CHAIN); /* as curl does */
		X509_STORE_CTX_set_default(c, "ssl_server");
		X509_STORE_CTX_set_verify_cb(c, pass_end);
		if (X509_verify_cert(c) != 1)
			error = X509_STORE_CTX_get_error(c);
	}
	X509_STORE_CTX_free(c);
	return error;
}

const char *http_tls_context_verify(struct ssl_ctx_st *context, const char *ca, const char *host,
                                    char out[HTTP_TLS_REASON_MAX])
{
	X509 *cert = SSL_CTX_get0_certificate(context);
	X509_STORE *store = read_trusted(ca);
	int error = store && cert ? verify_chain(context, store, cert) : X509_V_OK;

	out[0] = '\0';
	if (!store)
		snprintf(out, HTTP_TLS_REASON_MAX, "there is no certificate to trust");
	else if (error)
		snprintf(out, HTTP_TLS_REASON_MAX, "%.100s", X509_verify_cert_error_string(error));
	else if (cert && !names_host(cert, host))
		snprintf(out, HTTP_TLS_REASON_MAX, "it does not name %.100s", host);
	X509_STORE_free(store);
	ERR_clear_error();
	return out;
}

int http_tls_open(struct ssl_ctx_st *context, int fd, struct ssl_st **out)
{
	SSL *tls = SSL_new(context);

	if (!tls || SSL_set_fd(tls, fd) != 1) {
		SSL_free(tls);
		ERR_clear_error();
		return -ENOMEM;
	}
	SSL_set_accept_state(tls);
	*out = tls;
	return 0;
}

void http_tls_shutdown(struct ssl_st *tls)
{
	ERR_clear_error();
	if (SSL_is_init_finished(tls))
		(void)SSL_shutdown(tls);
	ERR_clear_error();
}

void http_tls_close(struct ssl_st *tls)
{
	SSL_free(tls);
}

/* Translate the result @p err of a step. */
static int read_tls_outcome(SSL *tls, int err, enum http_tls_want *want)
{
	int error = SSL_get_error(tls, err);
	bool lacks = lacks_memory();

	*want = error == SSL_ERROR_WANT_WRITE ? HTTP_TLS_WRITE : HTTP_TLS_READ;
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return -EAGAIN;
	return error == SSL_ERROR_ZERO_RETURN ? 0 : lacks ? -ENOMEM : -EPROTO;
}

static int clamp_length(size_t n)
{
	return n < INT_MAX ? (int)n : INT_MAX;
}

int http_tls_accept(struct ssl_st *tls, enum http_tls_want *want)
{
	ERR_clear_error();
	int err = SSL_accept(tls);

	if (err == 1)
		return 0;
	err = read_tls_outcome(tls, err, want);
	return err ? err : -EPROTO; /* it ended during the handshake */
}

ssize_t http_tls_read(struct ssl_st *tls, void *out, size_t n, enum http_tls_want *want)
{
	ERR_clear_error();
	int err = SSL_read(tls, out, clamp_length(n));

	return err > 0 ? err : read_tls_outcome(tls, err, want);
}

ssize_t http_tls_write(struct ssl_st *tls, const void *bytes, size_t n, enum http_tls_want *want)
{
	ERR_clear_error();
	int err = SSL_write(tls, bytes, clamp_length(n));

	if (err > 0)
		return err;
	err = read_tls_outcome(tls, err, want);
	return err ? err : -EPROTO;
}
