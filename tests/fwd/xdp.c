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

/* The maps of the program, by enum fwd_table. */
static void list_maps(const struct weir_weir_bpf *skel, struct bpf_map *out[FWD_TABLE_COUNT])
{
	out[FWD_TABLE_ROOT] = skel->maps.data_root;
#define LIST_MAP(name, element, count) out[FWD_TABLE_##name] = skel->maps.name;
	FWD_TABLES(LIST_MAP)
#undef LIST_MAP
}

static int load_tables(struct world *w, struct layout_table tables[FWD_TABLE_COUNT])
{
	struct bpf_map *maps[FWD_TABLE_COUNT];
	int err = 0;

	list_maps(w->skel, maps);
	for (int i = FWD_TABLE_ROOT + 1; i < FWD_TABLE_COUNT && !err; i++)
		err = bpf_map__set_max_entries(maps[i], (uint32_t)tables[i].elements);
	if (!err)
		err = weir_weir_bpf__load(w->skel);
	for (int i = 0; i < FWD_TABLE_COUNT && !err; i++)
		err = map_table(maps[i], &tables[i].memory);
	layout_set(&w->t, tables);
	return err;
}

int world_init_xdp(struct world *w, const struct driver_sizes *sizes)
{
	struct layout_table tables[FWD_TABLE_COUNT];
	int err;

	memset(w, 0, sizeof(*w));
	libbpf_set_print(print_errors);
	w->sizes = *sizes;
	layout_list(&w->t, tables);
	layout_size(sizes, (uint32_t)libbpf_num_possible_cpus(), tables);
	w->skel = weir_weir_bpf__open();
	if (!w->skel)
		return -errno;
	err = load_tables(w, tables);
	if (err) {
		weir_weir_bpf__destroy(w->skel);
		return err;
	}
	w->prog_fd = bpf_program__fd(w->skel->progs.weir_forward);
	world_root(w);
	return 0;
}

int world_map_fd(const struct world *w, enum fwd_table table)
{
	struct bpf_map *maps[FWD_TABLE_COUNT];

	list_maps(w->skel, maps);
	return bpf_map__fd(maps[table]);
}

void world_fini(struct world *w)
{
	if (w->skel)
		weir_weir_bpf__destroy(w->skel);
	else
		world_fini_memory(w);
}
