/* SPDX-License-Identifier: BSD-2-Clause */
/* A node of its own, with a first version. A test includes this once. */
#ifndef WEIR_TESTS_MGMT_CORE_NODE_H
#define WEIR_TESTS_MGMT_CORE_NODE_H

#include "fixture.h"

#include "base/clock.h"
#include "mgmt/core/core.h"
#include "mgmt/store/join.h"

static struct fixture node_place;
static struct core this_node;

/* Open the store of the node; the configuration is as it is there now. */
static inline void core_node_open(void)
{
	struct intent_options options = { .conf_dir = node_place.conf,
		                          .state_dir = node_place.state,
		                          .node = "ams-1" };

	assert_int_equal(intent_open(&options, NOW_MS, &this_node.intent), 0);
	join_start_alone(this_node.intent, NOW_MS);
}

/* Write its weir.conf with @p from replaced by @p to once. */
static inline void core_node_write(const char *from, const char *to)
{
	const char *at = strstr(fixture_config, from);
	char text[8192];

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - fixture_config), fixture_config, to,
	         at + strlen(from));
	fixture_write(node_place.conf, FILES_MAIN, text);
}

static inline int core_node_setup(void **state)
{
	(void)state;
	fixture_make(&node_place);
	memset(&this_node, 0, sizeof(this_node));
	pthread_mutex_init(&this_node.lock, NULL);
	pthread_mutex_init(&this_node.candidate_lock, NULL);
	pthread_mutex_init(&this_node.compare_lock, NULL);
	pthread_cond_init(&this_node.changed, NULL);
	snprintf(this_node.dirs.conf, sizeof(this_node.dirs.conf), "%s", node_place.conf);
	snprintf(this_node.dirs.run, sizeof(this_node.dirs.run), "%s", node_place.root);
	snprintf(this_node.dirs.state, sizeof(this_node.dirs.state), "%s", node_place.state);
	snprintf(this_node.dirs.node, sizeof(this_node.dirs.node), "ams-1");
	core_node_open();
	return 0;
}

static inline int core_node_teardown(void **state)
{
	(void)state;
	intent_close(this_node.intent);
	fixture_remove(&node_place);
	return 0;
}

#endif
