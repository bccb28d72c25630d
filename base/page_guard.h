/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mapped files that somebody may cut short: pages (base/page.c), and the DPDK driver's tables as others read them.
 *
 * An access behind the end of a mapped file raises SIGBUS. With a guard the process goes on: a reader then reads zeros in all of
 * the mapping, header included, and page_is_sound() says so; a writer's file gets its length back, filled with zeros, and
 * loses its first byte, so that page_is_sound() says it of a file whose header was left.
 * A writer whose file system is full goes on with memory of its own, which nobody else sees.
 *
 * Implemented in base/page_guard.c. Any thread may call.
 */
#ifndef WEIR_BASE_PAGE_GUARD_H
#define WEIR_BASE_PAGE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/** Mappings that are guarded at a time. */
#define PAGE_GUARDS_MAX 1024u

/** Guard @p bytes at @p at, a mapping of @p fd, which stays open as long. @return 0, -ENFILE (too many) or -errno */
int page_guard(void *at, size_t bytes, int fd, bool writable);
/** To be called before the mapping goes. */
void page_unguard(const void *at);

#endif
