/* SPDX-License-Identifier: BSD-2-Clause */
/* A device of DPDK's on devices and an interface of the kernel's that are the test's, with buffers of a real start. */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_DEVICE_SCENE_H
#define WEIR_TESTS_UNIT_DATAPLANE_DEVICE_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <net/if.h>
#include <sys/ioctl.h>

#include <cmocka.h>

#include "dataplane/dpdk/device.h"
#include "tests/unit/answers.h"
#include "tests/unit/dataplane/device_fake.h"
#include "tests/unit/dataplane/eal_fake.h"

/* The kernel's interface eth3, number 14. */
static struct {
	struct rte_ether_addr mac;
	bool is_up;
} kernel;

static char *own_if_indextoname(unsigned int index, char *out)
{
	return index == 14 ? strcpy(out, "eth3") : NULL;
}

static int own_ioctl(int fd, unsigned long request, void *argument)
{
	struct ifreq *r = argument;

	assert_true(fd >= 0);
	assert_string_equal(r->ifr_name, "eth3");
	if (request == SIOCGIFFLAGS) {
		r->ifr_flags = (short)(kernel.is_up ? IFF_UP | IFF_RUNNING : IFF_UP);
		return scene.link_err;
	}
	assert_int_equal(request, SIOCGIFHWADDR);
	memcpy(r->ifr_hwaddr.sa_data, &kernel.mac, 6);
	return 0;
}

static unsigned int n_buffers; /* that queues may keep in all */

static unsigned int count_left(void)
{
	unsigned int n = 0;

	while (eal_keep_in_rings(1))
		n++;
	eal_free_rings(n);
	return n;
}

/* Let queues keep @p n buffers more, whatever they have. */
static void leave_buffers(unsigned int n)
{
	eal_free_rings(n_buffers - count_left());
	assert_true(eal_keep_in_rings(n_buffers - n));
}

static int start_dpdk(void **state)
{
	const struct model_dpdk dpdk = { .hugepages = MODEL_HUGEPAGES_NO, .memory_mb = 512 };
	struct driver_reason why;
	uint32_t n_workers;

	(void)state;
	reset_eal();
	if (eal_start(&dpdk, 1500, &n_workers, &why))
		return -1;
	n_buffers = count_left();
	return 0;
}

/* From now on these calls are answered here. */
static inline void answer_all(void)
{
	answer_devices();
	answer_eal();
	answer_if_indextoname = own_if_indextoname;
	answer_ioctl = own_ioctl;
}

#endif
