/* Containers by id and by name, without walking their list. Zeroed it is empty. */
#ifndef DAVIT_SUPERVISOR_CONTAINERS_INDEX_H
#define DAVIT_SUPERVISOR_CONTAINERS_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct managed_container;

/* What Docker's clients print of an id; as much of one is looked up at once. */
#define INDEX_SHORT_ID 12

struct container_index {
    struct managed_container **by_id; /* buckets, by the first INDEX_SHORT_ID digits */
    struct managed_container **by_name;
    size_t size; /* of both, a power of two */
    size_t count;
};

/* A container's places in the buckets. */
struct index_links {
    struct managed_container *next_by_id;
    struct managed_container *next_by_name;
    uint64_t name_hash; /* of the name that it was added with */
};

void index_add(struct container_index *index, struct managed_container *container);
void index_remove(struct container_index *index, struct managed_container *container);
void index_release(struct container_index *index);

/* NULL: there is none. */
struct managed_container *index_by_name(const struct container_index *index, const char *tenant,
                                        const char *name);
/* Of the ids that begin with `prefix`, which has INDEX_SHORT_ID characters at least, the next after
 * `previous`, NULL being before the first. NULL: there are no more. */
struct managed_container *index_by_id(const struct container_index *index, const char *prefix,
                                      const struct managed_container *previous);

#endif
