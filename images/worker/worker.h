/*
 * The image worker's parts: everything that reads archives from outside. It runs in a process of
 * its own (davit-image) without network and with mounts of its own; each layer is unpacked by a
 * child that can see that layer's directory and nothing else.
 */
#ifndef DAVIT_IMAGES_WORKER_WORKER_H
#define DAVIT_IMAGES_WORKER_WORKER_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "images/image_job.h"
#include "images/images.h"
#include "images/registry_job.h"
#include "images/report.h"

/* Bounds, against bombs. */

struct worker_limits {
    uint64_t layer_bytes;   /* unpacked bytes of one layer */
    uint64_t layer_entries; /* entries of one layer */
    uint64_t archive_bytes; /* bytes of an archive as it comes */
};

extern const struct worker_limits worker_default_limits;

/* Processes that do one thing. */

/* Locks the store's ingest/ until this process and all its children have ended: nobody sweeps it
 * meanwhile (images/collect.c). */
int process_hold_store(int store_fd, struct error *err);
/* For a child that does one thing: closes all descriptors but these, which get new numbers, the
 * store's lock and standard error. A copy of a pipe's writing end would keep the reader waiting for
 * ever. */
void process_keep_only(int *const fds[], size_t count);

#define CHILD_FDS_MAX 4

struct child {
    pid_t pid;      /* -1: none */
    int outcome_fd; /* becomes readable when it has ended */
};

struct child_outcome {
    struct error error; /* errnum 0: none */
    char digest[DIGEST_SIZE];
};

/* fork(2). The child keeps these descriptors and its end of the outcome's pipe (see
 * process_keep_only()), and ends by child_exit(). */
pid_t child_fork(struct child *child, int *const fds[], size_t count, struct error *err);
_Noreturn void child_exit(const struct child *child, const struct child_outcome *outcome);
/* Waits for the child's end. Returns the error of its outcome, or ERROR_CORRUPT if it died. */
int child_await(struct child *child, struct child_outcome *outcome, struct error *err);
/* Kills the child, if it still runs, and releases it. */
void child_kill(struct child *child);

/* SHA-256. */

struct digest_context;

struct digest_context *digest_new(void);
void digest_update(struct digest_context *context, const void *bytes, size_t length);
/* Writes "sha256:HEX" and frees the context. */
void digest_finish(struct digest_context *context, char digest[DIGEST_SIZE]);
void digest_free(struct digest_context *context);
/* Writes the digest of these bytes. */
void digest_of(const void *bytes, size_t length, char digest[DIGEST_SIZE]);

/* Byte streams: plain, gzip (ISA-L), zstd, told apart by their first bytes. */

struct decompressor;

/* Reads from fd (not owned). `hashes` computes the digest of the decompressed bytes. */
int decompressor_open(int fd, bool hashes, struct decompressor **stream, struct error *err);
/* Up to `size` decompressed bytes; 0 at the end; a negative errno with err filled. */
ssize_t decompressor_read(struct decompressor *stream, void *bytes, size_t size, struct error *err);
/* From now on a thread reads, decompresses and hashes ahead of decompressor_read(). */
int decompressor_read_ahead(struct decompressor *stream, struct error *err);
/* Reads on to the end and tells the digest of all decompressed bytes. */
int decompressor_finish(struct decompressor *stream, char digest[DIGEST_SIZE], struct error *err);
void decompressor_close(struct decompressor *stream);

struct gzip;

/* Compresses to fd (not owned). Writing and finishing return 0 or a negative errno. */
struct gzip *gzip_open(int fd);
int gzip_write(struct gzip *gzip, const void *bytes, size_t length);
int gzip_finish(struct gzip *gzip);
void gzip_free(struct gzip *gzip);

/* Tar. */

struct archive;

/* A libarchive reader of the stream's tar entries; archive_read_free() it before the stream. NULL
 * with err filled. */
struct archive *tar_open(struct decompressor *stream, struct error *err);
/* What libarchive has to say of a failure, as an error. */
int tar_error(struct archive *archive, struct error *err);

enum tar_form {
    TAR_PLAIN, /* times in seconds, an extended header where one is needed */
    TAR_EXACT, /* times in nanoseconds */
    TAR_EXACT_GZIP,
};

/* A libarchive writer of tar to fd (not owned), for tar_finish(). NULL with err filled. */
struct archive *tar_create(int fd, enum tar_form form, struct error *err);
/* Writes the archive's end and frees the writer. With a failure as `result` only frees, and returns
 * `result`. */
int tar_finish(struct archive *archive, int result, struct error *err);
int tar_write_error(struct archive *archive, struct error *err);

/* Blobs. */

struct blob_writer {
    int store_fd;
    int fd;
    int copy_fd; /* gets all bytes as well; closed with the writer; -1: none */
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
/* Opens a blob of the store. Returns a descriptor or a negative errno. */
int blob_open(int store_fd, const char *digest);
/* A small blob in one step. */
int blob_put(int store_fd, const void *bytes, size_t length, const char *expected,
             char digest[DIGEST_SIZE], struct error *err);

/* Archives. */

/* Reads an oci-archive (a tar of an OCI layout) or a docker-archive from fd, compressed or not;
 * stores its blobs, unpacks its layers, and reports each image by one JSON line on out_fd, as
 * struct image_report in images/report.h describes it. */
int archive_load(int store_fd, int fd, int out_fd, const struct load_job *job,
                 const struct worker_limits *limits, struct error *err);

/* Makes an image of the job's base and of one more layer, a tar that comes from layer_fd, and
 * reports it. */
int job_run_import(int store_fd, int layer_fd, int out_fd, const struct make_job *job,
                   const struct worker_limits *limits, struct error *err);
/* As job_run_import(), with what a container has changed as the layer. */
int job_run_commit(int store_fd, int out_fd, const struct make_job *job,
                   const struct worker_limits *limits, struct error *err);

/* Opens the directory of a container, containers/ID in the store's directory. Returns a descriptor.
 */
int container_open(int store_fd, const char *id, struct error *err);
/* Writes what a container has changed, as Docker's list of changes, in JSON. */
int container_diff(int store_fd, int out_fd, const struct container_job *job, struct error *err);
/* Writes all that a container sees as its files, as a tar. */
int job_run_export(int store_fd, int out_fd, const struct container_job *job, struct error *err);

/* Writes the packages of an image as an SPDX document. */
int image_sbom(int store_fd, int out_fd, const struct sbom_job *job, struct error *err);

/* Reports what each container has changed, and each volume holds: REPORT_CONTAINER, REPORT_VOLUME.
 */
int store_usage(int store_fd, int out_fd, struct error *err);

/* Writes images, which are in the store, to out_fd as one archive: an OCI layout that is a docker
 * archive as well. */
int archive_save(int store_fd, int out_fd, const struct save_job *job, struct error *err);

/* One JSON line of a report, see images/report.h. */
int report_write(int out_fd, const struct image_report *report, struct error *err);

/* Progress of a blob, by the first digits of its digest. */
void report_progress(int out_fd, const char *digest, const char *status, int64_t current,
                     int64_t total);

/* Signatures. */

#define SIGNATURE_PAYLOAD_MAX 65536
#define SIGNATURE_BYTES_MAX 512
#define SIGNATURE_ANNOTATION "dev.cosignproject.cosign/signature"

struct signature {
    const char *payload; /* what was signed */
    size_t payload_length;
    const char *base64;
};

/* What a payload says. */
struct signed_image {
    const char *digest;
};
struct signed_identity {
    const char *reference;
};
struct signed_critical {
    struct signed_image image;
    struct signed_identity identity;
    const char *type;
};
struct signed_payload {
    struct signed_critical critical;
};

/* 1 if the signature is by one of the rule's keys and names the digest, 0 if not, or a negative
 * errno if a key cannot be used. */
int signature_check(const struct trust_rule *rule, const struct signature *signature,
                    const char *digest, struct error *err);
/* As signature_check(), for the signature in the rule's directory; 0 if the directory has none. */
int signature_check_directory(const struct trust_rule *rule, const char *digest, struct error *err);

/* Registries. */

/* Sends a message to the fetch worker. pipe_fd goes along unless it is -1, and stays the caller's.
 */
int channel_send(int channel_fd, const struct json_struct *type, const void *message, int pipe_fd,
                 struct error *err);
/* Asks for something that comes through a pipe, whose reading end is returned. The other is the
 * fetch worker's alone: a child that held it would never see the end. */
int channel_request(int channel_fd, const struct fetch_request *request, struct error *err);
int channel_receive(int channel_fd, struct arena *arena, struct fetch_answer *answer,
                    struct error *err);
/* Fills err with the error that an answer holds. */
void channel_failure(const struct fetch_answer *answer, struct error *err);
/* Waits for the last answer to the only request under way; returns 0 or that answer's error. */
int channel_await(int channel_fd, struct error *err);

/* A blob that comes through a pipe. */
struct receive_order {
    int store_fd;
    int pipe_fd;
    int copy_fd; /* to an unpacking child; -1: none */
    const char *digest;
    int64_t size;
};

/* Starts a process that receives and stores the blob. Its end is waited for by child_await(). */
int receive_start(const struct receive_order *order, struct child *child, struct error *err);

/* Pulls an image, or all tags of a repository, through the fetch worker at the other end of
 * channel_fd; reports progress and each image. Several layers at a time are received, verified,
 * stored and unpacked. */
int job_run_pull(int store_fd, int channel_fd, int out_fd, const struct pull_job *job,
                 const struct worker_limits *limits, struct error *err);

/* Pushes the job's images: of each its blobs, several at a time, then its manifest. In the end
 * pushes an index of them, if the job names a tag for one. */
int job_run_push(int store_fd, int channel_fd, int out_fd, const struct push_job *job,
                 struct error *err);

/* Asks a registry, and reports the answer as a document. */
int job_run_inquiry(int channel_fd, int out_fd, const struct inquiry_job *job, struct error *err);

bool layer_exists(int store_fd, const char *chain_hex);

/* A layer being unpacked by a confined child from a descriptor that may be a pipe. */
struct layer_unpack {
    int store_fd;
    struct child child;
    int directory_fd;
    char temporary[64];   /* "" once it is published */
    struct error outcome; /* once waited for */
    char diff_id[DIGEST_SIZE];
    int implicit_fd; /* names of directories that it has no entries for */
};
int layer_unpack_begin(struct layer_unpack *unpack, int store_fd, int input_fd,
                       const struct worker_limits *limits, struct error *err);
/* The same from a pipe, whose other end is returned. */
int layer_unpack_begin_pipe(struct layer_unpack *unpack, int store_fd,
                            const struct worker_limits *limits, struct error *err);
/* Waits for the child: the layer is there and on disk, without a name. May be called again. */
int layer_unpack_wait(struct layer_unpack *unpack, struct error *err);
/* Waits, and publishes the layer as number `number` of its image if its content matches the diff
 * id. The layers below have to be published before: from them come the attributes of directories
 * that this layer has no entries for. */
int layer_unpack_publish(struct layer_unpack *unpack, const char *diff_id,
                         const struct string_list *chain_ids, size_t number, struct error *err);
/* Kills the child, releases everything, and removes the layer unless it was published. To be called
 * also after another function has failed. */
void layer_unpack_abort(struct layer_unpack *unpack);

/* Unpacks and publishes, from the bottom up, those layers of an image that the store lacks. `begun`
 * (or NULL) has for each layer an unpacking under way, which stays the caller's, or NULL. *layers
 * is the list of chain ids for the index. */
int layers_unpack(int store_fd, struct arena *arena, const struct image_manifest *manifest,
                  const struct image_config *config, struct layer_unpack *const *begun,
                  const struct worker_limits *limits, const char **layers, struct error *err);

/* Writes the tar bytes of `fd` (compressed or not) into directory_fd. Refuses entries that would
 * leave it. *diff_id is the digest of the uncompressed bytes. `confine` (or NULL) is called once,
 * before the tar is parsed; the thread that decompresses runs already. Paths of directories that
 * were made without an entry go to implicit_fd (-1: nowhere), each with a NUL. */
int layer_extract(int directory_fd, int fd, const struct worker_limits *limits,
                  int (*confine)(struct error *err), int implicit_fd, char diff_id[DIGEST_SIZE],
                  struct error *err);

/* Markers of a layer's tar (image-spec layer.md). */
#define WHITEOUT_PREFIX ".wh."
#define OPAQUE_MARKER ".wh..wh..opq"

/* True for the extended attributes that layers carry. */
bool layer_xattr_is_allowed(const char *name);

/* The entries of a directory by name, without "." and "..". How many, or -1 with errno. */
int directory_list(int directory_fd, struct dirent ***entries);
void directory_list_free(struct dirent **entries, int count);

/* Each directory that is open takes a descriptor; a path of PATH_MAX has no more directories. */
#define TREE_DEPTH_MAX (PATH_MAX / 2)

struct tree_options {
    bool is_upper; /* an overlayfs upper directory: its whiteouts become a layer's */
    bool has_fixed_time;
    int64_t time_s; /* of all entries, if has_fixed_time */
};

/* Writes what is below directory_fd, in the order of names. Changes the working directory. */
int tree_write(struct archive *archive, int directory_fd, const struct tree_options *options,
               struct error *err);

/* Whether fd is on procfs, sysfs or another filesystem whose files are made by the kernel as they
 * are read. A tree is written without what is in such a one that is mounted in it. */
bool tree_is_of_kernel(int fd);

/* Writes directory_fd/name and what is below it, under the name `path`. */
int tree_write_one(struct archive *archive, int directory_fd, const char *name, const char *path,
                   const struct tree_options *options, struct error *err);

/* A tar that becomes files of a container, and not a layer. */
struct extract_options {
    const char *prefix; /* where, relative to the root; "" is the root itself */
    bool keeps_kind;    /* see struct copy_job */
    bool replaces_top;  /* the prefix takes the place of each name's first part */
    bool has_no_xattrs;
    bool has_owner; /* all files get uid and gid, not the tar's owners */
    uint32_t uid;
    uint32_t gid;
};

/* Unpacks what comes from fd below root_fd/prefix; links on the way stay in the root. */
int tree_extract(int root_fd, int fd, const struct extract_options *options,
                 const struct worker_limits *limits, int (*confine)(struct error *err),
                 struct error *err);

/* A path of a container: job_run_stat_path() reports what it is, job_run_copy_out() also writes
 * it to out_fd as a tar, job_run_copy_in() unpacks a tar from in_fd in it. */
int job_run_stat_path(int store_fd, int report_fd, const struct copy_job *job, struct error *err);
int job_run_copy_out(int store_fd, int report_fd, int out_fd, const struct copy_job *job,
                     struct error *err);
int job_run_copy_in(int store_fd, int in_fd, const struct copy_job *job,
                    const struct worker_limits *limits, struct error *err);

/* For `davit cp`, on the client's side. Writes a file, link or directory to out_fd as a tar, under
 * the name `name`. With `follows` writes what a link leads to. */
int copy_pack(const char *path, const char *name, bool follows, int out_fd, struct error *err);
/* A tar from in_fd becomes directory/name; NAME "" is the directory itself. Files are the caller's
 * own unless `keeps_owners`. */
int copy_unpack(const char *directory, const char *name, bool keeps_owners, int in_fd,
                struct error *err);

struct assemble_options {
    const char *name; /* full reference */
    struct string_list cmd;
    struct string_list env;
    const char *working_dir;
    const char *user;
    struct string_map labels;
    int64_t created_s; /* of image and files: SOURCE_DATE_EPOCH */
};
/* Writes an oci-archive of one image whose only layer is the tree in directory_fd to out_fd. The
 * bytes depend on the tree and the options alone. */
int archive_assemble(int directory_fd, const struct assemble_options *options, int out_fd,
                     struct error *err);

/* Confinement. */

/* For the worker: no network, mounts of its own, no core dumps, no new privileges. It stays root
 * with all capabilities, which mounting layers and entering containers need. */
int sandbox_enter_worker(struct error *err);
/* For the child that unpacks a layer: directory_fd becomes "/" for good, and only the capabilities
 * to make files of any kind stay. */
int sandbox_enter_layer(int directory_fd, struct error *err);
/* Then leaves all threads of that child only the system calls that unpacking needs. */
int sandbox_filter_layer(struct error *err);
/* For a process that only reads an image's files: directory_fd becomes "/", and only the system
 * calls that reading needs remain. */
int sandbox_enter_reader(int directory_fd, struct error *err);
/* As sandbox_enter_reader(), but keeps CAP_FOWNER, with which reading changes no access times. */
int sandbox_enter_copier(int directory_fd, struct error *err);

#endif
