/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/suite.h"
#include "weir/bpf_reason.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define VERIFIER                                                                                   \
	"0: (85) call x#7\ninvalid mem access 'scalar'\nprocessed 9 insns (limit 1000000)\n"
#define VERIFIER_STATS                                                                             \
	"R0 unbounded memory access, make sure to bounds check any such access\n"                  \
	"verification time 1092500 usec\nstack depth 0+24+0+4+176\nprocessed 37392 insns\n"

static const struct {
	const char *why;
	int err;
	const char *log, *release, *has, *has_not;
} cases[] = {
	{ "an old kernel is named, whatever it says", -EINVAL, "", "5.4.0-91-generic",
	  "Linux 5.4.0-91-generic is too old (Invalid argument): this release needs 5.10",
	  "verifier" },
	{ "the major number counts first", -EPERM, "", "4.19.0", "needs 5.10", "CAP_BPF" },
	{ "the oldest kernel is old enough", -EINVAL, "", "5.10.0-46-amd64",
	  "Linux 5.10.0-46-amd64 does not load the program: Invalid argument", "too old" },
	{ "so is a later major number", -EINVAL, "", "6.1.0", "does not load", "too old" },
	{ "what is no release is not called old", -EINVAL, "", "weird", "does not load",
	  "too old" },
	{ "rights and limits", -EPERM, "", "5.10.0", "LimitMEMLOCK=infinity", "too old" },
	{ "the verifier's last words", -EACCES, VERIFIER, "6.12.1", "(invalid mem access 'scalar')",
	  "processed" },
	{ "what is wrong, not how much was done", -EACCES, VERIFIER_STATS, "5.10.0",
	  "(R0 unbounded memory access, make sure to bounds check any such access)",
	  "stack depth" },
	{ "memory", -E2BIG, "", "6.1.0", "limits.slots", "verifier" },
	{ "memory that there is none of", -ENOMEM, "", "6.1.0", "limits.slots", "verifier" },
	{ "a program whose types libbpf left out", -ENOSPC,
	  "BPF program is too large. Processed 1000001 insn\nprocessed 1000001 insns\n", "6.1.0",
	  "ran out of memory while it probed the kernel; restart weir-dataplane", "limits.slots" },
	{ "the same by another number", -E2BIG,
	  "BPF program is too large. Processed 1000001 insn\n", "6.1.0", "restart weir-dataplane",
	  "limits.slots" },
	{ "another refusal keeps its words", -EINVAL, VERIFIER, "6.1.0", "invalid mem access",
	  "processed" },
};

static void each_failure_says_what_to_do(void **state)
{
	char out[BPF_REASON_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		print_message("  %s\n", cases[i].why);
		bpf_reason_on(cases[i].err, cases[i].log, cases[i].release, out);
		assert_non_null(strstr(out, cases[i].has));
		assert_null(strstr(out, cases[i].has_not));
		assert_null(strchr(out, '\n'));
	}
}

/* The whole texts, at the limits of what each one is said of. */
static void each_text_is_whole(void **state)
{
	static const struct {
		int err;
		const char *log, *release, *text;
	} rows[] = {
		{ -EINVAL, "", "5.9.16",
		  "Linux 5.9.16 is too old (Invalid argument): this release needs 5.10 or later, "
		  "for XDP links (5.9) and redirection by a route (5.10)" },
		{ -EACCES, "odd\n", "4.99.0",
		  "Linux 4.99.0 is too old (odd): this release needs 5.10 or later, for XDP links "
		  "(5.9) and redirection by a route (5.10)" },
		{ -EPERM, "", "6.0.0",
		  "no right to load BPF programs: run as root or with CAP_BPF, CAP_NET_ADMIN and "
		  "CAP_PERFMON (before Linux 5.11 also with LimitMEMLOCK=infinity in the unit, or "
		  "ulimit -l unlimited)" },
		{ -EACCES, "processed 9 insns\n\n", "6.0.0",
		  "the verifier of Linux 6.0.0 refuses the program (processed 9 insns): this "
		  "release is tested with 5.10, 6.1, 6.12 and 6.18; please report it with "
		  "`uname -r`" },
		{ -EPERM, "a\n\nb\nstack depth 8\n", "6.0.0",
		  "the verifier of Linux 6.0.0 refuses the program (b): this release is tested "
		  "with 5.10, 6.1, 6.12 and 6.18; please report it with `uname -r`" },
		{ -EPERM, "the program is too large", "6.0.0",
		  "the verifier of Linux 6.0.0 finds the program too large: libbpf ran out of "
		  "memory while it probed the kernel; restart weir-dataplane" },
		{ -E2BIG, "b\n", "6.0.0",
		  "the tables do not fit into memory: lower limits.slots, limits.backends or "
		  "limits.exceptions" },
		{ -ESRCH, "", "6.0.0",
		  "libbpf cannot read the kernel's types: out of memory, or Linux 6.0.0 was built "
		  "without CONFIG_DEBUG_INFO_BTF (look for /sys/kernel/btf/vmlinux)" },
		{ -EIO, "", "6.0.0", "Linux 6.0.0 does not load the program: Input/output error" },
		{ -EIO, "b", "6.0.0", "Linux 6.0.0 does not load the program: b" },
	};
	char out[BPF_REASON_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_ptr_equal(bpf_reason_on(rows[i].err, rows[i].log, rows[i].release, out),
		                 out);
		assert_string_equal(out, rows[i].text);
	}
}

static void the_running_kernel_is_new_enough(void **state)
{
	char out[BPF_REASON_MAX];

	(void)state;
	assert_null(strstr(bpf_reason(-EINVAL, "", out), "too old"));
}

SUITE(bpf_reason)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_says_what_to_do),
		cmocka_unit_test(each_text_is_whole),
		cmocka_unit_test(the_running_kernel_is_new_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
