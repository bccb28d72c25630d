/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * IP addresses and prefixes as values.
 *
 * Both families share one 16-byte form: an IPv4 address is kept as an IPv4-mapped IPv6 address (RFC
 * 4291, section 2.5.5.2), so comparing and hashing need no cases.
 *
 * Implemented in base/addr.c. Pure functions: any thread may call them.
 */
#ifndef WEIR_BASE_ADDR_H
#define WEIR_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/** Enough for any address in text, with its NUL. */
#define ADDR_TEXT_MAX 46
/** Enough for any prefix, or "[address]:port", in text, with its NUL. */
#define ADDR_LONG_TEXT_MAX 56

/** An address; IPv4 as ::ffff:a.b.c.d. */
struct addr {
	uint8_t bytes[16];
};

/** A prefix; @p bits counts in the address's own family: 0..32 or 0..128. */
struct prefix {
	struct addr addr; /**< host bits are zero */
	uint8_t bits;
};

/** Whether @p a is an IPv4 address. */
bool addr_is4(const struct addr *a);
/** Whether @p a can be the address of a single host: no group, no broadcast, and not "any address". */
bool addr_is_host(const struct addr *a);
/** Whether @p a and @p b are the same address. */
bool addr_equal(const struct addr *a, const struct addr *b);
/** Order for sorting: as memcmp() of the bytes. */
int addr_compare(const struct addr *a, const struct addr *b);
/** addr_compare() for qsort(3) and bsearch(3): of elements that begin with an address. */
static inline int addr_order(const void *a, const void *b)
{
	return addr_compare(a, b);
}

/** Make an address from four bytes in network order. */
struct addr addr_from4(const void *bytes);
/** Make an address from sixteen bytes in network order. */
struct addr addr_from6(const void *bytes);
/** The four bytes of an IPv4 address, in network order; only for addr_is4(). */
const uint8_t *addr_bytes4(const struct addr *a);

/**
 * Read an address: no zone index, no brackets, no leading or trailing space.
 *
 * @param text  NUL-terminated
 * @param out   untouched on failure
 * @return 0 or -EINVAL, also for an IPv4-mapped text, which has a shorter form
 */
int addr_parse(const char *text, struct addr *out);
/** Read "address/bits"; host bits must be zero. @return 0 or -EINVAL */
int prefix_parse(const char *text, struct prefix *out);

/** Write @p a to @p text (RFC 5952). @return @p text */
const char *addr_text(const struct addr *a, char text[ADDR_TEXT_MAX]);
/** Write "address/bits" to @p text. @return @p text */
const char *prefix_text(const struct prefix *p, char text[ADDR_LONG_TEXT_MAX]);

/** Whether @p a lies in @p p; addresses of the other family never do. */
bool prefix_has(const struct prefix *p, const struct addr *a);
/** Whether some address lies in both. */
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

/**
 * Whether this host has @p a, so that what is sent to it arrives here. A socket that is bound there does not
 * prove that: with IP_FREEBIND it is bound before the address exists. Where that is not known: true.
 */
bool addr_is_here(const struct addr *a);

/** Fill a sockaddr for bind() or connect(). @return its length */
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out);
/** Read a sockaddr_in or sockaddr_in6; @p port may be NULL. @return 0 or -EAFNOSUPPORT */
int addr_from_sockaddr(const struct sockaddr *sa, struct addr *out, uint16_t *port);

#endif
