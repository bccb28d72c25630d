/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A person edits JSON in the editor of their choice: $VISUAL, else $EDITOR, else vi. Implemented in editor.c; one thread, the
 * command's.
 */
#ifndef WEIR_MGMT_CLI_EDIT_EDITOR_H
#define WEIR_MGMT_CLI_EDIT_EDITOR_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

#include "base/checked.h"

/* The file that is edited, of the caller alone; zeroed: none. */
struct editor_text {
	char path[PATH_MAX];
	bool is_changed; /* a person wrote something into it */
};

/*
 * Have @p offered edited, and read what comes of it. @param text  for editor_end() @param out  given
 * @return CLI_OK, or an exit status after a message
 */
MUST_CHECK int editor_run(const json_t *offered, struct editor_text *text, json_t **out);
/* Remove the file; if the change was not made, what a person wrote is kept, and a line says where. */
void editor_end(struct editor_text *text, bool is_kept);

#endif
