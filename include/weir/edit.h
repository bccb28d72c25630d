/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file
 * Edits of single objects in the text of a configuration: every byte that is not the edited setting stays
 * (docs/decisions.md, "The text is edited in place").
 *
 * Pure: no files, no clock, no state between calls. Implemented in model/edit/: edit.c (the order of the steps and the proof),
 * given.c (a value), goal.c (what the edits ask for), settle.c (what is in force already), differ.c (where
 * the text differs), text.c (how new text looks), patch.c, bytes.c, references.c and refusal.c. Any thread
 * may call; what goes in is borrowed for the call.
 */
#ifndef WEIR_EDIT_H
#define WEIR_EDIT_H

#include <jansson.h>
#include <stddef.h>

#include "base/checked.h"
#include "weir/object.h"

/** How an object is changed. */
enum edit_how {
	EDIT_PUT, /**< it becomes the value: a setting that is not given goes back to its default */
	EDIT_PATCH, /**< RFC 7396: what is given changes, null deletes, an array replaces the whole array */
	EDIT_DELETE, /**< it goes, with its separator, and with its lines if nothing is left on them */
};

/** Whether the object must be there. PATCH and DELETE need it in any case. */
enum edit_create {
	/** else not-found: PUT with If-Match */
	EDIT_IF_THERE,
	/** else exists: PUT with If-None-Match: * */
	EDIT_IF_NOT_THERE,
	EDIT_IN_ANY_CASE,
};

/** One edit. */
struct edit {
	enum edit_how how;
	enum edit_create create;
	struct object_path path; /**< of one object, not of a list */
	/** An object; of DELETE NULL. Its key may be left out: the path has it */
	const json_t *value;
	/**
	 * The object as GET shows it before all edits; may be NULL. What the value gives as it is there is not
	 * touched, although the text has it in another form ("2-5" for "2,3,4,5") or not at all.
	 */
	const json_t *current;
};

/**
 * Gives the file @p name of the configuration, the root or as an `@include` names it: its @p n bytes, which stay where
 * they are until the edits are done.
 * @return 0, or -errno: -ENOENT: there is none
 */
typedef int edit_read(void *arg, const char *name, const char **bytes, size_t *n);

/** Why edits are refused; the code is what the API says (edit_code_text()). */
enum edit_code {
	EDIT_NOT_FOUND,      /**< the object, or the one around it, is not there */
	EDIT_EXISTS,         /**< it is there, and must not be */
	EDIT_INVALID,        /**< the value has errors: see there */
	EDIT_REFERENCED,     /**< what was deleted is named elsewhere: see referents */
	EDIT_SHARED_INCLUDE, /**< the text is in a file that is included twice: see both positions */
	EDIT_NOT_EDITABLE, /**< the text has a form that is not edited: see the text, and positions */
};

/** An error in a value. */
struct edit_error {
	const char *path; /**< of the member, "backends[2].weight"; "": the value as a whole */
	/** What was found and what was expected, with a near name if there is one */
	const char *detail;
};

/** Where something is in the text. */
struct edit_position {
	const char *file;
	unsigned line;
};

/** Why edits were refused. */
struct edit_refusal {
	enum edit_code code;
	size_t edit;      /**< which one, from 0; of EDIT_REFERENCED the one that deletes */
	const char *text; /**< one sentence for a person */
	const struct edit_error *errors;
	size_t n_errors;
	/** Of shared-include the two lines that include the file */
	const struct edit_position *positions;
	size_t n_positions;
	const char *const *referents; /**< paths of objects (object_path_text()), each once */
	size_t n_referents;
};

/** A file that edits change. */
struct edit_file {
	const char *name; /**< as edit_read got it */
	const char *bytes;
	size_t n;
};

/** What edits made. */
struct edit_result {
	/** Only files that differ. None: all that was asked for is in force already. */
	const struct edit_file *files;
	size_t n_files;
	struct edit_refusal refusal; /**< after -EINVAL */
	struct arena *arena;         /**< owns all of it; edit_result_free() */
};

/** Edits of one call: what they cost is bounded by the size of the text and of the values. */
#define EDIT_MAX 1000u

/**
 * Edit a configuration. The edits are made one after another, each on what the ones before it left; the text is
 * changed once, at the end, where it differs from what came out. Then the new text is read again: all that the edits ask for
 * must be there, and all else must be as it was; a text that is not proved so is not given (not-editable).
 *
 * References to what was deleted are looked for in the new text, so edits may delete a pool and what names it in any
 * order. Rules between settings are not checked here: read the new text (model_read_text()).
 *
 * A file that only a deleted object included is no longer named by the new text (model_named_files()), and is not among
 * the result's files.
 *
 * @param root   what @p read and the positions call the configuration's own file, "weir.conf"
 * @param edits  @p n of them, at most EDIT_MAX
 * @param out    given, whatever is returned; free it with edit_result_free()
 * @return 0; -EINVAL: refused, out->refusal says why; -ENOMEM; or what @p read gave for the root
 */
MUST_CHECK int edit_configuration(edit_read *read, void *arg, const char *root,
                                  const struct edit *edits, size_t n, struct edit_result *out);
/** Free what a result has; a zeroed one is fine. */
void edit_result_free(struct edit_result *result);
/** A code as the API says it: "shared-include". */
const char *edit_code_text(enum edit_code code);

#endif
