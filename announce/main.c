/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-announce: announces the node's VIPs through the host's routing daemon, only while
 * weir-dataplane proves that it forwards them.
 *
 * Rights are dropped before any file is read; CAP_NET_ADMIN stays, for routes. The end of this
 * process changes nothing: routes stay in the kernel, and the next process goes on from them.
 */
#include <linux/capability.h>
#include <string.h>

#include "announce/serve.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/sandbox.h"
#include "weir/json.h"

int main(int argc, char **argv)
{
	static const char *const daemons[] = { "bird", "frrvty" };
	static struct proc_dirs dirs;
	int status = proc_dirs_only(
	        &dirs, argc, argv, "announce",
	        "Announces the node's virtual IPs through the host's routing daemon.");

	if (status >= 0)
		return status;
	json_prepare();
	proc_ignore_signals();
	int err = proc_become_with("announce", 1ull << CAP_NET_ADMIN, daemons,
	                           sizeof(daemons) / sizeof(daemons[0]));
	if (err) {
		log_error("rights-not-dropped", "error=%s", strerror(-err));
		return 1;
	}
	(void)sandbox_enter("announce"); /* a failure is a condition */
	return serve_until_stopped(&dirs) ? 1 : 0;
}
