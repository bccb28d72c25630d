/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Compiling zone files to an image (dns/zone/image.h). Files are treated as hostile: everything is
 * bounded, and every error is reported with file and line. Implemented in dns/zone/compile.c.
 * Slow: call it from a thread of its own, or before serving.
 */
#ifndef WEIR_DNS_ZONE_ZONE_H
#define WEIR_DNS_ZONE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"
#include "weir/zones.h"

struct image;
struct zone_lifted;

#define ZONE_MAX             10000u            /**< zones; their numbers have 16 bits */
#define ZONE_RECORDS_MAX     16000000u         /**< in all zones: an image has offsets of 32 bits */
#define ZONE_FILE_BYTES_MAX  ((size_t)1 << 30) /**< of one zone with its includes */
#define ZONE_RECORD_TEXT_MAX ((size_t)256 << 10) /**< bytes: 65,535 bytes of data, each escaped */
#define ZONE_INCLUDE_DEPTH   8                   /**< files that include one another */
#define ZONE_INCLUDES_MAX    256    /**< of a zone: a file cannot include itself for long */
#define ZONE_RRSET_BYTES_MAX 60000u /**< an RRset must fit a message over TCP */
#define ZONE_ERRORS_MAX      100    /**< of a zone; then reading ends: it is no zone file */
#define ZONE_REPORTS_MAX     1000   /**< of all zones; then only one for each bad zone */

struct zone_source {
	const char *name; /**< the zone, in text */
	/** Its master file (RFC 1035, section 5); includes only below its directory. */
	const char *file;
};

/** What to compile. */
struct zone_input {
	const struct zone_source *zones;
	size_t n_zones;
	const char *const *
	        dynamic; /**< names with dynamic addresses: number k is image_extra.dynamic k + 1 */
	size_t n_dynamic;
	const uint32_t *numbers; /**< other numbers for them; NULL: their positions */
	uint64_t source;         /**< copied to image.source */
	/**
	 * An error affects only its zone, which then is taken from @p earlier, or answers SERVFAIL
	 * (image_zone.state). If false, any error refuses all zones.
	 */
	bool isolate;
	const struct image *earlier; /**< NULL: there is none */
	/**
	 * With `isolate`: what has the same names and files as in @p earlier, byte for byte, is
	 * copied from it. Only the rest is compiled.
	 */
	bool reuse;
	size_t *n_compiled; /**< the zones that were not copied are added to it; NULL: nobody asks */
	/** Digest of the program, copied to image.program: what another one made is not copied. */
	uint64_t program;
	uint32_t n_others; /**< records of other zones, which count for ZONE_RECORDS_MAX */
	bool check_only;   /**< only report errors: zone_compile() gives NULL for the image */
	/**
	 * Read all record data with ldns, also the types that dns/zone/data.c reads: for comparison
	 * in tests.
	 */
	bool by_ldns;
	struct zone_lifted *lifted; /**< zone_compile()'s own; NULL for its callers */
};

/** The number of the dynamic name at position @p at. */
static inline uint32_t zone_input_number(const struct zone_input *in, uint32_t at)
{
	return in->numbers ? in->numbers[at] : at;
}

/**
 * Compile all zones into one image.
 * @param out  given, from malloc(); untouched on failure
 * @return 0; -EINVAL after reports of errors (with `isolate`: of errors that concern no zone);
 *         -E2BIG or -ENOMEM
 */
int zone_compile(const struct zone_input *in, zones_report *report, void *arg,
                 struct image **out) MUST_CHECK NONNULL(1, 2, 4);

#endif
