/* Devices of the host that a container may use: HostConfig.Devices, DeviceCgroupRules and those of
 * privileged containers. See definition.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "definition.h"

#define DEPTH_MAX 8
#define DEVICES_MAX 4096

struct device_list {
    struct arena *arena;
    struct bundle_options *options;
    const char *access; /* of the rules; NULL: there is one for all */
    size_t room;
    struct error *err;
};

static void add_rule(struct device_list *list, const struct oci_device_rule *rule)
{
    struct bundle_options *options = list->options;

    options->device_rules.items = arena_grow(list->arena, options->device_rules.items,
                                             options->device_rules.count, sizeof(*rule));
    options->device_rules.items[options->device_rules.count++] = *rule;
}

static int add_device(struct device_list *list, const char *path, const struct stat *status)
{
    const char *type = S_ISCHR(status->st_mode) ? "c" : "b";
    int64_t device_major = major(status->st_rdev);
    int64_t device_minor = minor(status->st_rdev);

    if (list->options->devices.count == list->room) {
        size_t room = list->room * 2 + 16;
        struct oci_device *devices = arena_new(list->arena, room, sizeof(*devices));

        if (list->room >= DEVICES_MAX)
            return error_set(list->err, ERROR_TOO_LARGE, E2BIG, "more than %d devices",
                             DEVICES_MAX);
        if (list->room > 0)
            memcpy(devices, list->options->devices.items, list->room * sizeof(*devices));
        list->options->devices.items = devices;
        list->room = room;
    }
    list->options->devices.items[list->options->devices.count++] = (struct oci_device){
        .path = arena_strdup(list->arena, path),
        .type = type,
        .major = device_major,
        .minor = device_minor,
        .file_mode = {true, status->st_mode & 07777},
        .uid = status->st_uid,
        .gid = status->st_gid,
    };
    if (list->access != NULL)
        add_rule(list, &(struct oci_device_rule){.is_allowed = true,
                                                 .type = type,
                                                 .major = {true, device_major},
                                                 .minor = {true, device_minor},
                                                 .access = list->access});
    return 0;
}

/* What every container has of its own. */
static bool is_standard(const char *path)
{
    static const char *const names[] = {"/dev/null",    "/dev/zero", "/dev/full",    "/dev/random",
                                        "/dev/urandom", "/dev/tty",  "/dev/console", "/dev/ptmx",
                                        "/dev/pts",     "/dev/shm",  "/dev/mqueue",  "/dev/fd"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(path, names[i]) == 0)
            return true;
    }
    return false;
}

/* The device at directory_fd/name, or all below it. It is called `path` in the container. */
static int add_tree(struct device_list *list, int directory_fd, const char *name, const char *path,
                    int depth)
{
    cleanup_dir DIR *dir = NULL;
    struct dirent *entry;
    struct stat status;
    int result = 0;
    int fd;

    /* A device may go while it is looked for. */
    if (is_standard(path) || fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode))
        return add_device(list, path, &status);
    if (!S_ISDIR(status.st_mode) || depth == DEPTH_MAX)
        return 0;
    fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    dir = fd >= 0 ? fdopendir(fd) : NULL;
    while (dir != NULL && result == 0 && (entry = readdir(dir)) != NULL) {
        cleanup_free char *below = memory_printf("%s/%s", path, entry->d_name);

        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = add_tree(list, fd, entry->d_name, below, depth + 1);
    }
    return result;
}

static int add_asked_for(struct device_list *list, const struct docker_device *device)
{
    const char *inside = device->path_inside != NULL && device->path_inside[0] != '\0'
                             ? device->path_inside
                             : device->path;
    size_t before = list->options->devices.count;
    struct stat status;
    int result;

    list->access = device->access != NULL && device->access[0] != '\0' ? device->access : "rwm";
    if (device->path == NULL || device->path[0] != '/' || inside[0] != '/')
        return error_set(list->err, ERROR_INVALID, EINVAL, "paths must be absolute");
    if (strspn(list->access, "rwm") != strlen(list->access))
        return error_set(list->err, ERROR_INVALID, EINVAL,
                         "CgroupPermissions: \"%.16s\" is not made of r, w and m", list->access);
    if (stat(device->path, &status) < 0)
        return error_errno(list->err, errno, "%.128s", device->path);
    result = S_ISDIR(status.st_mode) ? add_tree(list, AT_FDCWD, device->path, inside, 0)
             : S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)
                 ? add_device(list, inside, &status)
                 : 0;
    if (result == 0 && list->options->devices.count == before)
        return error_set(list->err, ERROR_INVALID, ENODEV, "%.128s is no device", device->path);
    return result;
}

/* "*" is any. */
static bool take_device_number(const char **text, struct optional_int64 *number)
{
    uint64_t value;

    if (**text == '*') {
        (*text)++;
        return true;
    }
    if (!number_take(text, 10, UINT32_MAX, &value))
        return false;
    *number = (struct optional_int64){true, (int64_t)value};
    return true;
}

/* "c 1:3 rwm", with "*" for any number and "a" for all kinds. */
static int add_written_rule(struct device_list *list, const char *text)
{
    struct oci_device_rule rule = {.is_allowed = true};
    const char *rest = text + 1;

    if (text[0] == '\0' || strchr("abc", text[0]) == NULL || *rest++ != ' ' ||
        !take_device_number(&rest, &rule.major) || *rest++ != ':' ||
        !take_device_number(&rest, &rule.minor) || *rest++ != ' ' || rest[0] == '\0' ||
        strspn(rest, "rwm") != strlen(rest) || strlen(rest) > 3)
        return error_set(list->err, ERROR_INVALID, EINVAL,
                         "HostConfig.DeviceCgroupRules: \"%.64s\" is not like \"c 1:3 rwm\"", text);
    rule.type = arena_strndup(list->arena, text, 1);
    rule.access = arena_strdup(list->arena, rest);
    add_rule(list, &rule);
    return 0;
}

int definition_make_devices(struct arena *arena, const struct docker_host_config *host,
                            struct bundle_options *options, struct error *err)
{
    struct device_list list = {.arena = arena, .options = options, .err = err};
    int result = 0;

    if (host->is_privileged) {
        add_rule(&list, &(struct oci_device_rule){.is_allowed = true, .access = "rwm"});
        result = add_tree(&list, AT_FDCWD, "/dev", "/dev", 0);
    }
    for (size_t i = 0; result == 0 && i < host->devices.count; i++) {
        result = add_asked_for(&list, &host->devices.items[i]);
        if (result < 0)
            error_prefix(err, "HostConfig.Devices[%zu]", i);
    }
    for (size_t i = 0; result == 0 && i < host->device_cgroup_rules.count; i++)
        result = add_written_rule(&list, host->device_cgroup_rules.items[i]);
    return result;
}
