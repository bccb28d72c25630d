/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libcurl says which sockets it wants watched and when it wants to be called; the work of a turn is
 * then that of the sockets with something to do, not of all requests under way.
 */
#include "mgmt/http/client_loop.h"

#include <curl/curl.h>
#include <errno.h>
#include <sys/epoll.h>

#include "mgmt/http/client_internal.h"

#define CONNECTIONS_MAX 1024L /* that are kept: several to each of 256 nodes */

static void continue_requests(struct client_loop *l, curl_socket_t fd, int events)
{
	int running;

	(void)curl_multi_socket_action(l->client->multi, fd, events, &running);
	transfers_collect(l->client);
}

static void on_client_socket(void *arg, int fd, uint32_t events)
{
	continue_requests(arg, fd,
	                  (events & EPOLLIN ? CURL_CSELECT_IN : 0) |
	                          (events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
	                          (events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0));
}

static void on_client_timer(void *arg)
{
	continue_requests(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int watch_socket(CURL *handle, curl_socket_t fd, int what, void *arg, void *watched)
{
	struct client_loop *l = arg;
	uint32_t events =
	        (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	(void)handle;
	if (what == CURL_POLL_REMOVE)
		loop_fd_remove(l->loop, fd);
	else if (watched)
		(void)loop_fd_set(l->loop, fd, events);
	else if (loop_fd_add(l->loop, fd, events, on_client_socket, l))
		return -1;
	curl_multi_assign(l->client->multi, fd, what == CURL_POLL_REMOVE ? NULL : l);
	return 0;
}

static int set_client_timer(CURLM *multi, long wait_ms, void *arg)
{
	struct client_loop *l = arg;

	(void)multi;
	if (wait_ms < 0)
		loop_timer_cancel(l->loop, &l->timer);
	else if (loop_timer_set(l->loop, &l->timer, loop_now_ms(l->loop) + (uint64_t)wait_ms))
		return -1;
	return 0;
}

int client_loop_open(struct client_loop *l, struct peer_client *client, const char *conf_dir,
                     struct loop *loop)
{
	client_open(client, conf_dir);
	*l = (struct client_loop){ .client = client, .loop = loop };
	l->timer = (struct loop_timer){ .cb = on_client_timer, .arg = l };
	client->multi = curl_multi_init();
	if (!client->multi)
		return -ENOMEM;
	curl_multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_MAX);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, l);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_client_timer);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, l);
	return 0;
}

void client_loop_begin(struct client_loop *l, struct client_request *r)
{
	transfer_begin(l->client, r);
}
