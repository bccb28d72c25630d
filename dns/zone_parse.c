/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of a master file, one at a time, through ldns: it knows the text of every type.
 * What it gets wrong is done here before it sees the line: numbers that it would wrap
 * without a word, class before TTL, directives, and includes.
 */
#include "dns/zone_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ldns/ldns.h>

#include "dns/image.h"
#include "dns/wire.h"
#include "dns/zone_text.h"

#define TTL_MAX  INT32_MAX /* RFC 2181, section 8 */
#define TTL_NONE UINT32_MAX
#define MADE_MAX (ZONE_RECORD_TEXT_MAX + 64)

struct parse {
	struct build *b;
	uint16_t zone;
	uint32_t apex; /* name */
	struct zone_text *text;
	struct zone_text_line line;
	ldns_rdf *origins[ZONE_INCLUDE_DEPTH + 1]; /* by depth */
	ldns_rdf *last_owner;
	uint32_t ttl_s; /* $TTL, or the last one seen */
	bool ttl_set;   /* by $TTL */
	uint16_t file;  /* number of line.file */
	char *made;     /* the line as ldns shall see it */
};

#define MISTAKE(p, ...) build_mistake((p)->b, (p)->line.file, (p)->line.line, __VA_ARGS__)

/* Cut the next word off @p text; quoted blanks do not end it. @return NULL at the end */
static char *next_word(char **text)
{
	char *from = *text + strspn(*text, " "), *at = from;
	bool quoted = false;

	for (; *at && (quoted || *at != ' '); at++) {
		if (*at == '\\' && at[1])
			at++;
		else if (*at == '"')
			quoted = !quoted;
	}
	*text = *at ? at + 1 : at;
	*at = '\0';
	return at == from ? NULL : from;
}

/* Read "3600" or "1h30m". @return 0, -EINVAL when it is neither, -ERANGE */
static int parse_ttl(const char *word, uint32_t *out)
{
	uint64_t total = 0, number = 0;
	bool digits = false, units = false;

	for (; *word; word++) {
		static const char units_of[] = "smhdw";
		static const uint32_t seconds[] = { 1, 60, 3600, 86400, 604800 };
		const char *unit = strchr(units_of, *word | 0x20);

		if (*word >= '0' && *word <= '9') {
			number = number * 10 + (uint64_t)(*word - '0');
			digits = true;
		} else if (digits && unit) {
			total += number * seconds[unit - units_of];
			number = 0;
			digits = false;
			units = true;
		} else {
			return -EINVAL;
		}
		if (number > TTL_MAX || total > TTL_MAX)
			return -ERANGE;
	}
	if (!digits && !units)
		return -EINVAL;
	total += number;
	*out = (uint32_t)total;
	return total > TTL_MAX ? -ERANGE : 0;
}

/* Numbers in text that ldns would wrap: place behind the type, and the largest value. */
static const struct number {
	uint16_t type;
	uint8_t place;
	uint32_t max;
} numbers[] = {
	{ LDNS_RR_TYPE_MX, 0, UINT16_MAX },         { LDNS_RR_TYPE_SRV, 0, UINT16_MAX },
	{ LDNS_RR_TYPE_SRV, 1, UINT16_MAX },        { LDNS_RR_TYPE_SRV, 2, UINT16_MAX },
	{ LDNS_RR_TYPE_SOA, 2, UINT32_MAX },        { LDNS_RR_TYPE_SOA, 3, TTL_MAX },
	{ LDNS_RR_TYPE_SOA, 4, TTL_MAX },           { LDNS_RR_TYPE_SOA, 5, TTL_MAX },
	{ LDNS_RR_TYPE_SOA, 6, TTL_MAX },           { LDNS_RR_TYPE_CAA, 0, UINT8_MAX },
	{ LDNS_RR_TYPE_DS, 0, UINT16_MAX },         { LDNS_RR_TYPE_DS, 2, UINT8_MAX },
	{ LDNS_RR_TYPE_CDS, 0, UINT16_MAX },        { LDNS_RR_TYPE_CDS, 2, UINT8_MAX },
	{ LDNS_RR_TYPE_DNSKEY, 0, UINT16_MAX },     { LDNS_RR_TYPE_DNSKEY, 1, UINT8_MAX },
	{ LDNS_RR_TYPE_CDNSKEY, 0, UINT16_MAX },    { LDNS_RR_TYPE_CDNSKEY, 1, UINT8_MAX },
	{ LDNS_RR_TYPE_TLSA, 0, UINT8_MAX },        { LDNS_RR_TYPE_TLSA, 1, UINT8_MAX },
	{ LDNS_RR_TYPE_TLSA, 2, UINT8_MAX },        { LDNS_RR_TYPE_SMIMEA, 0, UINT8_MAX },
	{ LDNS_RR_TYPE_SMIMEA, 1, UINT8_MAX },      { LDNS_RR_TYPE_SMIMEA, 2, UINT8_MAX },
	{ LDNS_RR_TYPE_SSHFP, 0, UINT8_MAX },       { LDNS_RR_TYPE_SSHFP, 1, UINT8_MAX },
	{ LDNS_RR_TYPE_NAPTR, 0, UINT16_MAX },      { LDNS_RR_TYPE_NAPTR, 1, UINT16_MAX },
	{ LDNS_RR_TYPE_URI, 0, UINT16_MAX },        { LDNS_RR_TYPE_URI, 1, UINT16_MAX },
	{ LDNS_RR_TYPE_AFSDB, 0, UINT16_MAX },      { LDNS_RR_TYPE_KX, 0, UINT16_MAX },
	{ LDNS_RR_TYPE_RT, 0, UINT16_MAX },         { LDNS_RR_TYPE_SVCB, 0, UINT16_MAX },
	{ LDNS_RR_TYPE_HTTPS, 0, UINT16_MAX },      { LDNS_RR_TYPE_CERT, 1, UINT16_MAX },
	{ LDNS_RR_TYPE_NSEC3PARAM, 0, UINT8_MAX },  { LDNS_RR_TYPE_NSEC3PARAM, 1, UINT8_MAX },
	{ LDNS_RR_TYPE_NSEC3PARAM, 2, UINT16_MAX }, { LDNS_RR_TYPE_RRSIG, 2, UINT8_MAX },
};

static uint32_t largest(unsigned type, unsigned place)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].type == type && numbers[i].place == place)
			return numbers[i].max;
	return 0;
}

/* Whether a number stands in @p word that is over @p max; units of time only where they can be meant. */
static bool is_over(const char *word, uint32_t max)
{
	uint32_t period;
	uint64_t value = 0;

	if (*word == '-')
		return true;
	if (max == TTL_MAX && parse_ttl(word, &period) == -ERANGE)
		return true;
	for (; *word >= '0' && *word <= '9'; word++) {
		value = value * 10 + (uint64_t)(*word - '0');
		if (value > max)
			return true;
	}
	return false;
}

/* Whether all numbers of the data fit their fields. @p data is cut into words and mended again. */
static bool numbers_fit(struct parse *p, unsigned type, char *data)
{
	bool svcb = type == LDNS_RR_TYPE_SVCB || type == LDNS_RR_TYPE_HTTPS;
	char *at = data, *word;

	for (unsigned place = 0; (word = next_word(&at)); place++) {
		uint32_t max = largest(type, place);

		if (place == 0 && strcmp(word, "\\#") == 0)
			max = UINT16_MAX;
		if (svcb && strncmp(word, "port=", 5) == 0) {
			word += 5;
			max = UINT16_MAX;
		}
		if (max && is_over(word, max)) {
			MISTAKE(p, "%.40s is too large here: at most %u", word, max);
			return false;
		}
		if (at[-1] == '\0')
			at[-1] = ' ';
	}
	return true;
}

/* A word behind the owner: a TTL, a class, or neither. @return 0 when it was one, 1 when not, -EINVAL */
static int take_ttl_or_class(struct parse *p, const char *word, uint32_t *ttl_s)
{
	static const char *const others[] = { "CH", "CHAOS", "HS", "HESIOD", "CS", "ANY", "NONE" };
	int err;

	if (strcasecmp(word, "IN") == 0 || strcasecmp(word, "CLASS1") == 0)
		return 0;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcasecmp(word, others[i]) != 0)
			continue;
		MISTAKE(p, "class %s: only IN is served", others[i]);
		return -EINVAL;
	}
	if (strncasecmp(word, "CLASS", 5) == 0) {
		MISTAKE(p, "%.40s: only IN is served", word);
		return -EINVAL;
	}
	if (*word < '0' || *word > '9')
		return 1;
	err = parse_ttl(word, ttl_s);
	if (err < 0) {
		MISTAKE(p, err == -ERANGE ? "TTL %.40s is over %d" : "%.40s is not a TTL", word,
		        TTL_MAX);
		return -EINVAL;
	}
	return 0;
}

/* Read owner, TTL and class; find type and data. @return whether it went well */
static bool parse_head(struct parse *p, char **owner, uint32_t *ttl_out, char **type, char **data)
{
	char *at = p->line.text, *word = NULL;
	uint32_t ttl_s = TTL_NONE;
	int more = 0;

	*owner = p->line.indented ? NULL : next_word(&at);
	while (more == 0 && (word = next_word(&at)))
		more = take_ttl_or_class(p, word, &ttl_s);
	if (more < 0)
		return false;
	if (more == 0) {
		MISTAKE(p, "no type: expected OWNER [TTL] [CLASS] TYPE DATA");
		return false;
	}
	*type = word;
	*data = at;
	if (ttl_s != TTL_NONE && !p->ttl_set)
		p->ttl_s = ttl_s;
	if (ttl_s == TTL_NONE)
		ttl_s = p->ttl_s;
	if (ttl_s == TTL_NONE) {
		MISTAKE(p, "no TTL: write it here, or $TTL above");
		return false;
	}
	*ttl_out = ttl_s;
	return true;
}

/* Turn the line into a record. @return NULL after a report */
static ldns_rr *parse_record(struct parse *p)
{
	char *owner, *type, *data;
	uint32_t ttl_s;
	unsigned number;
	ldns_rr *rr = NULL;
	ldns_status status;

	if (!parse_head(p, &owner, &ttl_s, &type, &data))
		return NULL;
	number = ldns_get_rr_type_by_name(type);
	if (number == 0 || number == DNS_OPT || (number >= DNS_META_FIRST && number <= DNS_ANY)) {
		MISTAKE(p, "%.40s is not a type that a zone can hold", type);
		return NULL;
	}
	if (!numbers_fit(p, number, data))
		return NULL;
	if (!owner && !p->last_owner) {
		MISTAKE(p, "no owner: the first record must name one");
		return NULL;
	}
	snprintf(p->made, MADE_MAX, "%s %u IN %s %s", owner ? owner : "", ttl_s, type, data);
	status = ldns_rr_new_frm_str(&rr, p->made, 0, p->origins[p->line.depth], &p->last_owner);
	if (status != LDNS_STATUS_OK) {
		MISTAKE(p, "%.40s record: %s", type, ldns_get_errorstr_by_id(status));
		return NULL;
	}
	return rr;
}

/* The record's data in wire form. @return its length, or -EINVAL after a report */
static int record_data(struct parse *p, const ldns_rr *rr, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *field = ldns_rr_rdf(rr, i);
		size_t size = ldns_rdf_size(field);

		if (n + size > UINT16_MAX) {
			MISTAKE(p, "record over 65,535 bytes");
			return -EINVAL;
		}
		if (size)
			memcpy(out + n, ldns_rdf_data(field), size);
		n += size;
	}
	return (int)n;
}

/* Intern the name at @p *at of the data, and step behind it. */
static uint32_t data_name(struct parse *p, const uint8_t *data, size_t length, size_t *at)
{
	struct wire_reader r = { .start = data, .length = length, .at = *at };
	struct name name;

	if (!name_read(&r, &name)) {
		MISTAKE(p, "a name in the data is not well-formed");
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
		uint32_t name = data_name(p, data, length, &at);

		if (name == BUILD_NONE)
			return -EINVAL;
		memcpy(out + n, &name, 4);
	}
	if (length - at > sizeof(out) - n) {
		MISTAKE(p, "the data is longer than its type allows");
		return -EINVAL;
	}
	memcpy(out + n, data + at, length - at);
	n += length - at;
	memcpy(data, out, n);
	return (int)n;
}

static void add_record(struct parse *p, uint32_t owner, const ldns_rr *rr, const uint8_t *data,
                       size_t length)
{
	uint32_t at = build_grow(&p->b->bytes, length);
	uint32_t i = build_grow(&p->b->records, 1);

	if (at == BUILD_NONE || i == BUILD_NONE) {
		p->b->no_memory = true;
		return;
	}
	memcpy(build_bytes_at(p->b, at), data, length);
	*build_record_at(p->b, i) = (struct build_record){
		.owner = build_name_at(p->b, owner)->fold,
		.data = at,
		.data_length = (uint32_t)length,
		.ttl_s = ldns_rr_ttl(rr),
		.line = p->line.line,
		.type = (uint16_t)ldns_rr_get_type(rr),
		.zone = p->zone,
		.file = p->file,
	};
}

static void take_record(struct parse *p, const ldns_rr *rr)
{
	static _Thread_local uint8_t data[UINT16_MAX + 1];
	const ldns_rdf *owner = ldns_rr_owner(rr);
	int length = record_data(p, rr, data);
	struct image_fixed_names how = image_fixed_names((uint16_t)ldns_rr_get_type(rr));
	char text[NAME_TEXT_MAX], zone[NAME_TEXT_MAX];
	size_t at = 0;
	uint32_t name;

	if (length < 0)
		return;
	name = data_name(p, ldns_rdf_data(owner), ldns_rdf_size(owner), &at);
	if (name == BUILD_NONE)
		return;
	if (!build_is_under(p->b, build_name_at(p->b, name)->fold, p->apex)) {
		MISTAKE(p, "%.300s lies outside the zone %.300s", build_name_text(p->b, name, text),
		        build_name_text(p->b, p->apex, zone));
		return;
	}
	if (how.n)
		length = store_names(p, how, data, (size_t)length);
	if (length < 0)
		return;
	if (p->b->records.n == ZONE_RECORDS_MAX) {
		MISTAKE(p, "more than %u records", ZONE_RECORDS_MAX);
		p->b->no_memory = true;
		return;
	}
	add_record(p, name, rr, data, (size_t)length);
}

/* Keep the name of the present file for later reports. */
static void note_file(struct parse *p)
{
	char **files = p->b->files.items;

	if (p->b->files.n && strcmp(files[p->b->files.n - 1], p->line.file) == 0)
		return;

	uint32_t i = build_grow(&p->b->files, 1);
	char *copy = i < UINT16_MAX ? strdup(p->line.file) : NULL;

	if (!copy) {
		p->b->no_memory = true;
		return;
	}
	((char **)p->b->files.items)[i] = copy;
	p->file = (uint16_t)i;
}

static void set_origin(struct parse *p, unsigned depth, ldns_rdf *given)
{
	ldns_rdf_deep_free(p->origins[depth]);
	p->origins[depth] = given;
}

/* Read a domain name of a directive, below the present origin if it has no final dot. */
static ldns_rdf *directive_name(struct parse *p, const char *word)
{
	ldns_rdf *name = NULL;
	const ldns_rdf *origin = p->origins[p->line.depth];

	if (word && strcmp(word, "@") == 0)
		return ldns_rdf_clone(origin);
	if (word)
		name = ldns_dname_new_frm_str(word);
	if (name && !ldns_dname_str_absolute(word) &&
	    ldns_dname_cat(name, origin) != LDNS_STATUS_OK) {
		ldns_rdf_deep_free(name);
		name = NULL;
	}
	if (!name)
		MISTAKE(p, "%.200s is not a domain name", word ? word : "nothing");
	return name;
}

static void do_include(struct parse *p, char *at)
{
	char *path = next_word(&at), *origin = next_word(&at);
	const char *why = NULL;
	size_t length = path ? strlen(path) : 0;
	ldns_rdf *name =
	        origin ? directive_name(p, origin) : ldns_rdf_clone(p->origins[p->line.depth]);

	if (length > 1 && path[0] == '"' && path[length - 1] == '"') {
		path[length - 1] = '\0';
		path++;
	}
	if (!name)
		return;
	p->b->has_includes = true;
	if (!path || zone_text_include(p->text, path, &why) < 0) {
		MISTAKE(p, "include %.200s: %s", path ? path : "", path ? why : "no file named");
		ldns_rdf_deep_free(name);
		return;
	}
	set_origin(p, p->line.depth + 1, name);
}

static void do_ttl(struct parse *p, char *at)
{
	const char *word = next_word(&at);

	if (!word || parse_ttl(word, &p->ttl_s) < 0)
		MISTAKE(p, "$TTL %.40s: expected a number of seconds up to %d", word ? word : "",
		        TTL_MAX);
	p->ttl_set = true;
}

static void do_directive(struct parse *p)
{
	char *at = p->line.text;
	const char *what = next_word(&at);

	if (strcasecmp(what, "$TTL") == 0) {
		do_ttl(p, at);
	} else if (strcasecmp(what, "$ORIGIN") == 0) {
		ldns_rdf *name = directive_name(p, next_word(&at));

		if (name)
			set_origin(p, p->line.depth, name);
	} else if (strcasecmp(what, "$INCLUDE") == 0) {
		do_include(p, at);
	} else {
		MISTAKE(p, "%.40s: expected $TTL, $ORIGIN or $INCLUDE", what);
	}
}

static void read_lines(struct parse *p)
{
	const char *why = NULL;
	int got;

	while ((got = zone_text_next(p->text, &p->line, &why)) > 0 && !p->b->no_memory &&
	       p->b->n_mistakes < ZONE_MISTAKES_MAX) {
		note_file(p);
		if (p->line.text[0] == '$') {
			do_directive(p);
			continue;
		}
		ldns_rr *rr = parse_record(p);

		if (rr)
			take_record(p, rr);
		ldns_rr_free(rr);
	}
	if (got < 0)
		MISTAKE(p, "%s", why);
}

void zone_parse(struct build *b, uint16_t number)
{
	const struct zone_source *source = &b->in->zones[number];
	struct parse p = { .b = b, .zone = number, .ttl_s = TTL_NONE };
	const char *why = NULL;
	struct name apex;

	if (name_parse(source->name, &apex) == 0)
		p.apex = build_intern(b, apex.lower);
	p.origins[0] = ldns_dname_new_frm_str(source->name);
	p.made = malloc(MADE_MAX);
	if (!p.origins[0] || !p.made)
		b->no_memory = true;
	else if (zone_text_open(source->file, &p.text, &why) < 0)
		build_mistake(b, source->file, 0, "zone %.200s: %s", source->name, why);
	else
		read_lines(&p);
	zone_text_close(p.text);
	for (unsigned i = 0; i <= ZONE_INCLUDE_DEPTH; i++)
		ldns_rdf_deep_free(p.origins[i]);
	ldns_rdf_deep_free(p.last_owner);
	free(p.made);
}
