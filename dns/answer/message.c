/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compression without string comparison: a name in the image has one offset (of its lower-case
 * form), so a suffix was written before if and only if its offset is among those remembered.
 * Records whose owner is the question and whose data has no names to compress are copied as they
 * lie in the image.
 */
#include "dns/answer/message.h"

#include <string.h>

#include "base/addr.h"

#define POINTER 0xc000u /* the two high bits of a compression pointer (RFC 1035, section 4.1.4) */

void message_back(struct message *m, const struct message_mark *mark)
{
	m->w.at = mark->at;
	m->w.failed = false;
	m->n_seen = mark->n_seen;
	if (m->n_seen == 0)
		m->question_seen = false;
	memcpy(m->counts, mark->counts, sizeof(mark->counts));
}

static void remember_name(struct message *m, uint32_t fold_off, size_t at)
{
	if (m->n_seen == MESSAGE_SEEN_MAX || at > MESSAGE_POINTER_MAX)
		return;
	m->seen[m->n_seen].fold_off = fold_off;
	m->seen[m->n_seen++].at = (uint16_t)at;
}

/*
 * Remember where the question has names of the image: its closest encloser and all names above.
 * Other names are compressed by pointers to these.
 */
static void remember_question(struct message *m)
{
	const struct image_name *n;
	unsigned label = m->skipped;

	m->question_seen = true;
	if (!m->closest)
		return;
	for (n = image_name(m->image, m->closest->name_off); n->n_labels;
	     n = image_name(m->image, n->parent_off))
		remember_name(m, n->fold_off, DNS_HEADER + m->query->name.at[label++]);
}

static unsigned find_written_name(const struct message *m, uint32_t fold_off)
{
	for (unsigned i = 0; i < m->n_seen; i++)
		if (m->seen[i].fold_off == fold_off)
			return m->seen[i].at;
	return 0;
}

/*
 * Labels are written until a suffix is found that the message has already; each new suffix is
 * remembered on the way.
 */
static void put_compressed_name(struct message *m, uint32_t name_off)
{
	const struct image_name *n = image_name(m->image, name_off);

	if (!m->question_seen)
		remember_question(m);
	for (; n->n_labels; n = image_name(m->image, n->parent_off)) {
		unsigned at = find_written_name(m, n->fold_off);

		if (at) {
			wire_put16(&m->w, (uint16_t)(POINTER | at));
			return;
		}
		remember_name(m, n->fold_off, m->w.at);
		wire_put(&m->w, n->label, (size_t)n->label[0] + 1);
	}
	wire_put8(&m->w, 0);
}

static void put_record_owner(struct message *m, uint32_t owner_off)
{
	if (MESSAGE_OWNER_IS_AT(owner_off))
		wire_put16(&m->w, (uint16_t)(POINTER | owner_off >> 1));
	else if (owner_off)
		put_compressed_name(m, owner_off);
	else
		wire_put16(&m->w, POINTER | DNS_HEADER);
}

/* Write one record's data, whose names stand as offsets; its length goes before it. */
static void put_named_data(struct message *m, struct image_fixed_names how, const uint8_t *data,
                           size_t length)
{
	size_t length_at = m->w.at, at = how.before;

	wire_put16(&m->w, 0);
	wire_put(&m->w, data, how.before);
	for (unsigned i = 0; i < how.n; i++, at += 4) {
		uint32_t name_off;

		memcpy(&name_off, data + at, 4);
		put_compressed_name(m, name_off);
	}
	wire_put(&m->w, data + at, length - at);
	if (!m->w.failed)
		wire_store16(m->w.start + length_at, (uint16_t)(m->w.at - length_at - 2));
}

static void put_image_record(struct message *m, uint32_t owner_off, struct image_fixed_names how,
                             const uint8_t *record, size_t length)
{
	put_record_owner(m, owner_off);
	wire_put(&m->w, record + 2, 8); /* type, class, TTL */
	if (how.n) {
		put_named_data(m, how, record + IMAGE_RECORD_FIXED, length);
		return;
	}
	wire_put(&m->w, record + 10, length + 2);
}

void message_put_rrset(struct message *m, enum section section, uint32_t owner_off,
                       const struct image_rrset *rrset)
{
	const uint8_t *record = image_at(m->image, rrset->data_off);
	struct image_fixed_names how = image_fixed_names(rrset->type);

	m->counts[section] = (uint16_t)(m->counts[section] + rrset->n_records);
	if (owner_off == 0 && how.n == 0) {
		wire_put(&m->w, record, rrset->data_length);
		return;
	}
	for (unsigned i = 0; i < rrset->n_records && !m->w.failed; i++) {
		size_t length = wire_load16(record + 10);

		put_image_record(m, owner_off, how, record, length);
		record += IMAGE_RECORD_FIXED + length;
	}
}

void message_put_negative(struct message *m, const struct image_zone *zone, uint32_t ttl_most_s)
{
	const struct image_rrset *rrset = image_at(m->image, zone->negative_off);
	const uint8_t *record = image_at(m->image, rrset->data_off);
	uint32_t ttl_s = wire_load32(record + 6);

	put_record_owner(m, zone->name_off);
	wire_put(&m->w, record + 2, 4); /* type, class */
	wire_put32(&m->w, ttl_s < ttl_most_s ? ttl_s : ttl_most_s);
	put_named_data(m, image_fixed_names(DNS_SOA), record + IMAGE_RECORD_FIXED,
	               wire_load16(record + 10));
	m->counts[SECTION_AUTHORITY]++;
}

size_t message_put_alias(struct message *m, uint32_t owner_off, uint32_t ttl_s,
                         const uint8_t *target, size_t length)
{
	put_record_owner(m, owner_off);
	wire_put16(&m->w, DNS_CNAME);
	wire_put16(&m->w, DNS_IN);
	wire_put32(&m->w, ttl_s);
	wire_put16(&m->w, (uint16_t)length);

	size_t at = m->w.at;

	wire_put(&m->w, target, length);
	m->counts[SECTION_ANSWER]++;
	return at;
}

void message_put_addresses(struct message *m, enum section section, uint32_t owner_off,
                           uint32_t ttl_s, const struct addr *addresses, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		bool ip4 = addr_is4(&addresses[i]);
		uint16_t length = ip4 ? 4 : 16;

		put_record_owner(m, owner_off);
		wire_put16(&m->w, ip4 ? DNS_A : DNS_AAAA);
		wire_put16(&m->w, DNS_IN);
		wire_put32(&m->w, ttl_s);
		wire_put16(&m->w, length);
		wire_put(&m->w, ip4 ? addr_bytes4(&addresses[i]) : addresses[i].bytes, length);
		m->counts[section]++;
	}
}
