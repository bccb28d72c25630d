/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Parsing of a query (RFC 1035, section 4.1; EDNS: RFC 6891; client subnet: RFC 7871).
 * Pure: implemented in dns/answer/query.c; any thread.
 */
#ifndef WEIR_DNS_ANSWER_QUERY_H
#define WEIR_DNS_ANSWER_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "dns/zone/name.h"

enum dns_rcode {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5,
	DNS_YXDOMAIN = 6, /**< a DNAME's new name is too long (RFC 6672, section 3.2) */
	DNS_BADVERS = 16, /**< extended: only with EDNS */
};

/** The header: its bytes, and the bits of its flags (RFC 1035, section 4.1.1). */
#define DNS_HEADER      12
#define DNS_QR          0x8000u
#define DNS_AA          0x0400u
#define DNS_TC          0x0200u
#define DNS_RD          0x0100u
#define DNS_OPCODE_MASK 0x7800u

/** Option codes (RFC 5001, RFC 7871) and sizes of UDP messages. */
#define EDNS_OPT_NSID    3
#define EDNS_OPT_SUBNET  8
#define EDNS_UDP_MAX     1232 /**< ours: what crosses any path unfragmented (RFC 9715) */
#define EDNS_UDP_DEFAULT 512  /**< without EDNS (RFC 1035, section 4.2.1) */

/** The client-subnet option as it was sent. */
struct query_subnet {
	uint16_t family; /**< 1 IPv4, 2 IPv6, 0 with no bits */
	uint8_t source_bits;
	uint8_t n_bytes;
	uint8_t bytes[16];
};

struct query {
	uint16_t id, flags;
	bool has_question;       /**< the fields of the question are valid */
	uint8_t question_length; /**< of its name; 4 bytes of type and class follow */
	uint16_t type, class;
	struct name name;
	bool has_edns;
	uint8_t edns_version;
	bool dnssec_ok;
	uint16_t udp_limit; /**< bytes that the client can receive over UDP, within our own limit */
	bool wants_nsid;
	bool has_subnet;
	struct query_subnet subnet;
};

enum query_verdict {
	QUERY_DROP,   /**< no answer: too short for one, or itself an answer */
	QUERY_RCODE,  /**< answer with the rcode given, nothing else */
	QUERY_LOOKUP, /**< a question to look up */
};

/** Parse @p bytes. @p rcode is set unless the verdict is QUERY_DROP. */
enum query_verdict query_read(const uint8_t *bytes, size_t length, struct query *out,
                              enum dns_rcode *rcode) MUST_CHECK NONNULL(3, 4);

/** The first address of the client's subnet; only with subnet.source_bits > 0. */
struct addr query_subnet_addr(const struct query_subnet *s) NONNULL();

#endif
