/* Logins that are kept and forgotten: see credentials.h. What else the configuration holds stays as
 * it is. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "credential_helper.h"
#include "credentials.h"
#include "credentials_internal.h"

/* Writes "auths" with the server's entry changed: `auth` NULL leaves it out, "" leaves it empty, as
 * docker marks a login that a helper keeps. */
static void write_auths(struct json_writer *writer, const struct json *auths, const char *server,
                        const char *auth)
{
    json_key(writer, "auths");
    json_object_open(writer);
    for (size_t i = 0; auths != NULL && auths->type == JSON_OBJECT && i < auths->count; i++) {
        if (strcmp(auths->members[i].name, server) == 0)
            continue;
        json_key(writer, auths->members[i].name);
        json_value(writer, &auths->members[i].value);
    }
    if (auth != NULL) {
        json_key(writer, server);
        json_object_open(writer);
        if (auth[0] != '\0')
            json_member_string(writer, "auth", auth);
        json_object_close(writer);
    }
    json_object_close(writer);
}

/* Replaces the file, or what a link in its place leads to. */
static int replace_file(struct arena *arena, const char *path, const char *text, struct error *err)
{
    char *real = realpath(path, NULL);
    char *target = arena_strdup(arena, real != NULL ? real : path);
    char *directory = dirname(arena_strdup(arena, target));
    cleanup_close int directory_fd = -1;

    free(real);
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return error_errno(err, errno, "%s", directory);
    directory_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0)
        return error_errno(err, errno, "%s", directory);
    return file_replace(directory_fd, basename(target), text, strlen(text), 0600, false, err);
}

static int write_config(struct arena *arena, const struct json *config, const char *server,
                        const char *auth, struct error *err)
{
    const char *path = credentials_path(arena);
    struct json_writer *writer;
    int result;

    if (path == NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "neither DOCKER_CONFIG nor HOME says where logins are kept");
    writer = json_writer_new(true);
    json_object_open(writer);
    write_auths(writer, json_get(config, "auths"), server, auth);
    for (size_t i = 0; config != NULL && config->type == JSON_OBJECT && i < config->count; i++) {
        if (strcmp(config->members[i].name, "auths") == 0)
            continue;
        json_key(writer, config->members[i].name);
        json_value(writer, &config->members[i].value);
    }
    json_object_close(writer);
    result = replace_file(arena, path, json_writer_text(writer), err);
    json_writer_free(writer);
    return result < 0 ? error_prefix(err, "%s", path) : 0;
}

static int call_helper(const char *helper, const char *action, const char *text, struct error *err)
{
    cleanup_buffer struct buffer answer = {0};
    int result = credential_helper_call(helper, action, text, &answer, err);

    if (result == 0)
        return error_set(err, ERROR_INTERNAL, EIO, "docker-credential-%s %s: %.*s", helper, action,
                         (int)strcspn(buffer_text(&answer), "\n"), buffer_text(&answer));
    return result < 0 ? result : 0;
}

static int store_by_helper(const char *helper, const char *server, const struct login *login,
                           struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    int result;

    json_object_open(writer);
    json_member_string(writer, "ServerURL", server);
    json_member_string(writer, "Username", login->username);
    json_member_string(writer, "Secret", login->password);
    json_object_close(writer);
    result = call_helper(helper, "store", json_writer_text(writer), err);
    json_writer_free(writer);
    return result;
}

int credentials_store(struct arena *arena, const char *server, const struct login *login,
                      const char **path, struct error *err)
{
    cleanup_free char *auth = NULL;
    const struct json *config;
    const char *helper;
    int result = credentials_read(arena, &config, err);

    *path = NULL;
    if (result < 0)
        return result;
    helper = credentials_helper(config, server);
    if (helper != NULL) {
        result = store_by_helper(helper, server, login, err);
        return result < 0 ? result : write_config(arena, config, server, "", err);
    }
    *path = credentials_path(arena);
    auth = base64_encode(arena_printf(arena, "%s:%s", login->username, login->password));
    return write_config(arena, config, server, auth, err);
}

int credentials_erase(struct arena *arena, const char *server, struct error *err)
{
    const struct json *config;
    const char *helper;
    struct login login;
    int result = credentials_read(arena, &config, err);

    if (result < 0)
        return result;
    helper = credentials_helper(config, server);
    /* A helper may have it also where the file says nothing. */
    if (helper != NULL && credentials_get(arena, server, &login, err) < 0)
        return -EIO;
    if (json_get(json_get(config, "auths"), server) == NULL &&
        (helper == NULL || (login.username == NULL && login.identity_token == NULL)))
        return 0;
    if (helper != NULL)
        result = call_helper(helper, "erase", server, err);
    if (result == 0)
        result = write_config(arena, config, server, NULL, err);
    return result < 0 ? result : 1;
}
