/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/tree.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libconfig.h>

#include "base/arena.h"

static bool take_scalar(struct tree *node, const config_setting_t *setting, struct arena *arena)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_INT:
		node->kind = TREE_INTEGER;
		node->integer = config_setting_get_int(setting);
		return true;
	case CONFIG_TYPE_BOOL:
		node->kind = TREE_BOOLEAN;
		node->integer = config_setting_get_bool(setting);
		return true;
	case CONFIG_TYPE_STRING:
		node->kind = TREE_TEXT;
		node->text = arena_strdup(arena, config_setting_get_string(setting));
		return node->text != NULL;
	default:
		return false;
	}
}

static bool take(struct tree *node, const config_setting_t *setting, struct arena *arena);

static bool take_children(struct tree *node, const config_setting_t *setting, struct arena *arena)
{
	unsigned n = (unsigned)config_setting_length(setting), kept = 0;
	struct tree *children = ARENA_ARRAY(arena, struct tree, n ? n : 1);

	if (!children)
		return false;
	node->children = children;
	for (unsigned i = 0; i < n; i++) {
		const config_setting_t *from = config_setting_get_elem(setting, i);
		struct tree *child = &children[kept];
		const char *name = config_setting_name(from);

		if (name && scan_is_duplicate(name))
			continue;
		child->parent = node;
		child->place = kept++;
		child->name = name ? arena_strdup(arena, name) : NULL;
		if (!take(child, from, arena))
			return false;
	}
	node->n_children = kept;
	return true;
}

/* Depth is bounded by the scan. */
static bool take(struct tree *node, const config_setting_t *setting, struct arena *arena)
{
	node->line = config_setting_source_line(setting);
	if (config_setting_is_group(setting))
		node->kind = TREE_GROUP;
	else if (config_setting_is_aggregate(setting))
		node->kind = TREE_LIST;
	else
		return take_scalar(node, setting, arena);
	return take_children(node, setting, arena);
}

const struct tree *tree_parse(struct scan *s, struct arena *arena)
{
	struct tree *top = ARENA_ARRAY(arena, struct tree, 1);
	config_t config;
	bool ok;

	if (!top || s->broken)
		return NULL;
	config_init(&config);
	if (config_read_string(&config, s->out) != CONFIG_TRUE) {
		int line = config_error_line(&config);

		mistakes_add(
		        s->mistakes, scan_where(s, line > 0 ? (unsigned)line : 1), "",
		        "%s at or shortly before this line; expected NAME = VALUE; with brackets in pairs and "
		        "',' between the items of a list",
		        config_error_text(&config) ? config_error_text(&config) : "syntax error");
		config_destroy(&config);
		return NULL;
	}
	ok = take(top, config_root_setting(&config), arena);
	config_destroy(&config);
	return ok ? top : NULL;
}

const char *tree_path(const struct tree *node, const char *name, char path[TREE_PATH_MAX])
{
	const struct tree *chain[SCAN_DEPTH_MAX + 2];
	size_t n = 0, used = 0;

	path[0] = '\0';
	for (; node && node->parent && n < SCAN_DEPTH_MAX + 2; node = node->parent)
		chain[n++] = node;
	while (n-- > 0 && used < TREE_PATH_MAX) {
		const char *dot = used ? "." : "";

		used += (size_t)(chain[n]->name ? snprintf(path + used, TREE_PATH_MAX - used,
		                                           "%s%s", dot, chain[n]->name)
		                                : snprintf(path + used, TREE_PATH_MAX - used,
		                                           "[%u]", chain[n]->place));
	}
	if (name && used < TREE_PATH_MAX)
		snprintf(path + used, TREE_PATH_MAX - used, "%s%s", used ? "." : "", name);
	return path;
}

const char *tree_kind_text(enum tree_kind kind)
{
	static const char *const texts[] = { "a group { ... }", "a list ( ... )", "a text",
		                             "a number", "a boolean" };

	return texts[kind];
}
