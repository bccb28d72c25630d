/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-mgmt: the keeper of the intent and the API. Threads: this one (a loop: ticks of the intent,
 * the control socket, signals), one that observes, those that ask the peers, and those of the API's
 * servers (mgmt/http/serve.c). They share struct core.
 * Signals are blocked before the first thread starts, so that the loop alone receives them. The
 * main thread never waits for a network: what may take long runs in the other threads.
 */
#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/proc.h"
#include "base/sandbox.h"
#include "mgmt/api/mgmt_process.h"
#include "weir/json.h"

/*
 * Privileges are dropped and the sandbox is entered before anything is opened that a client can
 * reach.
 */
static int run_process(struct mgmt_process *p)
{
	int err = proc_become("mgmt", 0);

	if (!err)
		(void)sandbox_enter("mgmt"); /* a failure is a condition */
	if (!err)
		err = mgmt_process_open(p);
	if (err) {
		log_error("start-failed", "error=\"%s\"",
		          err == -EBUSY ? "another weir-mgmt runs here" : strerror(-err));
		return err;
	}
	return mgmt_process_run(p);
}

int main(int argc, char **argv)
{
	static struct mgmt_process p;
	int status = proc_dirs_only(
	        &p.core.dirs, argc, argv, "mgmt",
	        "Keeps versions and overrides, writes the effective document, serves the API.");

	if (status >= 0)
		return status;
	json_prepare();
	proc_ignore_signals();
	curl_global_init(CURL_GLOBAL_DEFAULT);
	int err = run_process(&p);
	mgmt_process_close(&p);
	return err ? 1 : 0;
}
