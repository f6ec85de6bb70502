/* The names of images as they were before a change, to be put back if it cannot be saved: see
 * store_internal.h. */
#include <stdlib.h>
#include <string.h>

#include "store_internal.h"

struct names_of_image {
    struct image *image;
    struct image_name *names;
    size_t name_count;
    size_t repo_digest_count;
};

struct store_names {
    struct names_of_image *images;
    size_t image_count;
    struct image_descriptor *damaged;
    size_t damaged_count;
};

static struct image_name *copy_names(const struct image *image)
{
    struct image_name *names = memory_new(image->name_count, sizeof(*names));

    for (size_t i = 0; i < image->name_count; i++)
        names[i] = (struct image_name){.tenant = memory_strdup(image->names[i].tenant),
                                       .full = memory_strdup(image->names[i].full)};
    return names;
}

struct store_names *store_names_copy(const struct image_store *store)
{
    struct store_names *copy = memory_new_one(struct store_names);

    copy->images = memory_new(store->image_count, sizeof(*copy->images));
    copy->image_count = store->image_count;
    for (size_t i = 0; i < store->image_count; i++)
        copy->images[i] = (struct names_of_image){store->images[i], copy_names(store->images[i]),
                                                  store->images[i]->name_count,
                                                  store->images[i]->repo_digest_count};
    copy->damaged = memory_new(store->damaged.count, sizeof(*copy->damaged));
    copy->damaged_count = store->damaged.count;
    for (size_t i = 0; i < copy->damaged_count; i++)
        copy->damaged[i] = store->damaged.items[i];
    return copy;
}

static void swap_names(struct image *image, struct names_of_image *names)
{
    struct names_of_image former = {image, image->names, image->name_count, 0};

    image->names = names->names;
    image->name_count = names->name_count;
    *names = former;
}

static bool has_image(const struct store_names *names, const struct image *image)
{
    for (size_t i = 0; i < names->image_count; i++) {
        if (names->images[i].image == image)
            return true;
    }
    return false;
}

void store_names_restore(struct image_store *store, struct store_names *names)
{
    for (size_t i = 0; i < store->image_count; i++) {
        if (!has_image(names, store->images[i]))
            image_free(store->images[i]);
    }
    store->images = memory_resize(store->images, names->image_count, sizeof(struct image *));
    store->image_count = names->image_count;
    for (size_t i = 0; i < names->image_count; i++) {
        struct names_of_image *one = &names->images[i];

        store->images[i] = one->image;
        while (one->image->repo_digest_count > one->repo_digest_count)
            free(one->image->repo_digests[--one->image->repo_digest_count]);
        swap_names(one->image, one);
    }
    /* There is room: a change takes descriptors away and adds none. */
    store->damaged.count = names->damaged_count;
    for (size_t i = 0; i < names->damaged_count; i++)
        store->damaged.items[i] = names->damaged[i];
}

void store_names_free(struct store_names *names)
{
    for (size_t i = 0; i < names->image_count; i++) {
        for (size_t j = 0; j < names->images[i].name_count; j++) {
            free(names->images[i].names[j].tenant);
            free(names->images[i].names[j].full);
        }
        free(names->images[i].names);
    }
    free(names->images);
    free(names->damaged);
    free(names);
}
