/* SPDX-License-Identifier: BSD-2-Clause */
/* weir-dataplane's options: --detach, what it removes and with which exit code it ends. */
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

#include "base/lock.h"
#include "base/sandbox.h"
#include "dataplane/drivers.h"
#include "dataplane/export/metrics.h"
#include "dataplane/process.h"
#include "dataplane/withdraw.h"
#include "weir/model.h"
#include "weir/nic.h"
#include "weir/probe.h"
#include "weir/proof.h"

static int xdp_says, dpdk_says; /* what removing ends with */
static char xdp_dir[PATH_MAX], dpdk_dir[PATH_MAX], detached[256];
static unsigned n_runs;
static struct model *document; /* NULL: there is none */

static int remove_xdp(const char *dir, struct driver_reason *why)
{
	snprintf(xdp_dir, sizeof(xdp_dir), "%s", dir);
	snprintf(why->text, sizeof(why->text), "xdp");
	return xdp_says;
}

static int remove_dpdk(const char *dir, struct driver_reason *why)
{
	snprintf(dpdk_dir, sizeof(dpdk_dir), "%s", dir);
	snprintf(why->text, sizeof(why->text), "dpdk");
	return dpdk_says;
}

static const struct driver_ops fake_xdp = { .remove = remove_xdp };
static const struct driver_ops fake_dpdk = { .remove = remove_dpdk };
static const struct driver_ops *built_dpdk; /* NULL: a build without */

static int fake_read(const char *path, const char *node, struct model **out,
                     struct model_errors *errors)
{
	(void)path;
	(void)node;
	(void)errors;
	*out = document;
	return document ? 0 : -ENOENT;
}

static void fake_free(struct model *m)
{
	(void)m;
}

static int fake_detach(struct probes *p, const char *interface)
{
	size_t n = strlen(detached);

	assert_null(p);
	snprintf(detached + n, sizeof(detached) - n, "%s ", interface);
	return -ENOENT; /* nothing was there: no failure */
}

static int fake_run(struct process *p)
{
	(void)p;
	n_runs++;
	return -EIO;
}

static int fake_become(const char *name, uint64_t capabilities)
{
	(void)name;
	(void)capabilities;
	return 0;
}

static int fake_enter(const char *name)
{
	(void)name;
	return 0;
}

static bool had_routes;
static const struct model_node *withdrawn_of;
static unsigned n_withdrawn, waited_us;

/* Before anything is removed. */
static bool fake_withdraw(const struct model_node *self)
{
	assert_string_equal(xdp_dir, "");
	withdrawn_of = self;
	n_withdrawn++;
	return had_routes;
}

int weir_main(int argc, char **argv);
/* usleep is here to be noted: nothing sleeps. */
#define usleep(us)             ((void)(waited_us = (us)))
#define main                   weir_main
#define withdraw_routes        fake_withdraw
#define driver_xdp             fake_xdp
#define drivers_dpdk           built_dpdk
#define model_read_without_key fake_read
#define model_free             fake_free
#define probe_detach           fake_detach
#define process_run            fake_run
#define proc_become            fake_become
#define sandbox_enter          fake_enter
#include "dataplane/main.c"
#undef main

static char place[64];

static int setup(void **state)
{
	(void)state;
	snprintf(place, sizeof(place), "/tmp/weir-detach-XXXXXX");
	assert_non_null(mkdtemp(place));
	xdp_says = dpdk_says = 0;
	had_routes = false;
	withdrawn_of = NULL;
	n_withdrawn = waited_us = 0;
	xdp_dir[0] = dpdk_dir[0] = detached[0] = '\0';
	document = NULL;
	built_dpdk = &fake_dpdk;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(place);
}

/* Run it with up to two more arguments. @return its exit code */
static int run_it(const char *option, const char *more, const char *value)
{
	char bpf[128];
	char *argv[] = { (char *)(uintptr_t) "weir-dataplane",
		         (char *)(uintptr_t) "--bpf-dir",
		         bpf,
		         (char *)(uintptr_t) "--run-dir",
		         place,
		         (char *)(uintptr_t) "--state-dir",
		         place,
		         (char *)(uintptr_t) "--node",
		         (char *)(uintptr_t) "ams-1",
		         (char *)(uintptr_t)option,
		         (char *)(uintptr_t)more,
		         (char *)(uintptr_t)value,
		         NULL };
	int argc = 9;

	snprintf(bpf, sizeof(bpf), "%s/bpf", place);
	xdp_dir[0] = '\0';
	while (argv[argc])
		argc++;
	return weir_main(argc, argv);
}

static void the_exit_code_says_whether_forwarding_stopped(void **state)
{
	static const struct {
		int xdp, dpdk;
		bool built; /* with DPDK */
		int code;
	} cases[] = {
		{ 0, 0, true, 0 },
		{ 0, -ENOENT, true, 0 },       /* XDP alone was there */
		{ -ENOENT, 0, true, 0 },       /* DPDK alone */
		{ -ENOENT, -ENOENT, true, 1 }, /* nothing was: a mistyped name */
		{ -EPERM, 0, true, 1 },        /* the one is not worth the other */
		{ 0, -EPERM, true, 1 },
		{ -ENOENT, -EPERM, true, 1 },
		{ 0, -EPERM, false, 0 },
		{ -ENOENT, 0, false, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		xdp_says = cases[i].xdp;
		dpdk_says = cases[i].dpdk;
		built_dpdk = cases[i].built ? &fake_dpdk : NULL;
		dpdk_dir[0] = '\0';
		if (run_it("--detach", "--cluster", "shop") != cases[i].code)
			fail_msg("case %zu", i);
		bool asked = built_dpdk && (xdp_says == 0 || xdp_says == -ENOENT);

		assert_int_equal(*dpdk_dir != '\0', asked);
	}
}

static void the_cluster_given_goes_before_the_document_s(void **state)
{
	static const struct model_port ports[] = { { .interface = "eth1" },
		                                   { .interface = "eth2" } };
	static const struct model_node self = { .name = "ams-1", .ports = ports, .n_ports = 2 };
	static struct model m = { .cluster = "shop", .nodes = &self, .n_nodes = 1, .self = &self };
	char wanted[PATH_MAX], wanted_dir[160], bpf[128];

	(void)state;
	snprintf(bpf, sizeof(bpf), "%s/bpf", place);
	assert_int_equal(run_it("--detach", NULL, NULL), 1); /* of which cluster? */
	assert_string_equal(xdp_dir, "");
	assert_int_equal(run_it("--detach", "--cluster", "mail"), 0);
	assert_int_equal(effect_pin_dir(bpf, "mail", "ams-1", wanted), 0);
	assert_string_equal(xdp_dir, wanted);
	assert_string_equal(detached, "");
	snprintf(wanted_dir, sizeof(wanted_dir), "%s/mail",
	         bpf); /* the cluster's, which is empty now */
	assert_int_equal(mkdir(bpf, 0700) || mkdir(wanted_dir, 0700), 0);
	xdp_says = -EPERM;
	assert_int_equal(run_it("--detach", "--cluster", "mail"), 1);
	assert_int_equal(access(wanted_dir, F_OK), 0); /* something is there still */
	xdp_says = 0;
	assert_int_equal(run_it("--detach", "--cluster", "mail"), 0);
	assert_int_not_equal(access(wanted_dir, F_OK), 0);
	assert_int_equal(rmdir(bpf), 0);
	document = &m;
	assert_int_equal(run_it("--detach", "--cluster", "mail"), 0);
	assert_string_equal(xdp_dir, wanted);
	assert_string_equal(detached, "eth1 eth2 "); /* the probes' program too */
	assert_int_equal(run_it("--detach", NULL, NULL), 0);
	assert_int_equal(effect_pin_dir(bpf, "shop", "ams-1", wanted), 0);
	assert_string_equal(xdp_dir, wanted);
}

/* Routers need time, if there was anything; and a process that runs keeps its routes, be it stopped. */
static void routes_go_before_the_programs(void **state)
{
	static const struct model_node self = { .name = "ams-1" };
	static struct model m = { .cluster = "shop", .nodes = &self, .n_nodes = 1, .self = &self };
	char lock[128];
	int fd;

	(void)state;
	assert_int_equal(run_it("--detach", NULL, NULL), 1); /* without document and cluster, too */
	assert_int_equal(n_withdrawn, 1);
	assert_null(withdrawn_of);
	assert_int_equal(waited_us, 0);
	document = &m;
	had_routes = true;
	assert_int_equal(run_it("--detach", NULL, NULL), 0);
	assert_int_equal(n_withdrawn, 2);
	assert_ptr_equal(withdrawn_of, &self);
	assert_int_equal(waited_us, WITHDRAW_MS * 1000);
	snprintf(lock, sizeof(lock), "%s/" PROOF_PAGE_FILE ".lock", place);
	assert_int_equal(lock_acquire(lock, &fd), 0); /* as a process that runs does */
	assert_int_equal(run_it("--detach", NULL, NULL), 0);
	assert_int_equal(n_withdrawn, 2);
	close(fd);
	assert_int_equal(run_it("--detach", NULL, NULL), 0); /* it has ended */
	assert_int_equal(n_withdrawn, 3);
	assert_int_equal(unlink(lock), 0);
}

static void what_it_does_not_know_it_refuses(void **state)
{
	(void)state;
	assert_int_equal(run_it("--detatch", NULL, NULL), 1);
	assert_int_equal(run_it("--detach", "--cluster", NULL), 1); /* its name is missing */
	assert_string_equal(xdp_dir, "");
	assert_int_equal(n_runs, 0);
	assert_int_equal(run_it("--help", NULL, NULL), 0);
	assert_int_equal(run_it("--metrics", NULL, NULL), 0);
	assert_int_equal(n_runs, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(the_exit_code_says_whether_forwarding_stopped),
		T(the_cluster_given_goes_before_the_document_s),
		T(routes_go_before_the_programs),
		T(what_it_does_not_know_it_refuses),
	};

	return cmocka_run_group_tests_name("detach", tests, NULL, NULL);
}
