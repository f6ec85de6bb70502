/* POST /images/load: the request's body goes to an image worker's standard input. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "api.h"
#include "base/cleanup.h"
#include "image_worker.h"

struct load {
    struct image_worker worker;
    int input_fd; /* to the worker; -1: all of the body is in it */
    sd_event_source *input;
    struct buffer pending; /* of the body, when the worker does not keep up */
    bool is_body_over;
};

static void close_worker_input(struct load *load)
{
    load->input = sd_event_source_disable_unref(load->input);
    fd_close(&load->input_fd);
}

static void load_free(struct load *load)
{
    close_worker_input(load);
    image_worker_release(&load->worker);
    buffer_release(&load->pending);
    free(load);
}

static void on_end(struct image_worker *worker)
{
    load_free(worker->context);
}

/* The worker sees its input end and gives up by itself. */
static void on_client_gone(struct request *request)
{
    struct load *load = request->context;

    image_worker_lose_client(&load->worker, false);
    close_worker_input(load);
}

/* Gives the worker what it takes now; the number of bytes. */
static size_t feed(struct load *load, const char *bytes, size_t length)
{
    size_t done = 0;

    while (load->input_fd >= 0 && done < length) {
        ssize_t count = write(load->input_fd, bytes + done, length - done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            return done;
        /* It has read enough to know that it is wrong; its report says why. */
        if (count < 0)
            close_worker_input(load);
        else
            done += (size_t)count;
    }
    return length;
}

/* What it has not taken waits for it, and the end waits for that. */
static void settle(struct load *load)
{
    if (load->input_fd < 0)
        return;
    sd_event_source_set_enabled(load->input, load->pending.length > 0 ? SD_EVENT_ON : SD_EVENT_OFF);
    if (load->pending.length == 0 && load->is_body_over)
        close_worker_input(load);
}

static int on_worker_takes(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct load *load = context;

    (void)source;
    (void)fd;
    (void)events;
    buffer_consume(&load->pending, feed(load, load->pending.data, load->pending.length));
    settle(load);
    if (load->pending.length == 0 && load->worker.request != NULL && !load->is_body_over)
        request_resume_body(load->worker.request);
    return 0;
}

static int on_body(struct request *request, const char *bytes, size_t length)
{
    struct load *load = request->context;

    if (length == 0)
        load->is_body_over = true;
    if (load->input_fd < 0)
        return 0;
    if (load->pending.length == 0) {
        size_t taken = feed(load, bytes, length);

        bytes += taken;
        length -= taken;
    }
    buffer_append(&load->pending, bytes, length);
    settle(load);
    /* One read of the connection may bring several pieces: what stopped after one of them has to go
     * on if the worker has taken it with the next. */
    if (load->pending.length > 0 && !load->is_body_over)
        request_pause_body(request);
    else
        request_resume_body(request);
    return 0;
}

static void on_image(struct image_worker *worker, const struct image_report *report,
                     const struct image *image, const char *full_name)
{
    char text[640];
    char name[512];

    (void)report;
    if (full_name == NULL) {
        snprintf(text, sizeof(text), "Loaded image ID: %s\n", image->id);
    } else {
        image_reference_familiar(full_name, name, sizeof(name));
        snprintf(text, sizeof(text), "Loaded image: %s\n", name);
        image_event(worker->daemon, "load", image->id, name);
    }
    image_worker_say_stream(worker, text);
}

static int start(struct load *load, struct error *err)
{
    struct daemon *daemon = load->worker.daemon;
    cleanup_close int worker_input = -1;
    cleanup_close int worker_output = -1;
    int input[2];
    int result;

    if (pipe2(input, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    worker_input = input[0];
    load->input_fd = input[1];
    fcntl(load->input_fd, F_SETFL, O_NONBLOCK);
    fcntl(load->input_fd, F_SETPIPE_SZ, 1 << 20);
    worker_output = image_worker_begin(&load->worker, err);
    if (worker_output < 0)
        return worker_output;
    result = sd_event_add_io(daemon->loop, &load->input, load->input_fd, EPOLLOUT, on_worker_takes,
                             load);
    if (result < 0)
        return error_errno(err, -result, "watch the image worker");
    sd_event_source_set_enabled(load->input, SD_EVENT_OFF);
    return spawner_request_worker(daemon->spawner_fd, WORKER_LOAD,
                                  (const int[]){daemon->root_fd, worker_input, worker_output}, 3,
                                  err);
}

void api_images_load(struct daemon *daemon, struct request *request,
                     const struct route_match *match)
{
    struct load *load = memory_new_one(struct load);
    struct error err = {0};

    (void)match;
    load->worker = (struct image_worker){.daemon = daemon,
                                         .request = request,
                                         .context = load,
                                         .output_fd = -1,
                                         .on_image = on_image,
                                         .on_end = on_end};
    load->input_fd = -1;
    if (start(load, &err) < 0) {
        load_free(load);
        respond_error(request, &err);
        return;
    }
    image_worker_runs(&load->worker);
    request->context = load;
    request->on_close = on_client_gone;
    request->on_body = on_body;
}
