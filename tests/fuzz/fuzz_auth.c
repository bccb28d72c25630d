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
	char name[64] = "", digest[DIGEST_TEXT_MAX];
	enum http_role role = auth_find(tokens, strlen(tokens), TOKEN, name);

	assert(strnlen(name, sizeof(name)) < sizeof(name));
	assert(role == HTTP_NO_ROLE ||
	       strcasestr(tokens, digest_bytes(TOKEN, strlen(TOKEN), digest)));
	role = auth_find(tokens, strlen(tokens), "", name);
	assert(role == HTTP_NO_ROLE || strchr(tokens, '*'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *text = fuzz_text(bytes, n);

	if (!*core.dirs.conf)
		prepare_tokens();
	check_header(text);
	check_file(text);
	free(text);
	return 0;
}
