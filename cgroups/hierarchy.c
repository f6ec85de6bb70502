/* Finding the cgroup2 hierarchy of this host, and what its controllers are called. */
#include "cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "internal.h"

static const struct {
    unsigned int controller;
    const char *name;
} controllers[] = {
    {CGROUP_CPU, "cpu"},       {CGROUP_CPUSET, "cpuset"}, {CGROUP_IO, "io"},
    {CGROUP_MEMORY, "memory"}, {CGROUP_PIDS, "pids"},     {CGROUP_HUGETLB, "hugetlb"},
    {CGROUP_RDMA, "rdma"},     {CGROUP_MISC, "misc"},     {CGROUP_DMEM, "dmem"},
};

const char *cgroup_controller_name(unsigned int controller)
{
    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
        if (controllers[i].controller == controller)
            return controllers[i].name;
    }
    return "unknown";
}

unsigned int cgroup_controller_by_name(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
        if (strlen(controllers[i].name) == length &&
            strncmp(controllers[i].name, name, length) == 0)
            return controllers[i].controller;
    }
    return 0;
}

int cgroup_read_controllers(int fd, const char *file, unsigned int *mask)
{
    cleanup_buffer struct buffer text = {0};
    char *rest;
    int result = file_read(fd, file, 4096, &text, NULL);

    *mask = 0;
    if (result < 0)
        return result;
    rest = text.data;
    for (char *name = strsep(&rest, " \n"); name != NULL; name = strsep(&rest, " \n"))
        *mask |= cgroup_controller_by_name(name, strlen(name));
    return 0;
}

static int open_mount(struct cgroup_hierarchy *hierarchy, const char *path)
{
    hierarchy->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (hierarchy->fd < 0)
        return -errno;
    if (!path_is_on_filesystem(hierarchy->fd, CGROUP2_SUPER_MAGIC) ||
        strlen(path) >= sizeof(hierarchy->path)) {
        fd_close(&hierarchy->fd);
        return -ENODEV;
    }
    strcpy(hierarchy->path, path);
    return 0;
}

/* proc_pid_mountinfo(5): "36 35 98:0 ROOT MOUNTPOINT options - TYPE source options". */
static int open_any_mount(struct cgroup_hierarchy *hierarchy)
{
    cleanup_file FILE *mounts = fopen("/proc/self/mountinfo", "re");
    cleanup_free char *line = NULL;
    size_t size = 0;

    while (mounts != NULL && getline(&line, &size, mounts) > 0) {
        char point[256];

        if (strstr(line, " - cgroup2 ") != NULL &&
            sscanf(line, "%*s %*s %*s / %255s", point) == 1 && open_mount(hierarchy, point) == 0)
            return 0;
    }
    return -ENODEV;
}

int cgroup_hierarchy_open(struct cgroup_hierarchy *hierarchy, struct error *err)
{
    *hierarchy = (struct cgroup_hierarchy)CGROUP_HIERARCHY_NONE;
    if (open_mount(hierarchy, "/sys/fs/cgroup") < 0 &&
        open_mount(hierarchy, "/sys/fs/cgroup/unified") < 0 && open_any_mount(hierarchy) < 0)
        return error_set(err, ERROR_UNSUPPORTED, ENODEV,
                         "no cgroup2 filesystem is mounted; mount one: "
                         "mount -t cgroup2 none /sys/fs/cgroup");
    if (cgroup_read_controllers(hierarchy->fd, "cgroup.controllers", &hierarchy->available) < 0)
        hierarchy->available = 0;
    return 0;
}

void cgroup_hierarchy_close(struct cgroup_hierarchy *hierarchy)
{
    fd_close(&hierarchy->fd);
}

int cgroup_path_of_process(pid_t pid, char path[CGROUP_PATH_SIZE], struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    char name[64];
    char *rest;
    int result;

    if (pid == 0)
        snprintf(name, sizeof(name), "/proc/self/cgroup");
    else
        snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
    result = file_read(AT_FDCWD, name, 65536, &text, err);
    if (result < 0)
        return result;
    rest = text.data;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (strncmp(line, "0::", 3) == 0 && strlen(line + 3) < CGROUP_PATH_SIZE) {
            strcpy(path, line + 3);
            return 0;
        }
    }
    return error_set(err, ERROR_NOT_FOUND, ENOENT, "%s: no cgroup2 entry", name);
}
