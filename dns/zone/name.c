/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A name is parsed once: folded to lower case, with the start of each label noted. So every suffix
 * of it is at hand without another pass, for the search from the root down and for compression. A
 * name's hash extends its parent's by one label, so the hashes of all suffixes cost one pass.
 */
#include "dns/zone/name.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "dns/zone/wire.h"

typedef uint64_t words __attribute__((vector_size(16)));

/* @p n bytes, fewer than 8, in loads that overlap. */
static uint64_t load_few_bytes(const uint8_t *p, size_t n)
{
	uint32_t first, last;

	if (n == 0)
		return 0;
	if (n < 4)
		return p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
	memcpy(&first, p, 4);
	memcpy(&last, p + n - 4, 4);
	return first | (uint64_t)last << 8 * (n - 4);
}

/* name_fold() of all bytes. */
static words fold_words(words v)
{
	const words each = { UINT64_C(0x0101010101010101), UINT64_C(0x0101010101010101) };
	words low = v & 0x7f * each; /* so that no sum carries into the next byte */
	words from_a = low + (0x80 - 'A') * each, above_z = low + (0x7f - 'Z') * each;

	return v | (~v & from_a & ~above_z & 0x80 * each) >> 2;
}

/* Up to 16 bytes; those behind are 0. */
static words load_words(const uint8_t *p, size_t n)
{
	words v = { 0 };

	if (n >= sizeof(v)) {
		memcpy(&v, p, sizeof(v));
	} else if (n >= 8) {
		uint64_t first;

		memcpy(&first, p, 8);
		v = (words){ first, load_few_bytes(p + 8, n - 8) };
	} else {
		v[0] = load_few_bytes(p, n);
	}
	return v;
}

/*
 * Fold a whole name at once: the length of a label, at most 63, is no letter. The stores are wide
 * because labels are read again right away: a load waits that needs the bytes of two stores.
 */
static void fold_name(uint8_t to[NAME_WIRE_MAX + 1], const uint8_t *from, size_t length)
{
	for (size_t at = 0; at < length; at += sizeof(words)) {
		words v = fold_words(load_words(from + at, length - at));

		memcpy(to + at, &v, sizeof(v));
	}
}
_Static_assert((NAME_WIRE_MAX + 1) % sizeof(words) == 0, "the last store has room");

bool name_read(struct wire_reader *r, struct name *out)
{
	const uint8_t *from = r->start + r->at;
	size_t left = r->failed ? 0 : r->length - r->at, at = 0, n = 0;

	if (left > NAME_WIRE_MAX)
		left = NAME_WIRE_MAX;
	for (;; n++) {
		if (at >= left)
			return false;
		out->at[n] = (uint8_t)at;
		if (from[at] == 0)
			break;
		if (from[at] > 63)
			return false;
		at += from[at] + 1u;
	}
	out->length = (uint8_t)(at + 1);
	out->n_labels = (uint8_t)n;
	fold_name(out->lower, from, at + 1);
	r->at += at + 1;
	return true;
}

/*
 * Read one character of a label, escaped or not. @return how many characters of the text were
 * used, 0 on failure
 */
static size_t unescape_char(const char *text, uint8_t *out)
{
	if (text[0] != '\\') {
		*out = (uint8_t)text[0];
		return 1;
	}
	if (!isdigit((unsigned char)text[1])) {
		*out = (uint8_t)text[1];
		return text[1] ? 2 : 0;
	}
	if (!isdigit((unsigned char)text[2]) || !isdigit((unsigned char)text[3]))
		return 0;
	unsigned value = (unsigned)(text[1] - '0') * 100 + (unsigned)(text[2] - '0') * 10 +
	                 (unsigned)(text[3] - '0');

	*out = (uint8_t)value;
	return value <= 255 ? 4 : 0;
}

/* Read a label up to its dot or the end. @return characters used without the dot, 0 on failure */
static size_t parse_label(const char *text, uint8_t label[64])
{
	size_t at = 0;

	label[0] = 0;
	while (text[at] && text[at] != '.') {
		uint8_t c;
		size_t used = unescape_char(text + at, &c);

		if (used == 0 || label[0] == 63)
			return 0;
		label[++label[0]] = c;
		at += used;
	}
	return at;
}

int name_parse(const char *text, struct name *out)
{
	uint8_t wire[NAME_WIRE_MAX + 64], label[64];
	size_t length = 0;

	if (strcmp(text, ".") == 0)
		text++;
	while (*text) {
		size_t used = parse_label(text, label);

		if (used == 0 || length + label[0] + 2 > NAME_WIRE_MAX)
			return -EINVAL;
		memcpy(wire + length, label, (size_t)label[0] + 1);
		length += (size_t)label[0] + 1;
		text += used;
		text += *text == '.';
	}
	wire[length++] = 0;

	struct wire_reader r = { .start = wire, .length = length };

	return name_read(&r, out) ? 0 : -EINVAL;
}

const char *name_text(const uint8_t *wire, char text[NAME_TEXT_MAX])
{
	char *to = text;

	for (; *wire; wire += *wire + 1) {
		for (unsigned i = 1; i <= *wire; i++) {
			uint8_t c = wire[i];

			if (c == '.' || c == '\\')
				to += sprintf(to, "\\%c", c);
			else if (c > 32 && c < 127)
				*to++ = (char)c;
			else
				to += sprintf(to, "\\%03u", c);
		}
		*to++ = '.';
	}
	if (to > text + 1)
		to--;
	if (to == text)
		*to++ = '.';
	*to = '\0';
	return text;
}

static uint64_t mix_label_hash(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0xff51afd7ed558ccdu;
	return h ^ h >> 32;
}

uint64_t name_hash_label(uint64_t parent, const uint8_t *label)
{
	size_t n = (size_t)label[0] + 1;
	uint64_t h = parent, v;

	for (; n >= 8; n -= 8, label += 8) {
		memcpy(&v, label, 8);
		h = mix_label_hash(h, v);
	}
	return mix_label_hash(h, load_few_bytes(label, n) ^ (uint64_t)n << 56);
}
