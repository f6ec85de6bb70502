/* GET /images/get and /images/NAME/get: an image worker writes images as an archive. */
#include <errno.h>
#include <string.h>

#include "download.h"
#include "images/image_job.h"
#include "supervisor/api/api.h"

#define NAMES_MAX 256

/* One entry an image, however many of its names are asked for. */
static struct save_image *find_entry(struct save_job *job, struct arena *arena,
                                     const struct image *image)
{
    struct save_image *entry;

    for (size_t i = 0; i < job->images.count; i++) {
        if (strcmp(job->images.items[i].digest, image->manifest_digest) == 0)
            return &job->images.items[i];
    }
    entry = &job->images.items[job->images.count++];
    *entry = (struct save_image){.digest = arena_strdup(arena, image->manifest_digest),
                                 .media_type = image->media_type};
    return entry;
}

static void add_name(struct save_image *entry, struct arena *arena, const char *name)
{
    if (!string_list_has(&entry->names, name))
        string_list_append(arena, &entry->names, arena_strdup(arena, name));
}

/* All images of a repository, "docker.io/library/busybox". */
static bool add_repository(struct daemon *daemon, struct save_job *job, struct arena *arena,
                           const char *repository)
{
    size_t length = strlen(repository);
    bool has_any = false;

    for (size_t i = 0; i < daemon->images.image_count; i++) {
        const struct image *image = daemon->images.images[i];

        for (size_t j = 0; j < image->name_count; j++) {
            if (strncmp(image->names[j], repository, length) != 0 || image->names[j][length] != ':')
                continue;
            add_name(find_entry(job, arena, image), arena, image->names[j]);
            has_any = true;
        }
    }
    return has_any;
}

/* As docker does: "busybox:1" is saved under that name, a bare "busybox" is every image of the
 * repository, and one that is named by its id is saved without a name. */
static int add_image(struct daemon *daemon, struct save_job *job, struct arena *arena,
                     const char *text, struct error *err)
{
    struct image_reference reference;
    struct save_image *entry;
    struct image *image;
    const char *full;
    bool is_name =
        image_reference_parse(text, &reference, NULL) == 0 && reference.digest[0] == '\0';
    int result;

    if (is_name && !image_reference_has_tag(text) &&
        add_repository(daemon, job, arena, reference.name))
        return 0;
    result = image_store_find(&daemon->images, text, &image, err);
    if (result < 0)
        return result;
    entry = find_entry(job, arena, image);
    full = arena_printf(arena, "%s:%s", reference.name, reference.tag);
    for (size_t i = 0; is_name && i < image->name_count; i++) {
        if (strcmp(image->names[i], full) == 0)
            add_name(entry, arena, full);
    }
    return 0;
}

static void save(struct daemon *daemon, struct request *request, const char *const *names,
                 size_t count)
{
    struct save_job job = {0};
    struct error err = {0};
    int result = 0;

    job.images.items =
        arena_new(&request->arena, daemon->images.image_count + 1, sizeof(*job.images.items));
    if (count == 0 || count > NAMES_MAX)
        result =
            error_set(&err, ERROR_INVALID, EINVAL, "names: 1 to %d images are expected", NAMES_MAX);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = add_image(daemon, &job, &request->arena, names[i], &err);
    if (result < 0) {
        respond_error(request, &err);
        return;
    }
    image_download(daemon, request,
                   &(struct download_order){.command = WORKER_SAVE,
                                            .job_type = &save_job_type,
                                            .job = &job,
                                            .content_type = "application/x-tar"});
}

void api_images_save(struct daemon *daemon, struct request *request,
                     const struct route_match *match)
{
    struct string_list names = {0};

    (void)match;
    for (size_t i = 0; i < request->query_count; i++) {
        if (strcmp(request->query[i].name, "names") == 0)
            string_list_append(&request->arena, &names, request->query[i].value);
    }
    save(daemon, request, names.items, names.count);
}

void api_image_save(struct daemon *daemon, struct request *request, const struct route_match *match)
{
    save(daemon, request, &match->name, 1);
}
