/* Layers by chain id: each unpacked once, by a confined child, and published by rename. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/path.h"
#include "base/xattrs.h"
#include "worker.h"

const struct worker_limits worker_default_limits = {
    .layer_bytes = UINT64_C(64) << 30,
    .layer_entries = 4000000,
    .archive_bytes = UINT64_C(64) << 30,
};

#define PARALLEL_MAX 4

static _Noreturn void unpack_in_child(const struct child *child, int directory_fd, int input_fd,
                                      int implicit_fd, const struct worker_limits *limits)
{
    struct child_outcome outcome = {0};
    int result = sandbox_enter_layer(directory_fd, &outcome.error);

    if (result == 0)
        layer_extract(directory_fd, input_fd, limits, sandbox_filter_layer, implicit_fd,
                      outcome.digest, &outcome.error);
    child_exit(child, &outcome);
}

/* The child keeps these descriptors alone: with a copy of the input pipe's writing end it would
 * wait for ever for the pipe to end. */
static int start_child(struct layer_unpack *unpack, int input_fd,
                       const struct worker_limits *limits, struct error *err)
{
    int directory_fd = unpack->directory_fd;
    int implicit_fd = unpack->implicit_fd;
    pid_t pid =
        child_fork(&unpack->child, (int *const[]){&directory_fd, &input_fd, &implicit_fd}, 3, err);

    if (pid == 0)
        unpack_in_child(&unpack->child, directory_fd, input_fd, implicit_fd, limits);
    return pid < 0 ? (int)pid : 0;
}

static int open_files(struct layer_unpack *unpack, struct error *err)
{
    static unsigned int counter;
    int result;

    /* An earlier process with our pid may have died and left a directory of this name. */
    do {
        snprintf(unpack->temporary, sizeof(unpack->temporary), "ingest/layer.%d.%u", (int)getpid(),
                 counter++);
        result = mkdirat(unpack->store_fd, unpack->temporary, 0755);
    } while (result < 0 && errno == EEXIST);
    if (result < 0)
        return error_errno(err, errno, "make %s", unpack->temporary);
    unpack->directory_fd =
        openat(unpack->store_fd, unpack->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unpack->implicit_fd = memfd_create("implicit", MFD_CLOEXEC);
    if (unpack->directory_fd < 0 || unpack->implicit_fd < 0)
        return error_errno(err, errno, "open %s", unpack->temporary);
    return 0;
}

int layer_unpack_begin(struct layer_unpack *unpack, int store_fd, int input_fd,
                       const struct worker_limits *limits, struct error *err)
{
    int result;

    *unpack = (struct layer_unpack){
        .store_fd = store_fd, .child = {-1, -1}, .directory_fd = -1, .implicit_fd = -1};
    result = open_files(unpack, err);
    if (result == 0)
        result = start_child(unpack, input_fd, limits, err);
    if (result < 0)
        layer_unpack_abort(unpack);
    return result;
}

int layer_unpack_begin_pipe(struct layer_unpack *unpack, int store_fd,
                            const struct worker_limits *limits, struct error *err)
{
    int pair[2];
    int result;

    if (pipe2(pair, O_CLOEXEC) < 0)
        return error_errno(err, errno, "pipe");
    fcntl(pair[1], F_SETPIPE_SZ, 1 << 20);
    result = layer_unpack_begin(unpack, store_fd, pair[0], limits, err);
    close(pair[0]);
    if (result < 0)
        close(pair[1]);
    return result < 0 ? result : pair[1];
}

void layer_unpack_abort(struct layer_unpack *unpack)
{
    child_kill(&unpack->child);
    fd_close(&unpack->directory_fd);
    fd_close(&unpack->implicit_fd);
    if (unpack->temporary[0] != '\0')
        path_remove_tree(unpack->store_fd, unpack->temporary, NULL);
}

int layer_unpack_wait(struct layer_unpack *unpack, struct error *err)
{
    struct child_outcome outcome = {0};
    int result;

    if (unpack->child.pid < 0) {
        if (unpack->outcome.errnum != 0 && err != NULL)
            *err = unpack->outcome;
        return -unpack->outcome.errnum;
    }
    result = child_await(&unpack->child, &outcome, &unpack->outcome);
    memcpy(unpack->diff_id, outcome.digest, sizeof(unpack->diff_id));
    /* The tree must be on disk before its name is: a name means complete. */
    if (result == 0 && syncfs(unpack->directory_fd) < 0)
        error_errno(&unpack->outcome, errno, "sync");
    fd_close(&unpack->directory_fd);
    return layer_unpack_wait(unpack, err);
}

static int open_layer(int store_fd, const char *chain_hex)
{
    char path[128];

    snprintf(path, sizeof(path), "layers/%s", chain_hex);
    return openat(store_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* *found is the directory of that path in the topmost of the layers below that has it, or -1. */
static int find_below(const struct layer_unpack *unpack, const struct string_list *chain_ids,
                      size_t number, const char *path, int *found, struct error *err)
{
    *found = -1;
    for (size_t i = number; i > 0; i--) {
        cleanup_close int layer_fd = open_layer(unpack->store_fd, chain_ids->items[i - 1]);
        int fd;

        if (layer_fd < 0)
            return error_errno(err, errno, "layer %s", chain_ids->items[i - 1]);
        fd = path_open_beneath(layer_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
        if (fd >= 0)
            *found = fd;
        /* A whiteout or another kind of file there hides what the layers below have. */
        if (fd >= 0 || fd == -ENOTDIR || fd == -ELOOP)
            return 0;
        if (fd != -ENOENT)
            return error_errno(err, -fd, "%.256s in layer %s", path, chain_ids->items[i - 1]);
    }
    return 0;
}

static int copy_attributes(int from_fd, int to_fd, struct error *err)
{
    struct stat status;
    int result;

    if (fstat(from_fd, &status) < 0 || fchown(to_fd, status.st_uid, status.st_gid) < 0 ||
        fchmod(to_fd, status.st_mode & 07777) < 0)
        return error_errno(err, errno, "set the attributes of a directory");
    result = xattrs_copy(from_fd, to_fd, layer_xattr_is_allowed, err);
    if (result == 0 &&
        futimens(to_fd, (const struct timespec[]){status.st_atim, status.st_mtim}) < 0)
        result = error_errno(err, errno, "set the times of a directory");
    return result;
}

/* Gives a directory that the layer has no entry for the attributes that it has in the layers below.
 * overlayfs would show those with which extraction made it. */
static int adopt_directory(struct layer_unpack *unpack, int root_fd,
                           const struct string_list *chain_ids, size_t number, const char *path,
                           struct error *err)
{
    cleanup_close int from_fd = -1;
    cleanup_close int to_fd = -1;
    int result = find_below(unpack, chain_ids, number, path, &from_fd, err);

    if (result < 0 || from_fd < 0)
        return result;
    to_fd = path_open_beneath(root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    /* A later entry may have made something else of it. */
    if (to_fd == -ENOENT || to_fd == -ENOTDIR || to_fd == -ELOOP)
        return 0;
    return to_fd < 0 ? error_errno(err, -to_fd, "%.256s", path)
                     : copy_attributes(from_fd, to_fd, err);
}

static int adopt_implicit(struct layer_unpack *unpack, const struct string_list *chain_ids,
                          size_t number, struct error *err)
{
    cleanup_close int root_fd = openat(unpack->store_fd, unpack->temporary,
                                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_buffer struct buffer names = {0};
    int result;

    if (root_fd < 0)
        return error_errno(err, errno, "open %s", unpack->temporary);
    lseek(unpack->implicit_fd, 0, SEEK_SET);
    result = file_read_fd(unpack->implicit_fd, SIZE_MAX / 2, &names);
    if (result < 0)
        return error_errno(err, -result, "read the list of directories");
    for (size_t i = 0; result == 0 && i < names.length; i += strlen(names.data + i) + 1)
        result = adopt_directory(unpack, root_fd, chain_ids, number, names.data + i, err);
    if (result == 0 && names.length > 0 && syncfs(root_fd) < 0)
        result = error_errno(err, errno, "sync");
    return result;
}

int layer_unpack_publish(struct layer_unpack *unpack, const char *diff_id,
                         const struct string_list *chain_ids, size_t number, struct error *err)
{
    char path[128];
    int result = layer_unpack_wait(unpack, err);

    if (result < 0)
        return result;
    if (strcmp(unpack->diff_id, diff_id) != 0)
        return error_set(err, ERROR_CORRUPT, EBADMSG,
                         "the content does not match its diff id: expected %s, found %s", diff_id,
                         unpack->diff_id);
    result = adopt_implicit(unpack, chain_ids, number, err);
    if (result < 0)
        return result;
    snprintf(path, sizeof(path), "layers/%s", chain_ids->items[number]);
    /* Two workers may unpack the same layer; the second finds it there and drops its own. */
    if (renameat(unpack->store_fd, unpack->temporary, unpack->store_fd, path) == 0)
        unpack->temporary[0] = '\0';
    else if (errno != EEXIST && errno != ENOTEMPTY)
        return error_errno(err, errno, "publish layer %s", chain_ids->items[number]);
    return 0;
}

bool layer_exists(int store_fd, const char *chain_hex)
{
    char path[128];

    snprintf(path, sizeof(path), "layers/%s", chain_hex);
    return faccessat(store_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The unpacking of an image's layers: children work ahead of the layer that is published next. */
struct unpacking {
    int store_fd;
    const struct image_manifest *manifest;
    const struct image_config *config;
    struct string_list chain_ids;
    const struct worker_limits *limits;
    struct layer_unpack *const *begun; /* by others; NULL: none */
    struct layer_unpack **own;         /* by us */
};

static struct layer_unpack *find_unpack(const struct unpacking *unpacking, size_t layer)
{
    if (unpacking->begun != NULL && unpacking->begun[layer] != NULL)
        return unpacking->begun[layer];
    return unpacking->own[layer];
}

static int begin_layer(struct unpacking *unpacking, size_t layer, struct error *err)
{
    const char *digest = unpacking->manifest->layers.items[layer].digest;
    cleanup_close int blob_fd = -1;
    int result;

    if (layer_exists(unpacking->store_fd, unpacking->chain_ids.items[layer]) ||
        find_unpack(unpacking, layer) != NULL)
        return 0;
    blob_fd = blob_open(unpacking->store_fd, digest);
    if (blob_fd < 0)
        return error_errno(err, -blob_fd, "layer %s", digest);
    unpacking->own[layer] = memory_new_one(struct layer_unpack);
    result = layer_unpack_begin(unpacking->own[layer], unpacking->store_fd, blob_fd,
                                unpacking->limits, err);
    return result < 0 ? error_prefix(err, "layer %s", digest) : 0;
}

static void release_layer(struct unpacking *unpacking, size_t layer)
{
    if (unpacking->own[layer] != NULL)
        layer_unpack_abort(unpacking->own[layer]);
    free(unpacking->own[layer]);
    unpacking->own[layer] = NULL;
}

static int publish_layer(struct unpacking *unpacking, size_t layer, struct error *err)
{
    struct layer_unpack *unpack = find_unpack(unpacking, layer);
    int result = 0;

    if (unpack != NULL && !layer_exists(unpacking->store_fd, unpacking->chain_ids.items[layer]))
        result = layer_unpack_publish(unpack, unpacking->config->rootfs.diff_ids.items[layer],
                                      &unpacking->chain_ids, layer, err);
    release_layer(unpacking, layer);
    return result < 0
               ? error_prefix(err, "layer %s", unpacking->manifest->layers.items[layer].digest)
               : 0;
}

static int unpack_all(struct unpacking *unpacking, struct error *err)
{
    size_t count = unpacking->chain_ids.count;
    int result = 0;

    for (size_t next = 0, layer = 0; result == 0 && layer < count; layer++) {
        while (result == 0 && next < count && next < layer + PARALLEL_MAX)
            result = begin_layer(unpacking, next++, err);
        if (result == 0)
            result = publish_layer(unpacking, layer, err);
    }
    for (size_t layer = 0; layer < count; layer++)
        release_layer(unpacking, layer);
    return result;
}

int layers_unpack(int store_fd, struct arena *arena, const struct image_manifest *manifest,
                  const struct image_config *config, struct layer_unpack *const *begun,
                  const struct worker_limits *limits, const char **layers, struct error *err)
{
    struct unpacking unpacking = {.store_fd = store_fd,
                                  .manifest = manifest,
                                  .config = config,
                                  .limits = limits,
                                  .begun = begun};
    int result = image_list_chain_ids(arena, manifest, config, &unpacking.chain_ids, err);

    if (result < 0)
        return result;
    unpacking.own = memory_new(unpacking.chain_ids.count + 1, sizeof(struct layer_unpack *));
    result = unpack_all(&unpacking, err);
    free(unpacking.own);
    if (result == 0)
        *layers = string_list_join(arena, &unpacking.chain_ids, ",");
    return result;
}
