/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's errno alone does not say what to do, so it is read together with the kernel's
 * release and the verifier's last line. The release comes first, because a kernel that is too old
 * may fail in any of the later ways.
 *
 * The oldest kernel is 5.10: XDP links that are replaced in one step came with 5.9, and
 * bpf_redirect_neigh(), by which the probes' program finds the next hop, with 5.10.
 */
#include "weir/bpf_reason.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* The oldest release of Linux that has all that the programs use, see above. */
#define OLDEST_MAJOR 5u
#define OLDEST_MINOR 10u

static bool is_too_old(const char *release)
{
	unsigned int major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return false;
	return major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR);
}

/* Whether a line of the verifier's log says how much it did, not what is wrong. */
static bool is_statistics(const char *line)
{
	static const char *const begins[] = { "processed ", "verification time ", "stack depth " };

	for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
		if (!strncmp(line, begins[i], strlen(begins[i])))
			return true;
	return false;
}

/* Copy into @p out the last line of the verifier's log that says something. */
static void copy_last_line(const char *log, char *out, size_t size)
{
	const char *line = log, *last = log;

	for (; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (*line != '\n' && !is_statistics(line))
			last = line;
	snprintf(out, size, "%.*s", (int)strcspn(last, "\n"), last);
}

/* Explain a refusal by the verifier, whose last line is @p last_line. @return false: it refused nothing */
static bool explain_verifier(int err, const char *last_line, const char *release,
                             char out[BPF_REASON_MAX])
{
	/* without types a global function is verified again at each call, on every path */
	if (strstr(last_line, "program is too large"))
		snprintf(
		        out, BPF_REASON_MAX,
		        "the verifier of Linux %.60s finds the program too large: libbpf ran out of memory "
		        "while it probed the kernel; restart weir-dataplane",
		        release);
	else if (*last_line && (err == -EPERM || err == -EACCES))
		snprintf(
		        out, BPF_REASON_MAX,
		        "the verifier of Linux %.60s refuses the program (%s): this release is tested "
		        "with 5.10, 6.1, 6.12 and 6.18; please report it with `uname -r`",
		        release, last_line);
	else
		return false;
	return true;
}

static void explain_errno(int err, const char *last_line, const char *release,
                          char out[BPF_REASON_MAX])
{
	if (err == -EPERM || err == -EACCES)
		snprintf(
		        out, BPF_REASON_MAX,
		        "no right to load BPF programs: run as root or with CAP_BPF, CAP_NET_ADMIN and "
		        "CAP_PERFMON (before Linux 5.11 also with LimitMEMLOCK=infinity in the unit, or "
		        "ulimit -l unlimited)");
	else if (err == -E2BIG || err == -ENOMEM)
		snprintf(
		        out, BPF_REASON_MAX,
		        "the tables do not fit into memory: lower limits.slots, limits.backends or "
		        "limits.exceptions");
	else if (err == -ESRCH)
		snprintf(
		        out, BPF_REASON_MAX,
		        "libbpf cannot read the kernel's types: out of memory, or Linux %.60s was built "
		        "without CONFIG_DEBUG_INFO_BTF (look for /sys/kernel/btf/vmlinux)",
		        release);
	else
		snprintf(out, BPF_REASON_MAX, "Linux %.60s does not load the program: %s", release,
		         *last_line ? last_line : strerror(-err));
}

const char *bpf_reason_on(int err, const char *log, const char *release, char out[BPF_REASON_MAX])
{
	char last_line[300];

	copy_last_line(log, last_line, sizeof(last_line));
	if (is_too_old(release))
		snprintf(
		        out, BPF_REASON_MAX,
		        "Linux %.60s is too old (%s): this release needs 5.10 or later, for XDP links "
		        "(5.9) and redirection by a route (5.10)",
		        release, *last_line ? last_line : strerror(-err));
	else if (!explain_verifier(err, last_line, release, out))
		explain_errno(err, last_line, release, out);
	return out;
}

const char *bpf_reason(int err, const char *log, char out[BPF_REASON_MAX])
{
	struct utsname name = { 0 };

	(void)uname(&name);
	return bpf_reason_on(err, log, name.release, out);
}
