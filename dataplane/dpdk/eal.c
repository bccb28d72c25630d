/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting DPDK's library, which can be started once in a process and not configured again: what it
 * was started with stays in `eal`. Its options are built as text, as on a command line.
 *
 * All devices of the machine are kept out by an allow list that names no NIC; ports add theirs by
 * name. Memory is private (--in-memory, or --no-huge), so nothing is left when the process dies.
 */
#include "dataplane/dpdk/eal.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_memory.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "dataplane/dpdk/eal_libc.h"
#include "dataplane/dpdk/worker.h"
#include "weir/hugepages.h"

#define PAGE_BYTES (2ull << 20) /* of a hugepage of the usual size */
#define MEMINFO    "/proc/meminfo"
#define SPARE_MB   256u /* of ordinary memory that a second process must leave to the host */
#define ARGS_MAX   16   /* arguments of rte_eal_init(): ten are used */
#define POOL_CACHE 256u /* buffers that a worker keeps to itself: 8 bursts */
#define POOL_MBUFS                                                                                 \
	16383u /* buffers for each worker: queues, rings and bursts; 2^n - 1 suits a mempool */
#define UNDER_WAY 512u /* of these, for bursts and the cache, which may have half as many again */
#define POOL_MOST                                                                                  \
	(DRIVER_PORTS_MAX * 2048u + UNDER_WAY) /* the queues of all ports that there may be */
#define FRAME_HEADERS 64u /* MAC, two VLAN tags, and the outer headers in front are headroom */
#define NODES_MAX     8   /* NUMA nodes with a pool of their own */

/* What the library was started with. */
static struct {
	bool started;
	bool spent;                   /* it failed, and cannot be tried again in this process */
	struct driver_reason failure; /* of the last try */
	struct driver_reason warning; /* of the start; "": none */
	uint32_t n_workers;
	uint16_t cpus[WORKERS_MAX];
	uint16_t frame_room;
	uint32_t memory_mb;
	struct rte_mempool *pools[NODES_MAX];
	unsigned int n_in_rings; /* buffers that queues may keep */
} eal;

struct args {
	char text[ARGS_MAX][4096];
	char *argv[ARGS_MAX + 1];
	int n;
};

static void add_argument(struct args *a, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void add_argument(struct args *a, const char *format, ...)
{
	va_list list;

	if (a->n == ARGS_MAX)
		return;
	va_start(list, format);
	vsnprintf(a->text[a->n], sizeof(a->text[0]), format, list);
	va_end(list);
	a->argv[a->n] = a->text[a->n];
	a->n++;
}

/* The workers' CPUs: as configured, or the last one. */
static int choose_cpus(const struct model_dpdk *dpdk, const cpu_set_t *allowed,
                       struct driver_reason *reason)
{
	eal.n_workers = dpdk->n_cores;
	for (uint32_t i = 0; i < dpdk->n_cores; i++) {
		if (dpdk->cores[i] >= CPU_SETSIZE || !CPU_ISSET(dpdk->cores[i], allowed))
			return driver_set_reason(
			        reason, -EINVAL,
			        "dpdk.cores names CPU %u, which this process may not use: see "
			        "taskset -p and AllowedCPUs= of its unit",
			        dpdk->cores[i]);
		eal.cpus[i] = dpdk->cores[i];
	}
	if (eal.n_workers)
		return 0;
	eal.n_workers = 1;
	for (uint16_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, allowed))
			eal.cpus[0] = cpu;
	return 0;
}

static bool is_workers(size_t cpu)
{
	for (uint32_t i = 0; i < eal.n_workers; i++)
		if (eal.cpus[i] == cpu)
			return true;
	return false;
}

/*
 * "--lcores=0@(a,b,..),1@y,2@z": the workers on their CPUs, this thread on the others, so that it
 * takes no time from a worker. If there are no others, it stays on all.
 */
static void add_cores(struct args *a, const cpu_set_t *allowed)
{
	bool others = (uint32_t)CPU_COUNT(allowed) > eal.n_workers;
	char text[4096];
	size_t n = (size_t)snprintf(text, sizeof(text), "--lcores=0@(");

	for (size_t cpu = 0; cpu < CPU_SETSIZE && n < sizeof(text) - 512; cpu++)
		if (CPU_ISSET(cpu, allowed) && !(others && is_workers(cpu)))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%zu",
			                      text[n - 1] == '(' ? "" : ",", cpu);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ")");
	for (uint32_t i = 0; i < eal.n_workers; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, ",%u@%u", i + 1, eal.cpus[i]);
	add_argument(a, "%s", text);
}

static uint64_t free_hugepages_mb(void)
{
	return hugepages_free(HUGEPAGES_SYSFS, 0) >> 20;
}

/* Choose hugepages or ordinary memory. @return 0, perhaps with a warning in @p reason; or -errno */
static int add_memory(struct args *a, const struct model_dpdk *dpdk, struct driver_reason *reason)
{
	uint64_t has = free_hugepages_mb();
	bool enough = has >= dpdk->memory_mb;

	if (dpdk->hugepages == MODEL_HUGEPAGES_YES && !enough)
		return driver_set_reason(
		        reason, -ENOMEM,
		        "%llu MiB of hugepages are free, %u are needed (dpdk.memory): echo %llu "
		        "> " HUGEPAGES_SYSFS "/hugepages-2048kB/nr_hugepages, or "
		        "dpdk.hugepages = \"no\" for a trial",
		        (unsigned long long)has, dpdk->memory_mb,
		        (unsigned long long)(hugepages_all(HUGEPAGES_SYSFS, PAGE_BYTES) /
		                                     PAGE_BYTES +
		                             (dpdk->memory_mb - has + 1) / 2));
	if (dpdk->hugepages == MODEL_HUGEPAGES_AUTO && !enough)
		driver_set_reason(
		        reason, 0,
		        "ordinary memory, for trials: %llu MiB of hugepages are free, %u are wanted "
		        "(dpdk.memory)",
		        (unsigned long long)has, dpdk->memory_mb);
	if (dpdk->hugepages == MODEL_HUGEPAGES_NO || !enough)
		add_argument(a, "--no-huge");
	else
		add_argument(a, "--in-memory");
	add_argument(a, "-m");
	add_argument(a, "%u", dpdk->memory_mb);
	return 0;
}

/* Where it is ordinary memory: a page of 2 MiB is one fault, where 4 KiB would be 512. */
static int advise_large_pages(const struct rte_memseg_list *list, void *arg)
{
	(void)arg;
	if (!list->external && list->page_sz <= 4096)
		(void)madvise(list->base_va, list->len, MADV_HUGEPAGE);
	return 0;
}

/* A number of the kernel ("MemAvailable") in MiB. @return 0: not known */
static uint64_t read_memory_mb(const char *name)
{
	FILE *f = fopen(MEMINFO, "re");
	unsigned long long kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) &&
		    sscanf(line + strlen(name), ": %llu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb / 1024;
}

/*
 * Hugepages that are missing now may be those of the process before; then there are enough in all,
 * and this process must not take ordinary memory instead. Where there are too few in all, this
 * process can take ordinary memory beside the other; if it may not, it must fail while the other
 * forwards.
 */
static bool waits_for_hugepages(const struct model_dpdk *dpdk, uint64_t has_mb)
{
	return dpdk->hugepages != MODEL_HUGEPAGES_NO && has_mb < dpdk->memory_mb &&
	       hugepages_lasting(HUGEPAGES_SYSFS) >> 20 >= dpdk->memory_mb;
}

/* What the machine will not have even when the other process has ended must be found out before. */
static bool exceeds_machine(const struct model_dpdk *dpdk)
{
	uint64_t total = read_memory_mb("MemTotal");

	return total && total < dpdk->memory_mb;
}

bool eal_fits_beside(const struct model_dpdk *dpdk, struct driver_reason *reason)
{
	uint64_t has = free_hugepages_mb(), available = read_memory_mb("MemAvailable");

	if (eal.started)
		return true;
	if (waits_for_hugepages(dpdk, has)) {
		driver_set_reason(reason, 0,
		                  "%llu MiB of hugepages are free, %u are needed in addition "
		                  "to those of the process that forwards (dpdk.memory)",
		                  (unsigned long long)has, dpdk->memory_mb);
		return false;
	}
	if (dpdk->hugepages == MODEL_HUGEPAGES_YES ||
	    (dpdk->hugepages == MODEL_HUGEPAGES_AUTO && has >= dpdk->memory_mb) ||
	    available >= dpdk->memory_mb + SPARE_MB || exceeds_machine(dpdk))
		return true;
	driver_set_reason(reason, 0,
	                  "%llu MiB of memory are available, %u are needed in addition to "
	                  "that of the process that forwards (dpdk.memory, and %u to spare)",
	                  (unsigned long long)available, dpdk->memory_mb + SPARE_MB, SPARE_MB);
	return false;
}

/* A successor has no loop yet that blocks signals, and DPDK's threads inherit what is blocked. */
static int init_library(struct args *a)
{
	sigset_t before;
	int err;

	thread_block_signals(&before);
	eal_libc_hurry(true);
	err = rte_eal_init(a->n, a->argv);
	eal_libc_hurry(false);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

/* After most failures DPDK refuses to be started again, which is no reason of its own. */
static int note_failure(const char *cores, struct driver_reason *reason)
{
	int err = -rte_errno;

	eal.spent = err == -EALREADY && *eal.failure.text;
	if (eal.spent)
		err = -ENOTRECOVERABLE;
	else
		driver_set_reason(&eal.failure, err,
		                  "DPDK does not start (%s): %s; see the lines of EAL in the log; "
		                  "it may lack memory",
		                  cores, rte_strerror(-err));
	*reason = eal.failure;
	return err;
}

/*
 * A later document may ask for other cores or memory, which counts from the next start of the
 * process. A warning is repeated: the first call may have been eal_prepare()'s.
 */
int eal_start(const struct model_dpdk *dpdk, uint16_t mtu, uint32_t *n_workers,
              struct driver_reason *reason)
{
	static struct args a;
	cpu_set_t allowed;
	uint64_t from_ns;
	int err;

	reason->text[0] = 0;
	*n_workers = eal.n_workers;
	if (eal.started) {
		*reason = eal.warning;
		return 0;
	}
	if (eal.spent) {
		*reason = eal.failure;
		return -ENOTRECOVERABLE;
	}
	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return driver_set_reason(reason, -errno, "cannot read which CPUs may be used: %s",
		                         strerror(errno));
	a.n = 0;
	err = choose_cpus(dpdk, &allowed, reason);
	add_argument(&a, "weir-dataplane");
	if (!err)
		err = add_memory(&a, dpdk, reason);
	if (err)
		return err;
	add_cores(&a, &allowed);
	add_argument(&a, "--no-shconf");
	add_argument(&a, "--no-telemetry");
	add_argument(&a, "--log-level=error");
	add_argument(&a, "-a"); /* none of the devices that are there: ports are added by name */
	add_argument(&a, "0000:00:00.0");
	from_ns = clock_mono_ns();
	err = init_library(&a);
	if (err < 0)
		return note_failure(a.argv[a.n - 6], reason);
	log_note("dpdk-started", "us=%llu memory_mb=%u workers=%u",
	         (unsigned long long)((clock_mono_ns() - from_ns) / 1000), dpdk->memory_mb,
	         eal.n_workers);
	(void)rte_memseg_list_walk(advise_large_pages, NULL);
	eal.started = true;
	eal.warning = *reason;
	eal.memory_mb = dpdk->memory_mb;
	eal.frame_room = (uint16_t)(mtu + FRAME_HEADERS);
	if (eal.frame_room < RTE_MBUF_DEFAULT_DATAROOM)
		eal.frame_room = RTE_MBUF_DEFAULT_DATAROOM;
	*n_workers = eal.n_workers;
	return 0;
}

uint16_t eal_limit_mtu(uint16_t mtu)
{
	uint16_t most = (uint16_t)(eal.frame_room - FRAME_HEADERS);

	return mtu < most ? mtu : most;
}

uint64_t eal_count_needed(const struct model_dpdk *dpdk)
{
	return eal.started ? 0 : (uint64_t)dpdk->memory_mb << 20;
}

unsigned int eal_lcore(uint32_t i)
{
	return i + 1;
}

uint32_t eal_cpu(uint32_t i)
{
	return eal.cpus[i];
}

/*
 * Buffers of a pool: as many as the workers need, in at most half of the memory. Much memory is for many ports: the log says
 * to raise it where more than seven of them share a pool.
 */
static unsigned int pool_size(void)
{
	uint64_t room = (uint64_t)eal.memory_mb * 1048576 / 2 / (eal.frame_room + 512u);
	uint64_t n_mbufs = (uint64_t)POOL_MBUFS * eal.n_workers;
	uint64_t n_most = (uint64_t)POOL_MOST * eal.n_workers;

	if (n_mbufs < room / 8)
		n_mbufs = room / 8 < n_most ? room / 8 : n_most;
	return (unsigned int)(n_mbufs < room ? n_mbufs : room);
}

struct rte_mempool *eal_pool(int socket)
{
	char name[32];
	int i = socket < 0 || socket >= NODES_MAX ? 0 : socket;

	if (eal.pools[i])
		return eal.pools[i];
	snprintf(name, sizeof(name), "weir-%d", i);
	eal.pools[i] = rte_pktmbuf_pool_create(name, pool_size(), POOL_CACHE, 0,
	                                       (uint16_t)(eal.frame_room + RTE_PKTMBUF_HEADROOM),
	                                       socket < 0 ? SOCKET_ID_ANY : socket);
	return eal.pools[i];
}

/*
 * A device keeps a buffer for each frame that may come, and one for each that it has sent, until the
 * next frames are sent. If these were all buffers, none would be received, so none sent, and none given
 * back.
 */
bool eal_keep_in_rings(unsigned int n)
{
	if (eal.n_in_rings + n + eal.n_workers * UNDER_WAY > pool_size())
		return false;
	eal.n_in_rings += n;
	return true;
}

void eal_free_rings(unsigned int n)
{
	eal.n_in_rings -= n;
}

int eal_prepare(const struct model_dpdk *dpdk, uint16_t mtu, struct driver_reason *reason)
{
	uint32_t n_workers;
	int err = eal_start(dpdk, mtu, &n_workers, reason);

	for (uint32_t i = 0; !err && i < n_workers; i++)
		if (!eal_pool((int)rte_lcore_to_socket_id(eal_lcore(i))))
			err = driver_set_reason(reason, -ENOMEM,
			                        "no memory for packets: raise dpdk.memory");
	return err;
}
