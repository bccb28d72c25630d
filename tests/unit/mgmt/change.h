/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mgmt/api/handle_config.c over a real intent, with its edges (waiting, tables, weir-dns)
 * in the test's hands. A test includes this once.
 */
#ifndef WEIR_TESTS_MGMT_CHANGE_H
#define WEIR_TESTS_MGMT_CHANGE_H

#include "asked.h"

#include <errno.h>

#include "base/ctl.h"
#include "mgmt/api/handle.h"
#include "mgmt/api/old_file.h"
#include "mgmt/observe/observe.h"
#include "mgmt/api/voters.h"
#include "mgmt/api/route_warnings.h"
#include "weir/effect.h"

/* What the edges do and have seen. */
static struct world {
	unsigned n_waits, n_judged, n_changed, n_dns, n_closed;
	bool has_tables;
	char dns[64];
	void (*meanwhile)(
	        void); /* what another node does after this one has looked what a file takes back; once */
} world;
static int64_t now_ms;

static int64_t fake_believed_ms(void)
{
	return now_ms;
}

static inline bool is_locked(pthread_mutex_t *m)
{
	if (pthread_mutex_trylock(m))
		return true;
	pthread_mutex_unlock(m);
	return false;
}

static inline void fake_wait(struct core *core, const struct http_request *r,
                             struct http_reply *reply)
{
	(void)r;
	(void)reply;
	assert_false(is_locked(&core->lock));
	assert_false(is_locked(&core->candidate_lock));
	world.n_waits++;
}

static inline void fake_judge(struct core *core)
{
	assert_true(is_locked(&core->lock));
	world.n_judged++;
}

static inline void fake_changed(struct core *core)
{
	assert_true(is_locked(&core->lock));
	world.n_changed++;
}

static inline void fake_open(const char *run_dir, struct observe_pages *out)
{
	(void)run_dir;
	*out = (struct observe_pages){ .effect =
		                               world.has_tables ? (struct effect *)&world : NULL };
}

static inline void fake_close(struct observe_pages *p)
{
	(void)p;
	world.n_closed++;
}

/* The tables have one pool. */
static inline int fake_pool(const struct effect *e, const char *pool, struct effect_pool *out)
{
	(void)e;
	if (strcmp(pool, "web-ams") != 0)
		return -ENOENT;
	*out = (struct effect_pool){ .full = 17, .empty = 3, .unsettled = 4 };
	return 0;
}

static inline int fake_ask(const char *path, const char *request, int timeout_ms, char **answer)
{
	(void)timeout_ms;
	assert_non_null(strstr(request, "zone-reload"));
	snprintf(world.dns, sizeof(world.dns), "%s", strrchr(path, '/') + 1);
	world.n_dns++;
	*answer = strdup("{}");
	return 0;
}

static inline void fake_voters(struct core *core, const struct advice *advice, json_t *warnings)
{
	(void)core;
	assert_int_equal(advice->n_nodes, 2);
	json_array_append_new(warnings, json_string("of voters"));
}

static inline void fake_route_warnings(struct core *core, const struct advice *advice,
                                       json_t *warnings)
{
	(void)core;
	assert_int_equal(advice->n_nodes, 2);
	json_array_append_new(warnings, json_string("of ways"));
}

static inline int look_then_change(struct core *core, const struct old_file *from,
                                   const struct intent_candidate *candidate, json_t **reverted)
{
	int err = old_file_check(core, from, candidate, reverted);

	if (world.meanwhile)
		world.meanwhile();
	world.meanwhile = NULL;
	return err;
}

/* What others may change meanwhile is looked at under the lock. */
#define intent_head(in)                         UNDER_LOCK(intent_head(in))
#define intent_head_files(in)                   UNDER_LOCK(intent_head_files(in))
#define intent_confirm(in, n, a, t)             UNDER_LOCK(intent_confirm(in, n, a, t))
#define intent_candidate_begin(in, c, t, d)     UNDER_LOCK(intent_candidate_begin(in, c, t, d))
#define intent_candidate_commit(in, c, d, t, o) UNDER_LOCK(intent_candidate_commit(in, c, d, t, o))
#define intent_candidate_again(in, d)           UNDER_LOCK(intent_candidate_again(in, d))

/* The private parts too. */
#define clock_believed_ms    fake_believed_ms
#define handle_wait          fake_wait
#define inforce_judge        fake_judge
#define core_changed         fake_changed
#define observe_open         fake_open
#define observe_close        fake_close
#define effect_pool(e, p, o) fake_pool(e, p, o)
#define ctl_request          fake_ask
#define voters_add_warning   fake_voters
#define old_file_check       look_then_change
#define route_warnings_add   fake_route_warnings
#include "mgmt/api/handle_config.c"
#undef effect_pool
#undef intent_head
#undef intent_head_files

static struct http_reply answer;

static inline int setup(void **state)
{
	(void)asked_setup(state);
	world = (struct world){ 0 };
	now_ms = NOW_MS + 1000;
	memset(&answer, 0, sizeof(answer));
	return 0;
}

static inline int teardown(void **state)
{
	http_reply_fini(&answer);
	assert_false(is_locked(&this_node.lock));
	assert_false(is_locked(&this_node.candidate_lock));
	assert_string_equal(intent_principal(this_node.intent), "weir");
	return asked_teardown(state);
}

/* The files of the fixture with @p from replaced by @p to, as a request has them. */
static inline json_t *files_with(const char *from, const char *to)
{
	struct files files = fixture_files(from, to);
	json_t *object = contents_to_json(&files);

	files_fini(&files);
	return object;
}

/* A request with the JSON @p body (given) as an operator's, and a query of one pair. */
static inline struct http_request request_of(json_t *body, const char *query, const char *if_match)
{
	struct http_request r = { .method = "POST",
		                  .role = HTTP_OPERATOR,
		                  .principal = "ada",
		                  .identity = "token:ada",
		                  .json = body };
	const char *eq = strchr(query, '=');

	if (eq) {
		r.n_query = 1;
		snprintf(r.query[0].name, sizeof(r.query[0].name), "%.*s", (int)(eq - query),
		         query);
		snprintf(r.query[0].value, sizeof(r.query[0].value), "%s", eq + 1);
	}
	snprintf(r.if_match, sizeof(r.if_match), "%s", if_match);
	return r;
}

/* Ask @p handler; @p part is the number in the path. @return the status */
static inline unsigned ask_handler(http_handler *handler, json_t *body, const char *part,
                                   const char *query, const char *if_match)
{
	struct http_request r = request_of(body, query, if_match);

	snprintf(r.parts[0], sizeof(r.parts[0]), "%s", part);
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	handler(&this_node, &r, &answer);
	json_decref(body);
	return answer.status;
}

/* A change of the file, which nothing follows from: it is not risky. */
static inline json_t *body_with(const char *words, const char *more)
{
	json_t *body = json_pack("{s:s, s:o}", "reason", "because", "files",
	                         files_with("# two sites", words));
	json_t *other = json_loads(more, 0, NULL);

	assert_non_null(other);
	json_object_update(body, other);
	json_decref(other);
	return body;
}

static inline unsigned apply_change(const char *words, const char *more, const char *query)
{
	return ask_handler(handle_config_apply, body_with(words, more), "", query, "*");
}

static inline const json_t *part_of(const char *name)
{
	return json_object_get(answer.json, name);
}

static inline const char *text_of(const char *object, const char *name)
{
	const json_t *in = *object ? part_of(object) : answer.json;
	const char *text = json_string_value(json_object_get(in, name));

	return text ? text : "";
}

static inline json_int_t number_of(const char *object, const char *name)
{
	const json_t *in = *object ? part_of(object) : answer.json;

	return json_integer_value(json_object_get(in, name));
}

static inline uint64_t head_number(void)
{
	return intent_head(this_node.intent)->number;
}

static inline bool has_warning(const char *words)
{
	const json_t *list = json_object_get(part_of("plan"), "warnings"), *item;
	size_t i;

	json_array_foreach(list, i, item) if (strstr(json_string_value(item), words)) return true;
	return false;
}

static inline json_t *make_reason(void)
{
	return json_pack("{s:s}", "reason", "back");
}

/* Two versions: the second has more room in a pool. */
static inline void grow_pool(void)
{
	json_t *body = json_pack("{s:s, s:o}", "reason", "grow", "files",
	                         files_with("max_backends = 10", "max_backends = 20"));

	assert_int_equal(ask_handler(handle_config_apply, body, "", "", "*"), 201);
	world = (struct world){ 0 };
}

#endif
