/*
 * Named and anonymous volumes: directories that outlive containers.
 *
 *   <root>/volumes/NAME/_data         what containers see
 *   <root>/volumes/NAME/volume.json   labels, options; there before the volume has its name
 *
 * What is on disk is the truth: a volume is made under a temporary name and renamed, and leaves by
 * a rename.
 */
#ifndef DAVIT_SUPERVISOR_VOLUMES_VOLUMES_H
#define DAVIT_SUPERVISOR_VOLUMES_VOLUMES_H

#include "base/json_table.h"

#define VOLUME_DATA "_data"

struct daemon;
struct definition;

struct volume {
    struct volume *next;
    char *name;
    int64_t created_ns;
    bool is_anonymous;
    uint32_t project; /* of its disk quota; 0: none */
    struct string_map labels;
    struct string_map options; /* "size" */
    struct arena arena;
};

/* What a volume is made of. */
struct volume_order {
    const char *name;   /* NULL or "": a random one, and the volume is anonymous */
    const char *driver; /* NULL, "" or "local" */
    struct string_map labels;
    struct string_map options;
};

/* Refuses what cannot be a volume's name. */
int volume_check_name(const char *name, struct error *err);

/* Reads those on disk and removes what is half made. One that cannot be read is reported and left
 * alone. */
int volumes_read(struct daemon *daemon, struct error *err);

/* ERROR_NOT_FOUND "get NAME: no such volume". */
int volume_find(struct daemon *daemon, const char *name, struct volume **volume, struct error *err);

/* Finds or makes it; durable when it returns. *is_new says which. */
int volume_make(struct daemon *daemon, const struct volume_order *order, struct volume **volume,
                bool *is_new, struct error *err);

/* Removes it with its content, and frees it. ERROR_CONFLICT while a container has it. */
int volume_remove(struct daemon *daemon, struct volume *volume, struct error *err);

/* How many containers have it. */
size_t volume_count_users(const struct daemon *daemon, const struct volume *volume);

/* Writes what the API says of it; `bytes` < 0: not known. */
void volume_write(struct json_writer *writer, const struct daemon *daemon,
                  const struct volume *volume, int64_t bytes);

/* "/var/lib/davit/volumes/NAME/_data"; free() it. */
char *volume_path(const struct daemon *daemon, const char *name);

/* ---- a container's: of_container.c ---- */

/* Completes the mount points of a definition with those of VolumesFrom and anonymous volumes, and
 * makes the volumes that are missing. After a failure those are gone again. */
int container_volumes_make(struct daemon *daemon, struct arena *arena,
                           struct definition *definition, const struct json *image_volumes,
                           struct error *err);

/* Removes those that were made for a container which then could not be. */
void container_volumes_take_back(struct daemon *daemon, const struct definition *definition);

/* The anonymous volumes of a container that goes, if nobody else has them. */
void container_volumes_remove(struct daemon *daemon, const struct definition *definition);

#endif
