/* Where a container's things are: directories, cgroup. See internal.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "internal.h"
#include "leftovers.h"

int container_open_directory(const struct managed_container *container)
{
    char name[sizeof(CONTAINER_NEW_PREFIX) + IDENTIFIER_SIZE];
    int fd;

    snprintf(name, sizeof(name), "%s%s", container->is_unpublished ? CONTAINER_NEW_PREFIX : "",
             container->definition->id);
    fd = openat(container->containers->places->containers_fd, name,
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int container_open_run_directory(const struct managed_container *container)
{
    int fd = openat(container->containers->places->run_containers_fd, container->definition->id,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

/* Of a monitor that was killed: another removes its own (supervisor/monitor/hooks.c). */
static void remove_bundle(const struct managed_container *container)
{
    cleanup_close int bundles_fd = openat(container->containers->places->run_fd, "bundles",
                                          O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (bundles_fd >= 0)
        path_remove_tree(bundles_fd, container->definition->id, NULL);
}

/* exit.json stays: it says how it ended also when the database does not. */
void container_remove_run_directory(struct managed_container *container)
{
    cleanup_close int run_fd = container_open_run_directory(container);

    if (run_fd < 0)
        return;
    unlinkat(run_fd, MONITOR_SOCKET, 0);
    if (container->has_unsaved_state && container->status != CONTAINER_REMOVING)
        return;
    container->has_state_file = false;
    unlinkat(run_fd, CONTAINER_STATE_FILE, 0);
    if (container->definition->host_config.device_requests.count > 0)
        remove_bundle(container);
    /* Anything else in there was left by a davitd that was killed while it wrote. */
    if (unlinkat(container->containers->places->run_containers_fd, container->definition->id,
                 AT_REMOVEDIR) < 0)
        path_remove_tree(container->containers->places->run_containers_fd,
                         container->definition->id, NULL);
}

char *container_cgroup_path_of(const struct containers *containers,
                               const struct definition *definition)
{
    const char *parent = definition->host_config.cgroup_parent;
    bool has_parent = parent != NULL && parent[0] != '\0';

    return memory_printf("%s%s%s/%s", containers->cgroup_parent, has_parent ? "/" : "",
                         has_parent ? parent : "", definition->id);
}

char *container_cgroup_path(const struct managed_container *container)
{
    return container_cgroup_path_of(container->containers, container->definition);
}

int container_open_cgroup(const struct managed_container *container, struct cgroup *cgroup,
                          struct error *err)
{
    cleanup_free char *path = container_cgroup_path(container);

    cgroup->fd = -1;
    return cgroup_open(container->containers->hierarchy, path, cgroup, err);
}

void container_kill_by_cgroup(const struct managed_container *container)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);

    if (container_open_cgroup(container, cgroup, NULL) < 0)
        return;
    cgroup_kill(cgroup, NULL);
    cgroup_close(cgroup);
}

void container_kill_leftovers(struct managed_container *container)
{
    cleanup_free char *path = container_cgroup_path(container);

    leftovers_kill(container->containers, path);
}

/* Whether the process is in the container's cgroup: no other cgroup has the container's id. */
static bool is_in_cgroup(pid_t pid, const struct managed_container *container)
{
    cleanup_buffer struct buffer text = {0};
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    return file_read(AT_FDCWD, path, 1 << 16, &text, NULL) == 0 &&
           strstr(buffer_text(&text), container->definition->id) != NULL;
}

int container_open_namespace(const struct managed_container *container, const char *file,
                             struct error *err)
{
    cleanup_close int pidfd = container->pid > 0 ? pidfd_open(container->pid, 0) : -1;
    cleanup_close int fd = -1;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)container->pid, file);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    /* The pidfd was opened first: if its process still lives, the number was not reused
     * meanwhile. */
    if (container->status != CONTAINER_RUNNING || fd < 0 ||
        !is_in_cgroup(container->pid, container) || pidfd < 0 ||
        pidfd_send_signal(pidfd, 0, NULL, 0) < 0)
        return error_set(err, ERROR_CONFLICT, ESRCH,
                         "cannot join the %s namespace of a non running container: %s", file,
                         container->definition->name);
    return take_fd(&fd);
}

/* The first line of a file in /proc/PID, as far as it can be shown. */
static void read_line(pid_t pid, const char *file, char *line, size_t size)
{
    cleanup_free char *path = memory_printf("/proc/%d/%s", (int)pid, file);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, line, size - 1) : 0;

    line[length > 0 ? length : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    for (char *byte = line; *byte != '\0'; byte++) {
        if (*byte < ' ' || *byte > '~')
            *byte = '?';
    }
}

int container_check_dead(const struct managed_container *container, struct error *err)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);
    cleanup_free pid_t *pids = NULL;
    char name[32];
    char place[64];
    size_t count = 0;

    if (container_open_cgroup(container, cgroup, NULL) == 0)
        cgroup_list_processes(cgroup, &pids, &count, NULL);
    cgroup_close(cgroup);
    if (count == 0)
        return 0;
    read_line(pids[0], "comm", name, sizeof(name));
    read_line(pids[0], "wchan", place, sizeof(place));
    return error_set(
        err, ERROR_INTERNAL, EBUSY,
        "container %s was killed, and %zu of its processes cannot end yet: process %d "
        "(%s) waits in the kernel (%s). What it waits for has to end: a disk, a "
        "server, or a FUSE connection, which can be aborted (/sys/fs/fuse/connections)",
        container->definition->name, count, (int)pids[0], name, place);
}
