/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any text as the Authorization of a request, and as a file of tokens: nobody is somebody without a
 * token whose digest the file has.
 */
#include <assert.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mgmt/core/auth.h"
#include "mgmt/core/core.h"
#include "mgmt/files/digest.h"
#include "tests/fuzz/fuzz_dir.h"
#include "tests/fuzz/fuzz_text.h"

#define TOKEN "a-token-of-the-fuzzer"
#define PEERS "the-token-of-all-peers"

static struct core core;

static void clean_up(void)
{
	char path[PATH_MAX];

	for (int i = 0; i < 2; i++)
		if (!proc_path(core.dirs.conf, i ? "tokens" : "peer.token", path))
			unlink(path);
	rmdir(core.dirs.conf);
}

static void prepare_tokens(void)
{
	char path[PATH_MAX], line[256], digest[DIGEST_TEXT_MAX];

	fuzz_dir(core.dirs.conf, "/tmp", "auth");
	if (proc_path(core.dirs.conf, "tokens", path))
		abort();
	int size = snprintf(line, sizeof(line), "ada operator %s\nanonymous viewer *\n",
	                    digest_bytes(TOKEN, strlen(TOKEN), digest));
	fuzz_write(path, (const uint8_t *)line, (size_t)size);
	if (proc_path(core.dirs.conf, "peer.token", path))
		abort();
	fuzz_write(path, (const uint8_t *)PEERS "\n", sizeof(PEERS));
	atexit(clean_up);
}

/* Base64 of the two tokens as passwords is not checked for: that Basic needs one of them is. */
static void check_header(const char *text)
{
	struct http_request r = { 0 };

	auth_token(&core, -1, text, &r);
	assert(strnlen(r.principal, sizeof(r.principal)) < sizeof(r.principal));
	if (r.role == HTTP_NO_ROLE)
		return;
	assert(r.role == HTTP_OPERATOR || r.role == HTTP_PEER);
	if (!strncasecmp(text, "Bearer ", 7))
		assert(!strcmp(text + 7, r.role == HTTP_PEER ? PEERS : TOKEN));
	else
		assert(!strncasecmp(text, "Basic ", 6) && strlen(text) > 6 + sizeof(TOKEN));
}

static void check_file(const char *tokens)
{
	static const struct http_tls_client nobody, ada = { .n = 1, .names = { "CN:ada" } };
	char digest[DIGEST_TEXT_MAX];
	struct tokens_entry entry;

	assert(!auth_find(tokens, strlen(tokens), TOKEN, &nobody, &entry) ||
	       strcasestr(tokens, digest_bytes(TOKEN, strlen(TOKEN), digest)));
	assert(!auth_find(tokens, strlen(tokens), "", &nobody, &entry) || strchr(tokens, '*'));
	assert(!auth_find(tokens, strlen(tokens), "", &ada, &entry) || strchr(tokens, '*') ||
	       strstr(tokens, "CN:ada"));
}

/* The words of the first line, "ada operator DIGEST ...". */
static void check_first_line(void *arg, size_t line, const struct tokens_entry *entry,
                             const char *err_text)
{
	const char *words = arg;

	assert(entry || err_text);
	if (line > 1 || !entry)
		return;
	assert(!strcmp(entry->name, "ada") && !strcmp(entry->role, "operator"));
	assert(!entry->is_scoped == !strstr(words, "scope="));
	assert(!entry->n_from == !strstr(words, "from="));
	assert(!*entry->person == !strstr(words, "person="));
	assert((entry->until_ms == INT64_MAX) == !strstr(words, "until="));
	assert(!scope_fault(entry->scope));
	assert(!tokens_is_from(entry, NULL) == (entry->n_from > 0));
}

/* What stands behind a good line takes rights away, or makes the line none: it never gives any. */
static void check_words(char *words)
{
	static const char line[] =
	        "ada operator "
	        "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8 ";

	words[strcspn(words, "\n")] = '\0';
	char *text = malloc(sizeof(line) + strlen(words));

	memcpy(text, line, sizeof(line) - 1);
	memcpy(text + sizeof(line) - 1, words, strlen(words) + 1);
	(void)tokens_scan(text, strlen(text), check_first_line, words);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *text = fuzz_text(bytes, n);

	if (!*core.dirs.conf)
		prepare_tokens();
	check_header(text);
	check_file(text);
	check_words(text);
	free(text);
	return 0;
}
