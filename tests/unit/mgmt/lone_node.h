/* SPDX-License-Identifier: BSD-2-Clause */
/* The core of a node of its own, ams-1, on a configuration in a temporary directory. No thread runs. A test includes this once. */
#ifndef WEIR_TESTS_MGMT_LONE_NODE_H
#define WEIR_TESTS_MGMT_LONE_NODE_H

#include "bare_core.h"

#include "base/clock.h"
#include "mgmt/store/bootstrap.h"

static struct fixture place;
static struct core this_node;

/* @param shares  a store decides, and has nothing yet */
static inline void lone_node_open_store(bool shares)
{
	struct intent_options options = {
		.conf_dir = place.conf, .state_dir = place.state, .node = "ams-1", .shares = shares
	};

	assert_int_equal(intent_open(&options, NOW_MS, &this_node.intent), 0);
}

/* Open the store, which takes the configuration as it is there now for its first version. */
static inline void lone_node_start(bool shares)
{
	lone_node_open_store(shares);
	join_start_alone(this_node.intent, NOW_MS);
}

/* Close the store, and remove it. @param document  the configuration from now on; NULL: as before */
static inline void lone_node_forget(const char *document)
{
	intent_close(this_node.intent);
	assert_int_equal(files_remove_dir(place.state), 0);
	assert_int_equal(mkdir(place.state, 0755), 0);
	if (document)
		fixture_write(place.conf, FILES_MAIN, document);
}

/* @param document  instead of the fixture's; NULL: that one */
static inline void lone_node_open_with(bool shares, const char *document)
{
	bare_core_make(&this_node, &place);
	if (document)
		fixture_write(place.conf, FILES_MAIN, document);
	lone_node_start(shares);
}

/* @param nodes  of the document besides ams-1 and fra-1, each with its comma */
static inline void lone_node_open(const char *nodes)
{
	char text[2048];

	snprintf(text, sizeof(text), "nodes = ( %s", nodes);
	lone_node_open_with(false, fixture_text("nodes = ( ", text));
}

static inline int lone_node_setup(void **state)
{
	(void)state;
	lone_node_open_with(false, NULL);
	return 0;
}

static inline int lone_node_close(void **state)
{
	(void)state;
	intent_close(this_node.intent);
	fixture_remove(&place);
	return 0;
}

/* Whether somebody has the node's lock. */
static inline bool lone_node_is_locked(void)
{
	if (pthread_mutex_trylock(&this_node.lock))
		return true;
	pthread_mutex_unlock(&this_node.lock);
	return false;
}

/* Apply the fixture's file with a new first line. */
static inline void lone_node_apply(const char *words, int64_t within_ms, int64_t now_ms)
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
