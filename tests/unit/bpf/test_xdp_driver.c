/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP driver on real maps and links, in namespaces of its own (mount and network), so that
 * nothing is left behind. Needs root; skipped without.
 */
#include <errno.h>
#include <net/if.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/driver.h"
#include "weir/model.h"
#include "weir/fwd/user.h"

#include "tests/unit/bpf/xdp_stage.h"

static void without_a_bpf_file_system_it_says_what_to_mount(void **state)
{
	(void)state;
	const struct driver_config config = { .pin_dir = "/tmp/weir-test-no-bpf/a/b",
		                              .sizes = small };
	struct driver_reason why = { "" };
	struct driver *d = NULL;
	bool kept;

	/* it may be mounted yet: -ENOTSUP would not be tried again */
	assert_int_equal(ops->open(&config, &d, &kept, &why), -ENODEV);
	assert_non_null(strstr(why.text, "mount -t bpf"));
	assert_null(d);
}

static void an_unknown_interface_is_named(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_port port;
	struct driver_reason why;

	assert_int_equal(ops->attach(d, &(struct model_port){ .interface = "nosuch", .device = "" },
	                             &port, &why),
	                 -ENODEV);
	assert_non_null(strstr(why.text, "nosuch"));
	ops->close(d);
}

/* Another node's driver on the same host. @return its outcome at the port */
static int attach_as_other(const char *interface, struct driver_reason *why)
{
	const struct driver_config config = { .pin_dir = BPF_DIR "/cluster/node2", .sizes = small };
	struct driver_port port;
	struct driver *d = NULL;
	bool kept;

	assert_int_equal(ops->open(&config, &d, &kept, why), 0);
	int err = ops->attach(d, &(struct model_port){ .interface = interface, .device = "" },
	                      &port, why);
	ops->close(d);
	return err;
}

static void weir_s_own_program_is_named_with_a_command_that_works(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_reason why = { "" };

	attach_port(d, "v0");
	ops->close(d); /* the program stays: forwarding outlives the process */
	assert_int_equal(attach_as_other("v0", &why), -EBUSY);
	assert_non_null(strstr(why.text, "Weir's own"));
	assert_non_null(
	        strstr(why.text,
	               "weir-dataplane --detach --cluster cluster --node node --bpf-dir " BPF_DIR));
	assert_null(strstr(why.text, "xdp off"));
	/* what that command does */
	assert_int_equal(ops->remove(PIN_DIR, &why), 0);
	assert_int_equal(attach_as_other("v0", &why), 0);
	assert_int_equal(ops->remove(BPF_DIR "/cluster/node2", &why), 0);
}

static void a_second_process_is_refused(void **state)
{
	(void)state;
	const struct driver_config config = { .pin_dir = PIN_DIR, .sizes = small };
	struct driver *d = open_tables(false), *second = NULL;
	struct driver_reason why;
	bool kept;

	assert_int_equal(ops->open(&config, &second, &kept, &why), -EBUSY);
	assert_null(second);
	ops->close(d);
}

static void nothing_pinned_cannot_be_read(void **state)
{
	(void)state;
	struct driver_reason why;
	struct fwd_tables t;

	assert_int_equal(ops->map(PIN_DIR, &t, &why), -ENOENT);
	assert_int_equal(ops->remove(PIN_DIR "/other", &why), -ENOENT);
}

static void tables_outlive_the_process(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_reason why;
	struct fwd_tables t = tables_of(d);

	attach_port(d, "v0");
	t.pools[3].id = 77;
	t.colds[4095].kept_at = 78;
	t.backend_counts[63].packets = 79;
	ops->close(d);
	assert_int_equal(ops->map(PIN_DIR, &t, &why), 0);
	assert_int_equal(t.pools[3].id, 77);
	ops->unmap(&t);
	d = open_tables(true);
	t = tables_of(d);
	assert_int_equal(t.pools[3].id, 77);
	assert_int_equal(t.colds[4095].kept_at, 78);
	assert_int_equal(t.backend_counts[63].packets, 79);
	assert_int_equal(t.root->n_slots, 4096);
	attach_port(d, "v0");
	attach_port(d, "v0"); /* again is fine */
	ops->close(d);
}

static void tables_of_another_layout_serve_until_the_new_ones_are_attached(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_reason why;
	struct fwd_tables t = tables_of(d);

	attach_port(d, "v0");
	t.root->layout++;
	ops->close(d);
	d = open_tables(false);
	t = tables_of(d);
	assert_int_equal(t.root->layout, FWD_TABLES_LAYOUT);
	assert_int_equal(ops->map(PIN_DIR, &t, &why), -EPROTO); /* still the old ones */
	attach_port(d, "v0");
	assert_int_equal(ops->map(PIN_DIR, &t, &why), 0);
	ops->unmap(&t);
	ops->close(d);
	d = open_tables(true);
	ops->close(d);
}

static void tables_that_lack_a_pin_are_not_taken_over(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct fwd_tables t = tables_of(d);
	struct driver_reason why;

	attach_port(d, "v0");
	t.exceptions[5].word[2] = 4242;
	ops->close(d);
	const size_t n_mapped = count_mapped();

	assert_int_equal(unlink(PIN_DIR "/current/drill_counts"), 0);
	assert_int_equal(ops->map(PIN_DIR, &t, &why), -ENOENT);
	assert_int_equal(count_mapped(), n_mapped); /* who asks again and again keeps nothing */
	d = open_tables(false);
	t = tables_of(d);
	assert_int_equal(t.exceptions[5].word[2], 0);
	ops->close(d);
}

static uint64_t sum_received(const struct fwd_tables *t)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < t->n_cpus; i++)
		sum += t->cpus[i].received;
	return sum;
}

static uint64_t sum_backend(const struct fwd_tables *t, uint32_t index)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < t->n_cpus; i++)
		sum += t->backend_counts[i * t->root->n_backends + index].packets;
	return sum;
}

/* The test plays the packets: it writes into the old tables before and after the copy. */
static void what_packets_change_during_a_resize_is_not_lost(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct fwd_tables old = tables_of(d), next;
	struct driver_reason why;

	attach_port(d, "v0");
	old.pools[2].id = 5;
	old.slots[9].slot[3] = 17;
	old.exceptions[1].word[0] = 1111;
	old.exceptions[2].word[1] = 2222;
	old.cpus[0].received = 100;
	old.backend_counts[1 * small.backends + 7].packets = 30;
	assert_int_equal(ops->resize_begin(d, &large, &next, &why), 0);
	assert_int_equal(next.root->n_slots, 8192);
	assert_int_equal(next.exceptions[1 + 64].word[0],
	                 1111); /* wherever its flow is looked for */
	old.exceptions[1].word[0] = 1112;
	old.exceptions[3].word[7] = 3333;
	old.colds[40].kept_at = 44;
	old.cpus[1].received = 11;
	old.backend_counts[7].packets = 3;
	next.exceptions[2].word[1] = 2223; /* the new program was faster */
	old.exceptions[2].word[1] = 2224;
	assert_int_equal(ops->resize_commit(d, &why), 0);
	next = tables_of(d);
	assert_int_equal(next.n_exceptions, 256);
	assert_int_equal(next.pools[2].id, 5);
	assert_int_equal(next.slots[9].slot[3], 17);
	for (uint32_t k = 0; k < 256; k += 64) {
		assert_int_equal(next.exceptions[k + 1].word[0], 1112);
		assert_int_equal(next.exceptions[k + 3].word[7], 3333);
	}
	assert_int_equal(next.exceptions[2].word[1], 2223);
	assert_int_equal(next.exceptions[2].word[0], 2224); /* both are known */
	assert_int_equal(next.colds[40].kept_at, 44);
	assert_int_equal(sum_received(&next), 111);
	assert_int_equal(sum_backend(&next, 7), 33);
	ops->close(d);
	d = open_tables(true);
	next = tables_of(d);
	assert_int_equal(next.root->n_slots, 8192);
	ops->close(d);
}

static void tables_never_shrink(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_sizes less = small, z;
	struct fwd_tables next;
	struct driver_reason why;

	less.slots = 1024;
	less.services = 128;
	assert_int_equal(ops->resize_begin(d, &less, &next, &why), 0);
	assert_int_equal(ops->resize_commit(d, &why), 0);
	ops->sizes(d, &z);
	assert_int_equal(z.slots, 4096);
	assert_int_equal(z.services, 128);
	ops->close(d);
}

static void a_port_that_is_made_anew_gets_the_program_again(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_port port[DRIVER_PORTS_MAX];
	uint32_t before = if_nametoindex("v0");

	attach_port(d, "v0");
	assert_int_equal(system("ip link del v0 && ip link add v0 type veth peer name v1 && "
	                        "ip link set v0 up && ip link set v1 up"),
	                 0);
	assert_int_not_equal(if_nametoindex("v0"), before);
	attach_port(d, "v0");
	assert_int_equal(ops->ports(d, port), 1);
	assert_int_equal(port[0].ifindex, if_nametoindex("v0"));
	ops->close(d);
}

static void detaching_and_removing_leave_nothing(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_port port[DRIVER_PORTS_MAX];
	struct driver_reason why;

	attach_port(d, "v0");
	assert_int_equal(ops->detach(d, "v0", &why), 0);
	assert_int_equal(ops->ports(d, port), 0);
	assert_int_not_equal(system("ip link show v0 | grep -q xdp"), 0);
	attach_port(d, "v0");
	ops->close(d);
	assert_int_equal(system("ip link show v0 | grep -q xdp"), 0); /* forwarding goes on */
	assert_int_equal(ops->remove(PIN_DIR, &why), 0);
	assert_int_not_equal(system("ip link show v0 | grep -q xdp"), 0);
	assert_int_not_equal(access(PIN_DIR, F_OK), 0);
}

static void the_packets_clock_follows_the_monotonic_one(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct fwd_tables t = tables_of(d);
	uint64_t base = t.root->tick_base,
	         hz = ((1ull << 32) + t.root->tick_scale / 2) / t.root->tick_scale;

	assert_true(hz == 100 || hz == 250 || hz == 300 || hz == 1000);
	t.root->tick_base = base - 10 * hz; /* ten seconds off, as if slewed */
	assert_int_equal(ops->tick(d), 0);
	assert_in_range(t.root->tick_base - base + 2, 0, 4);
	ops->close(d);
}

SUITE(xdp_driver)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(without_a_bpf_file_system_it_says_what_to_mount,
		                          remove_pins),
		cmocka_unit_test_teardown(an_unknown_interface_is_named, remove_pins),
		cmocka_unit_test_teardown(weir_s_own_program_is_named_with_a_command_that_works,
		                          remove_pins),
		cmocka_unit_test_teardown(a_second_process_is_refused, remove_pins),
		cmocka_unit_test_teardown(nothing_pinned_cannot_be_read, remove_pins),
		cmocka_unit_test_teardown(tables_outlive_the_process, remove_pins),
		cmocka_unit_test_teardown(
		        tables_of_another_layout_serve_until_the_new_ones_are_attached,
		        remove_pins),
		cmocka_unit_test_teardown(tables_that_lack_a_pin_are_not_taken_over, remove_pins),
		cmocka_unit_test_teardown(what_packets_change_during_a_resize_is_not_lost,
		                          remove_pins),
		cmocka_unit_test_teardown(tables_never_shrink, remove_pins),
		cmocka_unit_test_teardown(a_port_that_is_made_anew_gets_the_program_again,
		                          remove_pins),
		cmocka_unit_test_teardown(detaching_and_removing_leave_nothing, remove_pins),
		cmocka_unit_test_teardown(the_packets_clock_follows_the_monotonic_one, remove_pins),
	};

	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
