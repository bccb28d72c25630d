/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * The handlers of the API, one a route (mgmt/api/route.c). A handler reads the request, does one
 * thing under the core's lock and fills the reply; on an error nothing is done.
 *
 * Implemented in handle.c and in the handle_*.c file that stands beside each group below (the
 * page, the metrics and the description of the API in page.c, metrics.c and openapi.c). Handlers
 * run in the threads of a server's pool, several at a time; the main thread calls
 * handle_status_json() too.
 */
#ifndef WEIR_MGMT_API_HANDLE_H
#define WEIR_MGMT_API_HANDLE_H

#include "base/checked.h"
#include "mgmt/core/core.h"
#include "mgmt/http/http.h"
#include "record/fields.h"

/*
 * configuration and versions: change/handle_config.c; the document and lists of versions are in
 * handle_versions.c, differences in handle_diff.c
 */
http_handler handle_config_get, handle_config_check, handle_config_plan, handle_config_apply;
http_handler handle_what_if;
http_handler handle_zones_reload, handle_versions, handle_version, handle_version_diff;
http_handler handle_blame; /* handle_blame.c */
http_handler handle_rollback, handle_confirm;
/* the store that nodes share: handle_store.c */
http_handler handle_store, handle_store_accept, handle_store_rebuild;
/* the audit log: handle_audit.c */
http_handler handle_audit, handle_audit_heads, handle_audit_rotate, handle_peer_audit;
extern const struct record_kind audit_answer_kind, audit_heads_answer_kind, audit_rotated_kind;
/* the believed time: handle_clock.c */
http_handler handle_clock, handle_clock_accept;
/* objects of the version in force, one and a list: handle_objects.c; edits of one, and several: change/handle_edits.c */
http_handler handle_object, handle_objects, handle_object_edit, handle_changes;
/* changes that other persons approve: change/handle_proposals.c */
http_handler handle_proposals, handle_proposal, handle_proposal_approve, handle_proposal_withdraw;
/* members that programs register: handle_members.c */
http_handler handle_members, handle_member, handle_member_put, handle_member_delete,
        handle_members_change;
/* verdicts that programs give: handle_members.c, too */
http_handler handle_verdicts, handle_verdict, handle_verdict_put, handle_verdict_delete,
        handle_peer_verdicts;
/* overrides: handle_overrides.c */
http_handler handle_overrides, handle_override, handle_command;
/* what is: handle_status.c, handle_observed.c */
http_handler handle_status, handle_node, handle_processes, handle_peers, handle_health;
http_handler handle_announcements; /* handle_announced.c */
http_handler handle_events, handle_metrics, handle_healthz, handle_page, handle_openapi;
/* what another process knows, or its code says: handle_processes.c */
http_handler handle_dns, handle_dns_explain, handle_dataplane, handle_dataplane_backends;
http_handler handle_health_targets, handle_health_check, handle_trace;
/* operations, and what still arrives at a site: handle_operations.c */
http_handler handle_operations, handle_operation, handle_operation_begin, handle_operation_order;
http_handler handle_arrivals;
/* drills of backups: drills.c */
http_handler handle_drills, handle_drill, handle_drill_begin, handle_drill_end;
/* between nodes: handle_exchange.c, handle_peer.c, handle_files.c */
http_handler handle_peer_exchange, handle_peer_connection_state;
/* queries of the exchange: handle_peer.c; then one each in handle_announce_questions.c, handle_operations.c, handle_store.c */
http_handler handle_peer_keys, handle_peer_operations, handle_peer_overrides, handle_peer_stage,
        handle_peer_version;
http_handler handle_peer_withdrawals, handle_peer_operation_order, handle_peer_store;

struct change_plan;
struct look;
struct operation_snapshot;
struct peers_report;
struct status_filter;

/** The bodies of requests, and what the routes of this file's group answer. */
extern const struct record_kind apply_body_kind, check_body_kind, confirm_body_kind,
        drill_body_kind, plan_body_kind, probe_body_kind, reload_body_kind, rollback_body_kind,
        upload_body_kind;
extern const struct record_kind member_body_kind, members_body_kind, member_shown_kind,
        members_answer_kind, members_changed_kind, verdict_body_kind, verdict_shown_kind,
        verdicts_answer_kind;
extern const struct record_kind changes_body_kind, changes_answer_kind, edit_answer_kind,
        decision_body_kind;
extern const struct record_kind change_answer_kind, check_answer_kind, confirm_answer_kind,
        what_if_answer_kind, what_if_body_kind;
extern const struct record_kind blame_answer_kind, diff_answer_kind, drill_shown_kind,
        peer_shown_kind, upload_answer_kind, parts_answer_kind;
extern const struct record_kind arrivals_answer_kind, objects_answer_kind;
extern const struct record_kind events_answer_kind, node_shown_kind, versions_answer_kind,
        status_answer_kind;

struct command;
/** Carry out a command as POST /v1/overrides does. Not under the lock. @return whether @p reply is no problem */
bool handle_command_run(struct core *core, const struct http_request *r, const struct command *c,
                        int64_t now_ms, struct http_reply *reply);

/** The status as JSON, given; not under the lock. */
json_t *handle_status_json(struct core *core, const struct status_filter *filter);
/**
 * What this node announces as JSON, given: all, or what belongs to @p vip; with a limit that many
 * addresses at most. NULL: it has no routing daemon, or memory is short.
 */
json_t *handle_announcements_json(const struct look *l, const char *vip, uint64_t limit);
/** The status as a page for people, from malloc(), given; NULL: out of memory. */
char *page_make(const json_t *status);
/**
 * What keeps @p site from being switched off, by a snapshot with its nodes' announcements, as JSON, given; NULL: out of
 * memory. Implemented in operation_arrivals.c.
 */
json_t *operation_arrivals_json(const struct operation_snapshot *snapshot,
                                const struct model_site *site);
/** What @p n peers reported as a JSON array, given. */
json_t *handle_peers_json(const struct peers_report *reports, size_t n);

/** Versions below @p before (0: all), newest first, as far as they are known. Under the lock. @return how many, or -errno */
MUST_CHECK int handle_list_versions(struct core *core, uint64_t before, struct version *list,
                                    size_t max);
/** Say something of the difference of two models, as JSON, given. */
typedef json_t *handle_say(void *arg, const struct model *from, const struct model *to,
                           const struct change_plan *plan);
/**
 * Read the files of two versions and say something of them; null if this release cannot read one of them. Not under the
 * lock. Implemented in handle_diff.c.
 */
json_t *handle_compare(struct core *core, const struct files *from, const struct files *to,
                       handle_say *say, void *arg);
/**
 * Make @p reply the problem of a version that intent_version() did not read, with what it
 * returned.
 */
void handle_version_unread(int err, struct http_reply *reply);
/**
 * Whether If-Match allows a change of what has @p etag now ("": nothing); else @p reply says why
 * not.
 */
bool handle_if_match(const struct http_request *r, const char *etag, bool required,
                     struct http_reply *reply) MUST_CHECK;
/** Whether the pool and site of the filter exist; else @p reply says so. Not under the lock. */
bool handle_filter_ok(struct core *core, const struct status_filter *filter,
                      struct http_reply *reply) MUST_CHECK;
/**
 * Whether this node may command: one that is not in the version in force judges by what was in force before, and nobody
 * looks at it any more. Not under the lock. @return false: @p reply says so, and what to do
 */
bool handle_may_command(struct core *core, struct http_reply *reply) MUST_CHECK;
/**
 * Refuse ?dry_run=true where there is none: what was to be tried only must not be done.
 * @return whether to go on; else @p reply says so
 */
bool handle_no_dry_run(const struct http_request *r, struct http_reply *reply) MUST_CHECK;
/**
 * A query parameter that is true or false; false where it is not given. @return whether it is one
 * of these; else @p reply says so
 */
bool handle_flag(const struct http_request *r, const char *name, bool *out,
                 struct http_reply *reply) MUST_CHECK;
/**
 * An integer query parameter. @return whether it is one from @p least to @p most; else @p reply
 * says so
 */
bool handle_number(const struct http_request *r, const char *name, uint64_t least, uint64_t most,
                   uint64_t fallback, uint64_t *out, struct http_reply *reply);
/** The query parameter `limit` of a list that is shown whole without it. @return as handle_number() */
bool handle_limit(const struct http_request *r, uint64_t *out, struct http_reply *reply) MUST_CHECK;
/** A list, and how many entries were left out of it. */
struct handle_listed {
	json_t *items;
	uint64_t more;
};
/** Answer with the first @p limit of @p items. Takes @p items. */
void handle_list(json_t *items, uint64_t limit, struct http_reply *reply);
/** A version's number, the first part of the path. */
bool handle_part_number(const struct http_request *r, uint64_t *out,
                        struct http_reply *reply) MUST_CHECK;
/**
 * After a change, not under the lock: wait as the query's wait and wait_ms say, and add complete,
 * document and nodes to the reply; an incomplete one becomes 202.
 */
void handle_wait(struct core *core, const struct http_request *r, struct http_reply *reply);
/**
 * Whether wait and wait_ms make sense; else @p reply says why not. To be asked before the change.
 */
bool handle_wait_ok(const struct http_request *r, struct http_reply *reply) MUST_CHECK;

#endif
