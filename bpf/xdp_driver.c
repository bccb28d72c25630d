/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP driver (weir/driver.h): native where a port can, generic as last resort.
 *
 * Below BPF/CLUSTER/NODE, tables-N/ holds a set of maps and its program, "current" names the
 * set in force, and link-IF is the attachment to a port. The kernel keeps what is pinned, so
 * packets are forwarded while the process is gone. A program is replaced by one bpf_link update,
 * which no packet notices. A lock on the directory keeps a second process out; one thread calls.
 */
#include "bpf/xdp_internal.h"
#include "weir/carry.h"
#include "weir/model.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int lock_pin_dir(struct xdp_driver *d, struct driver_reason *reason)
{
	d->dir_fd = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->dir_fd < 0)
		return driver_set_reason(reason, -errno, "%s cannot be opened: %s", d->dir,
		                         strerror(errno));
	if (flock(d->dir_fd, LOCK_EX | LOCK_NB))
		return driver_set_reason(
		        reason, errno == EWOULDBLOCK ? -EBUSY : -errno,
		        "another process drives %s: a weir-dataplane of this node runs already",
		        d->dir);
	return 0;
}

/* Take over the set in force if its layout is ours, and remove the pins of all others. */
static bool adopt_pinned_set(struct xdp_driver *d, struct driver_reason *reason)
{
	unsigned number;

	if (xdp_current(d->dir, &number))
		return false;
	d->last_number = xdp_sets_tidy(d->dir, number);
	return !xdp_set_open(&d->now, d->dir, number, true, reason);
}

/*
 * The tables in force if they can be used: connections live on. Else new ones beside them; the old
 * ones forward until attach_interface().
 */
static int open_table_set(struct xdp_driver *d, const struct driver_sizes *sizes, bool *kept,
                          struct driver_reason *reason)
{
	unsigned number;
	int err;

	if (adopt_pinned_set(d, reason)) {
		*kept = true;
		err = xdp_clock_sync(d->now.tables.root);
		if (err)
			return driver_set_reason(reason, err,
			                         "the kernel's tick cannot be read: %s",
			                         strerror(-err));
		return xdp_set_load(&d->now, reason);
	}
	*kept = false;
	if (xdp_current(d->dir, &number))
		d->last_number = xdp_sets_tidy(d->dir, 0);
	err = xdp_set_make(&d->now, sizes, reason);
	return err ? err : xdp_set_pin(&d->now, d->dir, ++d->last_number, reason);
}

/* Forget larger tables that were begun. */
static void forget_next(struct xdp_driver *d)
{
	carry_free(d->carry);
	d->carry = NULL;
	xdp_set_close(&d->next);
}

static void close_xdp_driver(struct driver *driver)
{
	struct xdp_driver *d = (struct xdp_driver *)driver;

	if (!d)
		return;
	for (size_t i = 0; i < d->n_ports; i++)
		close(d->ports[i].link_fd);
	forget_next(d);
	xdp_not_sent_close(&d->not_sent);
	xdp_set_close(&d->now);
	if (d->dir_fd >= 0)
		close(d->dir_fd);
	free(d);
}

/* The directory is locked before anything below it is read: another process may be rewriting it. */
static int open_xdp_driver(const struct driver_config *config, struct driver **out, bool *kept,
                           struct driver_reason *reason)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct xdp_driver *d = calloc(1, sizeof(*d));
	int err;

	reason->text[0] = 0;
	if (!d)
		return driver_set_reason(reason, -ENOMEM, "out of memory");
	d->dir_fd = -1;
	xdp_set_init(&d->now);
	xdp_set_init(&d->next);
	snprintf(d->dir, sizeof(d->dir), "%s", config->pin_dir);
	(void)setrlimit(RLIMIT_MEMLOCK, &unlimited); /* Linux before 5.11 counts maps */
	libbpf_set_print(NULL);
	err = xdp_make_dir(d->dir, reason);
	if (!err)
		err = lock_pin_dir(d, reason);
	if (!err)
		err = open_table_set(d, &config->sizes, kept, reason);
	if (err) {
		close_xdp_driver((struct driver *)d);
		return err;
	}
	xdp_not_sent_open(&d->not_sent, d->dir);
	*out = (struct driver *)d;
	return 0;
}

static void copy_tables(const struct driver *driver, struct fwd_tables *out)
{
	const struct xdp_driver *d = (const struct xdp_driver *)driver;

	*out = d->now.tables;
}

static void copy_sizes(const struct driver *driver, struct driver_sizes *out)
{
	const struct xdp_driver *d = (const struct xdp_driver *)driver;

	*out = d->now.sizes;
}

/*
 * A BPF file system refuses names with dots, so ':' stands for '.': no interface's name has a ':'.
 */
static void link_path(const struct xdp_driver *d, const char *interface, char out[PATH_MAX])
{
	int n = snprintf(out, PATH_MAX, "%.*s/link-", PATH_MAX - 64, d->dir);

	snprintf(out + n, 64, "%s", interface);
	for (char *p = out + n; *p; p++)
		if (*p == '.')
			*p = ':';
}

/* The pinned link of @p interface, if it still holds that port. @return descriptor or -ENOENT */
static int open_link(const struct xdp_driver *d, const char *interface, uint32_t ifindex)
{
	struct bpf_link_info info = { 0 };
	uint32_t n = sizeof(info);
	char path[PATH_MAX];
	int fd;

	link_path(d, interface, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -ENOENT;
	if (!bpf_obj_get_info_by_fd(fd, &info, &n) && info.type == BPF_LINK_TYPE_XDP &&
	    info.xdp.ifindex == ifindex)
		return fd;
	close(fd); /* of an interface that is gone: it carries nothing */
	(void)unlink(path);
	return -ENOENT;
}

static int create_link(const struct xdp_driver *d, uint32_t ifindex, uint32_t flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	int fd = bpf_link_create(d->now.prog_fd, (int)ifindex, BPF_XDP, &opts);

	return fd < 0 ? -errno : fd;
}

static bool is_native(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);

	return !bpf_xdp_query((int)ifindex, 0, &opts) && opts.attach_mode == XDP_ATTACHED_DRV;
}

static int explain_no_link(const struct xdp_driver *d, struct driver_reason *reason, int err,
                           const char *interface, uint32_t ifindex)
{
	if (err == -EBUSY || err == -EEXIST)
		return xdp_explain_busy(reason, err, d->dir, interface, ifindex);
	return xdp_explain_attach(reason, err, interface);
}

/* Attach a port that has no link: native first, then generic if the errno is about the mode. */
static int make_link(const struct xdp_driver *d, const char *interface, uint32_t ifindex,
                     struct driver_reason *reason)
{
	struct driver_reason native;
	char path[PATH_MAX];
	int fd = create_link(d, ifindex, XDP_FLAGS_DRV_MODE), err;

	if (fd < 0) {
		err = explain_no_link(d, &native, fd, interface, ifindex);
		if (err != -EOPNOTSUPP && err != -EINVAL && err != -ERANGE && err != -EIO)
			return driver_set_reason(reason, err, "%s", native.text);
		fd = create_link(d, ifindex, XDP_FLAGS_SKB_MODE);
		if (fd < 0)
			return explain_no_link(d, reason, fd, interface, ifindex);
		driver_set_reason(reason, 0, "generic mode, several times slower: %.900s",
		                  native.text);
	}
	link_path(d, interface, path);
	if (bpf_obj_pin(fd, path)) {
		err = driver_set_reason(reason, -errno, "%s cannot be pinned: %s", path,
		                        strerror(errno));
		close(fd);
		return err;
	}
	return fd;
}

static struct xdp_port *find_xdp_port(struct xdp_driver *d, const char *interface)
{
	for (size_t i = 0; i < d->n_ports; i++)
		if (!strcmp(d->ports[i].shown.name, interface))
			return &d->ports[i];
	return NULL;
}

static void forget_port(struct xdp_driver *d, struct xdp_port *p)
{
	if (!p)
		return;
	close(p->link_fd);
	*p = d->ports[--d->n_ports];
}

/* Make this process's set the one in force, once a port carries its program. */
static int set_current(struct xdp_driver *d, struct driver_reason *reason)
{
	unsigned number;
	int err;

	if (!xdp_current(d->dir, &number) && number == d->now.number)
		return xdp_set_pin(&d->now, d->dir, number, reason); /* the program alone is new */
	err = xdp_current_set(d->dir, d->now.number);
	if (err)
		return driver_set_reason(reason, err, "%s/current cannot be set: %s", d->dir,
		                         strerror(-err));
	return 0;
}

/* Put the program on the port of a link. Takes @p fd. @return it, or -errno */
static int update_link(const struct xdp_driver *d, int fd, const char *interface,
                       struct driver_reason *reason)
{
	int err;

	if (!bpf_link_update(fd, d->now.prog_fd, NULL))
		return fd;
	err = driver_set_reason(reason, -errno, "the program on %s cannot be replaced: %s",
	                        interface, strerror(errno));
	close(fd);
	return err;
}

/* Another directory of that name is locked before anything is pinned below it. */
static int keep_dir(struct xdp_driver *d, struct driver_reason *reason)
{
	struct stat held, now;
	int was = d->dir_fd, err;

	if (!fstat(was, &held) && !stat(d->dir, &now) && held.st_ino == now.st_ino &&
	    held.st_dev == now.st_dev)
		return 0;
	err = xdp_make_dir(d->dir, reason);
	if (!err)
		err = lock_pin_dir(d, reason);
	if (err && d->dir_fd >= 0 && d->dir_fd != was)
		close(d->dir_fd);
	if (err)
		d->dir_fd = was;
	else
		close(was);
	return err;
}

/* Before the first port has the program, "prog" and "current" may be those of a process before. */
static int renew_pins(struct xdp_driver *d, struct driver_reason *reason)
{
	struct xdp_pins k = { .reason = reason };
	char path[PATH_MAX];

	reason->text[0] = 0;
	k.err = keep_dir(d, reason);
	if (k.err)
		return k.err;
	xdp_set_keep(&d->now, d->dir, d->n_ports > 0, &k);
	for (size_t i = 0; i < d->n_ports; i++) {
		if (xdp_carries(d, &d->ports[i]) == XDP_CARRIES_NONE)
			continue;
		link_path(d, d->ports[i].shown.name, path);
		xdp_pin_keep(&k, d->ports[i].link_fd, path);
	}
	xdp_not_sent_keep_pins(&d->not_sent, d->dir, &k);
	d->n_renewed += k.n_renewed;
	return k.err;
}

/*
 * Put the program on a port. An existing link is updated in place, so no packet meets a port
 * without a program; if that fails, the port stays as it is. The port's number comes into the map
 * of ports first: frames may leave by it at once.
 */
static int attach_interface(struct driver *driver, const struct model_port *port,
                            struct driver_port *out, struct driver_reason *reason)
{
	struct xdp_driver *d = (struct xdp_driver *)driver;
	const char *interface = port->interface;
	uint32_t ifindex = if_nametoindex(interface);
	struct xdp_port *known = find_xdp_port(d, interface);
	int fd, err;

	reason->text[0] = 0;
	if (!ifindex)
		return xdp_explain_attach(reason, -ENODEV, interface);
	if (known && xdp_carries(d, known) == XDP_CARRIES_NONE) {
		forget_port(d, known);
		known = NULL;
	}
	if (!known && d->n_ports == DRIVER_PORTS_MAX)
		return driver_set_reason(reason, -ENOSPC, "more than %u ports", DRIVER_PORTS_MAX);
	(void)renew_pins(d, reason); /* what then fails is said below */
	reason->text[0] = 0;
	xdp_not_sent_program(&d->not_sent, xdp_program_id(d->now.prog_fd));
	xdp_not_sent_port(&d->not_sent, interface, ifindex);
	err = xdp_set_port(&d->now, ifindex, true);
	if (err)
		return driver_set_reason(reason, err, "%s cannot be added to the map of ports: %s",
		                         interface, strerror(-err));
	fd = open_link(d, interface, ifindex);
	if (fd >= 0) {
		fd = update_link(d, fd, interface, reason);
	} else {
		forget_port(d, known); /* its pin is gone, and it would hold the interface */
		known = NULL;
		fd = make_link(d, interface, ifindex, reason);
	}
	if (fd < 0)
		return fd;
	*out = (struct driver_port){ .ifindex = ifindex, .native = is_native(ifindex), .up = true };
	snprintf(out->name, sizeof(out->name), "%s", interface);
	forget_port(d, known);
	d->ports[d->n_ports++] =
	        (struct xdp_port){ .shown = *out,
		                   .link_fd = fd,
		                   .losses = xdp_statistics_losses(interface, out->native) };
	return set_current(d, reason);
}

/*
 * Detach a pinned link and remove its pin. Detaching stops the program for the next packet; without
 * it, the program would run until the kernel frees the link, some time after its last reference.
 */
static int drop_link(const char *path, struct driver_reason *reason)
{
	int fd = bpf_obj_get(path);

	if (fd >= 0) {
		(void)bpf_link_detach(
		        fd); /* fails if the interface is gone: then nothing is on it */
		close(fd);
	}
	if (unlink(path) && errno != ENOENT)
		return driver_set_reason(reason, -errno, "%s cannot be removed: %s", path,
		                         strerror(errno));
	return 0;
}

static int detach_interface(struct driver *driver, const char *interface,
                            struct driver_reason *reason)
{
	struct xdp_driver *d = (struct xdp_driver *)driver;
	char path[PATH_MAX];
	const struct xdp_port *known = find_xdp_port(d, interface);
	int err;

	reason->text[0] = 0;
	link_path(d, interface, path);
	if (known)
		(void)xdp_set_port(&d->now, known->shown.ifindex, false);
	forget_port(d, find_xdp_port(d, interface));
	err = drop_link(path, reason);
	xdp_not_sent_port(&d->not_sent, interface, 0);
	return err;
}

/* What drivers say in their statistics alone comes to what the tracepoints tell. */
static void read_statistics(const struct xdp_driver *d)
{
	for (size_t i = 0; i < d->n_ports; i++)
		if (d->ports[i].losses == XDP_LOSSES_COUNTED)
			xdp_not_sent_statistics(&d->not_sent, &d->ports[i].shown,
			                        xdp_carries(d, &d->ports[i]) ==
			                                XDP_CARRIES_PROGRAM);
}

static uint64_t count_not_sent(const struct driver *driver)
{
	const struct xdp_driver *d = (const struct xdp_driver *)driver;

	read_statistics(d);
	return xdp_not_sent_uncounted(&d->not_sent);
}

static void note_not_sent_counted(struct driver *driver, uint64_t frames)
{
	xdp_not_sent_counted(&((struct xdp_driver *)driver)->not_sent, frames);
}

static void keep_left_nothing(struct driver *driver, uint32_t ifindex, bool left_nothing)
{
	xdp_not_sent_keep(&((struct xdp_driver *)driver)->not_sent, ifindex, left_nothing);
}

static int try_port(struct driver *driver, uint32_t ifindex)
{
	return xdp_not_sent_try(&((struct xdp_driver *)driver)->not_sent, ifindex);
}

static size_t read_ports(const struct driver *driver, struct driver_port out[DRIVER_PORTS_MAX])
{
	const struct xdp_driver *d = (const struct xdp_driver *)driver;

	read_statistics(d);
	for (size_t i = 0; i < d->n_ports; i++) {
		enum xdp_carries carries = xdp_carries(d, &d->ports[i]);

		out[i] = d->ports[i].shown;
		out[i].lost = carries != XDP_CARRIES_PROGRAM;
		out[i].may_forward = carries == XDP_CARRIES_OTHER;
		xdp_statistics_link(out[i].name, &out[i].up);
		xdp_not_sent_show(&d->not_sent, d->ports[i].losses, &out[i]);
	}
	return d->n_ports;
}

static void wait_for_programs(struct driver *driver)
{
	struct xdp_driver *d = (struct xdp_driver *)driver;

	(void)d;
	/*
	 * Waits for an RCU grace period, and XDP programs run inside RCU; else wait longer than one
	 * runs.
	 */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(20000);
}

static int begin_larger_set(struct driver *driver, const struct driver_sizes *needed,
                            struct fwd_tables *next, struct driver_reason *reason)
{
	struct xdp_driver *d = (struct xdp_driver *)driver;
	const struct driver_sizes z = driver_sizes_larger(&d->now.sizes, needed);
	int err;

	reason->text[0] = 0;
	forget_next(d);
	err = xdp_set_make(&d->next, &z, reason);
	if (err)
		return err;
	if (carry_begin(&d->now.tables, &d->next.tables, &d->carry)) {
		forget_next(d);
		return driver_set_reason(reason, -ENOMEM, "out of memory for larger tables");
	}
	d->next.tables.root->tick_base = d->now.tables.root->tick_base;
	d->next.tables.root->tick_scale = d->now.tables.root->tick_scale;
	*next = d->next.tables;
	return 0;
}

/* Switch the first @p n ports to @p prog_fd. @return how many have been switched */
static size_t update_links(struct xdp_driver *d, int prog_fd, size_t n)
{
	size_t done = 0;

	while (done < n && !bpf_link_update(d->ports[done].link_fd, prog_fd, NULL))
		done++;
	return done;
}

/*
 * Pin the new set, switch the ports, wait, bring over, then forget the old set. If a port refuses,
 * those before it are switched back and the old set stays. A flow that began in the old tables may
 * have its next packet in the new ones, so exceptions are brought over right before and after.
 * After the grace period no packet uses the old tables, so what else packets have changed in them
 * meanwhile can be brought over. From then on nothing fails: where "current" cannot be set,
 * keep_pins() says so and tries again, and what it still names stays pinned.
 */
static int switch_to_larger_set(struct driver *driver, struct driver_reason *reason)
{
	struct xdp_driver *d = (struct xdp_driver *)driver;
	unsigned old = d->now.number;
	int err = xdp_set_pin(&d->next, d->dir, d->last_number + 1, reason);
	size_t done;

	if (!err) {
		for (size_t i = 0; i < d->n_ports; i++)
			(void)xdp_set_port(&d->next, d->ports[i].shown.ifindex, true);
		xdp_not_sent_program(&d->not_sent, xdp_program_id(d->next.prog_fd));
		carry_follow(d->carry, &d->now.tables, &d->next.tables);
		done = update_links(d, d->next.prog_fd, d->n_ports);
		carry_follow(d->carry, &d->now.tables, &d->next.tables);
		if (done < d->n_ports) {
			err = driver_set_reason(reason, -errno,
			                        "the program on %s cannot be replaced: %s",
			                        d->ports[done].shown.name, strerror(errno));
			update_links(d, d->now.prog_fd, done);
			xdp_not_sent_program(&d->not_sent, xdp_program_id(d->now.prog_fd));
			xdp_set_unpin(d->dir, d->last_number + 1);
		}
	}
	if (!err) {
		d->last_number++;
		wait_for_programs(driver);
		carry_end(d->carry, &d->now.tables, &d->next.tables);
		xdp_set_close(&d->now);
		d->now = d->next;
		xdp_set_init(&d->next);
		if (!xdp_current_set(d->dir, d->now.number))
			xdp_set_unpin(d->dir, old);
	}
	forget_next(d);
	return err;
}

static int renew_clock(struct driver *driver)
{
	struct xdp_driver *d = (struct xdp_driver *)driver;

	return xdp_clock_sync(d->now.tables.root);
}

static int keep_pins(struct driver *driver, uint32_t *n_renewed, struct driver_reason *reason)
{
	struct xdp_driver *d = (struct xdp_driver *)driver;
	int err = renew_pins(d, reason);

	*n_renewed = d->n_renewed;
	d->n_renewed = 0;
	return err;
}

/* Links go first. A failure is reported, and the rest is removed all the same. */
static int remove_pins(const char *pin_dir, struct driver_reason *reason)
{
	struct xdp_driver d = { .dir_fd = -1 };
	const struct dirent *e;
	char path[PATH_MAX];
	int err, dropped;
	DIR *dir;

	snprintf(d.dir, sizeof(d.dir), "%s", pin_dir);
	if (access(pin_dir, F_OK))
		return driver_set_reason(reason, -ENOENT, "nothing is pinned at %s", pin_dir);
	err = lock_pin_dir(&d, reason);
	dir = err ? NULL : opendir(pin_dir);
	while (dir && (e = readdir(dir))) {
		if (strncmp(e->d_name, "link-", 5) != 0)
			continue;
		link_path(&d, e->d_name + 5, path);
		dropped = drop_link(path, reason);
		err = err ? err : dropped;
	}
	if (dir) {
		closedir(dir);
		snprintf(path, sizeof(path), "%.*s/current", PATH_MAX - 64, pin_dir);
		(void)unlink(path);
		xdp_not_sent_remove(pin_dir);
		xdp_sets_tidy(pin_dir, 0);
		if (rmdir(pin_dir) && !err)
			err = driver_set_reason(reason, -errno, "%s cannot be removed: %s", pin_dir,
			                        strerror(errno));
	}
	if (d.dir_fd >= 0)
		close(d.dir_fd);
	return err;
}

/*
 * For a reader of another process; only the mapping is kept, so the caller has nothing to close but
 * that.
 */
static int map_tables(const char *pin_dir, struct fwd_tables *out, struct driver_reason *reason)
{
	struct xdp_set pinned;
	unsigned number;
	int err = xdp_current(pin_dir, &number);

	reason->text[0] = 0;
	libbpf_set_print(NULL);
	if (err == -ENOENT)
		return driver_set_reason(
		        reason, err, "no tables are pinned at %s: no dataplane ran there", pin_dir);
	if (err)
		return driver_set_reason(reason, err, "%s cannot be read: %s", pin_dir,
		                         strerror(-err));
	xdp_set_init(&pinned);
	err = xdp_set_open(&pinned, pin_dir, number, false, reason);
	if (err)
		return err;
	*out = pinned.tables;
	xdp_set_close_fds(&pinned); /* the memory stays mapped */
	return 0;
}

const struct driver_ops driver_xdp = {
	.name = "xdp",
	.open = open_xdp_driver,
	.tables = copy_tables,
	.sizes = copy_sizes,
	.attach = attach_interface,
	.detach = detach_interface,
	.ports = read_ports,
	.may_forward = xdp_may_forward,
	.resize_begin = begin_larger_set,
	.resize_commit = switch_to_larger_set,
	.prove = xdp_prove,
	.not_sent = count_not_sent,
	.not_sent_counted = note_not_sent_counted,
	.try_port = try_port,
	.keep_left_nothing = keep_left_nothing,
	.grace = wait_for_programs,
	.tick = renew_clock,
	.tick_s = 10,
	.keep_pins = keep_pins,
	.close = close_xdp_driver,
	.remove = remove_pins,
	.map = map_tables,
	.unmap = xdp_unmap,
};
