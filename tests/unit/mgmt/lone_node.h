/* SPDX-License-Identifier: BSD-2-Clause */
/* The core of a node of its own, ams-1, on a configuration in a temporary directory. No thread runs. A test includes this once. */
#ifndef WEIR_TESTS_MGMT_LONE_NODE_H
#define WEIR_TESTS_MGMT_LONE_NODE_H

#include "bare_core.h"

#include "mgmt/store/join.h"

static struct fixture place;
static struct core this_node;

/* @param shares  a store decides, and has nothing yet; @param document  instead of the fixture's; NULL: that one */
static inline void lone_node_open_with(bool shares, const char *document)
{
	struct intent_options options = {
		.conf_dir = place.conf, .state_dir = place.state, .node = "ams-1", .shares = shares
	};

	bare_core_make(&this_node, &place);
	if (document)
		fixture_write(place.conf, "weir.conf", document);
	assert_int_equal(intent_open(&options, NOW_MS, &this_node.intent), 0);
	join_start_alone(this_node.intent, NOW_MS);
}

/* @param nodes  of the document besides ams-1 and fra-1, each with its comma */
static inline void lone_node_open(const char *nodes)
{
	static const char begin[] = "nodes = ( ";
	const char *at = strstr(fixture_config, begin) + strlen(begin);
	char text[8192];

	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - fixture_config), fixture_config, nodes,
	         at);
	lone_node_open_with(false, text);
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
