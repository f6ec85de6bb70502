/* davit pull. */
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

static int send_pull(struct cli *cli, const char *path, const char *auth,
                     struct progress *progress)
{
    const struct client_request request = {
        .method = "POST", .path = path, .body_fd = -1, .registry_auth = auth};
    struct exchange exchange = {.fd = -1, .on_body = progress_take, .context = progress};
    int status;
    int result = client_send(&cli->client, &request, &exchange, &cli->err);

    if (result == 0)
        result = exchange_read_headers(&exchange, &status, &cli->err);
    if (result == 0)
        result = exchange_read_body(&exchange, &cli->err);
    exchange_close(&exchange);
    return result;
}

int pull_image(struct cli *cli, const char *image, const char *platform, FILE *out, bool is_quiet)
{
    cleanup_arena struct arena arena = {0};
    cleanup_buffer struct buffer path = {0};
    struct progress progress;
    const char *auth = NULL;
    int result;

    buffer_append_string(&path, "/images/create?fromImage=");
    http_encode(&path, image);
    if (!has_tag(image))
        buffer_append_string(&path, "&tag=latest");
    if (platform != NULL) {
        buffer_append_string(&path, "&platform=");
        http_encode(&path, platform);
    }
    result = credentials_find(&arena, image, &auth, &cli->err);
    if (result < 0)
        return result;
    progress_begin(&progress, out, is_quiet);
    result = send_pull(cli, buffer_text(&path), auth, &progress);
    progress_end(&progress);
    if (result == 0 && progress.err.errnum != 0) {
        cli->err = progress.err;
        result = -progress.err.errnum;
    }
    return result;
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
