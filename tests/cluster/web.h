/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP between nodes, and of persons at a node, without sockets: web_server.c stands in for the servers of mgmt/http/http.h,
 * web_client.c for mgmt/http/client.h. A request goes over links (link.h) to the server that listens at its
 * address, which runs the product's authenticator, gate and handler in a thread of its host. Bells hold answers as they do in
 * mgmt/http/conn.c. Limits of servers are none of this.
 */
#ifndef TESTS_CLUSTER_WEB_H
#define TESTS_CLUSTER_WEB_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "mgmt/http/http.h"
#include "tests/cluster/sched.h"

#define WEB_ADDRESS_MAX 96u

struct web_server;

/* Make @p number the one by which the links know @p host. */
void web_name_host(struct sched_host *host, unsigned number);
/* Its servers are gone, and nobody says so. */
void web_forget_host(struct sched_host *host);
/* The server that listens at "https://ADDRESS:PORT", or the one of the UNIX socket of @p host; NULL: none. */
struct web_server *web_find(const char *address);
struct web_server *web_find_local(const struct sched_host *host);
struct sched_host *web_host_of(const struct web_server *s);
unsigned web_number_of(const struct sched_host *host);

/* A request on its way through a server. */
struct web_request {
	struct http_request http;
	char *body;                /* its own */
	char login[HTTP_TEXT_MAX]; /* "Bearer ..."; "": it has a role and a principal already */
	atomic_bool is_gone;
	/* out */
	unsigned status; /* 0: no answer */
	char *text;      /* from malloc() */
	bool has_ended;
	void (*ended)(struct web_request *r); /* in the thread that ran it; NULL: none */
	void *arg;
};

/* Count the requests of nodes from now on whose path or body has @p text. */
void web_count(const char *text);
unsigned web_counted(void);

/* Fill in "METHOD", "/path?name=value" and the body. */
void web_request_init(struct web_request *r, const char *method, const char *path,
                      const char *body);
void web_request_fini(struct web_request *r);
/* Let @p s answer it, in a thread of its host; then ended() is called. */
void web_serve(struct web_server *s, struct web_request *r);

#endif
