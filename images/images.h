/*
 * Images: references, the store on disk, and root filesystems made from layers.
 *
 * The store is an OCI image layout as it stands (image-spec image-layout.md) with a directory of
 * unpacked layers beside it:
 *   oci-layout, index.json       names and manifests; replaced by rename, the truth about names
 *   blobs/sha256/HEX             manifests, configurations, layers as they came
 *   blobs/sha256/.damaged-HEX    a blob whose bytes did not match its name
 *   layers/HEX                   unpacked layers by chain id, whiteouts in overlayfs's form
 *   layers/.empty                an empty layer: the bottom of read-only views
 *   ingest/                      blobs and layers being written; emptied when no worker runs
 *   index.json.damaged-NS        an index that could not be read, or an empty file if it was gone;
 *                                while there is one, nothing is collected
 *   pulls/HEX                    layers of an unfinished pull of manifest HEX; for a day the file
 *                                keeps what has come
 *
 * One thread of one process (davitd) owns a struct image_store. The image worker (worker/worker.h)
 * reads archives from outside; it adds blobs and layers, never names.
 */
#ifndef DAVIT_IMAGES_IMAGES_H
#define DAVIT_IMAGES_IMAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/findings.h"
#include "base/json_table.h"
#include "bundle/image_config.h"

#define MEDIA_TYPE_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_TYPE_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_TYPE_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_TYPE_LAYER "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_TYPE_LAYER_GZIP "application/vnd.oci.image.layer.v1.tar+gzip"
#define MEDIA_TYPE_LAYER_ZSTD "application/vnd.oci.image.layer.v1.tar+zstd"
#define MEDIA_TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MEDIA_TYPE_DOCKER_LAYER_GZIP "application/vnd.docker.image.rootfs.diff.tar.gzip"
#define MEDIA_TYPE_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"

#define ANNOTATION_REF_NAME "org.opencontainers.image.ref.name"
/* Chain ids of a manifest's layers without "sha256:", comma-separated: their names in layers/. */
#define ANNOTATION_LAYERS "io.davit.layers"
/* "docker.io/library/busybox@sha256:...", comma-separated: what registries call it. */
#define ANNOTATION_REPO_DIGESTS "io.davit.repo-digests"
#define ANNOTATION_IMAGE_NAME "io.containerd.image.name"
/* Of the store's index: grows with each change, so that of two the newer is known. */
#define ANNOTATION_REVISION "io.davit.revision"
#define ANNOTATION_TENANT "io.davit.tenant" /* of the name; none: "" */

#define DIGEST_SIZE 72 /* "sha256:", 64 digits and NUL */

/* Documents of image-spec. */

struct image_platform {
    const char *architecture;
    const char *os;
    const char *variant;
};

struct image_descriptor {
    const char *media_type;
    const char *digest;
    int64_t size;
    struct image_platform *platform;
    struct string_map annotations;
};

struct image_manifest {
    int32_t schema_version;
    const char *media_type;
    struct image_descriptor config;
    LIST_OF(struct image_descriptor) layers;
    struct string_map annotations;
};

struct image_index {
    int32_t schema_version;
    const char *media_type;
    LIST_OF(struct image_descriptor) manifests;
    struct string_map annotations;
};

/* The content of a layout's file "oci-layout". */
#define IMAGE_LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"

extern const struct json_struct image_platform_type;
extern const struct json_struct image_manifest_type;
extern const struct json_struct image_index_type;

/* Parse and check: schema version 2, valid digests, sizes that are not negative. */
int image_manifest_parse(struct arena *arena, const char *text, size_t length,
                         struct image_manifest *manifest, struct error *err);
int image_index_parse(struct arena *arena, const char *text, size_t length,
                      struct image_index *index, struct error *err);

/* True if the offered platform fits the wanted one. An offer that names no architecture fits.
 * `wanted` has an architecture and an os. */
bool image_platform_fits(const struct image_platform *wanted, const struct image_platform *offered);

/* Reads "linux/arm64/v8"; NULL or "" is the host's, whatever `platform` holds already. The parts
 * lie in the arena. */
int image_platform_parse(struct arena *arena, const char *text, struct image_platform *platform,
                         struct error *err);

/* The index's first manifest for the wanted platform, or NULL. */
const struct image_descriptor *image_index_choose(const struct image_index *index,
                                                  const struct image_platform *wanted);

/* This machine as images name it: "amd64", "arm64", ... */
const char *image_host_architecture(void);

/* References. */

/* "docker.io/library/busybox:1.36", "host:5000/a/b@sha256:..." (distribution reference grammar). */
struct image_reference {
    char name[256]; /* domain and path: "docker.io/library/busybox" */
    char tag[129];  /* "" if there is only a digest; "latest" if there is neither */
    char digest[DIGEST_SIZE];
};

int image_reference_parse(const char *text, struct image_reference *reference, struct error *err);

/* True if the text names a tag or a digest itself. */
bool image_reference_has_tag(const char *text);

/* "docker.io/library/busybox:1.36" -> "busybox:1.36": what people type and read. */
void image_reference_familiar(const char *full, char *familiar, size_t size);

/* The store. */

/* Extended attribute of an unpacked layer's directory: the bytes of its files, in decimal. */
#define LAYER_BYTES_XATTR "trusted.davit.bytes"

struct image_name {
    char *tenant; /* whose name it is */
    char *full;   /* a reference with tag */
};

struct image {
    char id[DIGEST_SIZE]; /* digest of the configuration: Docker's image id */
    char manifest_digest[DIGEST_SIZE];
    int64_t manifest_size;
    const char *media_type; /* of the manifest */
    char **repo_digests;    /* "name@digest", of the registries it was pulled from */
    size_t repo_digest_count;
    struct image_name *names; /* none: dangling */
    size_t name_count;
    int64_t created_ns;
    uint64_t size;              /* of its documents and layers, packed and unpacked */
    struct image_config config; /* decoded; in `arena` */
    struct string_list layers;  /* chain ids without "sha256:", from the bottom up */
    uint64_t *layer_bytes;      /* of each, packed and unpacked */
    struct arena arena;
};

struct image_store {
    int root_fd;
    int trash_fd; /* where collected blobs and layers go */
    int layers_fd;
    struct image **images;
    size_t image_count;
    LIST_OF(struct image_descriptor) damaged; /* images that cannot be read; the index keeps them */
    struct arena damaged_arena;
    uint64_t revision;         /* of the index */
    char *distrust;            /* why the index does not tell what is in use; NULL: it does */
    unsigned int worker_count; /* image jobs under way; nothing is collected meanwhile */
};

typedef void image_damage_report(const char *what, const struct error *err);

/* Opens the store in root_fd, makes it if it is empty, discards leftovers of interrupted work and
 * reads every image. Damage is no failure, and loses nothing: an image that cannot be read is left
 * out, an index that is damaged or gone is put aside, and nothing is collected until the damage is
 * repaired or given up. `on_damage` hears of all damage. Discarded files go to trash_fd, a
 * directory on the same filesystem. The caller keeps both descriptors. */
int image_store_open(struct image_store *store, int root_fd, int trash_fd,
                     image_damage_report *on_damage, struct error *err);
void image_store_close(struct image_store *store);

/* Finds an image by a name of the tenant, name:tag, name@digest, id, id prefix (2 digits or more)
 * or manifest digest. Digests are of no tenant. ERROR_NOT_FOUND "No such image: X" or
 * ERROR_CONFLICT if a prefix is ambiguous. */
int image_store_find(const struct image_store *store, const char *tenant, const char *reference,
                     struct image **image, struct error *err);

/* Whether the tenant calls the image so, by a full reference with tag. */
bool image_has_name(const struct image *image, const char *tenant, const char *full);
/* Whether the tenant has a name for the image, or nobody has one. */
bool image_is_of(const struct image *image, const char *tenant);
/* Whether nobody else has a name for it. */
bool image_is_only_of(const struct image *image, const char *tenant);
/* The first name that the tenant has for the image, or else its id. */
const char *image_name_of(const struct image *image, const char *tenant);

/* Gives the tenant an image whose blobs and layers are in place. A NULL name makes it dangling. A
 * name that belonged to another image moves. `repo_digest` (or NULL) is "name@digest", what a
 * registry calls it. Durable when it returns. */
int image_store_add(struct image_store *store, const char *tenant, const char *full_name,
                    const char *repo_digest, const struct image_descriptor *manifest,
                    struct image **image, struct error *err);

/* The same with any number of names, and one change of the index. */
int image_store_add_names(struct image_store *store, const char *tenant,
                          const struct string_list *full_names, const char *repo_digest,
                          const struct image_descriptor *manifest, struct image **image,
                          struct error *err);

/* Gives the image one more name. An image that had this name loses it. */
int image_store_tag(struct image_store *store, const char *tenant, struct image *image,
                    const char *full_name, struct error *err);

/* Takes one name away. The image stays, perhaps dangling. */
int image_store_untag(struct image_store *store, const char *tenant, struct image *image,
                      const char *full_name, struct error *err);

/* Forgets the image and frees it; its blobs and layers go with the next collection. */
int image_store_remove(struct image_store *store, struct image *image, struct error *err);

/* Bytes of those layers of an image that others have as well. */
uint64_t image_store_shared_bytes(const struct image_store *store, const struct image *image);
/* Bytes of all layers, each counted once. */
uint64_t image_store_layer_bytes(const struct image_store *store);

/* True if an image cannot be read or an index was put aside: then nothing is collected. Looks at
 * the store's directory again, in case somebody has removed the index that was put aside. */
bool image_store_check_damage(struct image_store *store);

/* Gives up a damaged image, by name or manifest digest. */
int image_store_forget_damaged(struct image_store *store, const char *tenant, const char *reference,
                               struct error *err);

/* Moves blobs and layers that no image reaches, and that are not among `kept_layers`, to the trash;
 * the caller empties it. Does nothing while a worker is busy. Fails and moves nothing while an
 * image or the index is damaged (ERROR_CORRUPT), since a lost manifest would not tell what it
 * needs. */
int image_store_collect(struct image_store *store, const struct string_list *kept_layers,
                        struct error *err);

/* Reads blobs/sha256/HEX, of at most 8 MiB, into the arena. Does not check the digest. */
int image_store_read_blob(int root_fd, struct arena *arena, const char *digest, const char **text,
                          size_t *length, struct error *err);

/* Root filesystems. */

#define STORE_EMPTY_LAYER "layers/.empty"

/* overlayfs stacks 500 layers; a view of a container adds one below and one above the image's. */
#define OVERLAY_LAYERS_MAX 498

/* The ids of a container's user namespace. */
struct overlay_ids {
    int userns_fd;
    uint32_t root_uid; /* on the host */
    uint32_t root_gid;
};

/* What a container's root is made of. */
struct overlay_root {
    int layers_fd;
    struct string_list layers; /* names in it, from the bottom up */
    int container_fd;          /* with upper/ and work/, which are made if they are missing */
    const struct overlay_ids *ids;
    uint32_t project;  /* its quota counts what the container writes; 0: no quota */
    const char *label; /* the SELinux context of all files, or NULL: what they have on disk */
};

/* Mounts the root as a detached overlayfs: the host does not see the mount, which goes away with
 * its last user. Changes the caller's working directory: for single-threaded processes. Returns the
 * mount's descriptor. With `ids` an owner's id on disk is the same id inside the user namespace, so
 * that nothing has to be chowned. */
int overlay_mount(const struct overlay_root *root, struct error *err);

/* Mounts the layers read-only, with container_fd/upper (container_fd -1: none) on top of them, to
 * be looked at. Returns the descriptor of the root directory. */
int overlay_view(int store_fd, const struct string_list *layers, int container_fd,
                 struct error *err);
/* As overlay_view(), but returns the detached mount's descriptor. The directory bottom_fd (-1:
 * none) lies below all layers. */
int overlay_view_mount(int store_fd, const struct string_list *layers, int container_fd,
                       int bottom_fd, struct error *err);

/* The chain ids of an image's layers (image-spec config.md), without "sha256:", from the bottom up;
 * refuses an image whose documents do not agree on how many there are. Joined with commas they are
 * the index's list. */
int image_list_chain_ids(struct arena *arena, const struct image_manifest *manifest,
                         const struct image_config *config, struct string_list *chain_ids,
                         struct error *err);

/* A search for images whose documents and layers are there and that a lost index does not name:
 * step by step, since each reads a blob and davitd serves others between two. A step takes back the
 * image that it finds; false when the search is over. */
struct image_search;
struct image_search *image_search_new(struct image_store *store);
bool image_search_step(struct image_search *search);
void image_search_free(struct image_search *search);

/* Finds damage, and does what `how` says about it: an index that was lost and searched for (NULL:
 * not yet) is trusted again, damaged blobs that have come anew are removed. With REPAIR_PRUNE what
 * cannot be read is given up. */
void image_store_repair(struct image_store *store, const struct image_search *search,
                        enum repair how, struct findings *findings);

/* Quotas: project quotas of the filesystem (quotactl(2), "PRJQUOTA"). */

/* Limits the bytes that the project's files may take on the filesystem of directory_fd; 0: no
 * limit. ERROR_UNSUPPORTED where there are no project quotas. */
int quota_limit(int directory_fd, uint32_t project, uint64_t bytes, struct error *err);

/* Puts a directory, and what will be made in it, into the project. */
int quota_assign(int directory_fd, uint32_t project, struct error *err);

/* The project that a directory is assigned to; 0: none. */
uint32_t quota_project(int directory_fd);

#endif
