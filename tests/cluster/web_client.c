/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flight is a request on its way: it is there as long as the client, a message or a server's thread knows it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mgmt/http/client.h"
#include "tests/cluster/link.h"
#include "tests/cluster/sched.h"
#include "tests/cluster/web.h"
#include "weir/json.h"

/* What a struct peer_client keeps in multi. */
struct web_client {
	int fd; /* of a loop; -1: none */
	struct web_flight *flights;
};

struct web_flight {
	struct web_flight *next;   /* of the client */
	struct web_client *client; /* NULL: it has given up */
	struct client_request *request;
	struct web_request at_server;
	unsigned from, to; /* hosts, as the links know them */
	char address[WEB_ADDRESS_MAX];
	unsigned n_users;
	bool has_ended;
	const char *failure; /* NULL: there is an answer */
};

static void leave_flight(struct web_flight *f)
{
	if (--f->n_users)
		return;
	web_request_fini(&f->at_server);
	free(f);
}

static void end_flight(struct web_flight *f, const char *failure)
{
	const uint64_t one = 1;

	if (f->has_ended)
		return;
	f->has_ended = true;
	f->failure = failure;
	if (f->client && f->client->fd >= 0)
		(void)!write(f->client->fd, &one, sizeof(one));
}

static void on_answer_there(void *arg)
{
	struct web_flight *f = arg;

	end_flight(f, f->at_server.status ? NULL : "Server returned nothing (no headers, no data)");
	leave_flight(f);
}

static void on_lost(void *arg)
{
	leave_flight(arg); /* until the time is over */
}

static void on_served(struct web_request *r)
{
	struct web_flight *f = r->arg;

	link_send(f->to, f->from, on_answer_there, on_lost, f, NULL);
}

static void on_request_there(void *arg)
{
	struct web_flight *f = arg;
	struct web_server *s = web_find(f->address);

	if (s && web_number_of(web_host_of(s)) == f->to) {
		web_serve(s, &f->at_server);
		return;
	}
	end_flight(f, "Couldn't connect to server");
	leave_flight(f);
}

static void on_time_over(void *arg)
{
	struct web_flight *f = arg;

	if (!f->has_ended)
		atomic_store(&f->at_server.is_gone, true);
	end_flight(f, "Timeout was reached");
	leave_flight(f);
}

static struct web_client *client_of(struct peer_client *c)
{
	struct web_client *w = c->multi;

	if (w)
		return w;
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	w->fd = -1;
	c->multi = w;
	return w;
}

/* "https://10.0.0.1:8443/v1/x?y": the address, and behind it the path. */
static const char *split_url(const char *url, char address[WEB_ADDRESS_MAX])
{
	const char *path = strchr(url + strlen("https://"), '/');

	snprintf(address, WEB_ADDRESS_MAX, "%.*s", (int)(path - url), url);
	return path;
}

static const char *counted; /* what the path or the body of counted requests has */
static unsigned n_counted;

void web_count(const char *text)
{
	counted = text;
	n_counted = 0;
}

unsigned web_counted(void)
{
	return n_counted;
}

static void begin_flight(struct peer_client *c, struct client_request *r)
{
	struct web_flight *f = calloc(1, sizeof(*f));
	struct web_client *w = client_of(c);

	if (!f)
		abort();
	r->answer = NULL;
	r->status = 0;
	r->failure[0] = '\0';
	f->request = r;
	f->client = w;
	f->next = w->flights;
	w->flights = f;
	const char *path = split_url(r->url, f->address);
	struct web_server *s = web_find(f->address);

	n_counted += counted && (strstr(path, counted) || (r->body && strstr(r->body, counted)));
	web_request_init(&f->at_server, r->post ? "POST" : "GET", path,
	                 r->post ? r->body ? r->body : "{}" : NULL);
	snprintf(f->at_server.login, sizeof(f->at_server.login), "Bearer %.240s", c->token);
	f->at_server.ended = on_served;
	f->at_server.arg = f;
	f->from = web_number_of(sched_host());
	f->to = s ? web_number_of(web_host_of(s)) : f->from;
	f->n_users = 3; /* the client, the message, the end of the time */
	link_send(f->from, f->to, on_request_there, on_lost, f, NULL);
	sched_at(sched_now_ns() + (uint64_t)r->timeout_ms * SCHED_MS, on_time_over, f);
}

static void fill_result(const struct web_flight *f)
{
	struct client_request *r = f->request;
	const char *text = f->at_server.text ? f->at_server.text : "";
	size_t n = strlen(text);

	if (f->failure) {
		snprintf(r->failure, sizeof(r->failure), "%s", f->failure);
		return;
	}
	if (n > (r->answer_max ? r->answer_max : CLIENT_ANSWER_MAX)) {
		snprintf(r->failure, sizeof(r->failure),
		         "Failed writing received data to disk/application");
		return;
	}
	r->status = (long)f->at_server.status;
	if (r->status != 200)
		snprintf(r->failure, sizeof(r->failure), "HTTP status %ld", r->status);
	else if (!(r->answer = json_read(text, n, JSON_REJECT_DUPLICATES, NULL)))
		snprintf(r->failure, sizeof(r->failure), "the answer is not JSON");
}

/* Give the outcome of those that have ended. */
static void collect_flights(struct web_client *w)
{
	for (struct web_flight **at = &w->flights; *at;) {
		struct web_flight *f = *at;

		if (!f->has_ended) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		f->client = NULL;
		fill_result(f);
		struct client_request *r = f->request;

		leave_flight(f);
		if (r->done)
			r->done(r);
		at = &w->flights; /* others may have begun */
	}
}

static bool has_ended_flight(void *arg)
{
	const struct web_client *w = arg;

	for (const struct web_flight *f = w->flights; f; f = f->next)
		if (f->has_ended)
			return true;
	return false;
}

/* --- mgmt/http/client.h --- */

void client_open(struct peer_client *c, const char *conf_dir)
{
	*c = (struct peer_client){ 0 };
	snprintf(c->conf, sizeof(c->conf), "%s", conf_dir);
}

void client_send(struct peer_client *c, struct client_request *requests, size_t n)
{
	struct web_client *w = client_of(c);

	for (size_t i = 0; i < n; i++)
		begin_flight(c, &requests[i]);
	while (w->flights) {
		(void)sched_wait(has_ended_flight, w, SCHED_NEVER);
		collect_flights(w);
	}
}

void client_close(struct peer_client *c)
{
	struct web_client *w = c->multi;

	c->multi = NULL;
	if (!w)
		return;
	for (struct web_flight *f = w->flights, *next; f; f = next) {
		next = f->next;
		f->client = NULL;
		f->has_ended = true;
		atomic_store(&f->at_server.is_gone, true);
		leave_flight(f);
	}
	if (w->fd >= 0)
		close(w->fd);
	free(w);
}

/* --- from an event loop --- */

static void on_ended_flight(void *arg, int fd, uint32_t events)
{
	struct client_loop *l = arg;
	uint64_t n;

	(void)events;
	(void)!read(fd, &n, sizeof(n));
	collect_flights(client_of(l->client));
}

int client_loop_open(struct client_loop *l, struct peer_client *client, const char *conf_dir,
                     struct loop *loop)
{
	client_open(client, conf_dir);
	struct web_client *w = client_of(client);

	*l = (struct client_loop){ .client = client, .loop = loop };
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->fd < 0 ? -errno : loop_fd_add(loop, w->fd, EPOLLIN, on_ended_flight, l);
}

void client_loop_begin(struct client_loop *l, struct client_request *r)
{
	begin_flight(l->client, r);
}
