/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All state belongs to the calling thread (__thread), so no lock is needed and one thread's
 * shortage is not another's. The reserve is one block that is cut off from its start; memory_free()
 * recognises what lies in it by its address and leaves it, as the whole block goes at the end.
 *
 * The thread keeps the block for its next reserve: to take and give back one that large makes malloc()
 * tidy the whole heap each time, which took more than reading a small text.
 */
#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

#define ALIGN    alignof(max_align_t) /* bytes: a block of the reserve may hold any type */
#define ROOM_MAX ((size_t)96 << 10)   /* bytes: below the size from which malloc() maps blocks */
#define KEPT_MAX ((size_t)1 << 20)    /* bytes, none of them touched but in need */

struct reserve {
	char *bytes; /* NULL: there is none */
	size_t size, used;
	bool drawn;
};

static __thread bool failed;
static __thread struct reserve reserve;
static __thread struct reserve kept; /* whose bytes the thread's last reserve had */
static pthread_key_t kept_key;       /* has the same bytes: they go with their thread */
static pthread_once_t kept_once = PTHREAD_ONCE_INIT;
static bool keeps; /* there is such a key */

void memory_note_failure(void)
{
	failed = true;
}

static void *draw_reserve(size_t n)
{
	size_t bytes = n < reserve.size ? (n + ALIGN - 1) / ALIGN * ALIGN : n;

	reserve.drawn = true;
	if (!reserve.bytes || bytes > reserve.size - reserve.used)
		return NULL;
	reserve.used += bytes;
	return reserve.bytes + reserve.used - bytes;
}

void *memory_alloc(size_t n)
{
	void *p = malloc(n);

	if (p)
		return p;
	memory_note_failure();
	return draw_reserve(n);
}

void memory_free(void *p)
{
	const char *at = p;

	if (!reserve.bytes || at < reserve.bytes || at >= reserve.bytes + reserve.size)
		free(p);
}

void memory_forget(void)
{
	failed = false;
}

bool memory_failed(void)
{
	return failed;
}

/*
 * The freed block is the next one to be given out. A larger one would be a mapping of its own,
 * which free() gives back to the kernel at once.
 */
int memory_make_room(size_t n)
{
	void *room = memory_alloc(n < ROOM_MAX ? n : ROOM_MAX);

	memory_free(room);
	return room ? 0 : -ENOMEM;
}

static void make_kept_key(void)
{
	keeps = !pthread_key_create(&kept_key, free);
}

static void keep_block(char *bytes, size_t size)
{
	kept = (struct reserve){ .bytes = bytes, .size = bytes ? size : 0 };
	if (keeps)
		(void)pthread_setspecific(kept_key, bytes);
}

int memory_reserve_begin(size_t n)
{
	size_t size = n < KEPT_MAX ? KEPT_MAX : n;

	if (kept.size < n) {
		(void)pthread_once(&kept_once, make_kept_key);
		free(kept.bytes);
		keep_block(malloc(size), size);
		if (!kept.bytes && n < size)
			keep_block(malloc(n), n);
	}
	reserve = (struct reserve){ .bytes = kept.bytes, .size = n };
	if (reserve.bytes)
		return 0;
	memory_note_failure();
	return -ENOMEM;
}

bool memory_reserve_drawn(void)
{
	return reserve.drawn;
}

void memory_reserve_end(void)
{
	reserve = (struct reserve){ 0 };
	if (!keeps || kept.size > KEPT_MAX) {
		free(kept.bytes);
		keep_block(NULL, 0);
	}
}

/* Not by exit(): other threads run, and what is on the disk is whole at each moment. */
void *memory_must(void *p)
{
	if (p)
		return p;
	log_error("no-memory", "error=\"out of memory\" effect=\"the process ends\"");
	_exit(MEMORY_EXIT);
}
