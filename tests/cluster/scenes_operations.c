/* SPDX-License-Identifier: BSD-2-Clause */
/* Three nodes: who may change an operation, by what the store has. Its owner is fra-1 at first. */
#include "tests/cluster/scenes.h"

#include <string.h>

#include "mgmt/etcd/base64.h"
#include "tests/cluster/siblings.h"

#define BEGIN                                                                                                  \
	"{\"do\": \"drain\", \"sites\": [\"lon\"], \"reason\": \"INC\", \"override_guards\": [\"last-site\", " \
	"\"max-sites-out\", \"room\", \"receivers\", \"fresh\", \"unconfirmed\", \"backup\", "                 \
	"\"no-dns\", \"share\"]}"

static char path[96], id[48];

static const char *operation_path(const char *order)
{
	snprintf(path, sizeof(path), "/v1/operations/%.40s%s", id, order);
	return path;
}

/* --- the store, by hand --- */

static json_t *base64_of(const char *text)
{
	char *out;
	size_t n;
	FILE *f = open_memstream(&out, &n);

	if (!f)
		abort();
	etcd_base64_write(f, text, strlen(text));
	fclose(f);
	json_t *json = json_string(out);

	free(out);
	return json;
}

/* A request about the record "owner" or "operation". @return the answer */
static json_t *ask_etcd(const char *record, const char *request, json_t *body, bool is_write)
{
	char key[128];
	long status;

	snprintf(key, sizeof(key), "/weir/%s/%s", record, id);
	json_object_set_new(body, "key", base64_of(key));
	if (is_write)
		body = json_pack("{s:[{s:o}]}", "success", request, body);
	json_t *answer = etcd_model_answer(etcd_net_model(), is_write ? "/v3/kv/txn" : request,
	                                   body, 1, &status);

	json_decref(body);
	return answer;
}

/* NULL: the record is gone. */
static void write_owner(const char *text)
{
	json_decref(text ? ask_etcd("owner", "request_put",
	                            json_pack("{s:o}", "value", base64_of(text)), true)
	                 : ask_etcd("owner", "request_delete_range", json_object(), true));
}

/* A record's text, of a buffer; "": it is not there. @param has_lease  out: it goes with one */
static const char *read_record(const char *record, bool *has_lease)
{
	static char text[8192];
	json_t *answer = ask_etcd(record, "/v3/kv/range", json_object(), false);
	const json_t *kv = scene_value(answer, "kvs.0");
	const char *value = scene_text(kv, "value"), *lease = scene_text(kv, "lease");
	int64_t n = strlen(value) < sizeof(text)
	                    ? etcd_base64_read(value, strlen(value), (unsigned char *)text)
	                    : -1;

	text[n > 0 ? n : 0] = '\0';
	*has_lease = *lease && strcmp(lease, "0") != 0;
	json_decref(answer);
	return text;
}

static bool is_owned_by(const char *node)
{
	char words[64];
	bool has_lease;

	snprintf(words, sizeof(words), "\"owner\":\"%s\"", node);
	return strstr(read_record("operation", &has_lease), words);
}

/* --- the operation --- */

/* A field of it, as @p n shows it; a buffer. */
static const char *show_field(struct node *n, const char *field)
{
	static char text[64];
	json_t *json = node_get(n, operation_path(""));

	snprintf(text, sizeof(text), "%s", scene_text(json, field));
	json_decref(json);
	return text;
}

static void begin_operation(struct scene *s)
{
	scene_begin(s, 3, true);
	node_run_ms(10000);
	struct node_answer a = node_ask(s->node[1], &scene_bob, "POST", "/v1/operations", BEGIN);

	JUDGE(s, a.status == 201, "it is not begun: %s", a.text);
	snprintf(id, sizeof(id), "%s", scene_text(a.json, "id"));
	node_answer_fini(&a);
	node_run_ms(3000);
}

/* The node that owns it is dead, and its record stays, as no lease ends it. @param owner  out: which it is */
static void leave_record(struct scene *s, char owner[32], char record[64])
{
	snprintf(owner, 32, "%s", show_field(s->node[0], "owner"));
	snprintf(record, 64, "{\"node\":\"%s\"}", owner);
	for (size_t i = 0; i < s->n_nodes; i++)
		if (!strcmp(node_name(s->node[i]), owner))
			node_kill(s->node[i]);
	write_owner(record);
	node_run_ms(20000);
	JUDGE(s, is_owned_by(owner), "it is taken over, and its owner's record stays");
}

/* All run again. */
static void revive_nodes(struct scene *s)
{
	for (size_t i = 0; i < s->n_nodes; i++)
		JUDGE(s, node_runs(s->node[i]) || node_start(s->node[i]), "%s does not start",
		      node_name(s->node[i]));
	node_run_ms(10000);
}

static void judge_record(struct scene *s)
{
	char words[64];
	bool has_lease;

	snprintf(words, sizeof(words), "\"node\":\"%s\"", show_field(s->node[0], "owner"));
	const char *text = read_record("owner", &has_lease);

	JUDGE(s, strstr(text, words) && has_lease, "the record of the owner is %s", text);
}

/* The owner's record is back while another node tries, sooner or later in its try. */
static void sweep_returns(struct scene *s, const char *owner, const char *record)
{
	unsigned wait_ms = 1500;

	for (;; wait_ms += 20) {
		write_owner(NULL);
		node_run_ms(wait_ms);
		if (!is_owned_by(owner))
			break;
		write_owner(record);
		node_run_ms(3000);
		JUDGE(s, is_owned_by(owner),
		      "it is taken over, and its owner's record was back after %u ms", wait_ms);
	}
	JUDGE(s, wait_ms > 1500 && wait_ms < 4000, "it is taken over after %u ms", wait_ms);
}

/*
 * The owner's record goes with its lease, and is removed with the operation's end. A node that takes over compares it: what
 * names nobody keeps no one away, and one that came meanwhile does.
 */
void scenes_operation_owners(struct scene *s)
{
	char owner[32], record[64];
	bool has_lease;

	begin_operation(s);
	judge_record(s);
	leave_record(s, owner, record);
	write_owner("{}");
	node_run_ms(5000);
	JUDGE(s, !is_owned_by(owner), "nobody takes it over, as its record names nobody");
	revive_nodes(s);
	judge_record(s);
	leave_record(s, owner, record);
	sweep_returns(s, owner, record);
	revive_nodes(s);
	judge_record(s);
	struct siblings *others = siblings_start(s->node[2]); /* it returns once its pools are up */
	struct node_answer a = scene_post(
	        s->node[0], &scene_bob, operation_path("/abort"),
	        "{\"reason\": \"enough\", \"override_guards\": [\"room\", \"receivers\", \"fresh\", "
	        "\"share\", \"last-site\", \"no-dns\"]}");

	JUDGE(s, a.status == 200, "it is not aborted: %s", a.text);
	node_answer_fini(&a);
	for (unsigned i = 0; i < 60 && strcmp(show_field(s->node[0], "state"), "aborted") != 0; i++)
		node_run_ms(1000);
	JUDGE(s, !strcmp(show_field(s->node[0], "state"), "aborted"), "it is %s",
	      show_field(s->node[0], "hold.detail"));
	const char *text = read_record("owner", &has_lease);

	JUDGE(s, !*text, "it is over, and has an owner: %s", text);
	siblings_stop(others);
	scene_end(s);
}

static void cut_store(struct node *n, bool requests, bool is_cut)
{
	for (unsigned i = 0; i < ETCD_NET_MEMBERS; i++) {
		link_cut(ETCD_NET_FIRST + i, node_number(n), is_cut);
		if (requests)
			link_cut(node_number(n), ETCD_NET_FIRST + i, is_cut);
	}
}

static void judge_order(const struct scene *s, const char *order, const char *code)
{
	struct node_answer a = scene_post(s->node[1], &scene_bob, operation_path(order),
	                                  "{\"reason\": \"a test\"}");

	JUDGE(s, a.status == 503 && a.text && strstr(a.text, code), "%s is answered by %u: %s",
	      order, a.status, a.text ? a.text : "");
	node_answer_fini(&a);
}

/* What the store does not say may have been carried out; what it was not asked has not. */
void scenes_operation_undecided(struct scene *s)
{
	begin_operation(s);
	cut_store(s->node[1], true, true);
	node_run_ms(6500); /* that is known then, and its lease has not ended */
	judge_order(s, "/hold", "store-unavailable");
	cut_store(s->node[1], true, false);
	node_run_ms(10000);
	cut_store(s->node[1], false, true); /* it is heard, and does not hear */
	judge_order(s, "/hold", "outcome-unknown");
	cut_store(s->node[1], false, false);
	node_run_ms(5000);
	JUDGE(s, !strcmp(show_field(s->node[0], "state"), "held"), "it is %s",
	      show_field(s->node[0], "state"));
	scene_end(s);
}
