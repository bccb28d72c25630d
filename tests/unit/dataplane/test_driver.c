/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DPDK driver: its directory, its tables from one process to the next, and what each worker
 * is told of each port.
 */
#include "driver_scene.h"

#include "dataplane/dpdk/tablefile.h"
#include "tests/unit/suite.h"
#include "weir/fwd/ingress.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct driver_ops *ops;

static void tables_outlive_the_process_and_one_at_a_time_drives_them(void **state)
{
	struct driver *second = NULL;
	struct driver_sizes sizes;
	struct driver_reason why;
	struct fwd_tables t;
	bool kept;

	(void)state;
	assert_false(open_it());
	t = tables_now();
	for (uint32_t i = 0; i < WORKERS; i++)
		assert_ptr_equal(running_worker(i)->tables.root, t.root);
	assert_int_equal(t.n_cpus, WORKERS_MAX + 1);
	t.cpus[2].received = 4711;
	assert_int_equal(ops->open(&run.config, &second, &kept, &why), -EBUSY);
	assert_non_null(strstr(why.text, run.pins));
	assert_non_null(strstr(why.text, "weir-dataplane of this node runs already"));
	assert_null(second);
	close_it();
	assert_int_equal(lcores_fake.n_waited, WORKERS);
	assert_true(open_it());
	assert_int_equal(tables_now().cpus[2].received, 4711);
	ops->sizes(run.d, &sizes);
	assert_memory_equal(&sizes, &small, sizeof(small));
}

static void tables_with_other_rows_of_counters_are_made_new(void **state)
{
	struct driver_reason why;
	struct tablefile f;
	char path[128];

	(void)state;
	open_it();
	close_it();
	snprintf(path, sizeof(path), "%s/tables", run.pins);
	assert_int_equal(tablefile_make(&f, path, &small, WORKERS_MAX, NULL, &why), 0);
	tablefile_close(&f);
	assert_false(open_it());
	assert_int_equal(tables_now().n_cpus, WORKERS_MAX + 1);
}

static void what_keeps_it_from_starting_is_said_and_nothing_is_held(void **state)
{
	struct driver *d = NULL;
	struct driver_reason why;
	bool kept;

	(void)state;
	run.dpdk.hugepages = MODEL_HUGEPAGES_YES;
	assert_int_equal(ops->open(&run.config, &d, &kept, &why), -ENOMEM);
	assert_non_null(strstr(why.text, "0 MiB of hugepages are free, 4096 are needed"));
	run.dpdk.hugepages = MODEL_HUGEPAGES_NO;
	lcores_fake.launch_err = -EBUSY;
	assert_int_equal(ops->open(&run.config, &d, &kept, &why), -EBUSY);
	expect_text(why.text, "worker 0 cannot be started: Device or resource busy");
	run.config.pin_dir = "/proc/nothing/of/the/kind";
	assert_true(ops->open(&run.config, &d, &kept, &why) < 0);
	assert_non_null(strstr(why.text, "/proc/nothing/of/the/kind cannot be used"));
	assert_null(d);
	run.config.pin_dir = run.pins;
	lcores_fake.launch_err = 0;
	open_it(); /* the lock is free */
}

static void a_warning_of_the_start_is_told_once_with_the_first_port(void **state)
{
	(void)state;
	put_socket(7);
	run.dpdk.hugepages = MODEL_HUGEPAGES_AUTO;
	open_it();
	attach_port("eth0", "net_null0", "ordinary memory");
	attach_port("eth1", "net_null1", "");
	attach_port("eth2", "", af_packet);
	expect_memory_fault("ordinary memory"); /* it lasts */
}

static void use_hugepages(uint64_t free_bytes)
{
	run.dpdk.hugepages = MODEL_HUGEPAGES_YES;
	run.dpdk.memory_mb = 512;
	machine.free_bytes = free_bytes;
}

static void tables_without_hugepages_are_told(void **state)
{
	static const char tables[] = "the tables lie in pages of 4 KiB: no hugetlbfs is mounted: "
	                             "mount -t hugetlbfs none /dev/hugepages";

	(void)state;
	use_hugepages(512ull << 20);
	machine.find_says = ENOENT;
	open_it();
	expect_memory_fault(tables);
	attach_port("eth0", "net_null0", tables);
	attach_port("eth1", "net_null1", "");
}

static void what_is_to_be_in_ordinary_memory_is_no_fault(void **state)
{
	(void)state;
	machine.find_says = ENOENT;
	open_it();
	attach_port("eth0", "net_null0", "");
	expect_memory_fault("");
}

static const struct driver_sizes wanted = { .services = 8,
	                                    .service_counts = 2,
	                                    .pools = 3,
	                                    .backends = 9,
	                                    .slots = 128,
	                                    .exception_buckets = 4 };

static void make_larger_tables(struct fwd_tables *next)
{
	struct driver_reason why;

	assert_int_equal(ops->resize_begin(run.d, &wanted, next, &why), 0);
}

/* All that is free at the start is for packets; larger tables have to leave none to these, which have theirs. */
static void tables_leave_hugepages_to_packets_until_these_have_theirs(void **state)
{
	struct fwd_tables next;
	struct driver_reason why;

	(void)state;
	use_hugepages(512ull << 20);
	open_it();
	expect_memory_fault("packets 512");
	make_larger_tables(&next);
	assert_int_equal(ops->resize_commit(run.d, &why), 0);
	assert_int_equal(ops->page_bytes(run.d), PAGE_BYTES);
	expect_memory_fault("");
}

static void what_larger_tables_lacked_that_were_dropped_is_no_fault(void **state)
{
	struct fwd_tables next;

	(void)state;
	use_hugepages(1024ull << 20);
	open_it();
	assert_int_equal(ops->page_bytes(run.d), PAGE_BYTES);
	machine.free_bytes = 0;
	make_larger_tables(&next);
	expect_memory_fault("");
}

/* A port with a queue for each worker: all is its own. */
static void each_worker_has_its_own_queue_where_there_are_enough(void **state)
{
	(void)state;
	scene.needs_no_interrupts = false;
	put_device(9, "0000:01:00.0", WORKERS, WORKERS);
	open_it();
	attach_port("eth0", "0000:01:00.0", "");
	assert_int_equal(list_ports(), 1);
	assert_string_equal(ports[0].name, "eth0");
	assert_int_equal(ports[0].ifindex, 11);
	assert_true(ports[0].native);
	assert_non_null(strstr(scene.log, "eth0 tap; eth0 carrier 1; "));
	assert_int_equal(run.tap_mac[5], 10);
	assert_int_equal(run.tap_mtu, 1600);
	for (uint32_t i = 0; i < WORKERS; i++) {
		const struct worker_port *p = port_of(i, 0);

		assert_int_equal(running_worker(i)->n_ports, 1);
		assert_false(running_worker(i)->shares);
		assert_int_equal(p->id, 9);
		assert_int_equal(p->ifindex, 11);
		assert_int_equal(p->rx, i);
		assert_int_equal(p->tx, i);
		assert_string_equal(run.taps[p->tap], "eth0");
		assert_int_not_equal(p->tap, port_of((i + 1) % WORKERS, 0)->tap);
		assert_int_equal(p->interrupt, 1090 + i);
		assert_false(p->spread);
		assert_true(p->watched);
		assert_false(p->keep);
		assert_null(p->outbox);
	}
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
	  { { 0, 0, 1050, false }, { 1, 1, 1051, false }, { -1, 2, -1, false } },
	  true,
	  true,
	  true },
	{ 3,
	  2,
	  { { 0, 0, 1050, true }, { 1, 1, 1051, false }, { 2, -1, 1052, true } },
	  false,
	  true,
	  true },
	{ 1,
	  1,
	  { { 0, 0, 1050, true }, { -1, -1, -1, true }, { -1, -1, -1, true } },
	  true,
	  true,
	  false },
};

static void workers_without_a_queue_have_others_do_it(void **state)
{
	(void)state;
	scene.needs_no_interrupts = false;
	open_it();
	for (size_t c = 0; c < COUNT(queue_cases); c++) {
		put_device(5, "net_memif0", queue_cases[c].n_rx, queue_cases[c].n_tx);
		attach_port("eth0", "net_memif0",
		            queue_cases[c].n_rx < WORKERS ? "receive queues for 3 workers" : "");
		for (uint32_t i = 0; i < WORKERS; i++) {
			const struct worker_port *p = port_of(i, 0);

			assert_int_equal(p->rx, queue_cases[c].of[i].rx);
			assert_int_equal(p->tx, queue_cases[c].of[i].tx);
			assert_int_equal(p->interrupt, queue_cases[c].of[i].interrupt);
			assert_int_equal(p->outbox != NULL, queue_cases[c].of[i].outbox);
			assert_int_equal(p->spread, queue_cases[c].spread);
			assert_int_equal(p->watched, queue_cases[c].watched);
			assert_int_equal(running_worker(i)->shares, queue_cases[c].shares);
		}
		detach_port("eth0");
	}
}

static void a_bond_is_kept_alive_and_a_kernels_interface_has_no_tap(void **state)
{
	(void)state;
	put_device(5, "net_bonding0", WORKERS, WORKERS);
	put_socket(7);
	open_it();
	attach_port("eth0", "net_bonding0", "");
	attach_port("eth2", "", af_packet);
	assert_int_equal(list_ports(), 2);
	assert_false(ports[1].native);
	assert_int_equal(ports[1].ifindex, 13);
	assert_true(port_of(1, 0)->keep);
	assert_false(port_of(1, 1)->keep);
	assert_true(port_of(1, 0)->tap >= 0);
	assert_int_equal(port_of(1, 1)->tap, -1);
	assert_int_equal(port_of(1, 1)->interrupt, -1);
}

static void what_stands_is_left_alone_and_what_differs_is_opened_again(void **state)
{
	char names[256];

	(void)state;
	put_socket(7);
	open_it();
	attach_port("eth0", "net_null0,a=1", "");
	attach_port("eth1", "net_null1", "");
	attach_port("eth0", "net_null0,a=1", "");
	assert_int_equal(count_in_log("add vdev"), 2);
	attach_port("eth0", "net_null0,a=2", "");
	assert_int_equal(count_in_log("add vdev"), 3);
	assert_int_equal(count_in_log("remove vdev net_null0"), 1);
	assert_int_equal(list_ports(), 2);
	/* the interface that the sockets hear was replaced by another one of its name */
	attach_port("eth2", "", af_packet);
	run.moved = 100;
	scene.devices[7].info.if_index = 113;
	attach_port("eth2", "", af_packet);
	assert_int_equal(count_in_log("add vdev net_af_packet_eth2"), 2);
	assert_int_equal(count_in_log("remove vdev net_af_packet_eth2"), 1);
	assert_string_equal(read_file("taps", names), "eth1\neth0\n");
}

static void a_port_forwards_until_its_new_device_is_known_to_be_there(void **state)
{
	(void)state;
	put_device(5, "0000:01:00.0", WORKERS, WORKERS);
	put_device(6, "0000:02:00.0", WORKERS, WORKERS);
	open_it();
	attach_port("eth0", "0000:01:00.0", "");
	scene.log[0] = 0;
	scene.pci_missing = true;
	assert_int_equal(try_port("eth0", "0000:02:00.0", "there is no PCI device 0000:02:00.0"),
	                 -ENODEV);
	assert_string_equal(scene.log, "");
	assert_int_equal(list_ports(), 1);
	assert_string_equal(ports[0].name, "eth0");
	assert_int_equal(port_of(0, 0)->id, 5);
	attach_port("eth0", "0000:01:00.0", ""); /* taken back: nothing is opened again */
	assert_string_equal(scene.log, "");
	scene.pci_missing = false;
	attach_port("eth0", "0000:02:00.0", "");
	assert_false(scene.devices[5].is_plugged);
	assert_int_equal(port_of(0, 0)->id, 6);
}

static void a_port_that_cannot_be_made_leaves_nothing(void **state)
{
	(void)state;
	put_device(1, "net_null0", WORKERS, 1);
	open_it();
	scene.plug_err = -ENODEV;
	assert_int_equal(try_port("eth0", "net_null0", "net_null0 cannot be opened: No such"),
	                 -ENODEV);
	scene.plug_err = 0;
	run.tap_errno = EPERM;
	assert_int_equal(try_port("eth0", "net_null0", "the TAP eth0 cannot be made: Operation"),
	                 -EPERM);
	assert_false(scene.devices[1].is_plugged);
	assert_int_equal(lcores_fake.n_rings_freed, 1);
	run.tap_errno = 0;
	lcores_fake.rings_left = 0;
	assert_int_equal(try_port("eth0", "net_null0", "raise dpdk.memory"), -ENOMEM);
	assert_false(scene.devices[1].is_plugged);
	assert_int_equal(try_port("gone0", "", "there is no interface gone0"), -ENODEV);
	assert_int_equal(list_ports(), 0);
	assert_int_equal(running_worker(0)->n_ports, 0);
}

static void there_are_as_many_ports_as_there_is_room_for(void **state)
{
	static char names[DRIVER_PORTS_MAX + 1][16];
	char interface[16];

	(void)state;
	open_it();
	for (unsigned int i = 0; i <= DRIVER_PORTS_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "net_memif%u", i);
		snprintf(interface, sizeof(interface), "eth%u", i);
		put_device((int)i + 5, names[i], WORKERS, WORKERS);
		if (i < DRIVER_PORTS_MAX)
			attach_port(interface, names[i], "");
		else
			assert_int_equal(try_port(interface, names[i], "more than"), -ENOSPC);
	}
	assert_int_equal(list_ports(), DRIVER_PORTS_MAX);
	for (unsigned int i = 0; i < DRIVER_PORTS_MAX; i++) {
		assert_int_equal(ports[i].ifindex, 11 + i);
		assert_true(ports[i].up);
		assert_int_equal(ports[i].missed, 100 + i + 5);
		assert_int_equal(ports[i].no_memory, 200 + i + 5);
	}
}

/* Frames that the buffers of an earlier start cannot hold are not asked for. */
static void ports_are_opened_for_no_more_than_buffers_hold(void **state)
{
	struct driver_reason why;

	(void)state;
	run.self = (struct model_node){ .dpdk = run.dpdk, .mtu = 1500 };
	assert_int_equal(ops->prepare(&run.self, &why), 0);
	run.config.mtu = 9000;
	open_it();
	attach_port("eth0", "net_null0", "");
	assert_int_equal(list_ports(), 1);
	assert_int_equal(ports[0].mtu, 1984);
}

/* What a NIC has not in its filter never comes: each gets its own port's, wherever tables have them. */
static void devices_take_frames_for_what_the_tables_have(void **state)
{
	struct fwd_tables t;

	(void)state;
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth2", "net_null2", "");
	t = tables_now();
	t.root->macs[1] = fwd_mac_word(0x060504030202, 11);
	t.root->macs[2] = fwd_mac_word(0x160504030202, 13);
	t.macs[FWD_MAC_BUCKETS - 1].word[7] = fwd_mac_word(0x260504030202, 11);
	scene.log[0] = 0;
	assert_int_equal(ops->tick(run.d), 0);
	assert_string_equal(scene.log, "add 1 06; add 1 26; add 3 16; ");
}

static void ports_of_devices_with_shorter_frames_say_so(void **state)
{
	(void)state;
	put_device(5, "0000:01:00.0", WORKERS, WORKERS)->info.max_mtu = 1500;
	open_it();
	attach_port("eth0", "0000:01:00.0", "");
	assert_int_equal(list_ports(), 1);
	assert_int_equal(ports[0].mtu, 1500);
	assert_int_equal(run.tap_mtu, 1500); /* and so does the TAP */
}

static void a_detached_port_goes_with_its_tap_and_the_others_stay(void **state)
{
	char names[256];
	int fd;

	(void)state;
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth1", "net_null1", "");
	attach_port("eth2", "net_null2", "");
	fd = port_of(2, 0)->tap;
	scene.log[0] = 0;
	detach_port("eth0");
	assert_string_equal(scene.log, "eth0 ends; stop 1; remove vdev net_null0; ");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(list_ports(), 2);
	assert_string_equal(ports[0].name, "eth2");
	assert_string_equal(ports[1].name, "eth1");
	for (uint32_t i = 0; i < WORKERS; i++) {
		assert_int_equal(running_worker(i)->n_ports, 2);
		assert_int_equal(port_of(i, 0)->id, 3);
	}
	assert_string_equal(read_file("taps", names), "eth2\neth1\n");
	detach_port("eth0"); /* it is gone already */
	assert_int_equal(list_ports(), 2);
}

static void workers_show_what_they_count_and_that_they_live(void **state)
{
	static uint64_t words[WORKERS + 1];
	struct driver_worker out[DRIVER_WORKERS_MAX];

	(void)state;
	open_it();
	for (uint32_t i = 0; i < WORKERS; i++)
		running_worker(i)->counts.frames = 70 + i;
	assert_int_equal(ops->workers(run.d, out), WORKERS);
	for (uint32_t i = 0; i < WORKERS; i++)
		assert_int_equal(out[i].frames, 70 + i);
	for (uint32_t i = 0; i <= WORKERS; i++)
		ops->beat(run.d, i, &words[i]); /* there is no fourth one */
	ops->grace(run.d);
	for (uint32_t i = 0; i < WORKERS; i++) {
		assert_ptr_equal(running_worker(i)->beat, &words[i]);
		assert_true(__atomic_load_n(&words[i], __ATOMIC_RELAXED) > 0);
	}
	assert_int_equal(words[WORKERS], 0);
}

static void tables_grow_while_packets_go_on(void **state)
{
	const struct driver_sizes larger = { 8, 4, 3, 9, 128, 4 };
	struct fwd_tables before, next;
	struct driver_sizes sizes;
	struct driver_reason why;

	(void)state;
	use_hugepages(1024ull << 20);
	open_it();
	before = tables_now();
	before.pools[1].slot_range = 32;
	before.cpus[0].received = 5;
	before.cpus[2].received = 6;
	make_larger_tables(&next);
	assert_int_equal(next.pools[1].slot_range, 32);
	assert_ptr_equal(tables_now().root, before.root); /* not yet */
	assert_int_equal(count_files(), 2);
	assert_int_equal(ops->resize_commit(run.d, &why), 0);
	assert_int_equal(count_files(), 1); /* the pages of the smaller ones are free */
	assert_ptr_equal(tables_now().root, next.root);
	for (uint32_t i = 0; i < WORKERS; i++) {
		assert_ptr_equal(running_worker(i)->tables.root, next.root);
		assert_false(running_worker(i)->parked);
	}
	ops->sizes(run.d, &sizes);
	assert_memory_equal(&sizes, &larger, sizeof(larger));
	assert_int_equal(tables_now().cpus[WORKERS_MAX].received, 11);
	close_it();
	assert_true(open_it());
	ops->sizes(run.d, &sizes);
	assert_memory_equal(&sizes, &larger, sizeof(larger));
}

static void tables_that_cannot_grow_stay_as_they_were(void **state)
{
	const struct driver_sizes wrong = { 5, 8, 8, 8, 128, 8 };
	struct fwd_tables before, next;
	struct driver_sizes sizes;
	struct driver_reason why;
	char path[128];

	(void)state;
	open_it();
	before = tables_now();
	assert_true(ops->resize_begin(run.d, &wrong, &next, &why) < 0);
	make_larger_tables(&next);
	snprintf(path, sizeof(path), "%s/tables.next", run.pins);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ops->resize_commit(run.d, &why), -ENOENT);
	assert_non_null(strstr(why.text, "/tables cannot be put in place"));
	assert_ptr_equal(tables_now().root, before.root);
	ops->sizes(run.d, &sizes);
	assert_memory_equal(&sizes, &small, sizeof(small));
	assert_ptr_equal(running_worker(0)->tables.root, before.root);
	assert_false(running_worker(0)->parked);
	make_larger_tables(&next); /* and may be tried again */
	assert_int_equal(ops->resize_commit(run.d, &why), 0);
}

static void a_link_that_turns_is_told_to_the_kernel(void **state)
{
	(void)state;
	put_socket(7);
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth1", "net_null1", "");
	attach_port("eth2", "", af_packet);
	scene.log[0] = 0;
	assert_int_equal(ops->tick(run.d), 0);
	assert_string_equal(scene.log, "");
	scene.devices[2].is_up = run.eth_is_up = false;
	ops->tick(run.d);
	assert_string_equal(scene.log, "eth1 carrier 0; ");
	assert_int_equal(list_ports(), 3);
	assert_true(ports[0].up);
	assert_false(ports[1].up);
	assert_false(ports[2].up);
	scene.devices[2].is_up = run.eth_is_up = true;
	ops->tick(run.d);
	assert_string_equal(scene.log, "eth1 carrier 0; eth1 carrier 1; ");
}

/* The flows seen by each worker's queue of the second port. */
static void see_flows(uint64_t a, uint64_t b, uint64_t c)
{
	const uint64_t flows[] = { a, b, c };

	for (uint32_t i = 0; i < WORKERS; i++)
		running_worker(i)->seen[1] = flows[i];
	ops->tick(run.d);
}

static void frames_that_come_by_one_queue_alone_are_handed_over_until_others_come(void **state)
{
	(void)state;
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth1", "net_null1", "");
	see_flows(0xff, 0, 0); /* too few to tell */
	assert_false(port_of(2, 1)->spread);
	see_flows(0xffffffff, 0, 0);
	assert_true(port_of(2, 1)->spread);
	assert_true(port_of(2, 1)->watched);
	assert_true(running_worker(2)->shares);
	assert_false(port_of(2, 0)->spread);
	assert_int_equal(running_worker(0)->seen[1], 0); /* counted from here on */
	see_flows(0xffffffff, 0, 0);                     /* no news */
	assert_int_equal(running_worker(0)->seen[1], 0xffffffff);
	see_flows(0, 0xf, 0xf);
	assert_false(port_of(2, 1)->spread);
	assert_false(port_of(2, 1)->watched);
	assert_false(running_worker(2)->shares);
	see_flows(0xffffffff, 0, 0); /* what was seen spread once is */
	assert_false(port_of(2, 1)->spread);
	assert_true(port_of(2, 0)->watched);
}

static void probe_packets_are_the_workers(void **state)
{
	struct driver_probes batch = { .number = 1, .n = 3 };

	(void)state;
	for (uint32_t i = 0; i < batch.n; i++)
		batch.probes[i].length = 60;
	open_it();
	assert_int_equal(ops->prove(run.d, &batch), -EAGAIN);
	for (int i = 0; i < 10000 && ops->prove(run.d, &batch); i++)
		usleep(1000); /* a worker takes them in its next round */
	for (uint32_t i = 0; i < batch.n; i++)
		assert_int_equal(batch.probes[i].result, DRIVER_PROBE_KEPT);
}

static void all_is_removed_unless_it_is_in_use(void **state)
{
	struct driver_reason why = { "" };
	char path[128];

	(void)state;
	put_socket(7);
	assert_int_equal(ops->remove(run.pins, &why), -ENOENT);
	assert_non_null(strstr(why.text, run.pins));
	open_it();
	attach_port("eth0", "net_null0", "");
	attach_port("eth2", "", af_packet);
	attach_port("eth3", "net_null3", "");
	assert_int_equal(ops->remove(run.pins, &why), -EBUSY);
	close_it();
	scene.log[0] = 0;
	snprintf(path, sizeof(path), "%s/kept", run.pins);
	fclose(fopen(path, "w"));
	assert_int_equal(ops->remove(run.pins, &why), -ENOTEMPTY);
	assert_non_null(strstr(why.text, "cannot be removed"));
	assert_string_equal(scene.log, "eth0 ends; eth3 ends; ");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ops->remove(run.pins, &why), 0);
	assert_int_equal(access(run.pins, F_OK), -1);
}

static void tables_are_read_without_being_driven(void **state)
{
	struct fwd_tables t, own;
	struct driver_reason why;

	(void)state;
	assert_int_equal(ops->map(run.pins, &t, &why), -ENOENT);
	open_it();
	own = tables_now();
	own.cpus[1].received = 8;
	assert_int_equal(ops->map(run.pins, &t, &why), 0);
	assert_ptr_not_equal(t.root, own.root);
	assert_int_equal(t.cpus[1].received, 8);
	own.cpus[1].received = 9;
	assert_int_equal(t.cpus[1].received, 9);
	ops->unmap(&t);
}

SUITE(driver)
{
	const struct CMUnitTest tests[] = {
		APART(tables_outlive_the_process_and_one_at_a_time_drives_them),
		APART(tables_with_other_rows_of_counters_are_made_new),
		APART(what_keeps_it_from_starting_is_said_and_nothing_is_held),
		APART(a_warning_of_the_start_is_told_once_with_the_first_port),
		APART(tables_without_hugepages_are_told),
		APART(what_is_to_be_in_ordinary_memory_is_no_fault),
		APART(tables_leave_hugepages_to_packets_until_these_have_theirs),
		APART(what_larger_tables_lacked_that_were_dropped_is_no_fault),
		APART(each_worker_has_its_own_queue_where_there_are_enough),
		APART(workers_without_a_queue_have_others_do_it),
		APART(a_bond_is_kept_alive_and_a_kernels_interface_has_no_tap),
		APART(what_stands_is_left_alone_and_what_differs_is_opened_again),
		APART(a_port_forwards_until_its_new_device_is_known_to_be_there),
		APART(a_port_that_cannot_be_made_leaves_nothing),
		APART(there_are_as_many_ports_as_there_is_room_for),
		APART(ports_are_opened_for_no_more_than_buffers_hold),
		APART(ports_of_devices_with_shorter_frames_say_so),
		APART(devices_take_frames_for_what_the_tables_have),
		APART(a_detached_port_goes_with_its_tap_and_the_others_stay),
		APART(workers_show_what_they_count_and_that_they_live),
		APART(tables_grow_while_packets_go_on),
		APART(tables_that_cannot_grow_stay_as_they_were),
		APART(a_link_that_turns_is_told_to_the_kernel),
		APART(frames_that_come_by_one_queue_alone_are_handed_over_until_others_come),
		APART(probe_packets_are_the_workers),
		APART(all_is_removed_unless_it_is_in_use),
		APART(tables_are_read_without_being_driven),
	};

	answer_all();
	ops = drivers_dpdk;
	return cmocka_run_group_tests_name("driver", tests, NULL, NULL);
}
