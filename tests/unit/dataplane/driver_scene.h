/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DPDK driver with its devices, TAPs and workers' threads in the test's hands; files, locks and
 * tables are real. Includes the source.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_DRIVER_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_DRIVER_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_ring.h>

#include <errno.h>

#include "weir/hugepages.h"
#include "dataplane/dpdk/lcores.h"
#include "dataplane/dpdk/device.h"
#include "dataplane/dpdk/tap.h"
#include "tests/unit/dataplane/noted.h"

/* eth0 is 11, eth1 is 12, ..; others are not there. */
static unsigned int fake_index(const char *name)
{
	return !strncmp(name, "eth", 3) ? 11 + (unsigned int)atoi(name + 3) : 0;
}

static struct rte_ring *fake_ring_create(const char *name, unsigned int count, int socket,
                                         unsigned int flags);

/* The machine's hugepages are of no account. */
static int find_no_hugepages(const char *mounts, struct hugepages_mount *out)
{
	(void)mounts;
	(void)out;
	return -ENOENT;
}

#include "dataplane/dpdk/hugefile.h"
#define hugefile_make  make_hugefile
#define hugepages_find find_no_hugepages
MUST_CHECK int make_hugefile(const char *path, uint64_t bytes, struct hugefile_request *request,
                             uint64_t *file_bytes);
#include "dataplane/dpdk/hugefile.c"
#undef hugefile_make

static uint64_t kept_bytes; /* of hugepages for packets, when tables were made last */

int hugefile_make(const char *path, uint64_t bytes, struct hugefile_request *request,
                  uint64_t *file_bytes)
{
	kept_bytes = request->keep_bytes;
	return make_hugefile(path, bytes, request, file_bytes);
}

#define if_nametoindex  fake_index
#define rte_ring_create fake_ring_create
#include "dataplane/dpdk/tables_dir.h"

static unsigned n_drops;

/* Counted, since without hugepages nothing is to be seen of it. */
static void drop_next(const char *dir)
{
	n_drops++;
	tables_dir_drop_next(dir);
}

#define tables_dir_drop_next drop_next
#include "dataplane/dpdk/driver.c"
#undef tables_dir_drop_next
#include "dataplane/dpdk/tables_dir.c"

static struct {
	char dir[64], pins[80];
	struct driver_config config;
	struct model_dpdk dpdk;
	struct model_node self; /* of prepare() */
	struct driver *d;
	/* what the edges answer */
	uint32_t n_workers;
	int eal_err, crew_err, check_err, device_err, tap_err;
	bool no_room, holds, is_prepared; /* beside another process */
	const char *eal_says;
	uint16_t n_rx, n_tx, mtu_limit, device_mtu; /* 0: buffers, frames are large enough */
	bool is_bond, interrupts, no_ring;
	uint32_t link_turns; /* 1 << device's id: turns when it is looked at */
	/* what they were asked */
	uint16_t next_id;
	unsigned int n_opened, n_closed, n_rings, n_rings_freed, n_graces, n_stopped;
	char log[2048];
	struct fwd_root *crew_root;
	struct rte_ring *rings[4];
} scene;

static inline struct dpdk_driver *opened_driver(void)
{
	return (struct dpdk_driver *)scene.d;
}

static struct rte_ring *fake_ring_create(const char *name, unsigned int count, int socket,
                                         unsigned int flags)
{
	static struct rte_ring rings[4];

	(void)socket;
	assert_int_equal(count, LCORES_RING_LEN);
	assert_int_equal(flags, RING_F_SC_DEQ);
	if (scene.no_ring)
		return NULL;
	note("ring %s; ", name);
	return &rings[scene.n_rings++ % 4];
}

int eal_start(const struct model_dpdk *dpdk, uint16_t mtu, uint32_t *n_workers,
              struct driver_reason *why)
{
	assert_true(dpdk == &scene.dpdk || dpdk == &scene.self.dpdk);
	assert_int_equal(mtu, 1600);
	*n_workers = scene.n_workers;
	if (scene.eal_says)
		snprintf(why->text, sizeof(why->text), "%s", scene.eal_says);
	return scene.eal_err;
}

uint16_t eal_limit_mtu(uint16_t mtu)
{
	return scene.mtu_limit && scene.mtu_limit < mtu ? scene.mtu_limit : mtu;
}

bool eal_fits_beside(const struct model_dpdk *dpdk, struct driver_reason *why)
{
	assert_true(dpdk == &scene.dpdk || dpdk == &scene.self.dpdk);
	if (scene.no_room)
		driver_set_reason(why, 0, "no room");
	return !scene.no_room;
}

uint64_t eal_count_needed(const struct model_dpdk *dpdk)
{
	assert_ptr_equal(dpdk, &scene.dpdk);
	return scene.is_prepared ? 0 : (uint64_t)dpdk->memory_mb << 20;
}

int eal_prepare(const struct model_dpdk *dpdk, uint16_t mtu, struct driver_reason *why)
{
	uint32_t n_workers;

	note("prepare; ");
	return eal_start(dpdk, mtu, &n_workers, why);
}

int lcores_start(struct lcores *c, uint32_t n_workers, const struct fwd_tables *give_tables,
                 struct driver_reason *why)
{
	if (scene.crew_err)
		return driver_set_reason(why, scene.crew_err, "no crew");
	c->workers = aligned_alloc(_Alignof(struct worker), n_workers * sizeof(*c->workers));
	memset(c->workers, 0, n_workers * sizeof(*c->workers));
	c->n_workers = c->n_running = n_workers;
	scene.crew_root = give_tables->root;
	return 0;
}

void lcores_stop(struct lcores *c)
{
	scene.n_stopped += c->n_running;
	c->n_running = 0;
}

void lcores_free(struct lcores *c)
{
	free(c->workers);
}

void lcores_park(struct lcores *c)
{
	(void)c;
	note("park; ");
}

void lcores_unpark(struct lcores *c)
{
	(void)c;
	note("unpark; ");
}

void lcores_wait_bursts(struct lcores *c)
{
	(void)c;
	scene.n_graces++;
}

int lcores_prove(struct lcores *c, struct driver_probes *batch)
{
	assert_int_equal(c->n_workers, scene.n_workers);
	note("prove %u; ", batch->n);
	return -EAGAIN;
}

void lcores_set_tables(struct lcores *c, const struct fwd_tables *give_tables)
{
	(void)c;
	scene.crew_root = give_tables->root;
	note("tables; ");
}

void lcores_free_ring(struct rte_ring *ring)
{
	scene.n_rings_freed += ring != NULL;
}

int device_ready(const struct model_port *port, struct driver_reason *why)
{
	return scene.check_err
	               ? driver_set_reason(why, scene.check_err, "%s is not there", port->device)
	               : 0;
}

int device_open(struct device *d, const struct model_port *port, uint32_t n_workers, uint16_t mtu,
                struct driver_reason *why)
{
	assert_int_equal(n_workers, scene.n_workers);
	assert_int_equal(mtu, scene.mtu_limit ? scene.mtu_limit : 1600);
	if (scene.device_err)
		return driver_set_reason(why, scene.device_err, "no device");
	*d = (struct device){ .id = scene.next_id++,
		              .n_rx = scene.n_rx,
		              .n_tx = scene.n_tx,
		              .is_bond = scene.is_bond,
		              .interrupts = scene.interrupts,
		              .mtu = scene.device_mtu ? scene.device_mtu : mtu,
		              .ifindex = *port->device ? 0 : fake_index(port->interface),
		              .mac = { 2, 0, 0, 0, 0, 9 },
		              .up = true };
	snprintf(d->name, sizeof(d->name), "%s", *port->device ? port->device : "af");
	scene.n_opened++;
	return 0;
}

void device_close(struct device *d)
{
	scene.n_closed++;
	note("close %u; ", d->id);
}

bool device_link_changed(struct device *d)
{
	bool turns = scene.link_turns >> d->id & 1;

	d->up ^= turns;
	return turns;
}

void device_accept_macs(struct device *d, const uint64_t *macs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		note("mac %u %llx; ", d->id, (unsigned long long)macs[i]);
}

void device_losses(const struct device *d, uint64_t *missed, uint64_t *no_memory)
{
	*missed = 10u + d->id;
	*no_memory = 20u + d->id;
}

int device_interrupt(const struct device *d, uint16_t queue)
{
	return d->interrupts ? 100 + queue : -1;
}

int tap_open(const struct tap_config *config, int *fds, uint32_t *ifindex,
             struct driver_reason *why)
{
	if (scene.tap_err)
		return driver_set_reason(why, scene.tap_err, "no tap");
	assert_int_equal(config->n_queues, scene.n_workers);
	assert_int_equal(config->mtu, scene.device_mtu  ? scene.device_mtu
	                              : scene.mtu_limit ? scene.mtu_limit
	                                                : 1600);
	assert_int_equal(config->mac[5], 9);
	for (uint32_t i = 0; i < config->n_queues; i++)
		fds[i] = fcntl(0, F_DUPFD_CLOEXEC, 0);
	*ifindex = fake_index(config->name);
	note("tap %s; ", config->name);
	return 0;
}

void tap_carrier(int fd, bool up)
{
	assert_true(fcntl(fd, F_GETFD) >= 0);
	note("carrier %d; ", up);
}

void tap_end(int fd)
{
	assert_true(fcntl(fd, F_GETFD) >= 0);
	note("end; ");
}

void tap_hold(const char *name)
{
	note("hold %s; ", name);
}

/* Only one that was held is of interest. */
void tap_release(const char *name)
{
	if (scene.holds)
		note("release %s; ", name ? name : "all");
}

void tap_remove(const char *name)
{
	note("remove %s; ", name);
}

static const struct driver_sizes small = { .services = 4,
	                                   .service_counts = 4,
	                                   .pools = 2,
	                                   .backends = 4,
	                                   .slots = 64,
	                                   .exception_buckets = 4 };
static const struct driver_ops *const ops = &driver_dpdk;

static int setup(void **state)
{
	(void)state;
	memset(&scene, 0, sizeof(scene));
	strcpy(scene.dir, "/tmp/weir-dpdk-XXXXXX");
	if (!mkdtemp(scene.dir))
		return -1;
	snprintf(scene.pins, sizeof(scene.pins), "%s/pins", scene.dir);
	scene.config = (struct driver_config){
		.pin_dir = scene.pins, .sizes = small, .dpdk = &scene.dpdk, .mtu = 1600
	};
	scene.config.numa_node = -1;
	scene.dpdk.hugepages = MODEL_HUGEPAGES_NO;
	scene.n_workers = 3;
	scene.n_rx = scene.n_tx = 3;
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	ops->close(scene.d);
	assert_int_equal(scene.n_opened, scene.n_closed);
	assert_int_equal(scene.n_rings, scene.n_rings_freed);
	snprintf(command, sizeof(command), "rm -r %s", scene.dir);
	return system(command);
}

/* @return whether tables were taken over */
static bool open_it(void)
{
	struct driver_reason why;
	bool kept;

	assert_int_equal(ops->open(&scene.config, &scene.d, &kept, &why), 0);
	assert_string_equal(why.text, "");
	return kept;
}

static inline void close_it(void)
{
	ops->close(scene.d);
	scene.d = NULL;
}

static struct driver_port attach_port(const char *interface, const char *device, const char *says)
{
	const struct model_port port = { .interface = interface, .device = device };
	struct driver_port out;
	struct driver_reason why;

	assert_int_equal(ops->attach(scene.d, &port, &out, &why), 0);
	assert_string_equal(why.text, says);
	return out;
}

static const char af_packet[] = "AF_PACKET: for trials; the kernel copies each frame";

static inline char *read_file(const char *name, char out[256])
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", scene.pins, name);
	f = fopen(path, "r");
	out[f ? fread(out, 1, 255, f) : 0] = 0;
	if (f)
		fclose(f);
	return out;
}

/* @p expected  "": all lies where the document wishes */
static inline void expect_memory_fault(const char *expected)
{
	struct driver_reason why = { "?" };

	assert_int_equal(ops->memory_fault(scene.d, &why), *expected != 0);
	assert_string_equal(why.text, expected);
}

#endif
