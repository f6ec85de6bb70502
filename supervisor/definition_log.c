/* HostConfig.LogConfig: see definition.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "definition.h"
#include "log_files.h"
#include "log_journal.h"

/* Of the file beside the journal, from which `logs` reads. */
#define JOURNAL_FILE_BYTES (20 << 20)
#define JOURNAL_FILES 5
#define SIZE_MIN 1024
#define QUEUE_BYTES (1 << 20) /* as Docker's */

static const char *driver_of(const struct docker_log_config *config)
{
    return config->type != NULL && config->type[0] != '\0' ? config->type : "json-file";
}

static int check_driver(const char *driver, struct error *err)
{
    bool is_journal = strcmp(driver, "journald") == 0;

    if (is_journal && access(LOG_JOURNAL_SOCKET, F_OK) < 0)
        return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                         "HostConfig.LogConfig.Type: journald does not run on this host");
    if (is_journal || strcmp(driver, "json-file") == 0 || strcmp(driver, "none") == 0)
        return 0;
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                     "HostConfig.LogConfig.Type: \"%.64s\" is not supported by this version of "
                     "davit; use json-file, journald or none",
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
    char *end;
    long number = strtol(text, &end, 10);

    if (end == text || *end != '\0' || number < 1 || number > LOG_FILES_MAX)
        return error_set(err, ERROR_INVALID, EINVAL, "\"%.32s\" is not a number from 1 to %d", text,
                         LOG_FILES_MAX);
    *count = (uint32_t)number;
    return 0;
}

/* An option that says what is done anyhow is no error. */
static int read_option(const char *driver, const struct string_pair *option,
                       struct log_options *options, bool *is_queued, struct error *err)
{
    bool is_file = strcmp(driver, "json-file") == 0;

    if (strcmp(option->name, "max-size") == 0 && is_file)
        return read_size(option->value, &options->max_bytes, err);
    if (strcmp(option->name, "max-file") == 0 && is_file)
        return read_count(option->value, &options->max_files, err);
    if (strcmp(option->name, "tag") == 0 && strcmp(driver, "journald") == 0) {
        options->tag = option->value;
        return 0;
    }
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
    if (strcmp(driver, "journald") == 0) {
        options->max_bytes = JOURNAL_FILE_BYTES;
        options->max_files = JOURNAL_FILES;
    }
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
