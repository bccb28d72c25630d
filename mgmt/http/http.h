/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * HTTP requests and replies as values, and the servers that carry them.
 *
 * A server of our own (docs/decisions.md): one thread has all connections of a server, handlers run
 * in others (mgmt/http/serve.c). What a handler needs of the process it reaches through struct
 * core, which the server only passes on.
 *
 * Requests and replies are implemented in http.c, servers in serve.c. Handlers' threads call
 * what takes a request or a reply; the main thread starts and stops servers, renews certificates
 * and names the peers.
 */
#ifndef WEIR_MGMT_HTTP_HTTP_H
#define WEIR_MGMT_HTTP_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/checked.h"
#include "mgmt/http/tls.h"
#include "weir/json.h"

#define HTTP_BODY_MAX  ((size_t)32 << 20) /**< bytes; larger files are uploaded in parts */
#define HTTP_PEERS_MAX 256u               /* addresses of nodes */
/* waits for an event, and for the next change of an operation, of a kind of client; strangers over TCP are of two kinds */
#define HTTP_POLLS_MAX            8u
#define HTTP_POLLS_OPERATIONS_MAX 2u
#define HTTP_PARTS_MAX            4u   /**< variable parts of a path */
#define HTTP_QUERY_MAX            16u  /**< query parameters: above what any route has */
#define HTTP_TEXT_MAX             256u /**< bytes of a part of a path, a value, a token */
#define HTTP_PATH_MAX             512u /**< bytes of a path: a domain has 253 by itself */
#define HTTP_IDENTITY_MAX         72u  /**< bytes of "token:", a name and a person */
#define HTTP_PERSON_MAX           64u  /**< bytes of a person's name, with the NUL */
#define HTTP_SCOPE_MAX            512u /**< bytes of what a principal may change */

struct core;          /* whose server it is: for its functions alone */
struct store_request; /* likewise */
struct http_bells;
struct stats;

/** What a principal may do. From VIEWER to ADMIN, each role includes the ones before it. */
enum http_role {
	HTTP_NO_ROLE,
	HTTP_METRICS, /**< the metrics alone */
	HTTP_PEER,    /**< the peers' requests alone */
	HTTP_VIEWER,
	HTTP_ONCALL,
	HTTP_OPERATOR,
	HTTP_ADMIN,
};

/** Why a login that is somebody's is refused. */
struct http_denial {
	unsigned status;
	const char *code, *text;
};

struct http_pair {
	char name[32], value[HTTP_TEXT_MAX];
};

/** A request, read whole. */
struct http_request {
	char method[8]; /**< GET also for HEAD */
	/**
	 * Percent-decoded, but for "%2F" and "%25": a slash of a name is no separator, and what is decoded once more
	 * (http_path_part()) stays what it was.
	 */
	char path[HTTP_PATH_MAX];
	struct http_pair query[HTTP_QUERY_MAX];
	size_t n_query;
	char if_match[HTTP_TEXT_MAX], if_none_match[HTTP_TEXT_MAX], key[HTTP_TEXT_MAX];
	const char *body; /**< NUL-terminated; "" for none */
	size_t n_body;
	bool body_is_json;  /**< its Content-Type says so */
	bool body_is_patch; /**< application/merge-patch+json (RFC 7396) */
	enum http_role role;
	bool unjudged; /**< with HTTP_NO_ROLE: who asks could not be found out, for a shortage */
	/** With HTTP_NO_ROLE: why; NULL: there is no such login. */
	const struct http_denial *denied;
	/** What it may change, to those who judge that (weir/scope.h); not scoped: all that its role permits. */
	bool is_scoped;
	char scope[HTTP_SCOPE_MAX];
	char principal[64]; /**< the name of the user or of the token */
	/** who that is, by token, certificate or user; "": not said */
	char person[HTTP_PERSON_MAX];
	/** the principal with its source: "user:root", "token:ci", "token:ci (ada)", "cert:ci" */
	char identity[HTTP_IDENTITY_MAX];
	struct http_tls_client client; /**< the names of its connection's certificate */
	/** the client's address, "socket" of the UNIX socket; of the authenticator */
	char source[ADDR_TEXT_MAX];
	bool local;              /**< it came by the UNIX socket */
	const atomic_bool *gone; /**< its client has closed; NULL: not known */
	/** Monotonic: since when its answer was held; then it is answered now. 0: it was not held. */
	uint64_t held_ms;
	_Atomic(const char *)
	        *doing; /**< what takes long, see http_doing(); NULL: nobody waits for it */
	/* filled by the dispatcher */
	/** of its Idempotency-Key: mgmt/api/idempotent.h; NULL: none */
	struct store_request *request;
	uint64_t began_ns;                         /**< monotonic: when it was */
	json_t *json;                              /**< the body; NULL for none */
	size_t n_values;                           /**< of it, reserved of the bound for all */
	char parts[HTTP_PARTS_MAX][HTTP_TEXT_MAX]; /**< what stood for {} in the route */
};

/** That an answer is held for a while instead of being sent: mgmt/http/bell.h. */
struct http_hold {
	uint64_t until_ms; /**< monotonic; 0: it is not held */
	uint64_t rung;     /**< how often the bell had rung when the handler looked */
	unsigned bell;     /**< of the server's */
};

/** A reply, zeroed at the start. */
struct http_reply {
	struct http_hold hold; /**< with it all else is ignored, and the handler runs once more */
	unsigned status;
	json_t *json;     /**< given; or else */
	char *text;       /**< given, from malloc() */
	const char *type; /**< of a text */
	char etag[HTTP_TEXT_MAX];
	uint64_t version;         /**< of what the answer is part of: Weir-Version; 0: of none */
	char challenge[64];       /**< WWW-Authenticate */
	char allow[64];           /**< Allow */
	const char *accept_patch; /**< Accept-Patch (RFC 5789); NULL: none */
	bool replayed;
	unsigned retry_s; /**< asking again then may help: Retry-After; 0: not said */
	bool dense;       /**< json goes without line breaks, which are a third of a long answer */
};

/**
 * Set what the request's handler does from now on, for a client that waits: @p what is a constant
 * text. Any thread.
 */
void http_doing(const struct http_request *r, const char *what);

/** Whether a request of @p method has a body: POST, PUT and PATCH, as far as the API has methods. */
bool http_method_has_body(const char *method);
/**
 * One part of a path, the first @p n bytes of @p at, decoded whole.
 * @return false: it is empty or too long, or it has a slash, which no name has
 */
bool http_path_part(const char *at, size_t n, char out[HTTP_TEXT_MAX]) MUST_CHECK;
/**
 * Whether a field of conditions, "*" or a list (RFC 9110, sections 8.8.3 and 13.1), names @p etag, which has its quotes; "":
 * there is nothing. @param weakly  also as a weak one, as If-None-Match does and If-Match does not
 */
bool http_names_etag(const char *field, const char *etag, bool weakly);
/** The value of query parameter @p name, or NULL. */
const char *http_query(const struct http_request *r, const char *name);
/** Make @p reply a problem (RFC 9457): "code" gives type and title. */
void http_problem(struct http_reply *reply, unsigned status, const char *code, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));
/** The text of a reply's body, from malloc(), given. @return NULL when out of memory */
char *http_reply_text(const struct http_reply *reply);
void http_reply_fini(struct http_reply *reply);

/** Whether the client of @p r has gone, so that waiting for it is in vain. Any thread. */
bool http_gone(const struct http_request *r);

struct http_server;

/**
 * Answers a request; @p request->json and parts are the callee's to fill and to free. In a thread
 * of the server's.
 */
typedef void http_handler(struct core *core, struct http_request *request,
                          struct http_reply *reply);
/**
 * Finds out who asks: sets role and principal, which are empty, or unjudged. @p fd is the connection's socket; @p authorization
 * is NULL where there is none, and "" where it is too long. It never waits.
 */
typedef void http_authenticator(struct core *core, int fd, const char *authorization,
                                struct http_request *request);
/**
 * Whether a request whose head alone is known may be answered, so that its body is worth reading.
 * It never waits.
 * @return false: @p reply says why not
 */
typedef bool http_gate(struct core *core, const struct http_request *request,
                       struct http_reply *reply);

#define HTTP_STATUSES_MAX 32u /* of answers */
/** What servers count, of all servers together. */
struct http_counters {
	uint64_t *requests[HTTP_STATUSES_MAX]; /**< by the status of the answer */
	uint64_t *logins_failed, *refused, *timed_out;
};
/** Make the counters in @p stats, as stats_get_counter() does. */
void http_counters_open(struct stats *stats, struct http_counters *out);

struct http_options {
	int listen_fd; /**< taken */
	int peers_fd;  /**< taken: another of the same address, for peers alone; -1: none */
	bool local;    /**< a UNIX socket */
	struct http_tls_files tls; /**< the caller's; without a certificate no TLS */
	struct core *core;
	http_handler *handler;
	http_authenticator *authenticator;
	http_gate *gate;
	/** whether requests go on: then the UNIX socket's server tells those who wait */
	bool (*is_moving)(struct core *core);
	struct http_bells *bells;             /**< borrowed until the end */
	const struct http_counters *counters; /**< borrowed until the end */
};

/** Serve, in a thread of its own. @return 0, as http_tls_context() (certificate or key) or -errno */
int http_serve(const struct http_options *options, struct http_server **out) MUST_CHECK;
/**
 * Use other files for connections from now on. @return 0, or as http_tls_context(): the former
 * ones stay
 */
int http_renew(struct http_server *s, const struct http_tls_files *files) MUST_CHECK;
/**
 * Why peers that trust @p ca (PEM) and connect to @p host do not accept the certificate of new connections, in @p out
 * (HTTP_TEXT_MAX bytes); "": they do, or there is none.
 */
const char *http_certificate_fault(struct http_server *s, const char *ca, const char *host,
                                   char out[HTTP_TEXT_MAX]);
/** When the certificate of new connections ends, in ms since 1970; 0: there is none, or it is not known. */
int64_t http_certificate_end_ms(struct http_server *s);
/**
 * The addresses of the peers, whose connections have limits of their own, at most HTTP_PEERS_MAX.
 * NULL is fine.
 */
void http_set_peers(struct http_server *s, const struct addr *peers, size_t n);
/** Stop: ends when all requests are answered; those that wait end early. NULL is fine. */
void http_stop(struct http_server *s);

#endif
