/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What lab-echo and lab-stream say to each other. On a connection a request asks for some bytes, the answer brings them
 * with their checksum and its server's name. A datagram comes back as it was, with the name.
 */
#ifndef WEIR_TESTS_LAB_STREAM_H
#define WEIR_TESTS_LAB_STREAM_H

#include <stddef.h>
#include <stdint.h>

#define STREAM_MAGIC     0x57454952u
#define STREAM_BYTES_MAX 65536u
#define STREAM_NAME_MAX  24u

struct stream_request {
	uint32_t magic, seq;
	uint32_t n_bytes; /* to be sent in the answer */
	uint32_t n_more;  /* that follow this head, at most STREAM_BYTES_MAX */
	uint64_t sum;     /* of those */
};

struct stream_answer {
	uint32_t magic, seq;
	uint32_t n_bytes, is_bad; /* what came with the request was not what was sent */
	uint64_t sum;
	char name[STREAM_NAME_MAX];
};

#define STREAM_DATAGRAM_MAX 1200u

enum stream_datagram_kind {
	STREAM_FIRST, /* begins a flow */
	STREAM_MORE,
	STREAM_ECHO,
	STREAM_UNKNOWN, /* to what belongs to no flow that began here */
};

struct stream_datagram {
	uint32_t magic, kind;
	uint64_t id; /* the flow's, whatever its addresses */
	uint32_t seq;
	uint32_t n_bytes;           /* that follow this head */
	uint64_t sum;               /* of those */
	char name[STREAM_NAME_MAX]; /* the server's, ends with 0 */
};

/* FNV-1a, going on from @p sum; STREAM_SUM_0 is its beginning. */
#define STREAM_SUM_0 0xcbf29ce484222325u
static inline uint64_t stream_sum(uint64_t sum, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3u;
	return sum;
}

/* The bytes of message @p seq, the same on both sides. */
static inline void stream_fill(uint8_t *bytes, size_t n, uint32_t seq)
{
	uint64_t x = seq * 0x9e3779b97f4a7c15u + 1;

	for (size_t i = 0; i < n; i++) {
		if (i % 8 == 0)
			x = x * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (uint8_t)(x >> (i % 8 * 8));
	}
}

#endif
