/* SPDX-License-Identifier: BSD-2-Clause */
/* The file has the 32 bytes of the private key in hexadecimal and a newline: nothing of it needs a parser. */
#include "mgmt/audit/key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/plain.h"
#include "base/replace.h"
#include "mgmt/files/files.h"

#define RAW_BYTES  32u /* of a key, private or public */
#define SIGN_BYTES 64u

struct audit_key {
	EVP_PKEY *pkey;
	char public[AUDIT_KEY_MAX];
};

/* Of a digit that plain_is_hex() has let through. */
static int digit_of(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* @return whether @p text, which may be longer, begins with @p n bytes */
static bool read_hex(const char *text, uint8_t *raw, size_t n)
{
	if (!plain_is_hex(text, 2 * n))
		return false;
	for (size_t i = 0; i < n; i++)
		raw[i] = (uint8_t)(digit_of(text[2 * i]) << 4 | digit_of(text[2 * i + 1]));
	return true;
}

/* @p pkey is taken. */
static int wrap_key(EVP_PKEY *pkey, struct audit_key **out)
{
	struct audit_key *key = calloc(1, sizeof(*key));
	uint8_t raw[RAW_BYTES];
	size_t n = sizeof(raw);

	if (!key || EVP_PKEY_get_raw_public_key(pkey, raw, &n) != 1) {
		free(key);
		EVP_PKEY_free(pkey);
		return -ENOMEM;
	}
	key->pkey = pkey;
	plain_hex(raw, RAW_BYTES, key->public);
	*out = key;
	return 0;
}

int audit_key_new(struct audit_key **out)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

	return pkey ? wrap_key(pkey, out) : -EIO;
}

int audit_key_read(const char *path, struct audit_key **out)
{
	uint8_t raw[RAW_BYTES];
	char *text;
	size_t n;
	int err = files_slurp_within(path, 2 * RAW_BYTES + 1, &text, &n);

	if (err)
		return err == -E2BIG ? -EINVAL : err;
	text[strcspn(text, "\n")] = '\0';
	bool is_hex = read_hex(text, raw, RAW_BYTES);
	OPENSSL_cleanse(text, n);
	free(text);
	if (!is_hex)
		return -EINVAL;
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, RAW_BYTES);
	OPENSSL_cleanse(raw, sizeof(raw));
	return pkey ? wrap_key(pkey, out) : -ENOMEM;
}

int audit_key_write(const struct audit_key *key, const char *path)
{
	char text[2 * RAW_BYTES + 2];
	uint8_t raw[RAW_BYTES];
	size_t n = sizeof(raw);

	if (EVP_PKEY_get_raw_private_key(key->pkey, raw, &n) != 1)
		return -ENOMEM;
	plain_hex(raw, RAW_BYTES, text);
	text[2 * RAW_BYTES] = '\n';
	int err = replace_file(path, S_IRUSR | S_IWUSR, text, 2 * RAW_BYTES + 1, REPLACE_SYNC_NAME);
	OPENSSL_cleanse(raw, sizeof(raw));
	OPENSSL_cleanse(text, sizeof(text));
	return err;
}

void audit_key_free(struct audit_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

const char *audit_key_public(const struct audit_key *key)
{
	return key->public;
}

int audit_key_sign(struct audit_key *key, const void *bytes, size_t n, char out[AUDIT_SIGN_MAX])
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	uint8_t raw[SIGN_BYTES];
	size_t n_raw = sizeof(raw);
	bool ok = c && EVP_DigestSignInit(c, NULL, NULL, NULL, key->pkey) == 1 &&
	          EVP_DigestSign(c, raw, &n_raw, bytes, n) == 1;

	EVP_MD_CTX_free(c);
	if (!ok)
		return -ENOMEM;
	plain_hex(raw, SIGN_BYTES, out);
	return 0;
}

/* What cannot be judged, also for want of memory, is not proved. */
bool audit_key_verify(const char *key, const void *bytes, size_t n, const char *signature)
{
	uint8_t raw[RAW_BYTES], sign[SIGN_BYTES];

	if (!read_hex(key, raw, RAW_BYTES) || !read_hex(signature, sign, SIGN_BYTES))
		return false;
	EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, RAW_BYTES);
	EVP_MD_CTX *c = pkey ? EVP_MD_CTX_new() : NULL;
	bool ok = c && EVP_DigestVerifyInit(c, NULL, NULL, NULL, pkey) == 1 &&
	          EVP_DigestVerify(c, sign, SIGN_BYTES, bytes, n) == 1;

	EVP_MD_CTX_free(c);
	EVP_PKEY_free(pkey);
	return ok;
}
