/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The oldest kernel is 5.10: XDP by a link that is replaced in one step came with 5.9, and what the
 * probes' program asks of a route (bpf_redirect_neigh) with 5.10. Memory-mapped maps and jiffies are 5.5's.
 */
#include "weir/bpf_why.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define OLDEST_MAJOR 5u
#define OLDEST_MINOR 10u

static bool too_old(const char *release)
{
	unsigned int major, minor;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return false;
	return major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR);
}

/* The last line of the verifier's that says something, into @p out. */
static void last_words(const char *log, char *out, size_t size)
{
	const char *line = log, *last = log;

	for (; *line; line += strcspn(line, "\n"), line += *line == '\n')
		if (*line != '\n' && strncmp(line, "processed ", 10) != 0)
			last = line;
	snprintf(out, size, "%.*s", (int)strcspn(last, "\n"), last);
}

const char *bpf_why_on(int err, const char *log, const char *release, char out[BPF_WHY_MAX])
{
	bool denied = err == -EPERM || err == -EACCES;
	char words[300];

	last_words(log, words, sizeof(words));
	/* without its functions' types the verifier goes along every path of each call */
	bool untyped = strstr(words, "program is too large") != NULL;

	if (too_old(release))
		snprintf(
		        out, BPF_WHY_MAX,
		        "Linux %.60s is too old (%s): this release needs 5.10 or later, for XDP links "
		        "(5.9) and redirection by a route (5.10)",
		        release, *words ? words : strerror(-err));
	else if (untyped)
		snprintf(
		        out, BPF_WHY_MAX,
		        "the verifier of Linux %.60s finds the program too large: libbpf could not ask the "
		        "kernel what it can do, memory was missing; restart weir-dataplane",
		        release);
	else if (denied && !*words)
		snprintf(
		        out, BPF_WHY_MAX,
		        "no right to load BPF programs: run as root or with CAP_BPF, CAP_NET_ADMIN and "
		        "CAP_PERFMON (before Linux 5.11 also with LimitMEMLOCK=infinity in the unit, or "
		        "ulimit -l unlimited)");
	else if (denied)
		snprintf(
		        out, BPF_WHY_MAX,
		        "the verifier of Linux %.60s refuses the program (%s): this release is tested "
		        "with 5.10, 6.1, 6.12 and 6.18; please report it with `uname -r`",
		        release, words);
	else if (err == -E2BIG || err == -ENOMEM)
		snprintf(
		        out, BPF_WHY_MAX,
		        "the tables do not fit into memory: lower limits.slots, limits.backends or "
		        "limits.exceptions");
	else if (err == -ESRCH)
		snprintf(
		        out, BPF_WHY_MAX,
		        "libbpf cannot read the kernel's types: memory is missing, or Linux %.60s was built "
		        "without CONFIG_DEBUG_INFO_BTF (look for /sys/kernel/btf/vmlinux)",
		        release);
	else
		snprintf(out, BPF_WHY_MAX, "Linux %.60s does not load the program: %s", release,
		         *words ? words : strerror(-err));
	return out;
}

const char *bpf_why(int err, const char *log, char out[BPF_WHY_MAX])
{
	struct utsname name = { 0 };

	(void)uname(&name);
	return bpf_why_on(err, log, name.release, out);
}
