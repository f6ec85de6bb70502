/* Where registries are found: the "registries" of davitd.json(5), and the rules for the others. */
#ifndef DAVIT_SUPERVISOR_IMAGES_REGISTRIES_H
#define DAVIT_SUPERVISOR_IMAGES_REGISTRIES_H

#include "images/fetch_channel.h"
#include "images/images.h"

/* A registry of the configuration, found by the domain that an image's name begins with. */
struct registry {
    const char *domain;
    struct string_list mirrors; /* "https://HOST[:PORT]", tried first */
    const char *ca_file;        /* in place of the system's */
    bool is_insecure;           /* an unverified certificate, or none at all */
    const char *ca_pem;         /* what ca_file holds */
};

struct registries {
    struct registry *items;
    size_t count;
};

extern const struct json_struct registry_type;

/* Refuses settings that could not work, and reads the files of certificates: the fetch worker,
 * which uses them, may not be allowed to read them. */
int registries_read(struct registries *registries, struct arena *arena, struct error *err);

/* The endpoints and the repository of a reference; mirrors are for pulling only. What it points to
 * lives in the arena. */
void registries_locate(const struct registries *registries, const struct image_reference *reference,
                       bool has_mirrors, struct arena *arena, struct fetch_setup *setup);

#endif
