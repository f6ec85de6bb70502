/* Answers a registry that asks for a login: by Basic (RFC 7617), or by a token that a token server
 * gives (distribution's "token authentication" and "OAuth2" pages). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "fetch.h"

#define TOKEN_MAX (64 << 10)
#define TOKEN_TIMEOUT_S 30

bool challenge_get(const char *challenge, const char *name, char *value, size_t size)
{
    size_t name_length = strlen(name);
    const char *position = challenge + strcspn(challenge, " ");

    while (*position != '\0') {
        const char *start;
        size_t length;
        bool is_wanted;

        position += strspn(position, " ,\t");
        is_wanted = strncasecmp(position, name, name_length) == 0 && position[name_length] == '=';
        position += strcspn(position, "=");
        if (*position == '\0')
            return false;
        position++;
        start = position + (*position == '"' ? 1 : 0);
        length = *position == '"' ? strcspn(start, "\"") : strcspn(start, ", \t");
        if (is_wanted && length < size) {
            memcpy(value, start, length);
            value[length] = '\0';
            return true;
        }
        position = start + length + (start[length] == '"' ? 1 : 0);
    }
    return false;
}

static size_t collect(char *bytes, size_t size, size_t count, void *context)
{
    struct buffer *text = context;

    if (text->length + count > TOKEN_MAX)
        return 0;
    buffer_append(text, bytes, count);
    return size * count;
}

static void append_escaped(CURL *easy, struct buffer *text, const char *name, const char *value)
{
    char *escaped = curl_easy_escape(easy, value, 0);

    buffer_printf(text, "%s%s=%s", text->length > 0 ? "&" : "", name,
                  escaped != NULL ? escaped : "");
    curl_free(escaped);
}

static int read_token(const struct buffer *answer, char **kept, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    const struct json *json = NULL;
    const char *token = NULL;

    if (json_parse(&arena, buffer_text(answer), answer->length, &json_default_limits, &json, err) <
        0)
        return error_prefix(err, "the token server's answer");
    token = json_get_string(json, "token");
    if (token == NULL)
        token = json_get_string(json, "access_token");
    if (token == NULL || token[strcspn(token, "\r\n")] != '\0')
        return error_set(err, ERROR_CORRUPT, EPROTO, "the token server's answer has no token");
    free(*kept);
    *kept = memory_strdup(token);
    return 0;
}

/* With a refresh token OAuth2's form is posted; otherwise the parameters are the query. */
static void set_token_request(CURL *easy, const char *realm, const char *service, const char *scope,
                              const struct fetch_credentials *credentials)
{
    cleanup_buffer struct buffer parameters = {0};
    cleanup_free char *url = NULL;
    bool has_refresh_token = credentials != NULL && credentials->identity_token != NULL;

    append_escaped(easy, &parameters, "service", service);
    if (scope[0] != '\0')
        append_escaped(easy, &parameters, "scope", scope);
    if (has_refresh_token) {
        append_escaped(easy, &parameters, "client_id", "davit");
        append_escaped(easy, &parameters, "grant_type", "refresh_token");
        append_escaped(easy, &parameters, "refresh_token", credentials->identity_token);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, buffer_text(&parameters));
        curl_easy_setopt(easy, CURLOPT_URL, realm);
        return;
    }
    url = memory_printf("%s%s%s", realm, strchr(realm, '?') != NULL ? "&" : "?",
                        buffer_text(&parameters));
    curl_easy_setopt(easy, CURLOPT_URL, url);
    if (credentials != NULL && credentials->username != NULL) {
        curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(easy, CURLOPT_USERNAME, credentials->username);
        curl_easy_setopt(easy, CURLOPT_PASSWORD, credentials->password);
    }
}

static int get_token(const struct fetch_setup *setup, const struct fetch_endpoint *endpoint,
                     const char *challenge, const struct fetch_credentials *credentials,
                     char **token, struct error *err)
{
    cleanup_buffer struct buffer answer = {0};
    char realm[1024];
    char service[256] = "";
    char scope[1024] = "";
    long status = 0;
    CURLcode code;
    CURL *easy;

    if (!challenge_get(challenge, "realm", realm, sizeof(realm)))
        return error_set(err, ERROR_DENIED, EPROTO,
                         "the registry does not say where to get a token");
    challenge_get(challenge, "service", service, sizeof(service));
    challenge_get(challenge, "scope", scope, sizeof(scope));
    easy = curl_easy_init();
    if (easy == NULL)
        abort();
    request_set_common(easy, setup, endpoint);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)TOKEN_TIMEOUT_S);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
    set_token_request(easy, realm, service, scope, credentials);
    code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    if (code != CURLE_OK)
        return error_set(err, ERROR_INTERNAL, EIO, "token from %.128s: %s", realm,
                         curl_easy_strerror(code));
    if (status == 401 || status == 403)
        return error_set(err, ERROR_DENIED, EACCES, "unauthorized: incorrect username or password");
    if (status != 200)
        return error_set(err, ERROR_INTERNAL, EPROTO, "token from %.128s: status %ld", realm,
                         status);
    return read_token(&answer, token, err);
}

int authorization_answer(struct fetcher *fetcher, size_t endpoint, const char *challenge,
                         struct error *err)
{
    const struct fetch_endpoint *at = &fetcher->setup->endpoints.items[endpoint];
    const struct fetch_credentials *credentials =
        at->is_mirror ? NULL : &fetcher->setup->credentials;
    struct authorization *authorization = &fetcher->authorizations[endpoint];

    if (strncasecmp(challenge, "Bearer ", 7) == 0)
        return get_token(fetcher->setup, at, challenge, credentials, &authorization->token, err);
    if (strncasecmp(challenge, "Basic", 5) != 0 || credentials == NULL ||
        credentials->username == NULL || credentials->password == NULL)
        return error_set(err, ERROR_DENIED, EACCES,
                         "no basic auth credentials: the registry wants a login");
    authorization->is_basic = true;
    return 0;
}
