/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DPDK driver on DPDK's start, threads, rings and devices that are the test's, as are the kernel's TAPs and hugepages.
 * Files, locks, tables and the workers are real. Each test has a process of its own (apart.h).
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

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/drivers.h"
#include "tests/unit/answers.h"
#include "tests/unit/dataplane/apart.h"
#include "tests/unit/dataplane/buffers.h"
#include "tests/unit/dataplane/device_fake.h"
#include "tests/unit/dataplane/dpdk_answers.h"
#include "tests/unit/dataplane/eal_fake.h"
#include "tests/unit/dataplane/hugepages_fake.h"
#include "tests/unit/dataplane/lcores_fake.h"

#define TUN "/dev/net/tun"

static struct {
	char dir[64], pins[80];
	struct driver_config config;
	struct model_dpdk dpdk;
	struct model_node self; /* of prepare() */
	struct driver *d;
	/* the kernel */
	int tap_errno;
	unsigned int moved;        /* what is added to an interface's index */
	bool eth_is_up;            /* as an AF_PACKET socket sees it */
	char taps[1024][IFNAMSIZ]; /* names of queues, by their descriptors */
	int held;                  /* a queue that gets no frames; 0: none was opened */
	uint8_t tap_mac[6];
	int tap_mtu;
} run;

/* eth0 is 11, eth1 is 12, ..; others are not there. */
static unsigned int own_if_nametoindex(const char *name)
{
	return !strncmp(name, "eth", 3) ? 11 + (unsigned int)atoi(name + 3) + run.moved : 0;
}

static char *own_if_indextoname(unsigned int index, char *out)
{
	snprintf(out, IFNAMSIZ, "eth%u", index - 11 - run.moved);
	return out;
}

static int own_open64(const char *path, int flags, mode_t mode)
{
	/* nothing comes from it */
	return strcmp(path, TUN) ? __real_open64(path, flags, mode)
	                         : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

/* "held": while it is so, no carrier is lost. */
static inline bool is_held(void)
{
	return run.held && fcntl(run.held, F_GETFD) >= 0;
}

static int ask_tap(int fd, unsigned long request, void *arg)
{
	struct ifreq *r = arg;

	assert_true(fcntl(fd, F_GETFD) >= 0);
	if (request == TUNSETIFF) {
		assert_int_equal(r->ifr_flags, IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE);
		strcpy(run.taps[fd], r->ifr_name);
		errno = run.tap_errno;
		return run.tap_errno ? -1 : 0;
	}
	if (request == TUNSETQUEUE) {
		assert_int_equal(r->ifr_flags, IFF_DETACH_QUEUE);
		note("hold %s; ", run.taps[fd]);
		run.held = fd;
	} else if (request == TUNSETCARRIER) {
		note("%s carrier %d%s; ", run.taps[fd], *(int *)arg, is_held() ? " held" : "");
	} else {
		assert_int_equal(request, TUNSETPERSIST);
		note("%s %s; ", run.taps[fd], arg ? "tap" : "ends");
	}
	return 0;
}

static int own_ioctl(int fd, unsigned long request, void *arg)
{
	struct ifreq *r = arg;

	switch (request) {
	case SIOCGIFHWADDR:
		memset(r->ifr_hwaddr.sa_data, 0, 6);
		break;
	case SIOCSIFHWADDR:
		memcpy(run.tap_mac, r->ifr_hwaddr.sa_data, 6);
		break;
	case SIOCGIFMTU:
		r->ifr_mtu = 0;
		break;
	case SIOCSIFMTU:
		run.tap_mtu = r->ifr_mtu;
		break;
	case SIOCGIFFLAGS:
		r->ifr_flags = (short)(run.eth_is_up ? IFF_UP | IFF_RUNNING : 0);
		break;
	case SIOCSIFFLAGS:
		break;
	default:
		return ask_tap(fd, request, arg);
	}
	return 0;
}

static int own_rte_memseg_list_walk(rte_memseg_list_walk_t each, void *arg)
{
	(void)each;
	(void)arg;
	return 0;
}

static uint16_t carry_nothing(void *queue, struct rte_mbuf **frames, uint16_t n)
{
	(void)queue;
	(void)frames;
	(void)n;
	return 0;
}

/* A device with @p n_rx and @p n_tx queues; no frames come or go. */
static inline struct fake *put_device(int id, const char *name, uint16_t n_rx, uint16_t n_tx)
{
	static void *none[WORKERS_MAX];
	struct fake *f = add_device(id, name, "net_x");

	rte_eth_fp_ops[id] = (struct rte_eth_fp_ops){
		.rx_pkt_burst = carry_nothing,
		.tx_pkt_burst = carry_nothing,
		.rxq = { .data = none, .clbk = none },
		.txq = { .data = none, .clbk = none },
	};
	f->info.max_rx_queues = n_rx;
	f->info.max_tx_queues = n_tx;
	return f;
}

/* The AF_PACKET socket on eth2. */
static inline void put_socket(int id)
{
	struct fake *f = put_device(id, "net_af_packet_eth2", 3, 3);

	f->info.driver_name = "net_af_packet";
	f->info.if_index = 13 + run.moved;
	run.eth_is_up = true;
}

#define WORKERS 3u

static const struct driver_sizes small = { .services = 4,
	                                   .service_counts = 4,
	                                   .pools = 2,
	                                   .backends = 4,
	                                   .slots = 64,
	                                   .exception_buckets = 4 };
/* net_null0 to net_null3 are devices 1 to 4, each with a queue for each worker. */
static int setup(void **state)
{
	static const char *const names[] = { "net_null0", "net_null1", "net_null2", "net_null3" };

	(void)state;
	memset(&run, 0, sizeof(run));
	reset_eal();
	reset_lcores();
	reset_devices();
	reset_buffers();
	buffers.limit = 0; /* several threads ask for some */
	eal_fake.pool = &buffers.pool;
	scene.needs_no_interrupts = true;
	strcpy(run.dir, "/tmp/weir-dpdk-XXXXXX");
	if (!mkdtemp(run.dir) || reset_pages(run.dir))
		return -1;
	machine.meminfo = "MemTotal: 99999999 kB\nMemAvailable: 99999999 kB\n";
	snprintf(run.pins, sizeof(run.pins), "%s/pins", run.dir);
	run.dpdk = (struct model_dpdk){ .hugepages = MODEL_HUGEPAGES_NO,
		                        .memory_mb = 4096,
		                        .n_cores = WORKERS,
		                        .cores = { 2, 3, 5 } };
	run.config = (struct driver_config){
		.pin_dir = run.pins, .sizes = small, .dpdk = &run.dpdk, .mtu = 1600, .numa_node = -1
	};
	for (int i = 0; i < 4; i++)
		put_device(i + 1, names[i], WORKERS, WORKERS);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	drivers_dpdk->close(run.d);
	for (int i = 0; i < DEVICES; i++)
		assert_false(scene.devices[i].is_plugged);
	assert_int_equal(lcores_fake.n_rings, lcores_fake.n_rings_freed);
	snprintf(command, sizeof(command), "rm -r %s", run.dir);
	return system(command);
}

/* @return whether tables were taken over */
static inline bool open_it(void)
{
	struct driver_reason why;
	bool kept;

	assert_int_equal(drivers_dpdk->open(&run.config, &run.d, &kept, &why), 0);
	assert_string_equal(why.text, "");
	return kept;
}

static inline void close_it(void)
{
	drivers_dpdk->close(run.d);
	run.d = NULL;
}

/* @p says  a part; "": nothing is said */
static inline void expect_text(const char *text, const char *says)
{
	if (!strstr(text, says) || !*text != !*says)
		fail_msg("\"%s\" in place of \"%s\"", text, says);
}

static inline int try_port(const char *interface, const char *device, const char *says)
{
	const struct model_port port = { .interface = interface, .device = device };
	struct driver_port out = { .ifindex = 99 };
	struct driver_reason why;
	int err = drivers_dpdk->attach(run.d, &port, &out, &why);

	expect_text(why.text, says);
	assert_int_equal(out.ifindex == 99, err != 0);
	return err;
}

static inline void attach_port(const char *interface, const char *device, const char *says)
{
	assert_int_equal(try_port(interface, device, says), 0);
}

static inline void detach_port(const char *interface)
{
	struct driver_reason why;

	assert_int_equal(drivers_dpdk->detach(run.d, interface, &why), 0);
}

static const char af_packet[] = "AF_PACKET: for trials; the kernel copies each frame";

static inline struct fwd_tables tables_now(void)
{
	struct fwd_tables t;

	drivers_dpdk->tables(run.d, &t);
	return t;
}

/* The ports as they are listed. @return how many */
static struct driver_port ports[DRIVER_PORTS_MAX];

static inline size_t list_ports(void)
{
	return drivers_dpdk->ports(run.d, ports);
}

/* What a worker knows of port @p port. */
static inline struct worker_port *port_of(uint32_t worker, uint32_t port)
{
	struct worker *w = running_worker(worker);

	assert_true(port < w->n_ports);
	return &w->ports[port];
}

static inline unsigned int count_in_log(const char *text)
{
	unsigned int n = 0;

	for (const char *at = scene.log; (at = strstr(at, text)); at++)
		n++;
	return n;
}

static inline char *read_file(const char *name, char out[256])
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", run.pins, name);
	f = fopen(path, "r");
	out[f ? fread(out, 1, 255, f) : 0] = 0;
	if (f)
		fclose(f);
	return out;
}

/* @p says  a part; "": all lies where the document wishes */
static inline void expect_memory_fault(const char *says)
{
	struct driver_reason why = { "?" };

	assert_int_equal(drivers_dpdk->memory_fault(run.d, &why), *says != 0);
	expect_text(why.text, says);
}

/* From now on these calls are answered here. */
static inline void answer_all(void)
{
	answer_devices();
	answer_eal();
	answer_lcores();
	answer_hugepages();
	answer_if_indextoname = own_if_indextoname;
	answer_if_nametoindex = own_if_nametoindex;
	answer_ioctl = own_ioctl;
	answer_open64 = own_open64;
	answer_rte_memseg_list_walk = own_rte_memseg_list_walk;
}

#endif
