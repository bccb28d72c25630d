/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What may be repeated goes to one member after the other, each once, until one gives an answer that
 * is etcd's and our cluster's. Writes have rules of their own (gateway_txn.c).
 */
#include "mgmt/etcd/gateway.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/reason.h"
#include "mgmt/etcd/gateway_internal.h"

/* What settings are possible. Files are looked at when they are used, since they may be replaced. */

/* "https://HOST:PORT": no user, path or query, which would be put before our own path. */
static bool is_endpoint(const char *url)
{
	const char *host = !strncmp(url, "https://", 8)  ? url + 8
	                   : !strncmp(url, "http://", 7) ? url + 7
	                                                 : NULL;
	const char *allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";

	return host && *host && !host[strspn(host, allowed)] && strlen(url) < ETCD_URL_MAX - 1;
}

static int check_settings(const struct etcd_settings *s, char reason[ETCD_REASON_MAX])
{
	if (!s->n_endpoints || s->n_endpoints > ETCD_ENDPOINTS_MAX)
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "etcd needs 1 to 9 endpoints");
	for (size_t i = 0; i < s->n_endpoints; i++) {
		if (is_endpoint(s->endpoints[i]))
			continue;
		return reason_write(
		        reason, ETCD_REASON_MAX, -EINVAL,
		        "endpoint %zu is not \"https://HOST:PORT\" or \"http://HOST:PORT\"", i);
	}
	if (!s->tls.certificate[0] != !s->tls.key[0])
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "a client's certificate needs its key");
	if (!s->user[0] != !s->password_file[0])
		return reason_write(reason, ETCD_REASON_MAX, -EINVAL,
		                    "a user needs a password's file");
	return 0;
}

int etcd_gateway_open(const struct etcd_settings *settings, const atomic_bool *stop,
                      struct etcd_gateway **out, char reason[ETCD_REASON_MAX])
{
	int err = check_settings(settings, reason);

	if (err)
		return err;
	struct etcd_gateway *g = MEMORY_NEW(struct etcd_gateway);

	g->settings = *settings;
	if (!g->settings.n_own)
		g->settings.n_own = settings->n_endpoints;
	g->stop = stop;
	g->multi = curl_multi_init();
	if (!g->multi || etcd_transfer_open(&g->transfer, &settings->tls)) {
		snprintf(reason, ETCD_REASON_MAX, "out of memory");
		etcd_gateway_close(g);
		return -ENOMEM;
	}
	*out = g;
	return 0;
}

void etcd_gateway_close(struct etcd_gateway *g)
{
	etcd_transfer_close(&g->transfer);
	if (g->multi)
		curl_multi_cleanup(g->multi);
	explicit_bzero(g->token, sizeof(g->token));
	free(g);
}

const char *etcd_gateway_reason(const struct etcd_gateway *g)
{
	return g->reason;
}

int64_t etcd_gateway_date_s(const struct etcd_gateway *g)
{
	return g->transfer.date_s;
}

/* What an answer is read by. @return 0, -EBADMSG or -ENOMEM, with a reason */
typedef int read_reply(void *arg, const char *bytes, size_t n, struct etcd_header *header,
                       char reason[ETCD_REASON_MAX]);

/* The outcome of a request that was answered: what is no answer of our cluster counts as none. */
static enum etcd_try judge_reply(struct etcd_gateway *g, read_reply *read, void *arg, int *err)
{
	struct etcd_header header = { 0 };
	char reason[ETCD_REASON_MAX];

	*err = read(arg, g->transfer.bytes, g->transfer.n, &header, reason);
	*err = etcd_gateway_judge(g, *err, reason, &header);
	if (!*err) {
		g->n_left = 0;
		return ETCD_TRY_SUCCEEDED;
	}
	return *err == -ENOMEM ? ETCD_TRY_REJECTED : ETCD_TRY_UNCLEAR;
}

/* Ask one member after the other. What may be repeated is, after an unclear try as well. */
static int call_members(struct etcd_gateway *g, const struct etcd_request *request, bool may_repeat,
                        read_reply *read, void *arg)
{
	struct etcd_attempts a;
	uint64_t now_ms = clock_mono_ms();
	enum etcd_next next;
	int err;

	g->reason[0] = '\0';
	g->foreign = 0;
	etcd_attempts_begin(&a, g->settings.n_endpoints, now_ms, etcd_gateway_limit_ms(g));
	do {
		enum etcd_try outcome = etcd_gateway_try_as_user(g, request, a.end_ms, &err);

		if (outcome == ETCD_TRY_SUCCEEDED)
			outcome = judge_reply(g, read, arg, &err);
		if (etcd_gateway_is_stopped(g) && outcome != ETCD_TRY_SUCCEEDED)
			return outcome == ETCD_TRY_UNCLEAR && !may_repeat ? -EINPROGRESS
			                                                  : -ECANCELED;
		if (outcome == ETCD_TRY_UNCLEAR && !may_repeat)
			return -EINPROGRESS;
		if (outcome == ETCD_TRY_UNCLEAR)
			outcome = ETCD_TRY_NOT_SENT;
		if (outcome == ETCD_TRY_FULL)
			outcome = ETCD_TRY_REJECTED;
		next = etcd_attempts_note(&a, outcome, clock_mono_ms());
		if (outcome == ETCD_TRY_NOT_SENT)
			etcd_gateway_leave(g);
	} while (next != ETCD_NEXT_END);
	if (!err)
		g->reason[0] = '\0';
	return err;
}

/* A request that could not be made is not sent; the reason is etcd_request_*()'s. */
static int call_prepared(struct etcd_gateway *g, int err, const char *reason,
                         struct etcd_request *request, read_reply *read, void *arg)
{
	if (err)
		return reason_write(g->reason, sizeof(g->reason), err, "%s", reason);
	err = call_members(g, request, true, read, arg);
	etcd_request_fini(request);
	return err;
}

struct range_reading {
	const struct etcd_range *range;
	struct arena *arena;
	struct etcd_keys *out;
};

static int read_range(void *arg, const char *bytes, size_t n, struct etcd_header *header,
                      char reason[ETCD_REASON_MAX])
{
	struct range_reading *r = arg;
	struct etcd_keys keys;
	int err = etcd_answer_range(bytes, n, r->range, r->arena, &keys, reason);

	if (err)
		return err;
	*header = keys.header;
	*r->out = keys;
	return 0;
}

int etcd_gateway_range(struct etcd_gateway *g, const struct etcd_range *range, struct arena *arena,
                       struct etcd_keys *out)
{
	struct etcd_request request;
	struct etcd_keys keys;
	char reason[ETCD_REASON_MAX];
	struct range_reading r = { range, arena, &keys };
	int err = etcd_request_range(range, &request, reason);

	err = call_prepared(g, err, reason, &request, read_range, &r);
	if (!err)
		*out = keys;
	return err;
}

struct lease_reading {
	int64_t id; /* 0: a grant's */
	struct etcd_lease lease;
};

static int read_lease(void *arg, const char *bytes, size_t n, struct etcd_header *header,
                      char reason[ETCD_REASON_MAX])
{
	struct lease_reading *r = arg;
	int err = etcd_answer_lease(bytes, n, r->id, &r->lease, reason);

	if (!err)
		*header = r->lease.header;
	return err;
}

int etcd_gateway_grant(struct etcd_gateway *g, int64_t ttl_s, struct etcd_lease *out)
{
	struct etcd_request request;
	char reason[ETCD_REASON_MAX];
	struct lease_reading r = { 0 };
	int err = etcd_request_grant(ttl_s, &request, reason);

	err = call_prepared(g, err, reason, &request, read_lease, &r);
	if (!err)
		*out = r.lease;
	return err;
}

int etcd_gateway_keepalive(struct etcd_gateway *g, int64_t lease, struct etcd_lease *out)
{
	struct etcd_request request;
	char reason[ETCD_REASON_MAX];
	struct lease_reading r = { .id = lease };
	int err = etcd_request_keepalive(lease, &request, reason);

	err = call_prepared(g, err, reason, &request, read_lease, &r);
	if (err)
		return err;
	if (!r.lease.ttl_s)
		return etcd_gateway_fail(g, -ENOENT, "the lease is lost");
	*out = r.lease;
	return 0;
}

static int read_header(void *arg, const char *bytes, size_t n, struct etcd_header *header,
                       char reason[ETCD_REASON_MAX])
{
	(void)arg;
	return etcd_answer_header(bytes, n, header, reason);
}

static int call_for_reply(struct etcd_gateway *g, const struct etcd_request *request,
                          bool may_repeat, struct etcd_reply *out)
{
	int err = call_members(g, request, may_repeat, read_header, NULL);

	if (!err)
		*out = (struct etcd_reply){ g->transfer.bytes, g->transfer.n };
	return err;
}

int etcd_gateway_send(struct etcd_gateway *g, const struct etcd_request *request,
                      struct etcd_reply *out)
{
	return call_for_reply(g, request, false, out);
}

int etcd_gateway_query(struct etcd_gateway *g, const struct etcd_request *request,
                       struct etcd_reply *out)
{
	return call_for_reply(g, request, true, out);
}

int etcd_gateway_status(struct etcd_gateway *g, size_t i, struct etcd_status *out)
{
	struct etcd_request request;
	struct etcd_status status;
	char reason[ETCD_REASON_MAX];
	size_t before = g->current;
	int err = i < g->settings.n_endpoints ? etcd_request_status(&request, reason) : -EINVAL;

	if (err)
		return err;
	g->current = i;
	if (etcd_gateway_try_as_user(g, &request, clock_mono_ms() + ETCD_REQUEST_MS, &err) ==
	    ETCD_TRY_SUCCEEDED) {
		err = etcd_answer_status(g->transfer.bytes, g->transfer.n, &status, reason);
		err = etcd_gateway_judge(g, err, reason, &status.header);
	}
	etcd_request_fini(&request);
	g->current = before;
	if (err)
		return err;
	g->reason[0] = '\0';
	*out = status;
	return 0;
}

int etcd_gateway_status_here(struct etcd_gateway *g, struct etcd_status *out)
{
	return etcd_gateway_status(g, g->current, out);
}

/*
 * Members that are not among the settings' endpoints. Only those that TLS proves are used: an etcd that others have set up
 * may give an address at which this host has another one, such as http://localhost:2379.
 */

/* @return its number, or how many there are */
static size_t find_endpoint(const struct etcd_settings *s, const char *url)
{
	size_t i = 0;

	while (i < s->n_endpoints && strcmp(s->endpoints[i], url) != 0)
		i++;
	return i;
}

int etcd_gateway_endpoints(struct etcd_gateway *g, struct etcd_endpoints *out)
{
	struct etcd_request request;
	struct etcd_members members;
	char reason[ETCD_REASON_MAX];
	int err = etcd_request_members(&request, reason);

	if (err)
		return err;
	if (etcd_gateway_try_as_user(g, &request, clock_mono_ms() + ETCD_REQUEST_MS, &err) ==
	    ETCD_TRY_SUCCEEDED)
		err = etcd_answer_members(g->transfer.bytes, g->transfer.n, &members, reason);
	etcd_request_fini(&request);
	if (err)
		return err;
	*out = (struct etcd_endpoints){ 0 };
	for (size_t i = 0; i < members.n && out->n < ETCD_ENDPOINTS_MAX; i++) {
		const struct etcd_member *m = &members.members[i];

		out->n_voters += !m->is_learner;
		if (etcd_member_is_for_nodes(m) && is_endpoint(m->client_url)) {
			snprintf(out->urls[out->n], ETCD_URL_MAX, "%s", m->client_url);
			snprintf(out->names[out->n++], ETCD_NAME_MAX, "%s", m->name);
		}
	}
	return 0;
}

int etcd_gateway_look_at(struct etcd_gateway *g, const char *url, char reason[ETCD_REASON_MAX])
{
	size_t i = find_endpoint(&g->settings, url);
	uint64_t foreign = g->foreign;
	char before[ETCD_REASON_MAX];
	struct etcd_status status;

	if (i == g->settings.n_endpoints)
		return -ENOENT;
	memcpy(before, g->reason, sizeof(before));
	int err = etcd_gateway_status(g, i, &status);

	snprintf(reason, ETCD_REASON_MAX, "%s", err ? g->reason : "it has no leader");
	memcpy(g->reason, before, sizeof(before));
	g->foreign = foreign;
	return err || !status.leader ? -EHOSTUNREACH : 0;
}

static bool is_listed(const struct etcd_endpoints *l, const char *url)
{
	size_t i = 0;

	while (i < l->n && strcmp(l->urls[i], url) != 0)
		i++;
	return i < l->n;
}

/* Members that were removed make room. The current one stays: a watch reads at the member that it hears. */
static void drop_others(struct etcd_gateway *g, const struct etcd_endpoints *listed)
{
	struct etcd_settings *s = &g->settings;
	size_t n = 0, current = g->current;

	for (size_t i = 0; i < s->n_endpoints; i++) {
		if (i >= s->n_own && i != current && !is_listed(listed, s->endpoints[i]))
			continue;
		if (i == current)
			g->current = n;
		if (n < i)
			memcpy(s->endpoints[n], s->endpoints[i], ETCD_URL_MAX);
		g->is_checked[n++] = g->is_checked[i];
	}
	for (size_t i = n; i < s->n_endpoints; i++)
		g->is_checked[i] = false;
	s->n_endpoints = n;
}

void etcd_gateway_use(struct etcd_gateway *g, const struct etcd_endpoints *more)
{
	struct etcd_settings *s = &g->settings;

	drop_others(g, more);
	for (size_t i = 0; i < more->n && s->n_endpoints < ETCD_ENDPOINTS_MAX; i++)
		if (find_endpoint(s, more->urls[i]) == s->n_endpoints && is_endpoint(more->urls[i]))
			snprintf(s->endpoints[s->n_endpoints++], ETCD_URL_MAX, "%s", more->urls[i]);
}
