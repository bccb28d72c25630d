/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The probes' egress program from a test's hand, without a dataplane; not shipped.
 *
 *     probe-tool IF SOURCE4|- SOURCE6|- [MARK=ADDRESS/ipip|gue]...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/probe.h"

static int read_tunnel(char *text, struct probe_tunnel *out)
{
	char *address = strchr(text, '='), *mode = strchr(text, '/');

	if (!address || !mode)
		return -1;
	*address++ = *mode++ = '\0';
	out->mark = (uint32_t)strtoul(text, NULL, 0);
	out->gue = !strcmp(mode, "gue");
	return addr_parse(address, &out->backend);
}

static const struct prefix *read_prefix(const char *text, struct prefix *out)
{
	return prefix_parse(text, out) ? NULL : out;
}

int main(int argc, char **argv)
{
	struct probe_tunnel tunnels[16] = { 0 };
	struct prefix source4, source6;
	struct probes *p;
	int n = argc - 4, err;

	if (n < 0 || n > 16)
		return 1;
	for (int i = 0; i < n; i++)
		if (read_tunnel(argv[4 + i], &tunnels[i]))
			return 1;
	err = probe_open(&p);
	if (!err)
		err = probe_set_sources(p, read_prefix(argv[2], &source4),
		                        read_prefix(argv[3], &source6));
	if (!err)
		err = probe_set_tunnels(p, tunnels, (size_t)n);
	if (!err)
		err = probe_attach(p, argv[1]);
	if (err)
		fprintf(stderr, "probe-tool: %s\n", strerror(-err));
	return err != 0;
}
