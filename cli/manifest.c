/* manifest inspect, create, annotate, push, rm: images of several platforms, put together on this
 * side from what a registry has. A list that is being made is a file beside docker's configuration.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "cli.h"
#include "credentials.h"
#include "list.h"
#include "manifest_list.h"
#include "options.h"

#define INSECURE_REASON "\"registries\" in davitd.json says which are"

/* What the registry says of an image: {"Descriptor":..., "Platforms":[...], "Raw":...}. */
static int ask_registry(struct cli *cli, const char *image, const struct json **answer)
{
    cleanup_free char *path = client_path("/davit/v1/distribution/", image, "/manifest");
    struct client_request request = {.method = "GET", .path = path, .body_fd = -1};
    int result = credentials_find(&cli->arena, image, &request.registry_auth, &cli->err);

    return result < 0 ? result
                      : client_request_json(&cli->client, &request, &cli->arena, answer, &cli->err);
}

static const struct json *descriptor_of(const struct json *answer)
{
    return json_get(answer, "Descriptor");
}

static const char *media_type_of(const struct json *answer)
{
    const char *type = json_get_string(descriptor_of(answer), "mediaType");

    return type != NULL ? type : "";
}

static bool is_index(const struct json *answer)
{
    return strstr(media_type_of(answer), "index") != NULL ||
           strstr(media_type_of(answer), "manifest.list") != NULL;
}

/* The manifest itself. */
static int read_raw(struct cli *cli, const struct json *answer, const struct json **manifest)
{
    const char *encoded = json_get_string(answer, "Raw");
    cleanup_free char *raw = base64_decode(encoded != NULL ? encoded : "");

    if (raw == NULL)
        return error_set(&cli->err, ERROR_CORRUPT, EBADMSG, "davitd's answer has no manifest");
    return json_parse(&cli->arena, raw, strlen(raw), &json_default_limits, manifest, &cli->err);
}

static const struct json *platform_of(const struct json *answer)
{
    const struct json *platforms = json_get(answer, "Platforms");

    return platforms != NULL && platforms->type == JSON_ARRAY && platforms->count > 0
               ? &platforms->items[0]
               : NULL;
}

static void write_verbose(struct json_writer *writer, const char *reference,
                          const struct json *answer, const struct json *manifest)
{
    const struct json *descriptor = descriptor_of(answer);
    bool is_docker = strstr(media_type_of(answer), "docker") != NULL;

    json_object_open(writer);
    json_member_string(writer, "Ref", reference);
    json_key(writer, "Descriptor");
    json_object_open(writer);
    for (size_t i = 0; descriptor != NULL && i < descriptor->count; i++) {
        json_key(writer, descriptor->members[i].name);
        json_value(writer, &descriptor->members[i].value);
    }
    json_key(writer, "platform");
    json_value(writer, platform_of(answer));
    json_object_close(writer);
    json_member_string(writer, "Raw", json_get_string(answer, "Raw"));
    json_key(writer, is_docker ? "SchemaV2Manifest" : "OCIManifest");
    json_value(writer, manifest);
    json_object_close(writer);
}

/* Each manifest that an index names. */
static int write_members(struct cli *cli, struct json_writer *writer, const char *image,
                         const struct json *index)
{
    const struct json *manifests = json_get(index, "manifests");
    const char *repository = manifest_list_repository(&cli->arena, image);
    int result = 0;

    json_array_open(writer);
    for (size_t i = 0;
         result == 0 && manifests != NULL && manifests->type == JSON_ARRAY && i < manifests->count;
         i++) {
        const char *digest = json_get_string(&manifests->items[i], "digest");
        const char *reference =
            arena_printf(&cli->arena, "%s@%s", repository, digest != NULL ? digest : "");
        const struct json *answer = NULL;
        const struct json *manifest = NULL;

        result = ask_registry(cli, reference, &answer);
        if (result == 0)
            result = read_raw(cli, answer, &manifest);
        if (result == 0)
            write_verbose(writer, reference, answer, manifest);
    }
    json_array_close(writer);
    return result;
}

static int inspect_remote(struct cli *cli, struct json_writer *writer, const char *image,
                          bool is_verbose)
{
    const struct json *answer;
    const struct json *manifest = NULL;
    int result = ask_registry(cli, image, &answer);

    if (result == 0)
        result = read_raw(cli, answer, &manifest);
    if (result < 0)
        return result;
    if (!is_verbose)
        json_value(writer, manifest);
    else if (is_index(answer))
        return write_members(cli, writer, image, manifest);
    else
        write_verbose(writer, image, answer, manifest);
    return 0;
}

/* A list that is being made, or one entry of it. */
static int inspect_local(struct cli *cli, struct json_writer *writer,
                         const struct manifest_list *list, const char *image)
{
    const struct manifest_entry *entry;

    if (image == NULL) {
        manifest_list_write_index(writer, list);
        return 0;
    }
    entry = manifest_list_find(list, image);
    if (entry == NULL)
        return error_set(&cli->err, ERROR_NOT_FOUND, ENOENT, "%s has no manifest \"%.128s\"",
                         list->name, image);
    manifest_list_write_entry(writer, entry);
    return 0;
}

static int inspect(struct cli *cli, struct json_writer *writer, bool is_verbose, int argc,
                   char **argv)
{
    struct manifest_list list = {0};
    bool has_two = argc - optind == 2;
    int result = manifest_list_read(&cli->arena, argv[optind], &list, &cli->err);

    if (result == 1)
        return inspect_local(cli, writer, &list, has_two ? argv[optind + 1] : NULL);
    if (result == 0 && has_two)
        return error_set(&cli->err, ERROR_NOT_FOUND, ENOENT,
                         "no manifest list \"%.128s\" is being made here", argv[optind]);
    return result < 0 ? result : inspect_remote(cli, writer, argv[optind], is_verbose);
}

int cli_manifest_inspect(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"verbose", 'v', OPTION_FLAG, .help = "with platforms and what each manifest of a list is"},
        {"insecure", 0, OPTION_REFUSED, .help = INSECURE_REASON},
        {0},
    };
    bool is_verbose = false;
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "[LIST] IMAGE", .values = &is_verbose};
    struct json_writer *writer;
    int result = options_read(cli, argc, argv, &set);

    if (result < 0)
        return result;
    writer = json_writer_new(true);
    result = inspect(cli, writer, is_verbose, argc, argv);
    if (result == 0)
        fputs(json_writer_text(writer), stdout);
    json_writer_free(writer);
    return result;
}

static int add_image(struct cli *cli, struct manifest_list *list, const char *image)
{
    const struct json *answer;
    int result = ask_registry(cli, image, &answer);

    if (result < 0)
        return error_prefix(&cli->err, "%s", image);
    if (is_index(answer))
        return error_set(&cli->err, ERROR_INVALID, EINVAL,
                         "%.128s is a list already: name the images of one platform", image);
    return manifest_list_add(&cli->arena, list, image, descriptor_of(answer), platform_of(answer),
                             &cli->err);
}

int cli_manifest_create(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"amend", 'a', OPTION_FLAG, .help = "add to a list that is being made already"},
        {"insecure", 0, OPTION_REFUSED, .help = INSECURE_REASON},
        {0},
    };
    bool is_amended = false;
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "LIST IMAGE...", .values = &is_amended};
    struct manifest_list list = {0};
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result = manifest_list_read(&cli->arena, argv[optind], &list, &cli->err);
    if (result == 1 && !is_amended)
        return error_set(&cli->err, ERROR_CONFLICT, EEXIST,
                         "%s is being made already: --amend adds to it, davit manifest rm forgets "
                         "it",
                         list.name);
    for (int i = optind + 1; result >= 0 && i < argc; i++)
        result = add_image(cli, &list, argv[i]);
    if (result >= 0)
        result = manifest_list_store(&cli->arena, &list, &cli->err);
    if (result == 0)
        printf("Created manifest list %s\n", list.name);
    return result;
}

/* The list that a command works on, which has to be there. */
static int open_list(struct cli *cli, const char *name, struct manifest_list *list)
{
    int result = manifest_list_read(&cli->arena, name, list, &cli->err);

    if (result == 0)
        return error_set(&cli->err, ERROR_NOT_FOUND, ENOENT,
                         "no manifest list \"%.128s\" is being made here; davit manifest create "
                         "begins one",
                         name);
    return result < 0 ? result : 0;
}

struct annotate_options {
    const char *os;
    const char *architecture;
    const char *variant;
    const char *os_version;
    struct string_list os_features;
};

int cli_manifest_annotate(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"arch", 0, OPTION_TEXT, "NAME", .offset = offsetof(struct annotate_options, architecture),
         .help = "the architecture: amd64, arm64"},
        {"os", 0, OPTION_TEXT, "NAME", .offset = offsetof(struct annotate_options, os),
         .help = "the operating system: linux"},
        {"variant", 0, OPTION_TEXT, "NAME", .offset = offsetof(struct annotate_options, variant),
         .help = "the variant of the architecture: v8"},
        {"os-version", 0, OPTION_TEXT, "VERSION",
         .offset = offsetof(struct annotate_options, os_version),
         .help = "the version of the operating system"},
        {"os-features", 0, OPTION_LIST, "NAME",
         .offset = offsetof(struct annotate_options, os_features),
         .help = "a feature that the operating system has to have"},
        {0},
    };
    struct annotate_options options = {0};
    struct request request = {0};
    const struct option_set set = {
        .tables = {{rows, NULL}}, .usage = "LIST IMAGE", .request = &request, .values = &options};
    struct manifest_list list = {0};
    struct manifest_entry *entry = NULL;
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result = open_list(cli, argv[optind], &list);
    if (result == 0)
        entry = manifest_list_find(&list, argv[optind + 1]);
    if (result == 0 && entry == NULL)
        result = error_set(&cli->err, ERROR_NOT_FOUND, ENOENT, "%s has no manifest \"%.128s\"",
                           list.name, argv[optind + 1]);
    if (result == 0 && entry != NULL) {
        entry->os = options.os != NULL ? options.os : entry->os;
        entry->architecture =
            options.architecture != NULL ? options.architecture : entry->architecture;
        entry->variant = options.variant != NULL ? options.variant : entry->variant;
        entry->os_version = options.os_version != NULL ? options.os_version : entry->os_version;
        if (options.os_features.count > 0)
            entry->os_features = options.os_features;
        result = manifest_list_store(&cli->arena, &list, &cli->err);
    }
    request_release(&request);
    return result;
}

static char *push_body(struct cli *cli, const struct manifest_list *list)
{
    struct json_writer *index = json_writer_new(true);
    struct json_writer *writer = json_writer_new(false);
    char *body;

    manifest_list_write_index(index, list);
    json_object_open(writer);
    json_member_string(writer, "Manifest", json_writer_text(index));
    json_member_string(writer, "MediaType", manifest_list_media_type(list));
    json_key(writer, "Sources");
    json_array_open(writer);
    for (size_t i = 0; i < list->entries.count; i++)
        json_string(writer, arena_printf(&cli->arena, "%s@%s",
                                         manifest_list_repository(&cli->arena,
                                                                  list->entries.items[i].reference),
                                         list->entries.items[i].digest));
    json_array_close(writer);
    json_object_close(writer);
    body = memory_strdup(json_writer_text(writer));
    json_writer_free(index);
    json_writer_free(writer);
    return body;
}

static int push(struct cli *cli, const struct manifest_list *list)
{
    cleanup_free char *path = client_path("/davit/v1/distribution/", list->name, "/manifest");
    cleanup_free char *body = push_body(cli, list);
    struct client_request request = {.method = "PUT", .path = path, .body = body, .body_fd = -1};
    const struct json *answer;
    int result = credentials_find(&cli->arena, list->name, &request.registry_auth, &cli->err);

    if (result == 0)
        result = client_request_json(&cli->client, &request, &cli->arena, &answer, &cli->err);
    if (result == 0)
        printf("%s\n", list_text_of(descriptor_of(answer), "digest"));
    return result;
}

int cli_manifest_push(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"purge", 'p', OPTION_FLAG, .help = "forget the list here once it is there"},
        {"insecure", 0, OPTION_REFUSED, .help = INSECURE_REASON},
        {0},
    };
    bool is_purged = false;
    const struct option_set set = {.tables = {{rows, NULL}}, .usage = "LIST", .values = &is_purged};
    struct manifest_list list = {0};
    int result = options_read(cli, argc, argv, &set);

    if (result == 0)
        result = open_list(cli, argv[optind], &list);
    if (result == 0)
        result = push(cli, &list);
    if (result == 0 && is_purged)
        result = manifest_list_remove(&cli->arena, &list, &cli->err);
    return result;
}

int cli_manifest_rm(struct cli *cli, int argc, char **argv)
{
    int result = options_read_none(cli, argc, argv, "LIST...");
    int failed = 0;

    if (result < 0)
        return result;
    for (int i = optind; i < argc; i++) {
        struct manifest_list list = {0};

        result = open_list(cli, argv[i], &list);
        if (result == 0)
            result = manifest_list_remove(&cli->arena, &list, &cli->err);
        if (result == 0)
            continue;
        cli_print_error(cli);
        cli->err = (struct error){0};
        failed = 1;
    }
    return failed;
}
