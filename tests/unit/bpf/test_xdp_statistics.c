/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What drivers count of frames that they did not take (bpf/xdp_statistics.c): the answers of a driver
 * that the test plays, for there is no card here that has more than one queue of that kind.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/ethtool.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "bpf/xdp_internal.h"
#include "tests/unit/answers.h"
#include "tests/unit/suite.h"

/* The driver's statistics; n: how many. */
static struct {
	uint32_t n;
	const char *names[4];
	uint64_t values[4];
	bool says_link, link;
} driver;

/* Only the driver is asked here. */
static int own_ioctl(int fd, unsigned long request, void *argument)
{
	struct ethtool_sset_info *info;
	struct ethtool_gstrings *names;
	struct ethtool_stats *values;
	struct ifreq *r = argument;

	(void)fd;
	info = (void *)r->ifr_data;
	if (request == SIOCGIFFLAGS) {
		r->ifr_flags = (short)(driver.link ? IFF_UP | IFF_RUNNING : IFF_UP);
		errno = ENODEV;
		return driver.says_link ? 0 : -1;
	}
	names = (void *)info;
	values = (void *)info;
	switch (info->cmd) {
	case ETHTOOL_GSSET_INFO:
		info->data[0] = driver.n;
		return 0;
	case ETHTOOL_GSTRINGS:
		for (uint32_t i = 0; i < driver.n; i++)
			snprintf((char *)names->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN,
			         "%s", driver.names[i]);
		return 0;
	case ETHTOOL_GSTATS:
		memcpy(values->data, driver.values, driver.n * sizeof(driver.values[0]));
		return 0;
	default:
		errno = EOPNOTSUPP;
		return -1;
	}
}

static void what_all_queues_have_lost_is_summed(void **state)
{
	uint64_t lost = 99;

	(void)state;
	driver.n = 4;
	driver.names[0] = "tx_queue_0_xdp_tx_drops";
	driver.names[1] = "tx_queue_0_xdp_tx";
	driver.names[2] = "tx_queue_1_xdp_tx_drops";
	driver.names[3] = "rx_queue_0_xdp_tx_drops";
	for (uint32_t i = 0; i < driver.n; i++)
		driver.values[i] = 1u << i;
	assert_int_equal(xdp_statistics_lost("v0", &lost), 0);
	assert_int_equal(lost, 1 + 4);
}

static void a_link_is_what_the_kernel_says_of_it(void **state)
{
	bool up = true;

	(void)state;
	driver.says_link = false;
	xdp_statistics_link("v0", &up);
	assert_true(up); /* not known: as it was */
	driver.says_link = true;
	xdp_statistics_link("v0", &up);
	assert_false(up);
	driver.link = true;
	xdp_statistics_link("v0", &up);
	assert_true(up);
}

static void a_driver_that_does_not_count_them_is_told_from_one_that_lost_none(void **state)
{
	uint64_t lost = 99;

	(void)state;
	driver.names[0] = driver.names[2] = "tx_queue_0_drops";
	assert_int_equal(xdp_statistics_lost("v0", &lost), -ENODATA);
	driver.n = 0;
	assert_int_equal(xdp_statistics_lost("v0", &lost), -ENODATA);
	assert_int_equal(lost, 99);
	driver.n = 1;
	driver.names[0] = "tx0_xdp_tx_drops";
	driver.values[0] = 0;
	assert_int_equal(xdp_statistics_lost("v0", &lost), 0);
	assert_int_equal(lost, 0);
}

SUITE(xdp_statistics)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_all_queues_have_lost_is_summed),
		cmocka_unit_test(a_link_is_what_the_kernel_says_of_it),
		cmocka_unit_test(a_driver_that_does_not_count_them_is_told_from_one_that_lost_none),
	};

	answer_ioctl = own_ioctl;
	return cmocka_run_group_tests_name("xdp statistics", tests, NULL, NULL);
}
