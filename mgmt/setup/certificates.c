/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL's objects live in one owning struct for each job, freed at one place. Its error queue is emptied where a
 * failure is expected, so that no later user of the library reads it.
 */
#include "mgmt/setup/certificates.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define DAY_S           86400L
#define COMMON_NAME_MAX 64 /* of a common name: RFC 5280, ub-common-name */

/* What a certificate is made of. */
struct making {
	X509 *cert;
	EVP_PKEY *key;
};

static void free_making(struct making *m)
{
	X509_free(m->cert);
	EVP_PKEY_free(m->key);
	ERR_clear_error();
}

static BIO *open_text(const char *pem)
{
	return BIO_new_mem_buf(pem, -1);
}

static X509 *read_cert(const char *pem)
{
	BIO *in = open_text(pem);
	X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

	BIO_free(in);
	ERR_clear_error();
	return cert;
}

/* A key with a password would ask the terminal for it. */
static int refuse_password(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *read_key(const char *pem)
{
	BIO *in = open_text(pem);
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, refuse_password, NULL) : NULL;

	BIO_free(in);
	ERR_clear_error();
	return key;
}

/* Take what was written to @p bio, and free it. @return whether it fits */
static bool drain_text(BIO *bio, char out[CERTIFICATES_PEM_MAX])
{
	char *bytes = NULL;
	long n = bio ? BIO_get_mem_data(bio, &bytes) : 0;
	bool fits = n > 0 && n < (long)CERTIFICATES_PEM_MAX;

	if (fits) {
		memcpy(out, bytes, (size_t)n);
		out[n] = '\0';
	}
	BIO_free(bio);
	return fits;
}

static bool write_pair(const struct making *m, struct certificate_pair *out)
{
	BIO *cert = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_secmem());
	bool ok = cert && key && PEM_write_bio_X509(cert, m->cert) &&
	          PEM_write_bio_PrivateKey(key, m->key, NULL, NULL, 0, NULL, NULL);
	bool has_cert = drain_text(cert, out->pem), has_key = drain_text(key, out->key);

	return ok && has_cert && has_key;
}

static bool choose_serial(X509 *cert)
{
	uint64_t serial;

	return getrandom(&serial, sizeof(serial), 0) == sizeof(serial) &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial >> 1 | 1);
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	bool ok = extension && X509_add_ext(cert, extension, -1);

	X509_EXTENSION_free(extension);
	return ok;
}

/* A certificate without its extensions, for a new key. */
static bool begin_cert(struct making *m, const char *name)
{
	m->key = EVP_EC_gen("P-256");
	m->cert = X509_new();
	if (!m->key || !m->cert || strlen(name) > COMMON_NAME_MAX)
		return false;
	X509_NAME *subject = X509_get_subject_name(m->cert);

	return X509_set_version(m->cert, X509_VERSION_3) && choose_serial(m->cert) &&
	       X509_gmtime_adj(X509_getm_notBefore(m->cert), -DAY_S) &&
	       X509_gmtime_adj(X509_getm_notAfter(m->cert), CERTIFICATES_DAYS * DAY_S) &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name,
	                                  -1, -1, 0) &&
	       X509_set_pubkey(m->cert, m->key);
}

int certificates_make_ca(const char *name, struct certificate_pair *out)
{
	struct making m = { 0 };
	struct certificate_pair c;
	bool ok = begin_cert(&m, name) &&
	          X509_set_issuer_name(m.cert, X509_get_subject_name(m.cert)) &&
	          add_extension(m.cert, m.cert, NID_basic_constraints,
	                        "critical,CA:TRUE,pathlen:0") &&
	          add_extension(m.cert, m.cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	          add_extension(m.cert, m.cert, NID_subject_key_identifier, "hash") &&
	          X509_sign(m.cert, m.key, EVP_sha256()) && write_pair(&m, &c);

	free_making(&m);
	if (ok)
		*out = c;
	explicit_bzero(&c, sizeof(c));
	return ok ? 0 : -EIO;
}

/* What @p m is for, by the CA @p issuer. */
static bool add_use(struct making *m, X509 *issuer, const char *address)
{
	char name[80];

	if (address) {
		snprintf(name, sizeof(name), "IP:%s", address);
		if (!add_extension(m->cert, issuer, NID_subject_alt_name, name))
			return false;
	}
	return add_extension(m->cert, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(m->cert, issuer, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(m->cert, issuer, NID_ext_key_usage,
	                     address ? "serverAuth,clientAuth" : "clientAuth") &&
	       add_extension(m->cert, issuer, NID_subject_key_identifier, "hash") &&
	       add_extension(m->cert, issuer, NID_authority_key_identifier, "keyid:always");
}

int certificates_sign(const struct certificate_pair *ca, const char *name, const char *address,
                      struct certificate_pair *out)
{
	struct making m = { 0 }, issuer = { read_cert(ca->pem), read_key(ca->key) };
	struct certificate_pair c;
	bool is_pair =
	        issuer.cert && issuer.key && X509_check_private_key(issuer.cert, issuer.key) == 1;
	bool ok = is_pair && begin_cert(&m, name) &&
	          X509_set_issuer_name(m.cert, X509_get_subject_name(issuer.cert)) &&
	          add_use(&m, issuer.cert, address) &&
	          X509_sign(m.cert, issuer.key, EVP_sha256()) && write_pair(&m, &c);

	free_making(&m);
	free_making(&issuer);
	if (ok)
		*out = c;
	explicit_bzero(&c, sizeof(c));
	return ok ? 0 : is_pair ? -EIO : -EINVAL;
}

/* All certificates of @p pem, as what is trusted. NULL: there is none, or one cannot be read */
static X509_STORE *read_trusted(const char *pem)
{
	X509_STORE *store = X509_STORE_new();
	BIO *in = open_text(pem);
	int n = 0;

	for (X509 *cert; store && in && (cert = PEM_read_bio_X509(in, NULL, NULL, NULL)); n++) {
		if (!X509_STORE_add_cert(store, cert)) {
			X509_STORE_free(store);
			store = NULL;
		}
		X509_free(cert);
	}
	bool is_whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;

	BIO_free(in);
	ERR_clear_error();
	if (n && is_whole)
		return store;
	X509_STORE_free(store);
	return NULL;
}

bool certificates_is_ca(const char *ca)
{
	X509_STORE *store = read_trusted(ca);

	X509_STORE_free(store);
	return store != NULL;
}

static bool is_trusted(X509_STORE *store, X509 *cert, int purpose)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool ok = ctx && X509_STORE_CTX_init(ctx, store, cert, NULL) &&
	          X509_STORE_CTX_set_purpose(ctx, purpose) && X509_verify_cert(ctx) == 1;

	X509_STORE_CTX_free(ctx);
	return ok;
}

static const char *judge_pair(X509_STORE *store, X509 *cert, EVP_PKEY *key,
                              enum certificates_use use, const char *address)
{
	if (!cert)
		return "the certificate cannot be read: PEM is expected";
	if (!key)
		return "the key cannot be read: PEM without a password is expected";
	if (X509_check_private_key(cert, key) != 1)
		return "the certificate and the key do not belong together";
	if (store && !is_trusted(store, cert, X509_PURPOSE_SSL_CLIENT))
		return "the certificate is not a client's (clientAuth) that this CA has signed, or its "
		       "time is over";
	if (store && use == CERTIFICATES_SERVER_AND_CLIENT &&
	    !is_trusted(store, cert, X509_PURPOSE_SSL_SERVER))
		return "the certificate is not a server's (serverAuth), which a member's must be as "
		       "well as a client's";
	if (address && X509_check_ip_asc(cert, address, 0) != 1)
		return "the certificate is not for this host's address (subjectAltName)";
	return NULL;
}

const char *certificates_find_fault(const char *ca, const struct certificate_pair *c,
                                    enum certificates_use use, const char *address)
{
	X509_STORE *store = *ca ? read_trusted(ca) : NULL;
	struct making m = { read_cert(c->pem), read_key(c->key) };
	const char *fault = *ca && !store ? "the CA's certificate cannot be read: PEM is expected"
	                                  : judge_pair(store, m.cert, m.key, use, address);

	free_making(&m);
	X509_STORE_free(store);
	return fault;
}

int certificates_end(const char *pem, int64_t *end_ms)
{
	X509 *cert = read_cert(pem);
	struct tm end;
	bool ok = cert && ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end);

	X509_free(cert);
	if (!ok)
		return -EINVAL;
	*end_ms = (int64_t)timegm(&end) * 1000;
	return 0;
}
