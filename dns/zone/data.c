/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A cursor with a sticky error: each reader advances it or marks it as failed, and one check at the
 * end suffices. A zone of a million records spends most of its time here, so nothing is allocated
 * and each byte is read once.
 */
#include "dns/zone/data.h"

#include <arpa/inet.h>
#include <string.h>

#include "dns/zone/image.h"
#include "dns/zone/wire.h"

#define STRING_MAX 255u /* bytes of a character-string (RFC 1035, section 3.3) */
#define TAG_MAX    15u  /* bytes of a CAA's tag; a longer one is left to ldns */
#define LABEL_MAX  63u  /* bytes (RFC 1035, section 3.1) */

/* A reader of words with a sticky error. */
struct cursor {
	const char *at;
	bool failed;
};

/* Characters of a name that mean themselves. */
static inline bool is_plain_char(unsigned char c)
{
	static const bool plain[256] = {
		['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['-'] = true,
		['_'] = true,         ['*'] = true,         ['/'] = true,
	};

	return plain[c];
}

static inline bool ends_word(char c)
{
	return c == ' ' || c == '\0';
}

static void skip_spaces(struct cursor *c)
{
	while (*c->at == ' ')
		c->at++;
}

/* Nothing but blanks is left. */
static bool is_done(struct cursor *c)
{
	skip_spaces(c);
	return !c->failed && *c->at == '\0';
}

/* A number in plain digits. */
static uint32_t read_plain_number(struct cursor *c, uint32_t max)
{
	uint64_t value = 0;
	unsigned n = 0;

	skip_spaces(c);
	for (; *c->at >= '0' && *c->at <= '9' && n <= 10; c->at++, n++)
		value = value * 10 + (uint64_t)(*c->at - '0');
	if (n == 0 || value > max || !ends_word(*c->at))
		c->failed = true;
	return (uint32_t)value;
}

/* Labels up to the word's end; a dot at the end makes the name absolute. */
static void read_labels(struct cursor *c, struct zone_data_name *out)
{
	const char *at = c->at;
	unsigned n = 0;

	out->relative = true;
	while (out->relative) {
		unsigned from = n++;

		while (is_plain_char((unsigned char)*at) && n < NAME_WIRE_MAX - 1)
			out->labels[n++] = (uint8_t)*at++;

		unsigned length = n - from - 1;
		bool dot = *at == '.';

		if (length == 0 || length > LABEL_MAX || (!dot && !ends_word(*at)) ||
		    n >= NAME_WIRE_MAX - 1) {
			c->failed = true;
			return;
		}
		out->labels[from] = (uint8_t)length;
		at += dot;
		if (ends_word(*at)) {
			out->relative = !dot;
			break;
		}
	}
	out->n = (uint8_t)n;
	c->at = at;
}

static void read_plain_name(struct cursor *c, struct zone_data_name *out)
{
	skip_spaces(c);
	if ((*c->at == '@' || *c->at == '.') && ends_word(c->at[1])) {
		out->n = 0;
		out->relative = *c->at == '@';
		c->at++;
		return;
	}
	read_labels(c, out);
}

/* A text in quotes, without escapes. @return its length */
static unsigned read_quoted_text(struct cursor *c, uint8_t *out, unsigned max)
{
	unsigned n = 0;

	skip_spaces(c);
	if (*c->at != '"') {
		c->failed = true;
		return 0;
	}
	for (c->at++; *c->at >= ' ' && *c->at <= '~' && *c->at != '"' && *c->at != '\\' && n < max;
	     c->at++)
		out[n++] = (uint8_t)*c->at;
	if (*c->at != '"' || n == 0 || !ends_word(c->at[1])) {
		c->failed = true;
		return 0;
	}
	c->at++;
	return n;
}

static void read_address_field(struct cursor *c, int family, struct zone_data *d)
{
	char word[INET6_ADDRSTRLEN];
	size_t n = 0;

	skip_spaces(c);
	for (; !ends_word(*c->at) && n < sizeof(word) - 1; c->at++)
		word[n++] = *c->at;
	word[n] = '\0';
	if (!ends_word(*c->at) || inet_pton(family, word, d->bytes) != 1)
		c->failed = true;
	d->n = d->before = family == AF_INET ? 4 : 16;
}

static void put_field_number(struct cursor *c, struct zone_data *d, unsigned bytes, uint32_t max)
{
	uint32_t value = read_plain_number(c, max);

	if (bytes == 1)
		d->bytes[d->n] = (uint8_t)value;
	else if (bytes == 2)
		wire_store16(d->bytes + d->n, (uint16_t)value);
	else
		wire_store32(d->bytes + d->n, value);
	d->n = (uint16_t)(d->n + bytes);
}

static void read_one_name(struct cursor *c, struct zone_data *d)
{
	read_plain_name(c, &d->names[d->n_names++]);
}

static void read_mx(struct cursor *c, struct zone_data *d)
{
	put_field_number(c, d, 2, UINT16_MAX);
	d->before = 2;
	read_one_name(c, d);
}

static void read_srv(struct cursor *c, struct zone_data *d)
{
	for (unsigned i = 0; i < 3; i++)
		put_field_number(c, d, 2, UINT16_MAX);
	d->before = 6;
	read_one_name(c, d);
}

static void read_soa(struct cursor *c, struct zone_data *d)
{
	read_one_name(c, d);
	read_one_name(c, d);
	put_field_number(c, d, 4, UINT32_MAX);
	for (unsigned i = 0; i < 4; i++)
		put_field_number(c, d, 4, INT32_MAX);
}

static void read_strings(struct cursor *c, struct zone_data *d)
{
	do {
		unsigned room = ZONE_DATA_BYTES_MAX - d->n - 1u;
		unsigned max = room < STRING_MAX ? room : STRING_MAX;
		unsigned n = read_quoted_text(c, d->bytes + d->n + 1, max);

		d->bytes[d->n] = (uint8_t)n;
		d->n = (uint16_t)(d->n + n + 1);
	} while (!c->failed && !is_done(c) && d->n < ZONE_DATA_BYTES_MAX - 1);
	d->before = d->n;
}

static void read_caa(struct cursor *c, struct zone_data *d)
{
	unsigned n = 0;

	put_field_number(c, d, 1, UINT8_MAX);
	skip_spaces(c);
	for (; *c->at >= 'a' && *c->at <= 'z' && n < TAG_MAX; c->at++)
		d->bytes[2 + n++] = (uint8_t)*c->at;
	if (n == 0 || *c->at != ' ')
		c->failed = true;
	d->bytes[1] = (uint8_t)n;
	d->n = (uint16_t)(2 + n);
	d->n = (uint16_t)(d->n + read_quoted_text(c, d->bytes + d->n, ZONE_DATA_BYTES_MAX - d->n));
	d->before = d->n;
}

/* A word of at most five capitals as a number, for a switch. */
#define KEY(a, b, c, d, e)                                                                         \
	((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 |          \
	 (uint64_t)(e) << 32)

uint16_t zone_data_type(const char *text)
{
	uint64_t key = 0;
	unsigned n = 0;

	for (; text[n] && n < 6; n++)
		key |= (uint64_t)(text[n] & 0xdf) << 8 * n;
	switch (key) {
	case KEY('A', 0, 0, 0, 0):
		return DNS_A;
	case KEY('A', 'A', 'A', 'A', 0):
		return DNS_AAAA;
	case KEY('C', 'N', 'A', 'M', 'E'):
		return DNS_CNAME;
	case KEY('M', 'X', 0, 0, 0):
		return DNS_MX;
	case KEY('T', 'X', 'T', 0, 0):
		return DNS_TXT;
	case KEY('N', 'S', 0, 0, 0):
		return DNS_NS;
	case KEY('P', 'T', 'R', 0, 0):
		return DNS_PTR;
	case KEY('S', 'R', 'V', 0, 0):
		return DNS_SRV;
	case KEY('C', 'A', 'A', 0, 0):
		return DNS_CAA;
	case KEY('S', 'O', 'A', 0, 0):
		return DNS_SOA;
	case KEY('D', 'N', 'A', 'M', 'E'):
		return DNS_DNAME;
	default:
		return 0;
	}
}

bool zone_data_read_name(const char *word, struct zone_data_name *out)
{
	struct cursor c = { .at = word };

	read_plain_name(&c, out);
	return !c.failed && *c.at == '\0';
}

bool zone_data_read(uint16_t type, const char *text, struct zone_data *out)
{
	struct cursor c = { .at = text };

	out->n = out->before = out->n_names = 0;
	switch (type) {
	case DNS_A:
		read_address_field(&c, AF_INET, out);
		break;
	case DNS_AAAA:
		read_address_field(&c, AF_INET6, out);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
	case DNS_DNAME:
		read_one_name(&c, out);
		break;
	case DNS_MX:
		read_mx(&c, out);
		break;
	case DNS_SRV:
		read_srv(&c, out);
		break;
	case DNS_SOA:
		read_soa(&c, out);
		break;
	case DNS_TXT:
		read_strings(&c, out);
		break;
	case DNS_CAA:
		read_caa(&c, out);
		break;
	default:
		return false;
	}
	return is_done(&c);
}
