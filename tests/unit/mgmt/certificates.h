/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates that sign themselves, and their keys, as PEM. */
#ifndef WEIR_TESTS_MGMT_CERTIFICATES_H
#define WEIR_TESTS_MGMT_CERTIFICATES_H

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

struct pem {
	char cert[2048], key[1024];
};

/* What a server rests on whose clients have no certificates. */
#define TLS_FILES(cert_, key_) (&(struct http_tls_files){ .cert = (cert_), .key = (key_) })

/* @param name  of its owner; NULL: none. @param end_s  wall clock; 0: a day from now */
static inline void make_pair(struct pem *out, const char *name, time_t end_s)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	BIO *cert_pem = BIO_new(BIO_s_mem()), *key_pem = BIO_new(BIO_s_mem());

	memset(out, 0, sizeof(*out));
	assert_non_null(key);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	if (end_s)
		ASN1_TIME_set(X509_getm_notAfter(cert), end_s);
	else
		X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	if (name)
		X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		                           (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(cert_pem, cert), 1);
	assert_int_equal(PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL), 1);
	assert_true(BIO_read(cert_pem, out->cert, sizeof(out->cert) - 1) > 0);
	assert_true(BIO_read(key_pem, out->key, sizeof(out->key) - 1) > 0);
	BIO_free(cert_pem);
	BIO_free(key_pem);
	X509_free(cert);
	EVP_PKEY_free(key);
}

#endif
