/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * After FIPS 180-4, whose section numbers stand beside the functions. Written for size, not speed:
 * large files go through OpenSSL (mgmt/files/digest.c). This code needs no memory and so cannot
 * fail.
 */
#include "base/sha256.h"

#include <assert.h>
#include <string.h>

#define BLOCK_BYTES 64u /* FIPS 180-4, figure 1: 512 bits */

/* FIPS 180-4, 4.2.2: of the cube roots of the first 64 primes. */
static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate_right(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

/* 6.2.2, step 1: the message schedule. */
static void make_schedule(const uint8_t block[BLOCK_BYTES], uint32_t w[64])
{
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + (rotate_right(a, 7) ^ rotate_right(a, 18) ^ a >> 3) + w[i - 7] +
		       (rotate_right(b, 17) ^ rotate_right(b, 19) ^ b >> 10);
	}
}

/* 6.2.2, step 3: one round. */
static void make_round(uint32_t s[8], uint32_t input)
{
	uint32_t e = s[4], a = s[0];
	uint32_t t1 = s[7] + (rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25)) +
	              ((e & s[5]) ^ (~e & s[6])) + input;
	uint32_t t2 = (rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22)) +
	              ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

	memmove(s + 1, s, 7 * sizeof(*s));
	s[4] += t1;
	s[0] = t1 + t2;
}

/* 6.2.2: one block. */
static void digest_block(uint32_t h[8], const uint8_t block[BLOCK_BYTES])
{
	uint32_t w[64], s[8];

	make_schedule(block, w);
	memcpy(s, h, sizeof(s));
	for (int i = 0; i < 64; i++)
		make_round(s, constants[i] + w[i]);
	for (int i = 0; i < 8; i++)
		h[i] += s[i];
}

void sha256_begin(struct sha256 *s)
{
	*s = (struct sha256){ .h = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
		                     0x9b05688c, 0x1f83d9ab, 0x5be0cd19 } };
}

void sha256_add(struct sha256 *s, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;

	while (n > 0) {
		size_t used = s->n_bytes % BLOCK_BYTES, room = BLOCK_BYTES - used;
		size_t part = n < room ? n : room;

		memcpy(s->block + used, from, part);
		s->n_bytes += part;
		from += part;
		n -= part;
		if (part == room)
			digest_block(s->h, s->block);
	}
}

/* 5.1.1: a one bit, zeros, and the length in bits at the end of a block. */
void sha256_end(struct sha256 *s, uint8_t out[SHA256_BYTES])
{
	static const uint8_t padding[BLOCK_BYTES] = { 0x80 };
	uint64_t n_bits = s->n_bytes * 8;
	size_t used = s->n_bytes % BLOCK_BYTES;
	uint8_t length[8];

	for (unsigned i = 0; i < 8; i++)
		length[i] = (uint8_t)(n_bits >> (56 - 8 * i));
	sha256_add(s, padding, (used < 56 ? 56 : 120) - used);
	sha256_add(s, length, sizeof(length));
	for (unsigned i = 0; i < SHA256_BYTES; i++)
		out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void sha256_short(const void *bytes, size_t n, uint8_t out[SHA256_BYTES])
{
	struct sha256 s;

	assert(n <= SHA256_SHORT_MAX);
	sha256_begin(&s);
	sha256_add(&s, bytes, n);
	sha256_end(&s, out);
}
