/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports of the XDP driver, and what earlier processes, other programs and operators did to them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/xdp_internal.h"
#include "tests/unit/bpf/xdp_stage.h"
#include "tests/unit/suite.h"

static void a_clock_that_agrees_stays_as_it_is(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct fwd_tables t = tables_of(d);
	uint64_t base = t.root->tick_base, scale = t.root->tick_scale;

	t.root->tick_base = base + 1; /* one tick off is rounding: packets see no jump */
	assert_int_equal(ops->tick(d), 0);
	assert_int_equal(t.root->tick_base, base + 1);
	t.root->tick_base = base + 50;
	assert_int_equal(ops->tick(d), 0);
	assert_in_range(t.root->tick_base - base + 2, 0, 4);
	assert_int_equal(t.root->tick_scale, scale);
	ops->close(d);
}

/* Whether the program that is attached to @p interface may send frames by @p ifindex. */
static bool may_send(const char *interface, uint32_t ifindex)
{
	int fd = space_map_of(space_xdp_of(interface), "ports");
	uint32_t value = 0;
	bool found;

	assert_true(fd >= 0);
	found = !bpf_map_lookup_elem(fd, &ifindex, &value);
	close(fd);
	return found;
}

static unsigned count_sets(void)
{
	DIR *dir = opendir(PIN_DIR);
	const struct dirent *e;
	unsigned n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)))
		n += !strncmp(e->d_name, "tables-", 7);
	closedir(dir);
	return n;
}

static void frames_leave_by_ports_alone_also_after_a_resize(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	uint32_t v0 = if_nametoindex("v0"), v1 = if_nametoindex("v1");
	struct fwd_tables next;
	struct driver_reason why;

	attach_port(d, "v0");
	assert_true(may_send("v0", v0));
	assert_false(may_send("v0", v1));
	attach_port(d, "v1");
	assert_true(may_send("v0", v1));
	assert_int_equal(ops->resize_begin(d, &large, &next, &why), 0);
	assert_int_equal(ops->resize_commit(d, &why), 0);
	assert_true(may_send("v0", v0) && may_send("v0", v1));
	assert_int_equal(space_xdp_of("v0"), space_xdp_of("v1"));
	assert_int_equal(count_sets(), 1);
	assert_int_equal(ops->detach(d, "v1", &why), 0);
	assert_false(may_send("v0", v1));
	assert_int_equal(space_xdp_of("v1"), 0);
	ops->close(d);
}

static void what_a_process_left_half_made_goes_with_the_next_start(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_reason why;
	struct fwd_tables t;

	attach_port(d, "v0");
	ops->close(d);
	assert_int_equal(mkdir(PIN_DIR "/tables-7", 0700), 0); /* of a resize that did not end */
	d = open_tables(true);
	assert_int_equal(count_sets(), 1);
	assert_int_equal(ops->resize_begin(d, &large, &t, &why), 0);
	assert_int_equal(ops->resize_commit(d, &why), 0);
	assert_int_equal(access(PIN_DIR "/tables-8", F_OK), 0); /* no number serves twice */
	ops->close(d);
}

static void a_pin_of_an_interface_that_is_gone_goes_with_the_port(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_port port[DRIVER_PORTS_MAX];
	struct driver_reason why;

	space_run(
	        "ip link add x.5 type veth peer name x1 && ip link set x.5 up && ip link set x1 up");
	attach_port(d, "x.5");
	assert_int_equal(access(PIN_DIR "/link-x:5", F_OK), 0);
	space_run("ip link del x.5");
	assert_int_equal(ops->ports(d, port), 1);
	assert_true(port[0].lost);
	assert_int_equal(ops->detach(d, "x.5", &why), 0);
	assert_int_not_equal(access(PIN_DIR "/link-x:5", F_OK), 0);
	assert_int_equal(ops->ports(d, port), 0);
	assert_int_equal(ops->detach(d, "x.5", &why), 0); /* again is fine */
	ops->close(d);
}

static int open_second(void)
{
	const struct driver_config config = { .pin_dir = PIN_DIR, .sizes = small };
	struct driver *second = NULL;
	struct driver_reason why;
	bool kept;

	return ops->open(&config, &second, &kept, &why);
}

static unsigned look_for_pins(struct driver *d, int expected, struct driver_reason *why)
{
	uint32_t n = 0;

	assert_int_equal(ops->keep_pins(d, &n, why), expected);
	return n;
}

static uint32_t link_id(const char *path)
{
	struct bpf_link_info info = { 0 };
	uint32_t n = sizeof(info);
	int fd = bpf_obj_get(path);

	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &n), 0);
	close(fd);
	return info.id;
}

/* By hand; the next process has tables and ports from the pins that were made again. */
static void pins_that_are_gone_or_another_s_are_made_again(void **state)
{
	static const struct {
		const char *command, *why;
		unsigned n;
	} rows[] = {
		{ "rm " PIN_DIR "/tables-1/slots", "a table", 1 },
		{ "rm " PIN_DIR "/tables-1/prog " PIN_DIR "/link-v0", "program and port", 2 },
		{ "mv " PIN_DIR "/tables-1/slots " PIN_DIR "/tables-1/backends", "another's", 2 },
		{ "rm " PIN_DIR "/current", "which set it is", 1 },
		{ "ln -sfn tables-7 " PIN_DIR "/current", "another set", 1 },
		{ "rm " PIN_DIR "/not-sent*", "what drivers do not take", 5 },
		{ "rm -r " PIN_DIR "/tables-1", "all tables", FWD_TABLE_COUNT + 1 },
		{ "rm -r " BPF_DIR "/cluster", "all", FWD_TABLE_COUNT + 8 },
	};
	struct driver *d = open_tables(false);
	struct driver_reason why;

	(void)state;
	assert_int_equal(look_for_pins(d, 0, &why), 0);
	assert_int_equal(system("rm -r " BPF_DIR "/cluster"), 0); /* also before there is a port */
	assert_int_equal(look_for_pins(d, 0, &why), FWD_TABLE_COUNT + 5);
	attach_port(d, "v0");
	tables_of(d).pools[3].id = 77;
	assert_int_equal(look_for_pins(d, 0, &why), 1); /* the program's, which is in force now */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(look_for_pins(d, 0, &why), 0);
		assert_int_equal(system(rows[i].command), 0);
		unsigned n = look_for_pins(d, 0, &why);

		if (n != rows[i].n)
			fail_msg("%s: %u", rows[i].why, n);
	}
	/* a port that is attached again keeps its link */
	uint32_t link = link_id(PIN_DIR "/link-v0");

	assert_int_equal(system("rm -r " BPF_DIR "/cluster"), 0);
	attach_port(d, "v0");
	assert_int_equal(link_id(PIN_DIR "/link-v0"), link);
	assert_int_equal(look_for_pins(d, 0, &why), FWD_TABLE_COUNT + 8);
	/* one that cannot be made is named, and the others are made */
	assert_int_equal(system("rm -r " PIN_DIR "/tables-1/slots " PIN_DIR "/tables-1/pools && "
	                        "mkdir " PIN_DIR "/tables-1/slots"),
	                 0);
	assert_int_equal(look_for_pins(d, -EISDIR, &why), 1);
	assert_non_null(strstr(why.text, "tables-1/slots: "));
	assert_int_equal(rmdir(PIN_DIR "/tables-1/slots"), 0);
	assert_int_equal(look_for_pins(d, 0, &why), 1);
	assert_string_equal(why.text, "");
	assert_int_equal(open_second(), -EBUSY); /* the lock is there again, too */
	ops->close(d);
	d = open_tables(true);
	assert_int_equal(tables_of(d).pools[3].id, 77);
	assert_true(ops->may_forward(d, "v0"));
	ops->close(d);
}

static void a_program_that_is_taken_off_is_seen_and_put_back(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_port port[DRIVER_PORTS_MAX];

	attach_port(d, "v0");
	assert_int_equal(ops->ports(d, port), 1);
	assert_false(port[0].lost);
	space_detach_link(PIN_DIR "/link-v0");
	assert_int_equal(ops->ports(d, port), 1);
	assert_true(port[0].lost);
	assert_false(port[0].may_forward);
	attach_port(d, "v0");
	assert_int_equal(ops->ports(d, port), 1);
	assert_false(port[0].lost);
	assert_int_not_equal(space_xdp_of("v0"), 0);
	space_swap_program(PIN_DIR "/link-v0"); /* the link stays, and carries another one */
	assert_int_equal(ops->ports(d, port), 1);
	assert_true(port[0].lost);
	assert_true(port[0].may_forward);
	attach_port(d, "v0");
	assert_int_equal(ops->ports(d, port), 1);
	assert_false(port[0].lost);
	ops->close(d);
}

/*
 * As with a release whose program the kernel refuses: the pinned link goes on with the one before.
 * A descriptor that is no program stands for it, and its id cannot be read either.
 */
static void a_program_that_cannot_be_replaced_forwards_on_and_is_not_called_gone(void **state)
{
	(void)state;
	struct xdp_driver *d = (struct xdp_driver *)open_tables(false);
	struct driver *driver = (struct driver *)d;
	struct driver_port port[DRIVER_PORTS_MAX];
	const struct model_port v0 = { .interface = "v0", .device = "" };
	struct driver_reason why;
	uint32_t before;
	int program, bad = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_false(ops->may_forward(driver, "v0")); /* nothing is there */
	assert_false(ops->may_forward(driver, "v9"));
	attach_port(driver, "v0");
	before = space_xdp_of("v0");
	program = d->now.prog_fd;
	d->now.prog_fd = bad;
	assert_true(ops->attach(driver, &v0, &port[0], &why) < 0);
	assert_non_null(strstr(why.text, "cannot be replaced"));
	assert_int_equal(space_xdp_of("v0"), before);
	assert_true(ops->may_forward(driver, "v0"));
	assert_int_equal(ops->ports(driver, port), 1); /* it is still a port */
	assert_true(port[0].lost && port[0].may_forward);
	ops->close(driver); /* the next process has no port yet, and fails in the same way */
	d = (struct xdp_driver *)open_tables(true);
	driver = (struct driver *)d;
	close(program);
	program = d->now.prog_fd;
	d->now.prog_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(ops->attach(driver, &v0, &port[0], &why) < 0);
	assert_int_equal(ops->ports(driver, port), 0);
	assert_true(ops->may_forward(driver, "v0"));
	close(d->now.prog_fd);
	d->now.prog_fd = program;
	attach_port(driver, "v0");
	assert_int_equal(ops->ports(driver, port), 1);
	assert_false(port[0].lost);
	assert_int_equal(unlink(PIN_DIR "/link-v0"), 0); /* by somebody: it is pinned again */
	attach_port(driver, "v0");
	assert_int_equal(access(PIN_DIR "/link-v0", F_OK), 0);
	assert_int_equal(ops->ports(driver, port), 1);
	assert_false(port[0].lost);
	ops->close(driver);
}

static void a_foreign_program_is_left_alone_and_named(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_reason why = { "" };
	struct driver_port port;
	uint32_t foreign;

	space_attach_other("v1");
	foreign = space_xdp_of("v1");
	assert_int_not_equal(foreign, 0);
	int err = ops->attach(d, &(struct model_port){ .interface = "v1", .device = "" }, &port,
	                      &why);
	assert_true(err == -EBUSY || err == -EEXIST);
	assert_non_null(strstr(why.text, "another XDP program is attached to v1"));
	assert_true(ops->may_forward(d, "v1"));
	assert_int_equal(space_xdp_of("v1"), foreign);
	assert_int_equal(ops->remove(PIN_DIR, &why), -EBUSY); /* a process has it */
	ops->close(d);
	space_run("ip link set dev v1 xdp off");
}

static void a_port_that_another_node_s_program_has_names_that_node(void **state)
{
	(void)state;
	const struct driver_config other = { .pin_dir = BPF_DIR "/shop:eu/ams:1", .sizes = small };
	struct driver_reason why = { "" };
	struct driver *first = NULL, *d;
	struct driver_port port;
	bool kept;

	assert_int_equal(ops->open(&other, &first, &kept, &why), 0);
	attach_port(first, "v0");
	d = open_tables(false);
	attach_port(d, "v1"); /* which it has not */
	assert_true(ops->attach(d, &(struct model_port){ .interface = "v0", .device = "" }, &port,
	                        &why) < 0);
	assert_non_null(strstr(why.text, "cluster shop.eu, node ams.1"));
	assert_non_null(strstr(why.text, "--cluster shop.eu --node ams.1 --bpf-dir " BPF_DIR));
	assert_int_equal(ops->detach(first, "v0", &why), 0);
	attach_port(d, "v0"); /* as the advice has it */
	ops->close(first);
	assert_int_equal(ops->remove(other.pin_dir, &why), 0);
	ops->close(d);
}

static void where_native_mode_is_refused_generic_serves_and_says_so(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_reason why = { "" };
	struct driver_port port;

	space_run("ip link set v0 mtu 1500 && ip link set v1 mtu 9000 && ip link set v0 mtu 9000");
	assert_int_equal(ops->attach(d, &(struct model_port){ .interface = "v0", .device = "" },
	                             &port, &why),
	                 0);
	assert_false(port.native);
	assert_non_null(strstr(why.text, "generic mode"));
	assert_non_null(strstr(why.text, "MTU"));
	ops->close(d);
	assert_int_equal(ops->remove(PIN_DIR, &why), 0);
	space_run("ip link set v0 mtu 1500 && ip link set v1 mtu 1500");
}

static void no_more_ports_than_there_is_room_for(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct driver_port port;
	struct driver_reason why;

	for (unsigned i = 0; i <= DRIVER_PORTS_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%u", i);
		space_run(
		        "ip link add m%u type veth peer name n%u && ip link set m%u up && ip link set n%u up",
		        i, i, i, i);
		int err = ops->attach(d, &(struct model_port){ .interface = name, .device = "" },
		                      &port, &why);

		assert_int_equal(err, i < DRIVER_PORTS_MAX ? 0 : -ENOSPC);
	}
	attach_port(d, "m0"); /* the same again takes no further place */
	ops->close(d);
	for (unsigned i = 0; i <= DRIVER_PORTS_MAX; i++)
		space_run("ip link del m%u", i);
}

SUITE(xdp_ports)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_clock_that_agrees_stays_as_it_is, remove_pins),
		cmocka_unit_test_teardown(frames_leave_by_ports_alone_also_after_a_resize,
		                          remove_pins),
		cmocka_unit_test_teardown(what_a_process_left_half_made_goes_with_the_next_start,
		                          remove_pins),
		cmocka_unit_test_teardown(a_pin_of_an_interface_that_is_gone_goes_with_the_port,
		                          remove_pins),
		cmocka_unit_test_teardown(pins_that_are_gone_or_another_s_are_made_again,
		                          remove_pins),
		cmocka_unit_test_teardown(a_program_that_is_taken_off_is_seen_and_put_back,
		                          remove_pins),
		cmocka_unit_test_teardown(
		        a_program_that_cannot_be_replaced_forwards_on_and_is_not_called_gone,
		        remove_pins),
		cmocka_unit_test_teardown(a_foreign_program_is_left_alone_and_named, remove_pins),
		cmocka_unit_test_teardown(a_port_that_another_node_s_program_has_names_that_node,
		                          remove_pins),
		cmocka_unit_test_teardown(where_native_mode_is_refused_generic_serves_and_says_so,
		                          remove_pins),
		cmocka_unit_test_teardown(no_more_ports_than_there_is_room_for, remove_pins),
	};

	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
