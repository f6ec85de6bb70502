/* Handlers of the control socket, by subject. Each answers its request, now or later. */
#ifndef DAVIT_SUPERVISOR_API_API_H
#define DAVIT_SUPERVISOR_API_API_H

#include "supervisor/containers/container.h"
#include "supervisor/http/filters.h"
#include "supervisor/images/usage.h"

/* What "*" in a route matched, decoded. */
struct route_match {
    const char *name;
};

typedef void (*api_handler)(struct daemon *daemon, struct request *request,
                            const struct route_match *match);

void api_ping(struct daemon *daemon, struct request *request, const struct route_match *match);
void api_version(struct daemon *daemon, struct request *request, const struct route_match *match);
void api_info(struct daemon *daemon, struct request *request, const struct route_match *match);
void api_events(struct daemon *daemon, struct request *request, const struct route_match *match);

/* An event of type "image". */
void image_event(struct daemon *daemon, const char *action, const char *id, const char *name);

/* An entry of the list of images; -1 for what nobody has counted. */
void image_write_summary(struct json_writer *writer, const struct image *image,
                         int64_t shared_bytes, int64_t container_count);

/* Reads the query's filters; false: they were wrong, which has been answered. */
bool api_read_filters(struct request *request, const char *const *known, struct filters *filters);

/* What can be pruned. */
struct prune_kind {
    const char *const *filters; /* that it knows; NULL ends them */
    const char *list_name;
    bool is_measured; /* `usage` is wanted */
    /* Removes what the filters leave, writes a list of it and adds up the bytes. */
    int (*prune)(struct daemon *daemon, const struct filters *filters, int64_t until_ns,
                 const struct disk_usage *usage, struct json_writer *writer, uint64_t *bytes,
                 struct error *err);
};

/* Answers POST .../prune. */
void api_prune(struct daemon *daemon, struct request *request, const struct prune_kind *kind);

void api_network_create(struct daemon *daemon, struct request *request,
                        const struct route_match *match);
void api_network_inspect(struct daemon *daemon, struct request *request,
                         const struct route_match *match);
void api_networks_list(struct daemon *daemon, struct request *request,
                       const struct route_match *match);
void api_network_remove(struct daemon *daemon, struct request *request,
                        const struct route_match *match);
void api_network_connect(struct daemon *daemon, struct request *request,
                         const struct route_match *match);
void api_network_disconnect(struct daemon *daemon, struct request *request,
                            const struct route_match *match);
void api_networks_prune(struct daemon *daemon, struct request *request,
                        const struct route_match *match);
void api_images_prune(struct daemon *daemon, struct request *request,
                      const struct route_match *match);
void api_build_prune(struct daemon *daemon, struct request *request,
                     const struct route_match *match);
void api_containers_prune(struct daemon *daemon, struct request *request,
                          const struct route_match *match);
void api_disk_usage(struct daemon *daemon, struct request *request,
                    const struct route_match *match);
void api_images_list(struct daemon *daemon, struct request *request,
                     const struct route_match *match);
void api_images_load(struct daemon *daemon, struct request *request,
                     const struct route_match *match);
void api_images_create(struct daemon *daemon, struct request *request,
                       const struct route_match *match);
void api_images_save(struct daemon *daemon, struct request *request,
                     const struct route_match *match);
void api_image_save(struct daemon *daemon, struct request *request,
                    const struct route_match *match);
void api_images_import(struct daemon *daemon, struct request *request);
/* POST /images/create with an archive as its body. */
bool api_is_import(const struct request *request);
void api_egress_show(struct daemon *daemon, struct request *request,
                     const struct route_match *match);
void api_egress_set(struct daemon *daemon, struct request *request,
                    const struct route_match *match);
void api_probes_show(struct daemon *daemon, struct request *request,
                     const struct route_match *match);
void api_probes_set(struct daemon *daemon, struct request *request,
                    const struct route_match *match);
void api_container_stat_path(struct daemon *daemon, struct request *request,
                             const struct route_match *match);
void api_container_copy_out(struct daemon *daemon, struct request *request,
                            const struct route_match *match);
void api_container_copy_in(struct daemon *daemon, struct request *request,
                           const struct route_match *match);
void api_volumes_list(struct daemon *daemon, struct request *request,
                      const struct route_match *match);
void api_volume_create(struct daemon *daemon, struct request *request,
                       const struct route_match *match);
void api_volume_inspect(struct daemon *daemon, struct request *request,
                        const struct route_match *match);
void api_volume_remove(struct daemon *daemon, struct request *request,
                       const struct route_match *match);
void api_volumes_prune(struct daemon *daemon, struct request *request,
                       const struct route_match *match);
void api_commit(struct daemon *daemon, struct request *request, const struct route_match *match);
void api_image_inspect(struct daemon *daemon, struct request *request,
                       const struct route_match *match);
void api_image_push_index(struct daemon *daemon, struct request *request,
                          const struct route_match *match);
void api_image_push(struct daemon *daemon, struct request *request,
                    const struct route_match *match);
void api_image_sbom(struct daemon *daemon, struct request *request,
                    const struct route_match *match);
void api_image_tag(struct daemon *daemon, struct request *request, const struct route_match *match);
void api_image_history(struct daemon *daemon, struct request *request,
                       const struct route_match *match);
void api_image_remove(struct daemon *daemon, struct request *request,
                      const struct route_match *match);

void api_containers_list(struct daemon *daemon, struct request *request,
                         const struct route_match *match);
void api_container_create(struct daemon *daemon, struct request *request,
                          const struct route_match *match);
void api_container_inspect(struct daemon *daemon, struct request *request,
                           const struct route_match *match);
void api_container_start(struct daemon *daemon, struct request *request,
                         const struct route_match *match);
void api_container_stop(struct daemon *daemon, struct request *request,
                        const struct route_match *match);
void api_container_restart(struct daemon *daemon, struct request *request,
                           const struct route_match *match);
void api_container_pause(struct daemon *daemon, struct request *request,
                         const struct route_match *match);
void api_container_unpause(struct daemon *daemon, struct request *request,
                           const struct route_match *match);
void api_container_rename(struct daemon *daemon, struct request *request,
                          const struct route_match *match);
void api_container_stats(struct daemon *daemon, struct request *request,
                         const struct route_match *match);
void api_container_update(struct daemon *daemon, struct request *request,
                          const struct route_match *match);
void api_container_top(struct daemon *daemon, struct request *request,
                       const struct route_match *match);
void api_container_kill(struct daemon *daemon, struct request *request,
                        const struct route_match *match);
void api_container_wait(struct daemon *daemon, struct request *request,
                        const struct route_match *match);
void api_container_logs(struct daemon *daemon, struct request *request,
                        const struct route_match *match);
void api_container_attach(struct daemon *daemon, struct request *request,
                          const struct route_match *match);
void api_container_resize(struct daemon *daemon, struct request *request,
                          const struct route_match *match);
void api_container_remove(struct daemon *daemon, struct request *request,
                          const struct route_match *match);
void api_container_changes(struct daemon *daemon, struct request *request,
                           const struct route_match *match);
void api_container_export(struct daemon *daemon, struct request *request,
                          const struct route_match *match);
void api_container_exec(struct daemon *daemon, struct request *request,
                        const struct route_match *match);
void api_exec_start(struct daemon *daemon, struct request *request,
                    const struct route_match *match);
void api_exec_inspect(struct daemon *daemon, struct request *request,
                      const struct route_match *match);
void api_exec_resize(struct daemon *daemon, struct request *request,
                     const struct route_match *match);

/* "h" and "w" of a request to change a terminal's size. */
struct terminal_size {
    int rows;
    int columns;
};
int api_read_terminal_size(const struct request *request, struct terminal_size *size,
                           struct error *err);

#endif
