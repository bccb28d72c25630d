/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cluster's hash key: its file, and the fingerprint that identifies it without
 * showing it. The file's bytes are overwritten before they are freed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "base/sha256.h"
#include "model/load.h"
#include "weir/model.h"

#define KEY_FILE_MAX 4096u /* bytes; bounds what is read of a wrong file */
#define KEY_DIGITS   32u   /* 128 bits in hexadecimal */
/* In front of the key, so that its fingerprint is of no use elsewhere. */
#define DOMAIN "weir hash key"

/* The digits are cut in two where they are: a copy on the stack would outlive its use. */
static bool parse_hash_key(char *digits, uint64_t key[2])
{
	if (strspn(digits, "0123456789abcdefABCDEF") != KEY_DIGITS ||
	    digits[KEY_DIGITS + strspn(digits + KEY_DIGITS, " \t\r\n")] != '\0')
		return false;
	key[1] = strtoull(digits + KEY_DIGITS / 2, NULL, 16);
	digits[KEY_DIGITS / 2] = '\0';
	key[0] = strtoull(digits, NULL, 16);
	return true;
}

int model_key_read(const char *path, const char *below, uint64_t key[2])
{
	char *bytes = NULL;
	size_t n;
	int err = load_file(path, KEY_FILE_MAX, &bytes, &n);

	if (!err && below)
		err = load_check_below(path, below);
	if (!err && !parse_hash_key(bytes, key))
		err = -EBADMSG;
	if (bytes)
		explicit_bzero(bytes, n);
	free(bytes);
	return err;
}

bool model_has_same_key(const struct model *a, const struct model *b)
{
	return !memcmp(a->hash_key, b->hash_key, sizeof(a->hash_key));
}

void model_key_fingerprint(const uint64_t key[2], char out[MODEL_FINGERPRINT_MAX])
{
	uint8_t input[sizeof(DOMAIN) + 16] = DOMAIN, digest[SHA256_BYTES];

	for (size_t i = 0; i < 16; i++)
		input[sizeof(DOMAIN) + i] = (uint8_t)(key[i / 8] >> (56 - 8 * (i % 8)));
	sha256_short(input, sizeof(input), digest);
	explicit_bzero(input, sizeof(input));
	plain_hex(digest, (MODEL_FINGERPRINT_MAX - 1) / 2, out);
}

bool model_key_keep(struct model *m, const struct model *before)
{
	if (m->key_state == MODEL_KEY_GOOD)
		return true;
	if (!before || before->key_state == MODEL_KEY_NONE)
		return false;
	memcpy(m->hash_key, before->hash_key, sizeof(m->hash_key));
	m->key_state = MODEL_KEY_KEPT;
	return true;
}
