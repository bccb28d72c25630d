/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where drivers say that they did not take a frame of XDP; from their sources, Linux 5.10 to 6.18.
 *
 *     veth        XDP_TX in bulks: xdp_bulk_tx
 *     ixgbe, ixgbevf, i40e, ice, igb, igc, mlx5, mlx4, bnxt
 *                 xdp_exception, of a full ring, too
 *     virtio_net  xdp_exception of an error; of a full ring nothing but tx..._xdp_tx_drops in its
 *                 statistics, which have redirected frames, too
 *     generic     the kernel's own code: xdp_exception
 *
 * The kernel tells of redirected frames for each of them (xdp_redirect_err, xdp_devmap_xmit). Of
 * a driver that is not listed nothing is known until it has told of a loss.
 */
#include "bpf/xdp_internal.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATISTICS_MAX 65536u /* more than any driver has; what it says is not believed blindly */

static const struct {
	const char *driver;
	enum xdp_losses losses;
} known[] = {
	{ "bnxt_en", XDP_LOSSES_TRACED },     { "i40e", XDP_LOSSES_TRACED },
	{ "ice", XDP_LOSSES_TRACED },         { "igb", XDP_LOSSES_TRACED },
	{ "igc", XDP_LOSSES_TRACED },         { "ixgbe", XDP_LOSSES_TRACED },
	{ "ixgbevf", XDP_LOSSES_TRACED },     { "mlx4_en", XDP_LOSSES_TRACED },
	{ "mlx5_core", XDP_LOSSES_TRACED },   { "veth", XDP_LOSSES_TRACED },
	{ "virtio_net", XDP_LOSSES_COUNTED },
};

/* @return 0 or -errno */
static int query_interface(const char *interface, unsigned long what, struct ifreq *r)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	snprintf(r->ifr_name, sizeof(r->ifr_name), "%s", interface);
	err = ioctl(fd, what, r) ? -errno : 0;
	close(fd);
	return err;
}

/* Ask the driver of @p interface. @p command is one of linux/ethtool.h. @return 0 or -errno */
static int query_driver(const char *interface, void *command)
{
	struct ifreq r = { .ifr_data = command };

	return query_interface(interface, SIOCETHTOOL, &r);
}

/* Asked often, so it is not the driver that is asked: for that, the kernel has one lock. */
void xdp_statistics_link(const char *interface, bool *up)
{
	struct ifreq r = { 0 };

	if (!query_interface(interface, SIOCGIFFLAGS, &r))
		*up = r.ifr_flags & IFF_RUNNING;
}

enum xdp_losses xdp_statistics_losses(const char *interface, bool native)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	uint64_t lost;

	if (!native)
		return XDP_LOSSES_TRACED;
	if (query_driver(interface, &info))
		return XDP_LOSSES_UNKNOWN;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strncmp(info.driver, known[i].driver, sizeof(info.driver)) != 0)
			continue;
		if (known[i].losses == XDP_LOSSES_COUNTED && xdp_statistics_lost(interface, &lost))
			return XDP_LOSSES_UNKNOWN;
		return known[i].losses;
	}
	return XDP_LOSSES_UNKNOWN;
}

/* Whether statistic @p name is one of a queue's frames that XDP was to send and that were dropped. */
static bool is_lost(const char name[ETH_GSTRING_LEN])
{
	static const char end[] = "_xdp_tx_drops";
	size_t n = strnlen(name, ETH_GSTRING_LEN);

	return n >= sizeof(end) && !strncmp(name, "tx", 2) &&
	       !strncmp(name + n - (sizeof(end) - 1), end, sizeof(end) - 1);
}

static uint32_t count_statistics(const char *interface)
{
	union {
		struct ethtool_sset_info head;
		uint32_t words[sizeof(struct ethtool_sset_info) / sizeof(uint32_t) + 1];
	} info = { .head = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_STATS } };

	return query_driver(interface, &info) || !info.head.sset_mask ? 0 : info.head.data[0];
}

/* The kernel writes as many as the driver has now, at most as many as there is room for. */
static int sum_lost(const char *interface, struct ethtool_gstrings *names,
                    struct ethtool_stats *values, uint64_t *lost)
{
	int err = query_driver(interface, names);
	uint64_t sum = 0;
	bool found = false;

	if (!err)
		err = query_driver(interface, values);
	if (err)
		return err;
	for (uint32_t i = 0; i < names->len && i < values->n_stats; i++) {
		const char *name = (const char *)names->data + (size_t)i * ETH_GSTRING_LEN;

		if (!is_lost(name))
			continue;
		found = true;
		sum += values->data[i];
	}
	if (!found)
		return -ENODATA;
	*lost = sum;
	return 0;
}

int xdp_statistics_lost(const char *interface, uint64_t *lost)
{
	uint32_t n = count_statistics(interface);
	struct ethtool_gstrings *names;
	struct ethtool_stats *values;
	int err = -ENOMEM;

	if (!n || n > STATISTICS_MAX)
		return -ENODATA;
	names = calloc(1, sizeof(*names) + (size_t)n * ETH_GSTRING_LEN);
	values = calloc(1, sizeof(*values) + (size_t)n * sizeof(values->data[0]));
	if (names && values) {
		*names = (struct ethtool_gstrings){ .cmd = ETHTOOL_GSTRINGS,
			                            .string_set = ETH_SS_STATS,
			                            .len = n };
		*values = (struct ethtool_stats){ .cmd = ETHTOOL_GSTATS, .n_stats = n };
		err = sum_lost(interface, names, values, lost);
	}
	free(names);
	free(values);
	return err;
}

/*
 * What such a driver counts alone, of frames that our program sends (@p ours; else it is passed
 * over). Redirected frames are counted at their tracepoint, and are in the statistics a moment before:
 * what is counted too early is taken from the next. Statistics that are less than before have begun
 * again.
 */
void xdp_statistics_add(struct not_sent_port *row, uint64_t lost, bool ours)
{
	uint64_t redirected = __atomic_load_n(&row->redirected, __ATOMIC_ACQUIRE);
	uint64_t grown = lost >= row->stat_seen ? lost - row->stat_seen : lost;

	if (ours)
		row->stat_due += (int64_t)(grown - (redirected - row->redirected_seen));
	row->stat_seen = lost;
	row->redirected_seen = redirected;
	if (row->stat_due <= 0)
		return;
	__sync_fetch_and_add(&row->frames, (uint64_t)row->stat_due);
	row->err = 0;
	row->step = NOT_SENT_REFUSED;
	row->stat_due = 0;
}
