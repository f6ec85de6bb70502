/* Revisions: see revision.h. */
#include "revision.h"

#include <stdlib.h>
#include <string.h>

struct revision *revision_new(void)
{
    return memory_new_one(struct revision);
}

/* Copies by the table that stores it. Members that the table lacks are for making a container
 * only. */
struct revision *revision_copy(const struct definition *definition, struct error *err)
{
    struct revision *copy = revision_new();
    struct json_writer *writer = json_writer_new(false);
    const char *text;

    json_encode(writer, &definition_type, definition);
    text = arena_strdup(&copy->arena, json_writer_text(writer));
    json_writer_free(writer);
    if (json_decode_text(&copy->arena, text, strlen(text), &definition_type, &copy->definition,
                         err) == 0)
        return copy;
    revision_free(copy);
    return NULL;
}

void revision_free(struct revision *revision)
{
    if (revision == NULL)
        return;
    arena_release(&revision->arena);
    free(revision);
}
