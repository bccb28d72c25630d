/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A node with a real core and a real store in a temporary directory, without threads of its own. A test includes this once.
 */
#ifndef WEIR_TESTS_MGMT_THIS_NODE_H
#define WEIR_TESTS_MGMT_THIS_NODE_H

#include "bare_core.h"

#include "base/clock.h"
#include "mgmt/observe/observe.h"
#include "mgmt/peers/timekeep.h"
#include "mgmt/store/bootstrap.h"

static struct fixture node_place;
static struct core this_node;

/* Replace @p from by @p to in each place of the configuration on the disk; before the node opens. */
static inline void node_configure(const char *from, const char *to)
{
	static char was[1 << 20], text[1 << 20];
	char path[PATH_MAX];
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/weir.conf", node_place.conf);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	was[fread(was, 1, sizeof(was) - 1, f)] = '\0';
	fclose(f);
	assert_non_null(strstr(was, from));
	for (const char *at = was; *at;)
		if (!strncmp(at, from, strlen(from))) {
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", to);
			at += strlen(from);
			assert_true(n + 1 < sizeof(text));
		} else {
			text[n++] = *at++;
		}
	text[n] = '\0';
	fixture_write(node_place.conf, "weir.conf", text);
}

/* Directories alone, for node_configure(). */
static inline void node_make(void)
{
	bare_core_make(&this_node, &node_place);
}

static inline void node_open(int64_t now_ms)
{
	struct intent_options options = { .conf_dir = node_place.conf,
		                          .state_dir = node_place.state,
		                          .node = this_node.dirs.node };

	assert_int_equal(timekeep_open(&this_node), 0);
	assert_int_equal(intent_open(&options, now_ms, &this_node.intent), 0);
	join_start_alone(this_node.intent, now_ms);
	observe_begin(&this_node);
}

static inline void node_close(void)
{
	observe_end(&this_node);
	intent_close(this_node.intent);
	this_node.intent = NULL;
	timekeep_close(&this_node);
}

static inline int node_setup(void **state)
{
	(void)state;
	node_make();
	node_open(NOW_MS);
	return 0;
}

static inline int node_teardown(void **state)
{
	(void)state;
	node_close();
	fixture_remove(&node_place);
	return 0;
}

#endif
