/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a zone file: refused with reports, or compiled into an image that passes its own
 * check and gives well-formed answers. ldns alone must make the same image of them.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dns/answer/answer.h"
#include "dns/zone/image.h"
#include "dns/zone/zone.h"
#include "tests/unit/dns/message_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/*
 * ldns loses a few bytes on some records that it refuses (CERT of type 0); zone_parse.c stops after
 * ZONE_ERRORS_MAX mistakes, which bounds that. Everything of ours is still looked at.
 */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libldns.so";
}

static void count_message(void *arg, const struct zones_message *m)
{
	if (!*m->text)
		abort();
	*(unsigned *)arg += m->level == ZONES_ERROR;
}

static void ask_all(const struct image *image)
{
	static const char *const names[] = { "x",   "www.x", "a.x",      "b.a.x",
		                             "*.x", "q.w.x", "ns.sub.x", "x.y.z.x" };
	static const uint16_t types[] = { 1, 2, 5, 6, 15, 16, 28, 43, 255 };
	static char text[1 << 20];
	static uint8_t out[ANSWER_MAX];
	uint8_t query[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
			const struct answer_env env = { .image = image };
			struct answer_query q = { .bytes = query, .tcp = k % 2 };
			struct answer_info info;
			size_t got;

			q.length = query_make(names[i], types[k], query);
			got = answer(&env, &q, out, sizeof(out), &info, NULL);
			if (!message_text(out, got, text, sizeof(text)))
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char *const dynamic[] = { "www.x" };
	char path[32];
	const struct zone_source zone = { "x", path };
	static struct image *earlier;
	struct zone_input in = {
		.zones = &zone, .n_zones = 1, .dynamic = dynamic, .n_dynamic = 1, .source = 1
	};
	struct image *image = NULL;
	unsigned reports = 0;
	int fd = memfd_create("zone", MFD_CLOEXEC), err;

	if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = zone_compile(&in, count_message, &reports, &image);
	if ((err == 0) != (reports == 0) || (err == 0) != (image != NULL))
		abort();
	if (image && image_check(image, image->size_bytes) != 0)
		abort();
	if (image)
		ask_all(image);
	/* what the compiler reads itself is what ldns makes of it */
	struct image *other = NULL;
	unsigned other_reports = 0;

	in.by_ldns = true;
	if (zone_compile(&in, count_message, &other_reports, &other) != err ||
	    other_reports != reports ||
	    (image && (image->size_bytes != other->size_bytes ||
	               memcmp(image, other, image->size_bytes) != 0)))
		abort();
	free(other);
	in.by_ldns = false;
	/* with the last good image at hand there is always one, of it or of the apex alone */
	in.isolate = true;
	in.earlier = earlier;

	struct image *isolated = NULL;

	if (zone_compile(&in, count_message, &reports, &isolated) != 0 ||
	    image_check(isolated, isolated->size_bytes) != 0)
		abort();
	close(fd);
	ask_all(isolated);
	free(isolated);
	if (image) {
		free(earlier);
		earlier = image;
	}
	return 0;
}
