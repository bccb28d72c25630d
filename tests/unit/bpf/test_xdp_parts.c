/* SPDX-License-Identifier: BSD-2-Clause */
/* What the XDP driver makes of the kernel's answers (xdp_reason.c, xdp_foreign.c, xdp_prove.c). The answers are the test's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/stat.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "bpf/xdp_internal.h"
#include "tests/unit/answers.h"
#include "tests/unit/bpf_answers.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- the kernel --- */

/* And all above it, on a BPF file system. NULL: directories are made as ever. */
static const char *exists;
static char made[256];

static int own_statfs64(const char *path, struct statfs *fs)
{
	if (strncmp(exists, path, strlen(path)) != 0) {
		errno = ENOENT;
		return -1;
	}
	*fs = (struct statfs){ .f_type = 0xcafe4a11 };
	return 0;
}

static int own_mkdir(const char *path, mode_t mode)
{
	size_t n = strlen(made);

	if (!exists)
		return __real_mkdir(path, mode);
	assert_int_equal(mode, 0700);
	snprintf(made + n, sizeof(made) - n, "%.60s ", path);
	errno = EEXIST;
	return strncmp(exists, path, strlen(path)) ? 0 : -1;
}

static char link_pin[128];      /* the only pin that is a link, of interface 5 */
static uint32_t linked, loaded; /* the ids of the link's program and of the descriptor's */
static uint32_t attached;       /* and of the one that the interface has */

enum { LINK_FD = 7, PROGRAM_FD = 8 };

static int own_bpf_obj_get(const char *path)
{
	return strcmp(path, link_pin) ? -ENOENT : dup(STDERR_FILENO);
}

static int own_bpf_obj_get_info_by_fd(int fd, void *info, uint32_t *n)
{
	struct bpf_prog_info prog = { .id = loaded };
	struct bpf_link_info link = { .type = BPF_LINK_TYPE_XDP,
		                      .prog_id = linked,
		                      .xdp.ifindex = 5 };

	if (fd == PROGRAM_FD)
		memcpy(info, &prog, *n < sizeof(prog) ? *n : sizeof(prog));
	else
		memcpy(info, &link, *n < sizeof(link) ? *n : sizeof(link));
	return 0;
}

static int own_bpf_xdp_query_id(int ifindex, int flags, uint32_t *id)
{
	assert_int_equal(ifindex, 5);
	assert_int_equal(flags, 0);
	*id = attached;
	return 0;
}

static long barrier_says;
static unsigned slept_us;

static long own_syscall(long number, const long arguments[6])
{
	assert_int_equal(number, SYS_membarrier);
	assert_int_equal(arguments[0], MEMBARRIER_CMD_GLOBAL);
	assert_int_equal(arguments[1], 0);
	return barrier_says;
}

static int own_usleep(useconds_t us)
{
	slept_us += us;
	return 0;
}

/* What the kernel is, and what it says of a frame that a program is to be given. */
static const char *release;
static struct {
	int error; /* 0: the program ran */
	uint32_t retval, n_out;
	uint32_t n_in, n_context, ifindex; /* what it was given */
} ran;

static int own_uname(struct utsname *out)
{
	snprintf(out->release, sizeof(out->release), "%s", release ? release : "");
	return release ? 0 : -1;
}

static int own_bpf_prog_test_run_opts(int fd, struct bpf_test_run_opts *opts)
{
	const struct xdp_md *context = opts->ctx_in;

	assert_int_equal(fd, PROGRAM_FD);
	ran.n_in = opts->data_size_in;
	ran.n_context = context->data_end;
	ran.ifindex = context->ingress_ifindex;
	if (ran.error) {
		errno = ran.error;
		return -ran.error;
	}
	opts->retval = ran.retval;
	opts->data_size_out = ran.n_out;
	if (ran.n_out <= DRIVER_PROBE_LEN)
		memset(opts->data_out, 0x77, ran.n_out);
	return 0;
}

/* --- the tests --- */

static void a_directory_of_pins_is_made_with_all_above_it(void **state)
{
	static const struct {
		const char *exists, *made;
	} cases[] = {
		{ "/sys/fs/bpf", "/sys /sys/fs /sys/fs/bpf /sys/fs/bpf/shop /sys/fs/bpf/shop/a " },
		{ "/sys/fs/bpf/shop/a",
		  "/sys /sys/fs /sys/fs/bpf /sys/fs/bpf/shop /sys/fs/bpf/shop/a " },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct driver_reason reason = { "" };

		exists = cases[i].exists;
		made[0] = '\0';
		assert_int_equal(xdp_make_dir("/sys/fs/bpf/shop/a", &reason), 0);
		assert_string_equal(made, cases[i].made);
		assert_string_equal(reason.text, "");
	}
	exists = NULL;
}

static void make_path(const char *dir, const char *below, char out[128])
{
	snprintf(out, 128, "%s%s", dir, below);
	assert_int_equal(mkdir(out, 0700), 0);
}

/* Of another cluster, too: its pins are two directories up from those of this node. */
static void whose_program_is_on_a_busy_port_is_found_by_its_pins(void **state)
{
	char dir[] = "/tmp/weir-pins-XXXXXX", path[128], wanted[256];
	struct driver_reason reason;

	(void)state;
	assert_non_null(mkdtemp(dir));
	make_path(dir, "/shop", path);
	make_path(dir, "/shop/ams-1", path);
	make_path(dir, "/other", path);
	make_path(dir, "/other/fra:1", path);
	snprintf(link_pin, sizeof(link_pin), "%s/other/fra:1/link-eth0:5", dir);
	snprintf(path, sizeof(path), "%s/shop/ams-1", dir);
	assert_int_equal(xdp_explain_busy(&reason, -EBUSY, path, "eth0.5", 5), -EBUSY);
	snprintf(wanted, sizeof(wanted),
	         "weir-dataplane --detach --cluster other --node fra.1 --bpf-dir %s", dir);
	if (!strstr(reason.text, wanted))
		fail_msg("%s", reason.text);
	assert_int_equal(xdp_explain_busy(&reason, -EBUSY, path, "eth0.5", 6), -EBUSY);
	assert_non_null(strstr(reason.text, "another XDP program is attached to eth0.5"));
	link_pin[0] = '\0';
	snprintf(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
}

/* A driver of one port, which is ours, whose tables are empty. */
static struct xdp_driver make_driver(void)
{
	static struct fwd_root root;
	static struct fwd_cpu cpu;
	struct xdp_driver d = { .now = { .prog_fd = PROGRAM_FD,
		                         .tables = { .root = &root, .cpus = &cpu, .n_cpus = 1 } },
		                .n_ports = 1 };

	d.ports[0] = (struct xdp_port){ .link_fd = LINK_FD, .shown.ifindex = 5 };
	loaded = linked = attached = 33;
	return d;
}

static int prove_nothing(struct xdp_driver *d, uint32_t ifindex)
{
	static struct driver_probes none;

	none.ifindex = ifindex;
	return driver_xdp.prove((struct driver *)d, &none);
}

/* One frame through the program. */
static int prove_one(struct driver_probe *probe)
{
	static struct driver_probes batch;
	struct xdp_driver d = make_driver();

	batch = (struct driver_probes){ .ifindex = 5, .n = 1 };
	batch.probes[0] = *probe;
	int err = driver_xdp.prove((struct driver *)&d, &batch);

	*probe = batch.probes[0];
	return err;
}

/* The link is ours, and the interface runs what the descriptor has: then frames prove something. */
static void a_port_is_ours_by_its_link_and_by_what_it_runs(void **state)
{
	static const struct {
		const char *why;
		uint32_t linked, attached;
		int err;
	} cases[] = {
		{ "ours", 33, 33, 0 },
		{ "the link has another program", 34, 33, -ENOLINK },
		{ "the interface runs another program", 33, 34, -ENOLINK },
		{ "the interface runs none", 33, 0, -ENOLINK },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct xdp_driver d = make_driver();

		linked = cases[i].linked;
		attached = cases[i].attached;
		if (prove_nothing(&d, 5) != cases[i].err)
			fail_msg("%s", cases[i].why);
		assert_int_equal(d.ports[0].shown.program, cases[i].attached);
		assert_int_equal(prove_nothing(&d, 6), -ENOLINK);
	}
}

static void what_a_kernel_refuses_of_a_probe_is_told_apart(void **state)
{
	static const struct {
		const char *release;
		int error, err;
	} rows[] = {
		{ "5.13.19", EINVAL, -EOPNOTSUPP },
		{ "5.14.0", EINVAL, -EINVAL },
		{ "4.19.0-26-amd64", EINVAL, -EOPNOTSUPP },
		{ "6.1.0", EINVAL, -EINVAL },
		{ "unknown", EINVAL, -EINVAL },
		{ NULL, EINVAL, -EINVAL },
		{ "5.13.19", EPERM, -EPERM },
		{ "5.13.19", ENOMEM, -ENOMEM },
		{ "5.14.0", EPERM, -EPERM },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct driver_probe probe = { .length = 60 };
		int err;

		release = rows[i].release;
		ran.error = rows[i].error;
		err = prove_one(&probe);
		if (err != rows[i].err || probe.length != 60)
			fail_msg("%s, %d: %d", release ? release : "no release", ran.error, err);
	}
}

static void a_frame_that_leaves_is_what_the_program_made_of_it(void **state)
{
	static const struct {
		uint32_t retval, n_out;
		int err;
		enum driver_probe_result result;
		uint16_t length;
	} rows[] = {
		{ XDP_TX, 80, 0, DRIVER_PROBE_SENT, 80 },
		{ XDP_REDIRECT, 42, 0, DRIVER_PROBE_SENT, 42 },
		{ XDP_DROP, 80, 0, DRIVER_PROBE_KEPT, 60 },
		{ XDP_PASS, 60, 0, DRIVER_PROBE_KEPT, 60 },
		{ XDP_ABORTED, 60, 0, DRIVER_PROBE_KEPT, 60 },
		{ XDP_TX, DRIVER_PROBE_LEN, 0, DRIVER_PROBE_SENT, DRIVER_PROBE_LEN },
		{ XDP_TX, DRIVER_PROBE_LEN + 1, -ENOSPC, DRIVER_PROBE_KEPT, 60 },
	};

	(void)state;
	memset(&ran, 0, sizeof(ran));
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct driver_probe probe = { .length = 60 };

		ran.retval = rows[i].retval;
		ran.n_out = rows[i].n_out;
		assert_int_equal(prove_one(&probe), rows[i].err);
		assert_int_equal(probe.result, rows[i].result);
		assert_int_equal(probe.length, rows[i].length);
		assert_int_equal(probe.frame[0], probe.result == DRIVER_PROBE_SENT ? 0x77 : 0);
		assert_int_equal(ran.n_in, 60);
		assert_int_equal(ran.n_context, 60);
		assert_int_equal(ran.ifindex, 5);
	}
}

/* Until no program runs that reads the former tables; where the kernel cannot tell, long enough. */
static void programs_are_waited_for_by_the_kernel_or_by_the_clock(void **state)
{
	(void)state;
	driver_xdp.grace(NULL);
	assert_int_equal(slept_us, 0);
	barrier_says = -1;
	driver_xdp.grace(NULL);
	assert_int_equal(slept_us, 20000);
}

SUITE(xdp_parts)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_directory_of_pins_is_made_with_all_above_it),
		cmocka_unit_test(whose_program_is_on_a_busy_port_is_found_by_its_pins),
		cmocka_unit_test(a_port_is_ours_by_its_link_and_by_what_it_runs),
		cmocka_unit_test(what_a_kernel_refuses_of_a_probe_is_told_apart),
		cmocka_unit_test(a_frame_that_leaves_is_what_the_program_made_of_it),
		cmocka_unit_test(programs_are_waited_for_by_the_kernel_or_by_the_clock),
	};

	answer_bpf_obj_get = own_bpf_obj_get;
	answer_bpf_obj_get_info_by_fd = own_bpf_obj_get_info_by_fd;
	answer_bpf_prog_test_run_opts = own_bpf_prog_test_run_opts;
	answer_bpf_xdp_query_id = own_bpf_xdp_query_id;
	answer_mkdir = own_mkdir;
	answer_statfs64 = own_statfs64;
	answer_syscall = own_syscall;
	answer_uname = own_uname;
	answer_usleep = own_usleep;
	return cmocka_run_group_tests_name("xdp parts", tests, NULL, NULL);
}
