/* Images as lists and other objects say them: see api.h. */
#include <fnmatch.h>
#include <string.h>

#include "api.h"

bool image_name_matches(const struct string_list *patterns, const char *full)
{
    char name[512];

    for (size_t i = 0; patterns != NULL && i < patterns->count; i++) {
        image_reference_familiar(full, name, sizeof(name));
        if (fnmatch(patterns->items[i], name, 0) == 0)
            return true;
        *strrchr(name, ':') = '\0';
        if (fnmatch(patterns->items[i], name, 0) == 0)
            return true;
    }
    return patterns == NULL;
}

void image_write_names(struct json_writer *writer, const struct image *image,
                       const struct string_list *patterns)
{
    char name[512];

    json_key(writer, "RepoTags");
    json_array_open(writer);
    for (size_t i = 0; i < image->name_count; i++) {
        if (!image_name_matches(patterns, image->names[i].full))
            continue;
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
                         const struct string_list *patterns, const struct image_counts *counts)
{
    json_object_open(writer);
    json_member_string(writer, "Id", image->id);
    json_member_string(writer, "ParentId", "");
    image_write_names(writer, image, patterns);
    json_member_integer(writer, "Created", image->created_ns / 1000000000);
    json_member_unsigned(writer, "Size", image->size);
    json_member_integer(writer, "SharedSize", counts->shared_bytes);
    json_member_integer(writer, "Containers", counts->containers);
    json_member_map(writer, "Labels", &image->config.config.labels);
    json_object_close(writer);
}
