/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 lies in the last four bytes behind ::ffff:0:0/96, so one memcmp() compares addresses of both
 * families. A prefix counts its bits in its own family; bits_of_form() adds the 96 of the mapped
 * form. Parsing refuses IPv4-mapped text and prefixes with host bits, so equal bytes always mean
 * equal addresses.
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

bool addr_is4(const struct addr *a)
{
	return memcmp(a->bytes, mapped, sizeof(mapped)) == 0;
}

bool addr_is_host(const struct addr *a)
{
	static const uint8_t any[16], all4[4] = { 255, 255, 255, 255 };
	const uint8_t *ip4 = a->bytes + sizeof(mapped);

	if (!addr_is4(a))
		return memcmp(a->bytes, any, sizeof(any)) != 0 && a->bytes[0] != 0xff;
	return memcmp(ip4, any, 4) != 0 && memcmp(ip4, all4, 4) != 0 && (ip4[0] & 0xf0) != 0xe0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int addr_compare(const struct addr *a, const struct addr *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* Made in registers: it is returned in them, and would be loaded from two stores. */
struct addr addr_from4(const void *bytes)
{
	uint32_t parts_be[4] = { 0, 0, htonl(0xffff), 0 };
	struct addr a;

	memcpy(&parts_be[3], bytes, 4);
	memcpy(a.bytes, parts_be, sizeof(a.bytes));
	return a;
}

struct addr addr_from6(const void *bytes)
{
	struct addr a;

	memcpy(a.bytes, bytes, sizeof(a.bytes));
	return a;
}

const uint8_t *addr_bytes4(const struct addr *a)
{
	return a->bytes + sizeof(mapped);
}

int addr_parse(const char *text, struct addr *out)
{
	struct addr a;
	uint8_t raw[16];

	if (inet_pton(AF_INET, text, raw) == 1) {
		*out = addr_from4(raw);
		return 0;
	}
	if (inet_pton(AF_INET6, text, raw) != 1)
		return -EINVAL;
	a = addr_from6(raw);
	if (addr_is4(&a))
		return -EINVAL;
	*out = a;
	return 0;
}

/* The bits of @p p that count, reckoned in the 16-byte form. */
static unsigned bits_of_form(const struct prefix *p)
{
	return addr_is4(&p->addr) ? 96u + p->bits : p->bits;
}

/* Whether the first @p bits of @p a and @p b are equal. */
static bool equal_bits(const struct addr *a, const struct addr *b, unsigned bits)
{
	unsigned whole = bits / 8, n_left = bits % 8;

	if (memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return n_left == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - n_left)) == 0;
}

static bool host_bits_are_zero(const struct prefix *p)
{
	struct addr cut = { 0 };
	unsigned bits = bits_of_form(p), whole = bits / 8;

	memcpy(cut.bytes, p->addr.bytes, whole);
	if (bits % 8)
		cut.bytes[whole] = (uint8_t)(p->addr.bytes[whole] & (0xff << (8 - bits % 8)));
	return addr_equal(&cut, &p->addr);
}

/* Read 0..@p most in decimal, without sign or leading zeros. */
static int parse_bits(const char *text, unsigned most, uint8_t *out)
{
	unsigned n = 0;
	size_t length = strlen(text);

	if (length == 0 || length > 3 || (text[0] == '0' && length > 1))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = n * 10 + (unsigned)(*text - '0');
	}
	if (n > most)
		return -EINVAL;
	*out = (uint8_t)n;
	return 0;
}

int prefix_parse(const char *text, struct prefix *out)
{
	const char *slash = strchr(text, '/');
	char head[ADDR_TEXT_MAX];
	struct prefix p;

	if (!slash || (size_t)(slash - text) >= sizeof(head))
		return -EINVAL;
	memcpy(head, text, (size_t)(slash - text));
	head[slash - text] = '\0';
	if (addr_parse(head, &p.addr) ||
	    parse_bits(slash + 1, addr_is4(&p.addr) ? 32 : 128, &p.bits))
		return -EINVAL;
	if (!host_bits_are_zero(&p))
		return -EINVAL;
	*out = p;
	return 0;
}

/* inet_ntop(3) prints, which takes most of the time of writing a large document. */
static void write_ip4(const uint8_t bytes[4], char *to)
{
	for (int i = 0; i < 4; i++) {
		unsigned n = bytes[i];

		if (n >= 100)
			*to++ = (char)('0' + n / 100);
		if (n >= 10)
			*to++ = (char)('0' + n / 10 % 10);
		*to++ = (char)('0' + n % 10);
		*to++ = i < 3 ? '.' : '\0';
	}
}

const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX])
{
	if (addr_is4(a)) {
		write_ip4(addr_bytes4(a), text);
		return text;
	}
	return inet_ntop(AF_INET6, a->bytes, text, ADDR_TEXT_MAX);
}

const char *prefix_text(const struct prefix *p, char text[ADDR_LONG_TEXT_MAX])
{
	char head[ADDR_TEXT_MAX];

	snprintf(text, ADDR_LONG_TEXT_MAX, "%s/%u", addr_text(&p->addr, head), p->bits);
	return text;
}

bool prefix_has(const struct prefix *p, const struct addr *a)
{
	return addr_is4(&p->addr) == addr_is4(a) && equal_bits(&p->addr, a, bits_of_form(p));
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return a->bits <= b->bits ? prefix_has(a, &b->addr) : prefix_has(b, &a->addr);
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (addr_is4(a)) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, addr_bytes4(a), 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof(*in6);
}

int addr_from_sockaddr(const struct sockaddr *sa, struct addr *out, uint16_t *port)
{
	uint16_t port_be;

	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

		*out = addr_from4(&in->sin_addr);
		port_be = in->sin_port;
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

		*out = addr_from6(&in6->sin6_addr);
		port_be = in6->sin6_port;
	} else {
		return -EAFNOSUPPORT;
	}
	if (port)
		*port = ntohs(port_be);
	return 0;
}

bool addr_is_here(const struct addr *a)
{
	struct sockaddr_storage at;
	socklen_t n = addr_to_sockaddr(a, 0, &at);
	int fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool missing =
	        fd >= 0 && bind(fd, (const struct sockaddr *)&at, n) < 0 && errno == EADDRNOTAVAIL;

	if (fd >= 0)
		close(fd);
	return !missing;
}
