/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * User-space half of the backend agent: load, pin, replace, read. The link that is pinned at
 * BPF_DIR/agent-IFNAME leads to program and maps. Any thread; nothing is kept between calls.
 */
#include "weir/agent.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "weir/bpf_reason.h"
#include "bpf/agent_maps.h"
#include "bpf/agent_second.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* bpftool's code */
#pragma GCC diagnostic ignored "-Wshadow"
#include "bpf/agent.skel.h"
#pragma GCC diagnostic pop

#define BPF_FS_MAGIC_NUMBER 0xcafe4a11u /* BPF_FS_MAGIC of linux/magic.h */
#define MAPS_MAX            8           /* of a program: three named ones and .rodata fit */
#define PIN_PATH_MAX        512         /* bytes; a longer --bpf-dir is refused */

/* What the pin holds. */
struct held {
	int link_fd, prog_fd, counters_fd, prefixes_fd, netns_fd;
	uint32_t prog_id, ifindex;
	uint64_t loaded_ns;
};
static const struct held held_nothing = { -1, -1, -1, -1, -1, 0, 0, 0 };

static int __attribute__((format(printf, 3, 4)))
set_error(char *error, int err, const char *format, ...)
{
	va_list args;

	if (error) {
		va_start(args, format);
		vsnprintf(error, AGENT_ERROR_MAX, format, args);
		va_end(args);
	}
	return err;
}

/* Why the pin at @p path cannot be used, and what to do. @return @p err */
static int refuse_pin(char *error, int err, const char *path)
{
	if (err == -EEXIST)
		return set_error(error, err,
		                 "%s: belongs to another interface or namespace: run weir-agent "
		                 "detach there, or give another --bpf-dir here",
		                 path);
	if (err == -EACCES || err == -EPERM)
		return set_error(error, err, "%s cannot be read (%s): do it as root", path,
		                 strerror(-err));
	return set_error(error, err, "%s: %s", path, strerror(-err));
}

static int drop_libbpf_line(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* Before libbpf is used: it reports by return values and writes nothing to standard error. */
static void prepare_libbpf(char *error)
{
	if (error)
		error[0] = '\0';
	libbpf_set_print(drop_libbpf_line);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void held_fini(struct held *h)
{
	close_fd(&h->link_fd);
	close_fd(&h->prog_fd);
	close_fd(&h->counters_fd);
	close_fd(&h->prefixes_fd);
	close_fd(&h->netns_fd);
}

static int pin_path(const char *bpf_dir, const char *ifname, char out[PIN_PATH_MAX])
{
	int n = snprintf(out, PIN_PATH_MAX, "%s/agent-%s", bpf_dir, ifname);

	return n < 0 || n >= PIN_PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Take the maps of the program with @p ids into @p h by their names. */
static void keep_maps(struct held *h, const uint32_t *ids, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);
		int fd = bpf_map_get_fd_by_id(ids[i]);

		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &size))
			info.name[0] = '\0';
		if (!strcmp(info.name, "agent_counters") && h->counters_fd < 0)
			h->counters_fd = fd;
		else if (!strcmp(info.name, "agent_prefixes") && h->prefixes_fd < 0)
			h->prefixes_fd = fd;
		else if (!strcmp(info.name, "agent_netns") && h->netns_fd < 0)
			h->netns_fd = fd;
		else
			close(fd);
	}
}

/* Open what the pin at @p path holds. 0, -ENOENT or -errno */
static int held_open(const char *path, struct held *out)
{
	struct held h = held_nothing;
	struct bpf_link_info link = { 0 };
	struct bpf_prog_info prog = { 0 };
	uint32_t ids[MAPS_MAX] = { 0 }, size = sizeof(link);
	int err;

	h.link_fd = bpf_obj_get(path);
	if (h.link_fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(h.link_fd, &link, &size))
		goto failed;
	h.prog_id = link.prog_id;
	h.ifindex = link.xdp.ifindex;
	h.prog_fd = bpf_prog_get_fd_by_id(h.prog_id);
	if (h.prog_fd < 0)
		goto failed;
	prog.nr_map_ids = MAPS_MAX;
	prog.map_ids = (uint64_t)(uintptr_t)ids;
	size = sizeof(prog);
	if (bpf_obj_get_info_by_fd(h.prog_fd, &prog, &size))
		goto failed;
	h.loaded_ns = prog.load_time;
	keep_maps(&h, ids, prog.nr_map_ids < MAPS_MAX ? prog.nr_map_ids : MAPS_MAX);
	*out = h;
	return 0;
failed:
	err = -errno;
	held_fini(&h);
	return err;
}

/* The XDP program of an interface, and whether it sits in the driver. */
static int query_program(unsigned ifindex, uint32_t *prog_id, bool *native)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);
	int err = bpf_xdp_query((int)ifindex, 0, &q);

	if (err)
		return err;
	*prog_id = q.prog_id;
	*native = q.attach_mode == XDP_ATTACHED_DRV;
	return 0;
}

/*
 * Open the agent of the interface with index @p ifindex: its pin, its interface and what is attached there agree.
 * -ENOENT: there is no pin, or (@p stale set) its interface is gone.
 */
static int agent_find(const char *path, unsigned ifindex, struct held *out, bool *native,
                      bool *stale)
{
	struct held h;
	uint32_t prog_id = 0;
	int err = held_open(path, &h);

	*stale = false;
	if (err)
		return err;
	if (h.ifindex == 0) {
		*stale = true;
		held_fini(&h);
		return -ENOENT;
	}
	err = query_program(ifindex, &prog_id, native);
	if (!err && (h.ifindex != ifindex || prog_id != h.prog_id))
		err = -EEXIST;
	if (err) {
		held_fini(&h);
		return err;
	}
	*out = h;
	return 0;
}

static int check_options(const char *ifname, const struct agent_options *o, unsigned *ifindex,
                         char *error)
{
	if (o->n_prefixes < 1 || o->n_prefixes + o->n_owners > AGENT_PREFIXES_MAX)
		return set_error(error, -EINVAL, "%zu source prefixes given, 1 to %u expected",
		                 o->n_prefixes + o->n_owners, AGENT_PREFIXES_MAX);
	if (o->n_netns > AGENT_NETNS_MAX)
		return set_error(error, -EINVAL, "%zu namespaces given, at most %u expected",
		                 o->n_netns, AGENT_NETNS_MAX);
	*ifindex = if_nametoindex(ifname);
	if (!*ifindex)
		return set_error(error, -ENODEV, "no interface %s in this network namespace",
		                 ifname);
	return 0;
}

/* Make @p dir and what is missing above it; it must lie in a bpffs then. */
static int make_pin_dir(const char *dir, char *error)
{
	char path[PIN_PATH_MAX];
	struct statfs fs;

	if (snprintf(path, sizeof(path), "%s", dir) >= (int)sizeof(path))
		return set_error(error, -ENAMETOOLONG, "%.100s...: too long", dir);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) && errno != EEXIST)
			return set_error(error, -errno, "%s: %s", path, strerror(errno));
		*slash = '/';
	}
	if (mkdir(path, 0755) && errno != EEXIST)
		return set_error(error, -errno, "%s: %s", path, strerror(errno));
	if (statfs(path, &fs))
		return set_error(error, -errno, "%s: %s", path, strerror(errno));
	if ((unsigned long)fs.f_type != BPF_FS_MAGIC_NUMBER)
		return set_error(error, -EINVAL, "%s: not on a BPF file system (mount -t bpf)",
		                 path);
	return 0;
}

/* Whether the trie holds this very key: a look-up alone finds shorter prefixes, too. */
static bool holds_key(int map_fd, const struct agent_key *key)
{
	struct agent_key at;

	for (int err = bpf_map_get_next_key(map_fd, NULL, &at); !err;
	     err = bpf_map_get_next_key(map_fd, &at, &at))
		if (!memcmp(&at, key, sizeof(at)))
			return true;
	return false;
}

/* Let @p prefixes be used for @p use, beside what they are used for already. */
static int fill_prefixes(int map_fd, const struct prefix *prefixes, size_t n, uint32_t use)
{
	for (size_t i = 0; i < n; i++) {
		struct agent_key key;
		uint32_t uses = 0;

		key.bits = prefixes[i].bits + (addr_is4(&prefixes[i].addr) ? 96u : 0u);
		memcpy(key.source, prefixes[i].addr.bytes, sizeof(key.source));
		if (!holds_key(map_fd, &key) || bpf_map_lookup_elem(map_fd, &key, &uses))
			uses = 0;
		uses |= use;
		if (bpf_map_update_elem(map_fd, &key, &uses, BPF_ANY))
			return -errno;
	}
	return 0;
}

/* The namespaces to search: this one and those given by --netns. */
static int fill_netns(int map_fd, const struct agent_options *o, char *error)
{
	struct agent_spaces spaces = { .n = 1, .id = { -1 } };
	uint32_t zero = 0;

	for (size_t i = 0; i < o->n_netns; i++) {
		int err = agent_netns_id(o->netns[i], &spaces.id[spaces.n++]);

		if (err)
			return set_error(error, err, "network namespace %s: %s", o->netns[i],
			                 strerror(-err));
	}
	if (bpf_map_update_elem(map_fd, &zero, &spaces, BPF_ANY))
		return set_error(error, -errno, "loading the agent: %s", strerror(errno));
	return 0;
}

/* Counters go on if the old program's have the present shape. */
static bool counters_fit(int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) &&
	       info.type == BPF_MAP_TYPE_PERCPU_ARRAY && info.max_entries == DECAP_REASON_COUNT &&
	       info.value_size == sizeof(struct agent_count);
}

/* Load a program for @p options, with the counters of @p old where it has some. */
static int load_agent(const struct agent_options *options, const struct held *old,
                      struct weir_agent_bpf **out, char *error)
{
	struct weir_agent_bpf *skel = weir_agent_bpf__open();
	char reason[BPF_REASON_MAX];
	int err;

	if (!skel)
		return set_error(error, -errno, "BPF object: %s", strerror(errno));
	if (old && counters_fit(old->counters_fd))
		bpf_map__reuse_fd(skel->maps.agent_counters, old->counters_fd);
	err = weir_agent_bpf__load(skel);
	if (!err)
		err = fill_prefixes(bpf_map__fd(skel->maps.agent_prefixes), options->prefixes,
		                    options->n_prefixes, AGENT_USE_SOURCE);
	if (!err)
		err = fill_prefixes(bpf_map__fd(skel->maps.agent_prefixes), options->owners,
		                    options->n_owners, AGENT_USE_OWNER);
	if (err)
		set_error(error, err, "loading the agent: %s", bpf_reason(err, "", reason));
	else
		err = fill_netns(bpf_map__fd(skel->maps.agent_netns), options, error);
	if (err)
		weir_agent_bpf__destroy(skel);
	else
		*out = skel;
	return err;
}

static int link_create(int prog_fd, unsigned ifindex, enum agent_mode mode)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	int fd = -1;

	if (mode != AGENT_MODE_GENERIC) {
		opts.flags = XDP_FLAGS_DRV_MODE;
		fd = bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);
		if (fd >= 0 || mode == AGENT_MODE_NATIVE || errno == EBUSY)
			return fd < 0 ? -errno : fd;
	}
	opts.flags = XDP_FLAGS_SKB_MODE;
	fd = bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);
	return fd < 0 ? -errno : fd;
}

static int attach_new(const char *path, const char *ifname, unsigned ifindex, int prog_fd,
                      enum agent_mode mode, char *error)
{
	int fd = link_create(prog_fd, ifindex, mode), err = 0;

	if (fd == -EBUSY || fd == -EEXIST)
		return set_error(error, -EBUSY, "%s: another XDP program is attached", ifname);
	if (fd < 0)
		return set_error(error, fd, "%s: attaching: %s", ifname, strerror(-fd));
	if (bpf_obj_pin(fd, path))
		err = set_error(error, -errno, "%s: pinning: %s", path, strerror(errno));
	close(fd);
	return err;
}

/*
 * Replace the program behind @p old. Another mode needs the old one off first, so packets meet no
 * agent for a moment; if the driver refuses the mode, the old program is attached again.
 */
static int replace_program(const char *path, const char *ifname, const struct held *old,
                           bool native, int prog_fd, enum agent_mode mode, char *error)
{
	int err;

	if (mode == AGENT_MODE_AUTO || (mode == AGENT_MODE_NATIVE) == native) {
		if (bpf_link_update(old->link_fd, prog_fd, NULL))
			return set_error(error, -errno, "%s: replacing: %s", ifname,
			                 strerror(errno));
		return 0;
	}
	if (bpf_link_detach(old->link_fd) || unlink(path))
		return set_error(error, -errno, "%s: taking the old agent off: %s", ifname,
		                 strerror(errno));
	err = attach_new(path, ifname, old->ifindex, prog_fd, mode, error);
	if (err && attach_new(path, ifname, old->ifindex, old->prog_fd,
	                      native ? AGENT_MODE_NATIVE : AGENT_MODE_GENERIC, NULL))
		return set_error(error, err,
		                 "%s: the other mode was refused (%s), and the old agent could not "
		                 "be attached again: no agent runs now; attach it again",
		                 ifname, strerror(-err));
	return err;
}

/* Attach or detach the ingress program, before the XDP program readdresses any packet. */
static int attach_next(const char *ifname, unsigned ifindex, const struct agent_options *options,
                       const struct weir_agent_bpf *skel, char *error)
{
	int fd = bpf_program__fd(skel->progs.weir_agent_next);
	int err =
	        options->n_owners ? agent_second_attach(ifindex, fd) : agent_second_detach(ifindex);

	if (err)
		set_error(error, err, "%s: attaching at its ingress: %s", ifname, strerror(-err));
	return err;
}

int agent_attach(const char *ifname, const struct agent_options *options,
                 char error[AGENT_ERROR_MAX])
{
	struct weir_agent_bpf *skel = NULL;
	struct held old = held_nothing;
	char path[PIN_PATH_MAX];
	bool native = false, stale = false;
	unsigned ifindex = 0;
	int err;

	prepare_libbpf(error);
	err = check_options(ifname, options, &ifindex, error);
	if (!err)
		err = make_pin_dir(options->bpf_dir, error);
	if (!err && pin_path(options->bpf_dir, ifname, path))
		err = set_error(error, -ENAMETOOLONG, "%s: too long", options->bpf_dir);
	if (err)
		return err;
	int found = agent_find(path, ifindex, &old, &native, &stale);
	if (found && found != -ENOENT)
		return refuse_pin(error, found, path);
	if (stale)
		unlink(path);
	bool had_next = agent_second_is_attached(ifindex);
	err = load_agent(options, found ? NULL : &old, &skel, error);
	if (!err)
		err = attach_next(ifname, ifindex, options, skel, error);
	if (!err && found)
		err = attach_new(path, ifname, ifindex, bpf_program__fd(skel->progs.weir_agent),
		                 options->mode, error);
	else if (!err)
		err = replace_program(path, ifname, &old, native,
		                      bpf_program__fd(skel->progs.weir_agent), options->mode,
		                      error);
	if (err && !had_next) /* as it was: nothing stays at the ingress, either */
		agent_second_detach(ifindex);
	weir_agent_bpf__destroy(skel);
	held_fini(&old);
	return err;
}

/* Open the agent of @p ifname for detach and status. */
static int find_by_name(const char *ifname, const char *bpf_dir, char path[PIN_PATH_MAX],
                        struct held *out, bool *native, char *error)
{
	bool stale = false;
	int err = pin_path(bpf_dir, ifname, path);

	if (err)
		return set_error(error, err, "%s: too long", bpf_dir);
	err = agent_find(path, if_nametoindex(ifname), out, native, &stale);
	if (stale)
		unlink(path);
	if (err == -ENOENT)
		return set_error(error, err, "no agent on %s", ifname);
	return err ? refuse_pin(error, err, path) : 0;
}

int agent_detach(const char *ifname, const char *bpf_dir, char error[AGENT_ERROR_MAX])
{
	char path[PIN_PATH_MAX];
	struct held h;
	bool native;
	int err;

	prepare_libbpf(error);
	err = find_by_name(ifname, bpf_dir, path, &h, &native, error);
	if (err)
		return err;
	if (unlink(path) || bpf_link_detach(h.link_fd))
		err = set_error(error, -errno, "%s: %s", path, strerror(errno));
	else
		agent_second_detach(h.ifindex);
	held_fini(&h);
	return err;
}

/* Sum each reason over all possible CPUs: the map has a value for each of them. */
static int read_counts(int fd, struct agent_count counts[DECAP_REASON_COUNT])
{
	int n_cpus = libbpf_num_possible_cpus();
	struct agent_count *per_cpu;

	if (n_cpus < 1)
		return n_cpus ? n_cpus : -EPROTO;
	if (!counters_fit(fd))
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
static size_t read_prefixes(int fd, struct agent_prefix *out)
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
static uint32_t read_netns(int fd)
{
	struct agent_spaces spaces;
	uint32_t zero = 0;

	return bpf_map_lookup_elem(fd, &zero, &spaces) ? 0 : spaces.n;
}

int agent_status(const char *ifname, const char *bpf_dir, struct agent_status *out,
                 char error[AGENT_ERROR_MAX])
{
	char path[PIN_PATH_MAX];
	struct held h;
	bool native = false;
	int err;

	prepare_libbpf(error);
	err = find_by_name(ifname, bpf_dir, path, &h, &native, error);
	if (err)
		return err;
	struct agent_status *s = calloc(1, sizeof(*s));
	err = s ? read_counts(h.counters_fd, s->counts) : -ENOMEM;
	if (!err) {
		s->mode = native ? AGENT_MODE_NATIVE : AGENT_MODE_GENERIC;
		s->prog_id = h.prog_id;
		s->since_mono_ms = h.loaded_ns / 1000000;
		s->n_prefixes = read_prefixes(h.prefixes_fd, s->prefixes);
		s->n_netns = read_netns(h.netns_fd);
		s->passes_on = agent_second_is_attached(h.ifindex);
		*out = *s;
	} else {
		set_error(error, err, "%s: reading: %s", path, strerror(-err));
	}
	free(s);
	held_fini(&h);
	return err;
}
