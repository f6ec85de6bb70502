/* Images as an archive: see images.h. */
#include <errno.h>
#include <string.h>

#include "job.h"

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
static bool add_repository(struct images *images, struct save_job *job, struct arena *arena,
                           const char *tenant, const char *repository)
{
    size_t length = strlen(repository);
    bool has_any = false;

    for (size_t i = 0; i < images->store->image_count; i++) {
        const struct image *image = images->store->images[i];

        for (size_t j = 0; j < image->name_count; j++) {
            const char *name = image->names[j].full;

            if (!tenant_is(image->names[j].tenant, tenant) ||
                strncmp(name, repository, length) != 0 || name[length] != ':')
                continue;
            add_name(find_entry(job, arena, image), arena, name);
            has_any = true;
        }
    }
    return has_any;
}

static int add_image(struct images *images, struct save_job *job, struct arena *arena,
                     const char *tenant, const char *text, struct error *err)
{
    struct image_reference reference;
    struct save_image *entry;
    struct image *image;
    const char *full;
    bool is_name =
        image_reference_parse(text, &reference, NULL) == 0 && reference.digest[0] == '\0';
    int result;

    if (is_name && !image_reference_has_tag(text) &&
        add_repository(images, job, arena, tenant, reference.name))
        return 0;
    result = image_store_find(images->store, tenant, text, &image, err);
    if (result < 0)
        return result;
    entry = find_entry(job, arena, image);
    full = arena_printf(arena, "%s:%s", reference.name, reference.tag);
    if (is_name && image_has_name(image, tenant, full))
        add_name(entry, arena, full);
    return 0;
}

int image_save(struct images *images, const char *const *names, size_t count,
               struct job_client *client, struct image_job **job, struct error *err)
{
    cleanup_arena struct arena arena = {0};
    struct save_job parameters = {0};
    int result = 0;

    parameters.images.items =
        arena_new(&arena, images->store->image_count + 1, sizeof(*parameters.images.items));
    if (count == 0 || count > NAMES_MAX)
        result =
            error_set(err, ERROR_INVALID, EINVAL, "names: 1 to %d images are expected", NAMES_MAX);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = add_image(images, &parameters, &arena, client->actor.tenant, names[i], err);
    return result < 0 ? result
                      : image_download(images,
                                       &(struct download_order){.command = WORKER_SAVE,
                                                                .type = &save_job_type,
                                                                .parameters = &parameters},
                                       client, job, err);
}
