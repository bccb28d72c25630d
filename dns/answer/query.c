/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One pass over the message with a sticky-error cursor (dns/zone/wire.h). What may follow the question
 * in a query is an OPT record; other records are stepped over, up to a limit. A query that cannot
 * be read beyond its header still gets an answer (FORMERR), so that the client does not wait for a
 * timeout.
 */
#include "dns/answer/query.h"

#include <string.h>

#include "dns/zone/image.h"
#include "dns/zone/wire.h"

#define RECORDS_MAX 16 /* in all sections but the question: no client needs more in a query */

struct addr query_subnet_addr(const struct query_subnet *s)
{
	return s->family == 1 ? addr_from4(s->bytes) : addr_from6(s->bytes);
}

/* Read a client-subnet option (RFC 7871, section 6 and 7.1.2). @return whether it is well-formed */
static bool read_subnet(struct wire_reader *r, size_t length, struct query_subnet *out)
{
	uint16_t family = wire_get16(r);
	uint8_t source = wire_get8(r), scope = wire_get8(r);
	unsigned most = family == 1 ? 32 : family == 2 ? 128 : 0;
	size_t n = (source + 7u) / 8;
	const uint8_t *bytes;

	if (r->failed || family > 2 || source > most || scope != 0 || length != 4 + n)
		return false;
	bytes = wire_get_bytes(r, n);
	if (!bytes || (source % 8 && bytes[n - 1] & (0xff >> source % 8)))
		return false;
	*out = (struct query_subnet){ .family = family,
		                      .source_bits = source,
		                      .n_bytes = (uint8_t)n };
	memcpy(out->bytes, bytes, n);
	return true;
}

/* Read the options; unknown ones are skipped (RFC 6891, section 6.1.2). */
static bool read_edns_options(struct wire_reader *r, size_t end, struct query *q)
{
	while (r->at < end) {
		uint16_t code = wire_get16(r);
		uint16_t length = wire_get16(r);
		size_t from = r->at;

		if (r->failed || from > end || length > end - from)
			return false;
		if (code == EDNS_OPT_SUBNET) {
			if (q->has_subnet || !read_subnet(r, length, &q->subnet))
				return false;
			q->has_subnet = true;
		}
		if (code == EDNS_OPT_NSID)
			q->wants_nsid = true;
		r->at = from + length;
	}
	return true;
}

/*
 * A second OPT is an error (RFC 6891, section 6.1.1). Our own limit of the size keeps answers
 * unfragmented.
 */
static bool read_opt(struct wire_reader *r, struct query *q)
{
	uint16_t size = wire_get16(r);

	wire_get8(r); /* extended rcode: means nothing in a query */
	q->edns_version = wire_get8(r);
	q->dnssec_ok = wire_get16(r) >> 15;

	uint16_t length = wire_get16(r);

	if (!wire_has(r, length) || q->has_edns)
		return false;
	q->has_edns = true;
	q->udp_limit = size < EDNS_UDP_DEFAULT ? EDNS_UDP_DEFAULT : size;
	if (q->udp_limit > EDNS_UDP_MAX)
		q->udp_limit = EDNS_UDP_MAX;
	if (q->edns_version != 0) { /* another version's options may mean anything */
		r->at += length;
		return true;
	}
	return read_edns_options(r, r->at + length, q);
}

/* Step over an owner, which may be compressed. @return whether it is the root */
static bool skip_owner(struct wire_reader *r)
{
	size_t start = r->at;

	for (;;) {
		uint8_t length = wire_get8(r);

		if (r->failed || length == 0)
			return r->at == start + 1;
		if (length >= 0xc0) {
			wire_get8(r);
			return false;
		}
		if (length > 63 || r->at - start > NAME_WIRE_MAX)
			r->failed = true;
		wire_get_bytes(r, length);
	}
}

/* Read the records behind the question; only OPT in the additional section means anything. */
static bool read_records(struct wire_reader *r, unsigned n, unsigned n_before, struct query *q)
{
	for (unsigned i = 0; i < n; i++) {
		bool root = skip_owner(r);

		if (wire_get16(r) == DNS_OPT) {
			if (!root || i < n_before || !read_opt(r, q))
				return false;
			continue;
		}
		wire_get_bytes(r, 6); /* class, TTL */
		wire_get_bytes(r, wire_get16(r));
		if (r->failed)
			return false;
	}
	return !r->failed && r->at == r->length;
}

static bool read_question(struct wire_reader *r, struct query *q)
{
	if (!name_read(r, &q->name))
		return false;
	q->type = wire_get16(r);
	q->class = wire_get16(r);
	q->question_length = q->name.length;
	q->has_question = !r->failed;
	return q->has_question;
}

enum query_verdict query_read(const uint8_t *bytes, size_t length, struct query *q,
                              enum dns_rcode *rcode)
{
	struct wire_reader r = { .start = bytes, .length = length };
	unsigned counts[4];

	/* the name is large and valid only with has_question: it is not cleared */
	memset(q, 0, offsetof(struct query, name));
	memset(&q->has_edns, 0, sizeof(*q) - offsetof(struct query, has_edns));
	q->udp_limit = EDNS_UDP_DEFAULT;
	q->id = wire_get16(&r);
	q->flags = wire_get16(&r);
	for (unsigned i = 0; i < 4; i++)
		counts[i] = wire_get16(&r);
	if (r.failed || q->flags & DNS_QR)
		return QUERY_DROP;
	*rcode = DNS_NOTIMP;
	if (q->flags & DNS_OPCODE_MASK)
		return QUERY_RCODE;
	*rcode = DNS_FORMERR;
	if (counts[0] != 1 || !read_question(&r, q)) /* RFC 9619 */
		return QUERY_RCODE;
	if (counts[1] + counts[2] + counts[3] > RECORDS_MAX ||
	    !read_records(&r, counts[1] + counts[2] + counts[3], counts[1] + counts[2], q))
		return QUERY_RCODE;
	*rcode = DNS_NOERROR;
	if (q->has_edns && q->edns_version != 0)
		*rcode = DNS_BADVERS;
	return *rcode == DNS_NOERROR ? QUERY_LOOKUP : QUERY_RCODE;
}
