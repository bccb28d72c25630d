/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors have had four forms:
 *   3.4, one answer:  {"error":"etcdserver: ...","message":"etcdserver: ...","code":3}
 *   3.6, one answer:  {"code":3,"message":"etcdserver: ...","details":[]}
 *   3.4, a stream:    {"error":{"grpc_code":11,"http_code":400,"message":"...","http_status":"..."}}
 *   3.6, a stream:    {"error":{"code":11,"message":"...","details":[]}}
 * What is no JSON is not etcd's: "404 page not found" of a member without the gateway, or a proxy.
 */
#include <stdio.h>

#include "base/plain.h"
#include "mgmt/etcd/answer.h"
#include "weir/json.h"

/* The first of these names that has a text. */
static const char *find_message(const json_t *object)
{
	const char *message = json_get_text(object, "message");

	return message ? message : json_get_text(object, "error");
}

static int find_code(const json_t *object)
{
	const json_t *code = json_object_get(object, "code");

	if (!json_is_integer(code))
		code = json_object_get(object, "grpc_code");
	if (!json_is_integer(code) || json_integer_value(code) < 0 ||
	    json_integer_value(code) > ETCD_CODE_UNAUTHENTICATED)
		return ETCD_CODE_NONE;
	return (int)json_integer_value(code);
}

/* Plain text: its first line. */
static void copy_first_line(const char *bytes, size_t n, char text[ETCD_REASON_MAX])
{
	size_t most = n < ETCD_REASON_MAX - 1 ? n : ETCD_REASON_MAX - 1, length = 0;
	char line[ETCD_REASON_MAX];

	while (length < most && bytes[length] && bytes[length] != '\n' && bytes[length] != '\r')
		length++;
	if (length)
		memcpy(line, bytes, length);
	line[length] = '\0';
	plain_copy(text, ETCD_REASON_MAX, line);
}

/* Whether the field is there and says something. */
static bool has_error(const json_t *inner)
{
	return inner && !json_is_null(inner) &&
	       !(json_is_string(inner) && !json_string_length(inner));
}

bool etcd_answer_error(long status, const char *bytes, size_t n, struct etcd_error *out)
{
	/* Keys and values are base64, so the word is there for the field alone. */
	if (status == 200 && !(n && memmem(bytes, n, "\"error\"", 7)))
		return false;
	json_t *root =
	        n <= ETCD_ANSWER_MAX ? json_read(bytes, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const json_t *inner = json_object_get(root, "error");

	if (status == 200 && !has_error(inner)) {
		json_decref(root);
		return false;
	}
	const json_t *object = json_is_object(inner) ? inner : root;
	const char *message = find_message(object);

	*out = (struct etcd_error){ .status = status, .code = find_code(object) };
	if (message)
		plain_copy(out->text, sizeof(out->text), message);
	else
		copy_first_line(bytes, n, out->text);
	json_decref(root);
	return true;
}
