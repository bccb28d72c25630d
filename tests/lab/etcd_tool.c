/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client of etcd's gateway (mgmt/etcd/) by hand: one JSON object on a line of standard input is a command, each answer one
 * on standard output. The first line has the settings. tests/lab/etcd_cluster.py writes the commands.
 */
#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "mgmt/etcd/watch.h"

#define LIST_MAX 256u /* compares or operations of a transaction: more than etcd takes */

static atomic_bool stop;
static struct etcd_gateway *gateway;

static void say_line(json_t *answer)
{
	json_dumpf(answer, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(answer);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static bool is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static struct etcd_range range_of(const json_t *object)
{
	return (struct etcd_range){ .key = etcd_text(text_of(object, "key")),
		                    .prefix = is_true(object, "prefix"),
		                    .after = etcd_text(text_of(object, "after")),
		                    .revision = number_of(object, "revision"),
		                    .limit = number_of(object, "limit"),
		                    .keys_only = is_true(object, "keys_only"),
		                    .count_only = is_true(object, "count_only"),
		                    .newest_first = is_true(object, "newest_first") };
}

static int index_of(const char *text, const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(text, words[i]))
			return i;
	return n;
}

static struct etcd_compare compare_of(const json_t *object)
{
	return (struct etcd_compare){ .key = etcd_text(text_of(object, "key")),
		                      .mod_revision = number_of(object, "mod_revision") };
}

static struct etcd_op op_of(const json_t *object)
{
	static const char *const kinds[] = { "put", "delete", "range" };

	return (struct etcd_op){ .kind = (enum etcd_op_kind)index_of(text_of(object, "kind"), kinds,
		                                                     3),
		                 .on = range_of(object),
		                 .value = etcd_text(text_of(object, "value")),
		                 .lease = number_of(object, "lease") };
}

static json_t *bytes_to_json(struct etcd_bytes bytes)
{
	return json_stringn(bytes.at, bytes.n);
}

static json_t *kv_to_json(const struct etcd_kv *kv)
{
	return json_pack("{s:o*, s:o*, s:I, s:I, s:I, s:I}", "key", bytes_to_json(kv->key), "value",
	                 bytes_to_json(kv->value), "create", (json_int_t)kv->create_revision, "mod",
	                 (json_int_t)kv->mod_revision, "version", (json_int_t)kv->version, "lease",
	                 (json_int_t)kv->lease);
}

static void add_keys(json_t *answer, const struct etcd_keys *keys)
{
	json_t *list = json_array();

	for (size_t i = 0; i < keys->n; i++)
		json_array_append_new(list, kv_to_json(&keys->kvs[i]));
	json_object_set_new(answer, "kvs", list);
	json_object_set_new(answer, "count", json_integer(keys->count));
	json_object_set_new(answer, "more", json_boolean(keys->more));
}

static void add_header(json_t *answer, const struct etcd_header *header)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)header->cluster_id);
	json_object_set_new(answer, "cluster_id", json_string(text));
	snprintf(text, sizeof(text), "%llu", (unsigned long long)header->member_id);
	json_object_set_new(answer, "member_id", json_string(text));
	json_object_set_new(answer, "revision", json_integer(header->revision));
}

static int do_range(const json_t *command, struct arena *arena, json_t *answer)
{
	struct etcd_range range = range_of(command);
	struct etcd_keys keys;
	int err = etcd_gateway_range(gateway, &range, arena, &keys);

	if (err)
		return err;
	add_header(answer, &keys.header);
	add_keys(answer, &keys);
	return 0;
}

static size_t ops_of(const json_t *command, const char *name, struct etcd_op *out)
{
	const json_t *list = json_object_get(command, name);
	size_t n = json_array_size(list);

	for (size_t i = 0; i < n && i < LIST_MAX; i++)
		out[i] = op_of(json_array_get(list, i));
	return n;
}

static int do_txn(const json_t *command, struct arena *arena, json_t *answer)
{
	static const char *const results[] = { "done", "refused", "refused-unsure", "not-written",
		                               "unknown" };
	struct etcd_compare compares[LIST_MAX];
	struct etcd_op success[LIST_MAX], failure[LIST_MAX];
	struct etcd_txn txn = { .compares = compares, .success = success, .failure = failure };
	struct etcd_txn_result out = { 0 };
	const json_t *list = json_object_get(command, "compares");
	int err = 0;

	txn.n_compares = json_array_size(list);
	for (size_t i = 0; i < txn.n_compares && i < LIST_MAX; i++)
		compares[i] = compare_of(json_array_get(list, i));
	txn.n_success = ops_of(command, "success", success);
	txn.n_failure = ops_of(command, "failure", failure);
	enum etcd_result result = etcd_gateway_txn(gateway, &txn, arena, &out, &err);

	json_object_set_new(answer, "result", json_string(results[result]));
	add_header(answer, &out.header);
	for (size_t i = 0; i < out.n_results; i++)
		if (out.results[i].kind == ETCD_RANGE)
			add_keys(answer, &out.results[i].keys);
	return err;
}

static int do_lease(const json_t *command, const char *what, json_t *answer)
{
	struct etcd_lease lease;
	int64_t id = number_of(command, "lease");

	int err = !strcmp(what, "grant")
	                  ? etcd_gateway_grant(gateway, number_of(command, "ttl_s"), &lease)
	                  : etcd_gateway_keepalive(gateway, id, &lease);

	if (err)
		return err;
	json_object_set_new(answer, "lease", json_integer(lease.id));
	json_object_set_new(answer, "ttl_s", json_integer(lease.ttl_s));
	return 0;
}

static int do_status(const json_t *command, json_t *answer)
{
	struct etcd_status s;
	int err = etcd_gateway_status(gateway, (size_t)number_of(command, "endpoint"), &s);

	if (err)
		return err;
	add_header(answer, &s.header);
	json_object_set_new(answer, "version", json_string(s.version));
	json_object_set_new(answer, "db_bytes", json_integer(s.db_bytes));
	json_object_set_new(answer, "is_leader", json_boolean(s.leader == s.header.member_id));
	json_object_set_new(answer, "is_learner", json_boolean(s.is_learner));
	return 0;
}

/* Make one of the requests that go through etcd_gateway_send(). */
static int make_request(const json_t *command, const char *what, struct etcd_request *out,
                        char reason[ETCD_REASON_MAX])
{
	uint64_t id = strtoull(text_of(command, "member_id"), NULL, 10);

	if (!strcmp(what, "alarms"))
		return etcd_request_alarms(out, reason);
	if (!strcmp(what, "member-add"))
		return etcd_request_member_add(text_of(command, "url"), out, reason);
	if (!strcmp(what, "member-promote"))
		return etcd_request_member_promote(id, out, reason);
	if (!strcmp(what, "member-remove"))
		return etcd_request_member_remove(id, out, reason);
	return etcd_request_members(out, reason);
}

static void add_members(json_t *answer, const struct etcd_members *m)
{
	json_t *list = json_array();
	char id[32];

	for (size_t i = 0; i < m->n; i++) {
		snprintf(id, sizeof(id), "%llu", (unsigned long long)m->members[i].id);
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:s, s:s, s:b}", "id", id, "name",
		                                m->members[i].name, "peer", m->members[i].peer_url,
		                                "client", m->members[i].client_url, "is_learner",
		                                (int)m->members[i].is_learner));
	}
	json_object_set_new(answer, "members", list);
	snprintf(id, sizeof(id), "%llu", (unsigned long long)m->added);
	json_object_set_new(answer, "added", json_string(id));
}

static int do_send(const json_t *command, const char *what, json_t *answer)
{
	static struct etcd_members members;
	static struct etcd_alarms alarms;
	struct etcd_request request;
	struct etcd_reply reply;
	char reason[ETCD_REASON_MAX];
	int err = make_request(command, what, &request, reason);

	if (err)
		return err;
	err = etcd_gateway_send(gateway, &request, &reply);
	etcd_request_fini(&request);
	if (err)
		return err;
	if (!strncmp(what, "member", 6)) {
		err = etcd_answer_members(reply.bytes, reply.n, &members, reason);
		if (!err)
			add_members(answer, &members);
		return err;
	}
	err = etcd_answer_alarms(reply.bytes, reply.n, &alarms, reason);
	json_t *list = json_array();

	for (size_t i = 0; !err && i < alarms.n; i++)
		json_array_append_new(list, json_string(alarms.alarms[i].name));
	json_object_set_new(answer, "alarms", list);
	return err;
}

static bool note_changed(void *arg, int64_t revision, const struct etcd_event *events, size_t n)
{
	json_t *list = json_array();

	(void)arg;
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list,
		                      json_pack("{s:b, s:o}", "deleted", (int)events[i].is_deleted,
		                                "kv", kv_to_json(&events[i].kv)));
	say_line(json_pack("{s:I, s:o}", "changed", (json_int_t)revision, "events", list));
	return true;
}

static bool note_heard(void *arg, uint64_t sent_ms, int64_t revision)
{
	(void)arg;
	say_line(json_pack("{s:I, s:I}", "heard", (json_int_t)revision, "age_ms",
	                   (json_int_t)(clock_mono_ms() - sent_ms)));
	return true;
}

static void note_left(void *arg, const char *reason)
{
	(void)arg;
	say_line(json_pack("{s:s}", "left", reason));
}

/* A line on standard input, or its end, stops the watch. */
static void *wait_for_line(void *arg)
{
	int c;

	do
		c = getchar();
	while (c != EOF && c != '\n');
	atomic_store(&stop, true);
	return arg;
}

static int do_watch(const json_t *command, json_t *answer)
{
	static const char *const ends[] = { "stopped", "list", "went-back", "foreign", "back" };
	struct etcd_watch w = { .range = range_of(command),
		                .next = number_of(command, "next"),
		                .revision = number_of(command, "revision"),
		                .changed = note_changed,
		                .heard = note_heard,
		                .left = note_left };
	pthread_t thread;

	if (pthread_create(&thread, NULL, wait_for_line, NULL))
		return -EAGAIN;
	enum etcd_watch_end end = etcd_watch_run(gateway, &w);

	json_object_set_new(answer, "ended", json_string(ends[end]));
	json_object_set_new(answer, "next", json_integer(w.next));
	json_object_set_new(answer, "revision", json_integer(w.revision));
	json_object_set_new(answer, "reason", json_string(etcd_gateway_reason(gateway)));
	say_line(json_incref(answer));
	pthread_join(thread, NULL);
	return 0;
}

static int run_command(const json_t *command, json_t *answer)
{
	const char *what = text_of(command, "do");
	struct arena *arena = arena_new((size_t)64 << 20);
	int err;

	if (!arena)
		return -ENOMEM;
	if (!strcmp(what, "range"))
		err = do_range(command, arena, answer);
	else if (!strcmp(what, "txn"))
		err = do_txn(command, arena, answer);
	else if (!strcmp(what, "grant") || !strcmp(what, "keepalive"))
		err = do_lease(command, what, answer);
	else if (!strcmp(what, "status"))
		err = do_status(command, answer);
	else if (!strcmp(what, "watch"))
		err = do_watch(command, answer);
	else
		err = do_send(command, what, answer);
	arena_free(arena);
	return err;
}

static void *set_stop(void *arg)
{
	usleep(*(const unsigned *)arg * 1000); /* the command is to be under way for this long */
	atomic_store(&stop, true);
	return NULL;
}

/* A command with its time; "stop_after_ms": the stop flag is set meanwhile. */
static void carry_out(const json_t *command)
{
	json_t *answer = json_object();
	unsigned after_ms = (unsigned)number_of(command, "stop_after_ms");
	pthread_t thread;

	atomic_store(&stop, false);
	if (after_ms && pthread_create(&thread, NULL, set_stop, &after_ms))
		abort();
	uint64_t began_ms = clock_mono_ms();
	int err = run_command(command, answer);

	json_object_set_new(answer, "took_ms",
	                    json_integer((json_int_t)(clock_mono_ms() - began_ms)));
	if (after_ms)
		pthread_join(thread, NULL);
	json_object_set_new(answer, "err", json_integer(err));
	json_object_set_new(answer, "error", json_string(err ? strerrorname_np(-err) : ""));
	json_object_set_new(answer, "reason", json_string(etcd_gateway_reason(gateway)));
	json_object_set_new(answer, "member", json_string(etcd_gateway_member(gateway)));
	say_line(answer);
}

static void copy_text(const json_t *object, const char *name, char *out, size_t size)
{
	snprintf(out, size, "%s", text_of(object, name));
}

static int open_gateway(const json_t *command, char reason[ETCD_REASON_MAX])
{
	static struct etcd_settings s;
	const json_t *list = json_object_get(command, "endpoints");

	s.n_endpoints = json_array_size(list);
	for (size_t i = 0; i < s.n_endpoints && i < ETCD_ENDPOINTS_MAX; i++)
		snprintf(s.endpoints[i], ETCD_URL_MAX, "%s",
		         json_string_value(json_array_get(list, i)));
	copy_text(command, "ca", s.tls.ca, sizeof(s.tls.ca));
	copy_text(command, "certificate", s.tls.certificate, sizeof(s.tls.certificate));
	copy_text(command, "private_key", s.tls.key, sizeof(s.tls.key));
	copy_text(command, "user", s.user, sizeof(s.user));
	copy_text(command, "password_file", s.password_file, sizeof(s.password_file));
	s.cluster_id = strtoull(text_of(command, "cluster_id"), NULL, 10);
	return etcd_gateway_open(&s, &stop, &gateway, reason);
}

int main(void)
{
	char *line = NULL, reason[ETCD_REASON_MAX] = "";
	size_t size = 0;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	while (getline(&line, &size, stdin) > 0) {
		json_t *command = json_loads(line, 0, NULL);

		if (!command)
			continue;
		if (gateway) {
			carry_out(command);
		} else {
			int err = open_gateway(command, reason);

			say_line(json_pack("{s:s, s:s}", "error", err ? strerrorname_np(-err) : "",
			                   "reason", reason));
		}
		json_decref(command);
	}
	if (gateway)
		etcd_gateway_close(gateway);
	free(line);
	curl_global_cleanup();
	return 0;
}
