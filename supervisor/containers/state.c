/* A container's state as it is kept, in the database and beside it: see internal.h. */
#include <errno.h>
#include <string.h>

#include "base/json_sum.h"
#include "internal.h"

struct state_record {
    int32_t status; /* enum container_status */
    int32_t pid;
    int32_t exit_code;
    int64_t started_ns;
    int64_t finished_ns;
    bool is_oom_killed;
    bool is_paused;
    bool is_held_back;
    int32_t restart_count;
    bool is_restart_wanted;
    const char *error;
};

static const struct json_field state_fields[] = {
    JSON_FIELD(struct state_record, status, "status", JSON_KIND_WORD,
               .names = container_state_names),
    JSON_FIELD(struct state_record, pid, "pid", JSON_KIND_INT32),
    JSON_FIELD(struct state_record, exit_code, "exitCode", JSON_KIND_INT32),
    JSON_FIELD(struct state_record, started_ns, "startedNs", JSON_KIND_INT64),
    JSON_FIELD(struct state_record, finished_ns, "finishedNs", JSON_KIND_INT64),
    JSON_FIELD(struct state_record, is_oom_killed, "oomKilled", JSON_KIND_BOOL),
    JSON_FIELD(struct state_record, is_paused, "paused", JSON_KIND_BOOL),
    JSON_FIELD(struct state_record, is_held_back, "heldBack", JSON_KIND_BOOL),
    JSON_FIELD(struct state_record, restart_count, "restartCount", JSON_KIND_INT32),
    JSON_FIELD(struct state_record, is_restart_wanted, "restartWanted", JSON_KIND_BOOL),
    JSON_FIELD(struct state_record, error, "error", JSON_KIND_STRING),
};
const struct json_struct container_state_type = JSON_STRUCT(struct state_record, state_fields);

char *container_encode_state(const struct managed_container *container)
{
    const struct state_record record = {.status = (int32_t)container->status,
                                        .pid = container->pid,
                                        .exit_code = container->exit_code,
                                        .started_ns = container->started_ns,
                                        .finished_ns = container->finished_ns,
                                        .is_oom_killed = container->is_oom_killed,
                                        .is_paused = container->is_paused,
                                        .is_held_back = container->is_held_back,
                                        .restart_count = container->restart_count,
                                        .is_restart_wanted = container->is_restart_wanted,
                                        .error = container->error};
    struct json_writer *writer = json_writer_new(false);
    char *text;

    json_object_open(writer);
    json_encode_members(writer, &container_state_type, &record);
    parts_encode(writer, container);
    json_object_close_with_sum(writer);
    text = memory_strdup(json_writer_text(writer));
    json_writer_free(writer);
    return text;
}

int kept_state_read(struct arena *arena, const char *text, struct kept_state *state,
                    struct error *err)
{
    struct state_record record = {0};
    int result;

    *state = (struct kept_state){0};
    if (!json_sum_is_right(text, strlen(text)))
        return error_set(err, ERROR_CORRUPT, EBADMSG, "its state is not what was written");
    result = json_parse(arena, text, strlen(text), &json_default_limits, &state->json, err);
    if (result == 0)
        result = json_decode(arena, state->json, &container_state_type, "", &record, err);
    if (result < 0) {
        state->json = NULL;
        return result;
    }
    state->status = (enum container_status)record.status;
    state->is_paused = record.is_paused;
    state->is_held_back = record.is_held_back;
    state->started_ns = record.started_ns;
    state->finished_ns = record.finished_ns;
    return 0;
}

void kept_state_restore(struct managed_container *container, const struct kept_state *state)
{
    cleanup_arena struct arena arena = {0};
    struct state_record record = {.is_held_back = state->is_held_back};

    /* kept_state_read() has decoded the same, so this does not fail. */
    if (state->json != NULL)
        json_decode(&arena, state->json, &container_state_type, "", &record, NULL);
    container->pid = record.pid;
    container->exit_code = record.exit_code;
    container->started_ns = record.started_ns;
    container->finished_ns = record.finished_ns;
    container->is_oom_killed = record.is_oom_killed;
    container->is_held_back = record.is_held_back;
    container->restart_count = record.restart_count;
    container->is_restart_wanted = record.is_restart_wanted;
    if (record.error != NULL && record.error[0] != '\0')
        container->error = memory_strdup(record.error);
    parts_restore(container, state->json);
}
