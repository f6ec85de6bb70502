/*
 * The containers' scope: see systemd_scope.h. Why not below davit.service: a unit's cgroup that has
 * controllers enabled for children cannot take the process of a restart, since cgroups with
 * children hold no processes; systemd would fail to start davitd again while containers run.
 */
#include "systemd_scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define JOB_TIMEOUT_US (30 * 1000000ull)

bool systemd_manages_us(void)
{
    return getenv("INVOCATION_ID") != NULL && access("/run/systemd/system", F_OK) == 0;
}

struct job {
    const char *path; /* NULL until systemd has told it */
    bool is_done;
    bool has_failed;
};

static int on_job_removed(sd_bus_message *message, void *context, sd_bus_error *error)
{
    struct job *job = context;
    const char *path;
    const char *result;

    (void)error;
    if (job->path != NULL &&
        sd_bus_message_read(message, "uoss", NULL, &path, NULL, &result) >= 0 &&
        strcmp(path, job->path) == 0) {
        job->is_done = true;
        job->has_failed = strcmp(result, "done") != 0;
    }
    return 0;
}

static int wait_for_job(sd_bus *bus, struct job *job, struct error *err)
{
    while (!job->is_done) {
        int result = sd_bus_process(bus, NULL);

        if (result == 0)
            result = sd_bus_wait(bus, JOB_TIMEOUT_US);
        if (result < 0)
            return error_errno(err, -result, "wait for systemd");
    }
    if (job->has_failed)
        return error_set(err, ERROR_INTERNAL, ECANCELED, "systemd could not start the scope");
    return 0;
}

static int call_start(sd_bus *bus, const char *name, pid_t pid, sd_bus_message **reply,
                      sd_bus_error *error)
{
    sd_bus_message *call = NULL;
    int result = sd_bus_message_new_method_call(bus, &call, DESTINATION, MANAGER_PATH, MANAGER,
                                                "StartTransientUnit");

    if (result >= 0)
        result = sd_bus_message_append(call, "ssa(sv)a(sa(sv))", name, "fail", 4, "Description",
                                       "s", "Containers of davit", "Delegate", "b", 1, "PIDs", "au",
                                       1, (uint32_t)pid, "TasksMax", "t", UINT64_MAX, 0);
    if (result >= 0)
        result = sd_bus_call(bus, call, 0, error, reply);
    sd_bus_message_unref(call);
    return result;
}

/* Returns -EEXIST if there is such a scope already. */
static int start_scope(sd_bus *bus, const char *name, pid_t pid, struct error *err)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = NULL;
    struct job job = {0};
    int result = sd_bus_match_signal(bus, NULL, DESTINATION, MANAGER_PATH, MANAGER, "JobRemoved",
                                     on_job_removed, &job);

    if (result >= 0)
        result = call_start(bus, name, pid, &reply, &error);
    if (result >= 0)
        result = sd_bus_message_read(reply, "o", &job.path);
    if (result >= 0)
        result = wait_for_job(bus, &job, err);
    else if (sd_bus_error_has_name(&error, "org.freedesktop.systemd1.UnitExists"))
        result = -EEXIST;
    else
        error_errno(err, -result, "start the scope %s: %s", name,
                    error.message != NULL ? error.message : "systemd refused");
    sd_bus_message_unref(reply);
    sd_bus_error_free(&error);
    return result < 0 ? result : 0;
}

static int read_cgroup(sd_bus *bus, const char *name, char path[CGROUP_PATH_SIZE],
                       struct error *err)
{
    char *unit_path = NULL;
    char *cgroup = NULL;
    int result = sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, &unit_path);

    if (result >= 0)
        result = sd_bus_get_property_string(bus, DESTINATION, unit_path,
                                            "org.freedesktop.systemd1.Scope", "ControlGroup", NULL,
                                            &cgroup);
    if (result >= 0 && (cgroup[0] != '/' || strlen(cgroup) >= CGROUP_PATH_SIZE / 2))
        result = -EINVAL;
    if (result >= 0)
        strcpy(path, cgroup);
    free(unit_path);
    free(cgroup);
    return result < 0 ? error_errno(err, -result, "the cgroup of %s", name) : 0;
}

int systemd_scope_get(const char *name, pid_t pid, char path[CGROUP_PATH_SIZE], struct error *err)
{
    sd_bus *bus = NULL;
    int result = sd_bus_open_system(&bus);

    if (result < 0)
        return error_errno(err, -result, "system bus");
    result = start_scope(bus, name, pid, err);
    if (result == 0 || result == -EEXIST)
        result = read_cgroup(bus, name, path, err);
    sd_bus_flush_close_unref(bus);
    return result;
}
