/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weir-dataplane: its options and privileges, and --detach, which stops forwarding.
 *
 * It starts as root, or with the capabilities that its unit gives it. As root it first gives the
 * process's user what only root can give: the pins' directory and the device files of PCI ports.
 * Then it becomes that user, keeps four capabilities, enters the sandbox, and runs the loop
 * (process.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/log.h"
#include "base/owner.h"
#include "base/sandbox.h"
#include "dataplane/drivers.h"
#include "dataplane/export/metrics.h"
#include "dataplane/process.h"
#include "dataplane/withdraw.h"
#include "weir/effect.h"
#include "weir/hugepages.h"
#include "weir/json.h"
#include "weir/model.h"
#include "weir/nic.h"
#include "weir/probe.h"
#include "weir/proof.h"

/* Linux 5.8; older headers lack them. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

static void print_usage(FILE *to)
{
	fprintf(to,
	        "usage: weir-dataplane [OPTIONS]             forward by the effective document\n"
	        "       weir-dataplane --detach [--cluster NAME] [OPTIONS]\n"
	        "                                            stop forwarding: remove routes, program and tables\n"
	        "       weir-dataplane --successor FD [OPTIONS]\n"
	        "                                            prepare while another process forwards, write a byte to FD, and\n"
	        "                                            take its place once it has ended (weir restart dataplane)\n"
	        "       weir-dataplane --metrics             print the metrics and what they mean (docs/metrics-dataplane.md)\n\n"
	        "Packets are forwarded also while the process does not run. Give --cluster if no document names it.\n\n%s",
	        proc_dirs_help);
}

/*
 * Read the document for the names of the cluster and the ports. @return NULL: there is none that
 * can be read
 */
static struct model *read_names(const struct proc_dirs *dirs)
{
	struct model_errors errors = { 0 };
	struct model *m = NULL;
	char path[PATH_MAX];

	if (!proc_path(dirs->state, PROC_EFFECTIVE_FILE, path))
		(void)model_read_without_key(path, dirs->node, &m, &errors);
	model_errors_free(&errors);
	return m;
}

/* @param err  the result for XDP. It is no error that one of the drivers has nothing to remove. */
static int detach_dpdk(const struct proc_dirs *dirs, int err, struct driver_reason *reason)
{
	char dir[PATH_MAX];
	struct driver_reason mine = { "" };
	int dpdk = proc_path(dirs->run, EFFECT_DPDK_DIR, dir);

	if (!dpdk)
		dpdk = drivers_dpdk->remove(dir, &mine);
	if (dpdk == -ENOENT)
		return err;
	*reason = mine;
	return dpdk;
}

/* Whether a weir-dataplane of this run directory runs, be it stopped: it holds its pages' locks. */
static bool is_running(const struct proc_dirs *dirs)
{
	char path[PATH_MAX];
	int fd, err;

	if (proc_path(dirs->run, PROOF_PAGE_FILE ".lock", path) || access(path, F_OK))
		return false;
	err = lock_acquire(path, &fd);
	if (!err)
		close(fd);
	return err == -EBUSY;
}

/*
 * Withdraw before forwarding ends, and forward on until the routers have seen it. A process that
 * runs is not detached (its driver refuses), so its routes stay.
 */
static void withdraw_before_detaching(const struct proc_dirs *dirs, const struct model *m)
{
	if (!is_running(dirs) && withdraw_routes(m ? m->self : NULL))
		usleep(WITHDRAW_MS * 1000);
}

/*
 * Remove routes, programs, tables, TAPs and the probes' program; the document is only needed for
 * names and for other tables than the default ones.
 */
static int detach_all_drivers(const struct proc_dirs *dirs, const char *cluster)
{
	struct model *m = read_names(dirs);
	struct driver_reason reason = { "" };
	char pin_dir[PATH_MAX];
	int err;

	withdraw_before_detaching(dirs, m);
	if (!cluster && !m) {
		fprintf(stderr,
		        "weir-dataplane: no document names the cluster: give --cluster NAME\n");
		return 1;
	}
	err = effect_pin_dir(dirs->bpf, cluster ? cluster : m->cluster, dirs->node, pin_dir);
	if (!err)
		err = driver_xdp.remove(pin_dir, &reason);
	if (!err)
		(void)rmdir(dirname(pin_dir)); /* the cluster's: unless it has another node here */
	if ((!err || err == -ENOENT) && drivers_dpdk)
		err = detach_dpdk(dirs, err, &reason);
	bool refused = err && err != -ENOENT; /* a process that runs keeps its probes, too */
	for (size_t i = 0; m && !refused && i < m->self->n_ports; i++)
		(void)probe_detach(NULL, m->self->ports[i].interface);
	if (err)
		fprintf(stderr, "weir-dataplane: %s\n",
		        *reason.text ? reason.text : strerror(-err));
	model_free(m);
	return err ? 1 : 0;
}

/*
 * systemd mounts bpffs for root alone (mode 0700): let group weir pass through it, but not list
 * it.
 */
static int open_way(const char *dir)
{
	const struct group *group = getgrnam("weir");
	char path[PATH_MAX];
	struct statfs fs;
	struct stat st;

	snprintf(path, sizeof(path), "%s", dir);
	const char *parent = dirname(path);
	if (!group || statfs(parent, &fs) || stat(parent, &st))
		return group ? -errno : 0;
	if ((unsigned)fs.f_type != BPF_FS_MAGIC || st.st_uid || st.st_mode & 0077)
		return 0;
	return chown(parent, 0, group->gr_gid) || chmod(parent, 0710) ? -errno : 0;
}

/* Make the pins' directory and give it to the process's user. */
static void prepare_bpf_dir(const char *dir)
{
	const struct passwd *user = getpwnam("weir-dataplane");
	int err;

	if (geteuid() || (mkdir(dir, 0700) && errno != EEXIST) || !user)
		return;
	err = chown(dir, user->pw_uid, (gid_t)-1) ? -errno : open_way(dir);
	if (err)
		log_warn("bpf-dir", "dir=%s error=\"%s\"", dir, strerror(-err));
}

/* Give the device file of a PCI device's IOMMU group to the process's user. */
static void give_vfio(const char *address, uid_t user)
{
	char path[PATH_MAX];
	struct nic nic;

	if (nic_get(NIC_SYSFS, address, &nic) || nic.iommu_group < 0)
		return;
	snprintf(path, sizeof(path), "/dev/vfio/%d", nic.iommu_group);
	if (chown(path, user, (gid_t)-1) && errno != ENOENT)
		log_warn("vfio-not-given", "path=%s error=\"%s\"", path, strerror(errno));
}

/* Do so for all PCI ports, whatever the driver is now: a later document may choose DPDK. */
static void prepare_vfio(const struct proc_dirs *dirs)
{
	const struct passwd *user = getpwnam("weir-dataplane");
	struct model *m = read_names(dirs);
	char address[MODEL_PCI_MAX], path[PATH_MAX];

	if (!m && user && !geteuid() && !proc_path(dirs->state, PROC_EFFECTIVE_FILE, path) &&
	    !access(path, F_OK))
		log_warn(
		        "vfio-not-given",
		        "path=%s error=\"the document cannot be read, so the device files of PCI "
		        "ports still belong to root\" hint=\"weir config check, then restart weir-dataplane if "
		        "it has such ports\"",
		        path);
	for (size_t i = 0; m && user && !geteuid() && i < m->self->n_ports; i++)
		for (uint32_t k = 0; model_device_pci(m->self->ports[i].device, k, address); k++)
			give_vfio(address, user->pw_uid);
	model_free(m);
}

/*
 * Make the directory for tables in hugepages, where files can lie in some, and give it to the process's
 * user: at each start, as the file system may have been mounted since the last one.
 */
static void prepare_hugepages(void)
{
	struct hugepages_mount mount;
	char path[PATH_MAX];

	if (hugepages_find(HUGEPAGES_MOUNTS, &mount))
		return;
	snprintf(path, sizeof(path), "%s/" HUGEPAGES_DIR, mount.path);
	owner_give_directory(path, 0750, "dataplane");
}

/* What only root can do comes first; then rights are given up and the loop begins. */
static int run_dataplane(const struct proc_dirs *dirs, int ready_fd)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	static struct process p;
	int err;

	proc_ignore_signals();
	p.dirs = *dirs;
	p.ready_fd = ready_fd;
	p.ops = &driver_xdp; /* until a document says otherwise */
	prepare_bpf_dir(dirs->bpf);
	prepare_vfio(dirs);
	prepare_hugepages();
	(void)setrlimit(RLIMIT_MEMLOCK,
	                &unlimited); /* Linux before 5.11 counts BPF maps against it */
	err = proc_become("dataplane", 1ull << CAP_NET_ADMIN | 1ull << CAP_BPF |
	                                       1ull << CAP_PERFMON | 1ull << CAP_NET_RAW);
	if (err) {
		fprintf(stderr, "weir-dataplane: cannot drop privileges: %s\n", strerror(-err));
		return 1;
	}
	(void)sandbox_enter("dataplane"); /* a failure is a condition */
	return process_run(&p) ? 1 : 0;
}

/* A descriptor that the parent has opened for us. @return 0: it is none */
static int read_descriptor(const char *text)
{
	char *end;
	long fd = strtol(text, &end, 10);

	return *text && !*end && fd > STDERR_FILENO && fd <= INT_MAX && fcntl((int)fd, F_GETFD) >= 0
	               ? (int)fd
	               : 0;
}

int main(int argc, char **argv)
{
	const char *cluster = NULL;
	struct proc_dirs dirs;
	int ready_fd = 0;
	bool stop = false;

	json_prepare();
	if (proc_dirs_from_args(&dirs, &argc, argv))
		return 1;
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help")) {
			print_usage(stdout);
			return 0;
		}
		if (!strcmp(argv[i], "--metrics")) {
			metrics_document(stdout);
			return 0;
		}
		if (!strcmp(argv[i], "--detach")) {
			stop = true;
		} else if (!strcmp(argv[i], "--cluster") && i + 1 < argc) {
			cluster = argv[++i];
		} else if (!strcmp(argv[i], "--successor") && i + 1 < argc &&
		           (ready_fd = read_descriptor(argv[i + 1])) != 0) {
			i++;
		} else {
			fprintf(stderr, "weir-dataplane: unknown option %s\n", argv[i]);
			print_usage(stderr);
			return 1;
		}
	}
	return stop ? detach_all_drivers(&dirs, cluster) : run_dataplane(&dirs, ready_fd);
}
