/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dns and weir-mgmt both follow the node's clock, and both state conditions about it. Of one
 * problem only one statement counts: the one of the higher level, and of equal ones that of the
 * later process, weir-mgmt, which has the figures.
 */
#include "mgmt/judge/twice.h"

#include <string.h>

#include "mgmt/judge/judge.h"
#include "weir/condition.h"

#define OF_THE_CLOCK "clock-" /* how the codes of its conditions begin */

static bool outweighs_condition(const struct condition *other, const struct condition *c,
                                bool is_later)
{
	return !strcmp(other->code, c->code) &&
	       (other->level > c->level || (other->level == c->level && is_later));
}

bool twice_is_said(const struct judge_facts *f, const struct judge_process *of,
                   const struct condition *c)
{
	if (strncmp(c->code, OF_THE_CLOCK, strlen(OF_THE_CLOCK)) != 0)
		return false;
	for (size_t i = 0; i < f->n_processes; i++) {
		const struct judge_process *p = &f->processes[i];

		for (uint32_t k = 0; p != of && p->running && p->conditions && k < p->conditions->n;
		     k++)
			if (outweighs_condition(&p->conditions->items[k], c, p > of))
				return true;
	}
	return false;
}
