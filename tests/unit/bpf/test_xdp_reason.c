/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said of a failure with XDP: the whole texts, and the error, which is passed on. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/xdp_internal.h"
#include "tests/unit/suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void each_failure_to_attach_says_what_to_do(void **state)
{
	static const struct {
		int err;
		const char *text;
	} rows[] = {
		{ -ENODEV, "there is no interface eth1: check nodes[].ports" },
		{ -ERANGE,
		  "the MTU of eth1 (or of its peer) is too large for native XDP: set it to "
		  "3,498 or less, usually 1500" },
		{ -EPERM, "no right to attach to eth1: CAP_NET_ADMIN is needed" },
		{ -EACCES, "no right to attach to eth1: CAP_NET_ADMIN is needed" },
		{ -EINVAL,
		  "the driver of eth1 refuses the program: the usual reasons are large "
		  "receive offload (`ethtool -K eth1 lro off`), an MTU over 3,498, or more "
		  "CPUs than transmit queues" },
		{ -EOPNOTSUPP, "the driver of eth1 does not support native XDP" },
		{ -EBUSY, "the program cannot be attached to eth1: Device or resource busy" },
	};
	struct driver_reason reason;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(xdp_explain_attach(&reason, rows[i].err, "eth1"), rows[i].err);
		assert_string_equal(reason.text, rows[i].text);
	}
}

static void a_failure_to_load_has_the_verifiers_words(void **state)
{
	struct driver_reason reason;

	(void)state;
	assert_int_equal(xdp_explain_load(&reason, -E2BIG, ""), -E2BIG);
	assert_string_equal(reason.text, "the tables do not fit into memory: lower limits.slots, "
	                                 "limits.backends or limits.exceptions");
	assert_int_equal(xdp_explain_load(&reason, -EACCES, "what is wrong\n"), -EACCES);
	assert_non_null(strstr(reason.text, "refuses the program (what is wrong): "));
}

/* Each parent that is there decides; nothing is made elsewhere. */
static void a_directory_is_made_on_a_bpf_file_system_alone(void **state)
{
	static const struct {
		const char *dir;
		int err;
		const char *text;
	} rows[] = {
		{ "/tmp/weir-no-bpf-here/a", -ENODEV,
		  "/tmp/weir-no-bpf-here/a is not on a BPF file system: `mount -t bpf bpf /sys/fs/bpf`, or "
		  "name one with --bpf-dir (`ip netns exec` hides /sys/fs/bpf)" },
		{ "/tmp", -ENODEV,
		  "/tmp is not on a BPF file system: `mount -t bpf bpf /sys/fs/bpf`, or name one "
		  "with --bpf-dir (`ip netns exec` hides /sys/fs/bpf)" },
		{ "/weir-none", -ENOENT, "/weir-none cannot be read: No such file or directory" },
		{ "/weir-none/a/b", -ENOENT,
		  "/weir-none cannot be read: No such file or directory" },
		{ "weir-none", -ENOENT, "weir-none cannot be read: No such file or directory" },
		{ "/proc/version/a", -ENOTDIR, "/proc/version/a cannot be read: Not a directory" },
	};
	struct driver_reason reason;

	(void)state;
	(void)rmdir("/tmp/weir-no-bpf-here"); /* of a run that failed */
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(xdp_make_dir(rows[i].dir, &reason), rows[i].err);
		assert_string_equal(reason.text, rows[i].text);
	}
	assert_int_equal(access("/tmp/weir-no-bpf-here", F_OK), -1);
}

SUITE(xdp_reason)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_to_attach_says_what_to_do),
		cmocka_unit_test(a_failure_to_load_has_the_verifiers_words),
		cmocka_unit_test(a_directory_is_made_on_a_bpf_file_system_alone),
	};

	return cmocka_run_group_tests_name("xdp reason", tests, NULL, NULL);
}
