/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The backend agent from a test's hand, without the rest of the command line; not shipped.
 *
 *     agent-tool attach IF BPF_DIR PREFIX... [--owners PREFIX...] [--netns NAME...] [--mss off|BYTES]
 *     agent-tool detach IF BPF_DIR
 *     agent-tool status IF BPF_DIR      one line a reason: NAME PACKETS BYTES; then mss-END SEGMENTS 0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/agent.h"

static int attach_agent(int argc, char **argv, char *error)
{
	struct prefix prefixes[16], owners[16];
	const char *netns[AGENT_NETNS_MAX];
	struct agent_options o = {
		.prefixes = prefixes, .owners = owners, .netns = netns, .bpf_dir = argv[3]
	};
	const char *kind = "";

	for (int i = 4; i < argc; i++) {
		int bad = 0;

		if (argv[i][0] == '-')
			kind = argv[i];
		else if (!strcmp(kind, "--mss"))
			o.mss = strcmp(argv[i], "off") ? (uint32_t)strtoul(argv[i], NULL, 10)
			                               : AGENT_MSS_OFF;
		else if (!strcmp(kind, "--netns") && o.n_netns < AGENT_NETNS_MAX)
			netns[o.n_netns++] = argv[i];
		else if (!strcmp(kind, "--owners") && o.n_owners < 16)
			bad = prefix_parse(argv[i], &owners[o.n_owners++]);
		else if (!kind[0] && o.n_prefixes < 16)
			bad = prefix_parse(argv[i], &prefixes[o.n_prefixes++]);
		else
			bad = 1;
		if (bad) {
			fprintf(stderr, "%s: not a prefix, or too many\n", argv[i]);
			exit(1);
		}
	}
	return agent_attach(argv[2], &o, error);
}

static int print_status(char **argv, char *error)
{
	static struct agent_status s;
	int err = agent_status(argv[2], argv[3], &s, error);

	for (int i = 0; !err && i < DECAP_REASON_COUNT; i++)
		printf("%s %llu %llu\n", agent_reason_name((enum decap_reason)i),
		       (unsigned long long)s.counts[i].packets,
		       (unsigned long long)s.counts[i].bytes);
	for (int i = 0; !err && i < MSS_END_COUNT; i++)
		printf("mss-%s %llu 0\n", agent_mss_end_name((enum mss_end)i),
		       (unsigned long long)s.mss.ends[i]);
	return err;
}

int main(int argc, char **argv)
{
	char error[AGENT_ERROR_MAX] = "";
	int err = 1;

	if (argc < 4) {
		fprintf(stderr, "usage: agent-tool attach|detach|status IF BPF_DIR [PREFIX...]\n");
		return 1;
	}
	if (!strcmp(argv[1], "attach"))
		err = attach_agent(argc, argv, error);
	else if (!strcmp(argv[1], "detach"))
		err = agent_detach(argv[2], argv[3], error);
	else if (!strcmp(argv[1], "status"))
		err = print_status(argv, error);
	if (err)
		fprintf(stderr, "agent-tool: %s\n", error);
	return err != 0;
}
