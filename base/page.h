/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Pages: files in shared memory with one writer and any number of readers.
 *
 * A page outlives its writer: readers keep what they have mapped, and the next writer takes the
 * same file over if its kind and layout match. The first 64 bytes are the header below; the payload
 * follows. A reader sees each single word whole (aligned 32- and 64-bit atomics); anything larger
 * needs a sequence number of its own. Readers wait on the header's epoch with a futex (futex(2)).
 *
 * Implemented in base/page.c. The writer's functions are for one thread at a time; readers may be
 * any threads and processes.
 */
#ifndef WEIR_BASE_PAGE_H
#define WEIR_BASE_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/checked.h"

/** The first bytes of every page. */
struct page_header {
	char magic[8];       /**< "weirpage" */
	char kind[16];       /**< "health", "stats", ...; NUL-padded */
	uint32_t layout;     /**< the kind's layout version; a reader refuses others */
	uint32_t epoch;      /**< counts publications; a futex word */
	uint64_t size_bytes; /**< of the payload */
	uint64_t writer_pid;
	uint64_t alive_ms; /**< monotonic time of the writer's last sign of life */
	uint64_t replaced; /**< not 0: the writer made a new file at this path; reopen */
};
_Static_assert(sizeof(struct page_header) == 64, "page header layout");

struct page;

/**
 * Make or take over the page at @p path for writing, mode 0644. An existing page of equal kind,
 * layout and size keeps its payload and epoch; any other is replaced (its readers see `replaced`).
 * Only one writer may hold a page: PATH.lock, mode 0600, is locked (flock(2)). @return 0, -EBUSY or -errno
 */
MUST_CHECK int page_create(const char *path, const char *kind, uint32_t layout, size_t size_bytes,
                           struct page **out);
/**
 * Map an existing page of weir-@p writer (NULL: of the own user) for reading. @return 0, -ENOENT, -EPROTO (kind or layout),
 * -EPERM (another user's: base/owner.h) or -errno
 */
MUST_CHECK int page_open(const char *path, const char *kind, uint32_t layout, const char *writer,
                         struct page **out);

/** What a page in the run directory is, for its readers. */
struct page_form {
	const char *file, *kind;
	uint32_t layout;
	size_t least_bytes; /**< of the payload */
	const char *writer; /**< as of page_open() */
};

/**
 * Map the page of @p form in @p run_dir for reading. @return as page_open(); also -EPROTO for a smaller
 * payload, or -ENAMETOOLONG
 */
MUST_CHECK int page_open_in(const char *run_dir, const struct page_form *form, struct page **out);
/** Unmap; the file stays. NULL is fine. */
void page_close(struct page *p);
/**
 * Writer: remove the page's file at @p path and its lock's, then as page_close(). Readers keep what
 * they have mapped.
 */
void page_remove(struct page *p, const char *path);

/** The payload; a reader must not write to it. */
void *page_payload(struct page *p);
size_t page_size(const struct page *p);
const struct page_header *page_header(const struct page *p);
/** Whether page_create() found a payload to keep. */
bool page_was_kept(const struct page *p);

/** Writer: publish changed words: count the epoch up and wake the readers that wait. */
void page_publish(struct page *p);
/** Writer: note a sign of life. */
void page_alive(struct page *p, uint64_t now_ms);
/** Reader: the current epoch. */
uint32_t page_epoch(const struct page *p);
/** Reader: wait until the epoch differs from @p epoch; a negative timeout never ends. @return 0, -ETIMEDOUT, or -EINTR after a signal or page_nudge() */
int page_wait(const struct page *p, uint32_t epoch, int timeout_ms);
/** Wake all threads in page_wait(), which return -EINTR; nothing is published. */
void page_nudge(const struct page *p);
/**
 * Whether the page is whole. A page that was cut short or overwritten reads as zeros in part or
 * altogether, so believe the words that you read only if this is true afterwards.
 */
bool page_is_sound(const struct page *p);
/**
 * Writer: put the page back at its path, and its lock, if somebody removed them: a new file with
 * the same payload, mapped at the same addresses. Readers of the removed file see `replaced`. A
 * file of another user at the path is left there. To be called about once a second.
 */
void page_keep_name(struct page *p);
/**
 * Writer: as page_keep_name(), and repair a damaged page: its file gets its length and header back.
 * The payload is zeros then and must be written again. Nothing happens to a sound page. @return
 * whether it was damaged
 */
bool page_repair(struct page *p);
/*
 * Rows that are written as a whole: a seqlock. Its number is odd while they are written; a reader
 * copies what it wants, and tries again unless page_rows_whole().
 */

/** Writer: rows change from now on. @return for page_rows_end() */
static inline uint32_t page_rows_begin(uint32_t *seq)
{
	uint32_t odd = __atomic_load_n(seq, __ATOMIC_RELAXED) | 1;

	__atomic_store_n(seq, odd, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	return odd;
}

/** Writer: the rows are whole again. */
static inline void page_rows_end(uint32_t *seq, uint32_t odd)
{
	__atomic_store_n(seq, odd + 1, __ATOMIC_RELEASE);
}

/** Reader: to be called before rows are copied. @return for page_rows_whole(); odd while the writer is at work */
static inline uint32_t page_rows_seq(const uint32_t *seq)
{
	return __atomic_load_n(seq, __ATOMIC_ACQUIRE);
}

/** Reader: whether nothing was written since page_rows_seq() said @p began. */
static inline bool page_rows_whole(const uint32_t *seq, uint32_t began)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return !(began & 1) && __atomic_load_n(seq, __ATOMIC_RELAXED) == began;
}

/**
 * Reader: whether page_open() is due again, as the writer has replaced the file, the page is not sound, or the file was
 * removed and its writer is silent. Until it succeeds the page may be read on.
 */
bool page_is_replaced(const struct page *p);

#endif
