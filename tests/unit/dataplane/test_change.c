/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change of driver (dataplane/change.c), call by call: two drivers on tables in memory, one in
 * force in this process or left by one that is no more. What the tables hold goes along, and the
 * old driver's state goes last.
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

#include "dataplane/drivers.h"
#include "dataplane/dpdk/tablefile.h"
#include "weir/carry.h"
#include "weir/effect.h"

#include "tests/fwd/memory.h"

/* --- two drivers, which write down what is asked of them --- */

struct noted_driver {
	const char *name;
	struct fwd_tables t;
	struct driver_sizes sizes;
	bool is_open;
};

static struct noted_driver xdp = { .name = "xdp" }, dpdk = { .name = "dpdk" };
static char calls[1024]; /* with spaces; directories by their last part */
static int open_says, remove_says;
static bool open_keeps;
static struct driver_config opened;

static void note_call(const struct noted_driver *d, const char *call, const char *what)
{
	size_t n = strlen(calls);

	snprintf(calls + n, sizeof(calls) - n, "%s%s:%s%s%s", n ? " " : "", d->name, call,
	         *what ? "-" : "", what);
}

static const char *last_part(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return slash ? slash + 1 : dir;
}

static int open_driver(struct noted_driver *d, const struct driver_config *config,
                       struct driver **out, bool *kept, struct driver_reason *why)
{
	note_call(d, "open", last_part(config->pin_dir));
	opened = *config;
	if (open_says) {
		snprintf(why->text, sizeof(why->text), "busy");
		return open_says;
	}
	d->sizes = config->sizes;
	memory_new(&d->t, &d->sizes, 2);
	layout_root(&d->t, &d->sizes);
	d->is_open = true;
	*out = (struct driver *)d;
	*kept = open_keeps;
	return 0;
}

static int remove_driver(struct noted_driver *d, const char *dir, struct driver_reason *why)
{
	note_call(d, "remove", last_part(dir));
	if (remove_says)
		snprintf(why->text, sizeof(why->text), "it cannot be removed");
	return remove_says;
}

static int open_xdp(const struct driver_config *config, struct driver **out, bool *kept,
                    struct driver_reason *why)
{
	return open_driver(&xdp, config, out, kept, why);
}

static int open_dpdk(const struct driver_config *config, struct driver **out, bool *kept,
                     struct driver_reason *why)
{
	return open_driver(&dpdk, config, out, kept, why);
}

static int remove_xdp(const char *dir, struct driver_reason *why)
{
	return remove_driver(&xdp, dir, why);
}

static int remove_dpdk(const char *dir, struct driver_reason *why)
{
	return remove_driver(&dpdk, dir, why);
}

static void show_tables(const struct driver *driver, struct fwd_tables *out)
{
	const struct noted_driver *d = (const struct noted_driver *)driver;

	*out = d->t;
}

static int fake_detach(struct driver *driver, const char *interface, struct driver_reason *why)
{
	struct noted_driver *d = (struct noted_driver *)driver;

	(void)why;
	note_call(d, "detach", interface);
	return 0;
}

static size_t show_ports(const struct driver *d, struct driver_port out[DRIVER_PORTS_MAX])
{
	(void)d;
	out[0] = (struct driver_port){ .name = "eth0" };
	out[1] = (struct driver_port){ .name = "eth1" };
	return 2;
}

static void fake_grace(struct driver *driver)
{
	struct noted_driver *d = (struct noted_driver *)driver;

	note_call(d, "grace", "");
	d->t.exceptions[1].word[0] = 77; /* the last packet by it */
}

static void close_driver(struct driver *driver)
{
	struct noted_driver *d = (struct noted_driver *)driver;

	note_call(d, "close", "");
	d->is_open = false;
}

static int no_map(const char *dir, struct fwd_tables *out, struct driver_reason *why)
{
	(void)dir, (void)out, (void)why;
	return -EPROTO;
}

#define OPS(name_)                                                                                 \
	{                                                                                          \
		.name = #name_, .open = open_##name_, .tables = show_tables,                       \
		.detach = fake_detach, .ports = show_ports, .grace = fake_grace,                   \
		.close = close_driver, .remove = remove_##name_, .map = no_map                     \
	}
const struct driver_ops driver_xdp = OPS(xdp);
static const struct driver_ops dpdk_ops = OPS(dpdk);
const struct driver_ops *const drivers_dpdk = &dpdk_ops;

/* The private parts too. */
#include "dataplane/change.c"

/* --- the node --- */

static const struct driver_sizes small = { 64, 16, 8, 16, 64, 8 },
                                 other = { 32, 32, 4, 32, 32, 16 };
static struct proc_dirs dirs;
static struct model_port ports[] = { { .interface = "eth0", .device = "0000:01:00.0" },
	                             { .interface = "eth1", .device = "" } };
static struct model_node self = { .name = "ams-1", .ports = ports, .n_ports = 2, .mtu = 1600 };
static struct model model = { .cluster = "shop.a", .self = &self };
static struct driver_change c;
static struct driver_reason why;

static int setup(void **state)
{
	char base[64] = "/tmp/weir-change-XXXXXX";

	(void)state;
	if (!mkdtemp(base))
		return -1;
	snprintf(dirs.run, sizeof(dirs.run), "%s/run", base);
	snprintf(dirs.bpf, sizeof(dirs.bpf), "%s/bpf", base);
	calls[0] = why.text[0] = '\0';
	open_says = remove_says = 0;
	open_keeps = false;
	memset(&opened, 0, sizeof(opened));
	return mkdir(dirs.run, 0700) || mkdir(dirs.bpf, 0700);
}

static void free_driver(struct noted_driver *d)
{
	memory_free(&d->t);
	d->t = (struct fwd_tables){ 0 };
	d->is_open = false;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	free_driver(&xdp);
	free_driver(&dpdk);
	snprintf(command, sizeof(command), "rm -r %.40s", dirs.run);
	*strrchr(command, '/') = '\0';
	return system(command);
}

static void expect_calls(const char *wanted)
{
	assert_string_equal(calls, wanted);
	calls[0] = '\0';
}

/* XDP is in force, with something in its tables. */
static void start_xdp(void)
{
	struct driver_config config = { .pin_dir = "", .sizes = small };
	struct driver *d;
	bool kept;

	assert_int_equal(open_xdp(&config, &d, &kept, &why), 0);
	xdp.t.pools[1].id = 91;
	xdp.t.backends[2].id = 92;
	xdp.t.exceptions[0].word[0] = 93;
	xdp.t.cpus[0].received = 94;
	calls[0] = '\0';
}

static int change_to(const struct driver_ops *ops, bool from_xdp)
{
	return change_open(&c, &dirs, ops, &model, &other, from_xdp ? &driver_xdp : NULL,
	                   from_xdp ? (struct driver *)&xdp : NULL, &why);
}

/* --- the tests --- */

static void the_first_driver_is_opened_where_its_state_is(void **state)
{
	char path[PATH_MAX];

	(void)state;
	for (int keeps = 0; keeps < 2; keeps++) {
		open_keeps = keeps;
		assert_int_equal(change_to(&driver_xdp, false), 0);
		snprintf(path, sizeof(path), "%.80s/shop:a/ams-1", dirs.bpf);
		assert_string_equal(opened.pin_dir, path);
		assert_memory_equal(&opened.sizes, &other, sizeof(other));
		assert_int_equal(opened.mtu, 1600);
		assert_ptr_equal(opened.dpdk, &self.dpdk);
		assert_int_equal(c.kept, keeps);
		assert_ptr_equal(c.driver, &xdp);
		assert_null(c.old_ops);
		assert_ptr_equal(c.now.pools, xdp.t.pools);
		change_free_ports(&c, &model);
		change_end(&c, &why);
		assert_string_equal(why.text, "");
		expect_calls("xdp:open-ams-1");
		free_driver(&xdp);
	}
	assert_int_equal(change_to(&dpdk_ops, false), 0);
	snprintf(path, sizeof(path), "%.80s/" EFFECT_DPDK_DIR, dirs.run);
	assert_string_equal(opened.pin_dir, path);
	change_undo(&c); /* its tables may be another process's: they stay */
	expect_calls("dpdk:open-tables dpdk:close");
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
	static const struct driver_sizes larger = { 64, 32, 8, 32, 64, 16 };

	(void)state;
	start_xdp();
	assert_int_equal(change_to(&dpdk_ops, true), 0);
	expect_calls("dpdk:remove-tables dpdk:open-tables");
	assert_memory_equal(&opened.sizes, &larger, sizeof(larger));
	assert_true(c.kept);
	assert_int_equal(dpdk.t.pools[1].id, 91);
	assert_int_equal(dpdk.t.backends[2].id, 92);
	change_free_ports(&c, &model);
	expect_calls("xdp:detach-eth0"); /* the device of DPDK's own alone */
	change_end(&c, &why);
	expect_calls("xdp:detach-eth0 xdp:detach-eth1 xdp:grace xdp:close xdp:remove-ams-1");
	assert_int_equal(dpdk.t.cpus[0].received + dpdk.t.cpus[1].received, 94);
	assert_true(is_remembered(&dpdk.t, 77)); /* what the last packet by the old tables left */
	assert_string_equal(why.text, "");
	assert_null(c.carry);
}

/* Their next packets may be the new driver's before the old one has ended. */
static void flows_that_begin_meanwhile_are_followed(void **state)
{
	(void)state;
	assert_int_equal(change_to(&dpdk_ops, false), 0);
	change_follow(&c); /* there is no other driver */
	free_driver(&dpdk);
	start_xdp();
	assert_int_equal(change_to(&dpdk_ops, true), 0);
	for (uint64_t word = 95; word < 98; word++) {
		xdp.t.exceptions[2].word[3] = word;
		assert_false(is_remembered(&dpdk.t, word));
		change_follow(&c);
		assert_true(is_remembered(&dpdk.t, word));
	}
	change_end(&c, &why);
	assert_true(is_remembered(&dpdk.t, 97));
}

static void what_is_left_of_the_old_driver_is_said(void **state)
{
	(void)state;
	start_xdp();
	assert_int_equal(change_to(&dpdk_ops, true), 0);
	remove_says = -EBUSY;
	change_end(&c, &why);
	assert_string_equal(why.text, "it cannot be removed");
}

static void a_driver_that_does_not_open_changes_nothing(void **state)
{
	(void)state;
	start_xdp();
	open_says = -EBUSY;
	assert_int_equal(change_to(&dpdk_ops, true), -EBUSY);
	assert_string_equal(why.text, "busy");
	expect_calls("dpdk:remove-tables dpdk:open-tables");
	assert_true(xdp.is_open);
	assert_int_equal(xdp.t.pools[1].id, 91);
	assert_null(c.carry);
}

static void a_document_that_is_refused_lets_the_new_driver_go(void **state)
{
	(void)state;
	start_xdp();
	assert_int_equal(change_to(&dpdk_ops, true), 0);
	calls[0] = '\0';
	change_undo(&c);
	expect_calls("dpdk:close dpdk:remove-tables");
	assert_true(xdp.is_open);
	assert_null(c.carry);
}

/* The other driver's process is no more: its tables are found, go along, and are removed. */
static void tables_that_a_dead_process_left_go_along(void **state)
{
	struct tablefile f;
	char dir[PATH_MAX], path[PATH_MAX + 8];

	(void)state;
	snprintf(dir, sizeof(dir), "%.80s/" EFFECT_DPDK_DIR, dirs.run);
	snprintf(path, sizeof(path), "%.90s/tables", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(tablefile_make(&f, path, &small, 2, NULL, &why), 0);
	f.tables.pools[1].id = 81;
	f.tables.cpus[1].received = 84;
	tablefile_close(&f);
	assert_int_equal(change_to(&driver_xdp, false), 0);
	expect_calls("xdp:remove-ams-1 xdp:open-ams-1");
	assert_ptr_equal(c.old_ops, &dpdk_ops);
	assert_null(c.old_driver);
	assert_true(c.kept);
	assert_int_equal(opened.sizes.slots, 64);
	assert_int_equal(opened.sizes.backends, 32);
	assert_int_equal(xdp.t.pools[1].id, 81);
	change_free_ports(&c, &model);
	change_end(&c, &why);
	expect_calls("dpdk:remove-tables");
	assert_int_equal(xdp.t.cpus[0].received + xdp.t.cpus[1].received, 84);
}

/* What cannot be read has nothing to give: it goes all the same. */
static void unreadable_tables_of_a_dead_process_only_go(void **state)
{
	char dir[PATH_MAX];

	(void)state;
	snprintf(dir, sizeof(dir), "%.80s/" EFFECT_DPDK_DIR, dirs.run);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(change_to(&driver_xdp, false), 0);
	expect_calls("xdp:open-ams-1"); /* what is there may be its own, and good */
	assert_false(c.kept);
	assert_memory_equal(&opened.sizes, &other, sizeof(other));
	change_end(&c, &why);
	expect_calls("dpdk:remove-tables");
}

static void names_that_are_too_long_are_refused(void **state)
{
	static char name[PATH_MAX];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	self.name = name;
	assert_int_equal(change_to(&driver_xdp, false), -ENAMETOOLONG);
	assert_int_equal(change_to(&dpdk_ops, false),
	                 -ENAMETOOLONG); /* where the other's are is not known */
	start_xdp();
	assert_int_equal(change_to(&dpdk_ops, true), -ENAMETOOLONG);
	expect_calls("");
	self.name = "ams-1";
}

#define CHANGE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHANGE_TEST(the_first_driver_is_opened_where_its_state_is),
		CHANGE_TEST(what_the_old_tables_hold_goes_along),
		CHANGE_TEST(flows_that_begin_meanwhile_are_followed),
		CHANGE_TEST(what_is_left_of_the_old_driver_is_said),
		CHANGE_TEST(a_driver_that_does_not_open_changes_nothing),
		CHANGE_TEST(a_document_that_is_refused_lets_the_new_driver_go),
		CHANGE_TEST(tables_that_a_dead_process_left_go_along),
		CHANGE_TEST(unreadable_tables_of_a_dead_process_only_go),
		CHANGE_TEST(names_that_are_too_long_are_refused),
	};

	return cmocka_run_group_tests_name("change", tests, NULL, NULL);
}
