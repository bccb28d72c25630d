/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * A record as a table of its fields: one row has a field's name, kind, place and limits. What writes and
 * what reads go through the same rows, so they cannot differ.
 *
 * A record is a struct without pointers. As JSON it is an object in the order of its rows, and what is empty is
 * left out: 0, false, "", an empty list, an empty record, a value that is not known. What is missing is read as
 * empty, unless the row says that it is always there. Names without a row are ignored.
 *
 * A record is also shown to people, by the same rows: those that have a name for it, under that name. Then all of
 * them are there, a value that is not known is null, and an instant is a text.
 *
 * A struct that is only shown, never read, may have pointers: texts that others keep, lists and records elsewhere.
 * Its rows are SHOW(), which takes a member's kind from its type. What is computed from it has a row, too: SHOW_COMPUTED().
 *
 * Which to choose:
 * - A struct that is made to be shown: RECORD_SHOWN(), and RECORD_ANSWER() if other files name its kind. SHOWN() shows one.
 * - Any other struct: RECORD_OF() with a row of each member, RECORD_TEXT() and so on where it is read, too, else SHOW()
 *   and so on.
 * - A record in it: SHOW() with .of, also behind a pointer (.behind). SHOW_ROWS() shows its rows as the struct's own,
 *   SHOW_GROUP() some rows of the struct as a record.
 * - A list of records: SHOW_RECORDS(), or .each where the list is JSON; of anything else: SHOW_LIST(), or .element.
 * - It may be unknown, and is null then: SHOW_KNOWN(), SHOW_VALUE(), struct shown_number. It is left out where it is
 *   empty, NULL or unknown: .spare. It is left out where something else says so: ONLY_IF().
 *
 * Implemented in record/fields.c; record_schema() in record/schema.c. Pure: any thread.
 */
#ifndef WEIR_RECORD_FIELDS_H
#define WEIR_RECORD_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"

#define RECORD_ERROR_MAX 192u /**< bytes of what is wrong with a record, with the NUL */

enum field_kind {
	FIELD_TEXT, /**< char[size] */
	FIELD_BOOL, /**< bool */
	FIELD_U8,   /**< uint8_t; only shown, as are the next two */
	FIELD_U16,  /**< uint16_t */
	FIELD_INT,  /**< int */
	FIELD_U32,  /**< uint32_t */
	FIELD_U64,  /**< uint64_t up to INT64_MAX, which is all that JSON's readers have */
	FIELD_I64,  /**< int64_t */
	FIELD_TIME, /**< int64_t, ms of the wall clock; shown: RFC 3339, or null for one that is none */
	FIELD_HEX,    /**< uint64_t of which each bit counts, as 16 digits */
	FIELD_WORD,   /**< an enum, as its word; always written */
	FIELD_PREFIX, /**< struct prefix, as text; all zero is empty */
	FIELD_ADDR,   /**< struct addr, as text; only shown */
	FIELD_RECORD, /**< a struct with a table of its own */
	FIELD_LIST, /**< an array with its count, uint32_t; elements are texts, numbers or records */
	FIELD_SET, /**< bool[most], as the list of the words that are true; unknown words are left out */
	FIELD_BY_WORD, /**< int64_t[most], as an object by word; INT64_MAX is "none" */
	FIELD_STRING,  /**< const char *; NULL is null. Only shown, as are the next two */
	FIELD_REAL,    /**< double; what is not finite is null */
	FIELD_JSON, /**< json_t *, given with the record: shown once, or dropped; NULL is null. Or computed */
	FIELD_KNOWN, /**< struct shown_number */
};

/** An instant, ms of the wall clock: shown as FIELD_TIME. */
struct shown_time {
	int64_t ms;
};

/** A number, or null where it is not known. */
struct shown_number {
	bool known;
	uint64_t value;
};

struct record_kind;

/** One row. Made by the macros below. */
struct field {
	const char *name;  /**< NULL: it is only shown */
	const char *shown; /**< the name under which people are shown it; NULL: they are not */
	enum field_kind kind;
	size_t offset;
	size_t size;       /**< of a text's room, or of a list's element */
	size_t most;       /**< elements that there is room for, or words that there are */
	size_t count;      /**< offset of a list's count */
	size_t count_size; /**< its bytes where it is a size_t; else it is an uint32_t */
	size_t known; /**< offset + 1 of a bool that says whether there is a value; 0: always */
	bool always;  /**< written also where it is empty, and missing it is wrong */
	bool behind; /**< a list or a record behind a pointer; only shown. A record that is NULL is null */
	bool spare; /**< not shown where it is empty, NULL or not known */
	bool flat;  /**< a record whose rows are shown as if they were of this one; of NULL none */
	json_t *(*compute)(const void *record); /**< of FIELD_JSON; gives */
	const char *one_of; /**< for its schema: the strings that there are, by '|'; NULL: any */
	/** for its schema: an expression that all its strings match; NULL: none */
	const char *pattern;
	/** for its schema: strings, by '|'; of what is no string JSON. NULL: none */
	const char *example;
	/** for the schema of the record: the names that may be there together, each set by '|'; NULL: any */
	const char *forms;
	bool or_null;   /**< for its schema: a string or given JSON that may be NULL */
	bool later;     /**< for its schema: who has the JSON adds it afterwards, or does not */
	size_t only_if; /**< offset + 1 of a bool: shown only where it is true; 0: always */
	const char *(*word)(int value);
	/** of a shown string that is found by the struct; NULL: the string is in it */
	const char *(*text_of)(const void *record);
	const struct record_kind *of; /**< of a record, or of one that is given as JSON */
	/** of a list, at its offset of each; or of one given as JSON */
	const struct field *element;
	const struct record_kind *each; /**< the same of a list of records that is only shown */
};

/** A kind of record. */
struct record_kind {
	const char *name; /**< for people: "operation" */
	const struct field *fields;
	size_t n_fields;
	size_t size;
	bool (*is_sound)(const void *record); /**< what holds between fields; NULL: nothing */
};

/* What follows the members of a row is set in it, too: .shown = "NAME" */
#define FIELD_AT(type, member) .name = #member, .offset = offsetof(type, member)
#define RECORD_TEXT(type, member, ...)                                                             \
	{                                                                                          \
		FIELD_AT(type, member), .kind = FIELD_TEXT, .size = sizeof(((type *)0)->member),   \
		                        __VA_ARGS__                                                \
	}
/** A bool, a number or a prefix, by its kind. */
#define RECORD_VALUE(type, member, a_kind, ...)                                                    \
	{                                                                                          \
		FIELD_AT(type, member), .kind = (a_kind), __VA_ARGS__                              \
	}
/** A text, a bool or a number that is always there, under a name of its own. */
#define RECORD_ALWAYS(type, the_name, member, a_kind)                                              \
	{                                                                                          \
		.name = (the_name), .kind = (a_kind), .offset = offsetof(type, member),            \
		.size = sizeof(((type *)0)->member), .always = true                                \
	}
/** A struct { bool known; uint64_t value; } */
#define RECORD_KNOWN(type, member, ...)                                                            \
	{                                                                                          \
		.name = #member, .kind = FIELD_U64, .offset = offsetof(type, member.value),        \
		.known = offsetof(type, member.known) + 1, __VA_ARGS__                             \
	}
/** An enum of @p n_words values from 0 on. */
#define RECORD_WORD(type, member, to_word, n_words, ...)                                           \
	{                                                                                          \
		FIELD_AT(type, member), .kind = FIELD_WORD, .word = (to_word), .most = (n_words),  \
		                        __VA_ARGS__                                                \
	}
#define RECORD_RECORD(type, member, a_record)                                                      \
	{                                                                                          \
		FIELD_AT(type, member), .kind = FIELD_RECORD, .of = (a_record)                     \
	}
/** An array @p member and its count n_MEMBER. */
#define RECORD_LIST(type, member, n_member, an_element, ...)                                       \
	{                                                                                          \
		FIELD_AT(type, member),                                                            \
		        .kind = FIELD_LIST, .size = sizeof(((type *)0)->member[0]),                \
		        .most = sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]),      \
		        .count = offsetof(type, n_member), .element = (an_element), __VA_ARGS__    \
	}
/** A list that is always there, under a name of its own. */
#define RECORD_ALWAYS_LIST(type, the_name, member, n_member, an_element)                           \
	{                                                                                          \
		.name = (the_name), .kind = FIELD_LIST, .offset = offsetof(type, member),          \
		.size = sizeof(((type *)0)->member[0]),                                            \
		.most = sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]),              \
		.count = offsetof(type, n_member), .element = (an_element), .always = true         \
	}
#define RECORD_SET(type, member, to_word)                                                          \
	{                                                                                          \
		FIELD_AT(type, member), .kind = FIELD_SET,                                         \
		                        .most = sizeof(((type *)0)->member) / sizeof(bool),        \
		                        .word = (to_word)                                          \
	}
#define RECORD_BY_WORD(type, member, to_word, ...)                                                 \
	{                                                                                          \
		FIELD_AT(type, member), .kind = FIELD_BY_WORD,                                     \
		                        .most = sizeof(((type *)0)->member) / sizeof(int64_t),     \
		                        .word = (to_word), __VA_ARGS__                             \
	}
#define FIELD_CHARS(type, member)                                                                  \
	_Generic(&((type *)0)->member, char **                                                     \
	         : FIELD_STRING, char *const *                                                     \
	         : FIELD_STRING, default                                                           \
	         : FIELD_TEXT)
/** The kind of a member that a row only shows. An array of char is a text, a pointer to char a string, a struct a record. */
#define FIELD_KIND_OF(type, member)                                                                \
	_Generic(((type *)0)->member, bool                                                         \
	         : FIELD_BOOL, char *                                                              \
	         : FIELD_CHARS(type, member), const char *                                         \
	         : FIELD_STRING, uint8_t                                                           \
	         : FIELD_U8, uint16_t                                                              \
	         : FIELD_U16, int                                                                  \
	         : FIELD_INT, uint32_t                                                             \
	         : FIELD_U32, uint64_t                                                             \
	         : FIELD_U64, int64_t                                                              \
	         : FIELD_I64, double                                                               \
	         : FIELD_REAL, struct addr                                                         \
	         : FIELD_ADDR, struct prefix                                                       \
	         : FIELD_PREFIX, struct shown_time                                                 \
	         : FIELD_TIME, struct shown_number                                                 \
	         : FIELD_KNOWN, json_t *                                                           \
	         : FIELD_JSON, default                                                             \
	         : FIELD_RECORD)
/** A member that is only shown, under its own name. */
#define SHOW(type, member, ...) SHOW_AS(type, #member, member, __VA_ARGS__)
/** The same under another name. */
#define SHOW_AS(type, the_name, member, ...)                                                       \
	{                                                                                          \
		.shown = (the_name), .kind = FIELD_KIND_OF(type, member),                          \
		.offset = offsetof(type, member), .size = sizeof(((type *)0)->member), __VA_ARGS__ \
	}
/** An instant: int64_t, ms of the wall clock. */
#define SHOW_TIME(type, the_name, member, ...)                                                     \
	{                                                                                          \
		.shown = (the_name), .kind = FIELD_TIME, .offset = offsetof(type, member),         \
		__VA_ARGS__                                                                        \
	}
/** A number, shown where bool @p is_known says so, else null. */
#define SHOW_KNOWN(type, the_name, member, is_known, ...)                                          \
	SHOW_AS(type, the_name, member, .known = offsetof(type, is_known) + 1, __VA_ARGS__)
/** A struct { bool known; uint64_t value; } likewise. */
#define SHOW_VALUE(type, the_name, member, ...)                                                    \
	SHOW_KNOWN(type, the_name, member.value, member.known, __VA_ARGS__)
/** A string that is found by the struct: const char *to_text(const void *record). */
#define SHOW_TEXT_OF(the_name, to_text, ...)                                                       \
	{                                                                                          \
		.shown = (the_name), .kind = FIELD_STRING, .text_of = (to_text), __VA_ARGS__       \
	}
/** What may be added to the JSON afterwards, of a kind, with .of or .element. */
#define SHOW_LATER(the_name, a_kind, ...)                                                          \
	{                                                                                          \
		.shown = (the_name), .kind = (a_kind), .later = true, __VA_ARGS__                  \
	}
/** At the end of a row: it is shown only where this bool is true. */
#define ONLY_IF(type, member) .only_if = offsetof(type, member) + 1
/** An enum of @p n_words values from 0 on, as its word. */
#define SHOW_WORD(type, the_name, member, to_word, n_words, ...)                                   \
	{                                                                                          \
		.shown = (the_name), .kind = FIELD_WORD, .offset = offsetof(type, member),         \
		.word = (to_word), .most = (n_words), __VA_ARGS__                                  \
	}
/** Some rows of the same struct, in an object of their own. */
#define SHOW_GROUP(the_name, a_record, ...)                                                        \
	{                                                                                          \
		.shown = (the_name), .kind = FIELD_RECORD, .of = (a_record), __VA_ARGS__           \
	}
/** The rows of a struct in it, without an object of their own. */
#define SHOW_ROWS(type, member, a_record, ...)                                                     \
	{                                                                                          \
		.flat = true, .kind = FIELD_RECORD, .offset = offsetof(type, member),              \
		.of = (a_record), __VA_ARGS__                                                      \
	}
/** What @p a_function computes from the struct: a record .of, or a list of .element, where these are named. */
#define SHOW_COMPUTED(the_name, a_function, ...)                                                   \
	{                                                                                          \
		.shown = (the_name), .kind = FIELD_JSON, .compute = (a_function), __VA_ARGS__      \
	}
/** Whether a member is a pointer, not an array. */
#define FIELD_IS_POINTER(type, member)                                                             \
	__builtin_types_compatible_p(__typeof__(((type *)0)->member),                              \
	                             __typeof__(&((type *)0)->member[0]))
#define FIELD_ROOM(type, member)                                                                   \
	(FIELD_IS_POINTER(type, member)                                                            \
	         ? SIZE_MAX                                                                        \
	         : sizeof(((type *)0)->member) / (size_t)sizeof(*((type *)0)->member))
#define FIELD_LIST_AT(type, member, n_member)                                                      \
	.kind = FIELD_LIST, .behind = FIELD_IS_POINTER(type, member),                              \
	.offset = offsetof(type, member), .size = sizeof(*((type *)0)->member),                    \
	.most = FIELD_ROOM(type, member), .count = offsetof(type, n_member),                       \
	.count_size = sizeof(((type *)0)->n_member)
/** A list, an array or behind a pointer, of what lies in a row, with its count, size_t or uint32_t. */
#define SHOW_LIST(type, the_name, member, n_member, an_element, ...)                               \
	{                                                                                          \
		.shown = (the_name), FIELD_LIST_AT(type, member, n_member),                        \
		.element = (an_element), __VA_ARGS__                                               \
	}
/** The same of records. */
#define SHOW_RECORDS(type, the_name, member, n_member, a_record, ...)                              \
	{                                                                                          \
		.shown = (the_name), FIELD_LIST_AT(type, member, n_member), .each = (a_record),    \
		__VA_ARGS__                                                                        \
	}
/** Rows of a struct @p type as a record; @p sound: what holds between fields, or NULL. */
#define RECORD_OF(type, the_name, sound, ...)                                                      \
	{                                                                                          \
		.name = (the_name), .fields = (const struct field[]){ __VA_ARGS__ },               \
		.n_fields = sizeof((const struct field[]){ __VA_ARGS__ }) / sizeof(struct field),  \
		.size = sizeof(type), .is_sound = (sound)                                          \
	}
#define VIEW_MEMBER(tag, type, member, ...) __typeof__(type) member;
#define VIEW_ROW(tag, type, member, ...)    SHOW(struct tag, member, __VA_ARGS__),
/* What a row of the list sets itself counts. */
#define VIEW_KIND(storage, tag, the_name, ROWS)                                                    \
	_Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Woverride-init\"")       \
	        storage const struct record_kind tag##_kind =                                      \
	                RECORD_OF(struct tag, the_name, NULL, ROWS(VIEW_ROW, tag));                \
	_Pragma("GCC diagnostic pop") struct tag
#define VIEW_STRUCT(tag, ROWS)                                                                     \
	struct tag {                                                                               \
		ROWS(VIEW_MEMBER, tag)                                                             \
	}
/**
 * A struct TAG that is only shown, its rows and its kind TAG_kind, all of one list:
 * #define SHIP_ROWS(X, t) X(t, const char *, name) X(t, char[9], flag) X(t, uint32_t, n_guests, .shown = "guests")
 * RECORD_SHOWN(ship, "ship", SHIP_ROWS);
 * What follows the member is set in its row.
 */
#define RECORD_SHOWN(tag, the_name, ROWS)                                                          \
	VIEW_STRUCT(tag, ROWS);                                                                    \
	VIEW_KIND(static, tag, the_name, ROWS)
/** The same with a kind for other files, too. */
#define RECORD_ANSWER(tag, the_name, ROWS)                                                         \
	VIEW_STRUCT(tag, ROWS);                                                                    \
	VIEW_KIND(, tag, the_name, ROWS)
/** The same in two parts: a header's, with the struct for other files, and a .c file's. */
#define RECORD_STRUCT(tag, ROWS)                                                                   \
	VIEW_STRUCT(tag, ROWS);                                                                    \
	extern const struct record_kind tag##_kind
#define RECORD_KIND(tag, the_name, ROWS) VIEW_KIND(, tag, the_name, ROWS)
/** A kind of some rows of such a struct, none of which has another name or kind than its member. */
#define RECORD_PART(tag, the_name, ROWS) RECORD_OF(struct tag, the_name, NULL, ROWS(VIEW_ROW, tag))
/*
 * What may follow in such a row, where the struct is t: the member is known where a bool says so; it is there for others, and
 * not shown; its rows are shown as the struct's own; it is a list, with its count.
 */
#define KNOWN_IF(t, member) .known = offsetof(struct t, member) + 1
#define HIDDEN              .shown = NULL
#define AS_ROWS(a_record)   HIDDEN, .flat = true, .of = &(a_record)
#define AS_LIST(t, member, n_member, a_record)                                                     \
	FIELD_LIST_AT(struct t, member, n_member), .each = &(a_record)
/** Such a struct as people are shown it, with its members in place: SHOWN(ship, .name = "Vasa", .n_guests = 2) */
#define SHOWN(tag, ...) record_shown(&tag##_kind, &(const struct tag){ __VA_ARGS__ })
/** The elements of a list of strings: const char *. */
extern const struct field record_string;

/** Given; NULL when out of memory. Equal records give equal text with JSON_SORT_KEYS. */
MUST_CHECK json_t *record_to_json(const struct record_kind *r, const void *from);
/** As people are shown it, its names in the order of the rows. Given; NULL when out of memory. */
MUST_CHECK json_t *record_shown(const struct record_kind *r, const void *from);
/** What record_shown() makes, as a JSON schema; given. Without memory it lacks something, as what jansson makes does. */
MUST_CHECK json_t *record_schema(const struct record_kind *r);
/** The strings of a list by '|', given. */
MUST_CHECK json_t *record_words(const char *list);
/** The examples of its rows as one record, given; what has none is not in it. */
MUST_CHECK json_t *record_example(const struct record_kind *r);
/** As record_shown(), of @p n records in a row, as a list. */
MUST_CHECK json_t *record_list_shown(const struct record_kind *r, const void *from, size_t n);
/**
 * Read a record that may come from a stranger. @param out  a struct of r->size bytes, untouched but on success
 * @param error  what is wrong and where: "operation.steps[3].to_ppm is no number from 0 to 4294967295"; NULL: not wanted
 * @return 0; -EINVAL; -ENOMEM
 */
MUST_CHECK int record_from_json(const struct record_kind *r, const json_t *json, void *out,
                                char error[RECORD_ERROR_MAX]);
/** As one line of text without blanks, its names in order. Given; NULL when out of memory. */
MUST_CHECK char *record_to_text(const struct record_kind *r, const void *from);
/** Read such a line, as record_from_json(). */
MUST_CHECK int record_from_text(const struct record_kind *r, const char *text, void *out,
                                char error[RECORD_ERROR_MAX]);

#endif
