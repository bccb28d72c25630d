/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head has a signature, so that nobody without the key makes a log look shorter than it was. The file is not synced: half a file,
 * after a power cut, is as none.
 */
#include "mgmt/audit/mark.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/replace.h"
#include "mgmt/files/files.h"

#define MARK_BYTES_MAX 4096u

static const struct record_kind mark_record = RECORD_OF(
        struct audit_mark, "mark of an audit log", NULL,
        RECORD_RECORD(struct audit_mark, head, &audit_head_record),
        RECORD_VALUE(struct audit_mark, gone, FIELD_U64), RECORD_TEXT(struct audit_mark, how));

static void name_mark(const char *dir, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%.*s/" AUDIT_MARK_FILE, PATH_MAX - 64, dir);
}

void audit_mark_read(const char *dir, struct audit_mark *out)
{
	struct audit_mark mark = { .gone = 0 };
	char path[PATH_MAX], *text = NULL;
	size_t n;

	*out = mark;
	name_mark(dir, path);
	if (files_slurp_within(path, MARK_BYTES_MAX, &text, &n))
		return;
	if (!record_from_text(&mark_record, text, &mark, NULL))
		*out = mark;
	free(text);
	if (!audit_head_is_signed(&out->head))
		out->head = (struct audit_head){ .seq = 0 };
}

int audit_mark_write(const char *dir, const struct audit_mark *mark)
{
	char path[PATH_MAX], *text = record_to_text(&mark_record, mark);

	if (!text)
		return -ENOMEM;
	name_mark(dir, path);
	int err = replace_file(path, S_IRUSR | S_IWUSR, text, strlen(text), REPLACE_SYNC_NONE);
	free(text);
	return err;
}
