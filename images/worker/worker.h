/*
 * The image worker's parts: everything that reads archives from outside. It runs in a process of
 * its own (davit-image) that can see the store and nothing else; each layer is unpacked by a child
 * that can see that layer's directory and nothing else.
 */
#ifndef DAVIT_IMAGES_WORKER_WORKER_H
#define DAVIT_IMAGES_WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "images/images.h"

/* ---- bounds, against bombs ---- */

struct worker_limits {
    uint64_t layer_bytes;   /* unpacked bytes of one layer */
    uint64_t layer_entries; /* entries of one layer */
    uint64_t archive_bytes; /* bytes of an archive as it comes */
};

extern const struct worker_limits worker_default_limits;

/* ---- SHA-256 ---- */

struct digest_context;

struct digest_context *digest_new(void);
void digest_update(struct digest_context *context, const void *bytes, size_t length);
/* Writes "sha256:HEX" and frees the context. */
void digest_finish(struct digest_context *context, char digest[DIGEST_SIZE]);
void digest_free(struct digest_context *context);
/* Of a whole string. */
void digest_of(const void *bytes, size_t length, char digest[DIGEST_SIZE]);

/* ---- byte streams: plain, gzip (ISA-L), zstd, told apart by their first bytes ---- */

struct stream;

/* Reads from fd (not owned). `hashes` computes the digest of the decompressed bytes. */
int stream_open(int fd, bool hashes, struct stream **stream, struct error *err);
/* Up to `size` decompressed bytes; 0 at the end; a negative errno with err filled. */
ssize_t stream_read(struct stream *stream, void *bytes, size_t size, struct error *err);
/* Reads on to the end and tells the digest of all decompressed bytes. */
int stream_finish(struct stream *stream, char digest[DIGEST_SIZE], struct error *err);
void stream_close(struct stream *stream);

/* ---- tar ---- */

struct archive;

/* A libarchive reader of the stream's tar entries; archive_read_free() it before the stream. NULL
 * with err filled. */
struct archive *tar_open(struct stream *stream, struct error *err);
/* What libarchive has to say of a failure, as an error. */
int tar_error(struct archive *archive, struct error *err);

/* ---- blobs ---- */

struct blob_writer {
    int store_fd;
    int fd;
    char temporary[64];
    uint64_t size;
    struct digest_context *digest;
};

int blob_begin(struct blob_writer *writer, int store_fd, struct error *err);
int blob_write(struct blob_writer *writer, const void *bytes, size_t length, struct error *err);
/* Publishes the blob under its digest, which must be `expected` if that is not NULL. */
int blob_commit(struct blob_writer *writer, const char *expected, char digest[DIGEST_SIZE],
                struct error *err);
void blob_abort(struct blob_writer *writer);
/* A small blob in one step. */
int blob_put(int store_fd, const void *bytes, size_t length, char digest[DIGEST_SIZE],
             struct error *err);

/* ---- archives ---- */

/* Reads an oci-archive (a tar of an OCI layout) or a docker-archive from fd, compressed or not;
 * stores its blobs, unpacks its layers, and reports each image by one JSON line on out_fd, as
 * struct image_report in images/report.h describes it. */
int archive_load(int store_fd, int fd, int out_fd, const struct worker_limits *limits,
                 struct error *err);

/* Unpacks what layers an image lacks. *layers is the list of chain ids for the index. */
int layers_unpack(int store_fd, struct arena *arena, const struct image_manifest *manifest,
                  const struct image_config *config, const struct worker_limits *limits,
                  const char **layers, struct error *err);

/* Writes the tar bytes of `fd` (compressed or not) into directory_fd. Refuses entries that would
 * leave it. *diff_id is the digest of the uncompressed bytes. */
int layer_extract(int directory_fd, int fd, const struct worker_limits *limits,
                  char diff_id[DIGEST_SIZE], struct error *err);

/* Writes an oci-archive of one image whose only layer is the tree in directory_fd to out_fd. The
 * bytes depend on the tree and the options alone. */
struct assemble_options {
    const char *name; /* full reference */
    struct string_list cmd;
    struct string_list env;
    const char *working_dir;
    const char *user;
    struct string_map labels;
    int64_t created_s; /* of image and files: SOURCE_DATE_EPOCH */
};
int archive_assemble(int directory_fd, const struct assemble_options *options, int out_fd,
                     struct error *err);

/* ---- confinement ---- */

/* The worker: no network, no other mounts, no privileges beyond writing files of any kind. */
int sandbox_enter_worker(struct error *err);
/* A layer's child: directory_fd becomes "/", for good, and few system calls remain. */
int sandbox_enter_layer(int directory_fd, struct error *err);

#endif
