/* SPDX-License-Identifier: BSD-2-Clause */
#include "mgmt/setup/store_note.h"

#include <limits.h>

#include "base/plain.h"
#include "base/proc.h"
#include "mgmt/files/strict_file.h"

#define MODE     0644
#define NOTE_MAX ((size_t)4096)

static const struct record_kind note_record = RECORD_OF(
        struct store_note, "note", NULL, RECORD_VALUE(struct store_note, time_ms, FIELD_I64),
        RECORD_TEXT(struct store_note, text));

int store_note_write(const char *state_dir, const char *name, const struct store_note *n)
{
	char path[PATH_MAX];
	int err = proc_path(state_dir, name, path);

	return err ? err : strict_file_write(path, MODE, &note_record, n);
}

int store_note_read(const char *state_dir, const char *name, struct store_note *out)
{
	char path[PATH_MAX], reason[STRICT_REASON_MAX];
	int err = proc_path(state_dir, name, path);

	if (!err)
		err = strict_file_read(path, name, NOTE_MAX, &note_record, out, reason);
	if (!err)
		plain_make(out->text);
	return err;
}
