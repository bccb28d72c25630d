/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process's side of bpf/not_sent.bpf.c: load, attach to the tracepoints, pin, read.
 *
 * "not-sent" in the driver's directory is the pinned map, "not-sent-0" and following are the links.
 * A successor attaches its own programs beside those of its predecessor, says in the map that from
 * now on its own count, and puts its pins over the others: so no frame is counted twice or left out.
 * Where the kernel does not let us, nothing is known of what drivers took; forwarding goes on. One
 * thread.
 */
#include "bpf/xdp_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
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
#include "bpf/not_sent.skel.h"
#pragma GCC diagnostic pop

static size_t state_bytes(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (sizeof(struct not_sent_state) + page - 1) / page * page;
}

static void pin_path(const char *dir, int link, char out[PATH_MAX])
{
	if (link < 0)
		snprintf(out, PATH_MAX, "%.*s/not-sent", PATH_MAX - 64, dir);
	else
		snprintf(out, PATH_MAX, "%.*s/not-sent-%d", PATH_MAX - 64, dir, link);
}

/* Whether the map of @p fd is of this layout; a kernel that wrote nothing into it yet left zeros. */
static bool is_of_layout(int fd)
{
	struct bpf_map_info info = { 0 };
	struct not_sent_state s = { 0 };
	uint32_t n = sizeof(info), zero = 0;

	return !bpf_obj_get_info_by_fd(fd, &info, &n) && info.type == BPF_MAP_TYPE_ARRAY &&
	       info.value_size == sizeof(s) && !bpf_map_lookup_elem(fd, &zero, &s) &&
	       s.layout == NOT_SENT_LAYOUT;
}

/* The pinned map, if it is of this layout. @return descriptor, or -ENOENT */
static int open_pinned(const char *dir)
{
	char path[PATH_MAX];
	int fd;

	pin_path(dir, -1, path);
	fd = bpf_obj_get(path);
	if (fd >= 0 && is_of_layout(fd))
		return fd;
	if (fd >= 0)
		close(fd);
	return -ENOENT;
}

static int map_state(int fd, struct not_sent_state **out)
{
	void *p = mmap(NULL, state_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*out = p;
	return 0;
}

static uint32_t own_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : (uint32_t)st.st_ino;
}

/* The generation that counts now, and the one that is to count from now on. */
static uint32_t next_generation(int map_fd)
{
	struct not_sent_state s = { 0 };
	uint32_t zero = 0;

	if (map_fd < 0 || bpf_map_lookup_elem(map_fd, &zero, &s))
		return 1;
	return s.generation + 1 ? s.generation + 1 : 1;
}

static int load_programs(struct weir_not_sent_bpf **out, int map_fd)
{
	struct weir_not_sent_bpf *skel = weir_not_sent_bpf__open();
	int err = skel ? 0 : -errno;

	if (!err && map_fd >= 0)
		err = bpf_map__reuse_fd(skel->maps.state, map_fd);
	if (!err) {
		skel->rodata->generation = next_generation(map_fd);
		skel->rodata->net_inum = own_namespace();
		err = weir_not_sent_bpf__load(skel);
	}
	if (!err)
		err = weir_not_sent_bpf__attach(skel);
	if (err)
		weir_not_sent_bpf__destroy(skel);
	*out = err ? NULL : skel;
	return err;
}

/* The links are held, too: without its pins, counting ends with the process, and not before. */
static int pin_links(struct xdp_not_sent *n, const struct weir_not_sent_bpf *skel, const char *dir)
{
	const struct bpf_link *const links[XDP_NOT_SENT_LINKS] = {
		skel->links.note_exception,
		skel->links.note_redirect_err,
		skel->links.note_bulk,
		skel->links.note_devmap,
	};
	char path[PATH_MAX];
	int err = 0;

	for (unsigned i = 0; i < XDP_NOT_SENT_LINKS && !err; i++) {
		pin_path(dir, (int)i, path);
		err = xdp_pin_over(bpf_link__fd(links[i]), path);
		n->link_fds[i] = fcntl(bpf_link__fd(links[i]), F_DUPFD_CLOEXEC, 3);
	}
	return err;
}

/*
 * Pins come last, but for the map's: when the process ends before, its links end with it, and those
 * of its predecessor have lost the word. Then nothing is counted until the next one comes.
 */
void xdp_not_sent_open(struct xdp_not_sent *n, const char *dir)
{
	struct weir_not_sent_bpf *skel = NULL;
	int map_fd = open_pinned(dir);
	int err = load_programs(&skel, map_fd);
	char path[PATH_MAX];

	*n = (struct xdp_not_sent){ .map_fd = -1, .try_fd = -1, .link_fds = { -1, -1, -1, -1 } };
	if (!err)
		err = map_state(bpf_map__fd(skel->maps.state), &n->state);
	if (!err) {
		n->state->layout = NOT_SENT_LAYOUT;
		__atomic_store_n(&n->state->generation, skel->rodata->generation, __ATOMIC_RELEASE);
		pin_path(dir, -1, path);
		err = map_fd < 0 ? xdp_pin_over(bpf_map__fd(skel->maps.state), path) : 0;
	}
	if (!err)
		err = pin_links(n, skel, dir);
	if (!err)
		n->map_fd = fcntl(bpf_map__fd(skel->maps.state), F_DUPFD_CLOEXEC, 3);
	if (!err) /* without it ports are not tried */
		n->try_fd = fcntl(bpf_program__fd(skel->progs.try_port), F_DUPFD_CLOEXEC, 3);
	if (err)
		xdp_not_sent_close(n);
	if (err)
		snprintf(
		        n->problem, sizeof(n->problem),
		        "the kernel's tracepoints cannot be used (%s); it takes a kernel with BTF, "
		        "CAP_BPF and CAP_PERFMON",
		        strerror(-err));
	weir_not_sent_bpf__destroy(skel);
	if (map_fd >= 0)
		close(map_fd);
}

void xdp_not_sent_keep_pins(const struct xdp_not_sent *n, const char *dir, struct xdp_pins *k)
{
	char path[PATH_MAX];

	for (int i = -1; n->state && i < (int)XDP_NOT_SENT_LINKS; i++) {
		int fd = i < 0 ? n->map_fd : n->link_fds[i];

		pin_path(dir, i, path);
		if (fd >= 0)
			xdp_pin_keep(k, fd, path);
	}
}

void xdp_not_sent_close(struct xdp_not_sent *n)
{
	if (!n->state)
		return;
	munmap(n->state, state_bytes());
	n->state = NULL;
	if (n->map_fd >= 0)
		close(n->map_fd);
	if (n->try_fd >= 0)
		close(n->try_fd);
	for (unsigned i = 0; i < XDP_NOT_SENT_LINKS; i++)
		if (n->link_fds[i] >= 0)
			close(n->link_fds[i]);
}

/* Ports change to it one by one, and a change may be taken back: so those before it still count. */
void xdp_not_sent_program(const struct xdp_not_sent *n, uint32_t id)
{
	uint32_t *ids = n->state ? n->state->programs : NULL;

	if (!ids || ids[0] == id)
		return;
	for (unsigned i = NOT_SENT_PROGRAMS_MAX - 1; i; i--)
		__atomic_store_n(&ids[i], ids[i - 1], __ATOMIC_RELEASE);
	__atomic_store_n(&ids[0], id, __ATOMIC_RELEASE);
}

/*
 * To an address that no bridge passes on (IEEE 802.1Q, 8.6.3), of a type for local use: whoever is at
 * the other end of the cable drops it.
 */
int xdp_not_sent_try(const struct xdp_not_sent *n, uint32_t ifindex)
{
	uint8_t frame[60] = { 0x01, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 1, 0x88, 0xb5 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
	            .repeat = 1, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	if (!n->state || n->try_fd < 0)
		return -EOPNOTSUPP;
	__atomic_store_n(&n->state->tried, ifindex, __ATOMIC_RELEASE);
	return bpf_prog_test_run_opts(n->try_fd, &opts) ? -errno : 0;
}

/* The row of interface @p ifindex, not 0; NULL: it has none. */
static struct not_sent_port *find_row(const struct xdp_not_sent *n, uint32_t ifindex)
{
	for (unsigned i = 0; n->state && i < NOT_SENT_PORTS_MAX; i++)
		if (n->state->ports[i].ifindex == ifindex)
			return &n->state->ports[i];
	return NULL;
}

static struct not_sent_port *find_named_row(const struct xdp_not_sent *n, const char *name)
{
	for (unsigned i = 0; n->state && i < NOT_SENT_PORTS_MAX; i++)
		if (!strncmp(n->state->ports[i].name, name, NOT_SENT_NAME_MAX))
			return &n->state->ports[i];
	return NULL;
}

/* Whether the row's interface is no port any more: taken out, deleted or renamed. */
static bool is_left(const struct not_sent_port *row)
{
	char name[IF_NAMESIZE];

	return !row->ifindex || !if_indextoname(row->ifindex, name) || strcmp(name, row->name);
}

/* A row for a new name: a free one, else that of a port that has left, whose frames stay in the sum. */
static struct not_sent_port *allocate_row(const struct xdp_not_sent *n)
{
	struct not_sent_port *row = find_named_row(n, "");

	for (unsigned i = 0; !row && n->state && i < NOT_SENT_PORTS_MAX; i++)
		if (is_left(&n->state->ports[i]))
			row = &n->state->ports[i];
	if (!row)
		return NULL;
	__atomic_store_n(&row->ifindex, 0, __ATOMIC_RELEASE);
	__sync_fetch_and_add(&n->state->other.frames, row->frames);
	*row = (struct not_sent_port){ .ifindex = 0 };
	return row;
}

void xdp_not_sent_port(const struct xdp_not_sent *n, const char *interface, uint32_t ifindex)
{
	struct not_sent_port *row = find_named_row(n, interface);
	uint64_t lost;

	if (!row && ifindex)
		row = allocate_row(n);
	if (!row || row->ifindex == ifindex)
		return;
	/* another device: only what it lost belongs to the name */
	snprintf(row->name, sizeof(row->name), "%s", interface);
	row->err = 0;
	row->step = row->left_nothing = 0;
	row->stat_due = 0;
	if (!xdp_statistics_lost(interface, &lost))
		xdp_statistics_add(row, lost, false);
	__atomic_store_n(&row->ifindex, ifindex, __ATOMIC_RELEASE);
}

void xdp_not_sent_statistics(const struct xdp_not_sent *n, const struct driver_port *port,
                             bool ours)
{
	struct not_sent_port *row = find_row(n, port->ifindex);
	uint64_t lost;

	if (row && !xdp_statistics_lost(port->name, &lost))
		xdp_statistics_add(row, lost, ours);
}

/* Why frames probably do not leave, for people. */
static const char *likely_cause(const struct not_sent_port *row)
{
	switch (row->step ? -row->err : 0) {
	case ENXIO:
		return "the other end of the pair runs no XDP program and no NAPI, or the NIC has too "
		       "few XDP transmit queues (ethtool -l)";
	case ENETDOWN:
		return "the interface is down";
	case EMSGSIZE:
		return "the frames are longer than the interface's MTU";
	case EOPNOTSUPP:
		return "the interface takes no frames from XDP: its driver cannot, or it is one of a pair "
		       "whose other end runs no XDP program and no NAPI";
	default:
		return "the transmit ring is full or stopped, or has no queue for this CPU (ethtool "
		       "-S, ethtool -l, ethtool -g)";
	}
}

void xdp_not_sent_show(const struct xdp_not_sent *n, enum xdp_losses losses,
                       struct driver_port *port)
{
	const struct not_sent_port *row = find_row(n, port->ifindex);

	port->not_sent = row ? __atomic_load_n(&row->frames, __ATOMIC_RELAXED) : 0;
	port->tries_left = row ? __atomic_load_n(&row->tries_left, __ATOMIC_RELAXED) : 0;
	port->tries_lost = row ? __atomic_load_n(&row->tries_lost, __ATOMIC_RELAXED) : 0;
	port->left_nothing = row && row->left_nothing;
	/* a loss is one, whatever is known of the driver */
	port->not_sent_known = row && (losses != XDP_LOSSES_UNKNOWN || row->step);
	if (port->not_sent_known)
		port->not_sent_cause = likely_cause(row);
	else if (n->state)
		port->not_sent_cause = row ? "its driver is not known to say what it did not take"
		                           : "there is no room for a further port";
	else
		port->not_sent_cause = n->problem;
}

void xdp_not_sent_keep(const struct xdp_not_sent *n, uint32_t ifindex, bool left_nothing)
{
	struct not_sent_port *row = find_row(n, ifindex);

	if (row)
		row->left_nothing = left_nothing;
}

uint64_t xdp_not_sent_uncounted(const struct xdp_not_sent *n)
{
	uint64_t sum;

	if (!n->state)
		return 0;
	sum = __atomic_load_n(&n->state->other.frames, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < NOT_SENT_PORTS_MAX; i++)
		sum += __atomic_load_n(&n->state->ports[i].frames, __ATOMIC_RELAXED);
	return sum > n->state->in_tables ? sum - n->state->in_tables : 0;
}

void xdp_not_sent_counted(const struct xdp_not_sent *n, uint64_t frames)
{
	if (n->state)
		n->state->in_tables += frames;
}

void xdp_not_sent_remove(const char *dir)
{
	char path[PATH_MAX];

	for (int i = -1; i < (int)XDP_NOT_SENT_LINKS; i++) {
		pin_path(dir, i, path);
		(void)unlink(path);
	}
}
