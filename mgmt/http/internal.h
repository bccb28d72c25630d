/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * What serve.c (a server: its thread, listener, limits), conn.c (one connection),
 * send.c (its bytes and its answers) and room.c (its room at the server) share.
 *
 * All of it belongs to the server's thread, but for what the server's lock guards and what a job
 * has while a handler runs.
 *
 * The functions below stand under the file that implements them.
 */
#ifndef WEIR_MGMT_HTTP_INTERNAL_H
#define WEIR_MGMT_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/loop.h"
#include "base/thread.h"
#include "mgmt/http/bell.h"
#include "mgmt/http/http.h"
#include "mgmt/http/limit.h"
#include "mgmt/http/parse.h"
#include "mgmt/http/tls.h"
#include "mgmt/http/work.h"

/*
 * How long a client may take. A slow line has time enough; a client that only occupies a place
 * has not.
 */
#define HTTP_HANDSHAKE_MS  10000u
#define HTTP_HEAD_MS       10000u
#define HTTP_IDLE_MS       30000u             /* between two requests */
#define HTTP_IDLE_KNOWN_MS 75000u             /* the same for known ones */
#define HTTP_BODY_MS       20000u             /* and a second for each HTTP_SLOWEST bytes */
#define HTTP_WRITE_MS      20000u             /* the same */
#define HTTP_SLOWEST       ((size_t)64 << 10) /* bytes a second */
#define HTTP_QUEUE_MS      15000u             /* for a thread */
#define HTTP_LINGER_MS     5000u              /* for the client to read a refusal */
#define HTTP_DROP_MAX      ((size_t)64 << 10) /* bytes of a refused request, thrown away in one read */
#define HTTP_PULSE_MS      1000u              /* between two interim answers */
#define HTTP_HELD_MAX      512u               /* answers; beyond it they are sent at once */

/* The statuses of answers, with their reason phrases (RFC 9110, 15): each is counted. */
#define HTTP_STATUSES(X)                                                                           \
	X(200, "OK")                                                                               \
	X(201, "Created")                                                                          \
	X(202, "Accepted")                                                                         \
	X(304, "Not Modified")                                                                     \
	X(400, "Bad Request")                                                                      \
	X(401, "Unauthorized")                                                                     \
	X(403, "Forbidden")                                                                        \
	X(404, "Not Found")                                                                        \
	X(405, "Method Not Allowed")                                                               \
	X(408, "Request Timeout")                                                                  \
	X(409, "Conflict")                                                                         \
	X(410, "Gone")                                                                             \
	X(412, "Precondition Failed")                                                              \
	X(413, "Content Too Large")                                                                \
	X(414, "URI Too Long")                                                                     \
	X(415, "Unsupported Media Type")                                                           \
	X(417, "Expectation Failed")                                                               \
	X(422, "Unprocessable Content")                                                            \
	X(428, "Precondition Required")                                                            \
	X(429, "Too Many Requests")                                                                \
	X(431, "Request Header Fields Too Large")                                                  \
	X(500, "Internal Server Error")                                                            \
	X(501, "Not Implemented")                                                                  \
	X(503, "Service Unavailable")                                                              \
	X(505, "HTTP Version Not Supported")

#define HTTP_COUNT_STATUS(status, phrase) +1
enum { HTTP_N_STATUSES = HTTP_STATUSES(HTTP_COUNT_STATUS) };
_Static_assert(HTTP_N_STATUSES <= HTTP_STATUSES_MAX, "each is counted");

/*
 * The limits of a server. "Known" are peers, over TCP; root and weir-mgmt's own user on the UNIX
 * socket.
 */
struct http_limits {
	unsigned strangers, known;         /* connections */
	unsigned per_stranger, per_known;  /* connections of one source */
	unsigned runs;                     /* requests under way of one stranger's source */
	size_t threads[2];                 /* for strangers, for known ones */
	size_t bodies, strangers_bodies;   /* bytes */
	size_t answers, strangers_answers; /* bytes */
};

enum http_state {
	HTTP_HANDSHAKE,
	HTTP_HEAD, /* waiting for a request, or reading its head */
	HTTP_BODY,
	HTTP_QUEUED,  /* read whole; waiting for a thread */
	HTTP_RUNNING, /* in a thread; the connection is only watched for its end */
	HTTP_HELD,    /* the answer waits for a bell; watched in the same way */
	HTTP_WRITE,
	HTTP_LINGER, /* answered without having been read whole: what still comes is dropped */
};

struct http_conn {
	struct http_job job; /* the first */
	struct http_server *server;
	struct http_conn *older, *newer;
	int fd;
	struct ssl_st *tls; /* NULL: none */
	struct http_source *source;
	bool known;
	enum http_state state;
	uint64_t since_ms, deadline_ms; /* of the state */
	struct loop_timer timer;
	uint32_t wants;     /* epoll's events */
	bool watched;       /* it is in the loop, with wants */
	bool shook;         /* the handshake has had its token */
	bool resumes;       /* the timer is to go on reading */
	uint64_t judged_ms; /* when it was found out who sent the request */
	atomic_bool gone;   /* its client is; handlers look */
	_Atomic(const char *)
	        doing; /* what a handler does, a constant text; NULL: nothing that takes long */
	char *in;      /* HTTP_HEAD_MAX bytes, or NULL */
	size_t n_in, n_scanned;
	struct http_head head;
	struct http_request *request; /* NULL between two */
	struct http_chunks chunks;
	char *body;
	size_t n_body, body_room, body_reserved; /* taken of the budget */
	struct http_hold hold;                   /* while it is HTTP_HELD */
	struct http_reply reply;
	char *text;  /* of the reply */
	bool unread; /* the request was not read to its end: close after the answer */
	char *out;
	size_t n_out, at_out, out_reserved;
};

struct http_server {
	struct http_options options;
	const struct http_limits *limits;
	struct loop *loop;
	struct thread thread;
	int wake_fd;
	/* looks at the listener again after a lack of descriptors */
	struct loop_timer listen_timer;
	struct ssl_ctx_st *tls;
	struct http_sources sources;
	struct http_budget bodies, answers;
	struct http_tokens handshakes, drops;
	struct http_pool *pools[2];
	struct http_conn *oldest, *newest;
	unsigned n_conns[2]; /* of strangers, of known ones */
	size_t n_queued, n_held;
	uint64_t heard[HTTP_BELLS]; /* how often each had rung at the last release */
	uint64_t stop_by_ms;        /* 0: it serves */
	uint64_t refusal_logged_ms;
	uint64_t n_refused; /* since then */
	uint64_t n_lingered;
	pthread_mutex_t lock; /* guards all below */
	struct ssl_ctx_st *next_tls;
	struct addr peers[HTTP_PEERS_MAX];
	size_t n_peers;
	bool steers; /* the peers were given their queue */
	bool stopping;
};

enum http_step { HTTP_GO_ON, HTTP_WAIT, HTTP_END };

/* Of send.c */

/** As recv() and send(), with TLS or without; -EAGAIN: c->wants says what to wait for. */
ssize_t http_read_bytes(struct http_conn *c, void *out, size_t n);
ssize_t http_write_bytes(struct http_conn *c, const void *bytes, size_t n);
/** Begin to send the reply that c holds; c->text is its text, or NULL. */
enum http_step http_send_reply(struct http_conn *c);
/**
 * Answer with a problem and end the connection: where a further request begins is not known, or
 * it is not wanted.
 */
enum http_step http_refuse(struct http_conn *c, unsigned status, const char *code,
                           const char *detail);
/** Say that the request is being worked on, if its client asked for that. */
void http_send_pulse(struct http_conn *c);
enum http_step http_step_write(struct http_conn *c);
enum http_step http_step_linger(struct http_conn *c);
/** Free the body, the output; give back what they took of their budgets. */
void http_give_body(struct http_conn *c);
void http_give_out(struct http_conn *c);

/* Of conn.c */

/** Start an accepted connection. It closes itself, or http_conn_close() does. */
void http_conn_begin(struct http_conn *c);
/** Run the connection until it has to wait. */
void http_conn_advance(struct http_conn *c);
/** The handler of @p c is done: its answer is sent or held. */
void http_conn_answered(struct http_conn *c);
/** Queue the request of @p c, whose answer is held, if its bell has rung. */
void http_conn_release(struct http_conn *c);
/** Close and free the connection; not while its handler runs. */
void http_conn_close(struct http_conn *c);

/* Of room.c */

/** Enter @p state, for at most @p within_ms. */
void http_enter(struct http_conn *c, enum http_state state, uint64_t within_ms);
/** Whether there is room for a connection of @p source; @p victim is to be closed for it then, NULL: none. */
bool http_server_room(const struct http_server *s, const struct http_source *source, bool known,
                      struct http_conn **victim);
/** Add @p c, which was accepted; forget it, which is being closed. */
void http_server_link(struct http_server *s, struct http_conn *c);
/** The context of new connections, which a renewal changes; of the server's thread. */
struct ssl_ctx_st *http_server_tls(struct http_server *s);
void http_server_forget(struct http_server *s, struct http_conn *c);
/** @p c has shown the peers' token. */
void http_server_know(struct http_server *s, struct http_conn *c);
/** Whether a handshake may be made now. */
bool http_server_handshake_ok(struct http_server *s, struct http_conn *c);
/** Whether a read of a refused request may be made now, whose bytes are thrown away. */
bool http_server_drop_ok(struct http_server *s, struct http_conn *c);

/** Of serve.c: count an answer. */
void http_server_count(struct http_server *s, unsigned status);

#endif
