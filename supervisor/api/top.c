/* GET /containers/NAME/top: a container's processes, listed by a process of its own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "api.h"
#include "base/buffer.h"
#include "base/cleanup.h"
#include "supervisor/containers/container.h"
#include "supervisor/spawn/spawner.h"

#define ANSWER_MAX (64 << 20)
#define DEADLINE_US 10000000

/* A request that waits for the list. */
struct top_wait {
    struct request *request;
    sd_event_source *output;
    sd_event_source *deadline;
    struct buffer text;
    int fd;
};

static void free_wait(struct top_wait *wait)
{
    sd_event_source_disable_unref(wait->output);
    sd_event_source_disable_unref(wait->deadline);
    buffer_release(&wait->text);
    fd_close(&wait->fd);
    free(wait);
}

static void on_client_gone(struct request *request)
{
    free_wait(request->context);
}

static void fail(struct top_wait *wait, const char *why)
{
    struct error err = {0};

    error_set(&err, ERROR_INTERNAL, EIO, "%s", why);
    request_forget(wait->request);
    respond_error(wait->request, &err);
    free_wait(wait);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *context)
{
    (void)source;
    (void)usec;
    fail(context,
         "the container's processes cannot be listed: one of them keeps its memory locked");
    return 0;
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct top_wait *wait = context;
    ssize_t count = read(fd, buffer_reserve(&wait->text, 65536), 65536);

    (void)source;
    (void)events;
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count > 0)
        wait->text.length += (size_t)count;
    if (count > 0 && wait->text.length <= ANSWER_MAX)
        return 0;
    /* A line is whole when it has its end. */
    if (count != 0 || wait->text.length == 0 || wait->text.data[wait->text.length - 1] != '\n') {
        fail(wait, "the container's processes cannot be listed");
        return 0;
    }
    wait->text.data[wait->text.length - 1] = '\0';
    request_forget(wait->request);
    respond_json(wait->request, 200, buffer_text(&wait->text));
    free_wait(wait);
    return 0;
}

/* The cgroup's directory is read by who lists the processes. */
static int ask_for_list(struct managed_container *container, const struct process_columns *columns,
                        int output_fd, struct error *err)
{
    cleanup_free struct cgroup *cgroup = memory_new_one(struct cgroup);
    int result = container_open_cgroup(container, cgroup, err);

    if (result == 0)
        result = spawner_request_process_list(container->containers->spawner, columns, cgroup->fd,
                                              output_fd, err);
    cgroup_close(cgroup);
    return result;
}

static int begin_top(struct managed_container *container, const struct process_columns *columns,
                     struct request *request, struct error *err)
{
    sd_event *loop = container->containers->loop;
    cleanup_close int write_fd = -1;
    struct top_wait *wait;
    int report_fd = spawner_open_report(&write_fd, err);
    int result;

    if (report_fd < 0)
        return report_fd;
    wait = memory_new_one(struct top_wait);
    *wait = (struct top_wait){.request = request, .fd = report_fd};
    result = ask_for_list(container, columns, write_fd, err);
    if (result == 0 &&
        (sd_event_add_io(loop, &wait->output, wait->fd, EPOLLIN, on_output, wait) < 0 ||
         sd_event_add_time_relative(loop, &wait->deadline, CLOCK_MONOTONIC, DEADLINE_US, 0,
                                    on_deadline, wait) < 0))
        result = error_set(err, ERROR_INTERNAL, ENOMEM, "list processes");
    if (result < 0) {
        free_wait(wait);
        return result;
    }
    request->context = wait;
    request->on_close = on_client_gone;
    return 0;
}

static void serve_container_top(struct api *api, struct request *request,
                                const struct route_match *match)
{
    struct process_columns columns;
    struct managed_container *container;
    struct error err = {0};
    int result =
        container_find(api->containers, request->actor.tenant, match->name, &container, &err);

    if (result == 0)
        result = process_columns_parse(request_query(request, "ps_args"), &columns, &err);
    if (result == 0 && container->status != CONTAINER_RUNNING)
        result = error_set(&err, ERROR_CONFLICT, ESRCH, "Container %s is not running",
                           container->definition->id);
    if (result == 0)
        result = begin_top(container, &columns, request, &err);
    if (result < 0)
        respond_error(request, &err);
}

const struct route top_routes[] = {
    {"GET", "/containers/{id}/top", serve_container_top, PERMISSION_READ, NULL},
    {.method = NULL},
};
