/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counts frames that the forwarding program gave to a driver, and that did not leave.
 *
 * XDP_TX and a redirect end for the program before the driver has put the frame into its ring, so
 * what becomes of it is only seen at the kernel's tracepoints. Each loss passes exactly one of these:
 *
 *     xdp_exception      the driver refuses one frame of XDP_TX (ixgbe, i40e, ice, mlx5, generic mode)
 *     xdp_bulk_tx        frames of XDP_TX that are sent together (veth)
 *     xdp_redirect_err   the target cannot be sent to: down, too long a frame, a driver without a way
 *     xdp_devmap_xmit    frames that were redirected to one port, sent together
 *
 * (A driver may pass xdp_exception once more after xdp_redirect_err: then the action is XDP_REDIRECT,
 * which is left out.) For a frame that was taken, nothing is called except once a bulk on veth and for
 * redirects, which returns at once. virtio says nothing of a full ring but in its statistics, where
 * redirected frames are, too: those are counted apart, so that the process can tell them.
 *
 * Interface numbers mean something in one network namespace only; where the kernel names no program,
 * the namespace is compared, and the program that the interface carries. Two objects may be attached for a moment while a process takes over:
 * the one counts whose generation the map says.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>

#include "bpf/not_sent.h"

/* Of the kernel's structs only what is read; the loader finds where it lies in the running kernel. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct ns_common {
	unsigned int inum;
};
struct net {
	struct ns_common ns;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct bpf_prog_aux {
	__u32 id;
};
struct bpf_prog {
	struct bpf_prog_aux *aux;
};
struct bpf_link {
	struct bpf_prog *prog;
};
struct bpf_xdp_link {
	struct bpf_link link;
};
struct bpf_xdp_entity {
	struct bpf_xdp_link *link;
};
struct net_device {
	int ifindex;
	possible_net_t nd_net;
	struct bpf_xdp_entity xdp_state[3];
};
#pragma clang attribute pop

#define XDP_MODE_DRV 1 /* of the kernel's enum bpf_xdp_mode */

const volatile __u32 generation = 0;
const volatile __u32 net_inum = 0;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct not_sent_state);
} state SEC(".maps");

/* The row of interface @p ifindex, if it is one of our ports; else NULL. */
static __always_inline struct not_sent_port *find_port(struct not_sent_state *s, __u32 ifindex)
{
	for (__u32 i = 0; i < NOT_SENT_PORTS_MAX; i++)
		if (s->ports[i].ifindex == ifindex)
			return &s->ports[i];
	return NULL;
}

/* The state, if this object counts; else NULL. */
static __always_inline struct not_sent_state *find_state(void)
{
	__u32 zero = 0;
	struct not_sent_state *s = bpf_map_lookup_elem(&state, &zero);

	return s && s->generation == generation ? s : NULL;
}

static __always_inline int is_here(const struct net_device *dev)
{
	return dev->nd_net.net->ns.inum == net_inum;
}

static __always_inline int is_own_program(const struct not_sent_state *s,
                                          const struct bpf_prog *prog)
{
	__u32 id = prog->aux->id;

	for (__u32 i = 0; id && i < NOT_SENT_PROGRAMS_MAX; i++)
		if (s->programs[i] == id)
			return 1;
	return 0;
}

/*
 * Frames that are sent together name no program. Native programs alone send such; a link that is not
 * there reads as NULL, and so do its program and the program's id.
 */
static __always_inline int carries_own(const struct not_sent_state *s, const struct net_device *dev)
{
	return is_here(dev) && is_own_program(s, dev->xdp_state[XDP_MODE_DRV].link->link.prog);
}

/* Count @p n frames that were to leave by @p ifindex; by no port of ours: in the last row. */
static __always_inline void count_lost(struct not_sent_state *s, __u32 ifindex, __u32 n, __s32 err,
                                       __u32 step)
{
	struct not_sent_port *p = find_port(s, ifindex);

	if (!p)
		p = &s->other;
	p->err = err;
	p->step = step;
	__sync_fetch_and_add(&p->frames, n);
}

/* A tracepoint's arguments, each in a word: (dev, program, action) */
SEC("tp_btf/xdp_exception")
int note_exception(const __u64 *args)
{
	const struct net_device *dev = (const void *)args[0];
	struct not_sent_state *s = (__u32)args[2] == XDP_TX ? find_state() : NULL;

	if (s && is_own_program(s, (const void *)args[1]))
		count_lost(s, (__u32)dev->ifindex, 1, 0, NOT_SENT_REFUSED);
	return 0;
}

/* The port that a frame from @p from tries: those of our own come in by the loopback interface, which is no port. */
static __always_inline struct not_sent_port *
find_tried(struct not_sent_state *s, const struct net_device *from, __u32 ifindex)
{
	return from->ifindex == 1 && is_here(from) ? find_port(s, ifindex) : NULL;
}

/*
 * The kernel cannot redirect a frame of our own to the port. That alone proves nothing: some drivers take frames of XDP_TX only.
 * But where a packet was lost last for the same reason, the port is tried in vain. (XDP_TX on veth says ENXIO for it: the other end
 * has no NAPI.)
 */
static __always_inline void count_refused_try(struct not_sent_state *s,
                                              const struct net_device *from, __u32 ifindex)
{
	struct not_sent_port *p = find_tried(s, from, ifindex);

	if (p && (p->err == -ENXIO || p->err == -EOPNOTSUPP))
		__sync_fetch_and_add(&p->tries_lost, 1);
}

/* (dev, program, target, err, type of map, id of map, index): our index is the interface's number */
SEC("tp_btf/xdp_redirect_err")
int note_redirect_err(const __u64 *args)
{
	struct not_sent_state *s = find_state();

	if (!s)
		return 0;
	if (is_own_program(s, (const void *)args[1]))
		count_lost(s, (__u32)args[6], 1, (__s32)args[3], NOT_SENT_REDIRECT);
	else
		count_refused_try(s, (const void *)args[0], (__u32)args[6]);
	return 0;
}

/* (dev, sent, drops, err) */
SEC("tp_btf/xdp_bulk_tx")
int note_bulk(const __u64 *args)
{
	const struct net_device *dev = (const void *)args[0];
	__s32 drops = (__s32)args[2];
	struct not_sent_state *s = drops > 0 ? find_state() : NULL;

	if (s && carries_own(s, dev))
		count_lost(s, (__u32)dev->ifindex, (__u32)drops, (__s32)args[3], NOT_SENT_BULK);
	return 0;
}

static __always_inline void count_tries(struct not_sent_state *s, const struct net_device *from,
                                        const struct net_device *to, __u32 sent, __u32 drops)
{
	struct not_sent_port *p = find_tried(s, from, (__u32)to->ifindex);

	if (!p)
		return;
	__sync_fetch_and_add(&p->tries_left, sent);
	__sync_fetch_and_add(&p->tries_lost, drops);
}

/* Without an error the driver has counted them in its statistics. */
static __always_inline void count_redirected(struct not_sent_state *s, const struct net_device *to,
                                             __u32 drops)
{
	struct not_sent_port *p = is_here(to) ? find_port(s, (__u32)to->ifindex) : NULL;

	if (p)
		__sync_fetch_and_add(&p->redirected, drops);
}

/* (from dev, to dev, sent, drops, err) */
SEC("tp_btf/xdp_devmap_xmit")
int note_devmap(const __u64 *args)
{
	const struct net_device *from = (const void *)args[0], *to = (const void *)args[1];
	__s32 drops = (__s32)args[3];
	struct not_sent_state *s = drops > 0 || from->ifindex == 1 ? find_state() : NULL;

	if (!s)
		return 0;
	if (drops > 0 && !(__s32)args[4])
		count_redirected(s, to, (__u32)drops);
	if (drops > 0 && carries_own(s, from))
		count_lost(s, (__u32)to->ifindex, (__u32)drops, (__s32)args[4], NOT_SENT_BULK);
	else
		count_tries(s, from, to, (__u32)args[2], (__u32)drops);
	return 0;
}

/* Sends the frame by the port that is to be tried; run by bpf/xdp_not_sent.c alone. */
SEC("xdp")
int try_port(struct xdp_md *frame)
{
	struct not_sent_state *s = find_state();

	(void)frame;
	return s ? (int)bpf_redirect(s->tried, 0) : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
