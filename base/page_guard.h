/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapped files that may be cut short from outside: pages (base/page.c), and the DPDK driver's
 * tables as other processes read them.
 *
 * An access behind the end of a mapped file raises SIGBUS. With a guard the process goes on:
 *
 * - A reader reads zeros in the whole mapping, header included, and page_is_sound() is false.
 * - A writer's file gets its length back, filled with zeros. Its first byte is cleared, so that
 *   page_is_sound() is false even if the header was left.
 * - A writer whose file system is full goes on with private memory, which no other process sees.
 *
 * Implemented in base/page_guard.c. Any thread may call.
 */
#ifndef WEIR_BASE_PAGE_GUARD_H
#define WEIR_BASE_PAGE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/checked.h"

/** Mappings that are guarded at a time. */
#define PAGE_GUARDS_MAX 1024u

/** Guard @p bytes at @p at, a mapping of @p fd, which stays open as long. @return 0, -ENFILE (too many) or -errno */
MUST_CHECK int page_guard(void *at, size_t bytes, int fd, bool writable);
/** To be called before the mapping goes. @return how many bytes were guarded; 0: none at @p at */
size_t page_unguard(const void *at);

#endif
