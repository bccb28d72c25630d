/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules get equal shares of a full list. One with fewer reasons than its share keeps all of them. */
#include "mgmt/judge/room.h"

#include <string.h>

bool room_make(struct judge_verdict *v, enum judge_rule rule)
{
	size_t n[JUDGE_RULE_COUNT] = { 0 }, last[JUDGE_RULE_COUNT] = { 0 };
	size_t most = 0;

	for (size_t i = 0; i < v->n_reasons; i++) {
		n[v->reasons[i].rule]++;
		last[v->reasons[i].rule] = i;
	}
	for (size_t i = 1; i < JUDGE_RULE_COUNT; i++)
		if (n[i] > n[most])
			most = i;
	v->n_left_out++;
	if (n[most] <= n[rule] + 1)
		return false;
	v->n_reasons--;
	memmove(&v->reasons[last[most]], &v->reasons[last[most] + 1],
	        (v->n_reasons - last[most]) * sizeof(v->reasons[0]));
	return true;
}
