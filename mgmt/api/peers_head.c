/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head goes as a whole record, so that it arrives unchanged. A report is written only when all
 * of the head can be read.
 */
#include "mgmt/api/peers_head.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/plain.h"
#include "mgmt/api/node_drain.h"
#include "mgmt/api/observe.h"
#include "mgmt/api/shared_commands.h"
#include "mgmt/api/to_json.h"
#include "mgmt/store/key.h"
#include "mgmt/store/records.h"

#define LOAD_END ((json_int_t)1 << 53) /* bits a second: no node has so many */

json_t *peers_head_to_json(struct core *core)
{
	const struct version *head = intent_head(core->intent);
	struct node_drain drain = node_drain_copy(core);

	return json_pack("{s:o, s:s, s:s, s:s, s:o}", "version",
	                 head ? record_to_json(&version_record, head) : json_null(), "overrides",
	                 core_overrides_digest(core), "hash_key", key_status(core->intent)->found,
	                 "drain", node_drain_state(&drain), "in_force",
	                 inforce_to_json(&core->inforce[0]));
}

json_t *peers_load_to_json(struct core *core)
{
	uint64_t bits = 0;
	bool known = observe_load(core, &bits);

	return json_pack("{s:o, s:I}", "bits_per_s",
	                 known ? json_integer((json_int_t)bits) : json_null(), "port_bits_per_s",
	                 (json_int_t)node_drain_copy(core).port_bits);
}

bool peers_head_read(struct peers_report *report, const json_t *head)
{
	const char *overrides = json_string_value(json_object_get(head, "overrides"));
	const char *drain = json_string_value(json_object_get(head, "drain"));
	const json_t *record = json_object_get(head, "version");
	struct version v = { 0 };
	char hash_key[MODEL_FINGERPRINT_MAX];

	if (!overrides || strlen(overrides) >= DIGEST_TEXT_MAX || !drain ||
	    !fingerprint_from_json(json_object_get(head, "hash_key"), hash_key) ||
	    (!json_is_null(record) && record_from_json(&version_record, record, &v, NULL)))
		return false;
	if (strcmp(report->digest, v.digest) != 0)
		report->behind_ms = 0; /* it catches up */
	report->head = v;
	report->number = v.number;
	memcpy(report->digest, v.digest, sizeof(v.digest));
	memcpy(report->hash_key, hash_key, sizeof(hash_key));
	snprintf(report->overrides, sizeof(report->overrides), "%s", overrides);
	plain_copy(report->drain, sizeof(report->drain), drain);
	report->inforce = inforce_from_json(json_object_get(head, "in_force"));
	return true;
}

void peers_load_read(struct peers_report *report, const json_t *load)
{
	const json_t *bits = json_object_get(load, "bits_per_s");
	json_int_t ports = json_integer_value(json_object_get(load, "port_bits_per_s"));

	report->load_known = json_is_integer(bits) && json_integer_value(bits) >= 0 &&
	                     json_integer_value(bits) < LOAD_END;
	report->bits = report->load_known ? (uint64_t)json_integer_value(bits) : 0;
	report->port_bits = ports > 0 && ports < LOAD_END ? (uint64_t)ports : 0;
}

/* The middle of the two times is the best guess. */
void peers_clock_read(struct peers_report *report, const json_t *clock, uint64_t from_ms,
                      uint64_t to_ms)
{
	const json_t *ms = json_object_get(clock, "ms");
	int64_t half_ms = (int64_t)(to_ms - from_ms) / 2;

	report->clock_known = json_is_integer(ms) && json_integer_value(ms) >= 0 &&
	                      json_integer_value(ms) < CLOCK_END_MS;
	if (!report->clock_known)
		return;
	report->clock_offset_ms = json_integer_value(ms) - ((int64_t)from_ms + half_ms);
	report->clock_slack_ms = half_ms;
}

/* Leave in @p list what no node may have forgotten the end of. @return how many */
static size_t keep_known(struct core *core, struct override *list, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (shared_commands_is_known(core, &list[i]))
			list[kept++] = list[i];
	return kept;
}

void peers_overrides_merge(struct core *core, const char *node, const json_t *answer)
{
	const json_t *items = json_object_get(answer, "items");
	size_t n_items = json_array_size(items), n = 0, n_malformed = 0;
	size_t n_max = n_items < OVERRIDES_MAX ? n_items : OVERRIDES_MAX;
	struct override *list = calloc(n_max + 1, sizeof(*list));

	for (size_t i = 0; list && i < n_items && n < n_max; i++)
		if (record_from_json(&override_record, json_array_get(items, i), &list[n], NULL))
			n_malformed++;
		else
			n++;
	core_lock(core);
	n = keep_known(core, list, n);
	int n_accepted = list ? intent_receive(core->intent, list, n, clock_believed_ms()) : 0;
	if (n_accepted > 0)
		core_changed(core);
	core_unlock(core);
	if (n_accepted || n_malformed)
		log_note("peer-overrides", "node=%s accepted=%d malformed=%zu", node, n_accepted,
		         n_malformed);
	free(list);
}
