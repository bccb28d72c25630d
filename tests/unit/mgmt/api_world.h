/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One node: a real core over a real store in a temporary directory, and the API's routes, which are asked as the server asks
 * them. Its time is the test's own: where a thread would wait for a change, the clock goes on by itself. A suite includes this
 * once, and begins with world_begin().
 */
#ifndef WEIR_TESTS_MGMT_API_WORLD_H
#define WEIR_TESTS_MGMT_API_WORLD_H

#include "bare_core.h"
#include "ctl_server.h"
#include "described.h"
#include "told_time.h"

#include <errno.h>
#include <jansson.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "mgmt/api/route.h"
#include "mgmt/core/to_json.h"
#include "mgmt/peers/timekeep.h"
#include "mgmt/status/observer.h"
#include "mgmt/store/bootstrap.h"

#define BEGIN_MS 1000000u /* of the boot clock, when the wall clock shows NOW_MS */

static void (*meanwhile)(void); /* what others do while one waits; under the lock */

static int own_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m,
                                      const struct timespec *at)
{
	(void)c;
	(void)m;
	told_ms = (uint64_t)at->tv_sec * 1000 + (uint64_t)at->tv_nsec / 1000000;
	if (meanwhile)
		meanwhile();
	return ETIMEDOUT;
}

/* In the suite. */
static inline void world_begin(void)
{
	told_time_begin(TOLD_ALL);
	told_ms = BEGIN_MS;
	told_wall_ms = NOW_MS - BEGIN_MS;
	answer_pthread_cond_timedwait = own_pthread_cond_timedwait;
}

static struct fixture place;
static struct core this_node;
static bool world_shares;         /* a store decides, and has nothing yet */
static struct http_request asker; /* who asks, and the header fields */
static struct http_reply answer;  /* the latest */

static inline void world_open(void)
{
	struct intent_options options = { .conf_dir = place.conf,
		                          .state_dir = place.state,
		                          .node = "ams-1",
		                          .shares = world_shares };

	assert_int_equal(timekeep_open(&this_node), 0);
	assert_int_equal(intent_open(&options, clock_believed_ms(), &this_node.intent), 0);
	observer_open(&this_node);
}

static inline void world_close(void)
{
	observer_stop(&this_node);
	intent_close(this_node.intent);
	timekeep_close(&this_node);
}

static inline int world_setup(void **state)
{
	(void)state;
	told_ms = BEGIN_MS;
	meanwhile = NULL;
	bare_core_make(&this_node, &place);
	this_node.started_ms = this_node.use.moving_ms = told_ms;
	world_open();
	join_start_alone(this_node.intent, NOW_MS);
	memset(&answer, 0, sizeof(answer));
	asker = (struct http_request){
		.role = HTTP_ADMIN, .principal = "ada", .identity = "token:ada", .if_match = "*"
	};
	return 0;
}

static inline int world_teardown(void **state)
{
	(void)state;
	http_reply_fini(&answer);
	world_close();
	fixture_remove(&place);
	return 0;
}

static inline void world_read_query(char *rest, struct http_request *r)
{
	char *pair;

	while ((pair = strsep(&rest, "&"))) {
		struct http_pair *q = &r->query[r->n_query++];

		snprintf(q->name, sizeof(q->name), "%s", strsep(&pair, "="));
		snprintf(q->value, sizeof(q->value), "%s", pair ? pair : "");
	}
}

/*
 * Ask "METHOD /path?name=value" with a body, which may be NULL, as @c asker. An answer is as the description of its route says.
 * @return its status
 */
static inline unsigned ask_route(const char *what, const char *body)
{
	struct http_request r = asker;
	char text[1024], *rest = text;

	snprintf(text, sizeof(text), "%s", what);
	snprintf(r.method, sizeof(r.method), "%s", strsep(&rest, " "));
	snprintf(r.path, sizeof(r.path), "%s", strsep(&rest, "?"));
	if (rest)
		world_read_query(rest, &r);
	r.body = body ? body : "";
	r.n_body = strlen(r.body);
	r.body_is_patch = !strcmp(r.method, "PATCH");
	r.body_is_json = !r.body_is_patch;
	http_reply_fini(&answer);
	memset(&answer, 0, sizeof(answer));
	if (route_gate(&this_node, &r, &answer))
		route_handle(&this_node, &r, &answer);
	described_hold(&this_node, &r, &answer);
	assert_null(r.json);
	assert_int_equal(pthread_mutex_trylock(&this_node.candidate_lock), 0);
	assert_int_equal(pthread_mutex_trylock(&this_node.lock), 0);
	pthread_mutex_unlock(&this_node.lock);
	pthread_mutex_unlock(&this_node.candidate_lock);
	assert_string_equal(intent_principal(this_node.intent), "weir");
	return answer.status;
}

/* The same with @p body, given. */
static inline unsigned ask_with_json(const char *what, json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);
	unsigned status = ask_route(what, text);

	free(text);
	json_decref(body);
	return status;
}

/* A value of the answer by its path: "version.number", "items.0.state"; NULL: it is not there. */
static inline const json_t *value_at(const char *path)
{
	const json_t *at = answer.json;
	char text[100], *rest = text, *name;

	snprintf(text, sizeof(text), "%s", path);
	while ((name = strsep(&rest, ".")))
		at = json_is_array(at) ? json_array_get(at, strtoul(name, NULL, 10))
		                       : json_object_get(at, name);
	return at;
}

static inline const char *text_at(const char *path)
{
	const char *text = json_string_value(value_at(path));

	return text ? text : "";
}

static inline json_int_t number_at(const char *path)
{
	return json_integer_value(value_at(path));
}

static inline bool is_true_at(const char *path)
{
	return json_is_true(value_at(path));
}

/* How many entries a list of the answer has. */
static inline size_t count_at(const char *path)
{
	return json_array_size(value_at(path));
}

/* A process that answers all requests on its control socket with one line, in a thread. */
static struct ctl_server process;

/* Begin process "dns", which says @p says, until end_process(). */
static inline void begin_process(const char *name, const char *says)
{
	ctl_server_start(&process, place.root, name);
	process.answer = says ? says : CTL_CLOSES;
}

static inline void end_process(void)
{
	ctl_server_stop(&process);
}

/* Compare @p told, taken, with @p json. */
static inline void is_told(json_t *told, const char *json)
{
	json_error_t why;
	json_t *expected = json_loads(json, JSON_DECODE_ANY, &why);

	if (!expected)
		fail_msg("column %d: %s", why.column, why.text);
	if (!json_equal(told, expected)) {
		char *text = json_dumps(told, JSON_INDENT(1) | JSON_ENCODE_ANY);

		fail_msg("%s\nand not %s", text, json);
	}
	json_decref(expected);
	json_decref(told);
}

/* The fixture's files with @p from replaced by @p to, as a request has them. */
static inline json_t *files_with(const char *from, const char *to)
{
	struct files files = fixture_files(from, to);
	json_t *object = contents_to_json(&files);

	files_fini(&files);
	return object;
}

/* Apply the fixture's file with a new first line, to be confirmed within @p within ("none": at once). */
static inline unsigned apply_line(const char *line, const char *within)
{
	return ask_with_json("POST /v1/config/apply?wait_ms=0",
	                     json_pack("{s:s, s:o, s:s}", "reason", "x", "files",
	                               files_with("# two sites", line), "confirm_within", within));
}

#endif
