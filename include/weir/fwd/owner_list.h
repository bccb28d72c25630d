/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Lists of earlier owners as words, in pools with agents: up to four backends, newest first.
 *
 * Pure; part of weir/fwd/owner.h, which has the rules.
 */
#ifndef WEIR_FWD_OWNER_LIST_H
#define WEIR_FWD_OWNER_LIST_H

#include "weir/fwd/second.h"
#include "weir/fwd/tables.h"

/** Earlier owners that a list can hold: one more than are named, for the moment of a change. */
#define OWNER_LIST_MAX (SECOND_OWNERS_MAX + 1)

/** A list's times count units of so many seconds: 16 bits of them, compared modulo. */
#define OWNER_LIST_UNIT_S 16u

/** In a list: a temporary owner, which not all nodes may name. So no SYN is passed on to it. */
#define OWNER_LIST_TEMPORARY 0x8000u

/** Whether a claim that ends with unit @p end is over. */
FWD_INLINE bool owner_list_is_over(uint16_t end, uint32_t now_s)
{
	return (int16_t)((uint16_t)(now_s / OWNER_LIST_UNIT_S) - end) > 0;
}

/** The @p i-th of a word of backends, newest first. */
FWD_INLINE uint32_t owner_list_at(uint64_t word, uint32_t i)
{
	return (uint32_t)(word >> 16 * i) & FWD_SLOT_BACKEND;
}

/** Whether the @p i-th of a word of backends is a temporary owner. */
FWD_INLINE bool owner_list_is_temporary(uint64_t word, uint32_t i)
{
	return (word >> 16 * i & OWNER_LIST_TEMPORARY) != 0;
}

/** @p word with @p backend, perhaps a temporary owner, behind its @p n others. */
FWD_INLINE uint64_t owner_list_with(uint64_t word, uint32_t n, uint32_t backend)
{
	return word | (uint64_t)backend << 16 * n;
}

/** How many backends a word holds. */
FWD_INLINE uint32_t owner_list_n(uint64_t word)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < OWNER_LIST_MAX; i++)
		n += owner_list_at(word, i) != 0;
	return n;
}

#endif
