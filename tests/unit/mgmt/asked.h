/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node of its own whose peers answer from a table: client_send() is the edge. A test includes
 * this once.
 */
#ifndef WEIR_TESTS_MGMT_ASKED_H
#define WEIR_TESTS_MGMT_ASKED_H

#include "fixture.h"

#include <jansson.h>

#include "base/clock.h"
#include "mgmt/http/client.h"
#include "mgmt/core/core.h"
#include "mgmt/store/join.h"

#define ASKED_MAX 16

/*
 * What is answered to a request whose address ends in @c path: JSON with status 200, or only a
 * status.
 */
struct asked_row {
	const char *path, *json;
	long status;
};

static const struct asked_row *asked_rows; /* ends with a path of NULL */
static struct {
	char url[CLIENT_URL_MAX], body[4096];
} requested[ASKED_MAX];
static size_t n_asked;

void client_open(struct peer_client *c, const char *conf_dir)
{
	(void)conf_dir;
	memset(c, 0, sizeof(*c));
}

void client_close(struct peer_client *c)
{
	(void)c;
}

static void answer_one(struct client_request *r)
{
	size_t n = strlen(r->url);

	assert_true(n_asked < ASKED_MAX);
	snprintf(requested[n_asked].url, sizeof(requested[0].url), "%s", r->url);
	snprintf(requested[n_asked++].body, sizeof(requested[0].body), "%s",
	         r->body ? r->body : "");
	snprintf(r->failure, sizeof(r->failure), "silent");
	for (const struct asked_row *row = asked_rows; row && row->path; row++) {
		size_t n_path = strlen(row->path);

		if (n < n_path || strcmp(r->url + n - n_path, row->path) != 0)
			continue;
		r->status = row->json ? 200 : row->status;
		r->answer = row->json ? json_loads(row->json, 0, NULL) : NULL;
		return;
	}
}

void client_send(struct peer_client *c, struct client_request *requests, size_t n)
{
	(void)c;
	for (size_t i = 0; i < n; i++) {
		answer_one(&requests[i]);
		if (requests[i].done)
			requests[i].done(&requests[i]);
	}
}

/* The edge of the exchange's own loop: it asks nobody here. */
int client_loop_open(struct client_loop *l, struct peer_client *client, const char *conf_dir,
                     struct loop *loop)
{
	client_open(client, conf_dir);
	*l = (struct client_loop){ .client = client, .loop = loop };
	return 0;
}

void client_loop_begin(struct client_loop *l, struct client_request *r)
{
	(void)l;
	answer_one(r);
	if (r->done)
		r->done(r);
}

static struct fixture asked_place;
static struct core this_node;
static bool asked_shares; /* a store decides, and has nothing yet */

static inline void asked_open(void)
{
	struct intent_options options = { .conf_dir = asked_place.conf,
		                          .state_dir = asked_place.state,
		                          .node = "ams-1",
		                          .shares = asked_shares };

	assert_int_equal(intent_open(&options, NOW_MS, &this_node.intent), 0);
	join_start_alone(this_node.intent, NOW_MS);
}

static inline int asked_setup(void **state)
{
	(void)state;
	fixture_make(&asked_place);
	memset(&this_node, 0, sizeof(this_node));
	pthread_mutex_init(&this_node.lock, NULL);
	pthread_mutex_init(&this_node.candidate_lock, NULL);
	pthread_mutex_init(&this_node.compare_lock, NULL);
	pthread_cond_init(&this_node.changed, NULL);
	snprintf(this_node.dirs.conf, sizeof(this_node.dirs.conf), "%s", asked_place.conf);
	snprintf(this_node.dirs.run, sizeof(this_node.dirs.run), "%s", asked_place.root);
	snprintf(this_node.dirs.state, sizeof(this_node.dirs.state), "%s", asked_place.state);
	snprintf(this_node.dirs.node, sizeof(this_node.dirs.node), "ams-1");
	asked_open();
	asked_rows = NULL;
	n_asked = 0;
	return 0;
}

static inline int asked_teardown(void **state)
{
	(void)state;
	intent_close(this_node.intent);
	fixture_remove(&asked_place);
	return 0;
}

/* Whether somebody has the node's lock. */
static inline bool asked_is_locked(void)
{
	if (pthread_mutex_trylock(&this_node.lock))
		return true;
	pthread_mutex_unlock(&this_node.lock);
	return false;
}

/* For macros: @p call is made under the lock. */
#define UNDER_LOCK(call) (assert_true(asked_is_locked()), call)

/* Apply the fixture's file with a new first line. */
static inline void asked_apply(const char *words, int64_t within_ms, int64_t now_ms)
{
	struct files files = fixture_files("# two sites", words);
	struct intent_change change = { .files = &files,
		                        .author = "jw",
		                        .reason = "x",
		                        .pending = INTENT_PENDING_IGNORE,
		                        .confirm_within_ms = within_ms };
	struct intent_changed changed = { 0 };

	assert_int_equal(intent_change(this_node.intent, &change, now_ms, &changed), 0);
	intent_changed_fini(&changed);
	files_fini(&files);
}

#endif
