/* Files of containers: into and out of them, all of them, and what has changed. */

#include "api.h"

typedef int (*begin_job)(struct images *images, const struct copy_order *order,
                         struct job_client *client, struct image_job **job, struct error *err);

static void answer_copy(struct api *api, struct request *request, const struct route_match *match,
                        enum answer_kind kind, begin_job begin)
{
    struct job_answer *answer = memory_new_one(struct job_answer);
    const struct copy_order order = {
        .container = match->name,
        .path = request_query(request, "path"),
        .keeps_kind = request_query_bool(request, "noOverwriteDirNonDir"),
        .keeps_user = request_query_bool(request, "copyUIDGID"),
    };
    struct error err = {0};

    answer->content_type = "application/x-tar";
    job_answer_init(answer, request, kind);
    if (begin == container_copy_in)
        job_answer_take_body(answer);
    job_answer_after_start(answer, begin(api->images, &order, &answer->client, &answer->job, &err),
                           &err);
}

static void serve_container_stat_path(struct api *api, struct request *request,
                                      const struct route_match *match)
{
    answer_copy(api, request, match, ANSWER_EMPTY, container_stat_path);
}

static void serve_container_copy_out(struct api *api, struct request *request,
                                     const struct route_match *match)
{
    answer_copy(api, request, match, ANSWER_BYTES, container_copy_out);
}

static void serve_container_copy_in(struct api *api, struct request *request,
                                    const struct route_match *match)
{
    answer_copy(api, request, match, ANSWER_EMPTY, container_copy_in);
}

static void serve_container_changes(struct api *api, struct request *request,
                                    const struct route_match *match)
{
    struct job_answer *answer = memory_new_one(struct job_answer);
    struct error err = {0};

    answer->content_type = "application/json";
    job_answer_init(answer, request, ANSWER_BYTES);
    job_answer_after_start(
        answer,
        container_list_changes(api->images, match->name, &answer->client, &answer->job, &err),
        &err);
}

static void serve_container_export(struct api *api, struct request *request,
                                   const struct route_match *match)
{
    struct job_answer *answer = memory_new_one(struct job_answer);
    struct error err = {0};

    answer->content_type = "application/x-tar";
    job_answer_init(answer, request, ANSWER_BYTES);
    job_answer_after_start(
        answer, container_export(api->images, match->name, &answer->client, &answer->job, &err),
        &err);
}

const struct route archive_routes[] = {
    {"HEAD", "/containers/{id}/archive", serve_container_stat_path, PERMISSION_READ, NULL},
    {"GET", "/containers/{id}/archive", serve_container_copy_out, PERMISSION_READ, NULL},
    {"PUT", "/containers/{id}/archive", serve_container_copy_in, PERMISSION_OPERATE,
     api_always_streams},
    {"GET", "/containers/{id}/changes", serve_container_changes, PERMISSION_READ, NULL},
    {"GET", "/containers/{id}/export", serve_container_export, PERMISSION_READ, NULL},
    {.method = NULL},
};
