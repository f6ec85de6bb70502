/* HostConfig.SecurityOpt: what confines a container. See definition.h. */
#include <errno.h>
#include <string.h>

#include "definition.h"

/* What an option is about, and what is done with its value. */
struct reader {
    struct arena *arena;
    struct definition_security *security;
    struct selinux_parts parts;
    bool changes_labels;
    struct error *err;
};

static int read_no_new_privileges(struct reader *reader, const char *value)
{
    if (value[0] != '\0' && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return error_set(reader->err, ERROR_INVALID, EINVAL,
                         "no-new-privileges: \"%.32s\" is neither true nor false", value);
    reader->security->no_new_privileges = strcmp(value, "false") != 0;
    return 0;
}

static int read_seccomp(struct reader *reader, const char *value)
{
    reader->security->seccomp =
        strcmp(value, "unconfined") == 0 ? SECCOMP_UNCONFINED : SECCOMP_PROFILE;
    reader->security->profile = arena_strdup(reader->arena, value);
    return 0;
}

/* "exec NAME" is what the kernel is told (apparmor.d(5) has what a name may be): one word. */
static int read_apparmor(struct reader *reader, const char *value)
{
    if (value[0] == '\0' || strpbrk(value, " \t\n") != NULL || strlen(value) > 255)
        return error_set(reader->err, ERROR_INVALID, EINVAL,
                         "apparmor: \"%.64s\" is neither unconfined nor the name of a profile",
                         value);
    reader->security->takes_default_apparmor = false;
    reader->security->apparmor_profile =
        strcmp(value, "unconfined") == 0 ? NULL : arena_strdup(reader->arena, value);
    return 0;
}

static int read_system_paths(struct reader *reader, const char *value)
{
    if (strcmp(value, "unconfined") != 0)
        return error_set(reader->err, ERROR_INVALID, EINVAL,
                         "systempaths: \"%.32s\" is not unconfined", value);
    reader->security->shows_all_paths = true;
    return 0;
}

static bool is_part(const char *text)
{
    return text[0] != '\0' && strpbrk(text, " \t\n") == NULL && strlen(text) < 256;
}

/* "disable", or "type:NAME" and its like. Only a level may have colons in it. */
static int read_label(struct reader *reader, const char *value)
{
    const struct {
        const char *name;
        const char **part;
    } names[] = {
        {"user:", &reader->parts.user},   {"role:", &reader->parts.role},
        {"type:", &reader->parts.type},   {"filetype:", &reader->parts.file_type},
        {"level:", &reader->parts.level},
    };

    if (strcmp(value, "disable") == 0) {
        reader->security->has_no_label = true;
        return 0;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t length = strlen(names[i].name);

        if (strncmp(value, names[i].name, length) == 0 && is_part(value + length) &&
            (strcmp(names[i].name, "level:") == 0 || strchr(value + length, ':') == NULL)) {
            *names[i].part = arena_strdup(reader->arena, value + length);
            reader->changes_labels = true;
            return 0;
        }
    }
    return error_set(reader->err, ERROR_INVALID, EINVAL,
                     "label: \"%.64s\" is neither disable nor user:, role:, type:, level: or "
                     "filetype: with a name",
                     value);
}

static int read_option(struct reader *reader, const char *option)
{
    static const struct {
        const char *name;
        int (*read)(struct reader *reader, const char *value);
    } options[] = {
        {"no-new-privileges", read_no_new_privileges},
        {"seccomp", read_seccomp},
        {"apparmor", read_apparmor},
        {"systempaths", read_system_paths},
        {"label", read_label},
    };
    size_t length = strcspn(option, "=:");

    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
        if (strlen(options[i].name) == length && strncmp(options[i].name, option, length) == 0)
            return options[i].read(reader, option[length] != '\0' ? option + length + 1 : "");
    }
    return error_set(reader->err, ERROR_UNSUPPORTED, ENOTSUP,
                     "\"%.64s\" is not supported by this version of davit", option);
}

/* Who shares the host's processes or their memory is not told from them by a label, unless somebody
 * says by which. */
static bool has_label(const struct docker_host_config *host, const struct reader *reader)
{
    return !reader->security->has_no_label &&
           (reader->changes_labels || (!host->is_privileged && !mode_is_host(host->pid_mode) &&
                                       !mode_is_host(host->ipc_mode)));
}

static int choose_labels(struct reader *reader, const struct definition *definition,
                         const struct selinux_contexts *contexts)
{
    struct definition_security *security = reader->security;

    if (contexts->process == NULL && reader->changes_labels)
        return error_set(
            reader->err, ERROR_UNSUPPORTED, ENOTSUP,
            "label: not supported: this host has no SELinux, or no contexts for containers "
            "(lxc_contexts(5))");
    if (contexts->process == NULL || !has_label(&definition->host_config, reader))
        return 0;
    security->wants_level = reader->parts.level == NULL;
    if (reader->parts.level == NULL)
        reader->parts.level = definition->selinux_level;
    selinux_change(reader->arena, contexts, &reader->parts, &security->labels);
    return 0;
}

int definition_security(struct arena *arena, const struct definition *definition,
                        const struct selinux_contexts *contexts,
                        struct definition_security *security, struct error *err)
{
    const struct string_list *options = &definition->host_config.security_opt;
    struct reader reader = {.arena = arena, .security = security, .err = err};
    int result = 0;

    *security = (struct definition_security){
        .seccomp = definition->host_config.is_privileged ? SECCOMP_UNCONFINED : SECCOMP_DEFAULT,
        .takes_default_apparmor = !definition->host_config.is_privileged};
    for (size_t i = 0; result == 0 && i < options->count; i++) {
        result = read_option(&reader, options->items[i]);
        if (result < 0)
            error_prefix(err, "HostConfig.SecurityOpt[%zu]", i);
    }
    if (result == 0) {
        result = choose_labels(&reader, definition, contexts);
        if (result < 0)
            error_prefix(err, "HostConfig.SecurityOpt");
    }
    return result;
}
