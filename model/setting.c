/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A number's size tells its type; an enum's constants count its words. What a reference points to
 * begins with its name. Settings by name are in own_texts, own_entries and own_conditions alone.
 */
#include "model/setting.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "model/quantity.h"

static const struct schema_row *row_of(enum schema_id id)
{
	return &schema()->rows[id];
}

static const void *member_in(enum schema_id id, const void *of)
{
	return (const char *)of + row_of(id)->member.offset;
}

bool setting_is_number(enum schema_id id)
{
	switch (row_of(id)->kind) {
	case KIND_DURATION:
	case KIND_RATE:
	case KIND_BITS:
	case KIND_PERCENT:
	case KIND_INTEGER:
	case KIND_NUMBER:
	case KIND_TIME:
	case KIND_BOOLEAN:
	case KIND_ENUM:
		return true;
	default:
		return false;
	}
}

uint64_t setting_number(enum schema_id id, const void *of)
{
	const void *at = member_in(id, of);

	switch (row_of(id)->member.size) {
	case sizeof(bool):
		return *(const bool *)at;
	case sizeof(uint16_t):
		return *(const uint16_t *)at;
	case sizeof(uint32_t):
		return *(const uint32_t *)at;
	default:
		return *(const uint64_t *)at;
	}
}

void setting_set_number(enum schema_id id, void *of, uint64_t n)
{
	void *at = (char *)of + row_of(id)->member.offset;

	switch (row_of(id)->member.size) {
	case sizeof(bool):
		*(bool *)at = n != 0;
		break;
	case sizeof(uint16_t):
		*(uint16_t *)at = (uint16_t)n;
		break;
	case sizeof(uint32_t):
		*(uint32_t *)at = (uint32_t)n;
		break;
	default:
		*(uint64_t *)at = n;
	}
}

void setting_set_pointer(enum schema_id id, void *of, const void *value)
{
	*(const void **)(void *)((char *)of + row_of(id)->member.offset) = value;
}

void setting_set_list(enum schema_id id, void *of, const void *elements, size_t n)
{
	setting_set_pointer(id, of, elements);
	*(size_t *)(void *)((char *)of + row_of(id)->member.count) = n;
}

/* The outer source addresses of a node: one prefix of each family, none of which has no bits. */
static size_t count_tunnel_sources(const void *of)
{
	const struct model_node *node = of;

	return (node->tunnel_source4.bits != 0) + (node->tunnel_source6.bits != 0);
}

static const char *tunnel_source_text(const void *of, size_t i, char *text)
{
	const struct model_node *node = of;

	return prefix_text(i == 0 && node->tunnel_source4.bits ? &node->tunnel_source4
	                                                       : &node->tunnel_source6,
	                   text);
}

/* Lists that are not an array of the model. */
static const struct own_entries {
	size_t (*count)(const void *of);
	const char *(*text)(const void *of, size_t i, char *text);
} own_entries[SCHEMA_COUNT] = {
	[SCHEMA_NODES_TUNNEL_SOURCE] = { count_tunnel_sources, tunnel_source_text },
};

size_t setting_count(enum schema_id id, const void *of)
{
	if (own_entries[id].count)
		return own_entries[id].count(of);
	return *(const size_t *)(const void *)((const char *)of + row_of(id)->member.count);
}

const void *setting_element(enum schema_id id, const void *of, size_t i)
{
	return *(const char *const *)member_in(id, of) + i * row_of(id)->member.size;
}

static const char *name_of(const void *object)
{
	const char *name = object ? *(const char *const *)object : NULL;

	return name ? name : "";
}

static const char *time_text(int64_t ms, char text[SETTING_TEXT_MAX])
{
	return ms == MODEL_TIME_NEVER ? "never" : clock_text(ms, text);
}

/* In the model it is the number that packets have. */
static const char *protocol_text(const void *of, char *text)
{
	(void)text;
	return ((const struct model_service *)of)->protocol == MODEL_UDP ? "udp" : "tcp";
}

static const char *cores_text(const void *of, char *text)
{
	const struct model_dpdk *dpdk = &((const struct model_node *)of)->dpdk;
	int n = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < dpdk->n_cores; i++)
		n += snprintf(text + n, SETTING_TEXT_MAX - (size_t)n, "%s%u", i ? "," : "",
		              dpdk->cores[i]);
	return text;
}

/* The default check has no name in a document (vip_check.c). */
static const char *vip_check_text(const void *of, char *text)
{
	const struct model_service *s = of;

	(void)text;
	if (s->vip_check_from == MODEL_VIP_CHECK_OFF)
		return MODEL_NO_CHECK;
	return s->vip_check_from == MODEL_VIP_CHECK_GIVEN ? name_of(s->vip_check) : "";
}

static const char *vip_site_text(const void *of, char *text)
{
	const struct model_vip *v = of;

	(void)text;
	return v->n_sites == 1 ? name_of(v->sites[0]) : "";
}

static const char *clients_text(const void *of, char *text)
{
	const struct model_override *o = of;

	return o->kind == MODEL_OVERRIDE_DRILL ? prefix_text(&o->clients, text) : "";
}

/* Settings whose text is not just that of a member. */
static const char *(*const own_texts[SCHEMA_COUNT])(const void *of, char *text) = {
	[SCHEMA_NODES_DPDK_CORES] = cores_text,     [SCHEMA_VIPS_SITE] = vip_site_text,
	[SCHEMA_SERVICES_PROTOCOL] = protocol_text, [SCHEMA_SERVICES_VIP_CHECK] = vip_check_text,
	[SCHEMA_OVERRIDES_CLIENTS] = clients_text,
};

bool setting_is_held(enum schema_id id)
{
	return row_of(id)->kind == KIND_GROUP || row_of(id)->member.size || own_texts[id] ||
	       own_entries[id].count;
}

const char *setting_text(enum schema_id id, const void *of, char text[SETTING_TEXT_MAX])
{
	const void *at = member_in(id, of);
	enum schema_kind kind = row_of(id)->kind;

	if (own_texts[id])
		return own_texts[id](of, text);
	switch (kind) {
	case KIND_DURATION: /* DNS counts in seconds */
		return quantity_text(kind,
		                     setting_number(id, of) *
		                             (!strcmp(model_schema[id].unit, "s") ? 1000 : 1),
		                     text);
	case KIND_RATE:
	case KIND_BITS:
	case KIND_PERCENT:
	case KIND_INTEGER:
	case KIND_NUMBER:
		return quantity_text(kind, setting_number(id, of), text);
	case KIND_TIME:
		return time_text((int64_t)setting_number(id, of), text);
	case KIND_BOOLEAN:
		return setting_number(id, of) ? "true" : "false";
	case KIND_ENUM:
		return schema_word(id, setting_number(id, of));
	case KIND_ADDRESS:
		return addr_text(at, text);
	case KIND_REFERENCE:
		return name_of(*(const void *const *)at);
	default: /* a pointer to a text is where the name of an object would be */
		return name_of(at);
	}
}

const char *setting_entry(enum schema_id id, const void *of, size_t i, char text[SETTING_TEXT_MAX])
{
	if (own_entries[id].text)
		return own_entries[id].text(of, i, text);
	const void *entry = setting_element(id, of, i);
	const uint8_t *m = entry;

	switch (row_of(id)->kind) {
	case KIND_ADDRESSES:
		return addr_text(entry, text);
	case KIND_PREFIXES:
		return prefix_text(entry, text);
	case KIND_MACS:
		snprintf(text, SETTING_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
		         m[3], m[4], m[5]);
		return text;
	default:
		return name_of(*(const void *const *)entry);
	}
}

static bool group_is_empty(enum schema_id group, const void *of)
{
	enum schema_id id = row_of(group)->first_child;

	while (id != SCHEMA_COUNT && setting_is_empty(id, of))
		id = row_of(id)->next;
	return id == SCHEMA_COUNT;
}

bool setting_is_empty(enum schema_id id, const void *of)
{
	char text[SETTING_TEXT_MAX];

	if (row_of(id)->kind == KIND_GROUP)
		return group_is_empty(id, of);
	if (row_of(id)->member.count || own_entries[id].count)
		return !setting_count(id, of);
	return setting_is_number(id) ? !setting_number(id, of) : !*setting_text(id, of, text);
}

/* Names of VIPs that the document lists, none of which may be meant, too. */
static bool lists_vips(const void *of)
{
	return ((const struct model_node *)of)->announce.lists_vips;
}

static bool has_one_site(const void *of)
{
	return ((const struct model_vip *)of)->n_sites == 1;
}

static bool has_other_sites(const void *of)
{
	return !has_one_site(of);
}

static bool is_step(const void *of)
{
	return ((const struct model_override *)of)->is_step;
}

static bool has_epoch(const void *of)
{
	return ((const struct model_override *)of)->epoch != 0;
}

/* Settings of probes, which an external check does not send. */
static bool is_probing(const void *of)
{
	return ((const struct model_check *)of)->type != MODEL_CHECK_EXTERNAL;
}

/* Settings whose presence depends on more than their value. */
static bool (*const own_conditions[SCHEMA_COUNT])(const void *of) = {
	[SCHEMA_NODES_ANNOUNCE_VIPS] = lists_vips, [SCHEMA_VIPS_SITE] = has_one_site,
	[SCHEMA_VIPS_SITES] = has_other_sites,     [SCHEMA_OVERRIDES_TO_PPM] = is_step,
	[SCHEMA_OVERRIDES_STEP] = has_epoch,       [SCHEMA_CHECKS_PORT] = is_probing,
	[SCHEMA_CHECKS_PATH] = is_probing,         [SCHEMA_CHECKS_HOST] = is_probing,
	[SCHEMA_CHECKS_EXPECT] = is_probing,       [SCHEMA_CHECKS_VIA] = is_probing,
	[SCHEMA_CHECKS_INTERVAL] = is_probing,     [SCHEMA_CHECKS_FAST_INTERVAL] = is_probing,
	[SCHEMA_CHECKS_TIMEOUT] = is_probing,
};

bool setting_is_given(enum schema_id id, const void *of)
{
	if (own_conditions[id] && !own_conditions[id](of))
		return false;
	return setting_is_held(id) && !(row_of(id)->sparse && setting_is_empty(id, of));
}
