/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool of DPDK's, without its memory, that knows which of its buffers are out; each must come back once. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_BUFFERS_H
#define WEIR_TESTS_UNIT_DATAPLANE_BUFFERS_H

#include <errno.h>
#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#define BUFFERS     160u
#define BUFFER_ROOM 256u

static struct {
	struct rte_mempool pool;
	struct buffer {
		struct rte_mbuf mbuf;
		uint8_t bytes[BUFFER_ROOM];
		bool is_out;
	} all[BUFFERS];
	unsigned int n_out, limit; /* how many may be out */
} buffers;

static int take_buffers(struct rte_mempool *pool, void **out, unsigned int n)
{
	assert_ptr_equal(pool, &buffers.pool);
	assert_int_equal(n, 1);
	for (size_t i = 0; i < BUFFERS && buffers.n_out < buffers.limit; i++) {
		struct buffer *b = &buffers.all[i];

		if (b->is_out)
			continue;
		memset(&b->mbuf, 0xa5, sizeof(b->mbuf));
		b->mbuf.pool = pool;
		b->mbuf.buf_addr = b->bytes;
		b->mbuf.buf_len = BUFFER_ROOM;
		b->mbuf.ol_flags = 0;
		b->mbuf.next = NULL;
		b->mbuf.nb_segs = 1;
		rte_mbuf_refcnt_set(&b->mbuf, 1);
		b->is_out = true;
		buffers.n_out++;
		*out = &b->mbuf;
		return 0;
	}
	return -ENOBUFS;
}

static int give_buffers(struct rte_mempool *pool, void *const *given, unsigned int n)
{
	assert_ptr_equal(pool, &buffers.pool);
	for (unsigned int i = 0; i < n; i++) {
		struct buffer *b = given[i];

		assert_true(b >= buffers.all && b < buffers.all + BUFFERS);
		assert_true(b->is_out);
		b->is_out = false;
		buffers.n_out--;
	}
	return 0;
}

static int make_nothing(struct rte_mempool *pool)
{
	(void)pool;
	return 0;
}

static unsigned int count_buffers(const struct rte_mempool *pool)
{
	(void)pool;
	return BUFFERS - buffers.n_out;
}

/* All are in. */
static void reset_buffers(void)
{
	static const struct rte_mempool_ops ops = { .name = "buffers",
		                                    .alloc = make_nothing,
		                                    .enqueue = give_buffers,
		                                    .dequeue = take_buffers,
		                                    .get_count = count_buffers };
	static int index = -1;

	if (index < 0)
		index = rte_mempool_register_ops(&ops);
	assert_true(index >= 0);
	memset(&buffers, 0, sizeof(buffers));
	buffers.pool.ops_index = index;
	buffers.limit = BUFFERS;
}

#endif
