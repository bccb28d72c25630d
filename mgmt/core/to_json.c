/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files go as text where they are UTF-8, else as base64. Large ones go by digest alone, so that an
 * answer stays bounded; the reader fetches those apart.
 */
#include "mgmt/core/to_json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/core/core.h"
#include "mgmt/store/join.h"
#include "mgmt/store/records.h"
#include "weir/json.h"

#define CHANGES_SHOWN 1000u /* of a plan; more are counted */

void version_etag(const struct version *v, char out[HTTP_TEXT_MAX])
{
	snprintf(out, HTTP_TEXT_MAX, "\"v%" PRIu64 "-%.16s\"", v->number, v->digest);
}

bool version_is_same(const struct version *a, const struct version *b)
{
	return b && a->number == b->number && !strcmp(a->digest, b->digest);
}

json_t *version_to_json(const struct version *v, const struct version *head)
{
	bool is_head = version_is_same(v, head);
	int64_t confirm_by_ms =
	        is_head ? head->confirm_by_ms : 0; /* it runs; a kept record has none */
	const char *state = !is_head ? "superseded" : confirm_by_ms ? "unconfirmed" : "in_force";
	char etag[HTTP_TEXT_MAX];

	version_etag(v, etag);
	etag[strlen(etag) - 1] = '\0'; /* in JSON without its quotes */
	return json_pack("{s:I, s:b, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:s}",
	                 "number", (json_int_t)v->number, "provisional", join_is_provisional(v),
	                 "principal", v->principal, "hash_key", v->hash_key, "etag", etag + 1,
	                 "digest", v->digest, "parent", v->parent, "author", json_text(v->author),
	                 "reason", json_text(v->reason), "node", v->node, "time",
	                 time_to_json(v->time_ms), "effective", time_to_json(v->effective_ms),
	                 "confirm_by", is_head ? time_to_json(confirm_by_ms) : json_null(), "state",
	                 state);
}

/* Bytes of small files in one answer; those behind go by digest. */
#define INLINE_BYTES_MAX ((size_t)8 << 20)

json_t *files_to_json(const struct files *files)
{
	json_t *list = json_array();

	for (size_t i = 0; files && i < files->n_items; i++)
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:I}", "name", files->items[i].name,
		                                "digest", files->items[i].digest, "bytes",
		                                (json_int_t)files->items[i].n_bytes));
	return list;
}

/* Large files go by digest, and in a large version all files after the first megabytes. */
static bool goes_by_digest(const struct files *files, const struct files_item *item,
                           size_t n_inline)
{
	if (files_go_whole(files))
		return false;
	return item->path || item->n_bytes > FILES_SMALL_MAX ||
	       n_inline + item->n_bytes > INLINE_BYTES_MAX;
}

static json_t *bytes_to_json(const struct files_item *item)
{
	struct files_text file;

	if (files_read(item, &file))
		return NULL;
	json_t *json = files_bytes_json(file.bytes, file.n);
	files_read_end(&file);
	return json;
}

json_t *contents_to_json(const struct files *files)
{
	json_t *object = json_object();
	const struct files_item *first = files ? files_find(files, FILES_MAIN) : NULL;
	size_t n_inline = first ? first->n_bytes : 0;

	for (size_t i = 0; files && i < files->n_items; i++) {
		const struct files_item *item = &files->items[i];
		bool by_digest = item != first && goes_by_digest(files, item, n_inline);

		n_inline += by_digest || item == first ? 0 : item->n_bytes; /* that is counted */
		json_object_set_new(object, item->name,
		                    by_digest ? json_pack("{s:s, s:I}", "digest", item->digest,
		                                          "bytes", (json_int_t)item->n_bytes)
		                              : bytes_to_json(item));
	}
	return object;
}

static int read_encoded(const char *name, const char *encoded, struct files *out)
{
	char *bytes = NULL;
	size_t n;
	int err = files_base64_decode(encoded, &bytes, &n);

	if (!err)
		err = files_add(out, name, bytes, n);
	free(bytes);
	return err;
}

/* One file of an object of files: a text, {"base64": TEXT}, or {"digest": HEX, "bytes": N}. */
static int read_one_file(const char *name, const json_t *value, const struct file_source *source,
                         struct files *out)
{
	const char *encoded = json_get_text(value, "base64");
	const char *digest = json_get_text(value, "digest");
	const json_t *bytes = json_object_get(value, "bytes");

	if (json_is_string(value))
		return files_add(out, name, json_string_value(value), json_string_length(value));
	if (encoded && json_object_size(value) == 1)
		return read_encoded(name, encoded, out);
	if (!source || !digest || !json_is_integer(bytes) || json_integer_value(bytes) < 0 ||
	    json_object_size(value) != 2)
		return -EINVAL;
	return source->find(source->arg, name, digest, (uint64_t)json_integer_value(bytes), out);
}

/* A sentence for each way in which file @p name of a request can be wrong. */
static void describe_bad_file(int err, const char *name, char err_text[HTTP_TEXT_MAX])
{
	if (err == -E2BIG)
		snprintf(err_text, HTTP_TEXT_MAX, "more than %u files, or %zu bytes in all",
		         FILES_MAX, FILES_BYTES_MAX);
	else if (err == -ENOENT)
		snprintf(err_text, HTTP_TEXT_MAX,
		         "\"%.100s\" is named by a digest that is not here: upload it first (POST "
		         "/v1/files)",
		         name);
	else if (err == -EACCES)
		snprintf(err_text, HTTP_TEXT_MAX,
		         "\"%.100s\" is named by a digest, which needs the role operator", name);
	else if (err == -EBADMSG)
		snprintf(err_text, HTTP_TEXT_MAX,
		         "the bytes of \"%.100s\" here do not match its digest", name);
	else if (err == -ENOMEM)
		snprintf(err_text, HTTP_TEXT_MAX, "out of memory");
	else
		snprintf(err_text, HTTP_TEXT_MAX,
		         "\"%.100s\" is not a name, or not a text, {\"base64\": TEXT} or "
		         "{\"digest\": HEX, \"bytes\": NUMBER}",
		         name);
}

int files_from_json(const json_t *object, const struct file_source *source, struct files *out,
                    char err_text[HTTP_TEXT_MAX])
{
	struct files files = { 0 };
	const char *name;
	json_t *value;
	int err = 0;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		err = read_one_file(name, value, source, &files);
		if (err)
			break;
	}
	if (err) {
		describe_bad_file(err, name, err_text);
	} else if (!files_find(&files, FILES_MAIN)) {
		snprintf(err_text, HTTP_TEXT_MAX, "there must be a file %s", FILES_MAIN);
		err = -EINVAL;
	}
	if (err) {
		files_fini(&files);
		return err;
	}
	*out = files;
	return 0;
}

static json_t *probes_to_json(const struct advice *advice)
{
	json_t *list = json_array();

	for (size_t i = 0; i < advice->n_probes; i++) {
		const struct advice_probes *p = &advice->probes[i];

		json_array_append_new(list,
		                      json_pack("{s:s, s:I, s:f, s:f}", "vip", p->vip, "nodes",
		                                (json_int_t)p->n_nodes, "per_second",
		                                (double)p->milli_per_s / 1000, "per_second_before",
		                                (double)p->milli_per_s_before / 1000));
	}
	return list;
}

json_t *plan_to_json(const struct change_plan *plan)
{
	json_t *changes = json_array(), *pools = json_array();
	json_t *risks = json_array(), *rules = json_array(), *warnings = json_array();

	for (size_t i = 0; i < plan->n_changes && i < CHANGES_SHOWN; i++) {
		const struct plan_change *c = &plan->changes[i];

		json_array_append_new(changes,
		                      json_pack("{s:s, s:s, s:o, s:o}", "path", c->path, "kind",
		                                plan_kind_text(c->kind), "from", json_text(c->from),
		                                "to", json_text(c->to)));
	}
	for (size_t i = 0; i < plan->n_pools; i++)
		json_array_append_new(
		        pools, json_pack("{s:s, s:I, s:I, s:I}", "pool", plan->pools[i].pool,
		                         "backends_before", (json_int_t)plan->pools[i].n_before,
		                         "backends_after", (json_int_t)plan->pools[i].n_after,
		                         "moved_ppm", (json_int_t)plan->pools[i].moved_ppm));
	for (size_t i = 0; i < plan->n_risks; i++) {
		const struct risk *r = &plan->risks[i];

		json_array_append_new(risks, json_text(r->text));
		json_array_append_new(
		        rules, json_pack("{s:s, s:f, s:f, s:s}", "rule", r->rule->name, "figure",
		                         r->figure, "limit", risk_limit(r->rule), "unit",
		                         r->rule->level == RULE_TIMES ? "times" : "share"));
	}
	for (size_t i = 0; i < plan->advice.n_warnings && i < CHANGES_SHOWN; i++)
		json_array_append_new(warnings, json_text(plan->advice.warnings[i]));
	return json_pack("{s:b, s:o, s:o, s:I, s:o, s:I, s:o, s:o, s:o}", "risky",
	                 plan->n_risks > 0, "risks", risks, "rules", rules, "n_risks",
	                 (json_int_t)plan->n_risks_all, "changes", changes, "n_changes",
	                 (json_int_t)plan->n_changes, "pools", pools, "warnings", warnings,
	                 "probes", probes_to_json(&plan->advice));
}

static const struct field event_fields[] = {
	SHOW(struct event, id),      SHOW_TIME(struct event, "time", time_ms),
	SHOW(struct event, kind),    SHOW(struct event, subject),
	SHOW(struct event, message), SHOW(struct event, node),
};
const struct record_kind event_record = RECORD_OF(struct event, "event", event_fields, NULL);

bool fingerprint_from_json(const json_t *value, char out[MODEL_FINGERPRINT_MAX])
{
	const char *text = json_string_value(value);

	out[0] = '\0';
	if (!text)
		return false;
	if (!*text)
		return true; /* not known */
	if (!plain_is_hex(text, MODEL_FINGERPRINT_MAX - 1))
		return false;
	memcpy(out, text, MODEL_FINGERPRINT_MAX);
	return true;
}

json_t *version_offer(const struct version *v, const struct files *files)
{
	return json_pack("{s:o, s:o}", "version", record_to_json(&version_record, v), "files",
	                 contents_to_json(files));
}
