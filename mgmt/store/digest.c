/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/store/digest.h"

#include <assert.h>
#include <openssl/evp.h>

const char *digest_bytes(const void *bytes, size_t n, char out[DIGEST_TEXT_MAX])
{
	static const char hex[] = "0123456789abcdef";
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int n_raw = 0;
	int ok = EVP_Digest(bytes, n, raw, &n_raw, EVP_sha256(), NULL);

	assert(ok && n_raw == 32);
	(void)ok;
	for (unsigned i = 0; i < 32; i++) {
		out[2 * i] = hex[raw[i] >> 4];
		out[2 * i + 1] = hex[raw[i] & 15];
	}
	out[64] = '\0';
	return out;
}
