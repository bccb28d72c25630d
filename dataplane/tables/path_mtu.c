/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bounds of tables/path_mtu.h as comparisons. A reported MTU must be lower than what is known and not come
 * sooner than PATH_MTU_STEP_MS after the last one; no report shortens inner packets below
 * PATH_MTU_INNER_MIN.
 */
#include "dataplane/tables/path_mtu.h"

bool path_mtu_lower(struct path_mtu *p, uint16_t reported, uint16_t carries, uint64_t now_ms)
{
	if (!reported || reported >= (p->mtu ? p->mtu : carries))
		return false;
	if (p->mtu && now_ms - p->at_ms < PATH_MTU_STEP_MS)
		return false;
	*p = (struct path_mtu){ reported, now_ms };
	return true;
}

bool path_mtu_expire(struct path_mtu *p, uint64_t now_ms)
{
	if (!p->mtu || now_ms - p->at_ms < PATH_MTU_LIFE_MS)
		return false;
	p->mtu = 0;
	return true;
}

uint16_t path_mtu_inner(uint16_t carries, uint16_t reported, uint32_t overhead)
{
	uint32_t most = carries > overhead ? carries - overhead : 0, inner;

	if (!reported)
		return (uint16_t)most;
	inner = reported > PATH_MTU_INNER_MIN + overhead ? reported - overhead : PATH_MTU_INNER_MIN;
	return (uint16_t)(inner < most ? inner : most);
}
