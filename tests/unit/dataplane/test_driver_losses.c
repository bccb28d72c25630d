/* SPDX-License-Identifier: BSD-2-Clause */
/* The DPDK driver: what it says of packets that a port's device did not take. */
#include "driver_scene.h"

/* The sum over workers, by port; a port keeps its own when another one goes, and begins at none. */
static void each_port_says_what_its_device_did_not_take(void **state)
{
	struct driver_port out[DRIVER_PORTS_MAX];
	struct driver_reason why;

	(void)state;
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth2", "net_null2", "");
	for (uint32_t i = 0; i < 3; i++) {
		opened_driver()->lcores.workers[i].ports[0].not_sent = 1;
		opened_driver()->lcores.workers[i].ports[1].not_sent = 10 + i;
	}
	assert_int_equal(ops->ports(scene.d, out), 2);
	assert_true(out[0].not_sent_known && out[1].not_sent_known);
	assert_int_equal(out[0].not_sent, 3);
	assert_int_equal(out[1].not_sent, 33);
	assert_int_equal(ops->detach(scene.d, "eth0", &why), 0);
	assert_int_equal(ops->ports(scene.d, out), 1);
	assert_string_equal(out[0].name, "eth2");
	assert_int_equal(out[0].not_sent, 33);
	attach_port("eth0", "net_null0", "");
	assert_int_equal(ops->ports(scene.d, out), 2);
	assert_int_equal(out[0].not_sent, 33);
	assert_int_equal(out[1].not_sent, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(each_port_says_what_its_device_did_not_take),
	};

	return cmocka_run_group_tests_name("driver losses", tests, NULL, NULL);
}
