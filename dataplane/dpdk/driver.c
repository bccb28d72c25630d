/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DPDK driver (weir/driver.h): a worker on the last of the process's CPUs, ports by
 * AF_PACKET on the kernel's interfaces.
 *
 * Tables lie in DIR/tables, a mapped file: the next process takes them over if it knows their
 * layout. Forwarding itself ends with the process. One process at a time holds a lock on
 * DIR/lock. One thread calls; it parks the worker to change its ports or tables.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "base/log.h"
#include "dataplane/dpdk/tablefile.h"
#include "dataplane/dpdk/worker.h"
#include "dataplane/drivers.h"

#define WORKERS     1u
#define ROWS        (WORKERS + 1) /* of counters; the last one sums what smaller tables counted */
#define POOL_MBUFS  16383u
#define POOL_CACHE  256u
#define QUEUE_LEN   512u
#define MEMORY_MB   "256"
#define WORKER_CORE 1u

struct port {
	struct driver_port shown;
	char device[RTE_ETH_NAME_MAX_LEN];
	uint16_t id;
};

struct driver {
	char dir[PATH_MAX];
	int lock_fd;
	struct tablefile now, next;
	struct fwd_exceptions *seen_exceptions; /* of now, while next exists */
	struct owner_cold *seen_colds;
	struct port ports[DRIVER_PORTS_MAX];
	size_t n_ports;
	struct worker worker;
	bool running;
};

/* What the library has once a process: it cannot be started twice. */
static struct {
	bool started;
	struct rte_mempool *pool;
} eal;

static int say(struct driver_why *why, int err, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static int say(struct driver_why *why, int err, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(why->text, sizeof(why->text), format, list);
	va_end(list);
	return err;
}

/* "0@(a,b,..),1@z": this thread where it was, the worker on the last CPU. */
static void lcores(char *out, size_t size)
{
	size_t n = (size_t)snprintf(out, size, "--lcores=0@("), last = 0;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		CPU_SET(0, &set);
	for (size_t cpu = 0; cpu < CPU_SETSIZE && n < size - 32; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		n += (size_t)snprintf(out + n, size - n, "%s%zu", out[n - 1] == '(' ? "" : ",",
		                      cpu);
		last = cpu;
	}
	snprintf(out + n, size - n, "),%u@%zu", WORKER_CORE, last);
}

/* Without hugepages: enough for trials, and for AF_PACKET no slower. */
static int start_eal(struct driver_why *why)
{
	char cores[4096];
	char name[] = "weir-dataplane", no_huge[] = "--no-huge", memory[] = "-m",
	     megabytes[] = MEMORY_MB, no_shared[] = "--no-shconf", no_pci[] = "--no-pci",
	     quiet[] = "--log-level=error", no_telemetry[] = "--no-telemetry";
	char *argv[] = { name,   no_huge, memory,       megabytes, no_shared,
		         no_pci, quiet,   no_telemetry, cores,     NULL };

	if (eal.started)
		return 0;
	lcores(cores, sizeof(cores));
	if (rte_eal_init((int)(sizeof(argv) / sizeof(argv[0])) - 1, argv) < 0)
		return say(why, -rte_errno, "DPDK does not start (%s): %s", cores,
		           rte_strerror(rte_errno));
	eal.started = true;
	eal.pool = rte_pktmbuf_pool_create("weir", POOL_MBUFS, POOL_CACHE, 0,
	                                   RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return 0;
}

static void path_of(const struct driver *d, const char *name, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%.*s/%s", PATH_MAX - 32, d->dir, name);
}

static int lock_dir(struct driver *d, struct driver_why *why)
{
	char path[PATH_MAX];

	if (mkdir(d->dir, 0750) && errno != EEXIST)
		return say(why, -errno, "%s cannot be made: %s", d->dir, strerror(errno));
	path_of(d, "lock", path);
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (d->lock_fd < 0)
		return say(why, -errno, "%s cannot be opened: %s", path, strerror(errno));
	if (flock(d->lock_fd, LOCK_EX | LOCK_NB))
		return say(why, errno == EWOULDBLOCK ? -EBUSY : -errno,
		           "another process drives %s: a weir-dataplane of this node runs already",
		           d->dir);
	return 0;
}

/* Take over the tables there are, else make new ones. */
static int open_tables(struct driver *d, const struct driver_sizes *sizes, bool *kept,
                       struct driver_why *why)
{
	char path[PATH_MAX];

	path_of(d, "tables", path);
	*kept = !tablefile_open(&d->now, path, true, why);
	if (*kept && d->now.tables.n_cpus == ROWS)
		return 0;
	*kept = false;
	tablefile_close(&d->now);
	return tablefile_make(&d->now, path, sizes, ROWS, why);
}

/* The worker is parked, or does not run yet. */
static void give_tables(struct driver *d)
{
	d->worker.tables = d->now.tables;
	d->worker.tables.cpu = 0;
}

static int start_worker(struct driver *d, struct driver_why *why)
{
	int err;

	give_tables(d);
	err = rte_eal_remote_launch(worker_run, &d->worker, WORKER_CORE);
	if (err)
		return say(why, err, "the worker cannot be started: %s", strerror(-err));
	d->running = true;
	return 0;
}

static void stop_worker(struct driver *d)
{
	const struct worker_counts *c = &d->worker.counts;

	if (!d->running)
		return;
	__atomic_store_n(&d->worker.stop, true, __ATOMIC_RELEASE);
	rte_eal_wait_lcore(WORKER_CORE);
	d->running = false;
	log_note("worker-stopped",
	         "bursts=%llu/%llu/%llu/%llu/%llu/%llu/%llu sleeps=%llu unsent=%llu segmented=%llu",
	         (unsigned long long)c->bursts[0], (unsigned long long)c->bursts[1],
	         (unsigned long long)c->bursts[2], (unsigned long long)c->bursts[3],
	         (unsigned long long)c->bursts[4], (unsigned long long)c->bursts[5],
	         (unsigned long long)c->bursts[6], (unsigned long long)c->sleeps,
	         (unsigned long long)c->unsent, (unsigned long long)c->segmented);
}

static void stop_port(const struct port *p)
{
	(void)rte_eth_dev_stop(p->id);
	(void)rte_eal_hotplug_remove("vdev", p->device); /* closes it */
}

static void forget_next(struct driver *d)
{
	free(d->seen_exceptions);
	free(d->seen_colds);
	d->seen_exceptions = NULL;
	d->seen_colds = NULL;
	tablefile_close(&d->next);
}

static void close_driver(struct driver *d)
{
	if (!d)
		return;
	stop_worker(d);
	for (size_t i = 0; i < d->n_ports; i++)
		stop_port(&d->ports[i]);
	forget_next(d);
	tablefile_close(&d->now);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	free(d);
}

static int open_driver(const struct driver_config *config, struct driver **out, bool *kept,
                       struct driver_why *why)
{
	struct driver *d = calloc(1, sizeof(*d));
	int err;

	why->text[0] = 0;
	if (!d)
		return say(why, -ENOMEM, "out of memory");
	d->lock_fd = -1;
	snprintf(d->dir, sizeof(d->dir), "%s", config->pin_dir);
	err = lock_dir(d, why);
	if (!err)
		err = open_tables(d, &config->sizes, kept, why);
	if (!err)
		err = start_eal(why);
	if (!err && !eal.pool)
		err = say(why, -ENOMEM, "no memory for packets: " MEMORY_MB " MB are needed");
	if (!err)
		err = start_worker(d, why);
	if (err) {
		close_driver(d);
		return err;
	}
	why->text[0] = 0;
	*out = d;
	return 0;
}

static void tables(const struct driver *d, struct fwd_tables *out)
{
	*out = d->now.tables;
}

static void sizes(const struct driver *d, struct driver_sizes *out)
{
	*out = d->now.sizes;
}

/* Tell the worker which ports there are. */
static void give_ports(struct driver *d)
{
	struct worker *w = &d->worker;

	worker_park(w);
	w->n_ports = 0;
	for (size_t i = 0; i < d->n_ports; i++)
		w->ports[w->n_ports++] =
		        (struct worker_port){ d->ports[i].id, d->ports[i].shown.ifindex };
	worker_unpark(w);
}

static struct port *find_port(struct driver *d, const char *interface)
{
	for (size_t i = 0; i < d->n_ports; i++)
		if (!strcmp(d->ports[i].shown.name, interface))
			return &d->ports[i];
	return NULL;
}

static void remove_port(struct driver *d, struct port *p)
{
	struct port gone = *p;

	*p = d->ports[--d->n_ports];
	give_ports(d);
	stop_port(&gone);
}

static int start_device(uint16_t id)
{
	const struct rte_eth_conf conf = { 0 };
	int err = rte_eth_dev_configure(id, 1, 1, &conf);

	if (!err)
		err = rte_eth_rx_queue_setup(id, 0, QUEUE_LEN, SOCKET_ID_ANY, NULL, eal.pool);
	if (!err)
		err = rte_eth_tx_queue_setup(id, 0, QUEUE_LEN, SOCKET_ID_ANY, NULL);
	return err ? err : rte_eth_dev_start(id);
}

static int make_port(struct port *p, const char *interface, struct driver_why *why)
{
	char args[64];
	int err;

	snprintf(p->device, sizeof(p->device), "net_af_packet_%s", interface);
	snprintf(args, sizeof(args), "iface=%s", interface);
	err = rte_eal_hotplug_add("vdev", p->device, args);
	if (err)
		return say(why, err, "%s cannot be opened by AF_PACKET: %s (CAP_NET_RAW is needed)",
		           interface, strerror(-err));
	err = rte_eth_dev_get_port_by_name(p->device, &p->id);
	if (!err)
		err = start_device(p->id);
	if (err) {
		say(why, err, "%s cannot be started: %s", interface, strerror(-err));
		(void)rte_eal_hotplug_remove("vdev", p->device);
	}
	return err;
}

static int attach(struct driver *d, const char *interface, struct driver_port *out,
                  struct driver_why *why)
{
	uint32_t ifindex = if_nametoindex(interface);
	struct port *old = find_port(d, interface), p = { .shown = { .ifindex = ifindex } };
	int err;

	why->text[0] = 0;
	if (old && old->shown.ifindex != ifindex) {
		remove_port(d, old);
		old = NULL;
	}
	if (!ifindex)
		return say(why, -ENODEV, "there is no interface %s", interface);
	if (!old) {
		if (d->n_ports == DRIVER_PORTS_MAX)
			return say(why, -ENOSPC, "more than %u ports", DRIVER_PORTS_MAX);
		err = make_port(&p, interface, why);
		if (err)
			return err;
		snprintf(p.shown.name, sizeof(p.shown.name), "%s", interface);
		old = &d->ports[d->n_ports++];
		*old = p;
		give_ports(d);
	}
	*out = old->shown;
	say(why, 0, "AF_PACKET: for trials; the kernel copies each frame");
	return 0;
}

static int detach(struct driver *d, const char *interface, struct driver_why *why)
{
	struct port *p = find_port(d, interface);

	why->text[0] = 0;
	if (p)
		remove_port(d, p);
	return 0;
}

static size_t ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	for (size_t i = 0; i < d->n_ports; i++)
		out[i] = d->ports[i].shown;
	return d->n_ports;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void *copy_of(const void *from, size_t bytes)
{
	void *p = malloc(bytes);

	if (p)
		memcpy(p, from, bytes);
	return p;
}

static int resize_begin(struct driver *d, const struct driver_sizes *wanted,
                        struct fwd_tables *next, struct driver_why *why)
{
	const struct driver_sizes *old = &d->now.sizes;
	const struct driver_sizes z = {
		.services = larger(old->services, wanted->services),
		.service_counts = larger(old->service_counts, wanted->service_counts),
		.pools = larger(old->pools, wanted->pools),
		.backends = larger(old->backends, wanted->backends),
		.slots = larger(old->slots, wanted->slots),
		.exception_sets = larger(old->exception_sets, wanted->exception_sets),
	};
	const struct fwd_tables *t = &d->now.tables;
	char path[PATH_MAX];
	int err;

	why->text[0] = 0;
	path_of(d, "tables.next", path);
	err = tablefile_make(&d->next, path, &z, ROWS, why);
	if (err)
		return err;
	d->seen_exceptions = copy_of(t->exceptions, t->n_exceptions * sizeof(*t->exceptions));
	d->seen_colds = copy_of(t->colds, t->n_colds * sizeof(*t->colds));
	if (!d->seen_exceptions || !d->seen_colds) {
		forget_next(d);
		(void)unlink(path);
		return say(why, -ENOMEM, "out of memory for larger tables");
	}
	tablefile_copy(&d->now, &d->next);
	*next = d->next.tables;
	return 0;
}

/* The worker is parked: what it changed in the old tables since they were copied. */
static void replay(struct driver *d)
{
	const struct fwd_tables *f = &d->now.tables;
	struct fwd_tables *t = &d->next.tables;
	const uint32_t *was = (const void *)d->seen_colds, *now = (const void *)f->colds;
	uint32_t *to = (void *)t->colds;

	for (uint32_t i = 0; i < f->n_exceptions; i++)
		if (memcmp(&d->seen_exceptions[i], &f->exceptions[i], sizeof(f->exceptions[i])))
			for (uint32_t k = i; k < t->n_exceptions; k += f->n_exceptions)
				t->exceptions[k] = f->exceptions[i];
	for (size_t i = 0; i < sizeof(*f->colds) / sizeof(uint32_t) * f->n_colds; i++)
		if (was[i] != now[i] && to[i] == was[i])
			to[i] = now[i];
}

static int resize_commit(struct driver *d, struct driver_why *why)
{
	char path[PATH_MAX], next[PATH_MAX];
	int err = 0;

	why->text[0] = 0;
	path_of(d, "tables", path);
	path_of(d, "tables.next", next);
	worker_park(&d->worker);
	if (rename(next, path)) {
		err = say(why, -errno, "%s cannot be put in place: %s", path, strerror(errno));
		(void)unlink(next);
	} else {
		replay(d);
		tablefile_sum(&d->now, &d->next);
		tablefile_close(&d->now);
		d->now = d->next;
		memset(&d->next, 0, sizeof(d->next));
		give_tables(d);
	}
	worker_unpark(&d->worker);
	forget_next(d);
	return err;
}

static void grace(struct driver *d)
{
	worker_grace(&d->worker);
}

/* The worker asks for the time itself. */
static int tick(struct driver *d)
{
	(void)d;
	return 0;
}

static int remove_all(const char *pin_dir, struct driver_why *why)
{
	static const char *const names[] = { "tables", "tables.next", "lock" };
	struct driver d = { .lock_fd = -1 };
	char path[PATH_MAX];
	int err;

	snprintf(d.dir, sizeof(d.dir), "%s", pin_dir);
	if (access(pin_dir, F_OK))
		return say(why, -ENOENT, "no tables are at %s", pin_dir);
	err = lock_dir(&d, why);
	for (size_t i = 0; !err && i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(&d, names[i], path);
		if (unlink(path) && errno != ENOENT)
			err = say(why, -errno, "%s cannot be removed: %s", path, strerror(errno));
	}
	if (!err && rmdir(pin_dir))
		err = say(why, -errno, "%s cannot be removed: %s", pin_dir, strerror(errno));
	if (d.lock_fd >= 0)
		close(d.lock_fd);
	return err;
}

static int map_tables(const char *pin_dir, struct fwd_tables *out, struct driver_why *why)
{
	struct driver d = { 0 };
	struct tablefile f;
	char path[PATH_MAX];
	int err;

	snprintf(d.dir, sizeof(d.dir), "%s", pin_dir);
	path_of(&d, "tables", path);
	err = tablefile_open(&f, path, false, why);
	if (!err)
		*out = f.tables; /* the memory stays mapped */
	return err;
}

static void unmap_tables(struct fwd_tables *t)
{
	tablefile_unmap(t);
}

static const struct driver_ops driver_dpdk = {
	.name = "dpdk",
	.open = open_driver,
	.tables = tables,
	.sizes = sizes,
	.attach = attach,
	.detach = detach,
	.ports = ports,
	.resize_begin = resize_begin,
	.resize_commit = resize_commit,
	.grace = grace,
	.tick = tick,
	.close = close_driver,
	.remove = remove_all,
	.map = map_tables,
	.unmap = unmap_tables,
};

const struct driver_ops *const drivers_dpdk = &driver_dpdk;
