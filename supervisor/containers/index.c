/* Two hash tables with chains through the containers: see index.h. */
#include "index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "container.h"

#define SIZE_MIN 64

static uint64_t hash_of_id(const char *id)
{
    return hash_bytes(HASH_START, id, strnlen(id, INDEX_SHORT_ID));
}

/* Names are the tenants' own choice: whoever finds many of one hash makes lookups as slow as
 * walking the list, and no slower. */
static uint64_t hash_of_name(const char *tenant, const char *name)
{
    uint64_t hash = tenant != NULL ? hash_bytes(HASH_START, tenant, strlen(tenant)) : HASH_START;

    return hash_bytes(hash_bytes(hash, "/", 1), name, strlen(name));
}

static struct managed_container **bucket(struct managed_container **buckets, size_t size,
                                         uint64_t hash)
{
    return &buckets[(hash ^ (hash >> 32)) & (size - 1)];
}

static void put(struct container_index *index, struct managed_container *container)
{
    struct index_links *links = &container->links;
    struct managed_container **by_id =
        bucket(index->by_id, index->size, hash_of_id(container->definition->id));
    struct managed_container **by_name = bucket(index->by_name, index->size, links->name_hash);

    links->next_by_id = *by_id;
    *by_id = container;
    links->next_by_name = *by_name;
    *by_name = container;
}

static void grow(struct container_index *index)
{
    struct managed_container **former_ids = index->by_id;
    struct managed_container **former_names = index->by_name;
    size_t former_size = index->size;

    index->size = former_size > 0 ? 2 * former_size : SIZE_MIN;
    index->by_id = memory_new(index->size, sizeof(struct managed_container *));
    index->by_name = memory_new(index->size, sizeof(struct managed_container *));
    for (size_t i = 0; i < former_size; i++) {
        struct managed_container *one = former_ids[i];

        while (one != NULL) {
            struct managed_container *next = one->links.next_by_id;

            put(index, one);
            one = next;
        }
    }
    free(former_ids);
    free(former_names);
}

void index_add(struct container_index *index, struct managed_container *container)
{
    const struct definition *definition = container->definition;

    if (index->count == index->size)
        grow(index);
    container->links.name_hash = hash_of_name(definition->tenant, definition->name);
    put(index, container);
    index->count++;
}

void index_remove(struct container_index *index, struct managed_container *container)
{
    struct managed_container **by_id =
        bucket(index->by_id, index->size, hash_of_id(container->definition->id));
    struct managed_container **by_name =
        bucket(index->by_name, index->size, container->links.name_hash);

    while (*by_id != container)
        by_id = &(*by_id)->links.next_by_id;
    *by_id = container->links.next_by_id;
    while (*by_name != container)
        by_name = &(*by_name)->links.next_by_name;
    *by_name = container->links.next_by_name;
    index->count--;
}

void index_release(struct container_index *index)
{
    free(index->by_id);
    free(index->by_name);
    *index = (struct container_index){0};
}

struct managed_container *index_by_name(const struct container_index *index, const char *tenant,
                                        const char *name)
{
    uint64_t hash = hash_of_name(tenant, name);
    struct managed_container *one =
        index->size > 0 ? *bucket(index->by_name, index->size, hash) : NULL;

    while (one != NULL &&
           (one->links.name_hash != hash || strcmp(one->definition->name, name) != 0 ||
            !tenant_is(one->definition->tenant, tenant)))
        one = one->links.next_by_name;
    return one;
}

struct managed_container *index_by_id(const struct container_index *index, const char *prefix,
                                      const struct managed_container *previous)
{
    size_t length = strlen(prefix);
    struct managed_container *one;

    assert(length >= INDEX_SHORT_ID);
    if (previous != NULL)
        one = previous->links.next_by_id;
    else
        one = index->size > 0 ? *bucket(index->by_id, index->size, hash_of_id(prefix)) : NULL;
    while (one != NULL && strncmp(one->definition->id, prefix, length) != 0)
        one = one->links.next_by_id;
    return one;
}
