/* SPDX-License-Identifier: BSD-2-Clause */
/* A node of its own, with a first version. A test includes this once. */
#ifndef WEIR_TESTS_MGMT_CORE_NODE_H
#define WEIR_TESTS_MGMT_CORE_NODE_H

#include "bare_core.h"

#include "base/clock.h"
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
	bare_core_make(&this_node, &node_place);
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
