/* Logins: see credentials.h. */
#include "credentials.h"
#include "credentials_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"
#include "credential_helper.h"

#define CONFIG_MAX (1 << 20)
#define TOKEN_USER "<token>" /* of a helper whose secret is an identity token */

/* What stands before the first slash if it looks like a host; else Docker's own registry, which
 * configuration files know by this URL. */
static const char *server_of(struct arena *arena, const char *image)
{
    size_t length = strcspn(image, "/");
    const char *host = arena_strndup(arena, image, length);

    /* As davitd tells a registry from a part of a name (images/reference.c). */
    if (image[length] == '/' &&
        (strpbrk(host, ".:ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL || strcmp(host, "localhost") == 0) &&
        strcmp(host, "docker.io") != 0 && strcmp(host, "index.docker.io") != 0)
        return host;
    return CREDENTIALS_DOCKER;
}

const char *credentials_server(struct arena *arena, const char *text)
{
    const char *host = text != NULL ? text : "";
    const char *domain;

    host += strncmp(host, "https://", 8) == 0 ? 8 : strncmp(host, "http://", 7) == 0 ? 7 : 0;
    domain = arena_strndup(arena, host, strcspn(host, "/"));
    if (domain[0] == '\0' || strcmp(domain, "docker.io") == 0 ||
        strcmp(domain, "index.docker.io") == 0 || strcmp(domain, "registry-1.docker.io") == 0)
        return CREDENTIALS_DOCKER;
    return domain;
}

const char *credentials_path(struct arena *arena)
{
    const char *directory = getenv("DOCKER_CONFIG");
    const char *home = getenv("HOME");

    if (directory != NULL && directory[0] != '\0')
        return arena_printf(arena, "%s/config.json", directory);
    return home != NULL ? arena_printf(arena, "%s/.docker/config.json", home) : NULL;
}

const char *credentials_directory(struct arena *arena)
{
    const char *path = credentials_path(arena);

    return path != NULL ? dirname(arena_strdup(arena, path)) : NULL;
}

int credentials_make_directory(struct arena *arena, const char *name, struct error *err)
{
    const char *parent = credentials_directory(arena);
    const char *path = parent;
    int fd;

    if (parent == NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "neither DOCKER_CONFIG nor HOME says where this is to be kept");
    if (mkdir(parent, 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "%s", parent);
    if (name != NULL) {
        path = arena_printf(arena, "%s/%s", parent, name);
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return error_errno(err, errno, "%s", path);
    }
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "%s", path) : fd;
}

int credentials_read(struct arena *arena, const struct json **config, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    const char *path = credentials_path(arena);
    int result;

    *config = NULL;
    if (path == NULL)
        return 0;
    result = file_read(AT_FDCWD, path, CONFIG_MAX, &text, err);
    if (result == -ENOENT)
        return 0;
    if (result == 0)
        result =
            json_parse(arena, buffer_text(&text), text.length, &json_default_limits, config, err);
    return result < 0 ? error_prefix(err, "%s", path) : 0;
}

static const struct json *get_object(const struct json *parent, const char *name)
{
    const struct json *value =
        parent != NULL && parent->type == JSON_OBJECT ? json_get(parent, name) : NULL;

    return value != NULL && value->type == JSON_OBJECT ? value : NULL;
}

static const char *get_text(const struct json *parent, const char *name)
{
    const char *text = parent != NULL ? json_get_string(parent, name) : NULL;

    return text != NULL && text[0] != '\0' ? text : NULL;
}

/* A helper that knows no login for this server says so and fails; that is no error. */
static int ask_helper(struct arena *arena, const char *name, const char *server,
                      struct login *login, struct error *err)
{
    cleanup_buffer struct buffer answer = {0};
    const struct json *json;
    const char *user;
    const char *secret;
    int result = credential_helper_call(name, "get", server, &answer, err);

    if (result <= 0)
        return result;
    result =
        json_parse(arena, buffer_text(&answer), answer.length, &json_default_limits, &json, err);
    if (result < 0)
        return error_prefix(err, "docker-credential-%s", name);
    user = get_text(json, "Username");
    secret = get_text(json, "Secret");
    if (user == NULL || secret == NULL)
        return 0;
    if (strcmp(user, TOKEN_USER) == 0)
        login->identity_token = secret;
    else
        *login = (struct login){.username = user, .password = secret};
    return 0;
}

static int decode_auth(struct arena *arena, const char *auth, struct login *login,
                       struct error *err)
{
    cleanup_free char *decoded = base64_decode(auth);
    char *plain = arena_strdup(arena, decoded != NULL ? decoded : "");
    char *colon = strchr(plain, ':');

    if (colon == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "auth: not base64 of USER:PASSWORD");
    *colon = '\0';
    *login = (struct login){.username = plain, .password = colon + 1};
    return 0;
}

const char *credentials_helper(const struct json *config, const char *server)
{
    const char *helper = get_text(get_object(config, "credHelpers"), server);

    return helper != NULL ? helper : get_text(config, "credsStore");
}

static int find_login(struct arena *arena, const struct json *config, const char *server,
                      struct login *login, struct error *err)
{
    const struct json *entry = get_object(get_object(config, "auths"), server);
    const char *helper = credentials_helper(config, server);
    const char *auth = get_text(entry, "auth");
    int result = 0;

    if (helper != NULL)
        return ask_helper(arena, helper, server, login, err);
    if (auth != NULL)
        result = decode_auth(arena, auth, login, err);
    if (result == 0 && get_text(entry, "identitytoken") != NULL)
        login->identity_token = get_text(entry, "identitytoken");
    return result < 0 ? error_prefix(err, "the login for %s", server) : 0;
}

int credentials_get(struct arena *arena, const char *server, struct login *login, struct error *err)
{
    const struct json *config;
    int result = credentials_read(arena, &config, err);

    *login = (struct login){0};
    return result < 0 || config == NULL ? result : find_login(arena, config, server, login, err);
}

const char *credentials_json(struct arena *arena, const struct login *login, const char *server)
{
    struct json_writer *writer = json_writer_new(false);
    const char *text;

    json_object_open(writer);
    if (login->identity_token != NULL) {
        json_member_string(writer, "identitytoken", login->identity_token);
    } else {
        json_member_string(writer, "username", login->username);
        json_member_string(writer, "password", login->password);
    }
    json_member_string(writer, "serveraddress", server);
    json_object_close(writer);
    text = arena_strdup(arena, json_writer_text(writer));
    json_writer_free(writer);
    return text;
}

int credentials_find(struct arena *arena, const char *image, const char **header, struct error *err)
{
    const char *server = server_of(arena, image);
    cleanup_free char *encoded = NULL;
    struct login login;
    char *text;
    int result = credentials_get(arena, server, &login, err);

    *header = NULL;
    if (result < 0 || (login.username == NULL && login.identity_token == NULL))
        return result;
    encoded = base64_encode(credentials_json(arena, &login, server));
    text = arena_strdup(arena, encoded);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    *header = text;
    return 0;
}
