/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DPDK driver: its directory, its tables from one process to the next, and what each worker
 * is told of each port.
 */
#include "driver_scene.h"

static void tables_outlive_the_process_and_one_at_a_time_drives_them(void **state)
{
	struct driver *second = NULL;
	struct fwd_tables t;
	struct driver_sizes sizes;
	struct driver_reason why;
	bool kept;

	(void)state;
	assert_false(open_it());
	ops->tables(scene.d, &t);
	assert_ptr_equal(scene.crew_root, t.root);
	assert_int_equal(t.n_cpus, WORKERS_MAX + 1);
	t.cpus[2].received = 4711;
	assert_int_equal(ops->open(&scene.config, &second, &kept, &why), -EBUSY);
	assert_non_null(strstr(why.text, scene.pins));
	assert_non_null(strstr(why.text, "weir-dataplane of this node runs already"));
	assert_null(second);
	close_it();
	assert_int_equal(scene.n_stopped, 3);
	assert_true(open_it());
	ops->tables(scene.d, &t);
	assert_int_equal(t.cpus[2].received, 4711);
	ops->sizes(scene.d, &sizes);
	assert_memory_equal(&sizes, &small, sizeof(small));
}

static void tables_with_other_rows_of_counters_are_made_new(void **state)
{
	struct tablefile f;
	struct driver_reason why;
	struct fwd_tables t;
	char path[128];

	(void)state;
	open_it();
	close_it();
	snprintf(path, sizeof(path), "%s/tables", scene.pins);
	assert_int_equal(tablefile_make(&f, path, &small, WORKERS_MAX, NULL, &why), 0);
	tablefile_close(&f);
	assert_false(open_it());
	ops->tables(scene.d, &t);
	assert_int_equal(t.n_cpus, WORKERS_MAX + 1);
}

static void what_keeps_it_from_starting_is_said_and_nothing_is_held(void **state)
{
	struct driver *d = NULL;
	struct driver_reason why;
	bool kept;

	(void)state;
	scene.eal_err = -ENOMEM;
	scene.eal_says = "no hugepages";
	assert_int_equal(ops->open(&scene.config, &d, &kept, &why), -ENOMEM);
	assert_string_equal(why.text, "no hugepages");
	scene.eal_err = 0;
	scene.eal_says = NULL;
	scene.crew_err = -EBUSY;
	assert_int_equal(ops->open(&scene.config, &d, &kept, &why), -EBUSY);
	assert_string_equal(why.text, "no crew");
	scene.crew_err = 0;
	scene.config.pin_dir = "/proc/nothing/of/the/kind";
	assert_true(ops->open(&scene.config, &d, &kept, &why) < 0);
	assert_non_null(strstr(why.text, "/proc/nothing/of/the/kind cannot be used"));
	assert_null(d);
	scene.config.pin_dir = scene.pins;
	open_it(); /* the lock is free */
}

static void a_warning_of_the_start_is_told_once_with_the_first_port(void **state)
{
	(void)state;
	scene.eal_says = "ordinary memory";
	open_it();
	attach_port("eth0", "net_null0", "ordinary memory");
	attach_port("eth1", "net_null1", "");
	attach_port("eth2", "", af_packet);
}

static void tables_without_hugepages_are_told_unless_packets_have_none_either(void **state)
{
	static const char tables[] = "the tables lie in pages of 4 KiB: no hugetlbfs is mounted: "
	                             "mount -t hugetlbfs none /dev/hugepages";

	(void)state;
	scene.dpdk.hugepages = MODEL_HUGEPAGES_YES;
	scene.dpdk.memory_mb = 512;
	open_it(); /* and larger tables have to leave none to packets, which have theirs now */
	expect_memory_fault(tables);
	assert_int_equal(kept_bytes, 512ull << 20);
	assert_int_equal(((struct dpdk_driver *)scene.d)->request.keep_bytes, 0);
	attach_port("eth0", "net_null0", tables);
	attach_port("eth1", "net_null1", "");
	close_it();
	scene.dpdk.hugepages = MODEL_HUGEPAGES_AUTO;
	scene.eal_says = "ordinary memory";
	open_it();
	attach_port("eth0", "net_null0", "ordinary memory");
	expect_memory_fault("ordinary memory"); /* it lasts */
	close_it();
	scene.dpdk.hugepages = MODEL_HUGEPAGES_NO;
	scene.eal_says = NULL;
	open_it();
	attach_port("eth0", "net_null0", "");
	expect_memory_fault("");
	strcpy(opened_driver()->request.reason.text, "of larger tables, which were dropped");
	opened_driver()->now.page_bytes = 2u << 20;
	expect_memory_fault("");
	opened_driver()->now.page_bytes = 0;
}

/* A port with a queue for each worker: all is its own. */
static void each_worker_has_its_own_queue_where_there_are_enough(void **state)
{
	(void)state;
	scene.interrupts = true;
	open_it();
	struct driver_port out = attach_port("eth0", "0000:01:00.0", "");

	assert_string_equal(out.name, "eth0");
	assert_int_equal(out.ifindex, 11);
	assert_true(out.native);
	assert_string_equal(scene.log, "tap eth0; carrier 1; park; unpark; ");
	for (uint32_t i = 0; i < 3; i++) {
		const struct worker *w = &opened_driver()->lcores.workers[i];
		const struct worker_port *p = &w->ports[0];

		assert_int_equal(w->n_ports, 1);
		assert_false(w->shares);
		assert_int_equal(p->id, 0);
		assert_int_equal(p->ifindex, 11);
		assert_int_equal(p->rx, i);
		assert_int_equal(p->tx, i);
		assert_int_equal(p->tap, opened_driver()->ports[0].taps[i]);
		assert_int_equal(p->interrupt, 100 + i);
		assert_false(p->spread);
		assert_true(p->watched);
		assert_false(p->keep);
		assert_null(p->outbox);
	}
	assert_int_not_equal(opened_driver()->ports[0].taps[0], opened_driver()->ports[0].taps[1]);
}

static const struct {
	uint16_t n_rx, n_tx;
	struct {
		int rx, tx, interrupt;
		bool outbox;
	} of[3];
	bool spread, shares, watched;
} queue_cases[] = {
	{ 2,
	  3,
	  { { 0, 0, 100, false }, { 1, 1, 101, false }, { -1, 2, -1, false } },
	  true,
	  true,
	  true },
	{ 3,
	  2,
	  { { 0, 0, 100, true }, { 1, 1, 101, false }, { 2, -1, 102, true } },
	  false,
	  true,
	  true },
	{ 1,
	  1,
	  { { 0, 0, 100, true }, { -1, -1, -1, true }, { -1, -1, -1, true } },
	  true,
	  true,
	  false },
};

static void workers_without_a_queue_have_others_do_it(void **state)
{
	(void)state;
	scene.interrupts = true;
	open_it();
	for (size_t c = 0; c < sizeof(queue_cases) / sizeof(queue_cases[0]); c++) {
		struct driver_reason why;

		scene.n_rx = queue_cases[c].n_rx;
		scene.n_tx = queue_cases[c].n_tx;
		attach_port("eth0", "net_memif0", "");
		for (uint32_t i = 0; i < 3; i++) {
			const struct worker *w = &opened_driver()->lcores.workers[i];
			const struct worker_port *p = &w->ports[0];

			assert_int_equal(p->rx, queue_cases[c].of[i].rx);
			assert_int_equal(p->tx, queue_cases[c].of[i].tx);
			assert_int_equal(p->interrupt, queue_cases[c].of[i].interrupt);
			assert_int_equal(p->outbox != NULL, queue_cases[c].of[i].outbox);
			assert_int_equal(p->spread, queue_cases[c].spread);
			assert_int_equal(p->watched, queue_cases[c].watched);
			assert_int_equal(w->shares, queue_cases[c].shares);
		}
		assert_int_equal(ops->detach(scene.d, "eth0", &why), 0);
	}
}

static void a_bond_is_kept_alive_and_a_kernels_interface_has_no_tap(void **state)
{
	const struct worker *w;

	(void)state;
	open_it();
	scene.is_bond = true;
	attach_port("eth0", "net_bonding0", "");
	scene.is_bond = false;
	struct driver_port out = attach_port("eth3", "", af_packet);

	assert_false(out.native);
	assert_int_equal(out.ifindex, 14);
	w = &opened_driver()->lcores.workers[1];
	assert_true(w->ports[0].keep);
	assert_false(w->ports[1].keep);
	assert_true(w->ports[0].tap >= 0);
	assert_int_equal(w->ports[1].tap, -1);
	assert_int_equal(w->ports[1].interrupt, -1);
}

static void what_stands_is_left_alone_and_what_differs_is_opened_again(void **state)
{
	char names[256];

	(void)state;
	open_it();
	attach_port("eth0", "net_memif0,a=1", "");
	attach_port("eth1", "net_memif1", "");
	attach_port("eth0", "net_memif0,a=1", "");
	assert_int_equal(scene.n_opened, 2);
	attach_port("eth0", "net_memif0,a=2", "");
	assert_int_equal(scene.n_opened, 3);
	assert_int_equal(scene.n_closed, 1);
	assert_int_equal(opened_driver()->n_ports, 2);
	/* the interface that the sockets hear was replaced by another one of its name */
	attach_port("eth2", "", af_packet);
	opened_driver()->ports[2].shown.ifindex = 99;
	attach_port("eth2", "", af_packet);
	assert_int_equal(scene.n_opened, 5);
	assert_int_equal(scene.n_closed, 2);
	assert_string_equal(read_file("taps", names), "eth1\neth0\n");
}

static void a_port_forwards_until_its_new_device_is_known_to_be_there(void **state)
{
	const struct model_port port = { .interface = "eth0", .device = "0000:02:00.0" };
	struct driver_port out[DRIVER_PORTS_MAX], unset = { 0 };
	struct driver_reason why;

	(void)state;
	open_it();
	attach_port("eth0", "0000:01:00.0", "");
	scene.log[0] = 0;
	scene.check_err = -ENODEV;
	assert_int_equal(ops->attach(scene.d, &port, &unset, &why), -ENODEV);
	assert_string_equal(why.text, "0000:02:00.0 is not there");
	assert_string_equal(scene.log, ""); /* workers go on */
	assert_int_equal(unset.ifindex, 0);
	assert_int_equal(ops->ports(scene.d, out), 1);
	assert_string_equal(out[0].name, "eth0");
	assert_int_equal(opened_driver()->lcores.workers[0].n_ports, 1);
	assert_int_equal(opened_driver()->lcores.workers[0].ports[0].id, 0);
	attach_port("eth0", "0000:01:00.0", ""); /* taken back: nothing is opened again */
	assert_int_equal(scene.n_opened, 1);
	scene.check_err = 0;
	attach_port("eth0", "0000:02:00.0", "");
	assert_int_equal(scene.n_closed, 1);
	assert_int_equal(opened_driver()->lcores.workers[0].ports[0].id, 1);
}

static void a_port_that_cannot_be_made_leaves_nothing(void **state)
{
	const struct model_port port = { .interface = "eth0", .device = "net_null0" },
	                        gone = { .interface = "gone0", .device = "" };
	struct driver_port out;
	struct driver_reason why;

	(void)state;
	open_it();
	scene.device_err = -ENODEV;
	assert_int_equal(ops->attach(scene.d, &port, &out, &why), -ENODEV);
	assert_string_equal(why.text, "no device");
	scene.device_err = 0;
	scene.tap_err = -EPERM;
	scene.n_tx = 1;
	assert_int_equal(ops->attach(scene.d, &port, &out, &why), -EPERM);
	assert_string_equal(why.text, "no tap");
	assert_int_equal(scene.n_closed, 1);
	assert_int_equal(scene.n_rings_freed, 1);
	scene.tap_err = 0;
	scene.no_ring = true;
	assert_int_equal(ops->attach(scene.d, &port, &out, &why), -ENOMEM);
	assert_non_null(strstr(why.text, "raise dpdk.memory"));
	assert_int_equal(scene.n_closed, 2);
	assert_int_equal(ops->attach(scene.d, &gone, &out, &why), -ENODEV);
	assert_string_equal(why.text, "there is no interface gone0");
	assert_int_equal(opened_driver()->n_ports, 0);
	assert_int_equal(opened_driver()->lcores.workers[0].n_ports, 0);
}

static void there_are_as_many_ports_as_there_is_room_for(void **state)
{
	struct driver_port out[DRIVER_PORTS_MAX];
	struct driver_reason why;
	char name[16];

	(void)state;
	open_it();
	for (unsigned int i = 0; i < DRIVER_PORTS_MAX; i++) {
		snprintf(name, sizeof(name), "eth%u", i);
		attach_port(name, "net_null", "");
	}
	const struct model_port port = { .interface = "eth99", .device = "net_null" };

	assert_int_equal(ops->attach(scene.d, &port, &out[0], &why), -ENOSPC);
	assert_int_equal(ops->ports(scene.d, out), DRIVER_PORTS_MAX);
	for (unsigned int i = 0; i < DRIVER_PORTS_MAX; i++) {
		assert_int_equal(out[i].ifindex, 11 + i);
		assert_true(out[i].up);
		assert_int_equal(out[i].missed, 10 + i);
		assert_int_equal(out[i].no_memory, 20 + i);
	}
}

/* Frames that the buffers of an earlier start cannot hold are not asked for. */
static void ports_are_opened_for_no_more_than_buffers_hold(void **state)
{
	struct driver_port out[DRIVER_PORTS_MAX];

	(void)state;
	scene.mtu_limit = 1500;
	open_it();
	attach_port("eth0", "net_null0", "");
	assert_int_equal(ops->ports(scene.d, out), 1);
	assert_int_equal(out[0].mtu, 1500);
}

/* What a NIC has not in its filter never comes: each gets its own port's, wherever tables have them. */
static void devices_take_frames_for_what_the_tables_have(void **state)
{
	struct fwd_tables t;

	(void)state;
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth2", "net_null2", "");
	ops->tables(scene.d, &t);
	t.root->macs[1] = fwd_mac_word(0x060504030202, 11);
	t.root->macs[2] = fwd_mac_word(0x160504030202, 13);
	t.macs[FWD_MAC_BUCKETS - 1].word[7] = fwd_mac_word(0x260504030202, 11);
	scene.log[0] = 0;
	assert_int_equal(ops->tick(scene.d), 0);
	assert_string_equal(scene.log,
	                    "mac 0 60504030202; mac 0 260504030202; mac 1 160504030202; ");
}

static void ports_of_devices_with_shorter_frames_say_so(void **state)
{
	struct driver_port out[DRIVER_PORTS_MAX];

	(void)state;
	scene.device_mtu = 1500;
	open_it();
	attach_port("eth0", "net_null0", ""); /* and so does the TAP */
	assert_int_equal(ops->ports(scene.d, out), 1);
	assert_int_equal(out[0].mtu, 1500);
}

static void a_detached_port_goes_with_its_tap_and_the_others_stay(void **state)
{
	struct driver_port out[DRIVER_PORTS_MAX];
	struct driver_reason why;
	char names[256];
	int fd;

	(void)state;
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth1", "net_null1", "");
	attach_port("eth2", "net_null2", "");
	fd = opened_driver()->ports[0].taps[2];
	scene.log[0] = 0;
	assert_int_equal(ops->detach(scene.d, "eth0", &why), 0);
	assert_string_equal(scene.log, "end; park; unpark; close 0; ");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(ops->ports(scene.d, out), 2);
	assert_string_equal(out[0].name, "eth2");
	assert_string_equal(out[1].name, "eth1");
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(opened_driver()->lcores.workers[i].n_ports, 2);
		assert_int_equal(opened_driver()->lcores.workers[i].ports[0].id, 2);
	}
	assert_string_equal(read_file("taps", names), "eth2\neth1\n");
	assert_int_equal(ops->detach(scene.d, "eth0", &why), 0); /* it is gone already */
	assert_int_equal(ops->ports(scene.d, out), 2);
}

static void workers_show_what_they_count_and_that_they_live(void **state)
{
	struct driver_worker out[DRIVER_WORKERS_MAX];
	uint64_t words[4];

	(void)state;
	open_it();
	for (uint32_t i = 0; i < 3; i++)
		opened_driver()->lcores.workers[i].counts.frames = 70 + i;
	assert_int_equal(ops->workers(scene.d, out), 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(out[i].frames, 70 + i);
	for (uint32_t i = 0; i < 4; i++)
		ops->beat(scene.d, i, &words[i]); /* there is no fourth one */
	for (uint32_t i = 0; i < 3; i++)
		assert_ptr_equal(opened_driver()->lcores.workers[i].beat, &words[i]);
	ops->grace(scene.d);
	assert_int_equal(scene.n_graces, 1);
}

static void tables_grow_while_packets_go_on(void **state)
{
	const struct driver_sizes wanted = { .services = 8,
		                             .service_counts = 2,
		                             .pools = 3,
		                             .backends = 9,
		                             .slots = 128,
		                             .exception_buckets = 4 };
	const struct driver_sizes larger = { 8, 4, 3, 9, 128, 4 };
	struct fwd_tables before, next, after;
	struct driver_sizes sizes;
	struct driver_reason why;

	(void)state;
	open_it();
	ops->tables(scene.d, &before);
	before.pools[1].slot_range = 32;
	before.cpus[0].received = 5;
	before.cpus[2].received = 6;
	assert_int_equal(ops->resize_begin(scene.d, &wanted, &next, &why), 0);
	assert_int_equal(next.pools[1].slot_range, 32);
	ops->tables(scene.d, &after);
	assert_ptr_equal(after.root, before.root); /* not yet */
	scene.log[0] = 0;
	n_drops = 0;
	assert_int_equal(ops->resize_commit(scene.d, &why), 0);
	assert_string_equal(scene.log, "park; tables; unpark; ");
	assert_int_equal(n_drops, 1); /* the pages of the smaller ones are free */
	ops->tables(scene.d, &after);
	assert_ptr_equal(after.root, next.root);
	assert_ptr_equal(scene.crew_root, next.root);
	ops->sizes(scene.d, &sizes);
	assert_memory_equal(&sizes, &larger, sizeof(larger));
	assert_int_equal(after.cpus[WORKERS_MAX].received, 11);
	close_it();
	assert_true(open_it());
	ops->sizes(scene.d, &sizes);
	assert_memory_equal(&sizes, &larger, sizeof(larger));
}

static void tables_that_cannot_grow_stay_as_they_were(void **state)
{
	const struct driver_sizes wanted = { 8, 8, 8, 8, 128, 8 }, wrong = { 5, 8, 8, 8, 128, 8 };
	struct fwd_tables before, next, after;
	struct driver_sizes sizes;
	struct driver_reason why;
	char path[128];

	(void)state;
	open_it();
	ops->tables(scene.d, &before);
	assert_true(ops->resize_begin(scene.d, &wrong, &next, &why) < 0);
	assert_int_equal(ops->resize_begin(scene.d, &wanted, &next, &why), 0);
	snprintf(path, sizeof(path), "%s/tables.next", scene.pins);
	assert_int_equal(unlink(path), 0);
	scene.log[0] = 0;
	assert_int_equal(ops->resize_commit(scene.d, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/tables cannot be put in place"));
	assert_string_equal(scene.log, "park; unpark; ");
	ops->tables(scene.d, &after);
	assert_ptr_equal(after.root, before.root);
	ops->sizes(scene.d, &sizes);
	assert_memory_equal(&sizes, &small, sizeof(small));
	assert_null(opened_driver()->carry);
	assert_null(opened_driver()->next.memory);
}

static void a_link_that_turns_is_told_to_the_kernel(void **state)
{
	struct driver_port out[DRIVER_PORTS_MAX];

	(void)state;
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth1", "net_null1", "");
	attach_port("eth2", "", af_packet);
	scene.log[0] = 0;
	assert_int_equal(ops->tick(scene.d), 0);
	assert_string_equal(scene.log, "");
	scene.link_turns = 1 << 1 | 1 << 2;
	ops->tick(scene.d);
	assert_string_equal(scene.log, "carrier 0; ");
	ops->ports(scene.d, out);
	assert_true(out[0].up);
	assert_false(out[1].up);
	assert_false(out[2].up);
	ops->tick(scene.d);
	assert_string_equal(scene.log, "carrier 0; carrier 1; ");
}

/* The flows seen by each worker's queue of the second port. */
static void see_flows(uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t flows[] = { a, b, c };

	for (uint32_t i = 0; i < 3; i++)
		opened_driver()->lcores.workers[i].seen[1] = flows[i];
	ops->tick(scene.d);
}

static void frames_that_come_by_one_queue_alone_are_handed_over_until_others_come(void **state)
{
	const struct worker *w;

	(void)state;
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth1", "net_null1", "");
	w = &opened_driver()->lcores.workers[2];
	see_flows(0xff, 0, 0); /* too few to tell */
	assert_false(w->ports[1].spread);
	see_flows(0xffffffff, 0, 0);
	assert_true(w->ports[1].spread);
	assert_true(w->ports[1].watched);
	assert_true(w->shares);
	assert_false(w->ports[0].spread);
	assert_int_equal(opened_driver()->lcores.workers[0].seen[1], 0); /* counted from here on */
	scene.log[0] = 0;
	see_flows(0xffffffff, 0, 0); /* no news */
	assert_string_equal(scene.log, "");
	see_flows(0, 0xf, 0xf);
	assert_false(w->ports[1].spread);
	assert_false(w->ports[1].watched);
	assert_false(w->shares);
	see_flows(0xffffffff, 0, 0); /* what was seen spread once is */
	assert_false(w->ports[1].spread);
	assert_true(w->ports[0].watched);
}

static void probe_packets_are_the_workers(void **state)
{
	struct driver_probes batch = { .number = 1, .n = 3 };

	(void)state;
	open_it();
	scene.log[0] = 0;
	assert_int_equal(ops->prove(scene.d, &batch), -EAGAIN);
	assert_string_equal(scene.log, "prove 3; ");
}

static void all_is_removed_unless_it_is_in_use(void **state)
{
	struct driver_reason why = { "" };
	char path[128];
	FILE *f;

	(void)state;
	assert_int_equal(ops->remove(scene.pins, &why), -ENOENT);
	assert_non_null(strstr(why.text, scene.pins));
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth1", "", af_packet);
	attach_port("eth2", "net_null2", "");
	assert_int_equal(ops->remove(scene.pins, &why), -EBUSY);
	close_it();
	scene.log[0] = 0;
	snprintf(path, sizeof(path), "%s/kept", scene.pins);
	f = fopen(path, "w");
	fclose(f);
	assert_int_equal(ops->remove(scene.pins, &why), -ENOTEMPTY);
	assert_non_null(strstr(why.text, "cannot be removed"));
	assert_string_equal(scene.log, "remove eth0; remove eth2; ");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ops->remove(scene.pins, &why), 0);
	assert_int_equal(access(scene.pins, F_OK), -1);
}

static void tables_are_read_without_being_driven(void **state)
{
	struct fwd_tables t, own;
	struct driver_reason why;

	(void)state;
	assert_int_equal(ops->map(scene.pins, &t, &why), -ENOENT);
	open_it();
	ops->tables(scene.d, &own);
	own.cpus[1].received = 8;
	assert_int_equal(ops->map(scene.pins, &t, &why), 0);
	assert_ptr_not_equal(t.root, own.root);
	assert_int_equal(t.cpus[1].received, 8);
	own.cpus[1].received = 9;
	assert_int_equal(t.cpus[1].received, 9);
	ops->unmap(&t);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(tables_outlive_the_process_and_one_at_a_time_drives_them),
		T(tables_with_other_rows_of_counters_are_made_new),
		T(what_keeps_it_from_starting_is_said_and_nothing_is_held),
		T(a_warning_of_the_start_is_told_once_with_the_first_port),
		T(tables_without_hugepages_are_told_unless_packets_have_none_either),
		T(each_worker_has_its_own_queue_where_there_are_enough),
		T(workers_without_a_queue_have_others_do_it),
		T(a_bond_is_kept_alive_and_a_kernels_interface_has_no_tap),
		T(what_stands_is_left_alone_and_what_differs_is_opened_again),
		T(a_port_forwards_until_its_new_device_is_known_to_be_there),
		T(a_port_that_cannot_be_made_leaves_nothing),
		T(there_are_as_many_ports_as_there_is_room_for),
		T(ports_are_opened_for_no_more_than_buffers_hold),
		T(ports_of_devices_with_shorter_frames_say_so),
		T(devices_take_frames_for_what_the_tables_have),
		T(a_detached_port_goes_with_its_tap_and_the_others_stay),
		T(workers_show_what_they_count_and_that_they_live),
		T(tables_grow_while_packets_go_on),
		T(tables_that_cannot_grow_stay_as_they_were),
		T(a_link_that_turns_is_told_to_the_kernel),
		T(frames_that_come_by_one_queue_alone_are_handed_over_until_others_come),
		T(probe_packets_are_the_workers),
		T(all_is_removed_unless_it_is_in_use),
		T(tables_are_read_without_being_driven),
	};

	return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
