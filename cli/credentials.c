/* Logins: see credentials.h. */
#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/json.h"

#define CONFIG_MAX (1 << 20)
#define HELPER_OUTPUT_MAX (1 << 16)
#define DOCKER_HUB "https://index.docker.io/v1/"
#define TOKEN_USER "<token>" /* of a helper whose secret is an identity token */

struct login {
    const char *username;
    const char *password;
    const char *identity_token;
};

/* What stands before the first slash if it looks like a host; else Docker's own registry, which
 * configuration files know by this URL. */
static const char *server_of(struct arena *arena, const char *image)
{
    size_t length = strcspn(image, "/");
    const char *host = arena_strndup(arena, image, length);

    if (image[length] == '/' && (strpbrk(host, ".:") != NULL || strcmp(host, "localhost") == 0) &&
        strcmp(host, "docker.io") != 0 && strcmp(host, "index.docker.io") != 0)
        return host;
    return DOCKER_HUB;
}

static int read_config(struct arena *arena, const struct json **config, struct error *err)
{
    const char *directory = getenv("DOCKER_CONFIG");
    const char *home = getenv("HOME");
    cleanup_buffer struct buffer text = {0};
    const char *path;
    int result;

    *config = NULL;
    if (directory == NULL && home == NULL)
        return 0;
    path = directory != NULL ? arena_printf(arena, "%s/config.json", directory)
                             : arena_printf(arena, "%s/.docker/config.json", home);
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

static _Noreturn void run_helper(const char *program, int input_fd, int output_fd)
{
    char *const arguments[] = {memory_strdup(program), (char[]){"get"}, NULL};

    if (dup2(input_fd, STDIN_FILENO) >= 0 && dup2(output_fd, STDOUT_FILENO) >= 0)
        execvp(program, arguments);
    _exit(127);
}

static int call_helper(const char *program, const char *server, struct buffer *answer,
                       struct error *err)
{
    cleanup_close int input_read = -1;
    cleanup_close int input_write = -1;
    cleanup_close int output_read = -1;
    cleanup_close int output_write = -1;
    int input[2];
    int output[2];
    int status = 0;
    int result;
    pid_t pid;

    if (pipe2(input, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    input_read = input[0];
    input_write = input[1];
    if (pipe2(output, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    output_read = output[0];
    output_write = output[1];
    pid = fork();
    if (pid == 0)
        run_helper(program, input_read, output_write);
    if (pid < 0)
        return error_errno(err, errno, "fork");
    fd_close(&input_read);
    fd_close(&output_write);
    file_write_fd(input_write, server, strlen(server));
    fd_close(&input_write);
    result = file_read_fd(output_read, HELPER_OUTPUT_MAX, answer);
    waitpid(pid, &status, 0);
    if (result < 0)
        return error_errno(err, -result, "%s", program);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return error_set(err, ERROR_NOT_FOUND, ENOENT, "%s: not found in PATH", program);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1 : 0;
}

/* A helper that knows no login for this server says so and fails; that is no error. */
static int ask_helper(struct arena *arena, const char *name, const char *server,
                      struct login *login, struct error *err)
{
    const char *program = arena_printf(arena, "docker-credential-%s", name);
    cleanup_buffer struct buffer answer = {0};
    const struct json *json;
    const char *user;
    const char *secret;
    int result;

    if (strchr(name, '/') != NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "credential helper \"%.64s\": not a name",
                         name);
    result = call_helper(program, server, &answer, err);
    if (result <= 0)
        return result;
    result =
        json_parse(arena, buffer_text(&answer), answer.length, &json_default_limits, &json, err);
    if (result < 0)
        return error_prefix(err, "%s", program);
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

static int find_login(struct arena *arena, const struct json *config, const char *server,
                      struct login *login, struct error *err)
{
    const struct json *entry = get_object(get_object(config, "auths"), server);
    const char *helper = get_text(get_object(config, "credHelpers"), server);
    const char *auth = get_text(entry, "auth");
    int result = 0;

    if (helper == NULL)
        helper = get_text(config, "credsStore");
    if (helper != NULL)
        return ask_helper(arena, helper, server, login, err);
    if (auth != NULL)
        result = decode_auth(arena, auth, login, err);
    if (result == 0 && get_text(entry, "identitytoken") != NULL)
        login->identity_token = get_text(entry, "identitytoken");
    return result < 0 ? error_prefix(err, "the login for %s", server) : 0;
}

static const char *encode(struct arena *arena, const struct login *login, const char *server)
{
    struct json_writer *writer = json_writer_new(false);
    cleanup_free char *encoded = NULL;
    char *text;

    json_object_open(writer);
    if (login->identity_token != NULL) {
        json_member_string(writer, "identitytoken", login->identity_token);
    } else {
        json_member_string(writer, "username", login->username);
        json_member_string(writer, "password", login->password);
    }
    json_member_string(writer, "serveraddress", server);
    json_object_close(writer);
    encoded = base64_encode(json_writer_text(writer));
    text = arena_strdup(arena, encoded);
    json_writer_free(writer);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    return text;
}

int credentials_find(struct arena *arena, const char *image, const char **header, struct error *err)
{
    const char *server = server_of(arena, image);
    const struct json *config;
    struct login login = {0};
    int result = read_config(arena, &config, err);

    *header = NULL;
    if (result < 0 || config == NULL)
        return result;
    result = find_login(arena, config, server, &login, err);
    if (result == 0 && (login.username != NULL || login.identity_token != NULL))
        *header = encode(arena, &login, server);
    return result;
}
