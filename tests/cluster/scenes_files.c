/* SPDX-License-Identifier: BSD-2-Clause */
/* Files that are uploaded in parts, named by their digests, and fetched by the nodes that share a store. */
#include "tests/cluster/scenes.h"

#include <string.h>

#include "mgmt/etcd/base64.h"
#include "mgmt/files/digest.h"

#define NODES   3u
#define HOSTS   4000u
#define PARTS   3u
#define SOON_MS 15000u

/* A zone's file of some 100 kB, given. */
static char *make_zone(void)
{
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		abort();
	fprintf(f,
	        "$TTL 300\n@ IN SOA ns1 hostmaster %u 3600 600 604800 60\n@ IN NS ns1\nns1 IN A 192.0.2.53\n",
	        2026112001 + sched_below(1000));
	for (unsigned i = 0; i < HOSTS; i++)
		fprintf(f, "h%u IN A 10.%u.%u.%u\n", i, sched_below(200), i >> 8, i & 255);
	fclose(f);
	return text;
}

/* One part of a file as the body of an upload, given. */
static char *part_body(const char *digest, size_t bytes, const char *text, size_t offset, size_t n)
{
	char *body;
	size_t size;
	FILE *f = open_memstream(&body, &size);

	if (!f)
		abort();
	fprintf(f,
	        "{\"parts\": [{\"digest\": \"%s\", \"bytes\": %zu, \"offset\": %zu, \"data\": \"",
	        digest, bytes, offset);
	etcd_base64_write(f, text + offset, n);
	fprintf(f, "\"}]}");
	fclose(f);
	return body;
}

static void upload_part(struct scene *s, struct node *n, const char *digest, const char *text,
                        unsigned part)
{
	size_t bytes = strlen(text), from = bytes * part / PARTS, to = bytes * (part + 1) / PARTS;
	char *body = part_body(digest, bytes, text, from, to - from);
	struct node_answer a = node_ask(n, &scene_ada, "POST", "/v1/files", body);

	free(body);
	JUDGE(s, a.status == 200, "an upload: %u %s", a.status, a.text ? a.text : "");
	JUDGE(s, scene_number(a.json, "files.0.have") == (int64_t)to,
	      "part %u: %d bytes are there of %zu", part, (int)scene_number(a.json, "files.0.have"),
	      to);
	JUDGE(s, json_is_true(scene_value(a.json, "files.0.complete")) == (part + 1 == PARTS),
	      "part %u: %s", part, a.text);
	node_answer_fini(&a);
}

/* Apply the cluster's document with the zone, whose file is named by its digest. @return the status */
static unsigned apply_zone(struct scene *s, struct node *n, const char *digest, size_t bytes)
{
	char *document = scene_document(s, 90), *whole;

	if (asprintf(
	            &whole,
	            "%sdns = { zones = ( { name = \"shop.example\"; file = \"shop.example.zone\"; } ); };\n",
	            document) < 0)
		abort();
	json_t *json = json_pack("{s:{s:s, s:{s:s, s:I}}, s:s, s:s}", "files", "weir.conf", whole,
	                         "shop.example.zone", "digest", digest, "bytes", (json_int_t)bytes,
	                         "reason", "a zone", "confirm_within", "none");
	char *body = json_dumps(json, 0);
	struct node_answer a = node_ask(n, &scene_ada, "POST", "/v1/config/apply", body);
	unsigned status = a.status;

	scene_note(s, "apply: %u %s", a.status, a.status / 100 == 2 ? "" : a.text);
	node_answer_fini(&a);
	free(body);
	json_decref(json);
	free(whole);
	free(document);
	return status;
}

static bool has_zone(struct node *n, void *arg)
{
	json_t *config = node_get(n, "/v1/config");
	const json_t *files = scene_value(config, "files");
	const char *text = json_string_value(json_object_get(files, "shop.example.zone"));
	bool has = text && !strcmp(text, arg);

	json_decref(config);
	return has;
}

void scenes_shared_files(struct scene *s)
{
	scene_begin(s, NODES, true);
	node_run_ms(8000);
	struct node *n = scene_any(s);
	char *text = make_zone(), digest[DIGEST_TEXT_MAX];

	digest_bytes(text, strlen(text), digest);
	JUDGE(s, apply_zone(s, n, digest, strlen(text)) == 422,
	      "a file that is not there can be applied");
	for (unsigned part = 0; part < PARTS; part++) {
		upload_part(s, n, digest, text, part);
		if (sched_chance(300)) { /* what was uploaded is there after a start */
			node_kill(n);
			JUDGE(s, node_start(n), "%s does not start again", node_name(n));
			node_run_ms(3000);
		}
	}
	unsigned status = apply_zone(s, n, digest, strlen(text));

	JUDGE(s, status == 201 || status == 202, "an apply of an uploaded file: %u", status);
	JUDGE(s, scene_wait_all(s, has_zone, text, SOON_MS), "not all nodes have the zone's file");
	struct node *late = scene_any(s); /* one that comes with an empty disk fetches it again */

	node_stop(late);
	node_wipe(late);
	JUDGE(s, node_start(late), "%s does not start again", node_name(late));
	JUDGE(s, scene_wait_all(s, has_zone, text, SOON_MS),
	      "an empty disk: not all nodes have the zone's file");
	free(text);
	scene_end(s);
}
