/* Collection of images: see images.h. */
#include "images.h"

#include "base/log.h"
#include "supervisor/containers/container.h"

/* Layers that containers stand on stay, whatever has become of their images. */
static void list_layers(const struct images *images, struct arena *arena,
                        struct string_list *layers)
{
    for (const struct managed_container *one = images->containers->list; one != NULL;
         one = one->next) {
        for (size_t i = 0; i < one->definition->layers.count; i++)
            string_list_append(arena, layers, one->definition->layers.items[i]);
    }
    for (size_t i = 0; i < images->containers->aside_layers.count; i++)
        string_list_append(arena, layers, images->containers->aside_layers.items[i]);
}

void images_collect(struct images *images)
{
    cleanup_arena struct arena arena = {0};
    struct string_list layers = {0};
    struct error err = {0};

    if (images->containers->has_unknown_layers) {
        log_warning("images: nothing is collected: a container that was put aside does not say "
                    "what it stands on (davit system check)");
        return;
    }
    list_layers(images, &arena, &layers);
    if (image_store_collect(images->store, &layers, &err) < 0)
        log_warning("images: %s", err.message);
    trash_sweep_later(images->trash);
}
