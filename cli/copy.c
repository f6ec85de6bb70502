/* cp: files from a container to here, and from here to a container. Tars are read and written by
 * davit-image, which is made for strangers' ones. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/helpers.h"
#include "cli.h"
#include "options.h"

/* Of Go's os.FileMode, which Docker's API has. */
#define GO_MODE_DIRECTORY (UINT64_C(1) << 31)
#define GO_MODE_LINK (UINT64_C(1) << 27)
#define LINKS_MAX 16

struct copy {
    struct cli *cli;
    bool keeps_owners;
    bool follows;
    bool is_quiet; /* docker's; there is no progress that it could turn off */
    const char *container;
    const char *inside; /* the path in the container */
    const char *here;   /* the path of this host, or "-" */
};

/* What a path in the container is. */
struct place {
    bool exists;
    bool is_directory;
    bool is_link;
    char target[4096]; /* of a link */
};

static bool ends_in_slash(const char *path)
{
    size_t length = strlen(path);

    return length > 0 && path[length - 1] == '/';
}

/* "x/." and "x/..": what is in it is meant, not itself. */
static bool names_content(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *last = slash != NULL ? slash + 1 : path;

    return strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

/* The length of "a/b" in "a/b///". */
static size_t length_without_slashes(const char *path)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/')
        length--;
    return length;
}

static char *last_name(const char *path)
{
    size_t length = length_without_slashes(path);
    size_t start = length;

    while (start > 0 && path[start - 1] != '/')
        start--;
    return memory_printf("%.*s", (int)(length - start), path + start);
}

static char *directory_name(const char *path)
{
    size_t length = length_without_slashes(path);

    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    return length == 0 ? memory_strdup(".") : memory_printf("%.*s", (int)length, path);
}

static char *archive_url(const struct copy *copy, const char *path, const char *more)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_free char *start = client_path("/containers/", copy->container, "/archive?path=");

    buffer_append_string(&text, start);
    http_encode(&text, path);
    buffer_append_string(&text, more);
    return memory_strdup(buffer_text(&text));
}

/* A helper and the pipe to or from it. */
struct helper {
    pid_t pid;
    int fd; /* our end */
};

static int start_helper(struct helper *helper, const char *const arguments[], bool takes_input,
                        struct error *err)
{
    const char *directory;
    int pair[2];

    helpers_set_directory();
    directory = getenv("DAVIT_LIBEXEC");
    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    helper->pid = fork();
    if (helper->pid == 0) {
        cleanup_free char *program =
            memory_printf("%s/davit-image", directory != NULL ? directory : davit_libexecdir);

        dup2(pair[takes_input ? 0 : 1], takes_input ? STDIN_FILENO : STDOUT_FILENO);
        execv(program, (char *const *)(uintptr_t)arguments);
        fprintf(stderr, "davit: %s: %s\n", program, strerror(errno));
        _exit(127);
    }
    close(pair[takes_input ? 0 : 1]);
    helper->fd = pair[takes_input ? 1 : 0];
    return helper->pid < 0 ? error_errno(err, errno, "fork") : 0;
}

/* Returns `result`, our side's, or an error if the helper failed, which has printed the reason. */
static int end_helper(struct helper *helper, int result, struct error *err)
{
    int status = 0;

    fd_close(&helper->fd);
    if (waitpid(helper->pid, &status, 0) < 0)
        status = 1;
    if (result == 0 && status != 0)
        return error_set(err, ERROR_INTERNAL, EIO, "the copy is not complete");
    return result;
}

static void read_place(const char *header, struct place *place)
{
    cleanup_arena struct arena arena = {0};
    cleanup_free char *text = base64_decode(header);
    const struct json *json = NULL;
    const struct json *mode;
    const char *target;
    uint64_t bits = 0;

    if (text == NULL ||
        json_parse(&arena, text, strlen(text), &json_default_limits, &json, NULL) < 0)
        return;
    mode = json_get(json, "mode");
    if (mode != NULL)
        json_to_uint64(mode, &bits);
    target = json_get_string(json, "linkTarget");
    place->exists = true;
    place->is_directory = (bits & GO_MODE_DIRECTORY) != 0;
    place->is_link = (bits & GO_MODE_LINK) != 0;
    snprintf(place->target, sizeof(place->target), "%s", target != NULL ? target : "");
}

/* Asks davitd what is at the path. A path that does not exist is no error. */
static int stat_container_path(const struct copy *copy, const char *path, struct place *place)
{
    cleanup_free char *url = archive_url(copy, path, "");
    const struct client_request request = {.method = "HEAD", .path = url, .body_fd = -1};
    struct exchange exchange = {.fd = -1};
    const char *header = NULL;
    int status = 0;
    int result = client_send(&copy->cli->client, &request, &exchange, &copy->cli->err);

    *place = (struct place){0};
    if (result == 0)
        result = exchange_read_headers(&exchange, &status, &copy->cli->err);
    if (result == 0)
        header =
            http_header_get(http_parser_message(exchange.parser), "X-Docker-Container-Path-Stat");
    if (header != NULL)
        read_place(header, place);
    exchange_close(&exchange);
    return status == 404 ? 0 : result;
}

/* A link is followed to what it leads to. *path is freed and replaced. */
static int follow(const struct copy *copy, char **path, struct place *place)
{
    int result = stat_container_path(copy, *path, place);

    for (int links = 0; result == 0 && place->is_link; links++) {
        cleanup_free char *directory = directory_name(*path);

        if (links == LINKS_MAX)
            return error_set(&copy->cli->err, ERROR_INVALID, ELOOP, "%s: too many links", *path);
        free(*path);
        *path = place->target[0] == '/' ? memory_strdup(place->target)
                                        : memory_printf("%s/%s", directory, place->target);
        result = stat_container_path(copy, *path, place);
    }
    return result;
}

/* Chooses where the copy goes here: into an existing directory, under the source's name. */
static int choose_here(const struct copy *copy, const struct place *source, char **directory,
                       char **name)
{
    struct error *err = &copy->cli->err;
    struct stat status;
    bool exists = stat(copy->here, &status) == 0;

    if (exists && S_ISDIR(status.st_mode)) {
        *directory = memory_strdup(copy->here);
        *name = names_content(copy->inside) ? memory_strdup("") : last_name(copy->inside);
        return 0;
    }
    if (exists && source->is_directory)
        return error_set(err, ERROR_INVALID, ENOTDIR, "cannot copy a directory over the file %s",
                         copy->here);
    if (!source->is_directory && ends_in_slash(copy->here))
        return error_set(err, ERROR_NOT_FOUND, ENOENT, "no such directory: %s", copy->here);
    *directory = directory_name(copy->here);
    *name = last_name(copy->here);
    return 0;
}

static int take(void *context, const char *bytes, size_t length)
{
    int fd = *(int *)context;

    return fd < 0 ? 0 : file_write_fd(fd, bytes, length);
}

/* Writes the tar to out_fd; -1: nowhere. */
static int download_tar(const struct copy *copy, const char *path, int out_fd)
{
    cleanup_free char *url = archive_url(copy, path, "");
    const struct client_request request = {.method = "GET", .path = url, .body_fd = -1};
    struct exchange exchange = {.fd = -1, .on_body = take, .context = &out_fd};
    int result = client_exchange(&copy->cli->client, &request, &exchange, NULL, &copy->cli->err);

    exchange_close(&exchange);
    return result;
}

static int receive_and_unpack(const struct copy *copy, const char *path, const char *directory,
                              const char *name)
{
    const char *const plain[] = {"davit-image", "unpack", directory, name, NULL};
    const char *const archive[] = {"davit-image", "unpack", "--archive", directory, name, NULL};
    struct helper helper = {.pid = -1, .fd = -1};
    int result = start_helper(&helper, copy->keeps_owners ? archive : plain, true, &copy->cli->err);

    if (result < 0)
        return result;
    return end_helper(&helper, download_tar(copy, path, helper.fd), &copy->cli->err);
}

static int copy_from(const struct copy *copy)
{
    cleanup_free char *path = memory_strdup(copy->inside);
    cleanup_free char *directory = NULL;
    cleanup_free char *name = NULL;
    struct place place;
    int result;

    if (strcmp(copy->here, "-") == 0 && isatty(STDOUT_FILENO))
        return error_set(&copy->cli->err, ERROR_INVALID, EINVAL,
                         "an archive is not for a terminal");
    if (strcmp(copy->here, "-") == 0)
        return download_tar(copy, path, STDOUT_FILENO);
    result = copy->follows ? follow(copy, &path, &place) : stat_container_path(copy, path, &place);
    if (result < 0)
        return result;
    /* The GET fails too, and its error says what is missing; that of HEAD has no text. */
    if (!place.exists)
        return download_tar(copy, path, -1) < 0 ? -ENOENT
                                                : error_set(&copy->cli->err, ERROR_NOT_FOUND,
                                                            ENOENT, "%s: not found", copy->inside);
    result = choose_here(copy, &place, &directory, &name);
    return result < 0 ? result : receive_and_unpack(copy, path, directory, name);
}

static int choose_inside(const struct copy *copy, const struct stat *source, const char *path,
                         const struct place *place, char **directory, char **name)
{
    struct error *err = &copy->cli->err;

    if (place->is_directory) {
        *directory = memory_strdup(path);
        *name = names_content(copy->here) ? memory_strdup(".") : last_name(copy->here);
        return 0;
    }
    if (place->exists && S_ISDIR(source->st_mode))
        return error_set(err, ERROR_INVALID, ENOTDIR, "cannot copy a directory over the file %s",
                         path);
    if (!S_ISDIR(source->st_mode) && ends_in_slash(path))
        return error_set(err, ERROR_NOT_FOUND, ENOENT, "no such directory in the container: %s",
                         path);
    *directory = directory_name(path);
    *name = last_name(path);
    return 0;
}

static int send_body(const struct copy *copy, const char *directory, int body_fd)
{
    cleanup_free char *url =
        archive_url(copy, directory,
                    copy->keeps_owners ? "&noOverwriteDirNonDir=true&copyUIDGID=true"
                                       : "&noOverwriteDirNonDir=true");
    const struct client_request request = {.method = "PUT", .path = url, .body_fd = body_fd};
    struct exchange exchange = {.fd = -1};
    int result = client_exchange(&copy->cli->client, &request, &exchange, NULL, &copy->cli->err);

    exchange_close(&exchange);
    return result;
}

static int pack_and_send(const struct copy *copy, const char *directory, const char *name)
{
    const char *const plain[] = {"davit-image", "pack", copy->here, name, NULL};
    const char *const followed[] = {"davit-image", "pack", "--follow", copy->here, name, NULL};
    struct helper helper = {.pid = -1, .fd = -1};
    int result = start_helper(&helper, copy->follows ? followed : plain, false, &copy->cli->err);

    if (result < 0)
        return result;
    return end_helper(&helper, send_body(copy, directory, helper.fd), &copy->cli->err);
}

static int copy_to(const struct copy *copy)
{
    cleanup_free char *path = memory_strdup(copy->inside);
    cleanup_free char *directory = NULL;
    cleanup_free char *name = NULL;
    struct place place;
    struct stat status;
    int result;

    if (strcmp(copy->here, "-") == 0)
        return send_body(copy, path, STDIN_FILENO);
    if ((copy->follows ? stat(copy->here, &status) : lstat(copy->here, &status)) < 0)
        return error_errno(&copy->cli->err, errno, "%s", copy->here);
    result = follow(copy, &path, &place);
    if (result == 0)
        result = choose_inside(copy, &status, path, &place, &directory, &name);
    return result < 0 ? result : pack_and_send(copy, directory, name);
}

/* "CONTAINER:PATH". A path of this host that has a colon begins with "/" or ".". */
static bool split(const char *text, char **container, const char **path)
{
    const char *colon = strchr(text, ':');

    if (colon == NULL || colon == text || text[0] == '/' || text[0] == '.')
        return false;
    free(*container);
    *container = memory_printf("%.*s", (int)(colon - text), text);
    *path = colon[1] != '\0' ? colon + 1 : "/";
    return true;
}

int cli_cp(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"archive", 'a', OPTION_FLAG, .offset = offsetof(struct copy, keeps_owners),
         .help = "keep owners and groups"},
        {"follow-link", 'L', OPTION_FLAG, .offset = offsetof(struct copy, follows),
         .help = "copy what a symbolic link leads to"},
        {"quiet", 'q', OPTION_FLAG, .offset = offsetof(struct copy, is_quiet),
         .help = "no progress; davit shows none"},
        {0},
    };
    struct copy copy = {.cli = cli};
    const struct option_set set = {.tables = {{rows, NULL}},
                                   .usage = "CONTAINER:PATH PATH|- or PATH|- CONTAINER:PATH",
                                   .values = &copy};
    cleanup_free char *container = NULL;
    const char *other;
    bool is_from;
    bool is_to;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    is_to = argc - optind == 2 && split(argv[optind + 1], &container, &other);
    is_from = argc - optind == 2 && split(argv[optind], &container, &copy.inside);
    if (is_from == is_to)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         is_from ? "copying between containers is not supported"
                                 : "cp: %s is expected: one of both is in a container",
                         set.usage);
    if (is_to)
        copy.inside = other;
    copy.container = container;
    copy.here = argv[is_to ? optind : optind + 1];
    return is_from ? copy_from(&copy) : copy_to(&copy);
}
