/* Making, opening, filling and removing cgroups. */
#include "cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/path.h"
#include "internal.h"

#define EVENTS_FILE "cgroup.events"

static int enable_controllers(int fd, unsigned int wanted, const char *path, struct error *err)
{
    unsigned int available = 0;
    unsigned int enabled = 0;
    char text[128] = "";
    int result;

    if (wanted == 0)
        return 0;
    cgroup_read_controllers(fd, "cgroup.subtree_control", &enabled);
    wanted &= ~enabled;
    if (wanted == 0)
        return 0;
    cgroup_read_controllers(fd, "cgroup.controllers", &available);
    wanted &= available;
    if (wanted == 0)
        return 0;
    for (unsigned int bit = 1; bit <= CGROUP_LAST; bit <<= 1) {
        if ((wanted & bit) != 0) {
            strcat(text, " +");
            strcat(text, cgroup_controller_name(bit));
        }
    }
    result = file_write_value(fd, "cgroup.subtree_control", text + 1);
    if (result < 0)
        return error_errno(err, -result, "cgroup %s: enable controllers%s", path, text);
    return 0;
}

static int check_path(const char *path, struct error *err)
{
    size_t length = strlen(path);
    const char *part = path;

    if (path[0] != '/' || length >= CGROUP_PATH_SIZE)
        return error_set(err, ERROR_INVALID, EINVAL, "cgroup path \"%.128s\" is not absolute",
                         path);
    while ((part = strstr(part, "/..")) != NULL) {
        if (part[3] == '/' || part[3] == '\0')
            return error_set(err, ERROR_INVALID, EINVAL, "cgroup path \"%.128s\" contains \"..\"",
                             path);
        part += 3;
    }
    return 0;
}

/* Makes `name` below *fd and steps into it. */
static int descend(int *fd, const char *name, bool *was_made, const char *path, struct error *err)
{
    int next;

    *was_made = mkdirat(*fd, name, 0755) == 0;
    if (!*was_made && errno != EEXIST)
        return error_errno(err, errno, "make cgroup %s", path);
    next = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) {
        int result = error_errno(err, errno, "open cgroup %s", path);

        if (*was_made)
            unlinkat(*fd, name, AT_REMOVEDIR);
        return result;
    }
    fd_close(fd);
    *fd = next;
    return 0;
}

static int create_once(const struct cgroup_hierarchy *hierarchy, const char *path,
                       unsigned int controllers, bool must_be_new, struct cgroup *cgroup,
                       struct error *err)
{
    cleanup_close int fd = fcntl(hierarchy->fd, F_DUPFD_CLOEXEC, 0);
    char storage[CGROUP_PATH_SIZE];
    char *rest = storage;
    bool was_made = false;
    int result = check_path(path, err);

    if (result < 0)
        return result;
    if (fd < 0)
        return error_errno(err, errno, "cgroup %s", path);
    controllers &= hierarchy->available;
    strcpy(storage, path);
    for (char *name = strsep(&rest, "/"); name != NULL; name = strsep(&rest, "/")) {
        if (name[0] == '\0' || strcmp(name, ".") == 0)
            continue;
        result = enable_controllers(fd, controllers, path, err);
        if (result == 0)
            result = descend(&fd, name, &was_made, path, err);
        if (result < 0)
            return result;
    }
    if (must_be_new && !was_made)
        return error_set(err, ERROR_CONFLICT, EEXIST, "cgroup %s exists already", path);
    cgroup->fd = take_fd(&fd);
    strcpy(cgroup->path, path);
    return 0;
}

/* A parent that is empty may be removed by its other users between our making it and our stepping
 * into it; the kernel then says that there is nothing to step into. */
int cgroup_create(const struct cgroup_hierarchy *hierarchy, const char *path,
                  unsigned int controllers, bool must_be_new, struct cgroup *cgroup,
                  struct error *err)
{
    enum { ATTEMPTS = 16 };
    int result = -ENOENT;

    for (int i = 0; i < ATTEMPTS && (result == -ENOENT || result == -ENODEV); i++)
        result = create_once(hierarchy, path, controllers, must_be_new, cgroup, err);
    return result;
}

int cgroup_open(const struct cgroup_hierarchy *hierarchy, const char *path, struct cgroup *cgroup,
                struct error *err)
{
    int result = check_path(path, err);

    if (result < 0)
        return result;
    cgroup->fd =
        path_open_beneath(hierarchy->fd, path + strspn(path, "/"), O_RDONLY | O_DIRECTORY, 0);
    if (cgroup->fd < 0) {
        result = error_errno(err, -cgroup->fd, "cgroup %s", path);
        if (err != NULL && err->errnum == ENOENT)
            err->code = ERROR_NOT_FOUND;
        cgroup->fd = -1;
        return result;
    }
    strcpy(cgroup->path, path);
    return 0;
}

int cgroup_enable_controllers(const struct cgroup_hierarchy *hierarchy, const char *path,
                              unsigned int controllers, struct error *err)
{
    cleanup_free struct cgroup *again = memory_new_one(struct cgroup);
    int result = cgroup_create(hierarchy, path, controllers, false, again, err);

    if (result == 0)
        cgroup_close(again);
    return result;
}

static int delegate_file(const struct cgroup *cgroup, const char *name, uid_t uid,
                         struct error *err)
{
    /* Kernels list files that not every cgroup has. */
    if (fchownat(cgroup->fd, name, uid, (gid_t)-1, AT_SYMLINK_NOFOLLOW) == 0 || errno == ENOENT)
        return 0;
    return error_errno(err, errno, "delegate cgroup %s: %s", cgroup->path, name);
}

int cgroup_delegate(const struct cgroup *cgroup, uid_t uid, struct error *err)
{
    char fallback[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads";
    cleanup_buffer struct buffer text = {0};
    char *rest = fallback;
    int result = 0;

    if (fchown(cgroup->fd, uid, (gid_t)-1) < 0)
        return error_errno(err, errno, "delegate cgroup %s", cgroup->path);
    if (file_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", 65536, &text, NULL) == 0)
        rest = text.data;
    for (char *name = strsep(&rest, "\n"); result == 0 && name != NULL;
         name = strsep(&rest, "\n")) {
        if (name[0] != '\0' && strchr(name, '/') == NULL)
            result = delegate_file(cgroup, name, uid, err);
    }
    return result;
}

void cgroup_close(struct cgroup *cgroup)
{
    fd_close(&cgroup->fd);
}

int cgroup_attach(const struct cgroup *cgroup, pid_t pid, struct error *err)
{
    char text[16];
    int result;

    snprintf(text, sizeof(text), "%d", (int)pid);
    result = file_write_value(cgroup->fd, "cgroup.procs", text);
    if (result < 0)
        return error_errno(err, -result, "move process %d into cgroup %s", (int)pid, cgroup->path);
    return 0;
}

int cgroup_read_key(int fd, const char *file, const char *key, uint64_t *value)
{
    cleanup_buffer struct buffer text = {0};
    size_t key_length = strlen(key);
    char *rest;
    int result = file_read(fd, file, 65536, &text, NULL);

    if (result < 0)
        return result;
    rest = text.data;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (strncmp(line, key, key_length) == 0 && line[key_length] == ' ') {
            *value = strtoull(line + key_length + 1, NULL, 10);
            return 0;
        }
    }
    return -ENOENT;
}

/* Waits until a key of cgroup.events has the value; the kernel signals changes by POLLPRI. */
static int wait_for_event(const struct cgroup *cgroup, const char *key, uint64_t wanted,
                          int timeout_ms, struct error *err)
{
    cleanup_close int fd = openat(cgroup->fd, EVENTS_FILE, O_RDONLY | O_CLOEXEC);
    uint64_t deadline = clock_monotonic_us() + (uint64_t)timeout_ms * 1000;
    uint64_t value;

    if (fd < 0)
        return error_errno(err, errno, "cgroup %s: " EVENTS_FILE, cgroup->path);
    for (;;) {
        struct pollfd event = {.fd = fd, .events = POLLPRI};
        char content[256];
        uint64_t now;

        /* Reading arms the next notification, so read before looking at the value. */
        (void)!pread(fd, content, sizeof(content), 0);
        if (cgroup_read_key(cgroup->fd, EVENTS_FILE, key, &value) == 0 && value == wanted)
            return 0;
        now = clock_monotonic_us();
        if (now >= deadline)
            return error_set(err, ERROR_INTERNAL, ETIMEDOUT,
                             "cgroup %s: still not \"%s %d\" after %d ms", cgroup->path, key,
                             (int)wanted, timeout_ms);
        if (poll(&event, 1, (int)((deadline - now) / 1000) + 1) < 0 && errno != EINTR)
            return error_errno(err, errno, "cgroup %s: poll", cgroup->path);
    }
}

int cgroup_begin_freeze(const struct cgroup *cgroup, bool is_frozen, struct error *err)
{
    int result = file_write_value(cgroup->fd, "cgroup.freeze", is_frozen ? "1" : "0");

    return result < 0 ? error_errno(err, -result, "cgroup %s: %s", cgroup->path,
                                    is_frozen ? "freeze" : "thaw")
                      : 0;
}

int cgroup_set_frozen(const struct cgroup *cgroup, bool is_frozen, int timeout_ms,
                      struct error *err)
{
    int result = cgroup_begin_freeze(cgroup, is_frozen, err);

    return result < 0 ? result
                      : wait_for_event(cgroup, "frozen", is_frozen ? 1 : 0, timeout_ms, err);
}

static int read_event(const struct cgroup *cgroup, const char *key, bool *is_set, struct error *err)
{
    uint64_t value = 0;
    int result = cgroup_read_key(cgroup->fd, EVENTS_FILE, key, &value);

    if (result < 0)
        return error_errno(err, -result, "cgroup %s: " EVENTS_FILE, cgroup->path);
    *is_set = value != 0;
    return 0;
}

int cgroup_is_frozen(const struct cgroup *cgroup, bool *is_frozen, struct error *err)
{
    return read_event(cgroup, "frozen", is_frozen, err);
}

int cgroup_is_populated(const struct cgroup *cgroup, bool *is_populated, struct error *err)
{
    return read_event(cgroup, "populated", is_populated, err);
}

struct pid_list {
    pid_t *pids;
    size_t count;
};

/* Appends the processes of one directory and, by recursion, of those below. The kernel bounds the
 * depth (cgroup.max.depth and PATH_MAX). */
static int collect_processes(int fd, struct pid_list *list)
{
    cleanup_buffer struct buffer text = {0};
    cleanup_dir DIR *dir = NULL;
    struct dirent *entry;
    char *position;
    int result = file_read(fd, "cgroup.procs", 16 << 20, &text, NULL);

    if (result < 0)
        return result;
    position = text.data;
    while (position != NULL && *position != '\0') {
        list->pids = memory_resize(list->pids, list->count + 1, sizeof(pid_t));
        list->pids[list->count++] = (pid_t)strtol(position, &position, 10);
        position += strspn(position, "\n");
    }
    dir = path_list(fd, ".");
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        cleanup_close int child = -1;

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            collect_processes(child, list);
    }
    return 0;
}

int cgroup_list_processes(const struct cgroup *cgroup, pid_t **pids, size_t *count,
                          struct error *err)
{
    struct pid_list list = {0};
    int result = collect_processes(cgroup->fd, &list);

    if (result < 0) {
        free(list.pids);
        return error_errno(err, -result, "cgroup %s: list processes", cgroup->path);
    }
    *pids = list.pids;
    *count = list.count;
    return 0;
}

/* Before 5.14: while frozen nothing can fork, so one pass reaches every process. */
static int kill_one_by_one(const struct cgroup *cgroup, struct error *err)
{
    cleanup_free pid_t *pids = NULL;
    size_t count = 0;
    int result;

    cgroup_set_frozen(cgroup, true, 1000, NULL);
    result = cgroup_list_processes(cgroup, &pids, &count, err);
    for (size_t i = 0; i < count; i++) {
        cleanup_close int pidfd = pidfd_open(pids[i], 0);

        if (pidfd >= 0)
            pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    }
    file_write_value(cgroup->fd, "cgroup.freeze", "0");
    return result;
}

int cgroup_kill(const struct cgroup *cgroup, struct error *err)
{
    int result = file_write_value(cgroup->fd, "cgroup.kill", "1");

    if (result == -ENOENT)
        return kill_one_by_one(cgroup, err);
    if (result < 0 && result != -ENODEV)
        return error_errno(err, -result, "cgroup %s: kill", cgroup->path);
    return 0;
}

int cgroup_await_empty(const struct cgroup *cgroup, int timeout_ms, struct error *err)
{
    return wait_for_event(cgroup, "populated", 0, timeout_ms, err);
}

/* Removes the directories below, deepest first. */
static void remove_children(int fd)
{
    cleanup_dir DIR *dir = path_list(fd, ".");
    struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        cleanup_close int child = -1;

        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child >= 0)
            remove_children(child);
        unlinkat(fd, entry->d_name, AT_REMOVEDIR);
    }
}

int cgroup_remove(const struct cgroup_hierarchy *hierarchy, struct cgroup *cgroup, int timeout_ms,
                  struct error *err)
{
    char storage[PATH_MAX];
    const char *directory;
    const char *name;
    cleanup_close int parent_fd = -1;
    int result = 0;

    if (cgroup->fd < 0)
        return 0;
    if (path_split(cgroup->path, storage, &directory, &name) < 0)
        return error_errno(err, ENAMETOOLONG, "cgroup %s", cgroup->path);
    parent_fd = path_open_beneath(hierarchy->fd, directory + strspn(directory, "/"),
                                  O_RDONLY | O_DIRECTORY, 0);
    if (parent_fd < 0) {
        cgroup_close(cgroup);
        return parent_fd == -ENOENT ? 0 : error_errno(err, -parent_fd, "cgroup %s", cgroup->path);
    }
    result = unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
    if (result == -EBUSY) {
        result = wait_for_event(cgroup, "populated", 0, timeout_ms, err);
        remove_children(cgroup->fd);
        if (result == 0 && unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
            result = error_errno(err, errno, "remove cgroup %s", cgroup->path);
    } else if (result == -ENOENT) {
        result = 0;
    } else if (result < 0) {
        result = error_errno(err, -result, "remove cgroup %s", cgroup->path);
    }
    cgroup_close(cgroup);
    return result;
}
