/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What is wrong with a configuration's zone files, as weir-dns would find it: its own code compiles
 * them, and the result is thrown away. Implemented in dns/zone/zones_check.c and dns/zone/zones_list.c; any
 * thread.
 */
#ifndef WEIR_ZONES_H
#define WEIR_ZONES_H

#include <stdbool.h>
#include <stdint.h>

struct model;

/** What a message about a zone means. */
enum zones_level {
	ZONES_WARNING, /**< served as it is; a person should know */
	ZONES_ERROR,   /**< the zone cannot be served */
};

/** One thing that is to be said of a zone; all borrowed for the call. */
struct zones_message {
	const char *zone; /**< its name; "": it is about no one zone */
	const char *file;
	unsigned line; /**< 0: the file as a whole, of an error */
	enum zones_level level;
	const char *text;
	int error; /**< -errno for which a file was not read; 0: it is about what the file says */
};

/** Told once for each message. */
typedef void zones_report(void *arg, const struct zones_message *message);

/**
 * Compile the zones of @p m together with its dynamic names. Takes as long as the zones are large.
 * @return 0 (with warnings, too), -EINVAL after one ZONES_ERROR or more, or -ENOMEM
 */
int zones_check(const struct model *m, zones_report *report, void *arg);

/** A record as far as two files of a zone can be compared by it. */
struct zones_record {
	uint64_t rrset;  /**< identity of owner and type */
	uint64_t data;   /**< identity of the data as it is written; the TTL is left out */
	bool is_soa;     /**< its serial changes with every version */
	bool is_apex_ns; /**< one of the zone's own name servers */
};

typedef void zones_found(void *arg, const struct zones_record *record);

/**
 * The serial of the first SOA in a zone file. Any thread.
 * @return 0, -ENOENT (there is none) or -errno
 */
int zones_serial(const char *zone, const char *file, uint32_t *out);

/**
 * List the records of a zone file, as it is written: it need not be a whole zone. Implemented in
 * dns/zone/zones_list.c; any thread.
 * @return 0 or -errno
 */
int zones_list(const char *zone, const char *file, zones_found *found, void *arg);

#endif
