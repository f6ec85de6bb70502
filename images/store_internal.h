/* Shared by store.c, image.c, collect.c and damage.c. */
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

/* Whether the store has something whose names are not known. */
bool store_has_blobs(const struct image_store *store);

/* An index that cannot be read goes out of the way and says by its name that nothing may be
 * collected; of one that is gone only the name is made. */
int store_put_index_aside(const struct image_store *store, struct error *err);

/* Whether an index was put aside: what makes `distrust`, and ends it when somebody has removed
 * that. */
void store_look_for_damage(struct image_store *store);

/* Discards what is in ingest/, unless a worker is at it: it has no name and no use. */
int store_sweep_ingest(const struct image_store *store, struct error *err);

void image_add_name(struct image *image, const char *name);

void image_add_repo_digest(struct image *image, const char *repo_digest);

bool image_has_name(const struct image *image, const char *name);

bool image_has_repo_digest(const struct image *image, const char *repo_digest);

void image_free(struct image *image);

int store_read_image(struct image_store *store, const struct image_descriptor *descriptor,
                     struct image *image, struct error *err);

void image_remove_name(struct image *image, const char *name);

#endif
