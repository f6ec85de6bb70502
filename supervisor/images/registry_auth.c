/* Logins that clients send: see registry_auth.h. */
#include "registry_auth.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/cleanup.h"

#define AUTH_MAX 16384

/* What clients send with the header: base64url of a JSON object. */
struct auth_header {
    const char *username;
    const char *password;
    const char *auth; /* base64 of "user:password", from old configuration files */
    const char *identity_token;
    const char *server;
};

static const struct json_field auth_fields[] = {
    JSON_FIELD(struct auth_header, username, "username", JSON_KIND_STRING),
    JSON_FIELD(struct auth_header, password, "password", JSON_KIND_STRING),
    JSON_FIELD(struct auth_header, auth, "auth", JSON_KIND_STRING),
    JSON_FIELD(struct auth_header, identity_token, "identitytoken", JSON_KIND_STRING),
    JSON_FIELD(struct auth_header, server, "serveraddress", JSON_KIND_STRING),
};
static const struct json_struct auth_type = JSON_STRUCT(struct auth_header, auth_fields);

/* Copied to the arena; NULL if it is none. */
static char *decode_base64(struct arena *arena, const char *text)
{
    cleanup_free char *plain = base64_decode(text);

    return plain != NULL ? arena_strdup(arena, plain) : NULL;
}

int registry_auth_parse(const char *text, size_t length, struct arena *arena,
                        struct fetch_credentials *credentials, const char **server,
                        struct error *err)
{
    struct auth_header auth = {0};
    int result = json_decode_text(arena, text, length, &auth_type, &auth, err);

    if (result < 0)
        return result;
    if (server != NULL)
        *server = auth.server;
    if (auth.identity_token != NULL && auth.identity_token[0] != '\0')
        credentials->identity_token = auth.identity_token;
    if (auth.username != NULL && auth.username[0] != '\0' && auth.password != NULL) {
        credentials->username = auth.username;
        credentials->password = auth.password;
    } else if (auth.auth != NULL && auth.auth[0] != '\0') {
        char *pair = decode_base64(arena, auth.auth);
        char *colon = pair != NULL ? strchr(pair, ':') : NULL;

        if (colon == NULL)
            return error_set(err, ERROR_INVALID, EINVAL, "auth is not base64 of USER:PASSWORD");
        *colon = '\0';
        credentials->username = pair;
        credentials->password = colon + 1;
    }
    return 0;
}

int registry_auth_read(const char *header, struct arena *arena,
                       struct fetch_credentials *credentials, struct error *err)
{
    const char *text;
    int result;

    if (header == NULL || header[0] == '\0')
        return 0;
    text = strlen(header) <= AUTH_MAX ? decode_base64(arena, header) : NULL;
    if (text == NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "X-Registry-Auth: not base64 of a JSON object");
    result = registry_auth_parse(text, strlen(text), arena, credentials, NULL, err);
    return result < 0 ? error_prefix(err, "X-Registry-Auth") : 0;
}
