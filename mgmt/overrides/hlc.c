/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/overrides/hlc.h"

/* The first stamp of a millisecond; a clock that is beyond all stamps stands still at the last one. */
static uint64_t first_of(int64_t ms)
{
	const int64_t end_ms = (int64_t)(HLC_END >> HLC_COUNT_BITS);

	return (uint64_t)(ms < 0 ? 0 : ms < end_ms ? ms : end_ms - 1) << HLC_COUNT_BITS;
}

/* A count that is full goes on in the next millisecond. */
uint64_t hlc_next(uint64_t newest, int64_t now_ms)
{
	uint64_t next = first_of(now_ms);

	if (next <= newest)
		next = newest + 1;
	return next < HLC_END ? next : HLC_END - 1;
}

int64_t hlc_ms(uint64_t stamp)
{
	return (int64_t)(stamp >> HLC_COUNT_BITS);
}

bool hlc_is_ahead(uint64_t stamp, int64_t now_ms)
{
	return hlc_ms(stamp) - HLC_AHEAD_MS > now_ms;
}
