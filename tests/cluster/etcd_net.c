/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A call is a request at a member, or a watch: it is there as long as the transfer, a message or the member knows it.
 * Messages of one call keep their order.
 */
#include "tests/cluster/etcd_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mgmt/etcd/transfer.h"
#include "tests/cluster/link.h"
#include "tests/cluster/sched.h"
#include "tests/cluster/web.h"

#define CLUSTER_ID 0x77u
#define TICK_MS    100 /* between two looks at leases */
#define REFUSED_MS 1   /* until a client knows that nobody listens */

/* Bytes of an answer on their way. */
struct etcd_part {
	struct etcd_part *next;
	struct etcd_call *call;
	char *text;
	long status;
	bool is_last;
};

struct etcd_call {
	struct etcd_call *next;         /* of all watches */
	struct etcd_transfer *transfer; /* NULL: it has given up */
	unsigned from, member;
	char path[64];
	json_t *body;
	bool is_watch;
	struct etcd_model_watch watch;
	struct link_order back; /* of its answer's parts */
	unsigned n_users;
	struct etcd_part *parts, **last; /* that are there, and not taken */
	CURLcode err;
	bool has_failed;
};

static struct {
	struct etcd_model *model;
	enum etcd_net_state state[ETCD_NET_MEMBERS];
	struct etcd_call *watches;
	unsigned lost_per_mille;
} net;

static const char *const endpoints[ETCD_NET_MEMBERS] = { "https://10.8.0.1:2379",
	                                                 "https://10.8.0.2:2379",
	                                                 "https://10.8.0.3:2379" };

struct etcd_model *etcd_net_model(void)
{
	return net.model;
}

const char *etcd_net_endpoint(unsigned member)
{
	return endpoints[member];
}

void etcd_net_lose_answers(unsigned per_mille)
{
	net.lost_per_mille = per_mille;
}

static void free_part(struct etcd_part *p)
{
	free(p->text);
	free(p);
}

static void leave_call(struct etcd_call *c)
{
	if (--c->n_users)
		return;
	for (struct etcd_part *p = c->parts, *next; p; p = next) {
		next = p->next;
		free_part(p);
	}
	json_decref(c->body);
	if (c->is_watch)
		etcd_model_watch_fini(&c->watch);
	free(c);
}

static void fail_call(struct etcd_call *c, CURLcode err)
{
	if (c->has_failed || !c->transfer)
		return;
	c->err = err;
	c->has_failed = true;
}

/* --- answers --- */

static void on_part_there(void *arg)
{
	struct etcd_part *p = arg;
	struct etcd_call *c = p->call;

	if (c->transfer) {
		*c->last = p;
		c->last = &p->next;
	} else {
		free_part(p);
	}
	leave_call(c);
}

static void on_part_lost(void *arg)
{
	struct etcd_part *p = arg;
	struct etcd_call *c = p->call;

	if (c->is_watch)
		fail_call(c, CURLE_RECV_ERROR); /* a connection with a hole */
	free_part(p);
	leave_call(c);
}

static void send_part(struct etcd_call *c, json_t *answer, long status, bool is_last)
{
	struct etcd_part *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->call = c;
	p->status = status;
	p->is_last = is_last;
	char *text = json_dumps(answer, JSON_COMPACT);

	if (!text || asprintf(&p->text, "%s\n", text) < 0)
		abort();
	free(text);
	json_decref(answer);
	c->n_users++;
	link_send(ETCD_NET_FIRST + c->member, c->from, on_part_there, on_part_lost, p, &c->back);
}

static void feed_watch(struct etcd_call *c)
{
	json_t *line;

	while (net.state[c->member] == ETCD_NET_RUNS && c->transfer && !c->watch.is_canceled &&
	       (line = etcd_model_watch_line(net.model, &c->watch, c->member + 1)))
		send_part(c, line, 200, false);
}

static void feed_watches(void)
{
	for (struct etcd_call **at = &net.watches, *c; (c = *at);) {
		if (!c->transfer) {
			*at = c->next;
			leave_call(c);
			continue;
		}
		feed_watch(c);
		at = &c->next;
	}
}

static void on_request_there(void *arg)
{
	struct etcd_call *c = arg;
	long status;

	if (net.state[c->member] == ETCD_NET_STOPPED)
		fail_call(c, CURLE_COULDNT_CONNECT);
	if (net.state[c->member] != ETCD_NET_RUNS) {
		leave_call(c);
		return;
	}
	if (c->is_watch) {
		c->next = net.watches;
		net.watches = c; /* it is the list's now */
		feed_watch(c);
		return;
	}
	json_t *answer = etcd_model_answer(net.model, c->path, c->body, c->member + 1, &status);
	bool is_lost = !strcmp(c->path, "/v3/kv/txn") && sched_chance(net.lost_per_mille);

	if (is_lost)
		json_decref(answer);
	else
		send_part(c, answer, status, true);
	leave_call(c);
	feed_watches();
}

static void on_request_lost(void *arg)
{
	leave_call(arg); /* until the time is over */
}

static void on_time_over(void *arg)
{
	struct etcd_call *c = arg;

	fail_call(c, CURLE_OPERATION_TIMEDOUT);
	leave_call(c);
}

static void on_refused(void *arg)
{
	struct etcd_call *c = arg;

	fail_call(c, CURLE_COULDNT_CONNECT);
	leave_call(c);
}

/* --- members --- */

static void on_tick(void *arg)
{
	(void)arg;
	etcd_model_pass_time(net.model, TICK_MS);
	feed_watches();
	sched_at(sched_now_ns() + TICK_MS * SCHED_MS, on_tick, NULL);
}

void etcd_net_begin(void)
{
	net.model = etcd_model_new(CLUSTER_ID);
	sched_at(sched_now_ns() + TICK_MS * SCHED_MS, on_tick, NULL);
}

void etcd_net_set(unsigned member, enum etcd_net_state state)
{
	net.state[member] = state;
	for (struct etcd_call *c = net.watches; c && state == ETCD_NET_STOPPED; c = c->next)
		if (c->member == member)
			fail_call(c, CURLE_RECV_ERROR);
}

void etcd_net_restore(int64_t revision, bool is_new_cluster)
{
	etcd_model_restore(net.model, revision, CLUSTER_ID + is_new_cluster);
	for (struct etcd_call *c = net.watches; c; c = c->next)
		fail_call(c, CURLE_RECV_ERROR);
}

/* --- mgmt/etcd/transfer.h --- */

int etcd_transfer_open(struct etcd_transfer *t, const struct etcd_tls *tls)
{
	(void)tls;
	*t = (struct etcd_transfer){ 0 };
	return 0;
}

void etcd_transfer_close(struct etcd_transfer *t)
{
	etcd_transfer_end(t);
	free(t->bytes);
	*t = (struct etcd_transfer){ 0 };
}

static unsigned find_member(const char *endpoint)
{
	for (unsigned i = 0; i < ETCD_NET_MEMBERS; i++)
		if (!strcmp(endpoints[i], endpoint))
			return i;
	return ETCD_NET_MEMBERS;
}

/* The scene itself asks by no link. */
static unsigned own_number(void)
{
	return sched_host() ? web_number_of(sched_host()) : LINK_HOSTS - 1;
}

static struct etcd_call *make_call(struct etcd_transfer *t, const struct etcd_request *request,
                                   unsigned member)
{
	struct etcd_call *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->transfer = t;
	c->from = own_number();
	c->member = member;
	c->last = &c->parts;
	c->n_users = 1;
	snprintf(c->path, sizeof(c->path), "%s", request->path);
	c->body = json_loadb(request->body, request->n, 0, NULL);
	c->is_watch = !strcmp(request->path, "/v3/watch");
	if (c->is_watch)
		etcd_model_watch_init(&c->watch, c->body);
	return c;
}

/* The calls of transfers, by the handle, which is nothing else here. */
static struct etcd_call *call_of(const struct etcd_transfer *t)
{
	return (struct etcd_call *)t->handle;
}

/* Transfers under way, for etcd_transfer_run(). */
#define RUNNING_MAX 256u
static struct etcd_transfer *running[RUNNING_MAX];

int etcd_transfer_begin(struct etcd_transfer *t, CURLM *multi, const char *endpoint,
                        const struct etcd_request *request, const char *token, unsigned timeout_ms)
{
	unsigned member = find_member(endpoint);
	size_t i = 0;

	(void)token;
	etcd_transfer_end(t);
	free(t->bytes);
	t->bytes = NULL;
	t->n = t->n_sent = 0;
	t->request = request;
	t->err = CURLE_OK;
	t->status = 0;
	t->failure[0] = '\0';
	while (i < RUNNING_MAX && running[i])
		i++;
	if (i == RUNNING_MAX || member == ETCD_NET_MEMBERS)
		return -EIO;
	running[i] = t;
	struct etcd_call *c = make_call(t, request, member);
	unsigned to = ETCD_NET_FIRST + member;

	t->handle = (CURL *)c;
	t->multi = multi;
	t->is_running = true;
	if (timeout_ms) {
		c->n_users++;
		sched_at(sched_now_ns() + timeout_ms * SCHED_MS, on_time_over, c);
	}
	c->n_users++;
	/* who has no connection yet finds out that there is none to be had, before it sends anything */
	if (net.state[member] == ETCD_NET_STOPPED ||
	    (link_is_cut(c->from, to) && sched_chance(300))) {
		sched_at(sched_now_ns() +
		                 (net.state[member] == ETCD_NET_STOPPED ? REFUSED_MS : 1000) *
		                         SCHED_MS,
		         on_refused, c);
		return 0;
	}
	t->n_sent = request->n;
	link_send(c->from, to, on_request_there, on_request_lost, c, NULL);
	return 0;
}

/* Give a part to who reads it. */
static void take_part(struct etcd_transfer *t, const struct etcd_part *p)
{
	size_t n = strlen(p->text);

	t->status = p->status;
	if (t->sink && p->status == 200) {
		if (!t->sink(t->arg, p->text, n)) {
			t->err = CURLE_WRITE_ERROR;
			t->is_running = false;
		}
		return;
	}
	free(t->bytes);
	t->bytes = strdup(p->text);
	t->n = n;
	t->is_running &= !p->is_last;
}

static void end_failed(struct etcd_transfer *t, const struct etcd_call *c)
{
	t->is_running = false;
	t->err = c->err;
	snprintf(t->failure, sizeof(t->failure), "%s", curl_easy_strerror(c->err));
}

static void continue_transfer(struct etcd_transfer *t)
{
	struct etcd_call *c = call_of(t);

	while (t->is_running && c->parts) {
		struct etcd_part *p = c->parts;

		c->parts = p->next;
		if (!c->parts)
			c->last = &c->parts;
		take_part(t, p);
		free_part(p);
	}
	if (t->is_running && c->has_failed)
		end_failed(t, c);
}

static bool is_of(const struct etcd_transfer *t, const CURLM *multi)
{
	return t && t->multi == multi && t->is_running;
}

static bool has_news(void *multi)
{
	for (size_t i = 0; i < RUNNING_MAX; i++)
		if (is_of(running[i], multi) &&
		    (call_of(running[i])->parts || call_of(running[i])->has_failed))
			return true;
	return false;
}

void etcd_transfer_run(CURLM *multi, unsigned wait_ms)
{
	if (!has_news(multi))
		(void)sched_wait(has_news, multi, sched_now_ns() + wait_ms * SCHED_MS);
	for (size_t i = 0; i < RUNNING_MAX; i++)
		if (is_of(running[i], multi))
			continue_transfer(running[i]);
}

void etcd_transfer_end(struct etcd_transfer *t)
{
	struct etcd_call *c = call_of(t);

	for (size_t i = 0; i < RUNNING_MAX; i++)
		if (running[i] == t)
			running[i] = NULL;
	t->handle = NULL;
	t->multi = NULL;
	t->is_running = false;
	if (!c)
		return;
	c->transfer = NULL;
	leave_call(c);
}

void etcd_net_forget(unsigned from)
{
	for (size_t i = 0; i < RUNNING_MAX; i++)
		if (running[i] && call_of(running[i])->from == from) {
			call_of(running[i])->transfer = NULL;
			leave_call(call_of(running[i]));
			running[i] = NULL;
		}
}

bool etcd_transfer_is_sent(const struct etcd_transfer *t)
{
	return t->request && t->n_sent == t->request->n;
}
