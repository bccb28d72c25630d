/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dataplane as root: what it gives to its user before it gives up its rights, and what it
 * leaves alone.
 */
#include <errno.h>
#include <grp.h>
#include <linux/magic.h>
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/sandbox.h"
#include "dataplane/drivers.h"
#include "dataplane/export/metrics.h"
#include "dataplane/process.h"
#include "dataplane/withdraw.h"
#include "tests/unit/dataplane/noted.h"
#include "weir/model.h"
#include "weir/nic.h"
#include "weir/probe.h"

static struct {
	char log[1024];
	uid_t me, parent_owner;
	bool no_user, no_group, no_document, document_there;
	mode_t parent_mode;
	long parent_kind; /* of file system */
	int mkdir_errno, chown_errno, become_says, process_says;
} scene;

static struct passwd its_user = { .pw_uid = 71 };
static struct group its_group = { .gr_gid = 72 };
static const struct model_port ports[] = {
	{ .interface = "eth1", .device = "0000:01:00.0" },
	{ .interface = "eth2", .device = "" },
	{ .interface = "eth3", .device = "net_bonding0,slave=0000:02:00.0,slave=0000:03:00.0" },
};
static const struct model_node self = { .name = "ams-1", .ports = ports, .n_ports = 3 };
static struct model document = { .cluster = "shop", .nodes = &self, .n_nodes = 1, .self = &self };

static int note_failed(int error)
{
	errno = error;
	return error ? -1 : 0;
}

static void fake_log(int priority, const char *event, const char *pairs, ...)
{
	(void)priority;
	(void)pairs;
	note("log %s; ", event);
}

static int fake_read(struct model **out)
{
	*out = scene.no_document ? NULL : &document;
	return 0;
}

/* 0000:01:00.0 has group 1, and so on; 0000:03:00.0 none. */
static int fake_nic(const char *address, struct nic *out)
{
	*out = (struct nic){ .iommu_group = address[6] == '3' ? -1 : address[6] - '0' };
	return 0;
}

static int fake_chown(const char *path, uid_t owner, gid_t of)
{
	note("chown %s %d:%d; ", path, (int)owner, (int)of);
	return note_failed(scene.chown_errno);
}

static int fake_statfs(const char *path, struct statfs *fs)
{
	assert_string_equal(path, "/b");
	fs->f_type = scene.parent_kind;
	return 0;
}

static int fake_stat(const char *path, struct stat *st)
{
	assert_string_equal(path, "/b");
	*st = (struct stat){ .st_uid = scene.parent_owner, .st_mode = scene.parent_mode };
	return 0;
}

static int fake_become(const char *name, uint64_t capabilities)
{
	note("become %s %llx; ", name, (unsigned long long)capabilities);
	return scene.become_says;
}

const struct driver_ops fake_xdp = { .name = "none" };
static const struct driver_ops *const no_dpdk = NULL;

static int fake_run(const struct process *p)
{
	assert_ptr_equal(p->ops, &fake_xdp);
	note("run %s; ", p->dirs.node);
	return scene.process_says;
}

#define main                               weir_main
#define driver_xdp                         fake_xdp
#define drivers_dpdk                       no_dpdk
#define log_at                             fake_log
#define model_read_without_key(p, n, o, m) fake_read(o)
#define model_free(m)                      ((void)(m))
#define probe_detach(p, interface)         0
#define getpwnam(name)                     (scene.no_user ? NULL : &its_user)
#define getgrnam(name)                     (scene.no_group ? NULL : &its_group)
#define geteuid()                          (scene.me)
#define mkdir(path, mode)                  (note("mkdir %s %o; ", path, mode), note_failed(scene.mkdir_errno))
#define access(path, mode)                 (scene.document_there ? 0 : -1)
#define chown                              fake_chown
#define chmod(path, mode)                  (note("chmod %s %o; ", path, mode), 0)
#define statfs(path, out)                  fake_statfs(path, out)
#define stat(path, out)                    fake_stat(path, out)
#define nic_get(sysfs, address, out)       fake_nic(address, out)
#define setrlimit(what, limit)             ((void)(limit), note("unlimited; "), 0)
#define withdraw_routes(self)              ((void)(self), false)
#define proc_ignore_signals()              note("signals; ")
#define proc_become                        fake_become
#define sandbox_enter(name)                (note("sandbox %s; ", name), 0)
#define process_run                        fake_run
int weir_main(int argc, char **argv);
#include "dataplane/main.c"
#undef main
#undef stat
#undef statfs

/* CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON, CAP_BPF */
#define BEGUN "unlimited; become dataplane c000003000; "

static int setup(void **state)
{
	(void)state;
	memset(&scene, 0, sizeof(scene));
	scene.parent_kind = BPF_FS_MAGIC;
	scene.parent_mode = S_IFDIR | 0700;
	return 0;
}

static void expect_done(int code, const char *done)
{
	struct proc_dirs dirs = { .run = "/r", .state = "/s", .bpf = "/b/weir", .node = "ams-1" };

	scene.log[0] = '\0';
	assert_int_equal(run_dataplane(&dirs, 0), code);
	assert_string_equal(scene.log, done);
}

#define DIRECTORY "mkdir /b/weir 700; chown /b/weir 71:-1; "
#define WAY       "chown /b 0:72; chmod /b 710; "
#define DEVICES   "chown /dev/vfio/1 71:-1; chown /dev/vfio/2 71:-1; "
#define RUNS      BEGUN "sandbox dataplane; run ams-1; "

static void root_gives_its_user_what_it_needs_and_goes(void **state)
{
	(void)state;
	expect_done(0, "signals; " DIRECTORY WAY DEVICES RUNS);
	scene.mkdir_errno = EEXIST; /* of the last start */
	expect_done(0, "signals; " DIRECTORY WAY DEVICES RUNS);
	scene.mkdir_errno = EROFS;
	expect_done(0, "signals; mkdir /b/weir 700; " DEVICES RUNS);
	scene.mkdir_errno = 0;
	scene.no_document = true; /* the first start of all */
	expect_done(0, "signals; " DIRECTORY WAY RUNS);
	scene.document_there = true; /* it cannot be read: ports may be missing */
	expect_done(0, "signals; " DIRECTORY WAY "log vfio-not-given; " RUNS);
}

static void without_its_user_or_root_nothing_is_given(void **state)
{
	(void)state;
	scene.no_user = true;
	expect_done(0, "signals; mkdir /b/weir 700; " RUNS);
	scene.no_document = scene.document_there = true;
	expect_done(0, "signals; mkdir /b/weir 700; " RUNS);
	setup(state);
	scene.me = 71;
	expect_done(0, "signals; " RUNS);
	scene.no_document = scene.document_there = true;
	expect_done(0, "signals; " RUNS);
}

/*
 * Only a BPF file system as systemd mounts it is opened a little: what somebody has set up stays.
 */
static void the_way_to_the_pins_is_opened_only_where_it_is_shut(void **state)
{
	static const struct {
		const char *why;
		long kind;
		uid_t owner;
		mode_t mode;
		bool no_group, opens;
	} rows[] = {
		{ "systemd's", BPF_FS_MAGIC, 0, 0700, false, true },
		{ "another file system", 0x01021994, 0, 0700, false, false },
		{ "another's", BPF_FS_MAGIC, 5, 0700, false, false },
		{ "open to a group", BPF_FS_MAGIC, 0, 0710, false, false },
		{ "open to all", BPF_FS_MAGIC, 0, 0701, false, false },
		{ "no group weir", BPF_FS_MAGIC, 0, 0700, true, false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		setup(state);
		scene.no_document = true;
		scene.parent_kind = rows[i].kind;
		scene.parent_owner = rows[i].owner;
		scene.parent_mode = S_IFDIR | rows[i].mode;
		scene.no_group = rows[i].no_group;
		expect_done(0, rows[i].opens ? "signals; " DIRECTORY WAY RUNS
		                             : "signals; " DIRECTORY RUNS);
	}
}

static void what_cannot_be_given_is_said_once_each(void **state)
{
	(void)state;
	scene.chown_errno = EPERM;
	expect_done(0, "signals; " DIRECTORY
	               "log bpf-dir; chown /dev/vfio/1 71:-1; log vfio-not-given; "
	               "chown /dev/vfio/2 71:-1; log vfio-not-given; " RUNS);
	scene.chown_errno = ENOENT; /* a kernel driver has the NIC: there is no such file yet */
	expect_done(0, "signals; " DIRECTORY "log bpf-dir; " DEVICES RUNS);
}

static void with_rights_that_it_should_not_have_it_does_not_run(void **state)
{
	(void)state;
	scene.become_says = -EPERM;
	expect_done(1, "signals; " DIRECTORY WAY DEVICES BEGUN);
	scene.become_says = 0;
	scene.process_says = -EIO;
	expect_done(1, "signals; " DIRECTORY WAY DEVICES RUNS);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(root_gives_its_user_what_it_needs_and_goes),
		T(without_its_user_or_root_nothing_is_given),
		T(the_way_to_the_pins_is_opened_only_where_it_is_shut),
		T(what_cannot_be_given_is_said_once_each),
		T(with_rights_that_it_should_not_have_it_does_not_run),
	};

	return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
