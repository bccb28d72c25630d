/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames of frames.h in memory. */
#ifndef WEIR_TESTS_UNIT_FWD_TEST_FRAME_H
#define WEIR_TESTS_UNIT_FWD_TEST_FRAME_H

#include <stdlib.h>
#include <string.h>

#include "weir/fwd/packet.h"

/** A frame in memory of exactly its size, behind some room. */
struct test_frame {
	uint8_t *memory;
	struct fwd_packet packet;
};

static uint8_t parse_nibble(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/** The frame begins at an even address, as they do everywhere. */
static struct test_frame frame_of(const char *hex, size_t room)
{
	size_t n = strlen(hex) / 2, odd = room & 1;
	struct test_frame f = { .memory = malloc(odd + room + n) };
	uint8_t *data = f.memory + odd + room;

	assert_non_null(f.memory);
	f.packet = (struct fwd_packet){ data, data + n, f.memory + odd };
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)(parse_nibble(hex[2 * i]) << 4 | parse_nibble(hex[2 * i + 1]));
	return f;
}

static void assert_frame(const struct fwd_packet *packet, const char *hex)
{
	struct test_frame f = frame_of(hex, 0);
	size_t n = (size_t)(f.packet.end - f.packet.data);

	assert_int_equal(packet->end - packet->data, n);
	assert_memory_equal(packet->data, f.packet.data, n);
	free(f.memory);
}

#endif
