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
        result = cgroup_set_frozen(&cgroup, is_frozen, FREEZE_TIMEOUT_MS, err);
    cgroup_close(&cgroup);
    cgroup_hierarchy_close(&hierarchy);
    return result;
}

static int check_status(const struct state *state, bool is_frozen, struct error *err)
{
    enum state_status status = STATUS_STOPPED;
    int result = state_get_status(state, &status, err);
    bool is_possible =
        is_frozen ? status == STATUS_RUNNING || status == STATUS_CREATED : status == STATUS_PAUSED;

    if (result < 0 || is_possible)
        return result;
    return error_set(err, ERROR_CONFLICT, EBUSY, "container not %s: %s",
                     is_frozen ? "running" : "paused", state_status_name(status));
}

static int freeze_or_thaw(struct oci_context *context, int argc, char **argv, bool is_frozen)
{
    struct state state;
    int result = oci_load_by_only_argument(context, argc, argv, &state);

    if (result < 0)
        return result;
    result = check_status(&state, is_frozen, &context->err);
    if (result == 0)
        result = freeze(&state, is_frozen, &context->err);
    state_release(&state);
    return result;
}

int oci_pause(struct oci_context *context, int argc, char **argv)
{
    return freeze_or_thaw(context, argc, argv, true);
}

int oci_resume(struct oci_context *context, int argc, char **argv)
{
    return freeze_or_thaw(context, argc, argv, false);
}
