/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects: what their paths name, what their JSON is. That nothing is lost on the way is shown by writing the JSON of all
 * objects as a configuration again, of whole documents and of the fuzzer's corpus; and that the schema tells the truth, by
 * holding each JSON against it.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fixture.h"
#include "model/load.h"
#include "model/quantity.h"
#include "model/schema.h"
#include "tests/unit/suite.h"
#include "weir/json.h"
#include "weir/object.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *documents, *corpus;

static struct model *read_text(const char *text)
{
	struct model_errors errors;
	struct model *m = NULL;

	fixture_write_text("weir.conf", text);
	int err = model_read_config_without_key(fixture_path("weir.conf"), NULL, &m, &errors);
	for (size_t i = 0; i < errors.n_items; i++)
		print_message("  %u: %s: %s\n", errors.items[i].line, errors.items[i].field,
		              errors.items[i].message);
	assert_int_equal(err, 0);
	model_errors_free(&errors);
	return m;
}

static struct object_path path_of(const char *text)
{
	struct object_path path;

	assert_int_equal(object_path_read(text, NULL, &path), 0);
	return path;
}

/* The table has no path that the schema does not say: "pools[].backends" is "pools/{}/backends". */
static void the_path_of_a_kind_is_that_of_its_list(void **state)
{
	(void)state;
	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++) {
		const struct object_row *row = object_row(kind);
		char path[128], *at = path;

		for (const char *c = model_schema[row->list].path; *c; c++)
			if (*c == '[')
				at = stpcpy(at, "/{"), c++, *at++ = '}';
			else
				*at++ = (char)(*c == '.' ? '/' : *c);
		*at = '\0';
		assert_string_equal(row->path, path);
		if (row->parent != OBJECT_NONE)
			assert_int_equal(schema()->rows[row->list].parent,
			                 object_row(row->parent)->list);
		assert_int_equal(row->depth, row->parent == OBJECT_NONE ? 1 : 2);
		assert_string_equal(row->key, kind == OBJECT_AT ? "site" : "name");
	}
}

static void a_path_names_an_object_or_a_list(void **state)
{
	static const struct {
		const char *text;
		int err;
		enum object_kind kind;
		unsigned n_names;
		const char *last, *rest, *again; /* NULL: as it was given, without the rest */
	} rows[] = {
		{ "pools", 0, OBJECT_POOL, 0, NULL, "", NULL },
		{ "pools/web", 0, OBJECT_POOL, 1, "web", "", NULL },
		{ "pools/web/backends", 0, OBJECT_BACKEND, 1, "web", "", NULL },
		{ "pools/web/backends/b1", 0, OBJECT_BACKEND, 2, "b1", "", NULL },
		{ "pools/web/check", 0, OBJECT_POOL, 1, "web", "check", "pools/web" },
		{ "pools/web/backends/b1/weight", 0, OBJECT_BACKEND, 2, "b1", "weight",
		  "pools/web/backends/b1" },
		{ "sites/ams/labels/region", 0, OBJECT_SITE, 1, "ams", "labels/region",
		  "sites/ams" },
		{ "services/web/at/ams", 0, OBJECT_AT, 2, "ams", "", NULL },
		{ "dns/names", 0, OBJECT_DNS_NAME, 0, NULL, "", NULL },
		{ "dns/names/WWW.Shop.Example.", 0, OBJECT_DNS_NAME, 1, "www.shop.example", "",
		  "dns/names/www.shop.example" },
		{ "dns/names/*.a", 0, OBJECT_DNS_NAME, 1, "*.a", "", "dns/names/%2A.a" },
		{ "pools/a%2Fb", 0, OBJECT_POOL, 1, "a/b", "", "pools/a%2Fb" },
		{ "pools/a%2fbackends%2fb", 0, OBJECT_POOL, 1, "a/backends/b", "",
		  "pools/a%2Fbackends%2Fb" },
		{ "pools/%2577eb", 0, OBJECT_POOL, 1, "%77eb", "", "pools/%2577eb" },
		{ "pools/%77eb", 0, OBJECT_POOL, 1, "web", "", "pools/web" },
		{ "pools/web/", -ENOENT, 0, 0, NULL, NULL, NULL },
		{ "pools/", -EINVAL, 0, 0, NULL, NULL, NULL },
		{ "pools//backends", -EINVAL, 0, 0, NULL, NULL, NULL },
		{ "pools/a%", -EINVAL, 0, 0, NULL, NULL, NULL },
		{ "pools/a%2", -EINVAL, 0, 0, NULL, NULL, NULL },
		{ "pools/a%zz", -EINVAL, 0, 0, NULL, NULL, NULL },
		{ "pools/a%00", -EINVAL, 0, 0, NULL, NULL, NULL },
		{ "", -ENOENT, 0, 0, NULL, NULL, NULL },
		{ "pool", -ENOENT, 0, 0, NULL, NULL, NULL },
		{ "poolss", -ENOENT, 0, 0, NULL, NULL, NULL },
		{ "dns", -ENOENT, 0, 0, NULL, NULL, NULL },
		{ "/pools", -ENOENT, 0, 0, NULL, NULL, NULL },
		{ "cluster", -ENOENT, 0, 0, NULL, NULL, NULL },
	};
	char text[OBJECT_PATH_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct object_path path;
		const char *rest = NULL;

		print_message("  %s\n", rows[i].text);
		assert_int_equal(object_path_read(rows[i].text, &rest, &path), rows[i].err);
		if (rows[i].err)
			continue;
		assert_int_equal(path.kind, rows[i].kind);
		assert_int_equal(path.n_names, rows[i].n_names);
		assert_int_equal(object_is_list(&path),
		                 path.n_names < object_row(path.kind)->depth);
		if (rows[i].last)
			assert_string_equal(path.names[path.n_names - 1], rows[i].last);
		assert_string_equal(rest, rows[i].rest);
		assert_string_equal(object_path_text(&path, text),
		                    rows[i].again ? rows[i].again : rows[i].text);
		assert_int_equal(object_path_read(rows[i].text, NULL, &path), *rest ? -ENOENT : 0);
	}
}

static void a_name_has_at_most_the_bytes_of_a_domain(void **state)
{
	char text[OBJECT_PATH_MAX], again[OBJECT_PATH_MAX] = "pools/";
	struct object_path path;

	(void)state;
	memcpy(text, "pools/", 6);
	memset(text + 6, 'a', OBJECT_NAME_MAX);
	text[6 + OBJECT_NAME_MAX] = '\0';
	assert_int_equal(object_path_read(text, NULL, &path), -EINVAL);
	assert_int_equal(object_path_below(NULL, OBJECT_POOL, text + 6, &path), -EINVAL);
	assert_int_equal(object_path_below(NULL, OBJECT_POOL, "", &path), -EINVAL);
	text[6 + OBJECT_NAME_MAX - 1] = '\0';
	assert_int_equal(object_path_read(text, NULL, &path), 0);
	/* the longest path: each byte of two names is escaped */
	memset(text, '/', OBJECT_NAME_MAX - 1);
	text[OBJECT_NAME_MAX - 1] = '\0';
	assert_int_equal(object_path_below(NULL, OBJECT_SERVICE, text, &path), 0);
	assert_int_equal(object_path_below(&path, OBJECT_AT, text, &path), 0);
	assert_true(strlen(object_path_text(&path, again)) < OBJECT_PATH_MAX);
	assert_int_equal(object_path_read(again, NULL, &path), 0);
	assert_string_equal(path.names[1], text);
}

static void a_path_is_made_of_names(void **state)
{
	struct object_path path = path_of("services/web"), below;
	char text[OBJECT_PATH_MAX];

	(void)state;
	assert_int_equal(object_path_below(&path, OBJECT_AT, "fra", &below), 0);
	assert_string_equal(object_path_text(&below, text), "services/web/at/fra");
	assert_int_equal(object_path_below(NULL, OBJECT_ZONE, "A.Example.", &below), 0);
	assert_string_equal(object_path_text(&below, text), "dns/zones/a.example");
}

static void a_domain_is_one_name_in_all_its_forms(void **state)
{
	(void)state;
	assert_true(object_is_named(OBJECT_ZONE, "Shop.Example.", "shop.example"));
	assert_true(object_is_named(OBJECT_ZONE, "shop.example", "shop.example"));
	assert_false(object_is_named(OBJECT_ZONE, "shop.example..", "shop.example"));
	assert_false(object_is_named(OBJECT_ZONE, "shop.exampl", "shop.example"));
	assert_false(object_is_named(OBJECT_POOL, "Web", "web"));
	assert_false(object_is_named(OBJECT_POOL, "web.", "web"));
	assert_true(object_is_named(OBJECT_POOL, "web", "web"));
}

/* The objects of a list, given; NULL: what has the list does not exist. */
static json_t *list_objects(const struct model *m, const struct object_path *path)
{
	json_t *list = object_find_around(m, path) ? json_array() : NULL;

	for (size_t i = 0; list && i < object_count(m, path); i++)
		json_array_append_new(list, object_json_at(m, path, i));
	return list;
}

/* The JSON at @p path, on one line; "" where there is none. */
static void expect_json(const struct model *m, const char *path, const char *expected)
{
	struct object_path p = path_of(path);
	char *text = json_line(object_is_list(&p) ? list_objects(m, &p) : object_json(m, &p));

	assert_string_equal(text ? text : "", expected);
	free(text);
}

static void an_object_shows_all_that_it_is_with_its_defaults(void **state)
{
	struct model *m = read_text(fixture_config);

	(void)state;
	expect_json(m, "sites/ams",
	            "{\"name\":\"ams\",\"weight\":100,\"labels\":{\"region\":\"eu\"},"
	            "\"capacity\":{\"new_flows\":\"50k/s\",\"bits\":\"40Gbit\"}}");
	expect_json(m, "sites/fra", "{\"name\":\"fra\",\"weight\":100}");
	expect_json(m, "pools/web-ams/backends/b2",
	            "{\"name\":\"b2\",\"address\":\"fd00:1:1::12\",\"port\":0,\"weight\":50}");
	expect_json(m, "pools/web-fra",
	            "{\"name\":\"web-fra\",\"site\":\"fra\",\"check\":\"web\",\"mode\":\"ipip\","
	            "\"max_backends\":100,\"min_healthy\":\"50%\",\"max_remove\":\"50%\","
	            "\"settle_time\":\"15m\",\"idle_time\":\"5m\",\"backends\":[{\"name\":\"b1\","
	            "\"address\":\"10.2.1.11\",\"port\":0,\"weight\":100}]}");
	expect_json(m, "pools/web-fra/backends",
	            "[{\"name\":\"b1\",\"address\":\"10.2.1.11\",\"port\":0,\"weight\":100}]");
	expect_json(m, "vips/shop-fra",
	            "{\"name\":\"shop-fra\",\"site\":\"fra\",\"addresses\":[\"198.51.100.10\"],"
	            "\"announce_when\":\"any\"}");
	expect_json(m, "services/web/at",
	            "[{\"site\":\"fra\",\"vip\":\"shop-fra\",\"pool\":\"web-fra\",\"weight\":7},"
	            "{\"site\":\"ams\",\"vip\":\"shop-ams\",\"pool\":\"web-ams\",\"weight\":100}]");
	expect_json(m, "dns/zones/shop.example",
	            "{\"name\":\"shop.example\",\"file\":\"shop.example.zone\"}");
	expect_json(m, "dns/names/www.shop.example",
	            "{\"name\":\"www.shop.example\",\"service\":\"web\",\"policy\":\"weighted\","
	            "\"ttl\":{\"min\":\"5s\",\"max\":\"1m\"}}");
	expect_json(m, "nodes/fra-1",
	            "{\"name\":\"fra-1\",\"site\":\"fra\",\"driver\":\"auto\",\"ports\":[{"
	            "\"interface\":\"eth1\",\"device\":\"0000:01:00.0\",\"macs\":[]}],\"dpdk\":{"
	            "\"cores\":\"2,3,4,9\",\"hugepages\":\"yes\",\"memory\":512},"
	            "\"tunnel_source\":[\"10.2.255.0/24\",\"fd00:2:ff::/64\"],\"mtu\":1500,"
	            "\"dns_listen\":[],\"api\":\"\",\"controls\":[],\"clock\":\"synchronised\","
	            "\"samples\":\"kept\","
	            "\"announce\":{\"daemon\":\"none\",\"table\":177,\"gshut_table\":178,"
	            "\"dns\":[]}}");
	model_free(m);
}

static void what_is_not_there_has_no_json(void **state)
{
	struct model *m = read_text(fixture_config);
	struct object_path path;

	(void)state;
	expect_json(m, "pools/none", "");
	expect_json(m, "pools/none/backends", "");
	expect_json(m, "pools/none/backends/b1", "");
	expect_json(m, "pools/web-ams/backends/b3", "");
	expect_json(m, "services/web/at/zrh", "");
	expect_json(m, "pools/web%2Dams%2Fbackends%2Fb1", "");
	path = path_of("pools/none/backends");
	assert_int_equal(object_count(m, &path), 0);
	assert_null(object_find(m, &path));
	model_free(m);
}

static void an_etag_is_of_the_object_and_not_of_its_order(void **state)
{
	json_t *a = json_loads("{\"name\":\"b1\",\"weight\":1,\"list\":[1,2]}", 0, NULL);
	json_t *b = json_loads("{\"list\":[1,2],\"weight\":1,\"name\":\"b1\"}", 0, NULL);
	json_t *c = json_loads("{\"list\":[2,1],\"weight\":1,\"name\":\"b1\"}", 0, NULL);
	char one[OBJECT_ETAG_MAX], two[OBJECT_ETAG_MAX];

	(void)state;
	assert_int_equal(object_etag(a, one), 0);
	/* printf '{"list":[1,2],"name":"b1","weight":1}' | sha256sum */
	assert_string_equal(one, "\"820abfca7ee27d70\"");
	assert_int_equal(object_etag(b, two), 0);
	assert_string_equal(one, two);
	assert_int_equal(object_etag(c, two), 0);
	assert_string_not_equal(one, two);
	json_decref(a);
	json_decref(b);
	json_decref(c);
}

/* The pattern of a text excludes control characters by their numbers, which POSIX does not know. */
static bool fits_pattern(const char *pattern, const char *text)
{
	regex_t compiled;

	if (strstr(pattern, "\\x")) {
		assert_string_equal(pattern, "^[^\\x00-\\x1f\\x7f]*$");
		while (*text && !iscntrl((unsigned char)*text))
			text++;
		return !*text;
	}
	assert_int_equal(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
	bool fits = regexec(&compiled, text, 0, NULL, 0) == 0;
	regfree(&compiled);
	return fits;
}

static bool is_within(const json_t *schema, const char *least, const char *most, size_t n)
{
	const json_t *from = json_object_get(schema, least), *to = json_object_get(schema, most);

	return (!from || n >= (size_t)json_integer_value(from)) &&
	       (!to || n <= (size_t)json_integer_value(to));
}

static bool is_type(const char *type, const json_t *value)
{
	static const char *const types[] = { "object", "array",   "string",  "integer",
		                             "number", "boolean", "boolean", "null" };

	return !strcmp(types[json_typeof(value)], type);
}

static bool is_valid(const json_t *schema, const json_t *value);

static bool is_valid_object(const json_t *schema, const json_t *value)
{
	const json_t *properties = json_object_get(schema, "properties");
	const char *name;
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(schema, "required"), i,
	                   one) if (!json_object_get(value, json_string_value(one))) return false;
	json_object_foreach(
	        (json_t *)(uintptr_t)value, name,
	        one) if (!json_object_get(properties, name) ||
	                 !is_valid(json_object_get(properties, name), one)) return false;
	return true;
}

/* The part of JSON Schema that object_schema() uses. */
static bool is_valid(const json_t *schema, const json_t *value)
{
	const char *pattern = json_get_text(schema, "pattern"), *text = json_string_value(value);
	json_t *one, *words = json_object_get(schema, "enum");
	bool is_word = !words;
	size_t i;

	if (!is_type(json_text_of(schema, "type"), value))
		return false;
	json_array_foreach(words, i, one) is_word |= json_equal(one, value) != 0;
	json_array_foreach(value, i,
	                   one) if (!is_valid(json_object_get(schema, "items"), one)) return false;
	if (text && ((pattern && !fits_pattern(pattern, text)) ||
	             !is_within(schema, "minLength", "maxLength", strlen(text))))
		return false;
	if (json_is_integer(value) &&
	    !is_within(schema, "minimum", "maximum", (size_t)json_integer_value(value)))
		return false;
	if (json_is_array(value) &&
	    !is_within(schema, "minItems", "maxItems", json_array_size(value)))
		return false;
	return is_word && (!json_is_object(value) || is_valid_object(schema, value));
}

static void expect_valid(enum object_kind kind, const json_t *value)
{
	json_t *schema = object_schema(kind);
	char *text = json_dumps(value, 0), *says = json_dumps(schema, 0);

	if (!is_valid(schema, value))
		fail_msg("%s is not as described: %s", text, says);
	free(text);
	free(says);
	json_decref(schema);
}

static void each_kind_has_a_schema_whose_example_it_allows(void **state)
{
	(void)state;
	for (enum object_kind kind = 0; kind < OBJECT_NONE; kind++) {
		json_t *schema = object_schema(kind);
		const json_t *example = json_array_get(json_object_get(schema, "examples"), 0);

		assert_true(json_is_object(example));
		assert_true(json_is_false(json_object_get(schema, "additionalProperties")));
		assert_false(
		        json_lists(json_object_get(schema, "required"), object_row(kind)->key));
		expect_valid(kind, example);
		json_decref(schema);
	}
}

static void a_schema_refuses_what_a_configuration_would(void **state)
{
	static const struct {
		const char *why, *change;
	} rows[] = {
		{ "a number as text", "{\"weight\": \"1\"}" },
		{ "too much", "{\"weight\": 65536}" },
		{ "less than nothing", "{\"weight\": -1}" },
		{ "an unknown setting", "{\"wieght\": 1}" },
		{ "null", "{\"port\": null}" },
		{ "a list", "{\"port\": [1]}" },
		{ "no address", "{\"address\": \"host\"}" },
		{ "no name", "{\"name\": \"B 1\"}" },
	};
	json_t *schema = object_schema(OBJECT_BACKEND), *missing = json_object();

	(void)state;
	assert_false(is_valid(schema, missing));
	json_object_set_new(missing, "address", json_string("10.0.0.1"));
	assert_true(is_valid(schema, missing)); /* its name is in the path */
	for (size_t i = 0; i < COUNT(rows); i++) {
		json_t *value = json_copy(missing), *change = json_loads(rows[i].change, 0, NULL);

		print_message("  %s\n", rows[i].why);
		json_object_update(value, change);
		assert_false(is_valid(schema, value));
		json_decref(change);
		json_decref(value);
	}
	json_decref(missing);
	json_decref(schema);
	schema = object_schema(OBJECT_POOL); /* in a list a name is no part of a path */
	missing = json_loads("{\"site\": \"ams\", \"backends\": [{\"address\": \"10.0.0.1\"}]}", 0,
	                     NULL);
	assert_false(is_valid(schema, missing));
	json_decref(missing);
	json_decref(schema);
}

static void what_the_schema_says_of_a_setting_is_its_row(void **state)
{
	json_t *pool = object_schema(OBJECT_POOL), *node = object_schema(OBJECT_NODE);
	const json_t *of = json_object_get(pool, "properties");

	(void)state;
	assert_int_equal(json_integer_value(json_at(of, "max_backends.default")), 100);
	assert_int_equal(json_integer_value(json_at(of, "max_backends.maximum")), 10000);
	assert_true(json_is_false(json_at(of, "agent.default")));
	assert_true(json_has_text(of, "check.x-reference", "checks"));
	assert_true(json_has_text(of, "idle_time.default", "5m"));
	assert_true(json_has_text(of, "idle_time.description",
	                          "A flow that is silent for this time has ended. From 1s to 2h."));
	assert_true(json_lists(json_at(of, "mode.enum"), "gue"));
	assert_int_equal(
	        json_integer_value(json_at(of, "registration.properties.prefixes.minItems")), 1);
	assert_true(json_lists(json_at(of, "backends.items.required"), "name"));
	assert_true(
	        json_has_true(json_at(node, "properties.dpdk.properties.hugepages"), "x-restart"));
	json_decref(pool);
	json_decref(node);
}

static void write_value(FILE *f, const json_t *value)
{
	bool is_groups = json_is_object(json_array_get(value, 0));
	const char *name, *text = json_string_value(value);
	json_t *one;
	size_t i;

	if (json_is_object(value)) {
		fputs("{ ", f);
		json_object_foreach((json_t *)(uintptr_t)value, name, one)
		{
			fprintf(f, "%s = ", name);
			write_value(f, one);
			fputs("; ", f);
		}
		fputs("}", f);
	} else if (json_is_array(value)) {
		fputs(is_groups ? "( " : "[ ", f);
		json_array_foreach(value, i, one)
		{
			fputs(i ? ", " : "", f);
			write_value(f, one);
		}
		fputs(is_groups ? " )" : " ]", f);
	} else if (json_is_boolean(value)) {
		fputs(json_is_true(value) ? "true" : "false", f);
	} else if (json_is_integer(value)) {
		fprintf(f, "%lld", (long long)json_integer_value(value));
	} else {
		fputc('"', f);
		for (; *text; text++)
			fprintf(f, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
		fputc('"', f);
	}
}

static enum object_kind changed_kind; /* where one object is changed, as it is written */
static json_t *changed;

static bool name_is(const json_t *a, const json_t *b, enum object_kind kind)
{
	const char *key = object_row(kind)->key;

	return !strcmp(json_text_of(a, key), json_text_of(b, key));
}

static void write_list(FILE *f, const struct model *m, enum object_kind kind)
{
	struct object_path list = path_of(object_row(kind)->path), one;
	json_t *objects = list_objects(m, &list), *object;
	size_t i;

	assert_int_equal(json_array_size(objects), object_count(m, &list));
	json_array_foreach(objects, i, object) if (changed && kind == changed_kind &&
	                                           name_is(object, changed, kind))
	        json_array_set(objects, i, changed);
	fprintf(f, "%s = ", schema()->rows[object_row(kind)->list].name);
	if (json_array_size(objects))
		write_value(f, objects);
	else
		fputs("( )", f);
	fputs(";\n", f);
	json_array_foreach(objects, i, object) if (!changed)
	{
		expect_valid(kind, object);
		object_path_at(m, &list, i, &one);
		json_t *alone = object_json(m, &one), *at = object_json_at(m, &list, i);
		assert_true(json_equal(object, alone) && json_equal(object, at));
		json_decref(alone);
		json_decref(at);
	}
	json_decref(objects);
}

/* What is no object, as the configuration had it, and all objects. */
static char *write_objects(const struct model *m)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	assert_non_null(f);
	fprintf(f,
	        "schema = 1; cluster = { name = \"%s\"; hash_key_file = \"%s\"; "
	        "hash_key_id = \"%s\"; max_sites_out = %u; };\nlimits = { services = %u; backends "
	        "= %u; slots = %u; exceptions = %u; };\n",
	        m->cluster, m->hash_key_file, m->hash_key_id, m->max_sites_out, m->limits.services,
	        m->limits.backends, m->limits.slots, m->limits.exceptions);
	for (enum object_kind kind = 0; kind < OBJECT_ZONE; kind++)
		if (object_row(kind)->parent == OBJECT_NONE)
			write_list(f, m, kind);
	fputs("dns = { ", f);
	if (m->dns_threads)
		fprintf(f, "threads = %u; ", m->dns_threads);
	write_list(f, m, OBJECT_ZONE);
	write_list(f, m, OBJECT_DNS_NAME);
	fputs("};\n", f);
	write_list(f, m, OBJECT_GATE);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* Write all objects of @p m as a configuration: it is that of @p m. */
static void expect_same_from_objects(const struct model *m)
{
	char *text = write_objects(m), *expected = model_text(m);
	struct model *again = read_text(text);
	char *got = model_text(again);

	assert_string_equal(got, expected);
	model_free(again);
	free(got);
	free(expected);
	free(text);
}

static uint64_t seed = 1;

static uint64_t draw_below(uint64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return n ? (seed >> 16) % n : 0;
}

/* A value within the limits of a row, as a document has it; NULL: of this kind, or of this row, none is drawn. */
static json_t *draw_value(enum schema_id id)
{
	const struct schema_row *row = &schema()->rows[id];
	bool in_seconds = !strcmp(model_schema[id].unit, "s"); /* the number is in milliseconds */
	uint64_t n_words = 0, n;
	char text[QUANTITY_TEXT_MAX];

	switch (draw_below(3)) {
	case 0:
		n = row->least;
		break;
	case 1:
		n = row->most;
		break;
	default:
		n = row->least + draw_below(row->most - row->least + 1);
	}
	switch (row->kind) {
	case KIND_INTEGER:
		return json_integer((json_int_t)n);
	case KIND_BOOLEAN: /* that it is false is left out */
		return row->sparse ? json_true() : json_boolean(draw_below(2));
	case KIND_ENUM:
		while (schema_word(id, n_words))
			n_words++;
		return json_string(schema_word(id, draw_below(n_words)));
	case KIND_DURATION:
		n -= in_seconds ? n % 1000 : 0;
		return json_string(quantity_text(row->kind, n, text));
	case KIND_RATE:
	case KIND_BITS:
	case KIND_PERCENT:
		return json_string(quantity_text(row->kind, n, text));
	default:
		return NULL;
	}
}

/* Change one setting of an object, or of what is in it. */
static void change_setting(json_t *object, enum schema_id group)
{
	const struct schema_row *rows = schema()->rows;
	enum schema_id id = rows[group].first_child;
	json_t *value;

	for (uint64_t i = draw_below(rows[group].n_children); i > 0; i--)
		id = rows[id].next;
	if (rows[id].effective)
		return;
	value = json_object_get(object, rows[id].name);
	if (rows[id].kind == KIND_GROUP && !value) {
		value = json_object();
		json_object_set_new(object, rows[id].name, value);
	}
	if (rows[id].kind == KIND_GROUP) {
		change_setting(value, id);
		if (!json_object_size(value)) /* nothing was drawn */
			json_object_del(object, rows[id].name);
	} else if (rows[id].kind == KIND_GROUPS)
		change_setting(json_array_get(value, draw_below(json_array_size(value))), id);
	else if ((value = draw_value(id)))
		json_object_set_new(object, rows[id].name, value);
}

/* What the schema allows and a configuration takes is shown as it was given. */
static void a_setting_that_is_taken_is_shown_as_it_was_given(void **state)
{
	struct model *m = read_text(fixture_config);
	unsigned n_taken = 0;

	(void)state;
	for (unsigned round = 0; round < 600; round++) {
		struct object_path list, one;
		struct model_errors errors;
		struct model *again = NULL;

		do
			changed_kind = (enum object_kind)draw_below(OBJECT_NONE);
		while (object_row(changed_kind)->parent != OBJECT_NONE ||
		       changed_kind == OBJECT_GATE); /* the fixture has none */
		list = path_of(object_row(changed_kind)->path);
		object_path_at(m, &list, draw_below(object_count(m, &list)), &one);
		changed = object_json(m, &one);
		change_setting(changed, object_row(changed_kind)->list);
		expect_valid(changed_kind, changed);
		char *text = write_objects(m);
		fixture_write_text("weir.conf", text);
		if (!model_read_config_without_key(fixture_path("weir.conf"), NULL, &again,
		                                   &errors)) {
			json_t *shown = object_json(again, &one);
			char *is = json_dumps(shown, 0), *was = json_dumps(changed, 0);

			if (!json_equal(shown, changed))
				fail_msg("%s was given as %s", is, was);
			json_t *held = changed;
			changed = NULL;
			expect_same_from_objects(again);
			changed = held;
			n_taken++;
			free(is);
			free(was);
			json_decref(shown);
		}
		model_errors_free(&errors);
		model_free(again);
		free(text);
		json_decref(changed);
		changed = NULL;
	}
	assert_true(n_taken > 300);
	model_free(m);
}

/* A set of one is `site`, of several `sites`, however it was written; a list that is not given is not made up. */
static void a_setting_that_another_one_says_is_left_out(void **state)
{
	char *one = fixture_edit(fixture_config, "name = \"shop-ams\"; site = \"ams\"",
	                         "name = \"shop-ams\"; sites = [ \"ams\" ]");
	char *listed = fixture_edit(one, "dns_listen = [ \"192.0.2.53\" ];",
	                            "announce = { daemon = \"bird\"; vips = [ ]; };");
	struct model *m = read_text(listed);
	struct object_path path = path_of("nodes/ams-1");
	json_t *node = object_json(m, &path);

	(void)state;
	expect_json(m, "vips/shop-ams",
	            "{\"name\":\"shop-ams\",\"site\":\"ams\",\"addresses\":[\"203.0.113.10\","
	            "\"2001:db8:1::10\"],\"announce_when\":\"any\"}");
	assert_true(json_is_array(json_at(node, "announce.vips")));
	expect_same_from_objects(m);
	json_decref(node);
	model_free(m);
	free(listed);
	free(one);
}

static void objects_written_as_a_configuration_are_the_same_model(void **state)
{
	struct model *m = read_text(fixture_config);

	(void)state;
	expect_same_from_objects(m);
	model_free(m);
}

/* A whole document; '@' in it is the test's directory. */
static char *take_document(const char *name)
{
	char path[PATH_MAX], here[PATH_MAX], *text = NULL, *out = NULL;
	size_t n;

	assert_non_null(realpath(fixture_path("."), here));
	snprintf(path, sizeof(path), "%s/%s", documents, name);
	assert_int_equal(load_file(path, 1 << 20, &text, &n), 0);
	FILE *f = open_memstream(&out, &n);
	assert_non_null(f);
	for (const char *p = text; *p; p++)
		*p == '@' ? fputs(here, f) : fputc(*p, f);
	assert_int_equal(fclose(f), 0);
	free(text);
	return out;
}

static void each_setting_of_a_document_comes_through_its_objects(void **state)
{
	char *text = take_document("whole.conf");

	(void)state;
	mkdir(fixture_path("keys"), 0700);
	mkdir(fixture_path("zones"), 0700);
	fixture_write_text("keys/hash.key", "00112233445566778899aabbccddeeff\n");
	fixture_write_text("zones/a", "");
	fixture_write_text("zones/b", "");
	struct model *m = read_text(text);
	expect_same_from_objects(m);
	model_free(m);
	free(text);
}

/* Also from the effective document, in which zone files are where they are laid out. */
static void objects_of_an_effective_document_are_those_of_its_configuration(void **state)
{
#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	struct model *m = read_text(fixture_config), *effective = NULL;
	struct model_zone zone = m->zones[0];
	struct model laid_out = *m;
	struct model_errors errors;

	(void)state;
	zone.file = "/var/lib/weir/config/" DIGEST "/shop.example.zone";
	laid_out.zones = &zone;
	assert_int_equal(model_write_effective(&laid_out, fixture_path("effective.conf")), 0);
	assert_int_equal(
	        model_read_effective(fixture_path("effective.conf"), NULL, &effective, &errors), 0);
	model_errors_free(&errors);
	char *one = write_objects(m), *two = write_objects(effective);
	assert_string_equal(one, two);
	free(one);
	free(two);
	model_free(effective);
	model_free(m);
}

static void what_of_the_corpus_is_right_comes_through_its_objects(void **state)
{
	DIR *dir = opendir(corpus);
	const struct dirent *entry;
	unsigned n = 0;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		struct model_errors errors;
		struct model *m = NULL;
		char path[PATH_MAX], *text = NULL;
		size_t size;

		snprintf(path, sizeof(path), "%s/%s", corpus, entry->d_name);
		if (load_file(path, 1 << 20, &text, &size))
			continue;
		fixture_write("weir.conf", text, size);
		free(text);
		if (!model_read_config_without_key(fixture_path("weir.conf"), NULL, &m, &errors)) {
			print_message("  %s\n", entry->d_name);
			expect_same_from_objects(m);
			n++;
		}
		model_errors_free(&errors);
		model_free(m);
	}
	closedir(dir);
	assert_true(n > 0);
}

SUITE(object)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_path_of_a_kind_is_that_of_its_list),
		cmocka_unit_test(a_path_names_an_object_or_a_list),
		cmocka_unit_test(a_name_has_at_most_the_bytes_of_a_domain),
		cmocka_unit_test(a_path_is_made_of_names),
		cmocka_unit_test(a_domain_is_one_name_in_all_its_forms),
		TEST(an_object_shows_all_that_it_is_with_its_defaults),
		TEST(what_is_not_there_has_no_json),
		TEST(a_setting_that_another_one_says_is_left_out),
		cmocka_unit_test(an_etag_is_of_the_object_and_not_of_its_order),
		cmocka_unit_test(each_kind_has_a_schema_whose_example_it_allows),
		cmocka_unit_test(a_schema_refuses_what_a_configuration_would),
		cmocka_unit_test(what_the_schema_says_of_a_setting_is_its_row),
		TEST(objects_written_as_a_configuration_are_the_same_model),
		TEST(a_setting_that_is_taken_is_shown_as_it_was_given),
		TEST(each_setting_of_a_document_comes_through_its_objects),
		TEST(objects_of_an_effective_document_are_those_of_its_configuration),
		TEST(what_of_the_corpus_is_right_comes_through_its_objects),
	};

	documents = arguments[0];
	corpus = arguments[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
