/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What only another process knows: its control socket is asked (base/ctl.h), and its answer passed
 * on as it is. A process refuses in its own words; those become a problem. What the request must
 * look like is checked here, so that a refusal says that something is not there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ctl.h"
#include "mgmt/core/field.h"
#include "mgmt/api/handle.h"
#include "mgmt/observe/observe.h"
#include "mgmt/status/status.h"
#include "mgmt/json/explain.h"
#include "weir/json.h"
#include "weir/trace.h"

#define PROCESS_QUERY_MS 5000 /* for a process: the longest answers are megabytes */

static int read_answer(struct core *core, enum observe_process p, const char *line, json_t **answer)
{
	char path[PATH_MAX], file[32], *text = NULL;

	snprintf(file, sizeof(file), "%s.ctl", observe_name(p));
	int err = line ? proc_path(core->dirs.run, file, path) : -ENOMEM;
	if (!err)
		err = ctl_request(path, line, PROCESS_QUERY_MS, &text);
	if (!err) {
		*answer = json_read(text, strlen(text), 0, NULL);
		err = *answer ? 0 : -EPROTO;
	}
	free(text);
	return err;
}

/* A request to a control socket; NULL: it has no such member. */
#define PROCESS_REQUEST_ROWS(X, t)                                                                 \
	X(t, const char *, what, .shown = "do")                                                    \
	X(t, const char *, pool, .spare = true)                                                    \
	X(t, const char *, backend, .spare = true)                                                 \
	X(t, const char *, service, .spare = true)                                                 \
	X(t, const char *, site, .spare = true)                                                    \
	X(t, const char *, source, .spare = true)                                                  \
	X(t, const char *, destination, .spare = true)                                             \
	X(t, uint64_t, length, .spare = true)
RECORD_SHOWN(process_request, "request", PROCESS_REQUEST_ROWS);

static void query_process(struct core *core, enum observe_process p,
                          const struct process_request *request, struct http_reply *reply)
{
	char *line = json_line(record_shown(&process_request_kind, request));
	int err = read_answer(core, p, line, &reply->json);
	const char *refusal = json_get_text(reply->json, "error");

	free(line);
	reply->status = 200;
	if (err)
		http_problem(reply, 503, "process-unreachable", "weir-%s: %s", observe_name(p),
		             strerror(-err));
	else if (json_is_false(json_object_get(reply->json, "ok")))
		http_problem(reply, 404, "not-found", "weir-%s: %s", observe_name(p),
		             refusal ? refusal : "refused");
}

void handle_dns(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)r;
	query_process(core, OBSERVE_DNS, &(struct process_request){ .what = "status" }, reply);
}

void handle_dataplane(struct core *core, struct http_request *r, struct http_reply *reply)
{
	(void)r;
	query_process(core, OBSERVE_DATAPLANE, &(struct process_request){ .what = "status" },
	              reply);
}

/* Ask for a list of all pools, or of the pool that the query names. */
static void query_pool_list(struct core *core, enum observe_process p, const char *what,
                            const struct http_request *r, struct http_reply *reply)
{
	const struct status_filter filter = { .pool = http_query(r, "pool") };

	if (handle_filter_ok(core, &filter, reply))
		query_process(core, p,
		              &(struct process_request){ .what = what, .pool = filter.pool },
		              reply);
}

void handle_dataplane_backends(struct core *core, struct http_request *r, struct http_reply *reply)
{
	query_pool_list(core, OBSERVE_DATAPLANE, "backends", r, reply);
}

void handle_health_targets(struct core *core, struct http_request *r, struct http_reply *reply)
{
	query_pool_list(core, OBSERVE_HEALTH, "list", r, reply);
}

#define PROBE_BODY_ROWS(X, t)                                                                      \
	X(t, const char *, pool, .most = MODEL_NAME_MAX - 1, .spare = true, .example = "web-ams",  \
	  .forms = "pool backend|service site")                                                    \
	X(t, const char *, backend, .most = MODEL_NAME_MAX - 1, .spare = true, .example = "b1")    \
	X(t, const char *, service, .most = MODEL_NAME_MAX - 1, .spare = true)                     \
	X(t, const char *, site, .most = MODEL_NAME_MAX - 1, .spare = true)
RECORD_ANSWER(probe_body, "probe", PROBE_BODY_ROWS);

void handle_health_check(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct probe_body b;
	struct field_reader f;

	field_read(&f, r->json, &probe_body_kind, &b);
	bool is_backend = b.pool && b.backend && !b.service && !b.site,
	     is_service = b.service && b.site && !b.pool && !b.backend;
	if (f.n_errors == 0 && !is_backend && !is_service)
		field_error(&f, b.service || b.site ? "service" : "pool",
		            "expected pool and backend, or service and site");
	if (field_end(&f, reply))
		query_process(core, OBSERVE_HEALTH,
		              &(struct process_request){ .what = "check",
		                                         .pool = b.pool,
		                                         .backend = b.backend,
		                                         .service = b.service,
		                                         .site = b.site },
		              reply);
}

void handle_trace(struct core *core, struct http_request *r, struct http_reply *reply)
{
	const char *source = http_query(r, "source"), *destination = http_query(r, "destination");
	struct trace_query q;
	uint64_t length;

	if (!source || !destination || trace_parse(source, destination, &q))
		http_problem(reply, 400, "bad-request",
		             "expected source=ADDRESS:PORT and destination=VIP:PORT/tcp, /tcp:syn "
		             "or /udp, both of one family; IPv6 in [ ]");
	else if (handle_number(r, "length", q.length, UINT16_MAX, q.length, &length, reply))
		query_process(core, OBSERVE_DATAPLANE,
		              &(struct process_request){ .what = "trace",
		                                         .source = source,
		                                         .destination = destination,
		                                         .length = length },
		              reply);
}

/* Read the query of an explanation. @return whether it is sound; else @p reply says why not */
static bool read_explain_request(const struct http_request *r, struct explain_request *out,
                                 struct http_reply *reply)
{
	const char *type = http_query(r, "type"), *at = http_query(r, "at"), *wrong;

	*out = (struct explain_request){ .name = http_query(r, "name"),
		                         .type = type ? type : "A",
		                         .wall_clock_ms = clock_believed_ms() };
	if (!handle_flag(r, "tcp", &out->tcp, reply))
		return false;
	wrong = explain_set_sender(out, http_query(r, "client"), http_query(r, "resolver"));
	if (!wrong && !out->name)
		wrong = "name: expected a domain name";
	if (!wrong && at && clock_parse(at, &out->wall_clock_ms) != 0)
		wrong = "at: expected a time such as 2026-11-20T12:00:00Z";
	if (wrong)
		http_problem(reply, 400, "bad-request", "%s", wrong);
	return !wrong;
}

/* weir-dns' own code runs here on the documents and pages of this node: no process is asked. */
void handle_dns_explain(struct core *core, struct http_request *r, struct http_reply *reply)
{
	struct explain_request request;
	struct explanation *e = NULL;

	if (!read_explain_request(r, &request, reply))
		return;
	int err = explain_dns(&core->dirs, &request, &e);
	reply->status = 200;
	if (!err)
		reply->json = record_shown(&explanation_shown, e);
	else if (err == -EINVAL)
		http_problem(reply, 422, "invalid", "%s", e->n_errors ? e->errors[0] : "refused");
	else if (err == -ENOENT)
		http_problem(reply, 404, "not-found", "there is no effective document yet");
	else if (err == -ENOMEM)
		http_problem(reply, 503, "busy", "out of memory; try again");
	else
		http_problem(reply, 500, "internal", "the answer cannot be explained: %s",
		             strerror(-err));
	explain_free(e);
}
