/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change of driver (dataplane/change.c), call by call: between the XDP driver, in namespaces of the test's own, and
 * one on tables in memory, which writes down what is asked of it. One is in force in this process, or left by one that
 * is no more. What the tables hold goes along, and the old driver's state goes last.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/change.h"
#include "dataplane/dpdk/tablefile.h"
#include "dataplane/drivers.h"
#include "tests/unit/suite.h"
#include "weir/effect.h"

#include "tests/fwd/memory.h"
#include "tests/unit/bpf/space.h"
#include "tests/unit/dataplane/drivers.h"

/* --- the driver on tables in memory --- */

static struct {
	struct fwd_tables t;
	struct driver_sizes sizes;
} dpdk;
static char calls[1024]; /* of it, with spaces; directories by their last part */
static int open_says, remove_says;
static struct driver_config opened;

static void note_call(const char *call, const char *what)
{
	size_t n = strlen(calls);

	snprintf(calls + n, sizeof(calls) - n, "%s%s%s%s", n ? " " : "", call, *what ? "-" : "",
	         what);
}

static const char *last_part(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return slash ? slash + 1 : dir;
}

static int open_dpdk(const struct driver_config *config, struct driver **out, bool *kept,
                     struct driver_reason *why)
{
	note_call("open", last_part(config->pin_dir));
	opened = *config;
	if (open_says) {
		snprintf(why->text, sizeof(why->text), "busy");
		return open_says;
	}
	dpdk.sizes = config->sizes;
	memory_new(&dpdk.t, &dpdk.sizes, 2);
	layout_root(&dpdk.t, &dpdk.sizes);
	*out = (struct driver *)&dpdk;
	*kept = false;
	return 0;
}

static int remove_dpdk(const char *dir, struct driver_reason *why)
{
	note_call("remove", last_part(dir));
	if (remove_says)
		snprintf(why->text, sizeof(why->text), "it cannot be removed");
	return remove_says;
}

static void show_tables(const struct driver *driver, struct fwd_tables *out)
{
	(void)driver;
	*out = dpdk.t;
}

static int fake_detach(struct driver *driver, const char *interface, struct driver_reason *why)
{
	(void)driver, (void)why;
	note_call("detach", interface);
	return 0;
}

static size_t show_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	out[0] = (struct driver_port){ .name = "v0" };
	out[1] = (struct driver_port){ .name = "v1" };
	return 2;
}

static void fake_grace(struct driver *driver)
{
	(void)driver;
	note_call("grace", "");
	dpdk.t.exceptions[1].word[0] = 77; /* the last packet by it */
}

static void close_dpdk(struct driver *driver)
{
	(void)driver;
	note_call("close", "");
}

static int no_map(const char *dir, struct fwd_tables *out, struct driver_reason *why)
{
	(void)dir, (void)out, (void)why;
	return -EPROTO;
}

static const struct driver_ops dpdk_ops = { .name = "dpdk",
	                                    .open = open_dpdk,
	                                    .tables = show_tables,
	                                    .detach = fake_detach,
	                                    .ports = show_ports,
	                                    .grace = fake_grace,
	                                    .close = close_dpdk,
	                                    .remove = remove_dpdk,
	                                    .map = no_map };

/* --- the node --- */

#define SCENE   "/run/weir-test-change"
#define XDP_DIR BPF_DIR "/shop:a/ams-1"

static const struct driver_sizes small = { 64, 16, 8, 16, 64, 8 },
                                 other = { 32, 32, 4, 32, 32, 16 },
                                 larger = { 64, 32, 8, 32, 64, 16 };
static const struct proc_dirs dirs = { .run = SCENE, .bpf = BPF_DIR };
/* The device of the first is DPDK's own; the other is shared with the kernel. */
static struct model_port ports[] = { { .interface = "v0", .device = "0000:01:00.0" },
	                             { .interface = "v1", .device = "" } };
static struct model_node self = { .name = "ams-1", .ports = ports, .n_ports = 2, .mtu = 1600 };
static struct model model = { .cluster = "shop.a", .self = &self };
static struct driver_change c;
static struct driver_reason why;
static struct driver *xdp; /* in force; NULL: none */
static struct fwd_tables xdp_tables;

static int setup(void **state)
{
	(void)state;
	calls[0] = why.text[0] = '\0';
	open_says = remove_says = 0;
	memset(&opened, 0, sizeof(opened));
	return mkdir(SCENE, 0700);
}

static void free_dpdk(void)
{
	memory_free(&dpdk.t);
	dpdk.t = (struct fwd_tables){ 0 };
}

static int teardown(void **state)
{
	(void)state;
	free_dpdk();
	if (xdp)
		driver_xdp.close(xdp);
	xdp = NULL;
	(void)driver_xdp.remove(XDP_DIR, &why);
	return system("rm -r " SCENE);
}

static void expect_calls(const char *wanted)
{
	assert_string_equal(calls, wanted);
	calls[0] = '\0';
}

static void fill_tables(const struct fwd_tables *t)
{
	t->pools[1].id = 91;
	t->backends[2].id = 92;
	t->exceptions[0].word[0] = 93;
	t->cpus[0].received = 94;
}

static uint64_t n_received(const struct fwd_tables *t)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < t->n_cpus; i++)
		n += t->cpus[i].received;
	return n;
}

static void open_xdp(void)
{
	const struct driver_config config = { .pin_dir = XDP_DIR, .sizes = small };
	bool kept;

	assert_int_equal(driver_xdp.open(&config, &xdp, &kept, &why), 0);
	driver_xdp.tables(xdp, &xdp_tables);
}

/* XDP is in force on both ports, with something in its tables. */
static void start_xdp(void)
{
	struct driver_port out;

	open_xdp();
	fill_tables(&xdp_tables);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(driver_xdp.attach(xdp, &ports[i], &out, &why), 0);
	assert_true(space_xdp_of("v0") && space_xdp_of("v1"));
}

static int change_to_dpdk(void)
{
	return change_open(&c, &dirs, drivers_dpdk, &model, &other, xdp ? &driver_xdp : NULL, xdp,
	                   &why);
}

/* @param from_dpdk  it is in force */
static int change_to_xdp(bool from_dpdk)
{
	return change_open(&c, &dirs, &driver_xdp, &model, &other, from_dpdk ? drivers_dpdk : NULL,
	                   from_dpdk ? (struct driver *)&dpdk : NULL, &why);
}

static void expect_xdp_sizes(const struct driver_sizes *wanted)
{
	struct driver_sizes sizes;

	driver_xdp.sizes(c.driver, &sizes);
	assert_memory_equal(&sizes, wanted, sizeof(sizes));
}

/* --- the tests --- */

static void the_first_driver_is_opened_where_its_state_is(void **state)
{
	struct driver_port out;

	(void)state;
	for (int keeps = 0; keeps < 2; keeps++) { /* the second finds what the first has left */
		assert_int_equal(change_to_xdp(false), 0);
		assert_int_equal(access(XDP_DIR, F_OK), 0);
		expect_xdp_sizes(&other);
		assert_int_equal(c.kept, keeps);
		assert_null(c.old_ops);
		change_free_ports(&c, &model);
		change_end(&c, &why);
		assert_string_equal(why.text, "");
		assert_int_equal(driver_xdp.attach(c.driver, &ports[0], &out, &why), 0);
		driver_xdp.close(c.driver);
		expect_calls("");
	}
	assert_int_equal(driver_xdp.remove(XDP_DIR, &why), 0);
	assert_int_equal(change_to_dpdk(), 0);
	assert_string_equal(opened.pin_dir, SCENE "/" EFFECT_DPDK_DIR);
	assert_memory_equal(&opened.sizes, &other, sizeof(other));
	assert_int_equal(opened.mtu, 1600);
	assert_ptr_equal(opened.dpdk, &self.dpdk);
	assert_false(c.kept);
	change_undo(&c); /* its tables may be another process's: they stay */
	expect_calls("open-tables close");
}

static bool is_remembered(const struct fwd_tables *t, uint64_t word)
{
	for (uint32_t i = 0; i < t->n_exceptions; i++)
		for (uint32_t k = 0; k < OWNER_WAYS; k++)
			if (t->exceptions[i].word[k] == word)
				return true;
	return false;
}

static void what_the_old_tables_hold_goes_along(void **state)
{
	(void)state;
	start_xdp();
	assert_int_equal(change_to_dpdk(), 0);
	expect_calls("remove-tables open-tables");
	assert_memory_equal(&opened.sizes, &larger, sizeof(larger));
	assert_true(c.kept);
	assert_int_equal(dpdk.t.pools[1].id, 91);
	assert_int_equal(dpdk.t.backends[2].id, 92);
	assert_true(is_remembered(&dpdk.t, 93));
	change_free_ports(&c, &model);
	assert_true(!space_xdp_of("v0") && space_xdp_of("v1")); /* the device of DPDK's own alone */
	change_end(&c, &why);
	xdp = NULL; /* it is closed */
	assert_false(space_xdp_of("v1"));
	assert_int_not_equal(access(XDP_DIR, F_OK), 0);
	assert_int_equal(n_received(&dpdk.t), 94);
	assert_string_equal(why.text, "");
	assert_null(c.carry);
	expect_calls("");
}

/* What the last packet by the old tables left is brought over, so no packet may be under way then. */
static void the_old_driver_ends_before_its_last_word_is_taken(void **state)
{
	(void)state;
	assert_int_equal(change_to_dpdk(), 0);
	fill_tables(&dpdk.t);
	calls[0] = '\0';
	assert_int_equal(change_to_xdp(true), 0);
	expect_xdp_sizes(&other);
	assert_true(c.kept && is_remembered(&c.now, 93));
	change_free_ports(&c, &model);
	expect_calls("detach-v0");
	change_end(&c, &why);
	expect_calls("detach-v0 detach-v1 grace close remove-tables");
	assert_true(is_remembered(&c.now, 77));
	assert_int_equal(n_received(&c.now), 94);
	driver_xdp.close(c.driver);
}

/* Their next packets may be the new driver's before the old one has ended. */
static void flows_that_begin_meanwhile_are_followed(void **state)
{
	(void)state;
	assert_int_equal(change_to_dpdk(), 0);
	change_follow(&c); /* there is no other driver */
	free_dpdk();
	start_xdp();
	assert_int_equal(change_to_dpdk(), 0);
	for (uint64_t word = 95; word < 98; word++) {
		xdp_tables.exceptions[2].word[3] = word;
		assert_false(is_remembered(&dpdk.t, word));
		change_follow(&c);
		assert_true(is_remembered(&dpdk.t, word));
	}
	change_end(&c, &why);
	xdp = NULL;
	assert_true(is_remembered(&dpdk.t, 97));
}

static void what_is_left_of_the_old_driver_is_said(void **state)
{
	(void)state;
	assert_int_equal(change_to_dpdk(), 0);
	assert_int_equal(change_to_xdp(true), 0);
	remove_says = -EBUSY;
	change_end(&c, &why);
	assert_string_equal(why.text, "it cannot be removed");
	driver_xdp.close(c.driver);
}

static void expect_xdp_in_force(void)
{
	assert_true(space_xdp_of("v0") && space_xdp_of("v1"));
	assert_int_equal(access(XDP_DIR, F_OK), 0);
	assert_int_equal(xdp_tables.pools[1].id, 91);
	assert_null(c.carry);
}

static void a_driver_that_does_not_open_changes_nothing(void **state)
{
	(void)state;
	start_xdp();
	open_says = -EBUSY;
	assert_int_equal(change_to_dpdk(), -EBUSY);
	assert_string_equal(why.text, "busy");
	expect_calls("remove-tables open-tables");
	expect_xdp_in_force();
}

static void a_document_that_is_refused_lets_the_new_driver_go(void **state)
{
	(void)state;
	start_xdp();
	assert_int_equal(change_to_dpdk(), 0);
	calls[0] = '\0';
	change_undo(&c);
	expect_calls("close remove-tables");
	expect_xdp_in_force();
}

/* The other driver's process is no more: its tables are found, go along, and are removed. */
static void tables_that_a_dead_process_left_go_along(void **state)
{
	struct tablefile f;

	(void)state;
	assert_int_equal(mkdir(SCENE "/" EFFECT_DPDK_DIR, 0700), 0);
	assert_int_equal(
	        tablefile_make(&f, SCENE "/" EFFECT_DPDK_DIR "/tables", &small, 2, NULL, &why), 0);
	fill_tables(&f.tables);
	tablefile_close(&f);
	assert_int_equal(change_to_xdp(false), 0);
	assert_ptr_equal(c.old_ops, drivers_dpdk);
	assert_null(c.old_driver);
	assert_true(c.kept);
	expect_xdp_sizes(&larger);
	assert_int_equal(c.now.pools[1].id, 91);
	change_free_ports(&c, &model);
	expect_calls("");
	change_end(&c, &why);
	expect_calls("remove-tables");
	assert_int_equal(n_received(&c.now), 94);
	driver_xdp.close(c.driver);
}

/* Its program forwards until the new driver is in force. */
static void a_program_that_a_dead_process_left_ends_last(void **state)
{
	(void)state;
	start_xdp();
	driver_xdp.close(xdp);
	xdp = NULL;
	assert_int_equal(change_to_dpdk(), 0);
	expect_calls("remove-tables open-tables"); /* what a change that did not end has left */
	assert_true(c.kept);
	assert_int_equal(dpdk.t.pools[1].id, 91);
	assert_true(space_xdp_of("v0") && space_xdp_of("v1"));
	change_end(&c, &why);
	assert_false(space_xdp_of("v0") || space_xdp_of("v1"));
	assert_int_not_equal(access(XDP_DIR, F_OK), 0);
	assert_int_equal(n_received(&dpdk.t), 94);
}

/* What cannot be read has nothing to give: it goes all the same. */
static void unreadable_tables_of_a_dead_process_only_go(void **state)
{
	(void)state;
	start_xdp(); /* what is there may be its own, and good */
	driver_xdp.close(xdp);
	xdp = NULL;
	assert_int_equal(mkdir(SCENE "/" EFFECT_DPDK_DIR, 0700), 0);
	assert_int_equal(change_to_xdp(false), 0);
	assert_true(c.kept);
	assert_int_equal(c.now.pools[1].id, 91);
	change_end(&c, &why);
	expect_calls("remove-tables");
	driver_xdp.close(c.driver);
}

static void names_that_are_too_long_are_refused(void **state)
{
	static char name[PATH_MAX];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	self.name = name;
	assert_int_equal(change_to_xdp(false), -ENAMETOOLONG);
	assert_int_equal(change_to_dpdk(), -ENAMETOOLONG); /* where the other's are is not known */
	open_xdp();
	assert_int_equal(change_to_dpdk(), -ENAMETOOLONG);
	expect_calls("");
	self.name = "ams-1";
}

#define CHANGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

SUITE(change)
{
	const struct CMUnitTest tests[] = {
		CHANGE_TEST(the_first_driver_is_opened_where_its_state_is),
		CHANGE_TEST(what_the_old_tables_hold_goes_along),
		CHANGE_TEST(the_old_driver_ends_before_its_last_word_is_taken),
		CHANGE_TEST(flows_that_begin_meanwhile_are_followed),
		CHANGE_TEST(what_is_left_of_the_old_driver_is_said),
		CHANGE_TEST(a_driver_that_does_not_open_changes_nothing),
		CHANGE_TEST(a_document_that_is_refused_lets_the_new_driver_go),
		CHANGE_TEST(tables_that_a_dead_process_left_go_along),
		CHANGE_TEST(a_program_that_a_dead_process_left_ends_last),
		CHANGE_TEST(unreadable_tables_of_a_dead_process_only_go),
		CHANGE_TEST(names_that_are_too_long_are_refused),
	};

	suite_dpdk = dpdk_ops;
	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
