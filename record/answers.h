/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What weir-dataplane, weir-health and weir-dns answer at their control sockets, as rows: the processes fill the structs,
 * weir-mgmt passes the JSON on and describes it (GET /v1/openapi.json). A refusal is {ok, error} (weir/json.h).
 *
 * The kinds are in record/answers.c; record_shown() makes the JSON. Any thread.
 */
#ifndef WEIR_RECORD_ANSWERS_H
#define WEIR_RECORD_ANSWERS_H

#include "record/fields.h"

#define ANSWER_STATES   .one_of = "unknown|up|down"
#define ANSWER_FAMILY   .one_of = "ipv4|ipv6"
#define ANSWER_OF_SITES .one_of = "unknown|up|down|none" /* none: it has no address of the family */

/* --- weir-dataplane: "status" --- */

#define PORT_SHOWN_ROWS(X, t)                                                                      \
	X(t, const char *, interface)                                                              \
	X(t, uint32_t, ifindex)                                                                    \
	X(t, const char *, mode, .one_of = "native|generic")
RECORD_STRUCT(port_shown, PORT_SHOWN_ROWS);

#define MISSING_PORT_ROWS(X, t)                                                                    \
	X(t, const char *, interface)                                                              \
	X(t, const char *, reason, .shown = "why")
RECORD_STRUCT(missing_port, MISSING_PORT_ROWS);

#define DATAPLANE_SHOWN_ROWS(X, t)                                                                 \
	X(t, bool, ok)                                                                             \
	X(t, const char *, node)                                                                   \
	X(t, const char *, driver)                                                                 \
	X(t, uint64_t, document)                                                                   \
	X(t, uint64_t, version)                                                                    \
	X(t, bool, refused)                                                                        \
	X(t, const char *, refusal, .shown = "refused_why")                                        \
	X(t, json_t *, ports, .each = &port_shown_kind)                                            \
	X(t, json_t *, ports_missing, .each = &missing_port_kind)                                  \
	X(t, uint64_t, services)                                                                   \
	X(t, uint64_t, pools)                                                                      \
	X(t, uint64_t, backends)                                                                   \
	X(t, const char *, driver_reason, .shown = "driver_why")                                   \
	X(t, uint32_t, health_epoch)                                                               \
	X(t, bool, learning)                                                                       \
	X(t, bool, wants_connections)
RECORD_STRUCT(dataplane_shown, DATAPLANE_SHOWN_ROWS);

/* --- weir-dataplane: "backends" --- */

#define BACKEND_SHOWN_ROWS(X, t)                                                                   \
	X(t, const char *, pool)                                                                   \
	X(t, const char *, backend)                                                                \
	X(t, struct addr, address)                                                                 \
	X(t, uint32_t, index)                                                                      \
	X(t, uint32_t, weight)                                                                     \
	X(t, bool, in_force)                                                                       \
	X(t, const char *, reason, .shown = "why")                                                 \
	X(t, const char *, next_hop, .one_of = "known|no route|no port|no neighbour|not followed") \
	X(t, uint32_t, inner_mtu)                                                                  \
	X(t, uint32_t, path_mtu)
RECORD_STRUCT(backend_shown, BACKEND_SHOWN_ROWS);

#define BACKENDS_SHOWN_ROWS(X, t)                                                                  \
	X(t, bool, ok) X(t, json_t *, backends, .each = &backend_shown_kind)
RECORD_STRUCT(backends_shown, BACKENDS_SHOWN_ROWS);

/* --- weir-dataplane: "trace" (weir/trace.h) --- */

#define TRACE_STEP_ROWS(X, t)                                                                      \
	X(t, const char *, step,                                                                   \
	  .one_of = "parse|service|pool|slot|owner|backend|rewrite|verdict")                       \
	X(t, const char *, text)
RECORD_STRUCT(trace_step_shown, TRACE_STEP_ROWS);

#define TRACE_ENDPOINT_MAX (ADDR_TEXT_MAX + sizeof("[]:65535"))
/* Shown where the packet came so far. */
#define IF(t, has) ONLY_IF(struct t, has)
#define TRACE_SHOWN_ROWS(X, t)                                                                     \
	X(t, bool, ok)                                                                             \
	X(t, char[TRACE_ENDPOINT_MAX], source)                                                     \
	X(t, char[TRACE_ENDPOINT_MAX], destination)                                                \
	X(t, const char *, protocol, .one_of = "tcp|udp")                                          \
	X(t, bool, syn)                                                                            \
	X(t, uint16_t, length)                                                                     \
	X(t, const char *, action, .one_of = "forward|pass|drop|answer")                           \
	X(t, const char *, reason)                                                                 \
	X(t, uint64_t, hash, .kind = FIELD_HEX, IF(t, has_slot))                                   \
	X(t, uint32_t, slot, IF(t, has_slot))                                                      \
	X(t, uint32_t, pool, IF(t, has_slot))                                                      \
	X(t, bool, settled, IF(t, has_slot))                                                       \
	X(t, uint64_t, backend_id, .kind = FIELD_HEX, IF(t, has_backend))                          \
	X(t, struct addr, backend, IF(t, has_backend))                                             \
	X(t, bool, remembered, IF(t, has_backend))                                                 \
	X(t, struct addr, outer_source, IF(t, leaves))                                             \
	X(t, uint32_t, ifindex, IF(t, leaves))                                                     \
	X(t, json_t *, steps, .each = &trace_step_shown_kind)                                      \
	X(t, bool, has_slot, HIDDEN)                                                               \
	X(t, bool, has_backend, HIDDEN)                                                            \
	X(t, bool, leaves, HIDDEN)
RECORD_STRUCT(trace_shown, TRACE_SHOWN_ROWS);

/* --- weir-health: "list"; "check" answers with rows of targets --- */

#define HEALTH_SENTENCE_MAX 320 /* bytes, with the NUL; a longer sentence is cut */
/* One target as the API and `weir health` show it. The keys are part of the API. */
#define HEALTH_TARGET_ROWS(X, t)                                                                   \
	/* pool and backend, or service and family */                                              \
	X(t, const char *, pool, .spare = true)                                                    \
	X(t, const char *, backend, .spare = true)                                                 \
	X(t, const char *, service, .spare = true)                                                 \
	X(t, const char *, family, .spare = true, ANSWER_FAMILY)                                   \
	X(t, const char *, site)                                                                   \
	X(t, const char *, check)                                                                  \
	X(t, const char *, type, .one_of = "http|tcp|external")                                    \
	X(t, const char *, via, .one_of = "tunnel|direct")                                         \
	X(t, struct addr, address)                                                                 \
	X(t, uint16_t, port)                                                                       \
	X(t, uint64_t, paths)                                                                      \
	X(t, const char *, state, ANSWER_STATES)                                                   \
	X(t, bool, in_doubt)                                                                       \
	X(t, bool, inconclusive)                                                                   \
	X(t, bool, unproven)                                                                       \
	X(t, bool, is_new, .shown = "new")                                                         \
	X(t, bool, restored)                                                                       \
	X(t, bool, damped)                                                                         \
	X(t, int64_t, damped_until_ms, .shown = "damped_until", .kind = FIELD_TIME)                \
	X(t, int64_t, since_ms, .shown = "since", .kind = FIELD_TIME)                              \
	X(t, const char *, last)                                                                   \
	X(t, uint64_t, detail)                                                                     \
	X(t, const char *, no_vote)                                                                \
	X(t, char[HEALTH_SENTENCE_MAX], reason, .shown = "why")                                    \
	X(t, uint64_t, last_ms_ago, KNOWN_IF(t, is_done))                                          \
	X(t, uint64_t, took_ms, KNOWN_IF(t, is_idle))                                              \
	X(t, uint64_t, detect_worst_ms)                                                            \
	X(t, uint64_t, probes)                                                                     \
	X(t, uint64_t, failed)                                                                     \
	X(t, uint64_t, without_vote)                                                               \
	X(t, bool, is_done, HIDDEN)                                                                \
	X(t, bool, is_idle, HIDDEN)
RECORD_STRUCT(health_target, HEALTH_TARGET_ROWS);

#define GROUP_SHOWN_ROWS(X, t)                                                                     \
	X(t, const char *, site)                                                                   \
	X(t, uint32_t, targets)                                                                    \
	X(t, uint32_t, failing)
RECORD_STRUCT(group_shown, GROUP_SHOWN_ROWS);

#define CONTROL_SHOWN_ROWS(X, t)                                                                   \
	X(t, struct addr, address)                                                                 \
	X(t, bool, reflector)                                                                      \
	X(t, bool, silent)                                                                         \
	X(t, uint64_t, n_queried, .shown = "asked")                                                \
	X(t, uint64_t, n_answered, .shown = "answered")
RECORD_STRUCT(control_shown, CONTROL_SHOWN_ROWS);

#define DERIVED_SHOWN_ROWS(X, t)                                                                   \
	X(t, const char *, service)                                                                \
	X(t, const char *, family, ANSWER_FAMILY)                                                  \
	X(t, const char *, pool)                                                                   \
	X(t, const char *, state, ANSWER_STATES)                                                   \
	X(t, bool, in_doubt)                                                                       \
	X(t, int64_t, since_ms, .shown = "since", .kind = FIELD_TIME)
RECORD_STRUCT(derived_shown, DERIVED_SHOWN_ROWS);

#define HEALTH_SHOWN_ROWS(X, t)                                                                    \
	X(t, bool, ok)                                                                             \
	X(t, uint64_t, document)                                                                   \
	X(t, json_t *, targets, .each = &health_target_kind)                                       \
	X(t, uint64_t, n_targets)                                                                  \
	X(t, bool, truncated)                                                                      \
	X(t, json_t *, services, .each = &derived_shown_kind)                                      \
	X(t, json_t *, groups, .each = &group_shown_kind)                                          \
	X(t, json_t *, controls, .each = &control_shown_kind)                                      \
	X(t, uint64_t, tunnel_document)
RECORD_STRUCT(health_shown, HEALTH_SHOWN_ROWS);

#define PROBED_SHOWN_ROWS(X, t) X(t, bool, ok) X(t, json_t *, targets, .each = &health_target_kind)
RECORD_STRUCT(probed_shown, PROBED_SHOWN_ROWS);

/* --- weir-dns: "status" --- */

#define DNS_ZONE_ROWS(X, t)                                                                        \
	X(t, const char *, name)                                                                   \
	X(t, uint32_t, serial)                                                                     \
	X(t, uint32_t, n_records, .shown = "records")                                              \
	X(t, const char *, state, .one_of = "served|earlier|broken")
RECORD_STRUCT(dns_zone, DNS_ZONE_ROWS);

#define DNS_PEER_ROWS(X, t)                                                                        \
	X(t, const char *, node)                                                                   \
	X(t, const char *, site)                                                                   \
	X(t, bool, fresh)                                                                          \
	X(t, const char *, ipv4, ANSWER_OF_SITES)                                                  \
	X(t, const char *, ipv6, ANSWER_OF_SITES)                                                  \
	X(t, bool, inconclusive)                                                                   \
	X(t, const char *, inconclusive_in, .spare = true, ANSWER_FAMILY)                          \
	X(t, bool, unproven)                                                                       \
	X(t, const char *, unproven_in, .spare = true, ANSWER_FAMILY)
RECORD_STRUCT(dns_peer, DNS_PEER_ROWS);

#define DNS_SITE_ROWS(X, t)                                                                        \
	X(t, const char *, site)                                                                   \
	X(t, uint32_t, weight)                                                                     \
	X(t, const char *, ipv4, ANSWER_OF_SITES)                                                  \
	X(t, const char *, ipv6, ANSWER_OF_SITES)                                                  \
	X(t, bool, in_doubt)                                                                       \
	X(t, bool, unproven)                                                                       \
	X(t, const char *, unproven_in, .spare = true, ANSWER_FAMILY)                              \
	X(t, uint32_t, drained_ppm)                                                                \
	X(t, bool, disabled)                                                                       \
	X(t, bool, forced_up)                                                                      \
	X(t, bool, shifting)                                                                       \
	X(t, json_t *, peers, .shown = "views", .each = &dns_peer_kind)
RECORD_STRUCT(dns_site, DNS_SITE_ROWS);

#define DNS_NAME_ROWS(X, t)                                                                        \
	X(t, const char *, name)                                                                   \
	X(t, const char *, service)                                                                \
	X(t, const char *, policy, .one_of = "failover|weighted")                                  \
	X(t, json_t *, sites, .spare = true, .each = &dns_site_kind)                               \
	X(t, bool, fail_closed, .spare = true)
RECORD_STRUCT(dns_name, DNS_NAME_ROWS);

#define DNS_RAMP_ROWS(X, t)                                                                        \
	X(t, const char *, override)                                                               \
	X(t, uint64_t, generation)                                                                 \
	X(t, const char *, state, .one_of = "free|late|held-clock|held-site")                      \
	X(t, int64_t, at_ms)
RECORD_STRUCT(dns_ramp, DNS_RAMP_ROWS);

#define DECIDING_SHOWN_ROWS(X, t)                                                                  \
	X(t, bool, votes)                                                                          \
	X(t, json_t *, sites, .element = &record_string)                                           \
	X(t, json_t *, out, .element = &record_string)
RECORD_STRUCT(deciding_shown, DECIDING_SHOWN_ROWS);

#define DNS_LOAD_ROWS(X, t)                                                                        \
	X(t, uint64_t, started)                                                                    \
	X(t, uint64_t, finished)                                                                   \
	X(t, bool, running)                                                                        \
	X(t, const char *, error)                                                                  \
	X(t, json_t *, errors, .shown = "mistakes", .element = &record_string)
RECORD_STRUCT(dns_load, DNS_LOAD_ROWS);

/* Fields of the generation are missing until there is one; all others are always there. */
#define SERVED(t) KNOWN_IF(t, serving), .spare = true
#define DNS_SHOWN_ROWS(X, t)                                                                       \
	X(t, bool, ok)                                                                             \
	X(t, bool, serving)                                                                        \
	X(t, bool, clock_held)                                                                     \
	X(t, const char *, clock)                                                                  \
	X(t, json_t *, load, .of = &dns_load_kind)                                                 \
	X(t, uint64_t, document, SERVED(t))                                                        \
	X(t, uint64_t, version, SERVED(t))                                                         \
	X(t, uint32_t, threads, SERVED(t))                                                         \
	X(t, bool, stale_image, SERVED(t))                                                         \
	X(t, uint64_t, image_bytes, SERVED(t))                                                     \
	X(t, json_t *, zones, SERVED(t), .each = &dns_zone_kind)                                   \
	X(t, json_t *, names, SERVED(t), .each = &dns_name_kind)                                   \
	X(t, uint64_t, n_names, SERVED(t))                                                         \
	X(t, uint64_t, services_left_out, .spare = true)                                           \
	X(t, json_t *, ramps, SERVED(t), .each = &dns_ramp_kind)                                   \
	X(t, json_t *, deciding, SERVED(t), .of = &deciding_shown_kind)
RECORD_STRUCT(dns_shown, DNS_SHOWN_ROWS);

#endif
