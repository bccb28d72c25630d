/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What this node measures, as JSON for the owner of an operation (the query `operations`).
 *
 * Each part is there only if it is known: what is missing is unknown, never 0. Rates are of new TCP
 * flows in thousandths a second ("milli").
 *
 *   node, cluster
 *   announce                    where it is, as node_drain_state()
 *   bits_per_s                  to backends
 *   dns: {serving, queries_milli}                weir-dns runs; queries as rates of new flows
 *   sites: [{site, up, checked, failing}]        as this node's weir-dns sees them from outside
 *   pools: {POOL: {up_ppm, unknown_ppm, min_ppm}}                       of the own site
 *   unannounced: {VIP: "no" or "unknown"}        that it should announce; at most 256
 *   checks: {SERVICE: {SITE: families}}          of VIPs of other sites, that get through
 *   check_sources: {SITE: {ipv4, ipv6}}          addresses of this node that these come from
 *   backups: rows of mgmt/observe/backup_status.h                           of the own site
 *   flows: {window_ms, services: {SERVICE: {new_milli, packets_milli, silent_ppm, repeated_ppm}},
 *           pools: {POOL: {own_milli, own_packets_milli, backup_milli}},
 *           drops: {REASON: milli}, sources: [{service, prefix, flows, sampled, age_ms}]}
 *   drills: [{id, state, begun, repeated, followed, kept}]              those in the tables here
 *
 * Who asks what the nodes of a site announce gets from those with a routing daemon also (there
 * may be thousands, so nobody is sent them each second)
 *
 *   announcements: {ADDRESS: {intended, exported}}    words of mgmt/json/announcement.h
 *
 * Implemented in mgmt/controller/operation_measure.c, operation_outside.c (sites) and operation_checks.c (checks,
 * check_sources); for any thread, not under the lock.
 */
#ifndef WEIR_MGMT_CONTROLLER_OPERATION_MEASURE_H
#define WEIR_MGMT_CONTROLLER_OPERATION_MEASURE_H

#include <jansson.h>

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "weir/health.h"

/** Services and pools that are there; those beyond, which are in no table by default, are unknown. */
#define OPERATION_MEASURE_SERVICES_MAX 4096u
#define OPERATION_MEASURE_POOLS_MAX    4096u
#define OPERATION_MEASURE_SOURCES_MAX  64u /**< prefixes that are listed */
/** VIPs that are listed as unannounced; if there are more, the others are unknown */
#define OPERATION_MEASURE_VIPS_MAX 256u

/** Rates over less are not said: as mgmt/operations/operation_facts.h promises. */
#define OPERATION_MEASURE_WINDOW_MS 5000u

/**
 * All of it, given; NULL: out of memory.
 * @param announced_at  with what it announces if it is at this site; "": wherever; NULL: without
 */
MUST_CHECK json_t *operation_measure_json(struct core *core, const char *announced_at);
/** The part "checks" from a fresh page of weir-health, given. @p m has this node. */
MUST_CHECK json_t *operation_checks_json(const struct model *m, const struct health_page *page);
/** The part "check_sources", given; of the part "checks". */
MUST_CHECK json_t *operation_check_sources_json(const struct model *m, const json_t *checks);
/**
 * The part "sites" from what weir-dns says (its status), given. A site is observed from outside: by
 * nodes of other sites, of which @p own_site is that of this node.
 */
MUST_CHECK json_t *operation_sites_json(const json_t *dns, const char *own_site);

#endif
