/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node: a host with its folders and clocks, and weir-mgmt, whose main thread and all others run by tests/cluster/sched.h.
 * What it has on its disk outlives a stop and a kill. A kill leaves the folders as they are at that moment: the process that
 * follows gets a copy, as the dead one's files are open still.
 *
 * Implemented in tests/cluster/node.c; the scene's thread calls.
 */
#ifndef TESTS_CLUSTER_NODE_H
#define TESTS_CLUSTER_NODE_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/proc.h"
#include "mgmt/http/http.h"
#include "tests/cluster/sched.h"

#define NODE_MAX 5u

struct node;

/* All nodes' folders are below this one, which is made; node_end() removes it. No scheduler is needed. */
void node_begin(void);
void node_end(void);
const char *node_folder(void);
/* A node with its number among the links, its name and its configuration directory's files. It does not run. */
struct node *node_new(unsigned number, const char *name);
const char *node_name(const struct node *n);
unsigned node_number(const struct node *n);
struct sched_host *node_host(const struct node *n);
const struct proc_dirs *node_dirs(const struct node *n);
bool node_runs(const struct node *n);
/* Write a file of the configuration directory. */
void node_write(const struct node *n, const char *file, const char *text);

/* Start weir-mgmt; it answers once this returns. @return false: it ended instead */
bool node_start(struct node *n);
/* SIGTERM, and wait for the end. */
void node_stop(struct node *n);
/* SIGKILL. */
void node_kill(struct node *n);
/* The host is booted: its boot clock begins again. It does not run. */
void node_reboot(struct node *n);
/* Its disk is empty: only what was written by node_write() is there. It does not run. */
void node_wipe(struct node *n);

/* An answer of the API. */
struct node_answer {
	unsigned status; /* 0: none came in time */
	json_t *json;    /* NULL: none */
	char *text;
};
void node_answer_fini(struct node_answer *a);

/* Who asks over the UNIX socket. */
struct node_person {
	const char *name; /* "ada" */
	enum http_role role;
	const char *if_match; /* of what is no GET; NULL: "*", whatever is in force */
	const char *key;      /* Idempotency-Key; NULL: none */
};

/* A request that is under way. */
struct node_request;
struct node_request *node_send(struct node *n, const struct node_person *who, const char *method,
                               const char *path, const char *body);
bool node_has_answer(const struct node_request *r);
/* Wait for its end, and free it. @return given */
struct node_answer node_take(struct node_request *r);
/* All of this at once, for at most a minute of virtual time. */
struct node_answer node_ask(struct node *n, const struct node_person *who, const char *method,
                            const char *path, const char *body);
/* GET as a viewer; NULL unless it is answered by 200; given. */
json_t *node_get(struct node *n, const char *path);
/* A file of its state directory; given; NULL: there is none. */
char *node_state_file(const struct node *n, const char *name);

/* Let time go on. */
void node_run_ms(uint64_t ms);

#endif
