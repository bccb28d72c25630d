/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/dns/message_text.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *put_16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static unsigned get_16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

size_t query_make(const char *name, uint16_t type, uint8_t *out)
{
	uint8_t *p = out;

	p = put_16(p, 0x1234);
	p = put_16(p, 0x0100);
	p = put_16(p, 1);
	memset(p, 0, 6);
	p += 6;
	while (*name && strcmp(name, ".") != 0) {
		size_t n = strcspn(name, ".");

		*p++ = (uint8_t)n;
		memcpy(p, name, n);
		p += n;
		name += n + (name[n] == '.');
	}
	*p++ = 0;
	p = put_16(p, type);
	p = put_16(p, 1);
	return (size_t)(p - out);
}

size_t query_add_opt(uint8_t *query, size_t length, uint16_t udp_size, uint8_t version,
                     const void *options, size_t n)
{
	uint8_t *p = query + length;

	put_16(query + 10, get_16(query + 10) + 1);
	*p++ = 0;
	p = put_16(p, 41);
	p = put_16(p, udp_size);
	*p++ = 0;
	*p++ = version;
	p = put_16(p, 0);
	p = put_16(p, (unsigned)n);
	if (n)
		memcpy(p, options, n);
	return (size_t)(p - query) + n;
}

size_t option_subnet(const char *address, uint8_t source_bits, uint8_t *out)
{
	uint8_t bytes[16];
	bool ip4 = inet_pton(AF_INET, address, bytes) == 1;
	unsigned n = (source_bits + 7u) / 8;
	uint8_t *p = out;

	if (!ip4)
		inet_pton(AF_INET6, address, bytes);
	p = put_16(p, 8);
	p = put_16(p, 4 + n);
	p = put_16(p, ip4 ? 1 : 2);
	*p++ = source_bits;
	*p++ = 0;
	memcpy(p, bytes, n);
	return (size_t)(p - out) + n;
}

struct reader {
	const uint8_t *message;
	size_t length, at;
	bool bad;
	char *out, *end;
};

__attribute__((format(printf, 2, 3))) static void say_text(struct reader *r, const char *format,
                                                           ...)
{
	va_list args;

	va_start(args, format);
	if (r->out < r->end)
		r->out += vsnprintf(r->out, (size_t)(r->end - r->out), format, args);
	va_end(args);
}

static unsigned read_number(struct reader *r, unsigned n)
{
	unsigned v = 0;

	if (r->length - r->at < n) {
		r->bad = true;
		r->at = r->length;
		return 0;
	}
	while (n--)
		v = v << 8 | r->message[r->at++];
	return v;
}

/* Say the name here and step over it. */
static void say_name(struct reader *r)
{
	size_t at = r->at, back = 0, total = 0, limit = r->at;

	if (at < r->length && r->message[at] == 0)
		say_text(r, ".");
	for (;;) {
		if (at >= r->length || total > 255) {
			r->bad = true;
			return;
		}
		unsigned n = r->message[at];

		if (n >= 0xc0) {
			size_t to = at + 1 < r->length ? get_16(r->message + at) & 0x3fff : limit;

			if (to >= limit) { /* backwards only, so it ends */
				r->bad = true;
				return;
			}
			back = back ? back : at + 2;
			at = limit = to;
			continue;
		}
		at++;
		if (n == 0)
			break;
		if (n > 63 || at + n >= r->length) {
			r->bad = true;
			return;
		}
		say_text(r, "%.*s.", (int)n, r->message + at);
		at += n;
		total += n + 1;
	}
	r->at = back ? back : at;
}

static void say_address(struct reader *r, int family, size_t n)
{
	char text[INET6_ADDRSTRLEN];

	if (r->length - r->at < n) {
		r->bad = true;
		return;
	}
	say_text(r, "%s", inet_ntop(family, r->message + r->at, text, sizeof(text)));
	r->at += n;
}

static void say_hex(struct reader *r, size_t end)
{
	say_text(r, "#");
	while (!r->bad && r->at < end)
		say_text(r, "%02x", read_number(r, 1));
}

static void say_data(struct reader *r, unsigned type, size_t end)
{
	switch (type) {
	case 1:
		say_text(r, "A ");
		say_address(r, AF_INET, 4);
		break;
	case 28:
		say_text(r, "AAAA ");
		say_address(r, AF_INET6, 16);
		break;
	case 2:
	case 5:
	case 12:
		say_text(r, "%s ", type == 2 ? "NS" : type == 5 ? "CNAME" : "PTR");
		say_name(r);
		break;
	case 15:
		say_text(r, "MX %u ", read_number(r, 2));
		say_name(r);
		break;
	case 6:
		say_text(r, "SOA ");
		say_name(r);
		say_text(r, " ");
		say_name(r);
		say_text(r, " %u", read_number(r, 4));
		read_number(r, 4);
		read_number(r, 4);
		read_number(r, 4);
		read_number(r, 4);
		break;
	default:
		say_text(r, "TYPE%u ", type);
		say_hex(r, end);
	}
}

static void say_opt(struct reader *r)
{
	unsigned size = read_number(r, 2), rcode = read_number(r, 1), version = read_number(r, 1),
	         flags = read_number(r, 2);
	unsigned length = read_number(r, 2);
	size_t end = r->at + length;

	say_text(r, "opt %u %u %u %s", size, rcode, version, flags & 0x8000 ? "do" : "-");
	while (!r->bad && r->at < end) {
		unsigned code = read_number(r, 2);
		size_t n = read_number(r, 2), from = r->at;

		if (code == 8) {
			unsigned family = read_number(r, 2), source = read_number(r, 1),
			         scope = read_number(r, 1);

			say_text(r, " subnet %u/%u/%u ", family, source, scope);
		} else {
			say_text(r, " option %u ", code);
		}
		say_hex(r, from + n);
		r->bad = r->bad || r->at != from + n;
	}
	r->bad = r->bad || r->at != end;
}

static void say_record(struct reader *r, const char *section)
{
	size_t start = r->at;

	say_text(r, "%s ", section);
	say_name(r);

	unsigned type = read_number(r, 2);

	if (type == 41 && r->message[start] == 0) {
		r->out -= 4; /* "ad ." */
		say_opt(r);
		say_text(r, "\n");
		return;
	}
	read_number(r, 2);

	unsigned ttl = read_number(r, 4), n = read_number(r, 2);
	size_t end = r->at + n;

	say_text(r, " %u ", ttl);
	if (end > r->length) {
		r->bad = true;
		return;
	}
	say_data(r, type, end);
	r->bad = r->bad || r->at != end;
	say_text(r, "\n");
}

bool message_text(const uint8_t *message, size_t length, char *out, size_t room)
{
	static const char *const rcodes[16] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN",
		                                "NOTIMP",  "REFUSED", "6",        "7",
		                                "8",       "9",       "10",       "11",
		                                "12",      "13",      "14",       "15" };
	static const char *const sections[] = { "an", "au", "ad" };
	struct reader r = { .message = message, .length = length, .out = out, .end = out + room };
	unsigned id = read_number(&r, 2), flags = read_number(&r, 2), counts[4];

	(void)id;
	for (unsigned i = 0; i < 4; i++)
		counts[i] = read_number(&r, 2);
	say_text(&r, "%s%s%s\n", rcodes[flags & 15], flags & 0x400 ? " aa" : "",
	         flags & 0x200 ? " tc" : "");
	for (unsigned i = 0; i < counts[0] && !r.bad; i++) {
		say_text(&r, "? ");
		say_name(&r);
		say_text(&r, " %u\n", read_number(&r, 2));
		read_number(&r, 2);
	}
	for (unsigned s = 0; s < 3; s++)
		for (unsigned i = 0; i < counts[s + 1] && !r.bad; i++)
			say_record(&r, sections[s]);
	return !r.bad && r.at == length && flags & 0x8000 && r.out < r.end;
}
