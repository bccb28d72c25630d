/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process states, as readers of its page find it. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_CONDITIONS_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_CONDITIONS_SCENE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/conditions.h"
#include "dataplane/drivers.h"
#include "dataplane/export/publish.h"
#include "dataplane/process.h"
#include "weir/condition.h"

static struct conditions said; /* in the last round */

/* Give @p p its pages, in a directory of the test's own, and a loop. @return 0 or -1 */
static inline int open_pages(struct process *p)
{
	strcpy(p->dirs.run, "/tmp/weir-conditions-XXXXXX");
	return !mkdtemp(p->dirs.run) || publisher_open(p->dirs.run, &p->publisher) ||
	                       loop_open(&p->loop)
	               ? -1
	               : 0;
}

static inline int close_pages(struct process *p)
{
	char command[96];

	publisher_close(p->publisher);
	loop_close(p->loop);
	snprintf(command, sizeof(command), "rm -r %.80s", p->dirs.run);
	return system(command);
}

static inline void read_said(const struct process *p)
{
	assert_int_equal(conditions_read(p->dirs.run, "dataplane", &said), 0);
	for (uint32_t i = 0; i < said.n; i++) /* whole */
		assert_in_range(strlen(said.items[i].text), 1, CONDITION_TEXT_MAX - 2);
}

#endif
