/* davit pull, push, tag. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli.h"
#include "credentials.h"
#include "progress.h"

/* A name without tag and digest means "latest". */
static bool has_tag(const char *image)
{
    const char *slash = strrchr(image, '/');

    return strchr(image, '@') != NULL || strchr(slash != NULL ? slash : image, ':') != NULL;
}

/* Sends the login of the image's registry along and shows the progress that comes back. */
static int exchange_with_registry(struct cli *cli, const char *path, const char *image, FILE *out,
                                  bool is_quiet)
{
    cleanup_arena struct arena arena = {0};
    struct client_request request = {.method = "POST", .path = path, .body_fd = -1};
    struct progress progress;
    struct exchange exchange = {.fd = -1, .on_body = progress_take, .context = &progress};
    int result = credentials_find(&arena, image, &request.registry_auth, &cli->err);

    if (result < 0)
        return result;
    progress_begin(&progress, out, is_quiet);
    result = client_exchange(&cli->client, &request, &exchange, NULL, &cli->err);
    exchange_close(&exchange);
    return progress_end(&progress, result, &cli->err);
}

int pull_image(struct cli *cli, const char *image, const char *platform, FILE *out, bool is_quiet)
{
    cleanup_buffer struct buffer path = {0};

    buffer_append_string(&path, "/images/create?fromImage=");
    http_encode(&path, image);
    if (!has_tag(image))
        buffer_append_string(&path, "&tag=latest");
    if (platform != NULL) {
        buffer_append_string(&path, "&platform=");
        http_encode(&path, platform);
    }
    return exchange_with_registry(cli, buffer_text(&path), image, out, is_quiet);
}

int cli_pull(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"quiet", no_argument, NULL, 'q'},
                                          {"platform", required_argument, NULL, 'p'},
                                          {NULL, 0, NULL, 0}};
    const char *platform = NULL;
    const char *image;
    bool is_quiet = false;
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "+q", table, NULL)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--quiet] [--platform OS/ARCHITECTURE] IMAGE");
        is_quiet = is_quiet || option == 'q';
        if (option == 'p')
            platform = optarg;
    }
    if (argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "pull: exactly one image is expected");
    image = argv[optind];
    if (!has_tag(image) && !is_quiet)
        printf("Using default tag: latest\n");
    result = pull_image(cli, image, platform, stdout, is_quiet);
    if (result == 0 && is_quiet)
        printf("%s%s\n", image, has_tag(image) ? "" : ":latest");
    return result;
}

int cli_push(struct cli *cli, int argc, char **argv)
{
    static const struct option table[] = {{"quiet", no_argument, NULL, 'q'}, {NULL, 0, NULL, 0}};
    cleanup_free char *path = NULL;
    bool is_quiet = false;
    int option;
    int result;

    while ((option = getopt_long(argc, argv, "+q", table, NULL)) != -1) {
        if (option == '?')
            return cli_usage_error(cli, argv, "[--quiet] IMAGE");
        is_quiet = true;
    }
    if (argc - optind != 1)
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "push: exactly one image is expected");
    path = client_path("/images/", argv[optind], "/push");
    result = exchange_with_registry(cli, path, argv[optind], stdout, is_quiet);
    if (result == 0 && is_quiet)
        printf("%s%s\n", argv[optind], has_tag(argv[optind]) ? "" : ":latest");
    return result;
}

int cli_tag(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_free char *start = NULL;
    int status;

    if (argc != 3)
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "tag: an image and its new name are expected");
    start = client_path("/images/", argv[1], "/tag?repo=");
    buffer_append_string(&path, start);
    http_encode(&path, argv[2]);
    return client_call(&cli->client, "POST", buffer_text(&path), NULL, &status, NULL, &cli->err);
}
