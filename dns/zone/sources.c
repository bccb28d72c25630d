/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operator's own files are compared with one another, so the hash needs no secret key. The list of
 * included files needs no digest of its own: equal files include the same ones.
 */
#include "dns/zone/sources.h"

#include <string.h>

#include "base/hash.h"
#include "dns/zone/image.h"
#include "dns/zone/text.h"
#include "dns/zone/zone.h"

uint64_t sources_add(uint64_t digest, uint64_t read)
{
	const struct hash_key key = { digest, IMAGE_LAYOUT };
	uint64_t sum = hash_bytes(&key, &read, sizeof(read));

	return sum ? sum : 1;
}

uint64_t sources_begin(const struct zone_input *in)
{
	uint64_t digest = sources_add(sources_add(in->n_zones, in->n_dynamic), in->program);

	for (size_t z = 0; z < in->n_zones; z++)
		digest = sources_add(digest, hash_text(in->zones[z].name));
	for (size_t d = 0; d < in->n_dynamic; d++) {
		digest = sources_add(digest, hash_text(in->dynamic[d]));
		digest = sources_add(digest, zone_input_number(in, (uint32_t)d));
	}
	return digest;
}

uint64_t sources_again(const struct zone_input *in, const struct image *from,
                       const struct image_part *part)
{
	const char *at = image_at(from, part->files_off), *end = image_at(from, part->end);
	uint64_t digest = sources_begin(in), read;

	for (size_t z = 0; z < in->n_zones; z++) {
		const char *list = at;

		while (at < end && *at) {
			at += strnlen(at, (size_t)(end - at));
			at += at < end;
		}
		if (at >= end ||
		    zone_text_digest(in->zones[z].file, list, (size_t)(at - list), &read) < 0)
			return 0;
		digest = sources_add(digest, read);
		at++;
	}
	return digest;
}
