/* SPDX-License-Identifier: BSD-2-Clause */
/* Leases, tokens, members and their state. */
#include <stdio.h>
#include <string.h>

#include "mgmt/etcd/answer.h"
#include "mgmt/etcd/fields_internal.h"

int etcd_answer_header(const char *bytes, size_t n, struct etcd_header *out,
                       char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	struct etcd_header header = etcd_fields_some_header(&f, f.root);
	int err = etcd_fields_end(&f);

	if (!err)
		*out = header;
	return err;
}

static struct etcd_lease read_lease(struct etcd_fields *f, const json_t *object,
                                    int64_t least_ttl_s)
{
	return (struct etcd_lease){ .header = etcd_fields_header(f, object),
		                    .id = etcd_fields_int64(f, object, "ID", 1),
		                    .ttl_s = etcd_fields_int64(f, object, "TTL", least_ttl_s) };
}

int etcd_answer_grant(const char *bytes, size_t n, struct etcd_lease *out,
                      char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	struct etcd_lease lease = read_lease(&f, f.root, 1);
	int err = etcd_fields_end(&f);

	if (!err)
		*out = lease;
	return err;
}

int etcd_answer_keepalive(const char *bytes, size_t n, int64_t id, struct etcd_lease *out,
                          char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	const json_t *result = etcd_fields_object(&f, f.root, "result");

	if (!result)
		etcd_fields_refuse(&f, "result", "is absent");
	struct etcd_lease lease = read_lease(&f, result, 0);

	if (lease.id != id)
		etcd_fields_refuse(&f, "ID", "is another lease's");
	int err = etcd_fields_end(&f);

	if (!err)
		*out = lease;
	return err;
}

int etcd_answer_authenticate(const char *bytes, size_t n, struct etcd_header *header,
                             char token[ETCD_TOKEN_MAX], char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;
	char text[ETCD_TOKEN_MAX];

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	struct etcd_header read = etcd_fields_header(&f, f.root);

	etcd_fields_text(&f, f.root, "token", text, sizeof(text));
	if (!*text)
		etcd_fields_refuse(&f, "token", "is absent");
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			etcd_fields_refuse(&f, "token", "has characters that a header cannot have");
	int err = etcd_fields_end(&f);

	if (err)
		return err;
	*header = read;
	memcpy(token, text, strlen(text) + 1);
	return 0;
}

bool etcd_member_is_for_nodes(const struct etcd_member *m)
{
	return !m->is_learner && !strncmp(m->client_url, "https://", 8);
}

/* Alarms of all members are among what a member says is wrong: "memberID:161 alarm:NOSPACE ". */
static bool has_alarm(const json_t *status, const char *name)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(status, "errors"), i,
	                   entry) if (json_is_string(entry) &&
	                              strstr(json_string_value(entry), name)) return true;
	return false;
}

int etcd_answer_status(const char *bytes, size_t n, struct etcd_status *out,
                       char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	struct etcd_status s = { .header = etcd_fields_header(&f, f.root),
		                 .db_bytes = etcd_fields_int64(&f, f.root, "dbSize", 0),
		                 .leader = etcd_fields_uint64(&f, f.root, "leader"),
		                 .is_learner = etcd_fields_bool(&f, f.root, "isLearner"),
		                 .is_full = has_alarm(f.root, "alarm:" ETCD_ALARM_FULL) };

	etcd_fields_text(&f, f.root, "version", s.version, sizeof(s.version));
	if (!s.version[0])
		etcd_fields_refuse(&f, "version", "is absent");
	int err = etcd_fields_end(&f);

	if (!err)
		*out = s;
	return err;
}

int etcd_answer_alarms(const char *bytes, size_t n, struct etcd_alarms *out,
                       char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;
	struct etcd_alarms a = { 0 };
	const json_t *list = NULL;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	a.header = etcd_fields_some_header(&f, f.root);
	a.n = etcd_fields_list(&f, f.root, "alarms", ETCD_ALARMS_MAX, &list);
	for (size_t i = 0; i < a.n; i++) {
		const json_t *entry = etcd_fields_entry(&f, list, "alarms", i);

		a.alarms[i].member_id = etcd_fields_uint64(&f, entry, "memberID");
		etcd_fields_text(&f, entry, "alarm", a.alarms[i].name, sizeof(a.alarms[i].name));
		if (!a.alarms[i].name[0])
			etcd_fields_refuse(&f, "alarm", "is absent");
	}
	int err = etcd_fields_end(&f);

	if (!err)
		*out = a;
	return err;
}

/* The first of a list of URLs; "": there is none. */
static void read_first_url(struct etcd_fields *f, const json_t *member, const char *name,
                           char out[ETCD_URL_MAX])
{
	const json_t *list = json_object_get(member, name), *first = json_array_get(list, 0);
	const char *text = json_string_value(first);

	out[0] = '\0';
	if (!list || json_is_null(list) || (json_is_array(list) && !json_array_size(list)))
		return;
	if (!text || strlen(text) >= ETCD_URL_MAX) {
		etcd_fields_refuse(f, name, "is no list of URLs");
		return;
	}
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c > '~')
			etcd_fields_refuse(f, name, "has characters that no URL has");
	snprintf(out, ETCD_URL_MAX, "%s", text);
}

static struct etcd_member read_member(struct etcd_fields *f, const json_t *entry)
{
	struct etcd_member m = { .id = etcd_fields_uint64(f, entry, "ID"),
		                 .is_learner = etcd_fields_bool(f, entry, "isLearner") };

	if (!m.id)
		etcd_fields_refuse(f, "ID", "is absent");
	etcd_fields_text(f, entry, "name", m.name, sizeof(m.name));
	read_first_url(f, entry, "peerURLs", m.peer_url);
	read_first_url(f, entry, "clientURLs", m.client_url);
	return m;
}

int etcd_answer_members(const char *bytes, size_t n, struct etcd_members *out,
                        char reason[ETCD_REASON_MAX])
{
	struct etcd_fields f;
	struct etcd_members m = { 0 };
	const json_t *list = NULL;

	etcd_fields_begin(&f, bytes, n, NULL, reason);
	m.header = etcd_fields_header(&f, f.root);
	const json_t *added = etcd_fields_object(&f, f.root, "member");

	if (added)
		m.added = read_member(&f, added).id;
	m.n = etcd_fields_list(&f, f.root, "members", ETCD_MEMBERS_MAX, &list);
	if (!m.n)
		etcd_fields_refuse(&f, "members", "is absent");
	for (size_t i = 0; i < m.n; i++)
		m.members[i] = read_member(&f, etcd_fields_entry(&f, list, "members", i));
	int err = etcd_fields_end(&f);

	if (!err)
		*out = m;
	return err;
}
