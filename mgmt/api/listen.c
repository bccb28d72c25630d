/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The UNIX socket is created under a umask and given to group weir, so that its mode is right from
 * the first moment. Over TCP, two sockets share one address: the second is for peers
 * (mgmt/http/steer.c). The first is bound without SO_REUSEPORT, so that a second server at the same
 * address is refused.
 */
#include "mgmt/api/listen.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/addr.h"
#include "mgmt/core/auth.h"
#include "mgmt/core/certificate.h"
#include "mgmt/api/route.h"

#define BACKLOG 1024   /* while many come that are refused */
#define GROUP   "weir" /* whose members may use the UNIX socket */

/*
 * The umask gives the socket mode 0660 from its first moment; a chmod() after bind() would leave a
 * gap.
 */
static int bind_local(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const struct group *group = getgrnam(GROUP);

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	unlink(path);
	mode_t old = umask(0117);
	int failed = bind(fd, (const struct sockaddr *)&at, sizeof(at));
	umask(old);
	if (!failed && group)
		(void)!chown(path, (uid_t)-1, group->gr_gid); /* as root, or as a member */
	if (failed || listen(fd, BACKLOG)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

/*
 * Serve what @p o says of the listener and its clients. The counters are made before: no server's thread ever waits for
 * the core's lock.
 */
static int begin_serving(struct core *core, struct http_options o, struct http_server **out)
{
	core_lock(core);
	if (!core->counters.refused)
		http_counters_open(core->stats, &core->counters);
	core_unlock(core);
	o.core = core;
	o.handler = route_handle;
	o.gate = route_gate;
	o.is_moving = core_is_moving;
	o.bells = &core->bells;
	o.counters = &core->counters;
	return http_serve(&o, out);
}

int listen_local(struct core *core, struct http_server **out)
{
	char path[PATH_MAX];
	int err = proc_path(core->dirs.run, PROC_API_SOCKET, path), fd;

	if (err)
		return err;
	fd = proc_listen_fd("api");
	if (fd < 0)
		fd = bind_local(path);
	if (fd < 0)
		return fd;
	return begin_serving(core,
	                     (struct http_options){ .listen_fd = fd,
	                                            .peers_fd = -1,
	                                            .local = true,
	                                            .authenticator = auth_local },
	                     out);
}

int listen_parse(const char *api, struct addr *address, uint16_t *port)
{
	char text[ADDR_LONG_TEXT_MAX], *end;

	if (strncmp(api, "https://", 8))
		return -EINVAL;
	api += 8;
	const char *colon = strrchr(api, ':');
	bool brackets = *api == '[' && colon && colon > api + 2 && colon[-1] == ']';
	size_t n = colon ? (size_t)(colon - api) - 2 * brackets : 0;
	if (n == 0 || n >= sizeof(text))
		return -EINVAL;
	memcpy(text, api + brackets, n);
	text[n] = '\0';
	unsigned long number = strtoul(colon + 1, &end, 10);
	if (addr_parse(text, address) || *end || colon[1] < '0' || colon[1] > '9' || number == 0 ||
	    number > 65535)
		return -EINVAL;
	*port = (uint16_t)number;
	return 0;
}

/*
 * Only the second socket of an address is bound with SO_REUSEPORT: another server that listens
 * there is then an error, and does not silently take half of the connections.
 */
static int open_tcp(const struct addr *address, uint16_t port, bool shares)
{
	struct sockaddr_storage at;
	socklen_t n = addr_to_sockaddr(address, port, &at);
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (shares)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	/* the address may come to the interface later than we do */
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	int failed = bind(fd, (const struct sockaddr *)&at, n);
	/* shared only from now on: a second server at this address is refused */
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	if (failed || listen(fd, BACKLOG)) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

bool listen_host_has(const char *api)
{
	struct addr address;
	uint16_t port;

	return !listen_parse(api, &address, &port) && addr_is_here(&address);
}

int listen_tcp(struct core *core, const char *api, struct http_server **out)
{
	struct certificate_texts p = { NULL, NULL, NULL };
	struct addr address;
	uint16_t port;
	int err = listen_parse(api, &address, &port);

	if (!err)
		err = certificate_read(core, &p);
	int fd = err ? err : open_tcp(&address, port, false);
	err = fd < 0 ? fd : 0;
	if (!err) {
		const struct http_options options = { .listen_fd = fd,
			                              .peers_fd = open_tcp(&address, port, true),
			                              .tls = certificate_files(&p),
			                              .authenticator = auth_token };

		err = begin_serving(core, options, out);
	}
	certificate_free(&p);
	return err;
}
