/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * User-space half of the backend agent: load, pin, replace, read. The link that is pinned at
 * BPF_DIR/agent-IFNAME (':' for '.') leads to program and maps. Any thread; nothing is kept between calls.
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
#include "bpf/agent_mss.h"
#include "bpf/agent_read.h"
#include "bpf/agent_second.h"
#include "bpf/agent_tc.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual" /* bpftool's code */
#pragma GCC diagnostic ignored "-Wshadow"
#include "bpf/agent.skel.h"
#pragma GCC diagnostic pop

#define BPF_FS_MAGIC_NUMBER 0xcafe4a11u /* BPF_FS_MAGIC of linux/magic.h */
#define MAPS_MAX            8           /* of a program: six named ones and .rodata fit */
#define PIN_PATH_MAX        512         /* bytes; a longer --bpf-dir is refused */

/* What the pin holds. */
struct held {
	int link_fd, prog_fd, counters_fd, prefixes_fd, netns_fd;
	struct agent_mss_maps mss;
	uint32_t prog_id, ifindex;
	uint64_t loaded_ns;
};
static const struct held held_nothing = { -1, -1, -1, -1, -1, { -1, -1, -1 }, 0, 0, 0 };

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
	close_fd(&h->mss.setting_fd);
	close_fd(&h->mss.ends_fd);
	close_fd(&h->mss.services_fd);
}

/* A BPF file system refuses names with dots (eth0.100): ':', which is in no interface's name, stands for them. */
static int pin_path(const char *bpf_dir, const char *ifname, char out[PIN_PATH_MAX])
{
	int n = snprintf(out, PIN_PATH_MAX, "%s/agent-%s", bpf_dir, ifname);

	if (n < 0 || n >= PIN_PATH_MAX)
		return -ENAMETOOLONG;
	for (char *p = out + strlen(bpf_dir); *p; p++)
		if (*p == '.')
			*p = ':';
	return 0;
}

/* Where @p h keeps the descriptor of the map called @p name; NULL: nowhere, or it has one already. */
static int *find_descriptor(struct held *h, const char *name)
{
	const struct {
		const char *name;
		int *fd;
	} maps[] = {
		{ "agent_counters", &h->counters_fd }, { "agent_prefixes", &h->prefixes_fd },
		{ "agent_netns", &h->netns_fd },       { "agent_mss", &h->mss.setting_fd },
		{ "agent_mss_ends", &h->mss.ends_fd }, { "agent_services", &h->mss.services_fd },
	};

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		if (!strcmp(maps[i].name, name))
			return *maps[i].fd < 0 ? maps[i].fd : NULL;
	return NULL;
}

/* Take the maps of the program with @p ids into @p h by their names. */
static void keep_maps(struct held *h, const uint32_t *ids, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);
		int fd = bpf_map_get_fd_by_id(ids[i]);
		int *kept;

		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &size))
			info.name[0] = '\0';
		kept = find_descriptor(h, info.name);
		if (kept)
			*kept = fd;
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
	if (agent_mss_refusal(o->mss))
		return set_error(error, -EINVAL, "%s", agent_mss_refusal(o->mss));
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

/* Fill the maps of a program that was loaded, but for the namespaces. */
static int fill_maps(const struct weir_agent_bpf *skel, const char *ifname,
                     const struct agent_options *options)
{
	int err = fill_prefixes(bpf_map__fd(skel->maps.agent_prefixes), options->prefixes,
	                        options->n_prefixes, AGENT_USE_SOURCE);

	if (!err)
		err = fill_prefixes(bpf_map__fd(skel->maps.agent_prefixes), options->owners,
		                    options->n_owners, AGENT_USE_OWNER);
	if (!err)
		err = agent_mss_fill(bpf_map__fd(skel->maps.agent_mss), ifname, options);
	return err;
}

/* Load a program for @p options, with the counters of @p old where it has some. */
static int load_agent(const char *ifname, const struct agent_options *options,
                      const struct held *old, struct weir_agent_bpf **out, char *error)
{
	struct weir_agent_bpf *skel = weir_agent_bpf__open();
	char reason[BPF_REASON_MAX];
	int err;

	if (!skel)
		return set_error(error, -errno, "BPF object: %s", strerror(errno));
	if (old && agent_counters_fit(old->counters_fd))
		bpf_map__reuse_fd(skel->maps.agent_counters, old->counters_fd);
	if (old && agent_mss_maps_fit(&old->mss)) {
		bpf_map__reuse_fd(skel->maps.agent_mss_ends, old->mss.ends_fd);
		bpf_map__reuse_fd(skel->maps.agent_services, old->mss.services_fd);
	}
	err = weir_agent_bpf__load(skel);
	if (!err)
		err = fill_maps(skel, ifname, options);
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

/* Attach the ingress program, before the XDP program readdresses any packet. */
static int attach_next(const char *ifname, unsigned ifindex, const struct weir_agent_bpf *skel,
                       char *error)
{
	int fd = bpf_program__fd(skel->progs.weir_agent_next);
	int err = agent_tc_attach(ifindex, BPF_TC_INGRESS, fd);

	if (err)
		set_error(error, err, "%s: attaching at its ingress: %s", ifname, strerror(-err));
	return err;
}

/*
 * Detach an earlier agent's, after the last XDP program that readdresses packets. Without one of these it does nothing,
 * so a failure is only a warning: the replacement is in place.
 */
static void detach_next(const char *ifname, unsigned ifindex, char *error)
{
	int err = agent_tc_detach(ifindex, BPF_TC_INGRESS);

	if (err)
		set_error(error, err,
		          "%s: detaching from its ingress: %s; what stays there does nothing",
		          ifname, strerror(-err));
}

/*
 * Attach or detach the program at the egress. Without it packets still come out of their tunnels, so
 * a failure is only a warning: a kernel may lack what it needs.
 */
static void attach_mss(const char *ifname, unsigned ifindex, const struct agent_options *options,
                       const struct weir_agent_bpf *skel, char *error)
{
	int err = agent_mss_attach(ifindex, options, bpf_program__fd(skel->progs.weir_agent_mss));

	if (err)
		set_error(error, err,
		          "%s: attaching at its egress: %s; the MSS of SYN-ACKs is not lowered: "
		          "set advmss on the routes to the clients",
		          ifname, strerror(-err));
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
	bool had_next = agent_tc_program(ifindex, BPF_TC_INGRESS) != 0;
	err = load_agent(ifname, options, found ? NULL : &old, &skel, error);
	if (!err && options->n_owners)
		err = attach_next(ifname, ifindex, skel, error);
	if (!err && found)
		err = attach_new(path, ifname, ifindex, bpf_program__fd(skel->progs.weir_agent),
		                 options->mode, error);
	else if (!err)
		err = replace_program(path, ifname, &old, native,
		                      bpf_program__fd(skel->progs.weir_agent), options->mode,
		                      error);
	if (err && !had_next) /* as it was: nothing stays at the ingress, either */
		agent_tc_detach(ifindex, BPF_TC_INGRESS);
	if (!err && !options->n_owners)
		detach_next(ifname, ifindex, error);
	if (!err) /* last: an earlier program knows the same services, and goes on until then */
		attach_mss(ifname, ifindex, options, skel, error);
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
	else {
		agent_tc_detach(h.ifindex, BPF_TC_INGRESS);
		agent_tc_detach(h.ifindex, BPF_TC_EGRESS);
	}
	held_fini(&h);
	return err;
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
	err = s ? agent_read_counts(h.counters_fd, s->counts) : -ENOMEM;
	if (!err) {
		s->mode = native ? AGENT_MODE_NATIVE : AGENT_MODE_GENERIC;
		s->prog_id = h.prog_id;
		s->since_mono_ms = h.loaded_ns / 1000000;
		s->n_prefixes = agent_read_prefixes(h.prefixes_fd, s->prefixes);
		s->n_netns = agent_read_netns(h.netns_fd);
		s->passes_on = agent_tc_program(h.ifindex, BPF_TC_INGRESS) != 0;
		agent_mss_read(&h.mss, ifname, h.ifindex, &s->mss);
		*out = *s;
	} else {
		set_error(error, err, "%s: reading: %s", path, strerror(-err));
	}
	free(s);
	held_fini(&h);
	return err;
}
