/* Collection of images: see collect.h. */
#include "collect.h"

#include "base/log.h"
#include "supervisor/containers/container.h"
#include "supervisor/store/trash.h"

/* Layers that containers stand on stay, whatever has become of their images. */
static void list_layers(const struct daemon *daemon, struct arena *arena,
                        struct string_list *layers)
{
    for (const struct managed_container *one = daemon->containers; one != NULL; one = one->next) {
        for (size_t i = 0; i < one->definition.layers.count; i++)
            string_list_append(arena, layers, one->definition.layers.items[i]);
    }
    for (size_t i = 0; i < daemon->aside_layers.count; i++)
        string_list_append(arena, layers, daemon->aside_layers.items[i]);
}

void images_collect(struct daemon *daemon)
{
    cleanup_arena struct arena arena = {0};
    struct string_list layers = {0};
    struct error err = {0};

    list_layers(daemon, &arena, &layers);
    if (image_store_collect(&daemon->images, &layers, &err) < 0)
        log_warning("images: %s", err.message);
    trash_sweep_later(&daemon->trash);
}
