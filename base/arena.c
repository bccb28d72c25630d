/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list of chunks from calloc(); an item is cut off the first chunk by moving an offset. Nothing
 * is freed singly. A large item gets a chunk of its own behind the first, so that the rest of the
 * first is not lost. Failures are sticky: a builder checks once at its end instead of after each
 * call.
 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define ALIGN       alignof(max_align_t) /* bytes: each item may hold any type */
#define CHUNK_BYTES ((size_t)64 * 1024)  /* so that thousands of small items share a malloc() */

struct chunk {
	struct chunk *next;
	size_t size, used;
	alignas(max_align_t) unsigned char bytes[];
};

struct arena {
	struct chunk *chunks; /* the first one is being filled */
	size_t used, limit;
	unsigned more_owners; /* besides the first; atomic, as owners may be on several threads */
	bool failed, full;
};

struct arena *arena_new(size_t limit_bytes)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a)
		a->limit = limit_bytes;
	return a;
}

void arena_free(struct arena *a)
{
	if (!a || __atomic_fetch_sub(&a->more_owners, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	for (struct chunk *c = a->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

struct arena *arena_share(struct arena *a)
{
	__atomic_fetch_add(&a->more_owners, 1, __ATOMIC_RELAXED);
	return a;
}

/* A large item gets a chunk of its own, behind the one that is being filled. */
static struct chunk *add_chunk(struct arena *a, size_t least)
{
	bool large = least > CHUNK_BYTES / 4;
	size_t size = large ? least : CHUNK_BYTES;
	struct chunk *c = calloc(1, sizeof(*c) + size);

	if (!c)
		return NULL;
	c->size = size;
	if (large && a->chunks) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = a->chunks;
		a->chunks = c;
	}
	return c;
}

void arena_fail(struct arena *a)
{
	a->failed = true;
	memory_note_failure();
}

static void *fail_allocation(struct arena *a)
{
	arena_fail(a);
	return NULL;
}

/* Memory is not missing: what the thread answers is right, if it says that this is too large. */
static void *refuse_allocation(struct arena *a)
{
	a->failed = a->full = true;
	return NULL;
}

void *arena_alloc(struct arena *a, size_t n, size_t size)
{
	size_t bytes;
	struct chunk *c = a->chunks;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > a->limit || bytes > SIZE_MAX - ALIGN)
		return refuse_allocation(a);
	bytes = bytes ? (bytes + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
	if (bytes > a->limit - a->used)
		return refuse_allocation(a);
	if (!c || c->size - c->used < bytes)
		c = add_chunk(a, bytes);
	if (!c)
		return fail_allocation(a);

	void *p = c->bytes + c->used;

	c->used += bytes;
	a->used += bytes;
	return p;
}

char *arena_strdup(struct arena *a, const char *text)
{
	size_t n = strlen(text) + 1;
	char *copy = arena_alloc(a, n, 1);

	return copy ? memcpy(copy, text, n) : NULL;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	char *text = n < 0 ? fail_allocation(a) : arena_alloc(a, (size_t)n + 1, 1);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)n + 1, format, args);
	va_end(args);
	return text;
}

bool arena_failed(const struct arena *a)
{
	return a->failed;
}

bool arena_is_full(const struct arena *a)
{
	return a->full;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}
