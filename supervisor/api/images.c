/* Images: list, inspect, remove. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "supervisor/http/filters.h"

static bool reference_matches(const struct filters *filters, const struct image *image)
{
    const struct string_list *patterns = filters_get(filters, "reference");

    for (size_t i = 0; patterns != NULL && i < image->name_count; i++) {
        if (image_name_matches(patterns, image->names[i].full))
            return true;
    }
    return patterns == NULL;
}

/* What a client has asked the list for. Times are of images' creation, which may be 0. */
struct image_query {
    struct filters filters;
    int64_t before_ns;
    int64_t since_ns;
    int64_t until_ns; /* 0: none */
};

static int read_age(struct api *api, const char *tenant, const struct filters *filters,
                    const char *key, int64_t *time_ns, struct error *err)
{
    const struct string_list *names = filters_get(filters, key);
    struct image *image;

    if (names == NULL)
        return 0;
    if (names->count != 1)
        return error_set(err, ERROR_INVALID, EINVAL, "filter %s: one image is expected", key);
    if (image_store_find(api->store, tenant, names->items[0], &image, err) < 0)
        return error_prefix(err, "filter %s", key);
    *time_ns = image->created_ns;
    return 0;
}

static int read_query(struct api *api, const char *tenant, struct image_query *query,
                      struct error *err)
{
    int result = read_age(api, tenant, &query->filters, "before", &query->before_ns, err);

    if (result == 0)
        result = read_age(api, tenant, &query->filters, "since", &query->since_ns, err);
    if (result == 0)
        result = filters_get_time(&query->filters, "until", &query->until_ns, err);
    if (result == 0)
        result = filters_check_boolean(&query->filters, "dangling", err);
    return result;
}

static bool is_listed(const struct image_query *query, const struct image *image)
{
    const struct string_list *dangling = filters_get(&query->filters, "dangling");
    bool wants_dangling = dangling != NULL && (strcmp(dangling->items[0], "true") == 0 ||
                                               strcmp(dangling->items[0], "1") == 0);

    if (dangling != NULL && wants_dangling != (image->name_count == 0))
        return false;
    if (image->created_ns >= query->before_ns || image->created_ns <= query->since_ns ||
        (query->until_ns != 0 && image->created_ns >= query->until_ns))
        return false;
    return reference_matches(&query->filters, image) &&
           filters_match_labels(&query->filters, &image->config.config.labels);
}

static void serve_images_list(struct api *api, struct request *request,
                              const struct route_match *match)
{
    static const char *const known[] = {"reference", "label", "dangling", "before",
                                        "since",     "until", NULL};
    static const struct image_counts uncounted = {-1, -1};
    struct image_query query = {.before_ns = INT64_MAX, .since_ns = INT64_MIN};
    struct json_writer *writer;
    struct error err = {0};

    (void)match;
    if (!api_read_filters(request, known, &query.filters))
        return;
    if (read_query(api, request->actor.tenant, &query, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    json_array_open(writer);
    for (size_t i = api->store->image_count; i > 0; i--) {
        const struct image *image = api->store->images[i - 1];

        if (image_is_of(image, request->actor.tenant) && is_listed(&query, image))
            image_write_summary(writer, image, filters_get(&query.filters, "reference"),
                                &uncounted);
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

static void serve_image_inspect(struct api *api, struct request *request,
                                const struct route_match *match)
{
    struct json_writer *writer;
    struct image *image;
    struct error err = {0};

    if (image_store_find(api->store, request->actor.tenant, match->name, &image, &err) < 0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    json_object_open(writer);
    json_member_string(writer, "Id", image->id);
    image_write_names(writer, image, NULL);
    json_member_string(writer, "Parent", "");
    json_member_string(writer, "Comment", image->config.comment);
    json_member_string(writer, "Created",
                       image->config.created != NULL ? image->config.created
                                                     : "0001-01-01T00:00:00Z");
    json_member_string(writer, "Author", image->config.author);
    json_key(writer, "Config");
    json_encode(writer, &image_process_type, &image->config.config);
    /* Docker's former name of Config, which docker-compose 1 still reads. */
    json_key(writer, "ContainerConfig");
    json_encode(writer, &image_process_type, &image->config.config);
    json_member_string(writer, "Architecture", image->config.architecture);
    json_member_string(writer, "Os", image->config.os);
    json_member_unsigned(writer, "Size", image->size);
    write_rootfs(writer, image);
    json_object_close(writer);
    respond_written(request, 200, writer);
}

static void write_step(struct json_writer *writer, const struct image *image,
                       const struct image_history *step, bool is_last, int64_t size)
{
    int64_t created_ns = 0;

    if (step->created != NULL)
        clock_parse_rfc3339(step->created, &created_ns);
    json_object_open(writer);
    json_member_string(writer, "Id", is_last ? image->id : "<missing>");
    json_member_integer(writer, "Created", created_ns / 1000000000);
    json_member_string(writer, "CreatedBy", step->created_by != NULL ? step->created_by : "");
    json_key(writer, "Tags");
    if (is_last && image->name_count > 0) {
        json_array_open(writer);
        for (size_t i = 0; i < image->name_count; i++) {
            char name[512];

            image_reference_familiar(image->names[i].full, name, sizeof(name));
            json_string(writer, name);
        }
        json_array_close(writer);
    } else {
        json_null(writer);
    }
    json_member_integer(writer, "Size", size);
    json_member_string(writer, "Comment", step->comment != NULL ? step->comment : "");
    json_object_close(writer);
}

/* Writes the steps from the newest to the oldest. A step that made a layer has that layer's size in
 * the manifest. An image without a history gets one step for each layer. */
static void write_history(struct json_writer *writer, const struct image *image,
                          const struct image_manifest *manifest)
{
    static const struct image_history unknown = {0};
    size_t count = image->config.history.count;
    size_t layer = manifest->layers.count;

    json_array_open(writer);
    for (size_t i = count > 0 ? count : layer; i > 0; i--) {
        const struct image_history *step =
            count > 0 ? &image->config.history.items[i - 1] : &unknown;
        bool has_layer = !step->is_empty_layer && layer > 0;

        write_step(writer, image, step, i == (count > 0 ? count : manifest->layers.count),
                   has_layer ? manifest->layers.items[--layer].size : 0);
    }
    json_array_close(writer);
}

static void serve_image_history(struct api *api, struct request *request,
                                const struct route_match *match)
{
    struct image_manifest manifest = {0};
    struct json_writer *writer;
    struct image *image;
    struct error err = {0};
    const char *text;
    size_t length;
    int result = image_store_find(api->store, request->actor.tenant, match->name, &image, &err);

    if (result == 0)
        result = image_store_read_blob(api->store->root_fd, &request->arena, image->manifest_digest,
                                       &text, &length, &err);
    if (result == 0)
        result = image_manifest_parse(&request->arena, text, length, &manifest, &err);
    if (result < 0) {
        respond_error(request, &err);
        return;
    }
    writer = json_writer_new(false);
    write_history(writer, image, &manifest);
    respond_written(request, 200, writer);
}

static void serve_image_tag(struct api *api, struct request *request,
                            const struct route_match *match)
{
    const char *repository = request_query(request, "repo");
    const char *tag = request_query(request, "tag");
    struct image_reference reference;
    struct image *image;
    struct error err = {0};
    char full[512];
    char name[512];
    int result = image_store_find(api->store, request->actor.tenant, match->name, &image, &err);

    snprintf(name, sizeof(name), "%s%s%s", repository != NULL ? repository : "",
             tag != NULL && tag[0] != '\0' ? ":" : "", tag != NULL ? tag : "");
    if (result == 0)
        result = image_reference_parse(name, &reference, &err);
    if (result == 0 && reference.digest[0] != '\0')
        result = error_set(&err, ERROR_INVALID, EINVAL, "a digest is no name that can be given");
    if (result == 0) {
        snprintf(full, sizeof(full), "%s:%s", reference.name, reference.tag);
        result = image_store_tag(api->store, request->actor.tenant, image, full, &err);
    }
    if (result < 0) {
        respond_error(request, &err);
        return;
    }
    image_reference_familiar(full, name, sizeof(name));
    image_event(api->images, "tag", image->id, name);
    respond_empty(request, 201);
}

static const struct managed_container *find_user(const struct api *api, const struct image *image)
{
    for (const struct managed_container *one = api->containers->list; one != NULL;
         one = one->next) {
        if (strcmp(one->definition->image_id, image->id) == 0)
            return one;
    }
    return NULL;
}

static int check_unused(const struct api *api, const struct image *image, const char *name,
                        struct error *err)
{
    const struct managed_container *user = find_user(api, image);

    if (user == NULL)
        return 0;
    return error_set(err, ERROR_CONFLICT, EBUSY,
                     "conflict: unable to remove repository reference \"%.128s\" (must force) - "
                     "container %.12s is using its referenced image %.12s",
                     name, user->definition->id, image->id + 7);
}

static void write_untagged(struct json_writer *writer, const char *name)
{
    json_object_open(writer);
    json_member_string(writer, "Untagged", name);
    json_object_close(writer);
}

/* Removes the image from the store. Its blobs and layers go with the next collection. */
static int delete_image(struct api *api, struct image *image, struct json_writer *writer,
                        struct error *err)
{
    char id[DIGEST_SIZE];
    int result;

    memcpy(id, image->id, sizeof(id));
    result = image_store_remove(api->store, image, err);
    if (result < 0)
        return result;
    json_object_open(writer);
    json_member_string(writer, "Deleted", id);
    json_object_close(writer);
    image_event(api->images, "delete", id, id);
    return 0;
}

/* A name removes that name, and the image with its last name. An id removes the image with all of
 * its names, if it has no more than one or force is given. */
static int remove_image(struct api *api, const char *tenant, struct image *image,
                        const char *reference, bool is_forced, struct json_writer *writer,
                        struct error *err)
{
    struct image_reference parsed;
    char full[512] = "";
    bool is_by_name = false;
    int result = 0;

    if (image_reference_parse(reference, &parsed, NULL) == 0) {
        snprintf(full, sizeof(full), "%s:%s", parsed.name, parsed.tag);
        is_by_name = image_has_name(image, tenant, full);
    }
    if (!is_by_name && image->name_count > 1 && !is_forced)
        return error_set(err, ERROR_CONFLICT, EBUSY,
                         "conflict: unable to delete %.12s (must be forced) - image is referenced "
                         "in multiple repositories",
                         image->id + 7);
    /* The layers of a container are its image's: even force does not take them away. */
    if (!is_by_name || image->name_count <= 1)
        result = check_unused(api, image, reference, err);
    while (result == 0 && image->name_count > 0) {
        char name[512];

        if (!is_by_name) {
            tenant = image->names[image->name_count - 1].tenant;
            snprintf(full, sizeof(full), "%s", image->names[image->name_count - 1].full);
        }
        image_reference_familiar(full, name, sizeof(name));
        result = image_store_untag(api->store, tenant, image, full, err);
        write_untagged(writer, name);
        image_event(api->images, "untag", image->id, name);
        if (is_by_name)
            break;
    }
    if (result == 0 && image->name_count == 0)
        result = delete_image(api, image, writer, err);
    return result;
}

static void serve_image_remove(struct api *api, struct request *request,
                               const struct route_match *match)
{
    struct json_writer *writer = json_writer_new(false);
    struct image *image;
    struct error err = {0};
    int result = image_store_find(api->store, request->actor.tenant, match->name, &image, &err);

    json_array_open(writer);
    if (result == 0)
        result = remove_image(api, request->actor.tenant, image, match->name,
                              request_query_bool(request, "force"), writer, &err);
    else if (image_store_forget_damaged(api->store, request->actor.tenant, match->name, NULL) == 0)
        result = 0;
    if (result == 0)
        images_collect(api->images);
    if (result < 0) {
        respond_error(request, &err);
    } else {
        json_array_close(writer);
        respond_json(request, 200, json_writer_text(writer));
    }
    json_writer_free(writer);
}

static bool is_prunable(const struct api *api, const struct filters *filters, bool only_dangling,
                        int64_t until_ns, const struct image *image)
{
    return (!only_dangling || image->name_count == 0) &&
           (until_ns == 0 || image->created_ns < until_ns) &&
           filters_match_labels(filters, &image->config.config.labels) &&
           find_user(api, image) == NULL;
}

static int prune_images(struct api *api, const struct actor *actor, const struct filters *filters,
                        int64_t until_ns, const struct disk_usage *usage,
                        struct json_writer *writer, uint64_t *bytes, struct error *err)
{
    const struct string_list *dangling = filters_get(filters, "dangling");
    bool only_dangling = dangling == NULL || filters_match(filters, "dangling", "true") ||
                         filters_match(filters, "dangling", "1");
    struct image_store *store = api->store;
    uint64_t before = image_store_layer_bytes(store);
    int result = 0;

    (void)usage;
    for (size_t i = store->image_count; result == 0 && i > 0; i--) {
        struct image *image = store->images[i - 1];

        if (!image_is_only_of(image, actor->tenant) ||
            !is_prunable(api, filters, only_dangling, until_ns, image))
            continue;
        for (size_t j = 0; j < image->name_count; j++) {
            char name[512];

            image_reference_familiar(image->names[j].full, name, sizeof(name));
            write_untagged(writer, name);
            image_event(api->images, "untag", image->id, name);
        }
        result = delete_image(api, image, writer, err);
    }
    if (result == 0)
        images_collect(api->images);
    *bytes = before - image_store_layer_bytes(store);
    return result;
}

static void serve_images_prune(struct api *api, struct request *request,
                               const struct route_match *match)
{
    static const char *const known[] = {"dangling", "until", "label", "label!", NULL};
    static const struct prune_kind kind = {known, "ImagesDeleted", false, prune_images};

    (void)match;
    api_prune(api, request, &kind);
}

/* docker's "system prune" asks for it. davit builds nothing, and keeps nothing of builds. */
static void serve_build_prune(struct api *api, struct request *request,
                              const struct route_match *match)
{
    (void)api;
    (void)match;
    respond_json(request, 200, "{\"CachesDeleted\":null,\"SpaceReclaimed\":0}");
}

const struct route image_routes[] = {
    {"GET", "/images/json", serve_images_list, PERMISSION_READ, NULL},
    {"GET", "/images/{name}/json", serve_image_inspect, PERMISSION_READ, NULL},
    {"GET", "/images/{name}/history", serve_image_history, PERMISSION_READ, NULL},
    {"POST", "/images/{name}/tag", serve_image_tag, PERMISSION_OPERATE, NULL},
    {"DELETE", "/images/{name}", serve_image_remove, PERMISSION_OPERATE, NULL},
    {"POST", "/images/prune", serve_images_prune, PERMISSION_OPERATE, NULL},
    {"POST", "/build/prune", serve_build_prune, PERMISSION_OPERATE, NULL},
    {.method = NULL},
};
