/*
 * The handlers of the control socket's paths, one file for each subject. Handlers are static: the
 * table of routes at the end of a file makes them known. A handler answers its request at once or
 * later. docs/openapi.yaml describes the paths.
 */
#ifndef DAVIT_SUPERVISOR_API_API_H
#define DAVIT_SUPERVISOR_API_API_H

#include "supervisor/containers/container.h"
#include "supervisor/http/filters.h"
#include "supervisor/http/server.h"
#include "supervisor/images/images.h"

/* The rooms whose functions the handlers call. */
struct api {
    sd_event *loop;
    const struct places *places;
    const char *id; /* davitd's */
    struct event_bus *events;
    struct image_store *store;
    struct volumes *volumes;
    struct networks *networks;
    struct containers *containers;
    struct images *images;
};

/* What "{id}" and its like in a row's path matched, decoded. */
struct route_match {
    const char *name;
};

/* The permission that a route needs. Today whoever can open the socket has both. */
enum permission {
    PERMISSION_READ,    /* sees */
    PERMISSION_OPERATE, /* changes */
};

/* An endpoint. One part of its path may stand in braces: it matches any text without a slash, and
 * "{name}", for names of images, any text. */
struct route {
    const char *method; /* NULL ends a table */
    const char *path;
    void (*handler)(struct api *api, struct request *request, const struct route_match *match);
    enum permission permission;
    /* Whether the request's body streams to on_body. NULL: no, it is collected first. */
    bool (*streams)(const struct request *request);
};

extern const struct route system_routes[];
extern const struct route event_routes[];
extern const struct route image_routes[];
extern const struct route image_job_routes[];
extern const struct route commit_routes[];
extern const struct route registry_routes[];
extern const struct route archive_routes[];
extern const struct route container_routes[];
extern const struct route container_prune_routes[];
extern const struct route life_routes[];
extern const struct route log_routes[];
extern const struct route exec_routes[];
extern const struct route stats_routes[];
extern const struct route top_routes[];
extern const struct route egress_routes[];
extern const struct route probe_routes[];
extern const struct route network_routes[];
extern const struct route volume_routes[];
extern const struct route usage_routes[];
extern const struct route repair_routes[];

/* For server_start(): `context` is a struct api. */
void api_handle(void *context, struct request *request);
bool api_streams_body(void *context, const struct request *request);

/* Writes all rows, one a line: method, path and permission. */
void api_print_routes(FILE *out);

/* For `streams`. */
bool api_always_streams(const struct request *request);

/* Shared by handlers. */

/* The container of the path; NULL after a 404. */
struct managed_container *api_find_container(const struct api *api, struct request *request,
                                             const struct route_match *match);

/* Reads the query's filters; false: they were wrong, which has been answered. */
bool api_read_filters(struct request *request, const char *const *known, struct filters *filters);

/* All values that the query has of that name. */
struct string_list api_query_list(struct request *request, const char *name);

/* "h" and "w" of a request to change a terminal's size. */
struct terminal_size {
    int rows;
    int columns;
};
int api_read_terminal_size(const struct request *request, struct terminal_size *size,
                           struct error *err);

/* Answers with a container's log: logs.c. */
void api_serve_logs(struct managed_container *container, struct request *request, bool is_attach);

/* Containers and images as JSON: inspect.c, image_names.c */

struct container_sizes {
    uint64_t changed; /* what it has of its own */
    uint64_t root;    /* with its image */
};

/* From what was counted: usage.c */
struct container_sizes container_sizes_of(const struct api *api,
                                          const struct managed_container *container,
                                          const struct disk_usage *usage);

/* Writes `inspect` and an entry of the list; `sizes` may be NULL. */
void container_write_inspect(struct json_writer *writer, const struct managed_container *container,
                             const struct container_sizes *sizes);
void container_write_summary(struct json_writer *writer, struct managed_container *container,
                             const struct container_sizes *sizes);

/* Whether one of the patterns is the name, full, with or without its tag: "busybox*". NULL: any
 * is. */
bool image_name_matches(const struct string_list *patterns, const char *full);

/* Writes the members RepoTags, of which only those that match, and RepoDigests. */
void image_write_names(struct json_writer *writer, const struct image *image,
                       const struct string_list *patterns);

/* What an entry of a list says besides; numbers that were not counted are -1. */
struct image_counts {
    int64_t shared_bytes;
    int64_t containers;
};

/* Writes an entry of the list of images. */
void image_write_summary(struct json_writer *writer, const struct image *image,
                         const struct string_list *patterns, const struct image_counts *counts);

/* Prune: prune.c */

/* What can be pruned. */
struct prune_kind {
    const char *const *filters; /* the names that it accepts; NULL ends them */
    const char *list_name;
    bool is_measured; /* `usage` is wanted */
    /* Removes what the filters select, writes the names of it and adds up the bytes. */
    int (*prune)(struct api *api, const struct actor *actor, const struct filters *filters,
                 int64_t until_ns, const struct disk_usage *usage, struct json_writer *writer,
                 uint64_t *bytes, struct error *err);
};

/* The filters of a prune request: the names in `known`, which NULL ends, and the time of "until".
 */
int api_parse_prune_filters(struct request *request, const char *const *known,
                            struct filters *filters, int64_t *until_ns, struct error *err);

/* Answers POST .../prune. */
void api_prune(struct api *api, struct request *request, const struct prune_kind *kind);

/* Disk usage: usage.c */

/* The answer to a request, which the caller frees; NULL after a failure, or, without an error, if
 * it is answered later. */
typedef struct json_writer *(*usage_answer)(struct api *api, struct request *request,
                                            const struct disk_usage *usage, const void *context,
                                            struct error *err);

/* Counts and answers, unless the client goes away meanwhile. */
void api_measure_usage(struct api *api, struct request *request, usage_answer answer,
                       const void *context);

/* Lists of containers: container_filters.c */

extern const char *const container_filters[]; /* that are known; NULL ends them */

/* Whether the values of the filters make sense. */
int container_filters_check(struct api *api, const char *tenant, const struct filters *filters,
                            struct error *err);

/* Whether the list has this container. */
bool container_is_listed(struct api *api, const struct filters *filters, bool shows_all,
                         const struct managed_container *container);

/* Answers to requests that start an image job: job_answer.c */

/* How a job's end becomes an answer. */
enum answer_kind {
    ANSWER_PROGRESS, /* a JSON object a line, as Docker has it; an error is the last */
    ANSWER_BYTES,    /* what the job gives; an error cuts it off */
    ANSWER_EMPTY,    /* 200 */
};

/* A request that is answered while its job is at work. */
struct job_answer {
    struct job_client client;
    struct request *request;
    struct image_job *job;
    enum answer_kind kind;
    const char *content_type; /* of ANSWER_BYTES */
    bool is_login;            /* who is denied gets 401 */
    bool has_answered;
    /* NULL, or called in place of the answer that `kind` says when the job has succeeded. */
    void (*on_done)(struct job_answer *answer);
    void (*on_release)(struct job_answer *answer); /* NULL: free() */
};

/* Prepares an answer to the request. The caller has zeroed it and set the members that it wants. */
void job_answer_init(struct job_answer *answer, struct request *request, enum answer_kind kind);

/* Call it after the attempt to start the job, whose result is `result`. If that failed, it answers
 * with `err` and releases the answer. */
void job_answer_after_start(struct job_answer *answer, int result, const struct error *err);

/* The request's body goes to the job. */
void job_answer_take_body(struct job_answer *answer);

/* Sends the client an object, which is freed. */
void job_answer_say(struct job_answer *answer, struct json_writer *writer);

/* {"stream": TEXT} or {"status": TEXT, "id": ID}; ID may be NULL. */
void job_answer_say_stream(struct job_answer *answer, const char *text);
void job_answer_say_status(struct job_answer *answer, const char *text, const char *id);

/* A report's progress, with a bar in Docker's form where it has numbers. */
void job_answer_say_progress(struct job_answer *answer, const struct image_report *report);

#endif
