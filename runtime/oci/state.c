/* davit-oci's containers on disk: see state.h. */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/path.h"
#include "cgroups/cgroups.h"

#define STATE_MAX_BYTES (4 << 20)
#define CGROUP_LINK "cgroup"
#define FIELD JSON_FIELD

static const struct json_field state_fields[] = {
    FIELD(struct state, id, "id", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct state, bundle, "bundle", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct state, rootfs, "rootfs", JSON_KIND_STRING),
    FIELD(struct state, created, "created", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    FIELD(struct state, cgroup_path, "cgroupPath", JSON_KIND_STRING),
    FIELD(struct state, systemd_unit, "systemdUnit", JSON_KIND_STRING),
    FIELD(struct state, pid, "pid", JSON_KIND_INT32, .flags = JSON_REQUIRED),
    FIELD(struct state, pid_start_time, "pidStartTime", JSON_KIND_UINT64,
          .flags = JSON_REQUIRED | JSON_ALWAYS),
};
static const struct json_struct state_type = JSON_STRUCT(struct state, state_fields);

const char *state_status_name(enum state_status status)
{
    static const char *const names[] = {"creating", "created", "running", "paused", "stopped"};

    return names[status];
}

int state_check_id(const char *id, struct error *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.";
    size_t length = strlen(id);

    if (length == 0 || length > 1024 || id[0] == '.' || strspn(id, allowed) != length)
        return error_set(err, ERROR_INVALID, EINVAL,
                         "container id \"%.64s\": use letters, digits, \"_\", \"+\", \"-\" and "
                         "\".\", not starting with a dot",
                         id);
    return 0;
}

int state_make_directory(const char *root, const char *id, struct error *err)
{
    cleanup_close int root_fd = -1;
    int fd;
    int result = state_check_id(id, err);

    if (result < 0)
        return result;
    root_fd = path_make_host_directory(root, 0700, err);
    if (root_fd < 0)
        return root_fd;
    if (mkdirat(root_fd, id, 0700) < 0) {
        if (errno == EEXIST)
            return error_set(err, ERROR_CONFLICT, EEXIST, "container with id %s already exists",
                             id);
        return error_errno(err, errno, "make %s/%s", root, id);
    }
    fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? error_errno(err, errno, "open %s/%s", root, id) : fd;
}

int state_read_bundle(struct state *state, const char *bundle, const char *config_file,
                      int *bundle_fd, struct error *err)
{
    char path[PATH_MAX];
    int result;

    *bundle_fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*bundle_fd < 0 || realpath(bundle, path) == NULL)
        return error_errno(err, errno, "bundle %s", bundle);
    if (config_file != NULL)
        result = oci_config_read_file(&state->arena, AT_FDCWD, config_file, &state->config, err);
    else
        result = oci_config_read(&state->arena, *bundle_fd, &state->config, err);
    if (result < 0)
        return error_prefix(err, "bundle %s", bundle);
    state->bundle = arena_strdup(&state->arena, path);
    if (state->config.root != NULL)
        state->rootfs = state->config.root->path[0] == '/'
                            ? state->config.root->path
                            : arena_printf(&state->arena, "%s/%s", path, state->config.root->path);
    return 0;
}

static int save(int directory_fd, const char *name, struct json_writer *writer, struct error *err)
{
    const char *text = json_writer_text(writer);
    int result = file_replace(directory_fd, name, text, strlen(text), 0600, false, err);

    json_writer_free(writer);
    return result;
}

int state_save_config(const struct state *state, struct error *err)
{
    return save(state->directory_fd, "config.json", oci_config_encode(&state->config, false), err);
}

int state_save(const struct state *state, struct error *err)
{
    struct json_writer *writer = json_writer_new(false);

    json_encode(writer, &state_type, state);
    return save(state->directory_fd, "state.json", writer, err);
}

int state_note_process(struct state *state, pid_t pid, struct error *err)
{
    char now[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(clock_now_ns(), now);
    state->created = arena_strdup(&state->arena, now);
    state->pid = pid;
    state->pid_start_time = clock_process_start(pid);
    return state_save(state, err);
}

int state_note_cgroup(const struct state *state, struct error *err)
{
    if (symlinkat(state->cgroup_path, state->directory_fd, CGROUP_LINK) < 0)
        return error_errno(err, errno, "note down the cgroup %s", state->cgroup_path);
    return 0;
}

int state_parse(struct state *state, const char *text, size_t length, struct error *err)
{
    int result = json_decode_text(&state->arena, text, length, &state_type, state, err);

    if (result == 0 && state->pid <= 0)
        result = error_set(err, ERROR_CORRUPT, EINVAL, "pid: %d is no process", (int)state->pid);
    if (result == 0)
        result = state_check_id(state->id, err);
    return result;
}

static int open_directory(const char *root, const char *id, struct state *state, struct error *err)
{
    cleanup_close int root_fd = -1;
    int result = state_check_id(id, err);

    *state = (struct state){.directory_fd = -1};
    if (result < 0)
        return result;
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd >= 0)
        state->directory_fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (state->directory_fd >= 0)
        return 0;
    if (errno == ENOENT)
        return error_set(err, ERROR_NOT_FOUND, ENOENT, "container %s does not exist", id);
    return error_errno(err, errno, "container %s", id);
}

int state_load(const char *root, const char *id, struct state *state, struct error *err)
{
    cleanup_buffer struct buffer text = {0};
    int result = open_directory(root, id, state, err);

    if (result < 0)
        return result;
    result = file_read(state->directory_fd, "state.json", STATE_MAX_BYTES, &text, err);
    if (result == 0)
        result = state_parse(state, buffer_text(&text), text.length, err);
    if (result == 0)
        result = oci_config_read(&state->arena, state->directory_fd, &state->config, err);
    if (result < 0) {
        error_prefix(err, "container %s", id);
        state_release(state);
    }
    return result;
}

int state_load_remains(const char *root, const char *id, struct state *state, struct error *err)
{
    char path[CGROUP_PATH_SIZE];
    ssize_t length;
    int result = open_directory(root, id, state, err);

    if (result < 0)
        return result;
    state->id = arena_strdup(&state->arena, id);
    length = readlinkat(state->directory_fd, CGROUP_LINK, path, sizeof(path) - 1);
    if (length > 0)
        state->cgroup_path = arena_strndup(&state->arena, path, (size_t)length);
    if (oci_config_read(&state->arena, state->directory_fd, &state->config, NULL) < 0)
        state->config = (struct oci_config){0};
    return 0;
}

void state_release(struct state *state)
{
    fd_close(&state->directory_fd);
    arena_release(&state->arena);
}

static bool is_zombie(pid_t pid)
{
    cleanup_buffer struct buffer text = {0};
    char path[64];
    const char *position;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (file_read(AT_FDCWD, path, 4096, &text, NULL) < 0)
        return true;
    position = strrchr(text.data, ')');
    return position == NULL || position[2] == 'Z' || position[2] == 'X';
}

int state_open_process(const struct state *state)
{
    int fd = pidfd_open(state->pid, 0);

    if (fd < 0)
        return -errno;
    /* Compared after the pidfd was opened: if the number belongs to the recorded process now, it
     * did so before, and the pidfd belongs to that process. */
    if (clock_process_start(state->pid) != state->pid_start_time) {
        fd_close(&fd);
        return -ESRCH;
    }
    return fd;
}

int state_get_status(const struct state *state, enum state_status *status, struct error *err)
{
    struct cgroup_hierarchy hierarchy = CGROUP_HIERARCHY_NONE;
    struct cgroup cgroup = CGROUP_NONE;
    bool is_frozen = false;
    cleanup_close int pidfd = state_open_process(state);

    (void)err;
    if (pidfd < 0 || is_zombie(state->pid)) {
        *status = STATUS_STOPPED;
        return 0;
    }
    if (faccessat(state->directory_fd, STATE_CREATING_SOCKET, F_OK, 0) == 0) {
        *status = STATUS_CREATING;
        return 0;
    }
    if (faccessat(state->directory_fd, STATE_START_SOCKET, F_OK, 0) == 0) {
        *status = STATUS_CREATED;
        return 0;
    }
    if (state->cgroup_path != NULL && cgroup_hierarchy_open(&hierarchy, NULL) == 0 &&
        cgroup_open(&hierarchy, state->cgroup_path, &cgroup, NULL) == 0)
        cgroup_is_frozen(&cgroup, &is_frozen, NULL);
    cgroup_close(&cgroup);
    cgroup_hierarchy_close(&hierarchy);
    *status = is_frozen ? STATUS_PAUSED : STATUS_RUNNING;
    return 0;
}

int state_remove(const char *root, const char *id, struct error *err)
{
    cleanup_close int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (root_fd < 0)
        return error_errno(err, errno, "open %s", root);
    return path_remove_tree(root_fd, id, err);
}
