/* SPDX-License-Identifier: BSD-2-Clause */
/* DPDK's start in the test's hands: its arguments, its answer, and the CPUs that this process may use. There is no memory. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_EAL_FAKE_H
#define WEIR_TESTS_UNIT_DATAPLANE_EAL_FAKE_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_memory.h>

#include "tests/unit/answers.h"
#include "tests/unit/dataplane/dpdk_answers.h"

static struct {
	cpu_set_t cpus;
	int affinity_errno, init_errno; /* 0: fine */
	int n_inits, argc;
	char argv[16][256];
	bool hurried;     /* calls of libc were others when DPDK was started */
	sigset_t blocked; /* then, so in its threads */
	struct {
		char name[32];
		unsigned int n, cache;
		uint16_t private, room;
		int socket;
	} pools[16];
	unsigned int n_pools;
	bool no_pool;
	struct rte_mempool *pool; /* each is this one; NULL: they are only pointed to */
	unsigned int socket_of_lcore[8];
} eal_fake;

/* Whether ordinary memory is refused, as while DPDK is started. */
static bool refuses_memfd(void)
{
	int fd = memfd_create("nohuge", 0);

	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static int own_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *out)
{
	assert_int_equal(pid, 0);
	assert_int_equal(size, sizeof(*out));
	*out = eal_fake.cpus;
	errno = eal_fake.affinity_errno;
	return errno ? -1 : 0;
}

static int own_rte_eal_init(int argc, char **argv)
{
	assert_null(argv[argc]);
	eal_fake.n_inits++;
	eal_fake.hurried = refuses_memfd();
	pthread_sigmask(SIG_SETMASK, NULL, &eal_fake.blocked);
	eal_fake.argc = argc;
	for (int i = 0; i < argc; i++)
		snprintf(eal_fake.argv[i], sizeof(eal_fake.argv[i]), "%s", argv[i]);
	rte_errno = eal_fake.init_errno;
	return eal_fake.init_errno ? -1 : 0;
}

/* The pool near @p socket, which is only pointed to. */
static inline struct rte_mempool *fake_pool(int socket)
{
	return (struct rte_mempool *)(uintptr_t)(0x10000 + 0x1000 * socket);
}

static struct rte_mempool *own_rte_pktmbuf_pool_create(const char *name, unsigned int n,
                                                       unsigned int cache, uint16_t private,
                                                       uint16_t room, int socket)
{
	unsigned int i = eal_fake.n_pools++;

	snprintf(eal_fake.pools[i].name, sizeof(eal_fake.pools[i].name), "%s", name);
	eal_fake.pools[i].n = n;
	eal_fake.pools[i].cache = cache;
	eal_fake.pools[i].private = private;
	eal_fake.pools[i].room = room;
	eal_fake.pools[i].socket = socket;
	if (eal_fake.no_pool)
		return NULL;
	return eal_fake.pool ? eal_fake.pool : fake_pool(socket);
}

static unsigned int own_rte_lcore_to_socket_id(unsigned int lcore)
{
	return eal_fake.socket_of_lcore[lcore];
}

/* CPUs 2 to 6. */
static inline void reset_eal(void)
{
	memset(&eal_fake, 0, sizeof(eal_fake));
	for (int cpu = 2; cpu <= 6; cpu++)
		CPU_SET(cpu, &eal_fake.cpus);
}

/* From now on these calls are answered here. */
static inline void answer_eal(void)
{
	answer_rte_eal_init = own_rte_eal_init;
	answer_rte_lcore_to_socket_id = own_rte_lcore_to_socket_id;
	answer_rte_pktmbuf_pool_create = own_rte_pktmbuf_pool_create;
	answer_sched_getaffinity = own_sched_getaffinity;
}

#endif
