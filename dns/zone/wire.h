/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Cursors over wire format with a sticky error: straight-line code, one check at the end.
 * After the first access beyond the end every read gives 0 and every write does nothing. Inline;
 * any thread.
 */
#ifndef WEIR_DNS_ZONE_WIRE_H
#define WEIR_DNS_ZONE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t wire_load16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t wire_load32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void wire_store16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void wire_store32(uint8_t *p, uint32_t v)
{
	wire_store16(p, (uint16_t)(v >> 16));
	wire_store16(p + 2, (uint16_t)v);
}

/** Reads a message. */
struct wire_reader {
	const uint8_t *start;
	size_t length;
	size_t at;
	bool failed;
};

/** Whether @p n bytes are left; if not, the reader has failed from now on. */
static inline bool wire_has(struct wire_reader *r, size_t n)
{
	if (r->failed || r->length - r->at < n)
		r->failed = true;
	return !r->failed;
}

static inline uint8_t wire_get8(struct wire_reader *r)
{
	return wire_has(r, 1) ? r->start[r->at++] : 0;
}

static inline uint16_t wire_get16(struct wire_reader *r)
{
	if (!wire_has(r, 2))
		return 0;
	r->at += 2;
	return wire_load16(r->start + r->at - 2);
}

/** Step over @p n bytes. @return their address, or NULL on failure */
static inline const uint8_t *wire_get_bytes(struct wire_reader *r, size_t n)
{
	if (!wire_has(r, n))
		return NULL;
	r->at += n;
	return r->start + r->at - n;
}

/** Writes a message; @p limit may be lowered and raised again up to the buffer's size. */
struct wire_writer {
	uint8_t *start;
	size_t limit;
	size_t at;
	bool failed;
};

/** @return room for @p n bytes, taken; NULL on failure */
static inline uint8_t *wire_room(struct wire_writer *w, size_t n)
{
	if (w->failed || w->limit - w->at < n) {
		w->failed = true;
		return NULL;
	}
	w->at += n;
	return w->start + w->at - n;
}

static inline void wire_put8(struct wire_writer *w, uint8_t v)
{
	uint8_t *p = wire_room(w, 1);

	if (p)
		*p = v;
}

static inline void wire_put16(struct wire_writer *w, uint16_t v)
{
	uint8_t *p = wire_room(w, 2);

	if (p)
		wire_store16(p, v);
}

static inline void wire_put32(struct wire_writer *w, uint32_t v)
{
	uint8_t *p = wire_room(w, 4);

	if (p)
		wire_store32(p, v);
}

static inline void wire_put(struct wire_writer *w, const void *bytes, size_t n)
{
	uint8_t *p = wire_room(w, n);

	if (p)
		memcpy(p, bytes, n);
}

#endif
