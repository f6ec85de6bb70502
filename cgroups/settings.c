/* Settings: values for a cgroup's files, checked before they are written. */
#include "cgroups.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "internal.h"

int cgroup_settings_add(struct cgroup_settings *settings, const char *option, const char *file,
                        const char *format, ...)
{
    cleanup_free char *value = NULL;
    va_list arguments;

    if (settings->count == ARRAY_SIZE(settings->items))
        return -E2BIG;
    va_start(arguments, format);
    if (vasprintf(&value, format, arguments) < 0)
        value = NULL;
    va_end(arguments);
    if (value == NULL)
        return -ENOMEM;
    settings->items[settings->count++] = (struct cgroup_setting){
        .file = arena_strdup(&settings->arena, file),
        .value = arena_strdup(&settings->arena, value),
        .option = arena_strdup(&settings->arena, option),
    };
    return 0;
}

void cgroup_settings_drop(struct cgroup_settings *settings, const char *file, const char *value)
{
    size_t kept = 0;

    for (size_t i = 0; i < settings->count; i++) {
        if (strcmp(settings->items[i].file, file) != 0 ||
            strcmp(settings->items[i].value, value) != 0)
            settings->items[kept++] = settings->items[i];
    }
    settings->count = kept;
}

void cgroup_settings_release(struct cgroup_settings *settings)
{
    arena_release(&settings->arena);
    settings->count = 0;
}

static int controller_of(const struct cgroup_setting *setting, unsigned int *controller,
                         struct error *err)
{
    size_t length = strcspn(setting->file, ".");

    *controller = cgroup_controller_by_name(setting->file, length);
    /* "cgroup." files are the core's; of those only settings that are values may be written. */
    if (strcmp(setting->file, "cgroup.max.descendants") == 0 ||
        strcmp(setting->file, "cgroup.max.depth") == 0)
        return 0;
    if (*controller == 0 || strchr(setting->file, '/') != NULL)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "%s: \"%.64s\" is not a setting of a cgroup2 controller", setting->option,
                         setting->file);
    return 0;
}

int cgroup_settings_controllers(const struct cgroup_settings *settings, unsigned int *controllers,
                                struct error *err)
{
    *controllers = 0;
    for (size_t i = 0; i < settings->count; i++) {
        unsigned int one;
        int result = controller_of(&settings->items[i], &one, err);

        if (result < 0)
            return result;
        *controllers |= one;
    }
    return 0;
}

int cgroup_check_settings(const struct cgroup_hierarchy *hierarchy,
                          const struct cgroup_settings *settings, struct error *err)
{
    for (size_t i = 0; i < settings->count; i++) {
        unsigned int controller;
        int result = controller_of(&settings->items[i], &controller, err);

        if (result < 0)
            return result;
        if (controller != 0 && (controller & hierarchy->available) == 0)
            return error_set(err, ERROR_INVALID, ENOTSUP,
                             "%s: this host's cgroup2 at %s has no %s controller, so the limit "
                             "could not be enforced (is it used by cgroup v1?)",
                             settings->items[i].option, hierarchy->path,
                             cgroup_controller_name(controller));
    }
    return 0;
}

int cgroup_apply(const struct cgroup *cgroup, const struct cgroup_settings *settings,
                 struct error *err)
{
    for (size_t i = 0; i < settings->count; i++) {
        const struct cgroup_setting *setting = &settings->items[i];
        int result = file_write_value(cgroup->fd, setting->file, setting->value);

        /* Whether swap is accounted is a choice of the kernel configuration. Without it no swap
         * limit can be enforced, so the setting is refused by its name. */
        if (result == -ENOENT && strcmp(setting->file, "memory.swap.max") == 0)
            return error_set(err, ERROR_UNSUPPORTED, ENOTSUP,
                             "%s: this kernel does not account swap (memory.swap.max is missing)",
                             setting->option);
        /* Kernels before 5.7 cannot limit reservations of huge pages. The limit of their use, which
         * comes next, holds without that. */
        if (result == -ENOENT && strstr(setting->file, ".rsvd.max") != NULL)
            continue;
        if (result < 0)
            return error_errno(err, -result, "%s: write \"%s\" to %s%s/%s", setting->option,
                               setting->value, "cgroup ", cgroup->path, setting->file);
    }
    return 0;
}
