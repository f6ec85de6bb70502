/* Commit: a container's changes become an image, while nothing in it moves. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "supervisor/containers/container.h"

struct commit_answer {
    struct job_answer answer; /* the first */
    char id[DIGEST_SIZE];
};

static void on_committed(struct job_client *client, const struct image_report *report,
                         const struct image *image, const char *full_name)
{
    struct commit_answer *commit = (struct commit_answer *)(void *)client;

    (void)report;
    (void)full_name;
    memcpy(commit->id, image->id, sizeof(commit->id));
}

static void on_commit_done(struct job_answer *answer)
{
    const struct commit_answer *commit = (const struct commit_answer *)(void *)answer;
    struct json_writer *writer = json_writer_new(false);

    json_object_open(writer);
    json_member_string(writer, "Id", commit->id);
    json_object_close(writer);
    respond_written(answer->request, 201, writer);
}

static void begin_commit(struct api *api, struct request *request, bool pauses)
{
    struct commit_answer *commit = memory_new_one(struct commit_answer);
    const char *container = request_query(request, "container");
    const struct make_order order = {
        .arena = &request->arena,
        .repository = request_query(request, "repo"),
        .tag = request_query(request, "tag"),
        .author = request_query(request, "author"),
        .comment = request_query(request, "comment"),
        .changes = api_query_list(request, "changes"),
        .config = request->body,
        .config_length = request->body_length,
        .pauses = pauses,
    };
    struct error err = {0};
    int result;

    commit->answer.client.image = on_committed;
    commit->answer.on_done = on_commit_done;
    job_answer_init(&commit->answer, request, ANSWER_EMPTY);
    result = image_commit(api->images, container != NULL ? container : "", &order,
                          &commit->answer.client, &commit->answer.job, &err);
    job_answer_after_start(&commit->answer, result, &err);
}

/* A request that holds a container until nothing in it moves. */
struct commit_wait {
    struct completion completion;
    struct api *api;
    struct request *request;
    struct managed_container *container;
};

static void on_client_gone(struct request *request)
{
    struct commit_wait *wait = request->context;

    container_stop_waiting(wait->container, &wait->completion);
    container_let_go(wait->container);
    free(wait);
}

/* One that has ended meanwhile is as still as one that is held. */
static void on_frozen(struct completion *completion, const struct error *err)
{
    struct commit_wait *wait = (struct commit_wait *)(void *)completion;

    request_forget(wait->request);
    if (err != NULL && wait->container->status == CONTAINER_RUNNING)
        respond_error(wait->request, err);
    else
        begin_commit(wait->api, wait->request, true);
    /* The job holds it by now. */
    container_let_go(wait->container);
    free(wait);
}

static void hold_and_commit(struct api *api, struct request *request,
                            struct managed_container *container)
{
    struct commit_wait *wait;
    struct error err = {0};

    if (container_hold(container, &err) < 0) {
        container_let_go(container);
        respond_error(request, &err);
        return;
    }
    wait = memory_new_one(struct commit_wait);
    *wait = (struct commit_wait){
        .completion.done = on_frozen, .api = api, .request = request, .container = container};
    request->context = wait;
    request->on_close = on_client_gone;
    container_wait_for(container, WAIT_FROZEN, &wait->completion);
}

static void serve_commit(struct api *api, struct request *request, const struct route_match *match)
{
    const char *reference = request_query(request, "container");
    const char *pause = request_query(request, "pause");
    bool pauses = pause == NULL || request_query_bool(request, "pause");
    struct managed_container *container;

    (void)match;
    if (pauses &&
        container_find(api->containers, request->actor.tenant, reference != NULL ? reference : "",
                       &container, NULL) == 0 &&
        container->status == CONTAINER_RUNNING)
        hold_and_commit(api, request, container);
    else
        begin_commit(api, request, false);
}

const struct route commit_routes[] = {
    {"POST", "/commit", serve_commit, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
