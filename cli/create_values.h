/* Options of create, run and update whose values need more than a row: functions of rows (see
 * options.h), and what follows from several options together. */
#ifndef DAVIT_CLI_CREATE_VALUES_H
#define DAVIT_CLI_CREATE_VALUES_H

#include "create_options.h"
#include "options.h"

int read_cpus(const struct option_reader *reader, const char *text);
int read_restart(const struct option_reader *reader, const char *text);
int read_pull(const struct option_reader *reader, const char *text);
int read_env(const struct option_reader *reader, const char *text);
int read_env_file(const struct option_reader *reader, const char *text);   /* create_files.c */
int read_label_file(const struct option_reader *reader, const char *text); /* create_files.c */
int read_attach(const struct option_reader *reader, const char *text);
int read_expose(const struct option_reader *reader, const char *text);
int read_entrypoint(const struct option_reader *reader, const char *text);
int read_health_command(const struct option_reader *reader, const char *text);
int read_volume(const struct option_reader *reader, const char *text);
int read_tmpfs(const struct option_reader *reader, const char *text);
int read_security(const struct option_reader *reader, const char *text);
int read_device(const struct option_reader *reader, const char *text); /* create_devices.c */
int read_gpus(const struct option_reader *reader, const char *text);   /* create_devices.c */
int read_device_rate(const struct option_reader *reader, const char *text);
int read_device_weight(const struct option_reader *reader, const char *text);
int read_ulimit(const struct option_reader *reader, const char *text);
int read_egress(const struct option_reader *reader, const char *text);
int read_mount(const struct option_reader *reader, const char *text);   /* create_mounts.c */
int read_publish(const struct option_reader *reader, const char *text); /* create_ports.c */

/* The networks and what the container is on them: names and addresses. */
int put_networks(struct cli *cli, struct create_options *options); /* create_networks.c */
/* An endpoint's groups on its network. */
void request_set_groups(struct request *request, struct request_value *endpoint,
                        const struct string_list *groups);
/* Refuses --no-healthcheck beside others of --health-*. */
int put_healthcheck(struct cli *cli, struct create_options *options);

#endif
