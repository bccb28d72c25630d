/* SPDX-License-Identifier: BSD-2-Clause */
/* The DPDK driver: what it says of packets that a port's device did not take. */
#include "driver_scene.h"
#include "tests/unit/suite.h"

/* The sum over workers, by port; a port keeps its own when another one goes, and begins at none. */
static void each_port_says_what_its_device_did_not_take(void **state)
{
	(void)state;
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth2", "net_null2", "");
	for (uint32_t i = 0; i < WORKERS; i++) {
		port_of(i, 0)->not_sent = 1;
		port_of(i, 1)->not_sent = 10 + i;
	}
	assert_int_equal(list_ports(), 2);
	assert_true(ports[0].not_sent_known && ports[1].not_sent_known);
	assert_int_equal(ports[0].not_sent, 3);
	assert_int_equal(ports[1].not_sent, 33);
	detach_port("eth0");
	assert_int_equal(list_ports(), 1);
	assert_string_equal(ports[0].name, "eth2");
	assert_int_equal(ports[0].not_sent, 33);
	attach_port("eth0", "net_null0", "");
	assert_int_equal(list_ports(), 2);
	assert_int_equal(ports[0].not_sent, 33);
	assert_int_equal(ports[1].not_sent, 0);
}

SUITE(driver_losses)
{
	const struct CMUnitTest tests[] = {
		APART(each_port_says_what_its_device_did_not_take),
	};

	answer_all();
	return cmocka_run_group_tests_name("driver losses", tests, NULL, NULL);
}
