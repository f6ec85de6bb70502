/* Lists: see list.h. */
#include "list.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "template_eval.h"

#define SHORT_ID 12

static const struct option_row format_rows[] = {
    {"format", 0, OPTION_TEXT, "json|table|TEMPLATE", .offset = offsetof(struct list_style, format),
     .help = "how each is printed"},
    {0},
};

static const struct option_row quiet_rows[] = {
    {"quiet", 'q', OPTION_FLAG, .offset = offsetof(struct list_style, is_quiet),
     .help = "names or ids alone"},
    {0},
};

static const struct option_row truncation_rows[] = {
    {"no-trunc", 0, OPTION_FLAG, .offset = offsetof(struct list_style, is_untruncated),
     .help = "whole ids and texts"},
    {0},
};

static const struct option_row filter_rows[] = {
    {"filter", 'f', OPTION_READ, "KEY=VALUE", .read = option_read_filter,
     .help = "those alone that match"},
    {0},
};

int list_read(struct cli *cli, int argc, char **argv, const struct list_options *options,
              struct list_style *style)
{
    struct option_set set = {.usage = options->usage, .request = &style->request, .values = style};
    size_t count = 0;
    int result;

    if (options->rows != NULL)
        set.tables[count++].rows = options->rows;
    set.tables[count++].rows = quiet_rows;
    set.tables[count++].rows = format_rows;
    if (options->has_filters)
        set.tables[count++].rows = filter_rows;
    if (options->has_truncation)
        set.tables[count++].rows = truncation_rows;
    result = options_read(cli, argc, argv, &set);
    if (result < 0)
        request_release(&style->request);
    return result;
}

static bool is_word(const char *text, const char *word)
{
    return text != NULL && strcmp(text, word) == 0;
}

void list_add(struct list *list, struct json_writer *writer)
{
    cleanup_arena struct arena arena = {0};
    const char *text = json_writer_text(writer);
    const struct json *fields;

    if (list->result == 0)
        list->result =
            json_parse(&arena, text, strlen(text), &json_default_limits, &fields, &list->cli->err);
    if (list->result == 0)
        list->result = listing_add(&list->listing, fields, &list->cli->err);
    json_writer_free(writer);
}

int list_print_items(struct cli *cli, const struct list_style *style,
                     const struct list_command *command, const struct json *items)
{
    cleanup_free char *table = memory_printf("table %s", command->columns);
    bool is_table = style->format == NULL || is_word(style->format, "table");
    const char *format = style->is_quiet                  ? command->quiet
                         : is_table                       ? table
                         : is_word(style->format, "json") ? "{{json .}}"
                                                          : style->format;
    struct list list = {.cli = cli, .style = style};

    listing_begin(&list.listing, format);
    list.listing.table.headers = command->headers;
    for (size_t i = 0; items != NULL && items->type == JSON_ARRAY && i < items->count; i++)
        command->add(&list, &items->items[i]);
    listing_end(&list.listing);
    return list.result;
}

int list_print(struct cli *cli, struct list_style *style, const char *path,
               const struct list_command *command)
{
    cleanup_buffer struct buffer url = {0};
    const struct json *answer;
    int result;

    buffer_printf(&url, "%s?", path);
    request_append_query(&style->request, &url);
    result = client_call_json(&cli->client, "GET", buffer_text(&url), NULL, &style->request.arena,
                              &answer, &cli->err);
    if (result == 0)
        result =
            list_print_items(cli, style, command,
                             command->member != NULL ? json_get(answer, command->member) : answer);
    request_release(&style->request);
    return result;
}

const char *list_text_of(const struct json *object, const char *name)
{
    const char *text = json_get_string(object, name);

    return text != NULL ? text : "";
}

int64_t list_number_of(const struct json *object, const char *name)
{
    const struct json *member = json_get(object, name);
    int64_t number = 0;

    if (member != NULL)
        json_to_int64(member, &number);
    return number;
}

void list_write_text(struct json_writer *writer, const char *name, const char *text)
{
    cleanup_free char *copy = memory_strdup(text);

    cli_clean_text(copy);
    json_member_string(writer, name, copy);
}

void list_write_id(struct json_writer *writer, const struct list *list, const char *name,
                   const char *id)
{
    char text[SHORT_ID + 1];

    if (list->style->is_untruncated) {
        json_member_string(writer, name, id);
        return;
    }
    if (strncmp(id, "sha256:", 7) == 0)
        id += 7;
    snprintf(text, sizeof(text), "%s", id);
    json_member_string(writer, name, text);
}

void list_write_time(struct json_writer *writer, int64_t time_ns, const char *age)
{
    time_t seconds = (time_t)(time_ns / 1000000000);
    char duration[CLOCK_AGE_SIZE];
    char text[64];
    struct tm local;

    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", localtime_r(&seconds, &local));
    json_member_string(writer, "CreatedAt", text);
    clock_format_age(clock_now_ns() - time_ns, duration);
    /* Images that can be made again bit by bit have no time. */
    snprintf(text, sizeof(text), time_ns > 0 ? "%s ago" : "N/A", duration);
    if (age != NULL)
        json_member_string(writer, age, text);
}

void list_write_size(struct json_writer *writer, const char *name, int64_t bytes)
{
    char text[32] = "N/A";

    if (bytes >= 0)
        cli_format_size((uint64_t)bytes, text, sizeof(text));
    json_member_string(writer, name, text);
}

void list_write_labels(struct json_writer *writer, const struct json *labels)
{
    cleanup_buffer struct buffer text = {0};

    for (size_t i = 0; labels != NULL && i < labels->count; i++)
        buffer_printf(&text, "%s%s=%s", i > 0 ? "," : "", labels->members[i].name,
                      labels->members[i].value.text);
    list_write_text(writer, "Labels", buffer_text(&text));
    json_key(writer, TEMPLATE_LABELS);
    json_object_open(writer);
    for (size_t i = 0; labels != NULL && i < labels->count; i++)
        list_write_text(writer, labels->members[i].name, labels->members[i].value.text);
    json_object_close(writer);
}

void list_write_cut(struct json_writer *writer, const struct list *list, const char *name,
                    const char *text, size_t width)
{
    size_t length = 0;
    size_t end = 0;
    size_t cut = 0;

    /* A character of UTF-8 begins where a byte is no continuation. */
    for (; text[end] != '\0'; end++) {
        if (((unsigned char)text[end] & 0xc0) == 0x80)
            continue;
        if (length == width - 1)
            cut = end;
        length++;
    }
    if (length > width && !list->style->is_untruncated) {
        cleanup_free char *shorter = memory_printf("%.*s…", (int)cut, text);

        list_write_text(writer, name, shorter);
    } else {
        list_write_text(writer, name, text);
    }
}
