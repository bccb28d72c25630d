/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing documents, so that the parser reads back the same model. Settings are written in the order
 * of the schema's rows, each by its kind: texts are escaped, large numbers are texts, times are
 * RFC 3339 with milliseconds. What has a form of its own has a function in own_writers; values with
 * rules of their own are in setting.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/replace.h"
#include "model/scan.h"
#include "model/setting.h"
#include "weir/model.h"

/* A document that is being written. */
struct document_writer {
	FILE *f;
	bool effective; /* with what only effective documents have */
};

static void put_quoted(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(f, "\\x%02x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

static void put_text(const struct document_writer *w, enum schema_id id, const char *text)
{
	fprintf(w->f, " %s = ", schema()->rows[id].name);
	put_quoted(w->f, text);
	fputc(';', w->f);
}

static void put_entries(FILE *f, enum schema_id id, const void *of)
{
	char text[SETTING_TEXT_MAX];

	fputc('[', f);
	for (size_t i = 0; i < setting_count(id, of); i++) {
		fputs(i ? ", " : " ", f);
		put_quoted(f, setting_entry(id, of, i, text));
	}
	fputs(" ]", f);
}

/* The separator after item @p i of @p n. */
static const char *list_separator(size_t i, size_t n)
{
	return i + 1 < n ? ",\n" : "\n";
}

static void put_settings(const struct document_writer *w, enum schema_id group, const void *of);

/* The groups of a list, a line each. */
static void put_elements(const struct document_writer *w, enum schema_id id, const void *of,
                         const char *indent)
{
	size_t n = setting_count(id, of);

	for (size_t i = 0; i < n; i++) {
		fprintf(w->f, "%s{", indent);
		put_settings(w, id, setting_element(id, of, i));
		fprintf(w->f, " }%s", list_separator(i, n));
	}
}

static void put_setting(const struct document_writer *w, enum schema_id id, const void *of)
{
	const struct schema_row *row = &schema()->rows[id];
	char text[SETTING_TEXT_MAX];

	fputs(row->kind == KIND_GROUPS ? "\n    " : " ", w->f);
	fputs(row->name, w->f);
	fputs(" = ", w->f);
	switch (row->kind) {
	case KIND_GROUP:
		fputc('{', w->f);
		put_settings(w, id, of);
		fputs(" }", w->f);
		break;
	case KIND_GROUPS:
		fputs("(\n", w->f);
		put_elements(w, id, of, "      ");
		fputs("    )", w->f);
		break;
	case KIND_ADDRESSES:
	case KIND_PREFIXES:
	case KIND_MACS:
	case KIND_REFERENCES:
		put_entries(w->f, id, of);
		break;
	case KIND_INTEGER:
	case KIND_BOOLEAN:
		fputs(setting_text(id, of, text), w->f);
		break;
	default:
		put_quoted(w->f, setting_text(id, of, text));
	}
	fputc(';', w->f);
}

static void put_ports(const struct document_writer *w, enum schema_id id, const void *of)
{
	const struct model_node *node = of;

	fputs(" ports = (", w->f);
	for (size_t i = 0; i < node->n_ports; i++) {
		fputs(i ? ", {" : " {", w->f);
		put_settings(w, id, &node->ports[i]);
		fputs(" }", w->f);
	}
	fputs(" );", w->f);
}

static void put_dns(const struct document_writer *w, enum schema_id id, const void *of)
{
	const struct model *m = of;

	(void)id;
	fputs("dns = {\n ", w->f);
	if (m->dns_threads)
		put_setting(w, SCHEMA_DNS_THREADS, m);
	fputs(" zones = (\n", w->f);
	put_elements(w, SCHEMA_DNS_ZONES, m, "    ");
	fputs("  );\n  names = (\n", w->f);
	put_elements(w, SCHEMA_DNS_NAMES, m, "    ");
	fputs("  );\n};\n", w->f);
}

static void put_member_sets(const struct document_writer *w, enum schema_id id, const void *of)
{
	const struct model *m = of;
	const char *separator = "";

	fputs("member_sets = (\n", w->f);
	for (size_t i = 0; i < m->n_pools; i++)
		for (size_t j = 0; j < m->pools[i].n_member_sets; j++) {
			fprintf(w->f, "%s  {", separator);
			put_text(w, SCHEMA_MEMBER_SETS_POOL, m->pools[i].name);
			put_settings(w, id, &m->pools[i].member_sets[j]);
			fputs(" }", w->f);
			separator = ",\n";
		}
	fputs("\n);\n", w->f);
}

static void put_members(const struct document_writer *w, enum schema_id id, const void *of)
{
	fputs(" members = (\n", w->f);
	put_elements(w, id, of, "    ");
	fputs("  );", w->f);
}

/* Writers of settings that have a form of their own. */
static void (*const own_writers[SCHEMA_COUNT])(const struct document_writer *w, enum schema_id id,
                                               const void *of) = {
	[SCHEMA_NODES_PORTS] = put_ports,
	[SCHEMA_DNS] = put_dns,
	[SCHEMA_MEMBER_SETS] = put_member_sets,
	[SCHEMA_MEMBER_SETS_MEMBERS] = put_members,
};

/*
 * What is in effective documents only (digests of zone files) would be an unknown setting in a
 * configuration.
 */
static void put_settings(const struct document_writer *w, enum schema_id group, const void *of)
{
	const struct schema_row *rows = schema()->rows;

	for (enum schema_id id = rows[group].first_child; id != SCHEMA_COUNT; id = rows[id].next) {
		if (rows[id].effective && !w->effective)
			continue;
		if (own_writers[id])
			own_writers[id](w, id, of);
		else if (setting_is_given(id, of))
			put_setting(w, id, of);
	}
}

/* A row at the top. */
static void put_section(const struct document_writer *w, enum schema_id id, const struct model *m)
{
	const struct schema_row *row = &schema()->rows[id];

	if (own_writers[id]) {
		own_writers[id](w, id, m);
	} else if (row->kind == KIND_GROUP) {
		fprintf(w->f, "%s = {", row->name);
		put_settings(w, id, m);
		fputs(" };\n", w->f);
	} else if (row->kind == KIND_GROUPS && setting_is_given(id, m)) {
		fprintf(w->f, "%s = (\n", row->name);
		put_elements(w, id, m, "  ");
		fputs(");\n", w->f);
	}
}

static void put_configuration(const struct document_writer *w, const struct model *m)
{
	const struct schema_row *rows = schema()->rows;

	fputs("schema = 1;\n", w->f);
	for (enum schema_id id = rows[SCHEMA_TOP].first_child; id != SCHEMA_COUNT;
	     id = rows[id].next)
		if (!rows[id].effective)
			put_section(w, id, m);
}

/*
 * The first lines warn a person who opens the file with an editor. Times are absolute, so that all
 * nodes get the same level from one document, whenever they read it.
 */
static void put_effective(const struct document_writer *w, const struct model *m)
{
	fputs("# The effective document of this node, written by weir: do not edit. Change the\n"
	      "# configuration with weir apply, drain and undrain with weir drain and undrain.\n",
	      w->f);
	put_section(w, SCHEMA_EFFECTIVE, m);
	put_configuration(w, m);
	put_section(w, SCHEMA_MEMBER_SETS, m);
	put_section(w, SCHEMA_OVERRIDES, m);
}

static char *to_text(const struct model *m, bool effective, size_t *n)
{
	char *text = NULL;
	const struct document_writer w = { open_memstream(&text, n), effective };

	if (!w.f)
		return NULL;
	if (effective)
		put_effective(&w, m);
	else
		put_configuration(&w, m);
	bool failed = ferror(w.f) != 0;
	if (fclose(w.f) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}

int model_write_effective(const struct model *m, const char *path)
{
	size_t n = 0;
	char *text = to_text(m, true, &n);

	if (!text)
		return -ENOMEM;
	int err = scan_fits(text, n, &scan_effective_limits)
	                  ? replace_file(path, 0640, text, n, REPLACE_SYNC_NAME)
	                  : -EFBIG;
	free(text);
	return err;
}

char *model_text(const struct model *m)
{
	size_t n;

	return to_text(m, false, &n);
}
