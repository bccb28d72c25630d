/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading the maps of the agent's programs (agent_read.h). Any thread. */
#include "bpf/agent_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/agent_maps.h"

bool agent_map_fits(int fd, const struct agent_map_shape *shape)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == shape->type &&
	       info.max_entries == shape->entries && info.key_size == shape->key_bytes &&
	       info.value_size == shape->value_bytes;
}

/* The map has a value for each possible CPU. */
int agent_read_sums(int fd, uint32_t n, uint32_t words, uint64_t *sums)
{
	int n_cpus = libbpf_num_possible_cpus(), err = 0;
	uint64_t *per_cpu;

	if (n_cpus < 1)
		return n_cpus ? n_cpus : -EPROTO;
	per_cpu = calloc((size_t)n_cpus * words, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !err; i++) {
		err = bpf_map_lookup_elem(fd, &i, per_cpu) ? -errno : 0;
		for (uint32_t at = 0; at < (uint32_t)n_cpus * words && !err; at++)
			sums[i * words + at % words] += per_cpu[at];
	}
	free(per_cpu);
	return err;
}

bool agent_counters_fit(int fd)
{
	static const struct agent_map_shape shape = { BPF_MAP_TYPE_PERCPU_ARRAY, DECAP_REASON_COUNT,
		                                      sizeof(uint32_t),
		                                      sizeof(struct agent_count) };

	return agent_map_fits(fd, &shape);
}

int agent_read_counts(int fd, struct agent_count counts[DECAP_REASON_COUNT])
{
	uint64_t sums[DECAP_REASON_COUNT][2] = { 0 };
	int err = agent_counters_fit(fd) ? agent_read_sums(fd, DECAP_REASON_COUNT, 2, sums[0])
	                                 : -EPROTO;

	for (uint32_t i = 0; i < DECAP_REASON_COUNT && !err; i++)
		counts[i] = (struct agent_count){ .packets = sums[i][0], .bytes = sums[i][1] };
	return err;
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
