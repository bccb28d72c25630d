/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A multi-queue TAP (Linux Documentation/networking/tuntap.rst): one descriptor for each worker, so
 * that workers share none. It is persistent, so that addresses and routes survive a restart; and
 * what it has already is not set again, so that a restart does not make it flap.
 */
#include "dataplane/dpdk/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TUN_DEVICE "/dev/net/tun"

/* A further queue of the TAP @p name. @return its descriptor or -errno */
static int open_queue(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE };
	int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (!ioctl(fd, TUNSETIFF, &r))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Say what the usual errors of TUNSETIFF mean and what to do. */
static int explain_no_tap(struct driver_reason *reason, int err, const char *name)
{
	if (err == -ENOENT || err == -ENODEV)
		return driver_set_reason(
		        reason, err,
		        "%s is missing: the kernel's module tun is needed for the TAP of %s",
		        TUN_DEVICE, name);
	if (err == -EINVAL)
		return driver_set_reason(
		        reason, err,
		        "%s exists already and is no multi-queue TAP: give the port another "
		        "interface name, or remove it",
		        name);
	if (err == -EACCES)
		return driver_set_reason(
		        reason, err,
		        "the TAP %s cannot be made: this user may not open %s, to which udev "
		        "normally gives mode 0666",
		        name, TUN_DEVICE);
	if (err == -EBUSY)
		return driver_set_reason(reason, err, "another process holds the TAP %s", name);
	return driver_set_reason(reason, err,
	                         "the TAP %s cannot be made: %s (CAP_NET_ADMIN is needed)", name,
	                         strerror(-err));
}

/* Set MAC, MTU and up, each only if it differs, so that nothing flaps at a restart. */
static int set_up_tap(int s, const struct tap_config *c)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", c->name);
	if (ioctl(s, SIOCGIFHWADDR, &r))
		return -errno;
	if (memcmp(r.ifr_hwaddr.sa_data, c->mac, sizeof(c->mac)) != 0) {
		r.ifr_hwaddr.sa_family = ARPHRD_ETHER;
		memcpy(r.ifr_hwaddr.sa_data, c->mac, sizeof(c->mac));
		if (ioctl(s, SIOCSIFHWADDR, &r))
			return -errno;
	}
	if (ioctl(s, SIOCGIFMTU, &r))
		return -errno;
	if (r.ifr_mtu != c->mtu) {
		r.ifr_mtu = c->mtu;
		if (ioctl(s, SIOCSIFMTU, &r))
			return -errno;
	}
	if (ioctl(s, SIOCGIFFLAGS, &r))
		return -errno;
	if (r.ifr_flags & IFF_UP)
		return 0;
	r.ifr_flags |= IFF_UP;
	return ioctl(s, SIOCSIFFLAGS, &r) ? -errno : 0;
}

static int prepare_tap(const struct tap_config *c, int fd)
{
	int s, err;

	if (ioctl(fd, TUNSETPERSIST, 1))
		return -errno;
	s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (s < 0)
		return -errno;
	err = set_up_tap(s, c);
	close(s);
	return err;
}

/* All queues or none: on failure those that were opened are closed again. */
int tap_open(const struct tap_config *config, int *fds, uint32_t *ifindex,
             struct driver_reason *reason)
{
	uint32_t n = 0;
	int err = 0;

	while (!err && n < config->n_queues) {
		int fd = open_queue(config->name);

		if (fd < 0)
			err = fd;
		else
			fds[n++] = fd;
	}
	if (!err && n)
		err = prepare_tap(config, fds[0]);
	if (!err) {
		*ifindex = if_nametoindex(config->name);
		return 0;
	}
	while (n)
		close(fds[--n]);
	return explain_no_tap(reason, err, config->name);
}

/* Detached queues of TAPs that are held; fd 0: none. */
static struct {
	char name[IFNAMSIZ];
	int fd;
} held[DRIVER_PORTS_MAX];

/* @return a queue that gets no frames, or -errno */
static int open_detached_queue(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_DETACH_QUEUE };
	int fd = open_queue(name), err;

	if (fd < 0 || !ioctl(fd, TUNSETQUEUE, &r))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/*
 * A queue that is detached counts for the carrier, and no frame is sent to it
 * (Documentation/networking/tuntap.rst). To open a queue of a name without an interface would make
 * a TAP.
 */
void tap_hold(const char *name)
{
	tap_release(name);
	for (size_t i = 0; i < DRIVER_PORTS_MAX && if_nametoindex(name); i++) {
		if (held[i].fd)
			continue;
		held[i].fd = open_detached_queue(name);
		if (held[i].fd < 0)
			held[i].fd = 0;
		snprintf(held[i].name, sizeof(held[i].name), "%s", name);
		return;
	}
}

void tap_release(const char *name)
{
	for (size_t i = 0; i < DRIVER_PORTS_MAX; i++) {
		if (!held[i].fd || (name && strcmp(held[i].name, name) != 0))
			continue;
		close(held[i].fd);
		held[i].fd = 0;
	}
}

void tap_carrier(int fd, bool up)
{
	int on = up;

	(void)ioctl(fd, TUNSETCARRIER, &on);
}

void tap_end(int fd)
{
	(void)ioctl(fd, TUNSETPERSIST, 0);
}

void tap_remove(const char *name)
{
	int fd = if_nametoindex(name) ? open_queue(name) : -1;

	if (fd < 0)
		return;
	tap_end(fd);
	close(fd);
}
