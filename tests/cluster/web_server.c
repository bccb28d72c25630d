/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "mgmt/http/bell.h"
#include "tests/cluster/libc.h"
#include "tests/cluster/web.h"
#include "weir/stats.h"

#define HOSTS_MAX 64u

/* What a struct http_server is here. */
struct web_server {
	struct web_server *next;
	struct http_options options;
	struct sched_host *host;
	char address[WEB_ADDRESS_MAX]; /* "": a UNIX socket */
	unsigned n_running;
	bool is_stopping;
};

static struct web_server *servers;
static struct sched_host *hosts[HOSTS_MAX];
static unsigned numbers[HOSTS_MAX];

void web_name_host(struct sched_host *host, unsigned number)
{
	size_t i = 0;

	while (hosts[i])
		i++;
	hosts[i] = host;
	numbers[i] = number;
}

unsigned web_number_of(const struct sched_host *host)
{
	size_t i = 0;

	while (hosts[i] != host)
		i++;
	return numbers[i];
}

struct web_server *web_find(const char *address)
{
	for (struct web_server *s = servers; s; s = s->next)
		if (*s->address && !s->is_stopping && !strcmp(s->address, address))
			return s;
	return NULL;
}

struct web_server *web_find_local(const struct sched_host *host)
{
	for (struct web_server *s = servers; s; s = s->next)
		if (!*s->address && !s->is_stopping && s->host == host)
			return s;
	return NULL;
}

struct sched_host *web_host_of(const struct web_server *s)
{
	return s->host;
}

static void unlink_server(struct web_server *s)
{
	struct web_server **at = &servers;

	while (*at && *at != s)
		at = &(*at)->next;
	if (*at)
		*at = s->next;
}

void web_forget_host(struct sched_host *host)
{
	for (struct web_server *s = servers, *next; s; s = next) {
		next = s->next;
		if (s->host == host)
			unlink_server(s);
	}
}

/* --- requests --- */

static void read_query(struct http_request *h, const char *query)
{
	while (*query && h->n_query < HTTP_QUERY_MAX) {
		struct http_pair *pair = &h->query[h->n_query++];
		size_t n = strcspn(query, "&"), name = strcspn(query, "=&");

		snprintf(pair->name, sizeof(pair->name), "%.*s", (int)name, query);
		if (name < n)
			snprintf(pair->value, sizeof(pair->value), "%.*s", (int)(n - name - 1),
			         query + name + 1);
		query += n + (query[n] == '&');
	}
}

void web_request_init(struct web_request *r, const char *method, const char *path, const char *body)
{
	size_t n = strcspn(path, "?");

	*r = (struct web_request){ .body = strdup(body ? body : "") };
	snprintf(r->http.method, sizeof(r->http.method), "%s", method);
	snprintf(r->http.path, sizeof(r->http.path), "%.*s", (int)n, path);
	if (path[n])
		read_query(&r->http, path + n + 1);
	r->http.body = r->body;
	r->http.n_body = strlen(r->body);
	r->http.body_is_patch = !strcmp(method, "PATCH");
	r->http.body_is_json = r->http.n_body > 0 && !r->http.body_is_patch;
	r->http.gone = &r->is_gone;
}

void web_request_fini(struct web_request *r)
{
	free(r->body);
	free(r->text);
}

/* --- in a thread of the host --- */

struct web_run {
	struct web_server *server;
	struct web_request *request;
	struct http_hold hold;
};

static bool is_released(void *arg)
{
	const struct web_run *run = arg;
	const struct http_bells *bells = run->server->options.bells;

	return run->server->is_stopping ||
	       atomic_load(&bells->rung[run->hold.bell]) != run->hold.rung;
}

/* Hold the answer until its bell has rung, or the time is over. */
static void hold_answer(struct web_run *run)
{
	uint64_t now_ms = clock_mono_ms();

	run->request->http.held_ms = now_ms;
	if (run->hold.until_ms > now_ms)
		(void)sched_wait(is_released, run,
		                 sched_now_ns() + (run->hold.until_ms - now_ms) * SCHED_MS);
}

static void fill_reply(struct web_run *run, struct http_reply *reply)
{
	struct web_request *r = run->request;
	const struct http_options *o = &run->server->options;

	if (*r->login)
		o->authenticator(o->core, -1, r->login, &r->http);
	if (!o->gate(o->core, &r->http, reply))
		return;
	for (;;) {
		o->handler(o->core, &r->http, reply);
		if (!reply->hold.until_ms || run->server->is_stopping)
			return;
		run->hold = reply->hold;
		http_reply_fini(reply);
		hold_answer(run);
	}
}

static void *run_request(void *arg)
{
	struct web_run *run = arg;
	struct web_request *r = run->request;
	struct http_reply reply = { 0 };

	fill_reply(run, &reply);
	if (!reply.hold.until_ms) {
		r->status = reply.status ? reply.status : 200;
		r->text = http_reply_text(&reply);
	}
	http_reply_fini(&reply);
	run->server->n_running--;
	r->has_ended = true;
	if (r->ended)
		r->ended(r);
	free(run);
	return NULL;
}

void web_serve(struct web_server *s, struct web_request *r)
{
	struct web_run *run = malloc(sizeof(*run));

	if (!run)
		abort();
	*run = (struct web_run){ .server = s, .request = r };
	s->n_running++;
	sched_spawn(s->host, run_request, run);
}

/* --- mgmt/http/http.h --- */

static void note_address(struct web_server *s)
{
	struct sockaddr_storage at;
	char text[ADDR_TEXT_MAX];
	struct addr a;
	uint16_t port = 0;

	if (s->options.local || !libc_bound_to(s->options.listen_fd, &at))
		return;
	(void)addr_from_sockaddr((const struct sockaddr *)&at, &a, &port);
	snprintf(s->address, sizeof(s->address),
	         at.ss_family == AF_INET6 ? "https://[%s]:%u" : "https://%s:%u",
	         addr_text(&a, text), port);
}

int http_serve(const struct http_options *options, struct http_server **out)
{
	struct web_server *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->options = *options;
	s->options.tls = (struct http_tls_files){ .cert = NULL };
	s->host = sched_host();
	note_address(s);
	s->next = servers;
	servers = s;
	*out = (struct http_server *)s;
	return 0;
}

int http_renew(struct http_server *s, const struct http_tls_files *files)
{
	(void)s;
	(void)files;
	return 0;
}

const char *http_certificate_fault(struct http_server *s, const char *ca, const char *host,
                                   char out[HTTP_TEXT_MAX])
{
	(void)s;
	(void)ca;
	(void)host;
	out[0] = '\0';
	return out;
}

void http_set_peers(struct http_server *s, const struct addr *peers, size_t n)
{
	(void)s;
	(void)peers;
	(void)n;
}

static bool is_idle(void *arg)
{
	const struct web_server *s = arg;

	return !s->n_running;
}

int64_t http_certificate_end_ms(struct http_server *s)
{
	(void)s;
	return 0;
}

void http_stop(struct http_server *server)
{
	struct web_server *s = (struct web_server *)server;

	if (!s)
		return;
	s->is_stopping = true;
	while (s->n_running && !sched_wait(is_idle, s, SCHED_NEVER))
		;
	unlink_server(s);
	close(s->options.listen_fd);
	if (s->options.peers_fd >= 0)
		close(s->options.peers_fd);
	free(s);
}

void http_counters_open(struct stats *stats, struct http_counters *out)
{
	out->logins_failed =
	        stats_get_counter(stats, STATS_COUNTER, "cluster_none", "", "Counts nothing here.");
	out->refused = out->timed_out = out->logins_failed;
	for (size_t i = 0; i < HTTP_STATUSES_MAX; i++)
		out->requests[i] = out->logins_failed;
}
