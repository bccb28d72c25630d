/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A line and a head are signed over one text. So a signed line gives the head of the line before it, and its signature is good
 * for both.
 */
#include "mgmt/audit/line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"
#include "mgmt/audit/key.h"

const char *audit_kind_word(int kind)
{
#define KIND_WORD(id, word, means) word,
	static const char *const words[] = { AUDIT_KINDS(KIND_WORD) };
#undef KIND_WORD

	return words[kind];
}

bool audit_kind_is_signed(enum audit_kind kind)
{
	return kind == AUDIT_BEGIN || kind == AUDIT_SEAL || kind == AUDIT_KEY;
}

#define HEX_OF(n) "^[0-9a-f]{" #n "}$"

const struct record_kind audit_line_record = RECORD_OF(
        struct audit_line, "line of the audit log", NULL,
        RECORD_VALUE(struct audit_line, seq, FIELD_U64, .always = true, .shown = "seq"),
        RECORD_TEXT(struct audit_line, time, .always = true, .shown = "time"),
        RECORD_TEXT(struct audit_line, node, .always = true, .shown = "node"),
        RECORD_WORD(struct audit_line, kind, audit_kind_word, AUDIT_N_KINDS, .shown = "kind"),
        RECORD_TEXT(struct audit_line, who, .shown = "who", .spare = true),
        RECORD_TEXT(struct audit_line, author, .shown = "author", .spare = true),
        RECORD_TEXT(struct audit_line, source, .shown = "source", .spare = true),
        RECORD_TEXT(struct audit_line, method, .shown = "method", .spare = true),
        RECORD_TEXT(struct audit_line, path, .shown = "path", .spare = true),
        RECORD_TEXT(struct audit_line, object, .shown = "object", .spare = true),
        RECORD_VALUE(struct audit_line, status, FIELD_U32, .shown = "status", .spare = true),
        RECORD_TEXT(struct audit_line, code, .shown = "code", .spare = true),
        RECORD_TEXT(struct audit_line, result, .shown = "result", .spare = true),
        RECORD_TEXT(struct audit_line, reason, .shown = "reason", .spare = true),
        RECORD_VALUE(struct audit_line, replayed, FIELD_BOOL, .shown = "replayed", .spare = true),
        RECORD_VALUE(struct audit_line, count, FIELD_U64, .shown = "count", .spare = true),
        RECORD_TEXT(struct audit_line, since, .shown = "since", .spare = true),
        RECORD_VALUE(struct audit_line, dropped, FIELD_U64, .shown = "dropped", .spare = true),
        RECORD_TEXT(struct audit_line, key, .shown = "key", .spare = true),
        RECORD_TEXT(struct audit_line, next, .shown = "next", .spare = true),
        RECORD_TEXT(struct audit_line, signature, .shown = "signature", .spare = true),
        RECORD_TEXT(struct audit_line, prev, .always = true, .shown = "prev",
                    .pattern = HEX_OF(64)));

const struct record_kind audit_head_record = RECORD_OF(
        struct audit_head, "head of an audit log", NULL,
        RECORD_TEXT(struct audit_head, node, .always = true, .shown = "node"),
        RECORD_VALUE(struct audit_head, seq, FIELD_U64, .always = true, .shown = "seq"),
        RECORD_TEXT(struct audit_head, hash, .always = true, .shown = "hash",
                    .pattern = HEX_OF(64)),
        RECORD_TEXT(struct audit_head, time, .always = true, .shown = "time"),
        RECORD_TEXT(struct audit_head, key, .always = true, .shown = "key", .pattern = HEX_OF(64)),
        RECORD_TEXT(struct audit_head, signature, .always = true, .shown = "signature",
                    .pattern = HEX_OF(128)),
        RECORD_TEXT(struct audit_head, former, .shown = "former", .spare = true),
        RECORD_TEXT(struct audit_head, handover, .shown = "handover", .spare = true),
        RECORD_VALUE(struct audit_head, went_back, FIELD_BOOL, .shown = "went_back",
                     .spare = true));

/* Of these texts others choose the bytes: control characters would let a terminal show another line than there is. */
char *audit_line_text(const struct audit_line *line)
{
	struct audit_line plain = *line;

	plain_make(plain.who);
	plain_make(plain.author);
	plain_make(plain.path);
	plain_make(plain.object);
	plain_make(plain.result);
	plain_make(plain.reason);
	return record_to_text(&audit_line_record, &plain);
}

/* A NUL would end the copy that is read, and what is behind it would be in the digest alone. */
int audit_line_read(const char *text, size_t n, struct audit_line *out)
{
	struct audit_line line = { 0 };

	if (n >= AUDIT_LINE_MAX || memchr(text, '\0', n))
		return -EINVAL;
	char *copy = strndup(text, n);
	if (!copy)
		return -ENOMEM;
	int err = record_from_text(&audit_line_record, copy, &line, NULL);
	free(copy);
	if (err)
		return err;
	if (!line.seq || !plain_is_hex(line.prev, DIGEST_TEXT_MAX - 1) ||
	    (audit_kind_is_signed(line.kind) && !*line.key))
		return -EINVAL;
	*out = line;
	return 0;
}

const char *audit_line_none(void)
{
	return "0000000000000000000000000000000000000000000000000000000000000000";
}

/* What is signed, of a line or of a head. */
static size_t write_signed(const struct audit_head *head, const char *next,
                           char out[AUDIT_SIGNED_MAX])
{
	return (size_t)snprintf(out, AUDIT_SIGNED_MAX,
	                        "weir-audit-1\n%s\n%" PRIu64 "\n%s\n%s\n%s\n%s\n", head->node,
	                        head->seq, head->hash, head->time, head->key, next);
}

void audit_head_of(const struct audit_line *line, struct audit_head *out)
{
	*out = (struct audit_head){ .seq = line->seq - 1 };
	memcpy(out->node, line->node, sizeof(out->node));
	memcpy(out->hash, line->prev, sizeof(out->hash));
	memcpy(out->time, line->time, sizeof(out->time));
	memcpy(out->key, line->key, sizeof(out->key));
	memcpy(out->signature, line->signature, sizeof(out->signature));
}

size_t audit_line_signed(const struct audit_line *line, char out[AUDIT_SIGNED_MAX])
{
	struct audit_head head;
	char dropped[32];

	audit_head_of(line, &head);
	snprintf(dropped, sizeof(dropped), "dropped %" PRIu64, line->dropped);
	return write_signed(&head, line->dropped && !*line->next ? dropped : line->next, out);
}

bool audit_line_is_signed(const struct audit_line *line)
{
	char text[AUDIT_SIGNED_MAX];
	size_t n = audit_line_signed(line, text);

	return audit_key_verify(line->key, text, n, line->signature);
}

/* A line that names a next key, or what was dropped, gives no head: the signature is over that, too, and a head has no room for it. */
bool audit_head_is_signed(const struct audit_head *head)
{
	char text[AUDIT_SIGNED_MAX];
	size_t n = write_signed(head, "", text);

	return audit_key_verify(head->key, text, n, head->signature);
}

size_t audit_head_handover(const struct audit_head *head, char out[AUDIT_SIGNED_MAX])
{
	return (size_t)snprintf(out, AUDIT_SIGNED_MAX, "weir-audit-key-1\n%s\n%s\n%s\n", head->node,
	                        head->former, head->key);
}

bool audit_head_follows(const struct audit_head *head, const char *key)
{
	char text[AUDIT_SIGNED_MAX];

	if (!strcmp(head->key, key))
		return true;
	size_t n = audit_head_handover(head, text);
	return !strcmp(head->former, key) && audit_key_verify(key, text, n, head->handover);
}
