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
#include "mgmt/core/confirm_if.h"
#include "mgmt/core/core.h"
#include "mgmt/store/bootstrap.h"
#include "mgmt/store/records.h"
#include "weir/json.h"

#define CHANGES_SHOWN 1000u /* of a plan; more are counted */

void version_etag(const struct version *v, char out[HTTP_TEXT_MAX])
{
	snprintf(out, HTTP_TEXT_MAX, "\"v%" PRIu64 "-%.16s\"", v->number, v->digest);
}

const char *version_etag_text(const struct version *v, char out[HTTP_TEXT_MAX])
{
	version_etag(v, out);
	out[strlen(out) - 1] = '\0';
	return out + 1;
}

bool version_is_same(const struct version *a, const struct version *b)
{
	return b && a->number == b->number && !strcmp(a->digest, b->digest);
}

/* A version as it is shown, next to the one in force. */
struct version_row {
	struct version v;
	const char *etag; /* without its quotes */
	bool is_provisional;
	int64_t confirm_by_ms;
	bool has_condition, has_passed;
	char confirm_if[CONFIRM_IF_MAX];
	enum version_state state;
};

static const char *version_word(int state)
{
	static const char *const words[] = { "in_force", "unconfirmed", "superseded",
		                             "ended",    "waiting",     "planned" };

	return words[state];
}

const struct record_kind version_shown = RECORD_OF(
        struct version_row, "version", NULL, SHOW_AS(struct version_row, "number", v.number),
        SHOW_AS(struct version_row, "provisional", is_provisional),
        SHOW_AS(struct version_row, "principal", v.principal),
        SHOW_AS(struct version_row, "hash_key", v.hash_key), SHOW(struct version_row, etag),
        SHOW_AS(struct version_row, "digest", v.digest),
        SHOW_AS(struct version_row, "parent", v.parent),
        SHOW_AS(struct version_row, "author", v.author),
        SHOW_AS(struct version_row, "reason", v.reason),
        SHOW_AS(struct version_row, "node", v.node),
        SHOW_TIME(struct version_row, "time", v.time_ms),
        SHOW_TIME(struct version_row, "effective", v.effective_ms),
        SHOW_AS(struct version_row, "rolled_back_to", v.rolled_back_to, .spare = true),
        SHOW_TIME(struct version_row, "confirm_by", confirm_by_ms),
        SHOW(struct version_row, confirm_if, ONLY_IF(struct version_row, has_condition)),
        SHOW_AS(struct version_row, "canary", v.canary, .spare = true),
        SHOW_AS(struct version_row, "if_quiet", v.if_quiet, .spare = true),
        SHOW_AS(struct version_row, "without_gates", v.without_gates,
                ONLY_IF(struct version_row, has_passed)),
        SHOW_AS(struct version_row, "approved_by", v.approved_by, .spare = true),
        SHOW_AS(struct version_row, "proposed_by", v.proposed_by, .spare = true),
        SHOW_AS(struct version_row, "proposal", v.proposal, .spare = true),
        SHOW_WORD(struct version_row, "state", state, version_word, VERSION_PLANNED + 1),
        SHOW_LATER("files", FIELD_JSON));

json_t *version_state_json(const struct version *v, const struct version *head,
                           enum version_state state)
{
	char etag[HTTP_TEXT_MAX];
	struct version_row row = { .v = *v,
		                   .etag = version_etag_text(v, etag),
		                   .is_provisional = join_is_provisional(v),
		                   .has_condition = v->well_for_ms > 0,
		                   .has_passed = *v->without_gates,
		                   .state = state };

	confirm_if_text(v->well_for_ms, row.confirm_if);
	if (version_is_same(v, head)) /* it runs; a kept record has none */
		row.confirm_by_ms = head->confirm_by_ms;
	return record_shown(&version_shown, &row);
}

json_t *version_to_json(const struct version *v, const struct version *head)
{
	return version_state_json(v, head,
	                          !version_is_same(v, head) ? VERSION_SUPERSEDED
	                          : head->confirm_by_ms     ? VERSION_UNCONFIRMED
	                                                    : VERSION_IN_FORCE);
}

/* Bytes of small files in one answer; those behind go by digest. */
#define INLINE_BYTES_MAX ((size_t)8 << 20)

/* A file without its name. */
static const struct record_kind bytes_shown =
        RECORD_OF(struct files_item, "file", NULL, SHOW(struct files_item, digest),
                  SHOW_AS(struct files_item, "bytes", n_bytes));
static const struct record_kind file_shown =
        RECORD_OF(struct files_item, "file", NULL, SHOW(struct files_item, name),
                  { .flat = true, .kind = FIELD_RECORD, .of = &bytes_shown });

json_t *files_to_json(const struct files *files)
{
	return record_list_shown(&file_shown, files->items, files->n_items);
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
		                    by_digest ? record_shown(&bytes_shown, item)
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

const struct record_kind plan_change_shown =
        RECORD_OF(struct plan_change, "change", NULL, SHOW(struct plan_change, path),
                  SHOW_WORD(struct plan_change, "kind", kind, plan_kind_text, PLAN_CHANGED + 1),
                  SHOW(struct plan_change, from), SHOW(struct plan_change, to));

static const struct record_kind pool_shown =
        RECORD_OF(struct change_plan_pool, "pool", NULL, SHOW(struct change_plan_pool, pool),
                  SHOW_AS(struct change_plan_pool, "backends_before", n_before),
                  SHOW_AS(struct change_plan_pool, "backends_after", n_after),
                  SHOW(struct change_plan_pool, moved_ppm), SHOW_LATER("full_slots", FIELD_U32));

const struct record_kind share_shown =
        RECORD_OF(struct plan_share, "site", NULL, SHOW(struct plan_share, site),
                  SHOW(struct plan_share, before_ppm), SHOW(struct plan_share, after_ppm));
static const struct record_kind name_shown = RECORD_OF(
        struct plan_name, "name", NULL, SHOW(struct plan_name, name),
        SHOW_AS(struct plan_name, "prefixes", n_prefixes), SHOW(struct plan_name, moved_ppm),
        SHOW_RECORDS(struct plan_name, "sites", sites, n_sites, &share_shown));
static const struct record_kind withdrawn_shown =
        RECORD_OF(struct plan_withdrawn, "announcement", NULL, SHOW(struct plan_withdrawn, node),
                  SHOW(struct plan_withdrawn, address));

/* A rule that the change breaks. */
#define RULE_ROWS(X, t)                                                                            \
	X(t, const char *, rule) X(t, double, figure) X(t, double, limit) X(t, const char *, unit)
RECORD_SHOWN(plan_rule, "rule", RULE_ROWS);

static json_t *rules_to_json(const struct change_plan *plan)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->n_risks; i++) {
		const struct risk *r = &plan->risks[i];
		const struct plan_rule row = { .rule = r->rule->name,
			                       .unit = r->rule->level == RULE_TIMES ? "times"
			                                                            : "share",
			                       .figure = r->figure,
			                       .limit = risk_limit(r->rule) };

		json_array_append_new(list, record_shown(&plan_rule_kind, &row));
	}
	return list;
}

/* How often the health checks of all nodes probe a VIP. */
#define PROBES_ROWS(X, t)                                                                          \
	X(t, const char *, vip)                                                                    \
	X(t, size_t, nodes)                                                                        \
	X(t, double, per_second)                                                                   \
	X(t, double, per_second_before)
RECORD_SHOWN(probes_row, "probes", PROBES_ROWS);

static json_t *probes_to_json(const struct advice *advice)
{
	json_t *list = json_array();

	for (size_t i = 0; i < advice->n_probes; i++) {
		const struct advice_probes *p = &advice->probes[i];
		const struct probes_row row = { p->vip, p->n_nodes, (double)p->milli_per_s / 1000,
			                        (double)p->milli_per_s_before / 1000 };

		json_array_append_new(list, record_shown(&probes_row_kind, &row));
	}
	return list;
}

/* A plan as it is shown: all is counted, and so much of it is listed. */
struct plan_row {
	struct change_plan plan;
	bool is_risky;
	json_t *rules, *probes;
	size_t n_changes, n_warnings;
};

static const struct field risk_text = { .kind = FIELD_STRING,
	                                .offset = offsetof(struct risk, text) };
const struct record_kind plan_shown = RECORD_OF(
        struct plan_row, "plan", NULL, SHOW_AS(struct plan_row, "risky", is_risky),
        SHOW_LIST(struct plan_row, "risks", plan.risks, plan.n_risks, &risk_text),
        SHOW(struct plan_row, rules, .each = &plan_rule_kind),
        SHOW_AS(struct plan_row, "n_risks", plan.n_risks_all),
        SHOW_RECORDS(struct plan_row, "changes", plan.changes, n_changes, &plan_change_shown),
        SHOW_AS(struct plan_row, "n_changes", plan.n_changes),
        SHOW_RECORDS(struct plan_row, "pools", plan.pools, plan.n_pools, &pool_shown),
        SHOW_RECORDS(struct plan_row, "names", plan.names, plan.n_names, &name_shown),
        SHOW_AS(struct plan_row, "n_names", plan.n_names_all),
        SHOW_RECORDS(struct plan_row, "withdrawn", plan.withdrawn, plan.n_withdrawn,
                     &withdrawn_shown),
        SHOW_AS(struct plan_row, "n_withdrawn", plan.n_withdrawn_all),
        SHOW_LIST(struct plan_row, "warnings", plan.advice.warnings, n_warnings, &record_string),
        SHOW(struct plan_row, probes, .each = &probes_row_kind),
        SHOW_LATER("confirm_within_ms", FIELD_I64), SHOW_LATER("worse_if", FIELD_STRING));

static size_t at_most(size_t n, size_t most)
{
	return n < most ? n : most;
}

json_t *plan_to_json(const struct change_plan *plan)
{
	const struct plan_row row = { .plan = *plan,
		                      .is_risky = plan->n_risks > 0,
		                      .rules = rules_to_json(plan),
		                      .probes = probes_to_json(&plan->advice),
		                      .n_changes = at_most(plan->n_changes, CHANGES_SHOWN),
		                      .n_warnings =
		                              at_most(plan->advice.n_warnings, CHANGES_SHOWN) };

	return record_shown(&plan_shown, &row);
}

const struct record_kind event_record = RECORD_OF(
        struct event, "event", NULL, SHOW(struct event, id),
        SHOW_TIME(struct event, "time", time_ms), SHOW(struct event, kind),
        SHOW(struct event, subject), SHOW(struct event, message), SHOW(struct event, node));

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

/* What hands a version over to a node. */
#define OFFER_ROWS(X, t)                                                                           \
	X(t, json_t *, version)                                                                    \
	X(t, json_t *, files)
RECORD_SHOWN(offer_row, "offer", OFFER_ROWS);

json_t *version_offer(const struct version *v, const struct files *files)
{
	const struct offer_row offer = { record_to_json(&version_record, v),
		                         contents_to_json(files) };

	return record_shown(&offer_row_kind, &offer);
}
