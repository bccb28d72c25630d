/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The key for clients, and its file: one line that begins with a version. Copies of keys on the
 * stack are overwritten.
 */
#include "weir/placement.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/owner.h"
#include "base/replace.h"
#include "base/sha256.h"

/* In front of the hash key, so that this key and the fingerprint say nothing of each other. */
#define DOMAIN "weir placement key"

#define LINE_BYTES 128u /* more than the longest line, so that a longer one is seen to be wrong */
#define HALF       16u  /* digits of one of a key's two numbers */
#define HEX_DIGITS "0123456789abcdef"

/* The first 16 bytes of a SHA-256. */
static void derive_key(const uint64_t from[2], uint64_t out[2])
{
	uint8_t input[sizeof(DOMAIN) + 16] = DOMAIN, digest[SHA256_BYTES];

	for (size_t i = 0; i < 16; i++)
		input[sizeof(DOMAIN) + i] = (uint8_t)(from[i / 8] >> (56 - 8 * (i % 8)));
	sha256_short(input, sizeof(input), digest);
	explicit_bzero(input, sizeof(input));
	out[0] = out[1] = 0;
	for (size_t i = 0; i < 16; i++)
		out[i / 8] = out[i / 8] << 8 | digest[i];
	explicit_bzero(digest, sizeof(digest));
}

void placement_make(const uint64_t from[2], struct placement *out)
{
	model_key_fingerprint(from, out->derived_from);
	derive_key(from, out->key);
}

static int write_placement_line(int fd, const struct placement *p)
{
	char line[LINE_BYTES];
	int n = snprintf(line, sizeof(line), "weir-placement 1 %s %016" PRIx64 "%016" PRIx64 "\n",
	                 p->derived_from, p->key[0], p->key[1]);
	int err = replace_write(fd, line, (size_t)n);

	explicit_bzero(line, sizeof(line));
	return err;
}

int placement_write(const char *path, const struct placement *p)
{
	char temporary[REPLACE_NAME_MAX];
	int fd = replace_begin(path, 0640, temporary);

	if (fd < 0)
		return fd;
	return replace_end(fd, write_placement_line(fd, p), temporary, path, REPLACE_SYNC_FILE);
}

/*
 * Cut the word at *@p at off at @p end, and move *@p at behind that. @return NULL: there is no @p
 * end
 */
static const char *cut_word(char **at, char end)
{
	char *word = *at, *stop = strchr(word, end);

	if (!stop)
		return NULL;
	*stop = '\0';
	*at = stop + 1;
	return word;
}

static bool is_hex_word(const char *word, size_t n)
{
	return word && strlen(word) == n && strspn(word, HEX_DIGITS) == n;
}

static bool parse_placement_key(const char *digits, uint64_t key[2])
{
	char half[HALF + 1] = "";

	if (!is_hex_word(digits, 2 * (size_t)HALF))
		return false;
	for (int i = 0; i < 2; i++) {
		memcpy(half, digits + (size_t)i * HALF, HALF);
		key[i] = strtoull(half, NULL, 16);
	}
	explicit_bzero(half, sizeof(half));
	return true;
}

static bool parse_placement(char *line, struct placement *out)
{
	const char *name = cut_word(&line, ' '), *version = name ? cut_word(&line, ' ') : NULL;
	const char *derived_from = version ? cut_word(&line, ' ') : NULL;
	const char *key = derived_from ? cut_word(&line, '\n') : NULL;

	if (!key || *line || strcmp(name, "weir-placement") != 0 || strcmp(version, "1") != 0 ||
	    !is_hex_word(derived_from, MODEL_FINGERPRINT_MAX - 1))
		return false;
	memcpy(out->derived_from, derived_from, MODEL_FINGERPRINT_MAX);
	return parse_placement_key(key, out->key);
}

int placement_read(const char *path, struct placement *out)
{
	char line[LINE_BYTES + 1] = ""; /* ends with a NUL, however much is read */
	int fd = owner_open(path, "mgmt");

	if (fd < 0)
		return fd;
	ssize_t n = read(fd, line, sizeof(line) - 1);
	int err = n < 0 ? -errno : 0;

	close(fd);
	*out = (struct placement){ 0 };
	if (!err && (strlen(line) != (size_t)n || !parse_placement(line, out)))
		err = -EBADMSG;
	explicit_bzero(line, sizeof(line));
	return err;
}
