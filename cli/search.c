/* search: repositories of a registry. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "cli.h"
#include "credentials.h"
#include "list.h"
#include "options.h"

#define DESCRIPTION_WIDTH 45

/* --filter: what the registry finds is chosen from here, as docker does it. */
struct search_options {
    struct list_style style; /* the first: the lists' own rows write there */
    int64_t limit;
    int64_t stars;
    bool is_official;
    bool has_official;
};

static int read_filter(const struct option_reader *reader, const char *text)
{
    struct search_options *options = reader->values;

    if (strncmp(text, "stars=", 6) == 0 && number_parse(text + 6, 0, INT32_MAX, &options->stars))
        return 0;
    options->has_official = true;
    options->is_official = strcmp(text, "is-official=true") == 0;
    if (options->is_official || strcmp(text, "is-official=false") == 0)
        return 0;
    return error_set(&reader->cli->err, ERROR_INVALID, EINVAL,
                     "--filter \"%.64s\": stars=NUMBER and is-official=true|false are known", text);
}

static bool is_official(const struct json *found)
{
    const struct json *value = json_get(found, "is_official");

    return value != NULL && value->type == JSON_BOOLEAN && value->boolean;
}

static void add_found(struct list *list, const struct json *found)
{
    const struct search_options *options = (const struct search_options *)(const void *)list->style;
    struct json_writer *writer;
    cleanup_free char *stars = NULL;

    if (list_number_of(found, "star_count") < options->stars ||
        (options->has_official && is_official(found) != options->is_official))
        return;
    writer = json_writer_new(false);
    stars = memory_printf("%lld", (long long)list_number_of(found, "star_count"));
    json_object_open(writer);
    list_write_cut(writer, list, "Description", list_text_of(found, "description"),
                   DESCRIPTION_WIDTH);
    json_member_string(writer, "IsAutomated", "false");
    json_member_string(writer, "IsOfficial", is_official(found) ? "[OK]" : "");
    list_write_text(writer, "Name", list_text_of(found, "name"));
    json_member_string(writer, "StarCount", stars);
    json_object_close(writer);
    list_add(list, writer);
}

static int search(struct cli *cli, const struct search_options *options, const char *term,
                  const struct json **found)
{
    cleanup_buffer struct buffer path = {0};
    struct client_request request = {.method = "GET", .body_fd = -1};
    int result = credentials_find(&cli->arena, term, &request.registry_auth, &cli->err);

    buffer_append_string(&path, "/images/search?term=");
    http_encode(&path, term);
    buffer_printf(&path, "&limit=%lld", (long long)options->limit);
    request.path = buffer_text(&path);
    return result < 0 ? result
                      : client_request_json(&cli->client, &request, &cli->arena, found, &cli->err);
}

int cli_search(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"limit", 0, OPTION_INTEGER, "N", .offset = offsetof(struct search_options, limit),
         .help = "at most so many, 100 at the most"},
        {"filter", 'f', OPTION_READ, "stars=N|is-official=true", .read = read_filter,
         .help = "only those with so many stars, or official ones"},
        {0},
    };
    static const struct table_header headers[] = {
        {"StarCount", "STARS"}, {"IsOfficial", "OFFICIAL"}, {0}};
    static const struct list_command command = {
        .add = add_found,
        .columns = "{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}",
        .quiet = "{{.Name}}",
        .headers = headers,
    };
    static const struct list_options list_options = {
        .rows = rows,
        .usage = "TERM",
        .has_truncation = true,
    };
    struct search_options options = {0};
    const struct json *found = NULL;
    int result = list_read(cli, argc, argv, &list_options, &options.style);

    if (result < 0)
        return result;
    result = search(cli, &options, argv[optind], &found);
    if (result == 0)
        result = list_print_items(cli, &options.style, &command, found);
    request_release(&options.style.request);
    return result;
}
