/* HostConfig.LogConfig: see definition.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/number.h"
#include "base/size.h"
#include "definition.h"
#include "supervisor/monitor/log_files.h"
#include "supervisor/monitor/log_journal.h"

/* Limits of the log files that are kept beside a journal, for `logs` to read, and of local. */
#define KEPT_FILE_BYTES (20 << 20)
#define KEPT_FILES 5
#define SIZE_MIN 1024
#define TAG_MAX 256
#define QUEUE_BYTES (1 << 20) /* as Docker's */

static const char *driver_of(const struct docker_log_config *config)
{
    return config->type != NULL && config->type[0] != '\0' ? config->type : "json-file";
}

static bool has_files_alone(const char *driver)
{
    return strcmp(driver, "json-file") == 0 || strcmp(driver, "local") == 0;
}

static int check_driver(const char *driver, struct error *err)
{
    bool is_journal = strcmp(driver, "journald") == 0;

    if (is_journal && access(LOG_JOURNAL_SOCKET, F_OK) < 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "HostConfig.LogConfig.Type: journald does not run on this host");
    if (is_journal || has_files_alone(driver) || strcmp(driver, "syslog") == 0 ||
        strcmp(driver, "none") == 0)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                     "HostConfig.LogConfig.Type: \"%.64s\" is not supported by this version of "
                     "davit; use json-file, local, journald, syslog or none",
                     driver);
}

static int read_size(const char *text, uint64_t *bytes, struct error *err)
{
    int64_t size = 0;

    if (strcmp(text, "-1") == 0)
        return 0;
    if (size_parse(text, &size) < 0 || size < SIZE_MIN)
        return error_set(err, ERROR_INVALID, EINVAL, "\"%.32s\" is not a size of 1k and more",
                         text);
    *bytes = (uint64_t)size;
    return 0;
}

static int read_count(const char *text, uint32_t *count, struct error *err)
{
    int64_t number;

    if (!number_parse(text, 1, LOG_FILES_MAX, &number))
        return error_set(err, ERROR_INVALID, EINVAL, "\"%.32s\" is not a number from 1 to %d", text,
                         LOG_FILES_MAX);
    *count = (uint32_t)number;
    return 0;
}

/* What a tag may have in double braces. */
static const char *const tag_words[] = {".ID",      ".FullID",      ".Name", ".ImageName",
                                        ".ImageID", ".ImageFullID", NULL};

/* The word that the text begins with, behind "{{" and before "}}"; NULL: none. Sets its end. */
static const char *find_word(const char *text, const char **end)
{
    const char *close = strstr(text, "}}");

    text += 2 + strspn(text + 2, " ");
    for (size_t i = 0; close != NULL && tag_words[i] != NULL; i++) {
        size_t length = strlen(tag_words[i]);

        if (strncmp(text, tag_words[i], length) == 0 &&
            text + length + strspn(text + length, " ") == close) {
            *end = close + 2;
            return tag_words[i];
        }
    }
    return NULL;
}

static int check_tag(const char *tag, struct error *err)
{
    const char *position = tag;

    for (const char *c = tag; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f || c - tag >= TAG_MAX)
            return error_set(err, ERROR_INVALID, EINVAL,
                             "\"%.64s\": a tag of at most %d characters, and none of control, is "
                             "expected",
                             tag, TAG_MAX);
    }
    while ((position = strstr(position, "{{")) != NULL) {
        if (find_word(position, &position) == NULL)
            return error_set(
                err, ERROR_UNSUPPORTED, ENOTSUP,
                "\"%.64s\": of templates .ID, .FullID, .Name, .ImageName, .ImageID and "
                ".ImageFullID are supported",
                tag);
    }
    return 0;
}

static void append_word(struct buffer *text, const char *word, const struct definition *definition)
{
    const char *image_id = definition->image_id;
    const char *digits = strncmp(image_id, "sha256:", 7) == 0 ? image_id + 7 : image_id;

    if (strcmp(word, ".ID") == 0)
        buffer_printf(text, "%.12s", definition->id);
    else if (strcmp(word, ".FullID") == 0)
        buffer_append_string(text, definition->id);
    else if (strcmp(word, ".Name") == 0)
        buffer_append_string(text, definition->name);
    else if (strcmp(word, ".ImageName") == 0)
        buffer_append_string(text, definition->config.image);
    else if (strcmp(word, ".ImageID") == 0)
        buffer_printf(text, "%.12s", digits);
    else
        buffer_append_string(text, image_id);
}

static const char *expand_tag(struct arena *arena, const char *tag,
                              const struct definition *definition)
{
    cleanup_buffer struct buffer text = {0};
    const char *open;

    while ((open = strstr(tag, "{{")) != NULL) {
        const char *end = open + 2;
        const char *word = find_word(open, &end);

        buffer_append(&text, tag, (size_t)(open - tag));
        if (word != NULL)
            append_word(&text, word, definition);
        tag = end;
    }
    buffer_append_string(&text, tag);
    return arena_strdup(arena, buffer_text(&text));
}

static void add_attribute(struct arena *arena, struct string_map *map, const char *name,
                          const char *value)
{
    if (value == NULL)
        return;
    map->items = arena_grow(arena, map->items, map->count, sizeof(*map->items));
    map->items[map->count++] = (struct string_pair){name, value};
}

/* "one,other": those of the container's labels, or of its environment. */
static void add_named(struct arena *arena, const char *names, const struct docker_config *config,
                      bool is_label, struct string_map *map)
{
    char *list = arena_strdup(arena, names != NULL ? names : "");
    char *rest;

    for (char *name = strtok_r(list, ",", &rest); name != NULL; name = strtok_r(NULL, ",", &rest))
        add_attribute(arena, map, name,
                      is_label ? string_map_get(&config->labels, name)
                               : env_get(&config->env, name));
}

void definition_log_names(struct arena *arena, const struct definition *definition,
                          struct log_options *options)
{
    const struct string_map *config = &definition->host_config.log_config.config;
    bool has_tag = options->tag != NULL && options->tag[0] != '\0';

    options->container_name = definition->name;
    options->image_name = definition->config.image;
    options->tag = expand_tag(arena, has_tag ? options->tag : "{{.ID}}", definition);
    add_named(arena, string_map_get(config, "labels"), &definition->config, true,
              &options->attributes);
    add_named(arena, string_map_get(config, "env"), &definition->config, false,
              &options->attributes);
    /* Others have it in a place of its own. */
    if (has_tag && has_files_alone(options->driver))
        add_attribute(arena, &options->attributes, "tag", options->tag);
}

static int read_syslog_format(const char *text, struct syslog_options *options, struct error *err)
{
    static const struct {
        const char *name;
        enum syslog_format format;
    } formats[] = {{"rfc3164", SYSLOG_RFC3164},
                   {"rfc5424", SYSLOG_RFC5424},
                   {"rfc5424micro", SYSLOG_RFC5424_MICRO}};

    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        if (strcmp(formats[i].name, text) == 0)
            options->format = (int32_t)formats[i].format;
        if (strcmp(formats[i].name, text) == 0)
            return 0;
    }
    return error_set(err, ERROR_INVALID, EINVAL,
                     "\"%.32s\": rfc3164, rfc5424 or rfc5424micro is expected", text);
}

static int read_facility(const char *text, struct syslog_options *options, struct error *err)
{
    options->facility = log_syslog_facility(text);
    if (options->facility >= 0)
        return 0;
    return error_set(err, ERROR_INVALID, EINVAL,
                     "\"%.32s\": daemon, local0 or another facility is expected", text);
}

/* 1: the option is one of syslog's. */
static int read_syslog_option(const char *driver, const struct string_pair *option,
                              struct syslog_options *options, struct error *err)
{
    int result = 0;

    if (strcmp(driver, "syslog") != 0 || strncmp(option->name, "syslog-", 7) != 0)
        return 0;
    if (strcmp(option->name, "syslog-address") == 0) {
        options->address = option->value;
        result = log_syslog_check_address(option->value, err);
    } else if (strcmp(option->name, "syslog-facility") == 0) {
        result = read_facility(option->value, options, err);
    } else if (strcmp(option->name, "syslog-format") == 0) {
        result = read_syslog_format(option->value, options, err);
    } else {
        return 0;
    }
    return result < 0 ? result : 1;
}

/* Accepts options that ask for what davit does anyway. */
static int read_option(const char *driver, const struct string_pair *option,
                       struct log_options *options, bool *is_queued, struct error *err)
{
    bool is_file = has_files_alone(driver);
    bool has_attributes = strcmp(driver, "none") != 0;
    int result = read_syslog_option(driver, option, &options->syslog, err);

    if (result != 0)
        return result < 0 ? result : 0;
    if (strcmp(option->name, "max-size") == 0 && is_file)
        return read_size(option->value, &options->max_bytes, err);
    if (strcmp(option->name, "max-file") == 0 && is_file)
        return read_count(option->value, &options->max_files, err);
    if (strcmp(option->name, "tag") == 0 && has_attributes) {
        options->tag = option->value;
        return check_tag(option->value, err);
    }
    if ((strcmp(option->name, "labels") == 0 || strcmp(option->name, "env") == 0) && has_attributes)
        return 0;
    if (strcmp(option->name, "mode") == 0 && strcmp(option->value, "non-blocking") == 0 &&
        is_file) {
        options->queue_bytes = options->queue_bytes > 0 ? options->queue_bytes : QUEUE_BYTES;
        *is_queued = true;
        return 0;
    }
    if (strcmp(option->name, "max-buffer-size") == 0 && is_file)
        return read_size(option->value, &options->queue_bytes, err);
    if ((strcmp(option->name, "mode") == 0 && strcmp(option->value, "blocking") == 0) ||
        (strcmp(option->name, "compress") == 0 && strcmp(option->value, "false") == 0))
        return 0;
    if (strcmp(option->name, "compress") == 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "\"%.64s\": files of logs are not compressed: say false, or leave it out",
                         option->value);
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                     "\"%.64s\" is not supported by this version of davit", option->value);
}

int definition_log_options(const struct docker_log_config *config, struct log_options *options,
                           struct error *err)
{
    const char *driver = driver_of(config);
    bool has_count = false;
    bool is_queued = false;
    int result = check_driver(driver, err);

    *options = (struct log_options){.driver = driver, .max_files = 1};
    if (strcmp(driver, "json-file") != 0) {
        options->max_bytes = KEPT_FILE_BYTES;
        options->max_files = KEPT_FILES;
    }
    if (strcmp(driver, "syslog") == 0)
        options->syslog = (struct syslog_options){.facility = log_syslog_facility("daemon"),
                                                  .format = SYSLOG_LOCAL};
    for (size_t i = 0; result == 0 && i < config->config.count; i++) {
        result = read_option(driver, &config->config.items[i], options, &is_queued, err);
        has_count = has_count || strcmp(config->config.items[i].name, "max-file") == 0;
        if (result < 0)
            error_prefix(err, "HostConfig.LogConfig.Config.%.64s", config->config.items[i].name);
    }
    if (result == 0 && has_count && options->max_files > 1 && options->max_bytes == 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.LogConfig.Config.max-file: needs max-size");
    if (result == 0 && !is_queued && options->queue_bytes > 0)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "HostConfig.LogConfig.Config.max-buffer-size: needs mode=non-blocking");
    return result;
}

static bool has_option(const struct string_map *options, const char *name)
{
    for (size_t i = 0; i < options->count; i++) {
        if (strcmp(options->items[i].name, name) == 0)
            return true;
    }
    return false;
}

void definition_apply_log_defaults(struct arena *arena, struct docker_log_config *config,
                                   const struct docker_log_config *defaults)
{
    const struct string_map own = config->config;

    if (config->type == NULL || config->type[0] == '\0')
        config->type = driver_of(defaults);
    if (strcmp(config->type, driver_of(defaults)) != 0 || defaults->config.count == 0)
        return;
    config->config.items =
        arena_new(arena, own.count + defaults->config.count, sizeof(struct string_pair));
    if (own.count > 0)
        memcpy(config->config.items, own.items, own.count * sizeof(struct string_pair));
    for (size_t i = 0; i < defaults->config.count; i++) {
        if (!has_option(&own, defaults->config.items[i].name))
            config->config.items[config->config.count++] = defaults->config.items[i];
    }
}
