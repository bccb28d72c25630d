/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The compiler's workbench, which the stages of zone_compile() share: names and records as they are
 * read (dns/zone/parse.c), nodes and their errors (dns/zone/check.c), the image's bytes (dns/zone/layout.c).
 * Objects refer to each other by index, since arrays move when they grow.
 *
 * build_*() is implemented in dns/zone/build.c, which calls no stage; zone_X() in dns/zone/X.c, called by
 * dns/zone/compile.c only. Internal to the compiler; only its thread.
 */
#ifndef WEIR_DNS_ZONE_BUILD_H
#define WEIR_DNS_ZONE_BUILD_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "dns/zone/name.h"
#include "dns/zone/zone.h"

#define BUILD_NONE UINT32_MAX /**< no index */
#define BUILD_ROOT 0u         /**< the root's name */

/** A growable array; `items` moves when it grows. */
struct build_array {
	void *items;
	size_t n, room, each;
};

/**
 * Room for @p n more, zeroed and counted. @return the first's index, or BUILD_NONE when out of
 * memory
 */
uint32_t build_grow(struct build_array *a, size_t n) MUST_CHECK NONNULL();

struct build_name {
	uint64_t hash; /**< as name_hash_label() makes it */
	uint32_t parent, fold;
	uint32_t label; /**< in labels */
	uint32_t node;  /**< of this lower-case name, in the zone that has it; else BUILD_NONE */
	uint32_t above_node; /**< at an apex: the parent zone's */
	uint32_t off;        /**< in the image */
	uint16_t apex_of;    /**< 1 + number of the zone with this apex; 0: none */
	uint8_t n_labels;
	uint8_t wire_length;
};

struct build_record {
	uint32_t owner;             /**< a lower-case name */
	uint32_t data, data_length; /**< in bytes; compressible names as 32-bit indices */
	uint32_t ttl_s;
	uint32_t line;
	uint32_t file;
	uint16_t type;
	uint16_t zone;
};

/** A zone while it is compiled. */
struct build_zone {
	uint32_t n_errors;
	uint32_t state; /**< bits of enum image_zone_state */
};

struct build_node {
	uint32_t name;
	uint32_t first, n;       /**< its records, sorted by type */
	uint32_t cut;            /**< node of the delegation at or above; BUILD_NONE: none */
	uint32_t wildcard;       /**< child node "*"; BUILD_NONE: none */
	uint32_t dynamic;        /**< as in image_extra */
	uint32_t off, extra_off; /**< in the image */
	uint16_t zone;
	bool is_above; /**< the parent zone's node at a child zone's apex, beside the child's own */
	bool cut_known;
};

/** An entry of the hash table of names. */
struct build_name_entry {
	uint32_t tag;  /**< of the hash */
	uint32_t name; /**< BUILD_NONE: free */
};

struct build {
	const struct zone_input *in;
	zones_report *report;
	void *report_arg;
	size_t n_errors;
	size_t n_global; /**< errors that concern no zone */
	bool quiet;      /**< an earlier pass has reported the warnings */
	bool no_memory;
	bool has_includes;
	uint64_t digest; /**< of all that was read so far (dns/zone/sources.h) */

	struct build_array names;   /**< build_name */
	struct build_array labels;  /**< bytes */
	struct build_array records; /**< build_record */
	struct build_array bytes;   /**< record data */
	struct build_array nodes;   /**< build_node */
	struct build_array files;   /**< char *, given */
	/** Bytes: for each zone the names of the files that it included, and an empty one. */
	struct build_array included;
	struct build_zone *zones;       /**< borrowed; as many as in->n_zones */
	struct build_name_entry *table; /**< names by (parent, label) */
	size_t table_size;
};

static inline struct build_name *build_name_at(const struct build *b, uint32_t i)
{
	return (struct build_name *)b->names.items + i;
}
static inline struct build_record *build_record_at(const struct build *b, uint32_t i)
{
	return (struct build_record *)b->records.items + i;
}
static inline struct build_node *build_node_at(const struct build *b, uint32_t i)
{
	return (struct build_node *)b->nodes.items + i;
}
static inline uint8_t *build_bytes_at(const struct build *b, uint32_t i)
{
	return (uint8_t *)b->bytes.items + i;
}
static inline const uint8_t *build_label(const struct build *b, const struct build_name *n)
{
	return (const uint8_t *)b->labels.items + n->label;
}

/** Prepare @p b. @return 0 or -ENOMEM */
int build_init(struct build *b, const struct zone_input *in, struct build_zone *zones,
               zones_report *report, void *arg) MUST_CHECK NONNULL(1, 2, 3, 4);
void build_fini(struct build *b) NONNULL();

/**
 * Note the zones' apexes. All must be known before any record is read: they decide which zone has
 * a name. Names that are bad or there twice are reported.
 */
void build_add_apexes(struct build *b) NONNULL();

struct zone_text;
/** Note what the next zone was read from. After an error nobody asks. */
void build_note_read(struct build *b, const struct zone_text *text) NONNULL();

/** What a message concerns; zone BUILD_NONE: no zone. */
struct build_location {
	uint32_t zone;
	const char *file;
	unsigned line;
	int error; /**< as in struct zones_message */
};
/** Report a message, as printf; an error is counted for its zone. */
void build_say(struct build *b, enum zones_level level, const struct build_location *at,
               const char *format, ...) __attribute__((format(printf, 4, 5)));
/** The same about a record. */
#define BUILD_SAY_OF(b, r, level, ...)                                                             \
	build_say((b), (level),                                                                    \
	          &(struct build_location){ (r)->zone, ((char **)(b)->files.items)[(r)->file],     \
	                                    (r)->line, 0 },                                        \
	          __VA_ARGS__)
/** Whether reading zone @p number makes no sense any more. */
static inline bool build_is_hopeless(const struct build *b, uint32_t number)
{
	return b->no_memory || b->zones[number].n_errors >= ZONE_ERRORS_MAX;
}
/** Note a file that records come from. @return its number, or BUILD_NONE when out of memory */
uint32_t build_file(struct build *b, const char *name) MUST_CHECK NONNULL();
/** Add a record with a copy of its data. Too many records are an error of this one's zone. */
void build_add(struct build *b, const struct build_record *r, const uint8_t *data) NONNULL();

/**
 * The index of an uncompressed, well-formed name; the same for the same bytes. @return BUILD_NONE
 * when out of memory
 */
uint32_t build_intern(struct build *b, const uint8_t *wire) MUST_CHECK NONNULL();
/**
 * The same for @p n bytes of labels below the name @p above; the whole is at most NAME_WIRE_MAX
 * long.
 */
uint32_t build_intern_below(struct build *b, uint32_t above, const uint8_t *labels,
                            size_t n) MUST_CHECK NONNULL(1, 3);
/** Write a name out, uncompressed. @return its length */
size_t build_name_wire(const struct build *b, uint32_t name, uint8_t out[NAME_WIRE_MAX]) NONNULL();
/** The deepest zone at or above the lower-case @p name, as 1 + number; 0: none. */
uint16_t build_zone_of(const struct build *b, uint32_t name) NONNULL();
/** Whether lower-case @p name is @p above or lies below it. */
bool build_is_under(const struct build *b, uint32_t name, uint32_t above) NONNULL();
/** Write a name as text. @return @p text */
const char *build_name_text(const struct build *b, uint32_t name, char text[NAME_TEXT_MAX])
        NONNULL();
/** The node's records of @p type. @return how many, the first in @p first */
uint32_t build_rrset(const struct build *b, const struct build_node *node, uint16_t type,
                     uint32_t *first) NONNULL();

/**
 * The node that zone @p zone has for lower-case @p name, made if it is missing. At or below a deeper zone's apex it is
 * the second node at the apex of the highest such zone: all names down to there exist in this zone.
 * @return its index, or BUILD_NONE when out of memory
 */
uint32_t build_need_node(struct build *b, uint32_t name, uint16_t zone) NONNULL();

/** Read zone @p number's file into names and records; errors are reported. */
void zone_parse(struct build *b, uint16_t number) NONNULL();
/** The nodes of the earlier image, listed by zone once one is lifted: first[z - 1] (0 for the first) to first[z]. */
struct zone_lifted {
	uint32_t *first; /**< NULL: not listed yet */
	uint32_t *nodes; /**< offsets; bit 0: build_node.is_above */
};
void zone_lifted_free(struct zone_lifted *x) NONNULL();
/** Copy zone @p number from the earlier image. @return whether the image has it */
bool zone_lift(struct build *b, uint16_t number) MUST_CHECK NONNULL();
/** Make nodes of the records; report records that contradict each other. */
void zone_check(struct build *b) NONNULL();
/**
 * Warn of what is allowed but does not work: aliases as servers, missing glue. After
 * zone_check().
 */
void zone_lint(struct build *b) NONNULL();
/** Lay the image out. @return 0 or -ENOMEM, -E2BIG after a report */
int zone_layout(struct build *b, struct image **out) MUST_CHECK NONNULL();

#endif
