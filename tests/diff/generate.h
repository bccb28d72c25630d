/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Frames for the differential test: sound ones of every shape, then one or more fields set
 * to zero, all ones, a single bit or a near value; cut at any byte; padded.
 *
 * Uniformly random bytes would hardly ever get past the first check, so each frame starts
 * as a sound one whose fields are noted while it is built.
 */
#ifndef WEIR_TESTS_DIFF_GENERATE_H
#define WEIR_TESTS_DIFF_GENERATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX  2048u
#define FIELDS_MAX 96u

/** A field of a frame that was built: bits from the first byte's highest on. */
struct field {
	uint16_t off_bits;
	uint8_t n_bits; /**< 1..64 */
};

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len;
	struct field fields[FIELDS_MAX];
	size_t n_fields;
};

/** A stream of numbers (splitmix64: Steele, Lea and Flood, 2014). */
struct random {
	uint64_t state;
};

uint64_t random_next(struct random *r);
/** A number below @p n. */
uint32_t random_below(struct random *r, uint32_t n);

/** Shapes by name: a segment of a flow, and the first of one, to port 443. */
#define SHAPE_ACK 2u
#define SHAPE_SYN 6u
/** How many shapes generate_shape() knows. */
extern const unsigned int n_shapes;

/** Build a sound frame of a shape, with random addresses, ports and options. */
void generate_shape(struct frame *f, unsigned int shape, struct random *r);
/** A client's flow to a VIP. */
struct flow {
	bool is4;
	uint8_t protocol; /**< TCP or UDP */
	uint8_t client, vip;
	uint16_t sport, dport;
};

/** Draw a flow to any of the services. */
void generate_flow(struct flow *flow, struct random *r);
/** Build a sound frame of a flow; @p flags and @p seq are TCP's. */
void generate_segment(struct frame *f, const struct flow *flow, uint8_t flags, uint32_t seq,
                      struct random *r);
/** Build a fragment of one of a few datagrams of a flow, the first one or another. */
void generate_fragment(struct frame *f, const struct flow *flow, struct random *r);
/** Build an ICMP error about what the VIP sent to the flow's client. */
void generate_quoting(struct frame *f, const struct flow *flow, struct random *r);
/** Build a "too big" about what was sent to a backend by a tunnel; IPv4's address is in the first four bytes. */
void generate_tunnel_error(struct frame *f, bool is4, const uint8_t backend[16], bool is_gue,
                           struct random *r);
/** How many values set_boundary() knows for a field. */
unsigned int n_boundaries(const struct field *field);
/** Set a field to its boundary value @p i: zero, all ones, one more or less, or a single bit. */
void set_boundary(struct frame *f, size_t field, unsigned int i);
/** Build a frame of any shape and spoil it at random, or not at all. */
void generate_random(struct frame *f, struct random *r);

#endif
