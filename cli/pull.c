/* davit pull, push, tag. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli.h"
#include "credentials.h"
#include "options.h"
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

/* `has_all`: every tag of the repository. */
static int pull(struct cli *cli, const char *image, const char *platform, bool has_all, FILE *out,
                bool is_quiet)
{
    cleanup_buffer struct buffer path = {0};

    buffer_append_string(&path, "/images/create?fromImage=");
    http_encode(&path, image);
    if (!has_tag(image) && !has_all)
        buffer_append_string(&path, "&tag=latest");
    if (platform != NULL) {
        buffer_append_string(&path, "&platform=");
        http_encode(&path, platform);
    }
    return exchange_with_registry(cli, buffer_text(&path), image, out, is_quiet);
}

int cli_pull_image(struct cli *cli, const char *image, const char *platform, FILE *out,
                   bool is_quiet)
{
    return pull(cli, image, platform, false, out, is_quiet);
}

/* Refuses --all-tags for an image that names a tag. */
static int check_all_tags(struct cli *cli, const char *image, bool has_all)
{
    if (!has_all || !has_tag(image))
        return 0;
    return error_set(&cli->err, ERROR_INVALID, EINVAL,
                     "--all-tags: \"%.128s\" names a tag; name the repository alone", image);
}

static void print_name(const char *image, bool has_all)
{
    printf("%s%s\n", image, has_tag(image) || has_all ? "" : ":latest");
}

struct pull_options {
    const char *platform;
    const char *index; /* push alone */
    bool is_quiet;
    bool has_all;
};

static const struct option_row registry_rows[] = {
    {"all-tags", 'a', OPTION_FLAG, .offset = offsetof(struct pull_options, has_all),
     .help = "all tags of the repository"},
    {"quiet", 'q', OPTION_FLAG, .offset = offsetof(struct pull_options, is_quiet),
     .help = "no progress, the name alone"},
    {"disable-content-trust", 0, OPTION_READ, .read = option_read_content_trust,
     .help = "docker's notary is not asked in any case"},
    {0},
};

int cli_pull(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"platform", 0, OPTION_TEXT, "OS/ARCHITECTURE",
         .offset = offsetof(struct pull_options, platform),
         .help = "the platform whose image it is, in place of this host's"},
        {0},
    };
    struct pull_options options = {0};
    const struct option_set set = {
        .tables = {{registry_rows, NULL}, {rows, NULL}}, .usage = "IMAGE", .values = &options};
    const char *image;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    image = argv[optind];
    result = check_all_tags(cli, image, options.has_all);
    if (result < 0)
        return result;
    if (!has_tag(image) && !options.has_all && !options.is_quiet)
        printf("Using default tag: latest\n");
    result = pull(cli, image, options.platform, options.has_all, stdout, options.is_quiet);
    if (result == 0 && options.is_quiet)
        print_name(image, options.has_all);
    return result;
}

/* The path of the request; `members` are the images of an index, NULL for none. */
static void write_push_path(struct buffer *path, const char *image, bool has_all, char **members)
{
    cleanup_free char *start = client_path(members != NULL ? "/davit/v1/images/" : "/images/",
                                           image, members != NULL ? "/push-index?" : "/push?");

    buffer_append_string(path, start);
    if (!has_tag(image) && !has_all)
        buffer_append_string(path, "tag=latest&");
    for (size_t i = 0; members != NULL && members[i] != NULL; i++) {
        buffer_append_string(path, "image=");
        http_encode(path, members[i]);
        buffer_append_string(path, "&");
    }
}

int cli_push(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"index", 0, OPTION_TEXT, "NAME[:TAG]", .offset = offsetof(struct pull_options, index),
         .help = "push the images together, as one of several platforms"},
        {"platform", 0, OPTION_REFUSED, "OS/ARCHITECTURE", .help = ONE_PLATFORM},
        {0},
    };
    struct pull_options options = {0};
    const struct option_set set = {.tables = {{registry_rows, NULL}, {rows, NULL}},
                                   .usage = "IMAGE | --index NAME[:TAG] IMAGE...",
                                   .values = &options};
    cleanup_buffer struct buffer path = {0};
    const char *image;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    if ((options.index == NULL && argc - optind != 1) || (options.index != NULL && options.has_all))
        return error_set(&cli->err, ERROR_INVALID, EINVAL, "push: %s is expected", set.usage);
    image = options.index != NULL ? options.index : argv[optind];
    result = check_all_tags(cli, image, options.has_all);
    if (result < 0)
        return result;
    write_push_path(&path, image, options.has_all, options.index != NULL ? argv + optind : NULL);
    result = exchange_with_registry(cli, buffer_text(&path), image, stdout, options.is_quiet);
    if (result == 0 && options.is_quiet)
        print_name(image, options.has_all);
    return result;
}

int cli_tag(struct cli *cli, int argc, char **argv)
{
    cleanup_buffer struct buffer path = {0};
    cleanup_free char *start = NULL;
    int status;
    int result = options_read_none(cli, argc, argv, "IMAGE NAME[:TAG]");

    if (result < 0)
        return result;
    start = client_path("/images/", argv[optind], "/tag?repo=");
    buffer_append_string(&path, start);
    http_encode(&path, argv[optind + 1]);
    return client_call(&cli->client, "POST", buffer_text(&path), NULL, &status, NULL, &cli->err);
}
