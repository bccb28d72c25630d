/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the engine of edits share. The way of an edit: the value is checked (given.c) and
 * changes a goal, which is what the document is to be (goal.c); what the goal asks for and is in force in
 * another form goes back to the text's form (settle.c); where the goal then differs from the text, patches are made
 * (differ.c, text.c) and applied (patch.c); the new text is read and must be the goal (edit.c).
 * One call owns all of it; no thread shares anything.
 */
#ifndef WEIR_MODEL_EDIT_INTERNAL_H
#define WEIR_MODEL_EDIT_INTERNAL_H

#include <errno.h>
#include <stdbool.h>

#include "base/arena.h"
#include "model/scan.h"
#include "model/schema.h"
#include "weir/edit.h"

/*
 * What is to become of a node of the text, or a new one. A node that no edit has looked into has no goals of
 * its children: it is as its origin is.
 */
struct goal {
	enum schema_id row;        /* of a setting; of an element or entry that of its list */
	const struct tree *origin; /* NULL: it is new */
	enum tree_kind kind;
	bool opened;  /* children are goals */
	bool changed; /* a single value: it is another one than its origin's */
	bool touched; /* by an edit, here or below */
	bool removed;
	const char *name; /* in a group; NULL in a list */
	const char *text;
	int64_t integer;
	struct goal *parent, *children, *last, *next;
	struct goal **buckets; /* of a list that is opened: its children by their keys */
	size_t n_buckets, n_indexed;
	uint32_t put;       /* the number of the last list that was put with it */
	struct goal *chain; /* in the bucket */
};

/* Bytes of a source to be replaced. */
struct edit_patch {
	uint32_t source, begin, end, order;
	const char *text;
	size_t n;
};

struct edit_patches {
	struct edit_patch *items;
	size_t n, room;
};

struct edit_work {
	edit_read *read;
	void *arg;
	const char *root;
	struct arena *arena; /* for all that is not handed out */
	struct document_scan scan;
	struct scan_record record;
	struct model_errors errors;
	struct goal *top;
	struct edit_patches patches;
	struct edit_result *out;
	uint32_t n_puts;
	size_t present; /* index of the edit that is being made */
};

/* refusal.c: refuse, unless it is refused already. @return -EINVAL */
int edit_refuse(struct edit_work *w, enum edit_code code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* The same as not-editable, because of what is at token @p i of the text. */
int edit_refuse_token(struct edit_work *w, uint32_t i, const char *reason);
bool edit_is_refused(const struct edit_work *w);
/* The line into the refusal. */
void edit_add_position(struct edit_work *w, const char *file, unsigned line);

/* references.c: whether what edits deleted, and none made again, is named. @return 0 or refused */
MUST_CHECK int edit_check_references(struct edit_work *w, const struct edit *edits, size_t n);

/* given.c: check the value of @p e by the rows of @p group. @return 0, or refused as invalid */
MUST_CHECK int edit_check_given(struct edit_work *w, const struct edit *e, enum schema_id group);
/* An entry of a list in a form that is the same for all ways to write it. */
#define EDIT_KEY_MAX OBJECT_NAME_MAX
const char *edit_entry_key(enum schema_id id, const char *text, char out[EDIT_KEY_MAX]);

/* goal.c */
MUST_CHECK int goal_begin(struct edit_work *w);
/* Make @p e in the goal. @return 0, refused, or -ENOMEM */
MUST_CHECK int goal_make(struct edit_work *w, const struct edit *e);
/* Have goals of the children. */
void goal_open(struct edit_work *w, struct goal *d);
/* The child of row @p id, not removed; NULL: there is none. */
struct goal *goal_child(struct edit_work *w, struct goal *group, enum schema_id id);
/* The object at @p path; NULL: there is none, or it is refused. */
struct goal *goal_object(struct edit_work *w, const struct object_path *path,
                         enum object_kind kind);
/* Whether lists of row @p id mean the same in another order. */
bool goal_is_unordered(enum schema_id id);

/* settle.c: give the text's form back to what the goal has in another one, all over the goal. */
void goal_settle(struct edit_work *w, struct goal *d);

/* differ.c: patches for where @p d, which has an origin, differs. */
void differ_goal(struct edit_work *w, struct goal *d);

/* text.c: how new text looks. */
struct edit_form {
	const char *newline, *indent; /* of its settings, where each has a line */
	const char *close_indent;     /* of the bracket that ends it */
	const char *step;             /* one level more */
	const char *assign;           /* " = " */
	const char *inside;           /* between a bracket and what is in it, on one line */
	char separator;               /* ; or , or NUL */
	bool last_separated;          /* also behind the last setting */
	bool lines;                   /* a line for each setting */
	bool first_beside;            /* but the first is on the line of the bracket */
	bool close_beside;            /* and the closing bracket on the line of the last */
};
/* A text that grows. */
struct edit_text {
	struct arena *arena;
	char *bytes;
	size_t n, room;
};
void text_put(struct edit_text *t, const char *text);
void text_put_n(struct edit_text *t, const char *text, size_t n);
/* "name = value", without separator. */
void text_put_setting(struct edit_text *t, const struct goal *d, const struct edit_form *form);
/* The value alone, also an element or entry. */
void text_put_value(struct edit_text *t, const struct goal *d, const struct edit_form *form);
/* A number, a boolean or a quoted text. */
void text_put_scalar(struct edit_text *t, const struct goal *d);
/* Whether a group has a list of groups. */
bool text_has_lists(const struct goal *d);
/* How setting @p node and its value look. */
void form_of_setting(const struct edit_work *w, const struct tree *node, struct edit_form *form);
/* How an element looks that is as @p sibling is. */
void form_of_element(const struct edit_work *w, const struct tree *sibling, struct edit_form *form);
/* How text looks in a source where nothing like it is. */
void form_of_source(const struct edit_work *w, uint32_t source, struct edit_form *form);

/* patch.c */
/* Replace bytes; @p text is borrowed. */
void patch_add(struct edit_work *w, uint32_t source, uint32_t begin, uint32_t end, const char *text,
               size_t n);
void patch_insert(struct edit_work *w, uint32_t source, uint32_t at, const struct edit_text *t);
/* The bytes @p begin to @p end of a source with the patches. @return from the arena, or NULL: refused or no memory */
const char *patch_apply(struct edit_work *w, struct edit_patches *patches, uint32_t source,
                        uint32_t begin, uint32_t end, struct arena *arena, size_t *n);
/* All files that patches change, into the result. @return 0, refused or -ENOMEM */
MUST_CHECK int patch_files(struct edit_work *w);

/* bytes.c */
const struct scan_mark *edit_mark(const struct edit_work *w, size_t i);
const struct scan_source *edit_source(const struct edit_work *w, uint32_t source);
/* Whether there are only blanks, with @p lines also ends of lines. */
bool bytes_are_blank(const struct scan_source *s, uint32_t begin, uint32_t end, bool lines);
/* Whether only blanks are before @p at on its line. */
bool begins_line(const struct scan_source *s, uint32_t at);
/* The blanks at the beginning of the line of @p at. */
const char *line_indent(const struct edit_work *w, const struct scan_source *s, uint32_t at);
/* Where the line ends if from @p at on it has only blanks and comments; else @p at. */
uint32_t line_end(const struct scan_source *s, uint32_t at);

#endif
