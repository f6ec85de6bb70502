/* Images as lists and other objects say them: see api.h. */
#include "api.h"

void image_write_names(struct json_writer *writer, const struct image *image)
{
    char name[512];

    json_key(writer, "RepoTags");
    json_array_open(writer);
    for (size_t i = 0; i < image->name_count; i++) {
        image_reference_familiar(image->names[i].full, name, sizeof(name));
        json_string(writer, name);
    }
    json_array_close(writer);
    json_key(writer, "RepoDigests");
    json_array_open(writer);
    for (size_t i = 0; i < image->repo_digest_count; i++) {
        image_reference_familiar(image->repo_digests[i], name, sizeof(name));
        json_string(writer, name);
    }
    json_array_close(writer);
}

void image_write_summary(struct json_writer *writer, const struct image *image,
                         int64_t shared_bytes, int64_t container_count)
{
    json_object_open(writer);
    json_member_string(writer, "Id", image->id);
    json_member_string(writer, "ParentId", "");
    image_write_names(writer, image);
    json_member_integer(writer, "Created", image->created_ns / 1000000000);
    json_member_unsigned(writer, "Size", image->size);
    json_member_integer(writer, "SharedSize", shared_bytes);
    json_member_integer(writer, "Containers", container_count);
    json_member_map(writer, "Labels", &image->config.config.labels);
    json_object_close(writer);
}
