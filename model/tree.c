/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The builder keeps the open groups and lists on a stack, and appends each value to the innermost
 * one. A node that found no memory is left out; the scan stops at the next token.
 */
#include "model/tree.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"

void tree_begin(struct tree_builder *b, struct arena *arena, struct where at)
{
	*b = (struct tree_builder){ .arena = arena, .top = ARENA_ARRAY(arena, struct tree, 1) };
	if (b->top)
		*b->top = (struct tree){ .kind = TREE_GROUP, .at = at };
	b->levels[0].node = b->top;
}

uint32_t tree_members(const struct tree_builder *b)
{
	const struct tree *node = b->levels[b->depth].node;

	return node ? node->n_children : 0;
}

static char *copy_bytes(struct arena *arena, const char *bytes, size_t n)
{
	char *copy = arena_alloc(arena, n + 1, 1);

	if (copy && n)
		memcpy(copy, bytes, n);
	return copy;
}

const struct tree *tree_name(struct tree_builder *b, const char *name, size_t n, struct where at)
{
	const struct tree *node = b->levels[b->depth].node, *first = node ? node->children : NULL;

	while (first && (strncmp(first->name, name, n) != 0 || first->name[n] != '\0'))
		first = first->next;
	b->twice = first != NULL;
	b->name = first ? first->name : copy_bytes(b->arena, name, n);
	b->named_at = at;
	return first;
}

static void append_node(struct tree_level *level, struct tree *node)
{
	if (level->last)
		level->last->next = node;
	else
		level->node->children = node;
	level->last = node;
	level->node->n_children++;
}

static struct tree *append_new_node(struct tree_builder *b, enum tree_kind kind, struct where at)
{
	struct tree_level *level = &b->levels[b->depth];
	struct tree *node = ARENA_ARRAY(b->arena, struct tree, 1);

	if (!node || arena_failed(b->arena))
		return NULL;
	*node = (struct tree){ .kind = kind,
		               .name = b->name,
		               .parent = level->node,
		               .position = level->node->n_children,
		               .order = ++b->n_nodes,
		               .at = b->name ? b->named_at : at };
	if (!b->twice)
		append_node(level, node);
	b->name = NULL;
	b->twice = false;
	return node;
}

void tree_open(struct tree_builder *b, enum tree_kind kind, struct where at)
{
	struct tree *node = append_new_node(b, kind, at);

	if (node)
		b->levels[++b->depth] = (struct tree_level){ .node = node };
}

void tree_close(struct tree_builder *b)
{
	b->depth--;
}

void tree_add_number(struct tree_builder *b, enum tree_kind kind, int64_t n, struct where at)
{
	struct tree *node = append_new_node(b, kind, at);

	if (node)
		node->integer = n;
}

void tree_add_text(struct tree_builder *b, const char *text, size_t n, struct where at)
{
	struct tree *node = append_new_node(b, TREE_TEXT, at);

	if (!node)
		return;
	node->text = copy_bytes(b->arena, text, n);
	b->text = node;
	b->n_text = b->text_room = n;
}

/* The room doubles, so that a text of many small parts takes linear time. */
void tree_add_more_text(struct tree_builder *b, const char *text, size_t n)
{
	size_t room = 2 * (b->n_text + n);
	char *longer;

	if (arena_failed(b->arena) || n == 0)
		return;
	if (b->n_text + n > b->text_room) {
		longer = arena_alloc(b->arena, room + 1, 1);
		if (!longer)
			return;
		memcpy(longer, b->text->text, b->n_text);
		b->text->text = longer;
		b->text_room = room;
	}
	longer = (char *)(uintptr_t)b->text->text; /* the builder's own bytes */
	memcpy(longer + b->n_text, text, n);
	b->n_text += n;
	longer[b->n_text] = '\0';
}

const char *tree_path(const struct tree *node, const char *name, char path[TREE_PATH_MAX])
{
	const struct tree *chain[GRAMMAR_DEPTH_MAX + 2];
	size_t n = 0, used = 0;

	path[0] = '\0';
	for (; node && node->parent && n < GRAMMAR_DEPTH_MAX + 2; node = node->parent)
		chain[n++] = node;
	while (n-- > 0 && used < TREE_PATH_MAX) {
		const char *dot = used ? "." : "";

		used += (size_t)(chain[n]->name ? snprintf(path + used, TREE_PATH_MAX - used,
		                                           "%s%s", dot, chain[n]->name)
		                                : snprintf(path + used, TREE_PATH_MAX - used,
		                                           "[%u]", chain[n]->position));
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
