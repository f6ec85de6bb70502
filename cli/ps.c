/* ps. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "list.h"

#define COMMAND_WIDTH 20

struct port_range {
    const char *host;
    const char *protocol;
    int64_t outside; /* 0: it is not published */
    int64_t inside;
    int64_t count;
};

static bool continues(const struct port_range *range, const struct port_range *next)
{
    return range->count > 0 && strcmp(range->host, next->host) == 0 &&
           strcmp(range->protocol, next->protocol) == 0 &&
           next->inside == range->inside + range->count &&
           (next->outside == 0) == (range->outside == 0) &&
           (next->outside == 0 || next->outside == range->outside + range->count);
}

/* "8080-8082->80-82/tcp" */
static void append_range(struct buffer *text, const struct port_range *range)
{
    const long long outside = range->outside;
    const long long inside = range->inside;
    const long long last = range->count - 1;

    if (range->count == 0)
        return;
    buffer_append_string(text, text->length > 0 ? ", " : "");
    if (range->outside > 0) {
        cleanup_free char *ports = memory_printf("%lld", outside);
        cleanup_free char *host = cli_format_socket(range->host, ports);

        buffer_append_string(text, host);
        if (last > 0)
            buffer_printf(text, "-%lld", outside + last);
        buffer_append_string(text, "->");
    }
    buffer_printf(text, "%lld", inside);
    if (last > 0)
        buffer_printf(text, "-%lld", inside + last);
    buffer_printf(text, "/%s", range->protocol);
}

static struct port_range read_port(const struct json *port)
{
    return (struct port_range){.host = list_text_of(port, "IP"),
                               .protocol = list_text_of(port, "Type"),
                               .outside = list_number_of(port, "PublicPort"),
                               .inside = list_number_of(port, "PrivatePort"),
                               .count = 1};
}

static int compare_ports(const void *one, const void *other)
{
    const struct port_range *a = one;
    const struct port_range *b = other;
    int result = strcmp(a->host, b->host);

    if (result == 0)
        result = strcmp(a->protocol, b->protocol);
    return result != 0 ? result : (a->inside > b->inside) - (a->inside < b->inside);
}

static void write_ports(struct json_writer *writer, const struct json *ports)
{
    size_t count = ports != NULL && ports->type == JSON_ARRAY ? ports->count : 0;
    cleanup_free struct port_range *sorted = memory_new(count + 1, sizeof(*sorted));
    cleanup_buffer struct buffer text = {0};
    struct port_range range = {0};

    for (size_t i = 0; i < count; i++)
        sorted[i] = read_port(&ports->items[i]);
    qsort(sorted, count, sizeof(*sorted), compare_ports);
    for (size_t i = 0; i < count; i++) {
        if (continues(&range, &sorted[i])) {
            range.count++;
            continue;
        }
        append_range(&text, &range);
        range = sorted[i];
    }
    append_range(&text, &range);
    json_member_string(writer, "Ports", buffer_text(&text));
}

static void write_mounts(struct json_writer *writer, const struct list *list,
                         const struct json *mounts)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_free char *volumes = NULL;
    size_t count = 0;

    for (size_t i = 0; mounts != NULL && i < mounts->count; i++) {
        const char *name = json_get_string(&mounts->items[i], "Name");
        const char *shown = name != NULL ? name : list_text_of(&mounts->items[i], "Source");
        bool is_long = strlen(shown) > 15 && !list->style->is_untruncated;

        count += name != NULL;
        buffer_printf(&text, "%s%.*s%s", i > 0 ? "," : "", is_long ? 14 : (int)strlen(shown), shown,
                      is_long ? "…" : "");
    }
    volumes = memory_printf("%zu", count);
    list_write_text(writer, "Mounts", buffer_text(&text));
    json_member_string(writer, "LocalVolumes", volumes);
}

static void write_networks(struct json_writer *writer, const struct json *container)
{
    const struct json *networks = json_get(json_get(container, "NetworkSettings"), "Networks");
    cleanup_buffer struct buffer text = {0};

    for (size_t i = 0; networks != NULL && i < networks->count; i++)
        buffer_printf(&text, "%s%s", i > 0 ? "," : "", networks->members[i].name);
    json_member_string(writer, "Networks", buffer_text(&text));
}

/* "12kB (virtual 4.5MB)", of lists with sizes. */
static void write_sizes(struct json_writer *writer, const struct json *container)
{
    char changed[32];
    char whole[32];
    cleanup_free char *text = NULL;

    cli_format_size((uint64_t)list_number_of(container, "SizeRw"), changed, sizeof(changed));
    cli_format_size((uint64_t)list_number_of(container, "SizeRootFs"), whole, sizeof(whole));
    text = json_get(container, "SizeRootFs") != NULL
               ? memory_printf("%s (virtual %s)", changed, whole)
               : memory_strdup(changed);
    json_member_string(writer, "Size", text);
}

static void add_container(struct list *list, const struct json *container)
{
    struct json_writer *writer = json_writer_new(false);
    const struct json *names = json_get(container, "Names");
    cleanup_buffer struct buffer command = {0};
    cleanup_free char *quoted = NULL;

    /* As docker does: the command is cut, and quoted then. */
    buffer_append_string(&command, list_text_of(container, "Command"));
    if (!list->style->is_untruncated && command.length > COMMAND_WIDTH) {
        command.length = COMMAND_WIDTH - 1;
        while (command.length > 0 && ((unsigned char)command.data[command.length] & 0xc0) == 0x80)
            command.length--;
        buffer_append_string(&command, "…");
    }
    quoted = memory_printf("\"%s\"", buffer_text(&command));
    json_object_open(writer);
    list_write_text(writer, "Command", quoted);
    list_write_time(writer, list_number_of(container, "Created") * 1000000000, "RunningFor");
    list_write_id(writer, list, "ID", list_text_of(container, "Id"));
    list_write_text(writer, "Image", list_text_of(container, "Image"));
    list_write_labels(writer, json_get(container, "Labels"));
    write_mounts(writer, list, json_get(container, "Mounts"));
    json_member_string(writer, "Names",
                       names != NULL && names->count > 0 ? names->items[0].text + 1 : "");
    write_networks(writer, container);
    write_ports(writer, json_get(container, "Ports"));
    write_sizes(writer, container);
    json_member_string(writer, "State", list_text_of(container, "State"));
    list_write_text(writer, "Status", list_text_of(container, "Status"));
    json_object_close(writer);
    list_add(list, writer);
}

static int read_latest(const struct option_reader *reader, const char *text)
{
    bool is_latest;

    if (option_read_boolean(reader, text, &is_latest) < 0)
        return -EINVAL;
    if (is_latest)
        request_set_integer(request_at(reader->request, NULL, "limit"), 1);
    return 0;
}

int cli_ps(struct cli *cli, int argc, char **argv)
{
    static const struct option_row rows[] = {
        {"all", 'a', OPTION_FLAG, .member = "all", .help = "also those that do not run"},
        {"last", 'n', OPTION_INTEGER, "N", .member = "limit",
         .help = "the last that were made, whether they run or not"},
        {"latest", 'l', OPTION_READ, .read = read_latest, .help = "the last that was made"},
        {"size", 's', OPTION_FLAG, .member = "size", .help = "with the bytes on disk"},
        {0},
    };
    static const struct table_header headers[] = {
        {"ID", "CONTAINER ID"}, {"RunningFor", "CREATED"}, {0}};
    struct list_command command = {
        .add = add_container,
        .columns = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t"
                   "{{.Names}}",
        .quiet = "{{.ID}}",
        .headers = headers,
    };
    struct list_style style = {0};
    static const struct list_options list_options = {
        .rows = rows,
        .usage = "",
        .has_filters = true,
        .has_truncation = true,
    };
    int result = list_read(cli, argc, argv, &list_options, &style);

    if (result < 0)
        return result;
    if (style.format != NULL && strstr(style.format, ".Size") != NULL)
        request_set_boolean(request_at(&style.request, NULL, "size"), true);
    if (request_is_true(&style.request, "size"))
        command.columns = "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t"
                          "{{.Ports}}\t{{.Names}}\t{{.Size}}";
    return list_print(cli, &style, "/containers/json", &command);
}
