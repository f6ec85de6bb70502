/* What every request of the fetch worker has in common. */
#include <stdint.h>
#include <string.h>

#include "base/build.h"
#include "fetch.h"

#define CONNECT_TIMEOUT_S 20
/* Slower than this for so long is a broken connection. */
#define STALL_BYTES_PER_S 16
#define STALL_TIME_S 30
#define REDIRECTS_MAX 5

void request_set_common(CURL *easy, const struct fetch_setup *setup,
                        const struct fetch_endpoint *endpoint)
{
    bool is_plain = strncmp(endpoint->url, "http://", 7) == 0;

    /* A redirect must not lead from an encrypted to a readable connection. */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, is_plain ? "http,https" : "https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, is_plain ? "http,https" : "https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES_PER_S);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)STALL_TIME_S);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, davit_product);
    if (endpoint->is_insecure) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (setup->ca_pem != NULL) {
        struct curl_blob pem = {.data = (void *)(uintptr_t)setup->ca_pem,
                                .len = strlen(setup->ca_pem),
                                .flags = CURL_BLOB_NOCOPY};

        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &pem);
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    }
}
