/* Images: list, load, inspect, remove. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "filters.h"
#include "images/report.h"
#include "spawner.h"

static void image_event(struct daemon *daemon, const char *action, const char *id, const char *name)
{
    struct string_pair pair = {"name", name};

    events_publish(&daemon->events, "image", action, id, &(struct string_map){&pair, 1});
}

/* ---- list and inspect ---- */

static void write_names(struct json_writer *writer, const struct image *image)
{
    char name[512];

    json_key(writer, "RepoTags");
    json_array_open(writer);
    for (size_t i = 0; i < image->name_count; i++) {
        image_reference_familiar(image->names[i], name, sizeof(name));
        json_string(writer, name);
    }
    json_array_close(writer);
    json_key(writer, "RepoDigests");
    json_array_open(writer);
    json_array_close(writer);
}

static void write_summary(struct json_writer *writer, const struct image *image)
{
    json_object_open(writer);
    json_member_string(writer, "Id", image->id);
    json_member_string(writer, "ParentId", "");
    write_names(writer, image);
    json_member_integer(writer, "Created", image->created_ns / 1000000000);
    json_member_unsigned(writer, "Size", image->size);
    json_member_integer(writer, "SharedSize", -1);
    json_member_integer(writer, "Containers", -1);
    json_member_map(writer, "Labels", &image->config.config.labels);
    json_object_close(writer);
}

/* "name", "name:tag" or a pattern, on the familiar form. */
static bool reference_matches(const struct filters *filters, const struct image *image)
{
    const struct string_list *patterns = filters_get(filters, "reference");

    for (size_t i = 0; patterns != NULL && i < patterns->count; i++) {
        for (size_t j = 0; j < image->name_count; j++) {
            char name[512];

            image_reference_familiar(image->names[j], name, sizeof(name));
            if (fnmatch(patterns->items[i], name, 0) == 0)
                return true;
            *strrchr(name, ':') = '\0';
            if (fnmatch(patterns->items[i], name, 0) == 0)
                return true;
        }
    }
    return patterns == NULL;
}

static bool is_listed(const struct filters *filters, const struct image *image)
{
    const struct string_list *dangling = filters_get(filters, "dangling");
    bool wants_dangling = dangling != NULL && (strcmp(dangling->items[0], "true") == 0 ||
                                               strcmp(dangling->items[0], "1") == 0);

    if (dangling != NULL && wants_dangling != (image->name_count == 0))
        return false;
    return reference_matches(filters, image) &&
           filters_match_labels(filters, &image->config.config.labels);
}

void api_images_list(struct daemon *daemon, struct request *request,
                     const struct route_match *match)
{
    static const char *const known[] = {"reference", "label", "dangling", NULL};
    struct json_writer *writer;
    struct filters filters;
    struct error err = {0};

    (void)match;
    if (filters_parse(&request->arena, request_query(request, "filters"), known, &filters, &err) <
        0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    json_array_open(writer);
    for (size_t i = daemon->images.image_count; i > 0; i--) {
        if (is_listed(&filters, daemon->images.images[i - 1]))
            write_summary(writer, daemon->images.images[i - 1]);
    }
    json_array_close(writer);
    respond_written(request, 200, writer);
}

static void write_rootfs(struct json_writer *writer, const struct image *image)
{
    json_key(writer, "RootFS");
    json_object_open(writer);
    json_member_string(writer, "Type", "layers");
    json_member_strings(writer, "Layers", &image->config.rootfs.diff_ids);
    json_object_close(writer);
}

void api_image_inspect(struct daemon *daemon, struct request *request,
                       const struct route_match *match)
{
    struct json_writer *writer;
    struct image *image;
    struct error err = {0};

    if (image_store_find(&daemon->images, match->name, &image, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Id", image->id);
    write_names(writer, image);
    json_member_string(writer, "Parent", "");
    json_member_string(writer, "Comment", image->config.comment);
    json_member_string(writer, "Created",
                       image->config.created != NULL ? image->config.created
                                                     : "0001-01-01T00:00:00Z");
    json_member_string(writer, "Author", image->config.author);
    json_key(writer, "Config");
    json_encode(writer, &image_process_type, &image->config.config);
    json_member_string(writer, "Architecture", image->config.architecture);
    json_member_string(writer, "Os", image->config.os);
    json_member_unsigned(writer, "Size", image->size);
    write_rootfs(writer, image);
    json_object_close(writer);
    respond_written(request, 200, writer);
}

/* ---- remove ---- */

static const struct managed_container *find_user(const struct daemon *daemon,
                                                 const struct image *image)
{
    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        if (strcmp(one->definition.image_id, image->id) == 0)
            return one;
    }
    return NULL;
}

static int check_unused(const struct daemon *daemon, const struct image *image, const char *name,
                        struct error *err)
{
    const struct managed_container *user = find_user(daemon, image);

    if (user == NULL)
        return 0;
    return error_set(err, ERROR_CONFLICT, EBUSY,
                     "conflict: unable to remove repository reference \"%.128s\" (must force) - "
                     "container %.12s is using its referenced image %.12s",
                     name, user->definition.id, image->id + 7);
}

static void write_untagged(struct json_writer *writer, const char *name)
{
    json_object_open(writer);
    json_member_string(writer, "Untagged", name);
    json_object_close(writer);
}

static int delete_image(struct daemon *daemon, struct image *image, struct json_writer *writer,
                        struct error *err)
{
    char id[DIGEST_SIZE];
    int result;

    memcpy(id, image->id, sizeof(id));
    result = image_store_remove(&daemon->images, image, err);
    if (result == 0)
        result = image_store_collect(&daemon->images, err);
    if (result < 0)
        return result;
    json_object_open(writer);
    json_member_string(writer, "Deleted", id);
    json_object_close(writer);
    image_event(daemon, "delete", id, id);
    return 0;
}

/* By name: takes the name, and the image with its last one. By id: everything, if it has no more
 * than one name or force is given. */
static int remove_image(struct daemon *daemon, struct image *image, const char *reference,
                        bool is_forced, struct json_writer *writer, struct error *err)
{
    struct image_reference parsed;
    char full[512] = "";
    bool is_by_name = false;
    int result = 0;

    if (image_reference_parse(reference, &parsed, NULL) == 0) {
        snprintf(full, sizeof(full), "%s:%s", parsed.name, parsed.tag);
        for (size_t i = 0; i < image->name_count; i++)
            is_by_name = is_by_name || strcmp(image->names[i], full) == 0;
    }
    if (!is_by_name && image->name_count > 1 && !is_forced)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "conflict: unable to delete %.12s (must be forced) - image is referenced "
                         "in multiple repositories",
                         image->id + 7);
    /* The layers of a container are its image's: even force does not take them away. */
    if (!is_by_name || image->name_count <= 1)
        result = check_unused(daemon, image, reference, err);
    while (result == 0 && image->name_count > 0) {
        char name[512];

        if (!is_by_name)
            snprintf(full, sizeof(full), "%s", image->names[image->name_count - 1]);
        image_reference_familiar(full, name, sizeof(name));
        result = image_store_untag(&daemon->images, image, full, err);
        write_untagged(writer, name);
        image_event(daemon, "untag", image->id, name);
        if (is_by_name)
            break;
    }
    if (result == 0 && image->name_count == 0)
        result = delete_image(daemon, image, writer, err);
    return result;
}

void api_image_remove(struct daemon *daemon, struct request *request,
                      const struct route_match *match)
{
    struct json_writer *writer = json_writer_new(false);
    struct image *image;
    struct error err = {0};
    int result = image_store_find(&daemon->images, match->name, &image, &err);

    json_array_open(writer);
    if (result == 0)
        result = remove_image(daemon, image, match->name, request_query_bool(request, "force"),
                              writer, &err);
    if (result < 0) {
        respond_error(request, &err);
    } else {
        json_array_close(writer);
        respond_json(request, 200, json_writer_text(writer));
    }
    json_writer_free(writer);
}

/* ---- load ---- */

/* The request's body goes to a worker's standard input; what it reports becomes names. */
struct load {
    struct daemon *daemon;
    struct request *request; /* NULL once the client has gone */
    int input_fd;            /* to the worker; -1: all of the body is in it */
    int output_fd;
    sd_event_source *input;
    sd_event_source *output;
    struct buffer pending; /* of the body, when the worker does not keep up */
    struct buffer report;
    bool is_body_over;
    bool has_answered;
    size_t image_count;
    struct error err;
};

static void load_free(struct load *load)
{
    sd_event_source_disable_unref(load->input);
    sd_event_source_disable_unref(load->output);
    fd_close(&load->input_fd);
    fd_close(&load->output_fd);
    buffer_release(&load->pending);
    buffer_release(&load->report);
    free(load);
}

static void close_worker_input(struct load *load)
{
    load->input = sd_event_source_disable_unref(load->input);
    fd_close(&load->input_fd);
}

/* The worker sees its input end and gives up by itself. */
static void on_load_client_gone(struct request *request)
{
    struct load *load = request->context;

    load->request = NULL;
    close_worker_input(load);
}

static void push_body(struct load *load)
{
    while (load->pending.length > 0) {
        ssize_t count = write(load->input_fd, load->pending.data, load->pending.length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno == EAGAIN)
            break;
        if (count < 0) {
            /* It has read enough to know that it is wrong; its report says why. */
            load->pending.length = 0;
            close_worker_input(load);
            break;
        }
        buffer_consume(&load->pending, (size_t)count);
    }
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
    push_body(load);
    if (load->pending.length == 0 && load->request != NULL && !load->is_body_over)
        request_resume_body(load->request);
    return 0;
}

static int on_load_body(struct request *request, const char *bytes, size_t length)
{
    struct load *load = request->context;

    if (length == 0)
        load->is_body_over = true;
    if (load->input_fd < 0)
        return 0;
    buffer_append(&load->pending, bytes, length);
    push_body(load);
    if (load->pending.length > 0 && length > 0)
        request_pause_body(request);
    return 0;
}

static void say_loaded(struct load *load, const char *what, const char *name)
{
    struct json_writer *writer;
    char text[640];

    if (load->request == NULL)
        return;
    if (!load->has_answered)
        stream_begin(load->request, "application/json");
    load->has_answered = true;
    snprintf(text, sizeof(text), "Loaded image%s: %s\n", what, name);
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "stream", text);
    json_object_close(writer);
    stream_write(load->request, json_writer_text(writer), strlen(json_writer_text(writer)));
    stream_write(load->request, "\r\n", 2);
    json_writer_free(writer);
}

static int add_image(struct load *load, const struct image_report *report)
{
    struct daemon *daemon = load->daemon;
    struct string_pair annotation = {ANNOTATION_LAYERS, report->layers};
    const struct image_descriptor descriptor = {
        .media_type = MEDIA_TYPE_MANIFEST,
        .digest = report->digest,
        .size = report->size,
        .annotations = {&annotation, 1},
    };
    struct image *image = NULL;
    int result = 0;

    for (size_t i = 0; result == 0 && i < report->names.count; i++) {
        struct image_reference reference;
        char full[512];
        char name[512];

        result = image_reference_parse(report->names.items[i], &reference, &load->err);
        if (result < 0)
            break;
        snprintf(full, sizeof(full), "%s:%s", reference.name,
                 reference.tag[0] != '\0' ? reference.tag : "latest");
        result = image_store_add(&daemon->images, full, &descriptor, &image, &load->err);
        if (result < 0)
            break;
        image_reference_familiar(full, name, sizeof(name));
        say_loaded(load, "", name);
        image_event(daemon, "load", image->id, name);
    }
    if (result == 0 && report->names.count == 0) {
        result = image_store_add(&daemon->images, NULL, &descriptor, &image, &load->err);
        if (result == 0)
            say_loaded(load, " ID", image->id);
    }
    load->image_count++;
    return result;
}

static enum error_code code_by_name(const char *name)
{
    for (int code = 0; name != NULL && code < ERROR_CODE_COUNT; code++) {
        if (strcmp(error_code_name((enum error_code)code), name) == 0)
            return (enum error_code)code;
    }
    return ERROR_INTERNAL;
}

/* The worker has handled bytes from outside: its report is checked like a stranger's. */
static void handle_report_line(struct load *load, const char *line, size_t length)
{
    cleanup_arena struct arena arena = {0};
    struct image_report report = {0};

    if (load->err.errnum != 0)
        return;
    if (json_decode_text(&arena, line, length, &image_report_type, &report, &load->err) < 0)
        return;
    if (report.error != NULL) {
        error_set(&load->err, code_by_name(report.code), EINVAL, "%s", report.error);
        return;
    }
    if (report.digest == NULL || !digest_is_valid(report.digest) || report.layers == NULL) {
        error_set(&load->err, ERROR_CORRUPT, EINVAL, "the image worker's report is not valid");
        return;
    }
    add_image(load, &report);
}

static void answer_load(struct load *load)
{
    struct request *request = load->request;
    const char *message = load->err.message;

    if (request == NULL)
        return;
    request->on_close = NULL;
    request->on_body = NULL;
    request->context = NULL;
    if (load->err.errnum == 0) {
        stream_end(request);
    } else if (!load->has_answered) {
        respond_error(request, &load->err);
    } else {
        struct json_writer *writer = json_writer_new(false);

        json_object_open(writer);
        json_key(writer, "errorDetail");
        json_object_open(writer);
        json_member_string(writer, "message", message);
        json_object_close(writer);
        json_member_string(writer, "error", message);
        json_object_close(writer);
        stream_write(request, json_writer_text(writer), strlen(json_writer_text(writer)));
        json_writer_free(writer);
        stream_end(request);
    }
}

static void finish_load(struct load *load)
{
    struct daemon *daemon = load->daemon;
    struct error err = {0};

    if (load->err.errnum == 0 && load->image_count == 0)
        error_set(&load->err, ERROR_INTERNAL, ECHILD, "the image worker died");
    daemon->images.worker_count--;
    if (image_store_collect(&daemon->images, &err) < 0)
        log_warning("image store: %s", err.message);
    answer_load(load);
    load_free(load);
}

static int on_worker_says(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct load *load = context;
    ssize_t count = read(fd, buffer_reserve(&load->report, 65536), 65536);
    char *newline;

    (void)source;
    (void)events;
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (count > 0 && load->report.length < (4 << 20)) {
        load->report.length += (size_t)count;
        while ((newline = memchr(load->report.data, '\n', load->report.length)) != NULL) {
            size_t length = (size_t)(newline - load->report.data);

            handle_report_line(load, load->report.data, length);
            buffer_consume(&load->report, length + 1);
        }
        return 0;
    }
    finish_load(load);
    return 0;
}

static int start_worker(struct load *load, struct error *err)
{
    struct daemon *daemon = load->daemon;
    cleanup_close int worker_input = -1;
    cleanup_close int worker_output = -1;
    int input[2];
    int output[2];
    int result;

    if (pipe2(input, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    worker_input = input[0];
    load->input_fd = input[1];
    if (pipe2(output, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    load->output_fd = output[0];
    worker_output = output[1];
    fcntl(load->input_fd, F_SETFL, O_NONBLOCK);
    fcntl(load->output_fd, F_SETFL, O_NONBLOCK);
    fcntl(load->input_fd, F_SETPIPE_SZ, 1 << 20);
    result = sd_event_add_io(daemon->loop, &load->input, load->input_fd, EPOLLOUT, on_worker_takes,
                             load);
    if (result >= 0)
        result = sd_event_add_io(daemon->loop, &load->output, load->output_fd, EPOLLIN,
                                 on_worker_says, load);
    if (result < 0)
        return error_errno(err, -result, "watch the image worker");
    sd_event_source_set_enabled(load->input, SD_EVENT_OFF);
    return spawner_request_worker(daemon->spawner_fd, daemon->root_fd, worker_input, worker_output,
                                  err);
}

void api_images_load(struct daemon *daemon, struct request *request,
                     const struct route_match *match)
{
    struct load *load = memory_new_one(struct load);
    struct error err = {0};

    (void)match;
    load->daemon = daemon;
    load->request = request;
    load->input_fd = -1;
    load->output_fd = -1;
    if (start_worker(load, &err) < 0) {
        load_free(load);
        respond_error(request, &err);
        return;
    }
    daemon->images.worker_count++;
    request->context = load;
    request->on_close = on_load_client_gone;
    request->on_body = on_load_body;
}

void api_images_create(struct daemon *daemon, struct request *request,
                       const struct route_match *match)
{
    (void)daemon;
    (void)match;
    respond_failure(request, 501,
                    "pulling and importing images is not supported by this version of davit; load "
                    "one from an archive: davit load -i FILE");
}
