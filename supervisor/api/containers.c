/* Containers: create, list, inspect, life, streams, logs. */
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"
#include "base/path.h"
#include "base/signals.h"
#include "supervisor/containers/exec.h"
#include "supervisor/containers/internal.h"
#include "supervisor/containers/logs.h"
#include "supervisor/containers/probes.h"
#include "supervisor/http/filters.h"
#include "supervisor/networks/networks.h"

/* The container of the path, or NULL after a 404. */
static struct managed_container *find(struct daemon *daemon, struct request *request,
                                      const struct route_match *match)
{
    struct managed_container *container;
    struct error err = {0};

    if (container_find(daemon, match->name, &container, &err) == 0)
        return container;
    respond_error(request, &err);
    return NULL;
}

void api_container_create(struct daemon *daemon, struct request *request,
                          const struct route_match *match)
{
    struct managed_container *container;
    struct error err = {0};
    struct json_writer *writer;

    (void)match;
    if (container_create(daemon, request_query(request, "name"), request->body,
                         request->body_length, &container, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Id", container->definition.id);
    json_key(writer, "Warnings");
    json_array_open(writer);
    if (container->warning != NULL)
        json_string(writer, container->warning);
    json_array_close(writer);
    json_object_close(writer);
    respond_written(request, 201, writer);
}

void api_container_inspect(struct daemon *daemon, struct request *request,
                           const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);
    struct json_writer *writer;

    if (container == NULL)
        return;
    writer = json_writer_new(false);
    container_write_inspect(writer, container);
    respond_written(request, 200, writer);
}

/* ---- list ---- */

static bool name_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *patterns = filters_get(filters, "name");
    cleanup_free char *name = memory_printf("/%s", container->definition.name);

    for (size_t i = 0; patterns != NULL && i < patterns->count; i++) {
        regex_t pattern;
        bool is_match;

        if (regcomp(&pattern, patterns->items[i], REG_EXTENDED | REG_NOSUB) != 0)
            continue;
        is_match = regexec(&pattern, name, 0, NULL, 0) == 0 ||
                   regexec(&pattern, name + 1, 0, NULL, 0) == 0;
        regfree(&pattern);
        if (is_match)
            return true;
    }
    return patterns == NULL;
}

static bool id_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *ids = filters_get(filters, "id");

    for (size_t i = 0; ids != NULL && i < ids->count; i++) {
        if (strncmp(container->definition.id, ids->items[i], strlen(ids->items[i])) == 0)
            return true;
    }
    return ids == NULL;
}

static bool ancestor_matches(struct daemon *daemon, const struct filters *filters,
                             const struct managed_container *container)
{
    const struct string_list *ancestors = filters_get(filters, "ancestor");

    for (size_t i = 0; ancestors != NULL && i < ancestors->count; i++) {
        struct image *image;

        if (strcmp(container->definition.config.image, ancestors->items[i]) == 0 ||
            (image_store_find(&daemon->images, ancestors->items[i], &image, NULL) == 0 &&
             strcmp(image->id, container->definition.image_id) == 0))
            return true;
    }
    return ancestors == NULL;
}

static bool volume_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *volumes = filters_get(filters, "volume");
    const struct definition *definition = &container->definition;

    for (size_t i = 0; volumes != NULL && i < volumes->count; i++) {
        for (size_t j = 0; j < definition->mount_points.count; j++) {
            const struct mount_point *mount = &definition->mount_points.items[j];

            if (strcmp(mount->destination, volumes->items[i]) == 0 ||
                (mount->name != NULL && strcmp(mount->name, volumes->items[i]) == 0))
                return true;
        }
    }
    return volumes == NULL;
}

/* By name or id, also of modes that are no networks of davitd's. */
static bool network_matches(struct daemon *daemon, const struct filters *filters,
                            const struct managed_container *container)
{
    const struct string_list *networks = filters_get(filters, "network");

    for (size_t i = 0; networks != NULL && i < networks->count; i++) {
        struct network *network;

        if (strcmp(definition_network_mode(&container->definition), networks->items[i]) == 0 ||
            (network_find(&daemon->networks, networks->items[i], &network, NULL) == 0 &&
             membership_find_endpoint(&container->network, network) <
                 container->definition.endpoints.count))
            return true;
    }
    return networks == NULL;
}

/* "8080" or "8080/udp": a port of the host, or one of the container that is published. */
static bool port_matches(const struct filters *filters, const struct managed_container *container)
{
    const struct string_list *wanted = filters_get(filters, "publish");

    for (size_t i = 0; wanted != NULL && i < wanted->count; i++) {
        char *end;
        unsigned long number = strtoul(wanted->items[i], &end, 10);
        const char *protocol = *end == '/' ? end + 1 : "tcp";

        for (size_t j = 0; j < container->network.ports.count; j++) {
            const struct published_port *port = &container->network.ports.items[j];

            if ((port->host_port == number || port->container_port == number) &&
                strcmp(port->protocol, protocol) == 0)
                return true;
        }
    }
    return wanted == NULL;
}

/* Made before or after another container. Who is not there is nobody's before or after. */
static bool age_matches(struct daemon *daemon, const struct filters *filters, const char *key,
                        const struct managed_container *container)
{
    const struct string_list *names = filters_get(filters, key);
    struct managed_container *other;

    for (size_t i = 0; names != NULL && i < names->count; i++) {
        if (container_find(daemon, names->items[i], &other, NULL) < 0)
            continue;
        if (strcmp(key, "before") == 0
                ? container->definition.created_ns < other->definition.created_ns
                : container->definition.created_ns > other->definition.created_ns)
            return true;
    }
    return names == NULL;
}

static bool health_matches(const struct filters *filters, const struct managed_container *container)
{
    const char *health = probes_health(container);

    return filters_match(filters, "health", health != NULL ? health : "none");
}

static bool is_listed(struct daemon *daemon, const struct filters *filters, bool shows_all,
                      const struct managed_container *container)
{
    char exit_code[16];

    snprintf(exit_code, sizeof(exit_code), "%d", container->exit_code);
    if (!shows_all && filters_get(filters, "status") == NULL &&
        filters_get(filters, "exited") == NULL && container->status != CONTAINER_RUNNING &&
        container->status != CONTAINER_RESTARTING)
        return false;
    if (filters_get(filters, "exited") != NULL && container->status != CONTAINER_EXITED)
        return false;
    return filters_match(filters, "status", container_state_name(container)) &&
           filters_match(filters, "exited", exit_code) &&
           filters_match_labels(filters, &container->definition.config.labels) &&
           name_matches(filters, container) && id_matches(filters, container) &&
           ancestor_matches(daemon, filters, container) && volume_matches(filters, container) &&
           network_matches(daemon, filters, container) && port_matches(filters, container) &&
           health_matches(filters, container) &&
           age_matches(daemon, filters, "before", container) &&
           age_matches(daemon, filters, "since", container);
}

void api_containers_list(struct daemon *daemon, struct request *request,
                         const struct route_match *match)
{
    static const char *const known[] = {"id",       "name",    "label",  "status", "exited",
                                        "ancestor", "volume",  "health", "before", "since",
                                        "network",  "publish", NULL};
    struct json_writer *writer;
    struct filters filters;
    struct error err = {0};
    int64_t limit = 0;
    int64_t shown = 0;

    (void)match;
    if (!api_read_filters(request, known, &filters))
        return;
    if (request_query_integer(request, "limit", INT32_MIN, INT32_MAX, &limit, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    json_array_open(writer);
    for (struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        if (limit > 0 && shown == limit)
            break;
        if (!is_listed(daemon, &filters, request_query_bool(request, "all") || limit > 0, one))
            continue;
        container_write_summary(writer, one, NULL);
        shown++;
    }
    json_array_close(writer);
    respond_written(request, 200, writer);
}

/* ---- life ---- */

static void on_started(struct waiter *waiter, struct managed_container *container,
                       const struct error *err)
{
    (void)container;
    if (err != NULL)
        respond_error(waiter->request, err);
    else
        respond_empty(waiter->request, 204);
}

static void begin_start(struct managed_container *container, struct request *request)
{
    struct error err = {0};

    container_forget_restarts(container);
    if (container_begin_start(container, &err) < 0)
        respond_error(request, &err);
    else
        container_wait_for(container, WAIT_STARTED, request, on_started);
}

void api_container_start(struct daemon *daemon, struct request *request,
                         const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);

    if (container == NULL)
        return;
    if (container->status == CONTAINER_STARTING)
        container_wait_for(container, WAIT_STARTED, request, on_started);
    else
        begin_start(container, request);
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

static void on_stopped(struct waiter *waiter, struct managed_container *container,
                       const struct error *err)
{
    struct request *request = waiter->request;

    (void)err;
    if (waiter->is_restart)
        begin_start(container, request);
    else
        respond_empty(request, 204);
}

static void stop_or_restart(struct managed_container *container, struct request *request,
                            bool is_restart)
{
    struct waiter *waiter;
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
    result = container_begin_stop(container, signal_number, timeout_s, &err);
    if (result < 0 && is_restart && err.code == ERROR_NOT_MODIFIED) {
        begin_start(container, request);
    } else if (result < 0) {
        respond_error(request, &err);
    } else {
        waiter = container_wait_for(container, WAIT_NOT_RUNNING, request, on_stopped);
        waiter->is_restart = is_restart;
    }
}

void api_container_stop(struct daemon *daemon, struct request *request,
                        const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);

    if (container != NULL)
        stop_or_restart(container, request, false);
}

void api_container_restart(struct daemon *daemon, struct request *request,
                           const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);

    if (container != NULL)
        stop_or_restart(container, request, true);
}

void api_container_kill(struct daemon *daemon, struct request *request,
                        const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);
    struct error err = {0};
    int signal_number;

    if (container == NULL)
        return;
    signal_number = parse_signal(request);
    if (signal_number < 0)
        return;
    if (container->status == CONTAINER_RUNNING ||
        (container->status == CONTAINER_STARTING &&
         (signal_number == 0 || signal_number == SIGKILL)))
        container_hold_back(container);
    if (container_signal(container, signal_number != 0 ? signal_number : SIGKILL, &err) < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 204);
}

/* ---- wait ---- */

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

static void on_waited(struct waiter *waiter, struct managed_container *container,
                      const struct error *err)
{
    (void)err;
    write_wait_result(waiter->request, container);
}

void api_container_wait(struct daemon *daemon, struct request *request,
                        const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);
    const char *condition = request_query(request, "condition");
    enum waiter_kind kind = WAIT_NOT_RUNNING;

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
    if (kind == WAIT_NOT_RUNNING && container->status != CONTAINER_RUNNING &&
        container->status != CONTAINER_STARTING && container->status != CONTAINER_RESTARTING)
        write_wait_result(request, container);
    else
        container_wait_for(container, kind, request, on_waited);
}

/* ---- streams ---- */

void api_container_logs(struct daemon *daemon, struct request *request,
                        const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);

    if (container != NULL)
        logs_serve(container, request);
}

void api_container_attach(struct daemon *daemon, struct request *request,
                          const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);
    cleanup_buffer struct buffer leftover = {0};
    struct error err = {0};
    unsigned int flags = 0;
    int fd;

    if (container == NULL)
        return;
    if (request_query_bool(request, "logs")) {
        if (request_query_bool(request, "stdin"))
            respond_failure(request, 501, "attach: logs and stdin exclude each other in davit");
        else
            logs_attach(container, request);
        return;
    }
    if (!request_query_bool(request, "stream")) {
        respond_failure(request, 400, "attach without stream=1 has nothing to do");
        return;
    }
    if (request_query_bool(request, "stdin") && container->definition.config.has_open_stdin)
        flags |= MONITOR_STDIN;
    if (request_query_bool(request, "stdout"))
        flags |= MONITOR_STDOUT;
    if (request_query_bool(request, "stderr"))
        flags |= MONITOR_STDERR;
    if (container->definition.config.has_terminal)
        flags |= MONITOR_RAW;
    fd = request_hijack(request,
                        (flags & MONITOR_RAW) != 0 ? "application/vnd.docker.raw-stream"
                                                   : "application/vnd.docker.multiplexed-stream",
                        &leftover);
    if (fd >= 0)
        container_attach(container, fd, flags, &leftover, &err);
}

int api_read_terminal_size(const struct request *request, struct terminal_size *size,
                           struct error *err)
{
    int64_t rows = 0;
    int64_t columns = 0;
    int result = request_query_integer(request, "h", 0, UINT16_MAX, &rows, err);

    if (result == 0)
        result = request_query_integer(request, "w", 0, UINT16_MAX, &columns, err);
    size->rows = (int)rows;
    size->columns = (int)columns;
    return result;
}

void api_container_resize(struct daemon *daemon, struct request *request,
                          const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);
    struct terminal_size size = {0};
    struct error err = {0};

    if (container == NULL)
        return;
    if (api_read_terminal_size(request, &size, &err) < 0 ||
        container_resize(container, 0, size.rows, size.columns, &err) < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 200);
}

/* ---- remove ---- */

static void remove_now(struct managed_container *container, struct request *request)
{
    struct error err = {0};

    if (container_remove(container, request_query_bool(request, "v"), &err) < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 204);
}

static void on_killed(struct waiter *waiter, struct managed_container *container,
                      const struct error *err)
{
    (void)err;
    if (container->status == CONTAINER_REMOVING)
        respond_empty(waiter->request, 204);
    else
        remove_now(container, waiter->request);
}

void api_container_remove(struct daemon *daemon, struct request *request,
                          const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);
    struct error err = {0};

    if (container == NULL)
        return;
    if (request_query_bool(request, "link")) {
        respond_failure(request, 501, "link: not supported by this version of davit");
        return;
    }
    if (request_query_bool(request, "force") && container->status == CONTAINER_RESTARTING)
        container_cancel_restart(container);
    if (!request_query_bool(request, "force") ||
        (container->status != CONTAINER_RUNNING && container->status != CONTAINER_STARTING)) {
        remove_now(container, request);
        return;
    }
    container_hold_back(container);
    if (container_signal(container, SIGKILL, &err) < 0)
        respond_error(request, &err);
    else
        container_wait_for(container, WAIT_NOT_RUNNING, request, on_killed);
}

/* ---- exec ---- */

void api_container_exec(struct daemon *daemon, struct request *request,
                        const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);

    if (container != NULL)
        exec_create(container, request);
}

void api_exec_start(struct daemon *daemon, struct request *request, const struct route_match *match)
{
    exec_start(daemon, match->name, request);
}

void api_exec_inspect(struct daemon *daemon, struct request *request,
                      const struct route_match *match)
{
    exec_inspect(daemon, match->name, request);
}

void api_exec_resize(struct daemon *daemon, struct request *request,
                     const struct route_match *match)
{
    exec_resize(daemon, match->name, request);
}

/* ---- pause, rename ---- */

static void pause_or_unpause(struct daemon *daemon, struct request *request,
                             const struct route_match *match,
                             int (*change)(struct managed_container *container, struct error *err))
{
    struct managed_container *container = find(daemon, request, match);
    struct error err = {0};

    if (container == NULL)
        return;
    if (change(container, &err) < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 204);
}

void api_container_pause(struct daemon *daemon, struct request *request,
                         const struct route_match *match)
{
    pause_or_unpause(daemon, request, match, container_pause);
}

void api_container_unpause(struct daemon *daemon, struct request *request,
                           const struct route_match *match)
{
    pause_or_unpause(daemon, request, match, container_unpause);
}

void api_container_rename(struct daemon *daemon, struct request *request,
                          const struct route_match *match)
{
    struct managed_container *container = find(daemon, request, match);
    const char *name = request_query(request, "name");
    struct error err = {0};

    if (container == NULL)
        return;
    name = name != NULL ? name : "";
    if (container_rename(container, name[0] == '/' ? name + 1 : name, &err) < 0)
        respond_error(request, &err);
    else
        respond_empty(request, 204);
}

/* ---- prune ---- */

static bool is_prunable(const struct managed_container *container, const struct filters *filters,
                        int64_t until_ns)
{
    return (container->status == CONTAINER_CREATED || container->status == CONTAINER_EXITED) &&
           (until_ns == 0 || container->definition.created_ns < until_ns) &&
           filters_match_labels(filters, &container->definition.config.labels);
}

static int prune_containers(struct daemon *daemon, const struct filters *filters, int64_t until_ns,
                            const struct disk_usage *usage, struct json_writer *writer,
                            uint64_t *bytes, struct error *err)
{
    struct managed_container *next;
    int result = 0;

    for (struct managed_container *one = daemon->containers; result == 0 && one != NULL;
         one = next) {
        char id[IDENTIFIER_SIZE];

        next = one->next;
        if (!is_prunable(one, filters, until_ns))
            continue;
        strcpy(id, one->definition.id);
        result = container_remove(one, false, err);
        if (result < 0)
            break;
        *bytes += disk_usage_of_container(usage, id);
        json_string(writer, id);
    }
    return result;
}

void api_containers_prune(struct daemon *daemon, struct request *request,
                          const struct route_match *match)
{
    static const char *const known[] = {"until", "label", "label!", NULL};

    static const struct prune_kind kind = {known, "ContainersDeleted", true, prune_containers};

    (void)match;
    api_prune(daemon, request, &kind);
}
