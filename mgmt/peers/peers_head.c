/* SPDX-License-Identifier: BSD-2-Clause */
/* A report is written only when all of the head can be read. */
#include "mgmt/peers/peers_head.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/plain.h"
#include "mgmt/core/command_records.h"
#include "mgmt/observe/node_drain.h"
#include "mgmt/observe/observe.h"
#include "mgmt/core/shared_state.h"
#include "mgmt/core/to_json.h"
#include "mgmt/store/key.h"
#include "mgmt/store/records.h"
#include "mgmt/store/shared.h"
#include "weir/json.h"

#define LOAD_END ((json_int_t)1 << 53) /* bits a second: no node has so many */

static json_t *new_commands_to_json(struct core *core)
{
	const struct override *list[COMMAND_RECORDS_NEW_MAX];
	size_t n = command_records_list_new(core, list);
	json_t *items = n ? json_array() : NULL;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(items, record_to_json(&override_record, list[i]));
	return items;
}

json_t *peers_head_to_json(struct core *core)
{
	const struct version *head = intent_head(core->intent);
	struct node_drain drain = node_drain_copy(core);
	char origin[ORIGIN_TEXT_MAX];

	shared_state_origin(core, origin);
	return json_pack(
	        "{s:I, s:s, s:s, s:s, s:s, s:s*, s:s*, s:s, s:s*, s:I, s:o, s:o*}", "version",
	        (json_int_t)(head ? head->number : 0), "digest", head ? head->digest : "",
	        "version_key", head ? head->hash_key : "", "overrides", core_overrides_digest(core),
	        "hash_key", key_status(core->intent)->found, "store", shared_state_store_id(core),
	        "store_origin", *origin ? origin : NULL, "drain", node_drain_state(&drain),
	        "trouble", inforce_trouble(core), "troubles", (json_int_t)core->judged.troubles,
	        "in_force", inforce_to_json(&core->judged.versions[0]), "commands",
	        new_commands_to_json(core));
}

/* In their order, in ppm; null: not known. */
static json_t *signs_to_json(const struct core *core)
{
	struct sign_rates rates;
	json_t *list = json_array();

	signs_recent(observe_signs(core), &rates);
	for (int i = 0; i < SIGNS; i++)
		json_array_append_new(
		        list, json_number_or_null(rates.rates[i].known, rates.rates[i].ppm));
	return list;
}

json_t *peers_load_to_json(struct core *core)
{
	uint64_t bits = 0;
	bool known = observe_load(core, &bits);

	return json_pack("{s:o, s:I, s:o, s:s}", "bits_per_s", json_number_or_null(known, bits),
	                 "port_bits_per_s", (json_int_t)node_drain_copy(core).port_bits, "signs",
	                 signs_to_json(core), "clients",
	                 signs_clients_text(core->judged.canary.clients));
}

/* Whether they are of a version, or say that there is none. */
static bool is_version(const json_t *number, const char *digest)
{
	uint64_t n = 0;

	return json_read_count(number, SHARED_NUMBER_END - 1, &n) && digest &&
	       (n ? plain_is_hex(digest, DIGEST_TEXT_MAX - 1) : !*digest);
}

bool peers_head_read(struct peers_report *report, const json_t *head)
{
	const char *overrides = json_get_text(head, "overrides");
	const char *drain = json_get_text(head, "drain");
	const char *digest = json_get_text(head, "digest");
	const char *trouble = json_get_text(head, "trouble");
	const json_t *version = json_object_get(head, "version");
	const json_t *store = json_object_get(head, "store");
	const json_t *store_origin = json_object_get(head, "store_origin");
	const char *id = store ? json_string_value(store) : "";
	const char *origin = store_origin ? json_string_value(store_origin) : "";
	char version_key[MODEL_FINGERPRINT_MAX], hash_key[MODEL_FINGERPRINT_MAX];

	if (!overrides || strlen(overrides) >= DIGEST_TEXT_MAX || !drain ||
	    !is_version(version, digest) || !id || (*id && !store_conf_is_id(id)) || !origin ||
	    strlen(origin) >= ORIGIN_TEXT_MAX ||
	    !fingerprint_from_json(json_object_get(head, "version_key"), version_key) ||
	    !fingerprint_from_json(json_object_get(head, "hash_key"), hash_key))
		return false;
	if (strcmp(report->digest, digest) != 0)
		report->behind_ms = 0; /* it catches up */
	report->number = (uint64_t)json_integer_value(version);
	snprintf(report->digest, sizeof(report->digest), "%s", digest);
	memcpy(report->version_key, version_key, sizeof(version_key));
	memcpy(report->hash_key, hash_key, sizeof(hash_key));
	report->store_known = store;
	snprintf(report->store, sizeof(report->store), "%s", id);
	/* people are shown it: free words of a peer are none */
	snprintf(report->store_origin, sizeof(report->store_origin), "%s",
	         origin[strspn(origin, "0123456789abcdef.")] ? "" : origin);
	snprintf(report->overrides, sizeof(report->overrides), "%s", overrides);
	plain_copy(report->drain, sizeof(report->drain), drain);
	report->trouble_known = trouble && json_read_count(json_object_get(head, "troubles"),
	                                                   CLOCK_END_MS - 1, &report->troubles);
	plain_copy(report->trouble, sizeof(report->trouble), trouble ? trouble : "");
	report->inforce = inforce_from_json(json_object_get(head, "in_force"));
	return true;
}

void peers_load_read(struct peers_report *report, const json_t *load)
{
	json_int_t ports = json_integer_value(json_object_get(load, "port_bits_per_s"));
	const json_t *signs = json_object_get(load, "signs");

	report->bits = 0;
	report->load_known =
	        json_read_count(json_object_get(load, "bits_per_s"), LOAD_END - 1, &report->bits);
	report->port_bits = ports > 0 && ports < LOAD_END ? (uint64_t)ports : 0;
	for (size_t i = 0; i < SIGNS; i++) {
		uint64_t ppm = 0;

		report->signs.rates[i].known =
		        json_read_count(json_array_get(signs, i), MODEL_PPM_ALL, &ppm);
		report->signs.rates[i].ppm = (uint32_t)ppm;
	}
	report->clients = signs_clients_parse(json_get_text(load, "clients"));
}

/* The middle of the two times is the best guess. */
void peers_clock_read(struct peers_report *report, const json_t *ms, uint64_t from_ms,
                      uint64_t to_ms)
{
	int64_t half_ms = (int64_t)(to_ms - from_ms) / 2;
	uint64_t said_ms = 0;

	report->clock_known = json_read_count(ms, CLOCK_END_MS - 1, &said_ms);
	if (!report->clock_known)
		return;
	report->clock_offset_ms = (int64_t)said_ms - ((int64_t)from_ms + half_ms);
	report->clock_slack_ms = half_ms;
}

/** Overrides that were learned from a peer. */
struct learned_overrides {
	struct override *list; /* from malloc(); NULL: out of memory */
	size_t n, n_malformed;
};

static struct learned_overrides read_overrides(const json_t *items, size_t max)
{
	size_t n_items = json_array_size(items);
	size_t n_max = n_items < max ? n_items : max;
	struct learned_overrides learned = { .list = calloc(n_max + 1, sizeof(*learned.list)) };

	for (size_t i = 0; learned.list && i < n_items && learned.n < n_max; i++)
		if (record_from_json(&override_record, json_array_get(items, i),
		                     &learned.list[learned.n], NULL))
			learned.n_malformed++;
		else
			learned.n++;
	return learned;
}

/* Take them. Under the lock. @return whether there are others now */
static bool receive_learned(struct core *core, const char *node, struct learned_overrides *learned)
{
	int n_accepted = 0;

	if (learned->list)
		n_accepted = intent_receive(core->intent, learned->list, learned->n,
		                            clock_believed_ms());
	if (n_accepted > 0)
		core_changed(core);
	if (n_accepted || learned->n_malformed)
		log_note("peer-overrides", "node=%s accepted=%d malformed=%zu", node, n_accepted,
		         learned->n_malformed);
	return n_accepted > 0;
}

bool peers_head_receive(struct core *core, const char *node, const json_t *head)
{
	const json_t *items = json_object_get(head, "commands");
	struct learned_overrides learned = { 0 };

	if (!items)
		return false;
	learned = read_overrides(items, COMMAND_RECORDS_NEW_MAX);
	bool is_new = receive_learned(core, node, &learned);

	free(learned.list);
	return is_new;
}

void peers_overrides_merge(struct core *core, const char *node, const json_t *answer)
{
	struct learned_overrides learned =
	        read_overrides(json_object_get(answer, "items"), OVERRIDES_MAX);

	core_lock(core);
	(void)receive_learned(core, node, &learned);
	core_unlock(core);
	free(learned.list);
}
