/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The new driver's tables are filled while the old driver forwards. When the
 * ports have changed, what packets wrote into the old tables meanwhile follows (weir/carry.h). If
 * only the files or pins of another driver are left of an earlier process, they are mapped and used
 * in the same way; tables that cannot be mapped are only removed.
 */
#include "dataplane/change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/choose.h"
#include "dataplane/drivers.h"
#include "weir/carry.h"
#include "weir/effect.h"
#include "weir/nic.h"

/* The directory where driver @p ops keeps its state. */
static int dir_of(const struct proc_dirs *dirs, const struct driver_ops *ops, const struct model *m,
                  char out[PATH_MAX])
{
	if (ops == &driver_xdp)
		return effect_pin_dir(dirs->bpf, m->cluster, m->self->name, out);
	return proc_path(dirs->run, EFFECT_DPDK_DIR, out);
}

/* Find the other driver's tables, if an earlier process has left some. */
static int find_left(struct driver_change *c, const struct proc_dirs *dirs, const struct model *m)
{
	const struct driver_ops *other = c->ops == &driver_xdp ? drivers_dpdk : &driver_xdp;
	struct driver_reason reason;
	int err = other ? dir_of(dirs, other, m, c->old_dir) : 0;

	if (err || !other || access(c->old_dir, F_OK))
		return err;
	c->old_ops = other;
	if (mapped_open(c->old_dir, &c->old_mapped, &reason))
		return 0; /* of another layout, for example: it only has to be removed */
	c->old = c->old_mapped.tables;
	return 0;
}

/* Copy the old tables into the new ones, if there are old ones. */
static int fill_new_tables(struct driver_change *c, struct driver_reason *reason)
{
	c->ops->tables(c->driver, &c->now);
	if (!c->old.root)
		return 0;
	if (carry_begin(&c->old, &c->now, &c->carry)) {
		snprintf(reason->text, sizeof(reason->text), "out of memory");
		return -ENOMEM;
	}
	c->kept = true;
	return 0;
}

static void forget_old(struct driver_change *c)
{
	carry_free(c->carry);
	c->carry = NULL;
	if (c->old.root && !c->old_driver)
		mapped_close(&c->old_mapped);
	memset(&c->old, 0, sizeof(c->old));
}

/*
 * The new tables are at least as large as the old ones, so that everything can be copied. State
 * that an interrupted change left in the new driver's directory is removed first.
 */
int change_open(struct driver_change *c, const struct proc_dirs *dirs, const struct driver_ops *ops,
                const struct model *m, const struct driver_sizes *sizes,
                const struct driver_ops *old_ops, struct driver *old_driver,
                struct driver_reason *reason)
{
	struct driver_config config = { .sizes = *sizes,
		                        .dpdk = &m->self->dpdk,
		                        .mtu = m->self->mtu,
		                        .numa_node = choose_numa_node(m->self, NIC_SYSFS) };
	struct driver_sizes old_sizes;
	struct driver_reason none;
	int err;

	*c = (struct driver_change){ .ops = ops, .old_ops = old_ops, .old_driver = old_driver };
	err = dir_of(dirs, ops, m, c->dir);
	if (!err && old_driver)
		err = dir_of(dirs, old_ops, m, c->old_dir);
	else if (!err)
		err = find_left(c, dirs, m);
	if (err)
		return err;
	if (old_driver)
		old_ops->tables(old_driver, &c->old);
	if (c->old.root) {
		carry_sizes(&c->old, &old_sizes);
		config.sizes = driver_sizes_larger(sizes, &old_sizes);
		(void)ops->remove(c->dir, &none); /* what a change that did not end left there */
	}
	config.pin_dir = c->dir;
	err = ops->open(&config, &c->driver, &c->kept, reason);
	if (!err) {
		err = fill_new_tables(c, reason);
		if (err)
			change_undo(c);
		return err;
	}
	forget_old(c);
	return err;
}

void change_undo(struct driver_change *c)
{
	struct driver_reason reason;

	c->ops->close(c->driver);
	if (c->old.root)
		(void)c->ops->remove(c->dir, &reason);
	forget_old(c);
}

/*
 * A port with its own device is a TAP under DPDK: its name must be free before the other driver
 * can have it.
 */
void change_free_ports(struct driver_change *c, const struct model *m)
{
	struct driver_reason reason;

	for (size_t i = 0; c->old_driver && i < m->self->n_ports; i++)
		if (!model_port_shares_kernel(&m->self->ports[i]))
			(void)c->old_ops->detach(c->old_driver, m->self->ports[i].interface,
			                         &reason);
}

static void detach_all(const struct driver_change *c)
{
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n = c->old_ops->ports(c->old_driver, ports);
	struct driver_reason reason;

	for (size_t i = 0; i < n; i++)
		(void)c->old_ops->detach(c->old_driver, ports[i].name, &reason);
	c->old_ops->grace(c->old_driver);
}

void change_follow(struct driver_change *c)
{
	if (c->carry)
		carry_follow(c->carry, &c->old, &c->now);
}

/*
 * A living old driver is detached first, and its packets have ended (grace) before the last
 * changes are copied. Removing the state of a dead process ends its XDP program; what is mapped
 * stays readable.
 */
void change_end(struct driver_change *c, struct driver_reason *reason)
{
	reason->text[0] = 0;
	if (!c->old_ops)
		return;
	if (c->old_driver) {
		detach_all(c);
		carry_end(c->carry, &c->old, &c->now);
		c->old_ops->close(c->old_driver);
		(void)c->old_ops->remove(c->old_dir, reason);
	} else {
		(void)c->old_ops->remove(c->old_dir, reason);
		if (c->carry)
			carry_end(c->carry, &c->old, &c->now);
	}
	forget_old(c);
}
