/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client of the management API (docs/api.md) over RUN/api.sock, or over TLS. One request at a time.
 * Implemented in mgmt/cli/api.c, refusal.c and api_json.c; for the command's one thread.
 */
#ifndef WEIR_MGMT_CLI_API_H
#define WEIR_MGMT_CLI_API_H

#include <stdio.h>

#include "base/checked.h"
#include "mgmt/cli/cli.h"
#include "weir/json.h"

struct api_request {
	const char *method;   /* "GET" */
	const char *path;     /* "/v1/status?pool=web" */
	json_t *body;         /* taken; NULL: none */
	const char *if_match; /* an ETag without quotes, or "*" */
	bool is_new;          /* If-None-Match: * */
	/* it changes nothing, although it is no GET: a dry run; or the caller sends it again */
	bool reads;
	unsigned timeout_ms; /* 0: as below */
	/* the user's name of the file that is sent as "weir.conf"; NULL: that name */
	const char *file;
};

#define API_TIMEOUT_MS      75000u /* of a change, which may wait for all nodes */
#define API_READ_TIMEOUT_MS 60000u
#define API_SILENCE_MS                                                                             \
	4500u /* without a byte: nothing works on the request; noticed up to a second later */
#define API_SILENCE_AGAIN_MS 3000u
#define API_HEARD_MS         2000u  /* management was heard so lately: it works on the request */
#define API_REPORT_MS        4000u  /* between two lines of a command that waits */
#define API_AGAIN_MS         15000u /* how long an interrupted change is sent again */
#define API_AGAIN_EVERY_MS   500u

/* An API at another address than RUN/api.sock. */
struct api_server {
	const char *url;   /* "https://192.0.2.1:8443", without a slash at the end */
	const char *token; /* NULL: none is sent */
	const char *ca;    /* file that verifies the API; NULL: the authorities of the system */
};

struct api_reply {
	long status;      /* of HTTP */
	json_t *body;     /* NULL when it was no JSON */
	char etag[128];   /* without quotes */
	unsigned retry_s; /* Retry-After; 0: none */
	char failure[96]; /* why there is no answer; "": there is one */
};

/*
 * Send a request, without a message where there is no API: for callers that have another source.
 * @return CLI_OK with any HTTP status; CLI_UNREACHABLE, or CLI_DENIED after an error message
 */
MUST_CHECK int api_call_quietly(const struct cli *cli, const struct api_request *request,
                                struct api_reply *reply);
void api_reply_fini(struct api_reply *reply);

/* Whether the request was carried out, on this node at least; then there is a body to show. */
bool api_succeeded(const struct api_reply *reply);
/*
 * Print on standard error what an answer refuses, all its reasons, and what to do. @return its exit
 * status
 */
int api_refusal(const struct api_reply *reply);
/*
 * The same; @p anyway: the command line that overrides the guards; "": no advice; NULL: that of the
 * code.
 */
int api_refusal_with(const struct api_reply *reply, const char *anyway);
/*
 * Ask; a failure is reported, but of a refusal there is a @p reply, given, for the caller to print.
 * @return CLI_OK with any HTTP status, or an exit status after a message
 */
MUST_CHECK int api_query(const struct cli *cli, const struct api_request *request,
                         struct api_reply *reply);
/* By mgmt/json/row.h: the settings of others that a file would undo; nothing where there are none. */
#define OLD_FILE                                                                                   \
	"[{?takes_back}the file takes back {n_takes_back:n|0} setting{n_takes_back:plural} that "  \
	"changed since version {base|?}:\n]"                                                       \
	"{*takes_back}  {path|?} [{?kind=removed}was added, the file has none"                     \
	"|{?kind=added}was removed, the file has it|is {now|}, the file has {file|}]: "            \
	"version {version:n|0} by {author|?} on {node|?} at {time|?}: {reason}\n{/}"
/* The exit status that an answer means. */
int api_status(const struct api_reply *reply);
/*
 * Ask; a failure is reported (a refusal is printed too with --json), and the reply is freed.
 * @return the exit status; there is a @p reply, given, if api_succeeded() says so
 */
MUST_CHECK int api_get(const struct cli *cli, const struct api_request *request,
                       struct api_reply *reply);
/* What api_get() does with the answer that api_query() gave: a refusal is reported, and freed. @return the exit status */
MUST_CHECK int api_conclude(const struct cli *cli, struct api_reply *reply);
/* Print @p body, with --json as it is, else by @p print. */
void api_print_body(const struct cli *cli, const json_t *body, void (*print)(const json_t *body));
/* api_get(), and its reply printed. @return the exit status */
MUST_CHECK int api_show(const struct cli *cli, const struct api_request *request,
                        void (*print)(const json_t *body));
/* The same by a template (mgmt/json/row.h). */
void api_print_text(const struct cli *cli, const json_t *body, const char *text);
/* The same; @p body is taken. */
void api_print_own_text(const struct cli *cli, json_t *body, const char *text);
MUST_CHECK int api_show_text(const struct cli *cli, const struct api_request *request,
                             const char *text);
/* Of an answer to a change that not all nodes have. */
#define INCOMPLETE                                                                                 \
	"[{?complete=false}  not all nodes have the change yet; weir-mgmt continues in the "       \
	"background: see weir status\n]"
/* One line of JSON on standard output. */
void api_print_json(const json_t *body);
/* The same; @p body is taken. */
void api_print_own(json_t *body);
/* The text at @p path, "effect.state", or @p otherwise where it is none. */
const char *api_text(const json_t *object, const char *path, const char *otherwise);
/* A number of any kind, or @p otherwise. */
double api_number(const json_t *object, const char *path, double otherwise);
/* A segment of a path, escaped; from malloc(). */
MUST_CHECK char *api_escape(const char *text);

#endif
