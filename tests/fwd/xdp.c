/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables in the maps of an XDP program that is attached to nothing. */
#include "fwd/world.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* bpftool's code */
#pragma GCC diagnostic ignored "-Wshadow"
#include "bpf/weir.skel.h"
#pragma GCC diagnostic pop
#include "fwd/world_private.h"

__attribute__((format(printf, 2, 0))) static int print_errors(enum libbpf_print_level level,
                                                              const char *format, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

static int map_table(struct bpf_map *map, void **out)
{
	size_t size = (size_t)bpf_map__max_entries(map) * ((bpf_map__value_size(map) + 7) / 8 * 8);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, (size + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED,
	               bpf_map__fd(map), 0);

	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

#define EACH_TABLE(X)                                                                              \
	X(services)                                                                                \
	X(pools)                                                                                   \
	X(slots)                                                                                   \
	X(colds)                                                                                   \
	X(backends)                                                                                \
	X(exceptions)                                                                              \
	X(fragments) X(destinations) X(macs) X(cpus) X(service_counts) X(backend_counts)

static int set_sizes(struct world *w)
{
	int err = 0;

#define SET(name)                                                                                  \
	if (!err)                                                                                  \
		err = bpf_map__set_max_entries(w->skel->maps.name, w->t.n_##name);
	EACH_TABLE(SET)
#undef SET
	return err;
}

static int map_tables(struct world *w)
{
	void *p = NULL;
	int err = map_table(w->skel->maps.data_root, &p);

	if (!err)
		w->t.root = p;
#define MAP(name)                                                                                  \
	if (!err) {                                                                                \
		err = map_table(w->skel->maps.name, &p);                                           \
		w->t.name = p;                                                                     \
	}
	EACH_TABLE(MAP)
#undef MAP
	return err;
}

int world_init_xdp(struct world *w, const struct driver_sizes *sizes)
{
	int err;

	memset(w, 0, sizeof(*w));
	libbpf_set_print(print_errors);
	w->sizes = *sizes;
	layout_count(&w->t, sizes, (uint32_t)libbpf_num_possible_cpus());
	w->skel = weir_weir_bpf__open();
	if (!w->skel)
		return -errno;
	err = set_sizes(w);
	if (!err)
		err = weir_weir_bpf__load(w->skel);
	if (!err)
		err = map_tables(w);
	if (err) {
		weir_weir_bpf__destroy(w->skel);
		return err;
	}
	w->prog_fd = bpf_program__fd(w->skel->progs.weir_forward);
	world_root(w);
	return 0;
}

void world_fini(struct world *w)
{
	if (w->skel)
		weir_weir_bpf__destroy(w->skel);
	else
		world_fini_memory(w);
}
