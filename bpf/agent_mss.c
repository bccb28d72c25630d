/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MSS of SYN-ACKs, user-space half (agent_mss.h). Counters and noted services are handed from
 * one program to the next; the setting is each program's own. In force is only a program at the
 * egress that reads this agent's setting: another one with our handle is not ours, and one of an
 * earlier agent follows the setting of that agent.
 */
#include "bpf/agent_mss.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/agent_maps.h"
#include "bpf/agent_read.h"
#include "bpf/agent_tc.h"

#define MAPS_MAX 8 /* of the egress program: three */
/* SYNs in tunnels without one SYN-ACK: fewer may be for a port that nobody listens on just now. */
#define SILENT_SYNS 100u

_Static_assert(AGENT_MSS_AUTO == AGENT_MAP_MSS_AUTO && AGENT_MSS_OFF == AGENT_MAP_MSS_OFF,
               "the command line's words are the map's");

const char *agent_mss_refusal(uint32_t mss)
{
	if (mss == AGENT_MSS_AUTO || mss == AGENT_MSS_OFF)
		return NULL;
	return mss < AGENT_MSS_MIN || mss > AGENT_MSS_MAX ? "the MSS is not 536 to 65495" : NULL;
}

/* The MTU of an interface; 0: not known. */
static uint32_t read_mtu(const char *ifname)
{
	struct ifreq request = { .ifr_mtu = 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return 0;
	strncpy(request.ifr_name, ifname, sizeof(request.ifr_name) - 1);
	err = ioctl(fd, SIOCGIFMTU, &request);
	close(fd);
	return err || request.ifr_mtu < 0 ? 0 : (uint32_t)request.ifr_mtu;
}

int agent_mss_fill(int setting_fd, const char *ifname, const struct agent_options *options)
{
	struct agent_mss_setting setting = { .mss = options->mss,
		                             .mtu = read_mtu(ifname),
		                             .has_owners = options->n_owners > 0 };
	uint32_t zero = 0;

	return bpf_map_update_elem(setting_fd, &zero, &setting, BPF_ANY) ? -errno : 0;
}

bool agent_mss_maps_fit(const struct agent_mss_maps *maps)
{
	static const struct agent_map_shape ends = { BPF_MAP_TYPE_PERCPU_ARRAY, MSS_END_COUNT,
		                                     sizeof(uint32_t), sizeof(uint64_t) };
	static const struct agent_map_shape services = { BPF_MAP_TYPE_LRU_HASH, AGENT_MAP_SERVICES,
		                                         sizeof(struct agent_service),
		                                         sizeof(uint32_t) };

	return agent_map_fits(maps->ends_fd, &ends) && agent_map_fits(maps->services_fd, &services);
}

int agent_mss_attach(unsigned ifindex, const struct agent_options *options, int prog_fd)
{
	return options->mss == AGENT_MSS_OFF ? agent_tc_detach(ifindex, BPF_TC_EGRESS)
	                                     : agent_tc_attach(ifindex, BPF_TC_EGRESS, prog_fd);
}

/* Whether program @p prog_id reads the map behind @p map_fd. */
static bool uses_map(uint32_t prog_id, int map_fd)
{
	struct bpf_prog_info prog = { 0 };
	struct bpf_map_info map = { 0 };
	uint32_t ids[MAPS_MAX] = { 0 }, size = sizeof(map);
	int fd = bpf_prog_get_fd_by_id(prog_id);
	bool found = false;

	if (fd < 0)
		return false;
	prog.nr_map_ids = MAPS_MAX;
	prog.map_ids = (uint64_t)(uintptr_t)ids;
	if (!bpf_obj_get_info_by_fd(map_fd, &map, &size)) {
		size = sizeof(prog);
		if (bpf_obj_get_info_by_fd(fd, &prog, &size))
			prog.nr_map_ids = 0;
		for (uint32_t i = 0; i < prog.nr_map_ids && i < MAPS_MAX; i++)
			found = found || ids[i] == map.id;
	}
	close(fd);
	return found;
}

/* How many services are noted, and what the largest of their tunnels takes. */
static void read_services(int fd, struct agent_mss *out)
{
	struct agent_service key, next;
	uint32_t overhead;

	for (void *at = NULL;
	     out->n_services < AGENT_MAP_SERVICES && !bpf_map_get_next_key(fd, at, &next);
	     at = &key) {
		key = next;
		if (bpf_map_lookup_elem(fd, &key, &overhead))
			continue; /* forgotten meanwhile */
		out->n_services++;
		if (overhead > out->overhead)
			out->overhead = overhead;
	}
}

void agent_mss_read(const struct agent_mss_maps *maps, const char *ifname, unsigned ifindex,
                    struct agent_mss *out)
{
	struct agent_mss m = { .force = AGENT_MSS_UNKNOWN, .mtu = read_mtu(ifname) };
	struct agent_mss_setting setting;
	uint32_t zero = 0;

	*out = m;
	if (maps->setting_fd < 0 || !agent_mss_maps_fit(maps) ||
	    bpf_map_lookup_elem(maps->setting_fd, &zero, &setting) ||
	    agent_read_sums(maps->ends_fd, MSS_END_COUNT, 1, m.ends))
		return;
	m.setting = setting.mss;
	read_services(maps->services_fd, &m);
	if (m.setting == AGENT_MSS_OFF)
		m.force = AGENT_MSS_NOT_USED;
	else if (uses_map(agent_tc_program(ifindex, BPF_TC_EGRESS), maps->setting_fd))
		m.force = AGENT_MSS_IN_FORCE;
	else
		m.force = AGENT_MSS_MISSING;
	*out = m;
}

const char *agent_mss_trouble(const struct agent_mss *m)
{
	uint64_t n_synacks = 0;

	if (m->force == AGENT_MSS_NOT_USED)
		return NULL;
	if (m->force == AGENT_MSS_UNKNOWN)
		return "whether the MSS of SYN-ACKs is lowered is not known: another release's program "
		       "is attached; attach the agent again";
	if (m->force == AGENT_MSS_MISSING)
		return "the MSS of SYN-ACKs is not lowered: the agent's program at the interface's "
		       "egress is missing; attach the agent again, or set advmss on the routes and "
		       "attach it with --mss off";
	for (int i = MSS_LOWERED; i < MSS_END_COUNT; i++)
		n_synacks += m->ends[i];
	if (m->ends[MSS_SYN] >= SILENT_SYNS && !n_synacks)
		return "SYNs came in tunnels, but no SYN-ACK has left by this interface, so no MSS is "
		       "lowered: if replies leave by another interface, set advmss on its routes "
		       "and attach the agent with --mss off";
	return NULL;
}
