/* Running probes: see probes.h. */
#include "probes.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "all_parts.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "exec.h"
#include "internal.h"
#include "supervisor/monitor/streams.h"

#define READ_MAX (64 << 10)
#define CHUNK_SIZE (16 << 10)
#define TIMER_SLACK_US 5000

struct probe_result {
    int64_t start_ns;
    int64_t end_ns;
    int32_t exit_code;
    char *output;
};

enum probe_kind {
    PROBE_HEALTH, /* Docker's HEALTHCHECK */
    PROBE_LIVENESS,
    PROBE_READINESS,
    PROBE_KIND_COUNT,
};

struct probe {
    struct managed_container *container;
    enum probe_kind kind;
    const struct probe_definition *definition;
    sd_event_source *timer; /* to the next run, or to the end of this one's time */
    uint64_t token;         /* of the run under way; 0: none */
    int output_fd;          /* from it */
    sd_event_source *output;
    struct buffer received; /* READ_MAX at most, the rest is thrown away */
    int64_t start_ns;
    struct probe_result results[PROBE_RESULTS_KEPT]; /* oldest first */
    size_t result_count;
};

/* Its part's memory. */
struct probe_state {
    struct probe *probes[PROBE_KIND_COUNT];        /* NULL: not defined */
    struct probe_record records[PROBE_KIND_COUNT]; /* what they found */
};

static struct probe_state *state_of(const struct managed_container *container)
{
    return container_part_state(container, &probe_part);
}

static const struct probe_definition *definition_of(const struct managed_container *container,
                                                    enum probe_kind kind)
{
    const struct probe_definition *const definitions[] = {
        [PROBE_HEALTH] = container->definition->config.healthcheck,
        [PROBE_LIVENESS] = container->definition->liveness,
        [PROBE_READINESS] = container->definition->readiness,
    };

    return probe_is_defined(definitions[kind]) ? definitions[kind] : NULL;
}

static int64_t since_start_ns(const struct probe *probe)
{
    return (int64_t)(clock_monotonic_us() - probe->container->started_us) * 1000;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *context);

static void arm(struct probe *probe, int64_t delay_ns)
{
    int result;

    probe->timer = sd_event_source_disable_unref(probe->timer);
    result = sd_event_add_time_relative(probe->container->containers->loop, &probe->timer,
                                        CLOCK_MONOTONIC, (uint64_t)delay_ns / 1000, TIMER_SLACK_US,
                                        on_timer, probe);
    if (result < 0)
        log_error("container %s: probe: %s", probe->container->definition->name, strerror(-result));
}

static void arm_next(struct probe *probe)
{
    arm(probe,
        probe_interval_ns(probe->definition, &state_of(probe->container)->records[probe->kind],
                          since_start_ns(probe)));
}

static void keep_result(struct probe *probe, int32_t exit_code, char *output)
{
    if (probe->result_count == PROBE_RESULTS_KEPT) {
        free(probe->results[0].output);
        memmove(probe->results, probe->results + 1,
                (PROBE_RESULTS_KEPT - 1) * sizeof(probe->results[0]));
        probe->result_count--;
    }
    probe->results[probe->result_count++] = (struct probe_result){.start_ns = probe->start_ns,
                                                                  .end_ns = clock_now_ns(),
                                                                  .exit_code = exit_code,
                                                                  .output = output};
}

/* The container is stopped as `stop` would, and started again whatever its policy is. */
static void stop_for_restart(struct managed_container *container)
{
    struct error err = {0};

    log_warning("container %s: its liveness probe fails, it is restarted",
                container->definition->name);
    if (container_ask_to_end(container, 0, container_stop_timeout(container), &err) < 0)
        log_error("container %s: %s", container->definition->name, err.message);
}

static void announce(const struct probe *probe)
{
    static const char *const names[] = {"health_status", "liveness_status", "readiness_status"};
    struct managed_container *container = probe->container;
    int32_t status = state_of(container)->records[probe->kind].status;
    bool is_dead = probe->kind == PROBE_LIVENESS && status == PROBE_UNHEALTHY;
    char action[48];

    snprintf(action, sizeof(action), "%s: %s", names[probe->kind], probe_status_name(status));
    if (is_dead)
        container->is_restart_wanted = true;
    /* If davitd dies now, the next one stops the container. */
    container_save_state(container);
    container_event(container, action, NULL);
    if (is_dead)
        stop_for_restart(container);
}

static void end_run(struct probe *probe)
{
    probe->token = 0;
    probe->output = sd_event_source_disable_unref(probe->output);
    fd_close(&probe->output_fd);
    buffer_release(&probe->received);
}

static void probe_take_result(struct probe *probe, int32_t exit_code, char *output)
{
    struct probe_record *record = &state_of(probe->container)->records[probe->kind];

    end_run(probe);
    keep_result(probe, exit_code, output);
    arm_next(probe);
    if (probe_judge(probe->definition, record, exit_code == 0, since_start_ns(probe)))
        announce(probe);
}

/* False when there is nothing more for now. */
static bool take_output(struct probe *probe)
{
    char bytes[CHUNK_SIZE];
    ssize_t count = recv(probe->output_fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    size_t room = READ_MAX - probe->received.length;

    if (count <= 0) {
        if (count == 0 || (errno != EAGAIN && errno != EINTR))
            probe->output = sd_event_source_disable_unref(probe->output);
        return false;
    }
    buffer_append(&probe->received, bytes, (size_t)count < room ? (size_t)count : room);
    return true;
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *context)
{
    (void)source;
    (void)fd;
    (void)events;
    take_output(context);
    return 0;
}

/* What the run has said, without the frames that a command's output has. */
static char *read_output(struct probe *probe)
{
    cleanup_buffer struct buffer text = {0};
    bool has_frames = probe->definition->test.count > 0;
    const struct buffer *received = &probe->received;

    while (take_output(probe))
        ;
    for (size_t i = 0; has_frames && i + STREAM_FRAME_HEADER < received->length;) {
        const unsigned char *header = (const unsigned char *)received->data + i;
        size_t size =
            (size_t)header[4] << 24 | (size_t)header[5] << 16 | (size_t)header[6] << 8 | header[7];

        i += STREAM_FRAME_HEADER;
        if (size > received->length - i)
            size = received->length - i;
        buffer_append(&text, received->data + i, size);
        i += size;
    }
    if (!has_frames)
        buffer_append(&text, received->data, received->length);
    return memory_printf("%.*s",
                         (int)(text.length < PROBE_OUTPUT_MAX ? text.length : PROBE_OUTPUT_MAX),
                         buffer_text(&text));
}

static int send_test(struct probe *probe, int fd, struct error *err)
{
    static const char *const shell[] = {"/bin/sh", "-c"};
    const struct string_list *test = &probe->definition->test;
    const char *command[] = {shell[0], shell[1], test->items[1]};
    bool is_shell = strcmp(test->items[0], "CMD-SHELL") == 0;
    const struct exec_config config = {
        .cmd = is_shell ? (struct string_list){command, 3}
                        : (struct string_list){test->items + 1, test->count - 1},
        .attaches_stdout = true,
        .attaches_stderr = true,
    };
    struct json_writer *writer = exec_make_request(probe->container, &config, true, err);
    int result;

    if (writer == NULL)
        return -err->errnum;
    result = container_send(
        probe->container, &(struct monitor_message){.type = MONITOR_EXEC, .token = probe->token},
        json_writer_text(writer), strlen(json_writer_text(writer)) + 1, fd, err);
    json_writer_free(writer);
    return result;
}

static int send_connection(struct probe *probe, int fd, struct error *err)
{
    const struct probe_definition *definition = probe->definition;
    const struct probe_http *http = definition->http;
    const char *path = http != NULL && http->path != NULL ? http->path : "/";
    const struct monitor_probe request = {
        .host = http != NULL ? http->host : definition->tcp->host,
        .port = http != NULL ? http->port : definition->tcp->port,
        .path = http != NULL ? path : NULL,
        .timeout_ms = (int32_t)(probe_timeout_ns(definition) / 1000000 % INT32_MAX),
    };
    struct json_writer *writer = json_writer_new(false);
    int result;

    json_encode(writer, &monitor_probe_type, &request);
    result = container_send(probe->container,
                            &(struct monitor_message){.type = MONITOR_PROBE, .token = probe->token},
                            json_writer_text(writer), strlen(json_writer_text(writer)), fd, err);
    json_writer_free(writer);
    return result;
}

static int probe_begin_run(struct probe *probe, struct error *err)
{
    cleanup_close int far_fd = -1;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "socketpair");
    probe->output_fd = pair[0];
    far_fd = pair[1];
    shutdown(probe->output_fd, SHUT_WR);
    if (sd_event_add_io(probe->container->containers->loop, &probe->output, probe->output_fd,
                        EPOLLIN, on_output, probe) < 0)
        return error_set(err, ERROR_INTERNAL, ENOMEM, "watch a probe's output");
    probe->token = ++probe->container->containers->next_token;
    probe->start_ns = clock_now_ns();
    return probe->definition->test.count > 0 ? send_test(probe, far_fd, err)
                                             : send_connection(probe, far_fd, err);
}

static void kill_run(const struct probe *probe)
{
    const struct monitor_message message = {
        .type = MONITOR_EXEC_SIGNAL, .token = probe->token, .value = SIGKILL};

    container_send(probe->container, &message, NULL, 0, -1, NULL);
}

static void give_up(struct probe *probe)
{
    kill_run(probe);
    probe_take_result(probe, -1,
                      memory_printf("Health check exceeded timeout (%lld ms)",
                                    (long long)(probe_timeout_ns(probe->definition) / 1000000)));
}

/* A container that is held cannot answer, and one that is being stopped need not. */
static bool is_excused(const struct managed_container *container)
{
    return container->is_paused || container->holders > 0 || container->is_restart_wanted ||
           container->is_stop_requested;
}

/* Its outcome says nothing. */
static void probe_cancel_run(struct probe *probe)
{
    kill_run(probe);
    end_run(probe);
}

/* The next run is due, or the time of this one is over. */
static int on_timer(sd_event_source *source, uint64_t usec, void *context)
{
    struct probe *probe = context;
    struct error err = {0};

    (void)source;
    (void)usec;
    if (is_excused(probe->container)) {
        if (probe->token != 0)
            probe_cancel_run(probe);
        arm_next(probe);
        return 0;
    }
    if (probe->token != 0) {
        give_up(probe);
        return 0;
    }
    if (probe_begin_run(probe, &err) == 0)
        arm(probe, probe_timeout_ns(probe->definition));
    else
        probe_take_result(probe, -1, memory_strdup(err.message));
    return 0;
}

static bool handle_message(struct managed_container *container,
                           const struct monitor_message *message)
{
    for (int kind = 0; kind < PROBE_KIND_COUNT; kind++) {
        struct probe *probe = state_of(container)->probes[kind];
        struct error err = {0};

        if (probe == NULL || probe->token == 0 || probe->token != message->token)
            continue;
        if (message->type == MONITOR_EXEC_FAILED) {
            monitor_message_error(message, &err);
            probe_take_result(probe, -1, memory_strdup(err.message));
        } else if (message->type == MONITOR_EXEC_EXITED) {
            probe_take_result(probe, message->value, read_output(probe));
        }
        return true;
    }
    return false;
}

static void start_probes(struct managed_container *container)
{
    for (int kind = 0; kind < PROBE_KIND_COUNT; kind++) {
        const struct probe_definition *definition = definition_of(container, (enum probe_kind)kind);
        struct probe *probe = state_of(container)->probes[kind];

        if (definition == NULL || (probe != NULL && probe->timer != NULL))
            continue;
        if (probe == NULL)
            probe = memory_new_one(struct probe);
        probe->container = container;
        probe->kind = (enum probe_kind)kind;
        probe->definition = definition;
        probe->output_fd = -1;
        state_of(container)->probes[kind] = probe;
        arm_next(probe);
    }
}

static void probe_stop(struct probe *probe)
{
    if (probe == NULL)
        return;
    probe->timer = sd_event_source_disable_unref(probe->timer);
    end_run(probe);
}

static void probe_free(struct managed_container *container, int kind)
{
    struct probe *probe = state_of(container)->probes[kind];

    probe_stop(probe);
    for (size_t i = 0; probe != NULL && i < probe->result_count; i++)
        free(probe->results[i].output);
    free(probe);
    state_of(container)->probes[kind] = NULL;
}

static void probes_replace(struct managed_container *container)
{
    probe_free(container, PROBE_LIVENESS);
    probe_free(container, PROBE_READINESS);
    state_of(container)->records[PROBE_LIVENESS] = (struct probe_record){0};
    state_of(container)->records[PROBE_READINESS] = (struct probe_record){0};
    if (container->status == CONTAINER_RUNNING)
        start_probes(container);
}

static void stop_probes(struct managed_container *container)
{
    for (int kind = 0; kind < PROBE_KIND_COUNT; kind++)
        probe_stop(state_of(container)->probes[kind]);
}

static void release_probes(struct managed_container *container)
{
    for (int kind = 0; kind < PROBE_KIND_COUNT; kind++)
        probe_free(container, kind);
}

const char *probes_health(const struct managed_container *container)
{
    if (definition_of(container, PROBE_HEALTH) == NULL)
        return NULL;
    return probe_status_name(state_of(container)->records[PROBE_HEALTH].status);
}

static void write_results(struct json_writer *writer, const struct probe *probe)
{
    json_array_open(writer);
    for (size_t i = 0; probe != NULL && i < probe->result_count; i++) {
        const struct probe_result *result = &probe->results[i];
        char start[CLOCK_RFC3339_SIZE];
        char end[CLOCK_RFC3339_SIZE];

        clock_format_rfc3339(result->start_ns, start);
        clock_format_rfc3339(result->end_ns, end);
        json_object_open(writer);
        json_member_string(writer, "Start", start);
        json_member_string(writer, "End", end);
        json_member_integer(writer, "ExitCode", result->exit_code);
        json_member_string(writer, "Output", result->output);
        json_object_close(writer);
    }
    json_array_close(writer);
}

static void write_findings(struct json_writer *writer, const struct managed_container *container,
                           enum probe_kind kind)
{
    const struct probe_record *record = &state_of(container)->records[kind];

    json_member_string(writer, "Status", probe_status_name(record->status));
    json_member_integer(writer, "FailingStreak", record->failing_streak);
    json_key(writer, "Log");
    write_results(writer, state_of(container)->probes[kind]);
}

void probes_write_health(struct json_writer *writer, const struct managed_container *container)
{
    if (definition_of(container, PROBE_HEALTH) == NULL)
        return;
    json_key(writer, "Health");
    json_object_open(writer);
    write_findings(writer, container, PROBE_HEALTH);
    json_object_close(writer);
}

void probes_write(struct json_writer *writer, const struct managed_container *container)
{
    static const char *const names[] = {"Health", "Liveness", "Readiness"};

    json_object_open(writer);
    for (int kind = 0; kind < PROBE_KIND_COUNT; kind++) {
        const struct probe_definition *definition = definition_of(container, (enum probe_kind)kind);

        if (definition == NULL)
            continue;
        json_key(writer, names[kind]);
        json_object_open(writer);
        json_key(writer, "Probe");
        json_encode(writer, &probe_type, definition);
        write_findings(writer, container, (enum probe_kind)kind);
        json_object_close(writer);
    }
    json_object_close(writer);
}

int container_set_probes(struct managed_container *container, const struct actor *actor,
                         struct probe_definition *liveness, struct probe_definition *readiness,
                         struct error *err)
{
    struct definition changed = *container->definition;
    int result = parts_admit(container, actor, ACTION_UPDATE, err);

    changed.liveness = liveness;
    changed.readiness = readiness;
    if (result == 0)
        result = container_revise(container, &changed, err);
    /* Docker's health check goes on as it was. */
    if (result == 0)
        probes_replace(container);
    return result;
}

struct probe_list {
    LIST_OF(struct probe_record) records;
};

static const struct json_field list_fields[] = {
    JSON_FIELD(struct probe_list, records, "probes", JSON_KIND_STRUCTS, .type = &probe_record_type),
};
static const struct json_struct list_type = JSON_STRUCT(struct probe_list, list_fields);

static void record_probes(const struct managed_container *container, struct arena *arena,
                          void *record)
{
    struct probe_list *list = record;

    (void)arena;
    list->records.items = state_of(container)->records;
    list->records.count = PROBE_KIND_COUNT;
}

static void restore_probes(struct managed_container *container, const void *record)
{
    const struct probe_list *list = record;

    for (size_t i = 0; i < list->records.count && i < PROBE_KIND_COUNT; i++)
        state_of(container)->records[i] = list->records.items[i];
}

static void probes_starting(struct managed_container *container,
                            const struct container_start *start)
{
    (void)start;
    memset(state_of(container)->records, 0, sizeof(state_of(container)->records));
}

/* What is kept may be of a run before this one. */
static void probes_found(struct managed_container *container)
{
    if (container->is_start_untold)
        memset(state_of(container)->records, 0, sizeof(state_of(container)->records));
}

static void probes_started(struct managed_container *container, bool is_new)
{
    start_probes(container);
    if (!is_new && container->is_restart_wanted)
        stop_for_restart(container);
}

static void probes_revised(struct managed_container *container)
{
    for (int kind = 0; kind < PROBE_KIND_COUNT; kind++) {
        struct probe *probe = state_of(container)->probes[kind];

        if (probe == NULL)
            continue;
        probe->definition = definition_of(container, (enum probe_kind)kind);
        if (probe->definition == NULL)
            probe_free(container, kind);
    }
}

const struct container_part probe_part = {
    .name = "probes",
    .state_size = sizeof(struct probe_state),
    .release = release_probes,
    .starting = probes_starting,
    .started = probes_started,
    .found = probes_found,
    .ended = stop_probes,
    .revised = probes_revised,
    .message = handle_message,
    .record_type = &list_type,
    .record = record_probes,
    .restore = restore_probes,
};
