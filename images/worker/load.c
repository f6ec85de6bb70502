/*
 * Archives of images: an OCI layout in a tar (image-spec image-layout.md) or what `docker save`
 * writes. Every file of the archive becomes a blob first, named by what it really is, since
 * archives come as a stream and may say what their files are at the end only; what looks like a
 * layer is unpacked meanwhile. Blobs that no image refers to are swept later.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker.h"

#define MEMBERS_MAX 16384
#define INDEX_DEPTH_MAX 3
#define UNPACKING_MAX 4

struct member {
    const char *name;
    const char *link; /* a symbolic link's target, resolved to a name of the archive */
    char digest[DIGEST_SIZE];
    uint64_t size;
    struct layer_unpack *unpack; /* what looks like a layer is unpacked as it comes; NULL: not */
};

struct load {
    int store_fd;
    int out_fd;
    const struct load_job *job;
    const struct worker_limits *limits;
    struct error *err;
    struct decompressor *stream;
    struct archive *archive;
    uint64_t bytes;
    struct member *members;
    size_t member_count;
    struct arena arena;
};

static const char *without_dot(const char *name)
{
    while (strncmp(name, "./", 2) == 0)
        name += 2;
    return name;
}

/* "abc/layer.tar" -> "../def/layer.tar" is "def/layer.tar": old docker archives link equal layers.
 */
static const char *resolve_link(struct load *load, const char *name, const char *target)
{
    const char *slash = strrchr(name, '/');

    if (slash != NULL && strncmp(target, "../", 3) == 0)
        return arena_strdup(&load->arena, target + 3);
    if (slash == NULL)
        return arena_strdup(&load->arena, target);
    return arena_printf(&load->arena, "%.*s/%s", (int)(slash - name), name, target);
}

static const struct member *find_member(const struct load *load, const char *name)
{
    for (int hops = 0; hops < 2 && name != NULL; hops++) {
        const char *wanted = name;

        name = NULL;
        for (size_t i = load->member_count; i > 0; i--) {
            const struct member *member = &load->members[i - 1];

            if (strcmp(member->name, without_dot(wanted)) != 0)
                continue;
            if (member->link == NULL)
                return member;
            name = member->link;
            break;
        }
    }
    return NULL;
}

/* In a layout a blob's name is its digest, and a blob that is not what its name says is refused. */
static const char *expected_digest(struct load *load, const char *name)
{
    static const char prefix[] = "blobs/sha256/";
    const char *digest;

    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0)
        return NULL;
    digest = arena_printf(&load->arena, "sha256:%s", name + sizeof(prefix) - 1);
    return digest_is_valid(digest) ? digest : NULL;
}

/* Guesses by the first bytes: gzip, zstd, or a tar header. What a wrong guess unpacks is dropped in
 * the end. */
static bool looks_like_layer(const unsigned char *bytes, size_t length)
{
    static const unsigned char zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};

    return (length >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b) ||
           (length >= sizeof(zstd_magic) && memcmp(bytes, zstd_magic, sizeof(zstd_magic)) == 0) ||
           (length >= 512 && memcmp(bytes + 257, "ustar", 5) == 0);
}

/* Keeps fewer than UNPACKING_MAX children running: waits for the oldest. Its outcome is looked at
 * later, if an image needs its layer. */
static void await_oldest(struct load *load)
{
    size_t running = 0;

    for (size_t i = load->member_count; i > 0; i--) {
        struct layer_unpack *unpack = load->members[i - 1].unpack;

        if (unpack == NULL || unpack->child.pid < 0)
            continue;
        if (++running == UNPACKING_MAX)
            layer_unpack_wait(unpack, NULL);
    }
}

static int begin_unpacking(struct load *load, struct member *member, struct blob_writer *blob)
{
    await_oldest(load);
    member->unpack = memory_new_one(struct layer_unpack);
    blob->copy_fd =
        layer_unpack_begin_pipe(member->unpack, load->store_fd, load->limits, load->err);
    if (blob->copy_fd >= 0)
        return 0;
    free(member->unpack);
    member->unpack = NULL;
    return -load->err->errnum;
}

/* True if the store has the blob: then the blob was most likely unpacked before. If it was not,
 * layers_unpack() unpacks it. */
static bool is_present(const struct load *load, const struct member *member, const char *expected)
{
    return expected != NULL &&
           faccessat(load->store_fd, member->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int store_data(struct load *load, struct member *member, struct blob_writer *blob,
                      const char *expected)
{
    const void *bytes;
    size_t length;
    la_int64_t offset;
    int code;

    while ((code = archive_read_data_block(load->archive, &bytes, &length, &offset)) ==
           ARCHIVE_OK) {
        int result = 0;

        load->bytes += length;
        if (load->bytes > load->limits->archive_bytes)
            return error_set(load->err, ERROR_TOO_LARGE, EFBIG,
                             "the archive holds more than %llu bytes",
                             (unsigned long long)load->limits->archive_bytes);
        if ((uint64_t)offset != blob->size)
            return error_set(load->err, ERROR_CORRUPT, EINVAL, "archive: sparse members");
        if (blob->size == 0 && looks_like_layer(bytes, length) &&
            !is_present(load, member, expected))
            result = begin_unpacking(load, member, blob);
        if (result == 0)
            result = blob_write(blob, bytes, length, load->err);
        if (result < 0)
            return result;
    }
    return code == ARCHIVE_EOF ? 0 : tar_error(load->archive, load->err);
}

static int store_member(struct load *load, struct archive_entry *entry, struct member *member)
{
    const char *expected = expected_digest(load, member->name);
    struct blob_writer blob;
    int result = blob_begin(&blob, load->store_fd, load->err);

    if (result < 0)
        return result;
    result = store_data(load, member, &blob, expected);
    member->size = blob.size;
    if (result == 0 && (int64_t)blob.size != archive_entry_size(entry))
        result = error_set(load->err, ERROR_CORRUPT, EBADMSG, "the file is cut off");
    if (result < 0)
        blob_abort(&blob);
    else
        result = blob_commit(&blob, expected, member->digest, load->err);
    return result < 0 ? error_prefix(load->err, "%s", member->name) : 0;
}

static int read_member(struct load *load, struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);
    struct member *member;

    if (name == NULL || archive_entry_filetype(entry) == AE_IFDIR)
        return 0;
    if (load->member_count == MEMBERS_MAX)
        return error_set(load->err, ERROR_TOO_LARGE, E2BIG, "archive: more than %d files",
                         MEMBERS_MAX);
    load->members = memory_resize(load->members, load->member_count + 1, sizeof(*load->members));
    member = &load->members[load->member_count++];
    *member = (struct member){.name = arena_strdup(&load->arena, without_dot(name))};
    if (archive_entry_hardlink(entry) != NULL) {
        member->link = arena_strdup(&load->arena, without_dot(archive_entry_hardlink(entry)));
        return 0;
    }
    if (archive_entry_filetype(entry) == AE_IFLNK) {
        member->link = resolve_link(load, member->name, archive_entry_symlink(entry));
        return 0;
    }
    if (archive_entry_filetype(entry) != AE_IFREG)
        return error_set(load->err, ERROR_CORRUPT, EINVAL, "archive: \"%.128s\" is not a file",
                         name);
    return store_member(load, entry, member);
}

static int read_all(struct load *load)
{
    struct archive_entry *entry;
    int code;

    load->archive = tar_open(load->stream, load->err);
    if (load->archive == NULL)
        return -EBADMSG;
    while ((code = archive_read_next_header(load->archive, &entry)) == ARCHIVE_OK ||
           code == ARCHIVE_WARN) {
        int result = read_member(load, entry);

        if (result < 0)
            return result;
    }
    return code == ARCHIVE_EOF ? 0 : tar_error(load->archive, load->err);
}

static int read_document(struct load *load, const char *digest, const char **text, size_t *length)
{
    return image_store_read_blob(load->store_fd, &load->arena, digest, text, length, load->err);
}

static bool is_taken(struct layer_unpack *const *unpacks, size_t count,
                     const struct layer_unpack *unpack)
{
    for (size_t i = 0; i < count; i++) {
        if (unpacks[i] == unpack)
            return true;
    }
    return false;
}

/* For each layer of an image the child that unpacked it as it came, if one did. A layer that stands
 * in an image twice, or in another on top of other layers, is unpacked again. */
static struct layer_unpack **find_unpacks(struct load *load, const struct image_manifest *manifest)
{
    struct layer_unpack **unpacks =
        arena_new(&load->arena, manifest->layers.count + 1, sizeof(struct layer_unpack *));

    for (size_t i = 0; i < manifest->layers.count; i++) {
        for (size_t j = 0; j < load->member_count; j++) {
            struct layer_unpack *unpack = load->members[j].unpack;

            if (unpack != NULL && unpack->temporary[0] != '\0' && !is_taken(unpacks, i, unpack) &&
                strcmp(load->members[j].digest, manifest->layers.items[i].digest) == 0)
                unpacks[i] = unpack;
        }
    }
    return unpacks;
}

/* Applies the policy to one name. Anybody can write any name into an archive, and archives bring no
 * signatures, so only those in the rule's directory count. */
static int check_name(struct load *load, const char *name, const char *const *digests, size_t count)
{
    const struct trust_policy *policy = &load->job->policy;
    struct image_reference reference = {0};
    const struct trust_rule *rule;
    int result = name != NULL ? image_reference_parse(name, &reference, load->err) : 0;

    if (result < 0)
        return result;
    rule = trust_find(policy, reference.name);
    result = trust_check(policy, reference.name, digests, count, load->err);
    for (size_t i = 0; result == 0 && rule->signatures != NULL && i < count; i++)
        result = signature_check_directory(rule, digests[i], load->err);
    if (result != 0)
        return result < 0 ? result : 0;
    return error_set(load->err, ERROR_DENIED, EPERM,
                     "%s wants a signature by one of its keys: none is found for %s in %s",
                     trust_describe(policy, rule, &load->arena), digests[0],
                     rule->signatures != NULL ? rule->signatures : "an archive");
}

/* `first` is the digest that the archive's index has: of the manifest, or of another index. */
static int check_trust(struct load *load, const char *first, const char *digest,
                       const struct string_list *names)
{
    const char *const digests[] = {first, digest};
    size_t count = strcmp(first, digest) == 0 ? 1 : 2;
    int result = names->count == 0 ? check_name(load, NULL, digests, count) : 0;

    for (size_t i = 0; result == 0 && i < names->count; i++)
        result = check_name(load, names->items[i], digests, count);
    return result;
}

/* For both formats: checks, unpacks and reports an image whose blobs are in the store. */
static int unpack_and_report_image(struct load *load, const char *first, const char *digest,
                                   struct image_report *image)
{
    struct image_manifest manifest = {0};
    struct image_config config = {0};
    const char *text = NULL;
    size_t length = 0;
    int result = check_trust(load, first, digest, &image->names);

    if (result == 0)
        result = read_document(load, digest, &text, &length);
    if (result < 0)
        return result;
    image->digest = digest;
    image->size = (int64_t)length;
    if (result == 0)
        result = image_manifest_parse(&load->arena, text, length, &manifest, load->err);
    if (result == 0)
        result = read_document(load, manifest.config.digest, &text, &length);
    if (result == 0)
        result = image_config_parse(&load->arena, text, length, &config, load->err);
    if (result == 0)
        result =
            layers_unpack(load->store_fd, &load->arena, &manifest, &config,
                          find_unpacks(load, &manifest), load->limits, &image->layers, load->err);
    return result < 0 ? result : report_write(load->out_fd, image, load->err);
}

static bool is_index(const struct image_descriptor *descriptor)
{
    return strcmp(descriptor->media_type, MEDIA_TYPE_INDEX) == 0 ||
           strcmp(descriptor->media_type, MEDIA_TYPE_DOCKER_LIST) == 0;
}

/* An index of several platforms stands for the one that is ours. */
static int choose_manifest(struct load *load, const struct image_descriptor *descriptor,
                           const char **digest)
{
    const struct image_platform host = {.architecture = image_host_architecture(), .os = "linux"};

    *digest = descriptor->digest;
    for (int depth = 0; is_index(descriptor); depth++) {
        struct image_index *index = arena_new(&load->arena, 1, sizeof(*index));
        const char *text;
        size_t length;
        int result = read_document(load, descriptor->digest, &text, &length);

        if (result == 0)
            result = image_index_parse(&load->arena, text, length, index, load->err);
        if (result < 0)
            return result;
        descriptor = image_index_choose(index, &host);
        if (descriptor == NULL || depth == INDEX_DEPTH_MAX)
            return error_set(load->err, ERROR_NOT_FOUND, ENOENT,
                             "the archive has no image for this machine's architecture");
        *digest = descriptor->digest;
    }
    return 0;
}

/* A bare tag says nothing of a repository, so only what looks like a reference becomes a name. */
static const char *archive_name_of(const struct image_descriptor *descriptor)
{
    const char *name = string_map_get(&descriptor->annotations, ANNOTATION_IMAGE_NAME);

    if (name == NULL)
        name = string_map_get(&descriptor->annotations, ANNOTATION_REF_NAME);
    return name != NULL && (strchr(name, ':') != NULL || strchr(name, '/') != NULL) ? name : NULL;
}

static int load_layout(struct load *load, const struct member *member)
{
    struct image_index index = {0};
    const char *text;
    size_t length;
    int result = read_document(load, member->digest, &text, &length);

    if (result == 0)
        result = image_index_parse(&load->arena, text, length, &index, load->err);
    if (result == 0 && index.manifests.count == 0)
        result = error_set(load->err, ERROR_NOT_FOUND, ENOENT, "index.json: no image");
    for (size_t i = 0; result == 0 && i < index.manifests.count; i++) {
        const struct image_descriptor *descriptor = &index.manifests.items[i];
        const char *name = archive_name_of(descriptor);
        struct image_report image = {0};
        const char *digest;

        if (name != NULL)
            image.names = (struct string_list){&name, 1};
        result = choose_manifest(load, descriptor, &digest);
        if (result == 0)
            result = unpack_and_report_image(load, descriptor->digest, digest, &image);
    }
    return result;
}

struct docker_image {
    const char *config;
    struct string_list repo_tags;
    struct string_list layers;
};

static const struct json_field docker_fields[] = {
    JSON_FIELD(struct docker_image, config, "Config", JSON_KIND_STRING, .flags = JSON_REQUIRED),
    JSON_FIELD(struct docker_image, repo_tags, "RepoTags", JSON_KIND_STRINGS),
    JSON_FIELD(struct docker_image, layers, "Layers", JSON_KIND_STRINGS),
};
static const struct json_struct docker_type = JSON_STRUCT(struct docker_image, docker_fields);

static int describe_member(const struct load *load, const char *name, const char *media_type,
                           struct image_descriptor *descriptor)
{
    const struct member *member = find_member(load, name);

    if (member == NULL)
        return error_set(load->err, ERROR_CORRUPT, ENOENT,
                         "manifest.json: \"%.128s\" is not in the archive", name);
    *descriptor = (struct image_descriptor){
        .media_type = media_type, .digest = member->digest, .size = (int64_t)member->size};
    return 0;
}

/* Docker archives have no manifest of their own; an OCI one is made from what they say. */
static int make_manifest(struct load *load, const struct docker_image *docker,
                         char digest[DIGEST_SIZE])
{
    struct image_manifest manifest = {.schema_version = 2, .media_type = MEDIA_TYPE_MANIFEST};
    struct json_writer *writer;
    const char *text;
    int result = describe_member(load, docker->config, MEDIA_TYPE_CONFIG, &manifest.config);

    manifest.layers.items =
        arena_new(&load->arena, docker->layers.count, sizeof(*manifest.layers.items));
    for (size_t i = 0; result == 0 && i < docker->layers.count; i++)
        result = describe_member(load, docker->layers.items[i], MEDIA_TYPE_LAYER,
                                 &manifest.layers.items[manifest.layers.count++]);
    if (result < 0)
        return result;
    writer = json_writer_new(false);
    json_encode(writer, &image_manifest_type, &manifest);
    text = json_writer_text(writer);
    result = blob_put(load->store_fd, text, strlen(text), NULL, digest, load->err);
    json_writer_free(writer);
    return result;
}

static int load_docker(struct load *load, const struct member *member)
{
    const struct json *list;
    const char *text;
    size_t length;
    int result = read_document(load, member->digest, &text, &length);

    if (result == 0)
        result = json_parse(&load->arena, text, length, &json_default_limits, &list, load->err);
    if (result == 0 && (list->type != JSON_ARRAY || list->count == 0))
        result = error_set(load->err, ERROR_CORRUPT, EINVAL, "expected a list of images");
    for (size_t i = 0; result == 0 && i < list->count; i++) {
        struct docker_image docker = {0};
        struct image_report image = {0};
        char *digest = arena_new(&load->arena, DIGEST_SIZE, 1);

        result = json_decode(&load->arena, &list->items[i], &docker_type, "", &docker, load->err);
        if (result < 0)
            break;
        image.names = docker.repo_tags;
        result = make_manifest(load, &docker, digest);
        if (result == 0)
            result = unpack_and_report_image(load, digest, digest, &image);
    }
    return result < 0 ? error_prefix(load->err, "manifest.json") : 0;
}

static int load_images(struct load *load)
{
    const struct member *index = find_member(load, "index.json");
    const struct member *manifest = find_member(load, "manifest.json");

    if (index != NULL && find_member(load, "oci-layout") != NULL)
        return load_layout(load, index);
    if (manifest != NULL)
        return load_docker(load, manifest);
    return error_set(load->err, ERROR_CORRUPT, EINVAL,
                     "neither an OCI layout (oci-layout, index.json) nor a docker archive "
                     "(manifest.json)");
}

int archive_load(int store_fd, int fd, int out_fd, const struct load_job *job,
                 const struct worker_limits *limits, struct error *err)
{
    struct load *load = memory_new_one(struct load);
    struct error local = {0};
    int result;

    load->store_fd = store_fd;
    load->out_fd = out_fd;
    load->job = job;
    load->limits = limits;
    load->err = err != NULL ? err : &local;
    result = decompressor_open(fd, false, &load->stream, load->err);
    if (result == 0)
        result = read_all(load);
    if (result == 0)
        result = load_images(load);
    if (load->archive != NULL)
        archive_read_free(load->archive);
    decompressor_close(load->stream);
    for (size_t i = 0; i < load->member_count; i++) {
        if (load->members[i].unpack != NULL)
            layer_unpack_abort(load->members[i].unpack);
        free(load->members[i].unpack);
    }
    free(load->members);
    arena_release(&load->arena);
    free(load);
    return result;
}
