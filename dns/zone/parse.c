/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of a master file, one at a time: dns/zone/data.c reads the common types, ldns the text of all
 * others, composed again with TTL 0 and class IN. What ldns gets wrong is done here before: numbers
 * that it would wrap, directives, includes.
 */
#include "dns/zone/build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ldns/ldns.h>

#include "base/memory.h"
#include "dns/zone/image.h"
#include "dns/zone/wire.h"
#include "dns/zone/data.h"
#include "dns/zone/fields.h"
#include "dns/zone/text.h"
#include "dns/zone/words.h"

#define TTL_NONE UINT32_MAX /* over ZONE_TTL_MAX */
#define COMPOSED_MAX                                                                               \
	(ZONE_RECORD_TEXT_MAX + 64) /* a record's text with TTL, class, and what is added to it */

#define LDNS_ROOM_BYTES 16384u /* what ldns allocates for a record: small pieces, */
#define LDNS_ROOM_TIMES 16u    /* and some copies of its text */

struct parse {
	struct build *b;
	uint16_t zone;
	uint32_t apex; /* name */
	struct zone_text *text;
	struct zone_text_line line;
	ldns_rdf *origins[ZONE_INCLUDE_DEPTH + 1]; /* by depth */
	uint32_t origin_names[ZONE_INCLUDE_DEPTH + 1];
	uint32_t owner; /* of the last record; BUILD_NONE: there was none */
	uint32_t ttl_s; /* $TTL, or the last one seen */
	bool ttl_set;   /* by $TTL */
	uint32_t file;  /* number of line.file */
	size_t first;   /* of the zone's records */
	bool ttl_open;  /* some records need the SOA's minimum as TTL */
	char *composed; /* the line as ldns sees it */
	bool is_signed; /* that is said already */
	struct zone_data data;
};

#define REFUSE(p, ...) REFUSE_FOR(p, 0, __VA_ARGS__)
/* A file was not read for @p error, an -errno. */
#define REFUSE_FOR(p, error, ...)                                                                  \
	build_say((p)->b, ZONES_ERROR,                                                             \
	          &(struct build_location){ (p)->zone, (p)->line.file, (p)->line.line, error },    \
	          __VA_ARGS__)

/* A TTL, a class, or neither. @return 0 when it was one, 1 when not, -EINVAL */
static int read_ttl_or_class(struct parse *p, const char *word, uint32_t *ttl_s)
{
	static const char *const others[] = { "CH", "CHAOS", "HS", "HESIOD", "CS", "ANY", "NONE" };
	int err;

	if (strcasecmp(word, "IN") == 0 || strcasecmp(word, "CLASS1") == 0)
		return 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcasecmp(word, others[i]) != 0)
			continue;
		REFUSE(p, "class %s: only IN is served", others[i]);
		return -EINVAL;
	}
	if (strncasecmp(word, "CLASS", 5) == 0) {
		REFUSE(p, "%.40s: only IN is served", word);
		return -EINVAL;
	}
	if (*word < '0' || *word > '9')
		return 1;
	if (*ttl_s != TTL_NONE) {
		REFUSE(p, "%.40s: a second TTL; write 1h30m as one word", word);
		return -EINVAL;
	}
	err = zone_word_ttl(word, ttl_s);
	if (err < 0) {
		REFUSE(p, err == -ERANGE ? "TTL %.40s is over %d" : "%.40s is not a TTL", word,
		       ZONE_TTL_MAX);
		return -EINVAL;
	}
	return 0;
}

struct record_head {
	char *owner; /* NULL: the last one's */
	char *type, *data;
	uint32_t ttl_s;
	uint16_t plain; /* number of a type that dns/zone/data.c reads; 0: of another */
};

/* Read owner, TTL and class; find type and data. @return whether it went well */
static bool parse_head(struct parse *p, struct record_head *head)
{
	char *at = p->line.text, *word = NULL;
	uint32_t ttl_s = TTL_NONE;
	int more = 0;

	head->owner = p->line.indented ? NULL : zone_word_next(&at);
	while (more == 0 && (word = zone_word_next(&at))) {
		head->plain = zone_data_type(word);
		more = head->plain ? 1 : read_ttl_or_class(p, word, &ttl_s);
	}
	if (more < 0)
		return false;
	if (more == 0) {
		REFUSE(p, "no type: expected OWNER [TTL] [CLASS] TYPE DATA");
		return false;
	}
	head->type = word;
	head->data = at;
	if (ttl_s != TTL_NONE && !p->ttl_set)
		p->ttl_s = ttl_s;
	head->ttl_s = ttl_s == TTL_NONE ? p->ttl_s : ttl_s;
	return true;
}

static bool is_of_signing(unsigned type)
{
	return type == DNS_RRSIG || type == DNS_NSEC || type == DNS_NSEC3;
}

/* Of a signed zone's many records the first is reported. */
static void refuse_signed(struct parse *p, const char *type)
{
	if (!p->is_signed)
		REFUSE(p,
		       "%.40s: the zone is signed, and Weir would serve it without signatures, "
		       "which validating resolvers refuse: remove the DS from the parent zone "
		       "first, then apply the zone unsigned",
		       type);
	p->is_signed = true;
}

static bool is_well_formed(const ldns_rdf *rdf)
{
	struct wire_reader r = { .start = ldns_rdf_data(rdf), .length = ldns_rdf_size(rdf) };
	struct name name;

	return name_read(&r, &name);
}

static ldns_rdf *make_owner(const struct parse *p)
{
	uint8_t wire[NAME_WIRE_MAX];

	if (p->owner == BUILD_NONE)
		return NULL;
	return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, build_name_wire(p->b, p->owner, wire),
	                             wire);
}

/* Note the owner that ldns read, also of a record that it then refused. */
static void note_owner(struct parse *p, const ldns_rdf *owner)
{
	if (is_well_formed(owner))
		p->owner = build_intern(p->b, ldns_rdf_data(owner));
}

/*
 * Read the record's text. ldns does not check malloc(): without memory it crashes, or calls a good
 * record bad. So the heap gets enough room before, and a record counts as bad only if ldns refuses
 * it twice.
 */
static ldns_status read_composed(struct parse *p, ldns_rr **rr)
{
	ldns_status status = LDNS_STATUS_MEM_ERR;
	size_t n = LDNS_ROOM_BYTES + LDNS_ROOM_TIMES * strlen(p->composed);
	ldns_rdf *owner = NULL;

	for (int i = 0; i < 2 && status != LDNS_STATUS_OK && !p->b->no_memory; i++) {
		p->b->no_memory = memory_make_room(n) != 0;
		if (p->b->no_memory)
			break;
		if (!owner)
			owner = make_owner(p);
		status = ldns_rr_new_frm_str(rr, p->composed, 0, p->origins[p->line.depth], &owner);
	}
	if (status == LDNS_STATUS_MEM_ERR)
		p->b->no_memory = true;
	if (owner && !p->b->no_memory)
		note_owner(p, owner);
	ldns_rdf_deep_free(owner);
	return status;
}

/* Whether a record is refused that ldns would accept, or report less well; with a report. */
static bool is_record_refused(struct parse *p, const struct record_head *head, unsigned type)
{
	const char *word, *reason;
	uint32_t max = 0;

	if (type == 0 || type > UINT16_MAX || type == DNS_OPT ||
	    (type >= DNS_META_FIRST && type <= DNS_ANY))
		REFUSE(p, "%.40s is not a type that a zone can hold", head->type);
	else if ((word = zone_words_excess(type, head->data, &max)))
		REFUSE(p, "%.40s is too large here: at most %u", word, max);
	else if ((word = zone_words_quoted(head->owner, head->plain, head->data)))
		REFUSE(p, "%.40s: names and numbers must not be quoted", word);
	else if (head->owner && strncmp(head->owner, "@.", 2) == 0)
		REFUSE(p, "%.40s: a name whose first label is @", head->owner);
	else if ((reason = zone_fields_misread((uint16_t)type, head->data)))
		REFUSE(p, "%.40s record: %s", head->type, reason);
	else if (!head->owner && p->owner == BUILD_NONE)
		REFUSE(p, "no owner: the first record must name one");
	else if (is_of_signing(type))
		refuse_signed(p, head->type);
	else
		return false;
	return true;
}

/* Turn the line into a record of ldns. @return NULL after a report, or without memory */
static ldns_rr *parse_record(struct parse *p, const struct record_head *head)
{
	unsigned type = ldns_get_rr_type_by_name(head->type);
	ldns_rr *rr = NULL;
	ldns_status status;
	char *data;

	if (is_record_refused(p, head, type))
		return NULL;
	snprintf(p->composed, COMPOSED_MAX, "%s 0 IN %s %s", head->owner ? head->owner : "",
	         head->type, head->data);
	data = p->composed + strlen(p->composed) - strlen(head->data);
	zone_fields_complete((uint16_t)type, data);
	zone_words_mend(type, p->composed, (size_t)(data - p->composed));
	status = read_composed(p, &rr);
	if (status == LDNS_STATUS_OK)
		return rr;
	if (!p->b->no_memory)
		REFUSE(p, "%.40s record: %s", head->type, ldns_get_errorstr_by_id(status));
	return NULL;
}

/* The record's data in wire form. @return its length, or -EINVAL after a report */
static int write_record_data(struct parse *p, const ldns_rr *rr, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *field = ldns_rr_rdf(rr, i);
		size_t size = ldns_rdf_size(field);

		if (n + size > UINT16_MAX) {
			REFUSE(p, "record over 65,535 bytes");
			return -EINVAL;
		}
		if (size)
			memcpy(out + n, ldns_rdf_data(field), size);
		n += size;
	}
	return (int)n;
}

/* Intern the name at @p *at of the data, and step behind it. */
static uint32_t intern_data_name(struct parse *p, const uint8_t *data, size_t length, size_t *at)
{
	struct wire_reader r = { .start = data, .length = length, .at = *at };
	struct name name;

	if (!name_read(&r, &name)) {
		REFUSE(p, "a name in the data is not well-formed");
		return BUILD_NONE;
	}
	uint32_t i = build_intern(p->b, data + *at);

	*at = r.at;
	return i;
}

/* Store data of a type with compressible names. @return its stored length, or -EINVAL */
static int store_names(struct parse *p, struct image_fixed_names how, uint8_t *data, size_t length)
{
	uint8_t out[32];
	size_t at = how.before, n = how.before;

	if (length < how.before)
		return -EINVAL;
	memcpy(out, data, how.before);
	for (unsigned i = 0; i < how.n; i++, n += 4) {
		uint32_t name = intern_data_name(p, data, length, &at);

		if (name == BUILD_NONE)
			return -EINVAL;
		memcpy(out + n, &name, 4);
	}
	if (length - at > sizeof(out) - n) {
		REFUSE(p, "the data is longer than its type allows");
		return -EINVAL;
	}
	memcpy(out + n, data + at, length - at);
	n += length - at;
	memcpy(data, out, n);
	return (int)n;
}

/* Both ways of reading end here, so this is where a record outside the zone is refused. */
static void add_parsed_record(struct parse *p, uint16_t type, uint32_t ttl_s, const uint8_t *data,
                              size_t length)
{
	uint32_t owner = build_name_at(p->b, p->owner)->fold;
	char text[NAME_TEXT_MAX], zone[NAME_TEXT_MAX];

	if (!build_is_under(p->b, owner, p->apex)) {
		REFUSE(p, "%.300s lies outside the zone %.300s",
		       build_name_text(p->b, p->owner, text), build_name_text(p->b, p->apex, zone));
		return;
	}
	p->ttl_open |= ttl_s == TTL_NONE;
	build_add(p->b,
	          &(struct build_record){
	                  .owner = owner,
	                  .data_length = (uint32_t)length,
	                  .ttl_s = ttl_s,
	                  .line = p->line.line,
	                  .file = p->file,
	                  .type = type,
	                  .zone = p->zone,
	          },
	          data);
}

/* Store a record that ldns read. */
static void store_ldns_record(struct parse *p, const ldns_rr *rr, const struct record_head *head)
{
	static _Thread_local uint8_t data[UINT16_MAX + 1];
	const ldns_rdf *owner = ldns_rr_owner(rr);
	int length = write_record_data(p, rr, data);
	uint16_t type = (uint16_t)ldns_rr_get_type(rr);
	struct image_fixed_names how = image_fixed_names(type);
	size_t at = 0;
	const char *reason;
	uint32_t name;

	if (length < 0)
		return;
	reason = zone_words_misfit(type, head->data, ldns_rr_rd_count(rr), data, (size_t)length);
	if (reason) {
		REFUSE(p, "%.40s record: %s", head->type, reason);
		return;
	}
	name = intern_data_name(p, ldns_rdf_data(owner), ldns_rdf_size(owner), &at);
	if (name == BUILD_NONE)
		return;
	if (how.n)
		length = store_names(p, how, data, (size_t)length);
	if (length >= 0)
		add_parsed_record(p, type, head->ttl_s, data, (size_t)length);
}

/* The bytes of a name that dns/zone/data.c read, with the root's; 0: too long. */
static size_t full_name_length(const struct parse *p, const struct zone_data_name *name)
{
	uint32_t above = name->relative ? p->origin_names[p->line.depth] : BUILD_ROOT;
	size_t n = name->n + (size_t)build_name_at(p->b, above)->wire_length;

	return n > NAME_WIRE_MAX ? 0 : n;
}

static uint32_t intern_plain(struct parse *p, const struct zone_data_name *name)
{
	uint32_t above = name->relative ? p->origin_names[p->line.depth] : BUILD_ROOT;

	return build_intern_below(p->b, above, name->labels, name->n);
}

/* Put the data together as it is stored. @return its length; undefined when out of memory */
static size_t store_plain(struct parse *p, bool named, uint8_t *out)
{
	const struct zone_data *d = &p->data;
	size_t n = d->before;

	memcpy(out, d->bytes, n);
	for (unsigned i = 0; i < d->n_names; i++) {
		const struct zone_data_name *name = &d->names[i];

		if (named) {
			uint32_t index = intern_plain(p, name);

			memcpy(out + n, &index, 4);
			n += 4;
			continue;
		}
		memcpy(out + n, name->labels, name->n);
		n += name->n;
		if (name->relative)
			n += build_name_wire(p->b, p->origin_names[p->line.depth], out + n);
		else
			out[n++] = 0;
	}
	memcpy(out + n, d->bytes + d->before, (size_t)(d->n - d->before));
	return n + d->n - d->before;
}

/* Store a plain record of a common type. @return false: it is left to ldns */
static bool store_plain_record(struct parse *p, const struct record_head *head)
{
	uint8_t data[ZONE_DATA_BYTES_MAX + 2 * NAME_WIRE_MAX];
	uint16_t type = p->b->in->by_ldns ? 0 : head->plain;
	struct zone_data_name owner;

	if (!type || (!head->owner && p->owner == BUILD_NONE) ||
	    !zone_data_read(type, head->data, &p->data) ||
	    (head->owner &&
	     (!zone_data_read_name(head->owner, &owner) || !full_name_length(p, &owner))))
		return false;
	for (unsigned i = 0; i < p->data.n_names; i++)
		if (!full_name_length(p, &p->data.names[i]))
			return false;

	uint32_t name = head->owner ? intern_plain(p, &owner) : p->owner;
	size_t length = 0;

	if (name == BUILD_NONE)
		return true;
	p->owner = name;
	if (build_is_under(p->b, build_name_at(p->b, name)->fold, p->apex))
		length = store_plain(p, image_fixed_names(type).n > 0, data);
	if (!p->b->no_memory)
		add_parsed_record(p, type, head->ttl_s, data, length);
	return true;
}

static void set_origin(struct parse *p, unsigned depth, ldns_rdf *given)
{
	ldns_rdf_deep_free(p->origins[depth]);
	p->origins[depth] = given;
	p->origin_names[depth] = build_intern(p->b, ldns_rdf_data(given));
}

/* Read a domain name of a directive, below the present origin if it has no final dot. */
static ldns_rdf *read_directive_name(struct parse *p, const char *word)
{
	ldns_rdf *name = NULL;
	const ldns_rdf *origin = p->origins[p->line.depth];

	if (word && strcmp(word, "@") == 0)
		return ldns_rdf_clone(origin);
	if (word && *word != '"')
		name = ldns_dname_new_frm_str(word);
	if (name && !ldns_dname_str_absolute(word) &&
	    ldns_dname_cat(name, origin) != LDNS_STATUS_OK) {
		ldns_rdf_deep_free(name);
		name = NULL;
	}
	if (name && !is_well_formed(name)) {
		ldns_rdf_deep_free(name);
		name = NULL;
	}
	if (!name)
		REFUSE(p, "%.200s is not a domain name", word ? word : "nothing");
	return name;
}

/* Kept by depth: behind an include the present origin is in force again (RFC 1035, section 5.1). */
static void follow_include(struct parse *p, char **at)
{
	char *path = zone_word_next(at), *origin = zone_word_next(at);
	const char *reason = NULL;
	ldns_rdf *name =
	        origin ? read_directive_name(p, origin) : ldns_rdf_clone(p->origins[p->line.depth]);

	if (!name)
		return;
	if (path)
		path = zone_word_unquote(path);
	p->b->has_includes = true;
	int err = path ? zone_text_include(p->text, path, &reason) : -EINVAL;

	if (err < 0) {
		REFUSE_FOR(p, err, "include %.200s: %s", path ? path : "",
		           path ? reason : "no file named");
		ldns_rdf_deep_free(name);
		return;
	}
	set_origin(p, p->line.depth + 1, name);
}

static void set_default_ttl(struct parse *p, char **at)
{
	const char *word = zone_word_next(at);

	if (!word || zone_word_ttl(word, &p->ttl_s) < 0)
		REFUSE(p, "$TTL %.40s: expected a number of seconds up to %d", word ? word : "",
		       ZONE_TTL_MAX);
	p->ttl_set = true;
}

/* ldns does not see directives: what follows them decides how later lines are composed for it. */
static void follow_directive_line(struct parse *p)
{
	char *at = p->line.text;
	const char *what = zone_word_next(&at), *more;

	if (strcasecmp(what, "$TTL") == 0) {
		set_default_ttl(p, &at);
	} else if (strcasecmp(what, "$ORIGIN") == 0) {
		ldns_rdf *name = read_directive_name(p, zone_word_next(&at));

		if (name)
			set_origin(p, p->line.depth, name);
	} else if (strcasecmp(what, "$INCLUDE") == 0) {
		follow_include(p, &at);
	} else {
		REFUSE(p, "%.40s: expected $TTL, $ORIGIN or $INCLUDE", what);
		return;
	}
	if ((more = zone_word_next(&at)))
		REFUSE(p, "%.40s: unexpected %.40s at the end", what, more);
}

static void parse_one_record(struct parse *p)
{
	struct record_head head;

	if (!parse_head(p, &head) || store_plain_record(p, &head))
		return;

	ldns_rr *rr = parse_record(p, &head);

	if (rr)
		store_ldns_record(p, rr, &head);
	ldns_rr_free(rr);
}

static void read_lines(struct parse *p)
{
	const char *reason = NULL;
	int got;

	while ((got = zone_text_next(p->text, &p->line, &reason)) > 0 &&
	       !build_is_hopeless(p->b, p->zone)) {
		p->file = build_file(p->b, p->line.file);
		if (p->b->no_memory)
			return;
		if (p->line.text[0] == '$') {
			follow_directive_line(p);
			continue;
		}
		parse_one_record(p);
	}
	if (got < 0)
		REFUSE_FOR(p, got, "%s", reason);
}

/* Records before the first TTL get the SOA's minimum (RFC 2308, section 4, explains the field). */
static void fill_ttls(struct parse *p)
{
	uint32_t minimum = 0;

	for (size_t i = p->first; i < p->b->records.n; i++) {
		const struct build_record *r = build_record_at(p->b, (uint32_t)i);

		if (r->type == DNS_SOA)
			minimum = wire_load32(build_bytes_at(p->b, r->data) + 8 + 16);
	}
	for (size_t i = p->first; i < p->b->records.n; i++) {
		struct build_record *r = build_record_at(p->b, (uint32_t)i);

		if (r->ttl_s == TTL_NONE)
			r->ttl_s = minimum;
	}
}

void zone_parse(struct build *b, uint16_t number)
{
	const struct zone_source *source = &b->in->zones[number];
	struct parse p = { .b = b,
		           .zone = number,
		           .owner = BUILD_NONE,
		           .ttl_s = TTL_NONE,
		           .first = b->records.n };
	const char *reason = NULL;
	struct name apex;
	int err = 0;

	if (name_parse(source->name, &apex) == 0)
		p.apex = build_intern(b, apex.lower);
	p.origins[0] = ldns_dname_new_frm_str(source->name);
	if (p.origins[0])
		p.origin_names[0] = build_intern(b, ldns_rdf_data(p.origins[0]));
	p.composed = malloc(COMPOSED_MAX);
	if (p.origins[0] && p.composed)
		err = zone_text_open(source->file, &p.text, &reason);
	if (!p.origins[0] || !p.composed || err == -ENOMEM)
		b->no_memory = true;
	else if (err < 0)
		build_say(b, ZONES_ERROR, &(struct build_location){ number, source->file, 0, err },
		          "zone %.200s: %s", source->name, reason);
	else
		read_lines(&p);
	if (p.text && !b->no_memory)
		build_note_read(b, p.text);
	if (p.ttl_open && !b->no_memory)
		fill_ttls(&p);
	zone_text_close(p.text);
	for (unsigned i = 0; i <= ZONE_INCLUDE_DEPTH; i++)
		ldns_rdf_deep_free(p.origins[i]);
	free(p.composed);
}
