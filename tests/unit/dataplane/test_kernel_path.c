/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's own frames between a port and its TAP: the pool of buffers and the TAP are the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/dpdk/kernel_path.h"
#include "tests/unit/dataplane/buffers.h"
#include "tests/unit/suite.h"

static int kernel_fd; /* the TAP's other end */
static struct worker_port port;
static struct worker worker;

static int setup(void **state)
{
	int fds[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		return -1;
	port.tap = fds[0];
	kernel_fd = fds[1];
	memset(&worker, 0, sizeof(worker));
	reset_buffers();
	worker.pool = &buffers.pool;
	police_init(&worker.police, 1000);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(port.tap);
	close(kernel_fd);
	return buffers.n_out != 0; /* each frame came back */
}

/* An ARP request of 60 bytes, the last of which is @p mark. */
static struct rte_mbuf *make_arp(uint8_t mark)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(&buffers.pool);
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);

	memset(at, 0, 60);
	at[12] = 0x08;
	at[13] = 0x06;
	at[59] = mark;
	m->data_len = m->pkt_len = 60;
	return m;
}

static void a_frame_for_the_kernel_arrives_whole_and_is_counted_by_class(void **state)
{
	uint8_t got[BUFFER_ROOM];

	(void)state;
	assert_int_equal(kernel_path_give(&worker, &port, make_arp(9), FWD_REASON_NOT_OURS, 1000),
	                 FWD_REASON_COUNT);
	assert_int_equal(read(kernel_fd, got, sizeof(got)), 60);
	assert_int_equal(got[59], 9);
	assert_int_equal(worker.counts.to_kernel[POLICE_NEIGHBOUR], 1);
	assert_int_equal(worker.counts.policed[POLICE_NEIGHBOUR], 0);
	assert_int_equal(buffers.n_out, 0);
}

/* A device without room in its filter takes all frames: others' BGP is not to end the host's own. */
static void frames_for_other_hosts_spend_no_credit_of_the_hosts_sessions(void **state)
{
	struct rte_mbuf *m = make_arp(9);
	uint8_t got[BUFFER_ROOM];

	(void)state;
	assert_int_equal(kernel_path_give(&worker, &port, m, FWD_REASON_OTHER_MAC, 1000),
	                 FWD_REASON_COUNT);
	assert_int_equal(read(kernel_fd, got, sizeof(got)), 60);
	assert_int_equal(worker.counts.to_kernel[POLICE_NEIGHBOUR], 0);
	assert_int_equal(worker.counts.to_kernel[POLICE_OTHER], 1);
}

static void what_is_too_much_is_policed_and_never_leaks(void **state)
{
	uint64_t n_given = 0, n_policed = 0;
	uint8_t got[BUFFER_ROOM];

	(void)state;
	for (int i = 0; i < 100000; i++) {
		enum fwd_reason why =
		        kernel_path_give(&worker, &port, make_arp(1), FWD_REASON_NOT_OURS, 1000);

		assert_true(why == FWD_REASON_COUNT || why == FWD_REASON_KERNEL_POLICED);
		n_given += why == FWD_REASON_COUNT;
		n_policed += why == FWD_REASON_KERNEL_POLICED;
		if (why == FWD_REASON_COUNT)
			assert_int_equal(read(kernel_fd, got, sizeof(got)), 60);
		assert_int_equal(buffers.n_out, 0);
	}
	assert_true(n_given > 0 && n_policed > 0);
	assert_int_equal(worker.counts.to_kernel[POLICE_NEIGHBOUR], n_given);
	assert_int_equal(worker.counts.policed[POLICE_NEIGHBOUR], n_policed);
	assert_int_equal(read(kernel_fd, got, sizeof(got)), -1); /* a policed one does not arrive */
}

static void a_frame_that_the_kernel_refuses_is_no_frame_given(void **state)
{
	(void)state;
	close(kernel_fd);
	kernel_fd = -1;
	assert_int_equal(kernel_path_give(&worker, &port, make_arp(1), FWD_REASON_NOT_OURS, 1000),
	                 FWD_REASON_KERNEL_REFUSED);
	assert_int_equal(worker.counts.to_kernel[POLICE_NEIGHBOUR], 0);
	assert_int_equal(buffers.n_out, 0);
}

static void what_the_kernel_sends_is_taken_in_order_up_to_the_room_there_is(void **state)
{
	struct rte_mbuf *out[4] = { NULL };
	uint8_t frame[BUFFER_ROOM] = { 0 };

	(void)state;
	for (uint8_t i = 0; i < 3; i++) {
		frame[0] = i;
		assert_int_equal(write(kernel_fd, frame, 60u + i), 60 + i);
	}
	assert_int_equal(kernel_path_read(&worker, &port, out, 2), 2);
	assert_null(out[2]); /* the room that was said */
	for (uint8_t i = 0; i < 2; i++) {
		assert_int_equal(out[i]->data_len, 60 + i);
		assert_int_equal(out[i]->pkt_len, 60 + i);
		assert_int_equal(*rte_pktmbuf_mtod(out[i], uint8_t *), i);
		rte_pktmbuf_free(out[i]);
	}
	assert_int_equal(worker.counts.from_kernel, 2);
	assert_int_equal(kernel_path_read(&worker, &port, out, 4), 1); /* then there is no more */
	assert_int_equal(out[0]->pkt_len, 62);
	rte_pktmbuf_free(out[0]);
	assert_int_equal(worker.counts.from_kernel, 3);
	assert_int_equal(kernel_path_read(&worker, &port, out, 4), 0);
	assert_int_equal(buffers.n_out, 0);
}

static void without_a_free_buffer_the_frames_wait(void **state)
{
	uint8_t frame[60] = { 0 };
	struct rte_mbuf *out[2];

	(void)state;
	buffers.limit = 0;
	assert_int_equal(write(kernel_fd, frame, sizeof(frame)), sizeof(frame));
	assert_int_equal(kernel_path_read(&worker, &port, out, 2), 0);
	buffers.limit = 1;
	assert_int_equal(kernel_path_read(&worker, &port, out, 2), 1);
	rte_pktmbuf_free(out[0]);
}

SUITE(kernel_path)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_frame_for_the_kernel_arrives_whole_and_is_counted_by_class),
		T(frames_for_other_hosts_spend_no_credit_of_the_hosts_sessions),
		T(what_is_too_much_is_policed_and_never_leaks),
		T(a_frame_that_the_kernel_refuses_is_no_frame_given),
		T(what_the_kernel_sends_is_taken_in_order_up_to_the_room_there_is),
		T(without_a_free_buffer_the_frames_wait),
	};

	return cmocka_run_group_tests_name("exception", tests, NULL, NULL);
}
