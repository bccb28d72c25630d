/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4 as in the paper: two rounds for each word, four at the end. Words are put together
 * from bytes by shifts, so that an identity is the same on machines of either byte order.
 */
#include "base/hash.h"

#include <string.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void mix_rounds(struct sip *s, int n)
{
	while (n--) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate_left(s->v1, 13) ^ s->v0;
		s->v3 = rotate_left(s->v3, 16) ^ s->v2;
		s->v0 = rotate_left(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate_left(s->v1, 17) ^ s->v2;
		s->v3 = rotate_left(s->v3, 21) ^ s->v0;
		s->v2 = rotate_left(s->v2, 32);
	}
}

static void absorb_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	mix_rounds(s, 2);
	s->v0 ^= word;
}

/* The next @p n (0..8) bytes as a little-endian word. */
static uint64_t read_le_word(const uint8_t *bytes, size_t n)
{
	uint64_t w = 0;

	for (size_t i = 0; i < n; i++)
		w |= (uint64_t)bytes[i] << (8 * i);
	return w;
}

uint64_t hash_bytes(const struct hash_key *key, const void *bytes, size_t n)
{
	/* the paper's start values */
	struct sip s = { key->k0 ^ 0x736f6d6570736575u, key->k1 ^ 0x646f72616e646f6du,
		         key->k0 ^ 0x6c7967656e657261u, key->k1 ^ 0x7465646279746573u };
	const uint8_t *at = bytes;
	size_t left = n;

	for (; left >= 8; at += 8, left -= 8)
		absorb_word(&s, read_le_word(at, 8));
	absorb_word(&s, read_le_word(at, left) | (uint64_t)n << 56);
	s.v2 ^= 0xff;
	mix_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t hash_text(const char *text)
{
	/* A fixed key: an identity, no secret. It must never change. */
	static const struct hash_key key = { 0x77656972u, 0x6964656e74697479u };

	return hash_bytes(&key, text, strlen(text));
}
