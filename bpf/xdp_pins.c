/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pins. What outlives the process hangs on them alone, and whoever may write to the directory can
 * remove them: nobody would notice before the process ends. So they are compared with the
 * descriptors that the process holds, and made again. One thread.
 */
#include "bpf/xdp_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

int xdp_pin_over(int fd, const char *path)
{
	char beside[PATH_MAX];

	if ((size_t)snprintf(beside, sizeof(beside), "%s-new", path) >= sizeof(beside))
		return -ENAMETOOLONG;
	(void)unlink(beside);
	if (bpf_obj_pin(fd, beside) || rename(beside, path))
		return -errno;
	return 0;
}

/* How what the kernel says of a map, of a program and of a link begins. */
struct pinned_object {
	uint32_t type, id;
};

static struct pinned_object read_pinned_object(int fd)
{
	struct pinned_object object = { 0 };
	uint32_t n = sizeof(object);

	if (bpf_obj_get_info_by_fd(fd, &object, &n))
		return (struct pinned_object){ 0 };
	return object;
}

void xdp_pins_note(struct xdp_pins *k, int err, const char *path)
{
	k->n_renewed += !err;
	if (err && !k->err)
		k->err = driver_set_reason(k->reason, err, "%s: %s", path, strerror(-err));
}

/* Without a descriptor or memory nothing is known of the pin. */
void xdp_pin_keep(struct xdp_pins *k, int fd, const char *path)
{
	struct pinned_object own = read_pinned_object(fd), there = { 0 };
	int pinned = bpf_obj_get(path);

	if (pinned < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		return;
	if (pinned >= 0) {
		there = read_pinned_object(pinned);
		close(pinned);
	}
	if (pinned < 0 || there.type != own.type || there.id != own.id)
		xdp_pins_note(k, xdp_pin_over(fd, path), path);
}
