/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Zone files to an image (dns/image.h). Slow and off the query path: call it from a
 * thread of its own, or before serving. Files are taken as hostile: everything is
 * bounded, and every mistake is reported, with file and line.
 */
#ifndef WEIR_DNS_ZONE_H
#define WEIR_DNS_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/zones.h"

struct image;

#define ZONE_MAX             10000u
#define ZONE_RECORDS_MAX     16000000u
#define ZONE_FILE_BYTES_MAX  ((size_t)1 << 30) /**< of one zone with its includes */
#define ZONE_RECORD_TEXT_MAX ((size_t)256 << 10)
#define ZONE_INCLUDE_DEPTH   8
#define ZONE_INCLUDES_MAX    256
#define ZONE_SET_BYTES_MAX   60000u /**< an RRset must fit a message over TCP */
#define ZONE_MISTAKES_MAX    100  /**< of a zone; then reading ends: it is not that kind of file */
#define ZONE_REPORTS_MAX     1000 /**< of all zones; then each bad zone has one */

struct zone_source {
	const char *name; /**< the zone, in text */
	const char *
	        file; /**< its master file (RFC 1035, section 5); includes only below its directory */
};

/** What to compile. */
struct zone_input {
	const struct zone_source *zones;
	size_t n_zones;
	const char *const *
	        dynamic; /**< names with dynamic addresses: number k is image_extra.dynamic k + 1 */
	size_t n_dynamic;
	uint64_t source; /**< kept in the header: image.source */
	/**
	 * A mistake affects its zone alone, which then is taken from @p earlier, or answers SERVFAIL
	 * (image_zone.state). Without: any mistake refuses all.
	 */
	bool isolate;
	const struct image *earlier; /**< NULL: there is none */
	bool check_only; /**< what is wrong is wanted, no image: zone_compile() gives NULL */
	/** Read all record data by ldns, also what the compiler reads itself: for comparison in tests. */
	bool by_ldns;
};

/** The digest of dynamic names in their order, as in image.dynamic. */
uint64_t zone_dynamic_digest(const char *const *names, size_t n);

/**
 * Compile all zones into one image.
 * @param out  given, from malloc(); untouched on failure
 * @return 0, -EINVAL after one report of a mistake or more (isolated: of one that is no zone's), or -ENOMEM
 */
int zone_compile(const struct zone_input *in, zones_report *report, void *arg, struct image **out);

#endif
