/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device of DPDK's: what it is opened with, what is asked of it by what it says it can, and
 * what is said of its lacks.
 */
#include "device_scene.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
static struct device device;
static struct driver_reason why;

static int setup(void **state)
{
	(void)state;
	reset_devices();
	memset(&why, 0, sizeof(why));
	memset(&kernel, 0, sizeof(kernel));
	eal_fake.no_pool = false;
	leave_buffers(n_buffers);
	add_device(1, "0000:01:00.0", "net_ixgbe");
	add_device(2, "net_memif0", "net_memif");
	return 0;
}

static int open_as(const char *interface, const char *name, uint32_t n_workers, uint16_t mtu)
{
	const struct model_port port = { .interface = interface, .device = name };

	return device_open(&device, &port, n_workers, mtu, &why);
}

static int open_pci(uint32_t n_workers)
{
	return open_as("eth0", "0000:01:00.0", n_workers, 1500);
}

static void a_device_is_opened_configured_and_started_in_this_order(void **state)
{
	(void)state;
	assert_int_equal(open_pci(2), 0);
	assert_string_equal(why.text, "");
	assert_string_equal(scene.log,
	                    "add pci 0000:01:00.0 ''; configure 2 2; rx 1.0 512; rx 1.1 512; "
	                    "tx 1.0 256; tx 1.1 256; start 1; multicast 1; ");
	assert_int_equal(device.id, 1);
	assert_int_equal(device.n_rx, 2);
	assert_int_equal(device.n_tx, 2);
	assert_int_equal(device.mac[5], 2);
	assert_int_equal(device.ifindex, 0);
	assert_int_equal(device.rss, HASHES); /* not what flows of no service are hashed by */
	assert_true(device.up);
	assert_true(device.interrupts);
	assert_false(device.filters_vlans);
	assert_int_equal(scene.interrupts, 0); /* tried, and off again */
	assert_int_equal(scene.conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
	assert_int_equal(scene.conf.rx_adv_conf.rss_conf.rss_hf, HASHES);
	assert_int_equal(scene.conf.txmode.offloads, FAST_FREE);
	assert_int_equal(scene.conf.rxmode.mtu, 0);
	assert_int_equal(scene.n_vlans, 0);
	scene.log[0] = 0;
	device_close(&device);
	assert_string_equal(scene.log, "stop 1; remove pci 0000:01:00.0; ");
}

static void a_virtual_device_gets_its_arguments(void **state)
{
	(void)state;
	assert_int_equal(open_as("eth0", "net_memif0,role=client,id=1", 1, 1500), 0);
	assert_non_null(
	        strstr(scene.log, "add vdev net_memif0 'role=client,id=1'; configure 1 1;"));
	assert_string_equal(device.name, "net_memif0");
	assert_int_equal(device.rss, 0); /* one queue */
	assert_int_equal(scene.conf.rxmode.mq_mode, 0);
	assert_string_equal(why.text, "");
}

/* Whoever made the interface may have given it another MAC address since it was opened. */
static void a_kernels_interface_is_opened_by_name_and_keeps_its_mac(void **state)
{
	(void)state;
	for (int differs = 0; differs < 2; differs++) {
		setup(state);
		add_device(3, "net_af_packet_eth3", "net_af_packet");
		scene.devices[3].info.if_index = 14;
		kernel.mac = (struct rte_ether_addr){ { 2, 0, 0, 0, 0, differs ? 77 : 4 } };
		assert_int_equal(open_as("eth3", "", 3, 1500), 0);
		assert_non_null(
		        strstr(scene.log, "add vdev net_af_packet_eth3 'iface=eth3,qpairs=3'; "));
		assert_int_equal(strstr(scene.log, "mac 4d; start 3; ") != NULL, differs);
		assert_int_equal(strstr(scene.log, "mac ") != NULL, differs);
		assert_int_equal(device.ifindex, 14);
		assert_int_equal(device.mac[5], differs ? 77 : 4);
	}
	/* another driver's index is of no interest */
	setup(state);
	scene.devices[2].info.if_index = 14;
	assert_int_equal(open_as("eth0", "net_memif0", 1, 1500), 0);
	assert_int_equal(device.ifindex, 0);
	/* it went meanwhile */
	setup(state);
	add_device(3, "net_af_packet_eth3", "net_af_packet");
	scene.devices[3].info.if_index = 15;
	errno = ENXIO;
	assert_int_equal(open_as("eth3", "", 3, 1500), -ENXIO);
	assert_null(strstr(scene.log, "start"));
}

static void a_pci_device_that_dpdk_cannot_have_says_why(void **state)
{
	static const struct {
		const char *driver;
		bool missing, no_group;
		int err;
		const char *why; /* a part */
	} cases[] = {
		{ "vfio-pci", false, false, 0, "" },
		{ "vfio-pci", false, true, -ENODEV, "0000:01:00.0 has no IOMMU group: boot with" },
		{ "vfio-pci", true, false, -ENODEV, "there is no PCI device 0000:01:00.0" },
		{ "mlx5_core", false, true, 0, "" },
		{ "mlx4_core", false, true, 0, "" },
		{ "uio_pci_generic", false, true, 0, "" },
		{ "igb_uio", false, true, 0, "" },
		{ "ixgbe", false, false, -EBUSY, "0000:01:00.0 is driven by ixgbe: bind it to" },
		{ "vfio-pci2", false, false, -EBUSY, "driven by vfio-pci2" },
		{ NULL, false, false, -EBUSY, "driven by nothing" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		setup(state);
		scene.pci_driver = cases[i].driver;
		scene.pci_missing = cases[i].missing;
		scene.no_group = cases[i].no_group;
		assert_int_equal(open_pci(1), cases[i].err);
		assert_non_null(strstr(why.text, cases[i].why));
		assert_int_equal(scene.devices[1].is_plugged, !cases[i].err);
	}
}

/* Without opening any: what a port has already is no matter. Of a bond each member counts. */
static void what_a_port_is_to_have_is_looked_at_beforehand(void **state)
{
	static const struct {
		const char *device;
		bool missing;
		int err;
	} cases[] = {
		{ "0000:01:00.0", false, 0 },
		{ "0000:01:00.0", true, -ENODEV },
		{ "net_bonding0,mode=1,slave=0000:01:00.0,slave=0000:02:00.0", false, 0 },
		{ "net_bonding0,mode=1,slave=0000:01:00.0,slave=0000:02:00.0", true, -ENODEV },
		{ "net_memif0", true, 0 },
		{ "", true, 0 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct model_port port = { .interface = "eth0", .device = cases[i].device };

		setup(state);
		scene.pci_driver = "vfio-pci";
		scene.pci_missing = cases[i].missing;
		assert_int_equal(device_ready(&port, &why), cases[i].err);
		assert_string_equal(scene.log, "");
	}
}

/*
 * A NIC with queues that it cannot spread over has one; what is virtual spreads by rules of its
 * own.
 */
static void queues_are_those_that_frames_come_by(void **state)
{
	static const struct {
		const char *name, *driver;
		uint64_t hashes;
		uint16_t max_rx, max_tx;
		uint32_t n_workers;
		uint16_t n_rx, n_tx;
		bool says;
	} cases[] = {
		{ "0000:01:00.0", "net_ixgbe", HASHES, 4, 8, 4, 4, 4, false },
		{ "0000:01:00.0", "net_ixgbe", HASHES, 4, 8, 5, 4, 5, true },
		{ "0000:01:00.0", "net_ixgbe", HASHES, 4, 2, 3, 3, 2, false },
		{ "0000:01:00.0", "net_e1000_em", 0, 2, 2, 2, 1, 2, true },
		{ "0000:01:00.0", "net_e1000_em", RTE_ETH_RSS_L2_PAYLOAD, 2, 2, 2, 1, 2, true },
		{ "0000:01:00.0", "net_virtio", 0, 2, 2, 2, 2, 2, false },
		{ "net_memif0", "net_memif", 0, 2, 2, 2, 2, 2, false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fake *f;
		char text[64];

		setup(state);
		f = fake_named(cases[i].name);
		f->info.driver_name = cases[i].driver;
		f->info.flow_type_rss_offloads = scene.hashed = cases[i].hashes;
		f->info.max_rx_queues = cases[i].max_rx;
		f->info.max_tx_queues = cases[i].max_tx;
		assert_int_equal(open_as("eth0", cases[i].name, cases[i].n_workers, 1500), 0);
		assert_int_equal(device.n_rx, cases[i].n_rx);
		assert_int_equal(device.n_tx, cases[i].n_tx);
		snprintf(text, sizeof(text),
		         "%s has %u receive queues for %u workers: ", cases[i].name, cases[i].n_rx,
		         cases[i].n_workers);
		assert_int_equal(strstr(why.text, text) != NULL, cases[i].says);
	}
}

/* A NIC gives back a buffer that it has sent only for the next one: so its queues must not have all. */
static void queues_are_shorter_where_buffers_are_few(void **state)
{
	static const struct {
		unsigned int buffers, kept;
		int err;
		const char *log, *says;
	} cases[] = {
		{ 2 * 2048, 2 * 2048, 0, "rx 1.0 1024; rx 1.1 1024; tx 1.0 1024; tx 1.1 1024; ",
		  "" },
		{ 2 * 2048 - 1, 2 * 1024, 0, "rx 1.0 512; rx 1.1 512; tx 1.0 512; tx 1.1 512; ",
		  "0000:01:00.0 has queues of 512 frames instead of 1024, for want of buffers, so it "
		  "loses bursts sooner: raise dpdk.memory, or use fewer ports" },
		{ 2 * 128, 2 * 128, 0, "rx 1.0 64; ", "has queues of 64 frames" },
		{ 2 * 128 - 1, 0, -ENOMEM, "configure 2 2; stop 1; ",
		  "cannot be started: Cannot allocate memory (raise dpdk.memory)" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		setup(state);
		scene.any_length = true;
		leave_buffers(cases[i].buffers);
		assert_int_equal(open_pci(2), cases[i].err);
		assert_non_null(strstr(scene.log, cases[i].log));
		assert_non_null(strstr(why.text, cases[i].says));
		assert_int_equal(count_left(), cases[i].buffers - cases[i].kept);
		if (!cases[i].err)
			device_close(&device);
		assert_int_equal(count_left(), cases[i].buffers);
	}
}

static void long_frames_are_asked_for_where_the_device_has_them(void **state)
{
	static const struct {
		uint16_t mtu, max_mtu;
		uint32_t longest;
		uint32_t set, has;
	} cases[] = {
		{ 1500, 9000, 9018, 0, 1500 },    { 1501, 9000, 9018, 1501, 1501 },
		{ 9000, 9000, 9018, 9000, 9000 }, { 9000, 8999, 9018, 8999, 8999 },
		{ 9000, 9000, 9017, 8999, 8999 }, { 1400, 1400, 1418, 0, 1400 },
		{ 1600, 1600, 1618, 1600, 1600 }, { 9000, 1500, 9018, 0, 1500 },
		{ 1500, 1400, 1518, 0, 1400 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		setup(state);
		scene.devices[1].info.max_mtu = cases[i].max_mtu;
		scene.devices[1].info.max_rx_pktlen = cases[i].longest;
		assert_int_equal(open_as("eth0", "0000:01:00.0", 1, cases[i].mtu), 0);
		assert_int_equal(scene.conf.rxmode.mtu, cases[i].set);
		assert_int_equal(device.mtu, cases[i].has);
	}
	/* a virtual one takes more than it says */
	setup(state);
	scene.devices[2].info.max_rx_pktlen = 1518;
	assert_int_equal(open_as("eth0", "net_memif0", 1, 9000), 0);
	assert_int_equal(scene.conf.rxmode.mtu, 0);
	assert_int_equal(device.mtu, 9000);
	/* but not what a socket's ring has no room for */
	setup(state);
	add_device(3, "net_af_packet_eth3", "net_af_packet");
	scene.devices[3].info.if_index = 14;
	assert_int_equal(open_as("eth3", "", 1, 1965), 0);
	assert_int_equal(device.mtu, 1964);
}

static void sent_buffers_go_back_at_once_where_all_are_of_one_pool(void **state)
{
	(void)state;
	scene.n_sockets = 2;
	assert_int_equal(open_pci(1), 0);
	assert_int_equal(scene.conf.txmode.offloads, 0);
	setup(state);
	scene.devices[1].info.tx_offload_capa = RTE_ETH_TX_OFFLOAD_TCP_TSO;
	assert_int_equal(open_pci(1), 0);
	assert_int_equal(scene.conf.txmode.offloads, 0);
}

static void a_device_of_a_node_without_cpus_takes_any_memory(void **state)
{
	(void)state;
	scene.first_socket = 0; /* the device is of another */
	scene.queue_socket = SOCKET_ID_ANY;
	assert_int_equal(open_pci(2), 0);
	setup(state);
	scene.n_sockets = 4;
	scene.first_socket = 0;
	assert_int_equal(open_pci(2), 0);
}

static void interrupts_are_used_where_there_are_some(void **state)
{
	(void)state;
	scene.needs_no_interrupts = true;
	assert_int_equal(open_pci(1), 0);
	assert_int_equal(scene.n_configures, 2);
	assert_int_equal(scene.conf.intr_conf.rxq, 0);
	assert_false(device.interrupts);
	assert_int_equal(device_interrupt(&device, 0), -1);
	assert_int_equal(scene.interrupts, 0);
	setup(state);
	scene.intr_err = -ENOTSUP; /* it took the wish and has none */
	assert_int_equal(open_pci(1), 0);
	assert_int_equal(scene.conf.intr_conf.rxq, 1);
	assert_false(device.interrupts);
	setup(state);
	assert_int_equal(open_pci(1), 0);
	assert_int_equal(device_interrupt(&device, 3), 1013);
}

static void a_virtio_nic_is_told_all_vlans(void **state)
{
	(void)state;
	for (int fails = 0; fails < 2; fails++) {
		setup(state);
		scene.devices[1].info.driver_name = "net_virtio";
		scene.vlan_err_at = fails ? 100 : 0;
		assert_int_equal(open_pci(1), 0);
		assert_true(device.filters_vlans);
		assert_true(scene.conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER);
		assert_int_equal(scene.n_vlans, fails ? 101 : 4095);
	}
	setup(state);
	scene.devices[1].info.driver_name = "net_virtio";
	scene.devices[1].info.rx_offload_capa = 0;
	assert_int_equal(open_pci(1), 0);
	assert_false(device.filters_vlans);
	assert_int_equal(scene.n_vlans, 0);
}

static const struct {
	int *says;
	int err;
	const char *why, *log; /* parts; log: the end */
} failure_cases[] = {
	{ &scene.plug_err, -EACCES,
	  "0000:01:00.0 cannot be opened: Permission denied. Usual reasons: vfio_iommu",
	  "add pci 0000:01:00.0 ''; " },
	{ &scene.find_err, -ENODEV, "0000:01:00.0 cannot be opened: No such device.",
	  "add pci 0000:01:00.0 ''; remove pci 0000:01:00.0; " },
	{ &scene.info_err, -EIO, "0000:01:00.0 cannot be started: Input/output error",
	  "''; stop 1; remove pci 0000:01:00.0; " },
	{ &scene.configure_err, -EINVAL, "cannot be started: Invalid argument",
	  "configure 2 2; configure 2 2; stop 1; remove pci 0000:01:00.0; " },
	{ &scene.queue_err, -ENOMEM,
	  "cannot be started: Cannot allocate memory (raise dpdk.memory)",
	  "rx 1.0 512; stop 1; remove pci 0000:01:00.0; " },
	{ &scene.start_err, -EBUSY, "cannot be started: Device or resource busy",
	  "start 1; stop 1; remove pci 0000:01:00.0; " },
	{ &scene.mac_err, -EIO, "cannot be started: Input/output error",
	  "multicast 1; stop 1; remove pci 0000:01:00.0; " },
};

static void what_fails_is_said_and_the_device_given_back(void **state)
{
	for (size_t i = 0; i < COUNT(failure_cases); i++) {
		setup(state);
		*failure_cases[i].says = failure_cases[i].err;
		assert_int_equal(open_pci(2), failure_cases[i].err);
		assert_non_null(strstr(why.text, failure_cases[i].why));
		assert_int_equal(strstr(why.text, "raise dpdk") != NULL,
		                 failure_cases[i].err == -ENOMEM);
		assert_true(strlen(scene.log) >= strlen(failure_cases[i].log));
		assert_string_equal(scene.log + strlen(scene.log) - strlen(failure_cases[i].log),
		                    failure_cases[i].log);
		assert_false(scene.devices[1].is_plugged);
	}
	setup(state);
	scene.plug_err = -ENOMEM;
	assert_int_equal(open_as("eth0", "net_memif0", 1, 1500), -ENOMEM);
	assert_string_equal(why.text, "net_memif0 cannot be opened: Cannot allocate memory; "
	                              "check its arguments, CAP_NET_RAW and memory");
	setup(state);
	eal_fake.no_pool = true; /* nor was there one of that node before */
	scene.first_socket = scene.device_socket = 6;
	assert_int_equal(open_pci(1), -ENOMEM);
	assert_null(strstr(scene.log, "rx "));
}

static const char bond[] =
        "net_bonding0,mode=4,slave=0000:02:00.0,slave=0000:03:00.0,slave=0000:04:00.0";

static void set_bond(void)
{
	add_device(4, "net_bonding0", "net_bonding");
	add_device(5, "0000:02:00.0", "net_ixgbe");
	add_device(6, "0000:03:00.0", "net_e1000_igb");
	add_device(7, "0000:04:00.0", "net_ixgbe");
	for (int i = 5; i < 8; i++)
		scene.devices[i].flags = RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_INTR_RMV;
}

static void a_bond_can_what_each_of_its_members_can(void **state)
{
	(void)state;
	set_bond();
	scene.devices[4].info.max_rx_queues = 1024;
	scene.devices[4].info.max_tx_queues = 1024;
	scene.devices[4].info.max_mtu = 9000;
	scene.devices[5].info.max_tx_queues = 3;
	scene.devices[6].info.max_rx_queues = 2;
	scene.devices[6].info.flow_type_rss_offloads = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_SCTP;
	leave_buffers(3 * (2 * 512 + 3 * 256)); /* each member has these queues */
	scene.devices[7].info.max_mtu = 1600;
	scene.hashed = RTE_ETH_RSS_IPV4;
	assert_int_equal(open_as("eth0", bond, 4, 1601), 0);
	assert_true(device.is_bond);
	assert_int_equal(device.n_members, 3);
	assert_int_equal(device.n_rx, 2);
	assert_int_equal(device.n_tx, 3);
	assert_int_equal(device.rss, RTE_ETH_RSS_IPV4);
	assert_int_equal(scene.conf.rxmode.mtu, 1600);
	assert_int_equal(device.mtu, 1600);
	assert_int_equal(count_left(), 0);
	assert_int_equal(scene.conf.txmode.offloads, 0); /* it sends frames of its own */
	assert_memory_equal(scene.log, "add pci 0000:02:00.0 ''; add pci 0000:03:00.0 ''; ", 48);
	assert_non_null(
	        strstr(scene.log, "add pci 0000:04:00.0 ''; add vdev net_bonding0 'mode=4,"));
	/* the bond asks for the link of those whose interrupts do not come */
	assert_int_equal(scene.devices[5].flags, RTE_ETH_DEV_INTR_LSC | RTE_ETH_DEV_INTR_RMV);
	assert_int_equal(scene.devices[6].flags, RTE_ETH_DEV_INTR_RMV);
	scene.log[0] = 0;
	device_close(&device);
	assert_string_equal(scene.log, "stop 4; remove vdev net_bonding0; remove pci 0000:04:00.0; "
	                               "remove pci 0000:03:00.0; remove pci 0000:02:00.0; ");
}

static void a_bond_that_cannot_be_had_gives_its_members_back(void **state)
{
	static const char nine[] =
	        "net_bonding0,mode=1,slave=0000:02:00.0,slave=0000:02:00.0,slave=0000:02:00.0,"
	        "slave=0000:02:00.0,slave=0000:02:00.0,slave=0000:02:00.0,slave=0000:02:00.0,"
	        "slave=0000:02:00.0,slave=0000:02:00.0";

	(void)state;
	set_bond();
	scene.devices[7].name = NULL;
	assert_int_equal(open_as("eth0", bond, 1, 1500), -ENODEV);
	assert_string_equal(why.text, "0000:04:00.0, a member of net_bonding0, cannot be opened: "
	                              "No such device");
	assert_false(scene.devices[5].is_plugged || scene.devices[6].is_plugged);
	setup(state);
	set_bond();
	scene.devices[5].name = NULL; /* the first: none is tried after it */
	assert_int_equal(open_as("eth0", bond, 1, 1500), -ENODEV);
	assert_string_equal(why.text, "0000:02:00.0, a member of net_bonding0, cannot be opened: "
	                              "No such device");
	assert_string_equal(scene.log, "add pci 0000:02:00.0 ''; ");
	setup(state);
	set_bond();
	scene.pci_driver = "ixgbe";
	assert_int_equal(open_as("eth0", bond, 1, 1500), -EBUSY);
	assert_string_equal(scene.log, "");
	setup(state);
	set_bond();
	assert_int_equal(open_as("eth0", nine, 1, 1500), -E2BIG);
	assert_string_equal(why.text, "net_bonding0 has more than 8 members");
	assert_false(scene.devices[5].is_plugged);
	setup(state);
	set_bond();
	scene.devices[4].name = NULL; /* the bond itself */
	assert_int_equal(open_as("eth0", bond, 1, 1500), -ENODEV);
	assert_false(scene.devices[5].is_plugged || scene.devices[7].is_plugged);
}

/* A member that says nothing of itself is no reason to end the process. */
static void a_bond_whose_member_does_not_say_what_it_can_is_refused(void **state)
{
	(void)state;
	set_bond();
	scene.info_err = -EIO;
	scene.info_err_of = 6;
	assert_int_equal(open_as("eth0", bond, 2, 1500), -EIO);
	assert_string_equal(why.text, "net_bonding0 cannot be started: Input/output error");
	assert_null(strstr(scene.log, "configure"));
	for (int i = 4; i < 8; i++)
		assert_false(scene.devices[i].is_plugged);
}

static const struct {
	uint16_t n_entries;
	bool keeps; /* the device keeps a table of its own: all 0, and one 9 */
	uint16_t own;
	uint64_t hashed;
	int hash_err, reta_err;
	const char *why; /* a part; "": none */
} spread_cases[] = {
	{ 128, false, 0, HASHES, 0, 0, "" },
	{ 129, false, 0, HASHES, 0, 0, "" }, /* one more of one queue is even enough */
	{ 2048, false, 0, HASHES, 0, 0, "" },
	{ 2049, false, 0, HASHES, -ENOTSUP, 0, "it does not say how it spreads frames" },
	{ 128, true, 0, HASHES, 0, 0, "has 0 to 128 entries a queue" },
	{ 128, true, 9, HASHES, 0, 0, "1 of the 128 entries of its redirection table name" },
	{ 128, true, 2, HASHES, 0, 0, "1 of the 128 entries" },
	{ 128, true, 9, HASHES, 0, -ENOTSUP, "" },
	{ 0, false, 0, HASHES, -ENOTSUP, 0, "it does not say how it spreads frames" },
	{ 128, false, 0, HASHES & ~RTE_ETH_RSS_NONFRAG_IPV6_UDP, 0, 0,
	  "it does not hash UDP over IPv6" },
	{ 0, false, 0, HASHES & ~RTE_ETH_RSS_NONFRAG_IPV4_TCP, 0, 0, "TCP over IPv4" },
	{ 0, false, 0, HASHES & ~RTE_ETH_RSS_NONFRAG_IPV6_TCP, 0, 0, "TCP over IPv6" },
	{ 0, false, 0, HASHES & ~RTE_ETH_RSS_NONFRAG_IPV4_UDP, 0, 0, "UDP over IPv4" },
	{ 0, false, 0, HASHES & ~RTE_ETH_RSS_IPV4, 0, 0, "hash IPv4," },
	{ 0, false, 0, HASHES & ~RTE_ETH_RSS_IPV6, 0, 0, "hash IPv6," },
};

static void entries_are_spread_and_read_back(void **state)
{
	for (size_t i = 0; i < COUNT(spread_cases); i++) {
		setup(state);
		scene.devices[1].info.reta_size = spread_cases[i].n_entries;
		scene.keeps_table = spread_cases[i].keeps;
		scene.table[5] = spread_cases[i].own;
		scene.hashed = spread_cases[i].hashed;
		scene.hash_err = spread_cases[i].hash_err;
		scene.reta_err = spread_cases[i].reta_err;
		assert_int_equal(open_pci(2), 0);
		if (!strstr(why.text, spread_cases[i].why) || !*why.text != !*spread_cases[i].why)
			print_error("case %zu: %s\n", i, why.text);
		assert_non_null(strstr(why.text, spread_cases[i].why));
		assert_int_equal(!*why.text, !*spread_cases[i].why);
		if (*why.text)
			assert_memory_equal(why.text, "0000:01:00.0: ", 14);
	}
}

static void links_and_losses_are_the_devices_own(void **state)
{
	uint64_t missed = 0, no_memory = 0;

	(void)state;
	assert_int_equal(open_pci(1), 0);
	assert_false(device_link_changed(&device));
	scene.devices[1].is_up = false;
	assert_true(device_link_changed(&device));
	assert_false(device.up);
	assert_false(device_link_changed(&device));
	scene.devices[1].is_up = true;
	scene.link_err = -EIO; /* what is not known does not change */
	assert_false(device_link_changed(&device));
	assert_false(device.up);
	scene.link_err = 0;
	assert_true(device_link_changed(&device));
	assert_true(device.up);
	device_losses(&device, &missed, &no_memory);
	assert_int_equal(missed, 101);
	assert_int_equal(no_memory, 201);
}

/* The first byte is the lowest; the one of `end` is the last. */
#define MAC(end) ((uint64_t)(end) << 40 | 2)

static void expect_macs(const uint64_t *macs, size_t n, const char *does)
{
	scene.log[0] = 0;
	device_accept_macs(&device, macs, n);
	assert_string_equal(scene.log, does);
}

static void frames_for_further_addresses_pass_the_filter(void **state)
{
	const uint64_t macs[] = { MAC(2), MAC(0x51), MAC(0x52), MAC(0x53) };
	uint64_t many[DEVICE_MACS_MAX + 1];

	(void)state;
	assert_int_equal(open_pci(1), 0);
	expect_macs(macs, 1, ""); /* the device's own */
	expect_macs(macs, 3, "add 1 51; add 1 52; ");
	expect_macs(macs, 3, "");
	expect_macs(macs + 2, 2, "remove 1 02; remove 1 51; add 1 52; add 1 53; ");
	expect_macs(macs, 0, "remove 1 52; remove 1 53; ");
	scene.mac_add_err_at = 0x52; /* no room: it takes all frames, until there is */
	expect_macs(macs, 4, "add 1 51; add 1 52; add 1 53; all 1; ");
	expect_macs(macs, 4, "");
	expect_macs(macs, 2, "remove 1 52; remove 1 53; add 1 51; ours 1; ");
	for (size_t i = 0; i < COUNT(many); i++)
		many[i] = MAC(0x60 + i);
	scene.log[0] = 0;
	device_accept_macs(&device, many, COUNT(many));
	assert_non_null(strstr(scene.log, "add 1 9f; all 1; "));
	expect_macs(many, COUNT(many), "");
	/* the kernel's interface has the kernel's filter */
	setup(state);
	add_device(3, "net_af_packet_eth3", "net_af_packet");
	scene.devices[3].info.if_index = 14;
	assert_int_equal(open_as("eth3", "", 1, 1500), 0);
	expect_macs(macs, 3, "");
}

static void a_kernels_interface_has_the_link_that_the_kernel_sees(void **state)
{
	(void)state;
	add_device(3, "net_af_packet_eth3", "net_af_packet");
	scene.devices[3].info.if_index = 14;
	kernel.is_up = true;
	leave_buffers(0); /* its queues keep none */
	assert_int_equal(open_as("eth3", "", 1, 1500), 0);
	assert_true(device.up);
	kernel.is_up = false;
	assert_true(device_link_changed(&device));
	assert_false(device.up);
	kernel.is_up = true;
	scene.link_err = -1; /* what is not known does not change */
	assert_false(device_link_changed(&device));
	assert_false(device.up);
}

SUITE(device)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_device_is_opened_configured_and_started_in_this_order,
		                       setup),
		cmocka_unit_test_setup(a_virtual_device_gets_its_arguments, setup),
		cmocka_unit_test_setup(a_kernels_interface_is_opened_by_name_and_keeps_its_mac,
		                       setup),
		cmocka_unit_test_setup(a_pci_device_that_dpdk_cannot_have_says_why, setup),
		cmocka_unit_test_setup(what_a_port_is_to_have_is_looked_at_beforehand, setup),
		cmocka_unit_test_setup(queues_are_those_that_frames_come_by, setup),
		cmocka_unit_test_setup(long_frames_are_asked_for_where_the_device_has_them, setup),
		cmocka_unit_test_setup(queues_are_shorter_where_buffers_are_few, setup),
		cmocka_unit_test_setup(a_device_of_a_node_without_cpus_takes_any_memory, setup),
		cmocka_unit_test_setup(sent_buffers_go_back_at_once_where_all_are_of_one_pool,
		                       setup),
		cmocka_unit_test_setup(interrupts_are_used_where_there_are_some, setup),
		cmocka_unit_test_setup(a_virtio_nic_is_told_all_vlans, setup),
		cmocka_unit_test_setup(what_fails_is_said_and_the_device_given_back, setup),
		cmocka_unit_test_setup(a_bond_can_what_each_of_its_members_can, setup),
		cmocka_unit_test_setup(a_bond_that_cannot_be_had_gives_its_members_back, setup),
		cmocka_unit_test_setup(a_bond_whose_member_does_not_say_what_it_can_is_refused,
		                       setup),
		cmocka_unit_test_setup(entries_are_spread_and_read_back, setup),
		cmocka_unit_test_setup(links_and_losses_are_the_devices_own, setup),
		cmocka_unit_test_setup(a_kernels_interface_has_the_link_that_the_kernel_sees,
		                       setup),
		cmocka_unit_test_setup(frames_for_further_addresses_pass_the_filter, setup),
	};

	answer_all();
	return cmocka_run_group_tests_name("device", tests, start_dpdk, NULL);
}
