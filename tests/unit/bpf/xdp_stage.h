/* SPDX-License-Identifier: BSD-2-Clause */
/* What tests of the XDP driver share: small tables below one directory of pins. */
#ifndef WEIR_TESTS_UNIT_BPF_XDP_STAGE_H
#define WEIR_TESTS_UNIT_BPF_XDP_STAGE_H

#include "tests/unit/bpf/space.h"
#include "weir/driver.h"
#include "weir/fwd/user.h"
#include "weir/model.h"

#define PIN_DIR BPF_DIR "/cluster/node"

static const struct driver_sizes small = { 64, 16, 8, 64, 4096, 64 };
static const struct driver_sizes large = { 128, 32, 16, 128, 8192, 256 };

static const struct driver_ops *const ops = &driver_xdp;

static inline __attribute__((unused)) struct driver *open_tables(bool expect_kept)
{
	const struct driver_config config = { .pin_dir = PIN_DIR, .sizes = small };
	struct driver_reason why;
	struct driver *d = NULL;
	bool kept = !expect_kept;
	int err = ops->open(&config, &d, &kept, &why);

	if (err)
		fail_msg("open: %d %s", err, why.text);
	assert_int_equal(kept, expect_kept);
	return d;
}

static inline __attribute__((unused)) void attach_port(struct driver *d, const char *interface)
{
	struct driver_port port;
	struct driver_reason why;
	int err = ops->attach(d, &(struct model_port){ .interface = interface, .device = "" },
	                      &port, &why);

	if (err)
		fail_msg("attach: %d %s", err, why.text);
	assert_true(port.native);
	assert_int_equal(port.ifindex, if_nametoindex(interface));
}

static inline __attribute__((unused)) struct fwd_tables tables_of(const struct driver *d)
{
	struct fwd_tables t;

	ops->tables(d, &t);
	return t;
}

/* Bytes of tables that this process has mapped. */
static inline __attribute__((unused)) size_t count_mapped(void)
{
	unsigned long from, to;
	char line[512];
	size_t n = 0;
	FILE *f = fopen("/proc/self/maps", "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, "bpf-map") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			n += to - from;
	fclose(f);
	return n;
}

static inline __attribute__((unused)) int remove_pins(void **state)
{
	struct driver_reason why;

	(void)state;
	(void)ops->remove(PIN_DIR, &why);
	return 0;
}

#endif
