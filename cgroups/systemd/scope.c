/*
 * Scopes by D-Bus: see scope.h. Why a scope and not a place below the caller's own unit: a unit's
 * cgroup that has controllers enabled for children cannot take the process of a restart, since
 * cgroups with children hold no processes.
 */
#include "scope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/number_list.h"

#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"
#define NO_SUCH_UNIT "org.freedesktop.systemd1.NoSuchUnit"
#define UNIT_EXISTS "org.freedesktop.systemd1.UnitExists"
#define JOB_TIMEOUT_US (30 * 1000000ull)

bool systemd_manages_us(void)
{
    return getenv("INVOCATION_ID") != NULL && access("/run/systemd/system", F_OK) == 0;
}

bool systemd_is_stopping(void)
{
    sd_bus *bus = NULL;
    char *state = NULL;
    bool is_stopping = false;
    int result = sd_bus_new(&bus);

    if (result >= 0)
        result = sd_bus_set_address(bus, "unix:path=/run/systemd/private");
    if (result >= 0)
        result = sd_bus_start(bus);
    if (result >= 0)
        result = sd_bus_get_property_string(bus, DESTINATION, MANAGER_PATH, MANAGER, "SystemState",
                                            NULL, &state);
    if (result >= 0)
        is_stopping = strcmp(state, "stopping") == 0;
    free(state);
    sd_bus_flush_close_unref(bus);
    return is_stopping;
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

        if (result == 0) {
            result = sd_bus_wait(bus, JOB_TIMEOUT_US);
            if (result == 0)
                return error_set(err, ERROR_INTERNAL, ETIMEDOUT, "systemd does not finish its job");
        }
        if (result < 0)
            return error_errno(err, -result, "wait for systemd");
    }
    if (job->has_failed)
        return error_set(err, ERROR_INTERNAL, ECANCELED, "systemd could not finish its job");
    return 0;
}

/* Calls a method of the manager that answers with a job, and waits for the job. Returns -EEXIST,
 * without filling `err`, if D-Bus answers `accepted_error`: the caller expects that one. */
static int call_for_job(sd_bus *bus, sd_bus_message *call, const char *accepted_error,
                        struct error *err)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = NULL;
    struct job job = {0};
    int result = sd_bus_match_signal(bus, NULL, DESTINATION, MANAGER_PATH, MANAGER, "JobRemoved",
                                     on_job_removed, &job);

    if (result >= 0)
        result = sd_bus_call(bus, call, 0, &error, &reply);
    if (result >= 0)
        result = sd_bus_message_read(reply, "o", &job.path);
    if (result >= 0)
        result = wait_for_job(bus, &job, err);
    else if (sd_bus_error_has_name(&error, accepted_error))
        result = -EEXIST;
    else
        error_errno(err, -result, "%s: %s", sd_bus_message_get_member(call),
                    error.message != NULL ? error.message : "systemd refused");
    sd_bus_message_unref(reply);
    sd_bus_error_free(&error);
    return result < 0 ? result : 0;
}

/* A CPU list is a mask of bytes. */
static int append_cpus(sd_bus_message *call, const char *list)
{
    uint8_t mask[NUMBER_LIST_BYTES] = {0};
    int end = number_list_parse(list, mask);

    return end < 0 ? end : sd_bus_message_append_array(call, 'y', mask, ((size_t)end + 7) / 8);
}

static int append_strings(sd_bus_message *call, const struct string_list *list)
{
    int result = sd_bus_message_open_container(call, 'a', "s");

    for (size_t i = 0; result >= 0 && i < list->count; i++)
        result = sd_bus_message_append(call, "s", list->items[i]);
    return result < 0 ? result : sd_bus_message_close_container(call);
}

static int append_value(sd_bus_message *call, const struct systemd_property *property)
{
    switch (property->kind) {
    case SYSTEMD_PROPERTY_BOOL:
        return sd_bus_message_append(call, "b", (int)(property->number != 0));
    case SYSTEMD_PROPERTY_INT32:
        return sd_bus_message_append(call, "i", (int32_t)property->number);
    case SYSTEMD_PROPERTY_INT64:
        return sd_bus_message_append(call, "x", property->number);
    case SYSTEMD_PROPERTY_UINT32:
        return sd_bus_message_append(call, "u", (uint32_t)property->number);
    case SYSTEMD_PROPERTY_UINT64:
        return sd_bus_message_append(call, "t", (uint64_t)property->number);
    case SYSTEMD_PROPERTY_STRING:
        return sd_bus_message_append(call, "s", property->text != NULL ? property->text : "");
    case SYSTEMD_PROPERTY_STRINGS:
        return append_strings(call, &property->texts);
    case SYSTEMD_PROPERTY_CPUS:
        return append_cpus(call, property->text != NULL ? property->text : "");
    default:
        return -EINVAL;
    }
}

static const char *signature_of(const struct systemd_property *property)
{
    static const char *const signatures[] = {NULL, "b", "i", "x", "u", "t", "s", "as", "ay"};

    return signatures[property->kind];
}

static int append_property(sd_bus_message *call, const struct systemd_property *property)
{
    int result = sd_bus_message_open_container(call, 'r', "sv");

    if (result >= 0)
        result = sd_bus_message_append(call, "s", property->name);
    if (result >= 0)
        result = sd_bus_message_open_container(call, 'v', signature_of(property));
    if (result >= 0)
        result = append_value(call, property);
    if (result >= 0)
        result = sd_bus_message_close_container(call);
    return result < 0 ? result : sd_bus_message_close_container(call);
}

static int append_properties(sd_bus_message *call, const struct systemd_scope *scope,
                             struct error *err)
{
    for (size_t i = 0; i < scope->properties.count; i++) {
        int result = append_property(call, &scope->properties.items[i]);

        if (result < 0)
            return error_errno(err, -result, "property %.64s", scope->properties.items[i].name);
    }
    return 0;
}

static int new_call(sd_bus *bus, const char *method, sd_bus_message **call, struct error *err)
{
    int result =
        sd_bus_message_new_method_call(bus, call, DESTINATION, MANAGER_PATH, MANAGER, method);

    return result < 0 ? error_errno(err, -result, "%s", method) : 0;
}

/* CollectMode: a scope that failed, by OOM for one, is forgotten like one that ended. */
static int append_start(sd_bus_message *call, const struct systemd_scope *scope, struct error *err)
{
    int result = sd_bus_message_append(call, "ss", scope->unit, "fail");

    if (result >= 0)
        result = sd_bus_message_open_container(call, 'a', "(sv)");
    if (result >= 0)
        result = sd_bus_message_append(
            call, "(sv)(sv)(sv)(sv)", "Description", "s", scope->description, "Delegate", "b", 1,
            "PIDs", "au", 1, (uint32_t)scope->pid, "CollectMode", "s", "inactive-or-failed");
    if (result >= 0 && scope->slice != NULL)
        result = sd_bus_message_append(call, "(sv)", "Slice", "s", scope->slice);
    if (result < 0)
        return error_errno(err, -result, "describe the scope");
    result = append_properties(call, scope, err);
    if (result < 0)
        return result;
    result = sd_bus_message_close_container(call);
    if (result >= 0)
        result = sd_bus_message_append(call, "a(sa(sv))", 0);
    return result < 0 ? error_errno(err, -result, "describe the scope") : 0;
}

/* Returns -EEXIST, without an error, if there is such a scope already. */
static int start_scope_unit(sd_bus *bus, const struct systemd_scope *scope, struct error *err)
{
    sd_bus_message *call = NULL;
    int result = new_call(bus, "StartTransientUnit", &call, err);

    if (result == 0)
        result = append_start(call, scope, err);
    if (result == 0)
        result = call_for_job(bus, call, UNIT_EXISTS, err);
    sd_bus_message_unref(call);
    return result;
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

static int open_bus(sd_bus **bus, struct error *err)
{
    int result = sd_bus_open_system(bus);

    return result < 0 ? error_errno(err, -result, "system bus") : 0;
}

int systemd_scope_start(const struct systemd_scope *scope, char path[CGROUP_PATH_SIZE],
                        struct error *err)
{
    sd_bus *bus = NULL;
    int result = open_bus(&bus, err);

    if (result < 0)
        return result;
    result = start_scope_unit(bus, scope, err);
    if (result == -EEXIST)
        error_set(err, ERROR_CONFLICT, EEXIST, "unit %s exists already", scope->unit);
    if (result == 0)
        result = read_cgroup(bus, scope->unit, path, err);
    sd_bus_flush_close_unref(bus);
    return result < 0 ? error_prefix(err, "scope %s", scope->unit) : 0;
}

int systemd_scope_get(const struct systemd_scope *scope, char path[CGROUP_PATH_SIZE],
                      struct error *err)
{
    sd_bus *bus = NULL;
    int result = open_bus(&bus, err);

    if (result < 0)
        return result;
    result = start_scope_unit(bus, scope, err);
    if (result == 0 || result == -EEXIST)
        result = read_cgroup(bus, scope->unit, path, err);
    sd_bus_flush_close_unref(bus);
    return result < 0 ? error_prefix(err, "scope %s", scope->unit) : 0;
}

static int set_scope_properties(sd_bus *bus, const struct systemd_scope *scope, struct error *err)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *call = NULL;
    int result = new_call(bus, "SetUnitProperties", &call, err);

    if (result < 0)
        return result;
    result = sd_bus_message_append(call, "sb", scope->unit, 1);
    if (result >= 0)
        result = sd_bus_message_open_container(call, 'a', "(sv)");
    if (result >= 0)
        result = append_properties(call, scope, err);
    if (result >= 0)
        result = sd_bus_message_close_container(call);
    if (result >= 0)
        result = sd_bus_call(bus, call, 0, &error, NULL);
    if (result < 0 && (err == NULL || err->errnum == 0))
        error_errno(err, -result, "SetUnitProperties: %s",
                    error.message != NULL ? error.message : "systemd refused");
    sd_bus_message_unref(call);
    sd_bus_error_free(&error);
    return result < 0 ? result : 0;
}

int systemd_scope_set(const struct systemd_scope *scope, struct error *err)
{
    sd_bus *bus = NULL;
    int result = open_bus(&bus, err);

    if (result == 0)
        result = set_scope_properties(bus, scope, err);
    sd_bus_flush_close_unref(bus);
    return result < 0 ? error_prefix(err, "scope %s", scope->unit) : 0;
}

int systemd_scope_stop(const char *unit, struct error *err)
{
    sd_bus_message *call = NULL;
    sd_bus *bus = NULL;
    int result = open_bus(&bus, err);

    if (result == 0)
        result = new_call(bus, "StopUnit", &call, err);
    if (result == 0) {
        result = sd_bus_message_append(call, "ss", unit, "replace");
        if (result < 0)
            error_errno(err, -result, "StopUnit");
        else
            result = call_for_job(bus, call, NO_SUCH_UNIT, err);
        if (result == -EEXIST)
            result = 0;
    }
    sd_bus_message_unref(call);
    sd_bus_flush_close_unref(bus);
    return result < 0 ? error_prefix(err, "scope %s", unit) : 0;
}
