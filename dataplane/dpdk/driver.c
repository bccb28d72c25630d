/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DPDK driver (weir/driver.h): workers on their cores; ports are devices that DPDK drives, each
 * with a TAP for the kernel, or AF_PACKET sockets on the kernel's own interface.
 *
 * Tables are in DIR/tables, a mapped file: the next process takes them over if it knows their
 * layout. Forwarding ends with the process; the TAPs stay, and DIR/taps has their names. A lock on
 * DIR/lock keeps out a second process. One thread calls, the loop's. It parks the workers while it
 * changes their ports or tables, so a worker's round needs no lock.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_ring.h>

#include "base/log.h"
#include "dataplane/dpdk/lcores.h"
#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/rss.h"
#include "dataplane/dpdk/tablefile.h"
#include "dataplane/dpdk/tables_dir.h"
#include "dataplane/dpdk/tap.h"
#include "dataplane/drivers.h"
#include "weir/carry.h"
#include "weir/fwd/ingress.h"

#define ROWS (WORKERS_MAX + 1) /* of counters; the last one sums what smaller tables counted */

_Static_assert(WORKERS_MAX == MODEL_CORES_MAX && WORKERS_MAX == DRIVER_WORKERS_MAX, "one a core");

struct device_port {
	struct driver_port shown;
	char device_text[256]; /* the device's text, as configured */
	struct device device;
	int taps[WORKERS_MAX]; /* a queue for each worker; -1: none */
	bool has_tap;
	enum rss_spread spread;
	struct rte_ring *outbox; /* frames of workers without a send queue; NULL: all have one */
};

struct dpdk_driver {
	char dir[PATH_MAX];
	int lock_fd;
	struct tablefile now, next;
	bool wants_hugepages;
	struct hugefile_request request; /* of tables */
	struct carry *carry;             /* from `now` to `next`, during a resize */
	struct device_port ports[DRIVER_PORTS_MAX];
	size_t n_ports;
	struct lcores lcores;
	uint16_t mtu;
	struct driver_reason packets_reason; /* a warning of eal_start() */
	struct driver_reason start_reason; /* of packets or tables, reported with the first port */
};

/* NULL: tables lie in ordinary memory, as packets do. */
static struct hugefile_request *huge_request(struct dpdk_driver *d)
{
	return d->wants_hugepages ? &d->request : NULL;
}

static void close_taps(struct device_port *p)
{
	for (uint32_t i = 0; p->has_tap && i < WORKERS_MAX; i++)
		if (p->taps[i] >= 0)
			close(p->taps[i]);
	p->has_tap = false;
}

static void stop_port(struct device_port *p)
{
	close_taps(p);
	lcores_free_ring(p->outbox);
	device_close(&p->device);
}

static void forget_next(struct dpdk_driver *d)
{
	carry_free(d->carry);
	d->carry = NULL;
	tablefile_close(&d->next);
}

static void close_dpdk_driver(struct driver *driver)
{
	struct dpdk_driver *d = (struct dpdk_driver *)driver;

	if (!d)
		return;
	lcores_stop(&d->lcores);
	for (size_t i = 0; i < d->n_ports; i++)
		stop_port(&d->ports[i]);
	lcores_free(&d->lcores);
	forget_next(d);
	tablefile_close(&d->now);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	free(d);
}

/*
 * What a start needs besides ports and tables. Devices are only looked at: most of them let one
 * process in at a time. TAPs are held until attach_device().
 */
static int prepare_dpdk_driver(const struct model_node *self, struct driver_reason *reason)
{
	bool fits = false;
	int err = 0;

	reason->text[0] = 0;
	for (size_t i = 0; !err && i < self->n_ports; i++)
		err = device_ready(&self->ports[i], reason);
	if (!err)
		fits = eal_fits_beside(&self->dpdk, reason);
	if (fits)
		err = eal_prepare(&self->dpdk, self->mtu, reason);
	for (size_t i = 0; !err && i < self->n_ports; i++)
		if (!model_port_shares_kernel(&self->ports[i]))
			tap_hold(self->ports[i].interface);
	return err || fits ? err : DRIVER_ALONE;
}

static bool give_memory_fault(const struct driver *driver, struct driver_reason *reason)
{
	const struct dpdk_driver *d = (const struct dpdk_driver *)driver;

	*reason = d->packets_reason;
	if (!*reason->text && !d->now.page_bytes && *d->request.reason.text)
		driver_set_reason(reason, 0, "the tables lie in pages of 4 KiB: %s",
		                  d->request.reason.text);
	return *reason->text != 0;
}

/* A warning of the start is kept until the first port is attached: there it reaches the log. */
static int open_dpdk_driver(const struct driver_config *config, struct driver **out, bool *kept,
                            struct driver_reason *reason)
{
	struct dpdk_driver *d = calloc(1, sizeof(*d));
	uint32_t n_workers;
	int err;

	reason->text[0] = 0;
	if (!d)
		return driver_set_reason(reason, -ENOMEM, "out of memory");
	d->lock_fd = -1;
	d->request.node = config->numa_node;
	d->request.keep_bytes = eal_count_needed(config->dpdk);
	d->wants_hugepages = config->dpdk->hugepages != MODEL_HUGEPAGES_NO;
	snprintf(d->dir, sizeof(d->dir), "%s", config->pin_dir);
	err = tables_dir_lock(d->dir, &d->lock_fd, reason);
	if (!err)
		err = tables_dir_open(d->dir, &config->sizes, ROWS, huge_request(d), &d->now, kept,
		                      reason);
	if (!err)
		err = eal_start(config->dpdk, config->mtu, &n_workers, &d->packets_reason);
	if (err && d->packets_reason.text[0])
		*reason = d->packets_reason;
	(void)give_memory_fault((struct driver *)d, &d->start_reason);
	d->request.keep_bytes = 0; /* packets have theirs */
	d->mtu = eal_limit_mtu(config->mtu);
	if (!err)
		err = lcores_start(&d->lcores, n_workers, &d->now.tables, reason);
	if (err) {
		tap_release(NULL); /* a TAP with a carrier would draw packets */
		close_dpdk_driver((struct driver *)d);
		return err;
	}
	reason->text[0] = 0;
	*out = (struct driver *)d;
	return 0;
}

static void give_tables(const struct driver *driver, struct fwd_tables *out)
{
	const struct dpdk_driver *d = (const struct dpdk_driver *)driver;

	*out = d->now.tables;
}

static void give_sizes(const struct driver *driver, struct driver_sizes *out)
{
	const struct dpdk_driver *d = (const struct dpdk_driver *)driver;

	*out = d->now.sizes;
}

static uint64_t give_page_bytes(const struct driver *driver)
{
	return tablefile_page_bytes(&((const struct dpdk_driver *)driver)->now);
}

/* Whether workers hand frames of the port over: too few queues, or all flows come by one. */
static bool is_spread(const struct dpdk_driver *d, const struct device_port *p)
{
	return p->device.n_rx < d->lcores.n_workers || p->spread == RSS_NOT_SPREAD;
}

/*
 * The port for worker @p i: with queue i, if the device has so many. Worker 0 sends what is in
 * the outbox.
 */
static struct worker_port make_worker_port(const struct dpdk_driver *d, const struct device_port *p,
                                           uint32_t i)
{
	const struct device *e = &p->device;

	return (struct worker_port){
		.id = e->id,
		.ifindex = p->shown.ifindex,
		.tap = p->has_tap ? p->taps[i] : -1,
		.rx = i < e->n_rx ? (int16_t)i : -1,
		.tx = i < e->n_tx ? (int16_t)i : -1,
		.spread = is_spread(d, p),
		.watched = e->n_rx > 1 && p->spread != RSS_SPREAD,
		.keep = e->is_bond,
		.interrupt = i < e->n_rx ? device_interrupt(e, (uint16_t)i) : -1,
		.outbox = i == 0 || i >= e->n_tx ? p->outbox : NULL,
	};
}

/* The ports as they are now, with what is known of those that worker @p i has already. */
static void set_worker_ports(const struct dpdk_driver *d, struct worker *w, uint32_t i)
{
	struct worker_port now[DRIVER_PORTS_MAX];

	for (size_t k = 0; k < d->n_ports; k++) {
		const struct worker_port *before = worker_port_of(w, d->ports[k].shown.ifindex);

		now[k] = make_worker_port(d, &d->ports[k], i);
		now[k].not_sent = before ? before->not_sent : 0;
	}
	memcpy(w->ports, now, d->n_ports * sizeof(now[0]));
	w->n_ports = (uint32_t)d->n_ports;
}

/* Give the workers the ports as they are now, while they are parked. */
static void give_ports(struct dpdk_driver *d)
{
	bool shares = false;

	for (size_t i = 0; i < d->n_ports; i++)
		shares |= is_spread(d, &d->ports[i]) || d->ports[i].outbox;
	lcores_park(&d->lcores);
	for (uint32_t i = 0; i < d->lcores.n_workers; i++) {
		struct worker *w = &d->lcores.workers[i];

		memset(w->seen, 0, sizeof(w->seen));
		w->shares = shares;
		set_worker_ports(d, w, i);
	}
	lcores_unpark(&d->lcores);
}

static struct device_port *find_device_port(struct dpdk_driver *d, const char *interface)
{
	for (size_t i = 0; i < d->n_ports; i++)
		if (!strcmp(d->ports[i].shown.name, interface))
			return &d->ports[i];
	return NULL;
}

/* Write down the names of the TAPs, for remove_all() in a later process. */
static void write_taps(const struct dpdk_driver *d)
{
	char path[PATH_MAX];
	FILE *f;

	tables_dir_path(d->dir, "taps", path);
	f = fopen(path, "we");
	if (!f) {
		log_warn("taps-not-noted", "path=%s error=\"%s\"", path, strerror(errno));
		return;
	}
	for (size_t i = 0; i < d->n_ports; i++)
		if (d->ports[i].has_tap)
			fprintf(f, "%s\n", d->ports[i].shown.name);
	fclose(f);
}

static void remove_port(struct dpdk_driver *d, struct device_port *p)
{
	struct device_port gone = *p;

	*p = d->ports[--d->n_ports];
	give_ports(d);
	stop_port(&gone);
}

static int make_tap(const struct dpdk_driver *d, struct device_port *p,
                    struct driver_reason *reason)
{
	struct tap_config c = { .name = p->shown.name,
		                .mtu = p->device.mtu,
		                .n_queues = d->lcores.n_workers };
	int err;

	memcpy(c.mac, p->device.mac, sizeof(c.mac));
	err = tap_open(&c, p->taps, &p->shown.ifindex, reason);
	if (err)
		return err;
	p->has_tap = true;
	for (uint32_t i = d->lcores.n_workers; i < WORKERS_MAX; i++)
		p->taps[i] = -1;
	tap_carrier(p->taps[0], p->device.up);
	return 0;
}

static int make_outbox(const struct dpdk_driver *d, struct device_port *p,
                       struct driver_reason *reason)
{
	char name[32];

	if (p->device.n_tx >= d->lcores.n_workers)
		return 0;
	snprintf(name, sizeof(name), "outbox-%u", p->device.id);
	p->outbox = rte_ring_create(name, LCORES_RING_LEN, SOCKET_ID_ANY, RING_F_SC_DEQ);
	return p->outbox ? 0
	                 : driver_set_reason(reason, -ENOMEM,
	                                     "no memory for rings: raise dpdk.memory");
}

/* The TAP comes last: it gets the MAC address of the device that is open. */
static int make_port(const struct dpdk_driver *d, struct device_port *p,
                     const struct model_port *configured, struct driver_reason *reason)
{
	int err = device_open(&p->device, configured, d->lcores.n_workers, d->mtu, reason);

	if (err)
		return err;
	snprintf(p->shown.name, sizeof(p->shown.name), "%s", configured->interface);
	snprintf(p->device_text, sizeof(p->device_text), "%s", configured->device);
	/* Not if_nametoindex(): the name may be another interface's now, on which no socket is. */
	p->shown.ifindex = p->device.ifindex;
	p->shown.native = *configured->device != 0;
	err = make_outbox(d, p, reason);
	if (!err && !model_port_shares_kernel(configured))
		err = make_tap(d, p, reason);
	if (err)
		stop_port(p);
	return err;
}

/*
 * Whether @p p is still the configured port: the same device, and the kernel's interface not
 * replaced.
 */
static bool is_as_configured(const struct device_port *p, const struct model_port *configured)
{
	return p->shown.ifindex == if_nametoindex(configured->interface) &&
	       !strcmp(p->device_text, configured->device);
}

/*
 * A port that forwards is given up only if the new device looks ready: both may need the same
 * device, so the old one must be closed before the new one can be opened.
 */
static int attach_device(struct driver *driver, const struct model_port *configured,
                         struct driver_port *out, struct driver_reason *reason)
{
	struct dpdk_driver *d = (struct dpdk_driver *)driver;
	struct device_port *p = find_device_port(d, configured->interface), fresh = { 0 };
	int err;

	reason->text[0] = 0;
	if (p && is_as_configured(p, configured)) {
		*out = p->shown;
		return 0;
	}
	if (p) {
		err = device_ready(configured, reason);
		if (err)
			return err;
		remove_port(d, p);
	}
	if (model_port_shares_kernel(configured) && !if_nametoindex(configured->interface))
		return driver_set_reason(reason, -ENODEV, "there is no interface %s",
		                         configured->interface);
	if (d->n_ports == DRIVER_PORTS_MAX)
		return driver_set_reason(reason, -ENOSPC, "more than %u ports", DRIVER_PORTS_MAX);
	err = make_port(d, &fresh, configured, reason);
	tap_release(configured->interface);
	if (err)
		return err;
	d->ports[d->n_ports++] = fresh;
	give_ports(d);
	write_taps(d);
	*out = fresh.shown;
	if (!*reason->text)
		*reason = d->start_reason;
	d->start_reason.text[0] = 0;
	if (!*reason->text && !fresh.has_tap)
		driver_set_reason(reason, 0, "AF_PACKET: for trials; the kernel copies each frame");
	return 0;
}

static int detach_device(struct driver *driver, const char *interface, struct driver_reason *reason)
{
	struct dpdk_driver *d = (struct dpdk_driver *)driver;
	struct device_port *p = find_device_port(d, interface);

	reason->text[0] = 0;
	if (!p)
		return 0;
	if (p->has_tap)
		tap_end(p->taps[0]);
	remove_port(d, p);
	write_taps(d);
	return 0;
}

static uint64_t count_not_sent(const struct dpdk_driver *d, uint32_t ifindex)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < d->lcores.n_workers; i++) {
		const struct worker_port *p = worker_port_of(&d->lcores.workers[i], ifindex);

		if (p)
			sum += __atomic_load_n(&p->not_sent, __ATOMIC_RELAXED);
	}
	return sum;
}

static const char full_queue[] =
        "the device's send queue is full: it takes no frames, or more come than the link carries";
_Static_assert(sizeof(full_queue) <= DRIVER_CAUSE_MAX, "it fits into its condition");

static size_t list_device_ports(const struct driver *driver,
                                struct driver_port out[DRIVER_PORTS_MAX])
{
	const struct dpdk_driver *d = (const struct dpdk_driver *)driver;

	for (size_t i = 0; i < d->n_ports; i++) {
		out[i] = d->ports[i].shown;
		out[i].up = d->ports[i].device.up;
		out[i].mtu = d->ports[i].device.mtu;
		device_losses(&d->ports[i].device, &out[i].missed, &out[i].no_memory);
		out[i].not_sent = count_not_sent(d, out[i].ifindex);
		out[i].not_sent_known = true;
		out[i].not_sent_cause = full_queue;
	}
	return d->n_ports;
}

/* The worker's thread counts meanwhile: each count is whole, and two may be of different instants. */
static void read_counts(const struct driver_worker *counts, struct driver_worker *out)
{
	const uint64_t *from = (const uint64_t *)counts;
	uint64_t *to = (uint64_t *)out;

	for (size_t i = 0; i < offsetof(struct driver_worker, cpu) / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	out->cpu = counts->cpu;
}

static size_t list_worker_counts(const struct driver *driver,
                                 struct driver_worker out[DRIVER_WORKERS_MAX])
{
	const struct dpdk_driver *d = (const struct dpdk_driver *)driver;

	for (uint32_t i = 0; i < d->lcores.n_workers; i++)
		read_counts(&d->lcores.workers[i].counts, &out[i]);
	return d->lcores.n_workers;
}

static int begin_larger_file(struct driver *driver, const struct driver_sizes *needed,
                             struct fwd_tables *next, struct driver_reason *reason)
{
	struct dpdk_driver *d = (struct dpdk_driver *)driver;
	const struct driver_sizes sizes_next = driver_sizes_larger(&d->now.sizes, needed);
	int err;

	reason->text[0] = 0;
	forget_next(d);
	err = tables_dir_make_next(d->dir, &sizes_next, ROWS, huge_request(d), &d->next, reason);
	if (err)
		return err;
	if (carry_begin(&d->now.tables, &d->next.tables, &d->carry)) {
		forget_next(d);
		tables_dir_drop_next(d->dir);
		return driver_set_reason(reason, -ENOMEM, "out of memory for larger tables");
	}
	*next = d->next.tables;
	return 0;
}

/*
 * Between rename() and lcores_set_tables() no worker runs: none writes to tables that nobody reads
 * any more.
 */
static int commit_larger_file(struct driver *driver, struct driver_reason *reason)
{
	struct dpdk_driver *d = (struct dpdk_driver *)driver;
	int err;

	reason->text[0] = 0;
	lcores_park(&d->lcores);
	err = tables_dir_commit_next(d->dir, reason);
	if (!err) {
		carry_end(d->carry, &d->now.tables, &d->next.tables);
		tablefile_close(&d->now);
		d->now = d->next;
		memset(&d->next, 0, sizeof(d->next));
		lcores_set_tables(&d->lcores, &d->now.tables);
	}
	lcores_unpark(&d->lcores);
	forget_next(d);
	tables_dir_drop_next(d->dir);
	return err;
}

static void wait_for_bursts(struct driver *driver)
{
	struct dpdk_driver *d = (struct dpdk_driver *)driver;

	lcores_wait_bursts(&d->lcores);
}

/*
 * A device may accept RSS and still put all frames into one queue, or hash only by fields that all
 * frames share. Workers note the flows that they see (rss.h); if many come by one queue alone,
 * frames are handed over by flow in software, until several flows come by another queue.
 */
static void watch_spread(struct dpdk_driver *d, size_t i)
{
	struct device_port *p = &d->ports[i];
	uint64_t flows[WORKERS_MAX];
	enum rss_spread spread;

	if (p->device.n_rx < 2 || p->spread == RSS_SPREAD)
		return;
	for (uint32_t q = 0; q < p->device.n_rx; q++)
		flows[q] = __atomic_load_n(&d->lcores.workers[q].seen[i], __ATOMIC_RELAXED);
	spread = rss_watch(flows, p->device.n_rx);
	if (spread == RSS_OPEN || spread == p->spread)
		return;
	p->spread = spread;
	give_ports(d);
	if (spread == RSS_SPREAD)
		log_note("frames-spread", "port=%s device=%s queues=%u", p->shown.name,
		         p->device.name, p->device.n_rx);
	else
		log_warn(
		        "frames-not-spread",
		        "port=%s device=%s queues=%u reason=\"all flows arrive by one queue, so workers "
		        "hand frames over, which costs time: use a NIC that hashes (RSS), or name "
		        "only one of dpdk.cores\"",
		        p->shown.name, p->device.name, p->device.n_rx);
}

static size_t add_own_macs(const uint64_t *words, size_t n_words, uint32_t ifindex, uint64_t *macs,
                           size_t n)
{
	for (size_t i = 0; i < n_words; i++)
		if ((uint32_t)(words[i] & 0x1ffff) == (FWD_MAC_USED | (uint16_t)ifindex) &&
		    n <= DEVICE_MACS_MAX)
			macs[n++] = words[i] >> 16 & ~(uint64_t)FWD_MAC_GROUP;
	return n;
}

/* What the tables take for ours must pass the device's own filter first. */
static void pass_own_macs(struct dpdk_driver *d, struct device_port *p)
{
	const struct fwd_tables *t = &d->now.tables;
	uint64_t macs[DEVICE_MACS_MAX + 1];
	size_t n = add_own_macs(t->root->macs, FWD_MACS_FIRST, p->shown.ifindex, macs, 0);

	for (uint32_t i = 0; i < t->n_macs; i++)
		n = add_own_macs(t->macs[i].word, FWD_MAC_WAYS, p->shown.ifindex, macs, n);
	device_accept_macs(&p->device, macs, n);
}

/*
 * Look at links, and let the TAPs' carriers follow. Time needs no tick here: workers read the
 * clock themselves.
 */
static int watch_ports(struct driver *driver)
{
	struct dpdk_driver *d = (struct dpdk_driver *)driver;

	for (size_t i = 0; i < d->n_ports; i++) {
		struct device_port *p = &d->ports[i];

		watch_spread(d, i);
		pass_own_macs(d, p);
		if (!device_link_changed(&p->device))
			continue;
		log_warn("link-changed", "port=%s device=%s up=%d", p->shown.name, p->device.name,
		         p->device.up);
		if (p->has_tap)
			tap_carrier(p->taps[0], p->device.up);
	}
	return 0;
}

static void set_beat_counter(struct driver *driver, uint32_t worker, uint64_t *rounds)
{
	struct dpdk_driver *d = (struct dpdk_driver *)driver;

	if (worker < d->lcores.n_workers)
		__atomic_store_n(&d->lcores.workers[worker].beat, rounds, __ATOMIC_RELAXED);
}

static int prove_by_worker(struct driver *driver, struct driver_probes *batch)
{
	struct dpdk_driver *d = (struct dpdk_driver *)driver;

	return lcores_prove(&d->lcores, batch);
}

static const struct driver_ops driver_dpdk = {
	.name = "dpdk",
	.prepare = prepare_dpdk_driver,
	.open = open_dpdk_driver,
	.tables = give_tables,
	.sizes = give_sizes,
	.page_bytes = give_page_bytes,
	.memory_fault = give_memory_fault,
	.attach = attach_device,
	.detach = detach_device,
	.ports = list_device_ports,
	.resize_begin = begin_larger_file,
	.resize_commit = commit_larger_file,
	.workers = list_worker_counts,
	.beat = set_beat_counter,
	.classes = police_labels,
	.prove = prove_by_worker,
	.grace = wait_for_bursts,
	.tick = watch_ports,
	.tick_s = 1,
	.close = close_dpdk_driver,
	.remove = tables_dir_remove,
	.map = tables_dir_map,
	.unmap = tablefile_unmap,
};

const struct driver_ops *const drivers_dpdk = &driver_dpdk;
