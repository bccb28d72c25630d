/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What scenes are made of: a cluster, persons who ask it, and judgements by what the API and the disk show.
 *
 * A judgement that fails ends the scene, and says where and when.
 * Implemented in tests/cluster/scene.c.
 */
#ifndef TESTS_CLUSTER_SCENE_H
#define TESTS_CLUSTER_SCENE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/cluster/etcd_net.h"
#include "tests/cluster/link.h"
#include "tests/cluster/node.h"

#define SCENE_SITES 3u

struct scene {
	const char *name;
	uint64_t seed;
	bool is_verbose;
	struct node *node[NODE_MAX];
	size_t n_nodes;
	bool has_store;
};

/* A scene by its name; it is given a seed's world, in which nothing runs yet. */
struct scene_row {
	const char *name;
	void (*play)(struct scene *s);
	const char *what;
};
extern const struct scene_row scene_rows[];
extern const size_t scene_rows_n;

/* Who asks. */
extern const struct node_person scene_ada;    /* an operator */
extern const struct node_person scene_bob;    /* on call */
extern const struct node_person scene_viewer; /* may look */

/* Say that the scene has failed, and end the process. */
__attribute__((format(printf, 4, 5), noreturn)) void
scene_fail(const struct scene *s, const char *file, int line, const char *format, ...);
/* Note what happens, where that is asked for. */
__attribute__((format(printf, 2, 3))) void scene_note(const struct scene *s, const char *format,
                                                      ...);
#define JUDGE(s, holds, ...)                                                                       \
	do {                                                                                       \
		if (!(holds))                                                                      \
			scene_fail((s), __FILE__, __LINE__, __VA_ARGS__);                          \
	} while (0)

/* Make @p n nodes, at sites ams, fra, lon by turns, which share a store or not; and start them. */
void scene_begin(struct scene *s, size_t n, bool has_store);
/* All nodes end. */
void scene_end(struct scene *s);

/*
 * A document of the cluster, given: the configuration with the backend's weight, which says how it differs from others.
 */
char *scene_document(const struct scene *s, unsigned weight);
/* The body of an apply of it, given. @param within  "1m", "none" or NULL */
char *scene_apply_body(const struct scene *s, unsigned weight, const char *within,
                       const char *reason);
/* Apply it at @p n; the answer is to be freed. */
struct node_answer scene_apply(const struct scene *s, struct node *n, unsigned weight,
                               const char *within);
/* POST with a body that is printed. */
__attribute__((format(printf, 4, 5))) struct node_answer scene_post(struct node *n,
                                                                    const struct node_person *who,
                                                                    const char *path,
                                                                    const char *format, ...);

/* A value by its path, as "version.number" or "items.0.state"; NULL: it is not there. */
const json_t *scene_value(const json_t *json, const char *path);
const char *scene_text(const json_t *json, const char *path); /* "": none */
int64_t scene_number(const json_t *json, const char *path);   /* -1: none */

/* The weight that is in force at a node, by GET /v1/config; 0: none is. */
unsigned scene_weight(struct node *n);
/* The same by the effective document on its disk. */
unsigned scene_weight_on_disk(struct node *n);
/* The state of a version as GET /v1/versions/N has it, in a buffer of the callee's. */
const char *scene_version_state(struct node *n, int64_t number);
/* Whether an event's text has all of @p words, which may be NULL from the first NULL on. */
bool scene_has_event(struct node *n, const char *a, const char *b);
/* What a node shows of what is in force, as one text, given: the version, and overrides that have not ended. */
char *scene_shown(struct node *n);
/* Wait until all nodes that run show the same, for at most @p ms. @return whether they do */
bool scene_wait_equal(struct scene *s, uint64_t ms);
/* Wait until @p holds of all that run. */
bool scene_wait_all(struct scene *s, bool (*holds)(struct node *n, void *arg), void *arg,
                    uint64_t ms);
/* A node that runs, by the seed; NULL: none does. */
struct node *scene_any(struct scene *s);

#endif
