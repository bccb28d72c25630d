/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model of etcd (etcd_model.h) in a process of its own, for test_etcd_model.py: a request a line, as
 * {"path", "body"}, {"compact"} or {"watch"}; an answer a line, {"status", "body"}, of a watch with the list of its lines.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/cluster/etcd_model.h"

static json_t *watch_all(struct etcd_model *m, const json_t *body)
{
	struct etcd_model_watch w;
	json_t *lines = json_array(), *line;

	etcd_model_watch_init(&w, body);
	while ((line = etcd_model_watch_line(m, &w, 1)))
		json_array_append_new(lines, line);
	etcd_model_watch_fini(&w);
	return lines;
}

static json_t *answer_line(struct etcd_model *m, const json_t *request)
{
	const char *path = json_string_value(json_object_get(request, "path"));
	const json_t *watch = json_object_get(request, "watch"),
	             *compact = json_object_get(request, "compact");
	long status = 200;
	json_t *body = NULL;

	if (path)
		body = etcd_model_answer(m, path, json_object_get(request, "body"), 1, &status);
	else if (watch)
		body = watch_all(m, watch);
	else
		etcd_model_compact(m, json_integer_value(compact));
	return json_pack("{s:I, s:o}", "status", (json_int_t)status, "body",
	                 body ? body : json_null());
}

int main(void)
{
	struct etcd_model *m = etcd_model_new(7);
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		json_t *request = json_loads(line, 0, NULL), *answer = answer_line(m, request);

		json_dumpf(answer, stdout, JSON_COMPACT);
		putchar('\n');
		fflush(stdout);
		json_decref(answer);
		json_decref(request);
	}
	free(line);
	etcd_model_free(m);
	return 0;
}
