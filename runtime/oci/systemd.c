/* Speaking to systemd by the helper program davit-scope: see systemd.h. */
#include "systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/build.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/number.h"
#include "cgroups/systemd/scope.h"

#define HELPER "davit-scope"
#define HELPER_OUTPUT_MAX 8192
#define PROPERTIES_MAX 160
#define ANNOTATION_PREFIX "org.systemd.property."

static char helper_path[PATH_MAX];

void systemd_find_helper(const char *argv0)
{
    static const char *const places[] = {"../libexec/davit/" HELPER, HELPER};
    const char *directory = getenv("DAVIT_LIBEXEC");
    const char *slash = strrchr(argv0, '/');

    /* An installation that was moved as a whole finds its own. */
    for (size_t i = 0; directory == NULL && slash != NULL && i < ARRAY_SIZE(places); i++) {
        snprintf(helper_path, sizeof(helper_path), "%.*s/%s", (int)(slash - argv0), argv0,
                 places[i]);
        if (access(helper_path, X_OK) == 0)
            return;
    }
    snprintf(helper_path, sizeof(helper_path), "%s/" HELPER,
             directory != NULL ? directory : davit_libexecdir);
}

static _Noreturn void execute_helper(const char *command, int input_fd, int output_fd)
{
    char *const arguments[] = {(char[]){HELPER}, strdup(command), NULL};
    char *const environment[] = {NULL};

    if (dup2(input_fd, STDIN_FILENO) >= 0 && dup2(output_fd, STDOUT_FILENO) >= 0 &&
        dup2(output_fd, STDERR_FILENO) >= 0)
        execve(helper_path, arguments, environment);
    _exit(127);
}

/* Both streams of the helper come back in `output`: its answer, or what went wrong. */
static int run_helper(const char *command, const struct systemd_scope *scope, struct buffer *output,
                      struct error *err)
{
    struct json_writer *writer = json_writer_new(false);
    cleanup_close int input_fd = -1;
    cleanup_close int read_fd = -1;
    int fds[2];
    int status = -1;
    pid_t pid;

    json_encode(writer, &systemd_scope_type, scope);
    input_fd = file_in_memory("scope", json_writer_text(writer), strlen(json_writer_text(writer)));
    json_writer_free(writer);
    if (input_fd < 0 || pipe2(fds, O_CLOEXEC) < 0)
        return error_errno(err, input_fd < 0 ? -input_fd : errno, "run " HELPER);
    read_fd = fds[0];
    pid = fork();
    if (pid == 0)
        execute_helper(command, input_fd, fds[1]);
    close(fds[1]);
    if (pid < 0)
        return error_errno(err, errno, "run " HELPER);
    file_read_fd(read_fd, HELPER_OUTPUT_MAX, output);
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return error_set(err, ERROR_UNSUPPORTED, ENOENT,
                         "--systemd-cgroup needs the program " HELPER " at %s; DAVIT_LIBEXEC names "
                         "another directory",
                         helper_path);
    return error_set(err, ERROR_INTERNAL, EIO, "systemd: %.*s",
                     (int)strcspn(buffer_text(output), "\n"), buffer_text(output));
}

/* Settings that systemd has a property for; the others are ours alone. */
static const struct {
    const char *file;
    const char *property;
    enum systemd_property_kind kind;
} translations[] = {
    {"cpu.weight", "CPUWeight", SYSTEMD_PROPERTY_UINT64},
    {"cpuset.cpus", "AllowedCPUs", SYSTEMD_PROPERTY_CPUS},
    {"cpuset.mems", "AllowedMemoryNodes", SYSTEMD_PROPERTY_CPUS},
    {"io.weight", "IOWeight", SYSTEMD_PROPERTY_UINT64},
    {"memory.high", "MemoryHigh", SYSTEMD_PROPERTY_UINT64},
    {"memory.low", "MemoryLow", SYSTEMD_PROPERTY_UINT64},
    {"memory.max", "MemoryMax", SYSTEMD_PROPERTY_UINT64},
    {"memory.min", "MemoryMin", SYSTEMD_PROPERTY_UINT64},
    {"memory.swap.max", "MemorySwapMax", SYSTEMD_PROPERTY_UINT64},
    {"pids.max", "TasksMax", SYSTEMD_PROPERTY_UINT64},
};

static struct systemd_property *add_property(struct systemd_scope *scope, const char *name,
                                             int kind)
{
    struct systemd_property *property = &scope->properties.items[scope->properties.count];

    if (scope->properties.count == PROPERTIES_MAX)
        return NULL;
    scope->properties.count++;
    *property = (struct systemd_property){.name = name, .kind = kind};
    return property;
}

static void add_number(struct systemd_scope *scope, const char *name, int kind, uint64_t number)
{
    struct systemd_property *property = add_property(scope, name, kind);

    if (property != NULL)
        property->number = (int64_t)number;
}

/* "QUOTA PERIOD": systemd wants the quota of a second, in whole hundredths of it. */
static void add_cpu_max(struct systemd_scope *scope, const char *value)
{
    char *end;
    uint64_t quota = strtoull(value, &end, 10);
    uint64_t period = *end == ' ' ? strtoull(end + 1, NULL, 10) : 100000;
    bool is_unlimited = end == value;

    if (is_unlimited)
        period = value[3] == ' ' ? strtoull(value + 4, NULL, 10) : 100000;
    if (period == 0 || period > 1000000)
        return;
    if (!is_unlimited)
        quota = (quota * 1000000 / period + 9999) / 10000 * 10000;
    add_number(scope, "CPUQuotaPerSecUSec", SYSTEMD_PROPERTY_UINT64,
               is_unlimited ? UINT64_MAX : quota);
    add_number(scope, "CPUQuotaPeriodUSec", SYSTEMD_PROPERTY_UINT64, period);
}

static void add_setting(struct systemd_scope *scope, const struct cgroup_setting *setting)
{
    const char *value = setting->value;

    if (strcmp(setting->file, "cpu.max") == 0)
        add_cpu_max(scope, value);
    if (strcmp(setting->file, "io.weight") == 0) {
        /* "default N"; weights of single devices are ours alone */
        if (strncmp(value, "default ", 8) != 0)
            return;
        value += 8;
    }
    for (size_t i = 0; i < ARRAY_SIZE(translations); i++) {
        struct systemd_property *property;

        if (strcmp(setting->file, translations[i].file) != 0)
            continue;
        property = add_property(scope, translations[i].property, translations[i].kind);
        if (property == NULL)
            return;
        property->text = value;
        property->number = strcmp(value, "max") == 0 ? -1 : (int64_t)strtoull(value, NULL, 10);
    }
}

/* Reads a quoted string into the arena. Returns what follows it, or NULL if there is none. */
static const char *parse_quoted(struct arena *arena, const char *text, const char **string)
{
    char quote = text[0];
    const char *end = quote == '\'' || quote == '"' ? strchr(text + 1, quote) : NULL;

    if (end == NULL)
        return NULL;
    *string = arena_strndup(arena, text + 1, (size_t)(end - text - 1));
    return end + 1;
}

static bool parse_list(struct arena *arena, const char *text, struct systemd_property *property)
{
    property->kind = SYSTEMD_PROPERTY_STRINGS;
    for (text++; *text != ']'; text += strspn(text, ", ")) {
        const char *item;

        text += strspn(text, " ");
        text = parse_quoted(arena, text, &item);
        if (text == NULL)
            return false;
        string_list_append(arena, &property->texts, item);
    }
    return text[1] == '\0';
}

static bool parse_number(const char *text, struct systemd_property *property)
{
    static const struct {
        const char *prefix;
        int kind;
    } types[] = {
        {"int32 ", SYSTEMD_PROPERTY_INT32},   {"int64 ", SYSTEMD_PROPERTY_INT64},
        {"uint32 ", SYSTEMD_PROPERTY_UINT32}, {"uint64 ", SYSTEMD_PROPERTY_UINT64},
        {"", SYSTEMD_PROPERTY_INT32}, /* GVariant's default */
    };

    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        size_t length = strlen(types[i].prefix);
        uint64_t number;

        if (strncmp(text, types[i].prefix, length) != 0)
            continue;
        property->kind = types[i].kind;
        if (number_parse(text + length, INT64_MIN, INT64_MAX, &property->number))
            return true;
        if (!number_parse_unsigned(text + length, UINT64_MAX, &number))
            return false;
        property->number = (int64_t)number;
        return true;
    }
    return false;
}

/* A value in GVariant's text format, as far as unit properties need it. */
static bool parse_variant(struct arena *arena, const char *text, struct systemd_property *property)
{
    const char *rest;

    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0) {
        property->kind = SYSTEMD_PROPERTY_BOOL;
        property->number = text[0] == 't';
        return true;
    }
    if (text[0] == '[')
        return parse_list(arena, text, property);
    if (text[0] == '\'' || text[0] == '"') {
        property->kind = SYSTEMD_PROPERTY_STRING;
        rest = parse_quoted(arena, text, &property->text);
        return rest != NULL && *rest == '\0';
    }
    return parse_number(text, property);
}

/* Annotations "org.systemd.property.NAME": times may be given in seconds, as in unit files. */
static int add_annotations(struct arena *arena, struct systemd_scope *scope,
                           const struct string_map *annotations, struct error *err)
{
    for (size_t i = 0; i < annotations->count; i++) {
        const struct string_pair *pair = &annotations->items[i];
        const char *name = pair->name + strlen(ANNOTATION_PREFIX);
        struct systemd_property *property;
        size_t length;

        if (strncmp(pair->name, ANNOTATION_PREFIX, strlen(ANNOTATION_PREFIX)) != 0)
            continue;
        property = add_property(scope, name, SYSTEMD_PROPERTY_UNSET);
        if (property == NULL || !parse_variant(arena, pair->value, property))
            return error_set(err, ERROR_INVALID, EINVAL,
                             "annotations.%s: \"%.64s\" is not a value like true, 5, uint64 5, "
                             "'text' or ['text']",
                             pair->name, pair->value);
        length = strlen(name);
        if (length > 3 && strcmp(name + length - 3, "Sec") == 0 &&
            property->kind != SYSTEMD_PROPERTY_STRING) {
            property->name = arena_printf(arena, "%.*sUSec", (int)length - 3, name);
            property->kind = SYSTEMD_PROPERTY_UINT64;
            property->number *= 1000000;
        }
    }
    return 0;
}

/* "slice:prefix:name"; each may be empty. */
static int name_scope(struct arena *arena, const char *id, const char *path,
                      struct systemd_scope *scope, struct error *err)
{
    char *copy;
    char *prefix;
    char *name;

    if (path == NULL || path[0] == '\0')
        path = arena_printf(arena, "system.slice:davit:%s", id);
    copy = arena_strdup(arena, path);
    prefix = strchr(copy, ':');
    name = prefix != NULL ? strchr(prefix + 1, ':') : NULL;
    if (name == NULL || name[1] == '\0' || strchr(name + 1, ':') != NULL ||
        strchr(path, '/') != NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "linux.cgroupsPath: \"%.128s\" is not \"slice:prefix:name\", as "
                         "--systemd-cgroup wants it",
                         path);
    *prefix++ = '\0';
    *name++ = '\0';
    scope->slice = copy[0] != '\0' ? copy : "system.slice";
    scope->unit = prefix[0] != '\0' ? arena_printf(arena, "%s-%s.scope", prefix, name)
                                    : arena_printf(arena, "%s.scope", name);
    return 0;
}

static void add_settings(struct systemd_scope *scope, const struct cgroup_settings *settings)
{
    for (size_t i = 0; i < settings->count; i++)
        add_setting(scope, &settings->items[i]);
}

int scope_start(struct arena *arena, const char *id, const struct oci_config *config,
                const struct cgroup_settings *settings, pid_t pid, const char **unit,
                const char **path, struct error *err)
{
    static const char *const accounting[] = {"CPUAccounting", "MemoryAccounting", "IOAccounting",
                                             "TasksAccounting"};
    cleanup_buffer struct buffer output = {0};
    struct systemd_scope scope = {.pid = pid};
    int result = name_scope(arena, id, config->linux->cgroups_path, &scope, err);

    if (result < 0)
        return result;
    scope.description = arena_printf(arena, "Container %s", id);
    scope.properties.items = arena_new(arena, PROPERTIES_MAX, sizeof(struct systemd_property));
    for (size_t i = 0; i < ARRAY_SIZE(accounting); i++)
        add_number(&scope, accounting[i], SYSTEMD_PROPERTY_BOOL, 1);
    add_number(&scope, "DefaultDependencies", SYSTEMD_PROPERTY_BOOL, 0);
    add_settings(&scope, settings);
    result = add_annotations(arena, &scope, &config->annotations, err);
    if (result == 0)
        result = run_helper("start", &scope, &output, err);
    if (result < 0)
        return result;
    *unit = scope.unit;
    *path = arena_strndup(arena, buffer_text(&output), strcspn(buffer_text(&output), "\n"));
    return 0;
}

int scope_update(const char *unit, const struct cgroup_settings *settings, struct error *err)
{
    cleanup_buffer struct buffer output = {0};
    cleanup_arena struct arena arena = {0};
    struct systemd_scope scope = {.unit = unit};

    scope.properties.items = arena_new(&arena, PROPERTIES_MAX, sizeof(struct systemd_property));
    add_settings(&scope, settings);
    if (scope.properties.count == 0)
        return 0;
    return run_helper("set", &scope, &output, err);
}

int scope_stop(const char *unit, struct error *err)
{
    cleanup_buffer struct buffer output = {0};
    struct systemd_scope scope = {.unit = unit};

    return run_helper("stop", &scope, &output, err);
}
