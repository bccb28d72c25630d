/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of configuration by their routes. A test includes this once. */
#ifndef WEIR_TESTS_MGMT_CHANGE_H
#define WEIR_TESTS_MGMT_CHANGE_H

#include "api_world.h"

#define APPLY    "/v1/config/apply"
#define PLAN     "/v1/config/plan"
#define CHECK    "/v1/config/check"
#define RELOAD   "/v1/zones/reload"
#define ROLLBACK "/v1/versions/{}/rollback"
#define CONFIRM  "/v1/versions/{}/confirm"

/* Ask for a change with @p body (given), by @p path with the number of a version in it. @return the status */
static inline unsigned ask_change(const char *path, json_t *body, const char *number,
                                  const char *query, const char *if_match)
{
	const char *gap = strstr(path, "{}");
	char what[300];

	if (gap)
		snprintf(what, sizeof(what), "POST %.*s%s%s%s%s", (int)(gap - path), path, number,
		         gap + 2, *query ? "?" : "", query);
	else
		snprintf(what, sizeof(what), "POST %s%s%s", path, *query ? "?" : "", query);
	snprintf(asker.if_match, sizeof(asker.if_match), "%s", if_match);
	return ask_with_json(what, body);
}

/* Whether the answer waited for what the change does. */
static inline bool has_waited(void)
{
	return json_object_get(answer.json, "complete");
}

/* A change of the file, which nothing follows from: it is not risky. */
static inline json_t *body_with(const char *words, const char *more)
{
	json_t *body = json_pack("{s:s, s:o}", "reason", "because", "files",
	                         files_with("# two sites", words));
	json_t *other = json_loads(more, 0, NULL);

	assert_non_null(other);
	json_object_update(body, other);
	json_decref(other);
	return body;
}

static inline unsigned apply_change(const char *words, const char *more, const char *query)
{
	return ask_change(APPLY, body_with(words, more), "", query, "*");
}

static inline const json_t *part_of(const char *name)
{
	return json_object_get(answer.json, name);
}

static inline uint64_t head_number(void)
{
	return intent_head(this_node.intent)->number;
}

static inline bool has_warning(const char *words)
{
	const json_t *list = value_at("plan.warnings"), *item;
	size_t i;

	json_array_foreach(list, i, item) if (strstr(json_string_value(item), words)) return true;
	return false;
}

static inline json_t *make_reason(void)
{
	return json_pack("{s:s}", "reason", "back");
}

/* Two versions: the second has more room in a pool. */
static inline void grow_pool(void)
{
	json_t *body = json_pack("{s:s, s:o}", "reason", "grow", "files",
	                         files_with("max_backends = 10", "max_backends = 20"));

	assert_int_equal(ask_change(APPLY, body, "", "", "*"), 201);
}

#endif
