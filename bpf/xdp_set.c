/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A set of tables in array maps that are mapped into memory, with the program that reads them.
 *
 * libbpf opens the program's object from memory. Before it is loaded, each map gets its size, or is
 * replaced by a map that exists already; so a new program takes over living tables. Maps are pinned
 * one by one under a new name and renamed, which replaces a pin in one step. A set of another
 * layout or size is refused, never converted. One thread.
 */
#include "bpf/xdp_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* bpftool's code */
#pragma GCC diagnostic ignored "-Wshadow"
#include "bpf/weir.skel.h"
#pragma GCC diagnostic pop

#define LOG_BYTES (16u * 1024) /* for the verifier's log, of which the last line is shown */
/*
 * What is wrong and the statistics, nothing else. Without a level libbpf would try again with all that the verifier
 * does; that overflows any log, of which Linux before 6.4 keeps the beginning and says ENOSPC.
 */
#define LOG_STATS 4u

static size_t count_map_bytes(const struct layout_table *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (layout_bytes(map) + page - 1) / page * page;
}

void xdp_set_init(struct xdp_set *s)
{
	memset(s, 0, sizeof(*s));
	layout_list(&s->tables, s->maps);
	s->prog_fd = -1;
	s->ports_fd = -1;
	for (int m = 0; m < FWD_TABLE_COUNT; m++)
		s->map_fds[m] = -1;
}

void xdp_set_close_fds(struct xdp_set *s)
{
	for (int m = 0; m < FWD_TABLE_COUNT; m++)
		if (s->map_fds[m] >= 0)
			close(s->map_fds[m]);
	if (s->prog_fd >= 0)
		close(s->prog_fd);
	if (s->ports_fd >= 0)
		close(s->ports_fd);
	xdp_set_init(s);
}

void xdp_set_close(struct xdp_set *s)
{
	for (int m = 0; m < FWD_TABLE_COUNT; m++)
		if (s->maps[m].memory)
			munmap(s->maps[m].memory, count_map_bytes(&s->maps[m]));
	xdp_set_close_fds(s);
}

void xdp_unmap(struct fwd_tables *t)
{
	struct xdp_set s;

	xdp_set_init(&s);
	layout_list(t, s.maps);
	xdp_set_close(&s);
	*t = (struct fwd_tables){ 0 };
}

static int map_memory(struct xdp_set *s, bool writable, struct driver_reason *reason)
{
	int rights = writable ? PROT_READ | PROT_WRITE : PROT_READ;

	for (int m = 0; m < FWD_TABLE_COUNT; m++) {
		struct layout_table *map = &s->maps[m];
		void *p;

		p = mmap(NULL, count_map_bytes(map), rights, MAP_SHARED, s->map_fds[m], 0);
		if (p == MAP_FAILED)
			return driver_set_reason(reason, -errno,
			                         "table %s cannot be mapped into memory: %s",
			                         map->name, strerror(errno));
		map->memory = p;
	}
	layout_set(&s->tables, s->maps);
	return 0;
}

/* Check a pinned map and note its number of elements. */
static int check_map(int fd, struct layout_table *map, struct driver_reason *reason)
{
	struct bpf_map_info info = { 0 };
	uint32_t n = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &n))
		return driver_set_reason(reason, -errno, "table %s cannot be read: %s", map->name,
		                         strerror(errno));
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != map->element_bytes ||
	    !(info.map_flags & BPF_F_MMAPABLE))
		return driver_set_reason(
		        reason, -EPROTO,
		        "pinned table %s has another layout (%u bytes an element, not %zu)",
		        map->name, info.value_size, map->element_bytes);
	map->elements = info.max_entries;
	return 0;
}

/* The sizes in root must be those of the maps, as packets compute their indexes from root's. */
static int read_sizes(struct xdp_set *s, struct driver_reason *reason)
{
	const struct fwd_root *root = s->tables.root;
	struct layout_table expected[FWD_TABLE_COUNT];

	if (root->layout != FWD_TABLES_LAYOUT)
		return driver_set_reason(reason, -EPROTO,
		                         "pinned tables have layout %u, this release has %u",
		                         root->layout, FWD_TABLES_LAYOUT);
	s->sizes = (struct driver_sizes){
		.services = root->n_services,
		.service_counts = root->n_service_counts,
		.pools = s->tables.n_pools,
		.backends = root->n_backends,
		.slots = root->n_slots,
		.exception_buckets = root->n_exception_buckets,
	};
	layout_size(&s->sizes, root->n_cpus, expected);
	for (int m = 0; m < FWD_TABLE_COUNT; m++)
		if (s->maps[m].elements != expected[m].elements)
			return driver_set_reason(
			        reason, -EPROTO,
			        "pinned tables do not have the sizes that their root names");
	return 0;
}

/*
 * Opened for writing even by readers: the kernel maps no memory of a map that was opened read-only.
 */
static int open_pins(struct xdp_set *s, const char *dir, unsigned number,
                     struct driver_reason *reason)
{
	char path[PATH_MAX];

	for (int m = 0; m < FWD_TABLE_COUNT; m++) {
		int err;

		snprintf(path, sizeof(path), "%s/tables-%u/%s", dir, number, s->maps[m].name);
		s->map_fds[m] = bpf_obj_get(path);
		if (s->map_fds[m] < 0)
			return driver_set_reason(
			        reason, -errno, "pinned table %s cannot be opened: %s%s", path,
			        strerror(errno),
			        errno == EPERM || errno == EACCES
			                ? "; do it as root, or as the pins' owner with CAP_BPF"
			                : "");
		err = check_map(s->map_fds[m], &s->maps[m], reason);
		if (err)
			return err;
	}
	return 0;
}

int xdp_set_open(struct xdp_set *s, const char *dir, unsigned number, bool writable,
                 struct driver_reason *reason)
{
	int err = open_pins(s, dir, number, reason);

	if (!err)
		err = map_memory(s, writable, reason);
	if (!err)
		err = read_sizes(s, reason);
	if (err) {
		xdp_set_close(s);
		return err;
	}
	s->number = number;
	return 0;
}

/*
 * A map in the program's object. Root is a data section there, whose name a pin cannot have (dots).
 */
static struct bpf_map *find_map(const struct bpf_object *o, const struct xdp_set *s,
                                enum fwd_table m)
{
	const char *name = m == FWD_TABLE_ROOT ? ".data.root" : s->maps[m].name;

	return bpf_object__find_map_by_name(o, name);
}

/* Give each map of @p o its size, or put the existing map in its place. */
static int prepare_maps(struct xdp_set *s, struct bpf_object *o)
{
	for (int m = 0; m < FWD_TABLE_COUNT; m++) {
		struct bpf_map *map = find_map(o, s, m);
		int err;

		if (!map)
			return -ENOENT;
		if (s->map_fds[m] >= 0)
			err = bpf_map__reuse_fd(map, s->map_fds[m]);
		else
			err = bpf_map__set_max_entries(map, (uint32_t)s->maps[m].elements);
		if (err)
			return err;
	}
	return 0;
}

static int dup_fd(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

/* Keep the program's own map of ports. It is new and empty with each program: attach() fills it. */
static int keep_ports_map(struct xdp_set *s, const struct bpf_object *o)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(o, "ports");
	int fd = map ? dup_fd(bpf_map__fd(map)) : -ENOENT;

	if (fd < 0)
		return fd;
	if (s->ports_fd >= 0)
		close(s->ports_fd);
	s->ports_fd = fd;
	return 0;
}

int xdp_set_port(const struct xdp_set *s, uint32_t ifindex, bool ours)
{
	if (ours)
		return bpf_map_update_elem(s->ports_fd, &ifindex, &ifindex, BPF_ANY) ? -errno : 0;
	return bpf_map_delete_elem(s->ports_fd, &ifindex) ? -errno : 0;
}

/*
 * Keep the descriptors that outlive the object: libbpf closes its own. Maps that we had stay as
 * they are.
 */
static int keep_fds(struct xdp_set *s, struct bpf_object *o)
{
	struct bpf_program *prog = bpf_object__next_program(o, NULL);
	int prog_fd = prog ? dup_fd(bpf_program__fd(prog)) : -ENOENT;
	int err;

	if (prog_fd < 0)
		return prog_fd;
	err = keep_ports_map(s, o);
	if (err) {
		close(prog_fd);
		return err;
	}
	for (int m = 0; m < FWD_TABLE_COUNT; m++) {
		if (s->map_fds[m] >= 0)
			continue;
		s->map_fds[m] = dup_fd(bpf_map__fd(find_map(o, s, m)));
		if (s->map_fds[m] < 0) {
			close(prog_fd);
			return s->map_fds[m];
		}
	}
	if (s->prog_fd >= 0)
		close(s->prog_fd);
	s->prog_fd = prog_fd;
	return 0;
}

int xdp_set_load(struct xdp_set *s, struct driver_reason *reason)
{
	char *log = calloc(1, LOG_BYTES);
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "weir", .kernel_log_buf = log,
	            .kernel_log_size = LOG_BYTES, .kernel_log_level = LOG_STATS);
	struct bpf_object *o = NULL;
	const void *bytes;
	size_t n;
	int err = log ? 0 : -ENOMEM;

	if (!err) {
		bytes = weir_weir_bpf__elf_bytes(&n);
		o = bpf_object__open_mem(bytes, n, &opts);
		err = o ? prepare_maps(s, o) : -errno;
	}
	if (!err)
		err = bpf_object__load(o);
	if (err) {
		xdp_explain_load(reason, err, log ? log : "");
	} else {
		err = keep_fds(s, o);
		if (err)
			driver_set_reason(reason, err,
			                  "the program and its tables cannot be kept open: %s",
			                  strerror(-err));
	}
	bpf_object__close(o);
	free(log);
	return err;
}

int xdp_set_make(struct xdp_set *s, const struct driver_sizes *sizes, struct driver_reason *reason)
{
	int n_cpus = libbpf_num_possible_cpus();
	int err;

	if (n_cpus <= 0)
		return driver_set_reason(reason, n_cpus ? n_cpus : -EIO,
		                         "the number of CPUs is not known");
	n_cpus++; /* the last row is user space's own, for carried counters: carry.h */
	s->sizes = *sizes;
	layout_size(sizes, (uint64_t)n_cpus, s->maps);
	err = xdp_set_load(s, reason);
	if (!err)
		err = map_memory(s, true, reason);
	if (err) {
		xdp_set_close(s);
		return err;
	}
	layout_root(&s->tables, &s->sizes);
	err = xdp_clock_sync(s->tables.root);
	if (err) {
		driver_set_reason(reason, err, "the kernel's tick cannot be read: %s",
		                  strerror(-err));
		xdp_set_close(s);
	}
	return err;
}

int xdp_set_pin(struct xdp_set *s, const char *dir, unsigned number, struct driver_reason *reason)
{
	char path[PATH_MAX];
	int err = 0;

	snprintf(path, sizeof(path), "%s/tables-%u", dir, number);
	if (mkdir(path, 0700) && errno != EEXIST)
		return driver_set_reason(reason, -errno, "%s cannot be made: %s", path,
		                         strerror(errno));
	for (int m = 0; m < FWD_TABLE_COUNT && !err && s->number != number; m++) {
		snprintf(path, sizeof(path), "%s/tables-%u/%s", dir, number, s->maps[m].name);
		err = xdp_pin_over(s->map_fds[m], path);
	}
	if (!err) {
		snprintf(path, sizeof(path), "%s/tables-%u/prog", dir, number);
		err = xdp_pin_over(s->prog_fd, path);
	}
	if (err)
		return driver_set_reason(reason, err, "%s cannot be pinned: %s", path,
		                         strerror(-err));
	s->number = number;
	return 0;
}

void xdp_set_keep(const struct xdp_set *s, const char *dir, bool in_force, struct xdp_pins *k)
{
	char path[PATH_MAX];
	unsigned number;

	snprintf(path, sizeof(path), "%s/tables-%u", dir, s->number);
	(void)mkdir(path, 0700);
	for (int m = 0; m < FWD_TABLE_COUNT; m++) {
		snprintf(path, sizeof(path), "%s/tables-%u/%s", dir, s->number, s->maps[m].name);
		xdp_pin_keep(k, s->map_fds[m], path);
	}
	if (!in_force)
		return;
	snprintf(path, sizeof(path), "%s/tables-%u/prog", dir, s->number);
	xdp_pin_keep(k, s->prog_fd, path);
	if (xdp_current(dir, &number) || number != s->number) {
		snprintf(path, sizeof(path), "%s/current", dir);
		xdp_pins_note(k, xdp_current_set(dir, s->number), path);
	}
}

void xdp_set_unpin(const char *dir, unsigned number)
{
	char path[PATH_MAX];
	struct xdp_set s;

	xdp_set_init(&s);
	for (int m = 0; m <= FWD_TABLE_COUNT; m++) {
		snprintf(path, sizeof(path), "%s/tables-%u/%s", dir, number,
		         m < FWD_TABLE_COUNT ? s.maps[m].name : "prog");
		(void)unlink(path);
	}
	snprintf(path, sizeof(path), "%s/tables-%u", dir, number);
	(void)rmdir(path);
}

int xdp_current(const char *dir, unsigned *number)
{
	char path[PATH_MAX], text[64], end;
	unsigned n;
	ssize_t got;

	snprintf(path, sizeof(path), "%s/current", dir);
	got = readlink(path, text, sizeof(text) - 1);
	if (got < 0)
		return -errno;
	text[got] = 0;
	if (sscanf(text, "tables-%u%c", &n, &end) != 1 || !n)
		return -ENOENT;
	*number = n;
	return 0;
}

int xdp_current_set(const char *dir, unsigned number)
{
	char path[PATH_MAX], beside[PATH_MAX], text[64];

	snprintf(path, sizeof(path), "%s/current", dir);
	if ((size_t)snprintf(beside, sizeof(beside), "%s/current-new", dir) >= sizeof(beside))
		return -ENAMETOOLONG;
	snprintf(text, sizeof(text), "tables-%u", number);
	(void)unlink(beside);
	if (symlink(text, beside) || rename(beside, path))
		return -errno;
	return 0;
}

unsigned xdp_sets_tidy(const char *dir, unsigned keep)
{
	DIR *d = opendir(dir);
	const struct dirent *e;
	unsigned n, last = keep;
	char end;

	while (d && (e = readdir(d))) {
		if (sscanf(e->d_name, "tables-%u%c", &n, &end) != 1)
			continue;
		if (n > last)
			last = n;
		if (n != keep)
			xdp_set_unpin(dir, n);
	}
	if (d)
		closedir(d);
	return last;
}
