/* Shared by store.c and collect.c. */
#ifndef DAVIT_IMAGES_STORE_INTERNAL_H
#define DAVIT_IMAGES_STORE_INTERNAL_H

#include "images.h"

#define HEX_LENGTH 64

/* Whether it can be the name of a blob or a layer. */
bool store_is_hex_name(const char *name);

/* image_store_read_blob(), and ERROR_CORRUPT if the bytes are not what the digest says: what is
 * reached through a document depends on every bit of it. Such a blob is called .damaged-HEX from
 * then on, and a good one can take its place. */
int store_read_verified(int root_fd, struct arena *arena, const char *digest, const char **text,
                        size_t *length, struct error *err);

/* Whether an index was put aside: what makes `distrust`, and ends it when somebody has removed
 * that. */
void store_look_for_damage(struct image_store *store);

/* Discards what is in ingest/, unless a worker is at it: it has no name and no use. */
int store_sweep_ingest(const struct image_store *store, struct error *err);

#endif
