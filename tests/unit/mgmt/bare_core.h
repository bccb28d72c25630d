/* SPDX-License-Identifier: BSD-2-Clause */
/* A core as weir-mgmt begins it, of node ams-1, in a temporary directory: no store, no thread. */
#ifndef WEIR_TESTS_MGMT_BARE_CORE_H
#define WEIR_TESTS_MGMT_BARE_CORE_H

#include "fixture.h"

#include "mgmt/core/core.h"

/* Make the directories of @p place, and @p core for them. fixture_remove() ends both. */
static inline void bare_core_make(struct core *core, struct fixture *place)
{
	pthread_condattr_t monotonic;

	fixture_make(place);
	memset(core, 0, sizeof(*core));
	pthread_mutex_init(&core->lock, NULL);
	pthread_mutex_init(&core->candidate_lock, NULL);
	pthread_mutex_init(&core->compare_lock, NULL);
	pthread_mutex_init(&core->bells.lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&core->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	snprintf(core->dirs.conf, sizeof(core->dirs.conf), "%s", place->conf);
	snprintf(core->dirs.run, sizeof(core->dirs.run), "%s", place->root);
	snprintf(core->dirs.state, sizeof(core->dirs.state), "%s", place->state);
	snprintf(core->dirs.node, sizeof(core->dirs.node), "ams-1");
}

#endif
