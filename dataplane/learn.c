/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The asking side runs in weir-mgmt: it sees `wants_guests` in our status, asks a peer, and writes
 * the answer to a file (weir/guests.h). Here the file is looked for each second and applied once.
 *
 * Nothing is asked before every backend has a verdict. With all verdicts this node's slots are
 * those of its peers, except for what only they know; and the state that a peer wrote before then
 * may be older than a verdict that this node has used. So older files are ignored.
 */
#include "dataplane/learn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "weir/guests.h"

static void end(struct learn *l, struct node *n, const char *from)
{
	n->learning = n->wants_guests = false;
	log_note("slots-learned", "from=%s", from);
	*l = (struct learn){ 0 };
}

static void take(struct learn *l, struct node *n, const struct guests_told *told,
                 const struct node_time *time)
{
	int err = 0;

	l->taken_ms = told->at_ms;
	if (strcmp(told->node, GUESTS_NOBODY) != 0)
		err = node_guests_take(n, told->text, time);
	if (err)
		log_error("slots-refused", "from=%s error=\"%s\"", told->node, strerror(-err));
	else
		end(l, n, told->node);
}

/* Whether a backend still waits for its first verdict. */
static bool waits(const struct node *n)
{
	for (size_t i = 0; i < n->n_pools; i++)
		for (size_t k = 0; k < n->pools[i].plan->n_backends; k++)
			if (n->pools[i].backends[k].why == EFFECT_WHY_WAITING)
				return true;
	return false;
}

void learn_second(struct learn *l, struct node *n, const char *run_dir,
                  const struct node_time *time)
{
	struct guests_told told;
	int err;

	if (!n->plan || !n->learning)
		return;
	if (l->from_ms == 0)
		*l = (struct learn){ time->now_ms, time->now_ms };
	n->wants_guests = !waits(n);
	if (!n->wants_guests)
		l->taken_ms = time->now_ms; /* ignore files from before the last verdict */
	err = guests_read(run_dir, l->taken_ms, &told);
	if (!err) {
		take(l, n, &told, time);
		free(told.text);
	}
	if (n->learning && time->now_ms - l->from_ms >= LEARN_MAX_MS)
		end(l, n, GUESTS_NOBODY);
}
