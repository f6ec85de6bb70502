/* Instructions: see changes.h. */
#include "changes.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/signals.h"
#include "supervisor/definition/probe.h"

#define WORDS_MAX 256 /* of one instruction */

static const char *skip_spaces(const char *text)
{
    return text + strspn(text, " \t");
}

static int too_many(struct error *err)
{
    return error_set(err, ERROR_TOO_LARGE, E2BIG, "more than %d words", WORDS_MAX);
}

/* A JSON array of words, or a line for a shell. */
static int read_command(struct arena *arena, const char *text, struct string_list *list,
                        struct error *err)
{
    const struct json *json;

    *list = (struct string_list){0};
    if (text[0] != '[' ||
        json_parse(arena, text, strlen(text), &json_default_limits, &json, NULL)) {
        string_list_append(arena, list, "/bin/sh");
        string_list_append(arena, list, "-c");
        string_list_append(arena, list, arena_strdup(arena, text));
        return 0;
    }
    if (json->count > WORDS_MAX)
        return too_many(err);
    for (size_t i = 0; i < json->count; i++) {
        if (json->items[i].type != JSON_STRING)
            return error_set(err, ERROR_INVALID, EINVAL, "expected an array of strings");
        string_list_append(arena, list, json->items[i].text);
    }
    return 0;
}

static int change_cmd(struct arena *arena, const char *text, struct image_process *process,
                      struct error *err)
{
    return read_command(arena, text, &process->cmd, err);
}

/* As in a Dockerfile: what the image passed to its former entry point means nothing to the new. */
static int change_entrypoint(struct arena *arena, const char *text, struct image_process *process,
                             struct error *err)
{
    process->cmd = (struct string_list){0};
    return read_command(arena, text, &process->entrypoint, err);
}

/* The next word; quotes and backslashes hold it together. NULL at the end. */
static const char *next_word(struct arena *arena, const char **rest)
{
    cleanup_buffer struct buffer word = {0};
    const char *text = skip_spaces(*rest);
    char quote = '\0';

    if (text[0] == '\0')
        return NULL;
    for (; *text != '\0' && (quote != '\0' || !isspace((unsigned char)*text)); text++) {
        if (quote == '\0' && (*text == '"' || *text == '\'')) {
            quote = *text;
        } else if (*text == quote) {
            quote = '\0';
        } else {
            if (*text == '\\' && text[1] != '\0' && quote != '\'')
                text++;
            buffer_append(&word, text, 1);
        }
    }
    *rest = text;
    return arena_strdup(arena, buffer_text(&word));
}

/* "a=1 b='2 3'" is two pairs, "a 1 2" is one pair. Calls `set` for each. */
static int read_pairs(struct arena *arena, const char *text, struct image_process *process,
                      void (*set)(struct arena *arena, struct image_process *process,
                                  const char *name, const char *value),
                      struct error *err)
{
    const char *rest = text;
    const char *word = next_word(arena, &rest);

    if (word == NULL)
        return error_set(err, ERROR_INVALID, EINVAL, "NAME=VALUE is expected");
    if (strchr(word, '=') == NULL) {
        set(arena, process, word, arena_strdup(arena, skip_spaces(rest)));
        return 0;
    }
    for (size_t count = 0; word != NULL; word = next_word(arena, &rest)) {
        const char *equals = strchr(word, '=');

        if (++count > WORDS_MAX)
            return too_many(err);
        if (equals == NULL || equals == word)
            return error_set(err, ERROR_INVALID, EINVAL, "\"%.64s\" is not NAME=VALUE", word);
        set(arena, process, arena_strndup(arena, word, (size_t)(equals - word)), equals + 1);
    }
    return 0;
}

static void set_env(struct arena *arena, struct image_process *process, const char *name,
                    const char *value)
{
    const char *line = arena_printf(arena, "%s=%s", name, value);
    size_t length = strlen(name) + 1;

    for (size_t i = 0; i < process->env.count; i++) {
        if (strncmp(process->env.items[i], line, length) == 0) {
            process->env.items[i] = line;
            return;
        }
    }
    string_list_append(arena, &process->env, line);
}

static int change_env(struct arena *arena, const char *text, struct image_process *process,
                      struct error *err)
{
    return read_pairs(arena, text, process, set_env, err);
}

static void set_label(struct arena *arena, struct image_process *process, const char *name,
                      const char *value)
{
    struct string_map *labels = &process->labels;

    for (size_t i = 0; i < labels->count; i++) {
        if (strcmp(labels->items[i].name, name) == 0) {
            labels->items[i].value = value;
            return;
        }
    }
    labels->items = arena_grow(arena, labels->items, labels->count, sizeof(*labels->items));
    labels->items[labels->count++] = (struct string_pair){name, value};
}

static int change_label(struct arena *arena, const char *text, struct image_process *process,
                        struct error *err)
{
    return read_pairs(arena, text, process, set_label, err);
}

static int add_members(struct arena *arena, const struct json **set,
                       const struct string_list *names, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    const char *text;
    int result;

    json_object_open(writer);
    for (size_t i = 0; *set != NULL && i < (*set)->count; i++) {
        if (string_list_has(names, (*set)->members[i].name))
            continue;
        json_key(writer, (*set)->members[i].name);
        json_value(writer, &(*set)->members[i].value);
    }
    for (size_t i = 0; i < names->count; i++) {
        json_key(writer, names->items[i]);
        json_object_open(writer);
        json_object_close(writer);
    }
    json_object_close(writer);
    text = json_writer_text(writer);
    result = json_parse(arena, text, strlen(text), &json_default_limits, set, err);
    json_writer_free(writer);
    return result;
}

static bool is_port(const char *text)
{
    size_t digits = strspn(text, "0123456789-");
    const char *protocol = text + digits;

    return digits > 0 && (strcmp(protocol, "/tcp") == 0 || strcmp(protocol, "/udp") == 0 ||
                          strcmp(protocol, "/sctp") == 0);
}

static int change_expose(struct arena *arena, const char *text, struct image_process *process,
                         struct error *err)
{
    struct string_list ports = {0};
    const char *word;

    while ((word = next_word(arena, &text)) != NULL) {
        const char *port = strchr(word, '/') != NULL ? word : arena_printf(arena, "%s/tcp", word);

        if (ports.count == WORDS_MAX)
            return too_many(err);
        if (!is_port(port))
            return error_set(err, ERROR_INVALID, EINVAL, "\"%.64s\" is not PORT[/PROTOCOL]", word);
        string_list_append(arena, &ports, port);
    }
    return add_members(arena, &process->exposed_ports, &ports, err);
}

static int change_volume(struct arena *arena, const char *text, struct image_process *process,
                         struct error *err)
{
    struct string_list paths = {0};
    const char *word;

    if (text[0] == '[') {
        if (read_command(arena, text, &paths, err) < 0)
            return -EINVAL;
    } else {
        while (paths.count <= WORDS_MAX && (word = next_word(arena, &text)) != NULL)
            string_list_append(arena, &paths, word);
    }
    if (paths.count > WORDS_MAX)
        return too_many(err);
    for (size_t i = 0; i < paths.count; i++) {
        if (paths.items[i][0] != '/')
            return error_set(err, ERROR_INVALID, EINVAL, "\"%.128s\" is not an absolute path",
                             paths.items[i]);
    }
    return add_members(arena, &process->volumes, &paths, err);
}

/* "--interval=30s" and the like, before the command. */
static int read_health_option(const char *word, struct probe_definition *health, struct error *err)
{
    const struct {
        const char *name;
        int64_t *time_ns;
    } times[] = {{"--interval=", &health->interval_ns},
                 {"--timeout=", &health->timeout_ns},
                 {"--start-period=", &health->start_period_ns},
                 {"--start-interval=", &health->start_interval_ns}};

    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        size_t length = strlen(times[i].name);

        if (strncmp(word, times[i].name, length) != 0)
            continue;
        return clock_parse_duration(word + length, times[i].time_ns) == 0
                   ? 0
                   : error_set(err, ERROR_INVALID, EINVAL, "\"%.64s\": not a duration", word);
    }
    if (strncmp(word, "--retries=", 10) == 0) {
        if (number_parse(word + 10, 0, INT32_MAX, &health->retries))
            return 0;
    }
    return error_set(err, ERROR_INVALID, EINVAL, "unknown option \"%.64s\"", word);
}

/* "[OPTION...] CMD command" or "NONE". */
static int read_health(struct arena *arena, const char *text, struct probe_definition *health,
                       struct error *err)
{
    struct string_list command;
    const char *word = next_word(arena, &text);
    int result = 0;

    for (; result == 0 && word != NULL && strncmp(word, "--", 2) == 0;
         word = next_word(arena, &text))
        result = read_health_option(word, health, err);
    if (result < 0)
        return result;
    if (word != NULL && strcasecmp(word, "NONE") == 0) {
        string_list_append(arena, &health->test, "NONE");
        return 0;
    }
    text = skip_spaces(text);
    if (word == NULL || strcasecmp(word, "CMD") != 0 || text[0] == '\0')
        return error_set(err, ERROR_INVALID, EINVAL, "CMD and a command, or NONE, is expected");
    string_list_append(arena, &health->test, text[0] == '[' ? "CMD" : "CMD-SHELL");
    if (text[0] != '[') {
        string_list_append(arena, &health->test, arena_strdup(arena, text));
        return 0;
    }
    result = read_command(arena, text, &command, err);
    for (size_t i = 0; result == 0 && i < command.count; i++)
        string_list_append(arena, &health->test, command.items[i]);
    return result;
}

static int change_healthcheck(struct arena *arena, const char *text, struct image_process *process,
                              struct error *err)
{
    struct probe_definition health = {0};
    struct json_writer *writer;
    int result = read_health(arena, text, &health, err);

    if (result == 0)
        result = probe_check(&health, "Healthcheck", err);
    if (result < 0)
        return result;
    writer = json_writer_new(false);
    json_encode(writer, &probe_healthcheck_type, &health);
    text = json_writer_text(writer);
    result =
        json_parse(arena, text, strlen(text), &json_default_limits, &process->healthcheck, err);
    json_writer_free(writer);
    return result;
}

static int change_user(struct arena *arena, const char *text, struct image_process *process,
                       struct error *err)
{
    (void)err;
    process->user = arena_strdup(arena, text);
    return 0;
}

static int change_workdir(struct arena *arena, const char *text, struct image_process *process,
                          struct error *err)
{
    const char *base = process->working_dir != NULL ? process->working_dir : "";

    (void)err;
    process->working_dir =
        text[0] == '/' ? arena_strdup(arena, text) : arena_printf(arena, "%s/%s", base, text);
    return 0;
}

static int change_stop_signal(struct arena *arena, const char *text, struct image_process *process,
                              struct error *err)
{
    if (signal_parse(text) < 0)
        return error_set(err, ERROR_INVALID, EINVAL, "unknown signal \"%.32s\"", text);
    process->stop_signal = arena_strdup(arena, text);
    return 0;
}

static const struct {
    const char *name;
    int (*apply)(struct arena *arena, const char *text, struct image_process *process,
                 struct error *err);
} instructions[] = {
    {"CMD", change_cmd},
    {"ENTRYPOINT", change_entrypoint},
    {"ENV", change_env},
    {"EXPOSE", change_expose},
    {"HEALTHCHECK", change_healthcheck},
    {"LABEL", change_label},
    {"STOPSIGNAL", change_stop_signal},
    {"USER", change_user},
    {"VOLUME", change_volume},
    {"WORKDIR", change_workdir},
};

int image_change(struct arena *arena, const char *instruction, struct image_process *process,
                 struct error *err)
{
    const char *name = skip_spaces(instruction);
    size_t length = strcspn(name, " \t");
    const char *text = skip_spaces(name + length);

    for (size_t i = 0; i < ARRAY_SIZE(instructions); i++) {
        int result;

        if (strlen(instructions[i].name) != length ||
            strncasecmp(instructions[i].name, name, length) != 0)
            continue;
        if (text[0] == '\0')
            return error_set(err, ERROR_INVALID, EINVAL, "change %s: a value is missing",
                             instructions[i].name);
        result = instructions[i].apply(arena, text, process, err);
        return result < 0 ? error_prefix(err, "change %s", instructions[i].name) : 0;
    }
    return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                     "change \"%.32s\": only CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, "
                     "STOPSIGNAL, USER, VOLUME and WORKDIR are supported",
                     name);
}
