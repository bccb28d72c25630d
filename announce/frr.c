/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bgpd's vty socket, as vtysh uses it (lib/vty.c of FRR 8.4): a question ends with NUL; an answer is text without NUL,
 * three NULs, and the status of the command. A new connection is in the view mode, which has no command that changes
 * anything, and stays there.
 *
 * One prefix is asked for alone, or all below a net (`longer-prefixes`). For a list bgpd walks its whole table and serves
 * nobody else meanwhile, so announce/daemon_rows.c asks for lists only where the table is small.
 *
 * A path is Weir's if bgpd itself is its source, by `import vrf` or `redistribute`. The community graceful-shutdown
 * tells the two tables apart, so any configuration that sets it fits, not only packaging/frr/frr.conf.
 *
 * FRR 8.4 to 10 are known.
 */
#include "announce/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "weir/json.h"

#define STATUS_BYTES 4u

static const enum daemon_query_kind first[] = { DAEMON_QUERY_VERSION };

static bool is_host(const struct prefix *net)
{
	return net->bits == (addr_is4(&net->addr) ? 32 : 128);
}

static size_t write_question(const struct daemon_facts *f, const struct daemon_query *q,
                             char out[DAEMON_QUESTION_MAX])
{
	char net[ADDR_LONG_TEXT_MAX];
	int n = 0;

	(void)f;
	switch (q->kind) {
	case DAEMON_QUERY_GREETING:
	case DAEMON_QUERY_RESTRICT:
	case DAEMON_QUERY_CHANNELS:
	case DAEMON_QUERY_EXPORTS:
		return 0;
	case DAEMON_QUERY_VERSION:
		n = snprintf(out, DAEMON_QUESTION_MAX, "show version");
		break;
	case DAEMON_QUERY_SESSIONS:
		n = snprintf(out, DAEMON_QUESTION_MAX, "show bgp summary json");
		break;
	case DAEMON_QUERY_ROUTES:
		n = snprintf(out, DAEMON_QUESTION_MAX, "show bgp ipv%d unicast %s%s json%s",
		             addr_is4(&q->net.addr) ? 4 : 6, prefix_text(&q->net, net),
		             is_host(&q->net) ? "" : " longer-prefixes",
		             is_host(&q->net) ? "" : " detail");
		break;
	}
	return (size_t)n + 1; /* with its NUL */
}

static ssize_t find_end(const char *bytes, size_t n, size_t from)
{
	const char *nul;

	from = from > STATUS_BYTES ? from - STATUS_BYTES : 0; /* some NULs may have been there */
	nul = memchr(bytes + from, 0, n - from);
	if (!nul || (size_t)(bytes + n - nul) < STATUS_BYTES)
		return 0;
	return nul[1] || nul[2] ? -EPROTO : nul + STATUS_BYTES - bytes;
}

static int refuse_answer(struct daemon_facts *f, const char *what, const char *answer, size_t n)
{
	size_t shown = 0;

	while (shown < n && shown < 60 && answer[shown] != '\n' && answer[shown] != '\r')
		shown++;
	snprintf(f->problem, sizeof(f->problem), "%s: FRR says %.*s", what, (int)shown, answer);
	return -EPROTO;
}

static bool is_known_version(const char *text)
{
	unsigned major = 0, minor = 0;

	return sscanf(text, "FRRouting %u.%u", &major, &minor) == 2 &&
	       ((major == 8 && minor >= 4) || major == 9 || major == 10);
}

/* "FRRouting 8.4.4 (host) on Linux(...)." */
static int read_version(struct daemon_facts *f, const char *answer, size_t n)
{
	char text[DAEMON_NAME_MAX], *space;

	snprintf(text, sizeof(text), "%.*s", (int)n, answer);
	if (strncmp(text, "FRRouting ", 10) != 0)
		return refuse_answer(f, "no version", answer, n);
	space = text + 10 + strcspn(text + 10, " \r\n");
	*space = 0;
	snprintf(f->version, sizeof(f->version), "%s", text);
	if (is_known_version(text))
		return 0;
	snprintf(
	        f->problem, sizeof(f->problem),
	        "%.30s is a version that this release of Weir does not know; it knows FRR 8.4 to 10",
	        text);
	return -EPROTO;
}

static struct daemon_neighbour *find_neighbour(struct daemon_facts *f, const char *name)
{
	for (uint32_t i = 0; i < f->n_neighbours; i++)
		if (!strcmp(f->neighbours[i].name, name))
			return &f->neighbours[i];
	return NULL;
}

static struct daemon_neighbour *put_neighbour(struct daemon_facts *f, const char *name)
{
	struct daemon_neighbour *to = find_neighbour(f, name);

	if (to)
		return to;
	if (f->n_neighbours == DAEMON_NEIGHBOURS_MAX || strlen(name) >= DAEMON_NAME_MAX) {
		f->n_omitted++;
		return NULL;
	}
	to = &f->neighbours[f->n_neighbours++];
	*to = (struct daemon_neighbour){ .lacks4 = true, .lacks6 = true };
	snprintf(to->name, sizeof(to->name), "%s", name);
	return to;
}

static const char *const families[] = { "ipv4Unicast", "ipv6Unicast" };

static bool is_established(const json_t *peer)
{
	const char *state = json_get_text(peer, "state");

	return state && !strcmp(state, "Established");
}

/* Which neighbours of a list are meant. */
enum listed {
	LISTED_ALL,
	LISTED_UP,
	LISTED_DOWN,
};

static void read_peers(struct daemon_facts *f, const json_t *summary, enum listed which)
{
	for (int i = 0; i < 2; i++) {
		json_t *peers = json_object_get(json_object_get(summary, families[i]), "peers");
		const char *name;
		json_t *peer;

		json_object_foreach(peers, name, peer)
		{
			bool established = is_established(peer);
			struct daemon_neighbour *to;

			if (which != LISTED_ALL && established != (which == LISTED_UP))
				continue;
			to = put_neighbour(f, name);
			if (!to)
				continue;
			*(i == 0 ? &to->lacks4 : &to->lacks6) = false;
			to->established = established;
		}
	}
}

static uint64_t read_number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? (uint64_t)json_integer_value(value) : UINT64_MAX;
}

/*
 * What changes with the exports: the table's version, which counts changes of best paths, the
 * prefixes that each neighbour was sent, and its sessions. 0 if one is not told.
 */
static uint64_t read_stamp(const json_t *summary)
{
	uint64_t stamp = 1;

	for (int i = 0; i < 2; i++) {
		const json_t *family = json_object_get(summary, families[i]);
		json_t *peers = json_object_get(family, "peers"), *peer;
		uint64_t version = read_number(family, "tableVersion");
		const char *name;

		if (!family)
			continue;
		stamp = hash_mix(stamp + version);
		json_object_foreach(peers, name, peer)
		{
			uint64_t sent = read_number(peer, "pfxSnt");

			if (version == UINT64_MAX || (sent == UINT64_MAX && is_established(peer)))
				return 0;
			stamp = hash_mix(stamp ^ hash_text(name));
			stamp = hash_mix(stamp + sent + (is_established(peer) ? 1 : 0));
			stamp = hash_mix(stamp + read_number(peer, "connectionsEstablished"));
		}
	}
	return stamp ? stamp : 1;
}

/*
 * bgpd tells how many nodes its tree has. Of N routes it makes N to 2N - 1, because some nodes only
 * branch, so this is at most N, and at least half of it. UINT64_MAX: not told
 */
static uint64_t read_n_routes(const json_t *family)
{
	uint64_t nodes = read_number(family, "ribCount");

	return nodes == UINT64_MAX ? nodes : nodes / 2 + nodes % 2;
}

/* In FRR's order; if there is not room for all, those that are up first. */
static void read_sessions(struct daemon_facts *f, const json_t *summary)
{
	f->n_neighbours = f->n_omitted = 0;
	read_peers(f, summary, LISTED_ALL);
	if (f->n_omitted) {
		f->n_neighbours = f->n_omitted = 0;
		read_peers(f, summary, LISTED_UP);
		read_peers(f, summary, LISTED_DOWN);
	}
	for (int i = 0; i < 2; i++)
		f->n_routes[i] = read_n_routes(json_object_get(summary, families[i]));
	f->stamp = read_stamp(summary);
}

/* Whether a path carries GRACEFUL_SHUTDOWN (RFC 8326, section 3). */
static bool shuts_down(const json_t *path)
{
	const json_t *list = json_object_get(json_object_get(path, "community"), "list");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));

		if (name && (!strcmp(name, "gracefulShutdown") || !strcmp(name, "65535:0")))
			return true;
	}
	return false;
}

/* @return whether a path that is Weir's is the best one */
static bool read_path(struct daemon_route *r, const json_t *path)
{
	if (!json_has_true(path, "sourced") || !json_has_true(path, "valid"))
		return false;
	r->imported[shuts_down(path) ? DAEMON_GSHUT : DAEMON_NORMAL] = true;
	return json_has_true(json_object_get(path, "bestpath"), "overall");
}

/*
 * One prefix: an object with "paths" and "advertisedTo"; in a list of FRR 8.4, an array whose first
 * element has the latter, and whose others are the paths.
 */
static void read_route(const struct daemon_facts *f, struct daemon_route *r, const json_t *route)
{
	const json_t *paths = json_is_array(route) ? route : json_object_get(route, "paths");
	const json_t *to = json_object_get(route, "advertisedTo"), *path;
	bool best = false;
	size_t i;

	json_array_foreach(paths, i, path)
	{
		best |= read_path(r, path);
		to = to ? to : json_object_get(path, "advertisedTo");
	}
	for (uint32_t n = 0; best && n < f->n_neighbours; n++)
		if (json_object_get(to, f->neighbours[n].name))
			r->exported |= 1u << n;
}

/* @return 0, or -EPROTO: there is no list */
static int read_list(const struct daemon_facts *f, daemon_find *find, void *arg, json_t *routes)
{
	const char *key;
	json_t *route;

	if (!json_is_object(routes))
		return -EPROTO;
	json_object_foreach(routes, key, route)
	{
		struct prefix net;
		struct daemon_route *r;

		if (prefix_parse(key, &net) || !is_host(&net))
			continue;
		r = find(arg, &net.addr);
		if (r)
			read_route(f, r, route);
	}
	return 0;
}

static int read_object(struct daemon_facts *f, const struct daemon_query *q, daemon_find *find,
                       void *arg, const char *answer, size_t n)
{
	json_t *root = json_read(answer, n, 0, NULL);
	struct daemon_route *r;
	int err = 0;

	if (!json_is_object(root)) {
		err = refuse_answer(f, "no JSON", answer, n);
	} else if (q->kind == DAEMON_QUERY_SESSIONS) {
		read_sessions(f, root);
	} else if (!is_host(&q->net)) {
		if (read_list(f, find, arg, json_object_get(root, "routes")))
			err = refuse_answer(f, "no list of routes", answer, n);
	} else {
		r = find(arg, &q->net.addr);
		if (r)
			read_route(f, r, root);
	}
	json_decref(root);
	return err;
}

static int read_answer(struct daemon_facts *f, const struct daemon_query *q, daemon_find *find,
                       void *arg, const char *answer, size_t n)
{
	if (n < STATUS_BYTES)
		return -EPROTO;
	char status = answer[n - 1];

	n -= STATUS_BYTES;
	if (status)
		return refuse_answer(f, "a question is refused", answer, n);
	if (q->kind == DAEMON_QUERY_VERSION)
		return read_version(f, answer, n);
	return read_object(f, q, find, arg, answer, n);
}

const struct daemon_ops daemon_frr = {
	.name = "frr",
	.path = "/run/frr/bgpd.vty",
	.first = first,
	.n_first = sizeof(first) / sizeof(first[0]),
	.write = write_question,
	.whole = find_end,
	.read = read_answer,
};
