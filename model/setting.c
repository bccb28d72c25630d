/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A number's size tells its type; an enum's constants count its words.
 */
#include "model/setting.h"

static const struct schema_row *row_of(enum schema_id id)
{
	return &schema()->rows[id];
}

void setting_set_number(enum schema_id id, void *of, uint64_t n)
{
	void *at = (char *)of + row_of(id)->member.offset;

	switch (row_of(id)->member.size) {
	case sizeof(bool):
		*(bool *)at = n != 0;
		break;
	case sizeof(uint16_t):
		*(uint16_t *)at = (uint16_t)n;
		break;
	case sizeof(uint32_t):
		*(uint32_t *)at = (uint32_t)n;
		break;
	default:
		*(uint64_t *)at = n;
	}
}

void setting_set_pointer(enum schema_id id, void *of, const void *value)
{
	*(const void **)(void *)((char *)of + row_of(id)->member.offset) = value;
}

void setting_set_list(enum schema_id id, void *of, const void *elements, size_t n)
{
	setting_set_pointer(id, of, elements);
	*(size_t *)(void *)((char *)of + row_of(id)->member.count) = n;
}

size_t setting_count(enum schema_id id, const void *of)
{
	return *(const size_t *)(const void *)((const char *)of + row_of(id)->member.count);
}

const void *setting_element(enum schema_id id, const void *of, size_t i)
{
	return *(const char *const *)(const void *)((const char *)of + row_of(id)->member.offset) +
	       i * row_of(id)->member.size;
}
