/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small etcd: what its JSON gateway (3.4) says to the requests of mgmt/etcd/request.h, over one store whose decisions are
 * atomic. Members, elections and disks are none of this. It knows no clock: who drives it says which leases have ended.
 *
 * Implemented in tests/cluster/etcd_model.c. No threads, no I/O.
 */
#ifndef TESTS_CLUSTER_ETCD_MODEL_H
#define TESTS_CLUSTER_ETCD_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct etcd_model;

struct etcd_model *etcd_model_new(uint64_t cluster_id);
void etcd_model_free(struct etcd_model *m);

/*
 * Answer a request, but for a watch.
 * @param path    as "/v3/kv/range"
 * @param member  which one answers: its id
 * @param status  out: of HTTP
 * @return the body, given
 */
json_t *etcd_model_answer(struct etcd_model *m, const char *path, const json_t *body,
                          uint64_t member, long *status);

int64_t etcd_model_revision(const struct etcd_model *m);
/* What is before @p revision cannot be read any more. */
void etcd_model_compact(struct etcd_model *m, int64_t revision);

/* The store is as it was at @p revision, as of another cluster: it was restored from a backup. Leases are gone. */
void etcd_model_restore(struct etcd_model *m, int64_t revision, uint64_t cluster_id);

/* Leases by their time: @p passed_ms have gone by; the keys of those that end are deleted. */
void etcd_model_pass_time(struct etcd_model *m, int64_t passed_ms);

/* A watch, as its request began it. */
struct etcd_model_watch {
	char *key, *end; /* JSON's base64, decoded; end NULL: the key alone */
	size_t n_key, n_end;
	int64_t next; /* the first revision that it has not brought */
	bool is_created, is_canceled;
};
void etcd_model_watch_init(struct etcd_model_watch *w, const json_t *body);
void etcd_model_watch_fini(struct etcd_model_watch *w);
/*
 * The next line of a watch, given; NULL: there is nothing new. All events up to now, those of a revision together.
 */
json_t *etcd_model_watch_line(struct etcd_model *m, struct etcd_model_watch *w, uint64_t member);

#endif
