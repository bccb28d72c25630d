/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * OpenSSL's SHA-256 is the fast one for large files, but allocates memory. digest_bytes() falls
 * back on base/sha256.h, which needs none: a digest of something in memory never fails.
 */
#include "mgmt/files/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/plain.h"

const char *digest_text(const uint8_t raw[SHA256_BYTES], char out[DIGEST_TEXT_MAX])
{
	plain_hex(raw, SHA256_BYTES, out);
	return out;
}

const char *digest_bytes(const void *bytes, size_t n, char out[DIGEST_TEXT_MAX])
{
	uint8_t raw[EVP_MAX_MD_SIZE];
	unsigned int n_raw = 0;
	struct sha256 s;

	if (EVP_Digest(bytes, n, raw, &n_raw, EVP_sha256(), NULL) == 1 && n_raw == SHA256_BYTES)
		return digest_text(raw, out);
	sha256_begin(&s);
	sha256_add(&s, bytes, n);
	sha256_end(&s, raw);
	return digest_text(raw, out);
}

#define CHUNK_BYTES ((size_t)1 << 18) /* read at once: few system calls for files of megabytes */

int digest_fd(int fd, char out[DIGEST_TEXT_MAX], size_t *n)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	char *chunk = malloc(CHUNK_BYTES);
	uint8_t raw[EVP_MAX_MD_SIZE];
	unsigned int n_raw = 0;
	size_t sum = 0;
	ssize_t got = 1;
	bool ok = context && chunk && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
	int err = ok ? 0 : -ENOMEM;

	while (!err && got) {
		got = read(fd, chunk, CHUNK_BYTES);
		if (got < 0 && errno != EINTR)
			err = -errno;
		else if (got > 0 && EVP_DigestUpdate(context, chunk, (size_t)got) != 1)
			err = -ENOMEM;
		sum += got > 0 ? (size_t)got : 0;
	}
	if (!err && (EVP_DigestFinal_ex(context, raw, &n_raw) != 1 || n_raw != SHA256_BYTES))
		err = -ENOMEM;
	EVP_MD_CTX_free(context);
	free(chunk);
	if (err)
		return err;
	digest_text(raw, out);
	*n = sum;
	return 0;
}
