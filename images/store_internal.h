/* Shared by the files of the store: store*.c, image.c, collect.c and damage.c. */
#ifndef DAVIT_IMAGES_STORE_INTERNAL_H
#define DAVIT_IMAGES_STORE_INTERNAL_H

#include "base/identifier.h"
#include "images.h"

#define HEX_LENGTH 64
/* While the store has a file of such a name, nobody knows which blobs and layers are in use. */
#define DAMAGED_INDEX "index.json.damaged-"

/* As image_store_read_blob(), but checks the digest, because a wrong bit in a manifest could
 * discard blobs that are needed. A blob with a wrong digest is ERROR_CORRUPT and renamed to
 * .damaged-HEX, so that a good copy can take its place. */
int store_read_verified(int root_fd, struct arena *arena, const char *digest, const char **text,
                        size_t *length, struct error *err);

/* True if the store has blobs: then an index that is missing was lost. */
bool store_has_blobs(const struct image_store *store);

/* Renames an index that cannot be read to index.json.damaged-NS, or makes an empty file of that
 * name if the index is gone. While there is such a file, nothing is collected. */
int store_put_index_aside(const struct image_store *store, struct error *err);

/* Sets store->distrust if there is an index.json.damaged-NS. Clears it if somebody has removed the
 * file. */
void store_look_for_damage(struct image_store *store);
/* Whether an index was put aside. */
bool store_has_lost_index(const struct image_store *store);

/* Discards what interrupted work has left in ingest/, unless a worker still runs and may write
 * there. */
int store_sweep_ingest(const struct image_store *store, struct error *err);

/* The file index.json: store_index.c. It is written twice (base/file.h), and has every image and
 * what is damaged. For a removal room is kept, index.room, so that a full disk does not refuse it.
 */
int store_save_index(struct image_store *store, bool is_removal, struct error *err);

/* Reads the file and its copy; what cannot be read is empty. The result is about the file: -ENOENT,
 * -EBADMSG if it is no index, or not what was written, or what reading it gave. One that was
 * damaged and is of the copy's age has no revision. What is read lies in the store's arena of
 * damaged images, because descriptors stay in use. */
int store_read_index(struct image_store *store, struct image_index *index, struct image_index *copy,
                     struct error *err);

/* It grows with each change, so that of two indexes the newer is known. */
uint64_t store_index_revision(const struct image_index *index);

/* The image of that manifest, if the store knows it. store.c */
struct image *store_find_manifest(const struct image_store *store, const char *digest);

/* Which images there are, and what they are called, before a change: store_names.c. Restoring frees
 * images that came since, and takes back those that left, which must not be freed before the change
 * is saved. */
struct store_names;
struct store_names *store_names_copy(const struct image_store *store);
void store_names_restore(struct image_store *store, struct store_names *names);
void store_names_free(struct store_names *names);

void image_add_name(struct image *image, const char *tenant, const char *full);

void image_add_repo_digest(struct image *image, const char *repo_digest);

bool image_has_repo_digest(const struct image *image, const char *repo_digest);

void image_free(struct image *image);

int store_read_image(struct image_store *store, const struct image_descriptor *descriptor,
                     struct image *image, struct error *err);

void image_remove_name(struct image *image, const char *tenant, const char *full);

#endif
