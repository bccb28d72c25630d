/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the maps of the agent's XDP program (agent_read.h). Any thread. */
#include "bpf/agent_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/agent_maps.h"

/* Counters go on if the old program's have the present shape. */
bool agent_counters_fit(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) &&
	       info.type == BPF_MAP_TYPE_PERCPU_ARRAY && info.max_entries == DECAP_REASON_COUNT &&
	       info.value_size == sizeof(struct agent_count);
}

/* Sum each reason over all possible CPUs: the map has a value for each of them. */
int agent_read_counts(int fd, struct agent_count counts[DECAP_REASON_COUNT])
{
	int n_cpus = libbpf_num_possible_cpus();
	struct agent_count *per_cpu;

	if (n_cpus < 1)
		return n_cpus ? n_cpus : -EPROTO;
	if (!agent_counters_fit(fd))
		return -EPROTO;
	per_cpu = calloc((size_t)n_cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	for (uint32_t i = 0; i < DECAP_REASON_COUNT; i++) {
		if (bpf_map_lookup_elem(fd, &i, per_cpu)) {
			free(per_cpu);
			return -errno;
		}
		for (int c = 0; c < n_cpus; c++) {
			counts[i].packets += per_cpu[c].packets;
			counts[i].bytes += per_cpu[c].bytes;
		}
	}
	free(per_cpu);
	return 0;
}

static int by_prefix(const void *a, const void *b)
{
	const struct agent_prefix *x = a, *y = b;
	int order = addr_compare(&x->prefix.addr, &y->prefix.addr);

	return order ? order
	             : (x->prefix.bits > y->prefix.bits) - (x->prefix.bits < y->prefix.bits);
}

/* Walk the trie key by key, then sort: the kernel's order means nothing to a reader. */
size_t agent_read_prefixes(int fd, struct agent_prefix *out)
{
	struct agent_key key, next;
	uint32_t uses = 0;
	size_t n = 0;

	for (void *at = NULL; n < AGENT_PREFIXES_MAX && !bpf_map_get_next_key(fd, at, &next);
	     at = &key) {
		struct prefix *p = &out[n].prefix;

		key = next;
		memcpy(p->addr.bytes, key.source, sizeof(key.source));
		p->bits = (uint8_t)(key.bits - (addr_is4(&p->addr) && key.bits >= 96 ? 96 : 0));
		if (!bpf_map_lookup_elem(fd, &key, &uses))
			out[n].is_owner = uses & AGENT_USE_OWNER;
		n++;
	}
	qsort(out, n, sizeof(*out), by_prefix);
	return n;
}

/* How many namespaces are searched; 0 when the map cannot be read. */
uint32_t agent_read_netns(int fd)
{
	struct agent_spaces spaces;
	uint32_t zero = 0;

	return bpf_map_lookup_elem(fd, &zero, &spaces) ? 0 : spaces.n;
}
