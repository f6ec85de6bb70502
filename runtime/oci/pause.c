/* davit-oci pause and resume. */
#include <errno.h>

#include "oci.h"

#define FREEZE_TIMEOUT_MS 10000

static int freeze(const struct state *state, bool is_frozen, struct error *err)
{
    struct cgroup_hierarchy hierarchy = CGROUP_HIERARCHY_NONE;
    struct cgroup cgroup = CGROUP_NONE;
    int result = oci_open_cgroup(state, &hierarchy, &cgroup, err);

    if (result == 0)
        result = cgroup_freeze(&cgroup, is_frozen, FREEZE_TIMEOUT_MS, err);
    cgroup_close(&cgroup);
    cgroup_hierarchy_close(&hierarchy);
    return result;
}

int oci_pause(struct oci_context *context, int argc, char **argv)
{
    enum state_status status = STATUS_STOPPED;
    struct state state;
    int result = oci_load_only(context, argc, argv, &state);

    if (result < 0)
        return result;
    result = state_get_status(&state, &status, &context->err);
    if (result == 0 && status != STATUS_RUNNING && status != STATUS_CREATED)
        result = error_set(&context->err, ERROR_CONFLICT, EBUSY, "container not running: %s",
                           state_status_name(status));
    if (result == 0)
        result = freeze(&state, true, &context->err);
    state_release(&state);
    return result;
}

int oci_resume(struct oci_context *context, int argc, char **argv)
{
    enum state_status status = STATUS_STOPPED;
    struct state state;
    int result = oci_load_only(context, argc, argv, &state);

    if (result < 0)
        return result;
    result = state_get_status(&state, &status, &context->err);
    if (result == 0 && status != STATUS_PAUSED)
        result = error_set(&context->err, ERROR_CONFLICT, EBUSY, "container not paused: %s",
                           state_status_name(status));
    if (result == 0)
        result = freeze(&state, false, &context->err);
    state_release(&state);
    return result;
}
