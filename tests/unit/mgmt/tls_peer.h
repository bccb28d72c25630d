/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A peer that is asked over TLS and answers what a test has put down, in a thread. A test includes
 * this once, behind its fixture.
 */
#ifndef WEIR_TESTS_MGMT_TLS_PEER_H
#define WEIR_TESTS_MGMT_TLS_PEER_H

#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
	char url[64];
	SSL_CTX *context;
	int fd;
	pthread_t thread;
	/* JSON of the answers, by the number of the request; NULL: status 500 */
	const char *says[4];
	void (*meanwhile)(void); /* before each answer */
	unsigned n;              /* requests since that was set to 0 */
	char request[262144];    /* the latest */
} tls_peer;

/* @return a context of a new certificate of 127.0.0.1, which @p conf has as tls.ca */
static inline SSL_CTX *tls_peer_context(const char *conf)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_EXTENSION *name =
	        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
	BIO *pem = BIO_new(BIO_s_mem());
	char text[2048] = "";

	X509_set_version(cert, X509_VERSION_3);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
	                           (const unsigned char *)"peer", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_add_ext(cert, name, -1);
	X509_sign(cert, key, EVP_sha256());
	PEM_write_bio_X509(pem, cert);
	assert_true(BIO_read(pem, text, sizeof(text) - 1) > 0);
	fixture_write(conf, "tls.ca", text);
	assert_int_equal(SSL_CTX_use_certificate(context, cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
	BIO_free(pem);
	X509_EXTENSION_free(name);
	X509_free(cert);
	EVP_PKEY_free(key);
	return context;
}

/* Read a request: its head, and as many bytes as that says. @return whether it came */
static inline bool tls_peer_read(SSL *tls)
{
	size_t n = 0, wanted = SIZE_MAX;
	int more;

	while (n < wanted && (more = SSL_read(tls, tls_peer.request + n,
	                                      (int)(sizeof(tls_peer.request) - 1 - n))) > 0) {
		n += (size_t)more;
		tls_peer.request[n] = '\0';
		const char *end = strstr(tls_peer.request, "\r\n\r\n"),
		           *length = strcasestr(tls_peer.request, "content-length:");
		if (end)
			wanted = (size_t)(end + 4 - tls_peer.request) +
			         (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
	}
	return n >= wanted;
}

static inline void *tls_peer_run(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = accept(tls_peer.fd, NULL, NULL)) >= 0) {
		SSL *tls = SSL_new(tls_peer.context);

		SSL_set_fd(tls, fd);
		while ((SSL_is_init_finished(tls) || SSL_accept(tls) == 1) && tls_peer_read(tls)) {
			const char *says = tls_peer.n < 4 ? tls_peer.says[tls_peer.n] : NULL;
			char head[200];

			tls_peer.n++;
			if (tls_peer.meanwhile)
				tls_peer.meanwhile();
			snprintf(
			        head, sizeof(head),
			        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
			        says ? "200 OK" : "500 Wrong", says ? strlen(says) : 0);
			(void)SSL_write(tls, head, (int)strlen(head));
			if (says)
				(void)SSL_write(tls, says, (int)strlen(says));
		}
		SSL_free(tls);
		close(fd);
	}
	return NULL;
}

/* Serve at tls_peer.url, until tls_peer_end(). */
static inline void tls_peer_begin(const char *conf)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t n = sizeof(at);

	memset(&tls_peer, 0, sizeof(tls_peer));
	tls_peer.context = tls_peer_context(conf);
	tls_peer.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(tls_peer.fd, (struct sockaddr *)&at, n), 0);
	assert_int_equal(listen(tls_peer.fd, 8), 0);
	assert_int_equal(getsockname(tls_peer.fd, (struct sockaddr *)&at, &n), 0);
	snprintf(tls_peer.url, sizeof(tls_peer.url), "https://127.0.0.1:%u", ntohs(at.sin_port));
	assert_int_equal(pthread_create(&tls_peer.thread, NULL, tls_peer_run, NULL), 0);
}

static inline void tls_peer_end(void)
{
	shutdown(tls_peer.fd, SHUT_RDWR);
	pthread_join(tls_peer.thread, NULL);
	close(tls_peer.fd);
	SSL_CTX_free(tls_peer.context);
}

#endif
