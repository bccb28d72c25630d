/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables of the XDP driver that grow or cannot, what is held of them and pinned, and what of a pin
 * is believed. Each loading of the program takes the verifier its time: there are few of them here.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/bpf/xdp_stage.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static unsigned count_entries(const char *path, const char *start)
{
	DIR *dir = opendir(path);
	const struct dirent *e;
	unsigned n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)))
		n += e->d_name[0] != '.' && !strncmp(e->d_name, start, strlen(start));
	closedir(dir);
	return n;
}

/* The program that is pinned with the set in force. */
static uint32_t pinned_program(void)
{
	struct bpf_prog_info info = { 0 };
	uint32_t n = sizeof(info);
	int fd = bpf_obj_get(PIN_DIR "/current/prog");

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &n))
		fail_msg("no program is pinned: %s", strerror(errno));
	close(fd);
	return info.id;
}

static void make_pair(const char *interface)
{
	space_run(
	        "ip link add %s type veth peer name %s-peer && ip link set %s up && ip link set %s-peer up",
	        interface, interface, interface, interface);
}

/*
 * The last of three ports takes the new program not: the first two carry the old one again, on
 * the old tables.
 */
static void tables_that_cannot_grow_are_the_old_ones_everywhere(void **state)
{
	(void)state;
	const unsigned n_fds = count_entries("/proc/self/fd", "");
	const size_t n_mapped = count_mapped();
	struct driver *d = open_tables(false);
	struct driver_port ports[DRIVER_PORTS_MAX];
	struct driver_reason why = { "" };
	struct driver_sizes z;
	struct fwd_tables old = tables_of(d), next;
	uint32_t program;

	make_pair("a0");
	attach_port(d, "v0");
	attach_port(d, "v1");
	attach_port(d, "a0");
	program = space_xdp_of("v0");
	const unsigned n_fds_open = count_entries("/proc/self/fd", "");
	const size_t n_mapped_open = count_mapped();
	space_detach_link(PIN_DIR "/link-a0");
	old.root->tick_base += 12345; /* packets see no jump, whatever a new agreement would be */
	old.root->tick_scale += 3;
	assert_int_equal(ops->resize_begin(d, &large, &next, &why), 0);
	assert_int_equal(next.root->tick_base, old.root->tick_base);
	assert_int_equal(next.root->tick_scale, old.root->tick_scale);
	assert_true(ops->resize_commit(d, &why) < 0);
	assert_non_null(strstr(why.text, "the program on a0 cannot be replaced"));
	assert_int_equal(space_xdp_of("v0"), program);
	assert_int_equal(space_xdp_of("v1"), program);
	assert_int_equal(ops->ports(d, ports), 3);
	assert_false(ports[0].lost || ports[1].lost);
	assert_true(ports[2].lost);
	assert_ptr_equal(tables_of(d).root, old.root);
	ops->sizes(d, &z);
	assert_memory_equal(&z, &small, sizeof(z));
	assert_int_equal(count_entries(PIN_DIR, "tables-"), 1);
	assert_int_equal(pinned_program(), program);
	assert_int_equal(count_entries("/proc/self/fd", ""),
	                 n_fds_open); /* nothing is kept of it */
	assert_int_equal(count_mapped(), n_mapped_open);
	attach_port(d, "a0");
	assert_int_equal(space_xdp_of("a0"), program);
	/* so nothing is in the way of the next time */
	assert_int_equal(ops->resize_begin(d, &large, &next, &why), 0);
	assert_int_equal(ops->resize_commit(d, &why), 0);
	assert_int_not_equal(space_xdp_of("v0"), program);
	assert_int_equal(space_xdp_of("a0"), space_xdp_of("v0"));
	assert_int_equal(pinned_program(), space_xdp_of("v0"));
	assert_int_equal(count_entries(PIN_DIR, "tables-"), 1);
	assert_int_equal(count_entries("/proc/self/fd", ""), n_fds_open);
	ops->close(d);
	assert_int_equal(count_entries("/proc/self/fd", ""), n_fds);
	assert_int_equal(count_mapped(), n_mapped);
	assert_int_equal(ops->remove(PIN_DIR, &why), 0); /* of all three */
	assert_true(!space_xdp_of("v0") && !space_xdp_of("v1") && !space_xdp_of("a0"));
	space_run("ip link del a0");
}

/*
 * Packets go by the larger tables when "current" is to name them: it is too late to refuse. What was
 * begun before and not switched to is gone.
 */
static void larger_tables_are_in_force_before_they_are_named(void **state)
{
	(void)state;
	const unsigned n_fds = count_entries("/proc/self/fd", "");
	const size_t n_mapped = count_mapped();
	struct driver *d = open_tables(false);
	struct driver_reason why = { "" };
	struct driver_sizes z;
	struct fwd_tables next;
	uint32_t n = 0;

	attach_port(d, "v0");
	assert_int_equal(ops->resize_begin(d, &large, &next, &why), 0);
	assert_int_equal(ops->resize_begin(d, &large, &next, &why), 0);
	assert_int_equal(mkdir(PIN_DIR "/current-new", 0700), 0); /* in the way */
	assert_int_equal(ops->resize_commit(d, &why), 0);
	assert_ptr_equal(tables_of(d).root, next.root);
	assert_int_equal(count_entries(PIN_DIR, "tables-"), 2); /* the named one is there */
	assert_int_not_equal(pinned_program(), space_xdp_of("v0"));
	assert_int_equal(ops->keep_pins(d, &n, &why), -EEXIST);
	assert_non_null(strstr(why.text, "/current: "));
	assert_int_equal(rmdir(PIN_DIR "/current-new"), 0);
	assert_int_equal(ops->keep_pins(d, &n, &why), 0);
	assert_int_equal(n, 1);
	assert_int_equal(pinned_program(), space_xdp_of("v0"));
	ops->close(d);
	assert_int_equal(count_entries("/proc/self/fd", ""), n_fds);
	assert_int_equal(count_mapped(), n_mapped);
	d = open_tables(true);
	ops->sizes(d, &z);
	assert_memory_equal(&z, &large, sizeof(z));
	assert_int_equal(count_entries(PIN_DIR, "tables-"), 1);
	ops->close(d);
}

/*
 * The pin has the name, and the link another interface: that one is left, and this one gets a
 * link of its own.
 */
static void a_name_that_another_interface_has_now_is_attached_anew(void **state)
{
	(void)state;
	const unsigned n_fds = count_entries("/proc/self/fd", "");
	struct driver *d = open_tables(false);
	struct driver_port ports[DRIVER_PORTS_MAX];
	struct fwd_tables next;
	struct driver_reason why;

	make_pair("b0");
	attach_port(d, "b0");
	space_run("ip link set b0 down && ip link set b0-peer down && ip link set b0 name c0 && "
	          "ip link set b0-peer name b0 && ip link set b0 up && ip link set c0 up");
	attach_port(d, "b0");
	assert_int_equal(ops->ports(d, ports), 1);
	assert_int_equal(ports[0].ifindex, if_nametoindex("b0"));
	assert_false(ports[0].lost);
	assert_int_not_equal(space_xdp_of("b0"), 0);
	for (int i = 0; i < 1000 && space_xdp_of("c0"); i++) /* the kernel frees a link later */
		usleep(10000);
	assert_int_equal(space_xdp_of("c0"), 0);
	/* a process that ends amid a change of sizes holds nothing of either */
	assert_int_equal(ops->resize_begin(d, &large, &next, &why), 0);
	ops->close(d);
	assert_int_equal(count_entries("/proc/self/fd", ""), n_fds);
	assert_int_equal(count_entries(PIN_DIR, "tables-"), 1);
	d = open_tables(true); /* its program is another one, and pinned when a port carries it */
	attach_port(d, "b0");
	assert_int_equal(pinned_program(), space_xdp_of("b0"));
	ops->close(d);
	assert_int_equal(ops->remove(PIN_DIR, &why), 0);
	space_run("ip link del b0");
}

static void expect_refused(const char *what, const char *says)
{
	struct driver_reason why = { "" };
	struct fwd_tables t;
	int err = ops->map(PIN_DIR, &t, &why);

	if (err != -EPROTO || !strstr(why.text, says))
		fail_msg("%s: %d %s", what, err, why.text);
}

static void sizes_that_root_does_not_name_are_not_believed(struct fwd_root *root)
{
	uint32_t *const fields[] = { &root->n_services,          &root->n_service_counts,
		                     &root->n_backends,          &root->n_slots,
		                     &root->n_exception_buckets, &root->n_cpus };

	for (size_t i = 0; i < COUNT(fields); i++) {
		const uint32_t is = *fields[i], wrong[] = { is * 2, is / 2 };

		for (size_t k = 0; k < COUNT(wrong) && is > 1; k++) {
			char what[64];

			snprintf(what, sizeof(what), "field %zu: %u, not %u", i, wrong[k], is);
			*fields[i] = wrong[k];
			expect_refused(what, "do not have the sizes that their root names");
		}
		*fields[i] = is;
	}
	root->layout++;
	expect_refused("layout", "pinned tables have layout");
	root->layout--;
}

/* Another map in the place of a table's. */
static void maps_of_another_kind_are_not_believed(const struct fwd_tables *t)
{
	const struct {
		const char *what;
		enum bpf_map_type type;
		uint32_t value_bytes, flags;
	} rows[] = {
		{ "elements of another size", BPF_MAP_TYPE_ARRAY, sizeof(*t->pools) + 8,
		  BPF_F_MMAPABLE },
		{ "no array", BPF_MAP_TYPE_HASH, sizeof(*t->pools), 0 },
		{ "not to be mapped", BPF_MAP_TYPE_ARRAY, sizeof(*t->pools), 0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = rows[i].flags);
		int fd = bpf_map_create(rows[i].type, "other", 4, rows[i].value_bytes, t->n_pools,
		                        &opts);

		assert_true(fd >= 0);
		assert_int_equal(rename(PIN_DIR "/current/pools", PIN_DIR "/current/kept"), 0);
		assert_int_equal(bpf_obj_pin(fd, PIN_DIR "/current/pools"), 0);
		close(fd);
		expect_refused(rows[i].what, "pinned table pools has another layout");
		assert_int_equal(unlink(PIN_DIR "/current/pools"), 0);
		assert_int_equal(rename(PIN_DIR "/current/kept", PIN_DIR "/current/pools"), 0);
	}
}

static void names_that_are_no_set_are_not_followed(void)
{
	static const char *const names[] = { "tables-0", "tables-1x", "tables-", "1", "tables-99" };
	char kept[64];
	ssize_t n = readlink(PIN_DIR "/current", kept, sizeof(kept) - 1);

	assert_true(n > 0);
	kept[n] = 0;
	for (size_t i = 0; i <= COUNT(names); i++) {
		struct driver_reason why = { "" };
		struct fwd_tables t;

		assert_int_equal(unlink(PIN_DIR "/current"), 0);
		assert_int_equal(symlink(i < COUNT(names) ? names[i] : kept, PIN_DIR "/current"),
		                 0);
		if (i == COUNT(names))
			break;
		assert_int_equal(ops->map(PIN_DIR, &t, &why), -ENOENT);
		assert_non_null(
		        strstr(why.text, i < 4 ? "no tables are pinned at" : "tables-99/root"));
	}
}

static void what_is_pinned_is_believed_only_as_far_as_it_fits(void **state)
{
	(void)state;
	struct driver *d = open_tables(false);
	struct fwd_tables t = tables_of(d), mapped;
	struct driver_reason why;

	attach_port(d, "v0");
	const unsigned n_fds = count_entries("/proc/self/fd", "");
	const size_t n_mapped = count_mapped();
	sizes_that_root_does_not_name_are_not_believed(t.root);
	maps_of_another_kind_are_not_believed(&t);
	names_that_are_no_set_are_not_followed();
	assert_int_equal(count_entries("/proc/self/fd", ""), n_fds);
	assert_int_equal(count_mapped(), n_mapped);
	assert_int_equal(ops->map(PIN_DIR, &mapped, &why), 0);
	assert_int_equal(mapped.n_services, t.n_services);
	assert_int_equal(mapped.n_backend_counts, t.n_backend_counts);
	assert_int_equal(count_entries("/proc/self/fd", ""), n_fds); /* the memory alone */
	ops->unmap(&mapped);
	ops->close(d);
}

SUITE(xdp_resize)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(tables_that_cannot_grow_are_the_old_ones_everywhere,
		                          remove_pins),
		cmocka_unit_test_teardown(larger_tables_are_in_force_before_they_are_named,
		                          remove_pins),
		cmocka_unit_test_teardown(a_name_that_another_interface_has_now_is_attached_anew,
		                          remove_pins),
		cmocka_unit_test_teardown(what_is_pinned_is_believed_only_as_far_as_it_fits,
		                          remove_pins),
	};

	if (space_enter(true)) {
		printf("needs root: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests_name("xdp resize", tests, NULL, NULL);
}
