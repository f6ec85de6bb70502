/* The cgroup of a davit-oci container, by whichever manager it is told to use. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "oci.h"
#include "systemd.h"

#define REMAINS_TIMEOUT_MS 5000
#define UNDO_TIMEOUT_MS 1000

/* The path without ".", ".." and doubled slashes, as other runtimes take it: it cannot leave the
 * hierarchy. "" is the hierarchy's root. */
static const char *clean_path(struct arena *arena, const char *path)
{
    char *clean = arena_new(arena, strlen(path) + 2, 1);
    size_t length = 0;

    for (; *path != '\0'; path += strspn(path, "/")) {
        size_t name = strcspn(path, "/");

        if (name == 2 && strncmp(path, "..", 2) == 0) {
            while (length > 0 && clean[--length] != '/')
                continue;
        } else if (name > 0 && !(name == 1 && path[0] == '.')) {
            clean[length++] = '/';
            memcpy(clean + length, path, name);
            length += name;
        }
        path += name;
    }
    clean[length] = '\0';
    return clean;
}

static const char *cgroupfs_path(struct arena *arena, const char *id,
                                 const struct oci_config *config)
{
    const char *path = config->linux->cgroups_path;

    if (path == NULL || path[0] == '\0')
        return arena_printf(arena, "/davit/%s", id);
    return clean_path(arena, path);
}

/* What is noted as this container's cgroup is killed and removed with it. So it must not be the
 * root or anybody else's, also if we die before we have found out that it cannot be made. */
static int check_cgroup_is_free(const struct cgroup_hierarchy *hierarchy, const char *path,
                                struct error *err)
{
    struct cgroup cgroup = CGROUP_NONE;
    int result;

    if (path[0] == '\0')
        return error_set(
            err, ERROR_INVALID, EINVAL,
            "linux.cgroupsPath: the root of the hierarchy is the host's; name a cgroup "
            "below it");
    result = cgroup_open(hierarchy, path, &cgroup, err);
    cgroup_close(&cgroup);
    if (result == 0)
        return error_set(err, ERROR_CONFLICT, EEXIST, "cgroup %s exists already", path);
    return result == -ENOENT ? 0 : result;
}

/* Without a cgroup nothing can be limited. Device rules are let pass: every configuration that a
 * tool writes has some, and without them a container has what its capabilities allow. */
static int check_disabled(const struct oci_resources *resources, struct error *err)
{
    cleanup_free struct cgroup_settings *settings = memory_new_one(struct cgroup_settings);
    int result = resources != NULL ? resources_to_settings(resources, settings, err) : 0;

    if (result == 0 && settings->count > 0)
        result = error_set(err, ERROR_INVALID, ENOTSUP,
                           "%s: cannot be set with --cgroup-manager disabled",
                           settings->items[0].option);
    cgroup_settings_release(settings);
    return result;
}

/* A scope has to have a process from its start; ours is there until the container's is. */
static pid_t start_placeholder(struct error *err)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0)
        return error_errno(err, errno, "fork");
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* The parent may have died before prctl(2): then no signal comes. */
    while (getppid() == parent)
        pause();
    _exit(0);
}

static int make_scope(const char *id, struct state *state, struct cgroup_hierarchy *hierarchy,
                      const struct cgroup_settings *settings, pid_t placeholder,
                      struct cgroup *cgroup, struct error *err)
{
    int result = cgroup_check_settings(hierarchy, settings, err);

    if (result == 0)
        result = scope_start(&state->arena, id, &state->config, settings, placeholder,
                             &state->systemd_unit, &state->cgroup_path, err);
    if (result == 0)
        result = cgroup_open(hierarchy, state->cgroup_path, cgroup, err);
    if (result == 0)
        result = cgroup_apply(cgroup, settings, err);
    return result;
}

static int make_systemd_cgroup(const char *id, struct state *state,
                               struct cgroup_hierarchy *hierarchy, struct cgroup *cgroup,
                               struct error *err)
{
    cleanup_free struct cgroup_settings *settings = memory_new_one(struct cgroup_settings);
    const struct oci_resources *resources = state->config.linux->resources;
    int result = resources != NULL ? resources_to_settings(resources, settings, err) : 0;
    pid_t placeholder = result == 0 ? start_placeholder(err) : result;

    if (placeholder > 0) {
        result = make_scope(id, state, hierarchy, settings, placeholder, cgroup, err);
        state->placeholder = placeholder;
    } else {
        result = placeholder;
    }
    cgroup_settings_release(settings);
    return result;
}

int oci_make_cgroup(enum cgroup_manager manager, const char *id, struct state *state,
                    struct cgroup_hierarchy *hierarchy, struct cgroup *cgroup, struct error *err)
{
    const struct oci_linux *linux_part = state->config.linux;
    int result;

    if (manager == CGROUP_MANAGER_DISABLED)
        return check_disabled(linux_part->resources, err);
    result = cgroup_hierarchy_open(hierarchy, err);
    /* A host without cgroup2 can still run what asks for nothing of it. */
    if (result < 0 && linux_part->resources == NULL && linux_part->cgroups_path == NULL &&
        manager == CGROUP_MANAGER_CGROUPFS)
        return 0;
    if (result < 0)
        return result;
    if (manager == CGROUP_MANAGER_SYSTEMD)
        return make_systemd_cgroup(id, state, hierarchy, cgroup, err);
    state->cgroup_path = cgroupfs_path(&state->arena, id, &state->config);
    result = check_cgroup_is_free(hierarchy, state->cgroup_path, err);
    if (result == 0)
        result = state_note_cgroup(state, err);
    if (result < 0)
        return result;
    return resources_make_cgroup(hierarchy, state->cgroup_path, linux_part->resources, true, cgroup,
                                 err);
}

void oci_release_placeholder(struct state *state)
{
    if (state->placeholder <= 0)
        return;
    kill(state->placeholder, SIGKILL);
    waitpid(state->placeholder, NULL, 0);
    state->placeholder = 0;
}

int oci_remove_cgroup(const struct state *state, const struct cgroup_hierarchy *hierarchy,
                      struct cgroup *cgroup, int timeout_ms, struct error *err)
{
    int result = cgroup_remove(hierarchy, cgroup, timeout_ms, err);

    if (state->systemd_unit != NULL) {
        int stopped = scope_stop(state->systemd_unit, result < 0 ? NULL : err);

        result = result < 0 ? result : stopped;
    }
    return result;
}

void oci_undo_process(const struct state *state, const struct cgroup_hierarchy *hierarchy,
                      struct cgroup *cgroup, struct container *container)
{
    int status;

    if (cgroup->fd >= 0)
        cgroup_kill(cgroup, NULL);
    if (container->pidfd >= 0) {
        pidfd_send_signal(container->pidfd, SIGKILL, NULL, 0);
        container_wait(container, &status, NULL);
    }
    oci_remove_cgroup(state, hierarchy, cgroup, UNDO_TIMEOUT_MS, NULL);
}

int oci_remove_remains(const struct state *state, struct error *err)
{
    struct cgroup_hierarchy hierarchy = CGROUP_HIERARCHY_NONE;
    struct cgroup cgroup = CGROUP_NONE;
    int result = 0;

    container_remove_resctrl(&state->config, state->id);
    /* A scope whose creator died has lost its only process and is gone by itself. */
    if (state->cgroup_path == NULL || cgroup_hierarchy_open(&hierarchy, NULL) < 0)
        return 0;
    /* Our process ended with the davit-oci that was creating the container, or what said who it is
     * was lost. Whoever lives in the cgroup goes with it: the deletion is forced. */
    if (cgroup_open(&hierarchy, state->cgroup_path, &cgroup, NULL) == 0)
        cgroup_kill(&cgroup, NULL);
    if (cgroup.fd >= 0)
        result = cgroup_remove(&hierarchy, &cgroup, REMAINS_TIMEOUT_MS, err);
    cgroup_hierarchy_close(&hierarchy);
    return result;
}

int oci_open_cgroup(const struct state *state, struct cgroup_hierarchy *hierarchy,
                    struct cgroup *cgroup, struct error *err)
{
    int result;

    if (state->cgroup_path == NULL)
        return error_set(err, ERROR_UNSUPPORTED, ENOENT,
                         "container %s has no cgroup of its own: it was created with "
                         "--cgroup-manager disabled",
                         state->id);
    result = cgroup_hierarchy_open(hierarchy, err);
    return result < 0 ? result : cgroup_open(hierarchy, state->cgroup_path, cgroup, err);
}
