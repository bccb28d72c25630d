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
#include <string.h>

/* Of TLS 1.2; all of 1.3 are as good. */
#define CIPHERS                                                                                    \
	"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK" /* forward secrecy and authenticated encryption only */

#define CLIENT_CHAIN_MAX 16384 /* bytes of certificates that a stranger may send */

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

/*
 * Request certificates of clients. One that these authorities have not signed for clients, or that has ended, ends the handshake;
 * a client without one is served. A ticket brings its session's certificate back, at this context alone.
 */
static int request_certificates(SSL_CTX *context, const char *pem_text)
{
	BIO *pem = BIO_new_mem_buf(pem_text, -1);
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	X509 *cert;
	int n = 0;

	while (pem && (cert = PEM_read_bio_X509_AUX(pem, NULL, NULL, NULL))) {
		n += X509_STORE_add_cert(store, cert) == 1 &&
		     SSL_CTX_add_client_CA(context, cert) == 1;
		X509_free(cert);
	}
	bool is_whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	bool lacks = lacks_memory() || !pem;

	BIO_free(pem);
	if (lacks)
		return -ENOMEM;
	if (!n || !is_whole)
		return -EBADMSG;
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_max_cert_list(context, CLIENT_CHAIN_MAX);
	SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN); /* the own chain is that of the file */
	return SSL_CTX_set_session_id_context(context, (const unsigned char *)"weir", 4) == 1
	               ? 0
	               : -ENOMEM;
}

int http_tls_context(const struct http_tls_files *files, struct ssl_ctx_st **out)
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
		err = use_pair(context, files->cert, files->key);
	if (!err && files->clients)
		err = request_certificates(context, files->clients);
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

/* A name that a line of CONF/tokens can have: printable, without blanks. A NUL inside would hide what follows. */
static void add_name(struct http_tls_client *out, const char *kind, const unsigned char *text,
                     int n)
{
	size_t n_kind = strlen(kind);

	if (out->n == HTTP_TLS_NAMES_MAX || n <= 0 || (size_t)n >= HTTP_TLS_NAME_MAX - n_kind)
		return;
	for (int i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return;
	memcpy(out->names[out->n], kind, n_kind);
	memcpy(out->names[out->n] + n_kind, text, (size_t)n);
	out->names[out->n++][n_kind + (size_t)n] = '\0';
}

static void add_uris(const X509 *cert, struct http_tls_client *out)
{
	GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(all); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(all, i);

		if (one->type == GEN_URI)
			add_name(out,
			         "URI:", ASN1_STRING_get0_data(one->d.uniformResourceIdentifier),
			         ASN1_STRING_length(one->d.uniformResourceIdentifier));
	}
	GENERAL_NAMES_free(all);
}

/* Of several common names it would depend on the reader who it is. */
static void add_common_name(const X509 *cert, struct http_tls_client *out)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *text = NULL;

	if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return;
	int n = ASN1_STRING_to_UTF8(&text,
	                            X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));

	add_name(out, "CN:", text, n);
	OPENSSL_free(text);
}

/*
 * Whether the certificate of a connection that began at another context holds at @p now. A ticket has no chain: a client with
 * one whose authority signed by another certificate connects again.
 */
static bool is_signed_now(struct ssl_st *tls, SSL_CTX *now, X509 *cert)
{
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	bool ok = check &&
	          X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(now), cert,
	                              SSL_get_peer_cert_chain(tls)) == 1 &&
	          X509_STORE_CTX_set_default(check, "ssl_client") == 1;

	if (ok)
		X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(check),
		                            X509_V_FLAG_PARTIAL_CHAIN);
	ok = ok && X509_verify_cert(check) == 1;
	X509_STORE_CTX_free(check);
	return ok;
}

void http_tls_read_client(struct ssl_st *tls, struct ssl_ctx_st *now, struct http_tls_client *out)
{
	X509 *cert = SSL_get0_peer_certificate(tls);
	struct tm end;

	out->n = 0;
	if (cert && SSL_get_verify_result(tls) == X509_V_OK &&
	    (SSL_get_SSL_CTX(tls) == now || is_signed_now(tls, now, cert)) &&
	    ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end)) {
		out->end_ms = (int64_t)timegm(&end) * 1000;
		add_common_name(cert, out);
		add_uris(cert, out);
	}
	ERR_clear_error();
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
