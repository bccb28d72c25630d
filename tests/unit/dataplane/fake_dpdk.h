/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * In the place of the DPDK driver: tables in a file, as that one has them (tablefile.h), and ports
 * that carry what they are told to carry. Nothing is sent.
 */
#ifndef WEIR_TESTS_UNIT_DATAPLANE_FAKE_DPDK_H
#define WEIR_TESTS_UNIT_DATAPLANE_FAKE_DPDK_H

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/dpdk/tablefile.h"
#include "dataplane/drivers.h"
#include "weir/fwd/user.h"
#include "weir/model.h"

#define FAKE_ROWS 3u /* of counters: workers */

struct fake_driver {
	char dir[256];
	struct tablefile file;
	struct driver_port ports[DRIVER_PORTS_MAX];
	size_t n_ports;
};

static inline void fake_path(const char *dir, char out[512])
{
	snprintf(out, 512, "%s/tables", dir);
}

/* A test makes RUN/fake-busy or RUN/fake-small. */
static inline bool fake_is(const char *dir, const char *word)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/../fake-%s", dir, word);
	return !access(path, F_OK);
}

/*
 * A test makes RUN/fake-steps, and finds there what was done; and RUN/fake-hold-STEP: that step waits while
 * it is there.
 */
static inline void fake_step(const struct driver *driver, const char *step)
{
	const struct fake_driver *d = (const struct fake_driver *)driver;
	char path[512], word[32];
	FILE *f;

	snprintf(path, sizeof(path), "%s/../fake-steps", d->dir);
	f = access(path, F_OK) ? NULL : fopen(path, "a");
	if (f) {
		fprintf(f, "%s ", step);
		fclose(f);
	}
	snprintf(word, sizeof(word), "hold-%s", step);
	while (fake_is(d->dir, word))
		usleep(1000);
}

static inline int fake_open(const struct driver_config *config, struct driver **out, bool *kept,
                            struct driver_reason *why)
{
	struct fake_driver *d = calloc(1, sizeof(*d));
	char path[512];
	int err;

	snprintf(d->dir, sizeof(d->dir), "%s", config->pin_dir);
	(void)mkdir(d->dir, 0700);
	fake_step((struct driver *)d, "open");
	if (fake_is(d->dir, "busy")) {
		snprintf(why->text, sizeof(why->text), "the fake is busy");
		(void)rmdir(d->dir);
		free(d);
		return -EBUSY;
	}
	fake_path(d->dir, path);
	*kept = !tablefile_open(&d->file, path, true, why);
	err = *kept ? 0 : tablefile_make(&d->file, path, &config->sizes, FAKE_ROWS, NULL, why);
	if (err) {
		free(d);
		return err;
	}
	why->text[0] = 0;
	*out = (struct driver *)d;
	return 0;
}

static inline void fake_tables(const struct driver *driver, struct fwd_tables *out)
{
	const struct fake_driver *d = (const struct fake_driver *)driver;

	*out = d->file.tables;
}

static inline void fake_sizes(const struct driver *driver, struct driver_sizes *out)
{
	const struct fake_driver *d = (const struct fake_driver *)driver;

	*out = d->file.sizes;
	if (fake_is(d->dir, "small"))
		out->backends = 2; /* and no room for more: fake_resize_begin() */
}

static inline int fake_detach(struct driver *driver, const char *interface,
                              struct driver_reason *why)
{
	struct fake_driver *d = (struct fake_driver *)driver;

	why->text[0] = 0;
	for (size_t i = 0; i < d->n_ports; i++)
		if (!strcmp(d->ports[i].name, interface))
			d->ports[i--] = d->ports[--d->n_ports];
	return 0;
}

static inline int fake_attach(struct driver *driver, const struct model_port *port,
                              struct driver_port *out, struct driver_reason *why)
{
	struct fake_driver *d = (struct fake_driver *)driver;

	fake_step(driver, "attach");
	(void)fake_detach(driver, port->interface, why);
	*out = (struct driver_port){ .ifindex = if_nametoindex(port->interface),
		                     .native = true,
		                     .up = true };
	snprintf(out->name, sizeof(out->name), "%s", port->interface);
	d->ports[d->n_ports++] = *out;
	return 0;
}

static inline size_t fake_ports(const struct driver *driver,
                                struct driver_port out[DRIVER_PORTS_MAX])
{
	const struct fake_driver *d = (const struct fake_driver *)driver;

	fake_step(driver, "ports");
	memcpy(out, d->ports, d->n_ports * sizeof(*out));
	return d->n_ports;
}

/* Two workers; the first frames of each are for the kernel. */
static inline size_t fake_workers(const struct driver *d,
                                  struct driver_worker out[DRIVER_WORKERS_MAX])
{
	(void)d;
	for (uint32_t i = 0; i < 2; i++) {
		out[i] = (struct driver_worker){ .frames = 100 + i, .cycles = 7, .cpu = 4 + i };
		out[i].bursts[3] = 30 + i;
		out[i].to_kernel[1] = 10 + i;
		out[i].policed[1] = 2 + i;
	}
	return 2;
}

static inline int fake_resize_begin(struct driver *d, const struct driver_sizes *wanted,
                                    struct fwd_tables *next, struct driver_reason *why)
{
	(void)d;
	(void)wanted;
	(void)next;
	snprintf(why->text, sizeof(why->text), "the fake has no memory");
	return -ENOMEM;
}

static inline void fake_beat(struct driver *d, uint32_t worker, uint64_t *rounds)
{
	(void)d;
	*rounds = 1000 + worker;
}

static inline void fake_grace(struct driver *d)
{
	fake_step(d, "grace");
}

static inline int fake_tick(struct driver *d)
{
	fake_step(d, "tick");
	return 0;
}

static inline void fake_close(struct driver *driver)
{
	struct fake_driver *d = (struct fake_driver *)driver;

	if (!d)
		return;
	fake_step(driver, "close");
	tablefile_close(&d->file);
	free(d);
}

static inline int fake_remove(const char *dir, struct driver_reason *why)
{
	char path[512];

	why->text[0] = 0;
	fake_path(dir, path);
	if (access(dir, F_OK))
		return -ENOENT;
	return unlink(path) || rmdir(dir) ? -errno : 0;
}

static const char *const fake_classes[] = { "arp", "icmp", NULL };

static const struct driver_ops fake_dpdk = {
	.name = "dpdk",
	.open = fake_open,
	.tables = fake_tables,
	.sizes = fake_sizes,
	.attach = fake_attach,
	.detach = fake_detach,
	.ports = fake_ports,
	.workers = fake_workers,
	.beat = fake_beat,
	.classes = fake_classes,
	.resize_begin = fake_resize_begin,
	.grace = fake_grace,
	.tick = fake_tick,
	.tick_s = 2,
	.close = fake_close,
	.remove = fake_remove,
};

#endif
