/* Manifest lists that are being made: each a file of the directory "manifests-davit" beside
 * docker's configuration. */
#ifndef DAVIT_CLI_MANIFEST_LIST_H
#define DAVIT_CLI_MANIFEST_LIST_H

#include "base/json_table.h"

struct manifest_entry {
    const char *reference; /* as people named it */
    const char *media_type;
    const char *digest;
    int64_t size;
    const char *architecture;
    const char *os;
    const char *variant; /* this and what follows: NULL or empty if it says nothing */
    const char *os_version;
    struct string_list os_features;
};

struct manifest_list {
    const char *name; /* with a tag */
    LIST_OF(struct manifest_entry) entries;
};

/* "localhost:5000/name:tag@sha256:..." without tag and digest; in the arena. */
const char *manifest_list_repository(struct arena *arena, const char *image);

/* The list of that name: 1 if there is one, 0 if not, and then it is empty. */
int manifest_list_read(struct arena *arena, const char *name, struct manifest_list *list,
                       struct error *err);

/* NULL: it has no such image. */
struct manifest_entry *manifest_list_find(const struct manifest_list *list, const char *image);

/* Adds what the registry says of an image, or replaces it. */
int manifest_list_add(struct arena *arena, struct manifest_list *list, const char *image,
                      const struct json *descriptor, const struct json *platform,
                      struct error *err);

int manifest_list_store(struct arena *arena, const struct manifest_list *list, struct error *err);
int manifest_list_remove(struct arena *arena, const struct manifest_list *list, struct error *err);

/* Docker's list if all manifests are Docker's, otherwise OCI's index. */
const char *manifest_list_media_type(const struct manifest_list *list);

/* The index as registries take it. */
void manifest_list_write_index(struct json_writer *writer, const struct manifest_list *list);
void manifest_list_write_entry(struct json_writer *writer, const struct manifest_entry *entry);

#endif
