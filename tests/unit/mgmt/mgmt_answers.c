/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/mgmt/mgmt_answers.h"

MGMT_ANSWERS(ANSWER_DEFINE)

CURLcode (*answer_curl_easy_setopt)(CURL *easy, CURLoption what, void *value);

CURLcode __wrap_curl_easy_setopt(CURL *easy, CURLoption what, ...)
{
	va_list list;

	va_start(list, what);
	void *value = va_arg(list, void *);
	va_end(list);
	return answer_curl_easy_setopt ? answer_curl_easy_setopt(easy, what, value)
	                               : __real_curl_easy_setopt(easy, what, value);
}

CURLcode (*answer_curl_easy_getinfo)(CURL *easy, CURLINFO what, void *out);

CURLcode __wrap_curl_easy_getinfo(CURL *easy, CURLINFO what, ...)
{
	va_list list;

	va_start(list, what);
	void *out = va_arg(list, void *);
	va_end(list);
	return answer_curl_easy_getinfo ? answer_curl_easy_getinfo(easy, what, out)
	                                : __real_curl_easy_getinfo(easy, what, out);
}
