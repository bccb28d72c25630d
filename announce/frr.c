/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bgpd's vty socket, as vtysh uses it (lib/vty.c of FRR 8.4): a question ends with NUL; an answer is text without NUL,
 * three NULs, and the status of the command. A new connection is in the view mode, which has no command that changes
 * anything, and stays there.
 *
 * A path is Weir's if bgpd itself is its source, by `import vrf` or `redistribute`. The community graceful-shutdown
 * tells the two tables apart, so any configuration that sets it fits, not only packaging/frr/frr.conf.
 */
#include "announce/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "weir/json.h"

#define STATUS_BYTES 4u

static const enum daemon_query_kind first[] = { DAEMON_QUERY_VERSION };

static size_t write_question(const struct daemon_facts *f, const struct daemon_query *q,
                             char out[DAEMON_QUESTION_MAX])
{
	char vip[ADDR_TEXT_MAX];
	bool four = addr_is4(&q->vip);
	int n = 0;

	(void)f;
	switch (q->kind) {
	case DAEMON_QUERY_GREETING:
	case DAEMON_QUERY_RESTRICT:
	case DAEMON_QUERY_EXPORT:
		return 0;
	case DAEMON_QUERY_VERSION:
		n = snprintf(out, DAEMON_QUESTION_MAX, "show version");
		break;
	case DAEMON_QUERY_SESSIONS:
		n = snprintf(out, DAEMON_QUESTION_MAX, "show bgp summary json");
		break;
	case DAEMON_QUERY_ROUTE:
		n = snprintf(out, DAEMON_QUESTION_MAX, "show bgp ipv%d unicast %s/%d json",
		             four ? 4 : 6, addr_text(&q->vip, vip), four ? 32 : 128);
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
	return 0;
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

static void read_peers(struct daemon_facts *f, const json_t *family, bool four)
{
	json_t *peers = json_object_get(family, "peers"), *peer;
	const char *name;

	json_object_foreach(peers, name, peer)
	{
		const char *state = json_string_value(json_object_get(peer, "state"));
		struct daemon_neighbour *to = put_neighbour(f, name);

		if (!to)
			continue;
		*(four ? &to->lacks4 : &to->lacks6) = false;
		to->established = state && !strcmp(state, "Established");
	}
}

static void read_sessions(struct daemon_facts *f, const json_t *summary)
{
	f->n_neighbours = f->n_omitted = 0;
	read_peers(f, json_object_get(summary, "ipv4Unicast"), true);
	read_peers(f, json_object_get(summary, "ipv6Unicast"), false);
}

static bool is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
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

static int read_route(const struct daemon_facts *f, struct daemon_route *r, const json_t *route)
{
	const json_t *paths = json_object_get(route, "paths"), *path;
	const json_t *to = json_object_get(route, "advertisedTo");
	bool best = false;
	size_t i;

	memset(r->imported, 0, sizeof(r->imported));
	r->exported = 0;
	json_array_foreach(paths, i, path)
	{
		if (!is_true(path, "sourced") || !is_true(path, "valid"))
			continue;
		r->imported[shuts_down(path) ? DAEMON_GSHUT : DAEMON_NORMAL] = true;
		best |= is_true(json_object_get(path, "bestpath"), "overall");
	}
	for (uint32_t n = 0; best && n < f->n_neighbours; n++)
		if (json_object_get(to, f->neighbours[n].name))
			r->exported |= 1u << n;
	return 0;
}

static int read_object(struct daemon_facts *f, struct daemon_route *r, const struct daemon_query *q,
                       const char *answer, size_t n)
{
	json_t *root = json_read(answer, n, 0, NULL);
	int err = 0;

	if (!json_is_object(root))
		err = refuse_answer(f, "no JSON", answer, n);
	else if (q->kind == DAEMON_QUERY_SESSIONS)
		read_sessions(f, root);
	else
		err = read_route(f, r, root);
	json_decref(root);
	return err;
}

static int read_answer(struct daemon_facts *f, struct daemon_route *r, const struct daemon_query *q,
                       const char *answer, size_t n)
{
	if (n < STATUS_BYTES)
		return -EPROTO;
	char status = answer[n - 1];

	n -= STATUS_BYTES;
	if (status)
		return refuse_answer(f, "a question is refused", answer, n);
	if (q->kind == DAEMON_QUERY_VERSION)
		return read_version(f, answer, n);
	return read_object(f, r, q, answer, n);
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
