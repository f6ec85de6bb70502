/* The life of containers: start, stop, restart, kill, pause, wait, remove. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/signals.h"
#include "supervisor/containers/container.h"

#define KILL_DEADLINE_US 1000000
#define DEATH_DEADLINE_US 5000000

/* A request that waits for a container. */
struct life_wait {
    struct completion completion;
    struct request *request;
    struct managed_container *container;
    sd_event_source *deadline; /* NULL: none */
};

static void on_client_gone(struct request *request)
{
    struct life_wait *wait = request->context;

    sd_event_source_disable_unref(wait->deadline);
    container_stop_waiting(wait->container, &wait->completion);
    free(wait);
}

static struct life_wait *
wait_for(struct managed_container *container, enum container_wait kind, struct request *request,
         void (*done)(struct completion *completion, const struct error *err))
{
    struct life_wait *wait = memory_new_one(struct life_wait);

    *wait = (struct life_wait){.completion.done = done, .request = request, .container = container};
    request->context = wait;
    request->on_close = on_client_gone;
    container_wait_for(container, kind, &wait->completion);
    return wait;
}

/* Frees the wait and returns a copy of it. The request may be answered or wait again. */
static struct life_wait take_wait(const struct completion *completion)
{
    struct life_wait *wait = (struct life_wait *)(void *)(uintptr_t)completion;
    struct life_wait copy = *wait;

    request_forget(wait->request);
    sd_event_source_disable_unref(wait->deadline);
    free(wait);
    return copy;
}

/* Who was killed and lives on is named, rather than waited for. A monitor that is slow to say that
 * all are dead is not: then `is_dead` is called. */
static int check_dead(struct life_wait *wait, void (*is_dead)(struct life_wait *wait))
{
    struct error err = {0};

    if (container_check_dead(wait->container, &err) == 0) {
        is_dead(wait);
        return 0;
    }
    container_stop_waiting(wait->container, &wait->completion);
    respond_error(take_wait(&wait->completion).request, &err);
    return 0;
}

static void set_deadline(struct life_wait *wait, uint64_t patience_us,
                         sd_event_time_handler_t handler)
{
    sd_event_source_disable_unref(wait->deadline);
    wait->deadline = NULL;
    sd_event_add_time_relative(wait->container->containers->loop, &wait->deadline, CLOCK_MONOTONIC,
                               patience_us, 10000, handler, wait);
}

static int on_death_deadline(sd_event_source *source, uint64_t usec, void *context);

static void wait_on(struct life_wait *wait)
{
    set_deadline(wait, DEATH_DEADLINE_US, on_death_deadline);
}

static int on_death_deadline(sd_event_source *source, uint64_t usec, void *context)
{
    (void)source;
    (void)usec;
    return check_dead(context, wait_on);
}

static bool is_active(const struct managed_container *container)
{
    return container->status == CONTAINER_RUNNING || container->status == CONTAINER_STARTING;
}

static void on_started(struct completion *completion, const struct error *err)
{
    struct life_wait wait = take_wait(completion);

    if (err != NULL)
        respond_error(wait.request, err);
    else
        respond_empty(wait.request, 204);
}

typedef void (*completion_done)(struct completion *completion, const struct error *err);

static void begin_start(struct managed_container *container, struct request *request,
                        completion_done done)
{
    struct error err = {0};

    container_forget_restarts(container);
    if (container_begin_start(container, &request->actor, &err) < 0)
        respond_error(request, &err);
    else
        wait_for(container, WAIT_STARTED, request, done);
}

static void start_or_join(struct managed_container *container, struct request *request,
                          completion_done done)
{
    if (container->status == CONTAINER_STARTING)
        wait_for(container, WAIT_STARTED, request, done);
    else
        begin_start(container, request, done);
}

static void serve_container_start(struct api *api, struct request *request,
                                  const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);

    if (container != NULL)
        start_or_join(container, request, on_started);
}

/* ?signal=, 0 if there is none, negative after a 400. */
static int parse_signal(struct request *request)
{
    const char *text = request_query(request, "signal");
    char message[96];
    int number;

    if (text == NULL || text[0] == '\0')
        return 0;
    number = signal_parse(text);
    if (number < 0) {
        snprintf(message, sizeof(message), "Invalid signal: %.32s", text);
        respond_failure(request, 400, message);
    }
    return number;
}

static void on_stopped(struct completion *completion, const struct error *err)
{
    (void)err;
    respond_empty(take_wait(completion).request, 204);
}

static void on_restarted(struct completion *completion, const struct error *err)
{
    struct managed_container *container = ((struct life_wait *)(void *)completion)->container;

    if (err == NULL && container->status == CONTAINER_RUNNING)
        container_event(container, "restart", NULL);
    on_started(completion, err);
}

/* Somebody else may have started it by now, or removed it. */
static void on_stopped_to_start(struct completion *completion, const struct error *err)
{
    struct life_wait wait = take_wait(completion);

    (void)err;
    if (wait.container->status == CONTAINER_RUNNING)
        respond_empty(wait.request, 204);
    else
        start_or_join(wait.container, wait.request, on_restarted);
}

/* It is killed after timeout_s, if that is not negative. */
static void wait_for_end(struct managed_container *container, struct request *request,
                         int64_t timeout_s,
                         void (*done)(struct completion *completion, const struct error *err))
{
    struct life_wait *wait = wait_for(container, WAIT_NOT_RUNNING, request, done);

    if (timeout_s >= 0)
        set_deadline(wait, (uint64_t)timeout_s * 1000000 + DEATH_DEADLINE_US, on_death_deadline);
}

static void stop_or_restart(struct managed_container *container, struct request *request,
                            bool is_restart)
{
    struct error err = {0};
    int64_t timeout_s = container_stop_timeout(container);
    int signal_number = parse_signal(request);
    int result;

    if (signal_number < 0)
        return;
    if (request_query_integer(request, "t", INT32_MIN, CONTAINER_STOP_TIMEOUT_MAX_S, &timeout_s,
                              &err) < 0) {
        respond_error(request, &err);
        return;
    }
    result = container_begin_stop(container, &request->actor, signal_number, timeout_s, &err);
    if (result == 0 && is_active(container))
        wait_for_end(container, request, timeout_s, is_restart ? on_stopped_to_start : on_stopped);
    else if (is_restart && (result == 0 || err.code == ERROR_NOT_MODIFIED))
        begin_start(container, request, on_restarted);
    else if (result < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 204);
}

static void serve_container_stop(struct api *api, struct request *request,
                                 const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);

    if (container != NULL)
        stop_or_restart(container, request, false);
}

static void serve_container_restart(struct api *api, struct request *request,
                                    const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);

    if (container != NULL)
        stop_or_restart(container, request, true);
}

static void answer_kill(struct life_wait *wait)
{
    container_stop_waiting(wait->container, &wait->completion);
    respond_empty(take_wait(&wait->completion).request, 204);
}

static int on_kill_deadline(sd_event_source *source, uint64_t usec, void *context)
{
    (void)source;
    (void)usec;
    return check_dead(context, answer_kill);
}

static void serve_container_kill(struct api *api, struct request *request,
                                 const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);
    struct error err = {0};
    int signal_number;

    if (container == NULL)
        return;
    signal_number = parse_signal(request);
    if (signal_number < 0)
        return;
    if (signal_number == 0)
        signal_number = SIGKILL;
    if (container_signal(container, &request->actor, signal_number, &err) < 0)
        respond_error(request, &err);
    else if (signal_number == SIGKILL && is_active(container))
        set_deadline(wait_for(container, WAIT_NOT_RUNNING, request, on_stopped), KILL_DEADLINE_US,
                     on_kill_deadline);
    else
        respond_empty(request, 204);
}

static void write_wait_result(struct request *request, const struct managed_container *container)
{
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_integer(writer, "StatusCode", container->exit_code);
    json_key(writer, "Error");
    json_null(writer);
    json_object_close(writer);
    stream_write_message(request, json_writer_text(writer), "\n");
    stream_end(request);
    json_writer_free(writer);
}

static void on_waited(struct completion *completion, const struct error *err)
{
    struct life_wait wait = take_wait(completion);

    (void)err;
    write_wait_result(wait.request, wait.container);
}

static void serve_container_wait(struct api *api, struct request *request,
                                 const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);
    const char *condition = request_query(request, "condition");
    enum container_wait kind = WAIT_NOT_RUNNING;

    if (container == NULL)
        return;
    if (condition != NULL && strcmp(condition, "next-exit") == 0) {
        kind = WAIT_NEXT_EXIT;
    } else if (condition != NULL && strcmp(condition, "removed") == 0) {
        kind = WAIT_REMOVED;
    } else if (condition != NULL && condition[0] != '\0' && strcmp(condition, "not-running") != 0) {
        respond_failure(request, 400, "invalid condition: use not-running, next-exit or removed");
        return;
    }
    /* Clients start the container only when they have these headers. */
    stream_begin(request, "application/json");
    if (kind == WAIT_NOT_RUNNING && !is_active(container) &&
        container->status != CONTAINER_RESTARTING)
        write_wait_result(request, container);
    else
        wait_for(container, kind, request, on_waited);
}

static void on_paused(struct completion *completion, const struct error *err)
{
    struct life_wait wait = take_wait(completion);

    if (err != NULL)
        respond_error(wait.request, err);
    else
        respond_empty(wait.request, 204);
}

static void serve_container_pause(struct api *api, struct request *request,
                                  const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);
    struct error err = {0};

    if (container == NULL)
        return;
    if (container_pause(container, &request->actor, &err) < 0)
        respond_error(request, &err);
    else
        wait_for(container, WAIT_FROZEN, request, on_paused);
}

static void serve_container_unpause(struct api *api, struct request *request,
                                    const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);
    struct error err = {0};

    if (container == NULL)
        return;
    if (container_unpause(container, &request->actor, &err) < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 204);
}

static void remove_now(struct managed_container *container, struct request *request)
{
    struct error err = {0};

    if (container_remove(container, &request->actor, request_query_bool(request, "v"), &err) < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 204);
}

static void remove_by_force(struct managed_container *container, struct request *request);

/* Somebody else may have removed it by now, or started it again. */
static void on_killed(struct completion *completion, const struct error *err)
{
    struct life_wait wait = take_wait(completion);

    (void)err;
    if (wait.container->status == CONTAINER_REMOVING)
        respond_empty(wait.request, 204);
    else
        remove_by_force(wait.container, wait.request);
}

static void remove_by_force(struct managed_container *container, struct request *request)
{
    struct error err = {0};

    if (container->status == CONTAINER_RESTARTING)
        container_begin_stop(container, &request->actor, SIGKILL, 0, NULL);
    if (!is_active(container))
        remove_now(container, request);
    else if (container_signal(container, &request->actor, SIGKILL, &err) < 0)
        respond_error(request, &err);
    else
        wait_on(wait_for(container, WAIT_NOT_RUNNING, request, on_killed));
}

static void serve_container_remove(struct api *api, struct request *request,
                                   const struct route_match *match)
{
    struct managed_container *container = api_find_container(api, request, match);

    if (container == NULL)
        return;
    if (request_query_bool(request, "link")) {
        respond_failure(request, 501, "link: not supported by this version of davit");
        return;
    }
    if (request_query_bool(request, "force"))
        remove_by_force(container, request);
    else
        remove_now(container, request);
}

const struct route life_routes[] = {
    {"POST", "/containers/{id}/start", serve_container_start, PERMISSION_OPERATE, NULL},
    {"POST", "/containers/{id}/stop", serve_container_stop, PERMISSION_OPERATE, NULL},
    {"POST", "/containers/{id}/restart", serve_container_restart, PERMISSION_OPERATE, NULL},
    {"POST", "/containers/{id}/kill", serve_container_kill, PERMISSION_OPERATE, NULL},
    {"POST", "/containers/{id}/pause", serve_container_pause, PERMISSION_OPERATE, NULL},
    {"POST", "/containers/{id}/unpause", serve_container_unpause, PERMISSION_OPERATE, NULL},
    {"POST", "/containers/{id}/wait", serve_container_wait, PERMISSION_OPERATE, NULL},
    {"DELETE", "/containers/{id}", serve_container_remove, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
